"""The figure on strict checkout."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from loadtests.bench.canvas import canvas
from loadtests.bench.results import Spread, Strict
from loadtests.bench.strict import STRICT
from loadtests.bench.strict_sections import best

_PARTS: Final = (("client", "#1f5fbf"), ("redis", "#c8372d"), ("database", "#2c7a4b"))


def plot(path: Path, found: list[Strict]) -> None:
    """CPU of each way, at its best, and how many a second that were."""
    chosen = [best(found, way) for way in dict.fromkeys(one.way for one in found)]
    with canvas(path, height=3.2) as axes:
        places = range(len(chosen))
        left = [0.0] * len(chosen)
        for part, colour in _PARTS:
            costs = [Spread.of([run.us(part) or 0.0 for run in one.runs]).median for one in chosen]
            label = {"client": "client", "redis": "Redis", "database": "PostgreSQL"}[part]
            axes.barh(places, costs, left=left, color=colour, height=0.62, label=label)
            left = [before + cost for before, cost in zip(left, costs, strict=True)]
        for place, one in enumerate(chosen):
            rate = Spread.of([run.rate for run in one.runs]).median
            axes.text(left[place] + max(left) * 0.012, place, f"{rate:,.0f} a second", va="center")
        axes.set_yticks(places, [one.way for one in chosen])
        axes.invert_yaxis()
        axes.set_xlim(0, max(left) * 1.25)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel("microseconds of CPU, all on the same cores")
        axes.set_title(f"{STRICT.capitalize()} and its parts, each at its best")
        axes.legend(loc="lower right")
