"""One real call of every script, as the package builds it, with the values that its header's names stand for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any, NamedTuple

from seatlock import (
    Booking,
    Hold,
    Seat,
    SeatingPlan,
    _blocks,
    _channels,
    _commands,
    _levels,
    _limits,
    _operators,
    _pinning,
    _pools,
    _reads,
    _stocktaking,
    _upkeep,
    _warming,
)
from seatlock._keys import keys_of
from seatlock._operation import Ask, Operation
from seatlock._tokens import hash_of
from seatlock.outbox import _stream
from seatlock.outbox._stream import Entry
from seatlock.waiting_room import _changes
from seatlock.waiting_room import _commands as _rooms
from seatlock.waiting_room._core import RoomCore
from seatlock.waiting_room.model import Pass, RoomSettings
from tests.support.lua_headers import Header

SHOW = "show"
TOKEN = "0123456789abcdef" * 2
_PREFIX = b"seatlock:{show}:"
_HOLDS = [Hold(SHOW, seats, "ada", TOKEN, 1, 60.0, deadline=77) for seats in (("A-1", "A-2"), ("B-1",))]
_PLAN = SeatingPlan.of([Seat("A-1", category="x"), Seat("B-1", category="y", status="sold")])


class Call(NamedTuple):
    """A call, and the values of its ARGV: those that come once, and those of each request or seat."""

    operation: Operation[Any]
    once: dict[str, bytes]
    each: list[dict[str, bytes]]
    asks: list[Ask[Any]]

    def keys(self, header: Header) -> list[bytes]:
        """The keys that the header asks for."""
        probes = b"probe:" if header.name == "probe" else b""
        seats = [seat for ask in self.asks for seat in ask.seats] or _SEATS.get(header.name, [])
        notes = [_note(ask) for ask in self.asks if "note" in header.keys.each]
        locks = [_PREFIX + b"lock:" + seat.encode() for seat in seats if "lock" in header.keys.each]
        dues = [_PREFIX + b"pool-due:floor"] if header.keys.each == ("pool_due",) else []
        fixed = [_FIXED.get(name, name).encode() for name in header.keys.fixed]
        return [_PREFIX + probes + name for name in fixed] + notes + locks + dues

    def args(self, header: Header) -> list[bytes]:
        """The arguments that the header asks for."""
        args = [self.once[name] for name in header.argv.fixed]
        for values in self.each:
            args += [values[name] for name in header.argv.each]
            if header.argv.terms:
                args.append(b" ".join(values[name] for name in header.argv.terms))
        return args


def _note(ask: Ask[Any]) -> bytes:
    return _PREFIX + b"best:" + sha256(f"{ask.token}\n{ask.holder}".encode()).hexdigest()[:32].encode()


_FIXED = {"pool_due": "pool-due:floor", "holder": "holder:ada"}
_FIXED |= {f"{name}_{number}": f"{name}:{number}" for name in ("here", "kept") for number in (0, 1)}
_SEATS = {name: ["A-1", "B-1"] for name in ("check", "warm", "inspect", "forget", "block", "unblock", "compare")}


def _verbs() -> Iterator[tuple[str, list[Ask[Any]], dict[str, bytes]]]:
    owned = {"owner": TOKEN.encode() + b"\n" + b"ada"}
    last = {"deadline_ms": b"77"}
    acquires = [_commands.acquire("seatlock", SHOW, hold.seats, "ada", 1.5, TOKEN) for hold in _HOLDS]
    yield "acquire", acquires, {**owned, "ttl_ms": b"1500"}
    extends = [_commands.extend("seatlock", hold, 1.5) for hold in _HOLDS]
    yield "extend", extends, {**owned, "begins": b"0", "ttl_ms": b"1500", **last}
    sets = [[("A-1", "A-2"), ("B-1", "B-2")], [("C-1", "C-2"), ("D-1", "D-2")]]
    best = [_commands.acquire_best("seatlock", SHOW, each, "ada", 1500, TOKEN, minted=False) for each in sets]
    yield "acquire_best", best, {**owned, "ttl_ms": b"1500", "size": b"2"}
    confirms = [_commands.confirm("seatlock", hold, "paid", "booked") for hold in _HOLDS]
    sale = {**owned, "booking": b"booked", "payment": b"paid", "token_hash": hash_of(TOKEN).encode(), **last}
    yield "confirm", confirms, sale
    reclaims = [_commands.confirm("seatlock", hold, "paid", "booked", reclaim=True) for hold in _HOLDS]
    anew = _commands.reclaiming_token(TOKEN)
    again = {"new_token": anew.encode(), "new_booking": b"booked", "new_hash": hash_of(anew).encode()}
    yield "reclaim", reclaims, {**sale, **again}
    pins = [_pinning.pin("seatlock", hold, "paid", "booked") for hold in _HOLDS]
    yield "pin", pins, sale
    yield "release", [_commands.release("seatlock", hold) for hold in _HOLDS], {**owned, "undo": b"0"}
    bookings = [Booking("booked", SHOW, hold.seats, "ada", None, 5 * 2**40 + 9, 0.0) for hold in _HOLDS]
    cancels = [_commands.cancel("seatlock", booking) for booking in bookings]
    yield "cancel", cancels, {"booking": b"booked", "epoch": b"5", "fence": b"9"}
    bookings = [Booking("booked", SHOW, hold.seats, "ada", "paid", 5 * 2**40 + 9, 1.5) for hold in _HOLDS]
    said = {"booking": b"booked", "holder": b"ada", "payment": b"paid"}
    said |= {"sold": b"1", "tell": b"0", "epoch": b"5", "fence": b"9", "since_ms": b"1500"}
    yield "finalise", [_pinning.finalise("seatlock", booking, sold=True) for booking in bookings], said


def _force() -> Call:
    asks = [_operators.force_release_ask("seatlock", SHOW, hold.seats, "eve", "why", 5 * 2**40 + 9) for hold in _HOLDS]
    given = {"by": b"eve", "reason": b"why", "epoch": b"5", "fence": b"9"}
    each = [{**given, "seats": b"%d" % len(ask.seats)} for ask in asks]
    return Call(_operators.force_release_of("seatlock", asks), {"requests": b"2"}, each, asks)


_TIMES = {"per": 7, "reservation": 8, "pass_ttl": 9, "grace": 10, "keep": 11, "poll": 12}


def _rooms_calls() -> Iterator[tuple[Operation[Any], list[dict[str, bytes]], dict[str, bytes]]]:
    core = RoomCore("seatlock", 5.0, None, None)
    each = [{"holder": holder.encode(), "renewals": b"1"} for holder in ("ada", "bo")]
    held = [Pass(SHOW, holder, 3, 60.0, 1) for holder in ("ada", "bo")]
    for ask in (core.join, core.heartbeat, core.status, core.leave):
        yield _rooms.of_asks("seatlock", [ask(SHOW, "ada"), ask(SHOW, "bo")]), each, {}
    yield _rooms.of_asks("seatlock", [core.renew(one) for one in held]), each, {}
    settings = RoomSettings(max_length=1, rate=2, burst=3, concurrency=4, batch=5, renewals=6)
    numbers = {"most": 1, "rate": 2, "burst": 3, "live": 4, "batch": 5, "renewals": 6, "period_ms": 7, "reserve_ms": 8}
    numbers |= {"pass_ms": 9, "grace_ms": 10, "keep_ms": 11, "poll_ms": 12}
    once = {name: b"%d" % number for name, number in numbers.items()}
    made = _rooms.prepare("seatlock", SHOW, settings, _TIMES, "secret", "digest")
    yield made, [], {**once, "seed": b"secret", "commitment": b"digest"}
    yield _rooms.admit("seatlock", SHOW, 7, 8), [], {"most": b"7", "most_live": b"8"}
    yield _rooms.set_status("seatlock", SHOW, "paused"), [], {"status": b"paused", "due": b"0"}
    drawn = [{"holder": b"ada", "number": b"4"}, {"holder": b"bo", "number": b"5"}]
    yield _rooms.draw("seatlock", SHOW, {"ada": 4, "bo": 5}), drawn, {}
    noted = _rooms.note_draw("seatlock", SHOW, "digest", "beacon", 3)
    yield noted, [], {"participants": b"digest", "outside": b"beacon", "parts": b"3"}
    yield _rooms.note_tags("seatlock", SHOW, 2, b"tags"), [], {"part": b"2", "tags": b"tags"}
    yield _rooms.close_early("seatlock", SHOW, reopen=True), [], {"reopen": b"1", "due": b"0"}
    yield _rooms.open_at("seatlock", SHOW, 1500), [], {"at_ms": b"1500"}
    yield _changes.changes("seatlock", SHOW, 1500, 7), [], {"made": b"1500", "version": b"7"}
    for operation in (_rooms.tidy, _rooms.served, _rooms.seat_drawn):
        yield operation("seatlock", SHOW), [], {}


def _add_the_ledgers(add: Callable[..., None]) -> None:
    """The calls that are made for the ledger's sake."""
    add(_upkeep.raise_epoch("seatlock", SHOW, 3), epoch=b"3")
    add(_stream.take("seatlock", SHOW, "relay-1", 9000, 70), relay=b"relay-1", lease_ms=b"9000", count=b"70")
    entries = [Entry(f"{at}-0", {b"kind": b"pinned", b"booking": b"booked"}) for at in (1, 2)]
    settled = [_stream.Settling(entries[0]), _stream.Settling(entries[1], "odd\n kind")]
    facts = [{"settled": settled, "fact": b"pinned\nbooked"} for settled in (b"1-0", b"2-0 odd kind")]
    add(_stream.settle("seatlock", SHOW, settled), *facts)


