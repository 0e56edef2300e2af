"""Channels: quotas of seats that are free only to requests that name them, and that may be switched at any time."""

from __future__ import annotations

import pytest

from seatlock import (
    AcquireRequest,
    Hold,
    HolderLimitExceeded,
    InvalidRequest,
    Seat,
    SeatsUnavailable,
    ShowNotFound,
    UnknownSeats,
)
from tests.support.stage import SEATS, Stage, only_on


def _conflicts(stage: Stage, *seats: str, holder: str = "bo", channel: str | None = None) -> dict[str, str]:
    """Ask for seats in vain: gives the state of each that stood in the way."""
    before = stage.everything()
    with pytest.raises(SeatsUnavailable) as refusal:
        stage.acquire(*seats, holder=holder, channel=channel)
    assert stage.everything() == before
    conflicts = refusal.value.conflicts
    assert not any(conflict.inconsistent or conflict.yours for conflict in conflicts.values())
    assert all(c.retry_after is None for c in conflicts.values() if c.state == "channel")
    return {seat: conflict.state for seat, conflict in conflicts.items()}


def _set(stage: Stage, *seats: str, channel: str | None = "partner") -> dict[str, str]:
    """Put seats into a channel: gives what happened to each."""
    done = stage.locker.set_channel(stage.show, seats, channel)
    assert (done.show, done.channel) == (stage.show, channel)
    return dict(done.seats)


def test_seats_of_a_channel_are_free_only_to_those_who_name_it(stage: Stage) -> None:
    stage.open([Seat("A-1", category="gold"), Seat("A-2", category="silver"), "A-3", "A-4"])
    version = stage.version()
    assert _set(stage, "A-2", "A-1") == {"A-2": "changed", "A-1": "changed"}
    assert stage.changes(version) == [(f"1-{version + 1}", {"A-2": "c1@1", "A-1": "c0@1"})]
    assert stage.mirrors() == {"A-1": "c0@1", "A-2": "c1@1", "A-3": "f2", "A-4": "f2"}
    assert _conflicts(stage, "A-3", "A-1") == {"A-1": "channel"}
    assert _conflicts(stage, "A-1", channel="agency") == {"A-1": "channel"}
    with pytest.raises(SeatsUnavailable, match="'A-1' is in a channel that was not named"):
        stage.acquire("A-1")
    hold = stage.acquire("A-1", "A-3", channel="partner")
    assert stage.mirror("A-1") == f"h0@1:{hold.deadline}"
    assert _conflicts(stage, "A-1", channel="partner") == {"A-1": "held"}
    assert stage.acquire("A-4", holder="bo", channel="partner"), "the public's seats are free to everybody"


def test_what_was_already_there(stage: Stage) -> None:
    stage.open()
    assert _set(stage, "A-1") == {"A-1": "changed"}
    before = stage.everything()
    done = stage.locker.set_channel(stage.show, ["A-1"], "partner")
    assert (dict(done.seats), done.changed) == ({"A-1": "already"}, ())
    assert _set(stage, "A-2", channel=None) == {"A-2": "already"}
    assert stage.everything() == before
    assert _set(stage, "A-1", "A-2") == {"A-1": "already", "A-2": "changed"}


def test_channels_are_switched_and_given_back(stage: Stage) -> None:
    stage.open()
    fields = stage.mirrors()
    _set(stage, "A-1", "A-2", channel="partner")
    _set(stage, "A-2", "A-3", channel="walk ins, „Ö1“")
    assert [stage.mirror(seat) for seat in SEATS[:3]] == ["c0@1", "c0@2", "c0@2"]
    assert _conflicts(stage, "A-1", "A-2", channel="partner") == {"A-2": "channel"}
    assert stage.acquire("A-3", channel="walk ins, „Ö1“")
    stage.locker.release(stage.acquire("A-3"))
    assert _set(stage, "A-1", "A-2", "A-3", channel=None) == dict.fromkeys(SEATS[:3], "changed")
    assert stage.mirrors() == fields
    _set(stage, "A-2", channel="partner")
    assert stage.mirror("A-2") == "c0@1", "a channel keeps its number"


