"""Tells brokers what became of bookings: Kafka, RabbitMQ and Redis streams, through FastStream (extra ``brokers``).

    async with publisher_of("kafka://localhost:9092/bookings") as publisher:
        await publisher.publish([event_of(record)])

At least once: what may not have arrived is told again by whoever got `seatlock.PublishFailed`. docs/events.md says
what that means for those who read.
"""

from __future__ import annotations

import asyncio
import logging
import math
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Final

from seatlock.errors import InvalidRequest, PublishFailed
from seatlock.outbox._lines import CLOSING, Line, runs, within
from seatlock.outbox._targets import Kafka, Rabbit, RedisStream, Target, target_of
from seatlock.outbox.events import BookingEvent, Publisher

DEFAULT_TIMEOUT: Final = 10.0  # seconds for a run of events
MOST_TOLD: Final = 300  # characters of a foreign error's text

_LOGIN: Final = re.compile(r"(?<=://)[^@\s]*(?=@)")
_log: Final = logging.getLogger("seatlock.outbox")


def publisher_of(url: str, *, timeout: float = DEFAULT_TIMEOUT) -> AbstractAsyncContextManager[Publisher]:
    """Make what tells the events to the broker of a URL.

    - ``kafka://host:port[,host:port]/TOPIC`` (or ``kafkas``, for TLS): the show is the key, so its events are in one
      partition. ``user:password@`` before the hosts logs in, as ``?login=`` says: ``plain``, ``scram-sha-256`` or
      ``scram-sha-512``.
    - ``amqp://user:password@host/vhost?exchange=NAME`` (or ``amqps``): a durable topic exchange, which is made if it is
      not there; the routing key is KIND.SHOW. What reaches no queue is a failure: bind a durable queue first.
    - ``redis://host/0?stream=NAME[&maxlen=N]`` (or ``rediss``): an entry an event.

    Connects when there is something to tell, and again after it was lost. ``timeout`` is what an attempt to tell up to
    500 events may take, in seconds. Raises `seatlock.InvalidRequest` for a URL that cannot be used, and
    `ModuleNotFoundError` where the extra ``brokers`` is not installed.
    """
    if not 0 < timeout < math.inf:
        raise InvalidRequest("timeout must be a number of seconds above 0.")
    target = target_of(url)
    return _Publishing(target, _maker_of(target, timeout), timeout)


def _maker_of(target: Target, timeout: float) -> Callable[[], Line]:
    # imported here because they need the extra
    try:
        match target:
            case Kafka():
                from seatlock.outbox._kafka import KafkaLine  # noqa: PLC0415

                return lambda: KafkaLine(target, timeout)
            case Rabbit():
                from seatlock.outbox._rabbit import RabbitLine  # noqa: PLC0415

                return lambda: RabbitLine(target, timeout)
            case RedisStream():
                from seatlock.outbox._redis import RedisLine  # noqa: PLC0415

                return lambda: RedisLine(target, timeout)
    except ImportError as error:
        raise ModuleNotFoundError(
            f"publishing needs an extra ({error.name or error} is missing): pip install 'seatlock-redis[brokers]'",
            name=error.name,
        ) from error


class _Publishing(AbstractAsyncContextManager[Publisher]):
    """A publisher that has a line to its broker while there is something to tell.

    After any failure the line is dropped with all that is on it, so nothing stale is ever told by it later.
    """

    def __init__(self, target: Target, new_line: Callable[[], Line], timeout: float) -> None:
        self._target = target
        self._new_line = new_line
        self._timeout = timeout
        self._line: Line | None = None
        self._turn = asyncio.Lock()
        self._closed = False

    async def __aenter__(self) -> Publisher:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        async with self._turn:
            await self._drop()

    async def publish(self, events: Sequence[BookingEvent]) -> None:
        """Tell these, in order; see `Publisher`. Calls at once take turns."""
        events = tuple(events)
        async with self._turn:
            told = 0
            for run in runs(events):
                if self._closed:
                    raise InvalidRequest("this publisher was closed: make a new one.")
                try:
                    await within(self._timeout, self._tell(run))
                except Exception as error:
                    await self._drop()
                    raise self._failure(error, told, len(events)) from error
                except BaseException:
                    await self._drop()
                    raise
                told += len(run)

    async def _tell(self, run: Sequence[BookingEvent]) -> None:
        """Tell a run; where the line was open already, it may have been lost long ago, so once more on a new one."""
        if self._line is not None:
            try:
                await self._line.tell(run)
            except Exception as error:  # noqa: BLE001 - whatever it is, the second attempt will say
                _log.debug("the line to %s was lost: %s", self._target.shown, self._said(error))
                await self._drop()
            else:
                return
        self._line = self._new_line()
        await self._line.open()
        await self._line.tell(run)

    async def _drop(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            try:
                await within(CLOSING, line.close())
            except Exception as error:  # noqa: BLE001 - it is given up whatever it says
                _log.debug("the line to %s was not closed in good order: %s", self._target.shown, self._said(error))

    # The one place where what a broker's client raises becomes an error of seatlock's

    def _failure(self, error: Exception, told: int, count: int) -> PublishFailed:
        return PublishFailed(
            f"{self._target.shown} has {told} of {count} events, and may not have the others ({self._said(error)}); "
            "tell all of these again before any other."
        )

    def _said(self, error: Exception) -> str:
        if type(error) is TimeoutError:
            return f"no answer in {self._timeout:g} s"
        text = _LOGIN.sub("…", " ".join(str(error).split()))
        for secret in self._target.secrets:
            text = text.replace(secret, "…")
        text = text[:MOST_TOLD] + ("…" if len(text) > MOST_TOLD else "")
        return f"{type(error).__name__}: {text}" if text else type(error).__name__
