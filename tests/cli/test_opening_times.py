"""`seatlock room-open --at`, and what `seatlock admit` does when that time comes."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

from seatlock import WaitingRoom
from tests.cli.conftest import Run
from tests.cli.test_room import FAST, joined, meanwhile
from tests.support.waiting import until


def in_a_moment(room: WaitingRoom, show: str) -> None:
    """Have a room open in a moment, and three people wait for it early."""
    room.prepare(show, FAST)
    joined(room, show, "ada", "bo", "cy")
    room.open_at(show, time.time() + 0.5)


def test_the_pump_draws_where_the_record_is_kept(
    on_server: Run, run: Run, room: WaitingRoom, show: str, tmp_path: Path
) -> None:
    in_a_moment(room, show)
    file = tmp_path / "draw.json"
    status, out, err = on_server("admit", show, "--record", str(tmp_path / "no" / "draw.json"))
    assert (status, "No such file" in " ".join(err.replace("│", " ").split())) == (2, True)

    def close() -> None:
        until(lambda: room.served(show).admitted == 3, "all were let in")
        room.close_room(show)

    with meanwhile(close):
        status, out, err = on_server("admit", show, "--outside", "echo beacon", "--record", str(file))
    assert (status, err) == (0, "")
    assert "The order of 3 people who came early was drawn; its record is" in out
    assert run("verify-shuffle", str(file), "--holder", "ada", "--outside", "beacon").status == 0


def test_the_pump_draws_without_a_file_too(
    on_server: Run, run: Run, room: WaitingRoom, show: str, tmp_path: Path
) -> None:
    in_a_moment(room, show)

    def close() -> None:
        until(lambda: room.served(show).admitted == 3, "all were let in")
        room.close_room(show)

    with meanwhile(close):
        status, out, err = on_server("admit", show, "--outside", "echo beacon")
    assert (status, err) == (0, "")
    assert f"The order of 3 people who came early was drawn; seatlock room-record {show} FILE" in " ".join(out.split())
    file = tmp_path / "draw.json"
    assert on_server("room-record", show, str(file)).status == 0
    assert run("verify-shuffle", str(file), "--holder", "ada", "--outside", "beacon").status == 0


def test_the_pump_opens_a_room_in_which_nobody_is_early(
    on_server: Run, room: WaitingRoom, show: str, tmp_path: Path
) -> None:
    for options in ((), ("--record", str(tmp_path / "draw.json"))):
        room.prepare(show, FAST)
        room.open(show)
        room.pause(show)
        joined(room, show, f"ada{len(options)}")
        room.open_at(show, time.time() + 0.3)

        def close(already: int = room.served(show).admitted) -> None:
            until(lambda: room.served(show).admitted == already + 1, "she was let in")
            room.close_room(show)

        with meanwhile(close):
            assert on_server("admit", show, *options).status == 0
    assert list(tmp_path.iterdir()) == []


def test_a_room_has_a_time_to_open(on_server: Run, room: WaitingRoom, show: str) -> None:
    room.prepare(show)
    joined(room, show, "ada")
    at = datetime.fromtimestamp(int(time.time()) + 3600, UTC).isoformat()
    status, out, err = on_server("room-open", show, "--at", at)
    assert (status, err) == (0, "")
    assert f"is opened by its pumps at {at}" in " ".join(out.split())
    opens_in = room.served(show).opens_in
    assert opens_in is not None
    assert 3500 < opens_in <= 3600
    assert on_server("room-open", show, "--at", "2027-05-01T10:00:00").status == 2
    assert on_server("room-open", show, "--at", at, "--outside", "beacon").status == 2
    assert "does not open by itself" in on_server("room-open", show, "--at", "never").out
    assert room.served(show).opens_in is None
