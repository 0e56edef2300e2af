"""A waiting room and a clock that the test moves: the rate law, a clock that is set back, and honest estimates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from seatlock.waiting_room import Estimate, RoomSettings, WaitingRoom
from tests.support.clock import Clock
from tests.support.fixtures import PrivateServer

ROOM = "gala"
DAY = 86_400.0


@pytest.fixture
def room(private_server: PrivateServer, clock: Clock) -> Iterator[WaitingRoom]:
    """A waiting room on a server whose clock the test moves."""
    server = private_server(env=clock.env)
    with server.unix_client() as client:
        yield WaitingRoom(client)


def opened(room: WaitingRoom, people: int, **settings: Any) -> list[str]:
    """Open a room to so many people, who are never silent unless the settings say so."""
    room.prepare(ROOM, RoomSettings(**{"grace": DAY, "keep": DAY, "batch": 1000, **settings}))
    room.open(ROOM)
    line = [f"h-{number}" for number in range(people)]
    for holder in line:
        room.join(ROOM, holder)
    return line


def let_in(room: WaitingRoom, **bounds: Any) -> list[str]:
    return [one.holder for one in room.admit(ROOM, **bounds).admitted]


def test_the_rate_law_holds_in_every_window(room: WaitingRoom, clock: Clock) -> None:
    """Whenever it is asked, and however seldom: never more than the burst and what the time brings; never less."""
    opened(room, 400, rate=3, per=100.0, burst=10)
    history: list[tuple[float, int]] = []
    for jump in (0, 33, 34, 1, 33, 500, 0, 10, 3, 21, 200, 200, 5, 4, 1000, 1, 1, 400, 100, 33, 34):
        clock.advance(jump)
        history.append((clock.offset, len(let_in(room))))
    for first, (begun, _) in enumerate(history):
        count = 0
        for at, admissions in history[first:]:
            count += admissions
            assert count <= 10 + (at - begun + 3) * 3 / 100
    assert history[0][1] == 10
    assert sum(count for _, count in history) > 60
    clock.advance(3400)
    assert len(let_in(room)) == 10, "a long rest brings the burst and no more"


@pytest.mark.parametrize("back", [1, 30, 59, 61, 600, 7200])
def test_a_clock_that_is_set_back_lets_nobody_extra_in(room: WaitingRoom, clock: Clock, back: float) -> None:
    opened(room, 50, rate=1, per=100.0, burst=3)
    assert len(let_in(room)) == 3
    clock.advance(50)
    assert let_in(room) == []
    for _ in range(5 if back <= 60 else 0):
        clock.advance(-back)
        assert let_in(room) == []
        clock.advance(back)
        assert let_in(room) == [], "and forth again"
    for _ in range(5):
        clock.advance(-back)
        assert let_in(room) == []
    assert room.admit(ROOM).wait <= 100  # type: ignore[operator]
    clock.advance(5 * 60 + 101)
    assert let_in(room) != [], "and it goes on"


def test_a_jump_and_back_brings_no_more_than_a_burst(room: WaitingRoom, clock: Clock) -> None:
    opened(room, 50, rate=1, per=100.0, burst=3)
    assert len(let_in(room)) == 3
    for _ in range(4):
        clock.advance(100_000)
        clock.advance(-100_000)
        assert let_in(room) == [], "nobody looked while it was wrong"


@pytest.mark.parametrize("tidied", [True, False])
def test_a_pass_that_ended_is_not_in_time_again_beside_the_next(
    room: WaitingRoom, clock: Clock, *, tidied: bool
) -> None:
    line = opened(room, 10, concurrency=2, reservation=100.0)
    assert let_in(room) == line[:2]
    clock.advance(101)
    if tidied:
        assert room.tidy(ROOM) == (2, 0)
    assert let_in(room) == line[2:4]
    clock.advance(-90)
    assert room.served(ROOM).live == 2
    assert let_in(room) == []
    assert [room.status(ROOM, holder).state for holder in line[:4]] == ["gone", "gone", "admitted", "admitted"]


def test_who_came_again_has_no_old_pass_beside_the_new_place(room: WaitingRoom, clock: Clock) -> None:
    line = opened(room, 3, reservation=100.0)
    assert let_in(room, most=1) == line[:1]
    clock.advance(101)
    assert room.join(ROOM, line[0]).position == 3
    clock.advance(-90)
    assert room.status(ROOM, line[0]).state == "waiting"
    assert let_in(room) == [line[1], line[2], line[0]]


def elapse(room: WaitingRoom, clock: Clock, seconds: int, *heard: str) -> int:
    """Let time pass as where a pump tidies, with heartbeats every five seconds: gives how many lost their places."""
    left = 0
    for second in range(1, seconds + 1):
        clock.advance(1)
        left += room.tidy(ROOM)[1]
        for holder in heard if second % 5 == 0 else ():
            room.heartbeat(ROOM, holder)
    return left


def test_a_gap_in_which_nobody_tidied_makes_nobody_silent(room: WaitingRoom, clock: Clock) -> None:
    """As when the pumps were away: half a grace time of it counts, and the rest comes after."""
    line = opened(room, 4, grace=30.0, keep=300.0)
    for away in (3600, 31, 16):
        clock.advance(away)
        assert room.tidy(ROOM) == (0, 0)
    assert let_in(room, most=1) == line[:1]
    assert elapse(room, clock, 13) == 0
    assert let_in(room, most=1) == line[1:2]
    room.heartbeat(ROOM, line[2])
    assert elapse(room, clock, 4) == 0
    assert let_in(room) == line[2:3], "the last one was not heard of for a whole grace time"
    assert room.heartbeat(ROOM, line[3]).position == 1


@pytest.mark.parametrize(("kind", "away"), [("here", 31), ("here", 10**7), ("kept", 901), ("kept", 10**7)])
def test_an_outage_just_after_a_turn(room: WaitingRoom, clock: Clock, kind: str, away: int) -> None:
    """When hardly anybody is in the newer bitmaps: the order stays, and all places do."""
    line = opened(room, 20, grace=30.0, keep=900.0, burst=2, rate=1, per=1.0)
    fact = f"seatlock:{{{ROOM}}}:room"
    while room._client.hget(fact, kind) == b"0":
        elapse(room, clock, 5)
        if room._client.hget(fact, kind) == b"0":
            for holder in line:
                room.heartbeat(ROOM, holder)
    room.heartbeat(ROOM, line[-1])
    clock.advance(away)
    assert room.tidy(ROOM) == (0, 0)
    assert let_in(room) == line[:2]
    assert elapse(room, clock, 5, *line[2:]) == 0
    assert elapse(room, clock, 100, *line[2:]) == 0
    assert let_in(room) == line[2:4]
    assert [room.heartbeat(ROOM, holder).position for holder in line[4:]] == list(range(1, 17))


def test_a_clock_that_is_set_back_makes_nobody_silent(room: WaitingRoom, clock: Clock) -> None:
    line = opened(room, 2, grace=30.0, keep=30.0)
    for _ in range(20):
        clock.advance(-1000)
        assert room.tidy(ROOM) == (0, 0)
    clock.advance(29)
    assert room.tidy(ROOM) == (0, 0)
    assert let_in(room) == line


def test_a_renewal_and_a_reservation_last_as_long_as_they_say(room: WaitingRoom, clock: Clock) -> None:
    line = opened(room, 2, reservation=120.0, pass_ttl=600.0, renewals=1)
    let_in(room)
    clock.advance(119)
    held = room.heartbeat(ROOM, line[0]).pass_
    clock.advance(2)
    assert room.status(ROOM, line[1]).state == "gone", "nobody came for it"
    clock.advance(590)
    assert held is not None
    renewed = room.renew(held)
    clock.advance(590)
    assert room.status(ROOM, line[0]).state == "admitted"
    assert renewed.renewals == 0
    clock.advance(12)
    assert room.heartbeat(ROOM, line[0]).state == "gone"


# Estimates


def steady(room: WaitingRoom, clock: Clock, seconds: float, each: Callable[[float], None], step: float = 1.0) -> None:
    """A pump that looks every second."""
    until = clock.offset + seconds
    while clock.offset < until:
        clock.advance(step)
        room.admit(ROOM)
        each(clock.offset)


def server_time(room: WaitingRoom) -> float:
    """The server's time: on a busy machine it also goes on by itself."""
    seconds, microseconds = room._client.execute_command("TIME")
    return float(seconds) + float(microseconds) / 1_000_000


