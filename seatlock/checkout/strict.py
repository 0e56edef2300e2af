"""`StrictCheckout`: confirming and cancelling where the ledger decides. `seatlock.checkout.aio` is its twin."""

from __future__ import annotations

from seatlock._bounds import Moment
from seatlock.checkout import _loading, _steps
from seatlock.checkout._driver import Driver
from seatlock.checkout._loading import Loaded
from seatlock.ledger import Ledger
from seatlock.locker import SeatLocker
from seatlock.model import Booking, Cancellation, Hold


class StrictCheckout(Driver):
    """Turns holds into bookings that no failover of Redis can lose or sell twice. Threads may share one.

    ``locker`` pins what a hold has, ``ledger`` decides; both stay open when this is let go of. Shows are warmed with
    ``checkout="strict"`` and opened with `open_sale` of this class.

    Every method may raise, besides what it names, what a `SeatLocker` may; and `LedgerFailed` where the ledger's
    database refuses: nobody was told yes or no then, so ask again once the cause is mended.
    """

    def __init__(self, locker: SeatLocker, ledger: Ledger) -> None:
        super().__init__(locker, ledger)
        self._pools = _loading.Pools(self._namespace)

    def confirm(self, hold: Hold, *, payment: str | None = None, booking: str | None = None) -> Booking:
        """Turn a hold into a booking: ``confirmed`` is told only once the ledger has committed it.

        ``payment`` is the payment's reference, ``booking`` the booking's id, derived from token and seats by default.
        Asking again with the same arguments has one effect in all, and gives the same answer.

        ``pending``: the ledger cannot be reached, so nobody knows yet. What was pinned stays pinned, the relay has it
        decided later, and `outcome` tells. ``rejected``: the ledger has sold something of it to somebody else, for
        good; refund the payment, and begin anew with a new token. ``cancelled``: it was cancelled before.

        Raises `HoldLost`, which the ledger remembers too, or `BookingConflict` where the hold was confirmed with
        another payment.
        """
        return self._drive(_steps.confirm(self._namespace, hold, payment, booking, self._pools.tell))

    def outcome(self, booking: Booking) -> Booking:
        """Tell what became of a booking, most of all one that is pending.

        One that is neither decided nor pinned any more is ``cancelled`` by asking, so that this answer is final as
        well. Raises `LedgerUnavailable`.
        """
        return self._drive(_steps.outcome(self._namespace, booking))

    def cancel(self, booking: Booking, *, by: str, reason: str | None = None) -> Cancellation:
        """Undo a booking (a refund), in the ledger first: its seats and quantities are free again.

        ``by`` says who does it and ``reason`` why (256 bytes each), for the audit. Asking again does what is left to
        do, so do that where Redis cannot be reached in the middle of it; else `seatlock reconcile` does it. A booking
        that is not decided yet never will be. Raises `LedgerUnavailable`.
        """
        return self._drive(_steps.cancel(self._namespace, booking, by, reason))

    def load(self, show: str) -> Loaded:
        """Bring to Redis what the ledger has of a show, sold seats and epoch; and the pools of the show to the ledger.

        It may be repeated, also while the sale runs: after pools were warmed again with other capacities, for one.
        Raises `PlanConflict` where more of a pool is sold than it has by now.
        """
        return self._drive(_loading.load(self._namespace, show))

    def open_sale(self, show: str, at: Moment | None = None) -> Loaded:
        """Open the sale as the locker's `open_sale` does, after what the ledger has was loaded."""
        loaded = self.load(show)
        self._locker.open_sale(show, at)
        return loaded
