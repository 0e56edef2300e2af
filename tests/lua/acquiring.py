"""Scenarios of acquire: who gets a seat, who does not and why, what a hold is, and what it leaves in Redis."""

from __future__ import annotations

from seatlock import AcquireRequest, Hold, SaleNotOpen, Seat, SeatsUnavailable, UnknownSeats
from tests.lua.house import T1, T2, T3, House
from tests.lua.scenario import scenario, to_the_millisecond

FENCE = 2**40


@scenario
def a_first_hold(house: House) -> None:
    house.open()
    with house.one_change(A_1=house.held(0, 600), A_2=house.held(1, 600)):
        hold = house.acquire("A-1", "A-2", token=T1)
    assert (hold.seats, hold.holder, hold.token, hold.fence) == (("A-1", "A-2"), "ada", T1, FENCE + 1)
    assert (hold.ttl, hold.deadline, hold.resumed) == (house.left(600), house.at(600), False)
    for seat, category in (("A-1", 0), ("A-2", 1)):
        assert house.lock(seat) == ["h", T1, "ada", 1, 1, hold.deadline, house.at(1800)]
        assert house.raw.pexpiretime(house.key(f"lock:{seat}")) == hold.deadline
        assert house.mirror(seat) == f"h{category}:{hold.deadline}"
    assert house.due() == {"A-1": hold.deadline, "A-2": hold.deadline}
    assert house.meta("fence") == "1"
    assert house.acquire("A-3", holder="bo").fence == FENCE + 2
    assert house.meta("fence") == "2"
    assert house.lock("A-4") is None


