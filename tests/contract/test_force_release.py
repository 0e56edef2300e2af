"""Force release: the staff frees held seats whoever holds them, never pinned or sold ones, and it is written down."""

from __future__ import annotations

from typing import Any

import pytest

from seatlock import (
    AcquireRequest,
    HoldLost,
    InvalidRequest,
    OutcomeUnknown,
    PoolCounts,
    ShowNotFound,
    UnknownSeats,
)
from tests.support.lockers import Interrupted
from tests.support.stage import Stage, only_on


def force(stage: Stage, *seats: str, by: Any = "eve", reason: Any = "a wheelchair needs it") -> dict[str, str]:
    """Free seats: gives what became of each."""
    return dict(stage.locker.force_release(stage.show, seats, by=by, reason=reason).seats)


def audited(stage: Stage) -> list[dict[str, str]]:
    """The entries of the audit stream."""
    entries = stage.raw.xrange(stage.key("audit"))
    return [{name.decode(): value.decode() for name, value in fields.items()} for _, fields in entries]


def test_held_seats_are_free_whoever_held_them(stage: Stage) -> None:
    stage.open()
    hold, other = stage.acquire("A-1", "A-2"), stage.acquire("A-3", holder="bo")
    before = stage.version()
    done = stage.locker.force_release(stage.show, ["A-3", "A-1"], by="eve", reason="why")
    assert (done.show, list(done.seats.items())) == (stage.show, [("A-3", "released"), ("A-1", "released")])
    assert [fields for _, fields in stage.changes(before)] == [{"A-1": "f0", "A-3": "f0"}]
    assert not stage.raw.exists(stage.lock("A-1"), stage.lock("A-3"))
    assert stage.acquire("A-3", holder="cy").holder == "cy"
    for lost, reasons in ((hold, {"A-1": "released"}), (other, {"A-3": "taken"})):
        for call in (stage.locker.confirm, lambda hold: stage.locker.extend(hold, ttl=60)):
            with pytest.raises(HoldLost) as refusal:
                call(lost)
            assert refusal.value.seats == reasons


