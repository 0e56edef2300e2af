"""What Redis has pinned or sold, by booking, and what of it is on its way to the ledger."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from seatlock import _snapshots, _standing, _stocktaking
from seatlock._commands import derived_booking_id
from seatlock._keys import keys_of
from seatlock._operation import Command
from seatlock._procedures import Procedure
from seatlock._replies import fence_parts
from seatlock._standing import Lock
from seatlock._tokens import hash_of
from seatlock.model import Availability

STEP: Final = 400  # locks that are read at a time
PAGE: Final = 1_000  # entries of the outbox that are read at a time
MOST_ENTRIES: Final = 2_000_000
MOST_STEPS: Final = 1_000_000  # of a walk over the sales of pools


class Booked(msgspec.Struct):
    """What a booking has in Redis: seats, quantities of pools. ``pinned`` if any of the seats is no more than that."""

    booking: str
    holder: str
    payment: str | None
    fence: int
    since: float
    token: str
    pinned: bool = False
    seats: list[str] = msgspec.field(default_factory=list[str])
    pools: dict[str, int] = msgspec.field(default_factory=dict[str, int])

    def __repr__(self) -> str:  # without the token
        return f"Booked({self.booking!r})"

    @property
    def whole(self) -> bool:
        """Whether this is all that was asked for, as far as the id tells: a part of it must not become a booking."""
        own = not self.booking.startswith("bk-")  # the caller's own id tells nothing
        return bool(self.token) and (own or self.booking == derived_booking_id(self.token, self.seats, self.pools))


class Found(msgspec.Struct):
    """What was found in Redis. ``lost`` are seats that are pinned or sold, and whose lock does not say to whom."""

    planned: frozenset[str]
    pools: frozenset[str]
    bookings: dict[tuple[str, int], Booked]  # by id and fence: an id may come again under a token used again
    seats: dict[str, tuple[str, int]]
    lost: list[str]


def find(namespace: str, show: str) -> Procedure[Found]:
    """Find all that is pinned or sold of a show; what was sold elsewhere before it was warmed has no booking."""
    seen: Availability = yield from _snapshots.availability(namespace, show, None, _snapshots.PlanCache())
    found = Found(frozenset(seen.seats), frozenset(seen.pools), {}, {}, [])
    taken = [seat for seat, state in seen.seats.items() if state in ("pinned", "sold")]
    for first in range(0, len(taken), STEP):
        seats = taken[first : first + STEP]
        locks: list[Lock | None] = yield _standing.locks(namespace, show, seats)
        for seat, lock in zip(seats, locks, strict=True):
            if lock is None:
                found.lost.append(seat)
            elif lock.booking:
                _take_in(found, lock).seats.append(seat)
                found.seats[seat] = (lock.booking, lock.fence)
    if seen.pools:
        yield from _find_sales(namespace, show, found)
    return found


def _take_in(found: Found, lock: Lock) -> Booked:
    known = found.bookings.get((lock.booking, lock.fence))
    if known is None:
        known = Booked(lock.booking, lock.holder, lock.payment, lock.fence, lock.since, lock.token)
        found.bookings[lock.booking, lock.fence] = known
    known.pinned = known.pinned or lock.pinned
    known.token = known.token or lock.token
    return known


def _find_sales(namespace: str, show: str, found: Found) -> Procedure[None]:
    pools: tuple[str, ...] = ()
    cursor = b"0"
    for _ in range(MOST_STEPS):
        step: _stocktaking.Found = yield _stocktaking.look(namespace, show, pools, cursor)
        if step.pools != pools:
            pools, cursor = step.pools, b"0"
            continue
        for entry in step.entries:
            if entry.kind == "sale" and entry.booking is not None:
                pool = pools[entry.place - 1]
                known = found.bookings.get((entry.booking, entry.fence))
                if known is None:
                    sales: list[_standing.Sale | None] = yield _standing.sales(namespace, show, [pool], entry.fence)
                    if sales[0] is None:
                        continue  # it has come to an end meanwhile
                    known = Booked(
                        entry.booking, entry.holder, entry.payment, entry.fence, sales[0].since, sales[0].token
                    )
                    found.bookings[entry.booking, entry.fence] = known
                known.pools[pool] = entry.quantity
        cursor = step.cursor
        if cursor == b"0":
            return


def now(show: str) -> Command[float]:
    """Read the server's clock."""
    return Command(show, ["TIME"], lambda reply: int(reply[0]) + int(reply[1]) / 1e6)


def counts(namespace: str, show: str) -> Procedure[tuple[int, int]]:
    """How many entries the outbox has, and how many the relay has set aside."""
    keys = keys_of(namespace, show)
    unread: int = yield Command(show, ["XLEN", keys.outbox], int)
    aside: int = yield Command(show, ["XLEN", keys.aside], int)
    return unread, aside


def on_the_way(namespace: str, show: str) -> Procedure[dict[str, set[str]]]:
    """The bookings that the outbox tells of, or that were set aside, each with the kinds of its facts."""
    keys = keys_of(namespace, show)
    found: dict[str, set[str]] = {}
    for stream in (keys.outbox, keys.aside):
        first = b"-"
        for _ in range(MOST_ENTRIES // PAGE):
            command = ["XRANGE", stream, first, b"+", "COUNT", str(PAGE)]
            page: list[tuple[bytes, dict[bytes, bytes]]] = yield Command(show, command, list)
            for _, fields in page:
                booking, kind = (fields.get(name, b"").decode(errors="replace") for name in (b"booking", b"kind"))
                found.setdefault(booking, set()).add(kind)
            if len(page) < PAGE:
                break
            first = b"(" + page[-1][0]
    return found


def append_again(namespace: str, show: str, booked: Booked) -> Command[bool]:
    """Tell the outbox of a pin again, as the script that made it did: gives whether the show has an outbox."""
    epoch, counter = fence_parts(booked.fence)
    told: dict[str, Any] = {
        "kind": "pinned",
        "booking": booked.booking,
        "holder": booked.holder,
        "seats": "\n".join(booked.seats),
        "payment": booked.payment or "",
        "epoch": epoch,
        "fence": counter,
        "at": round(booked.since * 1000),
        "token_hash": hash_of(booked.token),
    }
    if booked.pools:
        told["pools"] = "\n".join(f"{quantity} {pool}" for pool, quantity in sorted(booked.pools.items()))
    fields = [part for pair in told.items() for part in pair]
    command = ["XADD", keys_of(namespace, show).outbox, "NOMKSTREAM", "*", *fields]
    return Command(show, command, lambda reply: reply is not None)
