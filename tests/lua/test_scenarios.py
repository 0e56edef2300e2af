"""The scenarios, on a real server and over the bridge: there every line of every script runs, and every reply is as
its header says.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest
import redis

from tests.lua.house import House
from tests.lua.scenario import Scenario, scenarios
from tests.support import lua_headers
from tests.support.clock import Clock
from tests.support.lua_bridge import LuaBridge
from tests.support.lua_text import Place, compiled, files, names, origins, source
from tests.support.servers import RedisServer, backend

NEVER_RUN: Final[dict[Place, str]] = {}
"""Lines that no scenario reaches, with the reason."""


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Clock:
    return Clock(tmp_path_factory.mktemp("clock"))


@pytest.fixture(scope="module")
def server(clock: Clock) -> Iterator[RedisServer]:
    with RedisServer(backend("redis-7"), env=clock.env) as server:
        yield server


@pytest.fixture
def raw(server: RedisServer, clock: Clock) -> Iterator[redis.Redis]:
    clock.reset()
    with server.unix_client() as client:
        client.flushall()
        yield client


@pytest.fixture(scope="module")
def bridge(server: RedisServer) -> Iterator[LuaBridge]:
    bridge = LuaBridge(str(server.socket), names())
    yield bridge
    bridge.close()


def ids(scenario: Scenario) -> str:
    return scenario.name


@pytest.mark.parametrize("scenario", [each for each in scenarios() if not each.exact], ids=ids)
def test_on_a_real_server(scenario: Scenario, raw: redis.Redis, server: RedisServer, clock: Clock) -> None:
    with server.unix_client() as client:
        house = House(client, raw, clock)
        scenario.run(house)
        house.audit()


@pytest.mark.parametrize("scenario", scenarios(), ids=ids)
def test_to_the_millisecond(scenario: Scenario, raw: redis.Redis, bridge: LuaBridge, clock: Clock) -> None:
    house = House(bridge, raw, clock)
    scenario.run(house)
    house.audit()


def test_every_line_of_every_script_runs_and_every_reply_is_as_its_header_says(
    raw: redis.Redis, server: RedisServer, clock: Clock
) -> None:
    bridge = LuaBridge(str(server.socket), names())
    for scenario in scenarios():
        clock.reset()
        raw.flushall()
        scenario.run(House(bridge, raw, clock))
    bridge.close()

    there = {
        place: text
        for name in names()
        for number, (place, text) in enumerate(origins(name), start=1)
        if number in compiled(source(name)).lines
    }
    assert {place.file for place in there} == {str(path.relative_to(files()[0].parent)) for path in files()}
    missed = {place: text for place, text in there.items() if place not in bridge.ran}
    assert missed.keys() == NEVER_RUN.keys()

    headers = {name: lua_headers.parse(name, source(name)) for name in names()}
    complaints = [f"{name}: {wrong}" for name, reply in bridge.replies if (wrong := headers[name].complaint(reply))]
    assert complaints == []
    said = {(name, word) for name, reply in bridge.replies for word in _words(headers[name], reply)}
    promised = {
        (name, word)
        for name, header in headers.items()
        for word in (*(answer.word for answer in (*header.whole, *header.single)), *header.words)
        if word not in ("", "state")
    }
    assert promised - said == set(), "answers that no scenario gets"


def _words(header: lua_headers.Header, reply: list[object]) -> Iterator[str]:
    for part in [reply, *reply]:
        for word in part if isinstance(part, list) else []:
            if isinstance(word, bytes) and (header.words or word == part[0]):
                yield word.decode(errors="replace")
