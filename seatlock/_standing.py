"""Reads whether a pin stands, and under which epoch: plain commands, for what a script would have no advantage in.

The epoch is read first. If the ledger then accepts a claim of that epoch, no later one has begun meanwhile, and the pin
that was looked at is one of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from seatlock._keys import keys_of
from seatlock._operation import Command
from seatlock._procedures import Procedure
from seatlock._replies import fence_of, fence_parts, optional_text
from seatlock.errors import ShowNotFound

_BOOKED: Final = (b"p", b"s")
_PARTS: Final = 8  # of a lock that is pinned or sold, see lua/include/lock.lua
_PARTS_OF_SALE: Final = 6  # see lua/include/pools.lua


class Lock(msgspec.Struct, frozen=True):
    """The lock of a seat that is pinned or sold; its token, which is never shown, is empty where it has none."""

    pinned: bool
    token: str
    holder: str
    fence: int
    since: float
    booking: str
    payment: str | None

    def __repr__(self) -> str:
        return f"Lock({self.booking!r})"


def epoch(namespace: str, show: str) -> Command[int]:
    """Read the epoch of a show."""

    def decode(reply: bytes | None) -> int:
        if reply is None:
            raise ShowNotFound(f"show {show!r} is not warmed on this server, so it sells nothing: warm it.", show=show)
        return int(reply)

    return Command(show, ["HGET", keys_of(namespace, show).meta, "epoch"], decode)


def locks(namespace: str, show: str, seats: Sequence[str]) -> Command[list[Lock | None]]:
    """Read the lock of each seat, None where it is neither pinned nor sold by a booking."""
    command = ["MGET", *keys_of(namespace, show).locks(tuple(seats))]
    return Command(show, command, lambda reply: [_lock(value) for value in reply])


def _lock(value: bytes | None) -> Lock | None:
    parts = value.split(b"\n") if value else []
    if len(parts) != _PARTS or parts[0] not in _BOOKED:
        return None
    state, token, holder, lock_epoch, counter, since, booking, payment = parts
    return Lock(
        state == b"p",
        token.decode(),
        holder.decode(),
        fence_of(int(lock_epoch), int(counter)),
        int(since) / 1000,
        booking.decode(),
        optional_text(payment),
    )


class Sale(msgspec.Struct, frozen=True):
    """The sale of so many of a pool; its token, which is never shown, is empty where it has none."""

    booking: str
    quantity: int
    token: str
    holder: str
    since: float
    payment: str | None

    def __repr__(self) -> str:
        return f"Sale({self.booking!r})"


def sales(namespace: str, show: str, pools: Sequence[str], fence: int) -> Command[list[Sale | None]]:
    """Read the sale of this fence in each pool, None where there is none."""
    key = "{}-{}".format(*fence_parts(fence))
    fields = [f"s\n{pool}\n{key}" for pool in pools]
    command = ["HMGET", keys_of(namespace, show).pools, *fields]
    return Command(show, command, lambda reply: [_sale(value) for value in reply])


def _sale(value: bytes | None) -> Sale | None:
    parts = value.split(b"\n") if value else []
    if len(parts) != _PARTS_OF_SALE:
        return None
    token, holder, quantity, since, booking, payment = parts
    return Sale(
        booking.decode(), int(quantity), token.decode(), holder.decode(), int(since) / 1000, optional_text(payment)
    )


def standing(
    namespace: str, show: str, booking: str, fence: int, seats: Sequence[str], pools: Mapping[str, int]
) -> Procedure[int | None]:
    """Tell under which epoch all of a booking stands in Redis, pinned or sold; None where some of it does not."""
    now: int = yield epoch(namespace, show)
    if seats:
        found: list[Lock | None] = yield locks(namespace, show, seats)
        if any(lock is None or (lock.booking, lock.fence) != (booking, fence) for lock in found):
            return None
    if pools:
        sold: list[Sale | None] = yield sales(namespace, show, list(pools), fence)
        if any(sale is None or sale.booking != booking for sale in sold):
            return None
    return now
