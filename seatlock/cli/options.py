"""The arguments and options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Show = Annotated[str, typer.Argument(metavar="SHOW", help="The show's id.", show_default=False)]

Seats = Annotated[list[str], typer.Argument(metavar="SEAT...", help="Seat ids, up to 100.", show_default=False)]

SomeSeats = Annotated[
    list[str] | None, typer.Argument(metavar="SEAT...", help="Seat ids, up to 100.", show_default=False)
]

Redis = Annotated[
    str,
    typer.Option(
        "--redis",
        metavar="URL",
        envvar="SEATLOCK_REDIS",
        help="Where Redis is: redis://, rediss://, unix://, redis+cluster://, redis+sentinel://.",
    ),
]
DEFAULT_REDIS = "redis://localhost:6379/0"

Namespace = Annotated[str, typer.Option("--namespace", metavar="NAME", help="What every key begins with.")]
DEFAULT_NAMESPACE = "seatlock"

Ledger = Annotated[
    str,
    typer.Option(
        "--ledger",
        metavar="URL",
        envvar="SEATLOCK_LEDGER_URL",
        help="Where the ledger is: postgresql://user:password@host/name, or sqlite:///file.db.",
    ),
]
DEFAULT_LEDGER = "sqlite:///seatlock-ledger.db"
