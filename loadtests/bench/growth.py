"""How cost grows with the show: time an acquire, bytes a seat, and reading the availability."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any, Final

from loadtests.bench.contestants.base import TTL, WrongResult
from loadtests.bench.contestants.seats import PATIENCE, seat
from loadtests.bench.progress import say
from loadtests.bench.results import Growth, GrowthRound, Spread
from loadtests.bench.runs import LIMIT
from loadtests.bench.settings import Settings
from loadtests.bench.stage import Stage
from seatlock import AsyncSeatLocker, Hold, Seat, SeatingPlan

GROUP: Final = 200  # acquires at once: the same in every show, so that only the show's size differs
SECTION: Final = 500  # seats a section
_SECTION_READS: Final = 9
_WHOLE_READS: Final = 3
_LARGE: Final = 500_000  # from so many seats on, the whole plan is read once


class _Show:
    """One show of the measurement, its seats taken by chance."""

    def __init__(self, stage: Stage, locker: AsyncSeatLocker, seats: int) -> None:
        self._stage = stage
        self._locker = locker
        self._chance = random.Random(seats)
        self.seats = seats
        self.show = f"growth-{seats}"
        self.rounds: list[GrowthRound] = []
        self._free = [seat(number) for number in range(seats)]

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
        self._chance.shuffle(self._free)
        chosen = [self._free.pop() for _ in range(count)]
        before, streams = self._memory(), self._streams()
        holds = [await self._hold(chosen[at : at + GROUP]) for at in range(0, count, GROUP)]
        self.held_bytes = (self._memory() - before) / count
        for group in holds:
            await asyncio.gather(*(self._locker.confirm(hold, payment="pay-1") for hold in group))
        self.sold_bytes = (self._memory() - before) / count
        self.streams_bytes = (self._streams() - streams) / count

    async def one_round(self, acquires: int) -> None:
        """Time some acquires, a group at a time, and some alone; after each group the seats are given back."""
        script_us = client_cpu = 0.0
        groups = max(acquires // GROUP, 1)
        for _ in range(groups):
            chosen = self._chance.sample(self._free, GROUP)
            self._stage.reset_stats()
            client = time.process_time()
            holds = await self._hold(chosen)
            client_cpu += time.process_time() - client
            script_us += self._script_us()
            await self._release(holds)
        chosen = self._chance.sample(self._free, GROUP)
        self._stage.reset_stats()
        holds = [await self._locker.acquire(self.show, [name], holder="alone", ttl=TTL) for name in chosen]
        alone_us = self._script_us()
        await self._release(holds)
        done = groups * GROUP
        self.rounds.append(GrowthRound(script_us / done, client_cpu / done * 1e6, alone_us / GROUP))

    def _script_us(self) -> float:
        stats = self._stage.command_stats()
        return sum(usec for name, (_, usec) in stats.items() if name in ("evalsha", "eval"))

    async def _hold(self, seats: list[str]) -> list[Hold]:
        async with asyncio.timeout(LIMIT):
            return await asyncio.gather(
                *(
                    self._locker.acquire(self.show, [name], holder=f"user-{number}", ttl=TTL)
                    for number, name in enumerate(seats)
                )
            )

    async def _release(self, holds: list[Hold]) -> None:
        released = await asyncio.gather(*(self._locker.release(hold) for hold in holds))
        if sum(len(one.released) for one in released) != len(holds):
            raise WrongResult(f"growth: not all of {len(holds)} holds could be released")

    async def read(self) -> None:
        """Time the availability of one section, and of the whole plan."""
        await self._locker.availability(self.show, section="0")  # reads the plan, which the locker then keeps
        self.section_ms = [await self._read("0", min(SECTION, self.seats)) for _ in range(_SECTION_READS)]
        self.whole_ms = [await self._read(None, self.seats) for _ in range(1 if self.seats >= _LARGE else _WHOLE_READS)]

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
        for show in shows:
            await show.warm()
            say(f"growth: {show.seats:,} seats warmed in {show.warm_seconds:.1f} s")
            await show.sell_some(min(settings.growth_acquires, show.seats // 2))
        for _ in range(settings.growth_rounds):
            for show in shows:
                await show.one_round(settings.growth_acquires)
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
