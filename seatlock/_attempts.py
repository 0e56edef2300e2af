"""The retry policy, pure: what to send next, how long to pause, and which error to raise in the end.

Retries are seatlock's own, because it sends the same token again: a client that repeats an ambiguous command by
itself cannot know that. Pauses double from 5 ms to 250 ms, each shortened by a random part so that many callers do
not come back in step, and end with the caller's patience.
"""

from __future__ import annotations

import random
import re
import time
from typing import Any, Final

from seatlock._levels import Conversation, converse
from seatlock._operation import Step
from seatlock._replies import listing
from seatlock._seam import Fate, fate_of
from seatlock.errors import OutcomeUnknown, ScriptFailed, SeatLockError, ServerUnavailable
from seatlock.model import Wait

FIRST_PAUSE: Final = 0.005  # seconds
LONGEST_PAUSE: Final = 0.25  # seconds
GRACE: Final = 2.5  # seconds beyond the patience that an attempt under way may take; above the usual socket timeout
MOST_ATTEMPTS: Final = 1000  # a bound on top of the patience
MOST_TOLD: Final = 300  # characters of a foreign error's text

_SECRET: Final = re.compile(r"[0-9a-f]{32,}")


def _without_secrets(text: str) -> str:
    """What a client says of an error; some quote the whole command, with the tokens in it."""
    told = _SECRET.sub("…", text)
    return told if len(told) <= MOST_TOLD else f"{told[:MOST_TOLD]}…"


class Attempts:
    """The attempts to carry out one operation, for ``patience`` seconds.

    A client that sends again by itself tells only its last error, so an earlier one may have been ambiguous.
    """

    __slots__ = ("_ambiguous", "_by_source", "_client_sends_again", "_count", "_deadline", "_operation")

    def __init__(self, operation: Step, patience: float, *, client_sends_again: bool = False) -> None:
        self._operation = operation
        self._client_sends_again = client_sends_again
        self._deadline = time.monotonic() + patience
        self._by_source = False
        self._ambiguous = False
        self._count = 0

    def command(self) -> list[Any]:
        """The command to send now."""
        return self._operation.by_source() if self._by_source else self._operation.by_sha()

    def conversation(self, wait: Wait) -> Conversation:
        """What to say now where the script is followed by a wait."""
        return converse(self._operation, self.command(), wait, first=self._count == 0)

    def longest(self) -> float:
        """How many seconds the next attempt may take, where the client itself sets no bound.

        What patience is left and a grace, in which a client with bounds of its own says more than a mere timeout does.
        """
        return max(self._deadline - time.monotonic(), 0.0) + GRACE

    def failed(self, error: BaseException) -> float:
        """Take note of a failure: gives the seconds to pause before the next attempt, or raises the final error."""
        self._count += 1
        fate = fate_of(error)
        if fate is Fate.FORGOTTEN and not self._by_source:
            self._by_source = True
            return 0.0
        if fate is Fate.BROKEN or fate is Fate.REFUSED:
            raise self._verdict(fate, error) from error
        if fate is Fate.UNKNOWN or self._client_sends_again:
            self._ambiguous = True
        pause: float = min(FIRST_PAUSE * 2.0 ** min(self._count - 1, 10), LONGEST_PAUSE) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter is no secret
        if self._count >= MOST_ATTEMPTS or time.monotonic() + pause > self._deadline:
            raise self._verdict(fate, error) from error
        return pause

    def _verdict(self, fate: Fate, error: BaseException) -> SeatLockError:
        operation = self._operation
        about = f" for {listing(operation.seats)}" if operation.seats else ""
        what = f"{operation.script.name}{about} of show {operation.show!r}"
        why = f"{type(error).__name__}: {_without_secrets(str(error))}"
        unsure = self._ambiguous or (fate is Fate.BROKEN and operation.writes_facts)
        if unsure and not operation.only_reads:
            return OutcomeUnknown(
                f"{what}: no certain answer after {self._count} attempts ({why}); it may have "
                "been carried out: ask again with the same token and arguments.",
                show=operation.show,
                seats=operation.seats,
                token=operation.token,
            )
        if fate is not Fate.BROKEN and fate is not Fate.REFUSED:
            return ServerUnavailable(
                f"{what}: no answer from Redis in {self._count} attempts ({why}); nothing was changed: ask again later."
            )
        return ScriptFailed(f"{what}: Redis refused ({why}); mend the cause and ask again.")
