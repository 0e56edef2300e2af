"""What a board says is free to a channel, against what a reader of the same fields would say, seat by seat."""

from __future__ import annotations

import random
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from seatlock import SeatingPlan
from seatlock._board import View
from seatlock._choosing import Chooser, Wish
from seatlock._layout import Layout
from seatlock._quotas import KEPT, Quotas
from seatlock._replies import state_of

SEATS: Final = tuple(f"A-{number}" for number in range(6))
NAMES: Final = ("partner", "agency", "walk ins")
PLAN: Final = SeatingPlan.of(SEATS)
LAYOUT: Final = Layout(PLAN)


def _field(letter: str, channel: int, deadline: int) -> bytes:
    """A field of the availability hash."""
    if letter == "f" and channel:
        letter = "c"
    return f"{letter}7{f'@{channel}' if channel else ''}{f':{deadline}' if letter == 'h' else ''}".encode()


fields = st.builds(_field, st.sampled_from("fffhhsbp"), st.integers(0, 3), st.integers(0, 20))
steps = st.lists(
    st.one_of(
        st.tuples(st.just("change"), st.dictionaries(st.sampled_from(SEATS), fields, min_size=1)),
        st.tuples(st.just("wait"), st.integers(0, 4)),
        st.tuples(st.just("ask"), st.sampled_from(("", *NAMES, "nobody"))),
        st.tuples(st.just("aside"), st.sets(st.integers(0, 5), min_size=1, max_size=2)),
        st.tuples(st.just("back"), st.integers(0, 100)),
    ),
    max_size=40,
)


def free_seats(chooser: Chooser) -> set[str]:
    """What a chooser says is free."""
    return {seat for seat, cell in LAYOUT.cell_of.items() if chooser._free[cell]}


def offered(chooser: Chooser) -> set[str]:
    """What a chooser offers: what is free and not set aside."""
    return {LAYOUT.seats[cell] for choice in chooser.best(Wish(1), 100) for cell in choice.cells}


@settings(max_examples=400, deadline=None)
@given(steps)
def test_every_channel_is_told_what_a_reader_would_see(todo: list[tuple[str, object]]) -> None:
    view = View(PLAN, LAYOUT)
    view.channels = NAMES
    found: dict[str, bytes] = dict.fromkeys(SEATS, b"f7")
    view.take_in(found)
    now = 0
    aside: list[tuple[int, ...]] = []
    for what, given_ in todo:
        if what == "change":
            assert isinstance(given_, dict)
            found |= given_
            view.take_in(given_)
            view.arrive((1, 1), now)
        elif what == "wait":
            assert isinstance(given_, int)
            now += given_
            view.arrive((1, 1), now)
        elif what == "aside":
            assert isinstance(given_, set)
            aside.append(tuple(LAYOUT.cell_of[SEATS[at]] for at in given_))
            view.quotas.set_aside(aside[-1])
        elif what == "back" and aside:
            assert isinstance(given_, int)
            view.quotas.put_back(aside.pop(given_ % len(aside)))
        elif what == "ask":
            assert isinstance(given_, str)
            number = NAMES.index(given_) + 1 if given_ in NAMES else None
            expected = {seat for seat, field in found.items() if state_of(field, now, number) == "free"}
            chooser = view.chooser(given_)
            assert free_seats(chooser) == expected
            kept = {LAYOUT.seats[cell] for cells in aside for cell in cells}
            assert offered(chooser) == expected - kept


def test_a_board_keeps_the_choosers_of_some_channels_only() -> None:
    """Those that were asked for last; the others are made again, and know what is set aside."""
    quotas = Quotas(LAYOUT)
    chance = random.Random(3)
    of = {seat: chance.randrange(0, 101) for seat in SEATS}
    for seat, number in of.items():
        quotas.put(LAYOUT.cell_of[seat], number, free=True)
    quotas.set_aside([LAYOUT.cell_of["A-0"]])
    quotas.set_aside([LAYOUT.cell_of["A-0"], LAYOUT.cell_of["A-1"]])
    public = quotas.chooser(0)
    for number in (*range(1, 101), *of.values()):
        chooser = quotas.chooser(number)
        assert free_seats(chooser) == {seat for seat in SEATS if of[seat] in (0, number)}
        assert offered(chooser) == free_seats(chooser) - {"A-0", "A-1"}
        assert quotas.chooser(number) is chooser
        assert len(quotas._choosers) <= KEPT
    assert quotas.chooser(0) is public
    quotas.put_back([LAYOUT.cell_of["A-0"]])
    quotas.put_back([LAYOUT.cell_of["A-0"], LAYOUT.cell_of["A-1"]])
    assert offered(quotas.chooser(of["A-0"])) >= {"A-0"}


def test_a_number_that_no_channel_can_have_is_nobodys() -> None:
    view = View(PLAN, LAYOUT)
    view.channels = NAMES
    view.take_in({"A-0": b"c7@257", "A-1": b"c7@1", "A-2": b"c7@255", "elsewhere": b"f7", "": b"open"})
    assert free_seats(view.chooser("partner")) == {"A-1"}
    assert free_seats(view.chooser("")) == set()
