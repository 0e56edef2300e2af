"""What Alembic runs to migrate; `seatlock.ledger.migrate` gives the connection, and the transaction it is in."""

from __future__ import annotations

from alembic import context

from seatlock.ledger.migrate import VERSION_TABLE
from seatlock.ledger.schema import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, version_table=VERSION_TABLE
)
context.run_migrations()
