"""The command line as a whole: the commands, and how errors end."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from seatlock.cli import (
    FAILED,
    admit,
    export,
    history,
    migrate,
    reconcile,
    relay,
    room,
    sale,
    seats,
    shows,
    shuffle,
    simulate,
    warm,
)
from seatlock.cli.terminal import terminal
from seatlock.errors import LedgerUnavailable, PlanConflict, SeatLockError, ServerUnavailable, ShowNotFound

_CONFLICTS_SHOWN = 100
_ADVICE: dict[type[SeatLockError], str] = {
    ShowNotFound: "What is there tells: seatlock shows",
    LedgerUnavailable: "Is it the right database? --ledger or SEATLOCK_LEDGER_URL names it.",
    ServerUnavailable: "Is it the right server? --redis or SEATLOCK_REDIS names it.",
}
"""What to do at the command line, after what the error itself says."""

app = typer.Typer(
    help="Sell seats under extreme contention, and never sell a seat twice.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # what it prints shows local variables: URLs with passwords
)
app.command("warm")(warm.warm)
app.command("open")(sale.open_)
app.command("pause")(sale.pause)
app.command("close")(sale.close)
app.command("retire")(sale.retire)
app.command("shows")(shows.shows)
app.command("status")(shows.status)
app.command("inspect")(seats.inspect)
app.command("export")(export.export)
app.command("block")(seats.block)
app.command("unblock")(seats.unblock)
app.command("channel")(seats.channel)
app.command("force-release")(seats.force_release)
app.command("check")(seats.check)
app.command("history")(history.history)
app.command("room")(room.room)
app.command("room-status")(room.room_status)
app.command("room-close-early")(room.room_close_early)
app.command("room-open")(room.room_open)
app.command("room-record")(room.room_record)
app.command("room-pause")(room.room_pause)
app.command("room-close")(room.room_close)
app.command("room-sold-out")(room.room_sold_out)
app.command("admit")(admit.admit)
app.command("verify-shuffle")(shuffle.verify_shuffle)
app.command("migrate")(migrate.migrate)
app.command("reconcile")(reconcile.reconcile)
app.command("relay")(relay.relay)
app.command("simulate")(simulate.simulate)


def run(arguments: Sequence[str] | None = None) -> None:
    """Run a command line; ends with `SystemExit`."""
    try:
        app(arguments, prog_name="seatlock")
    except SeatLockError as error:
        terminal.complain(f"seatlock: {error}")
        if isinstance(error, PlanConflict):
            _list_conflicts(error)
        for kind, advice in _ADVICE.items():
            if isinstance(error, kind):
                terminal.complain(advice)
        sys.exit(FAILED)


def _list_conflicts(error: PlanConflict) -> None:
    for number, (seat, obstacle) in enumerate(error.conflicts.items()):
        if number == _CONFLICTS_SHOWN:
            terminal.complain(f"  … and {len(error.conflicts) - number:,} more")
            return
        terminal.complain(f"  {seat}: {obstacle}")


def _version(wanted: bool) -> None:
    if wanted:
        try:
            version = importlib.metadata.version("seatlock-redis")
        except importlib.metadata.PackageNotFoundError:  # run from the source, not installed
            version = "(not installed)"
        terminal.say(f"seatlock {version}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Tell the version.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    """Sell seats under extreme contention, and never sell a seat twice."""
