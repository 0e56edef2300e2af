"""Scenarios of payments that come late for quantities of pools: what is regained, and what stands in the way."""

from __future__ import annotations

from msgspec.structs import replace

from seatlock import (
    AcquireRequest,
    Booking,
    BookingConflict,
    ConfirmRequest,
    Hold,
    HolderLimitExceeded,
    HoldLost,
    PoolConflict,
    ScriptFailed,
)
from seatlock import _commands as commands
from seatlock._commands import derived_booking_id, reclaiming_token
from seatlock._operation import Again
from seatlock._tokens import hash_of
from tests.lua.house import PLAN, T1, T2, T3, House
from tests.lua.late import FENCE, NEW, late
from tests.lua.pooling import POOLS, claim, in_the_way
from tests.lua.scenario import scenario, to_the_millisecond

APART = f"ada\n{NEW[:16]}"
"""Where what is being regained stands."""


def lost(house: House, hold: Hold) -> dict[str, str]:
    """How a late payment is refused, which changes nothing."""
    with house.unchanged():
        error = house.failing(HoldLost, lambda: late(house, hold))
    assert (error.payment, error.paid_for, error.paid_pools) == ("pay", hold.seats, hold.pools)
    return {**error.seats, **error.pools}


@scenario
def a_late_payment_for_seats_and_pools(house: House) -> None:
    house.open(pools=POOLS)
    hold = house.acquire("A-1", pools={"floor": 2, "bal cony": 3}, token=T1, ttl=60)
    house.advance(90)
    booking = late(house, hold)
    assert house.last_change() == {"A-1": "s0", "pool\nfloor": "10 0 2", "pool\nbal cony": "3 0 3"}
    assert (booking.id, booking.pools) == (derived_booking_id(NEW, hold.seats, hold.pools), hold.pools)
    assert (booking.seats, booking.fence) == (("A-1",), FENCE + 2)
    assert (house.lock("A-1") or [])[:5] == ["s", NEW, "ada", 1, 2]
    assert house.pools().keys() == {
        *(b"names", b"c\nfloor", b"c\nbal cony", b"s\nfloor\n1-2", b"s\nbal cony\n1-2"),
        *(f"t\n{pool}\n{NEW}\nada".encode() for pool in POOLS),
    }
    assert house.pool_due() == house.pool_due("bal cony") == {}
    (fact,) = house.outbox()
    assert (fact["seats"], fact["pools"], fact["fence"]) == ("A-1", "2 floor\n3 bal cony", "2")
    assert fact["token_hash"] == hash_of(NEW)
    with house.unchanged():
        assert late(house, hold) == late(house, hold, booking="another") == booking
        assert house.failing(BookingConflict, lambda: late(house, hold, "other")).booking == booking
        fewer = house.failing(BookingConflict, lambda: late(house, replace(hold, pools={"floor": 1})))
        assert fewer.booking == replace(booking, pools={"floor": 2})
        error = house.failing(HoldLost, lambda: house.locker.confirm(hold, payment="pay"))
        assert (error.seats, error.pools) == ({"A-1": "sold"}, {"floor": "expired", "bal cony": "expired"})
    assert house.locker.cancel(booking).pools == hold.pools
    assert house.counts() == "10 0 0"


@scenario
def a_late_payment_for_pools_alone(house: House) -> None:
    house.open(pools=POOLS, outbox=False)
    hold = claim(house, 4, token=T1, ttl=60)
    house.advance(90)
    assert house.locker.sweep(house.show) == 4
    house.locker.close_sale(house.show)
    booking = late(house, hold, None, booking="my-own")
    assert (booking.id, booking.payment, booking.seats, booking.pools) == ("my-own", None, (), {"floor": 4})
    assert house.counts() == "10 0 4"
    with house.unchanged():
        assert late(house, hold, None) == booking


