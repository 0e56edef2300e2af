"""Seats that the house takes off sale, and puts back: builds the Operations and reads their replies.

A blocked seat is so in the availability hash alone; it has no lock. Its reason stands in a hash of its own.
"""

from __future__ import annotations

from typing import Any, Literal

from seatlock._keys import keys_of
from seatlock._operation import Operation, check_show
from seatlock._replies import listing
from seatlock._script import load
from seatlock.errors import SeatsUnavailable, UnknownSeats
from seatlock.model import Block, Conflict, Unblock


def block(namespace: str, show: str, seats: tuple[str, ...], reason: str) -> Operation[Block]:
    """Take seats off sale, all or none; an empty reason is none."""
    keys = keys_of(namespace, show)

    def decode(reply: list[Any]) -> Block:
        check_show(reply, show)
        _check_known(reply, show, seats)
        if reply[0] == b"refused":
            raise _unavailable(reply, show, seats)
        words: dict[str, Literal["blocked", "already"]] = dict.fromkeys(seats, "blocked")
        for place in reply[1:]:
            words[seats[place - 1]] = "already"
        return Block(show, words, reason or None)

    fixed = [keys.meta, keys.seats, keys.changes, keys.blocks]
    return Operation(load("block"), show, [*fixed, *keys.locks(seats)], [reason.encode()], decode, seats=seats)


def unblock(namespace: str, show: str, seats: tuple[str, ...]) -> Operation[Unblock]:
    """Put seats back on sale that are blocked."""
    keys = keys_of(namespace, show)

    def decode(reply: list[Any]) -> Unblock:
        check_show(reply, show)
        _check_known(reply, show, seats)
        words: dict[str, Literal["unblocked", "free", "held", "pinned", "sold"]] = dict.fromkeys(seats, "unblocked")
        for place, state in zip(reply[1::2], reply[2::2], strict=True):
            words[seats[place - 1]] = state.decode()
        return Unblock(show, words)

    fixed = [keys.meta, keys.seats, keys.changes, keys.blocks]
    return Operation(load("unblock"), show, [*fixed, *keys.locks(seats)], [], decode, seats=seats)


def _check_known(reply: list[Any], show: str, seats: tuple[str, ...]) -> None:
    if reply[0] == b"unknown":
        places: list[int] = reply[1:]
        unknown = tuple(seats[place - 1] for place in places)
        raise UnknownSeats(
            f"show {show!r} has no seat {listing(unknown)}; nothing was changed: look at its plan.", seats=unknown
        )


def _unavailable(reply: list[Any], show: str, seats: tuple[str, ...]) -> SeatsUnavailable:
    conflicts: dict[str, Conflict] = {}
    for place, state, left, consistent in zip(reply[1::4], reply[2::4], reply[3::4], reply[4::4], strict=True):
        retry_after = None if left < 0 else left / 1000
        conflicts[seats[place - 1]] = Conflict(state.decode(), retry_after, inconsistent=not consistent)
    states = sorted({conflict.state for conflict in conflicts.values()})
    told = "; ".join(
        f"{state}: {listing([seat for seat, conflict in conflicts.items() if conflict.state == state])}"
        for state in states
    )
    return SeatsUnavailable(
        f"seats of show {show!r} cannot be blocked ({told}); none was: wait until the holds have ended, cancel the "
        "bookings, or leave these seats out.",
        conflicts=conflicts,
    )
