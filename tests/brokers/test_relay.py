"""The whole way: what was bought and cancelled in Redis, through a relay and the ledger, to who reads a real broker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from seatlock import new_token
from seatlock.outbox.events import BookingEvent
from seatlock.outbox.publishing import publisher_of
from tests.brokers.readers import Desk, Reader
from tests.outbox.works import SEATS, Works, until

Wanted = dict[str, list[tuple[str, str]]]


def traded(works: Works, rounds: int) -> Wanted:
    """Buy every seat and cancel it, time and again; at last it stays sold. Gives what is to be told of each seat."""
    wanted: Wanted = {seat: [] for seat in SEATS}
    for number in range(rounds):
        for seat in SEATS:
            booking = works.buy(seat, holder=new_token())
            wanted[seat].append(("confirmed", booking.id))
            if number < rounds - 1:
                works.locker.cancel(booking)
                wanted[seat].append(("cancelled", booking.id))
    return wanted


def by_seat(reader: Reader) -> Wanted:
    found: Wanted = {}
    for event in reader.seen.values():
        for seat in event.seats:
            found.setdefault(seat, []).append((event.kind, event.booking))
    return found


def count(wanted: Wanted) -> int:
    return sum(map(len, wanted.values()))


async def told(desk: Desk, wanted: Wanted) -> Reader:
    """Read until as many different events are there as there should be."""
    reader = Reader()
    while missing := count(wanted) - len(reader.seen):
        reader.take(await desk.read(missing))
    return reader


async def test_every_fact_once_and_in_order_per_seat(mortal_desk: Desk, works_of: Callable[..., Works]) -> None:
    """While a relay works, its broker is stopped, and started again when the relay has noticed."""
    desk, works = mortal_desk, await asyncio.to_thread(works_of)
    wanted = await asyncio.to_thread(traded, works, 4)
    async with (
        publisher_of(desk.url, timeout=3.0) as publisher,
        works.relay(batch=20, publisher=publisher) as relay,
    ):
        stopped = False

        async def stop(step: str) -> None:
            nonlocal stopped
            if step == "finalise" and relay.counts.batches == 1 and not stopped:
                stopped = True
                await asyncio.to_thread(desk.server.stop)

        relay._on_step = stop
        running = asyncio.create_task(relay.run())
        await until(lambda: relay.counts.last_error is not None, "the relay has noticed", within=60.0)
        assert "PublishFailed" in str(relay.counts.last_error)
        assert works.left() == count(wanted) - 20, "nothing is settled that was not told"
        await asyncio.to_thread(desk.server.start)
        await until(lambda: works.left() == 0, "all is settled", within=60.0)
        relay.stop()
        await running
    reader = await told(desk, wanted)
    assert by_seat(reader) == wanted
    works.settled()


async def test_a_relay_that_ended_between_telling_and_settling(desk: Desk, works_of: Callable[..., Works]) -> None:
    works = await asyncio.to_thread(works_of)
    wanted = await asyncio.to_thread(traded, works, 2)
    events: list[BookingEvent] = []

    class Noting:
        """Notes what is told, on its way."""

        async def publish(self, told: list[BookingEvent]) -> None:
            await publisher.publish(told)
            events.extend(told)

    async with publisher_of(desk.url) as publisher:

        async def die(step: str) -> None:
            if step == "publish":
                raise asyncio.CancelledError

        async with works.relay(batch=5, publisher=Noting()) as relay:
            relay._on_step = die
            await asyncio.wait({asyncio.create_task(relay.run_once())})
        works.end_lease()
        async with works.relay(batch=5, publisher=Noting()) as relay:
            await relay.run_once()
    reader = Reader()
    reader.take(await desk.read(len(events)))
    assert len(events) > len(reader.seen) == count(wanted), "some were told twice"
    assert by_seat(reader) == wanted
    works.settled()
