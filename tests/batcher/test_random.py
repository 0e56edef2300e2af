"""Random submits, cancellations, replies and failures: everyone is answered, with its own answer, within the bounds."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seatlock import Hold, OutcomeUnknown, ScriptFailed, SeatLockError, ServerUnavailable
from seatlock._batcher import Batcher
from seatlock._lanes import Limits, Waiter
from seatlock._operation import Ask
from tests.batcher.wire import Call, Wire, ask_for, granted, taken, task_of, turns, unavailable, unknown

PATIENCE = 10.0
LIMITS = Limits(asks=3, seats=6, calls_a_show=2, calls=3, queued=20)
VERBS = ("acquire", "confirm", "release")
SHOWS = ("one", "two", "three")

index = st.integers(0, 1000)
actions = st.one_of(
    st.tuples(st.just("submit"), st.sampled_from(VERBS), st.sampled_from(SHOWS), st.integers(1, 7), st.booleans()),
    st.tuples(st.just("cancel"), index),
    st.tuples(st.just("reply"), index, st.lists(st.sampled_from("gggrtuf"), min_size=3, max_size=3), st.booleans()),
    st.tuples(st.just("down"), index, st.booleans()),
    st.tuples(st.just("break"), index, st.sampled_from(["bug", "few", "cancel"])),
    st.tuples(st.just("wait"), st.sampled_from([0.01, 0.3, 4.0, 11.0])),
    st.tuples(st.just("turn"), st.integers(1, 4)),
)


class Server:
    """Which tokens hold something, as far as a request has reached it."""

    def __init__(self) -> None:
        self.held: set[str] = set()
        self.released: set[str] = set()

    def carry_out(self, ask: Ask[Any]) -> Any:
        """Do as asked."""
        if ask.verb == "acquire":
            self.held.add(ask.token or "")
        elif ask.verb == "release":
            self.held.discard(ask.token or "")
            self.released.add(ask.token or "")
        return granted(ask)

    def answer(self, ask: Ask[Any], kind: str) -> Any:
        """Answer in one of several ways; an answer that is lost may mean either."""
        if kind == "g" or (kind in "rtf" and ask.verb != "acquire"):
            return self.carry_out(ask)
        if kind == "r":
            return granted(ask, resumed=True)
        if kind == "t":
            return taken(ask)
        if kind == "u":
            self.carry_out(ask)
            return unknown(ask)
        return ScriptFailed("refused")


class Night:
    """One run."""

    def __init__(self) -> None:
        self.wire = Wire()
        self.overtaken: Counter[tuple[str, str, str]] = Counter()
        self.server = Server()
        self.batcher = Batcher(self.carry_out, PATIENCE, LIMITS)
        self.now = 0.0
        self.tasks: list[tuple[Ask[Any], asyncio.Task[Any]]] = []
        push = self.batcher._lanes.push
        self.order: dict[tuple[str, str], list[Ask[Any]]] = {}

        def noting(waiter: Waiter) -> None:
            self.order.setdefault((waiter.ask.verb, waiter.ask.show), []).append(waiter.ask)
            push(waiter)

        self.batcher._lanes = _Noting(self.batcher._lanes, noting)  # type: ignore[assignment]

    async def carry_out(self, asks: list[Ask[Any]], patience: float) -> list[Any]:
        """What the batcher calls: sees whether anybody is passed over."""
        verb, show = asks[0].verb, asks[0].show
        waiting = {waiter.ask.verb for waiter in self.batcher._lanes.waiting() if waiter.ask.show == show}
        for other in VERBS:
            self.overtaken[show, verb, other] = 0
            if other != verb and other in waiting:
                self.overtaken[show, other, verb] += 1
        return await self.wire.carry_out(asks, patience)

    async def act(self, action: tuple[Any, ...]) -> None:
        """Do one thing."""
        kind, *rest = action
        await getattr(self, f"do_{kind}")(*rest)
        self.check_bounds()

    async def do_submit(self, verb: str, show: str, seats: int, given: bool) -> None:
        ask = ask_for(verb, show, seats=seats, token=f"{len(self.tasks):032x}" if given else None)
        self.tasks.append((ask, task_of(self.batcher.submit(ask))))

    async def do_cancel(self, number: int) -> None:
        if self.tasks:
            self.tasks[number % len(self.tasks)][1].cancel()
            self.overtaken.clear()  # perhaps nobody waits there any more

    def call(self, number: int) -> Call | None:
        """One of those that are on the wire."""
        there = self.wire.open_calls()
        return there[number % len(there)] if there else None

    async def do_reply(self, number: int, kinds: list[str], backwards: bool) -> None:
        if call := self.call(number):
            kinds = kinds[::-1] if backwards else kinds
            call.reply_raw([self.server.answer(ask, kind) for ask, kind in zip(call.asks, kinds, strict=False)])

    async def do_down(self, number: int, certain: bool) -> None:
        if call := self.call(number):
            self.now += call.patience
            call.reply(unavailable if certain else lambda ask: self.server.answer(ask, "u"))

    async def do_break(self, number: int, how: str) -> None:
        if call := self.call(number):
            for ask in call.asks:
                self.server.carry_out(ask)
            if how == "bug":
                call.fail(ValueError("a bug"))
            elif how == "few":
                call.reply_raw([granted(ask) for ask in call.asks[:-1]])
            else:
                call.fail(asyncio.CancelledError())

    async def do_wait(self, seconds: float) -> None:
        self.now += seconds

    async def do_turn(self, count: int) -> None:
        await turns(count)

    def check_bounds(self) -> None:
        """Never more than allowed, of anything."""
        there = self.wire.open_calls()
        assert len(there) <= LIMITS.calls
        for call in there:
            assert 1 <= len(call.asks) <= LIMITS.asks
            assert len(call.asks) == 1 or sum(len(ask.seats) for ask in call.asks) <= LIMITS.seats
            assert len({(ask.verb, ask.show) for ask in call.asks}) == 1
        assert max(Counter(call.asks[0].show for call in there).values(), default=0) <= LIMITS.calls_a_show
        assert self.batcher._lanes.queued <= LIMITS.queued + len(self.tasks)  # releases come on top
        assert max(self.overtaken.values(), default=0) <= 2, "a lane lost its turn"

    async def end(self) -> None:
        """Let everything be answered."""
        closing = task_of(self.batcher.drain())
        for _ in range(1000):
            await turns(4)
            if closing.done():
                break
            for call in self.wire.open_calls():
                call.reply_raw([self.server.answer(ask, "g") for ask in call.asks])
        assert closing.done()
        closing.result()
        assert all(task.done() for _, task in self.tasks)

    def check_end(self) -> None:
        """Everyone has its own answer, and what is held is what somebody knows of."""
        known: set[str] = set()
        surely: set[str] = set()
        for ask, task in self.tasks:
            if task.cancelled():
                if ask.verb == "acquire" and not ask.minted:
                    known.add(ask.token or "")  # the caller knows it, and was promised that it is left alone
                continue
            error = task.exception()
            if error is None:
                self.check_own(ask, task.result())
                if ask.verb == "acquire" and not task.result().resumed:
                    surely.add(ask.token or "")
            else:
                assert isinstance(error, SeatLockError)
                if isinstance(error, OutcomeUnknown):
                    assert (error.token, error.seats, error.show) == (ask.token, ask.seats, ask.show)
                    known.add(ask.token or "")
                if isinstance(error, ScriptFailed):
                    known.add(ask.token or "")
                if isinstance(error, ServerUnavailable):
                    assert ask.token not in self.server.held, "nothing was changed, it said"
        # a release that was asked for in vain has done what could be done: the hold ends by itself
        in_vain = {ask.token for asked in self.order.values() for ask in asked if ask.verb == "release"}
        assert surely <= self.server.held <= surely | known | in_vain - self.server.released

    def check_own(self, ask: Ask[Any], answer: Any) -> None:
        """The answer is that of this request."""
        assert answer == granted(ask, resumed=isinstance(answer, Hold) and answer.resumed)

    def check_carried_out(self) -> None:
        """Each request went out at most once, and again only while it had time after a failure; in order."""
        for lane, asked in self.order.items():
            firsts = list(dict.fromkeys(ask for ask in self.wire.asks() if (ask.verb, ask.show) == lane))
            places = [asked.index(ask) for ask in firsts]
            assert places == sorted(places)
        times = Counter(self.wire.asks())
        for ask, count in times.items():
            failed = sum(call.answered and ask in call.asks for call in self.wire.calls)
            assert count <= failed


class _Noting:
    def __init__(self, lanes: Any, push: Callable[[Waiter], None]) -> None:
        self._inner, self.push = lanes, push

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(actions, min_size=5, max_size=60))
def test_everyone_is_answered(night: list[tuple[Any, ...]]) -> None:
    async def run() -> None:
        told = Night()
        asyncio.get_running_loop().time = lambda: told.now  # type: ignore[method-assign]
        for action in night:
            await told.act(action)
        await told.end()
        told.check_end()
        told.check_carried_out()

    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(run())
