"""Scenarios of admission: who is let in and when, passes, silence, and what `tidy` does."""

from __future__ import annotations

import pytest

from seatlock import NotAdmitted, ScriptFailed
from seatlock.waiting_room import Pass
from seatlock.waiting_room import _commands as commands
from tests.lua.hall import Hall
from tests.lua.house import House
from tests.lua.scenario import scenario, to_the_millisecond


@scenario
def letting_in(house: House) -> None:
    hall = Hall(house, burst=3).open()
    with house.unchanged():
        assert hall.room.admit(hall.show).live == 0
    hall.joins("ada", "bo", "cy", "di")
    with house.unchanged():
        assert hall.let_in(most=0) == hall.let_in(most_live=0) == []
    admission = hall.room.admit(hall.show)
    assert [(one.holder, one.place) for one in admission.admitted] == [("ada", 1), ("bo", 2), ("cy", 3)]
    assert (admission.more, admission.live, admission.admitted[0].ttl) == (True, 3, house.left(120))
    assert admission.wait == house.left(6)  # ten in sixty seconds
    assert hall.entries()[-1] == {"1": "ada", "2": "bo", "3": "cy"}
    assert hall.members("queue") == {"di": 4}
    assert hall.members("passes") == dict.fromkeys(["ada", "bo", "cy"], house.at(120))
    assert hall.grants() == {"ada": "1 2 0", "bo": "2 2 0", "cy": "3 2 0"}
    assert [hall.present(place) for place in (1, 2, 3, 4)] == [False, False, False, True]
    with house.unchanged():
        assert hall.room.status(hall.show, "di").ahead == 0
    hall.audit()


@scenario
def a_pass(house: House) -> None:
    hall = Hall(house, renewals=1).open()
    hall.joins("ada", "bo")
    hall.let_in(most=1)
    with house.unchanged():  # a reservation until the holder hears of it
        held = hall.room.status(hall.show, "ada").pass_
        assert held == Pass(hall.show, "ada", 1, house.left(120), 1)  # type: ignore[arg-type]
    assert [place.pass_.ttl for place in hall.asked("heartbeat", ["ada", "ada"])] == [house.left(600)] * 2
    assert hall.grants() == {"ada": "1 1 1"}
    house.advance(60)
    place = hall.room.join(hall.show, "ada")  # from another tab: nothing new
    assert (place.state, place.number) == ("admitted", 1)
    assert place.pass_ is not None
    assert place.pass_.ttl == house.left(540)
    renewed = hall.room.renew(place.pass_)
    assert (renewed.ttl, renewed.renewals) == (house.left(600), 0)
    with house.unchanged():  # the answer was lost: asked again
        assert hall.room.renew(place.pass_).renewals == 0
    with house.unchanged():
        house.failing(NotAdmitted, lambda: hall.room.renew(renewed))
    held_by = [renewed, *(Pass(hall.show, holder, 2, 60.0, 1) for holder in ("bo", "cy", "di", "eve"))]
    asks = [hall.core.renew(held) for held in held_by]
    assert [type(answer) for answer in house.run(commands.of_asks("seatlock", asks))] == [NotAdmitted] * 5
    house.advance(601)
    with house.unchanged():
        house.failing(NotAdmitted, lambda: hall.room.renew(place.pass_))
        assert hall.beat("ada") == ["gone"]
    assert hall.joins("ada") == [3]
    hall.house.run(commands.tidy("seatlock", hall.show))
    assert hall.members("passes") == {}
    hall.audit()


@to_the_millisecond
def a_renewal_never_shortens(house: House) -> None:
    hall = Hall(house).open()
    hall.joins("ada")
    hall.let_in()
    (place,) = hall.asked("heartbeat", ["ada"])
    hall.prepare(pass_ttl=60)
    asks = [hall.core.renew(place.pass_)] * 2
    assert [(held.ttl, held.renewals) for held in house.run(commands.of_asks("seatlock", asks))] == [(600, 1)] * 2
    house.advance(1)
    with house.unchanged():  # whoever has seen more renewals left, or fewer, than there are asks again
        for seen in (2, 0):
            held = hall.room.renew(Pass(hall.show, "ada", 1, 60.0, seen))
            assert (held.ttl, held.renewals) == (599, 1)
    house.advance(599)
    assert hall.beat("ada") == ["admitted"]  # in time to the last millisecond
    house.tick_to(house.now + 1)
    assert hall.beat("ada") == ["gone"]


