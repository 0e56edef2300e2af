"""A primary with replicas, each behind a relay that can lose what the primary tells it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self

from tests.support.servers import RedisServer
from tests.support.waiting import until

_TICK: Final = 0.1  # seconds after which a waiting thread looks whether the relay was closed


class Relay:
    """Listens on ``port`` of the loopback interface and passes bytes on, to and from ``upstream``, a port of the same.

    A stopped process loses nothing: what was sent to it waits in its socket. Bytes that are dropped here are gone.
    """

    def __init__(self, upstream: int) -> None:
        self.lost = 0
        """Bytes from upstream that were dropped."""
        self._upstream = upstream
        self._dropping = threading.Event()
        self._closed = threading.Event()
        self._sides: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(_TICK)
        self.port: int = self._listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, name="relay", daemon=True)
        self._accepting.start()

    def lose(self) -> None:
        """Drop whatever comes from upstream from now on; the connections stay open."""
        self._dropping.set()

    def heal(self) -> None:
        """Drop nothing more, and close the connections, whose streams have gaps."""
        self._dropping.clear()
        self._hang_up()

    def close(self) -> None:
        """Close everything."""
        self._closed.set()
        self._accepting.join(timeout=5.0)
        self._listener.close()
        self._hang_up()

    def _hang_up(self) -> None:
        sides, self._sides = self._sides, []
        for side in sides:
            with suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                near, _ = self._listener.accept()
            except TimeoutError:
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self._upstream))
            except OSError:  # upstream is down: so is its relay
                near.close()
                continue
            for side in (near, far):
                side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sides += [near, far]
            for source, sink, losing in ((near, far, False), (far, near, True)):
                pump = threading.Thread(target=self._pump, args=(source, sink), kwargs={"losing": losing}, daemon=True)
                pump.start()

    def _pump(self, source: socket.socket, sink: socket.socket, *, losing: bool) -> None:
        with suppress(OSError), source:
            while data := source.recv(65_536):
                if losing and self._dropping.is_set():
                    self.lost += len(data)
                else:
                    sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)


class Replicated:
    """``primary`` and its ``replicas``; ``relays`` stand between them, in the same order."""

    def __init__(self, executable: Path, *, replicas: int = 1, config: Mapping[str, str] | None = None) -> None:
        settings = {"repl-diskless-sync-delay": "0", **(config or {})}
        self.primary = RedisServer(executable, config=settings)
        self.replicas = [RedisServer(executable, config=settings) for _ in range(replicas)]
        self.relays: list[Relay] = []

    def start(self) -> Self:
        """Start everything and wait until the primary serves all replicas."""
        self.primary.start()
        for replica in self.replicas:
            relay = Relay(self.primary.port)
            self.relays.append(relay)
            with replica.start().unix_client() as client:
                client.replicaof("127.0.0.1", relay.port)
        self.wait_linked()
        return self

    def wait_linked(self) -> None:
        """Wait until the primary has heard of all replicas that they follow."""
        until(self._linked, "the replicas are linked", timeout=30.0, every=0.05)

    def _linked(self) -> bool:
        told = self.primary.info("replication")
        links: list[Any] = [told.get(f"slave{number}") for number in range(len(self.replicas))]
        if any(link is None or link["state"] != "online" for link in links):
            return False
        return all(replica.info("replication")["master_link_status"] == "up" for replica in self.replicas)

    def close(self) -> None:
        """End everything."""
        for part in (*self.relays, self.primary, *self.replicas):
            part.close()

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_: object) -> None:
        self.close()
