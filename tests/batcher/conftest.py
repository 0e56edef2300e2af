"""What every test of the batcher has: nothing goes wrong unheard."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator

import pytest

from tests.batcher.wire import PATIENCE, Wire

from seatlock._batcher import Batcher


@pytest.fixture(autouse=True)
def _nothing_unheard(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No exception that nobody retrieved, no task that was forgotten: asyncio tells of them only in its log."""
    yield
    gc.collect()
    records = [*caplog.get_records("call"), *caplog.get_records("teardown")]
    unheard = [record for record in records if record.name == "asyncio" and record.levelno >= logging.WARNING]
    assert [record.getMessage() for record in unheard] == []


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def batcher(wire: Wire) -> Batcher:
    return Batcher(wire.carry_out, PATIENCE)
