"""Scenarios of bookings: confirm and cancel."""

from __future__ import annotations

from msgspec.structs import replace

from seatlock import Booking, BookingConflict, ConfirmRequest, Hold, HoldLost, ShowNotFound
from seatlock._commands import cancel, derived_booking_id, of_asks
from seatlock._keys import keys_of
from seatlock._levels import touch
from seatlock._tokens import hash_of
from tests.lua.holding import lost
from tests.lua.house import T1, T2, House
from tests.lua.scenario import scenario

FENCE = 2**40


# Confirm


@scenario
def what_is_there_is_written_again(house: House) -> None:
    """So that it can be waited for, by whoever did not write it."""
    house.open()
    key = keys_of("seatlock", house.show).meta
    with house.unchanged():
        house.run(touch(house.show, key))
    house.failing(ShowNotFound, lambda: house.run(touch("elsewhere", keys_of("seatlock", "elsewhere").meta)))


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
        "token_hash": hash_of(T1),
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
    assert [(entry["payment"], entry["seats"]) for entry in house.outbox()] == [
        ("pay-1", "A-1\nA-2"),
        ("pay-3", "A-3"),
    ]
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
    # of its own seats alone, whatever stands beside them in the batch
    house.acquire("A-4", holder="bo", token=T2)
    house.put_mirror("A-1", "f0")
    answers = house.locker.confirm_many(
        house.show, [ConfirmRequest(replace(hold, seats=("A-4",)), "pay"), ConfirmRequest(hold, "pay")]
    )
    assert [type(answer) for answer in answers] == [HoldLost, Booking]
    assert house.mirror("A-4") == house.held(0, 600)
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
        "token_hash": "",
    }
    house.acquire("A-1", holder="bo")
    assert house.locker.cancel(booking).seats == {"A-1": "gone", "A-2": "gone", "A-3": "cancelled"}
    assert house.outbox()[-1]["seats"] == "A-3"
    with house.unchanged():
        assert house.locker.cancel(booking).cancelled == ()
    assert isinstance(house.acquire("A-3", holder="cy"), Hold)


@scenario
def refunds_in_a_batch_and_with_odd_mirrors(house: House) -> None:
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
    assert house.locker.cancel(Booking("third", house.show, ("A-3",), "ada", None, 2**40 + 1, 0.0)).cancelled == (
        "A-3",
    )
    assert house.meta("version") == version, "nothing is published of it"


@scenario
def a_refund_without_outbox(house: House) -> None:
    house.open(outbox=False)
    booking = house.locker.confirm(house.acquire("A-1"))
    assert house.locker.cancel(booking).cancelled == ("A-1",)
    assert house.outbox() == []
