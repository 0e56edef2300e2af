"""Makes Redis clients from URLs, with retries switched off: seatlock retries itself, with the same token.

redis-py re-sends an ambiguous command up to ten times by default, which is right for a GET and wrong for nothing of
ours either, since every request is idempotent by token; but it hides from us that the outcome was in doubt.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Final, Protocol, TypeVar, cast

import hiredis
import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.asyncio.sentinel import SentinelConnectionPool as AsyncSentinelPool
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelConnectionPool

from seatlock._attempts import GRACE
from seatlock._seam import FOREIGN
from seatlock._target import Target
from seatlock.embedded import EmbeddedRedis
from seatlock.errors import InvalidRequest, SeatLockError, ServerUnavailable

T = TypeVar("T")

SOCKET_TIMEOUT: Final = 2.0  # seconds without an answer before an attempt counts as lost

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


# Clients that the caller hands in


def checked_sync(client: object) -> Executor:
    """Refuse what is no client for `SeatLocker`."""
    send = getattr(client, "execute_command", None)
    if not callable(send) or isinstance(client, type):
        raise InvalidRequest(f"client must be a redis.Redis or redis.RedisCluster, not {_kind(client)}.")
    if inspect.iscoroutinefunction(send):
        raise InvalidRequest(f"client is {_kind(client)}, which is awaited: give it to AsyncSeatLocker.")
    return cast("Executor", client)


def checked_async(client: object) -> AsyncExecutor:
    """Refuse what is no client for `AsyncSeatLocker`."""
    if not callable(getattr(client, "execute_command", None)) or isinstance(
        client, type | redis.Redis | redis.RedisCluster
    ):
        raise InvalidRequest(f"client must be of redis.asyncio, a Redis or RedisCluster, not {_kind(client)}.")
    return cast("AsyncExecutor", client)


def _kind(client: object) -> str:
    kind = client if isinstance(client, type) else type(client)
    return f"{kind.__module__}.{kind.__qualname__}"


def sends_again(client: object) -> bool:
    """Whether a client may send a command again by itself: its last error then hides what became of the first."""
    get_retry = getattr(client, "get_retry", None)
    retry: object = get_retry() if callable(get_retry) else getattr(client, "retry", None)
    return getattr(retry, "_retries", None) != 0


def may_hang(client: Any) -> bool:
    """Whether a client may wait longer than a grace: for a reply, with retries, or for a free connection."""
    pool: Any = getattr(client, "connection_pool", client)
    kwargs: Any = getattr(pool, "connection_kwargs", {})
    waits = [kwargs.get("socket_timeout"), kwargs.get("socket_connect_timeout") or 0.0]
    if isinstance(pool, redis.asyncio.BlockingConnectionPool):
        waits.append(cast("Any", pool).timeout)
    return sends_again(client) or any(seconds is None or seconds > GRACE for seconds in waits)


# Clients from URLs


_hiredis: Any = hiredis  # which is not fully typed


class _PackedByHiredis:
    """Lets hiredis lay out commands, as the blocking client does by itself: a batch has a thousand parts."""

    def pack_command(self, *args: Any) -> list[bytes]:
        """Lay out a command. redis-py gives names of two words as one, such as CLIENT SETINFO."""
        if isinstance(args[0], str) and " " in args[0]:
            args = (*args[0].split(), *args[1:])
        return [_hiredis.pack_command(args)]


def _packed(client: redis.asyncio.Redis) -> redis.asyncio.Redis:
    pool: Any = client.connection_pool
    pool.connection_class = type("PackedConnection", (_PackedByHiredis, pool.connection_class), {})
    return client


class _SyncSentinelPool(SentinelConnectionPool):
    """Closes the connections to the sentinels with its own; they come back when they are needed."""

    def disconnect(self, *args: Any, **options: Any) -> None:
        super().disconnect(*args, **options)
        for sentinel in cast("Any", self).sentinel_manager.sentinels:
            sentinel.close()


class _AsyncSentinelPool(AsyncSentinelPool):
    """The same for asyncio."""

    async def disconnect(self, *args: Any, **options: Any) -> None:
        await super().disconnect(*args, **options)
        for sentinel in cast("Any", self).sentinel_manager.sentinels:
            await sentinel.aclose()


def sync_client(url: object, options: dict[str, Any]) -> tuple[SyncClient, EmbeddedRedis | None]:
    """Make a client for `SeatLocker`, and the server it stands on where that is embedded."""
    target = Target(url)
    retry = Retry(NoBackoff(), 0)
    options = {"socket_timeout": SOCKET_TIMEOUT, "retry": retry, **options}
    with _translated():
        if target.kind == "embedded":
            return _on_embedded(lambda server: _tried(server.client(**options)))
        if target.kind == "cluster":
            return redis.RedisCluster.from_url(target.url, **options), None
        if target.kind == "sentinel":
            watch = {"socket_timeout": SOCKET_TIMEOUT, "retry": retry}
            sentinel: Any = cast("Any", Sentinel)(target.sentinels, sentinel_kwargs=watch)
            own = target.sentinel_options(options)
            return _tried(sentinel.master_for(target.service, connection_pool_class=_SyncSentinelPool, **own)), None
        single: Any = redis.Redis  # its from_url is not fully typed
        return _tried(single.from_url(target.url, **options)), None


def async_client(url: object, options: dict[str, Any]) -> tuple[AsyncClient, EmbeddedRedis | None]:
    """Make a client for `AsyncSeatLocker`, and the server it stands on where that is embedded."""
    target = Target(url)
    retry = AsyncRetry(NoBackoff(), 0)
    options = {"socket_timeout": SOCKET_TIMEOUT, "retry": retry, **options}
    with _translated():
        if target.kind == "embedded":
            return _on_embedded(lambda server: _tried(server.async_client(**options)))
        if target.kind == "cluster":
            return redis.asyncio.RedisCluster.from_url(target.url, **options), None
        if target.kind == "sentinel":
            watch = {"socket_timeout": SOCKET_TIMEOUT, "retry": retry}
            sentinel: Any = cast("Any", AsyncSentinel)(target.sentinels, sentinel_kwargs=watch)
            own = target.sentinel_options(options)
            primary = sentinel.master_for(target.service, connection_pool_class=_AsyncSentinelPool, **own)
            return _packed(_tried(primary)), None
        single: Any = redis.asyncio.Redis  # its from_url is not fully typed
        return _packed(_tried(single.from_url(target.url, **options))), None


def close_sync(owned: SyncClient | EmbeddedRedis) -> None:
    """Close what a locker made."""
    if isinstance(owned, redis.RedisCluster):
        cast("Any", owned).disconnect_connection_pools()  # its close leaves them open where it was made from a URL
    owned.close()


async def close(owned: AsyncClient | EmbeddedRedis) -> None:
    """Close what an asyncio locker made."""
    if isinstance(owned, EmbeddedRedis):
        owned.close()
    else:
        await owned.aclose()


def _on_embedded(make: Callable[[EmbeddedRedis], T]) -> tuple[T, EmbeddedRedis]:
    server = EmbeddedRedis.start()
    try:
        return make(server), server
    except BaseException:
        server.close()
        raise


def _tried(client: Any) -> Any:
    """Make a connection, not yet connected, for that is where a client first looks at its options."""
    pool = client.connection_pool
    pool.connection_class(**pool.connection_kwargs)
    return client


@contextmanager
def _translated() -> Generator[None]:
    try:
        yield
    except SeatLockError:
        raise
    except TypeError as error:
        raise InvalidRequest(f"from_url has an option that the client does not take: {error}.") from None
    except ValueError:  # its text may quote a password
        raise InvalidRequest("from_url, or the query of its url, has an option whose value is unusable.") from None
    except FOREIGN as error:
        raise ServerUnavailable(f"no server was found at the url ({error}); nothing was changed.") from error
