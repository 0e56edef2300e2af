"""What a locker knows of a show's free seats: read once, then kept up by the changes; shared by all who seek seats.

No I/O: a board is brought up to date by a procedure that the lockers drive, one at a time, and asked in between.
"""

from __future__ import annotations

import copy
import heapq
import random
import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from seatlock import _procedures
from seatlock._choosing import Cells, Choice, Chooser, Wish, several
from seatlock._layout import Layout
from seatlock._procedures import PlanCache, Procedure
from seatlock._replies import listing
from seatlock.errors import SeatLockError, ServerUnavailable, UnknownSeats
from seatlock.model import SaleStatus
from seatlock.plan import SeatingPlan

IDLE: Final = 10.0  # seconds without a look, after which a board is read anew: the show may be another by then
BARRED: Final = 1.0  # seconds for which a seat is not offered that was refused although nothing had changed
CONTENDED: Final = 0.5  # seconds after a refusal in which others are thought to seek as well


class Board:
    """The free seats of one show at one version.

    ``reads`` counts the reads that were begun, ``current`` is the number of the read that the board shows: a read with
    a higher number than was begun at some moment tells of a later one. ``lock`` and ``reading`` are for the lockers:
    whoever reads has them. ``failures`` counts reads that failed, so that those who waited for one learn of it.
    """

    def __init__(self, namespace: str, show: str, plans: PlanCache) -> None:
        self.show = show
        self.lock = threading.Lock()
        self.reading: Any = None
        self.reads = 0
        self.current = 0
        self.failures = 0
        self.version = (0, 0)
        self.status: SaleStatus = "closed"
        self.returned: deque[Cells] = deque()  # no longer set aside
        self._failure: SeatLockError | None = None
        self._namespace = namespace
        self._plans = plans
        self._plan: SeatingPlan | None = None
        self._layout: Layout | None = None
        self._chooser: Chooser | None = None
        self._held: dict[str, int] = {}
        self._deadlines: list[tuple[int, str]] = []  # a heap; whatever `_held` does not say any more is void
        self._barred: dict[str, float] = {}
        self._contended_until = 0.0
        self._refused: deque[tuple[tuple[int, int], tuple[str, ...]]] = deque()
        self._seen = -IDLE

    # Reading

    def refresh(self) -> Procedure[None]:
        """Bring the board to a version that is not older than this call."""
        self.reads += 1
        number, begun = self.reads, time.monotonic()
        if self._chooser is None or begun - self._seen >= IDLE or not (yield from self._catch_up()):
            yield from self._read()
        self._seen = begun
        self.current = number

    def failed(self, error: SeatLockError) -> None:
        """Note that a read failed."""
        self.failures += 1
        self._failure = error

    def failure(self) -> SeatLockError:
        """The error of the last read that failed, to be raised once more."""
        assert self._failure is not None
        error = copy.copy(self._failure)
        error.__cause__ = self._failure.__cause__
        return error

    def _catch_up(self) -> Procedure[bool]:
        found = yield from _procedures.catch_up(self._namespace, self.show, self.version, self._take_in)
        if found is None:
            self._chooser = None  # it may have taken in a part
            return False
        self.status = found.status
        self._arrive((found.epoch, found.version), found.now)
        return True

    def _read(self) -> Procedure[None]:
        for _ in range(_procedures.SNAPSHOT_TRIES):
            plan = yield from self._plans.get(self._namespace, self.show)
            found = yield from _procedures.read_fields(self._namespace, self.show, plan, tuple(plan.index))
            if found is not None:
                if self._layout is None or self._plan is None or self._plan.digest != plan.digest:
                    self._layout = Layout(plan)
                self._plan, self._chooser = plan, Chooser(self._layout)
                self.returned = deque()  # what was set aside, was so in another chooser
                self._held, self._deadlines, self._barred = {}, [], {}
                self._take_in(found.fields)
                self.status = found.status
                self._arrive(found.version, found.now)
                return
            self._plans.forget(self.show)
        raise ServerUnavailable(
            f"the free seats of show {self.show!r}: the show changed too much while they were read, "
            f"{_procedures.SNAPSHOT_TRIES} times; nothing was changed: ask again."
        )

    def _take_in(self, fields: dict[str, bytes]) -> None:
        assert self._chooser is not None
        assert self._layout is not None
        for seat, field in fields.items():
            if seat not in self._layout.cell_of:
                continue  # the empty seat, which stands for the show itself
            self._held.pop(seat, None)
            self._barred.pop(seat, None)
            self._chooser.set_free(seat, free=field[:1] == b"f")
            if field[:1] == b"h":
                self._held[seat] = deadline = int(field.rpartition(b":")[2])
                heapq.heappush(self._deadlines, (deadline, seat))

    def _arrive(self, version: tuple[int, int], now: int) -> None:
        """Note the version and the time reached: holds whose time has passed are free."""
        assert self._chooser is not None
        self.version = version
        while self._deadlines and self._deadlines[0][0] < now:
            deadline, seat = heapq.heappop(self._deadlines)
            if self._held.get(seat) == deadline:
                del self._held[seat]
                self._chooser.set_free(seat, free=True)
        if self._barred:
            for seat in [seat for seat, until in self._barred.items() if until < time.monotonic()]:
                del self._barred[seat]
                self._chooser.set_free(seat, free=True)

    # Choosing

    def choose(self, wish: Wish, near: int, most: int, chance: random.Random, *, contend: bool) -> Chosen:
        """Choose up to ``most`` sets; the first is set aside. See `Look` for ``near`` and ``contend``."""
        chooser = self._chooser
        assert chooser is not None
        self._check(wish)
        self._put_back_and_bar(chooser)
        if not near and time.monotonic() < self._contended_until:
            near = 2 * most
        limit = max(near, 2 * most)
        ranked = chooser.best(wish, limit)
        of_others = False
        if not ranked:
            ranked = chooser.best_of_all(wish, limit)
            of_others = bool(ranked) and not contend
            if of_others:
                ranked = []
        sets = several(ranked, most, chance if near else None)
        if sets:
            chooser.set_aside(sets[0].cells)
        return Chosen(sets, of_others, self.returned)

    def _check(self, wish: Wish) -> None:
        """Refuse a section or a category that the show does not have."""
        assert self._plan is not None
        sections = self._plan.sections
        if wish.section is not None and wish.section not in sections:
            raise UnknownSeats(f"show {self.show!r} has no section {wish.section!r}; it has {listing(list(sections))}.")
        if wish.category is not None:
            self._plan.category_number(wish.category)

    def seats(self, choice: Choice) -> tuple[str, ...]:
        """The seats of a set."""
        assert self._layout is not None
        return tuple([self._layout.seats[cell] for cell in choice.cells])

    def adjoin(self, seats: Iterable[str]) -> bool:
        """Whether seats adjoin."""
        assert self._layout is not None
        return self._layout.adjoin(seats)

    def refused(self, version: tuple[int, int], current: tuple[int, int], in_the_way: tuple[str, ...]) -> None:
        """Note that sets chosen at one version were refused at the ``current`` one; from any thread."""
        if version != current:
            self._contended_until = time.monotonic() + CONTENDED
        else:
            self._refused.append((current, in_the_way))

    def _put_back_and_bar(self, chooser: Chooser) -> None:
        while self.returned:
            chooser.put_back(self.returned.popleft())
        while self._refused:
            version, in_the_way = self._refused.popleft()
            if version == self.version:  # nothing had changed: lock and availability hash disagree
                self._barred.update(dict.fromkeys(in_the_way, time.monotonic() + BARRED))
                for seat in in_the_way:
                    chooser.set_free(seat, free=False)


