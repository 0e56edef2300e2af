"""One run of one contestant: stock, book, check; and the order of contestants in a round."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Awaitable, Callable
from typing import Final

from loadtests.bench.contestants.base import Contestant, ThreadContestant, WrongResult
from loadtests.bench.progress import say
from loadtests.bench.results import Sample, Series, Spread
from loadtests.bench.settings import Settings
from loadtests.bench.stage import stopwatch

LIMIT: Final = 120.0  # seconds that one run may take


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


async def find_length(run: Callable[[int, int], Awaitable[Sample]], buyers: int, settings: Settings) -> int:
    """How much work makes a run of about the wanted length, and at least one piece a buyer.

    Found by runs four times as long each, until one is long enough to tell, or has a quarter of the most bookings.
    """
    count = settings.trial
    while True:
        sample = await run(min(buyers, count), count)
        if _is_telling(sample, settings):
            return _length(sample, buyers, settings)
        count *= 4


def find_length_on_threads(run: Callable[[int, int], Sample], threads: int, settings: Settings) -> int:
    """As `find_length`, for blocking contestants."""
    count = settings.trial
    while True:
        sample = run(threads, count)
        if _is_telling(sample, settings):
            return _length(sample, threads, settings)
        count *= 4


def _is_telling(sample: Sample, settings: Settings) -> bool:
    return sample.seconds >= settings.run_seconds / 5 or sample.work >= settings.most_bookings / 4


def _length(sample: Sample, buyers: int, settings: Settings) -> int:
    return min(max(round(sample.rate * settings.run_seconds), buyers, settings.trial), settings.most_bookings)


def in_turn(count: int, turn: int) -> list[int]:
    """The order of one round: every round begins with another contestant."""
    return [(index + turn) % count for index in range(count)]


def tell(what: str, series: list[Series]) -> None:
    """Say the median rates."""
    rates = (Spread.of([sample.rate for sample in one.samples]).median for one in series)
    say(f"{what}: " + "; ".join(f"{one.contestant} {rate:,.0f}/s" for one, rate in zip(series, rates, strict=True)))
