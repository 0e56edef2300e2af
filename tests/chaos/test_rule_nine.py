"""A script that cannot do all of it does nothing: wrong types, full memory, streams without ids, odd settings.

What a script leaves behind that is stopped in the middle of its writes is shown in test_rule_nine_half_way.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest
import redis

from seatlock import (
    AcquireRequest,
    Availability,
    Booking,
    BookingConflict,
    ConfirmRequest,
    Hold,
    Release,
    ScriptFailed,
    SeatLocker,
)
from tests.chaos.calls import CALLS, READS, carry_out, due_seats, holds_and_neighbours
from tests.chaos.verbs import HOLDER, SEATS, fresh_show, hold_of, token
from tests.support.doors import attempt
from tests.support.keyspace import base, contradictions, dump, lock_of
from tests.support.servers import BACKENDS, RedisServer

LAST_ID: Final = f"{2**64 - 1}-{2**64 - 1}"
# The type of these keys does not matter to these scripts, and needs no error: they look only whether the key is
# there, replace it whole (found: whoever warms has read the plan before), or delete it.
INDIFFERENT: Final = {
    *((name, "retired") for name in ("warm", "check", "found", "retire", "stock")),
    *((name, "plan") for name in ("found", "retire")),
    *((name, "lock") for name in ("forget", "compare")),
}


@pytest.fixture(scope="module", params=["redis-7", "redis-6.2"])
def server(request: pytest.FixtureRequest, server_of: Callable[[str], RedisServer]) -> RedisServer:
    return server_of(request.param)


@pytest.fixture(scope="module")
def raw(server: RedisServer) -> Iterator[redis.Redis]:
    with server.unix_client() as client:
        yield client


@pytest.fixture(scope="module")
def locker(server: RedisServer) -> Iterator[SeatLocker]:
    with SeatLocker.from_url(server.unix_url) as locker:
        yield locker


@contextmanager
def full(raw: redis.Redis) -> Iterator[None]:
    """The server has no memory left, and evicts nothing."""
    assert raw.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
    raw.config_set("maxmemory", 1)
    try:
        with pytest.raises(redis.OutOfMemoryError):
            raw.set("more", "x")
        yield
    finally:
        raw.config_set("maxmemory", 0)


# --- keys of another type


def require_admission(raw: redis.Redis, show: str) -> None:
    """Have the show require admission, and admit everybody's `HOLDER`: only then scripts look at passes."""
    raw.hset(f"{base(show)}meta", "admission", "1")
    raw.zadd(f"{base(show)}passes", {"": "+inf", HOLDER: 2**49})
    raw.zadd(f"{base(show)}queue", {"": "+inf"})
    raw.hset(f"{base(show)}grants", mapping={"": "", HOLDER: "1 0 1"})


@pytest.mark.parametrize("name", CALLS)
def test_each_key_in_turn_has_another_type(locker: SeatLocker, raw: redis.Redis, name: str) -> None:
    show = fresh_show(locker)
    call = CALLS[name](locker, raw, show)
    if f"{base(show)}passes".encode() in call.keys:
        require_admission(raw, show)
    for key in call.keys:
        kind = key.decode().removeprefix(base(show)).partition(":")[0]
        there = raw.exists(key)
        if there:
            raw.rename(key, "aside{" + show + "}")
        raw.rpush(key, "something else")
        before = dump(raw, show)
        answer = carry_out(locker, call)
        if (name, kind) in INDIFFERENT:
            assert not isinstance(answer, ScriptFailed), (key, answer)
            break  # it may have done its work
        assert isinstance(answer, ScriptFailed), (key, answer)
        assert "WRONGTYPE" in str(answer) or "SEATLOCK" in str(answer)
        assert dump(raw, show) == before, key
        raw.delete(key)
        if there:
            raw.rename("aside{" + show + "}", key)
    else:
        assert not isinstance(carry_out(locker, call), Exception)  # with all keys right it works


