"""What takes more than one script call, written once for both lockers.

A procedure is a generator: it yields a Step, is sent the decoded result (or gets the error thrown in), and returns
its own result. The lockers drive it, one blocking, one awaiting; nothing here does I/O.
"""

from __future__ import annotations

import copy
import logging
import time
from collections import deque
from collections.abc import Generator, Sequence
from typing import Any, Final, Protocol, TypeVar

from seatlock import _commands, _pools, _upkeep
from seatlock._operation import Again, Ask, ListsWanted, Step, chunks
from seatlock._replies import wanted
from seatlock._seam import Fate, fate_of
from seatlock.errors import (
    HoldLost,
    OutcomeUnknown,
    ScriptFailed,
    SeatLockError,
    ServerUnavailable,
    UnsafeServer,
)

T = TypeVar("T")
Procedure = Generator[Step, Any, T]

_log = logging.getLogger("seatlock")

PATIENCE: Final = 5.0  # seconds that those are asked again who are told to
SWEEP_STEPS: Final = 10_000  # calls of one sweep, at most


def check_server(namespace: str, show: str) -> Procedure[None]:
    """Refuse a server that cannot keep locks."""
    policy, role = yield _upkeep.server(namespace, show)
    if policy and policy != "noeviction":
        raise UnsafeServer(
            f"the server of show {show!r} has maxmemory-policy {policy}: it may drop locks, and a seat be sold twice; "
            "set maxmemory-policy to noeviction."
        )
    if role and role != "master":
        raise UnsafeServer(
            f"the server of show {show!r} is a read-only replica (role {role}); connect to the primary, or through "
            "Sentinel or Cluster."
        )
    if not policy:
        _log.warning("the server of show %r does not tell its maxmemory-policy; make sure it is noeviction", show)


class Sender(Protocol):
    """Makes one script call of asks of one verb and one show, and gives an answer to each."""

    def send(self, namespace: str, asks: Sequence[Ask[T]]) -> Procedure[list[T | SeatLockError]]:
        """Carry them out."""
        ...  # a protocol


class Listed:
    """The shows that are known to have limits, and to want the lists of the holders with every call; bounded."""

    CAPACITY: Final = 10_000

    def __init__(self) -> None:
        self.shows: set[str] = set()

    def send(self, namespace: str, asks: Sequence[Ask[T]]) -> Procedure[list[T | SeatLockError]]:
        """Carry out one call, and if the show turns out to have limits, again with the lists."""
        show = asks[0].show
        if show not in self.shows:
            try:
                answers: list[T | SeatLockError] = yield _commands.of_asks(namespace, asks)
            except ListsWanted:  # nothing was done
                if len(self.shows) >= self.CAPACITY:
                    self.shows.clear()
                self.shows.add(show)
            else:
                return answers
        answers = yield _commands.of_asks(namespace, asks, lists=True)
        return answers


def one(namespace: str, ask: Ask[T], sender: Sender, patience: float = PATIENCE) -> Procedure[T]:
    """Carry out one ask alone; ``patience`` is how many seconds it may be asked again if it has to be."""
    answers = yield from sender.send(namespace, [ask])
    if isinstance(answers[0], Again):
        yield from _until_answered(namespace, [ask], answers, sender, patience)
    answer = answers[0]
    if isinstance(answer, SeatLockError):
        raise answer
    return answer


def _until_answered(
    namespace: str, asks: Sequence[Ask[T]], answers: list[T | SeatLockError], sender: Sender, patience: float
) -> Procedure[None]:
    """Ask those again who were told to: each time, more of a pool has been taken back that nobody holds any more."""
    deadline = time.monotonic() + patience
    while places := [place for place, answer in enumerate(answers) if isinstance(answer, Again)]:
        if time.monotonic() >= deadline:
            for place in places:
                answers[place] = ServerUnavailable(
                    f"{asks[place].verb} for {wanted(asks[place])} of show {asks[place].show!r} found no end: more of "
                    "a pool is being taken back from holds that have ended; nothing was "
                    f"{'taken' if asks[place].verb == 'acquire' else 'sold'}: ask again."
                )
            return
        again = yield from _all_of(namespace, [asks[place] for place in places], sender)
        for place, answer in zip(places, again, strict=True):
            answers[place] = answer


def valid(
    namespace: str, asks: Sequence[Ask[T] | SeatLockError], sender: Sender, patience: float = PATIENCE
) -> Procedure[list[T | SeatLockError]]:
    """Carry out those asks that could be made; each gets an answer, in order, and the errors stay where they are."""
    answers = iter((yield from many(namespace, [ask for ask in asks if isinstance(ask, Ask)], sender, patience)))
    return [next(answers) if isinstance(ask, Ask) else ask for ask in asks]


