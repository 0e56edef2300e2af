"""Random batches against plain Python, on both databases: every answer, every record, every seat and pool."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seatlock.errors import PlanConflict
from seatlock.ledger import Claim, Decision, Ledger
from tests.ledger.conftest import migrated, no_errors
from tests.ledger.databases import claim
from tests.ledger.reference import Reference, entry_of

SHOWS: Final = ("x", "y")
BOOKINGS: Final = tuple(f"b-{number}" for number in range(8))
SEATS: Final = tuple(f"S-{number}" for number in range(5))
POOLS: Final = ("floor", "stand", "never set")

_numbers: Final = itertools.count(1)
_shows: Final = st.sampled_from(SHOWS)
_bookings: Final = st.sampled_from(BOOKINGS)
_quantities: Final = st.dictionaries(st.sampled_from(POOLS), st.integers(1, 3), max_size=2)
_claims: Final = st.tuples(
    _shows,
    _bookings,
    st.lists(st.sampled_from(SEATS), unique=True, max_size=3),
    st.one_of(st.just({}), _quantities),
    st.sampled_from(["ann", "ann", "ann", "bob"]),
    st.sampled_from([0, 0, 0, 0, -1, 1]),  # from the epoch of the show
).filter(lambda told: told[2] or told[3])
_batches: Final = st.lists(_claims, min_size=1, max_size=8)
_steps: Final = st.lists(
    st.one_of(
        st.tuples(st.just("decide"), _batches),
        st.tuples(st.just("decide"), _batches),
        st.tuples(st.just("tombstone"), _batches),
        st.tuples(st.just("cancel"), st.tuples(_shows, _bookings)),
        st.tuples(st.just("raise_epoch"), _shows),
        st.tuples(
            st.just("set_pools"), st.tuples(_shows, st.dictionaries(st.sampled_from(POOLS[:2]), st.integers(1, 6)))
        ),
    ),
    max_size=12,
)


@pytest.fixture(scope="module")
def ledger_on(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Callable[[str], Ledger]]:
    """A factory: the module's ledger on a database, whose examples sell shows of their own."""
    made: dict[str, Ledger] = {}

    def ledger_on(kind: str) -> Ledger:
        if kind not in made:
            path: Path = tmp_path_factory.mktemp("model") / "ledger.db"
            url = migrated(f"sqlite:///{path}") if kind == "sqlite" else request.getfixturevalue("postgres_url")
            made[kind] = Ledger(str(url), patience=60)
        return made[kind]

    yield ledger_on
    for ledger in made.values():
        ledger.close()


class Pair:
    """The ledger and the reference, which are told the same and must say the same."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.reference = Reference()
        self.shows = {show: f"{show}-{next(_numbers)}" for show in SHOWS}

    def claims(self, batch: list[tuple[Any, ...]]) -> list[Claim]:
        told = []
        for show, booking, seats, pools, holder, off in batch:
            name = self.shows[show]
            epoch = max(self.reference.epochs.get(name, 1) + off, 0)
            told.append(claim(name, booking, seats, pools=pools, holder=holder, epoch=epoch))
        return told

    def decide(self, batch: list[tuple[Any, ...]]) -> None:
        claims = self.claims(batch)
        expected = [self.reference.decide(one) for one in claims]
        answers = self.ledger.decide_many(claims)
        assert [told(answer) for answer in answers] == expected
        assert [answer.epoch for answer in answers if isinstance(answer, Decision)] == [
            self.reference.epochs.get(one.show, 1) for one in claims
        ]

    def tombstone(self, batch: list[tuple[Any, ...]]) -> None:
        claims = self.claims(batch)
        expected = [self.reference.tombstone(one, "lost") for one in claims]
        assert [told(answer) for answer in self.ledger.tombstone(claims, reason="lost")] == expected

    def cancel(self, what: tuple[str, str]) -> None:
        show, booking = self.shows[what[0]], what[1]
        record = self.ledger.cancel(show, booking, by="eve", reason="refund")
        assert entry_of(record) == self.reference.cancel(show, booking, "eve", "refund")

    def raise_epoch(self, show: str) -> None:
        assert self.ledger.raise_epoch(self.shows[show]) == self.reference.raise_epoch(self.shows[show])

    def set_pools(self, what: tuple[str, dict[str, int]]) -> None:
        show, capacities = self.shows[what[0]], what[1]
        if self.reference.set_pools(show, capacities):
            self.ledger.set_pools(show, capacities)
        else:
            with pytest.raises(PlanConflict):
                self.ledger.set_pools(show, capacities)

    def compare(self) -> None:
        reference = self.reference
        for show in self.shows.values():
            assert self.ledger.epoch(show) == reference.epochs.get(show, 1)
            assert {seat.seat: seat.booking for seat in self.ledger.sold(show, limit=10_000)} == {
                seat: booking for (of, seat), booking in reference.sold.items() if of == show
            }
            assert {pool: [stock.capacity, stock.sold] for pool, stock in self.ledger.pools(show).items()} == {
                pool: stock for (of, pool), stock in reference.pools.items() if of == show
            }
            for booking in BOOKINGS:
                assert entry_of(self.ledger.outcome(show, booking)) == reference.entries.get((show, booking))
            for seat in SEATS:
                noted = [(show, seat, e.what, e.who, e.booking) for e in self.ledger.history(show, seat)]
                assert noted == [entry for entry in reference.history if entry[:2] == (show, seat)]
            for pool in POOLS:
                of_pool = self.ledger.pool_history(show, pool)
                told_of = [(show, pool, e.what, e.who, e.booking, e.quantity) for e in of_pool]
                assert told_of == [entry for entry in reference.pool_history if entry[:2] == (show, pool)]


def told(answer: object) -> tuple[str, object]:
    assert isinstance(answer, Decision), answer
    return answer.status, entry_of(answer.record)


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(steps=_steps)
def test_the_ledger_answers_as_plain_python_does(
    kind: str, ledger_on: Callable[[str], Ledger], steps: list[tuple[str, Any]]
) -> None:
    pair = Pair(ledger_on(kind))
    with no_errors(pair.ledger):
        for name, what in steps:
            getattr(pair, name)(what)
        pair.compare()
