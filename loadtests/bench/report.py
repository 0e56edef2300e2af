"""The results page, written from results.json alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from loadtests.bench import cluster, growth, scaling, several_seats
from loadtests.bench.contestants import ASYNC, BASE, THREADS
from loadtests.bench.contestants.base import POOL
from loadtests.bench.contestants.database import CONNECTIONS
from loadtests.bench.results import About, Results, Series, Spread, ratios
from loadtests.bench.tables import NONE, middle, number, spread, table, times
from loadtests.bench.targets import best, targets

_HEAD: Final = """# Benchmarks

<!-- Written by `make bench`; change loadtests/bench instead. -->

All contestants run side by side, from one Python process, on the same private server, and take turns in every round.
Ratios are taken round by round, between two runs that were made next to each other. Figures are medians of the rounds,
with the least and the greatest in parentheses. Every run proves its own result (for example: every seat sold exactly
once), or the benchmark fails. The raw figures are in [results.json](benchmarks/results.json).
"""

_REPEAT: Final = """## How to repeat it

    make bench                                         # everything: about ten minutes, on an idle machine
    make bench BENCH_ARGS=--quick                      # all measurements in small, under a minute; into build/bench
    make bench BENCH_ARGS='--only throughput,hot_seat' # some of them
    make bench BENCH_ARGS='--server /path/to/redis-server'

The client and the server each want a core of their own: on a machine that does other things the figures are lower, and
those of the fastest contestants suffer most.
"""


def page(results: Results) -> str:
    """The whole page."""
    assert results.about is not None
    parts = [
        _HEAD + (_rough(results.about) if results.about.quick else ""),
        _targets(results),
        _throughput(results),
        _threads(results),
        _hot_seat(results),
        _one_call(results),
        _growth(results),
        _open_load(results),
        _scaling(results),
        _several_seats(results),
        _profile(results),
        _machine(results.about),
        _REPEAT,
    ]
    return "\n".join(part for part in parts if part)


def _rough(about: About) -> str:
    return f"\n**This was a quick run ({about.minutes:.1f} minutes): the figures are rough.**\n"


def _figure(name: str, text: str) -> str:
    return f"![{text}](benchmarks/{name}.svg)\n\n([the same as PNG](benchmarks/{name}.png))\n"


def _targets(results: Results) -> str:
    rows = [(one.name, "met" if one.met else "**missed**", one.measured, one.wanted) for one in targets(results)]
    if not rows:
        return ""
    text = "## Targets\n\n" + table(("target", "", "measured", "wanted"), rows) + "\n"
    if any(row[1] != "met" for row in rows):
        text += "\nWhere the time goes instead is in the [profile](#profile).\n"
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

{_figure("throughput", "Bookings a second by the number of concurrent buyers")}
Times the bookings a second of {BASE.name}, with so many buyers (asyncio tasks) at once:

{table(head, as_ratio)}

Bookings a second:

{table(head, as_rate)}

{_costs(series)}
What a booking is:

{about}

All over a unix socket. The asyncio peers share {POOL} connections (fewer or more made them slower), PostgreSQL has a pool
of {CONNECTIONS}. Neither Redis nor PostgreSQL waits for a disk: Redis keeps nothing, PostgreSQL runs with
`synchronous_commit=off`.
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
    return f"""{_figure("cpu", "CPU time of client and server a booking")}
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

Bookings a second. A `SeatLocker` sends a call for every request, and does more in it than a lock does: the outbox entry,
the change feed, the seat map. Throughput is what the asyncio locker and the `_many` calls are for.

{table(head, as_rate)}
"""


def _hot_seat(results: Results) -> str:
    found = results.hot_seat
    if not found:
        return ""
    base = next(one for one in found if one.contestant == BASE.name)
    rows = []
    for one in found:
        ratio = [other.seconds / run.seconds for run, other in zip(one.runs, base.runs, strict=True)]
        cells = [spread([getattr(run, name) * 1000 for run in one.runs]) for name in ("seconds", "p50", "p99")]
        rows.append((one.contestant, times(Spread.of(ratio)), *cells))
    head = ("contestant", "times as fast", "all have an answer, ms", "p50, ms", "p99, ms")
    return f"""## One hot seat

