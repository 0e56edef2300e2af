"""The server forgets its scripts, restarts, is busy or loads: nothing is lost that was kept, nothing is sold twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from seatlock import (
    AcquireRequest,
    Booking,
    ConfirmRequest,
    Hold,
    HoldLost,
    SaleNotOpen,
    SeatLocker,
    SeatLockError,
    ServerUnavailable,
    ShowNotFound,
)
from tests.chaos.verbs import HOLDER, SEATS, VERBS, fresh_show, hold_of
from tests.support.doors import COLOURS, Noting, attempt
from tests.support.doors import door as open_door
from tests.support.fixtures import PrivateServer
from tests.support.keyspace import contradictions, dump, lock_of
from tests.support.servers import RedisServer
from tests.support.waiting import until

KEPT: Final = {"appendonly": "yes", "appendfsync": "always", "hz": "100"}  # that often it sees that it shall stop
BUYERS: Final = 4
HOUSE: Final = tuple(f"H-{number}" for number in range(150))


def noting(server: RedisServer, before: Callable[[int], None] | None = None) -> Noting:
    """A client without retries of its own, that notes what passes."""
    return Noting(server.client(retry=Retry(NoBackoff(), 0), socket_timeout=2.0), before)


@pytest.fixture
def kept(private_server: PrivateServer) -> RedisServer:
    """A server of this test's own that keeps every write."""
    return private_server(config=KEPT)


# --- SCRIPT FLUSH


def test_scripts_forgotten_between_all_calls(server_of: Callable[[str], RedisServer]) -> None:
    server = server_of("redis-7")
    with server.client() as raw:
        client = noting(server, lambda _: raw.script_flush())
        locker = SeatLocker(client)  # type: ignore[arg-type]
        show = fresh_show(locker)
        hold = locker.extend(hold_of(locker, show), ttl=700)
        booking = locker.confirm(hold, payment="pay-1")
        assert locker.inspect(show, SEATS[:1])[0].booking == booking.id
        assert locker.cancel(booking).cancelled == SEATS[:2]
        assert locker.release(hold_of(locker, show)).released == SEATS[:2]
        assert (locker.sweep(show), locker.availability(show).counts["free"]) == (0, len(SEATS))
        assert contradictions(raw, show) == []
        assert sum(isinstance(error, redis.exceptions.NoScriptError) for error in client.errors) > 10
        client.close()


# --- restarts


class Crowd:
    """Buyers in threads of their own, who hold and pay for every seat of a house, one at a time; and their receipts.

    ``before`` is called with the number of each command that the first of them is about to send.
    """

    def __init__(self, server: RedisServer, show: str, before: Callable[[int], None]) -> None:
        self.receipts: list[Booking] = []
        self.clients = [noting(server, None if number else before) for number in range(BUYERS)]
        self._show = show
        self._failures: list[SeatLockError] = []
        self._threads = [
            threading.Thread(target=self._buy, args=(f"buyer-{number}", client))
            for number, client in enumerate(self.clients)
        ]

    def _buy(self, holder: str, client: Noting) -> None:
        locker = SeatLocker(client, patience=20.0)  # type: ignore[arg-type]
        for seat in HOUSE:
            held = attempt(lambda seat=seat: locker.acquire(self._show, [seat], holder=holder))
            if isinstance(held, Hold):
                sold = attempt(lambda held=held: locker.confirm(held, payment=holder))
                if isinstance(sold, Booking):
                    self.receipts.append(sold)
                else:
                    self._failures.append(sold)

    @property
    def errors(self) -> list[Exception]:
        """What the buyers' clients met."""
        return [error for client in self.clients for error in client.errors]

    def start(self) -> None:
        """Let them in."""
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Wait until all are served; nobody who held a seat may have lost it."""
        for thread in self._threads:
            thread.join(timeout=60)
            assert not thread.is_alive()
        for client in self.clients:
            client.close()
        assert self._failures == []


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_restart_in_the_middle_of_a_sale_loses_nothing(kept: RedisServer, end: str) -> None:
    restarts: list[int] = []

    def restart(number: int) -> None:
        if number in (10, 100):  # at the latest he asks for each of the seats once
            getattr(kept, end)()
            restarts.append(len(crowd.receipts))
            kept.start()

    with kept.client() as raw:
        show = fresh_show(SeatLocker(raw), seats=HOUSE)
        crowd = Crowd(kept, show, restart)
        crowd.start()
        crowd.finish()
        assert (len(restarts), restarts[0] < len(HOUSE), len(crowd.errors) >= 2) == (2, True, True)
        sold = {seat: booking for booking in crowd.receipts for seat in booking.seats}
        assert (len(crowd.receipts), set(sold)) == (len(HOUSE), set(HOUSE))
        for state in [one for at in (0, 75) for one in SeatLocker(raw).inspect(show, HOUSE[at : at + 75])]:
            assert (state.state, state.booking) == ("sold", sold[state.seat].id)
        assert contradictions(raw, show) == []


def test_a_restart_between_the_chunks_of_a_batch(kept: RedisServer) -> None:
    """The connection, the scripts and the server's memory go; the batch does not notice."""

    def restart(number: int) -> None:
        if number == 5:  # the check of the server and the first chunk, each by its SHA and then by its source
            assert raw.exists(lock_of(show, SEATS[0]))
            kept.restart()

    with kept.client() as raw:
        show = fresh_show(SeatLocker(raw))
        raw.script_flush()
        client = noting(kept, restart)
        requests = [AcquireRequest(SEATS[:1], f"holder-{number}") for number in range(600)]
        answers = SeatLocker(client, patience=10.0).acquire_many(show, requests)  # type: ignore[arg-type]
        assert sum(isinstance(error, redis.exceptions.NoScriptError) for error in client.errors) == 3
        assert [isinstance(answer, Hold) for answer in answers] == [True] + [False] * 599
        assert contradictions(raw, show) == []
        client.close()


