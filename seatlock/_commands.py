"""Builds Asks and Operations from checked arguments: pure, no I/O.

One function a verb. Each checks its arguments first (`seatlock._bounds`), so that bad input is refused before
anything is sent, and lays keys and arguments out as the header of its script says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, TypeVar

import msgspec

from seatlock import _bounds, _levels, _pools, _replies
from seatlock._keys import Keys, keys_of
from seatlock._operation import Ask, Operation, Verb, batch, wait_of
from seatlock._script import load
from seatlock._tokens import hash_of, new_token
from seatlock.errors import InvalidRequest, SeatLockError
from seatlock.model import Booking, Cancellation, Hold, Release

T = TypeVar("T")


def derived_booking_id(token: str, seats: Sequence[str], pools: Mapping[str, int] | None = None) -> str:
    """The booking id of a hold: 128 bits of SHA-256 over token, seats and pools: a retry needs nothing else."""
    named = seats[0] if len(seats) == 1 else "\n".join(sorted(seats))
    if pools:
        named += "".join([f"\n\n{name}\n{quantity}" for name, quantity in sorted(pools.items())])
    return "bk-" + sha256(f"{token}\n{named}".encode()).hexdigest()[:32]


def reclaiming_token(token: str) -> str:
    """The token under which an expired hold is regained: the same for every retry, by whoever has the hold.

    128 bits of SHA-256 over the hold's token and a label, so that neither token can be had without the old one.
    """
    return sha256(f"{token}\nreclaim".encode()).hexdigest()[:32]


def acquire(
    namespace: str,
    show: object,
    seats: object,
    holder: object,
    ttl: object,
    token: object,
    pools: object = None,
    channel: object = None,
) -> Ask[Hold]:
    """Ask for seats and quantities of pools; without a token of the caller's, one is minted here, before sending."""
    keys = keys_of(namespace, show)
    quantities: tuple[tuple[str, int], ...] = ()
    if pools is None:
        seats, holder = _bounds.seats_and_holder(seats, holder)
    else:
        seats, holder, quantities = _bounds.seats_with_pools(seats, holder, pools)
    milliseconds = _bounds.ttl(ttl)
    minted = token is None
    token = new_token() if token is None else _bounds.token(token)
    return Ask(
        "acquire",
        keys.show,
        seats,
        holder,
        token,
        keys.locks(seats),
        (f"{token}\n{holder}".encode(), b"%d %d" % (milliseconds, len(seats))),
        _replies.hold,
        quantities,
        minted,
        () if channel is None else ((b"c", _bounds.channel(channel).encode()),),
    )


def acquire_best(
    namespace: str,
    show: str,
    sets: Sequence[tuple[str, ...]],
    holder: str,
    milliseconds: int,
    token: str,
    *,
    minted: bool,
    channel: str = "",
) -> Ask[Hold | _replies.Noted | _replies.NoneFree]:
    """Ask for the first of several sets of equal size that is wholly free; the arguments are checked already."""
    keys = keys_of(namespace, show)
    seats = tuple([seat for chosen in sets for seat in chosen])
    return Ask(
        "acquire_best",
        keys.show,
        seats,
        holder,
        token,
        keys.locks(seats),
        (f"{token}\n{holder}".encode(), b"%d %d %d" % (milliseconds, len(sets[0]), len(seats))),
        _replies.best,
        minted=minted,
        extras=((b"c", channel.encode()),) if channel else (),
    )


def checked_hold(namespace: str, hold: object) -> tuple[Hold, Keys]:
    """Check a hold that comes from the caller, who may have stored and changed it; gives the keys of its show too."""
    if not isinstance(hold, Hold):
        raise InvalidRequest(f"hold must be a seatlock.Hold, not {type(hold).__name__}.")
    keys = keys_of(namespace, hold.show)
    if hold.pools:
        _bounds.seats_with_pools(hold.seats, hold.holder, hold.pools)
    else:
        _bounds.seats_and_holder(hold.seats, hold.holder)
    _bounds.token(hold.token)
    _bounds.fence("hold.fence", hold.fence)
    if type(hold.deadline) is not int or not 0 <= hold.deadline < 2**49:
        raise InvalidRequest("hold.deadline is not what the server gave: keep holds as they are.")
    return hold, keys


def extend(namespace: str, hold: object, ttl: object) -> Ask[Hold]:
    """Ask for ``ttl`` from now on a hold."""
    hold, keys = checked_hold(namespace, hold)
    terms = b"0 %d %d %d" % (_bounds.ttl(ttl), hold.deadline, len(hold.seats))
    return on_hold("extend", hold, keys, (owner_of(hold), terms), _replies.hold)


def begin_payment(namespace: str, hold: object, expected: object) -> Ask[Hold]:
    """Ask for ``expected`` from now on a hold whose payment begins: an extend that has an effect once."""
    hold, keys = checked_hold(namespace, hold)
    milliseconds = _bounds.milliseconds("expected", expected)
    terms = b"1 %d %d %d" % (milliseconds, hold.deadline, len(hold.seats))
    return on_hold("extend", hold, keys, (owner_of(hold), terms), _replies.hold)


