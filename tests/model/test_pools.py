"""Random sales of seats and pools together against a plain-Python model; as test_model.py, which is about seats."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from seatlock import (
    AcquireRequest,
    Booking,
    BookingConflict,
    ConfirmRequest,
    Hold,
    HolderLimitExceeded,
    HoldLost,
    PoolCounts,
    Release,
    SeatLocker,
    SeatsUnavailable,
    ShowInUse,
    new_token,
)
from seatlock._commands import derived_booking_id, reclaiming_token
from tests.model.pools import Held, Outcome, Show
from tests.model.test_model import HOLDERS, JUMPS, PAYMENTS, TOLERANCE, TTLS, LossyClient, attempt
from tests.support.clock import Clock
from tests.support.keyspace import base, contradictions
from tests.support.servers import RedisServer, backend

SEATS = ["S-0", "S-1", "S-2"]
POOLS = {"floor": 5, "bal cony": 2}


class Sale(RuleBasedStateMachine):
    """One show, sold at random."""

    server: RedisServer
    clock: Clock
    numbers = itertools.count()
    replies_lost = over = 0

    holds: Bundle[Hold] = Bundle("holds")
    bookings: Bundle[Booking] = Bundle("bookings")
    wanted = st.tuples(
        st.lists(st.sampled_from(SEATS), max_size=2, unique=True),
        st.dictionaries(st.sampled_from(list(POOLS)), st.integers(1, 3), max_size=2),
    ).filter(any)

    def __init__(self) -> None:
        super().__init__()
        self.clock.reset()
        self.raw = self.server.unix_client()
        self.raw.flushall()
        self.client = LossyClient(self.raw)
        self.locker = SeatLocker(self.client)  # type: ignore[arg-type]
        self.show = f"show-{next(self.numbers)}"
        self.locker.warm(self.show, SEATS, pools=POOLS)
        self.locker.open_sale(self.show)
        self.model = Show(SEATS, POOLS)
        self.tokens: list[str] = []
        self.told: dict[int, float] = {}  # the server's deadline of a hold → the model's

    @initialize(limit=st.sampled_from([None, None, 2, 4]), of_floor=st.sampled_from([None, 2]))
    def limit(self, limit: int | None, of_floor: int | None) -> None:
        """Perhaps a holder may have only so many."""
        self.model.limit, self.model.limits = limit, {"floor": of_floor} if of_floor else {}
        self.locker.warm(self.show, SEATS, pools=POOLS, limit=limit, limits=self.model.limits)

    def teardown(self) -> None:
        """Count what was lost, so that the test can tell that the fault fired."""
        type(self).replies_lost += self.client.lost
        self.raw.close()

    def token(self, choice: int) -> str:
        """A new token, or one of those used before, whoever used it."""
        if choice == 0 or not self.tokens:
            self.tokens.append(new_token())
            return self.tokens[-1]
        return self.tokens[choice % len(self.tokens)]

    def check_hold(self, hold: Hold | Exception, expected: Outcome, asked: str) -> None:
        """Compare an answer about a hold with the model's."""
        if expected.kind in ("held", "resumed"):
            assert isinstance(hold, Hold), (hold, expected)
            assert hold.resumed == (expected.kind == "resumed")
            assert hold.token == expected.token == (expected.token if hold.resumed else asked)
            assert hold.fence == 2**40 + expected.fence
            assert expected.left - TOLERANCE < hold.ttl <= expected.left + 0.001
            self.told[hold.deadline] = self.model.now + expected.left
        elif expected.kind == "refused":
            assert isinstance(hold, SeatsUnavailable), (hold, expected)
            assert {n: c.yours for n, c in [*hold.conflicts.items(), *hold.pools.items()]} == expected.yours
            assert {name: conflict.left for name, conflict in hold.pools.items()} == expected.free
        elif expected.kind == "over":
            assert isinstance(hold, HolderLimitExceeded), (hold, expected)
            assert (hold.limit, hold.held, hold.pool) == expected.over
            type(self).over += 1
        else:
            assert expected.kind == "lost"
            assert isinstance(hold, HoldLost), (hold, expected)
            assert {**hold.seats, **hold.pools}.keys() == expected.reasons.keys()
            for name, reason in expected.reasons.items():
                found = {**hold.seats, **hold.pools}[name]
                assert found in (("expired", "released") if reason == "ended" else (reason,)), (name, expected)

    @rule(
        target=holds,
        wanted=wanted,
        holder=st.sampled_from(HOLDERS),
        ttl=st.sampled_from(TTLS),
        choice=st.integers(0, 5),
        lose=st.sampled_from([0, 0, 0, 1, 2]),
    )
    def acquire(self, wanted: tuple[list[str], dict[str, int]], holder: str, ttl: float, choice: int, lose: int) -> Any:
        """Acquire, with a new token or one used before, perhaps losing replies."""
        seats, pools = wanted
        token = self.token(choice)
        expected = self.model.acquire(token, holder, seats, pools, ttl)
        self.client.lose_next = lose
        answer = attempt(
            lambda: self.locker.acquire(self.show, seats, holder=holder, ttl=ttl, token=token, pools=pools or None)
        )
        self.check_hold(answer, expected, token)
        return answer if isinstance(answer, Hold) else multiple()

    @rule(target=holds, requests=st.lists(st.tuples(wanted, st.sampled_from(HOLDERS), st.integers(0, 3)), max_size=5))
    def acquire_many(self, requests: list[tuple[tuple[list[str], dict[str, int]], str, int]]) -> Any:
        """A batch is answered as if each request had come alone, in order."""
        asks = [AcquireRequest(s, holder, 600.0, self.token(choice), p or None) for (s, p), holder, choice in requests]
        expected = [
            self.model.acquire(a.token or "", a.holder, list(a.seats), dict(a.pools or {}), 600.0) for a in asks
        ]
        answers = self.locker.acquire_many(self.show, asks)
        for answer, outcome, ask in zip(answers, expected, asks, strict=True):
            self.check_hold(answer, outcome, ask.token or "")
        return multiple(*(answer for answer in answers if isinstance(answer, Hold)))

    @rule(target=holds, hold=holds, ttl=st.sampled_from(TTLS), lose=st.sampled_from([0, 0, 1]))
    def extend(self, hold: Hold, ttl: float, lose: int) -> Any:
        """Extend a hold, old or new."""
        expected = self.model.extend(
            hold.token, hold.holder, list(hold.seats), dict(hold.pools), ttl, self.told[hold.deadline]
        )
        self.client.lose_next = lose
        answer = attempt(lambda: self.locker.extend(hold, ttl=ttl))
        self.check_hold(answer, expected, hold.token)
        return answer if isinstance(answer, Hold) else multiple()

    @rule(target=holds, hold=holds, expected=st.sampled_from(TTLS), lose=st.sampled_from([0, 0, 1]))
    def begin_payment(self, hold: Hold, expected: float, lose: int) -> Any:
        """Begin to pay for a hold, old or new, perhaps again."""
        told = self.told[hold.deadline]
        outcome = self.model.extend(
            hold.token, hold.holder, list(hold.seats), dict(hold.pools), expected, told, begins=True
        )
        self.client.lose_next = lose
        answer = attempt(lambda: self.locker.begin_payment(hold, expected=expected))
        self.check_hold(answer, outcome, hold.token)
        return answer if isinstance(answer, Hold) else multiple()

    def expect_booking(self, hold: Hold, payment: str | None) -> Outcome:
        """What the model says of a confirm."""
        booking = derived_booking_id(hold.token, hold.seats, hold.pools)
        told = self.told[hold.deadline]
        return self.model.confirm(hold.token, hold.holder, list(hold.seats), dict(hold.pools), booking, payment, told)

    def check_booking(self, answer: Any, expected: Outcome) -> Any:
        """Compare the answer to a confirm with the model's."""
        if expected.kind == "booked":
            assert isinstance(answer, Booking), (answer, expected)
            assert (answer.id, answer.fence) == (expected.booking, 2**40 + expected.fence)
            return answer
        if expected.kind == "conflict":
            assert isinstance(answer, BookingConflict), (answer, expected)
            assert answer.booking is not None
            assert answer.booking.id == expected.booking
        else:
            self.check_hold(answer, expected, "")
        return multiple()

    @rule(target=bookings, hold=holds, payment=st.sampled_from(PAYMENTS), lose=st.sampled_from([0, 0, 1, 2]))
    def confirm(self, hold: Hold, payment: str | None, lose: int) -> Any:
        """Confirm a hold, old or new."""
        expected = self.expect_booking(hold, payment)
        self.client.lose_next = lose
        return self.check_booking(attempt(lambda: self.locker.confirm(hold, payment=payment)), expected)

    def is_unclear(self, hold: Hold) -> bool:
        """Whether it depends on if Redis has removed a seat's lock by now how the hold was lost."""
        told = self.told[hold.deadline]
        return "ended" in self.model._lost(hold.token, hold.holder, dict.fromkeys(hold.seats, 1), told).values()

    def expect_late(self, hold: Hold, payment: str | None) -> Outcome:
        """What the model says of a confirm that may come late."""
        tokens = hold.token, reclaiming_token(hold.token)
        first, second = (derived_booking_id(token, hold.seats, hold.pools) for token in tokens)
        return self.model.reclaim(
            tokens, hold.holder, list(hold.seats), dict(hold.pools), (first, second), payment, self.told[hold.deadline]
        )

    @rule(target=bookings, hold=holds, payment=st.sampled_from(PAYMENTS), lose=st.sampled_from([0, 0, 1, 2]))
    def reclaim(self, hold: Hold, payment: str | None, lose: int) -> Any:
        """Confirm a hold, in time or late."""
        if self.is_unclear(hold):
            return multiple()
        expected = self.expect_late(hold, payment)
        self.client.lose_next = lose
        return self.check_booking(attempt(lambda: self.locker.confirm(hold, payment=payment, reclaim=True)), expected)

    @rule(
        target=bookings,
        some=st.lists(st.tuples(holds, st.booleans()), max_size=4),
        payment=st.sampled_from(PAYMENTS),
    )
    def confirm_many(self, some: list[tuple[Hold, bool]], payment: str | None) -> Any:
        """A batch of confirms, the same hold perhaps several times, some of them perhaps late."""
        some = [(hold, late and not self.is_unclear(hold)) for hold, late in some]
        expected = [(self.expect_late if late else self.expect_booking)(hold, payment) for hold, late in some]
        answers = self.locker.confirm_many(
            self.show, [ConfirmRequest(hold, payment, reclaim=late) for hold, late in some]
        )
        for answer, outcome in zip(answers, expected, strict=True):
            self.check_booking(answer, outcome)
        return multiple(*(answer for answer in answers if isinstance(answer, Booking)))

    @rule(hold=holds, lose=st.sampled_from([0, 0, 1]))
    def release(self, hold: Hold, lose: int) -> None:
        """Release a hold, old or new; a lost reply makes the second try say that it is gone."""
        for _ in range(1 + lose):
            expected = self.model.release(hold.token, hold.holder, list(hold.seats), dict(hold.pools))
        self.client.lose_next = lose
        done = self.locker.release(hold)
        assert {**done.seats, **done.pools} == expected.words

    @rule(some=st.lists(holds, max_size=4))
    def release_many(self, some: list[Hold]) -> None:
        """A batch of releases, the same hold perhaps several times."""
        expected = [self.model.release(h.token, h.holder, list(h.seats), dict(h.pools)) for h in some]
        for answer, outcome in zip(self.locker.release_many(self.show, some), expected, strict=True):
            assert isinstance(answer, Release)
            assert {**answer.seats, **answer.pools} == outcome.words

    @rule(booking=bookings)
    def cancel(self, booking: Booking) -> None:
        """Cancel a booking, perhaps again."""
        expected = self.model.cancel(booking.id, booking.fence - 2**40, list(booking.seats), dict(booking.pools))
        done = self.locker.cancel(booking)
        assert {**done.seats, **done.pools} == expected.words

    @rule(wanted=wanted, holder=st.sampled_from(HOLDERS), lose=st.sampled_from([0, 0, 1]))
    def force_release(self, wanted: tuple[list[str], dict[str, int]], holder: str, lose: int) -> None:
        """Free seats whoever holds them, and what a holder has of pools; a lost reply makes it say that it is gone."""
        seats, pools = wanted
        for _ in range(1 + lose):
            expected = self.model.force_release(seats, list(pools), holder)
        looks = bool(seats) + bool(pools)  # which come through
        self.client.pass_next, self.client.lose_next = lose * looks, lose
        named = {"pools": list(pools), "holder": holder} if pools else {}
        done = self.locker.force_release(self.show, seats, by="Eve", reason="the model", **named)
        assert {**done.seats, **done.pools} == expected.words

    @rule(jump=st.sampled_from(JUMPS))
    def time_moves(self, jump: float) -> None:
        """Move the server's clock."""
        self.clock.advance(jump)
        self.model.now += jump

    @rule(sure=st.sampled_from([False, False, True]))
    def retire(self, sure: bool) -> None:
        """Retire the show once nothing is held, and warm it anew: old holds, tokens and bookings stay about."""
        if not sure:
            return
        held = [seat for seat in SEATS if isinstance(self.model.seat(seat), Held)]
        claims = [key for key in self.model.claims if self.model.claim(*key)]
        answer = attempt(lambda: self.locker.retire(self.show, unread="discard"))
        if held or claims:
            assert isinstance(answer, ShowInUse)
            assert answer.holds == len(held) + len(claims)
            return
        assert answer is None
        assert list(self.raw.scan_iter(f"{base(self.show)}*")) == []
        before, self.model = self.model, Show(SEATS, POOLS)
        self.model.now = before.now
        self.limit(before.limit, before.limits.get("floor"))
        self.locker.open_sale(self.show)

    @rule()
    def sweep(self) -> None:
        """Sweep: changes nothing that a reader can see."""
        self.locker.sweep(self.show)

    @invariant()
    def readers_agree(self) -> None:
        """Availability says what the model says, and nothing contradicts anything: counts, claims, locks and lists."""
        if not hasattr(self, "model"):
            return
        found = self.locker.availability(self.show)
        checked = self.locker.check(self.show)
        assert (checked.sound, checked.pools, checked.unsettled) == (True, found.pools, ())
        for pool, capacity in POOLS.items():
            held, sold = self.model.counts(pool)
            assert found.pools[pool] == PoolCounts(capacity, capacity - held - sold, held, sold)
        assert contradictions(self.raw, self.show) == []

    @invariant()
    def holders_are_told_what_they_hold(self) -> None:
        """And no holder has more than it may."""
        if not hasattr(self, "model"):
            return
        for holder in HOLDERS:
            found = self.locker.holds(self.show, holder=holder)
            seats = {seat: held.fence - 2**40 for held in found for seat in held.seats}
            pools = {pool: (number, held.fence - 2**40) for held in found for pool, number in held.pools.items()}
            mine = {seat: held for seat in SEATS if isinstance(held := self.model.seat(seat), Held)}
            assert seats == {seat: held.fence for seat, held in mine.items() if held.holder == holder}
            claims = {pool: claim for pool in POOLS if (claim := self.model.claim(pool, holder))}
            assert pools == {pool: (claim.quantity, claim.fence) for pool, claim in claims.items()}
            if self.model.limit:
                assert self.model.has(holder) <= self.model.limit

    @invariant()
    def what_is_told_adds_up(self) -> None:
        """The last change of each pool is what its counts are, and what is sold is what the outbox tells."""
        if not hasattr(self, "model"):
            return
        counts: dict[bytes, bytes] = {}
        for _, fields in self.raw.xrange(f"seatlock:{{{self.show}}}:changes"):
            counts |= {name[5:]: value for name, value in fields.items() if name.startswith(b"pool\n")}
        for pool, value in counts.items():
            assert self.raw.hget(f"seatlock:{{{self.show}}}:pools", b"c\n" + pool) == value
        sold = dict.fromkeys(POOLS, 0)
        for _, fact in self.raw.xrange(f"seatlock:{{{self.show}}}:outbox"):
            for line in filter(None, fact.get(b"pools", b"").decode().split("\n")):
                quantity, _, pool = line.partition(" ")
                sold[pool] += int(quantity) * (1 if fact[b"kind"] == b"confirmed" else -1)
        assert sold == {pool: self.model.counts(pool)[1] for pool in POOLS}


@pytest.fixture(scope="module", params=["redis-7", "redis-6.2"])
def sale(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[type[Sale]]:
    """The state machine over a server whose clock the test moves."""
    clock = Clock(tmp_path_factory.mktemp("clock"))
    with RedisServer(backend(request.param), env=clock.env) as server:
        yield type("Sale", (Sale,), {"server": server, "clock": clock, "replies_lost": 0, "over": 0})


def test_sales_of_pools_go_as_the_model_says(sale: type[Sale]) -> None:
    """Random sales agree with the model after every step, and replies really were lost on the way."""
    from hypothesis.stateful import run_state_machine_as_test  # noqa: PLC0415

    profile = settings.get_profile(os.environ.get("SEATLOCK_MODEL", "ci"))
    if "6.2" in str(sale.server.executable) or sale.server.version < (7,):
        profile = settings(profile, max_examples=max(profile.max_examples // 3, 20))
    else:
        profile = settings(profile, max_examples=profile.max_examples // 2)
    run_state_machine_as_test(sale, settings=profile)
    assert sale.replies_lost > 10
    assert sale.over > 3
