"""Taking stock of pools: claim by claim and sale by sale, and whether the counts are what these add up to.

Why no sale that is running can raise a false alarm is told in `docs/decisions/force-release.md`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from seatlock import _pools
from seatlock._keys import keys_of
from seatlock._operation import Operation, check_show
from seatlock._procedures import Procedure
from seatlock._replies import fence_of, optional_text, seconds_left
from seatlock._script import load
from seatlock._snapshots import catch_up
from seatlock.findings import PoolDifference, PoolDifferenceKind

STEPS: Final = 1_000_000  # calls that walk over the claims and sales of a show, at most
LOOKS: Final = 6  # walks, at most: a pool that was sold from meanwhile is looked at again
ENTRY_PARTS: Final = 9  # of what the script tells of a claim or a sale
LOST: Final = -1  # in place of counts that are lost


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A claim, a sale or a contradiction. ``place`` is that of its pool, 0 where it is of none that is named."""

    place: int
    kind: str
    holder: str
    quantity: int
    expires_in: float | None
    fence: int
    booking: str | None
    payment: str | None

    @property
    def identity(self) -> tuple[str, int, str, int]:
        """By which it is known when a walk comes by it again."""
        return self.kind, self.place, self.holder if self.kind == "claim" else "", self.fence


class Found(msgspec.Struct, frozen=True):
    """One step of a walk: where the show was (epoch and version), its pools and their counts, and some entries.

    ``counts`` are capacity, held and sold of each pool; held are also claims that have run out and wait for the sweep.
    """

    version: tuple[int, int]
    cursor: bytes
    pools: tuple[str, ...]
    counts: tuple[tuple[int, int, int], ...]
    entries: tuple[Entry, ...]


def look(namespace: str, show: str, pools: Sequence[str], cursor: bytes) -> Operation[Found]:
    """Look at some claims and sales, if these are the pools of the show; ``cursor`` is where the last step ended."""
    keys = keys_of(namespace, show)

    def decode(reply: list[Any]) -> Found:
        check_show(reply, show)
        epoch, version, cursor, names, counts = reply[1:6]
        entries = [_entry(*reply[at : at + ENTRY_PARTS]) for at in range(6, len(reply), ENTRY_PARTS)]
        each = tuple(zip(counts[::3], counts[1::3], counts[2::3], strict=True))
        return Found((epoch, version), cursor, _pools.read_names(names), each, tuple(entries))

    return Operation(load("pooled"), show, [keys.meta, keys.pools, *keys.pool_dues(pools)], [cursor], decode)


def _entry(  # noqa: PLR0913, PLR0917 - as many as the script tells
    place: int,
    kind: bytes,
    holder: bytes,
    quantity: int,
    left: int,
    epoch: int,
    fence: int,
    booking: bytes,
    payment: bytes,
) -> Entry:
    return Entry(
        place,
        kind.decode(),
        holder.decode(errors="replace"),
        quantity,
        seconds_left(left),
        fence_of(epoch, fence),
        optional_text(booking),
        optional_text(payment),
    )


class Walk(msgspec.Struct, frozen=True):
    """What a walk over all claims and sales came to, by pool: capacity, held and sold as counted; both as added up.

    ``moved`` are pools that changed meanwhile: what was added up of them is of no one moment.
    """

    counted: dict[str, tuple[int, int, int]]
    held: dict[str, int]
    sold: dict[str, int]
    wrong: tuple[PoolDifference, ...]
    moved: set[str]

    def error(self, pool: str) -> tuple[int, int]:
        """How many more are counted than were added up; counts that are lost are another matter."""
        capacity, held, sold = self.counted[pool]
        return (0, 0) if capacity == LOST else (held - self.held[pool], sold - self.sold[pool])


class Stocktaking(msgspec.Struct, frozen=True):
    """What is wrong with the pools of a show, and which could not be added up, since they changed all the while."""

    differences: tuple[PoolDifference, ...]
    unsettled: tuple[str, ...]


