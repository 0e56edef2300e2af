"""What takes more than one script call, written once for both lockers.

A procedure is a generator: it yields a Step, is sent the decoded result (or gets the error thrown in), and returns
its own result. The lockers drive it, one blocking, one awaiting; nothing here does I/O.
"""

from __future__ import annotations

import copy
import logging
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from typing import Any, Final, Literal, Protocol, TypeVar

import msgspec

from seatlock import _commands, _pools, _retiring
from seatlock._operation import Again, Ask, ListsWanted, Step, chunks
from seatlock._replies import channel_number, count_states, listing, state_of, wanted
from seatlock._seam import Fate, fate_of
from seatlock.errors import (
    HoldLost,
    OutcomeUnknown,
    ScriptFailed,
    SeatLockError,
    ServerUnavailable,
    ShowInUse,
    ShowNotFound,
    UnknownSeats,
    UnsafeServer,
)
from seatlock.model import Availability, SaleStatus, SeatState, StateName
from seatlock.plan import SeatingPlan

T = TypeVar("T")
Procedure = Generator[Step, Any, T]

_log = logging.getLogger("seatlock")

PATIENCE: Final = 5.0  # seconds that those are asked again who are told to
SNAPSHOT_TRIES: Final = 5  # times a snapshot starts again when the plan changed or the change stream was cut
CATCH_UP_STEPS: Final = 500  # calls that bring a snapshot to one version, at most
SWEEP_STEPS: Final = 10_000  # calls of one sweep, at most


def check_server(namespace: str, show: str) -> Procedure[None]:
    """Refuse a server that cannot keep locks."""
    policy, role = yield _commands.server(namespace, show)
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
    if isinstance(before, OutcomeUnknown) and isinstance(answer, HoldLost) and ask.verb in ("confirm", "reclaim"):
        return in_doubt(ask, before.__cause__)
    return answer


def _again(before: SeatLockError | None, error: SeatLockError, ask: Ask[Any]) -> SeatLockError:
    """The error of an ask whose earlier attempt, among others, failed as well: in doubt then is in doubt now."""
    if isinstance(before, OutcomeUnknown):
        doubtful = isinstance(error, ServerUnavailable | ScriptFailed)
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
        freed, more = yield _commands.sweep(namespace, show)
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


def read_plan(namespace: str, show: str) -> Procedure[SeatingPlan]:
    """Read the plan that a show was warmed with."""
    packed = yield _commands.packed_plan(namespace, show)
    if packed is None:
        raise ShowNotFound(f"show {show!r} is not warmed on this server, so it sells nothing: warm it.", show=show)
    return SeatingPlan.unpack(packed)


class PlanCache:
    """The plans a locker has read, by show; bounded. A plan is read again when its digest has changed."""

    CAPACITY: Final = 256

    def __init__(self) -> None:
        self._plans: dict[str, SeatingPlan] = {}
        self.pools: dict[str, tuple[str, ...]] = {}  # what shows were seen to have, of those whose plan is known

    def get(self, namespace: str, show: str) -> Procedure[SeatingPlan]:
        """The plan of a show, from the cache or from Redis."""
        plan = self._plans.get(show)
        if plan is None:
            plan = yield from read_plan(namespace, show)
            if len(self._plans) >= self.CAPACITY:
                self.forget(next(iter(self._plans)))
            self._plans[show] = plan
        return plan

    def forget(self, show: str) -> None:
        """Drop a plan that has changed."""
        self._plans.pop(show, None)
        self.pools.pop(show, None)


def availability(
    namespace: str, show: str, section: str | None, plans: PlanCache, channel: str = ""
) -> Procedure[Availability]:
    """Read the states of a whole show or of one section, at one version, as those see it who name this channel."""
    for _ in range(SNAPSHOT_TRIES):
        plan: SeatingPlan = yield from plans.get(namespace, show)
        if section is None or section in plan.sections:
            seats = plan.sections[section] if section is not None else tuple(seat.id for seat in plan.seats)
            result = yield from _snapshot(namespace, show, plan, seats, plans, channel)
            if result is not None:
                return result
            continue
        if (yield _commands.mirrors(namespace, show, [seat.id for seat in plan.seats[:1]])).plan == plan.digest:
            raise UnknownSeats(f"show {show!r} has no section {section!r}; it has {listing(list(plan.sections))}.")
        plans.forget(show)
    raise ServerUnavailable(
        f"availability of show {show!r}: the show changed too much while it was read, {SNAPSHOT_TRIES} times; "
        "ask again."
    )


def _snapshot(
    namespace: str, show: str, plan: SeatingPlan, seats: tuple[str, ...], plans: PlanCache, channel: str
) -> Procedure[Availability | None]:
    pools = plans.pools.get(show, ())
    found = yield from read_fields(namespace, show, plan, seats, pools)
    if found is None:
        plans.forget(show)
        return None
    if found.pools.names != pools:
        plans.pools[show] = found.pools.names
        return None
    number = found.channels.index(channel) + 1 if channel in found.channels else None
    known = len(found.channels)
    if channel and number is None and any((channel_number(field) or 0) > known for field in found.fields.values()):
        return None  # a channel was made while the show was read: it may be this one
    states: dict[str, StateName] = {
        seat: state for seat, field in found.fields.items() if (state := state_of(field, found.now, number)) is not None
    }
    counts, stock = count_states(states), found.pools.counts
    return Availability(show, found.status, found.version, counts, states, found.opens_in, found.closes_in, stock)


