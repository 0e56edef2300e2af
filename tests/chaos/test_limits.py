"""Rule 9 on a show with limits: the lists of holders are read and checked before the first write, like all else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
import redis

from seatlock import Hold, OutcomeUnknown, ScriptFailed, SeatLocker
from seatlock._operation import Operation
from tests.chaos.calls import CALLS, carry_out
from tests.chaos.test_rule_nine import full
from tests.chaos.test_rule_nine_half_way import Limited
from tests.chaos.verbs import HOLDER, SEATS, fresh_show, hold_of
from tests.support.keyspace import base, changed, contradictions, dump
from tests.support.servers import RedisServer

# By verb and missing command, in the order of the script's writes: the keys that differ after it was stopped there.
LEFT_BEHIND: Final[dict[tuple[str, str], str]] = {
    ("acquire", "hset"): "",
    ("acquire", "pexpireat"): "meta changes due holder",
    ("acquire", "set"): "meta changes due holder",
    ("extend", "hset"): "",
    ("extend", "pexpireat"): "meta changes holder",
    ("extend", "set"): "meta changes holder",
    ("confirm", "persist"): "outbox meta changes holder",
    ("confirm", "mset"): "outbox meta changes holder",
    ("pin", "persist"): "outbox meta changes holder",
    ("pin", "mset"): "outbox meta changes holder",
    ("finalise", "hset"): "",
    ("finalise", "mset"): "meta changes holder seats",
    ("finalise_free", "del"): "meta changes seats",
    ("finalise_free", "hdel"): "meta changes seats lock",
    ("finalise_free_pools", "hdel"): "meta changes seats pools",
    ("release", "hdel"): "meta changes seats due lock",
    ("cancel", "hdel"): "outbox meta changes seats lock",
    ("acquire_pools", "pexpireat"): "meta changes due holder",
    ("acquire_pools", "set"): "meta changes due holder",
    ("acquire_pools", "zrem"): "meta changes due holder lock seats pools pool-due",
    ("extend_pools", "pexpireat"): "meta changes holder",
    ("extend_pools", "zadd"): "meta changes holder lock seats",
    ("confirm_pools", "persist"): "outbox meta changes holder",
    ("confirm_pools", "mset"): "outbox meta changes holder pools pool-due",
    ("release_pools", "hdel"): "meta changes seats pools pool-due",
    ("release_pools", "del"): "meta changes seats due pools pool-due",
    ("cancel_pools", "hdel"): "outbox meta changes seats pools",
}


@pytest.fixture(scope="module", params=["redis-7", "redis-6.2"])
def server(request: pytest.FixtureRequest, server_of: Callable[[str], RedisServer]) -> RedisServer:
    return server_of(request.param)


@pytest.fixture(scope="module")
def raw(server: RedisServer) -> Iterator[redis.Redis]:
    with server.client() as client:
        yield client


@pytest.fixture(scope="module")
def locker(server: RedisServer) -> Iterator[SeatLocker]:
    with SeatLocker.from_url(server.url) as locker:
        yield locker


@pytest.fixture(scope="module")
def limited(server: RedisServer, raw: redis.Redis) -> Iterator[Limited]:
    user = Limited(server, raw)
    yield user
    user.locker.close()
    raw.execute_command("ACL", "DELUSER", "limited")


def list_key(show: str) -> str:
    return f"{base(show)}holder:{HOLDER}"


def prepared(locker: SeatLocker, raw: redis.Redis, verb: str) -> tuple[str, Operation[Any]]:
    """A call of a verb on a show with limits, as it comes with the list of its holder."""
    show = fresh_show(locker)
    locker.warm(show, SEATS, limit=len(SEATS))
    call = CALLS[verb](locker, raw, show)
    return show, Operation(call.script, show, [*call.keys, list_key(show).encode()], call.args, call.decode)


VERBS: Final = (
    *("acquire", "extend", "confirm", "release", "cancel", "pin", "finalise", "finalise_free"),
    *("acquire_pools", "extend_pools", "confirm_pools", "release_pools", "cancel_pools"),
    *("pin_pools", "finalise_pools", "finalise_free_pools"),
)


@pytest.mark.parametrize("verb", VERBS)
def test_a_list_of_another_type(locker: SeatLocker, raw: redis.Redis, verb: str) -> None:
    show, call = prepared(locker, raw, verb)
    there = raw.exists(list_key(show))
    if there:
        raw.rename(list_key(show), "aside{" + show + "}")
    raw.rpush(list_key(show), "something else")
    before = dump(raw, show)
    answer = carry_out(locker, call)
    assert isinstance(answer, ScriptFailed), answer
    assert "WRONGTYPE" in str(answer)
    assert dump(raw, show) == before
    raw.delete(list_key(show))
    if there:
        raw.rename("aside{" + show + "}", list_key(show))
    assert not isinstance(carry_out(locker, call)[0], Exception)
    assert contradictions(raw, show) == []


def test_a_full_server_takes_nothing_and_gives_back(locker: SeatLocker, raw: redis.Redis) -> None:
    calls = {verb: prepared(locker, raw, verb) for verb in VERBS}
    before = {verb: dump(raw, show) for verb, (show, _) in calls.items()}
    with full(raw):
        answers = {verb: carry_out(locker, call) for verb, (_, call) in calls.items()}
    for verb, (show, _) in calls.items():
        refused = verb.removesuffix("_pools") in ("acquire", "extend", "confirm", "pin")
        assert isinstance(answers[verb], Exception) == refused, answers[verb]
        assert (dump(raw, show) == before[verb]) == refused
        assert contradictions(raw, show) == []
        assert raw.exists(list_key(show)) == (verb.removesuffix("_pools") in ("extend", "confirm", "pin", "finalise"))


@pytest.mark.parametrize(("verb", "lacking"), LEFT_BEHIND)
def test_where_it_stops_and_that_it_can_be_done_again(
    locker: SeatLocker, raw: redis.Redis, limited: Limited, verb: str, lacking: str
) -> None:
    show, call = prepared(locker, raw, verb)
    before = dump(raw, show)
    limited.lack(lacking)
    answer = carry_out(limited.locker, call)
    doubtful = verb.removesuffix("_pools") in ("confirm", "cancel", "pin")
    assert isinstance(answer, OutcomeUnknown if doubtful else ScriptFailed)
    assert changed(before, dump(raw, show)) == set(LEFT_BEHIND[verb, lacking].split())
    assert not isinstance(carry_out(locker, call)[0], Exception)
    assert contradictions(raw, show) == []


def test_a_limit_that_a_script_cannot_read(locker: SeatLocker, raw: redis.Redis) -> None:
    """Fails closed, for new seats; who has a hold goes on."""
    show, _ = prepared(locker, raw, "acquire")
    hold = hold_of(locker, show)
    for odd in ("", "x", "0", "501", "-1", "2.0", "4\n0 0 x", "4\n0 501 x", "4\np 0 x", "4\np 501 x"):
        raw.hset(f"{base(show)}meta", "limits", odd)
        before = dump(raw, show)
        with pytest.raises(ScriptFailed, match="SEATLOCK an argument or a setting"):
            locker.acquire(show, SEATS[2:3], holder=HOLDER)
        assert dump(raw, show) == before
        assert isinstance(locker.extend(hold, ttl=60.0), Hold)
