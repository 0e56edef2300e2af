"""Which seats are the best: pure, no I/O.

A `Chooser` knows which cells of a `Layout` are free, and ranks sets of free cells:

1. Sets that adjoin in one row and leave no single seat alone beside them.
2. Sets that adjoin.
3. Sets in one row: the fewer cells from the first to the last seat, the better.
4. Sets in one section: the fewer rows, the better.
5. Sets anywhere.

Among equals those in the nearest row come first, and in the row the nearest (see `seatlock._layout`). If the seats need
not adjoin, the nearest ones come first, wherever they are.

Cells can be set aside for somebody who is about to get them: others are offered the sets that are left. What the rows
have to offer is kept, and worked out anew only for those in which something changed.
"""

from __future__ import annotations

import heapq
import random
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple, TypeVar

import msgspec

from seatlock._layout import Layout, Row

KEPT: Final = 16  # wishes whose rankings are kept
APART: Final = 64  # sets in one row that do not adjoin, ranked at a time
NEAREST: Final = 32  # sets that need not adjoin, looked at for one that leaves no single seat alone
_FREE: Final = b"\x01"

T = TypeVar("T")

Cells = tuple[int, ...]
Window = tuple[int, bool, int, int, Cells]
"""A set in one row that does not adjoin, behind what ranks it: its width, orphans, its row, how far away it is."""


class Wish(msgspec.Struct, frozen=True):
    """What is asked for; ``without`` are categories of which no seat may be."""

    count: int
    section: str | None = None
    category: str | None = None
    adjacent: bool = True
    avoid_orphans: bool = True
    accessible: bool | None = None
    without: tuple[str, ...] = ()


class Choice(NamedTuple):
    """A set of cells in order, and its tier: how good it is, whatever its place; 0 is the best."""

    tier: int
    cells: Cells


class Chooser:
    """Which cells of a layout are free, and the best sets of them."""

    def __init__(self, layout: Layout, free: bytearray | None = None) -> None:
        self.layout = layout
        self._free = bytearray(len(layout.seats)) if free is None else bytearray(free)
        self._open = bytearray(self._free)  # free, and not set aside
        self._aside: dict[int, int] = {}  # how often each cell is set aside
        self._rankings: dict[Wish, _Ranking] = {}
        self._whole: Chooser | None = None  # the same with nothing set aside

    def beside(self, free: bytearray) -> Chooser:
        """Make another chooser, of other free cells, that has the same cells set aside."""
        other = Chooser(self.layout, free)
        for cell, times in self._aside.items():
            other.set_aside([cell] * times)
        return other

    def set_free(self, seat: str, *, free: bool) -> None:
        """Note whether a seat is free."""
        self.set_cell(self.layout.cell_of[seat], free=free)

    def set_cell(self, cell: int, *, free: bool) -> None:
        """Note whether a cell is free."""
        if self._free[cell] != free:
            self._free[cell] = free
            self._whole = None
            self._set_open(cell)

    def set_aside(self, cells: Iterable[int]) -> None:
        """Keep cells for somebody."""
        for cell in cells:
            self._aside[cell] = self._aside.get(cell, 0) + 1
            self._set_open(cell)

    def put_back(self, cells: Iterable[int]) -> None:
        """Keep cells no longer."""
        for cell in cells:
            self._aside[cell] -= 1
            if not self._aside[cell]:
                del self._aside[cell]
            self._set_open(cell)

    def _set_open(self, cell: int) -> None:
        is_open = self._free[cell] and cell not in self._aside
        if self._open[cell] != is_open:
            self._open[cell] = is_open
            for ranking in self._rankings.values():
                ranking.touch(self.layout.row_of[cell])

    def best(self, wish: Wish, limit: int) -> list[Choice]:
        """List the best sets of what is free and not set aside, best first, at most ``limit``."""
        ranking = self._rankings.pop(wish, None)
        if ranking is None:
            ranking = _Ranking(self.layout, self._open, wish)
        self._rankings[wish] = ranking  # the last one asked for goes last
        if len(self._rankings) > KEPT:
            del self._rankings[next(iter(self._rankings))]
        return ranking.best(limit)

    def best_of_all(self, wish: Wish, limit: int) -> list[Choice]:
        """List the best sets of what is free, whether set aside or not; empty only if there is no set."""
        if not self._aside:
            return self.best(wish, limit)
        if self._whole is None:
            self._whole = Chooser(self.layout, self._free)
        return self._whole.best(wish, limit)