@scenario
def a_hold_that_is_in_time_is_confirmed(house: House) -> None:
    house.open(pools=POOLS)
    hold = claim(house, 2, token=T1)
    booking = late(house, hold)
    assert (booking.id, booking.fence) == (derived_booking_id(T1, (), hold.pools), hold.fence)
    house.advance(900)
    with house.unchanged():
        assert late(house, hold) == booking


@scenario
def too_few_are_left(house: House) -> None:
    house.open(pools=POOLS)
    hold = house.acquire("A-1", pools={"floor": 3, "bal cony": 1}, token=T1, ttl=60)
    house.advance(90)
    other = claim(house, 8, "bo")
    assert lost(house, hold) == {"A-1": "expired", "floor": "taken", "bal cony": "expired"}
    assert lost(house, replace(hold, seats=())) == {"floor": "taken", "bal cony": "expired"}
    house.locker.release(other)
    house.acquire("A-1", holder="bo")
    assert lost(house, hold) == {"A-1": "taken", "floor": "expired", "bal cony": "expired"}
    assert lost(house, replace(hold, pools={"floor": 11})) == {"A-1": "taken", "floor": "taken"}
    assert late(house, replace(hold, seats=())).pools == hold.pools
    assert (house.counts(), house.counts("bal cony")) == ("10 0 3", "3 0 1")


@scenario
def what_the_holder_has_claimed_anew_stays(house: House) -> None:
    house.open(pools=POOLS)
    hold = claim(house, 4, token=T1, ttl=60)
    house.advance(90)
    anew = claim(house, 5, token=T2)
    assert late(house, hold).pools == {"floor": 4}
    assert house.counts() == "10 5 4"
    assert house.pool_due() == {"ada": anew.deadline}
    assert claim(house, 5).resumed
    assert house.locker.confirm(anew, payment="pay-2").pools == {"floor": 5}
    # where not enough is left beside it, it is in the way as that of anybody else
    second = claim(house, 1, token=T3, ttl=60)
    house.advance(90)
    assert claim(house, 1).token not in (T1, T2, T3)
    assert lost(house, second) == {"floor": "taken"}


@scenario
def what_the_same_token_has_claimed_anew_counts(house: House) -> None:
    house.open(pools=POOLS)
    hold = claim(house, 8, token=T1, ttl=60)
    house.advance(90)
    claim(house, 3, token=T1)
    booking = late(house, hold)
    assert (booking.pools, house.counts()) == ({"floor": 8}, "10 0 8")
    assert house.pool_due() == {}
    last = claim(house, 2, "cy", pool="bal cony", token=T3, ttl=60)
    house.advance(90)
    claim(house, 1, "cy", pool="bal cony", token=T3)
    assert (late(house, last).pools, house.counts("bal cony")) == ({"bal cony": 2}, "3 0 2")
    house.locker.warm(house.show, PLAN, pools={"floor": 10, "bal cony": 5})
    # of more than was paid for, the rest is given back
    other = claim(house, 1, "bo", pool="bal cony", token=T2, ttl=60)
    house.advance(90)
    more = claim(house, 3, "bo", pool="bal cony", token=T2)
    assert late(house, other).fence == more.fence, "it is this hold now"
    assert house.counts("bal cony") == "5 0 3"


@scenario
def part_of_a_basket_is_late(house: House) -> None:
    house.open(pools=POOLS)
    house.acquire("A-1", token=T1, ttl=60)
    claim(house, 5, token=T1, ttl=600)
    claim(house, 1, pool="bal cony", token=T1, ttl=60)
    whole = house.acquire("A-1", pools={"floor": 3, "bal cony": 1}, token=T1)
    house.advance(90)
    booking = late(house, whole)
    assert (booking.pools, booking.fence) == (whole.pools, FENCE + 4)
    assert (house.counts(), house.counts("bal cony")) == ("10 2 3", "3 0 1")
    assert house.pool_due().keys() == {"ada"}
    assert house.locker.release(whole).pools == {"floor": 2, "bal cony": 0}


