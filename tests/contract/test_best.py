"""Best available: the best seats there are, wholly or not at all, and the same again for the same token."""

from __future__ import annotations

from typing import Final

import pytest

from seatlock import (
    InvalidRequest,
    SaleNotOpen,
    Seat,
    SeatsUnavailable,
    ShowNotFound,
    UnknownSeats,
    new_token,
)
from tests.support.stage import Stage, only_on

ROW = tuple(f"A-{number}" for number in range(1, 8))
HOUSE = [
    *(Seat(f"S-A-{at}", "stalls", "A", str(at), "gold") for at in range(1, 6)),
    *(Seat(f"S-B-{at}", "stalls", "B", str(at), "tin", accessible=at < 3) for at in range(1, 6)),
    *(Seat(f"C-A-{at}", "circle", "A", str(at), "tin") for at in range(1, 6)),
]


def best(stage: Stage, count: int, holder: str = "ada", **options: object) -> tuple[str, ...]:
    """The seats that are got."""
    seats: tuple[str, ...] = stage.locker.acquire_best(stage.show, count, holder=holder, **options).hold.seats
    return seats


# --- which seats


def test_the_best_seats_are_held(stage: Stage) -> None:
    stage.open(ROW)
    got = stage.locker.acquire_best(stage.show, 3, holder="ada", ttl=60)
    hold = got.hold
    assert (hold.seats, hold.holder, hold.show, got.adjacent) == (("A-3", "A-4", "A-5"), "ada", stage.show, True)
    assert 50 < hold.ttl <= 60
    assert not hold.resumed
    assert {seat for seat, field in stage.mirrors().items() if field == f"h0:{hold.deadline}"} == {*hold.seats}
    assert stage.locker.confirm(hold, payment="pay-1").seats == hold.seats


def test_one_after_the_other_until_none_is_left(stage: Stage) -> None:
    stage.open(ROW)
    assert [best(stage, 2, holder) for holder in ("ada", "bo", "cy")] == [
        ("A-3", "A-4"),
        ("A-1", "A-2"),
        ("A-5", "A-6"),
    ]
    before = stage.everything()
    with pytest.raises(SeatsUnavailable, match="has not 2 seats free"):
        best(stage, 2)
    assert stage.everything() == before
    assert best(stage, 1) == ("A-7",)
    with pytest.raises(SeatsUnavailable, match="has not 1 seat free"):
        best(stage, 1)


def test_a_holder_who_asks_twice_gets_two_holds(stage: Stage) -> None:
    stage.open(ROW)
    assert not {*best(stage, 2)} & {*best(stage, 2)}


def test_section_category_and_accessible_narrow_the_choice(stage: Stage) -> None:
    stage.open(HOUSE)
    assert best(stage, 2, section="circle") == ("C-A-1", "C-A-2")
    assert best(stage, 2, category="tin") == ("S-B-1", "S-B-2")
    assert best(stage, 1, category="tin", accessible=False) == ("S-B-3",)
    with pytest.raises(SeatsUnavailable, match="has not 1 accessible seat free"):
        best(stage, 1, accessible=True)
    with pytest.raises(SeatsUnavailable, match="in section 'circle' in category 'gold'"):
        best(stage, 1, section="circle", category="gold")
    assert best(stage, 5) == tuple(f"S-A-{at}" for at in range(1, 6))


def test_no_single_seat_is_left_alone_but_where_there_is_no_other_way(stage: Stage) -> None:
    stage.open(["A-1", "A-2", "A-3", "B-1", "B-2"])
    assert best(stage, 2) == ("B-1", "B-2")
    assert best(stage, 2, avoid_orphans=False) == ("A-1", "A-2")


def test_seats_that_do_not_adjoin_are_told(stage: Stage) -> None:
    stage.open([*ROW[:3], "B-1"])
    stage.acquire("A-2", holder="bo")
    apart = stage.locker.acquire_best(stage.show, 2, holder="ada")
    assert (apart.hold.seats, apart.adjacent) == (("A-1", "A-3"), False)
    alone = stage.locker.acquire_best(stage.show, 1, holder="ada")
    assert (alone.hold.seats, alone.adjacent) == (("B-1",), True)


def test_seats_that_need_not_adjoin(stage: Stage) -> None:
    stage.open([*ROW[:3], "B-1", "B-2", "B-3"])
    stage.acquire("A-2", holder="bo")
    assert best(stage, 2, adjacent=False) == ("A-1", "A-3")


def test_as_many_as_a_hold_may_have(stage: Stage) -> None:
    stage.open([f"A-{number}" for number in range(100)])
    assert len(best(stage, 100)) == 100


# --- what others do


def test_what_another_locker_does_is_seen_at_once(stage: Stage) -> None:
    stage.open(ROW[:5])
    assert best(stage, 1) == ("A-3",)
    other = stage.other_locker()
    hold = other.acquire(stage.show, ["A-1", "A-2"], holder="bo")
    assert best(stage, 2) == ("A-4", "A-5")
    with pytest.raises(SeatsUnavailable):
        best(stage, 2)
    other.release(hold)
    assert best(stage, 2) == ("A-1", "A-2")


