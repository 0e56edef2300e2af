"""Blocks: the house takes seats off sale, all or none, and puts them back."""

from __future__ import annotations

import pytest

from seatlock import Seat, SeatsUnavailable, ShowNotFound, UnknownSeats
from tests.support.stage import Stage


def _reason(stage: Stage, seat: str) -> str | None:
    reason: str | None = stage.locker.inspect(stage.show, [seat])[0].reason
    return reason


def test_blocked_seats_are_off_sale(stage: Stage) -> None:
    stage.open([Seat("A-1", category="gold"), Seat("A-2", category="silver"), "A-3"])
    version = stage.version()
    done = stage.locker.block(stage.show, ["A-2", "A-1"], reason="camera")
    assert (done.show, dict(done.seats)) == (stage.show, {"A-2": "blocked", "A-1": "blocked"})
    assert (done.blocked, done.reason) == (("A-2", "A-1"), "camera")
    assert [stage.mirror(seat) for seat in ("A-1", "A-2")] == ["b0", "b1"]
    assert stage.changes(version) == [(f"1-{version + 1}", {"A-2": "b1", "A-1": "b0"})]
    assert stage.version() == version + 1
    assert not stage.raw.exists(stage.lock("A-1"), stage.lock("A-2"))
    found = stage.locker.availability(stage.show)
    assert (found.counts["blocked"], found.counts["free"], found.free) == (2, 1, ("A-3",))
    assert sum(found.counts.values()) == len(found.seats)
    with pytest.raises(SeatsUnavailable) as refusal:
        stage.acquire("A-3", "A-1")
    conflict = refusal.value.conflicts["A-1"]
    assert list(refusal.value.conflicts) == ["A-1"]
    assert (conflict.state, conflict.retry_after, conflict.inconsistent) == ("blocked", None, False)


def test_support_staff_see_why(stage: Stage) -> None:
    stage.open()
    stage.locker.block(stage.show, ["A-1"], reason="Kamera für „Arte“")
    one, two = stage.locker.inspect(stage.show, ["A-1", "A-2"])
    assert (one.state, one.reason, one.consistent, one.holder) == ("blocked", "Kamera für „Arte“", True, None)
    assert (two.state, two.reason) == ("free", None)


@pytest.mark.parametrize("reason", [None, ""])
def test_a_reason_need_not_be_given(stage: Stage, reason: str | None) -> None:
    stage.open()
    assert stage.locker.block(stage.show, ["A-1"], reason=reason).reason is None
    assert _reason(stage, "A-1") is None
    assert not stage.raw.exists(stage.key("blocks"))


def test_a_reason_may_have_256_bytes(stage: Stage) -> None:
    stage.open()
    stage.locker.block(stage.show, ["A-1"], reason="ß" * 128)
    assert _reason(stage, "A-1") == "ß" * 128


def test_unblocked_seats_are_on_sale_again(stage: Stage) -> None:
    stage.open()
    before = stage.everything()["seats"]
    stage.locker.block(stage.show, ["A-1", "A-2"], reason="camera")
    version = stage.version()
    done = stage.locker.unblock(stage.show, ["A-1", "A-2"])
    assert (done.show, dict(done.seats)) == (stage.show, {"A-1": "unblocked", "A-2": "unblocked"})
    assert done.unblocked == ("A-1", "A-2")
    assert stage.everything()["seats"] == before
    assert stage.changes(version) == [(f"1-{version + 1}", {"A-1": "f0", "A-2": "f0"})]
    assert _reason(stage, "A-1") is None
    assert not stage.raw.exists(stage.key("blocks"))
    assert stage.acquire("A-1", "A-2").seats == ("A-1", "A-2")


