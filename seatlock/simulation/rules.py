"""The proofs that are there only if the house has rules of its own, such as seats that it keeps. Pure functions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator

from seatlock.simulation.evidence import Evidence, Proof, both, none
from seatlock.simulation.tally import Stay


def prove_rules(evidence: Evidence) -> Iterator[Proof]:
    """Judge whether the rules that there were have been kept."""
    if evidence.kept:
        yield _kept(evidence)
    if evidence.limit is not None:
        yield _limited(evidence, evidence.limit)
    if evidence.best:
        yield _as_asked(evidence)
        yield _none_left(evidence)


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


def _limited(evidence: Evidence, limit: int) -> Proof:
    """Nobody has more seats and tickets of pools than the limit in the end, nor ever had, held and bought together."""
    on_paper = Counter[str]()
    for receipt in evidence.receipts:
        on_paper[receipt.hold.holder] += len(receipt.hold.seats) + sum(receipt.booking.pools.values())
    sold = Counter(lock.holder for lock in evidence.sold_locks.values())
    for pool in evidence.raw.pools.values():
        for sale in pool.sales:
            sold[sale.holder] += sale.quantity
    at_once = most_at_once(evidence.stays)
    proof = both(
        "holders over the limit",
        [f"{holder} had {count} seats at once" for holder, count in at_once.items() if count > limit]
        + [f"{holder} has receipts for {count} seats" for holder, count in on_paper.items() if count > limit],
        [f"{holder} has {count} seats" for holder, count in sold.items() if count > limit],
    )
    most = max(at_once.values(), default=0)
    return Proof(proof.name, f"{proof.figures}, at most {most}", proof.ok, proof.offenders)


def most_at_once(stays: Iterable[Stay]) -> dict[str, int]:
    """The most seats that each holder surely had at one time."""
    steps: dict[str, list[tuple[float, int]]] = {}
    for stay in stays:
        end = math.inf if stay.end is None else stay.end
        if stay.start < end:
            steps.setdefault(stay.holder, []).extend([(stay.start, stay.seats), (end, -stay.seats)])
    most: dict[str, int] = {}
    for holder, times in steps.items():
        now = most[holder] = 0
        for _, change in sorted(times):  # at one time the ends come first
            now += change
            most[holder] = max(most[holder], now)
    return most


def _as_asked(evidence: Evidence) -> Proof:
    """Whoever asked for the best seats got as many, of the plan, and side by side if that was said."""
    places: dict[str, tuple[str, str, int]] = {}
    lengths = Counter[tuple[str, str]]()
    for seat in evidence.plan.seats:
        row = (seat.section, seat.row)
        places[seat.id] = (*row, lengths[row])
        lengths[row] += 1
    offenders: list[str] = []
    adjacent = 0
    for best in evidence.bests:
        found = sorted(places[seat] for seat in set(best.seats) if seat in places)
        side_by_side = bool(found) and found[-1] == (*found[0][:2], found[0][2] + best.count - 1)
        adjacent += best.adjacent
        if len(found) != best.count or len(best.seats) != best.count:
            offenders.append(f"{best.holder} asked for {best.count} seats and got {', '.join(best.seats)}")
        elif best.adjacent and not side_by_side:
            offenders.append(f"{best.holder} was told that {', '.join(best.seats)} adjoin")
    proof = none("best seats not as asked", offenders)
    return Proof(
        proof.name, f"{proof.figures} of {len(evidence.bests):,}, {adjacent:,} adjoin", proof.ok, proof.offenders
    )


def _none_left(evidence: Evidence) -> Proof:
    """Whoever was told that not so many seats are free was told the truth: seats that nobody ever had were free."""
    had = {seat for best in evidence.bests for seat in best.seats} | evidence.kept
    untouched = [
        seat.id
        for seat in evidence.plan.seats
        if seat.status == "available" and seat.id not in had and seat.id not in evidence.raw.locks
    ]
    wrong = [] if evidence.unanswered else [count for count in evidence.none_left if count <= len(untouched)]
    offenders = [
        f"somebody who wanted {count}, while {len(untouched):,} seats were free all the time" for count in wrong
    ]
    proof = none("told none left, wrongly", offenders)
    return Proof(proof.name, f"{proof.figures} of {len(evidence.none_left):,} told", proof.ok, proof.offenders)
