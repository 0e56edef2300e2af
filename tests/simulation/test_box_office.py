from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import redis.asyncio

from seatlock import AsyncSeatLocker, Hold, SaleNotOpen, new_token
from seatlock._connect import async_client
from seatlock.simulation.box_office import SURELY, BoxOffice, Held
from seatlock.simulation.house import POOL
from seatlock.simulation.tally import Tally
from tests.support.ports import free_port
from tests.support.proxy import ReplyProxy
from tests.support.servers import RedisServer


class Office:
    """A box office of a show with three seats, and the locker behind it."""

    def __init__(self, client: Any, *, hold: float = 60.0, patience: float = 5.0) -> None:
        self.show = f"office-{new_token()}"
        self.locker = AsyncSeatLocker(client, patience=patience)
        self.tally = Tally()
        self.office = BoxOffice(self.locker, self.show, hold, self.tally)

    async def open(self) -> BoxOffice:
        await self.locker.warm(self.show, ["A", "B", "C"], pools={POOL: 5})
        await self.locker.open_sale(self.show)
        return self.office

    async def take_away(self, held: Held) -> None:
        await self.locker.release(held.hold)


@pytest.fixture
async def desk(client: redis.asyncio.Redis) -> Office:
    made = Office(client)
    await made.open()
    return made


async def held_by(desk: Office, buyer: str, *seats: str) -> Held:
    held = await desk.office.acquire(buyer, seats)
    assert held is not None
    return held


async def test_a_hold_a_refusal_and_a_booking(desk: Office) -> None:
    held = await held_by(desk, "Ada", "A")
    assert await desk.office.acquire("Bob", ("A", "B")) is None
    booking = await desk.office.confirm(held, "paid")
    assert booking is not None
    tally = desk.tally
    assert (tally.holds, tally.refusals, list(tally.fences)) == (1, 1, [held.hold.fence])
    assert [(receipt.hold, receipt.payment, receipt.booking) for receipt in tally.receipts] == [
        (held.hold, "paid", booking)
    ]
    assert tally.operations == 3


async def test_what_another_tab_holds_is_not_counted_again(desk: Office) -> None:
    await held_by(desk, "Ada", "A")
    assert await desk.office.acquire("Ada", ("A",)) is None
    assert (desk.tally.holds, desk.tally.elsewhere, len(desk.tally.fences)) == (1, 1, 1)


async def test_until_when_seats_surely_were_their_holders(desk: Office) -> None:
    left, released, bought = (
        await held_by(desk, "Ada", "A"),
        await held_by(desk, "Bob", "B"),
        await held_by(desk, "C", "C"),
    )
    await desk.office.release(released)
    await desk.office.confirm(bought, "paid")
    stays = [desk.tally.stays[held.hold.token] for held in (left, released, bought)]
    assert [(stay.holder, stay.seats) for stay in stays] == [("Ada", 1), ("Bob", 1), ("C", 1)]
    assert stays[0].end == left.hold.deadline
    assert stays[0].start == left.hold.deadline - 60_000
    assert stays[1].end is not None
    assert stays[1].start <= stays[1].end < released.hold.deadline
    assert stays[2].end is None


async def test_the_best_seats_and_none_left(desk: Office) -> None:
    held = await desk.office.acquire_best("Ada", 2)
    assert held is not None
    assert [(best.holder, best.count, best.seats) for best in desk.tally.bests] == [("Ada", 2, held.hold.seats)]
    assert await desk.office.acquire_best("Bob", 2) is None
    assert (desk.tally.none_left, desk.tally.refusals, desk.tally.holds) == ([2], 1, 1)


async def test_a_refreshed_page_gives_the_hold_back(desk: Office) -> None:
    held = await held_by(desk, "Ada", "A", "B")
    assert await desk.office.refresh("Ada", held) == held
    assert (desk.tally.resumed, desk.tally.not_resumed, desk.tally.holds) == (1, 0, 1)


async def test_a_refreshed_page_that_lost_its_hold_is_counted(desk: Office) -> None:
    held = await held_by(desk, "Ada", "A")
    await desk.take_away(held)
    again = await desk.office.refresh("Ada", held)
    assert again is not None
    assert again.hold.token != held.hold.token
    assert (desk.tally.resumed, desk.tally.not_resumed, desk.tally.ran_out, desk.tally.holds) == (0, 1, 1, 2)

    await desk.take_away(again)
    await held_by(desk, "Bob", "A")
    assert await desk.office.refresh("Ada", again) is None
    assert (desk.tally.not_resumed, desk.tally.refusals) == (2, 1)


async def test_holds_that_are_gone_before_their_time_are_counted(desk: Office) -> None:
    held = await held_by(desk, "Ada", "A")
    await desk.take_away(held)
    assert await desk.office.confirm(held, "paid") is None
    assert (desk.tally.too_late, desk.tally.lost_early) == (1, 1)
    await desk.office.release(held)
    assert (desk.tally.released, desk.tally.ran_out, desk.tally.lost_early) == (0, 1, 2)


