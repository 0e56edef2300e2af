"""How the best seats are sought: look, propose some sets, look again if others had them first.

A quest is a generator: it yields a `Look`, an `Ask` or a `Command`, is sent the answer (or gets the error thrown in),
and returns the hold. Both lockers drive it; nothing here does I/O. What is decided here, and why nobody starves, stands
in docs/decisions/best-available.md.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any, Final

import msgspec

from seatlock import _commands
from seatlock._board import Board, Found, Look
from seatlock._choosing import Wish
from seatlock._keys import keys_of
from seatlock._operation import MAX_BATCH_SEATS, Ask, Command
from seatlock._replies import NoneFree, Noted, not_open
from seatlock.errors import HolderLimitExceeded, SeatLockError, SeatsUnavailable, ServerUnavailable, UnknownSeats
from seatlock.model import BestHold, Hold

FIRST_SETS: Final = 2  # sets proposed at first; twice as many after each refusal
MOST_SETS: Final = 32  # sets proposed at most
NEAR: Final = 8  # times as many sets are drawn from, after a refusal
LEFT_TO_OTHERS: Final = 3  # looks in a row that leave the last sets to others of the same locker

Quest = Generator[Look | Ask[Any] | Command[Any], Any, BestHold]


class Request(msgspec.Struct, frozen=True):
    """One request for the best seats, its arguments checked."""

    namespace: str
    wish: Wish
    holder: str
    ttl: int
    token: str
    minted: bool
    channel: str = ""  # empty: none is named

    def __repr__(self) -> str:  # without the token
        return f"Request({self.wish!r})"


def seek(request: Request, board: Board, patience: float) -> Quest:
    """Get the best seats there are.

    A category that would take the holder over a limit is left out from then on; the show has only so many.
    """
    deadline = time.monotonic() + patience
    refusals = left = 0
    over: HolderLimitExceeded | None = None
    while True:
        sets = min(FIRST_SETS << min(refusals, 8), MOST_SETS, MAX_BATCH_SEATS // request.wish.count)
        near = NEAR * sets if refusals else 0
        look = Look(board, request.wish, request.channel, near, sets, left >= LEFT_TO_OTHERS, board.reads)
        try:
            found: Found = yield look
            if found.sets:
                answer = yield from _answer(request, board.show, found.sets)
                if isinstance(answer, Hold):
                    return BestHold(answer, board.adjoin(answer.seats))
                if isinstance(answer, Noted):
                    return (yield from _again(request, board, answer.seats))
                if isinstance(answer, HolderLimitExceeded):
                    request, over = _without(request, answer), over or answer
                    continue
                none_free: NoneFree = answer
                board.refused(found.version, none_free.version, none_free.in_the_way)
                refusals, left = refusals + 1, 0
            elif found.of_others:
                left += 1
            else:
                return (yield from _none(request, board, found, over))
        finally:
            look.done()
        if time.monotonic() > deadline:
            break
    raise ServerUnavailable(
        f"the best {request.wish.count} seats of show {board.show!r}: others were faster, {refusals} times; "
        "this request changed nothing: ask again."
    )


def _ask(request: Request, show: str, sets: list[tuple[str, ...]]) -> Ask[Any]:
    return _commands.acquire_best(
        *(request.namespace, show, sets, request.holder, request.ttl, request.token),
        minted=request.minted,
        channel=request.channel,
    )


def _answer(request: Request, show: str, sets: list[tuple[str, ...]]) -> Generator[Ask[Any], Any, Any]:
    """Propose sets: the hold, or why it was not given."""
    try:
        return (yield _ask(request, show, sets))
    except HolderLimitExceeded as error:
        return error


def _without(request: Request, over: HolderLimitExceeded) -> Request:
    """The request without a category of which its holder has enough; refused where nothing else may be asked for."""
    wish, category = request.wish, over.category
    if category is None or wish.category is not None or category in wish.without:
        raise over
    wish = msgspec.structs.replace(wish, without=(*wish.without, category))
    return msgspec.structs.replace(request, wish=wish)


def _again(request: Request, board: Board, seats: tuple[str, ...]) -> Quest:
    """The token was given seats before: it is answered with these, as if it had named them."""
    ask = _commands.acquire(
        *(request.namespace, board.show, seats, request.holder, request.ttl / 1000, request.token),
        channel=request.channel or None,
    )
    told = "This token was given them before: to ask for others, use a new token."
    try:
        hold: Hold = yield ask
    except SeatsUnavailable as error:
        raise SeatsUnavailable(f"{error} {told}", conflicts=error.conflicts) from None
    except UnknownSeats as error:  # the show was retired since, and is another
        raise UnknownSeats(f"{error} {told}", seats=error.seats) from None
    return BestHold(hold, board.adjoin(seats))


def _none(request: Request, board: Board, found: Found, over: HolderLimitExceeded | None) -> Quest:
    """There is no set; but the token may have been given one, which is answered first."""
    if not request.minted:
        note = keys_of(request.namespace, board.show).note(f"{request.token}\n{request.holder}".encode())
        command: Command[bytes | None] = Command(board.show, ["GET", note], lambda reply: reply)
        told = yield command
        if told is not None:
            return (yield from _again(request, board, tuple(told.decode().split("\n"))))
    raise _nothing(request, board.show, found, over)


def _nothing(request: Request, show: str, found: Found, over: HolderLimitExceeded | None) -> SeatLockError:
    if found.status != "open":
        return not_open(show, found.status, found.opens_in)
    if over is not None:  # there are seats, and the holder may not have them
        return over
    wish = request.wish
    named = (("in section", wish.section), ("in category", wish.category), ("for channel", request.channel))
    where = "".join([f" {what} {value!r}" for what, value in named if value])
    kind = "accessible " if wish.accessible else ""
    seats = f"{wish.count} {kind}seat{'s' if wish.count > 1 else ''}"
    return SeatsUnavailable(
        f"show {show!r} has not {seats} free{where}; ask for fewer, or again when some have come back."
    )
