"""Reads seats from the user's own database, row by row, with SQLAlchemy (extra ``ledger``)."""

from __future__ import annotations

import decimal
import uuid
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import Any, Final, cast

import sqlalchemy
from sqlalchemy import exc

from seatlock._database import engine_of
from seatlock.cli.terminal import terminal
from seatlock.errors import InvalidPlan, ServerUnavailable
from seatlock.plan import Seat, SeatingPlan, SeatStatus

COLUMNS: Final = ("id", "section", "row", "number", "category", "status")
ROWS_AT_ONCE: Final = 5_000  # rows in memory as rows; the seats made of them are small


def read_seats(url: str, query: str) -> SeatingPlan:
    """Run a query that only reads, and make a plan of its rows; nothing is committed.

    The columns are known by their names: ``id`` is required, ``section``, ``row``, ``number``, ``category`` and
    ``status`` are optional, all others are refused. NULL is the same as empty, and an empty status means available.
    Raises `seatlock.InvalidPlan` for what is no seat, `seatlock.ServerUnavailable` where the database does not answer.
    """
    terminal.hide(url)
    with _connection(url) as connection:
        result = connection.execution_options(no_parameters=True).exec_driver_sql(query)
        if not result.returns_rows:
            raise InvalidPlan("the query gives no rows at all; it should be a SELECT.")
        places = _places(list(map(str, result.keys())))
        return SeatingPlan.of(_seats(places, result), name="query")


@contextmanager
def _connection(url: str) -> Generator[sqlalchemy.Connection]:
    engine = engine_of(url, poolclass=sqlalchemy.NullPool)
    try:
        with engine.connect() as connection:
            yield connection.execution_options(stream_results=True, yield_per=ROWS_AT_ONCE)
    except (exc.OperationalError, exc.InterfaceError) as error:
        raise ServerUnavailable(f"the database could not answer the query: {_reason(error)}") from error
    except exc.SQLAlchemyError as error:
        raise InvalidPlan(f"the query did not work out: {_reason(error)}") from error
    finally:
        engine.dispose()


def _reason(error: exc.SQLAlchemyError) -> str:
    """What the database itself said: SQLAlchemy adds the query and a link."""
    return str(getattr(error, "orig", None) or error).strip()


def _places(names: Sequence[str]) -> list[int]:
    """Where in a row each of `COLUMNS` stands; beyond the end if it is not there."""
    given = [name.lower() for name in names]
    if unknown := [name for name, plain in zip(names, given, strict=True) if plain not in COLUMNS]:
        raise InvalidPlan(
            f"the query has columns that no seat has: {', '.join(unknown)}; allowed: {', '.join(COLUMNS)}."
        )
    if twice := sorted({name for name in given if given.count(name) > 1}):
        raise InvalidPlan(f"the query has a column more than once: {', '.join(twice)}.")
    if "id" not in given:
        raise InvalidPlan(f"the query has no column id; it has {', '.join(names)}.")
    return [given.index(name) if name in given else len(given) for name in COLUMNS]


def _seats(places: Sequence[int], rows: Iterable[Sequence[Any]]) -> Generator[Seat]:
    for number, row in enumerate(rows, start=1):
        values = [*row, None]
        seat, section, line, seat_number, category, status = (
            _text(values[place], number, name) for place, name in zip(places, COLUMNS, strict=True)
        )
        if not seat:
            raise InvalidPlan(f"row {number:,} of the query: the id is empty.")
        word = cast("SeatStatus", status or "available")  # the plan's rules look at it
        yield Seat(seat, section, line, seat_number, category, status=word)


def _text(value: object, number: int, name: str) -> str:
    if value is None:
        return ""
    whole = isinstance(value, decimal.Decimal) and value == value.to_integral_value()
    if isinstance(value, bool) or not (whole or isinstance(value, str | int | uuid.UUID)):
        raise InvalidPlan(
            f"row {number:,} of the query: {name} must be text or a whole number, not {type(value).__name__}; convert "
            "it in the query."
        )
    return str(int(cast("decimal.Decimal", value))) if whole else str(value)
