"""What seatlock answers and raises: frozen, serialisable, picklable, and silent about tokens."""

from __future__ import annotations

import copy
import inspect
import io
import logging
import pickle
import traceback
from datetime import timedelta
from typing import Any, Final

import msgspec
import pytest
from rich.console import Console
from rich.pretty import pretty_repr

import seatlock
from seatlock import (
    AcquireRequest,
    Admission,
    Availability,
    BestHold,
    Block,
    Booking,
    Cancellation,
    ChannelChange,
    Checked,
    ConfirmRequest,
    Conflict,
    Difference,
    HeldSeats,
    Hold,
    Pass,
    Place,
    PoolConflict,
    PoolCounts,
    PoolDifference,
    Release,
    RoomChanges,
    RoomSettings,
    Seat,
    SeatState,
    Served,
    Unblock,
    Wait,
    Warmed,
    _commands,
    errors,
    new_token,
)
from seatlock.errors import SeatLockError
from seatlock.waiting_room import Admitted, Estimate, LetIn, RoomChange

TOKEN: Final = new_token()
HOLD: Final = Hold("show-1", ("A-1", "Ä {2}"), "ada", TOKEN, 2**40 + 7, 59.5, True, 1_700_000_000_000, {"floor": 2})  # noqa: FBT003
BOOKING: Final = Booking("bk-1", "show-1", ("A-1",), "ada", "pay-1", 2**40 + 7, 1_700_000_000.5)
PASS: Final = Pass("show-1", "ada", 8, 600.0, 2, TOKEN)
ASK: Final = _commands.acquire("seatlock", "show-1", ["A-1"], "ada", 60.0, TOKEN)
STRUCTS: Final = [
    HOLD,
    BOOKING,
    Booking("bk-1", "show-1", ("A-1",), "ada", None, 1, 0.0, "pending", 2),
    Booking("bk-1", "show-1", (), "ada", None, 1, 0.0, pools={"floor": 2}),
    Booking("bk-1", "show-1", ("A-1",), "ada", None, 1, 0.0, replicas=0, on_disk=True),
    Wait(2, disk=True, timeout=1.5),
    Wait(timeout=timedelta(seconds=1)),
    Release("show-1", {"A-1": "released", "A-2": "taken"}),
    Release("show-1", {}, {"floor": 2}),
    Cancellation("show-1", "bk-1", {"A-1": "cancelled", "A-2": "gone"}),
    Cancellation("show-1", "bk-1", {}, {"floor": 2}),
    PoolConflict(3, 12.5, yours=True),
    PoolCounts(10, 5, 3, 2),
    Block("show-1", {"A-1": "blocked", "A-2": "already"}, "camera"),
    Block("show-1", {"A-1": "blocked"}),
    Unblock("show-1", {"A-1": "unblocked", "A-2": "free"}),
    ChannelChange("show-1", "partner", {"A-1": "changed", "A-2": "already"}),
    ChannelChange("show-1", None, {"A-1": "changed"}),
    Checked("show-1", (1, 42), 1, {"free": 1}, ()),
    Checked("show-1", (1, 42), 2, {"free": 1}, (Difference("A-2", "missing", "in the plan, and not in the hash"),)),
    Checked(
        "show-1",
        (1, 42),
        0,
        {"free": 0},
        (),
        {"floor": PoolCounts(10, 5, 3, 2)},
        (PoolDifference("floor", "lost", "its counts are lost"),),
        ("floor",),
    ),
    PoolDifference("floor", "counts", "3 held are counted, its claims add up to 2"),
    Difference("A-1", "state", "the lock says held, the availability hash free"),
    HeldSeats("show-1", ("A-1", "A-2"), "ada", 7, 12.5),
    HeldSeats("show-1", (), "ada", 7, 12.5, {"floor": 2}),
    Conflict("held", 12.5, yours=True, inconsistent=False),
    Conflict("sold"),
    SeatState("A-1", "held", "gold", expires_in=12.5, holder="ada", fence=7),
    SeatState("A-1", "free"),
    SeatState("A-1", "blocked", reason="camera"),
    SeatState("A-1", "channel", channel="partner"),
    Availability(
        "show-1",
        "open",
        (1, 42),
        {"free": 1, "held": 0, "pinned": 0, "sold": 0, "blocked": 0, "channel": 0},
        {"A-1": "free"},
    ),
    Availability("show-1", "closed", (1, 1), {}, {}, opens_in=0.5, closes_in=60.0),
    BestHold(HOLD, adjacent=True),
    Warmed("show-1", created=True, added=5, changed=0, kept=0),
    AcquireRequest(["A-1", "A-2"], "ada", 60.0, TOKEN),
    AcquireRequest(["A-1"], "ada", timedelta(minutes=10)),
    AcquireRequest([], "ada", pools={"floor": 2}),
    ConfirmRequest(HOLD, "pay-1", "bk-1"),
    ConfirmRequest(HOLD),
    ConfirmRequest(HOLD, "pay-1", reclaim=True),
    Seat("A-1", "A", "1", "1", "gold", 1, 2, "blocked"),
    RoomSettings(),
    seatlock.BIG_SALE,
    PASS,
    Place("show-1", "ada", "waiting", "open", 8, 7, Estimate(12.5, 20.0), 2.5),
    Place("show-1", "ada", "admitted", "open", 8, pass_=PASS),
    Place("show-1", "ada", "gone", "sold_out"),
    Served("show-1", "open", 9, 1, 5, 3, 4, 2, 1.5, 5.0),
    Served("show-1", "early", 0, 0, 0, 0, 0, 2, None, 5.0),
    Admission("show-1", "open", (Admitted("ada", 8, 120.0),), more=True, wait=0.0, live=3),
    Admission("show-1", "closed", (), more=False, wait=None, live=0),
    RoomChanges("show-1", (RoomChange("5-2", 9, 1, (LetIn("ada", 8),)),), "5-2", gap=False),
    RoomChanges("show-1", (RoomChange("5-3", 9, 1, room="paused"),), "5-3", gap=True),
]
ERRORS: Final[list[SeatLockError]] = [
    errors.SeatLockError("plain"),
    errors.InvalidRequest("bad"),
    errors.InvalidPlan("bad plan"),
    errors.ShowNotFound("no show", show="show-1"),
    errors.ShowInUse("in use", holds=1, pins=2, outbox=3),
    errors.UnknownSeats("unknown", seats=("A-1",), pools=("floor",)),
    errors.PlanConflict("conflict", conflicts={"A-1": "held"}),
    errors.SeatsUnavailable("taken", conflicts={"A-1": Conflict("held", 1.0)}, pools={"floor": PoolConflict(1)}),
    errors.SaleNotOpen("closed", status="paused", opens_in=5.0),
    errors.NotAdmitted("not admitted", show="show-1"),
    errors.HolderLimitExceeded("too many", limit=4, held=3, category="gold", pool="floor"),
    errors.WaitingRoomFull("full", retry_after=1.0),
    errors.WaitingRoomClosed("closed", status="sold_out"),
    errors.HoldLost(
        "lost",
        reason="taken",
        seats={"A-1": "taken"},
        pools={"floor": "expired"},
        token=TOKEN,
        payment="pay-1",
        paid_for=("A-1", "A-2"),
        paid_pools={"floor": 2},
    ),
    errors.WrongCheckout("strict", show="show-1", checkout="strict"),
    errors.BookingConflict("twice", booking=BOOKING),
    errors.OutcomeUnknown("unknown", show="show-1", seats=("A-1",), token=TOKEN),
    errors.ServerUnavailable("away"),
    errors.UnsafeServer("unsafe"),
    errors.ScriptFailed("failed"),
    errors.LedgerUnavailable("away"),
    errors.LedgerFailed("no tables"),
    errors.PublishFailed("away"),
]
OF_ERROR: Final = pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)


