"""What a run of the benchmark leaves behind: raw samples, written to results.json and read back by the report."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

import msgspec


class Sample(msgspec.Struct, frozen=True):
    """One run of one contestant: how much it did, how long that took, and the CPU seconds of both sides.

    ``server_cpu`` is None where the system does not tell (it needs Linux).
    """

    work: int
    seconds: float
    client_cpu: float
    server_cpu: float | None

    @property
    def rate(self) -> float:
        """Work a second."""
        return self.work / self.seconds

    @property
    def client_us(self) -> float:
        """Client CPU, in microseconds a piece of work."""
        return self.client_cpu / self.work * 1e6

    @property
    def server_us(self) -> float | None:
        """Server CPU, in microseconds a piece of work."""
        return None if self.server_cpu is None else self.server_cpu / self.work * 1e6

    @property
    def server_busy(self) -> float | None:
        """How much of one core the server used, in percent."""
        return None if self.server_cpu is None else self.server_cpu / self.seconds * 100


class Series(msgspec.Struct, frozen=True):
    """The runs of one contestant with so many buyers (or threads) at once, one a round."""

    contestant: str
    buyers: int
    samples: list[Sample]


class HotSeatRun(msgspec.Struct, frozen=True):
    """One rush for one seat: seconds until everyone had an answer, and until half and 99 % had."""

    seconds: float
    p50: float
    p99: float


class HotSeat(msgspec.Struct, frozen=True):
    """The rushes of one contestant, one a round. Each had exactly one winner, or the run would have failed."""

    contestant: str
    buyers: int
    runs: list[HotSeatRun]


class OneCall(msgspec.Struct, frozen=True):
    """One verb called alone, against the bare EVALSHA of the same script: median microseconds of each round."""

    verb: str
    ours: list[float]
    bare: list[float]


class GrowthRound(msgspec.Struct, frozen=True):
    """Microseconds an acquire: of the server and of the client in groups, of the server alone when called alone."""

    server_us: float
    client_us: float
    server_alone_us: float


class Growth(msgspec.Struct, frozen=True):
    """What a show of so many seats costs. Bytes are a seat's; ``streams`` is the part of sold in outbox and changes."""

    seats: int
    warm_seconds: float
    available_bytes: float
    held_bytes: float
    sold_bytes: float
    streams_bytes: float
    rounds: list[GrowthRound]
    section_ms: list[float]
    whole_ms: list[float]


class Latency(msgspec.Struct, frozen=True):
    """One round under open load, in milliseconds from the scheduled arrival to the confirmed booking."""

    rate: float
    done_rate: float
    p50: float
    p99: float
    p999: float


class OpenLoad(msgspec.Struct, frozen=True):
    """One contestant at one part of its own maximum (bookings a second, all buyers arriving at once)."""

    contestant: str
    maximum: float
    percent: int
    rounds: list[Latency]


class ScalingRun(msgspec.Struct, frozen=True):
    """One run of several processes: CPU seconds of all clients together, and of each server."""

    work: int
    seconds: float
    client_cpu: float
    server_cpu: list[float | None]

    @property
    def rate(self) -> float:
        """Bookings a second of all processes together."""
        return self.work / self.seconds


class Scaling(msgspec.Struct, frozen=True):
    """So many processes against one set-up of servers."""

    setup: str
    processes: int
    runs: list[ScalingRun]


class Line(msgspec.Struct, frozen=True):
    """A line of the client's profile: where, and how many percent of the samples were taken just there."""

    where: str
    percent: float


class Command(msgspec.Struct, frozen=True):
    """A line of INFO commandstats: calls and microseconds a unit. Scripts include what they call."""

    name: str
    calls: float
    usec: float


class Profile(msgspec.Struct, frozen=True):
    """Where the time of ``what`` goes: the client's sampled stack, the server's own statistics."""

    what: str
    unit: str
    run: Sample
    samples: int
    parts: list[Line]
    lines: list[Line]
    commands: list[Command]


class About(msgspec.Struct, frozen=True):
    """What it ran on, when, and how."""

    date: str
    quick: bool
    cpu: str
    cores: int
    memory_gb: float
    system: str
    load_before: float
    stolen_percent: float | None
    minutes: float
    rounds: int
    versions: dict[str, str]
    left_out: dict[str, str]


class Results(msgspec.Struct):
    """Everything; a measurement that was not asked for is None."""

    about: About | None = None
    throughput: list[Series] | None = None
    threads: list[Series] | None = None
    hot_seat: list[HotSeat] | None = None
    one_call: list[OneCall] | None = None
    growth: list[Growth] | None = None
    open_load: list[OpenLoad] | None = None
    scaling: list[Scaling] | None = None
    several_seats: list[Series] | None = None
    profile: list[Profile] | None = None

    def save(self, path: Path) -> None:
        """Write as JSON, for people too."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n")

    @classmethod
    def load(cls, path: Path) -> Results:
        """Read what `save` wrote."""
        return msgspec.json.decode(path.read_bytes(), type=cls)


class Spread(msgspec.Struct, frozen=True):
    """The median of some rounds, and the least and greatest of them."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Sum up at least one value."""
        return cls(statistics.median(values), min(values), max(values))


def ratios(mine: Sequence[Sample], base: Sequence[Sample]) -> Spread:
    """How many times the base's rate: round by round, since the two of one round ran next to each other."""
    return Spread.of([one.rate / other.rate for one, other in zip(mine, base, strict=True)])


def percentile(ordered: Sequence[float], part: float) -> float:
    """The value below which ``part`` (0 to 1) of the ordered values lie, by nearest rank."""
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]
