"""The header of every script says what its code does, what the package sends, and what the package understands.

`tests.support.lua_headers` defines the form of a header. What a script really answers is compared with its header in
tests/lua.
"""

from __future__ import annotations

import re
from typing import Any, Final, get_args

import pytest

from seatlock import (
    Block,
    Booking,
    BookingConflict,
    Cancellation,
    ChannelChange,
    Hold,
    HolderLimitExceeded,
    HoldLost,
    InvalidRequest,
    PlanConflict,
    Release,
    SaleNotOpen,
    ScriptFailed,
    SeatLockError,
    SeatState,
    SeatsUnavailable,
    ShowInUse,
    ShowNotFound,
    Unblock,
    UnknownSeats,
    WrongCheckout,
)
from seatlock._operation import Again, ListsWanted
from seatlock._operators import Compared
from seatlock._pinning import Finalised, Pinned
from seatlock._reads import Changes, Snapshot
from seatlock._replies import NoneFree, Noted
from seatlock._stocktaking import Found
from seatlock.errors import LostReason, NotAdmitted, WaitingRoomClosed, WaitingRoomFull
from seatlock.findings import Vitals
from seatlock.model import SaleStatus, StateName
from seatlock.outbox._stream import Taken
from seatlock.waiting_room._commands import DrawTerms
from seatlock.waiting_room.model import Admission, Pass, Place, RoomChanges, Served
from tests.support import lua_headers
from tests.support.lua_calls import calls
from tests.support.lua_headers import Answer, Header
from tests.support.lua_text import names, source

