"""Letting people in: rate, burst, concurrency and batch; silence; reservations, passes and renewals."""

from __future__ import annotations

import pytest

from seatlock.errors import InvalidRequest, NotAdmitted
from seatlock.waiting_room import Admission, Admitted, Pass, PassKeys, RoomSettings
from tests.support.stage import Stage, only_on
from tests.support.waiting import until

SLOW = {"rate": 1, "per": 86_400.0}  # nobody but the burst, as long as a test lasts


def line_of(stage: Stage, people: int) -> list[str]:
    """So many people join: gives them in the order of their places."""
    line = [f"h-{number}" for number in range(people)]
    stage.crowd(line)
    return sorted(line, key=lambda holder: int(stage.raw.zscore(stage.key("queue"), holder)))


def test_those_who_are_next_are_let_in_in_order(stage: Stage) -> None:
    show = stage.open_room(batch=2, reservation=60)
    stage.join("ada", "bo", "cy")
    first = stage.room.admit(show)
    two = (Admitted("ada", 1, 60.0), Admitted("bo", 2, 60.0))
    assert first == Admission(show, "open", two, more=True, wait=0.0, live=2)
    second = stage.room.admit(show)
    assert second == Admission(show, "open", (Admitted("cy", 3, 60.0),), more=False, wait=0.0, live=3)
    assert stage.room.admit(show) == Admission(show, "open", (), more=False, wait=0.0, live=3)


def test_admissions_are_in_the_stream_in_order(stage: Stage) -> None:
    show = stage.open_room(batch=2)
    stage.join("ada", "bo", "cy")
    before = len(stage.raw.xrange(stage.key("admissions")))
    stage.room.admit(show)
    stage.room.admit(show)
    stage.room.admit(show)
    entries = stage.raw.xrange(stage.key("admissions"))[before:]
    assert [list(fields.items()) for _, fields in entries] == [
        [(b"served", b"2"), (b"gone", b"0"), (b"1", b"ada"), (b"2", b"bo")],
        [(b"served", b"3"), (b"gone", b"0"), (b"3", b"cy")],
    ]


def test_never_more_than_the_burst_at_once(stage: Stage) -> None:
    show = stage.open_room(burst=5, **SLOW)
    line = line_of(stage, 8)
    assert stage.let_in() == line[:5]
    refused = stage.room.admit(show)
    assert (refused.admitted, refused.more) == ((), False)
    assert 86_000 < refused.wait <= 86_400


def test_the_rate_brings_one_after_the_other(stage: Stage) -> None:
    show = stage.open_room(burst=1, rate=20, per=1.0)
    line = line_of(stage, 3)
    assert stage.let_in() == line[:1]
    got: list[str] = []

    def second() -> bool:
        got.extend(stage.let_in())
        return bool(got)

    until(second, "the next is let in")
    assert got == line[1:2]
    assert 0 < stage.room.admit(show).wait <= 0.05


def test_other_settings_hold_from_the_next_admission(stage: Stage) -> None:
    show = stage.open_room(burst=2, **SLOW)
    line = line_of(stage, 10)
    assert stage.let_in() == line[:2]
    commitment = stage.room.prepare(show, RoomSettings(burst=2, rate=1000, per=0.001))
    assert commitment == stage.room.prepare(show, RoomSettings(burst=2, rate=1000, per=0.001))
    got: list[str] = []

    def the_rest() -> bool:
        got.extend(stage.let_in())
        return len(got) == 8

    until(the_rest, "all are in")
    assert got == line[2:]


def test_no_more_passes_than_the_concurrency(stage: Stage) -> None:
    show = stage.open_room(concurrency=3)
    line = line_of(stage, 6)
    assert stage.let_in() == line[:3]
    assert stage.let_in() == []
    assert stage.room.leave(show, line[1])
    assert stage.let_in() == [line[3]]
    admission = stage.room.admit(show)
    assert (admission.admitted, admission.live, admission.more) == ((), 3, False)


def test_the_caller_bounds_a_call(stage: Stage) -> None:
    show = stage.open_room()
    line = line_of(stage, 10)
    assert stage.let_in(most=0) == []
    assert stage.let_in(most=2) == line[:2]
    assert stage.let_in(most_live=2) == []
    assert stage.let_in(most_live=0) == []
    assert stage.let_in(most_live=5) == line[2:5]
    assert stage.room.served(show).live == 5


@pytest.mark.parametrize(
    "bounds", [{"most": -1}, {"most": 1001}, {"most": 1.0}, {"most": True}, {"most_live": -1}, {"most_live": "3"}]
)
@only_on("redis-7")
def test_bounds_that_are_none_are_refused(stage: Stage, bounds: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest, match="give a whole number"):
        stage.room.admit(stage.show, **bounds)


