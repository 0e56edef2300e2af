"""Relays that die, sleep, are stopped, or cannot reach what they need: nothing is lost, nothing is there twice."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

import pytest

from seatlock import AsyncSeatLocker, SeatLocker, new_token
from seatlock.errors import InvalidRequest, LedgerFailed, LedgerUnavailable, ServerUnavailable
from seatlock.ledger import AsyncLedger, Ledger
from seatlock.outbox.events import BookingEvent
from seatlock.outbox.relay import Relay
from tests.ledger.databases import claim, query
from tests.outbox.works import SEATS, STEPS, Broker, Works, until
from tests.support.cluster import Cluster
from tests.support.fixtures import PrivateServer


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
    assert strict.broker.kinds == [("confirmed", first.booking), ("rejected", refused.booking)]
    assert strict.states() == {"A-1": ("sold", first.booking), "A-2": ("sold", "b-owner")}
    strict.settled()


def test_every_relay_dies_until_one_does_not(works: Works) -> None:
    wanted = sell_of_all_kinds(works)
    for step in STEPS:
        works.kill(step, batch=2)
    works.drain()
    assert works.broker.kinds == wanted
    works.settled()


class Sleeper:
    """A relay that sleeps behind a step of its first batch, and is woken by the test."""

    def __init__(self, relay: Relay, step: str) -> None:
        self.asleep, self.woken = asyncio.Event(), asyncio.Event()
        self._step = step
        relay._on_step = self._sleep

    async def _sleep(self, step: str) -> None:
        if step == self._step and not self.asleep.is_set():
            self.asleep.set()
            await self.woken.wait()


def seats_in_order(events: Sequence[BookingEvent]) -> dict[str, list[tuple[str, str]]]:
    """What was told of each seat, in order."""
    told: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for event in events:
        for seat in event.seats:
            told[seat].append((event.kind, event.booking))
    return told


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
                first._check_lease = lambda *_: None  # type: ignore[method-assign]  # it sleeps behind its look
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
    assert len(strict.broker.told) == len(pins), "who finds its lease over tells nobody anything"
    strict.settled()


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


# What is away


def test_brokers_that_are_away(works: Works, caplog: pytest.LogCaptureFixture) -> None:
    booking = works.buy("A-1")
    works.broker.failing = 3

    async def outlast() -> None:
        async with works.relay() as relay:
            running = asyncio.create_task(relay.run())
            await until(lambda: works.left() == 0, "the broker is back")
            relay.stop()
            await running
            assert relay.counts.last_error == "ConnectionError: the broker is away"

    works.run(outlast)
    assert works.broker.kinds == [("confirmed", booking.id)]
    assert [line.message for line in caplog.records if "tries again" in line.message] == [
        "the relay waits, and tries again: ConnectionError: the broker is away"
    ]
    works.settled()
    works.buy("A-2")
    works.broker.failing = 1
    with pytest.raises(ConnectionError):
        works.drain()


def test_a_database_that_is_away_and_comes_back(works_of: Callable[..., Works]) -> None:
    works = works_of()
    booking = works.buy("A-1")

    async def outlast() -> None:
        with closing(sqlite3.connect(works.url.removeprefix("sqlite:///"), isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            async with works.relay(patience=0.1) as relay:
                running = asyncio.create_task(relay.run())
                await until(lambda: relay.counts.last_error is not None, "it has tried")
                assert "LedgerUnavailable" in str(relay.counts.last_error)
                assert (works.left(), works.pending(), works.broker.told) == (1, 1, [])
                other.rollback()
                await until(lambda: works.left() == 0, "the database is back")
                relay.stop()
                await running

    works.run(outlast)
    assert works.rows() == {booking.id: "confirmed"}
    works.settled()


def test_a_database_that_is_away_and_one_try(works_of: Callable[..., Works]) -> None:
    works = works_of()
    works.buy("A-1")
    with closing(sqlite3.connect(works.url.removeprefix("sqlite:///"), isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(LedgerUnavailable):
            works.drain(patience=0.1)
        other.rollback()
    works.end_lease()
    works.drain()
    works.settled()


def test_a_database_without_tables_makes_no_poison(works_of: Callable[..., Works]) -> None:
    works = works_of()
    works.buy("A-1")
    with closing(sqlite3.connect(works.url.removeprefix("sqlite:///"))) as other:
        other.execute("ALTER TABLE bookings RENAME TO elsewhere")
        with pytest.raises(LedgerFailed, match="seatlock migrate"):
            works.drain()
        other.execute("ALTER TABLE elsewhere RENAME TO bookings")
    works.end_lease()
    works.drain()
    assert works.aside() == []
    works.settled()


def test_one_booking_that_the_database_refuses(works_of: Callable[..., Works]) -> None:
    """It is set aside, and the others go on."""
    works = works_of()
    first, odd, last = works.buy("A-1"), works.buy("A-2"), works.buy("A-3")
    with closing(sqlite3.connect(works.url.removeprefix("sqlite:///"))) as other:
        other.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON bookings "
            f"WHEN new.id = '{odd.id}' BEGIN SELECT RAISE(ABORT, 'a rule of its own'); END"
        )
    works.drain()
    assert works.rows() == {first.id: "confirmed", last.id: "confirmed"}
    assert [each["booking"] for each in works.aside()] == [odd.id]
    assert "a rule of its own" in works.aside()[0]["reason"]
    assert works.left() == 0


def test_redis_that_is_away_and_comes_back(works_of: Callable[..., Works], private_server: PrivateServer) -> None:
    server = private_server(config={"appendonly": "yes"})
    works = Works(server, works_of().url).open()
    works.buy("A-1")

    async def outlast() -> None:
        async with works.relay(patience=0.2) as relay:
            sleeper = Sleeper(relay, "decide")
            running = asyncio.create_task(relay.run())
            await sleeper.asleep.wait()
            server.kill()
            sleeper.woken.set()
            await until(lambda: relay.counts.last_error is not None, "it has tried")
            server.start()
            await until(lambda: relay.counts.settled == 1, "Redis is back")
            relay.stop()
            await running

    works.run(outlast)
    works.settled()
    works.close()


# Which shows


async def found_by(url: str, ledger_url: str, namespace: str, broker: Broker, wanted: int, **options: Any) -> Relay:
    """What a relay that finds its shows itself has settled."""
    async with (
        AsyncSeatLocker.from_url(url, namespace=namespace) as locker,
        AsyncLedger(ledger_url) as ledger,
    ):
        relay = Relay(locker, ledger, broker, discover_every=0.05, **options)
        running = asyncio.create_task(relay.run())
        await until(lambda: relay.counts.settled == wanted, "all is settled")
        relay.stop()
        await running
        return relay


def test_shows_are_found_and_let_go(works: Works) -> None:
    namespace = f"own[{new_token()[:6]}]*"
    with SeatLocker(works.server.unix_client(), namespace=namespace) as locker:
        shows = [f"found-{new_token()[:8]}" for _ in range(5)]

        def sell(show: str) -> None:
            locker.warm(show, SEATS)
            locker.open_sale(show)
            locker.confirm(locker.acquire(show, ["A-1"], holder="ada"))

        sell(shows[0])

        async def run() -> None:
            async with (
                AsyncSeatLocker.from_url(works.server.url, namespace=namespace) as own,
                AsyncLedger(works.url) as ledger,
            ):
                relay = Relay(own, ledger, works.broker, discover_every=0.05, at_once=2)
                running = asyncio.create_task(relay.run())
                await until(lambda: relay.counts.settled == 1, "the first show is found")
                for show in shows[1:]:
                    sell(show)
                await until(lambda: relay.counts.settled == 5, "the others too")
                locker.retire(shows[0])
                await until(lambda: relay._serving.keys() == set(shows[1:]), "a retired show is let go")
                assert (await Relay(own, ledger).run_once()).settled == 0
                relay.stop()
                await running

        works.run(run)
        assert {event.show for event in works.broker.told} == set(shows)
        with Ledger(works.url) as ledger:
            assert all(ledger.sold(show) for show in shows)


def test_the_shows_of_a_cluster(works_of: Callable[..., Works], cluster: Cluster) -> None:
    works = works_of()
    namespace = f"own-{new_token()[:6]}"
    with SeatLocker(cluster.client(), namespace=namespace) as locker:
        shows = [f"found-{new_token()[:8]}" for _ in range(12)]
        for show in shows:
            locker.warm(show, SEATS)
            locker.open_sale(show)
            locker.confirm(locker.acquire(show, ["A-1"], holder="ada"))
        url = f"redis+cluster://127.0.0.1:{cluster.nodes[0].port}"
        works.run(lambda: found_by(url, works.url, namespace, works.broker, 12))
        assert {event.show for event in works.broker.told} == set(shows)


def test_a_show_that_is_not_there_yet(works_of: Callable[..., Works]) -> None:
    works = works_of()

    async def wait_for_it() -> None:
        works.locker.retire(works.show)
        async with works.relay(discover_every=0.05) as relay:
            assert (await relay.run_once()).batches == 0
            running = asyncio.create_task(relay.run())
            works.open()
            works.buy("A-1")
            await until(lambda: relay.counts.settled == 1, "it is there")
            relay.stop()
            await running

    works.run(wait_for_it)
    works.settled()


def test_discovery_that_fails(works_of: Callable[..., Works], private_server: PrivateServer) -> None:
    server = private_server()
    works = Works(server, works_of().url).open()
    works.buy("A-1")
    server.kill()

    async def outlast() -> None:
        async with works.relay(patience=0.2, shows=(), discover_every=0.05) as relay:
            with pytest.raises(ServerUnavailable):
                await relay.run_once()
            running = asyncio.create_task(relay.run())
            await until(lambda: relay.counts.last_error is not None, "it has tried")
            server.start()
            works.open()
            works.buy("A-1")
            await until(lambda: relay.counts.settled == 1, "Redis is back")
            relay.stop()
            await running

    works.run(outlast)
    works.close()


@pytest.mark.parametrize(
    "odd",
    [
        *({"batch": 0}, {"batch": 501}, {"batch": True}, {"at_once": 0}, {"at_once": "2"}, {"lease": 0.0}),
        *({"lease": 3601.0}, {"grace": -1.0}, {"discover_every": 0}, {"shows": ["{x}"]}),
    ],
)
def test_settings_that_are_none(works_of: Callable[..., Works], odd: dict[str, Any]) -> None:
    async def make() -> None:
        async with works.relay(**odd):
            pass

    works = works_of()
    with pytest.raises(InvalidRequest):
        works.run(make)
