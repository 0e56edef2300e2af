"""Open, paused, closed: they stop new holds, and nothing else."""

from __future__ import annotations

import pytest

from seatlock import SaleNotOpen, SeatsUnavailable, UnknownSeats, new_token
from tests.support.stage import SEATS, Stage

NOT_OPEN = pytest.mark.parametrize("status", ["paused", "closed"])


def _set(stage: Stage, status: str) -> None:
    {"paused": stage.locker.pause_sale, "closed": stage.locker.close_sale}[status](stage.show)


def test_a_new_show_is_closed_until_it_is_opened(stage: Stage) -> None:
    stage.locker.warm(stage.show, SEATS)
    assert stage.locker.availability(stage.show).status == "closed"
    with pytest.raises(SaleNotOpen, match="open_sale") as refusal:
        stage.acquire("A-1")
    assert (refusal.value.status, refusal.value.opens_in) == ("closed", None)
    assert not stage.raw.exists(stage.lock("A-1"))
    stage.locker.open_sale(stage.show)
    assert stage.locker.availability(stage.show).status == "open"
    assert stage.acquire("A-1").seats == ("A-1",)


@NOT_OPEN
def test_no_new_holds(stage: Stage, status: str) -> None:
    stage.open()
    stage.acquire("A-1", holder="bo")
    _set(stage, status)
    before = stage.everything()
    for seats in (("A-2",), ("A-1",), ("A-1", "A-2")):
        with pytest.raises(SaleNotOpen) as refusal:
            stage.acquire(*seats, holder="ada")
        assert refusal.value.status == status
    assert stage.everything() == before
    stage.locker.open_sale(stage.show)
    assert stage.acquire("A-2").seats == ("A-2",)


@NOT_OPEN
def test_replay_and_resume_are_answered_first(stage: Stage, status: str) -> None:
    stage.open()
    token = new_token()
    hold = stage.acquire("A-1", "A-2", token=token)
    _set(stage, status)
    assert stage.acquire("A-1", "A-2", token=token).deadline == hold.deadline
    assert stage.acquire("A-2").resumed
    with pytest.raises(SaleNotOpen):
        stage.acquire("A-1", "A-3", token=token)


@NOT_OPEN
def test_payers_finish(stage: Stage, status: str) -> None:
    stage.open()
    hold, other = stage.acquire("A-1", ttl=60), stage.acquire("A-2")
    _set(stage, status)
    assert stage.locker.extend(hold, ttl=600).ttl == 600.0
    booking = stage.locker.confirm(hold, payment="pay-1")
    assert stage.locker.release(other).released == ("A-2",)
    assert stage.locker.cancel(booking).cancelled == ("A-1",)
    assert stage.locker.availability(stage.show).counts["free"] == len(SEATS)


@NOT_OPEN
def test_unknown_seats_are_unknown_whatever_the_status(stage: Stage, status: str) -> None:
    stage.open()
    _set(stage, status)
    with pytest.raises(UnknownSeats):
        stage.acquire("Z-1")


@NOT_OPEN
def test_reading_and_sweeping_go_on(stage: Stage, status: str) -> None:
    stage.open()
    stage.wait_past(stage.acquire("A-1", ttl=0.02))
    _set(stage, status)
    assert stage.locker.sweep(stage.show) == 1
    assert stage.locker.inspect(stage.show, ["A-1"])[0].state == "free"
    assert stage.locker.availability(stage.show).status == status


def test_every_change_of_status_is_in_the_change_stream_once(stage: Stage) -> None:
    stage.locker.warm(stage.show, SEATS)
    start = stage.version()
    stage.locker.open_sale(stage.show)
    stage.locker.open_sale(stage.show)
    stage.locker.pause_sale(stage.show)
    stage.locker.close_sale(stage.show)
    assert stage.changes(start) == [
        (f"1-{start + 1}", {"": "open"}),
        (f"1-{start + 2}", {"": "paused"}),
        (f"1-{start + 3}", {"": "closed"}),
    ]


def test_a_status_is_one_shows_own(stage: Stage) -> None:
    stage.open()
    other = Stage(stage.doors, stage.colour)
    other.open()
    stage.locker.close_sale(stage.show)
    assert other.acquire("A-1").show == other.show
    with pytest.raises(SaleNotOpen):
        stage.acquire("A-1")


def test_in_an_open_sale_what_stands_in_the_way_is_told(stage: Stage) -> None:
    stage.open()
    stage.acquire("A-1", holder="bo")
    with pytest.raises(SeatsUnavailable):
        stage.acquire("A-1", "A-2")
