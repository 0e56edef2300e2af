"""Limits a holder: over held and sold seats, across orders and tabs."""

from __future__ import annotations

from typing import Any

import pytest

from seatlock import (
    AcquireRequest,
    Hold,
    HolderLimitExceeded,
    HoldLost,
    InvalidRequest,
    PlanConflict,
    Seat,
    SeatsUnavailable,
    new_token,
)
from tests.support.stage import SEATS, Stage, only_on
from tests.support.waiting import until

HALL = [Seat("A-1", category="gold"), *(Seat(f"B-{number}", category="silver") for number in range(1, 6))]


def test_a_holder_has_at_most_so_many(stage: Stage) -> None:
    stage.open(limit=3)
    first = stage.acquire("A-1", "A-2")
    before = stage.everything()
    with pytest.raises(HolderLimitExceeded, match="ask for fewer") as refused:
        stage.acquire("A-3", "A-4")
    assert (refused.value.limit, refused.value.held, refused.value.category) == (3, 2, None)
    assert stage.everything() == before
    stage.locker.confirm(first)
    other = stage.acquire("A-3")
    with pytest.raises(
        HolderLimitExceeded, match="3 in all, seats and quantities of pools counted, held and sold; this one has 3"
    ):
        stage.acquire("A-4")
    assert stage.acquire("A-4", "A-5", holder="bo").seats == ("A-4", "A-5")
    stage.locker.release(other)
    assert stage.acquire("A-3").seats == ("A-3",)


def test_a_category_has_a_limit_of_its_own(stage: Stage) -> None:
    stage.open(HALL, limit=4, limits={"silver": 2})
    stage.acquire("A-1", "B-1")
    with pytest.raises(HolderLimitExceeded, match="category 'silver'") as refused:
        stage.acquire("B-2", "B-3")
    assert (refused.value.limit, refused.value.held, refused.value.category) == (2, 1, "silver")
    stage.acquire("B-2")
    with pytest.raises(HolderLimitExceeded, match="2 seats of category 'silver', held and sold; this one has 2"):
        stage.acquire("B-3")


def test_a_hold_that_ran_out_counts_no_more(stage: Stage) -> None:
    stage.open(limit=1)
    stage.wait_past(stage.acquire("A-1", ttl=0.02))
    assert stage.acquire("A-2").seats == ("A-2",)


def test_asking_again_is_never_refused(stage: Stage) -> None:
    stage.open(limit=2)
    hold = stage.acquire("A-1", "A-2")
    assert stage.acquire("A-1", "A-2", token=hold.token).fence == hold.fence
    assert stage.acquire("A-2").resumed
    with pytest.raises(HolderLimitExceeded):
        stage.acquire("A-1", "A-3", token=hold.token, ttl=60)
    with pytest.raises(SeatsUnavailable):
        stage.acquire("A-1", "A-3")


def test_a_cancelled_booking_counts_no_more(stage: Stage) -> None:
    stage.open(limit=2)
    booking = stage.locker.confirm(stage.acquire("A-1", "A-2"))
    with pytest.raises(HolderLimitExceeded):
        stage.acquire("A-3")
    stage.locker.cancel(booking)
    assert stage.acquire("A-3", "A-4").seats == ("A-3", "A-4")


def test_the_requests_of_a_batch_see_each_other(stage: Stage) -> None:
    stage.open(limit=2)
    answers = stage.locker.acquire_many(stage.show, [AcquireRequest([seat], "ada") for seat in SEATS])
    assert [type(answer) for answer in answers] == [Hold, Hold, *[HolderLimitExceeded] * 3]


def test_the_best_seats_are_counted_too(stage: Stage) -> None:
    stage.open(HALL, limit=3, limits={"silver": 2})
    first = stage.locker.acquire_best(stage.show, 1, holder="ada", category="silver").hold
    with pytest.raises(HolderLimitExceeded) as refused:
        stage.locker.acquire_best(stage.show, 2, holder="ada", category="silver")
    assert (refused.value.limit, refused.value.held, refused.value.category) == (2, 1, "silver")
    token = new_token()
    second = stage.locker.acquire_best(stage.show, 1, holder="ada", category="gold", token=token).hold
    assert second.seats == ("A-1",)
    stage.locker.acquire_best(stage.show, 1, holder="ada")
    with pytest.raises(HolderLimitExceeded, match="3 in all"):
        stage.locker.acquire_best(stage.show, 1, holder="ada", category="silver")
    assert stage.locker.acquire_best(stage.show, 1, holder="ada", category="gold", token=token).hold.seats == ("A-1",)
    stage.locker.release(second)
    stage.locker.confirm(first)
    assert {seat for held in stage.locker.holds(stage.show, holder="ada") for seat in held.seats} < {*stage.mirrors()}


