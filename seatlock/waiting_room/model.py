"""What a waiting room tells: frozen Structs. Times are seconds."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

RoomStatus = Literal["early", "drawing", "open", "paused", "closed", "sold_out"]
"""``early``: not opened, who joins has no order yet. ``drawing``: their order is being drawn. ``paused``: nobody is let
in, the line stands. ``closed`` and ``sold_out``: nobody is let in any more."""
PlaceState = Literal["early", "waiting", "admitted", "gone"]


class RoomSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a waiting room lets people in. The defaults are those of a middling sale; `BIG_SALE` is for a big one.

    ``rate`` admissions in ``per`` seconds, and at most ``burst`` at once: in any window of w seconds no more than
    ``burst + rate * w / per`` are let in. ``concurrency`` bounds the passes in time, None for no bound; ``batch`` what
    one call lets in. Who was let in has ``reservation`` seconds to show up, then a pass of ``pass_ttl`` seconds, which
    can be renewed ``renewals`` times. Who was not heard of for ``grace`` to twice ``grace`` seconds is passed over, and
    loses the place after ``keep`` to twice ``keep`` seconds. ``poll`` is how often clients are told to ask.

    ``grace`` is at least 2.4 times ``poll`` (clients add up to a fifth at random, and after an outage half of ``grace``
    is left to be heard in), ``keep`` at least ``grace``, and ``reservation`` at least ``poll``: other settings are
    refused, since with them who does as told is passed over.
    """

    max_length: int = 100_000
    rate: int = 1_000
    per: float = 60.0
    burst: int = 100
    concurrency: int | None = None
    batch: int = 100
    reservation: float = 120.0
    pass_ttl: float = 600.0
    renewals: int = 2
    grace: float = 30.0
    keep: float = 900.0
    poll: float = 5.0


BIG_SALE: Final = RoomSettings(max_length=10_000_000, rate=1_000, per=5.0, burst=1_000, batch=1_000)
"""1,000 every five seconds, ten million in the line."""


class Estimate(msgspec.Struct, frozen=True):
    """How long it may take, in seconds: probably between ``low`` and ``high``. Never a promise."""

    low: float
    high: float


class Pass(msgspec.Struct, frozen=True):
    """The proof of an admission, bound to show and holder.

    ``ttl`` is the seconds that were left when the server answered, ``renewals`` how often it can be renewed still.
    ``token`` is the signed form that a front end can check by itself (see `PassKeys`), None in a room without keys.
    ``place`` is the number that the holder had in the line.
    """

    show: str
    holder: str
    place: int
    ttl: float
    renewals: int
    token: str | None = None

    def __repr__(self) -> str:  # without the token: error trackers print local variables
        return f"Pass({self.show!r}, {self.holder!r}, place={self.place}, ttl={self.ttl}, renewals={self.renewals})"

    def __rich_repr__(self) -> list[tuple[str, object]]:  # what rich prints, also of a traceback's variables
        return [(name, getattr(self, name)) for name in self.__struct_fields__ if name != "token"]


class Place(msgspec.Struct, frozen=True):
    """How a holder stands in the line.

    ``state`` is ``waiting`` (with ``position``, from 1, and ``ahead``, how many are before), ``admitted`` (with
    ``pass_``), ``early`` (the order is drawn when the room opens) or ``gone`` (neither place nor pass: join).
    ``number`` is the place's own and never changes. ``wait`` is None where nothing can be said, as while the room is
    paused. ``ask_again`` is the seconds after which a client should ask again, ``opens_in`` those until the room opens
    by itself, None where no time is set.
    """

    show: str
    holder: str
    state: PlaceState
    room: RoomStatus
    number: int | None = None
    ahead: int | None = None
    wait: Estimate | None = None
    ask_again: float = 5.0
    pass_: Pass | None = None
    opens_in: float | None = None

    @property
    def position(self) -> int | None:
        """The position in the line, 1 for the next; None where there is none."""
        return None if self.ahead is None else self.ahead + 1


class Served(msgspec.Struct, frozen=True):
    """How far a line has been served: the same for everybody, and small, so that a CDN can keep it.

    ``number`` is the highest place that an admission has looked at; ``behind`` how many places up to it wait still, for
    they were silent. ``length`` is all who wait, ``live`` the passes in time, ``admitted`` all who ever were let in,
    ``early`` how many came before the opening. ``pace`` is about how many places a second are served lately, None if
    unknown. ``opens_in`` is the seconds until the room opens by itself, None where no time is set.
    """

    show: str
    room: RoomStatus
    number: int
    behind: int
    length: int
    live: int
    admitted: int
    early: int
    pace: float | None
    ask_again: float
    opens_in: float | None = None

    def position_at_most(self, number: int) -> int:
        """The position that the place of this number has at most."""
        return max(number - self.number, 0) + min(self.behind, number) + (0 if number > self.number else 1)


class Admitted(msgspec.Struct, frozen=True):
    """One who was let in: the number of the place, and the seconds there are to show up."""

    holder: str
    place: int
    ttl: float


class LetIn(msgspec.Struct, frozen=True):
    """One who was let in, and the number of the place."""

    holder: str
    place: int


class RoomChange(msgspec.Struct, frozen=True):
    """What a waiting room published: who was let in, what the room has become, or only how the line moved.

    After it the line stands so: ``served`` is the highest place that an admission has looked at, ``gone`` how many
    places were given up or lost in all. A position falls by one with each place before it that is let in or gone.
    """

    cursor: str
    served: int
    gone: int
    admitted: tuple[LetIn, ...] = ()
    room: RoomStatus | None = None


class RoomChanges(msgspec.Struct, frozen=True):
    """What a waiting room published after a cursor, oldest first; ``cursor`` is where to go on.

    ``gap``: some of what came after the cursor is not kept any more, or the room has been made anew, so read what you
    know of the line anew; the entries then begin with the oldest that is kept.
    """

    show: str
    entries: tuple[RoomChange, ...]
    cursor: str
    gap: bool


class Admission(msgspec.Struct, frozen=True):
    """What one call let in.

    ``more``: the line goes on and the limits allow it, so call again at once. ``wait`` is the seconds until the rate
    lets somebody in, None while the room lets nobody in. ``live`` is the passes in time, those of this call among them.
    """

    show: str
    room: RoomStatus
    admitted: tuple[Admitted, ...]
    more: bool
    wait: float | None
    live: int
