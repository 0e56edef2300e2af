"""Reading seating plans: what pretix JSON and CSV become, what is refused, and where the message says it is."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatlock.errors import InvalidPlan
from seatlock.plan import Seat, SeatingPlan
from tests.support.plans import PLANS

Json = dict[str, Any]


def seat_json(guid: str = "A-1", **changes: object) -> Json:
    return {
        "seat_guid": guid,
        "seat_number": guid.rpartition("-")[2],
        "position": {"x": 1, "y": 2},
        "category": "Stalls",
    } | changes


def plan_json(**changes: object) -> Json:
    """A small document: two zones, three rows, five seats."""
    document = {
        "name": "House",
        "categories": [{"name": "Balcony"}, {"name": "Stalls", "color": "red"}],
        "zones": [
            {
                "name": "Ground",
                "position": {"x": 100, "y": 200},
                "rows": [
                    {
                        "row_number": "A",
                        "position": {"x": 10, "y": 20},
                        "seats": [seat_json("A-1"), seat_json("A-2", position={"x": 3, "y": 4})],
                    },
                    {"row_number": "B", "seats": [seat_json("B-1")]},
                ],
            },
            {
                "position": {"x": 0, "y": 0},
                "rows": [{"row_number": "C", "seats": [seat_json("C-1", category="Balcony"), seat_json("C-2")]}],
            },
        ],
    }
    return document | changes


def from_document(document: object) -> SeatingPlan:
    return SeatingPlan.from_json(json.dumps(document))


def message_of(make: Callable[[], object]) -> str:
    with pytest.raises(InvalidPlan) as caught:
        make()
    return str(caught.value)


# Reading JSON


def test_json_becomes_seats_in_the_order_of_the_file() -> None:
    plan = from_document(plan_json())
    assert plan.name == "House"
    assert plan.categories == ("Balcony", "Stalls")
    assert plan.seats[:4] == (
        Seat("A-1", "Ground", "A", "1", "Stalls", 111, 222),
        Seat("A-2", "Ground", "A", "2", "Stalls", 113, 224),
        Seat("B-1", "Ground", "B", "1", "Stalls", 101, 202),
        Seat("C-1", "zone 2", "C", "1", "Balcony", 1, 2),
    )


def test_json_of_every_version_of_the_schema_is_read() -> None:
    position = {"x": 1, "y": 2}
    old = plan_json(size={"width": 10, "height": 20.0})
    old["zones"][0] |= {"displayed": True}
    old["zones"][0]["areas"] = [
        {
            "width": 5,
            "height": 6,
            "position": position,
            "color": "a",
            "border_color": "b",
            "rotation": 0.5,
            "text": "Bar",
        }
    ]
    old["zones"][0]["rows"][0] |= {"number_of_seats": 2, "seats_spacing": 25}
    new = plan_json(size={"width": 10, "height": 20})
    new["zones"][0] |= {"zone_id": "G", "uuid": "u1"}
    new["zones"][0]["areas"] = [
        {"shape": "polygon", "polygon": {"points": [position]}, "uuid": "u2", "rotation": 1.5},
        {"shape": "rectangle", "rectangle": {"width": 1, "height": 2}, "position": position},
        {"shape": "ellipse", "ellipse": {"radius": position}},
        {"shape": "circle", "circle": {"radius": 7}},
        {"shape": "text", "text": {"text": "Stage", "color": "c", "size": 12, "position": position}},
    ]
    new["zones"][0]["rows"][0] |= {
        "row_label": None,
        "seat_label": "Seat %s",
        "row_number_position": "both",
        "uuid": "u3",
    }
    new["zones"][0]["rows"][0]["seats"][0] |= {"uuid": "u4", "start_direction": "<>", "radius": 10}
    new["zones"][1]["rows"][0]["row_number_position"] = None
    assert from_document(old) == from_document(new) == from_document(plan_json())


def test_json_positions_are_rounded_to_whole_pixels() -> None:
    document = plan_json()
    document["zones"][0]["position"] = {"x": 0.4, "y": 0.25}
    document["zones"][0]["rows"][0]["position"] = {"x": 0.4, "y": 0.25}
    document["zones"][0]["rows"][0]["seats"][0]["position"] = {"x": -3.0, "y": 0.25}
    seat = from_document(document).seats[0]
    assert (seat.x, seat.y) == (-2, 1)
    assert type(seat.x) is int


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_json_comes_as_bytes_or_text_with_or_without_a_byte_order_mark(mark: str) -> None:
    text = mark + json.dumps(plan_json(name="Théâtre 劇場"), ensure_ascii=False)
    assert SeatingPlan.from_json(text) == SeatingPlan.from_json(text.encode())
    assert SeatingPlan.from_json(text).name == "Théâtre 劇場"


def change(document: Json, path: str, value: object) -> None:
    """Put a value at ``zones.0.rows.1.row_number``; ``...`` takes out what is there."""
    *way, last = (int(part) if part.isdigit() else part for part in path.split("."))
    place: Any = document
    for part in way:
        place = place[part]
    if value is ...:
        del place[last]
    else:
        place[last] = value


SEAT = "zones[0].rows[1].seats[0]"


@pytest.mark.parametrize(
    ("path", "value", "where", "what"),
    [
        ("name", ..., "name", "is missing"),
        ("name", 3, "name", "Expected `str`, got `int`"),
        ("name", "a\nb", "name", "control character"),
        ("name", "n" * 257, "name", "257 bytes"),
        ("zones", ..., "zones", "is missing"),
        ("zones", {}, "zones", "Expected `array`, got `object`"),
        ("zones", [], "", "has no seats"),
        ("colour", "red", "", "'colour' is no field"),
        ("size", {"width": 1.5, "height": 1}, "size.width", "multiple of 1"),
        ("categories", ..., "categories", "is missing"),
        ("categories.0", {}, "categories[0].name", "is missing"),
        ("categories.0.name", "c" * 129, "categories[0]", "129 bytes"),
        ("categories.0.name", "Stalls", "categories[1]", "'Stalls' is there twice, first at categories[0]"),
        ("categories", [], "zones[0].rows[0].seats[0].category", "'Stalls' is not one of the plan's categories"),
        ("categories", [{"name": str(n)} for n in range(1001)], "categories", "1,001; at most 1,000"),
        ("zones.0.name", None, "zones[0].name", "Expected `str`, got `null`"),
        ("zones.0.name", "a\tb", "zones[0].name", "control character"),
        ("zones.0.position", ..., "zones[0].position", "is missing"),
        ("zones.0.position.x", "1", "zones[0].position.x", "Expected `float`, got `str`"),
        ("zones.0.position.x", True, "zones[0].position.x", "got `bool`"),
        ("zones.0.position.x", 10**40, "zones[0].position.x", "<= 1000000000"),
        ("zones.0.position.z", 1, "zones[0].position", "'z' is no field"),
        ("zones.0.areas", [{"form": "round"}], "zones[0].areas[0]", "'form' is no field"),
        ("zones.0.areas", [{"shape": "heart"}], "zones[0].areas[0].shape", "'heart'"),
        ("zones.0.rows.1.row_number", ..., "zones[0].rows[1].row_number", "is missing"),
        ("zones.0.rows.1.row_number", 7, "zones[0].rows[1].row_number", "got `int`"),
        ("zones.0.rows.1.row_number", "\x00", "zones[0].rows[1].row_number", "control character"),
        ("zones.0.rows.1.seats.0.seat_guid", ..., f"{SEAT}.seat_guid", "is missing"),
        ("zones.0.rows.1.seats.0.seat_guid", 12, f"{SEAT}.seat_guid", "Expected `str`, got `int`"),
        ("zones.0.rows.1.seats.0.seat_guid", "", f"{SEAT}.seat_guid", "seat is empty"),
        ("zones.0.rows.1.seats.0.seat_guid", "é" * 65, f"{SEAT}.seat_guid", "130 bytes"),
        (
            "zones.0.rows.1.seats.0.seat_guid",
            "A-1",
            f"{SEAT}.seat_guid",
            "first at zones[0].rows[0].seats[0].seat_guid",
        ),
        ("zones.0.rows.1.seats.0.seat_number", "9" * 129, f"{SEAT}.seat_number", "129 bytes"),
        ("zones.0.rows.1.seats.0.category", "Pit", f"{SEAT}.category", "'Pit' is not one of the plan's categories"),
        ("zones.0.rows.1.seats.0.category", "\x7f", f"{SEAT}.category", "control character"),
        ("zones.0.rows.1.seats.0.position", {"x": 10**9, "y": 0}, f"{SEAT}.position", "1000000100 is out of bounds"),
        ("zones.0.rows.1.seats.0.status", "sold", SEAT, "'status' is no field"),
    ],
)
def test_json_faults_name_their_place(path: str, value: object, where: str, what: str) -> None:
    document = plan_json()
    change(document, path, value)
    message = message_of(lambda: SeatingPlan.from_json(json.dumps(document), origin="house.json"))
    assert message.startswith(f"house.json: {where}: " if where else "house.json: ")
    assert what in message
    assert message.endswith(".")
    assert len(message) < 400


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("seat,section\n", "not JSON"),
        (json.dumps(plan_json()) + "}", "not JSON"),
        ('{"name": "\\ud800"}', "not JSON"),
        ("[]", "Expected `object`, got `array`"),
        ("null", "Expected `object`, got `null`"),
        ("[" * 100_000, "Expected `object`, got `array`"),
        ('{"zones":' + "[" * 100_000, "zones[0]: Expected `object`, got `array`"),
        ('{"' + "x" * 100_000 + '": 1}', "xxx"),
        (b'{"name": "\xff"}', "byte 10 is not UTF-8"),
        ("\ud800", "UTF-8 cannot encode"),
        (7, "must be bytes or str, not int"),
        (None, "must be bytes or str, not NoneType"),
        (Path("plan.json"), "must be bytes or str, not "),
    ],
)
def test_what_is_no_json_document_is_refused(source: Any, what: str) -> None:
    message = message_of(lambda: SeatingPlan.from_json(source))
    assert message.startswith("plan: ")
    assert what in message
    assert len(message) < 400


# Reading CSV


def test_csv_columns_stand_in_any_order() -> None:
    plan = SeatingPlan.from_csv(
        "accessible,status,category,seat,row\n,,Gold,A-1,A\nno,sold,Tin,A-2,A\nyes,blocked,Gold,A-3,A\n", name="Hall"
    )
    assert plan.name == "Hall"
    assert plan.categories == ("Gold", "Tin")
    assert plan.seats == (
        Seat("A-1", row="A", category="Gold"),
        Seat("A-2", row="A", category="Tin", status="sold"),
        Seat("A-3", row="A", category="Gold", status="blocked", accessible=True),
    )


@pytest.mark.parametrize(
    "source",
    [
        "seat\nA\nB\n",
        "seat\nA\nB",
        b"\xef\xbb\xbfseat\r\nA\r\nB\r\n",
        "\ufeffseat\rA\rB\r",
        ' seat \n\nA\n\n"B"\n\n',
    ],
)
def test_csv_comes_as_programs_write_it(source: bytes | str) -> None:
    assert SeatingPlan.from_csv(source) == SeatingPlan.of(["A", "B"])


@pytest.mark.parametrize(
    ("source", "where", "what"),
    [
        ("", "line 1", "the header is missing"),
        ("\nseat\nA\n", "line 1", "the header is missing"),
        ("A-1,Stalls,A,1,Gold\n", "line 1", "unknown column 'A-1'; the columns are seat, section,"),
        ("seat;section\nA;B\n", "line 1", "unknown column 'seat;section'"),
        ("seat,price\nA,1\n", "line 1", "unknown column 'price'"),
        ("section,row\nA,1\n", "line 1", "the column 'seat' is missing"),
        ("seat,row,seat\nA,1,B\n", "line 1", "'seat' is there more than once"),
        ("seat\n", "", "has no seats"),
        ("seat,row\nA,1\nB\n", "line 3", "1 values, where the header names 2 columns"),
        ("seat,row\nA,1\nB,1,x\n", "line 3", "3 values, where the header names 2 columns"),
        ("seat,row\nA,1\n\n,1\n", "line 4, column seat", "seat is empty"),
        ("seat,row\nA,1\nB,1\nA,2\n", "line 4, column seat", "'A' is there twice, first at line 2, column seat"),
        ("row,seat\n1,A\n\x01,B\n", "line 3, column row", "control character"),
        ("seat,number\nA," + "1" * 129 + "\n", "line 2, column number", "number '1111"),
        ("seat,section\nA,\u2028\nB,\x85\n", "line 3, column section", "control character"),
        ("seat,category\nA," + "ü" * 65 + "\n", "line 2, column category", "130 bytes"),
        ("seat,status\nA,free\n", "line 2, column status", "'free' is no status; use available, blocked or sold"),
        ("seat,status\nA,Sold\n", "line 2, column status", "'Sold' is no status"),
        ("seat,accessible\nA,yes\nB,maybe\n", "line 3, column accessible", "'maybe' is neither True nor False"),
        ('seat\n"A\nB\n', "line 3", "not CSV"),
        ('seat\n"A"B\n', "line 2", "not CSV"),
        ('seat\n"A\nB"\nC\n', "line 3, column seat", "control character"),
        ("seat\n" + "A" * 200_000 + "\n", "line 2", "not CSV: field larger than field limit"),
        (b"seat\n\xe9\n", "byte 5", "not UTF-8"),
        ("seat\n\udce9\n", "UTF-8 cannot encode the character at position 5", ""),
        (None, "the content must be bytes or str", ""),
    ],
)
def test_csv_faults_name_line_and_column(source: Any, where: str, what: str) -> None:
    message = message_of(lambda: SeatingPlan.from_csv(source, origin="hall.csv"))
    assert message.startswith(f"hall.csv: {where}")
    assert what in message
    assert len(message) < 400


def test_csv_with_more_categories_than_allowed_is_refused() -> None:
    lines = "".join(f"{number},{number}\n" for number in range(1001))
    assert "categories: there are 1,001" in message_of(lambda: SeatingPlan.from_csv("seat,category\n" + lines))


# Files


def test_read_picks_the_format_by_the_suffix(tmp_path: Path) -> None:
    (tmp_path / "a.JSON").write_text(json.dumps(plan_json()))
    (tmp_path / "Great Hall.csv").write_text("seat\nA\n")
    assert SeatingPlan.read(tmp_path / "a.JSON") == from_document(plan_json())
    assert SeatingPlan.read(str(tmp_path / "Great Hall.csv")) == SeatingPlan.of(["A"], name="Great Hall")


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    for name in ("none.csv", "none.json"):
        assert message_of(lambda name=name: SeatingPlan.read(tmp_path / name)).startswith(f"{tmp_path / name}: ")
        assert "No such file" in message_of(lambda name=name: SeatingPlan.read(str(tmp_path / name)))
    assert str(tmp_path) in message_of(lambda: SeatingPlan.read(tmp_path))
    for name in ("plan.xml", "plan"):
        (tmp_path / name).touch()
        assert f"{name}: a plan is a .json or a .csv file" in message_of(
            lambda name=name: SeatingPlan.read(tmp_path / name)
        )
    (tmp_path / "bad.csv").write_text("seat\nA\nA\n")
    assert message_of(lambda: SeatingPlan.read(tmp_path / "bad.csv")).startswith(f"{tmp_path / 'bad.csv'}: line 3, ")


@pytest.mark.parametrize("path", [7, None, b"plan.csv", ["plan.csv"]])
def test_what_is_no_path_is_refused(path: Any) -> None:
    assert message_of(lambda: SeatingPlan.read(path)).startswith("a path must be a str or a Path, not ")


def test_a_path_that_no_file_can_have_is_refused() -> None:
    assert "cannot be read: embedded null" in message_of(lambda: SeatingPlan.read("a\0b.csv"))


# There and back


@given(
    PLANS,
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.permutations(["seat", "section", "row", "number", "category", "status", "accessible"]),
)
def test_csv_gives_back_an_equal_plan(plan: SeatingPlan, end: str, as_bytes: bool, columns: list[str]) -> None:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator=end)
    writer.writerow(columns)
    for seat in plan.seats:
        values = {True: "yes", False: "no"}
        found = [getattr(seat, "id" if column == "seat" else column) for column in columns]
        writer.writerow([values.get(value, value) for value in found])
    text = file.getvalue()
    undrawn = SeatingPlan.of((msgspec.structs.replace(seat, x=None, y=None) for seat in plan.seats), name=plan.name)
    assert SeatingPlan.from_csv(text.encode() if as_bytes else text, name=plan.name) == undrawn


@given(PLANS)
def test_json_gives_back_an_equal_plan(plan: SeatingPlan) -> None:
    """Zones and rows of one seat each keep the plan's order, whatever it is."""
    zones = [
        {
            "name": seat.section or "no name",
            "position": {"x": seat.x or 0, "y": 0},
            "rows": [
                {
                    "row_number": seat.row,
                    "seats": [
                        seat_json(seat.id, seat_number=seat.number, category=seat.category, position={"x": 0, "y": 1})
                    ],
                }
            ],
        }
        for seat in plan.seats
    ]
    document = {"name": plan.name, "categories": [{"name": name} for name in plan.categories], "zones": zones}
    expected = [
        Seat(seat.id, seat.section or "no name", seat.row, seat.number, seat.category, seat.x or 0, 1)
        for seat in plan.seats
    ]
    assert from_document(document) == SeatingPlan.of(expected, name=plan.name)
