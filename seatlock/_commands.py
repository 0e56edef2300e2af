"""Builds Asks and Operations from checked arguments: pure, no I/O.

One function a verb. Each checks its arguments first (`seatlock._bounds`), so that bad input is refused before
anything is sent, and lays keys and arguments out as the header of its script says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final, Literal, TypeVar

import msgspec

from seatlock import _bounds, _channels, _pools, _replies
from seatlock._keys import Keys, keys_of
from seatlock._operation import Again, Ask, Command, Operation, Verb, batch, check_show
from seatlock._script import load
from seatlock._tokens import new_token
from seatlock.errors import InvalidRequest, SeatLockError
from seatlock.model import Booking, Cancellation, Hold, Release, SaleStatus, SeatState

T = TypeVar("T")

SWEEP_STEP: Final = 500  # due seats a sweep call takes back at most
READ_STEP: Final = 1000  # seats an availability call reads at most
CHANGES_STEP: Final = 200  # batches of changes a call reads at most
CHANGES_CAP: Final = 10_000  # batches that the change stream keeps, about


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
    return _on_hold("extend", hold, keys, (_owner(hold), terms), _replies.hold)


def begin_payment(namespace: str, hold: object, expected: object) -> Ask[Hold]:
    """Ask for ``expected`` from now on a hold whose payment begins: an extend that has an effect once."""
    hold, keys = checked_hold(namespace, hold)
    milliseconds = _bounds.milliseconds("expected", expected)
    terms = b"1 %d %d %d" % (milliseconds, hold.deadline, len(hold.seats))
    return _on_hold("extend", hold, keys, (_owner(hold), terms), _replies.hold)


def confirm(namespace: str, hold: object, payment: object, booking: object, *, reclaim: object = False) -> Ask[Booking]:
    """Ask to turn a hold into a booking; with ``reclaim`` also one whose time has run out, if all of it is free."""
    if not isinstance(reclaim, bool):
        raise InvalidRequest(f"reclaim must be True or False, not {reclaim!r}.")
    hold, keys = checked_hold(namespace, hold)
    paid = b"" if payment is None else _bounds.reference("payment", payment).encode()
    if booking is None:
        booking_id = derived_booking_id(hold.token, hold.seats, hold.pools)
    else:
        booking_id = _bounds.reference("booking", booking)
    terms = b"%d %d" % (hold.deadline, len(hold.seats))
    if not reclaim:
        return _on_hold("confirm", hold, keys, (_owner(hold), booking_id.encode(), paid, terms), _replies.booking)
    token = reclaiming_token(hold.token)
    new_id = derived_booking_id(token, hold.seats, hold.pools) if booking is None else booking_id
    args = (_owner(hold), booking_id.encode(), paid, token.encode(), new_id.encode(), terms)
    return _on_hold("reclaim", hold, keys, args, _replies.booking)


def beside_reclaims(ask: Ask[Booking]) -> Ask[Booking]:
    """The same confirm as a request of the script that can reclaim, so that one call has both, in order."""
    if ask.verb == "reclaim":
        return ask
    *first, terms = ask.args
    return msgspec.structs.replace(ask, verb="reclaim", args=(*first, b"", b"", terms))


def release(namespace: str, hold: object) -> Ask[Release]:
    """Ask to give a hold back."""
    hold, keys = checked_hold(namespace, hold)
    return _on_hold("release", hold, keys, (_owner(hold), b"0 %d" % len(hold.seats)), _replies.release)


def release_of(ask: Ask[Hold]) -> Ask[Release]:
    """Ask to give back whatever an acquire got under its own token, also where its answer never came."""
    return _given_back(ask, b"0 %d" % len(ask.seats))


def undo_of(ask: Ask[Hold]) -> Ask[Release]:
    """Ask for the same, but to spare a hold that was resumed since: its holder has asked again, and counts on it."""
    return _given_back(ask, b"1 %d" % len(ask.seats))


def _given_back(ask: Ask[Hold], terms: bytes) -> Ask[Release]:
    args = (ask.args[0], terms)
    return Ask("release", ask.show, ask.seats, ask.holder, ask.token, ask.keys, args, _replies.release, pools=ask.pools)


def _owner(hold: Hold) -> bytes:
    return f"{hold.token}\n{hold.holder}".encode()


def _on_hold(verb: Verb, hold: Hold, keys: Keys, args: tuple[bytes, ...], read: Any) -> Ask[Any]:
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
    elif verb in ("confirm", "reclaim"):
        fixed += [keys.outbox, keys.room.passes, keys.room.grants]
    elif verb == "cancel":
        fixed.append(keys.outbox)
    elif verb == "acquire_best":
        fixed += [keys.room.passes, *[keys.note(ask.args[0]) for ask in asks]]
    pooled = [ask for ask in asks if ask.pools]
    extras = _pools.extras(keys, asks) if pooled else ((), ())
    return batch(load(verb), fixed, asks, keys.lists([ask.holder for ask in asks]) if lists else (), extras)


def sweep(namespace: str, show: str) -> Operation[tuple[int, bool]]:
    """Take back up to `SWEEP_STEP` due seats: gives how many became free, and whether more may be due."""
    keys = keys_of(namespace, show)

    def decode(reply: list[Any]) -> tuple[int, bool]:
        check_show(reply, show)
        return reply[1], reply[2] == SWEEP_STEP

    return Operation(load("sweep"), show, [keys.meta, keys.seats, keys.due, keys.changes], [b"%d" % SWEEP_STEP], decode)


def inspect(
    namespace: str, show: str, seats: tuple[str, ...], categories: tuple[str, ...]
) -> Operation[tuple[str, list[SeatState]]]:
    """Ask what is known of each seat; gives the digest of the show's plan too, whose categories are named here."""
    keys = keys_of(namespace, show)

    def decode(reply: list[Any]) -> tuple[str, list[SeatState]]:
        check_show(reply, show)
        return reply[1].decode(), list(_replies.seat_states(seats, reply[2:], categories))

    fixed = [keys.meta, keys.seats, keys.blocks]
    return Operation(load("inspect"), show, [*fixed, *keys.locks(seats)], [], decode, seats=seats)


