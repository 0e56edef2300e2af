"""Those who want more of a waiting room than their share: from many connections at once."""

from __future__ import annotations

import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pytest
import redis

from seatlock.errors import WaitingRoomFull
from seatlock.waiting_room import Place, RoomSettings, WaitingRoom
from tests.support.servers import RedisServer

SHOW: Final = "gala"
CONNECTIONS: Final = 16
TABS: Final = 1000
_DAY: Final = 86_400.0


@pytest.fixture
def server(server_of: Callable[[str], RedisServer]) -> RedisServer:
    found = server_of("redis-7")
    found.flush()
    return found


@pytest.fixture
def raw(server: RedisServer) -> Iterator[redis.Redis]:
    with server.unix_client() as client:
        yield client


def opened(raw: redis.Redis, **settings: int) -> WaitingRoom:
    room = WaitingRoom(raw)
    room.prepare(SHOW, RoomSettings(grace=_DAY, keep=_DAY, reservation=_DAY, pass_ttl=_DAY, **settings))  # type: ignore[arg-type] - times are given
    room.open(SHOW)
    return room


def at_once(server: RedisServer, work: Callable[[WaitingRoom, int], None], **options: object) -> None:
    """Do something on many connections, begun by all at the same moment."""
    ready = threading.Barrier(CONNECTIONS)

    def one(number: int) -> None:
        with server.unix_client() as client:
            room = WaitingRoom(client, **options)  # type: ignore[arg-type] - those of a room
            room.served(SHOW)
            ready.wait(30)
            work(room, number)

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(one, range(CONNECTIONS)))


def streamed(raw: redis.Redis) -> Counter[str]:
    """How often the stream of admissions names whom."""
    entries = raw.xrange(f"seatlock:{{{SHOW}}}:admissions")
    return Counter(holder.decode() for _, fields in entries for place, holder in fields.items() if place.isdigit())


def test_one_holder_with_a_thousand_tabs_has_one_place(server: RedisServer, raw: redis.Redis) -> None:
    room = opened(raw)
    places: list[Place] = []

    def tabs(mine: WaitingRoom, number: int) -> None:
        for tab in range(number, TABS, CONNECTIONS):
            places.append((mine.join, mine.heartbeat)[tab % 3 == 2 and tab > TABS / 2](SHOW, "ada"))
            if tab % 10 == 0:
                mine.join(SHOW, f"other-{tab}")

    at_once(server, tabs)
    assert len(places) == TABS
    assert {(place.state, place.number) for place in places} == {("waiting", places[0].number)}
    assert room.served(SHOW).length == 1 + TABS // 10
    assert raw.zcard(f"seatlock:{{{SHOW}}}:queue") == 2 + TABS // 10, "and the sentinel"


def test_a_thousand_tabs_that_join_while_people_are_let_in_get_one_pass(server: RedisServer, raw: redis.Redis) -> None:
    room = opened(raw, rate=10**6, burst=10**6, batch=1)
    passes: list[Place] = []
    numbers: set[int | None] = set()

    def tabs(mine: WaitingRoom, number: int) -> None:
        for tab in range(number, TABS, CONNECTIONS):
            place = mine.join(SHOW, "ada")
            numbers.add(place.number)
            if place.state == "admitted":
                passes.append(place)
            if tab % 20 == 0:
                mine.admit(SHOW)

    at_once(server, tabs)
    room.admit(SHOW)
    assert len(numbers) == 1
    assert streamed(raw) == {"ada": 1}
    assert raw.zcard(f"seatlock:{{{SHOW}}}:passes") == 2, "and the sentinel"
    assert room.served(SHOW).length == 0
    assert passes, "some tabs were told of it"
    assert {place.pass_.renewals for place in passes if place.pass_} == {2}


def test_a_flood_of_random_ids_fills_the_room_and_no_more(server: RedisServer, raw: redis.Redis) -> None:
    most, real = 500, [f"fan-{number}" for number in range(100)]
    room = opened(raw, max_length=most)
    mine = {holder: room.join(SHOW, holder).number for holder in real}
    told: list[str] = []

    def flood(bots: WaitingRoom, number: int) -> None:
        for _ in range(10):
            answers = bots.join_many(SHOW, [secrets.token_hex(16) for _ in range(20)])
            told.extend(type(one).__name__ for one in answers)
            assert bots.join(SHOW, real[number]).number == mine[real[number]], "whoever has a place keeps it"

    at_once(server, flood)
    assert room.served(SHOW).length == most
    assert Counter(told)["WaitingRoomFull"] >= len(told) - most
    assert {holder: room.heartbeat(SHOW, holder).number for holder in real} == mine
    assert raw.zcard(f"seatlock:{{{SHOW}}}:queue") == most + 1
    assert int(raw.hget(f"seatlock:{{{SHOW}}}:room", "next") or 0) == most, "who was refused has used up no number"
    assert all(raw.strlen(f"seatlock:{{{SHOW}}}:{name}") <= most // 8 + 1 for name in ("here:0", "here:1"))
    assert [one.holder for one in room.admit(SHOW).admitted] == real, "those who came before are let in before"


def test_the_limiter_bounds_what_comes_from_one_place(server: RedisServer, raw: redis.Redis) -> None:
    """As an application would count: so many joins from an address, whatever ids it makes up."""
    opened(raw)
    counts: Counter[str] = Counter()
    lock = threading.Lock()

    def limiter(_: str, holder: str) -> float | None:
        address = holder.partition("/")[0]
        with lock:
            counts[address] += 1
            return None if counts[address] <= 30 else 60.0

    refused = 0

    def flood(bots: WaitingRoom, number: int) -> None:
        nonlocal refused
        address = f"10.0.0.{number % 4}"  # four addresses, however many connections
        for at in range(50):
            try:
                bots.join(SHOW, f"{address}/{secrets.token_hex(8)}")
            except WaitingRoomFull as error:
                with lock:
                    refused += error.retry_after == 60.0
            if at % 25 == 0:
                bots.join(SHOW, f"192.168.{number}.{at}/fan")

    at_once(server, flood, join_limiter=limiter)
    waiting = Counter(
        holder.decode().partition("/")[0].startswith("10.")
        for holder in raw.zrange(f"seatlock:{{{SHOW}}}:queue", 0, -2)
    )
    assert waiting == {True: 4 * 30, False: 2 * CONNECTIONS}
    assert refused == 50 * CONNECTIONS - 4 * 30
