"""Warming loads a plan and never opens, never frees, never changes what is held or sold; it may be repeated."""

from __future__ import annotations

import time
from typing import Any

import pytest

from seatlock import InvalidPlan, PlanConflict, SaleNotOpen, Seat, SeatingPlan, ShowNotFound, UnknownSeats, Warmed
from tests.support.lockers import Interrupted, cut_off_after
from tests.support.stage import SEATS, Stage, only_on


def test_warming_tells_what_it_did(stage: Stage) -> None:
    assert stage.locker.warm(stage.show, SEATS) == Warmed(stage.show, created=True, added=5, changed=0, kept=0)
    assert stage.locker.warm(stage.show, SEATS) == Warmed(stage.show, created=False, added=0, changed=0, kept=5)


@pytest.mark.parametrize(
    "plan",
    [
        list(SEATS),
        iter(SEATS),
        [Seat(seat, section="S") for seat in SEATS],
        SeatingPlan.of(SEATS, name="house"),
    ],
    ids=["ids", "iterator", "seats", "plan"],
)
def test_what_a_plan_may_be(stage: Stage, plan: Any) -> None:
    if not isinstance(plan, list | SeatingPlan):
        plan = iter(SEATS)  # the parameter is shared by all stages, and can be read once only
    stage.open(plan)
    assert tuple(stage.locker.availability(stage.show).seats) == SEATS


def test_a_plan_with_every_status(stage: Stage) -> None:
    stage.open([Seat("A-1"), Seat("B-1", status="blocked"), Seat("S-1", status="sold")])
    found = stage.locker.availability(stage.show)
    assert dict(found.seats) == {"A-1": "free", "B-1": "blocked", "S-1": "sold"}
    assert stage.outbox() == [], "what was sold elsewhere is no fact of ours"


def test_warming_again_changes_nothing_that_is_sold(stage: Stage) -> None:
    stage.open()
    held, sold = stage.acquire("A-1"), stage.acquire("A-2")
    stage.locker.confirm(sold)
    before = stage.mirrors()
    stage.locker.warm(stage.show, SEATS)
    assert stage.mirrors() == before
    assert stage.locker.availability(stage.show).status == "open", "it does not close a sale either"
    assert stage.locker.confirm(held).seats == ("A-1",)


def test_warming_again_with_new_seats(stage: Stage) -> None:
    stage.open()
    hold = stage.acquire("A-1")
    again = stage.locker.warm(stage.show, [*SEATS, "B-1", Seat("B-2", status="blocked")])
    assert (again.created, again.added, again.changed, again.kept) == (False, 2, 0, 5)
    assert stage.acquire("B-1", holder="bo").seats == ("B-1",)
    assert stage.locker.availability(stage.show).seats["B-2"] == "blocked"
    assert stage.locker.confirm(hold).seats == ("A-1",)


def test_new_seats_are_in_the_change_stream(stage: Stage) -> None:
    stage.open()
    version = stage.version()
    stage.locker.warm(stage.show, [*SEATS, "B-1"])
    assert [fields for _, fields in stage.changes(version)] == [{"B-1": "f0"}, {"": "plan"}]


@pytest.mark.parametrize("status", ["blocked", "sold"])
def test_what_is_off_sale_never_becomes_free_by_warming(stage: Stage, status: Any) -> None:
    stage.open(["A-1", Seat("A-2", status=status)])
    stage.locker.warm(stage.show, ["A-1", "A-2"])
    assert stage.locker.availability(stage.show).seats["A-2"] == status


@pytest.mark.parametrize(("status", "state"), [("blocked", "blocked"), ("sold", "sold")])
def test_a_free_seat_can_go_off_sale(stage: Stage, status: Any, state: str) -> None:
    stage.open()
    again = stage.locker.warm(stage.show, [Seat("A-1", status=status), *SEATS[1:]])
    assert (again.changed, again.kept) == (1, 4)
    assert stage.locker.availability(stage.show).seats["A-1"] == state
    assert stage.locker.inspect(stage.show, ["A-1"])[0].consistent


@pytest.mark.parametrize("sold", [False, True], ids=["held", "sold"])
@pytest.mark.parametrize(
    "changed",
    [Seat("A-1", status="blocked"), Seat("A-1", category="gold"), None],
    ids=["status", "category", "dropped"],
)
def test_a_seat_that_is_held_or_sold_is_not_changed_nor_anything_else(
    stage: Stage, changed: Seat | None, *, sold: bool
) -> None:
    stage.open()
    hold = stage.acquire("A-1")
    if sold:
        stage.locker.confirm(hold)
    before = stage.everything()
    with pytest.raises(PlanConflict, match="'A-1'") as conflict:
        stage.locker.warm(stage.show, ["B-1", *SEATS[1:], *([changed] if changed else [])])
    assert conflict.value.conflicts == {"A-1": ("sold" if sold else "held") if changed else "not in the plan"}
    assert stage.everything() == before


def test_what_is_held_cannot_be_called_sold(stage: Stage) -> None:
    stage.open()
    stage.acquire("A-1")
    with pytest.raises(PlanConflict):
        stage.locker.warm(stage.show, [Seat("A-1", status="sold"), *SEATS[1:]])


