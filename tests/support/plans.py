"""Seating plans as hypothesis draws them."""

from __future__ import annotations

from hypothesis import strategies as st

from seatlock._plan_rules import STATUSES
from seatlock.plan import Seat, SeatingPlan

_TEXTS = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=20)
_COORDINATES = st.none() | st.integers(-(10**9), 10**9)
_SEATS = st.builds(
    Seat,
    id=_TEXTS.filter(bool),
    section=_TEXTS,
    row=_TEXTS,
    number=_TEXTS,
    category=_TEXTS,
    x=_COORDINATES,
    y=_COORDINATES,
    status=st.sampled_from(STATUSES),
    accessible=st.booleans(),
)
PLANS = st.builds(
    SeatingPlan.of, st.lists(_SEATS, min_size=1, max_size=30, unique_by=lambda seat: seat.id), name=_TEXTS
)
