"""Acquire: seats are held together or not at all, and a refusal names every seat that stood in the way."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from seatlock import Hold, Seat, SeatsUnavailable, ShowNotFound, UnknownSeats, new_token
from tests.support.stage import Stage


def test_a_hold_tells_all_about_itself(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-2", "A-1", holder="ada", ttl=60.0)
    assert (hold.show, hold.seats, hold.holder) == (stage.show, ("A-2", "A-1"), "ada")
    assert (hold.ttl, hold.resumed) == (60.0, False)
    assert len(hold.token) == 32
    assert hold.fence > 2**40
    assert [stage.mirror(seat) for seat in ("A-1", "A-2", "A-3")] == [f"h0:{hold.deadline}"] * 2 + ["f0"]


def test_ten_minutes_unless_said_otherwise(stage: Stage) -> None:
    stage.open()
    assert stage.acquire("A-1").ttl == 600.0
    assert stage.acquire("A-2", ttl=timedelta(minutes=2)).ttl == 120.0
    assert stage.acquire("A-3", ttl=7).ttl == 7.0


@pytest.mark.parametrize(("settings", "given"), [({}, 1800.0), ({"max_hold": timedelta(seconds=100)}, 100.0)])
def test_a_hold_is_cut_at_the_shows_maximum(stage: Stage, settings: dict[str, Any], given: float) -> None:
    stage.open(**settings)
    assert stage.acquire("A-1", ttl=86_400).ttl == given


def test_a_lock_ends_when_its_hold_does(stage: Stage) -> None:
    stage.open()
    stage.acquire("A-1", ttl=60)
    assert 50_000 < stage.raw.pttl(stage.lock("A-1")) <= 60_000


def test_the_lock_says_who_owns_the_seat(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1", holder="ada lovelace {1815}")
    parts = stage.raw.get(stage.lock("A-1")).decode().split("\n")
    assert parts[:3] == ["h", hold.token, "ada lovelace {1815}"]


def test_a_refusal_names_every_seat_in_the_way_and_takes_none(stage: Stage) -> None:
    stage.open(["A-1", "A-2", "A-3", Seat("B-1", status="blocked"), Seat("S-1", status="sold")])
    stage.acquire("A-2", holder="bo", ttl=60)
    sold = stage.acquire("A-3", holder="bo")
    stage.locker.confirm(sold)
    before = stage.everything()
    with pytest.raises(SeatsUnavailable) as refusal:
        stage.acquire("A-1", "A-2", "A-3", "B-1", "S-1", holder="ada")
    conflicts = refusal.value.conflicts
    assert list(conflicts) == ["A-2", "A-3", "B-1", "S-1"]
    assert [conflict.state for conflict in conflicts.values()] == ["held", "sold", "blocked", "sold"]
    in_a_minute = conflicts["A-2"].retry_after
    assert in_a_minute is not None
    assert 50 < in_a_minute <= 60
    assert [conflict.retry_after for conflict in conflicts.values()] == [in_a_minute, None, None, None]
    assert not any(conflict.yours or conflict.inconsistent for conflict in conflicts.values())
    assert stage.everything() == before
    assert stage.acquire("A-1", holder="cy").seats == ("A-1",)


def test_every_seat_that_stood_in_the_way_is_in_a_long_refusal(stage: Stage) -> None:
    seats = [f"S-{number}" for number in range(100)]
    stage.open(seats)
    stage.acquire(*seats[:60], holder="bo")
    with pytest.raises(SeatsUnavailable, match="and 55 more") as refusal:
        stage.acquire(*seats, holder="ada")
    assert list(refusal.value.conflicts) == seats[:60]


def test_a_hundred_seats_a_hold(stage: Stage) -> None:
    seats = [f"S-{number}" for number in range(100)]
    stage.open(seats)
    hold = stage.acquire(*seats)
    assert stage.locker.availability(stage.show).counts["held"] == 100
    assert stage.locker.confirm(hold).seats == tuple(seats)
    assert stage.locker.availability(stage.show).counts == {
        "free": 0, "held": 0, "pinned": 0, "sold": 100, "blocked": 0,
    }  # fmt: skip


def test_the_fence_grows_with_every_hold(stage: Stage) -> None:
    stage.open()
    fences = []
    for seat in ("A-1", "A-2", "A-3"):
        hold = stage.acquire(seat)
        fences.append(hold.fence)
        stage.locker.release(hold)
    fences.append(stage.acquire("A-1").fence)
    assert fences == sorted(set(fences))
    assert len(fences) == 4


def test_a_refused_request_uses_up_no_fence(stage: Stage) -> None:
    stage.open()
    first = stage.acquire("A-1", holder="bo")
    with pytest.raises(SeatsUnavailable):
        stage.acquire("A-1", holder="ada")
    assert stage.acquire("A-2", holder="ada").fence == first.fence + 1


def test_unknown_seats_are_named_and_nothing_is_taken(stage: Stage) -> None:
    stage.open()
    before = stage.everything()
    with pytest.raises(UnknownSeats, match="'Z-1', 'Z-2'") as refusal:
        stage.acquire("A-1", "Z-1", "Z-2")
    assert refusal.value.seats == ("Z-1", "Z-2")
    assert stage.everything() == before


def test_a_show_that_was_never_warmed_sells_nothing(stage: Stage) -> None:
    hold = Hold(stage.show, ("A-1",), "ada", new_token(), 1, 1.0)
    verbs = {
        "acquire": lambda: stage.acquire("A-1"),
        "extend": lambda: stage.locker.extend(hold, ttl=5),
        "confirm": lambda: stage.locker.confirm(hold),
        "reclaim": lambda: stage.locker.confirm(hold, reclaim=True),
        "begin_payment": lambda: stage.locker.begin_payment(hold),
        "release": lambda: stage.locker.release(hold),
        "availability": lambda: stage.locker.availability(stage.show),
        "inspect": lambda: stage.locker.inspect(stage.show, ["A-1"]),
        "open": lambda: stage.locker.open_sale(stage.show),
        "pause": lambda: stage.locker.pause_sale(stage.show),
        "close": lambda: stage.locker.close_sale(stage.show),
        "sweep": lambda: stage.locker.sweep(stage.show),
        "retire": lambda: stage.locker.retire(stage.show),
    }
    for verb in verbs.values():
        with pytest.raises(ShowNotFound, match=stage.show) as error:
            verb()
        assert error.value.show == stage.show
    with pytest.raises(ShowNotFound), stage.locker.holding(stage.show, ["A-1"], holder="ada"):
        pytest.fail("the body ran without a hold")
    assert stage.keys() == set()


def test_a_show_that_lost_its_facts_sells_nothing(stage: Stage) -> None:
    stage.open()
    stage.raw.delete(stage.key("meta"))
    with pytest.raises(ShowNotFound):
        stage.acquire("A-1")
    assert not stage.raw.exists(stage.lock("A-1"))
