"""The retry policy: what is sent next, how long the pauses are, and which error comes in the end."""

from __future__ import annotations

import time
from typing import Any, Final

import pytest
import redis.exceptions as foreign

from seatlock import _commands, _reads, new_token
from seatlock._attempts import FIRST_PAUSE, LONGEST_PAUSE, MOST_ATTEMPTS, MOST_TOLD, Attempts
from seatlock._operation import Step
from seatlock.errors import OutcomeUnknown, ScriptFailed, SeatLockError, ServerUnavailable
from seatlock.model import Hold

TOKEN: Final = new_token()
HOLD: Final = Hold("show-1", ("A-1",), "ada", TOKEN, 1, 60.0, deadline=1)
ACQUIRE: Final = _commands.acquire("seatlock", "show-1", ["A-1"], "ada", 60, TOKEN)
LOST: Final = foreign.TimeoutError("Timeout reading from socket")
CLOSED: Final = foreign.ConnectionError("Connection closed by server.")
NOBODY: Final = foreign.ConnectionError("Error 111 connecting to localhost:1. Connection refused.")
LOADING: Final = foreign.BusyLoadingError("Redis is loading the dataset in memory")
FORGOTTEN: Final = foreign.NoScriptError("No matching script. Please use EVAL.")
FULL: Final = foreign.OutOfMemoryError("command not allowed when used memory > 'maxmemory'.")
BROKEN: Final = foreign.ResponseError("user_script:12: attempt to index a nil value")


def _acquire() -> Step:
    return _commands.of_asks("seatlock", [ACQUIRE])


def _confirm() -> Step:
    return _commands.of_asks("seatlock", [_commands.confirm("seatlock", HOLD, "pay-1", None)])


def _read() -> Step:
    return _reads.mirrors("seatlock", "show-1", ["A-1"])


def _end(attempts: Attempts, *failures: BaseException) -> SeatLockError:
    """The error that comes in the end, when all but the last failure were worth another attempt."""
    *before, last = failures
    for failure in before:
        attempts.failed(failure)
    with pytest.raises(SeatLockError) as end:
        attempts.failed(last)
    assert end.value.__cause__ is last
    return end.value


# --- what is sent


def test_a_script_is_asked_for_by_its_name() -> None:
    command = Attempts(_acquire(), 1.0).command()
    assert command[0] == "EVALSHA"
    assert len(command[1]) == 40


def test_a_forgotten_script_is_sent_whole_at_once_and_only_for_this_request() -> None:
    attempts = Attempts(_acquire(), 1.0)
    by_name = attempts.command()
    assert attempts.failed(FORGOTTEN) == 0.0
    whole = attempts.command()
    assert (whole[0], whole[2:]) == ("EVAL", by_name[2:])
    assert b"-- acquire" in whole[1]
    attempts.failed(LOST)
    assert attempts.command() == whole, "not forgotten and not looked for again"
    assert Attempts(_acquire(), 1.0).command() == by_name


def test_a_server_that_never_learns_is_given_up() -> None:
    attempts = Attempts(_acquire(), 0.0)
    assert attempts.failed(FORGOTTEN) == 0.0
    assert isinstance(_end(attempts, FORGOTTEN), ServerUnavailable)


def test_the_same_token_is_sent_every_time() -> None:
    attempts = Attempts(_acquire(), 10.0)
    first = attempts.command()
    for failure in (LOST, LOADING, NOBODY):
        attempts.failed(failure)
        assert attempts.command() == first
    assert f"{TOKEN}\nada".encode() in first


def test_a_plain_command_stays_what_it_is() -> None:
    attempts = Attempts(_reads.packed_plan("seatlock", "show-1"), 1.0)
    assert attempts.command() == ["GET", b"seatlock:{show-1}:plan"]
    attempts.failed(FORGOTTEN)
    assert attempts.command()[0] == "GET"


# --- how long it pauses


def test_pauses_double_up_to_a_bound_and_are_not_in_step() -> None:
    runs = []
    for _ in range(20):
        attempts = Attempts(_acquire(), 3600.0)
        runs.append([attempts.failed(LOADING) for _ in range(30)])
    for nth, pauses in enumerate(zip(*runs, strict=True)):
        most = min(FIRST_PAUSE * 2**nth, LONGEST_PAUSE)
        assert most / 2 <= min(pauses) <= max(pauses) <= most
        assert len(set(pauses)) > 1


