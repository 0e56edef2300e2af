"""What a seating plan must keep to, whatever file it came from.

A plan may have a million seats, so every column is first looked at as a whole; only when that look finds something
amiss are its values taken one by one, to name the seat and its place in the file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, cast, get_args

from seatlock import _bounds
from seatlock.errors import InvalidPlan, InvalidRequest

if TYPE_CHECKING:
    from seatlock.plan import Seat

MAX_SEATS: Final = 1_000_000
MAX_CATEGORIES: Final = 1_000
MAX_LABEL_BYTES: Final = 128  # a section, row, number or category
MAX_NAME_BYTES: Final = 256  # a plan's name, which may be a file's
MAX_COORDINATE: Final = 1_000_000_000

SeatStatus = Literal["available", "blocked", "sold"]
"""How a seat enters the sale: ``blocked`` and ``sold`` seats are never offered."""

STATUSES: Final[tuple[SeatStatus, ...]] = get_args(SeatStatus)


class Source(NamedTuple):
    """Where a plan comes from, in the words of its error messages.

    ``origin`` names the whole (a path), ``place`` says where in it the field of the seat with a given index stands.
    """

    origin: str
    place: Callable[[int, str], str]

    def fault(self, where: str, problem: str) -> InvalidPlan:
        """Make the error that says what is wrong, and where."""
        return InvalidPlan(": ".join(part for part in (self.origin, where, problem) if part))


def index_place(index: int, field: str) -> str:
    """Name a seat's field where the plan comes from no file."""
    return f"seats[{index}].{field}"


def check(name: object, categories: tuple[str, ...], seats: tuple[Seat, ...], source: Source) -> None:
    """Check a whole plan; raises `seatlock.errors.InvalidPlan` at the first fault, in the words of ``source``."""
    if problem := _problem(_label("the plan's name", MAX_NAME_BYTES), name):
        raise source.fault("name", problem)
    if not seats:  # the plan of a show that has pools alone
        return
    if len(seats) > MAX_SEATS:
        raise source.fault("", f"the plan has {len(seats):,} seats; at most {MAX_SEATS:,} are allowed.")
    for field, plain, rule in _COLUMNS:
        values: list[object] = list(map(attrgetter(field), seats))
        if not plain(values):
            for index, value in enumerate(values):
                if problem := _problem(rule, value):
                    raise source.fault(source.place(index, field), problem)
    _check_unique_ids(seats, source)
    _check_categories(categories, seats, source)


def _problem(rule: Callable[[object], object], value: object) -> str | None:
    try:
        rule(value)
    except InvalidRequest as error:
        return str(error)
    return None


def _check_unique_ids(seats: tuple[Seat, ...], source: Source) -> None:
    if len({seat.id for seat in seats}) == len(seats):
        return
    first: dict[str, int] = {}
    again = next(index for index, seat in enumerate(seats) if first.setdefault(seat.id, index) != index)
    seat = seats[again].id
    before = source.place(first[seat], "id")
    raise source.fault(
        source.place(again, "id"), f"seat {seat!r} is there twice, first at {before}; seat ids must be unique."
    )


def _check_categories(categories: tuple[str, ...], seats: tuple[Seat, ...], source: Source) -> None:
    known: dict[object, int] = {}
    for index, category in enumerate(categories):
        where = f"categories[{index}]"
        if problem := _problem(_label("category"), category):
            raise source.fault(where, problem)
        if known.setdefault(category, index) != index:
            raise source.fault(where, f"category {category!r} is there twice, first at categories[{known[category]}].")
    if len(known) > MAX_CATEGORIES:
        raise source.fault("categories", f"there are {len(known):,}; at most {MAX_CATEGORIES:,} are allowed.")
    if not {seat.category for seat in seats} <= known.keys():
        index = next(index for index, seat in enumerate(seats) if seat.category not in known)
        problem = f"category {seats[index].category!r} is not one of the plan's categories; declare it or mend it."
        raise source.fault(source.place(index, "category"), problem)


def _plain_texts(limit: int, *, may_be_empty: bool) -> Callable[[Sequence[object]], bool]:
    """Make the quick look at a column of text: False means that some value may break the rule."""

    def plain(values: Sequence[object]) -> bool:
        if set(map(type, values)) != {str}:
            return False
        texts = cast("set[str]", set(values))
        whole = "".join(texts)
        widest = 1 if whole.isascii() else 4  # bytes that one character may take in UTF-8
        # What is printable is no control character, and UTF-8 can encode it.
        return whole.isprintable() and (may_be_empty or "" not in texts) and max(map(len, texts)) * widest <= limit

    return plain


def _plain_coordinates(values: Sequence[object]) -> bool:
    kinds = set(map(type, values))
    if kinds != {int}:
        return kinds == {type(None)}
    numbers = cast("Sequence[int]", values)
    return min(numbers) >= -MAX_COORDINATE and max(numbers) <= MAX_COORDINATE


def _plain_statuses(values: Sequence[object]) -> bool:
    return set(map(type, values)) == {str} and set(values) <= set(STATUSES)


def _plain_flags(values: Sequence[object]) -> bool:
    return set(map(type, values)) == {bool}


def _exact(value: object) -> object:
    """Refuse a subclass of str: it would not come back from Redis as what it was."""
    if isinstance(value, str) and type(value) is not str:
        raise InvalidRequest(f"must be a plain str, not {type(value).__name__}: convert it.")
    return value


def _id(value: object) -> None:
    _bounds.seat_id(_exact(value))


def _label(what: str, limit: int = MAX_LABEL_BYTES) -> Callable[[object], None]:
    """Make the rule for a text that may be empty."""

    def rule(value: object) -> None:
        if _exact(value) != "":
            _bounds.text(what, value, limit=limit)

    return rule


def _coordinate(value: object) -> None:
    if value is None:
        return
    if type(value) is not int:
        raise InvalidRequest(f"must be a whole number or None, not {type(value).__name__}.")
    if not -MAX_COORDINATE <= value <= MAX_COORDINATE:
        raise InvalidRequest(f"{value} is out of bounds; allowed are -{MAX_COORDINATE:,} to {MAX_COORDINATE:,}.")


def _status(value: object) -> None:
    if value not in STATUSES:
        raise InvalidRequest(f"{value!r} is no status; use {', '.join(STATUSES[:-1])} or {STATUSES[-1]}.")


def _accessible(value: object) -> None:
    if type(value) is not bool:
        raise InvalidRequest(f"{value!r} is neither True nor False (in a file: yes or no).")


_plain_labels: Final = _plain_texts(MAX_LABEL_BYTES, may_be_empty=True)

# A seat's field, the quick look at its whole column, the rule for a single value.
_COLUMNS: Final[tuple[tuple[str, Callable[[Sequence[object]], bool], Callable[[object], None]], ...]] = (
    ("id", _plain_texts(_bounds.MAX_SEAT_BYTES, may_be_empty=False), _id),
    ("section", _plain_labels, _label("section")),
    ("row", _plain_labels, _label("row")),
    ("number", _plain_labels, _label("number")),
    ("category", _plain_labels, _label("category")),
    ("x", _plain_coordinates, _coordinate),
    ("y", _plain_coordinates, _coordinate),
    ("status", _plain_statuses, _status),
    ("accessible", _plain_flags, _accessible),
)
