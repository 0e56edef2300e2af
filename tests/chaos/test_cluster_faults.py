"""A cluster moves slots and loses nodes: requests wait for it, and leave nothing half done."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from typing import Any, Final

import pytest
import redis

from seatlock import AcquireRequest, Booking, Hold, SeatLocker, SeatsUnavailable, ServerUnavailable
from tests.chaos.verbs import SEATS, fresh_show, hold_of
from tests.support.cluster import Cluster
from tests.support.doors import COLOURS, attempt
from tests.support.doors import door as open_door
from tests.support.keyspace import FIXED, base, contradictions, dump
from tests.support.waiting import until

PARTS_MOVED: Final = {"none": (), "some": ("due", "outbox"), "all": FIXED}


@pytest.fixture(scope="module")
def raw(cluster: Cluster) -> Iterator[redis.RedisCluster]:
    with cluster.client() as client:
        yield client


@pytest.fixture(params=COLOURS)
def colour(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def refusals(cluster: Cluster, code: str) -> int:
    """How often the nodes answered with an error code."""
    stats = [node.info("errorstats") for node in cluster.nodes if node.running]
    return sum(int(stat[f"errorstat_{code}"]["count"]) for stat in stats if f"errorstat_{code}" in stat)


@pytest.fixture
def nodes_left_open() -> Iterator[None]:
    """When slots move, redis-py's asyncio client forgets nodes that are still connected: collect them here."""
    yield
    gc.collect()


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.usefixtures("nodes_left_open")
@pytest.mark.parametrize("moved", PARTS_MOVED)
def test_an_acquire_waits_for_a_slot_on_its_way(
    cluster: Cluster, raw: redis.RedisCluster, colour: str, moved: str
) -> None:
    """A free seat has no lock, so its key is missing wherever the request goes: TRYAGAIN until the slot has arrived."""
    show = fresh_show(SeatLocker(raw))
    parts = [base(show) + part for part in PARTS_MOVED[moved]]
    with (
        open_door(colour, cluster.url, patience=20.0) as patient,
        open_door(colour, cluster.url, patience=0.1) as hasty,
    ):
        for door in (patient, hasty):
            door.availability(show)
        before = dump(raw, show)
        move = cluster.begin_move(base(show))
        move.move_keys(*parts)
        told = refusals(cluster, "TRYAGAIN")
        with pytest.raises(ServerUnavailable, match="nothing was changed"):
            hasty.acquire(show, SEATS[:1], holder="bo")
        refused = hasty.acquire_many(show, [AcquireRequest(SEATS[n : n + 1], "bo") for n in range(2)])
        assert [type(answer) for answer in refused] == [ServerUnavailable] * 2
        holds: list[Any] = []
        waiting = threading.Thread(target=lambda: holds.append(attempt(lambda: hold_of(patient, show))))
        seen = refusals(cluster, "TRYAGAIN")
        waiting.start()
        until(lambda: refusals(cluster, "TRYAGAIN") > seen, "the buyer is told to try again")
        assert (seen > told, holds, dump(raw, show) == before) == (True, [], True)
        move.finish()
        waiting.join(timeout=20)
        assert isinstance(holds[0], Hold)
        assert cluster.primary_of(base(show)) is move.target
        assert isinstance(patient.confirm(holds[0], payment="pay-1"), Booking)
        assert hasty.availability(show).counts["sold"] == 2
        assert contradictions(raw, show) == []


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.usefixtures("nodes_left_open")
def test_who_holds_seats_can_pay_while_their_slot_is_about_to_move(
    cluster: Cluster, raw: redis.RedisCluster, colour: str
) -> None:
    """Every key that extend, confirm, cancel and release declare is there, so no call finds one missing."""
    show = fresh_show(SeatLocker(raw))
    with open_door(colour, cluster.url, patience=0.5) as door:
        hold, other, late = (door.acquire(show, [seat], holder="bo") for seat in SEATS[:3])
        told = refusals(cluster, "TRYAGAIN")
        move = cluster.begin_move(base(show))
        door.extend(hold, ttl=700.0)
        booking = door.confirm(hold, payment="pay-1")
        assert door.confirm(late, payment="pay-2", reclaim=True).seats == late.seats
        assert door.release(other).released == other.seats
        assert refusals(cluster, "TRYAGAIN") == told
        move.finish()
        assert door.cancel(booking).cancelled == hold.seats
        assert contradictions(raw, show) == []


def test_a_failover_is_waited_for(private_cluster: Cluster) -> None:
    """What the replica had heard of is kept, requests meanwhile wait, and nothing is sold twice."""
    with private_cluster.client() as raw:
        show = fresh_show(SeatLocker(raw))
        dead = private_cluster.primary_of(base(show))
        with SeatLocker.from_url(private_cluster.url, patience=30.0) as door, dead.unix_client() as primary:
            hold = hold_of(door, show)
            until(lambda: _replicated(primary), "the replica has it all")
            dead.kill()
            booking = door.confirm(hold, payment="pay-1")
            assert (dead.running, len(private_cluster.primaries)) == (False, 3)
            with pytest.raises(SeatsUnavailable) as caught:
                door.acquire(show, hold.seats, holder="bo")
            assert {conflict.state for conflict in caught.value.conflicts.values()} == {"sold"}
            assert door.confirm(hold, payment="pay-1") == booking
            assert contradictions(raw, show) == []


def _replicated(primary: redis.Redis) -> bool:
    told = primary.info("replication")
    return int(told["slave0"]["offset"]) >= int(told["master_repl_offset"])
