"""What operators see of pools: `seatlock shows`, `status`, `inspect`, `export`, `force-release` and `check`."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator

import pytest
import redis

from seatlock import AcquireRequest, Booking, Hold, Seat, SeatLocker
from tests.cli.conftest import Run, Terminal

POOLS = {"floor [1]": 5000, "bal cony": 3}
NAMESPACE = "pooled"


@pytest.fixture
def locker(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[SeatLocker]:
    """The library, in a namespace of its own, so that lists of shows elsewhere are of shows without pools."""
    with SeatLocker.from_url(url, namespace=NAMESPACE) as made:
        yield made


@pytest.fixture
def on_server(on_server: Run) -> Run:
    """Run the command in that namespace."""
    return lambda *arguments: on_server(*arguments, "--namespace", NAMESPACE)


@pytest.fixture
def held(locker: SeatLocker, show: str) -> Hold:
    """A hold of a seat and of some of a pool."""
    locker.warm(show, ["A-1", "A-2"], pools=POOLS)
    locker.open_sale(show)
    return locker.acquire(show, ["A-1"], holder="Ada [x]", pools={"floor [1]": 4})


@pytest.fixture
def sold(locker: SeatLocker, show: str, held: Hold) -> Booking:
    """A booking of both pools."""
    hold = locker.acquire(held.show, pools={"floor [1]": 1, "bal cony": 3}, holder="Bob")
    return locker.confirm(hold, payment="pay-1")


@pytest.fixture
def raw(url: str) -> redis.Redis:
    """The keys."""
    return redis.Redis.from_url(url)


def rows(out: str) -> list[list[str]]:
    """The words of every line."""
    return [line.split() for line in out.splitlines()]


def test_status(on_server: Run, show: str, sold: Booking) -> None:
    status, out, err = on_server("status", show)
    assert (status, err) == (0, "")
    assert rows(out)[1][-3:] == ["of", "2", "seats"]
    assert rows(out)[3:] == [
        [],
        ["pool", "free", "held", "sold", "capacity"],
        ["floor", "[1]", "4,995", "4", "1", "5,000"],
        ["bal", "cony", "0", "0", "3", "3"],
    ]
    assert max(map(len, out.splitlines())) <= 80


def test_a_show_of_pools_alone(on_server: Run, locker: SeatLocker, show: str) -> None:
    locker.warm(show, pools=POOLS)
    locker.open_sale(show)
    locker.acquire(show, pools={"floor [1]": 4}, holder="Ada", ttl=0.001)
    while locker.availability(show).pools["floor [1]"].held:
        pass
    _, out, _ = on_server("status", show)
    assert "seats" not in out
    assert "ran out, not yet swept 1 " in out
    assert rows(out)[-2] == ["floor", "[1]", "5,000", "0", "0", "5,000"]
    status, out, _ = on_server("check", show)
    assert status == 0
    assert out.splitlines()[0].endswith(": no seats, pools alone.")
    _, out, _ = on_server("export", show)
    assert [row[-2:] for row in csv.reader(io.StringIO(out))] == [
        ["pool", "quantity"],
        ["floor [1]", "5000"],
        ["bal cony", "3"],
    ]
    out = on_server("shows").out
    assert max(map(len, out.splitlines())) <= 80
    seats, pools = (table.splitlines() for table in out.split("\n\n"))
    assert seats[0].split()[-1] == "seats"
    assert pools[0].split() == ["show", "pools", "free", "held", "sold", "capacity"]
    assert [line.split()[1:] for line in pools if line.startswith(show)] == [["2", "5,003", "0", "0", "5,003"]]


def test_many_pools_and_sections_fit_the_screen(on_terminal: Terminal, locker: SeatLocker, url: str, show: str) -> None:
    seats = [Seat(f"S-{number}", section=f"section {number}") for number in range(30)]
    locker.warm(show, seats, pools={f"pool {number}": 9 for number in range(32)})
    where = ("--redis", url, "--namespace", NAMESPACE)
    _, seen = on_terminal("status", show, "--watch", "--seconds", "1", *where)
    assert "… and 25 more pools" in seen
    assert "… and 23 more sections" in seen
    assert "pool 31 " in seen, "the last picture is whole"


def test_inspect(on_server: Run, show: str, held: Hold, sold: Booking) -> None:
    status, out, err = on_server("inspect", show, "--pool", "floor [1]")
    assert (status, err) == (0, "")
    assert out.splitlines()[0] == "pool floor [1]: 4,995 free + 4 held + 1 sold = 5,000."
    assert held.token not in out
    assert max(map(len, out.splitlines())) <= 80
    assert [" ".join(words) for words in rows(out)[1:] if words[0] != "left"] == [
        *("holder Ada [x]", "state held", "quantity 4", f"fence {held.fence}"),
        *("holder Bob", "state sold", "quantity 1", f"fence {sold.fence}", f"booking {sold.id}", "payment pay-1"),
    ]
    _, out, _ = on_server("inspect", show, "--pool", "floor [1]", "--holder", "Ada [x]")
    head, line = rows(out)[1:]
    assert head == ["holder", "state", "quantity", "left", "fence"]
    assert (line[:4], line[5:]) == (["Ada", "[x]", "held", "4"], [str(held.fence)])
    assert on_server("inspect", show, "--pool", "bal cony", "--holder", "Ada [x]").out.endswith("has nothing of it.\n")
    status, out, err = on_server("inspect", show, "--pool", "attic")
    assert (status, out, "'attic'" in err) == (1, "", True)


def test_inspect_of_a_pool_that_many_have(on_server: Run, locker: SeatLocker, show: str) -> None:
    locker.warm(show, pools={"floor": 5000})
    locker.open_sale(show)
    locker.acquire_many(show, [AcquireRequest((), f"user-{n:04}", pools={"floor": 2}) for n in range(1010)])
    _, out, _ = on_server("inspect", show, "--pool", "floor")
    assert out.count("user-") == 1000
    assert out.endswith("… and 10 more: name a --holder, or export them.\n")
    _, out, _ = on_server("export", show)
    table = list(csv.DictReader(io.StringIO(out)))
    assert len({row["holder"] for row in table}) == len(table) == 1011
    assert sum(int(row["quantity"]) for row in table) == 5000


def test_export(on_server: Run, show: str, held: Hold, sold: Booking) -> None:
    status, out, err = on_server("export", show)
    assert (status, err) == (0, "")
    table = list(csv.DictReader(io.StringIO(out)))
    assert [row["seat"] for row in table] == ["A-1", "A-2", *[""] * 5]
    shares = {tuple(row[name] for name in ("pool", "state", "holder", "quantity", "payment")) for row in table[2:]}
    assert shares == {
        ("floor [1]", "held", "Ada [x]", "4", ""),
        ("floor [1]", "sold", "Bob", "1", "pay-1"),
        ("floor [1]", "free", "", "4995", ""),
        ("bal cony", "sold", "Bob", "3", "pay-1"),
        ("bal cony", "free", "", "0", ""),
    }
    assert {row["booking"] for row in table if row["state"] == "sold"} == {sold.id}
    in_all: Counter[str] = Counter()
    for row in table:
        in_all[row["state"]] += int(row["quantity"])
    assert in_all == {"free": 4996, "held": 5, "sold": 4}
    assert held.token not in out
    _, printed, _ = on_server("export", show, "--format", "json")
    objects = json.loads(printed)
    assert [list(each) for each in objects] == [list(table[0])] * len(table)
    assert sorted([str(value or "") for value in each.values()] for each in objects) == sorted(
        [value if value != "0" else "" for value in row.values()] for row in table
    )


def test_an_export_of_a_pool_that_lost_its_counts(on_server: Run, show: str, held: Hold, raw: redis.Redis) -> None:
    raw.hdel(f"{NAMESPACE}:{{{show}}}:pools", "c\nbal cony")
    status, _, err = on_server("export", show)
    assert (status, "'bal cony'" in err, f"seatlock check {show}" in err) == (1, True, True)


def test_force_release(on_server: Run, locker: SeatLocker, show: str, held: Hold, raw: redis.Redis) -> None:
    why = ("--reason", "twice the same", "--by", "Eve", "--holder", "Ada [x]")
    status, out, err = on_server("force-release", show, "--pool", "floor [1]", "--pool", "bal cony", *why)
    assert (status, out, err) == (0, "floor [1]: 4 released\nbal cony: Ada [x] held none of it\n", "")
    ((_, entry),) = raw.xrange(f"{NAMESPACE}:{{{show}}}:audit")
    assert (entry[b"by"], entry[b"pool"], entry[b"quantity"]) == (b"Eve", b"floor [1]", b"4")
    _, out, _ = on_server("force-release", show, "A-1", "--pool", "floor [1]", *why)
    assert out == "A-1: released\nfloor [1]: Ada [x] held none of it\n"
    assert locker.availability(show).counts["free"] == 2
    status, _, err = on_server("force-release", show, "--pool", "attic", *why)
    assert (status, "'attic'" in err) == (1, True)


def test_pools_that_add_up(on_server: Run, show: str, sold: Booking) -> None:
    status, out, err = on_server("check", show)
    assert (status, err) == (0, "")
    assert out.splitlines()[1:] == [
        "pool floor [1]: 4,995 free + 4 held + 1 sold = 5,000.",
        "pool bal cony: 0 free + 0 held + 3 sold = 3.",
        "All that is kept of every seat and of every pool agrees.",
    ]


def test_pools_that_do_not(on_server: Run, show: str, sold: Booking, raw: redis.Redis) -> None:
    base = f"{NAMESPACE}:{{{show}}}:"
    raw.hset(f"{base}pools", "c\nfloor [1]", "5000 5 1")
    raw.zrem(f"{base}pool-due:floor [1]", "Ada [x]")
    status, out, err = on_server("check", show)
    assert (status, err) == (1, "")
    assert out.splitlines()[3:] == [
        "pools, counts (1):",
        "  floor [1]: 5 held and 1 sold are counted; its claims add up to 4, its sales to 1",
        "pools, unswept (1):",
        "  floor [1]: the claim of 'Ada [x]' is not among the due: no sweep will take it back",
    ]


def test_a_pool_that_never_rests(
    on_server: Run, locker: SeatLocker, show: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    locker.warm(show, pools={"floor": 5000})
    locker.open_sale(show)
    locker.acquire_many(show, [AcquireRequest((), f"user-{n:04}", pools={"floor": 2}) for n in range(1000)])
    run = SeatLocker._run
    numbers = iter(range(100_000))

    def busy(self: SeatLocker, step: object) -> object:
        if self is not locker:
            locker.acquire(show, pools={"floor": 1}, holder=f"another {next(numbers)}")
        return run(self, step)  # type: ignore[arg-type]

    monkeypatch.setattr(SeatLocker, "_run", busy)
    status, out, _ = on_server("check", show)
    assert status == 0
    assert out.splitlines()[2:] == [
        "pool floor changed whenever its claims were added up: check again when the sale rests.",
        "All that is kept of every seat agrees. Whether the claims and sales of pool floor add up was not found out.",
    ]
    locker.warm(show, pools={"floor": 5000, "bal cony": 3})
    status, out, _ = on_server("check", show)
    assert status == 0
    assert out.splitlines()[-1] == (
        "All that is kept of every seat and of 1 of 2 pools agrees. "
        "Whether the claims and sales of pool floor add up was not found out."
    )
