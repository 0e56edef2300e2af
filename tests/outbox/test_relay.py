"""What a relay makes of each fact: the ledger has it, Redis agrees, brokers are told, and the outbox is empty."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from seatlock import _pinning
from seatlock.checkout import StrictCheckout
from seatlock.ledger import Ledger, PoolStock
from tests.ledger.databases import claim
from tests.outbox.works import SEATS, Works, until
from tests.support.strict import booking_of, pin

ODD: Final = (
    *({b"seats": b""}, {b"seats": b"A-1\nA-1"}, {b"seats": b"x" * 129}, {b"holder": b""}, {b"holder": b"\x01"}),
    *({b"payment": b"p" * 257}, {b"pools": b"1 "}, {b"pools": b"0 floor"}, {b"epoch": b"9" * 15}),
)
"""What no entry has, of a booking that is on record."""


def test_what_redis_has_sold_lands_in_the_ledger(works: Works) -> None:
    first, second = works.buy("A-1", "A-2"), works.buy("A-3", holder="bo", payment=None)
    counts = works.drain()
    assert works.sold() == {"A-1": first.id, "A-2": first.id, "A-3": second.id}
    assert works.rows() == {first.id: "confirmed", second.id: "confirmed"}
    works.settled()
    record = works.ledger.outcome(works.show, first.id)
    assert record is not None
    assert (record.fence, record.holder, record.payment, record.seats) == (first.fence, "ada", "pay", first.seats)
    assert (counts.decided, counts.settled, counts.aside, counts.published) == ({"confirmed": 2}, 2, 0, 2)
    told = works.broker.told
    assert [(event.kind, event.booking, event.seats) for event in told] == [
        *(("confirmed", first.id, ("A-1", "A-2")), ("confirmed", second.id, ("A-3",)))
    ]
    assert (told[0].fence, told[0].holder, told[0].payment, told[0].at) == (
        *(first.fence, "ada", "pay"),
        record.decided_at,
    )
    assert works.drain().settled == 0


def test_a_sale_and_its_end_and_the_next_sale_of_the_seat(works: Works) -> None:
    first = works.buy("A-1")
    works.locker.cancel(first)
    second = works.buy("A-1", holder="bo")
    works.drain()
    assert works.rows() == {first.id: "cancelled", second.id: "confirmed"}
    assert works.broker.kinds == [("confirmed", first.id), ("cancelled", first.id), ("confirmed", second.id)]
    assert [entry.what for entry in works.ledger.history(works.show, "A-1")] == ["sold", "cancelled", "sold"]
    works.settled()


def test_more_than_one_batch(works: Works) -> None:
    bookings = [works.buy(seat) for seat in SEATS]
    counts = works.drain(batch=3)
    assert (counts.batches, counts.settled) == (3, 8)
    assert works.broker.kinds == [("confirmed", booking.id) for booking in bookings]
    works.settled()


def test_pools_are_known_to_the_ledger_before_they_are_sold(works_of: Callable[..., Works], database: str) -> None:
    works = works_of(database, pools={"floor": 5, "bal cony": 3})
    booking = works.buy("A-1", pools={"floor": 2, "bal cony": 3})
    works.drain()
    assert works.ledger.pools(works.show) == {"floor": PoolStock(5, 2), "bal cony": PoolStock(3, 3)}
    assert dict(works.broker.told[0].pools) == {"floor": 2, "bal cony": 3}
    works.locker.warm(works.show, SEATS, pools={"floor": 4, "bal cony": 3})
    works.locker.cancel(booking)
    works.buy(pools={"floor": 1})
    works.drain()
    assert works.ledger.pools(works.show) == {"floor": PoolStock(4, 1), "bal cony": PoolStock(3, 0)}
    works.settled()


def test_a_pin_whose_process_died_is_decided(strict: Works) -> None:
    pinned = strict.pin("A-1", "A-2")
    strict.drain()
    assert strict.states() == dict.fromkeys(pinned.seats, ("sold", pinned.booking))
    assert strict.broker.kinds == [("confirmed", pinned.booking)]
    strict.settled()


def test_pins_of_pools_alone(works_of: Callable[..., Works], database: str) -> None:
    works = works_of(database, checkout="strict", pools={"floor": 5})
    pinned = works.pin(pools={"floor": 2})
    works.drain()
    assert works.rows() == {pinned.booking: "confirmed"}
    assert works.ledger.pools(works.show) == {"floor": PoolStock(5, 2)}
    works.settled()


def test_a_young_pin_is_left_to_its_process_and_with_it_all_behind_it(strict: Works) -> None:
    strict.pin("A-1")
    pinned = strict.pin("A-2")

    async def two_turns() -> tuple[float | None, int, float | None]:
        async with strict.relay(grace=600.0) as relay:
            first = await relay._turn(strict.show)
            return first, relay.counts.settled, await relay._turn(strict.show)

    wait, settled, again = strict.run(two_turns)
    strict.end_lease()
    assert wait is not None
    assert again is not None
    assert 500 < again <= wait <= 600
    assert (settled, strict.rows(), strict.left()) == (0, {}, 2)
    assert strict.drain(grace=0.05).settled == 2
    assert strict.rows()[pinned.booking] == "confirmed"
    strict.settled()


def test_a_pin_that_the_ledger_refuses_comes_free_and_the_seat_is_its_owners(strict: Works) -> None:
    owned = claim(strict.show, "b-owner", ["A-1"], holder="bo", fence=2**40 + 77)
    strict.ledger.decide(owned)
    pinned = strict.pin("A-1", "A-2")
    strict.drain()
    assert strict.rows() == {"b-owner": "confirmed", pinned.booking: "rejected"}
    assert strict.states() == {"A-1": ("sold", "b-owner")}
    assert strict.broker.kinds == [("rejected", pinned.booking)]
    assert strict.broker.told[0].reason == "unavailable"
    strict.settled()


def test_what_redis_sold_and_the_ledger_had_sold_before_is_to_be_refunded(works: Works) -> None:
    works.ledger.decide(claim(works.show, "b-owner", ["A-1"], holder="bo", fence=2**40 + 77))
    booking = works.buy("A-1", "A-2")
    works.drain()
    assert works.rows() == {"b-owner": "confirmed", booking.id: "rejected"}
    assert works.states() == {"A-1": ("sold", "b-owner")}
    assert works.broker.kinds == [("rejected", booking.id)]
    assert works.broker.told[0].payment == "pay"
    works.settled()


def test_a_pin_that_was_cancelled_before_it_was_decided(strict: Works) -> None:
    pinned = strict.pin("A-1")
    strict.ledger.cancel(strict.show, pinned.booking, by="eve", reason="refund")
    strict.drain()
    assert strict.states() == {}
    assert strict.broker.kinds == [("cancelled", pinned.booking)]
    strict.settled()


def test_what_the_ledger_has_on_record_is_told(strict: Works) -> None:
    pinned = strict.pin("A-1")
    strict.drain()
    record = strict.ledger.cancel(strict.show, pinned.booking, by="eve", reason="refund")
    strict.locker._seek(_pinning.finalise("seatlock", booking_of(pinned), sold=False, tell=True))
    strict.drain()
    assert strict.broker.kinds == [("confirmed", pinned.booking), ("cancelled", pinned.booking)]
    assert (strict.broker.once[1].reason, strict.broker.once[1].at) == ("refund", record.cancelled_at)
    strict.settled()


def test_a_relay_that_comes_late_tells_the_beginning_too(strict: Works) -> None:
    """The process that pinned did all itself, and the booking was cancelled before any relay came."""
    with Ledger(strict.url) as ledger:
        checkout = StrictCheckout(strict.locker, ledger)
        booking = checkout.confirm(strict.acquire("A-1"), payment="pay")
        checkout.cancel(booking, by="eve", reason="refund")
    strict.drain()
    assert [event.kind for event in strict.broker.told] == ["confirmed", "cancelled"], "each once"
    assert strict.states() == {}
    strict.settled()


def test_an_epoch_that_began_after_a_fast_sale(works: Works) -> None:
    """Its buyer was told yes: it is decided all the same, under the epoch that is."""
    booking = works.buy("A-1")
    assert works.ledger.raise_epoch(works.show) == 2
    works.drain()
    assert works.rows() == {booking.id: "confirmed"}
    works.settled()


def test_an_epoch_that_began_after_a_pin(strict: Works) -> None:
    pinned, lost = strict.pin("A-1"), strict.pin("A-2", holder="bo")
    strict.ledger.raise_epoch(strict.show)
    strict.raw.hset(strict.key("meta"), "epoch", 2)
    strict.raw.delete(strict.key("lock:A-2"))  # as a failover loses it
    strict.raw.hset(strict.key("seats"), "A-2", "f0")
    strict.drain()
    assert strict.rows() == {pinned.booking: "confirmed", lost.booking: "rejected"}
    assert strict.states() == {"A-1": ("sold", pinned.booking)}
    assert strict.broker.kinds == [("confirmed", pinned.booking), ("rejected", lost.booking)]
    strict.settled()


def test_a_pin_waits_while_redis_is_behind_the_ledgers_epoch(strict: Works) -> None:
    pinned = strict.pin("A-1")
    strict.ledger.raise_epoch(strict.show)

    async def tried() -> str | None:
        async with strict.relay() as relay:
            task = asyncio.create_task(relay.run())
            await until(lambda: relay.counts.last_error is not None, "it has tried")
            relay.stop()
            await task
            return relay.counts.last_error

    assert "another epoch" in str(strict.run(tried))
    assert (strict.rows(), strict.left()) == ({}, 1)
    strict.raw.hset(strict.key("meta"), "epoch", 2)
    strict.drain()
    assert strict.rows() == {pinned.booking: "confirmed"}
    strict.settled()


def test_an_id_that_another_booking_has(works: Works) -> None:
    """The second booking of the id is set aside; to cancel it leaves the first one alone."""
    first = works.locker.confirm(works.acquire("A-1"), payment="pay", booking="order-1")
    second = works.locker.confirm(works.acquire("A-2"), payment="pay", booking="order-1")
    works.locker.cancel(second)
    counts = works.drain()
    assert works.rows() == {"order-1": "confirmed"}
    assert works.sold() == {"A-1": "order-1"}
    assert [each["reason"].partition(" under this id")[0] for each in works.aside()] == [
        "the ledger has another booking"
    ] * 2
    assert (counts.aside, works.aside()[0]["booking"], works.aside()[0]["seats"]) == (2, "order-1", "A-2")
    assert works.broker.kinds == [("confirmed", first.id)]
    works.settled()


def test_an_id_that_was_used_before_a_pin(strict: Works) -> None:
    strict.ledger.decide(claim(strict.show, "order-1", ["A-7"]))
    pin(strict.locker, strict.acquire("A-1"), booking="order-1")
    strict.drain()
    assert strict.states() == {}
    assert len(strict.aside()) == 1


def test_a_part_of_a_booking_that_is_cancelled_leaves_the_whole_one(works: Works) -> None:
    """Its other seats are paid for: to cancel them along would lose them."""
    booking = works.buy("A-1", "A-2")
    works.drain()
    works.locker.cancel(replace(booking, seats=("A-1",)))
    works.drain()
    assert works.rows() == {booking.id: "confirmed"}
    assert "a part of a booking" in works.aside()[0]["reason"]
    assert set(works.sold()) == {"A-1", "A-2"}


def test_a_booking_that_was_sold_again_before_the_ledger_knew_of_its_end(works: Works) -> None:
    """As loading or reconcile do, who go by the ledger."""
    booking = works.buy("A-1")
    works.drain()
    works.locker.cancel(booking)
    works.locker._seek(_pinning.finalise("seatlock", booking, sold=True))
    works.drain()
    assert (works.rows(), works.states()) == ({booking.id: "cancelled"}, {})
    works.settled()


def test_an_id_of_a_cancelled_booking_used_again(works: Works) -> None:
    hold = works.acquire("A-1")
    first = works.locker.confirm(hold, payment="pay")
    works.locker.cancel(first)
    works.drain()
    again = works.locker.confirm(works.acquire("A-1", token=hold.token), payment="pay")
    assert (again.id, again.fence > first.fence) == (first.id, True)
    works.drain()
    assert works.rows() == {first.id: "cancelled"}
    assert works.aside()[0]["reason"] == "its id is that of an earlier booking, which was cancelled"
    assert works.broker.kinds == [("confirmed", first.id), ("cancelled", first.id)]


def test_a_claim_that_the_ledger_cannot_take(works: Works) -> None:
    """A show that never was decided of, and one fact that no database can store beside a good one."""
    booking = works.buy("A-1")
    fields = works.raw.xrange(works.key("outbox"))[0][1]
    for odd in (
        {b"kind": b"odd"},
        {b"booking": b""},
        {b"epoch": b"one"},
        {b"fence": b"-1"},
        {b"token_hash": b"x"},
        {b"seats": b""},
        {b"holder": b"\xff"},
        {b"pools": b"x floor"},
        {b"kind": b"cancelled", b"holder": b""},
        {b"fence": b"%d" % 2**40},
        {b"kind": b"recorded", b"booking": b"nobody's"},
        *({b"kind": b"recorded", **odd} for odd in ODD),
        *({b"kind": b"cancelled", **odd} for odd in ODD),
    ):
        works.raw.xadd(works.key("outbox"), {**fields, **odd})
    works.raw.xadd(works.key("outbox"), {"one": "field"})
    last = works.buy("A-2")
    counts = works.drain()
    assert works.rows() == {booking.id: "confirmed", last.id: "confirmed"}
    assert counts.aside == len(works.aside()) == 12 + 2 * len(ODD)
    reasons = [each["reason"] for each in works.aside()]
    assert all(reason.startswith("it cannot be read: ") for reason in reasons if "it was recorded" not in reason)
    assert len([reason for reason in reasons if "it was recorded" in reason]) == 1
    assert "kind is 'odd'" in reasons[0]
    works.settled()


def test_an_entry_that_is_another_one_by_now_stays(works: Works) -> None:
    """A replica that was promoted wrote another booking under the same id, while its old one was decided."""
    works.buy("A-1")
    entry, fields = works.raw.xrange(works.key("outbox"))[0]

    async def behind_decide(step: str) -> None:
        if step == "decide" and works.left() == 1 and works.raw.xrange(works.key("outbox"))[0][1] == fields:
            works.raw.delete(works.key("outbox"))
            works.raw.xadd(works.key("outbox"), {**fields, b"booking": b"other", b"seats": b"A-2"}, id=entry)

    async def run() -> int:
        async with works.relay() as relay:
            relay._on_step = behind_decide
            await relay._turn(works.show)
            return relay.counts.settled

    assert works.run(run) == 0
    works.end_lease()
    assert works.left() == 1
    assert works.drain().settled == 1
    assert set(works.rows().values()) == {"confirmed"}
    assert len(works.rows()) == 2


def test_events_are_told_apart_by_their_ids(works: Works) -> None:
    booking = works.buy("A-1")
    works.drain()
    works.raw.xadd(
        works.key("outbox"),
        {
            "holder": "ada",
            "seats": "A-1",
            "payment": "",
            "kind": "recorded",
            "booking": booking.id,
            "epoch": 1,
            "fence": 1,
            "at": 1,
        },
    )
    works.drain()
    first, second = works.broker.told
    assert first == second
    assert replace(first, kind="cancelled").key == works.show
