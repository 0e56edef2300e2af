"""The pump of a waiting room: it fills free slots soon, ends when it should, and outlasts a server that goes away."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, Final

import pytest
from redis.backoff import NoBackoff
from redis.retry import Retry

from seatlock.errors import InvalidRequest, SeatLockError, ShowNotFound
from seatlock.waiting_room import Admission, AsyncWaitingRoom, Place, RoomSettings, WaitingRoom
from seatlock.waiting_room.draw import Draw
from tests.support.fixtures import PrivateServer
from tests.support.servers import RedisServer
from tests.support.waiting import until

SHOW: Final = "gala"
FAST: Final = {"rate": 1000, "per": 1.0, "burst": 1000, "batch": 1000, "poll": 0.02}
KEPT: Final = {"appendonly": "yes", "appendfsync": "always", "hz": "100"}


class Running:
    """A pump that runs, and what it told: when it let in whom. ``error`` is what ended it, if anything did."""

    def __init__(self) -> None:
        self.told: list[tuple[float, Admission]] = []
        self.error: BaseException | None = None
        self.ended = threading.Event()

    def note(self, admission: Admission) -> None:
        self.told.append((time.monotonic(), admission))

    @property
    def let_in(self) -> list[str]:
        return [one.holder for _, admission in list(self.told) for one in admission.admitted]


Start = Callable[..., AbstractContextManager[Running]]


def _blocking(server: RedisServer, running: Running, stop: threading.Event, options: dict[str, Any]) -> None:
    with server.client(retry=Retry(NoBackoff(), 0), socket_timeout=2.0) as client:
        WaitingRoom(client, patience=0.5).run(SHOW, stop=stop, on_admission=running.note, **options)


def _awaiting(server: RedisServer, running: Running, stop: threading.Event, options: dict[str, Any]) -> None:
    async def pump() -> None:
        client = server.async_client(socket_timeout=2.0)
        stopped = asyncio.Event()
        waiting = asyncio.get_running_loop().run_in_executor(None, stop.wait)
        waiting.add_done_callback(lambda _: stopped.set())
        try:
            await AsyncWaitingRoom(client, patience=0.5).run(SHOW, stop=stopped, on_admission=running.note, **options)
        finally:
            stop.set()
            await waiting
            await client.aclose()

    asyncio.run(pump())


@pytest.fixture(params=[_blocking, _awaiting], ids=["sync", "async"])
def pump(request: pytest.FixtureRequest) -> Start:
    """Starts a pump of either colour on a server, and ends it with the block."""

    @contextmanager
    def start(server: RedisServer, **options: Any) -> Iterator[Running]:
        running, stop = Running(), threading.Event()

        def work() -> None:
            try:
                request.param(server, running, stop, options)
            except BaseException as error:  # noqa: BLE001 - the test looks at it
                running.error = error
            finally:
                running.ended.set()

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield running
        finally:
            stop.set()
            thread.join(10)
            assert not thread.is_alive(), "it ends when it is told to"

    return start


@pytest.fixture
def server(server_of: Callable[[str], RedisServer]) -> RedisServer:
    found = server_of("redis-7")
    found.flush()
    return found


@contextmanager
def opened(server: RedisServer, people: int, **settings: Any) -> Iterator[tuple[WaitingRoom, list[str]]]:
    """An open room with people in it."""
    with server.unix_client() as client:
        room = WaitingRoom(client, patience=20.0)
        room.prepare(SHOW, RoomSettings(**{**FAST, **settings}))
        room.open(SHOW)
        line = [f"h-{number}" for number in range(people)]
        for holder in line:
            room.join(SHOW, holder)
        yield room, line


def test_it_lets_everybody_in_in_order(server: RedisServer, pump: Start) -> None:
    with opened(server, 300) as (room, line), pump(server) as running:
        until(lambda: len(running.let_in) == 300, "all are in")
        assert running.let_in == line
        room.join(SHOW, "late")
        until(lambda: running.let_in[300:] == ["late"], "who comes later is let in as well")
        assert all(admission.admitted for _, admission in running.told), "it tells of admissions only"
    assert running.error is None


def test_it_goes_at_the_pace_of_the_rate(server: RedisServer, pump: Start) -> None:
    """Not much slower either: a burst of one does not make it miss what the rate brings."""
    with opened(server, 200, rate=100, burst=1), pump(server) as running:
        until(lambda: len(running.let_in) >= 150, "many are in")
        took = running.told[149][0] - running.told[0][0] if len(running.told) >= 150 else 0.0
        assert len(running.told) >= 150, "one by one"
        assert 1.4 < took < 4.0


def test_slots_of_those_who_never_come_are_filled_within_two_seconds(server: RedisServer, pump: Start) -> None:
    """Nine of ten who are let in never show up."""
    slots, reservation = 100, 1.0
    with (
        opened(server, 600, concurrency=slots, reservation=reservation) as (room, line),
        pump(server) as running,
    ):
        come: list[str] = []

        def some_come() -> bool:
            for holder in running.let_in[len(come) * 10 :: 10]:
                assert room.heartbeat(SHOW, holder).state == "admitted"
                come.append(holder)
            return len(running.let_in) >= slots * 4

        until(some_come, "four hundred were let in", timeout=20)
        assert running.let_in == line[: len(running.let_in)]
        told = list(running.told)
        checked = 0
        for at, admission in told:
            silent = sum(one.holder not in come for one in admission.admitted)
            filled_by = at + reservation + 2.0
            if filled_by > told[-1][0]:
                continue
            needed = slots + sum(one.holder not in come for when, other in told if when <= at for one in other.admitted)
            had = sum(len(other.admitted) for when, other in told if when <= filled_by)
            assert had >= min(needed, 600), "the slots are filled again"
            checked += silent
        assert checked >= 90
        assert room.served(SHOW).live <= slots
    assert running.error is None


def test_the_first_slots_are_filled_again_in_time(server: RedisServer, pump: Start) -> None:
    with opened(server, 250, concurrency=100, reservation=0.5) as (room, line), pump(server) as running:
        until(lambda: len(running.let_in) == 100, "the slots are full")
        first = running.told[0][0]
        for holder in line[:100:10]:
            room.heartbeat(SHOW, holder)
        until(lambda: len(running.let_in) >= 190, "those of the silent are filled again")
        again = next(at for at, admission in running.told if admission.admitted[-1].place >= 190)
        assert 0.4 < again - first < 0.5 + 2.0
        assert running.let_in == line[:190]


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_it_outlasts_a_restart(private_server: PrivateServer, pump: Start, end: str) -> None:
    server = private_server(config=KEPT)
    with opened(server, 400, rate=100, burst=10) as (room, line), pump(server) as running:
        until(lambda: len(running.let_in) > 30, "it pumps")
        getattr(server, end)()
        server.start()
        before = len(running.let_in)
        until(lambda: len(running.let_in) > before + 30, "it pumps again", timeout=30)
        with suppress(SeatLockError):  # a connection from before the restart
            room.served(SHOW)
        room.prepare(SHOW, RoomSettings(**FAST))
        until(lambda: room.served(SHOW).length == 0, "all are in", timeout=30)
        assert not running.ended.is_set()
        entries = room._client.xrange(f"seatlock:{{{SHOW}}}:admissions")
        streamed = [holder.decode() for _, fields in entries for place, holder in fields.items() if place.isdigit()]
        assert streamed == line, "nobody twice, nobody lost, in order: the stream tells also what a lost reply did not"
        assert [holder for holder in streamed if holder in set(running.let_in)] == running.let_in
    assert running.error is None


@pytest.mark.parametrize("word", ["close_room", "sold_out"])
def test_it_ends_with_the_sale(server: RedisServer, pump: Start, word: str) -> None:
    with opened(server, 3, rate=1, per=3600.0, burst=1) as (room, _), pump(server) as running:
        until(lambda: running.let_in, "it pumps")
        getattr(room, word)(SHOW)
        until(running.ended.is_set, "it has ended")
        assert room.served(SHOW).length == 2
    assert running.error is None


def test_it_waits_for_the_opening_and_through_a_pause(server: RedisServer, pump: Start) -> None:
    with server.unix_client() as client:
        room = WaitingRoom(client)
        room.prepare(SHOW, RoomSettings(**FAST))
        room.join(SHOW, "ada")
        with pump(server) as running:
            room.open(SHOW)
            until(lambda: running.let_in == ["ada"], "it noticed the opening")
            room.pause(SHOW)
            room.join(SHOW, "bo")
            room.open(SHOW)
            until(lambda: running.let_in == ["ada", "bo"], "it noticed the end of the pause")


def test_it_keeps_the_room_tidy(server: RedisServer, pump: Start) -> None:
    times = {"reservation": 0.05, "grace": 0.05, "keep": 0.05}
    with opened(server, 5, rate=1, per=3600.0, burst=1, **times) as (room, _), pump(server):
        until(lambda: room.served(SHOW).length == 0, "the silent have left")
        until(lambda: room._client.zcard(f"seatlock:{{{SHOW}}}:passes") == 1, "and the pass is gone")


def test_it_asks_how_many_may_be_in(server: RedisServer, pump: Start) -> None:
    free = [3]
    with opened(server, 10) as (room, line), pump(server, most_live=lambda: free[0]) as running:
        until(lambda: len(running.let_in) == 3, "as many as there are seats")
        free[0] = 5
        until(lambda: len(running.let_in) == 5, "two seats came back")
        assert running.let_in == line[:5]
        assert room.served(SHOW).live == 5


def test_what_is_wrong_for_good_ends_it(server: RedisServer, pump: Start) -> None:
    with pump(server) as running:
        until(running.ended.is_set, "there is no room")
    assert isinstance(running.error, ShowNotFound)
    with opened(server, 1), pump(server, most_live=lambda: -1) as running:
        until(running.ended.is_set, "that is no bound")
    assert isinstance(running.error, InvalidRequest)


def test_several_pumps_let_nobody_in_twice(server: RedisServer, pump: Start) -> None:
    with (
        opened(server, 500, rate=400, burst=20) as (_, line),
        pump(server) as one,
        pump(server) as other,
        pump(server) as third,
    ):
        until(lambda: len(one.let_in) + len(other.let_in) + len(third.let_in) == 500, "all are in")
        assert sorted(one.let_in + other.let_in + third.let_in) == sorted(line)
        for running in (one, other, third):
            assert running.let_in == [holder for holder in line if holder in set(running.let_in)]


@pytest.mark.parametrize("awaited", [False, True], ids=["functions", "coroutine functions"])
def test_what_an_asyncio_pump_calls_may_be_awaited(server: RedisServer, awaited: bool) -> None:
    seen: list[Admission | Draw | None] = []
    stop = asyncio.Event()

    def live() -> int:
        return 2

    def value() -> str:
        return "beacon"

    def note(told: Admission | Draw | None) -> None:
        seen.append(told)
        if isinstance(told, Admission):
            stop.set()

    async def live_in_a_while() -> int:
        await asyncio.sleep(0)
        return live()

    async def value_in_a_while() -> str:
        await asyncio.sleep(0)
        return value()

    async def note_in_a_while(told: Admission | Draw | None) -> None:
        await asyncio.sleep(0)
        note(told)

    async def pump() -> None:
        async with server.async_client() as client:
            room = AsyncWaitingRoom(client)
            await room.prepare(SHOW, RoomSettings(**FAST))
            await room.join_many(SHOW, ["ada", "bo", "cy"])
            await client.hset(f"seatlock:{{{SHOW}}}:room", "opens", "1")
            told = note_in_a_while if awaited else note
            await room.run(
                SHOW,
                stop=stop,
                most_live=live_in_a_while if awaited else live,
                outside=value_in_a_while if awaited else value,
                on_admission=told,
                on_open=told,
            )

    asyncio.run(pump())
    drawn, admission = seen
    assert isinstance(drawn, Draw)
    assert isinstance(admission, Admission)
    assert (drawn.check(), drawn.outside, len(admission.admitted)) == ([], "beacon", 2)


def test_a_pump_leaves_a_room_that_is_closed_in_its_draw(private_server: PrivateServer) -> None:
    """It ends, as for any room that is closed; whoever opens the room again goes on with the draw."""
    with private_server().unix_client() as client:
        room = WaitingRoom(client)
        room.prepare(SHOW)
        room.join_many(SHOW, [f"h-{number}" for number in range(1200)])
        client.hset(f"seatlock:{{{SHOW}}}:room", "opens", 1)

        def close() -> str:
            room.close_early(SHOW)
            room.close_room(SHOW)
            return "beacon"

        room.run(SHOW, outside=close)
        assert room.served(SHOW).room == "closed"
        drawn = room.open(SHOW)
        assert drawn is not None
        assert drawn.count == room.served(SHOW).length == 1200


def test_who_can_know_the_value_from_outside_is_not_early_any_more(private_server: PrivateServer) -> None:
    """The list is closed before it is asked for; where it cannot be had, it is asked for again."""
    with private_server().unix_client() as client:
        room = WaitingRoom(client)
        room.prepare(SHOW, RoomSettings(**FAST))
        room.join_many(SHOW, ["ada", "bo"])
        client.hset(f"seatlock:{{{SHOW}}}:room", "opens", 1)
        stop = threading.Event()
        draws: list[Draw | None] = []
        joined: list[Place] = []

        def value() -> str:
            joined.append(room.join(SHOW, f"insider-{len(joined)}"))
            if len(joined) == 1:
                raise OSError("the beacon does not answer")
            return "beacon"

        def opened(drawn: Draw | None) -> None:
            draws.append(drawn)
            stop.set()

        room.run(SHOW, stop=stop, outside=value, on_open=opened)
        assert [place.state for place in joined] == ["waiting", "waiting"]
        (drawn,) = draws
        assert drawn is not None
        assert (drawn.count, drawn.outside, drawn.position("insider-0")) == (2, "beacon", None)


def test_the_pump_opens_the_room_when_the_time_comes(private_server: PrivateServer) -> None:
    with private_server().unix_client() as client:
        room = WaitingRoom(client)
        room.prepare(SHOW)
        for number in range(20):
            room.join(SHOW, f"h-{number}")
        room.open_at(SHOW, time.time() + 1.0)
        assert room.admit(SHOW).admitted == ()
        stop = threading.Event()
        draws: list[Draw | None] = []

        def run() -> None:
            room.run(SHOW, stop=stop, outside=lambda: "beacon", on_open=draws.append)

        pumps = [threading.Thread(target=run) for _ in range(3)]
        for pump in pumps:
            pump.start()
        try:
            until(lambda: room.served(SHOW).admitted == 20, "all are let in", timeout=20)
        finally:
            stop.set()
            for pump in pumps:
                pump.join()
        records = [draw for draw in draws if draw is not None]
        assert records
        assert all((draw.check(), draw.outside, len(draw.order())) == ([], "beacon", 20) for draw in records)