class Chosen(msgspec.Struct):
    """Sets that were chosen, the first one set aside until it is put into ``returns_to``; ``of_others``: see `Found`."""

    sets: list[Choice]
    of_others: bool
    returns_to: deque[Cells]


class Found(msgspec.Struct):
    """What a look found: sets of free seats, and the version they are of.

    ``of_others`` says that there are none but those that others of this locker ask for at this moment.
    """

    sets: list[tuple[str, ...]]
    of_others: bool
    version: tuple[int, int]
    status: SaleStatus


class Look(msgspec.Struct):
    """A look at a board that is not older than the look.

    ``near``: the sets of the best kind among which chance decides, 0 for none. ``most``: how many sets are wanted.
    ``contend``: sets that others of the locker ask for already are offered too, where there is nothing else.
    """

    board: Board
    wish: Wish
    near: int
    most: int
    contend: bool
    chance: random.Random
    since: int  # the reads that had begun
    aside: tuple[Cells, deque[Cells]] | None = None

    def choose(self) -> Found:
        """Choose, on a board that was read since."""
        board = self.board
        chosen = board.choose(self.wish, self.near, self.most, self.chance, contend=self.contend)
        if chosen.sets:
            self.aside = chosen.sets[0].cells, chosen.returns_to
        sets = [board.seats(choice) for choice in chosen.sets]
        return Found(sets, chosen.of_others, board.version, board.status)

    def done(self) -> None:
        """Put back what was set aside."""
        if self.aside is not None:
            cells, returns_to = self.aside
            returns_to.append(cells)
            self.aside = None
