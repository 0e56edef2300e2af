"""Confirms that wait for copies: real replicas, cut off and promoted; what is told of them is never too much."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final

import pytest
import redis
import redis.asyncio
import redis.exceptions

from seatlock import Hold, OutcomeUnknown, SeatLocker, UnsafeServer, Wait
from seatlock._converse import converse, converse_async
from seatlock._levels import UNTOLD, Conversation, Heard, Line
from tests.chaos.verbs import HOLDER, SEATS, fresh_show
from tests.support.doors import COLOURS
from tests.support.doors import door as open_door
from tests.support.keyspace import contradictions
from tests.support.proxy import ReplyProxy
from tests.support.replicated import Replicated
from tests.support.servers import BACKENDS, RedisServer, backend

SOON: Final = 0.1
"""Seconds that a replica which is cut off is waited for."""
LATE: Final = 5.0
"""Seconds in which a replica that is linked has surely answered."""
ALWAYS: Final = 100_000


@pytest.fixture(scope="module", params=BACKENDS)
def pair(request: pytest.FixtureRequest) -> Iterator[Replicated]:
    """A primary and a replica of each backend."""
    with Replicated(backend(request.param)) as running:
        yield running


@pytest.fixture(scope="module")
def newest() -> Iterator[Replicated]:
    """The same of the newest Redis, where a connection that wrote nothing is told that all replicas have it."""
    with Replicated(backend("redis-8")) as running:
        yield running


@pytest.fixture(params=COLOURS)
def colour(request: pytest.FixtureRequest) -> str:
    """Blocking or asyncio."""
    return str(request.param)


def held(server: RedisServer) -> tuple[str, Hold]:
    """A show of its own, and a hold on two of its seats."""
    with server.unix_client() as raw:
        locker = SeatLocker(raw)
        show = fresh_show(locker)
        return show, locker.acquire(show, SEATS[:2], holder=HOLDER)


def sold_on(server: RedisServer, show: str) -> bool:
    """Whether a server knows that the seats are sold."""
    with server.unix_client() as raw:
        return [field and field[:1] for field in raw.hmget(f"seatlock:{{{show}}}:seats", SEATS[:2])] == [b"s", b"s"]


# --- how many have it


def test_a_replica_that_has_it_is_counted(pair: Replicated, colour: str) -> None:
    show, hold = held(pair.primary)
    with open_door(colour, pair.primary.url) as door:
        begun = time.monotonic()
        booking = door.confirm(hold, payment="pay-1", wait=Wait(1, timeout=LATE))
        assert time.monotonic() - begun < LATE
        assert (booking.replicas, booking.on_disk) == (1, None)
        assert sold_on(pair.replicas[0], show), "when the caller is told"
        assert door.confirm(hold, payment="pay-1", wait=Wait(2, timeout=SOON)).replicas == 1, "there is no second one"
        assert door.confirm(hold, payment="pay-1", wait=Wait(1, timeout=LATE)) == booking


def test_two_replicas(colour: str) -> None:
    with Replicated(backend("redis-7"), replicas=2) as three, open_door(colour, three.primary.url) as door:
        show, hold = held(three.primary)
        assert door.confirm(hold, wait=Wait(2, timeout=LATE)).replicas == 2
        assert all(sold_on(replica, show) for replica in three.replicas)
        three.relays[0].lose()
        other = door.acquire(show, SEATS[2:3], holder=HOLDER)
        assert door.confirm(other, wait=Wait(2, timeout=SOON)).replicas == 1


def test_a_replica_that_is_cut_off_is_not_counted_however_often_it_is_asked_for(pair: Replicated, colour: str) -> None:
    """Also by connections of their own, that wrote nothing: to these a newer server says that all replicas have it."""
    (relay,) = pair.relays
    show, hold = held(pair.primary)
    pair.wait_linked()
    relay.lose()
    lost = relay.lost
    try:
        for _ in range(3):
            with open_door(colour, pair.primary.url) as door:
                begun = time.monotonic()
                booking = door.confirm(hold, payment="pay-1", wait=Wait(1, timeout=SOON))
                assert SOON <= time.monotonic() - begun < LATE
                assert (booking.replicas, booking.status) == (0, "confirmed")
        assert relay.lost > lost, "the fault fired"
        assert sold_on(pair.primary, show)
        assert not sold_on(pair.replicas[0], show)
    finally:
        relay.heal()
        pair.wait_linked()
    with open_door(colour, pair.primary.url) as door:
        assert door.confirm(hold, payment="pay-1", wait=Wait(1, timeout=LATE)).replicas == 1
    assert sold_on(pair.replicas[0], show)
    with pair.primary.unix_client() as raw:
        assert contradictions(raw, show) == []
        assert raw.xlen(f"seatlock:{{{show}}}:outbox") == 1


def test_a_connection_that_wrote_nothing_is_told_too_much_by_a_newer_server(newest: Replicated) -> None:
    """The control of the test above: why what was booked before is written again first."""
    (relay,) = newest.relays
    relay.lose()
    try:
        with newest.primary.unix_client(single_connection_client=True) as writer:
            writer.set("something", 1)
            assert writer.wait(1, 50) == 0
        with newest.primary.unix_client(single_connection_client=True) as other:
            assert other.wait(1, 50) == 1
    finally:
        relay.heal()
        newest.wait_linked()


@pytest.mark.parametrize("cut", [True, False])
def test_what_a_failover_leaves(colour: str, *, cut: bool) -> None:
    """Whoever was told 1 is sold on the replica that is promoted; who was told 0 is told no more than is true."""
    with Replicated(backend("redis-7")) as nodes:
        show, hold = held(nodes.primary)
        with open_door(colour, nodes.primary.url) as door:
            assert door.confirm(door.acquire(show, SEATS[4:5], holder=HOLDER), wait=Wait(timeout=LATE)).replicas == 1
            if cut:
                nodes.relays[0].lose()
            booking = door.confirm(hold, wait=Wait(timeout=SOON if cut else LATE))
        nodes.primary.kill()
        (replica,) = nodes.replicas
        with replica.unix_client() as raw:
            raw.replicaof("NO", "ONE")
        assert (nodes.relays[0].lost > 0) == cut
        assert sold_on(replica, show) == (not cut)
        assert booking.replicas == (0 if cut else 1)
        with open_door(colour, replica.url) as door:  # whoever asks again is told the truth: sold, or sold now
            assert door.confirm(hold, wait=Wait(timeout=SOON)).replicas == 0


# --- on disk


@pytest.mark.parametrize("name", ["redis-8", "valkey-8"])
def test_on_disk(name: str, colour: str) -> None:
    with Replicated(backend(name), config={"appendonly": "yes"}) as nodes:
        show, hold = held(nodes.primary)
        with open_door(colour, nodes.primary.url) as door:
            booking = door.confirm(hold, payment="pay-1", wait=Wait(1, disk=True, timeout=LATE))
            assert (booking.replicas, booking.on_disk) == (1, True)
            assert door.confirm(hold, payment="pay-1", wait=Wait(0, disk=True, timeout=LATE)).on_disk is True
            nodes.relays[0].lose()
            other = door.acquire(show, SEATS[2:3], holder=HOLDER)
            short = door.confirm(other, wait=Wait(1, disk=True, timeout=3.0))
            assert (short.replicas, short.on_disk) == (0, True)


@pytest.mark.parametrize("name", ["redis-8", "valkey-8"])
def test_a_disk_that_is_not_asked_to_keep_it_yet(name: str, colour: str) -> None:
    config = {"appendonly": "yes", "appendfsync": "no"}
    with RedisServer(backend(name), config=config) as server, open_door(colour, server.url) as door:
        _, hold = held(server)
        booking = door.confirm(hold, wait=Wait(0, disk=True, timeout=SOON))
        assert (booking.replicas, booking.on_disk, booking.status) == (0, False, "confirmed")


# --- replies that are lost, and refusals


def test_the_scripts_answer_is_never_lost_with_that_of_the_wait(pair: Replicated, colour: str) -> None:
    for effect in ("lose_reply", "lose_request"):
        _, hold = held(pair.primary)
        with ReplyProxy(pair.primary.port) as proxy, open_door(colour, proxy.url) as door:
            fault = getattr(proxy, effect)("WAIT", times=ALWAYS)
            booking = door.confirm(hold, payment="pay-1", wait=Wait(1, timeout=LATE))
            assert (booking.replicas, booking.status) == (0, "confirmed")
            assert fault.fired == 1
            assert proxy.commands.count("WAIT") == 1, "nothing was sent again"
            proxy.heal()
            assert door.confirm(hold, payment="pay-1", wait=Wait(1, timeout=LATE)).replicas == 1


@pytest.mark.parametrize("effect", ["lose_reply", "lose_request"])
def test_a_lost_answer_of_the_script_is_asked_for_again_and_waited_for(
    pair: Replicated, colour: str, effect: str
) -> None:
    show, hold = held(pair.primary)
    with ReplyProxy(pair.primary.port) as proxy, open_door(colour, proxy.url) as door:
        door.availability(show)
        fault = getattr(proxy, effect)("EVALSHA", "EVAL")
        assert door.confirm(hold, payment="pay-1", wait=Wait(1, timeout=LATE)).replicas == 1
        assert fault.fired == 1
        with pair.primary.unix_client() as raw:
            assert contradictions(raw, show) == []
            assert raw.xlen(f"seatlock:{{{show}}}:outbox") == 1


def test_without_any_answer_of_the_script_nothing_is_known(pair: Replicated, colour: str) -> None:
    show, hold = held(pair.primary)
    with ReplyProxy(pair.primary.port) as proxy, open_door(colour, proxy.url, patience=0.3) as door:
        door.availability(show)
        fault = proxy.lose_reply("EVALSHA", "EVAL", times=ALWAYS)
        with pytest.raises(OutcomeUnknown):
            door.confirm(hold, payment="pay-1", wait=Wait(1, timeout=LATE))
        assert fault.fired >= 1
        assert "WAIT" not in proxy.commands


def test_what_was_booked_before_and_cannot_be_written_again_is_not_known_to_be_copied(
    newest: Replicated, colour: str
) -> None:
    """A full server answers what it has sold, and takes nothing more."""
    _, hold = held(newest.primary)
    with open_door(colour, newest.primary.url) as door, newest.primary.unix_client() as raw:
        booking = door.confirm(hold, payment="pay-1", wait=Wait(1, timeout=LATE))
        assert booking.replicas == 1
        raw.config_set("maxmemory", 1)
        try:
            again = door.confirm(hold, payment="pay-1", wait=Wait(1, timeout=LATE))
        finally:
            raw.config_set("maxmemory", 0)
        assert (again.id, again.replicas) == (booking.id, 0)


def test_a_server_that_falls_silent_is_not_waited_for_for_ever(pair: Replicated, colour: str) -> None:
    _, hold = held(pair.primary)
    with ReplyProxy(pair.primary.port) as proxy, open_door(colour, proxy.url) as door:
        fault = proxy.fall_silent("WAIT")
        begun = time.monotonic()
        assert door.confirm(hold, payment="pay-1", wait=Wait(1, timeout=SOON)).replicas == 0
        assert fault.fired == 1
        assert time.monotonic() - begun < 10
        assert door.confirm(hold, payment="pay-1", wait=Wait(1, timeout=LATE)).replicas == 1, "on another connection"


def test_a_wait_may_be_longer_than_the_client_waits_for_anything_else(newest: Replicated, colour: str) -> None:
    _, hold = held(newest.primary)
    with open_door(colour, newest.primary.url, socket_timeout=0.2) as door:
        begun = time.monotonic()
        assert door.confirm(hold, wait=Wait(2, timeout=0.6)).replicas == 1
        assert time.monotonic() - begun >= 0.6


def test_who_may_not_wait_is_told_of_none_or_refused_beforehand(newest: Replicated, colour: str) -> None:
    show, hold = held(newest.primary)
    with newest.primary.unix_client() as raw:
        raw.acl_setuser("shop", enabled=True, passwords=["+secret"], keys=["*"], channels=["*"], commands=["+@all"])
        raw.execute_command("ACL", "SETUSER", "shop", "-wait", "-waitaof")
    url = newest.primary.url.replace("redis://", "redis://shop:secret@")
    with open_door(colour, url) as door:
        with pytest.raises(UnsafeServer, match="nothing was sold"):
            door.confirm(hold, wait=Wait(1, disk=True))
        assert not sold_on(newest.primary, show)
        assert door.confirm(hold, wait=Wait(1)).replicas == 0
        assert sold_on(newest.primary, show)


def closed_half_way(close: Any) -> Conversation:
    """A conversation whose connection is closed before its second line, which must be said on the same one."""
    yield Line(["SET", "something", 1])
    close()
    with pytest.raises(redis.exceptions.ConnectionError, match="closed before"):
        yield Line(["WAIT", 1, 100], 1.0, same=True)
    return Heard([], UNTOLD)


def test_no_conversation_goes_on_over_another_connection(newest: Replicated) -> None:
    with newest.primary.unix_client() as client:
        heard = converse(client, b"any", lambda: closed_half_way(client.connection_pool.disconnect))
        assert heard == Heard([], UNTOLD)
        assert client.ping()


async def test_nor_does_one_that_is_awaited(newest: Replicated) -> None:
    async with newest.primary.async_unix_client() as client:
        connections: Any = client.connection_pool._in_use_connections

        def close() -> None:
            for connection in connections:
                connection._writer.close()  # what a disconnect by another task does
                connection._reader = connection._writer = None

        heard = await converse_async(client, b"any", lambda: closed_half_way(close), 1.0)
        assert heard == Heard([], UNTOLD)
        assert await client.ping()
