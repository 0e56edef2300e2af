"""The asyncio ledger: batches on threads, and callers who go away."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import sqlalchemy as sa

from seatlock.errors import InvalidRequest, LedgerFailed, LedgerUnavailable, PlanConflict
from seatlock.ledger import AsyncLedger, Decision, Ledger, Migrated, PoolStock
from seatlock.ledger import aio as module
from tests.ledger.databases import claim, contradictions
from tests.ledger.faults import at_commit, lose_before
from tests.support.waiting import until


@pytest.fixture(autouse=True)
def _nothing_unheard(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No exception that nobody retrieved, no task that was forgotten: asyncio tells of them only in its log."""
    yield
    gc.collect()
    records = [*caplog.get_records("call"), *caplog.get_records("teardown")]
    assert [r.getMessage() for r in records if r.name == "asyncio" and r.levelno >= logging.WARNING] == []


@pytest.fixture
async def made(url: str) -> AsyncIterator[AsyncLedger]:
    async with AsyncLedger(url, patience=20) as ledger:
        yield ledger


class Gate:
    """Keeps every transaction from its COMMIT until it is opened, and counts them."""

    def __init__(self, ledger: AsyncLedger) -> None:
        self.commits = 0
        self.open = threading.Event()
        at_commit(ledger._ledger, self._pass)

    def _pass(self, _: sa.Connection) -> None:
        self.commits += 1
        assert self.open.wait(20)

    async def someone(self) -> None:
        """Wait until a transaction stands before it."""
        await asyncio.to_thread(until, lambda: self.commits, "a transaction is at its commit")


async def test_all_that_can_be_asked(made: AsyncLedger, show: str) -> None:
    assert await made.migrate() == Migrated("0001", "0001")
    await made.set_pools(show, {"floor": 3})
    decision = await made.decide(claim(show, "b-1", ["A-1"], pools={"floor": 1}))
    assert decision.status == "confirmed"
    assert await made.outcome(show, "b-1") == decision.record
    answers = await made.decide_many([claim(show, "b-2", ["A-1"]), claim(show, "b-3", ["A-3"])])
    assert [answer.status for answer in answers if isinstance(answer, Decision)] == ["rejected", "confirmed"]
    assert (await made.tombstone([claim(show, "b-4", ["A-4"])], reason="lost"))[0].status == "rejected"
    assert [sold.seat for sold in await made.sold(show, after="A-1", limit=5)] == ["A-3"]
    assert (await made.cancel(show, "b-1", by="eve")).status == "cancelled"
    assert await made.pools(show) == {"floor": PoolStock(3, 0)}
    assert [entry.what for entry in await made.history(show, "A-1")] == ["sold", "cancelled"]
    assert (await made.raise_epoch(show), await made.epoch(show)) == (2, 2)
    await made.decide(claim(show, "b-5", pools={"floor": 2}, epoch=2))
    with pytest.raises(PlanConflict):
        await made.set_pools(show, {"floor": 1})


async def test_what_is_asked_in_one_turn_is_one_transaction(made: AsyncLedger, show: str) -> None:
    gate = Gate(made)
    gate.open.set()
    decisions = await asyncio.gather(*[made.decide(claim(show, f"b-{n}", [f"A-{n}"])) for n in range(300)])
    assert {decision.status for decision in decisions} == {"confirmed"}
    assert gate.commits == 1


async def test_who_goes_away_before_it_is_sent_never_was(made: AsyncLedger, show: str) -> None:
    callers = [asyncio.ensure_future(made.decide(claim(show, f"b-{n}", [f"A-{n}"]))) for n in range(3)]
    await asyncio.sleep(0)
    callers[1].cancel()
    assert [type(answer) for answer in await asyncio.gather(*callers, return_exceptions=True)] == [
        Decision,
        asyncio.CancelledError,
        Decision,
    ]
    assert await made.outcome(show, "b-1") is None


async def test_who_goes_away_while_it_is_decided_undoes_nothing(made: AsyncLedger, show: str) -> None:
    gate = Gate(made)
    caller = asyncio.ensure_future(made.decide(claim(show, "b-1", ["A-1"])))
    await gate.someone()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    gate.open.set()
    assert (await made.decide(claim(show, "b-1", ["A-1"]))).status == "confirmed"
    assert len(await made.history(show, "A-1")) == 1


