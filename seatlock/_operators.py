"""What those who run a sale ask for: how a show is, whether it adds up, and a seat freed whoever holds it.

Operations and the procedures made of them; as everywhere, nothing here does I/O.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from seatlock._keys import keys_of
from seatlock._operation import Ask, Operation, batch, check_show
from seatlock._procedures import SNAPSHOT_TRIES, PlanCache, Procedure, availability, inspect
from seatlock._replies import fence_parts, release
from seatlock._script import load
from seatlock.errors import SeatLockError, ServerUnavailable
from seatlock.model import Checked, Difference, Release, Vitals
from seatlock.plan import SeatingPlan

LOOK_STEP: Final = 400  # seats that a call looks at, at most
SCAN_STEPS: Final = 1_000_000  # calls that walk over an availability hash, at most


# How a show is


def vitals(namespace: str, show: str) -> Operation[Vitals]:
    """Ask how a show is, in a few numbers."""
    keys = keys_of(namespace, show)

    def decode(reply: list[Any]) -> Vitals:
        check_show(reply, show)
        return Vitals(show, (reply[1], reply[2]), *reply[3:])

    return Operation(load("vitals"), show, [keys.meta, keys.seats, keys.due, keys.outbox], [], decode)


def seats_in_hash(namespace: str, show: str, cursor: bytes) -> Operation[tuple[bytes, list[str]]]:
    """Some seats of the availability hash, whatever the plan says, and the cursor to go on from."""
    return Operation(
        load("remnants"),
        show,
        [keys_of(namespace, show).seats],
        [cursor],
        lambda reply: (reply[0], [seat.decode() for seat in reply[1:]]),
    )


# Freeing seats


def force_release_of(
    namespace: str, asks: Sequence[Ask[Release]], holders: Sequence[str] = ()
) -> Operation[list[Release | SeatLockError]]:
    """Put the releases of several holds into one script call; it needs their holders where the show has limits."""
    keys = keys_of(namespace, asks[0].show)
    fixed = [keys.meta, keys.seats, keys.due, keys.changes, keys.audit]
    return batch(load("force_release"), fixed, asks, keys.lists(holders))


def force_release_ask(
    namespace: str, show: str, seats: tuple[str, ...], by: str, reason: str, fence: int
) -> Ask[Release]:
    """Ask to free seats that are held under this fence."""
    keys = keys_of(namespace, show)
    args = (by.encode(), reason.encode(), b"%d %d %d" % (*fence_parts(fence), len(seats)))
    return Ask("force_release", keys.show, seats, by, None, keys.locks(seats), args, release)


def force_release(
    namespace: str, show: str, seats: tuple[str, ...], by: str, reason: str, plans: PlanCache
) -> Procedure[Release]:
    """Look who holds the seats, then free those that are still held as they were when looked at.

    So that it can be asked again after a lost reply: what somebody else has taken since is left alone.
    """
    states = yield from inspect(namespace, show, seats, plans)
    under: dict[int, list[str]] = {}
    for state in states:
        under.setdefault(state.fence or 0, []).append(state.seat)  # no hold has the fence 0
    asks = [force_release_ask(namespace, show, tuple(named), by, reason, fence) for fence, named in under.items()]
    holders = [state.holder for state in states if state.holder is not None]
    answers: list[Release] = yield force_release_of(namespace, asks, holders or [by])
    words: dict[str, Any] = {seat: word for answer in answers for seat, word in answer.seats.items()}
    return Release(show, {seat: words[seat] for seat in seats})


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
    """Count a show at one version, and compare all that is kept of every seat, in bounded steps."""
    for _ in range(SNAPSHOT_TRIES):
        counted = yield from availability(namespace, show, None, plans)
        plan: SeatingPlan = yield from plans.get(namespace, show)
        differences = yield from _differences(namespace, show, plan)
        if differences is not None:
            return Checked(show, counted.version, len(plan), counted.counts, tuple(differences))
        plans.forget(show)
    raise ServerUnavailable(
        f"check of show {show!r}: its plan changed while it was looked at, {SNAPSHOT_TRIES} times; ask again."
    )


def _differences(namespace: str, show: str, plan: SeatingPlan) -> Procedure[list[Difference] | None]:
    """Whatever is wrong, seat by seat; None where the plan changed meanwhile."""
    found: list[Difference] = []
    there = 0
    for at in range(0, len(plan), LOOK_STEP):
        seats = tuple(seat.id for seat in plan.seats[at : at + LOOK_STEP])
        compared: Compared = yield compare(namespace, show, seats)
        if compared.plan != plan.digest:
            return None
        found += compared.differences
        there = compared.seats
    if there == len(plan) - sum(difference.kind == "missing" for difference in found):
        return found
    found += yield from _surplus(namespace, show, plan.index)
    again: Compared = yield compare(namespace, show, (plan.seats[0].id,))
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
