"""Sales out of a pool: honest ones pass, and every proof fails when Redis, a receipt or a notebook is tampered with."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, cast

import msgspec
import pytest
import redis.asyncio

from seatlock import AsyncSeatLocker, PoolConflict, SeatingPlan, SeatsUnavailable, ShowNotFound, new_token
from seatlock.errors import InvalidRequest
from seatlock.simulation import Settings, Simulation
from seatlock.simulation.box_office import BoxOffice, Held
from seatlock.simulation.house import POOL
from seatlock.simulation.pool_proofs import _Spare
from seatlock.simulation.proofs import Evidence, Proof, prove
from seatlock.simulation.raw import read_show
from seatlock.simulation.tally import Claim, Receipt, Tally, Told, Unanswered
from tests.simulation.sales import failed

BEYOND = "sold beyond the stock"
IN_HANDS = "in hands beyond the stock"
SUM = "free + sold = stock"
CONFIRMED = "confirmed = sold of the stock"
LOST = "bookings of the stock lost"
OUTBOX = "stock sold without an outbox entry"
BACK = "abandoned claims not back once"
SOLD_OUT = "told sold out, wrongly"
HOLDS = "holds left at the end"
RECEIPTS = "receipts, locks and outbox disagree"
OF_POOLS = (BEYOND, IN_HANDS, SUM, CONFIRMED, LOST, OUTBOX, BACK, SOLD_OUT)
OF_ALL = (
    HOLDS,
    RECEIPTS,
    "fences given twice",
    "holds lost before their time",
    "refreshed holds not resumed",
    "requests without an answer",
)


class Door:
    """A sale out of a pool of ten: Ada has 2, Bob has 3, Cy gave 4 back after Dan had been refused 2; 5 are free."""

    def __init__(self, client: redis.asyncio.Redis) -> None:
        self.client: Any = client
        self.locker = AsyncSeatLocker(client)
        self.show = f"door-{new_token()}"
        self.base = f"seatlock:{{{self.show}}}:"
        self.pools = f"{self.base}pools"
        self.outbox = f"{self.base}outbox"
        self.tally = Tally()
        self.office = BoxOffice(self.locker, self.show, 60.0, self.tally)
        self.more: dict[str, Any] = {}

    async def hold(self, buyer: str, quantity: int) -> Held:
        held = await self.office.acquire(buyer, (), {POOL: quantity})
        assert held is not None
        return held

    async def sell(self) -> None:
        await self.locker.warm(self.show, pools={POOL: 10})
        await self.locker.open_sale(self.show)
        for buyer, quantity in (("Ada", 2), ("Bob", 3)):
            assert await self.office.confirm(await self.hold(buyer, quantity), f"{buyer} pays")
        held = await self.hold("Cy", 4)
        assert await self.office.acquire("Dan", (), {POOL: 2}) is None
        await self.office.release(held)

    async def proofs(self) -> Mapping[str, Proof]:
        raw = await read_show(self.client, "seatlock", self.show)
        evidence = {
            "doubts": self.tally.doubts,
            "fences": self.tally.fences,
            "stock": {POOL: 10},
            "claims": self.tally.claims,
            "told": self.tally.told,
            **self.more,
        }
        plan = SeatingPlan.of((), needs_seats=False)
        return {proof.name: proof for proof in prove(Evidence(plan, self.tally.receipts, raw, **evidence))}

    async def failed(self) -> set[str]:
        return {name for name, proof in (await self.proofs()).items() if not proof.ok}

    async def sale_of(self, buyer: str) -> tuple[str, list[str]]:
        """The field of a buyer's sale, and its parts."""
        for field, value in (await self.client.hgetall(self.pools)).items():
            parts = value.decode().split("\n")
            if field.startswith(b"s\n") and parts[1] == buyer:
                return field.decode(), parts
        raise AssertionError(buyer)

    async def change_sale(self, buyer: str, part: int, value: str) -> None:
        field, parts = await self.sale_of(buyer)
        parts[part] = value
        await self.client.hset(self.pools, field, "\n".join(parts))

    async def change_entry(self, **changes: str | None) -> None:
        """Put Bob's entry in the outbox in again, altered."""
        entry_id, entry = (await self.client.xrange(self.outbox))[1]
        await self.client.xdel(self.outbox, entry_id)
        fields = {**{name.decode(): value.decode() for name, value in entry.items()}, **changes}
        await self.client.xadd(self.outbox, {name: value for name, value in fields.items() if value is not None})


