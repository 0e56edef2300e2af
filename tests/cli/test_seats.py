"""`seatlock inspect`, `export`, `block`, `unblock`, `channel`, `force-release` and `check`: seats."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
import redis

from seatlock import Booking, Hold, HoldLost, Seat, SeatingPlan, SeatLocker
from tests.cli.conftest import Run

HALL = SeatingPlan.of(
    [
        Seat("A-1", section="Stalls", row="A", number="1", category="Best"),
        Seat("A-2", section="Stalls", row="A", number="2", category="Best"),
        Seat("A-3", section="Stalls", row="A", number="3", category="Rest"),
        Seat("[b] 1", status="blocked"),
        Seat("C-2", section="Balcony", status="sold"),
    ]
)


@pytest.fixture
def held(locker: SeatLocker, show: str) -> Hold:
    """A hold on one seat of an open show."""
    locker.warm(show, HALL)
    locker.open_sale(show)
    return locker.acquire(show, ["A-1"], holder="Ada, [countess]")


@pytest.fixture
def sold(locker: SeatLocker, show: str, held: Hold) -> Booking:
    """A booking of another."""
    return locker.confirm(locker.acquire(held.show, ["A-2"], holder="Bob"), payment="pay-1")


@pytest.fixture
def raw(url: str) -> redis.Redis:
    """The keys."""
    return redis.Redis.from_url(url)


def test_inspect_tells_all_but_the_token(on_server: Run, show: str, held: Hold, sold: Booking) -> None:
    status, out, err = on_server("inspect", show, "A-1")
    assert (status, err) == (0, "")
    head, line = out.splitlines()
    assert head.split() == ["seat", "state", "left", "category", "holder", "fence"]
    assert line.split() == ["A-1", "held", line.split()[2], "Best", "Ada,", "[countess]", str(held.fence)]
    assert line.split()[2] in ("9:59", "9:58", "9:57", "9:56")
    assert held.token not in out

    status, out, _ = on_server("inspect", show, "A-2")  # too wide for a row
    assert status == 0
    assert [line.rstrip().split(maxsplit=1) for line in out.splitlines()] == [
        ["seat", "A-2"],
        ["state", "sold"],
        ["category", "Best"],
        ["holder", "Bob"],
        ["fence", str(sold.fence)],
        ["booking", sold.id],
        ["payment", "pay-1"],
    ]

    status, out, _ = on_server("inspect", show, "A-1", "A-2", "A-3", "[b] 1")
    assert status == 0
    assert "[b] 1" in out
    assert max(map(len, out.splitlines())) <= 80


def test_inspect_names_seats_that_are_not_there_or_wrong(
    on_server: Run, show: str, held: Hold, raw: redis.Redis
) -> None:
    status, out, err = on_server("inspect", show, "A-1", "Z-9")
    assert (status, out) == (1, "")
    assert "'Z-9'" in err
    raw.hset(f"seatlock:{{{show}}}:seats", "A-1", "f0")
    status, out, err = on_server("inspect", show, "A-1")
    assert (status, "held (!)" in out) == (0, True)
    assert err == f"A-1: lock and availability hash disagree; see: seatlock check {show}\n"


WANTED = [
    ["A-1", "Stalls", "A", "1", "Best", "held", "Ada, [countess]", "", "", "", "", "", "1"],
    ["A-2", "Stalls", "A", "2", "Best", "sold", "Bob", "booking", "pay-1", "", "", "", "1"],
    ["A-3", "Stalls", "A", "3", "Rest", "free", "", "", "", "", "", "", "1"],
    ["[b] 1", "", "", "", "", "blocked", "", "", "", "", "", "", "1"],
    ["C-2", "Balcony", "", "", "", "sold", "", "", "", "", "", "", "1"],
]
FIELDS = ["seat", "section", "row", "number", "category", "state", "holder", "booking", "payment", "reason"]
FIELDS += ["channel", "pool", "quantity"]


def wanted(sold: Booking) -> list[list[str]]:
    """What an export has."""
    return [[sold.id if word == "booking" else word for word in row] for row in WANTED]


def test_export_as_csv(on_server: Run, show: str, held: Hold, sold: Booking, tmp_path: Path) -> None:
    status, out, err = on_server("export", show)
    assert (status, err) == (0, "")
    assert list(csv.reader(io.StringIO(out))) == [FIELDS, *wanted(sold)]
    assert held.token not in out

    file = tmp_path / "seats.csv"
    status, printed, err = on_server("export", show, "--format", "csv", "--output", str(file))
    assert (status, printed, file.read_text()) == (0, "", out)
    assert "5 rows" in err
    assert [path.name for path in tmp_path.iterdir()] == ["seats.csv"]


def test_export_as_json(on_server: Run, show: str, held: Hold, sold: Booking, tmp_path: Path) -> None:
    status, out, _ = on_server("export", show, "--format", "json")
    assert status == 0
    assert [[str(row[field] or "") for field in FIELDS] for row in json.loads(out)] == wanted(sold)
    assert all(list(row) == FIELDS for row in json.loads(out))
    assert held.token not in out
    file = tmp_path / "seats.json"
    assert on_server("export", show, "--format", "json", "--output", str(file)).status == 0
    assert file.read_text() == out


def test_a_large_export_comes_in_steps(on_server: Run, locker: SeatLocker, show: str) -> None:
    seats = [f"S-{number}" for number in range(1001)]
    locker.warm(show, seats)
    out = on_server("export", show).out
    assert [row[0] for row in csv.reader(io.StringIO(out))] == ["seat", *seats]
    assert len(json.loads(on_server("export", show, "--format", "json").out)) == 1001


def test_an_export_that_fails_leaves_no_file(
    on_server: Run, show: str, held: Hold, tmp_path: Path, raw: redis.Redis
) -> None:
    file = tmp_path / "seats.csv"
    file.write_text("an earlier one")
    status, out, err = on_server("export", f"{show}-none", "--output", str(file))
    assert (status, out, "not warmed" in err) == (1, "", True)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("seats.csv", "an earlier one")]
    raw.hdel(f"seatlock:{{{show}}}:seats", "A-3")
    status, _, err = on_server("export", show, "--output", str(file))
    assert (status, "'A-3'" in err, f"seatlock check {show}" in err) == (1, True, True)
    status, _, err = on_server("export", show, "--output", str(tmp_path / "none" / "seats.csv"))
    assert (status, "cannot be written" in err) == (1, True)
    assert on_server("export", show, "--format", "xml").status == 2


def test_block_and_unblock(on_server: Run, locker: SeatLocker, show: str, held: Hold) -> None:
    status, out, err = on_server("block", show, "A-2", "[b] 1", "--reason", "camera [2]")
    assert (status, out, err) == (0, "A-2: blocked\n[b] 1: was blocked already\n", "")
    assert locker.availability(show).seats["A-2"] == "blocked"
    _, out, _ = on_server("inspect", show, "A-2", "A-3")
    assert out.splitlines()[0].split() == ["seat", "state", "category", "reason"]
    assert out.splitlines()[1].split() == ["A-2", "blocked", "Best", "camera", "[2]"]
    assert ",blocked,,,,camera [2],,,1\n" in on_server("export", show).out

    status, out, err = on_server("block", show, "A-3", "A-1")
    assert (status, out) == (1, "")
    assert "none was" in err
    assert "'A-1'" in err
    assert locker.availability(show).seats["A-3"] == "free"

    status, out, _ = on_server("unblock", show, "A-2", "A-1", "A-3")
    assert status == 1
    assert out.splitlines() == [
        "A-2: on sale again",
        "A-1: left alone: it is not blocked but held",
        "A-3: left alone: it is not blocked but free",
    ]
    assert on_server("unblock", show, "[b] 1").status == 0
    assert locker.availability(show).counts["blocked"] == 0
    assert on_server("unblock", show, "Z-9").status == 1


def test_channel(on_server: Run, locker: SeatLocker, show: str, held: Hold) -> None:
    status, out, err = on_server("channel", show, "A-1", "A-2", "--to", "Partner [2]")
    assert (status, out, err) == (0, "A-1: in channel Partner [2] now\nA-2: in channel Partner [2] now\n", "")
    assert locker.availability(show).seats["A-2"] == "channel"
    assert locker.availability(show, channel="Partner [2]").seats["A-2"] == "free"
    status, out, _ = on_server("channel", show, "A-2", "A-3", "--to", "Partner [2]")
    assert (status, out) == (0, "A-2: was in channel Partner [2] already\nA-3: in channel Partner [2] now\n")
    assert on_server("channel", show, "A-2", "A-3", "--public").out == "A-2: public now\nA-3: public now\n"
    assert on_server("channel", show, "A-2", "--public").out == "A-2: was public already\n"
    status, out, err = on_server("channel", show, "A-2", "Z-9", "--to", "Partner [2]")
    assert (status, out) == (1, "")
    assert "'Z-9'" in err
    assert locker.availability(show).seats["A-2"] == "free"


def test_force_release(on_server: Run, locker: SeatLocker, show: str, held: Hold, raw: redis.Redis) -> None:
    why = ("--reason", "double booking of row A", "--by", "Eve")
    status, out, err = on_server("force-release", show, "A-1", "A-3", *why)
    assert (status, out, err) == (0, "A-1: released\nA-3: nobody held it\n", "")
    assert locker.availability(show).seats["A-1"] == "free"
    with pytest.raises(HoldLost) as lost:
        locker.confirm(held)
    assert lost.value.reason == "released"
    ((_, entry),) = raw.xrange(f"seatlock:{{{show}}}:audit")
    assert (entry[b"by"], entry[b"reason"], entry[b"seat"]) == (b"Eve", b"double booking of row A", b"A-1")


def test_force_release_leaves_sold_seats_alone_and_says_so(
    on_server: Run, locker: SeatLocker, show: str, sold: Booking
) -> None:
    status, out, _ = on_server("force-release", show, "A-2", "A-1", "--reason", "x", "--by", "y")
    assert status == 1
    assert out.startswith("A-2: left alone: it is sold")
    assert "A-1: released" in out
    assert locker.inspect(show, ["A-2"])[0].booking == sold.id


@pytest.mark.parametrize("given", [[], ["--by", "Eve"], ["--reason", "why"]])
def test_force_release_wants_to_know_who_and_why(on_server: Run, show: str, held: Hold, given: list[str]) -> None:
    status, out, err = on_server("force-release", show, "A-1", *given)
    assert (status, out, "Missing option" in err) == (2, "", True)
    status, _, err = on_server("force-release", show, "A-1", "--by", "", "--reason", "why")
    assert (status, "by is empty" in err) == (1, True)


def test_a_show_that_adds_up(on_server: Run, show: str, sold: Booking) -> None:
    status, out, err = on_server("check", show)
    assert (status, err) == (0, "")
    assert "1 free + 1 held + 0 pinned + 2 sold + 1 blocked + 0 channel = 5 seats.\n" in out
    assert out.endswith("All that is kept of every seat agrees.\n")


def test_a_show_that_does_not(on_server: Run, show: str, sold: Booking, raw: redis.Redis) -> None:
    base = f"seatlock:{{{show}}}:"
    raw.hset(f"{base}seats", "A-1", "f0")
    raw.hset(f"{base}seats", "A-3", "s1")
    raw.hdel(f"{base}seats", "[b] 1")
    raw.hset(f"{base}seats", "Z-9", "f0")
    raw.delete(f"{base}lock:C-2")
    status, out, err = on_server("check", show)
    assert (status, err) == (1, "")
    assert "= 4 seats, and not the capacity of 5.\n" in out
    assert out.splitlines()[1:] == [
        "missing (1):",
        "  [b] 1: in the plan, and not in the availability hash",
        "surplus (1):",
        "  Z-9: in the availability hash, and not in the plan",
        "unlocked (2):",
        "  A-3: the availability hash says sold, and there is no lock",
        "  C-2: the availability hash says sold, and there is no lock",
        "state (1):",
        "  A-1: the lock says held, the availability hash free",
    ]


@pytest.mark.parametrize(
    "command",
    [
        ["inspect", "A-1"],
        ["export"],
        ["block", "A-1"],
        ["unblock", "A-1"],
        ["channel", "A-1", "--public"],
        ["inspect", "--pool", "floor"],
        ["force-release", "--pool", "floor", "--holder", "Ada", "--by", "Eve", "--reason", "why"],
        ["force-release", "A-1", "--by", "Eve", "--reason", "why"],
        ["check"],
        ["status"],
    ],
)
def test_a_show_that_was_never_warmed(on_server: Run, show: str, command: list[str]) -> None:
    status, out, err = on_server(command[0], show, *command[1:])
    assert (status, out) == (1, "")
    assert "not warmed" in err
