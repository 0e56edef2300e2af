"""A cancellation that the event loop's own library may drop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def heeding(work: Awaitable[T]) -> T:
    """Await ``work``, and be cancelled if that was asked for meanwhile, whatever the work made of it.

    Up to Python 3.11, `asyncio.wait_for`, through which redis-py sends, gives its result and forgets the cancellation
    when both come in the same turn.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    result = await work
    if task and task.cancelling() > before:
        raise asyncio.CancelledError
    return result
