"""`seatlock shows` and `seatlock status`: what there is on a server, and how a show is, once or watched."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated

import msgspec
import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from seatlock.cli import FAILED
from seatlock.cli.connection import Desk
from seatlock.cli.options import DEFAULT_NAMESPACE, DEFAULT_REDIS, Namespace, Redis, Show
from seatlock.cli.terminal import terminal
from seatlock.errors import OutcomeUnknown, SeatLockError, ServerUnavailable, ShowNotFound
from seatlock.findings import Vitals
from seatlock.model import Availability, PoolCounts, StateName
from seatlock.plan import SeatingPlan

REFRESH = 1.0  # seconds between two pictures
_STATES: dict[StateName, str] = {
    "free": "cyan",
    "held": "yellow",
    "pinned": "magenta",
    "sold": "green",
    "blocked": "red",
    "channel": "blue",
}
"""The states as they are shown, with their colours; ``channel`` only where there are seats in it, see `_shown`."""


class Look(msgspec.Struct, frozen=True):
    """What one look at a show found."""

    seats: Availability
    vitals: Vitals
    plan: SeatingPlan

    @classmethod
    def at(cls, desk: Desk, show: str) -> Look:
        """Look at a show."""
        return cls(desk.availability(show), desk.vitals(show), desk.plan(show))


def shows(redis: Redis = DEFAULT_REDIS, namespace: Namespace = DEFAULT_NAMESPACE) -> None:
    """List all shows on the server, with their counts. Walks over all its keys and reads every seat, step by step."""
    found: dict[str, Availability | None] = {}
    failures: list[str] = []
    with Desk.at(redis, namespace) as desk:
        names = desk.shows()
        for name in names:
            try:
                seats = desk.availability(name)
            except ShowNotFound:  # retired meanwhile
                continue
            except (ServerUnavailable, OutcomeUnknown):
                raise
            except SeatLockError as error:
                failures.append(f"seatlock: {error}")
                found[name] = None
                continue
            found[name] = seats
    if found:
        terminal.out.print(_listed(found))
        pooled = {name: seats.pools for name, seats in found.items() if seats is not None and seats.pools}
        if pooled:
            terminal.out.print()
            terminal.out.print(_listed_pools(pooled))
    else:
        terminal.say(f"There are no shows in the namespace {namespace}. To load one: seatlock warm SHOW PLAN")
    for failure in failures:
        terminal.complain(failure)
    if failures:
        raise typer.Exit(FAILED)


def _listed(found: Mapping[str, Availability | None]) -> Table:
    """A row a show; None where it cannot be read."""
    shown = _shown(*(seats.counts for seats in found.values() if seats is not None))
    table = _table("show", "status", "version", *shown, "seats")
    for name, seats in found.items():
        told: list[Text | str] = ["unreadable"]
        if seats is not None:
            told = [seats.status, _version(seats), *_numbers(seats.counts, shown), _total(seats.counts)]
        table.add_row(Text(name, overflow="fold"), *told)
    return table


def _listed_pools(found: Mapping[str, Mapping[str, PoolCounts]]) -> Table:
    """A row a show: how many pools it has, and their stock together; beside the seats there is no room for it."""
    table = _table("show", "pools", "free", "held", "sold", "capacity")
    for name, pools in found.items():
        each = pools.values()
        stock: dict[StateName, int] = {
            "free": sum(counts.free for counts in each),
            "held": sum(counts.held for counts in each),
            "sold": sum(counts.sold for counts in each),
        }
        capacity = sum(counts.capacity for counts in each)
        table.add_row(Text(name, overflow="fold"), f"{len(pools):,}", *_numbers(stock, tuple(stock)), f"{capacity:,}")
    return table


def status(
    show: Show,
    redis: Redis = DEFAULT_REDIS,
    namespace: Namespace = DEFAULT_NAMESPACE,
    watch: Annotated[bool, typer.Option("--watch", help="Go on looking, every second, until Ctrl-C.")] = False,
    seconds: Annotated[
        float | None,
        typer.Option(
            "--seconds", min=1.0, max=86_400.0, metavar="N", help="End --watch after this.", show_default="never"
        ),
    ] = None,
) -> None:
    """Show how a show is: its sale, its seats by state and section, its pools, what waits to be swept, its outbox."""
    if seconds is not None and not watch:
        raise typer.BadParameter("--seconds goes with --watch")
    with Desk.at(redis, namespace) as desk:
        look = Look.at(desk, show)
        if watch and terminal.out.is_terminal:
            try:
                look = _watch(desk, show, look, seconds)
            except KeyboardInterrupt:  # how one ends it
                return
    terminal.out.print(picture(look))


def _watch(desk: Desk, show: str, look: Look, seconds: float | None) -> Look:
    """Show a picture that moves, for so many seconds; gives the last look."""
    end = None if seconds is None else time.monotonic() + seconds
    trouble = ""
    with Live(console=terminal.out, auto_refresh=False, transient=seconds is not None) as live:
        while True:
            begun = time.monotonic()
            live.update(picture(look, lines=terminal.out.height - 1, trouble=trouble), refresh=True)
            if end is not None and begun + REFRESH > end:
                time.sleep(max(end - begun, 0.0))
                return look
            time.sleep(max(begun + REFRESH - time.monotonic(), 0.0))
            try:
                look, trouble = Look.at(desk, show), ""
            except ServerUnavailable as error:  # a server that restarts, a failover: the picture stays, and says so
                trouble = str(error)


def picture(look: Look, *, lines: int | None = None, trouble: str = "") -> RenderableType:
    """How a show is, in at most so many lines; sections that do not fit are left out, and counted."""
    counts, vitals = look.seats.counts, look.vitals
    head = Text.assemble((look.seats.show, "bold"), f"  {_sale(look.seats)}  version {_version(look.seats)}")
    figures = Text("  ").join(
        Text.assemble(f"{state} ", (f"{counts[state]:,}", f"bold {_STATES[state]}")) for state in _shown(counts)
    )
    total = sum(counts.values())
    figures.append(f"  of {total:,} seats")
    rest = Text(f"ran out, not yet swept {vitals.due:,}  outbox unread {vitals.unread:,}")
    alone = bool(look.seats.pools) and not total and not len(look.plan)
    parts: list[RenderableType] = [head, rest] if alone else [head, figures, rest]
    if total != len(look.plan):
        wrong = f"the plan has {len(look.plan):,} seats; what is wrong tells: seatlock check"
        parts.append(Text(wrong, style="bold red"))
    if trouble:
        parts.append(Text(f"not up to date: {trouble}", style="red", no_wrap=True, overflow="ellipsis"))
    sections = len(look.plan.sections) > 1
    room = None if lines is None else lines - len(parts)
    if look.seats.pools:
        shown = len(look.seats.pools) if room is None else max((room // 2 if sections else room) - 2, 2)
        pools = _pools(look.seats.pools, shown)
        parts += [Text(), *pools]
        room = None if room is None else room - 1 - min(len(look.seats.pools), shown) - 1
    if sections:
        parts += [Text(), *_sections(look, None if room is None else room - 2)]
    return Group(*parts)


def _pools(pools: Mapping[str, PoolCounts], lines: int) -> list[RenderableType]:
    """A row a pool, in so many lines."""
    table = _table("pool", "free", "held", "sold", "capacity")
    shown = len(pools) if len(pools) <= lines else lines - 1
    for name, counts in list(pools.items())[:shown]:
        by_state: dict[StateName, int] = {"free": counts.free, "held": counts.held, "sold": counts.sold}
        title = Text(name, no_wrap=True, overflow="ellipsis")
        table.add_row(title, *_numbers(by_state, tuple(by_state)), f"{counts.capacity:,}")
    more = len(pools) - shown
    return [table, *([Text(f"… and {more:,} more pools", style="dim")] if more else [])]


def _sections(look: Look, lines: int | None) -> list[RenderableType]:
    """A row a section."""
    kinds = _shown(look.seats.counts)
    table = _table("section", *kinds, "seats")
    sections = list(look.plan.sections.items())
    shown = sections if lines is None or len(sections) <= lines else sections[: max(lines - 1, 0)]
    for name, seats in shown:
        states = [look.seats.seats[seat] for seat in seats if seat in look.seats.seats]
        counts: dict[StateName, int] = {state: states.count(state) for state in _STATES}
        title = Text(name or "(none)", no_wrap=True, overflow="ellipsis")
        table.add_row(title, *_numbers(counts, kinds), _total(counts))
    more = len(sections) - len(shown)
    return [table, *([Text(f"… and {more:,} more sections", style="dim")] if more else [])]


def _table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in names:
        number = name in _STATES or name in ("seats", "version", "capacity", "pools")
        table.add_column(name, justify="right" if number else "left", no_wrap=number or name == "status")
    return table


def _shown(*counts: Mapping[StateName, int]) -> tuple[StateName, ...]:
    """The states that are shown: most houses have no channels, and lines are short."""
    return tuple(state for state in _STATES if state != "channel" or any(each["channel"] for each in counts))


def _numbers(counts: Mapping[StateName, int], shown: Sequence[StateName]) -> list[Text]:
    return [Text(f"{counts[state]:,}", style=_STATES[state] if counts[state] else "dim") for state in shown]


def _total(counts: Mapping[StateName, int]) -> str:
    return f"{sum(counts.values()):,}"


def _sale(seats: Availability) -> str:
    """What the sale is, and when it opens and closes by itself."""
    times = {"opens": seats.opens_in, "closes": seats.closes_in}
    coming = [f"{what} in {timedelta(seconds=int(left))}" for what, left in times.items() if left is not None]
    return ", ".join([seats.status, *coming])


def _version(seats: Availability) -> str:
    epoch, version = seats.version
    return f"{epoch}-{version}"
