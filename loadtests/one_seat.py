"""Many users hammer one seat, and a second crowd a small hot block; then the check that nobody shared a seat.

    python loadtests/one_seat.py --seconds 10 [--users 100] [--redis URL]

Runs locust headless in this process, against a private embedded Redis unless told otherwise, prints its table, and
ends with the check of `tenures.py`. The exit status is 1 if that finds something.
"""

from __future__ import annotations

import locust  # isort: skip - first, because it lets gevent patch the standard library

import argparse
import random
import secrets
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Final, TypeVar
from urllib.parse import urlsplit

import gevent
import gevent.pool
import redis
from locust.env import Environment
from locust.stats import get_error_report_summary, get_stats_summary
from tenures import History, violations

from seatlock import Booking, Hold, HoldLost, SeatLocker, SeatLockError, SeatsUnavailable
from seatlock._connect import SyncClient, close_sync, sync_client
from seatlock.simulation.raw import RawLock, RawMirror, parse_lock, parse_mirror

T = TypeVar("T")

NAMESPACE: Final = "seatlock"
HOT_SEATS: Final = 12
SHORT: Final = (0.005, 0.05)  # seconds a hold lasts that will be left to run out: from, to
LONG: Final = 5.0  # seconds a hold lasts that will be ended by its owner
LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
MOST_SECONDS: Final = 600  # the history is kept in memory
MOST_USERS: Final = 5_000
STOP_TIMEOUT: Final = 30  # seconds that users get to finish what they are at


class Arena:
    """One show that a crowd fights over, and its history."""

    def __init__(self, client: SyncClient, seats: Sequence[str]) -> None:
        self.show = f"one-seat-{secrets.token_hex(6)}"
        self.seats = list(seats)
        self.history = History()
        self.locker = SeatLocker(client, namespace=NAMESPACE)
        self._client: Any = client  # redis-py types its sync and cluster clients in too many ways
        self.locker.warm(self.show, self.seats)
        self.locker.open_sale(self.show)

    def now(self) -> int:
        """What the server's clock says, in milliseconds."""
        seconds, microseconds = self._ask("TIME")
        return int(seconds) * 1000 + int(microseconds) // 1000

    def raw(self) -> tuple[dict[str, RawLock], dict[str, RawMirror]]:
        """What lies in Redis."""
        base = f"{NAMESPACE}:{{{self.show}}}:"
        locks: dict[str, RawLock] = {}
        mirrors: dict[str, RawMirror] = {}
        for seat in self.seats:
            if (lock := self._client.get(f"{base}lock:{seat}")) is not None:
                locks[seat] = parse_lock(lock, expires=self._client.pttl(f"{base}lock:{seat}") >= 0)
            if (mirror := self._client.hget(f"{base}seats", seat)) is not None:
                mirrors[seat] = parse_mirror(mirror)
        return locks, mirrors

    def _ask(self, command: str) -> Any:
        """Send a command to the server that has the show."""
        client = self._client
        if not isinstance(client, redis.RedisCluster):
            return client.execute_command(command)
        cluster: Any = client
        return cluster.execute_command(command, target_nodes=cluster.get_node_from_key(f"{{{self.show}}}"))