def confirm(namespace: str, hold: object, payment: object, booking: object, *, reclaim: object = False) -> Ask[Booking]:
    """Ask to turn a hold into a booking; with ``reclaim`` also one whose time has run out, if all of it is free."""
    if reclaim is not False:
        _bounds.flag("reclaim", reclaim)
    hold, keys = checked_hold(namespace, hold)
    paid, booking_id, terms = sale_of(hold, payment, booking)
    sale = (owner_of(hold), booking_id.encode(), paid, hash_of(hold.token).encode())
    if not reclaim:
        return on_hold("confirm", hold, keys, (*sale, terms), _replies.booking)
    token = reclaiming_token(hold.token)
    new_id = derived_booking_id(token, hold.seats, hold.pools) if booking is None else booking_id
    args = (*sale, token.encode(), new_id.encode(), hash_of(token).encode(), terms)
    return on_hold("reclaim", hold, keys, args, _replies.booking)


def sale_of(hold: Hold, payment: object, booking: object) -> tuple[bytes, str, bytes]:
    """What selling a checked hold takes: the payment, the id of the booking, the numbers."""
    paid = b"" if payment is None else _bounds.reference("payment", payment).encode()
    if booking is None:
        booking_id = derived_booking_id(hold.token, hold.seats, hold.pools)
    else:
        booking_id = _bounds.reference("booking", booking)
    return paid, booking_id, b"%d %d" % (hold.deadline, len(hold.seats))


def beside_reclaims(ask: Ask[Booking]) -> Ask[Booking]:
    """The same confirm as a request of the script that can reclaim, so that one call has both, in order."""
    if ask.verb == "reclaim":
        return ask
    *first, terms = ask.args
    return msgspec.structs.replace(ask, verb="reclaim", args=(*first, b"", b"", b"", terms))


def release(namespace: str, hold: object) -> Ask[Release]:
    """Ask to give a hold back."""
    hold, keys = checked_hold(namespace, hold)
    return on_hold("release", hold, keys, (owner_of(hold), b"0 %d" % len(hold.seats)), _replies.release)


def release_of(ask: Ask[Hold]) -> Ask[Release]:
    """Ask to give back whatever an acquire got under its own token, also where its answer never came."""
    return _given_back(ask, b"0 %d" % len(ask.seats))


def undo_of(ask: Ask[Hold]) -> Ask[Release]:
    """Ask for the same, but to spare a hold that was resumed since: its holder has asked again, and counts on it."""
    return _given_back(ask, b"1 %d" % len(ask.seats))


def _given_back(ask: Ask[Hold], terms: bytes) -> Ask[Release]:
    args = (ask.args[0], terms)
    return Ask("release", ask.show, ask.seats, ask.holder, ask.token, ask.keys, args, _replies.release, pools=ask.pools)


def owner_of(hold: Hold) -> bytes:
    """Who owns a hold, as it stands in its locks."""
    return f"{hold.token}\n{hold.holder}".encode()


def on_hold(verb: Verb, hold: Hold, keys: Keys, args: tuple[bytes, ...], read: Any) -> Ask[Any]:
    """Ask for something of a checked hold."""
    seats = tuple(hold.seats)  # a list, where the hold was stored and its types were not looked at
    pools = tuple(hold.pools.items()) if hold.pools else ()
    return Ask(verb, keys.show, seats, hold.holder, hold.token, keys.locks(seats), args, read, pools)


def cancel(namespace: str, booking: object) -> Ask[Cancellation]:
    """Ask to undo a booking."""
    if not isinstance(booking, Booking):
        raise InvalidRequest(f"booking must be a seatlock.Booking, not {type(booking).__name__}.")
    keys = keys_of(namespace, booking.show)
    seats, _, pools = _bounds.seats_with_pools(booking.seats, booking.holder, booking.pools)
    booking_id = _bounds.reference("booking.id", booking.id)
    fence = _bounds.fence("booking.fence", booking.fence)
    terms = b"%d %d %d" % (*_replies.fence_parts(fence), len(seats))
    args = (booking_id.encode(), terms)
    return Ask(
        "cancel", keys.show, seats, booking.holder, None, keys.locks(seats), args, _replies.cancellation, pools=pools
    )


def of_asks(namespace: str, asks: Sequence[Ask[T]], *, lists: bool = False) -> Operation[list[T | SeatLockError]]:
    """Put asks of one verb and one show into one script call; with the ``lists`` of their holders where wanted."""
    verb = asks[0].verb
    keys = keys_of(namespace, asks[0].show)
    fixed = [keys.meta, keys.seats, keys.due, keys.changes]
    if verb == "acquire":
        fixed.append(keys.room.passes)
    elif verb in ("confirm", "reclaim", "pin"):
        fixed += [keys.outbox, keys.room.passes, keys.room.grants, keys.room.queue]
    elif verb in ("cancel", "finalise"):
        fixed.append(keys.outbox)
    elif verb == "acquire_best":
        fixed += [keys.room.passes, *[keys.note(ask.args[0]) for ask in asks]]
    pooled = [ask for ask in asks if ask.pools]
    extras = _pools.extras(keys, asks) if pooled else ((), ())
    operation = batch(load(verb), fixed, asks, keys.lists([ask.holder for ask in asks]) if lists else (), extras)
    wait = wait_of(asks[0])
    return operation if wait is None else _levels.waiting(operation, wait)
