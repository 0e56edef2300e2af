"""The figures on waiting rooms."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from matplotlib.ticker import NullLocator

from loadtests.bench.canvas import PLAIN, canvas, errors
from loadtests.bench.estimates import CHANGED, STALL
from loadtests.bench.results import Estimates, RoomSize, Shuffle, Spread
from loadtests.bench.targets import PLACE

_COLOURS: Final = ("#1f5fbf", "#e08a1e", "#2c7a4b")
_QUIET: Final = "#9aa7b5"


def size(path: Path, found: list[RoomSize]) -> None:
    """Times and bytes by the people in the room."""
    plain, uuids = ([one for one in found if one.uuids is kind] for kind in (False, True))
    people = [one.people for one in plain]
    with canvas(path, width=12, height=4.2, parts=3) as (left, middle, right):
        for label, name, colour in (("join", "join_us", _COLOURS[0]), ("status", "status_us", _COLOURS[1])):
            spreads = [Spread.of(getattr(one, name)) for one in plain]
            medians = [one.median for one in spreads]
            left.errorbar(
                people, medians, yerr=errors(spreads), label=label, color=colour, marker="o", linewidth=2, capsize=2
            )
        left.set_title("Server, microseconds")
        left.legend(loc="lower right")
        spreads = [Spread.of([call.ms for call in one.let_in]) for one in plain]
        middle.errorbar(
            people,
            [one.median for one in spreads],
            yerr=errors(spreads),
            label="every tenth is present",
            color=_COLOURS[0],
            marker="o",
            linewidth=2,
            capsize=2,
        )
        behind = [one.behind.ms for one in plain]
        middle.plot(people, behind, label="only the last 1,000 are", color=_COLOURS[1], marker="o", linewidth=2)
        middle.set_title("1,000 let in, milliseconds")
        middle.legend(loc="lower right")
        right.plot(people, [one.bytes_a_place for one in plain], label="ids of 13", color=_COLOURS[0], marker="o")
        if uuids:
            bytes_a_place = [one.bytes_a_place for one in uuids]
            right.plot([one.people for one in uuids], bytes_a_place, label="UUIDs", color=_COLOURS[1], marker="o")
        right.axhline(PLACE, color=_QUIET, linewidth=1, linestyle=(0, (4, 4)), label=f"target {PLACE}")
        right.set_title("Bytes a place")
        right.legend(loc="lower right")
        for axes in (left, middle, right):
            axes.set_ylim(bottom=0)
            axes.set_xscale("log")
            axes.set_xticks(people)
            axes.xaxis.set_minor_locator(NullLocator())
            axes.xaxis.set_major_formatter(PLAIN)
            axes.set_xlabel("people in the room")


def estimates(path: Path, found: list[Estimates]) -> None:
    """What was told against what came; and by the time of asking, how much of it held, where the pace changes."""
    with canvas(path, width=12, height=4.8, parts=2) as (left, right):
        steady = [one for one in found if one.steady]
        most = max(told.real for one in steady for told in one.some)
        left.fill_between([0, most], [0, 0.8 * most], [0, 1.2 * most], color="#eef1f5", label="20 % off at most")
        left.plot([0, most], [0, most], color=_QUIET, linewidth=1)
        for one, colour in zip(steady, _COLOURS, strict=False):
            real = [told.real for told in one.some]
            middles = [(told.low + told.high) / 2 for told in one.some]
            half = [(told.high - told.low) / 2 for told in one.some]
            style: dict[str, Any] = {"color": colour, "fmt": "o", "markersize": 2.5, "elinewidth": 0.5}
            left.errorbar(real, middles, yerr=half, label=one.case, **style)
        left.set_xlabel("seconds until let in")
        left.set_title("Estimated (range) against real seconds")
        left.legend(loc="upper left")
        for one, colour in zip((one for one in found if not one.steady), _COLOURS, strict=False):
            wrong = [100 * (ten.told - ten.inside) / ten.asked for ten in one.by_time]
            middles = [ten.at + 5 for ten in one.by_time]
            right.plot(middles, wrong, label=one.case, color=colour, marker="o", markersize=3)
        right.axvspan(CHANGED, CHANGED + STALL, color="#eef1f5")
        right.set_ylim(-3, 103)
        right.set_xlabel(f"asked, seconds after the opening: change at {CHANGED}, the stall ends at {CHANGED + STALL}")
        right.set_title("Told what did not hold, percent of those who asked")
        right.legend(loc="center right", fontsize=9)


def shuffle(path: Path, found: Shuffle) -> None:
    """The correlations, and what chance would give."""
    width = 2 * found.most / len(found.counts)
    places = [-found.most + width * (at + 0.5) for at in range(len(found.counts))]
    spread = (found.people - 1) ** -0.5
    bell = [found.draws * width / (spread * 2.5066) * 2.718281828 ** (-((at / spread) ** 2) / 2) for at in places]
    with canvas(path, height=3.8) as axes:
        axes.bar(places, found.counts, width * 0.92, color=_COLOURS[0], label=f"{found.draws:,} draws")
        axes.plot(places, bell, color=_COLOURS[1], linewidth=2, label="by chance")
        axes.set_xlabel(f"rank correlation of arrival and order, {found.people:,} people")
        axes.set_title("The draw of the early: how many draws gave which correlation")
        axes.legend(loc="upper right")
