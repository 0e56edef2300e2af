"""Kafka, RabbitMQ and Redis streams receive every event, and a reader that deduplicates sees each once, in order."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import pytest

from seatlock.errors import InvalidRequest, PublishFailed
from seatlock.outbox.events import BookingEvent
from seatlock.outbox.publishing import publisher_of
from tests.brokers.readers import Desk, KafkaDesk, RabbitDesk, Reader
from tests.brokers.sales import event, sale


def in_order(reader: Reader, events: Sequence[BookingEvent]) -> None:
    """Each event was seen once, and those of each seat and each booking in the order they were told."""
    assert set(reader.seen) == {told.id for told in events}
    told = Reader()
    told.seen = {each.id: each for each in events}
    for show, seat in {(each.show, seat) for each in events for seat in each.seats}:
        assert reader.of_seat(show, seat) == told.of_seat(show, seat)
    for show, booking in {(each.show, each.booking) for each in events}:
        assert reader.of_booking(show, booking) == told.of_booking(show, booking)


async def test_every_event_is_received_in_order(desk: Desk) -> None:
    events = sale(1_500)
    async with publisher_of(desk.url) as publisher:
        await publisher.publish(events)
        messages = await desk.read(len(events))
    reader = Reader()
    reader.take(messages)
    in_order(reader, events)
    for show in {each.show for each in events}:
        assert [m.event for m in messages if m.event.show == show] == [e for e in events if e.show == show]


async def test_what_is_outside_of_a_message(desk: Desk) -> None:
    first, second = event("b-1", show="Ä/1"), event("b-2", "rejected", show="Ä/1", seats=["A-2"])
    async with publisher_of(desk.url) as publisher:
        await publisher.publish([first, second])
    messages = await desk.read(2)
    assert [message.event for message in messages] == [first, second]
    for message in messages:
        assert message.id == message.event.id
        assert (message.outside["schema"], message.outside["kind"]) == ("1", message.event.kind)
        match desk:
            case KafkaDesk():
                assert (message.outside["key"], message.outside["content-type"]) == ("Ä/1", "application/json")
            case RabbitDesk():
                assert message.place == (f"{message.event.kind}.Ä/1", 2), "2: kept on disk"
                assert message.outside["content-type"] == "application/json"
            case _:
                assert message.outside["show"] == "Ä/1"
    if isinstance(desk, KafkaDesk):
        assert messages[0].place[0] == messages[1].place[0], "the events of a show are in one partition"


async def test_longest_names(desk: Desk) -> None:
    longest = event("b" * 256, show="ß" * 64, seats=[f"{n:03}" + "ß" * 62 for n in range(100)])
    async with publisher_of(desk.url) as publisher:
        await publisher.publish([longest])
    (message,) = await desk.read(1)
    assert (message.event, message.id) == (longest, longest.id)


async def test_repeated_in_whole_and_in_part(desk: Desk) -> None:
    """As a relay does that was stopped somewhere: from some event on, it tells all again."""
    events, rng = sale(200, seats=5), random.Random(7)
    reader, told, start = Reader(), 0, 0
    async with publisher_of(desk.url) as publisher:
        while start < len(events):
            end = min(start + rng.randint(1, 40), len(events))
            await publisher.publish(events[start:end])
            told += end - start
            start = max(0, end - rng.randint(0, 20)) if end < len(events) else end
        await publisher.publish(events)
        reader.take(await desk.read(told + len(events)))
    in_order(reader, events)


async def test_nothing_to_tell(desk: Desk) -> None:
    async with publisher_of(desk.url) as publisher:
        await publisher.publish([])


async def test_calls_at_once_take_turns(desk: Desk) -> None:
    parts = [sale(200)[start : start + 20] for start in range(0, 200, 20)]
    async with publisher_of(desk.url) as publisher:
        await asyncio.gather(*map(publisher.publish, parts))
    reader = Reader()
    reader.take(await desk.read(200))
    in_order(reader, sale(200))


async def test_a_publisher_that_was_closed_is_used_no_more(desk: Desk) -> None:
    async with publisher_of(desk.url) as publisher:
        await publisher.publish([event("b-1")])
    with pytest.raises(InvalidRequest, match="closed"):
        await publisher.publish([event("b-2")])
    assert [message.event.booking for message in await desk.read(1)] == ["b-1"]


async def test_stopped_and_started_in_the_middle(mortal_desk: Desk) -> None:
    """What is told while the broker is away fails; told again from there on, nothing is lost."""
    desk, events, done = mortal_desk, sale(300, seats=5), 0
    failures: list[str] = []
    async with publisher_of(desk.url, timeout=3.0) as publisher:
        while done < len(events):
            if done == 100 and not failures:
                desk.server.stop()
            try:
                await publisher.publish(events[done : done + 50])
            except PublishFailed as error:
                failures.append(str(error))
                if len(failures) == 2:
                    desk.server.start()
            else:
                done += 50
    assert len(failures) >= 2
    assert all("tell all of these again" in message for message in failures)
    reader = Reader()
    reader.take(await desk.read(len(events)))
    in_order(reader, events)


async def test_a_broker_that_came_back_while_there_was_nothing_to_tell(mortal_desk: Desk) -> None:
    desk = mortal_desk
    async with publisher_of(desk.url, timeout=30.0) as publisher:
        await publisher.publish([event("b-1")])
        desk.server.stop()
        desk.server.start()
        await publisher.publish([event("b-2", seats=["A-2"])])
    reader = Reader()
    reader.take(await desk.read(2))
    assert [each.booking for each in reader.seen.values()] == ["b-1", "b-2"]


async def test_killed_while_it_is_told(mortal_desk: Desk) -> None:
    """Cut off at any point: what was acknowledged is there, and what was not is told again."""
    desk, events, rng = mortal_desk, sale(600, seats=5), random.Random(3)
    kills = failures = done = 0
    async with publisher_of(desk.url, timeout=3.0) as publisher:
        while done < len(events):
            part = events[done : done + 200]
            telling = asyncio.create_task(publisher.publish(part))
            if kills < 3:
                await asyncio.sleep(rng.uniform(0.0, 0.03))  # anywhere in the middle, or before, or after
                desk.server.kill()
            try:
                await telling
            except PublishFailed:
                failures += 1
            else:
                done += len(part)
            if not desk.server.running:
                kills += 1
                desk.server.start()
    assert failures, "it was cut off at least once"
    reader = Reader()
    reader.take(await desk.read({each.id for each in events}))
    in_order(reader, events)


async def test_cancelled_in_the_middle(desk: Desk) -> None:
    events = sale(400, seats=5)
    async with publisher_of(desk.url) as publisher:
        for turns in (0, 1, 3, 10, 30, 100):
            telling = asyncio.create_task(publisher.publish(events))
            for _ in range(turns):
                await asyncio.sleep(0)
            telling.cancel()
            with pytest.raises(asyncio.CancelledError):
                await telling
        await publisher.publish(events)
    reader = Reader()
    reader.take(await desk.read({each.id for each in events}))
    in_order(reader, events)
