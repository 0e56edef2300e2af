"""Every command of every script that writes is made to fail in turn.

A script that fails half-way is not rolled back: whatever it leaves behind, no seat has two owners, and asking again
sets it right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import pytest
from msgspec.structs import replace

from seatlock import Booking, OutcomeUnknown, ScriptFailed, SeatsUnavailable, _pinning
from seatlock._commands import of_asks, reclaiming_token
from tests.lua.hall import Hall
from tests.lua.house import PLAN, SEATS, T1, T2, T3, House
from tests.lua.warming import found, load
from tests.support import strict
from tests.support.clock import Clock
from tests.support.keyspace import too_little
from tests.support.lua_bridge import LuaBridge
from tests.support.servers import RedisServer, backend

WRITES: Final = frozenset(
    [
        *("DEL", "HDEL", "HSET", "MSET", "PERSIST", "PEXPIREAT", "RENAME", "SET", "SETBIT", "SETRANGE", "UNLINK"),
        *("XADD", "XGROUP", "ZADD", "ZREM"),
    ]
)  # of those that the scripts send
MOST_COMMANDS: Final = 60


class Attempt(NamedTuple):
    """A call that fails half-way: the call, and who owns its seats afterwards (None: nobody need to)."""

    call: Callable[[], Any]
    owner: str | None
    seats: tuple[str, ...]


def acquiring(house: House) -> Attempt:
    return Attempt(lambda: house.acquire("A-1", "A-2", token=T1), "ada", ("A-1", "A-2"))


def acquiring_after_others(house: House) -> Attempt:
    house.acquire("A-1", holder="early", ttl=60)
    house.acquire("A-3", holder="early", ttl=60)
    assert house.bridge
    house.tick_to(house.now + 60_001)  # Redis still has the locks
    return acquiring(house)


def acquiring_the_best(house: House) -> Attempt:
    house.acquire("A-1", holder="early", ttl=60)
    house.advance(61)
    house.acquire("A-3", holder="early", ttl=600)
    sets = (("A-3", "A-4"), ("A-1", "A-2"))
    return Attempt(lambda: house.best(*sets, token=T1), "ada", ("A-1", "A-2"))


def extending(house: House) -> Attempt:
    hold = house.acquire("A-1", "A-2", token=T1, ttl=60)
    return Attempt(lambda: house.locker.extend(hold, ttl=600), "ada", hold.seats)


def confirming(house: House) -> Attempt:
    hold = house.acquire("A-1", "A-2", token=T1)
    return Attempt(lambda: house.locker.confirm(hold, payment="pay"), "ada", hold.seats)


def beginning_to_pay(house: House) -> Attempt:
    hold = house.acquire("A-1", "A-2", token=T1, ttl=60)
    return Attempt(lambda: house.locker.begin_payment(hold, expected=600), "ada", hold.seats)


def make_strict(house: House) -> None:
    """Leave it to the ledger what is sold."""
    limited = house.raw.hexists(house.key("meta"), "limits")
    house.locker.warm(house.show, PLAN, checkout="strict", **({"limit": 4} if limited else {}))


def pinning(house: House) -> Attempt:
    make_strict(house)
    hold = house.acquire("A-1", "A-2", token=T1)
    return Attempt(lambda: strict.pin(house.locker, hold), "ada", hold.seats)


def finalising(house: House) -> Attempt:
    make_strict(house)
    booking = strict.booking_of(strict.pin(house.locker, house.acquire("A-1", "A-2", token=T1)))
    return Attempt(lambda: strict.finalise(house.locker, booking), "ada", booking.seats)


def giving_up_a_pin(house: House) -> Attempt:
    make_strict(house)
    booking = strict.booking_of(strict.pin(house.locker, house.acquire("A-1", "A-2", token=T1)))
    return Attempt(lambda: strict.finalise(house.locker, booking, sold=False), None, booking.seats)


def reclaiming(house: House) -> Attempt:
    hold = house.acquire("A-1", "A-2", token=T1, ttl=60)
    house.advance(90)
    return Attempt(lambda: house.locker.confirm(hold, payment="pay", reclaim=True), "ada", hold.seats)


def reclaiming_in_time(house: House) -> Attempt:
    hold = house.acquire("A-1", "A-2", token=T1)
    return Attempt(lambda: house.locker.confirm(hold, payment="pay", reclaim=True), "ada", hold.seats)


def releasing(house: House) -> Attempt:
    hold = house.acquire("A-1", "A-2", token=T1, ttl=60)
    return Attempt(lambda: house.locker.release(hold), None, hold.seats)


def cancelling(house: House) -> Attempt:
    booking = house.locker.confirm(house.acquire("A-1", "A-2", token=T1))
    return Attempt(lambda: house.locker.cancel(booking), None, booking.seats)


def forcing(house: House) -> Attempt:
    hold = house.acquire("A-1", "A-2", token=T1, ttl=60)
    return Attempt(lambda: house.force(*hold.seats), None, hold.seats)


def blocking(house: House) -> Attempt:
    house.locker.block(house.show, ["A-3"], reason="pillar")
    return Attempt(lambda: house.locker.block(house.show, ["A-1", "A-2", "A-3"], reason="camera"), None, ())


def blocking_without_a_reason(house: House) -> Attempt:
    house.locker.block(house.show, ["A-3"], reason="pillar")
    return Attempt(lambda: house.locker.block(house.show, ["A-1", "A-3"]), None, ())


def unblocking(house: House) -> Attempt:
    house.locker.block(house.show, ["A-1", "A-2"], reason="camera")
    return Attempt(lambda: house.locker.unblock(house.show, ["A-1", "A-2"]), None, ("A-1", "A-2"))


def channelling(house: House) -> Attempt:
    house.acquire("A-1")
    return Attempt(lambda: house.locker.set_channel(house.show, ["A-1", "A-2"], "partner"), None, ())


def sweeping(house: House) -> Attempt:
    house.acquire("A-1", "A-2", ttl=60)
    house.advance(61)
    return Attempt(lambda: house.locker.sweep(house.show), None, ("A-1", "A-2"))


def opening(house: House) -> Attempt:
    return Attempt(lambda: house.locker.pause_sale(house.show), None, ())


def setting_a_time(house: House) -> Attempt:
    tomorrow = (house.now + 86_400_000) / 1000
    return Attempt(lambda: house.locker.close_sale(house.show, at=tomorrow), None, ())


def loading(house: House) -> Attempt:
    house.locker.block(house.show, ["A-4"], reason="why")
    more = [replace(SEATS[0], id="C-1"), replace(SEATS[0], id="C-2", status="sold"), replace(SEATS[3], status="sold")]
    return Attempt(lambda: house.run(load(house, "warm", more)), None, ())


def founding(house: House) -> Attempt:
    return Attempt(lambda: house.run(found(house)), None, ())


def founding_anew(house: House) -> Attempt:
    house.raw.delete(*map(house.key, ("meta", "due", "changes", "outbox", "plan")))
    return founding(house)


def retiring(house: House) -> Attempt:
    return Attempt(lambda: house.locker.retire(house.show), None, ())


def with_passes(house: House) -> Hall:
    """Require admission, and let in all who ask."""
    hall = Hall(house).open()
    hall.room.prepare(house.show, hall.settings, required=True)
    hall.joins("ada", "stranger")
    hall.let_in()
    return hall


def acquiring_with_a_pass(house: House) -> Attempt:
    with_passes(house)
    return acquiring(house)


def confirming_with_a_pass(house: House) -> Attempt:
    with_passes(house)
    return confirming(house)


def reclaiming_with_a_pass(house: House) -> Attempt:
    with_passes(house)
    return reclaiming(house)


def retiring_with_a_room(house: House) -> Attempt:
    with_passes(house)
    return retiring(house)


ATTEMPTS: Final = [
    acquiring,
    acquiring_after_others,
    acquiring_the_best,
    extending,
    confirming,
    *(pinning, finalising, giving_up_a_pin),
    beginning_to_pay,
    reclaiming,
    reclaiming_in_time,
    releasing,
    cancelling,
    forcing,
    blocking,
    blocking_without_a_reason,
    unblocking,
    channelling,
    sweeping,
    opening,
    setting_a_time,
    loading,
    founding,
    founding_anew,
    retiring,
    *(acquiring_with_a_pass, confirming_with_a_pass, reclaiming_with_a_pass, retiring_with_a_room),
]

WITH_LISTS: Final = [
    *(acquiring, acquiring_after_others, acquiring_the_best),
    *(extending, confirming, reclaiming, releasing, cancelling),
    *(pinning, finalising, giving_up_a_pin),
]
"""Those that write the lists of a show with limits."""


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Clock:
    return Clock(tmp_path_factory.mktemp("clock"))


@pytest.fixture(scope="module")
def server(clock: Clock) -> Iterator[RedisServer]:
    with RedisServer(backend("redis-7"), env=clock.env) as server:
        yield server


def houses(server: RedisServer, clock: Clock, settings: dict[str, Any]) -> Iterator[tuple[int, House]]:
    """A fresh house for every command that may fail."""
    bridge = LuaBridge(str(server.socket), [])
    with server.unix_client() as raw:
        for number in range(1, MOST_COMMANDS):
            clock.reset()
            raw.flushall()
            house = House(bridge, raw, clock)
            house.open(**settings)
            yield number, house
    bridge.close()


def stranger_gets(house: House, seat: str) -> bool:
    """Whether somebody else can have a seat now."""
    try:
        hold = house.acquire(seat, holder="stranger", token=T2)
    except SeatsUnavailable:
        return False
    house.locker.release(hold)
    return True


@pytest.mark.parametrize(
    ("prepare", "settings"),
    [*((prepare, {}) for prepare in ATTEMPTS), *((prepare, {"limit": 4}) for prepare in WITH_LISTS)],
)
def test_a_script_that_fails_half_way_leaves_nothing_that_asking_again_does_not_set_right(
    prepare: Callable[[House], Attempt], settings: dict[str, Any], server: RedisServer, clock: Clock
) -> None:
    half_way = 0
    for number, house in houses(server, clock, settings):
        attempt = prepare(house)
        assert house.bridge
        before, locks = house.dump(), locks_of(house, attempt.seats)
        house.bridge.fail_at = number
        failed = fails(attempt.call)
        sent, house.bridge.fail_at = house.bridge.sent[:], 0
        if not failed:
            assert half_way, "it never failed between two writes"
            return
        if WRITES.intersection(sent[:-1]):
            half_way += 1
        else:
            assert house.dump() == before, sent
        if settings:
            assert too_little(house.raw, house.show) == {}, sent
        for seat, lock in locks_of(house, attempt.seats).items():
            asked_for = lock is not None and lock[1] in (T1, reclaiming_token(T1))
            assert lock is None or asked_for or lock == locks[seat], "a lock is the old one or the one asked for"
            live = lock is not None and (lock[0] != "h" or lock[5] > house.now)
            assert not (live and stranger_gets(house, seat)), sent
        attempt.call()
        check_the_end(house, attempt)
    raise AssertionError(f"more than {MOST_COMMANDS} commands")


def check_the_end(house: House, attempt: Attempt) -> None:
    """After it was asked again, all is as if it had never failed; a lost mirror may need until the hold's end."""
    if attempt.owner:
        assert all(lock and lock[2] == attempt.owner for lock in locks_of(house, attempt.seats).values())
        assert not any(stranger_gets(house, seat) for seat in attempt.seats)
    elif attempt.seats:
        house.advance(61)
        house.locker.sweep(house.show)
        assert all(stranger_gets(house, seat) for seat in attempt.seats)
    house.audit()


