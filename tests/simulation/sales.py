"""A small sale for the proofs to judge, and what a report complains of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import redis.asyncio

from seatlock import AsyncSeatLocker, Seat, SeatingPlan, new_token
from seatlock.simulation import Report
from seatlock.simulation.proofs import Evidence, Proof, prove
from seatlock.simulation.raw import read_show
from seatlock.simulation.tally import Receipt


class Sale:
    """A small sale: A-1 and A-2 are Ada's, A-3 is Bob's, A-4 was sold elsewhere, A-5 is blocked, the rest is free."""

    def __init__(self, client: redis.asyncio.Redis) -> None:
        self.client: Any = client
        self.locker = AsyncSeatLocker(client)
        self.show = f"proofs-{new_token()}"
        self.base = f"seatlock:{{{self.show}}}:"
        self.plan = SeatingPlan.of(
            [
                *(Seat(f"A-{number}", category="Best") for number in (1, 2)),
                Seat("A-3", category="Rest"),
                Seat("A-4", category="Rest", status="sold"),
                Seat("A-5", category="Rest", status="blocked"),
                *(Seat(f"A-{number}", category="Rest") for number in (6, 7)),
            ]
        )
        self.receipts: list[Receipt] = []
        self.more: dict[str, Any] = {}

    async def warm(self) -> None:
        """Load the seats."""
        await self.locker.warm(self.show, self.plan)

    async def sell(self) -> None:
        """Open, and let Ada and Bob buy."""
        await self.locker.open_sale(self.show)
        for holder, seats in (("Ada", ["A-1", "A-2"]), ("Bob", ["A-3"])):
            hold = await self.locker.acquire(self.show, seats, holder=holder)
            booking = await self.locker.confirm(hold, payment=f"{holder} pays")
            self.receipts.append(Receipt(hold, f"{holder} pays", booking))

    async def proofs(self) -> Mapping[str, Proof]:
        """Judge it as it stands."""
        raw = await read_show(self.client, "seatlock", self.show)
        fences = [receipt.hold.fence for receipt in self.receipts]
        found = prove(Evidence(self.plan, self.receipts, raw, **{"fences": fences, **self.more}))
        return {proof.name: proof for proof in found}

    async def failed(self) -> set[str]:
        """The names of the proofs that do not hold."""
        return {name for name, proof in (await self.proofs()).items() if not proof.ok}

    async def entries(self) -> list[tuple[bytes, dict[bytes, bytes]]]:
        """The outbox."""
        return list(await self.client.xrange(f"{self.base}outbox"))

    def change_receipt(self, **changes: Any) -> None:
        """Alter the booking on Ada's receipt."""
        ada = self.receipts[0]
        booking = msgspec.structs.replace(ada.booking, **changes)
        self.receipts[0] = msgspec.structs.replace(ada, booking=booking)


def failed(report: Report) -> list[str]:
    """The proofs that do not hold, in words."""
    return [f"{proof.name}: {proof.figures} {proof.offenders}" for proof in report.proofs if not proof.ok]
