"""How long it may take: from how the line was served lately. Pure."""

from __future__ import annotations

import math
from typing import Final

from seatlock.waiting_room.model import Estimate

LEAST_SPAN: Final = 5.0  # seconds of observation below which nothing is said
LEAST_SERVED: Final = 20  # places served below which nothing is said
LEAST_ERROR: Final = 0.1  # part by which the truth may differ even at a steady rate: admissions come in batches


def pace(moved: int, span: float | None) -> float | None:
    """Places served in a second lately; None where too little was seen to say."""
    if span is None or span < LEAST_SPAN or moved < LEAST_SERVED:
        return None
    return moved / span


def estimate(distance: int, moved: int, span: float | None) -> Estimate | None:
    """How long until a place is served that is ``distance`` places beyond the last one served; None if unknown.

    Admissions are counted, so their number is off by its square root or so: the range is that wide, at least a tenth.
    A place that was passed over already is served next: for it the range begins at 0.
    """
    observed = pace(moved, span)
    if observed is None:
        return None
    likely = max(distance, 0) / observed
    error = max(LEAST_ERROR, 1 / math.sqrt(moved))
    return Estimate(round(likely * (1 - error), 1), round((likely + 1 / observed) * (1 + error), 1))
