"""The group commit under `AsyncSeatLocker`: requests made while a batch is on the wire form the next batch.

Rules of this module:

- Requests of one verb and one show (and one ``wait``) wait in a lane, in order; lanes take turns (`seatlock._lanes`).
  Nothing waits on a timer: what is asked in one turn of the event loop goes out at its end, unless the calls in flight
  are at their bound.
- Everything is bounded (`Limits`).
- Cancelling a caller never touches the wire. A queued request is dropped. One in flight completes, and if it was an
  acquire whose token was minted for this call, its hold is released in the background: never a resumed hold, be it by
  this call or since by another of its holder's, nor one whose token the caller gave. Nothing else is ever undone.
- Every caller gets an answer, whatever becomes of the batch: its own result, or its own error with its own token.
  Retries stop at each caller's own deadline.

Nothing here does I/O: the locker hands in what carries out a batch.
"""

from __future__ import annotations

import asyncio
import logging
import math
from asyncio import get_running_loop
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from contextvars import Context
from functools import partial
from typing import Any, TypeVar

from seatlock._attempts import LONGEST_PAUSE
from seatlock._commands import release_of, undo_of
from seatlock._lanes import GROUPED, Background, Berth, Lanes, Limits, Waiter, berth_of
from seatlock._operation import Ask
from seatlock._procedures import in_doubt
from seatlock._replies import wanted
from seatlock._seam import may_retry
from seatlock.errors import InvalidRequest, OutcomeUnknown, ScriptFailed, SeatLockError, ServerUnavailable, UnsafeServer
from seatlock.model import Hold, Release

T = TypeVar("T")
CarryOut = Callable[[list[Ask[Any]], float], Awaitable[Sequence[Any]]]
"""Carries out asks of one verb and one show within so many seconds: an answer each, in order, errors among them."""

_log = logging.getLogger("seatlock")


