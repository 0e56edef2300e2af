"""Random sales against a plain-Python model: several holders, time moving both ways, retries and lost replies.

`make test` runs 200 examples or more; `make model-long` runs 100,000 steps (the profile ``long``).
"""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, precondition, rule

from seatlock import (
    AcquireRequest,
    BestHold,
    Booking,
    BookingConflict,
    ConfirmRequest,
    Hold,
    HolderLimitExceeded,
    HoldLost,
    InvalidRequest,
    PlanConflict,
    Release,
    SaleNotOpen,
    Seat,
    SeatLocker,
    SeatsUnavailable,
    ShowInUse,
    UnknownSeats,
    new_token,
)
from seatlock._commands import derived_booking_id, reclaiming_token
from tests.model.reference import Blocked, Held, Outcome, Show, Sold
from tests.support.clock import Clock
from tests.support.servers import RedisServer, backend

SEATS = [f"S-{number}" for number in range(6)]
CATEGORIES = dict(zip(SEATS, ("x", "x", "y", "y", "y", ""), strict=True))
PLAN = [Seat(seat, category=category) for seat, category in CATEGORIES.items()]
LIMITS: list[dict[str, Any]] = [{"limit": 2}, {"limit": 4, "limits": {"x": 1, "y": 2}}, {"limits": {"y": 1}}]
HOLDERS = ["ada", "bo", "cy"]
PAYMENTS = ["pay-1", "pay-2", None]
REASONS = ["camera", "pillar", None]
CHANNELS = [None, None, "partner", "agency"]
TTLS = [100.0, 600.0, 1700.0, 5000.0]
# Deadlines are multiples of 100 s from a step; every step of the clock adds 1 s to that, at most STEPS times, so the
# few seconds that an example really takes never decide whether a hold has expired.
STEPS = 30
JUMPS = [101.0, 601.0, 1701.0]
TOLERANCE = 30.0  # seconds that an example may take in all

settings.register_profile(
    "ci", max_examples=200, stateful_step_count=STEPS, deadline=None, suppress_health_check=list(HealthCheck)
)
settings.register_profile(
    "long", max_examples=3500, stateful_step_count=STEPS, deadline=None, suppress_health_check=list(HealthCheck)
)


