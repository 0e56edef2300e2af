"""Which seats are the best: pure, no I/O.

A `Layout` is a plan as one line of cells: the rows one behind the other, nearest to the stage first, and an empty cell
wherever two seats do not adjoin. A `Chooser` knows which of these cells are free, and ranks sets of free seats:

1. Sets that adjoin in one row and leave no single seat alone beside them.
2. Sets that adjoin.
3. Sets in one row: the fewer cells from the first to the last seat, the better.
4. Sets in one section: the fewer rows, the better, then the narrower.
5. Sets anywhere.

Among equals those nearest to the focal point come first. A plan has none of its own, so it is the middle of the front
row: rows count from the first of each section, in the order of the plan; sections stand in the order of the plan; then
the distance from the middle of the row decides.

Seats adjoin that follow one another in their row, unless the plan shows a gap between them: in the positions if both
are drawn (more than 1.75 times as far as is usual in the row), else in the numbers (more than 1, or 2 where that is usual in the
row: even numbers on one side). Seats without row and number take both from their id, ``A-12`` for one, and where
that has none they adjoin nothing.
"""

from __future__ import annotations

import heapq
import random
import re
from collections.abc import Iterable, Iterator, Sequence, Set
from itertools import pairwise
from statistics import median, mode
from typing import Final

import msgspec

from seatlock.plan import Seat, SeatingPlan

WIDEST_GAP: Final = 1.75  # usual distances between two seats that adjoin, at most
_NUMBERED: Final = re.compile(r"(.*?)(\d{1,9})", re.DOTALL)
_FREE: Final = b"\x01"


class Wish(msgspec.Struct, frozen=True):
    """What is asked for."""

    count: int
    section: str | None = None
    category: str | None = None
    adjacent: bool = True
    avoid_orphans: bool = True


class Choice(msgspec.Struct, frozen=True):
    """A set of seats, as cells in order, and its tier: how good it is, whatever its place; 0 is the best."""

    tier: int
    cells: tuple[int, ...]


class Row(msgspec.Struct, frozen=True):
    """A row: its cells from ``first`` up to ``end``, its section, and which row of the section it is, from 0."""

    first: int
    end: int
    section: str
    number: int


class Layout:
    """Where the seats of a plan are: ``seats`` has the id in every cell ('' in an empty one), ``row_of`` its row."""

    def __init__(self, plan: SeatingPlan) -> None:
        rows: dict[tuple[str, str], list[Seat]] = {}
        for seat in plan.seats:
            rows.setdefault((seat.section, _row_name(seat)), []).append(seat)
        counts: dict[str, int] = {}
        ranked: list[tuple[int, str, list[Seat]]] = []
        for (section, _), seats in rows.items():
            counts[section] = counts.get(section, 0) + 1
            ranked.append((counts[section] - 1, section, seats))
        order = {section: at for at, section in enumerate(counts)}
        ranked.sort(key=lambda row: (row[0], order[row[1]]))
        self.seats: list[str] = ["", ""]  # two empty cells before every row: whoever looks beyond its ends finds them
        self.categories: list[str] = ["", ""]
        self.rows: list[Row] = []
        self.row_of: list[int] = [0, 0]
        for number, section, seats in ranked:
            first = len(self.seats)
            for seat, gap in zip(seats, [False, *_gaps(seats)], strict=True):
                if gap:
                    self._put("", "")
                self._put(seat.id, seat.category)
            self.rows.append(Row(first, len(self.seats), section, number))
            self._put("", "")
            self._put("", "")
        self.cell_of = {seat: cell for cell, seat in enumerate(self.seats) if seat}
        self.sections = order

    def _put(self, seat: str, category: str) -> None:
        self.seats.append(seat)
        self.categories.append(category)
        self.row_of.append(len(self.rows))

    def adjoin(self, seats: Iterable[str]) -> bool:
        """Whether seats adjoin, one beside the other."""
        cells = sorted(self.cell_of.get(seat, -1) for seat in seats)
        return cells[0] >= 0 and cells[-1] - cells[0] == len(cells) - 1

    def off_centre(self, cells: Sequence[int]) -> int:
        """How far the outer cells of a set are from the middle of the row of the first, in half cells."""
        row = self.rows[self.row_of[cells[0]]]
        return abs(cells[0] + cells[-1] - row.first - row.end + 1)


