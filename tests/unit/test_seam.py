"""The seam: what became of a request, told from a client's exception."""

from __future__ import annotations

import asyncio
import inspect
import socket
from collections.abc import Callable
from typing import Any, Final

import pytest
import redis
import redis.exceptions as foreign
from redis._parsers.base import BaseParser
from redis.sentinel import MasterNotFoundError, SlaveNotFoundError

from seatlock._seam import FOREIGN, Fate, fate_of
from tests.support.ports import free_port
from tests.support.servers import RedisServer

SHA: Final = "f_3b1a6d0c"
WRAPPED: Final = f"ERR Error running script (call to {SHA}): @user_script:12: "  # as Redis 6.2 does
LATER: Final = f" script: {SHA}, on @user_script:12."  # as Redis 7 does

# What servers write on the wire, and what it means.
LINES: Final = [
    ("NOSCRIPT No matching script. Please use EVAL.", Fate.FORGOTTEN),
    (f"{WRAPPED}-NOSCRIPT No matching script. Please use EVAL.", Fate.FORGOTTEN),
    ("LOADING Redis is loading the dataset in memory", Fate.NOT_RUN),
    ("BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.", Fate.NOT_RUN),
    ("MOVED 3999 127.0.0.1:6381", Fate.NOT_RUN),
    ("ASK 3999 127.0.0.1:6381", Fate.NOT_RUN),
    ("TRYAGAIN Multiple keys request during rehashing of slot", Fate.NOT_RUN),
    ("CLUSTERDOWN The cluster is down", Fate.NOT_RUN),
    ("CLUSTERDOWN Hash slot not served", Fate.NOT_RUN),
    ("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", Fate.NOT_RUN),
    ("NOREPLICAS Not enough good replicas to write.", Fate.NOT_RUN),
    (f"NOREPLICAS Not enough good replicas to write.{LATER}", Fate.NOT_RUN),
    ("READONLY You can't write against a read only replica.", Fate.NOT_RUN),
    (f"READONLY You can't write against a read only replica.{LATER}", Fate.NOT_RUN),
    (f"{WRAPPED}@user_script: 12: -READONLY You can't write against a read only replica.", Fate.NOT_RUN),
    ("ERR max number of clients reached", Fate.NOT_RUN),
    ("OOM command not allowed when used memory > 'maxmemory'.", Fate.REFUSED),
    (f"OOM command not allowed when used memory > 'maxmemory'.{LATER}", Fate.REFUSED),
    (f"{WRAPPED}-OOM command not allowed when used memory > 'maxmemory'.", Fate.REFUSED),
    (f"{WRAPPED}-MISCONF Redis is configured to save RDB snapshots, but it is unable to persist.", Fate.REFUSED),
    ("WRONGTYPE Operation against a key holding the wrong kind of value", Fate.REFUSED),
    (f"WRONGTYPE Operation against a key holding the wrong kind of value{LATER}", Fate.REFUSED),
    (f"{WRAPPED}-WRONGTYPE Operation against a key holding the wrong kind of value", Fate.REFUSED),
    (f"{WRAPPED}user_script:12: SEATLOCK the outbox has used up its ids", Fate.REFUSED),
    (f"ERR user_script:12: SEATLOCK the outbox has used up its ids{LATER}", Fate.REFUSED),
    ("CROSSSLOT Keys in request don't hash to the same slot", Fate.REFUSED),
    ("NOAUTH Authentication required.", Fate.REFUSED),
    ("WRONGPASS invalid username-password pair or user is disabled.", Fate.REFUSED),
    ("ERR invalid password", Fate.REFUSED),
    ("NOPERM this user has no permissions to run the 'evalsha' command", Fate.REFUSED),
    ("NOPERM this user has no permissions to access one of the keys used as arguments", Fate.REFUSED),
    (f"ERR ACL failure in script: User ada has no permissions to run the 'zrem' command{LATER}", Fate.BROKEN),
    (f"{WRAPPED}The user executing the script can't run this command or subcommand", Fate.BROKEN),
    (f"{WRAPPED}attempt to index a nil value (field '?')", Fate.BROKEN),
    (f"ERR user_script:12: attempt to index a nil value (field '?'){LATER}", Fate.BROKEN),
    ("ERR The ID specified in XADD is equal or smaller than the target stream top item", Fate.BROKEN),
    ("ERR unknown command 'EVALSHA', with args beginning with: 'abc' '5'", Fate.BROKEN),
    ("ERR value is not an integer or out of range", Fate.BROKEN),
    ("EXECABORT Transaction discarded because of previous errors.", Fate.BROKEN),
]
ERRORS: Final[list[tuple[BaseException, Fate]]] = [
    (foreign.TimeoutError("Timeout reading from 127.0.0.1:6379"), Fate.UNKNOWN),
    (foreign.TimeoutError("Timeout connecting to server"), Fate.NOT_RUN),
    (foreign.ConnectionError("Connection closed by server."), Fate.UNKNOWN),
    (
        foreign.ConnectionError("Error while reading from 127.0.0.1:6379 : (104, 'Connection reset by peer')"),
        Fate.UNKNOWN,
    ),
    (foreign.ConnectionError("Error 32 while writing to socket. Broken pipe."), Fate.UNKNOWN),
    (foreign.ConnectionError("Error 111 connecting to 127.0.0.1:6379. Connection refused."), Fate.NOT_RUN),
    (foreign.ConnectionError("Error 2 connecting to unix:///tmp/gone. No such file or directory."), Fate.NOT_RUN),
    (foreign.ConnectionError("Error -2 connecting to nowhere.example:6379. Name or service not known."), Fate.NOT_RUN),
    (foreign.ConnectionError("Error connecting to 127.0.0.1:6379."), Fate.NOT_RUN),
    (foreign.ConnectionError("No connection available."), Fate.NOT_RUN),
    (foreign.MaxConnectionsError("Too many connections"), Fate.NOT_RUN),
    (foreign.ConnectionError("The previous master is now a slave"), Fate.NOT_RUN),
    (MasterNotFoundError("No master found for 'mymaster' : ..."), Fate.NOT_RUN),
    (SlaveNotFoundError("No slave found for 'mymaster'"), Fate.UNKNOWN),
    (foreign.BusyLoadingError("Redis is loading the dataset in memory"), Fate.NOT_RUN),
    (foreign.SlotNotCoveredError('Slot "3999" not covered by the cluster.'), Fate.NOT_RUN),
    (foreign.ClusterError("TTL exhausted."), Fate.NOT_RUN),
    (foreign.RedisClusterException("Redis Cluster cannot be connected."), Fate.UNKNOWN),
    (AttributeError("'NoneType' object has no attribute 'writelines'"), Fate.UNKNOWN),
    (foreign.AuthenticationError("invalid username-password pair"), Fate.REFUSED),
    (foreign.DataError("Invalid input of type: 'object'"), Fate.REFUSED),
    (foreign.InvalidResponse("Protocol Error: b'?'"), Fate.UNKNOWN),
    (foreign.RedisError("something new"), Fate.UNKNOWN),
    (ConnectionRefusedError(111, "Connection refused"), Fate.NOT_RUN),
    (FileNotFoundError(2, "No such file or directory"), Fate.NOT_RUN),
    (socket.gaierror(-2, "Name or service not known"), Fate.NOT_RUN),
    (ConnectionResetError(104, "Connection reset by peer"), Fate.UNKNOWN),
    (BrokenPipeError(32, "Broken pipe"), Fate.UNKNOWN),
    (TimeoutError("timed out"), Fate.UNKNOWN),
    (asyncio.TimeoutError(), Fate.UNKNOWN),  # noqa: UP041 - the same class since Python 3.11
    (OSError("something new"), Fate.UNKNOWN),
]


