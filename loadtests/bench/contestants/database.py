"""Booking in PostgreSQL, as it is done without Redis: row locks, two short transactions, psycopg 3 with a pool."""

from __future__ import annotations

from typing import Any, Final

import psycopg
from psycopg_pool import AsyncConnectionPool

from loadtests.bench.contestants.base import TTL, Contestant, insist
from seatlock import new_token

CONNECTIONS: Final = 20  # a backend is a process: more of them only take turns
_WAIT: Final = 120.0  # seconds for a connection; ten thousand buyers queue for twenty

_SCHEMA: Final = """
DROP TABLE IF EXISTS seats, outbox;
CREATE TABLE seats (
  seat integer PRIMARY KEY, state text NOT NULL DEFAULT 'free', token text, holder text, held_until timestamptz,
  payment text
) WITH (fillfactor = 50);
CREATE INDEX seats_free ON seats (seat) WHERE state = 'free';
CREATE TABLE outbox (id bigserial PRIMARY KEY, seat integer NOT NULL, holder text NOT NULL, payment text);
"""
_LOCK: Final = "SELECT state, held_until < now() FROM seats WHERE seat = %s FOR UPDATE"
_NEXT: Final = "SELECT seat FROM seats WHERE state = 'free' ORDER BY seat LIMIT 1 FOR UPDATE SKIP LOCKED"
_HOLD: Final = (
    "UPDATE seats SET state = 'held', token = %s, holder = %s, held_until = now() + make_interval(secs => %s) "
    "WHERE seat = %s"
)
_OWN: Final = "SELECT state, held_until < now() FROM seats WHERE seat = %s AND token = %s AND holder = %s FOR UPDATE"
_SELL: Final = "UPDATE seats SET state = 'sold', payment = %s, held_until = NULL WHERE seat = %s"
_RECORD: Final = "INSERT INTO outbox (seat, holder, payment) VALUES (%s, %s, %s)"
_LOCK_FOUR: Final = "SELECT seat, state FROM seats WHERE seat = ANY(%s) ORDER BY seat FOR UPDATE"
_HOLD_FOUR: Final = _HOLD.replace("seat = %s", "seat = ANY(%s)")


class ForUpdate(Contestant):
    """Each buyer wants one certain seat: its row is locked, looked at and changed."""

    name = "PostgreSQL FOR UPDATE"
    booking = "hold one certain seat, then sell it with its outbox row: two transactions"

    async def open(self) -> None:
        assert self.stage.database is not None
        pool = AsyncConnectionPool(
            self.stage.database.conninfo, min_size=CONNECTIONS, max_size=CONNECTIONS, timeout=_WAIT, open=False
        )
        self.pool = await self.stack.enter_async_context(pool)

    async def stock(self, count: int) -> None:
        assert self.stage.database is not None
        connection = await psycopg.AsyncConnection.connect(self.stage.database.conninfo, autocommit=True)
        async with connection:
            await connection.execute(_SCHEMA)
            await connection.execute("INSERT INTO seats (seat) SELECT generate_series(0, %s)", (count - 1,))
            await connection.execute("VACUUM ANALYZE seats")
            await connection.execute("CHECKPOINT")

    async def hold(self, connection: Any, number: int, token: str, holder: str) -> int:
        """Hold a seat; which one."""
        row = await (await connection.execute(_LOCK, (number,))).fetchone()
        free = row is not None and (row[0] == "free" or (row[0] == "held" and row[1]))
        insist(free, self.name, f"seat {number} was not free: {row}")
        await connection.execute(_HOLD, (token, holder, TTL, number))
        return number

    async def book(self, number: int) -> None:
        token, holder = new_token(), f"user-{number}"
        async with self.pool.connection() as connection:  # the block is a transaction
            seat = await self.hold(connection, number, token, holder)
        async with self.pool.connection() as connection:
            row = await (await connection.execute(_OWN, (seat, token, holder))).fetchone()
            insist(row == ("held", False), self.name, f"the hold of seat {seat} was gone: {row}")
            await connection.execute(_SELL, (f"pay-{number}", seat))
            await connection.execute(_RECORD, (seat, holder, f"pay-{number}"))

    async def check(self, count: int) -> None:
        async with self.pool.connection() as connection:
            sold = await (await connection.execute("SELECT count(*) FROM seats WHERE state = 'sold'")).fetchone()
            rows = await (await connection.execute("SELECT count(*), count(DISTINCT seat) FROM outbox")).fetchone()
        insist(
            (*sold, *rows) == (count,) * 3,
            self.name,
            f"{count} seats, {sold} sold, {rows} outbox rows and seats in them",
        )

    async def ask(self, number: int) -> bool:
        async with self.pool.connection() as connection:
            row = await (await connection.execute(_LOCK, (0,))).fetchone()
            insist(row is not None, self.name, "seat 0 is missing")
            if row[0] != "free":
                return False
            await connection.execute(_HOLD, (new_token(), f"user-{number}", TTL, 0))
            return True

    async def hold_four(self, number: int) -> None:
        seats = [4 * number + index for index in range(4)]
        async with self.pool.connection() as connection:
            rows = await (await connection.execute(_LOCK_FOUR, (seats,))).fetchall()
            insist([state for _, state in rows] == ["free"] * 4, self.name, f"seats were not free: {rows}")
            await connection.execute(_HOLD_FOUR, (new_token(), f"user-{number}", TTL, seats))

    async def check_fours(self, count: int) -> None:
        async with self.pool.connection() as connection:
            held = await (await connection.execute("SELECT count(*) FROM seats WHERE state = 'held'")).fetchone()
        insist(held == (4 * count,), self.name, f"{4 * count} seats should be held, {held} are")

    def server_cpu(self) -> float | None:
        return self.stage.database_cpu()


class SkipLocked(ForUpdate):
    """Each buyer takes the next free seat: rows that others have locked are passed over."""

    name = "PostgreSQL SKIP LOCKED"
    booking = "hold the next free seat, then sell it with its outbox row: two transactions"

    async def hold(self, connection: Any, number: int, token: str, holder: str) -> int:
        row = await (await connection.execute(_NEXT)).fetchone()
        insist(row is not None, self.name, "no seat was free")
        await connection.execute(_HOLD, (token, holder, TTL, row[0]))
        return int(row[0])
