"""Bad input: every public argument with what it must not be is an `InvalidRequest` before anything is sent."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from datetime import time as dt_time
from decimal import Decimal
from typing import Any, Final

import msgspec
import pytest

from seatlock import AsyncSeatLocker, Booking, Hold, InvalidRequest, SeatLocker, new_token
from tests.support.stage import SEATS, Stage, only_on

pytestmark = only_on("redis-7")


class Text(str):
    """A string of another class, as enums and translations are."""

    __slots__ = ()


CONTROL: Final = ["A\n1", "A\r1", "A\t1", "A\x001", "\x1b[31m", "A\x7f", "A\x85", "\x9f"]
NO_TEXT: Final = [None, 7, 1.5, True, b"A-1", ["A-1"], object(), "", "\ud800", *CONTROL]
BAD_SHOWS: Final = [*NO_TEXT, "a b", "{a}", "a}", "{", "a\u00a0b", "a\u2003b", "s" * 129, "ß" * 65, "s" * 1_000_000]
BAD_SEAT: Final = [*NO_TEXT, "s" * 129, "ß" * 65, "s" * 1_000_000]
BAD_SEATS: Final = [
    None, 7, "A-1", b"A-1", [], (), {}, iter(()), ["A-1", "A-1"], [f"S-{n}" for n in range(101)],
    (f"S-{n}" for n in iter(int, 1)), *([seat] for seat in BAD_SEAT), *(["A-1", seat] for seat in BAD_SEAT),
]  # fmt: skip
BAD_HOLDERS: Final = [*NO_TEXT, "h" * 257, "ß" * 129, "h" * 1_000_000]
BAD_REFERENCES: Final = [*(value for value in NO_TEXT if value is not None), "p" * 257]
BAD_TIMES: Final = [
    None, "60", b"60", "nan", "inf", "0x10", "1e400", [60], object(), True, False, 60j, Decimal(60),
    math.nan, math.inf, -math.inf, 0, 0.0, -0.0, -1, -0.001, 0.0009, 1e-9, 5e-324, 86_400.001, 86_401, 1e300, 10**400,
    timedelta(0), timedelta(seconds=-1), timedelta(microseconds=999), timedelta(days=1, milliseconds=1), timedelta.max,
]  # fmt: skip
BAD_MOMENTS: Final = [
    "", "now", "2030-01-01T00:00:00Z", b"1900000000", [1_900_000_000], object(), True, False, 60j, Decimal(2 * 10**9),
    timedelta(minutes=10), date(2030, 1, 1), dt_time(10), datetime.max.replace(tzinfo=UTC),
    datetime.min.replace(tzinfo=timezone(timedelta(hours=14))), datetime.now(UTC).replace(tzinfo=None),
    math.nan, -math.nan, math.inf, -math.inf, 0, 0.0, -1, 600, 600.0, 1e300, -1e300, 10**400, -(10**400), 5e-324,
    time.time() * 1000, time.time() + 3654 * 86_400, time.time() - 3654 * 86_400,
    datetime.now(UTC) + timedelta(days=3654),
]  # fmt: skip
BAD_TOKENS: Final = [
    "", 7, b"0" * 32, "0" * 31, "0" * 33, "0" * 32 + "\n", "A" * 32, "g" * 32, "\uff10" * 32, " " * 32, "-" * 32, True,
    ["0" * 32],
]  # fmt: skip
HOLD: Final = Hold("show", ("A-1",), "ada", "0" * 32, 1, 60.0, deadline=1)
BOOKING: Final = Booking("bk-1", "show", ("A-1",), "ada", None, 1, 1.0)
BAD_HOLDS: Final = [
    None, "hold", 7, {"show": "show"}, Hold, BOOKING, msgspec.json.encode(HOLD),
    *(msgspec.structs.replace(HOLD, show=show) for show in BAD_SHOWS),
    *(msgspec.structs.replace(HOLD, seats=seats) for seats in BAD_SEATS if not hasattr(seats, "__next__")),
    *(msgspec.structs.replace(HOLD, holder=holder) for holder in BAD_HOLDERS),
    *(msgspec.structs.replace(HOLD, token=token) for token in [*BAD_TOKENS, None]),
    *(msgspec.structs.replace(HOLD, deadline=deadline) for deadline in [None, "1", -1, 1.0, True, math.nan, 2**49]),
]  # fmt: skip
BAD_BOOKINGS: Final = [
    None, "bk-1", 7, {}, Booking, HOLD,
    *(msgspec.structs.replace(BOOKING, show=show) for show in BAD_SHOWS),
    *(msgspec.structs.replace(BOOKING, seats=seats) for seats in BAD_SEATS if not hasattr(seats, "__next__")),
    *(msgspec.structs.replace(BOOKING, id=reference) for reference in [*BAD_REFERENCES, None]),
]  # fmt: skip

Call = Callable[[Any, Any], Any]


def _holding(locker: Any, show: Any, seats: Any, holder: Any, ttl: Any) -> None:
    with locker.holding(show, seats, holder=holder, ttl=ttl):
        pytest.fail("the body ran without a hold")


ARGUMENTS: Final[dict[str, tuple[list[Any], list[Call]]]] = {
    "show": (
        BAD_SHOWS,
        [
            lambda locker, bad: locker.acquire(bad, ["A-1"], holder="ada"),
            lambda locker, bad: _holding(locker, bad, ["A-1"], "ada", 60),
            lambda locker, bad: locker.acquire_many(bad, []),
            lambda locker, bad: locker.confirm_many(bad, []),
            lambda locker, bad: locker.release_many(bad, []),
            lambda locker, bad: locker.availability(bad),
            lambda locker, bad: locker.inspect(bad, ["A-1"]),
            lambda locker, bad: locker.warm(bad, SEATS),
            lambda locker, bad: locker.block(bad, ["A-1"]),
            lambda locker, bad: locker.unblock(bad, ["A-1"]),
            lambda locker, bad: locker.open_sale(bad),
            lambda locker, bad: locker.pause_sale(bad),
            lambda locker, bad: locker.close_sale(bad),
            lambda locker, bad: locker.sweep(bad),
            lambda locker, bad: locker.retire(bad),
        ],
    ),
    "seats": (
        BAD_SEATS,
        [
            lambda locker, bad: locker.acquire("show", bad, holder="ada"),
            lambda locker, bad: _holding(locker, "show", bad, "ada", 60),
            lambda locker, bad: locker.inspect("show", bad),
            lambda locker, bad: locker.block("show", bad),
            lambda locker, bad: locker.unblock("show", bad),
        ],
    ),
    "holder": (
        BAD_HOLDERS,
        [
            lambda locker, bad: locker.acquire("show", ["A-1"], holder=bad),
            lambda locker, bad: _holding(locker, "show", ["A-1"], bad, 60),
        ],
    ),
    "ttl": (
        BAD_TIMES,
        [
            lambda locker, bad: locker.acquire("show", ["A-1"], holder="ada", ttl=bad),
            lambda locker, bad: locker.extend(HOLD, ttl=bad),
            lambda locker, bad: _holding(locker, "show", ["A-1"], "ada", bad),
            lambda locker, bad: locker.warm("show", SEATS, max_hold=bad),
        ],
    ),
    "at": (
        BAD_MOMENTS,
        [
            lambda locker, bad: locker.open_sale("show", bad),
            lambda locker, bad: locker.open_sale("show", at=bad),
            lambda locker, bad: locker.close_sale("show", at=bad),
        ],
    ),
    "token": (BAD_TOKENS, [lambda locker, bad: locker.acquire("show", ["A-1"], holder="ada", token=bad)]),
    "hold": (
        BAD_HOLDS,
        [
            lambda locker, bad: locker.extend(bad, ttl=60),
            lambda locker, bad: locker.confirm(bad),
            lambda locker, bad: locker.confirm(bad, reclaim=True),
            lambda locker, bad: locker.begin_payment(bad, expected=60),
            lambda locker, bad: locker.release(bad),
        ],
    ),
    "expected": (BAD_TIMES, [lambda locker, bad: locker.begin_payment(HOLD, expected=bad)]),
    "payment": (
        BAD_REFERENCES,
        [
            lambda locker, bad: locker.confirm(HOLD, payment=bad),
            lambda locker, bad: locker.confirm(HOLD, payment=bad, reclaim=True),
        ],
    ),
    "booking": (
        BAD_REFERENCES,
        [
            lambda locker, bad: locker.confirm(HOLD, booking=bad),
            lambda locker, bad: locker.confirm(HOLD, booking=bad, reclaim=True),
        ],
    ),
    "reclaim": ([None, 0, 1, "yes", "", [True], object()], [lambda locker, bad: locker.confirm(HOLD, reclaim=bad)]),
    "reason": (
        [bad for bad in BAD_REFERENCES if bad != ""],
        [lambda locker, bad: locker.block("show", ["A-1"], reason=bad)],
    ),
    "a booking": (BAD_BOOKINGS, [lambda locker, bad: locker.cancel(bad)]),
    "section": (
        [7, True, b"A", ["A"], *CONTROL, "s" * 129],
        [lambda locker, bad: locker.availability("show", section=bad)],
    ),
    "outbox": ([None, 0, 1, "yes", "", [True]], [lambda locker, bad: locker.warm("show", SEATS, outbox=bad)]),
    "progress": ([7, "told", True, []], [lambda locker, bad: locker.warm("show", SEATS, progress=bad)]),
    "unread": (
        [None, True, False, "", "KEEP", "drop", 1, ["keep"]],
        [lambda locker, bad: locker.retire("show", unread=bad)],
    ),
    "plan": (
        [None, 7, "A-1", b"A-1", [], [1], [None], [""], ["A\n1"], ["A-1", "A-1"], {"A-1": 1}.items(), object()],
        [lambda locker, bad: locker.warm("show", bad)],
    ),
}


def _refusal(call: Call, locker: Any, bad: Any) -> str:
    try:
        call(locker, bad)
    except InvalidRequest as refusal:
        return str(refusal)
    return ""


@pytest.mark.parametrize("argument", ARGUMENTS)
def test_it_is_refused_before_anything_is_sent(stage: Stage, argument: str) -> None:
    locker, client = stage.watched()
    bad_values, calls = ARGUMENTS[argument]
    for number, call in enumerate(calls):
        for bad in bad_values:
            message = _refusal(call, locker, bad)
            assert message, f"call {number} took {bad!r}"
            assert len(message) < 500, "huge values are not quoted whole"
            assert not any(control in message for control in "\n\r\x00\x1b\x9f")
    assert client.sent == []
    assert stage.keys() == set()


def test_a_wrong_token_is_not_quoted(stage: Stage) -> None:
    locker, client = stage.watched()
    for token in (new_token().upper(), new_token() + "0", new_token()[:-1]):
        with pytest.raises(InvalidRequest) as refusal:
            locker.acquire("show", ["A-1"], holder="ada", token=token)
        assert token[:8] not in str(refusal.value)
        with pytest.raises(InvalidRequest) as refusal:
            locker.release(msgspec.structs.replace(HOLD, token=token))
        assert token[:8] not in str(refusal.value)
    assert client.sent == []


@pytest.mark.parametrize("ttl", [0.001, 1, 86_400, 86_400.0, timedelta(milliseconds=1), timedelta(days=1)])
def test_the_bounds_themselves_are_allowed(stage: Stage, ttl: Any) -> None:
    stage.open(max_hold=86_400)
    given = ttl.total_seconds() if isinstance(ttl, timedelta) else float(ttl)
    assert stage.acquire("A-1", ttl=ttl).ttl == given


def test_strings_of_other_classes_are_strings(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire(Text("A-1"), holder=Text("ada"))
    assert stage.locker.confirm(hold, payment=Text("pay-1")).payment == "pay-1"


def test_seats_may_be_any_iterable_of_ids(stage: Stage) -> None:
    stage.open()
    locker = stage.locker
    assert locker.acquire(stage.show, iter(["A-1", "A-2"]), holder="ada").seats == ("A-1", "A-2")
    assert locker.acquire(stage.show, (seat for seat in ["A-3"]), holder="ada").seats == ("A-3",)
    assert set(locker.acquire(stage.show, {"A-4", "A-5"}, holder="ada").seats) == {"A-4", "A-5"}


# --- the lockers themselves


def test_a_bad_namespace(stage: Stage) -> None:
    for bad in (*NO_TEXT, "a b", "{a}", "}", "n" * 65, "ß" * 33):
        with pytest.raises(InvalidRequest, match="namespace"):
            stage.other_locker(namespace=bad)


def test_a_bad_patience(stage: Stage) -> None:
    for bad in BAD_TIMES:
        with pytest.raises(InvalidRequest, match="patience"):
            stage.other_locker(patience=bad)


@pytest.mark.parametrize("bad", [None, "redis://localhost", 7, object()])
def test_what_is_no_client(stage: Stage, bad: Any) -> None:
    for locker in (SeatLocker, AsyncSeatLocker):
        with pytest.raises(InvalidRequest, match="client"):
            locker(bad)


def test_a_client_of_the_other_colour(stage: Stage) -> None:
    with pytest.raises(InvalidRequest, match="AsyncSeatLocker"):
        SeatLocker(stage.doors._async_client)
    with pytest.raises(InvalidRequest, match=r"redis\.asyncio"):
        AsyncSeatLocker(stage.doors._client)
