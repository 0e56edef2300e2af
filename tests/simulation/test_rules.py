"""The proofs of the rules of the house hold after an honest sale, and fail when Redis or a receipt is changed."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import redis.asyncio

from seatlock import SeatingPlan, new_token
from seatlock.errors import InvalidRequest
from seatlock.simulation import Settings, Simulation
from seatlock.simulation.rules import most_at_once
from seatlock.simulation.tally import Best, Receipt, Stay
from tests.simulation.sales import Sale, failed

BLOCKED = "blocked seats sold"
LIMIT = "holders over the limit"
BEST = "best seats not as asked"
NONE_LEFT = "told none left, wrongly"


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


# --- a limit a holder


@pytest.fixture
async def limited(client: redis.asyncio.Redis) -> Sale:
    """A small sale in which nobody may have more than two seats: Ada has two, Bob has one."""
    made = Sale(client)
    await made.warm()
    await made.sell()
    made.more = {"limit": 2, "stays": [Stay("Ada", 2, 100, None), Stay("Bob", 1, 100, 300), Stay("Bob", 2, 300, None)]}
    return made


async def test_holders_within_the_limit(limited: Sale) -> None:
    assert await limited.failed() == set()
    assert (await limited.proofs())[LIMIT].figures == "0 by receipts, 0 by raw keys, at most 2"


async def test_holders_over_the_limit_in_the_end(limited: Sale) -> None:
    limited.more["limit"] = 1
    assert await limited.failed() == {LIMIT}
    proof = (await limited.proofs())[LIMIT]
    assert proof.figures == "3 by receipts, 1 by raw keys, at most 2"
    assert proof.offenders == (
        "Ada had 2 seats at once",
        "Bob had 2 seats at once",
        "Ada has receipts for 2 seats",
        "Ada has 2 seats",
    )


async def test_a_holder_over_the_limit_for_a_millisecond(limited: Sale) -> None:
    limited.more["stays"][1].end = 301
    assert await limited.failed() == {LIMIT}
    assert (await limited.proofs())[LIMIT].offenders == ("Bob had 3 seats at once",)


async def test_a_seat_over_the_limit_that_only_redis_knows_of(limited: Sale) -> None:
    value = (await limited.client.get(f"{limited.base}lock:A-3")).decode().split("\n")
    value[2] = "Ada"
    await limited.client.set(f"{limited.base}lock:A-3", "\n".join(value))
    assert LIMIT in await limited.failed()
    assert (await limited.proofs())[LIMIT].offenders == ("Ada has 3 seats",)


@pytest.mark.parametrize(
    ("stays", "most"),
    [
        ([], {}),
        ([("a", 2, 0, None), ("b", 3, 0, 5)], {"a": 2, "b": 3}),
        ([("a", 2, 0, 10), ("a", 1, 10, 20)], {"a": 2}),
        ([("a", 2, 0, 11), ("a", 1, 10, 20)], {"a": 3}),
        ([("a", 1, 5, None), ("a", 1, 7, 9), ("a", 4, 1, 2)], {"a": 4}),
        ([("a", 1, 5, None), ("a", 1, 7, 9), ("a", 1, 8, None)], {"a": 3}),
        ([("a", 5, 7, 7), ("a", 5, 8, 7)], {}),
    ],
)
def test_how_many_at_once(stays: list[Any], most: dict[str, int]) -> None:
    assert most_at_once(Stay(*stay) for stay in stays) == most


@pytest.mark.parametrize("limit", [1, 4])
async def test_buyers_with_three_tabs_never_exceed_the_limit(
    client: redis.asyncio.Redis, house: SeatingPlan, limit: int
) -> None:
    settings = Settings(buyers=150, workers=40, seed=4, hold=0.4, abandon=0.3, limit=limit)
    report = await Simulation.of_crowd(client, house, settings).run()
    assert failed(report) == []
    assert report.over_limit > 0
    assert report.bookings > 0


async def test_a_show_that_forgets_its_limit_is_found_out(client: redis.asyncio.Redis, house: SeatingPlan) -> None:
    simulation = Simulation.of_crowd(
        client, house, Settings(buyers=300, workers=40, seed=4, hold=1.0, abandon=0.0, limit=4)
    )
    simulation._locker.warm = _without_limit(simulation._locker.warm)  # type: ignore[method-assign]
    report = await simulation.run()
    assert [proof.name for proof in report.proofs if not proof.ok] == [LIMIT]


def _without_limit(warm: Any) -> Any:
    return lambda show, plan, *, progress, limit, pools: warm(show, plan, progress=progress)  # noqa: ARG005 - it is forgotten


# --- the best seats


@pytest.fixture
async def best(client: redis.asyncio.Redis) -> Sale:
    """A small sale in which Ada and Bob asked for the best seats; A-6 and A-7 were free all the time."""
    made = Sale(client)
    await made.warm()
    await made.sell()
    made.more = {
        "best": True,
        "bests": [Best("Ada", 2, ("A-1", "A-2")), Best("Bob", 1, ("A-3",))],
        "none_left": [3],
    }
    return made


async def test_best_seats_as_asked(best: Sale) -> None:
    assert await best.failed() == set()
    proofs = await best.proofs()
    assert proofs[BEST].figures == "0 of 2, 2 adjoin"
    assert proofs[NONE_LEFT].figures == "0 of 1 told"


@pytest.mark.parametrize(
    ("got", "complaint"),
    [
        (Best("Eve", 2, ("A-6",)), "Eve asked for 2 seats and got A-6"),
        (Best("Eve", 2, ("A-6", "A-6")), "Eve asked for 2 seats and got A-6, A-6"),
        (Best("Eve", 1, ("A-6", "A-7"), adjacent=False), "Eve asked for 1 seats and got A-6, A-7"),
        (Best("Eve", 1, ("Z-9",)), "Eve asked for 1 seats and got Z-9"),
        (Best("Eve", 2, ("A-7", "A-2")), "Eve was told that A-7, A-2 adjoin"),
        (Best("Eve", 2, ("A-7", "A-2"), adjacent=False), ""),
        (Best("Eve", 2, ("A-7", "A-6")), ""),
    ],
)
async def test_best_seats_that_are_not_as_asked(best: Sale, got: Best, complaint: str) -> None:
    best.more |= {"bests": [got], "none_left": []}
    assert await best.failed() == ({BEST} if complaint else set())
    assert (await best.proofs())[BEST].offenders == ((complaint,) if complaint else ())


async def test_told_none_left_while_some_were_free_all_the_time(best: Sale) -> None:
    best.more["none_left"] = [3, 2]
    assert await best.failed() == {NONE_LEFT}
    assert (await best.proofs())[NONE_LEFT].offenders == (
        "somebody who wanted 2, while 2 seats were free all the time",
    )
    best.more["kept"] = frozenset({"A-7"})
    await best.locker.block(best.show, ["A-7"])
    assert await best.failed() == set()
    best.more["none_left"] = [1]
    assert await best.failed() == {NONE_LEFT}
    best.more["unanswered"] = 1  # somebody may have had it who never heard of it
    assert NONE_LEFT not in await best.failed()


@pytest.mark.parametrize("more", [{}, {"abandon": 0.0}, {"limit": 4, "blocked": 3}])
async def test_a_crowd_that_asks_for_the_best(
    client: redis.asyncio.Redis, house: SeatingPlan, more: dict[str, Any]
) -> None:
    settings = Settings(**{"buyers": 100, "workers": 20, "seed": 4, "hold": 0.6, "best": True, **more})
    report = await Simulation.of_crowd(client, house, settings).run()
    assert failed(report) == []
    assert report.bookings > 0
    proofs = {proof.name: proof.figures for proof in report.proofs}
    assert proofs[BEST].startswith(f"0 of {report.holds}, ")


@pytest.mark.parametrize("bad", [{"limit": 0}, {"limit": 501}, {"limit": 2.0}])
def test_a_limit_that_is_none(bad: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match="limit"):
        Settings(buyers=1, **bad)
