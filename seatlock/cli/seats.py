"""`seatlock inspect`, `block`, `unblock`, `channel`, `force-release` and `check`: seats and pools, one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Final, get_args

import typer

from seatlock._stocktaking import Entry
from seatlock.cli import FAILED
from seatlock.cli.connection import Desk
from seatlock.cli.options import DEFAULT_NAMESPACE, DEFAULT_REDIS, Namespace, Redis, Seats, Show, SomeSeats
from seatlock.cli.rows import in_rows, minutes, pool_sum
from seatlock.cli.terminal import terminal
from seatlock.errors import UnknownSeats
from seatlock.findings import Checked, DifferenceKind, PoolDifferenceKind
from seatlock.model import SeatState


def inspect(
    show: Show,
    seats: SomeSeats = None,
    pool: Annotated[
        str | None, typer.Option("--pool", metavar="NAME", help="Who has what of a pool.", show_default=False)
    ] = None,
    holder: Annotated[
        str | None,
        typer.Option("--holder", metavar="WHO", help="Of --pool, only what this one has.", show_default=False),
    ] = None,
    redis: Redis = DEFAULT_REDIS,
    namespace: Namespace = DEFAULT_NAMESPACE,
) -> None:
    """Tell what is known of seats: state, holder, booking, why it is blocked; never a token.

    With --pool, who has some of it on hold and who has bought some.
    """
    if (pool is None) == (not seats):
        raise typer.BadParameter("give either SEATs or a --pool")
    if holder is not None and pool is None:
        raise typer.BadParameter("--holder goes with --pool")
    with Desk.at(redis, namespace) as desk:
        if pool is not None:
            _inspect_pool(desk, show, pool, holder)
            return
        states = desk.inspect(show, seats or [])
    terminal.out.print(in_rows(_COLUMNS, states))
    for state in states:
        if not state.consistent:
            terminal.complain(f"{state.seat}: lock and availability hash disagree; see: seatlock check {show}")


_COLUMNS: Final[dict[str, Callable[[SeatState], str]]] = {
    "seat": lambda state: state.seat,
    "state": lambda state: state.state if state.consistent else f"{state.state} (!)",
    "left": lambda state: minutes(state.expires_in),
    "category": lambda state: state.category or "",
    "holder": lambda state: state.holder or "",
    "fence": lambda state: "" if state.fence is None else str(state.fence),
    "booking": lambda state: state.booking or "",
    "payment": lambda state: state.payment or "",
    "reason": lambda state: state.reason or "",
    "channel": lambda state: state.channel or "",
}

_MOST: Final = 1_000  # of a pool that are shown
_SHARE_COLUMNS: Final[dict[str, Callable[[Entry], str]]] = {
    "holder": lambda share: share.holder,
    "state": lambda share: "held" if share.kind == "claim" else "sold",
    "quantity": lambda share: f"{share.quantity:,}",
    "left": lambda share: minutes(share.expires_in),
    "fence": lambda share: str(share.fence),
    "booking": lambda share: share.booking or "",
    "payment": lambda share: share.payment or "",
}


def _inspect_pool(desk: Desk, show: str, pool: str, holder: str | None) -> None:
    counts = desk.availability(show).pools.get(pool)
    if counts is None:
        raise UnknownSeats(
            f"show {show!r} has no pool {pool!r}; its pools tells: seatlock status {show}", pools=(pool,)
        )
    every = (share for name, share in desk.every_share(show) if name == pool and share.kind != "free")
    shares = [share for share in every if holder in (None, share.holder)]
    terminal.say(pool_sum(pool, counts))
    shares.sort(key=lambda share: (share.holder, share.fence))
    if shares:
        terminal.out.print(in_rows(_SHARE_COLUMNS, shares[:_MOST]))
    if len(shares) > _MOST:
        terminal.say(f"… and {len(shares) - _MOST:,} more: name a --holder, or export them.")
    if holder is not None and not shares:
        terminal.say(f"{holder} has nothing of it.")


# Block


def block(
    show: Show,
    seats: Seats,
    reason: Annotated[
        str | None,
        typer.Option("--reason", metavar="TEXT", help="Why: inspect and export tell it.", show_default="none"),
    ] = None,
    redis: Redis = DEFAULT_REDIS,
    namespace: Namespace = DEFAULT_NAMESPACE,
) -> None:
    """Take free seats off sale for the house, all of them or none; until unblock.

    Blocking a blocked seat again changes its reason.
    """
    with Desk.at(redis, namespace) as desk:
        done = desk.block(show, seats, reason=reason)
    for seat, word in done.seats.items():
        terminal.say(f"{seat}: {'blocked' if word == 'blocked' else 'was blocked already'}")


def unblock(show: Show, seats: Seats, redis: Redis = DEFAULT_REDIS, namespace: Namespace = DEFAULT_NAMESPACE) -> None:
    """Put blocked seats back on sale; the others are left alone.

    The exit status is 1 if a seat was not blocked.
    """
    with Desk.at(redis, namespace) as desk:
        done = desk.unblock(show, seats)
    for seat, word in done.seats.items():
        terminal.say(
            f"{seat}: {'on sale again' if word == 'unblocked' else f'left alone: it is not blocked but {word}'}"
        )
    if len(done.unblocked) < len(done.seats):
        raise typer.Exit(FAILED)


def channel(
    show: Show,
    seats: Seats,
    to: Annotated[
        str | None, typer.Option("--to", metavar="PARTNER", help="The channel that they go to.", show_default=False)
    ] = None,
    public: Annotated[bool, typer.Option("--public", help="Back to the public.")] = False,
    redis: Redis = DEFAULT_REDIS,
    namespace: Namespace = DEFAULT_NAMESPACE,
) -> None:
    """Put seats into the channel of somebody who sells for the house, or back to the public, all of them or none.

    Also while the sale runs, and in any state: whoever holds a seat keeps it.
    """
    if (to is None) == (not public):
        raise typer.BadParameter("give either --to PARTNER or --public")
    with Desk.at(redis, namespace) as desk:
        done = desk.set_channel(show, seats, to)
    where = "public" if to is None else f"in channel {to}"
    for seat, word in done.seats.items():
        terminal.say(f"{seat}: {f'{where} now' if word == 'changed' else f'was {where} already'}")


# Force


def force_release(
    show: Show,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why: it stands in the audit stream.")],
    by: Annotated[str, typer.Option("--by", metavar="WHO", help="Who does it: it stands in the audit stream.")],
    seats: SomeSeats = None,
    pool: Annotated[
        list[str] | None,
        typer.Option(
            "--pool", metavar="NAME", help="All that --holder has on hold of it. May be repeated.", show_default=False
        ),
    ] = None,
    holder: Annotated[
        str | None, typer.Option("--holder", metavar="WHO", help="Whose part of the --pool.", show_default=False)
    ] = None,
    redis: Redis = DEFAULT_REDIS,
    namespace: Namespace = DEFAULT_NAMESPACE,
) -> None:
    """Free held seats, whoever holds them, and a holder's part of pools; never what is pinned or sold.

    Who did it and why is kept with the show. The exit status is 1 if a seat is not free now.
    """
    if not seats and not pool:
        raise typer.BadParameter("give SEATs, or a --pool and a --holder")
    if bool(pool) != (holder is not None):
        raise typer.BadParameter("--pool and --holder go together")
    with Desk.at(redis, namespace) as desk:
        done = desk.force_release(show, seats or [], pools=pool or [], holder=holder, by=by, reason=reason)
    for seat, word in done.seats.items():
        terminal.say(f"{seat}: {_WORDS[word]}")
    for name, quantity in done.pools.items():
        terminal.say(f"{name}: {f'{quantity:,} released' if quantity else f'{holder} held none of it'}")
    if not all(word in ("released", "gone") for word in done.seats.values()):
        raise typer.Exit(FAILED)


_WORDS: Final = {
    "released": "released",
    "gone": "nobody held it",
    "taken": "left alone: another hold has it now, look at it again",
    "pinned": "left alone: it is pinned, its payment is being decided",
    "sold": "left alone: it is sold; cancel the booking instead",
}


# Check


def check(show: Show, redis: Redis = DEFAULT_REDIS, namespace: Namespace = DEFAULT_NAMESPACE) -> None:
    """Check that a show adds up: the counts, lock, availability hash and due set of every seat, and every pool.

    Reads every seat, step by step, also while the sale runs. The exit status is 1 if something is wrong; that a pool
    could not be added up, since it changed all the while, is told, and is nothing wrong.
    """
    with Desk.at(redis, namespace) as desk:
        checked = desk.check(show)
    terminal.say(_sum(checked))
    for pool, counts in checked.pools.items():
        terminal.say(pool_sum(pool, counts))
    seats = [(difference.kind, f"{difference.seat}: {difference.detail}") for difference in checked.differences]
    pools = [(difference.kind, f"{difference.pool}: {difference.detail}") for difference in checked.pool_differences]
    _list(get_args(DifferenceKind), seats, "")
    _list(get_args(PoolDifferenceKind), pools, "pools, ")
    for pool in checked.unsettled:
        terminal.say(f"pool {pool} changed whenever its claims were added up: check again when the sale rests.")
    if not checked.sound:
        raise typer.Exit(FAILED)
    terminal.say(_verdict(checked))


def _verdict(checked: Checked) -> str:
    """What is proven, and what is not."""
    pools, open_ = len(checked.pools), checked.unsettled
    of_pools = f"{pools - len(open_)} of {pools} pools" if open_ else "every pool"
    agree = f"All that is kept of every seat{f' and of {of_pools}' if pools > len(open_) else ''} agrees."
    if not open_:
        return agree
    names = f"pool{'s' if len(open_) > 1 else ''} {', '.join(open_)}"
    return f"{agree} Whether the claims and sales of {names} add up was not found out."


def _list(kinds: Iterable[str], found: Sequence[tuple[str, str]], of: str) -> None:
    for kind in kinds:
        told = [text for of_kind, text in found if of_kind == kind]
        if told:
            terminal.say(f"{of}{kind} ({len(told):,}):")
        for text in told:
            terminal.say(f"  {text}")


def _sum(checked: Checked) -> str:
    epoch, version = checked.version
    head = f"{checked.show}, version {epoch}-{version}: "
    total = sum(checked.counts.values())
    if checked.pools and total == checked.capacity == 0:
        return f"{head}no seats, pools alone."
    added = " + ".join(f"{count:,} {state}" for state, count in checked.counts.items())
    verdict = "" if total == checked.capacity else f", and not the capacity of {checked.capacity:,}"
    return f"{head}{added} = {total:,} seats{verdict}."