@scenario
def a_reservation_that_nobody_takes(house: House) -> None:
    hall = Hall(house, concurrency=1).open()
    hall.joins("ada", "bo")
    assert hall.let_in() == ["ada"]
    with house.unchanged():
        admission = hall.room.admit(hall.show)
        assert (admission.admitted, admission.more, admission.live) == ((), False, 1)
    house.advance(121)
    assert hall.let_in() == ["bo"]
    assert hall.members("passes").keys() == hall.grants().keys() == {"bo"}  # the ended one makes room
    assert hall.room.tidy(hall.show) == (0, 0)
    assert hall.beat("ada", "bo") == ["gone", "admitted"]
    hall.audit()


# --- the rate


@to_the_millisecond
def the_rate_of_admissions(house: House) -> None:
    hall = Hall(house, rate=3, per=1.0, burst=2).open()
    hall.crowd(40)
    assert len(hall.let_in()) == 2
    let_in = [(house.now, 2)]
    for number in range(300):
        house.tick_to(house.now + (1, 13, 6)[number % 3])
        if found := hall.let_in():
            let_in.append((house.now, len(found)))
    assert sum(count for _, count in let_in) == 2 + 6
    for first, (since, _) in enumerate(let_in):
        for last in range(first, len(let_in)):
            window = let_in[last][0] - since
            assert sum(count for _, count in let_in[first : last + 1]) <= 2 + 3 * window / 1000
    house.advance(3600)
    assert len(hall.let_in()) == 2  # an hour fills the bucket, and no more
    assert hall.room.admit(hall.show).wait == 0.334
    house.tick_to(house.now + 333)
    assert hall.let_in() == []
    house.tick_to(house.now + 1)
    assert len(hall.let_in()) == 1
    hall.audit()


@to_the_millisecond
def a_rate_that_is_changed(house: House) -> None:
    """What had gathered stays as many admissions as it was, and no new limit gives more than it or the old one."""
    hall = Hall(house, rate=1, per=60.0, burst=10).open()
    hall.crowd(200)
    assert len(hall.let_in()) == 10
    house.tick_to(house.now + 90_000)  # one and a half
    hall.prepare(rate=1000, per=1.0)
    assert (hall.fact("level"), hall.fact("filled")) == ("1500", str(house.now))
    assert len(hall.let_in()) == 1
    hall.prepare(rate=1, per=7.0, burst=1000)
    assert hall.fact("level") == "3500"
    assert hall.let_in() == []
    house.tick_to(house.now + 3500)
    assert len(hall.let_in()) == 1
    house.tick_to(house.now + 3_600_000)
    hall.prepare(rate=3, per=11.0, burst=5)  # 514 had gathered
    assert hall.fact("level") == "55000"
    hall.prepare(burst=100)
    assert hall.fact("level") == "55000"
    hall.prepare(rate=10**6, per=0.007, burst=100)
    assert hall.fact("level") == "35"
    filled = house.now
    house.tick_to(filled - 30_000)
    hall.prepare(rate=1000, per=3.0)
    assert (hall.fact("level"), hall.fact("filled")) == ("15000", str(filled)), "no time is counted twice"
    assert len(hall.let_in()) == 5
    house.tick_to(filled)
    assert hall.let_in() == []
    with house.unchanged():
        house.tick_to(filled + 10_000)
        hall.prepare()
    hall.audit()


