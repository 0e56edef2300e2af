"""What a scenario is: a function that sells seats of a `House` and checks what became of them."""

from __future__ import annotations

from collections.abc import Callable
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


def scenarios() -> list[Scenario]:
    """All scenarios."""
    from tests.lua import (  # noqa: PLC0415 - they register themselves
        acquiring,  # noqa: F401
        arguments,  # noqa: F401
        best,  # noqa: F401
        blocking,  # noqa: F401
        faults,  # noqa: F401
        holding,  # noqa: F401
        keeping,  # noqa: F401
        late,  # noqa: F401
        limiting,  # noqa: F401
        operating,  # noqa: F401
        pooling,  # noqa: F401
        selling,  # noqa: F401
        warming,  # noqa: F401
    )

    return list(_found.values())