{_figure("hot_seat", "Time until everyone has an answer")}
{found[0].buyers:,} buyers ask for the same seat at the same moment. In every run exactly one got it, and everyone else was told
no (by seatlock: with the state of the seat and when it may come back).

{table(head, rows)}
"""


def _one_call(results: Results) -> str:
    if not results.one_call:
        return ""
    rows = []
    for one in results.one_call:
        ratio = Spread.of([ours / bare for ours, bare in zip(one.ours, one.bare, strict=True)])
        rows.append((one.verb, times(ratio), spread(one.ours), spread(one.bare)))
    head = ("call", "times the bare EVALSHA", "seatlock, µs", "bare, µs")
    return f"""## One call alone

One caller, one call after another: seatlock's, and the same script's by redis-py's `evalsha` with arguments made
beforehand, on a client with the same settings, in turn. Medians of each round.

{table(head, rows)}
"""


def _growth(results: Results) -> str:
    if not results.growth:
        return ""
    first = results.growth[0].rounds
    times_rows = []
    for one in results.growth:
        pairs = zip(one.rounds, first, strict=True)
        cells = [spread([getattr(r, n) for r in one.rounds]) for n in ("server_us", "client_us", "server_alone_us")]
        ratio = times(Spread.of([mine.server_us / other.server_us for mine, other in pairs]))
        times_rows.append((f"{one.seats:,}", ratio, *cells))
    sizes = [
        (
            f"{one.seats:,}",
            *map(number, (one.available_bytes, one.held_bytes, one.sold_bytes, one.streams_bytes)),
            *map(middle, (one.section_ms, one.whole_ms)),
            f"{one.warm_seconds:.1f}",
        )
        for one in results.growth
    ]
    head = ("seats in the show", "server, times the smallest", "server, µs", "client, µs", "server, called alone, µs")
    return f"""## How cost grows with the show

{_figure("growth", "Time of an acquire by the seats in the show")}
One acquire: time in the script (`INFO commandstats`) and client CPU, {growth.BUYERS:,} buyers at once; and the script's time
when a call is alone.

{table(head, times_rows)}

Memory, in bytes a seat (differences of `used_memory`; held and sold are on top of available), reading the availability
of one section of {growth.SECTION} seats and of the whole plan, and warming. Of what a sold seat takes, the outbox entry and the
change feed are shown beside it: a ledger's relay removes the first, the second is capped.

{
        table(
            ("seats in the show", "available", "held", "sold", "of it streams", "section, ms", "whole, ms", "warm, s"),
            sizes,
        )
    }
"""


def _open_load(results: Results) -> str:
    if not results.open_load:
        return ""
    rows = [
        (
            one.contestant,
            f"{one.percent} %",
            *(spread([getattr(run, name) for run in one.rounds]) for name in ("p50", "p99", "p999")),
            middle([run.rate for run in one.rounds]),
            middle([run.done_rate for run in one.rounds]),
        )
        for one in results.open_load
    ]
    most = ", ".join(
        f"{one.contestant} {number(one.maximum)}"
        for one in results.open_load
        if one.percent == results.open_load[0].percent
    )
    head = ("contestant", "load", "p50, ms", "p99, ms", "p99.9, ms", "arrivals a second", "bookings a second")
    return f"""## Latency under open load

{_figure("open_load", "Latency of a booking by load")}
Buyers arrive at random (Poisson) at a fixed rate, served or not, and their time runs from the scheduled arrival to the
confirmed booking, so a stall hits everyone who arrives during it (no coordinated omission). The load is a part of each
contestant's own maximum, measured with all buyers arriving at once, a task each: {most} bookings a second. The generator
shares the client's core.

