"""Brokers that refuse, are away or say nothing: always PublishFailed, in time, with nothing secret and nothing left."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import quote

import aio_pika
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from seatlock.errors import PublishFailed
from seatlock.outbox.events import BookingEvent
from seatlock.outbox.publishing import publisher_of
from tests.brokers.readers import KafkaDesk, RabbitDesk, Reader, RedisDesk
from tests.brokers.sales import event, sale
from tests.support.brokers import PASSWORD, KafkaServer, RabbitServer
from tests.support.fixtures import PrivateServer
from tests.support.ports import free_port
from tests.support.servers import RedisServer

SECRET: Final = "hun/ter@2#x"  # noqa: S105 - nobody's
WRITTEN: Final = "hun%2Fter%402%23x"
EVENTS: Final = [event("b-1"), event("b-1", "cancelled"), event("b-2")]
URLS: Final = {
    "kafka": "kafka://127.0.0.1:{port}/bookings",
    "rabbit": f"amqp://ann:{WRITTEN}@127.0.0.1:{{port}}/?exchange=bookings",
    "redis": f"redis://ann:{WRITTEN}@127.0.0.1:{{port}}/0?stream=bookings",
}


async def refused(url: str, events: list[BookingEvent] = EVENTS, *, seconds: float = 5.0) -> str:
    """What a publisher says that cannot publish; nothing of it is left behind, and nothing secret is in its words."""
    before = asyncio.all_tasks()
    with pytest.raises(PublishFailed) as raised:
        async with publisher_of(url, timeout=seconds) as publisher:
            await publisher.publish(events)
    text = "".join(traceback.format_exception(raised.value))
    for secret in (SECRET, WRITTEN, PASSWORD):
        assert secret not in text
    for _ in range(3):
        await asyncio.sleep(0)
    assert asyncio.all_tasks() <= before
    return str(raised.value)


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port on which connections are made, and nothing is ever said."""
    with socket.create_server(("127.0.0.1", free_port())) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("kind", URLS)
async def test_nobody_there(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    port = free_port()
    message = await refused(URLS[kind].format(port=port), seconds=1.0)
    assert f"127.0.0.1:{port}" in message
    assert "has 0 of 3 events" in message
    assert not [secret for secret in (SECRET, WRITTEN) if secret in caplog.text]


@pytest.mark.parametrize("kind", URLS)
async def test_somebody_there_who_says_nothing(kind: str, silent_port: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    started = time.monotonic()
    message = await refused(URLS[kind].format(port=silent_port), seconds=0.5)
    assert time.monotonic() - started < 10
    assert "0 of 3" in message
    assert not [secret for secret in (SECRET, WRITTEN) if secret in caplog.text]


async def test_a_broker_that_comes_later(kafka: KafkaServer, rabbit: RabbitServer) -> None:
    """The publisher is made before its broker is there; when it comes, the same publisher tells it."""
    for desk in (KafkaDesk(kafka), RabbitDesk(rabbit)):
        if isinstance(desk, RabbitDesk):
            await desk.bind()
        desk.server.stop()
        async with publisher_of(desk.url, timeout=2.0) as publisher:
            with pytest.raises(PublishFailed):
                await publisher.publish(EVENTS)
            desk.server.start()
            await publisher.publish(EVENTS)
        assert {message.id for message in await desk.read(3)} == {told.id for told in EVENTS}


# --- RabbitMQ


async def test_what_reaches_no_queue_is_a_failure(rabbit: RabbitServer) -> None:
    desk = RabbitDesk(rabbit)
    async with publisher_of(desk.url) as publisher:
        with pytest.raises(PublishFailed, match="0 of 3 events"):
            await publisher.publish(EVENTS)
        await desk.bind()  # the exchange is there by now: a durable one for topics
        await publisher.publish(EVENTS)
    assert [message.event for message in await desk.read(3)] == EVENTS


async def test_a_queue_of_some_kinds_only_is_a_failure_for_the_others(rabbit: RabbitServer) -> None:
    desk = RabbitDesk(rabbit)
    await desk.bind("confirmed.#")
    async with publisher_of(desk.url) as publisher:
        await publisher.publish([EVENTS[0]])
        with pytest.raises(PublishFailed):
            await publisher.publish(EVENTS[1:2])


async def test_refused_in_part_breaks_the_order_of_no_seat(rabbit: RabbitServer) -> None:
    """A queue that is full takes some and refuses some; while a reader makes room, all is told again and again."""
    desk, events, reader, failures = RabbitDesk(rabbit), sale(300, seats=4), Reader(), 0
    await desk.bind(**{"x-max-length": 2, "x-overflow": "reject-publish"})
    async with publisher_of(desk.url) as publisher:

        async def tell() -> None:
            nonlocal failures
            while True:
                try:
                    await publisher.publish(events)
                except PublishFailed:
                    failures += 1
                else:
                    return

        telling = asyncio.create_task(tell())
        reader.take(await desk.read({told.id for told in events}))
        telling.cancel()
        await asyncio.wait({telling})
    assert failures, "the queue was full at times"
    for show, seat in {(told.show, seat) for told in events for seat in told.seats}:
        assert reader.of_seat(show, seat) == [told.id for told in events if told.show == show and seat in told.seats]


async def test_a_wrong_password(rabbit: RabbitServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    message = await refused(f"amqp://seatlock:{WRITTEN}@127.0.0.1:{rabbit.port}/?exchange=x")
    assert f"amqp://127.0.0.1:{rabbit.port}/?exchange=x" in message
    assert not [secret for secret in (SECRET, WRITTEN) if secret in caplog.text]


async def test_a_virtual_host_that_is_not_there(rabbit: RabbitServer) -> None:
    assert "nowhere" in await refused(f"{rabbit.address}nowhere?exchange=x")


async def test_an_exchange_of_another_type(rabbit: RabbitServer) -> None:
    desk = RabbitDesk(rabbit)
    async with await aio_pika.connect(rabbit.address) as connection, connection.channel() as channel:
        await channel.declare_exchange(desk.exchange, aio_pika.ExchangeType.FANOUT, durable=True)
    assert "inequivalent arg 'type'" in await refused(desk.url)


# --- Kafka


async def test_a_topic_that_takes_no_message_of_that_size(kafka: KafkaServer) -> None:
    desk = KafkaDesk(kafka)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.address)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(desk.topic, 1, 1, topic_configs={"max.message.bytes": "600"})])
    finally:
        await admin.close()
    long = event("b-3", seats=[f"A-{number}" for number in range(100)])
    assert "MessageSizeTooLarge" in await refused(desk.url, [long])
    async with publisher_of(desk.url) as publisher:
        await publisher.publish([EVENTS[0]])


