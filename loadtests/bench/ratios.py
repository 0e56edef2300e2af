"""The short version for CI: ratios only, from runs that take turns, printed as JSON.

Run in a process of its own (``python -m loadtests.bench.ratios``): under a coverage tracer the library would be slowed
down, and its peers not.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from typing import Final

from loadtests.bench.contestants.base import Contestant
from loadtests.bench.contestants.redis_py import RedisPyLock
from loadtests.bench.contestants.seats import Seatlock, SeatlockUngrouped, bare_async_client, bare_client
from loadtests.bench.one_call import async_round, sync_round
from loadtests.bench.results import Sample, Spread
from loadtests.bench.runs import in_turn, sell
from loadtests.bench.stage import Stage, usual_server
from seatlock import AsyncSeatLocker, SeatLocker

ROUNDS: Final = 5
BUYERS: Final = 500
CALLS: Final = 120
_BOOKINGS: Final = {Seatlock: 5_000, SeatlockUngrouped: 700, RedisPyLock: 1_000}
_YARDSTICK: Final = """
local words = {}
for number = 1, 1000 do
  local word = 'word-' .. number .. '-' .. ARGV[1]
  words[word] = string.match(word, '%d+')
end
return 1000
"""
"""Work as the scripts have it, of which most is making and taking apart strings: what a server takes for it says how
fast the server is, whatever the machine, the version and the neighbours."""
_THOUSANDS: Final = 100  # runs of the yardstick, each with other words


def _yardstick(stage: Stage) -> float | None:
    """Microseconds of server CPU for a thousand pieces of such work."""
    before = stage.redis_cpu()
    for number in range(_THOUSANDS):
        stage.control.eval(_YARDSTICK, 0, number)
    after = stage.redis_cpu()
    return None if before is None or after is None else (after - before) / _THOUSANDS * 1e6


async def _throughput(stage: Stage) -> dict[str, float]:
    """How seatlock in groups compares with its own single calls, and with redis-py's Lock."""
    async with AsyncExitStack() as stack:
        contestants: list[Contestant] = [await stack.enter_async_context(kind(stage)) for kind in _BOOKINGS]
        counts = list(_BOOKINGS.values())
        samples: list[list[Sample]] = [[] for _ in contestants]
        for contestant in contestants:
            await sell(contestant, 50, 200)
        thousands: list[float | None] = []
        for turn in range(ROUNDS):
            thousands.append(_yardstick(stage))
            for index in in_turn(len(contestants), turn):
                samples[index].append(await sell(contestants[index], BUYERS, counts[index]))
    grouped, ungrouped, lock = samples
    found = {
        "grouped / batching off": [one.rate / other.rate for one, other in zip(grouped, ungrouped, strict=True)],
        "grouped / redis-py Lock": [one.rate / other.rate for one, other in zip(grouped, lock, strict=True)],
        "client CPU, redis-py Lock / grouped": [
            other.client_us / one.client_us for one, other in zip(grouped, lock, strict=True)
        ],
        "server CPU, booking / yardstick, %": [
            one.server_us / thousand * 100
            for one, thousand in zip(grouped, thousands, strict=True)
            if one.server_us and thousand
        ],
    }
    return {name: Spread.of(values).median for name, values in found.items() if values}


async def _one_call(stage: Stage) -> dict[str, float]:
    """How one call alone compares with the bare EVALSHA."""
    names = ("acquire", "confirm", "acquire, asyncio", "confirm, asyncio")
    found: dict[str, list[float]] = {f"one {name} / bare EVALSHA": [] for name in names}
    with SeatLocker.from_url(stage.url) as locker, bare_client(stage) as bare:
        async with AsyncSeatLocker.from_url(stage.url) as async_locker, bare_async_client(stage) as async_bare:
            for turn in range(ROUNDS + 1):
                pairs = sync_round(stage, CALLS, locker, bare) + await async_round(
                    stage, CALLS, async_locker, async_bare
                )
                for values, (ours, theirs) in zip(found.values(), pairs, strict=True):
                    if turn:  # the first is for warming up
                        values.append(ours / theirs)
    return {name: Spread.of(values).median for name, values in found.items()}


async def _all(stage: Stage) -> dict[str, float]:
    return await _throughput(stage) | await _one_call(stage)


def main() -> None:
    """Measure and print."""
    with Stage(usual_server(), with_database=False) as stage:
        print(json.dumps(asyncio.run(_all(stage)), indent=1))


if __name__ == "__main__":
    main()
