"""Builds the script calls of a waiting room and reads their answers: pure, no I/O."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import Any, Final, Literal, TypeVar, cast

import msgspec

from seatlock._keys import keys_of
from seatlock._operation import Ask, Command, Operation, check_show
from seatlock._procedures import Procedure
from seatlock._replies import seconds_left
from seatlock._script import load
from seatlock.errors import InvalidRequest, SeatLockError, ShowNotFound
from seatlock.waiting_room.estimate import estimate, middle
from seatlock.waiting_room.model import Admission, Admitted, Estimate, RoomSettings, RoomStatus, Served

T = TypeVar("T")

MOST_A_CALL: Final = 1000  # people whom one call of the script lets in, so that it never holds the server for long
MOST_LIVE: Final = 10**9  # passes in time: no bound
STEP: Final = 500  # of the early, that one call looks at or moves; as many are a part of the record
PARTS: Final = 8  # of the record, that one call reads


class Facts(msgspec.Struct, frozen=True):
    """What every answer about places begins with; the pace is between ``slow`` and ``fast``, in places a second.

    ``people`` are let in, at least, in a second: fewer, where some are silent.
    """

    room: RoomStatus
    now: int
    served: int
    slow: float | None
    fast: float | None
    people: float | None
    poll: float
    opens_in: float | None

    @classmethod
    def read(cls, raw: Sequence[Any]) -> Facts:
        """Read what a script tells."""
        status, now, served, *paces, poll, opens = raw
        slow, fast, people = [None if pace < 0 else pace / 3600 for pace in paces]
        return cls(status.decode(), now, served, slow, fast, people, poll / 1000, seconds_left(opens))


FACTS: Final = len(Facts.__struct_fields__)


def check_room(reply: list[Any], show: str) -> None:
    """Raise ShowNotFound where the script found no room."""
    if reply[0] == b"noroom":
        raise _no_room(show)


def _no_room(show: str) -> ShowNotFound:
    return ShowNotFound(f"show {show!r} has no waiting room on this server: prepare one.", show=show)


class Line:
    """Makes one script call of asks about places, as a `seatlock._procedures.Sender` does."""

    def send(self, namespace: str, asks: Sequence[Ask[T]]) -> Procedure[list[T | SeatLockError]]:
        """Carry them out."""
        answers: list[T | SeatLockError] = yield of_asks(namespace, asks)
        return answers


def of_asks(namespace: str, asks: Sequence[Ask[T]]) -> Operation[list[T | SeatLockError]]:
    """Put asks of one verb and one show into one script call."""
    verb, show = asks[0].verb, asks[0].show
    room = keys_of(namespace, show).room
    keys = [room.room, room.queue, room.passes, room.grants, room.early, room.drawn]
    if verb == "renew":
        keys = [room.room, room.passes, room.grants]
    elif verb == "leave":
        keys += room.here
    elif verb != "place":
        keys += [*room.here, *room.kept]
    args: list[bytes] = []
    for ask in asks:
        args += ask.args

    def decode(reply: list[Any]) -> list[T | SeatLockError]:
        check_room(reply, show)
        facts = Facts.read(reply[1 : 1 + FACTS])
        return [ask.read(ask, [facts, *answer]) for ask, answer in zip(asks, reply[1 + FACTS :], strict=True)]

    return Operation(load(verb), show, keys, args, decode)


def about(
    verb: Literal["join", "heartbeat", "place", "leave", "renew"],
    show: str,
    holder: str,
    read: Callable[[Ask[Any], list[Any]], T | SeatLockError],
    renewals: int | None = None,
) -> Ask[T]:
    """One request of one holder."""
    args = (holder.encode(),) if renewals is None else (holder.encode(), b"%d" % renewals)
    return Ask(verb, show, (), holder, None, (), args, read)


def admit(namespace: str, show: str, most: int, most_live: int) -> Operation[Admission]:
    """Let up to ``most`` people in, as long as no more than ``most_live`` passes are in time."""
    room = keys_of(namespace, show).room

    def decode(reply: list[Any]) -> Admission:
        check_room(reply, show)
        status, more, wait, live, names = reply[1:]
        now_in = tuple(
            Admitted(holder.decode(), place, left / 1000)
            for place, holder, left in zip(names[::3], names[1::3], names[2::3], strict=True)
        )
        return Admission(
            show, status.decode(), now_in, bool(more), None if wait < 0 else wait / 1000, live + len(now_in)
        )

    keys = [room.room, room.queue, room.passes, room.grants, *room.here, room.admissions]
    return Operation(load("admit"), show, keys, [b"%d" % most, b"%d" % most_live], decode)


def tidy(namespace: str, show: str) -> Operation[tuple[int, int, bool]]:
    """Do what time asks for: gives the ended passes and the places that left, and whether there is more to do."""
    room = keys_of(namespace, show).room

    def decode(reply: list[Any]) -> tuple[int, int, bool]:
        check_room(reply, show)
        return reply[1], reply[2], bool(reply[3])

    keys = [room.room, room.queue, room.passes, room.grants, room.early, room.drawn]
    keys += [*room.here, *room.kept, room.admissions]
    return Operation(load("tidy"), show, keys, [], decode)


def served(namespace: str, show: str) -> Operation[Served]:
    """Read how far the line has been served."""
    room = keys_of(namespace, show).room

    def decode(reply: list[Any]) -> Served:
        check_room(reply, show)
        behind, length, live, early, admitted = reply[1:-FACTS]
        facts = Facts.read(reply[-FACTS:])
        observed = middle(facts.slow, facts.fast)
        return Served(
            show,
            facts.room,
            facts.served,
            behind,
            length,
            live,
            admitted,
            early,
            observed,
            facts.poll,
            facts.opens_in,
        )

    return Operation(load("served"), show, [room.room, room.queue, room.passes], [], decode)


def prepare(
    namespace: str, show: str, settings: RoomSettings, milliseconds: dict[str, int], seed: str, commitment: str
) -> Operation[tuple[bool, RoomStatus, str]]:
    """Make a room, or change its settings: gives whether it is new, its status, and its commitment to a seed."""
    keys = keys_of(namespace, show).room.all()
    numbers = [
        settings.max_length,
        settings.rate,
        milliseconds["per"],
        settings.burst,
        settings.concurrency or 0,
        settings.batch,
        milliseconds["reservation"],
        milliseconds["pass_ttl"],
        settings.renewals,
        milliseconds["grace"],
        milliseconds["keep"],
        milliseconds["poll"],
    ]

    def decode(reply: list[Any]) -> tuple[bool, RoomStatus, str]:
        return bool(reply[1]), reply[2].decode(), reply[3].decode()

    args = [*[b"%d" % number for number in numbers], seed.encode(), commitment.encode()]
    return Operation(load("room"), show, keys, args, decode)


def settings(namespace: str, show: str) -> Command[RoomSettings]:
    """Read the settings of a room."""
    whole = ("most", "rate", "burst", "live", "batch", "renewals")
    times = ("period", "reserve", "pass", "grace", "keep", "poll")

    def decode(reply: list[bytes | None]) -> RoomSettings:
        numbers = [int(value) for value in reply if value is not None]
        if len(numbers) < len(whole) + len(times):
            raise _no_room(show)
        most, rate, burst, live, batch, renewals, *milliseconds = numbers
        per, reservation, pass_ttl, grace, keep, poll = [number / 1000 for number in milliseconds]
        return RoomSettings(
            max_length=most,
            rate=rate,
            per=per,
            burst=burst,
            concurrency=live or None,
            batch=batch,
            reservation=reservation,
            pass_ttl=pass_ttl,
            renewals=renewals,
            grace=grace,
            keep=keep,
            poll=poll,
        )

    return Command(show, ["HMGET", keys_of(namespace, show).room.room, *whole, *times], decode)


def require_admission(namespace: str, show: str, *, required: bool | None) -> Operation[None]:
    """Have the sale of a show ask for passes, or not, and end those of buyers; None leaves it as it is.

    Raises `ShowNotFound` where the show is not warmed, unless it is None.
    """

    def decode(reply: list[Any]) -> None:
        if required is not None:
            check_show(reply, show)

    asked = b"2" if required is None else b"%d" % required
    return Operation(load("require_admission"), show, [keys_of(namespace, show).meta], [asked], decode)


def set_status(namespace: str, show: str, status: RoomStatus, *, due: bool = False) -> Operation[RoomStatus | None]:
    """Open, pause or close a room, or mark it sold out: gives the status before.

    With ``due`` only where the time to open has come and nobody did anything by hand since: else None.
    """
    room = keys_of(namespace, show).room

    def decode(reply: list[Any]) -> RoomStatus | None:
        check_room(reply, show)
        if reply[0] == b"undue" or (due and reply[0] == b"undrawn"):
            return None
        if reply[0] == b"undrawn":
            raise InvalidRequest(
                f"{reply[1]:,} people came early to the waiting room of show {show!r} and have no order yet: open it, "
                "which draws one; open_at(None) forgets a time at which it is to open by itself."
            )
        return cast("RoomStatus", reply[1].decode())

    keys = [room.room, room.early, room.drawn, room.admissions]
    return Operation(load("room_status"), show, keys, [status.encode(), b"%d" % due], decode)


def open_at(namespace: str, show: str, at: int) -> Operation[None]:
    """Note when a room is to open, in milliseconds; 0 for no time."""
    room = keys_of(namespace, show).room

    def decode(reply: list[Any]) -> None:
        check_room(reply, show)
        if reply[0] == b"past":
            raise InvalidRequest(
                f"the time for the waiting room of show {show!r} to open has passed by the server's clock; nothing was "
                "changed: give a time to come, or open it now."
            )
        if reply[0] == b"over":
            raise InvalidRequest(
                f"the waiting room of show {show!r} is {reply[1].decode().replace('_', ' ')}, so no pump opens it when "
                "a time comes; nothing was changed: open it by hand, or pause it first."
            )

    return Operation(load("open_at"), show, [room.room], [b"%d" % at], decode)


def close_early(
    namespace: str, show: str, *, reopen: bool = False, due: bool = False
) -> Operation[tuple[RoomStatus, int] | None]:
    """Let nobody join the early any more: gives the status from now on, and how many were early.

    With ``reopen`` also in a room that was closed before their order was drawn. With ``due`` only where the time to
    open has come and nobody did anything by hand since: else None.
    """
    room = keys_of(namespace, show).room

    def decode(reply: list[Any]) -> tuple[RoomStatus, int] | None:
        check_room(reply, show)
        if reply[0] == b"undue":
            return None
        return reply[1].decode(), reply[2]

    args = [b"%d" % reopen, b"%d" % due]
    return Operation(load("close_early"), show, [room.room, room.early, room.drawn], args, decode)


def draw(namespace: str, show: str, numbers: dict[str, int]) -> Operation[tuple[RoomStatus, int]]:
    """Move some of the early to the drawn, each with its number: gives the status, and how many are left."""
    room = keys_of(namespace, show).room

    def decode(reply: list[Any]) -> tuple[RoomStatus, int]:
        check_room(reply, show)
        return reply[1].decode(), reply[2]

    args: list[bytes] = []
    for holder, number in numbers.items():
        args += [holder.encode(), b"%d" % number]
    return Operation(load("draw"), show, [room.room, room.early, room.drawn], args, decode)


def seat_drawn(namespace: str, show: str) -> Operation[tuple[RoomStatus, int]]:
    """Give some of the drawn their places: gives the status, and how many are left."""
    room = keys_of(namespace, show).room

    def decode(reply: list[Any]) -> tuple[RoomStatus, int]:
        check_room(reply, show)
        return reply[1].decode(), reply[2]

    keys = [room.room, room.queue, room.early, room.drawn, *room.here, *room.kept]
    return Operation(load("seat_drawn"), show, keys, [], decode)


def part(namespace: str, show: str, first: int) -> Command[list[str]]:
    """Read up to `STEP` of the early, in the order of their ids, from a rank on.

    The sentinel of the key, which has no name, is the last in it, and left out.
    """
    early = keys_of(namespace, show).room.early

    def decode(reply: list[bytes]) -> list[str]:
        return [holder.decode() for holder in reply if holder]

    return Command(show, ["ZRANGE", early, first, first + STEP - 1], decode)


class DrawTerms(msgspec.Struct, frozen=True):
    """What a draw is made with, as it was written down; ``participants`` is empty before that."""

    seed: str
    commitment: str
    participants: str
    outside: str


def note_tags(namespace: str, show: str, part: int, tags: bytes) -> Operation[tuple[RoomStatus, str]]:
    """Write a part of the record, unless it is sealed: gives the status, and the digest that is noted or nothing."""
    room = keys_of(namespace, show).room

    def decode(reply: list[Any]) -> tuple[RoomStatus, str]:
        check_room(reply, show)
        return reply[1].decode(), reply[2].decode()

    return Operation(load("note_tags"), show, [room.room, room.record], [b"%d" % part, tags], decode)


def note_draw(namespace: str, show: str, participants: str, outside: str, parts: int) -> Operation[DrawTerms | None]:
    """Write down once what the draw is made with, which seals the record: gives what stands there.

    None where the record was torn, which is empty then: write it again.
    """
    room = keys_of(namespace, show).room

    def decode(reply: list[Any]) -> DrawTerms | None:
        check_room(reply, show)
        return None if reply[0] == b"torn" else DrawTerms(*(text.decode() for text in reply[1:]))

    args = [participants.encode(), outside.encode(), b"%d" % parts]
    return Operation(load("note_draw"), show, [room.room, room.record], args, decode)


def noted(namespace: str, show: str) -> Command[DrawTerms]:
    """Read what a draw was begun with."""

    def decode(reply: list[bytes | None]) -> DrawTerms:
        if None in reply:
            raise _no_room(show)
        return DrawTerms(*(text.decode() for text in cast("list[bytes]", reply)))

    return Command(show, ["HMGET", keys_of(namespace, show).room.room, *DrawTerms.__struct_fields__], decode)


def recorded(namespace: str, show: str, first: int) -> Command[list[bytes]]:
    """Read up to `PARTS` parts of the record, as far as they are there, from one on."""

    def decode(reply: list[bytes | None]) -> list[bytes]:
        return list(takewhile(bool, cast("list[bytes]", reply)))

    return Command(show, ["HMGET", keys_of(namespace, show).room.record, *range(first, first + PARTS)], decode)


def line_estimate(facts: Facts, place: int, back: int) -> Estimate | None:
    """How long a place has to wait, as far as can be said, if so many were passed over before it and have come back."""
    if facts.room != "open":
        return None
    return estimate(place - facts.served, facts.slow, facts.fast, back, facts.people)
