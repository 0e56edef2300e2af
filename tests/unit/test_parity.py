"""The two lockers are twins, and so are the two waiting rooms: the same names, arguments and words about them."""

from __future__ import annotations

import inspect
import typing
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import Any, Final

import pytest

import seatlock
from seatlock import AsyncSeatLocker, SeatLocker
from seatlock.waiting_room import AsyncWaitingRoom, WaitingRoom

TWINS: Final = {"close": "aclose", "__enter__": "__aenter__", "__exit__": "__aexit__"}
"""What is named differently, as everywhere in asyncio."""
SAID_OTHERWISE: Final = {
    "``async with``": "``with``",
    "An ``with``": "A ``with``",
    "an ``with``": "a ``with``",
    "`AsyncSeatLocker`": "`SeatLocker`",
}
ASYNC_ONLY: Final = "batching"
"""The one argument that only the asyncio locker has: blocking calls have no neighbours to share a script call with."""
OWN_KIND: Final = "stop"
"""The event that ends a pump is of the kind that can be waited for."""
NOT_AWAITED: Final = {"__init__", "from_url", "holding"}


def _public(kind: type) -> dict[str, Callable[..., Any]]:
    special = {"__init__", *TWINS, *TWINS.values()}
    return {
        name: member
        for name, member in inspect.getmembers(kind, callable)
        if (not name.startswith("_") or name in special) and name in vars(kind)
    }


KINDS: Final = [(SeatLocker, AsyncSeatLocker), (WaitingRoom, AsyncWaitingRoom)]
MEMBERS: Final = [
    pytest.param(member, _public(twin).get(TWINS.get(name, name)), id=f"{kind.__name__}.{name}")
    for kind, twin in KINDS
    for name, member in _public(kind).items()
]


@pytest.mark.parametrize(("kind", "twin"), KINDS)
def test_they_have_the_same_names(kind: type, twin: type) -> None:
    assert {TWINS.get(name, name) for name in _public(kind)} == set(_public(twin))
    assert len(_public(kind)) > 15


@pytest.mark.parametrize(("one", "other"), MEMBERS)
def test_they_take_the_same_arguments_and_give_the_same(one: Callable[..., Any], other: Callable[..., Any]) -> None:
    here, there = inspect.signature(one), inspect.signature(other)
    assert [(p.name, p.kind, p.default) for p in here.parameters.values()] == [
        (p.name, p.kind, p.default) for p in there.parameters.values() if p.name != ASYNC_ONLY
    ]
    if one.__name__ == "__init__":  # the clients differ, as they must
        return
    hints, others = _plain(typing.get_type_hints(one)), _plain(typing.get_type_hints(other))
    for found in (hints, others):
        found.pop(ASYNC_ONLY, None)
        found.pop(OWN_KIND, None)
    assert hints == others


def _plain(hints: dict[str, Any]) -> dict[str, Any]:
    """Type hints with the generators of context managers told by what they yield."""
    given = hints.get("return")
    if typing.get_origin(given) in (Generator, AsyncGenerator):
        return {**hints, "return": typing.get_args(given)[0]}
    return hints


@pytest.mark.parametrize(("one", "other"), MEMBERS)
def test_all_of_the_twin_is_awaited(one: Callable[..., Any], other: Callable[..., Any]) -> None:
    assert inspect.iscoroutinefunction(other) == (one.__name__ not in NOT_AWAITED)
    assert not inspect.iscoroutinefunction(one)
    assert not isinstance(other, Awaitable)


@pytest.mark.parametrize(("one", "other"), MEMBERS)
def test_they_say_the_same_about_themselves(one: Callable[..., Any], other: Callable[..., Any]) -> None:
    if one.__name__.startswith("__") or one.__name__ == "close":
        return
    here, there = inspect.getdoc(one), inspect.getdoc(other) or ""
    assert here
    for theirs, ours in SAID_OTHERWISE.items():
        there = there.replace(theirs, ours)
    assert here == there


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
