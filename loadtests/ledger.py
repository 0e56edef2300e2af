"""How many bookings a second the ledger decides alone, in batches: ``python -m loadtests.ledger``.

One process and one transaction at a time; every booking is of one seat, in one show, and nobody wants the same.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from loadtests.bench.postgres import Postgres
from seatlock.ledger import Claim, Ledger, hash_of

DURABLE: Final = {"listen_addresses": "", "synchronous_commit": "on", "shared_buffers": "256MB"}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure PostgreSQL and SQLite, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--seconds", type=float, default=5.0, help="for each of three rounds")
    options = parser.parse_args(arguments)
    with Postgres.start(DURABLE) as server, tempfile.TemporaryDirectory() as folder:
        urls = {
            f"PostgreSQL {server.version}": f"postgresql://bench@/postgres?host={server.directory}",
            "SQLite": f"sqlite:///{Path(folder) / 'ledger.db'}",
        }
        for name, url in urls.items():
            with Ledger(url) as ledger:
                ledger.migrate()
                rates = [measure(ledger, f"round-{number}", options.batch, options.seconds) for number in range(3)]
            print(f"{name}: {statistics.median(rates):,.0f} bookings a second, batches of {options.batch}", rates)


def measure(ledger: Ledger, show: str, size: int, seconds: float) -> float:
    """Decide batches for so many seconds: gives bookings a second."""
    number = 0
    spent = 0.0
    while spent < seconds:
        claims = [_claim(show, number + at) for at in range(size)]  # not what is measured
        begun = time.perf_counter()
        answers = ledger.decide_many(claims)
        spent += time.perf_counter() - begun
        if any(getattr(answer, "status", "") != "confirmed" for answer in answers):
            raise SystemExit(f"not all were confirmed: {answers[0]}")
        number += size
    return number / spent


def _claim(show: str, number: int) -> Claim:
    booking = f"{number:032x}"
    return Claim(
        show=show,
        booking=booking,
        holder=f"user-{number}",
        token_hash=hash_of(booking),
        epoch=1,
        fence=(1 << 40) + number,
        seats=(f"S-{number}",),
        payment=f"pay_{number}",
    )


if __name__ == "__main__":
    main()
