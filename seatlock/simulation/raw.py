"""Reads what is in Redis, with a parser of its own.

The proofs are worth something because nothing here is shared with the library that they judge: the keys are put
together and read as the formats are documented (the headers of `lock.lua`, `mirror.lua` and `outbox.lua`), not with
`seatlock._keys` and `seatlock._replies`.

What lies in Redis under the show (hash tag ``{SHOW}``):

- ``NS:{SHOW}:lock:SEAT``, a string of lines: ``h token holder epoch fence deadline limit`` while held, with an expiry
  (right behind the limit ``p`` once a payment has begun, ``r`` once resumed); ``s token holder epoch fence since
  booking payment`` once sold, without one (``p`` while pinned);
- ``NS:{SHOW}:seats``, a hash: seat to a letter (f, c, h, p, s, b), the number of its category, ``@number`` if it is in
  a channel, and ``:deadline`` while held;
- ``NS:{SHOW}:due``, a sorted set: seat to deadline, and an empty member that keeps it in being;
- ``NS:{SHOW}:outbox``, a stream: one entry a booking confirmed or cancelled, seats parted by line breaks, and pools, a
  line each: quantity, space, name;
- ``NS:{SHOW}:pools`` and what is due of pools: see `seatlock.simulation.raw_pools`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, cast

import msgspec

from seatlock._connect import AsyncClient
from seatlock.errors import ServerUnavailable
from seatlock.simulation.raw_pools import RawPool, parse_pools

STEP: Final = 500  # keys a call reads
SCAN_STEP: Final = 5_000  # keys a call looks at in search of ours
MOST_STEPS: Final = 200_000  # calls of one scan, at most

_FENCES_AN_EPOCH: Final = 2**40
_MIRROR: Final = re.compile(rb"([fchpsb])([0-9]*)(?:@[0-9]+)?(?::([0-9]+))?")

State = Literal["f", "c", "h", "p", "s", "b"]


class RawLock(msgspec.Struct, frozen=True):
    """One lock key. ``fence`` has the epoch in it; ``expires`` says that the key will go by itself.

    A value that is not as documented has the state ``?``.
    """

    state: Literal["h", "p", "s", "?"]
    token: str = ""
    holder: str = ""
    fence: int = 0
    deadline: int = 0
    booking: str = ""
    payment: str = ""
    expires: bool = False


class RawMirror(msgspec.Struct, frozen=True):
    """One field of the availability hash; ``?`` for a value that is not as documented."""

    state: State | Literal["?"]
    category: int | None = None
    deadline: int | None = None


class RawEntry(msgspec.Struct, frozen=True):
    """One entry of the outbox. ``text`` is all of its values, to search for what must not be there.

    ``pools`` maps pools to quantities; one that is not as documented has the quantity -1.
    """

    kind: str
    booking: str
    holder: str
    seats: tuple[str, ...]
    payment: str
    fence: int
    text: str
    pools: Mapping[str, int] = {}


class RawShow(msgspec.Struct, frozen=True):
    """Everything that Redis has of a show."""

    locks: Mapping[str, RawLock]
    mirrors: Mapping[str, RawMirror]
    due: frozenset[str]
    outbox: tuple[RawEntry, ...]
    pools: Mapping[str, RawPool] = {}


def parse_lock(value: bytes, *, expires: bool) -> RawLock:
    """Read the value of a lock key."""
    match value.decode(errors="replace").split("\n"):
        case ["h", token, holder, epoch, fence, deadline, limit] if _digits(
            epoch, fence, deadline, limit.removesuffix("r").removesuffix("p")
        ):
            return RawLock("h", token, holder, _fence(epoch, fence), int(deadline), expires=expires)
        case ["p" | "s" as state, token, holder, epoch, fence, since, booking, payment] if _digits(epoch, fence, since):
            return RawLock(state, token, holder, _fence(epoch, fence), 0, booking, payment, expires)
        case _:
            return RawLock("?", expires=expires)


def parse_mirror(value: bytes) -> RawMirror:
    """Read a field of the availability hash."""
    found = _MIRROR.fullmatch(value)
    if found is None or (found[1] == b"h") != (found[3] is not None):
        return RawMirror("?")
    state = cast("State", found[1].decode())
    return RawMirror(state, int(found[2]) if found[2] else None, int(found[3]) if found[3] else None)


def parse_entry(fields: Mapping[bytes, bytes]) -> RawEntry:
    """Read an entry of the outbox; a field that is missing is empty."""
    texts = {name.decode(errors="replace"): value.decode(errors="replace") for name, value in fields.items()}
    epoch, fence = texts.get("epoch", ""), texts.get("fence", "")
    return RawEntry(
        texts.get("kind", ""),
        texts.get("booking", ""),
        texts.get("holder", ""),
        tuple(_lines(texts.get("seats", ""))),
        texts.get("payment", ""),
        _fence(epoch, fence) if _digits(epoch, fence) else -1,
        "\n".join(texts.values()),
        {
            name: int(quantity) if _digits(quantity) else -1
            for quantity, _, name in (line.partition(" ") for line in _lines(texts.get("pools", "")))
        },
    )


def _lines(text: str) -> list[str]:
    return text.split("\n") if text else []


def _digits(*texts: str) -> bool:
    return all(text.isascii() and text.isdigit() for text in texts)


def _fence(epoch: str, fence: str) -> int:
    return int(epoch) * _FENCES_AN_EPOCH + int(fence)


async def read_show(client: AsyncClient, namespace: str, show: str) -> RawShow:
    """Read everything that Redis has of a show, in bounded steps; ``client`` must give bytes.

    The locks are found by SCAN, so also those of seats that the show does not have. Nobody should change the show
    meanwhile.
    """
    reader = _Reader(client, f"{namespace}:{{{show}}}:")
    locks, mirrors, due, outbox = (
        await reader.locks(),
        await reader.mirrors(),
        await reader.due("due"),
        await reader.outbox(),
    )
    pools = parse_pools(await reader.hash("pools"))
    for name in pools:
        pools[name] = msgspec.structs.replace(pools[name], due=await reader.due(f"pool-due:{name}"))
    return RawShow(locks, mirrors, due, outbox, pools)


class _Reader:
    """Reads one show. The client is Any, since redis-py types sync, async and cluster clients in too many ways."""

    def __init__(self, client: Any, base: str) -> None:
        self._client = client
        self._base = base

    async def locks(self) -> dict[str, RawLock]:
        prefix = f"{self._base}lock:".encode()
        keys = await self._scan(_literally(self._base) + "lock:*")
        found: dict[str, RawLock] = {}
        for at in range(0, len(keys), STEP):
            piece = keys[at : at + STEP]
            values: Sequence[bytes | None] = await self._client.mget(piece)
            pipeline = self._client.pipeline(transaction=False)
            for key in piece:
                pipeline.pttl(key)
            times: Sequence[int] = await pipeline.execute()
            for key, value, time in zip(piece, values, times, strict=True):
                if value is not None:  # a hold may have run out since
                    found[key.removeprefix(prefix).decode(errors="replace")] = parse_lock(value, expires=time >= 0)
        return found

    async def mirrors(self) -> dict[str, RawMirror]:
        return {seat: parse_mirror(value) for seat, value in (await self.hash("seats")).items()}

    async def hash(self, name: str) -> dict[str, bytes]:
        key, cursor = f"{self._base}{name}", 0
        found: dict[str, bytes] = {}
        for _ in range(MOST_STEPS):
            cursor, fields = await self._client.hscan(key, cursor, count=STEP)
            found.update((field.decode(errors="replace"), value) for field, value in fields.items())
            if cursor == 0:
                return found
        raise self._endless(key)

    async def due(self, name: str) -> frozenset[str]:
        key, cursor = f"{self._base}{name}", 0
        found: set[str] = set()
        for _ in range(MOST_STEPS):
            cursor, members = await self._client.zscan(key, cursor, count=STEP)
            found.update(seat.decode(errors="replace") for seat, _ in members)
            if cursor == 0:
                return frozenset(found - {""})
        raise self._endless(key)

    async def outbox(self) -> tuple[RawEntry, ...]:
        key, start = f"{self._base}outbox", b"-"
        found: list[RawEntry] = []
        for _ in range(MOST_STEPS):
            entries = await self._client.xrange(key, start, b"+", STEP)
            found += (parse_entry(fields) for _, fields in entries)
            if len(entries) < STEP:
                return tuple(found)
            start = b"(" + entries[-1][0]
        raise self._endless(key)

    async def _scan(self, pattern: str) -> list[bytes]:
        found: set[bytes] = set()
        steps = 0
        async for key in self._client.scan_iter(pattern, count=SCAN_STEP):
            found.add(key)
            steps += 1
            if steps > MOST_STEPS * STEP:
                raise self._endless(pattern)
        return sorted(found)

    def _endless(self, what: str) -> ServerUnavailable:
        return ServerUnavailable(f"reading {what!r} took more than {MOST_STEPS:,} calls: there is too much to read.")


def _literally(text: str) -> str:
    """Escape what SCAN would take for a pattern."""
    return re.sub(r"([*?\[\]\\^-])", r"\\\1", text)
