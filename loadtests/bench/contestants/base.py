"""What a contestant is: something that books, with its own stock, its own check, and the clock of its server."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AsyncExitStack
from typing import ClassVar, Final, Self

from loadtests.bench.stage import Stage

POOL: Final = 100  # connections of every asyncio client; ten made the peers slower, more gave nothing
TTL: Final = 600  # seconds that every hold or lock lasts


class WrongResult(Exception):
    """A contestant did not do what it says: its figures would mean nothing."""


def insist(truth: object, who: str, what: str) -> None:
    """Fail the run unless ``truth``."""
    if not truth:
        raise WrongResult(f"{who}: {what}")


class Contestant(ABC):
    """An asyncio contestant, opened with ``async with``.

    `stock` makes so many things ready to be booked, numbered from 0, and forgets all before; `book` books one of them
    from beginning to end; `check` proves that every one was booked exactly once.
    """

    name: ClassVar[str]
    booking: ClassVar[str]
    """What one booking is, for the results page."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.stack = AsyncExitStack()

    @abstractmethod
    async def open(self) -> None:
        """Connect."""

    @abstractmethod
    async def stock(self, count: int) -> None:
        """Make ``count`` fresh things ready."""

    @abstractmethod
    async def book(self, number: int) -> None:
        """Book one thing."""

    @abstractmethod
    async def check(self, count: int) -> None:
        """Prove that ``count`` things were booked once each."""

    async def ask(self, number: int) -> bool:
        """As buyer ``number``, ask for thing 0; whether it was had."""
        raise NotImplementedError

    async def hold_four(self, number: int) -> None:
        """Hold the things 4 * number to 4 * number + 3 for one holder."""
        raise NotImplementedError

    async def check_fours(self, count: int) -> None:
        """Prove that ``count`` fours are held."""
        raise NotImplementedError

    def server_cpu(self) -> float | None:
        """CPU seconds of the server behind it."""
        return self.stage.redis_cpu()

    async def __aenter__(self) -> Self:
        try:
            await self.open()
        except BaseException:
            await self.stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stack.aclose()


class ThreadContestant(ABC):
    """A blocking contestant, whose `book` is called from many threads; otherwise as `Contestant`."""

    name: ClassVar[str]
    booking: ClassVar[str]

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    @abstractmethod
    def stock(self, count: int) -> None:
        """Make ``count`` fresh things ready."""

    @abstractmethod
    def book(self, number: int) -> None:
        """Book one thing."""

    @abstractmethod
    def check(self, count: int) -> None:
        """Prove that ``count`` things were booked once each."""

    @abstractmethod
    def close(self) -> None:
        """Disconnect."""

    def server_cpu(self) -> float | None:
        """CPU seconds of the server behind it."""
        return self.stage.redis_cpu()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
