"""The order of those who come before a room opens: drawn so that anyone can recompute it, and nobody could aim at it.

1. When the room is made, a commitment to a secret seed is published: its SHA-256.
2. The list of the early is closed; its digest is published. From then on nobody is added or taken off unseen.
3. The room opens with a value from outside that nobody could know before (a public beacon's, say). Seed and value
   together give every participant a number; the order is that of the numbers, then of the ids. The seed is revealed.

So neither those who choose ids nor those who know the seed can aim at a position: the value comes after both. Holders
appear in the record as tags, SHA-256 of show and holder: one's own can be found, others' cannot be read. Pure.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Final

import msgspec

from seatlock.errors import InvalidRequest

TAG_BYTES: Final = 32
BITS: Final = 49  # of a number, so that Lua's numbers hold it exactly


class Participants(msgspec.Struct, frozen=True):
    """Those who came early, in the order of their ids: how many, the digest of their tags, and the tags themselves."""

    show: str
    count: int
    digest: str
    tags: bytes

    def __repr__(self) -> str:
        return f"Participants({self.show!r}, count={self.count}, digest={self.digest!r})"


class Draw(msgspec.Struct, frozen=True):
    """The public record of a draw: all that it takes to recompute it. ``tags`` are those of `Participants`."""

    show: str
    commitment: str
    seed: str
    outside: str
    digest: str
    tags: bytes

    def __repr__(self) -> str:
        return f"Draw({self.show!r}, digest={self.digest!r}, outside={self.outside!r})"

    @property
    def count(self) -> int:
        """How many were drawn."""
        return len(self.tags) // TAG_BYTES

    def check(self) -> list[str]:
        """Whatever does not fit together; empty where the record is sound."""
        found: list[str] = []
        if commitment_of(self.seed) != self.commitment:
            found.append("the seed is not the one that was committed to")
        if digest_of(_split(self.tags)) != self.digest:
            found.append("the participants are not those whose digest was published")
        if len(set(_split(self.tags))) * TAG_BYTES != len(self.tags):
            found.append("a participant is on the list twice")
        return found

    def order(self) -> list[bytes]:
        """The tags in the order that was drawn, recomputed."""
        key = key_of(self.seed, self.outside)
        return sorted(_split(self.tags), key=lambda tag: number_of(key, tag))  # stable: ties stay in the order of ids

    def position(self, holder: str) -> int | None:
        """The position that the draw gave to a holder, from 1; None to one who was not early."""
        tag = tag_of(self.show, holder)
        key = key_of(self.seed, self.outside)
        own, before, seen = number_of(key, tag), 0, False
        for other in _split(self.tags):
            if other == tag:
                seen = True
            else:
                number = number_of(key, other)
                before += number < own or (number == own and not seen)
        return before + 1 if seen else None


def commitment_of(seed: str) -> str:
    """What is published of a seed before it is revealed."""
    return sha256(f"seatlock draw\n{seed}".encode()).hexdigest()


def tag_of(show: str, holder: str) -> bytes:
    """What stands for a holder in the public record."""
    return sha256(f"{show}\n{holder}".encode()).digest()


def digest_of(tags: Iterable[bytes]) -> str:
    """The digest of participants whose tags come in the order of their ids."""
    found = sha256(b"seatlock participants\n")
    for tag in tags:
        found.update(tag)
    return found.hexdigest()


def key_of(seed: str, outside: str) -> bytes:
    """What the numbers are made with: the seed, mixed with the value from outside."""
    return sha256(f"seatlock order\n{seed}\n{outside}".encode()).digest()


def number_of(key: bytes, tag: bytes) -> int:
    """The number that the draw gives a participant: the first bits of HMAC-SHA256."""
    return int.from_bytes(hmac.digest(key, tag, sha256)[:8], "big") >> (64 - BITS)


def _split(tags: bytes) -> Iterator[bytes]:
    if len(tags) % TAG_BYTES:
        raise InvalidRequest(f"the tags of a draw come to {len(tags)} bytes, which is no multiple of {TAG_BYTES}.")
    return (tags[at : at + TAG_BYTES] for at in range(0, len(tags), TAG_BYTES))
