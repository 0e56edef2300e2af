"""Rule 8: the scripts called with arguments that Python would never send: an error, and nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import pytest
import redis

from seatlock import SeatLocker
from seatlock._operation import Operation
from tests.chaos.calls import CALLS
from tests.chaos.verbs import SEATS, fresh_show
from tests.support.keyspace import Dump, contradictions, dump, lock_of
from tests.support.servers import RedisServer

Place = tuple[int, int]
"""An argument, and which of the numbers in it: those of a request come in one argument, parted by single spaces."""

# By script: the places of times and counts, and of what may be 0: the deadline that a hold told, epoch, fence, version,
# and whether a payment begins.
NUMBERS: Final[dict[str, tuple[Place, ...]]] = {
    "acquire": ((0, 0), (2, 0), (2, 1)),
    "acquire_best": ((0, 0), (2, 0), (2, 1), (2, 2)),
    "extend": ((0, 0), (2, 1), (2, 3)),
    "confirm": ((0, 0), (5, 1)),
    "release": ((0, 0), (2, 1)),
    "reclaim": ((0, 0), (8, 1)),
    "cancel": ((0, 0), (2, 2)),
    "pin": ((0, 0), (5, 1)),
    "finalise": ((0, 0), (4, 5)),
    "force_release": ((0, 0), (3, 2)),
    "sweep": ((0, 0),),
    "sweep_pool": ((0, 0),),
    "stock": ((0, 0), (1, 0), (2, 0)),
    **dict.fromkeys(["acquire_pools", "extend_pools", "release_pools"], ((3, 1), (3, 2), (3, 3), (4, 1))),
    "pin_pools": ((6, 1), (6, 2), (6, 3), (7, 1)),
    **dict.fromkeys(["finalise_pools", "finalise_free_pools"], ((5, 1), (5, 2), (5, 3), (6, 1))),
    "confirm_pools": ((6, 1), (6, 2), (6, 3), (7, 1)),
    "reclaim_pools": ((9, 1), (9, 2), (9, 3), (10, 1)),
    "status": (),
    "found": ((3, 0), (5, 0)),
    "changes": ((2, 0),),
    "take": ((2, 0),),
}
MAY_BE_ZERO: Final[dict[str, tuple[Place, ...]]] = {
    "status": ((1, 0),),
    "extend": ((2, 0), (2, 2)),
    "found": ((2, 0),),
    "confirm": ((5, 0),),
    "release": ((2, 0),),
    "reclaim": ((8, 0),),
    "cancel": ((2, 0), (2, 1)),
    "pin": ((5, 0),),
    "finalise": ((4, 0), (4, 1), (4, 2), (4, 3), (4, 4)),
    "force_release": ((3, 0), (3, 1)),
    "changes": ((0, 0), (1, 0)),
    "take": ((1, 0),),
}
BATCHES: Final = (
    "acquire",
    "acquire_best",
    "extend",
    "confirm",
    "reclaim",
    "release",
    "cancel",
    "force_release",
    "pin",
    "finalise",
)
ODD: Final = (
    *("", " ", "None", "nil", "true", "-1", "-0", "+5", "0.5", "600.0", "600,0", "6e2", "1e400", "1e-400"),
    *("nan", "-nan", "inf", "-inf", "Infinity", "0x10", "0b1", "1_000", " 600", "600 ", "600\n", "600\0", "٦٠٠"),
    *("9" * 15, "9" * 16, "9" * 400, str(2**53), str(2**63), str(2**64 + 1), "-" + str(2**63)),
)


@pytest.fixture(scope="module", params=["redis-7", "redis-6.2"])
def server(request: pytest.FixtureRequest, server_of: Callable[[str], RedisServer]) -> RedisServer:
    return server_of(request.param)


@pytest.fixture(scope="module")
def raw(server: RedisServer) -> Iterator[redis.Redis]:
    with server.unix_client() as client:
        yield client


def send(raw: redis.Redis, call: Operation[object], args: list[bytes]) -> object:
    """Call a script directly."""
    return raw.execute_command("EVALSHA", call.script.sha, len(call.keys), *call.keys, *args)


def number_at(args: list[bytes], place: Place) -> bytes:
    """The number in a place."""
    return args[place[0]].split(b" ")[place[1]]


def with_number(args: list[bytes], place: Place, value: bytes) -> list[bytes]:
    """The arguments with another number in a place."""
    argument, number = place
    numbers = args[argument].split(b" ")
    numbers[number] = value
    return [*args[:argument], b" ".join(numbers), *args[argument + 1 :]]


def held_locks_expire(found: Dump) -> bool:
    """Whether every lock of a hold goes by itself."""
    return all(expires or not value.startswith(b"h") for name, (_, value, expires) in found.items() if "lock" in name)


@pytest.mark.parametrize("name", NUMBERS)
def test_what_is_no_number_in_its_bounds(raw: redis.Redis, name: str) -> None:
    locker = SeatLocker(raw)
    show = fresh_show(locker)
    call = CALLS[name](locker, raw, show)
    raw.script_load(call.script.source)
    before = dump(raw, show)
    assert held_locks_expire(before)
    for places, odd in ((NUMBERS[name], ("0", *ODD)), (MAY_BE_ZERO.get(name, ()), ODD)):
        for place in places:
            for value in odd:
                args = with_number(call.args, place, value.encode())
                assert args != call.args
                with pytest.raises(redis.ResponseError, match="SEATLOCK an argument"):
                    send(raw, call, args)
    assert dump(raw, show) == before
    send(raw, call, call.args)  # with none of them odd it works
    assert held_locks_expire(dump(raw, show))


@pytest.mark.parametrize("name", BATCHES)
def test_every_number_of_a_request_is_among_these_places(raw: redis.Redis, name: str) -> None:
    locker = SeatLocker(raw)
    call = CALLS[name](locker, raw, fresh_show(locker))
    last = len(call.args) - 1
    places = {(last, number) for number in range(len(call.args[last].split(b" ")))}
    assert {*NUMBERS[name], *MAY_BE_ZERO.get(name, ())} == {(0, 0)} | places


@pytest.mark.parametrize("name", BATCHES)
def test_numbers_that_are_too_few_too_many_or_badly_parted(raw: redis.Redis, name: str) -> None:
    locker = SeatLocker(raw)
    show = fresh_show(locker)
    call = CALLS[name](locker, raw, show)
    raw.script_load(call.script.source)
    before = dump(raw, show)
    *first, right = call.args
    numbers = right.split(b" ")
    odd = {b"", b" ", b"  ", b"\n", b" " + right, right + b" ", b" " + right + b" ", right + b" " + right}
    odd |= {b" ".join(numbers[:count]) for count in range(len(numbers))}
    odd |= {b" ".join(numbers[count:]) for count in range(1, len(numbers))}
    odd |= {right + more for more in (b" 0", b" 1", b" -1", b" nan", b" 0 0", b" 1" * 600)}
    for other in (b"  ", b"\t", b"\n", b",", b"\0", b"\xc2\xa0"):
        odd |= {right.replace(b" ", other), right + other, other + right}
    odd.discard(right)  # where there is one number, nothing parts it
    for argument in sorted(odd):
        with pytest.raises(redis.ResponseError, match="SEATLOCK an argument"):
            send(raw, call, [*first, argument])
    assert dump(raw, show) == before
    send(raw, call, call.args)  # as it should be it works
    assert held_locks_expire(dump(raw, show))


@pytest.mark.parametrize(
    "name", [*(name for name in NUMBERS if "_pools" not in name), "warm", "check", "remnants", "pins"]
)
def test_arguments_that_are_missing(raw: redis.Redis, name: str) -> None:
    locker = SeatLocker(raw)
    show = fresh_show(locker)
    call = CALLS[name](locker, raw, show)
    raw.script_load(call.script.source)
    before = dump(raw, show)
    for length in range(len(call.args)):
        with pytest.raises(redis.ResponseError):
            send(raw, call, call.args[:length])
    assert dump(raw, show) == before


@pytest.mark.parametrize("name", BATCHES)
def test_counts_that_do_not_fit_the_keys(raw: redis.Redis, name: str) -> None:
    """More requests or more seats than came along: the batch fails as a whole, also what could be read of it."""
    locker = SeatLocker(raw)
    show = fresh_show(locker)
    call = CALLS[name](locker, raw, show)
    raw.script_load(call.script.source)
    before = dump(raw, show)
    for place in ((0, 0), NUMBERS[name][-1]):
        for more in (1, 509):
            args = with_number(call.args, place, b"%d" % (int(number_at(call.args, place)) + more))
            with pytest.raises(redis.ResponseError):
                send(raw, call, args)
    one_bad_key = Operation(call.script, show, call.keys[:-1], call.args, call.decode)
    with pytest.raises(redis.ResponseError):
        send(raw, one_bad_key, call.args)
    assert dump(raw, show) == before


@pytest.mark.parametrize(
    ("name", "place", "odd"),
    [
        ("status", 0, "shut"),
        ("status", 0, ""),
        ("closing time", 0, "paused"),
        ("remnants", 0, "x"),
        ("pins", 0, "x"),
        ("warm", 0, "-1"),
        ("warm", 1, ""),
        ("warm", 1, "held"),
        ("settle", 0, "1"),
        ("settle", 2, "x-1"),
    ],
)
def test_words_that_are_none(raw: redis.Redis, name: str, place: int, odd: str) -> None:
    locker = SeatLocker(raw)
    show = fresh_show(locker)
    call = CALLS[name](locker, raw, show)
    raw.script_load(call.script.source)
    before = dump(raw, show)
    with pytest.raises(redis.ResponseError):
        send(raw, call, [*call.args[:place], odd.encode(), *call.args[place + 1 :]])
    assert dump(raw, show) == before


@pytest.mark.parametrize("ttl", [1, 86_400_000])
def test_the_shortest_and_the_longest_hold_expire(raw: redis.Redis, ttl: int) -> None:
    locker = SeatLocker(raw)
    show = fresh_show(locker)
    call = CALLS["acquire"](locker, raw, show)
    args = with_number(call.args, NUMBERS["acquire"][1], b"%d" % ttl)
    locker._run(Operation(call.script, show, call.keys, args, list))
    left = raw.pttl(lock_of(show, SEATS[0]))
    assert left != -1  # which would be for ever
    assert left <= min(ttl, 1_800_000)
    assert held_locks_expire(dump(raw, show))
    assert contradictions(raw, show) == []
