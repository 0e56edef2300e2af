"""How the best seats are sought: look, propose some sets, look again if others had them first.

A quest is a generator: it yields a `Look` or an `Ask`, is sent the answer (or gets the error thrown in), and returns
the hold. Both lockers drive it; nothing here does I/O.

- A look is never older than the quest's wish for it, so that *none left* is true at a moment after the request; those
  who look at the same time share one read.
- The sets proposed are tried in order by one script call, so that a set is had wholly or not at all. If all were taken,
  the quest looks again, and proposes more sets than the first time.
- Whoever seeks alone is given the best set. If others seek too, or had the sets first, each draws by chance among the
  near-equal ones (seeded by the token), so that they do not ask for the same; a worse kind of set is never drawn before
  a better one.
- A refused round means that others got seats. Quests that lose draw from more sets each time; whoever has had no luck
  within the locker's patience is told so by `ServerUnavailable`, never that there are none.
- Seats that are refused though nothing has changed since the look (lock and availability hash disagree) are left out.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Generator
from typing import Any, Final

import msgspec

from seatlock import _commands
from seatlock._board import Board, Found, Look
from seatlock._choosing import Wish
from seatlock._keys import keys_of
from seatlock._operation import MAX_BATCH_SEATS, Ask
from seatlock._replies import NoneFree, Noted
from seatlock.errors import SaleNotOpen, SeatLockError, SeatsUnavailable, ServerUnavailable
from seatlock.model import BestHold, Hold

FIRST_SETS: Final = 8  # sets proposed at first
MOST_SETS: Final = 32  # sets proposed when others had the first ones
NEAR: Final = 2  # near-equal sets for each who seeks
MORE_NEAR: Final = 8  # near-equal sets after the first refusal; twice as many after each

Quest = Generator[Look | Ask[Any], Any, BestHold]


class Request(msgspec.Struct, frozen=True):
    """One request for the best seats, its arguments checked."""

    namespace: str
    wish: Wish
    holder: str
    ttl: int
    token: str
    minted: bool

    def __repr__(self) -> str:  # without the token
        return f"Request({self.wish!r})"


def seek(request: Request, board: Board, patience: float) -> Quest:
    """Get the best seats there are."""
    me = object()
    board.seekers.add(me)
    try:
        return (yield from _seek(request, board, time.monotonic() + patience))
    finally:
        board.seekers.discard(me)


def _seek(request: Request, board: Board, deadline: float) -> Quest:
    chance = random.Random(request.token)  # noqa: S311 - which of equals comes first is no secret
    note = None if request.minted else keys_of(request.namespace, board.show).note(_owner(request))
    barred: frozenset[str] = frozenset()
    for refusals in itertools.count():
        sets = min(MOST_SETS if refusals else FIRST_SETS, MAX_BATCH_SEATS // request.wish.count)
        found: Found = yield Look(
            board, request.wish, _near(board, refusals), sets, barred, chance, note, board.reads
        )
        if found.noted:
            return (yield from _again(request, board, found.noted))
        if not found.sets:
            raise _none(request.wish, board.show, found)
        answer = yield _commands.acquire_best(
            request.namespace, board.show, found.sets, request.holder, request.ttl, request.token, minted=request.minted
        )
        if isinstance(answer, Hold):
            return BestHold(answer, board.adjoin(answer.seats))
        if isinstance(answer, Noted):
            return (yield from _again(request, board, answer.seats))
        none_free: NoneFree = answer
        if none_free.version == found.version:
            barred |= {*none_free.in_the_way}
        if time.monotonic() > deadline:
            break
    raise ServerUnavailable(
        f"the best {request.wish.count} seats of show {board.show!r}: others were faster, {refusals + 1} times in a row; "
        "this request changed nothing: ask again."
    )


def _near(board: Board, refusals: int) -> int:
    seekers = len(board.seekers)
    near = NEAR * seekers if seekers > 1 else 0
    return near + (MORE_NEAR << min(refusals, 8) if refusals else 0)


def _owner(request: Request) -> bytes:
    return f"{request.token}\n{request.holder}".encode()


def _again(request: Request, board: Board, seats: tuple[str, ...]) -> Quest:
    """The token was given seats before: it is answered with these, as if it had named them."""
    ttl = request.ttl / 1000
    ask = _commands.acquire(request.namespace, board.show, seats, request.holder, ttl, request.token)
    hold: Hold = yield ask
    return BestHold(hold, board.adjoin(seats))


def _none(wish: Wish, show: str, found: Found) -> SeatLockError:
    if found.status != "open":
        return SaleNotOpen(
            f"the sale of show {show!r} is {found.status}: it takes no new holds until open_sale.", status=found.status
        )
    where = "".join(
        f" in {name} {value!r}" for name, value in (("section", wish.section), ("category", wish.category)) if value
    )
    seats = "a seat" if wish.count == 1 else f"{wish.count} seats"
    return SeatsUnavailable(f"show {show!r} has not {seats} free{where}; ask for fewer, or when some have come back.")
