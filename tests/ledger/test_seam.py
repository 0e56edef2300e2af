"""What an error of a database means, by its code."""

from __future__ import annotations

import sqlite3

import psycopg
import pytest
from sqlalchemy import exc

from seatlock.ledger._seam import may_pass, told

PASSING = ["DeadlockDetected", "SerializationFailure", "LockNotAvailable", "QueryCanceled", "AdminShutdown"]
PASSING += ["CrashShutdown", "CannotConnectNow", "TooManyConnections", "ReadOnlySqlTransaction", "DiskFull"]
PASSING += ["ConnectionFailure", "IoError", "OutOfMemory"]
FINAL = ["UniqueViolation", "CheckViolation", "UndefinedTable", "SyntaxError", "InsufficientPrivilege", "DataError"]


@pytest.mark.parametrize("name", PASSING)
def test_what_may_pass_on_postgresql(name: str) -> None:
    error = getattr(psycopg.errors, name)()
    assert may_pass(error)
    assert may_pass(exc.DBAPIError("SELECT", {}, error))


@pytest.mark.parametrize("name", FINAL)
def test_what_fails_again_on_postgresql(name: str) -> None:
    assert not may_pass(exc.DBAPIError("SELECT", {}, getattr(psycopg.errors, name)()))


def test_connections_that_are_not_made_and_pools_that_are_exhausted_may_pass() -> None:
    assert may_pass(psycopg.OperationalError("connection refused"))
    assert may_pass(exc.TimeoutError("QueuePool limit"))
    assert may_pass(exc.DBAPIError("SELECT", {}, psycopg.Error("lost"), connection_invalidated=True))


@pytest.mark.parametrize(
    ("code", "passes"),
    [
        (sqlite3.SQLITE_BUSY, True),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, True),
        (sqlite3.SQLITE_FULL, True),
        (sqlite3.SQLITE_IOERR_FSYNC, True),
        (sqlite3.SQLITE_ERROR, False),
        (sqlite3.SQLITE_CORRUPT, False),
        (sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, False),
    ],
)
def test_what_may_pass_on_sqlite(code: int, passes: bool) -> None:
    error = sqlite3.OperationalError("told")
    error.sqlite_errorcode = code
    assert may_pass(exc.OperationalError("SELECT", {}, error)) == passes


def test_what_is_told_of_an_error_is_a_line_without_secrets() -> None:
    text = f"could not reach postgresql://ann:s3cret@host/x?password=s3cret2 for\n{'a' * 32} {'x ' * 400}"
    said = told(exc.DBAPIError("SELECT secret", {"a": "secret"}, psycopg.OperationalError(text)))
    assert said.startswith("OperationalError: could not reach postgresql://…@host/x?password=… for … x x")
    assert len(said) < 330
    assert "cret" not in said
