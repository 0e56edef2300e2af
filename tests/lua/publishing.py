"""Scenarios of what a waiting room publishes: how the line moved, who was let in, and what a reader gets of it."""

from __future__ import annotations

from typing import Any

from seatlock import ScriptFailed, ShowNotFound
from seatlock.waiting_room import LetIn, _changes
from tests.lua.arguments import WITHOUT_ZERO, refused
from tests.lua.hall import STREAM, Hall
from tests.lua.house import House
from tests.lua.scenario import scenario, to_the_millisecond


def told(hall: Hall, after: str | None = None) -> list[Any]:
    """What a reader gets, in short: who was let in or the status, and how the line stands."""
    found = hall.room.changes(hall.show, after)
    return [(one.room or [each.holder for each in one.admitted], one.served, one.gone) for one in found.entries]


@scenario
def how_the_line_moves(house: House) -> None:
    hall = Hall(house, grace=30, keep=100).open()
    hall.joins("ada", "bo", "cy", "di", "eve")
    assert hall.let_in(most=1) == ["ada"]
    assert told(hall) == [("early", 0, 0), ("open", 0, 0), (["ada"], 1, 0)]
    hall.asked("leave", ["bo", "ada", "di", "bo", "nobody"])  # a pass is no place
    cursor = hall.room.changes(hall.show).cursor
    with house.unchanged():
        assert told(hall, cursor) == []
    assert hall.let_in(most=0) == []
    assert told(hall, cursor) == [([], 1, 2)]
    hall.asked("leave", ["eve"])
    hall.room.tidy(hall.show)
    assert told(hall, cursor) == [([], 1, 2), ([], 1, 3)]
    with house.unchanged():
        hall.let_in(most=0)
    hall.room.tidy(hall.show)
    assert told(hall, cursor) == [([], 1, 2), ([], 1, 3)], "told once"
    hall.silence()
    assert hall.let_in() == []  # passed over
    assert told(hall, cursor)[2:] == [([], 5, 3)]
    hall.audit()
    hall.forget()
    assert told(hall, cursor)[3:] == [([], 5, 4)]
    hall.room.pause(hall.show)
    assert told(hall, cursor)[4:] == [("paused", 5, 4)]
    hall.audit()


@scenario
def a_crowd_that_goes_is_told_once(house: House) -> None:
    hall = Hall(house, grace=30, keep=100).open()
    names = hall.crowd(900)
    cursor = hall.room.changes(hall.show).cursor
    for at in range(0, 200, 10):
        hall.asked("leave", names[at : at + 10])
    hall.forget()
    assert told(hall, cursor) == [([], 0, 200), ([], 0, 900)]
    hall.audit()


@scenario
def who_had_a_pass_is_not_gone(house: House) -> None:
    """An admission that was stopped half-way left the place beside the pass."""
    hall = Hall(house, grace=30, keep=100).open()
    hall.joins("ada", "bo", "cy")
    assert hall.let_in(most=2) == ["ada", "bo"]
    house.raw.zadd(house.key("queue"), {"ada": 1, "bo": 2})
    hall.asked("leave", ["ada"])
    hall.prepare(pass_ttl=9000)
    hall.room.renew(hall.room.status(hall.show, "bo").pass_)  # type: ignore[arg-type] - who was let in has one
    hall.forget()
    assert (hall.fact("gone"), hall.members("queue")) == ("1", {})
    hall.audit()


@to_the_millisecond
def a_room_that_is_made_anew_is_later(house: House) -> None:
    house.open()
    hall = Hall(house).open()
    old = hall.room.changes(hall.show)
    assert not old.gap
    assert old.entries[0].cursor == f"{house.now}-1"
    hall.joins("ada", "bo")
    hall.let_in()
    house.sound = False
    house.locker.retire(house.show)
    house.failing(ShowNotFound, lambda: hall.room.changes(hall.show, old.cursor))
    house.tick_to(house.now + 1)
    hall.prepare()
    anew = hall.room.changes(hall.show, old.cursor)
    assert (anew.gap, [one.room for one in anew.entries], anew.cursor) == (True, ["early"], f"{house.now}-1")
    assert not hall.room.changes(hall.show, anew.cursor).gap
    # a clock that was set back: the cursor is later than the whole stream
    assert hall.room.changes(hall.show, f"{house.now + 5}-7") == anew
    house.raw.delete(house.key(STREAM))
    lost = hall.room.changes(hall.show, anew.cursor)
    assert (lost.entries, lost.cursor, lost.gap) == ((), anew.cursor, True)


