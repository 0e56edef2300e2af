"""One show, whose outbox relays work off; and a look at both sides of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Self, TypeVar

from seatlock import AsyncSeatLocker, Booking, Hold, SeatLocker, new_token
from seatlock._commands import derived_booking_id
from seatlock._pinning import Pinned
from seatlock.ledger import AsyncLedger, Ledger
from seatlock.outbox.events import BookingEvent
from seatlock.outbox.relay import Relay, RelayCounts
from tests.ledger.databases import contradictions, query
from tests.support.servers import RedisServer
from tests.support.strict import pin

T = TypeVar("T")

SEATS: Final = tuple(f"A-{number}" for number in range(1, 9))
STEPS: Final = ("take", "decide", "finalise", "publish", "settle")


class Killed(BaseException):
    """The process ends here: nothing that is under way goes on, and nobody tidies up."""


class Broker:
    """Takes down what brokers are told, and may fail."""

    def __init__(self) -> None:
        self.told: list[BookingEvent] = []
        self.failing = 0

    async def publish(self, events: Sequence[BookingEvent]) -> None:
        """Take down, or fail."""
        if self.failing:
            self.failing -= 1
            raise ConnectionError("the broker is away")
        self.told += events

    @property
    def once(self) -> list[BookingEvent]:
        """Each event once, as somebody has them who knows them by their ids."""
        return list({event.id: event for event in self.told}.values())

    @property
    def kinds(self) -> list[tuple[str, str]]:
        """What each event is, and of which booking."""
        return [(event.kind, event.booking) for event in self.once]


class Works:
    """One show, and relays over a ledger."""

    def __init__(self, server: RedisServer, url: str) -> None:
        self.server, self.url = server, url
        self.show = f"relay-{new_token()[:8]}"
        self.raw: Any = server.unix_client()
        self.locker = SeatLocker(self.raw)
        self.ledger = Ledger(url)
        self.broker = Broker()

    def close(self) -> None:
        """Close all."""
        self.ledger.close()
        self.raw.close()

    def open(self, **settings: Any) -> Self:
        """Warm the show, and open it."""
        self.locker.warm(self.show, SEATS, **settings)
        self.locker.open_sale(self.show)
        return self

    # Relays

    @asynccontextmanager
    async def relay(self, *, patience: float = 5.0, **options: Any) -> AsyncIterator[Relay]:
        """A relay of this show, on connections of its own."""
        options = {"shows": [self.show], "grace": 0.0, "publisher": self.broker, **options}
        async with (
            AsyncSeatLocker.from_url(self.server.url, patience=patience) as locker,
            AsyncLedger(self.url, patience=patience) as ledger,
        ):
            yield Relay(locker, ledger, options.pop("publisher"), **options)

    def drain(self, **options: Any) -> RelayCounts:
        """Have a relay work until the outbox is empty."""

        async def drained() -> RelayCounts:
            async with self.relay(**options) as relay:
                return await relay.run_once()

        return asyncio.run(drained())

    def kill(self, step: str, **options: Any) -> bool:
        """Have a relay end without a word behind a step of its first batch: whether it came so far."""

        async def die(name: str) -> None:
            if name == step:
                raise Killed

        async def run() -> None:
            async with self.relay(**options) as relay:
                relay._on_step = die
                await relay.run_once()

        try:
            asyncio.run(run())
        except Killed:
            self.end_lease()
            return True
        return False

    def end_lease(self) -> None:
        """As time does, where the relay of the show says nothing any more."""
        self.raw.delete(self.key("relay"))

    def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run something of asyncio's."""

        async def running() -> T:
            return await work()

        return asyncio.run(running())

    # Buyers

    def acquire(self, *seats: str, holder: str = "ada", **options: Any) -> Hold:
        """Hold seats."""
        return self.locker.acquire(self.show, seats, holder=holder, **options)

    def buy(self, *seats: str, holder: str = "ada", payment: str | None = "pay", **options: Any) -> Booking:
        """Buy seats on a show with fast checkout."""
        return self.locker.confirm(self.acquire(*seats, holder=holder, **options), payment=payment)

    def pin(self, *seats: str, holder: str = "ada", **options: Any) -> Pinned:
        """Pin seats on a show with strict checkout, and go away."""
        return pin(self.locker, self.acquire(*seats, holder=holder, **options))

    # Both sides

    def key(self, name: str) -> str:
        """The name of a key of the show."""
        return f"seatlock:{{{self.show}}}:{name}"

    def left(self) -> int:
        """How many entries the outbox has."""
        return int(self.raw.xlen(self.key("outbox")))

    def pending(self) -> int:
        """How many entries somebody was given and has not acknowledged."""
        return int(self.raw.xpending(self.key("outbox"), "relay")["pending"])

    def aside(self) -> list[dict[str, str]]:
        """What was set aside."""
        found = self.raw.xrange(self.key("aside"))
        return [{name.decode(): value.decode(errors="replace") for name, value in each.items()} for _, each in found]

    def states(self) -> dict[str, tuple[str, str | None]]:
        """The state of each seat that is not free, with its booking."""
        found = self.locker.inspect(self.show, SEATS)
        return {state.seat: (state.state, state.booking) for state in found if state.state != "free"}

    def sold(self) -> dict[str, str]:
        """Which seats the ledger has sold, and to which booking."""
        return {seat.seat: seat.booking for seat in self.ledger.sold(self.show)}

    def rows(self) -> dict[str, str]:
        """The status of every booking of the show that is on record."""
        rows = query(self.ledger, "SELECT id, status FROM bookings WHERE show = :show", show=self.show)
        assert len(dict(map(tuple, rows))) == len(rows)
        return {str(booking): str(status) for booking, status in rows}

    def settled(self) -> None:
        """Nothing is left to do, and both sides say the same."""
        assert (self.left(), self.pending()) == (0, 0)
        assert contradictions(self.ledger) == []
        assert self.locker.check(self.show).sound
        here = {seat: booking for seat, (state, booking) in self.states().items() if state == "sold"}
        assert here == self.sold()


def id_of(hold: Hold) -> str:
    """The id of the booking that a hold becomes."""
    return derived_booking_id(hold.token, hold.seats, hold.pools)


async def until(holds: Callable[[], bool], what: str, within: float = 20.0) -> None:
    """Wait for something that relays do."""
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        await asyncio.sleep(0.005)


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
