"""Scenarios of keeping a house: opening, sweeping, looking, retiring."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from seatlock import (
    Booking,
    Hold,
    InvalidRequest,
    SaleNotOpen,
    ScriptFailed,
    Seat,
    SeatState,
    ShowInUse,
    ShowNotFound,
    UnknownSeats,
    _reads,
    _upkeep,
)
from seatlock._operators import compare, force_release_ask, force_release_of, vitals
from seatlock._stocktaking import look
from tests.lua.house import PLAN, SEATS, T1, T2, House, plan_of
from tests.lua.scenario import scenario, to_the_millisecond
from tests.lua.warming import found, load, outcome

# The sale's status


@scenario
def opening_and_closing(house: House) -> None:
    house.locker.warm(house.show, PLAN)
    versions = [house.meta("version")]
    for status in ("open", "paused", "closed", "open"):
        assert house.run(_upkeep.set_status("seatlock", house.show, status)) != status
        assert house.meta("status") == status
        assert house.last_change() == {"": status}
        assert house.locker.availability(house.show).status == status
        versions.append(house.meta("version"))
    assert all(int(after) == int(before) + 1 for before, after in pairwise(versions))
    with house.unchanged():
        assert house.run(_upkeep.set_status("seatlock", house.show, "open")) == "open"
    for status in ("", "opened", "none"):
        step = _upkeep.set_status("seatlock", house.show, status)  # type: ignore[arg-type]
        with house.unchanged():
            error = house.failing(ScriptFailed, lambda step=step: house.run(step))
        assert "open, paused or closed" in str(error)


def field_of(house: House) -> str:
    """The show's field `status`, its times told from now in seconds."""
    word, *times = house.meta("status").split()
    return " ".join([word, *(time if time == "-" else str((int(time) - house.now) / 1000) for time in times)])


def set_at(house: House, status: Any, at: float) -> Any:
    """Open or close the sale so many seconds from now."""
    return house.run(_upkeep.set_status("seatlock", house.show, status, house.now + round(at * 1000)))


@to_the_millisecond
def a_sale_opens_and_closes_to_the_millisecond(house: House) -> None:
    house.locker.warm(house.show, PLAN)
    start, version = house.now, int(house.meta("version"))
    assert set_at(house, "open", 60) == "closed"
    assert house.last_change() == {"": f"closed {start + 60_000} -"}
    assert house.failing(SaleNotOpen, lambda: house.acquire("A-1")).opens_in == 60.0
    assert set_at(house, "closed", 600) == "closed"
    assert house.last_change() == {"": f"closed {start + 60_000} {start + 600_000}"}
    assert int(house.meta("version")) == version + 2
    for at, status, left in (
        (start + 59_999, "closed", 0.001),
        (start + 60_000, "open", None),
        (start + 599_999, "open", None),
        (start + 600_000, "closed", None),
        (start + 600_001, "closed", None),
    ):
        house.tick_to(at)
        closes_in = (start + 600_000 - at) / 1000 if at < start + 600_000 else None
        for seen in (house.locker.availability(house.show), house.run(_reads.changes("seatlock", house.show, 1, 0))):
            assert (seen.status, seen.opens_in, seen.closes_in) == (status, left, closes_in)
        if status == "open":
            house.locker.release(house.acquire("A-1"))
            continue
        with house.unchanged():
            refusal = house.failing(SaleNotOpen, lambda: house.acquire("A-1"))
        assert (refusal.status, refusal.opens_in) == (status, left)


