"""Who had which seat when, by the server's clock, and the check that no two ever had one at once.

Pure: `one_seat.py` records, this judges.

A tenure is one holder's time with one seat, from the millisecond in which the server granted it up to, but not
including, its end. Where a seat was given back, the end is what the server's clock said just before that was asked
for: the seat surely was the holder's until then, so an overlap can only be a fault, never a lack of precision.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from seatlock import Booking, Hold
from seatlock.simulation.raw import RawLock, RawMirror


class Tenure(msgspec.Struct, frozen=True, gc=False):
    """One seat in one holder's hands; ``end`` is None while it lasts. Times are the server's, in milliseconds."""

    seat: str
    holder: str
    token: str
    fence: int
    start: int
    end: int | None


class History:
    """What all users wrote down. Only greenlets write to it, so it needs no lock."""

    def __init__(self) -> None:
        self.tenures: list[Tenure] = []
        self.bookings: dict[str, Booking] = {}
        """Those that last, by token."""
        self.complaints: list[str] = []
        """What a user saw with its own eyes that must not happen."""

    def ended(self, hold: Hold, end: int) -> None:
        """A hold or booking ended."""
        self._add(hold, end)

    def ran_out(self, hold: Hold) -> None:
        """A hold was left to its deadline."""
        self._add(hold, hold.deadline + 1)

    def kept(self, hold: Hold, booking: Booking) -> None:
        """A booking that lasts."""
        self._add(hold, None)
        self.bookings[hold.token] = booking

    def _add(self, hold: Hold, end: int | None) -> None:
        start = hold.deadline - round(hold.ttl * 1000)
        self.tenures += (Tenure(seat, hold.holder, hold.token, hold.fence, start, end) for seat in hold.seats)


def violations(
    seats: Sequence[str], history: History, locks: Mapping[str, RawLock], mirrors: Mapping[str, RawMirror]
) -> list[str]:
    """Everything that must not be: ``locks`` and ``mirrors`` are what lies in Redis when all is over.

    Every seat must have had its owners one after the other, with growing fences, and be sold in the end to exactly
    one of them.
    """
    by_seat: dict[str, list[Tenure]] = {seat: [] for seat in seats}
    for tenure in history.tenures:
        by_seat.setdefault(tenure.seat, []).append(tenure)
    found = list(history.complaints)
    for seat, tenures in by_seat.items():
        found += (f"{seat}: {complaint}" for complaint in _one_after_the_other(tenures))
        found += (
            f"{seat}: {complaint}"
            for complaint in _one_winner(tenures, history.bookings, locks.get(seat), mirrors.get(seat))
        )
    return found


def _one_after_the_other(tenures: Sequence[Tenure]) -> list[str]:
    found = [
        f"fence {fence} was given {count} times"
        for fence, count in Counter(tenure.fence for tenure in tenures).items()
        if count > 1
    ]
    ordered = sorted(tenures, key=lambda tenure: (tenure.fence, tenure.start))
    latest: Tenure | None = None  # of those so far, the one that ended last
    for tenure in ordered:
        if latest is not None and (latest.end is None or tenure.start < latest.end):
            until = "for good" if latest.end is None else f"until {latest.end}"
            found.append(
                f"{tenure.holder} (fence {tenure.fence}) had it from {tenure.start}, while {latest.holder} (fence "
                f"{latest.fence}) had it from {latest.start} {until}"
            )
        if latest is None or (latest.end is not None and (tenure.end is None or tenure.end > latest.end)):
            latest = tenure
    return found


def _one_winner(
    tenures: Sequence[Tenure], bookings: Mapping[str, Booking], lock: RawLock | None, mirror: RawMirror | None
) -> list[str]:
    live = [tenure for tenure in tenures if tenure.end is None]
    if len(live) != 1:
        names = ", ".join(tenure.holder for tenure in live) or "nobody"
        return [f"it should have one owner in the end, and has {len(live)}: {names}"]
    winner = live[0]
    found: list[str] = []
    if lock is None or lock.state != "s" or lock.expires:
        found.append(f"{winner.holder} has it for good, and it is not locked so")
    else:
        booking = bookings[winner.token].id
        if (lock.token, lock.holder, lock.fence, lock.booking) != (winner.token, winner.holder, winner.fence, booking):
            found.append(
                f"it is {winner.holder}'s (fence {winner.fence}), the lock says {lock.holder}'s ({lock.fence})"
            )
    if mirror is None or mirror.state != "s":
        found.append("the availability hash does not say that it is sold")
    return found
