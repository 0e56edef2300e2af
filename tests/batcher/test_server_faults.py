"""A real server, and what goes wrong between it and a batch: each caller hears its own truth."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import pytest
import redis
import redis.exceptions

from seatlock import AsyncSeatLocker, Booking, Hold, OutcomeUnknown, ScriptFailed, ServerUnavailable, new_token
from tests.batcher.house import SEATS, House, attempt
from tests.batcher.wire import turns
from tests.support.fixtures import PrivateServer
from tests.support.keyspace import contradictions
from tests.support.proxy import ReplyProxy

EFFECTS: Final = ("lose_reply", "lose_request", "fall_silent")
SCRIPTS: Final = ("EVALSHA", "EVAL")
ALWAYS: Final = 100_000
PATIENCE: Final = 0.3
SILENCE: Final = 0.1  # seconds after which the client gives up waiting for a reply


def impatient(proxy: ReplyProxy, **options: Any) -> AsyncSeatLocker:
    """A locker behind the proxy that gives up soon."""
    return AsyncSeatLocker.from_url(proxy.url, socket_timeout=SILENCE, **options)


async def acquire_all(locker: AsyncSeatLocker, show: str, count: int = 20) -> list[Any]:
    """Ask for a seat each, at once: the holds, or the errors."""
    calls = [attempt(locker.acquire(show, [seat], holder=f"h-{seat}")) for seat in SEATS[:count]]
    return list(await asyncio.gather(*calls))


@pytest.mark.parametrize("effect", EFFECTS)
async def test_what_is_lost_is_asked_again_for_everyone(house: House, proxy: ReplyProxy, effect: str) -> None:
    show = house.open()
    async with impatient(proxy) as locker:
        await locker.availability(show)
        fault = getattr(proxy, effect)(*SCRIPTS)
        holds = await acquire_all(locker, show)
        assert fault.fired == 1
        assert [hold.seats for hold in holds] == [(seat,) for seat in SEATS[:20]]
        assert not any(hold.resumed for hold in holds)
        assert house.owners(show, SEATS) == {hold.seats[0]: hold.token for hold in holds}
        fault = getattr(proxy, effect)(*SCRIPTS)
        bookings = await asyncio.gather(*[locker.confirm(hold) for hold in holds])
        assert fault.fired == 1
        assert [booking.seats for booking in bookings] == [hold.seats for hold in holds]
    assert contradictions(house.raw, show) == []


@pytest.mark.parametrize("effect", EFFECTS)
async def test_without_any_answer_each_has_its_own_doubt(house: House, proxy: ReplyProxy, effect: str) -> None:
    show = house.open()
    given = new_token()
    async with impatient(proxy, patience=PATIENCE) as locker:
        await locker.availability(show)
        fault = getattr(proxy, effect)(*SCRIPTS, times=ALWAYS)
        named = attempt(locker.acquire(show, SEATS[20:22], holder="ada", token=given))
        errors, with_token = await asyncio.gather(acquire_all(locker, show), named)
        assert fault.fired >= 1
        assert [type(error) for error in [*errors, with_token]] == [OutcomeUnknown] * 21
        assert [error.seats for error in errors] == [(seat,) for seat in SEATS[:20]]
        assert len({error.token for error in errors}) == 20
        assert with_token.token == given
        proxy.heal()
        again = [locker.acquire(show, error.seats, holder=f"h-{error.seats[0]}", token=error.token) for error in errors]
        holds = await asyncio.gather(*again)
    assert [(hold.token, hold.resumed) for hold in holds] == [(error.token, False) for error in errors]


async def test_a_caller_that_comes_later_has_its_whole_patience(house: House, proxy: ReplyProxy) -> None:
    """The first gives up while the connection is silent; who came later is answered once it is well again."""
    show = house.open()
    async with impatient(proxy, patience=0.6) as locker:
        await locker.availability(show)
        fault = proxy.lose_reply(*SCRIPTS, times=ALWAYS)
        early = [asyncio.create_task(attempt(locker.acquire(show, [seat], holder="ada"))) for seat in SEATS[:2]]
        await turns()
        early += [asyncio.create_task(attempt(locker.acquire(show, [seat], holder="ada"))) for seat in SEATS[2:4]]
        await asyncio.wait(early[:1], timeout=0.45)
        late = asyncio.create_task(attempt(locker.acquire(show, SEATS[4:5], holder="ada")))
        await asyncio.wait(early)
        proxy.heal()
        answer = await late
    assert fault.fired >= 2
    assert [type(task.result()) for task in early] == [OutcomeUnknown] * 4
    assert isinstance(answer, Hold)


async def test_the_holds_of_cancelled_callers_are_released_after_a_lost_connection(
    house: House, proxy: ReplyProxy
) -> None:
    show = house.open()
    async with impatient(proxy, patience=PATIENCE) as locker:
        await locker.availability(show)
        fault = proxy.lose_reply(*SCRIPTS, times=2)
        tasks = [asyncio.create_task(locker.acquire(show, [seat], holder="ada")) for seat in SEATS[:10]]
        await turns(10)
        for task in tasks:
            task.cancel()
        assert {type(error) for error in await asyncio.gather(*tasks, return_exceptions=True)} == {
            asyncio.CancelledError
        }
    assert fault.fired == 2
    assert house.owners(show, SEATS) == {}


async def test_a_server_that_forgets_its_scripts_in_mid_sale(house: House) -> None:
    show = house.open()
    before = house.calls("eval")
    async with AsyncSeatLocker.from_url(house.url) as locker:
        holds = []
        for start in range(0, 600, 100):
            house.raw.script_flush()
            calls = [locker.acquire(show, [seat], holder="ada") for seat in SEATS[start : start + 100]]
            holds += await asyncio.gather(*calls)
        house.raw.script_flush()
        bookings = await asyncio.gather(*[locker.confirm(hold) for hold in holds])
    assert [booking.seats[0] for booking in bookings] == SEATS
    assert house.calls("eval") - before >= 7


async def test_a_server_that_starts_again(private_server: PrivateServer) -> None:
    """Everyone in flight and in the queue is answered by the server that comes back, without its scripts."""
    server = private_server(config={"appendonly": "yes", "appendfsync": "always"})
    with server.client() as raw:
        house = House(server.url, raw)
        show = house.open()
        async with AsyncSeatLocker.from_url(server.url) as locker:
            holds = await asyncio.gather(*[locker.acquire(show, [seat], holder="ada") for seat in SEATS[:300]])
            await asyncio.to_thread(server.kill)
            confirms = [asyncio.create_task(locker.confirm(hold)) for hold in holds]
            acquires = [asyncio.create_task(locker.acquire(show, [seat], holder="bo")) for seat in SEATS[300:]]
            await turns(20)
            await asyncio.to_thread(server.start)
            bookings = await asyncio.gather(*confirms)
            more = await asyncio.gather(*acquires)
        assert all(isinstance(booking, Booking) for booking in bookings)
        assert [booking.seats[0] for booking in bookings] == SEATS[:300]
        assert {hold.seats[0]: hold.token for hold in [*holds, *more]} == house.owners(show, SEATS)
        assert contradictions(raw, show) == []
        house.close()


async def test_a_server_that_is_down_has_changed_nothing(private_server: PrivateServer) -> None:
    server = private_server()
    with server.client() as raw:
        show = House(server.url, raw).open()
    async with AsyncSeatLocker.from_url(server.url, patience=PATIENCE) as locker:
        await locker.availability(show)
        server.kill()
        errors = await acquire_all(locker, show)
    # the first attempt goes over a connection that was open: it may have reached the server
    assert {type(error) for error in errors} <= {ServerUnavailable, OutcomeUnknown}
    assert len({id(error) for error in errors}) == 20


@pytest.mark.parametrize("verb", ["acquire", "confirm", "release"])
async def test_a_request_that_breaks_the_script_fails_alone(house: House, verb: str) -> None:
    """A lock that is no string makes the script fail for all; sent again one by one, only that request fails."""
    show = house.open()
    async with AsyncSeatLocker.from_url(house.url) as locker:
        holds = await acquire_all(locker, show, 20) if verb != "acquire" else []
        lock = f"seatlock:{{{show}}}:lock:{SEATS[7]}"
        house.raw.delete(lock)
        house.raw.rpush(lock, "no lock")
        if verb == "acquire":
            answers = await acquire_all(locker, show, 20)
        else:
            answers = await asyncio.gather(*[attempt(getattr(locker, verb)(hold)) for hold in holds])
        house.raw.delete(lock)
        assert isinstance(answers[7], ScriptFailed)
        assert [str(answer) for answer in answers if isinstance(answer, Exception)] == [str(answers[7])]
        later = await locker.acquire(show, SEATS[30:31], holder="ada")
    assert later.seats == (SEATS[30],)


async def test_a_hold_of_a_cancelled_caller_that_broke_the_script(house: House) -> None:
    """Nothing is left of neighbours that were cancelled while one of the batch broke it."""
    show = house.open()
    async with AsyncSeatLocker.from_url(house.url) as locker:
        await locker.availability(show)
        lock = f"seatlock:{{{show}}}:lock:{SEATS[7]}"
        house.raw.rpush(lock, "no lock")
        tasks = [asyncio.create_task(attempt(locker.acquire(show, [seat], holder="ada"))) for seat in SEATS[:20]]
        await turns(6)
        for task in tasks[:7]:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[7], ScriptFailed)
    assert [type(result) for result in results[:7]] == [asyncio.CancelledError] * 7
    house.raw.delete(lock)
    assert sorted(house.owners(show, SEATS)) == sorted(SEATS[8:20])


class Clumsy(redis.asyncio.Redis):
    """A client that raises what no client should, after the server has done as asked."""

    failing = 0

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        reply = await super().execute_command(*args, **options)
        if self.failing:
            self.failing -= 1
            raise LookupError("a bug of the client's")
        return reply


async def test_a_bug_of_the_client(house: House, caplog: pytest.LogCaptureFixture) -> None:
    show = house.open()
    async with Clumsy.from_url(house.url) as client:
        locker = AsyncSeatLocker(client)
        await locker.availability(show)
        client.failing = 1
        errors = await acquire_all(locker, show)
        assert [type(error) for error in errors] == [OutcomeUnknown] * 20
        assert {seat: error.token for seat, error in zip(SEATS, errors, strict=False)} == house.owners(show, SEATS)
        assert "a bug of the client's" in caplog.text
        assert not any(error.token in caplog.text for error in errors)
        again = [locker.acquire(show, error.seats, holder=f"h-{error.seats[0]}", token=error.token) for error in errors]
        assert len(await asyncio.gather(*again)) == 20
        await locker.aclose()
