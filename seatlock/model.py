"""What seatlock answers and takes: frozen msgspec Structs, so that they serialise, compare and never change.

Times are seconds as floats. No ``repr`` shows a token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from seatlock._bounds import DEFAULT_TTL, Duration
from seatlock._nothing import NOTHING

__all__ = [
    "AcquireRequest",
    "Availability",
    "BestHold",
    "Block",
    "Booking",
    "Cancellation",
    "ChannelChange",
    "Checkout",
    "ConfirmRequest",
    "Conflict",
    "HeldSeats",
    "Hold",
    "PoolConflict",
    "PoolCounts",
    "Release",
    "SaleStatus",
    "SeatState",
    "StateName",
    "Unblock",
    "Wait",
    "Warmed",
]

StateName = Literal["free", "held", "pinned", "sold", "blocked", "channel"]
"""The states a seat can be in. ``channel``: free, but only to requests that name its channel."""

SaleStatus = Literal["open", "paused", "closed"]
"""Whether a show takes new holds."""


Checkout = Literal["fast", "strict"]
"""Who decides what a show sells: Redis alone, or the ledger."""


def _without_token(struct: msgspec.Struct) -> str:
    """The usual repr of a Struct, its token left out."""
    shown = (f"{name}={value!r}" for name, value in _fields_without_token(struct))
    return f"{type(struct).__name__}({', '.join(shown)})"


def _fields_without_token(struct: msgspec.Struct) -> list[tuple[str, Any]]:
    return [(name, getattr(struct, name)) for name in struct.__struct_fields__ if name != "token"]


def _hash(struct: Hold | Booking) -> int:
    values = (getattr(struct, name) for name in struct.__struct_fields__ if name != "pools")
    return hash((*values, frozenset(struct.pools.items())))


class Hold(msgspec.Struct, frozen=True, gc=False):
    """A time-limited claim on seats, on quantities of pools, or on both.

    ``seats`` and ``pools`` (name to quantity) are what was asked for in the call that answered with this hold; extend,
    confirm and release act on exactly these seats. Confirm sells exactly these quantities; extend and release act on
    all that the token has in these pools. ``fence`` grows with every hold of the show. ``ttl`` is the seconds that
    were left when the server answered. ``resumed`` says that the holder already had this hold, under the ``token``
    given here.
    ``deadline`` is the server's own: opaque, never compared with a client's clock, sent back only to tell a hold that
    ran out from one that was given back.
    """

    show: str
    seats: tuple[str, ...]
    holder: str
    token: str
    fence: int
    ttl: float
    resumed: bool = False
    deadline: int = 0
    pools: Mapping[str, int] = NOTHING

    def __hash__(self) -> int:
        return _hash(self)

    def __repr__(self) -> str:
        return _without_token(self)

    def __rich_repr__(self) -> list[tuple[str, Any]]:  # what rich prints, also of a traceback's variables
        return _fields_without_token(self)


class HeldSeats(msgspec.Struct, frozen=True):
    """What a holder has on hold, as `holds` lists it: without the token, so nobody can act on it with that.

    ``seats``, and how many of each of ``pools``. ``fence`` is that of the call that held them; ``ttl`` is the seconds
    that are left.
    """

    show: str
    seats: tuple[str, ...]
    holder: str
    fence: int
    ttl: float
    pools: Mapping[str, int] = NOTHING


class BestHold(msgspec.Struct, frozen=True, gc=False):
    """The hold that `acquire_best` got, and whether its seats adjoin (a single seat does)."""

    hold: Hold
    adjacent: bool


class Booking(msgspec.Struct, frozen=True, gc=False):
    """A confirmed hold: its seats and its quantities of pools are sold.

    ``id`` is derived from the hold's token and seats unless the caller gave one. ``status`` is ``confirmed``, and with
    strict checkout also ``pending`` (the ledger cannot be reached, so nobody knows yet), ``rejected``, or
    ``cancelled``. ``confirmed_at`` is in seconds since the epoch by the clock of the server that confirmed it, Redis or
    the ledger's database; of a pending booking it is when it was pinned. ``replicas`` is how many replicas are known to
    have it, None where that was not asked; fewer than asked for is no error. ``on_disk`` says whether the primary's own
    disk has it; None where that was not asked, or no answer came.
    """

    id: str
    show: str
    seats: tuple[str, ...]
    holder: str
    payment: str | None
    fence: int
    confirmed_at: float
    status: Literal["confirmed", "pending", "rejected", "cancelled"] = "confirmed"
    replicas: int | None = None
    pools: Mapping[str, int] = NOTHING
    on_disk: bool | None = None

    def __hash__(self) -> int:
        return _hash(self)


class Wait(msgspec.Struct, frozen=True):
    """What a confirm waits for, once it has sold: copies of what it wrote, for ``timeout`` (1 ms to 60 s) at most.

    ``replicas`` (1 to 100) is how many replicas shall have it in memory (WAIT). With ``disk`` it shall be on the disk
    of the primary and of so many replicas (WAITAOF, from Redis 7.2 on; ``replicas`` may be 0): where the append-only
    file is synced once a second, give it three. A server that cannot say so is refused (`UnsafeServer`) before anything
    is sold. What falls short is told in ``Booking.replicas`` and ``Booking.on_disk``, is no error, and undoes nothing.
    ``docs/fast-checkout.md`` says what each can lose.
    """

    replicas: int = 1
    disk: bool = False
    timeout: Duration = 0.1


class Release(msgspec.Struct, frozen=True):
    """What a release did, seat by seat.

    ``released``: it was held by this token and is free now. ``gone``: nobody holds it any more (it expired, or was
    released before). ``taken``: somebody else holds it. ``pinned`` and ``sold`` seats are left alone, whoever asks.
    ``pools`` tells how many of each pool were given back: all that the token had there (`force_release`: the holder),
    and 0 where it had none left.
    """

    show: str
    seats: Mapping[str, Literal["released", "gone", "taken", "pinned", "sold"]]
    pools: Mapping[str, int] = NOTHING

    @property
    def released(self) -> tuple[str, ...]:
        """The seats that this call made free."""
        return tuple(seat for seat, word in self.seats.items() if word == "released")


class Cancellation(msgspec.Struct, frozen=True):
    """What a cancel did, seat by seat.

    ``cancelled``: the seat was sold under this booking and is free now. ``gone``: it does not belong to the booking
    any more (cancelled before, or never part of it). ``pools`` tells how many of each pool were given back.
    """

    show: str
    booking: str
    seats: Mapping[str, Literal["cancelled", "gone"]]
    pools: Mapping[str, int] = NOTHING

    @property
    def cancelled(self) -> tuple[str, ...]:
        """The seats that this call made free."""
        return tuple(seat for seat, word in self.seats.items() if word == "cancelled")


class Block(msgspec.Struct, frozen=True):
    """What a block did, seat by seat.

    ``blocked``: the seat was free and is off sale now. ``already``: it was blocked before. Either way ``reason`` is the
    one that is kept now, None where none was given.
    """

    show: str
    seats: Mapping[str, Literal["blocked", "already"]]
    reason: str | None = None

    @property
    def blocked(self) -> tuple[str, ...]:
        """The seats that this call took off sale."""
        return tuple(seat for seat, word in self.seats.items() if word == "blocked")


class Unblock(msgspec.Struct, frozen=True):
    """What an unblock did, seat by seat.

    ``unblocked``: the seat was blocked and is free now. Any other word is the state of a seat that was not blocked, and
    that was left as it is.
    """

    show: str
    seats: Mapping[str, Literal["unblocked", "free", "held", "pinned", "sold", "channel"]]

    @property
    def unblocked(self) -> tuple[str, ...]:
        """The seats that this call put back on sale."""
        return tuple(seat for seat, word in self.seats.items() if word == "unblocked")


class ChannelChange(msgspec.Struct, frozen=True):
    """What a `set_channel` did, seat by seat; ``channel`` None is the public.

    ``changed``: the seat was elsewhere and is in this channel now. ``already``: it was there before.
    """

    show: str
    channel: str | None
    seats: Mapping[str, Literal["changed", "already"]]

    @property
    def changed(self) -> tuple[str, ...]:
        """The seats that this call moved."""
        return tuple(seat for seat, word in self.seats.items() if word == "changed")


class Conflict(msgspec.Struct, frozen=True, gc=False):
    """Why one seat could not be had.

    ``retry_after`` is the seconds until the seat may come back by itself, None where that is not to be expected.
    ``yours`` says that the same holder has it already, under another token. ``inconsistent`` says that lock and
    availability hash disagree: the seat is refused to be safe, and wants reconciling.
    """

    state: StateName
    retry_after: float | None = None
    yours: bool = False
    inconsistent: bool = False


class PoolConflict(msgspec.Struct, frozen=True, gc=False):
    """Why so many of a pool could not be had.

    ``left`` is how many are free. ``retry_after`` is the seconds until the next of those held may come back by itself,
    None where none are held. ``yours`` says that the same holder has some already, under another token, and not as many
    as asked for; or that this token has bought some.
    """

    left: int
    retry_after: float | None = None
    yours: bool = False


class PoolCounts(msgspec.Struct, frozen=True, gc=False):
    """The stock of one pool: ``free`` + ``held`` + ``sold`` is the ``capacity``."""

    capacity: int
    free: int
    held: int
    sold: int


class SeatState(msgspec.Struct, frozen=True):
    """What support staff may know of one seat. ``consistent`` says that lock and availability hash agree.

    ``expires_in`` is the seconds left of a hold. ``holder`` and ``fence`` are there while the seat is held, pinned or
    sold, ``booking`` and ``payment`` once it is sold; a seat sold elsewhere before the show was warmed has neither.
    ``reason`` is why the house blocked the seat, where it said so. ``channel`` is the channel that the seat is in.
    """

    seat: str
    state: StateName
    category: str | None = None
    consistent: bool = True
    expires_in: float | None = None
    holder: str | None = None
    fence: int | None = None
    booking: str | None = None
    payment: str | None = None
    reason: str | None = None
    channel: str | None = None


class Availability(msgspec.Struct, frozen=True):
    """The states of a show's seats and the stock of its pools at one version.

    ``version`` is epoch and version of the show, as in the ids of its change stream. ``counts`` has every state, and
    adds up to all seats asked for. Free seats of a channel are ``free`` if that channel was named, else ``channel``.
    ``pools`` has every pool of the show. ``status`` is what the sale was when it was read, by the server's clock: it
    opens and closes by itself where times are set. ``opens_in`` and ``closes_in`` are the seconds that were left until
    then, or None where no such time is to come.
    """

    show: str
    status: SaleStatus
    version: tuple[int, int]
    counts: Mapping[StateName, int]
    seats: Mapping[str, StateName]
    opens_in: float | None = None
    closes_in: float | None = None
    pools: Mapping[str, PoolCounts] = {}

    @property
    def free(self) -> tuple[str, ...]:
        """The seats that are free, in plan order."""
        return tuple(seat for seat, state in self.seats.items() if state == "free")


class Warmed(msgspec.Struct, frozen=True):
    """What warming did: seats that are new, that changed, and that were left as they were.

    ``lifted`` says that the show had limits a holder before, and was warmed without any now: only 500 in all is left.
    """

    show: str
    created: bool
    added: int
    changed: int
    kept: int
    lifted: bool = False


class AcquireRequest(msgspec.Struct, frozen=True):
    """One request of `acquire_many`; the fields mean what the arguments of `acquire` mean."""

    seats: Sequence[str]
    holder: str
    ttl: Duration = DEFAULT_TTL
    token: str | None = None
    pools: Mapping[str, int] | None = None
    channel: str | None = None

    def __repr__(self) -> str:
        return _without_token(self)

    def __rich_repr__(self) -> list[tuple[str, Any]]:  # what rich prints, also of a traceback's variables
        return _fields_without_token(self)


class ConfirmRequest(msgspec.Struct, frozen=True):
    """One request of `confirm_many`; the fields mean what the arguments of `confirm` mean."""

    hold: Hold
    payment: str | None = None
    booking: str | None = None
    reclaim: bool = False
