"""Relays that cannot reach what they need, and how they find their shows."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from seatlock import AsyncSeatLocker, SeatLocker, new_token
from seatlock.errors import InvalidRequest, LedgerFailed, LedgerUnavailable, ServerUnavailable
from seatlock.ledger import AsyncLedger, Ledger
from seatlock.outbox.relay import Relay
from tests.ledger.databases import contradictions
from tests.outbox.works import SEATS, Broker, Sleeper, Works, until
from tests.support.cluster import Cluster
from tests.support.fixtures import PrivateServer

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


@pytest.mark.parametrize("table", ["bookings", "sold_seats", "audit"])
def test_a_database_that_is_only_read_makes_no_poison(works_of: Callable[..., Works], table: str) -> None:
    """It answers what is asked, and refuses whatever is to be written."""
    works = works_of()
    first, second = works.buy("A-1"), works.buy("A-2")
    with closing(sqlite3.connect(works.url.removeprefix("sqlite:///"))) as other:
        other.execute(f"CREATE TRIGGER refuse BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'read only'); END")
        with pytest.raises(LedgerFailed, match="read only"):
            works.drain()
        assert (works.left(), works.aside(), works.rows()) == (2, [], {})
        other.execute("DROP TRIGGER refuse")
    works.end_lease()
    works.drain()
    assert works.rows() == {first.id: "confirmed", second.id: "confirmed"}
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
    assert sorted(works.sold()) == ["A-1", "A-3"]
    assert contradictions(works.ledger) == [], "what was written to try it is undone"


def test_a_relay_that_fails_leaves_its_show_to_one_that_does_not(works: Works) -> None:
    """However long its lease is."""
    booking = works.buy("A-1")
    broken = Broker()
    broken.failing = 10**9

    async def both() -> None:
        async with works.relay(lease=3600.0, publisher=broken) as failing, works.relay(lease=3600.0) as sound:
            first = asyncio.create_task(failing.run())
            await until(lambda: failing.counts.last_error is not None, "it has tried")
            second = asyncio.create_task(sound.run())
            await until(lambda: works.left() == 0, "the other one has the show")
            for relay in (failing, sound):
                relay.stop()
            await asyncio.gather(first, second)
            assert (failing.counts.settled, sound.counts.settled) == (0, 1)

    works.run(both)
    works.buy("A-2")
    with pytest.raises(ConnectionError):
        works.drain(publisher=broken)
    assert works.drain().settled == 1
    assert works.broker.told[0].booking == booking.id
    works.settled()


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
        for odd in ("x" * 600, "con\x01trol"):  # somebody else's, which no show is called
            works.raw.xadd(f"{namespace}:{{{odd}}}:outbox", {"one": "field"})

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
