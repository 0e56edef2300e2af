"""Scenarios of the line before a sale: joining, staying, leaving; who is early, and the draw of their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from seatlock import ScriptFailed, ShowNotFound
from seatlock.errors import WaitingRoomClosed, WaitingRoomFull
from seatlock.waiting_room import Pass
from seatlock.waiting_room import _commands as commands
from tests.lua.arguments import NUMBERS, WITHOUT_ZERO, refused
from tests.lua.hall import SETTINGS, Hall
from tests.lua.house import House
from tests.lua.opening import drawing
from tests.lua.scenario import scenario

MOST_PLACES = 2**32 - 1


@scenario
def places_in_the_line(house: House) -> None:
    hall = Hall(house).open()
    first = hall.room.join(hall.show, "ada")
    assert (first.state, first.number, first.ahead, first.position, first.room) == ("waiting", 1, 0, 1, "open")
    assert first.ask_again == hall.settings.poll
    assert hall.room.join(hall.show, "bo").ahead == 1
    with house.unchanged():
        assert hall.joins("ada", "bo", "ada") == [1, 2, 1]
    assert hall.joins("cy", "cy", "ada", "di") == [3, 3, 1, 4]
    assert hall.members("queue") == {"ada": 1, "bo": 2, "cy": 3, "di": 4}
    with house.unchanged():
        assert [place.ahead for place in hall.asked("status", ["di", "ada", "eve"])] == [3, 0, None]
        assert hall.beat("di", "eve") == [4, "gone"]
    assert [hall.present(place) for place in range(6)] == [False, True, True, True, True, False]
    hall.audit()


@scenario
def leaving_the_line(house: House) -> None:
    hall = Hall(house).open()
    hall.joins("ada", "bo", "cy")
    assert hall.asked("leave", ["bo", "bo", "eve"]) == [True, False, False]
    assert hall.members("queue") == {"ada": 1, "cy": 3}
    assert hall.room.status(hall.show, "cy").ahead == 1
    with house.unchanged():
        assert not hall.room.leave(hall.show, "bo")
    assert hall.joins("bo") == [4]
    assert hall.let_in(most=1) == ["ada"]
    assert hall.room.leave(hall.show, "ada")
    assert hall.members("passes") == hall.grants() == {}
    assert not hall.room.leave(hall.show, "ada")
    hall.audit()


@scenario
def a_full_room(house: House) -> None:
    hall = Hall(house, max_length=2).prepare()
    assert hall.joins("ada") == ["early"]
    hall.room.open(hall.show)
    assert hall.joins("bo", "cy", "bo") == [2, "WaitingRoomFull", 2]
    with house.unchanged():
        error = house.failing(WaitingRoomFull, lambda: hall.room.join(hall.show, "cy"))
        assert error.retry_after == hall.settings.poll
        assert hall.joins("ada", "bo") == [1, 2]
    hall.room.leave(hall.show, "ada")
    assert hall.joins("cy") == [3]
    hall.audit()


@scenario
def all_numbers_are_given(house: House) -> None:
    hall = Hall(house).open()
    hall.joins("ada")
    hall.put_fact("next", str(MOST_PLACES))
    with house.unchanged():
        assert "all places" in str(house.failing(ScriptFailed, lambda: hall.room.join(hall.show, "bo")))
        assert hall.joins("ada") == [1]


@scenario
def the_statuses_of_a_room(house: House) -> None:
    hall = Hall(house).open()
    hall.joins("ada")
    hall.room.pause(hall.show)
    assert hall.joins("bo") == [2]
    assert (hall.let_in(), hall.room.admit(hall.show).wait) == ([], None)
    hall.room.sold_out(hall.show)
    with house.unchanged():
        assert house.failing(WaitingRoomClosed, lambda: hall.room.join(hall.show, "cy")).status == "sold_out"
        place = hall.room.heartbeat(hall.show, "ada")
        assert (place.state, place.room, place.wait) == ("waiting", "sold_out", None)
        hall.room.sold_out(hall.show)
    hall.room.close_room(hall.show)
    assert house.failing(WaitingRoomClosed, lambda: hall.room.join(hall.show, "cy")).status == "closed"
    assert hall.room.open(hall.show) is None
    assert hall.let_in() == ["ada", "bo"]
    statuses = [entry["status"] for entry in hall.entries() if "status" in entry]
    assert statuses == ["early", "open", "paused", "sold_out", "closed", "open"]
    hall.audit()


@scenario
def settings_of_a_room(house: House) -> None:
    hall = Hall(house)
    commitment = hall.room.prepare(hall.show, hall.settings)
    hall.joins("ada")
    before = house.dump()
    assert hall.room.prepare(hall.show, hall.settings) == commitment
    assert house.dump() == before
    hall.prepare(concurrency=3, poll=7)
    assert (hall.fact("live"), hall.fact("poll"), hall.fact("status")) == ("3", "7000", "early")
    assert hall.room.join(hall.show, "bo").ask_again == 7
    house.raw.delete(house.key("room"))  # what is left of a room counts for nothing
    assert hall.room.prepare(hall.show, hall.settings) != commitment
    assert hall.members("early") == {}
    hall.audit()


def everything(hall: Hall) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Every call about a room, but the one that makes it."""
    show, room, run = hall.show, hall.room, hall.house.run
    for verb in ("join", "heartbeat", "status", "leave"):
        yield verb, lambda verb=verb: getattr(room, verb)(show, "ada")  # type: ignore[misc]
    yield "renew", lambda: room.renew(Pass(show, "ada", 1, 60.0, 2))
    yield "admit", lambda: room.admit(show)
    yield "tidy", lambda: room.tidy(show)
    yield "served", lambda: room.served(show)
    yield "room_status", lambda: room.pause(show)
    yield "close_early", lambda: room.close_early(show)
    yield "open_at", lambda: room.open_at(show, None)
    yield "draw", lambda: run(commands.draw("seatlock", show, {"ada": 5}))
    yield "seat_drawn", lambda: run(commands.seat_drawn("seatlock", show))
    yield "note_draw", lambda: run(commands.note_draw("seatlock", show, "digest", "beacon", 1))
    yield "note_tags", lambda: run(commands.note_tags("seatlock", show, 0, b"x" * 32))
    yield "draw_record", lambda: room.draw_record(show)


