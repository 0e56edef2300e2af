"""The core that both lockers drive: what takes more than one request, the server checked once a show.

Every method is pure until its procedure is driven; bad arguments raise `InvalidRequest` before the first step.
"""

from __future__ import annotations

from typing import Any, Final, Literal, TypeVar

from seatlock import (
    _best,
    _blocks,
    _bounds,
    _channels,
    _limits,
    _operators,
    _pools,
    _procedures,
    _requests,
    _retiring,
    _snapshots,
    _stocktaking,
    _upkeep,
    _warming,
)
from seatlock._base import Base
from seatlock._board import Board
from seatlock._choosing import Wish
from seatlock._procedures import Procedure
from seatlock._tokens import new_token
from seatlock.errors import (
    HolderLimitExceeded,
    InvalidRequest,
    SaleNotOpen,
    SeatLockError,
    SeatsUnavailable,
    ServerUnavailable,
    ShowNotFound,
    UnknownSeats,
    UnsafeServer,
)
from seatlock.findings import Checked, Vitals
from seatlock.model import (
    Availability,
    Block,
    Booking,
    ChannelChange,
    Checkout,
    HeldSeats,
    Hold,
    Release,
    SeatState,
    Unblock,
    Warmed,
)
from seatlock.plan import SeatingPlan

T = TypeVar("T")

CERTAINLY_NO_HOLD: Final = (
    HolderLimitExceeded,
    InvalidRequest,
    SaleNotOpen,
    SeatsUnavailable,
    ServerUnavailable,
    ShowNotFound,
    UnknownSeats,
    UnsafeServer,
)
"""What an acquire may raise when it has surely left no hold behind."""