@pytest.fixture
async def door(client: redis.asyncio.Redis) -> Door:
    made = Door(client)
    await made.sell()
    return made


async def test_an_honest_sale_passes(door: Door) -> None:
    proofs = await door.proofs()
    assert tuple(proofs) == OF_POOLS + OF_ALL
    assert await door.failed() == set()
    assert re.fullmatch(r"0, at most [59] of 10 at once", proofs[IN_HANDS].figures)  # Cy's were held for how long?
    assert {name: proofs[name].figures for name in OF_POOLS if name != IN_HANDS} == {
        BEYOND: "0 by receipts, 0 by raw keys",
        SUM: "5 free + 5 sold = 10",
        CONFIRMED: "5 = 5",
        LOST: "0 by receipts, 0 by raw keys",
        OUTBOX: "0",
        BACK: "0 of 1",
        SOLD_OUT: "0 of 1 told",
    }


async def test_more_sold_than_there_are_in_redis(door: Door) -> None:
    await door.change_sale("Bob", 2, "9")
    assert await door.failed() == {BEYOND, SUM, CONFIRMED, LOST, OUTBOX}
    assert (await door.proofs())[BEYOND].offenders == (f"{POOL}: the sales add up to 11 of 10",)
    await door.client.hset(door.pools, f"c\n{POOL}", "10 0 12")
    await door.change_entry(pools=f"11 {POOL}")
    assert (await door.proofs())[BEYOND].figures == "0 by receipts, 3 by raw keys"


async def test_more_sold_than_there_are_on_paper(door: Door) -> None:
    bob = door.tally.receipts[1]
    hold = msgspec.structs.replace(bob.hold, pools={POOL: 9}, token=new_token(), holder="Eve")
    booking = msgspec.structs.replace(bob.booking, id="bk-eve", pools={POOL: 9}, holder="Eve")
    door.tally.receipts.append(Receipt(hold, "Eve pays", booking))
    assert {BEYOND, CONFIRMED, LOST, RECEIPTS} <= await door.failed()
    assert (await door.proofs())[BEYOND].offenders == (f"{POOL}: there are receipts for 14 of 10",)
    assert (await door.proofs())[LOST].offenders == (f"{POOL}: Eve has a receipt for 9, there is no such sale",)


async def test_more_in_hands_at_once_than_there_are(door: Door) -> None:
    ada = door.tally.claims[door.tally.receipts[0].hold.token]
    door.tally.claims["eve"] = Claim("Eve", POOL, 10, ada.start, None, ada.asked, math.inf)
    assert IN_HANDS in await door.failed()
    (offender,) = (await door.proofs())[IN_HANDS].offenders
    assert re.fullmatch(rf"{POOL}: 1[59] of 10 were in hands at once", offender)
    door.tally.claims["eve"].end = ada.start  # she gave them back before anybody had any
    assert IN_HANDS not in await door.failed()


@pytest.mark.parametrize(
    ("counts", "too"),
    [("10 0 4", {BACK}), ("10 1 5", {BACK}), ("9 0 5", {BACK}), ("11 0 5", {BACK}), ("11 1 5", set())],
)
async def test_counts_that_are_not_what_lies_there(door: Door, counts: str, too: set[str]) -> None:
    await door.client.hset(door.pools, f"c\n{POOL}", counts)
    assert await door.failed() == {SUM} | too


@pytest.mark.parametrize("field", [f"c\n{POOL}", f"t\n{POOL}", f"x\n{POOL}\nEve", f"h\n{POOL}\nEve", f"s\n{POOL}\n1"])
async def test_fields_that_are_not_as_documented(door: Door, field: str) -> None:
    await door.client.hset(door.pools, field, "rubbish")
    assert SUM in await door.failed()
    assert "not as it should be" in " ".join((await door.proofs())[SUM].offenders)


async def test_a_pool_that_nobody_warmed(door: Door) -> None:
    await door.client.hset(door.pools, "c\nbalcony", "5 0 0")
    assert await door.failed() == {SUM}
    assert (await door.proofs())[SUM].offenders == ("balcony: nobody warmed it",)


