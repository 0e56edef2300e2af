"""Connections that are lost around COMMIT: before it, and nothing was done, or behind it, and nobody was told."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy import event

from seatlock.ledger import Ledger

Hook = Callable[[sa.Connection], None]


def at_commit(ledger: Ledger, hook: Hook) -> Callable[[], None]:
    """Call the hook between the last statement of every transaction and its COMMIT: gives what ends that."""
    engine = ledger._transactions.engine
    event.listen(engine, "commit", hook)
    return lambda: event.remove(engine, "commit", hook)


def lose_before(connection: sa.Connection) -> None:
    """Lose the connection with all that was done in the transaction."""
    _lose(connection)


def lose_behind(connection: sa.Connection) -> None:
    """Commit, and lose the connection before anybody is told."""
    _driver(connection).commit()
    _lose(connection)


def now_and_then(seed: int, share: float, count: list[int]) -> Hook:
    """Lose a share of all commits, half of them behind; ``count`` tells how many were."""
    chance = random.Random(seed)

    def hook(connection: sa.Connection) -> None:
        if chance.random() < share:
            count[0] += 1
            chance.choice([lose_before, lose_behind])(connection)

    return hook


def once(hook: Hook, times: int = 1) -> Hook:
    """The hook for the first transactions only."""
    left = [times]

    def first(connection: sa.Connection) -> None:
        if left[0]:
            left[0] -= 1
            hook(connection)

    return first


def _lose(connection: sa.Connection) -> None:
    if connection.dialect.name == "postgresql":
        _driver(connection).close()  # the server rolls back what is not committed; COMMIT will find it closed
        return
    # a library in this process cannot be lost: it is said to be busy, as it can be at a COMMIT
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorcode = sqlite3.SQLITE_BUSY
    raise sa.exc.OperationalError("COMMIT", None, error)


def _driver(connection: sa.Connection) -> sqlite3.Connection:
    found = connection.connection.dbapi_connection
    assert found is not None
    return found  # type: ignore[return-value]  # or psycopg's, which has the same methods
