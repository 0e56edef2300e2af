"""Strict checkout as tests use it: one show, both colours behind one face, and a look at both sides of it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final, Literal, Self

from seatlock import AsyncSeatLocker, Hold, SeatLocker, new_token
from seatlock.checkout import AsyncStrictCheckout, StrictCheckout
from seatlock.ledger import AsyncLedger, Ledger
from seatlock.outbox.relay import Relay, RelayCounts
from seatlock.reconcile import Reconciler
from tests.ledger.databases import contradictions, query
from tests.support.lockers import Blocking
from tests.support.servers import RedisServer

Kind = Literal["sync", "async"]
SEATS: Final = tuple(f"A-{number}" for number in range(1, 9))
_numbers: Final = itertools.count(1)


class Killed(BaseException):
    """The process ends here: nothing that is under way goes on, and nobody tidies up."""


class Counter:
    """One show, sold by strict checkout over a ledger."""

    def __init__(
        self, server: RedisServer, url: str, colour: Kind, runner: asyncio.Runner, patience: float = 5.0
    ) -> None:
        self.server, self.url, self.colour, self.runner, self.patience = server, url, colour, runner, patience
        self.show = f"strict-{new_token()[:6]}-{next(_numbers)}"
        self.raw: Any = server.unix_client()
        self.plain = SeatLocker(server.unix_client())
        self.ledger = Ledger(url, patience=patience)
        self._mine: list[Any] = [self.raw, self.plain._client, self.ledger]
        self.checkout: Any
        self.locker: Any
        if colour == "sync":
            self.locker, self.checkout = self.plain, StrictCheckout(self.plain, self.ledger)
            self.wrapped: Any = self.checkout
        else:
            client = server.async_unix_client()
            locker, ledger = AsyncSeatLocker(client), AsyncLedger(url, patience=patience)
            self.wrapped = AsyncStrictCheckout(locker, ledger)
            self.locker, self.checkout = Blocking(locker, runner), Blocking(self.wrapped, runner)
            self._async = (locker, ledger, client)

    def close(self) -> None:
        """Close all."""
        if self.colour == "async":
            locker, ledger, client = self._async
            for closing in (locker.aclose, ledger.aclose, client.aclose):
                self.runner.run(closing())
        for mine in self._mine:
            mine.close()

    def open(self, **settings: Any) -> Self:
        """Warm the show, and open it as an operator does."""
        self.plain.warm(self.show, SEATS, checkout="strict", **settings)
        self.checkout.open_sale(self.show)
        return self

    # What mends

    @asynccontextmanager
    async def relay(self, **options: Any) -> AsyncIterator[Relay]:
        """A relay of this show, on connections of its own."""
        async with (
            AsyncSeatLocker.from_url(self.server.url, patience=self.patience) as locker,
            AsyncLedger(self.url, patience=self.patience) as ledger,
        ):
            yield Relay(locker, ledger, **{"shows": [self.show], "grace": 0.0, **options})

    def drain(self, die: str = "") -> RelayCounts:
        """Have a relay work until the outbox is empty, or die behind a step of its first batch."""

        async def dying(step: str) -> None:
            if step == die:
                raise Killed

        async def drained() -> RelayCounts:
            async with self.relay() as relay:
                relay._on_step = dying
                return await relay.run_once()

        return self.runner.run(drained())

    def repair(self) -> None:
        """Have the relay and reconcile do what they do in the end: both find nothing more then."""
        self.raw.delete(self.key("relay"))  # the lease of one that has died ends
        self.drain()
        reconciler = Reconciler(self.plain, self.ledger, pin_age=0.001)
        reconciler.one_pass(self.show)
        self.drain()
        done = reconciler.one_pass(self.show)
        assert not done.kinds, done
        assert (done.waiting, done.unread, done.aside) == (0, 0, 0)
        assert not any(state == "pinned" for state, _ in self.states().values())
        self.sound()

    def acquire(self, *seats: str, holder: str = "ada", **options: Any) -> Hold:
        """Hold seats."""
        return self.plain.acquire(self.show, seats, holder=holder, **options)

    def key(self, name: str) -> str:
        """The name of a key of the show."""
        return f"seatlock:{{{self.show}}}:{name}"

    def states(self, seats: Iterable[str] = SEATS) -> dict[str, tuple[str, str | None]]:
        """The state of each seat that is not free, with its booking."""
        found = self.plain.inspect(self.show, seats)
        return {state.seat: (state.state, state.booking) for state in found if state.state != "free"}

    def sold(self) -> dict[str, str]:
        """Which seats the ledger has sold, and to which booking."""
        return {seat.seat: seat.booking for seat in self.ledger.sold(self.show)}

    def rows(self) -> dict[str, str]:
        """The status of every booking of the show that is on record."""
        rows = query(self.ledger, "SELECT id, status FROM bookings WHERE show = :show", show=self.show)
        return dict((str(booking), str(status)) for booking, status in rows)  # noqa: C402 - of two

    def entries(self) -> list[dict[str, str]]:
        """What the outbox has."""
        found = self.raw.xrange(self.key("outbox"))
        return [{name.decode(): value.decode() for name, value in fields.items()} for _, fields in found]

    def sound(self) -> None:
        """Neither side contradicts itself, and what is pinned or sold here is what the ledger says."""
        assert contradictions(self.ledger) == []
        checked = self.plain.check(self.show)
        assert checked.sound, checked
        here = {seat: booking for seat, (state, booking) in self.states().items() if state == "sold"}
        assert here == self.sold()
        stock = self.ledger.pools(self.show)
        assert {name: pool.sold for name, pool in self.plain.availability(self.show).pools.items()} == {
            name: pool.sold for name, pool in stock.items()
        }