class LossyClient:
    """A client that now and then loses a reply: the command was carried out, and the caller hears nothing."""

    def __init__(self, client: redis.Redis) -> None:
        self.client = client
        self.lose_next = 0
        self.pass_next = 0  # replies that come through before the next one is lost
        self.lost = 0

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Carry out a command, and perhaps lose its reply."""
        reply = self.client.execute_command(*args, **options)
        if self.lose_next and self.pass_next:
            self.pass_next -= 1
        elif self.lose_next:
            self.lose_next -= 1
            self.lost += 1
            raise redis.ConnectionError("the reply was lost")
        return reply


class Sale(RuleBasedStateMachine):
    """One show, sold at random."""

    server: RedisServer
    clock: Clock
    numbers = itertools.count()
    replies_lost = 0

    holds: Bundle[Hold] = Bundle("holds")
    bookings: Bundle[Booking] = Bundle("bookings")
    seats = st.lists(st.sampled_from(SEATS), min_size=1, max_size=3, unique=True)

    def __init__(self) -> None:
        super().__init__()
        self.clock.reset()
        self.raw = self.server.unix_client()
        self.raw.flushall()
        self.client = LossyClient(self.raw)
        self.locker = SeatLocker(self.client)  # type: ignore[arg-type]
        self.show = f"show-{next(self.numbers)}"
        self.locker.warm(self.show, PLAN)
        self.locker.open_sale(self.show)
        self.model = Show(SEATS)
        self.model.category_of = CATEGORIES
        self.keeps_lists = False
        self.tokens: list[str] = []
        raw = self.raw.hgetall(f"seatlock:{{{self.show}}}:seats")
        self.mirrors = {seat.decode(): field.decode() for seat, field in raw.items()}
        # the entry of the change stream up to which `mirrors` is told
        self.told_until = "{}-{}".format(*self.locker.availability(self.show).version)
        self.told: dict[int, float] = {}  # the server's deadline of a hold → the model's
        self.start = float(self.raw.time()[0])  # the server's time when the model's was 0
        self.said: list[float] = []  # times at which the sale was to open or close

    @initialize(limits=st.sampled_from([{}, {}, *LIMITS]))
    def first_limits(self, limits: dict[str, Any]) -> None:
        """Half of the shows have limits from the beginning."""
        self.change_limits(limits)

    @rule(limits=st.sampled_from([{}, *LIMITS]))
    def change_limits(self, limits: dict[str, Any]) -> None:
        """Warm again with other limits: they can change at any time, but must not come after the first hold."""
        self.keeps_lists = self.keeps_lists or bool(limits and not self.model.fence)
        answer = attempt(lambda: self.locker.warm(self.show, PLAN, **limits))
        if limits and not self.keeps_lists:
            assert isinstance(answer, PlanConflict), answer
            return
        assert not isinstance(answer, Exception), answer
        self.model.limit, self.model.limits = limits.get("limit"), limits.get("limits", {})

    @rule(holder=st.sampled_from(HOLDERS))
    def what_a_holder_holds(self, holder: str) -> None:
        """The live holds of a holder, by their fences, whether the show keeps lists or not."""
        expected: dict[int, set[str]] = {}
        for seat, found in self.model.of_holder(holder).items():
            if isinstance(found, Held):
                expected.setdefault(2**40 + found.fence, set()).add(seat)
        found = self.locker.holds(self.show, holder=holder)
        assert {held.fence: set(held.seats) for held in found} == expected
        assert [held.fence for held in found] == sorted(expected)

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
            assert {s: (c.state, c.yours) for s, c in hold.conflicts.items()} == expected.conflicts
            assert not any(conflict.inconsistent for conflict in hold.conflicts.values())
        elif expected.kind == "over":
            assert isinstance(hold, HolderLimitExceeded), (hold, expected)
            assert (hold.limit, hold.held, hold.category) == expected.over
        elif expected.kind == "lost":
            assert isinstance(hold, HoldLost), (hold, expected)
            assert set(hold.seats) == set(expected.reasons)
            for seat, reason in expected.reasons.items():
                assert hold.seats[seat] in (("expired", "released") if reason == "ended" else (reason,))
        elif expected.kind == "closed":
            assert isinstance(hold, SaleNotOpen), (hold, expected)
            assert hold.status == expected.status
            assert (hold.opens_in is None) == (expected.left == 0.0)
            assert abs((hold.opens_in or 0.0) - expected.left) < TOLERANCE
        else:
            assert isinstance(hold, {"unknown": UnknownSeats}[expected.kind]), (hold, expected)

    def told_of(self, hold: Hold) -> float:
        """The model's time for the deadline that the server told."""
        return self.told[hold.deadline]

    @rule(
        target=holds,
        seats=seats,
        holder=st.sampled_from(HOLDERS),
        ttl=st.sampled_from(TTLS),
        choice=st.integers(0, 5),
        channel=st.sampled_from(CHANNELS),
        lose=st.sampled_from([0, 0, 0, 1, 2]),
    )
    def acquire(self, seats: list[str], holder: str, ttl: float, choice: int, channel: str | None, lose: int) -> Any:
        """Acquire, with a new token or one used before, perhaps losing replies."""
        token = self.token(choice)
        expected = self.model.acquire(token, holder, seats, ttl, channel)
        self.client.lose_next = lose
        answer = attempt(
            lambda: self.locker.acquire(self.show, seats, holder=holder, ttl=ttl, token=token, channel=channel)
        )
        self.check_hold(answer, expected, token)
        return answer if isinstance(answer, Hold) else multiple()

    @rule(
        target=holds,
        requests=st.lists(
            st.tuples(seats, st.sampled_from(HOLDERS), st.integers(0, 3), st.sampled_from(CHANNELS)), max_size=5
        ),
    )
    def acquire_many(self, requests: list[tuple[list[str], str, int, str | None]]) -> Any:
        """A batch is answered as if each request had come alone, in order."""
        asks = [
            AcquireRequest(seats, holder, 600.0, self.token(choice), channel=channel)
            for seats, holder, choice, channel in requests
        ]
        expected = [
            self.model.acquire(ask.token or "", ask.holder, list(ask.seats), 600.0, ask.channel) for ask in asks
        ]
        answers = self.locker.acquire_many(self.show, asks)
        for answer, outcome, ask in zip(answers, expected, asks, strict=True):
            self.check_hold(answer, outcome, ask.token or "")
        return multiple(*(answer for answer in answers if isinstance(answer, Hold)))

    @rule(
        target=holds,
        count=st.integers(1, 3),
        holder=st.sampled_from(HOLDERS),
        ttl=st.sampled_from(TTLS),
        choice=st.integers(0, 5),
        channel=st.sampled_from(CHANNELS),
        lose=st.sampled_from([0, 0, 1, 2]),
    )
    def acquire_best(self, count: int, holder: str, ttl: float, choice: int, channel: str | None, lose: int) -> Any:
        """Acquire the best seats, with a new token or one used before; which they are, the answer tells."""
        token = self.token(choice)
        self.client.lose_next = lose
        options: dict[str, Any] = {"holder": holder, "ttl": ttl, "token": token, "channel": channel}
        best = attempt(lambda: self.locker.acquire_best(self.show, count, **options))
        answer = best.hold if isinstance(best, BestHold) else best
        if isinstance(answer, HolderLimitExceeded):
            told = (answer.limit, answer.held, answer.category)
            if told in self.model.best_is_over(token, holder, count, channel):
                return multiple()
        got = answer.seats if isinstance(answer, Hold) else ()
        self.check_hold(answer, self.model.acquire_best(token, holder, count, ttl, got, channel), token)
        if isinstance(best, BestHold):
            numbers = [SEATS.index(seat) for seat in got]
            assert best.adjacent == (numbers == list(range(numbers[0], numbers[0] + len(got))))
        return answer if isinstance(answer, Hold) else multiple()

    @rule(target=holds, hold=holds, ttl=st.sampled_from(TTLS), lose=st.sampled_from([0, 0, 1]))
    def extend(self, hold: Hold, ttl: float, lose: int) -> Any:
        """Extend a hold, old or new."""
        expected = self.model.extend(hold.token, hold.holder, list(hold.seats), ttl, self.told_of(hold))
        self.client.lose_next = lose
        answer = attempt(lambda: self.locker.extend(hold, ttl=ttl))
        self.check_hold(answer, expected, hold.token)
        return answer if isinstance(answer, Hold) else multiple()

    @rule(target=holds, hold=holds, expected=st.sampled_from(TTLS), lose=st.sampled_from([0, 0, 1]))
    def begin_payment(self, hold: Hold, expected: float, lose: int) -> Any:
        """Begin to pay for a hold, old or new, perhaps again."""
        outcome = self.model.begin_payment(hold.token, hold.holder, list(hold.seats), expected, self.told_of(hold))
        self.client.lose_next = lose
        answer = attempt(lambda: self.locker.begin_payment(hold, expected=expected))
        self.check_hold(answer, outcome, hold.token)
        return answer if isinstance(answer, Hold) else multiple()

    @rule(target=bookings, hold=holds, payment=st.sampled_from(PAYMENTS), lose=st.sampled_from([0, 0, 1, 2]))
    def reclaim(self, hold: Hold, payment: str | None, lose: int) -> Any:
        """Confirm a hold, in time or late."""
        told = self.told_of(hold)
        if "ended" in self.model._lost(hold.token, hold.holder, list(hold.seats), told).values():
            return multiple()  # whether Redis has removed the lock by now decides
        expected = self.model.reclaim(*self.late_request(hold), payment, told)
        self.client.lose_next = lose
        return self.check_booking(attempt(lambda: self.locker.confirm(hold, payment=payment, reclaim=True)), expected)

    def late_request(self, hold: Hold) -> tuple[tuple[str, str], str, list[str], tuple[str, str]]:
        """What the model needs to know of a hold that is confirmed late."""
        tokens = hold.token, reclaiming_token(hold.token)
        bookings = derived_booking_id(tokens[0], hold.seats), derived_booking_id(tokens[1], hold.seats)
        return tokens, hold.holder, list(hold.seats), bookings

    @rule(target=bookings, hold=holds, payment=st.sampled_from(PAYMENTS), lose=st.sampled_from([0, 0, 1, 2]))
    def confirm(self, hold: Hold, payment: str | None, lose: int) -> Any:
        """Confirm a hold, old or new."""
        booking_id = derived_booking_id(hold.token, hold.seats)
        expected = self.model.confirm(
            hold.token, hold.holder, list(hold.seats), booking_id, payment, self.told_of(hold)
        )
        self.client.lose_next = lose
        return self.check_booking(attempt(lambda: self.locker.confirm(hold, payment=payment)), expected)

    @rule(target=bookings, some=st.lists(holds, max_size=4), payment=st.sampled_from(PAYMENTS))
    def confirm_many(self, some: list[Hold], payment: str | None) -> Any:
        """A batch of confirms, the same hold perhaps several times."""
        expected = [
            self.model.confirm(
                hold.token,
                hold.holder,
                list(hold.seats),
                derived_booking_id(hold.token, hold.seats),
                payment,
                self.told_of(hold),
            )
            for hold in some
        ]
        answers = self.locker.confirm_many(self.show, [ConfirmRequest(hold, payment) for hold in some])
        for answer, outcome in zip(answers, expected, strict=True):
            self.check_booking(answer, outcome)
        return multiple(*(answer for answer in answers if isinstance(answer, Booking)))

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

    @rule(hold=holds, lose=st.sampled_from([0, 0, 1]))
    def release(self, hold: Hold, lose: int) -> None:
        """Release a hold, old or new; a lost reply makes the second try say that it is gone."""
        expected = self.model.release(hold.token, hold.holder, list(hold.seats))
        if lose:
            again = self.model.release(hold.token, hold.holder, list(hold.seats))
            expected = again
        self.client.lose_next = lose
        assert dict(self.locker.release(hold).seats) == expected.words

    @rule(some=st.lists(holds, max_size=4))
    def release_many(self, some: list[Hold]) -> None:
        """A batch of releases, the same hold perhaps several times."""
        expected = [self.model.release(hold.token, hold.holder, list(hold.seats)).words for hold in some]
        answers = self.locker.release_many(self.show, some)
        assert [dict(answer.seats) for answer in answers if isinstance(answer, Release)] == expected

    @rule(
        target=bookings,
        seats=seats,
        holder=st.sampled_from(HOLDERS),
        buys=st.booleans(),
        lose=st.sampled_from([0, 0, 1]),
    )
    def holding(self, seats: list[str], holder: str, buys: bool, lose: int) -> Any:
        """Hold seats for a block that perhaps buys them; else they are free behind it, unless the hold was resumed."""
        booked: Any = multiple()
        self.client.lose_next = lose
        block = self.locker.holding(self.show, seats, holder=holder, ttl=600.0)
        hold = attempt(block.__enter__)
        token = hold.token if isinstance(hold, Hold) and not hold.resumed else new_token()
        self.check_hold(hold, self.model.acquire(token, holder, seats, 600.0), token)
        if not isinstance(hold, Hold):
            return booked
        if buys:
            booking_id = derived_booking_id(hold.token, hold.seats)
            expected = self.model.confirm(hold.token, holder, list(hold.seats), booking_id, "paid", self.told_of(hold))
            booked = self.check_booking(attempt(lambda: self.locker.confirm(hold, payment="paid")), expected)
        if not hold.resumed:
            self.model.release(hold.token, holder, seats)
        self.client.lose_next = lose
        block.__exit__(None, None, None)
        return booked

    @rule(booking=bookings)
    def cancel(self, booking: Booking) -> None:
        """Cancel a booking, perhaps again."""
        expected = self.model.cancel(booking.id, booking.fence - 2**40, list(booking.seats))
        assert dict(self.locker.cancel(booking).seats) == expected.words

    @rule(seats=seats, lose=st.sampled_from([0, 0, 1]))
    def force_release(self, seats: list[str], lose: int) -> None:
        """Free seats whoever holds them; a lost reply frees none that somebody else has by then."""
        expected = self.model.force_release(seats)
        self.client.pass_next, self.client.lose_next = lose, lose  # the look at the seats comes through
        found = self.locker.force_release(self.show, seats, by="Eve", reason="the model")
        unheard = {"released": "gone"} if lose else {}
        assert dict(found.seats) == {seat: unheard.get(word, word) for seat, word in expected.words.items()}

    @rule(seats=seats, reason=st.sampled_from(REASONS), lose=st.sampled_from([0, 0, 1]))
    def block(self, seats: list[str], reason: str | None, lose: int) -> None:
        """Take seats off sale; a lost reply makes the second try say that they were blocked already."""
        for _ in range(1 + lose):
            expected = self.model.block(seats, reason)
        self.client.lose_next = lose
        answer = attempt(lambda: self.locker.block(self.show, seats, reason=reason))
        if expected.kind == "refused":
            self.check_hold(answer, expected, "")
        else:
            assert (dict(answer.seats), answer.reason) == (expected.words, reason)

    @rule(seats=seats, lose=st.sampled_from([0, 0, 1]))
    def unblock(self, seats: list[str], lose: int) -> None:
        """Put seats back on sale, blocked or not."""
        for _ in range(1 + lose):
            expected = self.model.unblock(seats)
        self.client.lose_next = lose
        assert dict(self.locker.unblock(self.show, seats).seats) == expected.words

    @rule(seats=seats, channel=st.sampled_from(CHANNELS), lose=st.sampled_from([0, 0, 1]))
    def set_channel(self, seats: list[str], channel: str | None, lose: int) -> None:
        """Put seats into a channel, or back to the public, whatever state they are in."""
        for _ in range(1 + lose):
            expected = self.model.set_channel(seats, channel)
        self.client.lose_next = lose
        assert dict(self.locker.set_channel(self.show, seats, channel).seats) == expected.words

    @rule(jump=st.sampled_from(JUMPS))
    def time_moves(self, jump: float) -> None:
        """Move the server's clock, mostly forwards."""
        self.clock.advance(jump)
        self.model.now += jump

    @precondition(lambda self: self.model.nothing_has_expired())
    @rule()
    def time_steps_back(self) -> None:
        """Move the clock back, so that holds last longer; once a lock has expired, Redis may have removed it or not."""
        self.clock.advance(-499)
        self.model.now -= 499

    @rule()
    def sweep(self) -> None:
        """Sweep: changes nothing that a reader can see."""
        self.locker.sweep(self.show)

    @precondition(lambda self: self.model.status == "open")
    @rule(word=st.sampled_from(["paused", "paused", "closed"]), lose=st.sampled_from([0, 0, 1]))
    def stop(self, word: Literal["paused", "closed"], lose: int) -> None:
        """Pause the sale, or close it."""
        self.client.lose_next = lose
        {"paused": self.locker.pause_sale, "closed": self.locker.close_sale}[word](self.show)
        self.model.say(word)

    @precondition(lambda self: self.model.status != "open" or self.model.times)
    @rule(lose=st.sampled_from([0, 0, 1]))
    def reopen(self, lose: int) -> None:
        """Open the sale again."""
        self.client.lose_next = lose
        self.locker.open_sale(self.show)
        self.model.say("open")

    @rule(
        word=st.sampled_from(["open", "closed"]),
        wait=st.sampled_from([-600.0, 100.0, 600.0, 1700.0]),
        again=st.booleans(),
        lose=st.sampled_from([0, 0, 1]),
    )
    def set_a_time(self, word: Literal["open", "closed"], wait: float, again: bool, lose: int) -> None:
        """Open or close the sale at a time, perhaps one that was said before, and perhaps one that has passed."""
        at = self.said[-1] if again and self.said else self.model.now + wait
        self.said.append(at)
        expected = self.model.say_at(word, at)
        self.client.lose_next = lose
        change = {"open": self.locker.open_sale, "closed": self.locker.close_sale}[word]
        answer = attempt(lambda: change(self.show, at=self.start + at))
        self.client.lose_next = 0
        assert isinstance(answer, InvalidRequest) == (expected == "refused"), (answer, expected)

    @invariant()
    def readers_agree(self) -> None:
        """Availability, the raw locks and inspect say what the model says."""
        if not hasattr(self, "model"):
            return
        found = self.locker.availability(self.show)
        assert dict(found.seats) == self.model.states()
        assert found.status == self.model.status
        for left, expected_left in ((found.opens_in, self.model.opens_in), (found.closes_in, self.model.closes_in)):
            assert (left is None) == (expected_left is None)
            assert abs((left or 0.0) - (expected_left or 0.0)) < TOLERANCE
        assert sum(found.counts.values()) == len(SEATS)
        partner = self.locker.availability(self.show, channel="partner")
        assert dict(partner.seats) == self.model.states("partner")
        for state in self.locker.inspect(self.show, SEATS):
            expected = self.model.at(state.seat)
            assert state.consistent, state
            assert state.holder == (expected.holder if expected else None)
            if isinstance(expected, Held):
                assert state.fence == 2**40 + expected.fence
            assert state.channel == self.model.channels[state.seat]
            assert state.reason == (expected.reason if isinstance(expected, Blocked) else None)
            if isinstance(expected, Sold):
                assert (state.booking, state.payment) == (expected.booking, expected.payment)

    @invariant()
    def counts_add_up_at_every_version(self) -> None:
        """What the change stream tells, entry by entry, never has a seat too many, too few or in no known state."""
        if not hasattr(self, "model"):
            return
        base = f"seatlock:{{{self.show}}}:"
        for entry, fields in self.raw.xrange(f"{base}changes", f"({self.told_until}"):
            assert int(entry.partition(b"-")[2]) == int(self.told_until.partition("-")[2]) + 1
            self.told_until = entry.decode()
            self.mirrors |= {seat.decode(): field.decode() for seat, field in fields.items() if seat}
            assert set(self.mirrors) == set(SEATS)
            counts = Counter(field[0] for field in self.mirrors.values())
            assert counts.keys() <= set("cfhpsb")
            assert counts.total() == len(SEATS)
        raw = self.raw.hgetall(f"{base}seats")
        assert {seat.decode(): field.decode() for seat, field in raw.items()} == self.mirrors
        checked = self.locker.check(self.show)
        assert checked.sound, checked
        assert self.told_until == "{}-{}".format(*checked.version)

    @invariant()
    def audit_tells_all(self) -> None:
        """Every seat that was freed by force has its entry, in order."""
        if not hasattr(self, "model"):
            return
        entries = [fields for _, fields in self.raw.xrange(f"seatlock:{{{self.show}}}:audit")]
        assert [(e[b"seat"].decode(), e[b"holder"].decode(), int(e[b"fence"])) for e in entries] == self.model.audit
        assert all((e[b"by"], e[b"reason"]) == (b"Eve", b"the model") for e in entries)

    @invariant()
    def facts_are_in_the_outbox(self) -> None:
        """Every booking and cancellation has its entry, in order, without a token."""
        if not hasattr(self, "model"):
            return
        entries = [fields for _, fields in self.raw.xrange(f"seatlock:{{{self.show}}}:outbox")]
        facts = [
            (e[b"kind"].decode(), e[b"booking"].decode(), frozenset(e[b"seats"].decode().split("\n"))) for e in entries
        ]
        assert facts == self.model.facts
        written = b" ".join(value for entry in entries for value in entry.values())
        secrets = [*self.tokens, *map(reclaiming_token, self.tokens)]
        assert not any(token.encode() in written for token in secrets)
        hashed = {e[b"kind"]: len(e[b"token_hash"]) for e in entries}
        assert hashed.items() <= {(b"confirmed", 64), (b"cancelled", 0)}, "what is sold says under which token"


