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


def checked(limit: object, limits: object, plan: SeatingPlan) -> Limits:
    """Check the limits of a show that has this plan."""
    show = None if limit is None else _number("limit", limit)
    if limits is not None and not isinstance(limits, Mapping):
        raise InvalidRequest(f"limits must map categories to numbers of seats, not {type(limits).__name__}.")
    categories: list[tuple[str, int]] = []
    for name, number in cast("Mapping[Any, Any]", limits or {}).items():
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
    """What a holder holds now: the list says which seats to look at, and their locks whether it is so."""
    seats: tuple[str, ...] | None = yield _commands.listed(namespace, show, holder)
    if seats is None:
        raise InvalidRequest(
            f"show {show!r} keeps no list of what a holder has, since it was warmed without limits: warm shows with a "
            f"limit (1 to {MOST}) to have one."
        )
    if not seats:
        return []
    states: list[SeatState]
    _, states = yield _commands.inspect(namespace, show, seats, ())
    found: dict[int, list[SeatState]] = {}
    for state in states:
        if state.state == "held" and state.holder == holder and state.fence is not None:
            found.setdefault(state.fence, []).append(state)
    return [
        HeldSeats(
            show, tuple([state.seat for state in held]), holder, fence, min([state.expires_in or 0.0 for state in held])
        )
        for fence, held in sorted(found.items())
    ]
