"""The counter of strict checkout: a show on a real Redis, a ledger, and the checkout between them, in each colour."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.checkout.counter import Counter, Kind
from tests.ledger.conftest import migrated, postgres, postgres_url, private_postgres
from tests.ledger.databases import DATABASES
from tests.support.servers import RedisServer

__all__ = ["postgres", "postgres_url", "private_postgres"]


@pytest.fixture(scope="session")
def runner() -> Iterator[asyncio.Runner]:
    """The one event loop of all that is asyncio's."""
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as running:
        yield running


@pytest.fixture
def counter_of(
    server_of: Callable[[str], RedisServer],
    runner: asyncio.Runner,
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> Iterator[Callable[..., Counter]]:
    """A factory: a counter of a colour, over a kind of ledger."""
    made: list[Counter] = []

    def counter_of(colour: Kind = "sync", database: str = "sqlite", **options: float) -> Counter:
        if database == "sqlite":
            url = migrated(f"sqlite:///{tmp_path / 'ledger.db'}")
        else:
            url = str(request.getfixturevalue("postgres_url"))
        made.append(Counter(server_of("redis-7"), url, colour, runner, **options))
        return made[-1]

    yield counter_of
    for counter in made:
        counter.close()


@pytest.fixture(params=[(colour, database) for colour in ("sync", "async") for database in DATABASES], ids="-".join)
def counter(request: pytest.FixtureRequest, counter_of: Callable[..., Counter]) -> Counter:
    """A counter of each colour over each ledger, its show open."""
    return counter_of(*request.param).open()
