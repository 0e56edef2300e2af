"""What the modules about lost replies share: a server each, and a proxy before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import redis

from tests.support.proxy import ReplyProxy
from tests.support.servers import RedisServer


@pytest.fixture(scope="module")
def server(server_of: Callable[[str], RedisServer]) -> RedisServer:
    """The server of a module that names no other."""
    return server_of("redis-7")


@pytest.fixture(scope="module")
def raw(server: RedisServer) -> Iterator[redis.Redis]:
    """A client of the server that nothing is between."""
    with server.client() as client:
        yield client


@pytest.fixture(scope="module")
def one_proxy(server: RedisServer) -> Iterator[ReplyProxy]:
    """The proxy of a module."""
    with ReplyProxy(server.port) as proxy:
        yield proxy


@pytest.fixture
def proxy(one_proxy: ReplyProxy) -> ReplyProxy:
    """The proxy of this module, without faults."""
    one_proxy.heal()
    return one_proxy