def test_blocking_again_changes_the_reason_alone(stage: Stage) -> None:
    stage.open()
    stage.locker.block(stage.show, ["A-1"], reason="camera")
    version, before = stage.version(), stage.everything()
    again = stage.locker.block(stage.show, ["A-1"], reason="camera")
    assert (dict(again.seats), again.blocked) == ({"A-1": "already"}, ())
    assert stage.everything() == before
    for reason in ("pillar", None):
        assert dict(stage.locker.block(stage.show, ["A-1"], reason=reason).seats) == {"A-1": "already"}
        assert _reason(stage, "A-1") == reason
    assert stage.version() == version
    stage.locker.block(stage.show, ["A-1", "A-2"], reason="camera")
    assert (_reason(stage, "A-1"), _reason(stage, "A-2")) == ("camera", "camera")


def test_what_stands_in_the_way_is_named_and_nothing_is_blocked(stage: Stage) -> None:
    stage.open()
    stage.acquire("A-1", ttl=60)
    stage.locker.confirm(stage.acquire("A-2", holder="bo"))
    stage.locker.block(stage.show, ["A-3"], reason="camera")
    before = stage.everything()
    with pytest.raises(SeatsUnavailable, match=r"held: 'A-1'; sold: 'A-2'") as refusal:
        stage.locker.block(stage.show, ["A-4", "A-1", "A-3", "A-2"], reason="pillar")
    assert stage.everything() == before
    conflicts = refusal.value.conflicts
    assert {seat: conflict.state for seat, conflict in conflicts.items()} == {"A-1": "held", "A-2": "sold"}
    assert 50 < (conflicts["A-1"].retry_after or 0) <= 60
    assert conflicts["A-2"].retry_after is None
    assert not any(conflict.yours or conflict.inconsistent for conflict in conflicts.values())


