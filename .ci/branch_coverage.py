"""Says how many of the package's branches the last test run took; exits with 1 if too few.

usage: branch_coverage.py PERCENT

Coverage's own threshold counts lines and branches together, so many covered lines could hide uncovered branches.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path


def branches() -> tuple[int, int]:
    """Return how many branches were taken, and how many there are."""
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "coverage.json"
        subprocess.run([sys.executable, "-m", "coverage", "json", "--quiet", "-o", report], check=True)  # noqa: S603
        totals = json.loads(report.read_bytes())["totals"]
    return totals["covered_branches"], totals["num_branches"]


def main() -> int:
    """Compare with the percentage asked for."""
    wanted = float(sys.argv[1])
    covered, total = branches()
    share = 100 * covered / total if total else 100.0
    print(f"branches: {covered} of {total} taken, {share:.1f} % (at least {wanted:g} % wanted)")
    return 0 if share >= wanted else 1


if __name__ == "__main__":
    sys.exit(main())
