"""The box office: the locker as the buyers meet it, with a clock and a notebook beside it."""

from __future__ import annotations

import math
import time
from array import array
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeVar

import msgspec

from seatlock._tokens import new_token
from seatlock.aio import AsyncSeatLocker
from seatlock.errors import HolderLimitExceeded, HoldLost, OutcomeUnknown, SeatsUnavailable, ServerUnavailable
from seatlock.model import Booking, Hold
from seatlock.simulation.tally import Best, Claim, Receipt, Stay, Tally, Told, Unanswered

T = TypeVar("T")

TRIES: Final = 3  # of a request that gets no certain answer, each as patient as the locker
SURELY: Final = 0.8  # part of a hold's time in which it surely lasts, as its holder's clock sees it


class Held(msgspec.Struct, frozen=True, gc=False):
    """A hold in a buyer's hands, and the buyer's clock (`time.perf_counter`) before it was asked for, and after."""

    hold: Hold
    since: float
    had: float


class BoxOffice:
    """Sells the seats of one show and out of its pools, and writes down what it answers.

    A request that gets no certain answer is sent again with the same token; what remains unanswered is counted.
    Errors that no buyer can do anything about are raised.
    """

    def __init__(self, locker: AsyncSeatLocker, show: str, hold: float, tally: Tally) -> None:
        self._locker = locker
        self._show = show
        self._hold = hold
        self._tally = tally

    async def acquire(self, buyer: str, seats: tuple[str, ...], pools: Mapping[str, int] | None = None) -> Held | None:
        """Hold seats and so many of a pool; None if they are not to be had."""
        token = new_token()
        return self._new(await self._ask(buyer, seats, pools, token), token)

    async def acquire_best(self, buyer: str, count: int) -> Held | None:
        """Hold the best seats; None if not so many are to be had."""
        since, token = time.perf_counter(), new_token()
        try:
            best = await self._answer(
                self._tally.acquires,
                lambda: self._locker.acquire_best(self._show, count, holder=buyer, ttl=self._hold, token=token),
            )
        except SeatsUnavailable:
            self._tally.refusals += 1
            self._tally.none_left.append(count)
            return None
        except HolderLimitExceeded:
            self._tally.over_limit += 1
            return None
        if best is None:
            return None
        self._tally.bests.append(Best(buyer, count, best.hold.seats, best.adjacent))
        return self._new(Held(best.hold, since, time.perf_counter()), token)

    async def refresh(self, buyer: str, held: Held) -> Held | None:
        """Ask for what a hold has again, as a page does that has lost its token; None if they are gone."""
        again = await self._ask(buyer, held.hold.seats, held.hold.pools or None, None)
        if again is not None and again.hold.resumed and again.hold.token == held.hold.token:
            self._tally.resumed += 1
            return held
        self._tally.not_resumed += self._lasts(held)
        self._tally.ran_out += 1
        return self._new(again, None)  # if nobody was faster

    async def confirm(self, held: Held, payment: str) -> Booking | None:
        """Pay; None if the hold had run out, so that the money goes back."""
        tally, hold = self._tally, held.hold
        try:
            booking = await self._answer(tally.confirms, lambda: self._locker.confirm(hold, payment=payment))
        except HoldLost:
            tally.too_late += 1
            tally.lost_early += self._lasts(held)
            return None
        if hold.token in tally.claims:
            tally.claims[hold.token].gone = math.inf  # bought, or perhaps
        if booking is None:
            tally.doubts.append(Unanswered(hold, payment))
        else:
            self._stayed(held, None)
            tally.receipts.append(Receipt(hold, payment, booking))
        return booking

    async def release(self, held: Held) -> None:
        """Give a hold back."""
        self._stayed(held, time.perf_counter() - held.had)
        release = await self._answer(self._tally.releases, lambda: self._locker.release(held.hold))
        if release is not None and (release.released or any(release.pools.values())):
            self._tally.released += 1
            if held.hold.token in self._tally.claims:
                self._tally.claims[held.hold.token].gone = time.perf_counter()
        else:
            self._tally.ran_out += 1
            self._tally.lost_early += self._lasts(held)

    async def _ask(
        self, buyer: str, seats: tuple[str, ...], pools: Mapping[str, int] | None, token: str | None
    ) -> Held | None:
        since = time.perf_counter()
        try:
            hold = await self._answer(
                self._tally.acquires,
                lambda: self._locker.acquire(self._show, seats, holder=buyer, ttl=self._hold, token=token, pools=pools),
            )
        except SeatsUnavailable as refusal:
            self._tally.refusals += 1
            self._tally.told += (
                Told(buyer, pool, (pools or {})[pool], conflict.left, since, time.perf_counter())
                for pool, conflict in refusal.pools.items()
                if not conflict.yours
            )
            return None
        except HolderLimitExceeded:
            self._tally.over_limit += 1
            return None
        return None if hold is None else Held(hold, since, time.perf_counter())

    def _new(self, held: Held | None, token: str | None) -> Held | None:
        if held is None:
            return None
        hold, tally = held.hold, self._tally
        if hold.resumed and hold.token != token:
            tally.elsewhere += 1
            return None
        tally.holds += 1
        tally.fences.append(hold.fence)
        start = hold.deadline - round(hold.ttl * 1000)
        tally.stays[hold.token] = Stay(hold.holder, len(hold.seats) + sum(hold.pools.values()), start, hold.deadline)
        for pool, quantity in hold.pools.items():  # one at most
            gone = held.had + hold.ttl / SURELY
            tally.claims[hold.token] = Claim(hold.holder, pool, quantity, start, hold.deadline, held.since, gone)
        return held

    def _stayed(self, held: Held, seconds: float | None) -> None:
        """Note until when a hold surely was its holder's: so long after it was had, or for good."""
        for stay in (self._tally.stays.get(held.hold.token), self._tally.claims.get(held.hold.token)):
            if stay is not None:
                stay.end = None if seconds is None else min(held.hold.deadline, stay.start + int(seconds * 1000))

    def _lasts(self, held: Held) -> bool:
        return time.perf_counter() - held.since < SURELY * self._hold

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
