"""CPU time of other processes, from /proc. Elsewhere than on Linux it is not known, and the tables say so."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")


def cpu_seconds(pid: int) -> float | None:
    """CPU seconds that all threads of a process have used; None where the system does not tell.

    From schedstat, in nanoseconds, where the kernel keeps it; else from stat, in ticks of mostly 10 ms.
    """
    try:
        return sum(
            int(file.read_text().split()[0]) for file in (_PROC / str(pid) / "task").glob("*/schedstat")
        ) / 1e9 or (_ticks(pid, children=False))
    except (OSError, ValueError, IndexError):
        return _ticks(pid, children=False)


def tree_cpu_seconds(pid: int) -> float | None:
    """CPU seconds of a process and its children, those that have ended among them."""
    own = _ticks(pid, children=True)
    if own is None:
        return None
    used = 0.0
    for folder in _PROC.iterdir():
        if folder.name.isdigit() and _parent(int(folder.name)) == pid:
            used += cpu_seconds(int(folder.name)) or 0.0
    return own + used


def _stat(pid: int) -> list[str]:
    # the name in parentheses may have blanks in it
    return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def _parent(pid: int) -> int | None:
    try:
        return int(_stat(pid)[1])
    except (OSError, ValueError, IndexError):
        return None


def _ticks(pid: int, *, children: bool) -> float | None:
    try:
        fields = _stat(pid)[11 : 15 if children else 13]  # utime stime cutime cstime
        return sum(map(int, fields)) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return None


def machine_ticks() -> tuple[float, float] | None:
    """Seconds that all cores have had, and those of them that the hypervisor gave to others."""
    try:
        fields = [int(field) for field in (_PROC / "stat").read_text().splitlines()[0].split()[1:9]]
    except (OSError, ValueError, IndexError):
        return None
    return sum(fields) / os.sysconf("SC_CLK_TCK"), fields[7] / os.sysconf("SC_CLK_TCK")
