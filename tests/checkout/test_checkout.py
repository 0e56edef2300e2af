"""Strict checkout from the buyer's side: what is answered, what both sides say then, and what asking again gives."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest
from msgspec.structs import replace

from seatlock import Booking, BookingConflict, Hold, HoldLost, InvalidRequest, WrongCheckout, _upkeep
from seatlock._commands import derived_booking_id
from seatlock.checkout import StrictCheckout, _loading
from seatlock.errors import LedgerUnavailable, ServerUnavailable
from seatlock.ledger import Claim
from tests.checkout.counter import SEATS, Counter
from tests.ledger.databases import claim, query
from tests.support.strict import finalise, pin


def claim_of(hold: Hold, payment: str | None = "pay") -> Claim:
    return claim(hold.show, derived_booking_id(hold.token, hold.seats), hold.seats, payment=payment)


@contextmanager
def shut(counter: Counter) -> Iterator[None]:
    """Nobody gets an answer from the ledger."""
    if counter.url.startswith("sqlite:///"):
        connection = sqlite3.connect(counter.url.removeprefix("sqlite:///"), isolation_level=None)
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.rollback()
        connection.close()
    else:
        with psycopg.connect(counter.url.replace("postgresql+psycopg", "postgresql")) as connection:
            connection.execute("LOCK TABLE bookings, shows IN ACCESS EXCLUSIVE MODE")
            yield
            connection.rollback()


def test_a_booking_is_confirmed_once_the_ledger_has_it(counter: Counter) -> None:
    hold = counter.acquire("A-1", "A-2")
    booking = counter.checkout.confirm(hold, payment="pay-1")
    assert (booking.status, booking.seats, booking.holder, booking.payment) == ("confirmed", hold.seats, "ada", "pay-1")
    assert (booking.fence, booking.id) == (hold.fence, derived_booking_id(hold.token, hold.seats))
    assert abs(booking.confirmed_at - time.time()) < 60
    assert counter.sold() == {"A-1": booking.id, "A-2": booking.id}
    assert counter.states() == dict.fromkeys(hold.seats, ("sold", booking.id))
    assert [entry["kind"] for entry in counter.entries()] == ["pinned"]
    assert hold.token not in str(query(counter.ledger, "SELECT * FROM bookings"))
    assert counter.checkout.confirm(hold, payment="pay-1") == booking
    assert counter.checkout.outcome(booking) == booking
    counter.sound()


def test_another_payment_is_a_conflict(counter: Counter) -> None:
    hold = counter.acquire("A-1")
    booking = counter.checkout.confirm(hold, payment="pay-1")
    with pytest.raises(BookingConflict) as conflict:
        counter.checkout.confirm(hold, payment="pay-2")
    assert conflict.value.booking is not None
    assert (conflict.value.booking.id, conflict.value.booking.status) == (booking.id, "confirmed")
    assert counter.rows() == {booking.id: "confirmed"}
    counter.sound()


def test_another_id_for_the_same_hold_is_refused_for_good(counter: Counter) -> None:
    hold = counter.acquire("A-1")
    first = counter.checkout.confirm(hold, payment="pay-1", booking="order-1")
    assert counter.checkout.confirm(hold, payment="pay-1", booking="order-2") == first, "paid once, booked once"
    for _ in range(2):
        with pytest.raises(BookingConflict) as conflict:
            counter.checkout.confirm(hold, payment="pay-2", booking="order-2")
        assert conflict.value.booking is not None
        assert conflict.value.booking == replace(first, confirmed_at=conflict.value.booking.confirmed_at)
    assert counter.rows() == {"order-1": "confirmed", "order-2": "rejected"}
    counter.sound()


def test_an_id_that_another_booking_has_buys_nothing(counter: Counter) -> None:
    first = counter.checkout.confirm(counter.acquire("A-1"), payment="pay-1", booking="order-1")
    hold = counter.acquire("A-2", holder="bo")
    with pytest.raises(BookingConflict, match="refund") as conflict:
        counter.checkout.confirm(hold, payment="pay-2", booking="order-1")
    assert conflict.value.booking == first
    assert counter.states() == {"A-1": ("sold", "order-1")}
    counter.sound()


def test_a_lost_hold_is_refused_for_good(counter: Counter) -> None:
    hold = counter.acquire("A-1")
    counter.plain.release(hold)
    for _ in range(2):
        with pytest.raises(HoldLost) as lost:
            counter.checkout.confirm(hold, payment="pay")
        assert lost.value.reason == "released"
    (booking,) = counter.rows()
    assert counter.rows() == {booking: "rejected"}
    # An entry that was on its way all the time comes too late.
    assert counter.ledger.decide(replace(claim_of(hold), token_hash="0" * 64)).status == "mismatch"
    assert counter.sold() == {}
    counter.sound()


def test_a_hold_that_was_lost_after_it_was_decided_is_a_booking(counter: Counter) -> None:
    hold = counter.acquire("A-1", "A-2")
    booking = counter.checkout.confirm(hold, payment="pay")
    counter.raw.delete(counter.key("lock:A-1"), counter.key("lock:A-2"))  # a failover
    counter.raw.hset(counter.key("seats"), mapping={"A-1": "f0", "A-2": "f0"})
    assert counter.checkout.confirm(hold, payment="pay") == booking
    counter.sound()


def test_what_the_ledger_sold_to_somebody_else(counter: Counter) -> None:
    taken = claim(counter.show, "bk-first", ["A-2"], holder="bo")
    assert counter.ledger.decide(taken).status == "confirmed"
    hold = counter.acquire("A-1", "A-2", "A-3")
    booking = counter.checkout.confirm(hold, payment="pay")
    assert (booking.status, booking.seats) == ("rejected", hold.seats)
    assert counter.states() == {"A-2": ("sold", "bk-first")}
    assert counter.checkout.outcome(booking) == booking
    assert counter.checkout.confirm(hold, payment="pay") == booking
    assert counter.rows() == {"bk-first": "confirmed", booking.id: "rejected"}
    counter.sound()


def test_without_the_ledger_nobody_knows(counter_of: Callable[..., Counter], request: pytest.FixtureRequest) -> None:
    for colour in ("sync", "async"):
        for database in ("sqlite", "postgresql"):
            counter = counter_of(colour, database, patience=0.4).open()
            hold, late = counter.acquire("A-1"), counter.acquire("A-2", holder="bo")
            counter.plain.release(late)
            with shut(counter):
                booking = counter.checkout.confirm(hold, payment="pay")
                assert booking.status == "pending"
                assert counter.states(["A-1"]) == {"A-1": ("pinned", booking.id)}
                if database == "postgresql":  # SQLite reads beside the writer
                    with pytest.raises(LedgerUnavailable):
                        counter.checkout.outcome(booking)
                with pytest.raises(LedgerUnavailable):
                    counter.checkout.cancel(booking, by="ada")
                doubtful = counter.checkout.confirm(late, payment="pay")
                assert doubtful.status == "pending"
            assert counter.checkout.outcome(booking).status == "pending"
            assert counter.checkout.outcome(doubtful).status == "cancelled"
            assert counter.checkout.confirm(hold, payment="pay").status == "confirmed"
            assert counter.checkout.outcome(booking).status == "confirmed"
            assert counter.checkout.confirm(late, payment="pay").status == "cancelled"
            counter.sound()


def test_a_cancelled_booking(counter: Counter) -> None:
    hold = counter.acquire("A-1", "A-2")
    booking = counter.checkout.confirm(hold, payment="pay")
    done = counter.checkout.cancel(booking, by="eve", reason="refund")
    assert dict(done.seats) == {"A-1": "cancelled", "A-2": "cancelled"}
    assert counter.states() == {}
    assert dict(counter.checkout.cancel(booking, by="eve").seats) == {"A-1": "gone", "A-2": "gone"}
    assert [entry["kind"] for entry in counter.entries()] == ["pinned", "recorded", "recorded"]
    assert counter.checkout.outcome(booking).status == "cancelled"
    told = [(entry.what, entry.who, entry.reason) for entry in counter.ledger.history(counter.show, "A-1")]
    assert told == [("sold", "ada", None), ("cancelled", "eve", "refund")]
    again = counter.checkout.confirm(counter.acquire("A-1", holder="bo"), payment="pay")
    assert again.status == "confirmed"
    assert dict(counter.checkout.cancel(booking, by="eve").seats) == {"A-1": "gone", "A-2": "gone"}
    assert counter.sold() == {"A-1": again.id}
    counter.sound()


def test_a_booking_of_somebody_else_under_the_same_id_is_left_alone(counter: Counter) -> None:
    first = counter.checkout.confirm(counter.acquire("A-1"), payment="pay-1", booking="order-1")
    pinned = pin(counter.plain, counter.acquire("A-2", holder="bo"), "pay-2", "order-1")
    mine = Booking("order-1", counter.show, ("A-2",), "bo", "pay-2", pinned.fence, 0.0, "pending")
    for call in (lambda: counter.checkout.outcome(mine), lambda: counter.checkout.cancel(mine, by="bo")):
        with pytest.raises(BookingConflict) as conflict:
            call()
        assert conflict.value.booking == first
    assert counter.rows() == {"order-1": "confirmed"}


def test_a_show_that_is_retired_can_still_be_cancelled(counter: Counter) -> None:
    booking = counter.checkout.confirm(counter.acquire("A-1"), payment="pay")
    counter.drain()
    counter.plain.retire(counter.show)
    assert dict(counter.checkout.cancel(booking, by="eve").seats) == {"A-1": "gone"}
    assert counter.rows() == {booking.id: "cancelled"}


def test_pools_that_the_ledger_was_never_told_of(counter: Counter) -> None:
    counter.plain.warm(counter.show, SEATS, checkout="strict", pools={"floor": 5})
    hold = counter.acquire(pools={"floor": 2})
    assert counter.checkout.confirm(hold, payment="pay").status == "confirmed"
    assert counter.ledger.pools(counter.show)["floor"].capacity == 5
    counter.sound()


def test_a_pin_that_is_cancelled_never_becomes_a_booking(counter: Counter) -> None:
    hold = counter.acquire("A-1")
    pinned = pin(counter.plain, hold)
    known = Booking(pinned.booking, counter.show, ("A-1",), "ada", "pay", pinned.fence, 0.0, "pending")
    assert counter.checkout.outcome(known) == known
    assert dict(counter.checkout.cancel(known, by="ada").seats) == {"A-1": "cancelled"}
    assert counter.checkout.outcome(known).status == "cancelled"
    assert counter.checkout.confirm(hold, payment="pay").status == "cancelled"
    assert (counter.states(), counter.sold()) == ({}, {})
    counter.sound()


def test_a_later_epoch(counter: Counter) -> None:
    first, second, third = (counter.acquire(seat, holder=seat) for seat in SEATS[:3])
    assert counter.ledger.raise_epoch(counter.show) == 2
    booking = counter.checkout.confirm(first, payment="pay")  # Redis does not know of it yet
    assert booking.status == "pending"
    assert counter.states(["A-1"]) == {"A-1": ("pinned", booking.id)}
    pin(counter.plain, third)
    assert counter.checkout.load(counter.show).epoch == 2
    assert counter.checkout.confirm(second, payment="pay").status == "confirmed"
    assert counter.checkout.confirm(first, payment="pay").status == "confirmed"
    assert counter.acquire("A-4").fence > 2**41
    counter.raw.delete(counter.key("lock:A-3"))  # what a failover lost, of a pin that is still to be decided
    counter.raw.hset(counter.key("seats"), "A-3", "f0")
    with pytest.raises(HoldLost):
        counter.checkout.confirm(third, payment="pay")
    assert sorted(counter.rows().values()) == ["confirmed", "confirmed", "rejected"]
    counter.sound()


def test_a_pin_that_goes_while_its_epoch_is_found_out(counter: Counter) -> None:
    hold = counter.acquire("A-1")
    counter.ledger.raise_epoch(counter.show)
    counter.plain._run(_upkeep.raise_epoch("seatlock", counter.show, 2))

    def lose(step: str) -> None:
        if step == "HGET":
            counter.raw.delete(counter.key("lock:A-1"))
            counter.raw.hset(counter.key("seats"), "A-1", "f0")

    counter.wrapped._watch = lose
    booking = counter.checkout.confirm(hold, payment="pay")
    assert (booking.status, counter.rows()) == ("rejected", {booking.id: "rejected"})
    counter.sound()


def test_pools(counter_of: Callable[..., Counter]) -> None:
    for colour in ("sync", "async"):
        counter = counter_of(colour, "postgresql").open(pools={"floor": 5, "balcony": 2})
        hold = counter.acquire("A-1", pools={"floor": 3})
        booking = counter.checkout.confirm(hold, payment="pay")
        assert (booking.status, dict(booking.pools)) == ("confirmed", {"floor": 3})
        only = counter.checkout.confirm(counter.acquire(holder="bo", pools={"balcony": 2}), payment="pay")
        assert counter.checkout.confirm(hold, payment="pay") == booking
        counter.sound()
        taken = claim(counter.show, "bk-first", (), holder="cy", pools={"floor": 2})
        assert counter.ledger.decide(taken).status == "confirmed"
        late = counter.checkout.confirm(counter.acquire("A-2", holder="dan", pools={"floor": 2}), payment="pay")
        assert (late.status, counter.states()) == ("rejected", {"A-1": ("sold", booking.id)})
        assert counter.checkout.load(counter.show).pools == 7
        done = counter.checkout.cancel(booking, by="eve")
        assert (dict(done.seats), dict(done.pools)) == ({"A-1": "cancelled"}, {"floor": 3})
        counter.checkout.cancel(only, by="eve")
        counter.sound()
        counter.plain.warm(counter.show, SEATS, checkout="strict", pools={"floor": 9, "balcony": 2})
        counter.checkout.load(counter.show)
        assert counter.ledger.pools(counter.show)["floor"].capacity == 9


def test_opening_loads_what_the_ledger_has(counter_of: Callable[..., Counter]) -> None:
    for colour in ("sync", "async"):
        counter = counter_of(colour, "sqlite").open(pools={"floor": 5})
        bookings = [
            counter.checkout.confirm(counter.acquire(seat, holder=seat, pools={"floor": 1}), payment="pay")
            for seat in SEATS[:3]
        ]
        counter.ledger.raise_epoch(counter.show)
        counter.raw.delete(*counter.raw.keys(counter.key("*").replace("{", r"\{")))  # Redis has lost it all
        counter.plain.warm(counter.show, SEATS, checkout="strict", pools={"floor": 5})
        loaded = counter.checkout.open_sale(counter.show)
        assert (loaded.epoch, loaded.seats, loaded.pools, loaded.wrong) == (3, 3, 3, ()), "fences do not come again"
        assert counter.states() == {booking.seats[0]: ("sold", booking.id) for booking in bookings}
        assert counter.checkout.load(counter.show) == loaded
        counter.sound()
        assert counter.acquire("A-5").fence > 2**41
        more = counter.checkout.confirm(counter.acquire("A-6", holder="dan", pools={"floor": 1}), payment="pay")
        assert more.fence > 3 * 2**40
        counter.sound()
        counter.plain.acquire(counter.show, pools={"floor": 1}, holder="eve")
        odd = claim(counter.show, "bk-odd", ["Z-1"], pools={"floor": 1}, epoch=3, fence=2**40 + 99)
        assert counter.ledger.decide(odd).status == "confirmed"
        assert counter.checkout.load(counter.show).wrong == ("Z-1", "floor")


def test_a_cancel_while_it_is_loaded_is_not_undone(counter: Counter) -> None:
    booking = counter.checkout.confirm(counter.acquire("A-1", "A-2"), payment="pay")
    kept = counter.checkout.confirm(counter.acquire("A-3", holder="bo"), payment="pay")
    canceller = StrictCheckout(counter.plain, counter.ledger)

    def cancel(step: str) -> None:
        if step == "finalise":
            counter.wrapped._watch = None
            canceller.cancel(booking, by="eve")

    counter.wrapped._watch = cancel
    counter.checkout.load(counter.show)
    assert counter.states() == {"A-3": ("sold", kept.id)}
    counter.sound()


def test_a_fast_show_is_left_alone(counter: Counter) -> None:
    counter.plain.warm("fast-" + counter.show, SEATS)
    counter.plain.open_sale("fast-" + counter.show)
    hold = counter.plain.acquire("fast-" + counter.show, ["A-1"], holder="ada")
    with pytest.raises(WrongCheckout, match='checkout="strict"'):
        counter.checkout.confirm(hold, payment="pay")


def test_bad_input_is_refused_before_anything_is_sent(counter: Counter) -> None:
    hold = counter.acquire("A-1")
    booking = Booking("bk", counter.show, ("A-1",), "ada", "pay", hold.fence, 1.0)
    steps: list[str] = []
    counter.wrapped._watch = steps.append
    for call in (
        lambda: counter.checkout.confirm("hold"),
        lambda: counter.checkout.confirm(hold, payment="\n"),
        lambda: counter.checkout.confirm(hold, booking=""),
        lambda: counter.checkout.outcome("bk"),
        lambda: counter.checkout.outcome(replace(booking, fence=-1)),
        lambda: counter.checkout.cancel("bk", by="eve"),
        lambda: counter.checkout.cancel(booking, by=""),
        lambda: counter.checkout.cancel(booking, by="eve", reason="\n"),
        lambda: counter.checkout.load("a show"),
    ):
        with pytest.raises(InvalidRequest):
            call()
    assert steps == []
    assert counter.rows() == {}


def test_many_want_the_same(counter_of: Callable[..., Counter]) -> None:
    counter = counter_of("sync", "postgresql").open()
    holds = [counter.acquire(seat, holder=f"ann-{seat}") for seat in SEATS]
    taken = [claim(counter.show, f"bk-{seat}", [seat], holder="bo") for seat in SEATS[::2]]
    with ThreadPoolExecutor(16) as threads:
        rivals = threads.map(counter.ledger.decide, taken)
        bookings = list(threads.map(lambda hold: counter.checkout.confirm(hold, payment="pay"), holds * 4))
        won = {decision.booking for decision in rivals if decision.status == "confirmed"}
    confirmed = {booking.id for booking in bookings if booking.status == "confirmed"}
    assert len(confirmed) + len(won) == len(SEATS)
    assert set(counter.sold().values()) == confirmed | won
    by_id = {booking.id: {other.status for other in bookings if other.id == booking.id} for booking in bookings}
    assert all(len(statuses) == 1 for statuses in by_id.values())
    counter.checkout.load(counter.show)
    counter.sound()


def failing_at(step: str, error: Exception) -> Callable[[str], None]:
    """Have a step fail instead of being carried out."""

    def watch(name: str) -> None:
        if name == step:
            raise error

    return watch


def test_redis_goes_away_behind_the_decision(counter: Counter) -> None:
    hold = counter.acquire("A-1")
    counter.wrapped._watch = failing_at("finalise", ServerUnavailable("away"))
    booking = counter.checkout.confirm(hold, payment="pay")
    counter.wrapped._watch = None
    assert (booking.status, counter.states()) == ("confirmed", {"A-1": ("pinned", booking.id)})
    counter.repair()
    assert counter.states() == {"A-1": ("sold", booking.id)}


def test_redis_has_sold_it_to_another_meanwhile(counter: Counter, caplog: pytest.LogCaptureFixture) -> None:
    hold = counter.acquire("A-1")

    def sell(step: str) -> None:
        if step == "finalise":
            counter.wrapped._watch = None
            finalise(counter.plain, Booking("bk-x", counter.show, ("A-1",), "bo", None, hold.fence + 7, 1.0))

    counter.wrapped._watch = sell
    assert counter.checkout.confirm(hold, payment="pay").status == "confirmed"
    assert "reconcile" in caplog.text


def test_a_conflict_while_the_ledger_is_away(counter: Counter) -> None:
    hold = counter.acquire("A-1")
    counter.checkout.confirm(hold, payment="pay-1")
    counter.wrapped._watch = failing_at("outcome", LedgerUnavailable("away"))
    with pytest.raises(BookingConflict) as conflict:
        counter.checkout.confirm(hold, payment="pay-2")
    assert conflict.value.booking is not None
    assert conflict.value.booking.status == "pending"


def test_another_payment_for_a_hold_that_was_refused(counter: Counter) -> None:
    hold = counter.acquire("A-1")
    counter.plain.release(hold)
    for payment in ("pay-1", "pay-2"):
        with pytest.raises(HoldLost):
            counter.checkout.confirm(hold, payment=payment)
    assert list(counter.rows().values()) == ["rejected"]


def test_the_owner_of_a_seat_in_the_way_is_cancelled_meanwhile(counter: Counter) -> None:
    taken = claim(counter.show, "bk-first", ["A-2"], holder="bo")
    counter.ledger.decide(taken)
    hold = counter.acquire("A-1", "A-2")

    def cancel(step: str) -> None:
        if step == "finalise":
            counter.wrapped._watch = None
            counter.ledger.cancel(counter.show, "bk-first", by="eve")

    counter.wrapped._watch = cancel
    assert counter.checkout.confirm(hold, payment="pay").status == "rejected"
    assert counter.states() == {}
    counter.sound()


def test_pools_of_which_more_is_sold_than_there_is(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_loading.Pools, "MOST_SHOWS", 0)
    counter.ledger.set_pools(counter.show, {"floor": 9})
    counter.ledger.decide(claim(counter.show, "bk-first", [], pools={"floor": 8}))
    counter.plain.warm(counter.show, SEATS, checkout="strict", pools={"floor": 5, "balcony": 1})
    high = counter.acquire("A-2", holder="cy", pools={"balcony": 1})
    assert counter.checkout.confirm(high, payment="pay").status == "confirmed", "of the others it is told all the same"
    late = counter.checkout.confirm(counter.acquire(pools={"floor": 2}), payment="pay")
    assert late.status == "rejected"
    one = counter.checkout.confirm(counter.acquire("A-1", holder="bo", pools={"floor": 1}), payment="pay")
    assert one.status == "confirmed", "the ledger knows of nine"
