"""The proofs of what is sold out of pools, where nothing has a number: they count quantities. Pure functions."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence

from seatlock.simulation.evidence import Evidence, Proof, both, none
from seatlock.simulation.raw import RawEntry
from seatlock.simulation.raw_pools import RawPool, RawSale
from seatlock.simulation.rules import most_at_once
from seatlock.simulation.tally import Claim, Receipt, Stay

NOTHING = RawPool((0, 0, 0), strange=("the pool itself",))


def prove_pools(evidence: Evidence) -> Iterator[Proof]:
    """Judge what was sold out of pools, if there were any."""
    if evidence.stock:
        yield _oversold(evidence)
        yield _at_once(evidence)
        yield _all_there(evidence)
        yield _confirmed_is_sold(evidence)
        yield _lost(evidence)
        yield _told_to_the_ledger(evidence)
        yield _came_back(evidence)
        yield _sold_out(evidence)


def _oversold(evidence: Evidence) -> Proof:
    """Never more than the stock was sold: not on the receipts, and not in Redis, by its sales, counts and outbox."""
    receipts, entries = _on_receipts(evidence), Counter[str]()
    for entry in evidence.raw.outbox:
        for pool, quantity in entry.pools.items():
            entries[pool] += quantity if entry.kind == "confirmed" else -quantity
    on_paper: list[str] = []
    in_redis: list[str] = []
    for pool, stock in evidence.stock.items():
        raw = _pool(evidence, pool)
        if receipts[pool] > stock:
            on_paper.append(f"{pool}: there are receipts for {receipts[pool]:,} of {stock:,}")
        sums = {"the sales add up to": raw.sold, "the count is": raw.counted[2], "the outbox has": entries[pool]}
        in_redis += (f"{pool}: {source} {sold:,} of {stock:,}" for source, sold in sums.items() if sold > stock)
    return both("sold beyond the stock", on_paper, in_redis)


def _at_once(evidence: Evidence) -> Proof:
    """Never more than the stock was in hands, held and bought: a claim that came back twice would show here."""
    stays = (Stay(claim.pool, claim.quantity, claim.start, claim.end) for claim in evidence.claims.values())
    most = most_at_once(stays)
    offenders = [
        f"{pool}: {most[pool]:,} of {stock:,} were in hands at once"
        for pool, stock in evidence.stock.items()
        if most.get(pool, 0) > stock
    ]
    figures = f"{len(offenders):,}, at most {sum(most.values()):,} of {sum(evidence.stock.values()):,} at once"
    return Proof("in hands beyond the stock", figures, not offenders, tuple(offenders))


def _all_there(evidence: Evidence) -> Proof:
    """What is free by the counts, held by the claims and sold by the sales is what the show was warmed with."""
    offenders: list[str] = []
    free = held = sold = 0
    for pool, stock in evidence.stock.items():
        raw = _pool(evidence, pool)
        free, held, sold = free + raw.free, held + raw.held, sold + raw.sold
        if raw.counted != (stock, raw.held, raw.sold):
            capacity, counted_held, counted_sold = raw.counted
            offenders.append(
                f"{pool}: {stock:,} were warmed, {raw.held:,} are claimed and {raw.sold:,} sold; the counts are "
                f"{capacity:,}, {counted_held:,} and {counted_sold:,}"
            )
        offenders += (f"{pool}: not as it should be: {what}" for what in raw.strange)
    offenders += (f"{pool}: nobody warmed it" for pool in evidence.raw.pools if pool not in evidence.stock)
    stock = sum(evidence.stock.values())
    claimed = f" + {held:,} held" if held else ""
    ok = not offenders
    sums = f"{free:,} free{claimed} + {sold:,} sold {'=' if free + held + sold == stock else 'is not'} {stock:,}"
    return Proof("free + sold = stock", sums, ok, tuple(offenders[:5]))


def _confirmed_is_sold(evidence: Evidence) -> Proof:
    doubtful = _in_doubt(evidence)
    confirmed, sold = _on_receipts(evidence).total(), sum(sale.quantity for _, sale in _sales(evidence)) - doubtful
    note = f" (and {doubtful:,} in doubt)" if doubtful else ""
    ok = confirmed == sold
    return Proof("confirmed = sold of the stock", f"{confirmed:,} {'=' if ok else 'is not'} {sold:,}{note}", ok)


def _lost(evidence: Evidence) -> Proof:
    """Every yes is a sale in Redis, of the same holder, quantity, booking, payment and fence, and every sale a yes."""
    sales = {(pool, sale.token): sale for pool, sale in _sales(evidence)}
    receipts = Counter((pool, receipt.hold.token) for receipt, pool in _receipts(evidence))
    on_paper: list[str] = []
    for receipt, pool in _receipts(evidence):
        sale = sales.get((pool, receipt.hold.token))
        if sale != _promised(receipt, pool):
            what = "there is no such sale" if sale is None else f"the sale is {_told(sale)}"
            on_paper.append(f"{pool}: {receipt.hold.holder} has a receipt for {receipt.booking.pools[pool]}, {what}")
    on_paper += (f"{pool}: {count} receipts for one sale" for (pool, _), count in receipts.items() if count > 1)
    in_redis = [
        f"{pool}: sold to {sale.holder or 'nobody'} ({_told(sale)}), and nobody has a receipt"
        for pool, sale in _sales(evidence)
        if (pool, sale.token) not in receipts and sale.token not in evidence.doubtful_tokens
    ]
    return both("bookings of the stock lost", on_paper, in_redis)


def _told_to_the_ledger(evidence: Evidence) -> Proof:
    """Every sale has its one entry in the outbox, and every entry its sale."""
    entries: dict[tuple[str, str], list[RawEntry]] = {}
    for entry in evidence.raw.outbox:
        for pool in entry.pools:
            entries.setdefault((pool, entry.booking), []).append(entry)
    offenders: list[str] = []
    sold: set[tuple[str, str]] = set()
    for pool, sale in _sales(evidence):
        sold.add((pool, sale.booking))
        found = entries.get((pool, sale.booking), [])
        facts = [(entry.kind, entry.holder, entry.pools[pool], entry.payment, entry.fence) for entry in found]
        if facts != [("confirmed", sale.holder, sale.quantity, sale.payment, sale.fence)]:
            offenders.append(f"{pool}: {_told(sale)}: {len(found)} entries in the outbox, or another one")
    offenders += (f"{pool}: {booking} is in the outbox, and not sold" for pool, booking in entries.keys() - sold)
    return none("stock sold without an outbox entry", offenders)


def _came_back(evidence: Evidence) -> Proof:
    """What was claimed and not bought is free again, once: none of it is missing, and none of it was added twice."""
    bought = {receipt.hold.token for receipt in evidence.receipts} | evidence.doubtful_tokens.keys()
    abandoned = {token for token in evidence.claims if token not in bought}
    offenders = [
        f"{pool}: the claim of {holder} never came back"
        for pool, raw in evidence.raw.pools.items()
        for holder, claim in raw.claims.items()
        if claim.token not in bought
    ]
    receipts, doubtful = _on_receipts(evidence), _in_doubt(evidence)
    for pool, stock in evidence.stock.items():
        found, expected = _pool(evidence, pool).free, stock - receipts[pool]
        if not expected - doubtful <= found <= expected:
            offenders.append(f"{pool}: {found:,} are free, where {stock:,} less {receipts[pool]:,} bought should be")
    proof = none("abandoned claims not back once", offenders)
    return Proof(proof.name, f"{proof.figures} of {len(abandoned):,}", proof.ok, proof.offenders)


def _sold_out(evidence: Evidence) -> Proof:
    """Nobody was told that not so many are left while so many surely were, from asking to answer."""
    spare = {pool: _Spare(stock, _claims(evidence, pool)) for pool, stock in evidence.stock.items()}
    offenders: list[str] = []
    for told in evidence.told:
        if told.left >= told.quantity:
            offenders.append(
                f"{told.holder} wanted {told.quantity} of {told.pool} and was told that {told.left} are left"
            )
        elif not evidence.unanswered and told.pool in spare:
            least = spare[told.pool].least(told.asked, told.answered, told.quantity)
            if least >= told.quantity:
                offenders.append(f"{told.holder} wanted {told.quantity} of {told.pool}, while {least:,} were free")
    proof = none("told sold out, wrongly", offenders)
    return Proof(proof.name, f"{proof.figures} of {len(evidence.told):,} told", proof.ok, proof.offenders)


class _Spare:
    """How many of a pool surely were free at any time: all but what somebody perhaps had."""

    def __init__(self, stock: int, claims: Sequence[Claim]) -> None:
        steps = [(claim.asked, -claim.quantity) for claim in claims]
        steps += [(claim.gone, claim.quantity) for claim in claims]
        self._times: list[float] = []
        self._free = [stock]  # before the first time, and from each on
        for time, change in sorted(steps):  # at one time, what is asked for comes first
            self._times.append(time)
            self._free.append(self._free[-1] + change)

    def least(self, start: float, end: float, enough: int) -> int:
        """The least that was free from start to end; below ``enough``, any such value will do."""
        place = bisect_right(self._times, start)
        least = self._free[place]
        while least >= enough and place < len(self._times) and self._times[place] <= end:
            place += 1
            least = min(least, self._free[place])
        return least


def _pool(evidence: Evidence, name: str) -> RawPool:
    return evidence.raw.pools.get(name, NOTHING)


def _claims(evidence: Evidence, pool: str) -> list[Claim]:
    return [claim for claim in evidence.claims.values() if claim.pool == pool]


def _sales(evidence: Evidence) -> Iterator[tuple[str, RawSale]]:
    for pool, raw in evidence.raw.pools.items():
        for sale in raw.sales:
            yield pool, sale


def _receipts(evidence: Evidence) -> Iterator[tuple[Receipt, str]]:
    """Every receipt with every pool that it is for."""
    for receipt in evidence.receipts:
        for pool in receipt.booking.pools:
            yield receipt, pool


def _on_receipts(evidence: Evidence) -> Counter[str]:
    """How many of each pool the receipts are for."""
    found = Counter[str]()
    for receipt, pool in _receipts(evidence):
        found[pool] += receipt.booking.pools[pool]
    return found


def _in_doubt(evidence: Evidence) -> int:
    """How many were sold to those who never got an answer to their payment."""
    receipts = {receipt.hold.token for receipt in evidence.receipts}
    doubtful = evidence.doubtful_tokens.keys() - receipts
    return sum(sale.quantity for _, sale in _sales(evidence) if sale.token in doubtful)


def _promised(receipt: Receipt, pool: str) -> RawSale:
    hold, booking = receipt.hold, receipt.booking
    return RawSale(hold.token, hold.holder, hold.pools.get(pool, 0), booking.id, receipt.payment, hold.fence)


def _told(sale: RawSale) -> str:
    return f"{sale.quantity} for {sale.booking or 'no booking'}"
