"""Waiting for something to become true: polled, never for a fixed time, and never for ever."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(condition: Callable[[], object], what: str, *, timeout: float = 10.0, every: float = 0.01) -> None:
    """Return as soon as ``condition()`` is true; fail, naming ``what``, when it is not within ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout} s in vain until {what}")
        time.sleep(every)
