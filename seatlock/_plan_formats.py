"""The files a seating plan is read from: pretix's plan JSON, and CSV.

A reader says what is wrong with the file as a file; what is wrong with the plan in it, `seatlock._plan_rules` says.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple, TypeAlias, cast

import msgspec

from seatlock import _pretix
from seatlock._plan_rules import SeatStatus, Source
from seatlock.errors import InvalidPlan

Fields: TypeAlias = tuple[str, str, str, str, str, int | None, int | None, SeatStatus, bool]
"""A seat's fields, in the order of `seatlock.plan.Seat`."""

_MISSING: Final = re.compile("Object missing required field `(.*)`")
_UNKNOWN: Final = re.compile("Object contains unknown field `(.*)`", re.DOTALL)

CSV_COLUMNS: Final = ("seat", "section", "row", "number", "category", "status", "accessible")
_ACCESSIBLE: Final = {"": False, "no": False, "yes": True}


class Draft(NamedTuple):
    """What a reader found, still to be checked as a plan. ``categories`` is None where the format declares none."""

    name: str
    categories: tuple[str, ...] | None
    seats: Iterable[Fields]
    source: Source


def read_json(source: object, origin: str) -> Draft:
    """Read the plan JSON of pretix; raises `seatlock.errors.InvalidPlan`."""
    text = _text(source, origin)
    try:
        document = msgspec.json.decode(text, type=_pretix.Document)
    except msgspec.ValidationError as error:
        raise InvalidPlan(f"{origin}: {_told(str(error))}") from None
    except msgspec.DecodeError as error:
        raise InvalidPlan(f"{origin}: this is not JSON: {error}.") from None
    categories = tuple(category.name for category in document.categories)
    return Draft(document.name, categories, _seats(document), Source(origin, document.place))


def _seats(document: _pretix.Document) -> Iterator[Fields]:
    for index, zone in enumerate(document.zones):
        section = zone.name or f"zone {index + 1}"
        for row in zone.rows:
            left, top = zone.position.x + row.position.x, zone.position.y + row.position.y
            for seat in row.seats:
                x, y = round(left + seat.position.x), round(top + seat.position.y)
                yield seat.seat_guid, section, row.row_number, seat.seat_number, seat.category, x, y, "available", False


def _told(message: str) -> str:
    """Put msgspec's message in the form of all others: the place first, as ``zones[0].rows[3]``."""
    what, found, where = message.rpartition(" - at `$")
    if not found:
        what, where = message, ""
    where = where.strip("`.")
    if field := _MISSING.fullmatch(what):
        where, what = ".".join(filter(None, (where, field[1]))), "is missing; the format requires it"
    elif field := _UNKNOWN.fullmatch(what):
        what = f"{field[1][:80]!r} is no field of the format; remove it"
    return ": ".join(filter(None, (where, what[:300]))) + "."


def read_csv(source: object, name: str, origin: str) -> Draft:
    """Read a CSV file with a header; raises `seatlock.errors.InvalidPlan`."""
    reader = csv.reader(io.StringIO(_text(source, origin), newline=""), strict=True)
    lines: list[int] = []
    records: list[list[str]] = []
    try:
        header = _header(next(reader, list[str]()), origin)
        for record in reader:
            if not record:  # a blank line
                continue
            if len(record) != len(header):
                raise InvalidPlan(
                    f"{origin}: line {reader.line_num}: {len(record)} values, where the header names "
                    f"{len(header)} columns; quote a value that has a comma in it."
                )
            lines.append(reader.line_num)
            records.append(record)
    except csv.Error as error:
        raise InvalidPlan(f"{origin}: line {reader.line_num}: this is not CSV: {error}.") from None

    def place(index: int, field: str) -> str:
        return f"line {lines[index]}, column {'seat' if field == 'id' else field}"

    return Draft(name, None, _rows(header, records), Source(origin, place))


def _header(names: list[str], origin: str) -> list[str]:
    header = [name.strip() for name in names]
    allowed = f"the columns are {', '.join(CSV_COLUMNS)}, separated by commas"
    if not header:
        raise InvalidPlan(f"{origin}: line 1: the header is missing; {allowed}.")
    for name in header:
        if name not in CSV_COLUMNS:
            raise InvalidPlan(f"{origin}: line 1: unknown column {name[:80]!r}; {allowed}.")
        if header.count(name) > 1:
            raise InvalidPlan(f"{origin}: line 1: column {name!r} is there more than once.")
    if "seat" not in header:
        raise InvalidPlan(f"{origin}: line 1: the column 'seat' is missing; {allowed}.")
    return header


def _rows(header: list[str], records: list[list[str]]) -> Iterator[Fields]:
    at = {name: header.index(name) for name in header}
    absent = len(header)  # every record gets an empty value there
    seat, section, row, number, category, status, accessible = (at.get(name, absent) for name in CSV_COLUMNS)
    for record in records:
        values = [*record, ""]
        word = cast("SeatStatus", values[status] or "available")  # the plan's rules check it, for they name the place
        open_to_all = cast("bool", _ACCESSIBLE.get(values[accessible], values[accessible]))  # and so for this one
        place = values[seat], values[section], values[row], values[number], values[category]
        yield *place, None, None, word, open_to_all


def _text(source: object, origin: str) -> str:
    """Take a file's content as text, without a byte order mark."""
    if isinstance(source, bytes):
        try:
            source = source.decode()
        except UnicodeDecodeError as error:
            raise InvalidPlan(f"{origin}: byte {error.start} is not UTF-8; save the file as UTF-8.") from None
    if not isinstance(source, str):
        raise InvalidPlan(f"{origin}: the content must be bytes or str, not {type(source).__name__}.")
    try:
        source.encode()
    except UnicodeEncodeError as error:
        raise InvalidPlan(f"{origin}: UTF-8 cannot encode the character at position {error.start}.") from None
    return source.removeprefix("\ufeff")
