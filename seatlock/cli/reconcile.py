"""`seatlock reconcile`: compares Redis with the ledger, and mends what differs."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Final

import typer

from seatlock.cli import FAILED
from seatlock.cli.books import ledger_at, require_extra
from seatlock.cli.connection import Desk
from seatlock.cli.options import DEFAULT_LEDGER, DEFAULT_NAMESPACE, DEFAULT_REDIS, Ledger, Namespace, Redis
from seatlock.cli.terminal import terminal
from seatlock.errors import SeatLockError

if TYPE_CHECKING:  # needs the extra
    from seatlock.reconcile import Reconciled

Shows = Annotated[
    list[str] | None, typer.Argument(metavar="SHOW...", help="The shows; all of them by default.", show_default=False)
]
Every = Annotated[
    float | None,
    typer.Option(
        "--every", metavar="SECONDS", min=1.0, help="Again and again, until Ctrl-C; 3600 is usual.", show_default=False
    ),
]
Compare = Annotated[bool, typer.Option("--compare", help="Change nothing; tell what would be mended.")]

MOST_SHOWN: Final = 20  # mismatches of a pass


def reconcile(
    shows: Shows = None,
    ledger: Ledger = DEFAULT_LEDGER,
    redis: Redis = DEFAULT_REDIS,
    namespace: Namespace = DEFAULT_NAMESPACE,
    every: Every = None,
    compare: Compare = False,
) -> None:
    """Make Redis what the ledger says: sold is sold there too, cancelled is free, and a forgotten pin is told again.

    It can run beside the sale and the relay. The exit status is 1 if something is left that wants a look.
    """
    require_extra()
    if compare and every is not None:
        raise typer.BadParameter("--compare looks once; leave out --every")
    from seatlock.reconcile import Reconciler  # noqa: PLC0415 - needs the extra

    alarming = False
    with Desk.at(redis, namespace) as desk, ledger_at(ledger) as books:
        reconciler = Reconciler(desk, books)
        named = shows or desk.shows()
        if not named:
            terminal.say(f"No shows in namespace {namespace!r}.")
            return
        if every is None:
            for show in named:
                with _told(show) as progress:
                    go_over = reconciler.compare if compare else reconciler.one_pass
                    done = go_over(show, progress=progress)
                alarming |= done.alarming
                tell(done)
        else:
            with _until_stopped() as stop:
                reconciler.run(named, every=every, stop=stop, report=tell)
    if alarming:
        raise typer.Exit(FAILED)


@contextmanager
def _told(show: str) -> Generator[Callable[[int, int], None] | None, None, None]:
    """Show on a terminal how far a pass is."""
    if not terminal.err.is_terminal:
        yield None
        return
    with terminal.err.status(f"reading {show}") as status:
        yield lambda done, total: status.update(f"{show}: {done:,} of {total:,} bookings that differ")


@contextmanager
def _until_stopped() -> Generator[threading.Event, None, None]:
    """An event that Ctrl-C and SIGTERM set: a pass that is under way comes to its end."""
    stop = threading.Event()

    def end(_: int, frame: object) -> None:  # noqa: ARG001 - what a handler is given
        stop.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def tell(done: Reconciled | SeatLockError) -> None:
    """Say what a pass found."""
    if isinstance(done, SeatLockError):
        terminal.complain(f"seatlock: {done}")
        return
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in done.kinds.items()) or "nothing differs"
    sums = f"{done.sold:,} sold in the ledger, {done.booked:,} pinned or sold in Redis"
    terminal.say(f"{done.show}: {sums}; {kinds}. {done.seconds:.1f} s.")
    if done.waiting or done.unread:
        terminal.say(f"  {done.waiting:,} bookings wait for the ledger, {done.unread:,} entries for the relay.")
    if done.aside:
        terminal.say(f"  {done.aside:,} entries were set aside by the relay: they want a look.")
    for mismatch in done.mismatches[:MOST_SHOWN]:
        of = f" {mismatch.booking}" if mismatch.booking else ""
        terminal.say(f"  {mismatch.kind}{of}: {mismatch.detail}{'' if mismatch.mended else ' (not mended)'}")
    if len(done.mismatches) > MOST_SHOWN:
        terminal.say(f"  … and {sum(done.kinds.values()) - MOST_SHOWN:,} more")
