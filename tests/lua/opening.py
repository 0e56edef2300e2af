"""Scenarios of who is early, of the draw of their order, and of the opening."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from seatlock import InvalidRequest, ScriptFailed
from seatlock.waiting_room import _commands as commands
from seatlock.waiting_room.draw import Draw, Participants
from tests.lua.hall import Hall
from tests.lua.house import House
from tests.lua.scenario import scenario

TAGS: Final = b"x" * 64


def drawing(hall: Hall, *holders: str) -> Hall:
    """A room whose early are to be drawn."""
    hall.prepare()
    hall.joins(*holders)
    hall.room.close_early(hall.show)
    return hall


def noted(hall: Hall) -> Participants:
    """Write and seal the record of those who are to be drawn: gives it."""
    listed = hall.room.close_early(hall.show)
    hall.house.run(commands.note_tags("seatlock", hall.show, 0, listed.tags))
    hall.house.run(commands.note_draw("seatlock", hall.show, listed.digest, "beacon", 1))
    return listed


def record_of(house: House) -> dict[str, bytes]:
    """The parts of the record, the sentinel among them."""
    return {part.decode(): tags for part, tags in house.raw.hgetall(house.key("record")).items()}


@scenario
def the_early(house: House) -> None:
    hall = Hall(house).prepare()
    with house.unchanged():
        assert hall.let_in() == []
    assert hall.joins("ada", "ada", "bo", "cy") == ["early"] * 4
    with house.unchanged():
        assert hall.joins("ada") == hall.beat("bo") == ["early"]
        assert hall.asked("status", ["cy"])[0].state == "early"
        told = house.failing(InvalidRequest, lambda: hall.room.pause(hall.show))
        assert "have no order yet" in str(told)
        assert "open_at(None)" in str(told)
    assert hall.room.leave(hall.show, "bo")
    listed = hall.room.close_early(hall.show)
    assert (listed.count, hall.fact("status"), hall.fact("early")) == (2, "drawing", "2")
    with house.unchanged():
        assert hall.room.close_early(hall.show) == listed
        assert hall.asked("leave", ["ada", "eve"]) == [False, False]  # nobody can change the list
    late = hall.room.join(hall.show, "di")
    assert (late.number, late.ahead, late.wait) == (3, 2, None)
    record = hall.room.open(hall.show, outside="beacon")
    assert record is not None
    assert (record.check(), record.digest, record.outside) == ([], listed.digest, "beacon")
    places = hall.members("queue")
    assert (sorted(places), sorted(places.values()), places["di"]) == (["ada", "cy", "di"], [1, 2, 3], 3)
    assert [record.position(holder) for holder in ("ada", "cy", "di")] == [places["ada"], places["cy"], None]
    assert hall.let_in() == sorted(places, key=places.__getitem__)  # who was early is present
    assert house.failing(InvalidRequest, lambda: hall.room.close_early(hall.show))
    hall.audit()


@scenario
def a_room_that_opens_by_itself(house: House) -> None:
    hall = Hall(house).prepare()
    hall.joins("ada")
    at = house.now / 1000 + 3600
    for _ in range(2):
        hall.room.open_at(hall.show, at)
        opens_in = hall.room.served(hall.show).opens_in
        assert opens_in is not None
        assert 3500 < opens_in <= 3600
    assert hall.room.status(hall.show, "ada").opens_in is not None
    with house.unchanged():
        house.failing(InvalidRequest, lambda: hall.room.open_at(hall.show, at - 7200))
    house.advance(3700)
    with house.unchanged():
        hall.room.open_at(hall.show, at)
    assert hall.room.served(hall.show).opens_in == 0
    hall.room.open(hall.show)
    assert hall.room.served(hall.show).opens_in is None
    hall.room.pause(hall.show)
    assert hall.room.served(hall.show).opens_in is None, "what is done by hand forgets the time"
    hall.room.open_at(hall.show, at + 7200)
    hall.room.pause(hall.show)
    assert hall.fact("opens") == "0", "also where it is so already"
    for word in ("open", "close_room", "sold_out"):
        getattr(hall.room, word)(hall.show)
        with house.unchanged():
            error = house.failing(InvalidRequest, lambda: hall.room.open_at(hall.show, at + 7200))
            hall.room.open_at(hall.show, None)
        assert "no pump opens it" in str(error)
    hall.room.pause(hall.show)
    hall.room.open_at(hall.show, at + 7200)
    hall.room.open_at(hall.show, None)
    assert hall.room.served(hall.show).opens_in is None
    hall.room.open_at(hall.show, at + 7200)
    hall.room.close_room(hall.show)
    assert hall.room.served(hall.show).opens_in is None


def in_time(hall: Hall) -> Any:
    """Open the room as a pump does: whether that was done, and the record."""
    return hall.room._follow(hall.core.open_in_time(hall.show, None))


@scenario
def a_room_that_a_pump_opens(house: House) -> None:
    hall = Hall(house).prepare()
    hall.joins("ada")
    with house.unchanged():
        assert in_time(hall) == (False, None), "no time is set"
    at = house.now / 1000 + 3600
    hall.room.open_at(hall.show, at)
    with house.unchanged():
        assert in_time(hall) == (False, None)
    house.advance(3700)
    opened, drawn = in_time(hall)
    assert (opened, drawn.count, hall.fact("status")) == (True, 1, "open")
    paused = commands.set_status("seatlock", hall.show, "open", due=True)
    for word in ("open", "pause", "sold_out", "close_room"):  # what is done by hand stays
        getattr(hall.room, word)(hall.show)
        with house.unchanged():
            assert in_time(hall) == (False, None)
            assert house.run(paused) is None
    hall.room.pause(hall.show)
    hall.room.open_at(hall.show, at + 7200)
    house.advance(7200)
    assert in_time(hall) == (True, drawn)
    assert hall.fact("status") == "open"
    hall.audit()


@scenario
def a_draw_step_by_step(house: House) -> None:
    hall = drawing(Hall(house), "ada", "bo", "cy")
    show, run = hall.show, house.run
    with house.unchanged():
        assert run(commands.seat_drawn("seatlock", show)) == ("drawing", -1)
    assert run(commands.note_tags("seatlock", show, 0, TAGS)) == ("drawing", "")
    noted = run(commands.note_draw("seatlock", show, "digest", "beacon", 1))
    with house.unchanged():
        assert run(commands.note_draw("seatlock", show, "other", "value", 7)) == noted
        assert run(commands.note_tags("seatlock", show, 0, b"y" * 32)) == ("drawing", "digest")
    assert run(commands.draw("seatlock", show, {"eve": 1, "bo": 9, "cy": 7})) == ("drawing", 1)
    assert hall.members("drawn") == {"cy": 7, "bo": 9}
    with house.unchanged():
        assert hall.joins("cy", "ada") == hall.beat("cy", "ada") == ["early"] * 2
        assert [place.state for place in hall.asked("status", ["cy", "ada"])] == ["early"] * 2
        assert hall.words("leave", "cy", "ada", "eve") == ["kept", "kept", "gone"]
        assert run(commands.draw("seatlock", show, {"cy": 1})) == ("drawing", 1)
    assert run(commands.draw("seatlock", show, {"ada": 9})) == ("drawing", 0)
    house.raw.zadd(house.key("queue"), {"cy": 1})  # a call that was stopped behind its first write
    assert run(commands.seat_drawn("seatlock", show)) == ("drawing", 0)
    assert hall.members("queue") == {"cy": 1, "ada": 2, "bo": 3}  # of equal numbers the ids decide
    assert [hall.present(place) for place in (1, 2, 3, 4)] == [True, True, True, False]
    with house.unchanged():
        assert hall.words("leave", "cy", "ada", "bo") == ["kept"] * 3
        assert run(commands.seat_drawn("seatlock", show)) == ("drawing", 0)
    assert hall.joins("di") == [4]
    assert hall.room.leave(show, "di")
    run(commands.set_status("seatlock", show, "open"))
    with house.unchanged():
        seated = run(commands.seat_drawn("seatlock", show))
        assert seated == run(commands.draw("seatlock", show, {"ada": 1})) == ("open", 0)
    hall.audit()


@scenario
def a_record_part_by_part(house: House) -> None:
    hall = Hall(house).prepare()
    show, run = hall.show, house.run
    tags, note = commands.note_tags, commands.note_draw
    hall.joins("ada", "bo")
    with house.unchanged():  # nobody's list is closed yet
        assert run(tags("seatlock", show, 0, TAGS)) == ("early", "")
        assert run(note("seatlock", show, "digest", "", 0)).participants == ""
        assert "nobody has been drawn" in str(house.failing(InvalidRequest, lambda: hall.room.draw_record(show)))
    hall.room.close_early(show)
    with house.unchanged():
        for call in [tags("seatlock", show, 0, wrong) for wrong in (b"", b"x" * 31, b"x" * 33)]:
            assert "no list of tags" in str(house.failing(ScriptFailed, partial(run, call)))
        assert run(note("seatlock", show, "digest", "", 1)) is None, "it is not there"
    for parts in ((1,), (0, 1, 2, 3), (1, 2)):  # one is lost; some are of a list that was longer; or both
        for part in parts:
            assert run(tags("seatlock", show, part, TAGS)) == ("drawing", "")
        assert run(note("seatlock", show, "digest", "", 2)) is None
        assert record_of(house) == {"": b""}
    for part in (0, 1, 1):
        run(tags("seatlock", show, part, TAGS))
    hall.room.close_room(show)
    with house.unchanged():
        assert run(tags("seatlock", show, 0, b"y" * 32)) == ("closed", "")
        assert run(note("seatlock", show, "digest", "", 2)).participants == ""
    run(commands.close_early("seatlock", show, reopen=True))
    assert run(note("seatlock", show, "digest", "", 2)).participants == "digest"
    with house.unchanged():
        assert run(tags("seatlock", show, 1, b"y" * 32)) == ("drawing", "digest")
        assert run(note("seatlock", show, "other", "value", 2)).outside == "", "nothing from outside is noted, too"
        assert "that was noted" in str(house.failing(ScriptFailed, lambda: hall.room.draw_record(show)))
    hall.audit()


@scenario
def a_record_that_has_lost_its_sentinel(house: House) -> None:
    hall = drawing(Hall(house), "ada")
    house.raw.delete(house.key("record"))
    record = hall.room.open(hall.show)
    assert record is not None
    assert hall.room.draw_record(hall.show) == record
    assert record_of(house) == {"0": record.tags}


@scenario
def a_record_of_nobody(house: House) -> None:
    hall = Hall(house).prepare()
    hall.room.close_early(hall.show)
    assert hall.room.open(hall.show) is None
    with house.unchanged():
        assert "nobody was early" in str(house.failing(InvalidRequest, lambda: hall.room.draw_record(hall.show)))


@scenario
def many_early(house: House) -> None:
    hall = Hall(house, max_length=2000).prepare()
    names = hall.crowd(1101)
    record = hall.room.open(hall.show)
    assert record is not None
    places = hall.members("queue")
    assert (sorted(places), sorted(places.values())) == (sorted(names), [*range(1, 1102)])
    assert [record.position(name) for name in names[:3]] == [places[name] for name in names[:3]]
    assert [len(tags) for _, tags in sorted(record_of(house).items())] == [0, 16000, 16000, 3232]
    assert hall.room.draw_record(hall.show) == record
    hall.audit()


@scenario
def a_room_that_was_closed_while_its_order_was_drawn(house: House) -> None:
    hall = drawing(Hall(house, keep=100), *(f"h{number}" for number in range(9)))
    listed = noted(hall)
    house.run(commands.draw("seatlock", hall.show, {"h0": 7, "h1": 3}))
    hall.joins("late")
    hall.room.sold_out(hall.show)
    hall.elapse(400)
    assert hall.asked("leave", ["h0", "h5"]) == [False, False]
    with house.unchanged():
        house.failing(InvalidRequest, lambda: hall.room.close_early(hall.show))
    record = hall.room.open(hall.show)
    assert isinstance(record, Draw)
    assert (record.check(), record.digest, len(hall.members("queue"))) == ([], listed.digest, 10)
    assert hall.members("queue")["late"] == 10
    hall.audit()


@scenario
def a_room_that_was_closed_between_draw_and_seats(house: House) -> None:
    """Nobody is left among the early, and the last one has a number and no place."""
    hall = drawing(Hall(house), "ada")
    noted(hall)
    house.run(commands.draw("seatlock", hall.show, {"ada": 0}))
    assert hall.words("leave", "ada") == ["kept"]
    hall.room.close_room(hall.show)
    assert hall.words("leave", "ada") == ["kept"]
    record = hall.room.open(hall.show)
    assert record is not None
    assert (record.check(), hall.members("queue")) == ([], {"ada": 1})
    hall.audit()


@scenario
def a_room_that_was_closed_while_people_were_early(house: House) -> None:
    hall = Hall(house).prepare()
    hall.joins("ada", "bo")
    hall.room.close_room(hall.show)
    assert hall.joins("ada", "cy") == ["early", "WaitingRoomClosed"]
    assert isinstance(hall.room.open(hall.show), Draw)
    assert sorted(hall.let_in()) == ["ada", "bo"]
    hall.audit()


@scenario
def a_long_draw(house: House) -> None:
    """However long it takes, whoever has a place already is present when the room opens, and keeps it."""
    hall = drawing(Hall(house, grace=30, keep=100), "ada", "bo")
    noted(hall)
    house.run(commands.draw("seatlock", hall.show, {"ada": 7, "bo": 3}))
    house.run(commands.seat_drawn("seatlock", hall.show))
    hall.elapse(400)
    hall.room.open(hall.show)
    hall.room.tidy(hall.show)
    assert hall.let_in() == ["bo", "ada"]
    hall.audit()


@scenario
def a_draw_that_was_cut_off_and_closed(house: House) -> None:
    """Some have their places, the others none yet: all find theirs when the room opens after all."""
    hall = drawing(Hall(house, grace=30, keep=100), "ada", "bo", "cy")
    noted(hall)
    house.run(commands.draw("seatlock", hall.show, {"ada": 7, "bo": 3, "cy": 9}))
    house.run(commands.seat_drawn("seatlock", hall.show))
    house.raw.zadd(house.key("drawn"), {"cy": 9})
    house.raw.zrem(house.key("queue"), "cy")
    hall.room.close_room(hall.show)
    hall.elapse(400)
    hall.room.open(hall.show)
    hall.room.tidy(hall.show)
    assert hall.let_in() == ["bo", "ada", "cy"]
    hall.audit()
