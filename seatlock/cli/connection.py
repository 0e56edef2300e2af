"""Connects to the Redis that a URL names, and remembers what of that URL must not be shown."""

from __future__ import annotations

from seatlock._connect import AsyncClient, async_client
from seatlock.cli.terminal import terminal
from seatlock.embedded import EmbeddedRedis
from seatlock.locker import SeatLocker


def locker_at(url: str, namespace: str) -> SeatLocker:
    """Make a locker; to be closed."""
    terminal.hide(url)
    return SeatLocker.from_url(url, namespace=namespace)


def client_at(url: str) -> tuple[AsyncClient, EmbeddedRedis | None]:
    """Make an asyncio client, and the server it stands on where that is embedded; both to be closed."""
    terminal.hide(url)
    return async_client(url, {})
