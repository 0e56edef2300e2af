"""What a waiting room does, once for both twins: checks arguments, builds asks, and goes through what takes many steps.

Pure: a procedure yields the calls that a door carries out.
"""

from __future__ import annotations

import inspect
import math
import secrets
from collections.abc import Callable, Iterable
from typing import Any, Final, cast

from seatlock import _bounds
from seatlock._operation import Ask
from seatlock._procedures import Procedure
from seatlock.errors import InvalidRequest, NotAdmitted, SeatLockError, WaitingRoomClosed, WaitingRoomFull
from seatlock.waiting_room import _changes, _commands
from seatlock.waiting_room._commands import MOST_A_CALL, MOST_LIVE, Facts
from seatlock.waiting_room._opening import Opening
from seatlock.waiting_room._settings import checked, whole
from seatlock.waiting_room.draw import commitment_of
from seatlock.waiting_room.model import (
    Admission,
    Pass,
    Place,
    PlaceState,
    RoomChanges,
    RoomSettings,
    RoomStatus,
    Served,
)
from seatlock.waiting_room.passes import PassKeys

JoinLimiter = Callable[[str, str], "float | None"]
"""Asked before every join with show and holder, also of one who has a place already and joins again: None lets it
through, else it gives the seconds after which to try again, more than 0. A plain function, not a coroutine."""

TIDY_STEPS: Final = 200  # calls of one tidy, at most