async def test_a_pool_that_is_gone(door: Door) -> None:
    await door.client.delete(door.pools)
    assert await door.failed() == {SUM, CONFIRMED, LOST, OUTBOX, BACK}


async def test_a_sale_deleted(door: Door) -> None:
    field, parts = await door.sale_of("Bob")
    await door.client.hdel(door.pools, field)
    assert await door.failed() == {SUM, CONFIRMED, LOST, OUTBOX}
    await door.client.hdel(door.pools, f"t\n{POOL}\n{parts[0]}\nBob")
    await door.client.hset(door.pools, f"c\n{POOL}", "10 0 2")
    assert await door.failed() == {CONFIRMED, LOST, OUTBOX, BACK}
    proofs = await door.proofs()
    assert proofs[LOST].offenders == (f"{POOL}: Bob has a receipt for 3, there is no such sale",)
    assert proofs[BACK].offenders == (f"{POOL}: 8 are free, where 10 less 5 bought should be",)


@pytest.mark.parametrize("part", [0, 1, 2, 4, 5])
async def test_a_sale_altered(door: Door, part: int) -> None:
    await door.change_sale("Bob", part, "4")
    assert LOST in await door.failed()


async def test_a_sale_without_an_owner(door: Door) -> None:
    _, parts = await door.sale_of("Bob")
    await door.client.hdel(door.pools, f"t\n{POOL}\n{parts[0]}\nBob")
    assert await door.failed() == {SUM}


async def test_a_sale_that_nobody_has_a_receipt_for(door: Door) -> None:
    held = await door.hold("Eve", 2)
    await door.locker.confirm(held.hold, payment="Eve pays")
    assert await door.failed() == {CONFIRMED, LOST, RECEIPTS, BACK}
    door.tally.doubts.append(Unanswered(held.hold, "Eve pays"))  # she got no answer, and may have them
    assert await door.failed() == set()
    assert (await door.proofs())[CONFIRMED].figures == "5 = 5 (and 2 in doubt)"


async def test_one_sale_and_two_receipts(door: Door) -> None:
    door.tally.receipts.append(door.tally.receipts[0])
    assert await door.failed() == {CONFIRMED, LOST, BACK}
    assert f"{POOL}: 2 receipts for one sale" in (await door.proofs())[LOST].offenders


@pytest.mark.parametrize(
    "changes",
    [
        {"pools": f"4 {POOL}"},
        {"pools": f"x {POOL}"},
        {"pools": "3 balcony"},
        {"pools": None},
        {"kind": "cancelled"},
        {"booking": "bk-eve"},
        {"holder": "Eve"},
        {"payment": "nothing"},
        {"fence": "77"},
    ],
)
async def test_an_outbox_entry_altered(door: Door, changes: dict[str, str | None]) -> None:
    await door.change_entry(**changes)
    assert {OUTBOX, RECEIPTS} <= await door.failed()


async def test_an_outbox_entry_deleted_or_doubled(door: Door) -> None:
    _, (_, entry) = await door.client.xrange(door.outbox)
    await door.client.xadd(door.outbox, entry)
    assert await door.failed() == {OUTBOX, RECEIPTS}
    for each, _ in (await door.client.xrange(door.outbox))[1:]:
        await door.client.xdel(door.outbox, each)
    assert await door.failed() == {OUTBOX, RECEIPTS}


async def test_a_receipt_that_is_not_what_was_paid_for(door: Door) -> None:
    bob = door.tally.receipts[1]
    booking = msgspec.structs.replace(bob.booking, pools={POOL: 2})
    door.tally.receipts[1] = msgspec.structs.replace(bob, booking=booking)
    assert {CONFIRMED, RECEIPTS, BACK} <= await door.failed()


async def test_a_claim_left(door: Door) -> None:
    await door.hold("Eve", 2)
    assert await door.failed() == {HOLDS, BACK}
    proofs = await door.proofs()
    assert proofs[SUM].figures == "3 free + 2 held + 5 sold = 10"
    assert proofs[HOLDS].offenders == (f"Eve's claim on {POOL}",)
    assert proofs[BACK].offenders == (
        f"{POOL}: the claim of Eve never came back",
        f"{POOL}: 3 are free, where 10 less 5 bought should be",
    )


