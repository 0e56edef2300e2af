"""The ledger: the durable record of bookings in PostgreSQL or SQLite, which decides who gets a seat (extra ``ledger``).

    with Ledger("postgresql://…") as ledger:
        ledger.migrate()
        decision = ledger.decide(Claim(show="hamlet", booking="b-1", holder="ann", seats=("A-1",), …))

Give it a database, or a schema, of its own. Nothing in the rest of the library imports it.
"""

from __future__ import annotations

try:
    import alembic
    import sqlalchemy
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"the ledger needs an extra ({error.name} is missing): pip install 'seatlock-redis[ledger]'", name=error.name
    ) from error

from seatlock.ledger.aio import AsyncLedger
from seatlock.ledger.ledger import DEFAULT_URL, Ledger
from seatlock.ledger.migrate import Migrated
from seatlock.ledger.model import AuditEntry, Claim, Conflicts, Decision, PoolStock, Record, SoldSeat, hash_of

__all__ = [
    "DEFAULT_URL",
    "AsyncLedger",
    "AuditEntry",
    "Claim",
    "Conflicts",
    "Decision",
    "Ledger",
    "Migrated",
    "PoolStock",
    "Record",
    "SoldSeat",
    "hash_of",
]

del alembic, sqlalchemy
