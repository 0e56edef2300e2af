"""The command line as a whole: usage, errors, secrets."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

from seatlock.cli.terminal import Terminal, secrets_of, without_login
from tests.cli.conftest import Run
from tests.support.ports import free_port

ROOT = Path(__file__).parents[2]
COMMANDS = (
    *("warm", "open", "pause", "close", "retire", "shows", "status", "inspect", "export"),
    *("block", "unblock", "channel", "force-release", "check"),
    *("room", "room-status", "room-close-early", "room-open", "room-pause", "room-close", "room-sold-out"),
    *("admit", "verify-shuffle", "simulate"),
)


def test_the_version(run: Run) -> None:
    status, out, _ = run("--version")
    try:
        expected = distribution("seatlock-redis").version
    except PackageNotFoundError:
        expected = "(not installed)"
    assert (status, out) == (0, f"seatlock {expected}\n")


def test_help_fits_a_terminal_and_names_every_command(run: Run) -> None:
    status, out, _ = run("--help")
    assert status == 0
    assert all(name in out for name in COMMANDS)
    for command in COMMANDS:
        status, out, _ = run(command, "--help")
        assert status == 0
        assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["open"],
        ["open", "a", "b"],
        ["open", "a", "--nonsense"],
        ["status"],
        ["status", "a", "--seconds", "5"],
        ["status", "a", "--watch", "--seconds", "0"],
        ["inspect", "a"],
        ["block", "a", "--reason", "b"],
        ["unblock", "a"],
        ["inspect", "a", "b", "--pool", "c"],
        ["inspect", "a", "b", "--holder", "c"],
        ["channel", "a", "b"],
        ["channel", "a", "--public"],
        ["channel", "a", "b", "--to", "c", "--public"],
        ["force-release", "a", "--by", "b", "--reason", "c"],
        ["force-release", "a", "--by", "b", "--reason", "c", "--pool", "d"],
        ["force-release", "a", "b", "--by", "b", "--reason", "c", "--holder", "d"],
        ["warm", "a"],
        ["warm", "a", "theatre", "--query", "select 1"],
        ["warm", "a", "--query", "select 1"],
        ["warm", "a", "theatre", "--max-hold", "long"],
        ["room"],
        ["room", "a", "--rate", "many"],
        ["room", "a", "--pass-ttl", "long"],
        ["room-open", "a", "--at", "never", "--record", "b"],
        ["room-record", "a"],
        ["admit"],
        ["admit", "a", "--returns", "1.5"],
        ["verify-shuffle"],
        ["simulate", "--buyers", "0"],
        ["simulate", "--workers", "many"],
        ["simulate", "--abandon", "1.5"],
        ["simulate", "--tickets", "5", "--plan", "arena"],
        ["simulate", "--tickets", "5", "--abandon", "0.5"],
    ],
)
def test_usage_errors_end_with_2(run: Run, arguments: list[str]) -> None:
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert "Usage: seatlock" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["open", "a{b"], "hash tag"),
        (["open", "a", "--redis", "foo://x"], "scheme that seatlock knows"),
        (["open", "a", "--namespace", "{"], "namespace"),
        (["warm", "a", "nosuch"], "theatre"),
        (["warm", "a", "nosuch.json"], "No such file"),
        (["warm", "a", "plan.xml"], ".json or a .csv"),
        (["simulate", "--plan", "nosuch"], "theatre"),
        (["room", "a{b"], "hash tag"),
        (["verify-shuffle", "nosuch.json"], "No such file"),
        (["verify-shuffle", "pyproject.toml"], "no public record of a draw"),
    ],
)
def test_expected_errors_are_one_message_and_end_with_1(run: Run, arguments: list[str], said: str) -> None:
    status, out, err = run(*arguments)
    assert (status, out) == (1, "")
    assert err.startswith("seatlock: ")
    assert said in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("scheme", ["redis", "redis+cluster", "redis+sentinel"])
def test_a_server_that_is_not_there(run: Run, scheme: str) -> None:
    service = "/tickets/0" if scheme == "redis+sentinel" else ""
    status, _, err = run("open", "a", "--redis", f"{scheme}://:sekret@127.0.0.1:{free_port()}{service}")
    assert status == 1
    assert err.startswith("seatlock: ")
    assert "Traceback" not in err
    assert "sekret" not in err


@pytest.mark.parametrize(
    "url", ["redis://u:sek/ret@localhost:1/0", "redis://u:sekret@localhost:port/0", "redis://u:sekret@[::1/0"]
)
@pytest.mark.parametrize("command", [["open", "a"], ["simulate", "--tickets", "1"]])
def test_a_url_that_cannot_be_read_is_not_quoted(run: Run, command: list[str], url: str) -> None:
    status, out, err = run(*command, "--redis", url)
    assert status == 1
    assert "percent-encoded" in err
    assert "sek" not in out + err
    assert "ret" not in err


def test_secrets_are_found_in_every_shape_of_url() -> None:
    assert secrets_of("redis://user:pass%2Fword@host:1/0") == {"pass%2Fword", "pass/word"}
    assert secrets_of("redis://:p:w@host") == {"p:w"}
    assert secrets_of("redis://:p@ss/w#rd@host") == {"p@ss/w#rd"}
    assert secrets_of("unix:///run/redis.sock?db=0&password=hidden") == {"hidden"}
    assert secrets_of("redis://host:1/0") == set()
    assert secrets_of("redis://[::1") == set()
    assert without_login("redis://u:p@host:1/0?password=x") == "redis://host:1/0"


def test_what_is_hidden_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()
    terminal.hide("redis://user:pass%2Fword@host:1/0")
    terminal.hide("redis://user:ab@host:1/0")
    terminal.say("[bold]seat[/bold] pass%2Fword pass/word ab")
    terminal.complain("pass/word")
    assert tuple(capsys.readouterr()) == ("[bold]seat[/bold] *** *** ab\n", "***\n")


def command_without(missing: tuple[str, ...], folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a Python that has all packages of this one but a few."""
    packages = [Path(path) for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    for package in (entry for path in packages for entry in path.iterdir()):
        if not package.name.lower().startswith(missing) and not (folder / package.name).exists():
            (folder / package.name).symlink_to(package)
    return subprocess.run(
        [sys.executable, "-S", "-c", "from seatlock.cli import main; main()", *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_without_the_cli_extra_the_command_names_it(tmp_path: Path, missing: str) -> None:
    done = command_without((missing,), tmp_path, "warm", "a", "theatre")
    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install 'seatlock-redis[cli]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_the_ledger_extra_a_query_names_it(tmp_path: Path) -> None:
    database = ("--query", "select 1 as id", "--database", "sqlite://")
    done = command_without(("sqlalchemy",), tmp_path, "warm", "a", *database)
    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install 'seatlock-redis[ledger]'" in done.stderr
    assert "Traceback" not in done.stderr
