"""How long it may take: from how the line was served lately. Pure."""

from __future__ import annotations

from typing import Final

from seatlock.waiting_room.model import Estimate

STEADY: Final = 2.0  # times as fast as at least, up to which a pace is told as one figure


def middle(slow: float | None, fast: float | None) -> float | None:
    """One figure for a pace between two; None where they are too far apart for that, or not known."""
    return None if not slow or not fast or fast > STEADY * slow else (slow + fast) / 2


def estimate(
    distance: int, slow: float | None, fast: float | None, back: int = 0, people: float | None = None
) -> Estimate | None:
    """How long until a place is served that is ``distance`` places beyond the last one served; None if unknown.

    ``slow`` and ``fast`` are the places that are served in a second, at least and at most (see
    ``lua/include/pace.lua``): as far apart as the pace has changed lately, and a fifth at the least. A place that was
    passed over already is served next: for it the range begins at 0. Up to ``back`` people who were passed over have
    come back and may be let in first, ``people`` of them a second at least.
    """
    if not slow or not fast or (back and not people):
        return None
    behind = max(distance, 0)
    first = back / people if people else 0.0
    return Estimate(round(behind / fast, 1), round((behind + 1) / slow + first, 1))
