"""What each process of a race for places does: some let people in, the others bring people."""

from __future__ import annotations

import asyncio
import random
import time
from array import array
from typing import Any, Final, NamedTuple

import redis
import redis.asyncio

from seatlock.waiting_room import AsyncWaitingRoom, WaitingRoom
from tests.races.crowd import Place

AT_ONCE: Final = 2000  # joins of one process on their way
VISITS: Final = 50  # heartbeats of one process on their way
ROUNDS: Final = 200  # of so many visits, at least


class Race(NamedTuple):
    """How great a race is."""

    pumps: int
    joiners: int
    joins: int  # of each joiner
    seconds: float  # from the start of the race, at least
    grace: float  # seconds after which who is not heard of may be silent


class Admitted(NamedTuple):
    """What one call let in, and the server's time in microseconds right before and right after it."""

    before: int
    after: int
    places: tuple[int, ...]
    live: int  # as the room tells it
    passes: int  # as many as there are in Redis
    wait: float


class Outcome(NamedTuple):
    """What a process has to tell: a pump its calls, a joiner what its people did."""

    calls: list[Admitted]
    numbers: array[int]
    left: dict[int, int]  # place → the server's time before it was given up, in microseconds
    heard: array[int]  # place, time before and time after, in microseconds: each time that who waits was heard of


def done_key(show: str) -> str:
    """Where the joiners say that they are done."""
    return f"race:{{{show}}}:done"


def microseconds(moment: tuple[int, int]) -> int:
    """A reply to TIME as one number."""
    return moment[0] * 1_000_000 + moment[1]


def now() -> int:
    """The time in microseconds: server and processes run on one machine, and go by its clock."""
    return time.time_ns() // 1000


class Timed:
    """A client that carries out each script call between two looks at the server's clock, with nobody in between."""

    def __init__(self, client: redis.Redis, passes: str) -> None:
        self.client = client
        self.passes = passes
        self.last: tuple[int, int, int] = (0, 0, 0)

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Carry out one command, and note when, and how many passes there are after it."""
        if not args[0].startswith("EVAL"):
            return self.client.execute_command(*args, **options)
        together = self.client.pipeline(transaction=True)
        together.time()
        together.execute_command(*args, **options)
        together.zcard(self.passes)
        together.time()
        before, reply, passes, after = together.execute(raise_on_error=False)
        if isinstance(reply, Exception):
            raise reply
        self.last = (microseconds(before), microseconds(after), passes - 1)  # the sentinel is nobody's
        return reply


def take_part(place: Place, socket: str, show: str, race: Race) -> Outcome:
    """Be one of the processes."""
    if place.number < race.pumps:
        return _pump(place, socket, show, race)
    return asyncio.run(_people(place, socket, show, race))


def _pump(place: Place, socket: str, show: str, race: Race) -> Outcome:
    calls: list[Admitted] = []
    with redis.Redis(unix_socket_path=socket) as client:
        timed = Timed(client, f"seatlock:{{{show}}}:passes")
        room = WaitingRoom(timed)  # type: ignore[arg-type]
        room.served(show)
        place.step()
        begun = time.monotonic()
        while time.monotonic() < begun + race.seconds or int(client.get(done_key(show)) or 0) < race.joiners:
            if place.number == 0 and len(calls) % 50 == 0:
                room.tidy(show)
            found = room.admit(show)
            before, after, passes = timed.last
            calls.append(
                Admitted(before, after, tuple(one.place for one in found.admitted), found.live, passes, found.wait or 0)
            )
    return Outcome(calls, array("Q"), {}, array("Q"))


async def _people(place: Place, socket: str, show: str, race: Race) -> Outcome:
    numbers = array("Q", bytes(8 * race.joins))
    left: dict[int, int] = {}
    heard = array("Q")
    chance = random.Random(place.number)
    async with redis.asyncio.Redis(unix_socket_path=socket) as client, AsyncWaitingRoom(client) as room:
        await room.served(show)
        place.step()
        begun = time.monotonic()
        # where most are silent, whoever comes may be let in at once and have lost the pass before the second join,
        # which would then give another number
        other_tab = room.join if race.grace > race.seconds else room.heartbeat

        async def join(number: int) -> None:
            before = now()
            found = await room.join(show, holder_of(place.number, number))
            assert found.state == "waiting"
            assert found.number is not None
            numbers[number] = found.number
            heard.extend((found.number, before, now()))
            if number % 7 == 0:  # from another tab
                again = await other_tab(show, holder_of(place.number, number))
                assert again.number == found.number or (again.state == "gone" and other_tab == room.heartbeat)

        async def visit(number: int) -> None:
            """Look in; who is let in soon gives the pass back."""
            holder, before = holder_of(place.number, number), now()
            found = await room.heartbeat(show, holder)
            if found.state == "admitted":
                at = microseconds(await client.time())
                if await room.leave(show, holder):
                    left[numbers[number]] = at
            elif found.state == "waiting":
                assert found.number == numbers[number]
                heard.extend((numbers[number], before, now()))

        try:
            for at in range(0, race.joins, AT_ONCE):
                await asyncio.gather(*(join(number) for number in range(at, min(at + AT_ONCE, race.joins))))
            rounds = 0  # some also where the joins took all the time
            while time.monotonic() < begun + race.seconds or rounds < ROUNDS:
                await asyncio.gather(*(visit(chance.randrange(race.joins)) for _ in range(VISITS)))
                rounds += 1
        finally:  # the pumps do not wait for one that failed
            await client.incr(done_key(show))
    return Outcome([], numbers, left, heard)


def holder_of(process: int, number: int) -> str:
    """The id of one of the people."""
    return f"p-{process}-{number}"
