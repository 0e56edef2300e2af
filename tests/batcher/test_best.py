"""Many who want the best seats at once, in one event loop or in many threads: they share what is read."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis.asyncio

from seatlock import AsyncSeatLocker, BestHold, SeatLocker, SeatLockError, SeatsUnavailable, ServerUnavailable
from seatlock._script import load
from tests.batcher.house import House, attempt, idle
from tests.batcher.test_server_cancelling import cancel_after
from tests.batcher.wire import turns
from tests.support.lockers import AsyncWatched, Watched
from tests.support.servers import RedisServer

READS = (load("changes").sha, load("availability").sha)


class Counting(AsyncWatched):
    """An asyncio client that counts the calls of scripts that read, and may fail them."""

    def __init__(self, client: Any) -> None:
        super().__init__(client)
        self.reads = 0
        self.fails = False

    def note(self, command: tuple[Any, ...]) -> None:
        """Note a command."""
        super().note(command)
        if command[1] in READS:
            self.reads += 1
            if self.fails:
                raise redis.ConnectionError("the line is dead")


async def ask(locker: AsyncSeatLocker, show: str, callers: int, count: int = 2) -> list[Any]:
    """So many callers at once."""
    return await asyncio.gather(
        *(attempt(locker.acquire_best(show, count, holder=f"holder-{caller}")) for caller in range(callers))
    )


def seats_of(answers: list[Any]) -> list[str]:
    """All the seats that were got, each by one."""
    seats = [seat for answer in answers if isinstance(answer, BestHold) for seat in answer.hold.seats]
    assert len(seats) == len(set(seats))
    return seats


async def test_callers_at_the_same_time_share_a_read_and_get_the_best_in_turn(house: House) -> None:
    show = house.open([f"{row}-{number}" for row in "ABCDEFGHIJ" for number in range(42)])
    async with redis.asyncio.Redis.from_url(house.url) as client:
        counting = Counting(client)
        locker = AsyncSeatLocker(counting)  # type: ignore[arg-type]
        answers = await ask(locker, show, 105)
        assert counting.reads <= 4  # the first who came reads, and all others together
        assert len(seats_of(answers)) == 210
        assert all(answer.adjacent for answer in answers)
        assert {seat[0] for seat in seats_of(answers)} == set("ABCDE")  # the nearest rows, wholly
        assert len(seats_of(await ask(locker, show, 150))) == 210
        more = await ask(locker, show, 20)
        assert all(isinstance(answer, SeatsUnavailable) for answer in more)
        await idle(locker)
    assert house.states(show) == {"held": 420}


async def test_a_partner_and_the_public_share_reads_and_are_offered_different_seats(house: House) -> None:
    rows = {row: [f"{row}-{number}" for number in range(20)] for row in "ABCDEF"}
    show = house.open([seat for row in rows.values() for seat in row])
    async with redis.asyncio.Redis.from_url(house.url) as client:
        counting = Counting(client)
        locker = AsyncSeatLocker(counting)  # type: ignore[arg-type]
        for row in "ACE":
            await locker.set_channel(show, rows[row], "partner")

        async def seek(caller: int, channel: str | None) -> list[str]:
            return seats_of([await locker.acquire_best(show, 2, holder=f"{channel} {caller}", channel=channel)])

        calls = [seek(caller, channel) for caller in range(20) for channel in ("partner", None)]
        answers = await asyncio.gather(*calls)
        assert counting.reads <= 4
        assert {seat[0] for seats in answers[1::2] for seat in seats} <= set("BDF")
        assert len({seat for seats in answers for seat in seats}) == 80
        more = [seek(caller, channel) for caller in range(20, 40) for channel in ("partner", None)]
        found = await asyncio.gather(*map(attempt, more))
        got = [answer for answer in found if isinstance(answer, list)]
        assert (len(got), sum(isinstance(answer, SeatsUnavailable) for answer in found)) == (20, 20)
        await idle(locker)
    assert house.states(show) == {"held": 120}


async def test_a_read_that_fails_fails_for_all_who_wait_for_it(house: House) -> None:
    show = house.open(["A-1", "A-2"])
    async with redis.asyncio.Redis.from_url(house.url) as client:
        counting = Counting(client)
        locker = AsyncSeatLocker(counting, patience=0.2)  # type: ignore[arg-type]
        await locker.availability(show)
        counting.fails = True
        begun = asyncio.get_running_loop().time()
        answers = await ask(locker, show, 50)
        assert all(isinstance(answer, ServerUnavailable) for answer in answers)
        assert len({id(answer) for answer in answers}) == 50
        assert asyncio.get_running_loop().time() - begun < 2.0  # not one patience after the other
        counting.fails = False
        assert len(seats_of(await ask(locker, show, 2, 1))) == 2


async def test_cancelled_at_every_turn_nothing_is_held_and_nothing_stays_aside(house: House) -> None:
    show = house.open(["A-1", "A-2", "A-3", "A-4"])
    async with AsyncSeatLocker.from_url(house.url) as locker:
        turn = steady = 0
        while steady < 5:
            call = locker.acquire_best(show, 2, holder="ada")
            answers = await asyncio.gather(cancel_after(turn, call), attempt(locker.acquire_best(show, 2, holder="bo")))
            await idle(locker)
            turn, steady = turn + 1, steady + 1 if answers[0] else 0
            for answer in answers:
                assert answer is None or isinstance(answer, BestHold)
                if answer:
                    await locker.release(answer.hold)
            assert house.states(show) == {"free": 4}
            assert turn < 1000
        everything = await locker.acquire_best(show, 4, holder="ada")
        assert everything.adjacent


async def test_who_reads_is_cancelled_and_another_reads(house: House) -> None:
    cancelled = 0
    async with AsyncSeatLocker.from_url(house.url) as locker:
        for count in range(1, 9):
            show = house.open([f"A-{number}" for number in range(20)])
            tasks = [asyncio.ensure_future(locker.acquire_best(show, 2, holder=f"holder-{n}")) for n in range(10)]
            await turns(count)
            tasks[0].cancel()
            answers = await asyncio.gather(*tasks, return_exceptions=True)
            cancelled += isinstance(answers[0], asyncio.CancelledError)
            assert len(seats_of(answers[1:])) == 18
    assert cancelled > 2


async def test_a_closed_locker_and_another_event_loop_are_refused(house: House) -> None:
    show = house.open(["A-1"])
    locker = AsyncSeatLocker.from_url(house.url)
    await locker.acquire_best(show, 1, holder="ada")
    await locker.aclose()
    with pytest.raises(SeatLockError, match="closed"):
        await locker.acquire_best(show, 1, holder="ada")


def test_threads_share_a_read_too(house: House, server_of: Callable[[str], RedisServer]) -> None:
    show = house.open([f"{row}-{number}" for row in "ABCDE" for number in range(20)])
    reads: list[int] = []
    client = Watched(server_of("redis-7").unix_client())

    def note(command: tuple[Any, ...]) -> None:
        if command[1] in READS:
            reads.append(1)

    client.note = note  # type: ignore[method-assign]
    start = threading.Barrier(50)
    with SeatLocker(client) as locker, ThreadPoolExecutor(50) as threads:  # type: ignore[arg-type]

        def one(caller: int) -> BestHold:
            start.wait(30)
            return locker.acquire_best(show, 2, holder=f"holder-{caller}")

        answers = list(threads.map(one, range(50)))
    assert len(seats_of(answers)) == 100
    assert len(reads) < 100, "every caller and every look had a read of its own"
    client.client.close()
