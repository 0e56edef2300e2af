"""`WaitingRoom`: the blocking door to a waiting room. `seatlock.waiting_room.aio` is its twin."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any, Self

from seatlock import _connect
from seatlock._base import DEFAULT_PATIENCE
from seatlock._bounds import Duration, Moment
from seatlock._door import Door
from seatlock.errors import SeatLockError
from seatlock.waiting_room._commands import MOST_A_CALL
from seatlock.waiting_room._core import JoinLimiter, RoomCore
from seatlock.waiting_room.draw import Draw, Participants
from seatlock.waiting_room.model import Admission, Pass, Place, RoomChanges, RoomSettings, Served
from seatlock.waiting_room.passes import PassKeys
from seatlock.waiting_room.pump import OUTLASTED, Pump


class WaitingRoom(Door[RoomCore]):
    """The lines before the sales of shows, in Redis. Threads may share one.

    ``client``, ``namespace`` and ``patience`` are those of `SeatLocker`. ``keys`` sign the passes, so that front ends
    can check them by themselves; without keys passes have no token. ``join_limiter`` is asked before each join, with
    show and holder: None lets it through, a number above 0 refuses it for so many seconds (`WaitingRoomFull`). It is
    asked, too, where somebody who has a place joins again; heartbeats are not joins.

    Every method may raise, besides what it names: `InvalidRequest` (before anything is sent), `ShowNotFound` (no room
    was made), `UnsafeServer`, `ServerUnavailable`, `OutcomeUnknown` (ask again: all calls can be repeated) and
    `ScriptFailed`.
    """

    def __init__(
        self,
        client: _connect.SyncClient,
        *,
        namespace: str = "seatlock",
        patience: Duration = DEFAULT_PATIENCE,
        keys: PassKeys | None = None,
        join_limiter: JoinLimiter | None = None,
    ) -> None:
        super().__init__(client, RoomCore(namespace, patience, keys, join_limiter))

    @classmethod
    def from_url(
        cls,
        url: str,
        *,
        namespace: str = "seatlock",
        patience: Duration = DEFAULT_PATIENCE,
        keys: PassKeys | None = None,
        join_limiter: JoinLimiter | None = None,
        **options: Any,
    ) -> Self:
        """Make a waiting room with a client of its own; ``url`` and ``options`` as for `SeatLocker`."""
        RoomCore(namespace, patience, keys, join_limiter)  # refuses what is wrong before a server is started
        client, server = _connect.sync_client(url, options)
        room = cls(client, namespace=namespace, patience=patience, keys=keys, join_limiter=join_limiter)
        room._owned = [client, *([server] if server else [])]
        return room

    # What one holder asks for

    def join(self, show: str, holder: str) -> Place:
        """Take a place in the line, at its end; who has one, or a pass, is told of that, from any tab or device.

        Before the room opens there is no order: the place is ``early``. Raises `WaitingRoomFull` (nothing was changed)
        or `WaitingRoomClosed`.
        """
        return self._one(self._core.join(show, holder))

    def join_many(self, show: str, holders: Iterable[str]) -> list[Place | SeatLockError]:
        """Have many holders join, in order, in as few calls as can be: a place or an error each."""
        return self._follow(self._core.join_many(show, holders))

    def status(self, show: str, holder: str) -> Place:
        """How a holder stands in the line. Changes nothing: the holder is not present for it."""
        return self._one(self._core.status(show, holder))

    def heartbeat(self, show: str, holder: str) -> Place:
        """Say that a holder is still there, and how the holder stands: what a waiting page asks now and then.

        The first one after an admission starts the pass; who never comes loses it after the reservation time.
        """
        return self._one(self._core.heartbeat(show, holder))

    def leave(self, show: str, holder: str) -> bool:
        """Give up a place or a pass; whether that was done: not where there was none.

        Nor, for the early, while their order is drawn: the list cannot change then.
        """
        return self._one(self._core.leave(show, holder))

    def renew(self, pass_: Pass) -> Pass:
        """Give a pass its full time again. Raises `NotAdmitted` where it has ended, or no renewal is left."""
        return self._one(self._core.renew(pass_))

    # Running it

    def prepare(self, show: str, settings: RoomSettings | None = None, *, required: bool | None = None) -> str:
        """Make the waiting room of a show, or change its settings; may be repeated.

        A new room is ``early`` until `open`. With ``required`` the sale of the show gives new holds only to those who
        have a pass (`NotAdmitted`); False takes that back, None leaves it as it is. Either way a pass ends when its
        holder confirms, if the show is warmed by now: else prepare the room again then. Gives the commitment to the
        seed of the draw: publish it before anybody comes. Raises `ShowNotFound` where ``required`` is given and the
        show is not warmed.
        """
        return self._follow(self._core.make(show, settings, required))

    def settings(self, show: str) -> RoomSettings:
        """The settings of a room as they are: `prepare` takes all of them, so change these to change one."""
        return self._follow(self._core.settings(show))

    def close_early(self, show: str) -> Participants:
        """End the early time: whoever joins from now on comes after all who are there.

        Gives who they are, without names; publish the digest before the outside value of `open` can be known. Raises
        `InvalidRequest` where the room has been opened.
        """
        return self._follow(self._core.close_early(show))

    def open(self, show: str, *, outside: str | None = None) -> Draw | None:
        """Let people in from now on. The first time, the order of the early is drawn: gives the public record of that.

        ``outside`` is a value that nobody could know when the list of the early was closed, such as a public beacon's;
        without one, who knew the seed could have aimed. May be repeated, also by others: what was drawn stays, and the
        record is the same, see `draw_record`. None where nobody was early.
        """
        return self._follow(self._core.open(show, outside))

    def draw_record(self, show: str) -> Draw:
        """Read the public record of the draw, at any time after it was begun, until the show is retired.

        Raises `InvalidRequest` where nobody was drawn, and `ScriptFailed` where the record was lost or changed.
        """
        return self._follow(self._core.draw_record(show))

    def open_at(self, show: str, at: Moment | None) -> None:
        """Have the pumps (see `run`) open the room when a time comes by the server's clock, or (None) forget that.

        ``at`` is an aware datetime or seconds since the epoch. Opening, pausing or closing by hand forgets it. Raises
        `InvalidRequest` where it has passed.
        """
        self._follow(self._core.open_at(show, at))

    def pause(self, show: str) -> None:
        """Let nobody in for the moment; places stay, and people may join. `open` goes on."""
        self._follow(self._core.set_status(show, "paused"))

    def close_room(self, show: str) -> None:
        """Let nobody in and nobody join any more; passes stay in time."""
        self._follow(self._core.set_status(show, "closed"))

    def sold_out(self, show: str) -> None:
        """Tell all who wait that the show is sold out; nobody is let in and nobody can join any more."""
        self._follow(self._core.set_status(show, "sold_out"))

    def admit(self, show: str, *, most: int = MOST_A_CALL, most_live: int | None = None) -> Admission:
        """Let in those who are next of the present: as many as rate, concurrency and batch allow, and ``most`` at most.

        Any number of processes may call it at once: together they let in no more than the limits allow, nobody twice,
        and nobody before one who is present and was before. ``most_live`` is a bound of your own on the passes in time,
        such as the seats still free plus those that you expect back.
        """
        return self._follow(self._core.admit(show, most, most_live))

    def tidy(self, show: str) -> tuple[int, int]:
        """Do what time asks for: end passes, have silent places leave; gives how many. At least every half of grace.

        Where it comes less often silence takes longer to be noticed; without it nobody falls silent, and the line waits
        for those who went away.
        """
        return self._follow(self._core.tidy(show))

    def served(self, show: str) -> Served:
        """How far the line has been served: the same for everybody, so keep it and hand it out to millions."""
        return self._follow(self._core.served(show))

    def changes(self, show: str, after: str | None = None) -> RoomChanges:
        """What the room has published after a cursor: who was let in, its status, and how the line moved.

        Gives what is there by now, up to some 1,000 entries, so ask again from its ``cursor`` until there are none.
        None asks for all that is kept, which is at least about the last half a million people let in.
        """
        return self._follow(self._core.changes(show, after))

    def run(
        self,
        show: str,
        *,
        stop: threading.Event | None = None,
        most_live: Callable[[], int] | None = None,
        on_admission: Callable[[Admission], object] | None = None,
        outside: Callable[[], str] | None = None,
        on_open: Callable[[Draw | None], object] | None = None,
    ) -> None:
        """Let people in and keep the room tidy, until it is closed or sold out, or ``stop`` is set: the pump.

        Run as many as you like, in any processes. Outlasts a server that does not answer. ``most_live`` is asked before
        each call of `admit`; ``on_admission`` is told of each that let somebody in, unless its answer was lost: see
        `changes`. When the time of `open_at` has come, the pump ends the early time, asks ``outside`` for the value
        that the order is drawn with (see `open`; give it to all pumps or to none; one that raises is asked again),
        opens the room, and tells ``on_open`` what `open` gave. Not a room that was opened, paused, closed or sold out
        by hand meanwhile.
        """
        pump = Pump(show)
        stop = stop or threading.Event()
        while not stop.is_set() and not pump.over:
            try:
                if pump.tidy_is_due():
                    self.tidy(show)
                    if self.served(show).opens_in == 0 and self._follow(self._core.close_in_time(show)):
                        self._open_in_time(show, pump, outside, on_open)
                admission = self.admit(show, most_live=None if most_live is None else most_live())
            except OUTLASTED as error:
                pump.failed(error)
            else:
                pump.admitted(admission)
                if on_admission is not None and admission.admitted:
                    on_admission(admission)
            stop.wait(pump.pause)

    def _open_in_time(
        self,
        show: str,
        pump: Pump,
        outside: Callable[[], str] | None,
        on_open: Callable[[Draw | None], object] | None,
    ) -> None:
        try:
            value = None if outside is None else outside()
        except Exception as error:  # noqa: BLE001 - whatever the beacon raises, the pump goes on
            pump.without_value(error)
            return
        opened, drawn = self._follow(self._core.open_in_time(show, value))
        if on_open is not None and (opened or drawn is not None):
            on_open(drawn)
