"""The draw of the early: the rank correlation of arrival and order, over many draws."""

from __future__ import annotations

import random
import statistics
from typing import Final

from loadtests.bench.progress import say
from loadtests.bench.results import Shuffle
from loadtests.bench.settings import Settings
from seatlock.waiting_room.draw import key_of, number_of, tag_of

BINS: Final = 41


def correlations(draws: int, people: int) -> list[float]:
    """Spearman's, of each draw."""
    chance = random.Random(draws)
    tags = [tag_of("show", f"user-{number:08d}") for number in range(people)]
    found = []
    for _ in range(draws):
        key = key_of(chance.randbytes(32).hex(), chance.randbytes(32).hex())
        order = sorted(range(people), key=lambda who: number_of(key, tags[who]))
        found.append(statistics.correlation(order, range(people)))
    return found


def measure(settings: Settings) -> Shuffle:
    """Draw, and count."""
    found = correlations(settings.draws, settings.draw_people)
    most = 6 / (settings.draw_people - 1) ** 0.5
    counts = [0] * BINS
    for one in found:
        counts[min(BINS - 1, max(0, int((one + most) / (2 * most) * BINS)))] += 1
    mean, deviation = statistics.fmean(found), statistics.stdev(found)
    say(f"shuffle: mean correlation {mean:+.5f}, {deviation:.4f} from draw to draw")
    return Shuffle(settings.draws, settings.draw_people, mean, deviation, most, counts)
