"""Everything seatlock raises: one tree, whose messages say what happened, to what, and what to do next.

Rules of this module:

- No message ever contains a token. The errors that need one carry it as an attribute.
- The first argument of every error is its message, everything else is an attribute with a default, so that
  errors survive pickling between processes.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from seatlock.model import Booking, Conflict, PoolConflict

__all__ = [
    "BookingConflict",
    "HoldLost",
    "HolderLimitExceeded",
    "InvalidPlan",
    "InvalidRequest",
    "LedgerFailed",
    "LedgerUnavailable",
    "LostReason",
    "NotAdmitted",
    "OutcomeUnknown",
    "PlanConflict",
    "PublishFailed",
    "SaleNotOpen",
    "ScriptFailed",
    "SeatLockError",
    "SeatsUnavailable",
    "ServerUnavailable",
    "ShowInUse",
    "ShowNotFound",
    "UnknownSeats",
    "UnsafeServer",
    "WaitingRoomClosed",
    "WaitingRoomFull",
    "WrongCheckout",
]

LostReason = Literal["expired", "taken", "released", "lost", "sold"]
"""Why a hold is no longer there.

``expired``: its time ran out. ``taken``: somebody else holds a seat of it now, or the house has blocked it.
``released``: it was given back. ``lost``: its lock is gone though its time had not run out and nobody released it.
``sold``: a seat of it is sold.
"""


class SeatLockError(Exception):
    """Base of everything that seatlock raises on purpose."""


class InvalidRequest(SeatLockError, ValueError):
    """An argument is unusable, and nothing has changed.

    Raised before anything is sent; only that a time to open a sale has passed is for the server's clock to say.
    """


class InvalidPlan(InvalidRequest):
    """A seating plan cannot be used; the message names the place in the file."""


class ShowNotFound(SeatLockError):
    """The show was never warmed, was retired, or its data is gone: it sells nothing until it is warmed again."""

    def __init__(self, message: str, *, show: str = "") -> None:
        super().__init__(message)
        self.show = show


class ShowInUse(SeatLockError):
    """A show cannot be retired yet: holds, pins or outbox entries, unread or set aside, remain."""

    def __init__(self, message: str, *, holds: int = 0, pins: int = 0, outbox: int = 0) -> None:
        super().__init__(message)
        self.holds = holds
        self.pins = pins
        self.outbox = outbox


class UnknownSeats(SeatLockError):
    """Some of the seats are not in the show's plan, or the show has no such pools."""

    def __init__(self, message: str, *, seats: tuple[str, ...] = (), pools: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.seats = seats
        self.pools = pools


class PlanConflict(SeatLockError):
    """Warming would change a seat that is held, pinned or sold, drop a seat or a pool, or bring limits too late.

    Or another checkout, likewise too late, or it would make a pool smaller than what is held and sold of it.
    ``conflicts`` maps each such seat and pool, by its name, to what stands in the way; it is empty where nothing of
    these does.
    """

    def __init__(self, message: str, *, conflicts: Mapping[str, str] = MappingProxyType({})) -> None:
        super().__init__(message)
        self.conflicts = dict(conflicts)


class SeatsUnavailable(SeatLockError):
    """At least one seat is not free, or a pool has not enough left, so nothing was taken, or blocked.

    ``conflicts`` maps every seat that stood in the way to its state and the seconds until it may come back; ``pools``
    maps every pool that did to how many are left.
    """

    def __init__(
        self,
        message: str,
        *,
        conflicts: Mapping[str, Conflict] = MappingProxyType({}),
        pools: Mapping[str, PoolConflict] = MappingProxyType({}),
    ) -> None:
        super().__init__(message)
        self.conflicts = dict(conflicts)
        self.pools = dict(pools)


class SaleNotOpen(SeatLockError):
    """The show takes no new holds now. Holds that exist can still be extended, confirmed and released.

    ``status`` is ``paused`` or ``closed``; ``opens_in`` is the number of seconds until the sale opens by itself, by
    the server's clock, or None where no opening time is to come.
    """

    def __init__(self, message: str, *, status: str = "closed", opens_in: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.opens_in = opens_in


class NotAdmitted(SeatLockError):
    """The show requires admission and the holder has no live pass: join the waiting room first."""

    def __init__(self, message: str, *, show: str = "") -> None:
        super().__init__(message)
        self.show = show


class HolderLimitExceeded(SeatLockError):
    """The holder would have more, held and sold, than one holder may have; nothing was taken.

    ``limit`` is how many seats and quantities of pools that is, of the show or, where it is set, of ``category`` or
    ``pool``; ``held`` is how many of these the holder has already, held and sold.
    """

    def __init__(
        self, message: str, *, limit: int = 0, held: int = 0, category: str | None = None, pool: str | None = None
    ) -> None:
        super().__init__(message)
        self.limit = limit
        self.held = held
        self.category = category
        self.pool = pool


class WaitingRoomFull(SeatLockError):
    """The waiting room takes nobody more at the moment."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class WaitingRoomClosed(SeatLockError):
    """The waiting room takes nobody any more: ``status`` is ``closed`` or ``sold_out``."""

    def __init__(self, message: str, *, status: str = "closed") -> None:
        super().__init__(message)
        self.status = status


class HoldLost(SeatLockError):
    """The hold is not the caller's any more, in whole or in part, so nothing was changed.

    ``reason`` is the gravest of ``seats`` and ``pools``, which map each lost seat and each pool whose quantity is lost
    to its own reason. ``token`` is the hold's. After a confirm, ``payment`` is the reference to refund, if it was
    given; ``paid_for`` names all seats that it was for, lost or not, and ``paid_pools`` the quantities of pools.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: LostReason = "lost",
        seats: Mapping[str, LostReason] = MappingProxyType({}),
        pools: Mapping[str, LostReason] = MappingProxyType({}),
        token: str | None = None,
        payment: str | None = None,
        paid_for: tuple[str, ...] = (),
        paid_pools: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        super().__init__(message)
        self.reason: LostReason = reason
        self.seats = dict(seats)
        self.pools = dict(pools)
        self.token = token
        self.payment = payment
        self.paid_for = paid_for
        self.paid_pools = dict(paid_pools)


class BookingConflict(SeatLockError):
    """The hold is confirmed already, with another payment: somebody was charged twice.

    ``booking`` is the booking on record; refund the payment that was just refused.
    """

    def __init__(self, message: str, *, booking: Booking | None = None) -> None:
        super().__init__(message)
        self.booking = booking


class WrongCheckout(SeatLockError):
    """The show makes its bookings in another way, so nothing was changed.

    On a show with ``strict`` checkout the ledger decides: `confirm` and `cancel` refuse, use ``StrictCheckout``. On one
    with ``fast`` checkout it is ``StrictCheckout`` that is refused. ``checkout`` is what the show was warmed with.
    """

    def __init__(self, message: str, *, show: str = "", checkout: Literal["fast", "strict"] = "strict") -> None:
        super().__init__(message)
        self.show = show
        self.checkout: Literal["fast", "strict"] = checkout


class OutcomeUnknown(SeatLockError):
    """The request may have been carried out or not: the answer did not come.

    Ask again with the same ``token`` (and the same arguments): the request then has one effect in all.
    """

    def __init__(self, message: str, *, show: str = "", seats: tuple[str, ...] = (), token: str | None = None) -> None:
        super().__init__(message)
        self.show = show
        self.seats = seats
        self.token = token


class ServerUnavailable(SeatLockError):
    """Redis could not be asked in the time given, and certainly changed nothing: asking again is safe."""


class UnsafeServer(SeatLockError):
    """The server cannot keep locks: it evicts keys, or it is a read-only replica."""


class ScriptFailed(SeatLockError):
    """A script was refused or failed: a key holds something foreign, a command is not permitted, memory is full.

    Safe to ask again, with the same token, once the cause is mended.
    """


class LedgerUnavailable(SeatLockError):
    """The ledger's database could not be asked in the time given, or did not tell what became of it.

    What was asked may have been done: ask again, with the same arguments, and the answer is what was decided then, or
    is decided now. Until there is an answer, nobody may be told yes or no.
    """


class LedgerFailed(SeatLockError):
    """The ledger's database refused: its tables are not there or not of this version, or it holds something foreign.

    Nothing was changed. Asking again gives the same until the cause is mended.
    """


class PublishFailed(SeatLockError):
    """A broker may not have all of the events: it is away, it refused, or nobody asked to be told.

    Some of them were perhaps told. Tell the same events again, before any later ones of the same shows; whoever reads
    them knows by its id what it has seen already.
    """
