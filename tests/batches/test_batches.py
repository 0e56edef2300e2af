"""A batch is answered as if each of its requests had come alone, in order; and it keeps the bounds of a call."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
import redis
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from seatlock import AcquireRequest, Booking, ConfirmRequest, Hold, Release, SeatLocker, SeatLockError
from tests.support.doors import Noting, attempt, plain
from tests.support.keyspace import contradictions, dump, picture
from tests.support.servers import RedisServer
from tests.support.waiting import until

SEATS: Final = tuple(f"S-{number}" for number in range(8))
HUGE: Final = tuple(f"H-{number}" for number in range(101))
HOLDERS: Final = ("ada", "bo", "cy")
TOKENS: Final = tuple(f"{number:032x}" for number in range(5))
_numbers = itertools.count()


@pytest.fixture(scope="module")
def server(server_of: Callable[[str], RedisServer]) -> RedisServer:
    return server_of("redis-7")


@pytest.fixture(scope="module")
def raw(server: RedisServer) -> Iterator[redis.Redis]:
    with server.unix_client() as client:
        yield client


@pytest.fixture(scope="module")
def locker(raw: redis.Redis) -> SeatLocker:
    return SeatLocker(raw)


def fresh_show(locker: SeatLocker, seats: tuple[str, ...] = SEATS) -> str:
    show = f"batch-{next(_numbers)}"
    locker.warm(show, seats)
    locker.open_sale(show)
    return show


# --- a batch against the same requests one by one

few_seats = st.lists(st.sampled_from(SEATS), min_size=1, max_size=3, unique=True)
odd_seats = st.sampled_from((["S-0", "nowhere"], ["nowhere"], ["S-1", "S-1"], list(HUGE), [], ["S-2", "\n"]))


def requests_for(seats: st.SearchStrategy[list[str]]) -> st.SearchStrategy[AcquireRequest]:
    """Requests of few holders with few tokens, so that they get in each other's way."""
    times, tokens = st.sampled_from((60.0, 600.0, 5000.0)), st.sampled_from(TOKENS)
    return st.builds(AcquireRequest, seats=seats, holder=st.sampled_from(HOLDERS), ttl=times, token=tokens)


asked_well = requests_for(few_seats)
asked = requests_for(st.one_of(few_seats, few_seats, few_seats, odd_seats))
# Holds as callers may send them: mostly one that was asked for before (by its number), else one they never had. The
# deadline only words the answer.
never_had = st.builds(
    Hold,
    show=st.just(""),
    seats=few_seats.map(tuple),
    holder=st.sampled_from(HOLDERS),
    token=st.sampled_from(TOKENS),
    fence=st.just(0),
    ttl=st.just(0.0),
    deadline=st.sampled_from((0, 2**48)),
)
claims = st.one_of(st.integers(0, 8), st.integers(0, 8), st.integers(0, 8), never_had)
payments = st.sampled_from(("pay-1", "pay-2", None))
late = st.sampled_from((False, False, True))
before = st.fixed_dictionaries(
    {
        "held": st.lists(asked_well, max_size=5),
        "paid": st.sets(st.integers(0, 4), max_size=3),
        "over": st.lists(
            st.tuples(st.sampled_from(SEATS), st.sampled_from(HOLDERS)), max_size=4, unique_by=lambda s: s[0]
        ),
        "status": st.sampled_from(("open", "open", "open", "paused")),
        "limit": st.sampled_from((None, None, 2, 4)),
    }
)
examples = settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