def fails(call: Callable[[], Any]) -> bool:
    """Whether a call fails, and for the reason that it should."""
    try:
        call()
    except (OutcomeUnknown, ScriptFailed) as error:
        return "it was made to fail" in str(error)
    return False


def locks_of(house: House, seats: tuple[str, ...]) -> dict[str, Any]:
    """The locks of seats, if any."""
    return {seat: house.lock(seat) for seat in seats}


@pytest.mark.parametrize("settings", [{}, {"limit": 4}], ids=["no-limits", "limits"])
def test_what_the_ledger_sold_and_redis_lost_is_sold_by_asking_again(
    settings: dict[str, Any], server: RedisServer, clock: Clock
) -> None:
    """One seat is free, one held and one pinned by somebody else, one given back and sold in the same call."""
    half_way = 0
    for number, house in houses(server, clock, settings):
        make_strict(house)
        house.acquire("A-1", holder="bo", token=T1)
        house.locker._seek(_pinning.pin("seatlock", house.acquire("A-2", holder="bo", token=T2), None, None))
        given_back = strict.booking_of(strict.pin(house.locker, house.acquire("A-4", token=T3)))
        sold = Booking("bk", house.show, ("A-1", "A-2", "A-3", "A-4"), "dan", None, 2**40 + 77, 12.5)
        asks = [
            _pinning.finalise("seatlock", given_back, sold=False),
            _pinning.finalise("seatlock", sold, sold=True),
        ]
        call = of_asks("seatlock", asks, lists=bool(settings))
        assert house.bridge
        before = house.dump()
        house.bridge.fail_at = number
        failed = fails(lambda call=call, house=house: house.run(call))
        sent, house.bridge.fail_at = house.bridge.sent[:], 0
        if not failed:
            assert half_way, "it never failed between two writes"
            return
        half_way += bool(WRITES.intersection(sent[:-1]))
        assert WRITES.intersection(sent[:-1]) or house.dump() == before, sent
        if settings:
            assert too_little(house.raw, house.show) == {}, sent
        for seat, lock in locks_of(house, sold.seats).items():
            assert lock is None or lock[6:] == ["bk", ""] or lock[1] in (T1, T2, T3)
            assert seat == "A-3" or not stranger_gets(house, seat), sent
        house.run(call)
        assert [lock and (lock[0], lock[6]) for lock in locks_of(house, sold.seats).values()] == [("s", "bk")] * 4
        house.advance(700)  # somebody's list tells of the lost hold until its time is over
        house.raw.delete(house.key("holder:bo"))  # and of the lost pin, until that is decided as well
        house.audit()
    raise AssertionError(f"more than {MOST_COMMANDS} commands")
