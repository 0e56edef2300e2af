"""The two lockers are twins: the same names, the same arguments, the same words about them."""

from __future__ import annotations

import inspect
import typing
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import Any, Final

import pytest

import seatlock
from seatlock import AsyncSeatLocker, SeatLocker

TWINS: Final = {"close": "aclose", "__enter__": "__aenter__", "__exit__": "__aexit__"}
"""What is named differently, as everywhere in asyncio."""
ASYNC_ONLY: Final = "batching"
"""The one argument that only the asyncio locker has: blocking calls have no neighbours to share a script call with."""
NOT_AWAITED: Final = {"__init__", "from_url", "holding"}


def _public(kind: type) -> dict[str, Callable[..., Any]]:
    special = {"__init__", *TWINS, *TWINS.values()}
    return {
        name: member
        for name, member in inspect.getmembers(kind, callable)
        if (not name.startswith("_") or name in special) and name in vars(kind)
    }


SYNC: Final = _public(SeatLocker)
ASYNC: Final = _public(AsyncSeatLocker)


def test_they_have_the_same_names() -> None:
    assert {TWINS.get(name, name) for name in SYNC} == set(ASYNC)
    assert len(SYNC) > 15


@pytest.mark.parametrize("name", SYNC)
def test_they_take_the_same_arguments_and_give_the_same(name: str) -> None:
    one, other = SYNC[name], ASYNC[TWINS.get(name, name)]
    here, there = inspect.signature(one), inspect.signature(other)
    assert [(p.name, p.kind, p.default) for p in here.parameters.values()] == [
        (p.name, p.kind, p.default) for p in there.parameters.values() if p.name != ASYNC_ONLY
    ]
    if name == "__init__":  # the clients differ, as they must
        return
    hints = typing.get_type_hints(other)
    hints.pop(ASYNC_ONLY, None)
    assert _plain(typing.get_type_hints(one)) == _plain(hints)


def _plain(hints: dict[str, Any]) -> dict[str, Any]:
    """Type hints with the generators of context managers told by what they yield."""
    given = hints.get("return")
    if typing.get_origin(given) in (Generator, AsyncGenerator):
        return {**hints, "return": typing.get_args(given)[0]}
    return hints


@pytest.mark.parametrize("name", SYNC)
def test_all_of_the_twin_is_awaited(name: str) -> None:
    twin = ASYNC[TWINS.get(name, name)]
    assert inspect.iscoroutinefunction(twin) == (name not in NOT_AWAITED)
    assert not inspect.iscoroutinefunction(SYNC[name])
    assert not isinstance(twin, Awaitable)


@pytest.mark.parametrize("name", [name for name in SYNC if not name.startswith("__") and name != "close"])
def test_they_say_the_same_about_themselves(name: str) -> None:
    here, there = inspect.getdoc(SYNC[name]), inspect.getdoc(ASYNC[TWINS.get(name, name)])
    assert here
    assert here == (there or "").replace("``async with``", "``with``").replace("An ``with``", "A ``with``").replace(
        "an ``with``", "a ``with``"
    )


@pytest.mark.parametrize("kind", [SeatLocker, AsyncSeatLocker])
def test_the_verbs_of_the_design_are_there(kind: type) -> None:
    verbs = """acquire acquire_best extend confirm release cancel acquire_many confirm_many release_many holding
    availability inspect holds check force_release begin_payment warm open_sale pause_sale close_sale block unblock
    sweep retire from_url"""
    assert not [verb for verb in verbs.split() if not callable(getattr(kind, verb, None))]


def test_every_public_name_is_there_and_says_what_it_is() -> None:
    assert sorted(seatlock.__all__, key=str.lower) == sorted(set(seatlock.__all__), key=str.lower)
    for name in seatlock.__all__:
        assert inspect.getdoc(getattr(seatlock, name)), name
