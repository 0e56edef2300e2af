"""Payments that come late for quantities of pools: regained where as many are left, with seats and alone."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from seatlock import AcquireRequest, BookingConflict, ConfirmRequest, Hold, HoldLost, ServerUnavailable
from seatlock._commands import derived_booking_id, reclaiming_token
from tests.contract.test_late_payment import late, late_hold, refusal_of
from tests.support.stage import Stage, only_on
from tests.support.waiting import until

POOLS = {"floor": 10, "bal cony": 3}


def counts(stage: Stage, pool: str = "floor") -> tuple[int, int, int]:
    """Free, held and sold of a pool, which add up."""
    found = stage.locker.availability(stage.show).pools[pool]
    assert found.free + found.held + found.sold == found.capacity
    return found.free, found.held, found.sold


def late_claim(stage: Stage, *seats: str, pools: dict[str, int], **options: Any) -> Hold:
    """A hold with pools, or of pools alone, whose time has run out."""

    def held() -> list[int]:
        return [counts(stage, pool)[1] for pool in POOLS]

    before = held()
    hold = stage.acquire(*seats, pools=pools, ttl=0.02, **options)
    until(lambda: held() == before, "the claims have run out")
    if seats:
        stage.wait_past(hold)
    return hold


@pytest.mark.parametrize("seats", [("A-1", "A-2"), ()])
def test_pools_are_regained_with_seats_and_alone(stage: Stage, seats: tuple[str, ...]) -> None:
    stage.open(pools=POOLS)
    hold = late_claim(stage, *seats, pools={"floor": 4, "bal cony": 3})
    with pytest.raises(HoldLost):
        stage.locker.confirm(hold, payment="pay-1")
    version = stage.version()
    booking = late(stage, hold)
    token = reclaiming_token(hold.token)
    assert (booking.seats, booking.pools, booking.holder, booking.payment) == (seats, hold.pools, "ada", "pay-1")
    assert booking.id == derived_booking_id(token, seats, hold.pools)
    assert booking.fence > hold.fence
    assert (counts(stage), counts(stage, "bal cony")) == ((6, 0, 4), (0, 0, 3))
    told = {**dict.fromkeys(seats, "s0"), "pool\nfloor": "10 0 4", "pool\nbal cony": "3 0 3"}
    assert stage.changes(version) == [(f"1-{version + 1}", told)]
    (entry,) = stage.outbox()
    assert (entry["booking"], entry["seats"], entry["pools"]) == (
        booking.id, "\n".join(seats), "4 floor\n3 bal cony",
    )  # fmt: skip
    assert not {hold.token, token} & set(entry.values())
    before = stage.everything()
    stored = msgspec.json.decode(msgspec.json.encode(hold), type=Hold)
    turned = msgspec.structs.replace(hold, pools={"bal cony": 3, "floor": 4})
    assert late(stage, hold) == late(stage, stored) == late(stage, turned) == booking
    with pytest.raises(BookingConflict) as conflict:
        late(stage, hold, "pay-2")
    assert conflict.value.booking == booking
    assert stage.everything() == before
    assert stage.locker.cancel(booking).pools == hold.pools
    assert counts(stage) == (10, 0, 0)


def test_seats_and_pools_are_regained_together_or_not_at_all(stage: Stage) -> None:
    stage.open(pools=POOLS)
    hold = late_claim(stage, "A-1", pools={"floor": 4, "bal cony": 3})
    other = stage.acquire(pools={"floor": 7}, holder="bo")
    lost = refusal_of(stage, hold)
    assert (lost.reason, lost.seats) == ("taken", {"A-1": "expired"})
    assert lost.pools == {"floor": "taken", "bal cony": "expired"}
    assert (lost.payment, lost.paid_for, lost.paid_pools) == ("pay-1", ("A-1",), hold.pools)
    assert "the hold on 'A-1', 4 of pool 'floor', 3 of pool 'bal cony'" in str(lost)
    assert "refund the payment 'pay-1'" in str(lost)
    stage.locker.release(other)
    stage.acquire("A-1", holder="bo")
    lost = refusal_of(stage, hold)
    assert (lost.seats, lost.pools) == ({"A-1": "taken"}, {"floor": "expired", "bal cony": "expired"})
    assert late(stage, msgspec.structs.replace(hold, seats=())).pools == hold.pools, "what is free can be had"


def test_what_its_holder_has_claimed_anew_is_another_hold(stage: Stage) -> None:
    stage.open(pools=POOLS)
    hold = late_claim(stage, pools={"floor": 4})
    anew = stage.acquire(pools={"floor": 5})
    assert late(stage, hold).pools == {"floor": 4}
    assert counts(stage) == (1, 5, 4), "it stays"
    assert stage.locker.confirm(anew, payment="pay-2").pools == {"floor": 5}
    second = late_claim(stage, pools={"bal cony": 3})
    stage.acquire(pools={"bal cony": 1})
    assert refusal_of(stage, second).pools == {"bal cony": "taken"}, "and not enough is left beside it"
    assert (counts(stage), counts(stage, "bal cony")) == ((1, 0, 9), (2, 1, 0))


def test_what_was_claimed_anew_with_its_token_is_the_same_hold(stage: Stage) -> None:
    stage.open(pools=POOLS)
    hold = late_claim(stage, pools={"floor": 8})
    stage.acquire(pools={"floor": 3}, token=hold.token)
    assert late(stage, hold).pools == {"floor": 8}
    assert counts(stage) == (2, 0, 8)


def test_what_its_token_still_has_counts_once_towards_a_limit(stage: Stage) -> None:
    stage.open(pools=POOLS, limit=3)
    hold = late_claim(stage, "A-1", pools={"floor": 2})
    stage.acquire(pools={"floor": 2}, token=hold.token)
    assert late(stage, hold).pools == {"floor": 2}
    assert counts(stage) == (8, 0, 2)


def test_pools_given_back_or_undone_in_time_are_not_regained(stage: Stage) -> None:
    stage.open(pools=POOLS)
    given, undone = stage.acquire(pools={"floor": 1}), stage.acquire(pools={"floor": 2}, holder="bo")
    stage.locker.release(given)
    stage.locker.cancel(stage.locker.confirm(undone, payment="pay-1"))
    for hold in (given, undone):
        assert refusal_of(stage, hold).pools == {"floor": "released"}


def test_late_payments_for_pools_among_others(stage: Stage) -> None:
    stage.open(pools=POOLS)
    first, second = (late_claim(stage, pools={"floor": 6}, holder=holder) for holder in ("ada", "bo"))
    seat, live = late_hold(stage, "A-2"), stage.acquire("A-1", pools={"floor": 1}, holder="cy")
    requests = [ConfirmRequest(each, "pay", reclaim=True) for each in (first, second, seat, live, first)]
    booked, lost, *others, again = stage.locker.confirm_many(stage.show, requests)
    assert (booked.pools, again) == ({"floor": 6}, booked)
    assert (type(lost), lost.pools, lost.paid_pools) == (HoldLost, {"floor": "taken"}, {"floor": 6})
    assert [(booking.seats, booking.pools) for booking in others] == [(("A-2",), {}), (("A-1",), {"floor": 1})]
    assert counts(stage) == (3, 0, 7)


@only_on("redis-7", "fakeredis")
def test_what_is_due_is_taken_back_before_a_late_payment_is_refused(stage: Stage) -> None:
    stage.open([], pools={"floor": 600})
    short = [AcquireRequest([], f"h-{n}", 0.05, pools={"floor": 1}) for n in range(600)]
    holds = stage.locker.acquire_many(stage.show, short)
    until(lambda: stage.raw.time()[0] * 1000 > max(hold.deadline for hold in holds), "they have run out")
    hold = msgspec.structs.replace(holds[0], pools={"floor": 600})
    assert late(stage, hold).pools == {"floor": 600}
    assert counts(stage) == (0, 0, 600)
    assert refusal_of(stage, holds[1]).pools == {"floor": "taken"}


@only_on("redis-7", colours=["sync"])
def test_a_late_payment_is_asked_again_no_longer_than_the_patience(stage: Stage) -> None:
    stage.open([], pools={"floor": 300})
    short = [AcquireRequest([], f"h-{n}", 0.05, pools={"floor": 1}) for n in range(300)]
    holds = stage.locker.acquire_many(stage.show, short)
    until(lambda: counts(stage, "floor")[1] == 0, "they have run out")
    hasty = stage.other_locker()
    hasty._core.patience = 5e-7  # two looks take longer, so it ends at the second
    hold = msgspec.structs.replace(holds[0], pools={"floor": 300})
    with pytest.raises(ServerUnavailable, match="nothing was sold: ask again"):
        hasty.confirm(hold, payment="pay-1", reclaim=True)
    assert late(stage, hold).pools == {"floor": 300}


@only_on("redis-7", "fakeredis")
def test_a_payment_for_pools_that_began_and_still_came_too_late(stage: Stage) -> None:
    stage.open(pools=POOLS)
    hold = stage.acquire("A-1", pools={"floor": 2}, ttl=0.5)
    paying = stage.locker.begin_payment(hold, expected=0.6)
    assert stage.locker.begin_payment(hold, expected=900).deadline == paying.deadline
    stage.wait_past(paying)
    until(lambda: counts(stage)[1] == 0, "the claim has run out")
    with pytest.raises(HoldLost):
        stage.locker.begin_payment(paying)
    assert late(stage, paying).pools == {"floor": 2}
