"""Which URLs can be published to; the others are refused before anything is sent, and never quoted."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from seatlock.errors import InvalidRequest
from seatlock.outbox._lines import runs
from seatlock.outbox._targets import Kafka, Rabbit, RedisStream, target_of
from seatlock.outbox.publishing import publisher_of
from tests.brokers.sales import event, sale


@pytest.mark.parametrize(
    ("url", "servers"),
    [
        ("kafka://localhost:9092/bookings", ("localhost:9092",)),
        ("kafka://one:1,two:2/bookings", ("one:1", "two:2")),
        ("kafka://one,two/bookings", ("one:9092", "two:9092")),
        ("kafka://[::1]:9092/bookings", ("[::1]:9092",)),
        ("KAFKA://one:1/bookings", ("one:1",)),
    ],
)
def test_kafka(url: str, servers: tuple[str, ...]) -> None:
    assert target_of(url) == Kafka(servers, "bookings", f"kafka://{','.join(servers)}/bookings")


def test_kafka_with_a_login() -> None:
    assert target_of("kafkas://ann:p%40ss@one:1,two:2/x?login=scram-sha-512") == Kafka(
        servers=("one:1", "two:2"),
        topic="x",
        shown="kafkas://one:1,two:2/x",
        tls=True,
        user="ann",
        password="p@ss",  # noqa: S106 - nobody's
        login="scram-sha-512",
        secrets=tuple({"p%40ss", "p@ss"}),
    )


@pytest.mark.parametrize(
    ("url", "plain", "shown"),
    [
        ("amqp://h?exchange=x", "amqp://h", "amqp://h?exchange=x"),
        ("amqps://h:5671/v?exchange=x", "amqps://h:5671/v", "amqps://h:5671/v?exchange=x"),
        ("amqp://ann:p%40ss@h/%2F?exchange=x%2Fy", "amqp://ann:p%40ss@h/%2F", "amqp://h/%2F?exchange=x/y"),
    ],
)
def test_rabbit(url: str, plain: str, shown: str) -> None:
    target = target_of(url)
    assert isinstance(target, Rabbit)
    assert (target.url, target.shown) == (plain, shown)
    assert set(target.secrets) == ({"p%40ss", "p@ss"} if "@h" in url else set())


@pytest.mark.parametrize(
    ("url", "plain", "maxlen"),
    [
        ("redis://h?stream=x", "redis://h", None),
        ("rediss://ann:secret@h:6380/3?maxlen=5&stream=x", "rediss://ann:secret@h:6380/3", 5),
    ],
)
def test_redis(url: str, plain: str, maxlen: int | None) -> None:
    target = target_of(url)
    assert isinstance(target, RedisStream)
    assert (target.url, target.stream, target.maxlen) == (plain, "x", maxlen)
    assert "secret" not in target.shown


@pytest.mark.parametrize(
    "url",
    [
        "",
        "bookings",
        "http://secret@h/bookings",
        "nats://h/bookings",
        "redis+sentinel://h/m?stream=x",
        "kafka://h:9092",
        "kafka://h:9092/",
        "kafka://h:9092/a/b",
        "kafka://h:9092/..",
        "kafka://h:9092/a b",
        f"kafka://h:9092/{'a' * 250}",
        "kafka:///bookings",
        "kafka://h:0/bookings",
        "kafka://h:65536/bookings",
        "kafka://h:secret/bookings",
        "kafka://h:1,/bookings",
        "kafka://secret@h:9092/bookings",
        "kafka://:secret@h:9092/bookings",
        "kafka://secret:@h:9092/bookings",
        "kafka://ann:secret@h:9092/bookings?login=none",
        "kafka://h:9092/bookings?login=plain",
        "kafka://h:9092/bookings?secret=1",
        "kafka://h:9092/bookings#secret",
        "kafka://[::1/bookings",
        "amqp://h",
        "amqp://h/v?exchange=",
        "amqp://h/v?exchange=amq.topic",
        f"amqp://h/v?exchange={'x' * 256}",
        "amqp://?exchange=x",
        "amqp://h:secret?exchange=x",
        "amqp://h?exchange=x&exchange=y",
        "amqp://h?exchange=x&heartbeat=1",
        "amqp://ann:sec#ret@h?exchange=x",
        "redis://h",
        "redis://h?stream=",
        "redis://?stream=x",
        "redis://h/zero?stream=x",
        "redis://h?stream=x&maxlen=0",
        "redis://h?stream=x&maxlen=-1",
        "redis://h?stream=x&maxlen=secret",
        "redis://h?stream=x&maxlen=",
        "redis://h?stream=x&socket_timeout=1",
        f"redis://h?stream={'x' * 513}",
        "redis://ann:se cret@h?stream=x",
    ],
)
def test_refused(url: str) -> None:
    with pytest.raises(InvalidRequest, match="publish") as raised:
        publisher_of(url)
    assert "secret" not in str(raised.value)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize("url", [None, 5, b"kafka://h:1/x"])
def test_no_url_at_all(url: Any) -> None:
    with pytest.raises(InvalidRequest, match="must be a string"):
        publisher_of(url)


@pytest.mark.parametrize("timeout", [0, -1.0, float("inf"), float("nan")])
def test_a_timeout_that_is_none(timeout: float) -> None:
    with pytest.raises(InvalidRequest, match="timeout"):
        publisher_of("redis://h?stream=x", timeout=timeout)


@pytest.mark.parametrize("url", ["kafka://h/x", "amqp://h?exchange=x", "redis://h?stream=x"])
@pytest.mark.parametrize("missing", ["faststream", "driver"])
def test_a_missing_extra_says_what_to_install(url: str, missing: str) -> None:
    driver = {"kafka": "aiokafka", "amqp": "aio_pika", "redis": "redis.asyncio.sentinel"}[url.partition(":")[0]]
    name = missing if missing == "faststream" else driver
    code = f"""
import sys
import seatlock.outbox.publishing
sys.modules[{name!r}] = None
try:
    seatlock.outbox.publishing.publisher_of({url!r})
except ModuleNotFoundError as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert "pip install 'seatlock-redis[brokers]'" in run.stdout


# --- what may be on its way at once


def test_a_run_has_no_seat_and_no_booking_twice() -> None:
    events = sale(500, shows=2)
    parts = list(runs(events, 40))
    assert [each for part in parts for each in part] == events
    for part, following in zip(parts, [*parts[1:], None], strict=True):
        assert 0 < len(part) <= 40
        names = [(each.show, seat) for each in part for seat in each.seats]
        assert len(set(names)) == len(names)
        assert len({(each.show, each.booking) for each in part}) == len(part)
        if following and len(part) < 40:
            first = following[0]
            assert {(first.show, seat) for seat in first.seats} & set(names) or first.booking in {
                each.booking for each in part
            }, "no run is shorter than it has to be"


def test_runs_of_nothing_and_of_one() -> None:
    assert list(runs([])) == []
    assert list(runs([event("b-1"), event("b-1")])) == [[event("b-1")], [event("b-1")]]
    other = event("b-1", show="macbeth")
    assert list(runs([event("b-1"), other])) == [[event("b-1"), other]], "the same seat of another show"
