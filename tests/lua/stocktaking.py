"""Scenarios of those who run a sale with pools: whether they add up, how they are, and claims given back by force."""

from __future__ import annotations

from msgspec.structs import replace

from seatlock import AcquireRequest, HoldLost, PoolCounts, Release, ShowNotFound, UnknownSeats
from seatlock._operators import Freeing, force_release_claim, force_release_of, vitals
from seatlock._stocktaking import Entry, Found, look
from tests.lua.house import T1, T2, House
from tests.lua.scenario import scenario, to_the_millisecond

POOLS = {"floor": 10, "bal cony": 3}
FENCE = 2**40


def found(house: House, *pools: str, cursor: bytes = b"0") -> Found:
    """One step of a walk."""
    step: Found = house.run(look("seatlock", house.show, pools, cursor))
    return step


# Whether they add up


@scenario
def pools_that_add_up(house: House) -> None:
    house.open(pools=POOLS)
    house.acquire("A-1", pools={"floor": 2}, ttl=60)
    house.locker.confirm(house.acquire(holder="bo", pools={"floor": 3, "bal cony": 1}), payment="pay-1")
    house.acquire(holder="cy", pools={"bal cony": 2})
    house.advance(90)
    with house.unchanged():
        checked = house.locker.check(house.show)
    assert checked.sound
    assert checked.pools == {"floor": PoolCounts(10, 7, 0, 3), "bal cony": PoolCounts(3, 0, 2, 1)}
    assert (checked.pool_differences, checked.unsettled) == ((), ())


@scenario
def pools_that_do_not_add_up(house: House) -> None:
    house.open(pools={**POOLS, "lost": 5})
    house.acquire(pools={"floor": 2, "bal cony": 1, "lost": 1}, token=T1)
    house.locker.confirm(house.acquire(holder="bo", pools={"floor": 3}, token=T2))
    house.raw.zrem(house.key("pool-due:floor"), "ada")
    house.put_pool(f"t\nfloor\n{T2}\nbo", "1-99")
    house.put_pool("h\nfloor\ncy", "junk")
    house.put_pool("s\nfloor\n1-7", "junk")
    house.put_pool("s\nfloor\n1-8", f"{T1}\ndee\n1\n1\nbooking\n")
    house.put_pool("c\nbal cony", "3 3 1")
    house.put_pool("t\nbal cony\nodd", "1-1")
    house.put_pool("x\nfloor", "1")
    house.put_pool("h\nattic\nada", "1")
    house.put_pool("c\nlost", None)
    with house.unchanged():
        checked = house.locker.check(house.show)
    assert not checked.sound
    assert [(each.pool, each.kind, each.detail) for each in checked.pool_differences] == [
        ("", "foreign", "a field of the pools is nothing that seatlock writes"),
        ("attic", "surplus", "something is kept of it, and the show does not name it"),
        ("bal cony", "beyond", "3 held and 1 sold, of 3"),
        ("bal cony", "counts", "3 held and 1 sold are counted; its claims add up to 1, its sales to 0"),
        ("bal cony", "owner", "the sale to '' is not the one on record for its owner"),
        ("floor", "counts", "2 held and 3 sold are counted; its claims add up to 2, its sales to 4"),
        ("floor", "foreign", "a field of the pools is nothing that seatlock writes"),
        ("floor", "foreign", "what is kept of 'cy' is nothing that seatlock writes"),
        ("floor", "owner", "the sale to 'bo' is not the one on record for its owner"),
        ("floor", "owner", "the sale to 'dee' is not the one on record for its owner"),
        ("floor", "unswept", "the claim of 'ada' is not among the due: no sweep will take it back"),
        ("lost", "lost", "the show has this pool, and its counts are lost"),
    ]
    assert checked.pools["lost"] == PoolCounts(0, 0, 0, 0)
    assert not any(token in str(checked.pool_differences) for token in (T1, T2))


