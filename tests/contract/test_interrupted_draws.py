"""Draws that are cut off, that two make at once, or whose room is closed meanwhile."""

from __future__ import annotations

from contextlib import suppress

import pytest

from seatlock.errors import InvalidRequest
from seatlock.waiting_room._commands import STEP
from seatlock.waiting_room.draw import Draw, commitment_of
from tests.contract.test_opening import order_of, prepared
from tests.support.lockers import Interrupted, cut_off_after
from tests.support.stage import Stage, only_on


def finished(stage: Stage, outside: str) -> Draw | None:
    """Open the room, as whoever comes after one who was cut off."""
    drawn: Draw | None = stage.room.open(stage.show, outside=outside)
    return drawn


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
        try:
            room.open(stage.show, outside="first" if cut < 8 else "another")
        except Interrupted:
            cut += 1
            commands = cut + 1
            continue
        break
    assert cut > 6, "it takes many commands"
    order = order_of(stage, [*names, "late"])
    seed, outside = stage.raw.hmget(stage.key("room"), "seed", "outside")
    record = Draw(stage.show, commitment_of(seed.decode()), seed.decode(), outside.decode(), closed.digest, closed.tags)
    assert record.check() == []
    assert [record.position(name) for name in order[:40]] == list(range(1, 41))
    assert record.position(order[STEP + 19]) == STEP + 20
    assert order[-1] == "late"


@only_on("redis-7")
@pytest.mark.parametrize("cut", range(4, 12))
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
    assert [drawn.position(name) for name in order_of(stage, names)[:20]] == list(range(1, 21))


@only_on("redis-7")
@pytest.mark.parametrize("cut", range(4, 10))
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
    with pytest.raises(InvalidRequest, match="is being drawn"):
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


@pytest.mark.parametrize("at", range(9))
@only_on("redis-7", colours=["sync"])
def test_two_who_open_at_once_draw_once(stage: Stage, at: int) -> None:
    """Between two commands of one who opens the room, another opens it, or the other way round."""
    names = prepared(stage, STEP + 20)
    closed = stage.room.close_early(stage.show)
    room, client = stage.watched_room()
    seen: list[Draw | None] = []

    def before(sent: int) -> None:
        if sent == at:
            seen.append(stage.room.open(stage.show, outside="theirs"))

    client.before = before
    mine = room.open(stage.show, outside="mine")
    assert len(seen) == 1
    record = seen[0]
    assert record is not None
    assert (record.digest, record.tags, record.check()) == (closed.digest, closed.tags, [])
    assert mine in (None, record)
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
    if mine is not None:
        assert (mine.digest, mine.tags, mine.check()) == (closed.digest, closed.tags, [])
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


@pytest.mark.parametrize("at", range(3, 12))
@only_on("redis-7", colours=["sync"])
def test_who_cannot_have_the_true_record_gives_none(stage: Stage, at: int) -> None:
    """Another goes on with the draw, opens the room, and lets people in."""
    prepared(stage, 2 * STEP + 20, burst=1000, batch=1000)
    other, cut = stage.watched_room()
    cut.before = cut_off_after(6)
    with pytest.raises(Interrupted):
        other.open(stage.show)
    room, client = stage.watched_room()
    seen: list[Draw | None] = []

    def before(sent: int) -> None:
        if sent == at:
            seen.append(stage.room.open(stage.show))
            assert stage.let_in()

    client.before = before
    mine = room.open(stage.show)
    assert len(seen) == 1
    assert seen[0] is not None
    assert seen[0].check() == []
    assert mine is None or (mine.check(), mine.tags) == ([], seen[0].tags)
