"""What is read of a show in several calls, so that it is of one version: plans, states, changes. No I/O."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from seatlock import _pools, _reads
from seatlock._procedures import Procedure
from seatlock._replies import channel_number, count_states, listing, state_of
from seatlock.errors import (
    ServerUnavailable,
    ShowNotFound,
    UnknownSeats,
)
from seatlock.model import Availability, SaleStatus, SeatState, StateName
from seatlock.plan import SeatingPlan

SNAPSHOT_TRIES: Final = 5  # times a snapshot starts again when the plan changed or the change stream was cut
CATCH_UP_STEPS: Final = 500  # calls that bring a snapshot to one version, at most


def read_plan(namespace: str, show: str) -> Procedure[SeatingPlan]:
    """Read the plan that a show was warmed with."""
    packed = yield _reads.packed_plan(namespace, show)
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
        if (yield _reads.mirrors(namespace, show, [seat.id for seat in plan.seats[:1]])).plan == plan.digest:
            raise no_section(show, section, plan)
        plans.forget(show)
    raise ServerUnavailable(
        f"availability of show {show!r}: the show changed too much while it was read, {SNAPSHOT_TRIES} times; "
        "ask again."
    )


def no_section(show: str, section: str, plan: SeatingPlan) -> UnknownSeats:
    """The refusal of a section that a show does not have."""
    has = f"; it has {listing(list(plan.sections))}" if plan.seats else ": it has pools and no seats"
    return UnknownSeats(f"show {show!r} has no section {section!r}{has}.")


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
    first: _reads.Snapshot | None = None
    newest: _reads.Snapshot | _reads.Changes | None = None
    channels: tuple[str, ...] = ()
    for at in range(0, max(len(seats), 1), _reads.READ_STEP):  # a show can have pools alone
        piece = seats[at : at + _reads.READ_STEP]
        last: _reads.Snapshot = yield _reads.mirrors(namespace, show, piece, pools)
        first = first or last
        if last.plan != plan.digest or last.epoch != first.epoch:
            return None
        fields.update(zip(piece, last.mirrors, strict=True))
        newest, channels = last, last.channels
    if first is None or newest is None:
        return None
    if len(seats) > _reads.READ_STEP:

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
) -> Procedure[_reads.Changes | None]:
    """Replay the changes since a version (epoch and version), batch by batch; None where that cannot be done."""
    epoch, version = since
    for _ in range(CATCH_UP_STEPS):
        found: _reads.Changes = yield _reads.changes(namespace, show, epoch, version, pools)
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
        digest, states = yield _reads.inspect(namespace, show, seats, plan.categories)
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