@to_the_millisecond
def what_every_call_makes_of_the_times(house: House) -> None:
    house.locker.warm(house.show, PLAN)
    start = house.now
    for field, status, at, after in (
        ("closed", "open", 60, "closed 60.0 -"),
        ("open", "open", 60, "open 60.0 -"),
        ("paused", "open", 0.001, "paused 0.001 -"),
        ("closed", "closed", 60, "closed - 60.0"),
        ("open", "closed", 60, "open - 60.0"),
        ("closed 60 -", "open", 61, "closed 61.0 -"),
        ("closed 60 -", "open", 0, "open"),
        ("closed 60 -", "paused", 0, "paused"),
        ("closed 60 -", "closed", 0, "closed"),
        ("closed 60 -", "closed", 60, "closed - 60.0"),
        ("closed 60 -", "closed", 90, "closed 60.0 90.0"),
        ("closed 60 90", "open", 0, "open - 90.0"),
        ("closed 60 90", "paused", 0, "paused - 90.0"),
        ("closed 60 90", "closed", 0, "closed"),
        ("closed 60 90", "closed", -1, "closed"),
        ("closed 60 90", "open", 90, "closed 90.0 -"),
        ("closed 60 90", "closed", 60, "closed - 60.0"),
        ("closed -60 90", "open", 30, "open 30.0 90.0"),
        ("closed -60 90", "closed", 91, "open - 91.0"),
        ("closed -60 90", "paused", 0, "paused - 90.0"),
        ("open 90 -60", "closed", 100, "closed 90.0 100.0"),
        ("open 90 -60", "open", 30, "closed 30.0 -"),
        ("open 90 -60", "open", 0, "open"),
        ("open 90 -60", "paused", 0, "paused"),
        ("open 90 -60", "closed", -61, "closed"),
        ("paused 0 -", "closed", 1, "open - 1.0"),
        ("paused - 0", "open", 1, "closed 1.0 -"),
        ("paused -5 -5", "open", 1, "closed 1.0 -"),
        ("open", "closed", -1, "closed"),
        ("open - 60", "closed", -1, "closed"),
    ):
        word, *times = field.split()
        at_ms = [time if time == "-" else str(start + 1000 * int(time)) for time in times]
        house.raw.hset(house.key("meta"), "status", " ".join([word, *at_ms]))
        step = _upkeep.set_status("seatlock", house.show, status, 0)  # type: ignore[arg-type]
        step.args[1] = b"%d" % (at and start + round(at * 1000))
        house.run(step)
        assert field_of(house) == after, (field, status, at)
        assert house.last_change() == {"": house.meta("status")}
        with house.unchanged():
            house.run(step)


@to_the_millisecond
def calls_that_change_nothing(house: House) -> None:
    house.locker.warm(house.show, PLAN)
    start = house.now
    for field, status, at, refused in (
        ("closed 60 90", "open", 60, ""),
        ("closed 60 90", "closed", 90, ""),
        ("closed -60 90", "open", -60, ""),
        ("closed -60 90", "open", -30, ""),
        ("closed -60 90", "closed", 90, ""),
        ("closed -60 -30", "open", -60, ""),
        ("closed -60 -30", "closed", -30, ""),
        ("closed -60 -30", "open", -61, "it is closed"),
        ("closed -60 -30", "open", 0, "it is closed"),
        ("open", "open", -1, ""),
        ("open", "open", 0, ""),
        ("closed", "open", 0, "it is closed"),
        ("closed", "open", -1, "it is closed"),
        ("paused", "open", -1, "it is paused"),
        ("paused 60 90", "open", -1, "it is paused"),
        ("open 60 -1", "open", -1, "it is closed"),
    ):
        word, *times = field.split()
        at_ms = [time if time == "-" else str(start + 1000 * int(time)) for time in times]
        house.raw.hset(house.key("meta"), "status", " ".join([word, *at_ms]))
        with house.unchanged():
            if refused:
                error = house.failing(InvalidRequest, lambda status=status, at=at: set_at(house, status, at))
                assert refused in str(error), (field, status, at)
            else:
                assert set_at(house, status, at), (field, status, at)


