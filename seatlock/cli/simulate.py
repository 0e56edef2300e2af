"""`seatlock simulate`: lets a crowd loose on a show of its own, and proves that no seat was sold twice."""

from __future__ import annotations

import asyncio
import secrets
from typing import Annotated

import typer

from seatlock import _connect
from seatlock.cli.connection import client_at
from seatlock.cli.options import DEFAULT_NAMESPACE, Namespace
from seatlock.cli.simulate_display import live, show_report
from seatlock.cli.terminal import terminal, without_login
from seatlock.cli.warm import read_plan
from seatlock.embedded import EmbeddedRedis
from seatlock.plan import BUNDLED_PLANS, SeatingPlan
from seatlock.simulation import Report, Settings, Simulation

BUYERS_A_SEAT = 5
SEATS_A_PLACE = 4  # with --pools beside a plan: so many seats for one place to stand
CROWD_HOLD = 2.0  # seconds: short, so that abandoned seats come back while the crowd is still there
TICKETS_HOLD = 10.0  # seconds: nobody abandons, so it only has to be longer than a slow machine's hiccup
LOCAL = "embedded://"


def simulate(
    plan: Annotated[
        str | None,
        typer.Option(
            "--plan",
            metavar="PLAN",
            help=f"{', '.join(BUNDLED_PLANS)}, or a .json or .csv file.",
            show_default="theatre",
        ),
    ] = None,
    tickets: Annotated[
        int | None,
        typer.Option(
            "--tickets",
            min=1,
            max=1_000_000,
            metavar="N",
            help="Instead of a plan: N numbered tickets; every user wants any one of them, and pays.",
        ),
    ] = None,
    buyers: Annotated[
        int | None,
        typer.Option(
            "--buyers", "--users", min=1, max=10_000_000, metavar="N", help="How many come.", show_default="5 a seat"
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option("--workers", min=1, max=10_000, metavar="N", help="Buyers in flight at once.")
    ] = 200,
    hold: Annotated[
        float | None,
        typer.Option(
            "--hold",
            min=0.05,
            max=60.0,
            metavar="SECONDS",
            help="How long a hold lasts.",
            show_default="2, paid tickets: 10",
        ),
    ] = None,
    abandon: Annotated[
        float | None,
        typer.Option(
            "--abandon",
            min=0.0,
            max=1.0,
            metavar="PART",
            help="How many of those who hold do not pay.",
            show_default="0.7, tickets: 0",
        ),
    ] = None,
    blocked: Annotated[
        int,
        typer.Option(
            "--blocked", min=0, metavar="N", help="Seats that the house takes off sale, proven never to be sold."
        ),
    ] = 0,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            min=1,
            max=500,
            metavar="N",
            help="Seats a holder may have; buyers come with three tabs, proven never to exceed it.",
            show_default="none",
        ),
    ] = None,
    best: Annotated[
        bool, typer.Option("--best", help="Buyers ask for the best seats that adjoin, instead of choosing.")
    ] = False,
    pools: Annotated[
        bool,
        typer.Option(
            "--pools",
            help="Without numbers: the --tickets are one pool; beside a plan's seats, one place to stand for four.",
        ),
    ] = False,
    seed: Annotated[
        int | None,
        typer.Option("--seed", min=0, metavar="N", help="Fixes what buyers want and decide.", show_default="random"),
    ] = None,
    time_limit: Annotated[
        float, typer.Option("--time-limit", min=1.0, max=86_400.0, metavar="SECONDS", help="Ends the sale after this.")
    ] = 600.0,
    redis: Annotated[
        str,
        typer.Option("--redis", metavar="URL", help="A server or cluster to run it on, instead of a private server."),
    ] = LOCAL,
    namespace: Namespace = DEFAULT_NAMESPACE,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the show on the server of --redis.")] = False,
) -> None:
    """Rehearse a sale: a crowd of buyers on a show of its own, then the proof that no seat was sold twice.

    The exit status is 1 if a proof fails.
    """
    if tickets is not None:
        if plan is not None or best or ((limit is not None or abandon is not None) and not pools):
            raise typer.BadParameter(
                "--tickets goes without --plan and --best, without --pools also without --limit and --abandon"
            )
        if pools and blocked:
            raise typer.BadParameter("--blocked takes seats off sale, and a pool of --tickets has none: give fewer")
    seats = read_plan(plan or "theatre") if tickets is None else tickets
    stock = _stock(seats) if pools else 0
    if abandon is None:
        abandon = 0.7 if tickets is None else 0.0
    settings = Settings(
        buyers=buyers or BUYERS_A_SEAT * (seats if isinstance(seats, int) else len(seats) + stock),
        workers=workers,
        seed=secrets.randbelow(1_000_000) if seed is None else seed,
        hold=hold or (TICKETS_HOLD if tickets is not None and not abandon else CROWD_HOLD),
        abandon=abandon,
        time_limit=time_limit,
        blocked=blocked,
        limit=limit,
        best=best,
        stock=stock,
    )
    report = asyncio.run(_rehearse(redis, namespace, seats, settings, keep=keep))
    show_report(report)
    if tickets is not None:
        terminal.say(f"{report.bookings:,} booked, {report.settings.buyers - report.bookings:,} failed")
    if not report.ok:
        raise typer.Exit(1)


def _stock(seats: SeatingPlan | int) -> int:
    return seats if isinstance(seats, int) else max(len(seats) // SEATS_A_PLACE, 1)


async def _rehearse(url: str, namespace: str, seats: SeatingPlan | int, settings: Settings, *, keep: bool) -> Report:
    client, server = client_at(url)
    try:
        if isinstance(seats, int) and settings.stock:
            simulation = Simulation.of_pool(client, settings, namespace=namespace)
        elif isinstance(seats, int):
            simulation = Simulation.of_tickets(client, seats, settings, namespace=namespace)
        else:
            simulation = Simulation.of_crowd(client, seats, settings, namespace=namespace)
        _announce(url, server, simulation.show, seats, settings)
        return await _run(simulation, lasting=server is None, keep=keep)
    finally:
        await _connect.close(client)
        if server is not None:
            await _connect.close(server)


async def _run(simulation: Simulation, *, lasting: bool, keep: bool) -> Report:
    """Run it, and clean up; a show that proved something wrong stays for a look, if its server does."""
    clean = False
    try:
        report = await live(simulation)
        if report.ok and not keep:
            await simulation.retire()
            clean = True
    finally:
        if lasting and not clean and simulation.progress().warmed:
            terminal.complain(
                f"The show stays on the server; to delete it: seatlock retire {simulation.show} --discard-outbox"
            )
    return report


def _announce(url: str, server: EmbeddedRedis | None, show: str, seats: SeatingPlan | int, settings: Settings) -> None:
    where = without_login(url) if server is None else server.description
    what = f"{seats:,} tickets, " if isinstance(seats, int) else f"{seats.name}: {len(seats):,} seats, "
    if settings.stock:
        what = f"a pool of {what}" if isinstance(seats, int) else f"{what}{settings.stock:,} places to stand\n"
    terminal.say(f"{where}, show {show}")
    terminal.say(
        f"{what}{settings.buyers:,} buyers, {settings.workers:,} at once, holds of {settings.hold:g} s, "
        f"seed {settings.seed}" + (f", {settings.blocked:,} blocked" if settings.blocked else "")
    )
