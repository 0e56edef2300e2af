"""What stands for Redis in the tests of the batcher alone: it notes each call and answers when it is told to."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from seatlock import Booking, Hold, OutcomeUnknown, Release, SeatsUnavailable, ServerUnavailable, new_token
from seatlock._batcher import Batcher
from seatlock._commands import acquire, cancel, confirm, extend, release
from seatlock._operation import Ask

PATIENCE: Final = 5.0
_seats = itertools.count(1)


def ask_for(verb: str = "acquire", show: str = "show", *, seats: int = 1, token: str | None = None) -> Ask[Any]:
    """A request for seats that nobody else asks for."""
    names = tuple(f"S-{next(_seats)}" for _ in range(seats))
    hold = Hold(show, names, "ada", token or new_token(), 0, 0.0)
    if verb == "acquire":
        return acquire("seatlock", show, names, "ada", 600.0, token)
    if verb == "extend":
        return extend("seatlock", hold, 600.0)
    if verb == "confirm":
        return confirm("seatlock", hold, None, None)
    if verb == "release":
        return release("seatlock", hold)
    return cancel("seatlock", Booking("booking", show, names, "ada", None, 0, 0.0))


def granted(ask: Ask[Any], *, resumed: bool = False) -> Any:
    """The answer of a server where all is well."""
    if ask.verb in ("acquire", "extend"):
        return Hold(ask.show, ask.seats, ask.holder, "f" * 32 if resumed else ask.token or "", 1, 600.0, resumed)
    if ask.verb == "release":
        return Release(ask.show, dict.fromkeys(ask.seats, "released"))
    return Booking("booking", ask.show, ask.seats, ask.holder, None, 1, 0.0)


def unknown(ask: Ask[Any]) -> OutcomeUnknown:
    """No answer came."""
    error = OutcomeUnknown("lost", show=ask.show, seats=ask.seats, token=ask.token)
    error.__cause__ = ConnectionResetError()
    return error


def unavailable(_ask: Ask[Any]) -> ServerUnavailable:
    """The server is down."""
    error = ServerUnavailable("down; nothing was changed")
    error.__cause__ = ConnectionRefusedError()
    return error


def taken(ask: Ask[Any]) -> SeatsUnavailable:
    """Somebody else has the seats."""
    return SeatsUnavailable(f"{ask.seats} are not free")


class Call:
    """One call that is on the wire."""

    def __init__(self, asks: Sequence[Ask[Any]], patience: float) -> None:
        self.asks = list(asks)
        self.patience = patience
        self._answers: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()

    async def answers(self) -> list[Any]:
        """Wait until the test answers."""
        return await self._answers

    def reply(self, answer: Callable[[Ask[Any]], Any] = granted) -> None:
        """Answer every request with what ``answer`` makes of it."""
        self._answers.set_result([answer(ask) for ask in self.asks])

    def reply_raw(self, answers: list[Any]) -> None:
        """Answer with just this."""
        self._answers.set_result(answers)

    def fail(self, error: BaseException) -> None:
        """Raise in the midst of it."""
        self._answers.set_exception(error)

    @property
    def answered(self) -> bool:
        """Whether it is off the wire."""
        return self._answers.done()


class Wire:
    """Carries out batches. With ``answer`` it answers each by itself, a few turns after it came."""

    def __init__(self, answer: Callable[[Ask[Any]], Any] | None = None) -> None:
        self.calls: list[Call] = []
        self.most_at_once = 0
        self.answer = answer

    async def carry_out(self, asks: list[Ask[Any]], patience: float) -> list[Any]:
        """What the batcher calls."""
        call = Call(asks, patience)
        self.calls.append(call)
        self.most_at_once = max(self.most_at_once, len(self.open_calls()))
        if self.answer:
            await turns(2)
            call.reply(self.answer)
        return await call.answers()

    def open_calls(self) -> list[Call]:
        """The calls that have no answer yet."""
        return [call for call in self.calls if not call.answered]

    def asks(self, verb: str | None = None) -> list[Ask[Any]]:
        """All requests that were carried out, in order."""
        return [ask for call in self.calls for ask in call.asks if verb in (None, ask.verb)]

    async def answer_all(self, answer: Callable[[Ask[Any]], Any] = granted, *, most: int = 10_000) -> None:
        """Answer until nothing comes any more."""
        for _ in range(most):
            await turns(4)
            if not self.open_calls():
                return
            for call in self.open_calls():
                call.reply(answer)
        raise AssertionError("there is no end of calls")


async def turns(count: int = 4) -> None:
    """Let the event loop turn: four turns are enough for a request to be on the wire, or for its answer to arrive."""
    for _ in range(count):
        await asyncio.sleep(0)


def start(batcher: Batcher, *asks: Ask[Any]) -> list[asyncio.Task[Any]]:
    """Submit requests, each in a task of its own."""
    return [task_of(batcher.submit(ask)) for ask in asks]


def task_of(work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """A task to be kept."""
    return asyncio.get_running_loop().create_task(work)


async def outcomes(tasks: Sequence[asyncio.Task[Any]]) -> list[Any]:
    """What became of each task: its result, or what it raised."""
    return await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10)
