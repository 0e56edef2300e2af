"""Moving a real server in time: a wall clock of its own, through a small library that is loaded before its C library.

    clock = Clock(directory)
    server = RedisServer(backend("redis-7"), env=clock.env).start()
    clock.advance(3600)

Only the wall clock moves, which is what Redis TIME and key expiry go by. A jump of minutes also makes a server think
that its replicas and cluster peers have been silent for that long.
"""

from __future__ import annotations

import functools
import hashlib
import mmap
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.need import need
from tests.support.servers import servers_directory

_SOURCE = Path(__file__).with_name("clock_shim.c")
_MICROSECONDS = 1_000_000


@functools.cache
def _shim() -> Path:
    """Compile the library, once for each version of its source, beside the servers."""
    if not sys.platform.startswith("linux"):
        need("a clock that moves", "it is preloaded as Linux does it")
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        need("a clock that moves", "there is no C compiler (cc); install gcc")
    directory = servers_directory()
    directory.mkdir(parents=True, exist_ok=True)
    shim = directory / f"clock-{hashlib.sha256(_SOURCE.read_bytes()).hexdigest()[:12]}.so"
    if not shim.exists():
        fresh = shim.with_name(f"{shim.name}.{os.getpid()}")
        command = [compiler, "-O2", "-Wall", "-shared", "-fPIC", "-o", str(fresh), str(_SOURCE)]
        run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if run.returncode != 0:
            raise RuntimeError(f"{compiler} could not compile {_SOURCE.name}:\n{run.stderr}")
        fresh.replace(shim)
    return shim


class Clock:
    """The wall clock of the servers that were started with ``env``; ``directory`` is where its offset is kept."""

    def __init__(self, directory: Path) -> None:
        shim = _shim()
        path = directory / "clock"
        path.write_bytes(bytes(8))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 8)
        self._offset = memoryview(self._map).cast("q")  # written in one piece, so that no server sees half of it
        self.env = {"LD_PRELOAD": str(shim), "SEATLOCK_CLOCK": str(path)}

    @property
    def offset(self) -> float:
        """How many seconds the clock is ahead of the true one."""
        return self._offset[0] / _MICROSECONDS

    def advance(self, seconds: float) -> None:
        """Move the clock by so many seconds, backwards if negative; servers see it from their next look."""
        self._offset[0] += round(seconds * _MICROSECONDS)

    def reset(self) -> None:
        """Show the true time again."""
        self._offset[0] = 0
