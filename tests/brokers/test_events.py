"""What is told of a booking: stable ids, the schema that the docs have, and a reader that no new field harms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from seatlock.errors import InvalidRequest
from seatlock.ledger import Record
from seatlock.ledger.model import Conflicts
from seatlock.outbox.events import (
    SCHEMA,
    BookingEvent,
    decode_event,
    encode_event,
    event_id,
    event_of,
    events_of,
    json_schema,
)

DOCS: Final = Path(__file__).parents[2] / "docs"
SCHEMA_FILE: Final = DOCS / "booking-event.schema.json"
RECORD: Final = Record(
    show="hamlet",
    booking="b-1",
    status="confirmed",
    holder="ann",
    token_hash="0" * 64,
    epoch=1,
    fence=2**40 + 7,
    seats=("A-1", "A-2"),
    pools={"floor": 2},
    payment="pay-1",
    request_hash="1" * 64,
    reason=None,
    conflicts=Conflicts(),
    decided_at=1_700_000_000.5,
    cancelled_at=None,
)
BARE: Final = msgspec.structs.replace(
    RECORD, status="cancelled", holder=None, token_hash=None, epoch=None, fence=None, seats=(), pools={}, payment=None
)


def changed(record: Record = RECORD, **changes: Any) -> Record:
    return msgspec.structs.replace(record, **changes)


def test_a_confirmed_booking_is_told_whole() -> None:
    event = event_of(RECORD)
    assert event == BookingEvent(
        id="hamlet/b-1/1099511627783/confirmed",
        kind="confirmed",
        show="hamlet",
        booking="b-1",
        seats=("A-1", "A-2"),
        pools={"floor": 2},
        holder="ann",
        payment="pay-1",
        fence=2**40 + 7,
        at=1_700_000_000.5,
    )
    assert (event.schema, event.key) == (1, "hamlet")
    assert events_of(RECORD) == (event,)


def test_no_token_and_no_hash_is_told() -> None:
    assert not {"token", "token_hash", "request_hash"} & set(BookingEvent.__struct_fields__)


def test_a_rejected_booking_says_why() -> None:
    record = changed(status="rejected", reason="taken", conflicts=Conflicts({"A-1": "b-0"}))
    event = event_of(record)
    assert (event.id, event.kind, event.reason) == ("hamlet/b-1/1099511627783/rejected", "rejected", "taken")
    assert event.payment == "pay-1", "the one to refund"
    assert events_of(record) == (event,)


def test_a_cancelled_booking_was_confirmed_before() -> None:
    record = changed(status="cancelled", reason="refund", cancelled_at=1_700_000_060.0)
    first, last = events_of(record)
    assert first == event_of(RECORD), "as it was told then"
    assert last == event_of(record)
    assert (last.id, last.at, last.reason) == ("hamlet/b-1/1099511627783/cancelled", 1_700_000_060.0, "refund")


def test_a_booking_cancelled_before_it_was_decided_has_no_beginning() -> None:
    (event,) = events_of(changed(BARE, cancelled_at=1_700_000_060.0))
    assert (event.id, event.at, event.holder) == ("hamlet/b-1/-/cancelled", 1_700_000_060.0, None)
    assert event_of(BARE).at == RECORD.decided_at


@pytest.mark.parametrize(
    ("one", "other"), [(("a/b", "c"), ("a", "b/c")), (("a%2Fb", "c"), ("a/b", "c")), (("a%", "c"), ("a%25", "c"))]
)
def test_two_bookings_never_share_an_id(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert event_id(*one, 1, "confirmed") != event_id(*other, 1, "confirmed")
    assert event_id(*one, 1, "confirmed").count("/") == 3


def test_there_and_back() -> None:
    for event in (event_of(RECORD), event_of(BARE)):
        data = encode_event(event)
        assert decode_event(data) == event
        assert decode_event(data.decode()) == event
        assert set(json.loads(data)) == set(BookingEvent.__struct_fields__), "all fields are there, also the empty"


def test_added_fields_are_passed_over() -> None:
    told = json.loads(encode_event(event_of(RECORD)))
    assert decode_event(json.dumps(told | {"tip": 5, "usher": {"name": "eve"}})) == event_of(RECORD)


@pytest.mark.parametrize("name", ["seats", "pools", "holder", "payment", "fence", "reason"])
def test_fields_with_a_default_may_be_missing(name: str) -> None:
    told = json.loads(encode_event(event_of(RECORD)))
    del told[name]
    assert decode_event(json.dumps(told)).id == event_of(RECORD).id


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"null", b"{}", b'{"schema": 1}', b'{"schema": "1"}', b"\xff", b'{"id": "no version"}'],
)
def test_what_is_no_event_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidRequest, match="no event"):
        decode_event(data)


@pytest.mark.parametrize("version", [0, 2])
def test_another_version_is_refused(version: int) -> None:
    with pytest.raises(InvalidRequest, match=f"schema {version}.*knows schema 1"):
        decode_event(json.dumps({"schema": version, "kind": "moved"}))


def test_the_docs_have_the_schema_of_the_code() -> None:
    assert json.loads(SCHEMA_FILE.read_text("utf-8")) == json_schema(), (
        f"write seatlock.outbox.events.json_schema() to {SCHEMA_FILE.name}, and say in docs/events.md what is new"
    )


def test_schema_1_stays_as_it_was() -> None:
    """Fields may be added to these; for anything else there must be a schema 2."""
    assert SCHEMA == 1
    properties = json_schema()["$defs"]["BookingEvent"]["properties"]
    assert properties["kind"]["enum"] == ["cancelled", "confirmed", "rejected"]
    assert properties["fence"]["anyOf"] == [{"type": "integer"}, {"type": "null"}]
    assert {
        "schema",
        "id",
        "kind",
        "show",
        "booking",
        "seats",
        "pools",
        "holder",
        "payment",
        "fence",
        "reason",
        "at",
    } <= (set(properties))


def test_the_docs_name_every_field() -> None:
    text = (DOCS / "events.md").read_text("utf-8")
    assert [name for name in BookingEvent.__struct_fields__ if f"`{name}`" not in text] == []
