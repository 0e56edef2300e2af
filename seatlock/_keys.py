"""Every Redis key of a show, in one place. All of them share the hash tag ``{SHOW}``, hence one slot of a cluster."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256

from seatlock import _bounds


class Room:
    """The keys of the waiting room of a show."""

    __slots__ = ("admissions", "drawn", "early", "grants", "here", "kept", "passes", "queue", "record", "room")

    def __init__(self, base: bytes) -> None:
        self.room = base + b"room"
        self.queue = base + b"queue"
        self.passes = base + b"passes"
        self.grants = base + b"grants"
        self.early = base + b"early"
        self.drawn = base + b"drawn"
        self.here = [base + b"here:0", base + b"here:1"]
        self.kept = [base + b"kept:0", base + b"kept:1"]
        self.admissions = base + b"admissions"
        self.record = base + b"record"

    def all(self) -> list[bytes]:
        """All of them."""
        first = [self.room, self.queue, self.passes, self.grants, self.early, self.drawn]
        return [*first, *self.here, *self.kept, self.admissions, self.record]


class Keys:
    """The keys of one show, as bytes, since that is how they go on the wire."""

    __slots__ = (
        *("aside", "audit", "blocks", "changes", "due", "list_prefix", "lock_prefix", "meta", "note_prefix", "outbox"),
        *("plan", "pool_due_prefix", "pools", "probe", "relay", "retired", "room", "seats", "show"),
    )

    def __init__(self, namespace: str, show: str) -> None:
        self.show = show
        base = f"{namespace}:{{{show}}}:".encode()
        self.meta = base + b"meta"
        self.seats = base + b"seats"
        self.due = base + b"due"
        self.plan = base + b"plan"
        self.changes = base + b"changes"
        self.outbox = base + b"outbox"
        self.aside = base + b"aside"
        self.relay = base + b"relay"
        self.retired = base + b"retired"
        self.audit = base + b"audit"
        self.blocks = base + b"blocks"
        self.probe = [base + b"probe:" + kind for kind in (b"text", b"hash", b"zset", b"stream", b"renamed")]
        self.lock_prefix = base + b"lock:"
        self.pools = base + b"pools"
        self.pool_due_prefix = base + b"pool-due:"
        self.list_prefix = base + b"holder:"
        self.note_prefix = base + b"best:"
        self.room = Room(base)

    def locks(self, seats: tuple[str, ...]) -> tuple[bytes, ...]:
        """The lock key of each seat, in order."""
        prefix = self.lock_prefix
        if len(seats) == 1:
            return (prefix + seats[0].encode(),)
        return tuple([prefix + seat.encode() for seat in seats])

    def pool_dues(self, names: Iterable[str]) -> list[bytes]:
        """The due set of each pool, in order."""
        return [self.pool_due_prefix + name.encode() for name in names]

    def lists(self, holders: Iterable[str]) -> list[bytes]:
        """The lists of holders, each once: what they have, on a show with limits."""
        return [self.list_prefix + holder.encode() for holder in dict.fromkeys(holders)]

    def note(self, owner: bytes) -> bytes:
        """The key that tells which seats `acquire_best` gave an owner; the token in it is not to be read from a key."""
        return self.note_prefix + sha256(owner).hexdigest()[:32].encode()


def keys_of(namespace: str, show: object) -> Keys:
    """The keys of a show, whose id is checked on the way."""
    return _keys_of(namespace, show) if type(show) is str else Keys(namespace, _bounds.show_id(show))


@lru_cache(maxsize=4096)  # a sale asks for the same show over and over
def _keys_of(namespace: str, show: str) -> Keys:
    return Keys(namespace, _bounds.show_id(show))
