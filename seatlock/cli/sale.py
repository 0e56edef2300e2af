"""`seatlock open`, `pause`, `close` and `retire`: the life of a show after it was warmed."""

from __future__ import annotations

from typing import Annotated

import typer

from seatlock.cli.connection import locker_at
from seatlock.cli.options import DEFAULT_NAMESPACE, DEFAULT_REDIS, Namespace, Redis, Show
from seatlock.cli.terminal import terminal


def open_(show: Show, redis: Redis = DEFAULT_REDIS, namespace: Namespace = DEFAULT_NAMESPACE) -> None:
    """Open the sale: buyers can hold seats."""
    with locker_at(redis, namespace) as locker:
        locker.open_sale(show)
    terminal.say(f"{show} is open.")


def pause(show: Show, redis: Redis = DEFAULT_REDIS, namespace: Namespace = DEFAULT_NAMESPACE) -> None:
    """Stop new holds for the moment; who holds seats can still pay."""
    with locker_at(redis, namespace) as locker:
        locker.pause_sale(show)
    terminal.say(f"{show} is paused; holds that exist can still be paid.")


def close(show: Show, redis: Redis = DEFAULT_REDIS, namespace: Namespace = DEFAULT_NAMESPACE) -> None:
    """Close the sale: no new holds; who holds seats can still pay."""
    with locker_at(redis, namespace) as locker:
        locker.close_sale(show)
    terminal.say(f"{show} is closed; holds that exist can still be paid.")


def retire(
    show: Show,
    redis: Redis = DEFAULT_REDIS,
    namespace: Namespace = DEFAULT_NAMESPACE,
    discard_outbox: Annotated[
        bool, typer.Option("--discard-outbox", help="Also if bookings in the outbox were never read.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete a show from Redis, unless seats are held or its outbox has unread entries."""
    if not yes:
        unread = ", also of bookings that nobody has read from the outbox" if discard_outbox else ""
        typer.confirm(f"Delete all that Redis has of show {show}{unread}?", abort=True)
    with locker_at(redis, namespace) as locker:
        locker.retire(show, unread="discard" if discard_outbox else "keep")
    terminal.say(f"{show} is retired.")
