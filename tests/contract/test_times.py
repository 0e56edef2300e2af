"""Opening and closing times: by the server's clock alone, and the last call wins."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

import pytest

from seatlock import AcquireRequest, InvalidRequest, SaleNotOpen, ShowNotFound, new_token
from tests.support.clock import Clock
from tests.support.doors import attempt
from tests.support.servers import RedisServer, backend
from tests.support.stage import COLOURS, SEATS, Doors, Stage
from tests.support.waiting import until

HOUR: Final = 3600.0
TOLERANCE: Final = 60.0  # seconds that a test may take


def refusal_of(stage: Stage, *seats: str, **options: Any) -> SaleNotOpen:
    """How an acquire is refused."""
    before = stage.everything()
    with pytest.raises(SaleNotOpen) as refusal:
        stage.acquire(*(seats or ("A-1",)), **options)
    assert stage.everything() == before
    return refusal.value


def now_of(stage: Stage) -> float:
    """The time of the show's server."""
    client = stage.raw
    where = {"target_nodes": client.get_node_from_key(stage.key("meta"))} if stage.backend == "cluster" else {}
    seconds, micros = client.time(**where)
    return float(seconds) + micros / 1e6


# --- on every backend, as time goes by


def test_a_sale_opens_and_closes_as_time_goes_by(stage: Stage) -> None:
    stage.locker.warm(stage.show, SEATS)
    now = now_of(stage)
    stage.locker.open_sale(stage.show, at=now + HOUR)
    refusal = refusal_of(stage)
    assert refusal.status == "closed"
    assert refusal.opens_in is not None
    assert HOUR - TOLERANCE < refusal.opens_in <= HOUR
    assert f"opens by itself in {refusal.opens_in} s" in str(refusal)
    found = stage.locker.availability(stage.show)
    assert (found.status, found.closes_in) == ("closed", None)
    assert found.opens_in is not None
    assert HOUR - TOLERANCE < found.opens_in <= refusal.opens_in

    stage.locker.open_sale(stage.show, at=now_of(stage) + 0.7)
    until(lambda: stage.locker.availability(stage.show).status == "open", "the sale has opened")
    hold = stage.acquire("A-1")
    stage.locker.close_sale(stage.show, at=now_of(stage) + 0.1)
    until(lambda: stage.locker.availability(stage.show).status == "closed", "the sale has closed")
    assert refusal_of(stage, "A-2", holder="bo").opens_in is None
    assert stage.acquire("A-1").resumed
    assert stage.locker.confirm(stage.locker.extend(hold, ttl=900)).seats == ("A-1",)


# --- where the clock can be moved


class House:
    """A show that is warmed and closed, on a server whose clock the test moves: ``at`` counts from its warming."""

    def __init__(self, stage: Stage, clock: Clock) -> None:
        clock.reset()
        self.stage, self.clock = stage, clock
        self.locker, self.show = stage.locker, stage.show
        self.locker.warm(self.show, SEATS)
        self.start = now_of(stage)

    def at(self, hours: float) -> float:
        """So many hours after the warming, in seconds since the epoch."""
        return self.start + hours * HOUR

    def go(self, hours: float) -> None:
        """Move the clock to so many hours after the warming, and a minute."""
        self.clock.reset()
        self.clock.advance(hours * HOUR + 60)

    @property
    def status(self) -> str:
        """What a reader sees, and what a buyer meets."""
        status: str = self.locker.availability(self.show).status
        met = attempt(lambda: self.stage.acquire("A-5", holder="visitor"))
        if status == "open":
            self.locker.release(met)
        else:
            assert isinstance(met, SaleNotOpen)
            assert met.status == status
        return status

    def statuses(self, *hours: float) -> list[str]:
        """The status at each of these times, the clock left at the last one."""
        found = []
        for hour in hours:
            self.go(hour)
            found.append(self.status)
        return found

    @property
    def opens_in(self) -> float | None:
        """The hours until the sale opens, as a buyer is told; exact to a few minutes."""
        return _hours(refusal_of(self.stage).opens_in)

    @property
    def to_come(self) -> tuple[float | None, float | None]:
        """The hours until the sale opens and until it closes, as a reader is told; exact to a few minutes."""
        found = self.locker.availability(self.show)
        return _hours(found.opens_in), _hours(found.closes_in)


