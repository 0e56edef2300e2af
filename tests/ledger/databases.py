"""What the tests of the ledger have in common: claims, and databases on a server."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import psycopg
import sqlalchemy as sa

from loadtests.bench.postgres import Postgres
from seatlock.ledger import Claim, Ledger, hash_of

DATABASES: Final = ("sqlite", "postgresql")
_numbers: Final = itertools.count(1)


def url_of(server: Postgres, *, new_database: bool = False) -> str:
    """Where a server is, by a database made for the purpose or by its own."""
    name = "postgres"
    if new_database:
        name = f"ledger_{next(_numbers)}"
        with psycopg.connect(server.conninfo, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
    return f"postgresql://bench@/{name}?host={server.directory}"


def claim(
    show: str,
    booking: str,
    seats: Sequence[str] = (),
    *,
    holder: str = "ann",
    pools: Mapping[str, int] | None = None,
    payment: str | None = "p1",
    epoch: int = 1,
    fence: int = 7,
) -> Claim:
    """A claim whose token is derived from its booking."""
    return Claim(
        show=show,
        booking=booking,
        holder=holder,
        token_hash=hash_of(booking),
        epoch=epoch,
        fence=fence,
        seats=tuple(seats),
        pools=dict(pools or {}),
        payment=payment,
    )


def query(ledger: Ledger, statement: str, **arguments: Any) -> list[tuple[Any, ...]]:
    """What the database itself says."""
    with ledger._transactions.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(statement), arguments)]


def contradictions(ledger: Ledger) -> list[str]:
    """What in the tables cannot be: a confirmed booking without a seat of its, a seat without, a pool's sum."""
    told: list[str] = []
    sold = {
        (show, seat): booking for show, seat, booking in query(ledger, "SELECT show, seat, booking FROM sold_seats")
    }
    expected: dict[tuple[str, str], str] = {}
    counted: Counter[tuple[str, str]] = Counter()
    for show, booking, seats, pools in query(
        ledger, "SELECT show, id, seats, pools FROM bookings WHERE status = 'confirmed'"
    ):
        for seat in json.loads(seats):
            if (show, seat) in expected:
                told.append(f"{seat} has two live bookings: {booking}, {expected[show, seat]}")
            expected[show, seat] = booking
        counted.update({(show, pool): quantity for pool, quantity in json.loads(pools).items()})
    if sold != expected:
        told.append(f"sold {sold} but bookings say {expected}")
    stock = {(show, pool): sold for show, pool, sold in query(ledger, "SELECT show, pool, sold FROM pools")}
    told += [
        f"{pool}: {number} sold, bookings say {counted[pool]}"
        for pool, number in stock.items()
        if number != counted[pool]
    ]
    noted: Counter[tuple[str, str]] = Counter()
    of_pools: Counter[tuple[str, str]] = Counter()
    for show, seat, quantity, what in query(ledger, "SELECT show, seat, quantity, what FROM audit"):
        more = 1 if what == "sold" else -1
        if quantity is None:
            noted[show, seat] += more
        else:
            of_pools[show, seat] += more * quantity
    if {seat for seat, count in noted.items() if count} != sold.keys():
        told.append("the audit does not tell of what is sold")
    if {pool: count for pool, count in of_pools.items() if count} != {pool: n for pool, n in stock.items() if n}:
        told.append("the audit does not tell of how many of pools are sold")
    return told
