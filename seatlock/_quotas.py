"""The free seats of a plan as those see them who name a channel: pure, no I/O.

A free seat is free to everybody, or, where it is in a channel, to those who name that one. So there is a `Chooser` for
the public and one for each channel that is asked for, made when it first is. What is set aside is set aside in all.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from seatlock._choosing import Chooser
from seatlock._layout import Layout

KEPT: Final = 16  # channels whose choosers are kept, those that were asked for last; the public's is kept always
NOBODYS: Final = 255  # stands for all numbers that no channel can have


class Quotas:
    """Which cells of a layout are free, and to whom. A channel is a number here, as in the show's fields; 0 is none."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._free = bytearray(len(layout.seats))
        self._channels = bytearray(len(layout.seats))
        self._public = Chooser(layout)
        self._choosers: dict[int, Chooser] = {}

    def put(self, cell: int, channel: int, *, free: bool) -> None:
        """Note the channel of a cell, and whether it is free."""
        if self._free[cell] == free and self._channels[cell] == channel:
            return
        self._free[cell] = free
        self._channels[cell] = channel and min(channel, NOBODYS)
        self._public.set_cell(cell, free=free and not channel)
        for number, chooser in self._choosers.items():
            chooser.set_cell(cell, free=free and channel in (0, number))

    def set_free(self, seat: str, *, free: bool) -> None:
        """Note whether a seat is free, in the channel that it is in."""
        cell = self._layout.cell_of[seat]
        self.put(cell, self._channels[cell], free=free)

    def set_aside(self, cells: Iterable[int]) -> None:
        """Keep cells for somebody."""
        for chooser in (self._public, *self._choosers.values()):
            chooser.set_aside(cells)

    def put_back(self, cells: Iterable[int]) -> None:
        """Keep cells no longer."""
        for chooser in (self._public, *self._choosers.values()):
            chooser.put_back(cells)

    def chooser(self, channel: int) -> Chooser:
        """What is free to those who name this channel; ask for it anew each time."""
        if not channel:
            return self._public
        chooser = self._choosers.pop(channel, None)
        if chooser is None:
            free = bytearray(
                is_free and of in (0, channel) for is_free, of in zip(self._free, self._channels, strict=True)
            )
            chooser = self._public.beside(free)
        self._choosers[channel] = chooser  # the last one asked for goes last
        if len(self._choosers) > KEPT:
            del self._choosers[next(iter(self._choosers))]
        return chooser
