"""What a waiting room tells of the time to wait, against the time it took: on a real server whose clock is moved.

Nobody sleeps: each step moves the server's clock by a second and lets people in as a pump does. Everybody asks every so
often, and what they were told is kept until they are let in.
"""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec
import redis

from loadtests.bench.contestants.base import WrongResult
from loadtests.bench.progress import say
from loadtests.bench.results import Estimates, TenSeconds, Told
from loadtests.bench.settings import Settings
from loadtests.bench.stage import Stage
from seatlock.waiting_room import RoomSettings, WaitingRoom
from tests.support.clock import Clock
from tests.support.servers import RedisServer

SHOW: Final = "show"
EVERY: Final = 30  # seconds after which one who waits asks again
STEP: Final = 1.0  # seconds between two looks of the pump: no estimate can be closer
PACE: Final = 20  # admissions a second
CLOSE: Final = 0.2  # part by which the middle of a range may be off
CHANGED: Final = 60  # seconds from the opening until something changes, where something does
STALL: Final = 60  # seconds for which nobody is let in, where that is so
SETTLED: Final = 45  # seconds after which a change must be forgotten: twelve marks are kept, one every two or so
SAMPLE: Final = 200  # estimates of a case that are kept for the plot
_LONGEST: Final = 5_000  # steps
_DAY: Final = 86_400.0


class Case(msgspec.Struct, frozen=True):
    """How people are let in: admissions a second and whether the pump stands, both by the seconds since the opening."""

    name: str
    rate: Callable[[float], int] = lambda _: PACE
    stalled: Callable[[float], bool] = lambda _: False
    slots: int | None = None  # passes in time; each is given back after as many steps as keep the pace
    left: int = 0  # percent of the line that went away before

    @property
    def settled(self) -> float:
        """When what changed is forgotten."""
        changed = CHANGED + STALL if self.stalled(CHANGED) else CHANGED
        return 0 if self.steady else changed + SETTLED

    @property
    def steady(self) -> bool:
        """Whether nothing changes."""
        return not any(self.stalled(at) or self.rate(at) != self.rate(0) for at in (CHANGED, CHANGED + STALL / 2))


STEADY: Final = (
    Case("at a steady rate"),
    Case("half of the line has left", left=50),
    Case("as passes are given back", slots=100),
)
CHANGING: Final = (
    Case("the rate falls to 8 a second", rate=lambda at: PACE if at < CHANGED else 8),
    Case("the rate rises from 8 a second", rate=lambda at: 8 if at < CHANGED else PACE),
    Case("nobody is let in for a minute", stalled=lambda at: CHANGED <= at < CHANGED + STALL),
)


