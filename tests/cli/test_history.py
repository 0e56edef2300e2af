"""`seatlock history`: what the ledger and the staff's audit tell of a seat or a pool."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from seatlock import SeatLocker
from tests.cli.conftest import Run
from tests.cli.test_main import command_without
from tests.support.ports import free_port

if find_spec("sqlalchemy") is not None:
    from seatlock.ledger import Claim, Ledger, hash_of


def sell(ledger: str, show: str, booking: str, *seats: str, holder: str = "ada", floor: int = 0) -> None:
    """Enter a booking, as a relay would."""
    claim = Claim(
        show=show,
        booking=booking,
        holder=holder,
        token_hash=hash_of("0" * 32),
        epoch=1,
        fence=2**40 + 1,
        seats=seats,
        pools={"floor": floor} if floor else {},
        payment="pay",
    )
    with Ledger(ledger) as books:
        books.set_pools(show, {"floor": 10})
        assert books.decide(claim).status == "confirmed"


def cancel(ledger: str, show: str, booking: str) -> None:
    with Ledger(ledger) as books:
        books.cancel(show, booking, by="eve", reason="refund")


def force(locker: SeatLocker, show: str, seat: str, why: str) -> None:
    """Hold a seat, and take it away."""
    locker.acquire(show, [seat], holder="bob")
    locker.force_release(show, [seat], by="Kim [night]", reason=why)


@pytest.fixture
def played(locker: SeatLocker, show: str, ledger: str) -> str:
    """A show with a past."""
    locker.warm(show, ["A-1", "A-2", "floor"], pools={"floor": 10})
    locker.open_sale(show)
    force(locker, show, "A-1", "a wheelchair needs it")
    sell(ledger, show, "b-1", "A-1", "A-2", floor=2)
    cancel(ledger, show, "b-1")
    force(locker, show, "A-1", "again")
    sell(ledger, show, "b-2", "A-1", holder="cy")
    locker.acquire(show, holder="bob", pools={"floor": 3})
    locker.force_release(show, pools=["floor"], holder="bob", by="Kim [night]", reason="too many")
    force(locker, show, "floor", "a seat of that name")
    return show


def test_both_are_told_in_the_order_of_time(on_server: Run, played: str) -> None:
    status, out, err = on_server("history", played, "A-1", "--json")
    assert (status, err) == (0, "")
    deeds = json.loads(out)
    assert [(deed["what"], deed["who"], deed["source"]) for deed in deeds if deed["source"] == "ledger"] == [
        ("sold", "ada", "ledger"),
        ("cancelled", "eve", "ledger"),
        ("sold", "cy", "ledger"),
    ]
    staff = [deed for deed in deeds if deed["source"] == "redis"]
    assert [(deed["what"], deed["who"], deed["holder"], deed["reason"]) for deed in staff] == [
        ("force-release", "Kim [night]", "bob", "a wheelchair needs it"),
        ("force-release", "Kim [night]", "bob", "again"),
    ]
    assert [deed["at"] for deed in deeds] == sorted(deed["at"] for deed in deeds)
    assert {deed["booking"] for deed in deeds} == {"b-1", "b-2", None}
    assert all(deed["quantity"] is None for deed in deeds)
    assert [deed["fence"] for deed in staff] == sorted({deed["fence"] for deed in staff}), (
        "two holds, one after another"
    )


def test_for_people(on_server: Run, played: str) -> None:
    status, out, err = on_server("history", played, "A-2")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert len(lines) == 3
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["time", "(UTC)", "what", "who", "booking", "reason"]
    day, clock, *rest = lines[2].split()
    assert rest == ["cancelled", "eve", "b-1", "refund"]
    assert (day.count("-"), clock.count(":")) == (2, 2)
    wide = on_server("history", played, "A-1").out
    assert "Kim [night]" in wide
    assert max(map(len, wide.splitlines())) <= 80


def test_a_pool_has_a_history_of_its_own(on_server: Run, played: str) -> None:
    deeds = json.loads(on_server("history", played, "floor", "--pool", "--json").out)
    told = sorted((deed["what"], deed["who"], deed["quantity"]) for deed in deeds)
    assert told == [("cancelled", "eve", 2), ("force-release", "Kim [night]", 3), ("sold", "ada", 2)]
    (seat,) = json.loads(on_server("history", played, "floor", "--json").out)
    assert (seat["reason"], seat["quantity"]) == ("a seat of that name", None)


def test_what_nothing_was_done_to(on_server: Run, played: str, show: str) -> None:
    assert on_server("history", played, "Z-9") == (0, f"Nothing is on record of seat Z-9 of {show}.\n", "")
    assert on_server("history", played, "stand", "--pool") == (
        0,
        f"Nothing is on record of pool stand of {show}.\n",
        "",
    )
    assert on_server("history", played, "Z-9", "--json").out == "[]\n"


def test_every_page_is_read(
    on_server: Run, locker: SeatLocker, ledger: str, show: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seatlock.cli.history.PAGE", 2)
    locker.warm(show, ["A-1", "A-2"])
    locker.open_sale(show)
    for number in range(4):
        force(locker, show, "A-1", f"why-{number}")
        sell(ledger, show, f"b-{number}", "A-1")
        cancel(ledger, show, f"b-{number}")
    deeds = json.loads(on_server("history", show, "A-1", "--json").out)
    assert [deed["reason"] for deed in deeds if deed["source"] == "redis"] == [f"why-{number}" for number in range(4)]
    assert len([deed for deed in deeds if deed["source"] == "ledger"]) == 8


def test_what_is_left_is_told_where_one_of_the_two_is_away(run: Run, played: str, url: str, tmp_path: Path) -> None:
    gone = f"redis://127.0.0.1:{free_port()}/0"
    status, out, err = run("history", played, "A-2", "--redis", gone)
    assert status == 1
    assert "cancelled" in out
    assert "SEATLOCK_REDIS" in err
    status, out, err = run("history", played, "A-1", "--redis", url, "--ledger", f"sqlite:///{tmp_path / 'none.db'}")
    assert status == 1
    assert "wheelchair" in out
    assert "seatlock migrate" in err
    status, out, err = run("history", played, "A-1", "--redis", gone, "--ledger", f"sqlite:///{tmp_path / 'none.db'}")
    assert (status, out) == (1, "")
    assert "seatlock migrate" in err
    assert "SEATLOCK_REDIS" in err


@pytest.mark.parametrize("given", [["a{b}", "A-1"], ["show", ""], ["show", "", "--pool"], ["show", "A\x07"]])
def test_ids_that_are_none(on_server: Run, ledger: str, given: list[str]) -> None:
    status, out, err = on_server("history", *given)
    assert (status, out) == (1, "")
    assert "seatlock: " in err


def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    done = command_without(("sqlalchemy",), tmp_path, "history", "hamlet", "A-1")
    assert done.returncode == 2
    assert "pip install 'seatlock-redis[ledger]'" in done.stderr
