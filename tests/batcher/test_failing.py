"""Calls that fail: each caller hears its own truth, and not later than its own deadline allows."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from seatlock import Hold, OutcomeUnknown, ScriptFailed, SeatsUnavailable, ServerUnavailable
from seatlock._batcher import Batcher
from seatlock._lanes import Limits
from seatlock._operation import Ask
from tests.batcher.wire import PATIENCE, Wire, ask_for, granted, outcomes, start, taken, turns, unavailable, unknown


class Clock:
    """The event loop's time, which the test moves."""

    def __init__(self) -> None:
        self.now = 100.0


class Queue:
    """Callers that asked a second apart while two calls were stuck, so that one call carries them all."""

    def __init__(self, wire: Wire, clock: Clock) -> None:
        self.wire, self.clock = wire, clock
        self.batcher = Batcher(wire.carry_out, PATIENCE, Limits(calls=1))
        self.asks: list[Ask[Any]] = []
        self.tasks: list[asyncio.Task[Any]] = []

    async def fill(self, count: int, gap: float = 1.0) -> None:
        """Let so many ask, the first one second ago, and let them go out."""
        asyncio.get_running_loop().time = lambda: self.clock.now  # type: ignore[method-assign]
        stuck = start(self.batcher, ask_for("confirm"))
        await turns()
        for _ in range(count):
            self.asks.append(ask_for())
            self.tasks += start(self.batcher, self.asks[-1])
            await turns(1)
            self.clock.now += gap
        self.wire.calls[0].reply()
        await outcomes(stuck)
        await turns()

    async def fail(self, answer: Any) -> None:
        """The call on the wire uses up its patience and fails."""
        (call,) = self.wire.open_calls()
        self.clock.now += call.patience
        call.reply(answer)
        await turns()


@pytest.fixture
def queue(wire: Wire) -> Queue:
    return Queue(wire, Clock())


async def test_a_call_has_the_patience_of_its_least_patient_caller(queue: Queue) -> None:
    await queue.fill(3)
    (call,) = queue.wire.open_calls()
    assert call.asks == queue.asks
    assert call.patience == pytest.approx(PATIENCE - 3)
    await queue.wire.answer_all()
    assert await outcomes(queue.tasks) == [granted(ask) for ask in queue.asks]


@pytest.mark.parametrize("answer", [unavailable, unknown])
async def test_retries_stop_at_each_callers_own_deadline(queue: Queue, answer: Any) -> None:
    await queue.fill(3)
    for ended in (1, 2, 3):
        await queue.fail(answer)
        assert [task.done() for task in queue.tasks] == [True] * ended + [False] * (3 - ended)
        assert queue.clock.now == pytest.approx(100.0 + PATIENCE + ended - 1)
    for ask, error in zip(queue.asks, await outcomes(queue.tasks), strict=True):
        if answer is unavailable:
            assert isinstance(error, ServerUnavailable)
        else:
            assert isinstance(error, OutcomeUnknown)
            assert (error.token, error.seats) == (ask.token, ask.seats)
    assert len(queue.wire.asks("acquire")) == 3 + 2 + 1


async def test_callers_with_nearly_the_same_deadline_share_it(queue: Queue) -> None:
    """What is left for them is no more than one pause between two attempts."""
    await queue.fill(5, gap=0.05)
    await queue.fail(unavailable)
    assert all(task.done() for task in queue.tasks)
    await outcomes(queue.tasks)


async def test_those_who_are_late_already_are_not_asked_for(queue: Queue) -> None:
    await queue.fill(7)
    late = [task.exception() for task in queue.tasks if task.done()]
    assert [type(error) for error in late] == [ServerUnavailable] * 2  # 7 and 6 seconds ago, with a patience of 5
    assert all("was not sent; nothing was changed" in str(error) for error in late)
    assert queue.wire.open_calls()[0].asks == queue.asks[2:]
    await queue.wire.answer_all()
    await outcomes(queue.tasks)


