"""A show that requires admission: the scripts that take seats ask for the pass themselves."""

from __future__ import annotations

from typing import Any

import pytest

from seatlock import (
    AcquireRequest,
    BookingConflict,
    Hold,
    InvalidRequest,
    NotAdmitted,
    RoomSettings,
    SaleNotOpen,
    SeatsUnavailable,
    ShowNotFound,
    UnknownSeats,
    new_token,
)
from tests.support.stage import SEATS, Stage, only_on
from tests.support.waiting import until


def opened(stage: Stage, *, warmed: dict[str, Any] | None = None, **settings: Any) -> None:
    """Open a sale that requires admission, and its waiting room."""
    stage.open(**warmed or {})
    stage.room.prepare(stage.show, RoomSettings(**settings), required=True)
    stage.room.open(stage.show)


def admitted(stage: Stage, *holders: str) -> None:
    """Have holders join, be let in, and be told of it."""
    stage.join(*holders)
    assert stage.let_in() == [*holders]
    assert [stage.room.heartbeat(stage.show, holder).state for holder in holders] == ["admitted"] * len(holders)


def test_who_was_not_let_in_takes_no_seat(stage: Stage) -> None:
    opened(stage)
    stage.join("ada")
    before = stage.everything()
    for holder in ("ada", "bo", "a", "ada "):
        with pytest.raises(NotAdmitted, match="join the waiting room first") as refused:
            stage.acquire("A-1", holder=holder)
        assert repr(stage.show) in str(refused.value)
        assert refused.value.show == stage.show
    with pytest.raises(NotAdmitted, match="join the waiting room first"):
        stage.locker.acquire_best(stage.show, 2, holder="ada")
    with pytest.raises(NotAdmitted), stage.locker.holding(stage.show, ["A-1"], holder="ada"):
        raise AssertionError
    assert stage.everything() == before


def test_who_was_let_in_buys(stage: Stage) -> None:
    opened(stage)
    admitted(stage, "ada", "bo")
    hold = stage.acquire("A-1", "A-2")
    assert stage.locker.acquire_best(stage.show, 1, holder="bo").hold.seats
    assert stage.locker.confirm(hold, payment="pay").seats == ("A-1", "A-2")


def test_a_reservation_counts_before_its_holder_was_told(stage: Stage) -> None:
    opened(stage)
    stage.join("ada")
    stage.let_in()
    assert stage.acquire("A-1").seats == ("A-1",)


def test_a_pass_that_ran_out_admits_no_more(stage: Stage) -> None:
    opened(stage, pass_ttl=0.3, keep=0.05, grace=0.05, poll=0.02)
    admitted(stage, "ada")
    hold = stage.acquire("A-1")
    until(lambda: stage.room.status(stage.show, "ada").state == "gone", "the pass has run out")
    with pytest.raises(NotAdmitted):
        stage.acquire("A-2")
    # what was taken in time stays, and can be paid
    assert stage.acquire("A-1").resumed
    assert stage.locker.confirm(stage.locker.begin_payment(stage.locker.extend(hold, ttl=900), expected=60)).seats


def test_who_left_is_not_admitted_any_more(stage: Stage) -> None:
    opened(stage)
    admitted(stage, "ada")
    stage.room.leave(stage.show, "ada")
    with pytest.raises(NotAdmitted):
        stage.acquire("A-1")


def test_what_comes_before_admission_and_what_behind(stage: Stage) -> None:
    opened(stage, warmed={"limit": 2})
    admitted(stage, "ada", "bo")
    token = new_token()
    hold = stage.acquire("A-1", "A-2", token=token)
    stage.acquire("A-3", holder="bo")
    stage.room.leave(stage.show, "ada")
    # replay and resume are answered before
    assert stage.acquire("A-1", "A-2", token=token).fence == hold.fence
    assert stage.acquire("A-2").resumed
    with pytest.raises(UnknownSeats):
        stage.acquire("Z-1")
    # what is in the way and limits behind; a basket that is to grow is a new hold of more seats
    for seats in (["A-3"], ["A-4"], ["A-1", "A-4"]):
        with pytest.raises(NotAdmitted):
            stage.acquire(*seats)
        with pytest.raises(NotAdmitted):
            stage.acquire(*seats, token=token)
    stage.locker.pause_sale(stage.show)
    with pytest.raises(SaleNotOpen):
        stage.acquire("A-4")
    stage.locker.open_sale(stage.show)
    with pytest.raises(SeatsUnavailable):
        stage.acquire("A-1", holder="bo")


