"""Random waiting rooms against a plain-Python line: people come, fall silent, return, leave; time moves both ways.

`make test` runs 200 examples; `make model-long` many more.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from seatlock.errors import NotAdmitted, WaitingRoomClosed, WaitingRoomFull
from seatlock.waiting_room import Pass, RoomSettings, WaitingRoom
from tests.model.line import Line, Rules
from tests.model.test_model import LossyClient
from tests.support.clock import Clock
from tests.support.servers import RedisServer, backend

HOLDERS = [f"h-{number}" for number in range(9)]
# As in `test_model`: spans are multiples of 50 s, and every step forward adds 1 s to that, so the moments that an
# example really takes decide nothing.
FORWARD = [101.0, 101.0, 301.0, 1001.0]
STEP = 50.0  # no more than half of any grace time
BACK = [-50.0, -100.0, -300.0]
RULES = st.builds(
    Rules,
    most=st.sampled_from([4, 20]),
    rate=st.just(1),
    per=st.sampled_from([50.0, 100.0]),
    burst=st.sampled_from([1, 2, 5]),
    concurrency=st.sampled_from([None, 1, 2, 4]),
    batch=st.sampled_from([1, 3, 100]),
    reservation=st.sampled_from([100.0, 200.0]),
    pass_ttl=st.sampled_from([300.0, 1000.0]),
    renewals=st.sampled_from([0, 1, 2]),
    grace=st.sampled_from([100.0, 300.0]),
    keep=st.sampled_from([300.0, 1000.0]),
)
LOSE = st.sampled_from([0, 0, 0, 1])


class Room(RuleBasedStateMachine):
    """One waiting room, used at random."""

    server: RedisServer
    clock: Clock
    numbers = itertools.count()
    replies_lost = 0
    let_in_ever = 0

    holders = st.sampled_from(HOLDERS)

    def __init__(self) -> None:
        super().__init__()
        self.clock.reset()
        self.raw = self.server.unix_client()
        self.raw.flushall()
        self.client = LossyClient(self.raw)
        self.room = WaitingRoom(self.client)  # type: ignore[arg-type]
        self.show = f"show-{next(self.numbers)}"
        self.begun = time.monotonic()
        self.passed = 0.0  # true seconds that went by, in jumps: a clock that is set back gives none of them back
        self.history: list[tuple[float, float, int]] = []  # true time before and after, admissions
        self.told = "0-0"  # the entry of the stream up to which it was read
        self.places: set[int] = set()
        self.seen: dict[str, Pass] = {}

    def teardown(self) -> None:
        type(self).replies_lost += self.client.lost
        type(self).let_in_ever += len(self.places)
        self.raw.close()

    @initialize(rules=RULES, early=st.sampled_from([False, False, True]), first=st.lists(holders, unique=True))
    def begin(self, rules: Rules, first: list[str], *, early: bool) -> None:
        """Make the room; most of them open at once."""
        names = {"most": "max_length"}
        self.model = Line(rules)
        found = {names.get(name, name): getattr(rules, name) for name in rules.__dataclass_fields__}
        self.room.prepare(self.show, RoomSettings(**found))
        if not early:
            self.open()
        self.join(first, 0)

    def true_time(self) -> float:
        return self.passed + time.monotonic() - self.begun

    def key(self, part: str) -> str:
        return f"seatlock:{{{self.show}}}:{part}"

    # Holders

    @rule(some=st.lists(holders, min_size=1, max_size=5, unique=True), lose=LOSE)
    def join(self, some: list[str], lose: int) -> None:
        """Join, for the first time or again."""
        self.client.lose_next = lose
        for holder in some:
            expected = self.model.join(holder)
            answer = attempt(lambda holder=holder: self.room.join(self.show, holder))  # type: ignore[misc]
            if expected == "full":
                assert isinstance(answer, WaitingRoomFull)
            elif expected == "over":
                assert isinstance(answer, WaitingRoomClosed)
                assert answer.status == self.model.status
            else:
                self.check(holder, expected, answer)

    @rule(holder=holders, lose=LOSE)
    def heartbeat(self, holder: str, lose: int) -> None:
        """Say that a holder is still there."""
        self.client.lose_next = lose
        self.check(holder, self.model.hear(holder), self.room.heartbeat(self.show, holder))

    @rule()
    def everybody_is_heard_of(self) -> None:
        """All heartbeats at once."""
        for holder in HOLDERS:
            self.heartbeat(holder, 0)

    @rule(holder=holders, lose=LOSE)
    def leave(self, holder: str, lose: int) -> None:
        """Leave: whoever asks again after a lost reply had left already."""
        self.client.lose_next = lose
        expected = self.model.leave(holder)
        answer = self.room.leave(self.show, holder)
        if not self.client.lose_next and lose:
            assert answer is False
        else:
            assert answer == (expected == "left")

    @rule(holder=holders, lose=LOSE)
    def renew(self, holder: str, lose: int) -> None:
        """Renew a pass, perhaps one that was seen long ago, or never: who has one depends on the draw."""
        held = self.seen.get(holder, Pass(self.show, holder, 1, 1.0, 1))
        self.client.lose_next = lose
        expected = self.model.renew(held.holder, held.renewals)
        answer = attempt(lambda: self.room.renew(held))
        if expected == "renewed":
            self.check_pass(held.holder, answer)
        else:
            assert isinstance(answer, NotAdmitted)
            assert ("as often" in str(answer)) == (expected == "spent")

    def check(self, holder: str, state: str, place: Any) -> None:
        """Whether a holder was told what the model says."""
        assert (place.state, place.room) == (state, self.model.status)
        if state == "waiting":
            assert (place.number, place.position) == (self.model.queue[holder], self.model.position(holder))
        elif state == "admitted":
            self.check_pass(holder, place.pass_)
        else:
            assert (place.number, place.position, place.pass_) == (None, None, None)

    def check_pass(self, holder: str, held: Pass) -> None:
        grant = self.model.passes[holder]
        assert (held.holder, held.place, held.renewals) == (holder, grant.place, grant.renewals)
        assert abs(held.ttl - (grant.deadline - self.model.now)) < 40
        self.seen[holder] = held

    # The room

    @rule(
        heard=st.sets(holders),
        most=st.sampled_from([1000, 1000, 1000, 2, 0]),
        most_live=st.sampled_from([None, None, None, 3, 0]),
        lose=LOSE,
    )
    def admit(self, heard: set[str], most: int, most_live: int | None, lose: int) -> None:
        """Let in: exactly those who are next of the present. After a lost reply the call is made again."""
        for holder in sorted(heard):
            self.heartbeat(holder, 0)
        self.client.lose_next = lose
        before = self.true_time()
        self.room.admit(self.show, most=most, most_live=most_live)
        times = 1 if self.client.lose_next or not lose else 2
        entries = self.raw.xrange(self.key("admissions"), f"({self.told}")
        pairs = [pair for _, fields in entries for pair in fields.items() if pair[0].isdigit()]
        got = [(int(place), holder.decode()) for place, holder in pairs]
        if entries:
            self.told = entries[-1][0].decode()
        self.history.append((before, self.true_time(), len(got)))
        assert not self.places & {place for place, _ in got}, "a place was let in twice"
        self.places |= {place for place, _ in got}
        left = [holder for _, holder in got]
        for _ in range(times):
            kept = dict(self.model.passes)
            counts = self.model.allowed(most, most_live)
            expected = self.model.present()[: max(counts.values())]
            taken = left[: len(expected)]
            assert taken == expected[: len(taken)]
            assert all(self.model.queue[holder] == place for place, holder in got if holder in taken)
            ends = self.model.admit(taken, counts)
            left = left[len(taken) :]
            if ends == {True}:
                self.model.served = max(self.model.served, self.model.next)
            if len({count > 0 for count in counts.values()}) > 1:  # whether it looked at all cannot be told otherwise
                number = self.room.served(self.show).number
                assert number in {self.model.served, max(self.model.served, self.model.next)}
                self.model.served = number
                found = {holder.decode() for holder in self.raw.zrange(self.key("passes"), 0, -2)}
                assert found >= self.model.passes.keys()
                self.model.passes |= {holder: kept[holder] for holder in found - self.model.passes.keys()}
        assert left == [], "more were let in than the limits allow"

    @rule(
        jump=st.sampled_from(FORWARD + BACK),
        some=st.lists(holders, max_size=4, unique=True),
        heard=st.sets(holders),
        tidy=st.booleans(),
        away=st.booleans(),
    )
    def pump(self, jump: float, some: list[str], heard: set[str], *, tidy: bool, away: bool) -> None:
        """What goes on all day: time passes, people come and are heard of, the room is tidied, and some are let in."""
        if jump < 0:
            self.clock_is_set_back(jump)
        elif away:
            self.time_passes(jump)
        else:
            self.time_is_tidied(jump)
        self.join(some, 0)
        if tidy:
            self.tidy()
        self.admit(heard, 1000, None, 0)

    @rule()
    def tidy(self) -> None:
        """Do what time asks for."""
        expected = self.model.tidy()
        assert self.room.tidy(self.show)[1] == len(expected)

    @rule(lose=LOSE, outside=st.sampled_from([None, "one", "two"]))
    def open(self, lose: int = 0, outside: str | None = None) -> None:
        """Open the room, the first time or again: those who were early are drawn."""
        self.client.lose_next = lose
        drawn = self.room.open(self.show, outside=outside)
        early = set(self.model.early)
        self.model.close_early()
        if self.model.drawn_places:
            assert drawn is not None
            assert drawn.check() == []
            assert self.room.draw_record(self.show) == drawn
            assert drawn.count == self.model.drawn_places
        else:
            assert drawn is None
        if self.model.status == "drawing":
            order = sorted(early, key=lambda holder: drawn.position(holder) or 0)
            self.model.seat(order)
        self.say("open")

    @precondition(lambda self: self.model.status in ("early", "drawing"))
    @rule(lose=LOSE)
    def close_early(self, lose: int) -> None:
        """Close the list of the early."""
        self.client.lose_next = lose
        closed = self.room.close_early(self.show)
        assert closed.count == len(self.model.early)
        self.model.close_early()

    @precondition(lambda self: not self.model.early)
    @rule(lose=LOSE)
    def pause(self, lose: int) -> None:
        """Pause."""
        self.client.lose_next = lose
        self.room.pause(self.show)
        self.say("paused")

    @rule(lose=LOSE, word=st.sampled_from(["closed", "sold_out", "open", "open", "open", "open"]))
    def end(self, lose: int, word: str) -> None:
        """Close the room, or tell everybody that it is sold out; or open it, which is what it should be mostly."""
        if word == "open":
            self.open(lose)
            return
        self.client.lose_next = lose
        {"closed": self.room.close_room, "sold_out": self.room.sold_out}[word](self.show)
        self.say(word)

    def say(self, word: str) -> None:
        self.model.become(word)
        entries = self.raw.xrevrange(self.key("admissions"), count=1)
        self.told = entries[0][0].decode()

    @rule(jump=st.sampled_from(FORWARD))
    def time_passes(self, jump: float) -> None:
        """Time goes on."""
        self.clock.advance(jump)
        self.passed += jump
        self.model.now += jump

    @rule(jump=st.sampled_from(FORWARD))
    def time_is_tidied(self, jump: float) -> None:
        """Time goes on where a pump tidies; the odd second comes first, so that no moment decides anything after."""
        self.time_passes(STEP + jump % STEP)
        self.tidy()
        for _ in range(int(jump // STEP) - 1):
            self.time_passes(STEP)
            self.tidy()

    @rule(jump=st.sampled_from(BACK))
    def clock_is_set_back(self, jump: float) -> None:
        """The clock is set back; true time is not."""
        self.clock.advance(jump)
        self.model.now += jump

    @invariant()
    def positions_are_exact(self) -> None:
        """Everybody stands where the model says, and nobody further back than the serving number tells."""
        if not hasattr(self, "model"):
            return
        self.client.lose_next = 0
        served = self.room.served(self.show)
        queue = self.model.queue
        behind = sum(place <= self.model.served for place in queue.values())
        live = sum(grant.deadline >= self.model.now for grant in self.model.passes.values())
        assert (served.number, served.behind, served.length) == (self.model.served, behind, len(queue))
        assert (served.live, served.room, served.admitted) == (live, self.model.status, len(self.places))
        for holder in HOLDERS:
            place = self.room.status(self.show, holder)
            self.check(holder, self.model.state(holder), place)
            if place.state == "waiting":
                assert place.position <= served.position_at_most(place.number)

    @invariant()
    def the_stream_tells_how_the_line_stands(self) -> None:
        """What the last entry says is how the line stood then: it never says more, and no place is forgotten."""
        if not hasattr(self, "model"):
            return
        last = self.room.changes(self.show).entries[-1]
        given, admitted, gone = map(int, self.raw.hmget(self.key("room"), "next", "admitted", "gone"))
        assert last.served <= self.model.served
        assert last.gone <= gone
        if not self.model.early:
            assert given == admitted + len(self.model.queue) + gone

    @invariant()
    def limits_are_kept(self) -> None:
        """No more passes than the concurrency; and over all windows of true time, no more admissions than the rate."""
        if not hasattr(self, "model"):
            return
        rules = self.model.rules
        now = "{}{:03d}".format(*(part // scale for part, scale in zip(self.raw.time(), (1, 1000), strict=True)))
        live = self.raw.zcount(self.key("passes"), now, "(+inf")
        assert rules.concurrency is None or live <= rules.concurrency
        for first, (begun, _, _) in enumerate(self.history):
            count = 0
            for _, ended, admissions in self.history[first:]:
                count += admissions
                assert count <= rules.burst + (ended - begun) * rules.rate / rules.per


def attempt(call: Callable[[], Any]) -> Any:
    """The result of a call, or the error it raised."""
    try:
        return call()
    except (WaitingRoomFull, WaitingRoomClosed, NotAdmitted) as error:
        return error


@pytest.fixture(scope="module", params=["redis-7", "redis-6.2"])
def room(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[type[Room]]:
    """The state machine over a server whose clock the test moves."""
    clock = Clock(tmp_path_factory.mktemp("clock"))
    with RedisServer(backend(request.param), env=clock.env) as server:
        yield type("Room", (Room,), {"server": server, "clock": clock})


def test_rooms_go_as_the_model_says(room: type[Room]) -> None:
    """Random rooms agree with the model after every step; replies were lost on the way, and people let in."""
    from hypothesis.stateful import run_state_machine_as_test  # noqa: PLC0415 - as in `test_model`

    profile = settings.get_profile(os.environ.get("SEATLOCK_MODEL", "ci"))
    if room.server.version < (7,):
        profile = settings(profile, max_examples=max(profile.max_examples // 5, 10))
    run_state_machine_as_test(room, settings=profile)
    assert room.replies_lost > 10
    assert room.let_in_ever > profile.max_examples // 10
