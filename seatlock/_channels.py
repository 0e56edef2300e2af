"""Channels: quotas of seats for those who sell for the house, by name.

A seat of a channel is free only to requests that name it. Which channel a seat is in stands in its field of the
availability hash, as a number; the names stand in the show's facts.
"""

from __future__ import annotations

from typing import Any, Literal

from seatlock._keys import keys_of
from seatlock._operation import Command, Operation, check_show
from seatlock._replies import listing
from seatlock._script import load
from seatlock.errors import InvalidRequest, UnknownSeats
from seatlock.model import ChannelChange


def names(namespace: str, show: str) -> Command[tuple[str, ...]]:
    """Read the names of a show's channels, in order of their numbers."""
    return Command(show, ["HGET", keys_of(namespace, show).meta, "channels"], read_names)


def read_names(raw: bytes | None) -> tuple[str, ...]:
    """The names of channels as the facts of a show tell them."""
    return tuple(raw.decode().split("\n")) if raw else ()


def set_channel(namespace: str, show: str, seats: tuple[str, ...], channel: str) -> Operation[ChannelChange]:
    """Put seats into a channel, all or none; an empty name is the public."""
    keys = keys_of(namespace, show)

    def decode(reply: list[Any]) -> ChannelChange:
        check_show(reply, show)
        if reply[0] == b"unknown":
            places: list[int] = reply[1:]
            unknown = tuple(seats[place - 1] for place in places)
            raise UnknownSeats(
                f"show {show!r} has no seat {listing(unknown)}; nothing was changed: look at its plan.", seats=unknown
            )
        if reply[0] == b"full":
            raise InvalidRequest(
                f"channel {channel!r} would be one too many: show {show!r} has the {reply[1]} channels that a show may "
                "have; nothing was changed: use one of those there are."
            )
        words: dict[str, Literal["changed", "already"]] = dict.fromkeys(seats, "changed")
        for place in reply[1:]:
            words[seats[place - 1]] = "already"
        return ChannelChange(show, channel or None, words)

    args = [channel.encode(), *(seat.encode() for seat in seats)]
    return Operation(load("set_channel"), show, [keys.meta, keys.seats, keys.changes], args, decode, seats=seats)