def attempt(call: Callable[[], Any]) -> Any:
    """The result of a call, or the error it raised."""
    try:
        return call()
    except (
        *(SeatsUnavailable, HoldLost, BookingConflict, SaleNotOpen, UnknownSeats),
        *(HolderLimitExceeded, InvalidRequest, PlanConflict, ShowInUse),
    ) as error:
        return error


@pytest.fixture(scope="module", params=["redis-7", "redis-6.2"])
def sale(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[type[Sale]]:
    """The state machine over a server whose clock the test moves."""
    clock = Clock(tmp_path_factory.mktemp("clock"))
    with RedisServer(backend(request.param), env=clock.env) as server:
        yield type("Sale", (Sale,), {"server": server, "clock": clock, "replies_lost": 0})


def test_sales_go_as_the_model_says(sale: type[Sale]) -> None:
    """Random sales agree with the model after every step, and replies really were lost on the way."""
    from hypothesis.stateful import run_state_machine_as_test  # noqa: PLC0415

    profile = settings.get_profile(os.environ.get("SEATLOCK_MODEL", "ci"))
    if "6.2" in str(sale.server.executable) or sale.server.version < (7,):
        profile = settings(profile, max_examples=max(profile.max_examples // 5, 10))
    run_state_machine_as_test(sale, settings=profile)
    assert sale.replies_lost > 10
