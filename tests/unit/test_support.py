"""The servers, clocks and proxies that the other tests rely on do what they say."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
import redis.asyncio
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.support.clock import Clock
from tests.support.cluster import Cluster
from tests.support.fixtures import PrivateServer
from tests.support.need import need
from tests.support.ports import BUS, free_port
from tests.support.proxy import Fault, ReplyProxy
from tests.support.sentinel import Sentinel
from tests.support.servers import BACKENDS, RedisServer, backend, find_backend, version
from tests.support.waiting import until

ProxyTo = Callable[[RedisServer], ReplyProxy]
FETCH = Path(__file__).parents[1] / "servers.sh"
NO_RETRY = Retry(NoBackoff(), 0)

# --- servers


def test_every_backend_is_known_or_said_to_be_missing() -> None:
    for name in BACKENDS:
        found = find_backend(name)
        assert found is None or version(found)[0] == int(name.partition("-")[2].partition(".")[0])
    with pytest.raises(ValueError, match="redis-5"):
        find_backend("redis-5")


@pytest.mark.parametrize("name", BACKENDS)
def test_a_server_of_each_backend(server_of: Callable[[str], RedisServer], name: str) -> None:
    server = server_of(name)
    assert server_of(name) is server
    server.flush()
    with server.client() as client, server.unix_client() as local:
        client.set("a", 1)
        assert local.get("a") == b"1"
        assert local.info("server")["tcp_port"] == server.port
        assert local.info("server")["process_id"] == server.pid
        assert local.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        server.flush()
        assert local.dbsize() == 0


async def test_both_addresses_work_for_both_colours(server_of: Callable[[str], RedisServer]) -> None:
    server = server_of("redis-7")
    for url in (server.url, server.unix_url):
        with redis.Redis.from_url(url) as client:
            assert client.ping()
    async with server.async_client() as remote, server.async_unix_client() as local:
        assert await remote.ping()
        assert await local.ping()


def test_a_server_keeps_port_and_data_over_a_restart(private_server: PrivateServer) -> None:
    server = private_server(config={"appendonly": "yes", "appendfsync": "always"})
    port, pid = server.port, server.pid
    with server.client(retry=NO_RETRY) as client:
        client.set("a", 1)
        server.restart()
        assert (server.port, server.running) == (port, True)
        assert server.pid != pid
        assert client.get("a") == b"1"
        server.kill()
        assert not server.running
        with pytest.raises(redis.ConnectionError):
            client.get("a")
        server.start()
        assert client.get("a") == b"1"
    directory = server.directory
    server.close()
    server.close()
    assert not directory.exists()


def test_without_persistence_a_restart_loses_all(private_server: PrivateServer) -> None:
    server = private_server()
    with server.client(retry=NO_RETRY) as client:
        client.set("a", 1)
        server.restart()
        assert client.get("a") is None


def test_the_sessions_server_comes_back_for_the_next_test(server_of: Callable[[str], RedisServer]) -> None:
    server_of("redis-7").kill()
    assert server_of("redis-7").info()["tcp_port"]


def test_a_wrong_setting_shows_the_log(private_server: PrivateServer) -> None:
    with pytest.raises(RuntimeError, match=r"(?s)ended with status 1.*nonsense"):
        private_server(config={"nonsense": "1"})


def test_a_server_that_never_answers_is_given_up(tmp_path: Path) -> None:
    silent = tmp_path / "silent"
    silent.write_text("#!/bin/sh\n[ $1 = --version ] && exit\necho starting\nexec sleep 600\n")
    silent.chmod(0o755)
    server = RedisServer(silent)
    with pytest.raises(RuntimeError, match=r"(?s)in vain.*starting"):
        server.start(timeout=0.5)
    server.close()


def test_a_port_that_was_taken_in_between_is_changed(server_of: Callable[[str], RedisServer]) -> None:
    other = server_of("redis-7")
    with RedisServer(backend("redis-7"), config={}) as server:
        assert server.port != other.port
    late = RedisServer(backend("redis-7"))
    late._conf.write_text(late._conf.read_text().replace(f"port {late.port}\n", f"port {other.port}\n"))
    with late:
        assert late.info()["tcp_port"] == late.port
        assert late.port != other.port


def test_free_ports_differ_and_leave_room_for_the_bus() -> None:
    ports = [free_port() for _ in range(20)]
    assert len(set(ports)) == 20
    assert max(ports) + BUS < 65_536


def test_need_skips_on_a_laptop_and_fails_where_all_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEATLOCK_REQUIRE_ALL", raising=False)
    with pytest.raises(pytest.skip.Exception, match="a part: a reason"):
        need("a part", "a reason")
    monkeypatch.setenv("SEATLOCK_REQUIRE_ALL", "1")
    with pytest.raises(pytest.fail.Exception, match=r"a part is required.*a reason"):
        need("a part", "a reason")


def test_until_is_bounded() -> None:
    until(lambda: True, "never needed", timeout=0)
    started = time.monotonic()
    with pytest.raises(AssertionError, match=r"0.1 s in vain until pigs fly"):
        until(lambda: False, "pigs fly", timeout=0.1)
    assert time.monotonic() - started < 5


# --- the script that fetches them


def test_fetching_again_changes_nothing(tmp_path: Path) -> None:
    for name in ("redis-server-7", "redis-server-8", "valkey-server-8"):
        there = tmp_path / name
        there.write_text(f"#!/bin/sh\necho 'Server v={name[-1]}.0.0 sha'\n")
        there.chmod(0o755)
    rabbitmq = tmp_path / "rabbitmq-3" / "bin"
    rabbitmq.mkdir(parents=True)
    tools = tmp_path / "kafka-4"  # java says which Kafka there is
    tools.mkdir()
    for program in (rabbitmq / "erl", rabbitmq / "rabbitmq-server", tools / "java", tools / "mvn"):
        program.write_text("#!/bin/sh\necho 4.9.9\n")
        program.chmod(0o755)
    before = sorted(tmp_path.rglob("*"))
    env = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}
    run = subprocess.run([FETCH, tmp_path], capture_output=True, text=True, timeout=60, check=True, env=env)
    assert sorted(tmp_path.rglob("*")) == before
    assert "kafka-4: is there" in run.stdout
    if "nothing fetched" not in run.stdout:
        assert run.stdout.count("is there") == 5


def test_fetching_without_apt_says_why(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("bash", "uname", "mkdir"):
        found = next(p for p in (Path("/usr/bin", tool), Path("/bin", tool)) if p.exists())
        (tools / tool).symlink_to(found)
    run = subprocess.run(
        [tools / "bash", FETCH, tmp_path / "servers"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={**os.environ, "PATH": str(tools)},
    )
    kafka, others = run.stdout.splitlines()
    assert kafka == "servers: kafka-4: not fetched: there is no java"
    assert others.startswith("servers: nothing fetched: ")


# --- the cluster


def test_cluster_serves_all_slots_with_a_replica_each(cluster: Cluster) -> None:
    cluster.flush()
    assert len(cluster.primaries) == len(cluster.replicas) == 3
    with cluster.client() as client:
        for number in range(100):
            client.set(f"key-{number}", number)
        assert [client.get(f"key-{number}") for number in range(100)] == [b"%d" % n for n in range(100)]
    for node in cluster.primaries:
        assert node.info("keyspace")["db0"]["keys"] > 10
        assert node.info("replication")["connected_slaves"] == 1
    cluster.flush()
    assert all(not node.info("keyspace") for node in cluster.primaries)


async def test_cluster_works_from_asyncio(cluster: Cluster) -> None:
    async with cluster.async_client() as client:
        await client.set("a", 1)
        assert await client.get("a") == b"1"


def test_a_slot_that_moves_answers_tryagain_in_between(cluster: Cluster) -> None:
    cluster.flush()
    with cluster.client() as client:
        client.mset_nonatomic({"{show}a": 1, "{show}b": 2})
        move = cluster.begin_move("{show}a")
        assert cluster.primary_of("{show}b") is move.source
        move.move_keys("{show}a")
        assert move.keys() == ["{show}b"]
        with move.source.client() as source, pytest.raises(redis.exceptions.TryAgainError):
            source.mget("{show}a", "{show}b")
        move.finish()
        assert cluster.primary_of("{show}a") is move.target
        assert client.mget("{show}a", "{show}b") == [b"1", b"2"]
    back = cluster.begin_move("{show}a")
    back.cancel()
    assert cluster.primary_of("{show}a") is back.source
    cluster.wait_healthy()


def test_a_cluster_fails_over(private_cluster: Cluster) -> None:
    with private_cluster.client() as client:
        client.set("a", 1)
        owner = private_cluster.primary_of("a")
        client.execute_command("WAIT", 1, 5000, target_nodes=client.get_node_from_key("a"))
        owner.kill()
        until(lambda: len(private_cluster.primaries) == 3, "a replica took over", timeout=30)
        private_cluster.wait_healthy()
        assert client.get("a") == b"1"
        owner.start()
        until(lambda: len(private_cluster.replicas) == 3, "the old primary follows", timeout=30)


# --- sentinel


def test_sentinel_swaps_the_roles(sentinel: Sentinel) -> None:
    old = sentinel.primary
    with sentinel.client() as client:
        client.set("a", 1)
        new = sentinel.fail_over()
        assert (new is sentinel.primary, sentinel.replica) == (True, old)
        client.connection_pool.disconnect()
        assert client.get("a") == b"1"
    assert sentinel.url == f"redis+sentinel://127.0.0.1:{sentinel.sentinels[0].port}/mymaster/0"


def test_sentinel_promotes_the_replica_of_a_dead_primary(sentinel: Sentinel) -> None:
    old = sentinel.primary
    sentinel.flush()
    new = sentinel.kill_primary()
    assert new is not old
    with sentinel.client() as client:
        client.set("a", 1)
    sentinel.heal()
    assert (sentinel.primary, sentinel.replica) == (new, old)
    with sentinel.replica.client() as client:
        until(lambda: client.get("a") == b"1", "the old primary has what the new one wrote")


def test_three_sentinels_agree() -> None:
    with Sentinel(backend("redis-7"), sentinels=3) as three:
        old = three.primary
        assert len(three.hosts) == three.url.count("127.0.0.1") == 3
        assert three.kill_primary() is not old


# --- the clock


@pytest.mark.parametrize("name", BACKENDS)
def test_the_clock_moves_a_server_in_time(private_server: PrivateServer, clock: Clock, name: str) -> None:
    server = private_server(name, env=clock.env)
    with server.client() as client:

        def ahead() -> float:
            seconds, micros = client.time()
            return float(seconds + micros / 1e6 - time.time())

        for step in (0, 3600, -7200.5, 0.25):
            clock.advance(step)
            assert ahead() == pytest.approx(clock.offset, abs=0.2)
        clock.reset()
        assert ahead() == pytest.approx(0, abs=0.2)
        assert clock.offset == 0


SCRIPT = """
local now = redis.call('TIME')
local was = redis.call('EXISTS', KEYS[1])
local set = redis.call('SET', KEYS[1], 'x', 'NX', 'PXAT', string.format('%d', (now[1] + 100) * 1000))
return {was, set and 1 or 0, redis.call('PTTL', KEYS[1])}
"""


@pytest.mark.parametrize("name", BACKENDS)
def test_keys_expire_by_the_clock_that_moved(private_server: PrivateServer, clock: Clock, name: str) -> None:
    server = private_server(name, env=clock.env)
    with server.client() as client:
        was, made, left = client.eval(SCRIPT, 1, "lock")
        assert (was, made) == (0, 1)
        assert 98_000 < left <= 100_000
        clock.advance(90)
        assert 8_000 < client.pttl("lock") <= 10_000
        assert client.eval(SCRIPT, 1, "lock")[:2] == [1, 0]
        clock.advance(11)
        assert client.eval(SCRIPT, 1, "lock")[:2] == [0, 1]  # expired to the script, and taken anew
        clock.advance(101)
        assert client.exists("lock") == 0
        client.set("old", 1, px=1000)
        clock.advance(-3600)
        assert client.pttl("old") > 3_600_000  # a clock that steps back lets keys live on


def test_the_clock_stays_moved_over_a_restart(private_server: PrivateServer, clock: Clock) -> None:
    server = private_server(env=clock.env)
    clock.advance(86_400)
    server.restart()
    with server.client() as client:
        assert client.time()[0] - time.time() == pytest.approx(86_400, abs=2)


# --- the proxy


@pytest.fixture(scope="module")
def server(server_of: Callable[[str], RedisServer]) -> RedisServer:
    return server_of("redis-7")


@pytest.fixture
def proxy(server: RedisServer, proxy_to: ProxyTo) -> ReplyProxy:
    server.flush()
    return proxy_to(server)


def _client(proxy: ReplyProxy, **options: object) -> redis.Redis:
    return redis.Redis(port=proxy.port, **{"retry": NO_RETRY, "socket_timeout": 5.0, **options})


BUMP = "return redis.call('INCR', KEYS[1])"


@pytest.mark.parametrize("protocol", [2, 3])
def test_the_proxy_passes_everything_unchanged(proxy: ReplyProxy, protocol: int) -> None:
    everything = bytes(range(256)) * 2000
    with _client(proxy, protocol=protocol) as client:
        client.set("bytes", everything)
        assert client.get("bytes") == everything
        client.hset("hash", mapping={"a": 1, "b": "\r\n"})
        assert client.hgetall("hash") == {b"a": b"1", b"b": b"\r\n"}
        assert client.eval("return {1, {2, 'three', false}, 'x\\n'}", 0) == [1, [2, b"three", None], b"x\n"]
        with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
            client.incr("hash")
        with client.pipeline(transaction=True) as batch:
            for _ in range(500):
                batch.execute_command("INCR", "n")
            assert batch.execute() == list(range(1, 501))
    assert proxy.commands.count("INCR") == 500


def test_a_lost_reply_was_carried_out(proxy: ReplyProxy, server: RedisServer) -> None:
    fault = proxy.lose_reply("EVALSHA", "EVAL", nth=2)
    with _client(proxy) as client, server.client() as truth:
        client.set("other", 1)
        assert client.eval(BUMP, 1, "n") == 1
        assert fault.fired == 0
        with pytest.raises(redis.ConnectionError):
            client.eval(BUMP, 1, "n")
        assert (fault.seen, fault.fired) == (2, 1)
        assert truth.get("n") == b"2"
        assert client.eval(BUMP, 1, "n") == 3


def test_a_lost_request_never_arrived(proxy: ReplyProxy, server: RedisServer) -> None:
    fault = proxy.lose_request("eval")
    with _client(proxy) as client, server.client() as truth:
        with pytest.raises(redis.ConnectionError):
            client.eval(BUMP, 1, "n")
        assert fault.fired == 1
        assert truth.get("n") is None
        assert client.eval(BUMP, 1, "n") == 1


def test_silence_is_a_timeout_on_that_connection_only(proxy: ReplyProxy, server: RedisServer) -> None:
    with _client(proxy, socket_timeout=0.3) as client, _client(proxy) as other, server.client() as truth:
        assert other.ping()
        fault = proxy.fall_silent("EVAL")
        with pytest.raises(redis.TimeoutError):
            client.eval(BUMP, 1, "n")
        assert fault.fired == 1
        assert truth.get("n") == b"1"
        assert other.eval(BUMP, 1, "n") == 2
        assert client.eval(BUMP, 1, "n") == 3  # on a new connection


def test_a_fault_can_strike_several_times_and_be_choosy(proxy: ReplyProxy) -> None:
    fault = proxy.lose_reply(nth=2, times=2, when=lambda command: command[-1] == b"victim")
    outcomes = []
    with _client(proxy) as client:
        for key in ("victim", "bystander", "victim", "bystander", "victim", "victim"):
            try:
                outcomes.append(client.execute_command("INCR", key))
            except redis.ConnectionError:
                outcomes.append("lost")
    assert outcomes == [1, 1, "lost", 2, "lost", 4]
    assert (fault.seen, fault.fired) == (4, 2)


@pytest.mark.parametrize("effect", ["lose_reply", "lose_request", "fall_silent"])
def test_in_a_pipeline_the_replies_before_the_fault_arrive(proxy: ReplyProxy, server: RedisServer, effect: str) -> None:
    fault: Fault = getattr(proxy, effect)("INCR", nth=3)

    async def scene() -> list[object]:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n" * 5)
        lines: list[object] = []
        try:
            while line := await asyncio.wait_for(reader.readline(), 0.5):
                lines.append(line)
        except TimeoutError:
            lines.append("silence")
        except ConnectionError:
            pass
        writer.close()
        return lines

    expected: list[object] = [b":1\r\n", b":2\r\n"]
    assert asyncio.run(scene()) == expected + (["silence"] if effect == "fall_silent" else [])
    assert fault.wait()
    with server.client() as truth:
        if effect == "lose_request":
            assert truth.get("n") == b"2"  # and what was sent behind it is lost as well
        else:
            until(lambda: truth.get("n") == b"5", "the server did them all")


async def test_faults_count_over_all_connections(proxy: ReplyProxy) -> None:
    fault = proxy.lose_reply("INCR", nth=7)
    clients = [redis.asyncio.Redis(port=proxy.port, retry=None, single_connection_client=True) for _ in range(10)]
    answers = await asyncio.gather(*(c.execute_command("INCR", "n") for c in clients), return_exceptions=True)
    assert sum(isinstance(answer, redis.ConnectionError) for answer in answers) == fault.fired == 1
    for client in clients:
        await client.aclose()


def test_healing(proxy: ReplyProxy) -> None:
    fault = proxy.lose_reply("INCR")
    proxy.heal()
    with _client(proxy) as client:
        assert client.execute_command("INCR", "n") == 1
    assert (fault.seen, fault.wait(timeout=0.01)) == (0, False)


def test_disconnecting(proxy: ReplyProxy) -> None:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as connection:
        connection.sendall(b"*1\r\n$4\r\nPING\r\n")
        assert connection.recv(64) == b"+PONG\r\n"
        proxy.disconnect()
        assert connection.recv(64) == b""
    with _client(proxy) as client:
        assert client.ping()


def test_a_proxy_before_a_dead_server_is_dead(private_server: PrivateServer, proxy_to: ProxyTo) -> None:
    server = private_server()
    proxy = proxy_to(server)
    with _client(proxy) as client:
        assert client.ping()
        os.kill(server.pid, signal.SIGKILL)
        with pytest.raises(redis.ConnectionError):
            client.ping()
        with pytest.raises(redis.ConnectionError):
            client.ping()
        server.start()
        assert client.ping()
    proxy.close()
    with _client(proxy) as client, pytest.raises(redis.ConnectionError, match="refused"):
        client.ping()
