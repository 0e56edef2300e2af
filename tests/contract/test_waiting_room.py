"""Places in the line: taken once, kept from any tab, exact, and given up."""

from __future__ import annotations

import msgspec
import pytest

from seatlock.errors import NotAdmitted, ShowNotFound, WaitingRoomClosed, WaitingRoomFull
from seatlock.waiting_room import Pass, Place, Served
from tests.support.stage import Stage
from tests.support.waiting import until


def test_who_comes_stands_at_the_end(stage: Stage) -> None:
    show = stage.open_room(poll=2.5)
    places = stage.join("ada", "bo", "cy")
    assert [(place.position, place.ahead, place.number) for place in places] == [(1, 0, 1), (2, 1, 2), (3, 2, 3)]
    assert places[2] == Place(show, "cy", "waiting", "open", 3, 2, None, 2.5)


def test_joining_again_keeps_the_place(stage: Stage) -> None:
    show = stage.open_room()
    first = stage.join("ada", "bo", "cy")
    other = stage.other_room()
    assert [other.join(show, holder) for holder in ("cy", "ada", "bo", "ada")] == [first[at] for at in (2, 0, 1, 0)]
    assert stage.room.served(show).length == 3


def test_a_holder_with_a_thousand_tabs_has_one_place(stage: Stage) -> None:
    show = stage.open_room()
    tabs = stage.join(*["ada"] * 100, "bo")
    assert {tab.number for tab in tabs[:-1]} == {1}
    assert tabs[-1].position == 2
    assert stage.room.served(show).length == 2


def test_a_place_can_be_looked_at(stage: Stage) -> None:
    show = stage.open_room()
    (joined,) = stage.join("ada")
    before = stage.everything()
    assert stage.room.status(show, "ada") == joined
    assert stage.room.status(show, "bo") == Place(show, "bo", "gone", "open")
    assert stage.everything() == before, "looking changes nothing"
    assert stage.room.heartbeat(show, "ada") == joined
    assert stage.room.heartbeat(show, "bo").state == "gone", "a heartbeat takes no place"
    assert stage.room.served(show).length == 1


def test_who_leaves_is_gone_and_the_others_move_up(stage: Stage) -> None:
    show = stage.open_room()
    stage.join("ada", "bo", "cy")
    assert stage.room.leave(show, "ada") is True
    assert stage.room.leave(show, "ada") is False
    assert stage.room.leave(show, "nobody") is False
    assert stage.room.status(show, "ada").state == "gone"
    assert [stage.room.status(show, holder).position for holder in ("bo", "cy")] == [1, 2]
    (back,) = stage.join("ada")
    assert (back.position, back.number) == (3, 4), "a place that was given up is not given again"
    assert stage.let_in() == ["bo", "cy", "ada"]


def test_positions_are_exact_whoever_leaves(stage: Stage) -> None:
    show = stage.open_room(batch=3)
    line = [f"h-{number}" for number in range(30)]
    stage.join(*line)
    for number in (0, 4, 5, 17, 29):
        stage.room.leave(show, f"h-{number}")
        line.remove(f"h-{number}")
    assert stage.let_in() == line[:3]
    line = line[3:]
    assert [stage.room.status(show, holder).position for holder in line] == list(range(1, len(line) + 1))


def test_a_full_room_takes_nobody_and_nobody_loses_a_place(stage: Stage) -> None:
    show = stage.open_room(max_length=2, poll=7)
    stage.join("ada", "bo")
    before = stage.everything()
    with pytest.raises(WaitingRoomFull, match="nobody lost a place: try again in 7 s") as refused:
        stage.room.join(show, "cy")
    assert refused.value.retry_after == 7
    assert stage.everything() == before
    assert stage.room.join(show, "bo").position == 2, "who is in it stays in it"
    stage.room.leave(show, "ada")
    assert stage.room.join(show, "cy").position == 2


