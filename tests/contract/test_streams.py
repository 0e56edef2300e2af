"""What a show tells the world: an entry a batch in the change stream, an entry a booking in the outbox."""

from __future__ import annotations

import msgspec

from seatlock import AcquireRequest, ConfirmRequest, Hold, Seat
from seatlock._tokens import hash_of
from tests.support.stage import SEATS, Stage

FIXED = ("meta", "seats", "due", "plan", "changes", "outbox", "passes", "grants", "queue")

# --- the change stream


def test_every_change_is_one_entry_that_equals_the_hash(stage: Stage) -> None:
    stage.open(["A-1", "A-2", "A-3", Seat("B-1", status="blocked")])
    start = stage.version()
    seats = stage.mirrors()
    steps = 0

    def follow(happened: object) -> None:
        nonlocal steps
        assert happened is not None
        steps += 1
        [(entry, fields)] = stage.changes(stage.version() - 1)
        assert entry == f"1-{start + steps}" == f"1-{stage.version()}"
        seats.update(fields)
        assert seats == stage.mirrors()

    hold = stage.acquire("A-1", "A-2", ttl=60)
    follow(hold)
    follow(stage.locker.extend(hold, ttl=600))
    follow(stage.acquire("A-1", "A-2", "A-3", token=hold.token))
    follow(stage.locker.release(Hold(stage.show, ("A-3",), "ada", hold.token, 0, 0.0)))
    booking = stage.locker.confirm(hold)
    follow(booking)
    follow(stage.locker.cancel(booking))
    stage.wait_past(stage.acquire("A-3", ttl=0.02))
    steps += 1
    follow(stage.locker.sweep(stage.show))


def test_a_batch_is_one_entry(stage: Stage) -> None:
    stage.open()
    version = stage.version()
    answers = stage.locker.acquire_many(stage.show, [AcquireRequest([seat], f"u-{seat}") for seat in SEATS])
    assert stage.version() == version + 1
    [(_, fields)] = stage.changes(version)
    assert fields == {hold.seats[0]: f"h0:{hold.deadline}" for hold in answers}


def test_what_changes_nothing_tells_nothing(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1", ttl=600)
    booking = stage.locker.confirm(stage.acquire("A-2"), payment="pay-1")
    gone = stage.acquire("A-3")
    stage.locker.release(gone)
    before = stage.everything()
    stage.acquire("A-1")
    stage.locker.extend(hold, ttl=1)
    stage.locker.release(gone)
    stage.locker.acquire_many(stage.show, [AcquireRequest(["A-1"], "bo"), AcquireRequest(["Z-1"], "bo")])
    stage.locker.cancel(msgspec.structs.replace(booking, id="bk-other"))
    stage.locker.sweep(stage.show)
    stage.locker.open_sale(stage.show)
    assert stage.everything() == before


def test_categories_are_in_the_fields(stage: Stage) -> None:
    stage.open([Seat("A-1", category="gold"), Seat("A-2", category="silver"), Seat("A-3", category="gold")])
    assert stage.mirrors() == {"A-1": "f0", "A-2": "f1", "A-3": "f0"}
    hold = stage.acquire("A-2")
    assert stage.mirror("A-2") == f"h1:{hold.deadline}"
    stage.locker.cancel(stage.locker.confirm(hold))
    assert stage.mirror("A-2") == "f1"


# --- the outbox


def test_a_booking_is_an_entry_without_the_token(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-2", "A-1", holder="ada {1}")
    booking = stage.locker.confirm(hold, payment="pay-1")
    [entry] = stage.outbox()
    at = entry.pop("at")
    assert int(at) == round(booking.confirmed_at * 1000)
    assert entry == {
        "kind": "confirmed",
        "booking": booking.id,
        "holder": "ada {1}",
        "seats": "A-2\nA-1",
        "payment": "pay-1",
        "epoch": "1",
        "fence": str(hold.fence - 2**40),
        "token_hash": hash_of(hold.token),
    }
    assert hold.token.encode() not in str(stage.raw.xrange(stage.key("outbox"))).encode()


def test_a_cancellation_is_an_entry_with_the_seats_it_freed(stage: Stage) -> None:
    stage.open()
    booking = stage.locker.confirm(stage.acquire("A-1", "A-2"), payment="pay-1")
    stage.locker.cancel(msgspec.structs.replace(booking, seats=("A-2", "A-3"), holder="someone"))
    confirmed, cancelled = stage.outbox()
    assert (cancelled["kind"], cancelled["seats"]) == ("cancelled", "A-2")
    assert all(cancelled[name] == confirmed[name] for name in ("booking", "holder", "payment", "epoch", "fence"))
    stage.locker.cancel(booking)
    stage.locker.cancel(booking)
    assert [entry["seats"] for entry in stage.outbox()] == ["A-1\nA-2", "A-2", "A-1"]


def test_confirming_again_adds_no_entry(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1")
    requests = [ConfirmRequest(hold), ConfirmRequest(hold), ConfirmRequest(hold, "pay-2")]
    stage.locker.confirm(hold)
    stage.locker.confirm_many(stage.show, requests)
    assert len(stage.outbox()) == 1


def test_a_batch_has_an_entry_for_each_booking(stage: Stage) -> None:
    stage.open()
    holds = [stage.acquire(seat, holder=f"u-{seat}") for seat in SEATS]
    bookings = stage.locker.confirm_many(stage.show, [ConfirmRequest(hold, f"pay-{hold.holder}") for hold in holds])
    assert [entry["booking"] for entry in stage.outbox()] == [booking.id for booking in bookings]


def test_without_an_outbox_no_fact_is_kept(stage: Stage) -> None:
    stage.open(outbox=False)
    stage.locker.cancel(stage.locker.confirm(stage.acquire("A-1")))
    assert stage.outbox() == []
    stage.open(outbox=True)
    stage.locker.confirm(stage.acquire("A-1"))
    assert len(stage.outbox()) == 1


# --- the fixed keys


def test_the_fixed_keys_are_there_after_warm_and_stay(stage: Stage) -> None:
    stage.locker.warm(stage.show, SEATS)
    fixed = {stage.key(part) for part in FIXED}
    assert stage.keys() == fixed
    stage.locker.open_sale(stage.show)
    hold = stage.acquire("A-1", "A-2")
    assert stage.keys() == {*fixed, stage.lock("A-1"), stage.lock("A-2")}
    stage.locker.release(hold)
    stage.locker.cancel(stage.locker.confirm(stage.acquire("A-1")))
    stage.wait_past(stage.acquire("A-2", ttl=0.02))
    stage.locker.sweep(stage.show)
    assert stage.keys() == fixed
    assert stage.raw.zrange(stage.key("due"), 0, -1, withscores=True) == [(b"", float("inf"))]
    assert all(stage.raw.pttl(key) == -1 for key in fixed)
    assert [group["name"] for group in stage.raw.xinfo_groups(stage.key("outbox"))] == [b"relay"]


def test_no_script_makes_a_key_it_should_not(stage: Stage) -> None:
    stage.open()
    stage.locker.inspect(stage.show, ["A-1"])
    stage.locker.availability(stage.show)
    stage.locker.release(Hold(stage.show, ("Z-1",), "ada", "0" * 32, 0, 0.0))
    stage.locker.sweep(stage.show)
    assert stage.keys() == {stage.key(part) for part in FIXED}
