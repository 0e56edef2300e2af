"""The sections of the results page on strict checkout."""

from __future__ import annotations

from typing import Any, Final

from loadtests.bench.results import Line, Results, Spread, Strict, StrictProfile
from loadtests.bench.tables import NONE, figure, middle, number, spread, table

PARTS: Final = ("client", "redis", "database")
_SHOWN: Final = 12  # functions of a profile


def best(found: list[Strict], way: str) -> Strict:
    """The processes and buyers with which a way was fastest."""
    return max(
        (one for one in found if one.way == way), key=lambda one: Spread.of([run.rate for run in one.runs]).median
    )


def strict(results: Results) -> str:
    """How many strict confirms a second, and what they cost."""
    found = results.strict
    if not found:
        return ""
    assert results.about is not None
    about = results.added.get("strict", results.about)
    rows = []
    for one in found:
        costs = [[run.us(part) for run in one.runs] for part in PARTS]
        busy = [
            100 * (run.client_cpu + run.redis_cpu + run.database_cpu) / run.seconds / about.cores
            if run.redis_cpu is not None and run.database_cpu is not None
            else None
            for run in one.runs
        ]
        rates = spread([run.rate for run in one.runs])
        rows.append((one.way, str(one.processes), f"{one.buyers:,}", rates, *map(middle, costs), middle(busy)))
    head = (
        *("", "processes", "buyers in each", "a second", "client, µs", "Redis, µs", "PostgreSQL, µs"),
        "of all cores, %",
    )
    return f"""## Strict confirms

{figure("strict", "CPU of a confirm: client, Redis, PostgreSQL")}
One seat a confirm, its hold made beforehand: Redis pins it, PostgreSQL decides and commits to the disk
(`synchronous_commit` is on), Redis is told. All on the same {about.cores} cores. No relay runs beside it, so the outbox
grows; what the relay would take is not in these figures. A fast confirm, and the ledger alone, in the same rounds. The
microseconds are CPU, by the system's figures; *of all cores* is how much of the machine these took together, and the
rest is waiting, or what else the machine did. After each run all seats are sold, once each, in Redis and in the ledger.

{table(head, rows)}
"""


def profile(results: Results) -> str:
    """Where the time of a strict confirm goes."""
    found = results.strict_profile
    if found is None:
        return ""
    threads = [(one.name, number(one.usec)) for one in found.threads]
    servers = [("Redis", middle([found.run.us("redis")])), ("PostgreSQL", middle([found.run.us("database")]))]
    scripts = [(f"`{one.name}`", f"{one.calls:.4f}", number(one.usec)) for one in found.scripts]
    commands = [(f"`{one.name}`", f"{one.calls:.4f}", number(one.usec)) for one in _inner(found)]
    statements = [
        (one.what, f"{one.calls:.4f}", number(one.plan_us) if one.plan_us else NONE, number(one.run_us))
        for one in found.statements
        if one.run_us >= 0.1
    ]
    return f"""### Where the time of a strict confirm goes

One process and {found.buyers:,} buyers, with a profiler in the client, Redis's slow log and PostgreSQL's log of all
statements on: {number(found.run.rate)} a second. {number(found.batch)} claims a transaction, {number(found.log_bytes)}
bytes of PostgreSQL's log for recovery a confirm. The threads of the client take turns (Python runs one at a time), so
one process gives no more than a second holds of their sum.

{table(("CPU", "µs a confirm"), [*threads, *servers])}

The event loop by function, and the ledger's own code, called alone in batches, {number(found.ledger_us)} µs of CPU a
booking; percents are of the looks at each. *wait* is the client waiting for PostgreSQL, *select* the event loop waiting
for either.

{_functions(found)}

On the clock, and so too much where something else wanted the core: Redis, by script and by the commands within, and
PostgreSQL by statement. *COMMIT* is the waiting for the disk, while another transaction works; the foreign key is in
*INSERT INTO sold_seats*.

{table(("script or command", "calls a confirm", "µs a confirm"), [*scripts, *commands])}

{table(("statement", "calls a confirm", "parsed and planned, µs", "µs a confirm"), statements)}
"""


def _inner(found: StrictProfile) -> list[Any]:
    return [one for one in found.commands if one.name not in ("evalsha", "eval")]


def _functions(found: StrictProfile) -> str:
    def rows(lines: list[Line]) -> list[tuple[str, str]]:
        return [(f"`{one.where}`", f"{one.percent:.1f}") for one in lines[:_SHOWN]]

    first = table(("event loop", "%"), rows(found.lines))
    return f"{first}\n\n{table(('ledger', '%'), rows(found.ledger_lines))}"
