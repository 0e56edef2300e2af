"""Everything else that is done in the ledger: cancelling, epochs, the capacity of pools, and what is read from it."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy import Connection

from seatlock.errors import PlanConflict
from seatlock.ledger._records import record
from seatlock.ledger._rows import argument, asked, insert, insert_new, upserting
from seatlock.ledger.decide import FIRST_EPOCH, add_sold, lock_pools, noted, remove_seats
from seatlock.ledger.model import AuditEntry, PoolStock, Record, SoldSeat
from seatlock.ledger.schema import audit, bookings, pools, shows, sold_seats


def outcome(connection: Connection, show: str, booking: str, *, lock: bool = False) -> Record | None:
    """What is on record of a booking, or None where it is not decided."""
    found = sa.select(bookings).where(bookings.c.show == show, bookings.c.id == booking)
    row = connection.execute(found.with_for_update() if lock else found).one_or_none()
    return None if row is None else record(row)


def cancel(connection: Connection, show: str, booking: str, *, by: str, reason: str | None) -> Record:
    """Cancel a booking: gives what is on record then.

    A confirmed one gives its seats and quantities back. One that is not decided is entered as cancelled, so that it
    never will be. One that is rejected or cancelled stays as it is.
    """
    known = outcome(connection, show, booking, lock=True)
    if known is None:
        row = {"show": show, "id": booking, "status": "cancelled", "seats": "[]", "pools": "{}", "reason": reason}
        if insert_new(connection, bookings, [row]):
            _mark_cancelled(connection, show, booking, reason)
        known = outcome(connection, show, booking, lock=True)  # somebody may have decided it in between
    if known is not None and known.status == "confirmed":
        remove_seats(connection, [(show, seat) for seat in known.seats])
        lock_pools(connection, {(show, pool) for pool in known.pools})
        add_sold(connection, {(show, pool): -quantity for pool, quantity in known.pools.items()})
        note = {"show": show, "what": "cancelled", "who": by, "booking": booking, "reason": reason}
        insert(connection, audit, noted(note, known.seats, known.pools))
        _mark_cancelled(connection, show, booking, reason)
        known = outcome(connection, show, booking)
    if known is None:  # rows are never deleted
        raise LookupError(f"booking {booking!r} of show {show!r} is gone from the ledger")
    return known


def _mark_cancelled(connection: Connection, show: str, booking: str, reason: str | None) -> None:
    change = sa.update(bookings).where(bookings.c.show == show, bookings.c.id == booking)
    now = sa.func.current_timestamp()
    connection.execute(change.values(status="cancelled", reason=reason, cancelled_at=now))


def epoch(connection: Connection, show: str) -> int:
    """The epoch of a show."""
    return connection.scalar(sa.select(shows.c.epoch).where(shows.c.show == show)) or FIRST_EPOCH


def raise_epoch(connection: Connection, show: str, *, to: int | None) -> int:
    """Begin a new epoch of a show, or one that is not before ``to``: gives it.

    Waits until whoever decides claims of the old one has ended.
    """
    statement = upserting(connection.dialect.name, shows).values(show=show, epoch=FIRST_EPOCH + 1 if to is None else to)
    later = shows.c.epoch + 1 if to is None else sa.case((shows.c.epoch < to, to), else_=shows.c.epoch)
    raised = statement.on_conflict_do_update(index_elements=[shows.c.show], set_={"epoch": later})
    new: int = connection.execute(raised.returning(shows.c.epoch)).scalar_one()
    return new


def set_pools(connection: Connection, show: str, capacities: Mapping[str, int]) -> None:
    """Set how many there are of each of these pools; raises `seatlock.PlanConflict` where more are sold already."""
    if not capacities:
        return
    rows = [{"show": show, "pool": pool, "capacity": capacity} for pool, capacity in sorted(capacities.items())]
    told = asked(connection.dialect.name, pools, ("show", "pool", "capacity"))
    statement = upserting(connection.dialect.name, pools).from_select(
        list(told), sa.select(*told.values()).where(sa.true())
    )
    capacity = statement.excluded.capacity
    upsert = statement.on_conflict_do_update(
        index_elements=[pools.c.show, pools.c.pool], set_={"capacity": capacity}, where=pools.c.sold <= capacity
    )
    done = set(connection.execute(upsert.returning(pools.c.pool), argument(rows)).scalars())
    if too_small := capacities.keys() - done:
        stock = stock_of(connection, show)
        conflicts = {pool: f"{stock[pool].sold} are sold" for pool in sorted(too_small)}
        raise PlanConflict(
            f"pools of show {show!r} cannot be made smaller than what is sold of them: "
            f"{', '.join(f'{pool!r} ({why})' for pool, why in conflicts.items())}; nothing was changed.",
            conflicts=conflicts,
        )


def stock_of(connection: Connection, show: str) -> Mapping[str, PoolStock]:
    """Every pool of a show, by name."""
    found = sa.select(pools.c.pool, pools.c.capacity, pools.c.sold).where(pools.c.show == show)
    return {pool: PoolStock(capacity, sold) for pool, capacity, sold in connection.execute(found.order_by("pool"))}


def sold(connection: Connection, show: str, *, after: str, limit: int) -> list[SoldSeat]:
    """The sold seats of a show that come after ``after`` in the order of their ids, up to ``limit``."""
    theirs = (bookings.c.show == sold_seats.c.show) & (bookings.c.id == sold_seats.c.booking)
    record_columns = ("holder", "token_hash", "epoch", "fence", "payment", "decided_at")
    found = (
        sa.select(sold_seats.c.seat, sold_seats.c.booking, *(bookings.c[name] for name in record_columns))
        .join(bookings, theirs)
        .where(sold_seats.c.show == show, sold_seats.c.seat > after)
        .order_by(sold_seats.c.seat)
        .limit(limit)
    )
    return [SoldSeat(*row) for row in connection.execute(found)]


def pool_sales(connection: Connection, show: str, *, after: str, limit: int) -> list[Record]:
    """The confirmed bookings of a show that have something of pools, by id, those after ``after``, up to ``limit``."""
    theirs = sa.select(bookings).where(bookings.c.show == show, bookings.c.id > after, bookings.c.pools != "{}")
    found = theirs.where(bookings.c.status == "confirmed").order_by(bookings.c.id).limit(limit)
    return [record(row) for row in connection.execute(found)]


def history(connection: Connection, show: str, name: str, *, pool: bool, after: int, limit: int) -> list[AuditEntry]:
    """What was done to a seat, or a pool, after entry ``after``, the oldest first, up to ``limit`` entries."""
    names = ("id", "what", "who", "booking", "reason", "at", "quantity")
    kind = audit.c.quantity.is_not(None) if pool else audit.c.quantity.is_(None)
    found = (
        sa.select(*(audit.c[name] for name in names))
        .where(audit.c.show == show, audit.c.seat == name, kind, audit.c.id > after)
        .order_by(audit.c.id)
        .limit(limit)
    )
    return [AuditEntry(*row) for row in connection.execute(found)]
