"""What there is to tell: sales in which seats are sold, given back and sold again."""

from __future__ import annotations

import random
from collections.abc import Sequence

from seatlock.outbox.events import BookingEvent, Kind, event_id


def event(
    booking: str, kind: Kind = "confirmed", *, show: str = "hamlet", seats: Sequence[str] = ("A-1",), fence: int = 1
) -> BookingEvent:
    name = event_id(show, booking, fence, kind)
    return BookingEvent(
        id=name, kind=kind, show=show, booking=booking, seats=tuple(seats), holder="ann", fence=fence, at=1.5
    )


def sale(count: int, *, shows: int = 3, seats: int = 10, seed: int = 1) -> list[BookingEvent]:
    """Events of some shows with few seats: what was confirmed is cancelled before its seats are sold again."""
    rng = random.Random(seed)
    events: list[BookingEvent] = []
    sold: dict[tuple[str, str], BookingEvent] = {}
    fence = 0
    while len(events) < count:
        fence += 1
        show = f"show/{rng.randrange(shows)}"
        wanted = rng.sample([f"Ä-{number}" for number in range(seats)], rng.randint(1, 3))
        taken = {booked.booking: booked for seat in wanted if (booked := sold.get((show, seat)))}
        for booked in taken.values():
            events.append(event(booked.booking, "cancelled", show=show, seats=booked.seats, fence=booked.fence or 0))
            for seat in booked.seats:
                del sold[show, seat]
        bought = event(f"b-{fence}", rng.choice(["confirmed"] * 4 + ["rejected"]), show=show, seats=wanted, fence=fence)
        events.append(bought)
        if bought.kind == "confirmed":
            sold |= {(show, seat): bought for seat in wanted}
    return events[:count]
