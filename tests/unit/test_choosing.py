"""The choice of the best seats, against a reference that looks at every set there is."""

from __future__ import annotations

import random
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from seatlock import Seat, SeatingPlan
from seatlock._choosing import NEAREST, Choice, Chooser, Wish, several
from seatlock._layout import Layout

Key = tuple[object, ...]

seats = st.lists(
    st.builds(
        lambda section, row, number, category, accessible: (section, row, number, category, accessible),
        st.sampled_from("ST"),
        st.sampled_from("AB"),
        st.integers(1, 9),
        st.sampled_from(["gold", "tin"]),
        st.sampled_from([False, False, True]),
    ),
    min_size=1,
    max_size=14,
    unique_by=lambda seat: seat[:3],
)
plans = st.builds(
    lambda found, drawn: SeatingPlan.of(
        Seat(
            f"{section}{row}-{number}", section, row, str(number), category,
            x=10 * number + 100 * (section == "T") if drawn else None, y=20 * (row == "B") if drawn else None,
            accessible=accessible,
        )
        for section, row, number, category, accessible in sorted(found)
    ),
    seats,
    st.booleans(),
)  # fmt: skip
wishes = st.builds(
    Wish,
    st.integers(1, 4),
    st.sampled_from([None, None, "S", "T"]),
    st.sampled_from([None, None, "gold", "tin"]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([None, None, True, False]),
)
steps = st.lists(
    st.tuples(st.sampled_from(["free", "take", "aside", "back", "ask"]), st.integers(0, 1000)), min_size=1, max_size=30
)


class Reference:
    """What is free and what is set aside, as plain sets of cells."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.free: set[int] = set()
        self.aside: list[tuple[int, ...]] = []

    def open(self) -> set[int]:
        """The cells that are free and not set aside."""
        return self.free.difference(*self.aside)

    def allowed(self, wish: Wish, cells: set[int]) -> list[int]:
        """The cells that a wish may get."""
        layout = self.layout
        return [
            cell
            for cell in sorted(cells)
            if wish.section in (None, layout.rows[layout.row_of[cell]].section)
            and wish.category in (None, layout.categories[cell])
            and wish.accessible in (None, layout.accessible[cell])
        ]

    def leaves_one_alone(self, chosen: tuple[int, ...], cells: set[int]) -> bool:
        """Whether a free neighbour of the set has no free neighbour without it."""
        left = cells.difference(chosen)
        beside = {cell + side for cell in chosen for side in (-1, 1)} & left
        return any(cell - 1 not in left and cell + 1 not in left for cell in beside)

    def key(self, wish: Wish, chosen: tuple[int, ...], cells: set[int]) -> Key:
        """What ranks a set: the less the better."""
        layout = self.layout
        rows = [layout.row_of[cell] for cell in chosen]
        alone = wish.avoid_orphans and self.leaves_one_alone(chosen, cells)
        away = sum(layout.away[cell] for cell in chosen)
        width = chosen[-1] - chosen[0]
        if width == wish.count - 1:
            return int(alone), rows[0], away, chosen
        if rows[0] == rows[-1]:
            return 2, width, alone, rows[0], away, chosen
        places = [layout.rows[row] for row in rows]
        if len({place.section for place in places}) == 1:
            numbers = [place.number for place in places]
            return 3, max(numbers) - min(numbers)
        return (4,)

    def ranked(self, wish: Wish, cells: set[int]) -> list[tuple[Key, tuple[int, ...]]]:
        """Every set there is, the best first."""
        allowed = self.allowed(wish, cells)
        if not wish.adjacent and wish.count > 1:
            return self.nearest(wish, allowed, cells)
        return sorted((self.key(wish, chosen, cells), chosen) for chosen in combinations(allowed, wish.count))

    def nearest(self, wish: Wish, allowed: list[int], cells: set[int]) -> list[tuple[Key, tuple[int, ...]]]:
        """The nearest seats, the next, and so on."""
        layout, count = self.layout, wish.count
        spots = sorted(allowed, key=lambda cell: (layout.row_of[cell], layout.away[cell], cell))
        slices = [tuple(sorted(spots[at : at + count])) for at in range(0, len(spots) - count + 1, count)][:NEAREST]
        ranked = [
            ((int(wish.avoid_orphans and self.leaves_one_alone(chosen, cells)), at), chosen)
            for at, chosen in enumerate(slices)
        ]
        return sorted(ranked)


def check(reference: Reference, wish: Wish, found: list[Choice], limit: int, cells: set[int]) -> None:
    """The best set is the reference's, and all that are found are sets, in order."""
    ranked = reference.ranked(wish, cells)
    assert bool(found) == bool(ranked)
    assert len(found) <= limit
    assert len({choice.cells for choice in found}) == len(found)
    keys = {chosen: key for key, chosen in ranked}
    assert all(choice.cells in keys and choice.tier == keys[choice.cells][0] for choice in found)
    if found:
        best = keys[found[0].cells]
        assert best == ranked[0][0]
        if best[0] in (0, 1):
            same = [chosen for key, chosen in ranked if key[0] in (0, 1)]
            assert [choice.cells for choice in found] == same[:limit]
        assert [keys[choice.cells] for choice in found] == sorted(keys[choice.cells] for choice in found)


@settings(max_examples=400, deadline=None)
@given(plans, wishes, wishes, steps, st.integers(1, 8))
def test_it_chooses_as_one_who_looks_at_every_set(
    plan: SeatingPlan, wish: Wish, other: Wish, todo: list[tuple[str, int]], limit: int
) -> None:
    layout = Layout(plan)
    chooser, reference = Chooser(layout), Reference(layout)
    ids = [seat.id for seat in plan.seats]
    for seat in ids:
        chooser.set_free(seat, free=True)
        reference.free.add(layout.cell_of[seat])
    for what, number in todo:
        seat = ids[number % len(ids)]
        if what == "free":
            chooser.set_free(seat, free=True)
            reference.free.add(layout.cell_of[seat])
        elif what == "take":
            chooser.set_free(seat, free=False)
            reference.free.discard(layout.cell_of[seat])
        elif what == "aside":
            cells = tuple({layout.cell_of[seat], layout.cell_of[ids[number // 7 % len(ids)]]})
            chooser.set_aside(cells)
            reference.aside.append(cells)
        elif what == "back" and reference.aside:
            chooser.put_back(reference.aside.pop(number % len(reference.aside)))
        for each in (wish, other) if what == "ask" else (wish,):
            check(reference, each, chooser.best(each, limit), limit, reference.open())
            if not chooser.best(each, limit):
                check(reference, each, chooser.best_of_all(each, limit), limit, reference.free)


def chooser_of(*rows: str) -> Chooser:
    """A chooser of rows, ``.`` free and ``x`` taken."""
    plan = SeatingPlan.of(
        [
            Seat(f"{row}-{at}", row=str(row), number=str(at))
            for row, cells in enumerate(rows)
            for at in range(len(cells))
        ]
    )
    chooser = Chooser(Layout(plan))
    for row, cells in enumerate(rows):
        for at, cell in enumerate(cells):
            chooser.set_free(f"{row}-{at}", free=cell == ".")
    return chooser


def best(chooser: Chooser, count: int, **named: bool) -> str:
    """The best set, by the seats' names."""
    found = chooser.best(Wish(count, **named), 1)
    return " ".join(chooser.layout.seats[cell] for cell in found[0].cells) if found else ""


def test_the_middle_of_the_first_row_comes_first() -> None:
    assert best(chooser_of(".......", "......."), 3) == "0-2 0-3 0-4"


def test_no_single_seat_is_left_alone_unless_there_is_no_other_way() -> None:
    chooser = chooser_of("...", "....")
    assert best(chooser, 2) == "1-0 1-1"
    assert best(chooser, 2, avoid_orphans=False) == "0-0 0-1"
    assert best(chooser_of("...", "x.x"), 2) == "0-0 0-1"


def test_a_single_seat_that_is_alone_already_is_the_best_for_one() -> None:
    assert best(chooser_of("..x.x"), 1) == "0-3"


def test_seats_that_do_not_adjoin_are_as_close_as_can_be() -> None:
    assert best(chooser_of(".x.xxx.x", ".xx.xxxx"), 2) == "0-0 0-2"
    assert best(chooser_of(".xx", ".xx", "xx."), 2) == "0-0 1-0"
    assert best(chooser_of(".xx", "xxx"), 2) == ""


def test_with_more_wishes_than_are_kept_it_goes_on() -> None:
    chooser = chooser_of("." * 30)
    for count in (*range(1, 25), *range(1, 25)):
        assert len(chooser.best(Wish(count), 1)) == 1
    assert len(chooser._rankings) == 16


def test_a_large_house_that_fills_up_row_by_row() -> None:
    """Every set is asked for as another is taken: no seat twice, no set forgotten, pairs as long as there are any."""
    chance = random.Random(5)
    chooser = chooser_of(*("".join(chance.choice(".x") for _ in range(40)) for _ in range(25)))
    layout, wish = chooser.layout, Wish(2)
    free = {cell for cell in range(len(layout.seats)) if chooser._free[cell]}
    tiers: list[int] = []
    while found := chooser.best(wish, 1):
        (choice,) = found
        assert free.issuperset(choice.cells)
        free.difference_update(choice.cells)
        tiers.append(choice.tier)
        if chance.random() < 0.5:
            chooser.set_aside(choice.cells)
        else:
            for cell in choice.cells:
                chooser.set_free(layout.seats[cell], free=False)
    assert len(free) < 2
    assert tiers[-1] > 1 > tiers[0]


def test_by_chance_among_the_best_only_and_never_a_seat_twice() -> None:
    ranked = [Choice(0, (4, 5)), Choice(0, (5, 6)), Choice(0, (8, 9)), Choice(1, (1, 2)), Choice(1, (11, 12))]
    assert several(ranked, 2, None) == [ranked[0], ranked[2]]
    assert several(ranked, 9, None) == [ranked[0], ranked[2], ranked[3], ranked[4]]
    drawn = {tuple(choice.cells for choice in several(ranked, 2, random.Random(seed))) for seed in range(50)}
    assert {first for first, *_ in drawn} == {(4, 5), (5, 6), (8, 9)}
    assert all(set(cells) <= {(4, 5), (5, 6), (8, 9)} for cells in drawn)
    assert several([], 2, random.Random(1)) == []
