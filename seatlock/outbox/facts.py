"""What an outbox tells of a booking, and the one place where its entries are read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal, cast

import msgspec

from seatlock import _bounds
from seatlock._nothing import NOTHING
from seatlock._replies import FENCE_EPOCH, fence_of
from seatlock.errors import InvalidRequest
from seatlock.ledger.model import Claim
from seatlock.outbox._stream import Entry

Kind = Literal["confirmed", "pinned", "cancelled", "recorded"]
_KINDS: Final = frozenset({"confirmed", "pinned", "cancelled", "recorded"})
_NAMES: Final = ("kind", "booking", "holder", "seats", "payment", "epoch", "fence", "at")
_is_number: Final = re.compile(r"[0-9]{1,15}").fullmatch


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """What an entry of an outbox says.

    ``confirmed``: Redis has sold it, on a show with fast checkout. ``pinned``: the ledger is to decide about it.
    ``cancelled``: Redis has freed it, on a show with fast checkout. ``recorded``: the ledger has it on record already,
    and brokers are to be told. ``fence`` is the whole one. ``at`` is in seconds by the clock of Redis, ``written`` when
    the entry was written, in ms. ``token_hash`` is there of what is confirmed or pinned.
    """

    id: str
    kind: Kind
    show: str
    booking: str
    holder: str
    seats: tuple[str, ...]
    pools: Mapping[str, int]
    payment: str | None
    epoch: int
    fence: int
    at: float
    token_hash: str | None

    @property
    def written(self) -> int:
        """When the entry was written."""
        return int(self.id.partition("-")[0])

    @property
    def wants(self) -> bool:
        """Whether the ledger is to decide it."""
        return self.kind in ("confirmed", "pinned")


class Poison(msgspec.Struct, frozen=True):
    """An entry that says nothing one could act on, and why."""

    id: str
    reason: str


def decode(show: str, entry: Entry) -> Fact | Poison:
    """Read an entry."""
    try:
        fact = _decoded(show, {name.decode(): value.decode() for name, value in entry.fields.items()}, entry.id)
        _check(fact)
    except (InvalidRequest, ValueError, LookupError) as error:
        return Poison(entry.id, f"it cannot be read: {error}")
    return fact


def _decoded(show: str, fields: Mapping[str, str], entry_id: str) -> Fact:
    missing = [name for name in _NAMES if name not in fields]
    if missing:
        raise ValueError(f"it has no {' and no '.join(missing)}")
    kind, booking, holder, seats, payment, epoch, fence, at = (fields[name] for name in _NAMES)
    if kind not in _KINDS:
        raise ValueError(f"its kind is {kind!r}")
    pools: dict[str, int] = {}
    for line in fields.get("pools", "").split("\n") if fields.get("pools") else ():
        quantity, _, name = line.partition(" ")
        pools[name] = _number("a quantity", quantity)
    number, counter = _number("epoch", epoch), _number("fence", fence)
    if counter >= FENCE_EPOCH:
        raise ValueError(f"fence is {fence!r}")
    return Fact(
        id=entry_id,
        kind=cast("Kind", kind),
        show=show,
        booking=booking,
        holder=holder,
        seats=tuple(seats.split("\n")) if seats else (),
        pools=pools or NOTHING,
        payment=payment or None,
        epoch=number,
        fence=fence_of(number, counter),
        at=_number("at", at) / 1000,
        token_hash=fields.get("token_hash") or None,
    )


def _check(fact: Fact) -> None:
    """Check all that any later step relies on: what fails there holds its show up, time and again."""
    if fact.wants:
        claim_of(fact)
        return
    _bounds.reference("booking", fact.booking)
    _bounds.seats_with_pools(fact.seats, fact.holder, fact.pools)
    _bounds.fence("fence", fact.fence)
    if fact.payment is not None:
        _bounds.reference("payment", fact.payment)


def _number(name: str, text: str) -> int:
    if not _is_number(text):
        raise ValueError(f"{name} is {text!r}")
    return int(text)


def claim_of(fact: Fact) -> Claim:
    """What the ledger is asked to decide; raises `seatlock.InvalidRequest` for what no hold can be."""
    return Claim(
        show=fact.show,
        booking=fact.booking,
        holder=fact.holder,
        token_hash=fact.token_hash or "",
        epoch=fact.epoch,
        fence=fact.fence,
        seats=fact.seats,
        pools=fact.pools,
        payment=fact.payment,
    )