def test_the_best_seats_of_another_category_are_given_where_one_is_over(stage: Stage) -> None:
    seats = [Seat(f"{kind}-{number}", category=kind) for kind in ("gold", "silver", "tin") for number in range(1, 9)]
    stage.open(seats, limits={"gold": 1, "silver": 2})
    for number in range(1, 4):
        stage.acquire(f"tin-{number}", holder="bo")
    ask = {"holder": "ada", "adjacent": False}
    assert stage.locker.acquire_best(stage.show, 2, **ask).hold.seats == ("silver-4", "silver-5")
    assert {seat[:3] for seat in stage.locker.acquire_best(stage.show, 3, **ask).hold.seats} == {"tin"}
    before = stage.everything()
    with pytest.raises(HolderLimitExceeded) as refused:
        stage.locker.acquire_best(stage.show, 3, **ask)
    assert (refused.value.limit, refused.value.held, refused.value.category) == (1, 0, "gold")
    locker, client = stage.watched()
    for bound in (60, 5):  # the first time the server is looked at, and the plan is read
        sent = len(client.sent)
        with pytest.raises(HolderLimitExceeded):
            locker.acquire_best(stage.show, 3, **ask)
        assert len(client.sent) - sent <= bound, "two that are proposed, and three looks"
    with pytest.raises(HolderLimitExceeded, match="category 'silver'"):
        stage.locker.acquire_best(stage.show, 2, category="silver", **ask)
    assert stage.everything() == before


def test_holding_takes_part(stage: Stage) -> None:
    stage.open(limit=1)
    with (
        stage.locker.holding(stage.show, ["A-1"], holder="ada"),
        pytest.raises(HolderLimitExceeded),
        stage.locker.holding(stage.show, ["A-2"], holder="ada"),
    ):
        raise AssertionError
    assert stage.acquire("A-2").seats == ("A-2",)


@pytest.mark.parametrize("settings", [{"limit": 5}, {}], ids=["limits", "no-limits"])
def test_what_a_holder_holds(stage: Stage, settings: dict[str, Any]) -> None:
    stage.open(**settings)
    assert stage.locker.holds(stage.show, holder="ada lovelace {1}") == []
    stage.locker.confirm(stage.acquire("A-5", holder="ada lovelace {1}"))
    first = stage.acquire("A-1", "A-2", holder="ada lovelace {1}", ttl=100)
    second = stage.acquire("A-3", holder="ada lovelace {1}", ttl=200)
    stage.acquire("A-4", holder="bo")
    found = stage.locker.holds(stage.show, holder="ada lovelace {1}")
    assert [(set(held.seats), held.fence) for held in found] == [
        (set(hold.seats), hold.fence) for hold in (first, second)
    ]
    assert [90 < held.ttl <= 100 for held in found] == [True, False]
    assert first.token not in repr(found)
    for hold in (first, second):
        stage.locker.release(hold)
    assert stage.locker.holds(stage.show, holder="ada lovelace {1}") == []


def test_a_show_without_limits_keeps_no_list(stage: Stage) -> None:
    stage.open()
    stage.acquire("A-1")
    assert not stage.raw.exists(stage.key("holder:ada"))
    with pytest.raises(PlanConflict, match="cannot have limits any more"):
        stage.locker.warm(stage.show, SEATS, limit=2)


def test_limits_can_come_before_the_first_hold_and_change_at_any_time(stage: Stage) -> None:
    stage.open()
    stage.locker.warm(stage.show, SEATS, limit=1)
    stage.acquire("A-1")
    stage.locker.warm(stage.show, SEATS, limit=2)
    stage.acquire("A-2")
    stage.locker.warm(stage.show, SEATS, limit=1)
    with pytest.raises(HolderLimitExceeded):
        stage.acquire("A-3")
    stage.locker.warm(stage.show, SEATS)
    assert stage.acquire("A-3").seats == ("A-3",)


