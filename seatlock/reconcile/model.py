"""What reconcile tells: frozen msgspec Structs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, get_args

import msgspec

Kind = Literal[
    "unsold", "unfinalised", "released", "forgotten", "capacity", "orphan", "contested", "unplanned", "epoch"
]
"""What differs.

Mended by a pass: ``unsold``: sold in the ledger, and not (or to another booking) in Redis: it is sold there as well.
``unfinalised``: the same, and Redis has the booking's pin. ``released``: Redis has something for a booking that the
ledger has rejected or cancelled: it comes free. ``forgotten``: a pin that is old, not decided, and not in the outbox:
it is put there again, for the relay. ``capacity``: the ledger has another number of a pool: it gets that of Redis.

Left as they are, for somebody to look at: ``orphan``: sold in Redis, not on record, and not on its way there; it stays
sold, so that nobody else gets it. ``contested``: it could not be sold in Redis, since another booking has it there, or
not enough is left of a pool. ``unplanned``: sold in the ledger, and the show has no such seat or pool. ``epoch``: Redis
and the ledger are in different epochs: open the sale through the ledger again, which brings them together.
"""

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
ALARMING: Final = frozenset[Kind](["orphan", "contested", "unplanned", "epoch"])


class Mismatch(msgspec.Struct, frozen=True, gc=False):
    """One thing that differed: of which booking, the kind, what of it in words, and whether it is mended."""

    kind: Kind
    booking: str
    detail: str
    mended: bool


class Reconciled(msgspec.Struct, frozen=True):
    """What a pass over a show found.

    ``sold`` are seats and quantities that the ledger has sold, ``booked`` those that Redis has pinned or sold.
    ``kinds`` counts the ``mismatches`` by kind: all of them, where these are the first 1,000. ``waiting`` are bookings
    that are yet to be decided, ``unread`` the entries of the outbox that tell of them and of others, ``aside`` those
    that the relay has set aside. ``seconds`` is what the pass took.
    """

    show: str
    sold: int
    booked: int
    kinds: Mapping[Kind, int]
    mismatches: tuple[Mismatch, ...]
    waiting: int
    unread: int
    aside: int
    seconds: float

    @property
    def alarming(self) -> bool:
        """Whether something is left that wants somebody to look at it."""
        return self.aside > 0 or any(not each.mended for each in self.mismatches) or not ALARMING.isdisjoint(self.kinds)
