"""Scenarios of keeping a house: warming, opening, sweeping, looking, retiring."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest

from seatlock import PlanConflict, Seat, SeatState, ShowInUse, ShowNotFound, UnknownSeats
from seatlock import _commands as commands
from seatlock import _warming
from tests.lua.house import PLAN, SEATS, T1, T2, House, plan_of
from tests.lua.scenario import scenario, to_the_millisecond


def outcome(house: House, plan: Any, **settings: Any) -> tuple[bool, int, int, int]:
    """What warming did: created, added, changed, kept."""
    warmed = house.locker.warm(house.show, plan, **settings)
    return warmed.created, warmed.added, warmed.changed, warmed.kept


def with_seat(seat: Seat, seats: Sequence[Seat] = SEATS) -> SeatingPlan:
    """The plan with one seat in another form."""
    return plan_of([seat if seat.id == other.id else other for other in seats])


# Warming


@scenario
def a_new_show(house: House) -> None:
    assert outcome(house, PLAN, max_hold=900) == (True, 6, 0, 0)
    meta = {field.decode(): value.decode() for field, value in house.raw.hgetall(house.key("meta")).items()}
    assert meta.pop("plan")
    assert meta == {
        "status": "closed",
        "version": "1",
        "epoch": "1",
        "fence": "0",
        "checkout": "fast",
        "max_hold": "900000",
        "outbox": "1",
        "changes_cap": "10000",
    }
    assert house.last_change() == {"": "plan"}
    assert house.raw.zrange(house.key("due"), 0, -1, withscores=True) == [(b"", float("inf"))]
    assert [house.mirror(seat) for seat in PLAN.index] == ["f0", "f1", "f1", "f0", "b0", "s1"]
    assert house.lock("B-2") == ["s", "", "", 1, 0, house.at(0), "", ""]
    assert house.lock("B-1") is None
    (group,) = house.raw.xinfo_groups(house.key("outbox"))
    assert (group["name"], group["last-delivered-id"]) == (b"relay", b"0-0")


@scenario
def a_show_that_is_warmed_again(house: House) -> None:
    house.open()
    house.locker.confirm(house.acquire("A-1"))
    house.acquire("A-2")
    fence = house.meta("fence")
    before = house.dump()
    assert outcome(house, PLAN, max_hold=700, outbox=False) == (False, 0, 0, 6)
    after = house.dump()
    assert {name for name in after if after[name] != before.get(name)} == {"meta", "changes"}
    assert (house.meta("max_hold"), house.meta("outbox")) == ("700000", "0")
    assert (house.meta("status"), house.meta("fence"), house.meta("version")) == ("open", fence, "6")
    assert house.last_change() == {"": "plan"}


@scenario
def seats_that_may_change(house: House) -> None:
    house.open()
    house.acquire("A-3", ttl=900)
    assert outcome(house, with_seat(Seat("A-1", category="y"))) == (False, 0, 1, 5)
    assert house.mirror("A-1") == "f1"
    ((_, entry), _) = house.raw.xrevrange(house.key("changes"), count=2)[::-1]
    assert entry == {b"A-1": b"f1"}
    assert outcome(house, with_seat(Seat("A-1", category="x", status="blocked")))[1:] == (0, 1, 5)
    assert house.mirror("A-1") == "b0"
    # what the house blocked comes back only by unblocking it
    assert outcome(house, with_seat(Seat("A-1", category="y")))[1:] == (0, 1, 5)
    assert house.mirror("A-1") == "b1"
    assert outcome(house, with_seat(Seat("A-1", category="y")))[1:] == (0, 0, 6)
    assert outcome(house, with_seat(Seat("A-1", category="y", status="sold")))[1:] == (0, 1, 5)
    assert house.mirror("A-1") == "s1"
    assert house.lock("A-1") == ["s", "", "", 1, 0, house.at(0), "", ""]
    assert outcome(house, with_seat(Seat("A-1", category="y", status="sold")))[1:] == (0, 0, 6)
    # a hold that has run out
    house.acquire("A-4", ttl=100)
    house.advance(130)
    assert house.mirror("A-4") != "f0"
    now_sold = with_seat(Seat("A-4", category="x", status="sold"), with_seat(Seat("A-1", category="y")).seats)
    assert outcome(house, plan_of([*now_sold.seats, Seat("C-1", category="y")]))[1:] == (1, 1, 5)
    assert house.mirror("A-4") == "s0"
    assert house.mirror("C-1") == "f1"


@scenario
def seats_that_may_not_change(house: House) -> None:
    house.open()
    house.acquire("A-1")
    house.locker.confirm(house.acquire("A-2"))
    house.put_lock("A-3", "p", T1, "ada", 1, 1, house.now, "booking", "paid")
    house.put_mirror("A-3", "p1")
    for seat, state in (("A-1", "held"), ("A-2", "sold"), ("A-3", "pinned"), ("B-2", "sold")):
        category = PLAN.index[seat].category
        other = "y" if category == "x" else "x"
        forbidden = [Seat(seat, category=other), Seat(seat, category=category, status="blocked")]
        if state != "sold":
            forbidden.append(Seat(seat, category=category, status="sold"))
        for changed in forbidden:
            with house.unchanged():
                error = house.failing(PlanConflict, lambda changed=changed: outcome(house, with_seat(changed)))
            assert error.conflicts == {seat: state}
    with house.unchanged():
        assert house.run(load(house, "warm", [Seat("A-1", category="y"), Seat("A-2", category="y")])) is not None
    assert outcome(house, with_seat(Seat("A-2", category="y", status="sold")))[1:] == (0, 0, 6)
    # the lock speaks first, and a lock without a mirror is no new seat
    house.put_mirror("A-2", "f1")
    assert outcome(house, PLAN)[1:] == (0, 0, 6)
    house.drop_mirror("A-1")
    house.raw.hset(house.key("seats"), "other", "f0")
    assert house.failing(PlanConflict, lambda: outcome(house, PLAN)).conflicts == {"A-1": "held"}


def load(house: House, name: str, seats: Sequence[Seat]) -> Any:
    """One step of warming; its conflicts come as a value."""
    operation = _warming._load(name, "seatlock", house.show, seats, {"x": 0, "y": 1})
    decode = operation.decode

    def read(reply: list[Any]) -> Any:
        try:
            return decode(reply)
        except PlanConflict as error:
            return error.conflicts

    operation.decode = read
    return operation


def found(house: House) -> Any:
    """The last step of warming."""
    return _warming._found("seatlock", house.show, PLAN, 1000, outbox=True)


@scenario
def a_step_of_warming_that_meets_a_conflict_writes_nothing(house: House) -> None:
    house.open()
    house.acquire("A-1")
    with house.unchanged():
        seats = [Seat("C-1", category="x"), Seat("A-1", category="y"), Seat("C-2", category="x", status="sold")]
        assert house.run(load(house, "warm", seats)) == {"A-1": "held"}
        assert house.run(load(house, "check", seats)) == {"A-1": "held"}
        assert house.run(load(house, "check", seats[:1])) == (0, 0, 0)


@scenario
def a_warm_that_was_cut_off(house: House) -> None:
    house.run(load(house, "warm", SEATS[:3]))
    assert house.raw.exists(house.key("meta"), house.key("changes")) == 0
    house.failing(ShowNotFound, lambda: house.acquire("A-1"))
    house.put_lock("B-2", "s", "", "", 1, 0, house.now, "", "")  # between lock and mirror
    assert outcome(house, PLAN) == (True, 3, 0, 3)
    assert house.mirror("B-2") == "s1"
    house.sound = True
    # the same of somebody's booking is no import
    house.drop_mirror("B-2")
    house.put_lock("B-2", "s", T1, "", 1, 0, house.now, "", "")
    house.raw.hset(house.key("seats"), "other", "f0")
    assert house.failing(PlanConflict, lambda: outcome(house, PLAN)).conflicts == {"B-2": "sold"}


@scenario
def another_plan_than_the_seats_in_redis(house: House) -> None:
    house.run(load(house, "warm", [*SEATS, Seat("C-1", category="x")]))
    with house.unchanged():
        house.failing(PlanConflict, lambda: outcome(house, PLAN))
    assert house.raw.exists(house.key("meta")) == 0


@to_the_millisecond
def a_warm_at_the_end_of_a_hold(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", ttl=60)
    house.tick_to(hold.deadline)
    changed = with_seat(Seat("A-1", category="y"))
    assert house.failing(PlanConflict, lambda: outcome(house, changed)).conflicts == {"A-1": "held"}
    house.tick_to(hold.deadline + 1)
    assert outcome(house, changed)[1:] == (0, 1, 5)
    second = house.acquire("A-2", ttl=60)
    house.drop_lock("A-2")
    house.tick_to(second.deadline)
    changed = with_seat(Seat("A-2", category="x"), changed.seats)
    assert house.failing(PlanConflict, lambda: outcome(house, changed)).conflicts == {"A-2": "held"}
    house.tick_to(second.deadline + 1)
    assert outcome(house, changed)[1:] == (0, 1, 5)


# The sale's status


@scenario
def opening_and_closing(house: House) -> None:
    house.locker.warm(house.show, PLAN)
    versions = [house.meta("version")]
    for status in ("open", "paused", "closed", "open"):
        assert house.run(commands.set_status("seatlock", house.show, status)) != status
        assert house.meta("status") == status
        assert house.last_change() == {"": status}
        assert house.locker.availability(house.show).status == status
        versions.append(house.meta("version"))
    assert all(int(after) == int(before) + 1 for before, after in pairwise(versions))
    with house.unchanged():
        assert house.run(commands.set_status("seatlock", house.show, "open")) == "open"
    for status in ("", "opened", "none"):
        with house.unchanged(), pytest.raises(Exception, match="open, paused or closed"):
            house.run(commands.set_status("seatlock", house.show, status))  # type: ignore[arg-type]


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
    sweep = commands.sweep("seatlock", house.show)
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
    with house.unchanged():
        assert house.locker.sweep(house.show) == 0
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
    raw = house.run(commands.mirrors("seatlock", house.show, ["S-0", "nowhere"]))
    assert raw.mirrors == [house.mirror("S-0").encode(), b""]  # type: ignore[union-attr]
    assert (raw.status, raw.epoch, raw.version, raw.now) == ("open", 1, int(house.meta("version")), house.at(0))
    assert raw.plan == house.meta("plan")


@scenario
def what_changed(house: House) -> None:
    house.open()
    hold = house.acquire("A-1")
    house.locker.confirm(hold)
    version = int(house.meta("version"))
    found = house.run(commands.changes("seatlock", house.show, 1, version - 2))
    assert (found.status, found.epoch, found.version, found.now) == ("open", 1, version, house.at(0))
    assert found.batches == [
        (version - 1, {"A-1": f"h0:{hold.deadline}".encode()}),
        (version, {"A-1": b"s0"}),
    ]
    assert house.run(commands.changes("seatlock", house.show, 1, version)).batches == []
    few = commands.changes("seatlock", house.show, 1, 0)
    few.args[2] = b"2"
    assert [number for number, _ in house.run(few).batches] == [1, 2]
    few.args[2] = b"1000"
    assert len(house.run(few).batches) == version


# Ending


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
    assert house.run(commands.retire("seatlock", house.show, "discard")) is None
    assert house.dump().keys() == {"retired", "lock:A-2", "lock:B-2"}
    assert house.run(commands.retire("seatlock", house.show, "keep")) is None
    house.failing(ShowNotFound, lambda: house.acquire("A-1"))
    warm, last = load(house, "warm", SEATS), found(house)
    for call in (lambda: outcome(house, PLAN), lambda: house.run(warm), lambda: house.run(last)):
        with house.unchanged():
            house.failing(ShowInUse, call)
    show = house.show
    for operation in (
        commands.changes("seatlock", show, 1, 0),
        commands.mirrors("seatlock", show, ["A-1"]),
        commands.inspect("seatlock", show, ("A-1",), ()),
        commands.sweep("seatlock", show),
    ):
        house.failing(ShowNotFound, lambda operation=operation: house.run(operation))
    cursor, seats = house.run(commands.remnants("seatlock", house.show, b"0"))
    assert (cursor, sorted(seats)) == (b"0", list(PLAN.index))
    assert house.run(commands.forget("seatlock", house.show, ["A-2", "A-3"])) == 4
    assert house.dump().keys() == {"retired", "lock:B-2"}
    house.locker.retire(house.show)
    assert house.dump() == {}
    house.failing(ShowNotFound, lambda: house.locker.retire(house.show))


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
    assert house.run(commands.server("seatlock", house.show)) == ("noeviction", "master")
    assert house.run(commands.probe("seatlock", house.show)) == []
    assert house.dump() == {}


@scenario
def a_server_that_keeps_things_to_itself(house: House) -> None:
    house.raw.acl_setuser(
        "default", enabled=True, nopass=True, keys=["*"], channels=["*"], commands=["+@all", "-info", "-zadd", "-hset"]
    )
    try:
        assert house.run(commands.server("seatlock", house.show)) == ("", "")
        complaints = house.run(commands.probe("seatlock", house.show))
    finally:
        house.raw.acl_setuser(
            "default", enabled=True, nopass=True, keys=["*"], channels=["*"], categories=["+@all"], reset=True
        )
    assert [complaint.partition(":")[0] for complaint in complaints] == ["HSET", "ZADD", "RENAME"]
    assert house.dump() == {}
