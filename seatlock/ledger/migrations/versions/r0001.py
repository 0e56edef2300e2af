"""The first tables: bookings, sold seats, shows, pools, audit."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0001"
down_revision: Final = None
branch_labels: Final = None
depends_on: Final = None


def _id(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=nullable)


def _now(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False, server_default=sa.func.current_timestamp())


def upgrade() -> None:
    """Make them."""
    _bookings()
    op.create_table(
        "sold_seats",
        _id("show"),
        _id("seat"),
        _id("booking"),
        sa.PrimaryKeyConstraint("show", "seat", name=op.f("pk_sold_seats")),
        sa.ForeignKeyConstraint(
            ["show", "booking"], ["bookings.show", "bookings.id"], name=op.f("fk_sold_seats_show_booking")
        ),
    )
    op.create_table(
        "shows",
        _id("show"),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("show", name=op.f("pk_shows")),
        sa.CheckConstraint("epoch >= 1", name=op.f("ck_shows_epoch")),
    )
    op.create_table(
        "pools",
        _id("show"),
        _id("pool"),
        sa.Column("capacity", sa.BigInteger, nullable=False),
        sa.Column("sold", sa.BigInteger, nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("show", "pool", name=op.f("pk_pools")),
        sa.CheckConstraint("sold >= 0 AND sold <= capacity", name=op.f("ck_pools_stock")),
    )
    _audit()


def _bookings() -> None:
    op.create_table(
        "bookings",
        _id("show"),
        _id("id"),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("holder", sa.Text),
        sa.Column("token_hash", sa.Text),
        sa.Column("epoch", sa.BigInteger),
        sa.Column("fence", sa.BigInteger),
        sa.Column("seats", sa.Text, nullable=False),
        sa.Column("pools", sa.Text, nullable=False),
        sa.Column("payment", sa.Text),
        sa.Column("request_hash", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("conflicts", sa.Text),
        _now("decided_at"),
        sa.Column("cancelled_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("show", "id", name=op.f("pk_bookings")),
        sa.CheckConstraint("status IN ('confirmed', 'rejected', 'cancelled')", name=op.f("ck_bookings_status")),
        sa.CheckConstraint("status = 'cancelled' OR request_hash IS NOT NULL", name=op.f("ck_bookings_content")),
    )


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), autoincrement=True),
        _id("show"),
        _id("seat"),
        sa.Column("quantity", sa.BigInteger),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("who", sa.Text),
        sa.Column("booking", sa.Text),
        sa.Column("reason", sa.Text),
        _now("at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_show_seat"), "audit", ["show", "seat"])
    _append_only()


def _append_only() -> None:
    """Triggers: whoever owns the tables can drop them, but nobody changes a row by mistake."""
    why = "'rows of the audit are never changed or deleted'"
    if op.get_context().dialect.name == "postgresql":
        refusal = f"BEGIN RAISE EXCEPTION {why}; END"
        op.execute(f"CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ {refusal} $$")
        events = "UPDATE OR DELETE OR TRUNCATE"
        trigger = f"CREATE TRIGGER audit_append_only BEFORE {events} ON audit FOR EACH STATEMENT"
        op.execute(f"{trigger} EXECUTE FUNCTION audit_append_only()")
        return
    known = "WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)"  # REPLACE deletes without a trigger
    for event, when in (("UPDATE", ""), ("DELETE", ""), ("INSERT", known)):
        refusal = f"BEGIN SELECT RAISE(ABORT, {why}); END"
        op.execute(f"CREATE TRIGGER audit_append_only_{event.lower()} BEFORE {event} ON audit {when} {refusal}")