@scenario
def a_reader_that_was_away(house: House) -> None:
    hall = Hall(house).open()
    hall.joins("ada", "bo", "cy")
    for _ in range(3):
        hall.let_in(most=1)
    entries = hall.room.changes(hall.show).entries
    cursors = [one.cursor for one in entries]
    assert [one.admitted for one in entries[2:]] == [(LetIn(*each),) for each in (("ada", 1), ("bo", 2), ("cy", 3))]
    house.raw.xtrim(house.key(STREAM), minid=cursors[2], approximate=False)
    with house.unchanged():
        for at, cursor in enumerate(cursors):
            found = hall.room.changes(hall.show, cursor)
            assert found.gap == (at == 0), "what came right before the oldest is no gap"
            assert (found.entries, found.cursor) == (entries[max(at + 1, 2) :], cursors[-1])
    house.raw.xdel(house.key(STREAM), cursors[3])
    assert hall.room.changes(hall.show, cursors[3]).gap
    assert hall.room.changes(hall.show, cursors[3]).entries == entries[4:]


@scenario
def a_long_stream_is_read_in_parts(house: House) -> None:
    hall = Hall(house).open()
    made, version = hall.fact("made"), int(hall.fact("version"))
    head = {"served": 0, "gone": 0}
    for number in range(1, 1206):
        house.raw.xadd(house.key(STREAM), head, id=f"{made}-{version + number}")
    for number in range(30):
        names = {place: f"h{place}" for place in range(1 + number * 1000, 1001 + number * 1000)}
        house.raw.xadd(house.key(STREAM), {**head, **names}, id=f"{made}-{version + 1206 + number}")
    cursor, sizes = None, []
    while (found := hall.room.changes(hall.show, cursor)).entries:
        sizes.append((len(found.entries), sum(len(one.admitted) for one in found.entries)))
        cursor = found.cursor
    assert sizes == [(1000, 0), (220, 13_000), (10, 10_000), (7, 7_000)]
    house.sound = False


@scenario
def how_much_is_kept(house: House) -> None:
    """Entries are trimmed by the names in them: half a million to a million stay."""
    hall = Hall(house, rate=10**6, per=1.0, burst=10**6, max_length=10_000).open()
    hall.crowd(800)
    for _ in range(4):
        assert len(hall.let_in(most=100)) == 100
    assert hall.fact("trim") == "0 0 0"
    for admitted in (500_000, 999_999, 1_500_000):
        hall.put_fact("admitted", str(admitted))
        assert len(hall.let_in(most=100)) == 100
    assert hall.fact("trim") == "7 9 1500100"
    oldest = hall.room.changes(hall.show).entries[0].cursor
    assert oldest in {f"{hall.fact('made')}-{version}" for version in range(1, 8)}, "whole nodes go, no more"
    hall.put_fact("trim", "9 9 9 9")
    with house.unchanged():
        house.failing(ScriptFailed, lambda: hall.room.admit(hall.show))


@scenario
def cursors_that_are_none(house: House) -> None:
    hall = Hall(house).open()
    for at in (0, 1):
        refused(house, _changes.changes("seatlock", hall.show, 5, 6), at, WITHOUT_ZERO)
    hall.joins("ada")
    hall.put_fact("gone", "-1")
    with house.unchanged():
        for call in (lambda: hall.asked("leave", ["ada"]), lambda: hall.room.tidy(hall.show)):
            house.failing(ScriptFailed, call)
