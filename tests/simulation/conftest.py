"""A small house on a private server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import redis.asyncio

from seatlock import Seat, SeatingPlan
from seatlock.embedded import EmbeddedRedis


@pytest.fixture(scope="session")
def embedded() -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis.start() as server:
        yield server


@pytest.fixture
async def client(embedded: EmbeddedRedis) -> AsyncIterator[redis.asyncio.Redis]:
    made = embedded.async_client()
    yield made
    await made.aclose()


@pytest.fixture(scope="session")
def house() -> SeatingPlan:
    """Three rows of eight, drawn, in two categories."""
    return SeatingPlan.of(
        [
            Seat(f"{row}-{number}", "Stalls", row, str(number), "Best" if row == "B" else "Rest", 30 * number, 40 * y)
            for y, row in enumerate("ABC")
            for number in range(1, 9)
        ],
        name="House",
    )
