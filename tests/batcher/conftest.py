"""What every test of the batcher has: nothing goes wrong unheard."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterator

import pytest

from seatlock._batcher import Batcher
from tests.batcher.house import House
from tests.batcher.wire import PATIENCE, Wire
from tests.support.proxy import ReplyProxy
from tests.support.servers import RedisServer


@pytest.fixture(autouse=True)
def _nothing_unheard(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No exception that nobody retrieved, no task that was forgotten: asyncio tells of them only in its log."""
    yield
    gc.collect()
    records = [*caplog.get_records("call"), *caplog.get_records("teardown")]
    unheard = [record for record in records if record.name == "asyncio" and record.levelno >= logging.WARNING]
    assert [record.getMessage() for record in unheard] == []


@pytest.fixture(scope="session")
def house(server_of: Callable[[str], RedisServer]) -> Iterator[House]:
    """Shows on a real server."""
    server = server_of("redis-7")
    running = House(server.url, server.unix_client())
    yield running
    running.close()


@pytest.fixture(scope="session")
def one_proxy(server_of: Callable[[str], RedisServer]) -> Iterator[ReplyProxy]:
    with ReplyProxy(server_of("redis-7").port) as proxy:
        yield proxy


@pytest.fixture
def proxy(one_proxy: ReplyProxy) -> ReplyProxy:
    """A proxy before that server, without faults."""
    one_proxy.heal()
    return one_proxy


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def batcher(wire: Wire) -> Batcher:
    return Batcher(wire.carry_out, PATIENCE)