WAYS: Final = ["", "?login=plain", "?login=scram-sha-256", "?login=scram-sha-512"]


def with_login(desk: KafkaDesk, password: str, *, tls: bool = False, way: str = "") -> str:
    scheme, port = ("kafkas", desk.server.tls_port) if tls else ("kafka", desk.server.login_port)
    return f"{scheme}://seatlock:{quote(password, safe='')}@127.0.0.1:{port}/{desk.topic}{way}"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("tls", [False, True])
async def test_a_login(kafka: KafkaServer, monkeypatch: pytest.MonkeyPatch, *, tls: bool, way: str) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(kafka.certificate))
    desk = KafkaDesk(kafka)
    async with publisher_of(with_login(desk, PASSWORD, tls=tls, way=way)) as publisher:
        await publisher.publish(EVENTS)
    assert [message.event for message in await desk.read(3)] == EVENTS


@pytest.mark.parametrize("way", WAYS)
async def test_a_wrong_login(kafka: KafkaServer, caplog: pytest.LogCaptureFixture, way: str) -> None:
    caplog.set_level(logging.DEBUG)
    message = await refused(with_login(KafkaDesk(kafka), SECRET, way=way))
    assert f"kafka://127.0.0.1:{kafka.login_port}/" in message
    assert not [secret for secret in (SECRET, WRITTEN) if secret in caplog.text]


async def test_a_certificate_that_nobody_trusts(kafka: KafkaServer) -> None:
    desk = KafkaDesk(kafka)
    assert "0 of 3" in await refused(with_login(desk, PASSWORD, tls=True))


# --- Redis


async def test_a_key_of_another_type(server_of: Callable[[str], RedisServer]) -> None:
    desk = RedisDesk(server_of("redis-7"))
    with desk.server.client() as client:
        client.set(desk.stream, "foreign")
    assert "WRONGTYPE" in await refused(desk.url)


async def test_a_redis_that_is_full_takes_all_or_nothing(private_server: PrivateServer) -> None:
    desk = RedisDesk(private_server(config={"maxmemory-policy": "noeviction"}))
    with desk.server.client() as client:
        client.config_set("maxmemory", "1")
        assert "memory" in await refused(desk.url)
        client.config_set("maxmemory", "0")
        assert client.exists(desk.stream) == 0
    async with publisher_of(desk.url) as publisher:
        await publisher.publish(EVENTS)
    assert [message.event for message in await desk.read(3)] == EVENTS


async def test_a_run_is_one_transaction(server_of: Callable[[str], RedisServer]) -> None:
    desk = RedisDesk(server_of("redis-7"))
    with desk.server.client() as client:
        client.config_resetstat()
        async with publisher_of(desk.url) as publisher:
            await publisher.publish([event(f"b-{number}", seats=[f"A-{number}"]) for number in range(20)])
        stats = client.info("commandstats")
    assert (stats["cmdstat_exec"]["calls"], stats["cmdstat_xadd"]["calls"]) == (1, 20)


async def test_a_wrong_password_for_redis(private_server: PrivateServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server = private_server(config={"requirepass": "another"})
    message = await refused(f"redis://:{WRITTEN}@127.0.0.1:{server.port}?stream=x")
    assert f"redis://127.0.0.1:{server.port}?stream=x" in message
    assert not [secret for secret in (SECRET, WRITTEN) if secret in caplog.text]


async def test_a_right_password_for_redis(private_server: PrivateServer) -> None:
    server = private_server(config={"requirepass": SECRET.replace("#", "%")})
    url = f"redis://:{WRITTEN.replace('%23', '%25')}@127.0.0.1:{server.port}/0?stream=x"
    async with publisher_of(url) as publisher:
        await publisher.publish(EVENTS)


async def test_a_stream_may_be_cut(server_of: Callable[[str], RedisServer]) -> None:
    desk = RedisDesk(server_of("redis-7"))
    async with publisher_of(f"{desk.url}&maxlen=100") as publisher:
        await publisher.publish(sale(2_000))
    with desk.server.client() as client:
        assert 100 <= client.xlen(desk.stream) < 400, "whole pieces are cut off"
