"""Traps that other libraries' locks fell into, each with a test of its name. See test_traps_in_scripts.py for more."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
import redis

from seatlock import (
    AcquireRequest,
    AsyncSeatLocker,
    Booking,
    ConfirmRequest,
    Hold,
    HoldLost,
    InvalidRequest,
    SaleNotOpen,
    SeatLocker,
    SeatsUnavailable,
    UnsafeServer,
    new_token,
)
from tests.chaos.sale import Sale
from tests.chaos.verbs import HOLDER, SEATS, fresh_show, hold_of
from tests.support.clock import Clock
from tests.support.doors import COLOURS, Noting, attempt
from tests.support.doors import door as open_door
from tests.support.fixtures import PrivateServer
from tests.support.keyspace import contradictions, dump, lock_of
from tests.support.proxy import ReplyProxy
from tests.support.servers import RedisServer
from tests.support.waiting import until

ROOT: Final = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def raw(server: RedisServer) -> Iterator[redis.Redis]:
    with server.client() as client:
        yield client


@pytest.fixture(scope="module")
def locker(server: RedisServer) -> Iterator[SeatLocker]:
    with SeatLocker.from_url(server.url) as locker:
        yield locker


@pytest.fixture(params=COLOURS)
def door(request: pytest.FixtureRequest, server: RedisServer) -> Iterator[Any]:
    """A locker of either colour."""
    with open_door(request.param, server.url) as door:
        yield door


def run_python(code: str, *arguments: str, env: dict[str, str] | None = None) -> str:
    """What another process prints."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), **(env or {})}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=True).stdout


def ended(raw: redis.Redis, hold: Hold) -> None:
    """Wait until a short hold is over."""
    until(lambda: not raw.exists(*(lock_of(hold.show, seat) for seat in hold.seats)), "the hold is over")


# --- replies


def test_trap_lost_reply_to_set_nx_is_not_not_acquired(server: RedisServer, locker: SeatLocker) -> None:
    show = fresh_show(locker)
    with ReplyProxy(server.port) as proxy, SeatLocker.from_url(proxy.url) as lossy:
        lossy.availability(show)
        fault = proxy.lose_reply("EVALSHA", "EVAL")
        hold = lossy.acquire(show, SEATS[:1], holder=HOLDER)
        assert (fault.fired, hold.resumed) == (1, False)
        assert locker.inspect(show, SEATS[:1])[0].fence == hold.fence


def test_trap_noscript_in_the_middle_of_a_batch(locker: SeatLocker, raw: redis.Redis) -> None:
    """The scripts are gone between the chunks of a batch: what is left of it is sent in full."""
    show = fresh_show(locker)
    forgetful = Noting(raw, lambda number: raw.script_flush() if number % 2 else None)
    batches = SeatLocker(forgetful)  # type: ignore[arg-type]
    asked = [AcquireRequest([seat], holder, 600.0) for holder in "abcdefghij" for seat in SEATS * 8]
    answers = batches.acquire_many(show, asked)
    assert [isinstance(answer, Hold) for answer in answers] == [ask.holder == "a" for ask in asked]
    holds = [answer for answer in answers[: len(SEATS)] if isinstance(answer, Hold)]
    assert all(isinstance(b, Booking) for b in batches.confirm_many(show, [ConfirmRequest(h) for h in holds]))
    assert len(forgetful.errors) >= 3
    assert contradictions(raw, show) == []


async def test_trap_cancelling_an_asyncio_acquire_shifts_no_reply(server: RedisServer, locker: SeatLocker) -> None:
    """Whenever a call is cancelled, the calls after it on the same connection get their own replies."""
    show, chance, cancelled = fresh_show(locker), random.Random(1), 0
    for seat in SEATS[:4]:
        locker.acquire(show, [seat], holder=f"holder of {seat}")
    async with AsyncSeatLocker.from_url(server.url, max_connections=1) as one_line:
        await one_line.availability(show)
        for _ in range(150):
            asked = chance.sample(SEATS[4:], chance.randint(1, 3))
            task = asyncio.create_task(one_line.acquire(show, asked, holder="hasty", ttl=0.05))
            for _ in range(chance.randint(0, 12)):
                await asyncio.sleep(0)
            task.cancel()
            outcome = (await asyncio.gather(task, return_exceptions=True))[0]
            cancelled += isinstance(outcome, asyncio.CancelledError)
            seat = chance.choice(SEATS[:4])
            (state,) = await one_line.inspect(show, [seat])
            assert (state.seat, state.holder) == (seat, f"holder of {seat}")
    assert cancelled > 20


