"""What the proofs judge, and what a judgement is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Final

import msgspec

from seatlock.plan import SeatingPlan
from seatlock.simulation.raw import RawLock, RawShow
from seatlock.simulation.tally import Best, Claim, Receipt, Stay, Told, Unanswered

SHOWN: Final = 5  # offenders that a proof names


class Proof(msgspec.Struct, frozen=True):
    """One line of the result: what was looked at, the figures, whether it holds, and some of what speaks against it."""

    name: str
    figures: str
    ok: bool
    offenders: tuple[str, ...] = ()


class Evidence(msgspec.Struct, frozen=True, dict=True):
    """What the proofs judge.

    ``receipts`` and ``doubts`` are the buyers', ``raw`` is what Redis has. ``fences`` are those of all holds made,
    ``lost_early``, ``not_resumed`` and ``unanswered`` count what went wrong before the buyers' eyes. ``kept`` is what
    the house took off sale before it opened. ``limit`` is how many seats a holder may have, ``stays`` who had how many
    and when; ``bests`` is what those got who asked for the best seats, ``none_left`` how many those wanted who were
    told that not so many are free. ``stock`` is how many each pool was warmed with, ``claims`` who had how many of them
    and when, by token, and ``told`` who was told that not so many are left.
    """

    plan: SeatingPlan
    receipts: Sequence[Receipt]
    raw: RawShow
    doubts: Sequence[Unanswered] = ()
    fences: Sequence[int] = ()
    lost_early: int = 0
    not_resumed: int = 0
    unanswered: int = 0
    kept: frozenset[str] = frozenset()
    limit: int | None = None
    stays: Sequence[Stay] = ()
    best: bool = False
    bests: Sequence[Best] = ()
    none_left: Sequence[int] = ()
    stock: Mapping[str, int] = {}
    claims: Mapping[str, Claim] = {}
    told: Sequence[Told] = ()

    @cached_property
    def receipts_of(self) -> dict[str, list[Receipt]]:
        """The receipts by seat."""
        found: dict[str, list[Receipt]] = {}
        for receipt in self.receipts:
            for seat in receipt.hold.seats:
                found.setdefault(seat, []).append(receipt)
        return found

    @cached_property
    def doubtful_tokens(self) -> dict[str, Unanswered]:
        """Payments that may be booked or not, by the token of the hold."""
        return {doubt.hold.token: doubt for doubt in self.doubts}

    @cached_property
    def elsewhere(self) -> frozenset[str]:
        """The seats that were sold before the show was warmed."""
        return frozenset(seat.id for seat in self.plan.seats if seat.status == "sold")

    @cached_property
    def sold_locks(self) -> dict[str, RawLock]:
        """The locks of what was sold in this show."""
        return {
            seat: lock
            for seat, lock in self.raw.locks.items()
            if lock.state == "s" and not (seat in self.elsewhere and lock.token == "")
        }


def none(name: str, offenders: Sequence[str]) -> Proof:
    """A proof that holds if there are no offenders."""
    return Proof(name, f"{len(offenders):,}", not offenders, tuple(offenders[:SHOWN]))


def both(name: str, on_paper: Sequence[str], in_redis: Sequence[str]) -> Proof:
    """A proof that holds if there are no offenders, neither by the buyers' receipts nor by the raw keys."""
    figures = f"{len(on_paper):,} by receipts, {len(in_redis):,} by raw keys"
    return Proof(name, figures, not on_paper and not in_redis, (*on_paper[:SHOWN], *in_redis[:SHOWN]))
