"""One pass over a show: what Redis has against what the ledger has, and what is done about it. No I/O in here.

Rules of this module:

- Redis is read first, then the ledger, then again what looks wrong: a sale that is running is no difference.
- The ledger is right about what is sold. Whatever a booking has on record becomes so in Redis; and the record is looked
  at again behind that, until it is the same before and after, so that a cancel meanwhile is not undone.
- What has no record is never freed: a pin goes back to the outbox, and what is sold stays sold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Final, TypeVar

import msgspec
from msgspec.structs import replace

from seatlock import _bounds, _pinning, _pools, _snapshots, _standing, _upkeep
from seatlock._nothing import NOTHING
from seatlock._pinning import Finalised
from seatlock.checkout import _loading
from seatlock.checkout._steps import OfLedger, Steps, booking_of, outcome_of
from seatlock.ledger.model import PoolStock, Record, SoldSeat
from seatlock.model import Booking, SeatState
from seatlock.reconcile import _booked
from seatlock.reconcile._booked import Booked, Found
from seatlock.reconcile.model import Kind, Mismatch, Reconciled

MOST_TOLD: Final = 1_000  # mismatches
MOST_NAMED: Final = 10  # seats of one mismatch
MOST_LOOKS: Final = 5  # at a record whose status changes under our hands

T = TypeVar("T")

Progress = Callable[[int, int], None]


class Settings(msgspec.Struct, frozen=True):
    """How a pass is made: ``pin_age`` is the seconds after which a pin without a record is forgotten."""

    pin_age: float
    mends: bool
    progress: Progress | None


class Sold(msgspec.Struct, frozen=True):
    """What the ledger has sold: by seat; by booking, where it has something of pools; and the stock of these."""

    seats: dict[str, SoldSeat]
    pools: dict[str, Record]
    stock: Mapping[str, PoolStock]

    @property
    def total(self) -> int:
        """Seats and quantities."""
        return len(self.seats) + sum(sum(record.pools.values()) for record in self.pools.values())


class Pass:
    """What a pass has found so far."""

    def __init__(self, namespace: str, show: str, settings: Settings) -> None:
        self.namespace, self.show, self.settings = namespace, show, settings
        self.kinds: dict[Kind, int] = {}
        self.told: list[Mismatch] = []
        self.waiting = 0

    def tell(self, kind: Kind, booking: str, detail: str, *, mended: bool) -> None:
        """Take note of a mismatch."""
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        if len(self.told) < MOST_TOLD:
            self.told.append(Mismatch(kind, booking, detail, mended))


def reconcile(namespace: str, show: str, settings: Settings) -> Steps[Reconciled]:
    """Make a pass over a show; its ``seconds`` are for the caller to fill in."""
    show = _bounds.show_id(show)
    found = Pass(namespace, show, settings)
    _, _, checkout = yield _upkeep.terms(namespace, show)
    strict = checkout == "strict"
    yield from _epochs(found)
    here = yield from _booked.find(namespace, show)
    sold = yield from _sold(show)
    yield from _capacities(found, sold)
    suspects = dict.fromkeys([*_wrong_here(here, sold), *_wrong_there(here, sold)])
    on_the_way = (yield from _booked.on_the_way(namespace, show)) if suspects else {}
    unknown: list[Booked] = []
    for done, booking in enumerate(suspects):
        if settings.progress is not None:
            settings.progress(done, len(suspects))
        if "cancelled" in on_the_way.get(booking, ()):  # on a fast show: the relay has the last word
            found.waiting += 1
            continue
        record = yield from outcome_of(show, booking)
        there = [booked for (owner, _), booked in here.bookings.items() if owner == booking]
        mine = [booked for booked in there if _is_of(booked, record, strict=strict)]
        unknown += [booked for booked in there if booked not in mine]
        if record is not None and (mine or record.status == "confirmed"):
            yield from _settle(found, mine, here, record)
    yield from _look_for(found, unknown, on_the_way, strict=strict)
    yield from _look_at_lost(found, [seat for seat in here.lost if seat not in sold.seats])
    unread, aside = yield from _booked.counts(namespace, show)
    if settings.progress is not None:
        settings.progress(len(suspects), len(suspects))
    booked = len(here.seats) + sum(sum(each.pools.values()) for each in here.bookings.values())
    return Reconciled(
        show, sold.total, booked, found.kinds, tuple(found.told), found.waiting, unread, aside, seconds=0.0
    )


def _epochs(found: Pass) -> Steps[None]:
    here: int = yield _standing.epoch(found.namespace, found.show)
    there: int = yield OfLedger("epoch", lambda ledger: ledger.epoch(found.show))
    if here != there:
        found.tell("epoch", "", f"Redis is in epoch {here}, the ledger in epoch {there}", mended=False)


def _sold(show: str) -> Steps[Sold]:
    """Read what the ledger has sold."""
    seats: list[SoldSeat] = yield from _all(partial(_loading.sold, show), _seat)
    records: list[Record] = yield from _all(partial(_loading.pool_sales, show), _booking_id)
    stock: Mapping[str, PoolStock] = yield OfLedger("pools", lambda ledger: ledger.pools(show))
    return Sold({seat.seat: seat for seat in seats}, {record.booking: record for record in records}, stock)


def _seat(sold: SoldSeat) -> str:
    return sold.seat


def _booking_id(record: Record) -> str:
    return record.booking


def _all(page_after: Callable[[str], OfLedger], name: Callable[[T], str]) -> Steps[list[T]]:
    """Read a list of the ledger's page by page."""
    found: list[T] = []
    for _ in range(_loading.PAGES):
        page: list[T] = yield page_after(name(found[-1]) if found else "")
        found += page
        if len(page) < _loading.PAGE:
            break
    return found


