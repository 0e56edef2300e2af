"""Ends of all kinds: a locker that closes, a loop that closes, tasks that are cancelled by somebody else."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from seatlock import Hold, InvalidRequest, OutcomeUnknown, Release, ServerUnavailable
from seatlock._batcher import Batcher
from seatlock._lanes import Limits
from tests.batcher.wire import PATIENCE, Wire, ask_for, granted, outcomes, start, task_of, turns


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """An event loop that the test may end as it likes."""
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as running:
        yield running


def calls_under_way() -> list[asyncio.Task[Any]]:
    """The tasks that the batcher has made."""
    ours = ("_carry", "_answer")
    return [task for task in asyncio.all_tasks() if getattr(task.get_coro(), "__name__", "") in ours]


# A locker that closes


async def test_a_drain_waits_for_what_was_asked(wire: Wire) -> None:
    batcher = Batcher(wire.carry_out, PATIENCE, Limits(asks=2, calls=1))
    asks = [ask_for() for _ in range(7)]
    tasks = start(batcher, *asks)
    tasks.append(task_of(batcher.submit_together([ask_for()])))
    await turns()
    closing = task_of(batcher.drain())
    await turns()
    assert not closing.done()
    await wire.answer_all()
    assert closing.done()
    assert (await outcomes(tasks))[:7] == [granted(ask) for ask in asks]


async def test_a_drain_waits_for_releases_in_the_background(batcher: Batcher, wire: Wire) -> None:
    ask = ask_for()
    (caller,) = start(batcher, ask)
    await turns()
    closing = task_of(batcher.drain())
    await turns()
    caller.cancel()
    await turns()
    wire.calls[0].reply()
    await turns()
    assert not closing.done()
    assert [one.token for one in wire.asks("release")] == [ask.token]
    wire.calls[1].reply()
    await turns()
    assert closing.done()


async def test_a_drain_waits_for_visits(batcher: Batcher) -> None:
    async with batcher.visit():
        closing = task_of(batcher.drain())
        await turns(10)
        assert not closing.done()
    await turns()
    assert closing.done()


async def test_nothing_is_taken_after_a_drain(batcher: Batcher, wire: Wire, caplog: pytest.LogCaptureFixture) -> None:
    await batcher.drain()
    await batcher.drain()
    await asyncio.gather(batcher.drain(), batcher.drain())
    with pytest.raises(InvalidRequest, match="closed"):
        await batcher.submit(ask_for())
    with pytest.raises(InvalidRequest, match="closed"):
        async with batcher.visit():
            pass
    with pytest.raises(InvalidRequest, match="closed"):
        await batcher.release(ask_for())
    await turns(1)
    assert "could not be released" in caplog.text
    assert wire.calls == []


async def test_what_is_left_of_a_block_is_released_while_a_drain_goes_on(batcher: Batcher, wire: Wire) -> None:
    tasks = start(batcher, ask_for())
    await turns()
    closing = task_of(batcher.drain())
    await turns()
    released = batcher.release(ask_for())
    await wire.answer_all()
    assert isinstance(await released, Release)
    await outcomes([*tasks, closing])


async def test_a_drain_that_is_cancelled_breaks_everything_off(wire: Wire) -> None:
    """Whoever cannot wait for answers does not: those who wait for one are told what is known."""
    batcher = Batcher(wire.carry_out, PATIENCE, Limits(asks=2, calls=1))
    tasks = start(batcher, *[ask_for() for _ in range(6)])
    await turns()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(batcher.drain(), 0.01)
    results = await outcomes(tasks)
    assert [type(result) for result in results] == [OutcomeUnknown] * 2 + [ServerUnavailable] * 4
    assert len(wire.calls) == 1
    assert calls_under_way() == []
    await asyncio.wait_for(batcher.drain(), 1)


# Tasks that somebody else cancels


async def test_a_cancelled_call_answers_its_callers_and_the_next_goes_on(wire: Wire) -> None:
    batcher = Batcher(wire.carry_out, PATIENCE, Limits(asks=3, calls=1))
    asks = [ask_for() for _ in range(5)]
    tasks = start(batcher, *asks)
    await turns()
    (call,) = calls_under_way()
    call.cancel()
    await wire.answer_all()
    results = await outcomes(tasks)
    assert [(type(error), error.token) for error in results[:3]] == [(OutcomeUnknown, ask.token) for ask in asks[:3]]
    assert results[3:] == [granted(ask) for ask in asks[3:]]


async def test_a_cancelled_call_of_many_answers_each(batcher: Batcher) -> None:
    asks = [ask_for() for _ in range(3)]
    caller = task_of(batcher.submit_together(asks))
    await turns()
    (call,) = calls_under_way()
    call.cancel()
    answers = await caller
    assert [(type(answer), answer.token) for answer in answers] == [(OutcomeUnknown, ask.token) for ask in asks]


async def cancel_everything() -> None:
    """What the handler of a signal often does: cancel all tasks but itself, and wait for them."""
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("count", range(8))
async def test_after_all_tasks_were_cancelled_a_drain_gives_the_holds_back(wire: Wire, count: int) -> None:
    """Nothing is sent meanwhile, since the loop may be about to end; what was in flight is released at the end."""
    batcher = Batcher(wire.carry_out, PATIENCE, Limits(asks=2, calls=1))
    asks = [ask_for() for _ in range(5)]
    tasks = start(batcher, *asks)
    await turns(count)
    in_flight = {ask.token for ask in wire.asks()}
    before = len(wire.calls)
    await cancel_everything()
    await turns(10)
    assert len(wire.calls) == before
    assert all(task.cancelled() for task in tasks)
    closing = task_of(batcher.drain())
    await wire.answer_all()
    await asyncio.wait_for(closing, 1)
    released = {one.token for one in wire.asks("release")}
    assert released == in_flight or (count == 2 and released == {ask.token for ask in asks[:2]})  # about to be sent


async def test_a_release_that_was_cancelled_on_its_way_goes_out_again(batcher: Batcher, wire: Wire) -> None:
    ask = ask_for()
    (caller,) = start(batcher, ask)
    await turns()
    caller.cancel()
    wire.calls[0].reply()
    await turns()
    assert [one.verb for one in wire.calls[1].asks] == ["release"]
    await cancel_everything()
    closing = task_of(batcher.drain())
    await wire.answer_all()
    await asyncio.wait_for(closing, 1)
    assert [one.token for one in wire.asks("release")] == [ask.token] * 2


async def test_what_is_owed_goes_out_with_the_next_request(batcher: Batcher, wire: Wire) -> None:
    ask = ask_for()
    start(batcher, ask)
    await turns()
    await cancel_everything()
    tasks = start(batcher, ask_for())
    await wire.answer_all()
    assert [one.token for one in wire.asks("release")] == [ask.token]
    assert isinstance((await outcomes(tasks))[0], Hold)


# A loop that closes


@pytest.mark.parametrize("count", range(8))
def test_a_loop_that_ends_with_requests_under_way(runner: asyncio.Runner, wire: Wire, count: int) -> None:
    """Nobody hangs, nothing is left pending, nothing goes wrong unheard: see the fixture of all tests here."""
    batcher = Batcher(wire.carry_out, PATIENCE, Limits(asks=2, calls=2))
    tasks: list[asyncio.Task[Any]] = []

    async def main() -> None:
        tasks.extend(start(batcher, *[ask_for() for _ in range(4)], *[ask_for("confirm") for _ in range(4)]))
        tasks.append(task_of(batcher.submit_together([ask_for()])))
        await turns(count)

    runner.run(main())
    runner.close()
    assert all(task.cancelled() for task in tasks)
    assert not batcher._under_way


def test_a_loop_that_ends_while_something_is_given_back(runner: asyncio.Runner, batcher: Batcher, wire: Wire) -> None:
    async def main() -> None:
        tasks = start(batcher, ask_for(), ask_for())
        await turns()
        tasks[0].cancel()
        wire.calls[0].reply()
        await turns()

    runner.run(main())
    runner.close()
    assert len(wire.asks("release")) == 1
    assert not batcher._under_way


@pytest.mark.parametrize("how", [SystemExit, KeyboardInterrupt])
def test_a_signal_in_the_midst_of_a_call(
    runner: asyncio.Runner, batcher: Batcher, wire: Wire, how: type[BaseException]
) -> None:
    """A handler that raises may strike anywhere, also in a task of ours."""
    tasks: list[asyncio.Task[Any]] = []

    async def main() -> None:
        tasks.extend(start(batcher, ask_for(), ask_for("confirm")))
        await turns()
        wire.calls[0].fail(how())
        await asyncio.sleep(10)

    with pytest.raises(how):
        runner.run(main())
    runner.close()
    assert all(task.cancelled() for task in tasks)
    assert not batcher._under_way


def test_a_loop_that_is_closed_without_more_ado(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody can be told any more; what is destroyed with the loop is silent, but for asyncio's own complaint."""
    broken: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", broken.append)

    async def main(batcher: Batcher) -> list[asyncio.Task[Any]]:
        tasks = start(batcher, ask_for(), ask_for("confirm"))
        await turns()
        return tasks

    def run() -> None:
        loop = asyncio.new_event_loop()
        tasks = loop.run_until_complete(main(Batcher(Wire().carry_out, PATIENCE)))
        loop.close()
        assert not any(task.done() for task in tasks)

    run()
    gc.collect()
    monkeypatch.undo()
    assert broken == []
    said = [record.message.splitlines()[0] for record in caplog.records]
    assert said == ["Task was destroyed but it is pending!"] * 4
    caplog.clear()


