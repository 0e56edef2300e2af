"""Extend: the time left counts from now, is never shortened, never beyond the maximum, and told in the answer."""

from __future__ import annotations

from datetime import timedelta

import pytest

from seatlock import HoldLost
from tests.support.stage import Stage, only_on


def test_extend_sets_the_time_left_from_now(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1", "A-2", ttl=60)
    longer = stage.locker.extend(hold, ttl=timedelta(minutes=5))
    assert longer.ttl == 300.0
    assert (longer.token, longer.fence, longer.seats, longer.holder) == (hold.token, hold.fence, hold.seats, "ada")
    assert longer.deadline > hold.deadline
    assert [stage.mirror(seat) for seat in longer.seats] == [f"h0:{longer.deadline}"] * 2
    assert 290_000 < stage.raw.pttl(stage.lock("A-2")) <= 300_000
    assert stage.raw.zscore(stage.key("due"), "A-1") == longer.deadline


def test_extend_never_shortens(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1", ttl=600)
    before = stage.everything()
    same = stage.locker.extend(hold, ttl=5)
    assert 590 < same.ttl <= 600
    assert same.deadline == hold.deadline
    assert stage.everything() == before


def test_extend_is_cut_at_the_maximum_lifetime_and_says_so(stage: Stage) -> None:
    stage.open(max_hold=100)
    hold = stage.acquire("A-1", ttl=60)
    longest = stage.locker.extend(hold, ttl=86_400)
    assert 90 < longest.ttl <= 100
    assert stage.locker.extend(hold, ttl=86_400).deadline == longest.deadline, "not a millisecond more"


def test_the_maximum_is_the_one_that_held_when_the_seats_were_taken(stage: Stage) -> None:
    stage.open(max_hold=100)
    hold = stage.acquire("A-1", ttl=60)
    stage.open(max_hold=1800)
    assert stage.locker.extend(hold, ttl=1000).ttl <= 100
    assert stage.acquire("A-2", ttl=1000).ttl == 1000


def test_some_seats_of_a_basket_can_be_extended_alone(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1", "A-2", ttl=60)
    part = stage.locker.extend(stage.acquire("A-1"), ttl=600)
    whole = stage.acquire("A-1", "A-2", token=hold.token)
    assert (part.ttl, part.seats) == (600.0, ("A-1",))
    assert whole.deadline == hold.deadline, "a basket lasts as long as its first seat to go"


def test_extend_is_all_or_nothing(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1", "A-2", ttl=60)
    stage.locker.release(stage.acquire("A-2"))
    before = stage.everything()
    with pytest.raises(HoldLost) as lost:
        stage.locker.extend(hold, ttl=600)
    assert (lost.value.reason, lost.value.seats) == ("released", {"A-2": "released"})
    assert stage.everything() == before


def test_extend_takes_nothing_back(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1", ttl=0.02)
    stage.wait_past(hold)
    with pytest.raises(HoldLost) as lost:
        stage.locker.extend(hold, ttl=600)
    assert lost.value.reason == "expired"
    assert not stage.raw.exists(stage.lock("A-1"))
    assert stage.acquire("A-1", holder="bo").holder == "bo"


def test_a_confirmed_hold_cannot_be_extended(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1")
    stage.locker.confirm(hold)
    before = stage.everything()
    with pytest.raises(HoldLost) as lost:
        stage.locker.extend(hold, ttl=600)
    assert lost.value.reason == "sold"
    assert stage.everything() == before


@only_on("redis-7")
def test_an_extended_hold_outlives_its_first_deadline(stage: Stage) -> None:
    stage.open()
    hold, short = stage.acquire("A-1", ttl=1.0), stage.acquire("A-2", ttl=1.0)
    stage.locker.extend(hold, ttl=60)
    stage.wait_past(short)
    stage.locker.sweep(stage.show)
    assert stage.locker.confirm(hold).seats == ("A-1",)