def _pickled(thing: Any) -> Any:
    return pickle.loads(pickle.dumps(thing))  # noqa: S301 - our own


def _name(thing: object) -> str:
    return type(thing).__name__


def test_none_is_forgotten_here() -> None:
    public = {getattr(seatlock, name) for name in seatlock.__all__}
    structs = {kind for kind in public if inspect.isclass(kind) and issubclass(kind, msgspec.Struct)}
    raised = {kind for kind in public if inspect.isclass(kind) and issubclass(kind, SeatLockError)}
    assert structs - {seatlock.SeatingPlan} == set(map(type, STRUCTS))
    assert raised == set(map(type, ERRORS))
    assert {getattr(errors, name) for name in errors.__all__ if name != "LostReason"} == raised


# --- data


@pytest.mark.parametrize("number", range(len(STRUCTS)))
@pytest.mark.parametrize("way", ["json", "msgpack", "builtins", "pickle", "copy", "deepcopy"])
def test_data_survives_any_way(number: int, way: str) -> None:
    struct = STRUCTS[number]
    ways: dict[str, Any] = {
        "json": lambda: msgspec.json.decode(msgspec.json.encode(struct), type=type(struct)),
        "msgpack": lambda: msgspec.msgpack.decode(msgspec.msgpack.encode(struct), type=type(struct)),
        "builtins": lambda: msgspec.convert(msgspec.to_builtins(struct), type(struct)),
        "pickle": lambda: _pickled(struct),
        "copy": lambda: copy.copy(struct),
        "deepcopy": lambda: copy.deepcopy(struct),
    }
    assert ways[way]() == struct


@pytest.mark.parametrize("number", range(len(STRUCTS)))
def test_data_never_changes(number: int) -> None:
    struct = STRUCTS[number]
    for field in struct.__struct_fields__:
        with pytest.raises(AttributeError):
            setattr(struct, field, None)


