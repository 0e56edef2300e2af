"""A request or a reply is lost, whichever it is: one effect in all, and the right answer."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Any, Final

import pytest
import redis

from seatlock import (
    AcquireRequest,
    Booking,
    ConfirmRequest,
    Hold,
    OutcomeUnknown,
    Release,
    SeatLocker,
    ServerUnavailable,
    new_token,
)
from tests.chaos.verbs import HOLDER, SEATS, VERBS, Verb, fresh_show
from tests.support.doors import COLOURS, attempt, plain
from tests.support.doors import door as open_door
from tests.support.keyspace import contradictions, dump, lock_of, picture
from tests.support.ports import free_port
from tests.support.proxy import Fault, ReplyProxy
from tests.support.servers import RedisServer

SENT: Final = ("EVALSHA", "EVAL", "GET")
EFFECTS: Final = ("lose_reply", "lose_request", "fall_silent")
SHORT_SILENCE: Final = 0.06
SILENCE: Final = 0.1  # seconds after which the client gives up waiting for a reply
ALWAYS: Final = 100_000
PATIENCE: Final = 0.3
# What a verb says when it finds its work done already: its first try did it, unheard.
DONE_BEFORE: Final[dict[str, tuple[str, str]]] = {
    "release": ("'released'", "'gone'"),
    "release_many": ("'released'", "'gone'"),
    "cancel": ("'cancelled'", "'gone'"),
    "force_release": ("'released'", "'gone'"),
    "sweep": ("3", "0"),
    "release_pools": ("'released'}, 'pools': {'floor': 2}", "'gone'}, 'pools': {'floor': 0}"),
    "cancel_pools": ("'cancelled'}, 'pools': {'floor': 2}", "'gone'}, 'pools': {'floor': 0}"),
    "force_release_pools": ("'floor': 2", "'floor': 0"),
    "finalise_free": ("'free'}, 'pools': {'floor': 2}", "'gone'}, 'pools': {'floor': 0}"),
    "block": ("'blocked'", "'already'"),
    "unblock": ("'unblocked'", "'free'"),
    "set_channel": ("'changed'", "'already'"),
}
# Asking again a little later extends a little further, and what warms a show again founds it again.
TAKES_MORE_STEPS: Final = ("extend", "extend_pools", "warm")


@pytest.fixture(scope="module")
def locker(server: RedisServer) -> Iterator[SeatLocker]:
    """A locker that no fault is in the way of."""
    with SeatLocker.from_url(server.url) as sure:
        yield sure


@pytest.fixture(params=COLOURS)
def colour(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Run:
    """A verb called once, through the proxy, on a show of its own."""

    def __init__(self, locker: SeatLocker, proxy: ReplyProxy, colour: str, verb: Verb) -> None:
        self.show = fresh_show(locker)
        self._prepared = verb.prepare(locker, self.show)
        self._proxy, self._colour, self._verb = proxy, colour, verb

    def call(self, timeout: float = 2.0) -> Any:
        """Call it: gives the answer, without times and show."""
        with open_door(self._colour, self._proxy.url, socket_timeout=timeout) as door:
            answer = attempt(lambda: self._verb.call(door, self.show, self._prepared))
        self._proxy.heal()
        return plain(answer)


def requests_of(proxy: ReplyProxy) -> int:
    """How many requests went through the proxy."""
    return sum(command in SENT for command in proxy.commands)


@pytest.mark.parametrize("effect", EFFECTS)
@pytest.mark.parametrize("name", VERBS)
def test_one_effect_and_the_right_answer(
    locker: SeatLocker, proxy: ReplyProxy, raw: redis.Redis, colour: str, name: str, effect: str
) -> None:
    """Each request of the verb in turn is the one that is lost."""
    exact = name not in TAKES_MORE_STEPS
    Run(locker, proxy, colour, VERBS[name]).call()  # so that the server knows the scripts
    before = requests_of(proxy)
    clean = Run(locker, proxy, colour, VERBS[name])
    answer = clean.call()
    requests = requests_of(proxy) - before
    assert requests >= 2
    for nth in range(1, requests + 1):
        lossy = Run(locker, proxy, colour, VERBS[name])
        fault: Fault = getattr(proxy, effect)(*SENT, nth=nth)
        got = lossy.call(SHORT_SILENCE if effect == "fall_silent" else 2.0)
        assert fault.fired == 1
        assert picture(raw, lossy.show, version=exact) == picture(raw, clean.show, version=exact)
        if name == "retire":
            assert dump(raw, lossy.show) == {}
        else:
            assert contradictions(raw, lossy.show) == []
        if name == "warm":  # its counts tell what the last try found to do
            assert got["added"] + got["kept"] == len(SEATS)
            continue
        unheard = repr(answer).replace(*DONE_BEFORE.get(name, ("", "")))
        if effect == "fall_silent":  # on a slow machine another reply may have come too late as well
            assert repr(got) in (repr(answer), unheard)
        else:
            assert repr(got) == (unheard if nth == requests and effect == "lose_reply" else repr(answer))


@pytest.fixture
def impatient(proxy: ReplyProxy, colour: str) -> Iterator[Any]:
    """A locker behind the proxy that gives up soon."""
    with open_door(colour, proxy.url, patience=PATIENCE, socket_timeout=SILENCE) as door:
        yield door


@pytest.mark.parametrize("effect", EFFECTS)
def test_an_acquire_without_answer_carries_its_token(
    locker: SeatLocker, raw: redis.Redis, proxy: ReplyProxy, impatient: Any, effect: str
) -> None:
    show = fresh_show(locker)
    impatient.availability(show)  # the server is known to be safe
    fault: Fault = getattr(proxy, effect)("EVALSHA", "EVAL", times=ALWAYS)
    with pytest.raises(OutcomeUnknown) as caught:
        impatient.acquire(show, SEATS[:2], holder=HOLDER)
    assert fault.fired >= 1
    assert (caught.value.show, caught.value.seats) == (show, SEATS[:2])
    token = caught.value.token
    assert token is not None
    assert token not in str(caught.value)
    assert bool(raw.exists(lock_of(show, SEATS[0]))) == (effect != "lose_request")
    proxy.heal()
    hold = impatient.acquire(show, SEATS[:2], holder=HOLDER, token=token)
    assert (hold.token, hold.resumed, hold.fence) == (token, False, 2**40 + 1)
    assert contradictions(raw, show) == []


@pytest.mark.parametrize("name", ["extend", "confirm", "begin_payment", "reclaim", "release", "pin"])
def test_a_hold_without_answer_is_asked_again(locker: SeatLocker, proxy: ReplyProxy, impatient: Any, name: str) -> None:
    show = fresh_show(locker)
    hold = VERBS[name].prepare(locker, show)
    impatient.availability(show)
    fault = proxy.lose_reply("EVALSHA", "EVAL", times=ALWAYS)
    with pytest.raises(OutcomeUnknown) as caught:
        VERBS[name].call(impatient, show, hold)
    assert fault.fired >= 2
    assert caught.value.token == hold.token
    proxy.heal()
    assert not isinstance(attempt(lambda: VERBS[name].call(impatient, show, hold)), Exception)


def test_each_request_of_a_batch_carries_its_own_token(
    locker: SeatLocker, raw: redis.Redis, proxy: ReplyProxy, impatient: Any
) -> None:
    show = fresh_show(locker)
    impatient.availability(show)
    given = new_token()
    requests = [AcquireRequest(SEATS[n : n + 1], HOLDER, 600.0, given if n == 1 else None) for n in range(4)]

    def unheard(answers: list[Any], tokens: list[str | None]) -> None:
        assert [type(answer) for answer in answers] == [OutcomeUnknown] * 4
        assert [answer.token for answer in answers] == tokens
        assert [answer.seats for answer in answers] == [SEATS[n : n + 1] for n in range(4)]

    fault = proxy.lose_reply("EVALSHA", "EVAL", times=ALWAYS)
    answers = impatient.acquire_many(show, requests)
    tokens = [answer.token for answer in answers]
    unheard(answers, tokens)
    assert (len(set(tokens)), tokens[1]) == (4, given)
    proxy.heal()
    again = [AcquireRequest(SEATS[n : n + 1], HOLDER, 600.0, tokens[n]) for n in range(4)]
    holds = impatient.acquire_many(show, again)
    assert [(hold.token, hold.resumed) for hold in holds] == [(token, False) for token in tokens]

    losses = fault.fired
    fault = proxy.lose_reply("EVALSHA", "EVAL", times=ALWAYS)
    unheard(impatient.confirm_many(show, [ConfirmRequest(hold, "pay") for hold in holds]), tokens)
    unheard(impatient.release_many(show, holds), tokens)
    proxy.heal()
    assert losses >= 2
    assert fault.fired >= 4
    bookings = impatient.confirm_many(show, [ConfirmRequest(hold, "pay") for hold in holds])
    assert all(isinstance(booking, Booking) for booking in bookings)
    assert [[*release.seats.values()] for release in impatient.release_many(show, holds)] == [["sold"]] * 4
    assert contradictions(raw, show) == []
    assert len(picture(raw, show)["outbox"]) == 4


def test_what_only_reads_is_never_in_doubt(locker: SeatLocker, proxy: ReplyProxy, impatient: Any) -> None:
    """Without an answer to the check of the server, or to a read, nothing can have changed."""
    show = fresh_show(locker)
    fault = proxy.lose_reply(*SENT, times=ALWAYS)
    for call in (
        lambda: impatient.acquire(show, SEATS[:1], holder=HOLDER),
        lambda: impatient.availability(show),
        lambda: impatient.inspect(show, SEATS),
    ):
        fired = fault.fired
        with pytest.raises(ServerUnavailable, match="nothing was changed"):
            call()
        assert fault.fired > fired


def test_a_batch_waits_no_longer_than_its_patience(locker: SeatLocker, proxy: ReplyProxy, impatient: Any) -> None:
    """Patience is for the whole call: once it is used up, the chunks that follow are not sent at all."""
    show = fresh_show(locker)
    impatient.availability(show)
    fault = proxy.lose_reply("EVALSHA", "EVAL", times=ALWAYS)
    begun = time.monotonic()
    answers = impatient.acquire_many(show, [AcquireRequest(SEATS[:1], f"holder-{n}") for n in range(10 * 256)])
    assert time.monotonic() - begun < 5 * PATIENCE
    assert fault.fired >= 1
    assert [type(answer) for answer in answers] == [OutcomeUnknown] * 256 + [ServerUnavailable] * (9 * 256)
    proxy.heal()
    assert isinstance(impatient.acquire_many(show, [AcquireRequest(SEATS[1:2], HOLDER)])[0], Hold)
    assert isinstance(impatient.release_many(show, [Hold(show, SEATS[1:2], HOLDER, new_token(), 0, 0.0)])[0], Release)


def test_a_lost_reply_is_not_taken_for_the_callers_own_trouble(
    locker: SeatLocker, proxy: ReplyProxy, impatient: Any
) -> None:
    """The caller handles a refused connection of somebody else's: that says nothing about ours."""
    show = fresh_show(locker)
    hold = VERBS["confirm"].prepare(locker, show)
    impatient.availability(show)
    fault = proxy.lose_reply("EVALSHA", "EVAL", times=ALWAYS)
    try:
        socket.create_connection(("127.0.0.1", free_port()))
    except ConnectionRefusedError:
        with pytest.raises(OutcomeUnknown):
            impatient.confirm(hold, payment="pay-1")
    assert fault.fired >= 1