class _Run:
    """One room, from its opening until everybody is in."""

    def __init__(self, client: redis.Redis, clock: Clock, case: Case, people: int) -> None:
        client.flushall()
        self._client, self._clock, self._case, self._people = client, clock, case, people
        self._room = WaitingRoom(client)
        self._rate = 0
        self._inside: deque[list[str]] = deque()
        self._asked: dict[str, list[tuple[float, float, float]]] = {}
        self.nothing: list[float] = []
        self.by_user: list[list[Told]] = []
        self._set(case.rate(0))
        self._room.open(SHOW)
        line = [f"user-{number:08d}" for number in range(people)]
        self._room.join_many(SHOW, line)
        for number in range(people):
            if case.left and number * 61 % 100 < case.left:  # here and there
                self._room.leave(SHOW, line[number])
        self._left = self._room.served(SHOW).length
        self._begun = self._now()

    def _set(self, rate: int) -> None:
        if rate != self._rate:
            self._rate = rate
            self._room.prepare(
                SHOW,
                RoomSettings(
                    max_length=10**6,
                    rate=rate if self._case.slots is None else 10**6,
                    per=1.0,
                    burst=2 * rate,
                    batch=1000,
                    concurrency=self._case.slots,
                    reservation=_DAY,
                    grace=_DAY,
                    keep=_DAY,
                ),
            )

    def _now(self) -> float:
        """The server's time, which on a busy machine also goes on by itself."""
        seconds, microseconds = self._client.time()
        return seconds + microseconds / 1_000_000

    @property
    def told(self) -> list[Told]:
        """All that was told to those who are in."""
        return [told for mine in self.by_user for told in mine]

    def steps(self) -> Iterator[int]:
        """Go on until everybody is in."""
        for step in range(1, _LONGEST):
            if not self._left:
                return
            self._clock.advance(STEP)
            at = self._now() - self._begun
            self._set(self._case.rate(at))
            if not self._case.stalled(at):
                self._let_in(at)
            yield step
        raise WrongResult(f"estimates: {self._left} people are never let in")

    def _let_in(self, at: float) -> None:
        if self._case.slots and len(self._inside) == self._case.slots // PACE:
            for holder in self._inside.popleft():
                self._room.leave(SHOW, holder)
        holders: list[str] = []
        more = True
        while more:
            # where slots are the limit, they come free at the pace: the first ones, too, are filled at it
            most = PACE - len(holders) if self._case.slots else 1000
            admission = self._room.admit(SHOW, most=most)
            holders += [one.holder for one in admission.admitted]
            more = bool(admission.admitted) and admission.more and not admission.wait
        self._inside.append(holders)
        for holder in holders:
            if holder in self._asked:
                asked = self._asked.pop(holder)
                self.by_user.append([Told(when, low, high, at - when) for when, low, high in asked])
        self._left -= len(holders)

    def ask(self, step: int) -> None:
        """Those whose turn it is ask, and it is kept what they were told."""
        for number in range(step % EVERY, self._people, EVERY):
            holder = f"user-{number:08d}"
            place = self._room.status(SHOW, holder)
            if place.state == "waiting" and place.wait is None:
                self.nothing.append(self._now() - self._begun)
            elif place.wait is not None:
                at = self._now() - self._begun
                self._asked.setdefault(holder, []).append((at, place.wait.low, place.wait.high))


def simulate(client: redis.Redis, clock: Clock, case: Case, people: int) -> Estimates:
    """Let everybody in, and set what they were told beside how long it took."""
    run = _Run(client, clock, case, people)
    for step in run.steps():
        run.ask(step)
    told, every = run.told, len(run.told) // SAMPLE + 1
    late = [one for one in told if one.at > case.settled]
    tens = range(0, int(max(one.at for one in told)) + 1, 10)
    by_time = [_ten(at, told, run.nothing) for at in tens]
    return Estimates(
        case.name,
        case.steady,
        people,
        len(told),
        len(run.nothing),
        _count(told, is_close),
        _count(told, is_inside),
        len(run.by_user),
        sum(all(map(is_close, mine)) for mine in run.by_user),
        case.settled,
        len(late),
        _count(late, is_inside),
        [ten for ten in by_time if ten.asked],
        [Told(*(round(value, 1) for value in msgspec.structs.astuple(one))) for one in told[::every]],
    )


def _ten(at: int, told: list[Told], nothing: list[float]) -> TenSeconds:
    some = [one for one in told if at <= one.at < at + 10]
    asked = len(some) + sum(at <= one < at + 10 for one in nothing)
    return TenSeconds(at, asked, len(some), _count(some, is_inside))


def _count(told: list[Told], what: Callable[[Told], bool]) -> int:
    return sum(map(what, told))


def is_close(told: Told) -> bool:
    """Whether the middle of the range is off by a fifth at most, or by the step of the pump."""
    return abs((told.low + told.high) / 2 - told.real) <= max(CLOSE * told.real, STEP)


def is_inside(told: Told) -> bool:
    """Whether it took as long as the range says, give or take the step of the pump."""
    return told.low - STEP <= told.real <= told.high + STEP


def measure(stage: Stage, settings: Settings) -> list[Estimates]:
    """One case after another, on a server of their own: the same program as the stage's."""
    executable = stage.redis.executable
    assert executable is not None
    with tempfile.TemporaryDirectory() as folder:
        clock = Clock(Path(folder))
        with RedisServer(executable, env=clock.env) as server, server.unix_client() as client:
            found = [simulate(client, clock, case, settings.estimate_people) for case in (*STEADY, *CHANGING)]
    for one in found:
        say(
            f"estimates: {one.case}: {one.told:,} told, {one.close / one.told:.1%} close, "
            f"{one.inside / one.told:.1%} inside, {one.nothing} times nothing"
        )
    return found
