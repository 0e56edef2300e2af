"""Scenarios of channels: quotas of seats that are free only to requests that name them."""

from __future__ import annotations

from seatlock import (
    HolderLimitExceeded,
    HoldLost,
    InvalidRequest,
    PoolConflict,
    ScriptFailed,
    SeatState,
    SeatsUnavailable,
    UnknownSeats,
)
from seatlock import _commands as commands
from seatlock._replies import Noted
from tests.lua.house import PLAN, T1, T2, House
from tests.lua.limiting import listed, over
from tests.lua.scenario import scenario, to_the_millisecond
from tests.lua.warming import outcome


def put(house: House, *seats: str, channel: str | None = "partner") -> dict[str, str]:
    """Put seats into a channel: gives what happened to each."""
    return dict(house.locker.set_channel(house.show, seats, channel).seats)


@scenario
def seats_in_channels_and_back(house: House) -> None:
    house.open()
    with house.one_change(A_2="c1@1", A_1="c0@1"):
        assert put(house, "A-2", "A-1") == {"A-2": "changed", "A-1": "changed"}
    assert house.meta("channels") == "partner"
    with house.one_change(A_3="c1@2", A_1="c0@2"):
        assert put(house, "A-3", "A-1", channel="agency") == {"A-3": "changed", "A-1": "changed"}
    assert house.meta("channels") == "partner\nagency"
    with house.unchanged():
        assert put(house, "A-1", channel="agency") == {"A-1": "already"}
        assert put(house, "A-4", channel=None) == {"A-4": "already"}
    assert house.refused("A-4", "A-1", "A-2", "A-3", channel="partner") == {
        "A-1": ("channel", None, False, False),
        "A-3": ("channel", None, False, False),
    }
    assert house.refused("A-2", channel="Partner") == {"A-2": ("channel", None, False, False)}
    assert house.refused("A-2")["A-2"][0] == "channel"
    assert house.acquire("A-4", "A-2", channel="partner")
    assert house.mirror("A-2") == house.held(1, 600).of_channel(1)
    with house.one_change(A_1="c0@1", A_3="c1@1"):
        assert put(house, "A-1", "A-3") == {"A-1": "changed", "A-3": "changed"}
    with house.one_change(A_1="f0"):
        assert put(house, "A-1", "A-4", channel=None) == {"A-1": "changed", "A-4": "already"}
    assert house.meta("channels") == "partner\nagency"
    assert house.acquire("A-1", holder="bo")


@scenario
def every_state_keeps_its_channel(house: House) -> None:
    house.open()
    held, sold = house.acquire("A-1", token=T1), house.locker.confirm(house.acquire("A-2", holder="bo", token=T2))
    put(house, "A-1", "A-2", "A-3", "B-1", "B-2")
    assert [house.mirror(seat) for seat in ("A-2", "A-3", "B-1", "B-2")] == ["s1@1", "c1@1", "b0@1", "s1@1"]
    assert house.locker.inspect(house.show, ["A-3", "B-1", "A-4", "A-1"]) == [
        SeatState("A-3", "channel", "y", channel="partner"),
        SeatState("B-1", "blocked", "x", channel="partner"),
        SeatState("A-4", "free", "x"),
        SeatState(
            "A-1",
            "held",
            "x",
            expires_in=house.left(600),
            holder="ada",
            fence=held.fence,
            channel="partner",
        ),
    ]
    with house.unchanged():
        assert house.acquire("A-1", token=T1).deadline == held.deadline
    longer = house.locker.extend(held, ttl=900)
    assert house.mirror("A-1") == f"h0@1:{longer.deadline}"
    with house.one_change(A_1="c0@1"):
        assert house.locker.release(longer).released == ("A-1",)
    with house.one_change(A_2="c1@1"):
        assert house.locker.cancel(sold).cancelled == ("A-2",)
    with house.one_change(A_3="b1@1"):
        assert dict(house.locker.block(house.show, ["A-3"]).seats) == {"A-3": "blocked"}
    with house.one_change(A_3="c1@1", B_1="c0@1"):
        assert house.locker.unblock(house.show, ["A-3", "B-1"]).unblocked == ("A-3", "B-1")
    with house.unchanged():
        assert dict(house.locker.unblock(house.show, ["A-3"]).seats) == {"A-3": "channel"}
    hold = house.acquire("A-1", "B-1", channel="partner")
    with house.one_change(A_1="s0@1", B_1="s0@1"):
        house.locker.confirm(hold)


