"""Every command of every script of the waiting room is made to fail in turn.

Whatever a script leaves behind: nobody loses a place, no place is let in twice, the rate is kept, and asking again sets
it right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final, NamedTuple

import pytest

from seatlock import SeatLockError
from seatlock.waiting_room import Pass
from seatlock.waiting_room import _commands as commands
from tests.lua.hall import Hall
from tests.lua.house import House
from tests.lua.test_half_way import WRITES, fails
from tests.support.clock import Clock
from tests.support.lua_bridge import LuaBridge
from tests.support.servers import RedisServer, backend

MOST_COMMANDS: Final = 80
BURST: Final = 4


class Attempt(NamedTuple):
    """A call that fails half-way, who is to have one place or pass each afterwards, and who is to have none."""

    call: Callable[[], Any]
    there: tuple[str, ...]
    gone: tuple[str, ...] = ()
    check: Callable[[], None] = lambda: None


def making(hall: Hall) -> Attempt:
    hall.house.raw.delete(*map(hall.house.key, ("room", "queue", "admissions")))
    hall.house.raw.zadd(hall.house.key("early"), {"eve": 0})  # of a room that was lost

    def check() -> None:
        assert hall.members("early") == {}

    return Attempt(hall.prepare, (), ("eve",), check)


def joining(hall: Hall) -> Attempt:
    hall.joins("ada")
    hall.let_in()  # so that the line is looked at to its end
    return Attempt(lambda: hall.asked("join", ["bo", "cy"]), ("ada", "bo", "cy"))


def coming_back(hall: Hall) -> Attempt:
    hall.joins("ada", "bo")
    hall.silence()
    assert hall.let_in() == []
    return Attempt(lambda: hall.asked("heartbeat", ["ada", "bo"]), ("ada", "bo"))


def being_told(hall: Hall) -> Attempt:
    hall.joins("ada", "bo", "cy")
    hall.let_in(most=2)
    return Attempt(lambda: hall.asked("heartbeat", ["ada", "bo"]), ("ada", "bo", "cy"))


def being_told_of_an_admission_that_was_stopped(hall: Hall) -> Attempt:
    attempt = being_told(hall)
    hall.house.raw.zadd(hall.house.key("queue"), {"ada": 1, "bo": 2})
    return attempt


def admitting(hall: Hall) -> Attempt:
    names = hall.crowd(6)
    return Attempt(lambda: hall.room.admit(hall.show), tuple(names))


def admitting_beside_the_silent(hall: Hall) -> Attempt:
    names = hall.crowd(12)
    hall.silence(*names[3:])
    return Attempt(lambda: hall.room.admit(hall.show), tuple(names))


def after_an_ended_pass(hall: Hall) -> None:
    hall.joins("eve")
    hall.let_in()
    hall.beat("eve")
    hall.prepare(concurrency=1)
    hall.house.advance(hall.settings.pass_ttl + 1)


def joining_after_a_pass(hall: Hall) -> Attempt:
    after_an_ended_pass(hall)
    hall.prepare(concurrency=None)
    return Attempt(lambda: hall.asked("join", ["eve", "bo"]), ("eve", "bo"))


def admitting_after_others(hall: Hall) -> Attempt:
    after_an_ended_pass(hall)
    hall.joins("ada", "bo")

    def check() -> None:
        assert len(hall.members("passes")) == 1
        hall.prepare(concurrency=None)

    return Attempt(lambda: hall.room.admit(hall.show), ("ada", "bo"), ("eve",), check)


def renewing(hall: Hall) -> Attempt:
    hall.joins("ada", "bo")
    hall.let_in()
    held: list[Pass] = [place.pass_ for place in hall.asked("heartbeat", ["ada", "bo"])]

    def check() -> None:
        assert hall.grants() == {"ada": "1 1 1", "bo": "2 1 1"}

    return Attempt(lambda: [hall.room.renew(one) for one in held], ("ada", "bo"), (), check)


def leaving(hall: Hall) -> Attempt:
    hall.joins("ada", "bo", "cy")
    hall.let_in(most=2)
    hall.beat("ada")

    def check() -> None:
        assert hall.members("passes").keys() == hall.grants().keys() == {"bo"}

    return Attempt(lambda: hall.asked("leave", ["ada", "cy"]), ("bo",), ("ada", "cy"), check)


def tidying(hall: Hall) -> Attempt:
    hall.joins("ada", "bo")
    hall.let_in()
    hall.joins("cy", "di")
    hall.prepare(keep=60)
    hall.elapse(2 * 60 - 15, "cy")
    hall.house.advance(15)

    def check() -> None:
        hall.forget("cy")
        assert hall.members("passes") == hall.grants() == {}
        assert hall.members("queue") == {"cy": 3}

    return Attempt(lambda: _tidied_once(hall), ("cy",), (), check)


def _tidied_once(hall: Hall) -> None:
    hall.house.run(commands.tidy("seatlock", hall.show))


def turning_both(hall: Hall) -> Attempt:
    hall.prepare(keep=60)
    hall.joins("ada", "bo")
    hall.elapse(45)
    hall.house.advance(15)
    return Attempt(lambda: _tidied_once(hall), ("ada", "bo"))


def pausing(hall: Hall) -> Attempt:
    hall.joins("ada")
    return Attempt(lambda: hall.room.pause(hall.show), ("ada",))


ADMITTING: Final = [admitting, admitting_beside_the_silent]
OPEN: Final = [
    *(joining, coming_back, being_told, being_told_of_an_admission_that_was_stopped, admitting),
    *(
        joining_after_a_pass,
        admitting_after_others,
        admitting_beside_the_silent,
        renewing,
        leaving,
        tidying,
        turning_both,
        pausing,
        making,
    ),
]


def leaving_early(hall: Hall) -> Attempt:
    hall.joins("ada", "bo")
    return Attempt(lambda: hall.asked("leave", ["ada"]), ("bo",), ("ada",))


def opening(hall: Hall) -> Attempt:
    names = hall.crowd(5)
    listed = hall.room.close_early(hall.show)
    hall.joins("late")
    order: list[str] = []

    def call() -> None:
        record = hall.room.open(hall.show, outside="beacon")
        assert record is not None
        assert record.check() == []
        order[:] = sorted(names, key=lambda name: record.position(name) or 0)

    def check() -> None:
        assert hall.room.draw_record(hall.show).tags == listed.tags
        assert hall.members("queue") == {name: place for place, name in enumerate([*order, "late"], 1)}
        assert all(hall.present(place) for place in range(1, 7))

    return Attempt(call, (*names, "late"), (), check)


def noting(hall: Hall) -> Attempt:
    """A record with parts of a list that was longer, which a failover left."""
    hall.joins("ada", "bo")
    listed = hall.room.close_early(hall.show)
    for part in range(4):
        hall.house.run(commands.note_tags("seatlock", hall.show, part, listed.tags))
    note = commands.note_draw("seatlock", hall.show, listed.digest, "beacon", 1)

    def check() -> None:
        record = hall.room.open(hall.show)
        assert record is not None
        assert hall.room.draw_record(hall.show) == record
        assert record.tags == listed.tags

    return Attempt(lambda: hall.house.run(note), ("ada", "bo"), (), check)


EARLY: Final = [leaving_early, opening, noting]
# Changing settings, joining early, closing the list of the early and writing a part of the record are one write each.


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Clock:
    return Clock(tmp_path_factory.mktemp("clock"))


@pytest.fixture(scope="module")
def server(clock: Clock) -> Iterator[RedisServer]:
    with RedisServer(backend("redis-7"), env=clock.env) as server:
        yield server


def halls(server: RedisServer, clock: Clock) -> Iterator[tuple[int, Hall]]:
    """A fresh room, not open yet, for every command that may fail."""
    bridge = LuaBridge(str(server.socket), [])
    with server.unix_client() as raw:
        for number in range(1, MOST_COMMANDS):
            clock.reset()
            raw.flushall()
            yield number, Hall(House(bridge, raw, clock), burst=BURST, pass_ttl=80_000).prepare()
    bridge.close()


class Doorman:
    """Who was told of an admission, and with which place."""

    def __init__(self, hall: Hall) -> None:
        self.hall = hall
        self.told: dict[str, int] = {}

    def look(self, holders: tuple[str, ...]) -> None:
        """Heartbeats of all: nobody has lost the place, and who is let in stays so, with the same place."""
        for place in self.hall.asked("heartbeat", holders):
            assert place.state in ("waiting", "admitted", "early"), place
            if place.state == "admitted":
                assert self.told.setdefault(place.holder, place.number) == place.number
            else:
                assert place.holder not in self.told
        assert len(set(self.told.values())) == len(self.told)

    def empty(self, holders: tuple[str, ...]) -> None:
        """Let all of them in, in the end, and each once."""
        if self.hall.fact("status") != "open":
            self.hall.room.open(self.hall.show)
        for _ in range(10):
            self.look(holders)
            self.hall.house.advance(60)
            self.hall.let_in()
        self.look(holders)
        assert self.told.keys() == set(holders)
        assert not self.hall.members("queue").keys() & self.told.keys()  # whose passes end: no place is used twice
        admitted = [place for entry in self.hall.entries() for place in entry if place != "status"]
        assert len(set(admitted)) == len(admitted)


@pytest.mark.parametrize("prepare", [*OPEN, *EARLY])
def test_a_script_that_fails_half_way_loses_nobody_and_lets_nobody_in_twice(
    prepare: Callable[[Hall], Attempt], server: RedisServer, clock: Clock
) -> None:
    half_way = 0
    for number, hall in halls(server, clock):
        if prepare in OPEN:
            hall.room.open(hall.show)
        attempt = prepare(hall)
        bridge, doorman = hall.house.bridge, Doorman(hall)
        assert bridge
        before = hall.house.dump()
        bridge.fail_at = number
        failed = fails(attempt.call)
        sent, bridge.fail_at = bridge.sent[:], 0
        if not failed:
            assert half_way, "it never failed between two writes"
            return
        if WRITES.intersection(sent[:-1]):
            half_way += 1
        elif prepare is not opening:  # which makes several calls
            assert hall.house.dump() == before, sent
        assert len(hall.members("passes")) <= max(BURST, len(before.get("passes", ("", {}))[1]) - 1), sent
        if prepare in ADMITTING:  # who counts as let in is also told so
            assert hall.members("passes").keys() <= hall.grants().keys(), sent
        attempt.call()
        attempt.check()
        if attempt.there:
            doorman.empty(attempt.there)
        for holder in attempt.gone:
            assert hall.room.status(hall.show, holder).state == "gone"
        hall.room.tidy(hall.show)
        last = hall.room.changes(hall.show).entries[-1]  # how the line stands is told in the end
        assert (f"{last.served}", f"{last.gone}") == (hall.fact("served"), hall.fact("gone")), sent
    raise AssertionError(f"more than {MOST_COMMANDS} commands")


def test_who_bought_after_an_admission_was_stopped_is_not_let_in_again(server: RedisServer, clock: Clock) -> None:
    """Also one who never heard of the admission, and so has a place beside the pass."""
    place_left = 0
    for number, hall in halls(server, clock):
        house, bridge = hall.house, hall.house.bridge
        assert bridge
        house.open()
        hall.room.prepare(hall.show, hall.settings, required=True)
        hall.room.open(hall.show)
        hall.joins("ada", "bo")
        bridge.fail_at = number
        failed = fails(partial(hall.room.admit, hall.show))
        bridge.fail_at = 0
        if not failed:
            assert place_left > 1
            return
        bought = hall.members("passes").keys()
        place_left += bool(bought & hall.members("queue").keys())
        seats = {"ada": "A-1", "bo": "A-2"}
        holds = [house.acquire(seats[holder], holder=holder) for holder in bought]
        for at, hold in enumerate(holds):
            house.locker.confirm(hold, payment="pay", reclaim=at > 0)
        assert not bought & hall.members("queue").keys()
        hall.put_fact("low", "1")  # as where an earlier place comes back
        house.advance(60)
        assert hall.let_in() == [holder for holder in ("ada", "bo") if holder not in bought]
    raise AssertionError(f"more than {MOST_COMMANDS} commands")


def test_it_would_be_noticed_if_a_place_were_let_in_twice(server: RedisServer, clock: Clock) -> None:
    _, hall = next(halls(server, clock))
    hall.room.open(hall.show)
    hall.joins("ada", "bo")
    doorman = Doorman(hall)
    hall.let_in(most=1)
    doorman.look(("ada", "bo"))
    hall.house.raw.hset(hall.house.key("grants"), "bo", "1 2 0")
    hall.house.raw.zadd(hall.house.key("passes"), {"bo": hall.house.now + 1000})
    with pytest.raises((AssertionError, SeatLockError)):
        doorman.look(("ada", "bo"))