@scenario
def the_same_request_again(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", "A-2", token=T1)
    house.advance(100)
    with house.unchanged():
        again = house.acquire("A-1", "A-2", token=T1, ttl=900)
        part = house.acquire("A-2", token=T1)
    assert (again.token, again.fence, again.resumed, again.deadline) == (T1, hold.fence, False, hold.deadline)
    assert (part.fence, part.deadline, part.ttl) == (hold.fence, hold.deadline, house.left(500))


@scenario
def a_page_is_refreshed(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", "A-2", token=T1)
    house.advance(100)
    assert not house.was_resumed("A-1")
    with house.unchanged():
        again = house.acquire("A-2", "A-1", token=T2, ttl=900)
        assert house.was_resumed("A-1")
        part = house.acquire("A-2")
    assert (again.resumed, again.token, again.fence, again.ttl) == (True, T1, hold.fence, house.left(500))
    assert (part.resumed, part.token, part.seats, part.deadline) == (True, T1, ("A-2",), hold.deadline)


@scenario
def a_basket_grows(house: House) -> None:
    house.open(max_hold=1000)
    first = house.acquire("A-1", token=T1, ttl=300)
    house.advance(100)
    whole = house.acquire("A-1", "A-2", token=T1, ttl=900)
    assert (whole.fence, whole.deadline, whole.ttl) == (first.fence, first.deadline, house.left(200))
    assert house.lock("A-2") == house.lock("A-1") == ["h", T1, "ada", 1, 1, first.deadline, house.at(900)]
    alone = house.acquire("A-3", token=T1, ttl=300)
    assert (alone.fence, alone.deadline) == (FENCE + 2, house.at(300))
    # the whole of it: the highest fence, the soonest deadline and lifetime
    basket = house.acquire("A-3", "A-1", "A-4", token=T1)
    assert (basket.fence, basket.deadline) == (FENCE + 2, first.deadline)
    assert house.lock("A-4") == ["h", T1, "ada", 1, 2, first.deadline, house.at(900)]
    assert house.acquire("A-1", "A-3", token=T1).fence == FENCE + 2
    assert house.meta("fence") == "2"


@scenario
def seats_in_the_way(house: House) -> None:
    house.open()
    house.acquire("A-1", holder="ada", ttl=600)
    house.locker.confirm(house.acquire("A-2", holder="ada"))
    assert house.refused("A-1") == {"A-1": ("held", house.left(600), False, False)}
    assert house.refused("A-3", "A-2", "A-1", "B-1", "B-2") == {
        "A-2": ("sold", None, False, False),
        "A-1": ("held", house.left(600), False, False),
        "B-1": ("blocked", None, False, False),
        "B-2": ("sold", None, False, False),
    }
    assert house.refused("A-2", holder="ada") == {"A-2": ("sold", None, True, False)}
    assert house.lock("A-3") is None
    with house.unchanged():
        error = house.failing(UnknownSeats, lambda: house.acquire("A-3", "C-1", "A-1", "C-2", holder="bo"))
    assert error.seats == ("C-1", "C-2")


@scenario
def own_seats_in_the_way(house: House) -> None:
    house.open()
    house.acquire("A-1", token=T1)
    yours = ("held", house.left(600), True, False)
    assert house.refused("A-1", "A-3", holder="ada") == {"A-1": yours}
    assert house.refused("A-1", "A-3", holder="ada", token=T2) == {"A-1": yours}
    house.acquire("A-2", token=T2)
    assert house.refused("A-1", "A-2", holder="ada") == {"A-1": yours, "A-2": yours}
    assert house.refused("A-2", "A-1", holder="ada", token=T3) == {"A-1": yours, "A-2": yours}
    assert house.refused("A-1", "A-2", holder="ada", token=T1) == {"A-2": yours}
    # the second of three under one token, the others under another
    house.acquire("A-3", "A-4", token=T3)
    assert house.refused("A-3", "A-2", "A-4", holder="ada").keys() == {"A-2", "A-3", "A-4"}


@scenario
def a_token_of_somebody_else(house: House) -> None:
    house.open()
    house.acquire("A-1", token=T1)
    assert house.refused("A-1", holder="bo", token=T1) == {"A-1": ("held", house.left(600), False, False)}
    assert house.refused("A-1", holder="ada2", token=T1) == {"A-1": ("held", house.left(600), False, False)}
    assert house.refused("A-1", "A-2", holder="bo", token=T1).keys() == {"A-1"}


@scenario
def a_sale_that_is_not_open(house: House) -> None:
    house.locker.warm(house.show, ["A-1", "A-2", "A-3"])
    with house.unchanged():
        assert house.failing(SaleNotOpen, lambda: house.acquire("A-1")).status == "closed"
    house.locker.open_sale(house.show)
    hold = house.acquire("A-1", token=T1)
    house.locker.pause_sale(house.show)
    with house.unchanged():
        assert house.failing(SaleNotOpen, lambda: house.acquire("A-2")).status == "paused"
        assert house.failing(SaleNotOpen, lambda: house.acquire("A-1", holder="bo")).status == "paused"
        assert house.failing(SaleNotOpen, lambda: house.acquire("A-1", "A-2", token=T1)).status == "paused"
        assert house.acquire("A-1", token=T1).fence == hold.fence
        assert house.acquire("A-1").resumed
        house.failing(UnknownSeats, lambda: house.acquire("nowhere"))


@scenario
def how_long_a_hold_lasts(house: House) -> None:
    house.open(max_hold=500)
    assert house.acquire("A-1", ttl=600).ttl == house.left(500)
    assert house.acquire("A-2", ttl=499, holder="bo").ttl == house.left(499)
    house.advance(499.5 if house.exact else 470)
    assert house.states()["A-1"] == "held"
    house.advance(60)
    assert set(house.states().values()) == {"free", "blocked", "sold"}
    assert house.acquire("A-1", "A-2", holder="cy").fence == FENCE + 3
    assert house.lock("A-1") == ["h", house.acquire("A-1", holder="cy").token, "cy", 1, 3, house.at(500), house.at(500)]


@to_the_millisecond
def the_last_millisecond_of_a_hold(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", "A-2", token=T1, ttl=60)
    house.tick_to(hold.deadline)
    assert house.refused("A-1") == {"A-1": ("held", 0.0, False, False)}
    assert house.acquire("A-1", token=T1).ttl == 0
    assert house.states()["A-1"] == "held"
    house.tick_to(hold.deadline + 1)  # Redis still has the locks, as it may for a moment
    assert house.states()["A-1"] == "free"
    taken = house.acquire("A-1", holder="bo", token=T2, ttl=60)
    assert (taken.fence, taken.deadline) == (FENCE + 2, house.at(60))
    assert house.lock("A-1") == ["h", T2, "bo", 1, 2, house.at(60), house.at(1800)]
    assert house.lock("A-2") == ["h", T1, "ada", 1, 1, hold.deadline, house.at(1800).value - 60_001]
    assert house.mirror("A-2") == "f1"  # swept on the way
    assert house.due() == {"A-1": house.at(60)}
    # nobody has it: neither its old holder, by token or by name, nor a basket
    fresh = house.acquire("A-2", token=T1, ttl=60)
    assert (fresh.fence, fresh.resumed, fresh.deadline) == (FENCE + 3, False, house.at(60))


@to_the_millisecond
def the_last_millisecond_of_a_lost_lock(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", ttl=60)
    house.drop_lock("A-1")
    house.tick_to(hold.deadline)
    assert house.refused("A-1") == {"A-1": ("held", 0.0, False, True)}
    house.tick_to(hold.deadline + 1)
    assert house.acquire("A-1", holder="bo").fence == FENCE + 2


@to_the_millisecond
def a_lock_that_redis_has_still(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", "A-2", token=T1, ttl=60)
    house.tick_to(hold.deadline + 1)
    both = house.locker.acquire_many(
        house.show, [AcquireRequest(["A-1"], "bo", 60, T2), AcquireRequest(["A-2", "A-1"], "cy", 60, T3)]
    )
    assert [type(answer) for answer in both] == [Hold, SeatsUnavailable]
    assert house.lock("A-1") == ["h", T2, "bo", 1, 2, house.at(60), house.at(1800)]


@scenario
def due_seats_come_back_on_the_way(house: House) -> None:
    seats = [f"S-{number}" for number in range(40)]
    house.open([Seat(seat, category="x" if number % 2 else "y") for number, seat in enumerate(seats)])
    for seat in seats[:36]:
        house.acquire(seat, ttl=100)
    assert len(house.due()) == 36
    house.advance(130)
    with house.unchanged():
        house.failing(UnknownSeats, lambda: house.acquire("nowhere"))
    house.acquire("S-0", "S-38", holder="bo", token=T1)
    change = house.last_change()
    freed = {seat: field for seat, field in change.items() if field.startswith("f")}
    assert change.keys() - freed.keys() == {"S-0", "S-38"}
    assert len(freed) == 31  # and S-0, which was due first, is held again
    assert len(house.due().keys() - {"S-0", "S-38"}) == 4
    assert all(field == f"f{int(seat[2:]) % 2}" for seat, field in freed.items())
    assert all(house.mirror(seat) == field for seat, field in freed.items())
    assert house.due()["S-0"] == house.at(600)


@scenario
def what_is_due_by_mistake(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", token=T1)
    house.locker.confirm(house.acquire("A-2"))
    for seat in ("A-1", "A-2", "A-3", "nowhere"):
        house.put_due(seat, house.now - 5000)
    house.acquire("A-4", holder="bo")
    assert house.last_change().keys() == {"A-4"}
    assert house.due() == {"A-1": hold.deadline, "A-4": house.at(600)}
    assert house.states()["A-2"] == "sold"


@scenario
def mirrors_that_fell_behind(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", "A-2", token=T1)
    field = f"h0:{hold.deadline}"
    for wrong in ("f0", "s0", f"h0:{hold.deadline - 1000}", f"h0:{hold.deadline + 1000}"):
        house.put_mirror("A-1", wrong)
        house.raw.zrem(house.key("due"), "A-1")
        again = house.acquire("A-1", "A-2", token=T1)
        assert (again.deadline, house.mirror("A-1"), house.due()["A-1"]) == (hold.deadline, field, hold.deadline)
        assert house.last_change() == {"A-1": field}
    house.put_mirror("A-2", "f1")
    assert house.acquire("A-2").resumed
    assert house.last_change() == {"A-2": f"h1:{hold.deadline}"}
    assert house.lock("A-2") == ["h", T1, "ada", 1, 1, hold.deadline, house.at(1800)]
    # also when another seat joins
    house.put_mirror("A-2", "f1")
    house.acquire("A-1", "A-2", "A-3", token=T1)
    assert house.last_change() == {"A-2": f"h1:{hold.deadline}", "A-3": f"h1:{hold.deadline}"}
    # twice in a batch: written once
    house.put_mirror("A-1", "f0")
    version = int(house.meta("version"))
    house.locker.acquire_many(house.show, [AcquireRequest(["A-1"], "ada"), AcquireRequest(["A-1"], "ada", 600, T1)])
    assert house.last_change() == {"A-1": field}
    assert int(house.meta("version")) == version + 1
    # a mirror that says free gives nobody the seat
    house.put_mirror("A-1", "f0")
    assert house.refused("A-1") == {"A-1": ("held", house.left(600), False, False)}


@scenario
def locks_that_are_lost(house: House) -> None:
    house.open()
    house.acquire("A-1", "A-2", token=T1)
    house.drop_lock("A-1")
    assert house.refused("A-1", holder="ada", token=T1) == {"A-1": ("held", house.left(600), False, True)}
    house.drop_lock("B-2")
    house.put_mirror("A-3", "p1")
    assert house.refused("B-2", "A-3", "B-1", "A-2") == {
        "B-2": ("sold", None, False, True),
        "A-3": ("pinned", None, False, True),
        "B-1": ("blocked", None, False, False),
        "A-2": ("held", house.left(600), False, False),
    }
    house.advance(630)
    assert house.acquire("A-1", holder="bo").fence == FENCE + 2


@scenario
def locks_that_are_not_ours(house: House) -> None:
    house.open()
    whole = ["h", T1, "ada", 1, 1, house.now + 60_000, house.now + 90_000]
    for wrong in (
        ["xh", *whole[1:]],
        ["junk"],
        [""],
        ["x", *whole[1:]],
        whole[:6],
        [*whole, 1],
        [*whole[:5], "soon", 1],
        [*whole[:6], ""],
    ):
        house.put_lock("A-1", *wrong)
        assert house.refused("A-1", holder="ada", token=T1) == {"A-1": ("held", None, False, True)}
    house.put_lock("A-1", *whole)
    assert house.refused("A-1")["A-1"][0] == "held"
    assert house.acquire("A-1", token=T1).deadline == whole[5]


@scenario
def pinned_seats(house: House) -> None:
    house.open()
    house.put_lock("A-1", "p", T1, "ada", 1, 1, house.now, "booking", "paid")
    house.put_mirror("A-1", "p0")
    assert house.refused("A-1") == {"A-1": ("pinned", None, False, False)}
    assert house.refused("A-1", holder="ada", token=T1) == {"A-1": ("pinned", None, True, False)}
    assert house.refused("A-1", "A-2", holder="ada", token=T1) == {"A-1": ("pinned", None, True, False)}


@scenario
def a_batch_of_rivals(house: House) -> None:
    house.open()
    with house.one_change(A_1=house.held(0, 600), A_2=house.held(1, 300), A_3=house.held(1, 300)):
        answers = house.locker.acquire_many(
            house.show,
            [
                AcquireRequest(["A-1"], "ada", 600, T1),
                AcquireRequest(["A-1"], "bo"),
                AcquireRequest(["A-2", "A-1"], "bo"),
                AcquireRequest(["A-2", "nowhere"], "bo"),
                AcquireRequest(["A-2", "A-3"], "bo", 300, T2),
                AcquireRequest(["A-1"], "ada", 100, T1),
                AcquireRequest(["A-1"], "ada", 100, T3),
                AcquireRequest(["A-3"], "cy", 100, T2),
            ],
        )
    kinds = [Hold, SeatsUnavailable, SeatsUnavailable, UnknownSeats, Hold, Hold, Hold, SeatsUnavailable]
    assert [type(answer) for answer in answers] == kinds
    holds = [answer for answer in answers if isinstance(answer, Hold)]
    assert [(hold.token, hold.fence - FENCE, hold.resumed) for hold in holds] == [
        (T1, 1, False),
        (T2, 2, False),
        (T1, 1, False),
        (T1, 1, True),
    ]
    assert [hold.ttl for hold in holds] == [house.left(600), house.left(300), house.left(600), house.left(600)]
    assert house.lock("A-3") == ["h", T2, "bo", 1, 2, house.at(300), house.at(1800)]
    assert house.meta("fence") == "2"


@scenario
def seats_of_one_category_and_many_deadlines(house: House) -> None:
    house.open()
    with house.one_change(
        A_1=house.held(0, 600), A_4=house.held(0, 300), A_2=house.held(1, 300), A_3=house.held(1, 600)
    ):
        house.locker.acquire_many(
            house.show,
            [
                AcquireRequest(["A-1"], "ada", 600),
                AcquireRequest(["A-4", "A-2"], "bo", 300),
                AcquireRequest(["A-3"], "cy", 600),
            ],
        )


@scenario
def seats_that_are_called_like_parts_of_keys(house: House) -> None:
    seats = ["es", "x", "ed", "lock:", "meta", "s"]
    house.open(seats)
    for seat in seats:
        hold = house.acquire(seat, holder=seat)
        assert house.lock(seat)[2] == seat  # type: ignore[index]
        assert house.locker.cancel(house.locker.confirm(house.locker.extend(hold, ttl=900))).cancelled == (seat,)
    assert house.locker.warm(house.show, seats).kept == len(seats)


@scenario
def a_refused_request_does_not_lead_the_next_astray(house: House) -> None:
    house.open()
    for refused, seat in ((["A-1", "nowhere"], "A-2"), (["nowhere", "A-1"], "A-3")):
        answers = house.locker.acquire_many(
            house.show, [AcquireRequest(refused, "ada"), AcquireRequest([seat], "bo", 600, T1)]
        )
        assert [type(answer) for answer in answers] == [UnknownSeats, Hold]
        assert house.lock("A-1") is None
        assert house.lock(seat)[1:3] == [T1, "bo"]  # type: ignore[index]
        house.locker.release(house.acquire(seat, holder="bo"))