@pytest.mark.parametrize("failure", [LOST, CLOSED, NOBODY, LOADING])
def test_no_pause_goes_beyond_the_patience(failure: BaseException) -> None:
    patience = 0.1
    attempts = Attempts(_acquire(), patience)
    started, paused = time.monotonic(), 0.0
    for _ in range(1000):
        try:
            pause = attempts.failed(failure)
        except SeatLockError:
            break
        assert time.monotonic() + pause <= started + patience + 0.01
        time.sleep(pause)  # the pause that is told is what is tested here
        paused += pause
    assert 0 < paused <= patience
    assert time.monotonic() - started < 10 * patience


def test_without_patience_there_is_one_attempt() -> None:
    assert "in 1 attempts" in str(_end(Attempts(_acquire(), 0.0), NOBODY))


def test_attempts_are_counted_as_well() -> None:
    attempts = Attempts(_acquire(), 1e9)
    for _ in range(MOST_ATTEMPTS - 1):
        attempts.failed(LOADING)
    assert f"{MOST_ATTEMPTS} attempts" in str(_end(attempts, LOADING))


# --- which error comes in the end


@pytest.mark.parametrize(
    ("operation", "failures", "kind"),
    [
        (_acquire, [NOBODY], ServerUnavailable),
        (_acquire, [LOADING], ServerUnavailable),
        (_acquire, [LOST], OutcomeUnknown),
        (_acquire, [CLOSED], OutcomeUnknown),
        (_acquire, [FULL], ScriptFailed),
        (_acquire, [BROKEN], ScriptFailed),
        (_confirm, [NOBODY], ServerUnavailable),
        (_confirm, [LOST], OutcomeUnknown),
        (_confirm, [FULL], ScriptFailed),
        (_confirm, [BROKEN], OutcomeUnknown),  # the outbox entry may be there
        (_read, [NOBODY], ServerUnavailable),
        (_read, [LOST], ServerUnavailable),  # what only reads has changed nothing
        (_read, [BROKEN], ScriptFailed),
    ],
)
def test_one_failure(operation: Any, failures: list[BaseException], kind: type[SeatLockError]) -> None:
    assert type(_end(Attempts(operation(), 0.0), *failures)) is kind


@pytest.mark.parametrize("last", [NOBODY, LOADING, FULL, BROKEN, LOST])
@pytest.mark.parametrize("first", [LOST, CLOSED])
def test_what_was_ambiguous_stays_ambiguous(first: BaseException, last: BaseException) -> None:
    attempts = Attempts(_acquire(), 3600.0)
    attempts.failed(first)
    attempts._deadline = 0.0
    assert type(_end(attempts, last)) is OutcomeUnknown


@pytest.mark.parametrize("last", [LOST, NOBODY, LOADING])
def test_a_client_that_sends_again_by_itself_leaves_doubt(last: BaseException) -> None:
    assert type(_end(Attempts(_acquire(), 0.0, client_sends_again=True), last)) is OutcomeUnknown
    assert type(_end(Attempts(_read(), 0.0, client_sends_again=True), last)) is ServerUnavailable


def test_not_knowing_carries_what_asking_again_needs() -> None:
    error = _end(Attempts(_acquire(), 0.0), LOST)
    assert isinstance(error, OutcomeUnknown)
    assert (error.show, error.seats, error.token) == ("show-1", ("A-1",), TOKEN)
    assert "same token" in str(error)


@pytest.mark.parametrize("operation", [_acquire, _confirm, _read])
def test_messages_say_what_happened_to_what(operation: Any) -> None:
    for failure in (LOST, NOBODY, FULL):
        text = str(_end(Attempts(operation(), 0.0), failure))
        assert operation().script.name in text
        assert "'show-1'" in text
        assert type(failure).__name__ in text
        assert TOKEN not in text


def test_a_client_that_quotes_the_whole_command_is_cut_short() -> None:
    attempts = Attempts(_acquire(), 0.0)
    quoted = foreign.RedisClusterException(f"No targets were found to execute {attempts.command()} command on")
    assert TOKEN in str(quoted)
    error = _end(attempts, quoted)
    assert TOKEN not in str(error)
    long = foreign.ConnectionError("x" * 100_000)
    assert len(str(_end(Attempts(_acquire(), 0.0), long))) < 2 * MOST_TOLD
