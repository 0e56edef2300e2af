"""What operators are told of a show: whether it adds up, and how it is. Frozen Structs, as in `seatlock.model`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from seatlock.model import PoolCounts, StateName

__all__ = ["Checked", "Difference", "DifferenceKind", "PoolDifference", "PoolDifferenceKind", "Vitals"]

DifferenceKind = Literal["missing", "surplus", "unlocked", "state", "deadline", "expiry", "unswept", "foreign"]
"""What is wrong with a seat.

``missing``: the plan has it, the availability hash does not. ``surplus``: the other way round (also while a warm that
adds seats is under way). ``unlocked``: the hash says held, pinned or sold, and there is no lock. ``state``: lock and
hash say different things; ``deadline``: both say held, until different times. ``expiry``: the lock of a held seat never
expires, or that of a pinned or sold one will. ``unswept``: held, and no sweep will take it back. ``foreign``: something
lies in place of its lock, or of its field of the hash, that seatlock never writes.
"""


class Difference(msgspec.Struct, frozen=True, gc=False):
    """One thing that `SeatLocker.check` found wrong: the seat, the kind, and the particulars in words."""

    seat: str
    kind: DifferenceKind
    detail: str


PoolDifferenceKind = Literal["lost", "beyond", "counts", "unswept", "owner", "foreign", "surplus"]
"""What is wrong with a pool.

``lost``: the show has it, and its counts are gone. ``beyond``: more is held and sold than there is. ``counts``: held
and sold are not what its claims and sales add up to. ``unswept``: a claim that no sweep will take back. ``owner``: a
sale that its owner does not find. ``foreign``: something that seatlock never writes. ``surplus``: something is kept of
a pool that the show does not have.
"""


class PoolDifference(msgspec.Struct, frozen=True, gc=False):
    """One thing that `SeatLocker.check` found wrong with a pool: its name, the kind, and the particulars in words."""

    pool: str
    kind: PoolDifferenceKind
    detail: str


class Checked(msgspec.Struct, frozen=True):
    """Whether a show adds up: every seat of the plan counted once, and all that is kept of each compared; so of pools.

    ``counts`` and ``pools`` are those at ``version`` (epoch and version, as in `Availability`); ``capacity`` is the
    number of seats in the plan. Each seat is compared at one moment, but not all at the same one. The claims and sales
    of a pool are added up where it rests for so long; ``unsettled`` are pools that changed whenever they were looked
    at: check again when the sale rests.
    """

    show: str
    version: tuple[int, int]
    capacity: int
    counts: Mapping[StateName, int]
    differences: tuple[Difference, ...]
    pools: Mapping[str, PoolCounts] = {}
    pool_differences: tuple[PoolDifference, ...] = ()
    unsettled: tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether the counts add up to the capacity, and nothing was found that differs.

        Of pools that are ``unsettled`` it says nothing: whether their claims and sales add up was not found out.
        """
        return sum(self.counts.values()) == self.capacity and not self.differences and not self.pool_differences


class Vitals(msgspec.Struct, frozen=True):
    """How a show is, in a few numbers of one moment.

    ``holds`` counts seats under live holds, ``due`` those whose hold has run out and that no sweep has published yet;
    a claim on a pool counts as one in both. ``unread`` are the entries of the outbox, ``version`` is epoch and version.
    """

    show: str
    version: tuple[int, int]
    seats: int
    holds: int
    due: int
    unread: int
