"""Brings the tables of a database to the form of this version, with Alembic."""

from __future__ import annotations

from typing import Final

import msgspec
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

__all__ = ["VERSION_TABLE", "Migrated", "config", "migrate", "revision_of"]

VERSION_TABLE: Final = "ledger_version"
"""Not Alembic's usual name, so that a ledger beside an application's own tables leaves its migrations alone."""

_LOCK: Final = 7_311_524_803_290_521  # any number that nobody else locks


class Migrated(msgspec.Struct, frozen=True):
    """From which revision to which: ``before`` is None where there were no tables."""

    before: str | None
    after: str | None


def migrate(connection: Connection) -> Migrated:
    """Make what is missing, within the caller's transaction; several who begin at once take turns."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    before = revision_of(connection)
    command.upgrade(config(connection), "head")
    return Migrated(before, revision_of(connection))


def revision_of(connection: Connection) -> str | None:
    """The revision that a database has."""
    return MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()


def config(connection: Connection) -> Config:
    """What `seatlock/ledger/migrations/env.py` is told."""
    told = Config(attributes={"connection": connection})
    told.set_main_option("script_location", "seatlock.ledger:migrations")
    return told
