"""Makes engines: which databases there can be, and how their connections are set up."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.pool import ConnectionPoolEntry

from seatlock._database import POSTGRES, engine_of
from seatlock.errors import InvalidRequest

READS: Final = "seatlock_reads"
"""The execution option of a connection that only reads: on SQLite it does not wait for the writer."""

POOL_SIZE: Final = 8


def ledger_engine(url: str, patience: float) -> sa.Engine:
    """Make the engine of a ledger, which waits no longer than ``patience`` seconds for anything."""
    kind = url.partition(":")[0].lower()
    common = {"hide_parameters": True, "pool_size": POOL_SIZE, "max_overflow": 0, "pool_timeout": patience}
    if kind in (*POSTGRES, "postgresql+psycopg"):
        engine = engine_of(url, connect_args=_postgres(url, patience), isolation_level="READ COMMITTED", **common)
    elif kind in ("sqlite", "sqlite+pysqlite"):
        engine = _sqlite(url, patience, common)
    else:
        raise InvalidRequest(f"a ledger is kept in PostgreSQL (with psycopg) or SQLite, not in {kind[:40]!r}.")
    event.listen(engine, "connect", _remember_process)
    event.listen(engine, "checkout", _refuse_parents)
    return engine


def _postgres(url: str, patience: float) -> dict[str, Any]:
    """What libpq and psycopg are told; what the URL says itself counts more."""
    given: Mapping[str, Any] = {}
    with suppress(exc.ArgumentError, ValueError):  # `engine_of` says what is wrong
        given = sa.make_url(url).query
    # The last one is for others: a process that was paused in a transaction would keep them waiting until it wakes.
    bounds = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    bound = " ".join(f"-c {name}={int(patience * 1000)}" for name in bounds)
    settings = {
        "application_name": "seatlock",
        "connect_timeout": str(max(2, int(patience))),  # libpq takes less than 2 for 2
        "target_session_attrs": "read-write",  # never a standby, which may not know yet what was decided
        "tcp_user_timeout": str(int(patience * 1000)),
    }
    told: dict[str, Any] = {name: value for name, value in settings.items() if name not in given}
    told["options"] = f"{bound} {given['options']}" if "options" in given else bound
    told["prepare_threshold"] = None  # a batch is a few statements; and poolers that share connections need no care
    return told


def _sqlite(url: str, patience: float, common: dict[str, Any]) -> sa.Engine:
    engine = engine_of(url, connect_args={"timeout": patience}, poolclass=sa.QueuePool, **common)
    file = engine.url.database
    if not file or ":memory:" in file or engine.url.query.get("mode") == "memory":
        raise InvalidRequest("a ledger in memory would forget its bookings: name a file, as in sqlite:///ledger.db")
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: Any, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # Python's driver would begin transactions by itself, and too late
    cursor = connection.cursor()
    for setting in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        cursor.execute(f"PRAGMA {setting}")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    reads = connection.get_execution_options().get(READS)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _remember_process(_: Any, entry: ConnectionPoolEntry) -> None:
    entry.info["process"] = os.getpid()


def _refuse_parents(_: Any, entry: Any, proxy: Any) -> None:
    """A forked process makes connections of its own: two on one socket would read each other's answers."""
    if entry.info["process"] != os.getpid():
        entry.dbapi_connection = proxy.dbapi_connection = None  # left to the parent, not closed
        raise exc.DisconnectionError("the connection belongs to the parent process")