FAST: Final = {"noshow": ShowNotFound, "strict": WrongCheckout}
STRICT: Final = {"noshow": ShowNotFound, "fast": WrongCheckout}
READ_AS: Final[dict[str, dict[str, type]]] = {
    "acquire": {
        "noshow": ShowNotFound,
        "held": Hold,
        "resumed": Hold,
        "refused": SeatsUnavailable,
        "unknown": UnknownSeats,
        "closed": SaleNotOpen,
        "unadmitted": NotAdmitted,
        "again": Again,
        "limits": ListsWanted,
        "over": HolderLimitExceeded,
    },
    "admit": {"noroom": ShowNotFound, "ok": Admission},
    "acquire_best": {
        "noshow": ShowNotFound,
        "held": Hold,
        "limits": ListsWanted,
        "over": HolderLimitExceeded,
        "noted": Noted,
        "closed": SaleNotOpen,
        "unadmitted": NotAdmitted,
        "none": NoneFree,
    },
    "availability": {"noshow": ShowNotFound, "ok": Snapshot},
    "block": {"noshow": ShowNotFound, "ok": Block, "refused": SeatsUnavailable, "unknown": UnknownSeats},
    "cancel": {**FAST, "limits": ListsWanted, "cancelled": Cancellation, "gone": Cancellation},
    "changes": {"noshow": ShowNotFound, "ok": Changes},
    "check": {"retiring": ShowInUse, "ok": tuple, "conflict": PlanConflict},
    "claimed": {"noshow": ShowNotFound, "ok": dict},
    "close_early": {"noroom": ShowNotFound, "undue": type(None), "ok": tuple},
    "compare": {"noshow": ShowNotFound, "ok": Compared},
    "confirm": {
        **FAST,
        "limits": ListsWanted,
        "booked": Booking,
        "again": Booking,
        "conflict": BookingConflict,
        "lost": HoldLost,
    },
    "draw": {"noroom": ShowNotFound, "ok": tuple},
    "extend": {"noshow": ShowNotFound, "limits": ListsWanted, "held": Hold, "lost": HoldLost},
    "finalise": {
        "noshow": ShowNotFound,
        "limits": ListsWanted,
        **dict.fromkeys(["sold", "foreign", "unknown", "free", "gone"], Finalised),
    },
    "force_release": {
        "noshow": ShowNotFound,
        "limits": ListsWanted,
        **dict.fromkeys(["released", "gone", "taken", "pinned", "sold"], Release),
    },
    "forget": {"": int},
    "found": {"retiring": ShowInUse, "ok": bool, "surplus": PlanConflict, "late": PlanConflict, "begun": PlanConflict},
    "held": {"noshow": ShowNotFound, "ok": tuple},
    "heartbeat": {"noroom": ShowNotFound, **dict.fromkeys(["waiting", "admitted", "early", "gone"], Place)},
    "holds": {"noshow": ShowNotFound, "unlisted": type(None), "ok": tuple},
    "inspect": {"noshow": ShowNotFound, "unknown": type(None), "state": SeatState},
    "pooled": {"noshow": ShowNotFound, "ok": Found},
    "join": {
        "noroom": ShowNotFound,
        **dict.fromkeys(["waiting", "admitted", "early"], Place),
        "full": WaitingRoomFull,
        "over": WaitingRoomClosed,
    },
    "leave": {"noroom": ShowNotFound, **dict.fromkeys(["left", "gone", "kept"], bool)},
    "open_at": {"noroom": ShowNotFound, "past": InvalidRequest, "over": InvalidRequest, "ok": type(None)},
    "note_draw": {"noroom": ShowNotFound, "torn": type(None), "ok": DrawTerms},
    "note_tags": {"noroom": ShowNotFound, "ok": tuple},
    "pin": {
        **STRICT,
        "limits": ListsWanted,
        "booked": Pinned,
        "again": Pinned,
        "conflict": BookingConflict,
        "lost": HoldLost,
    },
    "pins": {"noshow": ShowNotFound, "fast": type(None), "ok": tuple},
    "place": {"noroom": ShowNotFound, **dict.fromkeys(["waiting", "admitted", "early", "gone"], Place)},
    "probe": {"": list},
    "reclaim": {
        **FAST,
        "limits": ListsWanted,
        "booked": Booking,
        "regained": Booking,
        "again": Booking,
        "conflict": BookingConflict,
        "lost": HoldLost,
        "more": Again,
    },
    "release": {
        "noshow": ShowNotFound,
        "limits": ListsWanted,
        **dict.fromkeys(["released", "gone", "taken", "pinned", "sold"], Release),
    },
    "raise_epoch": {"noshow": ShowNotFound, "ok": int},
    "remnants": {"": tuple},
    "renew": {"noroom": ShowNotFound, "admitted": Pass, "spent": NotAdmitted, "gone": NotAdmitted},
    "require_admission": {"noshow": ShowNotFound, "ok": type(None)},
    "retire": {"noshow": ShowNotFound, "ok": type(None), "inuse": tuple, "pools": Again, "changed": Again},
    "room": {"ok": tuple},
    "room_changes": {"noroom": ShowNotFound, "ok": RoomChanges},
    "room_status": {"noroom": ShowNotFound, "undrawn": InvalidRequest, "undue": type(None), "ok": str},
    "seat_drawn": {"noroom": ShowNotFound, "ok": tuple},
    "served": {"noroom": ShowNotFound, "ok": Served},
    "server": {"": tuple},
    "settle": dict.fromkeys(["done", "aside", "gone", "other"], str),
    "set_channel": {"noshow": ShowNotFound, "ok": ChannelChange, "unknown": UnknownSeats, "full": InvalidRequest},
    "status": {"noshow": ShowNotFound, "past": InvalidRequest, "ok": str},
    "stock": {
        "retiring": ShowInUse,
        "ok": type(None),
        "conflict": PlanConflict,
        "dropped": PlanConflict,
        "lost": ScriptFailed,
    },
    "sweep": {"noshow": ShowNotFound, "ok": tuple},
    "sweep_pool": {"noshow": ShowNotFound, "ok": tuple},
    "take": {"noshow": ShowNotFound, "taken": float, "ok": Taken},
    "touch": {"noshow": ShowNotFound, "ok": type(None)},
    "tidy": {"noroom": ShowNotFound, "ok": tuple},
    "vitals": {"noshow": ShowNotFound, "ok": Vitals},
    "unblock": {"noshow": ShowNotFound, "ok": Unblock, "unknown": UnknownSeats},
    "warm": {"retiring": ShowInUse, "ok": tuple, "conflict": PlanConflict},
}
"""What the package reads every answer as: also an answer that is an error, and the words for one seat."""

WITHOUT_WORD: Final = {"forget": [3], "probe": [b"DEL", b"NOPERM"], "remnants": [b"0", b"A-1"], "server": [b"", b""]}


def read(script: str, reply: list[Any]) -> Any:
    """What the package makes of a reply, be it an error."""
    try:
        return calls()[script].operation.decode(reply)
    except SeatLockError as error:
        return error


def understood(header: Header) -> dict[str, type]:
    """What the package reads every answer of a header as."""
    found: dict[str, type] = {}
    for answer in header.whole:
        if not header.single and not header.words:
            reply = answer.sample() if answer.word else WITHOUT_WORD[header.name]
            found[answer.word] = type(read(header.name, reply))
        elif answer.word != "ok":
            found[answer.word] = type(read(header.name, answer.sample()))
    whole = next((answer for answer in header.whole if answer.rest), header.whole[0])
    for answer in header.single:
        # for every request (or seat) of the call the same; none where a seat is left out
        got = read(header.name, [*whole.sample(), *[answer.sample()] * 2])
        answers = got[-1] if isinstance(got, tuple) else got
        found[answer.word] = type(next(iter(answers), None))
    for word in header.words:
        got = read(header.name, [b"ok", [word.encode()] * 2, [word.encode()]])
        assert list(got[0].seats.values()) == [word] * 2
        found[word] = type(got[0])
    return found


