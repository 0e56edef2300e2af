"""Booking rows: what is written of a claim, and how a row is read back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from seatlock.ledger._rows import Row, among, argument
from seatlock.ledger.model import Claim, Conflicts, Key, Record, Status
from seatlock.ledger.schema import bookings

NO_CONFLICTS: Final = Conflicts()
_COLUMNS: Final = bookings.c.keys()
_encode: Final = msgspec.json.encode
_decode_seats: Final = msgspec.json.Decoder(tuple[str, ...]).decode
_decode_pools: Final = msgspec.json.Decoder(dict[str, int]).decode
_decode_conflicts: Final = msgspec.json.Decoder(Conflicts).decode


def row_of(claim: Claim, status: Status, reason: str | None = None) -> Row:
    """The row of a claim."""
    return {
        "show": claim.show,
        "id": claim.booking,
        "status": status,
        "holder": claim.holder,
        "token_hash": claim.token_hash,
        "epoch": claim.epoch,
        "fence": claim.fence,
        "seats": text_of(claim.seats),
        "pools": text_of(claim.pools) if claim.pools else "{}",
        "payment": claim.payment,
        "request_hash": claim.request_hash,
        "reason": reason,
    }


def text_of(content: object) -> str:
    """Content as the JSON that is kept."""
    return _encode(content).decode()


def record_of(
    claim: Claim, status: Status, decided_at: float, reason: str | None = None, conflicts: Conflicts = NO_CONFLICTS
) -> Record:
    """What a row that was just written of a claim says, without reading it."""
    return Record(
        show=claim.show,
        booking=claim.booking,
        status=status,
        holder=claim.holder,
        token_hash=claim.token_hash,
        epoch=claim.epoch,
        fence=claim.fence,
        seats=claim.seats,
        pools=claim.pools,
        payment=claim.payment,
        request_hash=claim.request_hash,
        reason=reason,
        conflicts=conflicts,
        decided_at=decided_at,
        cancelled_at=None,
    )


def record(row: Iterable[Any]) -> Record:
    """What a row of `bookings` says."""
    told = dict(zip(_COLUMNS, row, strict=True))
    conflicts = told.pop("conflicts")
    return Record(
        booking=told.pop("id"),
        seats=_decode_seats(told.pop("seats")),
        pools=_decode_pools(told.pop("pools")),
        conflicts=NO_CONFLICTS if conflicts is None else _decode_conflicts(conflicts),
        **told,
    )


def read_back(connection: Connection, keys: set[Key]) -> Mapping[Key, Record]:
    """What is on record of these bookings."""
    if not keys:
        return {}
    found = sa.select(bookings).where(among(connection.dialect.name, bookings, ("show", "id")))
    rows = connection.execute(found, argument({"show": show, "id": booking} for show, booking in keys))
    return {known.key: known for known in map(record, rows)}
