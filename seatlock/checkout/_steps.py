"""What strict checkout does, step by step, written once for threads and for asyncio.

A procedure here is a generator, as in `seatlock._procedures`: it yields what Redis or the ledger is asked next, and is
sent the answer, or gets the error thrown in. It does no I/O.

Rules of this module:

- Nobody is told yes before the ledger has committed it, nor no before the ledger has a row that says so: a rejected
  booking, or another one under the same id. What cannot be known is ``pending``, or an error that says to ask again.
- Every step can be repeated, and whoever stops between two leaves a pin and its entry in the outbox: the relay goes on.
- Once the ledger has decided, that is the answer. What Redis is told of it may fail: the relay tells it again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Mapping, Sequence
from operator import methodcaller
from typing import Any, Final, Literal, TypeVar

import msgspec
from msgspec.structs import replace

from seatlock import _bounds, _pinning, _standing
from seatlock._commands import checked_hold, sale_of
from seatlock._nothing import NOTHING
from seatlock._operation import Ask, Step
from seatlock._pinning import Finalised, Pinned
from seatlock._replies import fence_parts
from seatlock._tokens import hash_of
from seatlock.errors import BookingConflict, HoldLost, InvalidRequest, LedgerUnavailable, SeatLockError, ShowNotFound
from seatlock.ledger.model import CheckedClaim, Claim, Decision, Record
from seatlock.model import Booking, Cancellation, Hold

_log = logging.getLogger("seatlock")

T = TypeVar("T")

LOST: Final = "the hold was lost"
GONE: Final = "the pin is gone"
"""Why a claim is rejected by strict checkout, and not by the ledger."""

MOST_EPOCHS: Final = 8  # that a claim is decided under, at most


class OfLedger(msgspec.Struct, frozen=True, gc=False):
    """Something that the ledger is asked; ``call`` takes one of either colour."""

    name: str
    call: Callable[[Any], Any]


class Together(msgspec.Struct, frozen=True):
    """Asks of one verb and one show, sent in as few calls as may be: an answer each, errors among them."""

    show: str
    asks: Sequence[Ask[Any]]


Wanted = Ask[Any] | Step | OfLedger | Together
Steps = Generator[Wanted, Any, T]


def name_of(step: Wanted) -> str:
    """What a step is called, for whoever watches."""
    if isinstance(step, OfLedger):
        return step.name
    if isinstance(step, Together):
        return step.asks[0].verb
    return step.verb if isinstance(step, Ask) else step.script.name


def tombstone(claim: Claim, reason: str) -> Steps[Decision]:
    """Ask the ledger to reject a claim for good, unless it is decided."""
    decisions: list[Decision] = yield OfLedger("tombstone", lambda ledger: ledger.tombstone([claim], reason=reason))
    return decisions[0]


def outcome_of(show: str, booking: str) -> Steps[Record | None]:
    """Ask the ledger what is on record."""
    record: Record | None = yield OfLedger("outcome", lambda ledger: ledger.outcome(show, booking))
    return record


def confirm(
    namespace: str, hold: Hold, payment: object, booking: object, prepare: Callable[[Claim], Steps[None]]
) -> Steps[Booking]:
    """Pin, decide, finalise: gives the booking as the ledger has it, or one that is pending.

    ``prepare`` is what is done of a claim on pools before it is decided.
    """
    ask = _pinning.pin(namespace, hold, payment, booking)
    try:
        pinned: Pinned = yield ask
    except HoldLost as lost:
        return (yield from _refuse(namespace, _claim_of(hold, payment, booking, namespace), lost))
    except BookingConflict as conflict:
        told = yield from _told(conflict)
        claim = _claim_of(hold, payment, booking, namespace)
        if told.booking is None or told.booking.id == claim.booking:
            raise told from None  # under one id there is one content
        return (yield from _refuse(namespace, claim, told))
    claim = _claim_of_pin(pinned)
    try:
        if claim.pools:
            yield from prepare(claim)
        decision = yield from _decided(namespace, claim)
    except LedgerUnavailable as error:
        _log.info("booking %r of show %r is pending: %s", claim.booking, claim.show, error)
        return _pending(claim, pinned.pinned_at)
    if decision is None:
        _log.info("booking %r of show %r is pending: its epoch is another one in the ledger", *reversed(claim.key))
        return _pending(claim, pinned.pinned_at)
    record = decision.record
    if decision.status != "confirmed" or record is None:
        yield from finalise(namespace, claim, decision)
    elif not pinned.finalised:
        yield from finalise(namespace, claim, decision, _pinning.sell_pinned(ask, pinned, record.decided_at))
    return _answer(claim, decision)


def _claim_of_pin(pin: Pinned) -> Claim:
    return CheckedClaim(
        show=pin.show,
        booking=pin.booking,
        holder=pin.holder,
        token_hash=pin.token_hash,
        epoch=pin.epoch,
        fence=pin.fence,
        seats=pin.seats,
        pools=pin.pools,
        payment=pin.payment,
    )


def _claim_of(hold: Hold, payment: object, booking: object, namespace: str) -> Claim:
    hold, _ = checked_hold(namespace, hold)
    _, booking_id, _ = sale_of(hold, payment, booking)
    return Claim(
        show=hold.show,
        booking=booking_id,
        holder=hold.holder,
        token_hash=hash_of(hold.token),
        epoch=max(1, fence_parts(hold.fence)[0]),
        fence=hold.fence,
        seats=tuple(hold.seats),
        pools=dict(hold.pools) if hold.pools else NOTHING,
        payment=None if payment is None else _bounds.reference("payment", payment),
    )


def _refuse(namespace: str, claim: Claim, refusal: HoldLost | BookingConflict) -> Steps[Booking]:
    """Say no to a hold that cannot be pinned, unless an earlier attempt was decided; the ledger remembers the no."""
    try:
        decision = yield from tombstone(claim, LOST)
    except LedgerUnavailable as error:
        _log.info("booking %r of show %r is pending: %s", claim.booking, claim.show, error)
        return _pending(claim, 0.0)
    record = decision.record
    if decision.status == "rejected" and record is not None and record.reason in (LOST, GONE):
        raise refusal
    if decision.status == "mismatch" and (record is None or record.status != "confirmed"):
        raise refusal
    if record is not None and decision.status == "confirmed":
        claim = replace(claim, fence=record.fence or claim.fence)
    yield from finalise(namespace, claim, decision)
    return _answer(claim, decision)


def _told(conflict: BookingConflict) -> Steps[BookingConflict]:
    """The conflict, with the booking on record as the ledger has it, where it can be asked."""
    if conflict.booking is not None:
        try:
            record = yield from outcome_of(conflict.booking.show, conflict.booking.id)
        except SeatLockError:
            return conflict
        if record is not None:
            return BookingConflict(*conflict.args, booking=replace(conflict.booking, status=record.status))
    return conflict


def _decided(namespace: str, claim: Claim) -> Steps[Decision | None]:
    """Have the ledger decide; a stale epoch is no answer. None where Redis does not know the ledger's epoch yet."""
    for _ in range(MOST_EPOCHS):
        decision: Decision = yield OfLedger("decide", methodcaller("decide", claim))
        if decision.status != "stale":
            return decision
        epoch = yield from repin(namespace, claim)
        if epoch is None:
            return (yield from tombstone(claim, GONE))
        if epoch == claim.epoch:
            return None
        claim = replace(claim, epoch=epoch)
    return None


