"""One holder at a hundred tabs: pools and seats together never exceed what a holder may have."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Final

import pytest
import redis
import redis.asyncio

from seatlock import AsyncSeatLocker, Hold, HolderLimitExceeded, SeatLocker, SeatsUnavailable
from tests.races.buyers import answer
from tests.races.crowd import PROCESSES, Place, crowd
from tests.support.keyspace import contradictions
from tests.support.servers import RedisServer

TABS: Final = 25  # in each process
TAB_ROUNDS: Final = 30
LIMIT: Final = 6
FLOORS: Final = [f"floor {number}" for number in range(20)]


@pytest.fixture
def server(server_of: Callable[[str], RedisServer]) -> RedisServer:
    return server_of("redis-7")


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
