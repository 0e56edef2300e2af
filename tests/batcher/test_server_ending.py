"""Ends of all kinds, on a real server: every socket is closed, everyone is answered, nothing goes wrong unheard."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import redis.asyncio

from seatlock import AcquireRequest, AsyncSeatLocker, Hold, InvalidRequest, OutcomeUnknown
from tests.batcher.house import SEATS, House, attempt
from tests.batcher.wire import turns
from tests.support.proxy import ReplyProxy

COUNTS = [0, 1, 2, 3, 5, 8, 13, 21, 34, 55]


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """An event loop that the test may end as it likes."""
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as running:
        yield running


def ask_all(locker: AsyncSeatLocker, show: str, count: int = 40) -> list[asyncio.Task[Any]]:
    """Tasks that ask for a seat each, of one show."""

    async def ask(seat: str) -> Any:
        return await attempt(locker.acquire(show, [seat], holder=f"h-{seat}"))

    return [asyncio.create_task(ask(seat)) for seat in SEATS[:count]]


@pytest.mark.parametrize("count", COUNTS)
def test_a_main_that_closes_while_others_ask(runner: asyncio.Runner, house: House, count: int) -> None:
    """Closing waits for them, so that they have their answers when the loop ends."""
    show = house.open()
    tasks: list[asyncio.Task[Any]] = []

    async def main() -> None:
        async with AsyncSeatLocker.from_url(house.url) as locker:
            tasks.extend(ask_all(locker, show))
            tasks.append(asyncio.create_task(attempt(locker.availability(show))))
            many = [AcquireRequest([seat], "many") for seat in SEATS[40:50]]
            tasks.append(asyncio.create_task(attempt(locker.acquire_many(show, many))))
            await turns(count)
        await turns(1)

    runner.run(main())
    runner.close()
    assert all(task.done() and not task.cancelled() for task in tasks)
    holds = [hold for task in tasks for hold in (task.result() if isinstance(task.result(), list) else [task.result()])]
    kept = {hold.seats[0]: hold.token for hold in holds if isinstance(hold, Hold)}
    assert house.owners(show, SEATS) == kept
    assert len(kept) == (50 if count else 0)  # tasks that have not begun to ask are refused
    assert count or {type(task.result()) for task in tasks} == {InvalidRequest}


@pytest.mark.parametrize("count", COUNTS)
def test_a_main_that_is_cancelled(runner: asyncio.Runner, house: House, count: int) -> None:
    """As Ctrl-C does: what others have asked for is answered, and what the cancelled asked for is given back."""
    show = house.open()
    tasks: list[asyncio.Task[Any]] = []

    async def main() -> None:
        async with AsyncSeatLocker.from_url(house.url) as locker:
            tasks.extend(ask_all(locker, show))
            await turns(1)
            own = [locker.acquire(show, [seat], holder="main") for seat in SEATS[100:110]]
            asyncio.get_running_loop().call_soon(cancel_soon, asyncio.current_task(), count)
            await asyncio.gather(*own)
            await asyncio.sleep(10)

    def cancel_soon(task: asyncio.Task[Any], left: int) -> None:
        if left:
            asyncio.get_running_loop().call_soon(cancel_soon, task, left - 1)
        else:
            task.cancel()

    with pytest.raises(asyncio.CancelledError):
        runner.run(main())
    runner.close()
    assert all(isinstance(task.result(), Hold) for task in tasks)
    kept = {task.result().seats[0]: task.result().token for task in tasks}
    owners = house.owners(show, SEATS)
    # those that had answered before the cancellation were main's, which let them go
    assert {seat: token for seat, token in owners.items() if seat in SEATS[:40]} == kept


@pytest.mark.parametrize("count", COUNTS)
def test_a_loop_that_ends_without_closing_the_locker(runner: asyncio.Runner, house: House, count: int) -> None:
    """A bad habit, but no reason to hang or to shout: only the client is closed, in the midst of everything."""
    show = house.open()
    tasks: list[asyncio.Task[Any]] = []

    async def main() -> None:
        async with redis.asyncio.Redis.from_url(house.url) as client:
            locker = AsyncSeatLocker(client)
            tasks.extend(ask_all(locker, show))
            await turns(count)
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    runner.run(main())
    runner.close()
    assert all(task.done() for task in tasks)


@pytest.mark.parametrize("count", COUNTS)
async def test_all_tasks_cancelled_and_then_closed(house: House, count: int) -> None:
    """What many a signal handler does; nothing is left on the server but what a task has got before."""
    show = house.open()
    locker = AsyncSeatLocker.from_url(house.url)
    tasks = ask_all(locker, show)
    await turns(count)
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await locker.aclose()
    holds = [task.result() for task in tasks if not task.cancelled()]
    assert house.owners(show, SEATS) == {hold.seats[0]: hold.token for hold in holds}


async def test_closing_with_a_time_limit(house: House, proxy: ReplyProxy) -> None:
    """Redis is silent, and whoever closes has no time: callers are told, and the sockets are closed."""
    show = house.open()
    locker = AsyncSeatLocker.from_url(proxy.url)
    await locker.availability(show)
    fault = proxy.fall_silent("EVALSHA", "EVAL")
    tasks = ask_all(locker, show)
    await turns()
    assert await asyncio.to_thread(fault.wait)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await locker.aclose()
    assert {type(result) for result in await asyncio.gather(*tasks)} == {OutcomeUnknown}
    await locker.aclose()


async def test_a_locker_that_is_closed_refuses(house: House) -> None:
    show = house.open()
    locker = AsyncSeatLocker.from_url(house.url)
    hold = await locker.acquire(show, SEATS[:1], holder="ada")
    await locker.aclose()
    await locker.aclose()
    before = house.calls()
    calls = [
        locker.acquire(show, SEATS[1:2], holder="ada"),
        locker.confirm(hold),
        locker.availability(show),
        locker.release_many(show, [hold]),
    ]
    for call in calls:
        with pytest.raises(InvalidRequest, match="closed"):
            await call
    assert house.calls() == before


async def test_a_block_that_a_generator_leaves_open_ends_with_it(house: House) -> None:
    """The loop closes generators that nobody has finished; their holds are given back then."""
    show = house.open()
    async with AsyncSeatLocker.from_url(house.url) as locker:

        async def generator() -> Any:
            async with locker.holding(show, SEATS[:1], holder="ada") as hold:
                yield hold

        stream = generator()
        hold = await anext(stream)
        assert house.owner(show, SEATS[0]) == hold.token
        with suppress(StopAsyncIteration):
            await stream.aclose()
        assert house.owner(show, SEATS[0]) is None
