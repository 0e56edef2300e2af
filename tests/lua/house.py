"""A house that sells one show for a scenario: a locker, the raw keys behind it, and a clock that it can move.

Over the bridge (`tests.support.lua_bridge`) the scripts' clock stands still, so that every time is exact to the
millisecond; on a real server times are compared with a tolerance.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import redis

from seatlock import Hold, Seat, SeatingPlan, SeatLocker, SeatLockError, SeatsUnavailable, _commands
from seatlock._operation import Operation
from tests.support.clock import Clock
from tests.support.keyspace import Dump, contradictions, dump, unmarked
from tests.support.lua_bridge import LuaBridge
from tests.support.lua_headers import header_of

E = TypeVar("E", bound=SeatLockError)

T1, T2, T3 = (digit * 32 for digit in "abc")
"""Tokens."""
SEATS: Final = [
    Seat("A-1", category="x"),
    Seat("A-2", category="y"),
    Seat("A-3", category="y"),
    Seat("A-4", category="x"),
    Seat("B-1", category="x", status="blocked"),
    Seat("B-2", category="y", status="sold"),
]


def plan_of(seats: list[Seat]) -> SeatingPlan:
    """A plan whose categories are always in the same order: x is 0, y is 1."""
    return SeatingPlan("", ("x", "y"), tuple(seats))


PLAN: Final = plan_of(SEATS)
RESUMED: Final = "r"  # behind the last field of a held lock
_TOLERANCE: Final = 20_000  # milliseconds that a scenario may take on a real server, at most


_numbers: Final = itertools.count(1)


class Near:
    """A number of milliseconds, give or take."""

    def __init__(self, value: float, tolerance: int) -> None:
        self.value, self.tolerance = value, tolerance

    def __eq__(self, other: object) -> bool:
        return isinstance(other, int | float) and abs(other - self.value) <= self.tolerance

    def __hash__(self) -> int:
        raise TypeError

    def __repr__(self) -> str:
        return f"{self.value}±{self.tolerance}"


class HeldField:
    """A field of the availability hash of a held seat."""

    def __init__(self, category: int, deadline: Near, channel: str = "") -> None:
        self.category, self.deadline, self.channel = category, deadline, channel

    def of_channel(self, number: int) -> HeldField:
        """The same of a seat in a channel."""
        return HeldField(self.category, self.deadline, f"@{number}")

    def __eq__(self, other: object) -> bool:
        match = re.fullmatch(rf"h(\d+){self.channel}:(\d+)", str(other))
        return match is not None and int(match[1]) == self.category and int(match[2]) == self.deadline

    def __hash__(self) -> int:
        raise TypeError

    def __repr__(self) -> str:
        return f"h{self.category}{self.channel}:{self.deadline}"


class House:
    """One show. ``client`` is what the locker uses, ``raw`` looks and reaches behind it."""

    def __init__(self, client: Any, raw: redis.Redis, clock: Clock) -> None:
        self.bridge = client if isinstance(client, LuaBridge) else None
        self.raw, self.clock = raw, clock
        self.show = f"scenario-{next(_numbers)}"
        self.locker = SeatLocker(client)
        self.sound = True
        if self.bridge:
            # The last millisecond of a second, since that is where an error in reading the clock shows.
            self.bridge.now = self._server_time() // 1000 * 1000 + 999
            self.bridge.replies.clear()

    def _server_time(self) -> int:
        seconds, micros = self.raw.time()
        return int(seconds) * 1000 + int(micros) // 1000

    # Time

    @property
    def exact(self) -> bool:
        """Whether the scripts' clock stands still."""
        return self.bridge is not None

    @property
    def now(self) -> int:
        """The scripts' time in milliseconds."""
        return self.bridge.now if self.bridge and self.bridge.now else self._server_time()

    def at(self, seconds: float) -> Any:
        """So many seconds from now, in milliseconds, to be compared with."""
        return Near(self.now + round(seconds * 1000), 0 if self.exact else _TOLERANCE)

    def held(self, category: int, seconds: float) -> Any:
        """A field of the availability hash: held for so many seconds, to be compared with."""
        return HeldField(category, self.at(seconds))

    def left(self, seconds: float) -> Any:
        """So many seconds left, to be compared with."""
        return Near(seconds, 0 if self.exact else _TOLERANCE // 1000)

    def advance(self, seconds: float) -> None:
        """Move the clock of the server, and of the scripts."""
        self.clock.advance(seconds)
        if self.bridge and self.bridge.now:
            self.bridge.now += round(seconds * 1000)

    def tick_to(self, milliseconds: int) -> None:
        """Set the clock of the scripts alone: only over the bridge."""
        assert self.bridge
        self.bridge.now = milliseconds

    # The show

    def open(self, plan: Any = PLAN, **settings: Any) -> None:
        """Warm the show and open its sale."""
        self.locker.warm(self.show, plan, **settings)
        self.locker.open_sale(self.show)

    def acquire(self, *seats: str, holder: str = "ada", **options: Any) -> Hold:
        """Hold seats of the show."""
        return self.locker.acquire(self.show, seats, holder=holder, **options)

    def force(self, *seats: str, reason: str = "why") -> dict[str, str]:
        """Free seats whoever holds them: gives what became of each."""
        return dict(self.locker.force_release(self.show, seats, by="eve", reason=reason).seats)

    def best(
        self, *sets: tuple[str, ...], holder: str = "ada", ttl: float = 600, token: str = T1, channel: str = ""
    ) -> Any:
        """Ask for the first of several sets that is wholly free."""
        (answer,) = self.bests((sets, holder, ttl, token), channel=channel)
        if isinstance(answer, SeatLockError):
            raise answer
        return answer

    def bests(self, *requests: tuple[tuple[tuple[str, ...], ...], str, float, str], channel: str = "") -> list[Any]:
        """The same for a batch: sets, holder, ttl and token of each request, and the channel that the last names."""
        asks = [
            _commands.acquire_best(
                *("seatlock", self.show, sets, holder, round(ttl * 1000), token),
                minted=False,
                channel=channel if number == len(requests) else "",
            )
            for number, (sets, holder, ttl, token) in enumerate(requests, 1)
        ]
        meta = self.key("meta")
        lists = self.raw.type(meta) == b"hash" and self.raw.hexists(meta, "limits")
        return self.run(_commands.of_asks("seatlock", asks, lists=bool(lists)))

    def refused(self, *seats: str, holder: str = "bo", **options: Any) -> dict[str, tuple[Any, ...]]:
        """Ask for seats in vain: gives state, seconds left, yours and inconsistent of what stood in the way."""
        with self.unchanged():
            error = self.failing(SeatsUnavailable, lambda: self.acquire(*seats, holder=holder, **options))
        return {s: (c.state, c.retry_after, c.yours, c.inconsistent) for s, c in error.conflicts.items()}

    def run(self, operation: Operation[Any]) -> Any:
        """Carry out one script call."""
        return self.locker._run(operation)

    def states(self) -> dict[str, str]:
        """The states that everybody sees."""
        return dict(self.locker.availability(self.show).seats)

    # Behind the scenes

    def key(self, name: str) -> str:
        """A key of the show."""
        return f"seatlock:{{{self.show}}}:{name}"

    def lock(self, seat: str) -> list[Any] | None:
        """The fields of a seat's lock: epoch, fence and times as numbers, and ``p`` where a payment has begun.

        Whether it was resumed is told apart.
        """
        value = self.raw.get(self.key(f"lock:{seat}"))
        if value is None:
            return None
        fields: list[Any] = value.decode().removesuffix(RESUMED).split("\n")
        if fields[0] == "h" and fields[-1].endswith("p"):
            fields[-1:] = [fields[-1][:-1], "p"]
        times = 7 if fields[0] == "h" else 6
        return [*fields[:3], *map(int, fields[3:times]), *fields[times:]]

    def was_resumed(self, seat: str) -> bool:
        """Whether a seat's lock says so."""
        value: bytes = self.raw.get(self.key(f"lock:{seat}"))
        return value.startswith(b"h\n") and value.endswith(RESUMED.encode())

    def put_lock(self, seat: str, *fields: object, ttl: int | None = None) -> None:
        """Write a lock behind the scripts' back."""
        self.sound = False
        self.raw.set(self.key(f"lock:{seat}"), "\n".join(map(str, fields)), px=ttl)

    def drop_lock(self, seat: str) -> None:
        """Lose a lock."""
        self.sound = False
        assert self.raw.delete(self.key(f"lock:{seat}"))

    def mirror(self, seat: str) -> str | None:
        """A seat's field of the availability hash."""
        value = self.raw.hget(self.key("seats"), seat)
        return None if value is None else value.decode()

    def put_mirror(self, seat: str, field: str) -> None:
        """Write a field of the availability hash behind the scripts' back."""
        self.sound = False
        self.raw.hset(self.key("seats"), seat, field)

    def drop_mirror(self, seat: str) -> None:
        """Lose a field of the availability hash."""
        self.sound = False
        assert self.raw.hdel(self.key("seats"), seat)

    def due(self) -> dict[str, float]:
        """What the sweeper takes back, without the sentinel."""
        return {seat.decode(): at for seat, at in self.raw.zrange(self.key("due"), 0, -1, withscores=True) if seat}

    def put_due(self, seat: str, at: float) -> None:
        """Write an entry of what is due behind the scripts' back."""
        self.sound = False
        self.raw.zadd(self.key("due"), {seat: at})

    def meta(self, field: str) -> str:
        """A fact of the show."""
        return (self.raw.hget(self.key("meta"), field) or b"").decode()

    def last_change(self) -> dict[str, str]:
        """The newest entry of the change stream, which has to be that of the show's version."""
        ((entry, fields),) = self.raw.xrevrange(self.key("changes"), count=1)
        assert entry.decode() == f"{self.meta('epoch')}-{self.meta('version')}"
        return {seat.decode(): field.decode() for seat, field in fields.items()}

    def pools(self) -> dict[bytes, bytes]:
        """The hash of the pools."""
        return dict(self.raw.hgetall(self.key("pools")))

    def counts(self, pool: str = "floor") -> str:
        """Capacity, held and sold of a pool."""
        return self.pools()[f"c\n{pool}".encode()].decode()

    def put_pool(self, field: str, value: str | None) -> None:
        """Write a field of the hash of the pools behind the scripts' back, or lose it."""
        self.sound = False
        if value is None:
            self.raw.hdel(self.key("pools"), field)
        else:
            self.raw.hset(self.key("pools"), field, value)

    def pool_due(self, pool: str = "floor") -> dict[str, float]:
        """What is due of a pool, without the sentinel."""
        found = self.raw.zrange(self.key(f"pool-due:{pool}"), 0, -1, withscores=True)
        return {holder.decode(): at for holder, at in found if holder}

    def outbox(self) -> list[dict[str, str]]:
        """The entries of the outbox."""
        entries = self.raw.xrange(self.key("outbox"))
        return [{name.decode(): value.decode() for name, value in fields.items()} for _, fields in entries]

    def audited(self) -> list[dict[str, str]]:
        """The entries of the audit stream."""
        entries = self.raw.xrange(self.key("audit"))
        return [{name.decode(): value.decode() for name, value in fields.items()} for _, fields in entries]

    def dump(self) -> Dump:
        """Everything."""
        return dump(self.raw, self.show)

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Nothing is written meanwhile, but that a hold was resumed."""
        before = unmarked(self.dump())
        yield
        assert unmarked(self.dump()) == before

    @contextmanager
    def full(self) -> Iterator[None]:
        """The server has no memory left meanwhile."""
        if self.bridge:
            self.bridge.full = True
        else:
            self.raw.config_set("maxmemory", 1)
        try:
            yield
        finally:
            if self.bridge:
                self.bridge.full = False
            else:
                self.raw.config_set("maxmemory", 0)

    @contextmanager
    def one_change(self, **fields: Any) -> Iterator[None]:
        """One version is published meanwhile, with these seats (A_1 for A-1) and their new fields."""
        before = int(self.meta("version"))
        yield
        assert int(self.meta("version")) == before + 1
        assert self.last_change() == {seat.replace("_", "-"): field for seat, field in fields.items()}

    def failing(self, kind: type[E], call: Callable[[], object]) -> E:
        """The error that a call raises."""
        try:
            answer = call()
        except kind as error:
            return error
        raise AssertionError(f"{answer} instead of {kind.__name__}")

    # In the end

    def audit(self) -> None:
        """Whether every reply was as its header says, the keys agree, and the changes tell how they came about."""
        if self.bridge and self.bridge.now:
            assert [
                wrong for source, reply in self.bridge.replies if (wrong := header_of(source).complaint(reply))
            ] == []
            self.clock.advance((self.bridge.now - self._server_time()) / 1000 + 0.001)
        if not self.sound or not self.raw.exists(self.key("meta")):
            return
        assert contradictions(self.raw, self.show) == []
        changed: dict[bytes, bytes] = {}
        for _, fields in self.raw.xrange(self.key("changes")):
            changed |= {seat: field for seat, field in fields.items() if seat}
        counts = {b"pool\n" + name[2:]: value for name, value in self.pools().items() if name[:2] == b"c\n"}
        assert changed.items() <= (self.raw.hgetall(self.key("seats")) | counts).items()
        self.last_change()
