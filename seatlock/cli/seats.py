"""`seatlock inspect`, `export`, `block`, `unblock`, `force-release` and `check`: a show's seats, one by one."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final, Literal, TextIO, get_args

import msgspec
import typer
from rich.cells import cell_len
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from seatlock.cli import FAILED
from seatlock.cli.connection import Desk
from seatlock.cli.options import DEFAULT_NAMESPACE, DEFAULT_REDIS, Namespace, Redis, Seats, Show
from seatlock.cli.terminal import terminal
from seatlock.errors import InvalidRequest
from seatlock.model import Checked, DifferenceKind, SeatState
from seatlock.plan import Seat


def inspect(show: Show, seats: Seats, redis: Redis = DEFAULT_REDIS, namespace: Namespace = DEFAULT_NAMESPACE) -> None:
    """Tell what is known of seats: state, holder, booking, why it is blocked; never a token."""
    with Desk.at(redis, namespace) as desk:
        states = desk.inspect(show, seats)
    terminal.out.print(_states_shown(states))
    for state in states:
        if not state.consistent:
            terminal.complain(f"{state.seat}: lock and availability hash disagree; see: seatlock check {show}")


_COLUMNS: Final[dict[str, Callable[[SeatState], str]]] = {
    "seat": lambda state: state.seat,
    "state": lambda state: state.state if state.consistent else f"{state.state} (!)",
    "left": lambda state: "" if state.expires_in is None else _minutes(state.expires_in),
    "category": lambda state: state.category or "",
    "holder": lambda state: state.holder or "",
    "fence": lambda state: "" if state.fence is None else str(state.fence),
    "booking": lambda state: state.booking or "",
    "payment": lambda state: state.payment or "",
    "reason": lambda state: state.reason or "",
}


def _states_shown(states: list[SeatState]) -> RenderableType:
    """A row a seat, without columns that none of them has anything for; a paragraph a seat where rows are too wide."""
    columns = {name: tell for name, tell in _COLUMNS.items() if any(map(tell, states))}
    rows = [[tell(state) for tell in columns.values()] for state in states]
    widths = [max(map(cell_len, column)) for column in zip(columns, *rows, strict=True)]
    wide = sum(widths) + 2 * len(widths) - 2 > terminal.out.width
    table = Table(box=None, show_header=not wide, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("", "") if wide else columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        if wide:
            seat, *more = zip(columns, row, strict=True)
            table.add_row(Text(seat[0], style="bold"), Text(seat[1], style="bold"))
            for name, text in more:
                if text:
                    table.add_row(Text(f"  {name}"), Text(text))
        else:
            table.add_row(*map(Text, row))
    return table


def _minutes(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 60}:{whole % 60:02d}"


# Export

_FIELDS: Final[tuple[str, ...]] = (
    *("seat", "section", "row", "number", "category", "state", "holder", "booking", "payment"),
    "reason",
)
Format = Literal["csv", "json"]


def export(
    show: Show,
    redis: Redis = DEFAULT_REDIS,
    namespace: Namespace = DEFAULT_NAMESPACE,
    kind: Annotated[Format, typer.Option("--format", help="CSV with a header, or a JSON array of objects.")] = "csv",
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="FILE", help="Where to write.", show_default="the standard output"),
    ] = None,
) -> None:
    """Write every seat with its state, holder, booking, payment and why it is blocked; never a token.

    Some hundreds of seats are read at one moment, and then the next: pause the sale to export one picture of it.
    """
    with Desk.at(redis, namespace) as desk, _opened(output) as file:
        rows = (_row(seat, state) for step in desk.every_seat(show) for seat, state in step)
        count = _write_json(rows, file) if kind == "json" else _write_csv(rows, file)
    if output is not None:
        terminal.complain(f"{count:,} seats of {show} are in {output}.")


def _row(seat: Seat, state: SeatState) -> dict[str, str | None]:
    return {
        "seat": seat.id,
        "section": seat.section,
        "row": seat.row,
        "number": seat.number,
        "category": seat.category,
        "state": state.state,
        "holder": state.holder,
        "booking": state.booking,
        "payment": state.payment,
        "reason": state.reason,
    }


def _write_csv(rows: Iterable[dict[str, str | None]], file: TextIO) -> int:
    writer: csv.DictWriter[str] = csv.DictWriter(file, _FIELDS, lineterminator="\n")
    count = 0
    for count, row in enumerate(rows, start=1):
        if count == 1:
            writer.writeheader()
        writer.writerow(row)
    return count


def _write_json(rows: Iterable[dict[str, str | None]], file: TextIO) -> int:
    count = 0
    for count, row in enumerate(rows, start=1):
        file.write("[\n" if count == 1 else ",\n")
        file.write(msgspec.json.encode(row).decode())
    file.write("\n]\n")
    return count


@contextmanager
def _opened(output: Path | None) -> Generator[TextIO]:
    """The standard output, or a file that is there only once it is whole."""
    if output is None:
        yield sys.stdout
        sys.stdout.flush()
        return
    unfinished = output.with_name(f"{output.name}.part")
    try:
        file = unfinished.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise InvalidRequest(f"{output} cannot be written: {error.strerror}.") from None
    try:
        with file:
            yield file
        unfinished.replace(output)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


# Block


def block(
    show: Show,
    seats: Seats,
    reason: Annotated[
        str | None,
        typer.Option("--reason", metavar="TEXT", help="Why: inspect and export tell it.", show_default="none"),
    ] = None,
    redis: Redis = DEFAULT_REDIS,
    namespace: Namespace = DEFAULT_NAMESPACE,
) -> None:
    """Take free seats off sale for the house, all of them or none; until unblock.

    Blocking a blocked seat again changes its reason.
    """
    with Desk.at(redis, namespace) as desk:
        done = desk.block(show, seats, reason=reason)
    for seat, word in done.seats.items():
        terminal.say(f"{seat}: {'blocked' if word == 'blocked' else 'was blocked already'}")


def unblock(show: Show, seats: Seats, redis: Redis = DEFAULT_REDIS, namespace: Namespace = DEFAULT_NAMESPACE) -> None:
    """Put blocked seats back on sale; the others are left alone.

    The exit status is 1 if a seat was not blocked.
    """
    with Desk.at(redis, namespace) as desk:
        done = desk.unblock(show, seats)
    for seat, word in done.seats.items():
        terminal.say(
            f"{seat}: {'on sale again' if word == 'unblocked' else f'left alone: it is not blocked but {word}'}"
        )
    if len(done.unblocked) < len(done.seats):
        raise typer.Exit(FAILED)


# Force


def force_release(
    show: Show,
    seats: Seats,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why: it stands in the audit stream.")],
    by: Annotated[str, typer.Option("--by", metavar="WHO", help="Who does it: it stands in the audit stream.")],
    redis: Redis = DEFAULT_REDIS,
    namespace: Namespace = DEFAULT_NAMESPACE,
) -> None:
    """Free held seats, whoever holds them; never pinned or sold ones. Who did it and why is kept with the show.

    The exit status is 1 if a seat is not free now.
    """
    with Desk.at(redis, namespace) as desk:
        done = desk.force_release(show, seats, by=by, reason=reason)
    for seat, word in done.seats.items():
        terminal.say(f"{seat}: {_WORDS[word]}")
    if not all(word in ("released", "gone") for word in done.seats.values()):
        raise typer.Exit(FAILED)


_WORDS: Final = {
    "released": "released",
    "gone": "nobody held it",
    "taken": "left alone: another hold has it now, look at it again",
    "pinned": "left alone: it is pinned, its payment is being decided",
    "sold": "left alone: it is sold; cancel the booking instead",
}


# Check


def check(show: Show, redis: Redis = DEFAULT_REDIS, namespace: Namespace = DEFAULT_NAMESPACE) -> None:
    """Check that a show adds up: the counts, and lock, availability hash and due set for every seat.

    Reads every seat, step by step, also while the sale runs. The exit status is 1 if something is wrong.
    """
    with Desk.at(redis, namespace) as desk:
        checked = desk.check(show)
    terminal.say(_sum(checked))
    for kind in get_args(DifferenceKind):
        found = [difference for difference in checked.differences if difference.kind == kind]
        if found:
            terminal.say(f"{kind} ({len(found):,}):")
        for difference in found:
            terminal.say(f"  {difference.seat}: {difference.detail}")
    if not checked.sound:
        raise typer.Exit(FAILED)
    terminal.say("All that is kept of every seat agrees.")


def _sum(checked: Checked) -> str:
    epoch, version = checked.version
    added = " + ".join(f"{count:,} {state}" for state, count in checked.counts.items())
    total = sum(checked.counts.values())
    verdict = "" if total == checked.capacity else f", and not the capacity of {checked.capacity:,}"
    return f"{checked.show}, version {epoch}-{version}: {added} = {total:,} seats{verdict}."
