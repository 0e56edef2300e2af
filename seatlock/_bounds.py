"""What an argument may be: every bound in one place, checked before anything is sent.

Each function takes the raw value, returns it in the form that goes on the wire, or raises
`seatlock.errors.InvalidRequest` naming the offending argument. Tokens are never quoted in a message.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final, cast

from seatlock.errors import InvalidRequest

MAX_SHOW_BYTES: Final = 128
MAX_SEAT_BYTES: Final = 128
MAX_HOLDER_BYTES: Final = 256
MAX_REFERENCE_BYTES: Final = 256  # a payment reference, a booking id or the reason of a block
MAX_NAMESPACE_BYTES: Final = 64
MAX_CHANNEL_BYTES: Final = 64
MAX_SEATS_A_HOLD: Final = 100
MAX_POOL_BYTES: Final = 64
MAX_POOLS: Final = 32  # pools of a show
MAX_QUANTITY: Final = 1_000  # of one pool in one hold
MAX_CAPACITY: Final = 1_000_000_000  # of one pool

MIN_TTL_MS: Final = 1
MAX_TTL_MS: Final = 24 * 60 * 60 * 1000
DEFAULT_TTL: Final = 600.0  # seconds a hold lasts
DEFAULT_EXPECTED: Final = 300.0  # seconds that a payment is expected to take
DEFAULT_MAX_HOLD: Final = 1800.0  # seconds a hold lasts in all, however often it is extended

TOKEN_LENGTH: Final = 32  # 128 random bits in lower-case hexadecimal
_LISTS: Final[frozenset[type]] = frozenset({list, tuple})
_IS_TOKEN = re.compile(rf"[0-9a-f]{{{TOKEN_LENGTH}}}").fullmatch
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SHOW_FORBIDDEN = re.compile(r"[{}\s]")

Duration = float | timedelta
"""A time span: seconds (int or float), or a `datetime.timedelta`."""

MAX_AWAY: Final = timedelta(days=3653)  # ten years: a moment further from now is a mistake, such as milliseconds

Moment = float | datetime
"""A point in time: seconds since the epoch (int or float), or a `datetime.datetime` that knows its time zone."""


def text(name: str, value: object, *, limit: int) -> str:
    """Check a piece of text: a non-empty string without control characters, at most ``limit`` bytes of UTF-8."""
    if type(value) is str and 0 < len(value) <= limit and value.isascii() and value.isprintable():
        return value  # nearly all ids; ASCII has no printable control characters, and one byte a character
    if not isinstance(value, str):
        raise InvalidRequest(f"{name} must be a string, not {type(value).__name__}.")
    if not value:
        raise InvalidRequest(f"{name} is empty: give it at least one character.")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise InvalidRequest(f"{name} {value[:40]!r} has characters that UTF-8 cannot encode.") from None
    if size > limit:
        raise InvalidRequest(f"{name} {value[:40]!r}… has {size} bytes; at most {limit} are allowed.")
    if _CONTROL.search(value):
        raise InvalidRequest(f"{name} {value!r} has a control character in it; remove it.")
    return value


def show_id(value: object) -> str:
    """Check a show id: up to 128 bytes, no braces, no whitespace (it becomes the hash tag of every key)."""
    show = text("show", value, limit=MAX_SHOW_BYTES)
    if _SHOW_FORBIDDEN.search(show):
        raise InvalidRequest(f"show {show!r} has a brace or white space in it: those would break the hash tag.")
    return show


def namespace(value: object) -> str:
    """Check a key namespace: up to 64 bytes, no braces, no whitespace."""
    name = text("namespace", value, limit=MAX_NAMESPACE_BYTES)
    if _SHOW_FORBIDDEN.search(name):
        raise InvalidRequest(f"namespace {name!r} has a brace or white space in it: those would break the hash tag.")
    return name


def seat_id(value: object) -> str:
    """Check one seat id: up to 128 bytes, no control characters."""
    return text("seat", value, limit=MAX_SEAT_BYTES)


def seat_ids(value: object) -> tuple[str, ...]:
    """Check the seats of one hold: 1 to 100 different seat ids."""
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        raise InvalidRequest(f"seats must be a list of seat ids, not {type(value).__name__}.")
    seats: list[str] = []
    for seat in cast("Iterable[object]", value):
        if len(seats) == MAX_SEATS_A_HOLD:
            raise InvalidRequest(f"seats names more than {MAX_SEATS_A_HOLD} seats; split the request.")
        seats.append(seat_id(seat))
    if not seats:
        raise InvalidRequest("seats is empty: name at least one seat.")
    if len(set(seats)) != len(seats):
        twice = next(seat for seat in seats if seats.count(seat) > 1)
        raise InvalidRequest(f"seats names {twice!r} more than once; name each seat once.")
    return tuple(seats)


def seat_count(value: object) -> int:
    """Check how many seats are asked for: 1 to 100."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidRequest(f"count must be a whole number, not {type(value).__name__}.")
    if not 1 <= value <= MAX_SEATS_A_HOLD:
        raise InvalidRequest(f"count is {value}; allowed are 1 to {MAX_SEATS_A_HOLD}.")
    return int(value)