def set_status(namespace: str, show: str, status: SaleStatus, at: int = 0) -> Operation[SaleStatus]:
    """Open, pause or close a sale, at once or (open, close) at a time in milliseconds; gives the status before."""
    keys = keys_of(namespace, show)

    def decode(reply: list[Any]) -> SaleStatus:
        check_show(reply, show)
        before: SaleStatus = reply[1].decode()
        if reply[0] == b"past":
            raise InvalidRequest(
                f"the time for the sale of show {show!r} to open has passed by the server's clock, and it is {before}; "
                "nothing was changed: give a time to come, or none to open it now."
            )
        return before

    return Operation(load("status"), show, [keys.meta, keys.changes], [status.encode(), b"%d" % at], decode)


def retire(
    namespace: str, show: str, unread: Literal["keep", "discard"], pools: Sequence[str] = ()
) -> Operation[tuple[int, int] | None]:
    """End a show; gives its live holds and unread outbox entries where those forbid it, else None."""
    keys = keys_of(namespace, show)

    def decode(reply: list[Any]) -> tuple[int, int] | None:
        check_show(reply, show)
        if reply[0] == b"pools":
            raise Again("the pools are others.")
        return (reply[1], reply[2]) if reply[0] == b"inuse" else None

    fixed = [keys.meta, keys.seats, keys.due, keys.changes, keys.outbox, keys.plan, keys.retired, keys.blocks]
    fixed += [keys.audit, *keys.room.all(), keys.pools]
    return Operation(load("retire"), show, [*fixed, *keys.pool_dues(pools)], [unread.encode()], decode)


class Snapshot(msgspec.Struct, frozen=True):
    """Raw fields of the availability hash, read at one version; ``channels`` are names, in order of their numbers."""

    status: SaleStatus
    plan: str
    epoch: int
    version: int
    now: int
    opens_in: float | None
    closes_in: float | None
    channels: tuple[str, ...]
    pools: _pools.Stock
    mirrors: list[bytes]


def mirrors(namespace: str, show: str, seats: Sequence[str], pools: Sequence[str] = ()) -> Operation[Snapshot]:
    """Read the fields of up to `READ_STEP` seats, and the counts of the pools, if these are the show's."""
    keys = keys_of(namespace, show)

    def decode(reply: list[Any]) -> Snapshot:
        check_show(reply, show)
        status, plan, epoch, version, now, opens_in, closes_in, channels = reply[1:9]
        opens_in, closes_in = _replies.seconds_left(opens_in), _replies.seconds_left(closes_in)
        names = _channels.read_names(channels)
        stock = _pools.Stock.read(reply[9], reply[10])
        fields = reply[11:]
        return Snapshot(status.decode(), plan.decode(), epoch, version, now, opens_in, closes_in, names, stock, fields)

    fixed = [keys.meta, keys.seats, keys.pools, *keys.pool_dues(pools)]
    return Operation(load("availability"), show, fixed, [seat.encode() for seat in seats], decode)


class Changes(msgspec.Struct, frozen=True):
    """Batches of changes after a version: (version, seat → new field). The empty seat stands for the show itself.

    Pools stand among the seats as ``pool``, a newline and the name. ``pools`` is how they are at ``version``.
    """

    status: SaleStatus
    epoch: int
    version: int
    now: int
    opens_in: float | None
    closes_in: float | None
    pools: _pools.Stock
    batches: list[tuple[int, dict[str, bytes]]]


