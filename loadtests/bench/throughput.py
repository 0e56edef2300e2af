"""Bookings a second from one process: asyncio contestants with up to ten thousand tasks, blocking ones on threads."""

from __future__ import annotations

from contextlib import AsyncExitStack, ExitStack
from functools import partial
from typing import Final

from loadtests.bench.contestants.roster import ASYNC, THREADS, present
from loadtests.bench.results import Series
from loadtests.bench.runs import find_length, find_length_on_threads, in_turn, sell, sell_on_threads, tell
from loadtests.bench.settings import Settings
from loadtests.bench.stage import Stage

CROWD: Final = 10_000  # from so many buyers on, runs are long: a booking for each


async def measure(stage: Stage, settings: Settings) -> list[Series]:
    """Every asyncio contestant at every level; in each round all of them, one after another."""
    found: list[Series] = []
    async with AsyncExitStack() as stack:
        contestants = [await stack.enter_async_context(contestant) for contestant in present(stage, ASYNC)]
        for level in settings.levels:
            series = [Series(contestant.name, level, []) for contestant in contestants]
            lengths = [await find_length(partial(sell, contestant), level, settings) for contestant in contestants]
            for turn in range(settings.rounds if level < CROWD else settings.crowd_rounds):
                for index in in_turn(len(contestants), turn):
                    series[index].samples.append(await sell(contestants[index], level, lengths[index]))
            tell(f"{level:,} buyers", series)
            found += series
    return found


def measure_threads(stage: Stage, settings: Settings) -> list[Series]:
    """Every blocking contestant on every number of threads."""
    found: list[Series] = []
    with ExitStack() as stack:
        contestants = [stack.enter_context(kind(stage)) for kind in THREADS]
        for threads in settings.threads:
            series = [Series(contestant.name, threads, []) for contestant in contestants]
            lengths = [
                find_length_on_threads(partial(sell_on_threads, contestant), threads, settings)
                for contestant in contestants
            ]
            for turn in range(settings.thread_rounds):
                for index in in_turn(len(contestants), turn):
                    series[index].samples.append(sell_on_threads(contestants[index], threads, lengths[index]))
            tell(f"{threads} threads", series)
            found += series
    return found
