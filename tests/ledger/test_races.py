"""Several who decide at once: no two answers contradict each other, nor what is in the tables."""

from __future__ import annotations

import multiprocessing
from collections import defaultdict
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial

import pytest

from seatlock.ledger import Ledger, Record
from tests.ledger.databases import contradictions
from tests.ledger.deciders import POOLS, Run, work

DECIDERS = 6


def sell(executor: Executor, ledger: Ledger, url: str, show: str, rounds: int) -> list[Run]:
    ledger.set_pools(show, POOLS)
    with executor:
        return list(executor.map(partial(work, url, show, rounds=rounds), range(DECIDERS)))


def inconsistent(ledger: Ledger, records: list[Record]) -> list[str]:
    """Answers that cannot both be, or that are not what is on record in the end."""
    told: list[str] = []
    by_booking: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in records:
        if record not in by_booking[record.key]:
            by_booking[record.key].append(record)
    for key, answers in by_booking.items():
        statuses = {answer.status for answer in answers}
        if {"confirmed", "rejected"} <= statuses or {"cancelled", "rejected"} <= statuses:
            told.append(f"{key} was {statuses}")
        final = ledger.outcome(*key)
        assert final is not None
        if len(answers) > len(statuses):
            told.append(f"{key} was {statuses} in more ways than one")
        if any(answer.status != "confirmed" and answer != final for answer in answers):
            told.append(f"{key} was {statuses} and is {final.status}")
        if statuses == {"confirmed"} and final.status not in ("confirmed", "cancelled"):
            told.append(f"{key} was confirmed and is {final.status}")
    return told


def check(ledger: Ledger, runs: list[Run]) -> None:
    records = [record for run in runs for record in run.records]
    assert sum(run.lost for run in runs) > 10, "commits were lost"
    assert {record.status for record in records} == {"confirmed", "rejected", "cancelled"}
    assert any(record.conflicts for record in records)
    assert inconsistent(ledger, records) == []
    assert contradictions(ledger) == []


def test_threads(ledger: Ledger, url: str, show: str) -> None:
    check(ledger, sell(ThreadPoolExecutor(DECIDERS), ledger, url, show, rounds=40))


@pytest.mark.timeout(200)
def test_processes(ledger: Ledger, url: str, show: str) -> None:
    spawned = ProcessPoolExecutor(DECIDERS, mp_context=multiprocessing.get_context("spawn"))
    check(ledger, sell(spawned, ledger, url, show, rounds=40))
