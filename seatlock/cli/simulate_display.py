"""Shows a simulation: a few lines that move while it runs on a terminal, and tables at the end everywhere."""

from __future__ import annotations

import asyncio
import math

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from seatlock.cli.terminal import terminal
from seatlock.simulation import Latency, Progress, Proof, Report, Simulation

REFRESH = 0.2  # seconds between two pictures
BAR_WIDTH = 40  # columns
CANCELLATIONS = 50  # times that a run is told to stop, at most

_PHASES = {
    "warming": "loading the seats",
    "selling": "selling",
    "settling": "waiting for the last holds to run out",
    "checking": "reading the raw keys",
    "over": "done",
}


async def live(simulation: Simulation) -> Report:
    """Run a simulation, with moving lines if the output is a terminal."""
    run = asyncio.create_task(simulation.run())
    try:
        if terminal.out.is_terminal:
            with Live(console=terminal.out, auto_refresh=False, transient=True) as picture:
                while not run.done():
                    picture.update(_picture(simulation.progress()), refresh=True)
                    await asyncio.wait([run], timeout=REFRESH)
        else:
            await asyncio.wait([run])
    finally:
        # More than once: before Python 3.12, asyncio.wait_for, which the Redis client uses, can swallow a cancellation.
        for _ in range(CANCELLATIONS):
            if run.done():
                break
            run.cancel()
            await asyncio.wait([run], timeout=REFRESH)
    return run.result()


def _picture(now: Progress) -> RenderableType:
    done, total, unit = (now.warmed, now.seats, "seats") if now.phase == "warming" else (now.done, now.buyers, "buyers")
    bar = Table.grid(padding=(0, 1))
    bar.add_row(ProgressBar(total, done, width=BAR_WIDTH), Text(f"{done:,} of {total:,} {unit}"))
    speed = now.operations / now.seconds if now.seconds else 0.0
    figures = Text.assemble(
        "sold ",
        (f"{now.sold:<8,}", "bold green"),
        "held ",
        (f"{now.held:<8,}", "bold yellow"),
        "free ",
        (f"{now.free:<8,}", "bold cyan"),
        f"{speed:,.0f} ops/s",
    )
    return Group(Text(f"{_PHASES[now.phase]}, {now.seconds:.0f} s"), bar, figures)


def show_report(report: Report) -> None:
    """Print the result."""
    terminal.out.print()
    terminal.out.print(_figures(report))
    terminal.out.print()
    terminal.out.print(_proofs(report.proofs))
    for proof in report.proofs:
        for offender in proof.offenders:
            terminal.say(f"{proof.name}: {offender}")


def _figures(report: Report) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column()

    def row(name: str, figure: str, note: str = "") -> None:
        table.add_row(name, Text(figure, style="bold"), Text(note, style="dim"))

    cut_off = f"{report.absent:,} cut off by the time limit" if report.absent else ""
    row("buyers", f"{report.settings.buyers:,}", cut_off)
    row("holds", f"{report.holds:,}")
    row("refusals", f"{report.refusals:,}", "tried other seats, or left" if report.seats else "tried again, or left")
    if report.settings.limit is not None:
        row("refused by the limit", f"{report.over_limit:,}", f"of {report.settings.limit} seats a holder")
    row("confirmed", f"{report.bookings:,}", f"bookings of {_what(report)}")
    row(
        "abandoned and returned",
        f"{report.abandoned:,}",
        f"{report.released:,} released, {report.abandoned - report.released:,} ran out",
    )
    row("paid too late", f"{report.too_late:,}", "refused: the hold had run out")
    row("refreshed", f"{report.resumed:,}", "the same hold again, with the same token")
    row("came back", f"{report.came_back:,}", "after a refusal or an ended hold")
    row(
        "throughput",
        f"{_rate(report.operations, report.seconds)} ops/s",
        f"{_rate(report.bookings, report.seconds)} bookings/s, in {report.seconds:,.1f} s of sale",
    )
    row("acquire", _calls(report.acquire), _latency(report.acquire))
    row("confirm", _calls(report.confirm), _latency(report.confirm))
    return table


def _what(report: Report) -> str:
    if not report.settings.stock:
        return f"{report.seats_sold:,} seats"
    standing = f"{report.stock_sold:,} to stand"
    return f"{report.seats_sold:,} seats, {standing}" if report.seats else f"{report.stock_sold:,} tickets"


def _proofs(proofs: tuple[Proof, ...]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for proof in proofs:
        verdict = Text("ok", style="green") if proof.ok else Text("FAILED", style="bold red")
        table.add_row(proof.name, proof.figures, verdict)
    return table


def _rate(count: int, seconds: float) -> str:
    return f"{count / seconds:,.0f}" if seconds else "0"


def _calls(latency: Latency) -> str:
    return f"{latency.calls:,} calls"


def _latency(latency: Latency) -> str:
    if math.isnan(latency.p50):
        return ""
    return f"p50 {latency.p50 * 1000:,.1f} ms, p99 {latency.p99 * 1000:,.1f} ms"