class Buyer(locust.User):
    """One user: takes seats, and gives them back in every way there is."""

    abstract = True
    wait_time = locust.constant(0)
    arena: ClassVar[Arena]
    most_seats: ClassVar[int]
    label: ClassVar[str]

    def on_start(self) -> None:
        """Take a name of one's own."""
        self.name = f"{self.label}-{secrets.token_hex(4)}"

    @locust.task(4)
    def release(self) -> None:
        """Hold and give back."""
        if hold := self.acquire(LONG):
            self.give_back(hold)

    @locust.task(2)
    def refresh(self) -> None:
        """Hold, lose the page, ask again, give back: it must be the same hold."""
        hold = self.acquire(LONG)
        if hold is None:
            return
        again = self.acquire(LONG, hold.seats)
        if again is None or not again.resumed or again.token != hold.token:
            self.complain(f"{self.name} asked again for {hold.seats}, and did not get its hold back")
        self.give_back(hold)

    @locust.task(2)
    def buy_and_return(self) -> None:
        """Hold, pay, and cancel the booking."""
        hold = self.acquire(LONG)
        if hold is None:
            return
        try:
            booking = self.timed("confirm", lambda: self.arena.locker.confirm(hold, payment=self.name))
        except HoldLost as error:
            self.lost(hold, f"could not pay: {error.reason}")
        else:
            self.cancel(hold, booking)

    @locust.task(1)
    def pay_too_late(self) -> None:
        """Hold for a moment, and pay when the time is over: somebody else may have the seats by then."""
        hold = self.let_run_out()
        if hold is None:
            return
        try:
            booking = self.timed("confirm too late", lambda: self.arena.locker.confirm(hold, payment=self.name))
        except HoldLost as error:
            self.lost(hold, f"could not pay: {error.reason}")
        else:  # the server's clock runs a little behind ours
            self.cancel(hold, booking)

    @locust.task(1)
    def release_too_late(self) -> None:
        """Hold for a moment, and give back when the time is over: what others hold by then must stay theirs."""
        if hold := self.let_run_out():
            self.give_back(hold, "release too late")

    def let_run_out(self) -> Hold | None:
        """Hold seats until the time is over; None if they are taken."""
        hold = self.acquire(random.uniform(*SHORT))
        if hold is not None:
            gevent.sleep(hold.ttl + 0.005)
        return hold

    def keep(self, seat: str) -> None:
        """Buy for good, if possible: the last rush."""
        if hold := self.acquire(LONG, (seat,)):
            booking = self.timed("confirm", lambda: self.arena.locker.confirm(hold, payment=self.name))
            self.arena.history.kept(hold, booking)

    def acquire(self, ttl: float, seats: Sequence[str] | None = None) -> Hold | None:
        """Ask for seats next to each other, or for these; None if they are taken."""
        if seats is None:
            count = random.randint(1, self.most_seats)
            first = random.randint(0, len(self.arena.seats) - count)
            seats = self.arena.seats[first : first + count]
        arena = self.arena
        try:
            return self.timed("acquire", lambda: arena.locker.acquire(arena.show, seats, holder=self.name, ttl=ttl))
        except SeatsUnavailable:
            return None

    def give_back(self, hold: Hold, verb: str = "release") -> None:
        """Release, and write down until when it was ours."""
        until = self.arena.now()
        release = self.timed(verb, lambda: self.arena.locker.release(hold))
        if release.released == hold.seats:
            self.arena.history.ended(hold, until)
        else:
            self.lost(hold, f"could not release: {dict(release.seats)}")

    def cancel(self, hold: Hold, booking: Booking) -> None:
        """Cancel a booking, and write down until when the seats were ours."""
        until = self.arena.now()
        cancelled = self.timed("cancel", lambda: self.arena.locker.cancel(booking))
        if cancelled.cancelled != hold.seats:
            self.complain(f"{self.name} cancelled {booking.id}: {dict(cancelled.seats)}")
        self.arena.history.ended(hold, until)

    def lost(self, hold: Hold, what: str) -> None:
        """Write down a hold that is not there any more, which may only be because its time is over."""
        if self.arena.now() <= hold.deadline:
            self.complain(f"{self.name} {what}, before the time of {hold.seats} was over")
        self.arena.history.ran_out(hold)

    def timed(self, verb: str, call: Callable[[], T]) -> T:
        """Make a call that locust counts: what the library refuses on purpose is an answer, the rest a failure."""
        start = time.perf_counter()
        failure: Exception | None = None
        try:
            return call()
        except SeatsUnavailable:
            verb += " refused"
            raise
        except HoldLost:
            raise
        except SeatLockError as error:
            failure = error
            self.complain(f"{self.name}: {verb} had no answer: {error}")
            raise
        finally:
            self.environment.events.request.fire(
                request_type=self.label,
                name=verb,
                response_time=(time.perf_counter() - start) * 1000,
                response_length=0,
                exception=failure,
                context={},
            )

    def complain(self, complaint: str) -> None:
        """Write down what must not happen."""
        self.arena.history.complaints.append(complaint)


