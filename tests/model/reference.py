"""The rules of seatlock in plain Python, written from the design and not from the scripts."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field, replace
from typing import Final, Literal


@dataclass(frozen=True)
class Held:
    """A seat under a hold."""

    token: str
    holder: str
    fence: int
    deadline: float
    limit: float
    paying: bool = False


@dataclass(frozen=True)
class Sold:
    """A seat of a booking."""

    token: str
    holder: str
    fence: int
    booking: str
    payment: str | None


@dataclass(frozen=True)
class Blocked:
    """A seat that the house took off sale."""

    reason: str | None
    holder: None = None


@dataclass(frozen=True)
class Outcome:
    """What a request must be answered with; only what matters for its kind is set."""

    kind: str
    token: str = ""
    fence: int = 0
    left: float = 0.0
    conflicts: dict[str, tuple[str, bool]] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    booking: str = ""
    over: tuple[int, int, str | None] = (0, 0, None)
    status: str = ""


STATES: Final[dict[type, str]] = {Held: "held", Sold: "sold", Blocked: "blocked", type(None): "free"}
"""The state of a seat, by what stands on it."""


def whole(holds: list[Held]) -> Held:
    """What seats under one token amount to: the highest fence, the soonest deadline and the soonest limit."""
    return replace(
        holds[0],
        fence=max(hold.fence for hold in holds),
        deadline=min(hold.deadline for hold in holds),
        limit=min(hold.limit for hold in holds),
        paying=any(hold.paying for hold in holds),
    )


class Show:
    """One show."""

    MAX_HOLD = 1800.0
    OVERTIME = 600.0

    def __init__(self, seats: list[str]) -> None:
        self.seats: dict[str, Held | Sold | Blocked | None] = dict.fromkeys(seats)
        self.channels: dict[str, str | None] = dict.fromkeys(seats)
        self.word: Literal["open", "paused", "closed"] = "open"
        self.times: dict[Literal["open", "closed"], float] = {}
        self.now = 0.0
        self.fence = 0
        self.facts: list[tuple[str, str, frozenset[str]]] = []
        self.audit: list[tuple[str, str, int]] = []
        self.category_of = dict.fromkeys(seats, "")
        self.limit: int | None = None
        self.limits: dict[str, int] = {}
        self.notes: dict[tuple[str, str], tuple[list[str], float]] = {}  # owner → the best it was given, until when

    # The sale's status: what was last said, until a time comes

    @property
    def status(self) -> Literal["open", "paused", "closed"]:
        """What the sale is now: of the times that have come the latest counts."""
        come = {at: word for word, at in self.times.items() if at <= self.now}
        return come[max(come)] if come else self.word

    @property
    def opens_in(self) -> float | None:
        """Seconds until it opens by itself."""
        return self._until("open")

    @property
    def closes_in(self) -> float | None:
        """Seconds until it closes by itself."""
        return self._until("closed")

    def _until(self, word: Literal["open", "closed"]) -> float | None:
        at = self.times.get(word, -math.inf)
        return at - self.now if at > self.now else None

    def say(self, word: Literal["open", "paused", "closed"]) -> None:
        """Open, pause or close now: only a closing time to come outlives it, and not a closing."""
        closes = self.times.get("closed", -math.inf)
        self.word = word
        self.times = {"closed": closes} if closes > self.now and word != "closed" else {}

    def say_at(self, word: Literal["open", "closed"], at: float) -> str:
        """Open or close at a time: gives whether that was ``done``, ``refused``, or is ``said`` already."""
        if self.times.get(word) == at:
            return "said"
        if at <= self.now:
            if word == "open":
                return "said" if self.status == "open" else "refused"
            self.say("closed")
            return "done"
        self.word = self.status
        self.times = {other: then for other, then in self.times.items() if then > self.now and then != at}
        self.times[word] = at
        return "done"

    def at(self, seat: str) -> Held | Sold | Blocked | None:
        """What stands on a seat now: a hold whose time has passed does not."""
        found = self.seats[seat]
        return None if isinstance(found, Held) and self.now > found.deadline else found

    def nothing_has_expired(self) -> bool:
        """Whether no hold has run out since its seats were last taken."""
        held = (found for found in self.seats.values() if isinstance(found, Held))
        return not any(self.now > found.deadline for found in held) and not any(
            self.now > until for _, until in self.notes.values()
        )

    def state(self, seat: str, channel: str | None = None) -> str:
        """The state of a seat, as those see it who name this channel."""
        found = self.at(seat)
        if found is None and self.channels[seat] not in (None, channel):
            return "channel"
        return STATES[type(found)]

    def set_channel(self, seats: list[str], channel: str | None) -> Outcome:
        """Put seats into a channel, or back to the public."""
        words = {seat: "already" if self.channels[seat] == channel else "changed" for seat in seats}
        self.channels.update(dict.fromkeys(seats, channel))
        return Outcome("channel", words=words)

    def acquire(  # noqa: PLR0911 - one a rule
        self, token: str, holder: str, seats: list[str], ttl: float, channel: str | None = None
    ) -> Outcome:
        """Hold seats, all or none."""
        if any(seat not in self.seats for seat in seats):
            return Outcome("unknown")
        here = {seat: self.at(seat) for seat in seats}
        own = {s: h for s, h in here.items() if isinstance(h, Held) and (h.token, h.holder) == (token, holder)}
        others = {s: h for s, h in here.items() if s not in own and self.state(s, channel) != "free"}
        if len(own) == len(seats):
            return self._held("held", list(own.values()))
        mine = [h for h in others.values() if isinstance(h, Held) and h.holder == holder]
        if len(mine) == len(seats) and len({h.token for h in mine}) == 1:
            return self._held("resumed", mine)
        if self.status != "open":
            return Outcome("closed", status=self.status, left=self.opens_in or 0.0)
        if others:
            return Outcome(
                "refused",
                conflicts={
                    s: (self.state(s, channel), h is not None and h.holder == holder) for s, h in others.items()
                },
            )
        if over := self._over(holder, [seat for seat in seats if seat not in own]):
            return Outcome("over", over=over)
        if own:
            hold = whole(list(own.values()))
        else:
            self.fence += 1
            limit = self.now + self.MAX_HOLD
            hold = Held(token, holder, self.fence, min(self.now + ttl, limit), limit)
        for seat in seats:
            if seat not in own:
                self.seats[seat] = hold
        return self._held("held", [hold, *own.values()])

    def acquire_best(
        self, token: str, holder: str, count: int, ttl: float, got: tuple[str, ...], channel: str | None = None
    ) -> Outcome:
        """Hold so many seats: those that were ``got``, if they are among the best that can be had."""
        noted, until = self.notes.get((token, holder), ([], -1.0))
        if noted and self.now <= until:
            assert got in ((), tuple(noted))
            return self.acquire(token, holder, noted, ttl, channel)
        if self.status != "open":
            return Outcome("closed", status=self.status, left=self.opens_in or 0.0)
        free = [seat for seat in self.seats if self.state(seat, channel) == "free"]
        if len(free) < count:
            return Outcome("refused")
        assert len(set(got)) == count
        assert set(got) <= set(free)
        names = list(self.seats)
        runs = [names[at : at + count] for at in range(len(names) - count + 1)]
        assert self._over(holder, list(got)) is None
        if self.limit is None and not self.limits:
            assert any(set(run) <= set(free) for run in runs) == (list(got) in runs)
        self.fence += 1
        limit = self.now + self.MAX_HOLD
        hold = Held(token, holder, self.fence, min(self.now + ttl, limit), limit)
        self.seats |= dict.fromkeys(got, hold)
        self.notes[token, holder] = list(got), limit + self.OVERTIME
        return self._held("held", [hold])

    def best_is_over(
        self, token: str, holder: str, count: int, channel: str | None = None
    ) -> set[tuple[int, int, str | None] | None]:
        """The limits that seats would exceed which `acquire_best` may propose, where it was given none before."""
        noted, until = self.notes.get((token, holder), ([], -1.0))
        if self.status != "open" or (noted and self.now <= until):
            return set()
        free = [seat for seat in self.seats if self.state(seat, channel) == "free"]
        return {self._over(holder, list(seats)) for seats in itertools.permutations(free, count)}

    def of_holder(self, holder: str) -> dict[str, Held | Sold]:
        """The seats that a holder has, held and sold."""
        return {seat: found for seat in self.seats if (found := self.at(seat)) and found.holder == holder}

    def _over(self, holder: str, more: list[str]) -> tuple[int, int, str | None] | None:
        """The limit that more seats would take a holder over, and what the holder has: of the show, or a category."""
        has = [self.category_of[seat] for seat in self.of_holder(holder)]
        if self.limit is not None and len(has) + len(more) > self.limit:
            return self.limit, len(has), None
        wanted = [self.category_of[seat] for seat in more]
        for category in wanted:
            limit = self.limits.get(category)
            if limit is not None and has.count(category) + wanted.count(category) > limit:
                return limit, has.count(category), category
        return None

    def _held(self, kind: str, holds: list[Held]) -> Outcome:
        hold = whole(holds)
        return Outcome(kind, token=hold.token, fence=hold.fence, left=hold.deadline - self.now)

    def _lost(self, token: str, holder: str, seats: list[str], told: float) -> dict[str, str]:
        lost = {}
        for seat in seats:
            found = self.at(seat)
            if isinstance(found, Held) and (found.token, found.holder) == (token, holder):
                continue
            if isinstance(found, Sold):
                lost[seat] = "sold"
            elif isinstance(found, Held):
                lost[seat] = "taken"
            else:
                past = self.seats[seat]
                expired = isinstance(past, Held) and (past.token, past.holder) == (token, holder)
                # Under a token used again for a shorter hold: Redis may have removed the lock by now, or not.
                lost[seat] = "expired" if self.now > told else "ended" if expired else "released"
        return lost

    def extend(self, token: str, holder: str, seats: list[str], ttl: float, told: float) -> Outcome:
        """Set the time left, never shorter."""
        if lost := self._lost(token, holder, seats, told):
            return Outcome("lost", reasons=lost)
        holds = []
        for seat in seats:
            hold = self.seats[seat]
            assert isinstance(hold, Held)
            longer = replace(hold, deadline=max(hold.deadline, min(self.now + ttl, hold.limit)))
            self.seats[seat] = longer
            holds.append(longer)
        return self._held("held", holds)

    def begin_payment(self, token: str, holder: str, seats: list[str], expected: float, told: float) -> Outcome:
        """Set the time left of every seat whose payment has not begun, some minutes beyond the limit if need be."""
        if lost := self._lost(token, holder, seats, told):
            return Outcome("lost", reasons=lost)
        holds = []
        for seat in seats:
            hold = self.seats[seat]
            assert isinstance(hold, Held)
            if not hold.paying:
                longest = min(self.now + expected, hold.limit + self.OVERTIME)
                hold = replace(hold, deadline=max(hold.deadline, longest), paying=True)
            self.seats[seat] = hold
            holds.append(hold)
        return self._held("held", holds)

    def reclaim(
        self,
        tokens: tuple[str, str],
        holder: str,
        seats: list[str],
        bookings: tuple[str, str],
        payment: str | None,
        told: float,
    ) -> Outcome:
        """Sell the seats of a hold, also of one that ran out, if all of them are free: then as a hold of its own.

        The first of ``tokens`` and ``bookings`` are those of the hold, the second those that it is regained under.
        """
        usual = self.confirm(tokens[0], holder, seats, bookings[0], payment, told)
        if usual.kind != "lost":
            return usual
        before = [self.at(seat) for seat in seats]
        if any(isinstance(sale, Sold) and (sale.token, sale.holder) == (tokens[1], holder) for sale in before):
            return self.confirm(tokens[1], holder, seats, bookings[1], payment, told)
        reasons = {
            seat: "taken" if isinstance(self.at(seat), Blocked) and reason == "expired" else reason
            for seat, reason in usual.reasons.items()
        }
        if set(reasons.values()) != {"expired"} or self._over(holder, seats):
            return replace(usual, reasons=reasons)
        self.fence += 1
        for seat in seats:
            self.seats[seat] = Sold(tokens[1], holder, self.fence, bookings[1], payment)
        self.facts.append(("confirmed", bookings[1], frozenset(seats)))
        return Outcome("booked", booking=bookings[1], fence=self.fence)

    def confirm(
        self, token: str, holder: str, seats: list[str], booking: str, payment: str | None, told: float
    ) -> Outcome:
        """Sell the seats of a hold."""
        sales = [
            sale
            for seat in seats
            if isinstance(sale := self.at(seat), Sold) and (sale.token, sale.holder) == (token, holder)
        ]
        if sales:
            same = len(sales) == len(seats) and len({sale.booking for sale in sales}) == 1
            again = same and sales[0].payment == payment
            return Outcome("booked" if again else "conflict", booking=sales[0].booking, fence=sales[0].fence)
        if lost := self._lost(token, holder, seats, told):
            return Outcome("lost", reasons=lost)
        hold = whole([hold for seat in seats if isinstance(hold := self.seats[seat], Held)])
        for seat in seats:
            self.seats[seat] = Sold(token, holder, hold.fence, booking, payment)
        self.facts.append(("confirmed", booking, frozenset(seats)))
        return Outcome("booked", booking=booking, fence=hold.fence)

    def release(self, token: str, holder: str, seats: list[str]) -> Outcome:
        """Give back what the token still owns."""
        words = {}
        for seat in seats:
            found = self.at(seat)
            if found is None or isinstance(found, Blocked):
                words[seat] = "gone"
            elif isinstance(found, Sold):
                words[seat] = "sold"
            elif (found.token, found.holder) != (token, holder):
                words[seat] = "taken"
            else:
                words[seat] = "released"
                self.seats[seat] = None
        return Outcome("released", words=words)

    def cancel(self, booking: str, fence: int, seats: list[str]) -> Outcome:
        """Undo a booking."""
        words = {}
        for seat in seats:
            found = self.at(seat)
            if isinstance(found, Sold) and (found.booking, found.fence) == (booking, fence):
                words[seat] = "cancelled"
                self.seats[seat] = None
            else:
                words[seat] = "gone"
        undone = frozenset(seat for seat, word in words.items() if word == "cancelled")
        if undone:
            self.facts.append(("cancelled", booking, undone))
        return Outcome("cancelled", words=words)

    def force_release(self, seats: list[str]) -> Outcome:
        """Free what is held, whoever holds it."""
        words = {}
        freed: dict[int, list[tuple[str, str, int]]] = {}  # by hold, as the locker asks
        for seat in seats:
            found = self.at(seat)
            if isinstance(found, Held):
                words[seat] = "released"
                freed.setdefault(found.fence, []).append((seat, found.holder, found.fence))
                self.seats[seat] = None
            else:
                words[seat] = "sold" if isinstance(found, Sold) else "gone"
        for entries in freed.values():
            self.audit += entries
        return Outcome("released", words=words)

    def block(self, seats: list[str], reason: str | None) -> Outcome:
        """Take seats off sale, all or none."""
        here = {seat: self.at(seat) for seat in seats}
        others = {s: h for s, h in here.items() if isinstance(h, Held | Sold)}
        if others:
            return Outcome("refused", conflicts={s: (STATES[type(h)], False) for s, h in others.items()})
        for seat in seats:
            self.seats[seat] = Blocked(reason)
        words = {seat: "already" if isinstance(found, Blocked) else "blocked" for seat, found in here.items()}
        return Outcome("blocked", words=words)

    def unblock(self, seats: list[str]) -> Outcome:
        """Put seats back on sale that are blocked."""
        words = {}
        for seat in seats:
            found = self.at(seat)
            if isinstance(found, Blocked):
                words[seat] = "unblocked"
                self.seats[seat] = None
            else:
                words[seat] = self.state(seat)
        return Outcome("unblocked", words=words)

    def states(self, channel: str | None = None) -> dict[str, str]:
        """The state of every seat, as those see it who name this channel."""
        return {seat: self.state(seat, channel) for seat in self.seats}
