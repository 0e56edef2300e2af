"""A server that cannot keep locks is found out on the first use of a show, before anything is written."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from seatlock import Hold, ScriptFailed, SeatLocker, UnsafeServer, new_token
from tests.support.cluster import Cluster
from tests.support.doors import door
from tests.support.servers import RedisServer, backend
from tests.support.stage import COLOURS, Stage, only_on
from tests.support.waiting import until

HOLD = Hold("show", ("A-1",), "ada", new_token(), 1, 1.0)
FIRST_USES: dict[str, Callable[[Any], Any]] = {
    "warm": lambda locker: locker.warm("show", ["A-1"]),
    "open_sale": lambda locker: locker.open_sale("show"),
    "acquire": lambda locker: locker.acquire("show", ["A-1"], holder="ada"),
    "holding": lambda locker: locker.holding("show", ["A-1"], holder="ada").__enter__(),
    "extend": lambda locker: locker.extend(HOLD, ttl=60),
    "confirm": lambda locker: locker.confirm(HOLD),
    "reclaim": lambda locker: locker.confirm(HOLD, reclaim=True),
    "begin_payment": lambda locker: locker.begin_payment(HOLD),
    "release": lambda locker: locker.release(HOLD),
    "acquire_many": lambda locker: locker.acquire_many("show", []),
    "release_many": lambda locker: locker.release_many("show", [HOLD]),
    "availability": lambda locker: locker.availability("show"),
    "inspect": lambda locker: locker.inspect("show", ["A-1"]),
    "block": lambda locker: locker.block("show", ["A-1"]),
    "unblock": lambda locker: locker.unblock("show", ["A-1"]),
    "sweep": lambda locker: locker.sweep("show"),
    "retire": lambda locker: locker.retire("show"),
}


@pytest.fixture(params=COLOURS)
def colour(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", params=["redis-6.2", "redis-7", "redis-8", "valkey-8"])
def evicting(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    """A server that drops keys when its memory is full."""
    with RedisServer(backend(request.param), config={"maxmemory-policy": "allkeys-lru"}) as server:
        yield server


@pytest.fixture(scope="module", params=["redis-6.2", "redis-7", "redis-8", "valkey-8"])
def replica(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    """A read-only replica."""
    settings = {"repl-diskless-sync-delay": "0"}
    with RedisServer(backend(request.param), config=settings) as primary, RedisServer(backend(request.param)) as server:
        with server.client() as raw:
            raw.replicaof("127.0.0.1", primary.port)
        until(lambda: server.info("replication")["master_link_status"] == "up", "the replica is linked")
        yield server


@pytest.mark.parametrize("verb", FIRST_USES)
def test_a_server_that_evicts_is_refused(evicting: RedisServer, colour: str, verb: str) -> None:
    with door(colour, evicting.url) as locker, evicting.client() as raw:
        with pytest.raises(UnsafeServer, match=r"allkeys-lru.*noeviction"):
            FIRST_USES[verb](locker)
        assert raw.dbsize() == 0


@pytest.mark.parametrize("policy", ["volatile-lru", "volatile-ttl", "allkeys-random"])
def test_whatever_its_policy_and_until_it_is_mended(private_server: Any, colour: str, policy: str) -> None:
    server = private_server(config={"maxmemory-policy": policy})
    with door(colour, server.url) as locker, server.client() as raw:
        for _ in range(2):
            with pytest.raises(UnsafeServer, match=policy):
                locker.warm("show", ["A-1"])
        raw.config_set("maxmemory-policy", "noeviction")
        assert locker.warm("show", ["A-1"]).created


@pytest.mark.parametrize("verb", FIRST_USES)
def test_a_read_only_replica_is_refused(replica: RedisServer, colour: str, verb: str) -> None:
    with door(colour, replica.url) as locker, pytest.raises(UnsafeServer, match=r"replica.*primary"):
        FIRST_USES[verb](locker)


def test_a_cluster_node_that_evicts_is_refused_for_its_shows(cluster: Cluster, colour: str) -> None:
    shows = [f"{colour}-show-{number}" for number in range(12)]
    bad = cluster.primary_of(f"seatlock:{{{shows[0]}}}:meta")
    theirs = {show for show in shows if cluster.primary_of(f"seatlock:{{{show}}}:meta") is bad}
    assert 0 < len(theirs) < len(shows)
    refused = set()
    with bad.client() as raw, door(colour, cluster.url) as locker:
        raw.config_set("maxmemory-policy", "volatile-lru")
        try:
            for show in shows:
                try:
                    locker.warm(show, ["A-1"])
                except UnsafeServer:
                    refused.add(show)
        finally:
            raw.config_set("maxmemory-policy", "noeviction")
    assert refused == theirs


@only_on("redis-7", "cluster")
def test_the_look_is_taken_once_a_show(stage: Stage) -> None:
    stage.open()
    locker, client = stage.watched()
    for seat in ("A-1", "A-2", "A-3"):
        locker.acquire(stage.show, [seat], holder="ada")
    assert len(client.sent) == 1 + 3
    other = Stage(stage.doors, stage.colour)
    other.open()
    locker.acquire(other.show, ["A-1"], holder="ada")
    assert len(client.sent) == 4 + 2


def _with_rights(server: RedisServer, name: str, *rules: str) -> str:
    """Make a user that may do everything but these, and give the address for that user."""
    with server.client() as raw:
        raw.execute_command("ACL", "SETUSER", name, "on", ">secret", "~*", "+@all", *rules)
    return server.url.replace("://", f"://{name}:secret@")


@pytest.mark.parametrize("version", ["redis-6.2", "redis-7", "redis-8", "valkey-8"])
def test_a_server_that_does_not_tell_is_warned_about(
    private_server: Any, colour: str, version: str, caplog: pytest.LogCaptureFixture
) -> None:
    url = _with_rights(private_server(version), "shy", "-info")
    with caplog.at_level(logging.WARNING, logger="seatlock"), door(colour, url) as locker:
        locker.warm("show", ["A-1"])
        locker.open_sale("show")
        assert locker.acquire("show", ["A-1"], holder="ada").seats == ("A-1",)
    assert [record.getMessage() for record in caplog.records] == [
        "the server of show 'show' does not tell its maxmemory-policy; make sure it is noeviction"
    ]


@pytest.mark.parametrize("version", ["redis-6.2", "redis-7", "redis-8", "valkey-8"])
def test_a_missing_grant_shows_when_warming(private_server: Any, colour: str, version: str) -> None:
    server = private_server(version)
    url = _with_rights(server, "poor", "-xadd", "-zrem")
    with door(colour, url) as locker, server.client() as raw:
        with pytest.raises(ScriptFailed, match=r"ZREM: .*XADD: .*grant") as failed:
            locker.warm("show", ["A-1"])
        assert "secret" not in str(failed.value)
        assert raw.dbsize() == 0


def test_who_may_run_no_scripts_is_told_so(private_server: Any, colour: str) -> None:
    server = private_server()
    url = _with_rights(server, "mute", "-evalsha", "-eval")
    with SeatLocker.from_url(server.url) as sure:
        sure.warm("show", ["A-1"])
        sure.open_sale("show")
        hold = sure.acquire("show", ["A-1"], holder="ada")
    with door(colour, url) as locker:
        locker._core._checked.add("show")
        for verb in (lambda: locker.acquire("show", ["A-1"], holder="ada"), lambda: locker.confirm(hold)):
            with pytest.raises(ScriptFailed, match="permission"):
                verb()
