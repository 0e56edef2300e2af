"""Many processes, one pool: never more than there is, and what runs out of time comes back once."""

from __future__ import annotations

import asyncio
import itertools
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple

import pytest
import redis
import redis.asyncio

from seatlock import (
    AcquireRequest,
    AsyncSeatLocker,
    Booking,
    Hold,
    HolderLimitExceeded,
    SeatLocker,
    SeatLockError,
    SeatsUnavailable,
)
from tests.races.buyers import answer
from tests.races.crowd import PROCESSES, Place, crowd
from tests.support.keyspace import contradictions
from tests.support.servers import RedisServer
from tests.support.waiting import until

STOCK: Final = 500
BUYERS: Final = 40  # in each process
ROUNDS: Final = 12
TABS: Final = 25  # in each process
TAB_ROUNDS: Final = 30
LIMIT: Final = 6
FLOORS: Final = [f"floor {number}" for number in range(20)]


class Bought(NamedTuple):
    """What a process took home."""

    sold: dict[str, int]  # by booking
    refused: int
    most_held: int


@pytest.fixture
def server(server_of: Callable[[str], RedisServer]) -> RedisServer:
    return server_of("redis-7")


async def _buyer(locker: AsyncSeatLocker, show: str, name: str, outcome: list[Any]) -> None:
    for number in range(ROUNDS):
        quantity = 1 + (number + len(name)) % 4
        short, pays_late = number % 3 == 0, number % 6 == 3
        ttl = 0.001 if pays_late else 0.02 if short else 60.0
        try:
            hold = await locker.acquire(show, holder=f"{name}-{number}", pools={"floor": quantity}, ttl=ttl)
            if pays_late:
                outcome.append(await locker.confirm(hold, payment=name, reclaim=True))
            elif short:
                outcome.append(hold)  # walks away: it comes back by itself
            elif number % 3 == 1:
                outcome.append(await locker.release(hold))
            else:
                outcome.append(await locker.confirm(hold, payment=name))
        except SeatLockError as error:
            outcome.append(error)


def buy_from_a_pool(place: Place, socket: str, show: str) -> Bought:
    """Hold, walk away, give back, buy or pay late, as quickly as can be."""

    async def rush() -> list[Any]:
        client = redis.asyncio.Redis(unix_socket_path=socket)
        outcome: list[Any] = []
        async with AsyncSeatLocker(client) as locker:
            place.step()
            await asyncio.gather(*(_buyer(locker, show, f"{place.number}-{buyer}", outcome) for buyer in range(BUYERS)))
        await client.aclose()
        return outcome

    outcome = asyncio.run(rush())
    sold = {booking.id: booking.pools["floor"] for booking in outcome if isinstance(booking, Booking)}
    refusals = [answer for answer in outcome if isinstance(answer, SeatLockError)]
    return Bought(sold, len(refusals), sum(isinstance(answer, Hold) for answer in outcome))


def test_nobody_gets_more_of_a_pool_than_there_is(server: RedisServer) -> None:
    show = "race-pool"
    with server.unix_client() as client:
        locker = SeatLocker(client)
        locker.warm(show, pools={"floor": STOCK, "other": 5})
        locker.open_sale(show)

        bought = crowd(buy_from_a_pool, str(server.socket), show)

        sold = {booking: number for one in bought for booking, number in one.sold.items()}
        assert sum(one.refused for one in bought) > 0, "the pool was never exhausted"
        assert sum(one.most_held for one in bought) > 0, "nobody walked away"
        until(lambda: locker.availability(show).pools["floor"].held == 0, "the short holds have run out")
        counts = locker.availability(show).pools["floor"]
        assert (counts.sold, counts.free) == (sum(sold.values()), STOCK - sum(sold.values()))
        locker.sweep(show)
        assert contradictions(client, show) == []
        facts = client.xrange(f"seatlock:{{{show}}}:outbox")
        told = {fields[b"booking"].decode(): int(fields[b"pools"].split(b" ")[0]) for _, fields in facts}
        assert told == sold
        left = locker.acquire_many(show, [AcquireRequest([], f"l-{n}", pools={"floor": 1}) for n in range(STOCK)])
        assert sum(isinstance(answer, Hold) for answer in left) == counts.free, "all that was left could be had"


# One holder, a hundred tabs


def holds_and_sales(raw: dict[bytes, bytes], holder: str) -> int:
    """How many of all pools a holder has, by the hash of the pools."""
    fields = [(name.decode().split("\n"), value.decode().split("\n")) for name, value in raw.items() if value]
    held = [int(claim[1]) for name, claim in fields if name[0] == "h" and name[2] == holder]
    return sum(held) + sum(int(sale[2]) for name, sale in fields if name[0] == "s" and sale[1] == holder)


def tab_seats(number: int) -> list[str]:
    """The seats of a round, one for each tab of each process."""
    return [f"S-{number}-{process}-{tab}" for process in range(PROCESSES) for tab in range(TABS)]


