"""Every proof must fail when Redis, or a receipt, is tampered with."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import redis.asyncio

from seatlock import new_token
from seatlock.simulation.tally import Receipt, Unanswered
from tests.simulation.sales import Sale

NAMES = (
    "seats sold twice",
    "seats lost",
    "confirmed = sold",
    "free + sold = seats",
    "lock and hash disagree",
    "holds left at the end",
    "receipts, locks and outbox disagree",
    "fences given twice",
    "holds lost before their time",
    "refreshed holds not resumed",
    "requests without an answer",
)


@pytest.fixture
async def sale(client: redis.asyncio.Redis) -> Sale:
    made = Sale(client)
    await made.warm()
    await made.sell()
    return made


async def test_an_honest_sale_passes(sale: Sale) -> None:
    proofs = await sale.proofs()
    assert tuple(proofs) == NAMES
    assert await sale.failed() == set()
    assert proofs["seats sold twice"].figures == "0 by receipts, 0 by raw keys"
    assert proofs["confirmed = sold"].figures == "3 = 3"
    assert proofs["free + sold = seats"].figures == "2 free + 4 sold + 1 blocked = 7 seats"


async def test_a_lock_deleted(sale: Sale) -> None:
    await sale.client.delete(f"{sale.base}lock:A-1")
    assert await sale.failed() == {"seats lost", "confirmed = sold", "lock and hash disagree"}
    assert (await sale.proofs())["seats lost"].offenders == (
        "A-1: Ada has a receipt, the seat is not sold",
        "A-1: sold, and nobody has it",
    )


@pytest.mark.parametrize("mirror", ["f0", "h0:99", "p0", "b0", "s1", "s", "x", "f0:99", ""])
async def test_a_mirror_flipped(sale: Sale, mirror: str) -> None:
    await sale.client.hset(f"{sale.base}seats", "A-1", mirror)
    assert "lock and hash disagree" in await sale.failed()


async def test_a_mirror_deleted(sale: Sale) -> None:
    await sale.client.hdel(f"{sale.base}seats", "A-6")
    assert await sale.failed() == {"seats lost", "free + sold = seats"}
    await sale.client.hdel(f"{sale.base}seats", "A-1")
    assert await sale.failed() == {"seats lost", "free + sold = seats", "lock and hash disagree"}


async def test_a_free_seat_blocked(sale: Sale) -> None:
    await sale.client.hset(f"{sale.base}seats", "A-6", "b1")
    assert await sale.failed() == {"seats lost"}


async def test_a_second_booking_in_redis(sale: Sale) -> None:
    lock = f"{sale.base}lock:A-1"
    value = (await sale.client.get(lock)).decode().split("\n")
    value[1], value[2], value[6] = new_token(), "Eve", "bk-eve"
    await sale.client.set(lock, "\n".join(value))
    assert await sale.failed() == {"seats sold twice"}
    assert (await sale.proofs())["seats sold twice"].offenders == (
        "A-1: the receipt is Ada's, the lock says Eve (bk-eve)",
    )


async def test_a_second_booking_on_paper(sale: Sale) -> None:
    bob = sale.receipts[1]
    hold = msgspec.structs.replace(bob.hold, seats=("A-2",), token=new_token(), holder="Eve", fence=99)
    booking = msgspec.structs.replace(bob.booking, id="bk-eve", seats=("A-2",), holder="Eve", fence=99)
    sale.receipts.append(Receipt(hold, "Bob pays", booking))
    proofs = await sale.proofs()
    assert proofs["seats sold twice"].figures == "1 by receipts, 0 by raw keys"
    assert proofs["seats sold twice"].offenders == ("A-2: Ada, Eve each have a receipt",)
    assert not proofs["confirmed = sold"].ok
    assert not proofs["receipts, locks and outbox disagree"].ok


async def test_a_second_booking_in_the_outbox(sale: Sale) -> None:
    (_, entry), _ = await sale.entries()
    await sale.client.xadd(f"{sale.base}outbox", {**entry, b"booking": b"bk-eve", b"holder": b"Eve"})
    assert await sale.failed() == {"seats sold twice", "receipts, locks and outbox disagree"}
    await sale.client.xadd(f"{sale.base}outbox", {**entry, b"kind": b"cancelled"})
    assert await sale.failed() == {"receipts, locks and outbox disagree"}


async def test_a_seat_sold_without_a_receipt(sale: Sale) -> None:
    hold = await sale.locker.acquire(sale.show, ["A-6"], holder="Eve")
    await sale.locker.confirm(hold, payment="Eve pays")
    assert await sale.failed() == {"seats lost", "confirmed = sold", "receipts, locks and outbox disagree"}
    sale.more["doubts"] = [Unanswered(hold, "Eve pays")]  # she got no answer, and may have the seat
    assert await sale.failed() == set()
    assert (await sale.proofs())["confirmed = sold"].figures == "3 = 3 (and 1 in doubt)"


async def test_a_hold_left(sale: Sale) -> None:
    await sale.locker.acquire(sale.show, ["A-6"], holder="Eve")
    assert await sale.failed() == {"free + sold = seats", "holds left at the end"}


async def test_a_hold_forgotten_among_the_due(sale: Sale) -> None:
    await sale.client.zadd(f"{sale.base}due", {"A-6": 99})
    assert await sale.failed() == {"holds left at the end"}


async def test_a_sold_seat_that_would_expire(sale: Sale) -> None:
    await sale.client.pexpire(f"{sale.base}lock:A-1", 60_000)
    assert await sale.failed() == {"lock and hash disagree"}


async def test_a_lock_of_a_seat_that_is_not_there(sale: Sale) -> None:
    await sale.client.copy(f"{sale.base}lock:A-4", f"{sale.base}lock:Z-9")
    assert "lock and hash disagree" in await sale.failed()
    await sale.client.hset(f"{sale.base}seats", "Z-9", "s1")
    assert "lock and hash disagree" in await sale.failed()


@pytest.mark.parametrize("value", ["", "rubbish", "s\nonly\nthree", "h\nt\nh\n1\n1\nsoon\n9"])
async def test_a_lock_that_is_none(sale: Sale, value: str) -> None:
    await sale.client.set(f"{sale.base}lock:A-1", value)
    assert {"seats lost", "lock and hash disagree"} <= await sale.failed()


@pytest.mark.parametrize("field", [5, 7])
async def test_a_lock_with_another_fence_or_payment(sale: Sale, field: int) -> None:
    lock = f"{sale.base}lock:A-1"
    value = (await sale.client.get(lock)).decode().split("\n")
    value[4 if field == 5 else 7] = "77"
    await sale.client.set(lock, "\n".join(value))
    assert await sale.failed() == {"receipts, locks and outbox disagree"}


@pytest.mark.parametrize("field", ["kind", "booking", "holder", "seats", "payment", "epoch", "fence"])
async def test_an_outbox_entry_altered(sale: Sale, field: str) -> None:
    outbox = f"{sale.base}outbox"
    _, (bob, entry) = await sale.entries()
    await sale.client.xdel(outbox, bob)
    await sale.client.xadd(outbox, {**entry, field.encode(): b"7"})
    assert "receipts, locks and outbox disagree" in await sale.failed()


async def test_an_outbox_entry_deleted_or_doubled(sale: Sale) -> None:
    outbox = f"{sale.base}outbox"
    _, (_, entry) = await sale.entries()
    await sale.client.xadd(outbox, entry)
    assert "receipts, locks and outbox disagree" in await sale.failed()
    for entry_id, _ in (await sale.entries())[1:]:
        await sale.client.xdel(outbox, entry_id)
    assert await sale.failed() == {"receipts, locks and outbox disagree"}
    assert (await sale.proofs())["receipts, locks and outbox disagree"].offenders == (
        f"{sale.receipts[1].booking.id}: 0 entries in the outbox",
    )


async def test_a_token_in_the_outbox(sale: Sale) -> None:
    outbox = f"{sale.base}outbox"
    _, (bob, entry) = await sale.entries()
    await sale.client.xdel(outbox, bob)
    await sale.client.xadd(outbox, {**entry, b"note": sale.receipts[1].hold.token})
    assert await sale.failed() == {"receipts, locks and outbox disagree"}


@pytest.mark.parametrize(
    "changes", [{"holder": "Eve"}, {"seats": ("A-1",)}, {"payment": None}, {"fence": 7}, {"id": "bk-eve"}]
)
async def test_a_receipt_that_is_not_what_was_paid_for(sale: Sale, changes: dict[str, Any]) -> None:
    sale.change_receipt(**changes)
    assert "receipts, locks and outbox disagree" in await sale.failed()


async def test_what_went_wrong_before_the_buyers_eyes(sale: Sale) -> None:
    fence = sale.receipts[0].hold.fence
    sale.more = {"fences": [fence, 5, fence], "lost_early": 1, "not_resumed": 2, "unanswered": 3}
    assert await sale.failed() == set(NAMES[-4:])
    assert (await sale.proofs())["fences given twice"].offenders == (str(fence),)
