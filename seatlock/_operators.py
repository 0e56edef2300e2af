"""What those who run a sale ask for: how a show is, whether it adds up, and a seat freed whoever holds it.

Operations and the procedures made of them; as everywhere, nothing here does I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, cast

import msgspec
from msgspec import structs

from seatlock import _bounds, _pools, _stocktaking
from seatlock._keys import keys_of
from seatlock._operation import Ask, Operation, batch, check_show
from seatlock._procedures import Procedure
from seatlock._replies import fence_parts, listing, release
from seatlock._script import load
from seatlock._snapshots import SNAPSHOT_TRIES, PlanCache, availability, inspect
from seatlock.errors import InvalidRequest, SeatLockError, ServerUnavailable, UnknownSeats
from seatlock.findings import Checked, Difference, Vitals
from seatlock.model import Release
from seatlock.plan import SeatingPlan

LOOK_STEP: Final = 400  # seats that a call looks at, at most
SCAN_STEPS: Final = 1_000_000  # calls that walk over an availability hash, at most


# How a show is


def vitals(namespace: str, show: str, pools: Sequence[str] = ()) -> Operation[Vitals]:
    """Ask how a show is, in a few numbers; its pools are named here."""
    keys = keys_of(namespace, show)

    def decode(reply: list[Any]) -> Vitals:
        check_show(reply, show)
        return Vitals(show, (reply[1], reply[2]), *reply[3:])

    fixed = [keys.meta, keys.seats, keys.due, keys.outbox]
    return Operation(load("vitals"), show, [*fixed, *keys.pool_dues(pools)], [], decode)


def seats_in_hash(namespace: str, show: str, cursor: bytes) -> Operation[tuple[bytes, list[str]]]:
    """Some seats of the availability hash, whatever the plan says, and the cursor to go on from."""
    return Operation(
        load("remnants"),
        show,
        [keys_of(namespace, show).seats],
        [cursor],
        lambda reply: (reply[0], [seat.decode() for seat in reply[1:]]),
    )


# Freeing what is held


class Freeing(msgspec.Struct, frozen=True):
    """What is to be freed: seats, and the claims of a holder on pools; who does it, and why."""

    seats: tuple[str, ...]
    pools: tuple[str, ...]
    holder: str
    by: str
    reason: str


def freeing(seats: object, pools: object, holder: object, by: object, reason: object) -> Freeing:
    """Check what is to be freed: up to 100 seats, a holder's claims on up to 32 pools, or both."""
    named = _bounds.pool_names(pools)
    if named and holder is None:
        raise InvalidRequest("pools are named and no holder: say whose claims on them are to be given back.")
    if holder is not None and not named:
        raise InvalidRequest(
            "a holder is named and no pool: a seat is freed whoever holds it, so leave the holder out."
        )
    if named and isinstance(seats, Iterable) and not isinstance(seats, str | bytes):
        seats = tuple(cast("Iterable[object]", seats))
    return Freeing(
        () if named and seats == () else _bounds.seat_ids(seats),
        named,
        "" if holder is None else _bounds.text("holder", holder, limit=_bounds.MAX_HOLDER_BYTES),
        _bounds.text("by", by, limit=_bounds.MAX_HOLDER_BYTES),
        _bounds.reference("reason", reason),
    )


def force_release_of(
    namespace: str, asks: Sequence[Ask[Release]], holders: Sequence[str] = ()
) -> Operation[list[Release | SeatLockError]]:
    """Put the releases of several holds into one script call; it needs their holders where the show has limits."""
    keys = keys_of(namespace, asks[0].show)
    fixed = [keys.meta, keys.seats, keys.due, keys.changes, keys.audit]
    extras = _pools.extras(keys, asks) if any(ask.pools for ask in asks) else ((), ())
    return batch(load("force_release"), fixed, asks, keys.lists(holders), extras)


def force_release_ask(
    namespace: str, show: str, seats: tuple[str, ...], by: str, reason: str, fence: int
) -> Ask[Release]:
    """Ask to free seats that are held under this fence."""
    keys = keys_of(namespace, show)
    args = (by.encode(), reason.encode(), b"%d %d %d" % (*fence_parts(fence), len(seats)))
    return Ask("force_release", keys.show, seats, by, None, keys.locks(seats), args, release)


def force_release_claim(namespace: str, show: str, pool: str, what: Freeing, fence: int) -> Ask[Release]:
    """Ask to give back the claim of a holder on a pool, if it is under this fence."""
    ask = force_release_ask(namespace, show, (), what.by, what.reason, fence)
    return structs.replace(ask, pools=((pool, 1),), extras=((b"h", what.holder.encode()),))  # all of it, not one


def force_release(namespace: str, show: str, what: Freeing, plans: PlanCache) -> Procedure[Release]:
    """Look who holds the seats, then free those that are still held as they were when looked at; likewise of pools.

    So that it can be asked again after a lost reply: what somebody else has taken since is left alone.
    """
    states = (yield from inspect(namespace, show, what.seats, plans)) if what.seats else []
    claims = (yield from _claims(namespace, show, what)) if what.pools else {}
    under: dict[int, list[str]] = {}
    for state in states:
        under.setdefault(state.fence or 0, []).append(state.seat)  # no hold has the fence 0
    asks = [
        force_release_ask(namespace, show, tuple(named), what.by, what.reason, fence) for fence, named in under.items()
    ]
    asks += [force_release_claim(namespace, show, pool, what, fence) for pool, fence in claims.items()]
    holders = [state.holder for state in states if state.holder is not None]
    holders += [what.holder] if claims else []
    answers: list[Release] = yield force_release_of(namespace, asks, holders or [what.by])
    words: dict[str, Any] = {seat: word for answer in answers for seat, word in answer.seats.items()}
    given_back = {pool: quantity for answer in answers for pool, quantity in answer.pools.items()}
    return Release(show, {seat: words[seat] for seat in what.seats}, {pool: given_back[pool] for pool in what.pools})