def test_a_great_line_goes_in_in_order(stage: Stage) -> None:
    show = stage.open_room(batch=1000, burst=10_000)
    line = line_of(stage, 2300)
    got: list[str] = []
    for expected in (1000, 1000, 300, 0):
        admission = stage.room.admit(show)
        assert len(admission.admitted) == expected
        got += [one.holder for one in admission.admitted]
    assert got == line


# Silence


def test_the_silent_are_passed_over_and_keep_their_place(stage: Stage) -> None:
    show = stage.open_room(grace=0.02, poll=0.008)
    stage.join("ada", "bo", "cy")
    stage.fall_silent("ada", "bo", "cy")
    assert stage.let_in() == ["bo", "cy"]
    assert stage.room.status(show, "ada").position == 1
    stage.join("di")
    back = stage.room.heartbeat(show, "ada")
    assert (back.state, back.position, back.number) == ("waiting", 1, 1)
    assert stage.let_in(most=1) == ["ada"], "before those who came later"
    assert stage.let_in() == ["di"]


def test_joining_again_ends_the_silence(stage: Stage) -> None:
    stage.open_room(grace=0.02, poll=0.008)
    stage.join("ada", "bo")
    stage.fall_silent("ada", "bo")
    assert stage.join("ada")[0].position == 1
    assert stage.let_in() == ["ada", "bo"]


def test_looking_does_not_end_the_silence(stage: Stage) -> None:
    show = stage.open_room(grace=0.02, poll=0.008)
    stage.join("ada", "bo")
    stage.fall_silent("ada", "bo")
    assert stage.room.status(show, "ada").position == 1
    assert stage.let_in() == ["bo"]


def test_a_silent_crowd_does_not_stall_the_line(stage: Stage) -> None:
    show = stage.open_room(grace=0.02, poll=0.008)
    line = line_of(stage, 1500)
    heard = [line[700], line[1499]]
    stage.fall_silent(line[0], *heard)
    assert stage.let_in() == heard
    assert stage.room.served(show).behind == 1498
    for holder in (line[1400], line[3], line[701], line[8]):
        assert stage.room.heartbeat(show, holder).state == "waiting"
    assert stage.let_in() == [line[3], line[8], line[701], line[1400]]
    assert stage.let_in() == []


def test_nobody_is_silent_before_the_grace_is_over(stage: Stage) -> None:
    show = stage.open_room(grace=3600, keep=3600)
    line = line_of(stage, 3)
    for _ in range(10):
        assert stage.room.tidy(show) == (0, 0)
    assert stage.let_in() == line


def test_a_place_leaves_that_was_silent_for_too_long(stage: Stage) -> None:
    show = stage.open_room(grace=0.01, keep=0.02, poll=0.004)
    stage.join("ada", "bo", "cy")
    left: list[int] = []

    def two_left() -> bool:
        left.append(stage.room.tidy(show)[1])
        stage.room.heartbeat(show, "bo")
        return sum(left) >= 2

    until(two_left, "ada and cy have left")
    assert [stage.room.status(show, holder).state for holder in ("ada", "bo", "cy")] == ["gone", "waiting", "gone"]
    assert stage.room.status(show, "bo").position == 1
    assert stage.join("ada")[0].number == 4


def test_all_of_a_long_line_leaves(stage: Stage) -> None:
    show = stage.open_room(grace=0.01, keep=0.02, poll=0.004)
    line_of(stage, 1100)
    left: list[int] = []

    def all_left() -> bool:
        left.append(stage.room.tidy(show)[1])
        return sum(left) == 1100

    until(all_left, "everybody has left")
    assert stage.room.served(show).length == 0


# Passes


def test_who_is_told_has_a_pass(stage: Stage) -> None:
    show = stage.open_room(reservation=5, pass_ttl=60, renewals=3)
    stage.join("ada")
    stage.let_in()
    seen = stage.room.status(show, "ada")
    assert (seen.state, seen.number, seen.position) == ("admitted", 1, None)
    assert 0 < seen.pass_.ttl <= 5, "looking claims nothing"
    first = stage.room.heartbeat(show, "ada").pass_
    assert first == Pass(show, "ada", 1, 60.0, 3)
    assert stage.room.heartbeat(show, "ada").pass_.ttl <= 60
    assert stage.room.join(show, "ada").pass_.place == 1


@pytest.mark.parametrize("verb", ["join", "heartbeat"])
def test_the_pass_starts_once(stage: Stage, verb: str) -> None:
    show = stage.open_room(reservation=5, pass_ttl=60)
    stage.join("ada")
    stage.let_in()
    ask = getattr(stage.room, verb)
    assert ask(show, "ada").pass_.ttl == 60
    until(lambda: ask(show, "ada").pass_.ttl < 59.99, "its time goes by")
    assert ask(show, "ada").pass_.ttl < 60