async def test_a_claim_forgotten_among_the_due(door: Door) -> None:
    await door.client.zadd(f"{door.base}pool-due:{POOL}", {"Eve": 99})
    assert await door.failed() == {HOLDS}


async def test_a_claim_that_came_back_twice(door: Door) -> None:
    await door.client.hset(door.pools, f"c\n{POOL}", "14 0 5")
    assert await door.failed() == {SUM, BACK}
    assert (await door.proofs())[BACK].offenders == (f"{POOL}: 9 are free, where 10 less 5 bought should be",)


# --- told sold out


async def test_told_that_so_many_are_left_and_refused_all_the_same(door: Door) -> None:
    door.tally.told.append(Told("Eve", POOL, 2, 2, 0.0, 1.0))
    assert await door.failed() == {SOLD_OUT}
    assert (await door.proofs())[SOLD_OUT].offenders == (f"Eve wanted 2 of {POOL} and was told that 2 are left",)


async def test_told_sold_out_while_so_many_were_free_all_the_time(door: Door) -> None:
    (dan,) = door.tally.told
    after = max(claim.gone for claim in door.tally.claims.values() if claim.gone < math.inf) + 1
    door.tally.told[0] = msgspec.structs.replace(dan, asked=after, answered=after + 1)  # when Cy's had come back
    assert await door.failed() == {SOLD_OUT}
    assert (await door.proofs())[SOLD_OUT].offenders == (f"Dan wanted 2 of {POOL}, while 5 were free",)
    door.more["unanswered"] = 1  # somebody may have had some who never heard of it
    assert SOLD_OUT not in await door.failed()
    door.more.clear()
    door.tally.told[0] = msgspec.structs.replace(dan, asked=after, answered=after + 1, quantity=6)
    assert await door.failed() == set()


@pytest.mark.parametrize(
    ("start", "end", "least"),
    [(0, 1, 10), (0, 2, 6), (2, 2, 6), (3, 4, 6), (3, 5, 4), (6, 7, 4), (8, 8, 8), (7.9, 99, 4)],
)
def test_what_surely_was_free(start: float, end: float, least: int) -> None:
    """Four from 2 to 8, two from 5 on."""
    claims = [Claim("a", POOL, 4, 0, 0, 2.0, 8.0), Claim("b", POOL, 2, 0, None, 5.0, math.inf)]
    assert _Spare(10, claims).least(start, end, 0) == least


def test_what_is_given_back_and_taken_at_one_time_was_not_free() -> None:
    claims = [Claim("a", POOL, 1, 0, 0, 1.0, 2.0), Claim("b", POOL, 1, 0, 0, 2.0, 3.0)]
    assert _Spare(1, claims).least(1.5, 2.5, 1) < 1


# --- whole runs


@pytest.mark.parametrize(("tickets", "users", "workers"), [(50, 55, 10), (7, 5, 10), (1, 30, 30), (40, 41, 1)])
async def test_tickets_out_of_a_pool(client: redis.asyncio.Redis, tickets: int, users: int, workers: int) -> None:
    settings = Settings(buyers=users, workers=workers, seed=3, hold=10.0, abandon=0.0, stock=tickets)
    simulation = Simulation.of_pool(client, settings)
    report = await simulation.run()
    assert failed(report) == []
    assert report.bookings == report.stock_sold == min(tickets, users)
    assert (report.absent, report.seats, report.seats_sold) == (0, 0, 0)
    assert tuple(proof.name for proof in report.proofs) == OF_POOLS + OF_ALL
    now = simulation.progress()
    assert (now.seats, now.warmed, now.sold, now.held) == (tickets, tickets, report.stock_sold, 0)
    assert now.free == tickets - report.stock_sold
    await simulation.retire()
    with pytest.raises(ShowNotFound):
        await AsyncSeatLocker(client).availability(simulation.show)
    assert [key async for key in client.scan_iter(f"*{simulation.show}*")] == []


