"""How large a waiting room may grow: time, memory a place, and how long a join, a status and an admission take.

People join by `join_many`; at each size some more requests are made one by one, and 1,000 people are let in by one call
while nine of ten are silent. What the server took is read from its own statistics, and its CPU from the system:
neither the network nor Python is in it.
"""

from __future__ import annotations

import statistics
import time
import uuid
from collections.abc import Callable, Iterable
from typing import Any, Final

from loadtests.bench.contestants.base import insist
from loadtests.bench.progress import say
from loadtests.bench.results import LetIn, RoomSize
from loadtests.bench.settings import Settings
from loadtests.bench.stage import Stage
from seatlock.waiting_room import RoomSettings, WaitingRoom

SHOW: Final = "show"
LET_IN: Final = 1000
PRESENT: Final = 10  # one of so many is present while people are let in
_NAME: Final = "the waiting room"
_DAY: Final = 86_400.0


def person(number: int, *, uuids: bool) -> str:
    """The id of one who waits: 13 characters, or a UUID of 36."""
    return str(uuid.UUID(int=number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128)) if uuids else f"user-{number:08d}"


class _Yard:
    """The room, and what its server says of itself."""

    def __init__(self, stage: Stage, room: WaitingRoom, *, uuids: bool) -> None:
        self._stage, self._room, self._uuids = stage, room, uuids
        self.people = 0
        room.prepare(
            SHOW,
            RoomSettings(
                max_length=2**31,
                rate=10**6,
                per=1.0,
                burst=10**6,
                batch=LET_IN,
                grace=_DAY,
                keep=_DAY,
                reservation=_DAY,
            ),
        )
        room.open(SHOW)
        self._empty = self._memory()

    def _memory(self) -> int:
        memory: dict[str, Any] = self._stage.control.info("memory")
        return int(memory["used_memory"]) - int(memory.get("mem_clients_normal", 0))

    def bytes_a_place(self) -> float:
        return (self._memory() - self._empty) / self.people

    def fill(self, people: int) -> float:
        """Have people join until there are so many; gives the seconds that it took."""
        begun = time.perf_counter()
        while self.people < people:
            some = range(self.people, min(self.people + 10_000, people))
            self._room.join_many(SHOW, [person(number, uuids=self._uuids) for number in some])
            self.people = some.stop
        return time.perf_counter() - begun

    def _script_us(self) -> float:
        stats = self._stage.command_stats()
        return sum(usec for name, (_, usec) in stats.items() if name in ("evalsha", "eval"))

    def joins(self, calls: int) -> tuple[float, float]:
        """Have some more join, one by one."""
        new = range(self.people, self.people + calls)
        took = self._timed(self._room.join, new)
        self.people += calls
        return took

    def statuses(self, calls: int) -> tuple[float, float]:
        """Look at places all along the line."""
        return self._timed(self._room.status, [at * self.people // calls for at in range(calls)])

    def _timed(self, action: Callable[[str, str], object], numbers: Iterable[int]) -> tuple[float, float]:
        """What a request takes: microseconds of the server on average, and milliseconds (median) until the answer."""
        waits = []
        self._stage.reset_stats()
        for holder in [person(number, uuids=self._uuids) for number in numbers]:
            begun = time.perf_counter()
            action(SHOW, holder)
            waits.append(time.perf_counter() - begun)
        return self._script_us() / len(waits), statistics.median(waits) * 1000

    def admission(self, first: int, present: range) -> LetIn:
        """Let in 1,000 of those who are present, from the ``first`` place on."""
        keys = [f"seatlock:{{{SHOW}}}:here:{number}" for number in (0, 1)]
        bits = bytearray(self.people // 8 + 1)
        for place in present:
            bits[place // 8] |= 128 >> place % 8
        self._stage.control.mset({keys[0]: bytes(bits), keys[1]: b"\0"})
        self._stage.control.hset(f"seatlock:{{{SHOW}}}:room", "low", first)  # as when a place there came back
        self._stage.reset_stats()
        before = self._stage.redis_cpu()
        let_in = [one.place for one in self._room.admit(SHOW).admitted]
        after = self._stage.redis_cpu()
        insist(let_in == list(present)[:LET_IN], _NAME, "the first 1,000 of the present are let in, in order")
        cpu_ms = None if before is None or after is None else (after - before) * 1000
        return LetIn(self._script_us() / 1000, cpu_ms)


def _size(yard: _Yard, size: int, settings: Settings) -> RoomSize:
    first = yard.people + 1
    seconds = yard.fill(size)
    memory = yard.bytes_a_place()
    rounds, calls = settings.room_rounds, LET_IN // settings.room_rounds
    joins, statuses = zip(*((yard.joins(calls), yard.statuses(calls)) for _ in range(rounds)), strict=True)
    # each round has others of the ten present; those who joined last have been silent so far
    among = [yard.admission(first, range(first + at, size + 1, PRESENT)) for at in range(rounds)]
    behind = yard.admission(first, range(yard.people - LET_IN + 1, yard.people + 1))
    return RoomSize(
        size,
        yard._uuids,  # noqa: SLF001 - of this module
        seconds,
        memory,
        [us for us, _ in joins],
        [us for us, _ in statuses],
        [ms for _, ms in joins],
        [ms for _, ms in statuses],
        among,
        behind,
    )


def measure(stage: Stage, settings: Settings) -> list[RoomSize]:
    """One room that grows, then another with UUIDs."""
    found = []
    with WaitingRoom.from_url(stage.url, patience=60.0) as room:
        for uuids, sizes in ((False, settings.room_people), (True, settings.room_uuids)):
            stage.flush()
            yard = _Yard(stage, room, uuids=uuids)
            for size in sizes:
                one = _size(yard, size, settings)
                found.append(one)
                let_in = statistics.median(call.ms for call in one.let_in)
                say(
                    f"waiting room: {size:,}{' UUIDs' * uuids} joined in {one.joined_seconds:.1f} s, "
                    f"{one.bytes_a_place:.0f} bytes a place, a join {statistics.median(one.join_us):.0f} µs of the "
                    f"server, a status {statistics.median(one.status_us):.0f}, 1,000 let in "
                    f"{let_in:.1f} ms, behind all others {one.behind.ms:.1f} ms"
                )
    stage.flush()
    return found
