"""What the ledger is asked and what it answers: frozen msgspec Structs. No token gets in here, only its hash."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import cached_property
from typing import Final, Literal

import msgspec

from seatlock import _bounds
from seatlock._nothing import NOTHING
from seatlock._tokens import hash_of
from seatlock.errors import InvalidRequest

__all__ = ["AuditEntry", "Claim", "Conflicts", "Decision", "Key", "PoolStock", "Record", "SoldSeat", "hash_of"]

Key = tuple[str, str]
"""A show, and a booking, a seat or a pool of it."""

Status = Literal["confirmed", "rejected", "cancelled"]
_is_hash: Final = re.compile(r"[0-9a-f]{64}").fullmatch


class Claim(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """What is asked of the ledger: that these seats and quantities of pools become the booking of this holder.

    ``epoch`` and ``fence`` are those of the pin or the confirm. Raises `seatlock.InvalidRequest` for what no hold can
    be, so nothing that a database could choke on gets as far as one.
    """

    show: str
    booking: str
    holder: str
    token_hash: str
    epoch: int
    fence: int
    seats: tuple[str, ...] = ()
    pools: Mapping[str, int] = NOTHING
    payment: str | None = None

    def __post_init__(self) -> None:
        """Check all that was given."""
        _bounds.show_id(self.show)
        _bounds.reference("booking", self.booking)
        _bounds.seats_with_pools(self.seats, self.holder, self.pools)
        _bounds.fence("fence", self.fence)
        _bounds.fence("epoch", self.epoch)
        if self.payment is not None:
            _bounds.reference("payment", self.payment)
        if not _is_hash(self.token_hash):
            raise InvalidRequest("token_hash must be the SHA-256 of the token: use seatlock.ledger.hash_of(token).")

    @property
    def key(self) -> Key:
        """What the ledger knows the booking by."""
        return self.show, self.booking

    @cached_property
    def request_hash(self) -> str:
        """SHA-256 over the content in one canonical form.

        Without epoch and fence: a booking that is pinned again in a later epoch is the same booking.
        """
        content = (
            self.show,
            self.booking,
            self.holder,
            self.token_hash,
            self.payment,
            sorted(self.seats),
            sorted(self.pools.items()),
        )
        return hashlib.sha256(msgspec.json.encode(content)).hexdigest()


class CheckedClaim(Claim, frozen=True, kw_only=True, dict=True):
    """A claim whose content was checked before: what it claims was held and pinned."""

    def __post_init__(self) -> None:
        """Nothing is left to check."""


class Conflicts(msgspec.Struct, frozen=True, omit_defaults=True):
    """What stood in the way: each seat with the booking that had it, each pool with how many were left."""

    seats: Mapping[str, str] = NOTHING
    pools: Mapping[str, int] = NOTHING

    def __bool__(self) -> bool:
        return bool(self.seats or self.pools)

    @property
    def by_booking(self) -> Mapping[str, tuple[str, ...]]:
        """The seats by the booking that had them."""
        return {owner: tuple(seat for seat, of in self.seats.items() if of == owner) for owner in self.seats.values()}


class Record(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A booking as the ledger has it.

    ``status`` ``rejected`` is a tombstone: final. A booking that was cancelled before it was decided has no content
    (``holder``, ``token_hash``, ``epoch`` and ``fence`` are None). ``reason`` says why it was rejected or cancelled;
    ``conflicts`` what stood in the way, where that was it. Times are seconds since the epoch by the database's clock.
    """

    show: str
    booking: str
    status: Status
    holder: str | None
    token_hash: str | None
    epoch: int | None
    fence: int | None
    seats: tuple[str, ...]
    pools: Mapping[str, int]
    payment: str | None
    request_hash: str | None
    reason: str | None
    conflicts: Conflicts
    decided_at: float
    cancelled_at: float | None

    @property
    def key(self) -> Key:
        """What the ledger knows the booking by."""
        return self.show, self.booking


class Decision(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The ledger's answer to a claim.

    ``confirmed``, ``rejected`` and ``cancelled`` are what the record says, and the same whenever it is asked again
    (a confirmed booking may be cancelled later). ``mismatch``: the booking is on record with another content, so
    somebody was perhaps charged twice. ``stale``: the claim is of another epoch than the show's ``epoch`` in the
    ledger, nothing was written, and it is no answer yet. ``record`` is what is on record, None where nothing is.
    """

    show: str
    booking: str
    status: Literal["confirmed", "rejected", "cancelled", "mismatch", "stale"]
    epoch: int
    record: Record | None = None


class SoldSeat(msgspec.Struct, frozen=True):
    """A seat that is sold, and the booking that has it."""

    seat: str
    booking: str
    holder: str
    token_hash: str
    epoch: int
    fence: int
    payment: str | None
    decided_at: float


class PoolStock(msgspec.Struct, frozen=True):
    """How many a pool has in all, and how many are sold."""

    capacity: int
    sold: int


class AuditEntry(msgspec.Struct, frozen=True):
    """What was done, ``sold`` or ``cancelled``, by whom and when (seconds, by the database's clock).

    It is of a seat, or of a pool, and then of so many of it (``quantity``).
    """

    id: int
    what: str
    who: str | None
    booking: str | None
    reason: str | None
    at: float
    quantity: int | None = None
