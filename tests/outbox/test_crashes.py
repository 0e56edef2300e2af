"""Relays that die, sleep or are stopped: nothing is lost, nothing is there twice."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Sequence

import pytest
from msgspec.structs import replace

from seatlock import new_token
from seatlock.checkout import StrictCheckout
from seatlock.ledger import Ledger
from seatlock.ledger.model import Record
from seatlock.outbox import relay as relay_module
from seatlock.outbox._stream import take
from seatlock.outbox.events import BookingEvent
from seatlock.outbox.relay import LeaseOver
from tests.ledger.databases import claim, query
from tests.outbox.works import SEATS, STEPS, Sleeper, Works, until
from tests.support.servers import BACKENDS, RedisServer
from tests.support.strict import booking_of


def sell_of_all_kinds(works: Works) -> list[tuple[str, str]]:
    """Facts of all kinds of a fast show: gives what brokers are to be told in the end."""
    works.ledger.decide(claim(works.show, "b-owner", ["A-4"], holder="bo", fence=2**40 + 77))
    first = works.buy("A-1", "A-2")
    works.locker.cancel(first)
    second, refused = works.buy("A-1", holder="bo"), works.buy("A-3", "A-4")
    return [
        *(("confirmed", first.id), ("cancelled", first.id)),
        *(("confirmed", second.id), ("rejected", refused.id)),
    ]


@pytest.mark.parametrize("step", STEPS)
def test_a_relay_that_dies_between_two_steps_of_fast_sales(works: Works, step: str) -> None:
    wanted = sell_of_all_kinds(works)
    assert works.kill(step)
    works.drain()
    assert works.broker.kinds == wanted
    assert sorted(works.rows().values()) == ["cancelled", "confirmed", "confirmed", "rejected"]
    assert {seat: booking == "b-owner" for seat, booking in works.sold().items()} == {"A-1": False, "A-4": True}
    assert [entry.what for entry in works.ledger.history(works.show, "A-1")] == ["sold", "cancelled", "sold"]
    works.settled()


@pytest.mark.parametrize("step", STEPS)
def test_a_relay_that_dies_between_two_steps_of_pins(strict: Works, step: str) -> None:
    strict.ledger.decide(claim(strict.show, "b-owner", ["A-2"], holder="bo", fence=2**40 + 77))
    first, refused = strict.pin("A-1"), strict.pin("A-2", "A-3")
    assert strict.kill(step)
    strict.drain()
    assert strict.broker.kinds == [*(("confirmed", first.booking), ("rejected", refused.booking))]
    assert strict.states() == {"A-1": ("sold", first.booking), "A-2": ("sold", "b-owner")}
    strict.settled()


def test_every_relay_dies_until_one_does_not(works: Works) -> None:
    wanted = sell_of_all_kinds(works)
    for step in STEPS:
        works.kill(step, batch=2)
    works.drain()
    assert works.broker.kinds == wanted
    works.settled()


@pytest.mark.parametrize("name", BACKENDS)
def test_a_relay_that_dies_on_each_server(
    works_of: Callable[..., Works], server_of: Callable[[str], RedisServer], name: str
) -> None:
    works = Works(server_of(name), works_of().url).open()
    wanted = sell_of_all_kinds(works)
    first, *_ = works.raw.xrange(works.key("outbox"))
    assert works.kill("decide", batch=3)
    assert works.kill("publish", batch=3)
    works.raw.xdel(works.key("outbox"), first[0])  # as a settle that was stopped before it acknowledged
    works.drain()
    assert works.broker.kinds == wanted
    works.settled()
    works.close()


def seats_in_order(events: Sequence[BookingEvent]) -> dict[str, list[tuple[str, str]]]:
    """What was told of each seat, in order."""
    told: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for event in events:
        for seat in event.seats:
            told[seat].append((event.kind, event.booking))
    return told


async def no_look(_: object) -> None:
    """In place of the look at a lease."""


@pytest.mark.parametrize("slow", [True, False])
@pytest.mark.parametrize("step", STEPS)
def test_a_relay_that_slept_while_another_one_took_over(works: Works, step: str, slow: bool) -> None:
    """Also where the sleeper does not notice that its lease is over (``slow``): no row twice, and events in order."""
    wanted: dict[str, list[tuple[str, str]]] = {seat: [] for seat in SEATS}
    for _ in range(3):
        for seat in SEATS:
            booking = works.buy(seat, holder=new_token())
            wanted[seat].append(("confirmed", booking.id))
            works.locker.cancel(booking)
            wanted[seat].append(("cancelled", booking.id))
    last = [works.buy(seat, holder=new_token()) for seat in SEATS]
    for seat, booking in zip(SEATS, last, strict=True):
        wanted[seat].append(("confirmed", booking.id))

    async def race() -> None:
        lease = 0.3
        async with works.relay(lease=lease, batch=20) as first, works.relay(lease=lease, batch=20) as second:
            sleeper = Sleeper(first, step)
            if slow:
                first._keep = no_look  # type: ignore[method-assign]  # it sleeps behind its look
            running = asyncio.create_task(first.run())
            await sleeper.asleep.wait()
            other = asyncio.create_task(second.run())
            await until(lambda: second.counts.batches > 0, "the other one has taken over")
            sleeper.woken.set()
            await until(lambda: works.left() == 0, "all is settled")
            for relay in (first, second):
                relay.stop()
            await asyncio.gather(running, other)

    works.run(race)
    assert dict(seats_in_order(works.broker.once)) == wanted
    assert works.sold() == {seat: booking.id for seat, booking in zip(SEATS, last, strict=True)}
    noted = query(works.ledger, "SELECT seat, what, booking FROM audit WHERE show = :show", show=works.show)
    assert len(noted) == len({tuple(each) for each in noted}) == 7 * len(SEATS), "every row is there once"
    works.settled()


def test_pins_whose_relay_slept(strict: Works) -> None:
    pins = [strict.pin(seat, holder=new_token()) for seat in SEATS]

    async def race() -> None:
        async with strict.relay(lease=0.3) as first, strict.relay(lease=0.3) as second:
            sleeper = Sleeper(first, "decide")
            running = asyncio.create_task(first.run())
            await sleeper.asleep.wait()
            other = asyncio.create_task(second.run())
            await until(lambda: strict.left() == 0, "the other one has taken over")
            sleeper.woken.set()
            for relay in (first, second):
                relay.stop()
            await asyncio.gather(running, other)
            assert first.counts.settled == 0

    strict.run(race)
    assert strict.broker.kinds == [("confirmed", pinned.booking) for pinned in pins]
    strict.settled()


@pytest.mark.parametrize("step", ["decide", "finalise"])
def test_a_booking_that_is_cancelled_while_its_relay_is_about_to_sell_it(strict: Works, step: str) -> None:
    """Cancelled in the ledger and in Redis, and then sold in Redis by a relay that slept, and does not notice it."""
    strict.ledger.decide(claim(strict.show, "b-owner", ["A-2"], holder="bo", fence=2**40 + 77))
    pinned, refused = strict.pin("A-1"), strict.pin("A-2", "A-3")
    with Ledger(strict.url) as ledger:
        checkout = StrictCheckout(strict.locker, ledger)

        def cancel() -> None:
            checkout.cancel(booking_of(pinned), by="eve", reason="refund")
            owner = replace(booking_of(pinned), id="b-owner", seats=("A-2",), fence=2**40 + 77)
            checkout.cancel(replace(owner, holder="bo", payment="p1"), by="eve")

        async def race() -> None:
            async with strict.relay(lease=0.2) as first, strict.relay() as second:
                first._keep = no_look  # type: ignore[method-assign]
                sleeper = Sleeper(first, step)
                running = asyncio.create_task(first.run_once())
                await sleeper.asleep.wait()
                await asyncio.to_thread(cancel)
                await until(lambda: strict.raw.exists(strict.key("relay")) == 0, "its lease is over")
                await second.run_once()
                assert strict.left() == 0
                sleeper.woken.set()
                await running

        strict.run(race)
    assert strict.rows() == {pinned.booking: "cancelled", refused.booking: "rejected", "b-owner": "cancelled"}
    assert strict.states() == {}
    assert ("cancelled", pinned.booking) in strict.broker.kinds
    strict.settled()


def test_a_batch_that_takes_longer_than_the_lease(works: Works) -> None:
    """It is renewed on the way: a ledger far away holds nothing up for good."""
    for seat in SEATS:
        works.ledger.decide(claim(works.show, f"b-{seat}", [seat], holder="bo", fence=2**40 + 77))
        works.buy(seat)

    async def slowly() -> None:
        async with works.relay(lease=0.6) as relay:
            outcome = relay._judge._ledger.outcome

            async def far(*asked: str) -> Record | None:
                await asyncio.sleep(0.1)
                return await outcome(*asked)

            relay._judge._ledger.outcome = far  # type: ignore[method-assign]
            running = asyncio.create_task(relay.run())
            await until(lambda: works.left() == 0, "all is settled")
            relay.stop()
            await running
            assert (relay.counts.settled, relay.counts.batches) == (len(SEATS), 1)

    works.run(slowly)
    assert works.sold() == {seat: f"b-{seat}" for seat in SEATS}
    works.settled()


@pytest.mark.parametrize("how", ["another", "none", "slow"])
def test_a_lease_that_is_gone_is_not_renewed(works: Works, how: str) -> None:
    """Another relay has it, the outbox is another one, or the answer comes too late to know."""
    works.buy("A-1")

    async def lose() -> None:
        async with works.relay(lease=60.0) as relay, works.relay() as other:
            lease = relay_module._Lease(works.show, time.monotonic() + 0.5)
            if how == "another":
                await other._send(take("seatlock", works.show, "other", 60_000, 1))
            elif how == "none":
                works.raw.xtrim(works.key("outbox"), maxlen=0)
            else:
                sending = relay._send

                async def late(operation: object) -> object:
                    answer = await sending(operation)
                    await until(lambda: time.monotonic() >= lease.over, "it is over")
                    return answer

                relay._send = late  # type: ignore[method-assign]
            with pytest.raises(LeaseOver):
                await relay._keep(lease)

    works.run(lose)


def test_one_relay_waits_for_the_other(works: Works) -> None:
    booking = works.buy("A-1")

    async def both() -> None:
        async with works.relay() as first, works.relay() as second:
            sleeper = Sleeper(first, "take")
            running = asyncio.create_task(first.run_once())
            await sleeper.asleep.wait()
            assert (await second.run_once()).batches == 0
            sleeper.woken.set()
            assert (await running).settled == 1
            assert (await second.run_once()).batches == 0

    works.run(both)
    assert works.broker.told[0].booking == booking.id
    works.settled()


def test_a_relay_ends_with_what_is_under_way_and_gives_its_shows_up(works: Works) -> None:
    works.buy("A-1")

    async def stopped() -> None:
        async with works.relay() as relay:
            sleeper = Sleeper(relay, "decide")
            running = asyncio.create_task(relay.run())
            await sleeper.asleep.wait()
            relay.stop()
            relay.stop()
            sleeper.woken.set()
            await running
            assert (relay.counts.settled, works.raw.exists(works.key("relay"))) == (1, 0)

    works.run(stopped)
    works.settled()


def test_a_run_that_is_cancelled_leaves_everything_to_the_next(works: Works) -> None:
    works.buy("A-1")

    async def cancelled() -> None:
        async with works.relay() as relay:
            sleeper = Sleeper(relay, "decide")
            running = asyncio.create_task(relay.run())
            await sleeper.asleep.wait()
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            assert asyncio.all_tasks() == {asyncio.current_task()}

    works.run(cancelled)
    works.end_lease()
    works.drain()
    works.settled()
