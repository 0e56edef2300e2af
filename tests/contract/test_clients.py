"""Clients of the caller's own: whatever their settings, and whatever they do by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest
import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import AbstractBackoff, ConstantBackoff, NoBackoff
from redis.retry import Retry

from seatlock import (
    AcquireRequest,
    AsyncSeatLocker,
    Hold,
    OutcomeUnknown,
    SeatLocker,
    SeatLockError,
    ServerUnavailable,
    new_token,
)
from seatlock._attempts import GRACE
from seatlock._lanes import GROUPED
from tests.support.cluster import Cluster
from tests.support.lockers import Blocking
from tests.support.proxy import ReplyProxy
from tests.support.servers import RedisServer
from tests.support.stage import COLOURS
from tests.support.whole_sale import sell_a_show

ServerOf = Callable[[str], RedisServer]
ProxyTo = Callable[[RedisServer], ReplyProxy]
WIRE: Final = pytest.mark.parametrize("protocol", [2, 3], ids=["resp2", "resp3"])
DECODING: Final = pytest.mark.parametrize("decode", [False, True], ids=["bytes", "decoded"])
COLOUR: Final = pytest.mark.parametrize("colour", COLOURS)


@contextmanager
def locker_over(colour: str, client: Any, async_client: Any, **options: Any) -> Iterator[Any]:
    """A locker over one of two clients, both of which are closed in the end."""
    runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
    with runner:
        try:
            if colour == "sync":
                yield SeatLocker(client, **options)
            else:
                yield Blocking(AsyncSeatLocker(async_client, **options), runner)
        finally:
            client.close()
            runner.run(async_client.aclose())


# --- settings


@COLOUR
@WIRE
@DECODING
@pytest.mark.parametrize("socket", ["tcp", "unix"])
def test_a_single_server(server_of: ServerOf, colour: str, protocol: int, socket: str, *, decode: bool) -> None:
    server = server_of("redis-7")
    options: dict[str, Any] = {"decode_responses": decode, "protocol": protocol}
    clients = (
        (server.client(**options), server.async_client(**options))
        if socket == "tcp"
        else (server.unix_client(**options), server.async_unix_client(**options))
    )
    with locker_over(colour, *clients) as locker:
        sell_a_show(locker)


@COLOUR
@WIRE
@DECODING
def test_a_cluster(cluster: Cluster, colour: str, protocol: int, *, decode: bool) -> None:
    options: dict[str, Any] = {"decode_responses": decode, "protocol": protocol}
    with locker_over(colour, cluster.client(**options), cluster.async_client(**options)) as locker:
        for _ in range(4):  # several slots
            sell_a_show(locker)


@COLOUR
@pytest.mark.parametrize(
    "options",
    [
        {"encoding": "latin-1", "decode_responses": True},
        {"encoding": "utf-16"},
        {"single_connection_client": True},
        {"health_check_interval": 1},
        {"db": 3},
    ],
    ids=",".join,
)
def test_odd_settings(server_of: ServerOf, colour: str, options: dict[str, Any]) -> None:
    server = server_of("redis-7")
    with locker_over(colour, server.client(**options), server.async_client(**options)) as locker:
        sell_a_show(locker)


def test_threads_share_a_locker(server_of: ServerOf) -> None:
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    with server_of("redis-7").client() as client:
        locker = SeatLocker(client)
        with ThreadPoolExecutor(8) as threads:
            for sale in [threads.submit(sell_a_show, locker) for _ in range(16)]:
                sale.result(timeout=30)


# --- closing


@COLOUR
def test_a_client_handed_in_stays_open(server_of: ServerOf, colour: str) -> None:
    server = server_of("redis-7")
    client, async_client = server.client(), server.async_client()
    with locker_over(colour, client, async_client) as locker:
        sell_a_show(locker)
        locker.close()
        pool = (client if colour == "sync" else async_client).connection_pool
        idle = pool._available_connections
        assert idle
        assert all(connection.is_connected for connection in idle)


# --- a retry policy of the client's own


def _impatient(proxy: ReplyProxy, backoff: AbstractBackoff, retries: int) -> tuple[Any, Any]:
    """Clients of both colours that send again by themselves."""
    return (
        redis.Redis(port=proxy.port, retry=Retry(backoff, retries)),
        redis.asyncio.Redis(port=proxy.port, retry=AsyncRetry(backoff, retries)),
    )


@COLOUR
@pytest.mark.parametrize("verb", ["acquire", "extend", "confirm", "release", "cancel"])
def test_a_client_that_sends_again_by_itself_has_one_effect(
    server_of: ServerOf, proxy_to: ProxyTo, colour: str, verb: str
) -> None:
    server = server_of("redis-7")
    proxy = proxy_to(server)
    show = f"retried-{colour}-{verb}"
    with server.client() as raw, locker_over(colour, *_impatient(proxy, NoBackoff(), 5)) as locker:
        locker.warm(show, ["A-1"])
        locker.open_sale(show)
        calls: dict[str, Callable[[Any], Any]] = {
            "acquire": lambda _: locker.acquire(show, ["A-1"], holder="ada"),
            "extend": lambda hold: locker.extend(hold, ttl=1200),
            "confirm": lambda hold: locker.confirm(hold, payment="pay-1"),
            "cancel": locker.cancel,
            "release": locker.release,
        }
        before = {"extend": ["acquire"], "confirm": ["acquire"], "release": ["acquire"]}
        before["cancel"] = ["acquire", "confirm"]
        result: Any = None
        for step in before.get(verb, []):
            result = calls[step](result)
        version, facts = _counts(raw, show)
        fault = proxy.lose_reply("EVALSHA", "EVAL", times=3)
        answer = calls[verb](result)
        assert fault.fired == 3
        grown = 2 if verb == "extend" else 1  # later in time, an extension reaches a little further
        assert version < _counts(raw, show)[0] <= version + grown * (4 if verb == "extend" else 1)
        assert _counts(raw, show)[1] - facts == (1 if verb in ("confirm", "cancel") else 0)
        expected = {"acquire": "held", "extend": "held", "confirm": "sold"}.get(verb, "free")
        assert locker.inspect(show, ["A-1"])[0].state == expected
        if isinstance(answer, Hold):
            assert not answer.resumed
            locker.confirm(answer)


def _counts(raw: redis.Redis, show: str) -> tuple[int, int]:
    """The show's version, and its facts in the outbox."""
    return int(raw.hget(f"seatlock:{{{show}}}:meta", "version") or 0), raw.xlen(f"seatlock:{{{show}}}:outbox")


