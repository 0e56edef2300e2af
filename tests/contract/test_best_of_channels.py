"""Best available for those who sell for the house: their own seats and the public's, as in `acquire`."""

from __future__ import annotations

import pytest

from seatlock import HolderLimitExceeded, Seat, SeatsUnavailable, new_token
from tests.support.stage import Stage, only_on

ROW = tuple(f"A-{number}" for number in range(1, 8))
BACK = tuple(f"B-{number}" for number in range(1, 8))


def best(stage: Stage, count: int, channel: str | None = None, holder: str = "ada", **options: object) -> str:
    """The seats that are got."""
    options["channel"] = channel
    return " ".join(stage.locker.acquire_best(stage.show, count, holder=holder, **options).hold.seats)


def none_for(stage: Stage, count: int, channel: str | None = None, **options: object) -> bool:
    """Whether so many are told not to be free, and nothing is changed."""
    before = stage.everything()
    with pytest.raises(SeatsUnavailable) as refusal:
        best(stage, count, channel, **options)
    assert stage.everything() == before
    assert (f"for channel {channel!r}" in str(refusal.value)) == bool(channel)
    return True


def test_a_channel_gets_its_own_seats_and_the_publics(stage: Stage) -> None:
    stage.open(ROW)
    stage.locker.set_channel(stage.show, ROW[2:5], "partner")
    assert best(stage, 2, "partner") == "A-3 A-4"
    assert none_for(stage, 5)
    assert none_for(stage, 5, "agency"), "it gets what the public gets"
    assert best(stage, 2) == "A-1 A-2"
    assert best(stage, 3, "partner") == "A-5 A-6 A-7", "its own and the public's, side by side"
    assert none_for(stage, 1, "partner")
    assert {seat: field[1:].partition(":")[0] for seat, field in stage.mirrors().items()} == {
        **dict.fromkeys(ROW, "0"),
        **dict.fromkeys(ROW[2:5], "0@1"),
    }


def test_each_channel_its_own(stage: Stage) -> None:
    stage.open([*ROW, *BACK])
    stage.locker.set_channel(stage.show, ROW, "partner")
    stage.locker.set_channel(stage.show, BACK[:4], "agency")
    assert best(stage, 3, "partner") == "A-3 A-4 A-5"
    assert best(stage, 4, "agency") == "B-1 B-2 B-3 B-4"
    assert best(stage, 3) == "B-5 B-6 B-7"
    assert none_for(stage, 1)
    assert none_for(stage, 1, "agency")
    assert best(stage, 2, "partner") == "A-1 A-2"


def test_switching_is_seen_at_once(stage: Stage) -> None:
    stage.open(ROW[:3])
    other = stage.other_locker()
    for _ in range(2):
        assert best(stage, 3, "walk ins, „Ö1“", ttl=60)
        stage.locker.release(stage.acquire(*ROW[:3]))  # resumed
        other.set_channel(stage.show, ROW[:2], "walk ins, „Ö1“")
        assert none_for(stage, 2)
        assert best(stage, 2, "walk ins, „Ö1“", holder="bo") == "A-1 A-2"
        other.set_channel(stage.show, ROW[:2], "agency")  # held: the holder does not notice
        assert none_for(stage, 2, "agency")
        other.release(other.acquire(stage.show, ROW[:2], holder="bo"))
        assert none_for(stage, 2, "walk ins, „Ö1“")
        assert best(stage, 3, "agency") == "A-1 A-2 A-3"
        other.release(other.acquire(stage.show, ROW[:3], holder="ada"))
        other.set_channel(stage.show, ROW[:2], None)
        assert best(stage, 3, holder="cy") == "A-1 A-2 A-3"
        other.release(other.acquire(stage.show, ROW[:3], holder="cy"))


def test_a_channel_that_is_new_to_a_board_is_known_at_once(stage: Stage) -> None:
    stage.open([Seat(seat, section=seat) for seat in ROW])
    other = stage.other_locker()
    assert best(stage, 1, section="A-7") == "A-7"
    for seat in ROW[:4]:
        channel = f"channel of {seat}"
        assert none_for(stage, 7, channel), "one that is not there yet"
        other.set_channel(stage.show, [seat], channel)
        assert none_for(stage, 1, section=seat)
        assert none_for(stage, 1, "channel of nobody", section=seat)
        assert best(stage, 1, channel, section=seat) == seat


def test_what_comes_free_is_its_channels(stage: Stage) -> None:
    stage.open([*ROW[:4], Seat("A-5", status="blocked")])
    stage.locker.set_channel(stage.show, [*ROW[:2], "A-5"], "partner")
    held = stage.locker.acquire_best(stage.show, 4, holder="bo", ttl=0.05, channel="partner").hold
    with pytest.raises(SeatsUnavailable):  # a look while the hold may last
        stage.locker.acquire_best(stage.show, 5, holder="cy", channel="partner")
    stage.wait_past(held)
    assert none_for(stage, 3)
    booking = stage.locker.confirm(
        stage.locker.acquire_best(stage.show, 4, holder="bo", channel="partner").hold, payment="pay-1"
    )
    stage.locker.cancel(booking)
    assert none_for(stage, 3)
    stage.locker.unblock(stage.show, ["A-5"])
    assert best(stage, 2) == "A-3 A-4"
    assert best(stage, 3, "partner") == "A-1 A-2 A-5"


