"""What each process of a race does. Everything here runs in processes of its own; see `tests.races.crowd`."""

from __future__ import annotations

import asyncio
import mmap
import random
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import redis
import redis.asyncio

from seatlock import (
    AcquireRequest,
    AsyncSeatLocker,
    BookingConflict,
    Conflict,
    Hold,
    HolderLimitExceeded,
    HoldLost,
    SeatLocker,
    SeatLockError,
    SeatsUnavailable,
    new_token,
)
from tests.races.crowd import Place

BUYERS = 50  # in each process
TRIES = 4  # of each buyer who wants one set of seats after another
KINDS = ("tasks", "tasks", "threads", "batches")  # how the buyers of each process come

Answers = list[Hold | SeatLockError]
Rush = Callable[[str, int], Answers]


class Won(NamedTuple):
    """A hold that a buyer got."""

    round: int
    process: int
    holder: str
    token: str
    seats: tuple[str, ...]
    fence: int


def token_of(number: int) -> str:
    """A token that every process knows."""
    return f"{number:032x}"


def lock_keys(show: str, seats: tuple[str, ...]) -> list[str]:
    """The raw keys of locks."""
    return [f"seatlock:{{{show}}}:lock:{seat}" for seat in seats]


async def answer(request: Coroutine[Any, Any, Any]) -> Any:
    """What a request gives, be it an error of seatlock's."""
    try:
        return await request
    except SeatLockError as error:
        return error


# One seat, two hundred buyers


def one_seat(place: Place, socket: str, show: str, rounds: int) -> tuple[list[Won], int]:
    """Fifty buyers of this process want the seat of the round. Gives who won, and how many learnt that they lost."""
    kind = KINDS[place.number]
    rush = {"tasks": _with_tasks, "threads": _with_threads, "batches": _with_batches}[kind]
    won: list[Won] = []
    lost = 0

    def go(buy: Rush) -> None:
        nonlocal lost
        for number in range(rounds):
            seat = f"S-{number}"
            place.step()
            for holder, got in zip(_holders(place), buy(seat, number), strict=True):
                if isinstance(got, Hold):
                    won.append(Won(number, place.number, holder, got.token, got.seats, got.fence))
                    continue
                assert isinstance(got, SeatsUnavailable), got
                assert got.conflicts.keys() == {seat}
                conflict = got.conflicts[seat]
                assert (conflict.state, conflict.yours, conflict.inconsistent) == ("held", False, False)
                assert conflict.retry_after is not None
                assert 0 < conflict.retry_after <= 600
                assert repr(seat) in str(got)
                lost += 1

    rush(place, socket, show, go)
    return won, lost


def _holders(place: Place) -> list[str]:
    return [f"buyer-{place.number}-{number}" for number in range(BUYERS)]


def _with_tasks(place: Place, socket: str, show: str, go: Callable[[Rush], None]) -> None:
    holders = _holders(place)
    with asyncio.Runner() as runner:
        client = redis.asyncio.Redis(unix_socket_path=socket)
        locker = AsyncSeatLocker(client)

        async def all_at_once(seat: str) -> Answers:
            return await asyncio.gather(
                *(answer(locker.acquire(show, [seat], holder=holder, ttl=600)) for holder in holders)
            )

        go(lambda seat, _: runner.run(all_at_once(seat)))
        runner.run(client.aclose())


def _with_threads(place: Place, socket: str, show: str, go: Callable[[Rush], None]) -> None:
    with redis.Redis(unix_socket_path=socket) as client, ThreadPoolExecutor(BUYERS) as threads:
        locker = SeatLocker(client)

        def buy(seat: str, holder: str) -> Hold | SeatLockError:
            try:
                return locker.acquire(show, [seat], holder=holder, ttl=600)
            except SeatLockError as error:
                return error

        go(lambda seat, _: list(threads.map(lambda holder: buy(seat, holder), _holders(place))))


def _with_batches(place: Place, socket: str, show: str, go: Callable[[Rush], None]) -> None:
    holders = _holders(place)
    with redis.Redis(unix_socket_path=socket) as client:
        locker = SeatLocker(client)

        def buy(seat: str, number: int) -> Answers:
            size = 1 + number % BUYERS  # batches of every size
            answers: Answers = []
            for at in range(0, BUYERS, size):
                requests = [AcquireRequest([seat], holder, 600) for holder in holders[at : at + size]]
                answers += locker.acquire_many(show, requests)
            return answers

        go(buy)