def test_a_second_loop_is_refused_before_anything_is_sent(batcher: Batcher, wire: Wire) -> None:
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as first:
        wire.answer = granted
        assert isinstance(first.run(batcher.submit(ask_for())), Hold)
        with asyncio.Runner(loop_factory=asyncio.new_event_loop) as second:
            uses: list[Callable[[], Any]] = [
                lambda: batcher.submit(ask_for()),
                lambda: batcher.submit_together([ask_for()]),
                batcher.drain,
            ]
            for use in uses:
                with pytest.raises(InvalidRequest, match="event loop"):
                    second.run(use())
        assert len(wire.calls) == 1
        assert isinstance(first.run(batcher.submit(ask_for())), Hold)
        first.run(batcher.drain())


# What a call inherits, and who keeps it


async def test_a_call_inherits_no_variables_of_a_caller(wire: Wire) -> None:
    secret: contextvars.ContextVar[str] = contextvars.ContextVar("secret")
    seen: list[str | None] = []

    class Seeing(logging.Handler):
        def emit(self, _record: logging.LogRecord) -> None:
            seen.append(secret.get(None))

    async def carry_out(asks: Any, patience: float) -> Any:
        seen.append(secret.get(None))
        return await wire.carry_out(asks, patience)

    secret.set("of the caller")
    batcher = Batcher(carry_out, PATIENCE, Limits(asks=1, calls=1))
    log, handler = logging.getLogger("seatlock"), Seeing()
    log.addHandler(handler)
    try:
        tasks = start(batcher, ask_for(), ask_for())
        tasks.append(task_of(batcher.submit_together([ask_for()])))
        await turns()
        tasks[0].cancel()
        await wire.answer_all(lambda ask: granted(ask) if ask.verb == "acquire" else ServerUnavailable("down"))
        await outcomes(tasks)
    finally:
        log.removeHandler(handler)
    assert len(seen) == 5  # three acquires, a release, and what is logged of it
    assert set(seen) == {None}


async def test_calls_are_kept_while_they_are_on_the_wire(batcher: Batcher, wire: Wire) -> None:
    """The event loop itself holds its tasks only weakly."""
    asks = [ask_for(), ask_for("confirm")]
    tasks = start(batcher, *asks)
    await turns()
    for _ in range(3):
        gc.collect()
        await turns(1)
    assert len(calls_under_way()) == 2
    await wire.answer_all()
    assert await outcomes(tasks) == [granted(ask) for ask in asks]
