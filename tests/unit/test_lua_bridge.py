"""The bridge shows scripts what Redis shows them: each script here answers the same on both."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from tests.support.lua_bridge import LuaBridge
from tests.support.servers import RedisServer


@pytest.fixture
def server(server_of: Callable[[str], RedisServer]) -> RedisServer:
    server = server_of("redis-7")
    server.flush()
    return server


@pytest.fixture
def bridge(server: RedisServer) -> Iterator[LuaBridge]:
    bridge = LuaBridge(str(server.socket), [])
    yield bridge
    bridge.close()


def outcome(client: Any, script: str) -> Any:
    """What a script answers, be it an error."""
    try:
        return client.execute_command("EVAL", script.encode(), 2, b"{k}1", b"{k}2", b"a", b"12", NEVER_DECODE=True)
    except redis.ResponseError as error:
        return type(error).__name__, str(error).partition(" script: ")[0]


@pytest.mark.parametrize(
    "script",
    [
        "return {1, 1.9, -1.9, '1.9', true, false, {2, {3}}}",
        "return {1, nil, 3}",
        "return {KEYS[1], KEYS[2], KEYS[3] or 'no', ARGV[2], #ARGV}",
        "return nil",
        "return {}",
        "return 1e15",
        "return {ok = 'fine'}",
        "return {err = 'ODD thing'}",
        "return redis.call('GET', KEYS[1])",
        "return redis.call('GET', KEYS[1]) == false",
        "return {redis.call('SET', KEYS[1], 1).ok, redis.call('GET', KEYS[1])}",
        "return redis.call('SET', KEYS[1], 'x', 'XX') == false",
        "return {redis.call('SET', KEYS[1], 1e15), redis.call('GET', KEYS[1])}",
        "redis.call('SET', KEYS[1], 0.5) return redis.call('GET', KEYS[1])",
        "redis.call('HSET', KEYS[1], 'a', '1') return redis.call('HMGET', KEYS[1], 'a', 'b', 'a')",
        "redis.call('HSET', KEYS[1], 'a', '1') return redis.call('HMGET', KEYS[1], 'a', 'b')[2] == false",
        "redis.call('ZADD', KEYS[1], '+inf', '') return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '+inf')",
        "redis.call('XADD', KEYS[1], '1-1', 'a', '1') return redis.call('XRANGE', KEYS[1], '-', '+')",
        "redis.call('HSET', KEYS[1], 'a', '1') return redis.call('HSCAN', KEYS[1], '0')",
        "return redis.call('XGROUP', 'CREATE', KEYS[1], 'g', '0', 'MKSTREAM').ok",
        "return type(redis.pcall('INFO', 'memory'))",
        "local time = redis.call('TIME') return {type(time[1]), #time}",
        "redis.call('SET', KEYS[1], 'x') return redis.call('HGET', KEYS[1], 'a')",
        "redis.call('SET', KEYS[1], 'x') return redis.pcall('HGET', KEYS[1], 'a').err",
        "return redis.pcall('HGET', KEYS[1]).err ~= nil",
        "return math.floor(7.5) + tonumber('3') + #string.format('%d', 2 ^ 49)",
        "return {unpack({1, 2, 3}, 2)}",
    ],
)
def test_both_answer_the_same(script: str, server: RedisServer, bridge: LuaBridge) -> None:
    with server.unix_client() as client:
        real = outcome(client, script)
        client.flushall()
        assert outcome(bridge, script) == real


@pytest.mark.parametrize(
    ("script", "part"),
    [
        ("error('SEATLOCK no')", "SEATLOCK no"),
        ("return redis.call('NOSUCH')", "ommand"),
        ("return redis.call('SET', KEYS[1], {})", "arguments must be strings or integers"),
        ("return redis.call('SET', KEYS[1], nil, 'x')", "arguments must be strings or integers"),
        ("count = 1", "global variable|readonly table"),
        ("return nothing", "nonexistent global variable"),
        ("return 1 +", "compiling script"),
        ("return os.time()", "global variable|nil value"),
    ],
)
def test_both_refuse(script: str, part: str, server: RedisServer, bridge: LuaBridge) -> None:
    with server.unix_client() as client:
        for each in (client, bridge):
            with pytest.raises(redis.ResponseError, match=part):
                each.execute_command("EVAL", script.encode(), 1, b"k")


def test_scripts_are_forgotten_until_they_were_seen(bridge: LuaBridge) -> None:
    sha = hashlib.sha1(b"return 1", usedforsecurity=False).hexdigest().encode()
    with pytest.raises(redis.exceptions.NoScriptError):
        bridge.execute_command("EVALSHA", sha, 0)
    assert bridge.execute_command("EVAL", b"return 1", 0) == bridge.execute_command("EVALSHA", sha, 0) == 1


def test_a_script_that_never_ends_is_ended(bridge: LuaBridge) -> None:
    with pytest.raises(redis.ResponseError, match="never ends"):
        bridge.execute_command("EVAL", b"while true do\nlocal x = 1\nend", 0)


def test_the_clock_of_the_scripts_stands_still(bridge: LuaBridge) -> None:
    bridge.now = 1_700_000_000_123
    for _ in range(2):
        time = bridge.execute_command("EVAL", b"return redis.call('TIME')", 0)
        assert int(time[0]) * 1000 + int(time[1]) // 1000 == bridge.now