def repin(namespace: str, claim: Claim) -> Steps[int | None]:
    """Tell under which epoch the pin of a claim stands now; None where it does not."""
    return (yield from _standing.standing(namespace, claim.show, claim.booking, claim.fence, claim.seats, claim.pools))


def finalise(namespace: str, claim: Claim, decision: Decision, ask: Ask[Finalised] | None = None) -> Steps[None]:
    """Tell Redis what the ledger has decided, by ``ask`` if it is there; where that fails, the relay does it."""
    try:
        if decision.record is not None and decision.status == "rejected":
            yield from _settle_conflicts(namespace, decision.record)
        if ask is None:
            content = _booking(claim, 0.0 if decision.record is None else decision.record.decided_at, "confirmed")
            ask = _pinning.finalise(namespace, content, sold=decision.status == "confirmed")
        done: Finalised = yield ask
    except SeatLockError as error:
        _log.warning(
            "booking %r of show %r is %s, and Redis is yet to be told: %s", *reversed(claim.key), decision.status, error
        )
        return
    if decision.status == "confirmed" and (wrong := [seat for seat, word in done.seats.items() if word != "sold"]):
        _log.error(
            "Redis has seats %r of show %r sold to another booking than the ledger: reconcile", wrong, claim.show
        )


def _settle_conflicts(namespace: str, record: Record) -> Steps[None]:
    """Sell to their owners the seats that stood in the way of a booking, before what else it pinned comes free."""
    for owner, seats in record.conflicts.by_booking.items():
        found = yield from outcome_of(record.show, owner)
        if found is not None and found.status == "confirmed":
            sold = replace(booking_of(found), seats=seats, pools=NOTHING)
            yield _pinning.finalise(namespace, sold, sold=True)
            again = yield from outcome_of(record.show, owner)
            if again is not None and again.status != "confirmed":  # cancelled meanwhile, and perhaps freed before
                yield _pinning.finalise(namespace, sold, sold=False)


