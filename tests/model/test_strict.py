"""Random sales with strict checkout against a plain-Python model: pins, what the ledger decided, and lost replies.

Decisions come late, twice, and of bookings that Redis never saw; the ledger itself is no part of this.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, precondition, rule

from seatlock import Booking, BookingConflict, Hold, HolderLimitExceeded, HoldLost, SeatLocker, SeatsUnavailable
from seatlock._commands import derived_booking_id
from seatlock._pinning import Pinned
from seatlock._tokens import hash_of
from tests.model.reference import Held, Outcome, Show, Sold, whole
from tests.model.test_model import HOLDERS, JUMPS, PAYMENTS, SEATS, TTLS, LossyClient, attempt
from tests.support.clock import Clock
from tests.support.servers import RedisServer, backend
from tests.support.strict import booking_of, finalise, pin

TOKENS = [digit * 32 for digit in "abcdef"]


@dataclass(frozen=True)
class Pin(Sold):
    """A seat that waits for the ledger."""


class StrictShow(Show):
    """A show on which the ledger decides."""

    def state(self, seat: str, channel: str | None = None) -> str:
        """The state of a seat."""
        return "pinned" if isinstance(self.at(seat), Pin) else super().state(seat, channel)

    def pin(
        self, token: str, holder: str, seats: list[str], booking: str, payment: str | None, told: float
    ) -> tuple[Outcome, bool]:
        """Pin the seats of a hold; also whether all of it is sold by now."""
        own = [
            found
            for seat in seats
            if isinstance(found := self.at(seat), Sold) and (found.token, found.holder) == (token, holder)
        ]
        if own:
            same = len(own) == len(seats) and len({found.booking for found in own}) == 1
            kind = "pinned" if same and own[0].payment == payment else "conflict"
            final = not any(isinstance(found, Pin) for found in own)
            return Outcome(kind, booking=own[0].booking, fence=own[0].fence), final
        if lost := self._lost(token, holder, seats, told):
            return Outcome("lost", reasons=lost), False
        hold = whole([found for seat in seats if isinstance(found := self.seats[seat], Held)])
        for seat in seats:
            self.seats[seat] = Pin(token, holder, hold.fence, booking, payment)
        self.facts.append(("pinned", booking, frozenset(seats)))
        return Outcome("pinned", booking=booking, fence=hold.fence), False

    def decided(self, booking: Booking, *, sold: bool) -> dict[str, str]:
        """What the ledger says becomes so."""
        words: dict[str, str] = {}
        fence = booking.fence - 2**40
        for seat in booking.seats:
            found = self.at(seat)
            own = isinstance(found, Sold) and found.booking == booking.id
            if not sold:
                words[seat] = "free" if own and found.fence == fence else "gone"
                if words[seat] == "free":
                    self.seats[seat] = None
            elif isinstance(found, Sold) and not isinstance(found, Pin) and not own:
                words[seat] = "foreign"
            else:
                words[seat] = "sold"
                token = found.token if isinstance(found, Sold) and own else ""
                self.seats[seat] = Sold(token, booking.holder, fence, booking.id, booking.payment)
        return words


class StrictSale(RuleBasedStateMachine):
    """One show, sold at random."""

    server: RedisServer
    clock: Clock
    numbers = itertools.count()
    replies_lost = 0
    words: ClassVar[set[str]] = set()

    holds: Bundle[Hold] = Bundle("holds")
    pins: Bundle[Pinned] = Bundle("pins")
    seats = st.lists(st.sampled_from(SEATS), min_size=1, max_size=3, unique=True)

    def __init__(self) -> None:
        super().__init__()
        self.clock.reset()
        self.raw = self.server.unix_client()
        self.raw.flushall()
        self.client = LossyClient(self.raw)
        self.locker = SeatLocker(self.client)  # type: ignore[arg-type]
        self.show = f"strict-{next(self.numbers)}"
        self.model = StrictShow(SEATS)
        self.told: dict[int, float] = {}  # the server's deadline of a hold → the model's

    @initialize(limit=st.sampled_from([None, None, 2, 4]))
    def warm(self, limit: int | None) -> None:
        """Some of the shows have limits."""
        self.locker.warm(self.show, SEATS, checkout="strict", limit=limit)
        self.locker.open_sale(self.show)
        self.model.limit = limit

    @rule(
        target=holds,
        seats=seats,
        holder=st.sampled_from(HOLDERS),
        token=st.sampled_from(TOKENS),
        ttl=st.sampled_from(TTLS),
        lose=st.sampled_from([0, 0, 1]),
    )
    def acquire(self, seats: list[str], holder: str, token: str, ttl: float, lose: int) -> Any:
        """Ask for seats, under a token that may have been used before."""
        expected = self.model.acquire(token, holder, seats, ttl)
        if expected.kind == "resumed" and lose:
            expected = self.model.acquire(token, holder, seats, ttl)
        self.client.lose_next = lose
        answer = attempt(lambda: self.locker.acquire(self.show, seats, holder=holder, ttl=ttl, token=token))
        if expected.kind in ("held", "resumed"):
            assert isinstance(answer, Hold), (answer, expected)
            assert (answer.token, answer.fence) == (expected.token, 2**40 + expected.fence)
            self.told[answer.deadline] = self.model.now + expected.left
            return answer
        assert isinstance(answer, SeatsUnavailable if expected.kind == "refused" else HolderLimitExceeded)
        if isinstance(answer, SeatsUnavailable):
            found = {seat: (conflict.state, conflict.yours) for seat, conflict in answer.conflicts.items()}
            assert found == expected.conflicts
        return multiple()

    @rule(target=pins, hold=holds, payment=st.sampled_from(PAYMENTS), lose=st.sampled_from([0, 0, 1, 2]))
    def pin(self, hold: Hold, payment: str | None, lose: int) -> Any:
        """Pin a hold, old or new."""
        booking = derived_booking_id(hold.token, hold.seats)
        told = self.told[hold.deadline]
        expected, final = self.model.pin(hold.token, hold.holder, list(hold.seats), booking, payment, told)
        self.client.lose_next = lose
        answer = attempt(lambda: pin(self.locker, hold, payment))
        self.words.add(expected.kind)
        if expected.kind == "pinned":
            assert isinstance(answer, Pinned), (answer, expected)
            assert (answer.booking, answer.fence) == (expected.booking, 2**40 + expected.fence)
            assert answer.finalised == final
            return answer
        if expected.kind == "conflict":
            assert isinstance(answer, BookingConflict), (answer, expected)
            assert answer.booking is not None
            assert answer.booking.id == expected.booking
        else:
            assert isinstance(answer, HoldLost), (answer, expected)
            for seat, reason in expected.reasons.items():
                assert answer.seats[seat] == reason or (reason == "ended" and answer.seats[seat] != "sold")
        return multiple()

    @rule(pinned=pins, sold=st.booleans(), part=st.booleans(), lose=st.sampled_from([0, 0, 1]))
    def decide(self, pinned: Pinned, sold: bool, part: bool, lose: int) -> None:
        """The ledger has decided about a pin, perhaps long ago, perhaps again; a batch may tell a part of it."""
        booking = booking_of(pinned)
        self.finalise(booking, sold, lose)
        if part:
            self.finalise(booking, sold, 0)

    @precondition(lambda self: self.model.limit is None)  # whose hold is taken has more on the list for a time
    @rule(seats=seats, holder=st.sampled_from(HOLDERS), number=st.integers(1, 3), sold=st.booleans())
    def decide_of_what_redis_lost(self, seats: list[str], holder: str, number: int, sold: bool) -> None:
        """The ledger has a booking that Redis knows nothing of, or only what was told of it before."""
        fence = 2**40 + 1_000_000 + number
        self.finalise(Booking(f"lost-{number}", self.show, tuple(seats), holder, "paid", fence, 1.5), sold, 0)

    def finalise(self, booking: Booking, sold: bool, lose: int) -> None:
        """Tell Redis, and compare with the model."""
        for _ in range(1 + lose):
            expected = self.model.decided(booking, sold=sold)
        self.client.lose_next = lose
        assert dict(finalise(self.locker, booking, sold=sold).seats) == expected
        self.words |= set(expected.values())

    @rule(hold=holds)
    def release(self, hold: Hold) -> None:
        """Release a hold, old or new; what is pinned stays."""
        pinned = {seat for seat in hold.seats if isinstance(self.model.at(seat), Pin)}
        expected = self.model.release(hold.token, hold.holder, list(hold.seats)).words
        expected |= dict.fromkeys(pinned, "pinned")
        assert dict(self.locker.release(hold).seats) == expected

    @rule(jump=st.sampled_from(JUMPS))
    def time_moves(self, jump: float) -> None:
        """Move the server's clock."""
        self.clock.advance(jump)
        self.model.now += jump

    @rule()
    def sweep(self) -> None:
        """Sweep: changes nothing that a reader can see."""
        self.locker.sweep(self.show)

    @invariant()
    def readers_agree(self) -> None:
        """Availability, inspect and check say what the model says."""
        if not self.raw.exists(f"seatlock:{{{self.show}}}:meta"):
            return
        assert dict(self.locker.availability(self.show).seats) == self.model.states()
        for state in self.locker.inspect(self.show, SEATS):
            expected = self.model.at(state.seat)
            assert state.consistent, state
            assert state.holder == (expected.holder if expected else None)
            if isinstance(expected, Sold):
                assert (state.booking, state.payment) == (expected.booking, expected.payment)
                assert state.fence == 2**40 + expected.fence
        checked = self.locker.check(self.show)
        assert checked.sound, checked

    @invariant()
    def pins_are_in_the_outbox(self) -> None:
        """Every pin has its entry, in order, without a token; a decision has none."""
        entries = [fields for _, fields in self.raw.xrange(f"seatlock:{{{self.show}}}:outbox")]
        facts = [
            (e[b"kind"].decode(), e[b"booking"].decode(), frozenset(e[b"seats"].decode().split("\n"))) for e in entries
        ]
        assert facts == self.model.facts
        assert {e[b"token_hash"].decode() for e in entries} <= set(map(hash_of, TOKENS))
        written = b" ".join(value for entry in entries for value in entry.values())
        assert not any(token.encode() in written for token in TOKENS)

    def teardown(self) -> None:
        """Count the replies that were lost."""
        type(self).replies_lost += self.client.lost
        self.raw.close()


@pytest.fixture(scope="module")
def sale(tmp_path_factory: pytest.TempPathFactory) -> Iterator[type[StrictSale]]:
    """The state machine over a server whose clock the test moves."""
    clock = Clock(tmp_path_factory.mktemp("clock"))
    with RedisServer(backend("redis-7"), env=clock.env) as server:
        yield type("StrictSale", (StrictSale,), {"server": server, "clock": clock, "replies_lost": 0, "words": set()})


def test_strict_sales_go_as_the_model_says(sale: type[StrictSale]) -> None:
    """Random sales agree with the model after every step, and everything that can be answered was."""
    from hypothesis.stateful import run_state_machine_as_test  # noqa: PLC0415

    run_state_machine_as_test(sale, settings=settings.get_profile(os.environ.get("SEATLOCK_MODEL", "ci")))
    assert sale.replies_lost > 10
    assert sale.words >= {"pinned", "conflict", "lost", "sold", "foreign", "free", "gone"}
