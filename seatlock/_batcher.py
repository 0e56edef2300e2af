"""The group commit under `AsyncSeatLocker`: requests made while a batch is on the wire form the next batch.

Rules of this module:

- Requests of one verb and one show wait in a lane, in order; lanes take turns. Nothing waits on a timer: what is asked
  in one turn of the event loop goes out at its end, unless the calls in flight are at their bound.
- Everything is bounded (`Limits`), and a lane goes away with its last request.
- Cancelling a caller never touches the wire. A queued request is dropped. One in flight completes, and if it was an
  acquire whose token was minted for this call, its hold is released in the background: never a resumed hold, nor one
  whose token the caller gave. Nothing else is ever undone.
- Every caller gets an answer, whatever becomes of the batch: its own result, or its own error with its own token.
  Retries stop at each caller's own deadline.

Nothing here does I/O: the locker hands in what carries out a batch.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

import msgspec

from seatlock._attempts import LONGEST_PAUSE
from seatlock._commands import release_of
from seatlock._operation import MAX_BATCH_ASKS, MAX_BATCH_SEATS, Ask
from seatlock._replies import listing
from seatlock._seam import may_retry
from seatlock.errors import InvalidRequest, OutcomeUnknown, ScriptFailed, SeatLockError, ServerUnavailable
from seatlock.model import Hold

T = TypeVar("T")
CarryOut = Callable[[list[Ask[Any]], float], Awaitable[Sequence[Any]]]
"""Carries out asks of one verb and one show within so many seconds: an answer each, in order, errors among them."""

_log = logging.getLogger("seatlock")


class Limits(msgspec.Struct, frozen=True):
    """How much may go on at once: requests and seats a call, calls in flight a show and a client, requests queued."""

    asks: int = MAX_BATCH_ASKS
    seats: int = MAX_BATCH_SEATS
    calls_a_show: int = 2
    calls: int = 8
    queued: int = 100_000


GROUPED: Final = Limits()
ONE_BY_ONE: Final = Limits(asks=1, calls_a_show=64, calls=64)
"""Every request in a call of its own: the group commit switched off."""


class _Waiter:
    """One caller's request, the future it waits for, and its deadline in the event loop's time."""

    __slots__ = ("ask", "deadline", "future", "unsure")

    def __init__(self, ask: Ask[Any], future: asyncio.Future[Any], deadline: float) -> None:
        self.ask = ask
        self.future = future
        self.deadline = deadline
        self.unsure = False  # whether an attempt may have been carried out without an answer


class _Lane:
    """The queue of one verb of one show."""

    __slots__ = ("in_line", "key", "queue", "show")

    def __init__(self, key: tuple[str, str]) -> None:
        self.key = key
        self.show = key[1]
        self.queue: deque[_Waiter] = deque()
        self.in_line = False


class Batcher:
    """The group commit of one locker, on one event loop. ``patience`` is in seconds, for each request."""

    def __init__(self, carry_out: CarryOut, patience: float, limits: Limits = GROUPED) -> None:
        self._carry_out = carry_out
        self._patience = patience
        self._limits = limits
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lanes: dict[tuple[str, str], _Lane] = {}
        self._line: deque[_Lane] = deque()
        self._calls_of: dict[str, int] = {}
        self._calls = 0
        self._queued = 0
        self._tasks: set[asyncio.Task[None]] = set()  # held strongly: the event loop alone would let them go
        self._woken = False
        self._closed = False

    def check_loop(self) -> None:
        """Bind to the running event loop, or refuse a second one, or a closed locker."""
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            raise InvalidRequest(
                "an AsyncSeatLocker belongs to the event loop of its first call, and this is another one: make a "
                "locker for each loop."
            )
        if self._closed:
            raise InvalidRequest("this locker is closed: make a new one.")

    async def submit(self, ask: Ask[T]) -> T:
        """Queue a request and wait for its answer."""
        self.check_loop()
        if self._queued >= self._limits.queued:
            raise ServerUnavailable(
                f"{ask.verb} for {listing(ask.seats)} of show {ask.show!r} was not sent: {self._queued:,} requests "
                "wait for Redis already; nothing was changed: ask again later."
            )
        future = self._enqueue(ask)
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():  # the answer came in the very turn of the cancellation
                self._undo(ask, future.exception() or future.result())
            raise

    def _enqueue(self, ask: Ask[T]) -> asyncio.Future[T]:
        loop = self._loop
        assert loop is not None
        future: asyncio.Future[T] = loop.create_future()
        key = (ask.verb, ask.show)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = _Lane(key)
        lane.queue.append(_Waiter(ask, future, loop.time() + self._patience))
        self._queued += 1
        if not lane.in_line:
            lane.in_line = True
            self._line.append(lane)
        if not self._woken and self._calls < self._limits.calls:
            self._woken = True
            loop.call_soon(self._dispatch, context=contextvars.Context())
        return future

    def _dispatch(self) -> None:
        """Start calls for the lanes, each in its turn, until the bounds or the ends of the queues are reached."""
        self._woken = False
        stuck = 0
        while self._line and stuck < len(self._line) and self._calls < self._limits.calls:
            lane = self._line.popleft()
            if self._calls_of.get(lane.show, 0) >= self._limits.calls_a_show:
                self._line.append(lane)
                stuck += 1
                continue
            stuck = 0
            batch = self._take(lane)
            if lane.queue:
                self._line.append(lane)
            else:
                del self._lanes[lane.key]
            if batch:
                self._start(lane.show, batch)

    def _take(self, lane: _Lane) -> list[_Waiter]:
        """The next batch of a lane: callers that still wait, in order, within the bounds of a call."""
        batch: list[_Waiter] = []
        queue, seats = lane.queue, self._limits.seats
        while queue and len(batch) < self._limits.asks:
            waiter = queue[0]
            if not waiter.future.done():
                seats -= len(waiter.ask.seats)
                if seats < 0:
                    break
                batch.append(waiter)
            queue.popleft()
            self._queued -= 1
        return batch

    def _start(self, show: str, batch: list[_Waiter]) -> None:
        self._calls += 1
        self._calls_of[show] = self._calls_of.get(show, 0) + 1
        assert self._loop is not None
        # An empty context: a batch belongs to no caller, so it inherits the variables of none.
        task = self._loop.create_task(self._carry(show, batch), context=contextvars.Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry(self, show: str, batch: list[_Waiter]) -> None:
        try:
            await self._answer(batch)
        finally:
            for waiter in batch:  # nobody is left waiting, even if the loop shuts down or something unforeseen happens
                if not waiter.future.done():
                    waiter.future.set_exception(_given_up(waiter.ask))
            left = self._calls_of[show] - 1
            if left:
                self._calls_of[show] = left
            else:
                del self._calls_of[show]
            self._calls -= 1
            self._dispatch()

    async def _answer(self, batch: list[_Waiter]) -> None:
        """Carry a batch out; those who still have time when the least patient has none left are asked for again."""
        assert self._loop is not None
        while batch:
            now = self._loop.time()
            late = [waiter for waiter in batch if waiter.deadline < now]
            for waiter in late:
                self._settle(waiter, _not_in_time(waiter.ask))
            batch = [waiter for waiter in batch if waiter.deadline >= now]
            if not batch:
                return
            least = min(waiter.deadline for waiter in batch)
            answers = await self._carry_out([waiter.ask for waiter in batch], least - now)
            again: list[_Waiter] = []
            for waiter, answer in zip(batch, answers, strict=True):
                if may_retry(answer) and waiter.deadline > least + LONGEST_PAUSE:
                    waiter.unsure = waiter.unsure or isinstance(answer, OutcomeUnknown)
                    again.append(waiter)
                else:
                    self._settle(waiter, answer)
            batch = again

    def _settle(self, waiter: _Waiter, answer: Any) -> None:
        """Give a caller its answer, or undo what a caller that has gone would have got."""
        if waiter.unsure and isinstance(answer, ServerUnavailable):
            answer = _given_up(waiter.ask)
        if waiter.future.done():
            self._undo(waiter.ask, answer)
        elif isinstance(answer, SeatLockError):
            waiter.future.set_exception(answer)
        else:
            waiter.future.set_result(answer)

    def _undo(self, ask: Ask[Any], answer: Any) -> None:
        """Release, in the background, the hold of a caller that was cancelled, if its token was minted for that call."""
        held = isinstance(answer, Hold) and not answer.resumed
        if ask.minted and (held or isinstance(answer, OutcomeUnknown | ScriptFailed)):
            self._enqueue(release_of(ask)).add_done_callback(_report)

    async def drain(self) -> None:
        """Take no more requests, and wait until all that were made are answered."""
        self._closed = True
        while self._tasks or self._queued:
            if self._tasks:
                await asyncio.wait(self._tasks)
            await asyncio.sleep(0)  # what a finished batch undoes is queued by then


def _report(release: asyncio.Future[Any]) -> None:
    if not release.cancelled() and (error := release.exception()) is not None:
        _log.warning("a hold whose caller was cancelled could not be released, and ends by itself: %s", error)


def _given_up(ask: Ask[Any]) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"{ask.verb} for {listing(ask.seats)} of show {ask.show!r}: no certain answer came; it may have been carried out: "
        "ask again with the same token and arguments.",
        show=ask.show,
        seats=ask.seats,
        token=ask.token,
    )


def _not_in_time(ask: Ask[Any]) -> ServerUnavailable:
    return ServerUnavailable(
        f"{ask.verb} for {listing(ask.seats)} of show {ask.show!r} waited too long for Redis and was not sent again; "
        "nothing was changed: ask again later."
    )
