"""Bookings a second from one process: asyncio contestants with up to ten thousand tasks, blocking ones on threads."""

from __future__ import annotations

import asyncio
import itertools
import threading
from contextlib import AsyncExitStack, ExitStack
from typing import Final

from loadtests.bench.contestants import ASYNC, THREADS, Contestant, ThreadContestant, present
from loadtests.bench.contestants.base import WrongResult
from loadtests.bench.progress import say
from loadtests.bench.results import Sample, Series, Spread
from loadtests.bench.settings import Settings
from loadtests.bench.stage import Stage, stopwatch

LIMIT: Final = 120.0  # seconds that one run may take
CROWD: Final = 10_000  # from so many buyers on, runs are long: a booking for each
_TRIAL: Final = 400  # bookings of the run that finds out how long the real ones must be


async def sell(contestant: Contestant, buyers: int, bookings: int) -> Sample:
    """Stock, let the buyers book, and check."""
    await contestant.stock(bookings)
    sample = await book_all(contestant, buyers, bookings)
    await contestant.check(bookings)
    return sample


async def book_all(contestant: Contestant, buyers: int, bookings: int) -> Sample:
    """Let so many buyers at once make so many bookings, each buyer one after another."""
    numbers = iter(range(bookings))

    async def buyer() -> None:
        for number in numbers:
            await contestant.book(number)

    with stopwatch(bookings, contestant.server_cpu) as watch:
        async with asyncio.timeout(LIMIT):
            await asyncio.gather(*(buyer() for _ in range(buyers)))
    return watch.sample


def sell_on_threads(contestant: ThreadContestant, threads: int, bookings: int) -> Sample:
    """Let so many threads make so many bookings."""
    contestant.stock(bookings)
    numbers = itertools.count()
    errors: list[BaseException] = []
    start = threading.Barrier(threads + 1)

    def buyer() -> None:
        start.wait(LIMIT)
        try:
            while (number := next(numbers)) < bookings and not errors:
                contestant.book(number)
        except BaseException as error:  # noqa: BLE001 - raised in the main thread
            errors.append(error)

    workers = [threading.Thread(target=buyer, daemon=True) for _ in range(threads)]
    for worker in workers:
        worker.start()
    with stopwatch(bookings, contestant.server_cpu) as watch:
        start.wait(LIMIT)
        for worker in workers:
            worker.join(LIMIT)
    if errors:
        raise errors[0]
    if any(worker.is_alive() for worker in workers):
        raise WrongResult(f"{contestant.name} was not done after {LIMIT:.0f} s")
    contestant.check(bookings)
    return watch.sample


async def measure(stage: Stage, settings: Settings) -> list[Series]:
    """Every asyncio contestant at every level; in each round all of them, one after another."""
    found: list[Series] = []
    async with AsyncExitStack() as stack:
        contestants = [await stack.enter_async_context(contestant) for contestant in present(stage, ASYNC)]
        for level in settings.levels:
            series = [Series(contestant.name, level, []) for contestant in contestants]
            lengths = [
                length_for(await sell(contestant, min(level, _TRIAL), _TRIAL), level, settings)
                for contestant in contestants
            ]
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
                length_for(sell_on_threads(contestant, threads, _TRIAL), threads, settings)
                for contestant in contestants
            ]
            for turn in range(settings.thread_rounds):
                for index in in_turn(len(contestants), turn):
                    series[index].samples.append(sell_on_threads(contestants[index], threads, lengths[index]))
            tell(f"{threads} threads", series)
            found += series
    return found


def length_for(trial: Sample, buyers: int, settings: Settings) -> int:
    """How many bookings make a run of about the wanted length: at least one a buyer."""
    return min(max(round(trial.rate * settings.run_seconds), buyers, 200), settings.most_bookings)


def in_turn(count: int, turn: int) -> list[int]:
    """The order of one round: every round begins with another contestant."""
    return [(index + turn) % count for index in range(count)]


def tell(what: str, series: list[Series]) -> None:
    """Say the median rates."""
    rates = (Spread.of([sample.rate for sample in one.samples]).median for one in series)
    say(f"{what}: " + "; ".join(f"{one.contestant} {rate:,.0f}/s" for one, rate in zip(series, rates, strict=True)))
