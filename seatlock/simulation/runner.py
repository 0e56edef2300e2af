"""Runs a simulation: warms a show of its own, sells it to a crowd, waits for the last holds, and proves the result."""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import secrets
import time
from typing import Final

from seatlock._bounds import MAX_SEATS_A_HOLD
from seatlock._connect import AsyncClient
from seatlock.aio import AsyncSeatLocker
from seatlock.errors import InvalidRequest, OutcomeUnknown, ServerUnavailable
from seatlock.plan import SeatingPlan
from seatlock.simulation.box_office import BoxOffice
from seatlock.simulation.crowd import Crowd
from seatlock.simulation.floor import Floor, Shop
from seatlock.simulation.house import POOL, House
from seatlock.simulation.proofs import Evidence, prove
from seatlock.simulation.raw import read_show
from seatlock.simulation.report import Phase, Progress, Report, report_of
from seatlock.simulation.seat_map import SeatMap
from seatlock.simulation.settings import Settings
from seatlock.simulation.tally import Tally
from seatlock.simulation.tickets import Admissions, Tickets

SETTLE_SLACK: Final = 10.0  # seconds beyond the length of a hold in which every hold must have ended
SETTLE_EVERY: Final = 0.1  # seconds


def kept_seats(plan: SeatingPlan, settings: Settings) -> list[str]:
    """Draw the seats that the house keeps, out of those for sale."""
    for_sale = [seat.id for seat in plan.seats if seat.status == "available"]
    if settings.blocked > len(for_sale):
        raise InvalidRequest(f"blocked is {settings.blocked:,}; the plan has {len(for_sale):,} seats for sale.")
    return random.Random(settings.seed).sample(for_sale, settings.blocked)  # noqa: S311 - to be repeated, no secret


