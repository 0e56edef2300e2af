"""Where the seats of a plan are, as far as choosing among them goes: pure, no I/O.

A `Layout` is a plan as one line of cells: the rows one behind the other, the nearest to the focal point first, and an
empty cell wherever two seats do not adjoin.

The focal point is the middle of the plan's first row. Where every seat is drawn, distances from it are those of the
drawing, and a row is as near as its nearest seat. Else rows are the nearer the earlier they stand in the plan, and in
a row the seats in its middle are the nearest.

Seats adjoin that follow one another in their row, unless the plan shows a gap between them: in the positions if both
are drawn (more than 1.75 times as far as is usual in the row), else in the numbers (more than 1, or 2 where that is
usual in the row: even numbers on one side). Seats without row and number take both from their id, ``A-12`` for one,
and where that has none they adjoin nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from statistics import fmean, median, mode
from typing import Final

import msgspec

from seatlock.plan import Seat, SeatingPlan

WIDEST_GAP: Final = 1.75  # usual distances between two seats that adjoin, at most
_NUMBERED: Final = re.compile(r"(.*?)(\d{1,9})", re.DOTALL)


class Row(msgspec.Struct, frozen=True):
    """A row: its cells from ``first`` up to ``end``, its section, and which row of the section it is, from 0."""

    first: int
    end: int
    section: str
    number: int


class Layout:
    """The cells: ``seats`` has the id in each ('' in an empty one), ``row_of`` its row, ``away`` how far it is away.

    Two empty cells stand before and behind every row, so that whoever looks beyond its ends finds them.
    """

    def __init__(self, plan: SeatingPlan) -> None:
        self.seats: list[str] = ["", ""]
        self.categories: list[str] = ["", ""]
        self.accessible: list[bool] = [False, False]
        self.row_of: list[int] = [0, 0]
        self.away: list[int] = [0, 0]
        self.rows: list[Row] = []
        rows: dict[tuple[str, str], list[Seat]] = {}
        for seat in plan.seats:
            rows.setdefault((seat.section, _row_name(seat)), []).append(seat)
        drawn = bool(rows) and all(map(_is_drawn, plan.seats))  # a show of pools alone has no rows
        focus = _middle(next(iter(rows.values()))) if drawn else None
        counts: dict[str, int] = {}
        found: list[tuple[int, str, int, list[Seat | None], list[int]]] = []
        for (section, _), seats in rows.items():
            number = counts[section] = counts.get(section, -1) + 1
            cells = _with_gaps(seats)
            away = _off_centre(len(cells)) if focus is None else [_distance(seat, focus) for seat in cells]
            nearest = min(away[at] for at, seat in enumerate(cells) if seat) if focus else 0
            found.append((nearest, section, number, cells, away))
        found.sort(key=lambda row: row[0])
        for _, section, number, cells, away in found:
            first = len(self.seats)
            for cell, distance in zip(cells, away, strict=True):
                self._put(cell, distance)
            self.rows.append(Row(first, len(self.seats), section, number))
            self._put(None, 0)
            self._put(None, 0)
        self.cell_of = {seat: cell for cell, seat in enumerate(self.seats) if seat}
        self._away_up_to = list(accumulate(self.away, initial=0))

    def _put(self, seat: Seat | None, away: int) -> None:
        self.seats.append(seat.id if seat else "")
        self.categories.append(seat.category if seat else "")
        self.accessible.append(bool(seat and seat.accessible))
        self.row_of.append(len(self.rows))
        self.away.append(away)

    def adjoin(self, seats: Iterable[str]) -> bool:
        """Whether seats adjoin, one beside the other."""
        cells = sorted(self.cell_of.get(seat, -1) for seat in seats)
        return cells[0] >= 0 and cells[-1] - cells[0] == len(cells) - 1

    def away_of_run(self, first: int, count: int) -> int:
        """How far so many cells in a run are away, all together."""
        return self._away_up_to[first + count] - self._away_up_to[first]

    def mask(self, category: str | None, *, accessible: bool | None, without: Sequence[str] = ()) -> bytes | None:
        """Mark the cells that a wish allows, none of them of the categories ``without``; None where it allows all."""
        if category is None and accessible is None and not without:
            return None
        return bytes(
            (category is None or kind == category) and (accessible is None or may == accessible) and kind not in without
            for kind, may in zip(self.categories, self.accessible, strict=True)
        )


def _row_name(seat: Seat) -> str:
    if seat.row or seat.number:
        return seat.row
    named = _NUMBERED.fullmatch(seat.id)
    return f"\n{named[1]}" if named else f"\n\n{seat.id}"  # a line break is in no row's name


def _is_drawn(seat: Seat) -> bool:
    return seat.x is not None and seat.y is not None


def _at(seat: Seat) -> complex:
    return complex(seat.x or 0, seat.y or 0)


def _middle(seats: Sequence[Seat]) -> complex:
    return complex(fmean(_at(seat).real for seat in seats), fmean(_at(seat).imag for seat in seats))


def _distance(seat: Seat | None, focus: complex) -> int:
    return round(abs(_at(seat) - focus)) if seat else 0


def _off_centre(length: int) -> list[int]:
    """How far each cell of a row is from the row's middle, in half cells."""
    return [abs(2 * at - length + 1) for at in range(length)]


def _with_gaps(seats: Sequence[Seat]) -> list[Seat | None]:
    cells: list[Seat | None] = [seats[0]]
    for seat, gap in zip(seats[1:], _gaps(seats), strict=True):
        cells += [None, seat] if gap else [seat]
    return cells


def _gaps(seats: Sequence[Seat]) -> list[bool]:
    """Between which seats of a row there is a gap."""
    pairs = list(pairwise(seats))
    if not pairs:
        return []
    steps = [abs(_at(one) - _at(other)) if _is_drawn(one) and _is_drawn(other) else None for one, other in pairs]
    known = [step for step in steps if step]
    usual_step = median(known) if known else 0.0
    jumps = [_jump(one, other) for one, other in pairs]
    counted = [jump for jump in jumps if jump]
    usual_jump = min(mode(counted), 2) if counted else 0
    return [
        step > WIDEST_GAP * usual_step if step is not None else jump is not None and jump > usual_jump
        for step, jump in zip(steps, jumps, strict=True)
    ]


def _jump(one: Seat, other: Seat) -> int | None:
    here, there = _number(one), _number(other)
    return None if here is None or there is None else abs(here - there)


def _number(seat: Seat) -> int | None:
    text = seat.number if seat.row or seat.number else seat.id
    named = _NUMBERED.fullmatch(text)
    return int(named[2]) if named else None
