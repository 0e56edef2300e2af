"""Before a waiting room opens: the early, the list of them that closes, and the draw of their order."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from seatlock.errors import InvalidRequest, ScriptFailed, ShowNotFound, WaitingRoomClosed, WaitingRoomFull
from seatlock.waiting_room import Place, RoomSettings, _commands, draw
from seatlock.waiting_room._commands import STEP
from seatlock.waiting_room.draw import Draw, Participants, commitment_of
from tests.support.stage import Stage, only_on


def prepared(stage: Stage, early: int = 0, **settings: Any) -> list[str]:
    """A room that has not opened, with so many people in it."""
    stage.room.prepare(stage.show, RoomSettings(**settings))
    names = [f"h-{number}" for number in range(early)]
    stage.crowd(names)
    return names


def order_of(stage: Stage, names: list[str]) -> list[str]:
    """Names in the order of their positions, which must be 1, 2, 3 …."""
    at = {stage.room.status(stage.show, name).position: name for name in names}
    return [at[position] for position in range(1, len(names) + 1)]


def test_the_early_have_no_order(stage: Stage) -> None:
    prepared(stage, poll=4)
    place = Place(stage.show, "ada", "early", "early", ask_again=4.0)
    assert stage.join("ada", "ada") == [place, place]
    assert (place.position, place.ahead, place.number) == (None, None, None)
    assert stage.room.status(stage.show, "ada") == place
    assert stage.room.heartbeat(stage.show, "ada") == place
    assert stage.let_in() == []
    served = stage.room.served(stage.show)
    assert (served.room, served.number, served.length) == ("early", 0, 0)


def test_the_early_may_leave(stage: Stage) -> None:
    names = prepared(stage, 3)
    assert stage.room.leave(stage.show, names[1]) is True
    assert stage.room.leave(stage.show, names[1]) is False
    assert stage.room.close_early(stage.show).count == 2


def test_the_early_fill_a_room_too(stage: Stage) -> None:
    prepared(stage, 2, max_length=2)
    for _ in range(2):
        with pytest.raises(WaitingRoomFull):
            stage.join("late")
        stage.room.close_early(stage.show)
    stage.room.open(stage.show)
    with pytest.raises(WaitingRoomFull):
        stage.join("late")


def test_opening_draws_their_order(stage: Stage) -> None:
    names = prepared(stage, 30)
    drawn = stage.room.open(stage.show, outside="the beacon says 17")
    assert isinstance(drawn, Draw)
    assert drawn.check() == []
    assert (drawn.show, drawn.outside, drawn.commitment) == (
        stage.show,
        "the beacon says 17",
        commitment_of(drawn.seed),
    )
    order = order_of(stage, names)
    assert [drawn.position(name) for name in order] == list(range(1, 31))
    assert drawn.position("a stranger") is None
    assert stage.let_in() == order, "who was early is present"


def test_the_seed_is_committed_to_before_anybody_comes(stage: Stage) -> None:
    commitment = stage.room.prepare(stage.show)
    assert stage.room.prepare(stage.show, RoomSettings(poll=2)) == commitment
    stage.join("ada", "bo")
    assert stage.room.prepare(stage.show) == commitment
    assert stage.room.open(stage.show).commitment == commitment


def test_whoever_comes_while_they_draw_stands_behind_them(stage: Stage) -> None:
    names = prepared(stage, 5)
    stage.room.close_early(stage.show)
    late = stage.join("late", "later", "late")
    assert [(place.state, place.room, place.number, place.position) for place in late] == [
        ("waiting", "drawing", 6, 6),
        ("waiting", "drawing", 7, 7),
        ("waiting", "drawing", 6, 6),
    ]
    assert stage.room.heartbeat(stage.show, "later").position == 7
    assert stage.join(names[0])[0].state == "early"
    assert stage.let_in() == [], "nobody is let in while they draw"
    assert stage.room.served(stage.show).position_at_most(7) >= 7
    stage.room.open(stage.show)
    assert stage.let_in()[5:] == ["late", "later"]


def test_the_list_of_the_early_stays_as_it_is_once_it_is_closed(stage: Stage) -> None:
    names = prepared(stage, 3)
    closed = stage.room.close_early(stage.show)
    stage.join("late")
    assert stage.room.leave(stage.show, names[0]) is False
    assert stage.room.leave(stage.show, "late") is True
    assert stage.room.close_early(stage.show) == closed
    assert (closed.count, len(closed.tags)) == (3, 96)
    drawn = stage.room.open(stage.show)
    assert (drawn.digest, drawn.tags) == (closed.digest, closed.tags)
    with pytest.raises(InvalidRequest, match="nobody in it is early any more"):
        stage.room.close_early(stage.show)
    assert stage.room.leave(stage.show, names[0]) is True, "once they are drawn, anybody may leave"


def test_a_room_without_early_people_opens_as_well(stage: Stage) -> None:
    prepared(stage)
    for _ in range(2):
        assert stage.room.open(stage.show) is None
        with pytest.raises(InvalidRequest, match="no record of a draw: nobody was early"):
            stage.room.draw_record(stage.show)
    assert stage.join("ada")[0].position == 1


def test_the_record_can_be_had_at_any_time(stage: Stage) -> None:
    names = prepared(stage, STEP + 7)
    for _ in range(2):
        with pytest.raises(InvalidRequest, match="no record of a draw: nobody has been drawn yet"):
            stage.room.draw_record(stage.show)
        closed = stage.room.close_early(stage.show)
    drawn = stage.room.open(stage.show, outside="beacon")
    assert (drawn.check(), drawn.digest, drawn.tags) == ([], closed.digest, closed.tags)
    order = order_of(stage, names)
    assert [drawn.position(name) for name in order[:20]] == list(range(1, 21))
    for name in order[:3]:
        stage.room.leave(stage.show, name)
    stage.let_in()
    assert stage.room.draw_record(stage.show) == drawn, "also when people have left the line"
    stage.room.pause(stage.show)
    assert stage.room.open(stage.show, outside="too late") == drawn
    stage.room.sold_out(stage.show)
    assert stage.other_room().draw_record(stage.show) == drawn


@pytest.mark.parametrize("early", [1, STEP - 1, STEP, STEP + 1, _commands.PARTS * STEP])
@only_on("redis-7")
def test_a_record_of_any_length_is_whole(stage: Stage, early: int) -> None:
    prepared(stage, early)
    drawn = stage.room.open(stage.show)
    assert (drawn.count, drawn.check()) == (early, [])
    assert stage.room.draw_record(stage.show) == drawn


def test_a_record_that_was_lost_or_changed_is_none(stage: Stage) -> None:
    """The line is as it was, and whoever opens the room is told."""
    prepared(stage, STEP + 7)
    drawn = stage.room.open(stage.show)
    key = stage.key("record")
    whole = stage.raw.hgetall(key)
    for spoil in (
        lambda: stage.raw.hdel(key, "1"),
        lambda: stage.raw.hset(key, "1", b"x" * 32 * 7),
        lambda: stage.raw.hset(key, "2", b"x" * 32),
        lambda: stage.raw.delete(key),
    ):
        spoil()
        for read in (stage.room.draw_record, stage.room.open):
            with pytest.raises(ScriptFailed, match="not that of the digest that was noted"):
                read(stage.show)
        assert stage.room.served(stage.show).room == "open"
        stage.raw.delete(key)
        stage.raw.hset(key, mapping=whole)
    assert stage.room.draw_record(stage.show) == drawn


@only_on("redis-7")
def test_a_show_that_was_retired_has_no_record(stage: Stage) -> None:
    stage.open()
    prepared(stage, 3)
    stage.room.open(stage.show)
    stage.locker.retire(stage.show)
    assert not stage.raw.exists(stage.key("record"))
    with pytest.raises(ShowNotFound):
        stage.room.draw_record(stage.show)
    prepared(stage)
    assert stage.raw.hgetall(stage.key("record")) == {b"": b""}


def test_more_people_than_a_step_of_the_draw_takes(stage: Stage) -> None:
    names = prepared(stage, 2 * STEP + 7)
    drawn = stage.room.open(stage.show, outside="x")
    assert drawn.check() == []
    order = order_of(stage, names)
    tags = {tag: at for at, tag in enumerate(drawn.order(), 1)}
    assert len(tags) == len(names)
    assert [drawn.position(name) for name in (order[0], order[700], order[-1])] == [1, 701, len(names)]


def test_a_paused_room_must_be_drawn_first(stage: Stage) -> None:
    prepared(stage, 2)
    for _ in range(2):
        with pytest.raises(InvalidRequest, match="2 people came early"):
            stage.room.pause(stage.show)
        stage.room.close_early(stage.show)
    stage.room.open(stage.show)
    stage.room.pause(stage.show)
    assert stage.let_in() == []


@pytest.mark.parametrize("word", ["close_room", "sold_out"])
def test_a_room_that_was_closed_before_it_opened_can_open_still(stage: Stage, word: str) -> None:
    names = prepared(stage, 4)
    getattr(stage.room, word)(stage.show)
    with pytest.raises(InvalidRequest, match="nobody in it is early any more"):
        stage.room.close_early(stage.show)
    with pytest.raises(WaitingRoomClosed):
        stage.join("late")
    assert stage.room.status(stage.show, names[0]).state == "early"
    drawn = stage.room.open(stage.show)
    assert drawn.check() == []
    assert [drawn.position(name) for name in order_of(stage, names)] == [1, 2, 3, 4]
    assert stage.join("late")[0].position == 5


@pytest.mark.parametrize("word", ["close_room", "sold_out"])
def test_a_room_that_was_closed_while_they_drew_can_open_still(stage: Stage, word: str) -> None:
    names = prepared(stage, 4)
    closed = stage.room.close_early(stage.show)
    stage.join("late")
    getattr(stage.room, word)(stage.show)
    assert stage.room.leave(stage.show, names[0]) is False, "the list is published: it cannot change"
    drawn = stage.room.open(stage.show)
    assert drawn.digest == closed.digest
    assert drawn.check() == []
    assert order_of(stage, [*names, "late"])[4] == "late"


@only_on("redis-7")
def test_what_is_published_serialises(stage: Stage) -> None:
    prepared(stage, 3)
    closed = stage.room.close_early(stage.show)
    drawn = stage.room.open(stage.show)
    for told in (closed, drawn):
        assert msgspec.json.decode(msgspec.json.encode(told), type=type(told)) == told
    assert isinstance(closed, Participants)
    assert "tags" not in repr(closed) + repr(drawn)


@only_on("redis-7")
@pytest.mark.parametrize("outside", [b"x", 17, "", "x" * 257, "a\nb"])
def test_an_outside_value_is_text(stage: Stage, outside: object) -> None:
    room, client = stage.watched_room()
    with pytest.raises(InvalidRequest, match="outside"):
        room.open(stage.show, outside=outside)
    assert client.sent == []


@only_on("redis-7", "cluster")
def test_names_of_every_kind_are_drawn(stage: Stage) -> None:
    prepared(stage)
    names = ["ß", "日本語", "a b", "x" * 256, "-inf", "(1", "+inf", "0", "NX", "\U0001f3ab", "\ue000"]
    stage.join(*names)
    drawn = stage.room.open(stage.show)
    assert drawn.check() == []
    assert [drawn.position(name) for name in order_of(stage, names)] == list(range(1, len(names) + 1))


@only_on("redis-7", "redis-6.2")
def test_equal_numbers_are_drawn_as_anyone_recomputes_them(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draw, "BITS", 2)  # four numbers for all of them
    names = [*prepared(stage, 40), "ß", "\U0001f3ab", "\ue000"]
    stage.join(*names)
    drawn = stage.room.open(stage.show)
    assert [drawn.position(name) for name in order_of(stage, names)] == list(range(1, len(names) + 1))
