"""Who takes part, and in which order they are shown."""

from __future__ import annotations

from typing import Final

from loadtests.bench.contestants.base import Contestant, ThreadContestant
from loadtests.bench.contestants.database import ForUpdate, SkipLocked
from loadtests.bench.contestants.locks import (
    CoredisContestant,
    PotteryLock,
    PotteryThreads,
    PythonRedisLock,
)
from loadtests.bench.contestants.nobody import AsyncioAlone
from loadtests.bench.contestants.redis_py import RedisPyLock, RedisPyThreads
from loadtests.bench.contestants.seats import BareEvalsha, Seatlock, SeatlockThreads, SeatlockUngrouped
from loadtests.bench.stage import Stage

BASE: Final = RedisPyLock
"""The one that all ratios refer to."""

ASYNC: Final[tuple[type[Contestant], ...]] = (
    Seatlock,
    SeatlockUngrouped,
    BareEvalsha,
    RedisPyLock,
    CoredisContestant,
    PotteryLock,
    ForUpdate,
    SkipLocked,
)
HOT_SEAT: Final[tuple[type[Contestant], ...]] = (
    Seatlock,
    SeatlockUngrouped,
    RedisPyLock,
    CoredisContestant,
    ForUpdate,
    AsyncioAlone,
)
FOUR_SEATS: Final[tuple[type[Contestant], ...]] = (Seatlock, SeatlockUngrouped, BareEvalsha, RedisPyLock, ForUpdate)
OPEN_LOAD: Final[tuple[type[Contestant], ...]] = (Seatlock, RedisPyLock)
THREADS: Final[tuple[type[ThreadContestant], ...]] = (SeatlockThreads, RedisPyThreads, PythonRedisLock, PotteryThreads)


def present(stage: Stage, contestants: tuple[type[Contestant], ...]) -> list[Contestant]:
    """Make those that can run on this stage."""
    return [kind(stage) for kind in contestants if stage.database is not None or not issubclass(kind, ForUpdate)]
