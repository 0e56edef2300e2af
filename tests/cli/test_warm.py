"""`seatlock warm` with plans."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from seatlock import HolderLimitExceeded, SeatLocker, WrongCheckout
from tests.cli.conftest import Run, Terminal


def test_a_bundled_plan_is_loaded_and_may_be_again(on_server: Run, locker: SeatLocker, show: str) -> None:
    status, out, err = on_server("warm", show, "theatre")
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        f"{show}: 704 seats: 704 added, 0 changed, 0 kept.",
        f"The show is new and closed; open the sale with: seatlock open {show}",
    ]
    assert locker.availability(show).counts["free"] == 704
    assert on_server("warm", show, "theatre").out == f"{show}: 704 seats: 0 added, 0 changed, 704 kept.\n"


def test_a_file_is_loaded(on_server: Run, locker: SeatLocker, show: str, tmp_path: Path) -> None:
    plan = tmp_path / "plan.csv"
    plan.write_text("seat,category,status\nA-1,Best,\nA-2,Best,sold\nA-3,Rest,blocked\n")
    assert on_server("warm", show, str(plan)).status == 0
    assert dict(locker.availability(show).seats) == {"A-1": "free", "A-2": "sold", "A-3": "blocked"}
    plan.write_text("seat,category,status\nA-1,Best,blocked\nA-2,Best,sold\nA-3,Rest,blocked\n")
    assert on_server("warm", show, str(plan)).out == f"{show}: 3 seats: 0 added, 1 changed, 2 kept.\n"


def test_settings_of_the_show(on_server: Run, locker: SeatLocker, show: str, url: str) -> None:
    assert on_server("warm", show, "theatre", "--max-hold", "60", "--no-outbox").status == 0
    locker.open_sale(show)
    hold = locker.acquire(show, ["STALLS-A-1"], holder="Ada", ttl=600)
    assert hold.ttl <= 60
    locker.confirm(hold)
    assert on_server("retire", show, "--yes").status == 0  # there is no unread outbox


def test_who_decides_what_is_sold(on_server: Run, locker: SeatLocker, show: str) -> None:
    assert on_server("warm", show, "theatre", "--checkout", "strict").status == 0
    locker.open_sale(show)
    hold = locker.acquire(show, ["STALLS-A-1"], holder="Ada")
    with pytest.raises(WrongCheckout):
        locker.confirm(hold)
    assert "--checkout" in on_server("warm", f"{show}-2", "theatre", "--checkout", "slow").err
    assert "outbox" in on_server("warm", f"{show}-2", "theatre", "--checkout", "strict", "--no-outbox").err


def test_pools_with_seats_or_alone(on_server: Run, locker: SeatLocker, show: str) -> None:
    status, out, _ = on_server("warm", show, "theatre", "--pool", "floor=5000", "--pool", "a=b=7")
    assert (status, out.splitlines()[1:3]) == (0, [f"{show}: 5,000 in pool floor.", f"{show}: 7 in pool a=b."])
    assert {name: pool.free for name, pool in locker.availability(show).pools.items()} == {"floor": 5000, "a=b": 7}
    assert on_server("warm", f"{show}-2", "--pool", "floor=5").status == 0
    assert locker.availability(f"{show}-2").pools["floor"].capacity == 5
    for wrong in (["floor"], ["floor="], ["=5"], ["floor=-1"], ["floor=1", "--pool", "floor=2"]):
        status, _, err = on_server("warm", f"{show}-3", "--pool", *wrong)
        assert (status, "NAME=QUANTITY" in err) == (2, True)
    assert "from 1 to" in on_server("warm", f"{show}-3", "--pool", "floor=0").err


def test_a_plan_that_would_change_what_is_held_or_sold_names_the_seats(
    on_server: Run, locker: SeatLocker, show: str, tmp_path: Path
) -> None:
    plan = tmp_path / "plan.csv"
    plan.write_text("seat,category\nA-0,Best\nA-1,Best\nA-2,Best\nA-3,Rest\n")
    assert on_server("warm", show, str(plan)).status == 0
    locker.open_sale(show)
    locker.confirm(locker.acquire(show, ["A-1"], holder="Ada"))
    hold = locker.acquire(show, ["A-2"], holder="Bob")
    plan.write_text("seat,category\nA-0,Best\nA-1,Rest\nA-2,Rest\nA-3,Best\n")
    status, out, err = on_server("warm", show, str(plan))
    assert (status, out) == (1, "")
    assert err.splitlines()[1:] == ["  A-1: sold", "  A-2: held"]
    locker.release(hold)

    plan.write_text("seat,category\nA-0,Best\nA-1,Best\n")
    status, _, err = on_server("warm", show, str(plan))
    assert status == 1
    assert err.splitlines()[1:] == ["  A-2: not in the plan", "  A-3: not in the plan"]


def test_a_long_list_of_conflicts_is_cut(on_server: Run, show: str, tmp_path: Path) -> None:
    assert on_server("warm", show, "theatre").status == 0
    plan = tmp_path / "plan.csv"
    plan.write_text("seat\nSTALLS-A-1\n")
    status, _, err = on_server("warm", show, str(plan))
    assert status == 1
    assert err.splitlines()[-1] == "  … and 603 more"


def test_a_hundred_thousand_seats_in_a_few_seconds(on_server: Run, show: str, tmp_path: Path) -> None:
    plan = tmp_path / "plan.csv"
    rows = (f"S{s}-{r}-{n},S{s},{r},{n},C{s % 4}\n" for s in range(100) for r in range(20) for n in range(50))
    plan.write_text("seat,section,row,number,category\n" + "".join(rows))
    start = time.monotonic()
    status, out, _ = on_server("warm", show, str(plan))
    assert (status, out.splitlines()[0]) == (0, f"{show}: 100,000 seats: 100,000 added, 0 changed, 0 kept.")
    assert time.monotonic() - start < 15  # about one on an idle machine


def test_on_a_terminal_there_is_a_progress_bar(on_terminal: Terminal, url: str, show: str) -> None:
    status, seen = on_terminal("warm", show, "arena", "--redis", url)
    assert status == 0
    assert re.search(r"warming .*━━━.*/20024", seen)
    assert "20,024 seats: 20,024 added" in seen


def test_limits_a_holder(on_server: Run, locker: SeatLocker, show: str, tmp_path: Path) -> None:
    plan = tmp_path / "plan.csv"
    plan.write_text("seat,category\nA-1,a=b\nA-2,a=b\nA-3,Rest\nA-4,Rest\n")
    assert on_server("warm", show, str(plan), "--limit", "2", "--limit-of", "a=b=1").status == 0
    locker.open_sale(show)
    locker.acquire(show, ["A-1"], holder="Ada")
    for seat, category, limit in (("A-2", "a=b", 1), ("A-4", None, 2)):
        with pytest.raises(HolderLimitExceeded) as refused:
            locker.acquire(show, [seat, "A-3"] if category is None else [seat], holder="Ada")
        assert (refused.value.category, refused.value.limit) == (category, limit)


def test_limits_that_are_not_named_again_are_lifted(on_server: Run, show: str) -> None:
    limited = on_server("warm", show, "theatre", "--limit", "2")
    assert (limited.status, limited.err) == (0, "")
    status, out, err = on_server("warm", show, "theatre")
    assert (status, "704 kept" in out) == (0, True)
    assert " ".join(err.split()) == (
        f"{show} had limits, and they are lifted now, since none was named: a holder may have 500 in all. "
        "To have them back, warm it again with --limit or --limit-of."
    )


def test_a_limit_of_a_pool(on_server: Run, locker: SeatLocker, show: str) -> None:
    assert on_server("warm", show, "--pool", "floor=9", "--limit-of", "floor=2").status == 0
    locker.open_sale(show)
    with pytest.raises(HolderLimitExceeded) as refused:
        locker.acquire(show, pools={"floor": 3}, holder="Ada")
    assert (refused.value.pool, refused.value.limit) == ("floor", 2)


@pytest.mark.parametrize("option", ["Rest", "=2", "Rest=", "Rest=two", "Rest=-1"])
def test_limits_that_are_none(on_server: Run, show: str, option: str) -> None:
    status, _, err = on_server("warm", show, "theatre", "--limit-of", option)
    assert status == 2
    assert "gold=2" in err
