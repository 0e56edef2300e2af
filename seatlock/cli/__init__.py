"""The `seatlock` command: warms, opens, watches, checks and retires shows, and rehearses a sale."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec

FAILED = 1  # the exit status of a command that did not do what was asked
USAGE = 2  # the exit status of a command that cannot be run as given


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command with ``arguments`` (default: those of the process); always ends with `SystemExit`."""
    if find_spec("rich") is None or find_spec("typer") is None:
        print("The seatlock command needs an extra: pip install 'seatlock-redis[cli]'", file=sys.stderr)  # noqa: T201
        sys.exit(USAGE)
    from seatlock.cli.app import run  # noqa: PLC0415 - needs the extra

    run(arguments)
