"""Strict confirms a second, with PostgreSQL on the same machine; beside them fast confirms and the ledger alone.

Holds are made beforehand. Clients are processes of their own, of which each confirms its part of one show's seats.
PostgreSQL commits to the disk (``synchronous_commit`` is on), Redis keeps nothing. No relay runs, so the outbox grows.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from multiprocessing.connection import Connection
from typing import Final

import msgspec
import psycopg

from loadtests.bench.contestants.base import TTL, insist
from loadtests.bench.contestants.seats import PATIENCE, plan, seat
from loadtests.bench.cpu import tree_cpu_seconds
from loadtests.bench.postgres import Postgres
from loadtests.bench.progress import say
from loadtests.bench.results import Strict, StrictRun
from loadtests.bench.runs import LIMIT, in_turn
from loadtests.bench.scaling import START, receive, workers
from loadtests.bench.settings import Settings
from loadtests.bench.stage import Stage
from seatlock import AsyncSeatLocker, Hold, SeatLocker, new_token
from seatlock.checkout import AsyncStrictCheckout
from seatlock.ledger import AsyncLedger, Claim, Ledger, hash_of

STRICT: Final = "strict confirm"
FAST: Final = "fast confirm"
LEDGER: Final = "the ledger alone"
DURABLE: Final = {
    "listen_addresses": "",
    "synchronous_commit": "on",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "1h",
}
_COUNT: Final = """
SELECT (SELECT count(*) FROM sold_seats WHERE show = %(show)s),
  (SELECT count(*) FROM bookings WHERE show = %(show)s AND status = 'confirmed'),
  (SELECT count(DISTINCT seat) FROM audit WHERE show = %(show)s AND what = 'sold')
