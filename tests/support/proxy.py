"""A proxy before a Redis port that loses a chosen request or a chosen reply.

    with ReplyProxy(server.port) as proxy:
        fault = proxy.lose_reply("EVALSHA", "EVAL")  # the server does it, the client never hears
        client = redis.Redis(port=proxy.port)
        ...
        assert fault.fired == 1

It matches replies to requests by their order, so it is not for pub/sub, MONITOR and CLIENT REPLY.
"""

from __future__ import annotations

import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final, Self

import hiredis

MAX_CONNECTIONS: Final = 1024
MAX_REMEMBERED: Final = 100_000
_TICK: Final = 0.1  # seconds after which a waiting thread looks whether the proxy was closed
_SEND_TIMEOUT: Final = 10.0
_MORE: Final = object()

Command = list[bytes]
"""One request: the command's name and its arguments."""
Condition = Callable[[Command], bool] | None
"""Which requests a fault is for; None: all."""


class Fault:
    """What shall go wrong, and whether it did."""

    def __init__(self, effect: str, applies: Callable[[Command], bool], nth: int, times: int) -> None:
        self.effect = effect
        self.seen = 0
        """How many requests applied so far."""
        self.fired = 0
        """How often it went wrong."""
        self._applies = applies
        self._hits = range(nth, nth + times)
        self._changed = threading.Condition()

    def strikes(self, command: Command) -> bool:
        """Count a request, and say whether it is one that shall go wrong."""
        if not self._applies(command):
            return False
        with self._changed:
            self.seen += 1
            return self.seen in self._hits

    def fire(self) -> None:
        """Note that it went wrong."""
        with self._changed:
            self.fired += 1
            self._changed.notify_all()

    def wait(self, times: int = 1, timeout: float = 10.0) -> bool:
        """Wait until it went wrong so often; False if it has not in ``timeout`` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self.fired >= times, timeout)


class ReplyProxy:
    """Listens on ``port`` of the loopback interface and forwards to ``upstream``, a port of the same."""

    def __init__(self, upstream: int) -> None:
        self._upstream = upstream
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._seen: deque[str] = deque(maxlen=MAX_REMEMBERED)
        self._links: list[_Link] = []
        self._closed = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._listener.settimeout(_TICK)
        self.port: int = self._listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, name="proxy", daemon=True)
        self._accepting.start()

    @property
    def url(self) -> str:
        """The proxy's address for a client."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def commands(self) -> list[str]:
        """The names of the commands that clients sent, in order, lost ones too (the last 100,000)."""
        with self._lock:
            return list(self._seen)

    def lose_reply(self, *names: str, nth: int = 1, times: int = 1, when: Condition = None) -> Fault:
        """Lose replies: the server does as asked and answers, but the client's connection is closed instead.

        This hits the ``nth`` request (from 1, counted from now over all connections) whose command is one of ``names``
        (none: any) and for which ``when`` holds, and the ``times - 1`` that follow it.
        """
        return self._add("lose reply", names, nth, times, when)

    def lose_request(self, *names: str, nth: int = 1, times: int = 1, when: Condition = None) -> Fault:
        """Lose requests: the client's connection is closed, and the server never hears of it. See `lose_reply`."""
        return self._add("lose request", names, nth, times, when)

    def fall_silent(self, *names: str, nth: int = 1, times: int = 1, when: Condition = None) -> Fault:
        """Fall silent: the server does as asked, then nothing more passes, and the client's connection stays open.

        See `lose_reply`.
        """
        return self._add("fall silent", names, nth, times, when)

    def _add(self, effect: str, names: tuple[str, ...], nth: int, times: int, when: Condition) -> Fault:
        wanted = {name.upper().encode() for name in names}

        def applies(command: Command) -> bool:
            return (not wanted or command[0].upper() in wanted) and (when is None or when(command))

        fault = Fault(effect, applies, nth, times)
        with self._lock:
            self._faults.append(fault)
        return fault

    def heal(self) -> None:
        """Forget all faults; connections that have fallen silent stay so."""
        with self._lock:
            self._faults.clear()

    def disconnect(self) -> None:
        """Close all connections that there are now."""
        with self._lock:
            links, self._links = self._links, []
        for link in links:
            link.stop()

    def close(self) -> None:
        """Close everything; twice does no harm."""
        self._closed.set()
        self._accepting.join(timeout=5.0)
        self._listener.close()
        self.disconnect()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def decide(self, command: Command) -> Fault | None:
        """Note a request and return the fault that strikes it, if one does; every fault counts it."""
        with self._lock:
            self._seen.append(command[0].decode(errors="replace").upper())
            struck = [fault for fault in self._faults if fault.strikes(command)]
        return struck[0] if struck else None

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self._upstream), timeout=_SEND_TIMEOUT)
            except OSError:  # the server is down: so is its proxy
                client.close()
                continue
            with self._lock:
                self._links = [link for link in self._links if link.alive]
                if len(self._links) < MAX_CONNECTIONS:
                    self._links.append(_Link(self, client, server))
                    continue
            client.close()
            server.close()


