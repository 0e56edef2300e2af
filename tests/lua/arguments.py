"""Scenarios of broken arguments: what is no number, or one number too many or too few, changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from msgspec.structs import replace

from seatlock import Booking, Hold, ScriptFailed, _pinning, _reads, _upkeep
from seatlock import _commands as commands
from seatlock._keys import keys_of
from seatlock._operation import Ask, Operation
from seatlock._operators import force_release_ask, force_release_of
from tests.lua.house import T1, T2, House
from tests.lua.scenario import scenario
from tests.support.strict import booking_of, pin

NUMBERS: Final = (
    "0",
    "-1",
    "+1",
    "1.5",
    "1e3",
    "1e400",
    "nan",
    "inf",
    "-inf",
    "0x10",
    "",
    " 1",
    "1 ",
    "1000000000000000",
    "0000000000000001",
    "a",
)
WITHOUT_ZERO: Final = NUMBERS[1:]


def with_number(argument: bytes, number: int, value: str) -> bytes:
    """An argument with another of the numbers in it."""
    numbers = argument.split(b" ")
    numbers[number] = value.encode()
    return b" ".join(numbers)


def wrong(house: House, operation: Operation[Any], at: int, argument: bytes) -> str:
    """What a call is told that has another argument: it is refused before anything is written."""
    right = operation.args[at]
    operation.args[at] = argument
    with house.unchanged():
        error = house.failing(ScriptFailed, lambda: house.run(operation))
    operation.args[at] = right
    found = str(error).partition("SEATLOCK ")[2]
    assert found.startswith("an argument "), error
    assert "e+" not in found
    return found


def refused(house: House, operation: Operation[Any], at: int, values: tuple[str, ...], number: int = 0) -> None:
    """Each of these values, as a number in this place of ARGV, is refused before anything is written."""
    for value in values:
        told = wrong(house, operation, at, with_number(operation.args[at], number, value))
        assert told.startswith("an argument or a setting is not a whole number from ")


def batch_calls(house: House) -> dict[str, Operation[Any]]:
    """A call of each batch script, whose arguments are right, with seats held and sold for it."""
    hold = house.acquire("A-1", ttl=100)
    booking = house.locker.confirm(house.acquire("A-3", holder="bo", token=T2))
    asks = [
        commands.acquire("seatlock", house.show, ["A-2"], "bo", 60, T1),
        commands.extend("seatlock", hold, 60),
        commands.confirm("seatlock", hold, None, None),
        commands.confirm("seatlock", hold, None, None, reclaim=True),
        commands.release("seatlock", hold),
        commands.cancel("seatlock", booking),
        commands.acquire_best("seatlock", house.show, [("A-2",), ("A-4",)], "bo", 60_000, T1, minted=False),
    ]
    force = force_release_of(
        "seatlock", [force_release_ask("seatlock", house.show, ("A-1",), "eve", "why", hold.fence)]
    )
    return {**{ask.verb: commands.of_asks("seatlock", [ask]) for ask in asks}, "force_release": force}


def strict_calls(house: House) -> dict[str, Operation[Any]]:
    """The same of the scripts of strict checkout."""
    held = house.acquire("A-1", ttl=100)
    booking = booking_of(pin(house.locker, house.acquire("A-3", holder="bo", token=T2)))
    asks = [_pinning.pin("seatlock", held, None, None), _pinning.finalise("seatlock", booking, sold=True)]
    return {ask.verb: commands.of_asks("seatlock", [ask]) for ask in asks}


TTL: Final = ("86400001", *NUMBERS)
TOLD: Final = (str(2**49 + 1), *WITHOUT_ZERO)
COUNT: Final = ("513", *NUMBERS)
TERMS: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "acquire": (TTL, COUNT),
    "acquire_best": (TTL, ("101", *NUMBERS), COUNT),
    "extend": (("2", *WITHOUT_ZERO), TTL, TOLD, COUNT),
    "confirm": (TOLD, COUNT),
    "release": (("2", *WITHOUT_ZERO), COUNT),
    "reclaim": (TOLD, COUNT),
    "pin": (TOLD, COUNT),
    "finalise": (
        ("2", *WITHOUT_ZERO),
        ("2", *WITHOUT_ZERO),
        (str(2**40 + 1), *WITHOUT_ZERO),
        (str(2**40), *WITHOUT_ZERO),
        TOLD,
        COUNT,
    ),
    "cancel": ((str(2**40 + 1), *WITHOUT_ZERO), (str(2**40), *WITHOUT_ZERO), COUNT),
    "force_release": ((str(2**40 + 1), *WITHOUT_ZERO), (str(2**40), *WITHOUT_ZERO), COUNT),
}
"""By script: for each number of its last argument, what it may not be."""


@scenario
def arguments_that_are_no_numbers(house: House) -> None:
    house.open()
    for name, operation in batch_calls(house).items():
        assert len(operation.args[-1].split(b" ")) == len(TERMS[name])
        refused(house, operation, 0, COUNT)
        for number, values in enumerate(TERMS[name]):
            refused(house, operation, -1, values, number)
    refused(house, _upkeep.sweep("seatlock", house.show), 0, ("1001", *NUMBERS))
    refused(house, _upkeep.set_status("seatlock", house.show, "closed"), 1, TOLD)
    changes = _reads.changes("seatlock", house.show, 1, 1)
    refused(house, changes, 0, (str(2**40 + 1), *WITHOUT_ZERO))
    refused(house, changes, 1, (str(2**49 + 1), *WITHOUT_ZERO))
    refused(house, changes, 2, ("1001", *NUMBERS))


@scenario
def arguments_of_strict_checkout_that_are_no_numbers(house: House) -> None:
    house.open(checkout="strict")
    for name, operation in strict_calls(house).items():
        assert len(operation.args[-1].split(b" ")) == len(TERMS[name])
        refused(house, operation, 0, COUNT)
        for number, values in enumerate(TERMS[name]):
            refused(house, operation, -1, values, number)


@scenario
def numbers_that_are_too_few_or_too_many(house: House) -> None:
    house.open()
    too_few_or_too_many(house, batch_calls(house))


@scenario
def numbers_of_strict_checkout_that_are_too_few_or_too_many(house: House) -> None:
    house.open(checkout="strict")
    too_few_or_too_many(house, strict_calls(house))


def too_few_or_too_many(house: House, calls: dict[str, Operation[Any]]) -> None:
    """The last argument of a call has another number of numbers."""
    for name, operation in calls.items():
        right = operation.args[-1]
        numbers = right.split(b" ")
        count = len(TERMS[name])
        for left_out in range(1, count):
            told = wrong(house, operation, -1, b" ".join(numbers[:-left_out]))
            assert told.startswith(f"an argument has {count - left_out} numbers and should have {count}")
            wrong(house, operation, -1, b" ".join(numbers[left_out:]))
        told = wrong(house, operation, -1, right + b" 0")
        assert told.startswith(f"an argument has {count + 1} numbers and should have {count}")
        more = (b" 1", b" 2", b" -1", b" x", b" 0 0", b" 1 1")
        for argument in [*(right + end for end in more), b"1 " + right, b" ".join([right] * 2)]:
            wrong(house, operation, -1, argument)
        operation.args, rest = operation.args[:-1], operation.args
        with house.unchanged():
            assert "SEATLOCK an argument " in str(house.failing(ScriptFailed, lambda call=operation: house.run(call)))
        operation.args = rest
        assert not isinstance(house.run(operation)[0], Exception)


@scenario
def numbers_that_are_not_parted_by_single_spaces(house: House) -> None:
    house.open()
    for operation in batch_calls(house).values():
        right = operation.args[-1]
        for other in (b"  ", b"\t", b"\n", b",", b"\0", b" \n", b"+"):
            if b" " in right:
                wrong(house, operation, -1, right.replace(b" ", other))
            wrong(house, operation, -1, right + other)
            wrong(house, operation, -1, other + right)
        for argument in (b"", b" ", b"  ", b" " + right, right + b" ", b" " + right + b" ", b"\n", b"(" + right + b")"):
            wrong(house, operation, -1, argument)
        # The argument of a later request is looked at as that of the first.
        twice = Operation(operation.script, house.show, operation.keys, [b"2", *operation.args[1:] * 2], list)
        wrong(house, twice, -1, right + b" ")
        assert not isinstance(house.run(operation)[0], Exception)


@scenario
def the_largest_arguments(house: House) -> None:
    house.open(max_hold=86_400)
    hold = house.acquire("A-1", ttl=86_400)
    assert hold.ttl == house.left(86_400)
    extend = commands.of_asks("seatlock", [commands.extend("seatlock", hold, 86_400)])
    for told in ("0", str(2**49)):
        extend.args[2] = with_number(extend.args[2], 2, told)
        assert house.run(extend)[0].fence == hold.fence
    confirm = commands.of_asks("seatlock", [commands.confirm("seatlock", hold, None, None)])
    for told in ("0", str(2**49)):
        confirm.args[5] = with_number(confirm.args[5], 0, told)
        assert house.run(confirm)[0].fence == hold.fence
    reclaim = commands.of_asks("seatlock", [commands.confirm("seatlock", hold, None, None, reclaim=True)])
    for told in ("0", str(2**49)):
        reclaim.args[8] = with_number(reclaim.args[8], 0, told)
        assert house.run(reclaim)[0].fence == hold.fence
    booking = Booking("another", house.show, ("A-1",), "ada", None, 0, 0.0)
    cancel = commands.of_asks("seatlock", [commands.cancel("seatlock", booking)])
    for epoch, counter in ((0, 2**40 - 1), (2**40, 0)):
        cancel.args[2] = b"%d %d 1" % (epoch, counter)
        with house.unchanged():
            assert house.run(cancel)[0].seats == {"A-1": "gone"}
    held = house.acquire("A-4", holder="cy", ttl=60)
    for fence, word in ((2**40 - 1, "taken"), (2**40 * 2**40, "taken"), (held.fence, "released")):
        asks = [force_release_ask("seatlock", house.show, ("A-4",), "eve", "why", fence)]
        assert house.run(force_release_of("seatlock", asks))[0].seats == {"A-4": word}
    other = house.acquire("A-2", holder="bo")
    assert house.locker.extend(other, ttl=0.001).ttl == house.left(600)
    assert house.acquire("A-3", holder="cy", ttl=0.001).ttl == 0.001
    sweep = _upkeep.sweep("seatlock", house.show)
    for limit in (b"1000", b"1"):
        sweep.args = [limit]
        assert house.run(sweep) in ((0, False), (1, False))
    changes = _reads.changes("seatlock", house.show, 2**40, 2**49)
    assert house.run(changes).batches == []
    changes.args = [b"0", b"0", b"1"]
    assert len(house.run(changes).batches) == 1


def widened(ask: Ask[Any], seats: tuple[str, ...]) -> Ask[Any]:
    """The same request for so many seats that the package would never send it."""
    args = (*ask.args[:-1], with_number(ask.args[-1], -1, str(len(seats))))
    return replace(ask, seats=seats, keys=keys_of("seatlock", ask.show).locks(seats), args=args)


@scenario
def the_largest_batches(house: House) -> None:
    seats = tuple(f"S-{number}" for number in range(513))
    house.open(seats)

    def acquire(seat: str, holder: str) -> Ask[Any]:
        return commands.acquire("seatlock", house.show, [seat], holder, 600, None)

    for wide in (False, True):

        def each(command: Callable[[Any], Ask[Any]], things: list[Any], wide: bool = wide) -> list[Any]:
            """Carry out as many requests, or one request for as many seats, as a call may have; one more is refused."""
            asks = [command(replace(thing, seats=thing.seats[:1])) for thing in things]
            more = [*asks, asks[0]]
            if wide:
                more = [widened(command(replace(things[0], seats=("S-0",))), seats)]
                asks = [widened(ask, seats[:512]) for ask in asks]
            with house.unchanged():
                error = house.failing(ScriptFailed, lambda: house.run(commands.of_asks("seatlock", more)))
            least = 0 if wide else 1  # a request can be for pools alone
            assert f"SEATLOCK an argument or a setting is not a whole number from {least} to 512" in str(error)
            answers: list[Any] = house.run(commands.of_asks("seatlock", asks))
            assert not [answer for answer in answers if isinstance(answer, Exception)]
            return answers

        wanted = [Hold(house.show, (seat,), seat, T1, 0, 60.0) for seat in (seats[:1] if wide else seats[:512])]
        holds = each(lambda want: acquire(want.seats[0], want.holder), wanted)
        longer = each(lambda hold: commands.extend("seatlock", hold, 900), holds)
        assert all(hold.ttl == house.left(900) for hold in longer)
        each(lambda hold: commands.release("seatlock", hold), holds)
        assert house.due() == {}
        holds = each(lambda want: acquire(want.seats[0], want.holder), wanted)
        bookings = each(lambda hold: commands.confirm("seatlock", hold, None, None), holds)
        assert house.locker.availability(house.show).counts["sold"] == 512
        each(lambda booking: commands.cancel("seatlock", booking), bookings)
        holds = each(lambda want: acquire(want.seats[0], want.holder), wanted)
        house.advance(700)
        bookings = each(lambda hold: commands.confirm("seatlock", hold, None, None, reclaim=True), holds)
        assert house.locker.availability(house.show).counts["sold"] == 512
        each(lambda booking: commands.cancel("seatlock", booking), bookings)
        assert set(house.states().values()) == {"free"}
        house.raw.hset(house.key("meta"), "checkout", "strict")
        holds = each(lambda want: acquire(want.seats[0], want.holder), wanted)
        pins = each(lambda hold: _pinning.pin("seatlock", hold, None, None), holds)
        assert house.locker.availability(house.show).counts["pinned"] == 512
        decided = [booking_of(found) for found in pins]
        for sold in (True, False):
            each(lambda booking, sold=sold: _pinning.finalise("seatlock", booking, sold=sold), decided)
            assert house.locker.availability(house.show).counts["sold" if sold else "free"] == (512 if sold else 513)
        house.raw.hset(house.key("meta"), "checkout", "fast")
