"""The scenarios on a real server and over the bridge, where every line runs and every reply is as its header says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from seatlock import _script
from tests.lua.house import House
from tests.lua.scenario import Scenario, scenarios
from tests.support.clock import Clock
from tests.support.lua_bridge import LuaBridge
from tests.support.lua_headers import header_of
from tests.support.lua_text import compiled, files, names, origins, source
from tests.support.servers import RedisServer, backend


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


def test_every_line_of_every_script_runs_and_every_answer_is_given(
    raw: redis.Redis, server: RedisServer, clock: Clock
) -> None:
    bridge = LuaBridge(str(server.socket), names())
    said = set()
    for scenario in scenarios():
        clock.reset()
        raw.flushall()
        scenario.run(House(bridge, raw, clock))
        said |= {answer for source, reply in bridge.replies for answer in header_of(source).answers(reply)}
    bridge.close()

    there = {
        place: text
        for name in names()
        for number, (place, text) in enumerate(origins(name), start=1)
        if number in compiled(source(name)).lines
    }
    assert {place.file for place in there} == {str(path.relative_to(_script.folder())) for path in files()}
    assert {place: text for place, text in there.items() if place not in bridge.ran} == {}

    headers = [header_of(source(name)) for name in names()]
    assert {(header.name, word) for header in headers for word in header.all_words()} == said
