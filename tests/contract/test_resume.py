"""Replay, the refresh-page rule, and baskets: asking again never takes, frees or prolongs anything by accident."""

from __future__ import annotations

import msgspec
import pytest

from seatlock import Conflict, HoldLost, SeatsUnavailable, new_token
from tests.support.stage import Stage

# --- the same request again


def test_the_same_request_again_has_one_effect(stage: Stage) -> None:
    stage.open()
    token = new_token()
    first = stage.acquire("A-1", "A-2", token=token, ttl=60)
    before = stage.everything()
    again = stage.acquire("A-1", "A-2", token=token, ttl=600)
    assert (again.token, again.fence, again.deadline, again.resumed) == (token, first.fence, first.deadline, False)
    assert 50 < again.ttl <= 60, "asking again never extends"
    assert stage.everything() == before


def test_the_same_token_after_a_release_is_a_new_hold(stage: Stage) -> None:
    stage.open()
    first = stage.acquire("A-1")
    stage.locker.release(first)
    again = stage.acquire("A-1", token=first.token)
    assert (again.token, again.resumed) == (first.token, False)
    assert again.fence > first.fence


def test_the_same_token_after_confirm_says_that_the_seat_is_sold_to_you(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1")
    stage.locker.confirm(hold)
    with pytest.raises(SeatsUnavailable) as refusal:
        stage.acquire("A-1", token=hold.token)
    assert refusal.value.conflicts == {"A-1": Conflict("sold", yours=True)}


# --- the refresh-page rule: the same holder, without the token


@pytest.mark.parametrize("asked", [["A-1", "A-2", "A-3"], ["A-3", "A-1"], ["A-2"]])
def test_own_seats_all_or_some_come_back_under_their_hold(stage: Stage, asked: list[str]) -> None:
    stage.open()
    hold = stage.acquire("A-1", "A-2", "A-3", ttl=60)
    before = stage.everything()
    again = stage.acquire(*asked, ttl=1800)
    assert (again.token, again.fence, again.deadline) == (hold.token, hold.fence, hold.deadline)
    assert (again.resumed, again.seats, again.holder) == (True, tuple(asked), "ada")
    assert 50 < again.ttl <= 60, "asking again never extends"
    assert stage.everything() == before


def test_own_and_free_seats_mixed_are_refused(stage: Stage) -> None:
    stage.open()
    stage.acquire("A-1", ttl=60)
    before = stage.everything()
    with pytest.raises(SeatsUnavailable, match="name their token") as refusal:
        stage.acquire("A-1", "A-2")
    assert list(refusal.value.conflicts) == ["A-1"]
    conflict = refusal.value.conflicts["A-1"]
    assert (conflict.state, conflict.yours, conflict.inconsistent) == ("held", True, False)
    assert conflict.retry_after is not None
    assert 50 < conflict.retry_after <= 60
    assert stage.everything() == before


def test_seats_of_two_own_holds_are_refused(stage: Stage) -> None:
    stage.open()
    stage.acquire("A-1")
    stage.acquire("A-2")
    with pytest.raises(SeatsUnavailable) as refusal:
        stage.acquire("A-1", "A-2")
    assert {seat: conflict.yours for seat, conflict in refusal.value.conflicts.items()} == {"A-1": True, "A-2": True}


def test_own_and_others_seats_are_told_apart(stage: Stage) -> None:
    stage.open()
    stage.acquire("A-1", holder="ada")
    stage.acquire("A-2", holder="bo")
    with pytest.raises(SeatsUnavailable) as refusal:
        stage.acquire("A-1", "A-2", "A-3", holder="ada")
    assert {seat: conflict.yours for seat, conflict in refusal.value.conflicts.items()} == {"A-1": True, "A-2": False}


@pytest.mark.parametrize("other", ["Ada", "ada ", "ad", "adaa"])
def test_holders_are_compared_whole(stage: Stage, other: str) -> None:
    stage.open()
    stage.acquire("A-1", holder="ada")
    with pytest.raises(SeatsUnavailable) as refusal:
        stage.acquire("A-1", holder=other)
    assert not refusal.value.conflicts["A-1"].yours


def test_a_resumed_hold_can_be_confirmed_as_the_first_one(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1", "A-2")
    booking = stage.locker.confirm(stage.acquire("A-2", "A-1"), payment="pay-1")
    assert stage.locker.confirm(hold, payment="pay-1").id == booking.id


# --- a token is a basket


def test_a_basket_grows_by_its_token(stage: Stage) -> None:
    stage.open()
    first = stage.acquire("A-1", ttl=60)
    whole = stage.acquire("A-1", "A-2", "A-3", token=first.token, ttl=600)
    assert (whole.token, whole.seats, whole.resumed) == (first.token, ("A-1", "A-2", "A-3"), False)
    assert (whole.fence, whole.deadline) == (first.fence, first.deadline), "fence and deadline are shared"
    assert {stage.mirror(seat) for seat in whole.seats} == {f"h0:{first.deadline}"}
    assert set(stage.locker.release(whole).seats.values()) == {"released"}


def test_added_seats_share_the_maximum_lifetime(stage: Stage) -> None:
    stage.open(max_hold=100)
    first = stage.acquire("A-1", ttl=60)
    whole = stage.acquire("A-1", "A-2", token=first.token)
    parts = [stage.raw.get(stage.lock(seat)).split(b"\n") for seat in ("A-1", "A-2")]
    assert parts[0] == parts[1]
    assert 90 < stage.locker.extend(whole, ttl=1000).ttl <= 100


def test_the_seats_asked_for_need_not_be_the_whole_basket(stage: Stage) -> None:
    stage.open()
    first = stage.acquire("A-1", "A-2")
    part = stage.acquire("A-2", token=first.token)
    assert (part.token, part.seats, part.resumed) == (first.token, ("A-2",), False)
    assert stage.locker.confirm(part).seats == ("A-2",)
    assert [stage.mirror(seat) for seat in ("A-1", "A-2")] == [f"h0:{first.deadline}", "s0"]


def test_a_basket_takes_all_of_the_others_or_none(stage: Stage) -> None:
    stage.open()
    first = stage.acquire("A-1", holder="ada")
    stage.acquire("A-3", holder="bo")
    before = stage.everything()
    with pytest.raises(SeatsUnavailable) as refusal:
        stage.acquire("A-1", "A-2", "A-3", holder="ada", token=first.token)
    assert list(refusal.value.conflicts) == ["A-3"]
    assert stage.everything() == before


def test_holds_never_merge_by_naming_one_of_their_tokens(stage: Stage) -> None:
    stage.open()
    first, second = stage.acquire("A-1"), stage.acquire("A-2")
    with pytest.raises(SeatsUnavailable) as refusal:
        stage.acquire("A-1", "A-2", token=first.token)
    assert {seat: conflict.yours for seat, conflict in refusal.value.conflicts.items()} == {"A-2": True}
    assert stage.locker.confirm(second).seats == ("A-2",)


# --- somebody else's token


@pytest.mark.parametrize("asked", [("A-1",), ("A-1", "A-2"), ("A-1", "A-3")])
def test_a_token_with_another_holder_is_refused_and_reveals_nothing(stage: Stage, asked: tuple[str, ...]) -> None:
    stage.open()
    hold = stage.acquire("A-1", "A-2", holder="ada", ttl=60)
    before = stage.everything()
    answers = []
    for token in (hold.token, new_token()):
        with pytest.raises(SeatsUnavailable) as refusal:
            stage.acquire(*asked, holder="eve", token=token)
        seen = {seat: (c.state, c.yours, c.inconsistent) for seat, c in refusal.value.conflicts.items()}
        answers.append((seen, str(refusal.value)))
    assert answers[0] == answers[1], "knowing the token makes no difference"
    assert not any(secret in str(answers) for secret in (hold.token, hold.holder, str(hold.fence)))
    assert stage.everything() == before


@pytest.mark.parametrize("stolen", [True, False])
def test_neither_token_nor_holder_alone_opens_a_hold(stage: Stage, *, stolen: bool) -> None:
    stage.open()
    hold = stage.acquire("A-1", holder="ada")
    forged = msgspec.structs.replace(hold, **({"holder": "eve"} if stolen else {"token": new_token()}))
    before = stage.everything()
    for verb in (lambda: stage.locker.extend(forged, ttl=1000), lambda: stage.locker.confirm(forged)):
        with pytest.raises(HoldLost) as error:
            verb()
        assert error.value.reason == "taken"
        assert hold.token not in str(error.value)
    assert dict(stage.locker.release(forged).seats) == {"A-1": "taken"}
    assert stage.everything() == before


def test_a_prefix_of_a_token_is_not_the_token(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1")
    almost = hold.token[:-1] + ("0" if hold.token[-1] != "0" else "1")
    with pytest.raises(SeatsUnavailable):
        stage.acquire("A-1", holder="eve", token=almost)
    resumed = stage.acquire("A-1", token=almost)
    assert (resumed.token, resumed.resumed) == (hold.token, True), "for the holder it is the refresh-page rule"


def test_a_booking_does_not_open_with_another_holder(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1", holder="ada")
    stage.locker.confirm(hold, payment="pay-1")
    with pytest.raises(HoldLost) as error:
        stage.locker.confirm(msgspec.structs.replace(hold, holder="eve"), payment="pay-2")
    assert error.value.reason == "sold"
    assert "pay-1" not in str(error.value)
