"""Scenarios of those who run a sale: freeing seats by force, and looking whether a show adds up."""

from __future__ import annotations

from msgspec.structs import replace

from seatlock import HoldLost, UnknownSeats
from seatlock._operators import force_release_ask, force_release_of, vitals
from tests.lua.house import PLAN, SEATS, T1, T2, House, plan_of
from tests.lua.scenario import scenario, to_the_millisecond

FENCE = 2**40

# Freeing seats


@scenario
def seats_freed_by_force(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", "A-2", token=T1)
    house.locker.confirm(house.acquire("A-3", holder="bo", token=T2))
    assert house.audited() == []
    with house.one_change(A_1="f0", A_2="f1"):
        assert house.force("A-3", "A-1", "A-4", "B-1", "B-2", "A-2") == {
            "A-3": "sold",
            "A-1": "released",
            "A-4": "gone",
            "B-1": "gone",
            "B-2": "sold",
            "A-2": "released",
        }
    assert house.lock("A-1") is None
    assert house.due() == {}
    first, second = house.audited()
    assert int(first.pop("at")) == house.at(0)
    entry = {"what": "force-release", "by": "eve", "reason": "why", "holder": "ada", "epoch": "1", "fence": "1"}
    assert first == {**entry, "seat": "A-1"}
    assert second["seat"] == "A-2"
    with house.unchanged():
        assert set(house.force("A-1", "A-2").values()) == {"gone"}
        for call in (lambda: house.locker.extend(hold, ttl=60), lambda: house.locker.confirm(hold)):
            assert house.failing(HoldLost, call).reason == "released"
        error = house.failing(UnknownSeats, lambda: house.force("A-1", "nowhere"))
    assert error.seats == ("nowhere",)


@scenario
def seats_of_several_holds_freed_by_force(house: House) -> None:
    house.open()
    house.acquire("A-1", "A-4", token=T1)
    house.acquire("A-2", holder="bo", token=T2)
    house.raw.hset(house.key("meta"), "epoch", "2")
    house.acquire("A-3", holder="cy")
    with house.one_change(A_1="f0", A_2="f1", A_3="f1", A_4="f0"):
        assert set(house.force("A-1", "A-2", "A-3", "A-4").values()) == {"released"}
    told = {entry["seat"]: (entry["holder"], entry["epoch"], entry["fence"]) for entry in house.audited()}
    assert told == {
        "A-1": ("ada", "1", "1"),
        "A-4": ("ada", "1", "1"),
        "A-2": ("bo", "1", "2"),
        "A-3": ("cy", "2", "3"),
    }


@scenario
def a_seat_that_changed_hands_meanwhile(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", token=T1)
    looked_at = force_release_of(
        "seatlock", [force_release_ask("seatlock", house.show, ("A-1",), "eve", "why", hold.fence)]
    )
    assert house.run(looked_at)[0].seats == {"A-1": "released"}
    assert house.run(looked_at)[0].seats == {"A-1": "gone"}
    house.acquire("A-1", holder="bo", token=T2)
    with house.unchanged():
        assert house.run(looked_at)[0].seats == {"A-1": "taken"}
    for fence in (hold.fence + FENCE, 1, 0):
        asks = [force_release_ask("seatlock", house.show, ("A-1",), "eve", "why", fence)]
        with house.unchanged():
            assert house.run(force_release_of("seatlock", asks))[0].seats == {"A-1": "taken"}
    # within a batch, the second sees what the first did
    there = force_release_ask("seatlock", house.show, ("A-1",), "eve", "why", FENCE + 2)
    both = house.run(force_release_of("seatlock", [there, there]))
    assert [dict(answer.seats) for answer in both] == [{"A-1": "released"}, {"A-1": "gone"}]
    assert len(house.audited()) == 2


@scenario
def seats_freed_by_force_whose_keys_say_otherwise(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", "A-2", "A-3", "A-4", token=T1)
    house.put_mirror("A-1", "b0")
    house.put_mirror("A-2", "f1")
    house.put_mirror("A-3", "s1")
    house.drop_lock("A-4")
    assert house.force(*hold.seats) == {**dict.fromkeys(hold.seats[:3], "released"), "A-4": "gone"}
    assert [house.mirror(seat) for seat in hold.seats[:3]] == ["b0", "f1", "s1"]
    assert house.last_change() == {"A-2": "f1"}
    version = house.meta("version")
    house.acquire("A-2", token=T2)
    house.put_mirror("A-2", "b1")
    assert house.force("A-2") == {"A-2": "released"}
    assert int(house.meta("version")) == int(version) + 1, "nothing is published of it"
    house.put_lock("A-2", "junk")
    house.put_lock("A-1", "p", T1, "ada", 1, 1, house.now, "booking", "")
    with house.unchanged():
        assert house.force("A-1", "A-2") == {"A-1": "pinned", "A-2": "taken"}
        # a mirror that is lost is found when the seat is looked at; the script itself needs none
    house.put_lock("A-3", "h", T1, "ada", 1, 9, house.now + 60_000, house.now + 60_000)
    house.drop_mirror("A-3")
    ask = force_release_ask("seatlock", house.show, ("A-3",), "eve", "why", FENCE + 9)
    assert house.run(force_release_of("seatlock", [ask]))[0].seats == {"A-3": "released"}
    assert house.lock("A-3") is None


@to_the_millisecond
def a_seat_freed_by_force_at_the_last_millisecond(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", "A-2", ttl=60)
    looked_at = force_release_of(
        "seatlock", [force_release_ask("seatlock", house.show, ("A-2",), "eve", "why", hold.fence)]
    )
    house.tick_to(hold.deadline)
    assert house.force("A-1") == {"A-1": "released"}
    house.tick_to(hold.deadline + 1)  # Redis still has the lock of A-2
    with house.unchanged():
        assert house.run(looked_at)[0].seats == {"A-2": "gone"}


@scenario
def the_audit_goes_with_the_show(house: House) -> None:
    house.open(outbox=False)
    house.acquire("A-1")
    house.force("A-1")
    house.locker.retire(house.show)
    assert house.dump() == {}


# How a show is


@to_the_millisecond
def the_vitals_of_a_show(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", ttl=60)
    house.acquire("A-2", "A-3", holder="bo", ttl=90)
    house.locker.confirm(house.acquire("A-4", holder="cy"))
    version = (1, int(house.meta("version")))
    for now, holds, due in ((hold.deadline, 3, 0), (hold.deadline + 1, 2, 1)):
        house.tick_to(now)
        with house.unchanged():
            found = house.run(vitals("seatlock", house.show))
        assert (found.version, found.seats, found.unread) == (version, len(PLAN), 1)
        assert (found.holds, found.due) == (holds, due)


# Whether it adds up


@scenario
def a_show_that_adds_up(house: House) -> None:
    house.open()
    house.acquire("A-1", ttl=60)
    house.locker.confirm(house.acquire("A-2", holder="bo"))
    house.acquire("A-3", holder="cy")
    house.advance(90)
    with house.unchanged():
        checked = house.locker.check(house.show)
    assert checked.sound
    assert checked.capacity == len(SEATS)
    assert checked.counts == {"free": 2, "held": 1, "pinned": 0, "sold": 2, "blocked": 1, "channel": 0}
    assert checked.version == (1, int(house.meta("version")))


@scenario
def a_show_that_does_not_add_up(house: House) -> None:
    more = [replace(SEATS[0], id=f"C-{number}") for number in range(11)]
    house.open(plan_of([*SEATS, *more]))
    house.acquire("A-1", token=T1)
    house.put_mirror("A-1", "f0")
    house.put_mirror("A-2", "s1")
    house.put_mirror("A-3", f"h1:{house.now + 60_000}")
    house.acquire("A-4", "C-1", "C-2", "C-4")
    house.put_mirror("A-4", f"h0:{house.now + 60_000}")
    house.drop_mirror("B-1")
    house.put_lock("C-0", "junk")
    house.raw.persist(house.key("lock:C-1"))
    house.raw.zrem(house.key("due"), "C-2")
    house.raw.rpush(house.key("lock:C-3"), "no text")
    house.drop_mirror("C-4")
    house.put_mirror("C-5", "?")
    house.put_mirror("C-6", "h0")
    house.raw.pexpire(house.key("lock:B-2"), 60_000)
    house.put_lock("C-7", "p", T1, "ada", 1, 1, house.now, "booking", "")
    house.put_mirror("C-7", "p0")
    now = house.now
    house.raw.zadd(house.key("due"), {"C-8": now + 1})
    house.put_mirror("C-8", f"h0:{now - 1}")
    house.put_mirror("C-9", "f0@1")
    house.put_mirror("C-10", "c0")
    house.put_mirror("D-1", "f0")
    house.sound = False
    with house.unchanged():
        checked = house.locker.check(house.show)
    assert not checked.sound
    assert (checked.capacity, sum(checked.counts.values())) == (len(SEATS) + 11, len(SEATS) + 11 - 4)
    found = {difference.seat: (difference.kind, difference.detail) for difference in checked.differences}
    assert len(found) == len(checked.differences)
    assert found == {
        "A-1": ("state", "the lock says held, the availability hash free"),
        "A-2": ("unlocked", "the availability hash says sold, and there is no lock"),
        "A-3": ("unlocked", "the availability hash says held, and there is no lock"),
        "A-4": ("deadline", "lock and availability hash name different times"),
        "B-1": ("missing", "in the plan, and not in the availability hash"),
        "B-2": ("expiry", "it is sold, and its lock will expire"),
        "C-0": ("foreign", "its lock is nothing that seatlock writes"),
        "C-1": ("expiry", "its lock never expires"),
        "C-2": ("unswept", "held, and not among the due: no sweep will take it back"),
        "C-3": ("foreign", "its lock is nothing that seatlock writes"),
        "C-4": ("missing", "in the plan, and not in the availability hash; the lock says held"),
        "C-5": ("foreign", "its field of the availability hash is nothing that seatlock writes"),
        "C-6": ("foreign", "its field of the availability hash is nothing that seatlock writes"),
        "C-8": ("unswept", "held, and not among the due: no sweep will take it back"),
        "C-9": ("foreign", "its field of the availability hash is nothing that seatlock writes"),
        "C-10": ("foreign", "its field of the availability hash is nothing that seatlock writes"),
        "D-1": ("surplus", "in the availability hash, and not in the plan"),
    }
    assert not any(T1 in difference.detail for difference in checked.differences)
    for state in house.locker.inspect(house.show, ["C-5", "C-6"]):  # what is none of ours is not for sale
        assert (state.state, state.consistent) == ("blocked", False)
    assert "C-5" not in house.states()


@scenario
def seats_of_a_show_that_has_pools_alone(house: House) -> None:
    house.locker.warm(house.show, pools={"floor": 3})
    assert house.locker.check(house.show).sound
    house.raw.hset(house.key("seats"), mapping={"A-1": "f0", "B-1": "f0"})
    with house.unchanged():
        checked = house.locker.check(house.show)
    assert not checked.sound
    assert [(difference.seat, difference.kind) for difference in checked.differences] == [
        ("A-1", "surplus"),
        ("B-1", "surplus"),
    ]
    house.sound = False


@to_the_millisecond
def a_seat_compared_at_the_last_millisecond(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", ttl=60)
    for now in (hold.deadline, hold.deadline + 1):  # the lock is there, and past
        house.tick_to(now)
        assert house.locker.check(house.show).sound
    for field in ("s0", "p0", f"h0:{hold.deadline + 1}"):
        house.put_mirror("A-1", field)
        assert [difference.kind for difference in house.locker.check(house.show).differences] == ["unlocked"], field