def test_warming_again_without_limits_lifts_them_and_says_so(stage: Stage) -> None:
    assert not stage.locker.warm(stage.show, HALL).lifted
    for settings in ({"limit": 2}, {"limits": {"gold": 1}}):
        stage.locker.warm(stage.show, HALL, **settings)
        assert not stage.locker.warm(stage.show, HALL, **settings).lifted
        assert stage.locker.warm(stage.show, HALL).lifted
        assert not stage.locker.warm(stage.show, HALL).lifted
    stage.locker.open_sale(stage.show)
    assert len(stage.acquire("A-1", "B-1", "B-2").seats) == 3


def test_a_retired_show_leaves_no_lists(stage: Stage) -> None:
    stage.open(limit=2)
    stage.locker.confirm(stage.acquire("A-1", "A-2"))
    stage.locker.confirm(stage.acquire("A-3", holder="bo"))
    stage.locker.retire(stage.show, unread="discard")
    assert stage.keys() == set()
    stage.open()  # another life, without limits: those who knew the first are served
    booking = stage.locker.confirm(stage.acquire("A-1", "A-2", "A-3"))
    stage.locker.cancel(booking)
    assert not stage.raw.exists(stage.key("holder:ada"))


# Pools


def claim(stage: Stage, quantity: int, *seats: str, pool: str = "floor", **options: Any) -> Hold:
    """Hold so many of a pool, perhaps with seats."""
    return stage.acquire(*seats, pools={pool: quantity}, **options)


def test_a_claim_that_was_freed_by_force_counts_no_more(stage: Stage) -> None:
    stage.open(limit=3, pools={"floor": 9})
    claim(stage, 3)
    with pytest.raises(HolderLimitExceeded):
        stage.acquire("A-1")
    done = stage.locker.force_release(stage.show, pools=["floor"], holder="ada", by="eve", reason="asked for it")
    assert done.pools == {"floor": 3}
    assert claim(stage, 2, "A-1").pools == {"floor": 2}


def test_quantities_of_pools_count(stage: Stage) -> None:
    stage.open(limit=4, pools={"floor": 9, "bal cony": 9})
    first = claim(stage, 2, "A-1")
    before = stage.everything()
    with pytest.raises(
        HolderLimitExceeded, match="quantities of pools counted, held and sold; this one has 3"
    ) as refused:
        claim(stage, 2, pool="bal cony")
    assert (refused.value.limit, refused.value.held, refused.value.category, refused.value.pool) == (4, 3, None, None)
    with pytest.raises(HolderLimitExceeded, match="nothing was taken"):
        stage.acquire("A-2", "A-3")
    assert stage.everything() == before
    more = claim(stage, 3, "A-1", token=first.token)
    with pytest.raises(HolderLimitExceeded):
        claim(stage, 4, "A-1", token=first.token)
    booking = stage.locker.confirm(more)
    with pytest.raises(HolderLimitExceeded):
        stage.acquire("A-2")
    assert claim(stage, 4, holder="bo").pools == {"floor": 4}
    stage.locker.cancel(booking)
    assert claim(stage, 3, "A-1", pool="bal cony").seats == ("A-1",)


def test_a_pool_has_a_limit_of_its_own(stage: Stage) -> None:
    stage.open(HALL, limits={"silver": 1, "floor": 2}, pools={"floor": 9, "bal cony": 9})
    stage.locker.confirm(claim(stage, 1, "A-1", "B-1"))
    with pytest.raises(
        HolderLimitExceeded, match="2 of pool 'floor', held and sold; this one has 1 already"
    ) as refused:
        claim(stage, 2)
    assert (refused.value.limit, refused.value.held, refused.value.category, refused.value.pool) == (
        2,
        1,
        None,
        "floor",
    )
    with pytest.raises(HolderLimitExceeded, match="category 'silver'") as other:
        claim(stage, 1, "B-2")
    assert (other.value.category, other.value.pool) == ("silver", None)
    claim(stage, 9, pool="bal cony")
    assert claim(stage, 1).pools == {"floor": 1}


def test_a_claim_that_ran_out_counts_no_more(stage: Stage) -> None:
    stage.open(limit=2, pools={"floor": 9})
    hold = claim(stage, 2, ttl=0.02)
    until(lambda: stage.locker.availability(stage.show).pools["floor"].held == 0, "the claim has ended")
    assert claim(stage, 1, "A-2").pools == {"floor": 1}
    with pytest.raises(HoldLost):
        stage.locker.confirm(hold)


