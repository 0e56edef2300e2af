"""Retiring a show: its end, and what is left of it then, the locks of its seats and the lists of those who bought."""

from __future__ import annotations

from typing import Final, Literal

from seatlock import _pools, _upkeep
from seatlock._operation import Again
from seatlock._procedures import Procedure
from seatlock.errors import ServerUnavailable, ShowInUse, ShowNotFound

TRIES: Final = 5  # times to begin, where others warm the show meanwhile
STEPS: Final = 100_000  # calls that delete what a retired show left, at most
SOME: Final = 400  # seats, or fields of pools, that a call deletes


def retire(namespace: str, show: str, unread: Literal["keep", "discard"]) -> Procedure[None]:
    """End a show, then delete what is left of it in bounded steps; may be repeated after a failure."""
    version: int | None = None
    for _ in range(TRIES):
        pools: tuple[str, ...] = yield _pools.names(namespace, show)
        try:
            in_use: tuple[int, int] | None = yield _upkeep.retire(namespace, show, unread, pools, version)
        except Again:  # the ledger decides here, or somebody has warmed it with other pools since, or sold
            pins, version = yield from _count_pins(namespace, show)
            if not pins:
                continue
            in_use = 0, 0
        break
    else:
        raise ServerUnavailable(f"retire of show {show!r}: it is being changed; nothing was deleted: ask again.")
    if in_use is not None:
        pins, _ = yield from _count_pins(namespace, show)
        raise _refusal(show, in_use[0], pins, in_use[1])
    yield from _clear(namespace, show)


def _refusal(show: str, holds: int, pins: int, entries: int) -> ShowInUse:
    held = _are(holds, "seat or claim on a pool", "seats or claims on pools")
    left = _are(entries, "outbox entry", "outbox entries")
    pinned = f", {_are(pins, 'seat', 'seats')} pinned" if pins else ""
    decided = ", for the ledger to decide about the pins" if pins else ""
    return ShowInUse(
        f"show {show!r} cannot be retired: {held} held{pinned} and {left} unread; close the sale, wait for the holds "
        f"to end{decided} and for the relay to read the outbox, or discard the outbox.",
        holds=holds,
        pins=pins,
        outbox=entries,
    )


def _count_pins(namespace: str, show: str) -> Procedure[tuple[int, int | None]]:
    """How many seats are pinned, and the version of the show when it began to count; None where none can be."""
    version: int | None = None
    cursor, pinned = b"0", set[str]()
    for _ in range(STEPS):
        try:
            found: tuple[int, bytes, tuple[str, ...]] | None = yield _upkeep.pins(namespace, show, cursor)
        except ShowNotFound:  # its facts are gone, and what is left of it is in use
            found = None
        if found is None:
            return 0, None
        now, cursor, seats = found
        version = now if version is None else version
        pinned.update(seats)
        if cursor == b"0":
            break
    return len(pinned), version


def _are(number: int, one: str, many: str) -> str:
    return f"1 {one} is" if number == 1 else f"{number} {many} are"


def _clear(namespace: str, show: str) -> Procedure[None]:
    """Delete it in bounded steps; may be repeated after a failure.

    The seats come last: while any of them is left nobody warms the show, so that no list of its next life is deleted.
    """
    for pools in (True, False):
        yield from _walk(namespace, show, pools=pools)


def _walk(namespace: str, show: str, *, pools: bool) -> Procedure[None]:
    cursor = b"0"
    for _ in range(STEPS):
        found: list[str]
        cursor, found = yield _upkeep.remnants(namespace, show, cursor, pools=pools)
        left = 1
        for at in range(0, len(found), SOME):
            some = found[at : at + SOME]
            seats = [name for name in some if "\n" not in name]
            of_pools = [name for name in some if "\n" in name]  # also where the show had pools alone
            buyers: list[str] = [name.rpartition("\n")[2] for name in of_pools if name.startswith("t\n")]
            if seats:
                buyers += yield _upkeep.buyers(namespace, show, seats)
            left = yield _upkeep.forget(namespace, show, seats, buyers, of_pools)
        if left == 0 or (cursor == b"0" and not found):
            return
