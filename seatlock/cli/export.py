"""`seatlock export`: every seat, and who has what of every pool, as one table."""

from __future__ import annotations

import csv
import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Annotated, Final, Literal, TextIO

import msgspec
import typer

from seatlock._stocktaking import Entry
from seatlock.cli.connection import Desk
from seatlock.cli.options import DEFAULT_NAMESPACE, DEFAULT_REDIS, Namespace, Redis, Show
from seatlock.cli.terminal import terminal
from seatlock.errors import InvalidRequest
from seatlock.model import SeatState
from seatlock.plan import Seat

_FIELDS: Final[tuple[str, ...]] = (
    *("seat", "section", "row", "number", "category", "state", "holder", "booking", "payment"),
    *("reason", "channel", "pool", "quantity"),
)
_STATES: Final = {"claim": "held", "sale": "sold"}
Format = Literal["csv", "json"]
Row = dict[str, str | int | None]


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

    Behind the seats, of each pool a row for everybody who has some on hold or has bought some, and one for what is
    free. The quantity of a seat is 1, so sums by state are right for both.

    Some hundreds of seats are read at one moment, and then the next: pause the sale to export one picture of it.
    """
    with Desk.at(redis, namespace) as desk, _opened(output) as file:
        seats = (_row(seat, state) for step in desk.every_seat(show) for seat, state in step)
        pools = (_pool_row(pool, share) for pool, share in desk.every_share(show))
        count = (_write_json if kind == "json" else _write_csv)(chain(seats, pools), file)
    if output is not None:
        terminal.complain(f"{show}: {count:,} rows are in {output}.")


def _pool_row(pool: str, share: Entry) -> Row:
    """A share of a pool, in the columns of a seat; they are the same for both, so that CSV stays one table."""
    return {
        **dict.fromkeys(_FIELDS),
        "state": _STATES.get(share.kind, share.kind),
        "holder": share.holder or None,
        "booking": share.booking,
        "payment": share.payment,
        "pool": pool,
        "quantity": share.quantity,
    }


def _row(seat: Seat, state: SeatState) -> Row:
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
        "channel": state.channel,
        "pool": None,
        "quantity": 1,
    }


def _write_csv(rows: Iterable[Row], file: TextIO) -> int:
    writer: csv.DictWriter[str] = csv.DictWriter(file, _FIELDS, lineterminator="\n")
    count = 0
    for count, row in enumerate(rows, start=1):
        if count == 1:
            writer.writeheader()
        writer.writerow(row)
    return count


def _write_json(rows: Iterable[Row], file: TextIO) -> int:
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
