"""Confirms that wait for copies where the node is found by the client: on a cluster, and through Sentinel."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from seatlock import ConfirmRequest, SeatLocker, Wait
from tests.chaos.test_cluster_faults import refusals
from tests.chaos.verbs import HOLDER, SEATS, fresh_show
from tests.support.cluster import Cluster
from tests.support.doors import COLOURS
from tests.support.doors import door as open_door
from tests.support.keyspace import FIXED, base, contradictions, lock_of
from tests.support.sentinel import Sentinel

ONE = Wait(1, timeout=5.0)


@pytest.fixture(scope="module")
def raw(cluster: Cluster) -> Iterator[redis.RedisCluster]:
    with cluster.client() as client:
        yield client


@pytest.fixture(params=COLOURS)
def door(request: pytest.FixtureRequest, cluster: Cluster) -> Iterator[Any]:
    """A locker of the cluster, which knows where its slots are now."""
    with open_door(request.param, cluster.url) as locker:
        yield locker
    gc.collect()  # when slots move, redis-py's asyncio client forgets nodes that are still connected


def test_both_go_to_the_node_that_has_the_show(cluster: Cluster, raw: redis.RedisCluster, door: Any) -> None:
    """Shows on every node: each has one replica, and no other node's is counted."""
    shows = [fresh_show(SeatLocker(raw)) for _ in range(8)]
    assert len({cluster.primary_of(base(show)).port for show in shows}) > 1
    for show in shows:
        holds = [door.acquire(show, [seat], holder=HOLDER) for seat in SEATS[:2]]
        assert door.confirm(holds[0], wait=ONE).replicas == 1
        assert door.confirm(holds[0], wait=Wait(2, timeout=0.05)).replicas == 1
        answers = door.confirm_many(show, [ConfirmRequest(hold) for hold in holds], wait=ONE)
        assert [answer.replicas for answer in answers] == [1, 1]
        assert contradictions(raw, show) == []


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_slot_that_has_moved(cluster: Cluster, raw: redis.RedisCluster, door: Any) -> None:
    show = fresh_show(SeatLocker(raw))
    holds = [door.acquire(show, [seat], holder=HOLDER) for seat in SEATS[:2]]
    assert door.confirm(holds[0], wait=ONE).replicas == 1
    move = cluster.begin_move(base(show))
    move.finish()
    assert cluster.primary_of(base(show)) is move.target
    assert door.confirm(holds[1], wait=ONE).replicas == 1
    assert door.confirm(holds[0], wait=ONE).replicas == 1
    assert contradictions(raw, show) == []


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_slot_whose_keys_are_there_before_it_is(cluster: Cluster, raw: redis.RedisCluster, door: Any) -> None:
    """The client is sent on for this one request, and the wait goes with it."""
    show = fresh_show(SeatLocker(raw))
    hold = door.acquire(show, SEATS[:1], holder=HOLDER)
    move = cluster.begin_move(base(show))
    move.move_keys(*(base(show) + part for part in FIXED), lock_of(show, SEATS[0]))
    sent_on = refusals(cluster, "ASK")
    for _ in range(2):
        assert door.confirm(hold, payment="pay-1", wait=ONE).replicas == 1
    assert refusals(cluster, "ASK") > sent_on
    move.finish()
    assert door.confirm(hold, payment="pay-1", wait=ONE).replicas == 1
    assert contradictions(raw, show) == []


@pytest.mark.parametrize("colour", COLOURS)
def test_through_sentinel(sentinel: Sentinel, colour: str) -> None:
    sentinel.heal()
    with sentinel.client() as raw, open_door(colour, sentinel.url, patience=20.0) as door:
        show = fresh_show(SeatLocker(raw))
        holds = [door.acquire(show, [seat], holder=HOLDER) for seat in SEATS[:2]]
        assert door.confirm(holds[0], payment="pay-1", wait=ONE).replicas == 1
        sentinel.fail_over()
        for hold in holds:
            assert door.confirm(hold, payment="pay-1", wait=ONE).replicas == 1
        assert contradictions(raw, show) == []
