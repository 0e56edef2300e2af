"""Many processes, one line: nobody is lost, let in twice or overtaken, and no limit is exceeded.

Once everybody is present all the time, and once most fall silent, and some of them come back now and then.

`make test` runs a small race; `make waiting-room-long` one of a million joins and twenty pumps.
"""

from __future__ import annotations

import itertools
import os
from array import array
from collections.abc import Iterator
from heapq import heappop, heappush
from typing import Final, NamedTuple

import msgspec
import pytest
import redis

from seatlock.waiting_room import RoomSettings, WaitingRoom
from tests.races.crowd import crowd_of
from tests.races.room import Admitted, Outcome, Race, holder_of, take_part
from tests.support.fixtures import PrivateServer

LONG: Final = os.environ.get("SEATLOCK_WAITING_ROOM") == "long"
PRESENT: Final = Race(20, 4, 250_000, 60.0, 3600.0) if LONG else Race(4, 2, 10_000, 5.0, 3600.0)
SILENT: Final = PRESENT._replace(grace=1.0)
SETTINGS: Final = RoomSettings(
    max_length=PRESENT.joiners * PRESENT.joins,
    rate=2000,
    per=1.0,
    burst=300,
    concurrency=900,
    batch=150,
    reservation=0.5,
    pass_ttl=0.5,
    keep=3600,
    poll=0.1,
)
MILLISECOND: Final = 1000  # the room counts whole ones
UNSURE: Final = 5 * MILLISECOND  # by which two looks at the clock may differ


class Heard(NamedTuple):
    """One who waits was heard of between two times, in microseconds."""

    after: int
    before: int
    place: int


@pytest.mark.parametrize("race", [PRESENT, SILENT], ids=["present", "silent"])
def test_many_pumps_and_many_people(private_server: PrivateServer, race: Race) -> None:
    server, show = private_server(), "race-room"
    with server.unix_client() as client:
        room = WaitingRoom(client)
        room.prepare(show, msgspec.structs.replace(SETTINGS, grace=race.grace))
        room.open(show)

        outcomes = crowd_of(race.pumps + race.joiners, 1500.0, take_part, str(server.socket), show, race)

        calls = sorted(itertools.chain.from_iterable(outcome.calls for outcome in outcomes))
        receipts = receipts_of(outcomes)
        let_in = list(admissions(client, show))
        nobody_is_lost(client, show, receipts, let_in)
        assert all(receipts[place] == holder for place, holder in let_in)
        heard = sorted(itertools.chain.from_iterable(heard_in(outcome.heard) for outcome in outcomes))
        assert overtaken(calls, heard, race.grace) == [], "nobody who was present"
        if race is PRESENT:
            assert [place for place, _ in let_in] == list(range(1, len(let_in) + 1)), "without a gap"
        else:
            some_were_passed_by(calls, heard)
        the_rate_is_kept(calls)
        the_concurrency_is_kept(calls, {place: at for outcome in outcomes for place, at in outcome.left.items()})

        told = [place for call in calls for place in call.places]
        assert told == [place for place, _ in let_in], "the pumps were told of all, and the stream is in their order"
        both_limits_bound(calls)
        assert sum(bool(outcome.left) for outcome in outcomes) == race.joiners, "people left as well"
        assert room.served(show).admitted == len(let_in) > race.seconds * 500


def receipts_of(outcomes: list[Outcome]) -> dict[int, str]:
    """Who was given which number: each number once, and none left out."""
    receipts: dict[int, str] = {}
    for process, outcome in enumerate(outcomes):
        for number, place in enumerate(outcome.numbers):
            assert place not in receipts, "a number was given twice"
            receipts[place] = holder_of(process, number)
    assert len(receipts) == SETTINGS.max_length
    assert max(receipts) == len(receipts), "numbers are given without gaps"
    return receipts


def admissions(client: redis.Redis, show: str) -> Iterator[tuple[int, str]]:
    """Whom the stream says were let in, in order."""
    for _, fields in client.xrange(f"seatlock:{{{show}}}:admissions"):
        for place, holder in fields.items():
            if place.isdigit():
                yield int(place), holder.decode()


def nobody_is_lost(client: redis.Redis, show: str, receipts: dict[int, str], let_in: list[tuple[int, str]]) -> None:
    """All who were given a number were let in once, or stand in the line with it."""
    waiting = {
        int(place): holder.decode()
        for holder, place in client.zrange(f"seatlock:{{{show}}}:queue", 0, -2, withscores=True)
    }
    inside = dict(let_in)
    assert len(inside) == len(let_in), "a place was let in twice"
    assert not waiting.keys() & inside.keys()
    gone = receipts.keys() - waiting.keys() - inside.keys()
    assert not gone, "only who was let in gave anything up"
    assert waiting | inside == receipts


