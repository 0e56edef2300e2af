"""A show on a real server, and what can be seen of it from behind the scenes."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable
from typing import Any, Final

import redis

from seatlock import AsyncSeatLocker, Hold, SeatLocker, SeatLockError

_numbers = itertools.count(1)
SEATS: Final = [f"S-{number}" for number in range(600)]


class House:
    """Shows of one server, warmed by a locker of its own."""

    def __init__(self, url: str, raw: redis.Redis) -> None:
        self.url, self.raw = url, raw
        self._boss = SeatLocker.from_url(url)

    def rehearse(self) -> None:
        """Make the server know the scripts: one that it does not know is asked for twice."""
        show = self.open()
        self._boss.release(self.hold(show, SEATS[0]))
        self._boss.cancel(self._boss.confirm(self.hold(show, SEATS[0])))

    def open(self, seats: list[str] | None = None) -> str:
        """Warm a show of its own and open its sale."""
        show = f"grouped-{next(_numbers)}"
        self._boss.warm(show, SEATS if seats is None else seats)
        self._boss.open_sale(show)
        return show

    def hold(self, show: str, *seats: str, holder: str = "ada", token: str | None = None) -> Hold:
        """Hold seats, aside from the test."""
        return self._boss.acquire(show, seats, holder=holder, token=token)

    def owner(self, show: str, seat: str) -> str | None:
        """The token on a seat's lock."""
        lock = self.raw.get(f"seatlock:{{{show}}}:lock:{seat}")
        return lock.split(b"\n")[1].decode() if lock else None

    def owners(self, show: str, seats: list[str]) -> dict[str, str]:
        """The tokens on the locks of seats, where there are any, sold ones too."""
        locks = self.raw.mget([f"seatlock:{{{show}}}:lock:{seat}" for seat in seats])
        return {seat: lock.split(b"\n")[1].decode() for seat, lock in zip(seats, locks, strict=True) if lock}

    def sold(self, show: str) -> set[str]:
        """The seats that are sold."""
        return {seat for seat, state in self._boss.availability(show).seats.items() if state == "sold"}

    def fence(self, show: str) -> int:
        """How many holds the show has given."""
        return int(self.raw.hget(f"seatlock:{{{show}}}:meta", "fence") or 0)

    def states(self, show: str) -> dict[str, int]:
        """How many seats are in each state."""
        return {state: count for state, count in self._boss.availability(show).counts.items() if count}

    def calls(self, *names: str) -> int:
        """How many scripts the server has been asked to run."""
        stats = self.raw.info("commandstats")
        return sum(stats.get(f"cmdstat_{name}", {}).get("calls", 0) for name in names or ("evalsha", "eval"))

    def close(self) -> None:
        """Close what was opened."""
        self._boss.close()
        self.raw.close()


async def attempt(call: Awaitable[Any]) -> Any:
    """The result of a call, or the error of seatlock's that it raised."""
    try:
        return await call
    except SeatLockError as error:
        return error


async def idle(locker: AsyncSeatLocker, *, most: int = 100_000) -> None:
    """Wait until nothing is under way, without closing the locker."""
    batcher = locker._batcher
    for _ in range(most):
        if not (batcher._under_way or batcher._lanes.queued):
            return
        await asyncio.sleep(0)
    raise AssertionError("something goes on and on")