@scenario
def what_is_not_regained_of_pools(house: House) -> None:
    house.open(pools=POOLS)
    given, undone = claim(house, 2, token=T1), claim(house, 3, "bo")
    house.locker.release(given)
    house.locker.cancel(house.locker.confirm(undone))
    for hold in (given, undone):
        assert lost(house, hold) == {"floor": "released"}
    claim(house, 2, token=T1, ttl=60)
    house.advance(90)  # what ran out is another hold than the one that was given back
    assert lost(house, given) == {"floor": "released"}
    assert house.locker.sweep(house.show) == 2
    assert lost(house, given) == {"floor": "released"}
    sun = Hold(house.show, (), "ada", T1, 1, 1.0, deadline=0, pools={"sun": 1, "floor": 1})
    assert lost(house, sun) == {"sun": "lost", "floor": "expired"}


@to_the_millisecond
def the_first_millisecond_that_is_too_late_for_a_claim(house: House) -> None:
    house.open(pools=POOLS)
    hold, other = claim(house, 4, token=T1, ttl=60), claim(house, 6, "bo", token=T2, ttl=60)
    house.tick_to(hold.deadline)
    assert late(house, hold).fence == hold.fence
    house.tick_to(hold.deadline + 1)
    assert house.failing(HoldLost, lambda: house.locker.confirm(other)).pools == {"floor": "expired"}
    assert late(house, other).fence == FENCE + 3
    assert house.counts() == "10 0 10"
    given = claim(house, 1, pool="bal cony", token=T3, ttl=60)
    house.locker.release(given)
    claim(house, 1, pool="bal cony", token=T3, ttl=59)
    house.tick_to(given.deadline)  # this very moment is in time, so it was given back
    assert lost(house, given) == {"bal cony": "released"}


@scenario
def late_payments_for_pools_in_a_batch(house: House) -> None:
    house.open(pools=POOLS)
    holds = [claim(house, number, holder, ttl=60) for number, holder in ((4, "ada"), (3, "bo"), (3, "cy"))]
    house.advance(90)
    live, more = (
        house.acquire(seat, holder=seat, pools={"floor": number}) for seat, number in (("A-1", 2), ("A-2", 1))
    )
    requests = [
        ConfirmRequest(holds[0], "pay-1"),
        ConfirmRequest(live, "pay-2"),
        ConfirmRequest(holds[1], "pay-3", reclaim=True),
        ConfirmRequest(holds[1], "pay-3", reclaim=True),
        ConfirmRequest(holds[0], "pay-1", reclaim=True),
        ConfirmRequest(holds[2], "pay-4", reclaim=True),
        ConfirmRequest(more, "pay-5"),
        ConfirmRequest(more, "pay-5", reclaim=True),
    ]
    answers = house.locker.confirm_many(house.show, requests)
    assert [type(answer) for answer in answers] == [HoldLost, *[Booking] * 4, HoldLost, Booking, Booking]
    assert (answers[2], answers[6]) == (answers[3], answers[7])
    assert [answer.pools for answer in answers if isinstance(answer, HoldLost)] == [
        {"floor": "expired"},
        {"floor": "taken"},
    ]
    assert house.last_change() == {"A-1": "s0", "A-2": "s1", "pool\nfloor": "10 0 10"}
    assert [fact["pools"] for fact in house.outbox()] == ["2 floor", "3 floor", "4 floor", "1 floor"]
    assert house.meta("fence") == "7"


