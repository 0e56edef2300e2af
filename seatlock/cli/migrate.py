"""`seatlock migrate`: makes the tables of the ledger, or brings them to the form of this version."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated

import typer

from seatlock.cli import USAGE
from seatlock.cli.terminal import terminal, without_login

Url = Annotated[
    str,
    typer.Option(
        "--url",
        metavar="URL",
        envvar="SEATLOCK_LEDGER_URL",
        help="Where the ledger is: postgresql://user:password@host/name, or sqlite:///file.db.",
    ),
]
DEFAULT_LEDGER = "sqlite:///seatlock-ledger.db"


def migrate(url: Url = DEFAULT_LEDGER) -> None:
    """Make the ledger's tables, or bring them to the form of this version; run it again as often as you like."""
    if find_spec("sqlalchemy") is None or find_spec("alembic") is None:
        terminal.complain("The ledger needs an extra: pip install 'seatlock-redis[ledger]'")
        raise typer.Exit(USAGE)
    from seatlock.ledger import Ledger  # noqa: PLC0415 - needs the extra

    terminal.hide(url)
    with Ledger(url) as ledger:
        done = ledger.migrate()
    where = without_login(url)
    if done.before == done.after:
        terminal.say(f"The ledger in {where} is at revision {done.after} already.")
    else:
        terminal.say(f"The ledger in {where} went from {_named(done.before)} to {_named(done.after)}.")


def _named(revision: str | None) -> str:
    return "nothing" if revision is None else f"revision {revision}"
