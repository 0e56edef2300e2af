"""Drivers: both lockers behind one face, and clients that count what is sent through them."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

from seatlock import AsyncSeatLocker, Hold
from seatlock.waiting_room import AsyncWaitingRoom


class Blocking:
    """An `AsyncSeatLocker` with the face of a `SeatLocker`: every coroutine method blocks. Waiting rooms likewise.

    It brings an event loop of its own, or shares one: ``runner``. One thread may use it.
    """

    def __init__(self, locker: AsyncSeatLocker | AsyncWaitingRoom, runner: asyncio.Runner | None = None) -> None:
        self.wrapped = locker
        self._own = None if runner else asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._runner = runner or self._own

    def awaited(self, awaitable: Any) -> Any:
        """Await something on the locker's event loop."""

        async def waiting() -> Any:
            return await awaitable

        assert self._runner is not None
        return self._runner.run(waiting())

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self.wrapped, name)
        if not inspect.iscoroutinefunction(attribute):
            return attribute

        def blocking(*args: Any, **options: Any) -> Any:
            return self.awaited(attribute(*args, **options))

        return blocking

    @contextmanager
    def holding(self, *args: Any, **options: Any) -> Iterator[Hold]:
        """As `SeatLocker.holding`."""
        assert isinstance(self.wrapped, AsyncSeatLocker)
        manager = self.wrapped.holding(*args, **options)
        hold = self.awaited(manager.__aenter__())
        try:
            yield hold
        except BaseException as error:
            if not self.awaited(manager.__aexit__(type(error), error, error.__traceback__)):
                raise
        else:
            self.awaited(manager.__aexit__(None, None, None))

    def close(self) -> None:
        """Close the locker, and the event loop if it is the driver's own."""
        self.awaited(self.wrapped.aclose())
        if self._own is not None:
            self._own.close()

    def __enter__(self) -> Self:
        self.awaited(self.wrapped.__aenter__())
        return self

    def __exit__(self, *error: object) -> None:
        self.awaited(self.wrapped.__aexit__(*error))
        if self._own is not None:
            self._own.close()


class Watched:
    """A blocking client that notes every command, and first calls ``before`` with the number of those sent so far.

    What ``before`` does happens between two commands of the locker; what it raises takes the place of an answer.
    """

    def __init__(self, client: Any) -> None:
        self.client = client
        self.sent: list[str] = []
        self.before: Callable[[int], object] = lambda _: None

    def note(self, command: tuple[Any, ...]) -> None:
        """Note a command that is about to be sent."""
        self.before(len(self.sent))
        self.sent.append(command[0])

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Note a command and carry it out."""
        self.note(args)
        return self.client.execute_command(*args, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)


class AsyncWatched(Watched):
    """The same for an asyncio client."""

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Note a command and carry it out."""
        self.note(args)
        return await self.client.execute_command(*args, **options)


class Interrupted(Exception):  # an end, no error
    """What comes instead of an answer when a locker is cut off."""


def cut_off_after(commands: int) -> Callable[[int], None]:
    """Make a ``before`` for `Watched` that lets so many commands through and no more."""

    def before(sent: int) -> None:
        if sent >= commands:
            raise Interrupted

    return before
