"""Seating plans: what they are made of, what they answer, and how they are packed."""

from __future__ import annotations

import copy
import pickle
import string
import time
import zlib
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatlock import _plan_rules
from seatlock.errors import InvalidPlan, InvalidRequest
from seatlock.plan import Seat, SeatingPlan
from tests.support.plans import PLANS


class Text(str):
    """A str that is not quite one, as numpy and pandas give them."""

    __slots__ = ()


def house() -> SeatingPlan:
    ground = [Seat(seat, "Ground", seat[0], seat[-1], "Stalls", 1, 2) for seat in ("A-1", "A-2", "B-1")]
    upstairs = [Seat(seat, "Upstairs", "C", seat[-1], "Balcony", status="blocked") for seat in ("C-1", "C-2")]
    return SeatingPlan("House", ("Balcony", "Stalls"), (*ground, *upstairs))


def message_of(make: Callable[[], object]) -> str:
    with pytest.raises(InvalidPlan) as caught:
        make()
    return str(caught.value)


# Of ids and Seats


def test_ids_and_seats_mix() -> None:
    gold = Seat("B", category="Gold", status="sold")
    plan = SeatingPlan.of(iter(["A", gold]), name="Hall")
    assert plan.seats == (Seat("A"), gold)
    assert plan.categories == ("", "Gold")
    assert plan.name == "Hall"


def test_a_plan_is_returned_as_it_is() -> None:
    plan = SeatingPlan.of(["A"])
    assert SeatingPlan.of(plan) is plan


def test_a_set_becomes_the_same_plan_in_every_process() -> None:
    ids = {f"A-{number}" for number in range(50)}
    assert [seat.id for seat in SeatingPlan.of(ids).seats] == sorted(ids)
    assert [seat.id for seat in SeatingPlan.of(frozenset([Seat("B"), "A"])).seats] == ["A", "B"]


def test_a_subclass_of_str_becomes_a_plain_id() -> None:
    plan = SeatingPlan.of([Text("A")])
    assert type(plan.seats[0].id) is str
    assert SeatingPlan.unpack(plan.pack()) == plan


@pytest.mark.parametrize(
    ("seats", "message"),
    [
        ([], "plan: the plan has no seats; it needs at least one."),
        ("A-1", "plan: seats must be a list of seat ids or Seat objects, not str; SeatingPlan.read reads a file."),
        (b"A-1", "plan: seats must be a list of seat ids or Seat objects, not bytes; SeatingPlan.read reads a file."),
        (7, "plan: seats must be a list of seat ids or Seat objects, not int; SeatingPlan.read reads a file."),
        (None, "plan: seats must be a list of seat ids or Seat objects, not NoneType; SeatingPlan.read reads a file."),
        (["A", 7], "plan: seats[1]: must be a seat id or a Seat, not int."),
        (["A", b"B"], "plan: seats[1]: must be a seat id or a Seat, not bytes."),
        ({7, "A"}, "plan: seats[0]: must be a seat id or a Seat, not int."),
        (["A", ""], "plan: seats[1].id: seat is empty: give it at least one character."),
        (["A", "\x00"], "plan: seats[1].id: seat '\\x00' has a control character in it; remove it."),
        (["A", "\ud800"], "plan: seats[1].id: seat '\\ud800' has characters that UTF-8 cannot encode."),
        (["A", "B", "A"], "plan: seats[2].id: seat 'A' is there twice, first at seats[0].id; seat ids must be unique."),
    ],
)
def test_unusable_ids_are_refused(seats: Any, message: str) -> None:
    assert message_of(lambda: SeatingPlan.of(seats)) == message


@pytest.mark.parametrize("field", ["id", "section", "row", "number", "category"])
@pytest.mark.parametrize("value", [None, 1, 0, b"bytes", [], {}, Text("A"), "\n", "x" * 129, "é" * 65])
def test_seats_with_unusable_text_are_refused(field: str, value: object) -> None:
    wrong: dict[str, Any] = {"id": "B"} | {field: value}
    assert message_of(lambda: SeatingPlan.of(["A", Seat(**wrong)])).startswith(f"plan: seats[1].{field}: ")


@pytest.mark.parametrize("field", ["x", "y"])
@pytest.mark.parametrize("value", ["1", 1.0, True, float("nan"), 10**9 + 1, -(10**30), [], b""])
def test_seats_with_unusable_coordinates_are_refused(field: str, value: object) -> None:
    wrong: dict[str, Any] = {field: value}
    assert message_of(lambda: SeatingPlan.of([Seat("A", x=1), Seat("B", **wrong)])).startswith(
        f"plan: seats[1].{field}: "
    )


