"""Each broker as its readers see it, by clients of their own: what a message says outside and inside, in order."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any, NamedTuple, Protocol

import aio_pika
import aiokafka
import msgspec
import redis.asyncio

from seatlock.outbox.events import BookingEvent, decode_event
from tests.support.brokers import KafkaServer, RabbitServer
from tests.support.servers import RedisServer

PATIENCE = 60.0


class Message(NamedTuple):
    """One message: the event, the id outside, what else is outside, and what it is ordered by."""

    event: BookingEvent
    id: str
    outside: dict[str, str]
    place: Any


class Desk(Protocol):
    """A broker with a place of its own to publish to, and the message that it has got there so far."""

    url: str
    server: Any

    async def read(self, wanted: int | Collection[str]) -> list[Message]:
        """The next messages, as soon as they are there: that many, or until all these ids are among them."""
        ...


async def _gathered(messages: AsyncIterator[Message], wanted: int | Collection[str]) -> list[Message]:
    found: list[Message] = []
    missing = set(range(wanted)) if isinstance(wanted, int) else set(wanted)
    async with asyncio.timeout(PATIENCE):
        while missing:
            found.append(await anext(messages))
            missing.discard(len(found) - 1 if isinstance(wanted, int) else found[-1].id)
    return found


class KafkaDesk:
    def __init__(self, server: KafkaServer) -> None:
        self.server = server
        self.topic = f"bookings-{secrets.token_hex(4)}"
        self.url = f"kafka://{server.address}/{self.topic}"
        self._offsets: dict[aiokafka.TopicPartition, int] = {}

    async def read(self, wanted: int | Collection[str]) -> list[Message]:
        consumer = aiokafka.AIOKafkaConsumer(bootstrap_servers=self.server.address, enable_auto_commit=False)
        await consumer.start()
        try:
            partitions = [aiokafka.TopicPartition(self.topic, number) for number in range(3)]
            consumer.assign(partitions)
            for partition in partitions:
                consumer.seek(partition, self._offsets.get(partition, 0))
            found = await _gathered(self._messages(consumer), wanted)
        finally:
            await consumer.stop()
        for message in found:
            partition, offset = message.place
            self._offsets[partition] = offset + 1
        return found

    async def _messages(self, consumer: aiokafka.AIOKafkaConsumer) -> AsyncIterator[Message]:
        async for record in consumer:
            outside = {name: value.decode() for name, value in record.headers} | {"key": record.key.decode()}
            place = aiokafka.TopicPartition(record.topic, record.partition), record.offset
            yield Message(decode_event(record.value), outside["event-id"], outside, place)


class RabbitDesk:
    def __init__(self, server: RabbitServer) -> None:
        self.server = server
        self.exchange = self.queue = f"bookings-{secrets.token_hex(4)}"
        self.url = f"{server.address}?exchange={self.exchange}"

    async def bind(self, key: str = "#", **arguments: Any) -> None:
        async with await aio_pika.connect(self.server.address) as connection, connection.channel() as channel:
            exchange = await channel.declare_exchange(self.exchange, aio_pika.ExchangeType.TOPIC, durable=True)
            queue = await channel.declare_queue(self.queue, durable=True, arguments=arguments)
            await queue.bind(exchange, key)

    async def read(self, wanted: int | Collection[str]) -> list[Message]:
        async with await aio_pika.connect(self.server.address) as connection, connection.channel() as channel:
            await channel.set_qos(1)
            queue = await channel.get_queue(self.queue)
            return await _gathered(self._messages(queue), wanted)

    async def _messages(self, queue: aio_pika.abc.AbstractQueue) -> AsyncIterator[Message]:
        async with queue.iterator() as messages:
            async for message in messages:
                await message.ack()
                outside = {name: str(value) for name, value in message.headers.items()}
                outside["content-type"] = str(message.content_type)
                place = message.routing_key, message.delivery_mode
                yield Message(decode_event(message.body), outside["event-id"], outside, place)


class RedisDesk:
    def __init__(self, server: RedisServer) -> None:
        self.server = server
        self.stream = f"bookings-{secrets.token_hex(4)}"
        self.url = f"{server.url}?stream={self.stream}"
        self._after = "0"

    async def read(self, wanted: int | Collection[str]) -> list[Message]:
        async with self.server.async_client(decode_responses=True) as client:
            return await _gathered(self._messages(client), wanted)

    async def _messages(self, client: redis.asyncio.Redis) -> AsyncIterator[Message]:
        while True:
            read: Any = await client.xread({self.stream: self._after}, count=1, block=1000)
            streams = dict(read) if isinstance(read, list) else read
            for self._after, fields in (entry for page in streams.values() for entry in _flat(page)):
                yield Message(decode_event(fields.pop("body")), fields["id"], fields, self._after)


def _flat(page: Any) -> list[Any]:
    """The entries of a stream, which RESP3 has one level deeper."""
    return page[0] if page and isinstance(page[0], list) else page


class Reader:
    """A reader that deduplicates: what it has seen for the first time, in order."""

    def __init__(self) -> None:
        self.seen: dict[str, BookingEvent] = {}

    def take(self, messages: Sequence[Message]) -> None:
        for message in messages:
            assert message.id == message.event.id
            before = self.seen.setdefault(message.id, message.event)
            assert msgspec.json.encode(before) == msgspec.json.encode(message.event), "the same id, the same fact"

    def of_seat(self, show: str, seat: str) -> list[str]:
        return [event.id for event in self.seen.values() if event.show == show and seat in event.seats]

    def of_booking(self, show: str, booking: str) -> list[str]:
        return [event.id for event in self.seen.values() if (event.show, event.booking) == (show, booking)]
