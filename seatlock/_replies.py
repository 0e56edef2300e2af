"""The only decoder of raw replies: bytes and integers in, Structs and errors out.

A batch answer is a list whose first item is a word; what follows stands in the header of the script. Functions that
read a batch answer return an error instead of raising it, since its neighbours have answers of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal, cast, get_args

import msgspec

from seatlock._operation import Again, Ask, Pools
from seatlock.errors import (
    BookingConflict,
    HolderLimitExceeded,
    HoldLost,
    LostReason,
    NotAdmitted,
    SaleNotOpen,
    SeatLockError,
    SeatsUnavailable,
    UnknownSeats,
)
from seatlock.model import (
    Booking,
    Cancellation,
    Conflict,
    Hold,
    PoolConflict,
    Release,
    SaleStatus,
    SeatState,
    StateName,
)

FENCE_EPOCH: Final = 2**40
"""A fence is epoch * 2^40 + counter: put together here, kept apart in Lua, whose numbers are doubles."""

_GRAVITY: Final[Sequence[LostReason]] = ("sold", "taken", "expired", "lost", "released")
_STATE_LETTERS: Final[Mapping[int, StateName]] = {
    ord("f"): "free",
    ord("h"): "held",
    ord("p"): "pinned",
    ord("s"): "sold",
    ord("b"): "blocked",
    ord("c"): "channel",
}
_STATES: Final[Mapping[bytes, StateName]] = {state.encode(): state for state in _STATE_LETTERS.values()}
_TOLD: Final[Mapping[StateName, str]] = {"channel": "in a channel that was not named"}
_LISTED: Final = 5  # seats named in a message before it says how many more there are


def listing(seats: list[str] | tuple[str, ...]) -> str:
    """Seats for a message: the first few by name."""
    named = ", ".join(repr(seat) for seat in seats[:_LISTED])
    return named if len(seats) <= _LISTED else f"{named} and {len(seats) - _LISTED} more"


def wanted(ask: Ask[Any]) -> str:
    """What a request is about, for a message: its seats, then its pools."""
    pools = [f"{quantity} of pool {name!r}" for name, quantity in ask.pools[:_LISTED]]
    if len(ask.pools) > _LISTED:
        pools.append(f"{len(ask.pools) - _LISTED} more pools")
    return ", ".join([*([listing(ask.seats)] if ask.seats else []), *pools])


def _pool_at(ask: Ask[Any], place: int) -> str | None:
    """The pool that a place in an answer stands for: those behind the seats; None for a seat."""
    return ask.pools[place - len(ask.seats) - 1][0] if place > len(ask.seats) else None


def fence_of(epoch: int, counter: int) -> int:
    """One integer that grows with every hold of a show, also across a rebuild."""
    return epoch * FENCE_EPOCH + counter


def fence_parts(fence: int) -> tuple[int, int]:
    """The epoch and the counter of a fence, which the scripts keep apart."""
    return divmod(fence, FENCE_EPOCH)


def optional_text(raw: bytes) -> str | None:
    """Text that is empty on the wire where there is none."""
    return raw.decode() or None


def seconds_left(milliseconds: int) -> float | None:
    """A time left, which is -1 on the wire where there is none."""
    return None if milliseconds < 0 else milliseconds / 1000


def hold(ask: Ask[Hold], answer: list[Any]) -> Hold | SeatLockError:
    """Read the answer to an acquire or an extend."""
    word = answer[0]
    if word in (b"held", b"resumed"):
        resumed = word == b"resumed"
        token = answer[5].decode() if resumed else cast("str", ask.token)
        fence, left = fence_of(answer[1], answer[2]), answer[3] / 1000
        found = Hold(ask.show, ask.seats, ask.holder, token, fence, left, resumed, answer[4])
        return msgspec.structs.replace(found, pools=dict(ask.pools)) if ask.pools else found
    if word == b"refused":
        return _unavailable(ask, answer)
    if word == b"lost":
        return hold_lost(ask, answer)
    if word == b"over":
        return _over_limit(ask, answer[1], answer[2], optional_text(answer[3]), optional_text(answer[4]))
    if word in (b"closed", b"unadmitted"):
        return _not_open(ask, answer) if word == b"closed" else _not_admitted(ask)
    return Again("ask again.") if word == b"again" else _unknown(ask, answer[1:])


def _unknown(ask: Ask[Any], places: list[int]) -> UnknownSeats:
    unknown = tuple(ask.seats[place - 1] for place in places if place <= len(ask.seats))
    pools = tuple([pool for place in places if (pool := _pool_at(ask, place)) is not None])
    told = [f"{kind} {listing(names)}" for kind, names in (("seat", unknown), ("pool", pools)) if names]
    return UnknownSeats(
        f"show {ask.show!r} has no {' and no '.join(told)}: seats and pools are those that it was warmed with.",
        seats=unknown,
        pools=pools,
    )


def _over_limit(
    ask: Ask[Any], limit: int, held: int, category: str | None, pool: str | None = None
) -> HolderLimitExceeded:
    if category:
        of = f"{limit} seat{'s' if limit > 1 else ''} of category {category!r}"
    elif pool:
        of = f"{limit} of pool {pool!r}"
    else:
        of = f"{limit} in all, seats and quantities of pools counted"
    return HolderLimitExceeded(
        f"in show {ask.show!r} a holder may have {of}, held and sold; this one has {held} already, so nothing was "
        "taken: ask for fewer, or release a hold.",
        limit=limit,
        held=held,
        category=category,
        pool=pool,
    )


class Noted(msgspec.Struct, frozen=True):
    """The seats that an owner was given before, where they are not held as they were."""

    seats: tuple[str, ...]


class NoneFree(msgspec.Struct, frozen=True):
    """No set was wholly free at this version (epoch and version): the first seat in the way of each."""

    version: tuple[int, int]
    in_the_way: tuple[str, ...]


def best(ask: Ask[Any], answer: list[Any]) -> Hold | Noted | NoneFree | SeatLockError:
    """Read the answer to an acquire of the best of several sets."""
    word = answer[0]
    size = int(ask.args[1].split()[1])
    if word == b"held":
        first = (answer[1] - 1) * size
        seats = ask.seats[first : first + size]
        fence = fence_of(answer[2], answer[3])
        return Hold(ask.show, seats, ask.holder, cast("str", ask.token), fence, answer[4] / 1000, deadline=answer[5])
    if word == b"noted":
        return Noted(tuple([seat.decode() for seat in answer[1:]]))
    if word == b"over":
        return _over_limit(ask, answer[1], answer[2], optional_text(answer[3]))
    if word in (b"closed", b"unadmitted"):
        return _not_open(ask, answer) if word == b"closed" else _not_admitted(ask)
    places: list[int] = answer[3:]
    ways = tuple([ask.seats[at * size + place - 1] for at, place in enumerate(places)])
    return NoneFree((answer[1], answer[2]), ways)


def _not_admitted(ask: Ask[Any]) -> NotAdmitted:
    return NotAdmitted(
        f"show {ask.show!r} sells only to those whom its waiting room has let in, and this holder has no pass in time; "
        "nothing was taken: join the waiting room first.",
        show=ask.show,
    )


def _not_open(ask: Ask[Any], answer: list[Any]) -> SaleNotOpen:
    return not_open(ask.show, answer[1].decode(), seconds_left(answer[2]))


def not_open(show: str, status: SaleStatus, opens_in: float | None) -> SaleNotOpen:
    """The refusal of new holds by a show that takes none."""
    until = "it takes no new holds until open_sale" if opens_in is None else f"it opens by itself in {opens_in} s"
    return SaleNotOpen(f"the sale of show {show!r} is {status}: {until}.", status=status, opens_in=opens_in)


def _unavailable(ask: Ask[Any], answer: list[Any]) -> SeatsUnavailable:
    conflicts: dict[str, Conflict] = {}
    pools: dict[str, PoolConflict] = {}
    seats_told: list[str] = []
    pools_told: list[str] = []
    for at in range(1, len(answer), 4):
        place, raw, left, mark = answer[at : at + 4]
        pool = _pool_at(ask, place)
        if pool is not None:
            pools[pool] = conflict = _pool_conflict(left, mark)
            some = ", and some are yours" if conflict.yours else ""
            pools_told.append(f"pool {pool!r} has {conflict.left} left{some}")
            continue
        seat, state = ask.seats[int(place) - 1], _STATES[raw]
        conflicts[seat] = Conflict(state, None if left < 0 else left / 1000, mark == b"yours", mark == b"inconsistent")
        seats_told.append(f"{seat!r} is {_TOLD.get(state, state)}")
    what = ", ".join([*_first(seats_told, "seats are not free"), *_first(pools_told, "pools are in the way")])
    advice = _advice(ask, conflicts, pools)
    return SeatsUnavailable(
        f"in show {ask.show!r} {what}; nothing was taken: {advice}.", conflicts=conflicts, pools=pools
    )


def _first(told: list[str], others: str) -> list[str]:
    return told if len(told) <= _LISTED else [*told[:_LISTED], f"and {len(told) - _LISTED} more {others}"]


def _advice(ask: Ask[Any], conflicts: Mapping[str, Conflict], pools: Mapping[str, PoolConflict]) -> str:
    """What to do where seats or quantities could not be had."""
    own_seats = any(conflict.yours and conflict.state == "held" for conflict in conflicts.values())
    own_pools = any(conflict.yours for conflict in pools.values())
    if (own_seats or own_pools) and ask.minted:
        return "ask for your own seats alone, or name their token to add to them"
    if own_pools:
        bought = "a token that has bought of a pool gets no more of it: use a new one"
        return f"name the token that yours are held under; {bought}"
    if own_seats:
        return "name the token that they are held under"
    if conflicts:
        return "choose other seats"
    some_left = any(conflict.left for conflict in pools.values())
    return "ask for fewer" if some_left else "ask again when some have come back"


def _pool_conflict(left: int, mark: bytes) -> PoolConflict:
    word, _, number = mark.partition(b" ")
    return PoolConflict(int(number), None if left < 0 else left / 1000, word == b"yours")


def hold_lost(ask: Ask[Any], answer: list[Any]) -> HoldLost:
    """Read the refusal of an extend or a confirm whose hold is gone."""
    seats: dict[str, LostReason] = {}
    pools: dict[str, LostReason] = {}
    for place, raw in zip(answer[1::2], answer[2::2], strict=True):
        pool = _pool_at(ask, place)
        if pool is None:
            seats[ask.seats[place - 1]] = raw.decode()
        else:
            pools[pool] = raw.decode()
    words = {*seats.values(), *pools.values()}
    gravest: list[LostReason] = [word for word in _GRAVITY if word in words]
    reason = gravest[0]
    lost = [name for names in (seats, pools) for name, word in names.items() if word == reason]
    confirming = ask.verb in ("confirm", "reclaim", "pin")
    payment = optional_text(ask.args[2]) if confirming else None
    refund = f"refund the payment{f' {payment!r}' if payment else ''}"
    if ask.verb == "reclaim" and ask.args[4] and words == {"expired"}:  # all of it could be had
        advice = f"its holder would get past a limit of the show with it: {refund}"
    else:
        advice = f"acquire again, or {refund}"
    return HoldLost(
        f"the hold on {wanted(ask)} of show {ask.show!r} is lost ({reason}: {listing(lost)}); nothing was changed: "
        f"{advice}.",
        reason=reason,
        seats=seats,
        pools=pools,
        token=ask.token,
        payment=payment,
        paid_for=ask.seats if confirming else (),
        paid_pools=dict(ask.pools) if confirming else {},
    )


def booking(ask: Ask[Booking], answer: list[Any]) -> Booking | SeatLockError:
    """Read the answer to a confirm."""
    word = answer[0]
    if word == b"lost":
        return hold_lost(ask, answer)
    if word == b"more":
        return Again("ask again.")
    if word == b"conflict":
        return booking_conflict(ask, answer, "confirmed")
    booking_id = (answer[4] if word != b"booked" else ask.args[1]).decode()
    fence, since = fence_of(answer[1], answer[2]), answer[3] / 1000
    found = Booking(booking_id, ask.show, ask.seats, ask.holder, optional_text(ask.args[2]), fence, since)
    return msgspec.structs.replace(found, pools=dict(ask.pools)) if ask.pools else found


def booking_conflict(ask: Ask[Any], answer: list[Any], became: Literal["confirmed", "pending"]) -> BookingConflict:
    """Read that a hold was sold or pinned before, in another way: the booking may have other seats than those asked."""
    fence, since = fence_of(answer[1], answer[2]), answer[3] / 1000
    seats, pools = _on_record(ask, answer[6:])
    booking_id, payment = answer[4].decode(), optional_text(answer[5])
    found = Booking(booking_id, ask.show, seats, ask.holder, payment, fence, since, became)
    if pools:
        found = msgspec.structs.replace(found, pools=dict(pools))
    return BookingConflict(
        f"{listing([*seats, *found.pools])} of show {ask.show!r} are already {became} as booking {booking_id!r} with "
        f"payment {payment!r}; nothing was changed: refund the payment of this request.",
        booking=found,
    )


def _on_record(ask: Ask[Any], answer: list[int]) -> tuple[tuple[str, ...], Pools]:
    """The seats and the quantities of pools that a booking on record has, of those asked for."""
    seats: list[str] = []
    pools: list[tuple[str, int]] = []
    for place, quantity in zip(answer[::2], answer[1::2], strict=True):
        pool = _pool_at(ask, place)
        if pool is None:
            seats.append(ask.seats[place - 1])
        else:
            pools.append((pool, quantity))
    return tuple(seats), tuple(pools)


def given_back(ask: Ask[Any], answer: list[Any]) -> dict[str, int]:
    """How many of each pool were given back: numbers behind the words for the seats."""
    return {name: number for (name, _), number in zip(ask.pools, answer[len(ask.seats) :], strict=True)}


def release(ask: Ask[Release], answer: list[Any]) -> Release:
    """Read the answer to a release."""
    words = {seat: word.decode() for seat, word in zip(ask.seats, answer, strict=not ask.pools)}
    return Release(ask.show, words, given_back(ask, answer))


def cancellation(ask: Ask[Cancellation], answer: list[Any]) -> Cancellation:
    """Read the answer to a cancel."""
    words: dict[str, Literal["cancelled", "gone"]] = {
        seat: word.decode() for seat, word in zip(ask.seats, answer, strict=not ask.pools)
    }
    return Cancellation(ask.show, ask.args[0].decode(), words, given_back(ask, answer))


def seat_states(seats: tuple[str, ...], answers: list[Any], categories: tuple[str, ...]) -> Iterator[SeatState]:
    """Read the answer to an inspect; seats that the show does not have are left out."""
    for seat, answer in zip(seats, answers, strict=True):
        if answer[0] == b"unknown":
            continue
        state, category, left, consistent, channel, *more = answer
        holder, epoch, fence, booking_id, payment = more if len(more) > 1 else (b"", 0, 0, b"", b"")
        (reason,) = more if len(more) == 1 else (b"",)
        number = int(category) if category else None
        yield SeatState(
            seat,
            state.decode(),
            categories[number] if number is not None and number < len(categories) else None,
            bool(consistent),
            None if left < 0 else left / 1000,
            optional_text(holder),
            fence_of(epoch, fence) if holder else None,
            optional_text(booking_id),
            optional_text(payment),
            optional_text(reason),
            optional_text(channel),
        )


def state_of(mirror: bytes, now: int, channel: int | None = None) -> StateName | None:
    """The state that a field of the availability hash says; a hold whose time has passed is free. None if unknown.

    A free seat of a channel is free to those who name its number, else it is ``channel``.
    """
    if not mirror:
        return None
    state = _STATE_LETTERS.get(mirror[0])
    if state == "held":
        mirror, _, deadline = mirror.rpartition(b":")
        if not deadline.isdigit():
            return None
        if now <= int(deadline):
            return state
        state = "free" if channel_number(mirror) is None else "channel"
    if state == "channel" and channel is not None and channel_number(mirror) == channel:
        return "free"
    return state


def channel_number(mirror: bytes) -> int | None:
    """The number of the channel that a field of the availability hash says; None for a seat of the public."""
    number = mirror.partition(b":")[0].partition(b"@")[2]
    return int(number) if number.isdigit() else None


def count_states(states: Mapping[str, StateName]) -> dict[StateName, int]:
    """How many seats are in each state; every state is there."""
    counts: dict[StateName, int] = dict.fromkeys(get_args(StateName), 0)
    for state in states.values():
        counts[state] += 1
    return counts