VERBS_OF_A_SALE: Final = sorted(VERBS.keys() - {"warm"})


@pytest.mark.parametrize("colour", COLOURS)
def test_without_its_data_a_show_is_not_found(private_server: PrivateServer, colour: str) -> None:
    """A restart with loss of data fails closed; warming again does not open the sale."""
    server = private_server()
    with server.client() as raw, open_door(colour, server.url) as door:
        locker = SeatLocker(raw)
        ready = {}
        for name in VERBS_OF_A_SALE:
            show = fresh_show(locker)
            ready[name] = show, VERBS[name].prepare(locker, show)
            door.availability(show)
        held = fresh_show(locker)
        hold = hold_of(locker, held)
        server.restart()
        assert raw.dbsize() == 0
        for name, (show, prepared) in ready.items():
            answer = attempt(lambda name=name, show=show, prepared=prepared: VERBS[name].call(door, show, prepared))
            answers = answer if isinstance(answer, list) else [answer]
            assert {type(one) for one in answers} == {ShowNotFound}, name
        assert raw.dbsize() == 0
        door.warm(held, SEATS)
        with pytest.raises(SaleNotOpen):
            door.acquire(held, SEATS[:1], holder=HOLDER)
        with pytest.raises(HoldLost):
            door.confirm(hold, payment="pay-1")


@pytest.mark.parametrize("colour", COLOURS)
def test_refused_connections_are_unavailability_and_change_nothing(kept: RedisServer, colour: str) -> None:
    patience = 0.1
    with kept.client() as raw, open_door(colour, kept.url, patience=patience) as door:
        locker = SeatLocker(raw)
        ready = {}
        for name in VERBS:
            show = fresh_show(locker)
            ready[name] = show, VERBS[name].prepare(locker, show)
            if name != "warm":
                door.availability(show)
        before = {show: dump(raw, show) for show, _ in ready.values()}
        kept.stop()
        assert isinstance(attempt(lambda: door.availability(show)), ServerUnavailable)  # its old connection is gone
        for name, (show, prepared) in ready.items():
            begun = time.monotonic()
            answer = attempt(lambda name=name, show=show, prepared=prepared: VERBS[name].call(door, show, prepared))
            assert time.monotonic() - begun < patience + 1.0
            answers = answer if isinstance(answer, list) else [answer]
            assert {type(one) for one in answers} == {ServerUnavailable}, name
        kept.start()
        assert {show: dump(raw, show) for show, _ in ready.values()} == before
        assert isinstance(door.acquire(ready["acquire"][0], SEATS[:1], holder=HOLDER), Hold)


# --- a server that does not get round to it


