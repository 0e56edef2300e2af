"""The migrations make what the schema says, on both databases, however often and by however many they are run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from seatlock.errors import LedgerFailed
from seatlock.ledger import Ledger, Migrated
from seatlock.ledger.migrate import VERSION_TABLE, config
from seatlock.ledger.schema import metadata
from tests.ledger.databases import claim

HEAD = "0001"


def test_the_tables_are_those_of_the_schema(ledger: Ledger) -> None:
    with ledger._transactions.engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True, "version_table": VERSION_TABLE}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []
        made = sa.inspect(connection)
        for table in metadata.sorted_tables:
            checks = {str(check.name) for check in table.constraints if isinstance(check, sa.CheckConstraint)}
            assert {check["name"] for check in made.get_check_constraints(table.name)} == checks
            assert made.get_pk_constraint(table.name)["name"] == f"pk_{table.name}"
        assert ScriptDirectory.from_config(config(connection)).get_heads() == [HEAD]


def test_ids_are_compared_by_their_bytes(postgres_url: str) -> None:
    """Alembic does not compare collations."""
    with Ledger(postgres_url) as ledger, ledger._transactions.engine.connect() as connection:
        rows = connection.execute(
            sa.text(
                "SELECT table_name, column_name, collation_name FROM information_schema.columns "
                "WHERE table_schema = 'public' AND collation_name IS NOT NULL"
            )
        )
        found = {(table, column): collation for table, column, collation in rows}
    for table in metadata.sorted_tables:
        for column in table.primary_key:
            assert found.get((table.name, column.name), "C") == "C"
    assert found["sold_seats", "seat"] == found["audit", "seat"] == "C"


def test_migrating_again_does_nothing(empty_url: str) -> None:
    with Ledger(empty_url) as ledger:
        assert [ledger.migrate(), ledger.migrate()] == [Migrated(None, HEAD), Migrated(HEAD, HEAD)]
        ledger.decide(claim("show", "b-1", ["A-1"]))
        ledger.migrate()
        assert len(ledger.sold("show")) == 1


def test_several_who_migrate_at_once_take_turns(empty_url: str) -> None:
    def one(_: int) -> Migrated:
        with Ledger(empty_url, patience=20) as ledger:
            return ledger.migrate()

    with ThreadPoolExecutor(4) as threads:
        done = list(threads.map(one, range(4)))
    assert sorted(each.before or "" for each in done) == ["", HEAD, HEAD, HEAD]


def test_without_tables_it_says_what_to_do(empty_url: str) -> None:
    with Ledger(empty_url) as ledger:
        with pytest.raises(LedgerFailed, match="run seatlock migrate"):
            ledger.decide(claim("show", "b-1", ["A-1"]))
        with pytest.raises(LedgerFailed, match="run seatlock migrate"):
            ledger.outcome("show", "b-1")


def test_the_audit_takes_rows_and_gives_none_back(ledger: Ledger, show: str) -> None:
    """The database refuses, whoever asks it."""
    ledger.decide(claim(show, "b-1", ["A-1"]))
    before = ledger.history(show, "A-1")
    named = f"show = '{show}'"
    refused = [f"UPDATE audit SET who = 'nobody' WHERE {named}", f"DELETE FROM audit WHERE {named}"]  # noqa: S608 - ours
    if ledger._transactions.engine.dialect.name == "sqlite":
        refused.append("REPLACE INTO audit (id, show, seat, what) SELECT id, show, seat, 'other' FROM audit")
    else:
        refused.append("TRUNCATE audit")
    for statement in refused:
        with (
            pytest.raises(sa.exc.DatabaseError, match="never changed or deleted"),
            ledger._transactions.engine.begin() as connection,
        ):
            connection.execute(sa.text(statement))
    assert ledger.history(show, "A-1") == before
