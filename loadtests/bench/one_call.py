"""The cost of one call alone: seatlock's against the bare EVALSHA of the same script by the same client, pairwise."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from typing import Any

from loadtests.bench.contestants.base import TTL, WrongResult
from loadtests.bench.contestants.seats import (
    SHOW,
    Prepared,
    bare_async_client,
    bare_client,
    prove_sold,
    restock,
    seat,
)
from loadtests.bench.progress import say
from loadtests.bench.results import OneCall, Spread
from loadtests.bench.settings import Settings
from loadtests.bench.stage import Stage
from seatlock import AsyncSeatLocker, SeatLocker, new_token

_WARM_UP = 50  # calls before any is timed


class _Calls:
    """The prepared calls of one round: even seats are booked by seatlock, odd ones by the bare client."""

    def __init__(self, stage: Stage, count: int) -> None:
        self.stage = stage
        self.count = count
        restock(stage, 2 * count)
        prepared = Prepared(stage)
        tokens = [new_token() for _ in range(count)]
        self.seats = [seat(2 * number) for number in range(count)]
        self.acquires = [prepared.acquire(2 * number + 1, token) for number, token in enumerate(tokens)]
        self.confirms = [prepared.confirm(2 * number + 1, token) for number, token in enumerate(tokens)]
        gc.collect()

    def check(self) -> None:
        """Every seat is sold once."""
        prove_sold(self.stage, 2 * self.count, "one call alone")


def _expect(reply: Any, word: bytes) -> None:
    if reply[1][0] != word:
        raise WrongResult(f"the bare call answered {reply}, not {word!r}")


def sync_round(stage: Stage, count: int, locker: SeatLocker, bare: Any) -> list[tuple[float, float]]:
    """Median microseconds of seatlock and of the bare call: of acquires, then of confirms."""
    calls = _Calls(stage, count)
    holds: list[Any] = []
    found = []
    for verb in ("acquire", "confirm"):
        ours, theirs = [], []
        prepared, word = (calls.acquires, b"held") if verb == "acquire" else (calls.confirms, b"booked")
        for number, name in enumerate(calls.seats):
            began = time.perf_counter()
            if verb == "acquire":
                holds.append(locker.acquire(SHOW, [name], holder="user-1", ttl=TTL))
            else:
                locker.confirm(holds[number], payment="pay-1")
            between = time.perf_counter()
            reply = bare.evalsha(*prepared[number])
            ended = time.perf_counter()
            _expect(reply, word)
            ours.append(between - began)
            theirs.append(ended - between)
        found.append(_medians(ours, theirs))
    calls.check()
    return found


async def async_round(stage: Stage, count: int, locker: AsyncSeatLocker, bare: Any) -> list[tuple[float, float]]:
    """As `sync_round`, awaited; written out, since anything shared would be measured with it."""
    calls = _Calls(stage, count)
    holds: list[Any] = []
    found = []
    for verb in ("acquire", "confirm"):
        ours, theirs = [], []
        prepared, word = (calls.acquires, b"held") if verb == "acquire" else (calls.confirms, b"booked")
        for number, name in enumerate(calls.seats):
            began = time.perf_counter()
            if verb == "acquire":
                holds.append(await locker.acquire(SHOW, [name], holder="user-1", ttl=TTL))
            else:
                await locker.confirm(holds[number], payment="pay-1")
            between = time.perf_counter()
            reply = await bare.evalsha(*prepared[number])
            ended = time.perf_counter()
            _expect(reply, word)
            ours.append(between - began)
            theirs.append(ended - between)
        found.append(_medians(ours, theirs))
    calls.check()
    return found


def _medians(ours: list[float], theirs: list[float]) -> tuple[float, float]:
    return statistics.median(ours) * 1e6, statistics.median(theirs) * 1e6


async def measure(stage: Stage, settings: Settings) -> list[OneCall]:
    """Blocking and asyncio, round by round in turn."""
    names = ("acquire", "confirm", "acquire, asyncio", "confirm, asyncio")
    found = [OneCall(name, [], []) for name in names]

    async def one_round(count: int, keep: Callable[[int, tuple[float, float]], None]) -> None:
        for index, pair in enumerate(sync_round(stage, count, locker, bare)):
            keep(index, pair)
        for index, pair in enumerate(await async_round(stage, count, async_locker, async_bare)):
            keep(2 + index, pair)

    def keep(index: int, pair: tuple[float, float]) -> None:
        found[index].ours.append(pair[0])
        found[index].bare.append(pair[1])

    with SeatLocker.from_url(stage.url) as locker, bare_client(stage) as bare:
        async with AsyncSeatLocker.from_url(stage.url) as async_locker, bare_async_client(stage) as async_bare:
            await one_round(_WARM_UP, lambda *_: None)
            for _ in range(settings.call_rounds):
                await one_round(settings.calls, keep)
    for one in found:
        ratio = Spread.of([ours / bare for ours, bare in zip(one.ours, one.bare, strict=True)]).median
        say(f"one {one.verb}: {ratio:.2f} times the bare EVALSHA ({statistics.median(one.ours):.0f} µs)")
    return found
