"""The figures of the results page, as SVG and PNG."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.ticker import NullLocator

from loadtests.bench import room_plots, strict_plots
from loadtests.bench.canvas import PLAIN, STYLE, canvas, errors, log_ticks
from loadtests.bench.contestants.seats import Seatlock
from loadtests.bench.results import OpenLoad, Profile, Results, Scaling, Series, Spread
from loadtests.bench.targets import RATE, best

_COLOURS: Final = {
    "seatlock": "#1f5fbf",
    "seatlock, batching off": "#6fa3e0",
    "bare EVALSHA, redis-py asyncio": "#9aa7b5",
    "redis-py Lock, asyncio": "#c8372d",
    "coredis Lock": "#e08a1e",
    "pottery AIORedlock, one master": "#a8762f",
    "PostgreSQL FOR UPDATE": "#2c7a4b",
    "PostgreSQL SKIP LOCKED": "#79b98f",
}
_OTHER: Final = ("#1f5fbf", "#79b98f", "#e08a1e", "#c8372d")


def draw(results: Results, folder: Path, names: Collection[str]) -> None:
    """Draw the figures of these measurements, as far as they were made."""
    mpl.use("Agg")
    folder.mkdir(parents=True, exist_ok=True)
    figures: list[tuple[str, Any, Callable[[Path, Any], None]]] = [
        ("throughput", results.throughput, _throughput),
        ("cpu", results.throughput, _cpu),
        ("hot_seat", results.hot_seat, _hot_seat),
        ("growth", results.growth, _growth),
        ("open_load", results.open_load, _open_load),
        ("scaling", results.scaling, _scaling),
        ("several_seats", results.several_seats, _several_seats),
        ("profile", results.profile, _profile),
        ("strict", results.strict, strict_plots.plot),
        ("waiting_room", results.waiting_room, room_plots.size),
        ("estimates", results.estimates, room_plots.estimates),
        ("shuffle", results.shuffle, room_plots.shuffle),
    ]
    with mpl.rc_context(STYLE):
        for name, found, figure in figures:
            if found and (name in names or (name == "cpu" and "throughput" in names)):
                figure(folder / name, found)


def _bars(axes: Any, names: Sequence[str], spreads: Sequence[Spread], unit: str) -> None:
    """Bars from left to right, the first name on top, each with its figure."""
    places = range(len(names))
    colours = [_COLOURS.get(name, "#9aa7b5") for name in names]
    values = [one.median for one in spreads]
    axes.barh(places, values, xerr=errors(spreads), color=colours, height=0.62, ecolor="#333333", capsize=2.5)
    most = max(one.high for one in spreads)
    for place, one in zip(places, spreads, strict=True):
        axes.text(one.high + most * 0.012, place, f"{one.median:,.0f} {unit}".rstrip(), va="center")
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    axes.set_xlim(0, most * 1.16)
    axes.xaxis.set_major_formatter(PLAIN)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)


def _throughput(path: Path, series: list[Series]) -> None:
    with canvas(path, height=5.4) as axes:
        names = list(dict.fromkeys(one.contestant for one in series))
        for name in names:
            mine = sorted((one for one in series if one.contestant == name), key=lambda one: one.buyers)
            spreads = [Spread.of([sample.rate for sample in one.samples]) for one in mine]
            ours = name == Seatlock.name
            axes.errorbar(
                [one.buyers for one in mine],
                [one.median for one in spreads],
                yerr=errors(spreads),
                label=name,
                color=_COLOURS.get(name),
                linewidth=3 if ours else 1.7,
                marker="o",
                markersize=6 if ours else 4,
                capsize=2,
                zorder=3 if ours else 2,
            )
        axes.axhline(RATE, color="#1f5fbf", linewidth=1, linestyle=(0, (4, 4)))
        axes.annotate(
            f"target {RATE:,}",
            (0.01, RATE),
            (0, 4),
            xycoords=axes.get_yaxis_transform(),
            textcoords="offset points",
            color="#1f5fbf",
            fontsize=9,
        )
        axes.set_xscale("log")
        axes.set_yscale("log")
        log_ticks(axes.yaxis, (100, 300, 1_000, 3_000, 10_000, 30_000, 100_000), axes.get_ylim())
        axes.set_xticks(sorted({one.buyers for one in series}))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(PLAIN)
        axes.set_xlabel("buyers at once (asyncio tasks in one process)")
        axes.set_title("Bookings a second (both scales logarithmic)")
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=9.5)


def _cpu(path: Path, series: list[Series]) -> None:
    names = list(dict.fromkeys(one.contestant for one in series))
    chosen = [one for name in names if (one := best(series, name)) is not None]
    client = [Spread.of([sample.client_us for sample in one.samples]).median for one in chosen]
    server = [Spread.of([sample.server_us or 0.0 for sample in one.samples]).median for one in chosen]
    with canvas(path, height=4.4) as axes:
        places = range(len(names))
        axes.barh(places, client, color="#1f5fbf", height=0.62, label="client")
        axes.barh(places, server, left=client, color="#e08a1e", height=0.62, label="server")
        most = max(one + other for one, other in zip(client, server, strict=True))
        for place, one, other in zip(places, client, server, strict=True):
            axes.text(one + other + most * 0.012, place, f"{one:.0f} + {other:.0f} µs", va="center")
        axes.set_yticks(places, names)
        axes.invert_yaxis()
        axes.set_xlim(0, most * 1.18)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel("microseconds a booking")
        axes.set_title("CPU time of a booking, each at its best")
        axes.legend(loc="upper right")


def _hot_seat(path: Path, found: list[Any]) -> None:
    with canvas(path, height=3.4) as axes:
        spreads = [Spread.of([run.seconds * 1000 for run in one.runs]) for one in found]
        _bars(axes, [one.contestant for one in found], spreads, "ms")
        axes.set_title(f"One hot seat: {found[0].buyers:,} buyers at once, until everyone has an answer")
        axes.set_xlabel("milliseconds (less is better)")


def _growth(path: Path, found: list[Any]) -> None:
    lines = (
        ("server, in groups", "server_us", "#e08a1e"),
        ("client, in groups", "client_us", "#1f5fbf"),
        ("server, called alone", "server_alone_us", "#f2c38b"),
    )
    with canvas(path, width=10, height=4.4, parts=2) as (left, right):
        for label, name, colour in lines:
            spreads = [Spread.of([getattr(run, name) for run in one.rounds]) for one in found]
            left.errorbar(
                [one.seats for one in found],
                [one.median for one in spreads],
                yerr=errors(spreads),
                label=label,
                color=colour,
                marker="o",
                linewidth=2,
                capsize=2,
            )
        left.set_ylim(bottom=0)
        left.set_title("Microseconds an acquire")
        left.legend(loc="center right")
        for label, name, colour in (("whole plan", "whole_ms", "#1f5fbf"), ("one section", "section_ms", "#79b98f")):
            values = [Spread.of(getattr(one, name)).median for one in found]
            right.plot([one.seats for one in found], values, label=label, color=colour, marker="o", linewidth=2)
        right.set_yscale("log")
        log_ticks(right.yaxis, (0.1, 0.3, 1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000), right.get_ylim())
        right.set_title("Reading the availability, milliseconds")
        right.legend(loc="upper left")
        for axes in (left, right):
            axes.set_xscale("log")
            axes.set_xticks([one.seats for one in found])
            axes.xaxis.set_minor_locator(NullLocator())
            axes.xaxis.set_major_formatter(PLAIN)
            axes.set_xlabel("seats in the show")


def _open_load(path: Path, found: list[OpenLoad]) -> None:
    names = list(dict.fromkeys(one.contestant for one in found))
    with canvas(path) as axes:
        for name in names:
            mine = [one for one in found if one.contestant == name]
            rates = [one.maximum * one.percent / 100 for one in mine]
            for part, style in (("p50", "-"), ("p99", "--"), ("p999", ":")):
                spreads = [Spread.of([getattr(run, part) for run in one.rounds]) for one in mine]
                axes.errorbar(
                    rates,
                    [one.median for one in spreads],
                    yerr=errors(spreads),
                    label=f"{name}, {'p99.9' if part == 'p999' else part}",
                    color=_COLOURS.get(name),
                    linestyle=style,
                    marker="o",
                    markersize=4,
                    linewidth=2,
                    capsize=2,
                )
            for rate, one in zip(rates, mine, strict=True):
                lowest = Spread.of([run.p50 for run in one.rounds]).low
                axes.annotate(
                    f"{one.percent} %", (rate, lowest), (0, -14), textcoords="offset points", ha="center", fontsize=9
                )
        axes.set_xscale("log")
        axes.set_yscale("log")
        low, high = axes.get_ylim()
        axes.set_ylim(low / 1.5, high)
        log_ticks(axes.xaxis, (300, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000), axes.get_xlim())
        log_ticks(axes.yaxis, (0.1, 0.3, 1, 3, 10, 30, 100, 300, 1_000, 3_000), axes.get_ylim())
        axes.set_xlabel("arrivals a second; the labels are percents of each one's own maximum")
        axes.set_title("From arrival to booking, milliseconds (both scales logarithmic)")
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=9.5)


def _scaling(path: Path, found: list[Scaling]) -> None:
    setups = list(dict.fromkeys(one.setup for one in found))
    processes = sorted({one.processes for one in found})
    with canvas(path, height=4.2) as axes:
        width = 0.8 / len(setups)
        for index, setup in enumerate(setups):
            mine = sorted((one for one in found if one.setup == setup), key=lambda one: one.processes)
            spreads = [Spread.of([run.rate for run in one.runs]) for one in mine]
            places = [place + (index - (len(setups) - 1) / 2) * width for place in range(len(mine))]
            values = [one.median for one in spreads]
            axes.bar(places, values, width * 0.92, yerr=errors(spreads), label=setup, color=_OTHER[index], capsize=2.5)
            for place, one in zip(places, spreads, strict=True):
                axes.annotate(
                    f"{one.median:,.0f}", (place, one.high), (0, 3), textcoords="offset points", ha="center", fontsize=9
                )
        axes.set_xticks(range(len(processes)), [f"{n} process{'es' if n > 1 else ''}" for n in processes])
        axes.yaxis.set_major_formatter(PLAIN)
        axes.grid(visible=False, axis="x")
        axes.set_title("Bookings a second of all processes together (loopback TCP)")
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _several_seats(path: Path, series: list[Series]) -> None:
    with canvas(path, height=3.4) as axes:
        spreads = [Spread.of([sample.rate for sample in one.samples]) for one in series]
        _bars(axes, [one.contestant for one in series], spreads, "")
        axes.set_title("Four-seat holds a second")


def _profile(path: Path, profiles: list[Profile]) -> None:
    profile = profiles[0]
    scripts = [one for one in profile.commands if one.name in ("evalsha", "eval")]
    inner = [one for one in profile.commands if one not in scripts]
    script_us = sum(one.usec for one in scripts)
    server = [("Lua itself", script_us - sum(one.usec for one in inner)), *((one.name, one.usec) for one in inner)]
    if profile.run.server_us is not None:
        server.insert(0, ("sockets and protocol", max(profile.run.server_us - script_us, 0.0)))
    client = [(line.where, line.percent / 100 * profile.run.seconds / profile.run.work * 1e6) for line in profile.parts]
    with canvas(path, width=11, height=4.2, parts=2) as (left, right):
        for axes, title, rows, colour in (
            (left, "Client, µs a booking", client, "#1f5fbf"),
            (right, "Server, µs a booking", server[:10], "#e08a1e"),
        ):
            axes.barh(range(len(rows)), [value for _, value in rows], color=colour, height=0.62)
            most = max(value for _, value in rows)
            for place, (_, value) in enumerate(rows):
                axes.text(value + most * 0.015, place, f"{value:.1f}", va="center")
            axes.set_yticks(range(len(rows)), [name for name, _ in rows])
            axes.invert_yaxis()
            axes.set_xlim(0, most * 1.14)
            axes.grid(visible=False, axis="y")
            axes.tick_params(axis="y", length=0)
            axes.set_title(title)
