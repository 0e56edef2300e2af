"""Several client processes on one Redis and on a cluster of three primaries: total throughput, and where it stops.

All over loopback TCP, which a cluster needs, so its figures are lower than those of the unix socket elsewhere.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from typing import Any, Final

import msgspec
import redis

from loadtests.bench.cluster import Cluster, Single, Target
from loadtests.bench.contestants.base import TTL, insist
from loadtests.bench.contestants.seats import PATIENCE, plan, seat
from loadtests.bench.progress import say
from loadtests.bench.results import Scaling, ScalingRun, Spread
from loadtests.bench.runs import LIMIT
from loadtests.bench.settings import Settings
from loadtests.bench.stage import Stage
from seatlock import AsyncSeatLocker, SeatLocker

BUYERS: Final = 1_000  # in each process
MANY: Final = 12  # shows; four to each primary of the cluster
START: Final = 60.0  # seconds that a worker may take to come up


class _Job(msgspec.Struct, frozen=True):
    """What a worker does: of every show the seats ``first``, ``first + step`` and so on."""

    url: str
    shows: tuple[str, ...]
    seats: int
    first: int
    step: int


class _Done(msgspec.Struct, frozen=True):
    began: float
    ended: float
    cpu: float


def work(pipe: Connection) -> None:
    """A worker process: takes jobs until there are no more."""
    while (job := pipe.recv()) is not None:
        asyncio.run(_book(job, pipe))


async def _book(job: _Job, pipe: Connection) -> None:
    async with AsyncSeatLocker.from_url(job.url, patience=PATIENCE) as locker:
        for show in job.shows:  # connections are there, and the servers of the shows are known to be fit
            await locker.sweep(show)
        wanted = iter([(show, seat(number)) for number in range(job.first, job.seats, job.step) for show in job.shows])

        async def buyer(holder: str) -> None:
            for show, name in wanted:
                hold = await locker.acquire(show, [name], holder=holder, ttl=TTL)
                await locker.confirm(hold, payment="pay-1")

        pipe.send("ready")
        pipe.recv()  # the word to go
        began, cpu = time.monotonic(), time.process_time()
        async with asyncio.timeout(LIMIT):
            await asyncio.gather(*(buyer(f"user-{job.first}-{number}") for number in range(BUYERS)))
        pipe.send(_Done(began, time.monotonic(), time.process_time() - cpu))


@contextmanager
def workers(count: int, work: Callable[[Connection], None]) -> Iterator[list[Connection]]:
    """Start worker processes, which do ``work``; they end with the block."""
    context = multiprocessing.get_context("spawn")
    pipes: list[Connection] = []
    processes: list[Any] = []
    try:
        for _ in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(target=work, args=(theirs,), daemon=True)
            process.start()
            theirs.close()
            pipes.append(ours)
            processes.append(process)
        yield pipes
        for pipe in pipes:
            pipe.send(None)
        for process in processes:
            process.join(10)
    finally:
        for process in processes:
            if process.is_alive():
                process.kill()
                process.join()


def receive(pipe: Connection, timeout: float) -> Any:
    """What a worker says, which has so many seconds for it."""
    if not pipe.poll(timeout):
        raise TimeoutError(f"a worker said nothing for {timeout:.0f} s")
    return pipe.recv()


def run(target: Target, shows: tuple[str, ...], pipes: list[Connection], bookings: int) -> ScalingRun:
    """Let so many processes sell all seats of fresh shows together."""
    seats = bookings // len(shows)
    target.flush()
    with target.client() as client:
        locker = SeatLocker(client)
        for show in shows:
            locker.warm(show, plan(seats))
            locker.open_sale(show)
    for first, pipe in enumerate(pipes):
        pipe.send(_Job(target.url, shows, seats, first, len(pipes)))
    for pipe in pipes:
        receive(pipe, START)
    before = target.cpu()
    for pipe in pipes:
        pipe.send("go")
    done: list[_Done] = [receive(pipe, LIMIT) for pipe in pipes]
    used = [None if old is None or new is None else new - old for old, new in zip(before, target.cpu(), strict=True)]
    with target.client() as client:
        for show in shows:
            _prove(client, show, seats)
    seconds = max(one.ended for one in done) - min(one.began for one in done)
    return ScalingRun(seats * len(shows), seconds, sum(one.cpu for one in done), used)


def _prove(client: redis.Redis | redis.RedisCluster, show: str, seats: int) -> None:
    fields: list[bytes] = client.hvals(f"seatlock:{{{show}}}:seats")
    sold, entries = sum(field.startswith(b"s") for field in fields), client.xlen(f"seatlock:{{{show}}}:outbox")
    insist(sold == entries == seats, f"show {show}", f"{seats} seats, {sold} sold, {entries} outbox entries")


def measure(stage: Stage, settings: Settings) -> list[Scaling]:
    """All set-ups in every round."""
    many = Cluster.spread_shows(MANY)
    with ExitStack() as stack:
        single = stack.enter_context(Single(stage.redis.server))
        cluster = stack.enter_context(Cluster(stage.redis.server))
        pipes = stack.enter_context(workers(max(settings.processes), work))
        setups: list[tuple[str, Target, tuple[str, ...]]] = [
            ("one Redis, one show", single, ("one-show",)),
            (f"one Redis, {MANY} shows", single, many),
            (f"three primaries, {MANY} shows", cluster, many),
        ]
        found = [Scaling(name, processes, []) for name, _, _ in setups for processes in settings.processes]
        for _, target, shows in setups:
            run(target, shows, pipes, settings.scaling_bookings // 10)
        for _ in range(settings.scaling_rounds):
            for one in found:
                _, target, shows = next(setup for setup in setups if setup[0] == one.setup)
                one.runs.append(run(target, shows, pipes[: one.processes], settings.scaling_bookings))
    for one in found:
        rate = Spread.of([run.rate for run in one.runs]).median
        say(f"scaling: {one.setup}, {one.processes} processes: {rate:,.0f}/s")
    return found
