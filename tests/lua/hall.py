"""The waiting room of a scenario: a `WaitingRoom` on the client of a `House`, and the raw keys behind it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from msgspec.structs import replace

from seatlock import SeatLockError
from seatlock.waiting_room import RoomSettings, WaitingRoom
from seatlock.waiting_room import _commands as commands
from seatlock.waiting_room._core import RoomCore
from tests.lua.house import House

SETTINGS: Final = RoomSettings(max_length=1000, rate=10, per=60.0, burst=10, batch=1000)
STREAM: Final = "admissions"


class Hall:
    """A room of the house's show. What it has in Redis is told without the sentinels."""

    def __init__(self, house: House, **settings: Any) -> None:
        self.house, self.show = house, house.show
        self.room = WaitingRoom(house.locker._client)
        self.core = RoomCore("seatlock", 5.0, None, None)
        self.settings = replace(SETTINGS, **settings)

    def prepare(self, **settings: Any) -> Hall:
        """Make the room, or change its settings."""
        self.settings = replace(self.settings, **settings)
        self.room.prepare(self.show, self.settings)
        return self

    def open(self) -> Hall:
        """Make the room and open it."""
        self.prepare()
        self.room.open(self.show)
        return self

    # What holders ask for, many in one call

    def asked(self, verb: str, holders: Iterable[str]) -> list[Any]:
        """Join, heartbeat, status or leave of many holders: answers and errors."""
        asks = [getattr(self.core, verb)(self.show, holder) for holder in holders]
        answers: list[Any] = self.house.run(commands.of_asks("seatlock", asks))
        return answers

    def words(self, verb: str, *holders: str) -> list[str]:
        """The words that the script says to them: the package does not tell all of them apart."""
        operation: Any = commands.of_asks("seatlock", [getattr(self.core, verb)(self.show, one) for one in holders])
        operation.decode = lambda reply: [answer[0].decode() for answer in reply if isinstance(answer, list)]
        found: list[str] = self.house.run(operation)
        return found

    def joins(self, *holders: str) -> list[Any]:
        """Join in one call: gives the numbers of the places, the state of who has none, or the error's name."""
        return [_short(answer) for answer in self.asked("join", holders)]

    def crowd(self, count: int, first: int = 1) -> list[str]:
        """Let so many join: gives their names."""
        names = [f"h{number}" for number in range(first, first + count)]
        for at in range(0, count, 250):
            self.asked("join", names[at : at + 250])
        return names

    def beat(self, *holders: str) -> list[Any]:
        """Heartbeats in one call."""
        return [_short(answer) for answer in self.asked("heartbeat", holders)]

    def let_in(self, **options: Any) -> list[str]:
        """Admit: gives who was let in."""
        return [one.holder for one in self.room.admit(self.show, **options).admitted]

    def elapse(self, seconds: float, *heard: str, step: float | None = None) -> tuple[int, int]:
        """Let time pass as where a pump tidies, while these are heard of: gives what the tidying took off, in all.

        In steps of half a grace time, the longest that count in full.
        """
        ended = left = 0
        step = step or self.settings.grace / 2
        while seconds > 0:
            self.house.advance(min(step, seconds))
            seconds -= step
            some_ended, some_left = self.room.tidy(self.show)
            ended, left = ended + some_ended, left + some_left
            if heard:
                self.beat(*heard)
        return ended, left

    def silence(self, *heard: str) -> None:
        """Let time pass in which only these are heard of, until all others are silent."""
        self.elapse(2 * self.settings.grace + 1, *heard)

    def forget(self, *heard: str) -> tuple[int, int]:
        """Let time pass in which only these are heard of, until all others have lost their places."""
        return self.elapse(2 * (self.settings.keep + self.settings.grace), *heard)

    # Behind the scenes

    def fact(self, name: str) -> str:
        """A fact of the room."""
        return (self.house.raw.hget(self.house.key("room"), name) or b"").decode()

    def put_fact(self, name: str, value: str) -> None:
        """Write a fact behind the scripts' back."""
        self.house.raw.hset(self.house.key("room"), name, value)

    def members(self, key: str) -> dict[str, int]:
        """A sorted set of the room."""
        found = self.house.raw.zrange(self.house.key(key), 0, -1, withscores=True)
        return {holder.decode(): int(score) for holder, score in found if holder}

    def grants(self) -> dict[str, str]:
        """What is said of the passes."""
        found = self.house.raw.hgetall(self.house.key("grants"))
        return {holder.decode(): grant.decode() for holder, grant in found.items() if holder}

    def present(self, place: int, kind: str = "here") -> bool:
        """Whether a place is present, in either bitmap."""
        return any(self.house.raw.getbit(self.house.key(f"{kind}:{number}"), place) for number in (0, 1))

    def entries(self) -> list[dict[str, str]]:
        """The entries of the stream of admissions, without what each says of the line."""
        found = [fields for _, fields in self.house.raw.xrange(self.house.key(STREAM))]
        assert all(list(fields)[:2] == [b"served", b"gone"] for fields in found)
        return [{name.decode(): value.decode() for name, value in list(fields.items())[2:]} for fields in found]

    def audit(self) -> None:
        """Whether the keys of the room agree."""
        queue, passes = self.members("queue"), self.members("passes")
        early, drawn = self.members("early"), self.members("drawn")
        for one, other in ((queue, early), (queue, drawn), (queue, passes), (early, drawn), (early, passes)):
            assert not one.keys() & other.keys()
        last = int(self.fact("next"))
        assert len(set(queue.values())) == len(queue)
        assert all(1 <= place <= last for place in queue.values())
        assert 1 <= int(self.fact("low")) <= last + 1
        assert passes.keys() == self.grants().keys()
        admitted = [(place, holder) for entry in self.entries() for place, holder in entry.items() if place != "status"]
        assert len({place for place, _ in admitted}) == len(admitted) == int(self.fact("admitted"))
        ((entry, fields),) = self.house.raw.xrevrange(self.house.key(STREAM), count=1)
        assert entry.decode() == f"{self.fact('made')}-{self.fact('version')}"
        assert self.fact("told") == f"{fields[b'served'].decode()} {fields[b'gone'].decode()}"
        if not early and not drawn:  # each place waits, was let in, or is gone
            assert last == len(queue) + len(admitted) + int(self.fact("gone"))


def _short(answer: Any) -> Any:
    if isinstance(answer, SeatLockError):
        return type(answer).__name__
    if answer.state == "waiting":
        return answer.number
    return answer.state
