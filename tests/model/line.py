"""A waiting room in plain Python: what the scripts must say and do, told as simply as can be. Times are seconds."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

STEP_BACK = 60.0  # seconds: a clock that steps back further starts the time of the bucket anew


@dataclass(frozen=True)
class Rules:
    """The settings of a room."""

    most: int
    rate: int
    per: float
    burst: int
    concurrency: int | None
    batch: int
    reservation: float
    pass_ttl: float
    renewals: int
    grace: float
    keep: float


@dataclass(frozen=True)
class Bucket:
    """What the rate allows: admissions, and the time up to which they were counted."""

    level: float
    filled: float = 0.0

    def at(self, now: float, rules: Rules) -> Bucket:
        """What it is at a time."""
        if now >= self.filled:
            return Bucket(min(self.level + (now - self.filled) * rules.rate / rules.per, rules.burst), now)
        anew = now < self.filled - STEP_BACK
        return Bucket(min(self.level, rules.burst), now if anew else self.filled)


@dataclass
class Grant:
    """A pass, or a reservation of one."""

    place: int
    deadline: float
    renewals: int
    claimed: bool = False


@dataclass
class Turn:
    """Who was heard of: in the newer part, or in the older."""

    since: float = 0.0
    new: set[int] = field(default_factory=set)
    old: set[int] = field(default_factory=set)

    def turn(self, now: float, tidied: float, span: float, half: float) -> bool:
        """Tidy: whether it turned. Of time without it ``half`` counts, and the last ``half`` begins with a tidy."""
        if now < self.since:
            self.since = now
            return False
        before = tidied - self.since
        counted = before + min(now - tidied, half)
        if before < span - half:
            counted = min(counted, span - half)
        self.since = now - counted
        if counted >= span:
            self.since, self.new, self.old = now, set(), self.new
            return True
        return False

    def __contains__(self, place: int) -> bool:
        return place in self.new or place in self.old


class Line:
    """The room of one show."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.now = 0.0
        self.status = "early"
        self.next = 0
        self.served = 0
        self.early: set[str] = set()
        self.drawn_places = 0  # the first places are theirs who were early
        self.queue: dict[str, int] = {}
        self.passes: dict[str, Grant] = {}
        self.here, self.kept = Turn(), Turn()
        self.tidied = 0.0
        self.walk_due = False
        # What may be written down of the rate: a look that lets nobody in may be noted or not, which makes a difference
        # once the clock is set back. What is let in tells which it was.
        self.buckets = {Bucket(rules.burst)}

    # One holder

    def live(self, holder: str) -> Grant | None:
        """A pass that is in time."""
        found = self.passes.get(holder)
        return found if found and found.deadline >= self.now else None

    def position(self, holder: str) -> int:
        """The position of one who waits."""
        own = self.queue[holder]
        behind = len(self.early) if own > self.drawn_places else 0
        return behind + sum(place <= own for place in self.queue.values())

    def state(self, holder: str) -> str:
        """What a holder is told."""
        if self.live(holder):
            return "admitted"
        if holder in self.queue:
            return "waiting"
        return "early" if holder in self.early else "gone"

    def hear(self, holder: str) -> str:
        """A heartbeat."""
        state = self.state(holder)
        if state == "waiting":
            self.here.new.add(self.queue[holder])
            self.kept.new.add(self.queue[holder])
        elif state == "admitted":
            grant = self.passes[holder]
            if not grant.claimed:
                grant.claimed, grant.deadline = True, self.now + self.rules.pass_ttl
        return state

    def join(self, holder: str) -> str:
        """Join: the state, or why not."""
        if self.state(holder) != "gone":
            return self.hear(holder)
        if self.status in ("closed", "sold_out"):
            return "over"
        if len(self.queue) + len(self.early) >= self.rules.most:
            return "full"
        self.passes.pop(holder, None)
        if self.status == "early":
            self.early.add(holder)
            return "early"
        self.next += 1
        self.queue[holder] = self.next
        return self.hear(holder)

    def leave(self, holder: str) -> str:
        """Leave: ``left``, ``gone``, or ``kept`` where the list of the early stands."""
        if self.drawn_places and self.early and holder in self.early:
            return "kept"
        if self.state(holder) == "gone":
            return "gone"
        self.queue.pop(holder, None)
        self.passes.pop(holder, None)
        self.early.discard(holder)
        return "left"

    def renew(self, holder: str, seen: int) -> str:
        """Renew a pass that the holder has seen with so many renewals left."""
        grant = self.live(holder)
        if grant is None:
            return "gone"
        if seen == grant.renewals == 0:
            return "spent"
        if seen == grant.renewals:
            grant.deadline = max(grant.deadline, self.now + self.rules.pass_ttl)  # the clock may have been set back
            grant.renewals, grant.claimed = seen - 1, True
        return "renewed"

    # The room

    def close_early(self) -> None:
        """Close the list of the early."""
        if self.status == "early" or (self.early and self.status in ("closed", "sold_out")):
            if not self.drawn_places:
                self.next = self.drawn_places = len(self.early)
            self.status = "drawing"

    def seat(self, order: list[str]) -> None:
        """Give the early their places: the order that was drawn."""
        assert set(order) == self.early
        for place, holder in enumerate(order, 1):
            self.queue[holder] = place
            self.here.new.add(place)
            self.kept.new.add(place)
        self.early.clear()

    def tidy(self) -> set[str]:
        """Do what time asks for: gives those whose places are gone."""
        self.passes = {holder: grant for holder, grant in self.passes.items() if grant.deadline >= self.now}
        if self.status not in ("early", "drawing") and not self.early:
            self.here.turn(self.now, self.tidied, self.rules.grace, self.rules.grace / 2)
            self.walk_due |= self.kept.turn(self.now, self.tidied, self.rules.keep, self.rules.grace / 2)
        self.tidied = self.now
        if not self.walk_due or self.status not in ("open", "paused"):  # who waits in a closed room keeps the place
            return set()
        self.walk_due = False
        gone = {holder for holder, place in self.queue.items() if place not in self.kept}
        for holder in gone:
            del self.queue[holder]
        return gone

    def become(self, status: str) -> None:
        """Open, pause or close the room: what opens begins the times of those who are present anew."""
        if status == "open" and self.status not in ("open", "paused"):
            self.here.since = self.kept.since = self.tidied = self.now
            self.walk_due = False
        self.status = status

    def present(self) -> list[str]:
        """Those who wait and were heard of, in order."""
        return sorted((one for one, place in self.queue.items() if place in self.here), key=lambda one: self.queue[one])

    def allowed(self, most: int, most_live: int | None) -> dict[Bucket, int]:
        """How many an admission may let in, by what may be written down of the rate."""
        # whoever looks takes the ended ones off first
        self.passes = {holder: grant for holder, grant in self.passes.items() if grant.deadline >= self.now}
        if self.status != "open":
            return dict.fromkeys(self.buckets, 0)
        counts = {
            bucket: min(math.floor(bucket.at(self.now, self.rules).level + 1e-9), most, self.rules.batch)
            for bucket in self.buckets
        }
        bounds = [bound for bound in (self.rules.concurrency, most_live) if bound is not None]
        free = [bound - len(self.passes) for bound in bounds]
        return {bucket: max(min(count, *free, count), 0) for bucket, count in counts.items()}

    def admit(self, holders: list[str], counts: dict[Bucket, int]) -> set[bool]:
        """Take in who was let in, of those whom `allowed` allows: gives whether the line was looked at to its end."""
        people = len(self.present())
        fitting = {bucket for bucket, count in counts.items() if min(count, people) == len(holders)}
        assert fitting, "so many cannot have been let in"
        for holder in holders:
            place = self.queue.pop(holder)
            self.passes[holder] = Grant(place, self.now + self.rules.reservation, self.rules.renewals)
            self.served = max(self.served, place)
        after: set[Bucket] = set()
        for bucket in fitting:
            then = bucket.at(self.now, self.rules)
            after.add(Bucket(then.level - len(holders), then.filled))
            if not holders and then.filled >= bucket.filled:
                after.add(bucket)
        self.buckets = after
        return {counts[bucket] > len(holders) for bucket in fitting}
