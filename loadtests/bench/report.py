"""The results page, written from results.json alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from loadtests.bench import room_sections, sections, strict_sections
from loadtests.bench.contestants.base import POOL
from loadtests.bench.contestants.database import CONNECTIONS
from loadtests.bench.contestants.roster import ASYNC, BASE, THREADS
from loadtests.bench.results import About, Results, Series, ratios
from loadtests.bench.tables import figure, spread, table, times
from loadtests.bench.targets import best, targets

IDLE: Final = 0.5  # load average up to which a machine counts as idle

_HEAD: Final = """# Benchmarks

<!-- Written by `make bench`; change loadtests/bench instead. -->

All contestants run on the same private server, from one Python process (but where several are measured), and take turns
in every round. Ratios are taken between two runs of the same round. Figures are medians of the rounds, with the least
and the greatest in parentheses. Every run proves its own result (for example: every seat sold exactly once), or the
benchmark fails. The raw figures are in [results.json](benchmarks/results.json).
"""

_REPEAT: Final = """## How to repeat it

    make bench                                         # everything: about a quarter of an hour, on an idle machine
    make bench BENCH_ARGS=--quick                      # all measurements in small, about a minute
    make bench BENCH_ARGS='--only throughput,hot_seat' # some of them
    make bench BENCH_ARGS='--only estimates --add'     # some of them, to stand beside the others on this page
    make bench BENCH_ARGS='--server /path/to/redis-server'

Only a whole run writes this page anew; less goes into `build/bench`, but for what is added to it. The greatest waiting
room takes 1.3 GB of memory.

The client and the server each want a core of their own: on a machine that does other things the figures are lower, and
those of the fastest contestants suffer most.
"""


def page(results: Results) -> str:
    """The whole page."""
    assert results.about is not None
    parts = [
        _HEAD + _caution(results.about),
        _targets(results),
        _throughput(results),
        _threads(results),
        sections.hot_seat(results),
        sections.one_call(results),
        sections.growth(results),
        sections.open_load(results),
        sections.scaling(results),
        sections.several_seats(results),
        room_sections.size(results),
        room_sections.estimates(results),
        room_sections.shuffle(results),
        strict_sections.strict(results),
        strict_sections.profile(results),
        sections.profile(results),
        _machine(results),
        _REPEAT,
    ]
    return "\n".join(part for part in parts if part)


def _caution(about: About) -> str:
    text = ""
    if about.quick:
        text += f"\n**This was a quick run ({about.minutes:.1f} minutes): the figures are rough.**\n"
    if about.load_before > IDLE:
        text += f"\n**The machine was busy before it began (load {about.load_before:.1f}): the figures are too low.**\n"
    return text


def _targets(results: Results) -> str:
    rows = [(one.name, "met" if one.met else "**missed**", one.measured, one.wanted) for one in targets(results)]
    if not rows:
        return ""
    text = "## Targets\n\n" + table(("target", "", "measured", "wanted"), rows) + "\n"
    if any(row[1] != "met" for row in rows):
        text += (
            "\nWhere the time goes instead is in the [profile](#profile), and for strict confirms "
            "[beside them](#where-the-time-of-a-strict-confirm-goes);\n"
            "what was tried, target by target, is in [speed.md](speed.md).\n"
        )
    return text


def _names(series: Iterable[Series]) -> list[str]:
    return list(dict.fromkeys(one.contestant for one in series))


def _levels(series: Iterable[Series]) -> list[int]:
    return sorted({one.buyers for one in series})


def _throughput(results: Results) -> str:
    series = results.throughput
    if not series:
        return ""
    at = {(one.contestant, one.buyers): one.samples for one in series}
    levels = _levels(series)
    head = ("contestant", *(f"{level:,}" for level in levels))
    as_ratio = (
        (name, *(times(ratios(at[name, level], at[BASE.name, level])) for level in levels)) for name in _names(series)
    )
    as_rate = (
        (name, *(spread([sample.rate for sample in at[name, level]]) for level in levels)) for name in _names(series)
    )
    about = "\n".join(f"- {kind.name}: {kind.booking}." for kind in ASYNC if kind.name in _names(series))
    return f"""## Throughput: acquire and confirm

{figure("throughput", "Bookings a second by the number of concurrent buyers")}
Times the bookings a second of {BASE.name}, with so many buyers (asyncio tasks) at once:

{table(head, as_ratio)}

Bookings a second:

{table(head, as_rate)}

{_costs(series)}
What a booking is:

{about}

All over a unix socket. The asyncio peers share {POOL} connections, PostgreSQL has a pool of {CONNECTIONS}. Neither
Redis nor PostgreSQL waits for a disk: Redis keeps nothing, PostgreSQL runs with `synchronous_commit=off`.
"""


def _costs(series: list[Series]) -> str:
    """CPU a booking, each at its own best level."""
    rows = []
    for name in _names(series):
        one = best(series, name)
        assert one is not None
        rows.append(
            (
                name,
                spread([sample.client_us for sample in one.samples]),
                spread([sample.server_us for sample in one.samples]),
                spread([sample.server_busy for sample in one.samples]),
                f"{one.buyers:,}",
            )
        )
    head = ("contestant", "client CPU, µs a booking", "server CPU, µs a booking", "server, % of a core", "buyers")
    return f"""{figure("cpu", "CPU time of client and server a booking")}
What a booking costs, each with the number of buyers that suits it best:

{table(head, rows)}
"""


def _threads(results: Results) -> str:
    series = results.threads
    if not series:
        return ""
    at = {(one.contestant, one.buyers): one.samples for one in series}
    levels = _levels(series)
    head = ("contestant", *(f"{level} thread{'s' if level > 1 else ''}" for level in levels))
    base = THREADS[1].name
    as_ratio = (
        (name, *(times(ratios(at[name, level], at[base, level])) for level in levels)) for name in _names(series)
    )
    as_rate = (
        (name, *(spread([sample.rate for sample in at[name, level]]) for level in levels)) for name in _names(series)
    )
    return f"""## The blocking ones, on threads

Times the bookings a second of the blocking {base}:

{table(head, as_ratio)}

Bookings a second. A `SeatLocker` sends a call for every request, and does more in it than a lock does: the outbox
entry, the change feed, the seat map. Throughput is what the asyncio locker and the `_many` calls are for.

{table(head, as_rate)}
"""


def _machine(results: Results) -> str:
    about = results.about
    assert about is not None

    def rows() -> Iterator[tuple[str, str]]:
        yield "processor", about.cpu
        yield "cores", str(about.cores)
        yield "memory", f"{about.memory_gb:.0f} GB"
        yield "system", about.system
        yield "date", about.date
        yield "rounds", str(about.rounds)
        yield "took", f"{about.minutes:.1f} minutes"
        yield "load before", f"{about.load_before:.2f}"
        if about.stolen_percent is not None:
            yield "time stolen by the hypervisor", f"{about.stolen_percent:.1f} %"
        yield from about.versions.items()

    left_out = "".join(f"\nLeft out: {name}, because: {reason}.\n" for name, reason in about.left_out.items())
    added = "".join(
        f"\nMeasured at another time: {name}, on {other.date}, {_server(other)}, load before {other.load_before:.2f}"
        f"{': the machine had other work' * (other.load_before > IDLE)}.\n"
        for name, other in results.added.items()
    )
    return f"## Machine and versions\n\n{table(('', ''), rows())}\n{left_out}{added}"


def _server(about: About) -> str:
    return ", ".join(f"{name} {about.versions[name]}" for name in ("Redis", "Valkey") if name in about.versions)