def calls() -> dict[str, Call]:
    """A call of every script."""
    found: dict[str, Call] = {}

    def add(operation: Operation[Any], *each: dict[str, bytes], **once: bytes) -> None:
        found[operation.script.name] = Call(operation, once, [*each], [])

    for verb, asks, values in _verbs():
        each = [{**values, "seats": b"%d" % len(ask.seats)} for ask in asks]
        found[verb] = Call(_commands.of_asks("seatlock", asks), {"requests": b"2"}, each, asks)
    found["force_release"] = _force()
    add(_operators.vitals("seatlock", SHOW, ["floor"]))
    add(_stocktaking.look("seatlock", SHOW, ["floor"], b"7"), cursor=b"7")
    add(_operators.compare("seatlock", SHOW, ("A-1", "B-1")))
    seats = ["A-1", "B-1"]
    statuses = [{"category": b"0", "status": b"available"}, {"category": b"1", "status": b"sold"}]
    numbers = {"x": 0, "y": 1}
    add(_warming._load("check", "seatlock", SHOW, _PLAN.seats, numbers), *statuses)
    add(_warming._load("warm", "seatlock", SHOW, _PLAN.seats, numbers), *statuses)
    found_args = {"digest": _PLAN.digest.encode(), "plan": _PLAN.pack(), "seats": b"2", "max_hold_ms": b"9000"}
    cap = b"%d" % _upkeep.CHANGES_CAP
    settings = _warming.Settings(
        max_hold_ms=9000,
        outbox=True,
        limits=_limits.Limits(4, (("y", 2), ("x", 1)), (("floor", 3),)),
        checkout="strict",
    )
    found_args |= {"outbox": b"1", "changes_cap": cap, "limits": b"4\n1 2 y\n0 1 x\np 3 floor", "checkout": b"strict"}
    add(_warming._found("seatlock", SHOW, _PLAN, settings), **found_args)
    add(_upkeep.set_status("seatlock", SHOW, "closed", 77), status=b"closed", at_ms=b"77")
    add(_upkeep.sweep("seatlock", SHOW), limit=b"%d" % _upkeep.SWEEP_STEP)
    add(_reads.inspect("seatlock", SHOW, tuple(seats), ("x", "y")))
    add(_reads.mirrors("seatlock", SHOW, seats, ["floor"]), *({"seat": seat.encode()} for seat in seats))
    add(_blocks.block("seatlock", SHOW, tuple(seats), "camera"), reason=b"camera")
    add(_blocks.unblock("seatlock", SHOW, tuple(seats)))
    each_seat = [{"seat": seat.encode()} for seat in seats]
    add(_channels.set_channel("seatlock", SHOW, tuple(seats), "partner"), *each_seat, channel=b"partner")
    count = b"%d" % _reads.CHANGES_STEP
    add(_reads.changes("seatlock", SHOW, 3, 4, ["floor"]), epoch=b"3", version=b"4", count=count)
    add(_rooms.require_admission("seatlock", SHOW, required=True), required=b"1")
    add(_upkeep.retire("seatlock", SHOW, "keep", ["floor"], 7), outbox=b"keep", version=b"7")
    add(_upkeep.pins("seatlock", SHOW, b"7"), cursor=b"7")
    _add_the_ledgers(add)
    add(_levels.touch(SHOW, keys_of("seatlock", SHOW).meta))
    add(_pools.stock("seatlock", SHOW, (("floor", 7),)), {"capacity": b"7"})
    add(_pools.sweep("seatlock", SHOW, "floor"), limit=b"%d" % _pools.SWEEP_STEP)
    add(_upkeep.remnants("seatlock", SHOW, b"7"), cursor=b"7")
    fields = ["c\nfloor", "h\nfloor\nada"]
    add(_upkeep.forget("seatlock", SHOW, seats, (), fields), *({"field": each.encode()} for each in fields))
    add(_reads.listed("seatlock", SHOW, "ada"))
    add(_limits._claimed("seatlock", SHOW, "ada"), holder=b"ada")
    add(_reads.held("seatlock", SHOW, b"7"), cursor=b"7")
    add(_upkeep.server("seatlock", SHOW))
    add(_upkeep.probe("seatlock", SHOW))
    for operation, each, once in _rooms_calls():
        add(operation, *each, **once)
    assert keys_of("seatlock", SHOW).meta == _PREFIX + b"meta"
    return found
