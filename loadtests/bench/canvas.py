"""What the figures of the results page are drawn on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from matplotlib import pyplot as plt
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

from loadtests.bench.results import Spread

PLAIN: Final = FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:g}")
STYLE: Final = {
    "font.size": 10.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e7eb",
    "axes.axisbelow": True,
    "axes.edgecolor": "#8a929c",
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 12,
    "legend.frameon": False,
    "svg.hashsalt": "seatlock",  # the same picture gives the same file
    "figure.facecolor": "white",
}


@contextmanager
def canvas(path: Path, width: float = 9.0, height: float = 4.8, parts: int = 1) -> Iterator[Any]:
    """One figure of so many parts beside each other, written as SVG and PNG."""
    figure, axes = plt.subplots(1, parts, figsize=(width, height), layout="constrained")
    yield axes
    figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})
    figure.savefig(path.with_suffix(".png"), dpi=130)
    plt.close(figure)


def errors(spreads: Sequence[Spread]) -> list[list[float]]:
    """How far the bars of error reach to both sides of the medians."""
    return [[one.median - one.low for one in spreads], [one.high - one.median for one in spreads]]


def log_ticks(axis: Any, candidates: Sequence[float], limits: tuple[float, float]) -> None:
    """Set those of the ticks that lie within the limits, written plainly."""
    axis.set_ticks([tick for tick in candidates if limits[0] <= tick <= limits[1]])
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())
    axis.set_major_formatter(PLAIN)
