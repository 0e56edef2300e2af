"""Scenarios of payments that take long, or come late: begin_payment, and confirm with reclaim."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from seatlock import Booking, BookingConflict, ConfirmRequest, Hold, HoldLost, SeatsUnavailable
from seatlock._commands import begin_payment, derived_booking_id, extend, of_asks, reclaiming_token
from seatlock._tokens import hash_of
from tests.lua.holding import lost
from tests.lua.house import T1, T2, T3, House
from tests.lua.scenario import scenario, to_the_millisecond

FENCE = 2**40
NEW = reclaiming_token(T1)


def late(house: House, hold: Hold, payment: str | None = "pay", **options: Any) -> Booking:
    """Confirm a hold, in time or late."""
    return house.locker.confirm(hold, payment=payment, reclaim=True, **options)


# A payment begins


@scenario
def the_beginning_of_a_payment(house: House) -> None:
    house.open(max_hold=1000)
    hold = house.acquire("A-1", "A-2", token=T1, ttl=300)
    house.advance(100)
    with house.one_change(A_1=house.held(0, 400), A_2=house.held(1, 400)):
        paying = house.locker.begin_payment(hold, expected=400)
    assert (paying.fence, paying.token, paying.resumed) == (hold.fence, T1, False)
    assert (paying.ttl, paying.deadline) == (house.left(400), house.at(400))
    assert house.lock("A-2") == ["h", T1, "ada", 1, 1, paying.deadline, house.at(900), "p"]
    assert house.raw.pexpiretime(house.key("lock:A-1")) == paying.deadline
    assert house.due() == {"A-1": paying.deadline, "A-2": paying.deadline}
    house.advance(50)
    with house.unchanged():
        for expected in (1, 800, 86_400):
            assert house.locker.begin_payment(hold, expected=expected).deadline == paying.deadline
        assert house.acquire("A-1").resumed
    assert house.refused("A-1") == {"A-1": ("held", house.left(350), False, False)}
    assert house.locker.extend(hold, ttl=500).ttl == house.left(500)
    assert house.lock("A-1") == ["h", T1, "ada", 1, 1, house.at(500), house.at(850), "p"]
    with house.unchanged():
        assert house.locker.begin_payment(hold, expected=800).ttl == house.left(500)
    booking = house.locker.confirm(replace(hold, seats=("A-1",)), payment="pay")
    assert booking.fence == hold.fence
    assert house.locker.release(hold).seats == {"A-1": "sold", "A-2": "released"}


@scenario
def a_payment_that_takes_less_than_is_left(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", token=T1, ttl=600)
    with house.one_change(A_1=f"h0:{hold.deadline}"):
        assert house.locker.begin_payment(hold, expected=60).deadline == hold.deadline
    assert house.lock("A-1") == ["h", T1, "ada", 1, 1, hold.deadline, house.at(1800), "p"]
    with house.unchanged():
        assert house.locker.begin_payment(hold, expected=900).deadline == hold.deadline


@scenario
def a_payment_beyond_the_maximum_lifetime(house: House) -> None:
    house.open(max_hold=1000)
    hold = house.acquire("A-1", token=T1, ttl=900)
    other = house.acquire("A-2", holder="bo", token=T2, ttl=1000)
    house.advance(850)
    assert house.locker.extend(hold, ttl=5000).ttl == house.left(150)
    assert house.locker.begin_payment(hold, expected=500).ttl == house.left(500)
    assert house.locker.begin_payment(other, expected=86_400).ttl == house.left(750)
    for each in (hold, other):
        with house.unchanged():  # and no extension goes there
            assert house.locker.extend(each, ttl=86_400).deadline > each.deadline
    house.advance(600)
    assert lost(house, lambda: house.locker.extend(hold, ttl=10)) == {"A-1": "expired"}
    assert house.locker.confirm(other).fence == other.fence


@scenario
def the_payment_of_a_basket(house: House) -> None:
    house.open()
    first = house.locker.begin_payment(house.acquire("A-1", token=T1, ttl=100), expected=300)
    joined = house.acquire("A-1", "A-2", token=T1, ttl=600)
    assert joined.deadline == first.deadline
    assert house.lock("A-2") == house.lock("A-1")
    with house.unchanged():
        house.locker.begin_payment(joined, expected=900)
    # a seat that is not paid for yet, beside one that is
    house.acquire("A-3", token=T2, ttl=100)
    house.acquire("A-4", token=T2, ttl=100)
    whole = house.acquire("A-3", "A-4", token=T2)
    house.locker.begin_payment(replace(whole, seats=("A-4",)), expected=200)
    with house.one_change(A_3=house.held(1, 400)):
        assert house.locker.begin_payment(whole, expected=400).ttl == house.left(200)
    assert house.lock("A-3") == ["h", T2, "ada", 1, 2, house.at(400), house.at(1800), "p"]
    assert house.lock("A-4") == ["h", T2, "ada", 1, 3, house.at(200), house.at(1800), "p"]


@scenario
def a_seat_that_joins_one_that_is_being_paid(house: House) -> None:
    house.open()
    house.acquire("A-1", token=T1, ttl=500)
    second = house.acquire("A-2", token=T1, ttl=500)
    house.acquire("A-4", token=T1, ttl=500)
    house.locker.begin_payment(second, expected=200)
    house.acquire("A-1", "A-2", "A-4", "A-3", token=T1)
    marks = [(house.lock(seat) or [])[7:] for seat in ("A-1", "A-2", "A-3", "A-4")]
    assert marks == [[], ["p"], ["p"], []]


@scenario
def payments_in_a_batch(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", token=T1, ttl=100)
    other = house.acquire("A-2", holder="bo", token=T2, ttl=100)
    asks = [
        begin_payment("seatlock", hold, 200),
        begin_payment("seatlock", hold, 300),
        extend("seatlock", hold, 250),
        extend("seatlock", other, 400),
        begin_payment("seatlock", other, 300),
        begin_payment("seatlock", replace(hold, token=T2), 300),
    ]
    *answers, refusal = house.run(of_asks("seatlock", asks))
    assert [hold.ttl for hold in answers] == [house.left(ttl) for ttl in (200, 200, 250, 400, 400)]
    assert isinstance(refusal, HoldLost)
    assert house.last_change() == {"A-1": house.held(0, 250), "A-2": house.held(1, 400)}
    assert [(house.lock(seat) or [])[-1] for seat in ("A-1", "A-2")] == ["p", "p"]


@scenario
def a_payment_sets_mirrors_right(house: House) -> None:
    house.open()
    hold = house.locker.begin_payment(house.acquire("A-1", token=T1, ttl=600), expected=700)
    house.put_mirror("A-1", "f0")
    assert house.locker.begin_payment(hold, expected=900).deadline == hold.deadline
    assert house.last_change() == {"A-1": f"h0:{hold.deadline}"}
    assert house.lock("A-1") == ["h", T1, "ada", 1, 1, hold.deadline, house.at(1800), "p"]


@scenario
def a_payment_for_a_hold_that_is_lost(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", "A-2", token=T1, ttl=60)
    house.locker.release(replace(hold, seats=("A-2",)))
    with house.unchanged():
        error = house.failing(HoldLost, lambda: house.locker.begin_payment(hold, expected=300))
    assert (error.seats, error.token, error.payment, error.paid_for) == ({"A-2": "released"}, T1, None, ())
    house.advance(90)
    assert set(lost(house, lambda: house.locker.begin_payment(hold, expected=300)).values()) == {"expired"}


# A payment comes late


@scenario
def a_late_payment(house: House) -> None:
    house.open()
    house.acquire("A-4", holder="cy", ttl=900)
    hold = house.acquire("A-1", "A-2", token=T1, ttl=60)
    house.advance(90)
    with house.one_change(A_1="s0", A_2="s1"):
        booking = late(house, hold)
    assert (booking.id, booking.payment) == (derived_booking_id(NEW, hold.seats), "pay")
    assert (booking.seats, booking.holder, booking.fence) == (hold.seats, "ada", FENCE + 3)
    assert booking.confirmed_at == house.left(house.now / 1000)
    fields = ["s", NEW, "ada", 1, 3, round(booking.confirmed_at * 1000), booking.id, "pay"]
    assert house.lock("A-1") == house.lock("A-2") == fields
    assert house.raw.pttl(house.key("lock:A-1")) == -1
    assert house.due().keys() == {"A-4"}
    assert house.meta("fence") == "3"
    (entry,) = house.outbox()
    assert int(entry.pop("at")) == fields[5]
    assert entry == {
        "kind": "confirmed",
        "booking": booking.id,
        "holder": "ada",
        "seats": "A-1\nA-2",
        "payment": "pay",
        "epoch": "1",
        "fence": "3",
        "token_hash": hash_of(NEW),
    }
    house.advance(5000)
    with house.unchanged():
        assert late(house, hold) == booking
        assert late(house, hold, booking="another") == booking
        assert house.failing(BookingConflict, lambda: late(house, hold, "other")).booking == booking
        assert house.failing(BookingConflict, lambda: late(house, hold, None)).booking == booking
        some = house.failing(BookingConflict, lambda: late(house, replace(hold, seats=("A-3", "A-2"))))
        assert some.booking == replace(booking, seats=("A-2",))
        error = house.failing(HoldLost, lambda: house.locker.confirm(hold, payment="pay"))
        assert (error.reason, error.payment, error.paid_for) == ("sold", "pay", hold.seats)
    assert house.locker.cancel(booking).cancelled == hold.seats


@scenario
def a_payment_that_is_in_time_after_all(house: House) -> None:
    house.open(outbox=False)
    hold = house.acquire("A-1", "A-2", token=T1, ttl=60)
    with house.one_change(A_1="s0", A_2="s1"):
        booking = late(house, hold)
    assert (booking.id, booking.fence) == (derived_booking_id(T1, hold.seats), hold.fence)
    house.advance(90)
    with house.unchanged():
        assert late(house, hold) == house.locker.confirm(hold, payment="pay") == booking
        house.failing(BookingConflict, lambda: late(house, hold, "other"))
        house.failing(BookingConflict, lambda: late(house, replace(hold, seats=("A-1", "A-3"))))
    assert house.meta("fence") == "1"
    assert house.outbox() == []


@scenario
def a_late_payment_with_a_booking_id_of_its_own(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", token=T1, ttl=60)
    house.advance(90)
    assert house.locker.sweep(house.show) == 1
    house.locker.close_sale(house.show)
    booking = late(house, hold, None, booking="my-own")
    assert (booking.id, booking.payment, booking.fence) == ("my-own", None, FENCE + 2)
    with house.unchanged():
        assert late(house, hold, None) == booking


@scenario
def a_late_payment_for_seats_that_somebody_else_has(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", "A-2", "A-3", token=T1, ttl=60)
    house.advance(90)
    other = house.acquire("A-2", holder="bo", token=T2)
    with house.unchanged():
        error = house.failing(HoldLost, lambda: late(house, hold))
    assert error.seats == {"A-1": "expired", "A-2": "taken", "A-3": "expired"}
    assert (error.reason, error.token, error.payment, error.paid_for) == ("taken", T1, "pay", hold.seats)
    house.locker.confirm(other)
    assert lost(house, lambda: late(house, hold))["A-2"] == "sold"
    part = late(house, replace(hold, seats=("A-1", "A-3")))
    assert part.fence == FENCE + 3
    mine = house.acquire("A-4", token=T2, ttl=60)  # a new hold of one's own is another hold
    house.advance(90)
    house.acquire("A-4", token=T3)
    assert lost(house, lambda: late(house, mine)) == {"A-4": "taken"}


@scenario
def what_is_not_regained(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", "A-2", token=T1, ttl=60)
    house.locker.release(replace(hold, seats=("A-2",)))
    assert lost(house, lambda: late(house, hold)) == {"A-2": "released"}
    house.acquire("A-2", token=T1, ttl=60)
    house.drop_lock("A-1")
    assert lost(house, lambda: late(house, hold)) == {"A-1": "lost"}
    house.advance(90)
    for mirror, reason in (("b0", "taken"), ("p0", "sold"), ("s0", "sold"), (f"h0:{house.now + 60_000}", "taken")):
        house.put_mirror("A-1", mirror)
        assert lost(house, lambda: late(house, hold)) == {"A-1": reason, "A-2": "expired"}
    house.drop_mirror("A-1")
    assert lost(house, lambda: late(house, hold)) == {"A-1": "lost", "A-2": "expired"}
    house.put_mirror("A-1", "f0")
    house.put_lock("A-1", "junk")
    assert lost(house, lambda: late(house, hold)) == {"A-1": "taken", "A-2": "expired"}
    house.drop_lock("A-1")
    assert late(house, hold).seats == hold.seats


@scenario
def a_booking_undone_in_time_is_not_regained(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", token=T1, ttl=60)
    house.locker.cancel(house.locker.confirm(hold, payment="pay"))
    assert lost(house, lambda: late(house, hold)) == {"A-1": "released"}


@scenario
def a_basket_of_which_one_seat_is_late(house: House) -> None:
    house.open()
    house.acquire("A-1", token=T1, ttl=60)
    house.acquire("A-2", token=T1, ttl=600)
    house.acquire("A-3", token=T1, ttl=600)
    whole = house.acquire("A-2", "A-1", "A-3", token=T1)
    house.advance(90)
    house.acquire("A-1", holder="bo", token=T2, ttl=10)
    assert lost(house, lambda: late(house, whole)) == {"A-1": "taken"}
    house.advance(30)
    with house.one_change(A_1="s0", A_2="s1", A_3="s1"):
        booking = late(house, whole)
    assert booking.fence == FENCE + 5
    assert [(house.lock(seat) or [])[1:5] for seat in whole.seats] == [[NEW, "ada", 1, 5]] * 3
    assert house.due() == {}


@to_the_millisecond
def the_first_millisecond_that_is_too_late(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", token=T1, ttl=60)
    other = house.acquire("A-2", "A-3", holder="bo", token=T2, ttl=60)
    house.tick_to(hold.deadline)
    assert late(house, hold).fence == hold.fence
    house.tick_to(hold.deadline + 1)  # Redis still has the locks, as it may for a moment
    assert lost(house, lambda: house.locker.confirm(other)) == {"A-2": "expired", "A-3": "expired"}
    assert late(house, other).fence == FENCE + 3
    assert (house.lock("A-2") or [])[1] == reclaiming_token(T2)
    assert house.raw.pttl(house.key("lock:A-2")) == -1


@to_the_millisecond
def somebody_else_came_and_went_meanwhile(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", token=T1, ttl=60)
    house.advance(90)
    house.acquire("A-1", holder="bo", token=T2, ttl=60)
    house.tick_to(house.now + 60_000)
    assert lost(house, lambda: late(house, hold)) == {"A-1": "taken"}
    house.tick_to(house.now + 1)
    assert late(house, hold).fence == FENCE + 3


@scenario
def late_payments_in_a_batch(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", "A-2", token=T1, ttl=60)
    plain = house.acquire("A-3", holder="bo", token=T2, ttl=60)
    house.advance(90)
    second = house.acquire("A-1", holder="cy", token=T3, ttl=60)
    live = house.acquire("A-4", holder="di", token=T2, ttl=600)
    house.advance(90)
    answers = house.locker.confirm_many(
        house.show,
        [
            ConfirmRequest(plain, "pay-1"),
            ConfirmRequest(live, "pay-2"),
            ConfirmRequest(second, "pay-3", reclaim=True),
            ConfirmRequest(hold, "pay-4", reclaim=True),
            ConfirmRequest(replace(hold, seats=("A-2",)), "pay-5", reclaim=True),
            ConfirmRequest(replace(hold, seats=("A-2",)), "pay-5", reclaim=True),
            ConfirmRequest(replace(hold, seats=("A-2",)), "pay-6", reclaim=True),
            ConfirmRequest(second, "pay-3"),
        ],
    )
    kinds = [type(answer) for answer in answers]
    assert kinds == [HoldLost, Booking, Booking, HoldLost, Booking, Booking, BookingConflict, HoldLost]
    assert [answer.fence - FENCE for answer in answers if isinstance(answer, Booking)] == [4, 5, 6, 6]
    assert [answer.seats for answer in answers if isinstance(answer, HoldLost)] == [
        {"A-3": "expired"},
        {"A-1": "sold", "A-2": "expired"},
        {"A-1": "sold"},
    ]
    assert house.last_change() == {"A-1": "s0", "A-2": "s1", "A-4": "s0"}
    assert [entry["payment"] for entry in house.outbox()] == ["pay-2", "pay-3", "pay-5"]
    assert house.meta("fence") == "6"
    house.failing(SeatsUnavailable, lambda: house.acquire("A-1", holder="eve"))


@scenario
def a_late_payment_that_was_stopped_half_way(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", "A-2", token=T1, ttl=60)
    house.advance(90)
    held = ["h", NEW, "ada", 1, 7, house.now + 600_000, house.now + 600_000]
    house.put_lock("A-1", *held, ttl=600_000)
    booking = late(house, hold)  # what one seat has is not enough
    assert (booking.fence, house.lock("A-1")) == (FENCE + 2, house.lock("A-2"))
    house.locker.cancel(booking)
    for seat in hold.seats:
        house.put_lock(seat, *held, ttl=600_000)
    assert late(house, hold).fence == FENCE + 7
    assert house.meta("fence") == "2"
    assert (house.mirror("A-1"), house.mirror("A-2")) == ("s0", "s1")
    house.put_mirror("A-1", "f0")
    assert late(house, hold).fence == FENCE + 7
    assert house.last_change() == {"A-1": "s0"}
    # one seat regained, and another hold came for the other
    other = house.acquire("A-3", "A-4", token=T2, ttl=60)
    house.advance(90)
    house.put_lock("A-3", *[held[0], reclaiming_token(T2), *held[2:]], ttl=600_000)
    house.acquire("A-4", holder="bo")
    assert lost(house, lambda: late(house, other)) == {"A-3": "taken", "A-4": "taken"}