def _row_name(seat: Seat) -> str:
    if seat.row or seat.number:
        return seat.row
    named = _NUMBERED.fullmatch(seat.id)
    return f"\n{named[1]}" if named else f"\n\n{seat.id}"  # a line break is in no row's name


def _number(seat: Seat) -> int | None:
    text = seat.number if seat.row or seat.number else seat.id
    named = _NUMBERED.fullmatch(text)
    return int(named[2]) if named else None


def _gaps(seats: Sequence[Seat]) -> list[bool]:
    """Between which seats of a row there is a gap."""
    pairs = list(pairwise(seats))
    if not pairs:
        return []
    steps = [_distance(one, other) for one, other in pairs]
    known = [step for step in steps if step]
    usual_step = median(known) if known else 0.0
    jumps = [_jump(one, other) for one, other in pairs]
    counted = [jump for jump in jumps if jump]
    usual_jump = min(mode(counted), 2) if counted else 0
    return [
        step > WIDEST_GAP * usual_step if step is not None else jump is not None and jump > usual_jump
        for step, jump in zip(steps, jumps, strict=True)
    ]


def _distance(one: Seat, other: Seat) -> float | None:
    if one.x is None or one.y is None or other.x is None or other.y is None:
        return None
    return float(abs(complex(one.x - other.x, one.y - other.y)))


def _jump(one: Seat, other: Seat) -> int | None:
    here, there = _number(one), _number(other)
    return None if here is None or there is None else abs(here - there)


