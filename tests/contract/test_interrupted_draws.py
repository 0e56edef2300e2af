"""Draws that are cut off, that two make at once, or whose room is closed meanwhile."""

from __future__ import annotations

from contextlib import suppress

import pytest

from seatlock.errors import InvalidRequest, ScriptFailed, ServerUnavailable
from seatlock.waiting_room._commands import STEP
from seatlock.waiting_room.draw import Draw
from tests.contract.test_opening import order_of, prepared
from tests.support.lockers import Interrupted, cut_off_after
from tests.support.stage import Stage, only_on


def _record_of(stage: Stage) -> Draw | None:
    """The record of the draw, if there is one."""
    try:
        record: Draw = stage.room.draw_record(stage.show)
    except InvalidRequest:
        return None
    assert record.check() == []
    return record


@only_on("redis-7", "fakeredis")
def test_a_draw_that_was_cut_off_anywhere_ends_the_same(stage: Stage) -> None:
    """Each try is cut off one command later than the one before, and the next one goes on; another comes to the end."""
    names = prepared(stage, STEP + 20)
    closed = stage.room.close_early(stage.show)
    stage.join("late")
    cut, commands = 0, 1
    while cut < commands:
        room, client = stage.watched_room()
        client.before = cut_off_after(cut)
        begun = stage.raw.hget(stage.key("room"), "participants") != b""
        assert begun == (_record_of(stage) is not None), "whoever draws may go away: the record stays"
        try:
            room.open(stage.show, outside="first" if cut < 8 else "another")
        except Interrupted:
            cut += 1
            commands = cut + 1
            continue
        break
    assert cut > 6, "it takes many commands"
    order = order_of(stage, [*names, "late"])
    record = stage.room.draw_record(stage.show)
    assert (record.check(), record.digest, record.tags) == ([], closed.digest, closed.tags)
    assert [record.position(name) for name in order[:40]] == list(range(1, 41))
    assert record.position(order[STEP + 19]) == STEP + 20
    assert order[-1] == "late"


@only_on("redis-7")
@pytest.mark.parametrize("cut", range(2, 14))
def test_whoever_goes_on_with_a_draw_has_the_same_record(
    stage: Stage, cut: int, caplog: pytest.LogCaptureFixture
) -> None:
    names = prepared(stage, STEP + 20)
    closed = stage.room.close_early(stage.show)
    room, client = stage.watched_room()
    client.before = cut_off_after(cut)
    with pytest.raises(Interrupted):
        room.open(stage.show, outside="first")
    told = stage.raw.hget(stage.key("room"), "outside")
    with caplog.at_level("WARNING", "seatlock"):
        drawn = stage.room.open(stage.show, outside="second")
    assert ("with the outside value 'first'" in caplog.text) == (told == b"first")
    assert drawn.outside == (told.decode() or "second"), "what was written down first stays"
    assert (drawn.digest, drawn.tags) == (closed.digest, closed.tags)
    assert drawn.check() == []
    assert stage.room.draw_record(stage.show) == drawn
    assert [drawn.position(name) for name in order_of(stage, names)[:20]] == list(range(1, 21))


@only_on("redis-7")
@pytest.mark.parametrize("cut", range(4, 19))
def test_the_closed_list_stays_the_same_while_they_draw(stage: Stage, cut: int) -> None:
    prepared(stage, 2 * STEP + 20)
    closed = stage.room.close_early(stage.show)
    stage.join("late")
    room, client = stage.watched_room()
    client.before = cut_off_after(cut)
    with pytest.raises(Interrupted):
        room.open(stage.show)
    assert stage.room.close_early(stage.show) == closed
    stage.raw.hset(stage.key("room"), "participants", "0" * 64)
    with pytest.raises(ScriptFailed, match="not that of the digest"):
        stage.room.close_early(stage.show)


@only_on("redis-7")
def test_positions_are_exact_while_they_draw(stage: Stage) -> None:
    names = prepared(stage, STEP + 20)
    stage.room.close_early(stage.show)
    stage.join("late")
    room, client = stage.watched_room()

    def half_seated() -> bool:
        return bool(stage.raw.zcount(stage.key("queue"), 1, STEP) == STEP)

    def before(_: int) -> None:
        if half_seated():
            raise Interrupted

    client.before = before
    with pytest.raises(Interrupted):
        room.open(stage.show)
    places = [stage.room.status(stage.show, name) for name in names]
    assert sorted(place.position for place in places if place.state == "waiting") == list(range(1, STEP + 1))
    assert all(place.position == place.number for place in places if place.state == "waiting")
    assert stage.room.status(stage.show, "late").position == STEP + 21


@pytest.mark.parametrize("at", range(14))
@only_on("redis-7", colours=["sync"])
def test_two_who_open_at_once_draw_once(stage: Stage, at: int) -> None:
    """Between two commands of one who opens the room, another opens it, or the other way round."""
    names = prepared(stage, STEP + 20)
    closed = stage.room.close_early(stage.show)
    room, client = stage.watched_room()
    seen: list[Draw] = []

    def before(sent: int) -> None:
        if sent == at:
            seen.append(stage.room.open(stage.show, outside="theirs"))

    client.before = before
    mine = room.open(stage.show, outside="mine")
    assert len(seen) == 1
    record = seen[0]
    assert (record.digest, record.tags, record.check()) == (closed.digest, closed.tags, [])
    assert mine == record == stage.room.draw_record(stage.show)
    assert [record.position(name) for name in order_of(stage, names)[:20]] == list(range(1, 21))


