"""How long `acquire_best` takes in a house that is nearly sold out.

    python loadtests/best_available.py [--seats 50000] [--sold 95] [--callers 500] [--count 2] [--rounds 20]

One locker, against a private embedded Redis unless told otherwise. In each round all callers ask at once; the clock of
each runs from the moment in which all ask until its answer. Between rounds every second hold is given back and the
other confirmed, while seats sold before are cancelled, so that every round finds about as many free seats, and the
locker has changes to read. The seats that are free are scattered at random, in groups of one to six.

The first round is told apart: nothing was read of the show's seats before. Every answer is checked: no seat twice, and
nobody refused.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import secrets
import statistics
import sys
import time
from collections.abc import Sequence
from typing import Final

from seatlock import AsyncSeatLocker, BestHold, Booking, Hold, Seat, SeatingPlan, SeatLockError

SEATS_A_ROW: Final = 50
ROWS_A_SECTION: Final = 50
GROUP: Final = 6  # seats that are free side by side, at most


def house(seats: int, sold: float, chance: random.Random) -> SeatingPlan:
    """A plan of so many seats, of which so many percent were sold elsewhere."""
    free = seats - round(seats * sold / 100)
    is_free = bytearray(seats)
    while (left := free - sum(is_free)) > 0:
        at, size = chance.randrange(seats), min(chance.randint(1, GROUP), left)
        is_free[at : min(at + size, seats)] = b"\x01" * min(size, seats - at)
    return SeatingPlan.of(
        Seat(
            f"{number // SEATS_A_ROW}-{number % SEATS_A_ROW + 1}",
            section=f"section {number // SEATS_A_ROW // ROWS_A_SECTION + 1}",
            row=str(number // SEATS_A_ROW % ROWS_A_SECTION + 1),
            number=str(number % SEATS_A_ROW + 1),
            status="available" if is_free[number] else "sold",
        )
        for number in range(seats)
    )


class Rush:
    """One show and its callers."""

    def __init__(self, locker: AsyncSeatLocker, given: argparse.Namespace) -> None:
        self.locker = locker
        self.show = f"best-{secrets.token_hex(4)}"
        self.callers: int = given.callers
        self.count: int = given.count
        self.chance = random.Random(1)
        self.bookings: list[Booking] = []
        self.adjacent = self.answers = 0

    async def round(self) -> list[float]:
        """All ask at once: gives the seconds that each waited for its answer."""
        begun = time.perf_counter()
        answers = await asyncio.gather(*(self.ask(caller, begun) for caller in range(self.callers)))
        holds = [best.hold for best, _ in answers]
        seats = [seat for hold in holds for seat in hold.seats]
        if len(set(seats)) != len(seats):
            raise AssertionError("a seat was given twice")
        self.adjacent += sum(best.adjacent for best, _ in answers)
        self.answers += len(answers)
        await self.settle(holds)
        return [seconds for _, seconds in answers]

    async def ask(self, caller: int, begun: float) -> tuple[BestHold, float]:
        """One caller."""
        best = await self.locker.acquire_best(self.show, self.count, holder=f"caller-{caller}")
        return best, time.perf_counter() - begun

    async def settle(self, holds: Sequence[Hold]) -> None:
        """Confirm half of the holds, give back the other half and what was confirmed in the round before."""
        self.chance.shuffle(shuffled := list(holds))
        half = len(shuffled) // 2
        await asyncio.gather(*(self.locker.cancel(booking) for booking in self.bookings))
        await asyncio.gather(*(self.locker.release(hold) for hold in shuffled[half:]))
        self.bookings = await asyncio.gather(*(self.locker.confirm(hold) for hold in shuffled[:half]))


def told(name: str, seconds: Sequence[float]) -> str:
    """The distribution of waiting times, in milliseconds."""
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return f"{name:<12}{1000 * cuts[49]:>8.1f}{1000 * cuts[98]:>8.1f}{1000 * max(seconds):>8.1f}"


async def measure(given: argparse.Namespace) -> None:
    """Run all rounds and print what was measured."""
    plan = house(given.seats, given.sold, random.Random(1))
    async with AsyncSeatLocker.from_url(given.redis) as locker:
        rush = Rush(locker, given)
        await locker.warm(rush.show, plan)
        await locker.open_sale(rush.show)
        free = (await locker.availability(rush.show)).counts["free"]
        print(f"{len(plan):,} seats, {free:,} free; {given.callers} callers at once, {given.count} seats each; in ms:")
        print(f"{'':<12}{'p50':>8}{'p99':>8}{'max':>8}")
        first = await rush.round()
        rounds = [await rush.round() for _ in range(given.rounds)]
        print(told("first round", first))
        print(told(f"next {given.rounds}", list(itertools.chain(*rounds))))
        print(f"the seats of {100 * rush.adjacent / rush.answers:.0f} % of the holds adjoin")


def arguments() -> argparse.Namespace:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser(description="Measure acquire_best in a house that is nearly sold out.")
    parser.add_argument("--seats", type=int, default=50_000)
    parser.add_argument("--sold", type=float, default=95.0, help="percent")
    parser.add_argument("--callers", type=int, default=500)
    parser.add_argument("--count", type=int, default=2, help="seats that each wants")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument(
        "--redis", metavar="URL", default="embedded://", help="a server to use (default: a private one)"
    )
    given = parser.parse_args()
    free = given.seats - round(given.seats * given.sold / 100)
    if given.callers * given.count * 3 // 2 > free:
        parser.error(f"{given.callers} callers want {given.count} seats each, and only {free:,} are free")
    return given


def main() -> int:
    """Measure; 1 if somebody was refused."""
    try:
        asyncio.run(measure(arguments()))
    except SeatLockError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
