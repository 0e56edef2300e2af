"""What Redis does of strict checkout: who refuses, pins that nobody but the ledger ends, and what it has decided."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from seatlock import (
    Booking,
    BookingConflict,
    ConfirmRequest,
    HolderLimitExceeded,
    HoldLost,
    InvalidRequest,
    PlanConflict,
    SeatsUnavailable,
    ShowInUse,
    WrongCheckout,
)
from tests.support.stage import SEATS, Stage, only_on
from tests.support.strict import booking_of, finalise, pin


@pytest.fixture
def strict(stage: Stage) -> Stage:
    stage.open(checkout="strict", pools={"floor": 5})
    return stage


def test_a_strict_show_leaves_confirm_and_cancel_to_the_ledger(strict: Stage) -> None:
    hold = strict.acquire("A-1")
    before = strict.everything()
    booking = Booking("bk", strict.show, ("A-1",), "ada", None, hold.fence, 0.0)
    calls: list[Any] = [
        lambda: strict.locker.confirm(hold, payment="pay"),
        lambda: strict.locker.confirm(hold, reclaim=True),
        lambda: strict.locker.cancel(booking),
    ]
    for call in calls:
        with pytest.raises(WrongCheckout, match="StrictCheckout") as refusal:
            call()
        assert (refusal.value.show, refusal.value.checkout) == (strict.show, "strict")
    answers = strict.locker.confirm_many(strict.show, [ConfirmRequest(hold), ConfirmRequest(hold, reclaim=True)])
    assert [type(answer) for answer in answers] == [WrongCheckout] * 2
    assert strict.everything() == before


def test_a_fast_show_is_never_pinned(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1")
    before = stage.everything()
    with pytest.raises(WrongCheckout, match='checkout="strict"') as refusal:
        pin(stage.locker, hold)
    assert refusal.value.checkout == "fast"
    assert stage.everything() == before


def test_the_checkout_is_settled_by_the_first_hold(stage: Stage) -> None:
    stage.open()
    stage.locker.warm(stage.show, SEATS, checkout="strict")
    hold = stage.acquire("A-1")
    before = stage.everything()
    with pytest.raises(PlanConflict, match="'strict'"):
        stage.locker.warm(stage.show, SEATS)
    assert stage.everything() == before
    stage.locker.release(hold)
    with pytest.raises(PlanConflict, match="'strict'"):
        stage.locker.warm(stage.show, SEATS)
    stage.locker.warm(stage.show, SEATS, checkout="strict")
    assert pin(stage.locker, stage.acquire("A-1")).seats == ("A-1",)


@only_on("fakeredis")
@pytest.mark.parametrize(
    "settings", [{"checkout": "slow"}, {"checkout": None}, {"checkout": "strict", "outbox": False}]
)
def test_settings_that_cannot_be(stage: Stage, settings: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match="checkout"):
        stage.locker.warm(stage.show, SEATS, **settings)
    assert stage.keys() == set()


def test_a_pin_lasts_until_the_ledger_has_decided(strict: Stage) -> None:
    hold = strict.acquire("A-1", "A-2", ttl=60, pools={"floor": 2})
    pinned = pin(strict.locker, hold, "pay-1")
    assert (pinned.seats, dict(pinned.pools), pinned.fence) == (hold.seats, {"floor": 2}, hold.fence)
    assert not pinned.finalised
    assert strict.raw.pttl(strict.lock("A-1")) == -1
    (entry,) = strict.outbox()
    assert (entry["kind"], entry["token_hash"], entry["pools"]) == ("pinned", pinned.token_hash, "2 floor")
    assert hold.token not in str(entry)
    before = strict.everything()
    assert pin(strict.locker, hold, "pay-1") == pinned
    with pytest.raises(BookingConflict) as conflict:
        pin(strict.locker, hold, "pay-2")
    assert conflict.value.booking == replace(booking_of(pinned), status="pending")
    with pytest.raises(HoldLost):
        strict.locker.extend(hold, ttl=900.0)
    assert set(strict.locker.release(hold).seats.values()) == {"pinned"}
    assert strict.locker.force_release(strict.show, ["A-1"], by="eve", reason="why").seats == {"A-1": "pinned"}
    for call in (lambda: strict.acquire("A-1", holder="bo"), lambda: strict.locker.block(strict.show, ["A-1"])):
        with pytest.raises(SeatsUnavailable) as refusal:
            call()
        assert refusal.value.conflicts["A-1"].state == "pinned"
    assert strict.locker.sweep(strict.show) == 0
    assert strict.everything() == before
    found = strict.locker.availability(strict.show)
    assert (found.counts["pinned"], found.pools["floor"].sold) == (2, 2)
    (state,) = strict.locker.inspect(strict.show, ["A-1"])
    assert (state.state, state.booking, state.payment, state.consistent) == ("pinned", pinned.booking, "pay-1", True)
    assert strict.locker.check(strict.show).differences == ()


def test_what_the_ledger_sold_is_sold(strict: Stage) -> None:
    hold = strict.acquire("A-1", "A-2", pools={"floor": 2})
    pinned = pin(strict.locker, hold)
    done = finalise(strict.locker, booking_of(pinned))
    assert (dict(done.seats), dict(done.pools)) == ({"A-1": "sold", "A-2": "sold"}, {"floor": 2})
    assert strict.locker.availability(strict.show).counts["sold"] == 2
    before = strict.everything()
    assert finalise(strict.locker, booking_of(pinned)) == done
    assert pin(strict.locker, hold) == replace(pinned, finalised=True)
    assert strict.everything() == before


def test_what_the_ledger_refused_comes_free(strict: Stage) -> None:
    hold = strict.acquire("A-1", "A-2", pools={"floor": 2})
    pinned = pin(strict.locker, hold)
    done = finalise(strict.locker, booking_of(pinned), sold=False)
    assert (dict(done.seats), dict(done.pools)) == ({"A-1": "free", "A-2": "free"}, {"floor": 2})
    before = strict.everything()
    again = finalise(strict.locker, booking_of(pinned), sold=False)
    assert (dict(again.seats), dict(again.pools)) == ({"A-1": "gone", "A-2": "gone"}, {"floor": 0})
    assert strict.everything() == before
    with pytest.raises(HoldLost):
        pin(strict.locker, hold)
    assert strict.acquire("A-1", "A-2", holder="bo", pools={"floor": 5}).seats == hold.seats


def test_what_the_ledger_sold_is_taken_from_whoever_has_it(strict: Stage) -> None:
    """As after a failover that lost the pin: somebody holds one seat by now, and has pinned another."""
    held, other = strict.acquire("A-1", holder="bo"), pin(strict.locker, strict.acquire("A-2", holder="cy"))
    booking = Booking("bk", strict.show, ("A-1", "A-2", "A-3", "X-1"), "ada", "pay", held.fence + 7, 12.5)
    assert dict(finalise(strict.locker, booking).seats) == {
        "A-1": "sold",
        "A-2": "sold",
        "A-3": "sold",
        "X-1": "unknown",
    }
    states = strict.locker.inspect(strict.show, ["A-1", "A-2", "A-3"])
    assert {(state.state, state.holder, state.booking, state.fence) for state in states} == {
        ("sold", "ada", "bk", booking.fence)
    }
    with pytest.raises(HoldLost) as lost:
        pin(strict.locker, held)
    assert lost.value.reason == "sold"
    assert dict(finalise(strict.locker, booking_of(other)).seats) == {"A-2": "foreign"}
    assert dict(finalise(strict.locker, booking_of(other), sold=False).seats) == {"A-2": "gone"}


def test_a_show_with_pins_is_not_retired(strict: Stage) -> None:
    held = strict.acquire("A-3")
    pinned = pin(strict.locker, strict.acquire("A-1", "A-2"))
    strict.raw.xtrim(strict.key("outbox"), maxlen=0, approximate=False)
    before = strict.everything()
    with pytest.raises(ShowInUse, match="2 seats are pinned") as refusal:
        strict.locker.retire(strict.show)
    assert (refusal.value.holds, refusal.value.pins, refusal.value.outbox) == (1, 2, 0)
    assert strict.everything() == before
    strict.locker.release(held)
    with pytest.raises(ShowInUse) as refusal:
        strict.locker.retire(strict.show, unread="discard")
    assert (refusal.value.holds, refusal.value.pins) == (0, 2)
    finalise(strict.locker, booking_of(pinned))
    strict.locker.retire(strict.show)
    assert strict.keys() == set()


def test_a_large_show_is_searched_for_pins(stage: Stage) -> None:
    seats = [f"S-{number}" for number in range(1500)]
    stage.open(seats, checkout="strict")
    for first in range(0, 1500, 150):
        pin(stage.locker, stage.acquire(*seats[first : first + 2]))
    with pytest.raises(ShowInUse) as refusal:
        stage.locker.retire(stage.show, unread="discard")
    assert refusal.value.pins == 20


def test_pins_and_limits(stage: Stage) -> None:
    stage.open(checkout="strict", limit=2)
    pinned = pin(stage.locker, stage.acquire("A-1", "A-2"))
    with pytest.raises(HolderLimitExceeded):
        stage.acquire("A-3")
    finalise(stage.locker, replace(booking_of(pinned), seats=("A-1",)))
    finalise(stage.locker, booking_of(pinned), sold=False)
    assert stage.acquire("A-3", "A-4").seats == ("A-3", "A-4")