@scenario
def no_room(house: House) -> None:
    hall = Hall(house)
    for name, call in everything(hall):
        assert house.failing(ShowNotFound, call).show == hall.show, name
    assert house.dump() == {}


# --- what is broken


@scenario
def a_stream_that_is_ahead_of_the_room(house: House) -> None:
    hall = Hall(house).open()
    hall.joins("ada")
    house.raw.xadd(house.key("admissions"), {"status": "open"}, id=f"{2**64 - 1}-{2**64 - 1}")
    with house.unchanged():
        for call in (lambda: hall.room.admit(hall.show), lambda: hall.room.pause(hall.show)):
            assert "ahead of the version" in str(house.failing(ScriptFailed, call))


@scenario
def bitmaps_of_another_type(house: House) -> None:
    hall = drawing(Hall(house), "ada")
    house.run(commands.draw("seatlock", hall.show, {"ada": 5}))
    calls = [
        lambda: hall.room.join(hall.show, "bo"),
        lambda: hall.room.heartbeat(hall.show, "ada"),
        lambda: house.run(commands.seat_drawn("seatlock", hall.show)),
    ]
    for key in ("here:0", "kept:0"):
        house.raw.rename(house.key(key), "aside")
        house.raw.rpush(house.key(key), "something else")
        with house.unchanged():
            for call in calls:
                assert "WRONGTYPE" in str(house.failing(ScriptFailed, call))
        house.raw.rename("aside", house.key(key))


@scenario
def a_status_that_is_none(house: House) -> None:
    hall = Hall(house).open()
    operation = commands.set_status("seatlock", hall.show, "paused")
    with house.unchanged():
        for odd in (b"", b"early", b"drawing", b"OPEN"):
            operation.args[0] = odd
            assert "is open, paused, closed" in str(house.failing(ScriptFailed, lambda: house.run(operation)))


@scenario
def a_grant_that_says_nothing(house: House) -> None:
    hall = Hall(house).open()
    hall.joins("ada")
    hall.let_in()
    house.raw.hset(house.key("grants"), "ada", "1 2 3")
    with house.unchanged():
        for verb in ("join", "heartbeat", "status"):
            assert "a grant is nothing" in str(house.failing(ScriptFailed, lambda v=verb: hall.asked(v, ["ada"])))


@scenario
def numbers_that_are_none(house: House) -> None:
    hall = drawing(Hall(house), "ada")
    show, times = hall.show, dict.fromkeys(("per", "reservation", "pass_ttl", "grace", "keep", "poll"), 1000)
    made = commands.prepare("seatlock", show, SETTINGS, times, "seed", "commitment")
    for at in range(12):
        refused(house, made, at, WITHOUT_ZERO if made.args[at] in (b"0", b"2") else NUMBERS)
    new = commands.prepare("seatlock", "new-" + show, SETTINGS, times, "seed", "commitment")
    for count in range(len(new.args)):
        new.args = made.args[:count]
        house.failing(ScriptFailed, lambda: house.run(new))
    assert not house.raw.exists(*new.keys)
    refused(house, commands.draw("seatlock", show, {"ada": 1}), 1, (*WITHOUT_ZERO, str(2**49 + 1)))
    refused(house, commands.admit("seatlock", show, 1, 1), 0, WITHOUT_ZERO)
    refused(house, commands.admit("seatlock", show, 1, 1), 1, WITHOUT_ZERO)
    renewal = commands.of_asks("seatlock", [hall.core.renew(Pass(show, "ada", 1, 60.0, 1))])
    refused(house, renewal, 1, WITHOUT_ZERO)
    missing = [renewal, commands.draw("seatlock", show, {"ada": 1}), commands.admit("seatlock", show, 1, 1)]
    for operation in missing:
        operation.args.pop()
        with house.unchanged():
            house.failing(ScriptFailed, lambda operation=operation: house.run(operation))  # type: ignore[misc]
    nobody = commands.of_asks("seatlock", [hall.core.join(show, "ada")])
    nobody.args.clear()
    with house.unchanged():
        house.failing(ScriptFailed, lambda: house.run(nobody))
