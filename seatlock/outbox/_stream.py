"""Builds the calls of the two scripts by which a relay reads an outbox and empties it: pure, no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import msgspec

from seatlock._keys import keys_of
from seatlock._operation import Operation, check_show
from seatlock._script import load

MOST: Final = 500  # facts a call, as `lua/take.lua` bounds them

Settled = Literal["done", "aside", "gone", "other"]
"""What became of a fact: ``gone`` was settled before, ``other`` says that its id holds another fact now."""


class Entry(msgspec.Struct, frozen=True):
    """An entry of an outbox as it lies there."""

    id: str
    fields: Mapping[bytes, bytes]


class Taken(msgspec.Struct, frozen=True):
    """The oldest entries of an outbox, the time in ms by the server's clock, and whether more wait behind them."""

    now: int
    more: bool
    entries: tuple[Entry, ...]


class Settling(msgspec.Struct, frozen=True):
    """An entry to be taken out of an outbox; one that nobody could deal with is set aside, with the ``reason``."""

    entry: Entry
    reason: str = ""


def take(namespace: str, show: str, relay: str, lease_ms: int, count: int) -> Operation[Taken | float]:
    """Take what is next in an outbox, and the lease of the show; a lease of 0 gives the show up.

    Gives the seconds left to another relay where one has the show.
    """
    keys = keys_of(namespace, show)

    def decode(reply: list[Any]) -> Taken | float:
        check_show(reply, show)
        if reply[0] == b"taken":
            left: int = reply[1]
            return max(left, 0) / 1000
        entries = [Entry(at.decode(), dict(zip(fields[::2], fields[1::2], strict=True))) for at, fields in reply[3]]
        return Taken(reply[1], bool(reply[2]), tuple(entries))

    args = [relay.encode(), b"%d" % lease_ms, b"%d" % count]
    return Operation(load("take"), show, [keys.meta, keys.outbox, keys.relay], args, decode)


def settle(namespace: str, show: str, settled: Sequence[Settling]) -> Operation[list[Settled]]:
    """Take up to `MOST` entries out of an outbox: gives what became of each."""
    keys = keys_of(namespace, show)
    args: list[bytes] = []
    for each in settled:
        fields = each.entry.fields
        reason = " ".join(each.reason.split())
        args.append(f"{each.entry.id} {reason}".rstrip().encode())
        args.append(b"\n".join([fields.get(b"kind", b""), fields.get(b"booking", b"")]))
    return Operation(
        load("settle"), show, [keys.outbox, keys.aside], args, lambda reply: [word[0].decode() for word in reply[1:]]
    )
