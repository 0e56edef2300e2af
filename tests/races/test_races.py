"""Many buyers, many processes, one moment: seats are never had by two, and everybody learns what became of theirs."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import redis

from seatlock import SeatLocker
from tests.races import buyers
from tests.races.buyers import BUYERS, Ended, lock_keys, token_of
from tests.races.crowd import PROCESSES, crowd
from tests.support.clock import Clock
from tests.support.fixtures import PrivateServer
from tests.support.keyspace import contradictions
from tests.support.servers import RedisServer

ROUNDS = 1000
PHASES, HOUSE = 60, 16
ENDINGS = 100
BLOCKS = 300
TAB_ROUNDS, LIMIT = 60, 6


@pytest.fixture
def server(server_of: Callable[[str], RedisServer]) -> RedisServer:
    return server_of("redis-7")


def open_show(server: RedisServer, show: str, seats: Iterable[str]) -> None:
    with server.unix_client() as client:
        locker = SeatLocker(client)
        locker.warm(show, seats)
        locker.open_sale(show)


def locks_of(client: redis.Redis, show: str, seats: tuple[str, ...]) -> dict[str, list[str]]:
    """The raw locks that are there, in their fields, by seat."""
    values = client.mget(lock_keys(show, seats))
    return {seat: value.decode().split("\n") for seat, value in zip(seats, values, strict=True) if value is not None}


def by_round(endings: Iterable[Ended]) -> list[list[Ended]]:
    rounds: defaultdict[int, list[Ended]] = defaultdict(list)
    for ending in endings:
        rounds[ending.round].append(ending)
    return [rounds[number] for number in range(len(rounds))]


def booked_in_outbox(client: redis.Redis, show: str) -> list[tuple[str, str]]:
    """Booking id and payment of every entry of the outbox."""
    entries = client.xrange(f"seatlock:{{{show}}}:outbox")
    assert all(fields[b"kind"] == b"confirmed" for _, fields in entries)
    return [(fields[b"booking"].decode(), fields[b"payment"].decode()) for _, fields in entries]


def test_two_hundred_buyers_want_one_seat_a_thousand_times_and_one_gets_it(server: RedisServer) -> None:
    show = "race-one-seat"
    seats = tuple(f"S-{number}" for number in range(ROUNDS))
    open_show(server, show, seats)

    results = crowd(buyers.one_seat, str(server.socket), show, ROUNDS)

    won = [hold for holds, _ in results for hold in holds]
    assert Counter(hold.round for hold in won) == dict.fromkeys(range(ROUNDS), 1)
    assert sum(lost for _, lost in results) == ROUNDS * (PROCESSES * BUYERS - 1)
    assert len({hold.process for hold in won}) > 1, "the processes did not really race"
    assert len({hold.fence for hold in won}) == ROUNDS
    with server.unix_client() as client:
        assert client.hget(f"seatlock:{{{show}}}:meta", "fence") == b"%d" % ROUNDS  # a refusal leaves no trace
        locks = locks_of(client, show, seats)
    assert {seat: lock[1:3] for seat, lock in locks.items()} == {
        hold.seats[0]: [hold.token, hold.holder] for hold in won
    }


def test_overlapping_sets_of_seats_never_deadlock_and_never_half_succeed(server: RedisServer) -> None:
    show = "race-sets"
    seats = tuple(f"S-{phase}-{seat}" for phase in range(PHASES) for seat in range(HOUSE))
    open_show(server, show, seats)

    results = crowd(buyers.overlapping, str(server.socket), show, PHASES, HOUSE)

    kept = [hold for holds, _ in results for hold in holds]
    assert {hold.round for hold in kept} == set(range(PHASES))
    assert len({hold.process for hold in kept}) == PROCESSES
    assert sum(refusals for _, refusals in results) > PHASES, "the sets did not really overlap"
    receipts = {seat: [hold.token, hold.holder] for hold in kept for seat in hold.seats}
    assert len(receipts) == sum(len(hold.seats) for hold in kept), "a seat in two holds"
    with server.unix_client() as client:
        assert {seat: lock[1:3] for seat, lock in locks_of(client, show, seats).items()} == receipts
        found = SeatLocker(client).availability(show)
    assert {seat for seat, state in found.seats.items() if state == "held"} == receipts.keys()


def test_twenty_confirm_one_hold_at_once_with_two_payments_and_make_one_booking(server: RedisServer) -> None:
    show = "race-confirm"
    seats = tuple(f"{row}-{number}" for row in "AB" for number in range(ENDINGS))
    open_show(server, show, seats)
    wants = [[f"pay-{1 + (process + buyer) % 2}" for buyer in range(5)] for process in range(PROCESSES)]

    rounds = by_round(itertools.chain(*crowd(buyers.endings, str(server.socket), show, ENDINGS, wants)))

    paid = []
    for endings in rounds:
        assert len(endings) == 20
        assert len({(ending.booking, ending.payment, ending.fence) for ending in endings}) == 1
        on_record = endings[0]
        paid.append((on_record.booking, on_record.payment))
        for ending in endings:
            assert ending.got == ("booked" if ending.wanted == on_record.payment else "conflict")
    assert {payment for _, payment in paid} == {"pay-1", "pay-2"}, "the payments did not really race"
    assert len({booking for booking, _ in paid}) == ENDINGS
    with server.unix_client() as client:
        assert booked_in_outbox(client, show) == paid
        assert all(lock[0] == "s" for lock in locks_of(client, show, seats).values())


def test_a_hold_confirmed_and_released_at_once_is_one_or_the_other(server: RedisServer) -> None:
    show = "race-release"
    seats = tuple(f"{row}-{number}" for row in "AB" for number in range(ENDINGS))
    open_show(server, show, seats)
    wants = [["pay"] * 3, ["release"] * 3, ["pay", "release", "pay"], ["release", "pay", "release"]]

    rounds = by_round(itertools.chain(*crowd(buyers.endings, str(server.socket), show, ENDINGS, wants)))

    sold = set()
    for number, endings in enumerate(rounds):
        got = {want: Counter(ending.got for ending in endings if ending.wanted == want) for want in ("pay", "release")}
        if "booked" in got["pay"]:
            assert got == {"pay": {"booked": 6}, "release": {"sold": 6}}
            sold |= {f"A-{number}", f"B-{number}"}
        else:
            assert got == {"pay": {"released": 6}, "release": {"released": 1, "gone": 5}}
    assert 0 < len(sold) < len(seats), "confirm and release did not really race"
    with server.unix_client() as client:
        locks = locks_of(client, show, seats)
        assert len(booked_in_outbox(client, show)) == len(sold) / 2
    assert locks.keys() == sold
    assert all(lock[0] == "s" for lock in locks.values())


def test_seats_that_are_blocked_and_wanted_at_once_are_the_houses_or_a_buyers(server: RedisServer) -> None:
    show = "race-block"
    seats = tuple(f"{row}-{number}" for row in "AB" for number in range(BLOCKS))
    open_show(server, show, seats)

    rounds = by_round(itertools.chain(*crowd(buyers.against_the_house, str(server.socket), show, BLOCKS)))

    blocked, held = set(), set()
    for number, endings in enumerate(rounds):
        (house,) = (ending.got for ending in endings if ending.wanted == "AB")
        got = Counter((ending.wanted, ending.got) for ending in endings if ending.wanted != "AB")
        if house == "blocked":
            assert {word for _, word in got} == {"blocked"}
            blocked |= {f"A-{number}", f"B-{number}"}
        else:
            for row in house:  # what the house was told stood in its way was held, by one
                assert got[row, "got"] == 1
            assert max(got[row, "got"] for row in "AB") == 1
            assert {word for _, word in got} <= {"got", "held"}
            held |= {f"{row}-{number}" for row in "AB" if got[row, "got"]}
    assert blocked, "the house was never the first"
    assert held, "the house was always the first"
    with server.unix_client() as client:
        assert locks_of(client, show, seats).keys() == held
        found = SeatLocker(client).availability(show).seats
        reasons = client.hgetall(f"seatlock:{{{show}}}:blocks")
    assert {seat for seat, state in found.items() if state == "blocked"} == blocked
    assert {seat.decode() for seat in reasons} == blocked
    assert {seat for seat, state in found.items() if state == "held"} == held


def test_a_hold_confirmed_in_its_last_moment_is_sold_or_somebody_elses(
    private_server: PrivateServer, clock: Clock
) -> None:
    show = "race-expiry"
    server = private_server(env=clock.env)
    seats = tuple(f"S-{number}" for number in range(ENDINGS))
    open_show(server, show, seats)

    path = Path(clock.env["SEATLOCK_CLOCK"])
    rounds = by_round(itertools.chain(*crowd(buyers.last_moment, str(server.socket), path, show, ENDINGS)))

    sold, taken = set(), {}
    for number, endings in enumerate(rounds):
        got = {ending.wanted: ending.got for ending in endings}
        if got["pay"] == "booked":
            assert got == {"pay": "booked", "rival-2": "sold", "rival-3": "sold"}
            sold.add(f"S-{number}")
        else:
            assert got["pay"] in {"expired", "taken"}
            assert sorted((got["rival-2"], got["rival-3"])) == ["held", "taken"]
            taken[f"S-{number}"] = next(rival for rival, word in got.items() if word == "held")
    assert sold, "no confirm was in time"
    assert taken, "no confirm was too late"
    with server.unix_client() as client:
        locks = locks_of(client, show, seats)
        assert len(booked_in_outbox(client, show)) == len(sold)
    assert {seat for seat, lock in locks.items() if lock[0] == "s"} == sold
    assert all(lock[1] == token_of(int(seat[2:])) for seat, lock in locks.items() if seat in sold)


def test_a_hundred_tabs_of_one_holder_never_exceed_the_limit_by_one(server: RedisServer) -> None:
    show = "race-tabs"
    seats = [seat for number in range(TAB_ROUNDS) for seat in buyers.tab_seats(number)]
    with server.unix_client() as client:
        locker = SeatLocker(client)
        locker.warm(show, seats, limit=LIMIT)
        locker.open_sale(show)

    results = crowd(buyers.tabs, str(server.socket), show, TAB_ROUNDS, LIMIT)

    assert sum(had for had, _ in results) > TAB_ROUNDS * 2
    assert all(refused > TAB_ROUNDS for _, refused in results), "the tabs did not really race"
    with server.unix_client() as client:
        for number in range(TAB_ROUNDS):
            locks = locks_of(client, show, buyers.tab_seats(number))
            assert {lock[2] for lock in locks.values()} <= {f"ada-{number}"}
            if number % 2 == 0:  # nobody gave anything back, and most wanted a single seat: not one is left
                assert len(locks) == LIMIT
            assert len(locks) <= LIMIT
        assert contradictions(client, show) == []


def test_a_late_payment_and_a_new_buyer_never_get_the_same_seats(private_server: PrivateServer, clock: Clock) -> None:
    show = "race-late"
    server = private_server(env=clock.env)
    seats = tuple(f"{row}-{number}" for number in range(ENDINGS) for row in "AB")
    open_show(server, show, seats)

    path = Path(clock.env["SEATLOCK_CLOCK"])
    rounds = by_round(itertools.chain(*crowd(buyers.too_late, str(server.socket), path, show, ENDINGS)))

    regained, held = {}, {}
    for number, endings in enumerate(rounds):
        got = {ending.wanted: ending for ending in endings}
        payers, rivals = (got["payer-0"], got["payer-1"]), (got["rival-2"], got["rival-3"])
        if payers[0].got == "booked":
            assert payers[0][2:] == payers[1][2:], "both are told of one booking"
            assert {rival.got for rival in rivals} == {"refused"}
            regained[number] = payers[0]
        else:
            assert {payer.got for payer in payers} == {"taken"}
            assert "held" in {rival.got for rival in rivals}
            taken = [seat for rival in rivals if rival.got == "held" for seat in rival.booking.split(" ")]
            assert len(taken) == len(set(taken))
            held |= {seat: rival.wanted for rival in rivals if rival.got == "held" for seat in rival.booking.split(" ")}
    assert regained, "no payment was the first"
    assert held, "no new buyer was the first"
    with server.unix_client() as client:
        locks = locks_of(client, show, seats)
        assert sorted(booked_in_outbox(client, show)) == sorted((won.booking, "pay") for won in regained.values())
    assert {seat for seat, lock in locks.items() if lock[0] == "s"} == {
        f"{row}-{number}" for number in regained for row in "AB"
    }
    assert {seat: lock[2] for seat, lock in locks.items() if lock[0] == "h"}.items() <= held.items()
    assert len({won.fence for won in regained.values()}) == len(regained)