def test_a_seat_comes_back_to_its_channel(stage: Stage) -> None:
    stage.open()
    _set(stage, *SEATS)
    stage.locker.release(stage.acquire("A-1", channel="partner"))
    stage.locker.cancel(stage.locker.confirm(stage.acquire("A-2", channel="partner")))
    stage.locker.block(stage.show, ["A-3"], reason="camera")
    assert stage.mirror("A-3") == "b0@1"
    assert stage.locker.unblock(stage.show, ["A-3"]).unblocked == ("A-3",)
    hold = stage.acquire("A-4", channel="partner", ttl=0.02)
    stage.wait_past(hold)
    assert _conflicts(stage, "A-4") == {"A-4": "channel"}
    assert stage.locker.sweep(stage.show) == 1
    assert set(stage.mirrors().values()) == {"c0@1"}
    assert dict(stage.locker.unblock(stage.show, ["A-1"]).seats) == {"A-1": "channel"}
    assert stage.acquire(*SEATS, channel="partner")


def test_a_hold_that_has_run_out_is_its_channels(stage: Stage) -> None:
    stage.open()
    _set(stage, "A-1")
    hold = stage.acquire("A-1", channel="partner", ttl=0.02)
    stage.wait_past(hold)
    states = stage.locker.availability(stage.show).seats
    assert (states["A-1"], stage.locker.inspect(stage.show, ["A-1"])[0].state) == ("channel", "channel")
    assert stage.locker.availability(stage.show, channel="partner").seats["A-1"] == "free"
    assert stage.acquire("A-1", holder="bo", channel="partner")


def test_switching_while_a_seat_is_held_or_sold(stage: Stage) -> None:
    stage.open([*SEATS, Seat("B-1", status="blocked"), Seat("S-1", status="sold")])
    one, two = stage.acquire("A-1"), stage.acquire("A-2", "A-3")
    booking = stage.locker.confirm(stage.acquire("A-4", holder="bo"))
    moved = ("A-1", "A-2", "A-3", "A-4", "B-1", "S-1")
    assert set(_set(stage, *moved).values()) == {"changed"}
    assert stage.mirror("A-1") == f"h0@1:{one.deadline}"
    assert [stage.mirror(seat) for seat in ("A-4", "B-1", "S-1")] == ["s0@1", "b0@1", "s0@1"]
    # the holder does not notice
    assert stage.acquire("A-1").resumed
    assert stage.acquire("A-2", "A-3", token=two.token).fence == two.fence
    longer = stage.locker.extend(one, ttl=900)
    assert stage.mirror("A-1") == f"h0@1:{longer.deadline}"
    assert stage.locker.confirm(longer).seats == ("A-1",)
    assert stage.mirror("A-1") == "s0@1"
    # and what comes back is the channel's
    stage.locker.cancel(booking)
    stage.locker.release(two)
    stage.locker.unblock(stage.show, ["B-1"])
    assert _conflicts(stage, "A-2", "A-4", "B-1") == dict.fromkeys(("A-2", "A-4", "B-1"), "channel")
    assert stage.acquire("A-2", "A-4", "B-1", channel="partner")
    _set(stage, "A-2", channel=None)
    assert stage.mirror("A-2") == stage.mirror("A-4").replace("@1", "")  # type: ignore[union-attr]


def test_a_late_payment_regains_a_seat_of_a_channel(stage: Stage) -> None:
    stage.open()
    _set(stage, "A-1")
    hold = stage.acquire("A-1", channel="partner", ttl=0.02)
    stage.wait_past(hold)
    assert stage.locker.confirm(hold, payment="pay-1", reclaim=True).seats == ("A-1",)
    assert stage.mirror("A-1") == "s0@1"


def test_adding_to_a_basket_asks_for_the_channel_again(stage: Stage) -> None:
    stage.open()
    _set(stage, "A-1", "A-2")
    hold = stage.acquire("A-1", channel="partner")
    with pytest.raises(SeatsUnavailable) as refusal:
        stage.acquire("A-1", "A-2", token=hold.token)
    assert refusal.value.conflicts["A-2"].state == "channel"
    assert stage.acquire("A-1", "A-2", token=hold.token, channel="partner").fence == hold.fence
    assert stage.acquire("A-1", "A-2", channel="agency").resumed, "what is held already needs no channel"


def test_counts_add_up(stage: Stage) -> None:
    stage.open([Seat(seat, section=seat[0]) for seat in (*SEATS, "B-1", "B-2")])
    _set(stage, "A-1", "A-2", "B-1")
    _set(stage, "A-3", channel="agency")
    stage.acquire("A-1", channel="partner")

    def counted(**asked: str) -> tuple[int, int, int]:
        found = stage.locker.availability(stage.show, **asked)
        assert sum(found.counts.values()) == len(found.seats)
        assert found.counts["free"] == len(found.free)
        return found.counts["free"], found.counts["channel"], found.counts["held"]

    assert counted() == (3, 3, 1)
    assert counted(channel="partner") == (5, 1, 1)
    assert counted(channel="agency") == (4, 2, 1)
    assert counted(channel="nobody") == (3, 3, 1)
    assert counted(section="B", channel="partner") == (2, 0, 0)
    assert counted(section="B") == (1, 1, 0)