class Fields(msgspec.Struct, frozen=True):
    """Raw fields of the availability hash by seat, at one version (epoch and version) and time of the show.

    ``channels`` are names, in order of their numbers; one that was made while the fields were read may be missing.
    ``pools`` has counts if the pools that were named when reading are those of the show.
    """

    status: SaleStatus
    version: tuple[int, int]
    now: int
    fields: dict[str, bytes]
    opens_in: float | None
    closes_in: float | None
    channels: tuple[str, ...]
    pools: _pools.Stock


def read_fields(
    namespace: str, show: str, plan: SeatingPlan, seats: tuple[str, ...], pools: tuple[str, ...] = ()
) -> Procedure[Fields | None]:
    """Read in bounded pieces, then replay the changes since the first piece; None where that cannot be done."""
    fields: dict[str, bytes] = {}
    first: _commands.Snapshot | None = None
    newest: _commands.Snapshot | _commands.Changes | None = None
    channels: tuple[str, ...] = ()
    for at in range(0, max(len(seats), 1), _commands.READ_STEP):  # a show can have pools alone
        piece = seats[at : at + _commands.READ_STEP]
        last: _commands.Snapshot = yield _commands.mirrors(namespace, show, piece, pools)
        first = first or last
        if last.plan != plan.digest or last.epoch != first.epoch:
            return None
        fields.update(zip(piece, last.mirrors, strict=True))
        newest, channels = last, last.channels
    if first is None or newest is None:
        return None
    if len(seats) > _commands.READ_STEP:

        def take_in(batch: dict[str, bytes]) -> None:
            fields.update((seat, field) for seat, field in batch.items() if seat in fields)

        caught_up = yield from catch_up(namespace, show, (first.epoch, first.version), take_in, pools)
        if caught_up is None:
            return None
        newest = caught_up
    version = (first.epoch, newest.version)
    left = newest.opens_in, newest.closes_in
    return Fields(newest.status, version, newest.now, fields, *left, channels, newest.pools)


def catch_up(
    namespace: str,
    show: str,
    since: tuple[int, int],
    take_in: Callable[[dict[str, bytes]], None],
    pools: tuple[str, ...] = (),
) -> Procedure[_commands.Changes | None]:
    """Replay the changes since a version (epoch and version), batch by batch; None where that cannot be done."""
    epoch, version = since
    for _ in range(CATCH_UP_STEPS):
        found: _commands.Changes = yield _commands.changes(namespace, show, epoch, version, pools)
        if found.epoch != epoch:
            return None
        for number, batch in found.batches:
            if number != version + 1 or batch.get("") == b"plan":
                return None  # the stream was cut, a script failed half-way, or the plan is another: start again
            version = number
            take_in(batch)
        if version == found.version:
            return found
        if not found.batches:
            return None
    return None


def inspect(namespace: str, show: str, seats: tuple[str, ...], plans: PlanCache) -> Procedure[list[SeatState]]:
    """Ask what is known of each seat."""
    for _ in range(SNAPSHOT_TRIES):
        plan: SeatingPlan = yield from plans.get(namespace, show)
        states: list[SeatState]
        digest, states = yield _commands.inspect(namespace, show, seats, plan.categories)
        if digest != plan.digest:  # the numbers of the categories may have changed their meaning
            plans.forget(show)
            continue
        if len(states) < len(seats):
            found = {state.seat for state in states}
            unknown = tuple(seat for seat in seats if seat not in found)
            raise UnknownSeats(f"show {show!r} has no seat {listing(unknown)}: look at its plan.", seats=unknown)
        return states
    raise ServerUnavailable(
        f"inspect of show {show!r}: its plan changed while it was looked at, {SNAPSHOT_TRIES} times; ask again."
    )


def retire(namespace: str, show: str, unread: Literal["keep", "discard"]) -> Procedure[None]:
    """End a show, then delete what is left of it in bounded steps; may be repeated after a failure."""
    for _ in range(SNAPSHOT_TRIES):
        pools: tuple[str, ...] = yield _pools.names(namespace, show)
        try:
            in_use: tuple[int, int] | None = yield _commands.retire(namespace, show, unread, pools)
        except Again:  # somebody has warmed it with other pools since
            continue
        break
    else:
        raise ServerUnavailable(f"retire of show {show!r}: it is being warmed; nothing was changed: ask again.")
    if in_use is not None:
        holds, entries = in_use
        raise ShowInUse(
            f"show {show!r} cannot be retired: {holds} seats are held (a claim on a pool counts as one) and {entries} "
            "outbox entries are unread; close the sale, wait for the holds to end and for the relay to read the "
            "outbox, or discard the outbox.",
            holds=holds,
            outbox=entries,
        )
    yield from _retiring.clear(namespace, show)
