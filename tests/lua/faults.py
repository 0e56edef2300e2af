"""Scenarios of broken keys and broken settings: a script that cannot do all of it does nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from msgspec.structs import replace

from seatlock import Hold, PlanConflict, ScriptFailed, ShowNotFound, _reads, _upkeep
from seatlock._keys import keys_of
from seatlock._levels import touch
from seatlock._operators import compare, force_release_ask, force_release_of, vitals
from seatlock._stocktaking import look
from tests.lua.arguments import NUMBERS, WITHOUT_ZERO, refused
from tests.lua.house import PLAN, SEATS, T1, T2, T3, House
from tests.lua.scenario import scenario
from tests.lua.warming import found, load
from tests.support.strict import booking_of, finalise, pin

LAST_ID = f"{2**64 - 1}-{2**64 - 1}"


def _note_of(token: str, holder: str) -> str:
    return keys_of("seatlock", "any").note(f"{token}\n{holder}".encode()).decode().rpartition(":")[2]


def everything(house: House) -> Iterator[tuple[str, set[str], Callable[[], Any]]]:
    """Every call of a script that would write, with the keys it needs."""
    hold = house.acquire("A-1", "A-2", token=T1)
    booking = house.locker.confirm(house.acquire("A-3", holder="bo", token=T2))
    fixed = {"meta", "seats", "due", "changes"}
    locker, show = house.locker, house.show
    yield "acquire", {*fixed, "lock:A-4"}, lambda: house.acquire("A-4", holder="cy")
    note = f"best:{_note_of(T3, 'cy')}"
    yield "acquire_best", {*fixed, "lock:A-4", note}, lambda: house.best(("A-4",), holder="cy", token=T3)
    yield "extend", {*fixed, "lock:A-1", "lock:A-2"}, lambda: locker.extend(hold, ttl=900)
    yield "confirm", {*fixed, "outbox", "lock:A-2"}, lambda: locker.confirm(hold)
    yield "begin_payment", {*fixed, "lock:A-1", "lock:A-2"}, lambda: locker.begin_payment(hold)
    early = Hold(show, ("A-4",), "early", T3, 0, 0.0)  # of which no server has a record either
    yield "reclaim", {*fixed, "outbox", "lock:A-4"}, lambda: locker.confirm(early, reclaim=True)
    yield "release", {*fixed, "lock:A-1"}, lambda: locker.release(hold)
    yield "cancel", {*fixed, "outbox", "lock:A-3"}, lambda: locker.cancel(booking)
    held = [force_release_ask("seatlock", show, ("A-2",), "eve", "why", hold.fence)]
    yield "force_release", {*fixed, "audit", "lock:A-2"}, lambda: house.run(force_release_of("seatlock", held))[0]
    yield "touch", {"meta"}, lambda: house.run(touch(show, keys_of("seatlock", show).meta))
    yield "vitals", {"meta", "seats", "due", "outbox"}, lambda: house.run(vitals("seatlock", show))
    yield "pooled", {"meta", "pools"}, lambda: house.run(look("seatlock", show, (), b"0"))
    yield "compare", {"meta", "seats", "due"}, lambda: house.run(compare("seatlock", show, ("A-1",)))
    yield "sweep", fixed, lambda: locker.sweep(show)
    yield "status", {"meta", "changes"}, lambda: locker.close_sale(show)
    yield "warm", {*fixed, "blocks", "lock:C-1"}, lambda: house.run(load(house, "warm", [replace(SEATS[0], id="C-1")]))
    yield "check", {*fixed, "lock:C-1"}, lambda: house.run(load(house, "check", [replace(SEATS[0], id="C-1")]))
    yield "found", {*fixed, "outbox"}, lambda: house.run(found(house))
    yield "retire", {*fixed, "outbox", "audit", "blocks"}, lambda: locker.retire(show)
    asked = {"meta", "seats", "changes", "blocks"}
    yield "block", {*asked, "lock:A-4"}, lambda: locker.block(show, ["A-4"], reason="camera")
    yield "set_channel", {"meta", "seats", "changes"}, lambda: locker.set_channel(show, ["A-4"], "partner")
    yield "unblock", {*asked, "lock:B-1"}, lambda: locker.unblock(show, ["B-1"])


def strict_checkout(house: House) -> Iterator[tuple[str, set[str], Callable[[], Any]]]:
    """The same of the scripts of strict checkout."""
    hold = house.acquire("A-1", "A-2", token=T1)
    booking = booking_of(pin(house.locker, house.acquire("A-3", holder="bo", token=T2)))
    fixed = {"meta", "seats", "due", "changes"}
    yield "pin", {*fixed, "outbox", "lock:A-2"}, lambda: pin(house.locker, hold)
    yield "pins", {"meta", "seats"}, lambda: house.run(_upkeep.pins("seatlock", house.show, b"0"))
    yield "finalise", {*fixed, "lock:A-3"}, lambda: finalise(house.locker, booking)


@scenario
def keys_of_another_type(house: House) -> None:
    house.open()
    house.acquire("A-4", holder="early", ttl=60)  # something for the sweep
    calls = list(everything(house))
    house.advance(90)
    refused_by_type(house, calls)


@scenario
def keys_of_another_type_with_strict_checkout(house: House) -> None:
    house.open(checkout="strict")
    refused_by_type(house, list(strict_checkout(house)))


def refused_by_type(house: House, calls: list[tuple[str, set[str], Callable[[], Any]]]) -> None:
    """Each key that a call needs is in turn of another type."""
    for name, needed, call in calls:
        for key in sorted(needed):
            house.raw.rename(house.key(key), "aside") if house.raw.exists(house.key(key)) else house.raw.delete("aside")
            house.raw.lpush(house.key(key), "something else")
            before = house.dump()
            error = house.failing(ScriptFailed, call)
            assert house.dump() == before, (name, key)
            assert "SEATLOCK" in str(error) or "WRONGTYPE" in str(error), (name, key, error)
            house.raw.delete(house.key(key))
            if house.raw.exists("aside"):
                house.raw.rename("aside", house.key(key))


@scenario
def what_is_left_of_a_show_is_of_another_type(house: House) -> None:
    house.sound = False
    house.raw.set(house.key("retired"), "something else")
    house.put_lock("A-1", "s", T1, "ada", 1, 1, house.now, "booking", "")
    with house.unchanged():
        house.failing(ScriptFailed, lambda: house.run(_upkeep.forget("seatlock", house.show, ["A-1"])))


@scenario
def a_full_server(house: House) -> None:
    house.open()
    house.acquire("A-4", holder="early", ttl=60)
    calls = {name: call for name, _, call in everything(house)}
    house.advance(90)
    freeing = {"release", "cancel", "force_release", "sweep", "check", "compare", "vitals", "retire", "unblock"}
    freeing |= {"pooled"}
    for name in calls.keys() - freeing:
        with house.full(), house.unchanged():
            assert "used memory > 'maxmemory'" in str(house.failing(ScriptFailed, calls[name])), name
    with house.full():
        assert calls["force_release"]().released == ("A-2",)
        assert calls["release"]().released == ("A-1",)
        assert calls["cancel"]().cancelled == ("A-3",)
        assert calls["sweep"]() == 1
        assert calls["unblock"]().unblocked == ("B-1",)
    assert house.due() == {}


@scenario
def a_seat_without_a_name_to_speak_of(house: House) -> None:
    house.open([" ", "A-1"])
    house.acquire(" ", holder="bo")
    house.locker.release(house.acquire("A-1"))
    assert house.due().keys() == {" "}


@scenario
def a_change_stream_that_is_ahead(house: House) -> None:
    house.open()
    house.acquire("A-4", holder="early", ttl=60)
    calls = list(everything(house))
    house.advance(90)
    house.sound = False
    ahead = house.raw.xadd(house.key("changes"), {"": "x"}, id=f"1-{int(house.meta('version')) + 1}")
    for name, needed, call in calls:
        if "changes" in needed and name != "retire":
            with house.unchanged():
                assert "ahead of the version" in str(house.failing(ScriptFailed, call)), name
    house.raw.xdel(house.key("changes"), ahead)
    house.raw.xadd(house.key("changes"), {"": "x"}, id="2-0")
    with house.unchanged():
        house.failing(ScriptFailed, lambda: house.acquire("A-4"))


@scenario
def a_change_stream_that_is_ahead_with_strict_checkout(house: House) -> None:
    house.open(checkout="strict")
    calls = list(strict_checkout(house))
    house.sound = False
    house.raw.xadd(house.key("changes"), {"": "x"}, id=f"1-{int(house.meta('version')) + 1}")
    for name, needed, call in calls:
        if "changes" in needed:
            with house.unchanged():
                assert "ahead of the version" in str(house.failing(ScriptFailed, call)), name


@scenario
def a_show_that_lost_its_facts_cannot_be_founded_over_its_changes(house: House) -> None:
    house.open()
    house.sound = False
    house.raw.delete(house.key("meta"))
    with house.unchanged():
        house.failing(ShowNotFound, lambda: house.acquire("A-1"))
        house.failing(ScriptFailed, lambda: house.locker.warm(house.show, PLAN))


@scenario
def a_show_that_lost_its_status(house: House) -> None:
    house.open()
    house.sound = False
    house.raw.hdel(house.key("meta"), "status")
    with house.unchanged():
        for call in (
            lambda: house.acquire("A-1"),
            lambda: house.locker.availability(house.show),
            lambda: house.locker.inspect(house.show, ["A-1"]),
            lambda: house.run(_reads.changes("seatlock", house.show, 1, 0)),
        ):
            house.failing(ShowNotFound, call)


@scenario
def an_outbox_that_has_no_ids_left(house: House) -> None:
    house.open()
    hold = house.acquire("A-1")
    booking = house.locker.confirm(house.acquire("A-2", holder="bo"))
    house.raw.xadd(house.key("outbox"), {"kind": "last"}, id=LAST_ID)
    with house.unchanged():
        for call in (
            lambda: house.locker.confirm(hold),
            lambda: house.locker.confirm(hold, reclaim=True),
            lambda: house.locker.cancel(booking),
        ):
            assert "used up its ids" in str(house.failing(ScriptFailed, call))


@scenario
def an_audit_stream_that_has_no_ids_left(house: House) -> None:
    house.open()
    house.acquire("A-1")
    house.raw.xadd(house.key("audit"), {"what": "last"}, id=LAST_ID)
    with house.unchanged():
        error = house.failing(ScriptFailed, lambda: house.force("A-1"))
    assert "the audit stream has used up its ids" in str(error)


@scenario
def an_outbox_that_nobody_needs(house: House) -> None:
    house.open(outbox=False)
    house.raw.delete(house.key("outbox"))
    house.raw.set(house.key("outbox"), "something else")
    house.sound = False
    house.locker.cancel(house.locker.confirm(house.acquire("A-1")))


@scenario
def settings_that_are_no_numbers(house: House) -> None:
    house.open()
    warm = load(house, "warm", [replace(SEATS[0], id="C-1")])
    for setting, values in (
        ("max_hold", ("0", "86400001", "nan", "-5", "")),
        ("fence", (str(2**40), "-1", "x")),
        ("epoch", (str(2**40 + 1), "-1", "x", "")),
        ("version", (str(2**49 + 1), "1e3", "")),
        ("changes_cap", ("0", "10000001", "-1", "many", "")),
    ):
        right = house.meta(setting)
        calls = [lambda: house.acquire("A-1")]
        if setting in ("version", "changes_cap"):
            calls.append(lambda: house.run(warm))
        for value in (*values, None):
            house.raw.hdel(house.key("meta"), setting)
            if value is not None:
                house.raw.hset(house.key("meta"), setting, value)
            # without a version, a show is new to warm
            for call in calls if value is not None or setting != "version" else calls[:1]:
                with house.unchanged():
                    house.failing(ScriptFailed, call)
        house.raw.hset(house.key("meta"), setting, right)


@scenario
def settings_at_their_bounds(house: House) -> None:
    show = house.show
    for number, (setting, value) in enumerate(
        (
            ("max_hold", 1),
            ("max_hold", 86_400_000),
            ("fence", 2**40 - 1),
            ("epoch", 2**40),
            ("version", 2**49),
            ("changes_cap", 1),
            ("changes_cap", 10**7),
        )
    ):
        for call in (
            lambda: house.acquire("A-1", ttl=0.001),
            lambda: house.run(load(house, "warm", [replace(SEATS[0], id="C-1")])),
        ):
            house.show = f"{show}-{number}-{call.__code__.co_firstlineno}"
            house.open()
            house.raw.hset(house.key("meta"), setting, value)
            call()
            assert house.last_change()


@scenario
def settings_of_a_show_that_is_founded(house: House) -> None:
    house.open()
    step = found(house)
    refused(house, step, 2, (str(10**7 + 1), *WITHOUT_ZERO))
    refused(house, step, 3, ("86400001", *NUMBERS))
    refused(house, step, 5, (str(10**7 + 1), *NUMBERS))
    for at, value in ((3, b"1"), (3, b"86400000"), (5, b"1"), (5, b"10000000")):
        step.args[at] = value
        assert house.run(step) is False
    for seats in (b"0", b"1", b"10000000"):
        step.args[2] = seats
        with house.unchanged():
            house.failing(PlanConflict, lambda: house.run(step))
    step.args[2] = b"%d" % len(PLAN)
    house.raw.hset(house.key("meta"), "version", str(2**49))
    assert house.run(step) is False
    with house.unchanged():
        house.failing(ScriptFailed, lambda: house.run(step))
    house.sound = False
    house.raw.hset(house.key("meta"), "version", "x")
    with house.unchanged():
        house.failing(ScriptFailed, lambda: house.run(step))


@scenario
def seats_to_warm_that_make_no_sense(house: House) -> None:
    house.open()
    for at, value in ((0, b"x"), (0, b"-1"), (0, b"1\n"), (1, b"gone"), (1, b""), (1, b"held")):
        operation = load(house, "warm", [replace(SEATS[0], id="C-1")])
        operation.args[at] = value
        with house.unchanged():
            error = house.failing(ScriptFailed, lambda operation=operation: house.run(operation))
        assert "no usable category or status" in str(error)
    operation = load(house, "warm", [replace(SEATS[0], id="C-1")])
    operation.args[0] = b""
    house.run(operation)
    assert house.mirror("C-1") == "f"
