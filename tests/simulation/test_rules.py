"""The proofs of the rules of the house hold after an honest sale, and fail when Redis or a receipt is changed."""

from __future__ import annotations

import msgspec
import pytest
import redis.asyncio

from seatlock import SeatingPlan, new_token
from seatlock.errors import InvalidRequest
from seatlock.simulation import Settings, Simulation
from seatlock.simulation.tally import Receipt
from tests.simulation.sales import Sale, failed

BLOCKED = "blocked seats sold"


@pytest.fixture
async def sale(client: redis.asyncio.Redis) -> Sale:
    """A small sale in which the house kept A-6."""
    made = Sale(client)
    await made.warm()
    await made.locker.block(made.show, ["A-6"])
    await made.sell()
    made.more = {"kept": frozenset({"A-6"})}
    return made


async def test_blocked_seats_that_stay_unsold(sale: Sale) -> None:
    assert await sale.failed() == set()
    assert (await sale.proofs())[BLOCKED].figures == "0 by receipts, 0 by raw keys, of 1"
    sale.more = {}
    assert BLOCKED not in await sale.proofs()
    assert await sale.failed() == {"seats lost"}, "nobody said that the house keeps it"


async def test_a_blocked_seat_with_a_receipt(sale: Sale) -> None:
    bob = sale.receipts[1]
    hold = msgspec.structs.replace(bob.hold, seats=("A-6",), token=new_token(), holder="Eve")
    sale.receipts.append(Receipt(hold, "Eve pays", msgspec.structs.replace(bob.booking, id="bk-eve", seats=("A-6",))))
    assert BLOCKED in await sale.failed()
    assert (await sale.proofs())[BLOCKED].offenders == ("A-6: Eve has a receipt",)


async def test_a_blocked_seat_that_was_sold_all_the_same(sale: Sale) -> None:
    await sale.client.hset(f"{sale.base}seats", "A-6", "f1")
    hold = await sale.locker.acquire(sale.show, ["A-6"], holder="Eve")
    booking = await sale.locker.confirm(hold, payment="Eve pays")
    sale.receipts.append(Receipt(hold, "Eve pays", booking))
    assert await sale.failed() == {BLOCKED}
    proof = (await sale.proofs())[BLOCKED]
    assert proof.figures == "1 by receipts, 3 by raw keys, of 1"
    assert proof.offenders == (
        "A-6: Eve has a receipt",
        "A-6: Eve has a lock",
        f"A-6: booking {booking.id} in the outbox has it",
        "A-6: not blocked any more",
    )


@pytest.mark.parametrize("field", [None, "f1", "s1", "x"])
async def test_a_blocked_seat_that_is_on_sale_again(sale: Sale, field: str | None) -> None:
    if field is None:
        await sale.client.hdel(f"{sale.base}seats", "A-6")
    else:
        await sale.client.hset(f"{sale.base}seats", "A-6", field)
    assert BLOCKED in await sale.failed()
    assert (await sale.proofs())[BLOCKED].offenders == ("A-6: not blocked any more",)


@pytest.mark.parametrize("abandon", [0.0, 0.5])
async def test_a_crowd_never_gets_a_blocked_seat(
    client: redis.asyncio.Redis, house: SeatingPlan, abandon: float
) -> None:
    settings = Settings(buyers=150, workers=40, seed=4, hold=0.4, abandon=abandon, blocked=7)
    simulation = Simulation.of_crowd(client, house, settings)
    report = await simulation.run()
    assert failed(report) == []
    assert report.seats_sold <= len(house) - 7
    proofs = {proof.name: proof.figures for proof in report.proofs}
    assert proofs[BLOCKED] == "0 by receipts, 0 by raw keys, of 7"
    assert "7 blocked" in proofs["free + sold = seats"]
    assert simulation.progress().free == len(house) - 7 - report.seats_sold


async def test_blocked_tickets_are_missing_from_the_sale(client: redis.asyncio.Redis) -> None:
    settings = Settings(buyers=55, workers=10, seed=3, hold=10.0, abandon=0.0, blocked=20)
    report = await Simulation.of_tickets(client, 50, settings).run()
    assert failed(report) == []
    assert report.bookings == 30


async def test_somebody_who_puts_a_blocked_seat_back_on_sale_is_found_out(client: redis.asyncio.Redis) -> None:
    settings = Settings(buyers=55, workers=10, seed=3, hold=10.0, abandon=0.0, blocked=20)
    simulation = Simulation.of_tickets(client, 50, settings)
    keep_seats = simulation._keep_seats

    async def and_unblock_one() -> None:
        await keep_seats()
        await simulation._locker.unblock(simulation.show, simulation._kept[:1])

    simulation._keep_seats = and_unblock_one  # type: ignore[method-assign]
    report = await simulation.run()
    assert [proof.name for proof in report.proofs if not proof.ok] == [BLOCKED]
    assert report.bookings == 31


async def test_more_blocked_than_there_are_seats(client: redis.asyncio.Redis, house: SeatingPlan) -> None:
    with pytest.raises(InvalidRequest, match="24 seats for sale"):
        Simulation.of_crowd(client, house, Settings(buyers=1, blocked=25))
    with pytest.raises(InvalidRequest, match="blocked"):
        Settings(buyers=1, blocked=-1)
