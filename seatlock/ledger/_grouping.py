"""Claims that come at the same time share transactions: nobody waits for a timer, and a lone claim for nobody.

Rules of this module:

- Callers wait in a line, which is bounded. Whoever finds a transaction to be had leads: takes what waits, itself in it
  or not, decides it, and hands on to the next who waits when its own answer is there.
- A batch is bounded, too. What comes in meanwhile forms the next one. Nobody waits longer in the line than the patience
  of the ledger: where the database is away, those behind are told so without another attempt.
- A caller that goes away undoes nothing: a claim that waits is dropped, one that is being decided is decided.
- Everyone gets an answer, whatever becomes of the batch and of the thread that leads it.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Generic, Protocol, TypeVar

from seatlock.errors import LedgerFailed, LedgerUnavailable, SeatLockError
from seatlock.ledger.model import Claim, Decision

MOST_CLAIMS: Final = 500  # a transaction
MOST_PLACES: Final = 5_000  # seats and pools a transaction
MOST_WAITING: Final = 100_000

Answer = Decision | SeatLockError
CarryOut = Callable[[Sequence[Claim]], Sequence[Answer]]
"""Decides a batch: an answer each, in order, errors among them."""


class Waiting(Protocol):
    """Somebody in the line until ``deadline``; ``gone`` says that nobody waits for the answer any more."""

    @property
    def claim(self) -> Claim: ...

    @property
    def deadline(self) -> float: ...

    @property
    def gone(self) -> bool: ...


W = TypeVar("W", bound=Waiting)


class Line(Generic[W]):
    """Who waits, in order. Not for several threads at once: its owner sees to that."""

    def __init__(self, most: int = MOST_WAITING) -> None:
        self._most = most
        self._queue: deque[W] = deque()

    def __len__(self) -> int:
        return len(self._queue)

    def __iter__(self) -> Iterator[W]:
        return iter(self._queue)

    def push(self, waiter: W) -> None:
        """Queue somebody; raises `seatlock.LedgerUnavailable` where too many wait."""
        if len(self._queue) >= self._most:
            self._queue = deque(other for other in self._queue if not other.gone)
        if len(self._queue) >= self._most:
            raise LedgerUnavailable(
                f"booking {waiter.claim.booking!r} of show {waiter.claim.show!r} was not decided: "
                f"{len(self._queue):,} wait for the ledger already; ask again later."
            )
        self._queue.append(waiter)

    def take(self, now: float) -> tuple[list[W], list[W]]:
        """Take the next batch, without those who have gone; and those who have waited too long."""
        batch: list[W] = []
        late: list[W] = []
        places = 0
        while self._queue and len(batch) < MOST_CLAIMS:
            waiter = self._queue[0]
            if not waiter.gone:
                if waiter.deadline < now:
                    late.append(waiter)
                else:
                    places += size_of(waiter.claim)
                    if places > MOST_PLACES and batch:
                        break
                    batch.append(waiter)
            self._queue.popleft()
        return batch, late

    def drop(self, waiter: W) -> None:
        """Forget somebody, who may have been taken already."""
        if waiter in self._queue:
            self._queue.remove(waiter)

    def clear(self) -> list[W]:
        """Forget everybody: gives those who still waited."""
        waiting = [waiter for waiter in self._queue if not waiter.gone]
        self._queue.clear()
        return waiting


def size_of(claim: Claim) -> int:
    """How many seats and pools a claim is for."""
    return len(claim.seats) + len(claim.pools)


def batches(claims: Sequence[Claim]) -> Iterator[Sequence[Claim]]:
    """Claims in their order, as many at a time as a transaction takes."""
    start = places = 0
    for index, claim in enumerate(claims):
        places += size_of(claim)
        if index > start and (index - start == MOST_CLAIMS or places > MOST_PLACES):
            yield claims[start:index]
            start, places = index, size_of(claim)
    if start < len(claims):
        yield claims[start:]


def carried(carry_out: CarryOut, claims: Sequence[Claim]) -> Sequence[Answer]:
    """Carry out a batch: an answer for each, also where that breaks."""
    try:
        answers = carry_out(claims)
    except Exception as bug:  # noqa: BLE001 - whatever it is, everybody is told
        return broken(bug, claims)
    if len(answers) != len(claims):
        return broken(LookupError(f"{len(answers)} answers to {len(claims)} claims"), claims)
    return answers


def broken(bug: BaseException, claims: Sequence[Claim]) -> list[Answer]:
    """The answers of a batch that broke: each its own error."""
    if isinstance(bug, Exception):
        return [_about(LedgerFailed, claim, f"deciding it broke: {type(bug).__name__}: {bug}") for claim in claims]
    word = "whoever carried it out was interrupted; ask again: what was decided, if anything, is the answer then."
    return [_about(LedgerUnavailable, claim, word) for claim in claims]


def too_late(claim: Claim) -> LedgerUnavailable:
    """The answer to somebody who waited too long in the line."""
    return _about(LedgerUnavailable, claim, "it waited too long for the ledger and was not decided; ask again later.")


E = TypeVar("E", bound=SeatLockError)


def _about(kind: type[E], claim: Claim, what: str) -> E:
    return kind(f"booking {claim.booking!r} of show {claim.show!r}: {what}")


class _Caller:
    """A thread that waits for its answer, or leads."""

    __slots__ = ("answer", "claim", "deadline", "gone", "leads", "taken", "woken")

    def __init__(self, claim: Claim, deadline: float) -> None:
        self.claim = claim
        self.deadline = deadline
        self.answer: Answer | None = None
        self.gone = False
        self.leads = False
        self.taken = False
        self.woken = threading.Event()


class Grouping:
    """Shares transactions among threads, at most ``transactions`` of them at once."""

    def __init__(self, carry_out: CarryOut, transactions: int, patience: float) -> None:
        self._patience = patience
        self._carry_out = carry_out
        self._transactions = transactions
        self._start()

    def _start(self) -> None:
        self._process = os.getpid()
        self._free = self._transactions
        self._lock = threading.Lock()
        self._line: Line[_Caller] = Line()

    def decide(self, claim: Claim) -> Decision:
        """Decide a claim together with others."""
        if self._process != os.getpid():
            self._start()  # after a fork: those who led or waited are the parent's
        caller = _Caller(claim, time.monotonic() + self._patience)
        with self._lock:
            self._line.push(caller)
            if self._free:
                self._free -= 1
                caller.leads = True
        try:
            self._wait(caller)
        finally:
            with self._lock:
                if caller.answer is None:
                    self._line.drop(caller)
                if caller.leads:
                    self._hand_on(caller)
        if isinstance(caller.answer, Decision):
            return caller.answer
        if caller.answer is None:
            raise LedgerFailed(f"booking {claim.booking!r} of show {claim.show!r} got no answer.")
        raise caller.answer

    def _wait(self, caller: _Caller) -> None:
        while caller.answer is None:
            with self._lock:
                if caller.leads and caller.taken:  # another leader has it under way
                    self._hand_on(caller)
                batch = self._take() if caller.leads else []
            if batch:
                self._carry(batch)
            else:
                caller.woken.wait()
                caller.woken.clear()  # before the answer is looked at: no wake-up is lost

    def _take(self) -> list[_Caller]:
        batch, late = self._line.take(time.monotonic())
        for caller in batch:
            caller.taken = True
        for caller in late:
            caller.answer = too_late(caller.claim)
            caller.woken.set()
        return batch

    def _carry(self, batch: list[_Caller]) -> None:
        claims = [caller.claim for caller in batch]
        try:
            answers = carried(self._carry_out, claims)
        except BaseException as interruption:
            self._tell(batch, broken(interruption, claims))
            raise
        self._tell(batch, answers)

    @staticmethod
    def _tell(batch: Sequence[_Caller], answers: Sequence[Answer]) -> None:
        for caller, answer in zip(batch, answers, strict=True):
            caller.answer = answer
            caller.woken.set()

    def _hand_on(self, caller: _Caller) -> None:
        """Have the next who waits lead, or give the transaction back; the lock is held."""
        caller.leads = False
        for other in self._line:
            if not other.leads:
                other.leads = True
                other.woken.set()
                return
        self._free += 1
