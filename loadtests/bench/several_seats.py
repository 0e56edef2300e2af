"""Holds of four seats at once: all or none, in one request where the contestant has such a thing."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from typing import Final

from loadtests.bench.contestants.base import Contestant
from loadtests.bench.contestants.roster import FOUR_SEATS, present
from loadtests.bench.results import Sample, Series
from loadtests.bench.runs import LIMIT, find_length, in_turn, tell
from loadtests.bench.settings import Settings
from loadtests.bench.stage import Stage, stopwatch

BUYERS: Final = 1_000


async def hold(contestant: Contestant, buyers: int, holds: int) -> Sample:
    """Let so many buyers hold four seats each, until so many holds are made."""
    await contestant.stock(4 * holds)
    numbers = iter(range(holds))

    async def buyer() -> None:
        for number in numbers:
            await contestant.hold_four(number)

    with stopwatch(holds, contestant.server_cpu) as watch:
        async with asyncio.timeout(LIMIT):
            await asyncio.gather(*(buyer() for _ in range(buyers)))
    await contestant.check_fours(holds)
    return watch.sample


async def measure(stage: Stage, settings: Settings) -> list[Series]:
    """All contestants in every round."""
    async with AsyncExitStack() as stack:
        contestants = [await stack.enter_async_context(contestant) for contestant in present(stage, FOUR_SEATS)]
        series = [Series(contestant.name, BUYERS, []) for contestant in contestants]
        lengths = [await find_length(partial(hold, contestant), BUYERS, settings) for contestant in contestants]
        for turn in range(settings.rounds):
            for index in in_turn(len(contestants), turn):
                series[index].samples.append(await hold(contestants[index], BUYERS, lengths[index]))
    tell("four-seat holds", series)
    return series
