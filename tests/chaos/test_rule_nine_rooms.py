"""A script of the waiting room does all of it or nothing: wrong types, full memory, no ids, odd arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
import redis

from seatlock import ScriptFailed, SeatLockError
from seatlock._operation import Operation
from seatlock.waiting_room import WaitingRoom
from tests.chaos.rooms import ROOM_CALLS, ROOM_READS, fresh_room
from tests.chaos.test_rule_nine import LAST_ID, full
from tests.support.keyspace import base, dump
from tests.support.servers import BACKENDS, RedisServer

# What these scripts do not look at, or replace whole: the older bitmaps, and what a lost room left behind.
INDIFFERENT: Final = {
    *((name, key) for name in ("join", "heartbeat", "seat_drawn", "join early") for key in ("here:1", "kept:1")),
    *(("turn", key) for key in ("here:0", "here:1", "kept:0", "kept:1", "grants")),
    *(("room", key) for key in ("queue", "passes", "grants", "early", "drawn", "admissions", "record")),
    *(("room", key) for key in ("here:0", "here:1", "kept:0", "kept:1")),
    *(("settings", key) for key in ("queue", "passes", "grants", "early", "drawn", "admissions", "record")),
    *(("settings", key) for key in ("here:0", "here:1", "kept:0", "kept:1")),
    ("close_early", "queue"),
}


@pytest.fixture(scope="module", params=["redis-7", "redis-6.2"])
def server(request: pytest.FixtureRequest, server_of: Callable[[str], RedisServer]) -> RedisServer:
    return server_of(request.param)


@pytest.fixture(scope="module")
def raw(server: RedisServer) -> Iterator[redis.Redis]:
    with server.unix_client() as client:
        yield client


def carry_out(room: WaitingRoom, operation: Operation[Any]) -> Any:
    """Send a script call: gives its answer, or the error."""
    try:
        return room._run(operation)
    except SeatLockError as error:
        return error


def keys_of(name: str, raw: redis.Redis) -> list[str]:
    """What follows the show in the keys of a call."""
    room = WaitingRoom(raw)
    show = fresh_room(room)
    return [key.decode().removeprefix(base(show)) for key in ROOM_CALLS[name](room, raw, show).keys]


@pytest.mark.parametrize("name", ROOM_CALLS)
def test_each_key_in_turn_has_another_type(raw: redis.Redis, name: str) -> None:
    room = WaitingRoom(raw)
    for key in keys_of(name, raw):
        show = fresh_room(room)
        call = ROOM_CALLS[name](room, raw, show)
        found = base(show) + key
        there = raw.exists(found)
        if there:
            raw.rename(found, "aside{" + show + "}")
        raw.rpush(found, "something else")
        before = dump(raw, show)
        answer = carry_out(room, call)
        if (name, key) in INDIFFERENT:
            assert not isinstance(answer, Exception), (key, answer)
            continue
        assert isinstance(answer, ScriptFailed), (key, answer)
        assert "WRONGTYPE" in str(answer)
        assert dump(raw, show) == before, key
        raw.delete(found)
        if there:
            raw.rename("aside{" + show + "}", found)
        right = dump(raw, show)
        assert not isinstance(carry_out(room, call), Exception)  # with all keys right it works
        assert (dump(raw, show) == right) == (name in ROOM_READS)


@pytest.fixture(scope="module", params=BACKENDS)
def any_server(request: pytest.FixtureRequest, server_of: Callable[[str], RedisServer]) -> RedisServer:
    return server_of(request.param)


def test_a_full_server_takes_nothing_and_gives_back(any_server: RedisServer) -> None:
    """What would take memory is refused whole; leaving and closing work, and all who are there stay."""
    with any_server.unix_client() as raw:
        room = WaitingRoom(raw)
        shows = {name: fresh_room(room) for name in ROOM_CALLS}
        calls = {name: ROOM_CALLS[name](room, raw, show) for name, show in shows.items()}
        before = {name: dump(raw, show) for name, show in shows.items()}
        with full(raw):
            answers = {name: carry_out(room, call) for name, call in calls.items()}
        for name, show in shows.items():
            refused = name not in {"heartbeat", "leave", "room_status", "tidy", "turn", *ROOM_READS}
            assert isinstance(answers[name], ScriptFailed) == refused, (name, answers[name])
            if refused:
                assert "OOM" in str(answers[name]) or "maxmemory" in str(answers[name])
            assert (dump(raw, show) == before[name]) == (refused or name in ROOM_READS), name
        for name, call in calls.items():
            if name not in ROOM_READS:
                assert not isinstance(carry_out(room, call), Exception), name


def test_who_is_heard_of_on_a_full_server_does_not_fall_silent(any_server: RedisServer) -> None:
    with any_server.unix_client() as raw:
        room = WaitingRoom(raw)
        show = fresh_room(room)
        room.open(show)
        for holder in ("eve", "ada", "bo"):
            room.join(show, holder)
        room.admit(show, most=1)
        for _ in range(2):
            raw.hset(base(show) + "room", "here_at", 1)
            with full(raw):
                assert room.heartbeat(show, "ada").position == 1
                assert room.tidy(show) == (0, 0)
        assert [one.holder for one in room.admit(show).admitted] == ["ada"]


def test_the_silent_leave_a_full_server(any_server: RedisServer) -> None:
    """Also where no pass has ended."""
    with any_server.unix_client() as raw:
        room = WaitingRoom(raw)
        show = fresh_room(room)
        room.open(show)
        for holder in ("ada", "bo", "cy"):
            room.join(show, holder)
        left = []
        for _ in range(2):
            raw.hset(base(show) + "room", "kept_at", 1)
            with full(raw):
                left.append(room.tidy(show))
                assert room.heartbeat(show, "bo").number == 2
        assert left == [(0, 0), (0, 2)]
        assert (room.served(show).length, room.changes(show).entries[-1].gone) == (1, 2)


def test_who_leaves_a_full_server_is_told_of_where_a_pass_ends(any_server: RedisServer) -> None:
    """An admission that lets nobody in begins with what it frees, and then tells how the line moved."""
    with any_server.unix_client() as raw:
        room = WaitingRoom(raw)
        show = fresh_room(room)
        room.open(show)
        for holder in ("eve", "ada"):
            room.join(show, holder)
        room.admit(show, most=1)
        room.pause(show)
        raw.zadd(base(show) + "passes", {"eve": 1})
        with full(raw):
            assert room.leave(show, "ada")
            assert room.admit(show).live == 0
            assert raw.zcard(base(show) + "passes") == 1, "the sentinel"
        assert (room.changes(show).entries[-1].served, room.changes(show).entries[-1].gone) == (1, 1)


@pytest.mark.parametrize("name", sorted(ROOM_CALLS.keys() - ROOM_READS))
def test_the_stream_has_no_ids_left(raw: redis.Redis, name: str) -> None:
    room = WaitingRoom(raw)
    show = fresh_room(room)
    call = ROOM_CALLS[name](room, raw, show)
    raw.xadd(base(show) + "admissions", {"last": "entry"}, id=LAST_ID)
    before = dump(raw, show)
    answer = carry_out(room, call)
    if name in ("admit", "room_status", "tidy", "turn"):
        assert isinstance(answer, ScriptFailed), answer
        assert dump(raw, show) == before
    else:
        assert not isinstance(answer, Exception)


ODD: Final = (
    *("", " ", "None", "-1", "-0", "+5", "0.5", "600.0", "6e2", "1e400", "nan", "-nan", "inf", "Infinity", "0x10"),
    *("1_000", " 600", "600 ", "600\n", "600\0", "٦٠٠", "9" * 16, "9" * 400, str(2**63)),
)
NUMBERS: Final = {
    "renew": (1,),
    "admit": (0, 1),
    "draw": (1, 3),
    "note_draw": (2,),
    "note_tags": (0,),
    "room": (*range(12),),
    "settings": (*range(12),),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_what_is_no_number(raw: redis.Redis, name: str) -> None:
    room = WaitingRoom(raw)
    show = fresh_room(room)
    call = ROOM_CALLS[name](room, raw, show)
    right, before = call.args.copy(), dump(raw, show)
    for at in NUMBERS[name]:
        for odd in ODD:
            call.args[:] = [*right[:at], odd.encode(), *right[at + 1 :]]
            answer = carry_out(room, call)
            assert isinstance(answer, ScriptFailed), (at, odd)
            assert "SEATLOCK an argument" in str(answer), (at, odd)
    for length in range(len(right)):
        call.args[:] = right[:length]
        if name != "draw" or length % 2:  # of which fewer are a smaller batch
            assert isinstance(carry_out(room, call), ScriptFailed), length
    assert dump(raw, show) == before
    call.args[:] = right
    assert not isinstance(carry_out(room, call), Exception)
