"""Drives the procedures of `seatlock.checkout`: for threads, and for asyncio."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from seatlock import _async_door, _door
from seatlock._operation import Ask, Step
from seatlock.aio import AsyncSeatLocker
from seatlock.checkout import _steps
from seatlock.checkout._steps import OfLedger, Steps, Together, Wanted
from seatlock.errors import SeatLockError
from seatlock.ledger import AsyncLedger, Ledger
from seatlock.locker import SeatLocker

T = TypeVar("T")


class Driver:
    """Carries out steps: those of Redis by a locker, those of the ledger by itself. It closes neither."""

    def __init__(self, locker: SeatLocker, ledger: Ledger) -> None:
        self._locker = locker
        self._ledger = ledger
        self._namespace = _door.namespace_of(locker)
        self._watch: Callable[[str], None] | None = None  # told before every step: for tests that stop there

    def _drive(self, procedure: Steps[T]) -> T:
        try:
            step = next(procedure)
            while True:
                try:
                    result = self._carry_out(step)
                except SeatLockError as error:
                    step = procedure.throw(error)
                else:
                    step = procedure.send(result)
        except StopIteration as stop:
            if self._watch is not None:
                self._watch("answer")
            value: T = stop.value
            return value

    def _carry_out(self, step: Wanted) -> object:
        if self._watch is not None:
            self._watch(_steps.name_of(step))
        if isinstance(step, OfLedger):
            return step.call(self._ledger)
        if isinstance(step, Together):
            return _door.carry_out_together(self._locker, step.show, step.asks)
        return _door.carry_out(self._locker, step)


class AsyncDriver:
    """The same for asyncio."""

    def __init__(self, locker: AsyncSeatLocker, ledger: AsyncLedger) -> None:
        self._locker = locker
        self._ledger = ledger
        self._namespace = _async_door.namespace_of(locker)
        self._submit = _async_door.submitting(locker)
        self._watch: Callable[[str], None] | None = None

    async def _drive(self, procedure: Steps[T]) -> T:
        try:
            step = next(procedure)
            while True:
                try:
                    if self._watch is not None:
                        self._watch(_steps.name_of(step))
                    if isinstance(step, Ask):  # as most are: without coroutines in between
                        result = await self._submit(step)
                    elif isinstance(step, OfLedger):
                        result = await step.call(self._ledger)
                    else:
                        result = await self._carry_out(step)
                except SeatLockError as error:
                    step = procedure.throw(error)
                else:
                    step = procedure.send(result)
        except StopIteration as stop:
            if self._watch is not None:
                self._watch("answer")
            value: T = stop.value
            return value

    async def _carry_out(self, step: Together | Step) -> object:
        if isinstance(step, Together):
            return await _async_door.carry_out_together(self._locker, step.show, step.asks)
        return await _async_door.carry_out(self._locker, step)