def booking_of(record: Record) -> Booking:
    """A booking as the ledger has it; one that was cancelled before it was decided has no content."""
    return Booking(
        id=record.booking,
        show=record.show,
        seats=record.seats,
        holder=record.holder or "",
        payment=record.payment,
        fence=record.fence or 0,
        confirmed_at=record.decided_at,
        status=record.status,
        pools=record.pools or NOTHING,
    )


def _booking(claim: Claim, at: float, status: Literal["confirmed", "pending", "rejected", "cancelled"]) -> Booking:
    return Booking(
        id=claim.booking,
        show=claim.show,
        seats=claim.seats,
        holder=claim.holder,
        payment=claim.payment,
        fence=claim.fence,
        confirmed_at=at,
        status=status,
        pools=claim.pools,
    )


def _pending(claim: Claim, at: float) -> Booking:
    return _booking(claim, at, "pending")


def _answer(claim: Claim, decision: Decision) -> Booking:
    """What the caller is told of a decision."""
    record = decision.record
    if record is None:
        raise AssertionError("the ledger has decided, and has no record of it")
    if decision.status == "mismatch":
        raise BookingConflict(
            f"booking {claim.booking!r} of show {claim.show!r} is on record with another payment or other content; "
            "this payment buys nothing: refund it. What was pinned for it comes free.",
            booking=booking_of(record),
        )
    return _booking(claim, record.decided_at, record.status)


def outcome(namespace: str, booking: object) -> Steps[Booking]:
    """Tell what became of a booking."""
    known = _checked(booking)
    record = yield from _own_record(known)
    if record is None:
        pin = yield from _standing.standing(namespace, known.show, known.id, known.fence, known.seats, known.pools)
        if pin is not None:
            return replace(known, status="pending")
        # Neither decided nor pinned: so it stays, whatever is still on its way.
        cancelling = OfLedger(
            "cancel", lambda ledger: ledger.cancel(known.show, known.id, by=known.holder, reason=GONE)
        )
        record = yield cancelling
    if record.request_hash is None:
        return replace(known, status=record.status)
    return booking_of(record)


def _own_record(known: Booking) -> Steps[Record | None]:
    """What is on record of a booking; raises `BookingConflict` where that is another one, which has its id."""
    record = yield from outcome_of(known.show, known.id)
    if record is not None and record.request_hash is not None:
        here = (known.holder, known.payment, set(known.seats), dict(known.pools))
        if here != (record.holder, record.payment, set(record.seats), dict(record.pools)):
            raise BookingConflict(
                f"booking {known.id!r} of show {known.show!r} is on record with another payment or other content: "
                "this one was never made, and nothing was changed.",
                booking=booking_of(record),
            )
    return record


def cancel(namespace: str, booking: object, by: object, reason: object) -> Steps[Cancellation]:
    """Cancel a booking, in the ledger first."""
    known = _checked(booking)
    _bounds.reference("by", by)
    if reason is not None:
        _bounds.reference("reason", reason)
    yield from _own_record(known)
    record: Record = yield OfLedger("cancel", lambda ledger: ledger.cancel(known.show, known.id, by=by, reason=reason))
    content = known if record.request_hash is None else booking_of(record)
    words: Mapping[str, Literal["cancelled", "gone"]]
    try:
        done: Finalised = yield _pinning.finalise(namespace, content, sold=False, tell=record.status == "cancelled")
    except ShowNotFound:  # retired: the ledger has it, and there is nothing to free
        return Cancellation(known.show, known.id, dict.fromkeys(content.seats, "gone"), dict.fromkeys(content.pools, 0))
    words = {seat: "cancelled" if word == "free" else "gone" for seat, word in done.seats.items()}
    return Cancellation(known.show, known.id, words, done.pools)


def _checked(booking: object) -> Booking:
    if not isinstance(booking, Booking):
        raise InvalidRequest(f"booking must be a seatlock.Booking, not {type(booking).__name__}.")
    _bounds.show_id(booking.show)
    _bounds.reference("booking.id", booking.id)
    _bounds.seats_with_pools(booking.seats, booking.holder, booking.pools)
    _bounds.fence("booking.fence", booking.fence)
    return booking
