"""One empty mapping for all who have none: a dict for each hold and booking would keep the garbage collector busy."""

from __future__ import annotations

from typing import Any, Final, NoReturn


class Nothing(dict[str, Any]):
    """An empty dict, so that it serialises as one, which nobody can fill by mistake for everybody else."""

    __slots__ = ()

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("the pools of holds, bookings and answers cannot be changed.")

    # none of them can be called, so it does not matter how
    __setitem__ = __ior__ = update = setdefault = _refuse  # pyright: ignore[reportAssignmentType]


NOTHING: Final = Nothing()