def many(
    namespace: str, asks: Sequence[Ask[T]], sender: Sender, patience: float = PATIENCE
) -> Procedure[list[T | SeatLockError]]:
    """Carry out asks of one verb and one show in as few calls as the bounds allow; each gets an answer, in order.

    ``patience`` is how many seconds those may be asked again who are told to.
    """
    answers = yield from _all_of(namespace, asks, sender)
    if Again in map(type, answers):
        yield from _until_answered(namespace, asks, answers, sender, patience)
    return answers


def _all_of(namespace: str, asks: Sequence[Ask[T]], sender: Sender) -> Procedure[list[T | SeatLockError]]:
    """Carry out asks of one verb and one show in as few calls as the bounds allow; each gets an answer, in order."""
    answers: list[T | SeatLockError] = []
    # each with the error of an earlier attempt, where one failed
    waiting: deque[tuple[Sequence[Ask[T]], SeatLockError | None]] = deque((chunk, None) for chunk in chunks(asks))
    while waiting:
        chunk, before = waiting.popleft()
        try:
            told = yield from sender.send(namespace, chunk)
            answers += told if before is None else [_after(before, *each) for each in zip(told, chunk, strict=True)]
        except SeatLockError as error:
            broken = _fate(error) in (Fate.BROKEN, Fate.REFUSED)
            if broken and len(chunk) > 1:
                # One of them broke the script: alone, each by itself, only the offender fails. Tokens make that safe.
                waiting.extendleft(([ask], error) for ask in reversed(chunk))
                continue
            answers += [_again(before, error, ask) for ask in chunk]
            if not broken and isinstance(error, ServerUnavailable | OutcomeUnknown):
                # The call's patience is used up; what is left would only wait as long again, chunk by chunk.
                answers += [_again(failed, _not_sent(error, ask), ask) for later, failed in waiting for ask in later]
                break
    return answers


def _fate(error: SeatLockError) -> Fate | None:
    return fate_of(error.__cause__) if error.__cause__ else None


def in_doubt(ask: Ask[Any], cause: BaseException | None) -> OutcomeUnknown:
    """What to tell of an ask of which nothing certain is known."""
    unknown = OutcomeUnknown(
        f"{ask.verb} for {wanted(ask)} of show {ask.show!r}: no certain answer came; it may have been carried "
        "out: ask again with the same token and arguments.",
        show=ask.show,
        seats=ask.seats,
        token=ask.token,
    )
    unknown.__cause__ = cause
    return unknown


def _after(before: SeatLockError, answer: T | SeatLockError, ask: Ask[T]) -> T | SeatLockError:
    """The answer to an ask whose earlier attempt, among others, failed: by then its fact may have been told."""
    if (
        isinstance(before, OutcomeUnknown)
        and isinstance(answer, HoldLost)
        and ask.verb in ("confirm", "reclaim", "pin")
    ):
        return in_doubt(ask, before.__cause__)
    return answer


def _again(before: SeatLockError | None, error: SeatLockError, ask: Ask[Any]) -> SeatLockError:
    """The error of an ask whose earlier attempt, among others, failed as well: in doubt then is in doubt now."""
    if isinstance(before, OutcomeUnknown):
        doubtful = isinstance(error, ServerUnavailable | ScriptFailed | UnsafeServer)
    else:  # a script that was refused has changed nothing
        doubtful = isinstance(error, ServerUnavailable) and before is not None and _fate(before) is Fate.BROKEN
    return in_doubt(ask, error.__cause__) if doubtful else _own_copy(error, ask)


def _not_sent(error: SeatLockError, ask: Ask[Any]) -> ServerUnavailable:
    unavailable = ServerUnavailable(
        f"{ask.verb} for {wanted(ask)} of show {ask.show!r} was not sent, since Redis did not answer "
        "the requests before it; nothing was changed: ask again later."
    )
    unavailable.__cause__ = error.__cause__
    return unavailable


def copies(error: SeatLockError, asks: Sequence[Ask[Any]]) -> list[Any]:
    """The error of a call for each of its asks, with the seats and the token of each."""
    return [_own_copy(error, ask) for ask in asks]


def _own_copy(error: SeatLockError, ask: Ask[Any]) -> SeatLockError:
    mine = copy.copy(error)
    mine.__cause__ = error.__cause__
    if isinstance(mine, OutcomeUnknown):
        mine.seats, mine.token = ask.seats, ask.token
    return mine


def sweep(namespace: str, show: str) -> Procedure[int]:
    """Take back every due seat, a bounded number a call."""
    swept = 0
    for _ in range(SWEEP_STEPS):
        freed, more = yield _upkeep.sweep(namespace, show)
        swept += freed
        if not more:
            break
    pools: tuple[str, ...] = yield _pools.names(namespace, show)
    for pool in pools:
        for _ in range(SWEEP_STEPS):
            freed, more = yield _pools.sweep(namespace, show, pool)
            swept += freed
            if not more:
                break
    return swept