class _Link:
    """One client's connection and its own connection to the server, served by one thread."""

    def __init__(self, proxy: ReplyProxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client, self._server = client, server
        self._requests, self._replies = _Frames(), _Frames()
        self._owed: deque[Fault | None] = deque()  # one entry a request: the fault that it shall meet
        self._silent = False
        self._stopped = threading.Event()
        for side in (client, server):
            side.settimeout(_SEND_TIMEOUT)
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._thread = threading.Thread(target=self._run, name="proxy link", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(timeout=5.0)

    def _run(self) -> None:
        with selectors.DefaultSelector() as ready, self._client, self._server, suppress(OSError, _Over):
            ready.register(self._client, selectors.EVENT_READ, self._from_client)
            ready.register(self._server, selectors.EVENT_READ, self._from_server)
            while not self._stopped.is_set():
                for key, _ in ready.select(_TICK):
                    key.data()

    def _from_client(self) -> None:
        data = _received(self._client)
        if self._silent:
            return
        for raw, command in self._requests.split(data):
            fault = self._proxy.decide(command)
            self._owed.append(fault)
            if fault is not None and fault.effect == "lose request":
                self._lose_request_in_turn()
                return  # what was sent after it is lost as well
            self._server.sendall(raw)

    def _lose_request_in_turn(self) -> None:
        """Close the connection once all requests before the lost one are answered."""
        while len(self._owed) > 1 and not self._silent:
            self._from_server()
        if self._silent:
            return
        fault = self._owed.popleft()
        if fault is not None:
            fault.fire()
        raise _Over

    def _from_server(self) -> None:
        data = _received(self._server)
        if self._silent:
            return
        for raw, reply in self._replies.split(data):
            # a push (RESP3) answers no request, nor does a refusal to serve this connection at all
            unasked = isinstance(reply, hiredis.PushNotification) or not self._owed
            fault = None if unasked else self._owed.popleft()
            if fault is None:
                self._client.sendall(raw)
                continue
            if fault.effect == "fall silent":
                self._silent = True
                fault.fire()
                return
            fault.fire()
            raise _Over


class _Over(Exception):  # ends a link, is no error
    """The connection has ended."""


def _received(side: socket.socket) -> bytes:
    data = side.recv(65_536)
    if not data:
        raise _Over
    return data


class _Frames:
    """Cuts a stream of bytes into whole requests or replies."""

    def __init__(self) -> None:
        # errors and odd bytes pass as values: the proxy judges nothing
        self._reader = hiredis.Reader(notEnoughData=_MORE, protocolError=_Over, errors="replace")
        self._line = b""
        self._frame = b""

    def split(self, data: bytes) -> Iterator[tuple[bytes, Any]]:
        """Yield the raw bytes and the value of each one that is complete."""
        # whatever is complete ends with a line, so the reader is fed one line at a time
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            self._frame += line + b"\n"
            self._reader.feed(line + b"\n")
            value = self._reader.gets()
            if value is not _MORE:
                raw, self._frame = self._frame, b""
                yield raw, value