@to_the_millisecond
def the_last_millisecond_of_a_hold_of_a_channel(house: House) -> None:
    house.open()
    put(house, "A-1")
    hold = house.acquire("A-1", ttl=60, channel="partner")
    house.tick_to(hold.deadline)
    assert house.refused("A-1") == {"A-1": ("held", 0.0, False, False)}
    assert house.refused("A-1", channel="partner") == {"A-1": ("held", 0.0, False, False)}
    assert house.states()["A-1"] == "held"
    house.tick_to(hold.deadline + 1)
    assert house.refused("A-1") == {"A-1": ("channel", None, False, False)}
    assert house.refused("A-1", channel="agency") == {"A-1": ("channel", None, False, False)}
    assert house.locker.inspect(house.show, ["A-1"])[0] == SeatState("A-1", "channel", "x", channel="partner")
    assert house.states()["A-1"] == "channel"
    assert house.locker.availability(house.show, channel="partner").seats["A-1"] == "free"
    assert house.acquire("A-1", holder="bo", channel="partner", ttl=60).fence == hold.fence + 1
    house.tick_to(hold.deadline + 60_002)
    with house.one_change(A_1="c0@1"):
        assert house.locker.sweep(house.show) == 1
    house.acquire("A-1", channel="partner", ttl=60)
    house.tick_to(house.now + 60_001)
    put(house, "A-1", channel=None)  # a hold that has run out goes where its seat goes
    assert house.acquire("A-1", holder="cy")


@scenario
def the_sweep_on_the_way_gives_back_to_the_channel(house: House) -> None:
    house.open()
    put(house, "A-1", "A-2")
    house.acquire("A-1", "A-2", holder="bo", ttl=60, channel="partner")
    house.advance(61)
    with house.one_change(A_1="c0@1", A_2="c1@1", A_3=house.held(1, 600)):
        house.acquire("A-3")


@scenario
def requests_of_a_batch_name_their_channels(house: House) -> None:
    house.open()
    put(house, "A-1", "A-2")
    put(house, "A-3", channel="agency")

    def ask(seat: str, channel: str | None) -> commands.Ask:  # type: ignore[type-arg]
        return commands.acquire("seatlock", house.show, [seat], f"{seat} {channel}", 60, None, channel=channel)

    asked = [("A-1", None), ("A-1", "agency"), ("A-1", "partner"), ("A-2", "nobody"), ("A-3", "agency"), ("A-4", None)]
    asks = [ask(seat, channel) for seat, channel in asked]
    operation = commands.of_asks("seatlock", asks)
    assert operation.args[-4:] == [b"c 2 agency", b"c 3 partner", b"c 4 nobody", b"c 5 agency"]
    answers = house.run(operation)
    assert [not isinstance(answer, Exception) for answer in answers] == [False, False, True, False, True, True]


