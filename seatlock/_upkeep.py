"""Builds the calls that keep a show: its status, its sweep, its server and its end; pure, no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

from seatlock._keys import keys_of
from seatlock._operation import Again, Command, Operation, check_show
from seatlock._script import load
from seatlock.errors import InvalidRequest
from seatlock.model import SaleStatus

SWEEP_STEP: Final = 500  # due seats a sweep call takes back at most
CHANGES_CAP: Final = 10_000  # batches that the change stream keeps, about


def sweep(namespace: str, show: str) -> Operation[tuple[int, bool]]:
    """Take back up to `SWEEP_STEP` due seats: gives how many became free, and whether more may be due."""
    keys = keys_of(namespace, show)

    def decode(reply: list[Any]) -> tuple[int, bool]:
        check_show(reply, show)
        return reply[1], reply[2] == SWEEP_STEP

    return Operation(load("sweep"), show, [keys.meta, keys.seats, keys.due, keys.changes], [b"%d" % SWEEP_STEP], decode)


def set_status(namespace: str, show: str, status: SaleStatus, at: int = 0) -> Operation[SaleStatus]:
    """Open, pause or close a sale, at once or (open, close) at a time in milliseconds; gives the status before."""
    keys = keys_of(namespace, show)

    def decode(reply: list[Any]) -> SaleStatus:
        check_show(reply, show)
        before: SaleStatus = reply[1].decode()
        if reply[0] == b"past":
            raise InvalidRequest(
                f"the time for the sale of show {show!r} to open has passed by the server's clock, and it is {before}; "
                "nothing was changed: give a time to come, or none to open it now."
            )
        return before

    return Operation(load("status"), show, [keys.meta, keys.changes], [status.encode(), b"%d" % at], decode)


def retire(
    namespace: str,
    show: str,
    unread: Literal["keep", "discard"],
    pools: Sequence[str] = (),
    version: int | None = None,
) -> Operation[tuple[int, int] | None]:
    """End a show; gives its live holds and unread outbox entries where those forbid it, else None.

    ``version`` is the one at which a show with strict checkout was found without pins.
    """
    keys = keys_of(namespace, show)

    def decode(reply: list[Any]) -> tuple[int, int] | None:
        check_show(reply, show)
        if reply[0] in (b"pools", b"changed"):
            raise Again("the show has changed.")
        return (reply[1], reply[2]) if reply[0] == b"inuse" else None

    fixed = [keys.meta, keys.seats, keys.due, keys.changes, keys.outbox, keys.plan, keys.retired, keys.blocks]
    fixed += [keys.audit, *keys.room.all(), keys.aside, keys.relay, keys.pools]
    args = [unread.encode(), b"" if version is None else b"%d" % version]
    return Operation(load("retire"), show, [*fixed, *keys.pool_dues(pools)], args, decode)


def pins(namespace: str, show: str, cursor: bytes) -> Operation[tuple[int, bytes, tuple[str, ...]] | None]:
    """Some of the seats that are pinned: the version of the show, the cursor to go on from, and the seats.

    None where the ledger decides nothing, so that nothing is pinned.
    """
    keys = keys_of(namespace, show)

    def decode(reply: list[Any]) -> tuple[int, bytes, tuple[str, ...]] | None:
        check_show(reply, show)
        return None if reply[0] == b"fast" else (reply[1], reply[2], tuple([seat.decode() for seat in reply[3:]]))

    return Operation(load("pins"), show, [keys.meta, keys.seats], [cursor], decode)


def raise_epoch(namespace: str, show: str, epoch: int) -> Operation[int]:
    """Begin an epoch of a show, unless a later one has begun: gives the one that it has now."""
    keys = keys_of(namespace, show)

    def decode(reply: list[Any]) -> int:
        check_show(reply, show)
        found: int = reply[1]
        return found

    return Operation(load("raise_epoch"), show, [keys.meta], [b"%d" % epoch], decode)


def server(namespace: str, show: str) -> Operation[tuple[str, str]]:
    """Ask the server behind a show for its eviction policy and role; empty where it does not tell."""
    return Operation(
        load("server"), show, [keys_of(namespace, show).meta], [], lambda reply: (reply[0].decode(), reply[1].decode())
    )


def probe(namespace: str, show: str) -> Operation[list[str]]:
    """Try every command that the scripts use: gives the complaints."""

    def decode(reply: list[Any]) -> list[str]:
        return [f"{command.decode()}: {error.decode()}" for command, error in zip(reply[::2], reply[1::2], strict=True)]

    return Operation(load("probe"), show, keys_of(namespace, show).probe, [], decode)


def remnants(namespace: str, show: str, cursor: bytes, *, pools: bool = False) -> Operation[tuple[bytes, list[str]]]:
    """Some seats of a retired show whose locks remain, or fields of its pools, and the cursor to go on from."""
    keys = keys_of(namespace, show)
    return Operation(
        load("remnants"),
        show,
        [keys.pools if pools else keys.retired],
        [cursor],
        lambda reply: (reply[0], [seat.decode() for seat in reply[1:]]),
    )


def buyers(namespace: str, show: str, seats: Sequence[str]) -> Command[list[str]]:
    """Read who bought some seats of a retired show."""

    def decode(reply: list[bytes | None]) -> list[str]:
        sold = [lock.split(b"\n") for lock in reply if lock is not None and lock.startswith((b"s\n", b"p\n"))]
        return [lock[2].decode() for lock in sold if len(lock) > 2 and lock[2]]  # noqa: PLR2004 - state, token, holder

    return Command(show, ["MGET", *keys_of(namespace, show).locks(tuple(seats))], decode)


def forget(
    namespace: str, show: str, seats: Sequence[str], holders: Sequence[str] = (), of_pools: Sequence[str] = ()
) -> Operation[int]:
    """Delete the locks of some seats of a retired show, some fields of its pools, and the lists of the holders.

    Gives how many seats are left.
    """
    keys = keys_of(namespace, show)
    declared = [keys.retired, keys.pools, *keys.locks(tuple(seats)), *keys.lists(holders)]
    return Operation(
        load("forget"), show, declared, [field.encode() for field in of_pools], lambda reply: int(reply[0])
    )


def terms(namespace: str, show: str) -> Command[tuple[str | None, int, str]]:
    """Read the limits of a show, if it has any, how many holds it has given, and its checkout."""

    def decode(reply: list[bytes | None]) -> tuple[str | None, int, str]:
        limits, fence, checkout = reply
        return None if limits is None else limits.decode(), int(fence or 0), (checkout or b"fast").decode()

    return Command(show, ["HMGET", keys_of(namespace, show).meta, "limits", "fence", "checkout"], decode)
