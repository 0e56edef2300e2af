"""Redis on loopback ports, for several processes: one server, or a cluster of three primaries without replicas."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Any, Final, Protocol, Self

import redis
from redis.crc import key_slot

from loadtests.bench.cpu import cpu_seconds
from seatlock.embedded import EmbeddedRedis, Server
from tests.support.ports import free_port

SLOTS: Final = 16_384
PRIMARIES: Final = 3
_TIMEOUT: Final = 20.0  # seconds until the cluster must be whole


class Target(Protocol):
    """What the workers book on."""

    url: str

    def client(self) -> redis.Redis | redis.RedisCluster:
        """Make a client."""
        ...

    def flush(self) -> None:
        """Remove all keys."""
        ...

    def cpu(self) -> list[float | None]:
        """CPU seconds of every server."""
        ...


class Single:
    """One server."""

    def __init__(self, server: Server) -> None:
        self._port = free_port()
        self._server = EmbeddedRedis.start(server, config={"port": str(self._port), "bind": "127.0.0.1"})
        self.url = f"redis://127.0.0.1:{self._port}/0"

    def client(self) -> redis.Redis:
        """Make a client."""
        return redis.Redis(host="127.0.0.1", port=self._port)

    def flush(self) -> None:
        """Remove all keys."""
        with self.client() as client:
            client.flushall()

    def cpu(self) -> list[float | None]:
        """CPU seconds of the server."""
        assert self._server.pid is not None
        return [cpu_seconds(self._server.pid)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()


class Cluster:
    """Three primaries, a third of the slots each."""

    def __init__(self, server: Server) -> None:
        self._stack = ExitStack()
        self._ports = [free_port() for _ in range(PRIMARIES)]
        self.url = f"redis+cluster://127.0.0.1:{self._ports[0]}"
        try:
            self._nodes = [self._stack.enter_context(self._start(server, port)) for port in self._ports]
            self._join()
        except BaseException:
            self._stack.close()
            raise

    @staticmethod
    def _start(server: Server, port: int) -> EmbeddedRedis:
        config = {"port": str(port), "bind": "127.0.0.1", "cluster-enabled": "yes", "cluster-config-file": "nodes.conf"}
        return EmbeddedRedis.start(server, config=config)

    def _join(self) -> None:
        for index, node in enumerate(self._nodes):
            first, last = index * SLOTS // PRIMARIES, (index + 1) * SLOTS // PRIMARIES
            _ask(node, "CLUSTER", "ADDSLOTS", *range(first, last))
            _ask(node, "CLUSTER", "SET-CONFIG-EPOCH", index + 1)
            _ask(node, "CLUSTER", "MEET", "127.0.0.1", self._ports[0])
        deadline = time.monotonic() + _TIMEOUT
        while not all(_is_whole(node) for node in self._nodes):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the cluster was not whole after {_TIMEOUT:.0f} s")
            time.sleep(0.05)

    @staticmethod
    def spread_shows(count: int) -> tuple[str, ...]:
        """Names of shows, as many on each primary; their key slot is that of the name."""
        wanted = [count // PRIMARIES] * PRIMARIES
        names: list[str] = []
        for number in range(100 * count):
            primary = key_slot(f"show-{number}".encode()) * PRIMARIES // SLOTS
            if wanted[primary]:
                wanted[primary] -= 1
                names.append(f"show-{number}")
        return tuple(names)

    def client(self) -> redis.RedisCluster:
        """Make a client."""
        return redis.RedisCluster(host="127.0.0.1", port=self._ports[0])

    def flush(self) -> None:
        """Remove all keys."""
        for node in self._nodes:
            _ask(node, "FLUSHALL")

    def cpu(self) -> list[float | None]:
        """CPU seconds of each primary."""
        return [None if node.pid is None else cpu_seconds(node.pid) for node in self._nodes]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def _ask(node: EmbeddedRedis, *command: str | int) -> Any:
    with node.client() as client:
        return client.execute_command(*command)


def _is_whole(node: EmbeddedRedis) -> bool:
    info = dict(line.split(":", 1) for line in _ask(node, "CLUSTER", "INFO").decode().split())
    return bool(info["cluster_state"] == "ok" and info["cluster_known_nodes"] == str(PRIMARIES))
