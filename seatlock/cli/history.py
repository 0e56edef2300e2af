"""`seatlock history`: who did what to a seat or a pool, by the ledger's audit and by that of the show in Redis."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec
import typer

from seatlock import _bounds
from seatlock._replies import fence_of
from seatlock.cli.books import ledger_at, require_extra
from seatlock.cli.connection import Desk
from seatlock.cli.options import DEFAULT_LEDGER, DEFAULT_NAMESPACE, DEFAULT_REDIS, Ledger, Namespace, Redis, Show
from seatlock.cli.rows import in_rows
from seatlock.cli.terminal import terminal
from seatlock.errors import SeatLockError

if TYPE_CHECKING:  # needs the extra
    from seatlock.ledger import AuditEntry
    from seatlock.ledger import Ledger as Books

PAGE: Final = 1_000  # entries that are read at once


class Deed(msgspec.Struct, frozen=True):
    """What was done, when (seconds since the epoch, by the clock of ``source``), and who did it.

    ``holder`` is who had the seat on hold until then; ``quantity`` is of a pool.
    """

    at: float
    what: str
    who: str | None
    source: Literal["ledger", "redis"]
    holder: str | None = None
    quantity: int | None = None
    booking: str | None = None
    fence: int | None = None
    reason: str | None = None

    @property
    def utc(self) -> str:
        """The time for people."""
        return datetime.fromtimestamp(self.at, UTC).isoformat(sep=" ", timespec="seconds").removesuffix("+00:00")


_COLUMNS: Final[dict[str, Callable[[Deed], str]]] = {
    "time (UTC)": lambda deed: deed.utc,
    "what": lambda deed: deed.what,
    "quantity": lambda deed: "" if deed.quantity is None else f"{deed.quantity:,}",
    "who": lambda deed: deed.who or "",
    "held by": lambda deed: deed.holder or "",
    "booking": lambda deed: deed.booking or "",
    "reason": lambda deed: deed.reason or "",
}


def history(
    show: Show,
    seat: Annotated[str, typer.Argument(metavar="SEAT", help="A seat id, or a pool's name.", show_default=False)],
    pool: Annotated[bool, typer.Option("--pool", help="SEAT is the name of a pool.")] = False,
    json: Annotated[bool, typer.Option("--json", help="A JSON array of objects.")] = False,
    ledger: Ledger = DEFAULT_LEDGER,
    redis: Redis = DEFAULT_REDIS,
    namespace: Namespace = DEFAULT_NAMESPACE,
) -> None:
    """Tell who did what to a seat, or a pool, and when: sold and cancelled, by the ledger; freed by force, by Redis.

    The times are those of two clocks. If one of the two cannot be read, what the other tells is shown, and the exit
    status is 1. What Redis tells goes with the show when it is retired.
    """
    require_extra()
    _bounds.show_id(show)
    name = _bounds.pool_name(seat) if pool else _bounds.seat_id(seat)
    told: list[list[Deed]] = []
    failed: list[SeatLockError] = []
    readers: list[Callable[[], list[Deed]]] = [
        lambda: _of_ledger(ledger, show, name, pool=pool),
        lambda: _of_redis(redis, namespace, show, name, pool=pool),
    ]
    for read in readers:
        try:
            told.append(read())
        except SeatLockError as error:
            failed.append(error)
    deeds = list(heapq.merge(*told, key=lambda deed: deed.at))  # each of the two stays in its own order
    if json:
        terminal.say(msgspec.json.encode(deeds).decode())
    elif deeds:
        terminal.out.print(in_rows(_COLUMNS, deeds))
    elif not failed:
        terminal.say(f"Nothing is on record of {'pool' if pool else 'seat'} {name} of {show}.")
    for other in failed[:-1]:
        terminal.complain(f"seatlock: {other}")
    if failed:
        raise failed[-1]


def _of_ledger(url: str, show: str, name: str, *, pool: bool) -> list[Deed]:
    with ledger_at(url) as books:
        return [
            Deed(
                at=entry.at,
                what=entry.what,
                who=entry.who,
                source="ledger",
                quantity=entry.quantity,
                booking=entry.booking,
                reason=entry.reason,
            )
            for entry in _entries(books, show, name, pool=pool)
        ]


def _entries(books: Books, show: str, name: str, *, pool: bool) -> Iterator[AuditEntry]:
    read = books.pool_history if pool else books.history
    page = read(show, name, limit=PAGE)
    while page:
        yield from page
        page = read(show, name, after=page[-1].id, limit=PAGE) if len(page) == PAGE else []


def _of_redis(url: str, namespace: str, show: str, name: str, *, pool: bool) -> list[Deed]:
    with Desk.at(url, namespace) as desk:
        return [
            Deed(
                at=int(entry["at"]) / 1000,
                what=entry["what"],
                who=entry["by"],
                source="redis",
                holder=entry["holder"],
                quantity=int(entry["quantity"]) if pool else None,
                fence=fence_of(int(entry["epoch"]), int(entry["fence"])),
                reason=entry["reason"],
            )
            for entry in desk.audit(show, PAGE)
            if entry.get("pool" if pool else "seat") == name
        ]
