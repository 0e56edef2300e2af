"""Requests that wait together go together: within bounds, in order, in turn."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from seatlock import ServerUnavailable, Wait
from seatlock._batcher import Batcher
from seatlock._lanes import ONE_BY_ONE, Limits
from seatlock._levels import waiting_ask
from tests.batcher.wire import PATIENCE, Wire, ask_for, granted, outcomes, start, taken, turns


async def test_what_is_asked_in_one_turn_goes_out_together(batcher: Batcher, wire: Wire) -> None:
    asks = [ask_for() for _ in range(10)]
    tasks = start(batcher, *asks)
    await turns()
    assert [call.asks for call in wire.calls] == [asks]
    wire.calls[0].reply()
    assert await outcomes(tasks) == [granted(ask) for ask in asks]


async def test_nothing_waits_for_a_timer(batcher: Batcher, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lone request is on the wire after a few turns of the loop, and no timer was set for it."""
    timers: list[Any] = []
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "call_at", lambda *call, **_: timers.append(call))
    monkeypatch.setattr(loop, "call_later", lambda *call, **_: timers.append(call))
    tasks = start(batcher, ask_for())
    await turns(3)
    on_the_wire = len(wire.calls)
    wire.calls[0].reply()
    await turns(3)
    monkeypatch.undo()
    assert (on_the_wire, tasks[0].done(), timers) == (1, True, [])


async def test_what_is_asked_meanwhile_forms_the_next_batch(batcher: Batcher, wire: Wire) -> None:
    tasks = []
    for _ in range(100):  # one a turn
        tasks += start(batcher, ask_for())
        await turns(1)
    await turns()
    assert [len(call.asks) for call in wire.calls] == [1, 1]  # two calls of a show may be in flight
    wire.calls[0].reply()
    await turns()
    assert [len(call.asks) for call in wire.calls] == [1, 1, 98]
    await wire.answer_all()
    assert len(await outcomes(tasks)) == 100


async def test_an_answer_lets_the_next_call_go_at_once(wire: Wire) -> None:
    batcher = Batcher(wire.carry_out, PATIENCE, Limits(calls=1))
    tasks = start(batcher, ask_for(show="one"), ask_for(show="two"))
    await turns()
    wire.calls[0].reply()
    await turns(2)
    assert len(wire.calls) == 2
    await wire.answer_all()
    await outcomes(tasks)


async def test_waits_go_apart_and_hold_up_nobody_else(batcher: Batcher, wire: Wire) -> None:
    """Those that wait for copies are longer on the wire, so they have two calls of their own."""
    short, long = Wait(1, timeout=0.1), Wait(2, timeout=0.1)
    waiting = [waiting_ask(ask_for("confirm"), wait) for wait in (short, long) for _ in range(3)]
    tasks = start(batcher, *waiting)
    await turns()
    assert [call.asks for call in wire.calls] == [waiting[:3], waiting[3:]]
    tasks += start(batcher, *(waiting_ask(ask_for("confirm"), short) for _ in range(2)))
    await turns()
    tasks += start(batcher, waiting_ask(ask_for("confirm"), short))
    await turns()
    assert [len(call.asks) for call in wire.calls] == [3, 3, 2], "the fourth has to wait"
    others = [ask_for("confirm"), ask_for("acquire")]
    tasks += start(batcher, *others)
    await turns()
    assert [call.asks for call in wire.calls[3:]] == [[ask] for ask in others]
    await wire.answer_all()
    assert len(await outcomes(tasks)) == 11
    assert batcher._calls_of == {}


async def test_verbs_and_shows_go_apart(batcher: Batcher, wire: Wire) -> None:
    asks = [ask_for(verb, show) for verb in ("acquire", "confirm") for show in ("one", "two") for _ in range(3)]
    tasks = start(batcher, *asks)
    await wire.answer_all()
    assert len(wire.calls) == 4
    for call in wire.calls:
        assert len({(ask.verb, ask.show) for ask in call.asks}) == 1
    assert await outcomes(tasks) == [granted(ask) for ask in asks]


async def test_each_gets_its_own_answer_good_or_bad(batcher: Batcher, wire: Wire) -> None:
    asks = [ask_for() for _ in range(6)]
    tasks = start(batcher, *asks)
    await turns()
    wire.calls[0].reply(lambda ask: taken(ask) if asks.index(ask) % 2 else granted(ask))
    for number, (ask, outcome) in enumerate(zip(asks, await outcomes(tasks), strict=True)):
        assert str(outcome) == str(taken(ask)) if number % 2 else outcome == granted(ask)


@pytest.mark.parametrize(("seats", "most"), [(1, 256), (3, 170), (100, 5)])
async def test_a_call_is_bounded(batcher: Batcher, wire: Wire, seats: int, most: int) -> None:
    """By 256 requests and by 512 seats."""
    asks = [ask_for(seats=seats) for _ in range(2 * most + 1)]
    tasks = start(batcher, *asks)
    await wire.answer_all()
    assert [len(call.asks) for call in wire.calls] == [most, most, 1]
    assert wire.asks() == asks
    await outcomes(tasks)


async def test_a_request_larger_than_a_call_may_be_goes_alone(wire: Wire) -> None:
    batcher = Batcher(wire.carry_out, PATIENCE, Limits(seats=4))
    tasks = start(batcher, ask_for(), ask_for(seats=10), ask_for())
    await wire.answer_all()
    assert [len(call.asks) for call in wire.calls] == [1, 1, 1]
    await outcomes(tasks)


