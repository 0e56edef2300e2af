"""Whoever sells is killed between any two of its steps, and the relay too: nothing is lost, sold twice or left pinned.

The steps are not named here: each way of asking is gone once without harm, which tells how many steps it has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import pytest

from seatlock import Booking, BookingConflict, HoldLost, SeatLockError, _upkeep
from tests.checkout.counter import Counter, Killed, Kind
from tests.ledger.databases import claim
from tests.outbox.works import STEPS as RELAY_STEPS

POOLS: Final = {"floor": 5}


@dataclass(frozen=True)
class Case:
    """A way of asking: what is prepared, and gives what is asked then; and what it comes to."""

    name: str
    prepare: Callable[[Counter], Callable[[], Any]]
    answer: str
    """The status of the booking, or the name of the error, that asking gives; also in the end, asked again."""
    untouched: tuple[str, ...] = ()
    """What asking again may give instead, where the first one came to nothing before it was killed."""

    def ask(self, call: Callable[[], Any]) -> str:
        """Ask: gives the status or the name of the error."""
        try:
            answer = call()
        except SeatLockError as error:
            return type(error).__name__
        return answer.status if isinstance(answer, Booking) else type(answer).__name__


def confirming(counter: Counter) -> Callable[[], Any]:
    hold = counter.acquire("A-1", "A-2", pools={"floor": 2})
    return lambda: counter.checkout.confirm(hold, payment="pay")


def refused(counter: Counter) -> Callable[[], Any]:
    counter.ledger.decide(claim(counter.show, "bk-first", ["A-2"], holder="bo"))
    return confirming(counter)


def lost(counter: Counter) -> Callable[[], Any]:
    hold = counter.acquire("A-1")
    counter.plain.release(hold)
    return lambda: counter.checkout.confirm(hold, payment="pay")


def later_epoch(counter: Counter) -> Callable[[], Any]:
    ask = confirming(counter)
    counter.ledger.raise_epoch(counter.show)
    counter.plain._run(_upkeep.raise_epoch("seatlock", counter.show, 2))
    return ask


def other_payment(counter: Counter) -> Callable[[], Any]:
    hold = counter.acquire("A-1")
    counter.checkout.confirm(hold, payment="pay-1")
    return lambda: counter.checkout.confirm(hold, payment="pay-2")


def other_booking(counter: Counter) -> Callable[[], Any]:
    counter.checkout.confirm(counter.acquire("A-1"), payment="pay-1", booking="order-1")
    hold = counter.acquire("A-2", holder="bo")
    return lambda: counter.checkout.confirm(hold, payment="pay-2", booking="order-1")


def cancelling(counter: Counter) -> Callable[[], Any]:
    booking = confirming(counter)()
    return lambda: counter.checkout.cancel(booking, by="eve")


CASES: Final = (
    Case("confirming", confirming, "confirmed"),
    Case("refused", refused, "rejected", untouched=(HoldLost.__name__,)),  # reconcile has sold its seat to its owner
    Case("lost", lost, HoldLost.__name__),
    Case("later epoch", later_epoch, "confirmed"),
    Case("other payment", other_payment, BookingConflict.__name__),
    Case("cancelling", cancelling, "Cancellation"),
)


def steps_of(counter: Counter, case: Case) -> list[str]:
    """The steps that it has where nobody is killed; what it comes to then is what is expected."""
    call = case.prepare(counter)
    steps: list[str] = []
    counter.wrapped._watch = steps.append
    assert case.ask(call) == case.answer
    counter.wrapped._watch = None
    counter.repair()
    return steps


def kill_at(counter: Counter, number: int) -> None:
    """Have whoever asks be killed before its step of this number."""
    left = number

    def watch(_: str) -> None:
        nonlocal left
        if not left:
            raise Killed
        left -= 1

    counter.wrapped._watch = watch


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("colour", ["sync", "async"])
def test_killed_between_any_two_steps(colour: Kind, case: Case, counter_of: Callable[..., Counter]) -> None:
    steps = steps_of(counter_of(colour, "postgresql").open(pools=POOLS), case)
    assert len(steps) >= 2, "it has steps to be killed between"
    for number in range(len(steps)):
        counter = counter_of(colour, "postgresql").open(pools=POOLS)
        call = case.prepare(counter)
        kill_at(counter, number)
        with pytest.raises(Killed):
            call()
        counter.wrapped._watch = None
        counter.repair()
        before = counter.sold()
        allowed = (case.answer,) if number else (case.answer, *case.untouched)
        assert case.ask(call) in allowed, (number, steps)
        counter.repair()
        if number and case.answer == "confirmed":
            assert counter.sold() == before != {}, "the pin became a booking without its buyer"


@pytest.mark.parametrize("case", CASES[:2], ids=lambda case: case.name)
def test_the_relay_is_killed_as_well(case: Case, counter_of: Callable[..., Counter]) -> None:
    steps = steps_of(counter_of("sync", "sqlite").open(pools=POOLS), case)
    for number in range(1, len(steps)):
        for step in RELAY_STEPS:
            counter = counter_of("sync", "sqlite").open(pools=POOLS)
            call = case.prepare(counter)
            kill_at(counter, number)
            with pytest.raises(Killed):
                call()
            counter.wrapped._watch = None
            with pytest.raises(Killed):
                counter.drain(die=step)
            counter.repair()
            assert case.ask(call) == case.answer, (number, step)


def test_the_control_that_must_fail(counter_of: Callable[..., Counter]) -> None:
    """Without the relay a pin stays: so it is the relay that mends what the kills above leave behind."""
    counter = counter_of("sync", "sqlite").open(pools=POOLS)
    call = confirming(counter)
    kill_at(counter, 1)
    with pytest.raises(Killed):
        call()
    counter.wrapped._watch = None
    assert counter.states(["A-1"])["A-1"][0] == "pinned"
    counter.repair()


def test_an_id_of_another_booking_is_set_aside(counter_of: Callable[..., Counter]) -> None:
    counter = counter_of("sync", "sqlite").open()
    call = other_booking(counter)
    kill_at(counter, 1)
    with pytest.raises(Killed):
        call()
    counter.wrapped._watch = None
    counts = counter.drain()
    assert counts.aside == 1
    assert counter.states() == {"A-1": ("sold", "order-1")}
    with pytest.raises(BookingConflict):
        call()
    counter.sound()
