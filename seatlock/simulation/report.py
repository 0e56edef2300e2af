"""What a simulation has to say, while it runs and at the end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from seatlock.simulation.proofs import Proof
from seatlock.simulation.settings import Settings
from seatlock.simulation.tally import Tally, percentile

Phase = Literal["warming", "selling", "settling", "checking", "over"]
"""What a simulation is at: ``settling`` waits for the last holds to run out, ``checking`` makes the proofs."""


class Progress(msgspec.Struct, frozen=True):
    """A run at one moment. ``seats``, ``warmed``, ``sold``, ``held`` and ``free`` count seats and stock.

    ``seconds`` is the sale's so far.
    """

    phase: Phase
    seats: int
    warmed: int
    buyers: int
    done: int
    sold: int
    held: int
    free: int
    operations: int
    seconds: float


class Latency(msgspec.Struct, frozen=True):
    """What calls of one verb took as their callers saw it, in seconds; nan where there was no call."""

    calls: int
    p50: float
    p99: float

    @classmethod
    def of(cls, seconds: Iterable[float]) -> Latency:
        """Sum up the times of calls."""
        times = sorted(seconds)
        return cls(len(times), percentile(times, 0.5), percentile(times, 0.99))


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a run.

    ``bookings`` are buyers' receipts, ``seats_sold`` the seats on them, ``stock_sold`` what is on them of the pool.
    ``abandoned`` holds were given back, of them ``released`` explicitly and the rest by running out; ``too_late`` is
    who paid after the hold had run out. ``resumed`` is who refreshed the page and got the same hold. ``absent`` buyers
    had no turn, or left in the middle, because of the time limit. ``over_limit`` requests were refused because of the
    limit a holder. ``seconds`` is the length of the sale, from the first buyer to the last.
    """

    show: str
    plan: str
    seats: int
    settings: Settings
    seconds: float
    holds: int
    refusals: int
    bookings: int
    seats_sold: int
    abandoned: int
    released: int
    too_late: int
    resumed: int
    came_back: int
    absent: int
    operations: int
    acquire: Latency
    confirm: Latency
    proofs: tuple[Proof, ...]
    over_limit: int = 0
    stock_sold: int = 0

    @property
    def ok(self) -> bool:
        """Whether every proof holds."""
        return all(proof.ok for proof in self.proofs)


def report_of(
    show: str, plan: str, seats: int, settings: Settings, seconds: float, tally: Tally, proofs: tuple[Proof, ...]
) -> Report:
    """Put a report together."""
    return Report(
        show=show,
        plan=plan,
        seats=seats,
        settings=settings,
        seconds=seconds,
        holds=tally.holds,
        refusals=tally.refusals,
        bookings=len(tally.receipts),
        seats_sold=sum(len(receipt.booking.seats) for receipt in tally.receipts),
        abandoned=tally.ran_out + tally.released,
        released=tally.released,
        too_late=tally.too_late,
        resumed=tally.resumed,
        came_back=tally.came_back,
        absent=settings.buyers - tally.done,
        operations=tally.operations,
        acquire=Latency.of(tally.acquires),
        confirm=Latency.of(tally.confirms),
        proofs=proofs,
        over_limit=tally.over_limit,
        stock_sold=sum(sum(receipt.booking.pools.values()) for receipt in tally.receipts),
    )
