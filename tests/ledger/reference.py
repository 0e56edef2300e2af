"""The rules of the ledger in plain Python, a claim at a time, written from the design and not from the ledger."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from seatlock.ledger import Claim, Record

Key = tuple[str, str]
Content = tuple[Any, ...]


@dataclass(frozen=True)
class Entry:
    """A booking on record; ``content`` is None where it was cancelled before anybody asked."""

    status: str
    content: Content | None
    reason: str | None = None
    seats_in_the_way: tuple[tuple[str, str], ...] = ()
    pools_in_the_way: tuple[tuple[str, int], ...] = ()


@dataclass
class Reference:
    """The ledger as it should be."""

    entries: dict[Key, Entry] = field(default_factory=dict)
    sold: dict[Key, str] = field(default_factory=dict)
    pools: dict[Key, list[int]] = field(default_factory=dict)  # capacity, sold
    epochs: dict[str, int] = field(default_factory=dict)
    history: list[tuple[str, str, str, str, str]] = field(default_factory=list)
    pool_history: list[tuple[str, str, str, str, str, int]] = field(default_factory=list)

    def decide(self, claim: Claim) -> tuple[str, Entry | None]:
        if claim.key not in self.entries:
            if claim.epoch != self.epochs.get(claim.show, 1):
                return "stale", None
            self.entries[claim.key] = self._sell(claim)
        return self._answer(claim)

    def _sell(self, claim: Claim) -> Entry:
        show = claim.show
        taken = {seat: self.sold[show, seat] for seat in claim.seats if (show, seat) in self.sold}
        left = {pool: self._left(show, pool) for pool in claim.pools}
        short = {pool: left[pool] for pool, quantity in claim.pools.items() if left[pool] < quantity}
        if taken or short:
            in_the_way = tuple(sorted(taken.items())), tuple(sorted(short.items()))
            return Entry("rejected", content_of(claim), "unavailable", *in_the_way)
        for seat in claim.seats:
            self.sold[show, seat] = claim.booking
            self.history.append((show, seat, "sold", claim.holder, claim.booking))
        for pool, quantity in claim.pools.items():
            self.pools[show, pool][1] += quantity
        for pool, quantity in sorted(claim.pools.items()):
            self.pool_history.append((show, pool, "sold", claim.holder, claim.booking, quantity))
        return Entry("confirmed", content_of(claim))

    def _left(self, show: str, pool: str) -> int:
        capacity, sold = self.pools.get((show, pool), (0, 0))
        return capacity - sold

    def tombstone(self, claim: Claim, reason: str) -> tuple[str, Entry | None]:
        self.entries.setdefault(claim.key, Entry("rejected", content_of(claim), reason))
        return self._answer(claim)

    def _answer(self, claim: Claim) -> tuple[str, Entry]:
        entry = self.entries[claim.key]
        other = entry.content is not None and entry.content != content_of(claim)
        return ("mismatch" if other else entry.status), entry

    def cancel(self, show: str, booking: str, by: str, reason: str | None) -> Entry:
        entry = self.entries.get((show, booking))
        if entry is None:
            entry = Entry("cancelled", None, reason)
        elif entry.status == "confirmed":
            assert entry.content is not None
            for seat in entry.content[4]:
                del self.sold[show, seat]
                self.history.append((show, seat, "cancelled", by, booking))
            for pool, quantity in entry.content[5]:
                self.pools[show, pool][1] -= quantity
                self.pool_history.append((show, pool, "cancelled", by, booking, quantity))
            entry = Entry("cancelled", entry.content, reason)
        self.entries[show, booking] = entry
        return entry

    def raise_epoch(self, show: str) -> int:
        self.epochs[show] = self.epochs.get(show, 1) + 1
        return self.epochs[show]

    def set_pools(self, show: str, capacities: dict[str, int]) -> bool:
        if any(capacity < self.pools.get((show, pool), (0, 0))[1] for pool, capacity in capacities.items()):
            return False
        for pool, capacity in capacities.items():
            self.pools.setdefault((show, pool), [0, 0])[0] = capacity
        return True


def content_of(claim: Claim) -> Content:
    """What makes a claim the same as another."""
    return (
        claim.key,
        claim.holder,
        claim.token_hash,
        claim.payment,
        tuple(sorted(claim.seats)),
        tuple(sorted(claim.pools.items())),
    )


def entry_of(record: Record | None) -> Entry | None:
    """What the ledger has on record, in the reference's words."""
    if record is None:
        return None
    content = (
        (record.show, record.booking),
        record.holder,
        record.token_hash,
        record.payment,
        tuple(sorted(record.seats)),
        tuple(sorted(record.pools.items())),
    )
    conflicts = record.conflicts
    return Entry(
        record.status,
        None if record.request_hash is None else content,
        record.reason,
        tuple(sorted(conflicts.seats.items())),
        tuple(sorted(conflicts.pools.items())),
    )
