from __future__ import annotations

import asyncio
import time

import pytest

from seatlock.simulation.floor import Floor, SaleOver
from seatlock.simulation.tally import Tally


async def test_no_more_than_there_is_room_for_are_in_flight_at_once() -> None:
    tally = Tally()
    now = most = 0

    async def shop(floor: Floor, number: int) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1
        await floor.stay_away(0.001)
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1

    await Floor(3, tally).serve(shop, 50, 30.0)
    assert (tally.started, tally.done, most) == (50, 50, 3)


async def test_who_is_away_makes_room_for_others() -> None:
    tally = Tally()
    order: list[str] = []

    async def shop(floor: Floor, number: int) -> None:
        order.append(f"{number} comes")
        if number == 0:
            await floor.stay_away(0.05)
            order.append("0 is back")

    await Floor(1, tally).serve(shop, 3, 30.0)
    assert order == ["0 comes", "1 comes", "2 comes", "0 is back"]


async def test_the_time_limit_sends_home_whoever_is_away_and_lets_the_others_finish() -> None:
    tally = Tally()
    finished: list[int] = []

    async def shop(floor: Floor, number: int) -> None:
        if number == 0:
            await asyncio.sleep(0.3)  # a request on the way
            finished.append(number)
            with pytest.raises(SaleOver):
                await floor.stay_away(0.0)
            raise SaleOver
        await floor.stay_away(60.0)

    start = time.monotonic()
    floor = Floor(2, tally)
    await floor.serve(shop, 1000, 0.1)
    assert time.monotonic() - start < 10
    assert floor.closed
    assert finished == [0]
    assert tally.done == 0
    assert 1 < tally.started <= 1000


async def test_an_error_of_a_buyer_ends_the_sale_and_is_raised() -> None:
    tally = Tally()

    async def shop(floor: Floor, number: int) -> None:
        if number == 5:
            raise LookupError("nobody can do anything about it")
        await floor.stay_away(60.0)

    start = time.monotonic()
    with pytest.raises(LookupError, match="nobody can do"):
        await Floor(2, tally).serve(shop, 1000, 30.0)
    assert time.monotonic() - start < 10
    assert tally.started < 1000


async def test_cancelling_takes_everybody_along() -> None:
    all_in = asyncio.Event()

    async def shop(floor: Floor, number: int) -> None:
        if number == 5:
            all_in.set()
        if number % 2:
            await floor.stay_away(60.0)
        await asyncio.sleep(60.0)

    serving = asyncio.create_task(Floor(4, Tally()).serve(shop, 100, 30.0))
    await all_in.wait()
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert asyncio.all_tasks() == {asyncio.current_task()}
