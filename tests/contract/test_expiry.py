"""Holds that have run out: free for readers and buyers at once, with or without a sweeper."""

from __future__ import annotations

import pytest

from seatlock import SaleNotOpen
from tests.support.stage import SEATS, Stage, only_on


def test_readers_see_it_free_though_no_sweeper_came(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1", "A-2", ttl=0.02)
    stage.wait_past(hold)
    assert stage.mirror("A-1") == f"h0:{hold.deadline}", "nobody has touched it"
    before = stage.everything()
    found = stage.locker.availability(stage.show)
    assert (found.seats["A-1"], found.counts["free"], found.counts["held"]) == ("free", len(SEATS), 0)
    state = stage.locker.inspect(stage.show, ["A-1"])[0]
    assert (state.state, state.consistent, state.expires_in, state.holder) == ("free", True, None, None)
    assert stage.everything() == before


def test_anybody_can_have_it_though_no_sweeper_came(stage: Stage) -> None:
    stage.open()
    first = stage.acquire("A-1", ttl=0.02)
    stage.wait_past(first)
    hold = stage.acquire("A-1", holder="bo")
    assert (hold.resumed, hold.ttl) == (False, 600.0)
    assert hold.fence > first.fence
    assert stage.mirror("A-1") == f"h0:{hold.deadline}"


def test_the_same_holder_gets_a_new_hold_too(stage: Stage) -> None:
    stage.open()
    first = stage.acquire("A-1", ttl=0.02)
    stage.wait_past(first)
    again = stage.acquire("A-1", token=first.token)
    assert (again.resumed, again.ttl) == (False, 600.0)
    assert again.fence > first.fence


def test_sweeping_takes_back_what_is_due_and_publishes_it(stage: Stage) -> None:
    stage.open()
    kept = stage.acquire("A-3", holder="bo")  # first: an acquire takes back what is due, on its way
    short = stage.acquire("A-1", "A-2", ttl=0.02)
    stage.wait_past(short)
    version = stage.version()
    assert stage.locker.sweep(stage.show) == 2
    assert stage.changes(version) == [(f"1-{version + 1}", {"A-1": "f0", "A-2": "f0"})]
    assert [stage.mirror(seat) for seat in ("A-1", "A-2", "A-3")] == ["f0", "f0", f"h0:{kept.deadline}"]
    assert {name for name, _ in stage.raw.zrange(stage.key("due"), 0, -1, withscores=True)} == {b"", b"A-3"}


def test_sweeping_with_nothing_due_changes_nothing(stage: Stage) -> None:
    stage.open()
    stage.acquire("A-1")
    before = stage.everything()
    assert stage.locker.sweep(stage.show) == 0
    assert stage.everything() == before


def test_a_seat_taken_again_is_not_swept_away(stage: Stage) -> None:
    stage.open()
    stage.wait_past(stage.acquire("A-1", ttl=0.02))
    hold = stage.acquire("A-1", holder="bo")
    assert stage.locker.sweep(stage.show) == 0
    assert stage.locker.confirm(hold).seats == ("A-1",)


def test_a_stale_due_entry_frees_nothing(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1", ttl=60)
    stage.locker.confirm(stage.acquire("A-2"))
    stage.raw.zadd(stage.key("due"), {"A-1": 1, "A-2": 1, "A-3": 1, "Z-1": 1})
    assert stage.locker.sweep(stage.show) == 0
    assert [stage.mirror(seat) for seat in ("A-1", "A-2", "A-3")] == [f"h0:{hold.deadline}", "s0", "f0"]
    assert stage.raw.zrange(stage.key("due"), 0, -1, withscores=True) == [(b"A-1", hold.deadline), (b"", float("inf"))]


def test_an_acquire_sweeps_on_its_way(stage: Stage) -> None:
    stage.open()
    stage.wait_past(stage.acquire("A-1", "A-2", ttl=0.02))
    version = stage.version()
    hold = stage.acquire("A-2", "A-3", holder="bo")
    held = f"h0:{hold.deadline}"
    assert stage.changes(version) == [(f"1-{version + 1}", {"A-2": held, "A-3": held, "A-1": "f0"})]
    assert stage.mirror("A-1") == "f0"


def test_a_refused_acquire_sweeps_nothing(stage: Stage) -> None:
    stage.open()
    stage.wait_past(stage.acquire("A-1", ttl=0.02))
    stage.locker.pause_sale(stage.show)
    before = stage.everything()
    with pytest.raises(SaleNotOpen):
        stage.acquire("A-2")
    assert stage.everything() == before


@only_on("fakeredis", "redis-7", "cluster")
def test_one_sweep_takes_back_more_than_one_call_may(stage: Stage) -> None:
    seats = [f"S-{number}" for number in range(1200)]
    stage.open(seats)
    holds = [stage.acquire(*seats[at : at + 100], ttl=0.02, holder=f"u-{at}") for at in range(0, 1200, 100)]
    stage.wait_past(*holds)
    taken = [seat for seat, field in stage.mirrors().items() if field != "f0"]
    assert len(taken) > 500, "acquires sweep a few on their way, not all"
    locker, client = stage.watched()
    assert locker.sweep(stage.show) == len(taken)
    sent = [command for command in client.sent if command != "EVAL"]  # again, where the server did not know the script
    assert len(sent) == len(taken) // 500 + 3, "with the look at the server, and the one for pools"
    assert set(stage.mirrors().values()) == {"f0"}
    assert stage.raw.zcard(stage.key("due")) == 1
