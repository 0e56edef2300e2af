"""Many requests in one call of a script: each is answered as if they came one after the other."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from seatlock._operation import Ask
from seatlock.errors import SeatLockError, WaitingRoomFull
from seatlock.waiting_room import Pass, Place, RoomSettings, WaitingRoom
from seatlock.waiting_room._commands import of_asks
from tests.support.stage import Stage, only_on

NAMES = ["ada", "bo", "ada", "cy", "bo", "ada", "di", "eve", "di"]


def together(stage: Stage, show: str, verb: str, requests: list[Any]) -> list[Any]:
    """One script call for all of them."""
    room: WaitingRoom = stage.doors.shared_room("sync")
    make = getattr(room._core, verb)
    asks: list[Ask[Any]] = [make(one) if verb == "renew" else make(show, one) for one in requests]
    found: list[Any] = room._run(of_asks("seatlock", asks))
    return found


def one_by_one(stage: Stage, show: str, verb: str, requests: list[Any]) -> list[Any]:
    """A call each."""
    return [one for request in requests for one in together(stage, show, verb, [request])]


def plain(answers: list[Any]) -> list[Any]:
    """Answers without what differs from show to show and from moment to moment."""
    found: list[Any] = []
    for answer in answers:
        if isinstance(answer, Place):
            left = answer.pass_
            held = left and (left.place, left.renewals, round(left.ttl / 10))
            found.append((answer.holder, answer.state, answer.number, answer.position, held))
        elif isinstance(answer, Pass):
            found.append((answer.holder, answer.place, answer.renewals, round(answer.ttl / 10)))
        else:
            found.append(type(answer) if isinstance(answer, SeatLockError) else answer)
    return found


def rooms(stage: Stage, *, opened: bool, admitted: int = 0, first: tuple[str, ...] = (), **settings: Any) -> list[str]:
    """Two rooms that are the same."""
    shows = [f"{stage.show}-{number}" for number in (1, 2)]
    for show in shows:
        stage.room.prepare(show, RoomSettings(**settings))
        if opened:
            stage.room.open(show)
        for holder in first:
            stage.room.join(show, holder)
        stage.room.admit(show, most=admitted)
    return shows


@only_on("redis-7", "fakeredis", colours=["sync"])
@pytest.mark.parametrize("verb", ["join", "heartbeat", "status", "leave"])
@pytest.mark.parametrize(
    "situation",
    [
        {"opened": True},
        {"opened": False},
        {"opened": True, "first": ("cy", "ada", "x")},
        {"opened": False, "first": ("cy", "ada", "x")},
        {"opened": True, "first": ("cy", "ada", "x"), "admitted": 2},
        {"opened": True, "first": ("cy",), "max_length": 3},
        {"opened": False, "first": ("cy",), "max_length": 3},
    ],
    ids=str,
)
def test_a_batch_is_answered_as_its_requests_would_be(stage: Stage, verb: str, situation: dict[str, Any]) -> None:
    one, other = rooms(stage, **situation)
    assert plain(together(stage, one, verb, NAMES)) == plain(one_by_one(stage, other, verb, NAMES))
    everyone = sorted({*NAMES, "x"})
    assert plain(together(stage, one, "status", everyone)) == plain(one_by_one(stage, other, "status", everyone))
    one_served, other_served = stage.room.served(one), stage.room.served(other)
    assert (one_served.length, one_served.live) == (other_served.length, other_served.live)


@only_on("redis-7", "fakeredis", colours=["sync"])
def test_renewals_in_a_batch(stage: Stage) -> None:
    shows = rooms(stage, opened=True, first=("ada", "bo", "cy"), admitted=2, renewals=2)
    answers = []
    for show, way in zip(shows, (together, one_by_one), strict=True):
        held = {holder: stage.room.heartbeat(show, holder).pass_ for holder in ("ada", "bo")}
        older = Pass(show, "ada", 1, 1.0, 1)
        wanted = [
            held["ada"],
            held["ada"],
            older,
            held["bo"],
            Pass(show, "ada", 1, 1.0, 0),
            Pass(show, "cy", 1, 1.0, 2),
        ]
        answers.append(plain(way(stage, show, "renew", wanted)))
    assert answers[0] == answers[1]
    assert [answer[2] for answer in answers[0][:4]] == [1, 1, 0, 1]


@only_on("redis-7", "cluster", colours=["async"])
def test_calls_at_the_same_time_share_script_calls(stage: Stage) -> None:
    """A thousand people join, are heard of and leave: a few script calls, and everybody has a place of their own."""
    show = stage.open_room(max_length=900)
    room, client = stage.watched_room()
    names = [f"h-{number}" for number in range(1000)]

    def all_at_once(verb: str) -> list[Any]:
        async def ask() -> list[Any]:
            calls = (getattr(room.wrapped, verb)(show, name) for name in names)
            return await asyncio.gather(*calls, return_exceptions=True)

        found: list[Any] = stage.doors.runner.run(ask())
        return found

    joined = all_at_once("join")
    assert len(client.sent) < 100
    assert sum(isinstance(answer, WaitingRoomFull) for answer in joined) == 100
    places = [answer for answer in joined if isinstance(answer, Place)]
    assert sorted(place.number for place in places) == list(range(1, 901))
    assert all(place.position == place.number for place in places)
    assert sum(answer.state == "waiting" for answer in all_at_once("heartbeat")) == 900
    assert all_at_once("leave").count(True) == 900
    assert stage.room.served(show).length == 0
