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


CHANNELS = (None, None, "partner", "partner")
"""What each process names: of the public and of the partner, one has tasks and one threads."""


def _in_channels(locker: SeatLocker, show: str, rows: int, channels: list[str | None]) -> dict[str, str | None]:
    """Open a show whose rows are in these channels in turn: gives the channel of each seat."""
    of = {f"{row}-{number}": channels[row % len(channels)] for row in range(rows) for number in range(12)}
    locker.warm(show, of)
    for channel in {*channels} - {None}:
        seats = [seat for seat in of if of[seat] == channel]
        for at in range(0, len(seats), 100):
            locker.set_channel(show, seats[at : at + 100], channel)
    locker.open_sale(show)
    return of


def test_a_partner_and_the_public_fill_the_house_exactly(server_of: Callable[[str], RedisServer]) -> None:
    """The partner alone would fill it; the public gets some of its own seats, and never one of the partner's."""
    server = server_of("redis-7")
    show, seekers_each = "race-best-quotas", 30
    with server.unix_client() as client:
        locker = SeatLocker(client)
        of = _in_channels(locker, show, ROUNDS * 5, ["partner", None, "partner"])
        assert len(of) == ROUNDS * seekers_each * CHANNELS.count("partner")
        results = crowd(seekers.seek, str(server.socket), show, [1] * seekers_each, ROUNDS, CHANNELS)

        assert [odd for *_, strange in results for odd in strange] == []
        receipts = {seat: place for place, (got, *_) in enumerate(results) for _, seats in got for seat in seats}
        assert len(receipts) == sum(len(got) for got, *_ in results), "a seat in two holds"
        assert all(of[seat] in (None, CHANNELS[place]) for seat, place in receipts.items())
        assert receipts.keys() == of.keys()
        assert any(CHANNELS[place] is None for place in receipts.values())
        assert sum(none for _, none, _ in results) == ROUNDS * PROCESSES * seekers_each - len(of)
        assert contradictions(client, show) == []


def test_each_channel_fills_its_own_quota_exactly(server_of: Callable[[str], RedisServer]) -> None:
    """With sets of every size and seats of no others about, nobody is sent away, and none gets another's."""
    server = server_of("redis-7")
    show, channels = "race-best-own", ("agency", "agency", "partner", "partner")
    wanted = PROCESSES * ROUNDS * sum(COUNTS)
    with server.unix_client() as client:
        locker = SeatLocker(client)
        of = _in_channels(locker, show, wanted // 12, ["agency", "partner"])
        assert len(of) == wanted
        results = crowd(seekers.seek, str(server.socket), show, COUNTS, ROUNDS, channels)

        assert [(none, odd) for _, none, odd in results] == [(0, [])] * PROCESSES
        receipts = {seat: place for place, (got, *_) in enumerate(results) for _, seats in got for seat in seats}
        assert receipts.keys() == of.keys()
        assert all(of[seat] == channels[place] for seat, place in receipts.items())
        assert contradictions(client, show) == []
