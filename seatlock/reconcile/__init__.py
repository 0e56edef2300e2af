"""Reconcile: compares what Redis and the ledger have of a show, and mends what differs (extra ``ledger``).

with SeatLocker.from_url(…) as locker, Ledger("postgresql://…") as ledger:
found = Reconciler(locker, ledger).one_pass("hamlet")
"""

from __future__ import annotations

from seatlock.reconcile.model import Kind, Mismatch, Reconciled
from seatlock.reconcile.reconciler import Reconciler

__all__ = ["Kind", "Mismatch", "Reconciled", "Reconciler"]
