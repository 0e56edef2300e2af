"""`from_url`: every kind of address, what passes through to the client, what is closed, and what is never told."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote

import pytest
import redis

from seatlock import (
    AsyncSeatLocker,
    InvalidRequest,
    OutcomeUnknown,
    ScriptFailed,
    SeatLocker,
    SeatLockError,
    ServerUnavailable,
    _connect,
)
from seatlock._connect import Target
from seatlock.embedded import EmbeddedRedis
from tests.support.cluster import Cluster
from tests.support.doors import door
from tests.support.ports import free_port
from tests.support.proxy import ReplyProxy
from tests.support.sentinel import Sentinel
from tests.support.servers import RedisServer
from tests.support.stage import COLOURS
from tests.support.waiting import until
from tests.support.whole_sale import sell_a_show

ServerOf = Callable[[str], RedisServer]
SECRET: Final = "hunter2/#?&@:%"  # noqa: S105 - what a password may be made of


@pytest.fixture(params=COLOURS)
def colour(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# --- every kind of address


@pytest.mark.parametrize("protocol", ["", "&protocol=3"], ids=["resp2", "resp3"])
def test_a_single_server(server_of: ServerOf, colour: str, protocol: str) -> None:
    server = server_of("redis-7")
    for url in (f"{server.url}?{protocol[1:]}", f"{server.unix_url}{protocol}"):
        with door(colour, url) as locker:
            sell_a_show(locker)


def test_a_cluster(cluster: Cluster, colour: str) -> None:
    with door(colour, cluster.url) as locker:
        for _ in range(4):
            sell_a_show(locker)


def test_a_primary_behind_sentinel(sentinel: Sentinel, colour: str) -> None:
    with door(colour, sentinel.url) as locker:
        sell_a_show(locker)
    dead = sentinel.url.replace("://", f"://127.0.0.1:{free_port()},")
    started = time.monotonic()
    with door(colour, dead) as locker:
        sell_a_show(locker)
    assert time.monotonic() - started < 5, "a dead sentinel is passed over"


def test_an_embedded_server_ends_with_its_locker(colour: str) -> None:
    with door(colour, "embedded://") as locker:
        sell_a_show(locker)
        server = locker._owned[1]
        assert server.description
    if server.pid is not None:
        with pytest.raises(ProcessLookupError):
            os.kill(server.pid, 0)


async def test_from_url_is_called_inside_a_loop_as_well(server_of: ServerOf) -> None:
    async with AsyncSeatLocker.from_url(server_of("redis-7").url) as locker:
        await locker.warm("inside-a-loop", ["A-1"])
        assert (await locker.availability("inside-a-loop")).counts["free"] == 1


@pytest.mark.parametrize("url", ["rediss://localhost:1/0", "rediss+sentinel://localhost:1/service"])
def test_tls_is_asked_for(url: str) -> None:
    for kind in (SeatLocker, AsyncSeatLocker):
        client: Any = kind.from_url(url)._client
        kinds = client.connection_pool.connection_class.__mro__
        assert any("SSLConnection" in kind.__name__ for kind in kinds)


def test_tls_to_a_cluster_is_asked_for() -> None:
    locker = AsyncSeatLocker.from_url("rediss+cluster://localhost:1")
    client: Any = locker._client
    assert client.connection_kwargs["connection_class"].__name__ == "SSLConnection"
    with pytest.raises(ServerUnavailable):
        SeatLocker.from_url(f"rediss+cluster://127.0.0.1:{free_port()}")


# --- what passes through, and what is closed


def _connections(raw: redis.Redis, name: str) -> list[Any]:
    return [client for client in raw.client_list() if client["name"] == name]


def test_options_go_to_the_client_and_close_closes_it(server_of: ServerOf, cluster: Cluster, colour: str) -> None:
    server = server_of("redis-7")
    for kind, url, servers in (("single", server.url, [server]), ("cluster", cluster.url, cluster.nodes)):
        name = f"box-office-{kind}-{colour}"
        with door(colour, url, client_name=name) as locker:
            sell_a_show(locker)
            assert _named(servers, name)
        until(lambda name=name, servers=servers: not _named(servers, name), "its connections are closed")


def _served(raw: redis.Redis) -> int:
    return int(raw.info("stats")["total_connections_received"])


def test_the_connections_to_the_sentinels_are_closed_too(sentinel: Sentinel, colour: str) -> None:
    watcher = sentinel.sentinels[0]
    with watcher.client() as raw:
        before, served = len(raw.client_list()), _served(raw)
        with door(colour, sentinel.url) as locker:
            locker.warm(f"watched-{colour}", ["A-1"])
            assert _served(raw) > served, "the sentinel was asked"
        until(lambda: len(raw.client_list()) <= before, "the connections are closed")
        assert locker is not None, "and not by being forgotten"


def _named(servers: list[RedisServer], name: str) -> list[Any]:
    found = []
    for server in servers:
        with server.client() as raw:
            found += _connections(raw, name)
    return found


def test_closing_twice_does_no_harm(server_of: ServerOf) -> None:
    locker = SeatLocker.from_url(server_of("redis-7").url)
    sell_a_show(locker)
    locker.close()
    locker.close()


def test_namespace_and_patience_are_the_lockers(server_of: ServerOf, colour: str) -> None:
    server = server_of("redis-7")
    with door(colour, server.url, namespace="other", patience=1.5) as locker, server.client() as raw:
        locker.warm(f"named-{colour}", ["A-1"])
        assert raw.exists(f"other:{{named-{colour}}}:meta")


def test_its_own_retries_are_off(
    server_of: ServerOf, proxy_to: Callable[[RedisServer], ReplyProxy], colour: str
) -> None:
    proxy, show = proxy_to(server_of("redis-7")), f"no-retries-{colour}"
    with door(colour, proxy.url, patience=0.001) as locker:
        locker.warm(show, ["A-1"])
        locker.open_sale(show)
        sent = len(proxy.commands)
        fault = proxy.lose_reply("EVALSHA", times=100)
        with pytest.raises(OutcomeUnknown, match="after 1 attempts"):
            locker.acquire(show, ["A-1"], holder="ada")
        assert (fault.seen, fault.fired) == (1, 1)
        assert proxy.commands[sent:].count("EVALSHA") == 1


def test_nothing_is_left_behind_where_an_argument_is_bad(colour: str, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[EmbeddedRedis] = []

    class Noted(EmbeddedRedis):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            started.append(self)

    monkeypatch.setattr(_connect, "EmbeddedRedis", Noted)
    bad_options: list[dict[str, Any]] = [{"namespace": "{"}, {"patience": -1}, {"no_such_option": 1}]
    for options in bad_options:
        with pytest.raises((InvalidRequest, TypeError)):
            door(colour, "embedded://", **options)
    for server in started:
        if server.pid is not None:
            with pytest.raises(ProcessLookupError):
                os.kill(server.pid, 0)


# --- wrong addresses


@pytest.mark.parametrize(
    "url",
    [
        None, 7, b"redis://localhost", "", "localhost", "localhost:6379", "//localhost", "http://localhost",
        "redis:/localhost", "redis:localhost", "embedded:", "redis+tls://localhost", "unix+cluster:///tmp/socket",
        "memory+cluster://localhost", "REDIS+cluster+cluster://localhost", "unix://", "redis://localhost:port",
        "redis://localhost:99999", "redis://[::1", "redis://localhost/database", "redis://localhost/0/1",
        "redis://localhost/0#1", "redis://localhost?socket_timeout=soon", "redis+cluster://", "redis+cluster://:6379",
        "redis+cluster://localhost:6379/1", "redis+sentinel://localhost", "redis+sentinel:///service",
        "redis+sentinel://localhost:port/service", "redis+sentinel://localhost:99999/service",
        "redis+sentinel://localhost/service/one", "redis+sentinel://localhost/service/0/1",
        "redis+sentinel://localhost,/service", "redis+sentinel://localhost/service?socket_timeout=1",
    ],
)  # fmt: skip
def test_a_wrong_address_is_an_invalid_request(colour: str, url: Any) -> None:
    with pytest.raises(InvalidRequest, match="url"):
        door(colour, url)


@pytest.mark.parametrize("kind", ["redis", "redis+cluster", "redis+sentinel"])
def test_where_nobody_listens(colour: str, kind: str) -> None:
    url = f"{kind}://127.0.0.1:{free_port()}/{'service' if kind.endswith('sentinel') else ''}"
    started = time.monotonic()
    with pytest.raises(ServerUnavailable), door(colour, url, patience=0.2) as locker:
        locker.availability("show")
    assert time.monotonic() - started < 3, "its patience is the caller's"


def test_an_unknown_service(sentinel: Sentinel, colour: str) -> None:
    url = sentinel.url.replace("mymaster", "other")
    with pytest.raises(ServerUnavailable, match="other"), door(colour, url, patience=0.2) as locker:
        locker.availability("show")


# --- credentials


def test_user_and_password_in_the_address(private_server: Any, colour: str) -> None:
    server = private_server(config={"requirepass": '"hunter2/#?&@:%"'})
    with door(colour, f"redis://:{quote(SECRET, safe='')}@127.0.0.1:{server.port}/0") as locker:
        sell_a_show(locker)
    with door(colour, f"redis://127.0.0.1:{server.port}/0", password=SECRET) as locker:
        sell_a_show(locker)


def test_credentials_for_the_servers_behind_sentinel() -> None:
    target = Target(f"redis+sentinel://us%40er:{quote(SECRET, safe='')}@one:1,two/service/2")
    assert target.sentinels == [("one", 1), ("two", 26379)]
    options = target.sentinel_options({"db": 3, "client_name": "box"})
    assert options == {"db": 3, "username": "us@er", "password": SECRET, "client_name": "box"}
    assert Target("redis+sentinel://[::1]:5/service").sentinels == [("::1", 5)]


@pytest.mark.parametrize(
    "url",
    [
        "redis://ada:{}@127.0.0.1:{port}/0", "redis://:{}@127.0.0.1:{port}/0", "redis://ada:{}@127.0.0.1:port",
        "redis+cluster://ada:{}@127.0.0.1:{port}", "redis+sentinel://ada:{}@127.0.0.1:{port}/service",
        "redis+sentinel://ada:{}@127.0.0.1:port/service", "redis+sentinel://ada:{}@127.0.0.1", "ada:{}@127.0.0.1",
        "{}:ada@127.0.0.1", "http://ada:{}@127.0.0.1", "redis://127.0.0.1:{port}/0?password={}&port=x",
        "redis+sentinel://127.0.0.1:{port}/service?password={}", "{}://127.0.0.1",
    ],
)  # fmt: skip
@pytest.mark.parametrize("secret", ["hunter2secret", "hunter2/secret", "hunter2#secret", "hunter2?secret", "1/hunter2"])
def test_credentials_are_never_told(colour: str, url: str, secret: str) -> None:
    address = url.replace("{port}", str(free_port())).replace("{}", secret)
    with pytest.raises(SeatLockError) as error, door(colour, address, patience=0.01) as locker:
        locker.availability("show")
    told = "".join(traceback.format_exception(error.value)) + repr(error.value)
    lines = [line for line in told.splitlines() if "File" not in line]
    assert not any("hunter2" in line for line in lines), told


def test_a_wrong_password_is_not_told_either(private_server: Any, colour: str) -> None:
    server = private_server(config={"requirepass": "right"})
    for url in (f"redis://:wrong@127.0.0.1:{server.port}", f"redis://127.0.0.1:{server.port}"):
        with pytest.raises(ScriptFailed) as error, door(colour, url, patience=0.1) as locker:
            locker.availability("show")
        assert "wrong" not in str(error.value)
