"""`seatlock open`, `pause`, `close` and `retire`: the life of a show after it was warmed."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from seatlock._door import carry_out, namespace_of
from seatlock._upkeep import terms
from seatlock.cli.books import ledger_at
from seatlock.cli.connection import locker_at
from seatlock.cli.options import DEFAULT_NAMESPACE, DEFAULT_REDIS, Namespace, Redis, Show
from seatlock.cli.terminal import terminal
from seatlock.locker import SeatLocker

At = Annotated[
    str | None,
    typer.Option(
        "--at",
        metavar="TIME",
        help="Not now, but from then on by the server's clock; such as 2027-05-01T10:00:00+02:00.",
        show_default=False,
    ),
]

Books = Annotated[
    str | None,
    typer.Option(
        "--ledger",
        metavar="URL",
        envvar="SEATLOCK_LEDGER_URL",
        help="Where the ledger is: postgresql://user:password@host/name, or sqlite:///file.db.",
        show_default=False,
    ),
]


def open_(
    show: Show,
    redis: Redis = DEFAULT_REDIS,
    namespace: Namespace = DEFAULT_NAMESPACE,
    at: At = None,
    ledger: Books = None,
) -> None:
    """Open the sale: buyers can hold seats. With --ledger, what the ledger has sold is sold in Redis before."""
    moment = moment_of(at)
    with locker_at(redis, namespace) as locker:
        if ledger is None:
            if _is_strict(locker, show):
                raise typer.BadParameter(f"the ledger decides what {show} sells: name it", param_hint="--ledger")
            locker.open_sale(show, moment)
        else:
            _open_with_ledger(locker, ledger, show, moment)
    terminal.say(f"{show} is open." if moment is None else f"{show} takes holds from {moment.isoformat()} on.")


def _is_strict(locker: SeatLocker, show: str) -> bool:
    _, _, checkout = carry_out(locker, terms(namespace_of(locker), show))
    return bool(checkout == "strict")


def _open_with_ledger(locker: SeatLocker, url: str, show: str, moment: datetime | None) -> None:
    with ledger_at(url) as books:
        from seatlock.checkout import StrictCheckout  # noqa: PLC0415 - needs the extra

        loaded = StrictCheckout(locker, books).open_sale(show, moment)
    sold = f"{loaded.seats:,} seats" + (f" and {loaded.pools:,} of pools" if loaded.pools else "")
    terminal.say(f"The ledger has sold {sold} of {show}, in epoch {loaded.epoch}.")
    if loaded.wrong:
        terminal.complain(
            f"{len(loaded.wrong):,} of them could not be sold in Redis; what is wrong tells: seatlock reconcile {show}"
        )


def pause(show: Show, redis: Redis = DEFAULT_REDIS, namespace: Namespace = DEFAULT_NAMESPACE) -> None:
    """Stop new holds for the moment; who holds seats can still pay."""
    with locker_at(redis, namespace) as locker:
        locker.pause_sale(show)
    terminal.say(f"{show} is paused; holds that exist can still be paid.")


def close(show: Show, redis: Redis = DEFAULT_REDIS, namespace: Namespace = DEFAULT_NAMESPACE, at: At = None) -> None:
    """Close the sale: no new holds; who holds seats can still pay."""
    moment = moment_of(at)
    with locker_at(redis, namespace) as locker:
        locker.close_sale(show, moment)
    what = "is closed" if moment is None else f"takes no new holds from {moment.isoformat()} on"
    terminal.say(f"{show} {what}; holds that exist can still be paid.")


def moment_of(text: str | None) -> datetime | None:
    """Read the time of ``--at``."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no date and time such as 2027-05-01T10:00:00+02:00", param_hint="--at"
        ) from None
    if moment.utcoffset() is None:
        raise typer.BadParameter(f"{text!r} has no time zone: end it with Z, or +02:00", param_hint="--at")
    return moment


def retire(
    show: Show,
    redis: Redis = DEFAULT_REDIS,
    namespace: Namespace = DEFAULT_NAMESPACE,
    discard_outbox: Annotated[
        bool, typer.Option("--discard-outbox", help="Also if bookings in the outbox were never read.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete a show from Redis, unless seats or claims on pools are held, or its outbox has unread entries."""
    if not yes:
        unread = ", also of bookings that nobody has read from the outbox" if discard_outbox else ""
        typer.confirm(f"Delete all that Redis has of show {show}{unread}?", abort=True)
    with locker_at(redis, namespace) as locker:
        locker.retire(show, unread="discard" if discard_outbox else "keep")
    terminal.say(f"{show} is retired.")
