"""seatlock itself, grouped, one by one and blocking; and its scripts sent by a bare client, for comparison."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from loadtests.bench.contestants.base import POOL, TTL, Contestant, ThreadContestant, WrongResult, insist
from loadtests.bench.stage import Stage
from seatlock import AsyncSeatLocker, SeatingPlan, SeatLocker, SeatsUnavailable, new_token

SHOW: Final = "bench"
PATIENCE: Final = 60  # seconds; with batching off, ten thousand buyers wait longer than the default
_KEY: Final = f"seatlock:{{{SHOW}}}:"
_SEAT, _HOLDER, _BOOKING = "marked-seat", "marked-holder", "marked-booking"


def seat(number: int) -> str:
    """The id of a seat."""
    return f"S-{number}"


@lru_cache(maxsize=4)
def plan(count: int) -> SeatingPlan:
    """A plan of so many seats."""
    return SeatingPlan.of([seat(number) for number in range(count)])


def restock(stage: Stage, count: int, show: str = SHOW) -> None:
    """Warm and open a fresh show on an emptied server."""
    stage.flush()
    with SeatLocker(stage.control) as locker:
        locker.warm(show, plan(count))
        locker.open_sale(show)


def prove_sold(stage: Stage, count: int, who: str) -> None:
    """Every seat is sold, and there are as many outbox entries as seats: each was sold once."""
    fields: list[bytes] = stage.control.hvals(f"{_KEY}seats")
    sold = sum(field.startswith(b"s") for field in fields)
    entries = stage.control.xlen(f"{_KEY}outbox")
    insist(sold == entries == count, who, f"{count} seats, {sold} sold, {entries} outbox entries")


def prove_held(stage: Stage, count: int, who: str) -> None:
    """So many seats are held."""
    fields: list[bytes] = stage.control.hvals(f"{_KEY}seats")
    held = sum(field.startswith(b"h") for field in fields)
    insist(held == count, who, f"{count} seats should be held, {held} are")


class Seatlock(Contestant):
    """`AsyncSeatLocker` as it comes: concurrent calls share script calls."""

    name = "seatlock"
    booking = "acquire and confirm of one seat, with its outbox entry"
    batching = True

    async def open(self) -> None:
        self.locker = await self.stack.enter_async_context(
            AsyncSeatLocker.from_url(self.stage.url, patience=PATIENCE, batching=self.batching)
        )

    async def stock(self, count: int) -> None:
        restock(self.stage, count)
        self.seats = [seat(number) for number in range(count)]

    async def book(self, number: int) -> None:
        hold = await self.locker.acquire(SHOW, [self.seats[number]], holder=f"user-{number}", ttl=TTL)
        await self.locker.confirm(hold, payment=f"pay-{number}")

    async def check(self, count: int) -> None:
        prove_sold(self.stage, count, self.name)

    async def ask(self, number: int) -> bool:
        try:
            await self.locker.acquire(SHOW, [self.seats[0]], holder=f"user-{number}", ttl=TTL)
        except SeatsUnavailable:
            return False
        return True

    async def hold_four(self, number: int) -> None:
        at = 4 * number
        await self.locker.acquire(SHOW, self.seats[at : at + 4], holder=f"user-{number}", ttl=TTL)

    async def check_fours(self, count: int) -> None:
        prove_held(self.stage, 4 * count, self.name)


class SeatlockUngrouped(Seatlock):
    """`AsyncSeatLocker` with the group commit switched off."""

    name = "seatlock, batching off"
    batching = False


class _Recorder:
    """A client that keeps the last command it was given: what seatlock sends, whatever it is made of."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self.command: list[Any] = []

    def execute_command(self, *args: Any, **options: Any) -> Any:
        self.command = list(args)
        return self._client.execute_command(*args, **options)


