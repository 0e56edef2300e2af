"""What the brokers have in common: a line to one, the messages on it, and what may be on it at once."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from typing import Any, Final, Protocol

from seatlock.outbox.events import BookingEvent, encode_event

OPENING: Final = 5.0  # seconds that a connection which nobody waits for any more may take to be made
CLOSING: Final = 6.0  # seconds to let go of a connection
MOST_IN_FLIGHT: Final = 500  # events told and not yet acknowledged
JSON: Final = "application/json"
QUIET: Final[dict[str, Any]] = {"logger": None, "apply_types": False}
"""For FastStream's brokers: they would write to standard error, and look at the types of functions they do not have."""


class Line(Protocol):
    """A connection to a broker, used by one task at a time."""

    async def open(self) -> None:
        """Connect. Whatever becomes of it, `close` is called."""
        ...  # a protocol

    async def tell(self, events: Sequence[BookingEvent]) -> None:
        """Send these, and give back when the broker has acknowledged them all."""
        ...  # a protocol

    async def close(self) -> None:
        """Let go of the connection at once, in whatever state it is."""
        ...  # a protocol


class Opening:
    """A connection that is being made, and goes on being made when whoever waits for it is cancelled.

    Clients lose hold of what they have opened by then; so `over` waits until it is made, or is not, and it can be
    closed.
    """

    def __init__(self, work: Coroutine[Any, Any, Any]) -> None:
        self._task = asyncio.create_task(work)
        self._task.add_done_callback(_look_at)

    async def made(self) -> Any:
        """Wait until it is made; raises if it is not."""
        return await asyncio.shield(self._task)

    async def over(self) -> bool:
        """Wait until it is made or not, but not for ever; gives whether it was made."""
        await asyncio.wait({self._task}, timeout=OPENING)
        if not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=CLOSING - OPENING)
        return self._task.done() and not self._task.cancelled() and self._task.exception() is None


def headers_of(event: BookingEvent) -> dict[str, str]:
    """What a reader can see without looking inside a message."""
    return {"schema": str(event.schema), "event-id": event.id, "kind": event.kind, "content-type": JSON}


def body_of(event: BookingEvent) -> bytes:
    """The message itself."""
    return encode_event(event)


def runs(events: Sequence[BookingEvent], most: int = MOST_IN_FLIGHT) -> Iterator[Sequence[BookingEvent]]:
    """The events in order, in runs of up to ``most`` none of which has a seat or a booking twice.

    A run may be in flight as a whole: should a broker take only some of it, that breaks the order of no seat and of no
    booking, since what comes next for any of them is in a later run, which is not told before this one is.
    """
    run: list[BookingEvent] = []
    names: set[tuple[str, str, str]] = set()
    for event in events:
        own = {("seat", event.show, seat) for seat in event.seats}
        own.add(("booking", event.show, event.booking))
        if len(run) == most or not names.isdisjoint(own):
            yield run
            run, names = [], set()
        run.append(event)
        names |= own
    if run:
        yield run


async def within(seconds: float, work: Coroutine[Any, Any, None]) -> None:
    """Wait for some work of a broker's client, in a task of its own; raises `TimeoutError` if it takes longer.

    In a task of its own, because clients swallow the cancelling of the caller now and then, and cancel those who wait
    for a connection that was lost, who then seem to have been cancelled by somebody else.
    """
    task = asyncio.create_task(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=CLOSING)
        task.add_done_callback(_look_at)
    if not done:
        raise TimeoutError
    if task.cancelled():
        raise ConnectionError("the connection was lost")
    task.result()


def _look_at(task: asyncio.Task[Any]) -> None:
    """Take note of how it ended, or asyncio complains that nobody did."""
    if not task.cancelled():
        task.exception()
