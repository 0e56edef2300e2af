"""Builds the calls that only read a show, for callers and for procedures: pure, no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from seatlock import _channels, _pools, _replies
from seatlock._keys import keys_of
from seatlock._operation import Command, Operation, check_show
from seatlock._script import load
from seatlock.model import SaleStatus, SeatState

READ_STEP: Final = 1000  # seats an availability call reads at most
CHANGES_STEP: Final = 200  # batches of changes a call reads at most


def inspect(
    namespace: str, show: str, seats: tuple[str, ...], categories: tuple[str, ...]
) -> Operation[tuple[str, list[SeatState]]]:
    """Ask what is known of each seat; gives the digest of the show's plan too, whose categories are named here."""
    keys = keys_of(namespace, show)

    def decode(reply: list[Any]) -> tuple[str, list[SeatState]]:
        check_show(reply, show)
        return reply[1].decode(), list(_replies.seat_states(seats, reply[2:], categories))

    fixed = [keys.meta, keys.seats, keys.blocks]
    return Operation(load("inspect"), show, [*fixed, *keys.locks(seats)], [], decode, seats=seats)


class Snapshot(msgspec.Struct, frozen=True):
    """Raw fields of the availability hash, read at one version; ``channels`` are names, in order of their numbers."""

    status: SaleStatus
    plan: str
    epoch: int
    version: int
    now: int
    opens_in: float | None
    closes_in: float | None
    channels: tuple[str, ...]
    pools: _pools.Stock
    mirrors: list[bytes]


def mirrors(namespace: str, show: str, seats: Sequence[str], pools: Sequence[str] = ()) -> Operation[Snapshot]:
    """Read the fields of up to `READ_STEP` seats, and the counts of the pools, if these are the show's."""
    keys = keys_of(namespace, show)

    def decode(reply: list[Any]) -> Snapshot:
        check_show(reply, show)
        status, plan, epoch, version, now, opens_in, closes_in, channels = reply[1:9]
        opens_in, closes_in = _replies.seconds_left(opens_in), _replies.seconds_left(closes_in)
        names = _channels.read_names(channels)
        stock = _pools.Stock.read(reply[9], reply[10])
        fields = reply[11:]
        return Snapshot(status.decode(), plan.decode(), epoch, version, now, opens_in, closes_in, names, stock, fields)

    fixed = [keys.meta, keys.seats, keys.pools, *keys.pool_dues(pools)]
    return Operation(load("availability"), show, fixed, [seat.encode() for seat in seats], decode)


class Changes(msgspec.Struct, frozen=True):
    """Batches of changes after a version: (version, seat → new field). The empty seat stands for the show itself.

    Pools stand among the seats as ``pool``, a newline and the name. ``pools`` is how they are at ``version``.
    """

    status: SaleStatus
    epoch: int
    version: int
    now: int
    opens_in: float | None
    closes_in: float | None
    pools: _pools.Stock
    batches: list[tuple[int, dict[str, bytes]]]


def changes(namespace: str, show: str, epoch: int, version: int, pools: Sequence[str] = ()) -> Operation[Changes]:
    """Read up to `CHANGES_STEP` batches of changes after a version."""
    keys = keys_of(namespace, show)

    def decode(reply: list[Any]) -> Changes:
        check_show(reply, show)
        batches = [
            (
                int(entry.partition(b"-")[2]),
                {seat.decode(): field for seat, field in zip(fields[::2], fields[1::2], strict=True)},
            )
            for entry, fields in reply[9:]
        ]
        status, found_epoch, newest, now, opens_in, closes_in = reply[1:7]
        opens_in, closes_in = _replies.seconds_left(opens_in), _replies.seconds_left(closes_in)
        stock = _pools.Stock.read(reply[7], reply[8])
        return Changes(status.decode(), found_epoch, newest, now, opens_in, closes_in, stock, batches)

    args = [b"%d" % number for number in (epoch, version, CHANGES_STEP)]
    fixed = [keys.meta, keys.changes, keys.pools, *keys.pool_dues(pools)]
    return Operation(load("changes"), show, fixed, args, decode)


def packed_plan(namespace: str, show: str) -> Command[bytes | None]:
    """Read the plan of a show, packed."""
    return Command(show, ["GET", keys_of(namespace, show).plan], lambda reply: reply)


def listed(namespace: str, show: str, holder: str) -> Operation[tuple[str, ...] | None]:
    """The seats that a holder's list says are held; None where the show keeps no lists."""
    keys = keys_of(namespace, show)

    def decode(reply: list[Any]) -> tuple[str, ...] | None:
        check_show(reply, show)
        return None if reply[0] == b"unlisted" else tuple([seat.decode() for seat in reply[1:]])

    return Operation(load("holds"), show, [keys.meta, *keys.lists([holder])], [], decode)


def held(namespace: str, show: str, cursor: bytes) -> Operation[tuple[bytes, tuple[str, ...]]]:
    """Some of all seats that are on hold, whoever holds them, and the cursor to go on from."""
    keys = keys_of(namespace, show)

    def decode(reply: list[Any]) -> tuple[bytes, tuple[str, ...]]:
        check_show(reply, show)
        return reply[1], tuple([seat.decode() for seat in reply[2:]])

    return Operation(load("held"), show, [keys.meta, keys.due], [cursor], decode)
