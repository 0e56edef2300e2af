"""Retiring ends a show in one step and deletes it in bounded ones, never while somebody still needs it."""

from __future__ import annotations

import pytest

from seatlock import Seat, ShowInUse, ShowNotFound
from tests.support.lockers import Interrupted, cut_off_after
from tests.support.stage import SEATS, Stage, only_on

MANY = [f"S-{number}" for number in range(1000)]


def test_nothing_is_left_of_it(stage: Stage) -> None:
    stage.open([*SEATS, Seat("S-1", status="sold"), Seat("B-1", status="blocked")], outbox=False)
    stage.locker.confirm(stage.acquire("A-1", "A-2"))
    stage.wait_past(stage.acquire("A-3", ttl=0.02))
    stage.locker.retire(stage.show)
    assert stage.keys() == set()
    with pytest.raises(ShowNotFound):
        stage.locker.retire(stage.show)


def test_while_seats_are_held_it_is_refused(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1", "A-2")
    before = stage.everything()
    with pytest.raises(ShowInUse, match="2 seats or claims on pools are held") as refusal:
        stage.locker.retire(stage.show)
    assert (refusal.value.holds, refusal.value.pins, refusal.value.outbox) == (2, 0, 0)
    with pytest.raises(ShowInUse):
        stage.locker.retire(stage.show, unread="discard")
    assert stage.everything() == before
    stage.locker.release(hold)
    stage.locker.retire(stage.show)
    assert stage.keys() == set()


def test_while_facts_are_unread_it_is_refused(stage: Stage) -> None:
    stage.open()
    booking = stage.locker.confirm(stage.acquire("A-1"))
    stage.locker.cancel(booking)
    before = stage.everything()
    with pytest.raises(ShowInUse, match="discard") as refusal:
        stage.locker.retire(stage.show)
    assert (refusal.value.holds, refusal.value.outbox) == (0, 2)
    assert stage.everything() == before
    stage.raw.xtrim(stage.key("outbox"), maxlen=0, approximate=False)  # the relay has read them
    stage.locker.retire(stage.show)
    assert stage.keys() == set()


def test_unread_facts_can_be_thrown_away(stage: Stage) -> None:
    stage.open()
    stage.locker.confirm(stage.acquire("A-1"))
    stage.locker.retire(stage.show, unread="discard")
    assert stage.keys() == set()


def test_a_retired_show_can_be_warmed_anew(stage: Stage) -> None:
    stage.open()
    fence = stage.acquire("A-1", ttl=0.02).fence
    stage.wait_past(stage.acquire("A-2", ttl=0.02))
    stage.locker.sweep(stage.show)
    stage.locker.retire(stage.show)
    stage.open(["B-1"])
    assert tuple(stage.locker.availability(stage.show).seats) == ("B-1",)
    assert stage.acquire("B-1").fence <= fence, "a new show counts from one"


def test_other_shows_are_left_alone(stage: Stage) -> None:
    stage.open()
    other = Stage(stage.doors, stage.colour)
    other.open()
    other.locker.confirm(other.acquire("A-1"))
    before = other.everything()
    stage.locker.retire(stage.show)
    assert other.everything() == before


@only_on("redis-6.2", "redis-7", "cluster", "fakeredis")
def test_it_goes_in_bounded_steps(stage: Stage) -> None:
    stage.open([Seat(seat, status="sold") for seat in MANY])
    locker, client = stage.watched()
    locker.retire(stage.show)
    assert stage.keys() == set()
    assert len(client.sent) >= 1 + 1 + 2 * 2, "a look at the server, the end, and some steps that delete"


@only_on("redis-6.2", "redis-7", "cluster", "fakeredis")
@pytest.mark.parametrize("commands", [3, 4, 5])
def test_what_was_cut_off_is_finished_by_the_next_call(stage: Stage, commands: int) -> None:
    stage.open([Seat(seat, status="sold") for seat in MANY])
    locker, client = stage.watched()

    client.before = cut_off_after(commands)
    with pytest.raises(Interrupted):
        locker.retire(stage.show)
    left = stage.keys()
    assert stage.key("retired") in left, "the fault fired in the middle"
    assert stage.key("meta") not in left

    for verb in (
        lambda: stage.acquire("S-1"),
        lambda: stage.locker.availability(stage.show),
        lambda: stage.locker.open_sale(stage.show),
    ):
        with pytest.raises(ShowNotFound):
            verb()
    with pytest.raises(ShowInUse, match="retire it again"):
        stage.locker.warm(stage.show, MANY)
    assert stage.keys() == left, "nor has the warm left anything"
    stage.other_locker().retire(stage.show)
    assert stage.keys() == set()


def test_a_cached_plan_does_not_bring_a_show_back(stage: Stage) -> None:
    stage.open()
    reader = stage.other_locker()
    reader.availability(stage.show)
    reader.inspect(stage.show, ["A-1"])
    stage.locker.retire(stage.show)
    for verb in (lambda: reader.availability(stage.show), lambda: reader.inspect(stage.show, ["A-1"])):
        with pytest.raises(ShowNotFound):
            verb()
    stage.open(["B-1"])
    assert tuple(reader.availability(stage.show).seats) == ("B-1",)
