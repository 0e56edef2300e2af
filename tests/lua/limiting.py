"""Scenarios of limits a holder: what counts, what does not any more, and what the list of a holder says of it."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from seatlock import (
    AcquireRequest,
    Hold,
    HolderLimitExceeded,
    HoldLost,
    PlanConflict,
    SaleNotOpen,
    ScriptFailed,
    SeatsUnavailable,
    ShowNotFound,
    _reads,
)
from seatlock import _commands as commands
from seatlock._operation import ListsWanted
from seatlock._operators import force_release_ask, force_release_of
from tests.lua.house import PLAN, T1, T2, House
from tests.lua.scenario import scenario, to_the_millisecond


def listed(house: House, holder: str = "ada") -> dict[str, str]:
    """The list of a holder."""
    found = house.raw.hgetall(house.key(f"holder:{holder}"))
    return {seat.decode(): field.decode() for seat, field in found.items()}


def expires(house: House, holder: str = "ada") -> int:
    """When the list of a holder goes by itself: -1 for never, -2 where there is none."""
    return int(house.raw.pexpiretime(house.key(f"holder:{holder}")))


def over(house: House, *seats: str, **options: Any) -> tuple[int, int, str | None]:
    """Ask for seats beyond a limit: gives the limit, what the holder has, and the category."""
    with house.unchanged():
        error = house.failing(HolderLimitExceeded, lambda: house.acquire(*seats, **options))
    return error.limit, error.held, error.category


@scenario
def a_limit_of_the_show(house: House) -> None:
    house.open(limit=2)
    assert house.meta("limits") == "2"
    hold = house.acquire("A-1", ttl=100)
    assert listed(house) == {"A-1": house.mirror("A-1")} == {"A-1": house.held(0, 100)}
    assert expires(house) == hold.deadline
    assert over(house, "A-2", "A-3") == (2, 1, None)
    second = house.acquire("A-2", ttl=300)
    assert over(house, "A-3") == (2, 2, None)
    assert over(house, "A-3", token=second.token) == (2, 2, None)
    assert expires(house) == second.deadline
    house.acquire("A-3", "A-4", holder="bo")
    # what is sold counts for good, and what was given back counts no more
    house.locker.confirm(second)
    assert (listed(house)["A-2"], expires(house)) == ("s1", -1)
    house.locker.release(house.acquire("A-3", "A-4", holder="bo"))
    assert listed(house, "bo") == {}
    assert over(house, "A-3") == (2, 2, None)
    house.advance(130)
    assert house.acquire("A-3").seats == ("A-3",)
    assert listed(house).keys() == {"A-2", "A-3"}  # what had run out went when the list was written


@scenario
def limits_of_categories(house: House) -> None:
    house.open(limits={"y": 1})
    assert house.meta("limits") == "500\n1 1 y"
    assert over(house, "A-2", "A-3") == (1, 0, "y")
    assert over(house, "A-1", "A-2", "A-3") == (1, 0, "y")
    house.acquire("A-2")
    assert over(house, "A-3", "A-1") == (1, 1, "y")
    assert over(house, "A-1", "A-3") == (1, 1, "y")
    house.acquire("A-1", "A-4")
    assert listed(house).keys() == {"A-1", "A-2", "A-4"}
    house.locker.warm(house.show, PLAN, limit=4, limits={"x": 2, "y": 2})
    house.acquire("A-3")
    # a limit that was lowered takes nothing away, and stands in nobody's way elsewhere
    house.locker.release(house.acquire("A-1", "A-4"))
    house.locker.warm(house.show, PLAN, limits={"y": 1})
    house.acquire("A-1")
    house.locker.warm(house.show, PLAN)
    assert house.meta("limits") == "500"


@scenario
def what_a_limit_does_not_stop(house: House) -> None:
    house.open(limit=2)
    hold = house.acquire("A-1", "A-2", token=T1)
    with house.unchanged():
        assert house.acquire("A-1", "A-2", token=T1).fence == hold.fence
        assert house.acquire("A-2").resumed
        house.failing(SeatsUnavailable, lambda: house.acquire("A-2", "A-3"))
        house.failing(SeatsUnavailable, lambda: house.acquire("B-1"))
    house.locker.pause_sale(house.show)
    house.failing(SaleNotOpen, lambda: house.acquire("A-3"))
    house.locker.warm(house.show, PLAN, limit=3)
    house.locker.open_sale(house.show)
    basket = house.acquire("A-1", "A-2", "A-3", token=T1)  # counted once
    assert (basket.fence, basket.deadline) == (hold.fence, hold.deadline)
    assert listed(house) == {seat: house.mirror(seat) for seat in basket.seats}
    longer = house.locker.extend(basket, ttl=900)
    assert listed(house) == {"A-1": house.held(0, 900), **dict.fromkeys(("A-2", "A-3"), house.held(1, 900))}
    assert expires(house) == longer.deadline
    booking = house.locker.confirm(longer)
    with house.unchanged():
        assert house.locker.confirm(longer) == booking
    house.locker.cancel(booking)
    assert listed(house) == {}
    with house.unchanged():
        assert set(house.locker.cancel(booking).seats.values()) == {"gone"}
    house.acquire("A-1", "A-2", "A-3")


@scenario
def a_batch_sees_what_it_did_before(house: House) -> None:
    house.open(limit=2)
    answers = house.locker.acquire_many(
        house.show,
        [
            AcquireRequest(["A-1"], "ada", 600, T1),
            AcquireRequest(["A-2"], "bo"),
            AcquireRequest(["A-3", "A-4"], "ada"),
            AcquireRequest(["A-1", "A-3"], "ada", 600, T1),
            AcquireRequest(["A-4"], "ada"),
        ],
    )
    assert [type(answer) for answer in answers] == [Hold, Hold, HolderLimitExceeded, Hold, HolderLimitExceeded]
    assert (listed(house).keys(), listed(house, "bo").keys()) == ({"A-1", "A-3"}, {"A-2"})
    holds = [answer for answer in answers if isinstance(answer, Hold)]
    assert all(done.released for done in house.locker.release_many(house.show, holds[1:]))
    assert (listed(house), listed(house, "bo")) == ({}, {})
    with house.unchanged():
        assert not any(done.released for done in house.locker.release_many(house.show, holds))


@to_the_millisecond
def the_last_millisecond_that_counts(house: House) -> None:
    house.open(limit=1)
    hold = house.acquire("A-1", ttl=60)
    house.tick_to(hold.deadline)
    assert over(house, "A-2") == (1, 1, None)
    assert house.locker.holds(house.show, holder="ada")[0].ttl == 0
    house.tick_to(hold.deadline + 1)
    assert house.locker.holds(house.show, holder="ada") == []
    house.acquire("A-2", ttl=60)
    assert listed(house) == {"A-2": house.held(1, 60)}


def what_a_holder_holds(house: House, **settings: Any) -> None:
    house.failing(ShowNotFound, lambda: house.locker.holds(house.show, holder="ada"))
    house.open(**settings)
    assert house.locker.holds(house.show, holder="ada") == []
    house.locker.confirm(house.acquire("A-4"))
    first = house.acquire("A-1", "A-2", ttl=100, token=T1)
    second = house.acquire("A-3", ttl=200, token=T2)
    found = house.locker.holds(house.show, holder="ada")
    assert sorted((held.fence, set(held.seats), held.ttl) for held in found) == [
        (first.fence, {"A-1", "A-2"}, house.left(100)),
        (second.fence, {"A-3"}, house.left(200)),
    ]
    assert {(held.show, held.holder) for held in found} == {(house.show, "ada")}
    # the locks have the last word
    house.drop_lock("A-1")
    house.put_lock("A-2", "h", T2, "bo", 1, 9, house.now + 60_000, house.now + 90_000)
    assert [held.seats for held in house.locker.holds(house.show, holder="ada")] == [("A-3",)]


@scenario
def what_a_holder_holds_by_the_list(house: House) -> None:
    what_a_holder_holds(house, limit=9)


@scenario
def what_a_holder_holds_without_a_list(house: House) -> None:
    house.failing(ShowNotFound, lambda: house.run(_reads.held("seatlock", house.show, b"0")))
    what_a_holder_holds(house)


@to_the_millisecond
def all_that_is_on_hold(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", ttl=60)
    house.acquire("A-2", ttl=90, holder="bo")
    house.locker.confirm(house.acquire("A-3"))
    for milliseconds, seats in ((0, {"A-1", "A-2"}), (1, {"A-2"})):
        house.tick_to(hold.deadline + milliseconds)
        cursor, found = house.run(_reads.held("seatlock", house.show, b"0"))
        assert (cursor, set(found)) == (b"0", seats)


@scenario
def a_house_full_of_holds(house: House) -> None:
    seats = tuple(f"S-{number}" for number in range(450))
    house.open(seats)
    for at in range(0, 450, 50):
        house.acquire(*seats[at : at + 50], holder=("ada", "bo")[at // 50 % 2])
    found = [seat for held in house.locker.holds(house.show, holder="bo") for seat in held.seats]
    assert sorted(found) == sorted(seat for at in range(50, 450, 100) for seat in seats[at : at + 50])


@scenario
def a_show_without_limits(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", token=T1)
    for settings in ({"limit": 2}, {"limits": {"x": 2}}):
        with house.unchanged():
            house.failing(PlanConflict, lambda settings=settings: house.locker.warm(house.show, PLAN, **settings))
    # somebody who still knows it as a show with limits is served as well
    with house.unchanged():
        again = commands.acquire("seatlock", house.show, ["A-1"], "ada", 600, T1)
        assert house.run(commands.of_asks("seatlock", [again], lists=True))[0].fence == hold.fence
    assert house.run(commands.of_asks("seatlock", [commands.release("seatlock", hold)], lists=True))[0].released
    assert listed(house) == {}


@scenario
def limits_that_come_too_late_for_the_last_step(house: House) -> None:
    from tests.lua.warming import found  # noqa: PLC0415 - scenarios register themselves when imported

    house.open()
    house.acquire("A-1")
    step = found(house)
    step.args[6] = b"2"
    with house.unchanged():
        assert "limits any more" in str(house.failing(PlanConflict, lambda: house.run(step)))
        for wrong in (b"x", b"0", b"501", b"-1", b"\n", b"2 2"):
            step.args[6] = wrong
            assert "SEATLOCK" in str(house.failing(ScriptFailed, lambda: house.run(step)))


@scenario
def calls_without_lists(house: House) -> None:
    house.open(limit=4)
    hold = house.acquire("A-1", token=T1)
    booking = house.locker.confirm(house.acquire("A-2", token=T2))
    asks = [
        commands.acquire("seatlock", house.show, ["A-3"], "ada", 600, None),
        commands.extend("seatlock", hold, 900),
        commands.confirm("seatlock", hold, None, None),
        commands.confirm("seatlock", hold, None, None, reclaim=True),
        commands.release("seatlock", hold),
        commands.cancel("seatlock", booking),
    ]
    with house.unchanged():
        for ask in asks:
            operation = commands.of_asks("seatlock", [ask])
            house.failing(ListsWanted, lambda operation=operation: house.run(operation))
            other = commands.of_asks("seatlock", [replace(ask, holder="bo")], lists=True)
            told = str(house.failing(ScriptFailed, lambda other=other: house.run(other)))
            assert "the list of a holder is not among the keys" in told
        force = force_release_of("seatlock", [force_release_ask("seatlock", house.show, ("A-1",), "eve", "why", 0)])
        house.failing(ListsWanted, lambda: house.run(force))


@scenario
def what_is_freed_by_force_is_on_no_list(house: House) -> None:
    house.open(limit=2)
    house.acquire("A-1", "A-2")
    house.acquire("A-3", holder="bo")
    assert house.force("A-1", "A-3", "A-4") == {"A-1": "released", "A-3": "released", "A-4": "gone"}
    assert (listed(house).keys(), listed(house, "bo").keys()) == ({"A-2"}, set())
    assert house.acquire("A-3").seats == ("A-3",)


@scenario
def a_late_payment_within_the_limits(house: House) -> None:
    """What has run out counts no more; what its holder took instead does."""
    house.open(limit=2)
    first = house.acquire("A-1", "A-2", ttl=60)
    house.advance(90)
    second = house.acquire("A-3", ttl=60)
    with house.unchanged():
        lost = house.failing(HoldLost, lambda: house.locker.confirm(first, payment="pay", reclaim=True))
    assert (lost.reason, lost.payment, lost.paid_for) == ("expired", "pay", first.seats)
    house.locker.release(second)
    booking = house.locker.confirm(first, payment="pay", reclaim=True)
    assert booking.seats == first.seats
    assert listed(house) == {"A-1": "s0", "A-2": "s1"}
    assert over(house, "A-3") == (2, 2, None)
    house.locker.cancel(booking)
    assert listed(house) == {}


@scenario
def lists_that_say_too_much(house: House) -> None:
    """A script that was stopped half-way: whoever asks for these seats again sets the list right."""
    house.open(limit=2)
    hold = house.acquire("A-1", token=T1, ttl=60)
    booking = house.locker.confirm(house.acquire("A-2", token=T2))
    right = listed(house)
    house.raw.hset(house.key("holder:ada"), "A-1", f"h0:{hold.deadline + 5000}")
    assert house.acquire("A-1", token=T1).deadline == hold.deadline
    assert listed(house) == right
    house.raw.hset(house.key("holder:ada"), "A-2", "h1:999")
    house.locker.confirm(Hold(house.show, ("A-2",), "ada", T2, booking.fence, 600.0))
    assert listed(house) == right
    house.raw.hset(house.key("holder:ada"), "A-1", f"h0:{hold.deadline - 5000}")
    assert house.locker.extend(hold, ttl=10).deadline == hold.deadline
    assert listed(house) == right
    house.locker.release(hold)
    house.locker.cancel(booking)
    for ends in (
        lambda: house.locker.release(hold),
        lambda: house.locker.cancel(booking),
        lambda: house.failing(HoldLost, lambda: house.locker.confirm(hold)),
    ):
        house.raw.hset(house.key("holder:ada"), mapping={"A-1": "s0", "A-2": "s1"})
        ends()
        assert len(listed(house)) == 1
        house.raw.delete(house.key("holder:ada"))
    # also where somebody else has the seat by now, and the availability hash says the same of it
    others = house.locker.confirm(house.acquire("A-1", holder="bo", token=T2))
    for ends in (
        lambda: house.locker.release(hold),
        lambda: house.locker.cancel(booking),
        lambda: house.failing(HoldLost, lambda: house.locker.confirm(hold)),
    ):
        house.raw.hset(house.key("holder:ada"), mapping={"A-1": "s0", "A-2": "s1"})
        ends()
        assert len(listed(house)) == 1
        house.raw.delete(house.key("holder:ada"))
    house.locker.cancel(others)
    # a seat that is free, and still on the list, counts once
    house.raw.hset(house.key("holder:ada"), mapping={"A-1": f"h0:{house.now + 60_000}", "A-3": "s1"})
    assert over(house, "A-2") == (2, 2, None)
    assert over(house, "A-1", "A-2") == (2, 2, None)
    house.locker.release(house.acquire("A-1", "A-3", token=T2))
    assert listed(house) == {}
    # a lock that was lost is no reason: the availability hash still says that the seat is the holder's
    held = house.acquire("A-1", token=T1)
    house.drop_lock("A-1")
    house.locker.release(held)
    assert listed(house).keys() == {"A-1"}


@scenario
def a_show_with_limits_is_retired(house: House) -> None:
    house.open(limit=2)
    house.locker.confirm(house.acquire("A-1", "A-2", holder="ada {x}"))
    house.locker.confirm(house.acquire("A-3", holder="bo"))
    house.acquire("A-4", holder="cy", ttl=60)
    house.advance(90)
    house.locker.retire(house.show, unread="discard")
    assert house.dump() == {}


def best(house: House, *sets: tuple[str, ...], token: str = T1, holder: str = "ada") -> Any:
    """Ask for the best of some sets of seats, with the list of the holder."""
    ask = commands.acquire_best("seatlock", house.show, list(sets), holder, 60_000, token, minted=False)
    (answer,) = house.run(commands.of_asks("seatlock", [ask], lists=True))
    return answer


@scenario
def the_best_set_within_the_limits(house: House) -> None:
    house.open(limit=3, limits={"y": 1})
    ask = commands.acquire_best("seatlock", house.show, [("A-1",)], "ada", 60_000, T1, minted=False)
    with house.unchanged():
        house.failing(ListsWanted, lambda: house.run(commands.of_asks("seatlock", [ask])))
    with house.unchanged():
        refused = best(house, ("A-2", "A-3"), ("B-1", "A-1"))
    assert isinstance(refused, HolderLimitExceeded)
    assert (refused.limit, refused.held, refused.category) == (1, 0, "y")
    hold = best(house, ("A-2", "A-3"), ("A-1", "A-2"), ("A-1", "A-4"))
    assert hold.seats == ("A-1", "A-2")  # the first that is within them
    assert listed(house) == {"A-1": house.held(0, 60), "A-2": house.held(1, 60)}
    assert best(house, ("A-1", "A-2")).fence == hold.fence
    refused = best(house, ("A-4", "A-3"), token=T2)
    assert (refused.limit, refused.held, refused.category) == (3, 2, None)
    # what was given before and is free again has to be within the limits as well
    house.locker.release(replace(hold, seats=("A-2",)))
    house.acquire("A-3", token=T2)
    with house.unchanged():
        refused = best(house, ("A-1", "A-2"))
    assert (refused.limit, refused.held, refused.category) == (1, 1, "y")
    house.locker.release(replace(hold, seats=("A-3",), token=T2))
    assert best(house, ("A-1", "A-2")).fence == hold.fence
    assert listed(house).keys() == {"A-1", "A-2"}
