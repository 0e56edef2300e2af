"""The sections of the results page after the first: one function a measurement, empty where it was not made."""

from __future__ import annotations

from loadtests.bench.cluster import PRIMARIES
from loadtests.bench.contestants.roster import BASE
from loadtests.bench.growth import GROUP, SECTION
from loadtests.bench.results import Profile, Results, Spread, ratios
from loadtests.bench.scaling import BUYERS as BUYERS_A_PROCESS
from loadtests.bench.several_seats import BUYERS as BUYERS_OF_FOURS
from loadtests.bench.tables import NONE, figure, middle, number, spread, table, times


def hot_seat(results: Results) -> str:
    """The rush for one seat."""
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

{figure("hot_seat", "Time until everyone has an answer")}
{found[0].buyers:,} buyers ask for the same seat at the same moment. In every run exactly one got it, and everyone else
was told no (by seatlock: with the state of the seat and when it may come back).

{table(head, rows)}
"""


def one_call(results: Results) -> str:
    """One call against the bare one."""
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


def growth(results: Results) -> str:
    """Shows of all sizes."""
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

{figure("growth", "Time of an acquire by the seats in the show")}
One acquire: time in the script (`INFO commandstats`) and client CPU, {GROUP} at once; and the script's time
when a call is alone.

{table(head, times_rows)}

Memory, in bytes a seat (differences of `used_memory`; held and sold are on top of available), reading the availability
of one section of {
        SECTION
    } seats and of the whole plan, and warming. Of what a sold seat takes, the outbox entry and the
change feed are shown beside it: a ledger's relay removes the first, the second is capped.

{
        table(
            ("seats in the show", "available", "held", "sold", "of it streams", "section, ms", "whole, ms", "warm, s"),
            sizes,
        )
    }
"""


def open_load(results: Results) -> str:
    """Latency under open load."""
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

{figure("open_load", "Latency of a booking by load")}
Buyers arrive at random (Poisson) at a fixed rate, served or not, and their time runs from the scheduled arrival to the
confirmed booking, so a stall hits everyone who arrives during it (no coordinated omission). The load is a part of each
contestant's own maximum, measured with all buyers arriving at once, a task each: {most} bookings a second. The
generator shares the client's core.

{table(head, rows)}
"""


def scaling(results: Results) -> str:
    """Processes and clusters."""
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
        both = [
            (sum(cpus) + run.client_cpu) / run.work * 1e6 if cpus else None
            for cpus, run in zip(servers, one.runs, strict=True)
        ]
        cells = (spread([run.rate for run in one.runs]), middle(busiest), middle(whole), middle(both))
        rows.append((one.setup, str(one.processes), times(ratio), *cells))
    head = (
        *("servers", "processes", "times the first row", "bookings a second", "busiest server, %", "all cores, %"),
        "CPU a booking, µs",
    )
    return f"""## Several processes, and a cluster

{figure("scaling", "Total throughput by processes")}
{BUYERS_A_PROCESS:,} buyers in every process; the cluster has {PRIMARIES} primaries and no replicas. All over loopback
TCP, which a cluster needs. *Busiest server* is the part of a core that the busiest one used; *all cores* is what
clients and servers together used of this machine's {results.about.cores}: where the first is near 100, the server is
the limit; where the second is, the machine is. *CPU a booking* is that of clients and servers.

On this machine it stops at the cores: one process and one server have one each, or nearly. Processes that share cores
pay more CPU a booking (smaller batches, and cores that change hands), so more of them, or more servers, give nothing.

{table(head, rows)}
"""


def several_seats(results: Results) -> str:
    """Four seats at once."""
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

{figure("several_seats", "Four-seat holds a second")}
All four or none, {BUYERS_OF_FOURS:,} buyers at once. The locks take four locks one after another, and would have to
undo them if the last one fails.

{table(head, rows)}
"""


def profile(results: Results) -> str:
    """Where the time goes."""
    if not results.profile:
        return ""
    parts = "\n".join(map(_one_profile, results.profile))
    return f"""## Profile

seatlock alone, once more, with a profiler that looks every millisecond at the function that runs; C code counts for the
Python function that called it. The server's CPU time is the system's figure, the rest are its own statistics
(`INFO commandstats`), which count time on the clock, and so too much when something else wants the core.

{figure("profile", "Time of the client by part, of the server by command")}
{parts}"""


def _one_profile(found: Profile) -> str:
    scripts = [one for one in found.commands if one.name in ("evalsha", "eval")]
    inner = [one for one in found.commands if one not in scripts]
    script_us = sum(one.usec for one in scripts)
    lua_us = script_us - sum(one.usec for one in inner)
    server = [
        ("all CPU of the server", NONE, middle([found.run.server_us])),
        ("of it the scripts", number(sum(one.calls for one in scripts)), number(script_us)),
        ("of them Lua itself", NONE, number(lua_us)),
        *((f"`{one.name}`", number(one.calls), number(one.usec)) for one in inner),
    ]
    unit_us = found.run.seconds / found.run.work * 1e6
    client = [(line.where, f"{line.percent * unit_us / 100:.2f}", f"{line.percent:.1f}") for line in found.parts]
    lines = [(f"`{one.where}`", f"{one.percent * unit_us / 100:.2f}", f"{one.percent:.1f}") for one in found.lines]
    return f"""### {found.what[0].upper()}{found.what[1:]}

{number(found.run.rate)} a second, {number(unit_us)} µs each; {found.samples:,} looks.

{table(("part of the client", f"µs {found.unit}", "%"), client)}

{table(("function", f"µs {found.unit}", "%"), lines)}

{table(("server", f"calls {found.unit}", f"µs {found.unit}"), server)}
"""
