"""`seatlock warm --query`: seats from the user's own database. SQLite here; it needs no server."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from seatlock import SeatLocker
from tests.cli.conftest import Result, Run
from tests.support.need import need
from tests.support.ports import free_port

Query = Callable[[str], Result]


@pytest.fixture(autouse=True)
def sqlalchemy() -> None:
    if find_spec("sqlalchemy") is None:
        need("SQLAlchemy", "run: pip install 'seatlock-redis[ledger]'")


@pytest.fixture
def database(tmp_path: Path) -> str:
    path = tmp_path / "house.db"
    with sqlite3.connect(path) as connection:
        connection.execute("create table seat (name text, part text, line text, nr integer, price text, state text)")
        connection.executemany(
            "insert into seat values (?, ?, ?, ?, ?, ?)",
            [
                ("A-1", "Stalls", "A", 1, "Best", "available"),
                ("A-2", "Stalls", "A", 2, "Best", "sold"),
                ("A-3", "Stalls", "A", 3, None, "blocked"),
                ("A-4", "Stalls", "A", None, "Rest", None),
            ],
        )
    connection.close()
    return f"sqlite:///{path}"


@pytest.fixture
def query(on_server: Run, show: str, database: str) -> Query:
    return lambda sql: on_server("warm", show, "--query", sql, "--database", database)


def test_the_columns_are_known_by_their_names(query: Query, locker: SeatLocker, show: str) -> None:
    status, out, err = query(
        'select state as status, price as category, nr as number, line as "row", part as section, name as ID from seat'
    )
    assert (status, err) == (0, "")
    assert out.startswith(f"{show}: 4 seats: 4 added")
    states = locker.availability(show, section="Stalls").seats
    assert dict(states) == {"A-1": "free", "A-2": "sold", "A-3": "blocked", "A-4": "free"}
    assert [state.category for state in locker.inspect(show, ["A-1", "A-3", "A-4"])] == ["Best", "", "Rest"]


def test_only_the_id_is_required_and_percent_and_colon_are_plain(query: Query, locker: SeatLocker, show: str) -> None:
    assert query("select rowid as id from seat where name like 'A%' and part <> ':x'").status == 0
    assert list(locker.availability(show).seats) == ["1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("select * from seat", "columns that no seat has: name, part, line, nr, price, state"),
        ("select name as id, price as category, part as category from seat", "more than once: category"),
        ("select part as section from seat", "no column id"),
        ("select nr + 0.5 as id from seat", "row 1 of the query: id must be text or a whole number, not float"),
        ("select name as id, x'00' as category from seat", "category must be text or a whole number, not bytes"),
        ("select nr as id from seat", "row 4 of the query: the id is empty"),
        ("select 'A' as id, 'gone' as status", "'gone' is no status"),
        ("select 'A' as id union all select 'A'", "there twice"),
        ("select name as id from seat where 1 = 2", "no seats"),
        ("select name as id from nowhere", "no such table"),
        ("selec", "syntax error"),
        ("delete from seat", "no rows at all"),
    ],
)
def test_what_is_no_plan_is_refused(query: Query, locker: SeatLocker, show: str, sql: str, said: str) -> None:
    status, out, err = query(sql)
    assert (status, out) == (1, "")
    assert said in err
    assert "Traceback" not in err


def test_nothing_is_written_to_the_database(query: Query, database: str) -> None:
    query("delete from seat")
    connection = sqlite3.connect(database.removeprefix("sqlite:///"))
    assert connection.execute("select count(*) from seat").fetchone() == (4,)
    connection.close()


def test_whole_numbers_and_uuids_become_text() -> None:
    import decimal  # noqa: PLC0415 - only here
    import uuid  # noqa: PLC0415 - likewise

    from seatlock.cli.database import _text  # noqa: PLC0415 - needs the extra

    assert _text(decimal.Decimal("17.00"), 1, "id") == "17"
    assert _text(uuid.UUID(int=1), 1, "id") == "00000000-0000-0000-0000-000000000001"
    assert _text(None, 1, "id") == ""


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://ada:sekret@127.0.0.1:PORT/x", "the database could not answer"),
        ("postgres://ada:sekret@127.0.0.1:PORT/x", "the database could not answer"),
        ("nonsense://ada:sekret@127.0.0.1/x", "driver of that database is not installed"),
        ("mssql+pymssql://ada:sekret@127.0.0.1/x", "driver of that database is not installed"),
        ("sekret", "cannot be understood"),
        ("sqlite:////no/such/folder/sekret.db", "the database could not answer"),
    ],
)
def test_a_database_that_is_not_there(on_server: Run, show: str, url: str, said: str) -> None:
    url = url.replace("PORT", str(free_port()))
    status, out, err = on_server("warm", show, "--query", "select 1 as id", "--database", url)
    assert (status, out) == (1, "")
    assert said in err
    assert "sekret" not in err
    assert "Traceback" not in err
