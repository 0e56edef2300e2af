"""How a room opens, once for both twins: the list of the early is closed, their order drawn, and the record kept.

The record of a draw (`seatlock.waiting_room.draw`) is written before anybody is moved, and sealed by its digest: from
then on it can be read by anyone at any time, whatever becomes of who draws. Pure, as `seatlock.waiting_room._core`.
"""

from __future__ import annotations

import logging
from typing import Final

from seatlock import _bounds
from seatlock._base import Base
from seatlock._procedures import Procedure
from seatlock.errors import InvalidRequest, ScriptFailed, ServerUnavailable
from seatlock.waiting_room import _commands
from seatlock.waiting_room._commands import DrawTerms
from seatlock.waiting_room.draw import TAG_BYTES, Draw, Participants, digest_of, key_of, number_of, tag_of
from seatlock.waiting_room.model import RoomStatus

DRAW_STEPS: Final = 1_000_000  # calls of one draw, at most
NOTE_TRIES: Final = 3  # at writing down who is drawn, where some of it is lost meanwhile
PART_BYTES: Final = TAG_BYTES * _commands.STEP
_log = logging.getLogger("seatlock")


class Opening(Base):
    """What opens a room, and all that comes before."""

    def close_early(self, show: object) -> Procedure[Participants]:
        """Close the list of the early, and tell what it is."""
        show = yield from self._ready(show)
        status, _ = yield _commands.close_early(self.namespace, show)
        if status != "drawing":
            raise InvalidRequest(f"the waiting room of show {show!r} is {status}: nobody in it is early any more.")
        found: list[bytes] = []
        for step in range(DRAW_STEPS):
            found.append((yield from self._part(show, step)))
            if len(found[-1]) < PART_BYTES:
                break
        noted: DrawTerms = yield _commands.noted(self.namespace, show)
        tags, digest = b"".join(found), digest_of(found)
        if noted.participants not in ("", digest):  # a draw has begun: some of them are no longer among the early
            tags, digest = (yield from self._recorded(show, noted.participants)), noted.participants
        return Participants(show, len(tags) // TAG_BYTES, digest, tags)

    def _part(self, show: str, step: int) -> Procedure[bytes]:
        """The tags of some of the early: after `step` parts before."""
        holders = yield _commands.part(self.namespace, show, step * _commands.STEP)
        return b"".join([tag_of(show, holder) for holder in holders])

    def _recorded(self, show: str, digest: str) -> Procedure[bytes]:
        """The tags of the record, which must be those of the digest that was noted."""
        found: list[bytes] = []
        for step in range(DRAW_STEPS):
            parts = yield _commands.recorded(self.namespace, show, step * _commands.PARTS)
            found += parts
            if len(parts) < _commands.PARTS:
                break
        if digest_of(found) != digest:
            raise ScriptFailed(
                f"the record of the draw of show {show!r} is not that of the digest that was noted: a key of its "
                "waiting room was lost or changed. The order of the line is not touched by that."
            )
        return b"".join(found)

    def draw_record(self, show: object) -> Procedure[Draw]:
        """Read the record of the draw."""
        show = yield from self._ready(show)
        return (yield from self._record(show))

    def _record(self, show: str) -> Procedure[Draw]:
        noted: DrawTerms = yield _commands.noted(self.namespace, show)
        if noted.participants in ("", digest_of([])):
            why = "was early" if noted.participants else "has been drawn yet"
            raise InvalidRequest(f"the waiting room of show {show!r} has no record of a draw: nobody {why}.")
        tags = yield from self._recorded(show, noted.participants)
        return _drawn(show, noted, tags)

    def open(self, show: object, outside: object) -> Procedure[Draw | None]:
        """Open a room: draw the order of the early first, if there are any or were; may be repeated."""
        outside = "" if outside is None else _bounds.reference("outside", outside)
        show = yield from self._ready(show)
        status, count = yield _commands.close_early(self.namespace, show, reopen=True)
        drawn = None
        if status == "drawing":
            ended, drawn = yield from self._draw(show, outside, count)
            if not ended:
                raise InvalidRequest(
                    f"the waiting room of show {show!r} was closed while the order of the early was drawn: nothing is "
                    "lost, and opening it again goes on with the draw."
                )
        yield _commands.set_status(self.namespace, show, "open")
        return drawn if drawn or not count else (yield from self._record(show))

    def close_in_time(self, show: object) -> Procedure[bool]:
        """End the early time of a room whose time has come, as a pump does: whether the room is to be opened now.

        Before a value from outside is asked for: whoever can know it must not be able to join the early any more.
        """
        show = yield from self._ready(show)
        return (yield _commands.close_early(self.namespace, show, due=True)) is not None

    def open_in_time(self, show: object, outside: object) -> Procedure[tuple[bool, Draw | None]]:
        """Open a room whose time has come, as a pump does: whether that was done, and the record of the draw.

        What somebody did by hand meanwhile stays: such a room is not opened, and nothing is raised for it.
        """
        outside = "" if outside is None else _bounds.reference("outside", outside)
        show = yield from self._ready(show)
        closed = yield _commands.close_early(self.namespace, show, due=True)
        if closed is None:
            return False, None
        status, count = closed
        drawn = None
        if status == "drawing":
            ended, drawn = yield from self._draw(show, outside, count)
            if not ended:
                return False, None
        opened = (yield _commands.set_status(self.namespace, show, "open", due=True)) is not None
        return opened, drawn if drawn or not count else (yield from self._record(show))

    def _draw(self, show: str, outside: str, count: int) -> Procedure[tuple[bool, Draw | None]]:
        """Draw the order of the early and seat them: whether that came to its end, and the record if it is at hand.

        It does not where the room is closed meanwhile; it does where others end it, and open the room.
        """
        noted, tags = yield from self._note(show, outside)
        if not noted.participants:  # closed before anything was noted: whoever opens it again may bring another value
            return False, None
        if outside and outside != noted.outside:
            _log.warning(
                "the order of the early of show %r is drawn with the outside value %r, noted first, and not with %r",
                show,
                noted.outside,
                outside,
            )
        status = yield from self._seat(show, key_of(noted.seed, noted.outside), count)
        if status in ("closed", "sold_out"):
            return False, None
        return True, _drawn(show, noted, tags) if tags else None

    def _note(self, show: str, outside: str) -> Procedure[tuple[DrawTerms, bytes]]:
        """Write the record and seal it, unless others have: gives what is noted, and its tags if they are at hand.

        Nobody is moved before the record is sealed. So a part that is written was read from the whole list; and who
        reads less of it, since others move them by then, is told here what they noted.
        """
        for _ in range(NOTE_TRIES):
            found: list[bytes] = []
            for step in range(DRAW_STEPS):
                some = yield from self._part(show, step)
                if some:
                    found.append(some)
                    status, digest = yield _commands.note_tags(self.namespace, show, step, some)
                    if digest or status != "drawing":
                        return (yield _commands.noted(self.namespace, show)), b""
                if len(some) < PART_BYTES:
                    break
            digest = digest_of(found)
            noted = yield _commands.note_draw(self.namespace, show, digest, outside, len(found))
            if noted is not None:
                return noted, b"".join(found) if noted.participants == digest else b""
        raise ServerUnavailable(
            f"the list of the early of show {show!r} could not be written down, since parts of it were lost meanwhile; "
            "nobody lost a place: ask again."
        )

    def _seat(self, show: str, key: bytes, count: int) -> Procedure[RoomStatus]:
        """Give the early their numbers and their places, as long as the room is being drawn: gives its status."""
        status: RoomStatus = "drawing"
        steps = count // _commands.STEP + 2  # each takes as many as it can; one more finds that nobody is left
        for _ in range(steps):
            holders = yield _commands.part(self.namespace, show, 0)
            if not holders:
                break
            numbers = {holder: number_of(key, tag_of(show, holder)) for holder in holders}
            status, left = yield _commands.draw(self.namespace, show, numbers)
            if status != "drawing" or left == 0:
                break
        for _ in range(steps):
            status, left = yield _commands.seat_drawn(self.namespace, show)
            if status != "drawing" or left == 0:
                break
        return status


def _drawn(show: str, noted: DrawTerms, tags: bytes) -> Draw:
    return Draw(show, noted.commitment, noted.seed, noted.outside, noted.participants, tags)