{table(head, rows)}
"""


def _scaling(results: Results) -> str:
    if not results.scaling:
        return ""
    assert results.about is not None
    first = results.scaling[0].runs
    rows = []
    for one in results.scaling:
        ratio = Spread.of([run.rate / base.rate for run, base in zip(one.runs, first, strict=True)])
        servers = [[cpu for cpu in run.server_cpu if cpu is not None] for run in one.runs]
        busiest = [max(cpus) / run.seconds * 100 if cpus else None for cpus, run in zip(servers, one.runs, strict=True)]
        whole = [
            (sum(cpus) + run.client_cpu) / run.seconds / results.about.cores * 100 if cpus else None
            for cpus, run in zip(servers, one.runs, strict=True)
        ]
        cells = (spread([run.rate for run in one.runs]), middle(busiest), middle(whole))
        rows.append((one.setup, str(one.processes), times(ratio), *cells))
    head = ("servers", "processes", "times the first row", "bookings a second", "busiest server, %", "all cores, %")
    return f"""## Several processes, and a cluster

{_figure("scaling", "Total throughput by processes")}
{scaling.BUYERS:,} buyers in every process; the cluster has {cluster.PRIMARIES} primaries and no replicas. All over loopback TCP, which a
cluster needs. *Busiest server* is the part of a core that the busiest one used; *all cores* is what clients and servers
together used of this machine's {results.about.cores}: where the first is near 100, the server is the limit; where the second is,
the machine is.

{table(head, rows)}
"""


def _several_seats(results: Results) -> str:
    series = results.several_seats
    if not series:
        return ""
    base = next(one for one in series if one.contestant == BASE.name)
    rows = [
        (
            one.contestant,
            times(ratios(one.samples, base.samples)),
            spread([sample.rate for sample in one.samples]),
            middle([sample.client_us for sample in one.samples]),
            middle([sample.server_us for sample in one.samples]),
            middle([sample.server_busy for sample in one.samples]),
        )
        for one in series
    ]
    head = ("contestant", f"times {BASE.name}", "holds a second", "client, µs", "server, µs", "server, % of a core")
    return f"""## Four seats at once

{_figure("several_seats", "Four-seat holds a second")}
All four or none, {several_seats.BUYERS:,} buyers at once. The locks take four locks one after another, and would have to undo
them if the last one fails.

{table(head, rows)}
"""


def _profile(results: Results) -> str:
    profile = results.profile
    if profile is None:
        return ""
    scripts = [one for one in profile.commands if one.name in ("evalsha", "eval")]
    inner = [one for one in profile.commands if one not in scripts]
    script_us = sum(one.usec for one in scripts)
    lua_us = script_us - sum(one.usec for one in inner)
    whole = profile.run.server_us
    rows = [
        ("all CPU of the server", NONE, NONE if whole is None else number(whole)),
        ("of it the scripts", number(sum(one.calls for one in scripts)), number(script_us)),
        ("of them Lua itself", NONE, number(lua_us)),
        *((f"`{one.name}`", number(one.calls), number(one.usec)) for one in inner),
    ]
    return f"""## Profile

seatlock, {profile.buyers:,} buyers, acquire and confirm. A booking took {number(profile.run.client_us)} µs of client CPU with the profiler on;
{profile.samples:,} looks at the running function, one a millisecond of CPU time. C code counts for the function that called it.

{_figure("profile", "Client time by part, server time by command")}
{table(("part of the client", "%"), ((line.where, f"{line.percent:.1f}") for line in profile.parts))}

{table(("function", "%"), ((f"`{line.where}`", f"{line.percent:.1f}") for line in profile.lines))}

The server, by its own statistics (`INFO commandstats`):

{table(("server", "calls a booking", "µs a booking"), rows)}
"""


def _machine(about: About) -> str:
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
    return f"## Machine and versions\n\n{table(('', ''), rows())}\n{left_out}"


