"""The sections of the results page on waiting rooms."""

from __future__ import annotations

from loadtests.bench.estimates import SETTLED
from loadtests.bench.results import Estimates, Results
from loadtests.bench.tables import NONE, figure, middle, number, spread, table


def size(results: Results) -> str:
    """Rooms of all sizes."""
    found = results.waiting_room
    if not found:
        return ""
    rows = [
        (
            f"{one.people:,}{', UUIDs' * one.uuids}",
            number(one.joined_seconds),
            number(one.bytes_a_place),
            spread(one.join_us),
            spread(one.status_us),
            f"{middle(one.join_ms)}, {middle(one.status_ms)}",
            spread([call.cpu_ms for call in one.let_in]),
            spread([call.clock_ms for call in one.let_in]),
            number(one.behind.ms),
        )
        for one in found
    ]
    head = (
        *("people", "joined in, s", "bytes a place", "join, µs", "status, µs", "alone: join, status, ms"),
        *("1,000 let in, CPU, ms", "on the clock, ms", "behind all others, ms"),
    )
    return f"""## The size of a waiting room

{figure("waiting_room", "Time of a join and a status, and bytes a place, by the people in the room")}
One room that grows, filled by `join_many`; ids have 13 characters, or are UUIDs. Memory is the difference of
`used_memory` to the empty room, for each place, presence and all. Times of a join and of a status anywhere in the line
are the script's on the clock (`INFO commandstats`); *alone* is how long a lone caller waits for the answer, by the
median. Then one call lets 1,000 in while nine of ten people are silent: every tenth is present, or, *behind all
others*, the last 1,000 only. CPU is the server's, which a busy machine hardly changes.

{table(head, rows)}

What is no measurement but a proof, a million joins from several processes while twenty pumps run, and slots of those
who never come that are filled again, is in [testing.md](testing.md) with the figures of its long run.
"""


def estimates(results: Results) -> str:
    """What people were told of the time to wait."""
    found = results.estimates
    if not found:
        return ""
    steady = [_row(one) for one in found if one.steady]
    changing = [
        (one.case, f"{one.told:,}", _percent(one.inside, one.told), _percent(one.late_inside, one.late))
        for one in found
        if not one.steady
    ]
    head = ("", "estimates", "close", "of the users: always close", "within the range", "told nothing")
    return f"""## Estimated and real waiting times

{figure("estimates", "Estimated against real time to wait")}
{found[0].people:,} people in one line, on a server whose clock is moved, 20 let in a second by a pump that looks
every second. Everybody asks every 30 seconds; each estimate that was told is set beside the time until that user was
let in. *Close*: the middle of the range is off by 20 % at most, or by the second of the pump. Nothing is told before
5 seconds and 20 admissions were seen.

{table(head, steady)}

Where the pace changes, a minute after the opening, nobody can know it before, so some of what was told cannot hold.
From then on a range holds both what the pace was and what it has become, for some 25 seconds; *later* are those told
{SETTLED} seconds after all change and later.

{table(("", "estimates", "within the range", "of those told later"), changing)}
"""


def _row(one: Estimates) -> tuple[str, ...]:
    return (
        one.case,
        f"{one.told:,}",
        _percent(one.close, one.told),
        _percent(one.users_close, one.users),
        _percent(one.inside, one.told),
        f"{one.nothing:,}",
    )


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else NONE


def shuffle(results: Results) -> str:
    """The draw."""
    found = results.shuffle
    if not found:
        return ""
    return f"""## The draw of the early

{figure("shuffle", "Rank correlation of arrival and order")}
{found.draws:,} draws of the order of {found.people:,} people, each with a seed and an outside value of its own:
Spearman's rank correlation of arrival and order. By chance it would be 0 on average, with a standard deviation of
{(found.people - 1) ** -0.5:.4f} from draw to draw; it was {found.mean:+.5f}, and {found.deviation:.4f}.
"""
