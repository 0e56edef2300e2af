"""Events through an exchange of RabbitMQ's."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from faststream.rabbit import Channel, ExchangeType, RabbitBroker, RabbitExchange

from seatlock.outbox._lines import OPENING, QUIET, Opening, body_of, headers_of
from seatlock.outbox._targets import Rabbit
from seatlock.outbox.events import BookingEvent

MOST_TO_CONNECT: Final = OPENING - 1.0  # seconds: a connection that is cut off while it is made tries for ever


class RabbitLine:
    """FastStream's connection to RabbitMQ, with a channel that confirms, and that raises for what reaches no queue."""

    def __init__(self, target: Rabbit, timeout: float) -> None:
        self._exchange = RabbitExchange(target.exchange, type=ExchangeType.TOPIC, durable=True, robust=False)
        self._broker: Any = RabbitBroker(
            target.url,
            timeout=min(timeout, MOST_TO_CONNECT),
            default_channel=Channel(on_return_raises=True),
            on_close=[self._lost],
            **QUIET,
        )
        self._opening: Opening | None = None
        self._connections: list[Any] = []

    async def open(self) -> None:
        """Connect, and make the exchange if it is not there."""
        self._opening = Opening(self._broker.connect())
        await self._opening.made()
        await self._broker.declare_exchange(self._exchange)

    async def tell(self, events: Sequence[BookingEvent]) -> None:
        """Send all, then wait for all confirms."""
        answers = await asyncio.gather(*map(self._send, events), return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer

    async def _send(self, event: BookingEvent) -> None:
        headers = headers_of(event)
        content_type = headers.pop("content-type")
        await self._broker.publish(
            body_of(event),
            exchange=self._exchange,
            routing_key=f"{event.kind}.{event.show}",
            mandatory=True,
            persist=True,
            content_type=content_type,
            headers=headers,
        )

    async def close(self) -> None:
        """Close the connection first: to close a channel of one that is lost would wait for it to come back."""
        if self._opening is not None and await self._opening.over():
            self._connections.append(await self._opening.made())
        for connection in self._connections:
            await connection.close()
        await self._broker.stop()

    def _lost(self, connection: Any, *_: object) -> None:
        """Take hold of a connection that was lost before there was a channel: nobody else would end its trying."""
        self._connections.append(connection)
