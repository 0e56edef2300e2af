"""The box office: the locker as the buyers meet it, with a clock and a notebook beside it."""

from __future__ import annotations

import time
from array import array
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from seatlock.aio import AsyncSeatLocker
from seatlock.errors import HoldLost, OutcomeUnknown, SeatsUnavailable, ServerUnavailable
from seatlock.model import Booking, Hold, new_token
from seatlock.simulation.tally import Receipt, Tally, Unanswered

T = TypeVar("T")

TRIES: Final = 3  # of a request that gets no certain answer, each as patient as the locker
REFRESH_MARGIN: Final = 0.8  # part of a hold's time in which a refreshed page must give it back


class BoxOffice:
    """Sells the seats of one show, and writes down what it answers.

    A request that gets no certain answer is sent again with the same token; what remains unanswered is counted.
    Errors that no buyer can do anything about are raised.
    """

    def __init__(self, locker: AsyncSeatLocker, show: str, hold: float, tally: Tally) -> None:
        self._locker = locker
        self._show = show
        self._hold = hold
        self._tally = tally

    async def acquire(self, buyer: str, seats: tuple[str, ...]) -> Hold | None:
        """Hold seats; None if they are not to be had."""
        token = new_token()
        try:
            hold = await self._answer(
                self._tally.acquires,
                lambda: self._locker.acquire(self._show, seats, holder=buyer, ttl=self._hold, token=token),
            )
        except SeatsUnavailable:
            self._tally.refusals += 1
            return None
        if hold is not None:
            self._tally.holds += 1
            self._tally.fences.append(hold.fence)
        return hold

    async def refresh(self, buyer: str, hold: Hold, since: float) -> Hold | None:
        """Ask for the seats of a hold again, as a page does that has lost its token; None if they are gone.

        ``since`` is the clock (`time.perf_counter`) before the hold was first asked for.
        """
        tally = self._tally
        again: Hold | None = None
        try:
            again = await self._answer(
                tally.acquires, lambda: self._locker.acquire(self._show, hold.seats, holder=buyer, ttl=self._hold)
            )
        except SeatsUnavailable:
            tally.refusals += 1
        in_time = time.perf_counter() - since < REFRESH_MARGIN * self._hold
        if again is not None and again.resumed and again.token == hold.token:
            tally.resumed += 1
            return again
        tally.ran_out += 1  # the old hold
        tally.not_resumed += in_time
        if again is not None:  # nobody was faster
            tally.holds += 1
            tally.fences.append(again.fence)
        return again

    async def confirm(self, hold: Hold, payment: str) -> Booking | None:
        """Pay; None if the hold had run out, so that the money goes back."""
        tally = self._tally
        try:
            booking = await self._answer(tally.confirms, lambda: self._locker.confirm(hold, payment=payment))
        except HoldLost:
            tally.too_late += 1
            return None
        if booking is None:
            tally.doubts.append(Unanswered(hold, payment))
        else:
            tally.receipts.append(Receipt(hold, payment, booking))
        return booking

    async def release(self, hold: Hold) -> None:
        """Give a hold back."""
        release = await self._answer(self._tally.releases, lambda: self._locker.release(hold))
        if release is not None and release.released:
            self._tally.released += 1
        else:
            self._tally.ran_out += 1

    async def _answer(self, times: array[float], request: Callable[[], Awaitable[T]]) -> T | None:
        """Time a request and send it again while the answer is in doubt; None if it stays so."""
        for _ in range(TRIES):
            start = time.perf_counter()
            try:
                return await request()
            except (OutcomeUnknown, ServerUnavailable):
                continue
            finally:
                times.append(time.perf_counter() - start)
        self._tally.unanswered += 1
        return None