# Overlapping sets of seats


def overlapping(place: Place, socket: str, show: str, rounds: int, house: int) -> tuple[list[Won], int]:
    """Ten buyers of this process want random sets of seats, and give some back. Gives the holds kept, and refusals."""
    return asyncio.run(_overlapping(place, socket, show, rounds, house))


async def _overlapping(place: Place, socket: str, show: str, rounds: int, house: int) -> tuple[list[Won], int]:
    kept: list[Won] = []
    refusals = 0
    draw = random.Random(place.number)
    async with redis.asyncio.Redis(unix_socket_path=socket) as client:
        locker = AsyncSeatLocker(client)

        async def buyer(number: int, name: str) -> None:
            nonlocal refusals
            for attempt in range(TRIES):
                seats = [f"S-{number}-{seat}" for seat in draw.sample(range(house), draw.randint(2, 5))]
                holder = f"{name}-{attempt}"
                got = await answer(locker.acquire(show, seats, holder=holder))
                if isinstance(got, SeatsUnavailable):
                    refusals += 1
                    assert got.conflicts.keys() <= set(seats)
                    assert all(not conflict.inconsistent for conflict in got.conflicts.values())
                    continue
                assert isinstance(got, Hold), got
                values = await client.mget(lock_keys(show, got.seats))
                assert all(value and value.split(b"\n")[1] == got.token.encode() for value in values), values
                # The hold of a last try is kept. So every round keeps one: when nobody will try again, the last of all
                # tries got its seats, or met a seat whose holder gives nothing back any more.
                if attempt < TRIES - 1 and draw.random() < 0.6:
                    assert (await locker.release(got)).released == got.seats
                else:
                    kept.append(Won(number, place.number, holder, got.token, got.seats, got.fence))

        for number in range(rounds):
            place.step()
            await asyncio.gather(*(buyer(number, f"buyer-{place.number}-{task}") for task in range(10)))
    return kept, refusals


# One hold, many who want to end it


class Ended(NamedTuple):
    """How one attempt to confirm or release the hold of a round was answered."""

    round: int
    wanted: str
    got: str
    booking: str = ""
    payment: str = ""
    fence: int = 0


def endings(place: Place, socket: str, show: str, rounds: int, wants: list[list[str]]) -> list[Ended]:
    """Confirm or release the hold of each round, all at once: ``wants`` names what each process does.

    Every process first acquires the hold under the token that all of them know: they have the same hold.
    """
    return asyncio.run(_endings(place, socket, show, rounds, wants[place.number]))


async def _endings(place: Place, socket: str, show: str, rounds: int, wants: list[str]) -> list[Ended]:
    ended: list[Ended] = []
    async with redis.asyncio.Redis(unix_socket_path=socket) as client:
        locker = AsyncSeatLocker(client)

        async def end(number: int, hold: Hold, want: str) -> None:
            ended.append(read_ending(number, want, await answer(_request(locker, hold, want))))

        for number in range(rounds):
            place.step()
            seats = [f"A-{number}", f"B-{number}"]
            hold = await locker.acquire(show, seats, holder="ada", token=token_of(number))
            place.step()
            await asyncio.gather(*(end(number, hold, want) for want in wants))
    return ended


def _request(locker: AsyncSeatLocker, hold: Hold, want: str) -> Coroutine[Any, Any, Any]:
    return locker.release(hold) if want == "release" else locker.confirm(hold, payment=want)


def read_ending(number: int, want: str, got: Any) -> Ended:
    """An answer in one word, with the booking that it shows."""
    if isinstance(got, HoldLost):
        assert set(got.seats.values()) == {got.reason}, got.seats
        return Ended(number, want, got.reason)
    if isinstance(got, BookingConflict):
        assert got.booking is not None
        return Ended(number, want, "conflict", got.booking.id, str(got.booking.payment), got.booking.fence)
    if want == "release":
        (word,) = set(got.seats.values())
        return Ended(number, want, word)
    return Ended(number, want, "booked", got.id, str(got.payment), got.fence)


