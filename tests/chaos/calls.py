"""Every script that touches a show, as a call that is ready to be sent, with something to do for each of its writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import redis
from msgspec.structs import replace

from seatlock import (
    Booking,
    Hold,
    Seat,
    SeatLocker,
    SeatLockError,
    _blocks,
    _channels,
    _commands,
    _levels,
    _limits,
    _operators,
    _pinning,
    _pools,
    _reads,
    _stocktaking,
    _upkeep,
    _warming,
)
from seatlock._keys import keys_of
from seatlock._operation import Operation
from seatlock.outbox import _stream
from seatlock.plan import SeatingPlan
from tests.chaos.verbs import HOLDER, SEATS, TOMORROW, hold_of, late_hold, token
from tests.support.keyspace import base
from tests.support.strict import booking_of, pin
from tests.support.waiting import until

NS: Final = "seatlock"
Prepare = Callable[[SeatLocker, redis.Redis, str], Operation[Any]]


def due_seats(locker: SeatLocker, raw: redis.Redis, show: str) -> None:
    """Leave two seats whose time has passed, and one that is looked at too early: the sweep puts it off."""
    locker.acquire(show, SEATS[7:8], holder="early", ttl=600.0)
    hold = locker.acquire(show, SEATS[5:7], holder="late", ttl=0.001)
    until(lambda: all(state.state == "free" for state in locker.inspect(show, hold.seats)), "the hold has ended")
    raw.zadd(f"{base(show)}due", {SEATS[7]: 1})


def _acquire(locker: SeatLocker, raw: redis.Redis, show: str) -> Operation[Any]:
    due_seats(locker, raw, show)
    return _commands.of_asks(NS, [_commands.acquire(NS, show, SEATS[:2], HOLDER, 600.0, token())])


def _acquire_best(locker: SeatLocker, raw: redis.Redis, show: str) -> Operation[Any]:
    due_seats(locker, raw, show)
    sets = [(SEATS[7], SEATS[0]), SEATS[:2], SEATS[2:4]]  # of the first, one is held
    return _commands.of_asks(NS, [_commands.acquire_best(NS, show, sets, HOLDER, 600_000, token(), minted=False)])


def _extend(locker: SeatLocker, _: redis.Redis, show: str) -> Operation[Any]:
    return _commands.of_asks(NS, [_commands.extend(NS, hold_of(locker, show), 900.0)])


def _confirm(locker: SeatLocker, _: redis.Redis, show: str) -> Operation[Any]:
    return _commands.of_asks(NS, [_commands.confirm(NS, hold_of(locker, show), "pay-1", None)])


def _begin_payment(locker: SeatLocker, _: redis.Redis, show: str) -> Operation[Any]:
    return _commands.of_asks(NS, [_commands.begin_payment(NS, hold_of(locker, show), 900.0)])


def _reclaim(locker: SeatLocker, _: redis.Redis, show: str) -> Operation[Any]:
    return _commands.of_asks(NS, [_commands.confirm(NS, late_hold(locker, show), "pay-1", None, reclaim=True)])


def _release(locker: SeatLocker, _: redis.Redis, show: str) -> Operation[Any]:
    return _commands.of_asks(NS, [_commands.release(NS, hold_of(locker, show))])


def _cancel(locker: SeatLocker, _: redis.Redis, show: str) -> Operation[Any]:
    return _commands.of_asks(NS, [_commands.cancel(NS, locker.confirm(hold_of(locker, show), payment="pay-1"))])


def strict_hold(locker: SeatLocker, show: str, pools: dict[str, int] | None = None) -> Hold:
    """A hold of seats, and of pools where there are to be any, on a show whose checkout becomes strict now."""
    locker.warm(show, SEATS, checkout="strict", pools=pools and POOLS)
    return locker.acquire(show, SEATS[:2], holder=HOLDER, token=token(), pools=pools)


def _pin(pools: dict[str, int] | None = None) -> Prepare:
    return lambda locker, _raw, show: _commands.of_asks(
        NS, [_pinning.pin(NS, strict_hold(locker, show, pools), "pay-1", None)]
    )


def _finalise(*, sold: bool, pools: dict[str, int] | None = None) -> Prepare:
    def prepare(locker: SeatLocker, _: redis.Redis, show: str) -> Operation[Any]:
        booking = booking_of(pin(locker, strict_hold(locker, show, pools)))
        return _commands.of_asks(NS, [_pinning.finalise(NS, replace(booking, confirmed_at=12.5), sold=sold)])

    return prepare


def _finalise_others(locker: SeatLocker, _: redis.Redis, show: str) -> Operation[Any]:
    """What Redis lost: one seat is free, one held by somebody else, and one pinned."""
    pin(locker, strict_hold(locker, show))
    locker.acquire(show, SEATS[2:3], holder="late")
    booking = Booking("bk-1", show, SEATS[1:4], HOLDER, "pay-1", 2**40 + 77, 12.5)
    return _commands.of_asks(NS, [_pinning.finalise(NS, booking, sold=True)])


def _finalise_others_pools(locker: SeatLocker, _: redis.Redis, show: str) -> Operation[Any]:
    strict_hold(locker, show, {"floor": 2})
    booking = Booking("bk-1", show, SEATS[2:3], HOLDER, "pay-1", 2**40 + 77, 12.5, pools={"floor": 4})
    return _commands.of_asks(NS, [_pinning.finalise(NS, booking, sold=True)])


def _pins(locker: SeatLocker, _: redis.Redis, show: str) -> Operation[Any]:
    pin(locker, strict_hold(locker, show))
    return _upkeep.pins(NS, show, b"0")


def _force_release(locker: SeatLocker, _: redis.Redis, show: str) -> Operation[Any]:
    hold = hold_of(locker, show)
    return _operators.force_release_of(
        NS, [_operators.force_release_ask(NS, show, hold.seats, "eve", "a test", hold.fence)]
    )


def _block(locker: SeatLocker, _: redis.Redis, show: str) -> Operation[Any]:
    locker.block(show, SEATS[2:3], reason="pillar")
    return _blocks.block(NS, show, SEATS[:3], "camera")


def _unblock(locker: SeatLocker, _: redis.Redis, show: str) -> Operation[Any]:
    locker.block(show, SEATS[:2], reason="camera")
    return _blocks.unblock(NS, show, SEATS[:3])


def _set_channel(locker: SeatLocker, _: redis.Redis, show: str) -> Operation[Any]:
    hold_of(locker, show)
    locker.set_channel(show, SEATS[2:3], "agency")
    return _channels.set_channel(NS, show, SEATS[:3], "partner")


def _sweep(locker: SeatLocker, raw: redis.Redis, show: str) -> Operation[Any]:
    due_seats(locker, raw, show)
    return _upkeep.sweep(NS, show)


def _warm_step(name: str) -> Prepare:
    more = [Seat("T-1"), Seat("T-2", status="sold"), Seat("T-3", status="blocked")]
    return lambda _locker, _raw, show: _warming._load(name, NS, show, more, {"": 0})


def _found(_locker: SeatLocker, _raw: redis.Redis, show: str) -> Operation[Any]:
    plan = SeatingPlan.of([Seat(seat, section="stalls") for seat in SEATS])
    return _warming._found(NS, show, plan, _warming.Settings(max_hold_ms=900_000, outbox=True))


def _holds(locker: SeatLocker, _: redis.Redis, show: str) -> Operation[Any]:
    locker.warm(show, SEATS, limit=len(SEATS))
    return _reads.listed(NS, show, HOLDER)


def _claimed(locker: SeatLocker, _: redis.Redis, show: str) -> Operation[Any]:
    pooled_hold(locker, show)
    return _limits._claimed(NS, show, HOLDER)


def _retired(name: str) -> Prepare:
    def prepare(locker: SeatLocker, raw: redis.Redis, show: str) -> Operation[Any]:
        locker.confirm(hold_of(locker, show))
        locker._run(_upkeep.retire(NS, show, "discard"))
        return _upkeep.remnants(NS, show, b"0") if name == "remnants" else _upkeep.forget(NS, show, SEATS)

    return prepare


POOLS: Final = {"floor": 9, "bal cony": 3}


def pooled_hold(locker: SeatLocker, show: str) -> Hold:
    """A hold of seats and pools, on a show that gets its pools now."""
    locker.warm(show, SEATS, pools=POOLS)
    return locker.acquire(show, SEATS[:2], holder=HOLDER, token=token(), pools={"floor": 2, "bal cony": 3})


def _acquire_pools(locker: SeatLocker, _: redis.Redis, show: str) -> Operation[Any]:
    """Five of six are to be had: two claims whose time has passed are in the way."""
    locker.warm(show, SEATS, pools=POOLS)
    late = [locker.acquire(show, holder=f"late-{n}", ttl=0.001, pools={"floor": 4}) for n in range(2)]
    until(lambda: locker.availability(show).pools["floor"].free == POOLS["floor"], "the claims have ended")
    wanted = {"floor": 9, "bal cony": 1}
    assert late
    return _commands.of_asks(NS, [_commands.acquire(NS, show, SEATS[:2], HOLDER, 600.0, token(), wanted)])


def _extend_pools(locker: SeatLocker, _: redis.Redis, show: str) -> Operation[Any]:
    return _commands.of_asks(NS, [_commands.extend(NS, pooled_hold(locker, show), 900.0)])


def _confirm_pools(locker: SeatLocker, _: redis.Redis, show: str) -> Operation[Any]:
    return _commands.of_asks(NS, [_commands.confirm(NS, pooled_hold(locker, show), "pay-1", None)])


def _reclaim_pools(locker: SeatLocker, _: redis.Redis, show: str) -> Operation[Any]:
    locker.warm(show, SEATS, pools=POOLS)
    wanted = {"floor": 2, "bal cony": 3}
    hold = locker.acquire(show, SEATS[:2], holder=HOLDER, ttl=0.001, token=token(), pools=wanted)
    until(lambda: not any(found.held for found in locker.availability(show).pools.values()), "the claims have ended")
    until(lambda: locker.availability(show).counts["free"] == len(SEATS), "the hold has ended")
    return _commands.of_asks(NS, [_commands.confirm(NS, hold, "pay-1", None, reclaim=True)])


def _release_pools(locker: SeatLocker, _: redis.Redis, show: str) -> Operation[Any]:
    return _commands.of_asks(NS, [_commands.release(NS, pooled_hold(locker, show))])


def _force_release_pools(locker: SeatLocker, _: redis.Redis, show: str) -> Operation[Any]:
    hold = pooled_hold(locker, show)
    what = _operators.Freeing((), tuple(POOLS), HOLDER, "eve", "a test")
    asks = [_operators.force_release_ask(NS, show, hold.seats, "eve", "a test", hold.fence)]
    asks += [_operators.force_release_claim(NS, show, pool, what, hold.fence) for pool in POOLS]
    return _operators.force_release_of(NS, asks)


def _pooled(locker: SeatLocker, _: redis.Redis, show: str) -> Operation[Any]:
    pooled_hold(locker, show)
    return _stocktaking.look(NS, show, tuple(POOLS), b"0")


def _cancel_pools(locker: SeatLocker, _: redis.Redis, show: str) -> Operation[Any]:
    booking = locker.confirm(pooled_hold(locker, show), payment="pay-1")
    return _commands.of_asks(NS, [_commands.cancel(NS, booking)])


def _sweep_pool(locker: SeatLocker, _: redis.Redis, show: str) -> Operation[Any]:
    locker.warm(show, SEATS, pools=POOLS)
    locker.acquire(show, holder="late", ttl=0.001, pools={"floor": 2})
    until(lambda: locker.availability(show).pools["floor"].free == POOLS["floor"], "the claim has ended")
    return _pools.sweep(NS, show, "floor")


def _stock(locker: SeatLocker, _: redis.Redis, show: str) -> Operation[Any]:
    pooled_hold(locker, show)
    return _pools.stock(NS, show, (("floor", 5), ("bal cony", 3), ("gallery", 7)))


def _take(locker: SeatLocker, raw: redis.Redis, show: str) -> Operation[Any]:
    """One fact was given to somebody who is dead, and one is new."""
    for number in range(2):
        locker.confirm(hold_of(locker, show, number))
    raw.xreadgroup("relay", "dead", {f"{base(show)}outbox": ">"}, count=1)
    return _stream.take(NS, show, "relay-1", 9000, 100)


def _settle(*reasons: str) -> Prepare:
    def prepare(locker: SeatLocker, _: redis.Redis, show: str) -> Operation[Any]:
        for number in range(len(reasons)):
            locker.confirm(hold_of(locker, show, number))
        taken: Any = locker._run(_stream.take(NS, show, "relay-1", 9000, 100))
        settled = [_stream.Settling(*each) for each in zip(taken.entries, reasons, strict=True)]
        return _stream.settle(NS, show, settled)

    return prepare


CALLS: Final[dict[str, Prepare]] = {
    "acquire": _acquire,
    "acquire_best": _acquire_best,
    "extend": _extend,
    "confirm": _confirm,
    "begin_payment": _begin_payment,
    "reclaim": _reclaim,
    "release": _release,
    "cancel": _cancel,
    "pin": _pin(),
    "finalise": _finalise(sold=True),
    "finalise_free": _finalise(sold=False),
    "finalise_others": _finalise_others,
    "force_release": _force_release,
    "block": _block,
    "unblock": _unblock,
    "set_channel": _set_channel,
    "sweep": _sweep,
    "status": lambda _locker, _raw, show: _upkeep.set_status(NS, show, "paused"),
    "closing time": lambda _locker, _raw, show: _upkeep.set_status(NS, show, "closed", round(TOMORROW * 1000)),
    "warm": _warm_step("warm"),
    "check": _warm_step("check"),
    "found": _found,
    "retire": lambda _locker, _raw, show: _upkeep.retire(NS, show, "keep"),
    "pins": _pins,
    "touch": lambda _locker, _raw, show: _levels.touch(show, keys_of(NS, show).meta),
    "raise_epoch": lambda _locker, _raw, show: _upkeep.raise_epoch(NS, show, 3),
    "remnants": _retired("remnants"),
    "forget": _retired("forget"),
    "inspect": lambda locker, _raw, show: _reads.inspect(NS, show, hold_of(locker, show).seats, ("",)),
    "vitals": lambda _locker, _raw, show: _operators.vitals(NS, show),
    "compare": lambda locker, _raw, show: _operators.compare(NS, show, hold_of(locker, show).seats),
    "availability": lambda _locker, _raw, show: _reads.mirrors(NS, show, SEATS),
    "changes": lambda _locker, _raw, show: _reads.changes(NS, show, 1, 0),
    "acquire_pools": _acquire_pools,
    "extend_pools": _extend_pools,
    "confirm_pools": _confirm_pools,
    "reclaim_pools": _reclaim_pools,
    "release_pools": _release_pools,
    "cancel_pools": _cancel_pools,
    "pin_pools": _pin({"floor": 2, "bal cony": 3}),
    "finalise_pools": _finalise(sold=True, pools={"floor": 2, "bal cony": 3}),
    "finalise_free_pools": _finalise(sold=False, pools={"floor": 2, "bal cony": 3}),
    "finalise_others_pools": _finalise_others_pools,
    "force_release_pools": _force_release_pools,
    "pooled": _pooled,
    "sweep_pool": _sweep_pool,
    "stock": _stock,
    "holds": _holds,
    "held": lambda _locker, _raw, show: _reads.held(NS, show, b"0"),
    "claimed": _claimed,
    "take": _take,
    "settle": _settle("", ""),
    "settle_aside": _settle("", "odd"),
}
READS: Final = frozenset(
    [
        "check",
        "pins",
        "remnants",
        "inspect",
        "vitals",
        "compare",
        "availability",
        "changes",
        "holds",
        "held",
        "claimed",
        "pooled",
    ]
)


def carry_out(locker: SeatLocker, operation: Operation[Any]) -> Any:
    """Send a script call as the locker does: gives its answer, or the error."""
    try:
        return locker._run(operation)
    except SeatLockError as error:
        return error


def holds_and_neighbours(locker: SeatLocker, show: str) -> list[Hold]:
    """Three holds of two seats each."""
    return [hold_of(locker, show, number) for number in range(3)]
