"""A server that runs as a child process in a private directory, and does not outlive this process.

Whatever way this process ends, SIGKILL included, the child is ended and its directory removed: a tiny watcher
(a shell that waits for the end of a pipe which only this process holds open) sees to it. Linux's parent-death
signal would need no watcher, but it fires when the *thread* that started the child ends.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

STOP_TIMEOUT: Final = 5.0  # seconds that a child gets to end by itself after SIGTERM
SOCKET_PATH_LIMIT: Final = 100  # bytes; the systems allow 103 to 107 in the path of a unix socket
_LOG_TAIL_BYTES: Final = 4096
_WATCH: Final = 'read -r _; kill -KILL "$1" 2>/dev/null; rm -rf -- "$2"'


def private_directory() -> Path:
    """Make a directory that only this user can enter, in which a server can be run.

    Its path is short enough for a unix socket and has no wildcard in it: Redis takes the path of its configuration
    for a pattern, and where that matches nothing it starts without any, as a public server on port 6379.
    """
    for parent in (tempfile.gettempdir(), "/tmp"):  # noqa: S108 - the fallback where TMPDIR will not do
        long = len(os.fsencode(parent)) + len("/seatlock-12345678/server.sock") > SOCKET_PATH_LIMIT
        if not long and not set(parent) & set("*?["):
            return Path(tempfile.mkdtemp(prefix="seatlock-", dir=parent))  # mkdtemp makes it 0700
    raise OSError(f"{tempfile.gettempdir()} has too long a path for a unix socket in it, or a wildcard")


class ChildProcess:
    """One run of a server: started by the constructor in ``directory``, ended by `stop` or `kill`.

    Its output goes to ``log``, appended. If this process ends without either, the watcher kills the child and deletes
    ``directory``.
    """

    def __init__(
        self, argv: Sequence[str], *, directory: Path, log: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self._owner = os.getpid()
        with log.open("ab") as output:
            # its own session: Ctrl-C in a terminal is for us alone, and we then stop the child in good order
            self._process = subprocess.Popen(  # noqa: S603 - an argument list, no shell
                list(argv),
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=None if env is None else {**os.environ, **env},
                start_new_session=True,
            )
        self._watcher: subprocess.Popen[bytes] | None = None
        with suppress(OSError):  # without a shell there is no watcher; the child then outlives only a SIGKILL
            self._watcher = subprocess.Popen(  # noqa: S603
                ["/bin/sh", "-c", _WATCH, "watch", str(self.pid), str(directory)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    @property
    def ours(self) -> bool:
        """Whether this process started the child; False in a forked copy of that process, which must not end it."""
        return os.getpid() == self._owner

    @property
    def exit_status(self) -> int | None:
        """The child's exit status (minus the signal's number if a signal ended it), or None while it runs."""
        status = self._process.poll()
        if status is not None:
            self._unwatch()
        return status

    def stop(self, timeout: float = STOP_TIMEOUT) -> None:
        """Ask the child to end, and kill it if it has not within ``timeout`` seconds; twice does no harm."""
        if not self.ours or self.exit_status is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._reap()

    def kill(self) -> None:
        """End the child at once with SIGKILL; twice does no harm."""
        if not self.ours or self.exit_status is not None:
            return
        self._process.kill()
        self._reap()

    def _reap(self) -> None:
        self._process.wait()
        self._unwatch()

    def _unwatch(self) -> None:
        """End the watcher once the child is gone: its process id may soon be another's."""
        if self._watcher is not None:
            self._watcher.kill()
            self._watcher.communicate()
            self._watcher = None


def log_tail(log: Path) -> str:
    """Return the last lines of a log, or a word that there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _LOG_TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()[-15:]
    except OSError:
        lines = []
    return "\n".join(lines) or "(the server wrote nothing)"


def remove_directory(directory: Path) -> None:
    """Remove a private directory; what is gone already is no error."""
    shutil.rmtree(directory, ignore_errors=True)
