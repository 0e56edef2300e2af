"""The one place where what a database or its driver raises becomes an error of seatlock's."""

from __future__ import annotations

import random
import re
import time
from typing import Any, Final

from sqlalchemy import exc

from seatlock.errors import LedgerFailed, LedgerUnavailable, SeatLockError

FIRST_PAUSE: Final = 0.005  # seconds
LONGEST_PAUSE: Final = 0.25  # seconds
MOST_ATTEMPTS: Final = 1000  # a bound on top of the patience
MOST_TOLD: Final = 300  # characters of a foreign error's text

_PASSING: Final = frozenset(
    {
        "40001",  # serialisation failure
        "40P01",  # deadlock
        "55P03",  # lock timeout
        "57014",  # statement timeout
        "57P01",  # shutting down
        "57P02",  # another backend crashed
        "57P03",  # starting up
        "57P04",  # the database is being replaced
        "57P05",  # idle for too long
        "25P03",  # likewise, in a transaction
        "25006",  # a standby: the writer may be elsewhere by now
    }
)
_AWAY: Final = ("08", "53", "58")  # classes: connections, resources such as disk and memory, the system itself
_PASSING_OF_SQLITE: Final = frozenset({5, 6, 8, 10, 13, 14, 15})
# busy, locked, read-only, input or output, full, cannot open, locking protocol
_NO_TABLES: Final = frozenset({"42P01", "42703", "3F000"})
_SECRET: Final = re.compile(r"[0-9a-f]{32,}|(?<=password=)\S+|(?<=://)[^@\s]*(?=@)")


def may_pass(error: BaseException) -> bool:
    """Whether the same transaction may succeed when it is carried out again: it is idempotent, whatever became of it.

    So it is where a neighbour was in the way, and where the database is away; else it would fail again.
    """
    if isinstance(error, exc.TimeoutError):  # of the pool
        return True
    original: Any = getattr(error, "orig", None) or error
    state: str | None = getattr(original, "sqlstate", None)
    if getattr(error, "connection_invalidated", False) or state in _PASSING:
        return True
    if state is not None:
        return state.startswith(_AWAY)
    if (code := getattr(original, "sqlite_errorcode", None)) is not None:
        return code & 0xFF in _PASSING_OF_SQLITE  # the rest of it tells more
    return type(original).__name__ == "OperationalError"  # psycopg's for a connection that was not made, or was lost


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
        if not may_pass(error):
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
