"""`Reconciler`: compares Redis with the ledger, once or in a loop."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import Final

from seatlock import _bounds
from seatlock._bounds import Duration
from seatlock.checkout._driver import Driver
from seatlock.errors import InvalidRequest, SeatLockError
from seatlock.ledger import Ledger
from seatlock.locker import SeatLocker
from seatlock.reconcile import _steps
from seatlock.reconcile._steps import Progress
from seatlock.reconcile.model import Reconciled

_log = logging.getLogger("seatlock")

DEFAULT_EVERY: Final = 3_600.0  # seconds
DEFAULT_PIN_AGE: Final = 60.0  # seconds


class Reconciler(Driver):
    """Compares what Redis and the ledger have of a show, and mends what differs. Threads may share one.

    It is for strict and for fast shows, while they are sold too, and beside the relay. ``locker`` and ``ledger`` stay
    open. ``pin_age`` is the seconds after which a pin is put back into the outbox that nobody has decided and that the
    outbox does not tell of (default 60).
    """

    def __init__(self, locker: SeatLocker, ledger: Ledger, *, pin_age: Duration = DEFAULT_PIN_AGE) -> None:
        super().__init__(locker, ledger)
        self._pin_age = _bounds.milliseconds("pin_age", pin_age) / 1000

    def one_pass(self, show: str, *, progress: Progress | None = None) -> Reconciled:
        """Go over a show once. ``progress`` is called with the bookings that were looked at again, and all of them.

        What it does may be repeated. Raises `LedgerUnavailable`, or what a locker raises where Redis cannot be asked:
        what was mended until then stays so.
        """
        return self._pass(show, progress, mends=True)

    def compare(self, show: str, *, progress: Progress | None = None) -> Reconciled:
        """Go over a show without changing anything: what `one_pass` would mend is told as not mended."""
        return self._pass(show, progress, mends=False)

    def _pass(self, show: str, progress: Progress | None, *, mends: bool) -> Reconciled:
        begin = time.monotonic()
        settings = _steps.Settings(self._pin_age, mends, progress)
        done = self._drive(_steps.reconcile(self._namespace, show, settings))
        return _steps.timed(done, time.monotonic() - begin)

    def run(
        self,
        shows: Iterable[str],
        *,
        every: Duration = DEFAULT_EVERY,
        stop: threading.Event | None = None,
        report: Callable[[Reconciled | SeatLockError], object] | None = None,
    ) -> None:
        """Go over shows again and again, every ``every`` seconds (default 3,600), until ``stop`` is set.

        ``report`` is given what each pass found, or why it did not come to its end: the next one tries again.
        """
        named = [_bounds.show_id(show) for show in shows]
        if not named:
            raise InvalidRequest("name at least one show to reconcile.")
        pause = _bounds.milliseconds("every", every) / 1000
        stopped = threading.Event() if stop is None else stop
        while not stopped.is_set():
            begin = time.monotonic()
            for show in named:
                if stopped.is_set():
                    return
                done: Reconciled | SeatLockError
                try:
                    done = self.one_pass(show)
                except SeatLockError as error:
                    _log.warning("show %r could not be reconciled, which is tried again: %s", show, error)
                    done = error
                if report is not None:
                    report(done)
            stopped.wait(max(0.0, pause - (time.monotonic() - begin)))
