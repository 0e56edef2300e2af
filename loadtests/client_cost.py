"""What a booking costs the asyncio client alone: CPU of acquire and confirm, whose answers are made up here.

    python loadtests/client_cost.py [--buyers 500] [--rounds 30]

No server and no socket, so runs of two checkouts in turn can be compared on a machine that has other work: the figure
is the CPU time of the fastest round. It says nothing about how fast seatlock is: see `loadtests/bench` for that.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from typing import Any

import redis.asyncio

from seatlock import AsyncSeatLocker

SERVER = [b"noeviction", b"master"]


class Answers(redis.asyncio.Redis):
    """A client that answers by itself: every seat is free, and every hold is there."""

    async def execute_command(self, *args: Any, **_: Any) -> Any:
        """Answer a script call as its header says."""
        await asyncio.sleep(0)
        arguments = args[3 + args[2] :]
        if not arguments:
            return SERVER
        count = int(arguments[0])
        if len(arguments) == 2 * count + 1:
            return [b"ok", *[[b"held", 1, number, 600_000, 1_795_206_644_282] for number in range(count)]]
        return [b"ok", *[[b"booked", 1, number, 1_795_206_644_282] for number in range(count)]]


async def measure(buyers: int, rounds: int) -> float:
    """Microseconds of CPU for one booking, at best."""
    best = float("inf")
    async with AsyncSeatLocker(Answers()) as locker:

        async def buy(number: int) -> None:
            hold = await locker.acquire("show", [f"A-{number}"], holder=f"user-{number}")
            await locker.confirm(hold, payment="paid")

        for _ in range(rounds):
            begun = time.process_time()
            await asyncio.gather(*[buy(number) for number in range(buyers)])
            best = min(best, time.process_time() - begun)
    return best / buyers * 1e6


def main() -> None:
    """Measure, and print it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--buyers", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=30)
    given = parser.parse_args()
    print(f"{asyncio.run(measure(given.buyers, given.rounds)):.2f} us of CPU a booking")


if __name__ == "__main__":
    main()
