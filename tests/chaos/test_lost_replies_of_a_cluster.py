"""Lost replies of a cluster, whose clients look for its nodes anew after every fault."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest

from seatlock import OutcomeUnknown, SeatLocker, ServerUnavailable, new_token
from tests.chaos.verbs import HOLDER, SEATS, fresh_show
from tests.support.cluster import SLOTS
from tests.support.doors import COLOURS
from tests.support.doors import door as open_door
from tests.support.keyspace import contradictions, lock_of
from tests.support.proxy import ReplyProxy
from tests.support.servers import RedisServer, backend
from tests.support.waiting import until

SENT: Final = ("EVALSHA", "EVAL")
ALWAYS: Final = 100_000


@pytest.fixture(scope="module")
def node() -> Iterator[RedisServer]:
    """A cluster of one node."""
    with RedisServer(backend("redis-7"), config={"cluster-enabled": "yes"}) as server, server.unix_client() as raw:
        raw.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, SLOTS - 1)
        until(lambda: b"cluster_state:ok" in raw.execute_command("CLUSTER", "INFO"), "the cluster is ok")
        yield server


@pytest.fixture(scope="module")
def one_proxy(node: RedisServer) -> Iterator[ReplyProxy]:
    """A proxy that the cluster itself sends its clients to."""
    with ReplyProxy(node.port) as proxy, node.unix_client() as raw:
        raw.config_set("cluster-announce-port", proxy.port)
        until(lambda: raw.execute_command("CLUSTER", "SLOTS")[0][2][1] == proxy.port, "the port is announced")
        yield proxy


@pytest.fixture(params=COLOURS)
def door(request: pytest.FixtureRequest, one_proxy: ReplyProxy) -> Iterator[Any]:
    """A locker of the cluster, behind the proxy."""
    one_proxy.heal()
    with open_door(request.param, f"redis+cluster://127.0.0.1:{one_proxy.port}", patience=0.5) as locker:
        yield locker
    one_proxy.heal()


@pytest.fixture
def show(node: RedisServer, door: Any) -> str:
    """A show whose server the locker knows to be safe."""
    with node.client() as raw:
        show = fresh_show(SeatLocker(raw))
    door.availability(show)
    return show


@pytest.mark.parametrize("effect", ["lose_reply", "lose_request"])
def test_one_lost_reply_does_no_harm(
    node: RedisServer, one_proxy: ReplyProxy, door: Any, show: str, effect: str
) -> None:
    fault = getattr(one_proxy, effect)(*SENT)
    hold = door.acquire(show, SEATS[:2], holder=HOLDER)
    assert fault.fired == 1
    assert (hold.resumed, hold.fence) == (False, 2**40 + 1)
    with node.client() as raw:
        assert contradictions(raw, show) == []


def test_a_lost_reply_stays_in_doubt_when_the_cluster_is_gone_after_it(
    node: RedisServer, one_proxy: ReplyProxy, door: Any, show: str
) -> None:
    """The client says only that it finds no node; before that, the request may have been carried out."""
    token = new_token()
    fault = one_proxy.lose_reply(*SENT, times=ALWAYS)
    gone = one_proxy.lose_request("CLUSTER", times=ALWAYS)
    with pytest.raises(OutcomeUnknown) as caught:
        door.acquire(show, SEATS[:1], holder=HOLDER, token=token)
    assert fault.fired >= 1
    assert gone.fired >= 1
    assert caught.value.token == token
    one_proxy.heal()
    with node.client() as raw:
        assert raw.exists(lock_of(show, SEATS[0]))
    assert door.acquire(show, SEATS[:1], holder=HOLDER, token=token).fence == 2**40 + 1


def test_a_cluster_that_cannot_be_found_is_unavailable(one_proxy: ReplyProxy, show: str) -> None:
    """Nothing of ours was sent yet, so nothing can have changed."""
    gone = one_proxy.lose_request("CLUSTER", times=ALWAYS)
    url = f"redis+cluster://127.0.0.1:{one_proxy.port}"
    with open_door("async", url, patience=0.2) as lost, pytest.raises(ServerUnavailable):
        lost.acquire(show, SEATS[:1], holder=HOLDER)
    assert gone.fired >= 1
