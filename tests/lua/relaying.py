"""Scenarios of what a relay asks of Redis: to be given the facts of an outbox, and to have them taken out."""

from __future__ import annotations

from seatlock import ScriptFailed, ShowInUse, ShowNotFound
from seatlock.outbox._stream import MOST, Entry, Settling, Taken, settle, take
from tests.lua.house import House
from tests.lua.scenario import scenario

LAST_ID = f"{2**64 - 1}-{2**64 - 1}"


def taken(house: House, relay: str = "r-1", *, lease: int = 9000, count: int = MOST) -> Taken:
    """What a relay is given."""
    found = house.run(take("seatlock", house.show, relay, lease, count))
    assert isinstance(found, Taken), found
    return found


def waiting(house: House, relay: str) -> float:
    """How long another relay has the show."""
    found = house.run(take("seatlock", house.show, relay, 9000, MOST))
    assert not isinstance(found, Taken)
    return float(found)


def settled(house: House, *what: Settling) -> list[str]:
    """What becomes of facts."""
    return list(house.run(settle("seatlock", house.show, what)))


def done(*entries: Entry) -> list[Settling]:
    """The entries that are dealt with."""
    return [Settling(entry) for entry in entries]


def seats(found: Taken) -> list[str]:
    """Which seats the facts are about."""
    return [entry.fields[b"seats"].decode() for entry in found.entries]


def sell(house: House, *names: str) -> None:
    """Have facts of these seats, one each."""
    for seat in names:
        house.locker.confirm(house.acquire(seat, holder=f"buyer of {seat}"))


def pending(house: House) -> int:
    """How many entries were given and are not settled."""
    return int(house.raw.xpending(house.key("outbox"), "relay")["pending"])


def aside(house: House) -> list[dict[bytes, bytes]]:
    """What was set aside."""
    return [fields for _, fields in house.raw.xrange(house.key("aside"))]


@scenario
def facts_are_given_in_order_and_taken_out(house: House) -> None:
    house.open()
    empty = taken(house)
    assert (empty.entries, empty.more, empty.now) == ((), False, house.at(0))
    sell(house, "A-1", "A-2", "A-3")
    first = taken(house, count=2)
    assert (seats(first), first.more) == (["A-1", "A-2"], True)
    again = taken(house, count=2)
    assert again.entries == first.entries, "what is not settled comes again, and first"
    every = taken(house)
    assert (seats(every), every.more) == (["A-1", "A-2", "A-3"], False)
    assert settled(house, *done(*every.entries[1:])) == ["done", "done"]
    assert (seats(taken(house)), house.raw.xlen(house.key("outbox")), pending(house)) == (["A-1"], 1, 1)
    assert settled(house, *done(*every.entries)) == ["done", "gone", "gone"]
    assert (house.outbox(), pending(house), aside(house)) == ([], 0, [])
    assert settled(house) == []


@scenario
def one_relay_at_a_time_has_a_show(house: House) -> None:
    house.open()
    sell(house, "A-1")
    first = taken(house, "r-1", lease=60_000)
    assert 58 < waiting(house, "r-2") < 62, "by the server's own clock, which a scenario cannot stop"
    with house.unchanged():
        waiting(house, "r-2")
        waiting(house, "")
        house.run(take("seatlock", house.show, "r-2", 0, 1))  # nothing of its own to give up
    house.advance(50)
    assert taken(house, "r-1", lease=60_000).entries == first.entries
    house.advance(59)
    assert 0 <= waiting(house, "r-2") < 3
    house.advance(3)
    assert taken(house, "r-2", lease=60_000).entries == first.entries, "what a dead one had comes first"
    waiting(house, "r-1")
    assert taken(house, "r-2", lease=0).entries == ()
    assert house.raw.exists(house.key("relay")) == 0
    assert taken(house, "r-1").entries == first.entries
    assert pending(house) == 1


@scenario
def what_others_read_in_the_group(house: House) -> None:
    """A reader that is none of ours, and dead, keeps nothing back."""
    house.open()
    sell(house, "A-1", "A-2")
    house.raw.xreadgroup("relay", "somebody", {house.key("outbox"): ">"}, count=1)
    assert seats(taken(house)) == ["A-1", "A-2"]


@scenario
def outboxes_that_warming_did_not_make(house: House) -> None:
    house.failing(ShowNotFound, lambda: taken(house))
    house.open(outbox=False)
    sell(house, "A-1")
    assert taken(house).entries == ()
    house.raw.delete(house.key("outbox"))
    with house.unchanged():
        assert taken(house).entries == ()
    house.raw.xadd(house.key("outbox"), {"kind": "odd"}, id="5-1")
    assert [entry.fields for entry in taken(house).entries] == [{b"kind": b"odd"}]
    assert settled(house, *done(*taken(house).entries)) == ["done"]