@pytest.mark.parametrize("status", ["", "free", "Sold", None, 0, [], Text("held")])
def test_seats_with_an_unknown_status_are_refused(status: Any) -> None:
    assert message_of(lambda: SeatingPlan.of(["A", Seat("B", status=status)])).startswith("plan: seats[1].status: ")


def test_texts_up_to_the_bounds_are_taken() -> None:
    for text in ("x" * 128, "é" * 64, "\U0001f3ad" * 32, "\u2028\u00a0\ue000", " "):
        plan = SeatingPlan.of([Seat(text, text, text, text, text, 10**9, -(10**9)), "other"])
        assert SeatingPlan.unpack(plan.pack()) == plan


def test_an_endless_iterable_is_refused_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seatlock.plan.MAX_SEATS", 1000)
    monkeypatch.setattr(_plan_rules, "MAX_SEATS", 1000)
    taken = 0

    def endless() -> Iterable[str]:
        nonlocal taken
        while taken < 100_000:
            taken += 1
            yield str(taken)

    assert "has 1,001 seats; at most 1,000" in message_of(lambda: SeatingPlan.of(endless()))
    assert taken == 1001


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("", (), [Seat("A")]), "plan: seats: must be a tuple, not list; see SeatingPlan.of."),
        (("", [""], (Seat("A"),)), "plan: categories: must be a tuple, not list; see SeatingPlan.of."),
        (("", ("",), (Seat("A"), "B")), "plan: seats[1]: must be a Seat, not str; see SeatingPlan.of."),
        (
            ("", (), (Seat("A"),)),
            "plan: seats[0].category: category '' is not one of the plan's categories; declare it",
        ),
        (("", ("", []), (Seat("A"),)), "plan: categories[1]: category must be a string, not list."),
        ((None, ("",), (Seat("A"),)), "plan: name: the plan's name must be a string, not NoneType."),
        ((Text("n"), ("",), (Seat("A"),)), "plan: name: must be a plain str, not Text: convert it."),
    ],
)
def test_the_constructor_checks_as_well(arguments: tuple[Any, Any, Any], message: str) -> None:
    assert message_of(lambda: SeatingPlan(*arguments)).startswith(message)


# What a plan answers


def test_a_plan_finds_seats_sections_and_category_numbers() -> None:
    plan = house()
    assert len(plan) == 5
    assert plan.sections == {"Ground": ("A-1", "A-2", "B-1"), "Upstairs": ("C-1", "C-2")}
    assert list(plan.sections) == ["Ground", "Upstairs"]
    assert plan.index["C-1"] is plan.seats[3]
    assert list(plan.index) == ["A-1", "A-2", "B-1", "C-1", "C-2"]
    assert (plan.category_number("Balcony"), plan.category_number("Stalls")) == (0, 1)
    assert plan.sections is plan.sections
    assert plan.index is plan.index
    assert repr(plan) == "<SeatingPlan 'House': 5 seats, 2 categories>"
    for unknown in ("Pit", None, []):
        with pytest.raises(InvalidRequest, match="has no category"):
            plan.category_number(unknown)  # type: ignore[arg-type]  # wrong on purpose


def test_a_plan_never_changes() -> None:
    plan = SeatingPlan.of(["A"])
    with pytest.raises(AttributeError):
        plan.name = "other"  # type: ignore[misc]  # wrong on purpose
    with pytest.raises(TypeError):
        plan.index["B"] = Seat("B")  # type: ignore[index]  # wrong on purpose
    with pytest.raises(TypeError):
        plan.sections["B"] = ()  # type: ignore[index]  # wrong on purpose


def test_plans_copy_pickle_compare_and_serialise() -> None:
    plan = house()
    assert plan.index  # is not carried along
    assert pickle.loads(pickle.dumps(plan)) == copy.deepcopy(plan) == plan  # noqa: S301 - our own bytes
    assert hash(copy.copy(plan)) == hash(plan)
    assert msgspec.json.decode(msgspec.json.encode(plan), type=SeatingPlan) == plan
    other = msgspec.structs.replace(plan, seats=plan.seats[:2])
    assert list(other.index) == ["A-1", "A-2"]


# Packing


@given(PLANS)
def test_packing_gives_back_an_equal_plan(plan: SeatingPlan) -> None:
    again = SeatingPlan.unpack(plan.pack())
    assert again == plan
    assert again.digest == plan.digest
    assert [type(value) for seat in again.seats for value in msgspec.structs.astuple(seat)] == [
        type(value) for seat in plan.seats for value in msgspec.structs.astuple(seat)
    ]