def test_a_hold_whose_time_is_up_is_free(stage: Stage) -> None:
    stage.open(ROW[:3])
    got = stage.locker.acquire_best(stage.show, 3, holder="ada", ttl=0.05)
    with pytest.raises(SeatsUnavailable):
        best(stage, 4, "bo")  # more than there are: a look while the hold may last
    stage.wait_past(got.hold)
    assert best(stage, 3, "bo") == ROW[:3]


def test_a_plan_that_grows_is_seen(stage: Stage) -> None:
    stage.open(ROW[:2])
    assert best(stage, 2) == ROW[:2]
    stage.other_locker().warm(stage.show, ROW)
    assert best(stage, 5) == ROW[2:]


def test_a_show_that_began_anew_is_seen(stage: Stage) -> None:
    stage.open(ROW[:3])
    best(stage, 3)
    for key in sorted(stage.keys()):
        stage.raw.delete(key)
    with pytest.raises(ShowNotFound):
        best(stage, 1)
    other = stage.other_locker()
    other.warm(stage.show, ["B-1", "B-2"])
    other.open_sale(stage.show)
    assert best(stage, 2) == ("B-1", "B-2")


def test_a_seat_whose_lock_and_mirror_disagree_is_passed_over(stage: Stage) -> None:
    stage.open(["A-1", "A-2", "B-1", "B-2"])
    hold = stage.acquire("A-1", holder="bo")
    stage.raw.hset(stage.key("seats"), "A-1", "f0")  # behind everybody's back
    locker = stage.other_locker()
    assert locker.acquire_best(stage.show, 2, holder="ada").hold.seats == ("B-1", "B-2")
    with pytest.raises(SeatsUnavailable):
        locker.acquire_best(stage.show, 2, holder="ada")
    assert locker.confirm(hold).seats == ("A-1",)


def test_what_the_house_blocks_and_unblocks_is_seen(stage: Stage) -> None:
    stage.open(ROW[:4])
    stage.locker.block(stage.show, ["A-2", "A-3"])
    apart = stage.locker.acquire_best(stage.show, 2, holder="ada")
    assert (apart.hold.seats, apart.adjacent) == (("A-1", "A-4"), False)
    stage.locker.unblock(stage.show, ["A-2", "A-3"])
    assert best(stage, 2) == ("A-2", "A-3")


# --- when it may not be


def test_only_while_the_sale_is_open(stage: Stage) -> None:
    stage.open(ROW[:2])
    for word, change in (("paused", stage.locker.pause_sale), ("closed", stage.locker.close_sale)):
        change(stage.show)
        with pytest.raises(SaleNotOpen) as error:
            best(stage, 1)
        assert error.value.status == word
        with pytest.raises(SaleNotOpen):  # rather than that there are not so many
            best(stage, 3)


def test_a_show_that_is_not_warmed(stage: Stage) -> None:
    with pytest.raises(ShowNotFound):
        best(stage, 1)


def test_a_section_or_a_category_that_is_not_there(stage: Stage) -> None:
    stage.open(HOUSE)
    with pytest.raises(UnknownSeats, match="no section 'pit'; it has 'stalls', 'circle'"):
        best(stage, 1, section="pit")
    with pytest.raises(InvalidRequest, match="no category 'lead'"):
        best(stage, 1, category="lead")


def test_a_show_of_pools_alone_has_no_seats(stage: Stage) -> None:
    stage.open((), pools={"floor": 3})
    with pytest.raises(SeatsUnavailable, match="has not 1 seat free"):
        best(stage, 1)
    with pytest.raises(InvalidRequest, match="no category 'gold'"):
        best(stage, 1, category="gold")
    for ask in (lambda: best(stage, 1, section="pit"), lambda: stage.locker.availability(stage.show, section="pit")):
        with pytest.raises(UnknownSeats, match="no section 'pit': it has pools and no seats"):
            ask()
    stage.locker.pause_sale(stage.show)
    with pytest.raises(SaleNotOpen):
        best(stage, 1)


# --- the same token again


def test_the_same_token_gets_the_same_seats(stage: Stage) -> None:
    stage.open(ROW)
    token = new_token()
    first = stage.locker.acquire_best(stage.show, 2, holder="ada", token=token, ttl=60)
    before = stage.everything()
    for locker in (stage.locker, stage.other_locker()):
        for count in (2, 3):  # the best would be others now
            again = locker.acquire_best(stage.show, count, holder="ada", token=token, ttl=600)
            assert (again.hold.seats, again.hold.token) == (first.hold.seats, token)
            assert (again.hold.fence, again.hold.deadline) == (first.hold.fence, first.hold.deadline)
            assert 50 < again.hold.ttl <= 60
            assert again.adjacent
    assert stage.everything() == before


def test_the_same_token_where_nothing_is_left_or_the_sale_is_paused(stage: Stage) -> None:
    stage.open(ROW[:2])
    token = new_token()
    assert best(stage, 2, token=token) == ROW[:2]
    assert best(stage, 2, token=token) == ROW[:2]
    stage.locker.pause_sale(stage.show)
    assert best(stage, 2, token=token) == ROW[:2]
    with pytest.raises(SaleNotOpen):
        best(stage, 2, token=new_token())