def _capacities(found: Pass, sold: Sold) -> Steps[None]:
    names: tuple[str, ...] = yield _pools.names(found.namespace, found.show)
    if not names:
        return
    stocks: dict[str, tuple[int, int]] = yield _pools.stocks(found.namespace, found.show, names)
    wrong: dict[str, int] = {}
    for pool, (capacity, _) in stocks.items():
        there = sold.stock.get(pool)
        if there is None or there.capacity != capacity:
            wrong[pool] = capacity
            before = "no such pool" if there is None else f"{there.capacity:,}"
            detail = f"pool {pool!r} has {capacity:,}, in the ledger {before}"
            mended = found.settings.mends and (there is None or there.sold <= capacity)
            found.tell("capacity", "", detail, mended=mended)
            if not mended:
                wrong.pop(pool)
    if wrong and found.settings.mends:
        yield OfLedger("set_pools", lambda ledger: ledger.set_pools(found.show, wrong))


def _wrong_here(here: Found, sold: Sold) -> Iterator[str]:
    """The bookings that have something in Redis which the ledger has not sold to them, or that are pins."""
    for booked in here.bookings.values():
        record = sold.pools.get(booked.booking)
        right = not booked.pinned and all(
            (there := sold.seats.get(seat)) is not None
            and (there.booking, there.fence) == (booked.booking, booked.fence)
            for seat in booked.seats
        )
        if not right or (booked.pools and (record is None or dict(record.pools) != booked.pools)):
            yield booked.booking


def _wrong_there(here: Found, sold: Sold) -> Iterator[str]:
    """The bookings that have something in the ledger which is not theirs in Redis."""
    for seat, owner in sold.seats.items():
        if here.seats.get(seat) != (owner.booking, owner.fence):
            yield owner.booking
    for record in sold.pools.values():
        booked = here.bookings.get((record.booking, record.fence or 0))
        if booked is None or booked.pools != dict(record.pools):
            yield record.booking


def _is_of(booked: Booked, record: Record | None, *, strict: bool) -> bool:
    """Whether a record says what is to become of something that Redis has.

    A fact of a fast show may have the id of an earlier one: its buyer was told yes, and the record is not about it.
    """
    if record is None:
        return False
    return record.fence in (None, booked.fence) or booked.pinned or (strict and not booked.seats)


def _settle(found: Pass, of: list[Booked], here: Found, record: Record) -> Steps[None]:
    """Have Redis do what is on record of a booking."""
    for _ in range(MOST_LOOKS):
        if record.status == "confirmed":
            yield from _sell(found, here, record, of)
        else:
            yield from _free(found, record, of)
        again = yield from outcome_of(record.show, record.booking)
        if again is None or again.status == record.status:
            return
        record = again


def _sell(found: Pass, here: Found, record: Record, of: list[Booked]) -> Steps[None]:
    booking = booking_of(record)
    if (yield from _is_sold(found.namespace, booking)):
        return  # since it was looked at
    kind: Kind = "unfinalised" if any(each.pinned for each in of) else "unsold"
    unplanned = [seat for seat in record.seats if seat not in here.planned]
    unplanned += [pool for pool in record.pools if pool not in here.pools]
    what = _named(record.seats, record.pools)
    if not found.settings.mends:
        found.tell(kind, record.booking, what, mended=False)
        return
    done: Finalised = yield _pinning.finalise(found.namespace, booking, sold=True, tell=kind == "unsold")
    if unplanned:
        found.tell("unplanned", record.booking, _named(unplanned, NOTHING), mended=False)
    in_the_way = [seat for seat, word in done.seats.items() if word == "foreign"]
    short = {pool: wanted - done.pools.get(pool, 0) for pool, wanted in record.pools.items()}
    short = {pool: missing for pool, missing in short.items() if missing > 0 and pool in here.pools}
    if in_the_way or short:
        freed = yield from _clear(found, here, in_the_way)
        if freed:
            done = yield _pinning.finalise(found.namespace, booking, sold=True, tell=True)
            in_the_way = [seat for seat, word in done.seats.items() if word == "foreign"]
    if in_the_way or short:
        found.tell("contested", record.booking, _named(in_the_way, short), mended=False)
    elif not unplanned:
        found.tell(kind, record.booking, what, mended=True)


