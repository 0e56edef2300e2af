"""Payments that take long, and payments that come late: more time once, and seats regained where nobody has them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from seatlock import Booking, BookingConflict, ConfirmRequest, Hold, HoldLost, new_token
from seatlock._commands import derived_booking_id, reclaiming_token
from tests.support.stage import Stage, only_on


def late_hold(stage: Stage, *seats: str, **options: Any) -> Hold:
    """A hold whose time has run out."""
    hold = stage.acquire(*seats, ttl=0.02, **options)
    stage.wait_past(hold)
    return hold


def late(stage: Stage, hold: Hold, payment: str | None = "pay-1", **options: Any) -> Booking:
    """Confirm a hold, in time or late."""
    booking: Booking = stage.locker.confirm(hold, payment=payment, reclaim=True, **options)
    return booking


def refusal_of(stage: Stage, hold: Hold, payment: str | None = "pay-1") -> HoldLost:
    """How a late payment is refused."""
    before = stage.everything()
    with pytest.raises(HoldLost) as lost:
        late(stage, hold, payment)
    assert stage.everything() == before
    return lost.value


# --- a payment begins


def test_a_payment_has_the_time_that_it_takes(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1", "A-2", ttl=60)
    paying = stage.locker.begin_payment(hold, expected=timedelta(minutes=10))
    assert paying.ttl == 600.0
    assert (paying.token, paying.fence, paying.seats, paying.holder) == (hold.token, hold.fence, hold.seats, "ada")
    assert [stage.mirror(seat) for seat in paying.seats] == [f"h0:{paying.deadline}"] * 2
    assert 590_000 < stage.raw.pttl(stage.lock("A-2")) <= 600_000
    assert stage.raw.zscore(stage.key("due"), "A-1") == paying.deadline
    assert stage.locker.confirm(paying, payment="pay-1").fence == hold.fence


def test_it_takes_five_minutes_unless_told(stage: Stage) -> None:
    stage.open()
    assert stage.locker.begin_payment(stage.acquire("A-1", ttl=60)).ttl == 300.0


def test_it_begins_once(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1", ttl=60)
    paying = stage.locker.begin_payment(hold, expected=300)
    before = stage.everything()
    for expected in (1, 300, 1200):
        again = stage.locker.begin_payment(hold, expected=expected)
        assert again.deadline == paying.deadline
        assert again.ttl <= paying.ttl
    assert stage.everything() == before
    resumed = stage.acquire("A-1")
    assert stage.locker.begin_payment(resumed, expected=1200).deadline == paying.deadline


def test_it_never_shortens(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1", ttl=600)
    assert stage.locker.begin_payment(hold, expected=5).deadline == hold.deadline
    assert stage.locker.begin_payment(hold, expected=900).deadline == hold.deadline, "it began with the first call"


def test_it_may_go_ten_minutes_beyond_the_maximum_and_no_further(stage: Stage) -> None:
    stage.open(max_hold=100)
    hold, other = stage.acquire("A-1", ttl=60), stage.acquire("A-2", holder="bo", ttl=60)
    assert stage.locker.begin_payment(hold, expected=300).ttl == 300.0
    paying = stage.locker.begin_payment(other, expected=86_400)
    assert 690 < paying.ttl <= 700
    assert stage.locker.extend(other, ttl=86_400).deadline == paying.deadline
    assert stage.locker.begin_payment(other, expected=86_400).deadline == paying.deadline


def test_extending_goes_on_within_the_maximum(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1", ttl=60)
    stage.locker.begin_payment(hold, expected=300)
    assert stage.locker.extend(hold, ttl=900).ttl == 900.0
    assert 1700 < stage.locker.extend(hold, ttl=86_400).ttl <= 1800
    before = stage.everything()
    stage.locker.begin_payment(hold, expected=86_400)
    assert stage.everything() == before


def test_a_seat_that_joins_shares_the_payment(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1", ttl=60)
    paying = stage.locker.begin_payment(hold, expected=300)
    both = stage.acquire("A-1", "A-2", token=hold.token)
    assert both.deadline == paying.deadline
    assert stage.locker.begin_payment(both, expected=1200).deadline == paying.deadline


def test_a_payment_for_a_hold_that_is_no_more(stage: Stage) -> None:
    stage.open()
    hold = late_hold(stage, "A-1")
    before = stage.everything()
    with pytest.raises(HoldLost) as lost:
        stage.locker.begin_payment(hold, expected=300)
    assert (lost.value.reason, lost.value.token, lost.value.payment, lost.value.paid_for) == (
        "expired", hold.token, None, (),
    )  # fmt: skip
    assert stage.everything() == before
    sold = stage.acquire("A-2")
    stage.locker.confirm(sold)
    with pytest.raises(HoldLost) as lost:
        stage.locker.begin_payment(sold, expected=300)
    assert lost.value.reason == "sold"


@pytest.mark.parametrize("status", ["paused", "closed"])
def test_payers_finish_whatever_the_status(stage: Stage, status: str) -> None:
    stage.open()
    hold, gone = stage.acquire("A-1", ttl=60), late_hold(stage, "A-2", holder="bo")
    {"paused": stage.locker.pause_sale, "closed": stage.locker.close_sale}[status](stage.show)
    assert stage.locker.begin_payment(hold, expected=300).ttl == 300.0
    assert late(stage, hold).fence == hold.fence
    assert late(stage, gone).seats == ("A-2",)


# --- a payment comes late


def test_in_time_it_is_a_confirm_like_any_other(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1", "A-2")
    booking = late(stage, hold)
    assert (booking.id, booking.fence) == (derived_booking_id(hold.token, hold.seats), hold.fence)
    before = stage.everything()
    assert late(stage, hold) == stage.locker.confirm(hold, payment="pay-1") == booking
    assert stage.everything() == before


def test_seats_that_nobody_has_are_regained_as_a_new_hold(stage: Stage) -> None:
    stage.open()
    hold = late_hold(stage, "A-1", "A-2")
    with pytest.raises(HoldLost):
        stage.locker.confirm(hold, payment="pay-1")
    version = stage.version()
    booking = late(stage, hold)
    token = reclaiming_token(hold.token)
    assert (booking.show, booking.seats, booking.holder, booking.payment) == (stage.show, hold.seats, "ada", "pay-1")
    assert booking.id == derived_booking_id(token, hold.seats) != derived_booking_id(hold.token, hold.seats)
    assert booking.fence > hold.fence
    assert stage.raw.get(stage.lock("A-1")).split(b"\n")[1] == token.encode()
    assert stage.raw.pttl(stage.lock("A-1")) == -1
    assert [stage.mirror(seat) for seat in hold.seats] == ["s0", "s0"]
    assert stage.raw.zscore(stage.key("due"), "A-1") is None
    assert stage.changes(version) == [(f"1-{version + 1}", {"A-1": "s0", "A-2": "s0"})]
    (entry,) = stage.outbox()
    assert (entry["kind"], entry["booking"], entry["seats"], entry["payment"]) == (
        "confirmed", booking.id, "A-1\nA-2", "pay-1",
    )  # fmt: skip
    assert not {hold.token, token} & set(entry.values())
    assert stage.acquire("A-3", holder="bo").fence > booking.fence


def test_asking_again_answers_with_the_same_booking(stage: Stage) -> None:
    stage.open()
    hold = late_hold(stage, "A-1", "A-2")
    booking = late(stage, hold)
    before = stage.everything()
    stored = msgspec.json.decode(msgspec.json.encode(hold), type=Hold)
    turned = msgspec.structs.replace(hold, seats=("A-2", "A-1"))
    assert late(stage, hold) == late(stage, stored) == booking
    assert late(stage, turned).id == booking.id
    for other in ("pay-2", None):
        with pytest.raises(BookingConflict) as conflict:
            late(stage, hold, other)
        assert conflict.value.booking == booking
    assert stage.everything() == before


def test_without_asking_for_it_nothing_is_regained(stage: Stage) -> None:
    stage.open()
    hold = late_hold(stage, "A-1")
    late(stage, hold)
    with pytest.raises(HoldLost) as lost:
        stage.locker.confirm(hold, payment="pay-1")
    assert lost.value.reason == "sold"
    with pytest.raises(HoldLost):
        stage.locker.extend(hold, ttl=60)
    assert dict(stage.locker.release(hold).seats) == {"A-1": "sold"}


def test_after_the_sweeper_came_too(stage: Stage) -> None:
    stage.open()
    hold = late_hold(stage, "A-1")
    assert stage.locker.sweep(stage.show) == 1
    assert late(stage, hold).seats == ("A-1",)


def test_a_booking_id_of_the_callers_own_stays(stage: Stage) -> None:
    stage.open()
    hold = late_hold(stage, "A-1")
    booking = late(stage, hold, None, booking="order 4711")
    assert (booking.id, booking.payment) == ("order 4711", None)
    assert late(stage, hold, None) == booking


@only_on("redis-7")
def test_a_payment_that_began_and_still_came_too_late(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1", ttl=1.0)
    stage.wait_past(stage.locker.begin_payment(hold, expected=1.1))
    assert late(stage, hold).seats == ("A-1",)


def test_what_to_refund_where_somebody_else_has_a_seat(stage: Stage) -> None:
    stage.open()
    hold = late_hold(stage, "A-1", "A-2")
    other = stage.acquire("A-2", holder="bo")
    lost = refusal_of(stage, hold)
    assert (lost.reason, lost.seats) == ("taken", {"A-1": "expired", "A-2": "taken"})
    assert (lost.token, lost.payment, lost.paid_for) == (hold.token, "pay-1", ("A-1", "A-2"))
    assert "refund the payment 'pay-1'" in str(lost)
    assert not any(secret in str(lost) for secret in (hold.token, other.token, "'bo'"))
    stage.locker.confirm(other)
    lost = refusal_of(stage, hold, None)
    assert (lost.reason, lost.payment) == ("sold", None)
    assert late(stage, msgspec.structs.replace(hold, seats=("A-1",))).seats == ("A-1",), "what is free can be had"


def test_a_new_hold_of_ones_own_is_another_hold(stage: Stage) -> None:
    stage.open()
    hold = late_hold(stage, "A-1")
    again = stage.acquire("A-1")
    assert refusal_of(stage, hold).reason == "taken"
    assert late(stage, again).fence == again.fence


def test_a_hold_given_back_or_a_booking_undone_in_time_is_not_regained(stage: Stage) -> None:
    stage.open()
    given, undone = stage.acquire("A-1"), stage.acquire("A-2", holder="bo")
    stage.locker.release(given)
    stage.locker.cancel(stage.locker.confirm(undone, payment="pay-1"))
    for hold in (given, undone):
        assert refusal_of(stage, hold).reason == "released"


def test_a_hold_that_was_freed_by_force_is_regained_once_its_time_has_passed(stage: Stage) -> None:
    stage.open(pools={"floor": 3})
    hold = stage.acquire("A-1", pools={"floor": 2}, ttl=0.3)
    freed = {"pools": ["floor"], "holder": "ada", "by": "eve", "reason": "why"}
    assert stage.locker.force_release(stage.show, ["A-1"], **freed).pools == {"floor": 2}
    assert refusal_of(stage, hold).reason == "released"
    marker = stage.acquire("A-5", holder="bo", ttl=0.3)
    stage.wait_past(marker)
    booking = late(stage, hold)
    assert (booking.seats, booking.pools) == (("A-1",), {"floor": 2})


def test_a_seat_that_was_switched_to_a_channel_is_regained_and_stays_there(stage: Stage) -> None:
    stage.open()
    hold = late_hold(stage, "A-1", "A-2")
    stage.locker.set_channel(stage.show, ["A-1"], "partner")
    assert late(stage, hold).seats == ("A-1", "A-2")
    assert (stage.mirror("A-1"), stage.mirror("A-2")) == ("s0@1", "s0")


def test_a_seat_that_was_blocked_is_not_regained(stage: Stage) -> None:
    stage.open()
    hold = late_hold(stage, "A-1")
    stage.raw.hset(stage.key("seats"), "A-1", "b0")
    assert refusal_of(stage, hold).reason == "taken"


def test_a_regained_booking_can_be_undone(stage: Stage) -> None:
    stage.open()
    booking = late(stage, late_hold(stage, "A-1"))
    assert stage.locker.cancel(booking).cancelled == ("A-1",)
    assert stage.acquire("A-1", holder="bo").fence > booking.fence


def test_nobody_regains_a_hold_of_somebody_elses(stage: Stage) -> None:
    stage.open()
    hold = late_hold(stage, "A-1")
    booking = late(stage, hold)
    for other in (msgspec.structs.replace(hold, holder="bo"), msgspec.structs.replace(hold, token=new_token())):
        assert refusal_of(stage, other).reason == "sold"
    assert late(stage, hold) == booking


def test_late_payments_among_others(stage: Stage) -> None:
    stage.open()
    gone, forgotten = late_hold(stage, "A-1"), late_hold(stage, "A-2")
    live = stage.acquire("A-3", holder="bo")
    answers = stage.locker.confirm_many(
        stage.show,
        [
            ConfirmRequest(forgotten, "pay-1"),
            ConfirmRequest(gone, "pay-2", reclaim=True),
            ConfirmRequest(live, "pay-3"),
            ConfirmRequest(gone, "pay-2", reclaim=True),
            ConfirmRequest(gone, "pay-2"),
            ConfirmRequest(live, "pay-3", reclaim=True),
        ],
    )
    assert [type(answer) for answer in answers] == [HoldLost, Booking, Booking, Booking, HoldLost, Booking]
    assert answers[1] == answers[3]
    assert answers[2] == answers[5]
    assert (answers[1].id, answers[2].fence) == (
        derived_booking_id(reclaiming_token(gone.token), ("A-1",)),
        live.fence,
    )
    assert [entry["payment"] for entry in stage.outbox()] == ["pay-2", "pay-3"]


@only_on("redis-7", "cluster")
def test_one_call_reclaims(stage: Stage) -> None:
    stage.open()
    hold = late_hold(stage, "A-1")
    locker, client = stage.watched()
    locker.availability(stage.show)
    for _ in range(2):
        client.sent.clear()
        locker.confirm(hold, payment="pay-1", reclaim=True)
    assert len(client.sent) == 1
