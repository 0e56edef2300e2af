"""Warming: loading a plan into Redis before the sale, in bounded steps, so that it can be repeated at any time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from seatlock import _pools, _reads, _upkeep
from seatlock._keys import keys_of
from seatlock._limits import MOST, NONE, Limits
from seatlock._operation import Operation, Pools
from seatlock._procedures import Procedure
from seatlock._replies import listing
from seatlock._script import load
from seatlock.errors import PlanConflict, ScriptFailed, ShowInUse
from seatlock.model import Checkout, Warmed
from seatlock.plan import Seat, SeatingPlan

WARM_STEP: Final = 400  # seats a call loads

Progress = Callable[[int, int], None]
"""Called with the seats loaded so far and the seats in all."""


class Settings(msgspec.Struct, frozen=True):
    """What a show is warmed with: how long a hold lives, whether facts go to the outbox, limits, who decides."""

    max_hold_ms: int
    outbox: bool
    limits: Limits = NONE
    pools: Pools = ()
    checkout: Checkout = "fast"


def warm(
    namespace: str, show: str, plan: SeatingPlan, settings: Settings, progress: Progress | None
) -> Procedure[Warmed]:
    """Load a plan: first look whether anything stands in the way, then load, then found the show."""
    complaints = yield _upkeep.probe(namespace, show)
    if complaints:
        raise ScriptFailed(
            f"the scripts of show {show!r} may not do all they need on this server ({'; '.join(complaints)}); "
            "grant the missing commands and warm again."
        )
    packed = yield _reads.packed_plan(namespace, show)
    before = None if packed is None else SeatingPlan.unpack(packed)
    lifted = False
    if before is not None:
        plan = _in_the_order_of(before, plan)
        lifted = yield from _lifted(namespace, show, settings)
    pieces = [plan.seats[at : at + WARM_STEP] for at in range(0, len(plan.seats), WARM_STEP)]
    numbers = {name: number for number, name in enumerate(plan.categories)}
    if before is not None:
        _refuse_dropped(show, before, plan)
        for piece in pieces:
            yield _load("check", namespace, show, piece, numbers)
    if settings.pools or (yield _pools.names(namespace, show)):
        yield _pools.stock(namespace, show, settings.pools)
    added = changed = kept = loaded = 0
    for piece in pieces:
        counts = yield _load("warm", namespace, show, piece, numbers)
        added, changed, kept = added + counts[0], changed + counts[1], kept + counts[2]
        loaded += len(piece)
        if progress is not None:
            progress(loaded, len(plan.seats))
    created = yield _found(namespace, show, plan, settings)
    return Warmed(show, created, added, changed, kept, lifted)


def _lifted(namespace: str, show: str, settings: Settings) -> Procedure[bool]:
    """Whether a show that is there loses its limits now; refuses settings that come too late."""
    limits, fence, checkout = yield _upkeep.terms(namespace, show)
    if fence and checkout != settings.checkout:
        raise _begun(show, settings)
    if settings.limits is NONE:
        return limits not in (None, f"{MOST}")
    if limits is None and fence:
        raise _too_late(show)
    return False


def _in_the_order_of(before: SeatingPlan, plan: SeatingPlan) -> SeatingPlan:
    """The plan with the categories of the one before first: seats know their category by its number."""
    merged = dict.fromkeys((*before.categories, *plan.categories))
    return SeatingPlan(plan.name, tuple(merged), plan.seats)


def _refuse_dropped(show: str, before: SeatingPlan, plan: SeatingPlan) -> None:
    kept = {seat.id for seat in plan.seats}
    dropped = [seat.id for seat in before.seats if seat.id not in kept]
    if dropped:
        raise PlanConflict(
            f"show {show!r} was warmed with seats that this plan does not have: {listing(dropped)}; nothing was "
            "changed: put them back into the plan, as blocked if they are not for sale, or retire the show first.",
            conflicts=dict.fromkeys(dropped, "not in the plan"),
        )


def _too_late(show: str) -> PlanConflict:
    return PlanConflict(
        f"show {show!r} has given holds already without keeping lists of what each holder has, so it cannot have "
        "limits any more; nothing was changed: warm it without limits, or retire it and warm it anew."
    )


def _begun(show: str, settings: Settings) -> PlanConflict:
    before = "fast" if settings.checkout == "strict" else "strict"
    return PlanConflict(
        f"show {show!r} has given holds already under {before} checkout, so it cannot have another any more; nothing "
        f"was changed: warm it with checkout={before!r}, or retire it and warm it anew."
    )


def _refuse_retiring(reply: list[Any], show: str) -> None:
    if reply[0] == b"retiring":
        raise ShowInUse(f"show {show!r} is being retired; finish that first: retire it again.")


def _load(
    name: str, namespace: str, show: str, piece: Sequence[Seat], numbers: dict[str, int]
) -> Operation[tuple[int, int, int]]:
    keys = keys_of(namespace, show)
    args: list[bytes] = []
    for seat in piece:
        args += (b"%d" % numbers[seat.category] if seat.category in numbers else b"", seat.status.encode())

    def decode(reply: list[Any]) -> tuple[int, int, int]:
        _refuse_retiring(reply, show)
        if reply[0] == b"conflict":
            places: list[int] = reply[1::2]
            states: list[bytes] = reply[2::2]
            conflicts = {piece[place - 1].id: state.decode() for place, state in zip(places, states, strict=True)}
            raise PlanConflict(
                f"warming would change seats of show {show!r} that are held or sold: {listing(list(conflicts))}; leave "
                "their category and status as they are.",
                conflicts=conflicts,
            )
        counts = reply[1:] or (0, 0, 0)
        return counts[0], counts[1], counts[2]

    fixed = [keys.meta, keys.seats, keys.due, keys.changes, keys.retired]
    if name == "warm":
        fixed.append(keys.blocks)
    locks = keys.locks(tuple(seat.id for seat in piece))
    return Operation(load(name), show, [*fixed, *locks], args, decode)


def _found(namespace: str, show: str, plan: SeatingPlan, settings: Settings) -> Operation[bool]:
    keys = keys_of(namespace, show)

    def decode(reply: list[Any]) -> bool:
        _refuse_retiring(reply, show)
        if reply[0] == b"late":
            raise _too_late(show)
        if reply[0] == b"begun":
            raise _begun(show, settings)
        if reply[0] == b"surplus":
            raise PlanConflict(
                f"show {show!r} has {reply[1]} seats in Redis and {len(plan.seats)} in the plan: an earlier warm with "
                "another plan was cut off; retire the show and warm it again."
            )
        return bool(reply[1])

    args = [
        plan.digest.encode(),
        plan.pack(),
        b"%d" % len(plan.seats),
        b"%d" % settings.max_hold_ms,
        b"1" if settings.outbox else b"0",
        b"%d" % _upkeep.CHANGES_CAP,
        settings.limits.packed(plan),
        settings.checkout.encode(),
    ]
    fixed = [keys.meta, keys.seats, keys.due, keys.changes, keys.outbox, keys.plan, keys.retired]
    fixed += [keys.room.passes, keys.room.grants, keys.room.queue]
    return Operation(load("found"), show, fixed, args, decode)
