"""What a scenario is: a function that sells seats of a `House` and checks what became of them."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Final, NamedTuple

from tests.lua.house import House


class Scenario(NamedTuple):
    """A scenario; ``exact`` ones need a clock that stands still, and so the bridge."""

    name: str
    run: Callable[[House], None]
    exact: bool


_found: Final[dict[str, Scenario]] = {}


def scenario(run: Callable[[House], None]) -> Callable[[House], None]:
    """Make a function a scenario."""
    return _add(run, exact=False)


def to_the_millisecond(run: Callable[[House], None]) -> Callable[[House], None]:
    """Make a function a scenario that moves the scripts' clock by single milliseconds."""
    return _add(run, exact=True)


def _add(run: Callable[[House], None], *, exact: bool) -> Callable[[House], None]:
    assert run.__name__ not in _found, f"there are two scenarios {run.__name__}"
    _found[run.__name__] = Scenario(run.__name__, run, exact)
    return run


_ROOMS = (
    *("acquiring", "admitting", "arguments", "best", "blocking", "channelling", "edging", "faults", "holding"),
    *("keeping", "late", "limiting", "opening", "operating", "pinning", "pooling", "publishing", "queueing"),
    *("rationing", "regaining", "relaying", "requiring", "selling", "silencing", "stocktaking", "warming"),
)


def scenarios() -> list[Scenario]:
    """All scenarios."""
    for name in _ROOMS:
        import_module(f"tests.lua.{name}")  # they register themselves
    return list(_found.values())
