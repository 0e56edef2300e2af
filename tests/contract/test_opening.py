"""Before a waiting room opens: the early, the list of them that closes, and the draw of their order."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec
import pytest

from seatlock.errors import InvalidRequest, WaitingRoomClosed, WaitingRoomFull
from seatlock.waiting_room import Place, RoomSettings, draw
from seatlock.waiting_room._commands import STEP
from seatlock.waiting_room.draw import Draw, Participants, commitment_of
from tests.support.lockers import Interrupted, cut_off_after
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
    drawn = stage.room.open(stage.show)
    assert (drawn.tags, drawn.check(), drawn.order()) == (b"", [], [])
    assert stage.room.open(stage.show) is None
    assert stage.join("ada")[0].position == 1


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


# Interrupted


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
