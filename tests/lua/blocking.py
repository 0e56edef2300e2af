"""Scenarios of blocks: seats that the house takes off sale, and puts back."""

from __future__ import annotations

from seatlock import Seat, SeatState, SeatsUnavailable, UnknownSeats, _blocks
from tests.lua.house import PLAN, T1, T2, House
from tests.lua.scenario import scenario, to_the_millisecond
from tests.lua.warming import outcome, with_seat


def block(house: House, *seats: str, reason: str | None = None) -> dict[str, str]:
    """Block seats: gives what happened to each."""
    done = house.locker.block(house.show, seats, reason=reason)
    assert done.reason == (reason or None)
    return dict(done.seats)


def unblock(house: House, *seats: str) -> dict[str, str]:
    """Unblock seats: gives what happened to each."""
    return dict(house.locker.unblock(house.show, seats).seats)


def refused(house: House, *seats: str) -> dict[str, tuple[str, float | None, bool]]:
    """Block seats in vain: gives state, seconds left and inconsistent of what stood in the way."""
    with house.unchanged():
        error = house.failing(SeatsUnavailable, lambda: block(house, *seats, reason="camera"))
    assert not any(conflict.yours for conflict in error.conflicts.values())
    return {s: (c.state, c.retry_after, c.inconsistent) for s, c in error.conflicts.items()}


def reasons(house: House) -> dict[str, str]:
    """The reasons that are kept."""
    return {seat.decode(): reason.decode() for seat, reason in house.raw.hgetall(house.key("blocks")).items()}


@scenario
def seats_off_sale_and_back(house: House) -> None:
    house.open()
    with house.one_change(A_2="b1", A_1="b0"):
        assert block(house, "A-2", "A-1", reason="camera") == {"A-2": "blocked", "A-1": "blocked"}
    assert reasons(house) == {"A-1": "camera", "A-2": "camera"}
    assert (house.lock("A-1"), house.due()) == (None, {})
    assert house.locker.inspect(house.show, ["A-1", "A-3"]) == [
        SeatState("A-1", "blocked", "x", reason="camera"),
        SeatState("A-3", "free", "y"),
    ]
    assert house.refused("A-3", "A-1") == {"A-1": ("blocked", None, False, False)}
    with house.one_change(A_1="f0"):
        assert unblock(house, "A-1", "A-3") == {"A-1": "unblocked", "A-3": "free"}
    assert reasons(house) == {"A-2": "camera"}
    assert house.acquire("A-1", "A-3")
    with house.unchanged():
        assert unblock(house, "A-1", "A-3", "B-2") == {"A-1": "held", "A-3": "held", "B-2": "sold"}


@scenario
def reasons_that_change(house: House) -> None:
    house.open()
    block(house, "A-1", reason="camera")
    with house.unchanged():
        assert block(house, "A-1", reason="camera") == {"A-1": "already"}
    version = house.meta("version")
    assert block(house, "A-1", "B-1", reason="pillar") == {"A-1": "already", "B-1": "already"}
    assert reasons(house) == {"A-1": "pillar", "B-1": "pillar"}
    assert block(house, "B-1", "A-1") == {"B-1": "already", "A-1": "already"}
    assert reasons(house) == {}
    with house.unchanged():
        assert block(house, "A-1", "B-1") == {"A-1": "already", "B-1": "already"}
    assert house.meta("version") == version, "no state has changed"
    block(house, "A-1", reason="camera")
    with house.one_change(A_2="b1"):
        assert block(house, "A-1", "A-2", reason="mixing desk") == {"A-1": "already", "A-2": "blocked"}
    assert reasons(house) == {"A-1": "mixing desk", "A-2": "mixing desk"}
    with house.one_change(A_3="b1"):
        block(house, "A-3", "A-1")
    assert reasons(house) == {"A-2": "mixing desk"}
    assert house.locker.inspect(house.show, ["A-3"]) == [SeatState("A-3", "blocked", "y")]


@scenario
def a_reason_that_was_never_sent(house: House) -> None:
    house.open()
    block(house, "A-1", reason="camera")
    operation = _blocks.block("seatlock", house.show, ("A-1", "A-2"), "")
    operation.args = []
    assert house.run(operation).seats == {"A-1": "already", "A-2": "blocked"}
    assert reasons(house) == {}


