"""Who decides, rejects and cancels at random the same few bookings as others do, and remembers every answer."""

from __future__ import annotations

import random
from typing import Final, NamedTuple

from seatlock.ledger import Claim, Decision, Ledger, Record
from tests.ledger.databases import claim
from tests.ledger.faults import at_commit, now_and_then

BOOKINGS: Final = 150
SEATS: Final = 60
POOLS: Final = {"floor": 40, "stand": 3}


class Run(NamedTuple):
    """What came of it: every record that was answered, and how many commits were lost."""

    records: list[Record]
    lost: int


def population(show: str) -> list[Claim]:
    """The claims: far more than there are seats for."""
    chance = random.Random(show)
    return [
        claim(
            show,
            f"b-{number}",
            [f"S-{seat}" for seat in chance.sample(range(SEATS), chance.randint(1, 3))],
            pools={pool: chance.randint(1, 2) for pool in POOLS} if number % 3 == 0 else None,
            holder=f"holder-{number}",
        )
        for number in range(BOOKINGS)
    ]


def work(url: str, show: str, seed: int, rounds: int) -> Run:
    """Do it for so many rounds, on a ledger of one's own that loses some of its commits."""
    chance = random.Random(f"{show} {seed}")
    claims = population(show)
    records: list[Record] = []
    lost = [0]
    with Ledger(url, patience=100) as ledger:
        at_commit(ledger, now_and_then(seed, 0.15, lost))
        for _ in range(rounds):
            what = chance.random()
            batch = chance.choices(claims, k=chance.randint(1, 20))
            if what < 0.7:
                answers = ledger.decide_many(batch)
            elif what < 0.8:
                answers = [ledger.decide(one) for one in batch[:3]]
            elif what < 0.9:
                answers = [*ledger.tombstone(batch[:3], reason="lost")]
            else:
                records += [ledger.cancel(show, one.booking, by="eve") for one in batch[:3]]
                continue
            for answer in answers:
                if not isinstance(answer, Decision) or answer.record is None:
                    raise AssertionError(f"no answer: {answer!r}")
                records.append(answer.record)
    return Run(records, lost[0])