def flag(name: str, value: object) -> bool:
    """Check a yes or no."""
    if not isinstance(value, bool):
        raise InvalidRequest(f"{name} must be True or False, not {value!r}.")
    return value


def seats_and_holder(seats: Any, holder: Any) -> tuple[tuple[str, ...], str]:
    """Check the seats of one hold (see `seat_ids`) and its holder: up to 256 bytes, no control characters."""
    if type(seats) in _LISTS and len(seats) == 1 and type(holder) is str:
        seat = seats[0]
        if (
            type(seat) is str
            and 0 < len(seat) <= MAX_SEAT_BYTES
            and 0 < len(holder) <= MAX_HOLDER_BYTES
            and (both := seat + holder).isascii()
            and both.isprintable()
        ):
            return (seat,), holder  # one look: most holds are of one seat, and nearly all ids are plain ASCII
    return seat_ids(seats), text("holder", holder, limit=MAX_HOLDER_BYTES)


def pool_name(value: object) -> str:
    """Check the name of a pool: up to 64 bytes, no control characters."""
    return text("pool", value, limit=MAX_POOL_BYTES)


def quantities(name: str, value: object, *, most: int = MAX_QUANTITY) -> tuple[tuple[str, int], ...]:
    """Check quantities of pools: a mapping of up to 32 names to whole numbers from 1 to ``most``; None is none."""
    if value is None:
        return ()
    if not isinstance(value, Mapping):
        raise InvalidRequest(f"{name} must map names of pools to quantities, not {type(value).__name__}.")
    found = cast("Mapping[object, object]", value)
    if len(found) > MAX_POOLS:
        raise InvalidRequest(f"{name} has {len(found)} pools; at most {MAX_POOLS} are allowed.")
    checked: list[tuple[str, int]] = []
    for pool, quantity in found.items():
        known = pool_name(pool)
        if type(quantity) is not int or not 1 <= quantity <= most:
            raise InvalidRequest(f"{name}[{known!r}] is {quantity!r}; give a whole number from 1 to {most:,}.")
        checked.append((known, quantity))
    return tuple(checked)


def pool_names(value: object) -> tuple[str, ...]:
    """Check the names of pools: up to 32 different ones, or none."""
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        raise InvalidRequest(f"pools must be a list of names, not {type(value).__name__}.")
    names: list[str] = []
    for name in cast("Iterable[object]", value):
        if len(names) == MAX_POOLS:
            raise InvalidRequest(f"pools names more than {MAX_POOLS} pools, which no show has.")
        names.append(pool_name(name))
    if len(set(names)) != len(names):
        raise InvalidRequest("pools names one more than once; name each pool once.")
    return tuple(names)