def test_what_an_earlier_seatlock_packed_is_still_read() -> None:
    stored = bytes.fromhex(
        "01789c9bb2c423312767c6a485ce0b262f745ce8b4d065d2a485c10b263330320219863086118ce10c664c663e7060f29f03"
        "0726324d640400bc9a1bd0"
    )
    seats = (Seat("A", "S", "1", "2", "C", 3, -4), Seat("B", status="sold"), Seat("D", status="blocked"))
    assert SeatingPlan.unpack(stored) == SeatingPlan("Hall", ("C", ""), seats)


@given(st.binary(max_size=200))
def test_what_was_not_packed_is_refused(data: bytes) -> None:
    message_of(lambda: SeatingPlan.unpack(data))
    message_of(lambda: SeatingPlan.unpack(b"\x01" + data))
    message_of(lambda: SeatingPlan.unpack(b"\x01" + zlib.compress(data)))


def test_a_damaged_plan_is_refused() -> None:
    packed = SeatingPlan.of([Seat("A", "S", x=1, y=2), Seat("B", "S", status="sold")], name="Hall").pack()
    content = msgspec.msgpack.decode(zlib.decompress(packed[1:]))

    def damaged(way: list[int], value: object) -> str:
        wrong = copy.deepcopy(content)
        place = wrong
        for step in way[:-1]:
            place = place[step]
        place[way[-1]] = value
        return message_of(lambda: SeatingPlan.unpack(b"\x01" + zlib.compress(msgspec.msgpack.encode(wrong))))

    assert "differ in length" in damaged([1, 6], [1])
    assert "damaged" in damaged([1, 2, 1], [0, 7])  # a word that is not there
    assert "damaged" in damaged([1, 2, 1], [0, -1])
    assert "damaged" in damaged([3], [2])  # a sold seat that is not there
    assert "damaged" in damaged([1, 1], ["A", 7])
    assert "there twice" in damaged([1, 1], ["A", "A"])
    for data in (b"", b"\x02" + packed[1:], packed[:-1], packed[:20], None, "text"):
        assert "warm the show again" in message_of(lambda data=data: SeatingPlan.unpack(data))


def test_a_plan_without_seats_is_only_for_pools() -> None:
    plan = SeatingPlan.of((), needs_seats=False)
    assert (plan.seats, plan.sections, len(plan)) == ((), {}, 0)
    assert SeatingPlan.unpack(plan.pack()) == plan
    assert SeatingPlan.of(plan, needs_seats=False) is plan
    assert "no seats" in message_of(lambda: SeatingPlan.of(plan))


def test_the_digest_tells_layouts_apart_and_nothing_else() -> None:
    plan = SeatingPlan.of([Seat("A", "S", "1", "2", "C", 3, 4), Seat("B", category="D")], name="Hall")
    assert plan.digest == "483a1cf915eb7beb", "stored digests must stay comparable: a new form needs a new version"

    def changed(**changes: Any) -> str:
        return SeatingPlan.of([msgspec.structs.replace(plan.seats[0], **changes), plan.seats[1]]).digest

    assert changed() == changed(status="sold") == plan.digest
    others = [{"id": "X"}, {"section": "X"}, {"row": "X"}, {"number": "X"}, {"category": "X"}, {"x": 9}, {"y": None}]
    others.append({"accessible": True})
    digests = {changed(**change) for change in others}
    digests |= {SeatingPlan.of(plan.seats[::-1]).digest, SeatingPlan.of(plan.seats[:1]).digest}
    digests.add(SeatingPlan("", ("D", "C"), plan.seats).digest)
    assert len(digests) == len(others) + 3
    assert plan.digest not in digests
    assert all(len(digest) == 16 and set(digest) <= set(string.hexdigits.lower()) for digest in digests)


def fastest(work: Callable[[], object]) -> float:
    """Seconds that the fastest of five runs takes: the machine may be busy with something else."""

    def once() -> float:
        start = time.process_time()
        work()
        return time.process_time() - start

    return min(once() for _ in range(5))


def test_large_plans_pack_and_unpack_fast() -> None:
    arena = SeatingPlan.bundled("arena")
    packed = arena.pack()
    assert len(packed) < 5 * len(arena)  # bytes
    # Measured on two slow cores: 21 ms, and 90 ms for 100,000 seats. The bounds leave room for coverage and neighbours.
    assert fastest(lambda: SeatingPlan.unpack(packed)) < 0.15
    large = SeatingPlan.of(
        msgspec.structs.replace(seat, id=f"{copy_of}-{seat.id}") for copy_of in range(5) for seat in arena.seats
    )
    assert len(large) > 100_000
    assert fastest(large.pack) < 0.7
