"""Connects to the Redis that a URL names, and says in plain words where that fails."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from seatlock._connect import AsyncClient, async_client
from seatlock._seam import FOREIGN
from seatlock.cli.terminal import terminal
from seatlock.embedded import EmbeddedRedis
from seatlock.errors import InvalidRequest, SeatLockError, ServerUnavailable
from seatlock.locker import SeatLocker


def locker_at(url: str, namespace: str) -> SeatLocker:
    """Make a locker; to be closed."""
    with _plain_words(url):
        return SeatLocker.from_url(url, namespace=namespace)


def client_at(url: str) -> tuple[AsyncClient, EmbeddedRedis | None]:
    """Make an asyncio client, and the server it stands on where that is embedded; both to be closed."""
    with _plain_words(url):
        return async_client(url, {})


@contextmanager
def _plain_words(url: str) -> Generator[None]:
    terminal.hide(url)
    try:
        yield
    except SeatLockError:
        raise
    except FOREIGN as error:
        raise ServerUnavailable(f"Redis cannot be reached: {error}") from error
    except ValueError:
        # what the client says here quotes pieces of the URL, of the password among them
        raise InvalidRequest(
            "the URL of Redis cannot be understood: write redis://user:password@host:port/0, with special characters "
            "of the password percent-encoded."
        ) from None