def seats_with_pools(
    seats: object, holder: object, pools: object
) -> tuple[tuple[str, ...], str, tuple[tuple[str, int], ...]]:
    """Check what a hold is of: seats and its holder (see `seats_and_holder`), quantities of pools, or both."""
    wanted = quantities("pools", pools)
    if wanted and isinstance(seats, Iterable) and not isinstance(seats, str | bytes):
        seats = tuple(cast("Iterable[object]", seats))
        if not seats:
            return (), text("holder", holder, limit=MAX_HOLDER_BYTES), wanted
    return (*seats_and_holder(seats, holder), wanted)


def reference(name: str, value: object) -> str:
    """Check a payment reference or a booking id: up to 256 bytes, no control characters."""
    return text(name, value, limit=MAX_REFERENCE_BYTES)


def reason(value: object) -> str:
    """Check the reason of a block: up to 256 bytes, no control characters; empty where there is none."""
    return "" if value is None or value == "" else text("reason", value, limit=MAX_REFERENCE_BYTES)


def channel(value: object) -> str:
    """Check the name of a channel: up to 64 bytes, no control characters; None, the public, becomes empty."""
    return "" if value is None else text("channel", value, limit=MAX_CHANNEL_BYTES)


def fence(name: str, value: object) -> int:
    """Check a fence: the whole number that the server gave."""
    if type(value) is not int or not 0 <= value < 2**63:
        raise InvalidRequest(f"{name} is not what the server gave: keep holds and bookings as they are.")
    return value


def token(value: object) -> str:
    """Check a caller's own token: 32 lower-case hexadecimal digits, as `seatlock.new_token` makes them."""
    if isinstance(value, str) and _IS_TOKEN(value):
        return value
    raise InvalidRequest(
        f"token must be {TOKEN_LENGTH} lower-case hexadecimal digits (128 random bits): use seatlock.new_token()."
    )


def milliseconds(name: str, value: object, *, least: int = MIN_TTL_MS, most: int = MAX_TTL_MS) -> int:
    """Turn a time span into whole milliseconds, refusing what is no finite number or out of bounds."""
    seconds: float
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
    elif isinstance(value, int | float) and not isinstance(value, bool):
        try:
            seconds = float(value)
        except OverflowError:
            seconds = math.inf
    else:
        raise InvalidRequest(f"{name} must be seconds or a timedelta, not {type(value).__name__}.")
    if not math.isfinite(seconds):
        raise InvalidRequest(f"{name} is {seconds}; give a finite number of seconds.")
    if not least <= seconds * 1000 <= most:
        raise InvalidRequest(f"{name} is {seconds} s; allowed are {least / 1000} s to {most / 1000:.0f} s.")
    return int(seconds * 1000)


def ttl(value: object) -> int:
    """Turn the time of a hold into whole milliseconds."""
    return _ttl(value) if type(value) is float or type(value) is int else milliseconds("ttl", value)


@lru_cache(maxsize=1024)  # a sale gives nearly all holds the same time
def _ttl(seconds: float) -> int:
    return milliseconds("ttl", seconds)


def moment(name: str, value: object) -> int:
    """Turn a point in time into whole milliseconds since the epoch, refusing what is surely none that is meant.

    Only that looks at the clock of this machine, and years are what it tells apart: the server's clock decides.
    """
    seconds: float
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            raise InvalidRequest(f"{name} is {value.isoformat()} without a time zone: give an aware datetime.")
        seconds = value.timestamp()
    elif isinstance(value, int | float) and not isinstance(value, bool):
        try:
            seconds = float(value)
        except OverflowError:
            seconds = math.inf
    else:
        raise InvalidRequest(
            f"{name} must be an aware datetime or seconds since the epoch, not {type(value).__name__}."
        )
    if not abs(seconds - time.time()) <= MAX_AWAY.total_seconds():  # nan is not either
        raise InvalidRequest(
            f"{name} is {seconds}, more than ten years from now: give an aware datetime or seconds since the epoch."
        )
    return round(seconds * 1000)
