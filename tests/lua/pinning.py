"""Scenarios of strict checkout: which shows have it, pins, and what the ledger has decided."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from seatlock import (
    Booking,
    BookingConflict,
    Hold,
    HoldLost,
    InvalidRequest,
    PlanConflict,
    ScriptFailed,
    SeatsUnavailable,
    ShowInUse,
    ShowNotFound,
    WrongCheckout,
    _upkeep,
)
from seatlock._commands import derived_booking_id, of_asks
from seatlock._operation import Again, ListsWanted
from seatlock._pinning import Pinned, finalise, pin
from seatlock._tokens import hash_of
from tests.lua.hall import Hall
from tests.lua.holding import lost
from tests.lua.house import PLAN, T1, T2, T3, House
from tests.lua.scenario import scenario
from tests.lua.warming import found
from tests.support import strict
from tests.support.strict import booking_of

# Which shows have it


@scenario
def a_show_whose_checkout_changes_before_its_first_hold(house: House) -> None:
    house.open()
    for checkout in ("strict", "strict", "fast", "strict"):
        house.locker.warm(house.show, PLAN, checkout=checkout)
        assert house.meta("checkout") == checkout
    house.acquire("A-1")
    with house.unchanged():
        error = house.failing(PlanConflict, lambda: house.locker.warm(house.show, PLAN))
        assert "warm it with checkout='strict'" in str(error)
        assert "is conflict" not in str(error)
        assert error.conflicts == {}
        house.failing(PlanConflict, lambda: house.run(found(house)))
        for wrong in ("Strict", "", None, True):
            house.failing(InvalidRequest, lambda wrong=wrong: house.locker.warm(house.show, PLAN, checkout=wrong))
        house.failing(InvalidRequest, lambda: house.locker.warm(house.show, PLAN, checkout="strict", outbox=False))
        step = found(house)
        step.args[-1] = b"other"
        assert "no checkout" in str(house.failing(ScriptFailed, lambda: house.run(step)))
    house.locker.warm(house.show, PLAN, checkout="strict")


@scenario
def a_show_that_does_not_know_its_checkout_is_fast(house: House) -> None:
    house.open()
    house.raw.hdel(house.key("meta"), "checkout")
    house.locker.confirm(house.acquire("A-1"))
    assert "fast checkout" in str(
        house.failing(PlanConflict, lambda: house.locker.warm(house.show, PLAN, checkout="strict"))
    )
    house.locker.warm(house.show, PLAN)
    assert house.meta("checkout") == "fast"


@scenario
def what_a_strict_show_refuses(house: House) -> None:
    house.open(checkout="fast")
    booking = house.locker.confirm(house.acquire("A-4", holder="bo"))
    house.raw.hset(house.key("meta"), "checkout", "strict")
    hold = house.acquire("A-1", token=T1)
    calls: list[Any] = [
        lambda: house.locker.confirm(hold, payment="pay"),
        lambda: house.locker.confirm(hold, reclaim=True),
        lambda: house.locker.cancel(booking),
    ]
    with house.unchanged():
        for call, verb in zip(calls, ("confirm", "reclaim", "cancel"), strict=True):
            error = house.failing(WrongCheckout, call)
            assert (error.show, error.checkout) == (house.show, "strict")
            assert str(error).startswith(f"{verb}: ")
            assert "StrictCheckout" in str(error)


def pinned(house: House, hold: Hold, payment: str | None = "pay", booking: str | None = None) -> Pinned:
    """Pin a hold."""
    return strict.pin(house.locker, hold, payment, booking)


def finalised(house: House, booking: Booking, *, sold: bool = True, tell: bool = False) -> dict[str, str]:
    """Finalise a booking: gives what became of each seat."""
    done = strict.finalise(house.locker, booking, sold=sold, tell=tell)
    assert (done.show, done.booking) == (house.show, booking.id)
    return dict(done.seats)


def amounts(house: House, booking: Booking, *, sold: bool = True) -> dict[str, int]:
    """Finalise a booking: gives what became of its pools."""
    return dict(strict.finalise(house.locker, booking, sold=sold).pools)


@scenario
def what_a_fast_show_refuses(house: House) -> None:
    hold = Hold(house.show, ("A-1",), "ada", T1, 2**40 + 1, 60.0)
    booking = Booking("bk", house.show, ("A-1",), "ada", None, hold.fence, 1.0)
    for call in (lambda: pinned(house, hold), lambda: finalised(house, booking)):
        house.failing(ShowNotFound, call)
    house.open()
    hold = house.acquire("A-1")
    with house.unchanged():
        error = house.failing(
            WrongCheckout, lambda: house.run(of_asks("seatlock", [pin("seatlock", hold, None, None)]))
        )
        assert (error.show, error.checkout) == (house.show, "fast")
        assert "StrictCheckout" in str(error)
    for wrong in (replace(booking, confirmed_at=-1.0), replace(booking, confirmed_at=1e12), "bk"):
        house.failing(InvalidRequest, lambda wrong=wrong: finalise("seatlock", wrong, sold=True))


@scenario
def what_the_ledger_refused_on_a_fast_show(house: House) -> None:
    house.open()
    first = house.locker.confirm(house.acquire("A-1", "A-2"), payment="pay")
    other = replace(first, id="bk-other", seats=("A-1",), holder="bo", fence=first.fence + 9)
    with house.unchanged():
        assert finalised(house, first) == {"A-1": "sold", "A-2": "sold"}
        assert finalised(house, other) == {"A-1": "foreign"}
    assert finalised(house, first, sold=False) == {"A-1": "free", "A-2": "free"}
    assert finalised(house, other) == {"A-1": "sold"}


@scenario
def an_epoch_begins(house: House) -> None:
    house.failing(ShowNotFound, lambda: house.run(_upkeep.raise_epoch("seatlock", house.show, 2)))
    house.open()
    hold = house.acquire("A-1")
    assert house.run(_upkeep.raise_epoch("seatlock", house.show, 3)) == 3
    with house.unchanged():
        for earlier in (1, 2, 3):
            assert house.run(_upkeep.raise_epoch("seatlock", house.show, earlier)) == 3
        step = _upkeep.raise_epoch("seatlock", house.show, 3)
        for wrong in (b"0", b"-1", b"x", b"", b"9" * 16):
            step.args[0] = wrong
            house.failing(ScriptFailed, lambda: house.run(step))
    assert house.meta("epoch") == "3"
    assert house.acquire("A-2", token=T2).fence == 3 * 2**40 + hold.fence - 2**40 + 1
    house.locker.confirm(hold)
    assert [entry["epoch"] for entry in house.outbox()] == ["1"]


# Pins


@scenario
def a_pin(house: House) -> None:
    house.open(checkout="strict")
    house.acquire("A-4", holder="cy")
    hold = house.acquire("A-1", "A-2", token=T1)
    with house.one_change(A_1="p0", A_2="p1"):
        found = pinned(house, hold, "pay-1")
    assert (found.booking, found.payment) == (derived_booking_id(T1, hold.seats), "pay-1")
    assert (found.epoch, found.fence, found.finalised) == (1, hold.fence, False)
    assert found.pinned_at == house.left(house.now / 1000)
    fields = ["p", T1, "ada", 1, 2, round(found.pinned_at * 1000), found.booking, "pay-1"]
    assert house.lock("A-1") == house.lock("A-2") == fields
    assert house.raw.pttl(house.key("lock:A-1")) == -1
    assert house.due().keys() == {"A-4"}
    (entry,) = house.outbox()
    assert int(entry.pop("at")) == fields[5]
    assert entry == {
        "kind": "pinned",
        "booking": found.booking,
        "holder": "ada",
        "seats": "A-1\nA-2",
        "payment": "pay-1",
        "epoch": "1",
        "fence": "2",
        "token_hash": hash_of(T1),
    }
    assert found.token_hash == entry["token_hash"]
    house.advance(5000)
    assert house.states()["A-1"] == "pinned"
    with house.unchanged():
        again = pinned(house, hold, "pay-1", "another")
        error = house.failing(BookingConflict, lambda: pinned(house, hold, "pay-2"))
        assert error.booking == replace(booking_of(found), status="pending")
    assert again == found
    house.put_mirror("A-2", "f1")
    with house.one_change(A_2="p1"):
        assert pinned(house, hold, "pay-1") == found


@scenario
def pins_in_a_batch(house: House) -> None:
    house.open(checkout="strict")
    first, second = house.acquire("A-1", token=T1), house.acquire("A-2", "A-3", holder="bo", token=T2)
    other = replace(first, token=T3)
    asks = [pin("seatlock", *each) for each in ((first, "pay", None), (other, None, None), (second, None, "mine"))]
    answers = house.run(of_asks("seatlock", [*asks, pin("seatlock", first, "pay", None)]))
    assert [type(answer) for answer in answers] == [Pinned, HoldLost, Pinned, Pinned]
    assert answers[0] == answers[3]
    assert (answers[2].booking, answers[2].payment) == ("mine", None)
    assert [entry["booking"] for entry in house.outbox()] == [answers[0].booking, "mine"]
    wider = replace(first, seats=("A-1", "A-4"))
    with house.unchanged():
        assert house.failing(BookingConflict, lambda: pinned(house, wider)).booking.seats == ("A-1",)  # type: ignore[union-attr]


@scenario
def holds_that_cannot_be_pinned(house: House) -> None:
    house.open(checkout="strict")
    hold = house.acquire("A-1", "A-2", token=T1, ttl=60)
    house.locker.release(replace(hold, seats=("A-2",)))
    with house.unchanged():
        error = house.failing(HoldLost, lambda: pinned(house, hold, "pay-1"))
        assert (dict(error.seats), error.payment, error.paid_for) == ({"A-2": "released"}, "pay-1", hold.seats)
    house.advance(61)
    house.acquire("A-2", holder="bo", token=T2)
    with house.unchanged():
        assert lost(house, lambda: pinned(house, hold)) == {"A-1": "expired", "A-2": "taken"}
    assert house.outbox() == []


@scenario
def what_leaves_pins_alone(house: House) -> None:
    house.open(checkout="strict")
    hold = house.acquire("A-1", "A-2", token=T1, ttl=60)
    found = pinned(house, replace(hold, seats=("A-1",)))
    assert lost(house, lambda: house.locker.extend(hold, ttl=900)) == {"A-1": "sold"}
    assert house.locker.release(hold).seats == {"A-1": "pinned", "A-2": "released"}
    assert house.force("A-1") == {"A-1": "pinned"}
    with house.unchanged():
        error = house.failing(SeatsUnavailable, lambda: house.locker.block(house.show, ["A-1"]))
        assert error.conflicts["A-1"].state == "pinned"
        assert house.locker.unblock(house.show, ["A-1"]).unblocked == ()
        assert house.refused("A-1") == {"A-1": ("pinned", None, False, False)}
        assert house.refused("A-1", holder="ada", token=T1)["A-1"][0] == "pinned"
        house.advance(3000)
        assert house.locker.sweep(house.show) == 0
    (state,) = house.locker.inspect(house.show, ["A-1"])
    assert (state.state, state.consistent, state.holder, state.fence) == ("pinned", True, "ada", found.fence)
    assert (state.booking, state.payment, state.expires_in) == (found.booking, "pay", None)
    assert house.locker.availability(house.show).counts["pinned"] == 1
    checked = house.locker.check(house.show)
    assert (checked.counts["pinned"], checked.differences) == (1, ())
    house.locker.set_channel(house.show, ["A-1"], "agency")
    assert house.mirror("A-1") == "p0@1"
    assert pinned(house, replace(hold, seats=("A-1",))) == found
    finalised(house, booking_of(found), sold=False)
    assert house.mirror("A-1") == "c0@1"


@scenario
def a_pass_ends_with_a_pin(house: House) -> None:
    house.open(checkout="strict")
    hall = Hall(house).open()
    hall.room.prepare(house.show, hall.settings, required=True)
    hall.joins("ada")
    hall.let_in()
    pinned(house, house.acquire("A-1"))
    assert hall.members("passes") == {}


# What the ledger has decided


@scenario
def a_pin_that_is_sold(house: House) -> None:
    house.open(checkout="strict")
    hold = house.acquire("A-1", "A-2", token=T1)
    found = pinned(house, hold)
    house.advance(60)
    with house.one_change(A_1="s0", A_2="s1"):
        assert finalised(house, booking_of(found)) == dict.fromkeys(hold.seats, "sold")
    fields = ["s", T1, "ada", 1, 1, round(found.pinned_at * 1000), found.booking, "pay"]
    assert house.lock("A-1") == house.lock("A-2") == fields
    assert len(house.outbox()) == 1
    with house.unchanged():
        assert finalised(house, replace(booking_of(found), confirmed_at=9.0)) == dict.fromkeys(hold.seats, "sold")
        assert pinned(house, hold) == replace(found, finalised=True)
        assert house.failing(BookingConflict, lambda: pinned(house, hold, "other")).booking is not None
    for seat in hold.seats:
        house.put_mirror(seat, "p1")
    house.put_due("A-1", house.now + 60_000)
    with house.one_change(A_1="s1", A_2="s1"):
        finalised(house, booking_of(found))
    house.put_mirror("A-1", "p0")
    with house.one_change(A_1="s0"):
        assert pinned(house, hold).finalised
    with house.one_change(A_1="f0", A_2="f1"):
        assert set(finalised(house, booking_of(found), sold=False).values()) == {"free"}


@scenario
def a_pin_that_is_sold_in_part(house: House) -> None:
    house.open(checkout="strict")
    hold = house.acquire("A-1", "A-2", token=T1)
    found = pinned(house, hold)
    assert finalised(house, replace(booking_of(found), seats=("A-1",))) == {"A-1": "sold"}
    with house.unchanged():
        assert pinned(house, hold) == found


@scenario
def what_the_ledger_sold_though_redis_lost_it(house: House) -> None:
    """Free, held in time or not, held under a payment, pinned by another, blocked, and sold by a mirror alone."""
    house.open(checkout="strict", plan=PLAN)
    late = house.acquire("A-1", token=T1)
    other = pinned(house, house.acquire("A-2", holder="bo", token=T2))
    house.put_mirror("B-2", "s1")
    house.drop_lock("B-2")
    booking = Booking("bk", house.show, ("A-1", "A-2", "A-3", "B-1", "B-2"), "dan", None, 2**40 + 77, 12.5)
    with house.one_change(A_1="s0", A_2="s1", A_3="s1", B_1="s0"):
        assert finalised(house, booking) == dict.fromkeys(booking.seats, "sold")
    fields = ["s", "", "dan", 1, 77, 12_500, "bk", ""]
    assert [house.lock(seat) for seat in booking.seats] == [fields] * 5
    assert house.raw.pttl(house.key("lock:A-1")) == -1
    assert house.due() == {}
    with house.unchanged():
        assert finalised(house, booking) == dict.fromkeys(booking.seats, "sold")
        assert lost(house, lambda: pinned(house, late)) == {"A-1": "sold"}
        assert finalised(house, booking_of(other)) == {"A-2": "foreign"}
        assert finalised(house, booking_of(other), sold=False) == {"A-2": "gone"}
        nobodys = Hold(house.show, ("A-3",), "dan", "0" * 32, booking.fence, 60.0, deadline=house.now)
        assert lost(house, lambda: pinned(house, nobodys)) == {"A-3": "sold"}


@scenario
def what_the_ledger_sold_and_redis_cannot_sell(house: House) -> None:
    house.open(checkout="strict")
    house.put_lock("A-1", "something else")
    house.acquire("A-4", token=T1)
    house.drop_mirror("A-4")
    booking = Booking("bk", house.show, ("A-1", "A-4", "B-2", "C-1"), "dan", "pay", 2**40 + 77, 12.5)
    with house.unchanged():
        assert finalised(house, booking) == {"A-1": "foreign", "A-4": "unknown", "B-2": "foreign", "C-1": "unknown"}
        assert finalised(house, booking, sold=False) == dict.fromkeys(booking.seats, "gone")


@scenario
def a_booking_whose_mirrors_are_lost(house: House) -> None:
    house.open(checkout="strict")
    found = pinned(house, house.acquire("A-1", "A-2", "A-3", token=T1))
    house.drop_mirror("A-1")
    house.drop_mirror("A-2")
    with house.one_change(A_1="s"):
        assert finalised(house, replace(booking_of(found), seats=("A-1",))) == {"A-1": "sold"}
    version = house.meta("version")
    assert finalised(house, replace(booking_of(found), seats=("A-2",)), sold=False) == {"A-2": "free"}
    assert house.meta("version") == version, "nothing is published of it"
    house.put_mirror("A-3", "b1")
    assert finalised(house, replace(booking_of(found), seats=("A-3",)), sold=False) == {"A-3": "free"}
    assert (house.mirror("A-2"), house.mirror("A-3")) == (None, "b1")
    assert [house.lock(seat) for seat in ("A-2", "A-3")] == [None, None]


@scenario
def a_pin_that_comes_free(house: House) -> None:
    house.open(checkout="strict")
    found = pinned(house, house.acquire("A-1", "A-2", token=T1))
    booking = booking_of(found)
    with house.unchanged():
        for other in ({"id": "other"}, {"fence": found.fence + 1}, {"fence": found.fence + 2**40}):
            assert set(finalised(house, replace(booking, **other), sold=False).values()) == {"gone"}
    with house.one_change(A_1="f0", A_2="f1"):
        assert finalised(house, booking, sold=False) == dict.fromkeys(found.seats, "free")
    assert house.lock("A-1") is None
    assert len(house.outbox()) == 1
    with house.unchanged():
        assert finalised(house, booking, sold=False) == dict.fromkeys(found.seats, "gone")
    assert isinstance(house.acquire("A-1", holder="bo"), Hold)
    assert finalised(house, booking, sold=False) == dict.fromkeys(found.seats, "gone")


@scenario
def decisions_in_a_batch(house: House) -> None:
    """Later requests see what earlier ones leave behind; the same seat can be given back and sold in one call."""
    house.open(checkout="strict")
    first = booking_of(pinned(house, house.acquire("A-1", "A-2", token=T1)))
    second = Booking("bk", house.show, ("A-1", "A-3"), "dan", None, 2**40 + 77, 12.5)
    steps = ((first, False), (second, True), (first, True), (replace(second, seats=("A-3",)), False))
    asks = [finalise("seatlock", booking, sold=sold) for booking, sold in steps]
    with house.one_change(A_1="s0", A_2="s1", A_3="f1"):
        answers = house.run(of_asks("seatlock", asks))
    assert [list(answer.seats.values()) for answer in answers] == [
        ["free", "free"],
        ["sold", "sold"],
        ["foreign", "sold"],
        ["free"],
    ]
    found = [house.lock(seat) for seat in ("A-1", "A-2", "A-3")]
    assert [lock and lock[6] for lock in found] == ["bk", first.id, None]


@scenario
def decisions_on_a_full_server(house: House) -> None:
    house.open(checkout="strict", pools={"floor": 5})
    found = pinned(house, house.acquire("A-1", token=T1, pools={"floor": 2}))
    other, hold = pinned(house, house.acquire("A-2", token=T2)), house.acquire("A-3", token=T3)
    before = house.dump()
    with house.full():
        house.failing(ScriptFailed, lambda: pinned(house, hold))
        assert house.dump() == before
        assert finalised(house, booking_of(other)) == {"A-2": "sold"}
        assert amounts(house, booking_of(found), sold=False) == {"floor": 2}
    assert house.counts() == "5 0 0"


# Pools and lists


@scenario
def pins_of_pools(house: House) -> None:
    house.open(checkout="strict", pools={"floor": 10, "balcony": 3})
    hold = house.acquire("A-1", token=T1, pools={"floor": 4, "balcony": 1})
    found = pinned(house, hold)
    assert (house.counts(), house.counts("balcony")) == ("10 0 4", "3 0 1")
    assert house.outbox()[0]["pools"].splitlines() == ["4 floor", "1 balcony"]
    assert list(house.outbox()[0])[-2:] == ["token_hash", "pools"]
    with house.unchanged():
        assert pinned(house, hold) == found
        less = replace(hold, pools={"floor": 3})
        assert house.failing(BookingConflict, lambda: pinned(house, less)).booking is not None
    before = house.pools()
    assert amounts(house, booking_of(found)) == {"floor": 4, "balcony": 1}
    assert house.pools() == before
    with house.unchanged():
        assert amounts(house, replace(booking_of(found), id="other")) == {"floor": 0, "balcony": 0}
        assert amounts(house, replace(booking_of(found), id="other"), sold=False) == {"floor": 0, "balcony": 0}
    assert amounts(house, booking_of(found), sold=False) == {"floor": 4, "balcony": 1}
    assert (house.counts(), house.counts("balcony")) == ("10 0 0", "3 0 0")
    with house.unchanged():
        assert amounts(house, booking_of(found), sold=False) == {"floor": 0, "balcony": 0}


@scenario
def pins_of_pools_alone(house: House) -> None:
    house.open(checkout="strict", plan=(), pools={"floor": 10})
    hold = house.acquire(token=T1, pools={"floor": 4})
    found = pinned(house, hold)
    assert not found.finalised
    assert (amounts(house, booking_of(found)), house.counts()) == ({"floor": 4}, "10 0 4")
    assert pinned(house, hold) == found


@scenario
def sales_of_pools_that_redis_lost(house: House) -> None:
    house.open(checkout="strict", pools={"floor": 10})
    lost = Booking("bk", house.show, (), "dan", None, 2**40 + 77, 12.5, pools={"floor": 4})
    with house.one_change(**{"pool\nfloor": "10 0 4"}):
        assert amounts(house, lost) == {"floor": 4}
    with house.unchanged():
        assert amounts(house, lost) == {"floor": 4}
    house.acquire(holder="bo", pools={"floor": 5}, ttl=60)
    second = replace(lost, id="bk-2", fence=2**40 + 78)
    with house.unchanged():
        assert amounts(house, second) == {"floor": 0}, "a live claim is left: whoever pins it is told no"
    house.advance(61)
    first = replace(second, id="bk-1", pools={"floor": 1})
    assert (amounts(house, first), house.counts()) == ({"floor": 1}, "10 5 5"), "there are enough without a sweep"
    assert amounts(house, first, sold=False) == {"floor": 1}
    assert amounts(house, second) == {"floor": 4}
    assert house.counts() == "10 0 8"
    assert house.locker.check(house.show).pool_differences == ()
    assert amounts(house, lost, sold=False) == {"floor": 4}
    assert house.counts() == "10 0 4"
    with house.unchanged():
        assert amounts(house, replace(lost, pools={"gallery": 1})) == {"gallery": 0}


@scenario
def pins_and_limits(house: House) -> None:
    house.open(checkout="strict", limit=4, pools={"floor": 10})
    hold = house.acquire("A-1", "A-2", token=T1, pools={"floor": 2})
    with house.unchanged():
        house.failing(ListsWanted, lambda: house.run(of_asks("seatlock", [pin("seatlock", hold, "pay", None)])))
    found = pinned(house, hold)
    step = of_asks("seatlock", [finalise("seatlock", booking_of(found), sold=True)])
    with house.unchanged():
        house.failing(ListsWanted, lambda: house.run(step))
    lists = {field.decode(): value.decode() for field, value in house.raw.hgetall(house.key("holder:ada")).items()}
    assert lists == {"A-1": "p0", "A-2": "p1", "s\nfloor\n1-1": "s 2"}
    assert house.raw.pttl(house.key("holder:ada")) == -1
    with house.unchanged():
        assert pinned(house, hold) == found
    assert set(finalised(house, replace(booking_of(found), pools={}, seats=("A-1",))).values()) == {"sold"}
    assert house.raw.hget(house.key("holder:ada"), "A-1") == b"s0"
    assert set(finalised(house, booking_of(found), sold=False).values()) == {"free"}
    assert not house.raw.exists(house.key("holder:ada"))
    # what Redis lost is on the list of whoever bought it, also where somebody else holds it
    late = house.acquire("A-1", holder="bo", token=T2, ttl=60)
    assert set(finalised(house, booking_of(found)).values()) == {"sold"}
    assert house.raw.hlen(house.key("holder:ada")) == 3
    assert house.raw.hlen(house.key("holder:bo")) == 1
    house.failing(HoldLost, lambda: pinned(house, late))
    assert house.raw.hlen(house.key("holder:bo")) == 0


@scenario
def pools_that_redis_lost_and_limits(house: House) -> None:
    house.open(checkout="strict", limit=4, pools={"floor": 2})
    lost = Booking("bk", house.show, (), "dan", None, 2**40 + 77, 12.5, pools={"floor": 3})
    with house.unchanged():
        assert amounts(house, lost) == {"floor": 0}
    assert amounts(house, replace(lost, pools={"floor": 1})) == {"floor": 1}
    assert house.raw.hgetall(house.key("holder:dan")) == {b"s\nfloor\n1-77": b"s 1"}


@scenario
def the_largest_numbers_of_a_decision(house: House) -> None:
    house.open(checkout="strict")
    booking = Booking("bk", house.show, ("A-1",), "dan", None, 0, 0.0)
    step = of_asks("seatlock", [finalise("seatlock", booking, sold=True)])
    for numbers in ((0, 0, 0), (2**40, 2**40 - 1, 2**49)):
        step.args[-1] = b"1 0 %d %d %d 1" % numbers
        assert house.run(step)[0].seats == {"A-1": "sold"}
        lock = house.lock("A-1")
        assert lock
        assert lock[3:5] == list(numbers[:2])
        assert lock[5] == 0, "since when it is sold stays"
    hold = house.acquire("A-3")
    pins = of_asks("seatlock", [pin("seatlock", hold, None, None)])
    for told in (0, 2**49):
        pins.args[-1] = b"%d 1" % told
        assert house.run(pins)[0].fence == hold.fence
    other = replace(booking, id="other", seats=("A-2",))
    step = of_asks("seatlock", [finalise("seatlock", other, sold=True)])
    step.args[-1] = b"1 0 1 1 %d 1" % 2**49
    assert house.run(step)[0].seats == {"A-2": "sold"}


@scenario
def lists_that_fell_behind(house: House) -> None:
    house.open(checkout="strict", limit=4, pools={"floor": 10})
    found = pinned(house, house.acquire("A-1", token=T1, pools={"floor": 2}))
    key = house.key("holder:ada")
    for sold in (True, False):
        house.sound = False
        house.raw.delete(key)
        if not sold:
            house.raw.hset(key, mapping={"A-1": "s0", "A-2": "p1", "s\nfloor\n1-1": "s 2"})
        booking = replace(booking_of(found), seats=("A-1", "A-2")) if not sold else booking_of(found)
        for _ in range(2):
            finalised(house, booking, sold=sold)
        assert house.raw.hlen(key) == (2 if sold else 0)


@scenario
def a_show_that_is_retired_while_it_sells(house: House) -> None:
    """What is pinned after the pins were counted is not lost."""
    house.open(checkout="strict")
    house.failing(ShowNotFound, lambda: house.run(_upkeep.pins("seatlock", "elsewhere", b"0")))
    version, cursor, seats = house.run(_upkeep.pins("seatlock", house.show, b"0"))
    assert (version, cursor, seats) == (int(house.meta("version")), b"0", ())
    found = pinned(house, house.acquire("A-1"))
    with house.unchanged():
        for version_then in (version, None):
            step = _upkeep.retire("seatlock", house.show, "discard", (), version_then)
            house.failing(Again, lambda step=step: house.run(step))
        assert house.run(_upkeep.pins("seatlock", house.show, b"0"))[2] == ("A-1",)
        assert house.failing(ShowInUse, lambda: house.locker.retire(house.show)).pins == 1
    finalised(house, booking_of(found))
    house.locker.retire(house.show, unread="discard")
    house.open()
    assert house.run(_upkeep.pins("seatlock", house.show, b"0")) is None


# Telling


def recorded(house: House) -> list[tuple[str, str]]:
    """What the outbox has for those who want to know of what is on record."""
    return [(entry["booking"], entry["seats"]) for entry in house.outbox() if entry["kind"] == "recorded"]


@scenario
def what_the_outbox_is_told_of_decisions(house: House) -> None:
    house.open(checkout="strict", pools={"floor": 10})
    found = pinned(house, house.acquire("A-1", "A-2", pools={"floor": 2}))
    booking = booking_of(found)
    finalised(house, booking)
    assert recorded(house) == []
    assert finalised(house, booking, sold=False, tell=True) == {"A-1": "free", "A-2": "free"}
    assert recorded(house) == [(booking.id, "A-1\nA-2")]
    entry = house.outbox()[-1]
    assert (entry["pools"], entry["fence"], entry["payment"]) == ("2 floor", str(booking.fence - 2**40), "pay")
    state = house.pools(), house.states()
    assert finalised(house, booking, sold=False, tell=True) == {"A-1": "gone", "A-2": "gone"}
    assert recorded(house) == [(booking.id, "A-1\nA-2")] * 2, "also of what Redis knows nothing of"
    assert (house.pools(), house.states()) == state
    of_pools = replace(booking, id="bk-2", seats=(), pools={"floor": 1}, fence=booking.fence + 5)
    assert amounts(house, of_pools) == {"floor": 1}
    assert dict(strict.finalise(house.locker, of_pools, sold=False, tell=True).pools) == {"floor": 1}
    lost = replace(booking, id="bk-3", seats=("A-4",), fence=booking.fence + 6)
    assert finalised(house, lost, tell=True) == {"A-4": "sold"}
    assert recorded(house)[2:] == [("bk-2", ""), ("bk-3", "A-4")]


@scenario
def an_outbox_without_ids_refuses_only_what_is_told(house: House) -> None:
    house.open(checkout="strict")
    booking = booking_of(pinned(house, house.acquire("A-1", token=T1)))
    lost = replace(booking, id="bk-3", seats=("A-4",), fence=booking.fence + 6)
    house.raw.xadd(house.key("outbox"), {"last": "entry"}, id=f"{2**64 - 1}-{2**64 - 1}")
    with house.unchanged():
        house.failing(ScriptFailed, lambda: finalised(house, lost, tell=True))
    assert finalised(house, booking) == {"A-1": "sold"}
    house.sound = False  # that entry is none
