"""Builds the Asks of strict checkout, pin and finalise, and reads what they are answered: pure, no I/O.

`docs/decisions/strict-checkout.md` says what becomes of a booking between the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from seatlock import _bounds, _replies
from seatlock._commands import checked_hold, on_hold, owner_of, sale_of
from seatlock._keys import keys_of
from seatlock._nothing import NOTHING
from seatlock._operation import Ask
from seatlock._tokens import hash_of
from seatlock.errors import InvalidRequest, SeatLockError
from seatlock.model import Booking

LATEST = 2**49  # milliseconds, the last time that a script takes


class Pinned(msgspec.Struct, frozen=True, gc=False):
    """A hold that became a pin: nobody else can have it, and the ledger decides whether it is a booking.

    ``epoch`` is that of ``fence``. ``pinned_at`` is in seconds, by the server's clock. ``finalised`` says that all of
    its seats are sold by now; of pools alone it cannot be known, since these count a pin as a sale.
    """

    booking: str
    show: str
    seats: tuple[str, ...]
    holder: str
    payment: str | None
    token_hash: str
    epoch: int
    fence: int
    pinned_at: float
    finalised: bool = False
    pools: Mapping[str, int] = NOTHING


class Finalised(msgspec.Struct, frozen=True, gc=False):
    """What finalising a booking did, seat by seat.

    ``sold``: it is sold to the booking. ``foreign``: it is sold to another one, or its lock is none of ours, and was
    left. ``unknown``: the show has no such seat. ``free``: it was the booking's, and is free now. ``gone``: it was not.
    ``pools`` tells how many of each pool are sold to the booking, or were given back by it.
    """

    show: str
    booking: str
    seats: Mapping[str, Literal["sold", "foreign", "unknown", "free", "gone"]]
    pools: Mapping[str, int] = NOTHING


def pin(namespace: str, hold: object, payment: object, booking: object) -> Ask[Pinned]:
    """Ask to pin what a hold has to a booking, so that the ledger can decide."""
    hold, keys = checked_hold(namespace, hold)
    paid, booking_id, terms = sale_of(hold, payment, booking)
    args = (owner_of(hold), booking_id.encode(), paid, hash_of(hold.token).encode(), terms)
    return on_hold("pin", hold, keys, args, pinned)


def pinned(ask: Ask[Pinned], answer: list[Any]) -> Pinned | SeatLockError:
    """Read the answer to a pin."""
    word = answer[0]
    if word == b"lost":
        return _replies.hold_lost(ask, answer)
    if word == b"conflict":
        return _replies.booking_conflict(ask, answer, "pending")
    again = word == b"again"
    epoch, counter, since = answer[1:4]
    return Pinned(
        booking=(answer[4] if again else ask.args[1]).decode(),
        show=ask.show,
        seats=ask.seats,
        holder=ask.holder,
        payment=_replies.optional_text(ask.args[2]),
        token_hash=ask.args[3].decode(),
        epoch=epoch,
        fence=_replies.fence_of(epoch, counter),
        pinned_at=since / 1000,
        finalised=again and bool(ask.seats) and len(answer[5:]) == len(ask.seats),
        pools=dict(ask.pools) if ask.pools else NOTHING,
    )


def finalise(namespace: str, booking: object, *, sold: bool, tell: bool = False) -> Ask[Finalised]:
    """Ask to do what the ledger has decided: that a booking is sold, or that whatever it has here comes free.

    With ``tell`` the outbox is told too, for brokers: where no pin's entry will tell of it.
    """
    if not isinstance(booking, Booking):
        raise InvalidRequest(f"booking must be a seatlock.Booking, not {type(booking).__name__}.")
    keys = keys_of(namespace, booking.show)
    seats, holder, pools = _bounds.seats_with_pools(booking.seats, booking.holder, booking.pools)
    booking_id = _bounds.reference("booking.id", booking.id)
    paid = b"" if booking.payment is None else _bounds.reference("booking.payment", booking.payment).encode()
    epoch, counter = _replies.fence_parts(_bounds.fence("booking.fence", booking.fence))
    if not 0 <= booking.confirmed_at * 1000 < LATEST:
        raise InvalidRequest(f"booking.confirmed_at is {booking.confirmed_at!r}, which no server gave.")
    terms = b"%d %d %d %d %d %d" % (sold, tell, epoch, counter, round(booking.confirmed_at * 1000), len(seats))
    args = (booking_id.encode(), holder.encode(), paid, terms)
    return Ask("finalise", keys.show, seats, holder, None, keys.locks(seats), args, finalised, pools=pools)


def sell_pinned(ask: Ask[Pinned], pin: Pinned, confirmed_at: float) -> Ask[Finalised]:
    """Ask to do of what was pinned what the ledger has decided: that it is sold. All was checked for the pin."""
    epoch, counter = _replies.fence_parts(pin.fence)
    terms = b"1 0 %d %d %d %d" % (epoch, counter, round(confirmed_at * 1000), len(ask.seats))
    args = (pin.booking.encode(), ask.holder.encode(), ask.args[2], terms)
    return Ask("finalise", ask.show, ask.seats, ask.holder, None, ask.keys, args, finalised, pools=ask.pools)


def finalised(ask: Ask[Finalised], answer: list[Any]) -> Finalised:
    """Read the answer to a finalise."""
    if not ask.pools and len(answer) == len(ask.seats) == answer.count(b"sold"):
        return Finalised(ask.show, ask.args[0].decode(), dict.fromkeys(ask.seats, "sold"))
    words: dict[str, Literal["sold", "foreign", "unknown", "free", "gone"]] = {
        seat: word.decode() for seat, word in zip(ask.seats, answer, strict=not ask.pools)
    }
    return Finalised(ask.show, ask.args[0].decode(), words, _replies.given_back(ask, answer))