def test_support_staff_see_the_channel(stage: Stage) -> None:
    stage.open()
    _set(stage, "A-1", "A-2", "A-4")
    stage.acquire("A-1", channel="partner")
    stage.locker.block(stage.show, ["A-4"], reason="camera")
    one, two, three, four = stage.locker.inspect(stage.show, ["A-1", "A-2", "A-3", "A-4"])
    assert (one.state, one.channel, one.holder, one.consistent) == ("held", "partner", "ada", True)
    assert (two.state, two.channel, two.consistent) == ("channel", "partner", True)
    assert (three.state, three.channel) == ("free", None)
    assert (four.state, four.channel, four.reason) == ("blocked", "partner", "camera")


def test_many_requests_each_with_a_channel_of_its_own(stage: Stage) -> None:
    stage.open()
    _set(stage, "A-1", "A-2")
    _set(stage, "A-3", channel="agency")
    requests = [
        AcquireRequest(["A-1"], "ada"),
        AcquireRequest(["A-1"], "bo", channel="partner"),
        AcquireRequest(["A-2", "A-3"], "cy", channel="partner"),
        AcquireRequest(["A-3"], "di", channel="agency"),
        AcquireRequest(["A-4"], "eve"),
        AcquireRequest(["A-5"], "fay", channel=""),
    ]
    answers = stage.locker.acquire_many(stage.show, requests)
    assert [isinstance(answer, Hold) for answer in answers] == [False, True, False, True, True, False]
    assert {seat: c.state for seat, c in answers[2].conflicts.items()} == {"A-3": "channel"}
    assert isinstance(answers[5], InvalidRequest)


def test_with_a_channel_as_a_context_manager(stage: Stage) -> None:
    stage.open()
    _set(stage, "A-1")
    with stage.locker.holding(stage.show, ["A-1"], holder="ada", channel="partner") as hold:
        assert hold.seats == ("A-1",)
    assert stage.mirror("A-1") == "c0@1"


def test_a_request_may_name_a_channel_that_is_not_there(stage: Stage) -> None:
    stage.open()
    assert stage.acquire("A-1", channel="partner").seats == ("A-1",)
    _set(stage, "A-2", channel="agency")
    assert _conflicts(stage, "A-2", channel="partner") == {"A-2": "channel"}


def test_warming_again_keeps_the_channels(stage: Stage) -> None:
    seats = [Seat("A-1", category="x"), Seat("A-2", category="x"), Seat("A-3", category="x", status="blocked")]
    stage.open(seats)
    _set(stage, "A-1", "A-2", "A-3")
    before = stage.mirrors()
    stage.locker.warm(stage.show, seats)
    assert stage.mirrors() == before
    changed = [Seat("A-1", category="y"), Seat("A-2", status="blocked"), Seat("A-3", status="sold")]
    stage.locker.warm(stage.show, changed)
    assert stage.mirrors() == {"A-1": "c1@1", "A-2": "b2@1", "A-3": "s2@1"}


@pytest.mark.parametrize("status", ["open", "paused", "closed"])
def test_switching_works_in_every_status(stage: Stage, status: str) -> None:
    stage.open()
    {"open": stage.locker.open_sale, "paused": stage.locker.pause_sale, "closed": stage.locker.close_sale}[status](
        stage.show
    )
    assert _set(stage, "A-1") == {"A-1": "changed"}
    assert stage.locker.availability(stage.show).status == status


def test_unknown_seats_and_shows(stage: Stage) -> None:
    stage.open()
    before = stage.everything()
    with pytest.raises(UnknownSeats) as unknown:
        _set(stage, "Z-1", "A-1", "Z-2")
    assert unknown.value.seats == ("Z-1", "Z-2")
    assert stage.everything() == before
    with pytest.raises(ShowNotFound):
        stage.locker.set_channel("nowhere", ["A-1"], "partner")


@only_on("fakeredis", "redis-6.2", "redis-7")
def test_a_show_has_a_hundred_channels_at_most(stage: Stage) -> None:
    seats = [f"S-{number}" for number in range(100)]
    stage.open([*seats, "A-1"])
    for number, seat in enumerate(seats):
        _set(stage, seat, channel=f"channel {number}")
    before = stage.everything()
    with pytest.raises(InvalidRequest, match="the 100 channels"):
        _set(stage, "A-1", channel="one more")
    assert stage.everything() == before
    assert _set(stage, "A-1", channel="channel 99") == {"A-1": "changed"}
    assert stage.mirror("A-1") == "c0@100"
    assert stage.acquire("A-1", "S-99", channel="channel 99")


