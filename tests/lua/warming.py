"""Scenarios of warming: what becomes a seat, what may change, and what stands in the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seatlock import PlanConflict, Seat, SeatingPlan, ShowNotFound, _warming
from tests.lua.house import PLAN, SEATS, T1, House, plan_of
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
def the_last_step_alone(house: House) -> None:
    house.run(load(house, "warm", SEATS))
    step = found(house)
    step.decode = list
    assert house.run(step) == [b"ok", 1, 1]
    assert house.run(step) == [b"ok", 0, 2]


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
        forbidden.append(Seat(seat, category=category if state != "sold" else other, status="sold"))
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
    return _warming._found("seatlock", house.show, PLAN, _warming.Settings(max_hold_ms=1000, outbox=True))


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
