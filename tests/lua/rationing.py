"""Scenarios of limits a holder where there are pools: what of them counts, and what the list of a holder says of it."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from seatlock import (
    AcquireRequest,
    Hold,
    HolderLimitExceeded,
    HoldLost,
    Release,
    ScriptFailed,
    SeatsUnavailable,
    ShowNotFound,
    _limits,
    _upkeep,
)
from seatlock import _commands as commands
from seatlock._operation import Again, ListsWanted
from tests.lua.house import PLAN, T1, T2, T3, House
from tests.lua.limiting import expires, listed
from tests.lua.pooling import claim
from tests.lua.scenario import scenario, to_the_millisecond

POOLS = {"floor": 10, "bal cony": 3}


def over(house: House, *seats: str, **options: Any) -> tuple[int, int, str | None, str | None]:
    """Ask beyond a limit: gives the limit, what the holder has, the category and the pool."""
    with house.unchanged():
        error = house.failing(HolderLimitExceeded, lambda: house.acquire(*seats, **options))
    return error.limit, error.held, error.category, error.pool


@scenario
def what_a_list_says_of_pools(house: House) -> None:
    house.open(limit=6, pools=POOLS)
    hold = house.acquire("A-1", pools={"floor": 2, "bal cony": 1}, token=T1, ttl=100)
    until = f"h:{hold.deadline}"
    assert listed(house) == {"A-1": house.mirror("A-1"), "h\nfloor": f"{until} 2", "h\nbal cony": f"{until} 1"}
    assert expires(house) == hold.deadline
    with house.unchanged():
        assert house.acquire("A-1", pools={"floor": 2}, token=T1).fence == hold.fence
    right = listed(house)
    assert house.acquire("A-1", pools={"floor": 1}).resumed
    assert listed(house) == right
    longer = house.locker.extend(hold, ttl=900)
    assert listed(house)["h\nfloor"] == f"h:{longer.deadline} 2"
    assert expires(house) == longer.deadline
    with house.unchanged():
        house.locker.extend(longer, ttl=1)
    more = house.acquire("A-1", pools={"floor": 4, "bal cony": 1}, token=T1)
    assert listed(house)["h\nfloor"] == f"h:{longer.deadline} 4"
    # part of it is sold, the rest of that claim given back
    part = house.locker.confirm(replace(more, seats=(), pools={"floor": 3}))
    assert listed(house) == {
        "A-1": house.mirror("A-1"),
        "h\nbal cony": f"h:{longer.deadline} 1",
        "s\nfloor\n1-1": "s 3",
    }
    assert expires(house) == -1
    with house.unchanged():
        assert house.locker.confirm(replace(more, seats=(), pools={"floor": 3})) == part
    house.locker.release(more)
    assert listed(house) == {"s\nfloor\n1-1": "s 3"}
    house.locker.cancel(part)
    assert listed(house) == {}
    with house.unchanged():
        assert house.locker.cancel(part).pools == {"floor": 0}


@scenario
def a_limit_over_seats_and_pools(house: House) -> None:
    house.open(limit=4, pools=POOLS)
    house.acquire("A-1", pools={"floor": 2}, token=T1)
    assert over(house, "A-2", "A-3") == (4, 3, None, None)
    assert over(house, pools={"bal cony": 2}) == (4, 3, None, None)
    assert over(house, "A-2", pools={"bal cony": 1}) == (4, 3, None, None)
    assert over(house, "A-1", pools={"floor": 4}, token=T1) == (4, 3, None, None)
    more = house.acquire("A-1", pools={"floor": 3}, token=T1)
    assert over(house, "A-2") == (4, 4, None, None)
    house.locker.confirm(more)
    assert over(house, pools={"floor": 1}) == (4, 4, None, None)
    assert house.acquire("A-3", holder="bo", pools={"floor": 3}).holder == "bo"
    house.failing(SeatsUnavailable, lambda: claim(house, 9))  # what is not there is told first


@scenario
def limits_of_pools(house: House) -> None:
    house.open(limits={"floor": 3, "y": 1}, pools=POOLS)
    assert house.meta("limits") == "500\n1 1 y\np 3 floor"
    assert over(house, pools={"floor": 4}) == (3, 0, None, "floor")
    assert over(house, "A-2", "A-3", pools={"floor": 4}) == (1, 0, "y", None)
    house.locker.confirm(claim(house, 2, token=T1))
    assert over(house, pools={"bal cony": 1, "floor": 2}) == (3, 2, None, "floor")
    claim(house, 3, pool="bal cony", token=T2)
    claim(house, 1, token=T2)
    assert over(house, pools={"floor": 2}, token=T2) == (3, 3, None, "floor")
    house.locker.warm(house.show, PLAN, limits={"floor": 4, "bal cony": 1}, pools=POOLS)
    assert claim(house, 2, token=T2).pools == {"floor": 2}
    assert claim(house, 3, pool="bal cony", token=T2).pools == {"bal cony": 3}  # a limit takes nothing away
    house.locker.warm(house.show, PLAN, pools={**POOLS, "floor": 700})
    assert house.meta("limits") == "500"
    assert over(house, pools={"floor": 496}, token=T2) == (500, 7, None, None)


@scenario
def what_a_pool_lacks_is_told_first(house: House) -> None:
    """Also where so much is to be taken back that it has to be asked again: what has run out counts nowhere."""
    house.open(limit=2, pools={"floor": 150})
    house.locker.acquire_many(house.show, [AcquireRequest([], f"h-{n}", 60, pools={"floor": 1}) for n in range(150)])
    house.advance(61)
    hold = claim(house, 2)
    house.locker.release(hold)
    house.locker.acquire_many(house.show, [AcquireRequest([], f"h-{n}", 60, pools={"floor": 1}) for n in range(150)])
    house.advance(61)
    wanted = {"floor": 150}
    ask = commands.acquire("seatlock", house.show, (), "h-0", 60, T1, wanted)
    (answer,) = house.run(commands.of_asks("seatlock", [ask], lists=True))
    assert isinstance(answer, Again)
    assert over(house, holder="h-0", pools=wanted) == (2, 0, None, None)
    assert claim(house, 2, "h-0").pools == {"floor": 2}


@scenario
def a_batch_counts_what_it_did_before(house: House) -> None:
    house.open(limit=4, pools=POOLS)
    answers = house.locker.acquire_many(
        house.show,
        [
            AcquireRequest(["A-1"], "ada", 600, T1, {"floor": 1}),
            AcquireRequest([], "ada", 600, T2, {"bal cony": 3}),
            AcquireRequest(["A-1"], "ada", 600, T1, {"floor": 2}),
            AcquireRequest([], "bo", 600, T3, {"floor": 3}),
            AcquireRequest(["A-2"], "ada"),
            AcquireRequest(["A-3"], "ada"),
        ],
    )
    kinds = [Hold, HolderLimitExceeded, Hold, Hold, Hold, HolderLimitExceeded]
    assert [type(answer) for answer in answers] == kinds
    assert [answer.held for answer in answers if isinstance(answer, HolderLimitExceeded)] == [2, 4]
    assert (set(listed(house)), set(listed(house, "bo"))) == ({"A-1", "A-2", "h\nfloor"}, {"h\nfloor"})
    holds = [answer for answer in answers if isinstance(answer, Hold)]
    given_back = house.locker.release_many(house.show, holds)
    assert [done.pools.get("floor") for done in given_back if isinstance(done, Release)] == [2, 0, 3, None]
    assert (listed(house), listed(house, "bo")) == ({}, {})


@to_the_millisecond
def the_last_millisecond_that_a_claim_counts(house: House) -> None:
    house.open(limit=2, pools=POOLS)
    hold = claim(house, 2, ttl=60)
    house.tick_to(hold.deadline)
    assert over(house, "A-2") == (2, 2, None, None)
    assert [(held.pools, held.ttl) for held in house.locker.holds(house.show, holder="ada")] == [({"floor": 2}, 0)]
    house.tick_to(hold.deadline + 1)
    assert house.locker.holds(house.show, holder="ada") == []
    house.acquire("A-2", pools={"bal cony": 1})
    assert set(listed(house)) == {"A-2", "h\nbal cony"}


def what_a_holder_has_of_pools(house: House, **settings: Any) -> None:
    house.failing(ShowNotFound, lambda: house.run(_limits._claimed("seatlock", house.show, "ada")))
    house.open(pools=POOLS, **settings)
    first = house.acquire("A-1", pools={"floor": 2}, ttl=100, token=T1)
    second = claim(house, 1, pool="bal cony", ttl=200, token=T2)
    claim(house, 3, "bo")
    found = house.locker.holds(house.show, holder="ada")
    assert [(held.fence, held.seats, dict(held.pools), held.ttl) for held in found] == [
        (first.fence, ("A-1",), {"floor": 2}, house.left(100)),
        (second.fence, (), {"bal cony": 1}, house.left(200)),
    ]
    house.advance(130)
    assert [held.fence for held in house.locker.holds(house.show, holder="ada")] == [second.fence]
    house.locker.confirm(second)
    assert house.locker.holds(house.show, holder="ada") == []


@scenario
def what_a_holder_has_of_pools_with_a_list(house: House) -> None:
    what_a_holder_has_of_pools(house, limit=9)


@scenario
def what_a_holder_has_of_pools_without_a_list(house: House) -> None:
    what_a_holder_has_of_pools(house)


@scenario
def claims_without_lists(house: House) -> None:
    house.open(limit=9, pools=POOLS)
    hold = claim(house, 2, token=T1)
    booking = house.locker.confirm(claim(house, 1, pool="bal cony", token=T2))
    asks = [
        commands.acquire("seatlock", house.show, (), "ada", 600, T3, {"bal cony": 1}),
        commands.extend("seatlock", hold, 900),
        commands.confirm("seatlock", hold, None, None),
        commands.confirm("seatlock", hold, None, None, reclaim=True),
        commands.release("seatlock", hold),
        commands.cancel("seatlock", booking),
    ]
    with house.unchanged():
        for ask in asks:
            operation = commands.of_asks("seatlock", [ask])
            house.failing(ListsWanted, lambda operation=operation: house.run(operation))
            other = commands.of_asks("seatlock", [replace(ask, holder="bo")], lists=True)
            told = str(house.failing(ScriptFailed, lambda other=other: house.run(other)))
            assert "the list of a holder is not among the keys" in told


@scenario
def a_payment_that_reclaims_is_listed(house: House) -> None:
    house.open(limit=4, pools=POOLS)
    hold = house.acquire("A-1", pools={"floor": 2}, token=T1)
    house.locker.begin_payment(hold, expected=900)
    assert house.locker.confirm(hold, payment="pay", reclaim=True).pools == {"floor": 2}
    assert listed(house) == {"A-1": "s0", "s\nfloor\n1-1": "s 2"}


@scenario
def lists_that_say_too_much_of_pools(house: House) -> None:
    """A script that was stopped half-way: whoever asks for this again sets the list right."""
    house.open(limit=6, pools=POOLS)
    hold = claim(house, 2, token=T1)
    booking = house.locker.confirm(claim(house, 1, pool="bal cony", token=T2))
    right, key = listed(house), house.key("holder:ada")
    assert set(right) == {"h\nfloor", "s\nbal cony\n1-2"}
    wrong = {"h\nfloor": f"h:{hold.deadline + 9} 4"}
    sold = replace(hold, seats=(), token=T2, pools={"bal cony": 1})
    for again in (
        lambda: claim(house, 2, token=T1),
        lambda: claim(house, 1),
        lambda: house.locker.extend(hold, ttl=1),
    ):
        house.raw.hset(key, mapping=wrong)
        again()
        assert listed(house) == right
    house.raw.hset(key, "s\nbal cony\n1-2", "s 3")
    assert house.locker.confirm(sold) == booking
    assert listed(house) == right
    # what the list has too much of a claim counts once
    house.raw.hset(key, mapping=wrong)
    assert over(house, pools={"floor": 6}, token=T1) == (6, 5, None, None)
    assert claim(house, 5, token=T1).pools == {"floor": 5}
    assert listed(house)["h\nfloor"] == f"h:{hold.deadline} 5"
    # sales that were never made, or that are somebody else's
    others = house.locker.confirm(claim(house, 2, "bo", "bal cony"))
    stale = {"s\nfloor\n1-9": "s 2", "s\nfloor\n1-10": "s 1"}
    house.raw.hset(key, mapping={**stale, "s\nbal cony\n1-3": "s 2"})
    assert house.locker.release(replace(hold, token=T3)).pools == {"floor": 0}
    assert set(listed(house)) == {*right, "s\nbal cony\n1-3"}
    house.failing(HoldLost, lambda: house.locker.confirm(replace(sold, token=T3)))
    assert set(listed(house)) == {*right}
    house.locker.cancel(booking)
    for field, ends in (
        ("s\nbal cony\n1-2", lambda: house.locker.cancel(booking)),
        ("s\nfloor\n1-9", lambda: house.failing(HoldLost, lambda: house.locker.confirm(replace(hold, token=T3)))),
        ("s\nfloor\n1-9", lambda: house.locker.release(replace(hold, token=T3))),
    ):
        house.raw.hset(key, field, "s 1")
        ends()
        assert set(listed(house)) == {"h\nfloor"}
    # nobody else's list is touched by a cancel that comes too late
    house.raw.hset(key, "s\nbal cony\n1-3", "s 2")
    house.locker.cancel(replace(others, holder="ada", id="another"))
    assert set(listed(house)) == {"h\nfloor", "s\nbal cony\n1-3"}
    house.locker.release(replace(sold, token=T3))
    assert set(listed(house)) == {"h\nfloor"}
    house.locker.release(hold)
    for ends in (
        lambda: house.locker.release(hold),
        lambda: house.failing(HoldLost, lambda: house.locker.confirm(hold)),
    ):
        house.raw.hset(key, mapping=wrong)
        ends()
        assert listed(house) == {}


@scenario
def entries_that_say_nothing_we_know(house: House) -> None:
    house.open(limit=6, pools=POOLS)
    hold = claim(house, 2)
    for odd in ("s", "s x", "s 0", "s -1", "s 1000001", f"h:{hold.deadline}"):
        house.raw.hset(house.key("holder:ada"), "s\nfloor\n1-9", odd)
        with house.unchanged():
            assert "whole number" in str(house.failing(ScriptFailed, lambda: house.acquire("A-1")))
    house.locker.release(hold)
    assert listed(house) == {}


@scenario
def a_full_server_gives_back_what_is_listed(house: House) -> None:
    house.open(limit=9, pools=POOLS)
    hold, booked = claim(house, 2, token=T1), house.locker.confirm(claim(house, 3, pool="bal cony"))
    with house.full():
        with house.unchanged():
            for call in (
                lambda: claim(house, 3, token=T1),
                lambda: house.locker.extend(hold, ttl=900),
                lambda: house.locker.confirm(hold),
            ):
                house.failing(ScriptFailed, call)
            assert house.locker.extend(hold, ttl=1).deadline == hold.deadline
        assert house.locker.release(hold).pools == {"floor": 2}
        assert house.locker.cancel(booked).pools == {"bal cony": 3}
    assert listed(house) == {}


def sold_out(house: House, *seats: str) -> None:
    """Sell some of a show to people whose lists then stay."""
    house.locker.confirm(house.acquire(*seats, pools={"floor": 2}))
    house.locker.confirm(claim(house, 1, "bo", "bal cony"))
    claim(house, 1, "cy", ttl=60)
    house.advance(90)


@scenario
def a_show_with_limits_and_pools_is_retired(house: House) -> None:
    house.open(limit=4, pools=POOLS)
    sold_out(house, "A-1")
    pools = [*POOLS]
    house.run(_upkeep.retire("seatlock", house.show, "discard", pools))
    assert set(house.dump()) == {"retired", "pools", "lock:A-1", "lock:B-2", "holder:ada", "holder:bo"}
    house.run(_upkeep.retire("seatlock", house.show, "discard"))  # said again
    _, fields = house.run(_upkeep.remnants("seatlock", house.show, b"0", pools=True))
    assert "names" not in fields
    holder = next(field for field in fields if field.startswith("t\nbal cony\n")).split("\n")[3]
    assert house.run(_upkeep.forget("seatlock", house.show, (), [holder], fields[:1])) == len(PLAN.seats)
    assert house.run(_upkeep.forget("seatlock", house.show, (), (), fields[1:2])) == len(PLAN.seats)
    assert "holder:bo" not in house.dump()
    house.locker.retire(house.show, unread="discard")
    assert house.dump() == {}


@scenario
def a_show_with_limits_and_pools_alone_is_retired(house: House) -> None:
    house.open((), limit=4, pools=POOLS)
    sold_out(house)
    house.run(_upkeep.retire("seatlock", house.show, "discard", [*POOLS]))
    assert set(house.dump()) == {"retired", "holder:ada", "holder:bo"}
    house.locker.retire(house.show, unread="discard")
    assert house.dump() == {}
    # who comes late deletes nothing of a show that is there anew
    house.open((), limit=4, pools=POOLS)
    sold_out(house)
    with house.unchanged():
        assert house.run(_upkeep.forget("seatlock", house.show, ["A-1"], ["ada"], ["c\nfloor"])) == 0


@scenario
def a_warming_that_was_cut_off_is_retired(house: House) -> None:
    house.open(limit=4, pools=POOLS)
    sold_out(house, "A-1")
    house.raw.delete(house.key("meta"))  # so that nobody knows whether there were limits
    house.locker.retire(house.show, unread="discard")
    assert house.dump() == {}