@pytest.mark.parametrize(("shows", "most"), [(1, 2), (3, 6), (20, 8)])
async def test_calls_in_flight_are_bounded(batcher: Batcher, wire: Wire, shows: int, most: int) -> None:
    """Two a show, whatever the verb, and eight in all."""
    tasks = []
    for _ in range(5):
        tasks += start(batcher, *[ask_for(v, f"show-{n}") for n in range(shows) for v in ("acquire", "confirm")])
        await turns()
    assert len(wire.open_calls()) == most
    await wire.answer_all()
    assert wire.most_at_once == most
    await outcomes(tasks)


async def test_a_full_queue_refuses_and_sends_nothing(wire: Wire) -> None:
    batcher = Batcher(wire.carry_out, PATIENCE, Limits(queued=16))
    first = start(batcher, ask_for())
    await turns()
    tasks = first + start(batcher, *[ask_for("confirm") for _ in range(40)])
    await turns()
    refused = [task for task in tasks if task.done()]
    assert len(refused) == 40 - 16
    for task in refused:
        assert isinstance(task.exception(), ServerUnavailable)
        assert "not sent" in str(task.exception())
        assert "nothing was changed" in str(task.exception())
    await wire.answer_all()
    assert len(wire.asks()) == 1 + 16
    await outcomes(tasks)


async def test_the_cancelled_do_not_fill_the_queue(wire: Wire) -> None:
    """Callers that time out while Redis is silent make room for others, whose requests are live."""
    batcher = Batcher(wire.carry_out, PATIENCE, Limits(queued=16, calls=1))
    stuck = start(batcher, ask_for())
    await turns()
    for _ in range(50):
        impatient = start(batcher, *[ask_for() for _ in range(8)])
        await turns(1)
        for task in impatient:
            task.cancel()
        await outcomes(impatient)
    assert {type(task.exception()) for task in impatient if not task.cancelled()} == set()
    live = start(batcher, *[ask_for() for _ in range(10)])
    await wire.answer_all()
    await outcomes(stuck)
    assert [type(outcome).__name__ for outcome in await outcomes(live)] == ["Hold"] * 10
    assert len(wire.asks()) == 11


async def test_lanes_take_turns(wire: Wire) -> None:
    """Neither a busy show nor a busy verb keeps others waiting."""
    batcher = Batcher(wire.carry_out, PATIENCE, Limits(asks=2, calls=1))
    lanes = [("acquire", "busy"), ("confirm", "busy"), ("acquire", "quiet")]
    tasks = start(batcher, *[ask_for(*lanes[0]) for _ in range(20)], ask_for(*lanes[1]), ask_for(*lanes[2]))
    await wire.answer_all()
    order = [(call.asks[0].verb, call.asks[0].show) for call in wire.calls]
    assert order[:4] == [*lanes, lanes[0]]
    await outcomes(tasks)


async def test_a_lane_whose_show_is_busy_keeps_its_turn(wire: Wire) -> None:
    """Another show goes ahead of it, which must not let another verb of its own show overtake it for ever."""
    batcher = Batcher(wire.carry_out, PATIENCE, Limits(asks=1, calls=2, calls_a_show=1))
    lanes = [("acquire", "busy")] * 5, [("confirm", "busy")], [("acquire", "other")] * 5
    tasks = start(batcher, *[ask_for(*lane) for some in lanes for lane in some])
    for show in ["busy", "other"] * 5:
        await turns()
        next(call for call in wire.open_calls() if call.asks[0].show == show).reply()
    await wire.answer_all()
    assert [ask.verb for ask in wire.asks() if ask.show == "busy"][:2] == ["acquire", "confirm"]
    await outcomes(tasks)


async def test_order_is_kept_within_a_lane(batcher: Batcher, wire: Wire) -> None:
    asks = [ask_for() for _ in range(1000)]
    tasks = start(batcher, *asks)
    await wire.answer_all()
    assert wire.asks() == asks
    await outcomes(tasks)


async def test_nothing_is_left_of_many_shows(batcher: Batcher, wire: Wire) -> None:
    for first in range(0, 1000, 100):
        asks = [ask_for(verb, f"show-{first + n}") for n in range(100) for verb in ("acquire", "confirm")]
        tasks = start(batcher, *asks)
        tasks[0].cancel()
        await wire.answer_all()
        await outcomes(tasks)
    assert not any([*batcher._lanes._lanes, *batcher._lanes._line, batcher._lanes.queued, batcher._calls_of])
    assert not any([batcher._calls, batcher._under_way, batcher._owed])


async def test_one_by_one_every_request_has_a_call_of_its_own(wire: Wire) -> None:
    batcher = Batcher(wire.carry_out, PATIENCE, ONE_BY_ONE)
    asks = [ask_for() for _ in range(200)]
    tasks = start(batcher, *asks)
    await wire.answer_all()
    assert [call.asks for call in wire.calls] == [[ask] for ask in asks]
    assert wire.most_at_once == 64
    assert await outcomes(tasks) == [granted(ask) for ask in asks]


async def test_many_asks_together_go_in_one_go_and_are_answered_in_order(batcher: Batcher, wire: Wire) -> None:
    asks = [ask_for() for _ in range(1000)]
    call = asyncio.create_task(batcher.submit_together(asks))
    await turns()
    assert [call.asks for call in wire.calls] == [asks]
    assert wire.calls[0].patience == float("inf")  # each step of it has the locker's own
    wire.calls[0].reply(lambda ask: taken(ask) if ask is asks[3] else granted(ask))
    answers = await call
    assert str(answers[3]) == str(taken(asks[3]))
    assert answers[:3] + answers[4:] == [granted(ask) for ask in asks if ask is not asks[3]]
    assert await batcher.submit_together([]) == []
