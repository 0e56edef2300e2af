"""Brings a show of Redis in line with the ledger before it is sold: epoch, sold seats, sales of pools."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final

import msgspec

from seatlock import _bounds, _pinning, _pools, _standing, _upkeep
from seatlock._operation import Ask
from seatlock._pinning import Finalised
from seatlock.checkout._steps import OfLedger, Steps, Together, booking_of, outcome_of
from seatlock.errors import PlanConflict, SeatLockError
from seatlock.ledger.decide import FIRST_EPOCH
from seatlock.ledger.model import Claim, Record, SoldSeat
from seatlock.model import Booking

_log = logging.getLogger("seatlock")

PAGE: Final = 1_000  # sold seats or bookings that the ledger is asked for at a time
PAGES: Final = 10_000  # a bound: ten million seats


class Loaded(msgspec.Struct, frozen=True):
    """What loading found: the epoch of the show, and how many seats and quantities of pools the ledger has sold.

    ``wrong`` are seats and pools that could not be sold in Redis: sold to another booking there, which `seatlock
    reconcile` looks into, not in the plan, or of a pool that has not enough left.
    """

    show: str
    epoch: int
    seats: int
    pools: int
    wrong: tuple[str, ...] = ()


def load(namespace: str, show: str) -> Steps[Loaded]:
    """Load a show."""
    show = _bounds.show_id(show)
    epoch = yield from _epoch(namespace, show)
    yield from set_pools(namespace, show)
    wrong: list[str] = []
    seats = pools = 0
    after = ""
    for _ in range(PAGES):
        page: list[SoldSeat] = yield sold(show, after)
        wrong += yield from _sell(show, [_seat_asks(namespace, show, seat) for seat in page])
        again: list[SoldSeat] = yield sold(show, after)
        kept = {(seat.seat, seat.booking) for seat in again}
        left = {seat.booking for seat in page if (seat.seat, seat.booking) not in kept}
        yield from _free_cancelled(namespace, show, left)
        seats += len(page)
        if len(page) < PAGE:
            break
        after = page[-1].seat
    after = ""
    for _ in range(PAGES):
        bookings: list[Record] = yield pool_sales(show, after)
        asks = [_pinning.finalise(namespace, booking_of(record), sold=True) for record in bookings]
        wrong += yield from _sell(show, asks)
        others: list[Record] = yield pool_sales(show, after)
        left = {record.booking for record in bookings} - {record.booking for record in others}
        yield from _free_cancelled(namespace, show, left)
        pools += sum(sum(record.pools.values()) for record in bookings)
        if len(bookings) < PAGE:
            break
        after = bookings[-1].booking
    if wrong:
        _log.error("%r of show %r are sold in the ledger, and could not be in Redis: reconcile", wrong[:10], show)
    return Loaded(show, epoch, seats, pools, tuple(dict.fromkeys(wrong)))


def sold(show: str, after: str) -> OfLedger:
    """Ask for a page of sold seats."""
    return OfLedger("sold", lambda ledger: ledger.sold(show, after=after, limit=PAGE))


def pool_sales(show: str, after: str) -> OfLedger:
    """Ask for a page of bookings that have something of pools."""
    return OfLedger("pool_sales", lambda ledger: ledger.pool_sales(show, after=after, limit=PAGE))


def _epoch(namespace: str, show: str) -> Steps[int]:
    """Have both sides in the same epoch: the later one, or a new one where Redis has begun to count fences anew."""
    here: int = yield _standing.epoch(namespace, show)
    there: int = yield OfLedger("epoch", lambda ledger: ledger.epoch(show))
    _, given, _ = yield _upkeep.terms(namespace, show)
    if here == FIRST_EPOCH and not given and (yield from _has_sales(show)):
        there = yield OfLedger("raise_epoch", lambda ledger: ledger.raise_epoch(show))
    if there < here:
        there = yield OfLedger("raise_epoch", lambda ledger: ledger.raise_epoch(show, to=here))
    if there > here:
        here = yield _upkeep.raise_epoch(namespace, show, there)
    return here


def _has_sales(show: str) -> Steps[bool]:
    """Whether the ledger has sold something of a show: with fences that may not come again."""
    seats: list[SoldSeat] = yield OfLedger("sold", lambda ledger: ledger.sold(show, limit=1))
    bookings: list[Record] = yield OfLedger("pool_sales", lambda ledger: ledger.pool_sales(show, limit=1))
    return bool(seats or bookings)


def set_pools(namespace: str, show: str, without: Collection[str] = ()) -> Steps[None]:
    """Tell the ledger how many there are of each pool; raises `PlanConflict` where more of one is sold already."""
    names: tuple[str, ...] = yield _pools.names(namespace, show)
    if not names:
        return
    stocks: dict[str, tuple[int, int]] = yield _pools.stocks(namespace, show, names)
    capacities = {pool: capacity for pool, (capacity, _) in stocks.items() if pool not in without}
    yield OfLedger("set_pools", lambda ledger: ledger.set_pools(show, capacities))


def offer_pools(namespace: str, show: str) -> Steps[None]:
    """The same before something of them is decided: a pool of which more is sold already stays as the ledger has it."""
    try:
        yield from set_pools(namespace, show)
    except PlanConflict as error:
        _log.warning("the ledger has sold more of a pool than there is by now: %s", error)
        yield from set_pools(namespace, show, error.conflicts)


class Pools:
    """Tells the ledger of the pools of a show before the first claim on them is decided: it sells none but these."""

    MOST_SHOWS: Final = 10_000  # that are remembered as told

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._told: set[str] = set()

    def tell(self, claim: Claim) -> Steps[None]:
        """Tell of those of a claim's show, once."""
        if claim.show in self._told:
            return
        yield from offer_pools(self._namespace, claim.show)
        if len(self._told) >= self.MOST_SHOWS:
            self._told.clear()
        self._told.add(claim.show)


def sale_of(show: str, seat: SoldSeat) -> Booking:
    """The part of a booking that one seat is."""
    return Booking(seat.booking, show, (seat.seat,), seat.holder, seat.payment, seat.fence, seat.decided_at)


def _seat_asks(namespace: str, show: str, seat: SoldSeat) -> Ask[Finalised]:
    return _pinning.finalise(namespace, sale_of(show, seat), sold=True)


def _sell(show: str, asks: Sequence[Ask[Finalised]]) -> Steps[list[str]]:
    """Sell what is sold: gives the seats that could not be."""
    if not asks:
        return []
    answers: list[Finalised | SeatLockError] = yield Together(show, asks)
    return list(_refused(asks, answers))


def _free_cancelled(namespace: str, show: str, bookings: Iterable[str]) -> Steps[None]:
    """Free what was cancelled while it was loaded: who cancelled may have told Redis before it was sold here."""
    for booking in bookings:
        record = yield from outcome_of(show, booking)
        if record is not None and record.status != "confirmed":
            yield _pinning.finalise(namespace, booking_of(record), sold=False)


def _refused(asks: Sequence[Ask[Finalised]], answers: Sequence[Finalised | SeatLockError]) -> Iterator[str]:
    for ask, answer in zip(asks, answers, strict=True):
        if isinstance(answer, SeatLockError):
            raise answer
        yield from (seat for seat, word in answer.seats.items() if word != "sold")
        yield from (pool for pool, quantity in ask.pools if answer.pools.get(pool, 0) < quantity)
