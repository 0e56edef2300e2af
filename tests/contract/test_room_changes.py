"""What a waiting room publishes, read from a cursor on: enough to tell everybody in the line how it moves."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from seatlock import InvalidRequest
from seatlock.waiting_room import LetIn, RoomChange, RoomChanges
from tests.support.stage import Stage, only_on


def follow(stage: Stage, cursor: str | None = None) -> tuple[list[RoomChange], str]:
    """All there is after a cursor, read part by part."""
    entries: list[RoomChange] = []
    while True:
        found = stage.room.changes(stage.show, cursor)
        assert not found.gap
        if not found.entries:
            return entries, found.cursor
        entries += found.entries
        cursor = found.cursor


def test_everybody_who_is_let_in_is_told_of(stage: Stage) -> None:
    show = stage.open_room(batch=2)
    entries, cursor = follow(stage)
    assert [(one.room, one.admitted) for one in entries] == [("early", ()), ("open", ())]
    stage.join("ada", "bo", "cy")
    assert (stage.let_in(), stage.let_in()) == (["ada", "bo"], ["cy"])
    stage.room.sold_out(show)
    entries, cursor = follow(stage, cursor)
    assert [(one.admitted, one.room) for one in entries] == [
        ((LetIn("ada", 1), LetIn("bo", 2)), None),
        ((LetIn("cy", 3),), None),
        ((), "sold_out"),
    ]
    before = stage.everything()
    assert stage.room.changes(show, cursor) == RoomChanges(show, (), cursor, gap=False)
    assert stage.everything() == before


def test_positions_can_be_told_from_it(stage: Stage) -> None:
    """Between what the let-in and the gone before a place may be, its position is bounded by what the stream says."""
    show = stage.open_room(batch=3)
    line = [f"h-{number}" for number in range(30)]
    positions = {holder: place.position for holder, place in zip(line, stage.join(*line), strict=True)}
    _, cursor = follow(stage)
    gone = 0
    for step in range(5):
        for _ in range(2):
            stage.room.leave(show, line.pop(step * 2))
        stage.let_in()
        entries, cursor = follow(stage, cursor)
        for one in entries:
            for each in one.admitted:
                line.remove(each.holder)
                for holder in line:
                    positions[holder] -= each.place < int(holder[2:]) + 1
        gone = entries[-1].gone
        for holder in line:
            position = stage.room.status(show, holder).position
            assert positions[holder] - gone <= position <= positions[holder]
    assert gone == 10


def test_those_who_only_leave_are_told_of_by_the_pump(stage: Stage) -> None:
    show = stage.open_room()
    stage.join("ada", "bo", "cy")
    _, cursor = follow(stage)
    stage.room.pause(show)
    for holder in ("ada", "bo"):
        stage.room.leave(show, holder)
    (paused,), cursor = follow(stage, cursor)
    assert (paused.room, paused.gone) == ("paused", 0)
    stage.room.admit(show)
    (moved,), cursor = follow(stage, cursor)
    assert (moved.served, moved.gone, moved.admitted, moved.room) == (0, 2, (), None)
    stage.room.admit(show)
    stage.room.tidy(show)
    assert follow(stage, cursor) == ([], cursor), "once"


def test_what_was_trimmed_is_a_gap(stage: Stage) -> None:
    show = stage.open_room(batch=1)
    stage.join("ada", "bo")
    stage.let_in()
    stage.let_in()
    early, opened, ada, bo = follow(stage)[0]
    stage.raw.xtrim(stage.key("admissions"), maxlen=2, approximate=False)
    assert stage.room.changes(show, early.cursor) == RoomChanges(show, (ada, bo), bo.cursor, gap=True)
    assert stage.room.changes(show, opened.cursor) == RoomChanges(show, (ada, bo), bo.cursor, gap=False)
    assert stage.room.changes(show) == stage.room.changes(show, opened.cursor)


def test_it_can_be_written_down(stage: Stage) -> None:
    stage.open_room()
    stage.join("ada")
    stage.let_in()
    found = stage.room.changes(stage.show)
    assert msgspec.json.decode(msgspec.json.encode(found), type=RoomChanges) == found


@only_on("redis-7")
@pytest.mark.parametrize(
    "wrong",
    ["", "5", "-", "1-", "-1", "1-1-1", " 1-1", "1-1\n", "a-b", "1-" + "9" * 15, "\u0663-\u0661", b"1-1", 5, 1.0, True],
    ids=repr,
)
def test_what_is_no_cursor_is_refused(stage: Stage, wrong: Any) -> None:
    room, client = stage.watched_room()
    with pytest.raises(InvalidRequest, match="give the cursor of an earlier answer"):
        room.changes(stage.show, wrong)
    assert client.sent == []
