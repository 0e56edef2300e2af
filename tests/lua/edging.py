"""Scenarios at the edges of admission: what a call that lets nobody in leaves behind, and where a line ends."""

from __future__ import annotations

from tests.lua.hall import Hall
from tests.lua.house import House
from tests.lua.scenario import scenario


@scenario
def a_call_that_lets_nobody_in_keeps_what_was_gathered(house: House) -> None:
    hall = Hall(house, rate=1, per=1.0, burst=5).open()
    line = hall.crowd(8)
    assert hall.let_in() == line[:5]
    hall.silence()
    assert hall.let_in() == []  # it has looked at all of them, and noted how far
    assert hall.beat(*line[5:]) == [6, 7, 8]
    assert hall.let_in() == line[5:]
    hall.audit()


@scenario
def ended_passes_go_where_nobody_waits(house: House) -> None:
    hall = Hall(house).open()
    hall.joins("ada", "bo")
    assert hall.let_in() == ["ada", "bo"]
    house.advance(121)
    assert hall.let_in() == []
    assert hall.members("passes") == hall.grants() == {}
    hall.audit()


@scenario
def whether_there_is_more(house: House) -> None:
    hall = Hall(house, burst=10, batch=2).open()
    hall.joins("ada", "bo", "cy", "di")
    assert [hall.room.admit(hall.show).more for _ in range(3)] == [True, False, False]
    hall.joins("eve")
    admission = hall.room.admit(hall.show)
    assert (len(admission.admitted), admission.more, admission.wait) == (1, False, 0)


@scenario
def how_long_the_rate_makes_wait(house: House) -> None:
    hall = Hall(house, rate=1, per=100.0, burst=1).open()
    hall.joins("ada", "bo")
    assert hall.room.admit(hall.show).wait == house.left(100)
    house.advance(60)
    assert hall.room.admit(hall.show).wait == house.left(40)


@scenario
def names_that_are_numbers_are_no_places(house: House) -> None:
    """As many as are read as one range, each named as the place behind the own one."""
    hall = Hall(house, burst=500, batch=200).open()
    names = [str(number + 1) for number in range(1, 151)]
    hall.asked("join", names)
    assert hall.let_in() == names
    hall.audit()


@scenario
def whoever_comes_is_in_the_newer_bitmaps(house: House) -> None:
    hall = Hall(house).open()
    for kind, span in (("here", hall.settings.grace), ("kept", hall.settings.keep)):
        before = hall.fact(kind)
        hall.elapse(span)
        newer = hall.fact(kind)
        assert newer != before
        (place,) = hall.joins(f"for-{kind}")
        assert house.raw.getbit(house.key(f"{kind}:{newer}"), place) == 1
        assert house.raw.getbit(house.key(f"{kind}:{before}"), place) == 0
    hall.audit()


@scenario
def who_is_early_twice_in_a_batch_counts_once(house: House) -> None:
    hall = Hall(house, max_length=2).prepare()
    assert hall.joins("ada", "ada", "bo", "bo", "cy") == ["early"] * 4 + ["WaitingRoomFull"]
    assert hall.members("early") == {"ada": 0, "bo": 0}


@scenario
def whoever_comes_again_has_no_old_pass(house: House) -> None:
    """It would be in time again if the clock were set back."""
    hall = Hall(house).open()
    hall.joins("ada", "bo")
    hall.let_in()
    house.advance(121)
    assert hall.joins("ada", "cy", "bo") == [3, 4, 5]
    assert hall.members("passes") == hall.grants() == {}
    hall.audit()
