"""Whole simulations, small ones."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import redis.asyncio

from seatlock import AsyncSeatLocker, Seat, SeatingPlan, ShowInUse, ShowNotFound
from seatlock.embedded import EmbeddedRedis
from seatlock.errors import InvalidRequest
from seatlock.simulation import Settings, Simulation
from tests.simulation.sales import failed
from tests.support.cluster import Cluster
from tests.support.need import need

# Holds long enough for a busy machine to pay in time, short enough not to wait for.
CROWD = Settings(buyers=150, workers=40, seed=4, hold=0.4)


async def test_a_crowd(client: redis.asyncio.Redis, house: SeatingPlan) -> None:
    simulation = Simulation.of_crowd(client, house, CROWD)
    assert simulation.progress().phase == "warming"
    report = await simulation.run()
    assert failed(report) == []
    assert report.ok
    assert report.absent == 0
    assert report.holds == report.bookings + report.abandoned + report.too_late
    assert report.holds >= report.bookings > 0
    assert report.refusals > report.holds
    assert report.abandoned > report.released > 0
    assert report.resumed > 0
    assert report.came_back > 0
    assert report.acquire.calls == report.holds + report.refusals + report.resumed
    assert report.confirm.calls == report.bookings + report.too_late
    assert 0 < report.acquire.p50 <= report.acquire.p99
    assert report.seats_sold <= len(house)
    assert (report.show, report.plan, report.seats) == (simulation.show, "House", 24)
    now = simulation.progress()
    assert (now.phase, now.warmed, now.done, now.sold, now.held) == ("over", 24, 150, report.seats_sold, 0)
    assert now.free == 24 - report.seats_sold
    assert now.seconds == report.seconds
    await simulation.retire()
    with pytest.raises(ShowNotFound):
        await AsyncSeatLocker(client).availability(simulation.show)
    assert [key async for key in client.scan_iter(f"*{simulation.show}*")] == []


async def test_progress_while_it_runs(client: redis.asyncio.Redis, house: SeatingPlan) -> None:
    simulation = Simulation.of_crowd(client, house, CROWD)
    run = asyncio.create_task(simulation.run())
    phases: dict[str, None] = {}
    done: list[int] = []
    while not run.done():
        now = simulation.progress()
        phases[now.phase] = None
        done.append(now.done)
        await asyncio.wait([run], timeout=0.005)
    await run
    assert "selling" in phases
    assert done == sorted(done)
    assert len(set(done)) > 3


async def test_everybody_pays_and_everybody_walks_away(client: redis.asyncio.Redis, house: SeatingPlan) -> None:
    settings = Settings(buyers=100, workers=20, seed=1, hold=1.0, abandon=0.0)
    report = await Simulation.of_crowd(client, house, settings).run()
    assert failed(report) == []
    assert report.abandoned == 0
    assert report.seats_sold > 12

    settings = Settings(buyers=100, workers=20, seed=1, hold=0.2, abandon=1.0)
    report = await Simulation.of_crowd(client, house, settings).run()
    assert failed(report) == []
    assert (report.bookings, report.seats_sold) == (0, 0)
    assert report.abandoned > 10


async def test_seats_that_were_sold_or_blocked_before_stay_so(client: redis.asyncio.Redis) -> None:
    plan = SeatingPlan.of(
        [Seat("sold", status="sold"), Seat("blocked", status="blocked"), *(Seat(f"A{n}") for n in range(4))]
    )
    simulation = Simulation.of_crowd(client, plan, Settings(buyers=30, workers=10, hold=0.3, abandon=0.0))
    report = await simulation.run()
    assert failed(report) == []
    assert report.seats_sold == 4
    states = (await AsyncSeatLocker(client).availability(simulation.show)).seats
    assert (states["sold"], states["blocked"]) == ("sold", "blocked")


@pytest.mark.parametrize(("tickets", "users", "workers"), [(50, 55, 10), (7, 5, 10), (1, 30, 30), (40, 41, 1)])
async def test_tickets(client: redis.asyncio.Redis, tickets: int, users: int, workers: int) -> None:
    settings = Settings(buyers=users, workers=workers, seed=3, hold=10.0, abandon=0.0)
    report = await Simulation.of_tickets(client, tickets, settings).run()
    assert failed(report) == []
    assert report.bookings == min(tickets, users)
    assert report.absent == 0


async def test_the_time_limit_ends_the_sale(client: redis.asyncio.Redis, house: SeatingPlan) -> None:
    settings = Settings(buyers=1_000_000, workers=20, seed=1, hold=0.3, time_limit=0.5)
    report = await Simulation.of_crowd(client, house, settings).run()
    assert failed(report) == []
    assert 0 < report.absent < 1_000_000
    assert 0.5 <= report.seconds < 10


@pytest.mark.parametrize("stock", [0, 12])
async def test_on_a_cluster(cluster: Cluster, house: SeatingPlan, stock: int) -> None:
    client = cluster.async_client()
    try:
        settings = msgspec.structs.replace(CROWD, stock=stock)
        simulation = Simulation.of_crowd(client, house, settings, namespace="rehearsal")
        report = await simulation.run()
        assert failed(report) == []
        assert report.bookings > 0
        assert bool(report.stock_sold) == bool(stock)
        await simulation.retire()
    finally:
        await client.aclose()


@pytest.fixture(scope="module")
def fake() -> Iterator[EmbeddedRedis]:
    try:
        server = EmbeddedRedis.start("fakeredis")
    except Exception as error:  # noqa: BLE001 - whatever is missing
        need("fakeredis", f"{error}; run: pip install 'fakeredis[lua]'")
    with server:
        yield server


async def test_on_fakeredis(fake: EmbeddedRedis) -> None:
    client = fake.async_client()
    settings = Settings(buyers=8, workers=4, hold=10.0, abandon=0.0)
    for simulation in (
        Simulation.of_tickets(client, 5, settings),
        Simulation.of_pool(client, msgspec.structs.replace(settings, stock=5)),
    ):
        report = await simulation.run()
        assert failed(report) == []
        assert report.bookings == 5
    await client.aclose()


async def test_a_show_that_goes_away_ends_the_sale(client: redis.asyncio.Redis, house: SeatingPlan) -> None:
    any_client: Any = client
    for simulation in (
        Simulation.of_crowd(client, house, Settings(buyers=100_000, workers=5, hold=0.3)),
        Simulation.of_tickets(client, 10_000, Settings(buyers=100_000, workers=5, hold=0.3, abandon=0.0)),
        Simulation.of_pool(client, Settings(buyers=100_000, workers=5, hold=0.3, abandon=0.0, stock=10_000)),
    ):
        run = asyncio.create_task(simulation.run())
        while simulation.progress().done < 10:
            await asyncio.wait([run], timeout=0.01)
        await any_client.delete(f"seatlock:{{{simulation.show}}}:meta")
        with pytest.raises(ShowNotFound):
            await asyncio.wait_for(run, 20)
        assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_cancelling_leaves_no_task_behind(client: redis.asyncio.Redis, house: SeatingPlan) -> None:
    simulation = Simulation.of_crowd(client, house, Settings(buyers=100_000, workers=20, hold=0.3))
    run = asyncio.create_task(simulation.run())
    while simulation.progress().done < 50:
        await asyncio.wait([run], timeout=0.01)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_show_with_holds_cannot_be_retired(client: redis.asyncio.Redis, house: SeatingPlan) -> None:
    simulation = Simulation.of_crowd(client, house, Settings(buyers=1, hold=0.3))
    locker = AsyncSeatLocker(client)
    await simulation.run()
    await locker.open_sale(simulation.show)
    seats = (await locker.availability(simulation.show)).free
    hold = await locker.acquire(simulation.show, seats[:1], holder="somebody")
    with pytest.raises(ShowInUse):
        await simulation.retire()
    await locker.release(hold)
    await simulation.retire()


@pytest.mark.parametrize(
    "bad",
    [
        {"buyers": 0},
        {"buyers": 2.5},
        {"buyers": True},
        {"workers": 0},
        {"workers": 10_001},
        {"seed": -1},
        {"hold": 0.0},
        {"hold": 61.0},
        {"hold": float("nan")},
        {"time_limit": 0.0},
        {"abandon": 1.1},
        {"abandon": float("nan")},
        {"abandon": "0.7"},
    ],
)
def test_settings_are_checked(bad: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        Settings(**{"buyers": 5, **bad})