class Core(Base):
    """What a locker knows besides: the plans it has read, the shows with limits, the boards of free seats."""

    BOARDS: Final = 32  # shows whose free seats are kept for those who ask for the best

    def __init__(self, namespace: object, patience: object) -> None:
        super().__init__(namespace, patience, _procedures.Listed())
        self._plans = _snapshots.PlanCache()
        self._boards: dict[str, Board] = {}

    def best(  # noqa: PLR0913, PLR0917 - as many as the caller can say
        self,
        show: object,
        count: object,
        holder: object,
        ttl: object,
        token: object,
        section: object,
        category: object,
        adjacent: object,
        avoid_orphans: object,
        accessible: object,
        channel: object,
    ) -> _best.Quest:
        """Seek the best seats."""
        show = _bounds.show_id(show)
        wish = Wish(
            _bounds.seat_count(count),
            _section(section),
            None if category is None else _named("category", category),
            _bounds.flag("adjacent", adjacent),
            _bounds.flag("avoid_orphans", avoid_orphans),
            None if accessible is None else _bounds.flag("accessible", accessible),
        )
        request = _best.Request(
            self.namespace,
            wish,
            _bounds.text("holder", holder, limit=_bounds.MAX_HOLDER_BYTES),
            _bounds.ttl(ttl),
            new_token() if token is None else _bounds.token(token),
            token is None,
            _bounds.channel(channel),
        )
        return (yield from _best.seek(request, self._board(show), self.patience))

    def _board(self, show: str) -> Board:
        board = self._boards.get(show)
        if board is None:
            board = self._boards.setdefault(show, Board(self.namespace, show, self._plans))
            while len(self._boards) > self.BOARDS:
                self._boards.pop(next(iter(self._boards)), None)
        return board

    def read(self, board: Board) -> Procedure[None]:
        """Bring a board up to date."""
        try:
            yield from self._ready(board.show)
            yield from board.refresh()
        except SeatLockError as error:
            board.failed(error)
            raise

    # Procedures

    def acquire_many(self, show: object, requests: object) -> Procedure[list[Hold | SeatLockError]]:
        """Carry out many acquires."""
        return (yield from self._many(show, _requests.acquire_asks(self.namespace, show, requests)))

    def confirm_many(
        self, show: object, requests: object, wait: object = None
    ) -> Procedure[list[Booking | SeatLockError]]:
        """Carry out many confirms."""
        return (yield from self._many(show, _requests.confirm_asks(self.namespace, show, requests, wait)))

    def release_many(self, show: object, holds: object) -> Procedure[list[Release | SeatLockError]]:
        """Carry out many releases."""
        return (yield from self._many(show, _requests.release_asks(self.namespace, show, holds)))

    def availability(self, show: object, section: object, channel: object = None) -> Procedure[Availability]:
        """Read the states of a show or of one of its sections."""
        section = _section(section)
        channel = _bounds.channel(channel)
        show = yield from self._ready(show)
        return (yield from _snapshots.availability(self.namespace, show, section, self._plans, channel))

    def inspect(self, show: object, seats: object) -> Procedure[list[SeatState]]:
        """Read what is known of each seat."""
        seats = _bounds.seat_ids(seats)
        show = yield from self._ready(show)
        return (yield from _snapshots.inspect(self.namespace, show, seats, self._plans))

    def holds(self, show: object, holder: object) -> Procedure[list[HeldSeats]]:
        """List the live holds of a holder."""
        holder = _bounds.text("holder", holder, limit=_bounds.MAX_HOLDER_BYTES)
        show = yield from self._ready(show)
        return (yield from _limits.holds(self.namespace, show, holder))

    def warm(
        self,
        show: object,
        plan: Any,
        max_hold: object,
        outbox: object,
        progress: _warming.Progress | None,
        limits: tuple[object, Any] = (None, None),
        pools: object = None,
        checkout: object = "fast",
    ) -> Procedure[Warmed]:
        """Load a plan."""
        max_hold_ms = _bounds.milliseconds("max_hold", max_hold)
        if not isinstance(outbox, bool):
            raise InvalidRequest(f"outbox must be True or False, not {outbox!r}.")
        if checkout not in ("fast", "strict"):
            raise InvalidRequest(f"checkout must be 'fast' or 'strict', not {checkout!r}.")
        if checkout == "strict" and not outbox:
            raise InvalidRequest("checkout='strict' needs the outbox, which tells the ledger: leave outbox as it is.")
        if progress is not None and not callable(progress):  # pyright: ignore[reportUnnecessaryComparison]
            raise InvalidRequest(f"progress must be callable, not {type(progress).__name__}.")
        quantities = _bounds.quantities("pools", pools, most=_bounds.MAX_CAPACITY)
        plan = SeatingPlan.of(plan, needs_seats=not quantities)
        decided: Checkout = "strict" if checkout == "strict" else "fast"
        settings = _warming.Settings(
            max_hold_ms, outbox, _limits.checked(*limits, plan, quantities), quantities, decided
        )
        show = yield from self._ready(show)
        self._forget(show)
        return (yield from _warming.warm(self.namespace, show, plan, settings, progress))

    def set_status(
        self, show: object, status: Literal["open", "paused", "closed"], at: object = None
    ) -> Procedure[None]:
        """Open, pause or close a sale, at once or when a time comes."""
        at_ms = 0 if at is None else _bounds.moment("at", at)
        show = yield from self._ready(show)
        yield _upkeep.set_status(self.namespace, show, status, at_ms)

    def block(self, show: object, seats: object, reason: object) -> Procedure[Block]:
        """Take free seats off sale."""
        seats = _bounds.seat_ids(seats)
        reason = _bounds.reason(reason)
        show = yield from self._ready(show)
        done: Block = yield _blocks.block(self.namespace, show, seats, reason)
        return done

    def unblock(self, show: object, seats: object) -> Procedure[Unblock]:
        """Put blocked seats back on sale."""
        seats = _bounds.seat_ids(seats)
        show = yield from self._ready(show)
        done: Unblock = yield _blocks.unblock(self.namespace, show, seats)
        return done

    def set_channel(self, show: object, seats: object, channel: object) -> Procedure[ChannelChange]:
        """Put seats into a channel, or back to the public."""
        seats = _bounds.seat_ids(seats)
        channel = _bounds.channel(channel)
        show = yield from self._ready(show)
        done: ChannelChange = yield _channels.set_channel(self.namespace, show, seats, channel)
        return done

    def sweep(self, show: object) -> Procedure[int]:
        """Take back what is due."""
        show = yield from self._ready(show)
        return (yield from _procedures.sweep(self.namespace, show))

    def retire(self, show: object, unread: object) -> Procedure[None]:
        """Delete a show."""
        if unread not in ("keep", "discard"):
            raise InvalidRequest(f"unread must be 'keep' or 'discard', not {unread!r}.")
        show = yield from self._ready(show)
        self._forget(show)
        yield from _retiring.retire(self.namespace, show, "discard" if unread == "discard" else "keep")

    def force_release(
        self, show: object, seats: object, pools: object, holder: object, by: object, reason: object
    ) -> Procedure[Release]:
        """Free seats whoever holds them, and a holder's claims on pools."""
        what = _operators.freeing(seats, pools, holder, by, reason)
        show = yield from self._ready(show)
        return (yield from _operators.force_release(self.namespace, show, what, self._plans))

    def check(self, show: object) -> Procedure[Checked]:
        """Count a show and compare what is kept twice."""
        show = yield from self._ready(show)
        return (yield from _operators.check(self.namespace, show, self._plans))

    def vitals(self, show: object) -> Procedure[Vitals]:
        """Read how a show is."""
        show = yield from self._ready(show)
        pools: tuple[str, ...] = yield _pools.names(self.namespace, show)
        found: Vitals = yield _operators.vitals(self.namespace, show, pools)
        return found

    def look(self, show: str, pools: tuple[str, ...], cursor: bytes) -> Procedure[_stocktaking.Found]:
        """Look at some claims and sales of the pools of a show that was read before; first with no pools and 0."""
        found: _stocktaking.Found = yield _stocktaking.look(self.namespace, show, pools, cursor)
        return found

    def plan(self, show: object) -> Procedure[SeatingPlan]:
        """Read the plan of a show."""
        show = yield from self._ready(show)
        return (yield from self._plans.get(self.namespace, show))

    def records(self, show: str, seats: tuple[str, ...]) -> Procedure[list[SeatState]]:
        """Read what is known of up to `_operators.LOOK_STEP` seats of a show that was read before."""
        return (yield from _snapshots.inspect(self.namespace, show, seats, self._plans))

    def _forget(self, show: str) -> None:
        self._plans.forget(show)
        self._boards.pop(show, None)


def _section(section: object) -> str | None:
    """Check the name of a section; seats without one are the section of the empty name."""
    if section is None:
        return None
    return "" if section == "" else _named("section", section)


def _named(name: str, value: object) -> str:
    return _bounds.text(name, value, limit=_bounds.MAX_SEAT_BYTES)
