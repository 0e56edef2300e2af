"""What a run of the benchmark leaves behind: raw samples, written to results.json and read back by the report."""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

_NUMBERS: Final = re.compile(r"\[[\d\s,.eE+-]+\]")


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


class StrictRun(msgspec.Struct, frozen=True):
    """One run of strict confirms, or of a part of them: CPU seconds of all clients, of Redis, of PostgreSQL."""

    work: int
    seconds: float
    client_cpu: float
    redis_cpu: float | None
    database_cpu: float | None

    @property
    def rate(self) -> float:
        """Work a second, of all processes together."""
        return self.work / self.seconds

    def us(self, part: str) -> float | None:
        """CPU of one part, in microseconds a piece of work."""
        used: float | None = getattr(self, f"{part}_cpu")
        return None if used is None else used / self.work * 1e6


class Strict(msgspec.Struct, frozen=True):
    """One way of confirming, by so many buyers at once in each of so many processes."""

    way: str
    processes: int
    buyers: int
    runs: list[StrictRun]


class Statement(msgspec.Struct, frozen=True):
    """A statement of PostgreSQL: calls, and microseconds on the clock, for one confirm."""

    what: str
    calls: float
    plan_us: float
    run_us: float


class StrictProfile(msgspec.Struct, frozen=True):
    """Where the time of a strict confirm goes, of one process with so many buyers at once.

    ``threads`` is the CPU of the client's threads, ``lines`` and ``ledger_lines`` what the profiler saw of the event
    loop and, in a run of its own, of the ledger; percents are of these. ``scripts`` are Redis's by its slow log.
    ``batch`` is how many claims a transaction had, ``log_bytes`` what PostgreSQL wrote to its log for one.
    """

    buyers: int
    run: StrictRun
    batch: float
    threads: list[Command]
    parts: list[Line]
    lines: list[Line]
    ledger_us: float
    ledger_lines: list[Line]
    scripts: list[Command]
    commands: list[Command]
    statements: list[Statement]
    log_bytes: float


class LetIn(msgspec.Struct, frozen=True):
    """One call that let 1,000 in: milliseconds of the script on the clock, and of the server's CPU."""

    clock_ms: float
    cpu_ms: float | None

    @property
    def ms(self) -> float:
        """CPU where the system tells, for on a busy machine a script also waits."""
        return self.clock_ms if self.cpu_ms is None else self.cpu_ms


class RoomSize(msgspec.Struct, frozen=True):
    """A waiting room of so many people. Times are the server's, but ``join_ms`` and ``status_ms`` a lone caller's.

    ``let_in`` is 1,000 admissions while nine of ten are silent, ``behind`` while all are but the last.
    """

    people: int
    uuids: bool
    joined_seconds: float
    bytes_a_place: float
    join_us: list[float]
    status_us: list[float]
    join_ms: list[float]
    status_ms: list[float]
    let_in: list[LetIn]
    behind: LetIn


class Told(msgspec.Struct, frozen=True, array_like=True):
    """One estimate, in seconds: when it was given, counted from the opening, its range, and how long it took."""

    at: float
    low: float
    high: float
    real: float


class TenSeconds(msgspec.Struct, frozen=True):
    """Ten seconds, from ``at`` on: how many asked, were told something, and were told what came."""

    at: float
    asked: int
    told: int
    inside: int


class Estimates(msgspec.Struct, frozen=True):
    """What those in one line were told: how often something, how often nothing, how often close or within the range.

    ``late`` are those told once a change was over for as long as estimates look back, which is at ``settled``. ``some``
    is a sample.
    """

    case: str
    steady: bool
    people: int
    told: int
    nothing: int
    close: int
    inside: int
    users: int
    users_close: int
    settled: float
    late: int
    late_inside: int
    by_time: list[TenSeconds]
    some: list[Told]


class Shuffle(msgspec.Struct, frozen=True):
    """Rank correlations of arrival and order: their mean, their deviation, and how many lie where up to ``most``."""

    draws: int
    people: int
    mean: float
    deviation: float
    most: float
    counts: list[int]


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
    strict: list[Strict] | None = None
    strict_profile: StrictProfile | None = None
    profile: list[Profile] | None = None
    waiting_room: list[RoomSize] | None = None
    estimates: list[Estimates] | None = None
    shuffle: Shuffle | None = None
    added: dict[str, About] = {}
    """Of measurements that were made at another time than the others."""

    def save(self, path: Path) -> None:
        """Write as JSON, for people too; a list of numbers stays on one line."""
        path.parent.mkdir(parents=True, exist_ok=True)
        text = msgspec.json.format(msgspec.json.encode(self), indent=1).decode()
        path.write_text(_NUMBERS.sub(lambda found: " ".join(found[0].split()), text) + "\n", encoding="utf-8")

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
