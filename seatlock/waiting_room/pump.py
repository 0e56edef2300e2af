"""What the pump of a waiting room does next: let in, tidy, pause. Pure but for the clock."""

from __future__ import annotations

import logging
import random
import time
from typing import Final

from seatlock.errors import OutcomeUnknown, ScriptFailed, SeatLockError, ServerUnavailable
from seatlock.waiting_room.model import Admission

OUTLASTED: Final = (OutcomeUnknown, ScriptFailed, ServerUnavailable)
"""Errors that a pump outlasts: each of its calls can be repeated, so nothing is lost by trying again."""
TIDY_EVERY: Final = 1.0  # seconds
LONGEST_PAUSE: Final = 0.5  # seconds without a look: passes end, and people come back, at any time
SHORTEST_PAUSE: Final = 0.01
LONGEST_TROUBLE: Final = 5.0  # seconds between two tries while the server does not answer
_chance: Final = random.Random()  # noqa: S311 - that many pumps do not come back in step is no secret
_log = logging.getLogger("seatlock")


class Pump:
    """One pump: ``pause`` is the seconds until its next look, ``over`` is set once the room lets nobody in again."""

    def __init__(self, show: str) -> None:
        self.pause = 0.0
        self.over = False
        self._show = show
        self._tidied = -TIDY_EVERY
        self._failures = 0
        self._valueless = False

    def tidy_is_due(self) -> bool:
        """Whether it is time to tidy; if so, the next time is set."""
        now = time.monotonic()
        if now - self._tidied < TIDY_EVERY:
            return False
        self._tidied = now
        return True

    def admitted(self, admission: Admission) -> None:
        """Take in what a call let in."""
        self._failures = 0
        self.over = admission.room in ("closed", "sold_out")
        if admission.more and not admission.wait:
            self.pause = 0.0
        else:
            wait = LONGEST_PAUSE if admission.wait is None else admission.wait
            self.pause = min(max(wait, SHORTEST_PAUSE if admission.more else LONGEST_PAUSE / 2), LONGEST_PAUSE)

    def without_value(self, error: Exception) -> None:
        """Take in that the value from outside could not be had: it is asked for again, with every tidying."""
        if not self._valueless:
            _log.warning(
                "the order of the early of show %r is not drawn yet, since its value from outside cannot be had: %r",
                self._show,
                error,
            )
        self._valueless = True

    def failed(self, error: SeatLockError) -> None:
        """Take in that a call failed: say so once, and pause longer each time."""
        if self._failures == 0:
            _log.warning("the waiting room of show %r lets nobody in for now: %s", self._show, error)
        self._failures += 1
        self.pause = min(0.1 * 2 ** min(self._failures, 10), LONGEST_TROUBLE) * _chance.uniform(0.5, 1.0)
