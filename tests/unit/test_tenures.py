"""The check behind the load test, on histories that are tampered with."""

from __future__ import annotations

import pytest

from loadtests.tenures import History, Tenure, violations
from seatlock import Booking, Hold
from seatlock.simulation.raw import RawLock, RawMirror

SEATS = ("A-1", "A-2")


def a_hold(holder: str, fence: int, start: int, *seats: str, seconds: float = 1.0) -> Hold:
    deadline = start + round(seconds * 1000)
    return Hold("show", seats or ("A-1",), holder, f"token of {holder}", fence, seconds, deadline=deadline)


def a_booking(hold: Hold) -> Booking:
    return Booking(f"bk-{hold.holder}", hold.show, hold.seats, hold.holder, None, hold.fence, 0.0)


def a_lock(holder: str, fence: int) -> RawLock:
    return RawLock("s", f"token of {holder}", holder, fence, booking=f"bk-{holder}")


class Play:
    """Ada has both seats, then Bob A-1 until his time runs out; in the end A-1 is Cleo's and A-2 Dan's."""

    def __init__(self) -> None:
        self.history = History()
        self.history.ended(a_hold("Ada", 1, 1000, *SEATS), 1500)
        self.history.ran_out(a_hold("Bob", 2, 1500, "A-1", seconds=0.1))
        for hold in (a_hold("Dan", 4, 1700, "A-2"), a_hold("Cleo", 3, 1601, "A-1")):
            self.history.kept(hold, a_booking(hold))
        self.locks = {"A-1": a_lock("Cleo", 3), "A-2": a_lock("Dan", 4)}
        self.mirrors = {seat: RawMirror("s", 0) for seat in SEATS}

    def judge(self) -> list[str]:
        return violations(SEATS, self.history, self.locks, self.mirrors)


@pytest.fixture
def play() -> Play:
    return Play()


def test_an_honest_history_passes(play: Play) -> None:
    assert play.judge() == []
    assert Tenure("A-1", "Bob", "token of Bob", 2, 1500, 1601) in play.history.tenures


def test_an_empty_history_has_no_winner() -> None:
    found = violations(SEATS, History(), {}, {})
    assert found == [f"{seat}: it should have one owner in the end, and has 0: nobody" for seat in SEATS]


def test_two_owners_at_once(play: Play) -> None:
    play.history.ended(a_hold("Eve", 5, 1499, "A-2"), 1510)
    assert play.judge() == [
        "A-2: Eve (fence 5) had it from 1499, while Dan (fence 4) had it from 1700 for good",
    ]
    play = Play()
    play.history.ended(a_hold("Eve", 2, 1499, "A-2"), 1510)
    assert play.judge() == ["A-2: Eve (fence 2) had it from 1499, while Ada (fence 1) had it from 1000 until 1500"]


def test_a_hold_granted_in_the_last_millisecond_of_another(play: Play) -> None:
    """Bob's deadline is 1600, and he has the seat in that millisecond too."""
    play.history.tenures[:] = [tenure for tenure in play.history.tenures if tenure.holder != "Cleo"]
    early = a_hold("Cleo", 3, 1600, "A-1")
    play.history.kept(early, a_booking(early))
    assert play.judge() == ["A-1: Cleo (fence 3) had it from 1600, while Bob (fence 2) had it from 1500 until 1601"]


def test_one_owner_inside_another_s_time(play: Play) -> None:
    """Looking only at the one before would miss the second of these."""
    play.history.ended(a_hold("Long", 10, 10, "A-9"), 5000)
    play.history.ended(a_hold("Short", 11, 100, "A-9"), 200)
    play.history.ended(a_hold("Later", 12, 300, "A-9"), 400)
    assert [violation for violation in play.judge() if "Later" in violation] == [
        "A-9: Later (fence 12) had it from 300, while Long (fence 10) had it from 10 until 5000"
    ]


def test_a_fence_given_twice(play: Play) -> None:
    play.history.ended(a_hold("Eve", 1, 900, "A-1"), 1000)
    assert "A-1: fence 1 was given 2 times" in play.judge()


def test_a_fence_that_does_not_grow(play: Play) -> None:
    play.history.ended(a_hold("Eve", 7, 500, "A-1"), 600)
    assert play.judge() == ["A-1: Eve (fence 7) had it from 500, while Cleo (fence 3) had it from 1601 for good"]


def test_two_winners(play: Play) -> None:
    eve = a_hold("Eve", 9, 1800, "A-2")
    play.history.kept(eve, a_booking(eve))
    found = play.judge()
    assert "A-2: it should have one owner in the end, and has 2: Dan, Eve" in found
    assert "A-2: Eve (fence 9) had it from 1800, while Dan (fence 4) had it from 1700 for good" in found


def test_no_winner(play: Play) -> None:
    play.history.tenures[:] = [tenure for tenure in play.history.tenures if tenure.end is not None]
    assert len(play.judge()) == 2


@pytest.mark.parametrize(
    "lock",
    [
        None,
        RawLock("?"),
        RawLock("h", "token of Cleo", "Cleo", 3, 99, expires=True),
        RawLock("s", "token of Cleo", "Cleo", 3, booking="bk-Cleo", expires=True),
    ],
)
def test_a_winner_without_a_lasting_lock(play: Play, lock: RawLock | None) -> None:
    play.locks.pop("A-1")
    if lock is not None:
        play.locks["A-1"] = lock
    assert play.judge() == ["A-1: Cleo has it for good, and it is not locked so"]


@pytest.mark.parametrize(
    "lock",
    [
        a_lock("Eve", 3),
        a_lock("Cleo", 4),
        RawLock("s", "another token", "Cleo", 3, booking="bk-Cleo"),
        RawLock("s", "token of Cleo", "Cleo", 3, booking="bk-2"),
    ],
)
def test_a_lock_that_is_somebody_else_s(play: Play, lock: RawLock) -> None:
    play.locks["A-1"] = lock
    assert play.judge() == [f"A-1: it is Cleo's (fence 3), the lock says {lock.holder}'s ({lock.fence})"]


@pytest.mark.parametrize("mirror", [None, RawMirror("f", 0), RawMirror("h", 0, 99), RawMirror("?")])
def test_a_mirror_that_does_not_agree(play: Play, mirror: RawMirror | None) -> None:
    play.mirrors.pop("A-1")
    if mirror is not None:
        play.mirrors["A-1"] = mirror
    assert play.judge() == ["A-1: the availability hash does not say that it is sold"]


def test_what_users_saw_themselves_counts(play: Play) -> None:
    play.history.complaints.append("Ada asked again, and did not get her hold back")
    assert play.judge() == ["Ada asked again, and did not get her hold back"]