class OneSeatBuyer(Buyer):
    """Wants the one seat."""

    most_seats = 1
    label = "one seat"


class HotBlockBuyer(Buyer):
    """Wants one to four seats of the block."""

    most_seats = 4
    label = "hot block"


CROWDS: Final[tuple[type[Buyer], ...]] = (OneSeatBuyer, HotBlockBuyer)


def run(client: SyncClient, users: int, seconds: float) -> bool:
    """Let the users loose for some seconds, then judge; whether all is well."""
    OneSeatBuyer.arena = Arena(client, ["A-1"])
    HotBlockBuyer.arena = Arena(client, [f"B-{number}" for number in range(1, HOT_SEATS + 1)])
    environment = Environment(user_classes=list(CROWDS), stop_timeout=STOP_TIMEOUT)
    runner = environment.create_local_runner()
    runner.start(users, spawn_rate=users)
    gevent.spawn_later(seconds, runner.quit)
    runner.greenlet.join()
    for crowd in CROWDS:
        last_rush(crowd, environment, users)
    print("\n".join(get_stats_summary(environment.stats, current=False)))
    if environment.stats.errors:
        print("\n".join(get_error_report_summary(environment.stats)))
    verdicts = [judge(crowd) for crowd in CROWDS]
    return all(verdicts)


def last_rush(crowd: type[Buyer], environment: Environment, users: int) -> None:
    """Everybody wants every seat, for good, at once. What was left to run out has run out by then."""
    gevent.sleep(max(SHORT))
    buyers = [crowd(environment) for _ in range(users)]
    rush = gevent.pool.Pool(users)
    for buyer in buyers:
        buyer.on_start()
    for seat in crowd.arena.seats:
        for buyer in buyers:
            rush.spawn(buyer.keep, seat)
    rush.join(timeout=STOP_TIMEOUT)


def judge(crowd: type[Buyer]) -> bool:
    """Print the verdict on one show; retire it if all is well."""
    arena = crowd.arena
    found = violations(arena.seats, arena.history, *arena.raw())
    print(
        f"{crowd.label}: {len(arena.history.tenures):,} times a seat changed hands, {len(arena.history.bookings)} of "
        f"{len(arena.seats)} sold in the end, {len(found):,} violations"
    )
    for violation in found[:20]:
        print(f"  VIOLATION {violation}")
    if not found:
        arena.locker.close_sale(arena.show)
        arena.locker.retire(arena.show, unread="discard")
    return not found


@contextmanager
def connected(url: str) -> Generator[SyncClient]:
    """A client of that server, or of a private one."""
    client, server = sync_client(url, {})
    parts = urlsplit(url)
    print(f"{parts.scheme}://{parts.hostname or parts.path}" if server is None else server.description)
    try:
        yield client
    finally:
        close_sync(client)
        if server is not None:
            server.close()


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Many users hammer one seat and a hot block; nobody may share a seat.")
    parser.add_argument("--seconds", type=float, default=10.0, help=f"how long (1 to {MOST_SECONDS}, default 10)")
    parser.add_argument("--users", type=int, default=100, help="how many, half of them for each scenario (default 100)")
    parser.add_argument(
        "--redis", metavar="URL", default="embedded://", help="a server to use (default: a private one)"
    )
    parser.add_argument("--remote", action="store_true", help="let --redis be on another machine")
    given = parser.parse_args()
    if not 1 <= given.seconds <= MOST_SECONDS:
        parser.error(f"--seconds goes from 1 to {MOST_SECONDS}")
    if not len(CROWDS) <= given.users <= MOST_USERS:
        parser.error(f"--users goes from {len(CROWDS)} to {MOST_USERS}")
    target = urlsplit(given.redis)
    if not given.remote and target.scheme not in ("embedded", "unix") and target.hostname not in LOOPBACK:
        parser.error("that server is on another machine; if it may be loaded like this, say --remote")
    return given


def main() -> int:
    """Run the command; gives the exit status."""
    given = arguments()
    try:
        with connected(given.redis) as client:
            well = run(client, given.users, given.seconds)
    except SeatLockError as error:
        print(f"one_seat: {error}", file=sys.stderr)
        return 1
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
