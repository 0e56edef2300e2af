"""Random groups of concurrent requests, some cancelled: some order of them, one by one, must explain all answers.

The order is searched for in the plain-Python model of a sale. A request that was cancelled may have happened or not; an
acquire that did was released again.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seatlock import (
    AsyncSeatLocker,
    Booking,
    BookingConflict,
    Cancellation,
    Hold,
    HoldLost,
    Release,
    SeatsUnavailable,
    new_token,
)
from seatlock._commands import derived_booking_id
from tests.batcher.house import House, attempt, idle
from tests.batcher.wire import turns
from tests.model.reference import Held, Outcome, Show, Sold

SEATS: Final = [f"S-{number}" for number in range(5)]
FOREVER: Final = float("inf")

number = st.integers(0, 50)
seats = st.lists(st.sampled_from(SEATS), min_size=1, max_size=3, unique=True)
when_to_cancel = st.one_of(st.none(), st.none(), st.integers(0, 40))
request = st.one_of(
    st.tuples(st.just("acquire"), seats, st.sampled_from(["ada", "bo", "cy"]), st.booleans(), when_to_cancel),
    st.tuples(st.sampled_from(["extend", "confirm", "release"]), number, when_to_cancel),
    st.tuples(st.just("cancel"), number, when_to_cancel),
)
rounds = st.lists(st.lists(request, min_size=1, max_size=4), min_size=1, max_size=5)


@dataclass
class Step:
    """Something that happened, at a time to be found: how the model does it, and whether that is what was answered."""

    do: Callable[[Show], Outcome]
    fits: Callable[[Outcome], bool]
    optional: bool = False
    after: Step | None = None


@dataclass
class Sale:
    """One show, sold in rounds."""

    locker: AsyncSeatLocker
    show: str
    model: Show = field(default_factory=lambda: Show(SEATS))
    holds: list[Hold] = field(default_factory=list)
    bookings: list[Booking] = field(default_factory=list)

    async def round(self, requests: Sequence[tuple[Any, ...]]) -> list[Step]:
        """Make requests at the same time: gives what happened."""
        made = [self.make(*request) for request in requests]
        answers = await asyncio.gather(*[_limited(call, count) for (call, _), count in made])
        await idle(self.locker)
        steps: list[Step] = []
        for ((_, explained), _), answer in zip(made, answers, strict=True):
            steps += explained(answer)
            self.holds += [answer] if isinstance(answer, Hold) else []
            self.bookings += [answer] if isinstance(answer, Booking) else []
        return steps

    def make(self, kind: str, *rest: Any) -> tuple[tuple[Any, Callable[[Any], list[Step]]], int | None]:
        """The call of a request, and what explains its answer."""
        *rest, count = rest
        if kind == "acquire":
            return self.acquire(*rest), count
        known: list[Any] = self.bookings if kind == "cancel" else self.holds
        if not known:
            return self.acquire(SEATS[:1], "ada", False), count  # noqa: FBT003
        thing = known[rest[0] % len(known)]
        return getattr(self, kind)(thing), count

    def acquire(self, seats: list[str], holder: str, given: bool) -> Any:  # noqa: FBT001
        token = new_token() if given else None
        call = self.locker.acquire(self.show, seats, holder=holder, token=token)

        def explained(answer: Any) -> list[Step]:
            if answer is None:
                name = token or new_token()
                done = Step(lambda show: show.acquire(name, holder, seats, 600.0), lambda _: True, optional=True)
                if token:
                    return [done]
                undone = Step(lambda show: show.release(name, holder, seats), lambda _: True, after=done)
                return [done, undone]
            own = token or (answer.token if isinstance(answer, Hold) and not answer.resumed else new_token())
            return [Step(lambda show: show.acquire(own, holder, seats, 600.0), lambda out: _is(answer, out))]

        return call, explained

    def extend(self, hold: Hold) -> Any:
        return self.locker.extend(hold, ttl=700.0), self.of(
            lambda show: show.extend(hold.token, hold.holder, list(hold.seats), 700.0, FOREVER)
        )

    def confirm(self, hold: Hold) -> Any:
        booking = derived_booking_id(hold.token, hold.seats)
        return self.locker.confirm(hold, payment="pay"), self.of(
            lambda show: show.confirm(hold.token, hold.holder, list(hold.seats), booking, "pay", FOREVER)
        )

    def release(self, hold: Hold) -> Any:
        return self.locker.release(hold), self.of(
            lambda show: show.release(hold.token, hold.holder, list(hold.seats))
        )

    def cancel(self, booking: Booking) -> Any:
        return self.locker.cancel(booking), self.of(lambda show: show.cancel(booking.id, list(booking.seats)))

    def of(self, do: Callable[[Show], Outcome]) -> Callable[[Any], list[Step]]:
        """The step of a request that is never undone."""
        return lambda answer: [Step(do, lambda out: answer is None or _is(answer, out), optional=answer is None)]


async def _limited(call: Any, count: int | None) -> Any:
    if count is None:
        return await attempt(call)
    task = asyncio.ensure_future(call)
    await turns(count + 1)
    task.cancel()
    try:
        return await attempt(task)
    except asyncio.CancelledError:
        return None


def _is(answer: Any, outcome: Outcome) -> bool:
    """Whether this is how an outcome is told."""
    if isinstance(answer, Hold):
        kind = "resumed" if answer.resumed else "held"
        told = (answer.token, answer.fence)
        return (outcome.kind, outcome.token, 2**40 + outcome.fence) == (kind, *told)
    if isinstance(answer, Booking):
        return (outcome.kind, outcome.booking) == ("booked", answer.id)
    if isinstance(answer, SeatsUnavailable):
        conflicts = {seat: (conflict.state, conflict.yours) for seat, conflict in answer.conflicts.items()}
        return (outcome.kind, outcome.conflicts) == ("refused", conflicts)
    if isinstance(answer, HoldLost):
        return outcome.kind == "lost" and set(outcome.reasons) == set(answer.seats)
    if isinstance(answer, BookingConflict):
        return outcome.kind == "conflict"
    kind = {Release: "released", Cancellation: "cancelled"}[type(answer)]
    return (outcome.kind, outcome.words) == (kind, dict(answer.seats))


def orders(show: Show, steps: list[Step]) -> Iterator[Show]:
    """What the show may be like after all steps, in every order that explains all answers."""
    if not steps:
        yield show
    for step in steps:
        rest = [other for other in steps if other is not step]
        if step.after in rest:
            continue
        after = copy.deepcopy(show)
        if step.fits(step.do(after)):
            yield from orders(after, rest)
        if step.optional:
            yield from orders(show, [other for other in rest if other.after is not step])


def owners(show: Show) -> dict[str, tuple[str, bool]]:
    """Who has each seat, and whether it is sold."""
    found = {seat: show.at(seat) for seat in SEATS}
    return {seat: (one.token, isinstance(one, Sold)) for seat, one in found.items() if isinstance(one, Held | Sold)}


@pytest.mark.parametrize("batching", [True, False], ids=["grouped", "one by one"])
def test_some_order_explains_all_answers(house: House, batching: bool) -> None:
    seen: set[str] = set()

    async def sell(locker: AsyncSeatLocker, sale: list[list[tuple[Any, ...]]]) -> None:
        told = Sale(locker, house.open(SEATS))
        for requests in sale:
            steps = await told.round(requests)
            sold = house.sold(told.show)
            real = {seat: (token, seat in sold) for seat, token in house.owners(told.show, SEATS).items()}
            explained = [show for show in orders(told.model, steps) if owners(show) == real]
            assert explained, (requests, real)
            fences = {show.fence for show in explained}
            told.model = next(show for show in explained if show.fence == house.fence(told.show) or len(fences) == 1)
            seen.update("cancelled" if step.optional else "answered" for step in steps)

    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        locker = AsyncSeatLocker.from_url(house.url, batching=batching)

        @settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
        @given(rounds)
        def sales(sale: list[list[tuple[Any, ...]]]) -> None:
            runner.run(sell(locker, sale))

        sales()
        runner.run(locker.aclose())
    assert seen == {"cancelled", "answered"}
