"""Reconcile: every way in which Redis and the ledger can differ, what is mended, and what is left and told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from seatlock import Booking, InvalidRequest, SeatLockError, ShowNotFound, _standing
from seatlock.checkout import _loading
from seatlock.errors import LedgerUnavailable
from seatlock.reconcile import Reconciled, Reconciler, _booked, _steps
from tests.checkout.counter import SEATS, Counter
from tests.ledger.databases import claim
from tests.support.strict import finalise, pin


@pytest.fixture(params=["sqlite", "postgresql"])
def shop(request: pytest.FixtureRequest, counter_of: Callable[..., Counter]) -> Counter:
    """A counter over each ledger, its show open."""
    return counter_of("sync", request.param).open(pools={"floor": 5})


def one_pass(counter: Counter, *, pin_age: float = 60.0, **kinds: int) -> Reconciled:
    """Make a pass that finds exactly this, after one that looks and changes nothing; another one finds no more."""
    reconciler = Reconciler(counter.plain, counter.ledger, pin_age=pin_age)
    before = counter.states(), counter.sold(), counter.entries()
    looked = reconciler.compare(counter.show)
    assert (counter.states(), counter.sold(), counter.entries()) == before
    assert not any(mismatch.mended for mismatch in looked.mismatches)
    done = reconciler.one_pass(counter.show)
    assert dict(done.kinds) == kinds, done.mismatches
    return done


def forget(counter: Counter, *seats: str) -> None:
    """Have Redis forget that seats are sold, as a failover does."""
    counter.raw.delete(*(counter.key(f"lock:{seat}") for seat in seats))
    counter.raw.hset(counter.key("seats"), mapping=dict.fromkeys(seats, "f0"))


def buy(counter: Counter, *seats: str, **options: Any) -> Booking:
    booking: Booking = counter.checkout.confirm(counter.acquire(*seats, **options), payment="pay")
    return booking


def test_nothing_differs(shop: Counter) -> None:
    buy(shop, "A-1", "A-2", pools={"floor": 2})
    shop.acquire("A-3")
    pin(shop.plain, shop.acquire("A-4", holder="bo"))
    seen: list[tuple[int, int]] = []
    done = Reconciler(shop.plain, shop.ledger).one_pass(shop.show, progress=lambda *now: seen.append(now))
    assert (dict(done.kinds), done.mismatches, done.alarming) == ({}, (), False)
    assert (done.sold, done.booked, done.waiting, done.unread) == (4, 5, 1, 2)
    assert seen == [(0, 1), (1, 1)]


def test_what_redis_lost_is_sold_again(shop: Counter) -> None:
    lost = [buy(shop, "A-1", "A-2"), buy(shop, "A-3", holder="bo"), buy(shop, "A-4", holder="cy")]
    kept = buy(shop, "A-5", holder="dan", pools={"floor": 2})
    forget(shop, "A-1", "A-2", "A-3", "A-4")
    shop.acquire("A-3", holder="eve")
    pinned = pin(shop.plain, shop.acquire("A-4", holder="fay"))
    done = one_pass(shop, unsold=3)
    assert not done.alarming
    expected = {seat: ("sold", booking.id) for booking in [*lost, kept] for seat in booking.seats}
    assert shop.states() == expected
    told = [entry["booking"] for entry in shop.entries() if entry["kind"] == "recorded"]
    assert sorted(told) == sorted(booking.id for booking in lost)
    shop.ledger.decide(claim(shop.show, pinned.booking, ["A-4"]))
    assert not one_pass(shop).kinds
    shop.sound()


def test_pins_that_are_decided_are_finalised(shop: Counter) -> None:
    sold, refused, cancelled = (pin(shop.plain, shop.acquire(seat, holder=seat)) for seat in SEATS[:3])
    shop.ledger.decide(replace(claim(shop.show, sold.booking, ["A-1"]), fence=sold.fence))
    shop.ledger.tombstone([claim(shop.show, refused.booking, ["A-2"])], reason="no")
    shop.ledger.cancel(shop.show, cancelled.booking, by="eve")
    done = one_pass(shop, unfinalised=1, released=2)
    assert not done.alarming
    assert shop.states() == {"A-1": ("sold", sold.booking)}
    shop.sound()


def test_a_booking_that_was_cancelled_while_redis_was_away_comes_free(shop: Counter) -> None:
    first = buy(shop, "A-1", "A-2", pools={"floor": 2})
    shop.ledger.cancel(shop.show, first.id, by="eve")
    assert not one_pass(shop, released=1).alarming
    assert shop.states() == {}
    assert shop.entries()[-1]["kind"] == "recorded"
    shop.sound()


def test_a_pin_that_nobody_knows_of_is_told_again(shop: Counter) -> None:
    hold = shop.acquire("A-1", "A-2", pools={"floor": 2})
    pinned = pin(shop.plain, hold)
    only = pin(shop.plain, shop.acquire(holder="bo", pools={"floor": 1}))
    before = shop.entries()
    shop.raw.xtrim(shop.key("outbox"), maxlen=0)
    assert one_pass(shop).waiting == 2  # they may be on their way still
    done = one_pass(shop, pin_age=0.001, forgotten=2)
    assert not done.alarming
    assert sorted(shop.entries(), key=str) == sorted(before, key=str)
    assert one_pass(shop, pin_age=0.001).waiting == 2
    assert shop.checkout.confirm(hold, payment="pay").status == "confirmed"
    shop.ledger.decide(replace(claim(shop.show, only.booking, [], pools={"floor": 1}, holder="bo"), fence=only.fence))
    assert not one_pass(shop, pin_age=0.001).kinds
    assert pinned.booking in shop.sold().values()
    shop.sound()


def test_what_is_sold_and_on_no_record_stays_sold_and_is_told(shop: Counter) -> None:
    pinned = pin(shop.plain, shop.acquire("A-1"))
    known = Booking(pinned.booking, shop.show, ("A-1",), "ada", "pay", pinned.fence, 1.0)
    finalise(shop.plain, known)
    assert one_pass(shop).waiting == 1  # the outbox tells of it
    shop.raw.xtrim(shop.key("outbox"), maxlen=0)
    done = one_pass(shop, orphan=1, pin_age=0.001)
    assert done.alarming
    assert done.mismatches[0].booking == pinned.booking
    assert shop.states() == {"A-1": ("sold", pinned.booking)}


def test_a_lost_lock_is_told(shop: Counter) -> None:
    booking = buy(shop, "A-1")
    pin(shop.plain, shop.acquire("A-2", holder="bo"))
    shop.raw.delete(shop.key("lock:A-1"), shop.key("lock:A-2"))
    done = one_pass(shop, unsold=1, orphan=1)
    assert shop.states()["A-1"] == ("sold", booking.id)
    assert "A-2" in done.mismatches[-1].detail


def test_redis_sold_it_to_another(shop: Counter) -> None:
    first = buy(shop, "A-1", "A-2")
    forget(shop, "A-1", "A-2")
    other = pin(shop.plain, shop.acquire("A-1", holder="bo"))
    finalise(shop.plain, Booking(other.booking, shop.show, ("A-1",), "bo", "pay", other.fence, 1.0))
    done = one_pass(shop, contested=1)
    assert done.alarming
    assert (done.waiting, shop.states()) == (1, {"A-1": ("sold", other.booking), "A-2": ("sold", first.id)})
    shop.ledger.tombstone([claim(shop.show, other.booking, ["A-1"])], reason="no")
    assert not one_pass(shop, unsold=1, released=1).alarming
    assert shop.states() == {"A-1": ("sold", first.id), "A-2": ("sold", first.id)}
    shop.sound()


def test_pools(shop: Counter) -> None:
    kept = buy(shop, pools={"floor": 2})
    lost = claim(shop.show, "bk-lost", [], holder="bo", pools={"floor": 3}, fence=2**40 + 777)
    assert shop.ledger.decide(lost).status == "confirmed"
    shop.acquire("A-1", holder="cy", pools={"floor": 3})
    done = one_pass(shop, contested=1)  # until that hold has ended
    assert done.alarming
    shop.plain.force_release(shop.show, [], pools=["floor"], holder="cy", by="eve", reason="sold before")
    assert not one_pass(shop, unsold=1).alarming
    shop.sound()
    shop.ledger.cancel(shop.show, kept.id, by="eve")
    assert not one_pass(shop, released=1).alarming
    shop.sound()
    shop.plain.warm(shop.show, SEATS, checkout="strict", pools={"floor": 9, "balcony": 1})
    assert not one_pass(shop, capacity=2).alarming
    assert {name: pool.capacity for name, pool in shop.ledger.pools(shop.show).items()} == {"floor": 9, "balcony": 1}
    shop.sound()


def test_seats_and_pools_that_the_show_does_not_have(shop: Counter) -> None:
    shop.ledger.set_pools(shop.show, {"gone": 4})
    shop.ledger.decide(claim(shop.show, "bk-odd", ["A-1", "Z-1"], pools={"gone": 1}))
    done = one_pass(shop, unplanned=1)
    assert done.alarming
    assert done.mismatches[0].detail == "Z-1, gone"
    assert shop.states() == {"A-1": ("sold", "bk-odd")}


def test_epochs_that_differ(shop: Counter) -> None:
    shop.ledger.raise_epoch(shop.show)
    assert one_pass(shop, epoch=1).alarming
    shop.checkout.load(shop.show)
    assert not one_pass(shop).alarming


def test_a_fast_show(shop: Counter) -> None:
    shop.show = f"fast-{shop.show}"
    shop.plain.warm(shop.show, SEATS)
    shop.plain.open_sale(shop.show)
    first = shop.plain.confirm(shop.acquire("A-1"), payment="pay")
    second = shop.plain.confirm(shop.acquire("A-2", holder="bo"), payment="pay")
    shop.plain.confirm(shop.acquire("A-3", holder="cy"), payment="pay")
    assert one_pass(shop).waiting == 3
    for booking in (first, second):
        shop.ledger.decide(replace(claim(shop.show, booking.id, booking.seats), fence=booking.fence))
    assert one_pass(shop).waiting == 1
    shop.ledger.cancel(shop.show, second.id, by="eve")
    assert not one_pass(shop, released=1).alarming
    shop.raw.xtrim(shop.key("outbox"), maxlen=0)
    assert one_pass(shop, orphan=1).alarming
    assert shop.states().keys() == {"A-1", "A-3"}


def fast(shop: Counter) -> Counter:
    shop.show = f"fast-{shop.show}"
    shop.plain.warm(shop.show, SEATS)
    shop.plain.open_sale(shop.show)
    return shop


def test_a_token_used_again_on_a_fast_show_loses_nobodys_booking(shop: Counter) -> None:
    fast(shop)
    token = "ab" * 16
    first = shop.plain.confirm(shop.acquire("A-1", token=token), payment="pay")
    shop.plain.cancel(first)
    again = shop.plain.confirm(shop.acquire("A-1", token=token), payment="pay")
    assert again.id == first.id
    shop.drain()
    done = one_pass(shop)
    assert (done.waiting, done.aside, done.alarming) == (1, 1, True)
    assert shop.states() == {"A-1": ("sold", first.id)}
    shop.raw.delete(shop.key("aside"))
    assert one_pass(shop, orphan=1).alarming
    assert shop.states() == {"A-1": ("sold", first.id)}


def test_two_bookings_of_one_id_on_a_fast_show(shop: Counter) -> None:
    fast(shop)
    first = shop.plain.confirm(shop.acquire("A-1"), payment="pay", booking="order-1")
    shop.plain.confirm(shop.acquire("A-2", holder="bo"), payment="pay", booking="order-1")
    shop.drain()
    shop.raw.delete(shop.key("aside"))
    assert one_pass(shop, orphan=1).alarming
    shop.ledger.cancel(shop.show, first.id, by="eve")
    assert one_pass(shop, orphan=1, released=1).alarming
    assert shop.states() == {"A-2": ("sold", "order-1")}


def test_a_cancel_that_is_on_its_way_is_not_undone(shop: Counter) -> None:
    fast(shop)
    booking = shop.plain.confirm(shop.acquire("A-1"), payment="pay")
    shop.drain()
    shop.plain.cancel(booking)
    hold = shop.acquire("A-1", holder="bo")
    assert one_pass(shop).waiting == 1
    assert shop.plain.confirm(hold, payment="pay").seats == ("A-1",)
    shop.drain()
    assert not one_pass(shop).alarming


def test_a_part_of_a_pin_is_not_told_again(shop: Counter) -> None:
    pin(shop.plain, shop.acquire("A-1", "A-2"))
    shop.raw.xtrim(shop.key("outbox"), maxlen=0)
    forget(shop, "A-2")
    done = one_pass(shop, pin_age=0.001, orphan=1)
    assert done.alarming
    assert shop.entries() == []


def test_a_loop_goes_on_after_trouble(shop: Counter) -> None:
    found: list[Reconciled | SeatLockError] = []
    stop = threading.Event()

    def report(done: Reconciled | SeatLockError) -> None:
        found.append(done)
        if len(found) == 4:
            stop.set()

    reconciler = Reconciler(shop.plain, shop.ledger)
    reconciler.run(["not-warmed", shop.show], every=0.01, stop=stop, report=report)
    assert [type(each) for each in found] == [ShowNotFound, Reconciled] * 2
    stop.set()
    reconciler.run([shop.show], stop=stop, report=report)
    assert len(found) == 4
    for shows, every in (([], 1.0), (["a show"], 1.0), ([shop.show], 0.0)):
        with pytest.raises(InvalidRequest):
            reconciler.run(shows, every=every, stop=stop)


def test_a_cancel_in_the_middle_of_a_pass_is_not_undone(shop: Counter) -> None:
    booking = buy(shop, "A-1")
    forget(shop, "A-1")
    reconciler = Reconciler(shop.plain, shop.ledger)
    steps: list[str] = []

    def cancel(step: str) -> None:
        steps.append(step)
        if step == "finalise" and steps.count("finalise") == 1:
            shop.checkout.cancel(booking, by="eve")

    reconciler._watch = cancel
    done = reconciler.one_pass(shop.show)
    assert dict(done.kinds) == {"unsold": 1, "released": 1}
    assert (shop.states(), shop.sold()) == ({}, {})


def test_without_the_ledger_nothing_is_done(counter_of: Callable[..., Counter]) -> None:
    counter = counter_of("sync", "sqlite", patience=0.3).open()
    counter.ledger.close()
    with pytest.raises((LedgerUnavailable, InvalidRequest)):
        Reconciler(counter.plain, counter.ledger).one_pass(counter.show)


def test_page_by_page(shop: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in ((_loading, "PAGE"), (_booked, "PAGE"), (_booked, "STEP"), (_steps, "MOST_TOLD")):
        monkeypatch.setattr(module, name, 1)
    bookings = [buy(shop, seat, holder=seat, pools={"floor": 1}) for seat in SEATS[:3]]
    forget(shop, "A-1", "A-2")
    waiting = pin(shop.plain, shop.acquire("A-5", holder="eve"))
    done = Reconciler(shop.plain, shop.ledger).one_pass(shop.show)
    assert (dict(done.kinds), len(done.mismatches), done.waiting) == ({"unsold": 2}, 1, 1)
    loaded = shop.checkout.load(shop.show)
    assert (loaded.seats, loaded.pools, loaded.wrong) == (3, 3, ())
    shop.ledger.cancel(shop.show, waiting.booking, by="eve")
    assert Reconciler(shop.plain, shop.ledger).one_pass(shop.show).kinds == {"released": 1}
    assert set(shop.sold().values()) == {booking.id for booking in bookings}
    shop.sound()


def test_no_token_is_shown(shop: Counter) -> None:
    hold = shop.acquire("A-1", pools={"floor": 1})
    pinned = pin(shop.plain, hold)
    locks = shop.plain._run(_standing.locks("seatlock", shop.show, ["A-1", "A-2"]))
    sales = shop.plain._run(_standing.sales("seatlock", shop.show, ["floor", "balcony"], pinned.fence))
    found = shop.plain._follow(_booked.find("seatlock", shop.show))
    told = repr((locks, sales, found.bookings))
    assert pinned.booking in told
    assert hold.token not in told
    with pytest.raises(ShowNotFound):
        shop.plain._run(_standing.epoch("seatlock", "not-warmed"))
