"""Buyers who were told no must never find themselves confirmed later, by an entry that was on its way all the time.

The relay is slow: it has read the entries of pins when Redis forgets these, as a replica does that is promoted and had
not heard of them. Their buyers ask again, and are told no; then the relay goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from seatlock import Hold, HoldLost
from seatlock.checkout import _steps
from seatlock.checkout._steps import Steps
from seatlock.ledger._records import record_of
from seatlock.ledger.model import Claim, Decision
from tests.checkout.counter import SEATS, Counter
from tests.ledger.databases import query
from tests.support.strict import pin
from tests.support.waiting import until

ROUNDS = 3


def ghosts(counter: Counter) -> tuple[int, int]:
    """Tell how many buyers were refused, and how many of these the ledger has confirmed in the end."""
    holds = [counter.acquire(seat, holder=f"ann-{seat}", ttl=0.25) for seat in SEATS]
    pins = [pin(counter.plain, hold) for hold in holds]
    woken, asleep = asyncio.Event(), asyncio.Event()

    async def stall(step: str) -> None:
        if step == "take" and not asleep.is_set():
            asleep.set()
            await woken.wait()

    async def sell() -> int:
        async with counter.relay(lease=600.0) as relay:
            relay._on_step = stall
            working = asyncio.create_task(relay.run_once())
            await asyncio.wait_for(asleep.wait(), 10)
            refused = await asyncio.to_thread(refuse, counter, holds)
            woken.set()
            await working
            return refused

    refused = counter.runner.run(sell())
    confirmed = query(
        counter.ledger, "SELECT id FROM bookings WHERE show = :show AND status = 'confirmed'", show=counter.show
    )
    return refused, len({pinned.booking for pinned in pins} & {booking for (booking,) in confirmed})


def refuse(counter: Counter, holds: list[Hold]) -> int:
    """Forget the pins; the buyers ask again, with holds that have run out by now: gives how many are told no."""
    for seat in SEATS:
        counter.raw.delete(counter.key(f"lock:{seat}"))
        counter.raw.hset(counter.key("seats"), seat, "f0")
    deadline = max(hold.deadline for hold in holds)
    until(lambda: now(counter) > deadline, "the holds have run out")
    refused = 0
    for hold in holds:
        with pytest.raises(HoldLost):
            counter.checkout.confirm(hold, payment="pay")
        refused += 1
    return refused


def now(counter: Counter) -> int:
    seconds, microseconds = counter.raw.time()
    return int(seconds) * 1000 + int(microseconds) // 1000


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_who_was_refused_is_never_confirmed_later(database: str, counter_of: Callable[..., Counter]) -> None:
    for _ in range(ROUNDS):
        counter = counter_of("sync", database).open()
        assert ghosts(counter) == (len(SEATS), 0)
        assert counter.sold() == {}
        counter.repair()


def test_the_control_without_a_tombstone_confirms_them(
    counter_of: Callable[..., Counter], monkeypatch: pytest.MonkeyPatch
) -> None:
    def forgetful(claim: Claim, reason: str) -> Steps[Decision]:
        """Say no, and write nothing."""
        yield from ()
        record = record_of(claim, "rejected", 0.0, reason)
        return Decision(show=claim.show, booking=claim.booking, status="rejected", epoch=claim.epoch, record=record)

    monkeypatch.setattr(_steps, "tombstone", forgetful)
    counter = counter_of("sync", "sqlite").open()
    refused, confirmed = ghosts(counter)
    assert refused == len(SEATS)
    assert confirmed > 0, "without the tombstone there are ghosts, so the test above can fail"