class RoomCore(Opening):
    """What the twins know: the keys that passes are signed with, and who limits joins."""

    def __init__(
        self, namespace: object, patience: object, keys: PassKeys | None, join_limiter: JoinLimiter | None
    ) -> None:
        super().__init__(namespace, patience, _commands.Line())
        if not isinstance(cast("object", keys), PassKeys | None):
            raise InvalidRequest(f"keys must be seatlock.PassKeys, not {type(keys).__name__}.")
        if join_limiter is not None and not callable(cast("object", join_limiter)):
            raise InvalidRequest("join_limiter must be a function of show and holder.")
        self._keys = keys
        self._limiter = join_limiter

    # One holder's requests

    def join(self, show: object, holder: object) -> Ask[Place]:
        """Check a join, and ask the limiter."""
        show, holder = _bounds.show_id(show), _holder(holder)
        wait = _told(self._limiter(show, holder)) if self._limiter else None
        if wait is not None:
            raise WaitingRoomFull(
                f"too many join the waiting room of show {show!r} from there: try again in {wait:g} s.",
                retry_after=wait,
            )
        return _commands.about("join", show, holder, self._place)

    def joins(self, show: object, holders: object) -> list[Ask[Place] | SeatLockError]:
        """Check many joins; one that is refused here has its error in its place."""
        if isinstance(holders, str | bytes) or not isinstance(holders, Iterable):
            raise InvalidRequest(f"holders must be an iterable of ids, not {type(holders).__name__}.")
        asks: list[Ask[Place] | SeatLockError] = []
        for holder in cast("Iterable[object]", holders):
            try:
                asks.append(self.join(show, holder))
            except SeatLockError as error:
                asks.append(error)
        return asks

    def heartbeat(self, show: object, holder: object) -> Ask[Place]:
        """Check a heartbeat."""
        return _commands.about("heartbeat", _bounds.show_id(show), _holder(holder), self._place)

    def status(self, show: object, holder: object) -> Ask[Place]:
        """Check a status."""
        return _commands.about("place", _bounds.show_id(show), _holder(holder), self._place)

    def leave(self, show: object, holder: object) -> Ask[bool]:
        """Check a leave."""
        return _commands.about("leave", _bounds.show_id(show), _holder(holder), _left)

    def renew(self, held: object) -> Ask[Pass]:
        """Check a renewal."""
        if not isinstance(held, Pass):
            raise InvalidRequest(f"renew takes a seatlock.Pass, not {type(held).__name__}.")
        renewals = held.renewals
        if type(renewals) is not int or not 0 <= renewals <= 1000:  # noqa: PLR2004 - as the settings allow
            raise InvalidRequest("pass.renewals is not what the server gave: keep passes as they are.")
        return _commands.about("renew", _bounds.show_id(held.show), _holder(held.holder), self._renewed, renewals)

    def _place(self, ask: Ask[Any], answer: list[Any]) -> Place | SeatLockError:
        facts: Facts = answer[0]
        word, *rest = answer[1:]
        if word == b"waiting":
            wait = _commands.line_estimate(facts, rest[0], rest[2])
            return Place(
                ask.show,
                ask.holder,
                "waiting",
                facts.room,
                rest[0],
                rest[1],
                wait,
                facts.poll,
                opens_in=facts.opens_in,
            )
        if word == b"admitted":
            held = self._pass(ask, rest)
            return Place(ask.show, ask.holder, "admitted", facts.room, rest[0], ask_again=facts.poll, pass_=held)
        if word == b"full":
            return WaitingRoomFull(
                f"the waiting room of show {ask.show!r} holds {rest[0]:,} people and is full; nobody lost a place: try "
                f"again in {facts.poll:g} s.",
                retry_after=facts.poll,
            )
        if word == b"over":
            return WaitingRoomClosed(
                f"the waiting room of show {ask.show!r} takes nobody any more: it is "
                f"{'sold out' if facts.room == 'sold_out' else 'closed'}.",
                status=facts.room,
            )
        state: PlaceState = "early" if word == b"early" else "gone"
        return Place(ask.show, ask.holder, state, facts.room, ask_again=facts.poll, opens_in=facts.opens_in)

    def _pass(self, ask: Ask[Any], answer: list[Any]) -> Pass:
        place, left, deadline, renewals = answer
        token = self._keys.sign(ask.show, ask.holder, place, deadline / 1000) if self._keys else None
        return Pass(ask.show, ask.holder, place, left / 1000, renewals, token)

    def _renewed(self, ask: Ask[Any], answer: list[Any]) -> Pass | SeatLockError:
        word, *rest = answer[1:]
        if word == b"admitted":
            return self._pass(ask, rest)
        why = "has been renewed as often as it can be" if word == b"spent" else "has ended"
        return NotAdmitted(f"the pass of this holder for show {ask.show!r} {why}: join the waiting room again.")

    # Running a room

    def join_many(self, show: object, holders: object) -> Procedure[list[Place | SeatLockError]]:
        """Carry out many joins."""
        return (yield from self._many(show, self.joins(show, holders)))

    def make(self, show: object, settings: object, required: object) -> Procedure[str]:
        """Make a room, or change its settings: gives the commitment to the seed of its draw."""
        settings = RoomSettings() if settings is None else settings
        if required is not None and not isinstance(required, bool):
            raise InvalidRequest(f"required must be True, False or None, not {required!r}.")
        if not isinstance(settings, RoomSettings):
            raise InvalidRequest(f"settings must be seatlock.RoomSettings, not {type(settings).__name__}.")
        milliseconds = checked(settings)
        show = yield from self._ready(show)
        # first, so that nothing is made for a show that is not there
        yield _commands.require_admission(self.namespace, show, required=required)
        seed = secrets.token_hex(32)
        made = _commands.prepare(self.namespace, show, settings, milliseconds, seed, commitment_of(seed))
        _, _, commitment = yield made
        return cast("str", commitment)

    def settings(self, show: object) -> Procedure[RoomSettings]:
        """Read the settings of a room."""
        show = yield from self._ready(show)
        found: RoomSettings = yield _commands.settings(self.namespace, show)
        return found

    def set_status(self, show: object, status: RoomStatus) -> Procedure[None]:
        """Pause or close a room, mark it sold out, or open one in which nobody waits for a draw."""
        show = yield from self._ready(show)
        yield _commands.set_status(self.namespace, show, status)

    def open_at(self, show: object, at: object) -> Procedure[None]:
        """Note when a room is to open."""
        at_ms = 0 if at is None else _bounds.moment("at", at)
        show = yield from self._ready(show)
        yield _commands.open_at(self.namespace, show, at_ms)

    def admit(self, show: object, most: object, most_live: object) -> Procedure[Admission]:
        """Let people in."""
        most = whole("most", most, 0, MOST_A_CALL)
        most_live = MOST_LIVE if most_live is None else whole("most_live", most_live, 0, MOST_LIVE)
        show = yield from self._ready(show)
        admission: Admission = yield _commands.admit(self.namespace, show, most, most_live)
        return admission

    def tidy(self, show: object) -> Procedure[tuple[int, int]]:
        """Do what time asks for, in bounded steps."""
        show = yield from self._ready(show)
        ended = left = 0
        for _ in range(TIDY_STEPS):
            some_ended, some_left, more = yield _commands.tidy(self.namespace, show)
            ended, left = ended + some_ended, left + some_left
            if not more:
                break
        return ended, left

    def served(self, show: object) -> Procedure[Served]:
        """Read how far the line has been served."""
        show = yield from self._ready(show)
        found: Served = yield _commands.served(self.namespace, show)
        return found

    def changes(self, show: object, after: object) -> Procedure[RoomChanges]:
        """Read what a room has published after a cursor."""
        made, version = _changes.cursor(after)
        show = yield from self._ready(show)
        found: RoomChanges = yield _changes.changes(self.namespace, show, made, version)
        return found


def _told(wait: object) -> float | None:
    """Check what a limiter answered."""
    if inspect.isawaitable(wait):
        if inspect.iscoroutine(wait):
            wait.close()  # it will never be awaited
        raise InvalidRequest("join_limiter must answer at once: give a plain function, not a coroutine function.")
    if wait is None:
        return None
    if isinstance(wait, bool) or not isinstance(wait, int | float) or not 0 < wait < math.inf:
        raise InvalidRequest(f"join_limiter gave {wait!r}; it must give None, or a finite number of seconds above 0.")
    return wait


def _left(_: Ask[Any], answer: list[Any]) -> bool:
    return bool(answer[1] == b"left")


def _holder(value: object) -> str:
    return _bounds.text("holder", value, limit=_bounds.MAX_HOLDER_BYTES)