@scenario
def times_that_make_no_sense(house: House) -> None:
    house.open()
    pause = _upkeep.set_status("seatlock", house.show, "paused", house.now + 60_000)
    assert "paused at once" in str(house.failing(ScriptFailed, lambda: house.run(pause)))
    house.sound = False
    step = _upkeep.set_status("seatlock", house.show, "closed")
    for field in ("closed 0 -", "closed - 0", "open 1.5 -", f"open - {2**49 + 1}", "open nan inf", "open x -"):
        house.raw.hset(house.key("meta"), "status", field)
        with house.unchanged():
            for call in (lambda: house.acquire("A-1"), lambda: house.run(step)):
                house.failing(ScriptFailed, call)
    for field in ("opened", "open 1", "open 1 2 3", "", "Open 1 -"):  # nothing that we know is not open
        house.raw.hset(house.key("meta"), "status", field)
        with house.unchanged():
            assert house.failing(SaleNotOpen, lambda: house.acquire("A-1")).opens_in is None
    for times in ("1 -", f"1 {2**49}"):
        house.raw.hset(house.key("meta"), "status", f"closed {times}")
        assert house.locker.availability(house.show).status == "open"
    house.raw.hset(house.key("meta"), "status", f"open {2**49} 1")
    assert house.locker.availability(house.show).status == "closed"


# Sweeping


@scenario
def a_sweep(house: House) -> None:
    house.open()
    house.acquire("A-1", "A-2", ttl=100)
    house.acquire("A-3", ttl=900, holder="bo")
    with house.unchanged():
        assert house.locker.sweep(house.show) == 0
    house.advance(130)
    with house.one_change(A_1="f0", A_2="f1"):
        assert house.locker.sweep(house.show) == 2
    assert house.due().keys() == {"A-3"}
    with house.unchanged():
        assert house.locker.sweep(house.show) == 0


@scenario
def a_sweep_in_steps(house: House) -> None:
    house.open()
    for seat in ("A-1", "A-2", "A-3"):
        house.acquire(seat, ttl=100)
    house.advance(130)
    sweep = _upkeep.sweep("seatlock", house.show)
    sweep.args = [b"2"]
    sweep.decode = list
    assert house.run(sweep) == [b"ok", 2, 2]
    assert house.run(sweep) == [b"ok", 1, 1]
    assert house.run(sweep) == [b"ok", 0, 0]


@scenario
def a_sweep_of_what_is_due_by_mistake(house: House) -> None:
    house.open()
    hold = house.acquire("A-1")
    house.locker.confirm(house.acquire("A-2", holder="bo"))
    for seat in ("A-1", "A-2", "A-3", "nowhere"):
        house.put_due(seat, house.now - 5000)
    version = house.meta("version")
    assert house.locker.sweep(house.show) == 0
    assert house.due() == {"A-1": hold.deadline}
    assert house.meta("version") == version
    assert [house.mirror(seat) for seat in ("A-2", "A-3", "nowhere")] == ["s1", "f1", None]


