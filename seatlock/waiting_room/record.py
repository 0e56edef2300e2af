"""The public record of a draw as JSON: what is published, and what `seatlock verify-shuffle` reads. Pure."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from seatlock.errors import InvalidRequest
from seatlock.waiting_room.draw import TAG_BYTES, Draw

FORMAT: Final = "seatlock draw 1"
Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class _Record(msgspec.Struct, forbid_unknown_fields=True):
    format: Literal["seatlock draw 1"]
    show: str
    commitment: Digest
    seed: str
    outside: str
    digest: Digest
    tags: bytes  # base64 in JSON


def to_json(draw: Draw) -> bytes:
    """Write the record of a draw."""
    record = _Record(FORMAT, draw.show, draw.commitment, draw.seed, draw.outside, draw.digest, draw.tags)
    return msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"


def from_json(text: bytes | str) -> Draw:
    """Read the record of a draw. Raises `InvalidRequest` where it is none; whether it is true is for `Draw.check`."""
    try:
        record = msgspec.json.decode(text, type=_Record)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise InvalidRequest(f"this is no public record of a draw ({error}).") from None
    if len(record.tags) % TAG_BYTES:
        raise InvalidRequest(f"this is no public record of a draw (its tags are no multiple of {TAG_BYTES} bytes).")
    return Draw(record.show, record.commitment, record.seed, record.outside, record.digest, record.tags)