async def test_trap_cancelling_an_asyncio_acquire_leaves_no_orphan_beyond_its_time(
    server: RedisServer, locker: SeatLocker, raw: redis.Redis
) -> None:
    """Cancelled when Redis has done it and the answer is on its way: what is left goes by itself."""
    show = fresh_show(locker)
    with ReplyProxy(server.port) as proxy:
        async with AsyncSeatLocker.from_url(proxy.url) as hasty:
            await hasty.availability(show)
            fault = proxy.fall_silent("EVALSHA", "EVAL")
            task = asyncio.create_task(hasty.acquire(show, SEATS[:2], holder=HOLDER, ttl=0.2))
            assert await asyncio.to_thread(fault.wait)
            for _ in range(50):  # Python 3.11 can miss a cancellation in redis-py's wait_for, while it still sends
                await asyncio.sleep(0)
            assert raw.pttl(lock_of(show, SEATS[0])) != -1
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert (await hasty.inspect(show, SEATS[2:3]))[0].state == "free"
    held = raw.pttl(lock_of(show, SEATS[0]))
    assert held != -1
    assert held <= 200
    until(lambda: isinstance(attempt(lambda: locker.acquire(show, SEATS[:2], holder="bo")), Hold), "the seats are free")
    assert contradictions(raw, show) == []


# --- tokens


def test_trap_token_in_the_thread_or_the_context(server: RedisServer, locker: SeatLocker) -> None:
    """A hold is a value: whoever has it can use it, in another thread, task or process."""
    show = fresh_show(locker)
    holds: list[Hold] = []

    async def acquired() -> Hold:
        async with AsyncSeatLocker.from_url(server.url) as own:
            return await asyncio.create_task(own.acquire(show, SEATS[:1], holder=HOLDER))

    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        holds.append(runner.run(acquired()))
    code = """
import sys, msgspec
from seatlock import Hold, SeatLocker
with SeatLocker.from_url(sys.argv[1]) as locker:
    print(locker.confirm(msgspec.json.decode(sys.argv[2], type=Hold), payment="pay").id)
"""
    printed = run_python(code, server.url, msgspec.json.encode(holds[0]).decode())
    assert locker.confirm(holds[0], payment="pay").id == printed.strip()


def test_trap_token_overwritten_by_a_second_acquire_on_the_same_object(door: Any, locker: SeatLocker) -> None:
    """A locker remembers no hold: each answer stands for itself, and the first can still be used after the second."""
    show = fresh_show(locker)
    first = door.acquire(show, SEATS[:2], holder="ada")
    second = door.acquire(show, SEATS[2:4], holder="bo")
    assert first.token != second.token
    assert isinstance(attempt(lambda: door.acquire(show, SEATS[:2], holder="cy")), SeatsUnavailable)
    assert door.extend(first, ttl=900.0).token == first.token
    assert door.confirm(first, payment="pay").seats == SEATS[:2]
    assert door.release(second).released == SEATS[2:4]


def test_trap_guessable_token(locker: SeatLocker) -> None:
    """128 bits from the system's own source of randomness, which no seed and no fork makes repeat itself."""
    random.seed(7)
    tokens = [new_token() for _ in range(2_000)]
    random.seed(7)
    tokens += [new_token() for _ in range(2_000)]
    assert len(set(tokens)) == 4_000
    ones = [sum(int(token, 16) >> bit & 1 for token in tokens) for bit in range(128)]
    assert all(1_700 < count < 2_300 for count in ones)  # 2,000 expected, 9 standard deviations allowed
    show = fresh_show(locker)
    hold = locker.acquire(show, SEATS[:1], holder=HOLDER)
    near = hold.token[:-1] + ("0" if hold.token[-1] != "0" else "1")
    for guess in (near, new_token()):
        guessed = msgspec.structs.replace(hold, token=guess)
        assert attempt(lambda guessed=guessed: locker.confirm(guessed)).reason == "taken"
        assert dict(locker.release(guessed).seats) == {SEATS[0]: "taken"}
    for part in ("", hold.token[:31], hold.token + "0", hold.token.upper()):
        broken = msgspec.structs.replace(hold, token=part)
        if part != hold.token:
            assert isinstance(attempt(lambda broken=broken: locker.release(broken)), InvalidRequest)


def test_trap_del_without_token(door: Any, locker: SeatLocker, raw: redis.Redis) -> None:
    """A buyer who comes too late gives back nobody else's seat."""
    show = fresh_show(locker)
    late = door.acquire(show, SEATS[:2], holder="late", ttl=0.001)
    ended(raw, late)
    other = door.acquire(show, SEATS[:2], holder="other")
    before = dump(raw, show)
    assert dict(door.release(late).seats) == dict.fromkeys(SEATS[:2], "taken")
    assert dump(raw, show) == before
    assert door.confirm(other, payment="pay").seats == SEATS[:2]
    assert dict(door.release(other).seats) == dict.fromkeys(SEATS[:2], "sold")
    assert contradictions(raw, show) == []


