"""Plain numbered tickets: every user wants any one, always pays, and tries until there are none left."""

from __future__ import annotations

import random

from seatlock.simulation.box_office import BoxOffice
from seatlock.simulation.floor import Floor
from seatlock.simulation.house import House
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