@pytest.mark.parametrize("then", [unavailable, lambda _: ScriptFailed("out of memory")])
async def test_in_doubt_once_is_in_doubt_for_ever(queue: Queue, then: Any) -> None:
    """After an attempt without an answer, nobody may say that nothing was changed."""
    await queue.fill(2)
    await queue.fail(unknown)
    await queue.fail(then)
    second = await outcomes(queue.tasks[1:])
    assert [type(error) for error in second] == [OutcomeUnknown]
    assert (second[0].token, second[0].seats) == (queue.asks[1].token, queue.asks[1].seats)
    assert "nothing was changed" not in str(second[0])
    await outcomes(queue.tasks)


async def test_in_doubt_and_too_late_is_in_doubt(queue: Queue) -> None:
    await queue.fill(2)
    (call,) = queue.wire.open_calls()
    queue.clock.now += PATIENCE + 1  # the call came back late
    call.reply(unknown)
    assert [type(error) for error in await outcomes(queue.tasks)] == [OutcomeUnknown] * 2
    assert len(queue.wire.asks("acquire")) == 2


@pytest.mark.parametrize("then", [granted, taken])
async def test_an_answer_ends_the_doubt(queue: Queue, then: Any) -> None:
    await queue.fill(2)
    await queue.fail(unknown)
    await queue.fail(then)
    assert type((await outcomes(queue.tasks))[1]) in (Hold, SeatsUnavailable)


async def test_a_refusal_is_not_asked_again(queue: Queue) -> None:
    await queue.fill(3)
    await queue.fail(lambda _: ScriptFailed("out of memory"))
    assert [type(error) for error in await outcomes(queue.tasks)] == [ScriptFailed] * 3


async def test_an_error_belongs_to_one_caller_alone(batcher: Batcher, wire: Wire) -> None:
    """Raised once for each, so that one caller's traceback and notes are not another's."""
    tasks = start(batcher, *[ask_for() for _ in range(3)])
    await turns()
    wire.calls[0].reply(unavailable)
    errors = await outcomes(tasks)
    assert len({id(error) for error in errors}) == 3


@pytest.mark.parametrize("how", ["raise", "too few", "too many"])
async def test_a_bug_answers_everyone(batcher: Batcher, wire: Wire, how: str, caplog: pytest.LogCaptureFixture) -> None:
    """What nobody foresaw: every caller hears that nothing is certain, with its own token; and life goes on."""
    asks = [ask_for() for _ in range(4)]
    tasks = start(batcher, *asks)
    await turns()
    tasks[3].cancel()
    if how == "raise":
        wire.calls[0].fail(KeyError("a bug"))
    else:
        told = asks[:1] if how == "too few" else asks + asks
        wire.calls[0].reply_raw([granted(ask) for ask in told])
    results = await outcomes(tasks)
    for ask, result in zip(asks[:3], results, strict=False):
        if isinstance(result, OutcomeUnknown):
            assert (result.token, result.seats, result.show) == (ask.token, ask.seats, ask.show)
            assert isinstance(result.__cause__, KeyError if how == "raise" else ValueError)
        else:
            assert result == granted(ask)
    assert OutcomeUnknown in map(type, results) or how == "too many"
    assert "a call of 4 requests to acquire of show 'show' broke" in caplog.text
    await wire.answer_all()
    assert asks[3].token in [one.token for one in wire.asks("release")], "what a cancelled caller may hold is released"
    later = start(batcher, ask_for())
    await wire.answer_all()
    assert isinstance((await outcomes(later))[0], Hold)


async def test_a_bug_in_a_call_of_many_answers_each(batcher: Batcher, wire: Wire) -> None:
    asks = [ask_for() for _ in range(3)]
    call = asyncio.create_task(batcher.submit_together(asks))
    await turns()
    wire.calls[0].fail(KeyError("a bug"))
    answers = await call
    assert [(type(answer), answer.token) for answer in answers] == [(OutcomeUnknown, ask.token) for ask in asks]
