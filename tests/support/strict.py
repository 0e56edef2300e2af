"""Strict checkout without a ledger: a test pins, and says itself what the ledger has decided."""

from __future__ import annotations

from typing import Any

from seatlock import Booking, Hold, _pinning
from seatlock._pinning import Finalised, Pinned


def pin(locker: Any, hold: Hold, payment: str | None = "pay", booking: str | None = None) -> Pinned:
    """Pin a hold through a locker of either colour."""
    found: Pinned = locker._seek(_pinning.pin("seatlock", hold, payment, booking))
    return found


def finalise(locker: Any, booking: Booking, *, sold: bool = True, tell: bool = False) -> Finalised:
    """Finalise a booking through a locker of either colour."""
    done: Finalised = locker._seek(_pinning.finalise("seatlock", booking, sold=sold, tell=tell))
    return done


def booking_of(pinned: Pinned) -> Booking:
    """What the ledger makes of a pin, once it has decided."""
    return Booking(
        *(pinned.booking, pinned.show, pinned.seats, pinned.holder, pinned.payment, pinned.fence, pinned.pinned_at),
        pools=pinned.pools,
    )
