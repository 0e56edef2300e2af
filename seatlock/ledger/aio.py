"""`AsyncLedger`: the durable record of bookings, for asyncio.

The same blocking code, on a few threads of its own: what is asked in one turn of the event loop, and while batches are
under way, is decided together, so that a hop between threads is paid once a batch and not once a call. The rules are
those of `seatlock.ledger._grouping`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from functools import partial
from typing import Any, Final, Self, TypeVar

from sqlalchemy import Engine

from seatlock._base import DEFAULT_PATIENCE
from seatlock.errors import InvalidRequest, LedgerUnavailable, SeatLockError
from seatlock.ledger import _probing
from seatlock.ledger._grouping import Answer, Line, broken, carried, too_late
from seatlock.ledger.ledger import DEFAULT_URL, Ledger, transactions_of
from seatlock.ledger.migrate import Migrated
from seatlock.ledger.model import AuditEntry, Claim, Decision, PoolStock, Record, SoldSeat

__all__ = ["AsyncLedger"]

T = TypeVar("T")

VISITS: Final = 4  # what travels apart from the batches at once
MOST_VISITS: Final = 10_000  # under way or waiting


class _Caller:
    """A coroutine that waits for its answer."""

    __slots__ = ("claim", "deadline", "future")

    def __init__(self, claim: Claim, deadline: float, future: asyncio.Future[Decision]) -> None:
        self.claim = claim
        self.deadline = deadline
        self.future = future

    @property
    def gone(self) -> bool:
        """Whether nobody waits any more."""
        return self.future.done()

    def tell(self, answer: Answer) -> None:
        """Give the answer, if somebody waits for it."""
        if self.future.done():
            return
        if isinstance(answer, SeatLockError):
            self.future.set_exception(answer)
        else:
            self.future.set_result(answer)


class AsyncLedger:
    """The durable record of bookings, in PostgreSQL or in a file of SQLite's; for the event loop of its first call.

    ``database`` is a URL, or an engine for PostgreSQL that you made and will dispose of. Whatever is asked may be
    asked again, and has one effect. Nothing is answered before it is committed. ``patience`` is the seconds that are
    spent on attempts where the database is away or busy; then `seatlock.LedgerUnavailable` is raised. Everything is
    read where it is written, never from a replica.
    """

    def __init__(self, database: str | Engine = DEFAULT_URL, *, patience: float = DEFAULT_PATIENCE) -> None:
        self._ledger = Ledger(database, patience=patience)
        self._transactions = transactions_of(self._ledger)
        self._patience = self._transactions.patience
        self._free = self._transactions.at_once
        self._threads = ThreadPoolExecutor(self._free + VISITS, thread_name_prefix="seatlock-ledger")
        self._visits = asyncio.Semaphore(VISITS)
        self._visitors = 0
        self._line: Line[_Caller] = Line()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken = False
        self._under_way: set[asyncio.Future[Any]] = set()  # held strongly: the event loop alone would let them go
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Wait until all that was asked is answered, and close its connections; nothing can be asked any more."""
        self._bind()
        self._closed = True
        try:
            while self._under_way or len(self._line):
                self._dispatch()
                if self._under_way:
                    await asyncio.wait(self._under_way)
        finally:
            for caller in self._line.clear():
                caller.tell(too_late(caller.claim))
            self._threads.shutdown(wait=False)
            self._ledger.close()

    async def migrate(self) -> Migrated:
        """Make the tables, or bring them to the form of this version; where they have it, nothing is done."""
        return await self._visit(self._ledger.migrate)

    async def decide(self, claim: Claim) -> Decision:
        """Decide a claim. Those of several callers share transactions."""
        loop = self._check_open()
        caller = _Caller(claim, loop.time() + self._patience, loop.create_future())
        self._line.push(caller)
        if self._free and not self._woken:
            self._woken = True
            loop.call_soon(self._wake, context=Context())
        return await caller.future

    async def decide_many(self, claims: Sequence[Claim]) -> list[Decision | SeatLockError]:
        """Decide claims as they would be one after the other: an answer each, in order; no error is raised."""
        return await self._visit(partial(self._ledger.decide_many, claims))

    async def tombstone(self, claims: Sequence[Claim], *, reason: str) -> list[Decision]:
        """Reject claims for good, unless they are decided: an answer each, in order, which is what is on record.

        Before anybody is told no, or a pin is freed, this makes sure that no other process says yes later.
        """
        return await self._visit(partial(self._ledger.tombstone, claims, reason=reason))

    async def cancel(self, show: str, booking: str, *, by: str, reason: str | None = None) -> Record:
        """Cancel a booking: gives what is on record then. ``by`` and ``reason`` go into the audit.

        A confirmed booking gives back its seats and quantities. One that is not decided is entered as cancelled, and
        so never will be. One that was rejected or cancelled stays as it is.
        """
        return await self._visit(partial(self._ledger.cancel, show, booking, by=by, reason=reason))

    async def outcome(self, show: str, booking: str) -> Record | None:
        """Tell what is on record of a booking, or None where it is not decided."""
        return await self._visit(partial(self._ledger.outcome, show, booking))

    async def sold(self, show: str, *, after: str = "", limit: int = 1_000) -> list[SoldSeat]:
        """List the sold seats of a show in the order of their ids (their bytes), a page at a time.

        The next page is the one ``after`` the last seat of this one; a page with fewer than ``limit`` is the last.
        """
        return await self._visit(partial(self._ledger.sold, show, after=after, limit=limit))

    async def pool_sales(self, show: str, *, after: str = "", limit: int = 1_000) -> list[Record]:
        """List the confirmed bookings of a show that have something of pools, in the order of their ids, page by page.

        The next page is the one ``after`` the last booking of this one.
        """
        return await self._visit(partial(self._ledger.pool_sales, show, after=after, limit=limit))

    async def epoch(self, show: str) -> int:
        """Tell the epoch of a show: 1 until it is raised."""
        return await self._visit(partial(self._ledger.epoch, show))

    async def raise_epoch(self, show: str, *, to: int | None = None) -> int:
        """Begin a new epoch of a show: gives it. Claims of earlier ones are stale from now on.

        Asked again it begins yet another one, also by itself where no answer came: an epoch may be left out. With
        ``to`` it begins that one, unless it or a later one has begun.
        """
        return await self._visit(partial(self._ledger.raise_epoch, show, to=to))

    async def set_pools(self, show: str, capacities: Mapping[str, int]) -> None:
        """Set how many there are of each of these pools; others stay. A pool that is not set sells nothing.

        Raises `seatlock.PlanConflict`, and sets none, where more is sold of one already.
        """
        await self._visit(partial(self._ledger.set_pools, show, capacities))

    async def pools(self, show: str) -> Mapping[str, PoolStock]:
        """Tell the stock of every pool of a show."""
        return await self._visit(partial(self._ledger.pools, show))

    async def history(self, show: str, seat: str, *, after: int = 0, limit: int = 1_000) -> list[AuditEntry]:
        """List what was done to a seat, the oldest first; the next page is the one ``after`` the last entry's id."""
        return await self._visit(partial(self._ledger.history, show, seat, after=after, limit=limit))

    async def pool_history(self, show: str, pool: str, *, after: int = 0, limit: int = 1_000) -> list[AuditEntry]:
        """List what was done to a pool, as `history` does of a seat; each entry tells how many."""
        return await self._visit(partial(self._ledger.pool_history, show, pool, after=after, limit=limit))

    # Batches

    def _wake(self) -> None:
        self._woken = False
        self._dispatch()

    def _dispatch(self) -> None:
        """Start batches, until the bound or the end of the line is reached."""
        loop = self._bind()
        while self._free:
            batch, late = self._line.take(loop.time())
            for caller in late:
                caller.tell(too_late(caller.claim))
            if not batch:
                return
            self._free -= 1
            claims = [caller.claim for caller in batch]
            try:
                work = self._on_thread(partial(carried, self._transactions.decide, claims))
            except RuntimeError as bug:  # the interpreter is about to end, and starts no threads any more
                self._free += 1
                for caller, answer in zip(batch, broken(bug, claims), strict=True):
                    caller.tell(answer)
                continue
            work.add_done_callback(partial(self._answer, batch), context=Context())

    def _answer(self, batch: Sequence[_Caller], work: asyncio.Future[Sequence[Answer]]) -> None:
        self._free += 1
        claims = [caller.claim for caller in batch]
        answers: Sequence[Answer]
        if work.cancelled():
            answers = broken(asyncio.CancelledError(), claims)
        else:
            bug = work.exception()
            answers = work.result() if bug is None else broken(bug, claims)
        for caller, answer in zip(batch, answers, strict=True):
            caller.tell(answer)
        self._dispatch()

    # What travels apart from the batches

    async def _visit(self, work: Callable[[], T]) -> T:
        """Carry something out on a thread, a few at once, in order; it goes on if nobody waits for it any more."""
        self._check_open()
        if self._visitors >= MOST_VISITS:
            raise LedgerUnavailable(f"{self._visitors:,} requests wait for the ledger already; ask again later.")
        self._visitors += 1
        stay = asyncio.get_running_loop().create_future()
        self._under_way.add(stay)
        try:
            await self._visits.acquire()
            future = self._on_thread(work)  # its place is free when it has ended, whoever waits for it
            future.add_done_callback(lambda _: self._visits.release(), context=Context())
            return await asyncio.shield(future)
        finally:
            self._visitors -= 1
            self._under_way.discard(stay)
            stay.cancel()

    def _on_thread(self, work: Callable[[], T]) -> asyncio.Future[T]:
        future = self._bind().run_in_executor(self._threads, work)
        self._under_way.add(future)
        future.add_done_callback(self._under_way.discard, context=Context())
        return future

    def _check_open(self) -> asyncio.AbstractEventLoop:
        if self._closed:
            raise InvalidRequest("this ledger is closed: make a new one.")
        return self._bind()

    def _bind(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            raise InvalidRequest(
                "an AsyncLedger belongs to the event loop of its first call, and this is another one: make a ledger "
                "for each loop."
            )
        return loop


async def probe(ledger: AsyncLedger, show: str) -> None:
    """Find out whether bookings of a show can be written; raises what the database says where they cannot."""
    await ledger._visit(partial(_probing.probe, ledger._transactions, show))  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - of this module