# --- times


@pytest.mark.parametrize("ttl", [0, 0.0, -0.0, None, -1, 0.0009, 1e-9, 0.00099, float("nan"), float("inf")])
def test_trap_timeout_zero_or_none_is_no_ttl(door: Any, locker: SeatLocker, raw: redis.Redis, ttl: Any) -> None:
    """Neither for ever nor at once: refused, on the way in and when extending."""
    show = fresh_show(locker)
    hold = hold_of(locker, show)
    before = dump(raw, show)
    for call in (
        lambda: door.acquire(show, SEATS[4:], holder="bo", ttl=ttl),
        lambda: door.extend(hold, ttl=ttl),
        lambda: door.acquire_many(show, [AcquireRequest(SEATS[4:], "bo", ttl)])[0],
    ):
        assert isinstance(attempt(call), InvalidRequest)
    assert dump(raw, show) == before


@pytest.mark.parametrize("ttl", [0.001, 0.0015, 0.0019999])
def test_trap_sub_millisecond_ttl(locker: SeatLocker, raw: redis.Redis, ttl: float) -> None:
    """Cut to whole milliseconds, never rounded to none; extending by less than is left shortens nothing."""
    show = fresh_show(locker)
    hold = locker.acquire(show, SEATS[:1], holder=HOLDER, ttl=ttl)
    assert hold.ttl == 0.001
    assert raw.pttl(lock_of(show, SEATS[0])) != -1
    ended(raw, hold)
    long = locker.acquire(show, SEATS[:1], holder=HOLDER, ttl=60.0)
    assert locker.extend(long, ttl=ttl).ttl > 50
    assert 50_000 < raw.pttl(lock_of(show, SEATS[0])) <= 60_000


def test_trap_extend_never_takes_back_a_lost_lock(door: Any, locker: SeatLocker, raw: redis.Redis) -> None:
    show = fresh_show(locker)
    over, given_back, gone = (
        door.acquire(show, SEATS[n : n + 1], holder=HOLDER, ttl=t) for n, t in enumerate((0.001, 9, 9))
    )
    ended(raw, over)
    door.release(given_back)
    raw.delete(lock_of(show, gone.seats[0]))
    before = dump(raw, show)
    for hold, reason in ((over, "expired"), (given_back, "released"), (gone, "lost")):
        lost = attempt(lambda hold=hold: door.extend(hold, ttl=900.0))
        assert (type(lost), lost.reason) == (HoldLost, reason)
    other = door.acquire(show, over.seats, holder="bo")
    assert attempt(lambda: door.extend(over, ttl=900.0)).reason == "taken"
    assert attempt(lambda: door.confirm(over)).reason == "taken"
    assert locker.inspect(show, over.seats)[0].fence == other.fence
    assert {key: value for key, value in before.items() if key.startswith("lock:")} == {}


def test_trap_payment_longer_than_the_hold(door: Any, locker: SeatLocker, raw: redis.Redis) -> None:
    """The money came too late: nothing is sold, also if nobody else wanted the seat; extending in time helps."""
    show = fresh_show(locker)
    late = door.acquire(show, SEATS[:1], holder=HOLDER, ttl=0.001)
    ended(raw, late)
    before = dump(raw, show)
    lost = attempt(lambda: door.confirm(late, payment="pay"))
    assert (type(lost), lost.reason, dump(raw, show) == before) == (HoldLost, "expired", True)
    patient = door.extend(door.acquire(show, SEATS[1:2], holder=HOLDER, ttl=5.0), ttl=900.0)
    assert patient.ttl > 800
    assert door.confirm(patient, payment="pay").seats == SEATS[1:2]


@pytest.mark.parametrize("day", [86_400, -86_400, -2_000_000_000])
def test_trap_validity_from_the_clients_wall_clock(
    server: RedisServer, locker: SeatLocker, raw: redis.Redis, clock: Clock, day: int
) -> None:
    """A client whose clock is a day off, or stands in 1963, holds and pays like everybody else."""
    show = fresh_show(locker)
    code = """
import sys, time
from seatlock import SeatLocker
with SeatLocker.from_url(sys.argv[1]) as locker:
    hold = locker.acquire(sys.argv[2], ["S-0", "S-1"], holder="ada", ttl=60)
    longer = locker.extend(hold, ttl=90)
    print(time.time(), hold.ttl, longer.ttl, locker.confirm(longer).confirmed_at)
"""
    clock.advance(day)
    told, ttl, longer, sold = map(float, run_python(code, server.url, show, env=clock.env).split())
    now = raw.time()[0]
    assert abs(told - now - day) < 60
    assert (ttl, longer, abs(sold - now) < 60) == (60.0, 90.0, True)
    assert contradictions(raw, show) == []


