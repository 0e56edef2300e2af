"""The seating plan JSON of pretix, as Structs: zones have rows, rows have seats.

The published schema has grown over the years, and plans of every age are around. These Structs take a file that keeps
to any version of it, and refuse fields that none has. What only serves to draw the plan is checked and dropped.
"""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Literal

import msgspec

_Coordinate = Annotated[float, msgspec.Meta(ge=-1e9, le=1e9)]
_Size = Annotated[float, msgspec.Meta(multiple_of=1)]  # an integer; JSON Schema also takes 10.0 for one


class _Object(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    pass


class Position(_Object, frozen=True):
    """Pixels, from the corner of what is around."""

    x: _Coordinate
    y: _Coordinate


class Category(_Object, frozen=True):
    """A kind of seats, mostly a price level."""

    name: str
    color: str = ""


class Size(_Object, frozen=True):
    """Width and height, in pixels."""

    width: _Size
    height: _Size


class Seat(_Object, frozen=True):
    """One seat."""

    seat_guid: str
    seat_number: str
    position: Position
    category: str
    uuid: str = ""
    start_direction: str | None = None
    radius: _Size = 10


class Row(_Object, frozen=True):
    """A row of seats."""

    row_number: str
    seats: list[Seat]
    position: Position = Position(0, 0)
    row_label: str | None = None
    seat_label: str | None = None
    row_number_position: str | None = None
    uuid: str = ""
    number_of_seats: _Size = 0
    seats_spacing: _Size = 0


class _Polygon(_Object, frozen=True):
    points: list[Position]


class _Ellipse(_Object, frozen=True):
    radius: Position


class _Circle(_Object, frozen=True):
    radius: _Size


class _Text(_Object, frozen=True):
    text: str
    position: Position
    color: str = ""
    size: _Size = 16


class Area(_Object, frozen=True):
    """Something drawn beside the seats: a stage, a bar."""

    position: Position = Position(0, 0)
    color: str = ""
    border_color: str = ""
    rotation: float = 0
    uuid: str = ""
    shape: Literal["polygon", "rectangle", "ellipse", "circle", "text"] | None = None
    polygon: _Polygon | None = None
    rectangle: Size | None = None
    ellipse: _Ellipse | None = None
    circle: _Circle | None = None
    text: str | _Text = ""
    width: _Size = 0
    height: _Size = 0


class Zone(_Object, frozen=True):
    """A part of the house: stalls, balcony, a block of an arena."""

    position: Position
    rows: list[Row]
    name: str = ""
    zone_id: str = ""
    uuid: str = ""
    displayed: bool = True
    areas: list[Area] = []


class Document(_Object, frozen=True):
    """The whole file."""

    name: str
    zones: list[Zone]
    categories: list[Category]
    size: Size | None = None

    def place(self, index: int, field: str) -> str:
        """Name the place in the file of a field of the seat with this index, counted through the whole file."""
        every = (
            (f"zones[{zone_at}]", f"rows[{row_at}]", f"seats[{seat_at}]")
            for zone_at, zone in enumerate(self.zones)
            for row_at, row in enumerate(zone.rows)
            for seat_at in range(len(row.seats))
        )
        zone, row, seat = next(islice(every, index, None))
        return {
            "id": f"{zone}.{row}.{seat}.seat_guid",
            "section": f"{zone}.name",
            "row": f"{zone}.{row}.row_number",
            "number": f"{zone}.{row}.{seat}.seat_number",
            "category": f"{zone}.{row}.{seat}.category",
        }.get(field, f"{zone}.{row}.{seat}.position")
