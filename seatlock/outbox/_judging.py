"""Asks the ledger about the facts of an outbox, in their order, and says what follows from its answers.

`docs/decisions/relay.md` tells which answer leads to what. Nothing here changes Redis, or tells brokers.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from itertools import groupby

import msgspec
from msgspec.structs import replace

from seatlock._nothing import NOTHING
from seatlock.checkout import _loading, _steps
from seatlock.checkout._driver import AsyncDriver
from seatlock.errors import LedgerUnavailable, SeatLockError
from seatlock.ledger.aio import probe
from seatlock.ledger.model import Claim, Decision, Record
from seatlock.model import Booking
from seatlock.outbox.events import BookingEvent, event_of, events_of
from seatlock.outbox.facts import Fact, claim_of

_log = logging.getLogger("seatlock")


class NotYet(SeatLockError):
    """Not for callers: a fact cannot be decided now, and has to wait where it is."""


class Verdict(msgspec.Struct, frozen=True):
    """What follows from a fact.

    In Redis all of ``frees`` comes free, and then ``sells`` is sold. ``events`` are what brokers are told. With a
    ``reason`` the fact is set aside.
    """

    fact: Fact
    became: str
    reason: str = ""
    frees: tuple[Booking, ...] = ()
    sells: tuple[Booking, ...] = ()
    events: tuple[BookingEvent, ...] = ()


class Batch(msgspec.Struct):
    """Facts of one show that are dealt with together.

    ``keep`` is called before each of the many look-ups that may take: it keeps the lease of the show, or raises.
    """

    show: str
    keep: Callable[[], Awaitable[None]]
    owners: dict[str, Record | None] = msgspec.field(default_factory=dict[str, Record | None])


class Judge(AsyncDriver):
    """Asks a ledger; the locker only reads whether pins stand, and which pools a show has."""

    async def judge(self, batch: Batch, facts: Sequence[Fact]) -> list[Verdict]:
        """Ask about facts of one show: a verdict each, in order. Raises where one of them has to wait."""
        verdicts: list[Verdict] = []
        for wanting, run in groupby(facts, lambda fact: fact.wants):
            if wanting:
                verdicts += await self._decide(batch, list(run))
                continue
            for fact in run:
                await batch.keep()
                verdicts.append(await self._note(fact))
        return verdicts

    # What the ledger decides

    async def _decide(self, batch: Batch, facts: Sequence[Fact]) -> list[Verdict]:
        await batch.keep()
        if any(fact.pools for fact in facts):
            await self._drive(_loading.offer_pools(self._namespace, batch.show))
        claims = [claim_of(fact) for fact in facts]
        answers = await self._ledger.decide_many(claims)
        return [
            await self._verdict(batch, fact, await self._final(batch, fact, claim, answer))
            for fact, claim, answer in zip(facts, claims, answers, strict=True)
        ]

    async def _final(self, batch: Batch, fact: Fact, claim: Claim, answer: Decision | SeatLockError) -> Decision | str:
        """The ledger's last word on a claim, or why it refuses to say one."""
        refused = False
        for _ in range(_steps.MOST_EPOCHS):
            await batch.keep()
            if isinstance(answer, LedgerUnavailable):
                raise answer
            if isinstance(answer, SeatLockError):
                # Where the database refuses everything, this raises, and the fact waits: nothing is wrong with it.
                await self._ledger.outcome(fact.show, fact.booking)
                if refused:
                    return f"the ledger refuses it: {answer}"
                await probe(self._ledger, fact.show)  # nor where it refuses whatever is to be written
                refused = True
            elif answer.status != "stale":
                return answer
            elif fact.kind == "confirmed":
                claim = replace(claim, epoch=answer.epoch)  # its buyer was told yes, whatever the epoch
            else:
                epoch = await self._drive(_steps.repin(self._namespace, claim))
                if epoch is None:
                    return (await self._ledger.tombstone([claim], reason=_steps.GONE))[0]
                if epoch == claim.epoch:
                    break
                claim = replace(claim, epoch=epoch)
            (answer,) = await self._ledger.decide_many([claim])
        raise NotYet(f"booking {fact.booking!r} of show {fact.show!r}: the ledger is in another epoch than Redis.")

    async def _verdict(self, batch: Batch, fact: Fact, answer: Decision | str) -> Verdict:
        if isinstance(answer, str):
            return Verdict(fact, "refused", answer)
        record = answer.record
        if record is None:
            raise AssertionError("the ledger has decided, and has no record of it")
        pinned, mine = fact.kind == "pinned", (booking_of(fact, record),)
        if answer.status == "confirmed":
            sells = (_steps.booking_of(record),) if pinned else ()
            return Verdict(fact, "confirmed", sells=sells, events=events_of(record))
        if answer.status == "mismatch":
            reason = "the ledger has another booking under this id, with another payment or other content"
            return Verdict(fact, "mismatch", reason, frees=mine if pinned else ())
        if answer.status == "rejected":
            owners = await self._owners(batch, record)
            return Verdict(fact, "rejected", frees=mine, sells=owners, events=events_of(record))
        return _of_cancelled(fact, record, mine)

    async def _owners(self, batch: Batch, record: Record) -> tuple[Booking, ...]:
        """The bookings that have the seats that stood in the way, each with these seats alone."""
        found: list[Booking] = []
        for owner, seats in record.conflicts.by_booking.items():
            known = await self._owner(batch, owner)
            if known is not None and known.status == "confirmed":
                found.append(replace(_steps.booking_of(known), seats=seats, pools=NOTHING))
        return tuple(found)

    async def _owner(self, batch: Batch, owner: str) -> Record | None:
        """What is on record of a booking that has seats in conflict: looked up once."""
        if owner not in batch.owners:
            await batch.keep()
            batch.owners[owner] = await self._ledger.outcome(batch.show, owner)
        return batch.owners[owner]

    async def ended(self, batch: Batch, verdicts: Sequence[Verdict]) -> list[Booking]:
        """Which of the bookings that were to be sold in Redis are cancelled by now."""
        found: list[Booking] = []
        batch.owners.clear()  # what they were before they were sold is no answer
        own = [verdict for verdict in verdicts if verdict.became == "confirmed" and verdict.sells]
        answers = await self._ledger.decide_many([claim_of(verdict.fact) for verdict in own])  # they are on record
        for verdict, answer in zip(own, answers, strict=True):
            if isinstance(answer, SeatLockError):
                raise answer
            if answer.status != "confirmed":
                found += verdict.sells
        for verdict in verdicts:
            for owner in verdict.sells if verdict.became == "rejected" else ():
                known = await self._owner(batch, owner.id)
                if known is None or known.status != "confirmed":
                    found.append(owner)
        return found

    # What the ledger is told, or has already

    async def _note(self, fact: Fact) -> Verdict:
        known = await self._ledger.outcome(fact.show, fact.booking)
        if fact.kind == "recorded":
            if known is None:
                return Verdict(fact, "unknown", "it was recorded, and the ledger has no such booking")
            # Whoever recorded it may have been stopped before it was free.
            frees = () if known.status == "confirmed" else (booking_of(fact, known),)
            return Verdict(fact, known.status, frees=frees, events=events_of(known))
        if known is not None and known.fence not in (None, fact.fence):
            return Verdict(
                fact, "other", "the ledger has another booking under this id, which is not cancelled with it"
            )
        if known is not None and known.status == "confirmed" and not _same_content(fact, known):
            return Verdict(fact, "part", "a part of a booking was cancelled, and the ledger cancels whole ones")
        record = await self._ledger.cancel(fact.show, fact.booking, by=fact.holder)
        if record.status != "cancelled":
            return Verdict(fact, record.status)
        # Redis has freed it; loading or reconcile may have sold it again, before the ledger knew.
        return Verdict(fact, "cancelled", frees=(booking_of(fact, record),), events=(event_of(record),))


def _of_cancelled(fact: Fact, record: Record, mine: tuple[Booking, ...]) -> Verdict:
    pinned = fact.kind == "pinned"
    if record.request_hash is None:  # by somebody, before it was decided
        return Verdict(fact, "cancelled", frees=mine, events=events_of(record))
    if not pinned and record.fence != fact.fence:
        return Verdict(fact, "cancelled", "its id is that of an earlier booking, which was cancelled")
    return Verdict(fact, "cancelled", frees=mine if pinned else (), events=events_of(record))


def _same_content(fact: Fact, record: Record) -> bool:
    return set(fact.seats) == set(record.seats) and dict(fact.pools) == dict(record.pools)


def booking_of(fact: Fact, record: Record) -> Booking:
    """The booking that a fact tells of, as Redis has it."""
    return Booking(
        id=fact.booking,
        show=fact.show,
        seats=fact.seats,
        holder=fact.holder,
        payment=fact.payment,
        fence=fact.fence,
        confirmed_at=record.decided_at,
        pools=fact.pools,
    )
