"""`AsyncSeatLocker`: the asyncio door to seatlock, twin of `seatlock.locker`; the logic is `seatlock._core`'s."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Literal, Self, TypeVar

from seatlock import _commands, _connect, _requests
from seatlock._async_door import AsyncDoor
from seatlock._base import DEFAULT_PATIENCE
from seatlock._bounds import DEFAULT_EXPECTED, DEFAULT_MAX_HOLD, DEFAULT_TTL, Duration, Moment
from seatlock._core import CERTAINLY_NO_HOLD, Core
from seatlock._lanes import GROUPED, ONE_BY_ONE
from seatlock._levels import waiting_ask
from seatlock._operation import Ask
from seatlock._pursuit import pursue_async
from seatlock._warming import Progress
from seatlock.errors import SeatLockError
from seatlock.findings import Checked
from seatlock.model import (
    AcquireRequest,
    Availability,
    BestHold,
    Block,
    Booking,
    Cancellation,
    ChannelChange,
    Checkout,
    ConfirmRequest,
    HeldSeats,
    Hold,
    Release,
    SeatState,
    Unblock,
    Wait,
    Warmed,
)
from seatlock.plan import Seat, SeatingPlan

T = TypeVar("T")


class AsyncSeatLocker(AsyncDoor[Core]):
    """Holds, confirms and releases seats of shows in Redis. A locker belongs to one event loop.

    Calls made at the same time share script calls (the group commit), without a timer: throughput is many times that of
    a call each. ``batching=False`` gives every request a call of its own. Cancelling a call never harms: what is under
    way completes, and a hold that nobody can know of is released.

    ``client`` is a `redis.asyncio.Redis` or `redis.asyncio.RedisCluster`; it keeps its own settings, and stays open
    when the locker closes. ``namespace`` starts every key. ``patience`` is how many seconds one call goes on trying
    when Redis does not answer; every attempt carries the same token, so that they have one effect in all.

    Every method may raise, besides what it names: `InvalidRequest` (before anything is sent), `ShowNotFound`,
    `UnsafeServer` (on the first use of a show), `ServerUnavailable` (nothing was changed), `OutcomeUnknown` (ask again
    with the same token) and `ScriptFailed`.
    """

    def __init__(
        self,
        client: _connect.AsyncClient,
        *,
        namespace: str = "seatlock",
        patience: Duration = DEFAULT_PATIENCE,
        batching: bool = True,
    ) -> None:
        super().__init__(client, Core(namespace, patience), GROUPED if batching else ONE_BY_ONE)

    @classmethod
    def from_url(
        cls,
        url: str,
        *,
        namespace: str = "seatlock",
        patience: Duration = DEFAULT_PATIENCE,
        batching: bool = True,
        **options: Any,
    ) -> Self:
        """Make a locker with a client of its own, closed with it.

        ``url``: ``redis://``, ``rediss://``, ``unix://``, ``redis+cluster://host:port``,
        ``redis+sentinel://host:26379/service/0``, or ``embedded://`` for a private server that ends with the locker.
        ``options`` go to the client, for example ``max_connections``. Its own retries are off: seatlock's are better.
        """
        Core(namespace, patience)  # refuses what is wrong before a server is started
        client, server = _connect.async_client(url, options)
        locker = cls(client, namespace=namespace, patience=patience, batching=batching)
        locker._owned = [client, *([server] if server else [])]
        return locker

    # The four verbs of a hold, and cancel

    async def acquire(
        self,
        show: str,
        seats: Iterable[str] = (),
        *,
        holder: str,
        ttl: Duration = DEFAULT_TTL,
        token: str | None = None,
        pools: Mapping[str, int] | None = None,
        channel: str | None = None,
    ) -> Hold:
        """Hold seats, all or none, for ``ttl`` (seconds or timedelta, default 600 s, cut at the show's maximum).

        ``pools`` maps pools to quantities (1 to 1,000), held together with the seats or not at all; with pools, seats
        may be left out. A holder has one live claim on a pool: asking for as many or fewer gives that one back.

        ``holder`` is the application's authenticated user or session. Asking again for seats of one own hold gives
        that hold back, ``resumed``, with the time that is left. ``token`` (see `seatlock.new_token`) makes a repeated
        call safe across processes, and adds seats to the hold it names: name the whole basket. ``channel`` (see
        `set_channel`) asks for seats of that channel and of the public; without it only those of the public are free.

        Raises `SeatsUnavailable` (naming every seat and pool in the way), `UnknownSeats`, `SaleNotOpen`, or
        `HolderLimitExceeded` on a show with limits.
        """
        ask = _commands.acquire(self._core.namespace, show, seats, holder, ttl, token, pools, channel)
        future = self._batcher.queue(ask)  # what `submit` does, written out: a coroutine less, for most calls are these
        try:
            return await future
        except (asyncio.CancelledError, GeneratorExit):
            self._batcher.abandon(ask, future)
            raise

    async def extend(self, hold: Hold, *, ttl: Duration) -> Hold:
        """Give a hold ``ttl`` from now: never shortens, and is cut at the show's maximum lifetime of a hold.

        The answer's ``ttl`` shows what was given. Raises `HoldLost`.
        """
        return await self._batcher.submit(_commands.extend(self._core.namespace, hold, ttl))

    async def begin_payment(self, hold: Hold, *, expected: Duration = DEFAULT_EXPECTED) -> Hold:
        """Give a hold the time that its payment takes: it lasts at least ``expected`` (seconds or timedelta) from now.

        Only the first call for a hold has an effect: another one answers with the hold as it is. Never shortens. May go
        beyond the show's maximum lifetime of a hold, by 600 s at most; the answer's ``ttl`` shows what was given.
        ``expected`` is 300 s by default, 1 ms to 24 h. Works while the sale is paused or closed. Raises `HoldLost`.
        """
        return await self._batcher.submit(_commands.begin_payment(self._core.namespace, hold, expected))

    async def confirm(
        self,
        hold: Hold,
        *,
        payment: str | None = None,
        booking: str | None = None,
        reclaim: bool = False,
        wait: Wait | None = None,
    ) -> Booking:
        """Turn a hold into a booking: its seats are sold, and the fact is in the outbox.

        ``payment`` is the payment's reference; confirming again with the same one answers with the same booking.
        ``booking`` is the booking's id, derived from token and seats by default. Works while the sale is paused or
        closed. Raises `HoldLost`, or `BookingConflict` where the hold is confirmed with another payment. What its token
        has claimed beyond the hold of the same pools is given back.

        ``reclaim`` is for payments that come late: if the hold's time has run out and all of its seats and quantities
        are still free, they are sold at once, under a new token, fence and booking id (one given stays), unless that
        takes the holder over a limit of the show; else `HoldLost` says what to refund. Retries need ``reclaim`` too;
        never ask for a payment that is refunded.
        ``wait`` (see `Wait`) asks for copies of what was sold; ``Booking.replicas`` and ``on_disk`` tell of them.
        """
        ask = _commands.confirm(self._core.namespace, hold, payment, booking, reclaim=reclaim)
        if wait is not None:
            ask = waiting_ask(ask, wait)
        future = self._batcher.queue(ask)
        try:
            return await future
        except (asyncio.CancelledError, GeneratorExit):
            self._batcher.abandon(ask, future)
            raise

    async def release(self, hold: Hold) -> Release:
        """Give a hold back. Seats that are not this hold's any more are left alone; the answer says so for each.

        Of the pools of the hold, all that its token has there is given back.
        """
        return await self._batcher.submit(_commands.release(self._core.namespace, hold))

    async def cancel(self, booking: Booking) -> Cancellation:
        """Undo a booking (a refund): the seats and quantities that still belong to it are free again."""
        return await self._batcher.submit(_commands.cancel(self._core.namespace, booking))

    async def acquire_best(  # noqa: PLR0913 - all but the first two by name
        self,
        show: str,
        count: int,
        *,
        holder: str,
        ttl: Duration = DEFAULT_TTL,
        token: str | None = None,
        section: str | None = None,
        category: str | None = None,
        adjacent: bool = True,
        avoid_orphans: bool = True,
        accessible: bool | None = None,
        channel: str | None = None,
    ) -> BestHold:
        """Hold the best ``count`` seats (1 to 100) that are free, for ``ttl`` (as `acquire`); says whether they adjoin.

        The best adjoin in one row, leave no single seat alone beside them (``avoid_orphans``; unless there is no other
        way) and are nearest to the middle of the plan's first row. Where no seats adjoin, those as close as possible
        are given; with ``adjacent=False`` just the nearest. ``section`` and ``category`` narrow the choice by name,
        ``accessible`` to seats that are (True) or are not (False); ``channel`` adds its seats to those of the public.
        ``token`` as in `acquire`: asked again with it, the same seats are the answer.

        Raises `SeatsUnavailable` if so many seats are not free, `UnknownSeats` for a section and `InvalidRequest` for a
        category that is not there, `SaleNotOpen`, `ServerUnavailable` if others were faster until the patience ran out,
        or on a show with limits `HolderLimitExceeded`: seats of a category that is over its limit are left out first.
        """
        wish = (section, category, adjacent, avoid_orphans, accessible)
        quest = self._core.best(show, count, holder, ttl, token, *wish, channel)
        self._batcher.check_loop()
        return await pursue_async(quest, lambda board: self._follow(self._core.read(board)), self._seek)

    async def acquire_many(self, show: str, requests: Iterable[AcquireRequest]) -> list[Hold | SeatLockError]:
        """Carry out many acquires of one show in few calls: an answer each, in order, errors among them."""
        return await self._many(show, _requests.acquire_asks(self._core.namespace, show, requests))

    async def confirm_many(
        self, show: str, requests: Iterable[ConfirmRequest], *, wait: Wait | None = None
    ) -> list[Booking | SeatLockError]:
        """Carry out many confirms of one show in few calls, which wait once each: an answer each, errors among them."""
        return await self._many(show, _requests.confirm_asks(self._core.namespace, show, requests, wait))

    async def release_many(self, show: str, holds: Iterable[Hold]) -> list[Release | SeatLockError]:
        """Carry out many releases of one show in few calls: an answer each, in order, errors among them."""
        return await self._many(show, _requests.release_asks(self._core.namespace, show, holds))

    @asynccontextmanager
    async def holding(
        self,
        show: str,
        seats: Iterable[str] = (),
        *,
        holder: str,
        ttl: Duration = DEFAULT_TTL,
        pools: Mapping[str, int] | None = None,
        channel: str | None = None,
    ) -> AsyncGenerator[Hold, None]:
        """Hold seats for the length of an ``async with`` block, whose body never runs without the hold.

        On every exit the hold is released, unless it was resumed, and except for seats that are sold by then. If that
        release fails, the hold ends by itself.
        """
        ask = _commands.acquire(self._core.namespace, show, seats, holder, ttl, None, pools, channel)
        try:
            hold = await self._batcher.submit(ask)  # which undoes it by itself if this is cancelled
        except CERTAINLY_NO_HOLD:
            raise
        except SeatLockError:
            await self._release_quietly(ask)
            raise
        try:
            yield hold
        finally:
            if not hold.resumed:
                await self._release_quietly(ask)

    async def _release_quietly(self, ask: Ask[Hold]) -> None:
        with suppress(SeatLockError):  # the batcher has logged it
            await asyncio.shield(self._batcher.release(ask))

    # What is known of seats

    async def availability(self, show: str, *, section: str | None = None, channel: str | None = None) -> Availability:
        """Read the states of all seats, or of one section's, and the stock of pools, at one version of the show.

        Free seats of the ``channel`` that is named are ``free``, those of other channels are ``channel``.
        """
        return await self._follow(self._core.availability(show, section, channel))

    async def inspect(self, show: str, seats: Iterable[str]) -> list[SeatState]:
        """Tell what is known of up to 100 seats, for support staff: state, holder, booking; never a token."""
        return await self._follow(self._core.inspect(show, seats))

    async def check(self, show: str) -> Checked:
        """Find out whether a show adds up: counts and capacity at one version, and all that is kept of each seat.

        Lock, availability hash and due set are compared, in bounded steps, also while the sale runs. The claims and
        sales of each pool are added up. Nothing is changed or repaired.
        """
        return await self._follow(self._core.check(show))

    async def force_release(
        self,
        show: str,
        seats: Iterable[str] = (),
        *,
        pools: Iterable[str] = (),
        holder: str | None = None,
        by: str,
        reason: str,
    ) -> Release:
        """Free up to 100 seats whoever holds them, for the staff; never pinned or sold ones.

        With ``pools`` and ``holder`` also all that this holder has on hold of these pools: ``pools`` of the answer
        tells how many of each were given back.

        ``by`` says who does it and ``reason`` why (256 bytes each): both stand in the show's audit stream, with seat,
        holder and fence. The answer has the words of `release`; ``taken`` went to another hold meanwhile. The holder
        learns it as `HoldLost`, reason ``released``. Raises `UnknownSeats`.
        """
        return await self._follow(self._core.force_release(show, seats, pools, holder, by, reason))

    async def holds(self, show: str, *, holder: str) -> list[HeldSeats]:
        """List what a holder has on hold, of pools too, oldest first; one made in several calls is listed for each.

        Tokens are not told: to act on a hold, acquire its seats again, which resumes it. A show with limits keeps a
        list of each holder's seats; on one without, all seats that are on hold are looked at, in bounded steps.
        """
        return await self._follow(self._core.holds(show, holder))

    # The life of a show

    async def warm(  # noqa: PLR0913 - as many as a show has settings
        self,
        show: str,
        plan: SeatingPlan | Iterable[str | Seat] = (),
        *,
        max_hold: Duration = DEFAULT_MAX_HOLD,
        outbox: bool = True,
        progress: Progress | None = None,
        limit: int | None = None,
        limits: Mapping[str, int] | None = None,
        pools: Mapping[str, int] | None = None,
        checkout: Checkout = "fast",
    ) -> Warmed:
        """Load a show's seats; a new show is closed until `open_sale`. May be repeated: it never makes a seat free.

        ``max_hold`` is how long a hold may last in all (default 1,800 s). ``outbox=False`` is for those without a
        ledger: confirmed facts are then not kept for one. ``progress`` is called with the seats loaded and all seats.
        ``pools`` maps up to 32 pools to their capacities, which warming again can change; a show with pools may do
        without a plan. ``checkout="strict"`` leaves it to the ledger what is sold, so `confirm` and `cancel` refuse
        (`WrongCheckout`); it needs the outbox, is named again at every warming, and is settled by the first hold.

        ``limit`` is how many seats one holder may have, held and sold together, what it has of pools counted (1 to 500;
        by default there is none), ``limits`` how many of a category or a pool, by its name; where there is any, a
        holder has at most 500 in all. They can be changed by warming again, also with holds about: name all of them
        every time, those that are not named are lifted (``Warmed.lifted``). A show that gave holds without gets none.

        Raises `PlanConflict` where a seat that is held or sold would change, or one would be dropped, likewise a pool,
        where a pool would hold less than is held and sold of it, or where limits or another checkout come too late;
        `ScriptFailed` where a pool has lost its counts; `ShowInUse` while the show is being retired.
        """
        settings = (max_hold, outbox, progress, (limit, limits), pools, checkout)
        return await self._follow(self._core.warm(show, plan, *settings))

    async def open_sale(self, show: str, at: Moment | None = None) -> None:
        """Let buyers hold seats of the show: now, or from ``at`` on by the server's clock.

        ``at`` is an aware datetime or seconds since the epoch; until then the sale stays as it is, open, paused or
        closed. An opening time replaces one set before. Opening now forgets it, and a closing time that has passed;
        one that is to come stays. Raises `InvalidRequest` where ``at`` has passed and the sale is not open.
        """
        await self._follow(self._core.set_status(show, "open", at))

    async def pause_sale(self, show: str) -> None:
        """Stop new holds for the moment; those who hold seats can still pay.

        An opening time is forgotten, so that the sale stays paused until `open_sale`; a closing time to come stays.
        """
        await self._follow(self._core.set_status(show, "paused"))

    async def close_sale(self, show: str, at: Moment | None = None) -> None:
        """Stop new holds, now or from ``at`` on by the server's clock; those who hold seats can still pay.

        ``at`` is as for `open_sale`, and one that has passed means now. A closing time replaces one set before, and
        leaves an opening time to come as it is. Closing now forgets both.
        """
        await self._follow(self._core.set_status(show, "closed", at))

    async def block(self, show: str, seats: Iterable[str], *, reason: str | None = None) -> Block:
        """Take up to 100 free seats off sale for the house, all or none, whatever the sale's status.

        ``reason`` (up to 256 bytes) is for support staff, see `inspect`. Blocking a blocked seat again changes its
        reason. A block lasts until `unblock`. Raises `SeatsUnavailable` (naming every seat that is held, pinned or
        sold) or `UnknownSeats`.
        """
        return await self._follow(self._core.block(show, seats, reason))

    async def unblock(self, show: str, seats: Iterable[str]) -> Unblock:
        """Put up to 100 blocked seats back on sale; those that are not blocked are left alone, and the answer says so.

        Raises `UnknownSeats`, and then nothing was changed.
        """
        return await self._follow(self._core.unblock(show, seats))

    async def set_channel(self, show: str, seats: Iterable[str], channel: str | None) -> ChannelChange:
        """Put up to 100 seats into a channel, a quota for those who sell for the house, or (None) back to the public.

        Works at any time, whatever the sale's status and the seats' states: a held or sold seat keeps its owner, and
        comes free for its channel. A seat is in one channel at most, and a free one can be had only by requests that
        name it. A channel is made by naming it (up to 64 bytes), 100 a show at most. Raises `UnknownSeats`.
        """
        return await self._follow(self._core.set_channel(show, seats, channel))

    async def sweep(self, show: str) -> int:
        """Take back every seat, and all of pools, whose hold has run out, and publish that; gives how many.

        Nothing is wrong without it, only late in the change feed: call it at least every 30 s.
        """
        return await self._follow(self._core.sweep(show))

    async def retire(self, show: str, *, unread: Literal["keep", "discard"] = "keep") -> None:
        """Delete a show in bounded steps; may be repeated after a failure.

        Raises `ShowInUse` while anything is held or pinned, or outbox entries are unread, or set aside, and not to be
        discarded.
        """
        await self._follow(self._core.retire(show, unread))