@scenario
def channels_and_pools_together(house: House) -> None:
    house.open(pools={"floor": 5, "balcony": 2})
    put(house, "A-1", "A-2", "A-3")
    with house.unchanged():
        error = house.failing(SeatsUnavailable, lambda: house.acquire("A-1", "A-4", pools={"floor": 6}))
    assert {seat: conflict.state for seat, conflict in error.conflicts.items()} == {"A-1": "channel"}
    assert error.pools == {"floor": PoolConflict(5, None)}

    def ask(holder: str, *seats: str, **options: object) -> commands.Ask:  # type: ignore[type-arg]
        return commands.acquire("seatlock", house.show, seats, holder, 60, None, **options)

    asks = [
        ask("ada", "A-1", pools={"floor": 2}),
        ask("bo", "A-1", pools={"balcony": 1, "floor": 2}, channel="partner"),
        ask("cy", pools={"floor": 2}, channel="nobody"),
        ask("di", "A-2", channel="partner"),
        ask("ed", "A-3", pools={"floor": 2}, channel="partner"),
        ask("flo", "A-4"),
    ]
    operation = commands.of_asks("seatlock", asks)
    assert operation.args[-9:] == [
        *(b"c 2 partner", b"c 3 nobody", b"c 4 partner", b"c 5 partner"),
        *(b"p 1 1 2", b"p 2 2 1", b"p 2 1 2", b"p 3 1 2", b"p 5 1 2"),
    ]
    answers = house.run(operation)
    assert [not isinstance(answer, Exception) for answer in answers] == [False, True, True, True, False, True]
    assert answers[4].conflicts == {}
    assert answers[4].pools["floor"].left == 1
    assert (house.counts(), house.counts("balcony")) == ("5 4 0", "2 1 0")
    found = house.locker.availability(house.show, channel="partner")
    assert (found.seats["A-1"], found.seats["A-3"], found.pools["floor"].free) == ("held", "free", 1)
    booking = house.locker.confirm(answers[1])
    assert (house.mirror("A-1"), house.counts()) == ("s0@1", "5 2 2")
    house.locker.release(answers[3])
    house.locker.cancel(booking)
    assert [house.mirror(seat) for seat in ("A-1", "A-2", "A-3")] == ["c0@1", "c1@1", "c1@1"]
    assert (house.counts(), house.counts("balcony")) == ("5 2 0", "2 0 0")


@scenario
def only_those_who_take_free_seats_name_a_channel(house: House) -> None:
    house.open()
    put(house, "A-1")
    hold = house.acquire("A-1", channel="partner")
    asks = (commands.extend("seatlock", hold, 900), commands.confirm("seatlock", hold, None, None))
    for ask in (*asks, commands.release("seatlock", hold)):
        operation = commands.of_asks("seatlock", [ask])
        operation.args.append(b"c 1 partner")
        with house.unchanged():
            error = house.failing(ScriptFailed, lambda operation=operation: house.run(operation))
        assert "SEATLOCK an argument behind the requests is nothing that this script knows" in str(error)


@scenario
def broken_extras(house: House) -> None:
    house.open()
    put(house, "A-1")
    operation = commands.of_asks(
        "seatlock", [commands.acquire("seatlock", house.show, ["A-1"], "ada", 60, T1, channel="partner")]
    )
    right = operation.args[-1]
    shapes = ("", "c", "c 1", "c 1 ", "c  1 partner", "c x partner", "c 1partner", " c 1 partner", "cc 1 partner")
    for wrong in (*shapes, "x 1 p", "C 1 p", "c 0 p", "c 2 p", "c -1 p", "c 0x1 p", "c 1e0 p", "c 1.0 p"):
        operation.args[-1] = wrong.encode()
        with house.unchanged():
            error = house.failing(ScriptFailed, lambda: house.run(operation))
        assert "SEATLOCK an argument " in str(error), wrong
    operation.args[-1] = right
    assert house.run(operation)[0].seats == ("A-1",)


@scenario
def channels_and_seats_that_cannot_be(house: House) -> None:
    house.open()
    with house.unchanged():
        error = house.failing(UnknownSeats, lambda: put(house, "nowhere", "A-1", "elsewhere"))
        assert error.seats == ("nowhere", "elsewhere")
    for number in range(100):
        assert put(house, "A-1", channel=f"channel {number}") == {"A-1": "changed"}
    assert house.mirror("A-1") == "c0@100"
    with house.unchanged():
        told = str(house.failing(InvalidRequest, lambda: put(house, "A-2", channel="one more")))
        assert "one more" in told
        assert put(house, "A-1", channel="channel 99") == {"A-1": "already"}
    assert put(house, "A-2", channel="channel 0") == {"A-2": "changed"}


