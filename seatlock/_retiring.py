"""What is left of a retired show: the locks of its seats, and with limits the lists of those who bought."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from seatlock import _commands

if TYPE_CHECKING:
    from seatlock._procedures import Procedure

STEPS: Final = 100_000  # calls that delete what a retired show left, at most
SOME: Final = 400  # seats, or fields of pools, that a call deletes


def clear(namespace: str, show: str) -> Procedure[None]:
    """Delete it in bounded steps; may be repeated after a failure.

    The seats come last: while any of them is left nobody warms the show, so that no list of its next life is deleted.
    """
    for pools in (True, False):
        yield from _walk(namespace, show, pools=pools)


def _walk(namespace: str, show: str, *, pools: bool) -> Procedure[None]:
    cursor = b"0"
    for _ in range(STEPS):
        found: list[str]
        cursor, found = yield _commands.remnants(namespace, show, cursor, pools=pools)
        left = 1
        for at in range(0, len(found), SOME):
            some = found[at : at + SOME]
            seats = [name for name in some if "\n" not in name]
            of_pools = [name for name in some if "\n" in name]  # also where the show had pools alone
            buyers: list[str] = [name.rpartition("\n")[2] for name in of_pools if name.startswith("t\n")]
            if seats:
                buyers += yield _commands.buyers(namespace, show, seats)
            left = yield _commands.forget(namespace, show, seats, buyers, of_pools)
        if left == 0 or (cursor == b"0" and not found):
            return
