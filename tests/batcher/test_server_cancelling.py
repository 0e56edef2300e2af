"""Callers cancelled at every point of a call to a real server: no orphan is left, and no reply is shifted."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple

import pytest

from seatlock import AcquireRequest, AsyncSeatLocker, Booking, Hold, SeatLocker, _commands, new_token
from tests.batcher.house import House, idle
from tests.batcher.wire import turns
from tests.support.keyspace import contradictions

# After so many turns of the loop; beyond the first hundred in growing steps, for a busy machine answers late.
TURNS: Final = [*range(100), *(round(100 * 1.15**step) for step in range(60))]
STEADY: Final = 5  # so many calls in a row that came to their end before they were cancelled: then it is over
SEATS: Final = [f"{who}-{number}" for number in TURNS for who in ("A", "B", "C")]


class Trial(NamedTuple):
    """One call that was cancelled after some turns, or came to its end before."""

    seat: str
    token: str
    answer: Any
    """None where it was cancelled."""


class Verb(NamedTuple):
    """``prepare`` makes what the calls need for each seat; ``call`` calls; ``right`` judges an answer."""

    prepare: Callable[[SeatLocker, str], dict[str, Any]]
    call: Callable[[AsyncSeatLocker, str, str, Any], Awaitable[Any]]


def _nothing(_boss: SeatLocker, _show: str) -> dict[str, Any]:
    return dict.fromkeys(SEATS)


def _tokens(_boss: SeatLocker, _show: str) -> dict[str, Any]:
    return {seat: new_token() for seat in SEATS}


def _holds(boss: SeatLocker, show: str) -> dict[str, Any]:
    holds = boss.acquire_many(show, [AcquireRequest([seat], f"holder-{seat}") for seat in SEATS])
    return {hold.seats[0]: hold for hold in holds if isinstance(hold, Hold)}


def _bookings(boss: SeatLocker, show: str) -> dict[str, Any]:
    return {seat: boss.confirm(hold) for seat, hold in _holds(boss, show).items()}


async def _block(locker: AsyncSeatLocker, show: str, seat: str, _: Any) -> Any:
    async with locker.holding(show, [seat], holder=f"holder-{seat}") as hold:
        await turns(3)
        return hold


def _acquire(locker: AsyncSeatLocker, show: str, seat: str, token: str | None) -> Any:
    return locker.acquire(show, [seat], holder=f"holder-{seat}", token=token)


async def _acquire_many(locker: AsyncSeatLocker, show: str, seat: str, _: Any) -> Any:
    (hold,) = await locker.acquire_many(show, [AcquireRequest([seat], f"holder-{seat}")])
    return hold


VERBS: Final = {
    "acquire": Verb(_nothing, _acquire),
    "acquire given": Verb(_tokens, _acquire),
    "acquire resumed": Verb(_holds, lambda locker, show, seat, _: _acquire(locker, show, seat, None)),
    "acquire many": Verb(_nothing, _acquire_many),
    "extend": Verb(_holds, lambda locker, _show, _seat, hold: locker.extend(hold, ttl=900.0)),
    "confirm": Verb(_holds, lambda locker, _show, _seat, hold: locker.confirm(hold)),
    "release": Verb(_holds, lambda locker, _show, _seat, hold: locker.release(hold)),
    "cancel": Verb(_bookings, lambda locker, _show, _seat, booking: locker.cancel(booking)),
    "holding": Verb(_nothing, _block),
}


async def cancel_after(count: int, call: Awaitable[Any]) -> Any:
    """The answer of a call, or None if it was cancelled after so many turns of the loop."""
    task = asyncio.ensure_future(call)
    await turns(count)
    task.cancel()
    try:
        return await task
    except asyncio.CancelledError:
        return None


async def at_every_turn(locker: AsyncSeatLocker, verb: Verb, show: str, prepared: dict[str, Any]) -> list[Trial]:
    """Cancel a call after 0, 1, 2 … turns, until it is over before; neighbours before and behind it get their own."""
    trials: list[Trial] = []
    for count in TURNS:
        seats = [f"{who}-{count}" for who in ("A", "B", "C")]
        calls = [verb.call(locker, show, seat, prepared[seat]) for seat in seats]
        answers = await asyncio.gather(calls[0], cancel_after(count, calls[1]), calls[2])
        assert [seat for seat, answer in zip(seats, answers, strict=True) if answer and seat in answer.seats] == [
            seat for seat, answer in zip(seats, answers, strict=True) if answer
        ]
        assert answers[0] is not None
        assert answers[2] is not None
        held = prepared[seats[1]]
        trials.append(Trial(seats[1], held if isinstance(held, str) else getattr(held, "token", ""), answers[1]))
        if all(trial.answer for trial in trials[-STEADY:]) and count >= STEADY:
            return trials
    raise AssertionError(f"not over after {TURNS[-1]} turns")


@pytest.fixture(params=[True, False], ids=["grouped", "one by one"])
def batching(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.mark.parametrize("name", VERBS)
async def test_cancelled_at_every_turn(house: House, name: str, batching: bool) -> None:
    verb = VERBS[name]
    show = house.open(SEATS)
    with SeatLocker.from_url(house.url) as boss:
        prepared = verb.prepare(boss, show)
    async with AsyncSeatLocker.from_url(house.url, batching=batching) as locker:
        trials = await at_every_turn(locker, verb, show, prepared)
    owners = house.owners(show, SEATS)
    sold = house.sold(show)
    seen: Counter[str] = Counter()
    for trial in trials:
        state = "sold" if trial.seat in sold else "held" if trial.seat in owners else "free"
        seen[f"{'answered' if trial.answer else 'cancelled'} {state}"] += 1
        if name == "acquire" and trial.answer:
            assert owners[trial.seat] == trial.answer.token
        if name in ("acquire given", "acquire resumed", "extend") and state == "held":
            assert owners[trial.seat] == trial.token
    assert set(seen) == EXPECTED[name]


EXPECTED: Final = {
    "acquire": {"answered held", "cancelled free"},
    "acquire given": {"answered held", "cancelled held", "cancelled free"},  # free: dropped before it was sent
    "acquire resumed": {"answered held", "cancelled held"},
    "acquire many": {"answered held", "cancelled free"},
    "extend": {"answered held", "cancelled held"},
    "confirm": {"answered sold", "cancelled sold", "cancelled held"},
    "release": {"answered free", "cancelled free", "cancelled held"},
    "cancel": {"answered free", "cancelled free", "cancelled sold"},
    "holding": {"answered free", "cancelled free"},
}
"""What may have become of the seat, and must have, in some trial or other."""


async def test_a_resumed_block_is_left_alone(house: House) -> None:
    """The hold was there before the block, so no exit from the block, however early, ends it."""
    show = house.open(SEATS)
    hold = house.hold(show, "B-0", holder="holder-B-0")
    async with AsyncSeatLocker.from_url(house.url) as locker:
        answers: list[Any] = []
        while len(answers) < 2000 and (not answers or answers[-1] is None):  # until one is over before it is cancelled
            answers.append(await cancel_after(len(answers), _block(locker, show, "B-0", None)))
    assert answers[0] is None
    assert answers[-1] is not None
    assert house.owner(show, "B-0") == hold.token


@pytest.mark.parametrize("extends", [False, True])
async def test_a_page_that_is_refreshed_keeps_the_hold_of_the_call_it_cancelled(house: House, extends: bool) -> None:
    """The framework cancels the first request; the second, in another process, was given its hold: so it stays."""
    show = house.open(SEATS)
    async with AsyncSeatLocker.from_url(house.url) as first, AsyncSeatLocker.from_url(house.url) as second:
        ask = _commands.acquire(first._core.namespace, show, SEATS[:1], "ada", 600.0, None)
        future = first._batcher.queue(ask)  # what `acquire` does, to the turn in which the answer is there
        held = await future
        again = await second.acquire(show, SEATS[:1], holder="ada")
        assert (again.token, again.resumed) == (held.token, True)
        if extends:
            again = await second.extend(again, ttl=700.0)
        first._batcher.abandon(ask, future)  # and what it does when it is cancelled in that turn
        await idle(first)
        assert (await second.confirm(again)).seats == again.seats
    assert contradictions(house.raw, show) == []


async def test_a_call_that_was_cancelled_gives_back_a_hold_that_nobody_resumed(house: House) -> None:
    show = house.open(SEATS)
    async with AsyncSeatLocker.from_url(house.url) as locker:
        ask = _commands.acquire(locker._core.namespace, show, SEATS[:1], "ada", 600.0, None)
        future = locker._batcher.queue(ask)
        await future
        again = await locker.acquire(show, SEATS[:1], holder="ada", token=ask.token)  # its own token resumes nothing
        assert not again.resumed
        locker._batcher.abandon(ask, future)
        await idle(locker)
        assert house.owner(show, SEATS[0]) is None


@pytest.mark.parametrize("timer", ["timeout", "wait_for"])
async def test_time_limits_of_all_lengths(house: House, timer: str) -> None:
    show = house.open(SEATS)

    async def limited(seat: str, seconds: float) -> Hold | None:
        call = locker.acquire(show, [seat], holder="ada")
        try:
            if timer == "wait_for":
                return await asyncio.wait_for(call, seconds)
            async with asyncio.timeout(seconds):
                return await call
        except TimeoutError:
            return None

    async with AsyncSeatLocker.from_url(house.url) as locker:
        answers = {}
        for round_ in range(10):  # from too short to long enough, many at once
            seats = SEATS[40 * round_ : 40 * (round_ + 1)]
            answers |= dict(
                zip(
                    seats,
                    await asyncio.gather(*[limited(seat, 0.0002 * n) for n, seat in enumerate(seats)]),
                    strict=True,
                )
            )
    known = {seat: hold.token for seat, hold in answers.items() if hold}
    assert 0 < len(known) < len(answers)
    assert house.owners(show, SEATS) == known


async def test_all_the_callers_of_a_batch_at_once(house: House) -> None:
    show = house.open(SEATS)
    async with AsyncSeatLocker.from_url(house.url) as locker:
        await locker.release(await locker.acquire(show, SEATS[:1], holder="ada"))
        for count in range(30):
            tasks = [asyncio.create_task(locker.acquire(show, [seat], holder="ada")) for seat in SEATS[:200]]
            await turns(count)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await idle(locker)
            kept = {task.result().seats[0]: task.result().token for task in tasks if not task.cancelled()}
            assert house.owners(show, SEATS[:200]) == kept
            for task in tasks:
                if not task.cancelled():
                    await locker.release(task.result())
        bookings = await asyncio.gather(*[_buy(locker, show, seat) for seat in SEATS[:200]])
    assert [booking.seats[0] for booking in bookings] == SEATS[:200]


async def _buy(locker: AsyncSeatLocker, show: str, seat: str) -> Booking:
    return await locker.confirm(await locker.acquire(show, [seat], holder=f"holder-{seat}"))
