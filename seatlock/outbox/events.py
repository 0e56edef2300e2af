"""What brokers are told: the documented, versioned schema of a fact that the ledger has decided.

docs/events.md tells those who read the events what they need to know.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

import msgspec

from seatlock._nothing import NOTHING
from seatlock.errors import InvalidRequest

if TYPE_CHECKING:
    from seatlock.ledger.model import Record  # the extra `ledger` is not needed to read events

SCHEMA: Final = 1
"""The version of this schema. Fields may be added under the same number; nothing else changes under it."""

Kind = Literal["confirmed", "rejected", "cancelled"]


class BookingEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a booking, as the ledger has it. Told at least once: know it again by its ``id``.

    ``key`` is what brokers keep the order by: the show. The events of each seat and of each booking come in order.
    ``at`` is when the ledger decided or cancelled, in seconds since the epoch by the database's clock. ``holder`` and
    ``fence`` are None where the ledger knows no more of a booking than that it was cancelled.
    """

    schema: int = SCHEMA
    id: str
    kind: Kind
    show: str
    booking: str
    seats: tuple[str, ...] = ()
    pools: Mapping[str, int] = NOTHING
    holder: str | None = None
    payment: str | None = None
    fence: int | None = None
    reason: str | None = None
    at: float

    @property
    def key(self) -> str:
        """What the order is kept by."""
        return self.show


class Publisher(Protocol):
    """Tells brokers."""

    async def publish(self, events: Sequence[BookingEvent]) -> None:
        """Tell these, in order; gives back once the broker has them all.

        Raises `seatlock.PublishFailed` if it may not have: some of them were perhaps told. Then tell these again,
        before any other of the same shows, or their order is lost.
        """
        ...  # a protocol


def event_of(record: Record) -> BookingEvent:
    """What there is to tell of a booking as the ledger has it now. The same record gives the same event."""
    cancelled = record.status == "cancelled" and record.cancelled_at is not None
    return _event(record, record.status, record.cancelled_at if cancelled else record.decided_at)


def events_of(record: Record) -> tuple[BookingEvent, ...]:
    """All that became of a booking, in order: one that is cancelled now was confirmed before, if it was decided.

    Tell these rather than only the last, and nobody hears of the end of a booking whose beginning was never told.
    What was told already has the same id as then.
    """
    last = event_of(record)
    if last.kind != "cancelled" or record.holder is None:
        return (last,)
    return _event(record, "confirmed", record.decided_at, reason=None), last


def _event(record: Record, kind: Kind, at: float | None, **changes: Any) -> BookingEvent:
    told: dict[str, Any] = {
        "id": event_id(record.show, record.booking, record.fence, kind),
        "kind": kind,
        "show": record.show,
        "booking": record.booking,
        "seats": record.seats,
        "pools": record.pools,
        "holder": record.holder,
        "payment": record.payment,
        "fence": record.fence,
        "reason": record.reason,
        "at": at,
    }
    return BookingEvent(**told | changes)


def event_id(show: str, booking: str, fence: int | None, kind: Kind) -> str:
    """SHOW/BOOKING/FENCE/KIND, where a slash in a name is %2F and a percent sign %25; without a fence, a dash."""
    return f"{_part(show)}/{_part(booking)}/{'-' if fence is None else fence}/{kind}"


def _part(name: str) -> str:
    return name.replace("%", "%25").replace("/", "%2F")


# The wire form: JSON


class _Version(msgspec.Struct, frozen=True):
    schema: int


_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(BookingEvent)
_version: Final = msgspec.json.Decoder(_Version)


def encode_event(event: BookingEvent) -> bytes:
    """The event as JSON, all fields present. The same event gives the same bytes."""
    return _encoder.encode(event)


def decode_event(data: bytes | str) -> BookingEvent:
    """The event in a message. Fields that a later seatlock added are passed over.

    Raises `seatlock.InvalidRequest` for what is no such event, and for one of another version of the schema.
    """
    try:
        version = _version.decode(data).schema
        if version == SCHEMA:
            return _decoder.decode(data)
    except msgspec.DecodeError as error:
        raise InvalidRequest(f"this is no event of seatlock's: {error}.") from None
    raise InvalidRequest(f"this event is of schema {version}, and this seatlock knows schema {SCHEMA}: upgrade it.")


def json_schema() -> dict[str, Any]:
    """The JSON schema of the wire form, as docs/booking-event.schema.json has it."""
    schema: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(msgspec.json.schema(BookingEvent)))
    event = schema["$defs"]["BookingEvent"]
    event["description"] = inspect.cleandoc(event["description"])
    return schema
