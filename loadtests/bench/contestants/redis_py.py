"""redis-py's own locks, and what all lock contestants have in common.

A booking is what a lock offers: one of its own is acquired and released, and no record is kept.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import redis

from loadtests.bench.contestants.base import TTL, Contestant, ThreadContestant, insist
from loadtests.bench.contestants.seats import async_pool
from loadtests.bench.stage import Stage

_BOOKING = "acquire and release of a lock of its own; nothing is recorded"


def name_of(number: int) -> str:
    """The name of a lock."""
    return f"seat:{number}"


def prove_released(contestant: Contestant | ThreadContestant, prefix: str, count: int) -> None:
    """No lock is left behind."""
    control = contestant.stage.control
    left = sum(
        control.exists(*(prefix + name_of(number) for number in range(at, min(at + 1000, count))))
        for at in range(0, count, 1000)
    )
    insist(left == 0, contestant.name, f"{left} locks were left behind")


class AsyncLock(Contestant):
    """The common part: `lock` makes a lock object with ``acquire`` and ``release``."""

    booking = _BOOKING
    prefix = ""  # what the library puts before a lock's name

    @abstractmethod
    def lock(self, name: str) -> Any:
        """Make a lock that does not wait."""

    async def acquire(self, lock: Any) -> bool:
        """Try to acquire it."""
        return bool(await lock.acquire())

    async def stock(self, count: int) -> None:
        self.stage.flush()
        self.held: list[Any] = []

    async def book(self, number: int) -> None:
        lock = self.lock(name_of(number))
        insist(await self.acquire(lock), self.name, f"{name_of(number)} could not be acquired")
        await lock.release()

    async def check(self, count: int) -> None:
        prove_released(self, self.prefix, count)

    async def ask(self, number: int) -> bool:
        return await self.acquire(self.lock(name_of(0)))

    async def hold_four(self, number: int) -> None:
        for index in range(4):  # one lock guards one thing
            lock = self.lock(name_of(4 * number + index))
            insist(await self.acquire(lock), self.name, "a lock of its own could not be acquired")

    async def check_fours(self, count: int) -> None:
        kept = self.stage.control.dbsize()
        insist(kept == 4 * count, self.name, f"{4 * count} locks should be there, {kept} are")


class RedisPyLock(AsyncLock):
    """redis-py's own."""

    name = "redis-py Lock, asyncio"

    async def open(self) -> None:
        self.client = await self.stack.enter_async_context(async_pool(self.stage))

    def lock(self, name: str) -> Any:
        return self.client.lock(name, timeout=TTL, blocking=False, thread_local=False)


class ThreadLock(ThreadContestant):
    """The common part of the blocking ones, on one client of redis-py's, a connection a thread."""

    booking = _BOOKING
    prefix = ""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self.client = redis.Redis(unix_socket_path=stage.socket)

    @abstractmethod
    def lock(self, name: str) -> Any:
        """Make a lock."""

    def stock(self, count: int) -> None:
        del count
        self.stage.flush()

    def book(self, number: int) -> None:
        lock = self.lock(name_of(number))
        insist(lock.acquire(blocking=False), self.name, f"{name_of(number)} could not be acquired")
        lock.release()

    def check(self, count: int) -> None:
        prove_released(self, self.prefix, count)

    def close(self) -> None:
        self.client.close()


class RedisPyThreads(ThreadLock):
    """redis-py's own."""

    name = "redis-py Lock"

    def lock(self, name: str) -> Any:
        return self.client.lock(name, timeout=TTL, thread_local=False)
