"""Many seek the best seats at once, from many processes: together they fill the house, and nobody is sent away."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from seatlock import SeatLocker
from tests.races import seekers
from tests.races.crowd import PROCESSES, crowd
from tests.support.keyspace import contradictions
from tests.support.servers import RedisServer

COUNTS = [1, 2, 3, 4, 2, 3, 1, 4, 2, 2] * 3
ROUNDS = 3


@pytest.mark.parametrize("too_many", [0, 1])
def test_they_fill_the_house_exactly(server_of: Callable[[str], RedisServer], too_many: int) -> None:
    """While a set is free nobody is told that there is none: only those are refused for whom no seat is left."""
    server = server_of("redis-7")
    wanted = PROCESSES * ROUNDS * sum(COUNTS)
    show = f"race-best-{too_many}"
    seats = [f"{row}-{number}" for row in range(wanted // 24) for number in range(24)]
    assert len(seats) == wanted
    with server.unix_client() as client:
        locker = SeatLocker(client)
        locker.warm(show, seats)
        locker.open_sale(show)

        results = crowd(seekers.seek, str(server.socket), show, COUNTS + [1] * too_many, ROUNDS)

        assert [odd for *_, strange in results for odd in strange] == []
        holds = [hold for got, _, _ in results for hold in got]
        receipts = {seat: holder for holder, got in holds for seat in got}
        assert len(receipts) == sum(len(got) for _, got in holds), "a seat in two holds"
        left = len(seats) - len(receipts)
        refused = sum(none for _, none, _ in results)
        if too_many:
            assert refused > 0
            assert left < max(COUNTS)
        else:
            assert (refused, left) == (0, 0)
        found = locker.availability(show)
        assert {seat for seat, state in found.seats.items() if state == "held"} == receipts.keys()
        assert contradictions(client, show) == []
