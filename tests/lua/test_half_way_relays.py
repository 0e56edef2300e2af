"""take and settle, stopped behind each of their commands: no fact is lost, and asking again does the rest."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from seatlock.outbox._stream import Settling, settle, take
from tests.lua.house import House
from tests.lua.relaying import aside, pending, sell, taken
from tests.lua.test_half_way import fails, houses
from tests.support.clock import Clock
from tests.support.servers import RedisServer, backend


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Clock:
    return Clock(tmp_path_factory.mktemp("clock"))


@pytest.fixture(scope="module")
def server(clock: Clock) -> Iterator[RedisServer]:
    with RedisServer(backend("redis-7"), env=clock.env) as server:
        yield server


def stopped(house: House, number: int, call: object) -> bool:
    """Have a command of a call fail: whether it did."""
    assert house.bridge
    assert callable(call)
    house.bridge.fail_at = number
    failed = fails(call)
    house.bridge.fail_at = 0
    return failed


def test_a_take_that_is_stopped_keeps_all_facts(server: RedisServer, clock: Clock) -> None:
    for number, house in houses(server, clock, {}):
        sell(house, "A-1", "A-2", "A-3")
        house.raw.xreadgroup("relay", "dead", {house.key("outbox"): ">"}, count=2)
        facts = house.outbox()
        # a take that cannot claim from the dead has failed as well, if it was made to fail there: it says that the
        # group is there already
        if not stopped(house, number, lambda house=house: taken(house)) and number > 6:
            return
        assert house.outbox() == facts
        assert len(taken(house).entries) == 3
    raise AssertionError("it fails for ever")


def test_a_settle_that_is_stopped_loses_no_fact(server: RedisServer, clock: Clock) -> None:
    for number, house in houses(server, clock, {}):
        sell(house, "A-1", "A-2", "A-3")
        entries = taken(house).entries
        call = settle("seatlock", house.show, [Settling(entries[0], "odd"), Settling(entries[1])])
        failed = stopped(house, number, lambda house=house, call=call: house.run(call))
        assert len(aside(house)) + len(house.outbox()) >= (2 if not failed or aside(house) else 3)
        if not failed:
            assert number > 4
            return
        house.run(call)
        again = taken(house)
        assert [entry.id for entry in again.entries] == [entries[2].id]
        assert pending(house) == 1
        assert {fields[b"id"] for fields in aside(house)} == {entries[0].id.encode()}
    raise AssertionError("it fails for ever")


def test_a_give_up_that_is_stopped_can_be_asked_again(server: RedisServer, clock: Clock) -> None:
    for number, house in houses(server, clock, {}):
        sell(house, "A-1")
        taken(house)
        call = take("seatlock", house.show, "r-1", 0, 1)
        failed = stopped(house, number, lambda house=house, call=call: house.run(call))
        house.run(call)
        assert house.raw.exists(house.key("relay")) == 0
        if not failed:
            return
    raise AssertionError("it fails for ever")
