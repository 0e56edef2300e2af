"""Seating plans: what seats a show has, where each is, what it belongs to, and whether it is for sale."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from importlib import resources
from itertools import islice, starmap
from pathlib import Path
from types import MappingProxyType
from typing import Final

import msgspec

from seatlock import _plan_formats, _plan_packing
from seatlock._plan_rules import MAX_SEATS, SeatStatus, Source, check, index_place
from seatlock.errors import InvalidPlan, InvalidRequest

__all__ = ["BUNDLED_PLANS", "Seat", "SeatStatus", "SeatingPlan"]

BUNDLED_PLANS: Final = ("arena", "theatre")
"""The plans that come with seatlock, to try things out: see `SeatingPlan.bundled`."""


class Seat(msgspec.Struct, frozen=True, gc=False):
    """One numbered seat and its place in the house.

    ``id`` is unique in the plan: 1 to 128 bytes without control characters. ``section``, ``row``, ``number`` and
    ``category`` are up to 128 bytes, without control characters, and may be empty. ``x`` and ``y`` are pixels from the
    left and upper edge of the plan, None where it is not drawn. ``status`` is how the seat enters the sale:
    ``available``, ``blocked`` (the house keeps it) or ``sold`` (elsewhere). ``accessible`` seats can be used without
    steps, in a wheelchair for one: see `seatlock.SeatLocker.acquire_best`.

    The `SeatingPlan` that takes the seat checks it.
    """

    id: str
    section: str = ""
    row: str = ""
    number: str = ""
    category: str = ""
    x: int | None = None
    y: int | None = None
    status: SeatStatus = "available"
    accessible: bool = False


class SeatingPlan(msgspec.Struct, frozen=True, dict=True):
    """The seats of a house, in order: 1 to 1,000,000 of them (none in a show of pools alone), up to 1,000 categories.

    Read one from a file (`read`), from JSON or CSV at hand (`from_json`, `from_csv`), or make one of seat ids (`of`).
    A plan that exists is sound: whatever breaks a rule raises `seatlock.InvalidPlan`, which names the place.
    """

    name: str
    categories: tuple[str, ...]
    seats: tuple[Seat, ...]

    def __post_init__(self) -> None:
        source = Source("plan", index_place)
        for field, given in (("categories", self.categories), ("seats", self.seats)):
            if not isinstance(given, tuple):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise source.fault(field, f"must be a tuple, not {type(given).__name__}; see SeatingPlan.of.")
        for kind in set(map(type, self.seats)) - {Seat}:
            index = next(index for index, seat in enumerate(self.seats) if type(seat) is kind)
            raise source.fault(f"seats[{index}]", f"must be a Seat, not {kind.__name__}; see SeatingPlan.of.")
        check(self.name, self.categories, self.seats, source)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> SeatingPlan:
        """Read a plan from a file: ``.json`` as `from_json` does, ``.csv`` as `from_csv` does, named as the file."""
        try:
            file = Path(path)
        except TypeError:
            raise InvalidPlan(f"a path must be a str or a Path, not {type(path).__name__}.") from None
        if file.suffix.lower() not in (".json", ".csv"):
            raise InvalidPlan(f"{path}: a plan is a .json or a .csv file, by its name.")
        try:
            content = file.read_bytes()
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            reason = error.strerror if isinstance(error, OSError) else error
            raise InvalidPlan(f"{path}: the plan cannot be read: {reason}.") from None
        if file.suffix.lower() == ".json":
            return cls.from_json(content, origin=str(path))
        return cls.from_csv(content, name=file.stem, origin=str(path))

    @classmethod
    def bundled(cls, name: str) -> SeatingPlan:
        """Read one of the plans that come with seatlock: ``theatre`` (about 700 seats) or ``arena`` (about 20,000)."""
        if name not in BUNDLED_PLANS:
            raise InvalidPlan(f"no plan {name!r} comes with seatlock; there are {' and '.join(BUNDLED_PLANS)}.")
        file = resources.files("seatlock").joinpath("plans", f"{name}.json")
        return cls.from_json(file.read_bytes(), origin=f"{name}.json")

    @classmethod
    def from_json(cls, source: bytes | str, *, origin: str = "plan") -> SeatingPlan:
        """Read the seating plan JSON of pretix: zones, in them rows, in them seats.

        Seat ids come from ``seat_guid``, the section is the zone's name (or ``zone 1``, ``zone 2``, … where it has
        none), the row its ``row_number``, the number the ``seat_number``. Positions are added up and rounded to whole
        pixels. Categories have to be declared. Fields that the format does not have are refused. ``origin`` names the
        plan in error messages.
        """
        return cls._of_draft(_plan_formats.read_json(source, origin))

    @classmethod
    def from_csv(cls, source: bytes | str, *, name: str = "", origin: str = "plan") -> SeatingPlan:
        """Read CSV in UTF-8 with the header ``seat,section,row,number,category,status,accessible``.

        The columns may stand in any order and only ``seat`` is required; an empty ``status`` means available, and
        ``accessible`` is ``yes``, ``no`` or empty, which means no.
        Categories are numbered as they first appear. ``origin`` names the plan in error messages.
        """
        return cls._of_draft(_plan_formats.read_csv(source, name, origin))

    @classmethod
    def of(cls, seats: SeatingPlan | Iterable[str | Seat], *, name: str = "", needs_seats: bool = True) -> SeatingPlan:
        """Make a plan of seat ids and `Seat` objects, mixed as you like; a `SeatingPlan` is returned as it is.

        Categories are numbered as they first appear. ``needs_seats=False`` also takes no seats at all: the plan of a
        show that has pools alone.
        """
        if isinstance(seats, SeatingPlan):
            plan = seats
        else:
            found = tuple(islice(_each_seat(seats), MAX_SEATS + 1))
            plan = cls(name, _categories_of(found), found)
        if needs_seats and not plan.seats:
            raise InvalidPlan("plan: the plan has no seats; it needs at least one.")
        return plan

    @classmethod
    def _of_draft(cls, draft: _plan_formats.Draft) -> SeatingPlan:
        seats = tuple(starmap(Seat, draft.seats))
        if not seats:
            raise draft.source.fault("", "the plan has no seats; it needs at least one.")
        categories = _categories_of(seats) if draft.categories is None else draft.categories
        try:
            return cls(draft.name, categories, seats)
        except InvalidPlan:
            check(draft.name, categories, seats, draft.source)  # fails again, in words that name the place in the file
            raise

    def pack(self) -> bytes:
        """Pack the plan into one compact string; `unpack` gives back an equal plan."""
        return _plan_packing.pack(self.name, self.categories, self.seats)

    @classmethod
    def unpack(cls, data: bytes) -> SeatingPlan:
        """Unpack what `pack` made."""
        name, categories, seats = _plan_packing.unpack(data)
        return cls(name, categories, tuple(starmap(Seat, seats)))

    @cached_property
    def digest(self) -> str:
        """Identify the layout: 16 hexadecimal digits over seats, places and categories, not over name and statuses."""
        return _plan_packing.digest(self.categories, self.seats)

    @cached_property
    def index(self) -> Mapping[str, Seat]:
        """Every `Seat` by its id, in plan order."""
        return MappingProxyType({seat.id: seat for seat in self.seats})

    @cached_property
    def sections(self) -> Mapping[str, tuple[str, ...]]:
        """The seat ids of every section, both in plan order."""
        found: dict[str, list[str]] = {}
        for seat in self.seats:
            found.setdefault(seat.section, []).append(seat.id)
        return MappingProxyType({section: tuple(ids) for section, ids in found.items()})

    def category_number(self, name: str) -> int:
        """Tell the number of a category, from 0; raises `seatlock.InvalidRequest` for one it does not have."""
        try:
            return self._category_numbers[name]
        except (KeyError, TypeError):
            plan = f"plan {self.name!r}" if self.name else "the plan"
            raise InvalidRequest(f"{plan} has no category {name!r}.") from None

    @cached_property
    def _category_numbers(self) -> Mapping[str, int]:
        return {category: number for number, category in enumerate(self.categories)}

    def __len__(self) -> int:
        return len(self.seats)

    def __repr__(self) -> str:
        return f"<SeatingPlan {self.name!r}: {len(self.seats):,} seats, {len(self.categories):,} categories>"


def _categories_of(seats: Iterable[Seat]) -> tuple[str, ...]:
    """List the categories in order of first appearance; what is no text is left to the plan's rules to refuse."""
    return tuple(dict.fromkeys(seat.category for seat in seats if type(seat.category) is str))


def _each_seat(seats: Iterable[str | Seat]) -> Iterator[Seat]:
    if isinstance(seats, str | bytes) or not isinstance(seats, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidPlan(
            f"plan: seats must be a list of seat ids or Seat objects, not {type(seats).__name__}; "
            "SeatingPlan.read reads a file."
        )
    if isinstance(seats, set | frozenset):  # without an order of its own, the layout would change with every process
        seats = sorted(seats, key=lambda item: item.id if isinstance(item, Seat) else str(item))
    for index, item in enumerate(seats):
        if isinstance(item, str):
            yield Seat(str.__str__(item))  # a plain str, whatever subclass it was
        elif type(item) is Seat:
            yield item
        else:
            raise InvalidPlan(f"plan: seats[{index}]: must be a seat id or a Seat, not {type(item).__name__}.")
