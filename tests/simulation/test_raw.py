from __future__ import annotations

from typing import Any

import pytest
import redis.asyncio

from seatlock import AsyncSeatLocker, new_token
from seatlock.errors import ServerUnavailable
from seatlock.simulation import raw
from seatlock.simulation.raw import RawLock, RawMirror, parse_entry, parse_lock, parse_mirror, read_show
from tests.support.cluster import Cluster


def test_a_lock_is_read_as_documented() -> None:
    assert parse_lock(b"h\ntok\nAda L.\n2\n7\n1700000000000\n1700000009000", expires=True) == RawLock(
        "h", "tok", "Ada L.", 2 * 2**40 + 7, 1_700_000_000_000, expires=True
    )
    assert parse_lock(b"s\ntok\nAda\n1\n7\n1700000000000\nbk\npay", expires=False) == RawLock(
        "s", "tok", "Ada", 2**40 + 7, 0, "bk", "pay"
    )
    assert parse_lock(b"p\ntok\nAda\n1\n7\n1\nbk\n", expires=False).state == "p"


@pytest.mark.parametrize(
    "value", [b"", b"h", b"s\n\n\n\n\n\n\n", b"h\nt\nh\n1\n1\n1.5\n9", b"x\nt\nh\n1\n1\n1\n9", b"\xff"]
)
def test_a_lock_that_is_not_as_documented(value: bytes) -> None:
    assert parse_lock(value, expires=False) == RawLock("?")


def test_a_mirror_is_read_as_documented() -> None:
    assert parse_mirror(b"f") == RawMirror("f")
    assert parse_mirror(b"s12") == RawMirror("s", 12)
    assert parse_mirror(b"h3:1700000000000") == RawMirror("h", 3, 1_700_000_000_000)
    assert parse_mirror(b"c3@1") == RawMirror("c", 3)
    assert parse_mirror(b"h3@12:1700000000000") == RawMirror("h", 3, 1_700_000_000_000)
    for value in (b"", b"h3", b"c3@", b"f3:17", b"q1", b"f1 ", b"f\xff"):
        assert parse_mirror(value) == RawMirror("?")


def test_an_outbox_entry_without_its_fields() -> None:
    entry = parse_entry({b"note": b"x"})
    assert (entry.kind, entry.fence, entry.text) == ("", -1, "x")


async def _sell(client: Any, namespace: str) -> tuple[str, AsyncSeatLocker]:
    show = f"raw-{new_token()}"
    locker = AsyncSeatLocker(client, namespace=namespace)
    await locker.warm(show, [f"seat {number}" for number in range(1, 1200)])
    await locker.open_sale(show)
    hold = await locker.acquire(show, ["seat 1", "seat 2"], holder="Ada")
    await locker.acquire(show, ["seat 3"], holder="Bob")
    await locker.confirm(hold)
    return show, locker


async def test_everything_of_one_show_is_found_and_nothing_of_others(client: redis.asyncio.Redis) -> None:
    # a namespace that means something to SCAN, and a neighbour that it would match
    for namespace in ("sale?[a-z]*\\^", "sale?[a-z]*\\^xx"):
        show, _ = await _sell(client, namespace)
        await client.set(namespace.replace("?", "x") + f":{{{show}}}:lock:seat 9", "not ours")
        found = await read_show(client, namespace, show)
        assert {seat: lock.state for seat, lock in found.locks.items()} == {"seat 1": "s", "seat 2": "s", "seat 3": "h"}
        assert found.locks["seat 3"].expires
        assert not found.locks["seat 1"].expires
        assert len(found.mirrors) == 1199
        assert found.due == {"seat 3"}
        assert [entry.seats for entry in found.outbox] == [("seat 1", "seat 2")]


async def test_a_show_on_a_cluster_is_read_alike(cluster: Cluster) -> None:
    client = cluster.async_client()
    try:
        show, _ = await _sell(client, "seatlock")
        found = await read_show(client, "seatlock", show)
        assert sorted(found.locks) == ["seat 1", "seat 2", "seat 3"]
        assert len(found.mirrors) == 1199
        assert len(found.outbox) == 1
    finally:
        await client.aclose()


async def test_reading_is_bounded(client: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    show, _ = await _sell(client, "seatlock")
    monkeypatch.setattr(raw, "MOST_STEPS", 1)
    with pytest.raises(ServerUnavailable, match="took more than 1 calls"):
        await read_show(client, "seatlock", show)
