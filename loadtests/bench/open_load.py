"""Latency under open load: buyers arrive when they arrive, whether or not the ones before them have been served.

A buyer's time runs from the scheduled arrival to the confirmed booking, so waiting behind others counts, and a load
that is too much shows as latency instead of as fewer requests. The generator shares the process, and the core, with
what it measures.
"""

from __future__ import annotations

import asyncio
import gc
import random
import time
from collections import deque
from contextlib import AsyncExitStack
from typing import Final

from loadtests.bench.contestants.base import Contestant
from loadtests.bench.contestants.roster import OPEN_LOAD, present
from loadtests.bench.progress import say
from loadtests.bench.results import Latency, OpenLoad, Spread, percentile
from loadtests.bench.runs import LIMIT
from loadtests.bench.settings import Settings
from loadtests.bench.stage import Stage

_NAP: Final = 0.003  # seconds; nearer than this the event loop's timers are too coarse, and the generator polls
_MAXIMUM_ROUNDS: Final = 3


async def serve(contestant: Contestant, arrivals: list[float]) -> tuple[list[float], float]:
    """Send a buyer at each of the times; gives their latencies and the time until the last was served, in seconds."""
    await contestant.stock(len(arrivals))
    gc.collect()
    latencies: list[float] = []
    clock = time.perf_counter

    async def buyer(number: int, due: float) -> None:
        await contestant.book(number)
        latencies.append(clock() - due)

    began = clock() + 0.01
    sent = 0
    waiting: deque[asyncio.Task[None]] = deque()  # without those that are done: they would be work for the collector
    async with asyncio.timeout(LIMIT):
        while sent < len(arrivals):
            passed = clock() - began
            while sent < len(arrivals) and arrivals[sent] <= passed:
                waiting.append(asyncio.create_task(buyer(sent, began + arrivals[sent])))
                sent += 1
            while waiting and waiting[0].done():
                waiting.popleft().result()
            wait = began + arrivals[min(sent, len(arrivals) - 1)] - clock()
            await asyncio.sleep(wait - _NAP if wait > _NAP else 0)
        await asyncio.gather(*waiting)
    took = clock() - began
    await contestant.check(len(arrivals))
    return latencies, took


def poisson(rate: float, seconds: float, seed: int) -> list[float]:
    """The times of arrivals at random, ``rate`` a second on average."""
    chance = random.Random(seed)
    times = [chance.expovariate(rate)]
    while times[-1] < seconds:
        times.append(times[-1] + chance.expovariate(rate))
    return times


async def _maximum(contestant: Contestant, settings: Settings) -> float:
    """Bookings a second when all buyers arrive at once, a task each: what the open load is a part of."""
    trial = 500
    _, took = await serve(contestant, [0.0] * trial)
    rates = []
    for _ in range(_MAXIMUM_ROUNDS):
        count = min(max(trial, round(trial / took * settings.run_seconds)), settings.most_bookings)
        _, took = await serve(contestant, [0.0] * count)
        trial = count
        rates.append(count / took)
    return Spread.of(rates).median


async def _one(contestant: Contestant, rate: float, settings: Settings, seed: int) -> Latency:
    latencies, took = await serve(contestant, poisson(rate, settings.load_seconds, seed))
    latencies.sort()
    p50, p99, p999 = (percentile(latencies, part) * 1000 for part in (0.5, 0.99, 0.999))
    return Latency(rate, len(latencies) / took, p50, p99, p999)


async def measure(stage: Stage, settings: Settings) -> list[OpenLoad]:
    """Each contestant at parts of its own maximum; all loads in every round."""
    async with AsyncExitStack() as stack:
        contestants = [await stack.enter_async_context(contestant) for contestant in present(stage, OPEN_LOAD)]
        found: list[OpenLoad] = []
        for contestant in contestants:
            maximum = await _maximum(contestant, settings)
            say(f"open load: {contestant.name} at most {maximum:,.0f}/s")
            found += [OpenLoad(contestant.name, maximum, percent, []) for percent in settings.loads]
        for turn in range(settings.load_rounds):
            for load in found:
                contestant = next(one for one in contestants if one.name == load.contestant)
                load.rounds.append(await _one(contestant, load.maximum * load.percent / 100, settings, turn))
    for load in found:
        p50, p99 = (Spread.of([getattr(one, name) for one in load.rounds]).median for name in ("p50", "p99"))
        say(f"open load: {load.contestant} at {load.percent} %: p50 {p50:.2f} ms, p99 {p99:.2f} ms")
    return found
