"""Where the time of a strict confirm goes: the client by thread and function, Redis by script, PostgreSQL by statement.

One process, with the profiler in it; the figures of `loadtests.bench.strict` are taken without all this.
"""

from __future__ import annotations

import asyncio
import gc
import re
import threading
import time
from contextlib import AsyncExitStack
from typing import Any, Final

import psycopg

from loadtests.bench import strict
from loadtests.bench.cpu import tree_cpu_seconds
from loadtests.bench.postgres import Postgres
from loadtests.bench.profiling import LEAST, Sampler
from loadtests.bench.progress import say
from loadtests.bench.results import Command, Line, Statement, StrictProfile, StrictRun
from loadtests.bench.settings import Settings
from loadtests.bench.stage import Stage
from seatlock._script import load
from seatlock.ledger import Ledger

BUYERS: Final = 1_000
BATCH: Final = 256  # claims of a batch of the ledger alone
_WATCHED: Final = {**strict.DURABLE, "log_min_duration_statement": "0", "log_parameter_max_length": "0"}
_PHASE: Final = re.compile(r"LOG:  duration: ([\d.]+) ms  (parse|bind|execute|statement)[^:]*: (.*)")
_WHAT: Final = re.compile(r"(?:(INSERT INTO|UPDATE|DELETE FROM) |(SELECT) )(\w+)|(BEGIN|COMMIT)")


class _Clocks:
    """CPU seconds of this process' threads: of the event loop, and of the ledger's."""

    def __init__(self) -> None:
        self.loop = self.ledger = 0.0
        for thread in threading.enumerate():
            if thread.ident is None:
                continue
            used = time.clock_gettime(time.pthread_getcpuclockid(thread.ident))
            if thread is threading.main_thread():
                self.loop += used
            elif thread.name.startswith("seatlock-ledger"):
                self.ledger += used


def measure(stage: Stage, settings: Settings) -> StrictProfile:
    """Profile strict confirms, then the ledger alone."""
    with Postgres.start(_WATCHED) as database:
        place = strict.Office(stage, database)
        ledger_us, ledger_lines = _ledger_alone(place, settings.strict_confirms)
        return asyncio.run(_confirms(place, settings.strict_confirms, ledger_us, ledger_lines))


def _ledger_alone(place: strict.Office, count: int) -> tuple[float, list[Line]]:
    """What the ledger's own code takes, on this thread: microseconds of CPU a booking, and the functions."""
    sampler = Sampler()
    with Ledger(place.url) as ledger:
        ledger.decide_many([strict.claim_of("warm-up", number) for number in range(BATCH)])
        claims = [strict.claim_of("profiled", number) for number in range(count)]
        gc.collect()
        gc.freeze()
        began = time.process_time()
        with sampler.on():
            for at in range(0, count, BATCH):
                ledger.decide_many(claims[at : at + BATCH])
        used = time.process_time() - began
        gc.unfreeze()
    return used / count * 1e6, sampler.top(sampler.lines)


async def _confirms(place: strict.Office, count: int, ledger_us: float, ledger_lines: list[Line]) -> StrictProfile:
    stage = place.stage
    show = place.open_show(strict.STRICT, count)
    sampler = Sampler()
    async with AsyncExitStack() as stack:
        job = strict.Job(strict.STRICT, stage.url, place.url, show, count, 0, 1, BUYERS)
        deeds = await strict.prepared(job, stack)
        stage.control.config_set("slowlog-max-len", 100_000)
        stage.control.config_set("slowlog-log-slower-than", 0)
        stage.control.slowlog_reset()
        stage.reset_stats()
        log_before, log_bytes = place.database.log.stat().st_size, _log_bytes(place)
        gc.collect()
        gc.freeze()
        clocks, redis, database = _Clocks(), stage.redis_cpu(), tree_cpu_seconds(place.database.pid)
        began, used = time.perf_counter(), time.process_time()
        with sampler.on():
            await strict.carry_out(deeds, BUYERS)
        seconds, used = time.perf_counter() - began, time.process_time() - used
        now = _Clocks()
        redis_cpu = strict.since(redis, stage.redis_cpu())
        database_cpu = strict.since(database, tree_cpu_seconds(place.database.pid))
        gc.unfreeze()
        stage.control.config_set("slowlog-log-slower-than", -1)
        commands = stage.command_stats()
        scripts = _scripts(stage, count)
        log_bytes = _log_bytes(place) - log_bytes
        statements = _statements(place, log_before, count)
    place.prove(strict.STRICT, show, count)
    commits = sum(one.calls for one in statements if one.what == "COMMIT")
    say(f"strict profile: {sampler.samples} samples at {count / seconds:,.0f}/s")
    return StrictProfile(
        BUYERS,
        StrictRun(count, seconds, used, redis_cpu, database_cpu),
        1 / commits,
        [
            Command("the event loop", 1, (now.loop - clocks.loop) / count * 1e6),
            Command("the ledger's threads", 1, (now.ledger - clocks.ledger) / count * 1e6),
        ],
        sampler.top(sampler.parts),
        sampler.top(sampler.lines),
        ledger_us,
        ledger_lines,
        scripts,
        [
            Command(name, calls / count, usec / count)
            for name, (calls, usec) in sorted(commands.items(), key=lambda item: -item[1][1])
            if usec / count >= LEAST and not name.startswith(("config", "slowlog"))
        ],
        statements,
        log_bytes / count,
    )


def _scripts(stage: Stage, count: int) -> list[Command]:
    """Calls and microseconds of each script, from the slow log, which had everything."""
    names = {load(name).sha: name for name in ("pin", "finalise")}
    entries: list[dict[str, Any]] = stage.control.slowlog_get(100_000)
    found: dict[str, list[int]] = {}
    for entry in entries:
        words = entry["command"].split(b" ", 2)
        if words[0] == b"EVALSHA" and words[1] in names:
            found.setdefault(names[words[1]], []).append(entry["duration"])
    return [
        Command(name, len(times) / count, sum(times) / count) for name, times in sorted(found.items(), reverse=True)
    ]


def _log_bytes(place: strict.Office) -> int:
    """How much PostgreSQL has written to its log for recovery, since ever."""
    with psycopg.connect(place.database.conninfo) as connection:
        row = connection.execute("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint").fetchone()
    assert row is not None
    return int(row[0])


def _statements(place: strict.Office, after: int, count: int) -> list[Statement]:
    """What PostgreSQL wrote about each statement, those of one table and verb together, the slowest first."""
    found: dict[str, list[float]] = {}
    with place.database.log.open(encoding="utf-8", errors="replace") as file:
        file.seek(after)
        for line in file:
            phase = _PHASE.search(line)
            if phase is not None and (match := _WHAT.match(phase[3])) is not None:
                sums = found.setdefault(" ".join(filter(None, match.groups())), [0.0] * 3)
                planning = phase[2] in ("parse", "bind")
                sums[0] += not planning
                sums[1 if planning else 2] += float(phase[1]) * 1000
    ordered = sorted(found.items(), key=lambda item: -item[1][2])
    return [Statement(what, *(value / count for value in sums)) for what, sums in ordered]
