"""The locks of other libraries."""

from __future__ import annotations

import logging
from typing import Any

import coredis
import redis_lock
from coredis.patterns.lock import Lock as CoredisLock
from pottery import AIORedlock, Redlock

from loadtests.bench.contestants.base import POOL, TTL
from loadtests.bench.contestants.redis_py import AsyncLock, ThreadLock
from loadtests.bench.contestants.seats import async_pool

logging.getLogger("redis_lock").setLevel(logging.ERROR)  # it warns of every lock that is taken
logging.getLogger("pottery").setLevel(logging.ERROR)


class PotteryLock(AsyncLock):
    """pottery's Redlock with one master."""

    name = "pottery AIORedlock, one master"
    prefix = "redlock:"

    async def open(self) -> None:
        self.client = await self.stack.enter_async_context(async_pool(self.stage))

    def lock(self, name: str) -> Any:
        return AIORedlock(key=name, masters={self.client}, auto_release_time=TTL)

    async def acquire(self, lock: Any) -> bool:
        return bool(await lock.acquire(blocking=False))


class CoredisContestant(AsyncLock):
    """coredis's, on its own client, which shares its connections among tasks."""

    name = "coredis Lock"

    async def open(self) -> None:
        client = coredis.Redis.from_url(f"unix://{self.stage.socket}", max_connections=POOL)
        self.client = await self.stack.enter_async_context(client)

    def lock(self, name: str) -> Any:
        return CoredisLock(self.client, name, timeout=TTL, blocking=False)


class PythonRedisLock(ThreadLock):
    """python-redis-lock."""

    name = "python-redis-lock"
    prefix = "lock:"

    def lock(self, name: str) -> Any:
        return redis_lock.Lock(self.client, name, expire=TTL)


class PotteryThreads(ThreadLock):
    """pottery's Redlock with one master."""

    name = "pottery Redlock, one master"
    prefix = "redlock:"

    def lock(self, name: str) -> Any:
        return Redlock(key=name, masters={self.client}, auto_release_time=TTL)
