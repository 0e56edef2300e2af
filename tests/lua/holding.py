"""Scenarios of holds that go on, are lost, or are given back: extend and release."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from seatlock import AcquireRequest, Booking, Hold, HoldLost, Release
from seatlock._commands import acquire, extend, of_asks, undo_of
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
    part = replace(hold, seats=("A-1",))
    for wrong in (
        ["h", T1 + T2, "ada", 1, 1, hold.deadline, hold.deadline],
        ["h", T1, "ada", "x", 1, 1, hold.deadline, hold.deadline],
        ["h", T1, "ada", 1, 1, hold.deadline, hold.deadline, ""],
        ["h", T1, "ada", 1, 1, hold.deadline],
        ["", "h", T1, "ada", 1, 1, hold.deadline, hold.deadline],
    ):
        house.put_lock("A-1", *wrong)
        for call in (lambda: house.locker.confirm(part), lambda: house.locker.extend(part, ttl=900)):
            assert lost(house, call) == {"A-1": "taken"}


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
    assert lost(house, lambda: house.locker.confirm(replace(other, seats=("A-2",)))) == {"A-2": "expired"}
    # told of a later deadline, it is still the lock that says so, if it is the caller's own
    later = replace(other, deadline=house.now + 5000)
    assert lost(house, lambda: house.locker.confirm(later)) == {"A-2": "expired", "A-3": "released"}
    for stranger in (replace(later, token=T1), replace(later, holder="cy")):
        assert lost(house, lambda s=stranger: house.locker.extend(s, ttl=60)) == dict.fromkeys(
            ("A-2", "A-3"), "released"
        )
    with house.unchanged():
        assert set(house.locker.release(other).seats.values()) == {"gone"}


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
def what_a_cancelled_call_gives_back(house: House) -> None:
    """Its hold, unless that was resumed since: then another call of its holder's counts on it."""
    house.open()
    asks = [acquire("seatlock", house.show, [seat], "ada", 600, None) for seat in ("A-1", "A-2", "A-3")]
    holds = house.run(of_asks("seatlock", asks))
    with house.full():  # an answer is worth more than the mark, which cannot be written here
        assert house.acquire("A-1").resumed
    assert not house.was_resumed("A-1")
    again = [house.acquire("A-2"), house.acquire("A-3")]
    longer = house.locker.extend(again[1], ttl=700)
    assert house.was_resumed("A-2")
    assert house.was_resumed("A-3")
    undone = house.run(of_asks("seatlock", [undo_of(ask) for ask in asks]))
    assert [dict(answer.seats) for answer in undone] == [{"A-1": "released"}, {"A-2": "taken"}, {"A-3": "taken"}]
    assert house.locker.confirm(longer).fence == holds[2].fence
    assert house.locker.release(again[0]).released == ("A-2",)


@scenario
def seats_held_and_resumed_in_one_batch(house: House) -> None:
    house.open()
    requests = [AcquireRequest(["A-1"], "ada"), AcquireRequest(["A-1"], "ada"), AcquireRequest(["A-1"], "ada")]
    first, *rest = house.locker.acquire_many(house.show, requests)
    assert isinstance(first, Hold)
    assert [isinstance(hold, Hold) and (hold.token, hold.resumed) for hold in rest] == [(first.token, True)] * 2
    assert house.was_resumed("A-1")
    assert house.locker.confirm(first).seats == ("A-1",)


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
