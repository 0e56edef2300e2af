"""Passes that were made up, swapped, or have ended: nothing that takes a pass takes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from seatlock import AcquireRequest, NotAdmitted, Pass, PassKeys, RoomSettings
from tests.support.stage import Stage
from tests.support.waiting import until

KEYS = PassKeys({"k": b"a secret that the server keeps.." * 2}, active="k")
OTHERS = PassKeys({"k": b"what somebody made up at home..." * 2}, active="k")


def opened(stage: Stage, **settings: Any) -> Any:
    """Open a sale that requires admission, its waiting room, and a door that signs."""
    stage.open()
    room = stage.other_room(keys=KEYS)
    room.prepare(stage.show, RoomSettings(**settings), required=True)
    room.open(stage.show)
    return room


def admitted(stage: Stage, room: Any, holder: str) -> Pass:
    room.join(stage.show, holder)
    room.admit(stage.show)
    held: Pass = room.heartbeat(stage.show, holder).pass_
    return held


def refused_by_the_sale(stage: Stage, room: Any, held: Pass) -> None:
    """By all that looks into Redis: the renewal, and each way to take seats. Nothing is changed."""
    before = stage.everything()
    requests = [AcquireRequest(["A-3"], holder=held.holder)]
    ways: list[Callable[[], object]] = [
        lambda: room.renew(held),
        lambda: stage.acquire("A-1", holder=held.holder),
        lambda: stage.locker.acquire_best(stage.show, 2, holder=held.holder),
    ]
    for way in ways:
        with pytest.raises(NotAdmitted):
            way()
    (answer,) = stage.locker.acquire_many(stage.show, requests)
    assert isinstance(answer, NotAdmitted)
    assert stage.everything() == before


def refused_by_the_front_end(stage: Stage, held: Pass) -> None:
    with pytest.raises(NotAdmitted):
        KEYS.check(held.token, show=stage.show, holder=held.holder)


def test_a_forged_pass_is_refused_everywhere(stage: Stage) -> None:
    room = opened(stage)
    mine = admitted(stage, room, "ada")
    forged = OTHERS.sign(stage.show, "mallory", mine.place, 4e9)
    made_up = msgspec.structs.replace(mine, holder="mallory", token=forged, ttl=1e6, renewals=1000)
    refused_by_the_front_end(stage, made_up)
    refused_by_the_sale(stage, room, made_up)
    room.join(stage.show, "mallory")
    refused_by_the_sale(stage, room, made_up)
    assert room.status(stage.show, "mallory").state == "waiting"


def test_a_pass_of_somebody_else_is_refused_everywhere(stage: Stage) -> None:
    room = opened(stage)
    mine = admitted(stage, room, "ada")
    assert KEYS.check(mine.token, show=stage.show, holder="ada").place == mine.place
    room.join(stage.show, "bo")
    swapped = msgspec.structs.replace(mine, holder="bo")
    refused_by_the_front_end(stage, swapped)
    refused_by_the_sale(stage, room, swapped)
    for_another = KEYS.sign(f"{stage.show}-other", "ada", mine.place, 4e9)
    refused_by_the_front_end(stage, msgspec.structs.replace(mine, token=for_another))
    assert stage.acquire("A-1").holder == "ada", "whose pass it is takes seats all the same"


def test_an_expired_pass_is_refused_everywhere(stage: Stage) -> None:
    room = opened(stage, pass_ttl=0.3)
    mine = admitted(stage, room, "ada")
    until(lambda: room.status(stage.show, "ada").state == "gone", "the pass has run out")
    refused_by_the_front_end(stage, mine)
    refused_by_the_sale(stage, room, mine)


def test_a_pass_that_was_ended_is_refused_by_the_sale_at_once(stage: Stage) -> None:
    """The front end cannot know of it: the signed form is good until its own end."""
    room = opened(stage)
    mine = admitted(stage, room, "ada")
    assert room.leave(stage.show, "ada")
    assert KEYS.check(mine.token, show=stage.show, holder="ada").holder == "ada"
    refused_by_the_sale(stage, room, mine)


def test_a_pass_that_bought_is_refused_by_the_sale(stage: Stage) -> None:
    room = opened(stage)
    mine = admitted(stage, room, "ada")
    stage.locker.confirm(stage.acquire("A-1", "A-2"), payment="pay")
    refused_by_the_sale(stage, room, mine)


def test_what_a_holder_changes_in_an_own_pass_gives_nothing(stage: Stage) -> None:
    """Neither more renewals nor more time: the server keeps its own count."""
    room = opened(stage, renewals=1)
    mine = admitted(stage, room, "ada")
    before = stage.everything()
    greedy = msgspec.structs.replace(mine, renewals=1000, ttl=1e6, place=1)
    assert room.renew(greedy).renewals == 1
    assert stage.everything() == before, "a count that was never given renews nothing"
    assert room.renew(mine).renewals == 0
    with pytest.raises(NotAdmitted, match="as often as it can be"):
        room.renew(msgspec.structs.replace(mine, renewals=0))
