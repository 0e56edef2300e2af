"""Finds out whether a ledger can be written: a booking is decided, and undone in the same transaction."""

from __future__ import annotations

from contextlib import suppress

import sqlalchemy as sa
from sqlalchemy import Connection

from seatlock._tokens import hash_of, new_token
from seatlock.errors import LedgerFailed
from seatlock.ledger._transactions import Transactions
from seatlock.ledger.decide import FIRST_EPOCH, decide
from seatlock.ledger.model import Claim
from seatlock.ledger.schema import shows


class _Undone(Exception):
    """All went well."""


def probe(transactions: Transactions, show: str) -> None:
    """Sell a seat that is none, of this show, and undo it; raises what the ledger says where it refuses."""
    with suppress(_Undone):
        transactions.run(f"trying whether bookings of show {show!r} can be written", lambda found: _sell(found, show))


def _sell(connection: Connection, show: str) -> None:
    name = f"probe-{new_token()}"
    epoch = connection.scalar(sa.select(shows.c.epoch).where(shows.c.show == show)) or FIRST_EPOCH
    claim = Claim(
        show=show, booking=name, holder=name, token_hash=hash_of(name), epoch=epoch, fence=epoch, seats=(name,)
    )
    (decision,) = decide(connection, [claim])
    if decision.status != "confirmed":
        raise LedgerFailed(f"the ledger says {decision.status!r} to a seat of show {show!r} that nobody has.")
    raise _Undone