def test_a_reservation_that_nobody_claims_ends(stage: Stage) -> None:
    show = stage.open_room(reservation=0.03, concurrency=1, poll=0.02)
    stage.join("ada", "bo")
    assert stage.let_in() == ["ada"]
    assert stage.let_in() == []
    until(lambda: stage.room.status(show, "ada").state == "gone", "the reservation has ended")
    assert stage.let_in() == ["bo"], "the slot is free, tidied or not"
    assert stage.room.heartbeat(show, "ada").state == "gone"
    assert stage.join("ada")[0].number == 3


def test_an_ended_pass_is_tidied_away(stage: Stage) -> None:
    show = stage.open_room(reservation=0.02, poll=0.01)
    stage.join("ada", "bo")
    stage.let_in()
    ended: list[int] = []

    def two_ended() -> bool:
        ended.append(stage.room.tidy(show)[0])
        return sum(ended) == 2

    until(two_ended, "both have ended")
    assert stage.raw.zcard(stage.key("passes")) == 1, "the sentinel"
    assert stage.raw.hlen(stage.key("grants")) == 1
    assert stage.room.served(show).live == 0


def test_who_leaves_gives_the_pass_back(stage: Stage) -> None:
    show = stage.open_room(concurrency=1)
    stage.join("ada", "bo")
    stage.let_in()
    held = stage.room.heartbeat(show, "ada").pass_
    assert stage.room.leave(show, "ada") is True
    assert stage.room.status(show, "ada").state == "gone"
    with pytest.raises(NotAdmitted, match="has ended: join the waiting room again"):
        stage.room.renew(held)
    assert stage.let_in() == ["bo"]


def test_a_pass_can_be_renewed_so_often(stage: Stage) -> None:
    show = stage.open_room(pass_ttl=60, renewals=2)
    stage.join("ada")
    stage.let_in()
    held = stage.room.heartbeat(show, "ada").pass_
    until(lambda: stage.room.status(show, "ada").pass_.ttl < 60, "some of its time is over")
    first = stage.room.renew(held)
    assert (first.renewals, first.ttl, first.place) == (1, 60.0, 1)
    again = stage.room.renew(held)
    assert (again.renewals, 59 < again.ttl <= 60) == (1, True), "a retry spends nothing"
    last = stage.room.renew(again)
    assert last.renewals == 0
    before = stage.everything()
    with pytest.raises(NotAdmitted, match="renewed as often as it can be"):
        stage.room.renew(last)
    assert stage.everything() == before


def test_a_room_without_renewals_renews_nothing(stage: Stage) -> None:
    show = stage.open_room(renewals=0)
    stage.join("ada")
    stage.let_in()
    with pytest.raises(NotAdmitted, match="renewed as often"):
        stage.room.renew(stage.room.heartbeat(show, "ada").pass_)


def test_a_renewal_claims_the_pass(stage: Stage) -> None:
    show = stage.open_room(reservation=5, pass_ttl=60)
    stage.join("ada")
    stage.let_in()
    assert stage.room.renew(stage.room.status(show, "ada").pass_).ttl == 60
    assert stage.room.heartbeat(show, "ada").pass_.ttl <= 60


@only_on("redis-7")
@pytest.mark.parametrize("wrong", [None, "a pass", {"show": "s"}])
def test_what_is_no_pass_is_not_renewed(stage: Stage, wrong: object) -> None:
    with pytest.raises(InvalidRequest, match=r"takes a seatlock\.Pass"):
        stage.room.renew(wrong)


@only_on("redis-7")
@pytest.mark.parametrize("renewals", [-1, 1001, True, 1.0, "1"])
def test_a_pass_that_was_tampered_with_is_not_sent(stage: Stage, renewals: object) -> None:
    with pytest.raises(InvalidRequest, match="not what the server gave"):
        stage.room.renew(Pass(stage.show, "ada", 1, 1.0, renewals))


def test_tokens_of_passes_are_signed_for_their_time(stage: Stage) -> None:
    keys = PassKeys({"k": b"k" * 32}, active="k")
    show = stage.open_room(reservation=30, pass_ttl=60)
    room = stage.other_room(keys=keys)
    stage.join("ada")
    stage.let_in()
    now = stage.raw.time(target_nodes="random") if stage.backend == "cluster" else stage.raw.time()
    reserved = room.status(show, "ada").pass_
    held = room.heartbeat(show, "ada").pass_
    renewed = room.renew(held)
    for token, ttl in ((reserved.token, 30), (held.token, 60), (renewed.token, 60)):
        checked = keys.check(token, show=show, holder="ada", now=now[0])
        assert (checked.show, checked.holder, checked.place) == (show, "ada", 1)
        assert abs(checked.expires_at - now[0] - ttl) < 10
    assert stage.room.heartbeat(show, "ada").pass_.token is None
    assert held.token not in repr(held)
