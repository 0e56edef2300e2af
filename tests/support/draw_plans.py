"""Draws the two plans that come with seatlock: ``python -m tests.support.draw_plans`` writes both.

The files keep to every version of pretix's published schema: whole pixels, a size, and no areas, whose form changed
between the versions. A row of seats takes a line of the file, so that a change of the drawing reads well as a diff.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

PLANS = Path(__file__).resolve().parents[2] / "seatlock" / "plans"

LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"  # houses skip I and O: they look like digits
MARGIN = 60  # pixels around the outermost seats
SEAT = 24  # pixels from one seat to the next
AISLE = 52  # pixels between the two seats beside an aisle
ROW = 30  # pixels from one row to the next

Json = dict[str, Any]
Fold = tuple[int, float]  # a piece of an oval, and which part of that piece lies before the spot


class Spot(NamedTuple):
    """One seat as it is drawn: anywhere on an endless sheet."""

    row: str
    number: int
    category: str
    x: float
    y: float


def theatre() -> Json:
    """A playhouse of 704 seats: stalls, circle and balcony, in arcs around the front of the stage."""
    levels = (
        ("Stalls", 560, 14, (20, 22, 24, 24, 26, 26, 28, 28, 30, 30, 30, 30, 28, 26)),
        ("Circle", 1070, 16, (30, 30, 32, 32, 34, 34)),
        ("Balcony", 1350, 18, (34, 34, 36, 36)),
    )
    zones = [(name, name.upper(), list(_arcs(name, radius, middle, counts))) for name, radius, middle, counts in levels]
    colours = {"Premium": "#8e44ad", "Standard": "#2980b9", "Economy": "#27ae60", "Restricted view": "#7f8c8d"}
    return _plan("Theatre", colours, zones)


def _arcs(level: str, radius: float, middle: int, counts: Sequence[int]) -> Iterator[Spot]:
    """Rows of seats on arcs, in three blocks with an aisle on either side of the middle one."""
    for index, count in enumerate(counts):
        side = (count - middle) // 2
        for seat in range(count):
            offset = (seat - (count - 1) / 2) * SEAT
            offset += (AISLE - SEAT) * ((seat >= count - side) - (seat < side))
            angle = offset / (radius + index * ROW)
            x = (radius + index * ROW) * math.sin(angle)
            y = (radius + index * ROW) * math.cos(angle)
            inwards = min(seat, count - 1 - seat)  # seats between this one and the row's end
            category = _theatre_category(level, index, inwards, central=inwards >= side)
            yield Spot(LETTERS[index], seat + 1, category, x, y)


def _theatre_category(level: str, row: int, inwards: int, *, central: bool) -> str:
    if level == "Balcony":
        return "Restricted view" if inwards < 3 else "Economy"
    if level == "Circle":
        return "Premium" if central and row < 2 else "Standard" if row < 4 else "Economy"
    return "Premium" if central and 2 <= row < 10 else "Standard"


class Oval:
    """A rectangle with round corners, its centre at 0, 0, that can be widened on all sides.

    A spot on it is a distance along the edge, clockwise from the middle of the upper side.
    """

    def __init__(self, width: float, height: float, corner: float) -> None:
        self.half_x, self.half_y, self.corner = width / 2 - corner, height / 2 - corner, corner

    def pieces(self, widened: float) -> list[float]:
        """The lengths of the straight and the round pieces, in order."""
        arc = (self.corner + widened) * math.pi / 2
        top, side = self.half_x, 2 * self.half_y
        return [top, arc, side, arc, 2 * top, arc, side, arc, top]

    def length(self, widened: float) -> float:
        """How long the edge is."""
        return sum(self.pieces(widened))

    def fold(self, along: float, widened: float) -> Fold:
        """The piece that a distance ends in, and which part of that piece lies before it."""
        pieces = self.pieces(widened)
        for number, piece in enumerate(pieces):
            if along <= piece:
                return number, along / piece
            along -= piece
        return len(pieces) - 1, 1.0

    def unfold(self, spot: Fold, widened: float) -> float:
        """The distance of what `fold` gave, on the same edge or on one that is wider."""
        pieces = self.pieces(widened)
        number, part = spot
        return sum(pieces[:number]) + part * pieces[number]

    def point(self, along: float, widened: float) -> tuple[float, float]:
        """Where a distance along the edge ends."""
        number, part = self.fold(along, widened)
        across, down, reach = self.half_x, self.half_y, self.corner + widened
        corners = {1: (across, -down), 3: (across, down), 5: (-across, down), 7: (-across, -down)}
        if number in corners:
            x, y = corners[number]
            angle = (number // 2 + part) * math.pi / 2
            return x + reach * math.sin(angle), y - reach * math.cos(angle)
        return {
            0: (part * across, -down - reach),
            2: (across + reach, (2 * part - 1) * down),
            4: ((1 - 2 * part) * across, down + reach),
            6: (-across - reach, (1 - 2 * part) * down),
            8: ((part - 1) * across, -down - reach),
        }[number]


def arena() -> Json:
    """An arena of about 20,000 seats: eight blocks on the floor before an end stage, and two bowls around them."""
    floor = Oval(width=3000, height=1800, corner=520)
    zones = [
        *((f"F{number + 1}", f"F{number + 1}", list(_block(number))) for number in range(8)),
        *_bowl(floor, first=101, sections=24, rows=18, widened=70),
        *_bowl(floor, first=201, sections=28, rows=17, widened=70 + 18 * ROW + 110),
    ]
    colours = {
        "Floor": "#c0392b",
        "Lower bowl": "#8e44ad",
        "Lower corner": "#2980b9",
        "Upper bowl": "#27ae60",
        "Behind stage": "#7f8c8d",
    }
    return _plan("Arena", colours, zones)


def _block(number: int) -> Iterator[Spot]:
    """A block of sixteen straight rows of twenty-four; the rows face the stage, at the left end of the floor."""
    left = -700 + (number % 4) * (15 * ROW + 70)
    top = -23 * SEAT - 35 if number < 4 else 35
    for row in range(16):
        for seat in range(24):
            yield Spot(LETTERS[row], seat + 1, "Floor", left + row * ROW, top + (23 - seat) * SEAT)


def _bowl(
    floor: Oval, *, first: int, sections: int, rows: int, widened: float
) -> Iterator[tuple[str, str, list[Spot]]]:
    """Sections of equal width side by side all around the floor, with more seats in every row further out."""
    middle = widened + rows * ROW / 2
    marks = [floor.fold(floor.length(middle) * number / sections, middle) for number in range(sections + 1)]
    for number in range(sections):
        name, edges = str(first + number), (marks[number], marks[number + 1])
        category = _arena_category(floor, edges, upper=first > 200)
        yield name, name, list(_section(floor, edges, rows, widened, category))


def _section(floor: Oval, edges: tuple[Fold, Fold], rows: int, widened: float, category: str) -> Iterator[Spot]:
    for row in range(rows):
        out = widened + row * ROW
        begin, end = (floor.unfold(edge, out) for edge in edges)
        count = int((end - begin - AISLE) / SEAT + 1e-6) + 1
        for seat in range(count):
            x, y = floor.point((begin + end) / 2 + (seat - (count - 1) / 2) * SEAT, out)
            yield Spot(LETTERS[row], seat + 1, category, x, y)


def _arena_category(floor: Oval, edges: tuple[Fold, Fold], *, upper: bool) -> str:
    x, y = floor.point(sum(floor.unfold(edge, 0) for edge in edges) / 2, 0)
    if x < -floor.half_x and abs(y) < floor.half_y + floor.corner / 2:
        return "Behind stage"
    if upper:
        return "Upper bowl"
    return "Lower corner" if abs(x) > floor.half_x and abs(y) > floor.half_y else "Lower bowl"


def _plan(name: str, colours: dict[str, str], zones: Sequence[tuple[str, str, list[Spot]]]) -> Json:
    """Put drawn zones (name, prefix of the seat ids, seats) on a sheet that begins at 0, 0."""
    every = [spot for _, _, spots in zones for spot in spots]
    left, top = min(spot.x for spot in every) - MARGIN, min(spot.y for spot in every) - MARGIN
    placed = [
        (title, prefix, [(spot, _whole(spot.x - left), _whole(spot.y - top)) for spot in spots])
        for title, prefix, spots in zones
    ]
    return {
        "name": name,
        "size": {
            "width": max(x for _, _, spots in placed for _, x, _ in spots) + MARGIN,
            "height": max(y for _, _, spots in placed for _, _, y in spots) + MARGIN,
        },
        "categories": [{"name": category, "color": colour} for category, colour in colours.items()],
        "zones": [_zone(title, prefix, spots) for title, prefix, spots in placed],
    }


def _zone(title: str, prefix: str, spots: list[tuple[Spot, int, int]]) -> Json:
    left, top = min(x for _, x, _ in spots), min(y for _, _, y in spots)
    rows: dict[str, Json] = {}
    for spot, x, y in spots:
        row = rows.setdefault(
            spot.row, {"row_number": spot.row, "position": {"x": x - left, "y": y - top}, "seats": []}
        )
        seat = {
            "seat_guid": f"{prefix}-{spot.row}-{spot.number}",
            "seat_number": str(spot.number),
            "position": {"x": x - left - row["position"]["x"], "y": y - top - row["position"]["y"]},
            "category": spot.category,
        }
        row["seats"].append(seat)
    return {"name": title, "position": {"x": left, "y": top}, "rows": list(rows.values())}


def _whole(value: float) -> int:
    """Round, with a nudge, so that no platform's last binary digit decides a half."""
    return round(value + 1e-6)


def text(plan: Json) -> str:
    """The plan as it is written: compact JSON with a line for every row."""

    def compact(value: object) -> str:
        return json.dumps(value, separators=(",", ":"))

    zones = [
        f'{{"name":{compact(zone["name"])},"position":{compact(zone["position"])},"rows":[\n'
        + ",\n".join(map(compact, zone["rows"]))
        + "\n]}"
        for zone in plan["zones"]
    ]
    head = compact({key: value for key, value in plan.items() if key != "zones"})
    return head.removesuffix("}") + ',"zones":[\n' + ",\n".join(zones) + "\n]}\n"


def main() -> None:
    """Write both plans."""
    PLANS.mkdir(exist_ok=True)
    for name, plan in (("theatre", theatre()), ("arena", arena())):
        (PLANS / f"{name}.json").write_bytes(text(plan).encode())


if __name__ == "__main__":
    main()
