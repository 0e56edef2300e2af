"""`seatlock open`, `pause`, `close` and `retire`."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta, timezone

import pytest

from seatlock import SaleNotOpen, SeatLocker, ShowNotFound
from tests.cli.conftest import Run


@pytest.mark.parametrize(("command", "status"), [("open", "open"), ("pause", "paused"), ("close", "closed")])
def test_the_status_of_a_sale(on_server: Run, locker: SeatLocker, show: str, command: str, status: str) -> None:
    locker.warm(show, ["A-1"])
    ended, out, err = on_server(command, show)
    assert (ended, err) == (0, "")
    assert out.startswith(f"{show} is {status}")
    assert locker.availability(show).status == status
    if status != "open":
        with pytest.raises(SaleNotOpen):
            locker.acquire(show, ["A-1"], holder="Ada")


def test_a_sale_that_opens_and_closes_by_itself(on_server: Run, locker: SeatLocker, show: str) -> None:
    locker.warm(show, ["A-1"])
    opens = datetime.now(timezone(timedelta(hours=2))).replace(microsecond=0) + timedelta(days=1)
    closes = (opens + timedelta(days=1)).astimezone(UTC)
    status, out, err = on_server("open", show, "--at", opens.isoformat())
    assert (status, out, err) == (0, f"{show} takes holds from {opens.isoformat()} on.\n", "")
    written = closes.isoformat().replace("+00:00", "Z")
    status, out, err = on_server("close", show, "--at", written)
    assert (status, err) == (0, "")
    assert out.startswith(f"{show} takes no new holds from {closes.isoformat()} on; ")
    with pytest.raises(SaleNotOpen) as refusal:
        locker.acquire(show, ["A-1"], holder="Ada")
    assert 86_300 < (refusal.value.opens_in or 0) <= 86_400
    status, out, err = on_server("open", show, "--at", (opens - timedelta(days=2)).isoformat())
    assert (status, out) == (1, "")
    assert "has passed by the server's clock" in err


@pytest.mark.parametrize("command", ["open", "close"])
@pytest.mark.parametrize(
    ("at", "complaint"),
    [
        ("tomorrow", "no date and time"),
        ("", "no date and time"),
        ("1900000000", "no date and time"),
        ("2030-01-01T10:00:00", "no time zone"),
        ("2030-01-01", "no time zone"),
    ],
)
def test_a_time_that_is_none(
    on_server: Run, locker: SeatLocker, show: str, command: str, at: str, complaint: str
) -> None:
    locker.warm(show, ["A-1"])
    status, out, err = on_server(command, show, "--at", at)
    assert (status, out) == (2, "")
    assert complaint in " ".join(err.replace("│", " ").split()), "however it is wrapped"
    assert locker.availability(show).status == "closed"


@pytest.mark.parametrize("command", [["open"], ["pause"], ["close"], ["retire", "--yes"]])
def test_a_show_that_was_never_warmed(on_server: Run, show: str, command: list[str]) -> None:
    status, out, err = on_server(*command, show)
    assert (status, out) == (1, "")
    assert "not warmed" in err


def test_a_namespace_of_ones_own(on_server: Run, url: str, show: str) -> None:
    assert on_server("warm", show, "theatre", "--namespace", "other").status == 0
    assert on_server("open", show, "--redis", url, "--namespace", "other").status == 0
    assert on_server("open", show).status == 1


def test_a_show_is_retired_only_when_nobody_needs_it(on_server: Run, locker: SeatLocker, show: str) -> None:
    locker.warm(show, ["A-1", "A-2"])
    locker.open_sale(show)
    locker.confirm(locker.acquire(show, ["A-1"], holder="Ada"))
    hold = locker.acquire(show, ["A-2"], holder="Bob")

    status, _, err = on_server("retire", show, "--yes", "--discard-outbox")
    assert (status, "1 seat or claim on a pool is held" in err) == (1, True)
    locker.release(hold)
    status, _, err = on_server("retire", show, "--yes")
    assert (status, "1 outbox entry is unread" in err) == (1, True)
    status, out, _ = on_server("retire", show, "--yes", "--discard-outbox")
    assert (status, out) == (0, f"{show} is retired.\n")
    with pytest.raises(ShowNotFound):
        locker.availability(show)


def test_retiring_asks_first(on_server: Run, locker: SeatLocker, show: str, monkeypatch: pytest.MonkeyPatch) -> None:
    locker.warm(show, ["A-1"])
    for answer in ("", "n\n"):
        monkeypatch.setattr("sys.stdin", io.StringIO(answer))
        status, out, err = on_server("retire", show)
        assert status == 1
        assert f"Delete all that Redis has of show {show}?" in out + err
        assert locker.availability(show).counts["free"] == 1
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert on_server("retire", show).status == 0