async def test_who_goes_away_from_a_visit_undoes_nothing_either(made: AsyncLedger, url: str, show: str) -> None:
    await made.decide(claim(show, "b-1", ["A-1"]))
    gate = Gate(made)
    caller = asyncio.ensure_future(made.cancel(show, "b-1", by="eve"))
    await gate.someone()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    gate.open.set()
    await made.aclose()
    with Ledger(url) as ledger:
        assert [entry.what for entry in ledger.history(show, "A-1")] == ["sold", "cancelled"]


async def test_closing_answers_all_who_asked(url: str, show: str) -> None:
    made = AsyncLedger(url, patience=20)
    gate = Gate(made)
    callers = [asyncio.ensure_future(made.decide(claim(show, f"b-{n}", [f"A-{n}"]))) for n in range(600)]
    visit = asyncio.ensure_future(made.raise_epoch(f"{show}-2"))
    await gate.someone()
    closing = asyncio.ensure_future(made.aclose())
    await asyncio.sleep(0)
    with pytest.raises(InvalidRequest, match="closed"):
        await made.decide(claim(show, "b-x", ["A-x"]))
    with pytest.raises(InvalidRequest, match="closed"):
        await made.outcome(show, "b-x")
    gate.open.set()
    await closing
    assert {caller.result().status for caller in callers} == {"confirmed"}
    assert visit.result() == 2
    await made.aclose()
    with Ledger(url) as ledger:
        assert len(ledger.sold(show)) == 600
        assert contradictions(ledger) == []


async def test_closing_that_is_broken_off_answers_all_the_same(url: str, show: str) -> None:
    made = AsyncLedger(url, patience=20)
    gate = Gate(made)
    first = asyncio.ensure_future(made.decide(claim(show, "b-0", ["A-0"])))
    await gate.someone()
    made._free = 0  # as if all transactions were under way
    waiting = asyncio.ensure_future(made.decide(claim(show, "b-1", ["A-1"])))
    closing = asyncio.ensure_future(made.aclose())
    await asyncio.sleep(0.01)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    with pytest.raises(LedgerUnavailable, match="not decided"):
        await waiting
    gate.open.set()
    assert (await first).status == "confirmed"


def test_another_event_loop_is_refused(url: str, show: str) -> None:
    made = AsyncLedger(url)
    assert asyncio.run(made.epoch(show)) == 1
    with pytest.raises(InvalidRequest, match="another one"):
        asyncio.run(made.decide(claim(show, "b-1", ["A-1"])))
    with pytest.raises(InvalidRequest, match="another one"):
        asyncio.run(made.epoch(show))
    made._threads.shutdown()
    made._ledger.close()


async def test_everyone_gets_an_answer_where_the_database_is_away(url: str, show: str) -> None:
    async with AsyncLedger(url, patience=0.2) as made:
        end = at_commit(made._ledger, lose_before)
        asked = [made.decide(claim(show, f"b-{n}", [f"A-{n}"])) for n in range(700)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(answer) for answer in answers} == {LedgerUnavailable}
        assert len({id(answer) for answer in answers}) == 700, "each has its own"
        end()
        assert (await made.decide(claim(show, "b-1", ["A-1"]))).status == "confirmed"


async def test_where_no_thread_can_be_had_everyone_is_told(made: AsyncLedger, show: str) -> None:
    """As when the interpreter is about to end."""
    free = made._free
    made._threads.shutdown()
    for _ in range(3):
        with pytest.raises(LedgerFailed, match="shutdown"):
            await made.decide(claim(show, "b-1", ["A-1"]))
    assert made._free == free


async def test_visits_are_bounded(made: AsyncLedger, show: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_VISITS", 3)
    gate = Gate(made)
    visits = [asyncio.ensure_future(made.raise_epoch(show)) for _ in range(3)]
    await gate.someone()
    with pytest.raises(LedgerUnavailable, match="already"):
        await made.epoch(show)
    gate.open.set()
    assert sorted(await asyncio.gather(*visits)) == [2, 3, 4]


def test_a_loop_that_ends_leaves_nobody_behind(opened: Callable[..., Ledger], url: str, show: str) -> None:
    """As when a program is interrupted: tasks are cancelled, and what is under way is decided or not."""

    async def leave() -> None:
        made = AsyncLedger(url, patience=20)
        callers = [asyncio.ensure_future(made.decide(claim(show, f"b-{n}", [f"A-{n}"]))) for n in range(20)]
        await asyncio.sleep(0.005)
        for caller in callers:
            caller.cancel()
        await asyncio.gather(*callers, return_exceptions=True)
        await made.aclose()

    asyncio.run(leave())
    ledger = opened()
    assert len(ledger.sold(show)) in (0, 20)
    assert contradictions(ledger) == []
