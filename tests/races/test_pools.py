"""Many processes, one pool: never more than there is, and what runs out of time comes back once."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple

import pytest
import redis
import redis.asyncio

from seatlock import AcquireRequest, AsyncSeatLocker, Booking, Hold, SeatLocker, SeatLockError
from tests.races.crowd import Place, crowd
from tests.support.keyspace import contradictions
from tests.support.servers import RedisServer
from tests.support.waiting import until

STOCK: Final = 500
BUYERS: Final = 40  # in each process
ROUNDS: Final = 12


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