def test_who_did_it_and_why_is_written_down_and_never_a_token(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1", "A-2")
    force(stage, "A-1", "A-4")
    stage.acquire("A-5", holder="bö")
    force(stage, "A-5", by="Eve Ünal", reason="a mistake")
    first, second = audited(stage)
    assert int(first.pop("at")) > 1_700_000_000_000
    assert first == {
        "what": "force-release",
        "by": "eve",
        "reason": "a wheelchair needs it",
        "seat": "A-1",
        "holder": "ada",
        "epoch": "1",
        "fence": "1",
    }
    assert (second["by"], second["reason"], second["seat"], second["holder"]) == ("Eve Ünal", "a mistake", "A-5", "bö")
    assert hold.token not in str(stage.raw.xrange(stage.key("audit")))


def test_sold_pinned_blocked_and_free_seats_are_left_alone(stage: Stage) -> None:
    stage.open()
    booking = stage.locker.confirm(stage.acquire("A-1"))
    pinned = stage.acquire("A-2")
    stage.raw.set(stage.lock("A-2"), f"p\n{pinned.token}\nada\n1\n2\n1700000000000\nbk-1\npay-1")
    stage.raw.hset(stage.key("seats"), "A-2", "p0")
    stage.raw.hset(stage.key("seats"), "A-3", "b0")
    stage.wait_past(stage.acquire("A-5", ttl=0.02))
    before = stage.everything()
    words = {"A-1": "sold", "A-2": "pinned", "A-3": "gone", "A-4": "gone", "A-5": "gone"}
    assert force(stage, *words) == words
    assert stage.everything() == before
    assert stage.locker.inspect(stage.show, ["A-1"])[0].booking == booking.id


def test_unknown_seats_and_shows(stage: Stage) -> None:
    stage.open()
    stage.acquire("A-1")
    before = stage.everything()
    with pytest.raises(UnknownSeats) as refusal:
        force(stage, "A-1", "Z-1")
    assert refusal.value.seats == ("Z-1",)
    assert stage.everything() == before
    with pytest.raises(ShowNotFound):
        stage.locker.force_release(f"{stage.show}-none", ["A-1"], by="eve", reason="why")


@pytest.mark.parametrize("odd", ["", None, 7, "a\nb", "x" * 257, "\ud800", b"eve"])
def test_bad_names_and_reasons_are_refused_before_anything_is_sent(stage: Stage, odd: Any) -> None:
    locker, client = stage.watched()
    for given in ({"by": odd, "reason": "why"}, {"by": "eve", "reason": odd}):
        with pytest.raises(InvalidRequest, match=r"by|reason"):
            locker.force_release(stage.show, ["A-1"], **given)
    for seats in ([], "A-1", ["A-1", "A-1"], [f"S-{number}" for number in range(101)]):
        with pytest.raises(InvalidRequest, match="seats"):
            locker.force_release(stage.show, seats, by="eve", reason="why")
    assert client.sent == []


@only_on("redis-6.2", "redis-7", "cluster", "fakeredis")
def test_what_somebody_took_since_it_was_looked_at_is_left_alone(stage: Stage) -> None:
    """Also when a lost reply is asked for again: never the hold of somebody else."""
    stage.open()
    hold = stage.acquire("A-1")
    locker, client = stage.watched()
    somebody = stage.doors.locker("sync")  # whatever the colour: it acts while the other's loop is running
    locker.inspect(stage.show, ["A-1"])  # the plan is known by now
    looked_at = len(client.sent) + 1

    def before(sent: int) -> None:
        if sent == looked_at:
            somebody.release(hold)
            somebody.acquire(stage.show, ["A-1"], holder="bo")

    client.before = before
    done = locker.force_release(stage.show, ["A-1"], by="eve", reason="why")
    assert dict(done.seats) == {"A-1": "taken"}
    assert stage.locker.inspect(stage.show, ["A-1"])[0].holder == "bo"
    assert audited(stage) == []


@only_on("redis-7")
def test_cut_off_before_the_release_nothing_has_happened(stage: Stage) -> None:
    stage.open()
    stage.acquire("A-1")
    locker, client = stage.watched()
    locker.inspect(stage.show, ["A-1"])
    looked_at = len(client.sent) + 1
    before = stage.everything()

    def cut_off(sent: int) -> None:
        if sent == looked_at:
            raise Interrupted

    client.before = cut_off
    with pytest.raises((Interrupted, OutcomeUnknown)):
        locker.force_release(stage.show, ["A-1"], by="eve", reason="why")
    assert stage.everything() == before


def test_retiring_takes_the_audit_along(stage: Stage) -> None:
    stage.open()
    stage.acquire("A-1")
    force(stage, "A-1")
    assert stage.raw.exists(stage.key("audit"))
    stage.locker.retire(stage.show)
    assert stage.keys() == set()


# --- claims on pools


POOLS = {"floor": 10, "bal cony": 3}


def force_pools(stage: Stage, *pools: str, seats: tuple[str, ...] = (), holder: Any = "ada") -> Any:
    """Give back what a holder has of pools."""
    return stage.locker.force_release(stage.show, seats, pools=pools, holder=holder, by="eve", reason="why")


def test_what_a_holder_has_of_pools_is_given_back(stage: Stage) -> None:
    stage.open(pools=POOLS)
    hold = stage.acquire("A-1", "A-2", pools={"floor": 2, "bal cony": 1})
    stage.acquire(holder="bo", pools={"floor": 3})
    before = stage.version()
    done = force_pools(stage, "floor", "bal cony", seats=("A-1",))
    assert (dict(done.seats), done.released, done.pools) == (
        {"A-1": "released"},
        ("A-1",),
        {"floor": 2, "bal cony": 1},
    )
    assert [fields for _, fields in stage.changes(before)] == [
        {"A-1": "f0", "pool\nfloor": "10 3 0", "pool\nbal cony": "3 0 0"}
    ]
    with pytest.raises(HoldLost) as lost:
        stage.locker.confirm(hold)
    assert lost.value.pools == {"floor": "released", "bal cony": "released"}
    told = [{**entry, "at": ""} for entry in audited(stage)]
    who = {"what": "force-release", "by": "eve", "reason": "why", "holder": "ada", "epoch": "1", "fence": "1", "at": ""}
    assert told == [
        {**who, "seat": "A-1"},
        {**who, "pool": "floor", "quantity": "2"},
        {**who, "pool": "bal cony", "quantity": "1"},
    ]
    assert force_pools(stage, "floor").pools == {"floor": 0}
    assert stage.locker.check(stage.show).sound


def test_a_show_of_pools_alone(stage: Stage) -> None:
    stage.open((), pools=POOLS)
    stage.acquire(pools={"floor": 2})
    assert force_pools(stage, "floor").pools == {"floor": 2}
    checked = stage.locker.check(stage.show)
    assert (checked.sound, checked.capacity, checked.pools["floor"]) == (True, 0, PoolCounts(10, 10, 0, 0))


def test_what_is_sold_of_pools_and_pools_that_are_not_there(stage: Stage) -> None:
    stage.open(pools=POOLS)
    stage.locker.confirm(stage.acquire("A-1", pools={"floor": 2}))
    stage.acquire("A-2", holder="bo")
    before = stage.everything()
    assert force_pools(stage, "floor").pools == {"floor": 0}
    with pytest.raises(UnknownSeats, match="'attic'") as refusal:
        force_pools(stage, "floor", "attic", seats=("A-2",), holder="bo")
    assert refusal.value.pools == ("attic",)
    assert stage.everything() == before
    with pytest.raises(ShowNotFound):
        stage.locker.force_release(f"{stage.show}-none", pools=["floor"], holder="ada", by="eve", reason="why")


def test_pools_on_a_show_with_limits(stage: Stage) -> None:
    stage.open(limit=3, pools=POOLS)
    stage.acquire("A-1", pools={"floor": 2})
    done = force_pools(stage, "floor", seats=("A-1",))
    assert (done.seats["A-1"], done.pools["floor"]) == ("released", 2)
    assert stage.acquire("A-2", "A-3", pools={"floor": 1}).pools == {"floor": 1}


@pytest.mark.parametrize(
    "given",
    [
        {"pools": ["floor"]},
        {"holder": "ada"},
        {"seats": ["A-1"], "holder": "ada"},
        {"pools": "floor", "holder": "ada"},
        {"pools": None, "holder": "ada"},
        {"pools": ["floor", "floor"], "holder": "ada"},
        {"pools": [f"pool {number}" for number in range(33)], "holder": "ada"},
        {"pools": [""], "holder": "ada"},
        {"pools": ["floor"], "holder": "a\nb"},
        {"pools": ["floor"], "holder": 7},
        {"pools": ["floor"], "holder": "ada", "seats": "A-1"},
        {"pools": ["floor"], "holder": "ada", "seats": 7},
        {},
    ],
)
@only_on("redis-7")
def test_bad_pools_are_refused_before_anything_is_sent(stage: Stage, given: dict[str, Any]) -> None:
    locker, client = stage.watched()
    with pytest.raises(InvalidRequest):
        locker.force_release(stage.show, **given, by="eve", reason="why")
    assert client.sent == []


@only_on("redis-6.2", "redis-7", "cluster", "fakeredis")
def test_a_claim_that_came_since_it_was_looked_at_is_left_alone(stage: Stage) -> None:
    stage.open(pools=POOLS)
    hold = stage.acquire(pools={"floor": 2})
    locker, client = stage.watched()
    somebody = stage.doors.locker("sync")
    locker.availability(stage.show)
    looked_at = len(client.sent) + 1

    def before(sent: int) -> None:
        if sent == looked_at:
            somebody.release(hold)
            somebody.acquire(stage.show, pools={"floor": 3}, holder="ada")

    client.before = before
    done = locker.force_release(stage.show, pools=["floor"], holder="ada", by="eve", reason="why")
    assert (done.pools, audited(stage)) == ({"floor": 0}, [])
    assert stage.locker.availability(stage.show).pools["floor"].held == 3


# --- check


def test_a_show_adds_up(stage: Stage) -> None:
    stage.open()
    stage.acquire("A-1")
    stage.locker.confirm(stage.acquire("A-2"))
    before = stage.everything()
    checked = stage.locker.check(stage.show)
    assert (checked.sound, checked.differences, checked.capacity) == (True, (), 5)
    assert checked.counts == {"free": 3, "held": 1, "pinned": 0, "sold": 1, "blocked": 0, "channel": 0}
    assert checked.version == (1, stage.version())
    assert stage.everything() == before


def test_a_show_that_does_not_add_up_says_what_is_wrong(stage: Stage) -> None:
    stage.open()
    stage.acquire("A-1", "A-2")
    stage.raw.delete(stage.lock("A-1"))
    stage.raw.hset(stage.key("seats"), "A-2", "f0")
    stage.raw.hdel(stage.key("seats"), "A-3")
    stage.raw.hset(stage.key("seats"), "Z-9", "f0")
    stage.raw.rpush(stage.lock("A-5"), "no text")
    checked = stage.locker.check(stage.show)
    assert not checked.sound
    assert {difference.seat: difference.kind for difference in checked.differences} == {
        "A-1": "unlocked",
        "A-2": "state",
        "A-3": "missing",
        "A-5": "foreign",
        "Z-9": "surplus",
    }


@only_on("redis-7", "cluster", "fakeredis")
def test_a_large_show_is_checked_in_steps(stage: Stage) -> None:
    seats = [f"S-{number}" for number in range(1500)]
    stage.open(seats)
    stage.raw.hset(stage.key("seats"), mapping={"S-7": "s0", "S-1499": "s0", "more": "f0"})
    locker, client = stage.watched()
    checked = locker.check(stage.show)
    assert {difference.seat for difference in checked.differences} == {"S-7", "S-1499", "more"}
    assert sum(checked.counts.values()) == checked.capacity == 1500
    assert len(client.sent) > 1500 / 400


def test_pools_that_do_not_add_up(stage: Stage) -> None:
    stage.open(pools=POOLS)
    stage.acquire(pools={"floor": 2})
    assert stage.locker.check(stage.show).sound
    stage.raw.hset(stage.key("pools"), "c\nfloor", "10 1 0")
    stage.raw.hdel(stage.key("pools"), "c\nbal cony")
    before = stage.everything()
    checked = stage.locker.check(stage.show)
    assert (checked.sound, checked.differences, checked.unsettled) == (False, (), ())
    assert [(each.pool, each.kind) for each in checked.pool_differences] == [("bal cony", "lost"), ("floor", "counts")]
    assert "1 held and 0 sold are counted; its claims add up to 2" in checked.pool_differences[1].detail
    assert stage.everything() == before


@only_on("redis-6.2", "redis-7", "redis-8", "cluster", "fakeredis")
def test_a_sale_that_goes_on_while_pools_are_checked_raises_no_alarm(stage: Stage) -> None:
    """Every claim is given back and taken by somebody else between two steps: what is added up is of no one moment."""
    stage.open(pools={"floor": 1000, "quiet": 5})
    names = [f"holder {number}" for number in range(400)]
    stage.locker.acquire_many(stage.show, [AcquireRequest((), name, pools={"floor": 2}) for name in names])
    stage.acquire(pools={"quiet": 2})
    locker, client = stage.watched()
    somebody = stage.doors.locker("sync")
    numbers = iter(range(1000))

    def before(_: int) -> None:
        number = next(numbers)
        somebody.force_release(stage.show, pools=["floor"], holder=names[number], by="eve", reason="why")
        somebody.acquire(stage.show, pools={"floor": 3}, holder=f"another {number}")

    client.before = before
    checked = locker.check(stage.show)
    assert (checked.sound, checked.unsettled) == (True, ("floor",))
    stage.raw.hset(stage.key("pools"), "c\nquiet", "5 1 0")
    assert [each.pool for each in locker.check(stage.show).pool_differences] == ["quiet"]
    client.before = bool
    assert locker.check(stage.show).unsettled == ()


def test_a_show_that_is_not_there_is_not_checked(stage: Stage) -> None:
    with pytest.raises(ShowNotFound):
        stage.locker.check(stage.show)