class _Ranking:
    """What there is for one wish, row by row; ``cells`` are the chooser's, which tells of every change."""

    def __init__(self, layout: Layout, cells: bytearray, wish: Wish) -> None:
        self._layout = layout
        self._cells = cells
        self._wish = wish
        self._mask = layout.mask(wish.category, accessible=wish.accessible, without=wish.without)
        self._rows = [at for at, row in enumerate(layout.rows) if wish.section is None or row.section == wish.section]
        self._looked_at = 0  # rows looked at so far: mostly the first few do
        self._runs: tuple[dict[int, list[int]], dict[int, list[int]]] = ({}, {})  # by tier: row → where its sets begin
        self._having: tuple[list[int], list[int]] = ([], [])  # by tier: the rows that have a set, in order
        self._stale: set[int] = set()
        self._windows: dict[int, list[Window]] = {}  # by row
        self._apart: list[Window] | None = None  # the best of them, up to ``_bound`` if there are more
        self._bound: Window | None = None

    def touch(self, row: int) -> None:
        """Something changed in a row."""
        self._stale.add(row)

    def best(self, limit: int) -> list[Choice]:
        """List the best sets."""
        if not self._wish.adjacent and self._wish.count > 1:
            return self._nearest(limit)
        self._bring_up_to_date()
        found = self._adjoining(limit)
        if found or self._wish.count == 1:
            self._apart = None
            return found
        return self._in_one_row(limit) or self._anywhere(limit)

    def _bring_up_to_date(self) -> None:
        stale = [row for row in self._stale if row in self._runs[0]]
        if self._apart is not None and stale:
            self._apart = [window for window in self._apart if window[2] not in self._stale]
        for row in stale:
            for tier in (0, 1):
                if self._runs[tier][row]:
                    having = self._having[tier]
                    del having[bisect_left(having, row)]
            self._look_at(row)
            self._windows.pop(row, None)
            if self._apart is not None:
                bound = self._bound
                self._apart += [window for window in self._windows_of(row) if bound is None or window <= bound]
        if self._apart is not None and stale:
            self._apart.sort()
        self._stale.clear()

    # Sets that adjoin

    def _adjoining(self, limit: int) -> list[Choice]:
        found: list[Choice] = []
        self._gather(0, limit, found)
        while len(found) < limit and self._looked_at < len(self._rows):
            row = self._rows[self._looked_at]
            self._looked_at += 1
            self._look_at(row)
            found += [self._choice(0, first) for first in self._runs[0][row]]
        self._gather(1, limit, found)
        return found[:limit]

    def _gather(self, tier: int, limit: int, found: list[Choice]) -> None:
        for row in self._having[tier]:
            if len(found) >= limit:
                return
            found += [self._choice(tier, first) for first in self._runs[tier][row]]

    def _choice(self, tier: int, first: int) -> Choice:
        return Choice(tier, tuple(range(first, first + self._wish.count)))

    def _look_at(self, row: int) -> None:
        """Find where the sets of a row begin that adjoin, the nearest first."""
        layout, count = self._layout, self._wish.count
        first, piece = layout.rows[row].first, self._allowed(layout.rows[row])
        run = _FREE * count
        found: tuple[list[int], list[int]] = ([], [])
        at = piece.find(run)
        while at >= 0:
            start = first + at
            alone = self._wish.avoid_orphans and self._leaves_one_alone_beside(start, start + count)
            found[alone].append(start)
            at = piece.find(run, at + 1)
        for tier in (0, 1):
            starts = found[tier]
            if len(starts) > 1:
                starts.sort(key=lambda start: (layout.away_of_run(start, count), start))
            self._runs[tier][row] = starts
            if starts:
                insort(self._having[tier], row)

    def _allowed(self, row: Row) -> bytes | bytearray:
        piece = self._cells[row.first : row.end]
        if self._mask is None:
            return piece
        return bytes([cell & may for cell, may in zip(piece, self._mask[row.first : row.end], strict=True)])

    def _leaves_one_alone_beside(self, first: int, end: int) -> bool:
        """Whether the seat before or behind a run is free, and the next one is not."""
        cells = self._cells
        return bool((cells[first - 1] and not cells[first - 2]) or (cells[end] and not cells[end + 1]))

    def _leaves_one_alone(self, chosen: Sequence[int]) -> bool:
        """Whether a free seat beside a set would have no free seat beside it any more."""
        taken = set(chosen)
        return any(
            self._free_without(cell + side, taken) and not self._free_without(cell + 2 * side, taken)
            for cell in chosen
            for side in (-1, 1)
        )

    def _free_without(self, cell: int, taken: set[int]) -> bool:
        return self._cells[cell] == 1 and cell not in taken

    # Sets that do not adjoin

    def _in_one_row(self, limit: int) -> list[Choice]:
        if self._apart is None or (self._bound is not None and not self._apart):
            windows = (window for row in self._rows for window in self._windows_of(row))
            self._apart = heapq.nsmallest(APART, windows)
            self._bound = self._apart[-1] if len(self._apart) == APART else None
        return [Choice(2, window[-1]) for window in self._apart[:limit]]

    def _windows_of(self, row: int) -> list[Window]:
        """The sets of a row that do not adjoin, each with what ranks it."""
        windows = self._windows.get(row)
        if windows is None:
            place = self._layout.rows[row]
            spots = [place.first + at for at in _where(self._allowed(place))]
            windows = self._windows[row] = [self._ranked(row, chosen) for chosen in _windows(spots, self._wish.count)]
        return windows

    def _ranked(self, row: int, chosen: Cells) -> Window:
        alone = self._wish.avoid_orphans and self._leaves_one_alone(chosen)
        away = sum([self._layout.away[cell] for cell in chosen])
        return chosen[-1] - chosen[0], alone, row, away, chosen

    def _anywhere(self, limit: int) -> list[Choice]:
        layout, count = self._layout, self._wish.count
        by_section: dict[str, list[tuple[int, int]]] = {}
        spots: list[int] = []
        for at in self._rows:
            row = layout.rows[at]
            here = [row.first + cell for cell in _where(self._allowed(row))]
            by_section.setdefault(row.section, []).extend([(row.number, cell) for cell in here])
            spots += here
        candidates = (
            (window[-1][0] - window[0][0], tuple([cell for _, cell in window]))
            for places in by_section.values()
            for window in _windows(sorted(places), count)
        )
        found = [Choice(3, tuple(sorted(chosen))) for _, chosen in heapq.nsmallest(limit, candidates)]
        return found or [Choice(4, chosen) for chosen in islice(_windows(spots, count), limit)]

    def _nearest(self, limit: int) -> list[Choice]:
        """The nearest so many seats, the next ones, and so on; those that leave no single seat alone first."""
        layout, count = self._layout, self._wish.count
        spots: list[int] = []
        for at in self._rows:
            row = layout.rows[at]
            if self._cells.find(_FREE, row.first, row.end) >= 0:
                here = [row.first + cell for cell in _where(self._allowed(row))]
                spots += sorted(here, key=lambda cell: (layout.away[cell], cell))
            if len(spots) >= NEAREST * count:
                break
        slices = [tuple(sorted(spots[at : at + count])) for at in range(0, len(spots) - count + 1, count)][:NEAREST]
        found = [Choice(int(self._wish.avoid_orphans and self._leaves_one_alone(chosen)), chosen) for chosen in slices]
        return sorted(found, key=lambda choice: choice.tier)[:limit]


def _where(cells: bytes | bytearray) -> Iterator[int]:
    at = cells.find(_FREE)
    while at >= 0:
        yield at
        at = cells.find(_FREE, at + 1)


def _windows(spots: Sequence[T], count: int) -> Iterator[tuple[T, ...]]:
    return (tuple(spots[at : at + count]) for at in range(len(spots) - count + 1))


def several(ranked: Sequence[Choice], most: int, chance: random.Random | None) -> list[Choice]:
    """Take up to ``most`` sets without a seat in common, in order; by ``chance`` among those of the best tier if given.

    So callers that come at the same time do not all ask for the same, and nobody gets a worse kind of set for it.
    """
    if chance is not None and ranked:
        equals = [choice for choice in ranked if choice.tier == ranked[0].tier]
        ranked = chance.sample(equals, len(equals)) if len(equals) <= 2 * most else chance.sample(equals, 2 * most)
    found: list[Choice] = []
    taken: set[int] = set()
    for choice in ranked:
        if len(found) == most:
            break
        if taken.isdisjoint(choice.cells):
            found.append(choice)
            taken.update(choice.cells)
    return found
