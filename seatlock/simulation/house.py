"""The house as buyers see it: which seats are liked best, and which are next to each other."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Final

from seatlock.plan import Seat, SeatingPlan

POOL: Final = "admission"  # what has no numbers, beside the seats or instead of them
MAX_PARTY: Final = 4  # seats that one buyer wants at most
_PARTY_SIZES: Final = (1, 2, 2, 2, 3, 4, 4)  # most people come as a couple


class House:
    """A seating plan with a taste: the seats around the middle of the first category are wanted most."""

    def __init__(self, plan: SeatingPlan) -> None:
        self.plan = plan
        self.ids = [seat.id for seat in plan.seats]
        self.popular = popularity(plan)
        self._row_start, self._row_end = _rows(plan.seats)

    def first_choice(self, choices: random.Random) -> tuple[str, ...]:
        """What a buyer wants who has not looked yet: seats next to each other, anywhere in the house."""
        return self._party(favourite(choices, self.popular), party_size(choices), None)

    def next_choice(
        self, choices: random.Random, wanted: int, popular_free: Sequence[int], free: Sequence[int]
    ) -> tuple[str, ...]:
        """What a buyer takes who has the seat map at hand: up to ``wanted`` seats that were free, side by side.

        ``popular_free`` lists the free seats by popularity, ``free`` tells for every seat of the plan whether it is.
        """
        return self._party(favourite(choices, popular_free), wanted, free)

    def _party(self, around: int, wanted: int, free: Sequence[int] | None) -> tuple[str, ...]:
        """Seats of one row that include ``around``: to its right first, then to its left."""
        start, end = around, around + 1
        while end - start < wanted and end < self._row_end[around] and (free is None or free[end]):
            end += 1
        while end - start < wanted and start > self._row_start[around] and (free is None or free[start - 1]):
            start -= 1
        return tuple(self.ids[start:end])


def party_size(choices: random.Random) -> int:
    """How many seats a buyer wants: one to four."""
    return choices.choice(_PARTY_SIZES)


def favourite(choices: random.Random, ranked: Sequence[int]) -> int:
    """Draw from a list that begins with the best: the chance falls as 1/rank, as Zipf's law says."""
    return ranked[min(int((len(ranked) + 1) ** choices.random()), len(ranked)) - 1]


def popularity(plan: SeatingPlan) -> list[int]:
    """List the seats by their places in the plan, the most wanted first.

    Wanted most is what lies nearest to the middle of the first category's seats; in a plan that is not drawn, the
    first category goes first, and the plan's order decides.
    """
    numbers = {category: number for number, category in enumerate(plan.categories)}
    first = [
        (seat.x, seat.y)
        for seat in plan.seats
        if seat.category == plan.categories[0] and seat.x is not None and seat.y is not None
    ]
    if not first:
        return sorted(range(len(plan.seats)), key=lambda place: numbers[plan.seats[place].category])
    middle = (sum(x for x, _ in first) / len(first), sum(y for _, y in first) / len(first))

    def distance(place: int) -> float:
        seat = plan.seats[place]
        return math.inf if seat.x is None or seat.y is None else math.dist((seat.x, seat.y), middle)

    return sorted(range(len(plan.seats)), key=distance)


def _rows(seats: Sequence[Seat]) -> tuple[list[int], list[int]]:
    """For every seat, where its row begins in plan order and where it ends (the first place beyond)."""
    starts: list[int] = []
    ends: list[int] = []
    for place, seat in enumerate(seats):
        if place == 0 or (seat.section, seat.row) != (seats[place - 1].section, seats[place - 1].row):
            ends += [place] * (place - len(ends))
            starts.append(place)
        else:
            starts.append(starts[-1])
    return starts, ends + [len(seats)] * (len(seats) - len(ends))
