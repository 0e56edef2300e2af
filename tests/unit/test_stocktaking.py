"""Taking stock while a sale is running: what is added up of several moments is never told as wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from seatlock import PoolDifference
from seatlock._pools import Stock
from seatlock._reads import Changes
from seatlock._stocktaking import LOOKS, Entry, Found, Stocktaking, take_stock

Counts = tuple[int, int, int]


def claim(holder: str, quantity: int, place: int = 1) -> Entry:
    return Entry(place, "claim", holder, quantity, 60.0, 2**40 + 1, None, None)


def sale(fence: int, quantity: int) -> Entry:
    return Entry(1, "sale", "ada", quantity, None, fence, "bk", None)


def step(
    version: int, *entries: Entry, counts: Counts = (10, 2, 0), cursor: bytes = b"0", pools: Sequence[str] = ("floor",)
) -> Found:
    return Found((1, version), cursor, tuple(pools), (counts,) * len(pools), entries)


def changes(*batches: tuple[int, dict[str, bytes]], epoch: int = 1) -> Changes:
    return Changes("open", epoch, batches[-1][0], 0, None, None, Stock((), {}), list(batches))


def taken(*answers: Any) -> Stocktaking:
    """What stocktaking comes to if the server answers like this."""
    waiting: Iterator[Any] = iter(answers)
    procedure = take_stock("seatlock", "show")
    answer: Any = None
    try:
        while True:
            procedure.send(answer)
            answer = next(waiting)
    except StopIteration as stop:
        assert next(waiting, None) is None, "not all was asked for"
        return stop.value


NAMES = ("floor",)
WRONG = PoolDifference("floor", "counts", "2 held and 0 sold are counted; its claims add up to 1, its sales to 0")


def test_sums_are_right_at_once() -> None:
    assert taken(NAMES, step(5, claim("ada", 2))) == Stocktaking((), ())


def test_a_show_without_pools() -> None:
    assert taken((), step(5, pools=())) == Stocktaking((), ())


def test_what_is_wrong_is_found_twice_before_it_is_told() -> None:
    assert taken(NAMES, step(5, claim("ada", 1)), step(5, claim("ada", 1))) == Stocktaking((WRONG,), ())
    assert taken(NAMES, step(5, claim("ada", 1)), step(5, claim("ada", 2))) == Stocktaking((), ())


def test_that_it_is_wrong_by_as_much_counts_not_how_much_there_is() -> None:
    told = taken(NAMES, step(5, claim("ada", 1)), step(6, claim("bo", 4), counts=(10, 5, 0)))
    assert told.differences == (
        PoolDifference("floor", "counts", "5 held and 0 sold are counted; its claims add up to 4, its sales to 0"),
    )


def test_what_comes_by_again_counts_once() -> None:
    first = step(5, claim("ada", 2), sale(7, 3), cursor=b"9", counts=(10, 2, 3))
    last = step(5, sale(7, 3), claim("ada", 2), counts=(10, 2, 3))
    assert taken(NAMES, first, last) == Stocktaking((), ())


def test_a_pool_that_changed_meanwhile_is_looked_at_again() -> None:
    moved = changes((6, {"A-1": b"f0"}), (7, {"pool\nfloor": b"10 2 0"}))
    walk = [step(5, claim("ada", 1), cursor=b"9"), step(7), moved]
    assert taken(NAMES, *walk, step(8, claim("bo", 2))) == Stocktaking((), ())
    assert taken(NAMES, *walk * LOOKS) == Stocktaking((), ("floor",))
    by_chance = [step(5, claim("ada", 2), cursor=b"9"), step(7), moved]
    assert taken(NAMES, *by_chance * LOOKS) == Stocktaking((), ("floor",))


def test_where_others_changed_meanwhile_it_is_certain() -> None:
    others = changes((6, {"A-1": b"f0", "pool\nbal cony": b"3 0 0", "": b"open"}))
    walk = [step(5, claim("ada", 1), cursor=b"9"), step(6), others]
    assert taken(NAMES, *walk, *walk) == Stocktaking((WRONG,), ())


@pytest.mark.parametrize(
    "told",
    [
        changes((7, {"A-1": b"f0"})),  # the stream was cut
        changes((6, {"": b"plan"})),
        changes((6, {"A-1": b"f0"}), epoch=2),
    ],
)
def test_where_it_is_not_known_what_changed_nothing_is_told(told: Changes) -> None:
    walk = [step(5, claim("ada", 1), cursor=b"9"), step(6), told]
    assert taken(NAMES, *walk * LOOKS) == Stocktaking((), ("floor",))


def test_an_epoch_that_was_raised_meanwhile() -> None:
    raised = Found((2, 0), b"0", NAMES, ((10, 2, 0),), ())
    assert taken(NAMES, step(5, claim("ada", 1), cursor=b"9"), raised, step(5, claim("ada", 2))).differences == ()


def test_pools_that_were_changed_meanwhile_are_read_anew() -> None:
    both = ("floor", "bal cony")
    whole = step(6, claim("ada", 2), claim("bo", 2, place=2), pools=both)
    assert taken(NAMES, step(5, claim("ada", 1), cursor=b"9"), step(6, pools=both), whole) == Stocktaking((), ())
    others = [step(5, pools=(f"pool {number}",)) for number in range(LOOKS)]
    assert taken(NAMES, *others).unsettled == (f"pool {LOOKS - 1}",)


def test_of_several_pools_each_is_settled_by_itself() -> None:
    both = ("floor", "bal cony")
    walk = step(5, claim("ada", 2), claim("bo", 1, place=2), pools=both)
    told = taken(both, walk, walk)
    assert [each.pool for each in told.differences] == ["bal cony"]
    moved = changes((6, {"pool\nfloor": b"10 2 0"}))
    parts = step(5, claim("bo", 1, place=2), pools=both, cursor=b"9"), step(6, pools=both), moved
    told = taken(both, *parts * LOOKS)
    assert ([each.pool for each in told.differences], told.unsettled) == (["bal cony"], ("floor",))