@to_the_millisecond
def a_sweep_at_the_last_millisecond(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", ttl=60)
    house.tick_to(hold.deadline)
    sweep = _upkeep.sweep("seatlock", house.show)
    sweep.decode = list
    with house.unchanged():
        assert house.run(sweep) == [b"ok", 0, 0]
    house.put_due("A-1", hold.deadline - 1)
    assert house.locker.sweep(house.show) == 0
    assert house.due() == {"A-1": hold.deadline}
    house.tick_to(hold.deadline + 1)
    assert house.locker.sweep(house.show) == 1


# Looking


@scenario
def what_support_sees(house: House) -> None:
    house.open()
    house.acquire("A-1", token=T1)
    booking = house.locker.confirm(house.acquire("A-2", holder="bo", token=T2), payment="pay")
    held, sold, free, blocked, elsewhere = house.locker.inspect(house.show, ["A-1", "A-2", "A-3", "B-1", "B-2"])
    assert held == SeatState("A-1", "held", "x", True, held.expires_in, "ada", 2**40 + 1)  # noqa: FBT003
    assert held.expires_in == house.left(600)
    assert sold == SeatState("A-2", "sold", "y", True, None, "bo", 2**40 + 2, booking.id, "pay")  # noqa: FBT003
    assert free == SeatState("A-3", "free", "y")
    assert blocked == SeatState("B-1", "blocked", "x")
    assert elsewhere == SeatState("B-2", "sold", "y")
    error = house.failing(UnknownSeats, lambda: house.locker.inspect(house.show, ["A-1", "nowhere"]))
    assert error.seats == ("nowhere",)
    house.advance(630)
    (gone,) = house.locker.inspect(house.show, ["A-1"])
    assert gone == SeatState("A-1", "free", "x")


def seen(house: House, seat: str) -> tuple[Any, ...]:
    """State, consistency, seconds left and holder of a seat."""
    (state,) = house.locker.inspect(house.show, [seat])
    return state.state, state.consistent, state.expires_in, state.holder


@scenario
def what_support_sees_when_something_is_wrong(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", token=T1)
    for wrong in ("f0", "s0", "b0", "p0", f"h0:{hold.deadline - 1}"):
        house.put_mirror("A-1", wrong)
        assert seen(house, "A-1") == ("held", False, house.left(600), "ada")
    house.put_mirror("A-1", f"h0:{hold.deadline}")
    house.drop_lock("A-1")
    assert seen(house, "A-1") == ("held", False, house.left(600), None)
    for letter, state in (("s", "sold"), ("p", "pinned")):
        house.put_mirror("A-2", f"{letter}1")
        assert seen(house, "A-2") == (state, False, None, None)
        for wrong in ([f"x{letter}", "booking", "paid"], [letter, "booking", "paid", ""]):
            house.put_lock("A-2", wrong[0], T1, "bo", 1, 1, house.now, *wrong[1:])
            assert seen(house, "A-2")[:2] == ("held", False)
        house.put_lock("A-2", letter, T1, "bo", 1, 1, house.now, "booking", "paid")
        assert seen(house, "A-2") == (state, True, None, "bo")
        house.drop_lock("A-2")
    house.put_lock("A-3", "junk")
    assert seen(house, "A-3")[:2] == ("held", False)
    house.put_mirror("A-3", f"h1:{house.now}")
    assert seen(house, "A-3")[1] is False


@to_the_millisecond
def what_everybody_sees_in_the_last_millisecond(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", ttl=60)
    house.tick_to(hold.deadline)
    assert seen(house, "A-1") == ("held", True, 0.0, "ada")
    assert house.states()["A-1"] == "held"
    house.tick_to(hold.deadline + 1)
    assert seen(house, "A-1") == ("free", True, None, None)
    assert house.states()["A-1"] == "free"


@scenario
def a_large_house(house: House) -> None:
    seats = [f"S-{number}" for number in range(1001)]
    house.open(seats)
    house.acquire("S-0", "S-1000")
    found = house.locker.availability(house.show)
    assert found.version == (1, int(house.meta("version")))
    assert (found.counts["held"], found.counts["free"]) == (2, 999)
    assert list(found.seats) == seats
    raw = house.run(_reads.mirrors("seatlock", house.show, ["S-0", "nowhere"]))
    assert raw.mirrors == [house.mirror("S-0").encode(), b""]  # type: ignore[union-attr]
    assert (raw.status, raw.epoch, raw.version, raw.now) == ("open", 1, int(house.meta("version")), house.at(0))
    assert raw.plan == house.meta("plan")


@scenario
def what_changed(house: House) -> None:
    house.open()
    hold = house.acquire("A-1")
    house.locker.confirm(hold)
    version = int(house.meta("version"))
    found = house.run(_reads.changes("seatlock", house.show, 1, version - 2))
    assert (found.status, found.epoch, found.version, found.now) == ("open", 1, version, house.at(0))
    assert found.batches == [
        (version - 1, {"A-1": f"h0:{hold.deadline}".encode()}),
        (version, {"A-1": b"s0"}),
    ]
    assert house.run(_reads.changes("seatlock", house.show, 1, version)).batches == []
    few = _reads.changes("seatlock", house.show, 1, 0)
    few.args[2] = b"2"
    assert [number for number, _ in house.run(few).batches] == [1, 2]
    few.args[2] = b"1000"
    assert len(house.run(few).batches) == version


# Ending


@scenario
def a_show_that_is_not_there(house: House) -> None:
    show, locker = house.show, house.locker
    hold = Hold(show, ("A-1",), "ada", T1, 1, 60.0)
    for call in (
        lambda: house.acquire("A-1"),
        lambda: locker.extend(hold, ttl=60),
        lambda: locker.confirm(hold),
        lambda: locker.confirm(hold, reclaim=True),
        lambda: locker.release(hold),
        lambda: locker.cancel(Booking("booking", show, ("A-1",), "ada", None, 1, 0.0)),
        lambda: locker.sweep(show),
        lambda: locker.open_sale(show),
        lambda: locker.retire(show),
        lambda: locker.availability(show),
        lambda: locker.inspect(show, ["A-1"]),
        lambda: locker.check(show),
        lambda: house.run(vitals("seatlock", show)),
        lambda: house.run(look("seatlock", show, (), b"0")),
        lambda: house.run(compare("seatlock", show, ("A-1",))),
        lambda: house.run(force_release_of("seatlock", [force_release_ask("seatlock", show, ("A-1",), "e", "w", 1)])),
        lambda: locker.block(show, ["A-1"]),
        lambda: locker.unblock(show, ["A-1"]),
        lambda: locker.set_channel(show, ["A-1"], "partner"),
    ):
        house.failing(ShowNotFound, call)
    assert house.dump() == {}


@scenario
def a_show_that_is_retired(house: House) -> None:
    house.open()
    hold = house.acquire("A-1")
    booking = house.acquire("A-2", holder="bo", ttl=100)
    house.locker.confirm(booking)
    with house.unchanged():
        error = house.failing(ShowInUse, lambda: house.locker.retire(house.show))
        assert (error.holds, error.outbox) == (1, 1)
        error = house.failing(ShowInUse, lambda: house.locker.retire(house.show, unread="discard"))
        assert (error.holds, error.outbox) == (1, 1)
    house.locker.release(hold)
    with house.unchanged():
        error = house.failing(ShowInUse, lambda: house.locker.retire(house.show))
        assert (error.holds, error.outbox) == (0, 1)
    # its first step ends the sale, whatever becomes of the others
    assert house.run(_upkeep.retire("seatlock", house.show, "discard")) is None
    assert house.dump().keys() == {"retired", "lock:A-2", "lock:B-2"}
    assert house.run(_upkeep.retire("seatlock", house.show, "keep")) is None
    house.failing(ShowNotFound, lambda: house.acquire("A-1"))
    steps = [load(house, "check", SEATS), load(house, "warm", SEATS), found(house)]
    for call in (lambda: outcome(house, PLAN), *(lambda step=step: house.run(step) for step in steps)):
        with house.unchanged():
            house.failing(ShowInUse, call)
    show = house.show
    for operation in (
        _reads.changes("seatlock", show, 1, 0),
        _reads.mirrors("seatlock", show, ["A-1"]),
        _reads.inspect("seatlock", show, ("A-1",), ()),
        _upkeep.sweep("seatlock", show),
    ):
        house.failing(ShowNotFound, lambda operation=operation: house.run(operation))
    cursor, seats = house.run(_upkeep.remnants("seatlock", house.show, b"0"))
    assert (cursor, sorted(seats)) == (b"0", list(PLAN.index))
    assert house.run(_upkeep.forget("seatlock", house.show, ["A-2", "A-3"])) == 4
    assert house.dump().keys() == {"retired", "lock:B-2"}
    house.locker.retire(house.show)
    assert house.dump() == {}
    house.failing(ShowNotFound, lambda: house.locker.retire(house.show))


@scenario
def the_seats_of_a_retired_show(house: House) -> None:
    house.open(["ed", "red", "x"])
    house.run(_upkeep.retire("seatlock", house.show, "discard"))
    assert house.run(_upkeep.forget("seatlock", house.show, ["x"])) == 2
    assert house.raw.hkeys(house.key("retired")) == [b"ed", b"red"]


@scenario
def another_epoch(house: House) -> None:
    house.open()
    house.raw.hset(house.key("meta"), "epoch", "2")
    hold = house.acquire("A-1", "A-2", token=T1)
    assert (hold.fence, house.acquire("A-1").fence) == (2**41 + 1, 2**41 + 1)
    assert house.lock("A-1") == ["h", T1, "ada", 2, 1, hold.deadline, house.at(1800)]
    longer = house.locker.extend(hold, ttl=900)
    assert (longer.fence, longer.deadline) == (hold.fence, house.at(900))
    booking = house.locker.confirm(longer)
    assert (booking.fence, house.lock("A-1")[3]) == (hold.fence, 2)  # type: ignore[index]
    assert house.locker.confirm(longer) == booking
    assert house.locker.inspect(house.show, ["A-1"])[0].fence == hold.fence
    house.locker.cancel(booking)
    assert [entry["epoch"] for entry in house.outbox()] == ["2", "2"]
    assert house.locker.availability(house.show).version == (2, int(house.meta("version")))
    house.locker.warm(house.show, plan_of([*SEATS, Seat("C-2", category="x", status="sold")]))
    assert house.lock("C-2")[3] == 2  # type: ignore[index]
    assert house.last_change() == {"": "plan"}
    assert house.meta("epoch") == "2"


@scenario
def a_show_whose_holds_ran_out_is_retired(house: House) -> None:
    house.open(outbox=False)
    house.acquire("A-1", ttl=60)
    house.advance(90)
    house.locker.retire(house.show)
    assert house.dump() == {}


@to_the_millisecond
def a_show_is_retired_at_the_last_millisecond(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", ttl=60)
    house.tick_to(hold.deadline)
    assert house.failing(ShowInUse, lambda: house.locker.retire(house.show)).holds == 1
    house.tick_to(hold.deadline + 1)
    house.locker.retire(house.show)


@scenario
def a_show_that_lost_its_keys_is_retired(house: House) -> None:
    house.open()
    house.raw.delete(house.key("seats"))
    house.sound = False
    house.locker.retire(house.show)
    assert house.dump().keys() <= {"lock:B-2"}
    house.open()
    house.raw.delete(house.key("meta"))
    house.locker.retire(house.show)
    assert house.dump() == {}


@scenario
def what_the_server_tells(house: House) -> None:
    assert house.run(_upkeep.server("seatlock", house.show)) == ("noeviction", "master")
    for left_behind in ("text", "hash", "zset", "stream", "renamed"):
        house.raw.rpush(house.key(f"probe:{left_behind}"), "by an earlier one")
    assert house.run(_upkeep.probe("seatlock", house.show)) == []
    assert house.dump() == {}


@scenario
def a_server_that_keeps_things_to_itself(house: House) -> None:
    house.raw.acl_setuser(
        "default", enabled=True, nopass=True, keys=["*"], channels=["*"], commands=["+@all", "-info", "-zadd", "-hset"]
    )
    try:
        assert house.run(_upkeep.server("seatlock", house.show)) == ("", "")
        complaints = house.run(_upkeep.probe("seatlock", house.show))
    finally:
        house.raw.acl_setuser(
            "default", enabled=True, nopass=True, keys=["*"], channels=["*"], categories=["+@all"], reset=True
        )
    assert [complaint.partition(":")[0] for complaint in complaints] == ["HSET", "ZADD", "RENAME"]
    assert house.dump() == {}