class Prepared:
    """The commands of seatlock's single acquires and confirms, their arguments ready to send for any seat.

    They are recorded once, on a show of one seat with marked names; for another seat the marks are replaced.
    """

    def __init__(self, stage: Stage, seats: int = 1) -> None:
        marked = [f"{_SEAT}-{index}" for index in range(seats)]
        recorder = _Recorder(stage.control)
        locker = SeatLocker(recorder)  # type: ignore[arg-type] - it only ever calls execute_command
        self._show = f"template-of-{seats}"
        self._token = new_token()
        locker.warm(self._show, marked)
        locker.open_sale(self._show)
        for _ in range(2):  # the second time, which changes nothing, the server knows the script by its hash
            hold = locker.acquire(self._show, marked, holder=_HOLDER, ttl=TTL, token=self._token)
        self._acquire = self._filler(recorder.command, marked)
        for _ in range(2):
            locker.confirm(hold, payment=f"pay-{_HOLDER}", booking=_BOOKING)
        self._confirm = self._filler(recorder.command, marked)

    def _filler(self, command: list[Any], marked: list[str]) -> Callable[[list[str], str, str], tuple[Any, ...]]:
        """Make a function that gives the arguments of `evalsha` for other seats, another holder and token."""
        if command[0] != "EVALSHA":
            raise WrongResult(f"recorded {command[0]}, not EVALSHA: the server had forgotten the script")
        raw = [
            arg if isinstance(arg, int) else arg if isinstance(arg, bytes) else str(arg).encode() for arg in command[1:]
        ]
        mine = [self._show, _HOLDER, _BOOKING, self._token]
        changing = [
            index
            for index, arg in enumerate(raw)
            if isinstance(arg, bytes) and any(word.encode() in arg for word in (*mine, *marked))
        ]

        def fill(seats: list[str], holder: str, token: str) -> tuple[Any, ...]:
            pairs = list(zip(marked, seats, strict=True))[::-1]  # marked-seat-10 before marked-seat-1
            pairs += zip(mine, (SHOW, holder, f"bk-{token}", token), strict=True)
            args = raw.copy()
            for index in changing:
                arg = args[index]
                for old, new in pairs:
                    arg = arg.replace(old.encode(), new.encode())
                args[index] = arg
            return tuple(args)

        return fill

    def acquire(self, number: int, token: str) -> tuple[Any, ...]:
        """The arguments of one seat's acquire."""
        return self._acquire([seat(number)], f"user-{number}", token)

    def acquire_four(self, number: int, token: str) -> tuple[Any, ...]:
        """The arguments of one acquire of four seats."""
        return self._acquire([seat(4 * number + index) for index in range(4)], f"user-{number}", token)

    def confirm(self, number: int, token: str) -> tuple[Any, ...]:
        """The arguments of one seat's confirm."""
        return self._confirm([seat(number)], f"user-{number}", token)


def bare_client(stage: Stage) -> redis.Redis:
    """A client of redis-py's with the settings that `SeatLocker.from_url` uses."""
    return redis.Redis.from_url(stage.url, socket_timeout=2.0, retry=Retry(NoBackoff(), 0))


def bare_async_client(stage: Stage) -> redis.asyncio.Redis:
    """An asyncio client of redis-py's with the settings that `AsyncSeatLocker.from_url` uses."""
    return redis.asyncio.Redis.from_url(stage.url, socket_timeout=2.0, retry=AsyncRetry(NoBackoff(), 0))


def async_pool(stage: Stage) -> redis.asyncio.Redis:
    """An asyncio client that shares `POOL` connections among any number of tasks."""
    pool = redis.asyncio.BlockingConnectionPool(
        max_connections=POOL,
        timeout=None,
        connection_class=redis.asyncio.UnixDomainSocketConnection,
        path=stage.socket,
    )
    return redis.asyncio.Redis.from_pool(pool)


class BareEvalsha(Contestant):
    """seatlock's scripts, one request a call, by redis-py's ``evalsha`` with arguments made beforehand."""

    name = "bare EVALSHA, redis-py asyncio"
    booking = "the same two scripts, a call each, the arguments made beforehand"

    async def open(self) -> None:
        self.client = await self.stack.enter_async_context(async_pool(self.stage))

    async def stock(self, count: int) -> None:
        restock(self.stage, count)
        prepared = Prepared(self.stage)
        fours = Prepared(self.stage, seats=4)
        tokens = [new_token() for _ in range(count)]
        self.acquires = [prepared.acquire(number, token) for number, token in enumerate(tokens)]
        self.confirms = [prepared.confirm(number, token) for number, token in enumerate(tokens)]
        self.fours = [fours.acquire_four(number, tokens[number]) for number in range(count // 4)]

    async def book(self, number: int) -> None:
        held = await self.client.evalsha(*self.acquires[number])
        insist(held[1][0] == b"held", self.name, f"acquire answered {held}")
        booked = await self.client.evalsha(*self.confirms[number])
        insist(booked[1][0] == b"booked", self.name, f"confirm answered {booked}")

    async def check(self, count: int) -> None:
        prove_sold(self.stage, count, self.name)

    async def hold_four(self, number: int) -> None:
        held = await self.client.evalsha(*self.fours[number])
        insist(held[1][0] == b"held", self.name, f"acquire answered {held}")

    async def check_fours(self, count: int) -> None:
        prove_held(self.stage, 4 * count, self.name)


class SeatlockThreads(ThreadContestant):
    """One `SeatLocker`, shared by the threads."""

    name = "seatlock, SeatLocker"
    booking = Seatlock.booking

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self.locker = SeatLocker.from_url(stage.url, patience=PATIENCE)

    def stock(self, count: int) -> None:
        restock(self.stage, count)

    def book(self, number: int) -> None:
        hold = self.locker.acquire(SHOW, [seat(number)], holder=f"user-{number}", ttl=TTL)
        self.locker.confirm(hold, payment=f"pay-{number}")

    def check(self, count: int) -> None:
        prove_sold(self.stage, count, self.name)

    def close(self) -> None:
        self.locker.close()
