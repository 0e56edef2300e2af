"""Many processes, one line: nobody is lost, let in twice or overtaken, and no limit is exceeded.

`make test` runs a small race; `make waiting-room-long` one of a million joins and twenty pumps.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from heapq import heappop, heappush
from typing import Final

import redis

from seatlock.waiting_room import RoomSettings, WaitingRoom
from tests.races.crowd import crowd_of
from tests.races.room import Admitted, Outcome, Race, holder_of, take_part
from tests.support.fixtures import PrivateServer

LONG: Final = os.environ.get("SEATLOCK_WAITING_ROOM") == "long"
RACE: Final = Race(20, 4, 250_000, 60.0) if LONG else Race(4, 2, 10_000, 5.0)
SETTINGS: Final = RoomSettings(
    max_length=RACE.joiners * RACE.joins,
    rate=2000,
    per=1.0,
    burst=300,
    concurrency=900,
    batch=150,
    reservation=0.5,
    pass_ttl=0.5,
    grace=3600,
    keep=3600,
    poll=0.1,
)
MILLISECOND: Final = 1000  # the room counts whole ones


def test_many_pumps_and_many_people(private_server: PrivateServer) -> None:
    server, show = private_server(), "race-room"
    with server.unix_client() as client:
        room = WaitingRoom(client)
        room.prepare(show, SETTINGS)
        room.open(show)

        outcomes = crowd_of(RACE.pumps + RACE.joiners, 1500.0, take_part, str(server.socket), show, RACE)

        calls = sorted(itertools.chain.from_iterable(outcome.calls for outcome in outcomes))
        receipts = receipts_of(outcomes)
        let_in = list(admissions(client, show))
        nobody_is_lost(client, show, receipts, let_in)
        nobody_is_overtaken(let_in, receipts)
        the_rate_is_kept(calls)
        the_concurrency_is_kept(calls, {place: at for outcome in outcomes for place, at in outcome.left.items()})

        told = [place for call in calls for place in call.places]
        assert told == [place for place, _ in let_in], "the pumps were told of all, and the stream is in their order"
        assert sum(call.wait > 0 and not call.places for call in calls) > 10, "the rate held some back"
        assert sum(call.live >= SETTINGS.concurrency for call in calls) > 10, "so did the concurrency"  # type: ignore[operator]
        assert sum(bool(outcome.left) for outcome in outcomes) == RACE.joiners, "people left as well"
        assert room.served(show).admitted == len(let_in) > RACE.seconds * 500


def receipts_of(outcomes: list[Outcome]) -> dict[int, str]:
    """Who was given which number: each number once, and none left out."""
    receipts: dict[int, str] = {}
    for process, outcome in enumerate(outcomes):
        for number, place in enumerate(outcome.numbers):
            assert place not in receipts, "a number was given twice"
            receipts[place] = holder_of(process, number)
    assert len(receipts) == RACE.joiners * RACE.joins
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


def nobody_is_overtaken(let_in: list[tuple[int, str]], receipts: dict[int, str]) -> None:
    """All are present all the time: so they go in in the order of their numbers, without a gap."""
    assert [place for place, _ in let_in] == list(range(1, len(let_in) + 1))
    assert all(receipts[place] == holder for place, holder in let_in)


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
