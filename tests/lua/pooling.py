"""Scenarios of pools: claims, sales, what is due, and what makes no sense."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from seatlock import (
    AcquireRequest,
    Booking,
    BookingConflict,
    ConfirmRequest,
    Hold,
    HoldLost,
    PlanConflict,
    PoolConflict,
    PoolCounts,
    ScriptFailed,
    SeatsUnavailable,
    ShowInUse,
    ShowNotFound,
    UnknownSeats,
    _pools,
    _reads,
    _upkeep,
)
from seatlock import _commands as commands
from seatlock._operation import Again, Operation
from tests.lua.arguments import NUMBERS
from tests.lua.house import PLAN, T1, T2, T3, House
from tests.lua.scenario import scenario, to_the_millisecond

POOLS = {"floor": 10, "bal cony": 3}


def claim(house: House, quantity: int, holder: str = "ada", pool: str = "floor", **options: Any) -> Hold:
    """Hold so many of a pool."""
    return house.locker.acquire(house.show, pools={pool: quantity}, holder=holder, **options)


def in_the_way(house: House, *seats: str, holder: str = "bo", **options: Any) -> dict[str, PoolConflict]:
    """Ask in vain: gives what is told of pools."""
    with house.unchanged():
        error = house.failing(SeatsUnavailable, lambda: house.acquire(*seats, holder=holder, **options))
    return error.pools


@scenario
def a_claim(house: House) -> None:
    house.open(pools=POOLS)
    hold = house.acquire("A-1", "A-2", pools={"floor": 2, "bal cony": 1}, token=T1, ttl=100)
    assert (hold.fence, hold.pools, hold.deadline) == (2**40 + 1, {"floor": 2, "bal cony": 1}, house.at(100))
    assert house.last_change().keys() == {"A-1", "A-2", "pool\nfloor", "pool\nbal cony"}
    assert (house.counts(), house.counts("bal cony")) == ("10 2 0", "3 1 0")
    assert house.pool_due() == house.pool_due("bal cony") == {"ada": hold.deadline}
    fields = house.pools()[b"h\nfloor\nada"].decode().split("\n")
    assert fields[:4] == [T1, "2", "1", "1"]
    assert (int(fields[4]), int(fields[5])) == (hold.deadline, house.at(1800))
    with house.unchanged():
        again = house.acquire("A-2", "A-1", pools={"bal cony": 1, "floor": 2}, token=T1)
    resumed = house.acquire("A-1", pools={"floor": 1}, token=T2)
    with house.unchanged():
        assert house.acquire("A-1", pools={"floor": 1}, token=T2).deadline == resumed.deadline
    assert (again.fence, again.resumed) == (hold.fence, False)
    assert (resumed.token, resumed.resumed, resumed.pools) == (T1, True, {"floor": 1})
    longer = house.locker.extend(hold, ttl=900)
    assert (longer.deadline, house.pool_due()) == (house.at(900), {"ada": longer.deadline})
    with house.unchanged():
        assert house.locker.extend(longer, ttl=1).deadline == longer.deadline
    most = house.locker.extend(longer, ttl=5000)
    assert most.deadline == house.at(1800)


@scenario
def a_sale_of_a_claim(house: House) -> None:
    house.open(pools=POOLS)
    hold = house.acquire("A-1", pools={"floor": 2, "bal cony": 1}, token=T1)
    booking = house.locker.confirm(hold, payment="pay-1")
    assert house.last_change() == {"A-1": "s0", "pool\nfloor": "10 0 2", "pool\nbal cony": "3 0 1"}
    assert house.pools()[b"s\nfloor\n1-1"].decode().split("\n")[:3] == [T1, "ada", "2"]
    assert house.pools()[f"t\nfloor\n{T1}\nada".encode()] == b"1-1"
    assert house.pool_due() == {}
    assert house.outbox()[0]["pools"] == "2 floor\n1 bal cony"
    with house.unchanged():
        assert house.locker.confirm(hold, payment="pay-1", booking="another") == booking
        for other in (replace(hold, pools={"floor": 3}), replace(hold, pools={"floor": 2, "bal cony": 2})):
            error = house.failing(BookingConflict, lambda other=other: house.locker.confirm(other, payment="pay-1"))
            assert error.booking is not None
            assert error.booking.pools == {name: {"floor": 2, "bal cony": 1}[name] for name in other.pools}
        assert house.failing(BookingConflict, lambda: house.locker.confirm(hold)).booking == booking
        lost = house.failing(HoldLost, lambda: house.locker.extend(hold, ttl=900))
        assert (lost.reason, lost.pools) == ("sold", {"floor": "sold", "bal cony": "sold"})
        assert house.locker.release(hold).pools == {"floor": 0, "bal cony": 0}
        stranger = replace(hold, seats=(), holder="bo")
        assert house.failing(HoldLost, lambda: house.locker.confirm(stranger)).pools["floor"] == "released"
    undone = house.locker.cancel(booking)
    assert (undone.pools, house.pools().keys()) == (
        {"floor": 2, "bal cony": 1},
        {b"names", b"c\nfloor", b"c\nbal cony"},
    )
    assert (house.outbox()[1]["kind"], house.outbox()[1]["pools"]) == ("cancelled", "2 floor\n1 bal cony")
    with house.unchanged():
        assert house.locker.cancel(booking).pools == {"floor": 0, "bal cony": 0}


@scenario
def part_of_a_booking_is_cancelled(house: House) -> None:
    house.open(pools=POOLS)
    booking = house.locker.confirm(house.acquire("A-1", pools={"floor": 2, "bal cony": 1}))
    assert house.locker.cancel(replace(booking, seats=(), pools={"floor": 2})).pools == {"floor": 2}
    rest = house.locker.cancel(booking)
    assert (rest.cancelled, rest.pools) == (("A-1",), {"floor": 0, "bal cony": 1})
    assert [(fact["seats"], fact["pools"]) for fact in house.outbox()[1:]] == [("", "2 floor"), ("A-1", "1 bal cony")]


@scenario
def payments_that_begin(house: House) -> None:
    house.open(pools=POOLS, max_hold=100)
    hold = house.acquire("A-1", pools={"floor": 2, "bal cony": 1}, ttl=60)
    assert house.acquire("A-1", pools={"floor": 2, "bal cony": 1}, token=T2).resumed
    paying = house.locker.begin_payment(hold, expected=120)
    assert paying.deadline == house.at(120)
    assert house.pools()[b"h\nfloor\nada"].endswith(b"pr")
    with house.unchanged():
        assert house.locker.begin_payment(hold, expected=150).deadline == paying.deadline
    more = house.acquire("A-1", pools={"floor": 3, "bal cony": 1}, token=hold.token)
    assert more.deadline == paying.deadline
    with house.unchanged():
        assert house.locker.begin_payment(more, expected=150).deadline == paying.deadline
    alone = commands.confirm("seatlock", claim(house, 1, "bo"), "pay", None, reclaim=True)
    assert house.run(commands.of_asks("seatlock", [alone]))[0].pools == {"floor": 1}
    alone = replace(alone, pools=())
    with house.unchanged():
        house.failing(ScriptFailed, lambda: house.run(commands.of_asks("seatlock", [alone])))


@scenario
def claims_in_baskets(house: House) -> None:
    house.open(pools=POOLS)
    seat = house.acquire("A-1", token=T1)
    more = house.acquire("A-1", pools={"floor": 2}, token=T1)
    assert more.fence == seat.fence
    most = house.acquire("A-1", "A-2", pools={"floor": 5, "bal cony": 3}, token=T1)
    assert (most.fence, house.counts()) == (seat.fence, "10 5 0")
    with house.unchanged():
        assert house.acquire("A-1", pools={"floor": 4}, token=T1).pools == {"floor": 4}
    other = claim(house, 1, token=T1)
    assert other.fence == seat.fence
    assert in_the_way(house, holder="ada", pools={"floor": 11}, token=T1) == {
        "floor": PoolConflict(5, house.left(600)),
    }
    booking = house.locker.confirm(replace(most, seats=(), pools={"floor": 2}))
    assert (booking.pools, house.counts()) == ({"floor": 2}, "10 0 2")
    assert house.pool_due() == {}
    assert house.pool_due("bal cony").keys() == {"ada"}
    for quantity in (4, 1):
        wanted = {"floor": quantity}
        assert in_the_way(house, holder="ada", pools=wanted, token=T1)["floor"] == PoolConflict(8, None, yours=True)
    error = house.failing(BookingConflict, lambda: house.locker.confirm(most))
    assert error.booking is not None
    assert (error.booking.seats, error.booking.pools) == ((), {"floor": 2})
    assert house.locker.release(most).pools == {"floor": 0, "bal cony": 3}
    assert house.counts() == "10 0 2"


@scenario
def a_claim_that_grows_keeps_its_time_and_its_marks(house: House) -> None:
    house.open(pools=POOLS, max_hold=1000, limit=6)
    first = claim(house, 1, ttl=900)
    assert claim(house, 1, token=T2).resumed
    house.advance(100)
    house.acquire("A-1", token=first.token, ttl=60)
    more = house.acquire("A-1", pools={"floor": 3}, token=first.token)
    assert (more.ttl, more.fence) == (house.left(60), first.fence + 1)
    kept = house.pools()[b"h\nfloor\nada"].decode()
    assert kept == f"{first.token}\n3\n1\n2\n{first.deadline}\n{first.deadline + 100_000}r" or not house.exact
    house.advance(90)
    assert house.locker.confirm(replace(more, seats=())).pools == {"floor": 3}
    # nor does a claim last longer in a basket that ends later
    short = house.acquire(holder="bo", pools={"floor": 1}, token=T3, ttl=60)
    seat = house.acquire("A-2", holder="bo", token=T3, ttl=90)
    more = house.acquire("A-2", holder="bo", pools={"floor": 2}, token=T3)
    assert (more.deadline, house.pool_due()) == (short.deadline, {"bo": short.deadline})
    assert seat.deadline > more.deadline


@scenario
def claims_under_several_tokens(house: House) -> None:
    house.open(pools=POOLS)
    house.acquire("A-1", token=T1)
    claim(house, 1, token=T2)
    claim(house, 1, pool="bal cony", token=T3)
    for seats, pools in (((), {"floor": 1, "bal cony": 1}), (("A-1",), {"floor": 1}), (("A-2",), {"floor": 1})):
        assert in_the_way(house, *seats, holder="ada", pools=pools)["floor"].yours
    assert claim(house, 1).token == T2
    assert in_the_way(house, holder="ada", pools={"floor": 2})["floor"] == PoolConflict(9, house.left(600), yours=True)


@scenario
def two_holders_with_one_token(house: House) -> None:
    house.open(pools=POOLS)
    holds = [claim(house, quantity, holder, token=T1) for quantity, holder in ((2, "ada"), (3, "bo"))]
    bookings = [house.locker.confirm(hold) for hold in holds]
    assert house.counts() == "10 0 5"
    with house.unchanged():
        assert [house.locker.confirm(hold) for hold in holds] == bookings
    assert [house.locker.cancel(booking).pools["floor"] for booking in bookings] == [2, 3]


@scenario
def pools_that_are_not_there(house: House) -> None:
    house.open(pools={"floor": 3})
    with house.unchanged():
        for seats, pools in ((("X", "A-1", "Y"), {"floor": 1, "moon": 1, "sun": 1}), ((), {"sun": 1, "moon": 1})):
            error = house.failing(UnknownSeats, lambda seats=seats, pools=pools: house.acquire(*seats, pools=pools))
            assert error.seats == tuple(seat for seat in seats if seat != "A-1")
            assert error.pools == tuple(pool for pool in pools if pool != "floor")
    hold = Hold(house.show, (), "ada", T1, 1, 1.0, deadline=0, pools={"sun": 1})
    with house.unchanged():
        for call in (lambda: house.locker.confirm(hold), lambda: house.locker.extend(hold, ttl=1)):
            assert house.failing(HoldLost, call).pools == {"sun": "expired"}
        assert house.locker.release(hold).pools == {"sun": 0}
        booking = Booking("b", house.show, (), "ada", None, 2**40 + 1, 0.0, pools={"sun": 1})
        assert house.locker.cancel(booking).pools == {"sun": 0}


@scenario
def a_batch_sees_what_it_does(house: House) -> None:
    house.open(pools={"floor": 5})
    answers = house.locker.acquire_many(
        house.show,
        [
            AcquireRequest([], "ada", pools={"floor": 4}),
            AcquireRequest([], "bo", pools={"floor": 2}),
            AcquireRequest(["A-1"], "cy", pools={"floor": 1}),
            AcquireRequest(["A-1"], "di", pools={"floor": 1}),
            AcquireRequest([], "ada", pools={"floor": 4}),
        ],
    )
    holds = [answer for answer in answers if isinstance(answer, Hold)]
    assert [hold.holder for hold in holds] == ["ada", "cy", "ada"]
    assert holds[2].resumed
    assert isinstance(answers[1], SeatsUnavailable)
    assert answers[1].pools["floor"].retry_after in (None, house.left(600))
    assert isinstance(answers[3], SeatsUnavailable)
    assert (set(answers[3].conflicts), set(answers[3].pools)) == ({"A-1"}, {"floor"})
    booked = house.locker.confirm_many(house.show, [ConfirmRequest(hold) for hold in holds])
    assert booked[0] == booked[2]
    bookings = [answer for answer in booked if isinstance(answer, Booking)]
    asks = [commands.cancel("seatlock", booking) for booking in bookings]
    undone = house.run(commands.of_asks("seatlock", asks))
    assert [answer.pools["floor"] for answer in undone] == [4, 1, 0]
    assert house.counts() == "5 0 0"


@to_the_millisecond
def a_claim_at_its_last_millisecond(house: House) -> None:
    house.open(pools=POOLS)
    hold = claim(house, 10, ttl=60)
    house.tick_to(hold.deadline)
    assert house.locker.sweep(house.show) == 0
    assert in_the_way(house, pools={"floor": 1}) == {"floor": PoolConflict(0, 0.0)}
    assert house.locker.availability(house.show).pools["floor"] == PoolCounts(10, 0, 10, 0)
    assert house.locker.extend(hold, ttl=0.001).deadline == house.now + 1
    house.tick_to(house.now + 2)
    assert house.locker.availability(house.show).pools["floor"] == PoolCounts(10, 10, 0, 0)
    with house.unchanged():
        for call in (lambda: house.locker.confirm(hold), lambda: house.locker.extend(hold, ttl=9)):
            assert house.failing(HoldLost, call).pools == {"floor": "expired"}
        assert house.locker.release(hold).pools == {"floor": 0}
    assert claim(house, 10, "bo").fence > hold.fence
    assert (house.counts(), set(house.pool_due())) == ("10 10 0", {"bo"})


@scenario
def claims_that_ran_out_and_come_again(house: House) -> None:
    house.open(pools=POOLS)
    claim(house, 6, token=T1, ttl=60)
    claim(house, 2, "bo", ttl=60)
    house.advance(61)
    again = claim(house, 7, token=T1)
    assert (again.fence, house.counts()) == (2**40 + 3, "10 9 0")
    assert house.pool_due().keys() == {"ada", "bo"}
    assert claim(house, 2, "cy").pools == {"floor": 2}
    assert (house.counts(), house.pool_due().keys()) == ("10 9 0", {"ada", "cy"})
    old = Hold(house.show, (), "ada", T1, 1, 60.0, deadline=again.deadline, pools={"floor": 8})
    assert house.failing(HoldLost, lambda: house.locker.confirm(old)).pools == {"floor": "released"}


@scenario
def claims_that_are_due_by_mistake(house: House) -> None:
    house.open(pools=POOLS)
    hold = claim(house, 4)
    house.sound = False
    house.raw.zadd(house.key("pool-due:floor"), {"ada": 1, "nobody": 1})
    assert house.locker.availability(house.show).pools["floor"] == PoolCounts(10, 6, 4, 0)
    assert house.locker.sweep(house.show) == 0
    assert house.pool_due() == {"ada": hold.deadline}
    assert house.counts() == "10 4 0"


@scenario
def a_pool_is_swept(house: House) -> None:
    house.open(pools=POOLS)
    claim(house, 4, ttl=60)
    claim(house, 1, "bo")
    house.advance(61)
    version = int(house.meta("version"))
    assert house.locker.sweep(house.show) == 4
    assert house.last_change() == {"pool\nfloor": "10 1 0"}
    assert (int(house.meta("version")), house.pool_due().keys()) == (version + 1, {"bo"})
    with house.unchanged():
        assert house.run(_pools.sweep("seatlock", house.show, "moon")) == (0, False)
        sweep = _pools.sweep("seatlock", house.show, "floor")
        for limit in ("1001", *NUMBERS):
            sweep.args = [limit.encode()]
            house.failing(ScriptFailed, lambda: house.run(sweep))


@scenario
def more_is_due_than_one_call_may_take_back(house: House) -> None:
    house.open(pools={"floor": 300})
    short = [AcquireRequest([], f"h-{n}", 60, pools={"floor": 1}) for n in range(300)]
    house.locker.acquire_many(house.show, short)
    house.advance(61)
    ask = commands.acquire("seatlock", house.show, (), "bo", 60, T1, {"floor": 300})
    for left in (172, 44):
        (answer,) = house.run(commands.of_asks("seatlock", [ask]))
        assert isinstance(answer, Again)
        assert house.counts() == f"300 {left} 0"
        assert house.last_change() == {"pool\nfloor": f"300 {left} 0"}
    assert isinstance(house.run(commands.of_asks("seatlock", [ask]))[0], Hold)
    assert house.counts() == "300 300 0"
    house.locker.release(house.locker.acquire(house.show, holder="bo", pools={"floor": 300}))
    house.locker.acquire_many(house.show, short)
    house.advance(61)
    taken = [house.acquire("A-1", holder="cy")]
    both = [commands.acquire("seatlock", house.show, seats, "bo", 60, T2, {"floor": 300}) for seats in (["A-1"], ())]
    refused, again = house.run(commands.of_asks("seatlock", both))
    assert (set(refused.conflicts), refused.pools, type(again)) == ({"A-1"}, {}, Again)
    assert house.locker.acquire(house.show, holder="bo", pools={"floor": 300}).pools == {"floor": 300}
    assert taken


@scenario
def many_due_claims_are_read_in_part(house: House) -> None:
    house.open(pools={"floor": 600})
    short = [AcquireRequest([], f"h-{n}", 60, pools={"floor": 1}) for n in range(600)]
    house.locker.acquire_many(house.show, short)
    house.advance(61)
    assert house.locker.availability(house.show).pools["floor"] == PoolCounts(600, 500, 100, 0)
    assert house.locker.sweep(house.show) == 600


@scenario
def a_full_server_gives_pools_back(house: House) -> None:
    house.open(pools=POOLS)
    hold, booked = claim(house, 2), house.locker.confirm(claim(house, 3, "bo"))
    claim(house, 1, "cy", ttl=60)
    house.advance(61)
    with house.full():
        with house.unchanged():
            for call in (
                lambda: claim(house, 1, "di"),
                lambda: house.locker.extend(hold, ttl=900),
                lambda: house.locker.confirm(hold),
                lambda: house.locker.warm(house.show, PLAN, pools={**POOLS, "floor": 20}),
            ):
                house.failing(ScriptFailed, call)
        assert house.locker.release(hold).pools == {"floor": 2}
        assert house.locker.cancel(booked).pools == {"floor": 3}
        assert house.locker.sweep(house.show) == 1
    assert house.counts() == "10 0 0"


# Warming and retiring


@scenario
def stock(house: House) -> None:
    house.open(pools=POOLS)
    assert house.pools() == {b"names": b"floor\nbal cony", b"c\nfloor": b"10 0 0", b"c\nbal cony": b"3 0 0"}
    claim(house, 2)
    house.locker.confirm(claim(house, 3, "bo"))
    house.locker.confirm(claim(house, 3, "bo", "bal cony"))
    assert in_the_way(house, pools={"bal cony": 1}) == {"bal cony": PoolConflict(0)}
    house.locker.warm(house.show, PLAN, pools={"bal cony": 4, "floor": 5})
    assert (house.counts(), house.counts("bal cony")) == ("5 2 3", "4 0 3")
    assert house.pools()[b"names"] == b"bal cony\nfloor"
    with house.unchanged():
        for pools, told in (
            ({"bal cony": 4, "floor": 4}, {"floor": "2 held and 3 sold"}),
            ({"floor": 5}, {"bal cony": "not named"}),
            (None, {"bal cony": "not named", "floor": "not named"}),
        ):
            error = house.failing(PlanConflict, lambda pools=pools: house.locker.warm(house.show, PLAN, pools=pools))
            assert error.conflicts == told
    version = int(house.meta("version"))
    house.run(_pools.stock("seatlock", house.show, (("bal cony", 4), ("floor", 5))))
    assert int(house.meta("version")) == version
    house.run(_pools.stock("seatlock", house.show, (("floor", 6), ("bal cony", 4))))
    assert house.last_change() == {"": "plan", "pool\nfloor": "6 2 3"}
    step = _pools.stock("seatlock", house.show, (("floor", 6), ("bal cony", 4)))
    for capacity in (str(10**9 + 1), *NUMBERS):
        step.args[0] = capacity.encode()
        with house.unchanged():
            house.failing(ScriptFailed, lambda: house.run(step))
    step.args.pop()
    with house.unchanged():
        assert "is missing" in str(house.failing(ScriptFailed, lambda: house.run(step)))
    step.args = [b"1000000000", b"4"]
    house.run(step)
    assert house.counts() == "1000000000 2 3"


@scenario
def stock_that_was_lost(house: House) -> None:
    house.open(pools=POOLS)
    house.put_pool("c\nfloor", None)
    with house.unchanged():
        error = house.failing(ScriptFailed, lambda: house.locker.warm(house.show, PLAN, pools=POOLS))
        assert "'floor'" in str(error)
        house.failing(UnknownSeats, lambda: claim(house, 1))
    house.raw.delete(house.key("pool-due:floor"))
    house.locker.warm(house.show, PLAN, pools=POOLS)
    assert house.counts() == "10 0 0"


@scenario
def a_show_of_pools_alone(house: House) -> None:
    house.locker.warm(house.show, pools={"floor": 5})
    house.locker.open_sale(house.show)
    hold = claim(house, 5)
    assert house.locker.availability(house.show).pools == {"floor": PoolCounts(5, 0, 5, 0)}
    assert house.failing(ShowInUse, lambda: house.locker.retire(house.show)).holds == 1
    house.locker.confirm(hold)
    house.sound = False
    house.failing(Again, lambda: house.run(_upkeep.retire("seatlock", house.show, "discard")))
    house.run(_upkeep.retire("seatlock", house.show, "discard", ["floor"]))
    assert house.dump() == {}


@scenario
def a_show_that_is_being_retired_gets_no_pools(house: House) -> None:
    house.open()
    house.run(_upkeep.retire("seatlock", house.show, "discard"))
    with house.unchanged():
        house.failing(ShowInUse, lambda: house.run(_pools.stock("seatlock", house.show, (("floor", 1),))))


@scenario
def a_pool_of_no_show_is_not_swept(house: House) -> None:
    house.failing(ShowNotFound, lambda: house.run(_pools.sweep("seatlock", house.show, "floor")))


@scenario
def pools_that_nobody_warmed_are_not_read(house: House) -> None:
    house.open(pools=POOLS)
    for names in ((), ("floor",), ("bal cony", "floor"), ("floor", "bal cony", "moon")):
        found = house.run(_reads.mirrors("seatlock", house.show, ["A-1"], names))
        assert (found.pools.names, found.pools.counts) == (("floor", "bal cony"), {})
    changes = house.run(_reads.changes("seatlock", house.show, 1, 0, ("floor", "bal cony")))
    assert changes.pools.counts["floor"] == PoolCounts(10, 10, 0, 0)


# What makes no sense


def with_argument(house: House, operation: Operation[Any], at: int, value: bytes) -> str:
    """What a call is told that has another argument; nothing is written."""
    args = [*operation.args]
    args[at] = value
    call = Operation(operation.script, house.show, operation.keys, args, list)
    with house.unchanged():
        return str(house.failing(ScriptFailed, lambda: house.run(call)))


@scenario
def arguments_behind_the_requests(house: House) -> None:
    house.open(pools=POOLS)
    hold = house.acquire("A-1", pools={"floor": 2, "bal cony": 1})
    booking = house.locker.confirm(house.acquire("A-2", pools={"floor": 1}, holder="bo"))
    for ask in (
        commands.acquire("seatlock", house.show, ["A-3"], "cy", 60, T2, {"floor": 2}),
        commands.extend("seatlock", hold, 60),
        commands.confirm("seatlock", hold, None, None),
        commands.release("seatlock", hold),
        commands.cancel("seatlock", booking),
    ):
        operation = commands.of_asks("seatlock", [ask])
        for value in (
            b"",
            b"p",
            b"p 1",
            b"p 1 1",
            b"p 1 1 1 1",
            b"q 1 1 1",
            b"P 1 1 1",
            b"1 1 1",
            b"p  1 1 1",
            b" p 1 1 1",
        ):
            assert "SEATLOCK" in with_argument(house, operation, -1, value)
        for number in ("2", *NUMBERS):
            assert "SEATLOCK" in with_argument(house, operation, -1, f"p {number} 1 1".encode())
        for number in ("33", *NUMBERS):
            assert "SEATLOCK" in with_argument(house, operation, -1, f"p 1 {number} 1".encode())
        for number in ("1000001", *NUMBERS):
            assert "SEATLOCK" in with_argument(house, operation, -1, f"p 1 1 {number}".encode())
        with_argument(house, operation, -1, b"p 1 9 1")  # there is no such key
        alone = commands.of_asks("seatlock", [replace(ask, seats=(), keys=(), pools=())])
        alone.args[-1] = b" ".join([*alone.args[-1].split(b" ")[:-1], b"0"])
        with house.unchanged():
            error = house.failing(ScriptFailed, lambda alone=alone: house.run(alone))
        assert "whole number from 1 to 512" in str(error)


@scenario
def pools_that_say_nothing_we_know(house: House) -> None:
    house.open(pools=POOLS)
    hold = claim(house, 2)
    booked = house.locker.confirm(claim(house, 3, "bo"))
    for field, odd in (
        ("c\nfloor", ("", "10", "10 2", "10 2 3 4", "x 2 3", "10 -2 3", "10 2.0 3", "1000000001 2 3", "10 2 3\n")),
        ("h\nfloor\nada", ("x", "a\nb\nc", f"{hold.token}\n2\n1\n1\n5")),
    ):
        right = house.pools()[field.encode()].decode()
        for value in odd:
            house.put_pool(field, value)
            with house.unchanged():
                house.failing((ScriptFailed, UnknownSeats), lambda: claim(house, 1))  # type: ignore[arg-type]
        house.put_pool(field, right)
    house.put_pool("s\nfloor\n1-2", "x")
    with house.unchanged():
        assert "a sale of a pool" in str(house.failing(ScriptFailed, lambda: house.locker.cancel(booked)))
    house.put_pool("s\nfloor\n1-2", None)
    house.put_pool("c\nfloor", "10 1 3")
    with house.unchanged():
        assert "do not add up" in str(house.failing(ScriptFailed, lambda: house.locker.release(hold)))
