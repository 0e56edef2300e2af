"""Markdown tables, and how figures are written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from loadtests.bench.results import Spread

NONE = "–"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table: the first column to the left, the others to the right."""
    lines = [head, [":--", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def number(value: float) -> str:
    """Three digits that count, thousands separated."""
    if value >= 99.95:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def spread(values: Sequence[float | None]) -> str:
    """Median (least–greatest)."""
    known = [value for value in values if value is not None]
    if not known:
        return NONE
    found = Spread.of(known)
    return f"{number(found.median)} ({number(found.low)}–{number(found.high)})"


def middle(values: Sequence[float | None]) -> str:
    """The median alone."""
    known = [value for value in values if value is not None]
    return number(Spread.of(known).median) if known else NONE


def times(found: Spread) -> str:
    """A ratio with its spread."""
    return f"**{number(found.median)}×** ({number(found.low)}–{number(found.high)})"


def figure(name: str, text: str) -> str:
    """A figure, as SVG, with a link to the PNG."""
    return f"![{text}](benchmarks/{name}.svg)\n\n([the same as PNG](benchmarks/{name}.png))\n"
