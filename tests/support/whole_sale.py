"""A whole sale in a few lines: everything a locker can do, for tests of what it stands on."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from seatlock import AcquireRequest, Booking, ConfirmRequest, Hold, Seat, SeatsUnavailable, ShowNotFound

_numbers = itertools.count(1)


def sell_a_show(locker: Any) -> None:
    """Warm a show, sell it, and retire it: every verb once, each answer looked at."""
    show = f"größe-{next(_numbers)}"
    plan = [Seat("Ä 1", section="Süd", category="gold"), "B-1", "B-2", "B-3", Seat("S", status="sold")]
    assert locker.warm(show, plan).added == 5
    locker.open_sale(show)
    hold = locker.acquire(show, ["Ä 1", "B-1"], holder="Zoë", ttl=60)
    assert locker.acquire(show, ["B-1"], holder="Zoë").resumed
    with pytest.raises(SeatsUnavailable) as refusal:
        locker.acquire(show, ["Ä 1", "S"], holder="bo")
    assert [conflict.state for conflict in refusal.value.conflicts.values()] == ["held", "sold"]
    assert locker.extend(hold, ttl=120).ttl == 120.0
    assert locker.begin_payment(hold, expected=300).ttl == 300.0
    booking = locker.confirm(hold, payment="zahlung-ß")
    assert locker.confirm(hold, payment="zahlung-ß", reclaim=True) == booking
    assert locker.confirm(hold, payment="zahlung-ß") == booking
    states = locker.inspect(show, ["Ä 1", "B-2"])
    assert [(s.state, s.category, s.holder, s.payment) for s in states] == [
        ("sold", "gold", "Zoë", "zahlung-ß"),
        ("free", "", None, None),
    ]
    assert dict(locker.availability(show).seats) == {
        "Ä 1": "sold", "B-1": "sold", "B-2": "free", "B-3": "free", "S": "sold",
    }  # fmt: skip
    assert tuple(locker.availability(show, section="Süd").seats) == ("Ä 1",)
    with locker.holding(show, ["B-2"], holder="bo") as held:
        assert isinstance(held, Hold)
    many = locker.acquire_many(show, [AcquireRequest(["B-2"], "bo"), AcquireRequest(["B-3"], "bo")])
    assert [type(answer) for answer in locker.confirm_many(show, [ConfirmRequest(many[0])])] == [Booking]
    assert [answer.released for answer in locker.release_many(show, many)] == [(), ("B-3",)]
    assert locker.cancel(booking).cancelled == ("Ä 1", "B-1")
    assert locker.sweep(show) == 0
    locker.pause_sale(show)
    locker.close_sale(show)
    locker.retire(show, unread="discard")
    with pytest.raises(ShowNotFound):
        locker.availability(show)
