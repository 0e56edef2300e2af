"""`seatlock relay`: carries what was sold or pinned to the ledger, and tells brokers; a line now and then."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from typing import TYPE_CHECKING, Annotated, Final

import typer

from seatlock.aio import AsyncSeatLocker
from seatlock.cli import FAILED, USAGE
from seatlock.cli.books import require_extra
from seatlock.cli.options import DEFAULT_LEDGER, DEFAULT_NAMESPACE, DEFAULT_REDIS, Ledger, Namespace, Redis
from seatlock.cli.terminal import terminal
from seatlock.errors import LedgerUnavailable

if TYPE_CHECKING:  # needs the extra
    from seatlock.outbox.events import Publisher
    from seatlock.outbox.relay import Relay, RelayCounts

REPORT: Final = 10.0  # seconds between two lines

Shows = Annotated[
    list[str] | None,
    typer.Argument(metavar="SHOW...", help="The shows; by default all, also those to come.", show_default=False),
]
Publish = Annotated[
    str | None,
    typer.Option(
        "--publish",
        metavar="URL",
        envvar="SEATLOCK_PUBLISH_URL",
        help="The broker to tell: kafka://host:9092/TOPIC, amqp://user:password@host/vhost?exchange=NAME, or "
        "redis://host/0?stream=NAME.",
        show_default=False,
    ),
]
Once = Annotated[bool, typer.Option("--once", help="Work off what is there, and end.")]

Again = Annotated[
    bool, typer.Option("--again", help="First of all put back what was set aside, so that it is tried again.")
]


def relay(
    shows: Shows = None,
    ledger: Ledger = DEFAULT_LEDGER,
    redis: Redis = DEFAULT_REDIS,
    namespace: Namespace = DEFAULT_NAMESPACE,
    publish: Publish = None,
    once: Once = False,
    again: Again = False,
) -> None:
    """Take to the ledger what Redis has sold or pinned, until Ctrl-C or SIGTERM. Run two, so that one is always there.

    With --once the exit status is 1 if a fact was set aside, which wants a look.
    """
    require_extra()
    for url in (ledger, redis, publish or ""):
        terminal.hide(url)
    counts = asyncio.run(_work(tuple(shows or ()), ledger, redis, namespace, publish, once=once, again=again))
    terminal.say(_line(counts))
    if once and counts.aside:
        raise typer.Exit(FAILED)


async def _work(
    shows: tuple[str, ...],
    ledger_url: str,
    redis: str,
    namespace: str,
    publish: str | None,
    *,
    once: bool,
    again: bool,
) -> RelayCounts:
    from seatlock.ledger import AsyncLedger  # noqa: PLC0415 - needs the extra
    from seatlock.outbox.relay import Relay  # noqa: PLC0415

    async with AsyncExitStack() as opened:
        publisher = None if publish is None else await opened.enter_async_context(_publisher(publish))
        locker = await opened.enter_async_context(AsyncSeatLocker.from_url(redis, namespace=namespace))
        ledger = await opened.enter_async_context(AsyncLedger(ledger_url))
        with suppress(LedgerUnavailable):  # that may pass; what is wrong with the database itself is told at once
            await ledger.epoch("any")
        working = Relay(locker, ledger, publisher, shows=shows)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, working.stop)
        try:
            if again:
                terminal.say(f"Put back: {await working.again():,}.")
            if once:
                return await working.run_once()
            reports = asyncio.create_task(_report(working))
            try:
                await working.run()
            finally:
                reports.cancel()
            return working.counts
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)


def _publisher(url: str) -> AbstractAsyncContextManager[Publisher]:
    from seatlock.outbox.publishing import publisher_of  # noqa: PLC0415 - needs an extra of its own

    try:
        return publisher_of(url)
    except ModuleNotFoundError as error:
        terminal.complain(str(error))
        raise typer.Exit(USAGE) from None


async def _report(working: Relay) -> None:
    """A line at the beginning, and then whenever something has changed, now and then."""
    told = ""
    while True:
        line = _line(working.counts)
        if line != told:
            terminal.say(told := line)
        await asyncio.sleep(REPORT)


def _line(counts: RelayCounts) -> str:
    decided = ", ".join(f"{count:,} {kind}" for kind, count in sorted(counts.decided.items())) or "nothing yet"
    aside = f"; {counts.aside:,} set aside: they want a look" if counts.aside else ""
    return f"Facts settled: {counts.settled:,} ({decided}){aside}."
