"""Mutants that survive and may: with the reason why no test can, or should, tell them from the right script."""

from __future__ import annotations

from typing import Final

EQUIVALENT: Final[dict[tuple[str, str, str], str]] = {}
"""File, line and change, as `tests.mutation` prints them, and the reason."""