def test_a_flood_of_joins_ends_at_the_maximum(stage: Stage) -> None:
    show = stage.open_room(max_length=10)
    refused = 0
    for number in range(25):
        try:
            stage.join(f"bot-{number}")
        except WaitingRoomFull:
            refused += 1
    assert (refused, stage.room.served(show).length) == (15, 10)


def test_those_who_have_a_pass_are_not_in_the_way_of_a_full_room(stage: Stage) -> None:
    show = stage.open_room(max_length=1)
    stage.join("ada")
    assert stage.let_in() == ["ada"]
    assert stage.join("bo")[0].position == 1
    assert stage.room.join(show, "ada").state == "admitted"


@pytest.mark.parametrize("status", ["closed", "sold_out"])
def test_a_room_that_is_over_takes_nobody_and_tells_everybody(stage: Stage, status: str) -> None:
    show = stage.open_room(batch=1)
    stage.join("ada", "bo")
    assert stage.let_in() == ["ada"]
    {"closed": stage.room.close_room, "sold_out": stage.room.sold_out}[status](show)
    with pytest.raises(WaitingRoomClosed) as refused:
        stage.room.join(show, "cy")
    assert refused.value.status == status
    told = stage.room.heartbeat(show, "bo")
    assert (told.state, told.room, told.position, told.wait) == ("waiting", status, 1, None)
    assert stage.room.join(show, "bo") == told, "who has a place keeps it"
    admission = stage.room.admit(show)
    assert (admission.admitted, admission.more, admission.wait, admission.room) == ((), False, None, status)
    assert stage.room.heartbeat(show, "ada").state == "admitted", "passes stay in time"
    assert stage.room.served(show).room == status


def test_a_pause_keeps_the_line(stage: Stage) -> None:
    show = stage.open_room()
    stage.join("ada")
    stage.room.pause(show)
    assert stage.join("bo")[0].room == "paused"
    admission = stage.room.admit(show)
    assert (admission.admitted, admission.wait, admission.room) == ((), None, "paused")
    assert stage.room.open(show) is None
    assert stage.let_in() == ["ada", "bo"]


def test_status_words_may_be_repeated(stage: Stage) -> None:
    show = stage.open_room()
    for verb, word in (("pause", "paused"), ("close_room", "closed"), ("sold_out", "sold_out"), ("open", "open")):
        for _ in range(2):
            getattr(stage.room, verb)(show)
            assert stage.room.served(show).room == word
    entries = stage.raw.xrange(stage.key("admissions"))
    assert [fields[b"status"].decode() for _, fields in entries[-4:]] == ["paused", "closed", "sold_out", "open"]
    made = stage.raw.hget(stage.key("room"), "made").decode()
    assert [entry.decode() for entry, _ in entries] == [f"{made}-{number}" for number in range(1, len(entries) + 1)]


def test_without_a_room_everything_says_so(stage: Stage) -> None:
    room, show = stage.room, stage.show
    calls = [
        *(lambda verb=verb: getattr(room, verb)(show, "ada") for verb in ("join", "status", "heartbeat", "leave")),
        lambda: room.renew(Pass(show, "ada", 1, 1.0, 1)),
        *(lambda verb=verb: getattr(room, verb)(show) for verb in ("close_early", "open", "pause", "close_room")),
        *(
            lambda verb=verb: getattr(room, verb)(show)
            for verb in ("sold_out", "admit", "tidy", "served", "changes", "run")
        ),
    ]
    for call in calls:
        with pytest.raises(ShowNotFound, match="has no waiting room"):
            call()
    assert stage.keys() == set()


def test_rooms_of_shows_and_namespaces_know_nothing_of_each_other(stage: Stage) -> None:
    show = stage.open_room()
    other = stage.other_room(namespace="elsewhere")
    with pytest.raises(ShowNotFound):
        other.join(show, "ada")
    other.prepare(show)
    other.open(show)
    stage.join("ada", "bo")
    assert other.join(show, "bo").position == 1
    assert [one.holder for one in other.admit(show).admitted] == ["bo"]
    assert stage.room.status(show, "bo").position == 2