"""
_TOGETHER: Final = 1_000  # holds that are made at once


class Job(msgspec.Struct, frozen=True):
    """What a client does: of a show the seats ``first``, ``first + step`` and so on."""

    way: str
    url: str
    database: str
    show: str
    seats: int
    first: int
    step: int
    buyers: int


class _Done(msgspec.Struct, frozen=True):
    began: float
    ended: float
    cpu: float


def claim_of(show: str, number: int) -> Claim:
    """A claim that no hold stands behind."""
    token = new_token()
    return Claim(
        show=show,
        booking=f"bk-{token}",
        holder=f"user-{number}",
        token_hash=hash_of(token),
        epoch=1,
        fence=(1 << 40) + number,
        seats=(seat(number),),
        payment=f"pay-{number}",
    )


async def holds_of(locker: AsyncSeatLocker, job: Job) -> list[Hold]:
    """Hold the seats of a job, each for somebody else."""
    numbers = range(job.first, job.seats, job.step)
    holds: list[Hold] = []
    for at in range(0, len(numbers), _TOGETHER):
        some = numbers[at : at + _TOGETHER]
        holds += await asyncio.gather(*(locker.acquire(job.show, [seat(n)], holder=f"user-{n}", ttl=TTL) for n in some))
    return holds


async def prepared(job: Job, stack: AsyncExitStack) -> list[Callable[[], Awaitable[str]]]:
    """Make all ready: gives what is to be done, each of which tells the status that it got."""
    locker = await stack.enter_async_context(AsyncSeatLocker.from_url(job.url, patience=PATIENCE))
    ledger = await stack.enter_async_context(AsyncLedger(job.database, patience=PATIENCE))
    if job.way == LEDGER:
        claims = [claim_of(job.show, number) for number in range(job.first, job.seats, job.step)]
        await ledger.decide(claim_of(f"{job.show}-first-{job.first}", 0))  # the connection, and the statements

        def deciding(claim: Claim) -> Callable[[], Awaitable[str]]:
            async def decide() -> str:
                return (await ledger.decide(claim)).status

            return decide

        return [deciding(claim) for claim in claims]
    checkout = AsyncStrictCheckout(locker, ledger)
    await asyncio.gather(*(ledger.decide(claim_of(f"{job.show}-first-{job.first}", n)) for n in range(2_000)))
    confirm = locker.confirm if job.way == FAST else checkout.confirm

    def confirming(number: int, hold: Hold) -> Callable[[], Awaitable[str]]:
        async def one() -> str:
            return (await confirm(hold, payment=f"pay-{number}")).status

        return one

    return [confirming(number, hold) for number, hold in enumerate(await holds_of(locker, job))]


async def carry_out(deeds: list[Callable[[], Awaitable[str]]], buyers: int) -> None:
    """Let so many do these, each one after another."""
    left = iter(deeds)

    async def buyer() -> None:
        for deed in left:
            status = await deed()
            insist(status == "confirmed", "strict checkout", f"a booking is {status}")

    async with asyncio.timeout(LIMIT):
        await asyncio.gather(*(buyer() for _ in range(buyers)))


def work(pipe: Connection) -> None:
    """A client process: takes jobs until there are no more."""
    while (job := pipe.recv()) is not None:
        asyncio.run(_work(job, pipe))


async def _work(job: Job, pipe: Connection) -> None:
    async with AsyncExitStack() as stack:
        deeds = await prepared(job, stack)
        pipe.send("ready")
        pipe.recv()  # the word to go
        gc.collect()
        gc.freeze()  # the holds are not looked through again and again: they are what the benchmark brings along
        began, cpu = time.monotonic(), time.process_time()
        await carry_out(deeds, job.buyers)
        pipe.send(_Done(began, time.monotonic(), time.process_time() - cpu))
        gc.unfreeze()
        pipe.recv()  # its connections stay until PostgreSQL's CPU is read: that of a backend that ended is less exact


class Office:
    """Redis of the stage, and a PostgreSQL of its own, which has the tables of the ledger."""

    def __init__(self, stage: Stage, database: Postgres) -> None:
        self.stage = stage
        self.database = database
        self.url = f"postgresql://bench@/postgres?host={database.directory}"
        with Ledger(self.url) as ledger:
            ledger.migrate()

    def open_show(self, way: str, seats: int) -> str:
        """Open a fresh show on an emptied Redis; the ledger keeps what it has."""
        show = f"{way.replace(' ', '-')}-{new_token()[:8]}"
        self.stage.flush()
        with SeatLocker(self.stage.control) as locker:
            locker.warm(show, plan(seats), checkout="fast" if way == FAST else "strict")
            locker.open_sale(show)
        return show

    def prove(self, way: str, show: str, seats: int) -> None:
        """All seats are sold, once each, on either side that is to know of it."""
        key = f"seatlock:{{{show}}}:"
        if way != LEDGER:
            fields: list[bytes] = self.stage.control.hvals(f"{key}seats")
            sold, entries = sum(field.startswith(b"s") for field in fields), self.stage.control.xlen(f"{key}outbox")
            insist(sold == entries == seats, way, f"{seats} seats, {sold} sold, {entries} outbox entries")
        if way != FAST:
            with psycopg.connect(self.database.conninfo) as connection:
                counted = connection.execute(_COUNT, {"show": show}).fetchone()
            insist(counted == (seats,) * 3, way, f"{seats} seats; seats, bookings and notes in the ledger: {counted}")

    def run(self, way: str, pipes: list[Connection], seats: int, buyers: int) -> StrictRun:
        """Let so many processes confirm all seats of a fresh show together."""
        show = self.open_show(way, seats)
        for first, pipe in enumerate(pipes):
            pipe.send(Job(way, self.stage.url, self.url, show, seats, first, len(pipes), buyers))
        for pipe in pipes:
            receive(pipe, START)
        redis, database = self.stage.redis_cpu(), tree_cpu_seconds(self.database.pid)
        for pipe in pipes:
            pipe.send("go")
        done: list[_Done] = [receive(pipe, LIMIT) for pipe in pipes]
        redis_cpu = since(redis, self.stage.redis_cpu())
        database_cpu = since(database, tree_cpu_seconds(self.database.pid))
        for pipe in pipes:
            pipe.send("thanks")
        self.prove(way, show, seats)
        seconds = max(one.ended for one in done) - min(one.began for one in done)
        return StrictRun(seats, seconds, sum(one.cpu for one in done), redis_cpu, database_cpu)


def since(before: float | None, after: float | None) -> float | None:
    """What was used in between, if that is known."""
    return None if before is None or after is None else after - before


@contextmanager
def office(stage: Stage) -> Iterator[Office]:
    """Start PostgreSQL; it ends with the block."""
    with Postgres.start(DURABLE) as database:
        yield Office(stage, database)


def measure(stage: Stage, settings: Settings) -> list[Strict]:
    """All ways in every round, by one process and by two."""
    found = [
        Strict(way, processes, buyers, [])
        for way in (STRICT, FAST, LEDGER)
        for processes in settings.strict_processes
        for buyers in settings.strict_buyers
    ]
    with office(stage) as place, workers(max(settings.strict_processes), work) as pipes:
        place.run(STRICT, pipes, settings.strict_confirms // 4, max(settings.strict_buyers))
        for turn in range(settings.strict_rounds):
            for index in in_turn(len(found), turn):
                one = found[index]
                run = place.run(one.way, pipes[: one.processes], settings.strict_confirms, one.buyers)
                one.runs.append(run)
    stage.flush()
    for one in found:
        rate = sorted(run.rate for run in one.runs)[len(one.runs) // 2]
        cpu = [sum(run.us(part) or 0.0 for run in one.runs) / len(one.runs) for part in ("client", "redis", "database")]
        say(
            f"{one.way}, {one.processes} processes, {one.buyers:,} buyers each: {rate:,.0f}/s; CPU of client, Redis, "
            f"PostgreSQL: {', '.join(f'{us:.1f}' for us in cpu)} µs"
        )
    return found
