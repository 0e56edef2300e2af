"""What several commands show: things in rows, times that are left, the stock of a pool in one line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from rich.cells import cell_len
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from seatlock.cli.terminal import terminal
from seatlock.model import PoolCounts

T = TypeVar("T")


def in_rows(columns: Mapping[str, Callable[[T], str]], things: Sequence[T]) -> RenderableType:
    """A row each, without columns that none of them has anything for; a paragraph each where rows are too wide."""
    shown = {name: tell for name, tell in columns.items() if any(map(tell, things))}
    rows = [[tell(thing) for tell in shown.values()] for thing in things]
    widths = [max(map(cell_len, column)) for column in zip(shown, *rows, strict=True)]
    wide = sum(widths) + 2 * len(widths) - 2 > terminal.out.width
    table = Table(box=None, show_header=not wide, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("", "") if wide else shown:
        table.add_column(name, overflow="fold")
    for row in rows:
        if wide:
            first, *more = zip(shown, row, strict=True)
            table.add_row(Text(first[0], style="bold"), Text(first[1], style="bold"))
            for name, text in more:
                if text:
                    table.add_row(Text(f"  {name}"), Text(text))
        else:
            table.add_row(*map(Text, row))
    return table


def minutes(seconds: float | None) -> str:
    """A time that is left, if there is one."""
    return "" if seconds is None else f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def pool_sum(pool: str, counts: PoolCounts) -> str:
    """The stock of a pool, added up."""
    return f"pool {pool}: {counts.free:,} free + {counts.held:,} held + {counts.sold:,} sold = {counts.capacity:,}."
