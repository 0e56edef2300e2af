"""Pools: stock without numbers. What of a request is about them, and the steps that are about nothing else.

How pools lie in Redis is told in `lua/include/pools.lua`, why in `docs/decisions/pools.md`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from seatlock._keys import Keys, keys_of
from seatlock._operation import Ask, Command, Operation, Pools, check_show
from seatlock._replies import fence_of, listing
from seatlock._script import load
from seatlock.errors import PlanConflict, ScriptFailed, ShowInUse
from seatlock.model import PoolCounts

SWEEP_STEP: Final = 500  # due claims a sweep call takes back at most


def extras(keys: Keys, asks: Sequence[Ask[Any]]) -> tuple[list[bytes], list[bytes]]:
    """The keys behind the locks and the arguments behind the requests of a batch that wants something of pools."""
    numbers: dict[str, int] = {}
    args: list[bytes] = []
    for request, ask in enumerate(asks, start=1):
        for name, quantity in ask.pools:
            number = numbers.setdefault(name, len(numbers) + 1)
            args.append(b"p %d %d %d" % (request, number, quantity))
    return [keys.pools, *keys.pool_dues(numbers)], args


def names(namespace: str, show: str) -> Command[tuple[str, ...]]:
    """Read which pools a show has."""
    return Command(show, ["HGET", keys_of(namespace, show).pools, "names"], read_names)


def stocks(namespace: str, show: str, pools: Sequence[str]) -> Command[dict[str, tuple[int, int]]]:
    """Read the capacity of each of these pools, and how many of it are sold; pools that are not there are left out."""

    def decode(reply: list[bytes | None]) -> dict[str, tuple[int, int]]:
        counts = {pool: value.split() for pool, value in zip(pools, reply, strict=True) if value}
        return {pool: (int(capacity), int(sold)) for pool, (capacity, _, sold) in counts.items()}

    return Command(show, ["HMGET", keys_of(namespace, show).pools, *(f"c\n{pool}" for pool in pools)], decode)


def claims(
    namespace: str, show: str, pools: Sequence[str], holder: str
) -> Command[tuple[tuple[str, ...], dict[str, int]]]:
    """Read which pools a show has, and the fence of a holder's claim on each of these, where there is one."""

    def decode(reply: list[bytes | None]) -> tuple[tuple[str, ...], dict[str, int]]:
        parts = [value.split(b"\n") if value else [] for value in reply[1:]]  # see lua/include/pools.lua
        found = {pool: part[2:4] for pool, part in zip(pools, parts, strict=True) if all(map(bytes.isdigit, part[2:4]))}
        return read_names(reply[0]), {pool: fence_of(*map(int, fence)) for pool, fence in found.items() if fence}

    fields = [f"h\n{pool}\n{holder}" for pool in pools]
    return Command(show, ["HMGET", keys_of(namespace, show).pools, "names", *fields], decode)


def read_names(raw: bytes | None) -> tuple[str, ...]:
    """The names of pools as a script tells them."""
    return tuple(raw.decode().split("\n")) if raw else ()


def read_counts(pools: tuple[str, ...], raw: Sequence[int]) -> dict[str, PoolCounts]:
    """The counts of pools as a script tells them: capacity, held and sold of each."""
    counts: dict[str, PoolCounts] = {}
    for name, capacity, held, sold in zip(pools, raw[::3], raw[1::3], raw[2::3], strict=True):
        counts[name] = PoolCounts(capacity, capacity - held - sold, held, sold)
    return counts


def sweep(namespace: str, show: str, pool: str) -> Operation[tuple[int, bool]]:
    """Take back up to `SWEEP_STEP` due claims on a pool: gives how many became free, and whether more may be due."""
    keys = keys_of(namespace, show)

    def decode(reply: list[Any]) -> tuple[int, bool]:
        check_show(reply, show)
        return reply[1], reply[2] == SWEEP_STEP

    fixed = [keys.meta, keys.due, keys.changes, keys.pools, *keys.pool_dues([pool])]
    return Operation(load("sweep_pool"), show, fixed, [b"%d" % SWEEP_STEP], decode)


def stock(namespace: str, show: str, pools: Pools) -> Operation[None]:
    """Make the pools of a show, or change what they hold."""
    keys = keys_of(namespace, show)

    def decode(reply: list[Any]) -> None:
        if reply[0] == b"retiring":
            raise ShowInUse(f"show {show!r} is being retired; finish that first: retire it again.")
        if reply[0] == b"lost":
            places: list[int] = reply[1:]
            gone = [pools[place - 1][0] for place in places]
            raise ScriptFailed(
                f"pools of show {show!r} have lost their counts, though not their claims: {listing(gone)}; nothing was "
                "changed: find out what was sold before you retire the show and warm it again."
            )
        if reply[0] == b"dropped":
            given = {name for name, _ in pools}
            dropped = [name for name in read_names(reply[1]) if name not in given]
            raise PlanConflict(
                f"show {show!r} was warmed with pools that are not named now: {listing(dropped)}; nothing was changed: "
                "name them too, or retire the show first.",
                conflicts=dict.fromkeys(dropped, "not named"),
            )
        if reply[0] == b"conflict":
            _refuse_smaller(show, pools, reply[1:])

    fixed = [keys.meta, keys.changes, keys.pools, keys.retired, *keys.pool_dues(name for name, _ in pools)]
    return Operation(load("stock"), show, fixed, [b"%d" % capacity for _, capacity in pools], decode)


def _refuse_smaller(show: str, pools: Pools, raw: list[int]) -> None:
    conflicts: dict[str, str] = {}
    for place, held, sold in zip(raw[::3], raw[1::3], raw[2::3], strict=True):
        conflicts[pools[place - 1][0]] = f"{held} held and {sold} sold"
    raise PlanConflict(
        f"warming would make pools of show {show!r} smaller than what is held and sold of them: "
        f"{', '.join(f'{name!r} has {what}' for name, what in conflicts.items())}; nothing was changed.",
        conflicts=conflicts,
    )


class Stock(msgspec.Struct, frozen=True):
    """The pools of a show at one version; ``counts`` is empty where their names were not known when asking."""

    names: tuple[str, ...]
    counts: Mapping[str, PoolCounts]

    @classmethod
    def read(cls, names: bytes, raw: Sequence[int]) -> Stock:
        """Read what a script tells."""
        known = read_names(names)
        return cls(known, read_counts(known, raw) if raw else {})