def tabs_at_pools(place: Place, socket: str, show: str, *, mixed: bool) -> tuple[int, int]:
    """Twenty-five tabs of one holder want some of a pool, perhaps with a seat; some buy, and some give theirs back.

    Gives how many were had, and how many refused by the limit.
    """

    async def rush() -> tuple[int, int]:
        had = refused = 0
        draw = random.Random(place.number)
        async with redis.asyncio.Redis(unix_socket_path=socket) as client:
            locker = AsyncSeatLocker(client, batching=place.number % 2 == 0)

            async def what_it_has(number: int) -> int:
                async with client.pipeline(transaction=True) as both:
                    locks = [f"seatlock:{{{show}}}:lock:{seat}" for seat in tab_seats(number)]
                    raw, owners = await both.hgetall(f"seatlock:{{{show}}}:pools").mget(locks).execute()
                return holds_and_sales(raw, f"ada-{number}") + sum(owner is not None for owner in owners)

            async def tab(number: int, name: int, floor: str, quantity: int) -> None:
                nonlocal had, refused
                seats = [f"S-{number}-{place.number}-{name}"] if mixed and name % 3 else []
                request = locker.acquire(show, seats, holder=f"ada-{number}", pools={floor: quantity})
                got = await answer(request)
                if isinstance(got, HolderLimitExceeded):
                    refused += 1
                    assert (got.limit, got.category, got.pool) == (LIMIT, None, None)
                    assert got.held <= LIMIT < got.held + len(seats) + quantity
                elif isinstance(got, SeatsUnavailable):
                    assert got.pools[floor].yours  # another tab was first
                else:
                    assert isinstance(got, Hold), got
                    had += 1
                    assert await what_it_has(number) <= LIMIT
                    if draw.random() < 0.4:
                        await answer(locker.confirm(got))
                    elif number % 2:
                        await locker.release(got)

            for number in range(TAB_ROUNDS):
                place.step()
                wants = [(draw.choice(FLOORS), draw.choice((1, 1, 2))) for _ in range(TABS)]
                await asyncio.gather(*(tab(number, name, *want) for name, want in enumerate(wants)))
        return had, refused

    return asyncio.run(rush())


@pytest.mark.parametrize("mixed", [False, True], ids=["pools-alone", "with-seats"])
def test_a_hundred_tabs_at_pools_never_exceed_the_limit_by_one(server: RedisServer, mixed: bool) -> None:
    show = f"race-tabs-at-pools-{mixed}"
    seats = [seat for number in range(TAB_ROUNDS) for seat in tab_seats(number)] if mixed else []
    with server.unix_client() as client:
        locker = SeatLocker(client)
        locker.warm(show, seats, limit=LIMIT, pools=dict.fromkeys(FLOORS, 1000))
        locker.open_sale(show)

        results = crowd(tabs_at_pools, str(server.socket), show, mixed=mixed)

        assert sum(had for had, _ in results) > TAB_ROUNDS * 2
        assert all(refused > TAB_ROUNDS for _, refused in results), "the tabs did not really race"
        raw = client.hgetall(f"seatlock:{{{show}}}:pools")
        has = [holds_and_sales(raw, f"ada-{number}") for number in range(TAB_ROUNDS)]
        for number in range(TAB_ROUNDS):
            locks = client.mget([f"seatlock:{{{show}}}:lock:{seat}" for seat in tab_seats(number)])
            has[number] += sum(lock is not None for lock in locks)
        assert max(has) == LIMIT
        assert contradictions(client, show) == []


def test_a_check_during_the_rush_raises_no_alarm(server: RedisServer) -> None:
    show = "race-check"
    over = threading.Event()

    def sell(name: str) -> int:
        with server.unix_client() as client:
            locker = SeatLocker(client)
            for number in itertools.count():
                hold = locker.acquire(show, pools={"floor": 2}, holder=f"{name}-{number}")
                if number % 3:
                    locker.release(hold)
                else:
                    locker.cancel(locker.confirm(hold))
                locker.force_release(show, pools=["floor"], holder=f"e-{number}", by="eve", reason="a race")
                locker.acquire(show, pools={"floor": 1}, holder=f"e-{number}")
                if over.is_set():
                    return number
        return 0

    with server.unix_client() as client, ThreadPoolExecutor(2) as executor:
        locker = SeatLocker(client)
        locker.warm(show, pools={"floor": 10_000, "other": 5})
        locker.open_sale(show)
        early = [AcquireRequest([], f"e-{n}", pools={"floor": 3}) for n in range(STOCK)]
        locker.acquire_many(show, early)
        sales = [executor.submit(sell, name) for name in ("bo", "cy")]
        try:
            found = [locker.check(show) for _ in range(5)]
        finally:
            over.set()
        assert all(sale.result() > 0 for sale in sales)
        assert len({checked.version for checked in found}) == len(found), "it was not sold meanwhile"
        assert [checked for checked in found if not checked.sound] == []
        assert all(checked.unsettled in ((), ("floor",)) for checked in found)
        rested = locker.check(show)
        assert (rested.sound, rested.unsettled, rested.pools["floor"].capacity) == (True, (), 10_000)