def test_only_the_offender_of_a_batch_fails(locker: SeatLocker, raw: redis.Redis) -> None:
    """A lock of another type breaks the script for the whole batch, so each request is sent alone."""
    show = fresh_show(locker)
    raw.rpush(lock_of(show, SEATS[3]), "something else")
    asked = [AcquireRequest(SEATS[2 * n : 2 * n + 2], HOLDER, 600.0, token(n)) for n in range(3)]
    first, offender, last = locker.acquire_many(show, asked)
    assert (type(first), type(offender), type(last)) == (Hold, ScriptFailed, Hold)
    raw.delete(lock_of(show, SEATS[3]))
    assert contradictions(raw, show) == []
    holds = holds_and_neighbours(locker, show)
    foreign = lock_of(show, SEATS[2])
    for call, good in (
        (lambda: locker.confirm_many(show, [ConfirmRequest(hold, "pay") for hold in holds]), Booking),
        (lambda: locker.release_many(show, holds), Release),
    ):
        kept = raw.get(foreign)
        raw.delete(foreign)
        raw.rpush(foreign, "something else")
        assert [type(answer) for answer in call()] == [good, ScriptFailed, good]
        raw.delete(foreign)
        assert kept is not None
        raw.set(foreign, kept, px=600_000)
    assert dict(locker.release(holds[1]).seats) == dict.fromkeys(SEATS[2:4], "released")
    assert contradictions(raw, show) == []


# --- no memory left


@pytest.fixture(scope="module", params=BACKENDS)
def any_server(request: pytest.FixtureRequest, server_of: Callable[[str], RedisServer]) -> RedisServer:
    return server_of(request.param)


def test_a_full_server_takes_nothing_and_gives_back(any_server: RedisServer) -> None:
    """What would take memory is refused whole; release, cancel, unblock and sweep work, and so does looking."""
    with any_server.unix_client() as raw:
        locker = SeatLocker(raw)
        refused = (
            "acquire",
            "acquire_best",
            "extend",
            "confirm",
            "pin",
            "pin_pools",
            "begin_payment",
            "reclaim",
            "status",
            "closing time",
            "warm",
            "found",
            "raise_epoch",
        )
        refused += ("block", "set_channel", "acquire_pools", "extend_pools", "confirm_pools", "reclaim_pools", "stock")
        refused += ("touch",)
        shows = {name: fresh_show(locker) for name in CALLS}
        calls = {name: CALLS[name](locker, raw, show) for name, show in shows.items()}
        before = {name: dump(raw, show) for name, show in shows.items()}
        with full(raw):
            answers = {name: carry_out(locker, call) for name, call in calls.items()}
        for name, show in shows.items():
            if name in refused:
                assert isinstance(answers[name], ScriptFailed), name
                assert "OOM" in str(answers[name]) or "maxmemory" in str(answers[name])
            else:
                assert not isinstance(answers[name], Exception), answers[name]
            assert (dump(raw, show) == before[name]) == (name in refused or name in READS), name
        for name in ("release", "cancel", "sweep", "unblock", "release_pools", "cancel_pools", "sweep_pool"):
            assert contradictions(raw, shows[name]) == []


def test_a_full_server_and_a_locker(locker: SeatLocker, raw: redis.Redis) -> None:
    show = fresh_show(locker)
    hold, paid = hold_of(locker, show), locker.confirm(hold_of(locker, show, 1))
    due_seats(locker, raw, show)
    before = dump(raw, show)
    with full(raw):
        for call in (
            lambda: locker.acquire(show, SEATS[4:5], holder=HOLDER),
            lambda: locker.extend(hold, ttl=900.0),
            lambda: locker.confirm(hold, payment="pay-1"),
        ):
            assert isinstance(attempt(call), ScriptFailed)
        batch = locker.acquire_many(show, [AcquireRequest(SEATS[4:5], f"holder-{n}") for n in range(3)])
        assert [type(answer) for answer in batch] == [ScriptFailed] * 3
        assert dump(raw, show) == before
        assert isinstance(locker.availability(show), Availability)
        assert locker.sweep(show) == 2
        assert locker.release(hold).released == hold.seats
        assert locker.cancel(paid).cancelled == paid.seats
        assert locker.inspect(show, hold.seats)[0].state == "free"
    assert contradictions(raw, show) == []
    assert hold_of(locker, show).fence > hold.fence


