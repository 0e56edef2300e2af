"""PostgreSQL away under load, and killed in the middle of COMMIT: nobody is told yes meanwhile, and nothing is lost.

`make outage-long` has it away for a minute; otherwise it is a few seconds.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import pytest
import sqlalchemy as sa

from loadtests.bench.postgres import Postgres
from seatlock import AsyncSeatLocker, Booking, HoldLost, SeatLocker, SeatsUnavailable, new_token
from seatlock.checkout import AsyncStrictCheckout, StrictCheckout
from seatlock.errors import LedgerUnavailable
from seatlock.ledger import AsyncLedger, Ledger
from seatlock.outbox.relay import Relay
from seatlock.reconcile import Reconciler
from tests.ledger.conftest import migrated
from tests.ledger.databases import contradictions, query, url_of
from tests.ledger.faults import at_commit, lose_behind, once
from tests.support.servers import RedisServer

LONG: Final = os.environ.get("SEATLOCK_OUTAGE") == "long"
AWAY: Final = 60.0 if LONG else 2.0  # seconds
AROUND: Final = 5.0 if LONG else 1.0  # seconds of sale before and after
BUYERS: Final = 24
SEATS: Final = tuple(f"S-{number:04d}" for number in range(4_000 if LONG else 1_500))


@dataclass
class Told:
    """What buyers were told: when they asked, when they were answered, and what."""

    answers: list[tuple[float, float, Booking]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    pending: dict[str, Booking] = field(default_factory=dict)

    def between(self, begin: float, end: float) -> list[Booking]:
        """The bookings that were asked for and answered in this time."""
        return [booking for asked, told, booking in self.answers if begin <= asked and told <= end]


async def buy(
    locker: AsyncSeatLocker, checkout: AsyncStrictCheckout, show: str, told: Told, stop: asyncio.Event
) -> None:
    """Buy seat after seat; now and then ask for what others have, ask again, or cancel."""
    chance = random.Random()
    holder = new_token()[:8]
    while not stop.is_set():
        seats = chance.sample(SEATS, 1 + (chance.random() < 0.2))
        try:
            hold = await locker.acquire(show, seats, holder=holder, ttl=60.0, token=new_token())
        except SeatsUnavailable:
            await asyncio.sleep(0)
            continue
        asked = time.monotonic()
        try:
            booking = await checkout.confirm(hold, payment=f"pay-{new_token()[:6]}")
        except HoldLost:
            continue
        told.answers.append((asked, time.monotonic(), booking))
        if booking.status == "pending":
            told.pending[booking.id] = booking
        elif chance.random() < 0.05:
            try:
                await checkout.cancel(booking, by=holder)
            except LedgerUnavailable:
                continue
            told.refused.append(booking.id)


async def sale(server: RedisServer, url: str, postgres: Postgres, show: str) -> tuple[Told, float, float]:
    """Sell, with the database away in the middle, and a relay that works all the time."""
    told, stop = Told(), asyncio.Event()
    async with (
        AsyncSeatLocker.from_url(server.url) as locker,
        AsyncLedger(url, patience=0.5) as ledger,
        AsyncSeatLocker.from_url(server.url) as relays,
        AsyncLedger(url, patience=0.5) as records,
    ):
        checkout = AsyncStrictCheckout(locker, ledger)
        relay = Relay(relays, records, shows=[show], grace=0.5)
        working = asyncio.create_task(relay.run())
        buyers = [asyncio.create_task(buy(locker, checkout, show, told, stop)) for _ in range(BUYERS)]
        await asyncio.sleep(AROUND)
        await asyncio.to_thread(postgres.stop)
        gone = time.monotonic()
        await asyncio.sleep(AWAY)
        back = time.monotonic()
        await asyncio.to_thread(postgres.start_again)
        await asyncio.sleep(AROUND)
        stop.set()
        await asyncio.gather(*buyers)
        relay.stop()
        await working
        left = Relay(relays, records, shows=[show], grace=0.0)
        deadline = time.monotonic() + 30
        while await locker._client.xlen(f"seatlock:{{{show}}}:outbox"):
            assert time.monotonic() < deadline, "the backlog does not drain"
            await left.run_once()
        for booking in list(told.pending.values()):
            final = await checkout.outcome(booking)
            assert final.status in ("confirmed", "cancelled", "rejected"), final
    return told, gone, back


@pytest.mark.timeout(300)
def test_postgresql_is_away_under_load(server_of: Callable[[str], RedisServer], private_postgres: Postgres) -> None:
    server = server_of("redis-7")
    url = migrated(url_of(private_postgres, new_database=True))
    show = f"outage-{new_token()[:8]}"
    with SeatLocker.from_url(server.url) as locker:
        locker.warm(show, SEATS, checkout="strict")
        with Ledger(url) as ledger:
            StrictCheckout(locker, ledger).open_sale(show)
        told, gone, back = asyncio.run(sale(server, url, private_postgres, show))
        judge(locker, url, show, told, gone, back)


def judge(locker: SeatLocker, url: str, show: str, told: Told, gone: float, back: float) -> None:
    """Compare what buyers were told with what both sides say in the end."""
    with Ledger(url) as ledger:
        confirmed = [booking for _, _, booking in told.answers if booking.status == "confirmed"]
        assert len(confirmed) > 50, "it was under load before and after"
        away = told.between(gone, back)
        assert len(away) > 5, "and it was asked meanwhile"
        assert {booking.status for booking in away} == {"pending"}, "nobody was told yes or no meanwhile"
        rows: dict[str, str] = {
            str(booking): str(status)
            for booking, status in query(ledger, "SELECT id, status FROM bookings WHERE show = :show", show=show)
        }
        cancelled = set(told.refused)
        lost = [booking.id for booking in confirmed if booking.id not in cancelled and rows[booking.id] != "confirmed"]
        assert lost == []
        assert all(rows[booking] == "cancelled" for booking in cancelled)
        assert all(rows[booking] in ("confirmed", "cancelled") for booking in told.pending), "what was pinned is sold"
        assert contradictions(ledger) == []
        done = Reconciler(locker, ledger, pin_age=0.001).one_pass(show)
        assert not done.alarming, done
        assert (done.waiting, done.unread, done.aside) == (0, 0, 0)
        states = locker.availability(show).counts
        assert (states["pinned"], states["sold"]) == (0, len(ledger.sold(show, limit=10_000)))
        assert locker.check(show).sound
        print(  # noqa: T201 - what the long run is made for
            f"\nPostgreSQL away for {back - gone:.0f} s: {len(confirmed):,} bookings confirmed before and after, "
            f"{len(away):,} answers meanwhile, all pending; {len(told.pending):,} pending in all, each of them decided "
            "once it was back; lost 0, sold twice 0"
        )


@pytest.mark.parametrize("late", [False, True], ids=["before", "behind"])
def test_postgresql_is_killed_in_the_middle_of_commit(
    server_of: Callable[[str], RedisServer], private_postgres: Postgres, late: bool
) -> None:
    server = server_of("redis-7")
    url = migrated(url_of(private_postgres, new_database=True))
    show = f"killed-{new_token()[:8]}"
    with SeatLocker.from_url(server.url) as locker, Ledger(url, patience=0.5) as ledger:
        locker.warm(show, SEATS[:4], checkout="strict")
        checkout = StrictCheckout(locker, ledger)
        checkout.open_sale(show)
        hold = locker.acquire(show, SEATS[:2], holder="ada")

        def kill(connection: sa.Connection) -> None:
            if late:
                lose_behind(connection)
            private_postgres.stop()

        end = at_commit(ledger, once(kill))
        booking = checkout.confirm(hold, payment="pay")
        assert booking.status == "pending"
        end()
        private_postgres.start_again()
        assert [seat.booking for seat in ledger.sold(show)] == [booking.id] * (2 * late)
        assert checkout.outcome(booking).status == ("confirmed" if late else "pending")
        assert checkout.confirm(hold, payment="pay").status == "confirmed"
        assert [seat.booking for seat in ledger.sold(show)] == [booking.id] * 2
        assert contradictions(ledger) == []