# Seats that the house wants for itself


def against_the_house(place: Place, socket: str, show: str, rounds: int) -> list[Ended]:
    """One process blocks both seats of each round, the others want one of them each."""
    ended: list[Ended] = []
    draw = random.Random(place.number)
    with redis.Redis(unix_socket_path=socket) as client:
        locker = SeatLocker(client)
        for number in range(rounds):
            seats = [f"A-{number}", f"B-{number}"]
            place.step()
            for _ in range(draw.randint(0, 4)):
                client.ping()  # so that either side is the faster one now and then
            if place.number == 0:
                ended.append(Ended(number, "AB", _blocked(locker, show, seats)))
            else:
                seat = seats[place.number % 2]
                ended.append(Ended(number, seat[0], _held(locker, show, seat, f"buyer-{place.number}")))
    return ended


def _blocked(locker: SeatLocker, show: str, seats: list[str]) -> str:
    """Block seats: gives ``blocked``, or the rows of those that are held already."""
    conflicts: Mapping[str, Conflict] = {}
    try:
        assert locker.block(show, seats, reason="camera").blocked == tuple(seats)
    except SeatsUnavailable as error:
        conflicts = error.conflicts
    assert all((c.state, c.yours, c.inconsistent) == ("held", False, False) for c in conflicts.values())
    return "".join(sorted(seat[0] for seat in conflicts)) or "blocked"


def _held(locker: SeatLocker, show: str, seat: str, holder: str) -> str:
    """Ask for a seat: gives ``got``, or the state that it is in."""
    conflicts: Mapping[str, Conflict] = {}
    try:
        locker.acquire(show, [seat], holder=holder)
    except SeatsUnavailable as error:
        conflicts = error.conflicts
    assert not any(conflict.yours or conflict.inconsistent for conflict in conflicts.values())
    return conflicts[seat].state if conflicts else "got"


# A hold whose time runs out while it is confirmed


def last_moment(place: Place, socket: str, clock: Path, show: str, rounds: int) -> list[Ended]:
    """One process confirms a hold, one lets its time run out, and two want its seat."""
    answers: list[Ended] = []
    draw = random.Random(place.number)
    with (
        redis.Redis(unix_socket_path=socket) as client,
        clock.open("r+b") as file,
        mmap.mmap(file.fileno(), 8) as page,
        memoryview(page) as view,
        view.cast("q") as offset,
    ):
        locker = SeatLocker(client)
        for number in range(rounds):
            seats = [f"S-{number}"]
            place.step()
            hold = locker.acquire(show, seats, holder="ada", ttl=600, token=token_of(number))
            place.step()
            if place.number == 0:
                for _ in range(draw.randint(0, 4)):
                    client.ping()  # so that either side is the faster one now and then
                answers.append(_confirm(locker, number, hold))
            elif place.number == 1:
                for _ in range(draw.randint(0, 4)):
                    client.ping()
                offset[0] += 601 * 1_000_000
            else:
                answers.append(_wait_for(locker, show, number, f"rival-{place.number}"))
            place.step()  # the clock of this round is the clock of the next
    return answers


def _confirm(locker: SeatLocker, number: int, hold: Hold) -> Ended:
    try:
        return read_ending(number, "pay", locker.confirm(hold, payment="pay"))
    except HoldLost as error:
        return read_ending(number, "pay", error)


def _wait_for(locker: SeatLocker, show: str, number: int, rival: str) -> Ended:
    """Ask for the seat until it is sold, or somebody else's new hold, or ours."""
    for _ in range(20_000):
        try:
            locker.acquire(show, [f"S-{number}"], holder=rival, ttl=3600, token=new_token())
        except SeatsUnavailable as error:
            (conflict,) = error.conflicts.values()
            assert not conflict.inconsistent
            if conflict.state == "sold":
                return Ended(number, rival, "sold")
            if conflict.retry_after is not None and conflict.retry_after > 600:
                return Ended(number, rival, "taken")
        else:
            return Ended(number, rival, "held")
    raise AssertionError(f"round {number}: the hold never ended")


# One holder, a hundred tabs

TABS = 25  # in each process


