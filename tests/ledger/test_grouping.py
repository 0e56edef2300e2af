"""Claims that come at the same time share transactions, and everyone gets an answer."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from seatlock.errors import LedgerFailed, LedgerUnavailable
from seatlock.ledger import Claim, Decision, Ledger, _grouping
from seatlock.ledger._grouping import Answer, Grouping, Line, _Caller, batches
from tests.ledger.databases import claim, contradictions
from tests.ledger.faults import at_commit
from tests.support.waiting import until


def answer_of(asked: Claim) -> Decision:
    return Decision(show=asked.show, booking=asked.booking, status="confirmed", epoch=1)


class Desk:
    """Carries out batches when it is let, and remembers them."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.open = threading.Event()
        self.bug: BaseException | None = None

    def carry_out(self, claims: Sequence[Claim]) -> Sequence[Answer]:
        self.batches.append([asked.booking for asked in claims])
        assert self.open.wait(20)
        bug, self.bug = self.bug, None
        if bug is not None:
            raise bug
        return [answer_of(asked) for asked in claims]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def ask(threads: ThreadPoolExecutor, grouping: Grouping, numbers: range) -> list[Future[Decision]]:
    """Ask from threads of their own, one behind the other."""
    futures = []
    for number in numbers:
        before = total(grouping)
        futures.append(threads.submit(grouping.decide, claim("show", f"b-{number}", [f"A-{number}"])))
        until(lambda before=before: total(grouping) > before, f"{number} waits or is under way")
    return futures


def total(grouping: Grouping) -> int:
    carried = grouping._carry_out.__self__  # type: ignore[attr-defined]
    return len(grouping._line) + sum(map(len, carried.batches))


def test_what_comes_while_a_batch_is_under_way_forms_the_next(desk: Desk) -> None:
    grouping = Grouping(desk.carry_out, 1, 20)
    with ThreadPoolExecutor(40) as threads:
        futures = ask(threads, grouping, range(40))
        assert desk.batches == [["b-0"]], "nobody waits for company"
        desk.open.set()
        assert [future.result().booking for future in futures] == [f"b-{number}" for number in range(40)]
    assert desk.batches == [["b-0"], [f"b-{number}" for number in range(1, 40)]]
    assert (grouping._free, len(grouping._line)) == (1, 0)


def test_so_many_transactions_at_once_and_no_more(desk: Desk) -> None:
    grouping = Grouping(desk.carry_out, 2, 20)
    with ThreadPoolExecutor(10) as threads:
        futures = ask(threads, grouping, range(10))
        assert desk.batches == [["b-0"], ["b-1"]]
        desk.open.set()
        assert len([future.result() for future in futures]) == 10
    assert sum(map(len, desk.batches)) == 10
    assert grouping._free == 2


def test_a_bug_answers_everyone_of_its_batch_and_nobody_else(desk: Desk) -> None:
    grouping = Grouping(desk.carry_out, 1, 20)
    with ThreadPoolExecutor(10) as threads:
        first = ask(threads, grouping, range(1))
        others = ask(threads, grouping, range(1, 4))
        desk.bug = ZeroDivisionError("a bug")
        desk.open.set()
        with pytest.raises(LedgerFailed, match=r"b-0.*ZeroDivisionError"):
            first[0].result()
        assert [future.result().booking for future in others] == ["b-1", "b-2", "b-3"]
    assert grouping._free == 1


def test_a_missing_answer_leaves_nobody_waiting() -> None:
    grouping = Grouping(lambda _: [], 1, 20)
    with pytest.raises(LedgerFailed, match="0 answers to 1 claims"):
        grouping.decide(claim("show", "b-1", ["A"]))


def test_where_the_leader_is_interrupted_the_others_are_told_and_the_next_leads(desk: Desk) -> None:
    grouping = Grouping(desk.carry_out, 1, 20)
    with ThreadPoolExecutor(10) as threads:
        first = ask(threads, grouping, range(1))
        others = ask(threads, grouping, range(1, 3))
        desk.bug = KeyboardInterrupt()
        desk.open.set()
        with pytest.raises(KeyboardInterrupt):
            first[0].result()
        assert [future.result().booking for future in others] == ["b-1", "b-2"]
        desk.bug = KeyboardInterrupt()
        broken = _grouping.broken(desk.bug, [claim("show", "b-9", ["A"])])
        assert [type(answer) for answer in broken] == [LedgerUnavailable]
        desk.bug = None
        assert grouping.decide(claim("show", "b-10", ["A"])).booking == "b-10"
    assert grouping._free == 1


