"""Scenarios of shows that require admission: who is asked for a pass, when, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from seatlock import AcquireRequest, Hold, NotAdmitted, SaleNotOpen, ScriptFailed, SeatsUnavailable, ShowNotFound
from seatlock import _commands as commands
from seatlock.waiting_room import _commands as room_commands
from tests.lua.arguments import NUMBERS, refused
from tests.lua.hall import Hall
from tests.lua.house import T1, T2, House
from tests.lua.scenario import scenario, to_the_millisecond


def opened(house: House, **settings: Any) -> Hall:
    """Open a sale that requires admission, and its room."""
    house.open(**settings)
    hall = Hall(house).open()
    hall.room.prepare(house.show, hall.settings, required=True)
    return hall


def turned_away(house: House, call: Callable[[], Any]) -> None:
    """A call is refused, and changes nothing."""
    with house.unchanged():
        house.failing(NotAdmitted, call)


@scenario
def a_show_that_requires_admission(house: House) -> None:
    hall = opened(house)
    assert house.meta("admission") == "1"
    turned_away(house, lambda: house.acquire("A-1"))
    turned_away(house, lambda: house.best(("A-1",)))
    hall.joins("ada", "bo")
    turned_away(house, lambda: house.acquire("A-1"))
    assert hall.let_in(most=1) == ["ada"]
    hold = house.acquire("A-1", token=T1)
    assert house.best(("A-2",), ("A-3",), token=T2).seats == ("A-2",)
    turned_away(house, lambda: house.acquire("A-4", holder="bo"))
    hall.room.leave(house.show, "ada")
    # replay and resume come before
    assert house.acquire("A-1", token=T1).fence == hold.fence
    assert house.best(("A-2",), token=T2).seats == ("A-2",)
    assert house.acquire("A-2").resumed
    turned_away(house, lambda: house.acquire("A-1", "A-4", token=T1))
    turned_away(house, lambda: house.acquire("B-1"))
    house.locker.release(house.acquire("A-2", token=T2))
    turned_away(house, lambda: house.best(("A-2",), token=T2))
    house.locker.pause_sale(house.show)
    house.failing(SaleNotOpen, lambda: house.acquire("A-4"))
    house.failing(SaleNotOpen, lambda: house.best(("A-4",), token="d" * 32))
    house.locker.open_sale(house.show)
    hall.room.prepare(house.show, hall.settings, required=False)
    assert house.meta("admission") == "0"
    assert house.acquire("A-4", holder="bo").seats == ("A-4",)
    hall.room.prepare(house.show, hall.settings)
    assert house.meta("admission") == "0"


@scenario
def a_batch_of_the_admitted_and_others(house: House) -> None:
    hall = opened(house, limit=2)
    hall.joins("ada")
    hall.let_in()
    asks = [(("A-1",), "bo"), (("A-1",), "ada"), (("A-2",), "bo"), (("A-2",), "ada"), (("A-1",), "cy")]
    answers = house.locker.acquire_many(house.show, [AcquireRequest(seats, holder) for seats, holder in asks])
    assert [type(answer) for answer in answers] == [NotAdmitted, Hold, NotAdmitted, Hold, NotAdmitted]
    hall.joins("bo")
    hall.let_in()
    house.failing(SeatsUnavailable, lambda: house.acquire("A-1", holder="bo"))


@to_the_millisecond
def a_pass_to_the_millisecond(house: House) -> None:
    hall = opened(house)
    hall.joins("ada")
    hall.let_in()
    (deadline,) = hall.members("passes").values()
    house.tick_to(deadline)
    house.acquire("A-1")
    house.best(("A-2",), token=T2)
    house.tick_to(deadline + 1)
    turned_away(house, lambda: house.acquire("A-3"))
    turned_away(house, lambda: house.best(("A-3",), token="d" * 32))


@scenario
def a_purchase_ends_the_pass(house: House) -> None:
    hall = opened(house)
    hall.joins("ada", "bo", "cy")
    hall.let_in()
    first, second = house.acquire("A-1", token=T1), house.acquire("A-2", holder="bo", ttl=60)
    booking = house.locker.confirm(first, payment="pay")
    assert hall.members("passes").keys() == hall.grants().keys() == {"bo", "cy"}
    house.advance(90)
    hall.joins("ada")
    hall.let_in()
    assert house.locker.confirm(second, payment="pay", reclaim=True).seats == ("A-2",)
    assert hall.members("passes").keys() == hall.grants().keys() == {"ada", "cy"}
    with house.unchanged():
        assert house.locker.confirm(first, payment="pay") == booking
    hall.audit()
    # the sentinels are still there
    assert house.raw.zscore(house.key("passes"), "") == float("inf")
    assert house.raw.hexists(house.key("grants"), "")
    third = house.acquire("A-3", holder="cy")
    hall.room.prepare(house.show, hall.settings, required=False)
    house.locker.confirm(third)
    assert hall.members("passes").keys() == {"ada"}, "also where the sale does not ask for it"


@scenario
def a_purchase_takes_the_place_that_was_let_in(house: House) -> None:
    """An admission that was stopped half-way left it. A place that was taken since is another, and stays."""
    hall = opened(house)
    hall.joins("ada", "bo", "cy", "di")
    hall.let_in()
    holds = [house.acquire(f"A-{number}", holder=holder) for number, holder in enumerate(("ada", "bo", "cy"), 1)]
    house.raw.zadd(house.key("queue"), {"ada": 1, "bo": 7, "cy": 3, "di": 4})
    house.raw.zrem(house.key("passes"), "cy")
    for hold in holds:
        house.locker.confirm(hold)
    assert hall.members("queue") == {"bo": 7, "cy": 3, "di": 4}
    assert hall.members("passes").keys() == hall.grants().keys() == {"di"}
    assert house.raw.zscore(house.key("queue"), "") == float("inf")


@scenario
def passes_that_are_something_else(house: House) -> None:
    hall = opened(house)
    hall.joins("ada")
    hall.let_in()
    hold = house.acquire("A-1")
    asked = {
        "passes": [lambda: house.acquire("A-2"), lambda: house.best(("A-2",), token=T2)],
        "grants": [lambda: house.locker.confirm(hold), lambda: house.locker.confirm(hold, reclaim=True)],
    }
    asked["passes"] += asked["grants"]
    asked["queue"] = asked["grants"]
    for key, calls in asked.items():
        house.raw.rename(house.key(key), "aside")
        house.raw.lpush(house.key(key), "something else")
        for call in calls:
            with house.unchanged():
                assert "WRONGTYPE" in str(house.failing(ScriptFailed, call))
        house.raw.delete(house.key(key))
        house.raw.rename("aside", house.key(key))
    house.locker.confirm(hold)


@scenario
def a_room_that_is_something_else_is_not_retired(house: House) -> None:
    hall = opened(house)
    hall.joins("ada")
    parts = ("room", "queue", "passes", "grants", "early", "drawn", "here:0", "here:1", "kept:0", "kept:1")
    for part in (*parts, "admissions", "record"):
        house.raw.rename(house.key(part), "aside")
        house.raw.lpush(house.key(part), "something else")
        with house.unchanged():
            assert "WRONGTYPE" in str(house.failing(ScriptFailed, lambda: house.locker.retire(house.show)))
        house.raw.delete(house.key(part))
        house.raw.rename("aside", house.key(part))
    house.sound = False
    house.locker.retire(house.show)
    assert house.dump() == {}


@scenario
def an_admission_that_cannot_be_required(house: House) -> None:
    house.sound = False
    required = room_commands.require_admission("seatlock", house.show, required=True)
    with house.unchanged():
        house.failing(ShowNotFound, lambda: house.run(required))
    house.open()
    refused(house, required, 0, ("3", *NUMBERS[1:]))
    assert house.meta("admission") == ""
    house.raw.delete(house.key("meta"))
    house.raw.lpush(house.key("meta"), "something else")
    with house.unchanged():
        house.failing(ScriptFailed, lambda: house.run(required))


@scenario
def a_full_server_that_requires_admission(house: House) -> None:
    hall = opened(house)
    hall.joins("ada")
    hall.let_in()
    hold = house.acquire("A-1")
    with house.full(), house.unchanged():
        house.failing(ScriptFailed, lambda: house.locker.confirm(hold))
        operation = commands.of_asks("seatlock", [commands.acquire("seatlock", house.show, ["A-2"], "ada", 60, T1)])
        house.failing(ScriptFailed, lambda: house.run(operation))
    house.locker.confirm(hold)
    assert hall.members("passes") == {}