async def test_a_crowd_that_abandons_its_claims(client: redis.asyncio.Redis) -> None:
    settings = Settings(buyers=150, workers=40, seed=4, hold=0.4, stock=30)
    report = await Simulation.of_pool(client, settings).run()
    assert failed(report) == []
    assert report.abandoned > report.released > 0
    assert report.resumed > 0
    assert report.refusals > 0
    assert report.stock_sold >= report.bookings > 0
    figures = {proof.name: proof.figures for proof in report.proofs}
    assert figures[BACK] == f"0 of {report.abandoned + report.too_late}"
    assert int(figures[SOLD_OUT].split()[2]) > 0


@pytest.mark.parametrize("more", [{}, {"abandon": 0.2}, {"best": True, "hold": 0.6}, {"blocked": 5}])
async def test_seats_and_a_pool(client: redis.asyncio.Redis, house: SeatingPlan, more: dict[str, Any]) -> None:
    settings = Settings(**{"buyers": 200, "workers": 40, "seed": 4, "hold": 0.4, "stock": 12, **more})
    report = await Simulation.of_crowd(client, house, settings).run()
    assert failed(report) == []
    assert report.seats_sold > 0
    assert report.stock_sold > 0
    names = [proof.name for proof in report.proofs]
    assert set(OF_POOLS + OF_ALL) < set(names)
    assert len(set(names)) == len(names) >= 19


async def test_the_time_limit_ends_it(client: redis.asyncio.Redis) -> None:
    settings = Settings(buyers=1_000_000, workers=20, seed=1, time_limit=0.5, abandon=0.0, stock=1_000_000)
    report = await Simulation.of_pool(client, settings).run()
    assert failed(report) == []
    assert 0 < report.absent < 1_000_000


async def test_a_pool_larger_than_it_should_be_is_found_out(client: redis.asyncio.Redis) -> None:
    simulation = Simulation.of_pool(client, Settings(buyers=30, workers=10, hold=10.0, abandon=0.0, stock=20))
    simulation._locker.warm = _two_more(simulation._locker.warm)  # type: ignore[method-assign]
    report = await simulation.run()
    assert {proof.name for proof in report.proofs if not proof.ok} == {BEYOND, IN_HANDS, SUM, BACK}
    assert report.bookings == 22


def _two_more(warm: Callable[..., Any]) -> Any:
    return lambda show, plan, *, pools, **rest: warm(show, plan, pools={POOL: pools[POOL] + 2}, **rest)


async def test_counts_beyond_the_stock_end_the_sale_and_are_found_out(client: redis.asyncio.Redis) -> None:
    simulation = Simulation.of_pool(client, Settings(buyers=30, workers=10, hold=10.0, abandon=0.0, stock=20))
    keep_seats, any_client = simulation._keep_seats, cast("Any", client)

    async def and_count_wrongly() -> None:
        await any_client.hset(f"seatlock:{{{simulation.show}}}:pools", f"c\n{POOL}", "20 0 21")
        await keep_seats()

    simulation._keep_seats = and_count_wrongly  # type: ignore[method-assign]
    report = await asyncio.wait_for(simulation.run(), 30)
    assert {proof.name for proof in report.proofs if not proof.ok} == {BEYOND, SUM, BACK, SOLD_OUT}
    assert report.bookings == 0


async def test_an_office_that_refuses_while_there_is_stock_is_found_out(client: redis.asyncio.Redis) -> None:
    simulation = Simulation.of_pool(client, Settings(buyers=30, workers=1, hold=10.0, abandon=0.0, stock=20))
    acquire, asked = simulation._locker.acquire, []

    async def now_and_then(*args: Any, **rest: Any) -> Any:
        asked.append(rest["holder"])
        if len(asked) == 9:
            raise SeatsUnavailable("none left", pools={POOL: PoolConflict(0)})
        return await acquire(*args, **rest)

    simulation._locker.acquire = now_and_then  # type: ignore[method-assign]
    report = await simulation.run()
    assert [proof.name for proof in report.proofs if not proof.ok] == [SOLD_OUT]
    assert report.bookings == 20


def test_a_pool_that_is_none() -> None:
    client: Any = None
    with pytest.raises(InvalidRequest, match="stock is 0"):
        Simulation.of_pool(client, Settings(buyers=1))
    with pytest.raises(InvalidRequest, match="stock"):
        Settings(buyers=1, stock=-1)
