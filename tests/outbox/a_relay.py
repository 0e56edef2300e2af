"""A relay as a process of its own, which tells a list in Redis: ``python -m tests.outbox.a_relay URL LEDGER SHOW``."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Sequence
from typing import Any

import redis.asyncio

from seatlock import AsyncSeatLocker
from seatlock.ledger import AsyncLedger
from seatlock.outbox.events import BookingEvent, encode_event
from seatlock.outbox.relay import Relay

LEASE = 0.5  # seconds
PATIENCE = 0.5  # also what the database gives one that was paused in a transaction


def told_of(show: str) -> str:
    """The list that is told."""
    return f"told:{show}"


class Listed:
    """Appends events to a list."""

    def __init__(self, client: Any, show: str) -> None:
        self._client, self._show = client, show

    async def publish(self, events: Sequence[BookingEvent]) -> None:
        """Tell these, in order."""
        await self._client.rpush(told_of(self._show), *[encode_event(event) for event in events])


async def main(url: str, ledger_url: str, show: str) -> None:
    """Work until SIGTERM."""
    async with (
        redis.asyncio.Redis.from_url(url) as client,
        AsyncSeatLocker.from_url(url) as locker,
        AsyncLedger(ledger_url, patience=PATIENCE) as ledger,
    ):
        relay = Relay(locker, ledger, Listed(client, show), shows=[show], lease=LEASE, batch=8, grace=0.0)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, relay.stop)
        await relay.run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
