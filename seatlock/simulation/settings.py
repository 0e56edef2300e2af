"""What a simulation is asked to do."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from seatlock._bounds import milliseconds
from seatlock.errors import InvalidRequest

MAX_BUYERS: Final = 10_000_000
MAX_WORKERS: Final = 10_000
MAX_HOLD: Final = 60.0  # seconds; the end of a simulation waits for the last hold to run out
MAX_BLOCKED: Final = 1_000_000
MAX_LIMIT: Final = 500
MAX_STOCK: Final = 1_000_000
MAX_TIME: Final = 86_400.0  # seconds


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How many buyers come, and what they are like.

    ``workers`` is the number of buyers in flight at once; those who think it over or stay away are not counted.
    ``seed`` fixes what every buyer wants and decides; what they get also depends on who is faster. ``hold`` is how
    long a hold lasts, in seconds. ``abandon`` is the part of those who hold that does not pay. ``time_limit`` ends the
    sale after so many seconds, whoever is still waiting for a turn. ``blocked`` is how many seats the house takes off
    sale before it opens; the seed says which. ``limit`` is how many seats a holder may have, held and sold; buyers then
    come in threes under one name, as from three tabs. With ``best`` they ask for the best seats, as many as they want,
    instead of for seats that they chose. ``stock`` is how many the show sells out of a pool, beside its seats or alone.

    Raises `seatlock.InvalidRequest` for a value out of bounds.
    """

    buyers: int
    workers: int = 200
    seed: int = 0
    hold: float = 2.0
    abandon: float = 0.7
    time_limit: float = 600.0
    blocked: int = 0
    limit: int | None = None
    best: bool = False
    stock: int = 0

    def __post_init__(self) -> None:
        _whole("buyers", self.buyers, 1, MAX_BUYERS)
        _whole("workers", self.workers, 1, MAX_WORKERS)
        _whole("seed", self.seed, 0, 2**63 - 1)
        milliseconds("hold", self.hold, least=50, most=int(MAX_HOLD * 1000))
        milliseconds("time_limit", self.time_limit, least=1, most=int(MAX_TIME * 1000))
        _part("abandon", self.abandon)
        _whole("blocked", self.blocked, 0, MAX_BLOCKED)
        if self.limit is not None:
            _whole("limit", self.limit, 1, MAX_LIMIT)
        _whole("stock", self.stock, 0, MAX_STOCK)


def _part(name: str, value: Any) -> None:
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InvalidRequest(f"{name} is {value!r}; give a part of 1, such as 0.7.")


def _whole(name: str, value: Any, least: int, most: int) -> None:
    if type(value) is not int or not least <= value <= most:
        raise InvalidRequest(f"{name} is {value!r}; give a whole number from {least:,} to {most:,}.")
