"""Events in a Redis stream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from faststream.redis import RedisBroker

from seatlock.outbox._lines import QUIET, body_of
from seatlock.outbox._targets import RedisStream
from seatlock.outbox.events import BookingEvent


class RedisLine:
    """FastStream's connection to one Redis.

    The entries are added as plain fields on FastStream's client: its own publish packs everything into one field.
    """

    def __init__(self, target: RedisStream, timeout: float) -> None:
        self._target = target
        self._broker: Any = RedisBroker(target.url, socket_timeout=timeout, socket_connect_timeout=timeout, **QUIET)
        self._client: Any = None

    async def open(self) -> None:
        """Make the client; it connects when it is first used."""
        self._client = await self._broker.connect()

    async def tell(self, events: Sequence[BookingEvent]) -> None:
        """Add them in one transaction, so that all are there or none."""
        async with self._client.pipeline(transaction=True) as pipeline:
            for event in events:
                entry = {
                    "id": event.id,
                    "kind": event.kind,
                    "show": event.show,
                    "schema": str(event.schema),
                    "body": body_of(event),
                }
                pipeline.xadd(self._target.stream, entry, maxlen=self._target.maxlen, approximate=True)
            await pipeline.execute()

    async def close(self) -> None:
        """Close its connections."""
        await self._broker.stop()
