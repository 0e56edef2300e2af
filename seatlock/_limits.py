"""Limits a holder: what they may be, how they are kept, and what a holder has. `docs/decisions/limits.md` says why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

import msgspec

from seatlock import _reads
from seatlock._keys import keys_of
from seatlock._operation import Operation, Pools, check_show
from seatlock._procedures import Procedure
from seatlock._replies import fence_of
from seatlock._script import load
from seatlock.errors import InvalidRequest
from seatlock.model import HeldSeats, SeatState
from seatlock.plan import SeatingPlan

MOST: Final = 500
"""What a limit may be at most; a list of a holder's seats never grows beyond it, since a script reads it whole."""
INSPECT_STEP: Final = 400  # seats a call looks at
HELD_STEPS: Final = 100_000  # calls that walk along all that is on hold, at most


class Limits(msgspec.Struct, frozen=True):
    """How much of the show, and of each category and pool, a holder may have; ``show`` is None where only these say."""

    show: int | None = None
    categories: tuple[tuple[str, int], ...] = ()
    pools: Pools = ()

    def packed(self, plan: SeatingPlan) -> bytes:
        """The text that the scripts read; nothing where there are no limits."""
        if self is NONE:
            return b""
        lines = [f"{plan.category_number(name)} {number} {name}" for name, number in self.categories]
        lines += [f"p {number} {name}" for name, number in self.pools]
        return "\n".join([f"{self.show or MOST}", *lines]).encode()


NONE: Final = Limits()


def checked(limit: object, limits: Any, plan: SeatingPlan, pools: Pools = ()) -> Limits:
    """Check the limits of a show that has this plan and these pools."""
    show = None if limit is None else _number("limit", limit)
    if limits is not None and not isinstance(limits, Mapping):
        raise InvalidRequest(f"limits must map categories and pools to numbers of seats, not {type(limits).__name__}.")
    names = {name for name, _ in pools}
    of_categories: list[tuple[str, int]] = []
    of_pools: list[tuple[str, int]] = []
    for name, number in cast("dict[Any, Any]", limits or {}).items():
        if not isinstance(name, str) or not name:
            raise InvalidRequest(f"limits has {name!r}: categories and pools have names that are not empty.")
        if name not in names and name not in plan.categories:
            raise InvalidRequest(f"limits has {name!r}, which is neither a category of the plan nor one of the pools.")
        if name in names and name in plan.categories:
            raise InvalidRequest(
                f"limits has {name!r}, which is a category as well as a pool: give one of them another name."
            )
        (of_pools if name in names else of_categories).append((name, _number(f"limits[{name!r}]", number)))
    if show is None and not of_categories and not of_pools:
        return NONE
    return Limits(show, tuple(of_categories), tuple(of_pools))


def _number(name: str, value: object) -> int:
    if type(value) is not int or not 1 <= value <= MOST:
        raise InvalidRequest(f"{name} is {value!r}; give a whole number of seats from 1 to {MOST}.")
    return value


def holds(namespace: str, show: str, holder: str) -> Procedure[list[HeldSeats]]:
    """What a holder holds now: a list says which seats to look at, and their locks whether it is so.

    A show without limits keeps no lists, so everything on hold is looked at, in bounded steps. Claims on pools are
    found by their holder.
    """
    found: dict[int, dict[str, float]] = {}
    seats: tuple[str, ...] | None = yield _reads.listed(namespace, show, holder)
    if seats is not None:
        yield from _look(namespace, show, holder, seats, found)
    else:
        cursor = b"0"
        for _ in range(HELD_STEPS):
            some: tuple[str, ...]
            cursor, some = yield _reads.held(namespace, show, cursor)
            yield from _look(namespace, show, holder, some, found)
            if cursor == b"0":
                break
    of_pools: dict[int, dict[str, tuple[int, float]]] = yield _claimed(namespace, show, holder)
    all_held: list[HeldSeats] = []
    for fence in sorted({*found, *of_pools}):
        seats_left, claims = found.get(fence, {}), of_pools.get(fence, {})
        ttl = min([*seats_left.values(), *(left for _, left in claims.values())])
        pools = {pool: quantity for pool, (quantity, _) in claims.items()}
        all_held.append(HeldSeats(show, tuple(seats_left), holder, fence, ttl, pools))
    return all_held


def _claimed(namespace: str, show: str, holder: str) -> Operation[dict[int, dict[str, tuple[int, float]]]]:
    """A holder's claims on pools: by fence, how many of each pool, and the seconds that are left."""
    keys = keys_of(namespace, show)

    def decode(reply: list[Any]) -> dict[int, dict[str, tuple[int, float]]]:
        check_show(reply, show)
        found: dict[int, dict[str, tuple[int, float]]] = {}
        for at in range(1, len(reply), 5):
            pool, quantity, epoch, counter, left = reply[at : at + 5]
            found.setdefault(fence_of(epoch, counter), {})[pool.decode()] = (quantity, left / 1000)
        return found

    return Operation(load("claimed"), show, [keys.meta, keys.pools], [holder.encode()], decode)


def _look(
    namespace: str, show: str, holder: str, seats: tuple[str, ...], found: dict[int, dict[str, float]]
) -> Procedure[None]:
    """Note those of some seats that this holder holds: by fence, the seats and the seconds they have left."""
    for at in range(0, len(seats), INSPECT_STEP):
        states: list[SeatState]
        _, states = yield _reads.inspect(namespace, show, seats[at : at + INSPECT_STEP], ())
        for state in states:
            if state.state == "held" and state.holder == holder and state.fence is not None:
                found.setdefault(state.fence, {})[state.seat] = state.expires_in or 0.0