def test_what_is_narrowed_stays_narrowed(stage: Stage) -> None:
    seats = [Seat(seat, seat[0], category="gold" if seat in ROW[:3] else "tin") for seat in (*ROW, *BACK)]
    stage.open(seats)
    stage.locker.set_channel(stage.show, [*ROW[:5], *BACK[:2]], "partner")
    assert best(stage, 2, "partner", section="B", category="tin") == "B-3 B-4"
    assert best(stage, 1, "partner", category="gold") == "A-3"
    assert none_for(stage, 1, category="gold")
    with pytest.raises(SeatsUnavailable, match="in section 'B' in category 'gold' for channel 'partner'; ask"):
        best(stage, 1, "partner", section="B", category="gold")
    assert best(stage, 2, "partner", section="B", adjacent=False) == "B-2 B-5"


def test_the_same_token_names_its_channel_again(stage: Stage) -> None:
    stage.open(ROW[:3])
    stage.locker.set_channel(stage.show, ROW[:2], "partner")
    token = new_token()
    hold = stage.locker.acquire_best(stage.show, 2, holder="ada", token=token, channel="partner").hold
    before = stage.everything()
    for locker in (stage.locker, stage.other_locker()):
        for channel in ("partner", None, "agency"):  # what is held already needs no channel
            again = locker.acquire_best(stage.show, 2, holder="ada", token=token, channel=channel).hold
            assert (again.seats, again.fence) == (hold.seats, hold.fence)
    assert stage.everything() == before
    stage.locker.release(hold)
    with pytest.raises(SeatsUnavailable, match="use a new token") as refusal:
        best(stage, 1, token=token)
    assert {seat: c.state for seat, c in refusal.value.conflicts.items()} == dict.fromkeys(ROW[:2], "channel")
    again = stage.locker.acquire_best(stage.show, 1, holder="ada", token=token, channel="partner").hold
    assert again.seats == hold.seats


def test_limits_hold_for_channels_too(stage: Stage) -> None:
    stage.open(ROW[:4], limit=3)
    stage.locker.set_channel(stage.show, ROW[:4], "partner")
    assert none_for(stage, 1)
    best(stage, 2, "partner")
    with pytest.raises(HolderLimitExceeded):
        best(stage, 2, "partner")
    assert best(stage, 1, "partner")
    assert stage.locker.check(stage.show).sound


def test_seats_of_a_channel_whose_lock_and_mirror_disagree_are_passed_over(stage: Stage) -> None:
    stage.open(["A-1", "A-2", "B-1", "B-2"])
    stage.locker.set_channel(stage.show, ["A-1", "A-2", "B-1", "B-2"], "partner")
    hold = stage.acquire("A-1", holder="bo", channel="partner")
    stage.raw.hset(stage.key("seats"), "A-1", "c0@1")  # behind everybody's back
    locker = stage.other_locker()
    assert locker.acquire_best(stage.show, 2, holder="ada", channel="partner").hold.seats == ("B-1", "B-2")
    with pytest.raises(SeatsUnavailable):
        locker.acquire_best(stage.show, 2, holder="ada", channel="partner")
    assert locker.confirm(hold).seats == ("A-1",)


@only_on("fakeredis", "redis-6.2", "redis-7")
def test_more_channels_than_a_board_keeps(stage: Stage) -> None:
    seats = [f"S-{number}" for number in range(40)]
    stage.open([*seats, "A-1"])
    for number, seat in enumerate(seats):
        stage.locker.set_channel(stage.show, [seat], f"channel {number}")
    for number, seat in enumerate(seats):
        assert best(stage, 2, f"channel {number}", adjacent=False) == f"{seat} A-1"
        stage.locker.release(stage.acquire(seat, "A-1"))
    assert none_for(stage, 2)
    assert none_for(stage, 3, "channel 0")


@only_on("redis-7")
def test_a_show_without_channels_is_asked_no_more_than_before(stage: Stage) -> None:
    stage.open(ROW)
    locker, watched = stage.watched()

    def commands(channel: str | None) -> int:
        before = len(watched.sent)
        locker.acquire_best(stage.show, 1, holder="ada", channel=channel)
        return len(watched.sent) - before

    commands(None)
    commands(None)  # from now on the server knows all scripts
    assert commands(None) == 2  # one reads, one takes
    assert commands("partner") == 2
    stage.locker.set_channel(stage.show, ROW[:1], "partner")
    assert commands("partner") == 3  # and one reads the names, since there is a new one
    stage.locker.set_channel(stage.show, ROW[:2], "partner")
    assert commands("partner") == 2
