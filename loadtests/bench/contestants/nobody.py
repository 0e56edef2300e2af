"""Asyncio alone: as many tasks, which ask nobody and are all told no. What no client on asyncio can be faster than."""

from __future__ import annotations

import asyncio

from loadtests.bench.contestants.base import Contestant


class _SaidNo(Exception):
    """The answer."""


class AsyncioAlone(Contestant):
    """Each buyer waits for a future; all of them are answered together, with an exception each."""

    name = "asyncio alone, asking nobody"
    booking = "nothing"

    async def open(self) -> None:
        self.waiting: list[asyncio.Future[bool]] = []

    async def stock(self, count: int) -> None:
        self.waiting.clear()

    async def book(self, number: int) -> None:
        raise NotImplementedError

    async def check(self, count: int) -> None:
        raise NotImplementedError

    async def ask(self, number: int) -> bool:
        loop = asyncio.get_running_loop()
        if not self.waiting:
            loop.call_soon(self._answer)
        future: asyncio.Future[bool] = loop.create_future()
        self.waiting.append(future)
        try:
            return await future
        except _SaidNo:
            return False

    def _answer(self) -> None:
        self.waiting[0].set_result(True)
        for future in self.waiting[1:]:
            future.set_exception(_SaidNo())
        self.waiting.clear()