def changes(namespace: str, show: str, epoch: int, version: int, pools: Sequence[str] = ()) -> Operation[Changes]:
    """Read up to `CHANGES_STEP` batches of changes after a version."""
    keys = keys_of(namespace, show)

    def decode(reply: list[Any]) -> Changes:
        check_show(reply, show)
        batches = [
            (
                int(entry.partition(b"-")[2]),
                {seat.decode(): field for seat, field in zip(fields[::2], fields[1::2], strict=True)},
            )
            for entry, fields in reply[9:]
        ]
        status, found_epoch, newest, now, opens_in, closes_in = reply[1:7]
        opens_in, closes_in = _replies.seconds_left(opens_in), _replies.seconds_left(closes_in)
        stock = _pools.Stock.read(reply[7], reply[8])
        return Changes(status.decode(), found_epoch, newest, now, opens_in, closes_in, stock, batches)

    args = [b"%d" % number for number in (epoch, version, CHANGES_STEP)]
    fixed = [keys.meta, keys.changes, keys.pools, *keys.pool_dues(pools)]
    return Operation(load("changes"), show, fixed, args, decode)


def packed_plan(namespace: str, show: str) -> Command[bytes | None]:
    """Read the plan of a show, packed."""
    return Command(show, ["GET", keys_of(namespace, show).plan], lambda reply: reply)


def server(namespace: str, show: str) -> Operation[tuple[str, str]]:
    """Ask the server behind a show for its eviction policy and role; empty where it does not tell."""
    return Operation(
        load("server"), show, [keys_of(namespace, show).meta], [], lambda reply: (reply[0].decode(), reply[1].decode())
    )


def probe(namespace: str, show: str) -> Operation[list[str]]:
    """Try every command that the scripts use: gives the complaints."""

    def decode(reply: list[Any]) -> list[str]:
        return [f"{command.decode()}: {error.decode()}" for command, error in zip(reply[::2], reply[1::2], strict=True)]

    return Operation(load("probe"), show, keys_of(namespace, show).probe, [], decode)


def remnants(namespace: str, show: str, cursor: bytes, *, pools: bool = False) -> Operation[tuple[bytes, list[str]]]:
    """Some seats of a retired show whose locks remain, or fields of its pools, and the cursor to go on from."""
    keys = keys_of(namespace, show)
    return Operation(
        load("remnants"),
        show,
        [keys.pools if pools else keys.retired],
        [cursor],
        lambda reply: (reply[0], [seat.decode() for seat in reply[1:]]),
    )


def buyers(namespace: str, show: str, seats: Sequence[str]) -> Command[list[str]]:
    """Read who bought some seats of a retired show."""

    def decode(reply: list[bytes | None]) -> list[str]:
        sold = [lock.split(b"\n") for lock in reply if lock is not None and lock.startswith((b"s\n", b"p\n"))]
        return [lock[2].decode() for lock in sold if len(lock) > 2 and lock[2]]  # noqa: PLR2004 - state, token, holder

    return Command(show, ["MGET", *keys_of(namespace, show).locks(tuple(seats))], decode)


def forget(
    namespace: str, show: str, seats: Sequence[str], holders: Sequence[str] = (), of_pools: Sequence[str] = ()
) -> Operation[int]:
    """Delete the locks of some seats of a retired show, some fields of its pools, and the lists of the holders.

    Gives how many seats are left.
    """
    keys = keys_of(namespace, show)
    declared = [keys.retired, keys.pools, *keys.locks(tuple(seats)), *keys.lists(holders)]
    return Operation(
        load("forget"), show, declared, [field.encode() for field in of_pools], lambda reply: int(reply[0])
    )


def listed(namespace: str, show: str, holder: str) -> Operation[tuple[str, ...] | None]:
    """The seats that a holder's list says are held; None where the show keeps no lists."""
    keys = keys_of(namespace, show)

    def decode(reply: list[Any]) -> tuple[str, ...] | None:
        check_show(reply, show)
        return None if reply[0] == b"unlisted" else tuple([seat.decode() for seat in reply[1:]])

    return Operation(load("holds"), show, [keys.meta, *keys.lists([holder])], [], decode)


def held(namespace: str, show: str, cursor: bytes) -> Operation[tuple[bytes, tuple[str, ...]]]:
    """Some of all seats that are on hold, whoever holds them, and the cursor to go on from."""
    keys = keys_of(namespace, show)

    def decode(reply: list[Any]) -> tuple[bytes, tuple[str, ...]]:
        check_show(reply, show)
        return reply[1], tuple([seat.decode() for seat in reply[2:]])

    return Operation(load("held"), show, [keys.meta, keys.due], [cursor], decode)


def limits_and_fence(namespace: str, show: str) -> Command[tuple[str | None, int]]:
    """Read the limits of a show, if it has any, and how many holds it has given."""

    def decode(reply: list[bytes | None]) -> tuple[str | None, int]:
        return None if reply[0] is None else reply[0].decode(), int(reply[1] or 0)

    return Command(show, ["HMGET", keys_of(namespace, show).meta, "limits", "fence"], decode)
