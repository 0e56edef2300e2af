"""Confirm and cancel: a hold becomes a booking once, and only its own booking can be undone."""

from __future__ import annotations

import time

import msgspec
import pytest

from seatlock import Booking, BookingConflict, Hold, HoldLost, new_token
from tests.support.stage import Stage, only_on


def test_a_booking_tells_all_about_itself(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-2", "A-1")
    booking = stage.locker.confirm(hold, payment="pay-1")
    assert (booking.show, booking.seats, booking.holder) == (stage.show, ("A-2", "A-1"), "ada")
    assert (booking.payment, booking.fence, booking.status, booking.replicas) == (
        "pay-1",
        hold.fence,
        "confirmed",
        None,
    )
    assert abs(booking.confirmed_at - time.time()) < 60
    assert booking.id.startswith("bk-")
    assert hold.token not in booking.id


def test_sold_seats_never_expire(stage: Stage) -> None:
    stage.open()
    stage.locker.confirm(stage.acquire("A-1", ttl=60))
    assert stage.raw.pttl(stage.lock("A-1")) == -1
    assert stage.raw.zscore(stage.key("due"), "A-1") is None
    assert stage.mirror("A-1") == "s0", "without a deadline"


def test_the_booking_id_comes_from_token_and_seats(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1", "A-2")
    first = stage.locker.confirm(hold)
    again = stage.locker.confirm(msgspec.structs.replace(hold, seats=("A-2", "A-1")))
    assert again.id == first.id
    assert stage.locker.confirm(stage.acquire("A-3")).id != first.id


def test_a_booking_id_of_the_callers_own(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1")
    booking = stage.locker.confirm(hold, booking="order 4711 {web}", payment="pay-1")
    assert booking.id == "order 4711 {web}"
    assert stage.locker.confirm(hold, payment="pay-1") == booking, "the id on record is the one that counts"


@pytest.mark.parametrize("payment", ["pay-1", None])
def test_confirming_again_answers_with_the_same_booking(stage: Stage, payment: str | None) -> None:
    stage.open()
    hold = stage.acquire("A-1", "A-2")
    booking = stage.locker.confirm(hold, payment=payment)
    before = stage.everything()
    assert stage.locker.confirm(hold, payment=payment) == booking
    assert stage.everything() == before


@pytest.mark.parametrize(("first", "second"), [("pay-1", "pay-2"), ("pay-1", None), (None, "pay-2")])
def test_another_payment_is_a_conflict_with_the_booking_on_record(
    stage: Stage, first: str | None, second: str | None
) -> None:
    stage.open()
    hold = stage.acquire("A-1", "A-2")
    booking = stage.locker.confirm(hold, payment=first)
    before = stage.everything()
    with pytest.raises(BookingConflict, match="refund") as conflict:
        stage.locker.confirm(hold, payment=second)
    assert conflict.value.booking == booking
    assert stage.everything() == before


def test_a_conflict_names_the_seats_that_the_booking_on_record_really_has(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1", "A-2")
    part = stage.locker.confirm(stage.acquire("A-2"), payment="pay-1")
    with pytest.raises(BookingConflict) as conflict:
        stage.locker.confirm(hold, payment="pay-1")
    assert conflict.value.booking == part
    assert "'A-1'" not in str(conflict.value)
    assert stage.locker.confirm(stage.acquire("A-1"), payment="pay-2").seats == ("A-1",)


def test_confirm_is_all_or_nothing(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1", "A-2")
    stage.locker.release(stage.acquire("A-1"))
    before = stage.everything()
    with pytest.raises(HoldLost) as lost:
        stage.locker.confirm(hold)
    assert lost.value.seats == {"A-1": "released"}
    assert stage.everything() == before


# --- why a hold is no more


def test_after_its_time_a_hold_has_expired(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1", ttl=0.02)
    stage.wait_past(hold)
    before = stage.everything()
    with pytest.raises(HoldLost, match="expired") as lost:
        stage.locker.confirm(hold)
    assert (lost.value.reason, lost.value.seats) == ("expired", {"A-1": "expired"})
    assert stage.everything() == before


def test_it_has_expired_also_after_the_sweeper_came(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1", ttl=0.02)
    stage.wait_past(hold)
    assert stage.locker.sweep(stage.show) == 1
    with pytest.raises(HoldLost) as lost:
        stage.locker.confirm(hold)
    assert lost.value.reason == "expired"


def test_somebody_else_has_the_seat(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1", ttl=0.02)
    stage.wait_past(hold)
    other = stage.acquire("A-1", holder="bo")
    with pytest.raises(HoldLost) as lost:
        stage.locker.confirm(hold)
    assert lost.value.reason == "taken"
    assert not any(secret in str(lost.value) for secret in (other.token, "'bo'"))
    stage.locker.confirm(other)
    with pytest.raises(HoldLost) as lost:
        stage.locker.confirm(hold)
    assert lost.value.reason == "sold"


def test_it_was_released(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1")
    stage.locker.release(hold)
    with pytest.raises(HoldLost) as lost:
        stage.locker.confirm(hold)
    assert lost.value.reason == "released"


def test_its_lock_was_lost(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1")
    stage.raw.delete(stage.lock("A-1"))
    with pytest.raises(HoldLost) as lost:
        stage.locker.confirm(hold)
    assert lost.value.reason == "lost"


def test_the_gravest_reason_speaks_for_the_hold(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1", "A-2", "A-3", "A-4")
    stage.locker.release(msgspec.structs.replace(hold, seats=("A-1", "A-2", "A-3")))
    stage.acquire("A-2", holder="bo")
    stage.locker.confirm(stage.acquire("A-3", holder="cy"))
    with pytest.raises(HoldLost) as lost:
        stage.locker.confirm(hold)
    assert lost.value.seats == {"A-1": "released", "A-2": "taken", "A-3": "sold"}
    assert lost.value.reason == "sold"


def test_a_hold_that_never_was(stage: Stage) -> None:
    stage.open()
    with pytest.raises(HoldLost):
        stage.locker.confirm(Hold(stage.show, ("A-1", "Z-1"), "ada", new_token(), 1, 600.0))
    assert stage.mirror("A-1") == "f0"


@only_on("redis-7", "fakeredis")
def test_a_hold_survives_being_stored(stage: Stage) -> None:
    stage.open()
    stored = msgspec.json.encode(stage.acquire("A-1"))
    assert stage.locker.confirm(msgspec.json.decode(stored, type=Hold)).seats == ("A-1",)


# --- cancel


def test_cancelled_seats_are_free_again(stage: Stage) -> None:
    stage.open()
    booking = stage.locker.confirm(stage.acquire("A-1", "A-2"))
    done = stage.locker.cancel(booking)
    assert (done.show, done.booking) == (stage.show, booking.id)
    assert dict(done.seats) == {"A-1": "cancelled", "A-2": "cancelled"}
    assert done.cancelled == ("A-1", "A-2")
    assert stage.acquire("A-2", "A-1", holder="bo").holder == "bo"


def test_cancelling_again_is_no_error_and_undoes_nothing_else(stage: Stage) -> None:
    stage.open()
    booking = stage.locker.confirm(stage.acquire("A-1", "A-2"))
    stage.locker.cancel(booking)
    stage.locker.confirm(stage.acquire("A-1", holder="bo"))
    before = stage.everything()
    again = stage.locker.cancel(booking)
    assert dict(again.seats) == {"A-1": "gone", "A-2": "gone"}
    assert again.cancelled == ()
    assert stage.everything() == before


def test_an_old_booking_does_not_cancel_a_newer_one_under_the_same_token(stage: Stage) -> None:
    stage.open()
    token = new_token()

    def book(payment: str) -> Booking:
        hold = stage.locker.acquire(stage.show, ["A-1"], holder="ada", token=token)
        return stage.locker.confirm(hold, payment=payment)

    old = book("pay-1")
    stage.locker.cancel(old)
    new = book("pay-2")
    assert old.id == new.id
    assert stage.locker.cancel(old).cancelled == ()
    assert stage.locker.cancel(new).cancelled == ("A-1",)


def test_cancelling_sets_a_mirror_right_that_fell_behind(stage: Stage) -> None:
    stage.open()
    booking = stage.locker.confirm(stage.locker.acquire(stage.show, ["A-1"], holder="ada"))
    stage.raw.hset(f"seatlock:{{{stage.show}}}:seats", "A-1", f"h0:{2**42}")
    assert stage.locker.cancel(booking).cancelled == ("A-1",)
    assert stage.locker.availability(stage.show).seats["A-1"] == "free"


def test_another_booking_cancels_nothing(stage: Stage) -> None:
    stage.open()
    booking = stage.locker.confirm(stage.acquire("A-1"))
    before = stage.everything()
    forged = msgspec.structs.replace(booking, id=booking.id[:-1], seats=("A-1", "A-2", "Z-1"))
    assert set(stage.locker.cancel(forged).seats.values()) == {"gone"}
    assert stage.everything() == before


def test_some_seats_of_a_booking_can_be_cancelled(stage: Stage) -> None:
    stage.open()
    booking = stage.locker.confirm(stage.acquire("A-1", "A-2"))
    done = stage.locker.cancel(msgspec.structs.replace(booking, seats=("A-2", "A-3")))
    assert dict(done.seats) == {"A-2": "cancelled", "A-3": "gone"}
    assert [stage.mirror(seat) for seat in ("A-1", "A-2", "A-3")] == ["s0", "f0", "f0"]


def test_a_cancelled_booking_cannot_be_confirmed_again(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1")
    stage.locker.cancel(stage.locker.confirm(hold))
    with pytest.raises(HoldLost):
        stage.locker.confirm(hold)
    assert stage.mirror("A-1") == "f0"
