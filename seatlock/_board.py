"""What a locker knows of a show's free seats: read once, then kept up by the changes; shared by all who seek seats.

No I/O: a board is read and asked by procedures that the lockers drive, one at a time, under the board's lock.
"""

from __future__ import annotations

import heapq
import random
import time
from collections.abc import Iterable, Set
from typing import Any, Final

import msgspec

from seatlock import _procedures
from seatlock._choosing import Choice, Chooser, Layout, Wish, drawn
from seatlock._operation import Command
from seatlock._procedures import PlanCache, Procedure
from seatlock._replies import listing
from seatlock.errors import ServerUnavailable, UnknownSeats
from seatlock.model import SaleStatus
from seatlock.plan import SeatingPlan

IDLE: Final = 10.0  # seconds without a look, after which a board is read anew: the show may be another by then


class Board:
    """The free seats of one show at one version. ``lock`` is a `threading.Lock` or an `asyncio.Lock`.

    ``reads`` counts the reads that were begun, ``current`` is the number of the read that the board shows: a read with
    a higher number than was begun at some moment tells of a later one. ``seekers`` are those who seek seats now.
    """

    def __init__(self, namespace: str, show: str, plans: PlanCache, lock: Any) -> None:
        self.show = show
        self.lock = lock
        self.reads = 0
        self.current = 0
        self.version = (0, 0)
        self.status: SaleStatus = "closed"
        self.seekers: set[object] = set()
        self._namespace = namespace
        self._plans = plans
        self._plan: SeatingPlan | None = None
        self._layout: Layout | None = None
        self._chooser: Chooser | None = None
        self._held: dict[str, int] = {}
        self._deadlines: list[tuple[int, str]] = []  # a heap; whatever `_held` does not say any more is void
        self._ranked: dict[Wish, tuple[int, list[Choice]]] = {}
        self._seen = -IDLE

    def refresh(self) -> Procedure[None]:
        """Bring the board to a version that is not older than this call."""
        self.reads += 1
        number, begun = self.reads, time.monotonic()
        if self._chooser is None or begun - self._seen >= IDLE or not (yield from self._catch_up()):
            yield from self._read()
        self._seen = begun
        self.current = number

    def _catch_up(self) -> Procedure[bool]:
        found = yield from _procedures.catch_up(self._namespace, self.show, self.version, self._take_in)
        if found is None:
            self._chooser = None
            return False
        self.status = found.status
        self._arrive((found.epoch, found.version), found.now)
        return True

    def _read(self) -> Procedure[None]:
        for _ in range(_procedures.SNAPSHOT_TRIES):
            plan = yield from self._plans.get(self._namespace, self.show)
            seats = tuple(plan.index)
            found = yield from _procedures.read_fields(self._namespace, self.show, plan, seats)
            if found is not None:
                if self._layout is None or self._plan is None or self._plan.digest != plan.digest:
                    self._layout = Layout(plan)
                self._plan, self._chooser = plan, Chooser(self._layout)
                self._held, self._deadlines = {}, []
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
        self._ranked.clear()
        for seat, field in fields.items():
            if seat not in self._layout.cell_of:
                continue  # the empty seat, which stands for the show itself
            self._held.pop(seat, None)
            self._chooser.set_free(seat, field[:1] == b"f")
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
                self._ranked.clear()

    def check(self, wish: Wish) -> None:
        """Refuse a section or a category that the show does not have."""
        assert self._plan is not None
        sections = self._plan.sections
        if wish.section is not None and wish.section not in sections:
            raise UnknownSeats(
                f"show {self.show!r} has no section {wish.section!r}; it has {listing(list(sections))}."
            )
        if wish.category is not None:
            self._plan.category_number(wish.category)

    def choose(self, wish: Wish, near: int, most: int, barred: Set[str], chance: random.Random) -> list[Choice]:
        """Choose up to ``most`` sets; see `seatlock._choosing.drawn` for ``near``."""
        assert self._chooser is not None
        limit = 1 << (max(near, most) - 1).bit_length()  # so that those who seek the same share the ranking
        if barred:
            return drawn(self._chooser.ranked(wish, limit, barred), near, most, chance)
        known, ranked = self._ranked.get(wish, (0, []))
        if known < limit:
            ranked = self._chooser.ranked(wish, limit)
            self._ranked[wish] = limit, ranked
        return drawn(ranked, near, most, chance)

    def seats(self, choice: Choice) -> tuple[str, ...]:
        """The seats of a set."""
        assert self._layout is not None
        return tuple([self._layout.seats[cell] for cell in choice.cells])

    def adjoin(self, seats: Iterable[str]) -> bool:
        """Whether seats adjoin."""
        assert self._layout is not None
        return self._layout.adjoin(seats)


class Found(msgspec.Struct, frozen=True):
    """What a look found: sets of free seats, the version they are of, and else what the owner was given before."""

    sets: list[tuple[str, ...]]
    version: tuple[int, int]
    status: SaleStatus
    noted: tuple[str, ...] = ()


class Look(msgspec.Struct, frozen=True):
    """A look at a board that is not older than the look. ``note`` is where to look if there is no set."""

    board: Board
    wish: Wish
    near: int
    most: int
    barred: frozenset[str]
    chance: random.Random
    note: bytes | None
    since: int  # the reads that had begun

    def carry_out(self) -> Procedure[Found]:
        """Read what is new, unless somebody did so since, and choose."""
        board = self.board
        if board.current <= self.since:
            yield from board.refresh()
        board.check(self.wish)
        choices = board.choose(self.wish, self.near, self.most, self.barred, self.chance)
        noted: tuple[str, ...] = ()
        if not choices and self.note is not None:
            note: Command[bytes | None] = Command(board.show, ["GET", self.note], lambda reply: reply)
            told = yield note
            noted = tuple(told.decode().split("\n")) if told else ()
        return Found([board.seats(choice) for choice in choices], board.version, board.status, noted)
