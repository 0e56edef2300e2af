"""How large a waiting room may grow: time, memory a place, and how long a join, a status and an admission take.

    python loadtests/waiting_room.py [--people 10000000] [--at 10000 1000000 10000000] [--uuids] [--silent 90]

One room on a private embedded Redis unless told otherwise (`--redis URL`). People join by `join_many`; at each size of
`--at` some more requests are made one by one, and 1,000 people are let in by one call while so many percent of the line
are silent. What the server took is read from its own statistics (INFO commandstats), so that neither the network nor
Python is in it; memory is INFO memory before and after, for each place.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import uuid
from collections.abc import Callable
from typing import Any, Final

import redis

from seatlock.embedded import EmbeddedRedis
from seatlock.waiting_room import RoomSettings, WaitingRoom

SHOW: Final = "show"
NAMESPACE: Final = "seatlock"
CALLS: Final = 200  # single requests that are timed at each size
LET_IN: Final = 1000


def person(number: int, *, uuids: bool) -> str:
    """The id of one who waits: 13 characters, or a UUID of 36."""
    return str(uuid.UUID(int=number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128)) if uuids else f"user-{number:08d}"


class Yard:
    """The room, and what its server says of itself."""

    def __init__(self, url: str, *, uuids: bool) -> None:
        self.client = redis.Redis.from_url(url)
        self.room = WaitingRoom.from_url(url)
        self.uuids = uuids
        self.people = 0
        settings = RoomSettings(
            max_length=2**31, rate=10**6, per=1.0, burst=10**6, batch=LET_IN, grace=3600.0, keep=86400.0
        )
        self.room.prepare(SHOW, settings)
        self.room.open(SHOW)

    def memory(self) -> int:
        """Bytes that the server uses."""
        info: Any = self.client.info("memory")
        return int(info["used_memory"])

    def server_time(self) -> float:
        """Microseconds that the server has spent in scripts."""
        info: Any = self.client.info("commandstats")
        return float(sum(info.get(f"cmdstat_{name}", {}).get("usec", 0) for name in ("eval", "evalsha")))

    def fill(self, people: int) -> float:
        """Have people join until there are so many; gives the seconds that it took."""
        begun = time.perf_counter()
        while self.people < people:
            some = range(self.people, min(self.people + 10_000, people))
            self.room.join_many(SHOW, [person(number, uuids=self.uuids) for number in some])
            self.people = some.stop
        return time.perf_counter() - begun

    def silence(self, percent: int) -> None:
        """Have so many percent fall silent: their bits go out, evenly; the others' stay."""
        keys = [f"{NAMESPACE}:{{{SHOW}}}:here:{number}" for number in (0, 1)]
        length = int(self.client.strlen(keys[0]) or 0)  # type: ignore[arg-type]
        every = 100 // (100 - percent)
        bits = bytearray(length)
        for place in range(0, length * 8, every):
            bits[place // 8] |= 128 >> place % 8
        self.client.mset({keys[0]: bytes(bits), keys[1]: b"\0"})

    def timed(self, action: Callable[[str, str], object], holders: list[str]) -> tuple[float, float]:
        """What a request takes: microseconds of the server, and milliseconds (median) until the answer."""
        before, waits = self.server_time(), []
        for holder in holders:
            begun = time.perf_counter()
            action(SHOW, holder)
            waits.append(time.perf_counter() - begun)
        return (self.server_time() - before) / len(holders), statistics.median(waits) * 1000

    def admission(self) -> tuple[int, float]:
        """Let in 1,000 by one call: how many there were, and the milliseconds of the server."""
        before = self.server_time()
        admission = self.room.admit(SHOW)
        return len(admission.admitted), (self.server_time() - before) / 1000


def main() -> int:
    """Measure, and print a line for each size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--people", type=int, default=10_000_000)
    parser.add_argument("--at", type=int, nargs="+", default=[10_000, 1_000_000, 10_000_000])
    parser.add_argument("--uuids", action="store_true")
    parser.add_argument("--silent", type=int, default=90)
    parser.add_argument("--redis", default="")
    given = parser.parse_args()
    server = None if given.redis else EmbeddedRedis.start()
    try:
        yard = Yard(given.redis or str(server and server.url), uuids=given.uuids)
        empty = yard.memory()
        print(f"{'people':>12} {'joined in':>11} {'bytes a place':>14} {'join':>17} {'status':>17} {'admit 1,000':>13}")
        for size in sorted({*[at for at in given.at if at <= given.people], given.people}):
            seconds = yard.fill(size)
            memory = (yard.memory() - empty) / size
            new = [person(yard.people + number, uuids=given.uuids) for number in range(CALLS)]
            old = [person(number * yard.people // CALLS, uuids=given.uuids) for number in range(CALLS)]
            join, status = yard.timed(yard.room.join, new), yard.timed(yard.room.status, old)
            yard.people += CALLS
            yard.silence(given.silent)
            let_in, took = yard.admission()
            told = f"{took:.1f} ms" if let_in == LET_IN else f"{let_in} only"
            print(
                f"{size:>12,} {seconds:>9.1f} s {memory:>14.1f} {join[0]:>6.0f} us {join[1]:>5.2f} ms"
                f" {status[0]:>6.0f} us {status[1]:>5.2f} ms {told:>13}",
                flush=True,
            )
    finally:
        if server is not None:
            server.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