class Batcher:
    """The group commit of one locker, on one event loop. ``patience`` is in seconds, for each request."""

    def __init__(self, carry_out: CarryOut, patience: float, limits: Limits = GROUPED) -> None:
        self._carry_out = carry_out
        self._patience = patience
        self._limits = limits
        self._loop: Any = None  # the event loop of the first call
        self._lanes = Lanes(limits)
        self._calls_of: dict[Berth, int] = {}
        self._calls = 0
        self._visits = asyncio.Semaphore(limits.visits)
        self._dropped = 0  # callers cancelled since room was last made in the queue
        self._under_way: set[asyncio.Future[Any]] = set()  # held strongly: the event loop alone would let tasks go
        self._owed: list[Ask[Release]] = []  # to go out with whatever is sent next
        self._woken = False
        self._until = 0.0  # the deadline of whoever had the lanes woken, and of all who ask in the same turn
        self._dispatching = False
        self._closed = False
        self._drained = False

    def check_loop(self) -> None:
        """Bind to the running event loop, or refuse a second one, or a closed locker."""
        self._bind()
        if self._closed:
            raise InvalidRequest("this locker is closed: make a new one.")

    def _bind(self) -> None:
        loop = get_running_loop()
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            raise InvalidRequest(
                "an AsyncSeatLocker belongs to the event loop of its first call, and this is another one: make a "
                "locker for each loop."
            )

    # What is asked

    def queue(self, ask: Ask[T]) -> asyncio.Future[T]:
        """Queue a request: gives the future of its answer. Whoever stops waiting for it calls `abandon`."""
        loop = get_running_loop()
        if loop is not self._loop or self._closed:
            self.check_loop()
        if self._lanes.queued >= self._limits.queued:
            self._check_room(ask)
        future: asyncio.Future[T] = loop.create_future()
        until = self._until if self._woken else loop.time() + self._patience
        self._enqueue(Waiter(ask, future, until))
        return future

    def abandon(self, ask: Ask[T], future: asyncio.Future[T]) -> None:
        """Nobody waits for an answer any more: drop the request, or undo what it does."""
        if self._loop.is_closed():
            return
        if future.done() and not future.cancelled():  # the answer came in the very turn of the cancellation
            self._undo(ask, future.exception() or future.result())
        else:
            future.cancel()  # which it is, unless it was the coroutine that was closed
            self._dropped += 1

    async def submit(self, ask: Ask[T]) -> T:
        """Queue a request and wait for its answer."""
        future = self.queue(ask)
        try:
            return await future
        except (asyncio.CancelledError, GeneratorExit):
            self.abandon(ask, future)
            raise

    async def submit_together(self, asks: Sequence[Ask[T]]) -> list[T | SeatLockError]:
        """Have asks of one verb and show carried out in order, apart from the batches: on a visit only."""
        self._bind()
        batch = [Waiter(ask, self._loop.create_future(), math.inf) for ask in asks]
        self._spawn(self._answer(batch), batch)
        try:
            answers: list[Any] = await asyncio.gather(*[waiter.future for waiter in batch], return_exceptions=True)
        except (asyncio.CancelledError, GeneratorExit):
            for waiter in batch:
                self.abandon(waiter.ask, waiter.future)
            raise
        return answers

    def release(self, ask: Ask[Hold]) -> asyncio.Future[Release]:
        """Release whatever an acquire got: in the background, so it goes on if nobody waits for the answer."""
        self._bind()
        return self._release(release_of(ask))

    @asynccontextmanager
    async def visit(self) -> AsyncGenerator[None, None]:
        """Whoever comes in does something apart from all batches; few at once, in order, and `drain` waits for them."""
        self.check_loop()
        stay = self._loop.create_future()
        self._under_way.add(stay)
        try:
            await self._turn()
            try:
                yield
            finally:
                self._visits.release()
        finally:
            self._under_way.discard(stay)
            stay.cancel()

    async def _turn(self) -> None:
        """Wait for a turn to visit, as long as a request may wait for Redis."""
        if len(self._under_way) <= self._limits.queued:
            try:
                async with asyncio.timeout(self._patience if self._visits.locked() else None):
                    await self._visits.acquire()
            except TimeoutError:
                pass
            else:
                return
        raise ServerUnavailable(
            f"a request that travels alone (a read, or many at once) was not sent: {len(self._under_way):,} are under "
            "way or wait already; nothing was changed: ask again later."
        )

    def _check_room(self, ask: Ask[Any]) -> None:
        if self._dropped > self._limits.queued // 8:  # else it is not worth the walk
            self._dropped = 0
            self._lanes.make_room()
        if self._lanes.queued >= self._limits.queued:
            raise ServerUnavailable(
                f"{ask.verb} for {wanted(ask)} of show {ask.show!r} was not sent: {self._lanes.queued:,} "
                "requests wait for Redis already; nothing was changed: ask again later."
            )

    # Calls

    def _enqueue(self, waiter: Waiter) -> None:
        self._lanes.push(waiter)
        if not self._woken and self._calls < self._limits.calls:
            self._woken = True
            self._until = waiter.deadline
            self._loop.call_soon(self._wake, context=Context())

    def _wake(self) -> None:
        self._woken = False
        self._dispatch()

    def _dispatch(self) -> None:
        """Start calls, each lane in its turn, until the bounds or the ends of the queues are reached."""
        if self._dispatching:  # by a task that ran as soon as it was made
            return
        self._dispatching = True
        try:
            owed, self._owed = self._owed, []
            for ask in owed:
                self._release(ask)
            while self._calls < self._limits.calls and (batch := self._lanes.next_batch(self._calls_of)):
                berth = berth_of(batch[0].ask)
                self._calls += 1
                self._calls_of[berth] = self._calls_of.get(berth, 0) + 1
                self._spawn(self._carry(berth, batch), batch, berth)
        finally:
            self._dispatching = False

    async def _carry(self, berth: Berth, batch: list[Waiter]) -> None:
        await self._answer(batch)
        self._count_down(berth)
        self._dispatch()

    def _count_down(self, berth: Berth) -> None:
        left = self._calls_of[berth] - 1
        if left:
            self._calls_of[berth] = left
        else:
            del self._calls_of[berth]
        self._calls -= 1

    def _spawn(self, work: Coroutine[Any, Any, None], batch: list[Waiter], berth: Berth | None = None) -> None:
        # An empty context: a batch belongs to no caller, so it inherits the variables of none.
        task = self._loop.create_task(work, context=Context())
        self._under_way.add(task)
        task.add_done_callback(partial(self._ended, batch, berth), context=Context())

    def _ended(self, batch: list[Waiter], berth: Berth | None, call: asyncio.Task[None]) -> None:
        """Answer everyone of a call that broke; not part of it, for it may be cancelled before its first step."""
        self._under_way.discard(call)
        bug = None if call.cancelled() else call.exception()
        if bug is None and not call.cancelled():
            return
        if berth is not None:
            self._count_down(berth)
        if isinstance(bug, Exception):
            _log.error("a call of %d requests to %s of show %r broke", len(batch), *_about(batch[0].ask), exc_info=bug)
            self._give_up(batch, bug)
            self._dispatch()
        else:  # cancelled, but not by us: the loop ends, or somebody cancels all tasks there are
            self._give_up(batch)
            if any(not isinstance(waiter, Background) for waiter in self._lanes.waiting()):
                self._dispatch()  # if nobody waits, nothing is sent: a task made now might outlive the loop

    async def _answer(self, batch: list[Waiter]) -> None:
        """Carry a batch out; those who still have time when the least patient has none left are asked for again."""
        while batch:
            now: float = self._loop.time()
            least = min([waiter.deadline for waiter in batch])
            if least < now:
                batch = self._in_time(batch, now)
                continue
            answers = await self._carry_out([waiter.ask for waiter in batch], least - now)
            again: list[Waiter] = []
            for waiter, answer in zip(batch, answers, strict=True):
                gone = waiter.future.done()
                if not isinstance(answer, SeatLockError):
                    if gone:
                        self._undo(waiter.ask, answer)
                    else:
                        waiter.future.set_result(answer)
                elif not gone and waiter.deadline > least + LONGEST_PAUSE and may_retry(answer):
                    waiter.unsure = waiter.unsure or isinstance(answer, OutcomeUnknown)
                    again.append(waiter)
                else:
                    self._refuse(waiter, answer)
            batch = again

    def _in_time(self, batch: list[Waiter], now: float) -> list[Waiter]:
        for waiter in batch:
            if waiter.deadline < now:
                self._refuse(waiter, _not_in_time(waiter.ask))
        return [waiter for waiter in batch if waiter.deadline >= now]

    def _refuse(self, waiter: Waiter, error: SeatLockError) -> None:
        """Tell a caller of an error, or undo what may have been done for one that has gone."""
        if waiter.unsure and isinstance(error, ServerUnavailable | ScriptFailed | UnsafeServer):
            error = in_doubt(waiter.ask, error)
        if waiter.future.done():
            self._undo(waiter.ask, error)
        else:
            waiter.future.set_exception(error)

    # Callers that have gone, and calls that broke

    def _undo(self, ask: Ask[Any], answer: Any) -> None:
        """Release what a caller that has gone would have got, if its token was minted for that call."""
        held = isinstance(answer, Hold) and not answer.resumed
        if ask.minted and (held or isinstance(answer, OutcomeUnknown | ScriptFailed)):
            self._release(undo_of(ask))

    def _release(self, ask: Ask[Release]) -> asyncio.Future[Release]:
        future: asyncio.Future[Release] = self._loop.create_future()
        future.add_done_callback(_report, context=Context())
        if self._drained:
            future.set_exception(InvalidRequest("the locker is closed."))
        else:
            self._enqueue(Background(ask, future, self._loop.time() + self._patience))
        return future

    def _give_up(self, batch: list[Waiter], cause: BaseException | None = None) -> None:
        """Answer everyone of a call that broke; what is to be undone is owed, since now may be no time to send."""
        for waiter in batch:
            if waiter.future.cancelled() and waiter.ask.minted:
                self._owed.append(undo_of(waiter.ask))
            elif not waiter.future.done():
                if isinstance(waiter, Background) and cause is None:
                    self._owed.append(waiter.ask)
                waiter.future.set_exception(in_doubt(waiter.ask, cause))

    # The end

    async def drain(self) -> None:
        """Take no more requests, and wait until all that were made are answered; if cancelled, break them off."""
        self._bind()
        self._closed = True
        try:
            while self._under_way or self._lanes.queued or self._owed:
                self._dispatch()
                if self._under_way:
                    await asyncio.wait(self._under_way)
        except asyncio.CancelledError:
            self._drained = True
            for waiter in self._lanes.clear():
                self._refuse(waiter, _not_in_time(waiter.ask))
            for call in self._under_way:
                call.cancel()
            raise
        self._drained = True


def _about(ask: Ask[Any]) -> tuple[str, str]:
    return ask.verb, ask.show


def _report(release: asyncio.Future[Release]) -> None:
    if not release.cancelled() and (error := release.exception()) is not None:
        _log.warning("a hold could not be released, and ends by itself: %s", error)


def _not_in_time(ask: Ask[Any]) -> ServerUnavailable:
    return ServerUnavailable(
        f"{ask.verb} for {wanted(ask)} of show {ask.show!r} waited too long for Redis and was not sent; "
        "nothing was changed: ask again later."
    )
