"""What is sent to Redis, as pure values: an `Ask` is one caller's request, an `Operation` one script call.

Rules of this module:

- Nothing here does I/O. The lockers send `Operation.command` and give the raw reply to `Operation.decode`.
- A verb's script takes N independent asks and answers each; a single call is a batch of one.
- A batch stays within `MAX_BATCH_ASKS` asks and `MAX_BATCH_SEATS` seats (a pool counts as one), the bounds that the
  scripts rely on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Generic, Literal, NoReturn, TypeVar

import msgspec

from seatlock._script import Script
from seatlock.errors import SeatLockError, ShowNotFound, WrongCheckout
from seatlock.model import Wait

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

MAX_BATCH_ASKS: Final = 256
MAX_BATCH_SEATS: Final = 512

READERS: Final = frozenset(
    [
        *("availability", "changes", "check", "claimed", "compare", "held", "holds", "inspect", "place", "pooled"),
        *("pins", "remnants", "room_changes", "served", "server", "vitals"),
    ]
)
"""The scripts that write nothing."""

Pools = tuple[tuple[str, int], ...]
"""Quantities of pools, by name."""
Verb = Literal[
    "acquire",
    "acquire_best",
    "extend",
    "confirm",
    "reclaim",
    "release",
    "cancel",
    "pin",
    "finalise",
    "force_release",
    "join",
    "heartbeat",
    "place",
    "leave",
    "renew",
]


class ListsWanted(SeatLockError):
    """Not for callers: the show has limits, and its scripts want the lists of the holders among their keys."""


class Again(SeatLockError):
    """Not for callers: a pool had more to take back than one call may; what was taken back counts, so ask again."""


class Ask(msgspec.Struct, Generic[T_co], frozen=True, eq=False, gc=False):
    """One caller's request to a batch script: its lock keys, its arguments, and how its answer is read.

    ``minted`` says that the token was made for this request alone: nobody else knows it, before the hold is resumed.
    ``extras`` are what only few requests carry: each a letter and what follows, see ``lua/include/extras.lua``.
    """

    verb: Verb
    show: str
    seats: tuple[str, ...]
    holder: str
    token: str | None
    keys: tuple[bytes, ...]
    args: tuple[bytes, ...]
    read: Callable[[Ask[Any], list[Any]], T_co | SeatLockError]
    pools: Pools = ()
    minted: bool = False
    extras: tuple[tuple[bytes, bytes], ...] = ()

    def __repr__(self) -> str:  # without token and arguments: error trackers print local variables
        return f"Ask({self.verb!r}, {self.show!r}, {self.seats!r})"


class WaitingAsk(Ask[T_co], Generic[T_co], frozen=True, eq=False, gc=False, kw_only=True):
    """One that waits for copies of what it writes: for the same in all asks of a call."""

    wait: Wait


def wait_of(ask: Ask[Any]) -> Wait | None:
    """What an ask waits for."""
    return ask.wait if isinstance(ask, WaitingAsk) else None


class Operation(Generic[T_co]):
    """One script call: the script, its keys and arguments, and how the reply is decoded.

    ``writes_facts`` is set where a script error may come after an outbox entry was written, so that the outcome is
    unknown rather than refused; ``only_reads`` where nothing can have changed, whatever became of the call. With a
    ``wait`` it takes a conversation (`seatlock._levels`), and what was heard in it is decoded.
    """

    __slots__ = ("args", "decode", "keys", "only_reads", "script", "seats", "show", "token", "wait", "writes_facts")

    def __init__(
        self,
        script: Script,
        show: str,
        keys: list[bytes],
        args: list[bytes],
        decode: Callable[[Any], T_co],
        *,
        seats: tuple[str, ...] = (),
        token: str | None = None,
    ) -> None:
        self.wait: Wait | None = None
        self.script = script
        self.show = show
        self.keys = keys
        self.args = args
        self.decode = decode
        self.seats = seats
        self.token = token
        self.writes_facts = script.name in ("confirm", "reclaim", "pin", "cancel")
        self.only_reads = script.name in READERS

    def by_sha(self) -> list[Any]:
        """The EVALSHA command."""
        return ["EVALSHA", self.script.sha, len(self.keys), *self.keys, *self.args]

    def by_source(self) -> list[Any]:
        """The EVAL command, for a server that has forgotten the script; it learns the script again with it."""
        return ["EVAL", self.script.source, len(self.keys), *self.keys, *self.args]


def batch(
    script: Script,
    fixed_keys: list[bytes],
    asks: Sequence[Ask[T]],
    lists: Sequence[bytes] = (),
    extras: tuple[Sequence[bytes], Sequence[bytes]] = ((), ()),
) -> Operation[list[T | SeatLockError]]:
    """Put asks of one verb and one show into one script call.

    ``lists`` are those of their holders, if wanted, and ``extras`` the keys before these and the arguments behind all.
    """
    keys = fixed_keys.copy()
    args = [b"%d" % len(asks)]
    carried: list[bytes] = []
    for number, ask in enumerate(asks, 1):
        keys += ask.keys
        args += ask.args
        if ask.extras:
            carried += [b"%b %d %b" % (letter, number, rest) for letter, rest in ask.extras]
    keys += extras[0]
    args += carried
    args += extras[1]
    keys += lists

    def decode(reply: list[Any]) -> list[T | SeatLockError]:
        if reply[0] != b"ok":
            _refuse(reply, asks[0])
        return [ask.read(ask, answer) for ask, answer in zip(asks, reply[1:], strict=True)]

    alone = asks[0] if len(asks) == 1 else None
    return Operation(
        script,
        asks[0].show,
        keys,
        args,
        decode,
        seats=alone.seats if alone else (),
        token=alone.token if alone else None,
    )


def _refuse(reply: list[Any], ask: Ask[Any]) -> NoReturn:
    """Raise what a script says of a whole batch, of which it did nothing."""
    check_show(reply, ask.show)
    if reply[0] == b"limits":
        raise ListsWanted(f"show {ask.show!r} has limits: send the lists of the holders along.")
    raise other_checkout(ask.verb, ask.show, strict=reply[0] == b"strict")


def other_checkout(verb: str, show: str, *, strict: bool) -> WrongCheckout:
    """The refusal of a verb by a show whose bookings are made in another way."""
    if strict:
        why = "has strict checkout, where the ledger decides what is sold: use StrictCheckout"
    else:
        why = 'has fast checkout, and StrictCheckout needs a show that was warmed with checkout="strict"'
    return WrongCheckout(
        f"{verb}: show {show!r} {why}; nothing was changed.", show=show, checkout="strict" if strict else "fast"
    )


def chunks(asks: Sequence[Ask[T]]) -> Iterator[Sequence[Ask[T]]]:
    """Cut asks into batches that keep the bounds, in order."""
    if (
        asks
        and len(asks) <= MAX_BATCH_ASKS
        and sum([len(ask.seats) + len(ask.pools) for ask in asks]) <= MAX_BATCH_SEATS
    ):
        yield asks  # as nearly all are: the group commit cut them itself
        return
    chunk: list[Ask[T]] = []
    seats = 0
    for ask in asks:
        size = len(ask.seats) + len(ask.pools)
        if chunk and (len(chunk) == MAX_BATCH_ASKS or seats + size > MAX_BATCH_SEATS):
            yield chunk
            chunk, seats = [], 0
        chunk.append(ask)
        seats += size
    if chunk:
        yield chunk


def check_show(reply: list[Any], show: str) -> None:
    """Raise ShowNotFound where the script found no show."""
    if reply[0] == b"noshow":
        raise ShowNotFound(f"show {show!r} is not warmed on this server, so it sells nothing: warm it.", show=show)


class Command(Generic[T_co]):
    """A plain Redis command that only reads, with the face of an `Operation`."""

    __slots__ = ("_command", "decode", "keys", "only_reads", "script", "seats", "show", "token", "wait", "writes_facts")

    def __init__(self, show: str, command: list[Any], decode: Callable[[Any], T_co]) -> None:
        self._command = command
        self.script = Script(command[0], b"", b"")
        self.show = show
        self.decode = decode
        self.seats: tuple[str, ...] = ()
        self.token: str | None = None
        self.keys: list[bytes] = []  # which are among the command
        self.wait: Wait | None = None
        self.writes_facts = False
        self.only_reads = True

    def by_sha(self) -> list[Any]:
        """The command."""
        return self._command

    def by_source(self) -> list[Any]:
        """The command: there is no script that a server could forget."""
        return self._command


Step = Operation[Any] | Command[Any]
"""What a procedure hands to a locker, one at a time, to be carried out."""
