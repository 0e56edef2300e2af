"""Connects to the Redis that a URL names, and remembers what of that URL must not be shown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Self, cast

from seatlock._connect import AsyncClient, async_client
from seatlock._keys import keys_of
from seatlock._operation import Command
from seatlock._operators import LOOK_STEP
from seatlock._seam import FOREIGN
from seatlock._stocktaking import LOST, Entry
from seatlock.cli.terminal import terminal
from seatlock.embedded import EmbeddedRedis
from seatlock.errors import ServerUnavailable, UnknownSeats
from seatlock.findings import Vitals
from seatlock.locker import SeatLocker
from seatlock.model import SeatState
from seatlock.plan import Seat, SeatingPlan
from seatlock.waiting_room import WaitingRoom

SCAN_COUNT = 1_000  # keys that the server looks at in one step of a walk over all of them


def locker_at(url: str, namespace: str) -> SeatLocker:
    """Make a locker; to be closed."""
    terminal.hide(url)
    return SeatLocker.from_url(url, namespace=namespace)


def client_at(url: str) -> tuple[AsyncClient, EmbeddedRedis | None]:
    """Make an asyncio client, and the server it stands on where that is embedded; both to be closed."""
    terminal.hide(url)
    return async_client(url, {})


class Desk(SeatLocker):
    """A locker with what only an operator asks for."""

    @classmethod
    def at(cls, url: str, namespace: str) -> Desk:
        """Make one; to be closed."""
        terminal.hide(url)
        return cls.from_url(url, namespace=namespace)

    def shows(self) -> list[str]:
        """Find every show in the namespace: a walk over all keys of the server, on a cluster of every primary."""
        namespace = self._core.namespace
        pattern = re.sub(r"([\\*?\[\]])", r"\\\1", namespace) + ":{*}:meta"
        named = re.compile(re.escape(namespace) + r":\{([^{}\s]+)\}:meta")
        client = cast("Any", self._client)
        try:
            keys = [_text(key) for key in client.scan_iter(match=pattern, count=SCAN_COUNT)]
        except FOREIGN as error:
            raise ServerUnavailable(f"the shows could not be listed ({type(error).__name__}: {error}).") from error
        return sorted({match[1] for key in keys if (match := named.fullmatch(key))})

    def vitals(self, show: str) -> Vitals:
        """Read how a show is, in a few numbers."""
        return self._follow(self._core.vitals(show))

    def plan(self, show: str) -> SeatingPlan:
        """Read the plan of a show; what `availability` read with is at hand."""
        return self._follow(self._core.plan(show))

    def every_seat(self, show: str) -> Iterator[list[tuple[Seat, SeatState]]]:
        """Read everything that may be known of every seat, in plan order, some hundreds at a time."""
        plan = self.plan(show)
        for at in range(0, len(plan), LOOK_STEP):
            seats = plan.seats[at : at + LOOK_STEP]
            try:
                states = self._follow(self._core.records(show, tuple(seat.id for seat in seats)))
            except UnknownSeats as error:
                raise UnknownSeats(f"{error} {_what_is_wrong(show)}", seats=error.seats) from error
            yield list(zip(seats, states, strict=True))

    def every_share(self, show: str) -> Iterator[tuple[str, Entry]]:
        """Read who has what of each pool: its claims and sales as they come, and last an entry of what is free."""
        walked = self._follow(self._core.look(show, (), b"0"))
        pools, past = walked.pools, dict.fromkeys(walked.pools, 0)
        seen: set[tuple[str, int, str, int]] = set()
        cursor = b""
        while cursor != b"0":
            walked = self._follow(self._core.look(show, pools, cursor or b"0"))
            if walked.pools != pools:
                raise ServerUnavailable(f"show {show!r} was warmed with other pools meanwhile: ask again.")
            cursor = walked.cursor
            for entry in walked.entries:
                if entry.kind in ("claim", "sale") and entry.identity not in seen:
                    seen.add(entry.identity)
                    if entry.kind == "claim" and entry.expires_in is None:
                        past[pools[entry.place - 1]] += entry.quantity
                    else:
                        yield pools[entry.place - 1], entry
        for place, (pool, (capacity, held, sold)) in enumerate(zip(pools, walked.counts, strict=True), start=1):
            if capacity == LOST:
                raise UnknownSeats(f"the counts of pool {pool!r} are lost. {_what_is_wrong(show)}", pools=(pool,))
            free = capacity - held - sold + past[pool]
            yield pool, Entry(place, "free", "", free, None, 0, None, None)

    def audit(self, show: str, page: int) -> Iterator[dict[str, str]]:
        """Read what the staff did to the show, the oldest first, so many entries at once."""
        key, after = keys_of(self._core.namespace, show).audit, "-"
        while True:
            entries = self._run(Command(show, ["XRANGE", key, after, "+", "COUNT", page], list))
            for _, fields in entries:
                yield {_text(name): _text(value) for name, value in fields.items()}
            if len(entries) < page:
                return
            after = f"({_text(entries[-1][0])}"


class Usher(WaitingRoom):
    """A waiting room with what only an operator asks for."""

    @classmethod
    def at(cls, url: str, namespace: str) -> Self:
        """Make one; to be closed."""
        terminal.hide(url)
        return cls.from_url(url, namespace=namespace)

    def undrawn(self, show: str) -> int:
        """Count those who came early and have no place yet."""
        room = keys_of(self._core.namespace, show).room
        counts = [self._run(Command(show, ["ZCARD", key], _without_sentinel)) for key in (room.early, room.drawn)]
        return sum(counts)

    def asks_for_passes(self, show: str) -> bool:
        """Whether the sale of the show requires admission."""
        meta = keys_of(self._core.namespace, show).meta
        return self._run(Command(show, ["HMGET", meta, "admission"], lambda reply: reply[0] == b"1")) is True


def _without_sentinel(reply: int) -> int:
    return max(reply - 1, 0)


def _what_is_wrong(show: str) -> str:
    return f"What is wrong tells: seatlock check {show}"


def _text(key: bytes | str) -> str:
    return key.decode(errors="replace") if isinstance(key, bytes) else key