def _hours(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds / HOUR, 1)


@pytest.fixture(scope="module", params=["redis-6.2", "redis-7", "redis-8", "valkey-8"])
def moving(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, runner: asyncio.Runner
) -> Iterator[tuple[Doors, Clock]]:
    """A server whose clock the test moves."""
    clock = Clock(tmp_path_factory.mktemp("clock"))
    with RedisServer(backend(request.param), env=clock.env) as server:
        doors = Doors(request.param, server.unix_client(), server.unix_client, server.async_unix_client, runner)
        yield doors, clock
        doors.close()


@pytest.fixture(params=COLOURS)
def house(request: pytest.FixtureRequest, moving: tuple[Doors, Clock]) -> House:
    """A show on it, warmed and closed."""
    doors, clock = moving
    return House(Stage(doors, request.param), clock)


def test_a_sale_opens_and_closes_at_its_times(house: House) -> None:
    house.locker.open_sale(house.show, at=house.at(1))
    house.locker.close_sale(house.show, at=house.at(3))
    assert (house.status, house.opens_in) == ("closed", 1.0)
    assert house.statuses(0.5, 1, 2.9, 3, 30) == ["closed", "open", "open", "closed", "closed"]
    assert house.opens_in is None


def test_readers_see_the_times_to_come(house: House) -> None:
    assert house.to_come == (None, None)
    house.locker.open_sale(house.show, at=house.at(1))
    house.locker.close_sale(house.show, at=house.at(3))
    assert house.to_come == (1.0, 3.0)
    house.go(2)
    assert house.to_come == (None, 1.0)
    house.go(3)
    assert house.to_come == (None, None)
    house.locker.warm(house.show, [*SEATS, *(f"S-{number}" for number in range(1500))])  # more than one call reads
    house.locker.open_sale(house.show, at=house.at(5))
    house.locker.close_sale(house.show, at=house.at(7))
    assert house.to_come == (2.0, 4.0)


def test_the_order_of_the_calls_does_not_matter(house: House) -> None:
    house.locker.close_sale(house.show, at=house.at(3))
    house.locker.open_sale(house.show, at=house.at(1))
    assert house.statuses(0, 1, 3) == ["closed", "open", "closed"]


def test_a_sale_closes_for_the_night(house: House) -> None:
    house.locker.open_sale(house.show)
    house.locker.close_sale(house.show, at=house.at(1))
    house.locker.open_sale(house.show, at=house.at(10))
    assert house.statuses(0, 1, 9) == ["open", "closed", "closed"]
    assert house.opens_in == 1.0
    assert house.statuses(10, 20) == ["open", "open"]


@pytest.mark.parametrize("ended", ["closed", "paused"])
def test_payers_finish(house: House, ended: str) -> None:
    stage = house.stage
    house.locker.open_sale(house.show)
    house.locker.close_sale(house.show, at=house.at(1))
    house.go(0.9)
    token = new_token()
    paid, late, given = stage.acquire("A-1", token=token), stage.acquire("A-2"), stage.acquire("A-3")
    if ended == "paused":
        house.locker.pause_sale(house.show)
    else:
        house.go(1)
    assert house.status == ended
    assert stage.acquire("A-1", token=token).deadline == paid.deadline
    assert stage.acquire("A-2").resumed
    assert refusal_of(stage, "A-1", "A-4", token=token).status == ended
    booking = house.locker.confirm(paid, payment="pay-1")
    assert house.locker.extend(late, ttl=1500).ttl > 1000
    assert house.locker.release(given).released == ("A-3",)
    assert house.locker.cancel(booking).cancelled == ("A-1",)
    assert house.locker.inspect(house.show, ["A-2"])[0].state == "held"


def test_every_request_of_a_batch_is_told(house: House) -> None:
    house.locker.open_sale(house.show, at=house.at(1))
    answers = house.locker.acquire_many(house.show, [AcquireRequest([seat], "ada") for seat in SEATS])
    assert [type(answer) for answer in answers] == [SaleNotOpen] * len(SEATS)
    assert len({answer.opens_in for answer in answers}) == 1
    house.go(1)
    assert house.locker.acquire_many(house.show, [AcquireRequest(["A-1"], "ada")])[0].seats == ("A-1",)