def test_a_forked_process_does_not_wait_for_its_parents_leader(desk: Desk) -> None:
    grouping = Grouping(desk.carry_out, 1, 20)

    def child() -> None:
        desk.open = threading.Event()
        desk.open.set()
        os._exit(0 if grouping.decide(claim("show", "b-9", ["A"])).booking == "b-9" else 1)

    with ThreadPoolExecutor(10) as threads:
        futures = ask(threads, grouping, range(3))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of forks where there are threads
            forked = multiprocessing.get_context("fork").Process(target=child)
            forked.start()
        forked.join(30)
        assert forked.exitcode == 0
        desk.open.set()
        assert [future.result().booking for future in futures] == ["b-0", "b-1", "b-2"]


def test_who_waits_too_long_is_told_so_without_another_attempt(desk: Desk) -> None:
    grouping = Grouping(desk.carry_out, 1, 0.05)
    with ThreadPoolExecutor(10) as threads:
        futures = ask(threads, grouping, range(4))
        last = time.monotonic()
        until(lambda: time.monotonic() > last + 0.1, "their patience has ended")
        desk.open.set()
        assert futures[0].result().booking == "b-0"
        for future in futures[1:]:
            with pytest.raises(LedgerUnavailable, match="not decided"):
                future.result()
    assert desk.batches == [["b-0"]]
    assert grouping._free == 1


def test_the_line_is_bounded_and_forgets_who_has_gone() -> None:
    line: Line[_Caller] = Line(3)
    callers = [_Caller(claim("show", f"b-{number}", ["A"]), 1.0) for number in range(5)]
    for caller in callers[:3]:
        line.push(caller)
    with pytest.raises(LedgerUnavailable, match="b-3"):
        line.push(callers[3])
    callers[1].gone = True
    line.push(callers[3])
    line.drop(callers[0])
    line.drop(callers[0])
    batch, late = line.take(0.5)
    assert ([caller.claim.booking for caller in batch], late, len(line)) == (["b-2", "b-3"], [], 0)
    line.push(callers[4])
    assert line.take(2.0) == ([], [callers[4]])
    line.push(callers[1])
    line.push(callers[0])
    assert line.clear() == [callers[0]]


@pytest.mark.parametrize(("count", "seats", "sizes"), [(1_201, 1, [500, 500, 201]), (120, 100, [50, 50, 20])])
def test_a_transaction_takes_so_much_and_no_more(count: int, seats: int, sizes: list[int]) -> None:
    claims = [claim("show", f"b-{n}", [f"A-{n}-{seat}" for seat in range(seats)]) for n in range(count)]
    assert [len(batch) for batch in batches(claims)] == sizes
    assert [asked for batch in batches(claims) for asked in batch] == claims
    line: Line[_Caller] = Line()
    for asked in claims:
        line.push(_Caller(asked, 1.0))
    taken = []
    while len(line):
        taken.append(len(line.take(0.0)[0]))
    assert taken == sizes


def test_threads_share_transactions_of_a_real_ledger(opened: Callable[..., Ledger], show: str) -> None:
    ledger = opened()
    commits = []
    gate = threading.Event()

    def count(_: sa.Connection) -> None:
        commits.append(1)
        assert gate.wait(20)

    at_commit(ledger, count)
    line = ledger._grouping._line
    at_once = ledger._transactions.at_once
    with ThreadPoolExecutor(100) as threads:
        futures = [threads.submit(ledger.decide, claim(show, f"b-{n}", [f"A-{n % 80}"])) for n in range(100)]
        # a transaction or two are at their commit; one that waits for a seat of the other is not there yet
        until(lambda: commits and len(line) >= 100 - 2 * at_once, "the others wait", timeout=30)
        gate.set()
        statuses = [future.result().status for future in futures]
    assert (statuses.count("confirmed"), statuses.count("rejected")) == (80, 20)
    assert len(commits) <= 1 + 2 * at_once
    assert contradictions(ledger) == []