class Closing(AbstractBackoff):
    """Closes the door behind a request: by the time the client sends again, nobody listens any more."""

    def __init__(self, proxy: ReplyProxy) -> None:
        self._proxy = proxy

    def compute(self, failures: int) -> float:  # noqa: ARG002 - the client's own interface
        """Close it, and do not wait."""
        self._proxy.close()
        return 0.0

    def __deepcopy__(self, _: Any) -> Closing:
        return self  # every connection gets a copy of its client's policy


@COLOUR
def test_what_such_a_client_says_last_does_not_hide_what_it_did_first(
    server_of: ServerOf, proxy_to: ProxyTo, colour: str
) -> None:
    """Its first request was carried out and the answer lost; its second was refused a connection."""
    server = server_of("redis-7")
    proxy, show, token = proxy_to(server), f"hidden-{colour}", new_token()
    with SeatLocker.from_url(server.url) as sure:
        sure.warm(show, ["A-1"])
        sure.open_sale(show)
        with locker_over(colour, *_impatient(proxy, Closing(proxy), 2), patience=0.2) as locker:
            locker.availability(show)
            fault = proxy.lose_reply("EVALSHA", "EVAL")
            with pytest.raises(OutcomeUnknown) as unknown:
                locker.acquire(show, ["A-1"], holder="ada", token=token)
        assert fault.fired == 1
        assert (unknown.value.token, unknown.value.seats) == (token, ("A-1",))
        assert "Connect" in str(unknown.value), "the last error was that nobody listened"
        assert sure.inspect(show, ["A-1"])[0].holder == "ada"


def _ask_the_mail_server() -> None:
    raise ConnectionRefusedError(111, "it does not listen")


@COLOUR
def test_a_connection_refused_elsewhere_is_not_ours(server_of: ServerOf, proxy_to: ProxyTo, colour: str) -> None:
    """A call made while another service's error is being handled: that error says nothing about ours."""
    server = server_of("redis-7")
    proxy, show = proxy_to(server), f"elsewhere-{colour}"
    options: dict[str, Any] = {"port": proxy.port, "socket_timeout": 0.1}
    clients = (
        redis.Redis(retry=Retry(NoBackoff(), 0), **options),
        redis.asyncio.Redis(retry=AsyncRetry(NoBackoff(), 0), **options),
    )
    with locker_over(colour, *clients, patience=0.05) as locker:
        locker.warm(show, ["A-1"])
        locker.open_sale(show)
        for lose in (proxy.fall_silent, proxy.lose_reply):
            fault = lose("EVALSHA", times=1000)
            try:
                _ask_the_mail_server()
            except ConnectionRefusedError:
                with pytest.raises(OutcomeUnknown):
                    locker.acquire(show, ["A-1"], holder="ada")
            assert fault.fired
            proxy.heal()
            assert locker.inspect(show, ["A-1"])[0].holder == "ada", "it was carried out"


