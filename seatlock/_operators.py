"""What those who run a sale ask for: how a show is, whether it adds up, and a seat freed whoever holds it.

Operations and the procedures made of them; as everywhere, nothing here does I/O.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final

from seatlock._commands import inspect as inspect_step
from seatlock._commands import mirrors
from seatlock._keys import keys_of
from seatlock._operation import Ask, Command, Operation, batch, check_show
from seatlock._procedures import SNAPSHOT_TRIES, PlanCache, Procedure, availability, inspect
from seatlock._replies import fence_parts, release, state_of
from seatlock._script import load
from seatlock.errors import ScriptFailed, SeatLockError, ServerUnavailable
from seatlock.model import Checked, Difference, Release, SeatState, StateName, Vitals
from seatlock.plan import SeatingPlan

LOOK_STEP: Final = 400  # seats that a call inspects at most
SCAN_STEPS: Final = 1_000_000  # calls that walk over an availability hash, at most


# How a show is


def vitals(namespace: str, show: str) -> Operation[Vitals]:
    """Ask how a show is, in a few numbers."""
    keys = keys_of(namespace, show)

    def decode(reply: list[Any]) -> Vitals:
        check_show(reply, show)
        return Vitals(show, reply[1].decode(), (reply[2], reply[3]), *reply[4:])

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


def force_release_of(namespace: str, asks: Sequence[Ask[Release]]) -> Operation[list[Release | SeatLockError]]:
    """Put the releases of several holds into one script call."""
    keys = keys_of(namespace, asks[0].show)
    return batch(load("force_release"), [keys.meta, keys.seats, keys.due, keys.changes, keys.audit], asks)


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
    answers: list[Release] = yield force_release_of(namespace, asks)
    words = {seat: word for answer in answers for seat, word in answer.seats.items()}
    return Release(show, {seat: words[seat] for seat in seats})


# Whether it adds up


def check(namespace: str, show: str, plans: PlanCache) -> Procedure[Checked]:
    """Count a show at one version, and compare lock and availability hash of every seat, in bounded steps."""
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
    missing = 0
    pieces = deque(
        tuple(seat.id for seat in plan.seats[at : at + LOOK_STEP]) for at in range(0, len(plan), LOOK_STEP)
    )
    while pieces:
        piece = pieces.popleft()
        try:
            digest, states = yield inspect_step(namespace, show, piece, plan.categories)
        except ScriptFailed:  # one lock that is no text stops the look at all its neighbours
            if len(piece) == 1:
                found.append((yield from _unreadable(namespace, show, piece[0])))
            else:
                pieces.extendleft((piece[len(piece) // 2 :], piece[: len(piece) // 2]))
            continue
        if digest != plan.digest:
            return None
        seen = {state.seat for state in states}
        absent = [seat for seat in piece if seat not in seen]
        missing += len(absent)
        found += [Difference(seat, "missing", "in the plan, and not in the availability hash") for seat in absent]
        found += yield from _disagreements(namespace, show, [state for state in states if not state.consistent])
    there: Vitals = yield vitals(namespace, show)
    if there.seats != len(plan) - missing:
        found += yield from _surplus(namespace, show, plan.index)
    return found


def _unreadable(namespace: str, show: str, seat: str) -> Procedure[Difference]:
    """A seat that cannot be looked at: because of its lock, else the error of the look stands."""
    (key,) = keys_of(namespace, show).locks((seat,))
    kind: bytes = yield Command(show, ["TYPE", key], lambda reply: reply)
    if kind in (b"string", b"none"):
        yield inspect_step(namespace, show, (seat,), ())
    return Difference(seat, "foreign", f"its lock is a {kind.decode()}, which seatlock never writes")


_LOCKS: Final[Mapping[bytes, StateName]] = {b"h\n": "held", b"p\n": "pinned", b"s\n": "sold"}


def _disagreements(namespace: str, show: str, states: Sequence[SeatState]) -> Procedure[list[Difference]]:
    """Tell of seats whose lock and mirror differ what each of them says; a seat may have moved on by now."""
    if not states:
        return []
    found: list[Difference] = []
    seats = tuple(state.seat for state in states)
    snapshot = yield mirrors(namespace, show, seats)
    for seat, key, field in zip(seats, keys_of(namespace, show).locks(seats), snapshot.mirrors, strict=True):
        head: bytes = yield Command(show, ["GETRANGE", key, 0, 1], lambda reply: reply)  # and never the token
        mirror, lock = state_of(field, snapshot.now) or "unknown", _LOCKS.get(head)
        if not head:
            found.append(Difference(seat, "unlocked", f"the availability hash says {mirror}, and there is no lock"))
        elif lock is None:
            found.append(Difference(seat, "foreign", "its lock is nothing that seatlock writes"))
        elif lock != mirror:
            found.append(Difference(seat, "state", f"the lock says {lock}, the availability hash {mirror}"))
        else:
            found.append(Difference(seat, "deadline", "lock and availability hash name different times"))
    return found


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

