"""Each broker with a place of its own for every test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.brokers.readers import Desk, KafkaDesk, RabbitDesk, RedisDesk
from tests.outbox.conftest import works_of
from tests.support.fixtures import PrivateServer
from tests.support.servers import RedisServer

__all__ = ["works_of"]

KINDS = ("kafka", "rabbit", "redis")


@pytest.fixture(params=KINDS)
async def desk(request: pytest.FixtureRequest, server_of: Callable[[str], RedisServer]) -> Desk:
    """One of the brokers, and a topic, a queue or a stream that nothing is in yet."""
    if request.param == "kafka":
        return KafkaDesk(request.getfixturevalue("kafka"))
    if request.param == "redis":
        return RedisDesk(server_of("redis-7"))
    desk = RabbitDesk(request.getfixturevalue("rabbit"))
    await desk.bind()
    return desk


@pytest.fixture(params=KINDS)
async def mortal_desk(request: pytest.FixtureRequest, private_server: PrivateServer) -> Desk:
    """As `desk`, on a server that may be stopped and started: it keeps what it has acknowledged."""
    if request.param == "redis":
        return RedisDesk(private_server(config={"appendonly": "yes", "appendfsync": "always"}))
    made: Any = request.getfixturevalue(request.param)
    desk = KafkaDesk(made) if request.param == "kafka" else RabbitDesk(made)
    if isinstance(desk, RabbitDesk):
        await desk.bind()
    return desk