def test_the_best_seats_again(stage: Stage) -> None:
    opened(stage)
    admitted(stage, "ada")
    token = new_token()
    first = stage.locker.acquire_best(stage.show, 2, holder="ada", token=token).hold
    stage.room.leave(stage.show, "ada")
    assert stage.locker.acquire_best(stage.show, 2, holder="ada", token=token).hold.fence == first.fence
    stage.locker.release(first)
    with pytest.raises(NotAdmitted):
        stage.locker.acquire_best(stage.show, 2, holder="ada", token=token)


def test_a_batch_is_answered_one_by_one(stage: Stage) -> None:
    opened(stage)
    admitted(stage, "ada", "cy")
    asks = [
        AcquireRequest([seat], holder) for seat, holder in zip(SEATS, ("ada", "bo", "cy", "bo", "ada"), strict=True)
    ]
    answers = stage.locker.acquire_many(stage.show, asks)
    assert [type(answer) for answer in answers] == [Hold, NotAdmitted, Hold, NotAdmitted, Hold]


def test_pools_ask_for_the_pass_too(stage: Stage) -> None:
    opened(stage, warmed={"pools": {"floor": 4}})
    with pytest.raises(NotAdmitted):
        stage.acquire(pools={"floor": 1})
    admitted(stage, "ada")
    hold = stage.acquire("A-1", pools={"floor": 2})
    assert stage.locker.confirm(hold).pools == {"floor": 2}
    with pytest.raises(NotAdmitted):
        stage.acquire(pools={"floor": 1})


def test_a_pass_ends_when_its_holder_has_bought(stage: Stage) -> None:
    opened(stage, concurrency=1)
    admitted(stage, "ada")
    stage.join("bo")
    assert stage.let_in() == []
    hold = stage.acquire("A-1")
    booking = stage.locker.confirm(hold, payment="pay")
    assert stage.room.status(stage.show, "ada").state == "gone"
    assert stage.room.served(stage.show).live == 0
    assert stage.let_in() == ["bo"], "whose turn it is at once"
    with pytest.raises(NotAdmitted):
        stage.acquire("A-2")
    # asking again answers as before, and ends nobody's next pass
    stage.room.leave(stage.show, "bo")
    admitted(stage, "ada")
    assert stage.locker.confirm(hold, payment="pay") == booking
    with pytest.raises(BookingConflict):
        stage.locker.confirm(hold, payment="other")
    assert stage.acquire("A-2").seats == ("A-2",)


def test_a_late_payment_ends_the_pass_too(stage: Stage) -> None:
    opened(stage)
    admitted(stage, "ada", "bo")
    hold = stage.acquire("A-1", ttl=0.02)
    stage.wait_past(hold)
    assert stage.locker.confirm(hold, payment="pay", reclaim=True).seats == ("A-1",)
    assert stage.room.status(stage.show, "ada").state == "gone"
    assert stage.room.status(stage.show, "bo").state == "admitted"


def test_who_holds_can_pay_without_a_pass(stage: Stage) -> None:
    stage.open()
    hold, other = stage.acquire("A-1"), stage.acquire("A-2", holder="bo")
    stage.room.prepare(stage.show, required=True)
    assert stage.locker.confirm(hold).seats == ("A-1",)
    assert stage.locker.release(other).released == ("A-2",)
    assert stage.locker.cancel(stage.locker.confirm(hold)).cancelled == ("A-1",)