class Chooser:
    """Which cells of a layout are free, and the best sets of them."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._cells = bytearray(len(layout.seats))

    def set_free(self, seat: str, free: bool) -> None:
        """Note whether a seat is free."""
        self._cells[self.layout.cell_of[seat]] = free

    def ranked(self, wish: Wish, limit: int, barred: Set[str] = frozenset()) -> list[Choice]:
        """List the best sets that are wholly free, best first, at most ``limit``; empty only if there is no set.

        Seats that are ``barred`` count as taken.
        """
        cells = self._eligible(wish, barred)
        if cells.count(_FREE) < wish.count:
            return []
        if not wish.adjacent:
            return self._nearest(cells, wish, limit)
        found = self._adjoining(cells, wish, limit)
        if len(found) < limit:
            found += self._apart(cells, wish, limit - len(found))
        return found

    def _eligible(self, wish: Wish, barred: Set[str]) -> bytearray:
        layout = self.layout
        cells = bytearray(self._cells)
        if wish.section is not None:
            for row in layout.rows:
                if row.section != wish.section:
                    cells[row.first : row.end] = bytes(row.end - row.first)
        if wish.category is not None:
            for cell in _free(cells):
                if layout.categories[cell] != wish.category:
                    cells[cell] = 0
        for seat in barred:
            cells[layout.cell_of[seat]] = 0
        return cells

    # Sets that adjoin

    def _adjoining(self, cells: bytearray, wish: Wish, limit: int) -> list[Choice]:
        """All that adjoin, row by row, until there are enough of the best."""
        run = _FREE * wish.count
        good: list[Choice] = []
        leaving: list[Choice] = []  # a single seat alone
        start = cells.find(run)
        while start >= 0 and len(good) < limit:
            row = self.layout.rows[self.layout.row_of[start]]
            here: list[tuple[int, int]] = []
            while 0 <= start < row.end:
                middle = abs(2 * start + wish.count - row.first - row.end)
                here.append((middle, start))
                start = cells.find(run, start + 1)
            for _, first in sorted(here):
                chosen = tuple(range(first, first + wish.count))
                if wish.avoid_orphans and self.leaves_one_alone(chosen):
                    if len(leaving) < limit:
                        leaving.append(Choice(1, chosen))
                else:
                    good.append(Choice(0, chosen))
        return (good + leaving)[:limit]

    def leaves_one_alone(self, chosen: Sequence[int]) -> bool:
        """Whether a free seat beside a set would have no free seat beside it any more, though it has one now."""
        taken = set(chosen)
        return any(
            self._free_without(cell + side, taken) and not self._free_without(cell + 2 * side, taken)
            for cell in chosen
            for side in (-1, 1)
        )

    def _free_without(self, cell: int, taken: Set[int]) -> bool:
        return self._cells[cell] == 1 and cell not in taken

    # Sets that do not adjoin

    def _apart(self, cells: bytearray, wish: Wish, limit: int) -> list[Choice]:
        spots = list(_free(cells))
        found = [Choice(2, chosen) for chosen in self._in_one_row(spots, wish, limit)]
        if len(found) < limit:
            found += [Choice(3, chosen) for chosen in self._in_one_section(spots, wish, limit - len(found))]
        if len(found) < limit:
            found += [Choice(4, chosen) for chosen in _several(_windows(spots, wish.count), limit - len(found))]
        return found

    def _in_one_row(self, spots: list[int], wish: Wish, limit: int) -> list[tuple[int, ...]]:
        layout, count = self.layout, wish.count
        candidates = (
            chosen
            for chosen in _windows(spots, count)
            if layout.row_of[chosen[0]] == layout.row_of[chosen[-1]] and chosen[-1] - chosen[0] >= count
        )
        return heapq.nsmallest(
            limit,
            candidates,
            key=lambda chosen: (
                chosen[-1] - chosen[0],
                wish.avoid_orphans and self.leaves_one_alone(chosen),
                layout.row_of[chosen[0]],
                layout.off_centre(chosen),
                chosen,
            ),
        )

    def _in_one_section(self, spots: list[int], wish: Wish, limit: int) -> list[tuple[int, ...]]:
        layout = self.layout
        by_section: dict[str, list[int]] = {}
        for cell in spots:
            by_section.setdefault(layout.rows[layout.row_of[cell]].section, []).append(cell)

        def rows_and_width(chosen: tuple[int, ...]) -> tuple[int, int, tuple[int, ...]]:
            rows = [layout.rows[layout.row_of[cell]] for cell in chosen]
            columns = [cell - row.first for cell, row in zip(chosen, rows, strict=True)]
            return rows[-1].number - rows[0].number, max(columns) - min(columns), chosen

        candidates = (
            chosen
            for cells in by_section.values()
            for chosen in _windows(cells, wish.count)
            if layout.row_of[chosen[0]] != layout.row_of[chosen[-1]]
        )
        return heapq.nsmallest(limit, candidates, key=rows_and_width)

    def _nearest(self, cells: bytearray, wish: Wish, limit: int) -> list[Choice]:
        """Sets of the seats nearest to the focal point, wherever they are: the first so many, the next, and so on."""
        layout = self.layout
        wanted = limit * wish.count
        spots: list[int] = []
        start = cells.find(_FREE)
        while start >= 0 and len(spots) < wanted:
            row = layout.rows[layout.row_of[start]]
            here = [start + at for at, free in enumerate(cells[start : row.end]) if free]
            spots += sorted(here, key=lambda cell: (layout.off_centre((cell,)), cell))
            start = cells.find(_FREE, row.end)
        slices = [tuple(sorted(chosen)) for chosen in _slices(spots, wish.count)]
        found = [Choice(int(wish.avoid_orphans and self.leaves_one_alone(chosen)), chosen) for chosen in slices]
        return sorted(found, key=lambda choice: choice.tier)[:limit]


def _free(cells: bytearray) -> Iterator[int]:
    at = cells.find(_FREE)
    while at >= 0:
        yield at
        at = cells.find(_FREE, at + 1)


def _windows(spots: Sequence[int], count: int) -> Iterator[tuple[int, ...]]:
    return (tuple(spots[at : at + count]) for at in range(len(spots) - count + 1))


def _slices(spots: Sequence[int], count: int) -> Iterator[tuple[int, ...]]:
    """Disjoint sets, and one more of the last seats where some are left over."""
    for at in range(0, len(spots) - count + 1, count):
        yield tuple(spots[at : at + count])
    if len(spots) % count:
        yield tuple(spots[-count:])


def _several(windows: Iterator[tuple[int, ...]], limit: int) -> list[tuple[int, ...]]:
    return [chosen for chosen, _ in zip(windows, range(limit), strict=False)]


def drawn(ranked: Sequence[Choice], near: int, most: int, chance: random.Random) -> list[Choice]:
    """Take ``most`` of the best, in order; the first ``near`` count as equals of the others of their tier among them.

    So callers that come at the same time do not all ask for the same set, and nobody gets a worse kind of set.
    """
    mixed = list(ranked[:near])
    chance.shuffle(mixed)
    mixed.sort(key=lambda choice: choice.tier)
    return (mixed + list(ranked[near:most]))[:most]
