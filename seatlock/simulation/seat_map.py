"""The seat map that buyers look at: a little old, as in every browser."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

import msgspec

from seatlock.aio import AsyncSeatLocker
from seatlock.errors import OutcomeUnknown, ServerUnavailable
from seatlock.simulation.house import House

EVERY: Final = 0.25  # seconds between two readings that nobody asked for,
EVERY_SEAT: Final = 1 / 25_000  # and so much more for every seat: a large house takes longer to read
PAUSE: Final = 0.02  # seconds between two readings at least


class Snapshot(msgspec.Struct, frozen=True):
    """The house at one moment. ``free`` has a 1 for every seat of the plan that is free, in plan order.

    ``sold`` and ``held`` count seats and what lies in pools; ``stock_free`` is what is free there.
    """

    free: bytes
    popular_free: list[int]
    sold: int
    held: int
    stock_free: int = 0


class SeatMap:
    """The newest `Snapshot`, and a task that renews it."""

    def __init__(self, locker: AsyncSeatLocker, show: str, house: House) -> None:
        self._locker = locker
        self._show = show
        self._house = house
        free = bytes(seat.status == "available" for seat in house.plan.seats)
        sold = sum(seat.status == "sold" for seat in house.plan.seats)
        self.current = Snapshot(free, [place for place in house.popular if free[place]], sold, 0)
        self._every = EVERY + EVERY_SEAT * len(free)
        self._asked = asyncio.Event()
        self._stopped = False
        self._next: asyncio.Future[None] | None = None  # done when a reading ends that has not begun yet

    async def newer(self) -> Snapshot:
        """Wait for a reading that begins after this call; gives the last one where `keep_reading` has ended."""
        if self._stopped:
            await asyncio.sleep(PAUSE)
            return self.current
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        self._asked.set()
        await asyncio.shield(self._next)
        return self.current

    async def keep_reading(self) -> None:
        """Read the house now and then, and soon after somebody asked, until `stop`.

        Cancelling alone may not end it: before Python 3.12, `asyncio.wait_for`, which the Redis client uses, can
        swallow a cancellation.
        """
        waiting: asyncio.Future[None] | None = None
        try:
            while not self._stopped:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._asked.wait(), self._every)
                self._asked.clear()
                waiting, self._next = self._next, None
                with contextlib.suppress(OutcomeUnknown, ServerUnavailable):  # the old map stays a little longer
                    await self.read()
                _wake(waiting)
                await asyncio.sleep(PAUSE)
        finally:
            self._stopped = True
            _wake(waiting)
            _wake(self._next)

    def stop(self) -> None:
        """End `keep_reading` soon."""
        self._stopped = True
        self._asked.set()

    async def read(self) -> Snapshot:
        """Read the house once."""
        seen = await self._locker.availability(self._show)
        free = bytes(state == "free" for state in seen.seats.values())
        popular_free = [place for place in self._house.popular if free[place]]
        pools = seen.pools.values()
        self.current = Snapshot(
            free,
            popular_free,
            seen.counts["sold"] + sum(pool.sold for pool in pools),
            seen.counts["held"] + seen.counts["pinned"] + sum(pool.held for pool in pools),
            sum(max(pool.free, 0) for pool in pools),  # counts that are wrong are for the proofs to find
        )
        return self.current


def _wake(waiting: asyncio.Future[None] | None) -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(None)