def heard_in(heard: array[int]) -> Iterator[Heard]:
    """What a process noted: by the time after."""
    for at in range(0, len(heard), 3):
        place, before, after = heard[at : at + 3]
        yield Heard(after, before, place)


def overtaken(calls: list[Admitted], heard: list[Heard], grace: float) -> list[tuple[int, int]]:
    """Who was passed by while present, by the history: the lowest such place of a call, and the highest let in by it.

    Present for certain is, for the grace time, who was heard of before the call began.
    """
    found = []
    present: list[tuple[int, int]] = []  # place, and until when for certain
    inside: set[int] = set()
    coming = iter([*heard, Heard(2**63, 0, 0)])
    following = next(coming)
    for call in calls:
        while following.after + UNSURE < call.before:
            heappush(present, (following.place, following.before + int(grace * 1_000_000) - UNSURE))
            following = next(coming)
        inside.update(call.places)
        while present and (present[0][0] in inside or present[0][1] < call.after):
            heappop(present)
        if call.places and present and present[0][0] < call.places[-1]:
            found.append((present[0][0], call.places[-1]))
    return found


def some_were_passed_by(calls: list[Admitted], heard: list[Heard]) -> None:
    """The silent were, and those who came back were let in then; who counts them as present finds them overtaken."""
    highest, late = 0, 0
    for call in calls:
        late += sum(place < highest for place in call.places)
        highest = max(highest, *call.places, 0)
    assert late > 100, "some came back, and were let in late"
    assert highest - sum(len(call.places) for call in calls) > 100, "some are silent still"
    assert len(overtaken(calls, heard, 3600.0)) > 100


def test_whoever_was_passed_by_while_present_is_found() -> None:
    second = 1_000_000
    heard = [Heard(second, second - 500, place) for place in (1, 2, 3)]

    def call(at: float, *places: int) -> Admitted:
        return Admitted(int(at * second), int(at * second) + 300, places, 0, 0, 0)

    assert overtaken([call(1.1, 1), call(1.2, 2, 3)], heard, 1.0) == []
    assert overtaken([call(1.1, 1), call(1.2, 3)], heard, 1.0) == [(2, 3)]
    assert overtaken([call(1.1, 2), call(1.2, 1), call(1.3, 3)], heard, 1.0) == [(1, 2)]
    assert overtaken([call(2.1, 3)], heard, 1.0) == [], "they may be silent by then"
    again = [*heard, Heard(2 * second, 2 * second - 500, 1)]
    assert overtaken([call(2.1, 3)], again, 1.0) == [(1, 3)], "heard of again"
    assert overtaken([call(1.0, 3)], heard, 1.0) == [], "at the same moment"


def both_limits_bound(calls: list[Admitted]) -> None:
    """In one and the same second: the rate held back some calls that had slots, the slots some that the rate let."""
    assert SETTINGS.concurrency is not None
    by_rate, by_slots = set(), set()
    for call in calls:
        if not call.places and call.wait > 0 and call.live < SETTINGS.concurrency:
            by_rate.add(call.before // 1_000_000)
        elif not call.places and call.wait == 0 and call.live >= SETTINGS.concurrency:
            by_slots.add(call.before // 1_000_000)
    assert len(by_rate & by_slots) >= 2


def the_rate_is_kept(calls: list[Admitted]) -> None:
    """In every window of the history, by the server's clock: no more than the burst and what the rate brings.

    Of all windows that end with a call, that which holds most beyond the rate begins where the sum so far, without what
    the rate brought until then, was least.
    """
    rate = SETTINGS.rate / SETTINGS.per / 1_000_000
    count, least = 0, float("inf")
    for call in calls:
        if call.places:
            least = min(least, count - rate * (call.before - MILLISECOND))
            count += len(call.places)
            assert count - rate * call.after - least <= SETTINGS.burst


def the_concurrency_is_kept(calls: list[Admitted], left: dict[int, int]) -> None:
    """Nowhere in the history are more passes in time than there may be."""
    assert SETTINGS.concurrency is not None
    ends: list[int] = []
    for call in calls:
        assert call.live <= SETTINGS.concurrency
        assert call.passes <= SETTINGS.concurrency
        while ends and ends[0] < call.after:
            heappop(ends)
        for place in call.places:
            # at least so long, had the holder not left; who looked in has longer
            until = call.before - MILLISECOND + round(SETTINGS.reservation * 1_000_000)
            heappush(ends, min(until, left.get(place, until)))
        assert len(ends) <= SETTINGS.concurrency
