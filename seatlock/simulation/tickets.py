"""Plain tickets, numbered or out of a pool: every user wants any one, always pays, and tries until none are left."""

from __future__ import annotations

import random

from seatlock.simulation.box_office import BoxOffice
from seatlock.simulation.floor import Floor
from seatlock.simulation.house import POOL, House
from seatlock.simulation.seat_map import SeatMap
from seatlock.simulation.settings import Settings


class Tickets:
    """What the users do: see `shop`. With n tickets and more users, n are booked and the rest fail, always."""

    def __init__(self, house: House, seat_map: SeatMap, office: BoxOffice, settings: Settings) -> None:
        self._house = house
        self._map = seat_map
        self._office = office
        self._settings = settings

    async def shop(self, floor: Floor, number: int) -> None:
        """One user: gives up only when every ticket is sold, for one that is held may come back."""
        choices = random.Random(self._settings.seed << 32 | number)  # noqa: S311 - to be repeated, not to be secret
        seen = self._map.current
        while not floor.closed:
            if seen.popular_free:
                ticket = self._house.ids[choices.choice(seen.popular_free)]
                held = await self._office.acquire(f"user-{number}", (ticket,))
                if held is not None and await self._office.confirm(held, f"payment-{number}") is not None:
                    return
            elif not seen.held:
                return
            seen = await self._map.newer()


class Admissions:
    """As `Tickets`, where the tickets have no numbers: they are a pool."""

    def __init__(self, seat_map: SeatMap, office: BoxOffice) -> None:
        self._map = seat_map
        self._office = office

    async def shop(self, floor: Floor, number: int) -> None:
        """One user: asks at least once, and gives up only when every ticket is sold; one that is held may come back."""
        while not floor.closed:
            held = await self._office.acquire(f"user-{number}", (), {POOL: 1})
            if held is not None and await self._office.confirm(held, f"payment-{number}") is not None:
                return
            if not await self._wait_for_one(floor):
                return

    async def _wait_for_one(self, floor: Floor) -> bool:
        """Wait until a ticket is free; whether there is one. What is sold out stays so: nobody cancels."""
        seen = self._map.current
        while not floor.closed and (seen.held or seen.stock_free):
            seen = await self._map.newer()
            if seen.stock_free:
                return True
        return False
