"""What the benchmark says of waiting rooms, in small: the measurements prove their own results, and here their figures.

Bounds of time are those of a busy machine; `make bench` measures.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from loadtests.bench import estimates, room_sections, shuffle, waiting_room
from loadtests.bench.results import Results, Spread
from loadtests.bench.settings import QUICK
from loadtests.bench.stage import Stage, usual_server
from tests.support.clock import Clock
from tests.support.fixtures import PrivateServer


@pytest.fixture
def client(private_server: PrivateServer, clock: Clock) -> Iterator[redis.Redis]:
    with private_server(env=clock.env).unix_client() as client:
        yield client


def test_a_place_is_small_and_a_long_line_costs_little_more() -> None:
    with Stage(usual_server(), with_database=False) as stage:
        found = waiting_room.measure(stage, QUICK)
    small, great, uuids = found
    assert (small.people, great.people) == QUICK.room_people
    assert (uuids.uuids, uuids.people) == (True, *QUICK.room_uuids)
    assert great.bytes_a_place <= 125, "13 characters, presence and all"
    assert uuids.bytes_a_place <= 160
    for name in ("join_us", "status_us"):
        first, last = (min(getattr(one, name)) for one in (small, great))
        assert last < 4 * first, name
    assert min(call.ms for call in great.let_in) < 40
    text = room_sections.size(Results(waiting_room=found))
    assert "| 50,000 |" in text
    assert "| 10,000, UUIDs |" in text


@pytest.mark.parametrize("case", estimates.STEADY, ids=lambda case: case.name)
def test_nine_of_ten_estimates_are_within_a_fifth(client: redis.Redis, clock: Clock, case: estimates.Case) -> None:
    found = estimates.simulate(client, clock, case, 2500)
    assert found.told > 900
    assert found.close >= 0.9 * found.told
    assert found.users_close >= 0.85 * found.users, "also of those who asked several times"
    assert found.inside >= 0.9 * found.told
    assert found.nothing < 0.3 * found.told


@pytest.mark.parametrize("case", estimates.CHANGING, ids=lambda case: case.name)
def test_a_change_of_the_pace_is_forgotten(client: redis.Redis, clock: Clock, case: estimates.Case) -> None:
    found = estimates.simulate(client, clock, case, 3500)
    assert found.inside < 0.9 * found.told, "nobody can know it before"
    assert found.late > 100
    assert found.late_inside >= 0.9 * found.late
    text = room_sections.estimates(Results(estimates=[found]))
    assert case.name in text


def test_arrival_says_nothing_about_the_order() -> None:
    """A thousand draws: the mean of their correlations, and how far they lie apart, are those of chance."""
    found = shuffle.measure(QUICK)
    correlations = shuffle.correlations(1000, QUICK.draw_people)
    by_chance = (QUICK.draw_people - 1) ** -0.5
    assert abs(found.mean) < 4 * by_chance / 1000**0.5
    assert 0.9 * by_chance < found.deviation < 1.1 * by_chance
    assert Spread.of(correlations).high < 5 * by_chance
    assert sum(found.counts) == found.draws == 1000
