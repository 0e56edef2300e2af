"""The public record of a draw: what is written is read again, and whatever was changed in it is noticed."""

from __future__ import annotations

import base64
import json
from typing import Any, Final

import pytest

from seatlock import InvalidRequest
from seatlock.waiting_room.draw import Draw, commitment_of, digest_of, tag_of
from seatlock.waiting_room.record import from_json, to_json

HOLDERS: Final = sorted(f"holder-{number}" for number in range(50))
SEED: Final = "5eed" * 16


def drawn(outside: str = "beacon") -> Draw:
    tags = [tag_of("gala", holder) for holder in HOLDERS]
    return Draw("gala", commitment_of(SEED), SEED, outside, digest_of(tags), b"".join(tags))


def test_what_is_written_is_read_again() -> None:
    for draw in (drawn(), drawn(""), Draw("leer é", commitment_of("x"), "x", "☂", digest_of([]), b"")):
        written = to_json(draw)
        assert from_json(written) == from_json(written.decode()) == draw
        assert from_json(written).check() == []
        assert written.endswith(b"}\n")


def test_it_names_nobody() -> None:
    assert not [holder for holder in HOLDERS if holder.encode() in to_json(drawn())]


def test_it_can_be_recomputed_without_seatlock() -> None:
    """As docs/decisions/waiting-room.md says how."""
    import hashlib  # noqa: PLC0415 - this test stands for somebody else's program
    import hmac  # noqa: PLC0415

    record = json.loads(to_json(drawn()))
    raw = base64.b64decode(record["tags"])
    tags = [raw[at : at + 32] for at in range(0, len(raw), 32)]
    assert hashlib.sha256(f"seatlock draw\n{record['seed']}".encode()).hexdigest() == record["commitment"]
    assert hashlib.sha256(b"seatlock participants\n" + raw).hexdigest() == record["digest"]
    key = hashlib.sha256(f"seatlock order\n{record['seed']}\n{record['outside']}".encode()).digest()

    def number(tag: bytes) -> int:
        return int.from_bytes(hmac.new(key, tag, "sha256").digest()[:8], "big") >> 15

    order = sorted(tags, key=number)
    assert order == drawn().order()
    mine = hashlib.sha256(b"gala\nholder-7").digest()
    assert order.index(mine) + 1 == drawn().position("holder-7")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"seed": "another"}, "seed is not the one"),
        ({"commitment": "0" * 64}, "seed is not the one"),
        ({"digest": "0" * 64}, "participants are not those"),
        ({"tags": base64.b64encode(b"x" * 64).decode()}, "twice"),
        ({"tags": ""}, "participants are not those"),
    ],
)
def test_what_was_changed_does_not_fit(change: dict[str, Any], complaint: str) -> None:
    forged = from_json(json.dumps({**json.loads(to_json(drawn())), **change}))
    assert complaint in "; ".join(forged.check())


def test_another_outside_value_is_another_order() -> None:
    forged = from_json(json.dumps({**json.loads(to_json(drawn())), "outside": "other"}))
    assert forged.check() == []  # nothing in the record says which value was published: compare that
    assert forged.order() != drawn().order()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        "id,section\nA-1,x\n",
        b"\xff\xfe",
        b"\x89PNG\r\n",
        "[" * 100_000,
        json.dumps({**json.loads(to_json(drawn())), "format": "seatlock draw 2"}),
        json.dumps({**json.loads(to_json(drawn())), "more": 1}),
        json.dumps({**json.loads(to_json(drawn())), "digest": "0" * 63}),
        json.dumps({**json.loads(to_json(drawn())), "commitment": "Z" * 64}),
        json.dumps({**json.loads(to_json(drawn())), "tags": "AAAA"}),
        json.dumps({**json.loads(to_json(drawn())), "tags": "*"}),
        json.dumps({**json.loads(to_json(drawn())), "seed": 5}),
        json.dumps({name: value for name, value in json.loads(to_json(drawn())).items() if name != "outside"}),
    ],
)
def test_what_is_no_record_is_refused(text: bytes | str) -> None:
    with pytest.raises(InvalidRequest, match=r"this is no public record of a draw \("):
        from_json(text)
