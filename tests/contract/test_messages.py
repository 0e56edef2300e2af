"""What refusals say where seats and pools, limits and tokens meet: what happened, to what, and what to do next."""

from __future__ import annotations

from typing import Any

import pytest

from seatlock import HolderLimitExceeded, HoldLost, InvalidRequest, SeatLockError, SeatsUnavailable
from tests.support.stage import Stage, only_on

pytestmark = only_on("redis-7", "fakeredis")


def refusal(stage: Stage, kind: type[SeatLockError] = SeatsUnavailable, **asked: Any) -> str:
    """What the refusal of an acquire says."""
    with pytest.raises(kind) as refused:
        stage.acquire(**{"holder": "ada", **asked})
    return str(refused.value)


def test_a_limit_of_the_show_counts_pools_whatever_was_asked_for(stage: Stage) -> None:
    stage.open(pools={"floor": 9, "bal cony": 9}, limit=2)
    stage.acquire(pools={"floor": 2})
    told = "may have 2 in all, seats and quantities of pools counted, held and sold; this one has 2 already, so nothing"
    assert told in refusal(stage, HolderLimitExceeded, pools={"bal cony": 1})
    with pytest.raises(HolderLimitExceeded, match=told):
        stage.acquire("A-1")


def test_a_token_that_has_bought_of_a_pool_is_not_told_to_be_named(stage: Stage) -> None:
    stage.open(pools={"floor": 9})
    hold = stage.acquire(pools={"floor": 2})
    stage.locker.confirm(hold)
    told = refusal(stage, pools={"floor": 3}, token=hold.token)
    assert "a token that has bought of a pool gets no more of it: use a new one" in told
    assert "name their token" not in told
    stage.acquire(pools={"floor": 1})
    assert "name their token" in refusal(stage, pools={"floor": 2})


def test_seats_of_another_token_are_not_told_to_name_the_one_that_was_named(stage: Stage) -> None:
    stage.open()
    first, second = stage.acquire("A-1"), stage.acquire("A-2")
    with pytest.raises(SeatsUnavailable, match="name the token that they are held under") as refused:
        stage.acquire("A-1", "A-2", token=second.token)
    assert "has bought" not in str(refused.value)
    assert first.token not in str(refused.value)


def test_of_a_pool_with_none_left_nobody_can_ask_for_fewer(stage: Stage) -> None:
    stage.open(pools={"floor": 3, "bal cony": 1})
    stage.acquire(holder="bo", pools={"floor": 3})
    told = refusal(stage, pools={"floor": 1})
    assert "pool 'floor' has 0 left; nothing was taken: ask again when some have come back" in told
    assert "ask for fewer" in refusal(stage, pools={"bal cony": 2})


def test_a_long_list_of_pools_is_cut(stage: Stage) -> None:
    pools = {f"pool-{number}": 1 for number in range(32)}
    stage.open(pools=pools)
    stage.acquire("A-1", holder="bo")
    with pytest.raises(SeatsUnavailable) as refused:
        stage.acquire("A-1", pools=dict.fromkeys(pools, 2))
    assert (len(refused.value.pools), len(refused.value.conflicts)) == (32, 1)
    assert "'A-1' is held" in str(refused.value)
    assert "and 27 more pools are in the way" in str(refused.value)
    assert "pool-7" not in str(refused.value)


def test_a_late_payment_beyond_a_limit_says_so(stage: Stage) -> None:
    stage.open(limit=2)
    hold = stage.acquire("A-1", "A-2", ttl=0.02)
    stage.wait_past(hold)
    stage.acquire("A-3")
    with pytest.raises(HoldLost, match="'pay-1'") as lost:
        stage.locker.confirm(hold, payment="pay-1", reclaim=True)
    assert lost.value.reason == "expired"
    assert "its holder would get past a limit of the show" in str(lost.value)
    assert "acquire again" not in str(lost.value)
    with pytest.raises(HoldLost, match="acquire again, or refund") as lost:
        stage.locker.confirm(hold, payment="pay-1")
    assert "limit" not in str(lost.value)


def test_limits_of_what_is_not_there_are_told_of_both(stage: Stage) -> None:
    for settings in ({"pools": {"balcony": 2}}, {}):
        with pytest.raises(
            InvalidRequest, match="'floor', which is neither a category of the plan nor one of the pools"
        ):
            stage.locker.warm(stage.show, ["A-1"], limits={"floor": 2}, **settings)


def test_who_holds_a_show_that_is_to_be_retired(stage: Stage) -> None:
    stage.open(pools={"floor": 3})
    hold = stage.acquire("A-1")
    with pytest.raises(SeatLockError, match="1 seat or claim on a pool is held and 0 outbox entries are unread"):
        stage.locker.retire(stage.show)
    more = stage.acquire("A-2", pools={"floor": 1}, holder="bo")
    with pytest.raises(SeatLockError, match="3 seats or claims on pools are held"):
        stage.locker.retire(stage.show)
    stage.locker.confirm(hold)
    stage.locker.release(more)
    with pytest.raises(SeatLockError, match="0 seats or claims on pools are held and 1 outbox entry is unread"):
        stage.locker.retire(stage.show)
