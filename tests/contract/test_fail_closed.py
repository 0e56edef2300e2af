"""Lock and mirror must agree: where they do not, the seat is refused and reported, never sold."""

from __future__ import annotations

import pytest

from seatlock import HoldLost, ScriptFailed, Seat, SeatsUnavailable, UnknownSeats
from tests.support.stage import Stage


def _refused(stage: Stage, seat: str, holder: str = "bo") -> tuple[str, bool, bool, bool]:
    """Ask for a seat in vain: its state, whether it may come back, and the two marks."""
    before = stage.everything()
    with pytest.raises(SeatsUnavailable) as refusal:
        stage.acquire(seat, holder=holder)
    assert stage.everything() == before
    conflict = refusal.value.conflicts[seat]
    return conflict.state, conflict.retry_after is not None, conflict.yours, conflict.inconsistent


@pytest.mark.parametrize("holder", ["ada", "bo"])
def test_a_lost_lock_is_refused_until_its_time_has_passed(stage: Stage, holder: str) -> None:
    stage.open()
    hold = stage.acquire("A-1", holder="ada")
    stage.raw.delete(stage.lock("A-1"))
    assert _refused(stage, "A-1", holder) == ("held", True, False, True)
    state = stage.locker.inspect(stage.show, ["A-1"])[0]
    assert (state.state, state.consistent, state.holder) == ("held", False, None)
    for verb in (lambda: stage.locker.extend(hold, ttl=1000), lambda: stage.locker.confirm(hold)):
        with pytest.raises(HoldLost) as lost:
            verb()
        assert lost.value.reason == "lost"
    assert dict(stage.locker.release(hold).seats) == {"A-1": "gone"}
    assert stage.locker.sweep(stage.show) == 0
    stage.raw.hset(stage.key("seats"), "A-1", "h0:1")  # as if its time had passed
    assert stage.acquire("A-1", holder="bo").holder == "bo"


def test_a_sold_seat_that_lost_its_lock_stays_sold(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1")
    booking = stage.locker.confirm(hold)
    stage.raw.delete(stage.lock("A-1"))
    assert _refused(stage, "A-1") == ("sold", False, False, True)
    assert stage.locker.availability(stage.show).seats["A-1"] == "sold"
    assert not stage.locker.inspect(stage.show, ["A-1"])[0].consistent
    with pytest.raises(HoldLost) as lost:
        stage.locker.confirm(hold)
    assert lost.value.reason == "sold"
    assert dict(stage.locker.cancel(booking).seats) == {"A-1": "gone"}
    assert stage.mirror("A-1") == "s0"


def test_a_pin_that_lost_its_lock_is_refused(stage: Stage) -> None:
    stage.open()
    stage.raw.hset(stage.key("seats"), "A-1", "p0")
    assert _refused(stage, "A-1") == ("pinned", False, False, True)
    assert not stage.locker.inspect(stage.show, ["A-1"])[0].consistent


def test_a_blocked_seat_has_no_lock_and_is_no_contradiction(stage: Stage) -> None:
    stage.open(["A-1", Seat("B-1", status="blocked")])
    assert not stage.raw.exists(stage.lock("B-1"))
    assert _refused(stage, "B-1") == ("blocked", False, False, False)
    state = stage.locker.inspect(stage.show, ["B-1"])[0]
    assert (state.state, state.consistent) == ("blocked", True)


def test_a_seat_sold_elsewhere_belongs_to_nobody_here(stage: Stage) -> None:
    stage.open(["A-1", Seat("S-1", status="sold")])
    assert stage.raw.exists(stage.lock("S-1"))
    assert _refused(stage, "S-1") == ("sold", False, False, False)
    state = stage.locker.inspect(stage.show, ["S-1"])[0]
    assert (state.state, state.consistent, state.holder, state.fence, state.booking) == ("sold", True, None, None, None)


@pytest.mark.parametrize(("field", "state"), [("f0", "held"), ("s0", "held"), ("h0:1", "held"), ("b0", "held")])
def test_the_lock_speaks_first(stage: Stage, field: str, state: str) -> None:
    stage.open()
    hold = stage.acquire("A-1")
    stage.raw.hset(stage.key("seats"), "A-1", field)
    assert _refused(stage, "A-1")[:2] == (state, True)
    assert not stage.locker.inspect(stage.show, ["A-1"])[0].consistent
    assert stage.locker.sweep(stage.show) == 0
    assert stage.locker.confirm(hold).seats == ("A-1",), "its owner can pay"
    assert stage.locker.inspect(stage.show, ["A-1"])[0].consistent


def test_a_lock_without_a_mirror_is_refused(stage: Stage) -> None:
    stage.open()
    stage.acquire("A-1")
    stage.raw.hdel(stage.key("seats"), "A-1")
    for holder in ("ada", "bo"):
        with pytest.raises(UnknownSeats):
            stage.acquire("A-1", holder=holder)
    with pytest.raises(UnknownSeats):
        stage.locker.inspect(stage.show, ["A-1"])


@pytest.mark.parametrize("content", ["", "something foreign", "h\ntoken\nholder", "h\na\nb\n1\n1\nnan\ninf"])
def test_a_lock_that_is_not_ours_is_never_overwritten(stage: Stage, content: str) -> None:
    stage.open()
    stage.raw.set(stage.lock("A-1"), content)
    assert _refused(stage, "A-1") == ("held", False, False, True)
    state = stage.locker.inspect(stage.show, ["A-1"])[0]
    assert (state.state, state.consistent, state.holder) == ("held", False, None)


def test_a_lock_key_of_another_type_is_reported_and_changes_nothing(stage: Stage) -> None:
    stage.open()
    stage.raw.rpush(stage.lock("A-1"), "not a lock")
    before = stage.everything()
    with pytest.raises(ScriptFailed, match="no string"):
        stage.acquire("A-2", "A-1")
    assert stage.everything() == before
    assert stage.acquire("A-2").seats == ("A-2",)


def test_refresh_mends_a_mirror_that_fell_behind(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1")
    stage.raw.hset(stage.key("seats"), "A-1", "f0")
    assert stage.acquire("A-1").token == hold.token
    assert stage.mirror("A-1") == f"h0:{hold.deadline}"
    booking = stage.locker.confirm(hold, payment="pay-1")
    stage.raw.hset(stage.key("seats"), "A-1", f"h0:{hold.deadline}")
    assert stage.locker.confirm(hold, payment="pay-1") == booking
    assert stage.mirror("A-1") == "s0"