@COLOUR
def test_where_nobody_listens_nothing_was_changed(server_of: ServerOf, proxy_to: ProxyTo, colour: str) -> None:
    proxy = proxy_to(server_of("redis-7"))
    proxy.close()
    clients = _impatient(proxy, ConstantBackoff(0), 0)
    with (
        locker_over(colour, *clients, patience=0.05) as locker,
        pytest.raises(ServerUnavailable, match="nothing was changed"),
    ):
        locker.acquire("anything", ["A-1"], holder="ada")


@pytest.mark.parametrize("options", [{}, {"socket_timeout": 60.0}, {"socket_connect_timeout": 60.0}], ids=str)
async def test_an_asyncio_client_without_a_timeout_or_with_a_long_one_does_not_outwait_the_patience(
    server_of: ServerOf, proxy_to: ProxyTo, options: dict[str, float]
) -> None:
    server = server_of("redis-7")
    proxy, show = proxy_to(server), f"hangs-{'-'.join(options)}"
    client = redis.asyncio.Redis(port=proxy.port, retry=AsyncRetry(NoBackoff(), 0), **options)
    async with client, asyncio.timeout(0.4 + 2 * GRACE):
        locker = AsyncSeatLocker(client, patience=0.4)
        await locker.warm(show, ["A-1", "A-2"])
        await locker.open_sale(show)
        fault = proxy.fall_silent("EVALSHA", "EVAL", times=1000)
        with pytest.raises(OutcomeUnknown) as raised:
            await locker.acquire(show, ["A-1"], holder="ada")
        assert fault.fired
        proxy.heal()
        hold = await locker.acquire(show, ["A-1"], holder="ada", token=raised.value.token)
        assert hold.token == raised.value.token
        assert (await locker.availability(show)).seats["A-1"] == "held"
        await locker.aclose()


async def test_a_pool_without_a_free_connection_is_not_waited_for_for_ever(server_of: ServerOf) -> None:
    server = server_of("redis-7")
    pool = redis.asyncio.BlockingConnectionPool.from_url(
        server.url, max_connections=1, timeout=None, socket_timeout=2.0, retry=AsyncRetry(NoBackoff(), 0)
    )
    async with redis.asyncio.Redis.from_pool(pool) as client, asyncio.timeout(0.4 + 2 * GRACE):
        locker = AsyncSeatLocker(client, patience=0.4)
        await locker.warm("crowded", ["A-1"])
        await locker.open_sale("crowded")
        connection = await pool.get_connection()
        with pytest.raises(OutcomeUnknown):
            await locker.acquire("crowded", ["A-1"], holder="ada")
        await pool.release(connection)
        assert (await locker.acquire("crowded", ["A-1"], holder="ada")).seats == ("A-1",)
        await locker.aclose()


async def test_many_calls_that_travel_alone_leave_connections_to_the_batches(server_of: ServerOf) -> None:
    """A thousand `_many` calls and reads at once on a pool of redis-py's usual size: they wait for their turn."""
    seats = [f"A-{number}" for number in range(1100)]
    async with AsyncSeatLocker.from_url(server_of("redis-7").url, max_connections=100, patience=30.0) as locker:
        await locker.warm("throng", seats)
        await locker.open_sale("throng")
        calls: list[Any] = [
            locker.acquire_many("throng", [AcquireRequest([seat], f"holder-{seat}")]) for seat in seats[:1000]
        ]
        calls += [locker.inspect("throng", [seat]) for seat in seats[:1000]]
        calls += [locker.acquire("throng", [seat], holder="ada") for seat in seats[1000:]]
        answers = await asyncio.gather(*calls)
        assert all(isinstance(hold, Hold) for [hold] in answers[:1000])
        assert all(isinstance(hold, Hold) for hold in answers[2000:])


async def test_who_waits_too_long_for_a_turn_is_refused(server_of: ServerOf, proxy_to: ProxyTo) -> None:
    proxy = proxy_to(server_of("redis-7"))
    async with AsyncSeatLocker.from_url(proxy.url, patience=0.2, socket_timeout=0.5) as locker:
        await locker.warm("stuck", ["A-1"])
        proxy.fall_silent("EVALSHA", "EVAL", times=1000)
        calls = [locker.inspect("stuck", ["A-1"]) for _ in range(40)]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(answer, SeatLockError) for answer in answers)
        refused = [answer for answer in answers if "travels alone" in str(answer)]
        assert len(refused) == 40 - GROUPED.visits
        assert all(isinstance(answer, ServerUnavailable) for answer in refused)
        proxy.heal()
        assert (await locker.inspect("stuck", ["A-1"]))[0].state == "free"
