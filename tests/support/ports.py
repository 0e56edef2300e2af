"""Free ports on the loopback interface."""

from __future__ import annotations

import random
import socket

# Below the range that systems hand out for outgoing connections, so that none of those takes a port between the
# look and the use. A cluster node also listens on its port plus 10,000, which falls into a range of its own.
_FIRST, _LAST = 12_000, 19_999
BUS = 10_000
_given: set[int] = set()


def free_port() -> int:
    """Return a port that is free, with its cluster bus port, and that this process was not given before."""
    for _ in range(500):
        port = random.randint(_FIRST, _LAST)
        if port not in _given and _is_free(port) and _is_free(port + BUS):
            _given.add(port)
            return port
    raise RuntimeError(f"no free loopback port between {_FIRST} and {_LAST} in 500 tries")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
