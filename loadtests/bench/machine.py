"""What the benchmark ran on: processor, memory, versions."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import os
import platform
import re
import time
from pathlib import Path
from typing import Final

from loadtests.bench.contestants.database import ForUpdate
from loadtests.bench.contestants.roster import ASYNC
from loadtests.bench.cpu import machine_ticks
from loadtests.bench.results import About
from loadtests.bench.settings import QUICK, Settings
from loadtests.bench.stage import Stage

_PACKAGES: Final = (
    "seatlock-redis",
    "redis",
    "hiredis",
    "msgspec",
    "coredis",
    "pottery",
    "python-redis-lock",
    "psycopg",
    "psycopg-pool",
)


class Machine:
    """Made before the first measurement, asked after the last."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._ticks = machine_ticks()
        self._load = os.getloadavg()[0]

    def about(self, stage: Stage, settings: Settings) -> About:
        """Sum up."""
        return About(
            date=dt.datetime.now(dt.UTC).date().isoformat(),
            quick=settings == QUICK,
            cpu=_processor(),
            cores=os.cpu_count() or 0,
            memory_gb=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30,
            system=f"{platform.system()} {platform.release().partition('-')[0]} {platform.machine()}",
            load_before=self._load,
            stolen_percent=self._stolen(),
            minutes=(time.monotonic() - self._began) / 60,
            rounds=settings.rounds,
            versions=_versions(stage),
            left_out=_left_out(stage),
        )

    def _stolen(self) -> float | None:
        now = machine_ticks()
        if self._ticks is None or now is None or now[0] == self._ticks[0]:
            return None
        return 100 * (now[1] - self._ticks[1]) / (now[0] - self._ticks[0])


def _processor() -> str:
    try:
        match = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        match = None
    return match[1] if match else platform.processor() or platform.machine()


def _versions(stage: Stage) -> dict[str, str]:
    server = stage.control.info("server")
    name = "Valkey" if "valkey_version" in server else "Redis"
    versions = {
        "Python": platform.python_version(),
        name: str(server.get("valkey_version", server["redis_version"])),
    }
    if stage.database is not None:
        versions["PostgreSQL"] = stage.database.version
    return versions | {package: importlib.metadata.version(package) for package in _PACKAGES}


def _left_out(stage: Stage) -> dict[str, str]:
    if stage.database is not None:
        return {}
    return {kind.name: stage.database_missing or "" for kind in ASYNC if issubclass(kind, ForUpdate)}