@scenario
def what_nobody_can_deal_with_is_set_aside(house: House) -> None:
    house.open()
    sell(house, "A-1", "A-2")
    house.raw.xadd(house.key("outbox"), {"odd": "one", "kind": "\n"})
    entries = taken(house).entries
    what = Settling(entries[0], "no\n such  thing"), Settling(entries[1]), Settling(entries[2], "x")
    assert settled(house, *what) == ["aside", "done", "aside"]
    first, second = aside(house)
    assert (first.pop(b"id").decode(), first.pop(b"reason")) == (entries[0].id, b"no such thing")
    assert first == entries[0].fields
    assert second == {b"id": entries[2].id.encode(), b"reason": b"x", b"odd": b"one", b"kind": b"\n"}
    assert (house.outbox(), pending(house)) == ([], 0)
    with house.unchanged():
        error = house.failing(ShowInUse, lambda: house.locker.retire(house.show))
        assert (error.holds, error.outbox) == (0, 2)
    taken(house)
    house.locker.retire(house.show, unread="discard")
    assert house.dump() == {}


@scenario
def an_id_that_holds_another_fact_by_now(house: House) -> None:
    """A replica that was promoted gives ids again which its primary had given."""
    house.open()
    sell(house, "A-1")
    entry = taken(house).entries[0]
    for other in ({b"kind": b"cancelled"}, {b"booking": b"other"}, {b"kind": b"", b"booking": b""}):
        changed = Entry(entry.id, {**entry.fields, **other})
        with house.unchanged():
            assert settled(house, Settling(changed), Settling(changed, "odd")) == ["other", "other"]
    assert pending(house) == 1


@scenario
def facts_that_were_deleted_and_not_acknowledged(house: House) -> None:
    """A settle that was stopped in between: nobody waits for what is gone, and the others come."""
    house.open()
    sell(house, "A-1", "A-2", "A-3", "A-4")
    entries = taken(house).entries
    house.raw.xdel(house.key("outbox"), *[entry.id for entry in entries[:3]])
    assert seats(taken(house, count=2)) in (["A-4"], [])  # Redis 7 cleans up some of it by itself
    assert seats(taken(house, count=2)) == ["A-4"]
    assert pending(house) == 1


@scenario
def relays_on_a_full_server(house: House) -> None:
    """What empties the outbox goes on."""
    house.open()
    sell(house, "A-1", "A-2")
    with house.full():
        entries = taken(house).entries
        assert settled(house, Settling(entries[0]), Settling(entries[1], "odd")) == ["done", "aside"]
    assert (house.outbox(), len(aside(house))) == ([], 1)


@scenario
def relays_and_keys_of_another_type(house: House) -> None:
    house.open()
    sell(house, "A-1")
    entry = taken(house).entries[0]
    calls = {
        "meta": [take("seatlock", house.show, "r-1", 9000, 1)],
        "outbox": [take("seatlock", house.show, "r-1", 9000, 1), settle("seatlock", house.show, done(entry))],
        "relay": [take("seatlock", house.show, "r-1", 9000, 1)],
        "aside": [settle("seatlock", house.show, done(entry))],
    }
    for key, operations in calls.items():
        there = house.raw.exists(house.key(key))
        if there:
            house.raw.rename(house.key(key), house.key("kept"))
        house.raw.lpush(house.key(key), "something else")
        for operation in operations:
            with house.unchanged():
                house.failing(ScriptFailed, lambda operation=operation: house.run(operation))
        house.raw.delete(house.key(key))
        if there:
            house.raw.rename(house.key("kept"), house.key(key))
    house.raw.xadd(house.key("aside"), {"last": "entry"}, id=LAST_ID)
    with house.unchanged():
        error = house.failing(ScriptFailed, lambda: settled(house, Settling(entry, "odd")))
        assert "has used up its ids" in str(error)
    assert settled(house, Settling(entry)) == ["done"]


@scenario
def relays_and_arguments_that_are_none(house: House) -> None:
    house.open()
    sell(house, "A-1")
    entry = taken(house).entries[0]
    for at, value in ((1, "3600001"), (1, "-1"), (1, "x"), (2, "0"), (2, "501"), (2, "nan")):
        asked = take("seatlock", house.show, "r-1", 9000, 1)
        asked.args[at] = value.encode()
        with house.unchanged():
            house.failing(ScriptFailed, lambda asked=asked: house.run(asked))
    for args in (["1-1"], ["", "x"], ["1", "x"], ["x-1", "x"], [entry.id, "x", "1-1"]):
        asked = settle("seatlock", house.show, [])
        asked.args = [value.encode() for value in args]
        with house.unchanged():
            assert "an argument is no fact" in str(house.failing(ScriptFailed, lambda asked=asked: house.run(asked)))
    asked = take("seatlock", house.show, "r-1", 3_600_000, 500)
    assert isinstance(house.run(asked), Taken)