@pytest.mark.parametrize(("rate", "step"), [(10, 1.0), (7, 3.0), (20, 5.0)])
def test_estimates_are_right_at_a_steady_rate(room: WaitingRoom, clock: Clock, rate: int, step: float) -> None:
    """Within a fifth for nine of ten, and within the range that was told."""
    people = rate * 150
    line = opened(room, people, rate=rate, per=1.0, burst=rate * 5)
    steady(room, clock, 30, lambda _: None, step)
    told: dict[str, Any] = {}
    asked: dict[str, float] = {}
    for holder in line:
        place = room.status(ROOM, holder)
        if place.state == "waiting":
            told[holder], asked[holder] = place.wait, server_time(room)
    assert len(told) > people / 2
    came: dict[str, float] = {}
    while len(came) < len(told):
        clock.advance(step)
        for one in room.admit(ROOM).admitted:
            came[one.holder] = server_time(room) - asked[one.holder]
    close = within = 0
    for holder, wait in told.items():
        assert wait is not None
        middle = (wait.low + wait.high) / 2
        close += abs(middle - came[holder]) <= 0.2 * came[holder] + step
        within += wait.low - step <= came[holder] <= wait.high + step
    assert close >= 0.9 * len(told), (close, len(told))
    assert within >= 0.9 * len(told), (within, len(told))


