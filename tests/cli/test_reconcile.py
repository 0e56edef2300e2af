"""`seatlock open --ledger` and `seatlock reconcile`."""

from __future__ import annotations

import os
import signal
import threading
from importlib.util import find_spec
from pathlib import Path

import pytest

from seatlock import Booking, SeatLocker
from seatlock.errors import ServerUnavailable
from tests.cli.conftest import Run, Terminal
from tests.cli.test_main import command_without

if find_spec("sqlalchemy") is not None:
    from seatlock.checkout import StrictCheckout
    from seatlock.ledger import Ledger


def bought(locker: SeatLocker, ledger: str, show: str, *seats: str) -> list[Booking]:
    with Ledger(ledger) as books:
        checkout = StrictCheckout(locker, books)
        return [checkout.confirm(locker.acquire(show, [seat], holder=seat), payment="pay") for seat in seats]


def test_opening_tells_what_the_ledger_has(on_server: Run, locker: SeatLocker, show: str, ledger: str) -> None:
    locker.warm(show, ["A-1", "A-2"], checkout="strict", pools={"floor": 5})
    assert on_server("open", show) == (
        0,
        f"The ledger has sold 0 seats of {show}, in epoch 1.\n{show} is open.\n",
        "",
    )
    bought(locker, ledger, show, "A-1")
    assert "has sold 1 seats of" in on_server("open", show).out
    assert locker.availability(show).status == "open"


def test_a_strict_show_is_opened_with_its_ledger(
    on_server: Run, locker: SeatLocker, show: str, ledger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    locker.warm(show, ["A-1"], checkout="strict")
    monkeypatch.delenv("SEATLOCK_LEDGER_URL")
    status, out, err = on_server("open", show)
    assert (status, out) == (2, "")
    assert "--ledger" in err
    assert locker.availability(show).status == "closed"
    assert on_server("open", show, "--ledger", ledger).status == 0


def test_what_is_mended_and_what_is_left(on_server: Run, locker: SeatLocker, show: str, ledger: str) -> None:
    locker.warm(show, ["A-1", "A-2", "A-3"], checkout="strict")
    on_server("open", show)
    first, second, _ = bought(locker, ledger, show, "A-1", "A-2", "A-3")
    status, out, err = on_server("reconcile", show)
    assert (status, err) == (0, "")
    assert out.startswith(f"{show}: 3 sold in the ledger, 3 pinned or sold in Redis; nothing differs. ")
    assert "0 bookings wait for the ledger, 3 entries for the relay." in out
    with Ledger(ledger) as books:
        books.cancel(show, first.id, by="eve")
        books.raise_epoch(show)
    looked = on_server("reconcile", "--compare")
    assert looked.status == 1
    assert f"released {first.id}: cancelled: A-1 (not mended)" in looked.out
    status, out, err = on_server("reconcile", show)
    assert (status, err) == (1, "")
    assert "epoch: Redis is in epoch 1, the ledger in epoch 2 (not mended)" in out
    assert f"released {first.id}: cancelled: A-1\n" in out
    on_server("open", show)
    assert on_server("reconcile", show).status == 0
    assert locker.inspect(show, ["A-2"])[0].booking == second.id


def test_on_a_terminal_it_tells_how_far_it_is(
    on_terminal: Terminal, url: str, locker: SeatLocker, show: str, ledger: str
) -> None:
    locker.warm(show, ["A-1"], checkout="strict")
    locker.open_sale(show)
    (booking,) = bought(locker, ledger, show, "A-1")
    with Ledger(ledger) as books:
        books.cancel(show, booking.id, by="eve")
    status, seen = on_terminal("reconcile", show, "--redis", url, "--ledger", ledger)
    assert status == 0
    assert "1 of 1 bookings that differ" in seen
    assert "1 released" in seen


def test_again_and_again_until_it_is_stopped(
    on_server: Run, locker: SeatLocker, show: str, ledger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from seatlock.cli import reconcile  # noqa: PLC0415 - beside the extra

    locker.warm(show, ["A-1"], checkout="strict")
    passes = 0
    usual = reconcile.tell

    def tell(done: object) -> None:
        nonlocal passes
        passes += 1
        usual(done)  # type: ignore[arg-type]
        if passes == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(reconcile, "tell", tell)
    before = signal.getsignal(signal.SIGTERM)
    status, out, err = on_server("reconcile", show, "--every", "1")
    assert (status, err, out.count("nothing differs")) == (0, "", 2)
    assert signal.getsignal(signal.SIGTERM) is before
    assert threading.active_count() >= 1
    assert on_server("reconcile", show, "--every", "1", "--compare").status == 2


def test_what_is_told_of_much_and_of_trouble(capfd: pytest.CaptureFixture[str], ledger: str) -> None:
    from seatlock.cli.reconcile import tell  # noqa: PLC0415 - beside the extra
    from seatlock.reconcile import Mismatch, Reconciled  # noqa: PLC0415 - likewise

    many = tuple(Mismatch("orphan", f"bk-{number}", "A-1", mended=False) for number in range(25))
    tell(Reconciled("hamlet", 1, 2, {"orphan": 25}, many, waiting=0, unread=0, aside=3, seconds=0.1))
    tell(ServerUnavailable("Redis is away"))
    out, err = capfd.readouterr()
    assert "3 entries were set aside" in out
    assert "… and 5 more" in out
    assert "Redis is away" in err


def test_trouble_is_told(on_server: Run, show: str, ledger: str) -> None:
    status, out, err = on_server("reconcile", show)
    assert (status, out) == (1, "")
    assert "not warmed" in err
    assert on_server("reconcile", "--namespace", f"none-{show}").out == f"No shows in namespace 'none-{show}'.\n"


def test_without_the_ledger_extra_it_names_it(tmp_path: Path) -> None:
    done = command_without(("sqlalchemy",), tmp_path, "reconcile", "show")
    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install 'seatlock-redis[ledger]'" in done.stderr
