"""Where requests wait for a call: a lane for each verb of each show, and the line in which lanes take turns. No I/O."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from seatlock._operation import MAX_BATCH_ASKS, MAX_BATCH_SEATS, Ask, WaitingAsk
from seatlock.model import Wait


class Limits(msgspec.Struct, frozen=True):
    """How much may go on at once: requests and seats a call, calls in flight a berth and a client, requests queued.

    ``visits`` is how much may go on apart from the batches (`_many` calls, reads, warming). Calls and visits together
    stay below the 100 connections that redis-py's pools have by default.
    """

    asks: int = MAX_BATCH_ASKS
    seats: int = MAX_BATCH_SEATS
    calls_a_show: int = 2
    calls: int = 8
    queued: int = 100_000
    visits: int = 32


GROUPED: Final = Limits()
ONE_BY_ONE: Final = Limits(asks=1, calls_a_show=64, calls=64)
"""Every request in a call of its own: the group commit switched off."""


class Waiter(msgspec.Struct, eq=False):
    """One caller's request, the future it waits for, and its deadline by the event loop's clock.

    ``unsure`` says that an attempt may have been carried out without an answer.
    """

    ask: Ask[Any]
    future: asyncio.Future[Any]
    deadline: float
    unsure: bool = False


class Background(Waiter, eq=False):
    """A release that goes on whether or not somebody waits for it."""


LaneKey = tuple[str, str] | tuple[str, str, Wait]
"""Verb and show, and what is waited for."""
Berth = str | tuple[str, Wait]
"""Whose calls in flight are counted together: those of a show, but for those that wait for copies of what they wrote.

These last longer, and would leave none to the others.
"""


def berth_of(ask: Ask[Any]) -> Berth:
    """Where the call of a request counts."""
    return (ask.show, ask.wait) if isinstance(ask, WaitingAsk) else ask.show


class _Lane:
    """The queue of one verb of one show, and of one wait; it goes away with its last request."""

    __slots__ = ("berth", "key", "queue")

    def __init__(self, key: LaneKey) -> None:
        self.key = key
        self.berth = key[1] if len(key) == 2 else key[1:]  # noqa: PLR2004 - verb and show
        self.queue: deque[Waiter] = deque()


class Lanes:
    """All who wait. ``queued`` counts the cancelled too, until their turn comes or `make_room` is called."""

    __slots__ = ("_lanes", "_limits", "_line", "queued")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lanes: dict[LaneKey, _Lane] = {}
        self._line: deque[_Lane] = deque()  # every lane once, the next in turn first
        self.queued = 0

    def push(self, waiter: Waiter) -> None:
        """Queue a request at the end of its lane."""
        ask = waiter.ask
        key: LaneKey = (ask.verb, ask.show, ask.wait) if type(ask) is WaitingAsk else (ask.verb, ask.show)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = _Lane(key)
            self._line.append(lane)
        lane.queue.append(waiter)
        self.queued += 1

    def next_batch(self, calls_of: Mapping[Berth, int]) -> list[Waiter]:
        """Take the next batch in turn; ``calls_of`` tells the calls in flight of each berth. Empty if nobody may go."""
        while (lane := self._next_lane(calls_of)) is not None:
            batch = self._take(lane.queue)
            if lane.queue:
                self._line.append(lane)
            else:
                del self._lanes[lane.key]
            if batch:
                return batch
        return []

    def _next_lane(self, calls_of: Mapping[Berth, int]) -> _Lane | None:
        for place, lane in enumerate(self._line):
            # Whoever cannot go now keeps its turn: at the end of the line it might find its show busy for ever.
            if calls_of.get(lane.berth, 0) < self._limits.calls_a_show:
                del self._line[place]
                return lane
        return None

    def _take(self, queue: deque[Waiter]) -> list[Waiter]:
        """Callers that still wait, in order, within the bounds of a call."""
        batch: list[Waiter] = []
        most, seats = self._limits.asks, self._limits.seats
        while queue and len(batch) < most:
            waiter = queue[0]
            if not waiter.future.done():
                seats -= len(waiter.ask.seats) + len(waiter.ask.pools)
                if seats < 0 and batch:
                    break
                batch.append(waiter)
            queue.popleft()
            self.queued -= 1
        return batch

    def make_room(self) -> None:
        """Forget those who were cancelled."""
        for lane in self._line:
            lane.queue = deque(waiter for waiter in lane.queue if not waiter.future.done())
        self.queued = sum(len(lane.queue) for lane in self._line)

    def waiting(self) -> Iterator[Waiter]:
        """Everyone who still waits."""
        return (waiter for lane in self._line for waiter in lane.queue if not waiter.future.done())

    def clear(self) -> list[Waiter]:
        """Forget everyone: gives those who still waited."""
        waiting = list(self.waiting())
        self._lanes.clear()
        self._line.clear()
        self.queued = 0
        return waiting
