"""The draw of the early: fair, and recomputed by anyone; whatever was changed in the record is noticed."""

from __future__ import annotations

import random
import statistics
from collections import Counter
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatlock.errors import InvalidRequest
from seatlock.waiting_room import draw as module
from seatlock.waiting_room.draw import BITS, TAG_BYTES, Draw, commitment_of, digest_of, key_of, number_of, tag_of

PEOPLE = 20
DRAWS = 1000


def record(holders: list[str], seed: str = "seed", outside: str = "beacon", show: str = "gala") -> Draw:
    """The record of a draw, as the room makes it."""
    tags = [tag_of(show, holder) for holder in sorted(holders, key=str.encode)]
    return Draw(show, commitment_of(seed), seed, outside, digest_of(tags), b"".join(tags))


def positions(drawn: Draw, holders: list[str]) -> list[int]:
    at = {tag: position for position, tag in enumerate(drawn.order(), 1)}
    return [at[tag_of(drawn.show, holder)] for holder in holders]


def correlation(found: list[int]) -> float:
    """Spearman's: of the order in which people came and the order that was drawn."""
    return statistics.correlation(range(len(found)), found)


def test_arrival_says_nothing_about_the_order() -> None:
    """Whatever changes from draw to draw: the seed, the value from outside, or the names."""
    chance = random.Random(20)
    people = [f"fan-{number:03d}" for number in range(PEOPLE)]
    draws = {
        "seeds": [positions(record(people, seed=chance.randbytes(32).hex()), people) for _ in range(DRAWS)],
        "values": [positions(record(people, outside=f"round {number}"), people) for number in range(DRAWS)],
        "names": [
            positions(record(named), named)
            for named in ([f"{number}-{one}" for one in people] for number in range(DRAWS))
        ],
    }
    for kind, found in draws.items():
        mean = statistics.fmean(map(correlation, found))
        assert abs(mean) < 4 / (DRAWS * (PEOPLE - 1)) ** 0.5, kind
        cells = Counter((who, position) for one in found for who, position in enumerate(one))
        expected = DRAWS / PEOPLE
        squares = sum((cells[who, at] - expected) ** 2 for who in range(PEOPLE) for at in range(1, PEOPLE + 1))
        freedom = (PEOPLE - 1) ** 2
        assert abs(squares / expected - freedom) < 5 * (2 * freedom) ** 0.5, f"{kind}: every position is as likely"
        neighbours = statistics.fmean(abs(one - other) for order in found for one, other in pairwise(order))
        assert abs(neighbours - (PEOPLE + 1) / 3) < 0.2, f"{kind}: those who came together are not drawn together"


def test_a_sound_record_is_sound() -> None:
    people = [f"fan-{number}" for number in range(50)]
    drawn = record(people)
    assert drawn.check() == []
    assert len(drawn.order()) == 50
    assert [drawn.position(holder) for holder in people] == positions(drawn, people)
    assert drawn.position("nobody") is None
    assert record(people[::-1]) == drawn, "the order in which they came is not in it"


def test_the_order_is_that_of_the_numbers_as_the_docstring_says() -> None:
    """A second implementation, from the description alone."""
    import hmac  # noqa: PLC0415 - stands for another program
    from hashlib import sha256  # noqa: PLC0415 - likewise

    people = ["ada", "bo", "cy", "ß", "日本"]
    key = sha256(b"seatlock order\nseed\nbeacon").digest()

    def number(holder: str) -> int:
        tag = sha256(f"gala\n{holder}".encode()).digest()
        return int(hmac.new(key, tag, sha256).hexdigest()[:16], 16) // 2**15

    expected = sorted(people, key=lambda holder: (number(holder), holder.encode()))
    drawn = record(people)
    assert [drawn.position(holder) for holder in expected] == [1, 2, 3, 4, 5]


@given(st.integers(0, 9), st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_another_id_is_noticed(at: int, other: str) -> None:
    people = [f"fan-{number}" for number in range(10)]
    drawn = record(people)
    if other in people:
        return
    tags = bytearray(drawn.tags)
    tags[at * TAG_BYTES : (at + 1) * TAG_BYTES] = tag_of("gala", other)
    changed = msgspec.structs.replace(drawn, tags=bytes(tags))
    assert changed.check() == ["the participants are not those whose digest was published"]


@given(st.integers(0, 10 * TAG_BYTES * 8 - 1))
def test_a_changed_bit_of_the_list_is_noticed(bit: int) -> None:
    drawn = record([f"fan-{number}" for number in range(10)])
    tags = bytearray(drawn.tags)
    tags[bit // 8] ^= 1 << bit % 8
    assert msgspec.structs.replace(drawn, tags=bytes(tags)).check() != []


@given(st.text(max_size=70))
def test_another_seed_is_noticed(seed: str) -> None:
    drawn = record(["ada", "bo"])
    if seed == drawn.seed:
        return
    try:
        found = msgspec.structs.replace(drawn, seed=seed).check()
    except UnicodeEncodeError:  # no record that was read from a file has such a seed
        return
    assert found == ["the seed is not the one that was committed to"]


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_another_outside_value_gives_another_order(outside: str) -> None:
    """It cannot be committed to, for nobody knows it before: it is public, and with another one no position fits."""
    people = [f"fan-{number}" for number in range(60)]
    drawn = record(people)
    if outside == drawn.outside:
        return
    changed = msgspec.structs.replace(drawn, outside=outside)
    assert changed.check() == []
    same = sum(one == other for one, other in zip(positions(drawn, people), positions(changed, people), strict=True))
    assert same < 15


@pytest.mark.parametrize("change", ["added", "left out", "swapped", "doubled"])
def test_another_list_is_noticed(change: str) -> None:
    drawn = record([f"fan-{number}" for number in range(10)])
    tags = [drawn.tags[at : at + TAG_BYTES] for at in range(0, len(drawn.tags), TAG_BYTES)]
    changed = {
        "added": [*tags, tag_of("gala", "friend")],
        "left out": tags[:4] + tags[5:],
        "swapped": [tags[1], tags[0], *tags[2:]],
        "doubled": [*tags, tags[3]],
    }[change]
    found = msgspec.structs.replace(drawn, tags=b"".join(changed)).check()
    assert "the participants are not those whose digest was published" in found
    assert ("a participant is on the list twice" in found) == (change == "doubled")


def test_who_is_on_a_published_list_twice_is_noticed() -> None:
    assert record(["ada", "bo", "ada"]).check() == ["a participant is on the list twice"]


def test_tags_that_are_cut_off_are_none() -> None:
    drawn = record(["ada", "bo"])
    broken = msgspec.structs.replace(drawn, tags=drawn.tags[:-1])
    for ask in (broken.check, broken.order, lambda: broken.position("ada")):
        with pytest.raises(InvalidRequest, match="no multiple of 32"):
            ask()


def test_names_are_not_in_the_record() -> None:
    drawn = record(["ada@example.com", "bo@example.com"])
    assert b"example" not in msgspec.json.encode(drawn)
    assert tag_of("gala", "ada") != tag_of("other", "ada"), "nor can people be followed from show to show"


def test_equal_numbers_go_by_the_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BITS", 1)  # two numbers for thirty people
    people = sorted(f"fan-{number}" for number in range(30))
    drawn = record(people)
    key = key_of("seed", "beacon")
    expected = sorted(people, key=lambda holder: (number_of(key, tag_of("gala", holder)), holder))
    assert [drawn.position(holder) for holder in expected] == list(range(1, 31))


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_numbers_are_small_enough_for_lua(key: bytes, tag: bytes) -> None:
    assert 0 <= number_of(key, tag) < 2**BITS