def _parsed(line: str) -> Exception:
    """Make of an error on the wire what the client makes of it."""
    error: Exception = BaseParser.parse_error(line)
    return error


@pytest.mark.parametrize(("line", "fate"), LINES, ids=[line[:70] for line, _ in LINES])
def test_what_a_server_says(line: str, fate: Fate) -> None:
    error = _parsed(line)
    assert fate_of(error) is fate
    assert isinstance(error, FOREIGN)


@pytest.mark.parametrize("line", [line for line, fate in LINES if fate is not Fate.BROKEN and " script" not in line])
def test_codes_are_known_where_the_client_has_no_class_for_them(line: str) -> None:
    if line.startswith(("ERR", "NOPERM")):
        return
    expected = next(fate for text, fate in LINES if text == line)
    assert fate_of(foreign.ResponseError(line)) is expected


@pytest.mark.parametrize(("error", "fate"), ERRORS, ids=[f"{type(error).__name__} {error}"[:70] for error, _ in ERRORS])
def test_what_a_client_says_by_itself(error: BaseException, fate: Fate) -> None:
    assert fate_of(error) is fate
    assert isinstance(error, FOREIGN)


def test_every_error_of_the_client_has_a_fate() -> None:
    kinds = [kind for _, kind in inspect.getmembers(foreign, inspect.isclass) if issubclass(kind, FOREIGN)]
    assert len(kinds) > 25
    for kind in kinds:
        moved = issubclass(kind, foreign.AskError)
        assert isinstance(fate_of(kind("3999 127.0.0.1:6381" if moved else "something")), Fate)


