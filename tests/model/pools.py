"""The rules of shows with pools in plain Python, written from docs/decisions/pools.md and not from the scripts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

Pools = dict[str, int]
MAX_HOLD = 1800.0
OVERTIME = 600.0


@dataclass(frozen=True)
class Held:
    """A seat under a hold, or so many of a pool."""

    token: str
    holder: str
    quantity: int
    fence: int
    deadline: float
    limit: float
    paying: bool = False


@dataclass(frozen=True)
class Sold:
    """A seat of a booking, or so many of a pool."""

    token: str
    holder: str
    quantity: int
    fence: int
    booking: str
    payment: str | None


@dataclass(frozen=True)
class Outcome:
    """What a request must be answered with; only what matters for its kind is set. No pool is named as a seat is."""

    kind: str
    token: str = ""
    fence: int = 0
    left: float = 0.0
    yours: dict[str, bool] = field(default_factory=dict)
    free: Pools = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    words: dict[str, str | int] = field(default_factory=dict)
    booking: str = ""
    over: tuple[int, int, str | None] = (0, 0, None)


class Show:
    """One show; a seat is looked up by its name, a claim by its pool and holder, a sale by its pool and owner."""

    def __init__(self, seats: list[str], pools: Pools) -> None:
        self.capacity = pools
        self.seats: dict[str, Held | Sold | None] = dict.fromkeys(seats)
        self.claims: dict[tuple[str, str], Held] = {}
        self.sales: dict[tuple[str, str, str], Sold] = {}
        self.now = 0.0
        self.fence = 0
        self.limit: int | None = None
        self.limits: Pools = {}  # of pools

    def has(self, holder: str, pool: str | None = None) -> int:
        """How many of a pool a holder has, held and sold; or of everything, seats too."""
        counted = [1 for seat in self.seats if pool is None and (found := self.seat(seat)) and found.holder == holder]
        names = [name for name in self.capacity if pool in (None, name)]
        counted += [claim.quantity for name in names if (claim := self.claim(name, holder))]
        counted += [sale.quantity for key, sale in self.sales.items() if key[0] in names and sale.holder == holder]
        return sum(counted)

    def _over(self, holder: str, more: Pools) -> Outcome | None:
        """The limit that so much more would exceed, if any."""
        has = self.has(holder)
        most = self.limit or (500 if self.limits else None)
        if most is not None and has + sum(more.values()) > most:
            return Outcome("over", over=(most, has, None))
        for name in more:
            if name in self.limits and self.has(holder, name) + more[name] > self.limits[name]:
                return Outcome("over", over=(self.limits[name], self.has(holder, name), name))
        return None

    def seat(self, seat: str) -> Held | Sold | None:
        """What stands on a seat now."""
        found = self.seats[seat]
        return None if isinstance(found, Held) and self.now > found.deadline else found

    def claim(self, pool: str, holder: str) -> Held | None:
        """What a holder has of a pool now."""
        found = self.claims.get((pool, holder))
        return None if found is None or self.now > found.deadline else found

    def counts(self, pool: str) -> tuple[int, int]:
        """How many of a pool are held and sold."""
        held = sum(h.quantity for (name, _), h in self.claims.items() if name == pool and self.now <= h.deadline)
        return held, sum(sale.quantity for (name, *_), sale in self.sales.items() if name == pool)

    def free(self, pool: str) -> int:
        """How many of a pool are left."""
        return self.capacity[pool] - sum(self.counts(pool))

    def own(self, token: str, holder: str, name: str, quantity: int) -> Held | None:
        """What the token has of a seat or pool, if it is as much as this."""
        found = self.seat(name) if name in self.seats else self.claim(name, holder)
        mine = isinstance(found, Held) and (found.token, found.holder) == (token, holder) and found.quantity >= quantity
        return found if mine and isinstance(found, Held) else None

    def sale(self, token: str, holder: str, name: str) -> Sold | None:
        """What was sold under the token of a seat or pool."""
        found = self.seat(name) if name in self.seats else self.sales.get((name, token, holder))
        mine = isinstance(found, Sold) and (found.token, found.holder) == (token, holder)
        return found if mine and isinstance(found, Sold) else None

    # acquire

    def acquire(self, token: str, holder: str, seats: list[str], pools: Pools, ttl: float) -> Outcome:
        """Hold seats and quantities, all or none."""
        wanted = {**dict.fromkeys(seats, 1), **pools}
        own = {name: held for name, number in wanted.items() if (held := self.own(token, holder, name, number))}
        if len(own) == len(wanted):
            return self._held("held", list(own.values()))
        yours = [held for name, number in wanted.items() if (held := self._yours(token, holder, name, number))]
        if len(yours) == len(wanted) and len({held.token for held in yours}) == 1:
            return self._held("resumed", yours)
        refused, growing = self._refused(token, holder, wanted, own)
        if refused:
            free = {name: self.free(name) for name in refused if name in self.capacity}
            return Outcome("refused", yours=refused, free=free)
        claimed = {pool: claim.quantity for pool in pools if (claim := self.claim(pool, holder))}
        more = {name: wanted[name] - claimed.get(name, 0) for name in wanted if name not in own}
        if over := self._over(holder, more):
            return over
        basket = [*own.values(), *growing]
        if basket:
            hold = _whole(basket)
        else:
            self.fence += 1
            limit = self.now + MAX_HOLD
            hold = Held(token, holder, 1, self.fence, min(self.now + ttl, limit), limit)
        for name in wanted.keys() - own.keys():
            if name in self.seats:
                self.seats[name] = replace(hold, quantity=1)
            else:
                times = self.claim(name, holder) or hold  # a claim that grows keeps its own, and its payment
                self.claims[name, holder] = replace(times, quantity=wanted[name], token=token, fence=hold.fence)
        return self._held("held", [hold])

    def _yours(self, token: str, holder: str, name: str, quantity: int) -> Held | None:
        found = self.seat(name) if name in self.seats else self.claim(name, holder)
        enough = isinstance(found, Held) and found.holder == holder and found.quantity >= quantity
        return found if enough and isinstance(found, Held) and found.token != token else None

    def _refused(
        self, token: str, holder: str, wanted: Pools, own: dict[str, Held]
    ) -> tuple[dict[str, bool], list[Held]]:
        """What stands in the way, and whether it is the holder's own; and the claims that are to grow."""
        refused: dict[str, bool] = {}
        growing: list[Held] = []
        for name, quantity in wanted.items():
            if name in own:
                continue
            if name in self.seats:
                found = self.seat(name)
                if found is not None:
                    refused[name] = found.holder == holder
                continue
            claim = self.claim(name, holder)
            if (claim and claim.token != token) or (name, token, holder) in self.sales:
                refused[name] = True
            elif self.free(name) < quantity - (claim.quantity if claim else 0):
                refused[name] = False
            elif claim:
                growing.append(claim)
        return refused, growing

    def _held(self, kind: str, holds: list[Held]) -> Outcome:
        hold = _whole(holds)
        return Outcome(kind, token=hold.token, fence=hold.fence, left=hold.deadline - self.now)

    # the other verbs

    def _lost(self, token: str, holder: str, wanted: Pools, told: float) -> dict[str, str]:
        lost: dict[str, str] = {}
        for name, quantity in wanted.items():
            if self.own(token, holder, name, quantity) and (
                name in self.seats or (name, token, holder) not in self.sales
            ):
                continue
            found = self.seat(name) if name in self.seats else self.sales.get((name, token, holder))
            if isinstance(found, Sold):
                lost[name] = "sold"
            elif isinstance(found, Held):
                lost[name] = "taken"
            else:
                lost[name] = "expired" if self.now > told else "ended"  # released, or ran out under a token used again
        return lost

    def extend(
        self, token: str, holder: str, seats: list[str], pools: Pools, ttl: float, told: float, *, begins: bool = False
    ) -> Outcome:
        """Set the time left, never shorter; where a payment ``begins``, of what is not being paid for yet."""
        wanted = {**dict.fromkeys(seats, 1), **pools}
        holds = {name: held for name, number in wanted.items() if (held := self.own(token, holder, name, number))}
        if len(holds) < len(wanted):
            lost = self._lost(token, holder, {name: wanted[name] for name in wanted.keys() - holds.keys()}, told)
            return Outcome("lost", reasons=lost)
        longer: list[Held] = []
        for name, hold in holds.items():
            more = hold
            if not (begins and hold.paying):
                longest = min(self.now + ttl, hold.limit + (OVERTIME if begins else 0))
                more = replace(hold, deadline=max(hold.deadline, longest), paying=hold.paying or begins)
            if name in self.seats:
                self.seats[name] = more
            else:
                self.claims[name, holder] = more
            longer.append(more)
        return self._held("held", longer)

    def confirm(
        self, token: str, holder: str, seats: list[str], pools: Pools, booking: str, payment: str | None, told: float
    ) -> Outcome:
        """Sell the seats and quantities of a hold."""
        wanted = {**dict.fromkeys(seats, 1), **pools}
        sales = {name: sale for name in wanted if (sale := self.sale(token, holder, name))}
        if sales:
            first = next(iter(sales.values()))
            same = len(sales) == len(wanted) and len({sale.booking for sale in sales.values()}) == 1
            again = same and first.payment == payment and all(s.quantity == wanted[n] for n, s in sales.items())
            return Outcome("booked" if again else "conflict", booking=first.booking, fence=first.fence)
        if lost := self._lost(token, holder, wanted, told):
            return Outcome("lost", reasons=lost)
        holds = {name: held for name, number in wanted.items() if (held := self.own(token, holder, name, number))}
        fence = _whole(list(holds.values())).fence
        for name, quantity in wanted.items():
            sold = Sold(token, holder, quantity, fence, booking, payment)
            if name in self.seats:
                self.seats[name] = sold
            else:
                self.sales[name, token, holder] = sold
                self.claims.pop((name, holder))  # what is left of it as well
        return Outcome("booked", booking=booking, fence=fence)

    def reclaim(
        self,
        tokens: tuple[str, str],
        holder: str,
        seats: list[str],
        pools: Pools,
        bookings: tuple[str, str],
        payment: str | None,
        told: float,
    ) -> Outcome:
        """Sell what a hold has, also of one that ran out, if all of it can be had: then as a hold of its own.

        The first of ``tokens`` and ``bookings`` are those of the hold, the second those that it is regained under.
        """
        usual = self.confirm(tokens[0], holder, seats, pools, bookings[0], payment, told)
        if usual.kind != "lost":
            return usual
        wanted = {**dict.fromkeys(seats, 1), **pools}
        if any(self.sale(tokens[1], holder, name) for name in wanted):
            return self.confirm(tokens[1], holder, seats, pools, bookings[1], payment, told)
        moved = {pool: min(self._has(pool, holder, tokens[0]), number) for pool, number in pools.items()}
        reasons = {
            name: "taken"
            if reason == "expired" and name in pools and self.free(name) < pools[name] - moved[name]
            else reason
            for name, reason in usual.reasons.items()
        }
        if set(reasons.values()) != {"expired"}:
            return replace(usual, reasons=reasons)
        more = {name: wanted[name] - moved.get(name, 0) for name in wanted if name in pools or name in reasons}
        if self._over(holder, more):
            return replace(usual, reasons=reasons)
        self.fence += 1
        for name, quantity in wanted.items():
            sold = Sold(tokens[1], holder, quantity, self.fence, bookings[1], payment)
            if name in self.seats:
                self.seats[name] = sold
            else:
                self.sales[name, tokens[1], holder] = sold
                if moved[name]:
                    self._take_off(name, holder, moved[name])
        return Outcome("booked", booking=bookings[1], fence=self.fence)

    def _has(self, pool: str, holder: str, token: str) -> int:
        claim = self.claim(pool, holder)
        return claim.quantity if claim and claim.token == token else 0

    def _take_off(self, pool: str, holder: str, quantity: int) -> None:
        claim = self.claims.pop((pool, holder))
        if claim.quantity > quantity:
            self.claims[pool, holder] = replace(claim, quantity=claim.quantity - quantity)

    def release(self, token: str, holder: str, seats: list[str], pools: Pools) -> Outcome:
        """Give back what the token still owns; of pools, all that it has there."""
        words: dict[str, str | int] = {}
        for seat in seats:
            found = self.seat(seat)
            if found is None:
                words[seat] = "gone"
            elif isinstance(found, Sold):
                words[seat] = "sold"
            elif (found.token, found.holder) != (token, holder):
                words[seat] = "taken"
            else:
                words[seat], self.seats[seat] = "released", None
        for pool in pools:
            claim = self.own(token, holder, pool, 1)
            words[pool] = claim.quantity if claim else 0
            if claim:
                del self.claims[pool, holder]
        return Outcome("released", words=words)

    def force_release(self, seats: list[str], pools: list[str], holder: str) -> Outcome:
        """Give back what is held of seats by anybody, and of pools by this holder."""
        words: dict[str, str | int] = {}
        for seat in seats:
            found = self.seat(seat)
            words[seat] = "sold" if isinstance(found, Sold) else "gone" if found is None else "released"
            if isinstance(found, Held):
                self.seats[seat] = None
        for pool in pools:
            claim = self.claim(pool, holder)
            words[pool] = claim.quantity if claim else 0
            if claim:
                del self.claims[pool, holder]
        return Outcome("released", words=words)

    def cancel(self, booking: str, fence: int, seats: list[str], pools: Pools) -> Outcome:
        """Undo a booking."""
        words: dict[str, str | int] = {}
        for seat in seats:
            found = self.seat(seat)
            mine = isinstance(found, Sold) and (found.booking, found.fence) == (booking, fence)
            words[seat] = "cancelled" if mine else "gone"
            if mine:
                self.seats[seat] = None
        for pool in pools:
            keys = [k for k, s in self.sales.items() if k[0] == pool and (s.booking, s.fence) == (booking, fence)]
            words[pool] = sum(self.sales.pop(key).quantity for key in keys)
        return Outcome("cancelled", words=words)


def _whole(holds: list[Held]) -> Held:
    """What is under one token amounts to: the highest fence, the soonest deadline and limit."""
    return replace(
        holds[0],
        fence=max(hold.fence for hold in holds),
        deadline=min(hold.deadline for hold in holds),
        limit=min(hold.limit for hold in holds),
        paying=any(hold.paying for hold in holds),
    )
