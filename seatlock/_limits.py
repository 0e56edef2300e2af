"""Limits a holder: what they may be, how they are kept, and what a holder has. `docs/decisions/limits.md` says why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

import msgspec

from seatlock import _commands
from seatlock._procedures import Procedure
from seatlock.errors import InvalidRequest
from seatlock.model import HeldSeats, SeatState
from seatlock.plan import SeatingPlan

MOST: Final = 500
"""What a limit may be at most; a list of a holder's seats never grows beyond it, since a script reads it whole."""
INSPECT_STEP: Final = 400  # seats a call looks at
HELD_STEPS: Final = 100_000  # calls that walk along all that is on hold, at most


class Limits(msgspec.Struct, frozen=True):
    """How many seats of the show, and of each category, a holder may have; ``show`` is None where only those have."""

    show: int | None = None
    categories: tuple[tuple[str, int], ...] = ()

    def packed(self, plan: SeatingPlan) -> bytes:
        """The text that the scripts read; nothing where there are no limits."""
        if self is NONE:
            return b""
        lines = [f"{plan.category_number(name)} {number} {name}" for name, number in self.categories]
        return "\n".join([f"{self.show or MOST}", *lines]).encode()


NONE: Final = Limits()


def checked(limit: object, limits: Any, plan: SeatingPlan) -> Limits:
    """Check the limits of a show that has this plan."""
    show = None if limit is None else _number("limit", limit)
    if limits is not None and not isinstance(limits, Mapping):
        raise InvalidRequest(f"limits must map categories to numbers of seats, not {type(limits).__name__}.")
    categories: list[tuple[str, int]] = []
    for name, number in cast("dict[Any, Any]", limits or {}).items():
        if not isinstance(name, str) or not name:
            raise InvalidRequest(f"limits has the category {name!r}: a category is a name that is not empty.")
        plan.category_number(name)  # refuses one that the plan does not have
        categories.append((name, _number(f"limits[{name!r}]", number)))
    return NONE if show is None and not categories else Limits(show, tuple(categories))


def _number(name: str, value: object) -> int:
    if type(value) is not int or not 1 <= value <= MOST:
        raise InvalidRequest(f"{name} is {value!r}; give a whole number of seats from 1 to {MOST}.")
    return value


def holds(namespace: str, show: str, holder: str) -> Procedure[list[HeldSeats]]:
    """What a holder holds now: a list says which seats to look at, and their locks whether it is so.

    A show without limits keeps no lists, so everything on hold is looked at, in bounded steps.
    """
    found: dict[int, dict[str, float]] = {}
    seats: tuple[str, ...] | None = yield _commands.listed(namespace, show, holder)
    if seats is not None:
        yield from _look(namespace, show, holder, seats, found)
    else:
        cursor = b"0"
        for _ in range(HELD_STEPS):
            some: tuple[str, ...]
            cursor, some = yield _commands.held(namespace, show, cursor)
            yield from _look(namespace, show, holder, some, found)
            if cursor == b"0":
                break
    return [HeldSeats(show, tuple(held), holder, fence, min(held.values())) for fence, held in sorted(found.items())]


def _look(
    namespace: str, show: str, holder: str, seats: tuple[str, ...], found: dict[int, dict[str, float]]
) -> Procedure[None]:
    """Note those of some seats that this holder holds: by fence, the seats and the seconds they have left."""
    for at in range(0, len(seats), INSPECT_STEP):
        states: list[SeatState]
        _, states = yield _commands.inspect(namespace, show, seats[at : at + INSPECT_STEP], ())
        for state in states:
            if state.state == "held" and state.holder == holder and state.fence is not None:
                found.setdefault(state.fence, {})[state.seat] = state.expires_in or 0.0
