"""What a waiting room is asked for is checked before anything is sent; who limits joins is asked first."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest

from seatlock.errors import InvalidRequest, ShowNotFound, WaitingRoomFull
from seatlock.waiting_room import RoomSettings
from seatlock.waiting_room.model import BIG_SALE
from tests.support.stage import Stage, only_on

WRONG_SETTINGS: list[dict[str, Any]] = [
    *({name: value} for name in ("max_length", "rate", "burst", "batch") for value in (0, -1, 1.0, "1", None, True)),
    *({"max_length": value} for value in (2**32, math.inf)),
    *({name: 10**6 + 1} for name in ("rate", "burst")),
    *({"batch": value} for value in (1001,)),
    *({"concurrency": value} for value in (0, -1, 1.5, 10**7 + 1, "5", False)),
    *({"renewals": value} for value in (-1, 1001, None, 1.0)),
    *(
        {name: value}
        for name in ("per", "reservation", "pass_ttl", "grace", "keep", "poll")
        for value in (0, -1.0, math.nan, math.inf, "5", None, True, 86_401, 0.0004)
    ),
]


@only_on("redis-7")
@pytest.mark.parametrize("wrong", WRONG_SETTINGS, ids=str)
def test_settings_that_are_none_are_refused(stage: Stage, wrong: dict[str, Any]) -> None:
    room, client = stage.watched_room()
    with pytest.raises(InvalidRequest, match=rf"settings\.{next(iter(wrong))}"):
        room.prepare(stage.show, RoomSettings(**wrong))
    assert client.sent == []


UNWORKABLE: list[dict[str, float]] = [
    {"grace": 11.999, "poll": 5.0},
    {"grace": 0.004, "poll": 0.002},
    {"keep": 29.999, "grace": 30.0},
    {"reservation": 4.999, "poll": 5.0},
]


@only_on("redis-7")
@pytest.mark.parametrize("wrong", UNWORKABLE, ids=str)
def test_settings_that_cannot_work_are_refused(stage: Stage, wrong: dict[str, float]) -> None:
    room, client = stage.watched_room()
    with pytest.raises(InvalidRequest, match=rf"settings\.{next(iter(wrong))} is shorter than"):
        room.prepare(stage.show, RoomSettings(**wrong))
    assert client.sent == []
    first = next(iter(wrong))
    room.prepare(stage.show, RoomSettings(**{**wrong, first: round(wrong[first] * 1.2 + 0.001, 3)}))


@only_on("redis-7")
@pytest.mark.parametrize("wrong", [{}, {"rate": 5}, 0, "fast", False, [], RoomSettings], ids=str)
def test_what_is_no_settings_is_refused(stage: Stage, wrong: object) -> None:
    room, client = stage.watched_room()
    with pytest.raises(InvalidRequest, match=r"settings must be seatlock\.RoomSettings"):
        room.prepare(stage.show, wrong)
    assert client.sent == []


@pytest.mark.parametrize(
    "extreme",
    [
        BIG_SALE,
        RoomSettings(
            max_length=2**32 - 1, rate=10**6, per=86_400, burst=10**6, concurrency=10**7, batch=1000, renewals=1000
        ),
        RoomSettings(max_length=1, rate=1, per=0.001, burst=1, concurrency=1, batch=1, renewals=0),
        RoomSettings(rate=10**6, per=0.001, burst=10**6),
        RoomSettings(reservation=86_400, pass_ttl=86_400, grace=86_400, keep=86_400, poll=36_000),
    ],
)
def test_extreme_settings_work(stage: Stage, extreme: RoomSettings) -> None:
    stage.room.prepare(stage.show, extreme)
    stage.room.open(stage.show)
    stage.join("ada")
    assert stage.let_in() == ["ada"]
    assert stage.room.admit(stage.show).wait is not None
    assert stage.room.heartbeat(stage.show, "ada").pass_.ttl == extreme.pass_ttl


def test_spans_of_time_may_be_timedeltas(stage: Stage) -> None:
    stage.open_room(per=timedelta(seconds=1), pass_ttl=timedelta(minutes=2), poll=timedelta(seconds=3))
    stage.join("ada")
    stage.let_in()
    assert stage.room.heartbeat(stage.show, "ada").pass_.ttl == 120.0
    assert stage.room.served(stage.show).ask_again == 3.0


def test_settings_change_nobodys_place(stage: Stage) -> None:
    show = stage.open_room(max_length=2, batch=1)
    stage.join("ada", "bo")
    with pytest.raises(WaitingRoomFull):
        stage.join("cy")
    stage.room.prepare(show, RoomSettings(max_length=3, batch=10))
    assert stage.join("ada", "bo", "cy")[2].position == 3
    stage.room.prepare(show, RoomSettings(max_length=1, batch=10))
    assert [place.position for place in stage.join("ada", "bo", "cy")] == [1, 2, 3], "nobody is put out"
    with pytest.raises(WaitingRoomFull):
        stage.join("di")
    assert stage.let_in() == ["ada", "bo", "cy"]


@only_on("redis-7")
@pytest.mark.parametrize("verb", ["join", "status", "heartbeat", "leave"])
@pytest.mark.parametrize(
    ("show", "holder"),
    [
        *(("s", wrong) for wrong in ("", "x" * 257, "a\nb", "\ud800", b"ada", None, 5, "\x00")),
        *((wrong, "ada") for wrong in ("", "a b", "{s}", "x" * 129, b"s", None, "s\n")),
    ],
    ids=repr,
)
def test_ids_are_checked_before_anything_is_sent(stage: Stage, verb: str, show: Any, holder: Any) -> None:
    room, client = stage.watched_room()
    with pytest.raises(InvalidRequest):
        getattr(room, verb)(show, holder)
    assert client.sent == []


@only_on("redis-7")
@pytest.mark.parametrize(
    "verb",
    ["prepare", "close_early", "open", "pause", "close_room", "sold_out", "admit", "tidy", "served", "changes", "run"],
)
def test_shows_are_checked_before_anything_is_sent(stage: Stage, verb: str) -> None:
    room, client = stage.watched_room()
    for wrong in ("", "a b", "{s}", None, 5):
        with pytest.raises(InvalidRequest, match="show"):
            getattr(room, verb)(wrong)
    assert client.sent == []


@only_on("redis-7")
@pytest.mark.parametrize(
    ("options", "named"),
    [({"keys": b"secret"}, "keys"), ({"keys": {"a": b"x" * 32}}, "keys"), ({"join_limiter": 5}, "join_limiter")],
)
def test_options_of_a_room_are_checked_when_it_is_made(stage: Stage, options: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidRequest, match=named):
        stage.other_room(**options)


# Who limits joins


def test_the_limiter_is_asked_before_each_join(stage: Stage) -> None:
    asked: list[tuple[str, str]] = []

    def limiter(show: str, holder: str) -> float | None:
        asked.append((show, holder))
        return 2.5 if holder.startswith("bot") else None

    show = stage.open_room()
    room, client = stage.watched_room(join_limiter=limiter)
    assert room.join(show, "ada").position == 1
    sent = len(client.sent)
    with pytest.raises(WaitingRoomFull, match=r"try again in 2\.5 s") as refused:
        room.join(show, "bot-1")
    assert refused.value.retry_after == 2.5
    assert len(client.sent) == sent, "nothing is sent for it"
    assert room.status(show, "bot-1").state == "gone"
    assert room.heartbeat(show, "ada").position == 1
    assert asked == [(show, "ada"), (show, "bot-1")], "heartbeats and looks are not joins"


def test_a_limiter_that_fails_lets_nobody_in(stage: Stage) -> None:
    def limiter(show: str, holder: str) -> float | None:
        raise LookupError(holder)

    show = stage.open_room()
    with pytest.raises(LookupError):
        stage.other_room(join_limiter=limiter).join(show, "ada")
    assert stage.room.served(show).length == 0


@only_on("redis-7")
def test_the_limiter_sees_checked_ids_only(stage: Stage) -> None:
    def limiter(show: str, holder: str) -> float | None:
        raise AssertionError((show, holder))

    with pytest.raises(InvalidRequest):
        stage.other_room(join_limiter=limiter).join("s", "a\nb")


@only_on("redis-7")
@pytest.mark.parametrize("odd", [0, 0.0, -3.0, math.nan, math.inf, True, False, "5", (5,)], ids=repr)
def test_what_a_limiter_must_not_answer(stage: Stage, odd: Any) -> None:
    room, client = stage.watched_room(join_limiter=lambda *_: odd)
    with pytest.raises(InvalidRequest, match="join_limiter gave"):
        room.join(stage.show, "ada")
    assert client.sent == []


@only_on("redis-7")
def test_a_limiter_that_would_have_to_be_awaited_is_refused(stage: Stage) -> None:
    async def limiter(show: str, holder: str) -> float | None:
        raise AssertionError((show, holder))

    room, client = stage.watched_room(join_limiter=limiter)
    with pytest.raises(InvalidRequest, match="not a coroutine"):
        room.join(stage.show, "ada")
    assert client.sent == []


def test_the_limiter_is_asked_when_somebody_joins_again(stage: Stage) -> None:
    stage.open_room()
    answers = [None, 5]
    room = stage.other_room(join_limiter=lambda *_: answers.pop(0))
    assert room.join(stage.show, "ada").position == 1
    with pytest.raises(WaitingRoomFull):
        room.join(stage.show, "ada")
    assert room.heartbeat(stage.show, "ada").position == 1


def test_settings_are_read_as_they_were_given(stage: Stage) -> None:
    with pytest.raises(ShowNotFound, match="prepare one"):
        stage.room.settings(stage.show)
    given = RoomSettings(
        max_length=7, rate=3, per=2.5, burst=4, concurrency=5, batch=6, reservation=1.5, pass_ttl=0.001, renewals=0,
        grace=2.0, keep=86_400.0, poll=0.25,
    )  # fmt: skip
    for settings in (given, RoomSettings(), BIG_SALE):
        stage.room.prepare(stage.show, settings)
        assert stage.room.settings(stage.show) == settings