@only_on("fakeredis", "redis-6.2", "redis-7", "cluster")
def test_a_large_show_is_read_in_pieces_with_its_channels(stage: Stage) -> None:
    seats = [f"S-{number}" for number in range(2500)]
    stage.open(seats)
    _set(stage, *seats[950:1050])
    found = stage.locker.availability(stage.show)
    assert (found.counts["free"], found.counts["channel"]) == (2400, 100)
    assert stage.locker.availability(stage.show, channel="partner").counts["free"] == 2500


def test_nothing_of_it_is_left_when_the_show_is_retired(stage: Stage) -> None:
    stage.open()
    _set(stage, "A-1")
    stage.locker.retire(stage.show)
    assert stage.keys() == set()
    stage.open()
    assert _set(stage, "A-1", channel="agency") == {"A-1": "changed"}
    assert stage.locker.inspect(stage.show, ["A-1"])[0].channel == "agency"


def test_a_seat_freed_by_force_is_its_channels(stage: Stage) -> None:
    stage.open()
    _set(stage, "A-1", "A-2")
    stage.acquire("A-1", "A-3", channel="partner")
    done = stage.locker.force_release(stage.show, ["A-1", "A-3"], by="eve", reason="why")
    assert dict(done.seats) == {"A-1": "released", "A-3": "released"}
    assert [stage.mirror(seat) for seat in ("A-1", "A-2", "A-3")] == ["c0@1", "c0@1", "f0"]
    checked = stage.locker.check(stage.show)
    assert checked.sound
    assert (checked.counts["channel"], sum(checked.counts.values())) == (2, checked.capacity)


def test_limits_count_the_seats_of_channels(stage: Stage) -> None:
    stage.open([Seat("A-1", category="x"), Seat("A-2", category="x"), "A-3", "A-4"], limit=3, limits={"x": 1})
    _set(stage, "A-1", "A-2", "A-3")
    booking = stage.locker.confirm(stage.acquire("A-1", channel="partner"))
    _set(stage, "A-1", channel="agency")
    with pytest.raises(HolderLimitExceeded, match="category 'x'"):
        stage.acquire("A-2", channel="partner")
    hold = stage.acquire("A-3", channel="partner")
    held = stage.locker.holds(stage.show, holder="ada")
    assert [found.seats for found in held] == [hold.seats]
    stage.locker.release(hold)
    stage.locker.cancel(booking)
    assert stage.mirror("A-1") == "c0@2"
    assert stage.acquire("A-2", "A-3", channel="partner")
    assert stage.locker.check(stage.show).sound


def test_seats_of_a_channel_and_pools_in_one_hold(stage: Stage) -> None:
    stage.open(pools={"floor": 3})
    _set(stage, "A-1", "A-2")
    before = stage.everything()
    with pytest.raises(SeatsUnavailable) as refusal:
        stage.acquire("A-1", pools={"floor": 4})
    assert stage.everything() == before
    assert ({s: c.state for s, c in refusal.value.conflicts.items()}, refusal.value.pools["floor"].left) == (
        {"A-1": "channel"},
        3,
    )
    hold = stage.acquire("A-1", pools={"floor": 2}, channel="partner")
    assert (hold.seats, hold.pools) == (("A-1",), {"floor": 2})
    requests = [
        AcquireRequest(["A-2"], "bo", pools={"floor": 1}),
        AcquireRequest(["A-2"], "cy", pools={"floor": 1}, channel="partner"),
        AcquireRequest([], "di", pools={"floor": 1}, channel="partner"),
        AcquireRequest(["A-3"], "eve", channel="agency"),
    ]
    answers = stage.locker.acquire_many(stage.show, requests)
    assert [isinstance(answer, Hold) for answer in answers] == [False, True, False, True]
    found = stage.locker.availability(stage.show, channel="partner")
    assert (found.counts["channel"], found.pools["floor"].free) == (0, 0)
    stage.locker.release(answers[1])
    stage.locker.cancel(stage.locker.confirm(hold))
    assert (stage.mirror("A-1"), stage.mirror("A-2")) == ("c0@1", "c0@1")
    with stage.locker.holding(stage.show, ["A-2"], holder="bo", pools={"floor": 3}, channel="partner") as other:
        assert (other.seats, other.pools) == (("A-2",), {"floor": 3})
    found = stage.locker.availability(stage.show)
    assert (found.counts["channel"], found.pools["floor"].free) == (2, 3)
    assert stage.locker.check(stage.show).sound