def take_stock(namespace: str, show: str) -> Procedure[Stocktaking]:
    """Add up the claims and sales of each pool, in bounded steps, also while the sale runs.

    Only where a pool did not change during a walk are sums and counts of one moment: nothing else proves it right or
    wrong. And it is not wrong before it was found twice: a failover may have mixed up the one walk.
    """
    pools: tuple[str, ...] = yield _pools.names(namespace, show)
    wrong: dict[PoolDifference, None] = {}
    suspects: dict[str, tuple[int, int]] = {}
    unsettled = set(pools)
    for _ in range(LOOKS):
        found = yield from _walk(namespace, show, pools)
        if not isinstance(found, Walk):
            pools, unsettled = found, set(found)
            continue
        wrong.update(dict.fromkeys(found.wrong))
        for pool in sorted(unsettled - found.moved):
            error = found.error(pool)
            if error == (0, 0):
                unsettled.discard(pool)
            elif error == suspects.get(pool):
                wrong[_miscounted(found, pool)] = None
                unsettled.discard(pool)
            suspects[pool] = error
        if not unsettled:
            break
    differences = sorted(wrong, key=lambda difference: (difference.pool, difference.kind, difference.detail))
    return Stocktaking(tuple(differences), tuple(pool for pool in pools if pool in unsettled))


def _walk(namespace: str, show: str, pools: tuple[str, ...]) -> Procedure[Walk | tuple[str, ...]]:
    """Walk over all claims and sales once; only the pools of the show where they are others than these."""
    quantities: dict[tuple[str, int, str, int], int] = {}
    wrong: dict[PoolDifference, None] = {}
    first: Found = yield look(namespace, show, pools, b"0")
    found = first
    for _ in range(STEPS):
        if found.pools != pools:
            return found.pools
        for entry in found.entries:
            if entry.kind in ("claim", "sale"):
                quantities[entry.identity] = entry.quantity
            else:
                wrong[_difference(entry, pools)] = None
        if found.cursor == b"0":
            break
        found = yield look(namespace, show, pools, found.cursor)
    held, sold = dict.fromkeys(pools, 0), dict.fromkeys(pools, 0)
    for (kind, place, _, _), quantity in quantities.items():
        (held if kind == "claim" else sold)[pools[place - 1]] += quantity
    counted = dict(zip(pools, found.counts, strict=True))
    wrong.update(dict.fromkeys(filter(None, [_beyond(pool, counts) for pool, counts in counted.items()])))
    moved = yield from _moved(namespace, show, pools, first.version, found.version)
    return Walk(counted, held, sold, tuple(wrong), moved)


def _moved(
    namespace: str, show: str, pools: Sequence[str], since: tuple[int, int], until: tuple[int, int]
) -> Procedure[set[str]]:
    """The pools that changed since a version: every change of a quantity is told in the change stream."""
    moved: set[str] = set()
    if since == until:
        return moved

    def take_in(batch: dict[str, bytes]) -> None:
        moved.update(name.removeprefix("pool\n") for name in batch if name.startswith("pool\n"))

    caught_up = None
    if since[0] == until[0]:
        caught_up = yield from catch_up(namespace, show, since, take_in)
    return set(pools) if caught_up is None else moved


def _beyond(pool: str, counts: tuple[int, int, int]) -> PoolDifference | None:
    capacity, held, sold = counts
    if capacity == LOST:
        return PoolDifference(pool, "lost", "the show has this pool, and its counts are lost")
    if held + sold > capacity:
        return PoolDifference(pool, "beyond", f"{held:,} held and {sold:,} sold, of {capacity:,}")
    return None


def _miscounted(found: Walk, pool: str) -> PoolDifference:
    _, held, sold = found.counted[pool]
    added_up = f"its claims add up to {found.held[pool]:,}, its sales to {found.sold[pool]:,}"
    return PoolDifference(pool, "counts", f"{held:,} held and {sold:,} sold are counted; {added_up}")


_PARTICULARS: Final[dict[PoolDifferenceKind, str]] = {
    "unswept": "the claim of {holder!r} is not among the due: no sweep will take it back",
    "owner": "the sale to {holder!r} is not the one on record for its owner",
    "foreign": "what is kept of {holder!r} is nothing that seatlock writes",
    "surplus": "something is kept of it, and the show does not name it",
}


def _difference(entry: Entry, pools: Sequence[str]) -> PoolDifference:
    kind: PoolDifferenceKind = next(known for known in _PARTICULARS if known == entry.kind)
    pool = pools[entry.place - 1] if entry.place else entry.holder
    if kind == "foreign" and not entry.holder:
        return PoolDifference(pool, kind, "a field of the pools is nothing that seatlock writes")
    return PoolDifference(pool, kind, _PARTICULARS[kind].format(holder=entry.holder))