def test_names_of_every_kind(stage: Stage) -> None:
    show = stage.open_room()
    names = ["ß", "日本語", "a b", "x" * 256, "-inf", "(1", "+inf", "0", "NX", '"', "\\"]
    stage.join(*names)
    assert [stage.room.status(show, name).position for name in names] == list(range(1, len(names) + 1))
    assert stage.let_in() == names
    assert [stage.room.heartbeat(show, name).pass_.holder for name in names] == names


# The serving number


def test_how_far_the_line_is_served(stage: Stage) -> None:
    show = stage.open_room(batch=2, poll=3)
    stage.join("ada", "bo", "cy", "di")
    assert stage.room.served(show) == Served(show, "open", 0, 0, 4, 0, 0, 0, None, 3.0)
    stage.let_in()
    assert stage.room.served(show) == Served(show, "open", 2, 0, 2, 2, 2, 0, None, 3.0)
    before = stage.everything()
    stage.room.served(show)
    assert stage.everything() == before


def test_no_position_is_higher_than_the_serving_number_says(stage: Stage) -> None:
    """Nor does a number that a CDN kept for a while become wrong: positions only fall."""
    show = stage.open_room(batch=4, grace=0.02, poll=0.008)
    line = [f"h-{number}" for number in range(40)]
    stage.join(*line)
    kept = [stage.room.served(show)]
    for step in range(8):
        silent = line[step % 3 :: 5]
        for holder in silent[:1]:
            stage.fall_silent(holder, *[one for one in line if one not in silent])
        if line[5:]:
            stage.room.leave(show, line.pop(5))
        for holder in stage.let_in():
            line.remove(holder)
        kept.append(stage.room.served(show))
        for holder in line:
            place = stage.room.heartbeat(show, holder)
            for served in kept:
                assert place.position <= served.position_at_most(place.number), (place, served)
    assert line == [] or kept[-1].length == len(line)


def test_the_bound_is_exact_where_nobody_left_and_nobody_is_silent(stage: Stage) -> None:
    show = stage.open_room(batch=3)
    stage.join(*[f"h-{number}" for number in range(10)])
    stage.let_in()
    served = stage.room.served(show)
    for number in range(3, 10):
        place = stage.room.status(show, f"h-{number}")
        assert served.position_at_most(place.number) == place.position


# What is told can be written down


def test_all_that_is_told_serialises(stage: Stage) -> None:
    show = stage.open_room(batch=1)
    waiting = stage.join("ada", "bo")[1]
    admission = stage.room.admit(show)
    admitted = stage.room.heartbeat(show, "ada")
    for told in (waiting, admission, admitted, admitted.pass_, stage.room.served(show)):
        assert msgspec.json.decode(msgspec.json.encode(told), type=type(told)) == told
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(told), type=type(told)) == told


def test_a_pass_that_came_back_from_a_session_can_be_renewed(stage: Stage) -> None:
    show = stage.open_room()
    stage.join("ada")
    stage.let_in()
    kept = msgspec.json.encode(stage.room.heartbeat(show, "ada").pass_)
    assert stage.room.renew(msgspec.json.decode(kept, type=Pass)).renewals == 1


def test_a_pass_of_another_show_or_holder_renews_nothing(stage: Stage) -> None:
    show = stage.open_room()
    stage.join("ada", "bo")
    stage.let_in(most=1)
    held = stage.room.heartbeat(show, "ada").pass_
    before = stage.everything()
    with pytest.raises(NotAdmitted):
        stage.room.renew(msgspec.structs.replace(held, holder="bo"))
    with pytest.raises(ShowNotFound):
        stage.room.renew(msgspec.structs.replace(held, show=f"{show}-other"))
    assert stage.everything() == before


def test_those_who_leave_do_not_hold_up_the_line(stage: Stage) -> None:
    show = stage.open_room(batch=2)
    line = [f"h-{number}" for number in range(200)]
    stage.join(*line)
    for holder in line[:190]:
        stage.room.leave(show, holder)
    assert stage.let_in() == line[190:192]
    until(lambda: stage.let_in() == [] and not stage.room.served(show).length, "all are in")
