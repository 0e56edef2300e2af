"""Where the time goes: a sampling profile of the client, the server's own command statistics."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from loadtests.bench.contestants.seats import SHOW, Seatlock
from loadtests.bench.progress import say
from loadtests.bench.results import Command, Line, Profile
from loadtests.bench.runs import book_all, sell
from loadtests.bench.settings import Settings
from loadtests.bench.stage import Stage, stopwatch

BUYERS: Final = 1_000
TOP: Final = 20  # lines of the client's profile that are kept
WAITING: Final = "the socket, and waiting for it"
RUSHES: Final = 4  # for one hot seat
CALL_ROUNDS: Final = 8  # times as many calls as a round of `one_call` has
LEAST: Final = 0.01  # microseconds a booking: commands that take less are left out
_INTERVAL: Final = 0.001  # seconds between two looks at the stack
_PARTS: Final = {
    "seatlock": "seatlock",
    "redis": "redis-py",
    "asyncio": "asyncio",
    "loadtests": "the benchmark's buyers",
}


class Sampler:
    """Looks at the running function every millisecond; C code counts for the Python that called it.

    By the clock on the wall: a timer of CPU time is only as fine as the kernel's tick, and waiting should be seen too.
    """

    def __init__(self) -> None:
        self.parts: Counter[str] = Counter()
        self.lines: Counter[str] = Counter()

    @property
    def samples(self) -> int:
        """How often it has looked."""
        return self.lines.total()

    @contextmanager
    def on(self) -> Iterator[None]:
        """Sample while the block runs (in the main thread, as signals do)."""
        before = signal.signal(signal.SIGALRM, self._look)
        signal.setitimer(signal.ITIMER_REAL, _INTERVAL, _INTERVAL)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    def _look(self, _: int, frame: FrameType | None) -> None:
        if frame is not None:
            module = str(frame.f_globals.get("__name__", "?"))
            part = WAITING if module == "selectors" else _PARTS.get(module.partition(".")[0], "other")
            self.parts[part] += 1
            self.lines[f"{module}.{frame.f_code.co_qualname}"] += 1

    def top(self, counter: Counter[str]) -> list[Line]:
        """The most frequent entries, in percent."""
        return [Line(where, 100 * count / max(self.samples, 1)) for where, count in counter.most_common(TOP)]


async def profile(stage: Stage, what: str, unit: str, work: int, do: Callable[[], Awaitable[object]]) -> Profile:
    """Profile something that does so many units of work; the figures of the other measurements are taken without."""
    sampler = Sampler()
    stage.reset_stats()
    with sampler.on(), stopwatch(work, stage.redis_cpu) as watch:
        await do()
    commands = [
        Command(name, calls / work, usec / work)
        for name, (calls, usec) in sorted(stage.command_stats().items(), key=lambda item: -item[1][1])
        if usec / work >= LEAST
    ]
    say(f"profile: {what}: {sampler.samples} samples of the client at {watch.sample.rate:,.0f}/s")
    return Profile(
        what, unit, watch.sample, sampler.samples, sampler.top(sampler.parts), sampler.top(sampler.lines), commands
    )


async def measure(stage: Stage, settings: Settings) -> list[Profile]:
    """Profile what the targets are about: bookings, one hot seat, one call alone."""
    async with Seatlock(stage) as contestant:
        trial = await sell(contestant, BUYERS, 5_000)
        bookings = min(round(trial.rate * settings.profile_seconds), 4 * settings.most_bookings)
        await contestant.stock(bookings)
        of_bookings = await profile(
            stage,
            f"acquire and confirm, {BUYERS:,} buyers at once",
            "a booking",
            bookings,
            lambda: book_all(contestant, BUYERS, bookings),
        )
        await contestant.check(bookings)

        buyers = settings.hot_buyers
        await contestant.stock(1)

        async def rush() -> None:
            for first in range(0, RUSHES * buyers, buyers):  # from the second rush on, everybody is told no
                await asyncio.gather(*(contestant.ask(first + number) for number in range(buyers)))

        of_hot_seat = await profile(
            stage, f"one hot seat, {buyers:,} buyers at once", "an answer", RUSHES * buyers, rush
        )

        calls = CALL_ROUNDS * settings.calls
        await contestant.stock(calls)

        async def one_by_one() -> None:
            for number in range(calls):
                await contestant.locker.acquire(SHOW, [contestant.seats[number]], holder="user-1")

        of_one_call = await profile(stage, "acquires alone, one after another", "a call", calls, one_by_one)
    return [of_bookings, of_hot_seat, of_one_call]