def _claims(namespace: str, show: str, what: Freeing) -> Procedure[dict[str, int]]:
    """The fence of the claim that the holder has on each of the pools; 0, which no hold has, where there is none."""
    known, fences = yield _pools.claims(namespace, show, what.pools, what.holder)
    unknown = tuple(pool for pool in what.pools if pool not in known)
    if unknown:
        yield vitals(namespace, show)  # which tells if there is no such show
        raise UnknownSeats(
            f"show {show!r} has no pool {listing(unknown)}; nothing was given back: it has {listing(known) or 'none'}.",
            pools=unknown,
        )
    return {pool: fences.get(pool, 0) for pool in what.pools}


# Whether it adds up


class Compared(msgspec.Struct, frozen=True):
    """What a comparison of some seats found; ``plan`` is the digest of the show's plan, ``seats`` how many it has."""

    plan: str
    seats: int
    differences: list[Difference]


def compare(namespace: str, show: str, seats: tuple[str, ...]) -> Operation[Compared]:
    """Ask for the contradictions among what is kept of each of up to `LOOK_STEP` seats."""
    keys = keys_of(namespace, show)

    def decode(reply: list[Any]) -> Compared:
        check_show(reply, show)
        found: list[Difference] = []
        for at in range(3, len(reply), 4):
            place, kind, mirror, lock = reply[at : at + 4]
            told = _particulars(kind.decode(), mirror.decode(), lock.decode())
            found.append(Difference(seats[int(place) - 1], kind.decode(), told))
        return Compared(reply[1].decode(), reply[2], found)

    fixed = [keys.meta, keys.seats, keys.due]
    return Operation(load("compare"), show, [*fixed, *keys.locks(seats)], [], decode, seats=seats)


_PARTICULARS: Final[Mapping[str, str]] = {
    "missing": "in the plan, and not in the availability hash",
    "unlocked": "the availability hash says {mirror}, and there is no lock",
    "state": "the lock says {lock}, the availability hash {mirror}",
    "deadline": "lock and availability hash name different times",
    "expiry": "it is {lock}, and its lock will expire",
    "unswept": "held, and not among the due: no sweep will take it back",
    "foreign": "its lock is nothing that seatlock writes",
}


def _particulars(kind: str, mirror: str, lock: str) -> str:
    if kind == "expiry" and lock == "held":
        return "its lock never expires"
    if kind == "foreign" and mirror:
        return "its field of the availability hash is nothing that seatlock writes"
    told = _PARTICULARS[kind].format(mirror=mirror, lock=lock)
    return f"{told}; the lock says {lock}" if kind == "missing" and lock else told


def check(namespace: str, show: str, plans: PlanCache) -> Procedure[Checked]:
    """Count a show at one version, and compare all that is kept of every seat and pool, in bounded steps."""
    for _ in range(SNAPSHOT_TRIES):
        counted = yield from availability(namespace, show, None, plans)
        plan: SeatingPlan = yield from plans.get(namespace, show)
        differences = yield from _differences(namespace, show, plan)
        if differences is not None:
            stock = yield from _stocktaking.take_stock(namespace, show)
            of_pools = counted.pools, stock.differences, stock.unsettled
            return Checked(show, counted.version, len(plan), counted.counts, tuple(differences), *of_pools)
        plans.forget(show)
    raise ServerUnavailable(
        f"check of show {show!r}: its plan changed while it was looked at, {SNAPSHOT_TRIES} times; ask again."
    )


def _differences(namespace: str, show: str, plan: SeatingPlan) -> Procedure[list[Difference] | None]:
    """Whatever is wrong, seat by seat; None where the plan changed meanwhile."""
    found: list[Difference] = []
    there = 0
    for at in range(0, max(len(plan), 1), LOOK_STEP):  # a show can have pools alone
        seats = tuple(seat.id for seat in plan.seats[at : at + LOOK_STEP])
        compared: Compared = yield compare(namespace, show, seats)
        if compared.plan != plan.digest:
            return None
        found += compared.differences
        there = compared.seats
    if there == len(plan) - sum(difference.kind == "missing" for difference in found):
        return found
    found += yield from _surplus(namespace, show, plan.index)
    again: Compared = yield compare(namespace, show, tuple(seat.id for seat in plan.seats[:1]))
    return found if again.plan == plan.digest else None


def _surplus(namespace: str, show: str, planned: Mapping[str, object]) -> Procedure[list[Difference]]:
    """The seats of the availability hash that the plan does not have."""
    surplus: set[str] = set()
    cursor = b"0"
    for _ in range(SCAN_STEPS):
        cursor, seats = yield seats_in_hash(namespace, show, cursor)
        surplus.update(seat for seat in seats if seat not in planned)
        if cursor == b"0":
            break
    return [Difference(seat, "surplus", "in the availability hash, and not in the plan") for seat in sorted(surplus)]
