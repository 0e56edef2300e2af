"""Confirms that wait for copies of what they wrote: on every backend, none of which has a replica to speak of."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from seatlock import Booking, ConfirmRequest, HoldLost, InvalidRequest, SeatLocker, UnsafeServer, Wait
from tests.support.doors import Noting
from tests.support.stage import Stage, only_on

SHORT = Wait(2, timeout=0.1)
"""For a replica more than any of the backends has."""
DISK = Wait(0, disk=True, timeout=0.02)


def copies(stage: Stage) -> int:
    """How many replicas there are."""
    return 1 if stage.backend == "cluster" else 0


def test_a_booking_without_a_wait_tells_of_no_copies(stage: Stage) -> None:
    stage.open()
    booking = stage.locker.confirm(stage.acquire("A-1"), wait=None)
    assert (booking.replicas, booking.on_disk) == (None, None)


def test_falling_short_is_told_and_no_error(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1", "A-2")
    booking = stage.locker.confirm(hold, payment="pay-1", wait=SHORT)
    assert (booking.replicas, booking.on_disk, booking.status) == (copies(stage), None, "confirmed")
    assert (booking.seats, booking.payment) == (hold.seats, "pay-1")
    assert stage.mirror("A-1") == "s0"
    assert len(stage.outbox()) == 1


def test_asking_again_waits_again_and_changes_nothing(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1")
    first = stage.locker.confirm(hold, payment="pay-1")
    before = stage.everything()
    again = stage.locker.confirm(hold, payment="pay-1", wait=SHORT)
    assert (again.id, again.replicas) == (first.id, copies(stage))
    assert stage.everything() == before


def test_a_late_payment_waits_too(stage: Stage) -> None:
    stage.open(pools={"floor": 5})
    hold = stage.acquire("A-1", ttl=0.02, pools={"floor": 2})
    stage.wait_past(hold)
    booking = stage.locker.confirm(hold, payment="pay-1", reclaim=True, wait=SHORT)
    assert (booking.replicas, booking.pools) == (copies(stage), {"floor": 2})
    assert stage.locker.confirm(hold, payment="pay-1", reclaim=True, wait=SHORT) == booking


def test_who_has_lost_the_hold_waits_for_nothing(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1")
    stage.locker.release(hold)
    with pytest.raises(HoldLost):
        stage.locker.confirm(hold, wait=Wait(timeout=60.0))


def test_many_at_once_wait_once(stage: Stage) -> None:
    stage.open()
    holds = [stage.acquire(seat, holder=seat) for seat in ("A-1", "A-2", "A-3")]
    stage.locker.release(holds[1])
    answers = stage.locker.confirm_many(stage.show, [ConfirmRequest(hold) for hold in holds], wait=SHORT)
    assert [getattr(answer, "replicas", type(answer)) for answer in answers] == [copies(stage), HoldLost, copies(stage)]
    plain = stage.locker.confirm_many(stage.show, [ConfirmRequest(holds[0])])
    assert isinstance(plain[0], Booking)
    assert plain[0].replicas is None


def test_a_server_that_cannot_speak_of_its_disk_is_refused_before_anything_is_sold(stage: Stage) -> None:
    """Redis 6.2 and 7.0 do not know the command, and the others keep no append-only file here."""
    stage.open()
    hold = stage.acquire("A-1")
    before = stage.everything()
    for _ in range(2):
        with pytest.raises(UnsafeServer, match="nothing was sold"):
            stage.locker.confirm(hold, wait=DISK)
    refused = stage.locker.confirm_many(stage.show, [ConfirmRequest(hold), ConfirmRequest(hold)], wait=DISK)
    assert [type(answer) for answer in refused] == [UnsafeServer] * 2
    assert stage.everything() == before
    assert stage.locker.confirm(hold).replicas is None


@only_on("redis-7", "fakeredis")
@pytest.mark.parametrize(
    "wait",
    [
        1,
        "1",
        Wait(0),
        Wait(-1),
        Wait(101),
        Wait(-1, disk=True),
        Wait(True),  # noqa: FBT003 - no number
        Wait(1.5),  # type: ignore[arg-type] # what is wrong is what is tested
        Wait(1, disk=1),  # type: ignore[arg-type] # likewise
        Wait(timeout=0),
        Wait(timeout=-1),
        Wait(timeout=float("nan")),
        Wait(timeout=60.1),
        Wait(timeout="1"),  # type: ignore[arg-type] # likewise
    ],
    ids=repr,
)
def test_what_is_no_wait_is_refused(stage: Stage, wait: Any) -> None:
    stage.open()
    hold = stage.acquire("A-1")
    before = stage.everything()
    with pytest.raises(InvalidRequest, match="wait"):
        stage.locker.confirm(hold, wait=wait)
    with pytest.raises(InvalidRequest, match="wait"):
        stage.locker.confirm_many(stage.show, [ConfirmRequest(hold)], wait=wait)
    assert stage.everything() == before


@only_on("redis-7")
def test_the_time_may_be_a_timedelta(stage: Stage) -> None:
    stage.open()
    booking = stage.locker.confirm(stage.acquire("A-1"), wait=Wait(1, timeout=timedelta(milliseconds=5)))
    assert booking.replicas == 0


@only_on("redis-7", colours=["sync"])
def test_a_client_without_connections_is_refused(stage: Stage) -> None:
    """Such as one that only notes what passes."""
    stage.open()
    hold = stage.acquire("A-1")
    locker = SeatLocker(Noting(stage.raw))  # type: ignore[arg-type] # it has the one method that is needed
    with pytest.raises(InvalidRequest, match="Noting"):
        locker.confirm(hold, wait=SHORT)
    assert stage.mirror("A-1") != "s0"
    assert locker.confirm(hold).replicas is None


@only_on("redis-7", "redis-8", "cluster", colours=["async"])
def test_waits_that_differ_travel_apart_and_each_gets_its_own(stage: Stage) -> None:
    stage.open([f"S-{number}" for number in range(40)])
    holds = [stage.acquire(f"S-{number}", holder=f"h-{number}") for number in range(40)]
    waits = [None, SHORT, Wait(1, timeout=0.1), Wait(3, timeout=0.1)]
    locker = stage.locker.wrapped

    async def at_once() -> list[Booking]:
        asked = (locker.confirm(hold, wait=waits[number % 4]) for number, hold in enumerate(holds))
        return list(await asyncio.gather(*asked))

    bookings = stage.doors.runner.run(at_once())
    assert [booking.seats for booking in bookings] == [hold.seats for hold in holds]
    found = [booking.replicas for booking in bookings]
    assert found == [None, copies(stage), copies(stage), copies(stage)] * 10
