"""The one seam where foreign exceptions are sorted by what became of the request.

Did it run, may it have run, or can it never run?

redis-py raises a class of its own for some error codes and a bare ResponseError for the rest, and Redis 6.2 wraps an
error inside a script into "Error running script ... -READONLY ...": so classes come first, then the code word,
wherever in the text it stands.
"""

from __future__ import annotations

import enum
import re
import socket
from typing import Final

import redis.exceptions as foreign

from seatlock.errors import SeatLockError

FOREIGN: Final = (foreign.RedisError, foreign.RedisClusterException, OSError, AttributeError)
"""What a client may raise when a command did not work out.

AttributeError is among them because redis-py's asyncio clients drop a connection that another task is just using: that
task then finds a writer of None.
"""


class Fate(enum.Enum):
    """What became of a request that ended in an exception."""

    FORGOTTEN = "the server does not know the script: it did not run"
    NOT_RUN = "it did not run; asking again may work"
    UNKNOWN = "no answer came: it may have run"
    REFUSED = "it did not run, or changed nothing, and asking again gives the same"
    BROKEN = "the script failed, perhaps half-way"


_NOT_RUN_CODES: Final = frozenset(
    {"LOADING", "BUSY", "MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN", "READONLY", "MASTERDOWN", "NOREPLICAS"}
)
# Scripts read and type-check everything before they write, and their first write is one that a full server refuses:
# so these codes mean that nothing was changed. SEATLOCK marks the refusals of our own scripts, all before a write.
_REFUSED_CODES: Final = frozenset({"OOM", "WRONGTYPE", "SEATLOCK", "NOAUTH", "WRONGPASS", "CROSSSLOT", "MISCONF"})
_CODE: Final = re.compile(r"\b[A-Z]{3,}\b")

_NOT_RUN_CLASSES: Final = (
    foreign.BusyLoadingError,
    foreign.ReadOnlyError,
    foreign.TryAgainError,
    foreign.AskError,  # MovedError too
    foreign.ClusterDownError,  # MasterDownError too
    foreign.MaxConnectionsError,
    foreign.SlotNotCoveredError,
)
_REFUSED_CLASSES: Final = (
    foreign.AuthenticationError,
    foreign.AuthorizationError,
    foreign.NoPermissionError,  # of the call itself; inside a script a missing grant has no code
    foreign.OutOfMemoryError,
    foreign.ClusterCrossSlotError,
    foreign.DataError,
)
_CONNECTING: Final = re.compile(
    r"Error\b.* connecting to |Timeout connecting |No connection available|No master found"
    r"|max number of clients reached|The previous master is now a slave",
    re.DOTALL,
)
_NEVER_CONNECTED: Final = (ConnectionRefusedError, FileNotFoundError, socket.gaierror)


def fate_of(error: BaseException) -> Fate:  # noqa: PLR0911 - a table of classes, one line each
    """Sort a client's exception."""
    if isinstance(error, foreign.NoScriptError):
        return Fate.FORGOTTEN
    if isinstance(error, _NOT_RUN_CLASSES):
        return Fate.NOT_RUN
    if isinstance(error, _REFUSED_CLASSES):
        return Fate.REFUSED
    if isinstance(error, foreign.ResponseError):
        return _fate_of_text(str(error))
    if isinstance(error, foreign.ConnectionError | foreign.TimeoutError | OSError):
        return Fate.NOT_RUN if _never_connected(error) else Fate.UNKNOWN
    if isinstance(error, foreign.ClusterError):
        return Fate.NOT_RUN  # the client was sent from node to node, and found none that serves the slot
    return Fate.UNKNOWN  # also RedisClusterException, into which older clients wrap a lost reply


def may_retry(answer: object) -> bool:
    """Whether an answer is an error after which asking again may work: a matter of time, not of the request."""
    cause = answer.__cause__ if isinstance(answer, SeatLockError) else None
    return cause is not None and fate_of(cause) in (Fate.NOT_RUN, Fate.UNKNOWN, Fate.FORGOTTEN)


def _fate_of_text(text: str) -> Fate:
    codes = _CODE.findall(text)
    if "NOSCRIPT" in codes:
        return Fate.FORGOTTEN
    if _REFUSED_CODES.intersection(codes):
        return Fate.REFUSED
    if _NOT_RUN_CODES.intersection(codes):
        return Fate.NOT_RUN
    return Fate.BROKEN


def _never_connected(error: BaseException) -> bool:
    """Whether the connection was never there: then nothing can have been sent.

    The client's own words tell, and not the chain of causes, which also has what the caller happens to be handling.
    """
    return isinstance(error, _NEVER_CONNECTED) or _CONNECTING.match(str(error)) is not None
