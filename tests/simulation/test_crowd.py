"""What one buyer does next, whatever the box office says: driven by a desk that answers as it is told."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pytest

from seatlock import SeatingPlan
from seatlock.simulation.crowd import LOOKS, VISITS, Crowd
from seatlock.simulation.house import POOL, House
from seatlock.simulation.seat_map import Snapshot
from seatlock.simulation.settings import Settings
from seatlock.simulation.tally import Tally
from seatlock.simulation.tickets import Admissions, Tickets

PLAN = SeatingPlan.of([f"S-{number}" for number in range(6)])
ALL_FREE = Snapshot(b"\1" * 6, list(range(6)), 0, 0)
ALL_HELD = Snapshot(bytes(6), [], 0, 6)
SOLD_OUT = Snapshot(bytes(6), [], 6, 0)


class Desk:
    """A box office that gives the answers it was made with; when they run out, it refuses."""

    def __init__(self, **answers: Iterable[Any]) -> None:
        self._answers = {verb: iter(values) for verb, values in answers.items()}
        self.asked: list[str] = []
        self.wanted: list[tuple[int, int]] = []  # seats and places of each acquire

    def __getattr__(self, verb: str) -> Any:
        async def answer(*arguments: Any) -> Any:
            self.asked.append(verb)
            if verb == "acquire":
                _, seats, pools = (*arguments, None)[:3]
                self.wanted.append((len(seats), (pools or {}).get(POOL, 0)))
            return next(self._answers.get(verb, iter(())), None)

        return answer


class SeatMapOf:
    """Seat maps in a row; the last stays."""

    def __init__(self, *snapshots: Snapshot) -> None:
        self._left = list(snapshots)
        self.current = self._left.pop(0)

    async def newer(self) -> Snapshot:
        self.current = self._left.pop(0) if self._left else self.current
        return self.current


class Floor:
    """A floor without time."""

    closed = False

    async def stay_away(self, seconds: float) -> None:
        assert seconds >= 0


async def shop(desk: Desk, seat_map: SeatMapOf, *, seed: int, abandon: float = 0.0) -> Tally:
    tally = Tally()
    settings = Settings(buyers=1, seed=seed, abandon=abandon)
    crowd = Crowd(House(PLAN), seat_map, desk, settings, tally)  # type: ignore[arg-type]
    await crowd.shop(Floor(), 0)  # type: ignore[arg-type]
    return tally


@pytest.mark.parametrize("seed", range(20))
async def test_whoever_is_refused_looks_around_and_comes_back_a_few_times(seed: int) -> None:
    desk = Desk()
    tally = await shop(desk, SeatMapOf(ALL_FREE), seed=seed)
    visits = tally.came_back + 1
    assert 1 <= visits <= VISITS
    assert desk.asked == ["acquire"] * (visits * (LOOKS + 1))


@pytest.mark.parametrize("seed", range(5))
async def test_whoever_sees_nothing_free_leaves(seed: int) -> None:
    desk = Desk()
    tally = await shop(desk, SeatMapOf(SOLD_OUT), seed=seed)
    assert tally.sold_out == tally.came_back + 1 == len(desk.asked)


async def test_whoever_refreshes_and_has_lost_the_hold_has_nothing_to_pay() -> None:
    seen = set()
    for seed in range(60):
        desk = Desk(acquire=["held"])
        await shop(desk, SeatMapOf(SOLD_OUT), seed=seed)
        seen.add(tuple(desk.asked[:2]))
        assert "refresh" not in desk.asked or "confirm" not in desk.asked
    assert ("acquire", "refresh") in seen
    assert ("acquire", "confirm") in seen


async def test_whoever_walks_away_releases_or_lets_the_time_run_out() -> None:
    tallies = []
    for seed in range(60):
        desk = Desk(acquire=["held"], refresh=["held"])
        tally = await shop(desk, SeatMapOf(SOLD_OUT), seed=seed, abandon=1.0)
        assert "confirm" not in desk.asked
        assert ("release" in desk.asked) != (tally.ran_out == 1)
        tallies.append(tally.ran_out)
    assert set(tallies) == {0, 1}


async def test_a_user_waits_for_tickets_that_are_held_and_gives_up_when_all_are_sold() -> None:
    for maps, answers, asked in (
        ([SOLD_OUT], {}, []),
        ([ALL_HELD, SOLD_OUT], {}, []),
        ([ALL_FREE, SOLD_OUT], {}, ["acquire"]),
        ([ALL_FREE, ALL_FREE], {"acquire": [None, "held"], "confirm": ["booked"]}, ["acquire", "acquire", "confirm"]),
        ([ALL_FREE, SOLD_OUT], {"acquire": ["held"]}, ["acquire", "confirm"]),
    ):
        desk = Desk(**answers)
        users = Tickets(House(PLAN), SeatMapOf(*maps), desk, Settings(buyers=1))  # type: ignore[arg-type]
        await users.shop(Floor(), 0)  # type: ignore[arg-type]
        assert desk.asked == asked


def placed(*snapshots: tuple[int, int]) -> SeatMapOf:
    """A pool alone: so many free, so many held, one moment after the other."""
    return SeatMapOf(*(Snapshot(b"", [], 0, held, free) for free, held in snapshots))


@pytest.mark.parametrize("seed", range(10))
async def test_whoever_wants_places_asks_for_fewer_and_leaves_when_none_are_left(seed: int) -> None:
    for left, asked in ((1, LOOKS + 1), (0, 1)):
        desk, tally = Desk(), Tally()
        settings = Settings(buyers=1, seed=seed, stock=5)
        crowd = Crowd(House(SeatingPlan.of((), needs_seats=False)), placed((left, 0)), desk, settings, tally)  # type: ignore[arg-type]
        await crowd.shop(Floor(), 0)  # type: ignore[arg-type]
        visits = tally.came_back + 1
        assert len(desk.wanted) == visits * asked
        assert all(seats == 0 and 1 <= places <= 4 for seats, places in desk.wanted)
        assert all(places == 1 for at, (_, places) in enumerate(desk.wanted) if at % asked)
        assert tally.sold_out == (0 if left else visits)


async def test_where_there_are_both_some_sit_some_stand_and_some_do_both() -> None:
    first: set[tuple[bool, bool]] = set()
    for seed in range(60):
        desk, settings = Desk(acquire=["held"], confirm=["booked"]), Settings(buyers=1, seed=seed, abandon=0.0, stock=5)
        crowd = Crowd(House(PLAN), SeatMapOf(ALL_FREE), desk, settings, Tally())  # type: ignore[arg-type]
        await crowd.shop(Floor(), 0)  # type: ignore[arg-type]
        seats, places = desk.wanted[0]
        first.add((seats > 0, places > 0))
    assert first == {(True, False), (False, True), (True, True)}


async def test_a_party_that_is_refused_drops_who_would_stand_when_no_places_are_free() -> None:
    both: list[tuple[int, int]] = []
    for seed in range(60):
        desk, settings = Desk(), Settings(buyers=1, seed=seed, stock=5)
        crowd = Crowd(House(PLAN), SeatMapOf(ALL_FREE), desk, settings, Tally())  # type: ignore[arg-type]
        await crowd.shop(Floor(), 0)  # type: ignore[arg-type]
        for first, then in pairwise(desk.wanted):
            if all(first):
                both.append(then)
    assert both
    assert all(seats and not places for seats, places in both)


async def test_a_user_asks_once_and_again_while_a_ticket_may_come_back() -> None:
    for maps, answers, asked in (
        ([(0, 0)], {}, ["acquire"]),
        ([(0, 3), (0, 0)], {}, ["acquire"]),
        ([(5, 0), (0, 0)], {}, ["acquire"]),
        ([(0, 2), (0, 1), (1, 0), (0, 0)], {}, ["acquire", "acquire"]),
        ([(5, 0)], {"acquire": ["held"], "confirm": ["booked"]}, ["acquire", "confirm"]),
        ([(5, 0), (0, 0)], {"acquire": ["held"]}, ["acquire", "confirm"]),
    ):
        desk = Desk(**answers)
        await Admissions(placed(*maps), desk).shop(Floor(), 0)  # type: ignore[arg-type]
        assert desk.asked == asked
        assert set(desk.wanted) == {(0, 1)}


async def test_a_user_goes_home_when_the_floor_is_closed() -> None:
    floor, desk = Floor(), Desk()
    floor.closed = True
    await Tickets(House(PLAN), SeatMapOf(ALL_FREE), desk, Settings(buyers=1)).shop(floor, 0)  # type: ignore[arg-type]
    await Admissions(placed((1, 0)), desk).shop(floor, 0)  # type: ignore[arg-type]
    assert desk.asked == []
