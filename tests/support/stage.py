"""A stage: one show on one backend, its locker and its waiting room in one colour, and a raw client to look behind."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterable
from typing import Any, Final, Literal

import pytest

from seatlock import AsyncSeatLocker, Hold, Seat, SeatLocker
from seatlock.waiting_room import AsyncWaitingRoom, Place, RoomSettings, WaitingRoom
from tests.support.keyspace import dump, unmarked
from tests.support.lockers import AsyncWatched, Blocking, Watched
from tests.support.waiting import until

Colour = Literal["sync", "async"]
COLOURS: Final[tuple[Colour, ...]] = ("sync", "async")
STAGES: Final = [
    pytest.param((colour, name), id=f"{colour}-{name}")
    for name in ("fakeredis", "redis-6.2", "redis-7", "redis-8", "valkey-8", "cluster")
    for colour in COLOURS
]
"""Every colour on every backend: what the ``stage`` fixture runs over by itself."""

SEATS: Final = ("A-1", "A-2", "A-3", "A-4", "A-5")
_numbers = itertools.count(1)


def only_on(*backends: str, colours: Iterable[Colour] = COLOURS) -> Any:
    """Mark tests that show what does not depend on the server, or are too slow to be shown on each."""
    stages = [pytest.param((colour, backend), id=f"{colour}-{backend}") for backend in backends for colour in colours]
    return pytest.mark.parametrize("stage", stages, indirect=True)


class Doors:
    """The ways into one backend: clients of both colours, and a raw one for looking at keys."""

    def __init__(
        self, backend: str, raw: Any, client: Callable[[], Any], async_client: Callable[[], Any], runner: asyncio.Runner
    ) -> None:
        self.backend = backend
        self.raw = raw
        self.runner = runner
        self._client, self._async_client = client(), async_client()
        self._lockers: dict[Colour, Any] = {}
        self._rooms: dict[Colour, Any] = {}

    def locker(self, colour: Colour, **options: Any) -> Any:
        """Make another locker."""
        if colour == "sync":
            return SeatLocker(self._client, **options)
        return Blocking(AsyncSeatLocker(self._async_client, **options), self.runner)

    def shared_locker(self, colour: Colour) -> Any:
        """Return the one locker that all tests use that need none of their own."""
        if colour not in self._lockers:
            self._lockers[colour] = self.locker(colour)
        return self._lockers[colour]

    def room(self, colour: Colour, **options: Any) -> Any:
        """Make another waiting room."""
        if colour == "sync":
            return WaitingRoom(self._client, **options)
        return Blocking(AsyncWaitingRoom(self._async_client, **options), self.runner)

    def shared_room(self, colour: Colour) -> Any:
        """Return the one waiting room that all tests use that need none of their own."""
        if colour not in self._rooms:
            self._rooms[colour] = self.room(colour)
        return self._rooms[colour]

    def watched_room(self, colour: Colour, **options: Any) -> tuple[Any, Watched]:
        """Make a waiting room whose commands are counted."""
        if colour == "sync":
            client = Watched(self._client)
            return WaitingRoom(client, **options), client  # type: ignore[arg-type]
        waiting = AsyncWatched(self._async_client)
        return Blocking(AsyncWaitingRoom(waiting, **options), self.runner), waiting  # type: ignore[arg-type]

    def watched(self, colour: Colour, **options: Any) -> tuple[Any, Watched]:
        """Make a locker whose commands are counted."""
        if colour == "sync":
            client = Watched(self._client)
            return SeatLocker(client, **options), client  # type: ignore[arg-type]
        waiting = AsyncWatched(self._async_client)
        return Blocking(AsyncSeatLocker(waiting, **options), self.runner), waiting  # type: ignore[arg-type]

    def close(self) -> None:
        """Close the clients."""
        self.raw.close()
        self._client.close()
        self.runner.run(self._async_client.aclose())


class Stage:
    """One test's show."""

    def __init__(self, doors: Doors, colour: Colour) -> None:
        self.doors, self.colour = doors, colour
        self.backend, self.raw = doors.backend, doors.raw
        self.locker = doors.shared_locker(colour)
        self.show = f"show-{next(_numbers)}"

    def other_locker(self, **options: Any) -> Any:
        """Make another locker of the same colour."""
        return self.doors.locker(self.colour, **options)

    def watched(self, **options: Any) -> tuple[Any, Watched]:
        """Make a locker whose commands are counted, and give the client that counts them."""
        return self.doors.watched(self.colour, **options)

    # Waiting rooms

    @property
    def room(self) -> Any:
        """The waiting room that the tests share."""
        return self.doors.shared_room(self.colour)

    def other_room(self, **options: Any) -> Any:
        """Make another waiting room of the same colour."""
        return self.doors.room(self.colour, **options)

    def watched_room(self, **options: Any) -> tuple[Any, Watched]:
        """Make a waiting room whose commands are counted, and give the client that counts them."""
        return self.doors.watched_room(self.colour, **options)

    def open_room(self, **settings: Any) -> str:
        """Make and open the waiting room of the show, and return the show's id."""
        self.room.prepare(self.show, RoomSettings(**settings))
        self.room.open(self.show)
        return self.show

    def join(self, *holders: str) -> list[Place]:
        """Have holders join, one after the other."""
        return [self.room.join(self.show, holder) for holder in holders]

    def crowd(self, holders: Iterable[str]) -> None:
        """Have many holders join at once, which takes a few calls."""
        room = self.doors.room("async")

        async def all_of_them() -> None:
            await asyncio.gather(*(room.wrapped.join(self.show, holder) for holder in holders))

        self.doors.runner.run(all_of_them())

    def let_in(self, **bounds: Any) -> list[str]:
        """Admit once: gives the holders, in order."""
        return [one.holder for one in self.room.admit(self.show, **bounds).admitted]

    def fall_silent(self, holder: str, *heard: str) -> None:
        """Tidy until a holder is silent, while others are heard of; the room has a short ``grace``."""
        number = self.room.status(self.show, holder).number

        def silent() -> bool:
            self.room.tidy(self.show)
            for other in heard:
                self.room.heartbeat(self.show, other)
            return not any(self.raw.getbit(self.key(f"here:{index}"), number) for index in (0, 1))

        until(silent, f"{holder} is silent")

    # Sales

    def open(self, seats: Iterable[str | Seat] = SEATS, **settings: Any) -> str:
        """Warm the show, open its sale, and return its id."""
        self.locker.warm(self.show, seats, **settings)
        self.locker.open_sale(self.show)
        return self.show

    def acquire(self, *seats: str, holder: str = "ada", **options: Any) -> Hold:
        """Hold seats of the show."""
        hold: Hold = self.locker.acquire(self.show, seats, holder=holder, **options)
        return hold

    def wait_past(self, *holds: Hold) -> None:
        """Wait until the locks of short holds have run out."""
        locks = [self.lock(seat) for hold in holds for seat in hold.seats]
        until(lambda: not self.raw.exists(*locks), "the locks have run out")

    # Behind the scenes

    def key(self, part: str, namespace: str = "seatlock") -> str:
        """Return the name of one of the show's fixed keys."""
        return f"{namespace}:{{{self.show}}}:{part}"

    def lock(self, seat: str) -> str:
        """Return the name of a seat's lock."""
        return self.key(f"lock:{seat}")

    def mirror(self, seat: str) -> str | None:
        """Return a seat's field of the availability hash."""
        raw = self.raw.hget(self.key("seats"), seat)
        return None if raw is None else raw.decode()

    def mirrors(self) -> dict[str, str]:
        """Return the whole availability hash."""
        return {seat.decode(): field.decode() for seat, field in self.raw.hgetall(self.key("seats")).items()}

    def version(self) -> int:
        """Return the show's version."""
        return int(self.raw.hget(self.key("meta"), "version"))

    def changes(self, after: int = 0) -> list[tuple[str, dict[str, str]]]:
        """Return the entries of the change stream after a version."""
        return _entries(self.raw.xrange(self.key("changes"), f"1-{after + 1}", "+"))

    def outbox(self) -> list[dict[str, str]]:
        """Return the entries of the outbox."""
        return [fields for _, fields in _entries(self.raw.xrange(self.key("outbox")))]

    def keys(self) -> set[str]:
        """Return the names of all keys that have to do with the show, whatever their namespace."""
        return {key.decode() for key in self.raw.scan_iter(match=f"*{{{self.show}}}*", count=1000)}

    def everything(self) -> dict[str, Any]:
        """Return the content of all keys of the show, without marks of resumed holds, to see whether it has changed."""
        return unmarked(dump(self.raw, self.show))


def _entries(raw: list[Any]) -> list[tuple[str, dict[str, str]]]:
    return [(entry.decode(), {k.decode(): v.decode() for k, v in fields.items()}) for entry, fields in raw]
