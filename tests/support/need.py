"""One way to do without a part: skip with the reason on a laptop, fail where everything is required."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def need(part: str, reason: str) -> NoReturn:
    """Skip the test because ``part`` is missing; with SEATLOCK_REQUIRE_ALL=1, as in CI, fail it instead."""
    if os.environ.get("SEATLOCK_REQUIRE_ALL") == "1":
        pytest.fail(f"{part} is required here but missing: {reason}", pytrace=False)
    pytest.skip(f"{part}: {reason}")
