"""How sure a booking is to outlive its server: what is said on the connection of a confirm that waits; pure, no I/O.

Redis answers WAIT and WAITAOF for what the asking connection wrote, and refuses both inside scripts. So the script and
the wait go over one connection, and a conversation is a generator: it yields what to say, is sent the reply (or gets
the error thrown in) and returns the script's reply with what is known of the copies. `seatlock._converse` has the
connections. Once the script has answered, nothing that goes wrong is raised: what falls short is told.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Final, TypeVar

import msgspec
import redis.exceptions as foreign

from seatlock import _bounds
from seatlock._operation import Ask, Operation, Step, WaitingAsk, check_show
from seatlock._script import load
from seatlock._seam import FOREIGN, Fate, fate_of
from seatlock.errors import InvalidRequest, ShowNotFound, UnsafeServer
from seatlock.model import Booking, Wait

T = TypeVar("T")

MOST_REPLICAS: Final = 100
LONGEST_MS: Final = 60_000
GRACE: Final = 2.5  # seconds beyond its timeout that the server may take to answer a wait

Told = tuple[int, bool | None]
"""How many replicas have it, and whether the primary's own disk has; None where that is not known."""
UNTOLD: Final[Told] = (0, None)

_WROTE: Final = frozenset([b"booked", b"regained"])


class Line(msgspec.Struct, frozen=True):
    """What is said to the server. ``within`` is how many seconds it has to answer where it is asked to wait.

    Of ``same`` nothing may be said on any other connection than that of the lines before.
    """

    command: list[Any]
    within: float | None = None
    same: bool = False


class Heard(msgspec.Struct, frozen=True):
    """The script's reply, and what is known of the copies of what it wrote."""

    reply: list[Any]
    told: Told


Conversation = Generator[Line, Any, Heard]


def checked(wait: object) -> Wait | None:
    """Check how long to wait for what; the timeout in seconds."""
    if wait is None:
        return None
    if not isinstance(wait, Wait):
        raise InvalidRequest(f"wait must be a seatlock.Wait, not {type(wait).__name__}.")
    disk = _bounds.flag("wait.disk", wait.disk)
    replicas = wait.replicas
    if type(replicas) is not int:
        raise InvalidRequest(f"wait.replicas must be a whole number, not {type(replicas).__name__}.")
    if not (0 if disk else 1) <= replicas <= MOST_REPLICAS:
        raise InvalidRequest(
            f"wait.replicas is {replicas}; allowed are 1 to {MOST_REPLICAS}, and 0 with disk=True alone."
        )
    milliseconds = _bounds.milliseconds("wait.timeout", wait.timeout, most=LONGEST_MS)
    return Wait(replicas, disk, milliseconds / 1000)


def waiting_ask(ask: Ask[Booking], wait: object) -> Ask[Booking]:
    """The same confirm, as one that waits."""
    wanted = checked(wait)
    return (
        ask
        if wanted is None
        else WaitingAsk(**{name: getattr(ask, name) for name in ask.__struct_fields__}, wait=wanted)
    )


def converse(operation: Step, command: list[Any], wait: Wait, *, first: bool) -> Conversation:
    """Say ``command``, an operation's script, then wait for the copies of what it wrote, or found written.

    ``first`` says that nothing of this request was sent before: then a server that cannot wait for its disk is refused.
    """
    if wait.disk and first:
        try:
            yield Line(["WAITAOF", 1, 0, 1])  # of a connection that wrote nothing: answered at once
        except foreign.ResponseError as error:
            _check_disk(operation.show, error)
    reply = yield Line(command)
    words = {answer[0] for answer in reply[1:]} if reply[0] == b"ok" else set[bytes]()
    wrote = not words.isdisjoint(_WROTE)
    if not wrote and b"again" not in words:
        return Heard(reply, UNTOLD)
    try:
        if not wrote:  # what was booked before was perhaps written on another connection
            written = touch(operation.show, operation.keys[0])
            written.decode((yield Line(written.by_source(), same=True)))
        milliseconds = _bounds.milliseconds("wait.timeout", wait.timeout, most=LONGEST_MS)
        asked = ["WAITAOF", 1] if wait.disk else ["WAIT"]
        answer = yield Line([*asked, wait.replicas, milliseconds], milliseconds / 1000 + GRACE, same=True)
    except (*FOREIGN, ShowNotFound):
        return Heard(reply, UNTOLD)
    return Heard(reply, (int(answer[1]), int(answer[0]) > 0) if wait.disk else (int(answer), None))


def touch(show: str, meta_key: bytes) -> Operation[None]:
    """Write what is there already."""
    return Operation(load("touch"), show, [meta_key], [], lambda reply: check_show(reply, show))


def _check_disk(show: str, error: foreign.ResponseError) -> None:
    """Refuse a server that cannot wait for its disk; what a primary may say for the moment is left to the script."""
    if fate_of(error) not in (Fate.BROKEN, Fate.REFUSED) or "replica" in str(error):
        return
    raise UnsafeServer(
        f"the server of show {show!r} cannot say what is on its disk ({error}); nothing was sold: wait with disk=True "
        "needs Redis 7.2 or Valkey, appendonly yes, and the right to say WAITAOF."
    ) from None


def waiting(operation: Operation[list[T]], wait: Wait) -> Operation[list[T]]:
    """Have an operation wait: then every booking of its answers says how many copies of it are known."""
    read = operation.decode

    def decode(heard: Heard) -> list[Any]:
        replicas, on_disk = heard.told
        answers: list[Any] = list(read(heard.reply))
        for place, answer in enumerate(answers):
            if isinstance(answer, Booking):
                answers[place] = msgspec.structs.replace(answer, replicas=replicas, on_disk=on_disk)
        return answers

    operation.wait, operation.decode = wait, decode
    return operation