def test_shortcuts() -> None:
    assert Release("s", {"A-1": "released", "A-2": "gone", "A-3": "released"}).released == ("A-1", "A-3")
    assert Cancellation("s", "b", {"A-1": "gone", "A-2": "cancelled"}).cancelled == ("A-2",)
    assert Block("s", {"A-1": "already", "A-2": "blocked"}).blocked == ("A-2",)
    assert ChannelChange("s", None, {"A-1": "already", "A-2": "changed"}).changed == ("A-2",)
    assert Unblock("s", {"A-1": "sold", "A-2": "unblocked"}).unblocked == ("A-2",)


def test_tokens_are_128_random_bits() -> None:
    tokens = {new_token() for _ in range(1000)}
    assert len(tokens) == 1000
    assert all(len(bytes.fromhex(token)) == 16 and token == token.lower() for token in tokens)


# --- errors


@OF_ERROR
def test_errors_keep_their_attributes_over_any_way(error: SeatLockError) -> None:
    for again in (_pickled(error), copy.copy(error), copy.deepcopy(error)):
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert vars(again) == vars(error)


@OF_ERROR
def test_errors_need_nothing_but_a_message(error: SeatLockError) -> None:
    assert str(type(error)("what happened")) == "what happened"
    assert isinstance(error, SeatLockError)


def test_bad_input_is_also_a_value_error() -> None:
    assert issubclass(errors.InvalidRequest, ValueError)
    assert issubclass(errors.InvalidPlan, errors.InvalidRequest)


@OF_ERROR
def test_errors_do_not_share_their_defaults(error: SeatLockError) -> None:
    one, other = type(error)("one"), type(error)("other")
    for name, value in vars(one).items():
        if isinstance(value, dict):
            assert value is not getattr(other, name)


# --- no token anywhere


def _shown(thing: object) -> str:
    """All the ways in which a thing may come before somebody's eyes."""
    console = Console(file=io.StringIO(), width=200)
    console.print(thing)
    assert isinstance(console.file, io.StringIO)
    ways = [repr(thing), str(thing), f"{thing}", f"{thing!r:>3}", pretty_repr(thing), pretty_repr([thing])]
    return "\n".join([*ways, repr([thing]), repr({"key": thing}), ascii(thing), console.file.getvalue()])


@pytest.mark.parametrize("number", range(len(STRUCTS)))
def test_data_never_shows_a_token(number: int) -> None:
    shown = _shown(STRUCTS[number])
    assert TOKEN not in shown
    assert _name(STRUCTS[number]) in shown


@OF_ERROR
def test_errors_never_show_a_token(error: SeatLockError) -> None:
    assert TOKEN not in _shown(error)
    assert TOKEN not in "".join(traceback.format_exception(error))


def test_logs_never_show_a_token(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("seatlock.tests")
    with caplog.at_level(logging.DEBUG):
        for thing in (*STRUCTS, *ERRORS):
            logger.info("%s %r %s", thing, thing, {"extra": thing})
            logger.error("failed", exc_info=thing if isinstance(thing, SeatLockError) else None, extra={"thing": thing})
    assert len(caplog.records) == 2 * len([*STRUCTS, *ERRORS])
    assert TOKEN not in caplog.text
    assert not any(TOKEN in str(vars(record)) for record in caplog.records)


def test_a_repr_shows_all_the_rest() -> None:
    assert repr(HOLD) == (
        "Hold(show='show-1', seats=('A-1', 'Ä {2}'), holder='ada', fence=1099511627783, ttl=59.5, resumed=True, "
        "deadline=1700000000000, pools={'floor': 2})"
    )
    assert repr(AcquireRequest(["A-1"], "ada", 60.0, TOKEN)) == (
        "AcquireRequest(seats=['A-1'], holder='ada', ttl=60.0, pools=None, channel=None)"
    )
    assert pretty_repr(ConfirmRequest(HOLD, "pay-1")).startswith("ConfirmRequest(")


def test_holds_and_bookings_can_stand_in_a_set() -> None:
    assert len({HOLD, copy.deepcopy(HOLD), BOOKING, copy.deepcopy(BOOKING)}) == 2


def test_a_request_under_way_does_not_show_its_token() -> None:
    assert TOKEN not in repr(ASK)
    assert "A-1" in repr(ASK)


def test_no_pools_are_one_mapping_that_nobody_can_fill() -> None:
    hold = Hold("show", ("A-1",), "ada", "0" * 32, 1, 60.0)
    assert hold.pools == {}
    assert hold.pools is Hold("show", ("B-1",), "bo", "1" * 32, 2, 60.0).pools
    for change in (lambda pools: pools.update(floor=1), lambda pools: pools.setdefault("floor", 1)):
        with pytest.raises(TypeError, match="cannot be changed"):
            change(hold.pools)
    assert msgspec.json.decode(msgspec.json.encode(hold), type=Hold) == hold
    assert pickle.loads(pickle.dumps(hold)) == copy.deepcopy(hold) == hold  # noqa: S301 - made here
