"""The targets, each beside what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from loadtests.bench.contestants.nobody import AsyncioAlone
from loadtests.bench.contestants.roster import BASE
from loadtests.bench.contestants.seats import Seatlock
from loadtests.bench.results import Results, Series, Spread

RATE: Final = 50_000
RATIO: Final = 10
BUSY: Final = 90
HOT: Final = 15
ONE: Final = 1.15


class Target(msgspec.Struct, frozen=True):
    """One target: what is wanted, what was measured, and whether that is enough."""

    name: str
    wanted: str
    measured: str
    met: bool


def targets(results: Results) -> list[Target]:
    """Those whose measurements were made."""
    return [*_throughput(results), *_hot_seat(results), *_one_call(results)]


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
