"""The proofs that are there only if the house has rules of its own, such as seats that it keeps. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator

from seatlock.simulation.evidence import Evidence, Proof, both


def prove_rules(evidence: Evidence) -> Iterator[Proof]:
    """Judge whether the rules that there were have been kept."""
    if evidence.kept:
        yield _kept(evidence)


def _kept(evidence: Evidence) -> Proof:
    """What the house blocked was never sold: not to anybody with a receipt, and Redis knows of no sale of it either."""
    kept, raw = sorted(evidence.kept), evidence.raw
    on_paper = [
        f"{seat}: {receipt.hold.holder} has a receipt"
        for seat in kept
        for receipt in evidence.receipts_of.get(seat, ())
    ]
    in_redis = [f"{seat}: {lock.holder or 'somebody'} has a lock" for seat in kept if (lock := raw.locks.get(seat))]
    in_redis += [
        f"{seat}: booking {entry.booking} in the outbox has it"
        for entry in raw.outbox
        for seat in entry.seats
        if seat in evidence.kept
    ]
    in_redis += [
        f"{seat}: not blocked any more" for seat in kept if seat not in raw.mirrors or raw.mirrors[seat].state != "b"
    ]
    proof = both("blocked seats sold", on_paper, in_redis)
    return Proof(proof.name, f"{proof.figures}, of {len(kept):,}", proof.ok, proof.offenders)