def test_a_hold_whose_time_has_passed_is_no_obstacle(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1", ttl=0.02)
    stage.wait_past(hold)
    assert stage.locker.block(stage.show, ["A-1"]).blocked == ("A-1",)
    assert dict(stage.locker.release(hold).seats) == {"A-1": "gone"}
    assert stage.locker.sweep(stage.show) == 0
    assert stage.mirror("A-1") == "b0"
    assert stage.raw.zcard(stage.key("due")) == 1


def test_seats_that_are_not_blocked_are_left_alone(stage: Stage) -> None:
    stage.open(["A-1", "A-2", "A-3", Seat("S-1", status="sold")])
    stage.acquire("A-2")
    before = stage.everything()
    done = stage.locker.unblock(stage.show, ["A-1", "A-2", "S-1"])
    assert (dict(done.seats), done.unblocked) == ({"A-1": "free", "A-2": "held", "S-1": "sold"}, ())
    assert stage.everything() == before


def test_unknown_seats(stage: Stage) -> None:
    stage.open()
    stage.locker.block(stage.show, ["A-1"])
    before = stage.everything()
    for verb in (stage.locker.block, stage.locker.unblock):
        with pytest.raises(UnknownSeats) as unknown:
            verb(stage.show, ["Z-1", "A-1", "A-2", "Z-2"])
        assert unknown.value.seats == ("Z-1", "Z-2")
    assert stage.everything() == before


def test_an_unknown_show(stage: Stage) -> None:
    for verb in (stage.locker.block, stage.locker.unblock):
        with pytest.raises(ShowNotFound):
            verb(stage.show, ["A-1"])
    assert stage.keys() == set()


@pytest.mark.parametrize("status", ["open", "paused", "closed"])
def test_blocking_works_in_every_status(stage: Stage, status: str) -> None:
    stage.open()
    {"open": stage.locker.open_sale, "paused": stage.locker.pause_sale, "closed": stage.locker.close_sale}[status](
        stage.show
    )
    assert stage.locker.block(stage.show, ["A-1"]).blocked == ("A-1",)
    assert stage.locker.unblock(stage.show, ["A-1"]).unblocked == ("A-1",)
    assert stage.locker.availability(stage.show).status == status


def test_a_hundred_seats_at_once(stage: Stage) -> None:
    seats = [f"S-{number}" for number in range(100)]
    stage.open(seats)
    assert stage.locker.block(stage.show, seats, reason="stage too large").blocked == tuple(seats)
    assert stage.locker.availability(stage.show).counts["blocked"] == 100
    assert stage.locker.unblock(stage.show, iter(seats)).unblocked == tuple(seats)


def test_the_blocks_of_the_plan(stage: Stage) -> None:
    seats = ["A-1", "A-2", Seat("B-1", status="blocked")]
    stage.open(seats)
    assert _reason(stage, "B-1") is None
    stage.locker.block(stage.show, ["A-1"], reason="camera")
    stage.locker.warm(stage.show, seats)
    assert (stage.mirror("A-1"), _reason(stage, "A-1")) == ("b0", "camera"), "warming makes no seat free"
    assert stage.locker.unblock(stage.show, ["A-1", "B-1"]).unblocked == ("A-1", "B-1")
    assert stage.acquire("A-1", "B-1")


def test_a_blocked_seat_that_the_plan_has_sold_elsewhere(stage: Stage) -> None:
    stage.open(["A-1", "A-2"])
    stage.locker.block(stage.show, ["A-1", "A-2"], reason="camera")
    stage.locker.warm(stage.show, [Seat("A-1", status="sold"), "A-2"])
    assert stage.mirror("A-1") == "s0"
    assert stage.raw.hgetall(stage.key("blocks")) == {b"A-2": b"camera"}, "the reason goes with the block"
    assert (stage.mirror("A-2"), _reason(stage, "A-2")) == ("b0", "camera")


def test_nothing_of_it_is_left_when_the_show_is_retired(stage: Stage) -> None:
    stage.open()
    stage.locker.block(stage.show, ["A-1"], reason="camera")
    stage.locker.retire(stage.show)
    assert stage.keys() == set()
    stage.open()
    assert _reason(stage, "A-1") is None


def test_a_block_that_a_live_lock_contradicts(stage: Stage) -> None:
    """The lock speaks first: its owner can go on, the mirror stays blocked, and block and unblock leave it alone."""
    stage.open()
    hold = stage.acquire("A-1")
    assert stage.acquire("A-1").resumed  # from now on its lock says so
    stage.raw.hset(stage.key("seats"), "A-1", "b0")
    before = stage.everything()
    with pytest.raises(SeatsUnavailable) as refusal:
        stage.locker.block(stage.show, ["A-1"], reason="camera")
    assert (refusal.value.conflicts["A-1"].state, refusal.value.conflicts["A-1"].inconsistent) == ("held", True)
    assert dict(stage.locker.unblock(stage.show, ["A-1"]).seats) == {"A-1": "held"}
    assert stage.acquire("A-1", token=hold.token).fence == hold.fence
    assert stage.acquire("A-1").resumed
    assert stage.everything() == before
    stage.locker.extend(hold, ttl=900)
    assert stage.mirror("A-1") == "b0"
    assert stage.locker.release(hold).released == ("A-1",)
    assert stage.mirror("A-1") == "b0"
    assert stage.locker.unblock(stage.show, ["A-1"]).unblocked == ("A-1",)


@pytest.mark.parametrize(("field", "state"), [("h0:99999999999999", "held"), ("p0", "pinned"), ("s0", "sold")])
def test_a_lost_lock_is_refused(stage: Stage, field: str, state: str) -> None:
    stage.open()
    stage.raw.hset(stage.key("seats"), "A-1", field)
    before = stage.everything()
    with pytest.raises(SeatsUnavailable) as refusal:
        stage.locker.block(stage.show, ["A-1"])
    assert (refusal.value.conflicts["A-1"].state, refusal.value.conflicts["A-1"].inconsistent) == (state, True)
    assert dict(stage.locker.unblock(stage.show, ["A-1"]).seats) == {"A-1": state}
    assert stage.everything() == before
