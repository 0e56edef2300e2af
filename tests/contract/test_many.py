"""The `_many` calls: each request is answered as if it had come alone, in order, whatever becomes of its neighbours."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from seatlock import (
    AcquireRequest,
    Booking,
    BookingConflict,
    ConfirmRequest,
    Hold,
    HoldLost,
    InvalidRequest,
    Release,
    SaleNotOpen,
    SeatsUnavailable,
    ShowNotFound,
    UnknownSeats,
    new_token,
)
from tests.support.stage import SEATS, Stage, only_on

HOUSE = [f"S-{number}" for number in range(1000)]


def test_each_request_has_its_own_answer_in_order(stage: Stage) -> None:
    stage.open()
    stage.locker.confirm(stage.acquire("A-5", holder="zoe"))
    answers = stage.locker.acquire_many(
        stage.show,
        [
            AcquireRequest(["A-1"], "ada", ttl=60.0),
            AcquireRequest(["A-1"], "bo"),
            AcquireRequest(["A-2", "Z-1"], "bo"),
            AcquireRequest([], "bo"),
            AcquireRequest(["A-1"], "ada"),
            AcquireRequest(["A-2", "A-5"], "bo"),
            AcquireRequest(("A-2", "A-3"), "bo"),
        ],
    )
    kinds = [type(answer) for answer in answers]
    assert kinds == [Hold, SeatsUnavailable, UnknownSeats, InvalidRequest, Hold, SeatsUnavailable, Hold]
    assert (answers[0].ttl, answers[0].resumed, answers[0].holder) == (60.0, False, "ada")
    assert list(answers[1].conflicts) == ["A-1"]
    assert answers[1].conflicts["A-1"].retry_after == 60.0
    assert answers[2].seats == ("Z-1",)
    assert (answers[4].token, answers[4].resumed) == (answers[0].token, True)
    assert list(answers[5].conflicts) == ["A-5"]
    assert (answers[6].seats, answers[6].fence) == (("A-2", "A-3"), answers[0].fence + 1)


def test_later_requests_see_what_earlier_ones_did(stage: Stage) -> None:
    stage.open()
    token = new_token()
    first, again, more, other = stage.locker.acquire_many(
        stage.show,
        [
            AcquireRequest(["A-1"], "ada", 60.0, token),
            AcquireRequest(["A-1"], "ada", 600.0, token),
            AcquireRequest(["A-1", "A-2"], "ada", 600.0, token),
            AcquireRequest(["A-2"], "eve", 600.0, token),
        ],
    )
    assert again == first
    assert (more.seats, more.fence, more.deadline) == (("A-1", "A-2"), first.fence, first.deadline)
    assert isinstance(other, SeatsUnavailable)


def test_confirm_many(stage: Stage) -> None:
    stage.open()
    one, two, gone = stage.acquire("A-1"), stage.acquire("A-2", holder="bo"), stage.acquire("A-3", holder="cy")
    stage.locker.release(gone)
    answers = stage.locker.confirm_many(
        stage.show,
        [
            ConfirmRequest(one, "pay-1", "order-1"),
            ConfirmRequest(gone, "pay-2"),
            ConfirmRequest(one, "pay-3"),
            ConfirmRequest(one, "pay-1"),
            ConfirmRequest(two),
            ConfirmRequest(two, payment=""),
        ],
    )
    kinds = [type(answer) for answer in answers]
    assert kinds == [Booking, HoldLost, BookingConflict, Booking, Booking, InvalidRequest]
    assert (answers[0].id, answers[0].payment, answers[4].holder) == ("order-1", "pay-1", "bo")
    assert answers[2].booking == answers[0] == answers[3]
    assert answers[1].reason == "released"
    assert len(stage.outbox()) == 2


def test_release_many(stage: Stage) -> None:
    stage.open()
    one, two = stage.acquire("A-1", "A-2"), stage.acquire("A-3", holder="bo")
    stage.locker.confirm(two)
    answers = stage.locker.release_many(stage.show, [one, one, two, "no hold"])
    assert [type(answer) for answer in answers] == [Release, Release, Release, InvalidRequest]
    assert [answer.released for answer in answers[:3]] == [("A-1", "A-2"), (), ()]
    assert dict(answers[2].seats) == {"A-3": "sold"}


def test_holds_of_another_show_are_refused_alone(stage: Stage) -> None:
    stage.open()
    other = Stage(stage.doors, stage.colour)
    other.open()
    here, there = stage.acquire("A-1"), other.acquire("A-1")
    answers = stage.locker.confirm_many(stage.show, [ConfirmRequest(there), ConfirmRequest(here)])
    assert [type(answer) for answer in answers] == [InvalidRequest, Booking]
    assert isinstance(stage.locker.release_many(stage.show, [there])[0], InvalidRequest)
    assert other.mirror("A-1") == f"h0:{there.deadline}"


def test_of_nothing_comes_nothing(stage: Stage) -> None:
    stage.open()
    before = stage.everything()
    assert stage.locker.acquire_many(stage.show, []) == []
    assert stage.locker.confirm_many(stage.show, iter(())) == []
    assert stage.locker.release_many(stage.show, ()) == []
    assert stage.everything() == before


def test_where_all_are_refused_nothing_is_written(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1", holder="bo")
    stage.locker.close_sale(stage.show)
    before = stage.everything()
    answers = stage.locker.acquire_many(stage.show, [AcquireRequest([seat], "ada") for seat in SEATS])
    assert {type(answer) for answer in answers} == {SaleNotOpen}
    forged = msgspec.structs.replace(hold, token=new_token())
    assert {type(answer) for answer in stage.locker.confirm_many(stage.show, [ConfirmRequest(forged)] * 3)} == {
        HoldLost
    }
    assert stage.everything() == before


def test_an_unknown_show_is_every_requests_answer(stage: Stage) -> None:
    hold = Hold(stage.show, ("A-1",), "ada", new_token(), 1, 1.0)
    answers: list[Any] = [
        *stage.locker.acquire_many(stage.show, [AcquireRequest(["A-1"], "ada")] * 2),
        *stage.locker.confirm_many(stage.show, [ConfirmRequest(hold)] * 2),
        *stage.locker.release_many(stage.show, [hold, hold]),
    ]
    assert [type(answer) for answer in answers] == [ShowNotFound] * 6
    assert stage.keys() == set()


@only_on("fakeredis", "redis-6.2", "redis-7", "cluster")
def test_more_than_one_call_can_carry(stage: Stage) -> None:
    stage.open(HOUSE)
    locker, client = stage.watched()
    locker.acquire_many(stage.show, [])
    client.sent.clear()
    requests = [AcquireRequest([seat], f"u-{seat}") for seat in HOUSE]
    holds = locker.acquire_many(stage.show, requests)
    assert [hold.holder for hold in holds] == [request.holder for request in requests]
    assert len({hold.fence for hold in holds}) == 1000
    assert [hold.fence for hold in holds] == sorted(hold.fence for hold in holds)
    bookings = locker.confirm_many(stage.show, [ConfirmRequest(hold, hold.holder) for hold in holds])
    assert [booking.payment for booking in bookings] == [request.holder for request in requests]
    assert {type(answer) for answer in locker.release_many(stage.show, holds)} == {Release}
    assert len([name for name in client.sent if name == "EVALSHA"]) == 3 * 4, "256 requests a call"
    assert stage.locker.availability(stage.show).counts["sold"] == 1000


@only_on("fakeredis", "redis-6.2", "redis-7", "cluster")
def test_large_requests_share_calls_by_their_seats(stage: Stage) -> None:
    stage.open(HOUSE)
    locker, client = stage.watched()
    locker.acquire_many(stage.show, [])
    client.sent.clear()
    requests = [AcquireRequest(HOUSE[at : at + 100], f"u-{at}") for at in range(0, 1000, 100)]
    holds = locker.acquire_many(stage.show, requests)
    assert [hold.seats for hold in holds] == [tuple(request.seats) for request in requests]
    assert len(client.sent) == 2, "512 seats a call"


@only_on("redis-7")
def test_a_huge_batch(stage: Stage) -> None:
    stage.open(HOUSE)
    requests = [AcquireRequest([HOUSE[number % 1000]], f"u-{number}") for number in range(10_000)]
    requests[5000] = AcquireRequest(["Z-1"], "u")
    answers = stage.locker.acquire_many(stage.show, requests)
    assert [type(answer) for answer in answers[:1000]] == [Hold] * 1000
    assert {type(answer) for answer in answers[1000:5000] + answers[5001:]} == {SeatsUnavailable}
    assert isinstance(answers[5000], UnknownSeats)


@only_on("redis-7", "fakeredis")
@pytest.mark.parametrize("bad", [None, 7, "A-1", b"A-2", object()])
def test_no_list_is_no_batch(stage: Stage, bad: Any) -> None:
    locker, client = stage.watched()
    for verb in (locker.acquire_many, locker.confirm_many, locker.release_many):
        with pytest.raises(InvalidRequest, match="must be a list"):
            verb(stage.show, bad)
    assert client.sent == []


@only_on("redis-7", "fakeredis")
@pytest.mark.parametrize("bad", [None, 7, "A-1", {"seats": ["A-1"]}, AcquireRequest, Hold])
def test_what_is_no_request_is_answered_alone(stage: Stage, bad: Any) -> None:
    stage.open()
    answers = stage.locker.acquire_many(stage.show, [bad, AcquireRequest(["A-1"], "ada")])
    assert [type(answer) for answer in answers] == [InvalidRequest, Hold]
    answers = stage.locker.confirm_many(stage.show, [bad, ConfirmRequest(answers[1]), ConfirmRequest(bad)])
    assert [type(answer) for answer in answers] == [InvalidRequest, Booking, InvalidRequest]
