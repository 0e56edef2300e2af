"""The command, run in this process, and a private server for it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from seatlock import SeatLocker, WaitingRoom, new_token
from seatlock.cli import main
from seatlock.embedded import EmbeddedRedis
from tests.support.need import need


class Result(NamedTuple):
    """What a run of the command came to."""

    status: int
    out: str
    err: str


Run = Callable[..., Result]
Terminal = Callable[..., tuple[int, str]]

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's own settings out, and the width fixed."""
    names = ("SEATLOCK_REDIS", "SEATLOCK_DATABASE", "SEATLOCK_LEDGER_URL", "SEATLOCK_PUBLISH_URL")
    for name in (*names, "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Run the command with these arguments."""

    def run(*arguments: str) -> Result:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        return Result(int(ended.value.code or 0), *capfd.readouterr())

    return run


@pytest.fixture
def on_terminal() -> Terminal:
    """Run the command on a terminal of 80 columns and 24 lines; gives the status and all that was written to it.

    ``then`` is called once ``until`` has been written.
    """

    def run(*arguments: str, until: str = "", then: Callable[[], object] = bool) -> tuple[int, str]:
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (24, 80))
        env = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR", "CI")}
        child = subprocess.Popen(
            [sys.executable, "-c", "from seatlock.cli import main; main()", *arguments],
            env={**env, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        seen = b""
        with child, os.fdopen(ours, "rb", buffering=0) as terminal:
            killer = threading.Timer(100, child.kill)
            killer.start()
            try:
                while piece := terminal.read(4096):
                    waiting = until.encode() not in seen
                    seen += piece
                    if waiting and until.encode() in seen:
                        then()
            except OSError:  # how Linux says that the other end is closed
                pass
            finally:
                killer.cancel()
        return child.returncode, seen.decode()

    return run


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    """Where a server is."""
    with EmbeddedRedis.start() as server:
        yield server.url or need("a Redis server", "fakeredis cannot be reached by URL")


@pytest.fixture
def on_server(run: Run, url: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command on that server."""
    monkeypatch.setenv("SEATLOCK_REDIS", url)
    return run


@pytest.fixture
def locker(url: str) -> Iterator[SeatLocker]:
    """The library, on the same server."""
    with SeatLocker.from_url(url) as made:
        yield made


@pytest.fixture
def show() -> str:
    """A show's id that nobody used before."""
    return f"show-{new_token()[:8]}"


@pytest.fixture
def room(url: str) -> Iterator[WaitingRoom]:
    """The library, on the server of the command."""
    with WaitingRoom.from_url(url) as made:
        yield made
