"""Many rows in one statement of fixed text: they travel as one JSON argument and the database takes them apart.

So a batch of any size is one trip, the statements are compiled once, and no argument list reaches a driver's bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import ReturningInsert

from seatlock._nothing import NOTHING

Row = Mapping[str, Any]
_ARGUMENT: Final = "rows"
_encode: Final = msgspec.json.encode


def argument(rows: Iterable[Row]) -> dict[str, str]:
    """The rows as the argument of a statement that `asked` is part of."""
    return {_ARGUMENT: _encode(list(rows)).decode()}


def asked(dialect: str, table: Table, names: Sequence[str]) -> Mapping[str, ColumnElement[Any]]:
    """The rows that a statement is told, as expressions by name, for the columns of ``table`` with these names."""
    kinds = {name: sa.BigInteger() if isinstance(table.c[name].type, sa.BigInteger) else sa.Text() for name in names}
    told: sa.BindParameter[str] = sa.bindparam(_ARGUMENT, type_=sa.Text())
    if dialect == "postgresql":
        columns = [sa.column(name, kind) for name, kind in kinds.items()]
        function = sa.func.json_to_recordset(sa.cast(told, postgresql.JSON))
        source = function.table_valued(*columns).render_derived(name="asked", with_types=True)
        return {name: source.c[name] for name in names}
    each = sa.func.json_each(told).table_valued("value", name="asked")
    return {
        name: sa.type_coerce(sa.func.json_extract(each.c.value, f'$."{name}"'), kind) for name, kind in kinds.items()
    }


def upserting(dialect: str, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that can say what to do where a row is there already."""
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


def insert_new(connection: Connection, table: Table, rows: Sequence[Row]) -> int:
    """Insert those of the rows, in their order, whose primary key is not there; gives how many were inserted.

    Where another transaction is about to insert the same key, PostgreSQL waits for its end.
    """
    statement = _inserting_new(connection.dialect.name, table, tuple(rows[0]))
    return connection.execute(statement, argument(rows), execution_options={"preserve_rowcount": True}).rowcount


def insert_new_returning(
    connection: Connection, table: Table, rows: Sequence[Row], names: Sequence[str]
) -> Sequence[Any]:
    """As `insert_new`, but gives columns of the rows that were inserted."""
    if not rows:
        return []
    statement = _inserting_new_returning(connection.dialect.name, table, tuple(rows[0]), tuple(names))
    return connection.execute(statement, argument(rows)).all()


# Statements are made once: SQLAlchemy takes longer to put one together than the database to plan it.


@lru_cache(maxsize=64)
def _inserting_new(dialect: str, table: Table, names: tuple[str, ...]) -> postgresql.Insert | sqlite.Insert:
    told = sa.select(*asked(dialect, table, names).values()).where(sa.true())  # else SQLite takes ON for a join's
    return upserting(dialect, table).from_select(list(names), told).on_conflict_do_nothing()


@lru_cache(maxsize=64)
def _inserting_new_returning(
    dialect: str, table: Table, names: tuple[str, ...], wanted: tuple[str, ...]
) -> ReturningInsert[Any]:
    return _inserting_new(dialect, table, names).returning(*(table.c[name] for name in wanted))


@lru_cache(maxsize=64)
def _inserting(dialect: str, table: Table, names: tuple[str, ...]) -> sa.Insert:
    told = asked(dialect, table, names)
    return sa.insert(table).from_select(list(told), sa.select(*told.values()))


def insert(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows."""
    if rows:
        connection.execute(_inserting(connection.dialect.name, table, tuple(rows[0])), argument(rows))


def update(
    connection: Connection,
    table: Table,
    keys: Sequence[str],
    rows: Sequence[Row],
    *,
    same: Mapping[str, str] = NOTHING,
    add: bool = False,
) -> None:
    """Update the rows with these keys to what the others of their columns say, or add that; and all to the ``same``."""
    if not rows:
        return
    told = asked(connection.dialect.name, table, list(rows[0]))
    new = {name: table.c[name] + value if add else value for name, value in told.items() if name not in keys}
    found = sa.and_(*(table.c[key] == told[key] for key in keys))
    connection.execute(sa.update(table).where(found).values({**new, **same}), argument(rows))


def among(dialect: str, table: Table, names: Sequence[str]) -> ColumnElement[bool]:
    """Whether a row of ``table`` is one of those told, by these columns."""
    told = asked(dialect, table, names)
    return sa.tuple_(*(table.c[name] for name in names)).in_(sa.select(*told.values()))