@to_the_millisecond
def a_clock_that_is_set_back(house: House) -> None:
    hall = Hall(house, rate=1, per=1.0, burst=2).open()
    hall.crowd(20)
    begun = house.now
    assert len(hall.let_in()) == 2
    house.tick_to(begun - 60_000)
    with house.unchanged():
        assert hall.let_in() == []
    house.tick_to(begun)
    with house.unchanged():
        assert hall.let_in() == []
    house.tick_to(begun - 3_600_000)
    assert hall.let_in() == []  # its time begins anew
    assert hall.fact("filled") == str(house.now)
    house.tick_to(house.now + 1000)
    assert len(hall.let_in()) == 1
    hall.room.tidy(hall.show)
    assert hall.fact("here_at") == str(house.now)
    hall.audit()


@scenario
def how_fast_the_line_moves(house: House) -> None:
    hall = Hall(house, rate=1000, burst=100).open()
    hall.crowd(90)
    place = hall.room.status(hall.show, "h90")
    assert (place.wait, hall.room.served(hall.show).pace) == (None, None)
    for _ in range(4):
        assert len(hall.let_in(most=20)) == 20
        house.advance(20)
    served = hall.room.served(hall.show)
    assert served.pace is not None
    assert served.pace == pytest.approx(1.0, rel=0.05)
    assert (served.number, served.length, served.live, served.admitted, served.behind) == (80, 10, 80, 80, 0)
    assert (served.room, served.early, served.ask_again) == ("open", 0, hall.settings.poll)
    before = hall.room.status(hall.show, "h90").wait
    assert before is not None
    house.advance(100)  # nobody is let in, so it may take longer than it did
    wait = hall.room.status(hall.show, "h90").wait
    assert wait is not None
    assert (wait.low, wait.high > 2 * before.high) == (before.low, True)
    assert len(hall.let_in(most=1)) == 1  # a rest is in all that was seen since: it may be as fast again as before
    wait = hall.room.status(hall.show, "h90").wait
    assert wait is not None
    assert wait.low <= before.low
    hall.audit()


@to_the_millisecond
def the_pace_behind_a_full_bucket(house: House) -> None:
    """What is let in at once, since the bucket was full, is no pace: the line goes on as fast as the rate brings it."""
    hall = Hall(house, rate=60, per=60.0, burst=100, batch=10).open()
    hall.crowd(400)
    for _ in range(9):
        assert len(hall.let_in()) == 10
        assert hall.fact("pace") == ""
    assert len(hall.let_in()) == 10
    assert hall.fact("pace") == f";{house.now} 100 100"
    for _ in range(25):
        house.tick_to(house.now + 1000)
        assert len(hall.let_in()) == 1
    assert hall.room.served(hall.show).pace == pytest.approx(1.0, rel=0.001)
    place = hall.room.status(hall.show, "h325")
    assert place.wait is not None
    assert place.wait.low < 200 < place.wait.high
    hall.audit()


@to_the_millisecond
def the_pace_where_passes_are_the_bound(house: House) -> None:
    """The bucket stays full where fewer are let in than the rate allows, and the line has a pace all the same."""
    hall = Hall(house, rate=1000, per=1.0, burst=100, batch=10, concurrency=15, reservation=5).open()
    hall.crowd(200)
    assert [len(hall.let_in()), hall.fact("pace")] == [10, ""]
    assert len(hall.let_in()) == 5
    assert hall.fact("pace") == f";{house.now} 15 15"
    hall.audit()


@scenario
def who_comes_back_is_let_in_first_and_all_behind_know(house: House) -> None:
    hall = Hall(house, rate=1000, burst=100).open()
    hall.crowd(90)
    raw, bits = house.raw, house.key("here:0")
    raw.setrange(bits, 0, b"\0" * 5)  # places below 40 are silent
    for _ in range(4):
        hall.let_in(most=8)
        house.advance(5)
    before = hall.room.status(hall.show, "h90").wait
    assert before is not None
    hall.room.heartbeat(hall.show, "h30")
    for number in range(1, 30):
        hall.room.heartbeat(hall.show, f"h{number}")
    assert [one.holder for one in hall.room.admit(hall.show, most=2).admitted] == ["h1", "h2"]
    early, late = (hall.room.status(hall.show, holder).wait for holder in ("h30", "h90"))
    assert early is not None
    assert late is not None
    assert (early.low, early.high > 27, late.low < before.high) == (0.0, True, True)
    assert late.high > before.high + 27
    hall.audit()


