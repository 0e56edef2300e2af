"""`seatlock warm`: loads a show's seats from a plan, or from the user's own database."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from seatlock._bounds import DEFAULT_MAX_HOLD
from seatlock.cli import USAGE
from seatlock.cli.connection import locker_at
from seatlock.cli.options import DEFAULT_NAMESPACE, DEFAULT_REDIS, Namespace, Redis, Show
from seatlock.cli.terminal import terminal
from seatlock.locker import SeatLocker
from seatlock.model import Checkout, Warmed
from seatlock.plan import BUNDLED_PLANS, SeatingPlan


def warm(
    show: Show,
    plan: Annotated[
        str | None,
        typer.Argument(
            metavar="PLAN",
            help=f"A seating plan: a .json or .csv file, or one that is built in: {', '.join(BUNDLED_PLANS)}.",
            show_default=False,
        ),
    ] = None,
    query: Annotated[
        str | None,
        typer.Option(
            "--query",
            metavar="SQL",
            help="Read the seats from a database: id, and any of section, row, number, category, status.",
            show_default=False,
        ),
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(
            "--database",
            metavar="URL",
            envvar="SEATLOCK_DATABASE",
            help="The database of --query, such as postgresql://user@host/name.",
            show_default=False,
        ),
    ] = None,
    redis: Redis = DEFAULT_REDIS,
    namespace: Namespace = DEFAULT_NAMESPACE,
    max_hold: Annotated[
        float, typer.Option("--max-hold", metavar="SECONDS", help="How long a hold may last in all.")
    ] = DEFAULT_MAX_HOLD,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            metavar="NUMBER",
            help="How many seats, and of pools, a holder may have in all; without any limit, those it had are lifted.",
            show_default=False,
        ),
    ] = None,
    limit_of: Annotated[
        list[str] | None,
        typer.Option(
            "--limit-of",
            metavar="NAME=NUMBER",
            help="How many of a category or a pool a holder may have; may be repeated. Name all of them every time.",
            show_default=False,
        ),
    ] = None,
    no_outbox: Annotated[
        bool, typer.Option("--no-outbox", help="Keep no outbox of bookings; for those without a ledger.")
    ] = False,
    checkout: Annotated[
        Checkout,
        typer.Option("--checkout", help="Who decides what is sold: Redis (fast), or the ledger behind it (strict)."),
    ] = "fast",
    pool: Annotated[
        list[str] | None,
        typer.Option(
            "--pool",
            metavar="NAME=QUANTITY",
            help="General admission: so many without numbers. May be repeated; a show can have pools alone.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Load a show's seats. May be repeated: it never makes a seat free, and never opens the sale."""
    pools = _read_pools(pool or [])
    if (plan is None) == (query is None) and not (pools and plan is None):
        raise typer.BadParameter("give either a PLAN or a --query")
    if query is not None:
        if database is None:
            raise typer.BadParameter("--query needs the --database to ask")
        seats = _read_database(database, query)
    else:
        seats = read_plan(plan) if plan is not None else SeatingPlan.of((), needs_seats=False)
    with locker_at(redis, namespace) as locker:
        settings = {"max_hold": max_hold, "outbox": not no_outbox, "limit": limit, "limits": _limits(limit_of or [])}
        warmed = _load(locker, show, seats, {**settings, "pools": pools, "checkout": checkout})
    terminal.say(
        f"{show}: {len(seats):,} seats: {warmed.added:,} added, {warmed.changed:,} changed, {warmed.kept:,} kept."
    )
    for name, quantity in pools.items():
        terminal.say(f"{show}: {quantity:,} in pool {name}.")
    if warmed.lifted:
        terminal.complain(
            f"{show} had limits, and they are lifted now, since none was named: a holder may have 500 in all. "
            "To have them back, warm it again with --limit or --limit-of."
        )
    if warmed.created:
        terminal.say(f"The show is new and closed; open the sale with: seatlock open {show}")


def _read_pools(given: list[str]) -> dict[str, int]:
    pools: dict[str, int] = {}
    for one in given:
        name, _, quantity = one.rpartition("=")
        if not name or not quantity.isdecimal() or name in pools:
            raise typer.BadParameter(f"{one!r} is no NAME=QUANTITY, or names a pool again", param_hint="--pool")
        pools[name] = int(quantity)
    return pools


def read_plan(plan: str) -> SeatingPlan:
    """Read a plan: a file, or one that is built in where the name has no suffix."""
    return SeatingPlan.read(plan) if Path(plan).suffix else SeatingPlan.bundled(plan)


def _read_database(url: str, query: str) -> SeatingPlan:
    if find_spec("sqlalchemy") is None:
        terminal.complain("Reading from a database needs an extra: pip install 'seatlock-redis[ledger]'")
        raise typer.Exit(USAGE)
    from seatlock.cli.database import read_seats  # noqa: PLC0415 - needs the extra

    return read_seats(url, query)


def _limits(options: list[str]) -> dict[str, int]:
    limits: dict[str, int] = {}
    for option in options:
        category, _, seats = option.rpartition("=")
        if not category or not seats.isdecimal():
            raise typer.BadParameter(f"--limit-of {option!r}: give a category or pool and a number, such as gold=2")
        limits[category] = int(seats)
    return limits


def _load(locker: SeatLocker, show: str, plan: SeatingPlan, settings: dict[str, Any]) -> Warmed:
    columns = (TextColumn("warming"), BarColumn(), MofNCompleteColumn(), TextColumn("seats"))
    console = terminal.err
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=len(plan))
        return locker.warm(show, plan, progress=lambda loaded, _: progress.update(task, completed=loaded), **settings)
