"""Relays at work: a show on a real Redis, a ledger, and as many relays between them as a test wants."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.ledger.conftest import migrated, postgres, postgres_url, private_postgres
from tests.ledger.databases import DATABASES
from tests.outbox.works import Works
from tests.support.servers import RedisServer

__all__ = ["postgres", "postgres_url", "private_postgres"]


@pytest.fixture
def works_of(
    server_of: Callable[[str], RedisServer], request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Callable[..., Works]]:
    """A factory: a show over a kind of ledger, open."""
    made: list[Works] = []

    def works_of(database: str = "sqlite", **settings: object) -> Works:
        if database == "sqlite":
            url = migrated(f"sqlite:///{tmp_path / 'ledger.db'}")
        else:
            url = str(request.getfixturevalue("postgres_url"))
        made.append(Works(server_of("redis-7"), url))
        return made[-1].open(**settings)

    yield works_of
    for works in made:
        works.close()


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest) -> str:
    """Each kind of ledger."""
    return str(request.param)


@pytest.fixture
def works(works_of: Callable[..., Works], database: str) -> Works:
    """A show with fast checkout over each kind of ledger."""
    return works_of(database)


@pytest.fixture
def strict(works_of: Callable[..., Works], database: str) -> Works:
    """The same with strict checkout."""
    return works_of(database, checkout="strict")
