"""Scenarios of silence: what is counted as such, and what is not, since nobody could be heard of."""

from __future__ import annotations

from seatlock.waiting_room import _commands as commands
from tests.lua.hall import Hall
from tests.lua.house import House
from tests.lua.scenario import scenario, to_the_millisecond

POLL = 5  # seconds


def turned(hall: Hall, kind: str, line: list[str]) -> None:
    """Let time pass in which everybody asks, until the bitmaps have just been turned."""
    before = hall.fact(kind)
    while hall.fact(kind) == before:
        hall.elapse(POLL)
        if hall.fact(kind) == before:
            hall.beat(*line)


@to_the_millisecond
def an_outage_keeps_the_order(house: House) -> None:
    """Just after a turn only those have been heard of who have asked since."""
    for away in (31, 3600, 10**6):
        hall = Hall(house, burst=1, rate=1, per=1.0, max_length=100).open()
        line = hall.crowd(20)
        turned(hall, "here", line)
        hall.beat(line[-1])
        house.advance(away)
        assert hall.room.tidy(hall.show) == (0, 0)
        assert hall.elapse(1.2 * POLL, step=1) == (0, 0)
        assert hall.let_in() == line[:1]
        hall.beat(*line)
        hall.elapse(1.2 * POLL, *line, step=1)
        assert hall.let_in() == line[1:2]
        hall.audit()
        house.raw.delete(house.key("room"))


@to_the_millisecond
def an_outage_takes_nobodys_place(house: House) -> None:
    hall = Hall(house).open()
    line = hall.crowd(20)
    turned(hall, "kept", line)
    house.advance(901)
    assert hall.room.tidy(hall.show) == (0, 0)
    assert hall.elapse(1.2 * POLL, step=1) == (0, 0)
    hall.beat(*line)
    assert hall.elapse(3 * hall.settings.keep, *line) == (0, 0)
    assert hall.let_in() == line[:10]
    hall.audit()


@to_the_millisecond
def an_outage_at_any_time(house: House) -> None:
    """Whenever it comes and however long it takes: who asks within 1.2 times poll after it is not passed over.

    Also where grace is as short as it may be.
    """
    for since in range(0, 13, 2):
        for away in (1, 5, 6, 7, 11, 13, 25):
            hall = Hall(house, grace=12, keep=12, poll=POLL, burst=1, rate=1, per=1.0).open()
            line = hall.crowd(5)
            turned(hall, "here", line)
            for second in range(1, since + 1):  # the first asked just before the turn, and asks every six seconds
                hall.elapse(1, *line[1:], step=1)
                if second % 6 == 0:
                    hall.beat(*line)
            house.advance(away)
            for _ in range(6):
                assert hall.room.tidy(hall.show) == (0, 0)
                house.advance(1)
            hall.beat(*line)
            assert hall.room.tidy(hall.show) == (0, 0)
            assert hall.let_in() == line[:1], (since, away)
            house.raw.delete(house.key("room"))


@to_the_millisecond
def a_clock_that_jumps_ahead_silences_nobody(house: House) -> None:
    hall = Hall(house).open()
    line = hall.crowd(5)
    turned(hall, "kept", line)
    house.tick_to(house.now + 10 * 86_400_000)
    hall.room.tidy(hall.show)
    house.tick_to(house.now + 6_000)
    assert hall.beat(*line) == [1, 2, 3, 4, 5]
    house.tick_to(house.now - 10 * 86_400_000)  # and comes back
    hall.room.tidy(hall.show)
    assert hall.elapse(14, step=1) == (0, 0)
    hall.beat(*line)
    assert hall.elapse(14, step=1) == (0, 0)
    assert hall.let_in() == line
    hall.audit()


@to_the_millisecond
def who_is_silent_is_noticed(house: House) -> None:
    """Within one to two times grace, and keep, where a pump tidies every second."""
    for started in (0, 13, 29):
        hall = Hall(house, grace=30, keep=60, rate=1000, burst=100).open()
        hall.elapse(started, step=1)
        hall.joins("ada", "bo")
        waited = gone = 0
        while not gone:
            waited += 1
            gone += hall.elapse(1, "bo", step=1)[1]
            assert hall.present(1) >= (waited < 30)
            assert hall.present(1) <= (waited <= 61)
        assert 60 <= waited <= 121 + 1
        assert hall.let_in() == ["bo"]
        hall.audit()
        house.raw.delete(house.key("room"))


@to_the_millisecond
def who_tidies_seldom_notices_later(house: House) -> None:
    """Of each gap half a grace time counts."""
    hall = Hall(house, grace=30, keep=60).open()
    hall.joins("ada", "bo")
    left = []
    for _ in range(8):
        house.advance(29)
        left.append(hall.room.tidy(hall.show)[1])
        hall.beat("bo")
    assert left == [0, 0, 0, 0, 0, 0, 0, 1]
    hall.audit()


@scenario
def the_silent_leave_a_full_server(house: House) -> None:
    """Also where no pass ends, whose memory it could begin with."""
    hall = Hall(house, grace=30, keep=60).open()
    hall.joins("ada", "bo")
    with house.full():
        left = 0
        for _ in range(10):
            house.advance(15)
            left += hall.house.run(commands.tidy("seatlock", hall.show))[1]
            hall.beat("bo")
    left += hall.room.tidy(hall.show)[1]
    assert (left, hall.members("queue")) == (1, {"bo": 2})
    hall.audit()
