"""The tables of the ledger: one schema for PostgreSQL and SQLite. `migrations` makes them, a test compares the two.

Ids are compared byte by byte (collation C on PostgreSQL), so that no index, least of all the one which says that a seat
is sold once, depends on a system's rules of sorting, which change with its C library.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

metadata: Final = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Moment(TypeDecorator[float]):
    """A point in time of the database's clock, read as seconds since the epoch."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> float | None:  # noqa: ARG002 - SQLAlchemy's signature
        """SQLite gives back times that do not know their zone: UTC, as its CURRENT_TIMESTAMP writes them."""
        if value is None:
            return None
        return (value if value.tzinfo is not None else value.replace(tzinfo=UTC)).timestamp()


def _id() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _now(name: str) -> sa.Column[float]:
    return sa.Column(name, Moment, nullable=False, server_default=sa.func.current_timestamp())


_number: Final[Callable[[], sa.types.TypeEngine[int]]] = sa.BigInteger

bookings: Final = sa.Table(
    "bookings",
    metadata,
    sa.Column("show", _id(), primary_key=True),
    sa.Column("id", _id(), primary_key=True),
    sa.Column("status", sa.Text, nullable=False),
    # what was asked for: null in a booking that was cancelled before anybody asked
    sa.Column("holder", sa.Text),
    sa.Column("token_hash", sa.Text),
    sa.Column("epoch", _number()),
    sa.Column("fence", _number()),
    sa.Column("seats", sa.Text, nullable=False),
    sa.Column("pools", sa.Text, nullable=False),
    sa.Column("payment", sa.Text),
    sa.Column("request_hash", sa.Text),
    # why not, or not any more
    sa.Column("reason", sa.Text),
    sa.Column("conflicts", sa.Text),
    _now("decided_at"),
    sa.Column("cancelled_at", Moment),
    sa.CheckConstraint("status IN ('confirmed', 'rejected', 'cancelled')", name="status"),
    sa.CheckConstraint("status = 'cancelled' OR request_hash IS NOT NULL", name="content"),
)
"""Every booking that was decided, by its id; rows are never deleted. One with status rejected is a tombstone."""

sold_seats: Final = sa.Table(
    "sold_seats",
    metadata,
    sa.Column("show", _id(), primary_key=True),
    sa.Column("seat", _id(), primary_key=True),
    sa.Column("booking", _id(), nullable=False),
    sa.ForeignKeyConstraint(["show", "booking"], ["bookings.show", "bookings.id"]),
)
"""The seats of the confirmed bookings. Its primary key is why no seat is sold twice; cancelling removes rows."""

shows: Final = sa.Table(
    "shows",
    metadata,
    sa.Column("show", _id(), primary_key=True),
    sa.Column("epoch", _number(), nullable=False),
    sa.CheckConstraint("epoch >= 1", name="epoch"),
)
"""The epoch of every show that something was decided of."""

pools: Final = sa.Table(
    "pools",
    metadata,
    sa.Column("show", _id(), primary_key=True),
    sa.Column("pool", _id(), primary_key=True),
    sa.Column("capacity", _number(), nullable=False),
    sa.Column("sold", _number(), nullable=False, server_default="0"),
    sa.CheckConstraint("sold >= 0 AND sold <= capacity", name="stock"),
)
"""Stock without numbers: how many there are and how many are sold."""

audit: Final = sa.Table(
    "audit",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("show", _id(), nullable=False),
    sa.Column("seat", _id(), nullable=False),
    sa.Column("quantity", _number()),
    sa.Column("what", sa.Text, nullable=False),
    sa.Column("who", sa.Text),
    sa.Column("booking", sa.Text),
    sa.Column("reason", sa.Text),
    _now("at"),
    sa.Index(None, "show", "seat"),
)
"""Who did what to which seat, or to how many of a pool, whose name then stands for the seat: ``quantity`` is null for a
seat. Rows are added; triggers refuse to change or delete any.
"""