def tab_seats(number: int) -> tuple[str, ...]:
    """The seats of a round: two for each tab of each process."""
    return tuple(f"S-{number}-{place}-{tab}-{side}" for place in range(4) for tab in range(TABS) for side in "LR")


def tabs(place: Place, socket: str, show: str, rounds: int, limit: int) -> tuple[int, int]:
    """Twenty-five tabs of one holder, each wants its own seat, or two; in every other round some give theirs back.

    Gives how many were had, and how many refused.
    """
    return asyncio.run(_tabs(place, socket, show, rounds, limit))


async def _tabs(place: Place, socket: str, show: str, rounds: int, limit: int) -> tuple[int, int]:
    had = refused = 0
    draw = random.Random(place.number)
    async with redis.asyncio.Redis(unix_socket_path=socket) as client:
        locker = AsyncSeatLocker(client, batching=place.number % 2 == 0)

        async def tab(number: int, name: str, wants: str) -> None:
            nonlocal had, refused
            seats = [f"S-{number}-{place.number}-{name}-{side}" for side in wants]
            for last in (number % 2 == 0, True):
                got = await answer(locker.acquire(show, seats, holder=f"ada-{number}"))
                if isinstance(got, HolderLimitExceeded):
                    refused += 1
                    assert (got.limit, got.category) == (limit, None)
                    assert got.held <= limit < got.held + len(seats)
                    continue
                assert isinstance(got, Hold), got
                had += 1
                assert await held_of(client, show, number) <= limit
                if draw.random() < 0.3:
                    await locker.confirm(got)
                    return
                if last:
                    return
                await locker.release(got)

        for number in range(rounds):
            place.step()
            await asyncio.gather(*(tab(number, str(name), draw.choice(("L", "LR"))) for name in range(TABS)))
    return had, refused


async def held_of(client: redis.asyncio.Redis, show: str, number: int) -> int:
    """How many seats of a round have an owner at this moment."""
    return sum(value is not None for value in await client.mget(lock_keys(show, tab_seats(number))))


# A hold that has run out, paid for late, and wanted by others


def too_late(place: Place, socket: str, clock: Path, show: str, rounds: int) -> list[Ended]:
    """Two processes bring the payment for a hold that has run out, two want its seats."""
    answers: list[Ended] = []
    draw = random.Random(place.number)
    with (
        redis.Redis(unix_socket_path=socket) as client,
        clock.open("r+b") as file,
        mmap.mmap(file.fileno(), 8) as page,
        memoryview(page) as view,
        view.cast("q") as offset,
    ):
        locker = SeatLocker(client)
        for number in range(rounds):
            seats = [f"A-{number}", f"B-{number}"]
            place.step()
            hold = locker.acquire(show, seats, holder="ada", ttl=600, token=token_of(number))
            place.step()
            if place.number == 0:
                offset[0] += 601 * 1_000_000
            place.step()
            for _ in range(draw.randint(0, 4)):
                client.ping()  # so that any of them is the fastest now and then
            if place.number < 2:
                answers.append(_reclaim(locker, number, hold, f"payer-{place.number}"))
            else:
                wanted = draw.choice((seats, seats[:1], seats[1:]))
                answers.append(_take(locker, show, number, f"rival-{place.number}", wanted))
    return answers


def _reclaim(locker: SeatLocker, number: int, hold: Hold, payer: str) -> Ended:
    try:
        booking = locker.confirm(hold, payment="pay", reclaim=True)
    except HoldLost as error:
        lost = error
    else:
        return Ended(number, payer, "booked", booking.id, str(booking.payment), booking.fence)
    assert (lost.payment, lost.paid_for) == ("pay", hold.seats)
    return Ended(number, payer, lost.reason)


def _take(locker: SeatLocker, show: str, number: int, rival: str, seats: list[str]) -> Ended:
    """Want one of the seats or both; gives which, if it got them."""
    try:
        hold = locker.acquire(show, seats, holder=rival, ttl=3600)
    except SeatsUnavailable as error:
        conflicts = list(error.conflicts.values())
    else:
        return Ended(number, rival, "held", " ".join(hold.seats), fence=hold.fence)
    assert not any(conflict.inconsistent for conflict in conflicts)
    return Ended(number, rival, "refused")
