"""Opens the ledger that a URL names, and remembers what of that URL must not be shown."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import typer

from seatlock.cli import USAGE
from seatlock.cli.terminal import terminal

if TYPE_CHECKING:  # needs the extra
    from seatlock.ledger import Ledger


def ledger_at(url: str) -> Ledger:
    """Make a ledger; to be closed."""
    require_extra()
    from seatlock.ledger import Ledger  # noqa: PLC0415 - needs the extra

    terminal.hide(url)
    return Ledger(url)


def require_extra() -> None:
    """End the command where what a ledger needs is not installed."""
    if find_spec("sqlalchemy") is None or find_spec("alembic") is None:
        terminal.complain("The ledger needs an extra: pip install 'seatlock-redis[ledger]'")
        raise typer.Exit(USAGE)
