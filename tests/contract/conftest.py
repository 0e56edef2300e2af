"""The stage that every test of the contract plays on: both lockers, on every backend."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest

from seatlock.embedded import EmbeddedRedis
from tests.support.cluster import Cluster
from tests.support.need import need
from tests.support.servers import RedisServer
from tests.support.stage import STAGES, Doors, Stage


@pytest.fixture(scope="session")
def runner() -> Iterator[asyncio.Runner]:
    """The one event loop of all asyncio lockers."""
    # with a factory it leaves the thread's current loop alone, which is pytest-asyncio's
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as running:
        yield running


@pytest.fixture(scope="session")
def server_doors(server_of: Callable[[str], RedisServer], runner: asyncio.Runner) -> Iterator[Callable[[str], Doors]]:
    """The ways into the single servers."""
    opened: dict[str, Doors] = {}

    def doors(name: str) -> Doors:
        server = server_of(name)
        if name not in opened:
            opened[name] = Doors(name, server.unix_client(), server.unix_client, server.async_unix_client, runner)
        return opened[name]

    yield doors
    for door in opened.values():
        door.close()


@pytest.fixture(scope="session")
def cluster_doors(cluster: Cluster, runner: asyncio.Runner) -> Iterator[Doors]:
    """The ways into the cluster."""
    doors = Doors("cluster", cluster.client(), cluster.client, cluster.async_client, runner)
    yield doors
    doors.close()


@pytest.fixture(scope="session")
def fake_doors(runner: asyncio.Runner) -> Iterator[Doors]:
    """The ways into a server that is none."""
    try:
        server = EmbeddedRedis.start("fakeredis")
    except Exception as error:  # noqa: BLE001 - whatever is missing
        need("fakeredis", f"{error}; run: pip install 'fakeredis[lua]'")
    with server:
        doors = Doors("fakeredis", server.client(), server.client, server.async_client, runner)
        yield doors
        doors.close()


@pytest.fixture(params=STAGES)
def stage(request: pytest.FixtureRequest) -> Stage:
    """A show nobody has sold yet, and a locker to sell it."""
    colour, backend = request.param
    if backend == "cluster":
        doors = request.getfixturevalue("cluster_doors")
    elif backend == "fakeredis":
        doors = request.getfixturevalue("fake_doors")
    else:
        doors = request.getfixturevalue("server_doors")(backend)
    return Stage(doors, colour)
