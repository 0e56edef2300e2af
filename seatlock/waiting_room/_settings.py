"""What the settings of a waiting room may be: checked before anything is sent."""

from __future__ import annotations

from typing import Final

from seatlock import _bounds
from seatlock.errors import InvalidRequest
from seatlock.waiting_room._commands import MOST_A_CALL
from seatlock.waiting_room.model import RoomSettings

MOST_PLACES: Final = 2**32 - 1
WHOLE: Final = {"max_length": (1, MOST_PLACES), "rate": (1, 10**6), "burst": (1, 10**6), "batch": (1, MOST_A_CALL)}


def whole(name: str, value: object, least: int, most: int) -> int:
    """Check a whole number."""
    if type(value) is not int or not least <= value <= most:
        raise InvalidRequest(f"{name} is {value!r}; give a whole number from {least:,} to {most:,}.")
    return value


def checked(settings: RoomSettings) -> dict[str, int]:
    """Check settings: gives their times in milliseconds."""
    for name, (least, most) in WHOLE.items():
        whole(f"settings.{name}", getattr(settings, name), least, most)
    whole("settings.renewals", settings.renewals, 0, 1000)
    if settings.concurrency is not None:
        whole("settings.concurrency", settings.concurrency, 1, 10**7)
    names = ("per", "reservation", "pass_ttl", "grace", "keep", "poll")
    times = {name: _bounds.milliseconds(f"settings.{name}", getattr(settings, name)) for name in names}
    if 5 * times["grace"] < 12 * times["poll"]:  # clients add up to a fifth, and after an outage half of grace is left
        raise InvalidRequest(
            "settings.grace is shorter than 2.4 times settings.poll, so those who ask as they are told would be passed "
            "over after an outage: make grace longer, or poll shorter."
        )
    if times["keep"] < times["grace"]:
        raise InvalidRequest(
            "settings.keep is shorter than settings.grace: nobody loses a place before being passed over for a while."
        )
    if times["reservation"] < times["poll"]:
        raise InvalidRequest(
            "settings.reservation is shorter than settings.poll, so it would be over before its holder asks: make "
            "reservation longer, or poll shorter."
        )
    return times
