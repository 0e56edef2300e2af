"""Connections that are lost around COMMIT, deadlocks, and a database that is away."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy import event

from loadtests.bench.postgres import Postgres
from seatlock.errors import InvalidRequest, LedgerFailed, LedgerUnavailable
from seatlock.ledger import Ledger, PoolStock
from tests.ledger.conftest import migrated
from tests.ledger.databases import claim, contradictions, query, url_of
from tests.ledger.faults import Hook, at_commit, lose_before, lose_behind, once
from tests.support.ports import free_port
from tests.support.waiting import until

AROUND_COMMIT = [pytest.param(lose_before, id="before"), pytest.param(lose_behind, id="behind")]


@pytest.mark.parametrize("lose", AROUND_COMMIT)
def test_a_connection_lost_around_commit_gives_one_booking_and_one_answer(
    ledger: Ledger, show: str, lose: Hook
) -> None:
    ledger.set_pools(show, {"floor": 5})
    asked = claim(show, "b-1", ["A-1"], pools={"floor": 2})
    at_commit(ledger, once(lose, times=2))
    decision = ledger.decide(asked)
    assert decision.status == "confirmed"
    assert decision.record == ledger.outcome(show, "b-1")
    assert [entry.what for entry in ledger.history(show, "A-1")] == ["sold"]
    assert ledger.pools(show) == {"floor": PoolStock(5, 2)}
    assert contradictions(ledger) == []


@pytest.mark.parametrize("lose", AROUND_COMMIT)
def test_cancels_and_tombstones_are_carried_out_again_too(ledger: Ledger, show: str, lose: Hook) -> None:
    ledger.set_pools(show, {"floor": 5})
    ledger.decide(claim(show, "b-1", ["A-1"], pools={"floor": 2}))
    end = at_commit(ledger, once(lose))
    cancelled = ledger.cancel(show, "b-1", by="eve", reason="refund")
    end()
    assert (cancelled.status, cancelled) == ("cancelled", ledger.outcome(show, "b-1"))
    assert ledger.pools(show) == {"floor": PoolStock(5, 0)}
    assert [entry.what for entry in ledger.history(show, "A-1")] == ["sold", "cancelled"]
    end = at_commit(ledger, once(lose))
    assert ledger.tombstone([claim(show, "b-2", ["A-2"])], reason="lost")[0].status == "rejected"
    end()
    at_commit(ledger, once(lose))
    ledger.set_pools(show, {"floor": 6})
    assert ledger.pools(show) == {"floor": PoolStock(6, 0)}
    assert contradictions(ledger) == []


def test_nothing_is_answered_that_was_not_committed(opened: Callable[..., Ledger], show: str) -> None:
    ledger = opened(patience=0.3)
    end = at_commit(ledger, lose_before)
    with pytest.raises(LedgerUnavailable, match="ask again"):
        ledger.decide(claim(show, "b-1", ["A-1"]))
    with pytest.raises(LedgerUnavailable):
        ledger.tombstone([claim(show, "b-2", ["A-2"])], reason="lost")
    assert [type(answer) for answer in ledger.decide_many([claim(show, "b-1", ["A-1"])] * 2)] == [LedgerUnavailable] * 2
    end()
    assert (ledger.outcome(show, "b-1"), ledger.outcome(show, "b-2"), ledger.sold(show)) == (None, None, [])
    assert ledger.decide(claim(show, "b-1", ["A-1"])).status == "confirmed"


def test_what_was_committed_is_the_answer_later_where_nobody_could_be_told(
    opened: Callable[..., Ledger], show: str
) -> None:
    ledger = opened(patience=0.3)
    end = at_commit(ledger, lose_behind)
    with pytest.raises(LedgerUnavailable):
        ledger.decide(claim(show, "b-1", ["A-1"]))
    end()
    assert ledger.tombstone([claim(show, "b-1", ["A-1"])], reason="lost")[0].status == "confirmed"
    assert ledger.decide(claim(show, "b-1", ["A-1"])).status == "confirmed"
    assert len(ledger.history(show, "A-1")) == 1


def test_a_backend_that_is_ended_before_commit(postgres: Postgres, postgres_url: str, show: str) -> None:
    def end_it(connection: sa.Connection) -> None:
        pid = connection.scalar(sa.text("SELECT pg_backend_pid()"))
        with psycopg.connect(postgres.conninfo) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

    with Ledger(postgres_url) as ledger:
        at_commit(ledger, once(end_it, times=2))
        assert ledger.decide(claim(show, "b-1", ["A-1"])).status == "confirmed"
        assert len(ledger.history(show, "A-1")) == 1


@contextmanager
def neighbour(ledger: Ledger) -> Iterator[psycopg.Connection]:
    """A connection to the same database, whose transaction is rolled back in the end; it never finds a deadlock."""
    database = ledger._transactions.engine.url.database
    host = ledger._transactions.engine.url.query["host"]
    with closing(psycopg.connect(f"host={host} user=bench dbname={database}")) as connection:
        connection.execute("SET deadlock_timeout = '1h'")
        yield connection
        connection.rollback()


def test_a_deadlock_is_carried_out_again(postgres_url: str, show: str) -> None:
    """The neighbour has the booking and waits for the epoch, which the decider has, who waits for the booking."""
    with (
        Ledger(postgres_url, patience=20) as ledger,
        neighbour(ledger) as connection,
        ThreadPoolExecutor(1) as threads,
    ):
        ledger.decide(claim(show, "b-0", ["A-0"]))
        connection.execute(
            "INSERT INTO bookings (show, id, status, seats, pools) VALUES (%s, 'b-1', 'cancelled', '[]', '{}')", [show]
        )
        raising = []
        deadlocks = []

        def have_it_wait(_: object, __: object, statement: str, *___: object) -> None:
            if statement.startswith("INSERT INTO bookings") and not raising:
                update = "UPDATE shows SET epoch = epoch WHERE show = %s"
                raising.append(threads.submit(lambda: (connection.execute(update, [show]), connection.rollback())))
                until(lambda: waiting(ledger), "the neighbour waits for the epoch")

        engine = ledger._transactions.engine
        event.listen(engine, "before_cursor_execute", have_it_wait)
        event.listen(engine, "handle_error", lambda context: deadlocks.append(context.original_exception))
        assert ledger.decide(claim(show, "b-1", ["A-1"])).status == "confirmed"
        raising[0].result()
    assert [type(error).__name__ for error in deadlocks] == ["DeadlockDetected"]


def waiting(ledger: Ledger) -> bool:
    return query(ledger, "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted") == [(True,)]


def test_a_lock_that_somebody_keeps_is_waited_for_no_longer_than_the_patience(postgres_url: str, show: str) -> None:
    with Ledger(postgres_url, patience=0.3) as ledger:
        ledger.raise_epoch(show)
        with neighbour(ledger) as connection:
            connection.execute("SELECT * FROM shows WHERE show = %s FOR UPDATE", [show])
            begun = time.monotonic()
            with pytest.raises(LedgerUnavailable, match="ask again"):
                ledger.decide(claim(show, "b-1", ["A-1"], epoch=2))
            assert time.monotonic() - begun < 5
        assert ledger.decide(claim(show, "b-1", ["A-1"], epoch=2)).status == "confirmed"


def test_a_writer_that_keeps_sqlite_is_waited_for_no_longer_than_the_patience(tmp_path: Path, show: str) -> None:
    url = migrated(f"sqlite:///{tmp_path / 'ledger.db'}")
    with Ledger(url, patience=0.3) as ledger, Ledger(url) as other:
        with other._transactions.engine.begin():
            with pytest.raises(LedgerUnavailable, match="locked"):
                ledger.decide(claim(show, "b-1", ["A-1"]))
            assert ledger.outcome(show, "b-1") is None, "who only reads does not wait for the writer"
        assert ledger.decide(claim(show, "b-1", ["A-1"])).status == "confirmed"


def test_a_database_that_is_away_and_comes_back(private_postgres: Postgres, show: str) -> None:
    url = migrated(url_of(private_postgres))
    with Ledger(url, patience=1) as ledger, ThreadPoolExecutor(6) as threads:
        assert ledger.decide(claim(show, "b-0", ["A-0"])).status == "confirmed"
        private_postgres.stop()
        begun = time.monotonic()
        asked = [threads.submit(ledger.decide, claim(show, f"b-{number}", [f"A-{number}"])) for number in range(6)]
        for future in asked:
            with pytest.raises(LedgerUnavailable, match="ask again"):
                future.result()
        with pytest.raises(LedgerUnavailable):
            ledger.outcome(show, "b-0")
        assert time.monotonic() - begun < 8
        private_postgres.start_again()
        assert [ledger.decide(claim(show, f"b-{number}", [f"A-{number}"])).status for number in range(6)] == [
            "confirmed"
        ] * 6
        assert len(ledger.sold(show)) == 6
        assert contradictions(ledger) == []


def test_a_crash_in_the_middle_of_the_load_loses_nothing(private_postgres: Postgres, show: str) -> None:
    """Everyone who was told yes before, during and after the crash is on record; who was told nothing asks again."""
    url = migrated(url_of(private_postgres))
    crashed = threading.Event()
    told: list[tuple[str, str]] = []

    def buy(buyer: int) -> None:
        number = 0
        while not (crashed.is_set() and number % 40 == 0):
            asked = claim(show, f"b-{buyer}-{number}", [f"A-{buyer}-{number}"])
            told.append((asked.booking, ledger.decide(asked).status))
            number += 1

    with Ledger(url, patience=60) as ledger, ThreadPoolExecutor(4) as threads:
        buying = [threads.submit(buy, buyer) for buyer in range(4)]
        until(lambda: len(told) > 40, "bookings are decided", timeout=60)
        private_postgres.stop()
        private_postgres.start_again()
        crashed.set()
        for future in buying:
            future.result()
        assert {status for _, status in told} == {"confirmed"}
        on_record = {booking for (booking,) in query(ledger, "SELECT id FROM bookings WHERE status = 'confirmed'")}
        assert on_record == {booking for booking, _ in told}
        assert contradictions(ledger) == []


def test_a_server_that_takes_no_writes_is_not_read_either(postgres: Postgres) -> None:
    url = migrated(url_of(postgres, new_database=True))
    name = url.partition("?")[0].rpartition("/")[2]
    with psycopg.connect(postgres.conninfo, autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'.encode())
    with Ledger(url, patience=0.3) as ledger, pytest.raises(LedgerUnavailable, match="read-only"):
        ledger.outcome("show", "b-1")


def test_no_message_has_the_password_or_what_was_asked() -> None:
    url = f"postgresql://ann:s3cret-word@127.0.0.1:{free_port()}/house"
    with Ledger(url, patience=0.2) as ledger, pytest.raises(LedgerUnavailable) as refusal:
        ledger.decide(claim("show", "b-1", ["A-1"], holder="ann", payment="secret-payment"))
    error: BaseException | None = refusal.value
    while error is not None:
        assert "s3cret-word" not in f"{error!s} {error!r}"
        assert "secret-payment" not in f"{error!s} {error!r}"
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:s3cret@host:port/x",
        "sqlite:///:memory:",
        "sqlite:///file:x?mode=memory&uri=true",
        "mysql://u:s3cret@h/x",
        "",
    ],
)
def test_a_url_that_will_not_do_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        Ledger(url)
    assert "s3cret" not in str(refusal.value)


def test_what_the_url_says_counts_more(postgres_url: str) -> None:
    with Ledger(f"{postgres_url}&application_name=mine&options=-cwork_mem%3D8MB", patience=7) as ledger:
        bounds = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
        settings = ("application_name", "work_mem", *bounds, "transaction_isolation")
        told = [query(ledger, f"SELECT current_setting('{name}')")[0][0] for name in settings]
    assert told == ["mine", "8MB", "7s", "7s", "7s", "read committed"]


def test_an_engine_of_ones_own(postgres_url: str, tmp_path: Path, show: str) -> None:
    target = sa.make_url(postgres_url).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(target, isolation_level="SERIALIZABLE")
    with Ledger(engine) as ledger:
        assert ledger.decide(claim(show, "b-1", ["A-1"])).status == "confirmed"
        assert query(ledger, "SELECT current_setting('transaction_isolation')") == [("read committed",)]
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT 1")) == 1
    engine.dispose()
    file = sa.create_engine(f"sqlite:///{tmp_path / 'x.db'}")
    with pytest.raises(InvalidRequest, match="URL"):
        Ledger(file)


def test_a_ledger_that_is_closed_says_so(ledger: Ledger) -> None:
    ledger.close()
    ledger.close()
    for ask in (lambda: ledger.decide(claim("x", "b", ["A"])), lambda: ledger.outcome("x", "b")):
        with pytest.raises(InvalidRequest, match="closed"):
            ask()


def test_a_forked_process_makes_connections_of_its_own(ledger: Ledger, show: str) -> None:
    ledger.decide(claim(show, "b-0", ["A-0"]))

    def child() -> None:
        os._exit(0 if ledger.decide(claim(show, "b-1", ["A-1"])).status == "confirmed" else 1)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of forks where there are threads
        forked = multiprocessing.get_context("fork").Process(target=child)
        forked.start()
    forked.join(30)
    assert forked.exitcode == 0
    assert ledger.decide(claim(show, "b-2", ["A-2"])).status == "confirmed", "the parent's connection is as it was"


def test_what_a_database_refuses_fails_alone(empty_url: str, kind: str) -> None:
    """A batch with one that the tables do not take: the others are decided."""
    with Ledger(migrated(empty_url)) as ledger:
        with ledger._transactions.engine.begin() as connection:
            if kind == "sqlite":
                body = "BEGIN SELECT RAISE(ABORT, 'not him') WHERE NEW.holder = 'poison'; END"
                connection.execute(sa.text(f"CREATE TRIGGER refuse BEFORE INSERT ON bookings {body}"))
            else:
                connection.execute(sa.text("ALTER TABLE bookings ADD CONSTRAINT x CHECK (holder <> 'poison')"))
        batch = [claim("show", f"b-{n}", [f"A-{n}"], holder="poison" if n == 1 else "ann") for n in range(4)]
        answers = ledger.decide_many(batch)
        assert [getattr(answer, "status", type(answer)) for answer in answers] == [
            "confirmed",
            LedgerFailed,
            "confirmed",
            "confirmed",
        ]
        with pytest.raises(LedgerFailed, match="refused"):
            ledger.decide(batch[1])
        assert contradictions(ledger) == []