def test_asking_again_for_a_claim_is_never_refused(stage: Stage) -> None:
    stage.open(limit=2, pools={"floor": 9})
    hold = claim(stage, 1, "A-1")
    stage.locker.warm(stage.show, SEATS, limit=1, pools={"floor": 9})
    assert claim(stage, 1, "A-1", token=hold.token).fence == hold.fence
    assert claim(stage, 1).resumed
    longer = stage.locker.begin_payment(stage.locker.extend(hold, ttl=900), expected=900)
    assert stage.locker.confirm(longer).pools == {"floor": 1}


def test_the_claims_of_a_batch_see_each_other(stage: Stage) -> None:
    stage.open(limit=3, pools={"floor": 9, "bal cony": 9})
    asks = [AcquireRequest([], "ada", pools={pool: 2}) for pool in ("floor", "bal cony")]
    answers = stage.locker.acquire_many(
        stage.show, [*asks, AcquireRequest(["A-1"], "ada"), AcquireRequest([], "bo", pools={"floor": 2})]
    )
    assert [type(answer) for answer in answers] == [Hold, HolderLimitExceeded, Hold, Hold]


@pytest.mark.parametrize("settings", [{"limit": 9}, {}], ids=["limits", "no-limits"])
def test_what_a_holder_holds_of_pools(stage: Stage, settings: dict[str, Any]) -> None:
    stage.open(pools={"floor": 9, "bal cony": 9}, **settings)
    both = claim(stage, 2, "A-1", ttl=100)
    alone = claim(stage, 3, pool="bal cony", ttl=200)
    claim(stage, 4, holder="bo")
    found = stage.locker.holds(stage.show, holder="ada")
    assert [(held.seats, held.pools, held.fence) for held in found] == [
        (("A-1",), {"floor": 2}, both.fence),
        ((), {"bal cony": 3}, alone.fence),
    ]
    assert [held.ttl <= 100 for held in found] == [True, False]
    stage.locker.release(both)
    stage.locker.confirm(alone)
    assert stage.locker.holds(stage.show, holder="ada") == []


@pytest.mark.parametrize("seats", [SEATS, ()], ids=["with-seats", "pools-alone"])
def test_a_retired_show_leaves_no_lists_of_pools(stage: Stage, seats: tuple[str, ...]) -> None:
    stage.open(seats, limit=4, pools={"floor": 900})
    stage.locker.confirm(claim(stage, 4))
    for holder in (f"h-{number}" for number in range(10)):
        stage.locker.confirm(claim(stage, 1, *seats[:1] if holder == "h-0" else (), holder=holder))
    with pytest.raises(HolderLimitExceeded):
        claim(stage, 1)
    stage.locker.retire(stage.show, unread="discard")
    assert stage.keys() == set()
    stage.open(seats, limit=4, pools={"floor": 900})
    assert claim(stage, 4).pools == {"floor": 4}


@only_on("redis-7", "fakeredis")
def test_only_the_first_call_asks_whether_there_are_limits(stage: Stage) -> None:
    stage.open(limit=4)
    locker, client = stage.watched()
    locker.availability(stage.show)
    scripts: list[int] = []
    for seats in (["A-1"], ["A-2"]):
        before = len(client.sent)
        locker.confirm(locker.acquire(stage.show, seats, holder="ada"))
        scripts.append(sum(command.startswith("EVAL") for command in client.sent[before:]))
    assert scripts == [3, 2]


@only_on("redis-7")
@pytest.mark.parametrize(
    "settings",
    [
        {"limit": 0},
        {"limit": 501},
        {"limit": True},
        {"limit": 2.0},
        {"limit": "2"},
        {"limits": ["gold"]},
        {"limits": {"gold": 0}},
        {"limits": {"gold": None}},
        {"limits": {"bronze": 1}},
        {"limits": {"": 1}},
        {"limits": {1: 1}},
        {"limits": {"floor": 1}},
        {"limits": {"floor": 0}, "pools": {"floor": 1}},
        {"limits": {"floor": 501}, "pools": {"floor": 1}},
        {"limits": {"gold": 1}, "pools": {"gold": 1}},
    ],
    ids=str,
)
def test_limits_that_are_none(stage: Stage, settings: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        stage.open(HALL, **settings)
    assert stage.keys() == set()


@only_on("redis-7")
@pytest.mark.parametrize("holder", ["", "a\nb", 7, None, "x" * 257])
def test_holders_that_are_none(stage: Stage, holder: Any) -> None:
    stage.open(limit=1)
    with pytest.raises(InvalidRequest, match="holder"):
        stage.locker.holds(stage.show, holder=holder)
