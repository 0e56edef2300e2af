"""`seatlock migrate`: makes the tables of the ledger, or brings them to the form of this version."""

from __future__ import annotations

from seatlock.cli.books import ledger_at
from seatlock.cli.options import DEFAULT_LEDGER, Ledger
from seatlock.cli.terminal import terminal, without_login


def migrate(ledger: Ledger = DEFAULT_LEDGER) -> None:
    """Make the ledger's tables, or bring them to the form of this version; run it again as often as you like."""
    with ledger_at(ledger) as books:
        done = books.migrate()
    where = without_login(ledger)
    if done.before == done.after:
        terminal.say(f"The ledger in {where} is at revision {done.after} already.")
    else:
        terminal.say(f"The ledger in {where} went from {_named(done.before)} to {_named(done.after)}.")


def _named(revision: str | None) -> str:
    return "nothing" if revision is None else f"revision {revision}"
