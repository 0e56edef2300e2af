"""One hot seat: everybody asks for it at once; how long until everyone has an answer, and is there one winner."""

from __future__ import annotations

import asyncio
import gc
import time
from contextlib import AsyncExitStack

from loadtests.bench.contestants.base import Contestant, insist
from loadtests.bench.contestants.roster import HOT_SEAT, present
from loadtests.bench.progress import say
from loadtests.bench.results import HotSeat, HotSeatRun, Spread, percentile
from loadtests.bench.runs import LIMIT, in_turn
from loadtests.bench.settings import Settings
from loadtests.bench.stage import Stage


async def rush(contestant: Contestant, buyers: int) -> HotSeatRun:
    """Let so many buyers ask at the same moment."""
    await contestant.stock(1)
    times: list[float] = []
    won: list[int] = []
    gc.collect()
    gc.freeze()  # as for every other measurement

    async def buyer(number: int) -> None:
        if await contestant.ask(number):
            won.append(number)
        times.append(time.perf_counter() - began)

    began = time.perf_counter()
    async with asyncio.timeout(LIMIT):
        await asyncio.gather(*(buyer(number) for number in range(buyers)))
    gc.unfreeze()
    insist(len(won) == 1, contestant.name, f"{len(won)} buyers of {buyers} were told that they have the seat")
    insist(len(times) == buyers, contestant.name, f"{len(times)} answers for {buyers} buyers")
    times.sort()
    return HotSeatRun(times[-1], percentile(times, 0.5), percentile(times, 0.99))


async def measure(stage: Stage, settings: Settings) -> list[HotSeat]:
    """All contestants in every round."""
    buyers = settings.hot_buyers
    async with AsyncExitStack() as stack:
        contestants = [await stack.enter_async_context(contestant) for contestant in present(stage, HOT_SEAT)]
        found = [HotSeat(contestant.name, buyers, []) for contestant in contestants]
        for contestant in contestants:
            await rush(contestant, min(buyers, 500))  # connections and scripts are there
        for turn in range(settings.rounds):
            for index in in_turn(len(contestants), turn):
                found[index].runs.append(await rush(contestants[index], buyers))
    for one in found:
        seconds = Spread.of([run.seconds for run in one.runs]).median
        say(f"hot seat, {buyers:,} buyers: {one.contestant} {seconds * 1000:,.0f} ms")
    return found
