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
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from seatlock import _channels, _snapshots
from seatlock._choosing import Cells, Choice, Chooser, Wish, several
from seatlock._layout import Layout
from seatlock._procedures import Procedure
from seatlock._quotas import Quotas
from seatlock._replies import channel_number
from seatlock._snapshots import PlanCache
from seatlock.errors import SeatLockError, ServerUnavailable
from seatlock.model import SaleStatus
from seatlock.plan import SeatingPlan

IDLE: Final = 10.0  # seconds without a look, after which a board is read anew: the show may be another by then
BARRED: Final = 1.0  # seconds for which a seat is not offered that was refused although nothing had changed
_AT: Final = ord("@")  # stands before the number of a channel; looking for a byte is faster than for a text
_FREE: Final = (b"f", b"c")  # how the field of a free seat begins
CONTENDED: Final = 0.5  # seconds after a refusal in which others are thought to seek as well
_chance: Final = random.Random()  # noqa: S311 - which of equals comes first is no secret


class View:
    """The free seats of a plan at one version, and who is about to get which of them.

    ``channels`` are names, in order of their numbers: those of all channels that a seat is in, and maybe more.
    """

    def __init__(self, plan: SeatingPlan, layout: Layout) -> None:
        self.plan = plan
        self.layout = layout
        self.channels: tuple[str, ...] = ()
        self.quotas = Quotas(layout)
        self.version = (0, 0)
        self.returned: deque[Cells] = deque()  # sets that are no longer set aside
        self.refused: deque[tuple[tuple[int, int], tuple[str, ...]]] = deque()
        self._held: dict[str, int] = {}
        self._deadlines: list[tuple[int, str]] = []  # a heap; whatever `_held` does not say any more is void
        self._barred: dict[str, float] = {}

    def take_in(self, fields: Mapping[str, bytes]) -> None:
        """Take in new fields of the availability hash."""
        known = self.layout.cell_of
        for seat, field in fields.items():
            cell = known.get(seat)
            if cell is None:
                continue  # the empty seat, which stands for the show itself
            self._held.pop(seat, None)
            self._barred.pop(seat, None)
            channel = (channel_number(field) or 0) if _AT in field else 0
            self.quotas.put(cell, channel, free=field[:1] in _FREE)
            if field[:1] == b"h":
                self._held[seat] = deadline = int(field.rpartition(b":")[2])
                heapq.heappush(self._deadlines, (deadline, seat))

    def arrive(self, version: tuple[int, int], now: int) -> None:
        """Note the version and the time reached: holds whose time has passed are free."""
        self.version = version
        while self._deadlines and self._deadlines[0][0] < now:
            deadline, seat = heapq.heappop(self._deadlines)
            if self._held.get(seat) == deadline:
                del self._held[seat]
                self.quotas.set_free(seat, free=True)
        if self._barred:
            for seat in [seat for seat, until in self._barred.items() if until < time.monotonic()]:
                del self._barred[seat]
                self.quotas.set_free(seat, free=True)

    def settle(self) -> None:
        """Put back what was returned, and bar what was refused though nothing had changed: lock and hash disagree."""
        while self.returned:
            self.quotas.put_back(self.returned.popleft())
        while self.refused:
            version, in_the_way = self.refused.popleft()
            if version == self.version:
                self._barred.update(dict.fromkeys(in_the_way, time.monotonic() + BARRED))
                for seat in in_the_way:
                    self.quotas.set_free(seat, free=False)

    def chooser(self, channel: str) -> Chooser:
        """What those may choose from who name a channel, empty for none; one that no seat was ever in adds nothing."""
        return self.quotas.chooser(self.channels.index(channel) + 1 if channel in self.channels else 0)

    def check(self, show: str, wish: Wish) -> None:
        """Refuse a section or a category that the show does not have."""
        if wish.section is not None and wish.section not in self.plan.sections:
            raise _snapshots.no_section(show, wish.section, self.plan)
        if wish.category is not None:
            self.plan.category_number(wish.category)


