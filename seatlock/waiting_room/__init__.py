"""The waiting room: the line before a sale. A place has a position; admission lets a batch in; a pass proves it."""

from seatlock.waiting_room.aio import AsyncWaitingRoom
from seatlock.waiting_room.model import (
    Admission,
    Admitted,
    Estimate,
    LetIn,
    Pass,
    Place,
    RoomChange,
    RoomChanges,
    RoomSettings,
    Served,
)
from seatlock.waiting_room.passes import PassKeys
from seatlock.waiting_room.room import WaitingRoom

__all__ = [
    "Admission",
    "Admitted",
    "AsyncWaitingRoom",
    "Estimate",
    "LetIn",
    "Pass",
    "PassKeys",
    "Place",
    "RoomChange",
    "RoomChanges",
    "RoomSettings",
    "Served",
    "WaitingRoom",
]