@scenario
def mirrors_that_fell_behind_keep_their_channel(house: House) -> None:
    house.open()
    hold = house.acquire("A-1", token=T1)
    booking = house.locker.confirm(house.acquire("A-2", holder="bo", token=T2))
    for seat, field in (("A-1", "c0@1"), ("A-2", "c1@1")):
        put(house, seat)
        house.put_mirror(seat, field)
    with house.one_change(A_1=f"h0@1:{hold.deadline}"):
        house.acquire("A-1", token=T1)
    assert house.refused("A-2", holder="cy") == {"A-2": ("sold", None, False, False)}
    house.put_mirror("A-1", "c0@1")
    with house.one_change(A_1="c0@1"):
        assert house.locker.release(hold).released == ("A-1",)
    with house.one_change(A_2="c1@1"):
        assert house.locker.cancel(booking).cancelled == ("A-2",)
    house.drop_lock("B-2")
    put(house, "B-2")
    assert house.refused("B-2", channel="partner") == {"B-2": ("sold", None, False, True)}


@scenario
def channels_and_plans(house: House) -> None:
    house.open()
    put(house, "A-1", "A-2", "B-1", "B-2")
    house.acquire("A-2", channel="partner", ttl=60)
    assert outcome(house, PLAN) == (False, 0, 0, 6)
    assert [house.mirror(seat) for seat in ("A-1", "B-1", "B-2")] == ["c0@1", "b0@1", "s1@1"]
    house.advance(61)
    assert outcome(house, PLAN) == (False, 0, 1, 5)
    assert house.mirror("A-2") == "c1@1"
    house.put_mirror("B-2", "c1@1")  # a warm that was cut off
    assert outcome(house, PLAN) == (False, 0, 1, 5)
    assert house.mirror("B-2") == "s1@1"


@scenario
def limits_know_nothing_of_channels(house: House) -> None:
    house.open(limit=3, limits={"y": 1})
    put(house, "A-1", "A-2")
    hold = house.acquire("A-1", token=T1, channel="partner")
    assert listed(house) == {"A-1": house.held(0, 600)}
    with house.one_change(A_1="s0@1"):
        booking = house.locker.confirm(hold)
    put(house, "A-1", channel="agency")
    assert house.mirror("A-1") == "s0@2"
    with house.unchanged():
        assert house.locker.confirm(hold).id == booking.id
    assert listed(house) == {"A-1": "s0"}
    assert over(house, "A-2", "A-3", channel="partner") == (1, 0, "y")
    second = house.acquire("A-2", token=T2, channel="partner")
    assert over(house, "A-3") == (1, 1, "y")
    longer = house.locker.extend(second, ttl=900)
    assert listed(house) == {"A-1": "s0", "A-2": house.held(1, 900)}
    # a lock that was lost is no reason to strike a seat, whatever its channel
    house.drop_lock("A-2")
    put(house, "A-2", channel="agency")
    house.locker.release(longer)
    assert listed(house).keys() == {"A-1", "A-2"}
    house.put_mirror("A-2", "c1@2")
    house.locker.release(longer)
    assert listed(house) == {"A-1": "s0"}
    house.locker.cancel(booking)
    assert listed(house) == {}


@scenario
def seats_of_a_channel_freed_by_force(house: House) -> None:
    house.open()
    put(house, "A-1", "A-2")
    house.acquire("A-1", "A-4", token=T1, channel="partner")
    hold = house.acquire("A-2", holder="bo", token=T2, channel="partner")
    house.put_mirror("A-2", "c1@1")  # it fell behind
    assert house.locker.check(house.show).counts["channel"] == 1
    with house.one_change(A_1="c0@1", A_4="f0", A_2="c1@1"):
        assert set(house.force("A-1", "A-4", "A-2").values()) == {"released"}
    assert house.failing(HoldLost, lambda: house.locker.extend(hold, ttl=60)).reason == "released"
    checked = house.locker.check(house.show)
    assert checked.sound
    assert (checked.counts["free"], checked.counts["channel"]) == (2, 2)


@scenario
def the_best_seats_are_the_publics(house: House) -> None:
    house.open()
    put(house, "A-1")
    with house.unchanged():
        none_free = house.best(("A-1",))
    assert none_free.in_the_way == ("A-1",)
    assert house.best(("A-1",), ("A-4",)).seats == ("A-4",)


