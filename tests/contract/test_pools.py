"""Pools: stock without numbers, held with seats or alone, all together or nothing, given back exactly once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from msgspec.structs import replace

from seatlock import (
    AcquireRequest,
    Booking,
    BookingConflict,
    ConfirmRequest,
    Hold,
    HoldLost,
    InvalidPlan,
    InvalidRequest,
    PlanConflict,
    PoolConflict,
    PoolCounts,
    SaleNotOpen,
    Seat,
    SeatsUnavailable,
    ServerUnavailable,
    ShowInUse,
    UnknownSeats,
    _commands,
    new_token,
)
from tests.support.stage import SEATS, Stage, only_on
from tests.support.waiting import until

POOLS = {"floor": 10, "bal cony": 3}


def counts(stage: Stage, pool: str = "floor") -> tuple[int, int, int]:
    """Free, held and sold of a pool, which add up."""
    found = stage.locker.availability(stage.show).pools[pool]
    assert found.free + found.held + found.sold == found.capacity
    return found.free, found.held, found.sold


def claim(stage: Stage, quantity: int, holder: str = "ada", *, pool: str = "floor", **options: Any) -> Hold:
    """Hold so many of a pool."""
    hold: Hold = stage.locker.acquire(stage.show, pools={pool: quantity}, holder=holder, **options)
    return hold


def refused(stage: Stage, seats: Iterable[str] = (), *, holder: str = "bo", **options: Any) -> SeatsUnavailable:
    """The error of a request in vain, which changes nothing."""
    before = stage.everything()
    with pytest.raises(SeatsUnavailable) as refusal:
        stage.locker.acquire(stage.show, seats, holder=holder, **options)
    assert stage.everything() == before
    return refusal.value


def past(stage: Stage) -> None:
    """Wait until all claims have run out."""
    until(lambda: counts(stage)[1] == 0, "the claims have run out")


# --- one hold, from the beginning to the end


def test_a_hold_of_seats_and_pools(stage: Stage) -> None:
    stage.open(pools=POOLS)
    version = stage.version()
    hold = stage.acquire("A-1", "A-2", pools={"floor": 2, "bal cony": 3})
    assert (hold.seats, hold.pools, hold.resumed) == (("A-1", "A-2"), {"floor": 2, "bal cony": 3}, False)
    assert (counts(stage), counts(stage, "bal cony")) == ((8, 2, 0), (0, 3, 0))
    [(_, fields)] = stage.changes(version)
    assert fields == {
        **dict.fromkeys(("A-1", "A-2"), f"h0:{hold.deadline}"),
        "pool\nfloor": "10 2 0",
        "pool\nbal cony": "3 3 0",
    }
    longer = stage.locker.extend(hold, ttl=900.0)
    assert (longer.ttl, longer.fence, longer.pools) == (900.0, hold.fence, hold.pools)
    booking = stage.locker.confirm(longer, payment="pay-1")
    assert (booking.pools, booking.fence) == (hold.pools, hold.fence)
    assert (counts(stage), counts(stage, "bal cony")) == ((8, 0, 2), (0, 0, 3))
    assert stage.locker.confirm(hold, payment="pay-1") == booking
    assert stage.outbox()[-1]["pools"] == "2 floor\n3 bal cony"
    undone = stage.locker.cancel(booking)
    assert (undone.cancelled, undone.pools) == (("A-1", "A-2"), {"floor": 2, "bal cony": 3})
    assert (counts(stage), counts(stage, "bal cony")) == ((10, 0, 0), (3, 0, 0))
    facts = stage.outbox()
    assert [(fact["kind"], fact["seats"], fact["pools"]) for fact in facts] == [
        (kind, "A-1\nA-2", "2 floor\n3 bal cony") for kind in ("confirmed", "cancelled")
    ]
    assert stage.locker.cancel(booking).pools == {"floor": 0, "bal cony": 0}
    assert (stage.outbox(), counts(stage)) == (facts, (10, 0, 0))


def test_a_hold_of_pools_alone(stage: Stage) -> None:
    stage.open(pools=POOLS)
    hold = claim(stage, 4)
    assert (hold.seats, hold.pools) == ((), {"floor": 4})
    assert stage.locker.extend(hold, ttl=900.0).ttl == 900.0
    booking = stage.locker.confirm(hold)
    assert (booking.seats, booking.pools, stage.locker.confirm(hold)) == ((), {"floor": 4}, booking)
    assert counts(stage) == (6, 0, 4)
    assert stage.locker.cancel(booking).pools == {"floor": 4}
    assert counts(stage) == (10, 0, 0)
    with pytest.raises(HoldLost) as lost:
        stage.locker.confirm(hold)
    assert (lost.value.reason, lost.value.seats, lost.value.pools) == ("released", {}, {"floor": "released"})


def test_a_release_gives_back_once(stage: Stage) -> None:
    stage.open(pools=POOLS)
    hold = stage.acquire("A-1", pools={"floor": 2})
    done = stage.locker.release(hold)
    assert (done.released, done.pools) == (("A-1",), {"floor": 2})
    before = stage.everything()
    assert stage.locker.release(hold).pools == {"floor": 0}
    assert (stage.everything(), counts(stage)) == (before, (10, 0, 0))
    booked = claim(stage, 3)
    stage.locker.confirm(booked)
    assert stage.locker.release(booked).pools == {"floor": 0}
    assert counts(stage) == (7, 0, 3)


def test_a_block_holds_pools_too(stage: Stage) -> None:
    stage.open(pools=POOLS)
    with stage.locker.holding(stage.show, pools={"floor": 2}, holder="ada") as hold:
        assert (hold.pools, counts(stage)) == ({"floor": 2}, (8, 2, 0))
    assert counts(stage) == (10, 0, 0)


# --- all or nothing


def test_all_or_nothing(stage: Stage) -> None:
    stage.open(pools=POOLS)
    other = stage.acquire("A-1", holder="cy")
    error = refused(stage, ["A-1", "A-2"], pools={"floor": 2})
    assert (set(error.conflicts), error.pools) == ({"A-1"}, {})
    error = refused(stage, ["A-1", "A-2"], pools={"floor": 11, "bal cony": 3})
    assert (set(error.conflicts), error.pools) == ({"A-1"}, {"floor": PoolConflict(10)})
    error = refused(stage, ["A-2"], pools={"floor": 1, "bal cony": 4})
    assert (error.conflicts, error.pools) == ({}, {"bal cony": PoolConflict(3)})
    assert "pool 'bal cony' has 3 left" in str(error)
    stage.locker.release(other)


def test_a_pool_that_is_not_there(stage: Stage) -> None:
    stage.open(pools=POOLS)
    before = stage.everything()
    with pytest.raises(UnknownSeats, match="no seat 'X' and no pool 'gallery'") as unknown:
        stage.acquire("A-1", "X", pools={"floor": 1, "gallery": 1})
    assert (unknown.value.seats, unknown.value.pools) == (("X",), ("gallery",))
    assert stage.everything() == before


def test_an_exhausted_pool_stands_in_nobody_elses_way(stage: Stage) -> None:
    stage.open(pools=POOLS)
    requests = [
        AcquireRequest([], "ada", pools={"floor": 10}),
        AcquireRequest([], "bo", pools={"floor": 1}),
        AcquireRequest([], "bo", pools={"bal cony": 1}),
        AcquireRequest(["A-1"], "cy", pools={"floor": 1}),
        AcquireRequest(["A-1"], "cy"),
        AcquireRequest(["A-2"], "di", pools={"bal cony": 2}),
    ]
    answers = stage.locker.acquire_many(stage.show, requests)
    assert [type(answer) for answer in answers] == [Hold, SeatsUnavailable, Hold, SeatsUnavailable, Hold, Hold]
    assert answers[1].pools["floor"].left == 0
    assert (counts(stage), counts(stage, "bal cony")) == ((0, 10, 0), (0, 3, 0))


def test_when_some_may_come_back(stage: Stage) -> None:
    stage.open(pools=POOLS)
    claim(stage, 9, ttl=60.0)
    conflict = refused(stage, pools={"floor": 2}).pools["floor"]
    assert (conflict.left, conflict.yours) == (1, False)
    assert conflict.retry_after == pytest.approx(60.0, abs=20.0)
    stage.locker.confirm(claim(stage, 1, "cy"))
    stage.locker.confirm(claim(stage, 9))
    assert refused(stage, pools={"floor": 1}).pools == {"floor": PoolConflict(0)}


def test_a_batch_of_every_verb(stage: Stage) -> None:
    stage.open(pools=POOLS)
    wanted = [AcquireRequest([SEATS[n]] if n % 2 else [], f"h-{n}", pools={"floor": 2}) for n in range(4)]
    holds = stage.locker.acquire_many(stage.show, wanted)
    assert counts(stage) == (2, 8, 0)
    bookings = stage.locker.confirm_many(stage.show, [ConfirmRequest(hold, "pay") for hold in [*holds[:3], *holds[:3]]])
    assert bookings[:3] == bookings[3:]
    assert counts(stage) == (2, 2, 6)
    done = stage.locker.release_many(stage.show, [holds[3], holds[3]])
    assert [answer.pools["floor"] for answer in done] == [2, 0]
    assert counts(stage) == (4, 0, 6)


# --- asking again


def test_the_same_request_twice_has_one_effect(stage: Stage) -> None:
    stage.open(pools=POOLS)
    token = new_token()
    first = stage.acquire("A-1", pools={"floor": 2}, token=token)
    before = stage.everything()
    again = stage.acquire("A-1", pools={"floor": 2}, token=token)
    assert (again.fence, again.token, again.resumed) == (first.fence, token, False)
    assert stage.everything() == before
    stage.locker.confirm(again)
    assert refused(stage, holder="ada", pools={"floor": 2}, token=token).pools["floor"].yours
    assert counts(stage) == (8, 0, 2)


def test_asking_again_without_the_token_gives_the_hold_back(stage: Stage) -> None:
    stage.open(pools=POOLS)
    first = stage.acquire("A-1", pools={"floor": 3})
    version = stage.version()
    for seats, quantity in ((("A-1",), 3), ((), 3), (("A-1",), 1)):
        again = stage.locker.acquire(stage.show, seats, pools={"floor": quantity}, holder="ada")
        assert (again.resumed, again.token, again.pools) == (True, first.token, {"floor": quantity})
        before = stage.everything()
        assert stage.locker.acquire(stage.show, seats, pools={"floor": quantity}, holder="ada").resumed
        assert stage.everything() == before, "from the second time on nothing is written"
    assert counts(stage) == (7, 3, 0)
    claim(stage, 1, "bo")
    assert claim(stage, 1, "bo").resumed
    assert (stage.version(), counts(stage)) == (version + 1, (6, 4, 0)), "a mark alone is no change"


@only_on("redis-7", "fakeredis", colours=["sync"])
def test_what_undoes_a_request_spares_a_claim_that_was_resumed(stage: Stage) -> None:
    stage.open(pools=POOLS)
    for resumed in (False, True):
        ask = _commands.acquire("seatlock", stage.show, (), "ada", 60.0, None, {"floor": 2})
        stage.locker._one(ask)
        if resumed:
            assert claim(stage, 2).resumed
        undone = stage.locker._one(_commands.undo_of(ask))
        assert (undone.pools, counts(stage)) == (({"floor": 0}, (8, 2, 0)) if resumed else ({"floor": 2}, (10, 0, 0)))


@only_on("redis-7", "fakeredis", colours=["sync"])
def test_what_undoes_a_request_spares_a_claim_that_was_resumed_and_grew(stage: Stage) -> None:
    stage.open(pools=POOLS)
    ask = _commands.acquire("seatlock", stage.show, ("A-1",), "ada", 60.0, None, {"floor": 1})
    stage.locker._one(ask)
    resumed = stage.acquire("A-1", pools={"floor": 1})
    more = stage.acquire("A-1", pools={"floor": 2}, token=resumed.token)
    undone = stage.locker._one(_commands.undo_of(ask))
    assert (undone.seats, undone.pools) == ({"A-1": "taken"}, {"floor": 0})
    assert stage.locker.confirm(more).pools == {"floor": 2}


@only_on("redis-7", "fakeredis")
def test_begin_payment_extends_claims_once(stage: Stage) -> None:
    stage.open(pools=POOLS, max_hold=100.0)
    hold = stage.acquire("A-1", pools={"floor": 2}, ttl=10.0)
    paying = stage.locker.begin_payment(hold, expected=300.0)
    assert paying.ttl > 100.0
    again = stage.locker.begin_payment(hold, expected=900.0)
    assert (again.deadline, again.pools) == (paying.deadline, {"floor": 2})
    alone = claim(stage, 1, "bo", ttl=10.0)
    assert stage.locker.begin_payment(alone, expected=60.0).ttl == 60.0
    assert stage.locker.begin_payment(alone, expected=90.0).ttl <= 60.0
    assert stage.locker.confirm(paying, payment="pay").pools == {"floor": 2}


@only_on("redis-7", "fakeredis")
def test_a_show_with_limits_and_pools(stage: Stage) -> None:
    stage.open(pools=POOLS, limit=6)
    hold = stage.acquire("A-1", pools={"floor": 2})
    booking = stage.locker.confirm(stage.locker.extend(hold, ttl=900.0))
    assert (booking.pools, claim(stage, 3).pools) == ({"floor": 2}, {"floor": 3})
    assert stage.locker.release(claim(stage, 3)).pools == {"floor": 3}
    assert stage.locker.cancel(booking).pools == {"floor": 2}
    assert counts(stage) == (10, 0, 0)


def test_more_without_the_token_is_refused(stage: Stage) -> None:
    stage.open(pools=POOLS)
    claim(stage, 3)
    conflict = refused(stage, holder="ada", pools={"floor": 4}).pools["floor"]
    assert (conflict.left, conflict.yours) == (7, True)
    assert refused(stage, ["A-1"], holder="ada", pools={"floor": 3}).pools["floor"].yours, "own and free mixed"
    assert refused(stage, holder="ada", pools={"floor": 3, "bal cony": 1}).pools["floor"].yours
    seat = stage.acquire("A-1", pools={"bal cony": 1})
    assert seat.pools == {"bal cony": 1}
    error = refused(stage, holder="ada", pools={"floor": 1, "bal cony": 1})
    assert set(error.pools) == {"floor", "bal cony"}, "of two holds"


def test_a_token_is_a_basket(stage: Stage) -> None:
    stage.open(pools=POOLS)
    first = claim(stage, 2)
    more = stage.acquire("A-1", pools={"floor": 5, "bal cony": 1}, token=first.token)
    assert (more.fence, more.pools, more.ttl <= 600.0) == (first.fence, {"floor": 5, "bal cony": 1}, True)
    assert (counts(stage), counts(stage, "bal cony")) == ((5, 5, 0), (2, 1, 0))
    fewer = claim(stage, 1, token=first.token)
    assert (fewer.pools, counts(stage)) == ({"floor": 1}, (5, 5, 0))
    assert refused(stage, holder="ada", pools={"floor": 11}, token=first.token).pools["floor"].left == 5
    assert stage.locker.confirm(more).pools == {"floor": 5, "bal cony": 1}


def test_part_of_a_basket_is_confirmed(stage: Stage) -> None:
    stage.open(pools=POOLS)
    first = stage.acquire("A-1", pools={"floor": 2})
    more = stage.acquire("A-1", pools={"floor": 5}, token=first.token)
    booking = stage.locker.confirm(first, payment="pay-1")
    assert (booking.pools, counts(stage)) == ({"floor": 2}, (8, 0, 2))
    assert stage.locker.confirm(first, payment="pay-1") == booking
    with pytest.raises(BookingConflict) as conflict:
        stage.locker.confirm(more, payment="pay-2")
    assert conflict.value.booking == booking
    with pytest.raises(HoldLost) as lost:
        stage.locker.extend(more, ttl=900.0)
    assert lost.value.pools == {"floor": "sold"}
    assert stage.locker.release(more).pools == {"floor": 0}


def test_confirming_part_of_a_claim_gives_the_rest_back(stage: Stage) -> None:
    """A token gets no more of a pool that it has bought from, so nobody could ever buy the rest."""
    stage.open(pools=POOLS, limit=4)
    first = claim(stage, 2)
    more = stage.acquire(pools={"floor": 3, "bal cony": 1}, token=first.token)
    assert stage.locker.confirm(first, payment="pay-1").pools == {"floor": 2}
    assert (counts(stage), counts(stage, "bal cony")) == ((8, 0, 2), (2, 1, 0))
    assert stage.changes(stage.version() - 1)[0][1] == {"pool\nfloor": "10 0 2"}
    again = claim(stage, 1)
    assert (again.resumed, again.token == first.token) == (False, False)
    assert stage.locker.confirm(stage.locker.begin_payment(again, expected=60.0), payment="pay-2").pools == again.pools
    assert stage.locker.release(more).pools == {"floor": 0, "bal cony": 1}
    assert counts(stage) == (7, 0, 3)


def test_another_token_or_holder_changes_nothing(stage: Stage) -> None:
    stage.open(pools=POOLS)
    hold = claim(stage, 2)
    for stranger in (replace(hold, token=new_token()), replace(hold, holder="bo")):
        before = stage.everything()
        assert stage.locker.release(stranger).pools == {"floor": 0}
        for verb in (stage.locker.confirm, lambda hold: stage.locker.extend(hold, ttl=900.0)):
            with pytest.raises(HoldLost):
                verb(stranger)
        assert stage.everything() == before
    assert claim(stage, 2, "bo", token=hold.token).fence > hold.fence, "the token of another is one's own"


def test_two_payments_are_a_conflict(stage: Stage) -> None:
    stage.open(pools=POOLS)
    hold = stage.acquire("A-1", pools={"floor": 2})
    booking = stage.locker.confirm(hold, payment="pay-1")
    before = stage.everything()
    with pytest.raises(BookingConflict, match="'A-1', 'floor'") as conflict:
        stage.locker.confirm(hold, payment="pay-2")
    assert (conflict.value.booking, stage.everything()) == (booking, before)


def test_an_old_booking_cancels_nothing_newer(stage: Stage) -> None:
    stage.open(pools=POOLS)
    hold = claim(stage, 2)
    old = stage.locker.confirm(hold)
    stage.locker.cancel(old)
    new = stage.locker.confirm(claim(stage, 2, token=hold.token))
    assert (new.id, new.fence > old.fence) == (old.id, True)
    assert stage.locker.cancel(old).pools == {"floor": 0}
    assert counts(stage) == (8, 0, 2)
    assert stage.locker.cancel(new).pools == {"floor": 2}


# --- time


def test_claims_that_ran_out_are_free_without_a_sweeper(stage: Stage) -> None:
    stage.open(pools=POOLS)
    first = claim(stage, 10, ttl=0.02)
    past(stage)
    assert stage.raw.hget(stage.key("pools"), "c\nfloor") == b"10 10 0", "nobody has touched it"
    assert claim(stage, 10, "bo").fence > first.fence
    assert counts(stage) == (0, 10, 0)
    with pytest.raises(HoldLost) as lost:
        stage.locker.confirm(first)
    assert lost.value.pools == {"floor": "expired"}
    assert stage.locker.release(first).pools == {"floor": 0}
    assert counts(stage) == (0, 10, 0)


def test_the_same_holder_gets_a_new_claim(stage: Stage) -> None:
    stage.open(pools=POOLS)
    first = claim(stage, 10, ttl=0.02)
    past(stage)
    again = claim(stage, 9, token=first.token)
    assert (again.resumed, again.fence > first.fence, counts(stage)) == (False, True, (1, 9, 0))


def test_sweeping_takes_claims_back_and_publishes(stage: Stage) -> None:
    stage.open(pools=POOLS)
    for holder in ("ada", "bo"):
        claim(stage, 3, holder, ttl=0.02)
    claim(stage, 1, "cy")
    stage.acquire("A-1", pools={"bal cony": 2}, holder="di", ttl=0.02)
    until(lambda: counts(stage) == (9, 1, 0) and counts(stage, "bal cony") == (3, 0, 0), "they have run out")
    version = stage.version()
    assert stage.locker.sweep(stage.show) == 9
    assert [fields for _, fields in stage.changes(version)] == [
        {"A-1": "f0"},
        {"pool\nfloor": "10 1 0"},
        {"pool\nbal cony": "3 0 0"},
    ]
    assert stage.raw.zrange(stage.key("pool-due:floor"), 0, -1) == [b"cy", b""]
    assert stage.locker.sweep(stage.show) == 0


@only_on("redis-7", "fakeredis")
def test_what_is_due_beyond_the_bound_of_a_call_is_never_sold_out(stage: Stage) -> None:
    stage.open([], pools={"floor": 600})
    short = [AcquireRequest([], f"h-{n}", 0.05, pools={"floor": 1}) for n in range(600)]
    last = max(hold.deadline for hold in stage.locker.acquire_many(stage.show, short))
    until(lambda: stage.raw.time()[0] * 1000 > last, "they have run out")
    assert counts(stage) == (500, 100, 0), "readers count 500 of them as free"
    hold = claim(stage, 600, "bo")
    assert (hold.pools, counts(stage)) == ({"floor": 600}, (0, 600, 0))
    assert stage.locker.sweep(stage.show) == 0


@only_on("redis-7", colours=["sync"])
def test_asking_again_ends_with_the_patience(stage: Stage) -> None:
    stage.open([], pools={"floor": 300})
    short = [AcquireRequest([], f"h-{n}", 0.05, pools={"floor": 1}) for n in range(300)]
    stage.locker.acquire_many(stage.show, short)
    until(lambda: counts(stage)[1] == 0, "they have run out")
    hasty = stage.other_locker()
    # Two looks take more than half a microsecond, so it ends at the second.
    hasty._core.patience = 5e-7
    with pytest.raises(ServerUnavailable, match="nothing was taken: ask again"):
        hasty.acquire(stage.show, pools={"floor": 300}, holder="bo")
    assert stage.acquire(pools={"floor": 300}, holder="bo").pools == {"floor": 300}


# --- the life of a show


def test_a_show_can_have_pools_alone(stage: Stage) -> None:
    warmed = stage.locker.warm(stage.show, pools={"floor": 5})
    assert (warmed.created, warmed.added) == (True, 0)
    with pytest.raises(SaleNotOpen):
        claim(stage, 1)
    stage.locker.open_sale(stage.show)
    hold = claim(stage, 5)
    found = stage.locker.availability(stage.show)
    assert (dict(found.seats), found.pools) == ({}, {"floor": PoolCounts(5, 0, 5, 0)})
    with pytest.raises(UnknownSeats):
        stage.acquire("A-1")
    with pytest.raises(UnknownSeats):
        stage.locker.availability(stage.show, section="A")
    with pytest.raises(ShowInUse, match="1 seat or claim on a pool is held"):
        stage.locker.retire(stage.show)
    stage.locker.release(hold)
    stage.locker.retire(stage.show)
    assert stage.keys() == set()


def test_a_show_without_pools(stage: Stage) -> None:
    stage.open()
    assert stage.locker.availability(stage.show).pools == {}
    keys = stage.keys()
    with pytest.raises(UnknownSeats):
        claim(stage, 1)
    assert stage.keys() == keys
    assert "pool" not in str(keys)
    with pytest.raises(InvalidPlan, match="no seats"):
        stage.locker.warm(f"{stage.show}-empty", [])


def test_warming_again_changes_capacities(stage: Stage) -> None:
    stage.open(pools=POOLS)
    reader = stage.other_locker()
    reader.availability(stage.show)
    claim(stage, 2)
    stage.locker.confirm(claim(stage, 3, "bo"))
    version = stage.version()
    stage.locker.warm(stage.show, SEATS, pools={"bal cony": 3, "floor": 5, "gallery": 7})
    assert stage.changes(version)[0][1] == {"": "plan", "pool\nfloor": "5 2 3", "pool\ngallery": "7 0 0"}
    assert reader.availability(stage.show).pools == {
        "bal cony": PoolCounts(3, 3, 0, 0),
        "floor": PoolCounts(5, 0, 2, 3),
        "gallery": PoolCounts(7, 7, 0, 0),
    }
    before = stage.everything()
    with pytest.raises(PlanConflict, match="'floor' has 2 held and 3 sold") as conflict:
        stage.locker.warm(stage.show, SEATS, pools={"floor": 4, "bal cony": 3, "gallery": 7})
    assert set(conflict.value.conflicts) == {"floor"}
    for fewer in ({"floor": 5, "gallery": 7}, None):
        with pytest.raises(PlanConflict, match="'bal cony'"):
            stage.locker.warm(stage.show, SEATS, pools=fewer)
    assert stage.everything() == before
    stage.locker.warm(stage.show, SEATS, pools={"bal cony": 3, "floor": 5, "gallery": 7})
    assert counts(stage) == (0, 2, 3)


def test_pools_come_to_a_show_that_is_on_sale(stage: Stage) -> None:
    stage.open()
    stage.acquire("A-1")
    stage.locker.warm(stage.show, SEATS, pools={"floor": 4})
    assert stage.acquire("A-2", holder="bo", pools={"floor": 4}).pools == {"floor": 4}


def test_while_the_sale_is_paused_payers_finish(stage: Stage) -> None:
    stage.open(pools=POOLS)
    hold = claim(stage, 2)
    stage.locker.pause_sale(stage.show)
    with pytest.raises(SaleNotOpen):
        claim(stage, 1, "bo")
    assert claim(stage, 2).resumed
    assert isinstance(stage.locker.confirm(hold), Booking)


@only_on("redis-7", "cluster", "fakeredis")
def test_a_large_house_is_read_at_one_version(stage: Stage) -> None:
    stage.open([Seat(f"S-{number}") for number in range(1500)], pools=POOLS)
    stage.acquire("S-7", pools={"floor": 2})
    found = stage.locker.availability(stage.show)
    assert (found.counts["held"], found.pools["floor"]) == (1, PoolCounts(10, 8, 2, 0))
    assert found.version == (1, stage.version())


# --- bad input


@pytest.mark.parametrize(
    ("pools", "told"),
    [
        ([("floor", 1)], "must map names of pools"),
        ({"floor": 0}, "whole number from 1 to 1,000"),
        ({"floor": 1001}, "whole number from 1 to 1,000"),
        ({"floor": 1.0}, "whole number"),
        ({"floor": True}, "whole number"),
        ({"floor": "2"}, "whole number"),
        ({"": 1}, "pool is empty"),
        ({"x" * 65: 1}, "at most 64"),
        ({"a\nb": 1}, "control character"),
        ({7: 1}, "pool must be a string"),
        ({f"p-{n}": 1 for n in range(33)}, "at most 32"),
    ],
)
@only_on("fakeredis")
def test_quantities_that_make_no_sense(stage: Stage, pools: Any, told: str) -> None:
    stage.open(pools=POOLS)
    for call in (
        lambda: stage.acquire("A-1", pools=pools),
        lambda: stage.locker.acquire(stage.show, pools=pools, holder="ada"),
        lambda: stage.locker.confirm(replace(claim(stage, 1), pools=pools)),
    ):
        with pytest.raises(InvalidRequest, match=told):
            call()
    if told != "whole number from 1 to 1,000" or pools["floor"] == 0:
        with pytest.raises(InvalidRequest):
            stage.locker.warm(f"{stage.show}-other", SEATS, pools=pools)


@only_on("fakeredis")
def test_neither_seats_nor_pools(stage: Stage) -> None:
    stage.open(pools=POOLS)
    for pools in (None, {}):
        with pytest.raises(InvalidRequest, match="seats is empty"):
            stage.locker.acquire(stage.show, [], holder="ada", pools=pools)
    with pytest.raises(InvalidRequest, match="seats must be a list"):
        stage.locker.acquire(stage.show, "A-1", holder="ada", pools={"floor": 1})
