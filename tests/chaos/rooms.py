"""Every script of the waiting room, as a call that is ready to be sent, with something to do for each of its writes."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, Final

import redis
from msgspec.structs import replace

from seatlock._operation import Operation
from seatlock.waiting_room import Pass, RoomSettings, WaitingRoom, _changes
from seatlock.waiting_room import _commands as commands
from seatlock.waiting_room._core import RoomCore
from tests.support.keyspace import base

NS: Final = "seatlock"
SETTINGS: Final = RoomSettings(max_length=100, rate=100, per=60.0, burst=100)
Prepare = Callable[[WaitingRoom, redis.Redis, str], Operation[Any]]
_numbers = itertools.count()
_core = RoomCore(NS, 5.0, None, None)


def fresh_room(room: WaitingRoom, settings: RoomSettings = SETTINGS) -> str:
    """Make a room of its own, which is early."""
    show = f"chaos-room-{next(_numbers)}"
    room.prepare(show, settings)
    return show


def _line(room: WaitingRoom, show: str, *holders: str) -> None:
    room.open(show)
    for holder in holders:
        room.join(show, holder)


def _asks(verb: str, show: str, *holders: str) -> Operation[Any]:
    return commands.of_asks(NS, [getattr(_core, verb)(show, holder) for holder in holders])


def _join(room: WaitingRoom, _: redis.Redis, show: str) -> Operation[Any]:
    _line(room, show, "ada")
    return _asks("join", show, "bo", "ada", "cy")


def _join_early(room: WaitingRoom, _: redis.Redis, show: str) -> Operation[Any]:
    room.join(show, "ada")
    return _asks("join", show, "bo", "ada", "cy")


def _heartbeat(room: WaitingRoom, _: redis.Redis, show: str) -> Operation[Any]:
    """One was let in, the other comes back out of silence."""
    _line(room, show, "ada", "bo")
    room.admit(show, most=1)
    _.hset(base(show) + "room", mapping={"low": 3})
    _.setbit(base(show) + "here:0", 2, 0)
    return _asks("heartbeat", show, "ada", "bo")


def _status(room: WaitingRoom, _: redis.Redis, show: str) -> Operation[Any]:
    _line(room, show, "ada", "bo")
    return _asks("status", show, "ada", "bo")


def _leave(room: WaitingRoom, _: redis.Redis, show: str) -> Operation[Any]:
    _line(room, show, "ada", "bo", "cy")
    room.admit(show, most=1)
    return _asks("leave", show, "ada", "cy")


def _renew(room: WaitingRoom, _: redis.Redis, show: str) -> Operation[Any]:
    _line(room, show, "ada")
    room.admit(show)
    held = room.heartbeat(show, "ada").pass_
    return commands.of_asks(NS, [_core.renew(held)])


def _admit(room: WaitingRoom, _: redis.Redis, show: str) -> Operation[Any]:
    _line(room, show, "ada", "bo", "cy")
    return commands.admit(NS, show, 2, 1000)


def _tidy(room: WaitingRoom, raw: redis.Redis, show: str) -> Operation[Any]:
    """A pass has ended, a place was silent for too long, and the line is being looked at."""
    _line(room, show, "ada", "bo", "cy")
    room.admit(show, most=1)
    raw.zadd(base(show) + "passes", {"ada": 1})
    raw.setbit(base(show) + "kept:0", 2, 0)
    raw.hset(base(show) + "room", "walked", 0)
    return commands.tidy(NS, show)


def _turn(room: WaitingRoom, raw: redis.Redis, show: str) -> Operation[Any]:
    _line(room, show, "ada", "bo")
    raw.hset(base(show) + "room", mapping={"here_at": 1, "kept_at": 1})
    return commands.tidy(NS, show)


def _drawing(room: WaitingRoom, show: str) -> None:
    for holder in ("ada", "bo", "cy"):
        room.join(show, holder)
    room.close_early(show)


def _close_early(room: WaitingRoom, _: redis.Redis, show: str) -> Operation[Any]:
    room.join(show, "ada")
    return commands.close_early(NS, show)


def _draw(room: WaitingRoom, _: redis.Redis, show: str) -> Operation[Any]:
    _drawing(room, show)
    return commands.draw(NS, show, {"ada": 5, "cy": 3})


def _seat_drawn(room: WaitingRoom, _: redis.Redis, show: str) -> Operation[Any]:
    _drawing(room, show)
    room._run(commands.draw(NS, show, {"ada": 5, "bo": 4, "cy": 3}))
    return commands.seat_drawn(NS, show)


def _note_draw(room: WaitingRoom, _: redis.Redis, show: str) -> Operation[Any]:
    _drawing(room, show)
    room._run(commands.note_tags(NS, show, 0, b"x" * 96))
    return commands.note_draw(NS, show, "digest", "beacon", 1)


def _note_tags(room: WaitingRoom, _: redis.Redis, show: str) -> Operation[Any]:
    _drawing(room, show)
    return commands.note_tags(NS, show, 0, b"x" * 96)


def _made(settings: RoomSettings, show: str) -> Operation[Any]:
    times = dict.fromkeys(("per", "reservation", "pass_ttl", "grace", "keep", "poll"), 60_000)
    return commands.prepare(NS, show, settings, times, "seed", "commitment")


def _make(_room: WaitingRoom, raw: redis.Redis, show: str) -> Operation[Any]:
    raw.delete(base(show) + "room")
    return _made(SETTINGS, show)


def _paused(room: WaitingRoom, _: redis.Redis, show: str) -> Operation[Any]:
    room.open(show)
    return commands.set_status(NS, show, "paused")


def _served(room: WaitingRoom, _: redis.Redis, show: str) -> Operation[Any]:
    _line(room, show, "ada")
    return commands.served(NS, show)


ROOM_CALLS: Final[dict[str, Prepare]] = {
    "join": _join,
    "join early": _join_early,
    "heartbeat": _heartbeat,
    "place": _status,
    "leave": _leave,
    "renew": _renew,
    "admit": _admit,
    "tidy": _tidy,
    "turn": _turn,
    "room": _make,
    "settings": lambda _room, _raw, show: _made(replace(SETTINGS, batch=7), show),
    "room_status": _paused,
    "close_early": _close_early,
    "open_at": lambda _room, _raw, show: commands.open_at(NS, show, 2**48),
    "draw": _draw,
    "seat_drawn": _seat_drawn,
    "note_draw": _note_draw,
    "note_tags": _note_tags,
    "served": _served,
    "room_changes": lambda _room, _raw, show: _changes.changes(NS, show, 5, 6),
}
ROOM_READS: Final = frozenset(["place", "served", "room_changes"])


# Verbs, as they are called through a door whose replies are lost


def _pass_of(room: WaitingRoom, show: str) -> Pass:
    _line(room, show, "ada", "bo")
    room.admit(show, most=1)
    held = room.heartbeat(show, "ada").pass_
    assert held is not None
    return held


def _let_in(room: WaitingRoom, show: str) -> None:
    _line(room, show, "ada", "bo", "cy")
    room.admit(show, most=2)


def _three(room: WaitingRoom, show: str) -> None:
    _line(room, show, "ada", "bo", "cy")


def _drawn(room: WaitingRoom, show: str) -> None:
    _drawing(room, show)
    room.open(show)


ROOM_VERBS: Final[dict[str, tuple[Callable[[WaitingRoom, str], Any], Callable[[Any, str, Any], Any]]]] = {
    "join": (_three, lambda door, show, _: door.join(show, "di")),
    "join again": (_three, lambda door, show, _: door.join(show, "bo")),
    "heartbeat": (_let_in, lambda door, show, _: door.heartbeat(show, "ada")),
    "leave": (_let_in, lambda door, show, _: door.leave(show, "ada")),
    "renew": (_pass_of, lambda door, _, held: door.renew(held)),
    "admit": (_three, lambda door, show, _: door.admit(show, most=2)),
    "pause": (_three, lambda door, show, _: door.pause(show)),
    "open": (_drawing, lambda door, show, _: door.open(show, outside="beacon")),
    "draw_record": (_drawn, lambda door, show, _: door.draw_record(show)),
    "prepare": (lambda *_: None, lambda door, show, _: door.prepare(show, SETTINGS)),
}
