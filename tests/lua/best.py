"""Scenarios of acquire_best: the first set that is wholly free, the note of it, and what it answers otherwise."""

from __future__ import annotations

from msgspec.structs import replace

from seatlock import Hold, SaleNotOpen, ScriptFailed, ShowNotFound, _commands
from seatlock._replies import NoneFree, Noted
from tests.lua.house import T1, T2, T3, House
from tests.lua.scenario import scenario, to_the_millisecond

FENCE = 2**40
FIRST, SECOND, THIRD = ("A-1", "A-2"), ("A-2", "A-3"), ("A-3", "A-4")


def notes(house: House) -> dict[str, int]:
    """What the notes say, and how long they last."""
    keys = house.raw.keys(house.key("best:*").replace("{", "\\{"))
    return {(house.raw.get(key) or b"").decode(): house.raw.pexpiretime(key) for key in keys}


@scenario
def the_first_set_that_is_free(house: House) -> None:
    house.open()
    with house.one_change(A_1=house.held(0, 60), A_2=house.held(1, 60)):
        hold = house.best(FIRST, THIRD, ttl=60)
    assert (hold.seats, hold.fence, hold.token, hold.deadline) == (FIRST, FENCE + 1, T1, house.at(60))
    assert house.lock("A-1") == ["h", T1, "ada", 1, 1, hold.deadline, house.at(1800)]
    assert house.due() == {"A-1": hold.deadline, "A-2": hold.deadline}
    assert notes(house) == {"A-1\nA-2": house.at(2400)}
    other = house.best(FIRST, SECOND, THIRD, holder="bo", token=T2)
    assert (other.seats, other.fence) == (THIRD, FENCE + 2)
    assert house.meta("fence") == "2"


@scenario
def no_set_is_free(house: House) -> None:
    house.failing(ShowNotFound, lambda: house.best(FIRST))
    house.open()
    house.acquire("A-2", holder="bo", token=T2)
    with house.unchanged():
        answer = house.best(FIRST, SECOND, ("B-1", "A-4"), ("nowhere", "A-4"), ("A-4", "B-2"))
    assert answer == NoneFree((1, int(house.meta("version"))), ("A-2", "A-2", "B-1", "nowhere", "B-2"))
    house.drop_lock("A-2")  # its mirror says held
    with house.unchanged():
        assert house.best(FIRST).in_the_way == ("A-2",)
    house.put_mirror("A-2", "f1")
    house.put_lock("A-2", "what is no lock of ours")
    with house.unchanged():
        assert house.best(FIRST).in_the_way == ("A-2",)


@scenario
def a_set_that_is_free_again(house: House) -> None:
    house.open()
    house.acquire("A-1", "A-3", holder="bo", ttl=60, token=T2)
    house.advance(90)
    hold = house.best(FIRST)
    assert hold.seats == FIRST
    assert house.mirror("A-3") == "f1"  # swept on the way


@to_the_millisecond
def a_set_whose_locks_redis_has_still(house: House) -> None:
    house.open()
    before = house.acquire("A-1", holder="bo", ttl=60, token=T2)
    house.tick_to(before.deadline)
    assert isinstance(house.best(FIRST), NoneFree)
    house.tick_to(before.deadline + 1)
    assert house.best(FIRST).seats == FIRST
    assert house.lock("A-1") == ["h", T1, "ada", 1, 2, house.at(600), house.at(1800)]


@scenario
def a_batch_sees_what_its_earlier_requests_take(house: House) -> None:
    house.open()
    version = int(house.meta("version"))
    with house.one_change(**{name: house.held(n, 60) for name, n in (("A_1", 0), ("A_2", 1), ("A_3", 1), ("A_4", 0))}):
        first, second, none, again = house.bests(
            ((FIRST, THIRD), "ada", 60, T1),
            ((FIRST, THIRD), "bo", 60, T2),
            ((FIRST, THIRD, SECOND), "cy", 60, T3),
            ((THIRD, FIRST), "ada", 60, T1),
        )
    assert [first.seats, second.seats, again.seats] == [FIRST, THIRD, FIRST]
    assert [first.fence, second.fence, again.fence] == [FENCE + 1, FENCE + 2, FENCE + 1]
    assert none == NoneFree((1, version + 1), ("A-1", "A-3", "A-2"))
    (alone,) = house.bests((((("A-1",),)), "cy", 60, T3))
    assert alone == NoneFree((1, version + 1), ("A-1",))


