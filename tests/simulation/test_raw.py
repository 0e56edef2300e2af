from __future__ import annotations

from typing import Any

import pytest
import redis.asyncio

from seatlock import AsyncSeatLocker, new_token
from seatlock.errors import ServerUnavailable
from seatlock.simulation import raw
from seatlock.simulation.raw import RawLock, RawMirror, parse_entry, parse_lock, parse_mirror, read_show
from seatlock.simulation.raw_pools import RawClaim, RawPool, RawSale, parse_pools
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


def test_what_an_outbox_entry_has_of_pools() -> None:
    entry = parse_entry({b"seats": b"", b"pools": b"2 floor\n1 upper balcony\nx stairs"})
    assert (entry.seats, entry.pools) == ((), {"floor": 2, "upper balcony": 1, "stairs": -1})


def test_pools_are_read_as_documented() -> None:
    fence = 2 * 2**40 + 7
    assert parse_pools(
        {
            "names": b"floor\nupper balcony",
            "c\nfloor": b"9 2 3",
            "h\nfloor\nAda L.": b"tok\n2\n2\n8\n1700000000000\n1700000009000pr",
            "h\nfloor\nBob": b"",
            "s\nfloor\n2-7": b"tik\nCy\n3\n1700000000000\nbk\npay",
            "t\nfloor\ntik\nCy": b"2-7",
            "c\nupper balcony": b"5 0 0",
        }
    ) == {
        "floor": RawPool((9, 2, 3), {"Ada L.": RawClaim("tok", 2)}, (RawSale("tik", "Cy", 3, "bk", "pay", fence),)),
        "upper balcony": RawPool((5, 0, 0)),
    }
    assert parse_pools({}) == {}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("c", b"9 2"),
        ("c", b"9 2 -3"),
        ("c\nmore", b"9 2 3"),
        ("h\nAda", b"tok\nmany\n2\n8\n17\n17"),
        ("h\nAda", b"tok\n2\n2\n8\n17\n17x"),
        ("s\n2-7", b"tik\nCy\n3\n17\nbk"),
        ("s\n27", b"tik\nCy\n3\n17\nbk\npay"),
        ("s\n2-7", b"tik\nCy\n3\n17\nbk\npay"),
        ("t\ntik\nCy", b"2-7"),
        ("q", b"1"),
        ("c", b"\xff"),
    ],
)
def test_what_is_strange_about_a_pool(field: str, value: bytes) -> None:
    kind, _, rest = field.partition("\n")
    (pool,) = parse_pools({f"{kind}\nfloor\n{rest}".rstrip(): value}).values()
    assert len(pool.strange) == 1


async def test_pools_are_found_with_what_is_due_of_them(client: redis.asyncio.Redis) -> None:
    show, locker = f"raw-{new_token()}", AsyncSeatLocker(client)
    await locker.warm(show, pools={"floor": 3, "stairs": 1})
    await locker.open_sale(show)
    hold = await locker.acquire(show, pools={"floor": 2}, holder="Ada")
    await locker.confirm(await locker.acquire(show, pools={"floor": 1, "stairs": 1}, holder="Bob"), payment="paid")
    found = await read_show(client, "seatlock", show)
    floor, stairs = found.pools["floor"], found.pools["stairs"]
    assert (floor.counted, floor.free, floor.held, floor.sold) == ((3, 2, 1), 0, 2, 1)
    assert (floor.claims, floor.due) == ({"Ada": RawClaim(hold.token, 2)}, {"Ada"})
    assert [sale.quantity for sale in stairs.sales] == [1]
    assert (floor.strange, stairs.strange, stairs.due) == ((), (), frozenset())
    assert [(entry.seats, entry.pools) for entry in found.outbox] == [((), {"floor": 1, "stairs": 1})]


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
