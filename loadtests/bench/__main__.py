"""``python -m loadtests.bench``: runs the measurements, writes the results, the page and the figures.

A whole run goes into docs/: benchmarks.md, benchmarks/results.json and the figures; anything less into build/bench,
unless it is added to them by `--add`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from loadtests.bench import (
    estimates,
    growth,
    hot_seat,
    one_call,
    open_load,
    plots,
    profiling,
    report,
    scaling,
    several_seats,
    shuffle,
    strict,
    strict_profile,
    throughput,
    waiting_room,
)
from loadtests.bench.machine import Machine
from loadtests.bench.progress import say
from loadtests.bench.results import Results
from loadtests.bench.settings import FULL, QUICK, Settings
from loadtests.bench.stage import Stage, usual_server
from loadtests.bench.targets import targets

_ROOT: Final = Path(__file__).parents[2]
_LESS: Final = _ROOT / "build" / "bench"
_PARTIAL: Final = _LESS / "partial.json"

MEASUREMENTS: Final[dict[str, Callable[[Stage, Settings], Any]]] = {
    "throughput": lambda stage, settings: asyncio.run(throughput.measure(stage, settings)),
    "threads": throughput.measure_threads,
    "hot_seat": lambda stage, settings: asyncio.run(hot_seat.measure(stage, settings)),
    "one_call": lambda stage, settings: asyncio.run(one_call.measure(stage, settings)),
    "growth": lambda stage, settings: asyncio.run(growth.measure(stage, settings)),
    "open_load": lambda stage, settings: asyncio.run(open_load.measure(stage, settings)),
    "scaling": scaling.measure,
    "several_seats": lambda stage, settings: asyncio.run(several_seats.measure(stage, settings)),
    "strict": strict.measure,
    "strict_profile": strict_profile.measure,
    "profile": lambda stage, settings: asyncio.run(profiling.measure(stage, settings)),
    "waiting_room": waiting_room.measure,
    "estimates": estimates.measure,
    "shuffle": lambda _, settings: shuffle.measure(settings),
}
_ON_DATABASE: Final = {"throughput", "hot_seat", "several_seats"}


def measure(names: list[str], settings: Settings, server: str) -> Results:
    """Run measurements one after another; what is there is saved after each, should a later one fail."""
    machine = Machine()
    results = Results()
    with Stage(server, with_database=bool(_ON_DATABASE & set(names))) as stage:
        say(f"on {stage.redis.description}")
        for name in names:
            say(f"--- {name}")
            setattr(results, name, MEASUREMENTS[name](stage, settings))
            results.about = machine.about(stage, settings)
            results.save(_PARTIAL)
    return results


def publish(results: Results, folder: Path, names: list[str]) -> None:
    """Write the page, and the figures of these measurements."""
    (folder / "benchmarks.md").write_text(report.page(results), encoding="utf-8")
    plots.draw(results, folder / "benchmarks", names)


def added(others: Results, results: Results, names: list[str]) -> Results:
    """The results of an earlier run with some of this one in their place; which, and when, is noted."""
    assert results.about is not None
    for name in names:
        setattr(others, name, getattr(results, name))
        others.added[name] = results.about
    return others


def _names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(MEASUREMENTS):
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; known are {', '.join(MEASUREMENTS)}")
    return [name for name in MEASUREMENTS if name in names]


def main() -> None:
    """Read the command line and do it."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="all measurements in small, about a minute")
    parser.add_argument("--only", type=_names, default=list(MEASUREMENTS), help="some measurements, by commas")
    which = "the Redis to run: auto, a name, or a program's path (default %(default)s)"
    parser.add_argument("--server", default=usual_server(), help=which)
    parser.add_argument("--out", type=Path, help="the folder for the results")
    parser.add_argument("--page-only", action="store_true", help="write page and figures anew from results.json")
    parser.add_argument("--add", action="store_true", help="put what is measured beside the others on the page")
    options = parser.parse_args()
    whole = not options.quick and options.only == list(MEASUREMENTS)
    folder: Path = options.out or (_ROOT / "docs" if whole or options.add else _LESS)
    file = folder / "benchmarks" / "results.json"
    if options.page_only:
        publish(Results.load(file), folder, options.only)
        return
    if os.getloadavg()[0] > report.IDLE:
        say(f"the machine is busy (load {os.getloadavg()[0]:.1f}): the figures will be too low")
    settings = QUICK if options.quick else FULL
    results = measure(options.only, settings, options.server)
    if options.add:
        results = added(Results.load(file), results, options.only)
    results.save(file)
    publish(results, folder, options.only)
    for target in targets(results):
        print(f"{'met   ' if target.met else 'MISSED'}  {target.name}: {target.measured}; wanted {target.wanted}")
    say(f"written to {folder}")


if __name__ == "__main__":
    main()
