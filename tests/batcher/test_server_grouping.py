"""The group commit on a real server: fewer calls, the same answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from seatlock import (
    AcquireRequest,
    AsyncSeatLocker,
    Booking,
    Hold,
    InvalidRequest,
    SeatLocker,
    SeatsUnavailable,
    ShowNotFound,
    UnsafeServer,
)
from tests.batcher.house import SEATS, House, attempt
from tests.support.cluster import Cluster
from tests.support.fixtures import PrivateServer

CHECKS = 2  # calls that find out whether the server is fit, one for each call that is in flight at first


async def test_calls_at_the_same_time_share_scripts(house: House) -> None:
    house.rehearse()
    show = house.open()
    async with AsyncSeatLocker.from_url(house.url) as locker:
        before = house.calls()
        holds = await asyncio.gather(*[locker.acquire(show, [seat], holder=f"h-{seat}") for seat in SEATS])
        assert house.calls() - before <= 3 + CHECKS  # 256 requests a call
        assert [hold.seats for hold in holds] == [(seat,) for seat in SEATS]
        assert len({hold.token for hold in holds}) == len(SEATS)
        before = house.calls()
        bookings = await asyncio.gather(*[locker.confirm(hold) for hold in holds])
        assert house.calls() - before == 3
        assert [booking.seats for booking in bookings] == [(seat,) for seat in SEATS]
        before = house.calls()
        alone = await locker.cancel(bookings[0])
        assert (dict(alone.seats), house.calls() - before) == ({SEATS[0]: "cancelled"}, 1)
    assert house.states(show) == {"sold": len(SEATS) - 1, "free": 1}


async def test_buyers_that_come_and_go_share_scripts(house: House) -> None:
    """Nobody waits for anybody, and still many requests are in a call."""
    house.rehearse()
    show = house.open()
    left = iter(SEATS)

    async def buyer(number: int) -> int:
        bought = 0
        for seat in left:
            hold = await locker.acquire(show, [seat], holder=f"buyer-{number}")
            bought += isinstance(await locker.confirm(hold), Booking)
        return bought

    async with AsyncSeatLocker.from_url(house.url) as locker:
        before = house.calls()
        bought = await asyncio.gather(*[buyer(number) for number in range(60)])
    assert sum(bought) == len(SEATS)
    assert house.calls() - before < 2 * len(SEATS) / 5
    assert house.states(show) == {"sold": len(SEATS)}


async def test_without_batching_every_request_is_a_call(house: House) -> None:
    house.rehearse()
    show = house.open()
    async with AsyncSeatLocker.from_url(house.url, batching=False) as locker:
        await locker.acquire(show, SEATS[:1], holder="ada")
        before = house.calls()
        holds = await asyncio.gather(*[locker.acquire(show, [seat], holder="bo") for seat in SEATS[1:101]])
        assert house.calls() - before == 100
        assert [hold.seats for hold in holds] == [(seat,) for seat in SEATS[1:101]]


@pytest.mark.parametrize("batching", [True, False])
async def test_a_crowd_at_the_door_of_a_locker_that_is_new(house: House, batching: bool) -> None:
    """Thousands of first calls: the server is looked at a few times only, over a few connections."""
    show = house.open()
    async with AsyncSeatLocker.from_url(house.url, batching=batching, max_connections=70) as locker:
        calls = [attempt(locker.acquire(show, [SEATS[n % 600]], holder=f"holder-{n}")) for n in range(3000)]
        answers = await asyncio.gather(*calls)
        pool = locker._client.connection_pool  # type: ignore[attr-defined]
        connections = len(pool._available_connections) + len(pool._in_use_connections)
    assert connections <= (8 if batching else 64)
    assert [type(answer) for answer in answers] == [Hold] * 600 + [SeatsUnavailable] * 2400
    assert house.states(show) == {"held": 600}


async def test_one_winner_for_one_seat(house: House) -> None:
    show = house.open()
    async with AsyncSeatLocker.from_url(house.url) as locker:
        calls = [attempt(locker.acquire(show, SEATS[:1], holder=f"holder-{n}")) for n in range(1000)]
        answers = await asyncio.gather(*calls)
    (winner,) = [answer for answer in answers if isinstance(answer, Hold)]
    assert house.owner(show, SEATS[0]) == winner.token
    for answer in answers:
        assert answer is winner or answer.conflicts[SEATS[0]].state == "held"


async def test_a_show_that_is_not_there_is_each_callers_own_error(house: House) -> None:
    show = house.open()
    async with AsyncSeatLocker.from_url(house.url) as locker:
        shows = [show if n % 2 else "nowhere" for n in range(20)]
        calls = [attempt(locker.acquire(name, [SEATS[n]], holder="ada")) for n, name in enumerate(shows)]
        answers = await asyncio.gather(*calls)
    assert [type(answer) for answer in answers] == [ShowNotFound, Hold] * 10
    assert len({id(answer) for answer in answers}) == 20


async def test_an_unfit_server_is_told_to_each_caller(private_server: PrivateServer) -> None:
    server = private_server(config={"maxmemory-policy": "allkeys-lru"})
    async with AsyncSeatLocker.from_url(server.url) as locker:
        calls = [attempt(locker.acquire("show", [seat], holder="ada")) for seat in SEATS[:5]]
        answers = await asyncio.gather(*calls)
        assert [type(answer) for answer in answers] == [UnsafeServer] * 5
        assert len({id(answer) for answer in answers}) == 5
        with pytest.raises(UnsafeServer):
            await locker.acquire_many("show", [AcquireRequest(SEATS[:1], "ada")])


async def test_many_requests_in_one_call_are_carried_out_in_order(house: House) -> None:
    """Also where they fill several calls, and while others are under way; a bad request fails alone."""
    show = house.open()
    async with AsyncSeatLocker.from_url(house.url) as locker:
        requests = [AcquireRequest([SEATS[n % 300]], f"holder-{n}") for n in range(900)]
        requests[5] = AcquireRequest([], "ada")
        several = await asyncio.gather(*[locker.acquire_many(show, requests) for _ in range(3)])
        assert [isinstance(answer, Hold) for answer in several[0][:5]] == [True] * 5
        for answers in several:
            assert isinstance(answers[5], InvalidRequest)
            for n, answer in enumerate(answers):
                if isinstance(answer, Hold):
                    assert (answer.seats, answer.holder) == (tuple(requests[n].seats), f"holder-{n}")
                    assert n < 300 or n == 305
        holds = [answer for answers in several for answer in answers if isinstance(answer, Hold)]
        assert {hold.seats[0] for hold in holds} == set(SEATS[:300])
        assert await locker.acquire_many(show, []) == []


async def test_shows_on_several_nodes_of_a_cluster(cluster: Cluster) -> None:
    shows = [f"node-{number}" for number in range(12)]
    nodes = {cluster.primary_of(f"{{{show}}}").port for show in shows}
    assert len(nodes) == 3
    with SeatLocker.from_url(cluster.url) as boss:
        for show in shows:
            boss.warm(show, SEATS[:40])
            boss.open_sale(show)
    async with AsyncSeatLocker.from_url(cluster.url) as locker:
        wanted = [(show, seat) for seat in SEATS[:40] for show in shows]
        holds = await asyncio.gather(*[locker.acquire(show, [seat], holder="ada") for show, seat in wanted])
        assert [(hold.show, *hold.seats) for hold in holds] == wanted
        bookings = await asyncio.gather(*[locker.confirm(hold) for hold in holds])
        assert [(booking.show, *booking.seats) for booking in bookings] == wanted
        for show in shows:
            assert (await locker.availability(show)).counts["sold"] == 40
            await locker.retire(show, unread="discard")


def test_a_second_event_loop_is_refused_before_anything_is_sent(house: House) -> None:
    show = house.open()
    locker = AsyncSeatLocker.from_url(house.url)
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as first:
        hold = first.run(locker.acquire(show, SEATS[:1], holder="ada"))
        before = house.calls()
        uses: list[Callable[[], object]] = [
            lambda: locker.acquire(show, SEATS[1:2], holder="ada"),
            lambda: locker.confirm(hold),
            lambda: locker.availability(show),
            lambda: locker.acquire_many(show, [AcquireRequest(SEATS[1:2], "ada")]),
            locker.aclose,
        ]
        with asyncio.Runner(loop_factory=asyncio.new_event_loop) as second:
            for use in uses:
                with pytest.raises(InvalidRequest, match="event loop"):
                    second.run(use())  # type: ignore[arg-type]
        assert house.calls() == before
        assert isinstance(first.run(locker.confirm(hold)), Booking)
        first.run(locker.aclose())