def test_it_can_be_turned_on_and_off_at_any_time(stage: Stage) -> None:
    stage.open()
    commitment = stage.room.prepare(stage.show)
    assert stage.acquire("A-1").seats
    assert stage.room.prepare(stage.show, required=True) == commitment
    for again in (None, True):
        with pytest.raises(NotAdmitted):
            stage.acquire("A-2")
        stage.room.prepare(stage.show, required=again)
    stage.locker.warm(stage.show, SEATS)
    with pytest.raises(NotAdmitted):
        stage.acquire("A-2")
    before = stage.version()
    for _ in range(2):
        stage.room.prepare(stage.show, required=False)
    assert stage.acquire("A-2").seats
    assert stage.version() == before + 1, "of the hold alone"


@pytest.mark.parametrize("required", [None, False])
def test_a_pass_ends_with_the_purchase_where_none_is_required_too(stage: Stage, required: bool | None) -> None:
    stage.open()
    stage.open_room()
    stage.room.prepare(stage.show, stage.room.settings(stage.show), required=required)
    admitted(stage, "ada")
    admitted(stage, "bo")
    stage.locker.confirm(stage.acquire("A-1"))
    assert stage.acquire("A-2", holder="di").seats, "without a pass"
    assert stage.room.status(stage.show, "ada").state == "gone"
    assert stage.room.status(stage.show, "bo").state == "admitted"


def test_a_show_that_is_warmed_later_ends_passes_once_its_room_is_prepared_again(stage: Stage) -> None:
    stage.open_room()
    stage.open()
    admitted(stage, "ada")
    admitted(stage, "bo")
    stage.locker.confirm(stage.acquire("A-1"))
    assert stage.room.status(stage.show, "ada").state == "admitted"
    stage.room.prepare(stage.show, stage.room.settings(stage.show))
    stage.locker.confirm(stage.acquire("A-2", holder="bo"))
    assert stage.room.status(stage.show, "bo").state == "gone"


def test_a_show_that_is_not_warmed_requires_nothing(stage: Stage) -> None:
    for required in (True, False):
        with pytest.raises(ShowNotFound, match="warm it"):
            stage.room.prepare(stage.show, required=required)
    assert stage.keys() == set()
    for wrong in (1, 0, "yes", "False", [], {}):
        with pytest.raises(InvalidRequest, match="required must be True, False or None"):
            stage.room.prepare(stage.show, required=wrong)


def test_a_room_that_was_lost_admits_nobody(stage: Stage) -> None:
    opened(stage)
    admitted(stage, "ada")
    stage.raw.delete(*[stage.key(part) for part in ("room", "queue", "passes", "grants")])
    with pytest.raises(NotAdmitted):
        stage.acquire("A-1")


def test_a_retired_show_leaves_nothing_of_its_room(stage: Stage) -> None:
    opened(stage)
    stage.join("ada", "bo", "cy")
    stage.let_in(most=1)
    stage.locker.confirm(stage.acquire("A-1"), payment="pay")
    stage.locker.retire(stage.show, unread="discard")
    assert stage.keys() == set()
    for call in (stage.room.join, stage.room.status):
        with pytest.raises(ShowNotFound):
            call(stage.show, "ada")
    stage.open()  # another life, without a room
    assert stage.acquire("A-1").seats


def test_a_room_without_a_show_can_be_retired(stage: Stage) -> None:
    stage.open_room()
    stage.join("ada")
    stage.locker.retire(stage.show)
    assert stage.keys() == set()
    with pytest.raises(ShowNotFound):
        stage.locker.retire(stage.show)


@only_on("redis-7")
def test_it_costs_no_call_more(stage: Stage) -> None:
    opened(stage)
    admitted(stage, "ada")
    locker, watched = stage.watched()
    locker.confirm(locker.acquire(stage.show, ["A-1"], holder="ada"))
    watched.sent.clear()
    with pytest.raises(NotAdmitted):
        locker.acquire(stage.show, ["A-2"], holder="ada")
    assert len(watched.sent) == 1
