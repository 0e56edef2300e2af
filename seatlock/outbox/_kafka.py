"""Events in a topic of Kafka's."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Sequence
from typing import Any, Final

from faststream.kafka import KafkaBroker
from faststream.kafka.publisher.producer import AioKafkaFastProducerImpl
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from seatlock.outbox._lines import QUIET, Opening, body_of, headers_of
from seatlock.outbox._targets import Kafka
from seatlock.outbox.events import BookingEvent

BATCH_BYTES: Final = 256 * 1024  # of one partition in one request; with less a run takes several trips


_LOGINS: Final = {"plain": SASLPlaintext, "scram-sha-256": SASLScram256, "scram-sha-512": SASLScram512}


def _has_no_login(record: logging.LogRecord) -> bool:
    """Whether a record may be written: aiokafka's debugging log shows every request, with the password of a login."""
    told = record.args if isinstance(record.args, tuple) else ()
    return not any(type(each).__name__.startswith("SaslAuthenticateRequest") for each in told)


logging.getLogger("aiokafka.conn").addFilter(_has_no_login)


def _security(target: Kafka) -> BaseSecurity:
    """Who logs in and how; with TLS, certificates are checked against those that the system trusts."""
    context = ssl.create_default_context() if target.tls else None
    if not target.user:
        return BaseSecurity(ssl_context=context)
    return _LOGINS[target.login](target.user, target.password, ssl_context=context)


class _Producer(AioKafkaFastProducerImpl):
    """FastStream's producer, which keeps hold of the client also when its start fails: it has to be closed then too."""

    client: Any = None

    async def connect(self, producer: Any, serializer: Any, codec: Any = None) -> None:
        """Start the client."""
        self.client = producer
        await super().connect(producer, serializer, codec)

    async def give_up(self) -> None:
        """Close the client without waiting for what it has not sent, as its own `stop` does, for ever."""
        if self.client is None:
            return
        await self.client._sender.close()  # noqa: SLF001 - there is no public way to stop it from trying
        self.client._message_accumulator.fail_all(ConnectionError("given up"))  # noqa: SLF001 - likewise
        await self.client.stop()


class KafkaLine:
    """FastStream's connection to a Kafka cluster, with an idempotent producer that waits for all replicas."""

    def __init__(self, target: Kafka, timeout: float) -> None:
        self._topic = target.topic
        self._broker: Any = KafkaBroker(
            target.servers,
            client_id="seatlock",
            acks="all",
            enable_idempotence=True,
            request_timeout_ms=max(int(timeout * 1000), 1),
            max_batch_size=BATCH_BYTES,
            allow_auto_create_topics=False,
            security=_security(target),
            **QUIET,
        )
        self._opening: Opening | None = None
        self._producer = _Producer(parser=None, decoder=None)
        self._broker.config.broker_config.producer = self._producer

    async def open(self) -> None:
        """Connect to the cluster."""
        self._opening = Opening(self._broker.connect())
        await self._opening.made()

    async def tell(self, events: Sequence[BookingEvent]) -> None:
        """Hand all to the producer in order, then wait until all are acknowledged."""
        sent: list[asyncio.Future[Any]] = []
        try:
            for event in events:
                future = await self._broker.publish(
                    body_of(event),
                    topic=self._topic,
                    key=event.key.encode(),
                    headers=headers_of(event),
                    no_confirm=True,
                )
                sent.append(future)
            await asyncio.gather(*sent)
        finally:
            for future in sent:
                future.cancel()  # those that are done do not mind

    async def close(self) -> None:
        """Drop what was not sent, and let go."""
        if self._opening is None:
            return
        await self._opening.over()
        try:
            await self._producer.give_up()
        finally:
            await self._broker.stop()
