"""The ledger's databases: a file of SQLite's, and a real PostgreSQL that waits for its disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event

from loadtests.bench.postgres import Postgres, PostgresMissing
from seatlock import new_token
from seatlock.ledger import Ledger
from tests.ledger.databases import DATABASES, url_of
from tests.support.need import need

DURABLE = {
    "listen_addresses": "",
    "synchronous_commit": "on",
    "max_connections": "100",
    "deadlock_timeout": "100ms",  # how long a deadlock lasts before it is found
}


def started() -> Postgres:
    try:
        return Postgres.start(DURABLE)
    except PostgresMissing as error:
        need("PostgreSQL", str(error))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The server of the whole run; a test makes a database of its own in it."""
    with started() as server:
        yield server


@pytest.fixture
def private_postgres() -> Iterator[Postgres]:
    """A server for this test alone, to stop and to start again."""
    with started() as server:
        yield server


@pytest.fixture(params=DATABASES)
def kind(request: pytest.FixtureRequest) -> str:
    """Each database in turn."""
    return str(request.param)


@pytest.fixture
def empty_url(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of this test's, with nothing in it."""
    if kind == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    return url_of(request.getfixturevalue("postgres"), new_database=True)


@pytest.fixture(scope="session")
def postgres_url(postgres: Postgres) -> str:
    """The run's database in PostgreSQL, with the tables: tests sell shows of their own."""
    return migrated(url_of(postgres, new_database=True))


@pytest.fixture
def url(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with the tables."""
    if kind == "sqlite":
        return migrated(f"sqlite:///{tmp_path / 'ledger.db'}")
    return str(request.getfixturevalue("postgres_url"))


def migrated(url: str) -> str:
    with Ledger(url) as ledger:
        ledger.migrate()
    return url


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    """A ledger of this test's."""
    with Ledger(url) as made:
        yield made


@pytest.fixture
def untroubled(ledger: Ledger) -> Iterator[Ledger]:
    """The ledger, which has to do all that this test asks without a statement that fails: nothing is asked again."""
    with no_errors(ledger):
        yield ledger


@contextmanager
def no_errors(ledger: Ledger) -> Iterator[None]:
    """Find out of every statement that the database refused, also where the claims were then decided one by one."""
    errors: list[str] = []
    event.listen(
        ledger._transactions.engine, "handle_error", lambda context: errors.append(str(context.original_exception))
    )
    yield
    assert errors == []


@pytest.fixture
def show() -> str:
    return f"show-{new_token()[:8]}"


Opened = Callable[..., Ledger]


@pytest.fixture
def opened(url: str) -> Iterator[Opened]:
    """A factory: more ledgers on the same database."""
    made: list[Ledger] = []

    def opened(patience: float = 20.0) -> Ledger:
        made.append(Ledger(url, patience=patience))
        return made[-1]

    yield opened
    for ledger in made:
        ledger.close()
