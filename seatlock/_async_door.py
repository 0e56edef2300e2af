"""The way to Redis of asyncio, with the group commit in it: twin of `seatlock._door`."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Coroutine, Generator, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar

from seatlock import _connect
from seatlock._attempts import Attempts
from seatlock._base import Base
from seatlock._batcher import Batcher
from seatlock._cancelling import heeding
from seatlock._converse import converse_async
from seatlock._lanes import Limits
from seatlock._operation import Ask, Step
from seatlock._seam import FOREIGN
from seatlock.errors import SeatLockError, ServerUnavailable

T = TypeVar("T")
C = TypeVar("C", bound=Base)

SCAN_COUNT: Final = 1_000  # keys that the server looks at in one step of a walk over all of them
MOVE_COUNT: Final = 100  # entries of a stream that are read at a time


class AsyncDoor(Generic[C]):
    """A client, the core whose requests go through it, and the batcher that groups them. Belongs to one event loop."""

    def __init__(self, client: _connect.AsyncClient, core: C, limits: Limits) -> None:
        self._client = _connect.checked_async(client)
        self._core = core
        self._batcher = Batcher(self._carry_out, core.patience, limits)
        self._sends_again = _connect.sends_again(client)
        self._may_hang = _connect.may_hang(client)
        self._owned: list[Any] = []

    async def aclose(self) -> None:
        """Answer what was asked, then close the client, if the locker made it; may be called again.

        If this is cancelled, it does not wait for answers: those who still wait for one get an error.
        """
        try:
            await self._batcher.drain()
        except asyncio.CancelledError:
            await self._close_owned()
            raise
        await self._close_owned()

    async def _close_owned(self) -> None:
        while self._owned:
            await _connect.close(self._owned.pop(0))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _many(self, show: str, asks: list[Ask[T] | SeatLockError]) -> list[T | SeatLockError]:
        async with self._batcher.visit():
            await self._drive(self._core.prepare(show), math.inf)
            answers = iter(await self._batcher.submit_together([ask for ask in asks if isinstance(ask, Ask)]))
        return [next(answers) if isinstance(ask, Ask) else ask for ask in asks]

    async def _carry_out(self, asks: list[Ask[Any]], patience: float) -> list[Any]:
        return await self._drive(self._core.group(asks, patience), time.monotonic() + patience)

    async def _seek(self, step: Ask[Any] | Step) -> Any:
        if isinstance(step, Ask):
            return await self._batcher.submit(step)
        async with self._batcher.visit():
            return await heeding(self._run(step, self._core.patience))

    async def _follow(self, procedure: Generator[Step, Any, T]) -> T:
        async with self._batcher.visit():
            return await heeding(self._drive(procedure, math.inf))

    async def _drive(self, procedure: Generator[Step, Any, T], deadline: float) -> T:
        """Carry out the steps of a procedure: each with the locker's patience, but none is tried again too late."""
        try:
            step = next(procedure)
            while True:
                patience = min(self._core.patience, deadline - time.monotonic())
                try:
                    result = await self._run(step, patience)
                except SeatLockError as error:
                    step = procedure.throw(error)
                else:
                    step = procedure.send(result)
        except StopIteration as stop:
            value: T = stop.value
            return value

    async def _run(self, step: Step, patience: float) -> Any:
        attempts = Attempts(step, patience, client_sends_again=self._sends_again)
        while True:
            try:
                if step.wait is not None:
                    longest = attempts.longest() if self._may_hang else None
                    begin = partial(attempts.conversation, step.wait)
                    reply = await converse_async(self._client, step.keys[0], begin, longest)
                elif self._may_hang:
                    async with asyncio.timeout(attempts.longest()):
                        reply = await self._client.execute_command(*attempts.command(), NEVER_DECODE=True)
                else:  # as a rule: a timeout of our own would cost as much as all the rest of an attempt
                    reply = await self._client.execute_command(*attempts.command(), NEVER_DECODE=True)
            except FOREIGN as error:
                await asyncio.sleep(attempts.failed(error))
            else:
                return step.decode(reply)


def namespace_of(door: AsyncDoor[Any]) -> str:
    """What starts the keys of a locker: for what is built upon lockers."""
    namespace: str = door._core.namespace  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - of this module
    return namespace


async def carry_out(door: AsyncDoor[Any], step: Ask[Any] | Step) -> Any:
    """Have a locker carry out a step that is none of its own."""
    return await door._seek(step)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - of this module


def submitting(door: AsyncDoor[Any]) -> Callable[[Ask[Any]], Coroutine[Any, Any, Any]]:
    """What a locker carries out an ask with, for those who have many."""
    return door._batcher.submit  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - of this module


async def keys_like(door: AsyncDoor[Any], pattern: str, kind: str) -> list[bytes]:
    """Find all keys of a kind whose names are like this: a walk over all keys, on a cluster of every primary."""
    client: Any = door._client  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - of this module
    try:
        found = [key async for key in client.scan_iter(match=pattern, count=SCAN_COUNT, _type=kind)]
    except FOREIGN as error:
        raise ServerUnavailable(f"the keys of the server could not be listed ({error}); ask again.") from error
    return [_raw(key) for key in found]


async def move_entries(door: AsyncDoor[Any], source: bytes, target: bytes, without: frozenset[bytes]) -> int:
    """Move what a stream has to the end of another of the same show, but for some fields: gives how many entries.

    Each is added before it is deleted: where this ends in between, it is in both. What has no other fields stays.
    """
    client: Any = door._client  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - of this module
    moved = 0
    try:
        last = await client.xrevrange(source, count=1)  # what is added behind it meanwhile is not moved
        begin = b"-"
        while last and (page := await client.xrange(source, min=begin, max=last[0][0], count=MOVE_COUNT)):
            for entry, fields in page:
                if kept := {name: value for name, value in fields.items() if _raw(name) not in without}:
                    await client.xadd(target, kept)
                    await client.xdel(source, entry)
                    moved += 1
            begin = b"(" + _raw(page[-1][0])
    except FOREIGN as error:
        raise ServerUnavailable(f"{moved:,} entries were moved, and then ({error}); ask again.") from error
    return moved


def _raw(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


async def carry_out_together(door: AsyncDoor[Any], show: str, asks: Sequence[Ask[T]]) -> list[T | SeatLockError]:
    """Have a locker carry out asks of one verb and one show: an answer each, in order, errors among them."""
    return await door._many(show, list(asks))  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - of this module


async def carry_out_in_order(door: AsyncDoor[Any], show: str, asks: Sequence[Ask[T]]) -> list[T | SeatLockError]:
    """The same, but none is begun before those in front of it are done: other calls are not grouped with these."""
    core: Base = door._core  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - of this module
    return await door._follow(core.together(show, asks))  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