# --- streams without ids


@pytest.mark.parametrize("stream", ["changes", "outbox", "audit", "aside"])
@pytest.mark.parametrize("name", sorted(CALLS.keys() - READS - {"retire", "forget"}))
def test_a_stream_has_no_ids_left(locker: SeatLocker, raw: redis.Redis, name: str, stream: str) -> None:
    show = fresh_show(locker)
    call = CALLS[name](locker, raw, show)
    raw.xadd(base(show) + stream, {"last": "entry"}, id=LAST_ID)
    before = dump(raw, show)
    answer = carry_out(locker, call)
    verb = name.removesuffix("_pools")
    writers = {
        "outbox": ("confirm", "reclaim", "cancel", "pin"),
        "audit": ("force_release",),
        "aside": ("settle_aside",),
        "changes": (CALLS.keys() - READS) - {"take", "settle", "settle_aside", "raise_epoch", "touch"},
    }
    if verb not in writers[stream] and name not in writers[stream]:
        assert not isinstance(answer, Exception)
    else:
        assert isinstance(answer, ScriptFailed), answer
        assert dump(raw, show) == before


def test_a_stream_without_ids_refuses_the_whole_batch(locker: SeatLocker, raw: redis.Redis) -> None:
    show = fresh_show(locker)
    holds = holds_and_neighbours(locker, show)
    raw.xadd(base(show) + "outbox", {"last": "entry"}, id=LAST_ID)
    before = dump(raw, show)
    answers = locker.confirm_many(show, [ConfirmRequest(hold, "pay") for hold in holds])
    assert [type(answer) for answer in answers] == [ScriptFailed] * 3
    assert dump(raw, show) == before


# --- settings


@pytest.mark.parametrize("setting", ["version", "epoch", "fence", "max_hold", "changes_cap"])
def test_settings_that_are_no_numbers(locker: SeatLocker, raw: redis.Redis, setting: str) -> None:
    """Whatever a script does not use may be odd; what it uses must be a whole number, or nothing is written."""
    stopped: list[Any] = []
    for name in sorted(CALLS.keys() - READS - {"retire", "forget"}):
        show = fresh_show(locker)
        call = CALLS[name](locker, raw, show)
        right = raw.hget(base(show) + "meta", setting)
        for odd in ("nan", "inf", "-1", "1.5", "0x10", "1e400", "", "9" * 30):
            raw.hset(base(show) + "meta", setting, odd)
            before = dump(raw, show)
            answer = carry_out(locker, call)
            if isinstance(answer, Exception):
                assert isinstance(answer, ScriptFailed), (name, odd, answer)
                assert dump(raw, show) == before, (name, odd)
                stopped.append((name, odd))
        raw.hset(base(show) + "meta", setting, right or b"")
    assert ("acquire", "nan") in stopped


def test_a_mirror_or_a_lock_that_says_nothing_we_know(locker: SeatLocker, raw: redis.Redis) -> None:
    """Foreign content is never overwritten and never sold; the seat is refused and marked for reconciling."""
    show = fresh_show(locker)
    raw.set(lock_of(show, SEATS[0]), "something else")
    conflict = attempt(lambda: locker.acquire(show, SEATS[:2], holder=HOLDER)).conflicts[SEATS[0]]
    assert (conflict.state, conflict.inconsistent, conflict.yours) == ("held", True, False)
    assert not locker.inspect(show, SEATS[:1])[0].consistent
    hold = locker.acquire(show, SEATS[1:2], holder=HOLDER)
    raw.set(lock_of(show, SEATS[1]), "something else")
    for call in (
        lambda: locker.confirm(hold, payment="pay"),
        lambda: locker.extend(hold, ttl=900.0),
        lambda: locker.release(hold),
    ):
        before = dump(raw, show)
        assert not isinstance(attempt(call), Booking | Hold | BookingConflict)
        assert dump(raw, show) == before
