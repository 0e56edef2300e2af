"""How cost grows with the show: time an acquire, bytes a seat, and reading the availability."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from typing import Any, Final

from loadtests.bench.contestants.base import TTL, WrongResult
from loadtests.bench.contestants.seats import PATIENCE, seat
from loadtests.bench.progress import say
from loadtests.bench.results import Growth, GrowthRound, Spread
from loadtests.bench.settings import Settings
from loadtests.bench.stage import Stage, stopwatch
from loadtests.bench.throughput import LIMIT
from seatlock import AsyncSeatLocker, Hold, Seat, SeatingPlan

BUYERS: Final = 1_000
SECTION: Final = 500  # seats a section
_ALONE: Final = 300  # acquires called one after another
_SECTION_READS: Final = 9
_WHOLE_READS: Final = 3
_LARGE: Final = 500_000  # from so many seats on, the whole plan is read once


class _Show:
    """One show of the measurement, its seats in an order of chance."""

    def __init__(self, stage: Stage, locker: AsyncSeatLocker, seats: int) -> None:
        self._stage = stage
        self._locker = locker
        self.seats = seats
        self.show = f"growth-{seats}"
        self.rounds: list[GrowthRound] = []
        order = [seat(number) for number in range(seats)]
        random.Random(seats).shuffle(order)
        self._order: Iterator[str] = iter(order)

    def _key(self, part: str) -> str:
        return f"seatlock:{{{self.show}}}:{part}"

    async def warm(self) -> None:
        """Load the show, and note what it took."""
        plan = SeatingPlan.of([Seat(seat(number), section=str(number // SECTION)) for number in range(self.seats)])
        before = self._memory()
        began = time.perf_counter()
        await self._locker.warm(self.show, plan)
        self.warm_seconds = time.perf_counter() - began
        self.available_bytes = (self._memory() - before) / self.seats
        await self._locker.open_sale(self.show)

    def _memory(self) -> int:
        """Bytes that the data take: what the connections take comes and goes."""
        memory: dict[str, Any] = self._stage.control.info("memory")
        return int(memory["used_memory"]) - int(memory.get("mem_clients_normal", 0))

    def _streams(self) -> int:
        return sum(self._stage.control.memory_usage(self._key(part), 0) or 0 for part in ("changes", "outbox"))

    async def sell_some(self, count: int) -> None:
        """Hold some seats, then sell them: what that takes in bytes."""
        before, streams = self._memory(), self._streams()
        holds = await self._hold(count)
        self.held_bytes = (self._memory() - before) / count
        await asyncio.gather(*(self._locker.confirm(hold, payment="pay-1") for hold in holds))
        self.sold_bytes = (self._memory() - before) / count
        self.streams_bytes = (self._streams() - streams) / count

    async def one_round(self, count: int, alone: int) -> None:
        """Time some acquires in groups, and some alone."""
        self._stage.reset_stats()
        with stopwatch(count, self._stage.redis_cpu) as watch:
            await self._hold(count)
        grouped = self._script_us() / count
        self._stage.reset_stats()
        for number in range(alone):
            await self._locker.acquire(self.show, [next(self._order)], holder=f"alone-{number}", ttl=TTL)
        self.rounds.append(GrowthRound(grouped, watch.sample.client_us, self._script_us() / alone))

    def _script_us(self) -> float:
        stats = self._stage.command_stats()
        return sum(usec for name, (_, usec) in stats.items() if name in ("evalsha", "eval"))

    async def _hold(self, count: int) -> list[Hold]:
        numbers = iter(range(count))
        holds: list[Hold] = []

        async def buyer() -> None:
            for number in numbers:
                holds.append(
                    await self._locker.acquire(self.show, [next(self._order)], holder=f"user-{number}", ttl=TTL)
                )

        async with asyncio.timeout(LIMIT):
            await asyncio.gather(*(buyer() for _ in range(BUYERS)))
        return holds

    async def read(self) -> None:
        """Time the availability of one section, and of the whole plan."""
        await self._locker.availability(self.show, section="0")  # reads the plan, which the locker then keeps
        self.section_ms = [await self._read("0", min(SECTION, self.seats)) for _ in range(_SECTION_READS)]
        self.whole_ms = [
            await self._read(None, self.seats) for _ in range(1 if self.seats >= _LARGE else _WHOLE_READS)
        ]

    async def _read(self, section: str | None, seats: int) -> float:
        began = time.perf_counter()
        availability = await self._locker.availability(self.show, section=section)
        milliseconds = (time.perf_counter() - began) * 1000
        if len(availability.seats) != seats:
            raise WrongResult(f"availability of {self.show} gave {len(availability.seats)} seats, not {seats}")
        return milliseconds

    def result(self) -> Growth:
        """What was measured."""
        return Growth(
            self.seats,
            self.warm_seconds,
            self.available_bytes,
            self.held_bytes,
            self.sold_bytes,
            self.streams_bytes,
            self.rounds,
            self.section_ms,
            self.whole_ms,
        )


async def measure(stage: Stage, settings: Settings) -> list[Growth]:
    """All sizes stand on the server at once, and take turns."""
    stage.flush()
    async with AsyncSeatLocker.from_url(stage.url, patience=PATIENCE) as locker:
        trial = _Show(stage, locker, 2_000)  # scripts and connections are there, and counted nowhere
        await trial.warm()
        await trial.sell_some(1_000)
        shows = [_Show(stage, locker, seats) for seats in settings.growth_seats]
        pieces = [min(settings.growth_acquires, show.seats // (settings.growth_rounds + 2)) for show in shows]
        for show, count in zip(shows, pieces, strict=True):
            await show.warm()
            say(f"growth: {show.seats:,} seats warmed in {show.warm_seconds:.1f} s")
            await show.sell_some(count)
        for _ in range(settings.growth_rounds):
            for show, count in zip(shows, pieces, strict=True):
                await show.one_round(count, min(_ALONE, count // settings.growth_rounds))
        for show in shows:
            await show.read()
            server = Spread.of([one.server_us for one in show.rounds]).median
            say(
                f"growth: {show.seats:,} seats: {server:.1f} µs of the server an acquire, "
                f"{show.available_bytes:.0f}/{show.held_bytes:.0f}/{show.sold_bytes:.0f} bytes a seat, "
                f"section {min(show.section_ms):.1f} ms, whole {min(show.whole_ms):.0f} ms"
            )
    stage.flush()
    return [show.result() for show in shows]