def open_or_close(locker: SeatLocker, show: str, chance: random.Random, ahead: float) -> bool:
    """Set a time around the server's now, or open now: gives whether the sale is to close."""
    at = time.time() + ahead + chance.uniform(-3600, 7200)
    close = chance.random() < 0.4
    if close:
        locker.close_sale(show, at)
    else:
        attempt(lambda: locker.open_sale(show, chance.choice((None, at))))
    return close


def test_trap_clock_that_jumps(private_server: PrivateServer, clock: Clock) -> None:
    """The server's clock jumps hours forward and back: holds end early or late, and nothing is sold twice."""
    server = private_server(env=clock.env)
    with server.client() as raw:
        locker, lost, shut, closed, jumps = SeatLocker(raw), 0, 0, 0, 0
        for seed in range(6):
            clock.reset()
            chance = random.Random(seed)
            sale = Sale(fresh_show(locker), chance, ttls=(60.0, 600.0, 86_400.0))
            for _ in range(100):
                if chance.random() < 0.15:
                    clock.advance(chance.choice((-3600, 3600, -300, 300, chance.uniform(-90_000, 90_000))))
                    jumps += 1
                if chance.random() < 0.1:
                    locker.sweep(sale.show)
                if chance.random() < 0.1:
                    closed += open_or_close(locker, sale.show, chance, clock.offset)
                request = sale.request()
                answer = attempt(lambda request=request: request(locker))
                lost += isinstance(answer, HoldLost)
                shut += isinstance(answer, SaleNotOpen)
                sale.note(answer)
            assert sale.booked > 3
            clock.reset()
            clock.advance(30 * 86_400)  # beyond every deadline that was given
            locker.open_sale(sale.show)
            locker.sweep(sale.show)
            assert contradictions(raw, sale.show) == []
            sale.check(locker)
        assert (jumps > 50, lost > 10, shut > 10, closed > 10) == (True, True, True, True)


# --- giving back


def test_trap_release_when_one_of_several_keys_is_gone(door: Any, locker: SeatLocker, raw: redis.Redis) -> None:
    """One lock is lost, another seat went to somebody else: the rest of the hold is given back all the same."""
    show = fresh_show(locker)
    hold = door.acquire(show, SEATS[:4], holder=HOLDER)
    raw.delete(lock_of(show, SEATS[1]))
    raw.set(
        lock_of(show, SEATS[2]), raw.get(lock_of(show, SEATS[2])).replace(hold.token.encode(), b"f" * 32), keepttl=True
    )
    assert dict(door.release(hold).seats) == {
        SEATS[0]: "released",
        SEATS[1]: "gone",
        SEATS[2]: "taken",
        SEATS[3]: "released",
    }
    assert {state.seat: state.state for state in locker.inspect(show, SEATS[:4])} == {
        SEATS[0]: "free",
        SEATS[1]: "held",  # its lock was lost: it fails closed, until its time is over
        SEATS[2]: "held",
        SEATS[3]: "free",
    }
    (wrong,) = contradictions(raw, show)
    assert wrong.startswith(f"{SEATS[1]}: there is no lock")


def test_trap_release_of_an_expired_lock_does_not_raise(door: Any, locker: SeatLocker, raw: redis.Redis) -> None:
    show = fresh_show(locker)
    hold = door.acquire(show, SEATS[:2], holder=HOLDER, ttl=0.001)
    ended(raw, hold)
    before = dump(raw, show)
    for _ in range(2):
        assert dict(door.release(hold).seats) == dict.fromkeys(SEATS[:2], "gone")
    assert dump(raw, show) == before
    with door.holding(show, SEATS[:2], holder=HOLDER, ttl=0.001) as short:
        ended(raw, short)  # and at the end of the block the release finds nothing, and is silent


# --- servers


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-lru", "allkeys-random", "volatile-ttl"])
def test_trap_evicting_server_is_refused(private_server: PrivateServer, policy: str) -> None:
    server = private_server(config={"maxmemory-policy": policy, "maxmemory": "64mb"})
    with server.client() as raw, SeatLocker.from_url(server.url) as locker:
        for call in (
            lambda: locker.warm("show", SEATS),
            lambda: locker.acquire("show", SEATS[:1], holder=HOLDER),
            lambda: locker.acquire_many("show", [AcquireRequest(SEATS[:1], HOLDER)]),
            lambda: locker.open_sale("show"),
        ):
            refused = attempt(call)
            assert isinstance(refused, UnsafeServer)
            assert policy in str(refused)
            assert "noeviction" in str(refused)
        assert raw.dbsize() == 0
        raw.config_set("maxmemory-policy", "noeviction")
        assert hold_of(locker, fresh_show(locker)).ttl > 0