def _is_sold(namespace: str, booking: Booking) -> Steps[bool]:
    """Whether all of a booking is sold to it in Redis."""
    if booking.seats:
        locks: list[_standing.Lock | None] = yield _standing.locks(namespace, booking.show, booking.seats)
        owner = (booking.id, booking.fence, False)
        if any(lock is None or (lock.booking, lock.fence, lock.pinned) != owner for lock in locks):
            return False
    if booking.pools:
        pools = list(booking.pools)
        sales: list[_standing.Sale | None] = yield _standing.sales(namespace, booking.show, pools, booking.fence)
        found = [None if sale is None else (sale.booking, sale.quantity) for sale in sales]
        return found == [(booking.id, booking.pools[pool]) for pool in pools]
    return True


def _clear(found: Pass, here: Found, seats: list[str]) -> Steps[bool]:
    """Free seats of bookings that the ledger says have none: gives whether there were any."""
    freed = False
    for owner in dict.fromkeys(here.seats[seat] for seat in seats if seat in here.seats):
        record = yield from outcome_of(found.show, owner[0])
        if record is not None and record.status != "confirmed":
            yield from _free(found, record, [here.bookings[owner]])
            freed = True
    return freed


def _free(found: Pass, record: Record, of: list[Booked]) -> Steps[None]:
    """Free what a booking has in Redis that is rejected or cancelled."""
    there = {booked.fence: _booking(found.show, booked) for booked in of}
    if record.fence is not None and found.settings.mends:  # it may have been sold since, by this pass as well
        there.setdefault(record.fence, booking_of(record))
    for booking in there.values():
        seats: list[str] = list(booking.seats)
        pools: Mapping[str, int] = booking.pools
        if found.settings.mends:
            known = any(booked.fence == booking.fence for booked in of)
            done: Finalised = yield _pinning.finalise(found.namespace, booking, sold=False, tell=known)
            seats = [seat for seat, word in done.seats.items() if word == "free"]
            pools = {pool: count for pool, count in done.pools.items() if count}
        if seats or pools:
            what = f"{record.status}: {_named(seats, pools)}"
            found.tell("released", record.booking, what, mended=found.settings.mends)


def _look_for(found: Pass, unknown: list[Booked], on_the_way: Mapping[str, set[str]], *, strict: bool) -> Steps[None]:
    """Find out what has become of bookings without a record: on the way to the ledger, or nowhere."""
    if not unknown:
        return
    now: float = yield _booked.now(found.show)
    for booked in unknown:
        young = strict and now - booked.since < found.settings.pin_age
        if booked.booking in on_the_way or young:
            found.waiting += 1
            continue
        record = yield from outcome_of(found.show, booked.booking)  # it may have arrived since
        looking = _standing.standing(
            found.namespace, found.show, booked.booking, booked.fence, booked.seats, booked.pools
        )
        if (record is not None and record.fence == booked.fence) or (yield from looking) is None:
            continue
        if (booked.pinned or (strict and not booked.seats)) and booked.whole:
            mended = found.settings.mends and (yield _booked.append_again(found.namespace, found.show, booked))
            found.tell("forgotten", booked.booking, _named(booked.seats, booked.pools), mended=bool(mended))
        else:
            found.tell("orphan", booked.booking, _named(booked.seats, booked.pools), mended=False)


def _look_at_lost(found: Pass, seats: list[str]) -> Steps[None]:
    """Tell of seats that are off sale for a booking that nobody knows: their locks are gone, so nobody gets them."""
    plans = _snapshots.PlanCache()
    for first in range(0, len(seats), _booked.STEP):
        some = tuple(seats[first : first + _booked.STEP])
        states: list[SeatState] = yield from _snapshots.inspect(found.namespace, found.show, some, plans)
        for state in states:
            if not state.consistent and state.state in ("pinned", "sold"):
                found.tell("orphan", "", f"{state.seat} is {state.state}, and its lock is gone", mended=False)


def _booking(show: str, booked: Booked) -> Booking:
    return Booking(
        booked.booking,
        show,
        tuple(booked.seats),
        booked.holder,
        booked.payment,
        booked.fence,
        booked.since,
        pools=booked.pools or NOTHING,
    )


def _named(seats: list[str] | tuple[str, ...], pools: Mapping[str, int]) -> str:
    """Seats and quantities in words, the first few of many."""
    told = [
        *seats[:MOST_NAMED],
        *(["…"] if len(seats) > MOST_NAMED else []),
        *(f"{count} of {pool}" for pool, count in pools.items()),
    ]
    return ", ".join(told)


def timed(done: Reconciled, seconds: float) -> Reconciled:
    """The same, with what it took."""
    return replace(done, seconds=seconds)
