"""The plans that come with seatlock."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from seatlock.errors import InvalidPlan
from seatlock.plan import BUNDLED_PLANS, Seat, SeatingPlan
from tests.support import draw_plans

Json = dict[str, Any]


@pytest.mark.parametrize(("name", "draw"), [("theatre", draw_plans.theatre), ("arena", draw_plans.arena)])
def test_bundled_plans_are_as_drawn_and_keep_to_the_published_schema(name: str, draw: Callable[[], Json]) -> None:
    document = draw()
    assert (draw_plans.PLANS / f"{name}.json").read_text() == draw_plans.text(document)
    assert json.loads(draw_plans.text(document)) == document

    def point(value: Json) -> bool:
        return set(value) == {"x", "y"} and all(type(number) is int for number in value.values())

    assert set(document) == {"name", "size", "categories", "zones"}
    assert {type(value) for value in document["size"].values()} == {int}
    assert all(set(category) == {"name", "color"} for category in document["categories"])
    assert all(set(zone) == {"name", "position", "rows"} and point(zone["position"]) for zone in document["zones"])
    rows = [row for zone in document["zones"] for row in zone["rows"]]
    assert all(set(row) == {"row_number", "position", "seats"} and point(row["position"]) for row in rows)
    for seat in (seat for row in rows for seat in row["seats"]):
        assert set(seat) == {"seat_guid", "seat_number", "position", "category"}
        assert point(seat["position"])
        assert type(seat["seat_guid"]) is type(seat["seat_number"]) is type(seat["category"]) is str


def test_the_theatre_and_the_arena_are_what_they_say() -> None:
    theatre, arena = map(SeatingPlan.bundled, ("theatre", "arena"))
    assert set(BUNDLED_PLANS) == {"theatre", "arena"}
    assert (len(theatre), len(arena)) == (704, 20_024)
    assert list(theatre.sections) == ["Stalls", "Circle", "Balcony"]
    assert theatre.index["STALLS-A-12"] == Seat(
        "STALLS-A-12", "Stalls", "A", "12", "Standard", theatre.seats[11].x, theatre.seats[11].y
    )
    assert len(arena.sections) == 60
    assert arena.index["101-C-7"].category == "Lower bowl"
    for plan in (theatre, arena):
        assert {seat.category for seat in plan.seats} == set(plan.categories)
        assert not any(set(seat.row) & set("IO") for seat in plan.seats)


@pytest.mark.parametrize("name", BUNDLED_PLANS)
def test_no_two_seats_of_a_bundled_plan_overlap(name: str) -> None:
    places: dict[tuple[int, int], list[Seat]] = {}
    for seat in SeatingPlan.bundled(name).seats:
        assert seat.x is not None
        assert seat.y is not None
        column, row = seat.x // 20, seat.y // 20
        around = [(column + right, row + down) for right in (-1, 0, 1) for down in (-1, 0, 1)]
        for other in (other for place in around for other in places.get(place, ())):
            assert other.x is not None
            assert other.y is not None
            assert (seat.x - other.x) ** 2 + (seat.y - other.y) ** 2 >= 20**2, f"{seat.id} lies on {other.id}"
        places.setdefault((column, row), []).append(seat)


@pytest.mark.parametrize("name", ["", "opera", "../theatre", "theatre.json", None, 7, []])
def test_only_bundled_plans_are_bundled(name: Any) -> None:
    with pytest.raises(InvalidPlan, match="there are arena and theatre"):
        SeatingPlan.bundled(name)