def test_nothing_is_told_that_is_not_known(room: WaitingRoom, clock: Clock) -> None:
    line = opened(room, 200, rate=10, per=1.0, burst=10)
    assert room.join(ROOM, "late").wait is None, "nobody was let in yet"
    steady(room, clock, 2, lambda _: None)
    assert room.status(ROOM, "late").wait is None, "too little was seen"
    assert room.served(ROOM).pace is None
    steady(room, clock, 8, lambda _: None)
    told = room.status(ROOM, "late").wait
    assert told is not None
    assert 0 < told.low < told.high
    assert room.served(ROOM).pace == pytest.approx(10, rel=0.15)
    assert room.status(ROOM, line[0]).wait is None, "who has a pass waits no more"
    room.pause(ROOM)
    assert room.status(ROOM, "late").wait is None
    room.open(ROOM)
    assert room.status(ROOM, "late").wait is None, "how it went before says nothing"
    room.sold_out(ROOM)
    assert room.status(ROOM, "late").wait is None


def test_an_estimate_grows_while_nobody_is_let_in(room: WaitingRoom, clock: Clock) -> None:
    """The slots are full: what was seen of the pace does not stay as it was."""
    opened(room, 300, rate=10, per=1.0, burst=10, concurrency=150)
    steady(room, clock, 20, lambda _: None)
    told = []
    for _ in range(6):
        steady(room, clock, 20, lambda _: None)
        told.append(room.status(ROOM, "h-299").wait)
    highs = [wait.high for wait in told if wait is not None]
    assert highs == sorted(highs)
    assert highs[-1] > 3 * highs[0]


def test_a_rest_does_not_make_the_estimate_wrong_for_long(room: WaitingRoom, clock: Clock) -> None:
    """Nobody waited for an hour, then many came."""
    opened(room, 300, rate=10, per=1.0, burst=10)
    steady(room, clock, 60, lambda _: None)
    clock.advance(3600)
    for number in range(1000):
        room.join(ROOM, f"later-{number}")
    for _ in range(30):
        steady(room, clock, 2, lambda _: None)
        place = room.status(ROOM, "later-999")
        if place.wait is not None:
            left = place.ahead / 10  # type: ignore[operator]
            assert place.wait.low <= left + 2, "never so much too long"
            assert place.wait.high >= left - 2


def width(wait: Estimate) -> float:
    return (wait.high - wait.low) / (wait.high + wait.low)


def test_an_estimate_widens_or_vanishes_while_nobody_is_let_in(room: WaitingRoom, clock: Clock) -> None:
    """The pumps stand: nobody knows for how long, so a narrow range is wrong whatever it says."""
    opened(room, 2000, rate=20, per=1.0, burst=20)
    steady(room, clock, 60, lambda _: None)
    before = room.status(ROOM, "h-1999").wait
    assert before is not None
    clock.advance(45)
    wait = room.status(ROOM, "h-1999").wait
    assert wait is None or width(wait) > 2 * width(before)


@pytest.mark.parametrize(("first", "then"), [(20, 8), (8, 20)])
def test_an_estimate_after_a_change_of_the_rate_is_wide_or_right(
    room: WaitingRoom, clock: Clock, first: int, then: int
) -> None:
    settings = {"per": 1.0, "burst": 20}
    opened(room, 2500, rate=first, **settings)
    steady(room, clock, 60, lambda _: None)
    room.prepare(ROOM, msgspec.structs.replace(room.settings(ROOM), rate=then))
    for _ in range(6):
        steady(room, clock, 5, lambda _: None)
        place = room.status(ROOM, "h-2499")
        assert place.ahead is not None
        real = place.ahead / then
        wait = place.wait
        assert wait is None or wait.low - 2 <= real <= wait.high + 2


def test_estimates_know_of_those_who_come_back(room: WaitingRoom, clock: Clock) -> None:
    """Half of the line was passed over; when it comes back it is let in first."""
    line = opened(room, 1200, rate=20, per=1.0, burst=20, grace=30.0)
    for _ in range(4):
        for _ in range(3):
            clock.advance(10)
            room.tidy(ROOM)
            for holder in line[600:]:
                room.heartbeat(ROOM, holder)
    steady(room, clock, 20, lambda _: None)
    for holder in line[:600]:
        room.heartbeat(ROOM, holder)
    steady(room, clock, 2, lambda _: None)
    for holder in (line[599], line[1199]):
        place = room.status(ROOM, holder)
        assert place.ahead is not None
        assert place.wait is None or place.wait.low - 2 <= place.ahead / 20 <= place.wait.high + 2


def test_an_estimate_right_after_a_stall_is_no_narrow_one(room: WaitingRoom, clock: Clock) -> None:
    opened(room, 2500, rate=20, per=1.0, burst=20)
    steady(room, clock, 60, lambda _: None)
    clock.advance(60)
    steady(room, clock, 5, lambda _: None)
    place = room.status(ROOM, "h-2499")
    assert place.ahead is not None
    assert place.wait is None or place.wait.low - 2 <= place.ahead / 20 <= place.wait.high + 2
