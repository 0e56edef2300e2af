"""The benchmark of strict confirms, in small: it proves its own results, and here what it says of them."""

from __future__ import annotations

import msgspec

from loadtests.bench import strict, strict_profile, strict_sections
from loadtests.bench.results import Results
from loadtests.bench.settings import QUICK
from loadtests.bench.stage import Stage, usual_server

SMALL = msgspec.structs.replace(
    QUICK, strict_confirms=600, strict_rounds=1, strict_processes=(1, 2), strict_buyers=(100,)
)


def test_it_tells_rates_and_costs_of_strict_confirms_and_their_parts() -> None:
    with Stage(usual_server(), with_database=False) as stage:
        found = strict.measure(stage, SMALL)
    assert {(one.way, one.processes, len(one.runs)) for one in found} == {
        (way, processes, 1) for way in (strict.STRICT, strict.FAST, strict.LEDGER) for processes in (1, 2)
    }
    run = found[0].runs[0]
    assert run.work == SMALL.strict_confirms
    assert all((run.us(part) or 0.0) > 1 for part in ("client", "redis", "database"))
    assert strict_sections.best(found, strict.STRICT) in found


def test_the_profile_names_scripts_statements_and_functions() -> None:
    with Stage(usual_server(), with_database=False) as stage:
        found = strict_profile.measure(stage, SMALL)
    text = strict_sections.profile(Results(strict_profile=found))
    for word in ("`pin`", "`finalise`", "INSERT INTO sold_seats", "COMMIT", "the event loop", "the ledger's threads"):
        assert f"| {word} |" in text, word
    assert found.batch > 1
    assert found.log_bytes > 100
