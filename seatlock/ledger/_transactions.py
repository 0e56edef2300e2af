"""Carries out transactions of the ledger: attempts, errors, and what a batch gets where it fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, TypeVar

from sqlalchemy import Connection, Engine, exc

from seatlock import _bounds
from seatlock.errors import InvalidRequest, LedgerFailed, LedgerUnavailable
from seatlock.ledger._engine import READS, ledger_engine
from seatlock.ledger._grouping import Answer
from seatlock.ledger._seam import Attempts, copy_of
from seatlock.ledger.decide import decide
from seatlock.ledger.model import Claim

AT_ONCE: Final = {"postgresql": 2, "sqlite": 1}
"""Transactions that decide at once: with two, PostgreSQL works while one waits for the disk; SQLite has one writer."""

T = TypeVar("T")


class Transactions:
    """Transactions on one database, which is a URL, or an engine for PostgreSQL that is the caller's."""

    def __init__(self, database: str | Engine, patience: float) -> None:
        self.patience = _bounds.milliseconds("patience", patience) / 1000
        self._owned: Engine | None = None
        if isinstance(database, str):
            self.engine = self._owned = ledger_engine(database, self.patience)
        elif database.dialect.name == "postgresql":
            self.engine = database.execution_options(isolation_level="READ COMMITTED")
        else:
            raise InvalidRequest("give the URL instead of an engine: only PostgreSQL needs no setting up.")
        self.at_once = AT_ONCE[self.engine.dialect.name]
        self._foreign: tuple[type[Exception], ...] = (exc.SQLAlchemyError, self.engine.dialect.loaded_dbapi.Error)
        self._lock = threading.Lock()
        self._under_way = 0
        self._closed = False

    def close(self) -> None:
        """Close the connections, each when nothing is under way on it; nothing can be asked any more."""
        with self._lock:
            self._closed = True
        self._dispose()

    def _dispose(self) -> None:
        with self._lock:
            idle = self._closed and not self._under_way
        if idle and self._owned is not None:
            self._owned.dispose()

    def check_open(self) -> None:
        """Refuse where it is closed."""
        if self._closed:
            raise InvalidRequest("this ledger is closed: make a new one.")

    def run(self, what: str, work: Callable[[Connection], T], *, reads: bool = False) -> T:
        """Carry out a transaction, again where it may succeed then; its result is given out once it is committed.

        Where the answer to COMMIT was lost, it is carried out again as well: what it did then, it finds.
        """
        with self._lock:
            self.check_open()
            self._under_way += 1
        try:
            return self._attempt(Attempts(what, self.patience), work, reads=reads)
        finally:
            with self._lock:
                self._under_way -= 1
            if self._closed:
                self._dispose()

    def _attempt(self, attempts: Attempts, work: Callable[[Connection], T], *, reads: bool) -> T:
        while True:
            try:
                with self.engine.connect() as connection, connection.execution_options(**{READS: reads}).begin():
                    return work(connection)  # once it is committed, which is done on the way out
            except self._foreign as error:
                pause = attempts.failed(error)
            time.sleep(pause)

    def decide(self, claims: Sequence[Claim]) -> list[Answer]:
        """Decide a batch in one transaction; where that fails, each by itself, so that only the offender fails."""
        what = f"deciding {len(claims)} bookings" if len(claims) > 1 else f"deciding booking {claims[0].booking!r}"
        try:
            return list(self.run(what, partial(decide, claims=claims)))
        except LedgerFailed as error:
            return [error] if len(claims) == 1 else self._one_by_one(claims)
        except (LedgerUnavailable, InvalidRequest) as error:
            return [copy_of(error) for _ in claims]

    def _one_by_one(self, claims: Sequence[Claim]) -> list[Answer]:
        answers: list[Answer] = []
        for claim in claims:
            answers += self.decide([claim])
            if isinstance(answers[-1], LedgerUnavailable):  # it would take the patience of each to say so to all
                return answers + [copy_of(answers[-1]) for _ in claims[len(answers) :]]
        return answers
