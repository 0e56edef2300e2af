"""`seatlock shows` and `seatlock status`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from seatlock import Seat, SeatingPlan, SeatLocker
from seatlock.cli.connection import Desk
from tests.cli.conftest import Run, Terminal
from tests.support.cluster import Cluster
from tests.support.ports import free_port

HALL = SeatingPlan.of(
    [
        *(Seat(f"A-{number}", section="Stalls") for number in range(1, 5)),
        *(Seat(f"B-{number}", section="Balcony [left]") for number in range(1, 3)),
        Seat("C-1", section="Balcony [left]", status="blocked"),
        Seat("C-2", section="Balcony [left]", status="sold"),
    ]
)


@pytest.fixture
def sale(locker: SeatLocker, show: str) -> str:
    """A show of which some seats are held, and one is sold."""
    return sell(locker, show)


def sell(locker: SeatLocker, show: str) -> str:
    """Hold some seats of a show, and sell one: gives the show."""
    locker.warm(show, HALL)
    locker.open_sale(show)
    locker.acquire(show, ["A-1", "B-1"], holder="Ada")
    locker.confirm(locker.acquire(show, ["A-2"], holder="Bob"))
    return show


def rows(out: str) -> list[list[str]]:
    """The words of every line."""
    return [line.split() for line in out.splitlines()]


def test_shows_are_listed_with_their_counts(on_server: Run, url: str, show: str) -> None:
    namespace, closed = f"of-{show}", f"{show}-closed"  # a show with pools among them would make the rows too wide
    with SeatLocker.from_url(url, namespace=namespace) as locker:
        sale = sell(locker, show)
        locker.warm(closed, ["A-1"])
        version = "{}-{}".format(*locker.availability(sale).version)
    status, out, err = on_server("shows", "--namespace", namespace)
    assert (status, err) == (0, "")
    head, *lines = rows(out)
    assert head == ["show", "status", "version", "free", "held", "pinned", "sold", "blocked", "seats"]
    found = {line[0]: line[1:] for line in lines}
    assert found[sale] == ["open", version, "3", "2", "0", "2", "1", "8"]
    assert found[closed][0] == "closed"
    assert [line[0] for line in lines] == sorted(found)
    assert max(map(len, out.splitlines())) <= 80


def test_shows_of_another_namespace_are_not_listed(on_server: Run, url: str, sale: str) -> None:
    status, out, _ = on_server("shows", "--namespace", "oth?r")
    assert (status, out) == (0, "There are no shows in the namespace oth?r. To load one: seatlock warm SHOW PLAN\n")
    for namespace in ("othere", "oth?re", "[other]e"):
        with SeatLocker.from_url(url, namespace=namespace) as locker:
            locker.warm(f"show-of-{len(namespace)}", ["A-1"])
        status, out, _ = on_server("shows", "--namespace", namespace)
        assert [line[0] for line in rows(out)] == ["show", f"show-of-{len(namespace)}"]
        with SeatLocker.from_url(url, namespace=namespace) as locker:
            locker.retire(f"show-of-{len(namespace)}")
    assert sale in on_server("shows").out


def test_a_show_that_cannot_be_read_does_not_hide_the_others(on_server: Run, url: str, sale: str) -> None:
    with Desk.at(url, "broken") as desk:
        desk.warm("one", ["A-1"])
        desk.warm("two", ["A-1"])
        desk._client.execute_command("DEL", "broken:{one}:seats")
        desk._client.execute_command("RPUSH", "broken:{one}:seats", "no hash")
        assert desk.shows() == ["one", "two"]
        status, out, err = on_server("shows", "--namespace", "broken")
        desk._client.execute_command("DEL", "broken:{one}:meta", "broken:{one}:seats")
    assert status == 1
    assert [line[:2] for line in rows(out)[1:]] == [["one", "unreadable"], ["two", "closed"]]
    assert "WRONGTYPE" in err


def test_on_a_cluster_shows_of_every_primary_are_listed(run: Run, cluster: Cluster) -> None:
    wanted = [f"spread-{number}" for number in range(12)]
    with SeatLocker.from_url(cluster.url, namespace="spread") as locker:
        for show in wanted:
            locker.warm(show, ["A-1"])
    assert len({cluster.primary_of(f"spread:{{{show}}}:meta").port for show in wanted}) > 1
    status, out, _ = run("shows", "--redis", cluster.url, "--namespace", "spread")
    assert status == 0
    assert [line[0] for line in rows(out)[1:]] == sorted(wanted)
    status, out, _ = run("status", "spread-3", "--redis", cluster.url, "--namespace", "spread")
    assert (status, "closed" in out) == (0, True)


def test_the_status_of_a_show(on_server: Run, locker: SeatLocker, sale: str) -> None:
    status, out, err = on_server("status", sale)
    assert (status, err) == (0, "")
    head, figures, rest, _, columns, *sections = rows(out)
    assert head == [sale, "open", "version", "{}-{}".format(*locker.availability(sale).version)]
    assert " ".join(figures) == "free 3 held 2 pinned 0 sold 2 blocked 1 of 8 seats"
    assert " ".join(rest) == "ran out, not yet swept 0 outbox unread 1"
    assert columns == ["section", "free", "held", "pinned", "sold", "blocked", "seats"]
    assert sections == [
        ["Stalls", "2", "1", "0", "1", "0", "4"],
        ["Balcony", "[left]", "1", "1", "0", "1", "1", "4"],
    ]
    assert max(map(len, out.splitlines())) <= 80


def test_channels_are_shown_where_there_are_any(on_server: Run, locker: SeatLocker, show: str) -> None:
    locker.warm(show, ["A-1", "A-2", "A-3"])
    locker.set_channel(show, ["A-1", "A-2"], "partner")
    head, *lines = rows(on_server("shows").out)
    assert head[-3:] == ["blocked", "channel", "seats"]
    assert ["2", "3"] in [line[-2:] for line in lines]
    assert " ".join(rows(on_server("status", show).out)[1]) == (
        "free 1 held 0 pinned 0 sold 0 blocked 0 channel 2 of 3 seats"
    )
    _, out, _ = on_server("inspect", show, "A-1", "A-3")
    assert [line[-1] for line in rows(out)] == ["channel", "partner", "free"]
    assert ",channel,,,,,partner,,1\n" in on_server("export", show).out


def test_a_show_that_does_not_add_up_says_so(on_server: Run, locker: SeatLocker, sale: str) -> None:
    locker._client.execute_command("HDEL", f"seatlock:{{{sale}}}:seats", "A-4")
    _, out, _ = on_server("status", sale)
    assert "of 7 seats\n" in out
    assert "the plan has 8 seats; what is wrong tells: seatlock check\n" in out


def test_when_a_sale_opens_and_closes_by_itself(on_server: Run, locker: SeatLocker, show: str) -> None:
    locker.warm(show, ["A-1"])
    locker.open_sale(show, datetime.now(UTC) + timedelta(hours=2, minutes=1))
    locker.close_sale(show, datetime.now(UTC) + timedelta(days=3, minutes=1))
    _, out, _ = on_server("status", show)
    assert re.match(rf"{show}  closed, opens in 2:00:\d\d, closes in 3 days, 0:00:\d\d  version 1-\d+\n", out)


def test_what_waits_to_be_swept(on_server: Run, locker: SeatLocker, show: str) -> None:
    locker.warm(show, ["A-1"])
    locker.open_sale(show)
    locker.acquire(show, ["A-1"], holder="Ada", ttl=0.001)
    while locker.availability(show).counts["held"]:
        pass
    _, out, _ = on_server("status", show)
    assert "ran out, not yet swept 1" in out
    assert "section" not in out, "it has but one"


def test_watching_ends_by_itself_after_some_seconds(
    on_terminal: Terminal, locker: SeatLocker, url: str, sale: str
) -> None:
    status, seen = on_terminal(
        *("status", sale, "--watch", "--seconds", "4", "--redis", url),
        until="of 8 seats",
        then=lambda: locker.pause_sale(sale),
    )
    assert status == 0
    assert seen.index(" open ") < seen.index(" paused ")
    assert seen.count("of 8 seats") >= 3
    assert "Traceback" not in seen


def test_watching_without_a_terminal_is_one_look(on_server: Run, sale: str) -> None:
    status, out, _ = on_server("status", sale, "--watch")
    assert (status, out.count("of 8 seats")) == (0, 1)


def test_more_sections_than_lines_are_counted(on_terminal: Terminal, locker: SeatLocker, url: str, show: str) -> None:
    locker.warm(show, [Seat(f"S-{number}", section=f"section {number}") for number in range(60)])
    _, seen = on_terminal("status", show, "--watch", "--seconds", "1", "--redis", url)
    assert "… and 43 more sections" in seen
    assert "section 59" in seen, "the last picture is whole"


def test_a_show_that_is_not_there(on_server: Run, show: str) -> None:
    status, out, err = on_server("status", show)
    assert (status, out) == (1, "")
    assert "not warmed" in err
    assert err.endswith("What is there tells: seatlock shows\n")


def test_a_server_that_is_not_there(run: Run) -> None:
    for command in (["shows"], ["status", "a"]):
        status, out, err = run(*command, "--redis", f"redis://127.0.0.1:{free_port()}/0")
        assert (status, out) == (1, "")
        assert err.endswith("Is it the right server? --redis or SEATLOCK_REDIS names it.\n")