def test_a_free_seat_is_not_dropped_either(stage: Stage) -> None:
    stage.open()
    with pytest.raises(PlanConflict) as conflict:
        stage.locker.warm(stage.show, SEATS[1:])
    assert conflict.value.conflicts == {"A-1": "not in the plan"}


def test_an_unusable_plan_is_refused_before_anything_is_sent(stage: Stage) -> None:
    locker, client = stage.watched()
    for plan in ([], ["A-1", "A-1"], [""], ["A\n1"], ["x" * 129], [1], "A-1", None, 7, [Seat("A-1", status="gone")]):  # type: ignore[arg-type]
        with pytest.raises(InvalidPlan):
            locker.warm(stage.show, plan)
    assert (client.sent, stage.keys()) == ([], set())


def test_progress_is_told(stage: Stage) -> None:
    told: list[tuple[int, int]] = []
    seats = [f"S-{number}" for number in range(1000)]
    stage.locker.warm(stage.show, seats, progress=lambda done, of: told.append((done, of)))
    assert told == [(400, 1000), (800, 1000), (1000, 1000)]


@pytest.mark.parametrize("commands", [3, 4, 5])
def test_a_warm_that_was_cut_off_sells_nothing_and_can_be_repeated(stage: Stage, commands: int) -> None:
    seats = [f"S-{number}" for number in range(801)]
    locker, client = stage.watched()
    client.before = cut_off_after(commands)
    with pytest.raises(Interrupted):
        locker.warm(stage.show, seats)
    assert len(stage.mirrors()) in (0, 400, 800), "the fault fired in the middle"
    with pytest.raises(ShowNotFound):
        stage.acquire("S-0")
    assert stage.open(seats)
    assert stage.locker.availability(stage.show).counts["free"] == 801


def test_after_a_cut_another_plan_is_refused_until_the_rest_is_retired(stage: Stage) -> None:
    locker, client = stage.watched()
    client.before = cut_off_after(5)
    with pytest.raises(Interrupted):
        locker.warm(stage.show, ["A-1", Seat("A-2", status="sold")])
    assert len(stage.mirrors()) == 2
    with pytest.raises(PlanConflict, match="retire"):
        stage.locker.warm(stage.show, ["B-1"])
    stage.locker.retire(stage.show)
    assert stage.keys() == set()
    stage.open(["B-1"])
    assert tuple(stage.locker.availability(stage.show).seats) == ("B-1",)


def test_after_data_was_lost_warming_again_sells_nothing_by_itself(stage: Stage) -> None:
    stage.open()
    stage.locker.confirm(stage.acquire("A-1"))
    stage.raw.delete(*stage.keys())
    stage.locker.warm(stage.show, SEATS)
    with pytest.raises(SaleNotOpen):
        stage.acquire("A-1")


@only_on("redis-7", "fakeredis")
def test_another_lockers_warm_is_noticed(stage: Stage) -> None:
    plan = [Seat("A-1", section="A", category="gold"), Seat("B-1", section="B", category="silver")]
    stage.open(plan)
    other = stage.other_locker()
    assert other.inspect(stage.show, ["B-1"])[0].category == "silver"
    with pytest.raises(UnknownSeats, match="'A', 'B'"):
        other.availability(stage.show, section="C")
    stage.open([Seat("C-1", section="C", category="bronze"), *plan])
    assert other.availability(stage.show, section="C").free == ("C-1",)
    third = stage.other_locker()
    third.availability(stage.show)
    stage.open([Seat("C-1", section="C", category="bronze"), *plan[::-1]])
    assert third.inspect(stage.show, ["A-1"])[0].category == "gold"
    assert tuple(other.availability(stage.show).seats) == ("C-1", "B-1", "A-1")


@only_on("redis-7", colours=["sync"])
def test_a_hundred_thousand_seats_are_warmed_in_a_few_seconds(stage: Stage, record_property: Any) -> None:
    seats = [f"S-{number}" for number in range(100_000)]
    started = time.monotonic()
    warmed = stage.locker.warm(stage.show, seats)
    took = time.monotonic() - started
    record_property("seconds", round(took, 2))
    assert warmed.added == 100_000
    assert took < 30, "it takes about two seconds on an idle machine"
    assert stage.locker.availability(stage.show).counts["free"] == 100_000
    stage.locker.retire(stage.show)


def test_categories_keep_their_numbers_when_a_plan_lists_them_in_another_order(stage: Stage) -> None:
    best = [Seat("A-1", category="best"), Seat("A-2", category="rest")]
    stage.locker.warm(stage.show, best)
    stage.locker.open_sale(stage.show)
    stage.locker.acquire(stage.show, ["A-1"], holder="ada")
    assert stage.locker.warm(stage.show, best[::-1]).changed == 0
    assert [state.category for state in stage.locker.inspect(stage.show, ["A-1", "A-2"])] == ["best", "rest"]
    with pytest.raises(PlanConflict):
        stage.locker.warm(stage.show, [Seat("A-1", category="rest"), Seat("A-2", category="best")])


def test_seats_without_a_section_can_be_read_alone(stage: Stage) -> None:
    stage.locker.warm(stage.show, [Seat("A-1", section="hall"), Seat("A-2")])
    assert stage.locker.availability(stage.show, section="").free == ("A-2",)
