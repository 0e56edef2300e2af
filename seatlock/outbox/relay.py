"""`Relay`: carries what Redis has sold or pinned to the ledger, does what it decides, and tells brokers.

    async with AsyncSeatLocker.from_url("redis://…") as locker, AsyncLedger("postgresql://…") as ledger:
        await Relay(locker, ledger).run()

It is a process of its own; run two, so that one is there when the other is not. `docs/decisions/relay.md` says why a
fact is never lost, nor its order.
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final

import msgspec

from seatlock import _async_door, _bounds, _pinning
from seatlock._bounds import Duration
from seatlock._keys import keys_of
from seatlock._operation import Ask
from seatlock._pinning import Finalised
from seatlock._tokens import new_token
from seatlock.aio import AsyncSeatLocker
from seatlock.errors import InvalidRequest, SeatLockError, ShowNotFound
from seatlock.ledger import AsyncLedger
from seatlock.model import Booking
from seatlock.outbox._judging import Batch, Judge, Verdict
from seatlock.outbox._stream import MOST, Entry, Settled, Settling, Taken, settle, take
from seatlock.outbox.events import BookingEvent, Publisher
from seatlock.outbox.facts import Fact, Poison, decode

_log = logging.getLogger("seatlock")

SHORTEST_IDLE: Final = 0.02  # seconds until the next look at an outbox that was empty; doubled each time, up to
LONGEST_IDLE: Final = 0.5
SHOWS_A_SECOND: Final = 200  # looks at outboxes that are empty, all in all
LONGEST_TROUBLE: Final = 5.0  # seconds between two tries while something is away
REPORT_EVERY: Final = 60.0  # seconds between two lines of the log
_WHY: Final = frozenset({b"id", b"reason"})  # what an entry that is set aside has besides its own fields
_chance: Final = random.Random()  # noqa: S311 - that many relays do not come back in step is no secret


class RelayCounts(msgspec.Struct):
    """What a relay has done: facts by what the ledger said of them, facts settled and set aside, events, batches."""

    decided: dict[str, int] = msgspec.field(default_factory=dict[str, int])
    settled: int = 0
    aside: int = 0
    published: int = 0
    batches: int = 0
    last_error: str | None = None


class LeaseOver(SeatLockError):
    """Not for callers: the relay was slow, or asleep, and another one may have the show."""


def _is_show(name: str) -> bool:
    with suppress(InvalidRequest):
        return bool(_bounds.show_id(name))
    return False


class _Lease(msgspec.Struct):
    """That this relay has a show, until ``over``: by a clock that goes on while it sleeps."""

    show: str
    over: float

    def check(self) -> None:
        """Raise where it is over."""
        if time.monotonic() >= self.over:
            raise LeaseOver(f"the relay was too slow for its lease of show {self.show!r}, and begins anew")


class Relay:
    """Works off the outboxes of shows, until it is stopped. Belongs to one event loop; closes nothing that it is given.

    ``shows`` are those to work for; by default all that are found in the namespace of the ``locker``, time and again
    (``discover_every``). One relay at a time works for a show, and another takes over once its ``lease`` is over.
    ``grace`` is how long the process that pinned a hold has to get it decided itself. ``batch`` bounds the facts that
    are decided together, and ``at_once`` the shows. Times are in seconds.
    """

    def __init__(  # noqa: PLR0913 - settings, all of which have defaults
        self,
        locker: AsyncSeatLocker,
        ledger: AsyncLedger,
        publisher: Publisher | None = None,
        *,
        shows: Iterable[str] = (),
        lease: Duration = 15.0,
        grace: Duration = 2.0,
        batch: int = 256,
        at_once: int = 8,
        discover_every: Duration = 5.0,
    ) -> None:
        self._locker, self._publisher = locker, publisher
        self._judge = Judge(locker, ledger)
        self._namespace = _async_door.namespace_of(locker)
        self._shows = tuple(dict.fromkeys(_bounds.show_id(show) for show in shows))
        self._lease = _bounds.milliseconds("lease", lease, most=3_600_000)
        self._grace = _bounds.milliseconds("grace", grace, least=0)
        self._every = _bounds.milliseconds("discover_every", discover_every) / 1000
        if type(batch) is not int or not 1 <= batch <= MOST:
            raise InvalidRequest(f"batch is {batch!r}; give a whole number from 1 to {MOST}.")
        if type(at_once) is not int or at_once < 1:
            raise InvalidRequest(f"at_once is {at_once!r}; give a whole number from 1.")
        self._batch, self._slots = batch, asyncio.Semaphore(at_once)
        self._name = new_token()
        self._stopping = asyncio.Event()
        self._serving: dict[str, asyncio.Task[None]] = {}
        self._troubles: dict[str, str] = {}  # by show: the kind of error that it has
        self._on_step: Callable[[str], Awaitable[None]] | None = None  # told behind every step: for tests
        self.counts = RelayCounts()

    # Running

    async def run(self) -> None:
        """Work until `stop` is called: what is under way is brought to its end then, and the shows are given up."""
        _log.info("the relay begins")
        said = time.monotonic()
        try:
            while not self._stopping.is_set():
                for show in await self._found():
                    if show not in self._serving:
                        self._serving[show] = asyncio.create_task(self._serve(show), name=f"relay {show}")
                if time.monotonic() - said >= REPORT_EVERY:
                    said = time.monotonic()
                    _log.info("the relay goes on: %r", self.counts)
                await self._pause(self._every)
            await asyncio.gather(*self._serving.values())
        finally:
            for task in self._serving.values():
                task.cancel()
            await asyncio.gather(*self._serving.values(), return_exceptions=True)
            _log.info("the relay ends: %r", self.counts)

    def stop(self) -> None:
        """Have it end; may be called again, also from a signal handler of the event loop."""
        self._stopping.set()

    async def run_once(self) -> RelayCounts:
        """Work until every outbox is empty, or is another relay's: gives the counts. Raises where something is away."""
        for show in self._shows or await self._discover():
            with suppress(ShowNotFound):
                while not self._stopping.is_set():
                    try:
                        pause = await self._turn(show)
                    except LeaseOver:
                        continue
                    except Exception:
                        await self._leave(show)
                        raise
                    if pause is None:
                        break
                    await self._pause(pause)
                await self._give_up(show)
        return self.counts

    async def again(self) -> int:
        """Put back into the outboxes what was set aside, the oldest first, to be tried again: gives how many facts."""
        moved = 0
        for show in self._shows or await self._discover("aside"):
            keys = keys_of(self._namespace, show)
            moved += await _async_door.move_entries(self._locker, keys.aside, keys.outbox, _WHY)
        return moved

    async def _found(self) -> Sequence[str]:
        if self._shows:
            return self._shows
        try:
            return await self._discover()
        except SeatLockError as error:
            self._failed("", error)
            return ()

    async def _discover(self, stream: str = "outbox") -> list[str]:
        """Every show that has such a stream."""
        pattern = re.sub(r"([\\*?\[\]])", r"\\\1", self._namespace) + ":{*}:" + stream
        named = re.compile(re.escape(self._namespace) + r":\{([^{}\s]+)\}:" + stream)
        keys = await _async_door.keys_like(self._locker, pattern, "STREAM")
        self._recovered("")
        found = {match[1] for key in keys if (match := named.fullmatch(key.decode(errors="replace")))}
        return sorted(show for show in found if _is_show(show))

    async def _serve(self, show: str) -> None:
        """Work for one show, as long as it is there."""
        idle, failures = SHORTEST_IDLE, 0
        while not self._stopping.is_set():
            try:
                async with self._slots:
                    pause = await self._turn(show)
            except ShowNotFound:
                break
            except LeaseOver as error:
                _log.warning("%s", error)
                continue
            except Exception as error:  # noqa: BLE001 - a publisher may raise anything; nothing was settled
                failures += 1
                self._failed(show, error)
                await self._leave(show)
                await self._pause(min(0.1 * 2 ** min(failures, 10), LONGEST_TROUBLE) * _chance.uniform(0.5, 1.0))
                continue
            self._recovered(show)
            failures = 0
            if pause is None:
                pause, idle = idle, min(2 * idle, max(LONGEST_IDLE, len(self._serving) / SHOWS_A_SECOND))
            else:
                idle = SHORTEST_IDLE
            await self._pause(pause)
        self._serving.pop(show, None)
        self._recovered(show)
        await self._leave(show)

    async def _pause(self, seconds: float) -> None:
        if seconds > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), seconds)

    def _failed(self, show: str, error: Exception) -> None:
        """Take in that something failed; the log is told once, and not by every show."""
        kind = type(error).__name__
        self.counts.last_error = f"{kind}: {error}"
        if kind not in self._troubles.values():
            _log.warning("the relay waits, and tries again: %s: %s", kind, error)
        self._troubles[show] = kind

    def _recovered(self, show: str) -> None:
        if self._troubles.pop(show, None) is not None and not self._troubles:
            _log.info("the relay goes on")

    # One batch of one show

    async def _turn(self, show: str) -> float | None:
        """Work off a batch: gives the seconds until the next one, or None where nothing is there for this relay."""
        lease = _Lease(show, time.monotonic() + self._lease / 1000)
        taken: Taken | float = await self._send(take(self._namespace, show, self._name, self._lease, self._batch))
        await self._step("take")
        if not isinstance(taken, Taken):
            return None
        entries, wait = self._ripe(show, taken)
        if not entries:
            return wait
        batch = Batch(show, partial(self._keep, lease))
        await batch.keep()
        verdicts = await self._judge.judge(batch, [fact for _, fact in entries if isinstance(fact, Fact)])
        await self._step("decide")
        await batch.keep()
        await self._finalise(batch, verdicts)
        await self._step("finalise")
        await batch.keep()
        await self._publish({event.id: event for verdict in verdicts for event in verdict.events})
        await self._step("publish")
        await self._settle(show, entries, verdicts)
        await self._step("settle")
        self.counts.batches += 1
        return wait or 0.0

    def _ripe(self, show: str, taken: Taken) -> tuple[list[tuple[Entry, Fact | Poison]], float | None]:
        """The facts up to the first pin that is still its own process's to get decided, and how long that may last."""
        ripe: list[tuple[Entry, Fact | Poison]] = []
        for entry in taken.entries:
            fact = decode(show, entry)
            # of a fact that is yet to be written the clock was set back
            if isinstance(fact, Fact) and fact.kind == "pinned" and 0 <= taken.now - fact.written < self._grace:
                return ripe, (self._grace - taken.now + fact.written) / 1000
            ripe.append((entry, fact))
        return ripe, None

    async def _keep(self, lease: _Lease) -> None:
        """Renew a lease where it is due. Do nothing on behalf of a show that another relay may have had meanwhile."""
        lease.check()
        over = time.monotonic() + self._lease / 1000
        if lease.over - time.monotonic() > self._lease / 2000:
            return
        taken = await self._send(take(self._namespace, lease.show, self._name, self._lease, 1))
        lease.check()  # it may have ended on the way, and been taken anew
        if not isinstance(taken, Taken) or not taken.entries:  # of an outbox that is empty nobody gets the lease
            raise LeaseOver(f"the lease of show {lease.show!r} is gone, and the relay begins anew")
        lease.over = over

    async def _finalise(self, batch: Batch, verdicts: Sequence[Verdict]) -> None:
        frees = [booking for verdict in verdicts for booking in verdict.frees]
        sells = [booking for verdict in verdicts for booking in verdict.sells]
        await self._tell_redis(batch.show, frees, sells)
        if sells:  # one of them may have been cancelled since it was decided: also in Redis, before it was sold there
            await self._tell_redis(batch.show, await self._judge.ended(batch, verdicts), ())

    async def _tell_redis(self, show: str, frees: Sequence[Booking], sells: Sequence[Booking]) -> None:
        asks: list[Ask[Finalised]] = [_pinning.finalise(self._namespace, each, sold=False) for each in frees]
        asks += [_pinning.finalise(self._namespace, each, sold=True) for each in sells]
        if not asks:
            return
        for answer in await _async_door.carry_out_in_order(self._locker, show, asks):
            if isinstance(answer, SeatLockError):
                raise answer
            if wrong := [seat for seat, word in answer.seats.items() if word in ("foreign", "unknown")]:
                _log.error(
                    "seats %r of show %r are those of booking %r in the ledger, and in Redis they are not: reconcile",
                    *(wrong[:10], show, answer.booking),
                )

    async def _publish(self, events: Mapping[str, BookingEvent]) -> None:
        if self._publisher is not None and events:
            await self._publisher.publish(list(events.values()))
            self.counts.published += len(events)

    async def _settle(
        self, show: str, entries: Sequence[tuple[Entry, Fact | Poison]], verdicts: Sequence[Verdict]
    ) -> None:
        reasons = {verdict.fact.id: verdict.reason for verdict in verdicts}
        reasons |= {fact.id: fact.reason for _, fact in entries if isinstance(fact, Poison)}
        what = [Settling(entry, reasons[entry.id]) for entry, _ in entries]
        words: list[Settled] = await self._send(settle(self._namespace, show, what))
        for settling, word in zip(what, words, strict=True):
            if word == "aside":
                _log.error("entry %s of show %r is set aside: %s", settling.entry.id, show, settling.reason)
            elif word == "other":
                _log.warning("entry %s of show %r is another one by now, and stays", settling.entry.id, show)
        for verdict in verdicts:
            self.counts.decided[verdict.became] = self.counts.decided.get(verdict.became, 0) + 1
        self.counts.settled += words.count("done") + words.count("gone")
        self.counts.aside += words.count("aside")

    async def _leave(self, show: str) -> None:
        """Give the show up, so that another relay may try, which perhaps reaches what this one does not."""
        with suppress(SeatLockError):  # where it cannot be given up, the lease ends
            await self._give_up(show)

    async def _give_up(self, show: str) -> None:
        with suppress(ShowNotFound):
            await self._send(take(self._namespace, show, self._name, 0, 1))

    async def _send(self, operation: Any) -> Any:
        return await _async_door.carry_out(self._locker, operation)

    async def _step(self, name: str) -> None:
        if self._on_step is not None:
            await self._on_step(name)
