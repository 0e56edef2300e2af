"""A batch that broke the script is sent again one by one: what was in doubt then is in doubt afterwards."""

from __future__ import annotations

from typing import Any

import pytest
import redis.exceptions as foreign

from seatlock import Booking, Hold, HoldLost, OutcomeUnknown, ScriptFailed, SeatLockError, ServerUnavailable
from seatlock._operation import Ask
from seatlock._procedures import Listed, many
from tests.batcher.wire import ask_for, granted

BROKEN = foreign.ResponseError("user_script:1: attempt to index a nil value")
REFUSED = foreign.ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value")
DOWN = ConnectionRefusedError()


def failed(kind: type[SeatLockError], cause: BaseException) -> SeatLockError:
    error = OutcomeUnknown("of the call", show="show") if kind is OutcomeUnknown else kind("of the call")
    error.__cause__ = cause
    return error


def told(asks: list[Ask[Any]], *results: Any) -> list[Any]:
    """What each of the asks is told, if the calls end in these results, one after the other."""
    procedure = many("seatlock", asks, Listed())
    next(procedure)
    try:
        for result in results:
            if isinstance(result, SeatLockError):
                procedure.throw(result)
            else:
                procedure.send([granted(ask) if isinstance(ask, Ask) else ask for ask in result])
    except StopIteration as stop:
        return list(stop.value)
    raise AssertionError("it wants to send more")


@pytest.mark.parametrize(
    ("batch", "alone", "expected"),
    [
        ((ScriptFailed, REFUSED), (ServerUnavailable, DOWN), ServerUnavailable),
        ((ScriptFailed, REFUSED), (ScriptFailed, REFUSED), ScriptFailed),
        ((ScriptFailed, BROKEN), (ScriptFailed, BROKEN), ScriptFailed),
        ((ScriptFailed, BROKEN), (ServerUnavailable, DOWN), OutcomeUnknown),
        ((OutcomeUnknown, BROKEN), (ServerUnavailable, DOWN), OutcomeUnknown),
        ((OutcomeUnknown, BROKEN), (ScriptFailed, REFUSED), OutcomeUnknown),
        ((OutcomeUnknown, REFUSED), (ServerUnavailable, DOWN), OutcomeUnknown),
        ((OutcomeUnknown, REFUSED), (OutcomeUnknown, DOWN), OutcomeUnknown),
    ],
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_what_a_request_is_told_that_fails_again(batch: Any, alone: Any, expected: Any, place: int) -> None:
    asks = [ask_for() for _ in range(3)]
    results: list[Any] = [[ask] for ask in asks]
    results[place] = failed(*alone)
    if isinstance(results[place].__cause__, OSError):
        del results[place + 1 :]  # patience is used up: the rest is not sent again
    answers = told(asks, failed(*batch), *results)
    assert type(answers[place]) is expected
    for number, (ask, answer) in enumerate(zip(asks, answers, strict=True)):
        if number < place or (number > place and len(results) == 3):
            assert isinstance(answer, Hold)
        elif isinstance(answer, OutcomeUnknown):
            assert (answer.token, answer.seats, answer.show) == (ask.token, ask.seats, ask.show)
            assert "nothing was changed" not in str(answer)


def test_what_was_not_sent_again_is_in_doubt_too() -> None:
    asks = [ask_for() for _ in range(3)]
    answers = told(asks, failed(OutcomeUnknown, BROKEN), failed(ServerUnavailable, DOWN))
    assert [(type(answer), answer.token) for answer in answers] == [(OutcomeUnknown, ask.token) for ask in asks]


@pytest.mark.parametrize(
    ("batch", "expected"),
    [
        ((OutcomeUnknown, BROKEN), OutcomeUnknown),
        ((OutcomeUnknown, REFUSED), OutcomeUnknown),
        ((ScriptFailed, REFUSED), HoldLost),
    ],
)
def test_a_hold_that_is_lost_after_a_confirm_broke_is_in_doubt(batch: Any, expected: Any) -> None:
    """Its fact may have been told by then, so nobody may say that nothing was changed."""
    asks = [ask_for("confirm") for _ in range(2)]
    lost, booked = told(asks, failed(*batch), [HoldLost("nothing was changed", token=asks[0].token)], [asks[1]])
    assert (type(lost), lost.token, isinstance(booked, Booking)) == (expected, asks[0].token, True)
    assert ("nothing was changed" in str(lost)) == (expected is HoldLost)


def test_a_hold_that_is_lost_after_an_extend_broke_is_lost() -> None:
    asks = [ask_for("extend") for _ in range(2)]
    answers = told(asks, failed(OutcomeUnknown, BROKEN), [HoldLost("lost")], [asks[1]])
    assert [type(answer) for answer in answers] == [HoldLost, Hold]
