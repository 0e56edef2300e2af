"""Names of all kinds, and namespaces: what is allowed comes back as it went in, and nothing gets into another's way."""

from __future__ import annotations

import pytest

from seatlock import Hold, Seat, SeatsUnavailable, ShowNotFound, UnknownSeats
from tests.support.stage import Stage, only_on

SEATS = [
    "Parterre links, Reihe 3, Platz 12",
    " leading and trailing ",
    "{A}-1",
    "}{",
    "{",
    "Größe/ß·№1",
    "座席 A-1",
    "🎭🪑",
    "é",  # one character
    "e\u0301",  # two that look the same: another seat
    "%41%0a",
    "'; DROP TABLE seats; --",
    "a" * 128,
    "ß" * 64,
    "0",
    "-1",
    "nan",
    "lock:A-1",
    "meta",
    "*",
    "\\n",
]


def test_seat_ids_come_back_as_they_went_in(stage: Stage) -> None:
    stage.open([Seat(seat, section="Große Bühne {1}", category="Künstler & Co") for seat in SEATS])
    hold = stage.acquire(*SEATS)
    assert hold.seats == tuple(SEATS)
    with pytest.raises(SeatsUnavailable) as refusal:
        stage.acquire(*SEATS, holder="bo")
    assert list(refusal.value.conflicts) == SEATS
    booking = stage.locker.confirm(hold)
    assert booking.seats == tuple(SEATS)
    assert stage.outbox()[0]["seats"].split("\n") == SEATS
    found = stage.locker.availability(stage.show, section="Große Bühne {1}")
    assert dict(found.seats) == dict.fromkeys(SEATS, "sold")
    states = stage.locker.inspect(stage.show, SEATS)
    assert [state.seat for state in states] == SEATS
    assert {state.category for state in states} == {"Künstler & Co"}
    assert set(stage.locker.cancel(booking).seats.values()) == {"cancelled"}
    assert stage.raw.exists(*map(stage.lock, SEATS)) == 0


@pytest.mark.parametrize(
    "holder", ["ada lovelace", "{ada}", "josé", "🎭", "h" * 256, "ß" * 128, "ada@example.org:/?#[]", "0", " "]
)
def test_holders_come_back_as_they_went_in(stage: Stage, holder: str) -> None:
    stage.open(["A-1"])
    hold = stage.acquire("A-1", holder=holder)
    assert hold.holder == holder
    assert stage.acquire("A-1", holder=holder).resumed
    booking = stage.locker.confirm(hold, payment=holder, booking=holder)
    assert (booking.holder, booking.payment, booking.id) == (holder, holder, holder)
    state = stage.locker.inspect(stage.show, ["A-1"])[0]
    assert (state.holder, state.payment, state.booking) == (holder, holder, holder)
    assert [stage.outbox()[0][name] for name in ("holder", "payment", "booking")] == [holder] * 3


@pytest.mark.parametrize("show", ["s", "näxt-season/2026:matinée", "演劇", "🎭", "s" * 128, "*", "a:b", "%"])
def test_show_ids_of_all_kinds(stage: Stage, show: str) -> None:
    stage.show = show
    stage.raw.delete(*[stage.key(part) for part in ("meta", "seats", "due", "plan", "changes", "outbox", "lock:A-1")])
    stage.open(["A-1"])
    assert stage.locker.confirm(stage.acquire("A-1")).show == show
    assert stage.locker.availability(show).counts["sold"] == 1
    stage.locker.retire(show, unread="discard")
    with pytest.raises(ShowNotFound):
        stage.locker.availability(show)


def test_the_empty_due_member_is_no_seat(stage: Stage) -> None:
    stage.open(["A-1"])
    with pytest.raises(UnknownSeats):
        stage.acquire(":", "+inf")
    assert stage.locker.sweep(stage.show) == 0


# --- namespaces


def test_namespaces_are_worlds_of_their_own(stage: Stage) -> None:
    stage.open()
    other = stage.other_locker(namespace="box-office:2")
    with pytest.raises(ShowNotFound):
        other.acquire(stage.show, ["A-1"], holder="bo")
    other.warm(stage.show, ["A-1", "B-1"])
    other.open_sale(stage.show)
    here, there = stage.acquire("A-1"), other.acquire(stage.show, ["A-1"], holder="bo")
    assert here.fence == there.fence
    assert stage.locker.availability(stage.show).counts["held"] == 1
    assert tuple(other.availability(stage.show).seats) == ("A-1", "B-1")
    assert dict(other.release(here).seats) == {"A-1": "taken"}
    other.confirm(there)
    assert stage.outbox() == []
    other.retire(stage.show, unread="discard")
    found = stage.keys()
    assert {key.partition(":")[0] for key in found} == {"seatlock"}
    assert stage.locker.confirm(here).seats == ("A-1",)


@only_on("cluster")
def test_all_keys_of_a_show_share_a_slot_whatever_the_ids(stage: Stage) -> None:
    stage.open(SEATS)
    hold: Hold = stage.acquire(*SEATS)
    found = stage.keys()
    assert len({stage.raw.keyslot(key) for key in found}) == 1
    assert len(found) == 9 + len(hold.seats)