def test_a_clock_that_steps_back_takes_the_opening_back(house: House) -> None:
    house.locker.open_sale(house.show, at=house.at(1))
    house.locker.close_sale(house.show, at=house.at(2))
    assert house.statuses(1, 0, 2, 1, 0) == ["open", "closed", "closed", "open", "closed"]


# What later calls do to times that are set


def test_pausing_stops_at_once_and_forgets_the_opening(house: House) -> None:
    house.locker.open_sale(house.show, at=house.at(1))
    house.locker.close_sale(house.show, at=house.at(3))
    house.locker.pause_sale(house.show)
    assert (house.status, house.opens_in) == ("paused", None)
    assert house.statuses(1, 2.9, 3) == ["paused", "paused", "closed"]
    house.locker.open_sale(house.show)
    assert house.statuses(3, 30) == ["open", "open"]


def test_a_pause_in_a_sale_keeps_its_end(house: House) -> None:
    house.locker.open_sale(house.show, at=house.at(1))
    house.locker.close_sale(house.show, at=house.at(3))
    house.go(2)
    house.locker.pause_sale(house.show)
    assert house.status == "paused"
    house.locker.open_sale(house.show)
    assert house.statuses(2, 3) == ["open", "closed"]


def test_a_pause_until_a_time(house: House) -> None:
    house.locker.open_sale(house.show)
    house.locker.pause_sale(house.show)
    house.locker.open_sale(house.show, at=house.at(1))
    assert (house.status, house.opens_in) == ("paused", 1.0)
    assert house.statuses(0.5, 1) == ["paused", "open"]


def test_opening_now_forgets_the_opening_time(house: House) -> None:
    house.locker.open_sale(house.show, at=house.at(1))
    house.locker.close_sale(house.show, at=house.at(3))
    house.locker.open_sale(house.show)
    assert house.status == "open"
    assert house.statuses(0.5, 3) == ["open", "closed"]
    house.locker.open_sale(house.show)
    assert house.statuses(3, 30) == ["open", "open"], "the closing time had passed, and is forgotten"


def test_closing_now_forgets_both(house: House) -> None:
    house.locker.open_sale(house.show, at=house.at(1))
    house.locker.close_sale(house.show, at=house.at(3))
    house.locker.close_sale(house.show)
    assert house.statuses(0, 1, 3) == ["closed", "closed", "closed"]


def test_a_later_time_replaces_an_earlier_one(house: House) -> None:
    house.locker.open_sale(house.show, at=house.at(1))
    house.locker.open_sale(house.show, at=house.at(2))
    house.locker.close_sale(house.show, at=house.at(3))
    house.locker.close_sale(house.show, at=house.at(4))
    assert house.statuses(1, 2, 3, 4) == ["closed", "open", "open", "closed"]
    house.locker.close_sale(house.show, at=house.at(6))
    assert house.statuses(4, 6) == ["closed", "closed"], "to close later opens nothing again"


def test_a_sale_that_is_extended(house: House) -> None:
    house.locker.open_sale(house.show, at=house.at(1))
    house.locker.close_sale(house.show, at=house.at(3))
    house.go(2)
    house.locker.close_sale(house.show, at=house.at(5))
    assert house.statuses(2, 3, 5) == ["open", "open", "closed"]


def test_two_times_at_one_moment(house: House) -> None:
    house.locker.open_sale(house.show, at=house.at(1))
    house.locker.close_sale(house.show, at=house.at(1))
    assert house.statuses(0, 1) == ["closed", "closed"]
    house.go(0)
    house.locker.open_sale(house.show, at=house.at(1))
    assert house.statuses(0, 1) == ["closed", "open"]


def test_an_opening_in_the_past_is_refused(house: House) -> None:
    house.go(1)
    for status, end in (("closed", house.locker.close_sale), ("paused", house.locker.pause_sale)):
        end(house.show)
        before = house.stage.everything()
        with pytest.raises(InvalidRequest, match=f"has passed by the server's clock, and it is {status}"):
            house.locker.open_sale(house.show, at=house.at(1))
        assert house.stage.everything() == before
        assert house.status == status


