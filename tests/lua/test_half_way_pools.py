"""As test_half_way.py, with pools: every command in turn is made to fail, and the counts never lie."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest
from msgspec.structs import replace

from seatlock import Hold, SeatsUnavailable, _commands, _pools
from tests.lua.house import PLAN, T1, House
from tests.lua.test_half_way import MOST_COMMANDS, WRITES, clock, fails, houses, server
from tests.support import strict
from tests.support.clock import Clock
from tests.support.keyspace import too_little
from tests.support.servers import RedisServer

__all__ = ["clock", "server"]

POOLS: Final = {"floor": 10, "bal cony": 3}
WANTED: Final = {"floor": 2, "bal cony": 3}
Prepared = tuple[Callable[[], Any], dict[str, str]]
"""A call, and the counts of each pool when it was made as often as it takes."""


def acquiring(house: House) -> Prepared:
    return lambda: house.acquire("A-1", pools=WANTED, token=T1), {"floor": "10 2 0", "bal cony": "3 3 0"}


def acquiring_pools_alone(house: House) -> Prepared:
    return lambda: house.acquire(pools=WANTED, token=T1), {"floor": "10 2 0", "bal cony": "3 3 0"}


def acquiring_after_others(house: House) -> Prepared:
    house.acquire(holder="early", pools={"floor": 9}, ttl=60)
    house.advance(61)
    return acquiring(house)


def growing_in_a_basket_that_ends_sooner(house: House) -> Prepared:
    house.acquire(pools={"floor": 1, "bal cony": 1}, token=T1, ttl=900)
    house.acquire("A-1", token=T1, ttl=60)
    return lambda: house.acquire("A-1", pools=WANTED, token=T1), {"floor": "10 2 0", "bal cony": "3 3 0"}


def extending(house: House) -> Prepared:
    hold = house.acquire("A-1", pools=WANTED, ttl=60)
    return lambda: house.locker.extend(hold, ttl=600), {"floor": "10 2 0", "bal cony": "3 3 0"}


def confirming(house: House) -> Prepared:
    hold = house.acquire("A-1", pools=WANTED)
    return lambda: house.locker.confirm(hold, payment="pay"), {"floor": "10 0 2", "bal cony": "3 0 3"}


def confirming_pools_alone(house: House) -> Prepared:
    hold = house.acquire(pools=WANTED)
    return lambda: house.locker.confirm(hold), {"floor": "10 0 2", "bal cony": "3 0 3"}


def confirming_part_of_a_claim(house: House) -> Prepared:
    hold = house.acquire("A-1", pools=WANTED, token=T1)
    house.acquire("A-1", pools={"floor": 6, "bal cony": 3}, token=T1)
    return lambda: house.locker.confirm(hold), {"floor": "10 0 2", "bal cony": "3 0 3"}


def confirming_part_among_late_payments(house: House) -> Prepared:
    """The two writes of a list must not become one."""
    late = house.acquire("A-2", holder="bo", pools={"floor": 1}, ttl=60)
    house.advance(61)
    hold = house.acquire("A-1", pools=WANTED, token=T1)
    house.acquire("A-1", pools={"floor": 6, "bal cony": 3}, token=T1)
    asks = [_commands.confirm("seatlock", each, None, None, reclaim=True) for each in (hold, late)]
    limited = house.raw.hexists(house.key("meta"), "limits")
    call = _commands.of_asks("seatlock", asks, lists=limited)
    return lambda: house.run(call), {"floor": "10 0 3", "bal cony": "3 0 3"}


def reclaiming(house: House) -> Prepared:
    hold = house.acquire("A-1", pools=WANTED, ttl=60)
    house.advance(61)
    return lambda: house.locker.confirm(hold, payment="pay", reclaim=True), {"floor": "10 0 2", "bal cony": "3 0 3"}


def reclaiming_pools_alone(house: House) -> Prepared:
    hold = house.acquire(pools=WANTED, ttl=60)
    house.acquire(holder="early", pools={"floor": 8}, ttl=60)
    house.advance(61)
    return lambda: house.locker.confirm(hold, reclaim=True), {"floor": "10 8 2", "bal cony": "3 0 3"}


def reclaiming_beside_a_new_claim(house: House) -> Prepared:
    hold = house.acquire("A-1", pools=WANTED, ttl=60)
    house.advance(61)
    house.acquire(pools={"floor": 8})
    return lambda: house.locker.confirm(hold, reclaim=True), {"floor": "10 8 2", "bal cony": "3 0 3"}


def reclaiming_part_of_a_basket(house: House) -> Prepared:
    house.acquire("A-1", token=T1, ttl=60)
    house.acquire(pools={"floor": 5, "bal cony": 3}, token=T1)
    hold = house.acquire("A-1", pools=WANTED, token=T1)
    house.advance(61)
    return lambda: house.locker.confirm(hold, reclaim=True), {"floor": "10 3 2", "bal cony": "3 0 3"}


def releasing(house: House) -> Prepared:
    hold = house.acquire("A-1", pools=WANTED)
    return lambda: house.locker.release(hold), {"floor": "10 0 0", "bal cony": "3 0 0"}


def freeing_by_force(house: House) -> Prepared:
    house.acquire("A-1", pools=WANTED)

    def call() -> object:
        return house.locker.force_release(house.show, ["A-1"], pools=WANTED, holder="ada", by="eve", reason="why")

    return call, {"floor": "10 0 0", "bal cony": "3 0 0"}


def cancelling(house: House) -> Prepared:
    booking = house.locker.confirm(house.acquire("A-1", pools=WANTED))
    return lambda: house.locker.cancel(booking), {"floor": "10 0 0", "bal cony": "3 0 0"}


def strict_hold(house: House) -> Hold:
    """A hold on a show where the ledger decides."""
    limited = house.raw.hexists(house.key("meta"), "limits")
    house.locker.warm(house.show, PLAN, pools=POOLS, checkout="strict", **({"limit": 20} if limited else {}))
    return house.acquire("A-1", pools=WANTED)


def pinning(house: House) -> Prepared:
    hold = strict_hold(house)
    return lambda: strict.pin(house.locker, hold), {"floor": "10 0 2", "bal cony": "3 0 3"}


def finalising(house: House) -> Prepared:
    booking = strict.booking_of(strict.pin(house.locker, strict_hold(house)))
    return lambda: strict.finalise(house.locker, booking), {"floor": "10 0 2", "bal cony": "3 0 3"}


def giving_up_a_pin(house: House) -> Prepared:
    booking = strict.booking_of(strict.pin(house.locker, strict_hold(house)))
    return lambda: strict.finalise(house.locker, booking, sold=False), {"floor": "10 0 0", "bal cony": "3 0 0"}


def finalising_what_redis_lost(house: House) -> Prepared:
    booking = replace(strict.booking_of(strict.pin(house.locker, strict_hold(house))), seats=("A-2",), id="bk")
    lost = replace(booking, fence=booking.fence + 7, pools={"floor": 8})
    return lambda: strict.finalise(house.locker, lost), {"floor": "10 0 10", "bal cony": "3 0 3"}


def sweeping(house: House) -> Prepared:
    house.acquire("A-1", pools=WANTED, ttl=60)
    house.advance(61)
    return lambda: house.locker.sweep(house.show), {"floor": "10 0 0", "bal cony": "3 0 0"}


def stocking(house: House) -> Prepared:
    house.acquire(pools=WANTED)
    more = (("bal cony", 4), ("gallery", 7), ("floor", 2))
    return lambda: house.run(_pools.stock("seatlock", house.show, more)), {
        "floor": "2 2 0",
        "bal cony": "4 3 0",
        "gallery": "7 0 0",
    }


@pytest.mark.parametrize("settings", [{}, {"limit": 20}], ids=["no-limits", "limits"])
@pytest.mark.parametrize(
    "prepare",
    [
        acquiring,
        acquiring_pools_alone,
        acquiring_after_others,
        growing_in_a_basket_that_ends_sooner,
        extending,
        confirming,
        confirming_pools_alone,
        confirming_part_of_a_claim,
        confirming_part_among_late_payments,
        reclaiming,
        reclaiming_pools_alone,
        reclaiming_beside_a_new_claim,
        reclaiming_part_of_a_basket,
        releasing,
        freeing_by_force,
        cancelling,
        *(pinning, finalising, giving_up_a_pin, finalising_what_redis_lost),
        sweeping,
        stocking,
    ],
)
def test_counts_and_claims_never_part(
    prepare: Callable[[House], Prepared], settings: dict[str, Any], server: RedisServer, clock: Clock
) -> None:
    """Nor do lists ever say too little."""
    half_way = 0
    for number, house in houses(server, clock, settings):
        house.locker.warm(house.show, PLAN, pools=POOLS)
        call, counts = prepare(house)
        assert house.bridge
        before = house.dump()
        house.bridge.fail_at = number
        failed = fails(call)
        sent, house.bridge.fail_at = house.bridge.sent[:], 0
        if not failed:
            assert half_way, "it never failed between two writes"
            return
        if WRITES.intersection(sent[:-1]):
            half_way += 1
        elif prepare not in (sweeping, stocking):  # which are several scripts
            assert house.dump() == before, sent
        if settings:
            assert too_little(house.raw, house.show) == {}
        for pool in counts:
            never_too_many(house, pool)
        house.advance(1)  # what is held half-way lasts
        call()
        assert {pool: house.counts(pool) for pool in counts} == counts, sent
        facts = {str({**fact, "at": ""}) for fact in house.outbox()}
        # a cancel that was stopped between pools and locks tells what is left again, by itself
        bookings = int(prepare.__name__.startswith(("confirming", "reclaiming", "cancelling")))
        bookings += prepare in (pinning, finalising, giving_up_a_pin, finalising_what_redis_lost)
        bookings += prepare is confirming_part_among_late_payments
        most = 3 if prepare is cancelling else bookings
        assert min(most, 2) <= len(facts) <= most
        assert len({fact["booking"] for fact in house.outbox()}) == bookings
        house.audit()
    raise AssertionError(f"more than {MOST_COMMANDS} commands")


@pytest.mark.parametrize("plan", [PLAN, ()], ids=["with-seats", "pools-alone"])
def test_a_show_that_was_retired_in_part_is_retired_by_asking_again(
    plan: Any, server: RedisServer, clock: Clock
) -> None:
    half_way = 0
    for number, house in houses(server, clock, {}):
        house.show = f"{house.show}-limited"
        house.open(plan, limit=20, pools=POOLS)
        for holder in ("ada", "bo"):
            house.locker.confirm(house.acquire(holder=holder, pools={"floor": 2}))
        assert house.bridge
        house.bridge.fail_at = number
        failed = fails(lambda house=house: house.locker.retire(house.show, unread="discard"))
        sent, house.bridge.fail_at = house.bridge.sent[:], 0
        if not failed:
            assert half_way, "it never failed between two writes"
            return
        half_way += bool(WRITES.intersection(sent[:-1]))
        house.locker.retire(house.show, unread="discard")
        assert house.dump() == {}, sent
    raise AssertionError(f"more than {MOST_COMMANDS} commands")


def never_too_many(house: House, pool: str) -> None:
    """Somebody else gets what is left, and not one more."""
    found = house.locker.availability(house.show).pools.get(pool)
    if found is not None:
        house.failing(
            SeatsUnavailable, lambda: house.locker.acquire(house.show, holder="x", pools={pool: found.free + 1})
        )