@scenario
def the_best_seats_of_a_channel(house: House) -> None:
    house.open()
    put(house, "A-1", "A-2")
    put(house, "A-3", channel="agency")
    with house.unchanged():
        assert house.best(("A-1", "A-2"), ("A-4", "A-2")).in_the_way == ("A-1", "A-2")
        assert house.best(("A-1", "A-2"), channel="agency").in_the_way == ("A-1",)
        assert house.best(("A-1", "A-2"), channel="nobody").in_the_way == ("A-1",)
        assert house.best(("A-2", "A-3"), channel="partner").in_the_way == ("A-3",)
    with house.one_change(A_4=house.held(0, 60), A_1=house.held(0, 60).of_channel(1)):
        hold = house.best(("A-3", "A-4"), ("A-1", "A-4"), channel="partner", ttl=60)
    assert hold.seats == ("A-1", "A-4")
    assert house.best(("A-1",), channel="partner", token=T2).in_the_way == ("A-1",)
    with house.one_change(A_1="c0@1", A_4="f0"):
        house.locker.release(hold)
    assert house.best(("A-1",), token=T2).in_the_way == ("A-1",)


@scenario
def a_best_set_whose_hold_ran_out_is_its_channels(house: House) -> None:
    house.open()
    put(house, "A-1", "A-2")
    house.acquire("A-1", "A-2", holder="bo", ttl=60, token=T2, channel="partner")
    house.advance(61)
    with house.unchanged():
        assert house.best(("A-1", "A-2")).in_the_way == ("A-1",)
    assert house.best(("A-1", "A-2"), channel="partner").seats == ("A-1", "A-2")


@scenario
def requests_for_the_best_name_their_channels(house: House) -> None:
    house.open()
    put(house, "A-1", "A-2")
    sets = (("A-1",), ("A-2",))
    first, second = house.bests((sets, "ada", 60, T1), (sets, "bo", 60, T2), channel="partner")
    assert first.in_the_way == ("A-1", "A-2")
    assert second.seats == ("A-1",)
    ask = commands.acquire_best("seatlock", house.show, [("A-2",)], "ada", 60_000, T1, minted=False, channel="partner")
    operation = commands.of_asks("seatlock", [ask])
    assert operation.args[-1] == b"c 1 partner"
    for wrong in (b"", b"c 1", b"c 2 partner", b"c 0 partner", b"p 1 1 1"):
        operation.args[-1] = wrong
        with house.unchanged():
            error = house.failing(ScriptFailed, lambda: house.run(operation))
        assert "SEATLOCK an argument " in str(error), wrong


@scenario
def the_same_best_seats_of_a_channel_again(house: House) -> None:
    house.open()
    put(house, "A-1", "A-2")
    sets = (("A-1", "A-2"), ("A-3", "A-4"))
    hold = house.best(*sets, channel="partner")
    assert hold.seats == ("A-1", "A-2")
    with house.unchanged():  # what is held already needs no channel
        assert house.best(*sets).fence == house.best(*sets, channel="agency").fence == hold.fence
    house.locker.release(hold)
    with house.unchanged():
        assert house.best(*sets) == Noted(("A-1", "A-2"))
    assert house.best(*sets, channel="partner").fence == hold.fence + 1


@scenario
def the_best_of_a_channel_within_the_limits(house: House) -> None:
    house.open(limit=2)
    put(house, "A-1", "A-2", "A-3")
    hold = house.best(("A-1", "A-2"), channel="partner")
    assert listed(house) == {"A-1": house.held(0, 600), "A-2": house.held(1, 600)}
    answer = house.failing(HolderLimitExceeded, lambda: house.best(("A-3",), channel="partner", token=T2))
    assert (answer.limit, answer.held) == (2, 2)
    assert house.best(("A-3",), token=T2).in_the_way == ("A-3",), "what is not free comes before what is too many"
    house.locker.release(hold)
    assert house.best(("A-3",), channel="partner", token=T2).seats == ("A-3",)
