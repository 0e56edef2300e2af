"""How a quest for the best seats is driven, blocking and awaiting: who reads the board, and who waits for that."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import closing
from typing import Any, Final

from seatlock._best import Quest
from seatlock._board import Board, Found, Look
from seatlock.errors import SeatLockError
from seatlock.model import BestHold

GROUP: Final = 64  # callers that choose in one turn of the event loop

Read = Callable[[Board], object]
"""Brings a board up to date."""
CarryOut = Callable[[Any], Any]
"""Carries out an `Ask` or a `Command`."""
AsyncRead = Callable[[Board], Awaitable[object]]
AsyncCarryOut = Callable[[Any], Awaitable[Any]]


def pursue(quest: Quest, read: Read, carry_out: CarryOut) -> BestHold:
    """Drive a quest, blocking."""
    with closing(quest):
        try:
            step = next(quest)
            while True:
                try:
                    result: Any = _look(step, read) if isinstance(step, Look) else carry_out(step)
                except SeatLockError as error:
                    step = quest.throw(error)
                else:
                    step = quest.send(result)
        except StopIteration as stop:
            found: BestHold = stop.value
            return found


def _look(look: Look, read: Read) -> Found:
    """Threads that look while a read is under way share the next one: they wait for it in line."""
    board = look.board
    failures = board.failures
    with board.lock:
        if board.current <= look.since:
            if board.failures != failures:
                raise board.failure()
            read(board)
        return look.choose()


async def pursue_async(quest: Quest, read: AsyncRead, carry_out: AsyncCarryOut) -> BestHold:
    """Drive a quest, awaiting."""
    with closing(quest):  # at once, when this is cancelled
        try:
            step = next(quest)
            while True:
                try:
                    result: Any = await (_look_async(step, read) if isinstance(step, Look) else carry_out(step))
                except SeatLockError as error:
                    step = quest.throw(error)
                else:
                    step = quest.send(result)
        except StopIteration as stop:
            found: BestHold = stop.value
            return found


class _Wave:
    """Those who wait for one read. They are woken group by group, so that the first requests are on their way early."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._groups: list[asyncio.Event] = []
        self._waiting = 0

    async def over(self) -> None:
        """Wait for the end of the read."""
        if self._waiting % GROUP == 0:
            self._groups.append(asyncio.Event())
        self._waiting += 1
        await self._groups[-1].wait()

    def end(self, group: int = 0) -> None:
        """Wake a group, and the next one when that has chosen."""
        if group < len(self._groups):
            self._groups[group].set()
            self._loop.call_soon(self.end, group + 1)


async def _look_async(look: Look, read: AsyncRead) -> Found:
    """Those who look while a read is under way share the next one: one reads, the others wait together."""
    board = look.board
    failures = board.failures
    while board.current <= look.since:
        if board.reading is not None:
            await board.reading.over()
            if board.failures != failures and board.current <= look.since:
                raise board.failure()
            continue
        reading = board.reading = _Wave()
        try:
            await read(board)
        finally:
            board.reading = None
            reading.end()
    return look.choose()
