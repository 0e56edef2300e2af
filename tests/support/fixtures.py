"""The servers as pytest fixtures: each is started when a test first asks for it, and ended by its fixture.

Load it with ``pytest_plugins = ["tests.support.fixtures"]``. The session's servers are shared: a test that needs an
empty one calls `flush` first, and one that kills, fills or moves a server takes a private one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from tests.support.brokers import KafkaServer, RabbitServer, kafka_jars, rabbitmq_programs
from tests.support.clock import Clock
from tests.support.cluster import Cluster
from tests.support.proxy import ReplyProxy
from tests.support.sentinel import Sentinel
from tests.support.servers import RedisServer, backend


class PrivateServer(Protocol):
    """Starts a server for one test; see `RedisServer`."""

    def __call__(
        self,
        name: str = "redis-7",
        *,
        config: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> RedisServer: ...


@pytest.fixture(scope="session")
def server_of() -> Iterator[Callable[[str], RedisServer]]:
    """A factory: the session's server of one of the backends; started again if a test left it dead."""
    servers: dict[str, RedisServer] = {}
    with ExitStack() as stack:

        def server_of(name: str) -> RedisServer:
            if name not in servers:
                servers[name] = stack.enter_context(RedisServer(backend(name)))
            if not servers[name].running:
                servers[name].start()
            return servers[name]

        yield server_of


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The session's cluster of six Redis 7 nodes."""
    with Cluster(backend("redis-7")) as running:
        yield running


@pytest.fixture(scope="session")
def sentinel() -> Iterator[Sentinel]:
    """The session's primary and replica of Redis 7, with one sentinel. Call `heal` after doing harm."""
    with Sentinel(backend("redis-7")) as running:
        yield running


@pytest.fixture(scope="session")
def session_kafka() -> Iterator[KafkaServer]:
    """The session's Kafka; `kafka` has it running."""
    with KafkaServer(kafka_jars()) as running:
        yield running


@pytest.fixture
def kafka(session_kafka: KafkaServer) -> KafkaServer:
    """The session's Kafka, started again if a test left it dead. Use a topic of your own."""
    return session_kafka if session_kafka.running else session_kafka.start()


@pytest.fixture(scope="session")
def session_rabbit() -> Iterator[RabbitServer]:
    """The session's RabbitMQ; `rabbit` has it running."""
    with RabbitServer(rabbitmq_programs()) as running:
        yield running


@pytest.fixture
def rabbit(session_rabbit: RabbitServer) -> RabbitServer:
    """The session's RabbitMQ, started again if a test left it dead. Use an exchange of your own."""
    return session_rabbit if session_rabbit.running else session_rabbit.start()


@pytest.fixture
def private_server() -> Iterator[PrivateServer]:
    """A factory: a server for this test alone, to kill, restart, fill or move in time."""
    with ExitStack() as stack:

        def start(
            name: str = "redis-7",
            *,
            config: Mapping[str, str] | None = None,
            env: Mapping[str, str] | None = None,
        ) -> RedisServer:
            return stack.enter_context(RedisServer(backend(name), config=config, env=env))

        yield start


@pytest.fixture
def private_cluster() -> Iterator[Cluster]:
    """A cluster for this test alone, quick to fail over; it takes about three seconds to start."""
    with Cluster(backend("redis-7"), node_timeout=1.0) as running:
        yield running


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    """A clock for servers of this test: ``private_server(env=clock.env)``."""
    return Clock(tmp_path)


@pytest.fixture
def proxy_to() -> Iterator[Callable[[RedisServer], ReplyProxy]]:
    """A factory: a proxy before a server, closed with the test."""
    with ExitStack() as stack:
        yield lambda server: stack.enter_context(ReplyProxy(server.port))
