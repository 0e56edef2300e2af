"""A seating plan as one string for Redis: columns instead of seats, compressed.

A byte for the version, then zlib over msgpack. A column of text is a list of its different words and, for every seat,
the word's position in it: small, and unpacking makes each word once instead of once a seat.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from seatlock._plan_rules import SeatStatus
from seatlock.errors import InvalidPlan

if TYPE_CHECKING:
    from seatlock._plan_formats import Fields
    from seatlock.plan import Seat

_VERSION: Final = b"\x01"
_LEVEL: Final = 6  # of zlib: 9 takes three times as long for one percent less

_Code = Annotated[int, msgspec.Meta(ge=0)]


class _Coded(msgspec.Struct, array_like=True, frozen=True):
    words: list[str]
    codes: list[_Code]

    @classmethod
    def of(cls, column: Iterable[str]) -> _Coded:
        column = list(column)
        code = {word: number for number, word in enumerate(dict.fromkeys(column))}
        return cls(list(code), [code[word] for word in column])

    def column(self) -> list[str]:
        return [self.words[code] for code in self.codes]


class _Layout(msgspec.Struct, array_like=True, frozen=True):
    """All that does not change while tickets are sold."""

    categories: tuple[str, ...]
    ids: list[str]
    sections: _Coded
    rows: _Coded
    numbers: _Coded
    categories_of: _Coded
    x: list[int | None]
    y: list[int | None]
    accessible: list[_Code] = []  # indices of seats


class _Packed(msgspec.Struct, array_like=True, frozen=True):
    name: str
    layout: _Layout
    blocked: list[_Code]  # indices of seats
    sold: list[_Code]


def _layout(categories: tuple[str, ...], seats: Sequence[Seat]) -> _Layout:
    return _Layout(
        categories,
        [seat.id for seat in seats],
        _Coded.of(seat.section for seat in seats),
        _Coded.of(seat.row for seat in seats),
        _Coded.of(seat.number for seat in seats),
        _Coded.of(seat.category for seat in seats),
        [seat.x for seat in seats],
        [seat.y for seat in seats],
        [index for index, seat in enumerate(seats) if seat.accessible],
    )


def digest(categories: tuple[str, ...], seats: Sequence[Seat]) -> str:
    """Sixteen hexadecimal digits that tell layouts apart; name and statuses do not count."""
    layout = _layout(categories, seats)
    columns = msgspec.structs.astuple(layout)
    if not layout.accessible:  # which earlier versions did not know: their shows keep their digests
        columns = columns[:-1]
    return hashlib.sha256(msgspec.msgpack.encode(columns)).hexdigest()[:16]


def pack(name: str, categories: tuple[str, ...], seats: Sequence[Seat]) -> bytes:
    """Pack a plan."""

    def having(status: SeatStatus) -> list[int]:
        return [index for index, seat in enumerate(seats) if seat.status == status]

    packed = _Packed(name, _layout(categories, seats), having("blocked"), having("sold"))
    return _VERSION + zlib.compress(msgspec.msgpack.encode(packed), _LEVEL)


def unpack(data: object) -> tuple[str, tuple[str, ...], Iterable[Fields]]:
    """Give name, categories and the seats' fields of a packed plan; raises `seatlock.errors.InvalidPlan`."""
    if not isinstance(data, bytes) or data[:1] != _VERSION:
        raise InvalidPlan("this is no packed plan, or another version of seatlock packed it: warm the show again.")
    try:
        packed = msgspec.msgpack.decode(zlib.decompress(data[1:]), type=_Packed)
        layout = packed.layout
        statuses: list[SeatStatus] = ["available"] * len(layout.ids)
        for index in packed.blocked:
            statuses[index] = "blocked"
        for index in packed.sold:
            statuses[index] = "sold"
        accessible = [False] * len(layout.ids)
        for index in layout.accessible:
            accessible[index] = True
        columns = (
            layout.ids,
            layout.sections.column(),
            layout.rows.column(),
            layout.numbers.column(),
            layout.categories_of.column(),
            layout.x,
            layout.y,
            statuses,
            accessible,
        )
    except (zlib.error, msgspec.DecodeError, UnicodeDecodeError, IndexError) as error:
        raise InvalidPlan(f"the packed plan is damaged ({error}): warm the show again.") from None
    if len({len(column) for column in columns}) != 1:
        raise InvalidPlan("the packed plan is damaged (its columns differ in length): warm the show again.")
    return packed.name, layout.categories, zip(*columns, strict=True)
