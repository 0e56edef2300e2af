"""Availability and inspect: what readers see is exactly one version of the show."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable

import pytest

from seatlock import AcquireRequest, Seat, ServerUnavailable, UnknownSeats
from tests.support.stage import SEATS, Stage, only_on

MANY = [f"S-{number}" for number in range(2500)]
LETTERS = {"f": "free", "h": "held", "s": "sold", "b": "blocked", "p": "pinned"}
SOME = only_on("fakeredis", "redis-6.2", "redis-7", "cluster")


def test_every_seat_and_every_state(stage: Stage) -> None:
    stage.open([*SEATS, Seat("B-1", status="blocked"), Seat("S-1", status="sold")])
    stage.acquire("A-1", "A-2")
    stage.locker.confirm(stage.acquire("A-3"))
    found = stage.locker.availability(stage.show)
    assert (found.show, found.status) == (stage.show, "open")
    assert dict(found.counts) == {"free": 2, "held": 2, "pinned": 0, "sold": 2, "blocked": 1, "channel": 0}
    assert list(found.seats) == [*SEATS, "B-1", "S-1"], "in plan order"
    assert found.free == ("A-4", "A-5")
    assert found.version == (1, stage.version())


def test_one_section(stage: Stage) -> None:
    stage.open([Seat("A-1", section="A"), Seat("B-1", section="B"), Seat("A-2", section="A"), Seat("N-1")])
    stage.acquire("B-1")
    found = stage.locker.availability(stage.show, section="A")
    assert dict(found.seats) == {"A-1": "free", "A-2": "free"}
    assert sum(found.counts.values()) == 2
    with pytest.raises(UnknownSeats, match="it has 'A', 'B'"):
        stage.locker.availability(stage.show, section="C")


def test_reading_changes_nothing(stage: Stage) -> None:
    stage.open()
    stage.acquire("A-1")
    before = stage.everything()
    stage.locker.availability(stage.show)
    stage.locker.inspect(stage.show, ["A-1", "A-2"])
    assert stage.everything() == before


def test_the_version_is_that_of_the_change_stream(stage: Stage) -> None:
    stage.open()
    version = stage.locker.availability(stage.show).version
    stage.acquire("A-1")
    after = stage.locker.availability(stage.show).version
    [(entry, _)] = stage.changes(version[1])
    assert entry == f"{after[0]}-{after[1]}"


# --- inspect


def test_support_staff_see_who_has_a_seat_and_until_when(stage: Stage) -> None:
    stage.open([Seat("A-1", category="gold"), Seat("A-2", category="silver"), "A-3"])
    hold = stage.acquire("A-1", ttl=60)
    sold = stage.acquire("A-2", holder="bo")
    booking = stage.locker.confirm(sold, payment="pay-1")
    states = stage.locker.inspect(stage.show, ["A-2", "A-3", "A-1"])
    assert [state.seat for state in states] == ["A-2", "A-3", "A-1"]
    two, three, one = states
    assert (one.state, one.category, one.holder, one.fence) == ("held", "gold", "ada", hold.fence)
    assert 50 < one.expires_in <= 60
    assert (one.booking, one.payment, one.consistent) == (None, None, True)
    assert (two.state, two.category, two.holder, two.fence) == ("sold", "silver", "bo", booking.fence)
    assert (two.booking, two.payment, two.expires_in, two.consistent) == (booking.id, "pay-1", None, True)
    assert (three.state, three.category, three.holder, three.fence) == ("free", "", None, None)
    assert not any(token in repr(states) for token in (hold.token, sold.token))


def test_inspect_names_unknown_seats(stage: Stage) -> None:
    stage.open()
    with pytest.raises(UnknownSeats) as unknown:
        stage.locker.inspect(stage.show, ["A-1", "Z-1", "Z-2"])
    assert unknown.value.seats == ("Z-1", "Z-2")


# --- while buyers change it


def _states_at(start: dict[str, str], entries: Iterable[tuple[str, dict[str, str]]], version: int) -> dict[str, str]:
    """Replay the change stream up to a version."""
    fields = dict(start)
    for entry, changed in entries:
        if int(entry.partition("-")[2]) <= version:
            fields.update((seat, field) for seat, field in changed.items() if seat)
    return {seat: LETTERS[field[0]] for seat, field in fields.items()}


def _busy(stage: Stage, dice: random.Random) -> Callable[[int], None]:
    """What buyers do between two commands of the reader, all over the house."""
    buyer = stage.doors.locker("sync")

    def before(_: int) -> None:
        for _ in range(5):
            seats = dice.sample(MANY, 3)
            holder = f"u-{dice.random()}"
            [hold] = buyer.acquire_many(stage.show, [AcquireRequest(seats, holder)])
            if not isinstance(hold, Exception):
                dice.choice([buyer.confirm, buyer.release, id])(hold)

    return before


@SOME
@pytest.mark.parametrize("seed", range(3))
def test_a_large_show_is_read_at_exactly_one_version(stage: Stage, seed: int) -> None:
    stage.open(MANY)
    start, start_version = stage.mirrors(), stage.version()
    reader, client = stage.watched()
    client.before = _busy(stage, random.Random(seed))
    versions = set()
    for _ in range(3):
        found = reader.availability(stage.show)
        versions.add(found.version[1])
        expected = _states_at(start, stage.changes(start_version), found.version[1])
        assert dict(found.seats) == expected
        assert {state: n for state, n in found.counts.items() if n} == Counter(expected.values())
        assert list(found.seats) == MANY
    assert len(versions) == 3, "buyers were busy"
    assert min(versions) > start_version


@only_on("redis-7", "fakeredis")
def test_a_plan_that_changes_under_the_reader_is_read_anew(stage: Stage) -> None:
    stage.open(MANY)
    reader, client = stage.watched()
    reader.availability(stage.show)
    larger, at = list(MANY), 0

    def rewarm(sent: int) -> None:
        if sent == at:
            larger.append(f"T-{sent}")
            stage.doors.locker("sync").warm(stage.show, larger)

    client.before = rewarm
    for commands in range(1, 4):  # before the second piece, before the third, before the changes are read
        at = len(client.sent) + commands
        found = reader.availability(stage.show)
        assert len(larger) == len(MANY) + commands, "the plan changed in the middle"
        assert found.version == (1, stage.version())
        assert tuple(found.seats) == tuple(larger)


@only_on("redis-7", "fakeredis")
def test_a_change_stream_that_was_cut_starts_the_reader_again(stage: Stage) -> None:
    stage.open(MANY)
    buyer, (reader, client) = stage.doors.locker("sync"), stage.watched()
    reader.availability(stage.show)
    cuts: list[int] = []

    def cut(sent: int) -> None:
        if client.sent[-1:] and sent % 2 and len(cuts) < most:
            cuts.append(sent)
            for number in range(2):
                buyer.acquire(stage.show, [MANY[2 * len(cuts) + number]], holder=f"u-{sent}-{number}")
            stage.raw.xtrim(stage.key("changes"), maxlen=1, approximate=False)

    client.before, most = cut, 3
    found = reader.availability(stage.show)
    assert (len(cuts), found.counts["held"], found.version) == (3, 6, (1, stage.version()))
    most = 1000
    with pytest.raises(ServerUnavailable, match="ask again"):
        reader.availability(stage.show)
