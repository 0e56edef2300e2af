"""Release and `holding`: only what the token owns is given back, and the answer says what happened to each seat."""

from __future__ import annotations

import pytest

from seatlock import Hold, SaleNotOpen, SeatsUnavailable, UnknownSeats, new_token
from tests.support.stage import Stage


def test_released_seats_are_free(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1", "A-2")
    done = stage.locker.release(hold)
    assert (done.show, dict(done.seats)) == (stage.show, {"A-1": "released", "A-2": "released"})
    assert done.released == ("A-1", "A-2")
    assert [stage.mirror(seat) for seat in done.seats] == ["f0", "f0"]
    assert not stage.raw.exists(stage.lock("A-1"), stage.lock("A-2"))
    assert stage.acquire("A-1", holder="bo").holder == "bo"


def test_releasing_again_says_so_and_is_no_error(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1")
    stage.locker.release(hold)
    before = stage.everything()
    again = stage.locker.release(hold)
    assert (dict(again.seats), again.released) == ({"A-1": "gone"}, ())
    assert stage.everything() == before


def test_releasing_what_has_expired_is_no_error(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1", ttl=0.02)
    stage.wait_past(hold)
    assert dict(stage.locker.release(hold).seats) == {"A-1": "gone"}


def test_each_seat_has_its_own_answer(stage: Stage) -> None:
    stage.open()
    gone = stage.acquire("A-2", ttl=0.02)
    stage.wait_past(gone)
    hold = stage.acquire("A-1")
    stage.acquire("A-3", holder="bo")
    stage.locker.confirm(stage.acquire("A-4", token=hold.token))
    basket = Hold(stage.show, ("A-1", "A-2", "A-3", "A-4", "Z-9"), "ada", hold.token, hold.fence, 1.0)
    done = stage.locker.release(basket)
    assert dict(done.seats) == {"A-1": "released", "A-2": "gone", "A-3": "taken", "A-4": "sold", "Z-9": "gone"}
    assert stage.locker.availability(stage.show).seats["A-3"] == "held"
    assert stage.mirror("A-4") == "s0"


def test_a_sold_seat_is_left_alone_whatever_the_token(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1")
    booking = stage.locker.confirm(hold)
    before = stage.everything()
    for token in (hold.token, new_token()):
        done = stage.locker.release(Hold(stage.show, ("A-1",), "ada", token, hold.fence, 1.0))
        assert dict(done.seats) == {"A-1": "sold"}
    assert stage.everything() == before
    assert stage.locker.inspect(stage.show, ["A-1"])[0].booking == booking.id


def test_a_pinned_seat_is_left_alone(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1")
    pin = f"p\n{hold.token}\nada\n1\n1\n1700000000000\nbk-1\npay-1"
    stage.raw.set(stage.lock("A-1"), pin)
    stage.raw.hset(stage.key("seats"), "A-1", "p0")
    before = stage.everything()
    assert dict(stage.locker.release(hold).seats) == {"A-1": "pinned"}
    assert stage.everything() == before
    assert stage.locker.availability(stage.show).counts["pinned"] == 1
    with pytest.raises(SeatsUnavailable) as refusal:
        stage.acquire("A-1", holder="bo")
    assert refusal.value.conflicts["A-1"].state == "pinned"


def test_seats_of_a_basket_can_be_given_back_one_by_one(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1", "A-2", "A-3")
    assert stage.locker.release(stage.acquire("A-2")).released == ("A-2",)
    assert stage.locker.release(hold).released == ("A-1", "A-3")


# --- holding


def test_holding_holds_for_the_length_of_its_block(stage: Stage) -> None:
    stage.open()
    with stage.locker.holding(stage.show, ["A-1", "A-2"], holder="ada", ttl=60) as hold:
        assert (hold.seats, hold.ttl) == (("A-1", "A-2"), 60.0)
        assert stage.locker.availability(stage.show).counts["held"] == 2
    assert stage.locker.availability(stage.show).counts["held"] == 0


@pytest.mark.parametrize("error", [RuntimeError("the block failed"), KeyboardInterrupt(), GeneratorExit()])
def test_holding_releases_however_the_block_ends(stage: Stage, error: BaseException) -> None:
    stage.open()
    with pytest.raises(type(error)), stage.locker.holding(stage.show, ["A-1"], holder="ada"):  # noqa: PT012
        assert stage.locker.availability(stage.show).counts["held"] == 1
        raise error
    assert stage.mirror("A-1") == "f0"


def test_what_is_sold_by_then_stays_sold(stage: Stage) -> None:
    stage.open()
    with stage.locker.holding(stage.show, ["A-1"], holder="ada") as hold:
        stage.locker.confirm(hold)
    assert stage.mirror("A-1") == "s0"
    with stage.locker.holding(stage.show, ["A-2", "A-3"], holder="ada"):
        stage.locker.confirm(stage.acquire("A-3"))
    assert [stage.mirror("A-2"), stage.mirror("A-3")] == ["f0", "s0"]


def test_a_resumed_hold_is_not_released(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1", "A-2")
    with stage.locker.holding(stage.show, ["A-1"], holder="ada") as again:
        assert (again.resumed, again.token) == (True, hold.token)
    assert stage.locker.confirm(hold).seats == hold.seats


def test_what_somebody_else_took_meanwhile_is_left_alone(stage: Stage) -> None:
    stage.open()
    with stage.locker.holding(stage.show, ["A-1"], holder="ada", ttl=0.02) as hold:
        stage.wait_past(hold)
        other = stage.acquire("A-1", holder="bo")
    assert stage.locker.confirm(other).holder == "bo"


def test_the_block_never_runs_without_the_hold(stage: Stage) -> None:
    stage.open()
    stage.acquire("A-1", holder="bo")
    with pytest.raises(SeatsUnavailable), stage.locker.holding(stage.show, ["A-1"], holder="ada"):
        pytest.fail("the body ran without a hold")
    with pytest.raises(UnknownSeats), stage.locker.holding(stage.show, ["Z-1"], holder="ada"):
        pytest.fail("the body ran without a hold")
    stage.locker.close_sale(stage.show)
    with pytest.raises(SaleNotOpen), stage.locker.holding(stage.show, ["A-2"], holder="ada"):
        pytest.fail("the body ran without a hold")
    assert stage.mirror("A-2") == "f0"
