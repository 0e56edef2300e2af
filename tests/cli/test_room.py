"""`seatlock room` and its kin, `seatlock admit` and `seatlock verify-shuffle`."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from seatlock import NotAdmitted, RoomSettings, SeatLocker, ShowNotFound, WaitingRoom
from seatlock.cli import admit as pump
from seatlock.cli.connection import Desk
from tests.cli.conftest import ROOT, Run, Terminal
from tests.support.fixtures import PrivateServer
from tests.support.waiting import until

COMMAND = """
import signal
from seatlock.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell has its background jobs ignore
main()
"""
FAST = RoomSettings(rate=1000, per=1.0, burst=1000)


def joined(room: WaitingRoom, show: str, *holders: str) -> None:
    """Have holders join."""
    for holder in holders:
        room.join(show, holder)


# Making it


def test_a_room_is_made_and_changed(on_server: Run, room: WaitingRoom, show: str) -> None:
    status, out, err = on_server("room", show, "--rate", "30", "--per", "1.5", "--concurrency", "7")
    assert (status, err) == (0, "")
    assert out.startswith(f"The waiting room of {show} is made.\n")
    assert re.search(r"^let in +30 in 1\.5 s, 100 at once *$", out, re.MULTILINE)
    assert "from everybody" in out
    (commitment,) = re.findall(r"^[0-9a-f]{64}$", out, re.MULTILINE)
    assert commitment == room.prepare(show, room.settings(show))
    assert room.settings(show) == RoomSettings(rate=30, per=1.5, concurrency=7)

    status, out, _ = on_server("room", show, "--concurrency", "0", "--grace", "12", "--renewals", "0")
    assert (status, commitment in out) == (0, True)
    assert out.startswith(f"The waiting room of {show} is as you want it.\n")
    assert room.settings(show) == RoomSettings(rate=30, per=1.5, grace=12.0, renewals=0), "the others stay"
    assert on_server("room", show, "--big-sale", "--burst", "9").status == 0
    found = room.settings(show)
    assert (found.max_length, found.per, found.burst) == (10_000_000, 5.0, 9)


def test_every_setting_has_an_option(on_server: Run, room: WaitingRoom, show: str) -> None:
    wanted: dict[str, float] = {
        "rate": 2,
        "per": 3.0,
        "burst": 4,
        "concurrency": 5,
        "batch": 6,
        "max_length": 7,
        "reservation": 18.0,
    }
    wanted |= {"pass_ttl": 9.0, "renewals": 10, "grace": 32.0, "keep": 33.0, "poll": 13.0}
    assert set(wanted) == set(RoomSettings.__struct_fields__)
    options = [word for name, value in wanted.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    assert on_server("room", show, *options).status == 0
    assert room.settings(show) == RoomSettings(**wanted)  # type: ignore[arg-type] - each of its own type


def test_settings_that_are_out_of_bounds(on_server: Run, room: WaitingRoom, show: str) -> None:
    status, out, err = on_server("room", show, "--rate", "0")
    assert (status, out) == (1, "")
    assert err.startswith("seatlock: settings.rate is 0")
    with pytest.raises(ShowNotFound):
        room.settings(show)


def test_admission_is_required_and_is_not(on_server: Run, locker: SeatLocker, show: str) -> None:
    status, out, err = on_server("room", show, "--required")
    assert (status, out) == (1, "")
    assert "not warmed" in err
    locker.warm(show, ["A-1"])
    locker.open_sale(show)
    assert "only from those who were let in" in on_server("room", show, "--required").out
    assert "only from those who were let in" in on_server("room", show).out
    with pytest.raises(NotAdmitted):
        locker.acquire(show, ["A-1"], holder="Ada")
    assert "from everybody" in on_server("room", show, "--not-required").out
    assert locker.acquire(show, ["A-1"], holder="Ada").seats == ("A-1",)


# Opening it


def test_the_life_of_a_room(on_server: Run, room: WaitingRoom, show: str) -> None:
    on_server("room", show)
    for command, word in (
        ("room-open", "open"),
        ("room-pause", "paused"),
        ("room-open", "open"),
        ("room-close", "closed"),
        ("room-sold-out", "sold_out"),
    ):
        status, out, err = on_server(command, show)
        assert (status, err) == (0, "")
        assert show in out
        assert room.served(show).room == word
        assert f"{show}  {word.replace('_', ' ')}  waiting 0" in on_server("room-status", show).out


@pytest.mark.parametrize(
    "command",
    [
        "room-status",
        "room-close-early",
        "room-open",
        "room-pause",
        "room-close",
        "room-sold-out",
        "room-record",
        "admit",
    ],
)
def test_a_show_without_a_room(on_server: Run, show: str, command: str, tmp_path: Path) -> None:
    status, out, err = on_server(command, show, *([str(tmp_path / "x.json")] if command == "room-record" else []))
    assert (status, out, list(tmp_path.iterdir())) == (1, "", [])
    assert err.startswith(f"seatlock: show '{show}' has no waiting room on this server")


def test_how_a_room_is(on_server: Run, locker: SeatLocker, room: WaitingRoom, show: str) -> None:
    locker.warm(show, ["A-1"])
    room.prepare(show, FAST, required=True)
    joined(room, show, "ada", "bo", "cy")
    assert "early  early 3  waiting 0" in on_server("room-status", show).out
    room.open(show)
    room.admit(show, most=2)
    status, out, err = on_server("room-status", show)
    assert (status, err) == (0, "")
    assert f"{show}  open  waiting 1  passes in time 2  let in 2  pace unknown" in out
    assert "the sale takes holds only from those who were let in" in out


def test_an_opening_with_its_record(on_server: Run, room: WaitingRoom, show: str, tmp_path: Path) -> None:
    commitment = room.prepare(show)
    joined(room, show, *(f"h{number}" for number in range(20)))
    file = tmp_path / "draw.json"
    status, _, err = on_server("room-open", show, "--record", str(tmp_path / "no" / "draw.json"))
    assert (status, "No such file" in " ".join(err.replace("│", " ").split())) == (2, True)
    assert room.served(show).room == "early", "nothing has happened"

    status, out, _ = on_server("room-close-early", show)
    (digest,) = re.findall(r"^[0-9a-f]{64}$", out, re.MULTILINE)
    assert (status, out.startswith("20 people came early")) == (0, True)
    status, out, err = on_server("room-open", show, "--outside", "beacon", "--record", str(file))
    assert (status, err) == (0, "")
    assert "The order of 20 people who came early was drawn" in out
    assert "could have aimed" not in out
    status, _, err = on_server("room-open", show, "--record", str(file))
    assert (status, "File exists" in err) == (2, True)
    other = tmp_path / "other.json"
    assert "The order of 20 people who came early was drawn" in on_server("room-open", show, "--record", str(other)).out
    assert other.read_bytes() == file.read_bytes(), "opening it again gives the same"

    number = room.status(show, "h7").number
    published = ("--commitment", commitment, "--digest", digest, "--outside", "beacon")
    status, out, err = on_server("verify-shuffle", str(file), "--holder", "h7", *published)
    assert (status, err) == (0, "")
    assert f"h7 was drawn to position {number} of 20.\n" in out
    assert out.count(": as published\n") == 3
    status, out, _ = on_server("verify-shuffle", str(file), "--order")
    assert (status, len(re.findall(r"^[0-9a-f]{64}$", out, re.MULTILINE))) == (0, 20)
    assert out.count(": compare it with what was published\n") == 3


def test_a_record_that_is_fetched_later(on_server: Run, room: WaitingRoom, show: str, tmp_path: Path) -> None:
    room.prepare(show)
    joined(room, show, "ada", "bo")
    file = tmp_path / "draw.json"
    status, out, err = on_server("room-record", show, str(file))
    assert (status, out, file.exists()) == (1, "", False)
    assert "nobody has been drawn yet" in err
    status, out, _ = on_server("room-open", show)
    assert (status, "could have aimed" in out) == (0, True)
    assert f"seatlock room-record {show} FILE writes its public record" in " ".join(out.split())
    assert {room.status(show, holder).number for holder in ("ada", "bo")} == {1, 2}
    number = room.status(show, "bo").number
    room.leave(show, "ada")

    status, out, err = on_server("room-record", show, str(file))
    assert (status, err, "could have aimed" in out) == (0, "", True)
    assert "The order of 2 people who came early" in out
    assert f"bo was drawn to position {number} of 2.\n" in on_server("verify-shuffle", str(file), "--holder", "bo").out
    status, _, err = on_server("room-record", show, str(file))
    assert (status, "File exists" in err) == (2, True)


def test_a_room_in_which_nobody_was_early_has_no_record(
    on_server: Run, room: WaitingRoom, show: str, tmp_path: Path
) -> None:
    room.prepare(show)
    file = tmp_path / "draw.json"
    status, out, _ = on_server("room-open", show, "--record", str(file))
    assert (status, "Nobody was early" in out, file.exists()) == (0, True, False)
    status, _, err = on_server("room-record", show, str(file))
    assert (status, "nobody was early" in err, file.exists()) == (1, True, False)


# Recomputing it


@pytest.fixture
def record(room: WaitingRoom, on_server: Run, show: str, tmp_path: Path) -> Path:
    """The public record of a draw of ada and bo."""
    room.prepare(show)
    joined(room, show, "ada", "bo")
    file = tmp_path / "draw.json"
    assert on_server("room-open", show, "--record", str(file)).status == 0
    return file


def test_a_holder_who_was_not_early(run: Run, record: Path) -> None:
    status, out, err = run("verify-shuffle", str(record), "--holder", "cy")
    assert (status, err) == (1, "seatlock: 'cy' was not among those who came early.\n")
    assert "No outside value was mixed in" in out


def test_a_record_that_was_changed(run: Run, record: Path) -> None:
    sound = json.loads(record.read_text())
    for change, complaint in (
        ({"seed": "x"}, "the seed is not the one that was committed to"),
        ({"show": "other", "digest": "0" * 64}, "the participants are not those whose digest was published"),
    ):
        record.write_text(json.dumps({**sound, **change}))
        status, out, err = run("verify-shuffle", str(record), "--holder", "ada")
        assert (status, out) == (1, "")
        assert err == f"seatlock: {record}: {complaint}.\n"


def test_a_record_that_is_not_the_one_that_was_announced(run: Run, record: Path) -> None:
    status, out, err = run(
        *("verify-shuffle", str(record), "--commitment", "0" * 64, "--digest", "1" * 64, "--outside", "beacon")
    )
    assert (status, out) == (1, "")
    assert err.count("which was published.\n") == 3
    assert "its outside value is '', and not 'beacon'" in err


def test_a_file_that_is_no_record(run: Run, tmp_path: Path) -> None:
    for content in (b"", b"id,section\n", b"{}", b"\xff\xfe", json.dumps({"show": "x"}).encode()):
        file = tmp_path / "file.json"
        file.write_bytes(content)
        status, out, err = run("verify-shuffle", str(file))
        assert (status, out) == (1, "")
        assert err.startswith(f"seatlock: {file}: this is no public record of a draw (")
        assert err.count("\n") == 1


# Letting people in


@contextmanager
def meanwhile(act: Callable[[], object]) -> Iterator[None]:
    """Do something beside the block; what fails there fails the test."""
    failures: list[BaseException] = []

    def work() -> None:
        try:
            act()
        except BaseException as error:  # noqa: BLE001 - raised below
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    yield
    thread.join()
    if failures:
        raise failures[0]


def test_people_are_let_in_until_the_room_is_closed(
    on_server: Run, room: WaitingRoom, show: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pump, "REPORT", 0.05)
    room.prepare(show, FAST)
    room.open(show)
    joined(room, show, "ada", "bo", "cy")

    def close() -> None:
        until(lambda: room.served(show).admitted == 3, "all were let in")
        room.sold_out(show)

    with meanwhile(close):
        status, out, err = on_server("admit", show)
    assert (status, err) == (0, "")
    assert out.startswith(f"{show}  open  waiting 3  passes in time 0")
    assert re.search(rf"^Let in to {show} from here: 3, in \d s\.$", out, re.MULTILINE)
    assert out.endswith(f"The waiting room of {show} is sold out.\n")


def test_no_more_than_there_are_seats(on_server: Run, locker: SeatLocker, room: WaitingRoom, show: str) -> None:
    locker.warm(show, ["A-1", "A-2", "A-3"])
    room.prepare(show, FAST)
    room.open(show)
    joined(room, show, "ada", "bo", "cy", "di", "ed")

    def close() -> None:
        until(lambda: room.served(show).admitted == 3, "as many were let in as there are seats")
        locker.open_sale(show)
        room.leave(show, "ada")  # whose turn goes to the next
        until(lambda: room.served(show).admitted == 4, "one more was let in")
        assert room.served(show).live == 3
        room.close_room(show)

    with meanwhile(close):
        status, out, _ = on_server("admit", show, "--seats")
    assert (status, "from here: 4, in " in out) == (0, True)


def test_what_the_seats_are_good_for(url: str, show: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with SeatLocker.from_url(url, namespace="stock") as locker, Desk.at(url, "stock") as desk:  # not among all shows
        locker.warm(show, [f"A-{number}" for number in range(10)], pools={"floor": 20})
        locker.open_sale(show)
        stock = pump.Stock(desk, show, 0.5)
        assert stock() == 30
        locker.confirm(locker.acquire(show, ["A-1"], holder="ada", pools={"floor": 3}))
        locker.acquire(show, ["A-2", "A-3"], holder="bo", pools={"floor": 4})
        assert stock() == 30, "one look is good for a moment"
        monkeypatch.setattr(pump, "LOOK_EVERY", 0.0)
        assert pump.Stock(desk, show, 0.5)() == 7 + 13 + 3
        assert pump.Stock(desk, show, 0.0)() == 20
        with pytest.raises(ShowNotFound):
            pump.Stock(desk, f"{show}-other", 0.0)()


def test_seats_of_a_show_that_is_not_warmed(on_server: Run, room: WaitingRoom, show: str) -> None:
    room.prepare(show)
    status, out, err = on_server("admit", show, "--seats")
    assert (status, out) == (1, "")
    assert "not warmed" in err


def test_on_a_terminal_the_numbers_move(on_terminal: Terminal, room: WaitingRoom, url: str, show: str) -> None:
    room.prepare(show, FAST)
    room.open(show)
    joined(room, show, "ada", "bo")

    def close() -> None:
        until(lambda: room.served(show).admitted == 2, "both were let in")
        room.close_room(show)

    status, seen = on_terminal("admit", show, "--redis", url, until="Ctrl-C ends it", then=close)
    assert status == 0
    assert f"Let in to {show} from here: 2, in " in seen
    assert "Traceback" not in seen


def test_it_outlasts_a_restart_and_ends_with_ctrl_c(private_server: PrivateServer, show: str) -> None:
    server = private_server(config={"appendonly": "yes", "appendfsync": "always"})
    with WaitingRoom.from_url(server.url) as room:
        room.prepare(show, FAST)
        room.open(show)
        joined(room, show, "ada")
        env: dict[str, Any] = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80"}
        with subprocess.Popen(
            [sys.executable, "-c", COMMAND, "admit", show, "--redis", server.url],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as child:
            try:
                until(lambda: room.served(show).admitted == 1, "the pump runs", timeout=30)
                server.restart()
                joined(room, show, "bo")
                until(lambda: room.served(show).admitted == 2, "it lets people in again", timeout=30)
                child.send_signal(signal.SIGINT)
                out, err = child.communicate(timeout=30)
            finally:
                child.kill()
    assert child.returncode == 0
    assert f"Let in to {show} from here: 2, in " in out
    assert "Traceback" not in err


def test_a_room_that_goes_away_ends_it(on_server: Run, locker: SeatLocker, room: WaitingRoom, show: str) -> None:
    locker.warm(show, ["A-1"])
    room.prepare(show, FAST)
    room.open(show)
    joined(room, show, "ada")

    def retire() -> None:
        until(lambda: room.served(show).admitted == 1, "the pump runs")
        locker.retire(show)

    with meanwhile(retire):
        status, out, err = on_server("admit", show)
    assert status == 1
    assert "from here: 1, in " in out
    assert "has no waiting room" in err
