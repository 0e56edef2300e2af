"""Every verb of a locker, ready to be called on a show of its own: what it needs first, the call, its show's life."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from seatlock import AcquireRequest, ConfirmRequest, Hold, SeatLocker, Wait
from tests.support.strict import booking_of, finalise, pin
from tests.support.waiting import until

SEATS: Final = tuple(f"S-{number}" for number in range(8))
HOLDER: Final = "ada"
TOMORROW: Final = round(time.time()) + 86_400.0  # one time for all shows of a run
_numbers = itertools.count()


def token(number: int = 0) -> str:
    """A token that two shows can have in common."""
    return f"{number:032x}"


def fresh_show(locker: SeatLocker, seats: tuple[str, ...] = SEATS) -> str:
    """Warm and open a show of its own."""
    show = f"chaos-{next(_numbers)}"
    locker.warm(show, seats)
    locker.open_sale(show)
    return show


class Verb(NamedTuple):
    """``prepare`` makes what the call needs, ``call`` is made through the door whose replies are lost."""

    prepare: Callable[[SeatLocker, str], Any]
    call: Callable[[Any, str, Any], Any]


def _nothing(_locker: SeatLocker, _show: str) -> None:
    return None


def hold_of(locker: SeatLocker, show: str, number: int = 0) -> Hold:
    """A hold on two seats."""
    return locker.acquire(show, SEATS[2 * number : 2 * number + 2], holder=HOLDER, token=token(number))


def _holds(locker: SeatLocker, show: str) -> list[Hold]:
    return [hold_of(locker, show, number) for number in range(3)]


def late_hold(locker: SeatLocker, show: str) -> Hold:
    """A hold on two seats whose time has run out."""
    hold = locker.acquire(show, SEATS[:2], holder=HOLDER, ttl=0.001, token=token())
    until(lambda: locker.availability(show).counts["free"] == len(SEATS), "the hold has ended")
    return hold


def _due(locker: SeatLocker, show: str) -> None:
    locker.acquire(show, SEATS[:3], holder=HOLDER, ttl=0.001, token=token())
    until(lambda: locker.availability(show).counts["free"] == len(SEATS), "the hold has ended")


def _with_pools(locker: SeatLocker, show: str) -> None:
    locker.warm(show, SEATS, pools={"floor": 5})


def pooled_hold_of(locker: SeatLocker, show: str) -> Hold:
    """A hold on a seat and some of a pool."""
    _with_pools(locker, show)
    return locker.acquire(show, SEATS[:1], holder=HOLDER, token=token(), pools={"floor": 2})


def strict_hold_of(locker: SeatLocker, show: str) -> Hold:
    """A hold on a seat and some of a pool, on a show whose checkout becomes strict now."""
    locker.warm(show, SEATS, pools={"floor": 5}, checkout="strict")
    return locker.acquire(show, SEATS[:1], holder=HOLDER, token=token(), pools={"floor": 2})


def late_pooled_hold(locker: SeatLocker, show: str) -> Hold:
    """A hold on a seat and some of a pool whose time has run out."""
    _with_pools(locker, show)
    hold = locker.acquire(show, SEATS[:1], holder=HOLDER, ttl=0.001, token=token(), pools={"floor": 2})
    until(lambda: locker.availability(show).counts["free"] == len(SEATS), "the hold has ended")
    until(lambda: locker.availability(show).pools["floor"].held == 0, "the claim has ended")
    return hold


def _blocked(locker: SeatLocker, show: str) -> None:
    locker.block(show, SEATS[:2], reason="camera")


def _unwarmed(locker: SeatLocker, show: str) -> None:
    locker.retire(show)


REQUESTS: Final = [AcquireRequest(SEATS[2 * n : 2 * n + 2], HOLDER, 600.0, token(n)) for n in range(3)]

VERBS: Final[dict[str, Verb]] = {
    "acquire": Verb(_nothing, lambda door, show, _: door.acquire(show, SEATS[:2], holder=HOLDER, token=token())),
    "acquire_best": Verb(_nothing, lambda door, show, _: door.acquire_best(show, 2, holder=HOLDER, token=token())),
    "extend": Verb(hold_of, lambda door, _, hold: door.extend(hold, ttl=900.0)),
    "confirm": Verb(hold_of, lambda door, _, hold: door.confirm(hold, payment="pay-1")),
    "confirm_and_wait": Verb(
        hold_of, lambda door, _, hold: door.confirm(hold, payment="pay-1", wait=Wait(1, timeout=0.01))
    ),
    "begin_payment": Verb(hold_of, lambda door, _, hold: door.begin_payment(hold, expected=900.0)),
    "reclaim": Verb(late_hold, lambda door, _, hold: door.confirm(hold, payment="pay-1", reclaim=True)),
    "release": Verb(hold_of, lambda door, _, hold: door.release(hold)),
    "cancel": Verb(
        lambda locker, show: locker.confirm(hold_of(locker, show)), lambda door, _, booking: door.cancel(booking)
    ),
    "acquire_pools": Verb(
        _with_pools,
        lambda door, show, _: door.acquire(show, SEATS[:1], holder=HOLDER, token=token(), pools={"floor": 2}),
    ),
    "extend_pools": Verb(pooled_hold_of, lambda door, _, hold: door.extend(hold, ttl=900.0)),
    "confirm_pools": Verb(pooled_hold_of, lambda door, _, hold: door.confirm(hold, payment="pay-1")),
    "reclaim_pools": Verb(late_pooled_hold, lambda door, _, hold: door.confirm(hold, payment="pay-1", reclaim=True)),
    "release_pools": Verb(pooled_hold_of, lambda door, _, hold: door.release(hold)),
    "cancel_pools": Verb(
        lambda locker, show: locker.confirm(pooled_hold_of(locker, show)),
        lambda door, _, booking: door.cancel(booking),
    ),
    "pin": Verb(strict_hold_of, lambda door, _, hold: pin(door, hold)),
    "finalise": Verb(
        lambda locker, show: booking_of(pin(locker, strict_hold_of(locker, show))),
        lambda door, _, booking: finalise(door, booking),
    ),
    "finalise_free": Verb(
        lambda locker, show: booking_of(pin(locker, strict_hold_of(locker, show))),
        lambda door, _, booking: finalise(door, booking, sold=False),
    ),
    "block": Verb(_nothing, lambda door, show, _: door.block(show, SEATS[:2], reason="camera")),
    "unblock": Verb(_blocked, lambda door, show, _: door.unblock(show, SEATS[:3])),
    "set_channel": Verb(hold_of, lambda door, show, _: door.set_channel(show, SEATS[:3], "partner")),
    "sweep": Verb(_due, lambda door, show, _: door.sweep(show)),
    "force_release": Verb(
        hold_of, lambda door, show, hold: door.force_release(show, hold.seats, by="eve", reason="a test")
    ),
    "force_release_pools": Verb(
        pooled_hold_of,
        lambda door, show, _: door.force_release(show, pools=["floor"], holder=HOLDER, by="eve", reason="a test"),
    ),
    "check": Verb(hold_of, lambda door, show, _: door.check(show)),
    "inspect": Verb(hold_of, lambda door, show, _: door.inspect(show, SEATS)),
    "holds": Verb(hold_of, lambda door, show, _: door.holds(show, holder=HOLDER)),
    "availability": Verb(hold_of, lambda door, show, _: door.availability(show)),
    "warm": Verb(_unwarmed, lambda door, show, _: door.warm(show, SEATS)),
    "open_sale": Verb(lambda locker, show: locker.close_sale(show), lambda door, show, _: door.open_sale(show)),
    "pause_sale": Verb(_nothing, lambda door, show, _: door.pause_sale(show)),
    "close_sale": Verb(_nothing, lambda door, show, _: door.close_sale(show)),
    "open_sale at": Verb(
        lambda locker, show: locker.close_sale(show), lambda door, show, _: door.open_sale(show, at=TOMORROW)
    ),
    "close_sale at": Verb(_nothing, lambda door, show, _: door.close_sale(show, at=TOMORROW)),
    "retire": Verb(_nothing, lambda door, show, _: door.retire(show)),
    "acquire_many": Verb(_nothing, lambda door, show, _: door.acquire_many(show, REQUESTS)),
    "confirm_many": Verb(
        _holds, lambda door, show, holds: door.confirm_many(show, [ConfirmRequest(hold, "pay-1") for hold in holds])
    ),
    "release_many": Verb(_holds, lambda door, show, holds: door.release_many(show, holds)),
}