async def test_holds_that_ran_out_are_no_fault(client: redis.asyncio.Redis) -> None:
    desk = Office(client, hold=0.05)
    await desk.open()
    held = await held_by(desk, "Ada", "A")
    for _ in range(100_000):
        if (await desk.locker.inspect(desk.show, ["A"]))[0].state == "free":
            break
    assert await desk.office.confirm(held, "paid") is None
    await desk.office.release(held)
    assert await desk.office.refresh("Ada", held) is not None
    assert (desk.tally.too_late, desk.tally.lost_early, desk.tally.not_resumed) == (1, 0, 0)


async def test_who_had_how_many_of_a_pool_and_until_when(desk: Office) -> None:
    holds: list[Held] = []
    for buyer, seats, quantity in (("Ada", ("A",), 1), ("Bob", (), 2), ("Cy", (), 1)):
        held = await desk.office.acquire(buyer, seats, {POOL: quantity})
        assert held is not None
        holds.append(held)
    left, released, bought = holds
    await desk.office.release(released)
    await desk.office.confirm(bought, "paid")
    claims = [desk.tally.claims[held.hold.token] for held in holds]
    assert [(claim.holder, claim.pool, claim.quantity) for claim in claims] == [
        ("Ada", POOL, 1),
        ("Bob", POOL, 2),
        ("Cy", POOL, 1),
    ]
    assert [claim.asked for claim in claims] == [held.since for held in holds]
    assert claims[0].gone == left.had + left.hold.ttl / SURELY
    assert released.had < claims[1].gone < released.had + released.hold.ttl
    assert claims[2].gone == math.inf
    assert [claim.end for claim in claims] == [
        left.hold.deadline,
        desk.tally.stays[released.hold.token].end,
        None,
    ]
    assert desk.tally.released == 1


async def test_what_was_told_of_a_pool_is_written_down(desk: Office) -> None:
    held = await desk.office.acquire("Ada", (), {POOL: 4})
    assert held is not None
    assert await desk.office.acquire("Bob", ("A",), {POOL: 2}) is None
    (told,) = desk.tally.told
    assert (told.holder, told.pool, told.quantity, told.left) == ("Bob", POOL, 2, 1)
    assert held.had <= told.asked < told.answered
    assert await desk.office.acquire("Ada", (), {POOL: 5}) is None  # her own stand in the way: no word of sold out
    await held_by(desk, "Cy", "B")
    assert await desk.office.acquire("Bob", ("B",), {POOL: 1}) is None  # for want of the seat
    assert (len(desk.tally.told), desk.tally.refusals) == (1, 3)


async def test_a_refreshed_page_gives_a_claim_back(desk: Office) -> None:
    held = await desk.office.acquire("Ada", ("A",), {POOL: 2})
    assert held is not None
    assert await desk.office.refresh("Ada", held) == held
    assert (desk.tally.resumed, desk.tally.holds, len(desk.tally.claims)) == (1, 1, 1)


async def test_a_lost_reply_is_asked_for_again(
    server_of: Callable[[str], RedisServer], proxy_to: Callable[[RedisServer], ReplyProxy]
) -> None:
    """The locker gives up after one attempt here, so that it is the box office that asks again."""
    proxy = proxy_to(server_of("redis-7"))
    client, _ = async_client(proxy.url, {})
    desk = Office(client, patience=0.001)
    await AsyncSeatLocker(client).warm(desk.show, ["A"])
    await desk.locker.open_sale(desk.show)
    for answered in range(3):
        lost = proxy.lose_reply("EVALSHA", "EVAL", times=answered)
        held = await held_by(desk, "Ada", "A")
        assert lost.fired == answered
        await desk.take_away(held)
    lost = proxy.lose_reply("EVALSHA", "EVAL")
    held = await held_by(desk, "Ada", "A")
    assert lost.fired == 1
    lost = proxy.lose_reply("EVALSHA", "EVAL")
    assert await desk.office.confirm(held, "paid") is not None
    assert lost.fired == 1
    assert (desk.tally.holds, len(desk.tally.receipts), desk.tally.unanswered) == (4, 1, 0)
    await client.aclose()


async def test_what_stays_unanswered_is_counted() -> None:
    nobody, _ = async_client(f"redis://127.0.0.1:{free_port()}", {})
    desk = Office(nobody, patience=0.001)
    assert await desk.office.acquire("Ada", ("A",)) is None
    held = Held(Hold(desk.show, ("A",), "Ada", new_token(), 1, 60.0), 0.0, 0.0)
    assert await desk.office.confirm(held, "paid") is None
    await desk.office.release(held)
    assert desk.tally.unanswered == 3
    assert [(doubt.hold, doubt.payment) for doubt in desk.tally.doubts] == [(held.hold, "paid")]
    assert (desk.tally.holds, desk.tally.receipts) == (0, [])
    await nobody.aclose()


async def test_what_no_buyer_can_help_is_raised(desk: Office) -> None:
    await desk.locker.close_sale(desk.show)
    with pytest.raises(SaleNotOpen):
        await desk.office.acquire("Ada", ("A",))