class Simulation:
    """One run. ``client`` is an asyncio Redis client that gives bytes; the show is new, with an id of its own.

        simulation = Simulation.of_crowd(client, SeatingPlan.bundled("theatre"), Settings(buyers=3_500))
        report = await simulation.run()
        await simulation.retire()

    `progress` may be asked at any time while `run` is at work.
    """

    def __init__(self, client: AsyncClient, plan: SeatingPlan, settings: Settings, *, namespace: str) -> None:
        """Use `of_crowd`, `of_tickets` or `of_pool`."""
        self.show = f"simulate-{secrets.token_hex(6)}"
        self._client = client
        self._namespace = namespace
        self._plan = plan
        self._settings = settings
        self._locker = AsyncSeatLocker(client, namespace=namespace)
        self._tally = Tally()
        self._stock = {POOL: settings.stock} if settings.stock else {}
        self._kept = kept_seats(plan, settings)
        self._house = House(plan)
        self._map = SeatMap(self._locker, self.show, self._house)
        self._office = BoxOffice(self._locker, self.show, settings.hold, self._tally)
        self._shop: Shop | None = None
        self._phase: Phase = "warming"
        self._sold = asyncio.Event()  # set when the sale is over
        self._warmed = 0
        self._began = math.nan
        self._seconds = math.nan

    @classmethod
    def of_crowd(
        cls, client: AsyncClient, plan: SeatingPlan, settings: Settings, *, namespace: str = "seatlock"
    ) -> Simulation:
        """Buyers who want certain seats of a house, or with a stock to stand, and do what buyers do."""
        made = cls(client, plan, settings, namespace=namespace)
        made._shop = Crowd(made._house, made._map, made._office, settings, made._tally).shop
        return made

    @classmethod
    def of_tickets(
        cls, client: AsyncClient, tickets: int, settings: Settings, *, namespace: str = "seatlock"
    ) -> Simulation:
        """Users who want any one of so many numbered tickets, and always pay."""
        plan = SeatingPlan.of((f"ticket-{number}" for number in range(1, tickets + 1)), name=f"{tickets:,} tickets")
        made = cls(client, plan, settings, namespace=namespace)
        made._shop = Tickets(made._house, made._map, made._office, settings).shop
        return made

    @classmethod
    def of_pool(cls, client: AsyncClient, settings: Settings, *, namespace: str = "seatlock") -> Simulation:
        """Users who want a ticket out of a stock without numbers.

        Everybody wants one and pays; if some abandon, they are a crowd of which everybody wants one to four.
        """
        if not settings.stock:
            raise InvalidRequest("stock is 0; give at least 1, or nobody can have anything.")
        plan = SeatingPlan.of((), name=f"{settings.stock:,} tickets", needs_seats=False)
        made = cls(client, plan, settings, namespace=namespace)
        if settings.abandon:
            made._shop = Crowd(made._house, made._map, made._office, settings, made._tally).shop
        else:
            made._shop = Admissions(made._map, made._office).shop
        return made

    def progress(self) -> Progress:
        """How far the run is."""
        seen = self._map.current
        tally = self._tally
        seconds = self._seconds
        if math.isnan(seconds):
            seconds = 0.0 if math.isnan(self._began) else time.perf_counter() - self._began
        return Progress(
            phase=self._phase,
            seats=len(self._plan) + self._settings.stock,
            warmed=self._warmed,
            buyers=self._settings.buyers,
            done=tally.done,
            sold=seen.sold,
            held=seen.held,
            free=len(seen.popular_free) + seen.stock_free,
            operations=tally.operations,
            seconds=seconds,
        )

    async def run(self) -> Report:
        """Do all of it, once; gives the report, whatever it proves.

        Raises `seatlock.SeatLockError` for what ends the sale early, such as a show that is gone.
        """
        limit, stock = self._settings.limit, self._stock or None
        await self._locker.warm(self.show, self._plan, progress=self._note_warmed, limit=limit, pools=stock)
        self._warmed = len(self._plan) + self._settings.stock
        await self._keep_seats()
        await self._locker.open_sale(self.show)
        self._phase = "selling"
        self._began = time.perf_counter()
        await self._sell()
        self._seconds = time.perf_counter() - self._began
        self._phase = "settling"
        await self._locker.close_sale(self.show)
        await self._settle()
        self._phase = "checking"
        proofs = prove(await self._evidence())
        self._phase = "over"
        return report_of(
            self.show, self._plan.name, len(self._plan), self._settings, self._seconds, self._tally, proofs
        )

    async def retire(self) -> None:
        """Delete the show with all that was sold. Raises `seatlock.ShowInUse` if there are holds left."""
        await self._locker.retire(self.show, unread="discard")

    async def _keep_seats(self) -> None:
        """Take seats off sale for the house."""
        for at in range(0, len(self._kept), MAX_SEATS_A_HOLD):
            piece = self._kept[at : at + MAX_SEATS_A_HOLD]
            await self._locker.block(self.show, piece, reason="kept by the house")
        await self._map.read()

    def _note_warmed(self, loaded: int, _: int) -> None:
        self._warmed = loaded

    async def _sell(self) -> None:
        assert self._shop is not None, "made by of_crowd, of_tickets or of_pool"  # noqa: S101 - for the type checkers
        floor = Floor(self._settings.workers, self._tally)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._map.keep_reading())
                group.create_task(self._keep_sweeping())
                try:
                    await floor.serve(self._shop, self._settings.buyers, self._settings.time_limit)
                finally:
                    self._map.stop()
                    self._sold.set()
        except ExceptionGroup as errors:  # the first says what happened
            raise errors.exceptions[0] from None

    async def _keep_sweeping(self) -> None:
        while not self._sold.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._sold.wait(), max(self._settings.hold / 4, 0.1))
            await self._sweep()

    async def _sweep(self) -> None:
        with contextlib.suppress(OutcomeUnknown, ServerUnavailable):  # another sweep will do
            self._tally.swept += await self._locker.sweep(self.show)

    async def _settle(self) -> None:
        """Wait until no hold is left, for as long as the last one may take. A hold that stays is for the proofs."""
        give_up = time.monotonic() + self._settings.hold + SETTLE_SLACK
        while time.monotonic() < give_up:
            await self._sweep()
            if not (await self._map.read()).held:
                break
            await asyncio.sleep(SETTLE_EVERY)
        await self._sweep()
        await self._map.read()

    async def _evidence(self) -> Evidence:
        tally = self._tally
        raw = await read_show(self._client, self._namespace, self.show)
        return Evidence(
            self._plan,
            tally.receipts,
            raw,
            doubts=tally.doubts,
            fences=tally.fences,
            lost_early=tally.lost_early,
            not_resumed=tally.not_resumed,
            unanswered=tally.unanswered,
            kept=frozenset(self._kept),
            limit=self._settings.limit,
            stays=tuple(tally.stays.values()),
            best=self._settings.best,
            bests=tally.bests,
            none_left=tally.none_left,
            stock=self._stock,
            claims=tally.claims,
            told=tally.told,
        )
