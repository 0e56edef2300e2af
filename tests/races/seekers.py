"""What each process of a race for the best seats does. Everything here runs in processes of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import redis
import redis.asyncio

from seatlock import AsyncSeatLocker, BestHold, SeatLocker, SeatLockError, SeatsUnavailable
from tests.races.crowd import Place

Got = tuple[list[tuple[str, tuple[str, ...]]], int, list[str]]
"""Holder and seats of each hold; how many were told that there are none; and what else was answered."""


def seek(
    place: Place, socket: str, show: str, counts: list[int], rounds: int, channels: Sequence[str | None] = (None,)
) -> Got:
    """Seekers of this process want so many seats each, all at once; the processes differ in how they come.

    Each process names one of the ``channels``, in turn.
    """
    channel = channels[place.number % len(channels)]
    answers: list[tuple[str, BestHold | SeatLockError]] = []
    for number in range(rounds):
        holders = [f"seeker-{place.number}-{number}-{at}" for at in range(len(counts))]
        place.step()
        come = _tasks if place.number % 2 else _threads
        gotten = come(socket, show, channel, counts, holders)
        answers += zip(holders, gotten, strict=True)
    holds = [(holder, answer.hold.seats) for holder, answer in answers if isinstance(answer, BestHold)]
    none = sum(isinstance(answer, SeatsUnavailable) for _, answer in answers)
    odd = [repr(answer) for _, answer in answers if not isinstance(answer, BestHold | SeatsUnavailable)]
    return holds, none, odd


def _tasks(
    socket: str, show: str, channel: str | None, counts: list[int], holders: list[str]
) -> list[BestHold | SeatLockError]:
    async def all_at_once() -> list[BestHold | SeatLockError]:
        async with redis.asyncio.Redis(unix_socket_path=socket) as client:
            locker = AsyncSeatLocker(client, patience=30)

            async def one(count: int, holder: str) -> BestHold | SeatLockError:
                try:
                    return await locker.acquire_best(show, count, holder=holder, channel=channel)
                except SeatLockError as error:
                    return error

            return await asyncio.gather(*(one(count, holder) for count, holder in zip(counts, holders, strict=True)))

    return asyncio.run(all_at_once())


def _threads(
    socket: str, show: str, channel: str | None, counts: list[int], holders: list[str]
) -> list[BestHold | SeatLockError]:
    with redis.Redis(unix_socket_path=socket) as client, ThreadPoolExecutor(len(counts)) as threads:
        locker = SeatLocker(client, patience=30)

        def one(count: int, holder: str) -> BestHold | SeatLockError:
            try:
                return locker.acquire_best(show, count, holder=holder, channel=channel)
            except SeatLockError as error:
                return error

        return list(threads.map(one, counts, holders))
