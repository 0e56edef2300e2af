"""What one buyer does next, whatever the box office says: driven by a desk that answers as it is told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from seatlock import SeatingPlan
from seatlock.simulation.crowd import LOOKS, VISITS, Crowd
from seatlock.simulation.house import House
from seatlock.simulation.seat_map import Snapshot
from seatlock.simulation.settings import Settings
from seatlock.simulation.tally import Tally
from seatlock.simulation.tickets import Tickets

PLAN = SeatingPlan.of([f"S-{number}" for number in range(6)])
ALL_FREE = Snapshot(b"\1" * 6, list(range(6)), 0, 0)
ALL_HELD = Snapshot(bytes(6), [], 0, 6)
SOLD_OUT = Snapshot(bytes(6), [], 6, 0)


class Desk:
    """A box office that gives the answers it was made with; when they run out, it refuses."""

    def __init__(self, **answers: Iterable[Any]) -> None:
        self._answers = {verb: iter(values) for verb, values in answers.items()}
        self.asked: list[str] = []

    def __getattr__(self, verb: str) -> Any:
        async def answer(*_: Any) -> Any:
            self.asked.append(verb)
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


async def test_a_user_goes_home_when_the_floor_is_closed() -> None:
    floor, desk = Floor(), Desk()
    floor.closed = True
    await Tickets(House(PLAN), SeatMapOf(ALL_FREE), desk, Settings(buyers=1)).shop(floor, 0)  # type: ignore[arg-type]
    assert desk.asked == []