class Board:
    """What is known of one show.

    ``reads`` counts the reads that were begun, ``current`` is the number of the read that the board shows: a read with
    a higher number than was begun at some moment tells of a later one. ``lock`` and ``reading`` are for the lockers:
    whoever reads has them. ``failures`` counts reads that failed, so that those who waited for one learn of it.
    """

    view: View  # from the first read on

    def __init__(self, namespace: str, show: str, plans: PlanCache) -> None:
        self.show = show
        self.lock = threading.Lock()
        self.reading: Any = None
        self.reads = 0
        self.current = 0
        self.failures = 0
        self.status: SaleStatus = "closed"
        self.opens_in: float | None = None
        self._failure: SeatLockError | None = None
        self._namespace = namespace
        self._plans = plans
        self._whole = False  # whether the view can be brought up to date
        self._seen = -IDLE
        self._contended_until = 0.0

    # Reading

    def refresh(self) -> Procedure[None]:
        """Bring the board to a version that is not older than this call."""
        self.reads += 1
        number, begun = self.reads, time.monotonic()
        if not self._whole or begun - self._seen >= IDLE or not (yield from self._catch_up()):
            yield from self._read()
        self._seen = begun
        self.current = number

    def failed(self, error: SeatLockError) -> None:
        """Note that a read failed."""
        self.failures += 1
        self._failure = error

    def failure(self) -> SeatLockError:
        """The error of the last read that failed, to be raised once more."""
        error = copy.copy(self._failure or ServerUnavailable(f"the free seats of show {self.show!r} cannot be read."))
        error.__cause__ = self._failure
        return error

    def _catch_up(self) -> Procedure[bool]:
        view, fields = self.view, dict[str, bytes]()
        self._whole = False  # also where the read fails: the show may be gone, and another by the next one
        found = yield from _snapshots.catch_up(self._namespace, self.show, view.version, fields.update)
        if found is None:
            return False
        view.channels = yield from self._named(view.channels, fields)
        view.take_in(fields)  # from here on in one go, since others look while somebody reads
        view.arrive((found.epoch, found.version), found.now)
        self._whole, self.status, self.opens_in = True, found.status, found.opens_in
        return True

    def _named(self, channels: tuple[str, ...], fields: Mapping[str, bytes]) -> Procedure[tuple[str, ...]]:
        """The names of all channels that fields tell of; none ever goes, and each is there before its first seat."""
        numbers = (channel_number(field) or 0 for field in fields.values() if _AT in field)
        if max(numbers, default=0) > len(channels):
            channels = yield _channels.names(self._namespace, self.show)
        return channels

    def _read(self) -> Procedure[None]:
        for _ in range(_snapshots.SNAPSHOT_TRIES):
            plan = yield from self._plans.get(self._namespace, self.show)
            found = yield from _snapshots.read_fields(self._namespace, self.show, plan, tuple(plan.index))
            if found is not None:
                same = hasattr(self, "view") and self.view.plan.digest == plan.digest
                view = View(plan, self.view.layout if same else Layout(plan))
                view.channels = yield from self._named(found.channels, found.fields)
                view.take_in(found.fields)
                view.arrive(found.version, found.now)
                self.view, self._whole = view, True
                self.status, self.opens_in = found.status, found.opens_in
                return
            self._plans.forget(self.show)
        raise ServerUnavailable(
            f"the free seats of show {self.show!r}: the show changed too much while they were read, "
            f"{_snapshots.SNAPSHOT_TRIES} times; nothing was changed: ask again."
        )

    # Choosing

    def choose(self, wish: Wish, channel: str, near: int, most: int, *, contend: bool) -> Chosen:
        """Choose up to ``most`` sets; the first is set aside. See `Look` for the rest."""
        view = self.view
        view.check(self.show, wish)
        view.settle()
        chooser = view.chooser(channel)
        if not near and time.monotonic() < self._contended_until:
            near = 2 * most
        limit = max(near, 2 * most)
        ranked = chooser.best(wish, limit)
        of_others = False
        if not ranked:
            ranked = chooser.best_of_all(wish, limit)
            of_others = bool(ranked) and not contend
        sets = [] if of_others else several(ranked, most, _chance if near else None)
        if sets:
            view.quotas.set_aside(sets[0].cells)
        return Chosen(sets, of_others, view)

    def adjoin(self, seats: Iterable[str]) -> bool:
        """Whether seats adjoin."""
        return self.view.layout.adjoin(seats)

    def refused(self, version: tuple[int, int], current: tuple[int, int], in_the_way: tuple[str, ...]) -> None:
        """Note that sets chosen at one version were refused at the ``current`` one; from any thread."""
        if version != current:
            self._contended_until = time.monotonic() + CONTENDED
        else:
            self.view.refused.append((current, in_the_way))


class Chosen(msgspec.Struct):
    """Sets that were chosen from a view; ``of_others``: see `Found`."""

    sets: list[Choice]
    of_others: bool
    view: View


class Found(msgspec.Struct):
    """What a look found: sets of free seats, and the version they are of.

    ``of_others`` says that there are none but those that others of this locker ask for at this moment.
    """

    sets: list[tuple[str, ...]]
    of_others: bool
    version: tuple[int, int]
    status: SaleStatus
    opens_in: float | None


class Look(msgspec.Struct):
    """A look at a board that is not older than the look, by one who names ``channel``, empty for none.

    ``near``: the sets of the best kind among which chance decides, 0 for none. ``most``: how many sets are wanted.
    ``contend``: sets that others of the locker ask for already are offered too, where there is nothing else.
    """

    board: Board
    wish: Wish
    channel: str
    near: int
    most: int
    contend: bool
    since: int  # the reads that had begun
    aside: tuple[Cells, deque[Cells]] | None = None

    def choose(self) -> Found:
        """Choose, on a board that was read since."""
        board = self.board
        chosen = board.choose(self.wish, self.channel, self.near, self.most, contend=self.contend)
        if chosen.sets:
            self.aside = chosen.sets[0].cells, chosen.view.returned
        names = chosen.view.layout.seats
        sets = [tuple([names[cell] for cell in choice.cells]) for choice in chosen.sets]
        return Found(sets, chosen.of_others, chosen.view.version, board.status, board.opens_in)

    def done(self) -> None:
        """Put back what was set aside."""
        if self.aside is not None:
            cells, returns_to = self.aside
            returns_to.append(cells)
            self.aside = None