class Twins:
    """Two shows with the same past; the first is asked in batches, the second one by one."""

    def __init__(self, locker: SeatLocker, raw: redis.Redis, past: dict[str, Any]) -> None:
        self.raw, self.locker = raw, locker
        self.batch, self.single = fresh_show(locker), fresh_show(locker)
        for show in (self.batch, self.single):
            self._live(show, past)
        until(lambda: not any(0 <= raw.pttl(key) < 1000 for key in self._locks()), "the short holds are over")
        self.start = dump(raw, self.batch)
        assert picture(raw, self.batch) == picture(raw, self.single)

    def _live(self, show: str, past: dict[str, Any]) -> None:
        """Holds, some of them paid for; and then some that run out at once, whose seats are due for a sweep."""
        self.locker.warm(show, SEATS, limit=past["limit"])
        holds = [attempt(lambda ask=ask: self._acquire(show, ask)) for ask in past["held"]]
        for place in past["paid"]:
            if place < len(holds) and isinstance(holds[place], Hold):
                attempt(lambda hold=holds[place]: self.locker.confirm(hold, payment="pay-1"))
        late = [AcquireRequest([seat], holder, 0.001, TOKENS[n]) for n, (seat, holder) in enumerate(past["over"])]
        self.locker.acquire_many(show, late)
        if past["status"] == "paused":
            self.locker.pause_sale(show)

    def _acquire(self, show: str, ask: AcquireRequest) -> Hold:
        return self.locker.acquire(show, ask.seats, holder=ask.holder, ttl=ask.ttl, token=ask.token)

    def _locks(self) -> list[bytes]:
        shows = (self.batch, self.single)
        return [key for show in shows for key in self.raw.scan_iter(match=f"seatlock:{{{show}}}:lock:*", count=1000)]

    def compare(
        self, together: list[Any], one_by_one: list[Callable[[], Any]], *, changes: Callable[[Any], bool]
    ) -> None:
        """The same answers and the same keys in the end; and where nothing was to be changed, nothing was written."""
        alone = [attempt(call) for call in one_by_one]
        assert [plain(answer) for answer in together] == [plain(answer) for answer in alone]
        assert picture(self.raw, self.batch, version=False) == picture(self.raw, self.single, version=False)
        assert contradictions(self.raw, self.batch) == []
        if not any(changes(answer) for answer in together):
            event("nothing changed")
            assert dump(self.raw, self.batch) == self.start
        event(f"{sum(isinstance(answer, SeatLockError) for answer in together)} of {len(together)} refused")


@examples
@given(past=before, requests=st.lists(asked, min_size=1, max_size=8))
def test_acquire_many_is_one_by_one(
    locker: SeatLocker, raw: redis.Redis, past: dict[str, Any], requests: list[AcquireRequest]
) -> None:
    twins = Twins(locker, raw, past)
    twins.compare(
        locker.acquire_many(twins.batch, requests),
        [lambda ask=ask: twins._acquire(twins.single, ask) for ask in requests],
        changes=lambda answer: isinstance(answer, Hold),
    )


def claimed(show: str, claim: int | Hold, past: dict[str, Any]) -> Hold:
    """A hold of this show: one that was asked for, or one that runs out at once, or one that nobody had."""
    if isinstance(claim, Hold):
        return Hold(show, claim.seats, claim.holder, claim.token, claim.fence, claim.ttl, claim.resumed, claim.deadline)
    asks = [(tuple(ask.seats), ask.holder, ask.token) for ask in past["held"]]
    asks += [((seat,), holder, TOKENS[n]) for n, (seat, holder) in enumerate(past["over"])]
    seats, holder, token = asks[claim % len(asks)] if asks else (("S-0",), "ada", TOKENS[0])
    return Hold(show, seats, holder, token, 0, 0.0)


@examples
@given(past=before, requests=st.lists(st.tuples(claims, payments, late), min_size=1, max_size=8))
def test_confirm_many_is_one_by_one(
    locker: SeatLocker, raw: redis.Redis, past: dict[str, Any], requests: list[tuple[int | Hold, str | None, bool]]
) -> None:
    twins = Twins(locker, raw, past)
    first, second = (
        [ConfirmRequest(claimed(show, claim, past), paid, reclaim=late) for claim, paid, late in requests]
        for show in (twins.batch, twins.single)
    )
    twins.compare(
        locker.confirm_many(twins.batch, first),
        [lambda ask=ask: locker.confirm(ask.hold, payment=ask.payment, reclaim=ask.reclaim) for ask in second],
        changes=lambda answer: isinstance(answer, Booking),
    )


