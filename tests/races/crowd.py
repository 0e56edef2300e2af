"""Processes that start together and go through their rounds in step.

`crowd` runs one function in several fresh processes and gives what each returned. The function is called with a
`Place`, whose `step` lets nobody go on before everybody is there.
"""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, wait
from threading import Barrier, BrokenBarrierError
from typing import Any, Concatenate, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

PROCESSES = 4
STEP_TIMEOUT = 30.0  # seconds that one process waits for the others: then something hangs, and all give up
LONGEST = 200.0  # seconds that a crowd may take in all


class Place:
    """One process of a crowd: its number, and the way to keep step."""

    def __init__(self, number: int, barrier: Barrier) -> None:
        self.number = number
        self._barrier = barrier

    def step(self) -> None:
        """Wait until every process of the crowd is here; then all go on at once."""
        self._barrier.wait(STEP_TIMEOUT)


_barriers: list[Barrier] = []  # the crowd's, in each of its processes: barriers are handed over at birth only


def _join(barrier: Barrier) -> None:
    _barriers.append(barrier)


def _work(function: Callable[..., T], number: int, args: tuple[Any, ...], named: dict[str, Any]) -> T:
    (barrier,) = _barriers
    try:
        place = Place(number, barrier)
        place.step()  # also makes every task have a process of its own
        return function(place, *args, **named)
    except BaseException:
        barrier.abort()  # nobody waits for one who will not come
        raise


def crowd(function: Callable[Concatenate[Place, P], T], *args: P.args, **named: P.kwargs) -> list[T]:
    """Run ``function(place, ...)`` in `PROCESSES` fresh processes at once; raises what the first to fail raised."""
    return crowd_of(PROCESSES, LONGEST, function, *args, **named)


def crowd_of(
    processes: int, longest: float, function: Callable[Concatenate[Place, P], T], *args: P.args, **named: P.kwargs
) -> list[T]:
    """As `crowd`, with so many processes, which may take so many seconds in all."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(processes)
    with ProcessPoolExecutor(processes, context, _join, (barrier,)) as pool:
        futures = [pool.submit(_work, function, number, args, named) for number in range(processes)]
        if wait(futures, longest).not_done:
            for process in pool._processes.values():
                process.kill()
            raise AssertionError(f"the crowd was not through with {function.__name__} after {longest} s")
    failures = [error for future in futures if (error := future.exception()) is not None]
    with contextlib.suppress(StopIteration):  # the cause, rather than those who stopped waiting for it
        raise next(error for error in failures if not isinstance(error, BrokenBarrierError))
    return [future.result() for future in futures]