@scenario
def seats_that_cannot_be_blocked(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", token=T1)
    house.locker.confirm(house.acquire("A-2", holder="bo", token=T2))
    assert refused(house, "A-3", "A-2", "B-1", "A-1", "B-2") == {
        "A-1": ("held", house.left(600), False),
        "A-2": ("sold", None, False),
        "B-2": ("sold", None, False),
    }
    with house.unchanged():
        error = house.failing(UnknownSeats, lambda: block(house, "A-1", "nowhere", "A-3", reason="camera"))
        assert error.seats == ("nowhere",)
        error = house.failing(UnknownSeats, lambda: unblock(house, "B-1", "nowhere", "elsewhere"))
        assert error.seats == ("nowhere", "elsewhere")
    house.locker.release(hold)
    assert block(house, "A-1") == {"A-1": "blocked"}


@scenario
def blocks_whatever_the_status(house: House) -> None:
    house.open()
    for status in (house.locker.close_sale, house.locker.pause_sale, house.locker.open_sale):
        status(house.show)
        assert block(house, "A-1", reason="camera") == {"A-1": "blocked"}
        assert unblock(house, "A-1") == {"A-1": "unblocked"}


@to_the_millisecond
def a_block_at_the_last_millisecond_of_a_hold(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", ttl=60, token=T1)
    house.tick_to(hold.deadline)
    assert refused(house, "A-1") == {"A-1": ("held", 0.0, False)}
    with house.unchanged():
        assert unblock(house, "A-1") == {"A-1": "held"}
    house.tick_to(hold.deadline + 1)  # Redis still has the lock, as it may for a moment
    with house.unchanged():
        assert unblock(house, "A-1") == {"A-1": "free"}
    with house.one_change(A_1="b0"):
        assert block(house, "A-1", reason="camera") == {"A-1": "blocked"}
    assert house.refused("A-1") == {"A-1": ("blocked", None, False, False)}
    assert house.locker.inspect(house.show, ["A-1"])[0].reason == "camera"
    assert dict(house.locker.release(hold).seats) == {"A-1": "gone"}
    version = house.meta("version")
    assert house.locker.sweep(house.show) == 0
    assert (house.due(), house.mirror("A-1"), house.meta("version")) == ({}, "b0", version)


@to_the_millisecond
def a_hold_that_comes_back_with_the_clock(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", "A-2", ttl=60, token=T1)
    house.tick_to(hold.deadline + 1)
    block(house, "A-1", reason="camera")
    house.tick_to(hold.deadline - 1000)
    house.sound = False
    # the lock speaks first, and the mirror goes on saying blocked, whatever its owner does
    assert refused(house, "A-1", "A-3") == {"A-1": ("held", 1.0, True)}
    with house.unchanged():
        assert unblock(house, "A-1") == {"A-1": "held"}
        assert house.acquire("A-1", "A-2", token=T1).deadline == hold.deadline
        assert house.acquire("A-1").resumed
        (seen,) = house.locker.inspect(house.show, ["A-1"])
    assert (seen.state, seen.consistent, seen.reason) == ("held", False, None)
    basket = house.acquire("A-1", "A-3", token=T1)
    assert house.locker.extend(basket, ttl=120).ttl == 120
    assert [house.mirror(seat) for seat in ("A-1", "A-3")] == ["b0", f"h1:{house.now + 120_000}"]
    assert house.locker.release(basket).released == ("A-1", "A-3")
    assert house.mirror("A-1") == "b0"
    assert house.refused("A-1") == {"A-1": ("blocked", None, False, False)}
    assert unblock(house, "A-1") == {"A-1": "unblocked"}


@scenario
def seats_whose_lock_and_mirror_disagree(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", "A-2")
    house.drop_lock("A-1")
    assert refused(house, "A-1") == {"A-1": ("held", house.left(600), True)}
    house.put_mirror("A-1", "p0")
    assert refused(house, "A-1") == {"A-1": ("pinned", None, True)}
    with house.unchanged():
        assert unblock(house, "A-1") == {"A-1": "pinned"}
    house.put_mirror("A-2", "f1")
    assert refused(house, "A-2") == {"A-2": ("held", house.left(600), True)}
    house.put_mirror("A-2", f"h1:{hold.deadline}")
    house.put_lock("A-2", "something else")
    assert refused(house, "A-2") == {"A-2": ("held", None, True)}
    house.put_lock("B-1", "s", T1, "ada", 1, 1, house.now, "booking", "")
    assert refused(house, "B-1") == {"B-1": ("sold", None, True)}
    with house.unchanged():
        assert unblock(house, "B-1") == {"B-1": "sold"}
    house.put_mirror("A-3", f"h1:{house.now - 30_000}")
    house.put_lock("A-3", "h", T1, "ada", 1, 1, house.now + 60_000, house.now + 60_000)
    assert refused(house, "A-3") == {"A-3": ("held", house.left(60), False)}


@to_the_millisecond
def a_lock_that_has_passed_under_a_mirror_that_has_not(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", ttl=60)
    house.put_mirror("A-1", f"h0:{hold.deadline + 5000}")
    house.tick_to(hold.deadline + 1000)
    assert refused(house, "A-1") == {"A-1": ("held", 4.0, True)}
    house.tick_to(hold.deadline + 5001)
    assert block(house, "A-1") == {"A-1": "blocked"}


@scenario
def blocks_of_a_plan(house: House) -> None:
    house.open()
    assert house.locker.inspect(house.show, ["B-1"]) == [SeatState("B-1", "blocked", "x")]
    block(house, "A-1", reason="camera")
    assert outcome(house, PLAN) == (False, 0, 0, 6)
    assert (house.mirror("A-1"), reasons(house)) == ("b0", {"A-1": "camera"})
    assert unblock(house, "B-1", "A-1") == {"B-1": "unblocked", "A-1": "unblocked"}
    assert house.acquire("B-1", "A-1")


@scenario
def a_blocked_seat_that_was_sold_elsewhere(house: House) -> None:
    house.open()
    block(house, "A-1", "A-2", reason="camera")
    house.locker.warm(house.show, with_seat(Seat("A-1", category="x", status="sold")))
    assert (house.mirror("A-1"), reasons(house)) == ("s0", {"A-2": "camera"})


@scenario
def blocks_of_a_show_that_is_retired(house: House) -> None:
    house.open(outbox=False)
    block(house, "A-1", reason="camera")
    house.locker.retire(house.show)
    assert house.dump() == {}


@scenario
def blocks_on_a_full_server(house: House) -> None:
    house.open()
    block(house, "A-1", reason="camera")
    with house.full():
        assert unblock(house, "A-1", "B-1") == {"A-1": "unblocked", "B-1": "unblocked"}
    assert reasons(house) == {}
    assert (house.mirror("A-1"), house.last_change()) == ("f0", {"A-1": "f0", "B-1": "f0"})
