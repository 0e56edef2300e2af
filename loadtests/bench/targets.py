"""The targets, each beside what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from loadtests.bench import strict, strict_sections
from loadtests.bench.contestants.nobody import AsyncioAlone
from loadtests.bench.contestants.roster import BASE
from loadtests.bench.contestants.seats import Seatlock
from loadtests.bench.estimates import CHANGED
from loadtests.bench.results import Results, Series, Spread

RATE: Final = 50_000
RATIO: Final = 10
BUSY: Final = 90
HOT: Final = 15
ONE: Final = 1.15
PLACE: Final = 125
FLAT: Final = 2
LET_IN: Final = 10
TOLD: Final = 90
NOTICED: Final = 10
STRICT_RATE: Final = 20_000


class Target(msgspec.Struct, frozen=True):
    """One target: what is wanted, what was measured, and whether that is enough."""

    name: str
    wanted: str
    measured: str
    met: bool


def targets(results: Results) -> list[Target]:
    """Those whose measurements were made."""
    kinds = (_throughput, _hot_seat, _one_call, _waiting_room, _estimates, _strict)
    return [target for kind in kinds for target in kind(results)]


def best(series: list[Series] | None, contestant: str) -> Series | None:
    """The level at which a contestant was fastest."""
    mine = [one for one in series or [] if one.contestant == contestant]
    return max(mine, key=lambda one: Spread.of([sample.rate for sample in one.samples]).median, default=None)


def _throughput(results: Results) -> Iterator[Target]:
    ours, base = best(results.throughput, Seatlock.name), best(results.throughput, BASE.name)
    if ours is None or base is None:
        return
    rate = Spread.of([sample.rate for sample in ours.samples]).median
    other = Spread.of([sample.rate for sample in base.samples]).median
    where = f"with {ours.buyers:,} buyers"
    yield Target("bookings a second from one process", f"at least {RATE:,}", f"{rate:,.0f} {where}", rate >= RATE)
    yield Target(
        f"times {BASE.name}, both at their best",
        f"at least {RATIO}",
        f"{rate / other:.1f} ({other:,.0f} bookings a second with {base.buyers:,} buyers)",
        rate >= RATIO * other,
    )
    busy = [sample.server_busy for sample in ours.samples if sample.server_busy is not None]
    if busy:
        percent = Spread.of(busy).median
        yield Target(
            "the server's core is the limit", f"at least {BUSY} % busy", f"{percent:.0f} % {where}", percent >= BUSY
        )


def _hot_seat(results: Results) -> Iterator[Target]:
    runs = {one.contestant: one.runs for one in results.hot_seat or []}
    if {Seatlock.name, BASE.name, AsyncioAlone.name} <= runs.keys():
        pairs = zip(runs[BASE.name], runs[Seatlock.name], strict=True)
        ratio = Spread.of([other.seconds / ours.seconds for other, ours in pairs]).median
        alone = zip(runs[BASE.name], runs[AsyncioAlone.name], strict=True)
        most = Spread.of([other.seconds / bare.seconds for other, bare in alone]).median
        yield Target(
            f"one hot seat: times as fast as {BASE.name}",
            f"at least {HOT}",
            f"{ratio:.1f} ({AsyncioAlone.name}: {most:.1f})",
            ratio >= HOT,
        )


def _one_call(results: Results) -> Iterator[Target]:
    found = {
        one.verb: Spread.of([ours / bare for ours, bare in zip(one.ours, one.bare, strict=True)]).median
        for one in results.one_call or []
    }
    if found:
        verb, ratio = max(found.items(), key=lambda item: item[1])
        yield Target(
            "one call alone: times the bare EVALSHA, the worst of four",
            f"at most {ONE}",
            f"{ratio:.2f} ({verb})",
            ratio <= ONE,
        )


def _waiting_room(results: Results) -> Iterator[Target]:
    found = [one for one in results.waiting_room or [] if not one.uuids]
    if not found:
        return
    small, great = found[0], found[-1]
    who = f"{great.people:,} people in a waiting room"
    most = max(one.bytes_a_place for one in found[1:] or found)
    yield Target(f"{who}: bytes a place", f"at most {PLACE}", f"{most:.0f}", most <= PLACE)
    for what, name in (("a join", "join_us"), ("a status", "status_us")):
        first, last = (Spread.of(getattr(one, name)).median for one in (small, great))
        yield Target(
            f"{who}: {what}, times one among {small.people:,}",
            f"at most {FLAT}",
            f"{last / first:.2f} ({last:.0f} against {first:.0f} µs)",
            last <= FLAT * first,
        )
    slowest = max(max(Spread.of([call.ms for call in one.let_in]).median, one.behind.ms) for one in found)
    yield Target(
        f"{who}: 1,000 let in, time of the server", f"below {LET_IN} ms", f"{slowest:.1f} ms", slowest < LET_IN
    )


def _estimates(results: Results) -> Iterator[Target]:
    steady = [one for one in results.estimates or [] if one.steady]
    if steady:
        percent = 100 * min(one.close / one.told for one in steady)
        name = "estimates within 20 % of the time to wait, where the pace is steady"
        yield Target(name, f"at least {TOLD} %", f"{percent:.1f} %", percent >= TOLD)
    for one in results.estimates or []:
        after = [ten for ten in one.by_time if CHANGED + NOTICED <= ten.at < one.settled]
        if not one.steady and after:
            wrong = 100 * sum(ten.told - ten.inside for ten in after) / sum(ten.asked for ten in after)
            name = f"{one.case}: told what does not hold, {NOTICED} s after the change until it is forgotten"
            yield Target(name, f"at most {100 - TOLD} %", f"{wrong:.1f} %", wrong <= 100 - TOLD)


def _strict(results: Results) -> Iterator[Target]:
    if results.strict:
        fastest = strict_sections.best(results.strict, strict.STRICT)
        rate = Spread.of([run.rate for run in fastest.runs]).median
        clients = "one process" if fastest.processes == 1 else f"{fastest.processes} processes"
        yield Target(
            "strict confirms a second, PostgreSQL on the same cores",
            f"at least {STRICT_RATE:,}",
            f"{rate:,.0f} from {clients} with {fastest.buyers:,} buyers each",
            rate >= STRICT_RATE,
        )
