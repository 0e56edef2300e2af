"""The blocking way to Redis: carries out what the pure modules ask for. `seatlock._async_door` is its twin."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from seatlock import _connect
from seatlock._attempts import Attempts
from seatlock._base import Base
from seatlock._converse import converse
from seatlock._operation import Ask, Step
from seatlock._seam import FOREIGN
from seatlock.errors import SeatLockError

T = TypeVar("T")
C = TypeVar("C", bound=Base)


class Door(Generic[C]):
    """A client, and the core whose requests go through it. Threads may share it."""

    def __init__(self, client: _connect.SyncClient, core: C) -> None:
        self._client = _connect.checked_sync(client)
        self._core = core
        self._sends_again = _connect.sends_again(client)
        self._owned: list[Any] = []

    def close(self) -> None:
        """Close the client, if the locker made it; may be called again."""
        while self._owned:
            _connect.close_sync(self._owned.pop(0))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _one(self, ask: Ask[T]) -> T:
        return self._follow(self._core.one(ask))

    def _seek(self, step: Ask[Any] | Step) -> Any:
        return self._one(step) if isinstance(step, Ask) else self._run(step)

    def _follow(self, procedure: Generator[Step, Any, T]) -> T:
        try:
            step = next(procedure)
            while True:
                try:
                    result = self._run(step)
                except SeatLockError as error:
                    step = procedure.throw(error)
                else:
                    step = procedure.send(result)
        except StopIteration as stop:
            value: T = stop.value
            return value

    def _run(self, step: Step) -> Any:
        attempts = Attempts(step, self._core.patience, client_sends_again=self._sends_again)
        while True:
            try:
                if step.wait is None:
                    reply = self._client.execute_command(*attempts.command(), NEVER_DECODE=True)
                else:
                    reply = converse(self._client, step.keys[0], partial(attempts.conversation, step.wait))
            except FOREIGN as error:
                time.sleep(attempts.failed(error))
            else:
                return step.decode(reply)


def namespace_of(door: Door[Any]) -> str:
    """What starts the keys of a locker: for what is built upon lockers."""
    namespace: str = door._core.namespace  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - of this module
    return namespace


def carry_out(door: Door[Any], step: Ask[Any] | Step) -> Any:
    """Have a locker carry out a step that is none of its own."""
    return door._seek(step)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - of this module


def carry_out_together(door: Door[Any], show: str, asks: Sequence[Ask[T]]) -> list[T | SeatLockError]:
    """Have a locker carry out asks of one verb and one show: an answer each, in order, errors among them."""
    core = door._core  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - of this module
    return door._follow(core.together(show, asks))  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - likewise
