"""Who comes second waits for the end of who came first, and is told what came of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

import pytest
from sqlalchemy import event

from seatlock.ledger import Conflicts, Decision, Ledger, PoolStock, Record
from tests.ledger.databases import claim, contradictions, query
from tests.ledger.faults import Hook, at_commit, lose_before, once
from tests.support.waiting import until

Opened = Callable[..., Ledger]
T = TypeVar("T")


def one_after_the_other(
    first: Ledger,
    do_first: Callable[[], object],
    second: Ledger,
    do_second: Callable[[], T],
    *,
    lose: Hook | None = None,
) -> T:
    """Have the first stand at its COMMIT until the second waits for it: gives what the second is answered.

    With ``lose`` the first comes to nothing once, and is carried out again behind the second.
    """
    there, go_on = threading.Event(), threading.Event()

    def stand(connection: object) -> None:
        there.set()
        assert go_on.wait(20)
        if lose is not None:
            lose(connection)  # type: ignore[arg-type]  # it is SQLAlchemy's

    begun = threading.Event()

    def follow() -> T:
        begun.set()
        return do_second()

    end = at_commit(first, once(stand))
    with ThreadPoolExecutor(2) as threads:
        try:
            one = threads.submit(do_first)
            assert there.wait(20)
            other = threads.submit(follow)
            assert begun.wait(20)
            if second._transactions.engine.dialect.name == "postgresql":
                until(lambda: waiting(second), "the second waits")
            assert not other.done()
        finally:
            go_on.set()
        one.result()
        answer = other.result()
    end()
    return answer


def waiting(ledger: Ledger) -> bool:
    database = "(SELECT oid FROM pg_database WHERE datname = current_database())"
    found = query(
        ledger,
        f"SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datid = {database}",  # noqa: S608
    )
    return found[0][0] > 0


@pytest.fixture
def two(opened: Opened) -> tuple[Ledger, Ledger]:
    return opened(), opened()


def test_for_a_seat(two: tuple[Ledger, Ledger], show: str) -> None:
    one, other = two
    late = one_after_the_other(
        one,
        lambda: one.decide(claim(show, "b-1", ["A-1"])),
        other,
        lambda: other.decide(claim(show, "b-2", ["A-2", "A-1"])),
    )
    assert late.status == "rejected"
    assert late.record is not None
    assert late.record.conflicts == Conflicts({"A-1": "b-1"})
    assert contradictions(one) == []


def test_for_a_seat_that_is_not_sold_after_all(two: tuple[Ledger, Ledger], show: str) -> None:
    one, other = two
    late = one_after_the_other(
        one,
        lambda: one.decide(claim(show, "b-1", ["A-1"])),
        other,
        lambda: other.decide(claim(show, "b-2", ["A-2", "A-1"])),
        lose=lose_before,
    )
    sold = {seat.seat: seat.booking for seat in one.sold(show)}
    if late.status == "confirmed":  # the first one, carried out again, may also be the quicker
        assert sold == {"A-1": "b-2", "A-2": "b-2"}
    else:
        assert sold == {"A-1": "b-1"}
    assert contradictions(one) == []


def test_for_the_last_of_a_pool(two: tuple[Ledger, Ledger], show: str) -> None:
    one, other = two
    one.set_pools(show, {"floor": 3})
    late = one_after_the_other(
        one,
        lambda: one.decide(claim(show, "b-1", pools={"floor": 2})),
        other,
        lambda: other.decide(claim(show, "b-2", pools={"floor": 2})),
    )
    assert late.status == "rejected"
    assert late.record is not None
    assert late.record.conflicts == Conflicts({}, {"floor": 1})
    assert one.pools(show) == {"floor": PoolStock(3, 2)}


@pytest.mark.parametrize(("payment", "status"), [("p1", "confirmed"), ("p2", "mismatch")])
def test_for_the_same_booking(two: tuple[Ledger, Ledger], show: str, payment: str, status: str) -> None:
    one, other = two
    late = one_after_the_other(
        one,
        lambda: one.decide(claim(show, "b-1", ["A-1"])),
        other,
        lambda: other.decide(claim(show, "b-1", ["A-1"], payment=payment)),
    )
    assert late.status == status
    assert len(one.history(show, "A-1")) == 1


def test_a_tombstone_for_a_decision(two: tuple[Ledger, Ledger], show: str) -> None:
    one, other = two
    late = one_after_the_other(
        one,
        lambda: one.decide(claim(show, "b-1", ["A-1"])),
        other,
        lambda: other.tombstone([claim(show, "b-1", ["A-1"])], reason="lost"),
    )
    assert late[0].status == "confirmed", "no no is told where a yes was"


def test_a_decision_for_a_tombstone(two: tuple[Ledger, Ledger], show: str) -> None:
    one, other = two
    late = one_after_the_other(
        one,
        lambda: one.tombstone([claim(show, "b-1", ["A-1"])], reason="lost"),
        other,
        lambda: other.decide(claim(show, "b-1", ["A-1"])),
    )
    assert late.status == "rejected", "no yes where a no was told"
    assert one.sold(show) == []


def test_a_cancel_for_a_decision(two: tuple[Ledger, Ledger], show: str) -> None:
    one, other = two
    late = one_after_the_other(
        one,
        lambda: one.decide(claim(show, "b-1", ["A-1"])),
        other,
        lambda: other.cancel(show, "b-1", by="eve"),
    )
    assert (late.status, late.holder, one.sold(show)) == ("cancelled", "ann", [])
    assert contradictions(one) == []


def test_a_cancel_for_another(two: tuple[Ledger, Ledger], show: str) -> None:
    one, other = two
    one.set_pools(show, {"floor": 3})
    one.decide(claim(show, "b-1", ["A-1"], pools={"floor": 2}))
    late = one_after_the_other(
        one, lambda: one.cancel(show, "b-1", by="eve"), other, lambda: other.cancel(show, "b-1", by="bob")
    )
    assert late == one.outcome(show, "b-1")
    assert one.pools(show) == {"floor": PoolStock(3, 0)}
    assert [entry.who for entry in one.history(show, "A-1")] == ["ann", "eve"]


def test_a_decision_for_a_cancel_that_frees_its_seat(two: tuple[Ledger, Ledger], show: str) -> None:
    one, other = two
    one.decide(claim(show, "b-1", ["A-1"]))
    late = one_after_the_other(
        one,
        lambda: one.cancel(show, "b-1", by="eve"),
        other,
        lambda: other.decide(claim(show, "b-2", ["A-1", "A-2"])),
    )
    assert late.status == "confirmed"
    assert contradictions(one) == []


def test_an_epoch_for_who_decides_claims_of_the_old_one(two: tuple[Ledger, Ledger], show: str) -> None:
    one, other = two
    one.decide(claim(show, "b-0", ["A-0"]))
    assert (
        one_after_the_other(
            one, lambda: one.decide(claim(show, "b-1", ["A-1"])), other, lambda: other.raise_epoch(show)
        )
        == 2
    )
    assert len(one.sold(show)) == 2


def test_who_decides_for_an_epoch(two: tuple[Ledger, Ledger], show: str) -> None:
    one, other = two
    one.decide(claim(show, "b-0", ["A-0"]))
    late = one_after_the_other(
        one, lambda: one.raise_epoch(show), other, lambda: other.decide(claim(show, "b-1", ["A-1"]))
    )
    assert (late.status, late.epoch) == ("stale", 2)
    assert one.outcome(show, "b-1") is None


def test_a_capacity_for_what_is_sold(two: tuple[Ledger, Ledger], show: str) -> None:
    one, other = two
    one.set_pools(show, {"floor": 3})
    late = one_after_the_other(
        one,
        lambda: one.set_pools(show, {"floor": 1}),
        other,
        lambda: other.decide(claim(show, "b-1", pools={"floor": 2})),
    )
    assert late.status == "rejected"
    assert one.pools(show) == {"floor": PoolStock(1, 0)}


def test_a_seat_that_is_cancelled_between_two_statements_is_had(postgres_url: str, show: str) -> None:
    """The one gap in a batch: a seat was sold when it was to be inserted, and is not when its owner is looked up."""
    with Ledger(postgres_url) as one, Ledger(postgres_url) as other:
        one.decide(claim(show, "b-1", ["A-1"]))
        cancelled: list[object] = []

        def cancel_it(_: object, __: object, statement: str, *___: object) -> None:
            if statement.startswith("SELECT sold_seats") and not cancelled:
                cancelled.append(other.cancel(show, "b-1", by="eve"))

        event.listen(one._transactions.engine, "before_cursor_execute", cancel_it)
        assert one.decide(claim(show, "b-2", ["A-1", "A-2"])).status == "confirmed"
        assert cancelled
        assert contradictions(one) == []


def test_cancels_of_what_was_decided_after_they_had_looked(postgres_url: str, show: str) -> None:
    """Two find nothing to cancel, then it is decided: what it had is given back once."""
    with (
        Ledger(postgres_url, patience=20) as one,
        Ledger(postgres_url, patience=20) as other,
        ThreadPoolExecutor(1) as threads,
    ):
        one.set_pools(show, {"floor": 9})
        one.decide(claim(show, "b-0", pools={"floor": 4}))
        second: list[Future[Record]] = []
        decided: list[Decision] = []

        def come_between(_: object, __: object, statement: str, *___: object) -> None:
            if statement.startswith("INSERT INTO bookings") and not decided:
                decided.append(other.decide(claim(show, "b-1", ["A-1"], pools={"floor": 2})))
            if statement.startswith("DELETE FROM sold_seats") and not second:
                second.append(threads.submit(other.cancel, show, "b-1", by="bob"))
                until(lambda: waiting(one) or second[0].done(), "the second waits")

        event.listen(one._transactions.engine, "before_cursor_execute", come_between)
        assert one.cancel(show, "b-1", by="eve") == second[0].result()
        assert one.pools(show) == {"floor": PoolStock(9, 4)}
        assert [entry.who for entry in one.history(show, "A-1")] == ["ann", "eve"]


TAKING = {"bookings": "INSERT INTO bookings", "seats": "INSERT INTO sold_seats", "pools": "SELECT pools"}
"""The statement that takes what two want, by what it is."""


@pytest.mark.parametrize("same", TAKING)
def test_batches_in_opposite_orders_do_not_end_in_deadlocks(postgres_url: str, show: str, same: str) -> None:
    """Whoever wants the same takes it in the same order, so that waiting never goes round in a circle."""
    errors: list[str] = []
    pools = [f"pool-{number:02}" for number in range(30)]
    both = threading.Barrier(2)

    def meet(_: object, __: object, statement: str, *___: object) -> None:
        if statement.startswith(TAKING[same]):
            with suppress(threading.BrokenBarrierError):  # somebody asks again, alone
                both.wait(5)

    def sell(ledger: Ledger, turn: int, seller: int) -> None:
        mine = f"{turn}-{seller}"
        batch = [
            claim(
                show,
                f"{turn if same == 'bookings' else mine}-{number}",
                [f"{mine if same == 'pools' else turn}-{number}"],
                pools={pools[number]: 1} if same == "pools" else None,
            )
            for number in range(30 if same == "pools" else 200)
        ]
        ledger.decide_many(batch if seller else batch[::-1])

    with Ledger(postgres_url) as one, Ledger(postgres_url) as other, ThreadPoolExecutor(2) as threads:
        one.set_pools(show, dict.fromkeys(pools, 100_000))
        one.decide(claim(show, "first", ["first"]))  # who decides the first of a show keeps the others waiting
        for ledger in (one, other):
            engine = ledger._transactions.engine
            event.listen(engine, "before_cursor_execute", meet)
            event.listen(engine, "handle_error", lambda context: errors.append(str(context.original_exception)))
        for turn in range(20):
            both.reset()
            asked = [threads.submit(sell, ledger, turn, seller) for seller, ledger in enumerate((one, other))]
            for future in asked:
                future.result()
        assert errors == []
        assert contradictions(one) == []
