"""Where seats are, and which of them adjoin."""

from __future__ import annotations

import pytest

from seatlock import Seat, SeatingPlan
from seatlock._layout import Layout


def rows_of(layout: Layout) -> list[str]:
    """The rows, nearest first, with ``.`` for an empty cell."""
    return [" ".join(seat or "." for seat in layout.seats[row.first : row.end]) for row in layout.rows]


def layout_of(*seats: str | Seat) -> Layout:
    return Layout(SeatingPlan.of(seats))


def test_ids_alone_make_rows_and_gaps() -> None:
    layout = layout_of("A-1", "A-2", "A-4", "B-1", "A-5")
    assert rows_of(layout) == ["A-1 A-2 . A-4 A-5", "B-1"]
    assert layout.adjoin(["A-2", "A-1"])
    assert not layout.adjoin(["A-2", "A-4"])
    assert not layout.adjoin(["A-1", "B-1"])
    assert not layout.adjoin(["A-1", "nowhere"])
    assert layout.adjoin(["B-1"])


def test_even_numbers_on_one_side_adjoin() -> None:
    assert rows_of(layout_of("A-2", "A-4", "A-6", "A-10")) == ["A-2 A-4 A-6 . A-10"]


def test_numbers_may_fall() -> None:
    assert rows_of(layout_of("A-3", "A-2", "A-1")) == ["A-3 A-2 A-1"]


@pytest.mark.parametrize("ids", [["box", "loge"], ["A-x", "B-y"]])
def test_ids_without_numbers_adjoin_nothing(ids: list[str]) -> None:
    assert rows_of(layout_of(*ids)) == ids


def test_row_and_number_of_the_plan_come_before_the_id() -> None:
    seats = [
        Seat(f"s{number}", "Stalls", row, str(at)) for number, (row, at) in enumerate([("A", 1), ("B", 1), ("A", 2)])
    ]
    assert rows_of(layout_of(*seats)) == ["s0 s2", "s1"]


def test_seats_of_a_row_without_numbers_adjoin_as_they_stand() -> None:
    assert rows_of(layout_of(*(Seat(seat, row="A") for seat in "xyz"))) == ["x y z"]


def test_rows_of_two_sections_are_two_rows() -> None:
    assert rows_of(layout_of(Seat("a", "S", "A", "1"), Seat("b", "T", "A", "2"))) == ["a", "b"]


def test_drawn_seats_adjoin_by_their_distance() -> None:
    places = [0, 20, 40, 100, 120]
    seats = [Seat(f"A-{at}", row="A", number=str(at + 1), x=x, y=0) for at, x in enumerate(places)]
    assert rows_of(layout_of(*seats)) == ["A-0 A-1 A-2 . A-3 A-4"]


def test_drawn_rows_are_nearer_the_nearer_they_are_to_the_middle_of_the_first() -> None:
    def row(section: str, name: str, x: int, y: int) -> list[Seat]:
        return [Seat(f"{section}{name}{at}", section, name, str(at), x=x + 10 * at, y=y) for at in (0, 1, 2)]

    seats = [*row("S", "A", 0, 0), *row("S", "B", 0, 50), *row("T", "A", 40, 0), *row("T", "B", 40, 50)]
    layout = layout_of(*seats)
    assert [layout.seats[row.first] for row in layout.rows] == ["SA0", "TA0", "SB0", "TB0"]
    assert [layout.away[layout.cell_of[seat]] for seat in ("SA0", "SA1", "SA2", "TA0", "SB1")] == [10, 0, 10, 30, 50]
    assert [(row.section, row.number) for row in layout.rows] == [("S", 0), ("T", 0), ("S", 1), ("T", 1)]


def test_one_seat_that_is_not_drawn_and_the_order_of_the_plan_counts() -> None:
    layout = layout_of(Seat("B-1", x=0, y=90), Seat("C-1", x=0, y=900), Seat("A-1"), Seat("A-2"), Seat("A-3"))
    assert rows_of(layout) == ["B-1", "C-1", "A-1 A-2 A-3"]
    assert [layout.away[layout.cell_of[seat]] for seat in ("A-1", "A-2", "A-3")] == [2, 0, 2]


@pytest.mark.parametrize(("name", "first"), [("theatre", "Stalls"), ("arena", "F1")])
def test_the_bundled_plans(name: str, first: str) -> None:
    plan = SeatingPlan.bundled(name)
    layout = Layout(plan)
    assert {seat for seat in layout.seats if seat} == plan.index.keys()
    assert layout.rows[0].section == first
    assert layout.rows == sorted(layout.rows, key=lambda row: row.first)
    assert all(layout.seats[cell] == "" for row in layout.rows for cell in (row.first - 2, row.first - 1, row.end))
    adjoining = sum(1 for one, other in zip(layout.seats, layout.seats[1:], strict=False) if one and other)
    assert adjoining > 0.8 * len(plan)