def test_an_opening_that_is_told_again_late_changes_nothing(house: House) -> None:
    house.locker.open_sale(house.show, at=house.at(1))
    house.locker.close_sale(house.show, at=house.at(3))
    for hour in (0, 1, 3):  # as a retry after a lost reply, or a script that is run again
        house.go(hour)
        before = house.stage.everything()
        house.locker.open_sale(house.show, at=house.at(1))
        house.locker.close_sale(house.show, at=house.at(3))
        assert house.stage.everything() == before
    house.go(2)
    house.locker.open_sale(house.show, at=house.at(1.5))  # which it is
    assert house.stage.everything() == before


def test_a_closing_in_the_past_is_now(house: House) -> None:
    house.locker.open_sale(house.show)
    house.locker.open_sale(house.show, at=house.at(5))
    house.go(1)
    house.locker.close_sale(house.show, at=house.at(0.5))
    assert house.statuses(1, 5) == ["closed", "closed"]


def test_a_script_that_runs_again_after_redis_lost_its_data_sells_nothing(house: House) -> None:
    house.locker.open_sale(house.show, at=house.at(1))
    house.go(1)
    assert house.status == "open"
    house.stage.raw.delete(*house.stage.keys())
    with pytest.raises(ShowNotFound):
        house.stage.acquire("A-1")
    house.locker.warm(house.show, SEATS)
    with pytest.raises(InvalidRequest):
        house.locker.open_sale(house.show, at=house.at(1))
    assert house.statuses(1, 5) == ["closed", "closed"]


# What else there is to know of them


@pytest.mark.parametrize("kind", ["whole", "float", "utc", "elsewhere"])
def test_every_way_to_say_a_time(house: House, kind: str) -> None:
    whole = int(house.at(1))
    moment: Any = {
        "whole": whole,
        "float": whole + 0.25,
        "utc": datetime.fromtimestamp(whole, UTC) + timedelta(microseconds=250_000),
        "elsewhere": datetime.fromtimestamp(whole + 0.25, timezone(timedelta(hours=-9.5))),
    }[kind]
    house.locker.open_sale(house.show, at=moment)
    opens = whole * 1000 + (0 if kind == "whole" else 250)
    assert house.stage.raw.hget(house.stage.key("meta"), "status") == f"closed {opens} -".encode()
    assert house.statuses(0.9, 1) == ["closed", "open"]


def test_warming_again_keeps_the_times_and_retiring_forgets_them(house: House) -> None:
    house.locker.open_sale(house.show, at=house.at(1))
    house.locker.close_sale(house.show, at=house.at(3))
    house.locker.warm(house.show, [*SEATS, "B-1"])
    assert house.statuses(0, 1, 3) == ["closed", "open", "closed"]
    house.locker.retire(house.show)
    house.go(0)
    house.locker.warm(house.show, SEATS)
    assert house.statuses(0, 1, 3) == ["closed", "closed", "closed"]


def test_a_large_show_says_what_it_is_now(house: House) -> None:
    """More seats than one call reads: the status then comes with the changes since."""
    house.locker.warm(house.show, [*SEATS, *(f"S-{number}" for number in range(1500))])
    house.locker.open_sale(house.show, at=house.at(1))
    assert house.statuses(0, 1) == ["closed", "open"]


def test_times_are_in_the_change_stream_once_when_they_are_set(house: House) -> None:
    opens, closes = (round(house.at(hour) * 1000) for hour in (1, 3))
    start = house.stage.version()
    for _ in range(2):
        house.locker.open_sale(house.show, at=opens / 1000)
    for _ in range(2):
        house.locker.close_sale(house.show, at=closes / 1000)
    house.go(2)
    assert house.locker.availability(house.show).status == "open"
    for _ in range(2):
        house.locker.pause_sale(house.show)
    for _ in range(2):
        house.locker.close_sale(house.show)
    assert [fields for _, fields in house.stage.changes(start)] == [
        {"": f"closed {opens} -"},
        {"": f"closed {opens} {closes}"},
        {"": f"paused - {closes}"},
        {"": "closed"},
    ]


def test_times_are_one_shows_own(house: House) -> None:
    other = Stage(house.stage.doors, house.stage.colour)
    other.open()
    house.locker.open_sale(house.show, at=house.at(1))
    house.locker.close_sale(house.show, at=house.at(2))
    house.go(3)
    assert other.acquire("A-1").show == other.show
    assert house.status == "closed"