@scenario
def what_is_due_is_taken_back_for_a_late_payment(house: House) -> None:
    house.open(pools={"floor": 300, "bal cony": 1})
    short = [AcquireRequest([], f"h-{n}", 60, pools={"floor": 1}) for n in range(299)]
    hold = claim(house, 1, token=T1, ttl=10)
    hold = replace(hold, pools={"floor": 300})  # as many as there are
    house.locker.acquire_many(house.show, short)
    house.advance(90)
    ask = commands.confirm("seatlock", hold, "pay", None, reclaim=True)
    for left in (172, 44):
        with house.full():
            house.failing(ScriptFailed, lambda: house.run(commands.of_asks("seatlock", [ask])))
        (answer,) = house.run(commands.of_asks("seatlock", [ask]))
        assert isinstance(answer, Again)
        assert house.last_change() == {"pool\nfloor": house.counts()}
        assert house.counts() == f"300 {left} 0"
    assert late(house, hold).pools == {"floor": 300}
    # and not where it would be of no use
    second = house.acquire("A-1", holder="di", pools={"bal cony": 1}, ttl=60)
    house.advance(90)
    house.acquire("A-1", holder="eve")
    assert lost(house, second) == {"A-1": "taken", "bal cony": "expired"}


@scenario
def claims_due_by_mistake_and_a_late_payment(house: House) -> None:
    house.open(pools={"floor": 5})
    hold = claim(house, 5, "ada", token=T1, ttl=60)
    house.advance(90)
    claim(house, 5, "bo")
    house.sound = False
    house.raw.zadd(house.key("pool-due:floor"), {f"nobody-{n}": 1 for n in range(130)})
    ask = commands.confirm("seatlock", hold, "pay", None, reclaim=True)
    version = house.meta("version")
    assert isinstance(house.run(commands.of_asks("seatlock", [ask]))[0], Again)
    assert (house.meta("version"), len(house.pool_due())) == (version, 3)
    assert lost(house, hold) == {"floor": "taken"}


@scenario
def a_late_payment_for_pools_that_was_stopped_half_way(house: House) -> None:
    house.open(pools=POOLS)
    hold = house.acquire("A-1", pools={"floor": 3}, token=T1, ttl=60)
    house.advance(90)
    until = house.now + 600_000

    def stopped(quantity: int, deadline: int = until, seat: str = "A-1") -> None:
        """As it would be if it had been stopped before the fact: held, and nothing sold."""
        house.put_lock(seat, "h", NEW, "ada", 1, 7, deadline, deadline, ttl=600_000)
        house.put_pool(f"h\nfloor\n{APART}", f"{NEW}\n{quantity}\n1\n7\n{deadline}\n{deadline}")
        house.put_pool("c\nfloor", f"10 {quantity} 0")
        house.raw.zadd(house.key("pool-due:floor"), {APART: deadline})

    house.locker.sweep(house.show)
    stopped(3)
    assert in_the_way(house, pools={"floor": 8}) == {"floor": PoolConflict(7, house.left(600))}
    booking = late(house, hold)
    assert (booking.fence, house.counts(), house.pool_due()) == (FENCE + 7, "10 0 3", {})
    house.locker.cancel(booking)
    # somebody freed the seat meanwhile: what stands apart counts, also where it is too little or too old
    for quantity, deadline in ((3, until), (1, until), (5, until), (2, house.now - 1)):
        stopped(quantity, deadline)
        house.drop_lock("A-1")
        booking = late(house, hold)
        assert booking.fence < FENCE + 7
        assert house.counts() == "10 0 3"
        assert house.locker.cancel(booking).pools == {"floor": 3}
        house.raw.hdel(house.key("pools"), f"h\nfloor\n{APART}")
    # and what its old token has is left alone where what stands apart is enough
    stopped(3)
    house.drop_lock("A-1")
    own = claim(house, 2, token=T1)
    assert house.counts() == "10 5 0"
    booking = late(house, hold)
    assert house.counts() == "10 2 3"
    house.locker.cancel(booking)
    assert house.locker.release(own).pools == {"floor": 2}
    # a claim that is not this token's
    stopped(3)
    house.drop_lock("A-1")
    house.put_pool(f"h\nfloor\n{APART}", f"{T3}\n3\n1\n7\n{house.now - 1}\n{house.now - 1}")
    assert late(house, hold).pools == {"floor": 3}
    assert house.counts() == "10 0 3"


