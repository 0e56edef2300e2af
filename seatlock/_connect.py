"""Makes Redis clients from URLs, with retries switched off: seatlock retries itself, with the same token.

redis-py re-sends an ambiguous command up to ten times by default, which is right for a GET and wrong for nothing of
ours either, since every request is idempotent by token; but it hides from us that the outcome was in doubt.
"""

from __future__ import annotations

from typing import Any, Final, Protocol, cast
from urllib.parse import urlsplit, urlunsplit

import hiredis
import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from seatlock.embedded import EmbeddedRedis
from seatlock.errors import InvalidRequest

SOCKET_TIMEOUT: Final = 2.0  # seconds without an answer before an attempt counts as lost
SCHEMES: Final = "redis, rediss, unix, redis+cluster, rediss+cluster, redis+sentinel, rediss+sentinel, embedded"

SyncClient = redis.Redis | redis.RedisCluster
AsyncClient = redis.asyncio.Redis | redis.asyncio.RedisCluster


class Executor(Protocol):
    """The one method of a client that `SeatLocker` uses."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command and read its reply."""


class AsyncExecutor(Protocol):
    """The one method of a client that `AsyncSeatLocker` uses."""

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command and read its reply."""


class _PackedByHiredis:
    """Lets hiredis lay out commands, as the blocking client does: a batch has a thousand parts."""

    def pack_command(self, *args: Any) -> list[bytes]:
        return [hiredis.pack_command(args)] if " " not in args[0] else super().pack_command(*args)  # type: ignore[misc]


def _pack_by_hiredis(client: redis.asyncio.Redis) -> redis.asyncio.Redis:
    pool = client.connection_pool
    pool.connection_class = type("PackedConnection", (_PackedByHiredis, pool.connection_class), {})
    return client


class Target:
    """A parsed URL: which kind of deployment, and the URL that redis-py understands."""

    def __init__(self, url: object) -> None:
        if not isinstance(url, str):
            raise InvalidRequest(f"url must be a string, not {type(url).__name__}.")
        parts = urlsplit(url)
        plain, _, kind = parts.scheme.partition("+")
        known = parts.scheme in ("redis", "rediss", "unix", "embedded") or (
            plain in ("redis", "rediss") and kind in ("cluster", "sentinel")
        )
        if not known or "://" not in url:
            raise InvalidRequest(f"url has the scheme {parts.scheme!r}; seatlock knows {SCHEMES}.")
        self.kind = kind or ("embedded" if plain == "embedded" else "single")
        self.url = urlunsplit(parts._replace(scheme=plain)) if kind else url
        self.tls = plain == "rediss"
        if self.kind == "sentinel":
            self._parse_sentinel(parts.netloc, parts.path)

    def _parse_sentinel(self, netloc: str, path: str) -> None:
        credentials, _, hosts = netloc.rpartition("@")
        user, _, password = credentials.partition(":")
        self.username, self.password = user or None, password or None
        service, _, database = path.strip("/").partition("/")
        if not service or not hosts or not (database or "0").isdigit():
            raise InvalidRequest("a Sentinel url reads redis+sentinel://host:26379,host:26379/service/0.")
        self.service, self.database = service, int(database or 0)
        self.sentinels: list[tuple[str, int]] = []
        for host in hosts.split(","):
            name, _, port = host.rpartition(":") if ":" in host else (host, "", "26379")
            if not name or not port.isdigit():
                raise InvalidRequest(f"{host!r} is no host:port of a Sentinel.")
            self.sentinels.append((name, int(port)))

    def sentinel_options(self, options: dict[str, Any]) -> dict[str, Any]:
        """What the clients of the primary behind Sentinel are made with."""
        own = {"db": self.database, "username": self.username, "password": self.password, "ssl": self.tls}
        return {**{name: value for name, value in own.items() if value}, **options}


def sync_client(url: object, options: dict[str, Any]) -> tuple[SyncClient, EmbeddedRedis | None]:
    """Make a client for `SeatLocker`, and the server it stands on where that is embedded."""
    target = Target(url)
    options = {"socket_timeout": SOCKET_TIMEOUT, "retry": Retry(NoBackoff(), 0), **options}
    if target.kind == "embedded":
        server = EmbeddedRedis.start()
        return server.client(**options), server
    if target.kind == "cluster":
        return redis.RedisCluster.from_url(target.url, **options), None
    if target.kind == "sentinel":
        sentinel: Any = cast("Any", Sentinel)(target.sentinels, sentinel_kwargs={"socket_timeout": SOCKET_TIMEOUT})
        return sentinel.master_for(target.service, **target.sentinel_options(options)), None
    single: Any = redis.Redis  # its from_url is not fully typed
    return single.from_url(target.url, **options), None


def async_client(url: object, options: dict[str, Any]) -> tuple[AsyncClient, EmbeddedRedis | None]:
    """Make a client for `AsyncSeatLocker`, and the server it stands on where that is embedded."""
    target = Target(url)
    options = {"socket_timeout": SOCKET_TIMEOUT, "retry": AsyncRetry(NoBackoff(), 0), **options}
    if target.kind == "embedded":
        server = EmbeddedRedis.start()
        return server.async_client(**options), server
    if target.kind == "cluster":
        return redis.asyncio.RedisCluster.from_url(target.url, **options), None
    if target.kind == "sentinel":
        sentinel: Any = cast("Any", AsyncSentinel)(target.sentinels, sentinel_kwargs={"socket_timeout": SOCKET_TIMEOUT})
        return _pack_by_hiredis(sentinel.master_for(target.service, **target.sentinel_options(options))), None
    single: Any = redis.asyncio.Redis  # its from_url is not fully typed
    return _pack_by_hiredis(single.from_url(target.url, **options)), None


async def close(owned: AsyncClient | EmbeddedRedis) -> None:
    """Close what an asyncio locker made."""
    if isinstance(owned, EmbeddedRedis):
        owned.close()
    else:
        await owned.aclose()
