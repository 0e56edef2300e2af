"""Cancelling a caller: nobody else notices, and a hold that nobody can know of is given back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from seatlock import Hold, OutcomeUnknown, ScriptFailed, new_token
from seatlock._batcher import Batcher
from seatlock._operation import Ask
from tests.batcher.wire import PATIENCE, Wire, ask_for, granted, outcomes, start, taken, task_of, turns, unavailable
from tests.batcher.wire import unknown as lost

TURNS = 14  # more than a request needs from the first step to the last
ANSWERS: dict[str, Callable[[Ask[Any]], Any]] = {
    "held": granted,
    "resumed": lambda ask: granted(ask, resumed=True),
    "taken": taken,
    "lost": lost,
    "down": unavailable,
    "failed": lambda _: ScriptFailed("out of memory"),
}
LEAVE_A_HOLD = ("held", "lost", "failed")
"""The answers after which a hold may be there that only the one who asked could know of."""


async def cancelled_after(wire: Wire, batcher: Batcher, ask: Ask[Any], count: int) -> tuple[Any, list[Any]]:
    """Ask with a neighbour before and one behind; cancel after so many turns; drain. Gives what each came to."""
    before, caller, behind = start(batcher, ask_for(), ask, ask_for())
    await turns(count)
    caller.cancel()
    outcome, *others = await outcomes([caller, before, behind])
    await asyncio.wait_for(batcher.drain(), 10)
    return outcome, others


@pytest.mark.parametrize("given", [False, True], ids=["minted", "given"])
@pytest.mark.parametrize("kind", ANSWERS)
async def test_an_acquire_cancelled_at_any_point_leaves_nothing(kind: str, given: bool) -> None:
    """Whatever the answer: the hold is released if and only if the caller never heard of it and its token is ours."""
    ends = set()
    for count in range(TURNS):
        ask = ask_for(token=new_token() if given else None)

        def answer(one: Ask[Any], ask: Ask[Any] = ask) -> Any:
            return ANSWERS[kind](one) if one is ask else granted(one)

        wire = Wire(answer)
        outcome, others = await cancelled_after(wire, Batcher(wire.carry_out, PATIENCE), ask, count)
        assert [type(other) for other in others] == [Hold, Hold]
        assert [other.seats for other in others] == [other.seats for other in wire.asks("acquire") if other is not ask]
        was_cancelled = isinstance(outcome, asyncio.CancelledError)
        sent = ask in wire.asks()
        ends.add((was_cancelled, sent))
        released = [(one.token, one.seats) for one in wire.asks("release")]
        expected = was_cancelled and sent and kind in LEAVE_A_HOLD and not given
        assert released == ([(ask.token, ask.seats)] if expected else []), count
    assert ends == {(True, False), (True, True), (False, True)}, "queued, in flight, answered: each came to pass"


@pytest.mark.parametrize("verb", ["extend", "confirm", "release", "cancel"])
async def test_nothing_but_an_acquire_is_ever_undone(verb: str) -> None:
    for kind in (granted, lost):
        for count in range(TURNS):
            ask = ask_for(verb)
            wire = Wire(kind)
            batcher = Batcher(wire.carry_out, PATIENCE)
            (caller,) = start(batcher, ask)
            await turns(count)
            caller.cancel()
            await outcomes([caller])
            await asyncio.wait_for(batcher.drain(), 10)
            assert wire.asks() in ([], [ask])


@pytest.mark.parametrize("order", ["answer first", "cancellation first"])
@pytest.mark.parametrize("later", range(3))
async def test_cancelled_in_the_very_turn_of_the_answer(batcher: Batcher, wire: Wire, order: str, later: int) -> None:
    ask = ask_for()
    (caller,) = start(batcher, ask)
    await turns()
    if order == "answer first":
        wire.calls[0].reply()
        await turns(later)
        caller.cancel()
    else:
        caller.cancel()
        await turns(later)
        wire.calls[0].reply()
    await wire.answer_all()
    (outcome,) = await outcomes([caller])
    assert isinstance(outcome, Hold) == (not wire.asks("release"))
    if isinstance(outcome, asyncio.CancelledError):
        assert [one.token for one in wire.asks("release")] == [ask.token]
    else:
        assert (order, later) == ("answer first", 2)  # by then it had the hold


async def test_all_callers_of_a_batch_cancelled(batcher: Batcher, wire: Wire) -> None:
    asks = [ask_for() for _ in range(20)]
    tasks = start(batcher, *asks)
    await turns()
    for task in tasks:
        task.cancel()
    await outcomes(tasks)
    wire.calls[0].reply()
    await wire.answer_all()
    assert [one.token for one in wire.asks("release")] == [ask.token for ask in asks]
    assert len(wire.calls) == 2  # one call brings them all back


async def test_a_queued_request_is_dropped_and_its_place_is_used(batcher: Batcher, wire: Wire) -> None:
    first = start(batcher, ask_for())
    await turns()
    first += start(batcher, ask_for("confirm"))
    await turns()
    asks = [ask_for() for _ in range(300)]
    tasks = start(batcher, *asks)
    await turns()
    for task in tasks[:100]:
        task.cancel()
    await wire.answer_all()
    assert wire.calls[2].asks == asks[100:]
    await outcomes(first + tasks)


@pytest.mark.parametrize("timer", ["timeout", "wait_for"])
async def test_a_time_limit_around_a_call(batcher: Batcher, wire: Wire, timer: str) -> None:
    async def limited(ask: Ask[Any]) -> Any:
        if timer == "wait_for":
            return await asyncio.wait_for(batcher.submit(ask), 0.01)
        async with asyncio.timeout(0.01):
            return await batcher.submit(ask)

    ask = ask_for()
    caller = task_of(limited(ask))
    neighbour = start(batcher, ask_for())
    (outcome,) = await outcomes([caller])
    assert isinstance(outcome, TimeoutError)
    await wire.answer_all()
    assert [one.token for one in wire.asks("release")] == [ask.token]
    assert isinstance((await outcomes(neighbour))[0], Hold)


async def test_a_caller_whose_coroutine_is_closed_has_gone_too(batcher: Batcher, wire: Wire) -> None:
    """No task need be around a coroutine, and who drives it may close it instead of cancelling it."""
    ask = ask_for()
    coroutine = batcher.submit(ask)
    coroutine.send(None)
    await turns()
    coroutine.close()
    await wire.answer_all()
    assert [one.token for one in wire.asks("release")] == [ask.token]


async def test_the_cancelled_are_not_asked_for_again(monkeypatch: pytest.MonkeyPatch, wire: Wire) -> None:
    """Where a call is repeated for those who still have time, it is not repeated for those who have gone."""
    now = 0.0
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now)
    batcher = Batcher(wire.carry_out, PATIENCE)
    tasks = start(batcher, ask_for("confirm", "show"), ask_for("extend", "show"))
    await turns()
    asks = [ask_for() for _ in range(3)]
    for ask in asks:  # the last two have a second, and two, more than the first
        tasks += start(batcher, ask)
        await turns(1)
        now += 1.0
    wire.calls[0].reply()
    await turns()
    assert wire.calls[2].asks == asks
    tasks[3].cancel()
    wire.calls[2].reply(lost)
    await turns()
    assert wire.calls[3].asks == [asks[2]] or wire.calls[4].asks == [asks[2]]
    await wire.answer_all()
    assert [one.token for one in wire.asks("release")] == [asks[1].token]
    outcome = await outcomes(tasks[2:])
    assert [type(one) for one in outcome] == [OutcomeUnknown, asyncio.CancelledError, Hold]


@pytest.mark.parametrize("kind", ANSWERS)
async def test_many_asks_together_cancelled_at_any_point(kind: str) -> None:
    """A call of many completes, and what it has got under tokens of ours is released."""
    ends = set()
    for count in range(TURNS):
        wire = Wire(lambda ask: ANSWERS[kind](ask) if ask.verb == "acquire" else granted(ask))
        batcher = Batcher(wire.carry_out, PATIENCE)
        asks = [ask_for(), ask_for(token=new_token()), ask_for()]
        caller = task_of(batcher.submit_together(asks))
        await turns(count)
        caller.cancel()
        (outcome,) = await outcomes([caller])
        await asyncio.wait_for(batcher.drain(), 10)
        was_cancelled = isinstance(outcome, asyncio.CancelledError)
        ends.add(was_cancelled)
        undone = was_cancelled and wire.asks("acquire") and kind in LEAVE_A_HOLD
        assert [one.token for one in wire.asks("release")] == ([asks[0].token, asks[2].token] if undone else [])
    assert ends == {True, False}


@pytest.mark.parametrize("count", range(1, TURNS))
async def test_a_release_goes_on_when_nobody_waits_for_it(batcher: Batcher, wire: Wire, count: int) -> None:
    ask = ask_for()

    async def release() -> None:
        await asyncio.shield(batcher.release(ask))

    waiting = task_of(release())
    await turns(count)
    waiting.cancel()
    await wire.answer_all()
    assert [one.token for one in wire.asks("release")] == [ask.token]
    await outcomes([waiting])
