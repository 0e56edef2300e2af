"""What Redis has of a show's pools, read with a parser of its own, as `seatlock.simulation.raw` does with seats.

All pools lie in the hash ``NS:{SHOW}:pools``; the parts of a field's name are parted by line breaks, and so are those
of a value. An empty value means that the field is gone.

- ``names``: the pools, a line each;
- ``c POOL``: capacity, held and sold, parted by spaces;
- ``h POOL HOLDER``, a claim: ``token quantity epoch fence deadline limit`` (with the mark of a lock behind it);
- ``s POOL EPOCH-FENCE``, a sale: ``token holder quantity since booking payment``;
- ``t POOL TOKEN HOLDER``: the ``EPOCH-FENCE`` of the sale to this owner.

What is due lies in ``NS:{SHOW}:pool-due:POOL``, a sorted set: holder to deadline, and an empty member.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec

_FENCES_AN_EPOCH: Final = 2**40
_COUNTS: Final = re.compile(r"(\d+) (\d+) (\d+)", re.ASCII)
_CLAIM: Final = re.compile(r"([^\n]*)\n(\d+)\n\d+\n\d+\n\d+\n\d+p?r?", re.ASCII)
_SALE: Final = re.compile(r"([^\n]*)\n([^\n]*)\n(\d+)\n\d+\n([^\n]*)\n([^\n]*)", re.ASCII)
_KEY: Final = re.compile(r"(\d+)-(\d+)", re.ASCII)


class RawClaim(msgspec.Struct, frozen=True):
    """A live claim: so many of a pool that a holder may still pay for."""

    token: str
    quantity: int


class RawSale(msgspec.Struct, frozen=True):
    """A sale out of a pool. ``fence`` has the epoch in it."""

    token: str
    holder: str
    quantity: int
    booking: str
    payment: str
    fence: int


class RawPool(msgspec.Struct, frozen=True):
    """One pool. ``claims`` are by holder, ``due`` are the holders whose claims a sweep would take back.

    ``counted`` is capacity, held and sold as Redis counts them. ``strange`` names what is not as documented,
    or does not belong to anything.
    """

    counted: tuple[int, int, int]
    claims: Mapping[str, RawClaim] = {}
    sales: tuple[RawSale, ...] = ()
    due: frozenset[str] = frozenset()
    strange: tuple[str, ...] = ()

    @property
    def free(self) -> int:
        """What is left, as Redis counts."""
        capacity, held, sold = self.counted
        return capacity - held - sold

    @property
    def held(self) -> int:
        """The sum of the claims."""
        return sum(claim.quantity for claim in self.claims.values())

    @property
    def sold(self) -> int:
        """The sum of the sales."""
        return sum(sale.quantity for sale in self.sales)


class _Draft:
    """A pool while it is read."""

    def __init__(self) -> None:
        self.counted = (0, 0, 0)
        self.claims: dict[str, RawClaim] = {}
        self.sales: dict[str, RawSale] = {}
        self.owners: dict[str, str] = {}
        self.strange: list[str] = []

    def read(self, kind: str, rest: str, value: str) -> None:
        """Read one field; what follows the pool in its name is the rest."""
        if kind == "c" and not rest and (counts := _COUNTS.fullmatch(value)):
            self.counted = (int(counts[1]), int(counts[2]), int(counts[3]))
        elif kind == "h" and (claim := _CLAIM.fullmatch(value)):
            self.claims[rest] = RawClaim(claim[1], int(claim[2]))
        elif kind == "s" and (sale := _SALE.fullmatch(value)) and (key := _KEY.fullmatch(rest)):
            fence = int(key[1]) * _FENCES_AN_EPOCH + int(key[2])
            self.sales[rest] = RawSale(sale[1], sale[2], int(sale[3]), sale[4], sale[5], fence)
        elif kind == "t":
            self.owners[rest] = value
        else:
            self.strange.append(f"{kind} {rest}".rstrip())

    def done(self) -> RawPool:
        """The pool. The sales and the list of their owners must be the same."""
        owners = {(f"{sale.token}\n{sale.holder}", key) for key, sale in self.sales.items()}
        parted = {key for _, key in owners ^ set(self.owners.items())}
        strange = (*self.strange, *(f"the sale {key} has another owner" for key in sorted(parted)))
        return RawPool(self.counted, self.claims, tuple(self.sales.values()), strange=strange)


def parse_pools(fields: Mapping[str, bytes]) -> dict[str, RawPool]:
    """Read the hash of the pools: those that it names, and those that it only has fields of."""
    values = {field: value.decode(errors="replace") for field, value in fields.items() if value}
    names = values.pop("names", "")
    drafts: dict[str, _Draft] = {name: _Draft() for name in names.split("\n") if name}
    for field, value in values.items():
        kind, _, rest = field.partition("\n")
        name, _, rest = rest.partition("\n")
        drafts.setdefault(name, _Draft()).read(kind, rest, value)
    return {name: draft.done() for name, draft in drafts.items()}
