"""What brokers are told: the documented, versioned schema of a fact that the ledger has decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal, Protocol

import msgspec

from seatlock._nothing import NOTHING

SCHEMA: Final = 1
"""The version of this schema. Fields may be added under the same number; nothing else changes under it."""


class BookingEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a booking, as the ledger has it. Told at least once: know it again by its ``id``.

    ``key`` is what brokers keep the order by: all events of a show come in order, so those of each seat do. ``at`` is
    when the ledger decided or cancelled, in seconds since the epoch by the database's clock. ``holder``, ``payment``
    and ``fence`` are None where the ledger knows no more of a booking than that it was cancelled.
    """

    schema: int = SCHEMA
    id: str
    kind: Literal["confirmed", "rejected", "cancelled"]
    show: str
    booking: str
    seats: tuple[str, ...] = ()
    pools: Mapping[str, int] = NOTHING
    holder: str | None = None
    payment: str | None = None
    fence: int | None = None
    reason: str | None = None
    at: float

    @property
    def key(self) -> str:
        """What the order is kept by."""
        return self.show


class Publisher(Protocol):
    """Tells brokers."""

    async def publish(self, events: Sequence[BookingEvent]) -> None:
        """Tell these, in order; gives back once the broker has them all, and raises if it may not."""
        ...  # a protocol