def complaints(script: str, text: str) -> list[str]:
    """Whatever is wrong with a header."""
    try:
        header = lua_headers.parse(script, text)
    except ValueError as error:
        return [str(error)]
    found = list(lua_headers.complaints(header, text))
    call = calls()[script]
    try:
        if call.keys(header) != call.operation.keys:
            found.append(f"the header asks for the keys {call.keys(header)}, sent are {call.operation.keys}")
        if call.args(header) != call.operation.args:
            found.append(f"the header asks for {call.args(header)}, sent are {call.operation.args}")
        if (read_as := understood(header)) != READ_AS[script]:
            found.append(f"answers are read as {read_as}")
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        found.append(f"the package cannot make sense of it: {error!r}")
    return found


def test_every_script_has_a_builder_and_the_other_way_round() -> None:
    assert names() == sorted(calls()) == sorted(READ_AS)


@pytest.mark.parametrize("script", names())
def test_header_agrees_with_code_builder_and_decoder(script: str) -> None:
    assert complaints(script, source(script)) == []


def tampered(script: str) -> list[str]:
    """The script with one part of its header taken out, changed or moved, in every way there is."""
    text = source(script)
    header = lua_headers.parse(script, text)
    lines = text.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("-- KEYS"))
    found = [[line for number, line in enumerate(lines) if number != gone] for gone in (0, at, at + 1, at + 2)]
    for number in range(at, header.lines):
        marker, body = lines[number][:9], lines[number][9:]
        shape = (
            re.split(r" {2,}", body, maxsplit=1)[0] if number < at + 2 else re.split(r" {2,}(?=\S)|,? ?then ", body)[0]
        )
        for word in re.finditer(r"\w+", re.sub(r"\(one [^)]*\)", "", shape)):
            first = word.start() == 0 or body[word.start() - 1] == "("
            rest = body[word.end() :].lstrip(" ") if first else body[word.end() :]
            for new in ("", "other"):
                left = body[: word.start()] + new
                found.append(
                    [*lines[:number], marker + (left if new else left.rstrip(" ")) + rest, *lines[number + 1 :]]
                )
    if header.argv.terms:
        numbers = " ".join(header.argv.terms)
        each = " ".join(header.argv.each)
        moved = [
            f"{each} {numbers}",
            f"{each} {numbers.replace(' ', ') (')}",
            f"({each} {numbers})",
            f"({numbers}) {each}",
        ]
        moved += [f"{each} ({' '.join(header.argv.terms[::-1])})"] if len(header.argv.terms) > 1 else []
        moved += [f"{each} {header.argv.terms[0]} ({' '.join(header.argv.terms[1:])})"]
        right = f"{each} ({numbers})"
        assert lines[at + 1].endswith(right)
        found += [[*lines[: at + 1], lines[at + 1].replace(right, wrong), *lines[at + 2 :]] for wrong in moved]
    for words in (
        header.words,
        ("yours", "inconsistent"),
        ("available", "blocked", "sold"),
        ("open", "paused", "closed"),
    ):
        for word in words:
            head = "\n".join(lines[at : header.lines])
            changed = re.sub(rf"(?<=[:,r|] ){word}\b|(?<= ){word}(?=,)", "other", head)
            if changed != head:
                found.append([*lines[:at], changed, *lines[header.lines :]])
    return ["\n".join(lines) for lines in found]


@pytest.mark.parametrize("script", names())
def test_a_header_that_was_tampered_with_is_noticed(script: str) -> None:
    forgeries = tampered(script)
    assert len(forgeries) >= 6
    assert [text for text in forgeries if not complaints(script, text)] == []


