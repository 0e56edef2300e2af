"""Reads what a waiting room publishes: its stream, from a cursor on. Pure, no I/O."""

from __future__ import annotations

import re
from typing import Any, Final, cast

from seatlock._keys import keys_of
from seatlock._operation import Operation
from seatlock._script import load
from seatlock.errors import InvalidRequest
from seatlock.waiting_room._commands import check_room
from seatlock.waiting_room.model import LetIn, RoomChange, RoomChanges, RoomStatus

MOST: Final = 2**49
_CURSOR: Final = re.compile(r"([0-9]{1,15})-([0-9]{1,15})")


def cursor(after: object) -> tuple[int, int]:
    """Check a cursor: when the room was made, and the version of the entry."""
    if after is None:
        return 0, 0
    match = _CURSOR.fullmatch(after) if isinstance(after, str) else None
    if match is None or max(made := int(match[1]), version := int(match[2])) > MOST:
        raise InvalidRequest(f"after is {after!r}; give the cursor of an earlier answer, or None for all that is kept.")
    return made, version


def changes(namespace: str, show: str, made: int, version: int) -> Operation[RoomChanges]:
    """Read what came after a cursor, a bounded part."""
    room = keys_of(namespace, show).room

    def decode(reply: list[Any]) -> RoomChanges:
        check_room(reply, show)
        entries = tuple([_entry(name, fields) for name, fields in reply[2:]])
        return RoomChanges(show, entries, entries[-1].cursor if entries else f"{made}-{version}", bool(reply[1]))

    return Operation(load("room_changes"), show, [room.room, room.admissions], [b"%d" % made, b"%d" % version], decode)


def _entry(name: bytes, fields: list[bytes]) -> RoomChange:
    _, served, _, gone, *rest = fields
    if rest and rest[0] == b"status":
        return RoomChange(name.decode(), int(served), int(gone), room=cast("RoomStatus", rest[1].decode()))
    let_in = tuple([LetIn(holder.decode(), int(place)) for place, holder in zip(rest[::2], rest[1::2], strict=True)])
    return RoomChange(name.decode(), int(served), int(gone), let_in)
