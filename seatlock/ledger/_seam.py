"""The one place where what a database or its driver raises becomes an error of seatlock's."""

from __future__ import annotations

import enum
import random
import re
import time
from typing import Any, Final

from sqlalchemy import exc

from seatlock.errors import LedgerFailed, LedgerUnavailable, SeatLockError

FIRST_PAUSE: Final = 0.005  # seconds
LONGEST_PAUSE: Final = 0.25  # seconds
MOST_ATTEMPTS: Final = 100  # a bound on top of the patience
MOST_TOLD: Final = 300  # characters of a foreign error's text

_AGAIN: Final = frozenset({"40001", "40P01", "55P03"})  # serialisation failure, deadlock, lock timeout
_DOWN: Final = frozenset({"57P01", "57P02", "57P03", "57P04", "57P05", "57014", "25006", "25P03"})
# shutting down, crashed, starting up, dropped, idle too long, statement timeout, a standby, idle too long
_DOWN_CLASSES: Final = ("08", "53", "58")  # connections, resources such as disk and memory, the system itself
_NO_TABLES: Final = frozenset({"42P01", "42703", "3F000"})
_BUSY: Final = frozenset({5, 6})  # SQLITE_BUSY, SQLITE_LOCKED
_UNFIT: Final = frozenset({8, 10, 13, 14, 15})  # SQLite: read-only, I/O, full, cannot open, locking protocol
_SECRET: Final = re.compile(r"[0-9a-f]{32,}|(?<=password=)\S+|(?<=://)[^@\s]*(?=@)")


class Fate(enum.Enum):
    """What a failure means for the transaction."""

    AGAIN = "it was rolled back because of a neighbour: carry it out again"
    DOWN = "the database is away, and may have committed or not: carry it out again, it is idempotent"
    BROKEN = "it will fail again"


def fate_of(error: BaseException) -> Fate:
    """What a failure means."""
    if isinstance(error, exc.TimeoutError):  # of the pool
        return Fate.DOWN
    original: Any = getattr(error, "orig", None) or error
    state: str | None = getattr(original, "sqlstate", None)
    if state in _AGAIN:
        return Fate.AGAIN
    if getattr(error, "connection_invalidated", False) or state in _DOWN or (state or "").startswith(_DOWN_CLASSES):
        return Fate.DOWN
    if (code := getattr(original, "sqlite_errorcode", None)) is not None:
        primary = code & 0xFF  # the rest tells more
        return Fate.AGAIN if primary in _BUSY else Fate.DOWN if primary in _UNFIT else Fate.BROKEN
    # psycopg has no code for a connection that could not be made, or was lost
    return Fate.DOWN if state is None and type(original).__name__ == "OperationalError" else Fate.BROKEN


class Attempts:
    """The attempts to carry out one transaction, for ``patience`` seconds."""

    __slots__ = ("_count", "_deadline", "_what")

    def __init__(self, what: str, patience: float) -> None:
        self._what = what
        self._deadline = time.monotonic() + patience
        self._count = 0

    def failed(self, error: BaseException) -> float:
        """Take note of a failure: gives the seconds to pause before the next attempt, or raises the final error."""
        self._count += 1
        if fate_of(error) is Fate.BROKEN:
            raise _failure(self._what, error) from error
        pause = min(FIRST_PAUSE * 2.0 ** min(self._count - 1, 10), LONGEST_PAUSE) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter is no secret
        if self._count >= MOST_ATTEMPTS or time.monotonic() + pause > self._deadline:
            attempts = "1 attempt" if self._count == 1 else f"{self._count} attempts"
            raise LedgerUnavailable(
                f"{self._what}: the ledger's database gave no answer in {attempts} ({told(error)}); ask again with the "
                "same arguments: what was decided, if anything, is the answer then."
            ) from error
        return pause


def told(error: BaseException) -> str:
    """What the database itself said, in a line: SQLAlchemy adds the statement and a link, drivers may add a URL."""
    original = getattr(error, "orig", None) or error
    text = _SECRET.sub("…", " ".join(str(original).split()))
    return f"{type(original).__name__}: {text[:MOST_TOLD]}{'…' if len(text) > MOST_TOLD else ''}"


def _failure(what: str, error: BaseException) -> LedgerFailed:
    original: Any = getattr(error, "orig", None) or error
    missing = getattr(original, "sqlstate", None) in _NO_TABLES or "no such " in str(original)
    if missing:
        return LedgerFailed(f"{what}: the ledger's tables are not those of this version: run seatlock migrate.")
    return LedgerFailed(f"{what}: the ledger's database refused ({told(error)}); mend the cause and ask again.")


def copy_of(error: SeatLockError) -> SeatLockError:
    """The same error for somebody else: a traceback grows with everyone who raises it."""
    copy = type(error)(*error.args)
    copy.__cause__ = error.__cause__
    return copy
