"""Tokens are unique: over threads, forks and processes."""

from __future__ import annotations

import multiprocessing
import os
import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from seatlock import _tokens, new_token

MANY = 3 * _tokens.STOCK + 7


def minted(_: object = None) -> list[str]:
    """More tokens than are drawn at a time."""
    return [new_token() for _ in range(MANY)]


def test_a_token_is_32_hexadecimal_digits() -> None:
    tokens = minted()
    assert len(set(tokens)) == MANY
    assert all(re.fullmatch("[0-9a-f]{32}", token) for token in tokens)


def test_every_bit_varies() -> None:
    """Of 4,000 tokens each bit is set in about half: six standard deviations off would be one night in millions."""
    numbers = [int(new_token(), 16) for _ in range(4000)]
    for bit in range(128):
        assert 2000 - 190 < sum(number >> bit & 1 for number in numbers) < 2000 + 190


def test_threads_never_mint_the_same() -> None:
    start = threading.Barrier(8)

    def mint(_: int) -> list[str]:
        start.wait(10)
        return minted()

    with ThreadPoolExecutor(8) as pool:
        tokens = [token for some in pool.map(mint, range(8)) for token in some]
    assert len(set(tokens)) == 8 * MANY


@pytest.mark.parametrize("left", [0, 1, _tokens.STOCK - 1], ids=["empty", "one", "nearly full"])
def test_a_forked_child_never_mints_what_its_parent_mints(left: int) -> None:
    while len(_tokens._stock) != left:
        new_token()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, " ".join(minted()[:1000]).encode())
        finally:
            os._exit(0)
    os.close(writing)
    own = minted()
    with os.fdopen(reading) as pipe:
        theirs = pipe.read().split()
    assert os.waitpid(child, 0)[1] == 0
    assert len(theirs) == min(MANY, 1000)
    assert len({*own, *theirs}) == len(own) + len(theirs)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_never_mint_the_same(method: str) -> None:
    with multiprocessing.get_context(method).Pool(2) as pool:
        tokens = [token for some in pool.map(minted, range(4), chunksize=1) for token in some]
        pool.close()
        pool.join()
    tokens += minted()
    assert len(set(tokens)) == 5 * MANY
