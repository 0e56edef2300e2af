"""A sale at random: requests of several holders, and a record of everything that was promised to them."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from seatlock import (
    Booking,
    Cancellation,
    Hold,
    OutcomeUnknown,
    SeatLocker,
    SeatsUnavailable,
)
from tests.chaos.verbs import SEATS
from tests.support.doors import attempt

Request = Callable[[SeatLocker], Any]


class Sale:
    """One show. `request` gives something to ask for, `note` takes the answer and complains if it breaks a promise."""

    def __init__(self, show: str, chance: random.Random, ttls: tuple[float, ...]) -> None:
        self.show = show
        self.sold: dict[str, Booking] = {}
        self.booked = 0
        self._chance, self._ttls = chance, ttls
        self._asked: list[Hold] = []
        self._held: list[Hold] = []

    def request(self) -> Request:
        """Something that a holder may ask for, the same however often it is asked."""
        of_hold = (self._extend, self._confirm, self._confirm, self._pay, self._confirm_late, self._release)
        of_booking = (self._cancel,)
        kinds = (self._acquire, self._acquire, *(of_hold if self._held else ()), *(of_booking if self.sold else ()))
        return self._chance.choice(kinds)()

    def _acquire(self) -> Request:
        seats = self._chance.sample(SEATS, self._chance.randint(1, 3))
        holder, ttl = self._chance.choice("abcd"), self._chance.choice(self._ttls)
        token = f"{self._chance.getrandbits(128):032x}"
        self._asked.append(Hold(self.show, tuple(seats), holder, token, 0, 0.0))
        return lambda locker: locker.acquire(self.show, seats, holder=holder, ttl=ttl, token=token)

    def _hold(self) -> Hold:
        return self._chance.choice(self._held[-4:])

    def _extend(self) -> Request:
        hold, ttl = self._hold(), self._chance.choice(self._ttls)
        return lambda locker: locker.extend(hold, ttl=ttl)

    def _confirm(self) -> Request:
        hold = self._hold()
        return lambda locker: locker.confirm(hold, payment="pay")

    def _pay(self) -> Request:
        hold, expected = self._hold(), self._chance.choice(self._ttls)
        return lambda locker: locker.begin_payment(hold, expected=expected)

    def _confirm_late(self) -> Request:
        hold = self._hold()
        return lambda locker: locker.confirm(hold, payment="pay", reclaim=True)

    def _release(self) -> Request:
        hold = self._hold()
        return lambda locker: locker.release(hold)

    def _cancel(self) -> Request:
        booking = self._chance.choice(list(self.sold.values()))
        return lambda locker: locker.cancel(booking)

    def note(self, answer: Any) -> None:
        """Take note of an answer."""
        if isinstance(answer, Hold):
            assert not any(seat in self.sold for seat in answer.seats), f"{answer} has a seat that is sold"
            self._held.append(answer)
        elif isinstance(answer, Booking):
            self.booked += 1
            for seat in answer.seats:
                assert self.sold.setdefault(seat, answer).id == answer.id, f"{seat} is sold twice"
        elif isinstance(answer, Cancellation):
            for seat in answer.cancelled:
                assert self.sold.pop(seat).id == answer.booking, f"{seat} was taken from another booking"
        assert not isinstance(answer, OutcomeUnknown), answer

    def give_back(self, locker: SeatLocker) -> None:
        """Release whatever was ever asked for, whether its answer was heard or not."""
        for hold in self._asked:
            locker.release(hold)

    def check(self, locker: SeatLocker) -> None:
        """Once no hold is left: each booking has its seats, and every other seat is free."""
        for state in locker.inspect(self.show, SEATS):
            booking = self.sold.get(state.seat)
            assert (state.booking, state.state) == ((booking.id, "sold") if booking else (None, "free"))
            assert state.consistent
        answer = attempt(lambda: locker.acquire(self.show, SEATS, holder="zoe"))
        assert isinstance(answer, SeatsUnavailable if self.sold else Hold)
        assert set(getattr(answer, "conflicts", ())) == set(self.sold)
