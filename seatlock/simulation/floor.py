"""The floor of the sale: as many buyers in flight at once as there is room for; who has to wait makes room."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from seatlock.simulation.tally import Tally

Shop = Callable[["Floor", int], Coroutine[Any, Any, None]]
"""What one buyer does, given the floor and the buyer's number."""


class SaleOver(Exception):
    """The floor is closed: go home."""


class Floor:
    """Lets buyers in one after the other, ``room`` of them at once. Serves one crowd."""

    def __init__(self, room: int, tally: Tally) -> None:
        self.closed = False
        self._tally = tally
        self._slots = asyncio.Semaphore(room)
        self._tasks: set[asyncio.Task[None]] = set()
        self._away: set[asyncio.Task[None]] = set()  # those without a slot
        self._error: Exception | None = None

    async def serve(self, shop: Shop, buyers: int, time_limit: float) -> None:
        """Let every buyer in, and wait until the last has left or ``time_limit`` seconds are over.

        Then nobody comes in or back any more, but whoever has a request on the way gets its answer. Raises what a
        buyer raised.
        """
        try:
            async with asyncio.timeout(time_limit):
                for number in range(buyers):
                    await self._slots.acquire()
                    if self.closed:
                        break
                    task = asyncio.create_task(self._serve(shop, number))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
                if self._tasks:
                    await asyncio.wait(self._tasks)
        except TimeoutError:
            self._close()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        finally:
            self.closed = True
            for task in self._tasks:  # there are some only when we are cancelled
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._error is not None:
            raise self._error

    async def stay_away(self, seconds: float) -> None:
        """Make room for others for a while, then queue for a place again; `SaleOver` once the floor is closed."""
        task = asyncio.current_task()
        if self.closed or task is None:
            raise SaleOver
        self._away.add(task)
        self._slots.release()
        await asyncio.sleep(seconds)
        await self._slots.acquire()
        self._away.discard(task)
        if self.closed:
            raise SaleOver

    async def _serve(self, shop: Shop, number: int) -> None:
        task = asyncio.current_task()
        self._tally.started += 1
        try:
            await shop(self, number)
            self._tally.done += 1
        except SaleOver:
            pass
        except Exception as error:  # noqa: BLE001 - whatever it is, it ends the sale and is raised there
            self._error = self._error or error
            self._close()
        finally:
            if task in self._away:
                self._away.discard(task)
            else:
                self._slots.release()

    def _close(self) -> None:
        self.closed = True
        for task in self._away:
            task.cancel()