@pytest.mark.parametrize(
    ("script", "old", "new"),
    [
        ("acquire", "KEYS[1], KEYS[2]", "KEYS[2], KEYS[1]"),
        ("acquire", "seats_key, due_key", "due_key, seats_key"),
        ("acquire", "FIXED_KEYS = 5", "FIXED_KEYS = 4"),
        ("acquire", "argument + 2, place", "argument + 3, place"),
        ("acquire", "ARGV[argument + 1]", "ARGV[argument + 2]"),
        ("acquire", "place + terms[2]", "place + terms[1]"),
        ("acquire", "{'closed'", "{'shut'"),
        ("acquire", "'inconsistent'", "'odd'"),
        ("admit", "{KEYS[5], KEYS[6]}", "{KEYS[6], KEYS[5]}"),
        ("admit", "here_keys, admissions_key", "kept_keys, admissions_key"),
        ("draw", "ARGV[2 * at]", "ARGV[2 * at - 1]"),
        ("join", "{'over'}", "{'shut'}"),
        ("join", "served, slow, fast, people", "served, fast"),
        ("leave", "{'kept'}", "{'left'}"),
        ("renew", "ARGV[2 * request]", "ARGV[3 * request]"),
        ("room", "{'rate', 1, 10 ^ 6}, {'period', 1, DAY}", "{'period', 1, DAY}, {'rate', 1, 10 ^ 6}"),
        ("room", "ARGV[14]", "ARGV[15]"),
        ("room_status", "'sold_out'", "'gone'"),
        ("served", "live, early_places,", "live,"),
        ("acquire_best", "place + terms[3]", "place + terms[2]"),
        ("acquire_best", "{'held', set, ", "{'held', "),
        ("block", "{'refused'}", "{'taken'}"),
        ("block", "ARGV[1]", "ARGV[2]"),
        ("cancel", "argument + 2, place", "argument + 1, place"),
        ("cancel", "answer(ARGV[argument], terms[1]", "answer(ARGV[argument], terms[2]"),
        ("confirm", "terms_of(ARGV[argument + 4]", "terms_of(ARGV[argument + 3]"),
        ("extend", "0, 2 ^ 49, 0, 512}", "0, 512}"),
        ("release", "BOUNDS = {0, 1, 0, 512}", "BOUNDS = {0, 512}"),
        ("reclaim", "ARGV[argument + 4]", "ARGV[argument + 2]"),
        ("reclaim", "argument + 8, place", "argument + 6, place"),
        ("reclaim", "{'regained'", "{'reclaimed'"),
        ("release", "words[index] = 'taken'", "words[index] = 'theirs'"),
        ("retire", "ARGV[1]", "ARGV[2]"),
        ("settle", "{'other'}", "{'foreign'}"),
        ("settle", "ARGV[2 * at]", "ARGV[3 * at]"),
        ("take", "ARGV[2]", "ARGV[4]"),
        ("take", "{'taken', ", "{'had', "),
        ("set_channel", "{'full'", "{'many'"),
        ("set_channel", "unpack(ARGV, 2)", "unpack(ARGV, 3)"),
        ("status", "'paused'", "'resting'"),
        ("unblock", "FIXED_KEYS = 4", "FIXED_KEYS = 5"),
        ("warm", "2 * place - 1", "3 * place - 1"),
        ("warm", "blocked = 'b'", "barred = 'b'"),
    ],
)
def test_code_that_went_away_from_its_header_is_noticed(script: str, old: str, new: str) -> None:
    text = source(script).replace(old, new)
    assert text != source(script)
    assert complaints(script, text)


def test_words_inside_answers_are_those_that_the_package_knows() -> None:
    reasons = set(re.findall(r"return '(\w+)'", source("confirm").partition("local function loss")[2]))
    assert reasons == set(get_args(LostReason))
    states = re.search(r"local STATES = \{(.*)\}", source("acquire"))
    assert states
    assert set(re.findall(r"'(\w+)'", states[1])) == set(get_args(StateName))
    assert set(lua_headers.listed(lua_headers.parse("status", source("status")).argv.remark)) == set(
        get_args(SaleStatus)
    )


@pytest.mark.parametrize(
    ("reply", "wrong"),
    [
        ([b"held", 1, 2, 3, 4], False),
        ([b"held", 1, 2, 3], True),
        ([b"held", 1, 2, 3, 4, 5], True),
        ([b"held", 1, 2, 3, b"4"], True),
        ([b"refused", 1, b"sold", -1, b"", 2, b"held", 5, b""], False),
        ([b"refused", 1, b"sold", -1, b"", 2], True),
        ([b"refused", 1, b"sold", -2, b""], True),
        ([b"refused", 1, b"sold", -1, b"strange"], True),
        ([b"holding", 1, 2, 3, 4], True),
    ],
)
def test_a_reply_that_is_not_as_the_header_says_is_noticed(reply: list[Any], wrong: bool) -> None:
    header = lua_headers.parse("acquire", source("acquire"))
    assert (header.complaint([b"ok", reply]) is not None) == wrong
    assert isinstance(header.single[0], Answer)