def _fail_while_handling(error: Exception) -> None:
    try:
        raise ConnectionRefusedError(111, "the mail server does not listen")  # noqa: TRY301 - this is the test
    except ConnectionRefusedError:
        raise error  # noqa: B904 - likewise


def test_what_somebody_else_was_handling_says_nothing() -> None:
    """An exception's context may be the caller's own trouble with another service."""
    caught: list[BaseException] = []
    for error in (foreign.TimeoutError("Timeout reading from socket"), foreign.ConnectionError("Connection closed.")):
        try:
            _fail_while_handling(error)
        except foreign.RedisError as raised:
            caught.append(raised)
    assert [type(error.__context__) for error in caught] == [ConnectionRefusedError] * 2
    assert [fate_of(error) for error in caught] == [Fate.UNKNOWN] * 2


# --- real ones


@pytest.mark.parametrize("name", ["redis-6.2", "redis-7", "redis-8", "valkey-8"])
@pytest.mark.parametrize(
    ("lua", "fate"),
    [
        ("return redis.call('HSET', KEYS[1], 'a', '1')", Fate.REFUSED),  # KEYS[1] is a string
        ("error('SEATLOCK no')", Fate.REFUSED),
        ("return redis.error_reply('TRYAGAIN later')", Fate.NOT_RUN),
        ("return nothing.here", Fate.BROKEN),
        ("redis.call('SET', KEYS[1], '1', 'EX', '0')", Fate.BROKEN),
    ],
)
def test_scripts_that_fail(server_of: Callable[[str], RedisServer], name: str, lua: str, fate: Fate) -> None:
    with server_of(name).client() as client:
        client.set("seam", "1")
        with pytest.raises(foreign.RedisError) as failed:
            client.eval(lua, 1, "seam")
        assert fate_of(failed.value) is fate


@pytest.mark.parametrize("name", ["redis-6.2", "redis-7", "redis-8", "valkey-8"])
def test_a_replica_refuses_a_script_that_writes(private_server: Any, name: str) -> None:
    server = private_server(name)
    with server.client() as client:
        client.replicaof("127.0.0.1", free_port())  # nobody is there; it takes no writes all the same
        with pytest.raises(foreign.RedisError) as refused:
            client.eval("return redis.call('SET', KEYS[1], '1')", 1, "seam")
        assert fate_of(refused.value) is Fate.NOT_RUN


@pytest.mark.parametrize("name", ["redis-6.2", "redis-7", "redis-8", "valkey-8"])
def test_a_full_server_refuses_a_script_that_writes(private_server: Any, name: str) -> None:
    server = private_server(name)
    with server.client() as client:
        client.config_set("maxmemory", 1)
        with pytest.raises(foreign.RedisError) as refused:
            client.eval("return redis.call('SET', KEYS[1], '1')", 1, "seam")
        assert fate_of(refused.value) is Fate.REFUSED


def test_no_server_no_run(tmp_path: Any) -> None:
    clients = [
        redis.Redis(port=free_port(), retry=None, socket_timeout=0.2),
        redis.Redis(unix_socket_path=str(tmp_path / "gone"), retry=None),
        redis.Redis(host="nowhere.invalid", retry=None),
    ]
    for client in clients:
        with client, pytest.raises(foreign.ConnectionError) as refused:
            client.get("seam")
        assert fate_of(refused.value) is Fate.NOT_RUN
