"""Lockers of either colour behind one face, and clients that note what passes through them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec
import redis.exceptions

from seatlock import AsyncSeatLocker, SeatLocker, SeatLockError
from tests.support.lockers import Blocking

COLOURS: Final = ("sync", "async")
_TIMES: Final = ("ttl", "deadline", "confirmed_at", "pinned_at", "expires_in", "retry_after", "show")


def door(colour: str, url: str, **options: Any) -> Any:
    """Make a locker of either colour, to be asked in the same way: every method gives its result."""
    if colour == "sync":
        return SeatLocker.from_url(url, **options)
    return Blocking(AsyncSeatLocker.from_url(url, **options))


class Noting:
    """A client that notes the commands it passes on and the errors that come back."""

    def __init__(self, client: Any, before: Callable[[int], None] | None = None) -> None:
        self._client = client
        self._before = before
        self.commands: list[tuple[Any, ...]] = []
        self.errors: list[Exception] = []

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Pass a command on; ``before`` is called with its number (from 1) first."""
        self.commands.append(args)
        if self._before is not None:
            self._before(len(self.commands))
        try:
            return self._client.execute_command(*args, **options)
        except (redis.exceptions.RedisError, redis.exceptions.RedisClusterException, OSError) as error:
            self.errors.append(error)
            raise

    def close(self) -> None:
        """Close the client."""
        self._client.close()


def attempt(call: Callable[[], Any]) -> Any:
    """The result of a call, or the error of seatlock's that it raised."""
    try:
        return call()
    except SeatLockError as error:
        return error


def plain(answer: Any) -> Any:
    """An answer, or a list of them, as plain values without times and show, to be compared with another's."""
    if isinstance(answer, SeatLockError):
        kept = {key: value for key, value in vars(answer).items() if key not in ("show", "__notes__")}
        return type(answer).__name__, _timeless(msgspec.to_builtins(kept))
    return _timeless(msgspec.to_builtins(answer))


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _timeless(part) for key, part in value.items() if key not in _TIMES}
    if isinstance(value, list):
        return [_timeless(part) for part in value]
    return value