@pytest.fixture
def busy(private_server: PrivateServer) -> Iterator[tuple[RedisServer, redis.Redis]]:
    """A server that is busy with somebody's endless script, once `occupy` is called; and a client to ask it with."""
    server = private_server(config={"lua-time-limit": "1"})
    with server.client() as raw:
        yield server, raw


def occupy(server: RedisServer, raw: redis.Redis) -> threading.Thread:
    """Run an endless script: every other command is refused until SCRIPT KILL."""

    def endless() -> None:
        with server.client(retry=Retry(NoBackoff(), 0)) as client, pytest.raises(redis.ResponseError, match="killed"):
            client.eval("while true do end", 0)

    thread = threading.Thread(target=endless)
    thread.start()

    def is_busy() -> bool:
        try:
            raw.ping()
        except redis.ResponseError as error:
            return "BUSY" in str(error)
        return False

    until(is_busy, "the server is busy")
    return thread


def test_a_busy_server_is_asked_again(busy: tuple[RedisServer, redis.Redis]) -> None:
    server, raw = busy
    show = fresh_show(SeatLocker(raw))
    before = dump(raw, show)
    holds: list[Any] = []
    client = noting(server)
    locker = SeatLocker(client)  # type: ignore[arg-type]
    locker.availability(show)
    thread = occupy(server, raw)
    try:
        with pytest.raises(ServerUnavailable, match="BUSY"):
            SeatLocker(client, patience=0.1).sweep(show)  # type: ignore[arg-type]
        waiting = threading.Thread(target=lambda: holds.append(attempt(lambda: hold_of(locker, show))))
        refused = len(client.errors)
        waiting.start()
        until(lambda: len(client.errors) > refused, "the buyer was refused")
        assert holds == []
    finally:
        raw.script_kill()
    thread.join(timeout=10)
    waiting.join(timeout=10)
    assert isinstance(holds[0], Hold)
    assert before != dump(raw, show)
    assert contradictions(raw, show) == []
    client.close()


def test_a_busy_server_does_not_cost_a_batch_its_patience_for_each_request(
    busy: tuple[RedisServer, redis.Redis],
) -> None:
    server, raw = busy
    show = fresh_show(SeatLocker(raw))
    with SeatLocker.from_url(server.url, patience=0.3) as locker:
        locker.availability(show)
        before = dump(raw, show)
        thread = occupy(server, raw)
        begun = time.monotonic()
        try:
            answers = locker.acquire_many(show, [AcquireRequest(SEATS[:1], f"holder-{n}") for n in range(300)])
        finally:
            raw.script_kill()
        assert time.monotonic() - begun < 2.0
        thread.join(timeout=10)
        assert {type(answer) for answer in answers} == {ServerUnavailable}
        assert dump(raw, show) == before


def test_a_loading_server_is_waited_for(private_server: PrivateServer) -> None:
    """After its start the server reads its data back, and refuses all commands meanwhile."""
    slow = {"save": "3600 1", "rdbcompression": "no", "key-load-delay": "4000"}  # microseconds
    server = private_server(config={**slow, "loading-process-events-interval-bytes": "1024"})
    with server.client() as raw:
        show = fresh_show(SeatLocker(raw))
        raw.mset({f"ballast-{number}": "x" * 200 for number in range(100)})
        client = noting(server)
        locker = SeatLocker(client, patience=20.0)  # type: ignore[arg-type]
        hold = hold_of(locker, show)
        server.stop()
        starting = threading.Thread(target=server.start)
        starting.start()
        booking = locker.confirm(hold, payment="pay-1")
        starting.join(timeout=20)
        assert any(isinstance(error, redis.BusyLoadingError) for error in client.errors)
        assert booking.seats == hold.seats
        assert raw.pttl(lock_of(show, hold.seats[0])) == -1
        assert contradictions(raw, show) == []
        client.close()


def test_confirming_a_batch_over_a_restart(kept: RedisServer) -> None:
    """Holds outlive the restart, and become bookings after it."""
    with kept.client() as raw:
        show = fresh_show(SeatLocker(raw))
        client = noting(kept)
        locker = SeatLocker(client, patience=10.0)  # type: ignore[arg-type]
        holds = [hold_of(locker, show, number) for number in range(3)]
        kept.kill()
        kept.start()
        answers = locker.confirm_many(show, [ConfirmRequest(hold, "pay") for hold in holds])
        assert all(isinstance(answer, Booking) for answer in answers)
        assert client.errors
        assert contradictions(raw, show) == []
        client.close()