@to_the_millisecond
def the_pace_when_the_clock_is_set_back(house: House) -> None:
    hall = Hall(house, rate=1000, burst=100).open()
    hall.crowd(30)
    hall.let_in(most=10)
    house.tick_to(house.now - 50_000)
    assert len(hall.let_in(most=10)) == 10
    assert hall.fact("pace") == f";{house.now} 20 20"
    assert hall.room.served(hall.show).pace is None
    hall.audit()


# --- who is silent


@scenario
def the_silent_are_passed_over(house: House) -> None:
    hall = Hall(house).open()
    hall.joins("ada", "bo", "cy", "di")
    for _ in range(2):
        hall.elapse(hall.settings.grace / 2 + 1)
        assert [hall.present(place) for place in (1, 2, 3, 4)] == [True] * 4
        hall.beat("ada", "bo", "cy", "di")
        hall.elapse(hall.settings.grace / 2 + 1)
        assert [hall.present(place) for place in (1, 2, 3, 4)] == [True] * 4
    hall.silence("cy")
    assert hall.let_in() == ["cy"]
    assert (hall.members("queue"), hall.fact("low"), hall.fact("served")) == ({"ada": 1, "bo": 2, "di": 4}, "5", "4")
    assert hall.room.served(hall.show).behind == 3
    with house.unchanged():
        assert hall.let_in() == []
    assert hall.beat("bo") == [2]
    assert (hall.fact("low"), hall.room.status(hall.show, "bo").ahead) == ("2", 1)
    assert hall.joins("ada") == [1]
    assert hall.let_in() == ["ada", "bo"]
    assert (hall.fact("low"), hall.members("queue")) == ("3", {"di": 4}) or hall.fact("low") == "5"
    hall.audit()


@scenario
def all_are_silent(house: House) -> None:
    hall = Hall(house).open()
    hall.joins("ada", "bo")
    hall.silence()
    assert hall.let_in() == []
    assert (hall.fact("low"), hall.fact("served")) == ("3", "2")
    assert hall.joins("cy") == [3]
    assert hall.let_in() == ["cy"]
    hall.audit()


@scenario
def the_silent_lose_their_places_in_the_end(house: House) -> None:
    hall = Hall(house, grace=30, keep=100).open()
    hall.crowd(600)
    assert hall.elapse(105) == (0, 0)
    assert hall.beat("h3", "h599") == [3, 599]
    assert hall.elapse(105) == (0, 598)
    assert hall.members("queue") == {"h3": 3, "h599": 599}
    assert hall.beat("h3", "h4", "h599") == [3, "gone", 599]
    assert hall.let_in() == ["h3", "h599"]
    hall.audit()


@scenario
def many_passes_end(house: House) -> None:
    hall = Hall(house, rate=1000, burst=1000).open()
    hall.crowd(900)
    assert len(hall.let_in()) == 900
    house.advance(121)
    assert house.run(commands.tidy("seatlock", hall.show)) == (500, 0, True)
    assert hall.room.tidy(hall.show) == (400, 0)
    assert hall.members("passes") == hall.grants() == {}
    hall.audit()


# --- many


@scenario
def a_dense_line(house: House) -> None:
    hall = Hall(house, rate=1000, burst=1000).open()
    names = hall.crowd(700)
    hall.asked("leave", names[200:210])
    assert hall.let_in(most=101) == names[:101]
    assert not any(hall.present(place) for place in range(102))
    assert all(hall.present(place) for place in range(102, 200))
    assert hall.let_in() == names[101:200] + names[210:]
    assert hall.members("queue") == {}
    hall.audit()


