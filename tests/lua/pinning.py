"""Scenarios of strict checkout: which shows have it, pins, and what the ledger has decided."""

from __future__ import annotations

from typing import Any

from seatlock import InvalidRequest, PlanConflict, ScriptFailed, WrongCheckout
from tests.lua.house import PLAN, T1, House
from tests.lua.scenario import scenario
from tests.lua.warming import found

# Which shows have it


@scenario
def a_show_whose_checkout_changes_before_its_first_hold(house: House) -> None:
    house.open()
    for checkout in ("strict", "strict", "fast", "strict"):
        house.locker.warm(house.show, PLAN, checkout=checkout)
        assert house.meta("checkout") == checkout
    house.acquire("A-1")
    with house.unchanged():
        error = house.failing(PlanConflict, lambda: house.locker.warm(house.show, PLAN))
        assert "warm it with checkout='strict'" in str(error)
        assert "is conflict" not in str(error)
        assert error.conflicts == {}
        house.failing(PlanConflict, lambda: house.run(found(house)))
        for wrong in ("Strict", "", None, True):
            house.failing(InvalidRequest, lambda wrong=wrong: house.locker.warm(house.show, PLAN, checkout=wrong))
        house.failing(InvalidRequest, lambda: house.locker.warm(house.show, PLAN, checkout="strict", outbox=False))
        step = found(house)
        step.args[-1] = b"other"
        assert "no checkout" in str(house.failing(ScriptFailed, lambda: house.run(step)))
    house.locker.warm(house.show, PLAN, checkout="strict")


@scenario
def a_show_that_does_not_know_its_checkout_is_fast(house: House) -> None:
    house.open()
    house.raw.hdel(house.key("meta"), "checkout")
    house.locker.confirm(house.acquire("A-1"))
    assert "fast checkout" in str(
        house.failing(PlanConflict, lambda: house.locker.warm(house.show, PLAN, checkout="strict"))
    )
    house.locker.warm(house.show, PLAN)
    assert house.meta("checkout") == "fast"


@scenario
def what_a_strict_show_refuses(house: House) -> None:
    house.open(checkout="fast")
    booking = house.locker.confirm(house.acquire("A-4", holder="bo"))
    house.raw.hset(house.key("meta"), "checkout", "strict")
    hold = house.acquire("A-1", token=T1)
    calls: list[Any] = [
        lambda: house.locker.confirm(hold, payment="pay"),
        lambda: house.locker.confirm(hold, reclaim=True),
        lambda: house.locker.cancel(booking),
    ]
    with house.unchanged():
        for call, verb in zip(calls, ("confirm", "reclaim", "cancel"), strict=True):
            error = house.failing(WrongCheckout, call)
            assert (error.show, error.checkout) == (house.show, "strict")
            assert str(error).startswith(f"{verb}: ")
            assert "StrictCheckout" in str(error)