def test_the_same_token_after_an_extension(stage: Stage) -> None:
    stage.open(ROW)
    token = new_token()
    first = stage.locker.acquire_best(stage.show, 2, holder="ada", token=token, ttl=0.2).hold
    longer = stage.locker.extend(first, ttl=600)
    stage.locker.sweep(stage.show)
    again = stage.locker.acquire_best(stage.show, 2, holder="ada", token=token).hold
    assert (again.seats, again.deadline) == (first.seats, longer.deadline)
    note = next(key for key in sorted(stage.keys()) if ":best:" in key)
    assert stage.raw.pttl(note) > 2_300_000  # as long as it can last, a payment included


def test_the_same_token_after_the_show_was_retired(stage: Stage) -> None:
    stage.open(ROW[:2])
    token = new_token()
    stage.locker.release(stage.locker.acquire_best(stage.show, 2, holder="ada", token=token).hold)
    stage.locker.retire(stage.show)
    stage.open(["B-1", "B-2"])
    with pytest.raises(UnknownSeats, match="use a new token") as unknown:
        best(stage, 2, token=token)
    assert unknown.value.seats == ROW[:2]
    assert best(stage, 2, token=new_token()) == ("B-1", "B-2")


def test_the_note_lasts_as_long_as_a_payment_may(stage: Stage) -> None:
    stage.open(ROW, max_hold=60)
    token = new_token()
    first = stage.locker.acquire_best(stage.show, 2, holder="ada", token=token).hold
    paying = stage.locker.begin_payment(first, expected=3600)
    assert 640 < paying.ttl <= 660
    note = next(key for key in sorted(stage.keys()) if ":best:" in key)
    assert stage.raw.pttl(note) >= stage.raw.pttl(stage.lock(first.seats[0])) > 640_000
    again = stage.locker.acquire_best(stage.show, 2, holder="ada", token=token).hold
    assert (again.seats, again.fence, again.deadline) == (first.seats, first.fence, paying.deadline)


def test_the_same_token_after_a_release_gets_them_again_if_it_can(stage: Stage) -> None:
    stage.open(ROW)
    token = new_token()
    first = stage.locker.acquire_best(stage.show, 2, holder="ada", token=token).hold
    stage.locker.release(first)
    again = stage.locker.acquire_best(stage.show, 2, holder="ada", token=token).hold
    assert again.seats == first.seats
    assert again.fence > first.fence
    stage.locker.release(again)
    stage.acquire(first.seats[0], holder="bo")
    with pytest.raises(SeatsUnavailable, match="use a new token") as refusal:
        best(stage, 2, token=token)
    assert list(refusal.value.conflicts) == [first.seats[0]]
    assert token not in str(refusal.value)


def test_the_same_token_after_confirm_says_that_the_seats_are_sold_to_you(stage: Stage) -> None:
    stage.open(ROW)
    token = new_token()
    hold = stage.locker.acquire_best(stage.show, 2, holder="ada", token=token).hold
    stage.locker.confirm(hold)
    with pytest.raises(SeatsUnavailable) as refusal:
        best(stage, 2, token=token)
    assert {seat: conflict.yours for seat, conflict in refusal.value.conflicts.items()} == dict.fromkeys(
        hold.seats, True
    )


def test_a_token_of_somebody_else_is_nothing(stage: Stage) -> None:
    stage.open(ROW)
    token = new_token()
    mine = best(stage, 2, "ada", token=token)
    assert not {*mine} & {*best(stage, 2, "eve", token=token)}


def test_the_note_has_no_token_in_its_name(stage: Stage) -> None:
    stage.open(ROW)
    token = new_token()
    best(stage, 2, token=token)
    notes = [key for key in sorted(stage.keys()) if ":best:" in key]
    assert len(notes) == 1
    assert token not in notes[0]
    assert stage.raw.get(notes[0]) == b"A-3\nA-4"


# --- arguments

BAD: Final[dict[str, list[object]]] = {
    "show": [None, "", "a b", "{a}"],
    "count": [0, -1, 101, 1.0, "2", None, True, 10**400],
    "section": [7, True, b"A", ["A"], "s" * 129, "a\nb"],
    "category": ["", 7, True, "c" * 129, "a\nb"],
    "adjacent": [None, 1, "yes"],
    "avoid_orphans": [None, 0, ""],
    "accessible": [1, "no", []],
    "holder": [None, "", 7],
    "ttl": [0, -1, None, float("nan")],
    "token": ["", 7, "A" * 32],
    "channel": ["", 7, True, b"p", "c" * 65, "ß" * 33, "a\nb"],
}


@only_on("redis-7")
@pytest.mark.parametrize("name", BAD)
def test_bad_arguments_are_refused_before_anything_is_sent(stage: Stage, name: str) -> None:
    locker, watched = stage.watched()
    for value in BAD[name]:
        options = {"show": stage.show, "count": 2, "holder": "ada", name: value}
        with pytest.raises(InvalidRequest):
            locker.acquire_best(options.pop("show"), options.pop("count"), **options)
    assert not watched.sent
