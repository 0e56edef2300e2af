"""How long it may take: from how the line was served lately. Pure."""

from __future__ import annotations

from seatlock.waiting_room.model import Estimate


def estimate(distance: int, slow: float | None, fast: float | None) -> Estimate | None:
    """How long until a place is served that is ``distance`` places beyond the last one served; None if unknown.

    ``slow`` and ``fast`` are the places that are served in a second, at least and at most (see
    ``lua/include/pace.lua``): as far apart as the pace has changed lately, and a fifth at the least. A place that was
    passed over already is served next: for it the range begins at 0.
    """
    if not slow or not fast:
        return None
    return Estimate(round(max(distance, 0) / fast, 1), round((max(distance, 0) + 1) / slow, 1))