@scenario
def what_is_nearly_what_seatlock_writes(house: House) -> None:
    house.open(pools=POOLS)
    house.acquire(pools={"floor": 2}, token=T1)
    house.locker.confirm(house.acquire(holder="bo", pools={"floor": 3}, token=T2))
    claim, sale = (house.pools()[field].decode() for field in (b"h\nfloor\nada", b"s\nfloor\n1-2"))
    for field, value, kind in (
        ("h\nfloor\nada", f"\n{claim}", "foreign"),
        ("h\nfloor\nada", f"{claim}\n", "foreign"),
        ("s\nfloor\n1-2", f"\n{sale}", "foreign"),
        ("s\nfloor\n1-2", f"{sale}\n", "foreign"),
        ("s\nfloor\n1-2x", sale, "foreign"),
        ("s\nfloor\nx1-2", sale, "foreign"),
        ("c\nfloor", " 10 2 3", "lost"),
        ("c\nfloor", "10 2 3 ", "lost"),
        (f"t\nfloor\n{T1}\nada", "1-1", "owner"),
        (f"t\nfloor\n{T1}\nbo", "1-2", "owner"),
    ):
        before = house.pools().get(field.encode())
        house.put_pool(field, value)
        told = {(each.pool, each.kind) for each in house.locker.check(house.show).pool_differences}
        assert ("floor", kind) in told, (field, value)
        house.put_pool(field, None if before is None else before.decode())
        assert house.locker.check(house.show).sound


@scenario
def pools_whose_names_are_lost(house: House) -> None:
    house.open(pools=POOLS)
    house.acquire(pools={"floor": 2})
    house.put_pool("names", None)
    told = [(each.pool, each.kind) for each in house.locker.check(house.show).pool_differences]
    assert told == [("bal cony", "surplus"), ("floor", "surplus")]


@scenario
def a_pool_that_is_not_swept_in_time(house: House) -> None:
    house.open(pools=POOLS)
    hold = house.acquire(pools={"floor": 2})
    house.raw.zadd(house.key("pool-due:floor"), {"ada": hold.deadline + 1})
    house.sound = False
    assert [each.kind for each in house.locker.check(house.show).pool_differences] == ["unswept"]
    house.raw.zadd(house.key("pool-due:floor"), {"ada": hold.deadline - 1})  # the sweep puts it off
    assert house.locker.check(house.show).sound


@scenario
def a_step_of_a_walk(house: House) -> None:
    house.open(pools=POOLS)
    assert found(house, "floor") == found(house)
    assert (found(house).pools, found(house).counts, found(house).cursor) == (("floor", "bal cony"), (), b"0")
    hold = house.acquire(pools={"floor": 2}, token=T1)
    sold = house.locker.confirm(house.acquire(holder="bo", pools={"bal cony": 3}, token=T2), payment="pay-1")
    step = found(house, "floor", "bal cony")
    assert step.version == (1, int(house.meta("version")))
    assert (step.counts, step.cursor) == (((10, 2, 0), (3, 0, 3)), b"0")
    held, bought = sorted(step.entries, key=lambda entry: entry.kind)
    assert held == Entry(1, "claim", "ada", 2, house.left(600), hold.fence, None, None)
    assert bought == Entry(2, "sale", "bo", 3, None, sold.fence, sold.id, "pay-1")
    house.locker.cancel(sold)
    house.put_pool("h\nfloor\nada", "")  # as a script leaves it that is stopped before it deletes what it has emptied
    assert found(house, "floor", "bal cony").entries == ()


@scenario
def a_walk_of_many_steps(house: House) -> None:
    house.open(pools={"floor": 2000})
    requests = [AcquireRequest((), f"holder {number}", pools={"floor": 2}) for number in range(600)]
    house.locker.acquire_many(house.show, requests)
    assert found(house, "floor").cursor != b"0"
    assert house.locker.check(house.show).sound
    house.put_pool("c\nfloor", "2000 1201 0")
    told = house.locker.check(house.show).pool_differences
    assert [each.detail for each in told] == [
        "1,201 held and 0 sold are counted; its claims add up to 1,200, its sales to 0"
    ]


@to_the_millisecond
def a_claim_looked_at_at_the_last_millisecond(house: House) -> None:
    house.open(pools=POOLS)
    hold = house.acquire(pools={"floor": 2}, ttl=60)
    for now, left in ((hold.deadline - 1, 0.001), (hold.deadline, 0.0), (hold.deadline + 1, None)):
        house.tick_to(now)
        assert [entry.expires_in for entry in found(house, "floor", "bal cony").entries] == [left]
        assert house.locker.check(house.show).sound


