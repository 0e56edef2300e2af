"""Scenarios of how holds go on and end: extend, confirm, release, cancel."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from seatlock import Booking, BookingConflict, ConfirmRequest, Hold, HoldLost, Release
from seatlock._commands import derived_booking_id, extend, of_asks
from tests.lua.house import T1, T2, House
from tests.lua.scenario import scenario, to_the_millisecond

FENCE = 2**40


def lost(house: House, call: Any) -> dict[str, str]:
    """Why a hold is lost; nothing is written."""
    with house.unchanged():
        return dict(house.failing(HoldLost, call).seats)


# Extend


@scenario
def more_time(house: House) -> None:
    house.open(max_hold=1000)
    hold = house.acquire("A-1", "A-2", token=T1, ttl=300)
    house.advance(100)
    with house.one_change(A_1=house.held(0, 400), A_2=house.held(1, 400)):
        longer = house.locker.extend(hold, ttl=400)
    assert (longer.fence, longer.token, longer.resumed) == (hold.fence, T1, False)
    assert (longer.ttl, longer.deadline) == (house.left(400), house.at(400))
    assert house.lock("A-2") == ["h", T1, "ada", 1, 1, longer.deadline, house.at(900)]
    assert house.raw.pexpiretime(house.key("lock:A-1")) == longer.deadline
    assert house.due() == {"A-1": longer.deadline, "A-2": longer.deadline}
    with house.unchanged():  # never shortens
        assert house.locker.extend(hold, ttl=100).deadline == longer.deadline
    assert house.locker.extend(hold, ttl=1500).ttl == house.left(900)
    with house.unchanged():
        assert house.locker.extend(hold, ttl=1500).ttl == house.left(900)


@scenario
def more_time_for_a_basket(house: House) -> None:
    house.open(max_hold=1000)
    house.acquire("A-1", token=T1, ttl=100)
    house.advance(50)
    house.acquire("A-2", token=T1, ttl=500)
    whole = house.acquire("A-1", "A-2", token=T1)
    assert (whole.fence, whole.ttl) == (FENCE + 2, house.left(50))
    with house.one_change(A_1=house.held(0, 200)):
        assert house.locker.extend(whole, ttl=200).ttl == house.left(200)
    assert house.lock("A-1") == ["h", T1, "ada", 1, 1, house.at(200), house.at(950)]
    assert house.lock("A-2") == ["h", T1, "ada", 1, 2, house.at(500), house.at(1000)]
    longest = house.locker.extend(whole, ttl=2000)
    assert (longest.ttl, longest.fence) == (house.left(950), FENCE + 2)
    assert house.lock("A-2") == ["h", T1, "ada", 1, 2, house.at(1000), house.at(1000)]
    # in one batch the second sees what the first did
    both = house.run(of_asks("seatlock", [extend("seatlock", longest, 960), extend("seatlock", longest, 100)]))
    assert [hold.ttl for hold in both] == [house.left(950)] * 2


@scenario
def more_time_sets_mirrors_right(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", "A-2", token=T1)
    for wrong in ("f0", f"h0:{hold.deadline - 1}"):
        house.put_mirror("A-1", wrong)
        house.locker.extend(hold, ttl=1)
        assert house.mirror("A-1") == f"h0:{hold.deadline}"
        assert house.last_change() == {"A-1": f"h0:{hold.deadline}"}
    house.drop_mirror("A-1")
    house.locker.extend(hold, ttl=700)
    assert house.mirror("A-1") == f"h:{int(house.due()['A-1'])}"
    # within a batch it is set right once
    house.put_mirror("A-1", "f0")
    version = int(house.meta("version"))
    house.run(of_asks("seatlock", [extend("seatlock", hold, 1)] * 2))
    assert house.meta("version") == str(version + 1)
    assert house.mirror("A-1") == f"h0:{int(house.due()['A-1'])}"
    # and one who asks for more than there is gets it once
    house.run(of_asks("seatlock", [extend("seatlock", hold, 900), extend("seatlock", hold, 1000)]))
    assert house.last_change() == {"A-1": house.held(0, 1000), "A-2": house.held(1, 1000)}


@scenario
def holds_that_are_lost(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", "A-2", "A-3", token=T1)

    def extending() -> object:
        return house.locker.extend(hold, ttl=300)

    def confirming() -> object:
        return house.locker.confirm(hold)

    house.locker.release(replace(hold, seats=("A-2",)))
    for call in (extending, confirming):
        assert lost(house, call) == {"A-2": "released"}
    house.acquire("A-2", holder="bo", token=T2)
    for call in (extending, confirming):
        assert lost(house, call) == {"A-2": "taken"}
    house.drop_lock("A-3")
    for call in (extending, confirming):
        assert lost(house, call) == {"A-2": "taken", "A-3": "lost"}
    assert (
        lost(house, lambda: house.locker.extend(replace(hold, deadline=hold.deadline + 1), ttl=1))["A-3"] == "released"
    )
    house.put_mirror("A-3", "s1")
    assert lost(house, extending)["A-3"] == "sold"
    house.put_mirror("A-3", "p1")
    assert lost(house, confirming)["A-3"] == "sold"
    house.put_lock("A-3", "s", T2, "bo", 1, 2, house.now, "booking", "paid")
    assert lost(house, confirming)["A-3"] == "sold"
    house.put_lock("A-3", "junk")
    assert lost(house, confirming)["A-3"] == "taken"
    house.drop_lock("A-3")
    house.drop_mirror("A-3")
    assert lost(house, extending)["A-3"] == "released"
    for call in (extending, confirming):
        assert lost(house, lambda call=call: call() if call is extending else house.locker.confirm(hold)).keys() == {
            "A-2",
            "A-3",
        }
    house.put_mirror("A-3", "f1")
    house.advance(630)
    for call in (extending, confirming):
        assert lost(house, call) == dict.fromkeys(hold.seats, "expired")


@scenario
def holds_of_somebody_else(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", "A-2", token=T1)
    for other in (replace(hold, token=T2), replace(hold, holder="bo"), replace(hold, holder="ad")):
        assert lost(house, lambda other=other: house.locker.extend(other, ttl=900)) == {"A-1": "taken", "A-2": "taken"}
        assert lost(house, lambda other=other: house.locker.confirm(other)) == {"A-1": "taken", "A-2": "taken"}
        with house.unchanged():
            assert set(house.locker.release(other).seats.values()) == {"taken"}
    house.put_lock("A-1", *["h", T1 + T2, "ada", 1, 1, hold.deadline, hold.deadline])
    assert lost(house, lambda: house.locker.confirm(hold)) == {"A-1": "taken"}


@to_the_millisecond
def the_last_millisecond_to_pay(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", token=T1, ttl=60)
    other = house.acquire("A-2", "A-3", holder="bo", token=T2, ttl=60)
    third = house.acquire("A-4", holder="cy", ttl=60)
    house.tick_to(hold.deadline)
    assert house.locker.extend(third, ttl=0.005).ttl == 0.005
    assert isinstance(house.locker.confirm(hold), Booking)
    house.drop_lock("A-3")
    assert lost(house, lambda: house.locker.confirm(other)) == {"A-3": "lost"}
    house.put_mirror("A-3", "f1")
    assert lost(house, lambda: house.locker.confirm(other)) == {"A-3": "released"}
    house.tick_to(hold.deadline + 1)  # Redis still has the lock of A-2, as it may for a moment
    for call in (lambda: house.locker.confirm(other), lambda: house.locker.extend(other, ttl=60)):
        assert lost(house, call) == {"A-2": "expired", "A-3": "expired"}
    # told of a later deadline, it is still the lock that says so, if it is the caller's own
    later = replace(other, deadline=house.now + 5000)
    assert lost(house, lambda: house.locker.confirm(later)) == {"A-2": "expired", "A-3": "released"}
    for stranger in (replace(later, token=T1), replace(later, holder="cy")):
        assert lost(house, lambda s=stranger: house.locker.extend(s, ttl=60)) == dict.fromkeys(
            ("A-2", "A-3"), "released"
        )
    with house.unchanged():
        assert set(house.locker.release(other).seats.values()) == {"gone"}


# Confirm


@scenario
def a_booking(house: House) -> None:
    house.open()
    house.acquire("A-4", holder="cy")
    hold = house.acquire("A-1", "A-2", token=T1)
    with house.one_change(A_1="s0", A_2="s1"):
        booking = house.locker.confirm(hold, payment="pay-1")
    assert (booking.id, booking.payment) == (derived_booking_id(T1, hold.seats), "pay-1")
    assert (booking.fence, booking.confirmed_at) == (hold.fence, house.left(house.now / 1000))
    fields = ["s", T1, "ada", 1, 2, round(booking.confirmed_at * 1000), booking.id, "pay-1"]
    assert house.lock("A-1") == house.lock("A-2") == fields
    assert house.raw.pttl(house.key("lock:A-1")) == -1
    assert house.due().keys() == {"A-4"}
    (entry,) = house.outbox()
    assert int(entry.pop("at")) == fields[5]
    assert entry == {
        "kind": "confirmed",
        "booking": booking.id,
        "holder": "ada",
        "seats": "A-1\nA-2",
        "payment": "pay-1",
        "epoch": "1",
        "fence": "2",
    }
    house.advance(5000)
    assert house.states()["A-1"] == "sold"
    with house.unchanged():
        again = house.locker.confirm(hold, payment="pay-1", booking="another")
        error = house.failing(BookingConflict, lambda: house.locker.confirm(hold, payment="pay-2"))
        house.failing(BookingConflict, lambda: house.locker.confirm(hold))
    assert again == booking
    assert error.booking == booking


@scenario
def a_booking_of_a_basket(house: House) -> None:
    house.open(outbox=False)
    house.acquire("A-1", token=T1)
    house.acquire("A-2", token=T1)
    hold = house.acquire("A-2", "A-1", "A-3", token=T1)
    booking = house.locker.confirm(hold, booking="my-own")
    assert (booking.id, booking.payment, booking.fence) == ("my-own", None, FENCE + 2)
    assert house.lock("A-1")[4:5] + house.lock("A-1")[6:] == [2, "my-own", ""]  # type: ignore[index,operator]
    assert house.outbox() == []
    with house.unchanged():
        assert house.locker.confirm(hold, booking="my-own") == booking


@scenario
def other_seats_than_those_on_record(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", "A-2", "A-3", token=T1)
    part = replace(hold, seats=("A-2",))
    booking = house.locker.confirm(part, payment="pay")
    with house.unchanged():
        error = house.failing(BookingConflict, lambda: house.locker.confirm(hold, payment="pay"))
        assert error.booking == booking
        house.failing(BookingConflict, lambda: house.locker.confirm(replace(hold, seats=("A-4", "A-2")), payment="pay"))
    second = house.locker.confirm(replace(hold, seats=("A-1",)), payment="pay", booking="second")
    with house.unchanged():  # two bookings under one token
        error = house.failing(
            BookingConflict, lambda: house.locker.confirm(replace(hold, seats=("A-1", "A-2")), payment="pay")
        )
    assert error.booking == replace(second, seats=error.booking.seats if error.booking else ())
    assert house.locker.confirm(replace(hold, seats=("A-3",)), payment="pay").fence == hold.fence


@scenario
def a_batch_of_payments(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", "A-2", token=T1)
    other = house.acquire("A-3", holder="bo", token=T2)
    answers = house.locker.confirm_many(
        house.show,
        [
            ConfirmRequest(replace(hold, token=T2), "pay"),
            ConfirmRequest(hold, "pay-1"),
            ConfirmRequest(hold, "pay-1"),
            ConfirmRequest(hold, "pay-2"),
            ConfirmRequest(replace(hold, seats=("A-2",)), "pay-1"),
            ConfirmRequest(other, "pay-3"),
            ConfirmRequest(replace(hold, holder="bo"), "pay"),
        ],
    )
    assert [type(answer) for answer in answers] == [
        HoldLost, Booking, Booking, BookingConflict, Booking, Booking, HoldLost,
    ]  # fmt: skip
    assert answers[1] == answers[2]
    assert isinstance(answers[0], HoldLost)
    assert answers[0].seats == {"A-1": "taken", "A-2": "taken"}
    assert isinstance(answers[6], HoldLost)
    assert answers[6].seats == {"A-1": "sold", "A-2": "sold"}
    assert house.last_change() == {"A-1": "s0", "A-2": "s1", "A-3": "s1"}
    assert [entry["payment"] for entry in house.outbox()] == ["pay-1", "pay-3"]
    assert house.due() == {}


@scenario
def a_booking_sets_mirrors_right(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", "A-2", token=T1)
    house.drop_mirror("A-2")
    house.locker.confirm(hold, payment="pay")
    assert (house.mirror("A-1"), house.mirror("A-2")) == ("s0", "s")
    house.put_mirror("A-1", f"h0:{hold.deadline}")
    house.drop_mirror("A-2")
    booked = house.locker.confirm(hold, payment="pay")
    assert isinstance(booked, Booking)
    assert (house.mirror("A-1"), house.mirror("A-2")) == ("s0", None)
    assert house.last_change() == {"A-1": "s0"}
    house.put_mirror("A-1", "f0")
    version = int(house.meta("version"))
    house.locker.confirm_many(house.show, [ConfirmRequest(hold, "pay")] * 2)
    assert int(house.meta("version")) == version + 1
    house.put_mirror("A-1", "f0")
    with house.unchanged():
        house.failing(BookingConflict, lambda: house.locker.confirm(hold, payment="other"))
    assert len(house.outbox()) == 1


@scenario
def a_pinned_hold(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", "A-2", token=T1)
    house.put_lock("A-1", "p", T1, "ada", 1, 1, house.now, "booking", "paid")
    house.put_mirror("A-1", "p0")
    for call in (lambda: house.locker.confirm(hold), lambda: house.locker.extend(hold, ttl=900)):
        assert lost(house, call) == {"A-1": "sold"}
    assert house.locker.release(hold).seats == {"A-1": "pinned", "A-2": "released"}


# Release


@scenario
def seats_given_back(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", "A-2", "A-3", token=T1)
    house.locker.confirm(replace(hold, seats=("A-3",)))
    with house.one_change(A_1="f0", A_2="f1"):
        assert house.locker.release(hold).seats == {"A-1": "released", "A-2": "released", "A-3": "sold"}
    assert house.lock("A-1") is None
    assert house.due() == {}
    house.acquire("A-2", holder="bo")
    house.acquire("A-4", token=T1)
    with house.unchanged():
        assert house.locker.release(hold).seats == {"A-1": "gone", "A-2": "taken", "A-3": "sold"}
    assert house.states()["A-4"] == "held"


@scenario
def a_batch_of_releases(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", "A-2", token=T1)
    other = house.acquire("A-3", "A-4", holder="bo", token=T2)
    with house.one_change(A_1="f0", A_2="f1", A_3="f1", A_4="f0"):
        answers = house.locker.release_many(
            house.show, [replace(hold, seats=("A-2",)), hold, replace(other, token=T1), other, hold]
        )
    assert [dict(answer.seats) for answer in answers if isinstance(answer, Release)] == [
        {"A-2": "released"},
        {"A-1": "released", "A-2": "gone"},
        {"A-3": "taken", "A-4": "taken"},
        {"A-3": "released", "A-4": "released"},
        {"A-1": "gone", "A-2": "gone"},
    ]


@scenario
def seats_given_back_whose_mirrors_say_otherwise(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", "A-2", "A-3", "A-4", token=T1)
    house.put_mirror("A-1", "b0")
    house.put_mirror("A-2", "f1")
    house.put_mirror("A-3", "s1")
    house.drop_mirror("A-4")
    assert set(house.locker.release(hold).seats.values()) == {"released"}
    assert [house.mirror(seat) for seat in hold.seats] == ["b0", "f1", "s1", None]
    assert house.last_change() == {"A-2": "f1"}
    assert house.due() == {}
    version = house.meta("version")
    hold = house.acquire("A-2", token=T1)
    house.put_mirror("A-2", "b1")
    house.locker.release(hold)
    assert house.lock("A-2") is None
    assert int(house.meta("version")) == int(version) + 1, "nothing is published of it"


# Cancel


@scenario
def a_refund(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", "A-2", "A-3", token=T1)
    booking = house.locker.confirm(hold, payment="pay")
    with house.unchanged():
        assert house.locker.cancel(replace(booking, id="other")).cancelled == ()
        assert house.locker.cancel(replace(booking, seats=("A-4", "B-1", "B-2"))).cancelled == ()
    with house.one_change(A_1="f0", A_2="f1"):
        assert house.locker.cancel(replace(booking, seats=("A-1", "A-4", "A-2"))).seats == {
            "A-1": "cancelled",
            "A-4": "gone",
            "A-2": "cancelled",
        }
    assert house.lock("A-1") is None
    entry = house.outbox()[-1]
    assert int(entry.pop("at")) == house.at(0)
    assert entry == {
        "kind": "cancelled",
        "booking": booking.id,
        "holder": "ada",
        "seats": "A-1\nA-2",
        "payment": "pay",
        "epoch": "1",
        "fence": "1",
    }
    house.acquire("A-1", holder="bo")
    assert house.locker.cancel(booking).seats == {"A-1": "gone", "A-2": "gone", "A-3": "cancelled"}
    assert house.outbox()[-1]["seats"] == "A-3"
    with house.unchanged():
        assert house.locker.cancel(booking).cancelled == ()
    assert isinstance(house.acquire("A-3", holder="cy"), Hold)


@scenario
def refunds_in_a_batch_and_with_odd_mirrors(house: House) -> None:
    from seatlock._commands import cancel  # noqa: PLC0415 - there is no cancel_many

    house.open()
    first = house.locker.confirm(house.acquire("A-1", "A-2"), booking="first")
    second = house.locker.confirm(house.acquire("A-3", "A-4", holder="bo"), booking="second")
    house.put_mirror("A-2", "b1")
    house.drop_mirror("A-3")
    house.put_mirror("A-4", "f0")
    house.put_due("A-2", house.now)
    asks = [replace(first, seats=("A-1",)), first, replace(second, id="first"), second]
    done = house.run(of_asks("seatlock", [cancel("seatlock", ask) for ask in asks]))
    assert [list(answer.seats.values()) for answer in done] == [
        ["cancelled"],
        ["gone", "cancelled"],
        ["gone", "gone"],
        ["cancelled", "cancelled"],
    ]
    assert [house.mirror(seat) for seat in ("A-1", "A-2", "A-3", "A-4")] == ["f0", "b1", None, "f0"]
    assert house.last_change() == {"A-1": "f0", "A-4": "f0"}
    assert [entry["seats"] for entry in house.outbox()[2:]] == ["A-1", "A-2", "A-3\nA-4"]
    assert [house.lock(seat) for seat in ("A-1", "A-2", "A-3", "A-4")] == [None] * 4
    assert house.due() == {}
    version = house.meta("version")
    house.put_lock("A-3", "s", T1, "ada", 1, 1, house.now, "third", "")
    assert house.locker.cancel(Booking("third", house.show, ("A-3",), "ada", None, 1, 0.0)).cancelled == ("A-3",)
    assert house.meta("version") == version, "nothing is published of it"


@scenario
def a_refund_without_outbox(house: House) -> None:
    house.open(outbox=False)
    booking = house.locker.confirm(house.acquire("A-1"))
    assert house.locker.cancel(booking).cancelled == ("A-1",)
    assert house.outbox() == []