@scenario
def a_payment_for_pools_that_began_and_came_late(house: House) -> None:
    house.open(pools=POOLS, max_hold=100)
    hold = house.acquire("A-1", pools={"floor": 2}, token=T1, ttl=60)
    paying = house.locker.begin_payment(hold, expected=300)
    alone = house.locker.begin_payment(claim(house, 1, "bo", ttl=60), expected=900)
    assert (paying.ttl, alone.ttl) == (house.left(300), house.left(700))
    house.advance(200)
    assert house.locker.confirm(alone).pools == {"floor": 1}
    house.advance(200)
    with house.unchanged():
        assert house.failing(HoldLost, lambda: house.locker.begin_payment(paying)).pools == {"floor": "expired"}
    booking = late(house, paying)
    assert (booking.id, booking.pools) == (derived_booking_id(NEW, hold.seats, hold.pools), {"floor": 2})
    assert house.counts() == "10 0 3"


@scenario
def late_payments_for_pools_and_limits(house: House) -> None:
    house.open(pools=POOLS, limit=3)
    hold = house.acquire("A-1", pools={"floor": 2}, token=T1, ttl=60)
    house.advance(90)
    house.acquire("A-2", token=T2)
    assert lost(house, hold) == {"A-1": "expired", "floor": "expired"}
    house.force("A-2")
    assert late(house, hold).pools == {"floor": 2}
    house.failing(HolderLimitExceeded, lambda: house.acquire("A-2"))


@scenario
def what_a_late_payment_still_has_counts_once(house: House) -> None:
    house.open(pools=POOLS, limit=3)
    house.acquire("A-1", token=T1, ttl=60)
    claim(house, 2, token=T1)
    hold = house.acquire("A-1", pools={"floor": 2}, token=T1)
    house.advance(90)
    assert late(house, hold).pools == {"floor": 2}
    house.failing(HolderLimitExceeded, lambda: claim(house, 1, pool="bal cony"))
    # what is not moved counts as well
    first, other = (claim(house, 1, "bo", pool=pool, token=T2, ttl=60) for pool in POOLS)
    house.advance(90)
    claim(house, 3, "bo", token=T2)
    assert lost(house, replace(first, pools={**first.pools, **other.pools})) == {"bal cony": "expired"}


@scenario
def late_payments_of_a_batch_and_limits(house: House) -> None:
    """What is given back of a claim when a part of it is bought makes room for those behind it."""
    house.open(pools=POOLS, limit=4)
    early, last = (house.acquire(seat, token=token, ttl=60) for seat, token in (("A-1", T2), ("A-2", T3)))
    house.advance(90)
    hold = claim(house, 1, token=T1)
    claim(house, 3, token=T1)
    requests = [
        ConfirmRequest(early, "pay-1", reclaim=True),
        ConfirmRequest(last, "pay-2", reclaim=True),
        ConfirmRequest(hold, "pay-3"),
        ConfirmRequest(last, "pay-2", reclaim=True),
    ]
    answers = house.locker.confirm_many(house.show, requests)
    assert [type(answer) for answer in answers] == [Booking, HoldLost, Booking, Booking]
    house.failing(HolderLimitExceeded, lambda: house.acquire("A-3", "A-4"))
    assert claim(house, 1, pool="bal cony").pools == {"bal cony": 1}


@scenario
def a_token_of_ones_own_making(house: House) -> None:
    """Who has derived the new token may hold under it too: that is a hold like any other, and stays."""
    house.open(pools=POOLS)
    hold = claim(house, 2, token=T1, ttl=60)
    house.advance(90)
    made = claim(house, 3, token=reclaiming_token(T1))
    assert late(house, hold).pools == {"floor": 2}
    assert house.counts() == "10 3 2"
    assert house.locker.release(made).pools == {"floor": 3}
