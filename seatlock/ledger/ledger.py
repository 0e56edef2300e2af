"""`Ledger`: the durable record of bookings, for threads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, Self, TypeVar

from sqlalchemy import Connection, Engine

from seatlock import _bounds
from seatlock._base import DEFAULT_PATIENCE
from seatlock.errors import InvalidRequest, SeatLockError
from seatlock.ledger import books
from seatlock.ledger._grouping import Grouping, batches
from seatlock.ledger._transactions import Transactions
from seatlock.ledger.decide import tombstone
from seatlock.ledger.migrate import Migrated, migrate
from seatlock.ledger.model import AuditEntry, Claim, Decision, PoolStock, Record, SoldSeat

__all__ = ["DEFAULT_URL", "Ledger"]

DEFAULT_URL: Final = "sqlite:///seatlock-ledger.db"
MOST_ROWS: Final = 10_000  # of a page

T = TypeVar("T")


class Ledger:
    """The durable record of bookings, in PostgreSQL or in a file of SQLite's; threads may share it.

    ``database`` is a URL, or an engine for PostgreSQL that you made and will dispose of. Whatever is asked may be
    asked again, and has one effect. Nothing is answered before it is committed. ``patience`` is the seconds that are
    spent on attempts where the database is away or busy; then `seatlock.LedgerUnavailable` is raised. Everything is
    read where it is written, never from a replica.
    """

    def __init__(self, database: str | Engine = DEFAULT_URL, *, patience: float = DEFAULT_PATIENCE) -> None:
        self._transactions = Transactions(database, patience)
        self._run = self._transactions.run
        self._grouping = Grouping(self._transactions.decide, self._transactions.at_once, self._transactions.patience)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections; nothing can be asked any more."""
        self._transactions.close()

    def migrate(self) -> Migrated:
        """Make the tables, or bring them to the form of this version; where they have it, nothing is done."""
        return self._run("migrating", migrate)

    def decide(self, claim: Claim) -> Decision:
        """Decide a claim. Those of several callers share transactions."""
        self._transactions.check_open()
        return self._grouping.decide(claim)

    def decide_many(self, claims: Sequence[Claim]) -> list[Decision | SeatLockError]:
        """Decide claims as they would be one after the other: an answer each, in order; no error is raised."""
        self._transactions.check_open()
        return [answer for batch in batches(claims) for answer in self._transactions.decide(batch)]

    def tombstone(self, claims: Sequence[Claim], *, reason: str) -> list[Decision]:
        """Reject claims for good, unless they are decided: an answer each, in order, which is what is on record.

        Before anybody is told no, or a pin is freed, this makes sure that no other process says yes later.
        """
        _bounds.reference("reason", reason)
        answers: list[Decision] = []
        for batch in batches(claims):
            answers += self._run("rejecting bookings", partial(tombstone, claims=batch, reason=reason))
        return answers

    def cancel(self, show: str, booking: str, *, by: str, reason: str | None = None) -> Record:
        """Cancel a booking: gives what is on record then. ``by`` and ``reason`` go into the audit.

        A confirmed booking gives back its seats and quantities. One that is not decided is entered as cancelled, and
        so never will be. One that was rejected or cancelled stays as it is.
        """
        _bounds.reference("by", by)
        if reason is not None:
            _bounds.reference("reason", reason)
        work = partial(books.cancel, show=_bounds.show_id(show), booking=_bounds.reference("booking", booking))
        return self._run(f"cancelling booking {booking!r} of show {show!r}", partial(work, by=by, reason=reason))

    def outcome(self, show: str, booking: str) -> Record | None:
        """Tell what is on record of a booking, or None where it is not decided."""
        work = partial(books.outcome, show=_bounds.show_id(show), booking=_bounds.reference("booking", booking))
        return self._read(show, work)

    def sold(self, show: str, *, after: str = "", limit: int = 1_000) -> list[SoldSeat]:
        """List the sold seats of a show in the order of their ids (their bytes), a page at a time.

        The next page is the one ``after`` the last seat of this one; a page with fewer than ``limit`` is the last.
        """
        last = _bounds.seat_id(after) if after else ""
        return self._read(show, partial(books.sold, show=_bounds.show_id(show), after=last, limit=_page(limit)))

    def pool_sales(self, show: str, *, after: str = "", limit: int = 1_000) -> list[Record]:
        """List the confirmed bookings of a show that have something of pools, in the order of their ids, page by page.

        The next page is the one ``after`` the last booking of this one.
        """
        last = _bounds.reference("after", after) if after else ""
        return self._read(show, partial(books.pool_sales, show=_bounds.show_id(show), after=last, limit=_page(limit)))

    def epoch(self, show: str) -> int:
        """Tell the epoch of a show: 1 until it is raised."""
        return self._read(show, partial(books.epoch, show=_bounds.show_id(show)))

    def raise_epoch(self, show: str, *, to: int | None = None) -> int:
        """Begin a new epoch of a show: gives it. Claims of earlier ones are stale from now on.

        Asked again it begins yet another one, also by itself where no answer came: an epoch may be left out. With
        ``to`` it begins that one, unless it or a later one has begun.
        """
        later = None if to is None else max(1, _bounds.fence("to", to))
        work = partial(books.raise_epoch, show=_bounds.show_id(show), to=later)
        return self._run(f"raising the epoch of show {show!r}", work)

    def set_pools(self, show: str, capacities: Mapping[str, int]) -> None:
        """Set how many there are of each of these pools; others stay. A pool that is not set sells nothing.

        Raises `seatlock.PlanConflict`, and sets none, where more is sold of one already.
        """
        known = dict(_bounds.quantities("capacities", capacities, most=_bounds.MAX_CAPACITY))
        work = partial(books.set_pools, show=_bounds.show_id(show), capacities=known)
        self._run(f"setting the pools of show {show!r}", work)

    def pools(self, show: str) -> Mapping[str, PoolStock]:
        """Tell the stock of every pool of a show."""
        return self._read(show, partial(books.stock_of, show=_bounds.show_id(show)))

    def history(self, show: str, seat: str, *, after: int = 0, limit: int = 1_000) -> list[AuditEntry]:
        """List what was done to a seat, the oldest first; the next page is the one ``after`` the last entry's id."""
        work = partial(books.history, show=_bounds.show_id(show), name=_bounds.seat_id(seat), pool=False)
        return self._read(show, partial(work, after=after, limit=_page(limit)))

    def pool_history(self, show: str, pool: str, *, after: int = 0, limit: int = 1_000) -> list[AuditEntry]:
        """List what was done to a pool, as `history` does of a seat; each entry tells how many."""
        work = partial(books.history, show=_bounds.show_id(show), name=_bounds.pool_name(pool), pool=True)
        return self._read(show, partial(work, after=after, limit=_page(limit)))

    def _read(self, show: str, work: Callable[[Connection], T]) -> T:
        return self._run(f"reading of show {show!r}", work, reads=True)


def transactions_of(ledger: Ledger) -> Transactions:
    """What carries out its transactions: for the twin, which makes batches of its own."""
    return ledger._transactions  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - not for the users


def _page(limit: object) -> int:
    if type(limit) is not int or not 1 <= limit <= MOST_ROWS:
        raise InvalidRequest(f"limit is {limit!r}; give a whole number from 1 to {MOST_ROWS:,}.")
    return limit
