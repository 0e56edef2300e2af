"""A request or a reply about a waiting room is lost, whichever it is: one effect in all, and the right answer."""

from __future__ import annotations

import re
from typing import Any, Final

import pytest
import redis

from seatlock.waiting_room import AsyncWaitingRoom, WaitingRoom
from tests.chaos.rooms import ROOM_VERBS, fresh_room
from tests.support.doors import COLOURS, attempt, plain
from tests.support.keyspace import base, dump
from tests.support.lockers import Blocking
from tests.support.proxy import ReplyProxy

SENT: Final = ("EVALSHA", "EVAL", "HMGET", "ZRANGE")
# What a verb says when it finds its work done already: its first try did it, unheard.
UNHEARD: Final = {"leave": ("True", "False")}
RANDOM: Final = (b"seed", b"commitment")
DRAWN: Final = ("open", "draw_record")  # whose order and record are others in each show


def picture(raw: redis.Redis, show: str) -> dict[str, Any]:
    """All of a room, without times and what is drawn by lot."""
    found = dump(raw, show)
    found["passes"] = sorted(found["passes"][1])
    room = found["room"][1]
    found["room"] = {name: value for name, value in room.items() if name not in RANDOM and not _is_a_time(value)}
    found["room"][b"pace"] = re.sub(rb"\d{13}", b"T", room[b"pace"])
    del found["room"][b"level"]  # it fills with time
    stream = found["admissions"][1][2]
    found["admissions"] = [(re.sub(rb"^\d{13}-", b"T-", entry), fields) for entry, fields in stream]
    return found


def _is_a_time(value: bytes) -> bool:
    return re.fullmatch(rb"\d{13}", value) is not None


class Run:
    """A verb called once, through the proxy, on a room of its own."""

    def __init__(self, raw: redis.Redis, proxy: ReplyProxy, colour: str, name: str) -> None:
        sure = WaitingRoom(raw)
        prepare, self._verb = ROOM_VERBS[name]
        self.show = fresh_room(sure)
        self._prepared = prepare(sure, self.show)
        if name == "open":  # so that two rooms draw the same order
            raw.hset(base(self.show) + "room", "seed", "a seed")
        if name == "prepare":
            raw.delete(base(self.show) + "room")
        self._proxy, self._colour = proxy, colour

    def call(self) -> Any:
        """Call it: gives the answer, without times and show."""
        door: Any = WaitingRoom if self._colour == "sync" else AsyncWaitingRoom
        door = door.from_url(self._proxy.url, socket_timeout=2.0)
        with door if self._colour == "sync" else Blocking(door) as opened:
            answer = attempt(lambda: self._verb(opened, self.show, self._prepared))
        self._proxy.heal()
        return _without_lot(plain(answer))


def _without_lot(answer: Any) -> Any:
    """Without times, and what is a digest of the show or of a seed."""
    return re.sub(r"\d+\.\d+|[0-9a-f]{64}|'tags': '[^']*'", "_", repr(answer))


def requests_of(proxy: ReplyProxy) -> int:
    """How many requests went through the proxy."""
    return sum(command in SENT for command in proxy.commands)


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("effect", ["lose_reply", "lose_request"])
@pytest.mark.parametrize("name", ROOM_VERBS)
def test_one_effect_and_the_right_answer(
    raw: redis.Redis, proxy: ReplyProxy, colour: str, name: str, effect: str
) -> None:
    """Each request of the verb in turn is the one that is lost."""
    Run(raw, proxy, colour, name).call()  # so that the server knows the scripts
    before = requests_of(proxy)
    clean = Run(raw, proxy, colour, name)
    answer = clean.call()
    requests = requests_of(proxy) - before
    assert requests >= 2
    for nth in range(1, requests + 1):
        lossy = Run(raw, proxy, colour, name)
        fault = getattr(proxy, effect)(*SENT, nth=nth)
        got = lossy.call()
        assert fault.fired == 1
        if name == "admit" and effect == "lose_reply" and nth == requests:
            twice(raw, lossy.show)
            continue
        assert picture(raw, lossy.show).keys() == picture(raw, clean.show).keys()
        if name not in DRAWN:
            assert picture(raw, lossy.show) == picture(raw, clean.show)
        unheard = answer.replace(*UNHEARD.get(name, ("", "")))
        assert got == (unheard if nth == requests and effect == "lose_reply" else answer)


def twice(raw: redis.Redis, show: str) -> None:
    """A lost reply to an admission loses nobody: those let in hear of it, and the next were let in by asking again."""
    room = WaitingRoom(raw)
    assert [room.heartbeat(show, holder).state for holder in ("ada", "bo", "cy")] == ["admitted"] * 3
    entries = room.changes(show).entries
    let_in = [[(one.place, one.holder) for one in entry.admitted] for entry in entries if not entry.room]
    assert let_in == [[(1, "ada"), (2, "bo")], [(3, "cy")]]