@to_the_millisecond
def the_vitals_of_a_show_with_pools(house: House) -> None:
    house.open(pools=POOLS)
    hold = house.acquire("A-1", pools={"floor": 2}, ttl=60)
    house.acquire(holder="bo", pools={"floor": 1, "bal cony": 1}, ttl=90)
    for now, holds, due in ((hold.deadline, 4, 0), (hold.deadline + 1, 2, 2)):
        house.tick_to(now)
        with house.unchanged():
            told = house.run(vitals("seatlock", house.show, ["floor", "bal cony"]))
        assert (told.holds, told.due) == (holds, due)


# Claims given back by force


def force(house: House, *pools: str, seats: tuple[str, ...] = (), holder: str = "ada") -> Release:
    """Give back what a holder has of pools."""
    return house.locker.force_release(house.show, seats, pools=pools, holder=holder, by="eve", reason="why")


@scenario
def claims_given_back_by_force(house: House) -> None:
    house.open(pools=POOLS)
    hold = house.acquire("A-1", pools={"floor": 2, "bal cony": 1}, token=T1)
    house.acquire(holder="bo", pools={"floor": 3})
    assert (force(house, "floor").pools, house.counts()) == ({"floor": 2}, "10 3 0")
    assert (house.last_change(), house.pool_due().keys()) == ({"pool\nfloor": "10 3 0"}, {"bo"})
    (entry,) = house.audited()
    assert int(entry.pop("at")) == house.at(0)
    told = {"what": "force-release", "by": "eve", "reason": "why", "holder": "ada", "epoch": "1", "fence": "1"}
    assert entry == {**told, "pool": "floor", "quantity": "2"}
    with house.unchanged():
        assert force(house, "floor").pools == {"floor": 0}
        error = house.failing(HoldLost, lambda: house.locker.extend(hold, ttl=900))
        assert (error.reason, error.pools) == ("released", {"floor": "released"})
    done = force(house, "bal cony", "floor", seats=("A-2", "A-1"))
    assert list(done.seats.items()) == [("A-2", "gone"), ("A-1", "released")]
    assert list(done.pools.items()) == [("bal cony", 1), ("floor", 0)]
    assert house.last_change() == {"A-1": "f0", "pool\nbal cony": "3 0 0"}
    assert [entry.get("pool", entry.get("seat")) for entry in house.audited()] == ["floor", "A-1", "bal cony"]


@scenario
def claims_that_force_leaves_alone(house: House) -> None:
    house.open(pools=POOLS)
    house.locker.confirm(house.acquire(pools={"floor": 2}))
    house.acquire(holder="bo", pools={"floor": 1}, ttl=60)
    house.advance(90)
    with house.unchanged():
        assert force(house, "floor").pools == force(house, "floor", holder="bo").pools == {"floor": 0}
        error = house.failing(UnknownSeats, lambda: force(house, "floor", "attic"))
        assert error.pools == ("attic",)
        house.failing(UnknownSeats, lambda: force(house, "floor", seats=("nowhere",)))
    house.show = f"{house.show}-none"
    house.failing(ShowNotFound, lambda: force(house, "floor"))


@scenario
def a_claim_that_is_another_meanwhile(house: House) -> None:
    house.open(pools=POOLS)
    hold = house.acquire(pools={"floor": 2})
    what = Freeing((), ("floor",), "ada", "eve", "why")
    looked_at = force_release_claim("seatlock", house.show, "floor", what, hold.fence)
    house.locker.release(hold)
    again = house.acquire(pools={"floor": 3})
    for ask in (looked_at, replace(looked_at, args=(b"eve", b"why", b"2 %d 0" % (again.fence - FENCE)))):
        with house.unchanged():
            assert house.run(force_release_of("seatlock", [ask]))[0].pools == {"floor": 0}
    house.acquire(pools={"floor": 5}, token=again.token)  # one that has grown is the same
    there = force_release_claim("seatlock", house.show, "floor", what, again.fence)
    answers = house.run(force_release_of("seatlock", [there, there]))
    assert [dict(answer.pools) for answer in answers] == [{"floor": 5}, {"floor": 0}]
    assert len(house.audited()) == 1


@scenario
def a_claim_that_is_nothing_of_ours(house: House) -> None:
    house.open(pools=POOLS)
    hold = house.acquire(pools={"floor": 2})
    house.put_pool("h\nfloor\nbo", "junk\njunk\njunk\njunk")
    assert force(house, "floor").pools == {"floor": 2}
    assert hold.fence > 0
    house.put_pool("c\nfloor", None)
    with house.unchanged():
        assert force(house, "floor").pools == {"floor": 0}
