"""`seatlock relay`."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import pytest

from seatlock import SeatLocker
from tests.cli.conftest import ROOT, Run
from tests.cli.test_main import command_without
from tests.support.need import need
from tests.support.servers import RedisServer

if find_spec("sqlalchemy") is not None:
    from seatlock.ledger import Ledger


@pytest.fixture
def on_sale(locker: SeatLocker, show: str) -> str:
    """A show with two bookings."""
    locker.warm(show, ["A-1", "A-2", "A-3"])
    locker.open_sale(show)
    for seat in ("A-1", "A-2"):
        locker.confirm(locker.acquire(show, [seat], holder=seat), payment="pay")
    return show


def test_once(on_server: Run, on_sale: str, ledger: str) -> None:
    assert on_server("relay", on_sale, "--once") == (0, "Facts settled: 2 (2 confirmed).\n", "")
    assert on_server("relay", on_sale, "--once") == (0, "Facts settled: 0 (nothing yet).\n", "")
    with Ledger(ledger) as books:
        assert [seat.seat for seat in books.sold(on_sale)] == ["A-1", "A-2"]
    assert on_server("relay", "--once", "--namespace", f"none-{on_sale}").status == 0


def test_what_is_set_aside_wants_a_look(on_server: Run, locker: SeatLocker, on_sale: str, ledger: str) -> None:
    locker._client.execute_command("XADD", f"seatlock:{{{on_sale}}}:outbox", "*", "kind", "odd")
    status, out, _ = on_server("relay", on_sale, "--once")
    assert (status, out) == (1, "Facts settled: 2 (2 confirmed); 1 set aside: they want a look.\n")


def test_what_was_set_aside_is_tried_again(on_server: Run, locker: SeatLocker, on_sale: str, ledger: str) -> None:
    aside, outbox = (f"seatlock:{{{on_sale}}}:{name}" for name in ("aside", "outbox"))
    (entry, fields), *_ = locker._client.xrange(outbox)
    locker._client.xadd(aside, {"id": entry, "reason": "a rule of its own", **fields})
    for _ in range(120):  # more than one page, and nothing that a second try mends
        locker._client.xadd(aside, {"id": "1-1", "reason": "odd", "kind": "odd"})
    locker._client.xadd(aside, {"id": "1-1", "reason": "nothing else"})
    locker._client.xdel(outbox, entry)
    status, out, _ = on_server("relay", on_sale, "--again", "--once")
    assert (status, out.splitlines()) == (
        1,
        ["Put back: 121.", "Facts settled: 2 (2 confirmed); 120 set aside: they want a look."],
    )
    with Ledger(ledger) as books:
        assert [seat.seat for seat in books.sold(on_sale)] == ["A-1", "A-2"]
    assert locker._client.xlen(aside) == 121
    assert on_server("relay", "--again", "--once", "--namespace", f"none-{on_sale}").out.startswith("Put back: 0.\n")


def test_it_tells_a_broker(on_server: Run, on_sale: str, ledger: str, server_of: Callable[[str], RedisServer]) -> None:
    if find_spec("faststream") is None:
        need("FastStream", "run: pip install 'seatlock-redis[brokers]'")
    broker = server_of("redis-7")
    assert on_server("relay", on_sale, "--once", "--publish", f"{broker.url}?stream=told-{on_sale}").status == 0
    with broker.client() as raw:
        assert raw.xlen(f"told-{on_sale}") == 2
    assert on_server("relay", on_sale, "--once", "--publish", "carrier-pigeon://x").status == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_until_it_is_stopped(locker: SeatLocker, on_sale: str, ledger: str, url: str, number: int) -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "SEATLOCK_REDIS": url, "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-c", "from seatlock.cli import main; main()", "relay", on_sale]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline().startswith("Facts settled: 0")
        while locker._client.execute_command("XLEN", f"seatlock:{{{on_sale}}}:outbox"):
            assert child.poll() is None
        child.send_signal(number)
        out, err = child.communicate(timeout=30)
    assert (child.returncode, out.splitlines()[-1], err) == (0, "Facts settled: 2 (2 confirmed).", "")
    assert locker._client.execute_command("EXISTS", f"seatlock:{{{on_sale}}}:relay") == 0


def test_trouble_is_told_at_once(on_server: Run, on_sale: str, tmp_path: Path, ledger: str) -> None:
    with closing(sqlite3.connect(tmp_path / "empty.db")):
        pass
    status, out, err = on_server("relay", on_sale, "--ledger", f"sqlite:///{tmp_path / 'empty.db'}")
    assert (status, out) == (1, "")
    assert "run seatlock migrate" in err
    status, _, err = on_server("relay", "--once", "--redis", "redis://user:hidden@127.0.0.1:1")
    assert status == 1
    assert "hidden" not in err
    assert "--redis or SEATLOCK_REDIS" in err


def test_without_the_ledger_extra_it_names_it(tmp_path: Path) -> None:
    done = command_without(("sqlalchemy",), tmp_path, "relay")
    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install 'seatlock-redis[ledger]'" in done.stderr


def test_without_the_brokers_extra_it_names_it(tmp_path: Path, ledger: str) -> None:
    done = command_without(("faststream",), tmp_path, "relay", "--once", "--publish", "kafka://127.0.0.1:9/x")
    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install 'seatlock-redis[brokers]'" in done.stderr
