"""The one function that decides: which claims become bookings, in one transaction of the caller's, any number of times.

The answers are those that the claims would get alone, one after the other in their order. How a batch gets them in a
handful of statements, however much its claims want the same:

1. The epochs of the shows are read FOR SHARE: nobody raises one before this transaction has ended.
2. The bookings are inserted, sorted. Where a row is there already, it answers. From here on each is ours to decide.
3. Every seat that any of them wants is inserted once, sorted, for the first claim that wants it; the rows of the pools
   are locked, sorted. Now each seat is either sold to somebody else or ours, so nobody else can change what follows.
4. The claims are decided in their order, in memory.
5. What was inserted is put right: seats that nobody got in the end are removed, others given to who got them; who lost
   becomes rejected and is told what stood in the way; pools are counted, what was sold is noted.

On the way without conflicts there is nothing to put right. SQLite has one writer at a time (BEGIN IMMEDIATE) and takes
no locks on rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from seatlock.ledger._records import read_back, record_of, row_of, text_of
from seatlock.ledger._rows import Row, among, argument, insert, insert_new, insert_new_returning, update
from seatlock.ledger.model import Claim, Conflicts, Decision, Key, Record
from seatlock.ledger.schema import audit, bookings, pools, shows, sold_seats

FIRST_EPOCH: Final = 1
UNAVAILABLE: Final = "unavailable"
"""The reason of a booking that was rejected because a seat was sold, or a pool had not enough left."""


def decide(connection: Connection, claims: Sequence[Claim]) -> list[Decision]:
    """Decide claims: an answer each, in their order. Nothing of it counts before the transaction is committed."""
    epochs = _lock_epochs(connection, {claim.show for claim in claims})
    keys = [claim.key for claim in claims]
    fresh: dict[Key, Claim] = {}
    for key, claim in zip(keys, claims, strict=True):
        if claim.epoch == epochs[claim.show]:
            fresh.setdefault(key, claim)
    entered = _enter(connection, [row_of(fresh[key], "confirmed") for key in sorted(fresh)])
    known = read_back(connection, set(keys) - entered.keys())
    decided = _sell(connection, {key: claim for key, claim in fresh.items() if key in entered}, entered)
    answers: list[Decision] = []
    told: set[Key] = set()  # the new bookings that have had their turn: a stale claim before it was no answer yet
    for key, claim in zip(keys, claims, strict=True):
        if claim is fresh.get(key):
            told.add(key)
        record = known.get(key) or (decided[key] if key in told else None)
        answers.append(answer(claim, record, epochs[claim.show]))
    return answers


def tombstone(connection: Connection, claims: Sequence[Claim], reason: str) -> list[Decision]:
    """Reject claims that have not been decided, for good: an answer each, which is what is on record then."""
    epochs = _read_epochs(connection, {claim.show for claim in claims})
    first: dict[Key, Claim] = {}
    for claim in claims:
        first.setdefault(claim.key, claim)
    entered = _enter(connection, [row_of(first[key], "rejected", reason) for key in sorted(first)])
    known = read_back(connection, first.keys() - entered.keys())
    rejected = {key: record_of(first[key], "rejected", at, reason) for key, at in entered.items()}
    return [
        answer(claim, known.get(claim.key) or rejected[claim.key], epochs.get(claim.show, FIRST_EPOCH))
        for claim in claims
    ]


def answer(claim: Claim, record: Record | None, epoch: int) -> Decision:
    """What a record says to a claim; where there is none, the claim is stale."""
    status: Literal["confirmed", "rejected", "cancelled", "mismatch", "stale"]
    if record is None:
        status = "stale"
    elif record.request_hash not in (None, claim.request_hash):
        status = "mismatch"
    else:
        status = record.status
    return Decision(show=claim.show, booking=claim.booking, status=status, epoch=epoch, record=record)


def _read_epochs(connection: Connection, wanted: Iterable[str], *, lock: bool = False) -> dict[str, int]:
    found = sa.select(shows.c.show, shows.c.epoch).where(shows.c.show.in_(list(wanted))).order_by(shows.c.show)
    rows = connection.execute(found.with_for_update(read=True) if lock else found)
    return {show: epoch for show, epoch in rows}  # noqa: C416 - rows are no pairs to a type checker


def _lock_epochs(connection: Connection, wanted: set[str]) -> Mapping[str, int]:
    epochs = _read_epochs(connection, wanted, lock=True)
    if new := wanted - epochs.keys():
        insert_new(connection, shows, [{"show": show, "epoch": FIRST_EPOCH} for show in sorted(new)])
        epochs |= _read_epochs(connection, new, lock=True)
    return epochs


def _enter(connection: Connection, rows: Sequence[Row]) -> dict[Key, float]:
    """Insert bookings that are not there, in order: gives when each of those was decided."""
    new = insert_new_returning(connection, bookings, rows, ("show", "id", "decided_at"))
    return {(show, booking): at for show, booking, at in new}


class _Sale(msgspec.Struct):
    """What is sold in this transaction, and what cannot be."""

    owners: dict[Key, str] = msgspec.field(default_factory=dict[Key, str])  # by seat: the booking that gets it
    taken: dict[Key, int] = msgspec.field(default_factory=dict[Key, int])  # by pool: how many
    refused: dict[Key, Conflicts] = msgspec.field(default_factory=dict[Key, Conflicts])  # by booking: why


def _sell(connection: Connection, new: Mapping[Key, Claim], entered: Mapping[Key, float]) -> Mapping[Key, Record]:
    """Decide bookings that were entered in this transaction, in their order."""
    claims = new.values()
    wanted: dict[Key, str] = {}
    for claim in claims:
        for seat in claim.seats:
            wanted.setdefault((claim.show, seat), claim.booking)
    sold = _take_seats(connection, wanted)
    left = lock_pools(connection, {(claim.show, pool) for claim in claims for pool in claim.pools})
    sale = _decide_in_order(new, sold, left)
    _settle_seats(connection, {seat: first for seat, first in wanted.items() if seat not in sold}, sale.owners)
    add_sold(connection, sale.taken)
    _reject(connection, sale.refused)
    _note(connection, [claim for key, claim in new.items() if key not in sale.refused])
    return {
        key: record_of(claim, "rejected", entered[key], UNAVAILABLE, sale.refused[key])
        if key in sale.refused
        else record_of(claim, "confirmed", entered[key])
        for key, claim in new.items()
    }


def _decide_in_order(claims: Mapping[Key, Claim], sold: Mapping[Key, str], left: dict[Key, int]) -> _Sale:
    sale = _Sale()
    owners = sale.owners
    for key, claim in claims.items():
        show = claim.show
        seats = {seat: owner for seat in claim.seats if (owner := sold.get((show, seat)) or owners.get((show, seat)))}
        short = {
            pool: there for pool, quantity in claim.pools.items() if (there := left.get((show, pool), 0)) < quantity
        }
        if seats or short:
            sale.refused[key] = Conflicts(seats, short)
            continue
        for seat in claim.seats:
            owners[show, seat] = claim.booking
        for pool, quantity in claim.pools.items():
            left[show, pool] -= quantity
            sale.taken[show, pool] = sale.taken.get((show, pool), 0) + quantity
    return sale


def _take_seats(connection: Connection, wanted: Mapping[Key, str]) -> Mapping[Key, str]:
    """Insert the seats that are not sold: gives those that are, each with the booking that has it."""
    sold: dict[Key, str] = {}
    missing: dict[Key, str] = dict(wanted)
    while missing:  # again only for seats whose booking was cancelled between the two statements
        rows = [{"show": key[0], "seat": key[1], "booking": missing[key]} for key in sorted(missing)]
        if insert_new(connection, sold_seats, rows) == len(rows):
            break
        owners = _owners(connection, missing)
        # a seat of one of these bookings is ours: they were entered in this transaction
        sold |= {key: owner for key, owner in owners.items() if owner != missing[key]}
        missing = {key: booking for key, booking in missing.items() if key not in owners}
    return sold


def _owners(connection: Connection, seats: Iterable[Key]) -> Mapping[Key, str]:
    told = argument({"show": show, "seat": seat} for show, seat in seats)
    found = sa.select(sold_seats).where(among(connection.dialect.name, sold_seats, ("show", "seat")))
    return {(show, seat): booking for show, seat, booking in connection.execute(found, told)}


def _settle_seats(connection: Connection, inserted: Mapping[Key, str], owners: Mapping[Key, str]) -> None:
    """Give the seats that were inserted for the first who wanted them to those who got them, or back."""
    moved = [
        {"show": seat[0], "seat": seat[1], "booking": owner}
        for seat, owner in owners.items()
        if inserted[seat] != owner
    ]
    update(connection, sold_seats, ("show", "seat"), moved)
    if orphans := inserted.keys() - owners.keys():
        remove_seats(connection, orphans)


def remove_seats(connection: Connection, seats: Iterable[Key]) -> None:
    """Make seats free that are ours to give back."""
    told = argument({"show": show, "seat": seat} for show, seat in seats)
    connection.execute(sa.delete(sold_seats).where(among(connection.dialect.name, sold_seats, ("show", "seat"))), told)


def lock_pools(connection: Connection, wanted: set[Key]) -> dict[Key, int]:
    """Lock the rows of pools, sorted: gives how many are left of each that the ledger knows."""
    if not wanted:
        return {}
    found = sa.select(pools).where(among(connection.dialect.name, pools, ("show", "pool")))
    told = argument({"show": show, "pool": pool} for show, pool in wanted)
    rows = connection.execute(found.order_by(pools.c.show, pools.c.pool).with_for_update(of=pools), told)
    return {(show, pool): capacity - sold for show, pool, capacity, sold in rows}


def add_sold(connection: Connection, quantities: Mapping[Key, int]) -> None:
    """Add to what is sold of pools, or take from it; their rows are locked already."""
    rows = [{"show": key[0], "pool": key[1], "sold": quantity} for key, quantity in quantities.items()]
    update(connection, pools, ("show", "pool"), rows, add=True)


def _reject(connection: Connection, refused: Mapping[Key, Conflicts]) -> None:
    rows = [{"show": key[0], "id": key[1], "conflicts": text_of(why)} for key, why in refused.items()]
    update(connection, bookings, ("show", "id"), rows, same={"status": "rejected", "reason": UNAVAILABLE})


def _note(connection: Connection, claims: Iterable[Claim]) -> None:
    """Add to the audit what was sold."""
    rows: list[Row] = []
    for claim in claims:
        note = {"show": claim.show, "what": "sold", "who": claim.holder, "booking": claim.booking}
        rows += noted(note, claim.seats, claim.pools)
    insert(connection, audit, rows)


def noted(note: Row, seats: Iterable[str], quantities: Mapping[str, int]) -> list[Row]:
    """Rows of the audit: the same note for each seat, and for each pool with how many of it."""
    of_seats: list[Row] = [{**note, "seat": seat, "quantity": None} for seat in seats]
    if not quantities:
        return of_seats
    return of_seats + [{**note, "seat": pool, "quantity": quantity} for pool, quantity in sorted(quantities.items())]