@scenario
def a_crowd_that_went_away(house: House) -> None:
    """However many are gone, a call looks at a bounded part of the line, and the next one goes on."""
    hall = Hall(house, rate=1000, burst=1000).open()
    hall.put_fact("next", "110000")
    hall.put_fact("gone", "110000")
    hall.joins("ada")
    for span in range(210):
        house.raw.setrange(house.key("here:1"), 64 * span, b"\x81")
    admission = hall.room.admit(hall.show)
    assert (admission.admitted, admission.more, hall.fact("low")) == ((), True, str(160 * 512))
    assert hall.let_in() == ["ada"]
    assert not hall.room.admit(hall.show).more
    hall.audit()


@scenario
def a_crowd_that_left_its_bits(house: House) -> None:
    """A call looks at a bounded number of places that are gone, and never again at the same ones."""
    hall = Hall(house, rate=1000, burst=1000).open()
    hall.put_fact("next", "12000")
    hall.put_fact("gone", "12000")
    hall.joins("ada")
    house.raw.setrange(house.key("here:1"), 0, b"\x7f" + b"\xff" * (64 * 20 - 1))
    admission = hall.room.admit(hall.show)
    assert (admission.admitted, admission.more, hall.fact("low")) == ((), True, str(16 * 512))
    assert house.raw.bitcount(house.key("here:1")) == 4 * 512, "those who were looked at are not looked at again"
    assert hall.let_in() == ["ada"]
    hall.audit()


@scenario
def who_goes_is_not_present(house: House) -> None:
    hall = Hall(house, grace=50, keep=100).open()
    hall.joins("ada", "bo", "cy")
    hall.asked("leave", ["bo"])
    assert [hall.present(place) for place in (1, 2, 3)] == [True, False, True]
    hall.elapse(51)
    hall.prepare(grace=100)  # so that the two kinds of bitmaps are turned at different times
    hall.beat("ada", "cy")
    for seconds in (50, 101):
        hall.elapse(seconds, step=25)
        hall.beat("cy")
    assert hall.members("queue") == {"cy": 3}
    assert [hall.present(place) for place in (1, 2, 3)] == [False, False, True]
    assert hall.let_in() == ["cy"]
    hall.audit()


@scenario
def a_place_and_a_pass(house: House) -> None:
    """An admission that was stopped half-way leaves both: nobody is let in twice for it."""
    hall = Hall(house).open()
    hall.joins("ada", "bo", "cy")
    assert hall.let_in(most=1) == ["ada"]
    house.raw.zadd(house.key("queue"), {"ada": 1})
    hall.put_fact("low", "1")
    house.raw.setbit(house.key("here:0"), 1, 1)
    assert hall.let_in(most=1) == ["bo"]
    assert hall.beat("ada") == ["admitted"]
    assert hall.members("queue") == {"cy": 3}
    hall.audit()


@scenario
def facts_that_are_no_numbers(house: House) -> None:
    hall = Hall(house).open()
    hall.joins("ada")
    hall.let_in()
    hall.joins("bo")
    house.advance(31)
    calls = {
        "join": lambda: hall.room.join(hall.show, "cy"),
        "heartbeat": lambda: hall.room.heartbeat(hall.show, "ada"),
        "admit": lambda: hall.room.admit(hall.show),
        "tidy": lambda: hall.room.tidy(hall.show),
    }
    stopped = set()
    for fact in [name.decode() for name in house.raw.hkeys(house.key("room"))]:
        right = hall.fact(fact)
        for odd in ("nan", "-1", "1.5", "0x10", "1e400", "9" * 30):
            hall.put_fact(fact, odd)
            for name, call in calls.items():
                before = house.dump()
                try:
                    call()
                except ScriptFailed:
                    assert house.dump() == before, (fact, odd, name)
                    stopped.add((fact, name))
        hall.put_fact(fact, right)
    assert {("most", "join"), ("rate", "admit"), ("level", "admit"), ("grace", "tidy"), ("low", "heartbeat")} <= stopped
