"""Strict checkout: Redis pins what a hold has, the ledger decides, and only then anybody is told (extra ``ledger``).

    with SeatLocker.from_url(…) as locker, Ledger("postgresql://…") as ledger:
        checkout = StrictCheckout(locker, ledger)
        booking = checkout.confirm(hold, payment="pay_123")

It is for shows that were warmed with ``checkout="strict"``.
"""

from __future__ import annotations

from seatlock.checkout.aio import AsyncStrictCheckout
from seatlock.checkout.strict import StrictCheckout

__all__ = ["AsyncStrictCheckout", "StrictCheckout"]
