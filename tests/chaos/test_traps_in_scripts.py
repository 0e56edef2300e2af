"""Traps that other libraries' scripts fell into, each with a test of its name. See test_traps.py for those of locks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, Final

import pytest
import redis

from seatlock import AcquireRequest, Booking, ConfirmRequest, Hold, Seat, SeatLocker, _reads, _upkeep
from tests.chaos.calls import CALLS
from tests.chaos.verbs import SEATS, VERBS, fresh_show, hold_of
from tests.support.cluster import Cluster
from tests.support.keyspace import FIXED, base, contradictions, lock_of
from tests.support.monitor import Seen, monitor
from tests.support.servers import RedisServer
from tests.support.waiting import until

# What a sale may make the server do: each of these does an amount of work that the request itself bounds.
BOUNDED: Final = {
    *("evalsha", "eval", "time", "exists", "get", "mget", "set", "mset", "del"),
    *("hmget", "hget", "hset", "zadd", "zrem", "zcard", "zrangebyscore", "xadd", "xrange"),
    *("hello", "client|setinfo"),
}


@pytest.fixture(scope="module")
def raw(server: RedisServer) -> Iterator[redis.Redis]:
    with server.unix_client() as client:
        yield client


@pytest.fixture(scope="module")
def locker(raw: redis.Redis) -> SeatLocker:
    return SeatLocker(raw)


def a_sale(locker: SeatLocker, raw: redis.Redis, show: str) -> None:
    """Every verb of a sale, with something to do for it, except those that read or load a whole plan."""
    first = hold_of(locker, show)
    locker.extend(first, ttl=900.0)
    locker.cancel(locker.confirm(first, payment="pay"))
    locker.release(hold_of(locker, show, 1))
    locker.acquire_many(show, [AcquireRequest([seat], seat, 0.001) for seat in SEATS[:4]])
    until(lambda: all(raw.pttl(lock_of(show, seat)) == -2 for seat in SEATS[:4]), "the short holds are over")
    hold_of(locker, show, 2)
    locker.sweep(show)
    locker._run(_reads.inspect("seatlock", show, SEATS, ("",)))
    locker._run(_reads.changes("seatlock", show, 1, 0))
    locker.confirm_many(show, [ConfirmRequest(hold_of(locker, show, 3), "pay")])


def calls_of(raw: redis.Redis) -> dict[str, int]:
    """How often each command ran since the last reset, but for those by which the tests wait and look."""
    stats = raw.info("commandstats")
    calls = {name.removeprefix("cmdstat_"): stat["calls"] for name, stat in stats.items()}
    return {name: count for name, count in calls.items() if name not in ("pttl", "config|resetstat", "info")}


def test_trap_scan_or_keys_in_the_hot_path(locker: SeatLocker, raw: redis.Redis) -> None:
    show = fresh_show(locker)
    raw.config_resetstat()
    a_sale(locker, raw, show)
    locker.availability(show)
    locker.inspect(show, SEATS)
    calls = calls_of(raw)
    assert calls["set"] > 5
    assert calls["zrem"] > 3
    assert calls.keys() - BOUNDED == set()


def test_trap_scripts_that_grow_with_the_data(locker: SeatLocker, raw: redis.Redis) -> None:
    """The same sale makes the same calls, call by call, in a small house and in a large one."""
    work = []
    for size in (100, 100, 20_000):  # the first teaches the server the scripts
        show = fresh_show(locker, (*SEATS, *(f"N-{number}" for number in range(size - len(SEATS)))))
        raw.config_resetstat()
        a_sale(SeatLocker(raw), raw, show)
        work.append(calls_of(raw))
    assert work[1] == work[2]
    assert work[1]["set"] > 5


def test_trap_unpack_of_many_values(locker: SeatLocker, raw: redis.Redis) -> None:
    """The largest calls that there can be, with more due seats than a call looks at, and with ids of full length."""
    names = tuple(f"{number:0>128}" for number in range(700))
    show = fresh_show(locker, names)
    short = locker.acquire_many(show, [AcquireRequest([seat], "late", 0.001) for seat in names[600:]])
    until(lambda: not any(raw.exists(lock_of(show, hold.seats[0])) for hold in short), "the short holds are over")
    sizes = (100, 100, 100, 100, 100, 12)
    starts = [sum(sizes[:n]) for n in range(len(sizes))]
    asked = [AcquireRequest(names[at : at + size], "ada" * 80) for at, size in zip(starts, sizes, strict=True)]
    holds = locker.acquire_many(show, asked)
    assert [type(hold) for hold in holds] == [Hold] * len(sizes)
    assert raw.zcard(f"{base(show)}due") == 1 + 512 + 100 - 32
    assert locker.extend(holds[0], ttl=900.0).ttl > 800
    bookings = locker.confirm_many(show, [ConfirmRequest(hold, "p" * 256) for hold in holds])
    assert [type(booking) for booking in bookings] == [Booking] * len(sizes)
    assert locker.cancel(bookings[0]).cancelled == names[:100]
    assert locker.sweep(show) == 100 - 32
    assert len(locker.inspect(show, names[50:150])) == 100
    one_by_one = locker.acquire_many(show, [AcquireRequest([seat], "bo") for seat in (*names[:100], *names[512:668])])
    assert [type(hold) for hold in one_by_one] == [Hold] * 256
    assert all(release.released for release in locker.release_many(show, one_by_one))
    assert contradictions(raw, show) == []


def test_trap_unpack_of_many_due_seats(locker: SeatLocker, raw: redis.Redis) -> None:
    names = tuple(f"N-{number}" for number in range(2_300))
    show = fresh_show(locker, names)
    locker.acquire_many(show, [AcquireRequest(names[at : at + 100], "late", 0.001) for at in range(0, 2_300, 100)])
    until(lambda: not raw.exists(lock_of(show, names[-1])), "the short holds are over")
    left = raw.zcard(f"{base(show)}due") - 1
    assert left > 2_000  # some calls took back a few of the due seats on their way
    swept, more = locker._run(_sweep_of_a_thousand(show))
    assert (swept, more) == (1_000, False)
    assert locker.sweep(show) == left - 1_000
    assert locker.availability(show).counts["free"] == 2_300
    assert contradictions(raw, show) == []


def _sweep_of_a_thousand(show: str) -> Any:
    step = _upkeep.sweep("seatlock", show)
    step.args = [b"1000"]  # the most that the script lets anyone ask for
    return step


def test_trap_availability_updated_with_the_lock(server: RedisServer, locker: SeatLocker) -> None:
    """Whoever looks at locks and mirrors in one moment sees them agree, while the seats are sold and given back."""
    show = fresh_show(locker)
    over = threading.Event()

    def sell(number: int) -> None:
        with server.unix_client() as client:
            own = SeatLocker(client)
            while not over.is_set():
                hold = own.extend(hold_of(own, show, number), ttl=1200.0)
                own.cancel(own.confirm(hold))
                own.release(hold_of(own, show, number))

    sellers = [threading.Thread(target=sell, args=(number,)) for number in range(2)]
    for seller in sellers:
        seller.start()
    seen = set()
    try:
        with server.unix_client() as client:
            for _ in range(400):
                look = client.pipeline(transaction=True)
                look.mget([lock_of(show, seat) for seat in SEATS])
                look.hmget(f"{base(show)}seats", SEATS)
                look.hget(f"{base(show)}meta", "version")
                locks, mirrors, version = look.execute()
                seen.add(version)
                for lock, mirror in zip(locks, mirrors, strict=True):
                    parts = lock.split(b"\n") if lock else [b"f"]
                    assert mirror.partition(b":")[0] == parts[0] + b"0"
                    assert parts[0] != b"h" or mirror.endswith(b":" + parts[5])
    finally:
        over.set()
        for seller in sellers:
            seller.join(timeout=10)
    assert len(seen) > 20


@pytest.mark.parametrize("name", sorted(VERBS.keys() - {"retire"}))
def test_trap_availability_that_expires_in_mid_sale(locker: SeatLocker, raw: redis.Redis, name: str) -> None:
    """Whatever is done to a show, its fixed keys stay, without an end, also when they have nothing to tell."""
    show = fresh_show(locker)
    VERBS[name].call(locker, show, VERBS[name].prepare(locker, show))
    ends = {part: raw.ttl(base(show) + part) for part in FIXED}
    assert ends == dict.fromkeys(FIXED, -1)


def touched_by(raw: redis.Redis, command: Seen) -> set[bytes]:
    """The keys of a command, as the server itself sees them."""
    if command.name in ("TIME", "INFO"):
        return set()
    return {key.encode() for key in raw.command_getkeys(*command.words)}


@pytest.mark.parametrize("name", [*CALLS, "server", "probe", "a new show"])
def test_trap_undeclared_keys(server: RedisServer, locker: SeatLocker, raw: redis.Redis, name: str) -> None:
    """Each key that a script touches is among its KEYS: else a cluster could not tell that it has moved."""
    show = fresh_show(locker)
    if name == "a new show":
        show = f"{show}-new"
        with monitor(server) as seen:
            locker.warm(show, [Seat("A"), Seat("B", status="sold")])
    else:
        call = CALLS[name](locker, raw, show) if name in CALLS else getattr(_upkeep, name)("seatlock", show)
        with monitor(server) as seen:
            locker._run(call)
    declared: set[bytes] = set()
    called = 0
    for command in seen:
        if command.by_script:
            called += 1
            assert touched_by(raw, command) <= declared, command
        elif command.name in ("EVALSHA", "EVAL"):
            declared = set(command.words[3 : 3 + int(command.words[2])])
            assert {key.partition(b"}")[0] for key in declared} == {f"seatlock:{{{show}".encode()}
    assert called > 0


def test_an_undeclared_key_would_be_seen(server: RedisServer, raw: redis.Redis) -> None:
    with monitor(server) as seen:
        raw.eval("redis.call('GET', KEYS[1]); return redis.call('EXISTS', KEYS[1], ARGV[1])", 1, "declared", "hidden")
    (_, get, exists) = [command for command in seen if command.name in ("EVAL", "GET", "EXISTS")]
    assert (get.by_script, touched_by(raw, get)) == (True, {b"declared"})
    assert touched_by(raw, exists) == {b"declared", b"hidden"}


def test_trap_undeclared_keys_on_a_cluster(cluster: Cluster) -> None:
    """A cluster runs every verb: all keys of a show are on one node."""
    with cluster.client() as raw:
        locker = SeatLocker(raw)
        nodes = set()
        for verb in VERBS.values():
            show = fresh_show(locker)
            nodes.add(cluster.primary_of(base(show)).port)
            verb.call(locker, show, verb.prepare(locker, show))
        assert len(nodes) > 1
