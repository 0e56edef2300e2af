"""The crowd: buyers with favourite seats, who pay, walk away, refresh the page, dither, or come back later."""

from __future__ import annotations

import random
from typing import Final

from seatlock.simulation.box_office import BoxOffice, Held
from seatlock.simulation.floor import Floor
from seatlock.simulation.house import POOL, House, party_size
from seatlock.simulation.seat_map import SeatMap
from seatlock.simulation.settings import Settings
from seatlock.simulation.tally import Tally

VISITS: Final = 4  # times one buyer comes, at most
LOOKS: Final = 2  # other seats that a refused buyer tries in one visit
TABS: Final = 3  # buyers under one name, where there is a limit
COMES_BACK: Final = 0.4  # part of those who leave without seats that try again later
REFRESHES: Final = 0.2  # part of those who hold that refresh the page
RELEASES: Final = 0.3  # part of those who abandon that say so
STAND: Final = 0.25  # part of the parties that stand, where there are seats and a pool,
SPLIT: Final = 0.1  # and part of those that sit one of whom stands
DITHERS: Final = 0.03  # part of those who pay, or release, that do it when their time has run out

# The times buyers take, as parts of the time a hold lasts: from, to.
THINKING: Final = (0.0, 0.3)
DITHERING: Final = (1.1, 1.4)
BEING_AWAY: Final = (1.1, 2.0)


class Crowd:
    """What the buyers of a house do, with seats, a pool or both: see `shop`."""

    def __init__(self, house: House, seat_map: SeatMap, office: BoxOffice, settings: Settings, tally: Tally) -> None:
        self._house = house
        self._map = seat_map
        self._office = office
        self._settings = settings
        self._tally = tally

    async def shop(self, floor: Floor, number: int) -> None:
        """One buyer: a few visits at most, each with choices of its own that the seed fixes."""
        choices = random.Random(self._settings.seed << 32 | number)  # noqa: S311 - to be repeated, not to be secret
        name = f"buyer-{number // (1 if self._settings.limit is None else TABS)}"
        for visit in range(VISITS):
            self._tally.came_back += visit > 0
            satisfied = await self._visit(floor, choices, name, f"payment-{number}-{visit}")
            if satisfied or visit == VISITS - 1 or choices.random() >= COMES_BACK:
                return
            await self._take_time(floor, choices, BEING_AWAY)

    async def _visit(self, floor: Floor, choices: random.Random, buyer: str, payment: str) -> bool:
        """Try to buy once; whether it worked."""
        stock, seats = self._settings.stock, self._house.ids
        if stock and (not seats or choices.random() < STAND):
            held = await self._find_places(choices, buyer)
        else:
            held = await self._find_seats(choices, buyer)
        if held is None:
            return False
        if choices.random() < REFRESHES:
            await self._take_time(floor, choices, THINKING)
            held = await self._office.refresh(buyer, held)
            if held is None:
                return False
        if choices.random() < self._settings.abandon:
            await self._abandon(floor, choices, held)
            return False
        await self._think(floor, choices)
        return await self._office.confirm(held, payment) is not None

    async def _find_seats(self, choices: random.Random, buyer: str) -> Held | None:
        """Ask for the favourite seats, then for others that were free when the seat map was drawn."""
        if self._settings.best:
            return await self._office.acquire_best(buyer, party_size(choices))
        wanted = self._house.first_choice(choices)
        standing = {POOL: 1} if self._settings.stock and choices.random() < SPLIT else None
        for _ in range(LOOKS):
            held = await self._office.acquire(buyer, wanted, standing)
            if held is not None:
                return held
            seen = self._map.current
            if not seen.popular_free:
                self._tally.sold_out += 1
                return None
            wanted = self._house.next_choice(choices, len(wanted), seen.popular_free, seen.free)
            standing = standing if seen.stock_free else None
        return await self._office.acquire(buyer, wanted, standing)

    async def _find_places(self, choices: random.Random, buyer: str) -> Held | None:
        """Ask for so many of the pool, then for fewer if not so many were left when the seat map was drawn."""
        wanted = party_size(choices)
        for _ in range(LOOKS):
            held = await self._office.acquire(buyer, (), {POOL: wanted})
            if held is not None:
                return held
            left = self._map.current.stock_free
            if not left:
                self._tally.sold_out += 1
                return None
            wanted = min(wanted, left)
        return await self._office.acquire(buyer, (), {POOL: wanted})

    async def _abandon(self, floor: Floor, choices: random.Random, held: Held) -> None:
        if choices.random() >= RELEASES:
            self._tally.ran_out += 1  # in its own time
            return
        await self._think(floor, choices)
        await self._office.release(held)

    async def _think(self, floor: Floor, choices: random.Random) -> None:
        await self._take_time(floor, choices, DITHERING if choices.random() < DITHERS else THINKING)

    async def _take_time(self, floor: Floor, choices: random.Random, span: tuple[float, float]) -> None:
        await floor.stay_away(choices.uniform(*span) * self._settings.hold)