@pytest.mark.parametrize("at", range(1, 9))
@only_on("redis-7", colours=["sync"])
def test_two_who_open_by_turns_draw_once(stage: Stage, at: int) -> None:
    """The one is cut off, the other takes a step at a time, and the first goes on in between."""
    names = prepared(stage, 2 * STEP + 20)
    closed = stage.room.close_early(stage.show)
    room, client = stage.watched_room()

    def before(sent: int) -> None:
        other, other_client = stage.watched_room()
        other_client.before = cut_off_after(at)
        with suppress(Interrupted):
            other.open(stage.show, outside="theirs")

    client.before = before
    mine = room.open(stage.show, outside="mine")
    assert (mine.digest, mine.tags, mine.check()) == (closed.digest, closed.tags, [])
    assert stage.room.draw_record(stage.show) == mine
    assert [mine.position(name) for name in order_of(stage, names)[:20]] == list(range(1, 21))


@pytest.mark.parametrize("at", range(1, 9))
@pytest.mark.parametrize("due", [False, True])
@pytest.mark.parametrize("word", ["close_room", "sold_out"])
@only_on("redis-7", colours=["sync"])
def test_a_draw_stops_at_once_where_the_room_is_closed(stage: Stage, at: int, due: bool, word: str) -> None:
    """By hand with an error that says so; a pump says nothing, and leaves the room as it is."""
    names = prepared(stage, STEP + 20)
    stage.raw.hset(stage.key("room"), "opens", 1)
    room, client = stage.watched_room()
    first: list[int] = []

    def before(sent: int) -> None:
        status = stage.raw.hget(stage.key("room"), "status")
        if status == b"drawing":
            first.append(sent)
            if len(first) == at:
                getattr(stage.room, word)(stage.show)

    client.before = before
    if due:
        assert room._follow(room._core.open_in_time(stage.show, None))[0] is False
    elif stage.raw.zcard(stage.key("early")) > 1:
        with suppress(InvalidRequest):
            room.open(stage.show)
    assert len(client.sent) < 20
    if due:
        assert stage.raw.hget(stage.key("room"), "status") == (b"sold_out" if word == "sold_out" else b"closed")
    stage.room.open(stage.show)
    assert len(set(order_of(stage, names))) == STEP + 20


@only_on("redis-7", colours=["sync"])
def test_an_opening_by_hand_says_that_the_room_was_closed_in_its_draw(stage: Stage) -> None:
    prepared(stage, STEP + 20)
    room, client = stage.watched_room()

    def before(_: int) -> None:
        if stage.raw.zcard(stage.key("drawn")) > 1:
            stage.room.close_room(stage.show)

    client.before = before
    with pytest.raises(InvalidRequest, match="was closed while the order"):
        room.open(stage.show)


@pytest.mark.parametrize("at", range(2, 16))
@only_on("redis-7", colours=["sync"])
def test_all_who_open_have_the_record(stage: Stage, at: int) -> None:
    """Another goes on with the draw, opens the room, and lets people in."""
    prepared(stage, 2 * STEP + 20, burst=1000, batch=1000)
    other, cut = stage.watched_room()
    cut.before = cut_off_after(6)
    with pytest.raises(Interrupted):
        other.open(stage.show)
    room, client = stage.watched_room()
    seen: list[Draw] = []

    def before(sent: int) -> None:
        if sent == at:
            seen.append(stage.room.open(stage.show))
            assert stage.let_in()

    client.before = before
    mine = room.open(stage.show)
    assert len(seen) == 1
    assert seen[0].check() == []
    assert mine == seen[0]


@pytest.mark.parametrize("at", range(3, 7))
@only_on("redis-7", colours=["sync"])
def test_parts_that_are_lost_before_the_draw_are_written_again(stage: Stage, at: int) -> None:
    """As in a failover: what one server has taken the next may not know."""
    prepared(stage, STEP + 20)
    closed = stage.room.close_early(stage.show)
    room, client = stage.watched_room()

    def before(sent: int) -> None:
        if sent == at:
            stage.raw.delete(stage.key("record"))
            stage.raw.hset(stage.key("record"), mapping={"2": b"x" * 32, "3": b"y" * 32})  # of a longer list

    client.before = before
    drawn = room.open(stage.show)
    assert (drawn.tags, drawn.check()) == (closed.tags, [])
    assert stage.room.draw_record(stage.show) == drawn


@only_on("redis-7")
def test_parts_that_are_lost_again_and_again_are_an_error(stage: Stage) -> None:
    names = prepared(stage, STEP + 20)
    room, client = stage.watched_room()
    client.before = lambda _: stage.raw.delete(stage.key("record"))
    with pytest.raises(ServerUnavailable, match="nobody lost a place: ask again"):
        room.open(stage.show)
    client.before = lambda _: None
    assert room.open(stage.show).check() == []
    assert len(order_of(stage, names)) == STEP + 20
