"""The proofs: what the buyers have on paper against what lies in Redis. Pure functions.

Each looks at all of the evidence and counts what speaks against it; 0 is what it takes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Final

from seatlock.simulation.evidence import Evidence, Proof, both, none
from seatlock.simulation.pool_proofs import prove_pools
from seatlock.simulation.raw import RawEntry, RawLock, RawMirror
from seatlock.simulation.rules import prove_rules
from seatlock.simulation.tally import Receipt

__all__ = ["Evidence", "Proof", "prove"]


def prove(evidence: Evidence) -> tuple[Proof, ...]:
    """Judge the evidence; of a show that has pools alone, seats are no matter."""
    seats = _OF_SEATS if evidence.plan.seats or evidence.raw.mirrors or evidence.raw.locks else ()
    found = [judge(evidence) for judge in seats]
    return (*found, *prove_pools(evidence), *(judge(evidence) for judge in _OF_ALL), *prove_rules(evidence))


def _sold_twice(evidence: Evidence) -> Proof:
    on_paper = [
        f"{seat}: {', '.join(receipt.hold.holder for receipt in receipts)} each have a receipt"
        for seat, receipts in evidence.receipts_of.items()
        if len(receipts) > 1
    ]
    in_redis = [
        f"{seat}: the receipt is {receipts[0].hold.holder}'s, the lock says {_owner(lock)}"
        for seat, receipts in evidence.receipts_of.items()
        if (lock := evidence.sold_locks.get(seat)) is not None and not any(_owns(receipt, lock) for receipt in receipts)
    ]
    confirmed = (entry for entry in evidence.raw.outbox if entry.kind == "confirmed")
    entries = Counter(chain.from_iterable(entry.seats for entry in confirmed))
    cancelled = (entry for entry in evidence.raw.outbox if entry.kind == "cancelled")
    entries.subtract(chain.from_iterable(entry.seats for entry in cancelled))
    in_redis += [f"{seat}: the outbox has {count} bookings of it" for seat, count in entries.items() if count > 1]
    return both("seats sold twice", on_paper, in_redis)


def _lost(evidence: Evidence) -> Proof:
    on_paper = [
        f"{seat}: {receipts[0].hold.holder} has a receipt, the seat is not sold"
        for seat, receipts in evidence.receipts_of.items()
        if seat not in evidence.sold_locks
    ]
    in_redis = [
        f"{seat.id}: {complaint}" for seat in evidence.plan.seats if (complaint := _lost_to_the_sale(evidence, seat.id))
    ]
    return both("seats lost", on_paper, in_redis)


def _lost_to_the_sale(evidence: Evidence, seat: str) -> str | None:
    """Why nobody has the seat and nobody can get it; None where all is well."""
    mirror = evidence.raw.mirrors.get(seat)
    if mirror is None:
        return "the show does not know the seat"
    sale = evidence.sold_locks.get(seat)
    if sale is not None and seat not in evidence.receipts_of and sale.token not in evidence.doubtful_tokens:
        return f"sold to {_owner(sale)}, and nobody has a receipt"
    if mirror.state in ("p", "?"):
        return "neither free nor sold"
    status = evidence.plan.index[seat].status
    if mirror.state == "b" and status != "blocked" and seat not in evidence.kept:
        return "blocked, though the plan has it for sale"
    if mirror.state == "s" and seat not in evidence.raw.locks:
        return "sold, and nobody has it"
    return None


def _confirmed_is_sold(evidence: Evidence) -> Proof:
    in_doubt = {
        seat
        for seat, lock in evidence.sold_locks.items()
        if seat not in evidence.receipts_of and lock.token in evidence.doubtful_tokens
    }
    confirmed = sum(len(receipt.booking.seats) for receipt in evidence.receipts)
    sold = len(evidence.sold_locks) - len(in_doubt)
    ok = confirmed == sold
    note = f" (and {len(in_doubt):,} in doubt)" if in_doubt else ""
    return Proof("confirmed = sold", f"{confirmed:,} {'=' if ok else 'is not'} {sold:,}{note}", ok)


def _all_seats_there(evidence: Evidence) -> Proof:
    states = Counter(mirror.state for mirror in evidence.raw.mirrors.values())
    free, sold, blocked = states["f"] + states["c"], states["s"], states["b"]
    seats = len(evidence.plan)
    ok = free + sold + blocked == seats == len(evidence.raw.mirrors)
    kept = f" + {blocked:,} blocked" if blocked else ""
    return Proof(
        "free + sold = seats", f"{free:,} free + {sold:,} sold{kept} {'=' if ok else 'is not'} {seats:,} seats", ok
    )


def _locks_agree(evidence: Evidence) -> Proof:
    categories = {name: number for number, name in enumerate(evidence.plan.categories)}
    offenders: list[str] = []
    for seat in sorted(evidence.raw.locks.keys() | evidence.raw.mirrors.keys()):
        lock, mirror = evidence.raw.locks.get(seat), evidence.raw.mirrors.get(seat)
        if not _agree(lock, mirror):
            offenders.append(f"{seat}: the lock says {_state(lock)}, the availability hash {_state(mirror)}")
        elif mirror is not None and (known := evidence.plan.index.get(seat)) is not None:
            if mirror.category != categories.get(known.category):
                offenders.append(f"{seat}: the category is not the plan's")
        else:
            offenders.append(f"{seat}: not in the plan")
    return none("lock and hash disagree", offenders)


def _agree(lock: RawLock | None, mirror: RawMirror | None) -> bool:
    if mirror is None:
        return False
    if lock is None:
        return mirror.state in ("f", "c", "b")
    if lock.state == "h":
        return mirror.state == "h" and mirror.deadline == lock.deadline and lock.expires
    return lock.state in ("p", "s") and mirror.state == lock.state and not lock.expires


def _no_holds(evidence: Evidence) -> Proof:
    raw = evidence.raw
    held = {seat for seat, lock in raw.locks.items() if lock.state in ("h", "p")}
    held |= {seat for seat, mirror in raw.mirrors.items() if mirror.state in ("h", "p")}
    held |= {
        f"{holder}'s claim on {pool}" for pool, found in raw.pools.items() for holder in {*found.claims, *found.due}
    }
    return none("holds left at the end", sorted(held | raw.due))


def _receipts_agree(evidence: Evidence) -> Proof:
    entries: dict[str, list[RawEntry]] = {}
    for entry in evidence.raw.outbox:
        entries.setdefault(entry.booking, []).append(entry)
    offenders: list[str] = []
    known: set[str] = set()
    for receipt in evidence.receipts:
        known.add(receipt.booking.id)
        offenders += (
            f"{receipt.booking.id}: {complaint}"
            for complaint in _complaints(receipt, entries.get(receipt.booking.id, []), evidence)
        )
    in_doubt = {payment.payment for payment in evidence.doubts}
    offenders += (
        f"{booking}: in the outbox, and nobody has a receipt"
        for booking, found in entries.items()
        if booking not in known and not all(entry.payment in in_doubt for entry in found)
    )
    return none("receipts, locks and outbox disagree", offenders)


def _complaints(receipt: Receipt, entries: Sequence[RawEntry], evidence: Evidence) -> Iterable[str]:
    """What is wrong with one receipt, its locks and its outbox entry."""
    hold, booking = receipt.hold, receipt.booking
    facts = (booking.id, hold.holder, frozenset(hold.seats), hold.pools, receipt.payment, hold.fence)
    if (booking.id, booking.holder, frozenset(booking.seats), booking.pools, booking.payment, booking.fence) != facts:
        yield "the receipt is not what was paid for"
    if len(entries) != 1:
        yield f"{len(entries)} entries in the outbox"
    for entry in entries:
        if (entry.booking, entry.holder, frozenset(entry.seats), entry.pools, entry.payment, entry.fence) != facts:
            yield "the outbox says something else"
        if entry.kind != "confirmed":
            yield f"the outbox says {entry.kind}"
        if hold.token in entry.text:
            yield "the outbox has the token in it"
    for seat in hold.seats:
        lock = evidence.sold_locks.get(seat)
        if lock is not None and (lock.fence, lock.payment) != (hold.fence, receipt.payment):
            yield f"the lock of {seat} has another fence or payment"


def _fences(evidence: Evidence) -> Proof:
    given = Counter(evidence.fences)
    return none("fences given twice", [str(fence) for fence, count in given.items() if count > 1])


def _lasting(evidence: Evidence) -> Proof:
    return Proof("holds lost before their time", f"{evidence.lost_early:,}", evidence.lost_early == 0)


def _refreshed(evidence: Evidence) -> Proof:
    return Proof("refreshed holds not resumed", f"{evidence.not_resumed:,}", evidence.not_resumed == 0)


def _answered(evidence: Evidence) -> Proof:
    return Proof("requests without an answer", f"{evidence.unanswered:,}", evidence.unanswered == 0)


_OF_SEATS: Final[tuple[Callable[[Evidence], Proof], ...]] = (
    _sold_twice,
    _lost,
    _confirmed_is_sold,
    _all_seats_there,
    _locks_agree,
)

_OF_ALL: Final[tuple[Callable[[Evidence], Proof], ...]] = (
    _no_holds,
    _receipts_agree,
    _fences,
    _lasting,
    _refreshed,
    _answered,
)


_WORDS: Final = {
    "f": "free",
    "c": "free",
    "h": "held",
    "p": "pinned",
    "s": "sold",
    "b": "blocked",
    "?": "something else",
}


def _owns(receipt: Receipt, lock: RawLock) -> bool:
    hold = receipt.hold
    return (lock.token, lock.holder, lock.booking) == (hold.token, hold.holder, receipt.booking.id)


def _owner(lock: RawLock) -> str:
    return f"{lock.holder or 'nobody'} ({lock.booking or 'no booking'})"


def _state(found: RawLock | RawMirror | None) -> str:
    return "nothing" if found is None else _WORDS[found.state]
