"""What the buyers of a simulation themselves wrote down: counts, times, and their receipts."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence

import msgspec

from seatlock.model import Booking, Hold


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """A buyer's proof of purchase: the hold that was paid for, the payment, and the booking that was answered."""

    hold: Hold
    payment: str
    booking: Booking


class Unanswered(msgspec.Struct, frozen=True, gc=False):
    """A payment whose confirm never got a certain answer: it may be booked or not."""

    hold: Hold
    payment: str


class Stay(msgspec.Struct, gc=False):
    """So many seats and tickets of pools in one holder's hands.

    By the server's clock in milliseconds, surely from ``start`` to ``end``, which is None once they are bought.
    """

    holder: str
    seats: int
    start: int
    end: int | None


class Claim(msgspec.Struct, gc=False):
    """So many of a pool in one holder's hands.

    By the server's clock in milliseconds, surely from ``start`` to ``end``, which is None once they are bought. By the
    buyers' clock (`time.perf_counter`) perhaps from ``asked`` to ``gone``, and surely not before or after.
    """

    holder: str
    pool: str
    quantity: int
    start: int
    end: int | None
    asked: float
    gone: float


class Told(msgspec.Struct, frozen=True, gc=False):
    """Somebody was told that a pool has not so many left, by the buyers' clock between ``asked`` and ``answered``."""

    holder: str
    pool: str
    quantity: int
    left: int
    asked: float
    answered: float


class Best(msgspec.Struct, frozen=True, gc=False):
    """What somebody was given who asked for the best ``count`` seats, and whether they were said to adjoin."""

    holder: str
    count: int
    seats: tuple[str, ...]
    adjacent: bool = True


class Tally:
    """Everything counted in one run."""

    def __init__(self) -> None:
        self.started = 0  # buyers who came
        self.done = 0  # buyers who left, with or without seats
        self.holds = 0
        self.refusals = 0
        self.sold_out = 0  # visits that ended before a seat map without free seats
        self.ran_out = 0  # holds abandoned without a word
        self.released = 0  # holds abandoned by releasing them
        self.too_late = 0  # payments refused because the hold had run out
        self.resumed = 0
        self.not_resumed = 0  # pages refreshed in time that did not give the same hold back
        self.lost_early = 0  # holds that were gone before their time was over
        self.came_back = 0
        self.swept = 0  # seats that the sweeper took back
        self.unanswered = 0  # requests without a certain answer, after several tries
        self.acquires = array("d")  # seconds, one a call
        self.confirms = array("d")
        self.releases = array("d")
        self.fences = array("q")  # of every hold made, in the order of the answers
        self.over_limit = 0  # requests refused because their holder would have too many seats
        self.elsewhere = 0  # requests answered with the hold of another tab of the same holder
        self.stays: dict[str, Stay] = {}  # by token
        self.claims: dict[str, Claim] = {}  # by token
        self.told: list[Told] = []
        self.bests: list[Best] = []
        self.none_left: list[int] = []  # how many seats those asked for who were told that not so many are free
        self.receipts: list[Receipt] = []
        self.doubts: list[Unanswered] = []

    @property
    def operations(self) -> int:
        """Calls of acquire, confirm and release that were answered."""
        return len(self.acquires) + len(self.confirms) + len(self.releases)


def percentile(ascending: Sequence[float], part: float) -> float:
    """The value that ``part`` (0 to 1) of all values do not exceed, by the nearest rank; nan where there is none."""
    if not ascending:
        return math.nan
    return ascending[max(math.ceil(part * len(ascending)), 1) - 1]