@examples
@given(past=before, given_back=st.lists(claims, min_size=1, max_size=8))
def test_release_many_is_one_by_one(
    locker: SeatLocker, raw: redis.Redis, past: dict[str, Any], given_back: list[int | Hold]
) -> None:
    twins = Twins(locker, raw, past)
    twins.compare(
        locker.release_many(twins.batch, [claimed(twins.batch, claim, past) for claim in given_back]),
        [lambda claim=claim: locker.release(claimed(twins.single, claim, past)) for claim in given_back],
        changes=lambda answer: isinstance(answer, Release) and bool(answer.released),
    )


# --- what a batch may be made of


def test_all_sorts_of_requests_in_one_batch(locker: SeatLocker, raw: redis.Redis) -> None:
    """Two for one seat, overlapping sets, a token twice, unknown seats and a huge request, in one call."""
    show = fresh_show(locker)
    client = Noting(raw)
    twice = TOKENS[0]
    answers = SeatLocker(client).acquire_many(  # type: ignore[arg-type]
        show,
        [
            AcquireRequest(["S-0"], "ada"),
            AcquireRequest(["S-0"], "bo"),  # the seat is gone
            AcquireRequest(["S-1", "S-2"], "bo", token=twice),
            AcquireRequest(["S-2", "S-3"], "cy"),  # overlaps
            AcquireRequest(["S-1", "S-2"], "bo", token=twice),  # the same again
            AcquireRequest(["S-1", "S-2", "S-3"], "bo", token=twice),  # a basket that grows
            AcquireRequest(["S-4"], "cy", token=twice),  # a token of somebody else's, on other seats: a hold of its own
            AcquireRequest(["S-5", "nowhere"], "cy"),
            AcquireRequest(HUGE, "cy"),
            AcquireRequest(["S-5"], "cy"),
        ],
    )
    assert [type(answer).__name__ for answer in answers] == [
        *("Hold", "SeatsUnavailable", "Hold", "SeatsUnavailable", "Hold", "Hold", "Hold"),
        *("UnknownSeats", "InvalidRequest", "Hold"),
    ]
    assert (answers[2].fence, answers[4].fence, answers[5].fence) == (answers[2].fence,) * 3
    assert answers[5].seats == ("S-1", "S-2", "S-3")
    assert sum(command[0] in ("EVALSHA", "EVAL") for command in client.commands) == 2  # the server's check, the batch
    assert contradictions(raw, show) == []


@pytest.mark.parametrize(
    ("requests", "seats", "calls"),
    [(600, 1, [256, 256, 88]), (12, 100, [500, 500, 200]), (7, 73, [511]), (8, 73, [511, 73]), (512, 2, [512, 512])],
)
def test_a_call_keeps_its_bounds(
    locker: SeatLocker, raw: redis.Redis, requests: int, seats: int, calls: list[int]
) -> None:
    """At most 256 requests and 512 seats a call, for each of the three verbs: ``calls`` are the seats of each."""
    names = tuple(f"N-{number}" for number in range(requests * seats))
    show = fresh_show(locker, names)
    client = Noting(raw)
    noting = SeatLocker(client)  # type: ignore[arg-type]
    noting.availability(show)

    def sent(answers: list[Any], fixed: int) -> list[int]:
        commands = [command for command in client.commands if command[0] in ("EVALSHA", "EVAL")]
        client.commands.clear()
        assert all(int(command[3 + command[2]]) <= 256 for command in commands)
        assert not any(isinstance(answer, SeatLockError) for answer in answers)
        # a script that the server does not know yet is sent twice, by its name and in full
        return [command[2] - fixed for command, after in itertools.pairwise([*commands, ("",)]) if after[0] != "EVAL"]

    client.commands.clear()
    pieces = [names[n * seats : (n + 1) * seats] for n in range(requests)]
    holds = noting.acquire_many(show, [AcquireRequest(piece, "ada") for piece in pieces])
    assert sent(holds, 5) == calls
    assert sent(noting.confirm_many(show, [ConfirmRequest(hold) for hold in holds]), 8) == calls
    assert sent(noting.release_many(show, holds), 4) == calls
    assert [type(hold) for hold in holds] == [Hold] * requests
    assert noting.availability(show).counts["sold"] == requests * seats
