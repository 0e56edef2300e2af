"""Lockers are twins, and waiting rooms too: the same names, the same arguments, the same words about them."""

from __future__ import annotations

import asyncio
import inspect
import threading
import typing
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import Any, Final, NamedTuple

import pytest

import seatlock
from seatlock import AsyncSeatLocker, SeatLocker
from seatlock.checkout import AsyncStrictCheckout, StrictCheckout
from seatlock.ledger import AsyncLedger, Ledger
from seatlock.waiting_room import AsyncWaitingRoom, WaitingRoom

TWINS: Final = {"close": "aclose", "__enter__": "__aenter__", "__exit__": "__aexit__"}
"""What is named differently, as everywhere in asyncio."""
ASYNC_ONLY: Final = "batching"
"""The one argument that only the asyncio locker has: blocking calls have no neighbours to share a script call with."""
NOT_AWAITED: Final = {"__init__", "from_url", "holding"}
COLOURED: Final = {
    "stop": (threading.Event | None, asyncio.Event | None),
    "most_live": (Callable[[], int] | None, Callable[[], int | Awaitable[int]] | None),
    "outside": (Callable[[], str] | None, Callable[[], str | Awaitable[str]] | None),
}
"""Arguments of `run` whose types belong to threads or to asyncio."""
Methods = dict[str, Callable[..., Any]]


def _public(kind: type) -> Methods:
    special = {"__init__", *TWINS, *TWINS.values()}
    return {
        name: member
        for name, member in inspect.getmembers(kind, callable)
        if (not name.startswith("_") or name in special) and any(name in vars(base) for base in kind.__mro__[:2])
    }


class Pair(NamedTuple):
    """A method of a blocking class, and what its twin has under that name."""

    kind: str
    name: str
    sync: Callable[..., Any]
    twin: Any


def _pairs(one: type, other: type) -> list[Any]:
    sync, twins = _public(one), _public(other)
    return [
        pytest.param(Pair(one.__name__, name, method, twins.get(TWINS.get(name, name))), id=f"{one.__name__}.{name}")
        for name, method in sync.items()
    ]


CLASSES: Final = [
    (SeatLocker, AsyncSeatLocker, 15),
    (WaitingRoom, AsyncWaitingRoom, 15),
    (Ledger, AsyncLedger, 12),
    (StrictCheckout, AsyncStrictCheckout, 5),
]
PAIRS: Final = [pair for one, other, _ in CLASSES for pair in _pairs(one, other)]
SPOKEN: Final = [pair for pair in PAIRS if not pair.values[0].name.startswith("__") and pair.values[0].name != "close"]


@pytest.mark.parametrize(("one", "other", "least"), CLASSES)
def test_they_have_the_same_names(one: type, other: type, least: int) -> None:
    assert {TWINS.get(name, name) for name in _public(one)} == set(_public(other))
    assert len(_public(one)) > least


@pytest.mark.parametrize("pair", PAIRS)
def test_they_take_the_same_arguments_and_give_the_same(pair: Pair) -> None:
    here, there = inspect.signature(pair.sync), inspect.signature(pair.twin)
    assert [(p.name, p.kind, p.default) for p in here.parameters.values()] == [
        (p.name, p.kind, p.default) for p in there.parameters.values() if p.name != ASYNC_ONLY
    ]
    if pair.name == "__init__":  # the clients differ, as they must
        return
    one, other = typing.get_type_hints(pair.sync), typing.get_type_hints(pair.twin)
    other.pop(ASYNC_ONLY, None)
    for name, kinds in COLOURED.items():
        if pair.name == "run":
            assert (one.pop(name), other.pop(name)) == kinds
    assert _plain(one) == _plain(other)


def _plain(hints: dict[str, Any]) -> dict[str, Any]:
    """Type hints with the generators of context managers told by what they yield."""
    given = hints.get("return")
    if typing.get_origin(given) in (Generator, AsyncGenerator):
        return {**hints, "return": typing.get_args(given)[0]}
    return hints


@pytest.mark.parametrize("pair", PAIRS)
def test_all_of_the_twin_is_awaited(pair: Pair) -> None:
    assert inspect.iscoroutinefunction(pair.twin) == (pair.name not in NOT_AWAITED)
    assert not inspect.iscoroutinefunction(pair.sync)
    assert not isinstance(pair.twin, Awaitable)


@pytest.mark.parametrize("pair", SPOKEN)
def test_they_say_the_same_about_themselves(pair: Pair) -> None:
    here, there = inspect.getdoc(pair.sync), inspect.getdoc(pair.twin)
    assert here
    said = (there or "").replace("``async with``", "``with``").replace("An ``with``", "A ``with``")
    if pair.kind == "WaitingRoom":
        said = said.replace("AsyncSeatLocker", "SeatLocker")
    assert here == said.replace("an ``with``", "a ``with``")


@pytest.mark.parametrize("kind", [SeatLocker, AsyncSeatLocker])
def test_the_verbs_of_the_design_are_there(kind: type) -> None:
    verbs = """acquire acquire_best extend confirm release cancel acquire_many confirm_many release_many holding
    availability inspect holds check force_release begin_payment warm open_sale pause_sale close_sale block unblock
    set_channel sweep retire from_url"""
    assert not [verb for verb in verbs.split() if not callable(getattr(kind, verb, None))]


def test_every_public_name_is_there_and_says_what_it_is() -> None:
    assert sorted(seatlock.__all__, key=str.lower) == sorted(set(seatlock.__all__), key=str.lower)
    for name in seatlock.__all__:
        assert inspect.getdoc(getattr(seatlock, name)), name
