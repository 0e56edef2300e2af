from __future__ import annotations

import random
from collections import Counter

import pytest

from seatlock import Seat, SeatingPlan
from seatlock.simulation.house import MAX_PARTY, House, favourite, popularity
from seatlock.simulation.tally import percentile


def test_the_middle_of_the_first_category_is_wanted_most() -> None:
    seats = [Seat(f"{x}", category="Near" if x < 5 else "Far", x=10 * x, y=0) for x in range(9)]
    order = [seats[place].id for place in popularity(SeatingPlan.of(seats))]
    assert order[0] == "2"
    assert set(order[:3]) == {"1", "2", "3"}
    assert order[-1] == "8"


def test_seats_without_a_place_come_last_in_a_drawn_plan() -> None:
    seats = [Seat("nowhere"), Seat("left", x=0, y=0), Seat("right", x=9, y=0)]
    assert popularity(SeatingPlan.of(seats))[-1] == 0


def test_in_a_plan_that_is_not_drawn_the_first_category_goes_first() -> None:
    seats = [Seat("a1", category="A"), Seat("b1", category="B"), Seat("a2", category="A")]
    assert popularity(SeatingPlan.of(seats)) == [0, 2, 1]


def test_a_party_sits_side_by_side_in_one_row(house: SeatingPlan) -> None:
    choices = random.Random(1)
    sizes: Counter[int] = Counter()
    for _ in range(500):
        party = House(house).first_choice(choices)
        places = [list(house.index).index(seat) for seat in party]
        assert places == list(range(places[0], places[0] + len(party)))
        assert len({house.index[seat].row for seat in party}) == 1
        sizes[len(party)] += 1
    assert set(sizes) == set(range(1, MAX_PARTY + 1))


def test_a_party_in_a_short_row_gets_the_row() -> None:
    plan = SeatingPlan.of([Seat("A1", row="A"), Seat("A2", row="A"), Seat("B1", row="B")])
    assert House(plan)._party(1, 4, None) == ("A1", "A2")
    assert House(plan)._party(2, 4, None) == ("B1",)


def test_with_the_seat_map_at_hand_only_free_seats_are_wanted(house: SeatingPlan) -> None:
    free = bytearray(len(house))
    for place in (3, 4, 6):
        free[place] = 1
    choices = random.Random(1)
    found = {House(house).next_choice(choices, 4, [4, 3, 6], free) for _ in range(50)}
    assert found == {("A-4", "A-5"), ("A-7",)}


def test_favourites_follow_zipf() -> None:
    choices = random.Random(7)
    drawn = Counter(favourite(choices, range(1000)) for _ in range(20_000))
    assert drawn[0] > 1.5 * drawn[1] > 2 * drawn[4] > 0
    assert max(drawn) > 900
    assert favourite(choices, [42]) == 42


@pytest.mark.parametrize(("part", "value"), [(0.0, 1), (0.5, 5), (0.9, 9), (0.99, 10), (1.0, 10)])
def test_percentiles_are_by_the_nearest_rank(part: float, value: float) -> None:
    assert percentile(range(1, 11), part) == value
    assert percentile([3.0], part) == 3.0
    assert str(percentile([], part)) == "nan"