@scenario
def the_same_request_for_the_best_again(house: House) -> None:
    house.open()
    hold = house.best(FIRST, THIRD, ttl=60)
    house.advance(20)
    with house.unchanged():
        again = house.best(FIRST, THIRD, ttl=600)
        assert (again.seats, again.fence, again.deadline, again.resumed) == (FIRST, hold.fence, hold.deadline, False)
        assert again.ttl == house.left(40)
        assert house.best(THIRD, FIRST).deadline == hold.deadline
        assert house.best(THIRD) == Noted(FIRST)
        assert house.best(("A-4",), ("A-3",)) == Noted(FIRST)
    house.locker.pause_sale(house.show)
    with house.unchanged():
        assert house.best(FIRST).deadline == hold.deadline
        assert house.best(THIRD) == Noted(FIRST)
        assert house.failing(SaleNotOpen, lambda: house.best(THIRD, token=T2)).status == "paused"
    # with another holder the token is another owner's
    house.locker.open_sale(house.show)
    assert house.best(FIRST, THIRD, holder="eve", token=T1).seats == THIRD


@scenario
def the_same_request_when_the_seats_are_not_held_as_they_were(house: House) -> None:
    house.open()
    hold = house.best(FIRST)
    house.locker.release(hold)
    house.locker.pause_sale(house.show)
    with house.unchanged():
        assert house.best(FIRST) == Noted(FIRST)
    house.locker.open_sale(house.show)
    again = house.best(THIRD, FIRST)  # not the first that is free, but the one that it was
    assert (again.seats, again.fence) == (FIRST, FENCE + 2)
    house.locker.release(again)
    house.acquire("A-2", holder="bo", token=T2)
    with house.unchanged():
        assert house.best(THIRD, FIRST) == Noted(FIRST)
    house.locker.confirm(house.best(THIRD, token=T3))
    with house.unchanged():
        assert house.best(THIRD, token=T3) == Noted(THIRD)


@scenario
def a_part_of_the_best_is_held_still(house: House) -> None:
    house.open()
    hold = house.best(FIRST, ttl=300)
    house.locker.release(replace(hold, seats=("A-1",)))
    house.advance(100)
    whole = house.best(THIRD, FIRST)
    assert (whole.seats, whole.fence, whole.deadline) == (FIRST, hold.fence, hold.deadline)
    assert house.lock("A-1") == house.lock("A-2")


@scenario
def mirrors_that_fell_behind_the_best(house: House) -> None:
    house.open()
    hold = house.best(FIRST)
    house.put_mirror("A-1", "f0")
    assert house.best(FIRST).deadline == hold.deadline
    assert house.last_change() == {"A-1": f"h0:{hold.deadline}"}
    assert isinstance(house.best(("A-1",), holder="bo", token=T2), NoneFree)


@scenario
def best_seats_that_join_others_of_the_token(house: House) -> None:
    house.open()
    first = house.acquire("A-1", token=T1, ttl=60)
    hold = house.best(THIRD)
    assert (hold.fence, hold.deadline) == (FENCE + 2, house.at(600))
    whole = house.acquire("A-1", *THIRD, token=T1)
    assert isinstance(whole, Hold)
    assert (whole.fence, whole.deadline) == (hold.fence, first.deadline)


@scenario
def sets_that_do_not_fit_the_keys(house: House) -> None:
    house.open()
    for change, told in ((b"60000 2 3", "other seats or sets"), (b"60000 2 2", "other seats"), (b"60000 3 4", "sets")):
        ask = _commands.acquire_best("seatlock", house.show, [FIRST, THIRD], "ada", 60_000, T1, minted=False)
        operation = _commands.of_asks("seatlock", [ask])
        operation.args[-1] = change
        with house.unchanged():
            assert told in str(house.failing(ScriptFailed, lambda operation=operation: house.run(operation)))


@scenario
def the_note_lasts_as_long_as_a_payment_may(house: House) -> None:
    house.open()
    hold = house.best(FIRST, ttl=1800)
    house.advance(1700)
    paying = house.locker.begin_payment(hold, expected=3600)
    assert paying.deadline == hold.deadline + 600_000
    house.advance(600)  # beyond the maximum lifetime
    with house.unchanged():
        again = house.best(THIRD, FIRST)
        assert (again.seats, again.fence, again.deadline) == (FIRST, hold.fence, paying.deadline)
        assert house.best(THIRD) == Noted(FIRST)
    house.advance(101)
    assert house.best(THIRD).seats == THIRD
