"""Puts small mistakes into the scripts, one at a time, and tells which of them no test notices.

    python -m tests.mutation [FILE...] [--examples N]

A mutant is first given to the scenarios of tests/lua that run its line, over the bridge; if they notice nothing, to
``N`` random sales of tests/model. What survives both is either missing a test, or changes nothing that matters: then it
stands in `tests.mutation.equivalents`, with the reason. The exit status is 1 if one survives that does not stand there,
or if one stands there that does not survive.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from seatlock import _script
from tests.lua.house import House
from tests.lua.scenario import Scenario, scenarios
from tests.model.test_model import Sale
from tests.mutation.equivalents import EQUIVALENT
from tests.mutation.mutants import Mutant, mutants
from tests.support.clock import Clock
from tests.support.lua_bridge import LuaBridge
from tests.support.lua_text import Place, files, names
from tests.support.servers import RedisServer, backend

MOST_CALLS: Final = 5_000  # scripts that a scenario runs at most: some mistakes make a loop endless


class ShortBridge(LuaBridge):
    """A bridge that gives up on endless loops."""

    calls = 0

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Run a script, if it is not one too many."""
        self.calls += 1
        assert self.calls <= MOST_CALLS, "the scenario never ends"
        return super().execute_command(*args, **options)


class Range:
    """Where mutants are shot at: a server, a bridge, and a copy of the scripts that the package uses meanwhile."""

    def __init__(self, server: RedisServer, clock: Clock, folder: Path, examples: int) -> None:
        self.server, self.clock, self.folder, self.examples = server, clock, folder, examples
        self.raw = server.unix_client()
        self.scenarios: dict[Place, list[Scenario]] = defaultdict(list)
        self.kills: dict[str, Counter[str]] = defaultdict(Counter)

    def look_around(self) -> None:
        """Find out which scenario runs which lines; all of them pass, as nothing is wrong yet."""
        for scenario in scenarios():
            bridge = ShortBridge(str(self.server.socket), names())
            assert self.passes(scenario, bridge), f"{scenario.name} fails without any mutant"
            for place in bridge.ran:
                self.scenarios[place].append(scenario)
        assert self.sales_pass(), "the model fails without any mutant"

    def passes(self, scenario: Scenario, bridge: ShortBridge) -> bool:
        """Whether a scenario notices nothing."""
        self.clock.reset()
        self.raw.flushall()
        bridge.calls = 0
        try:
            house = House(bridge, self.raw, self.clock)
            scenario.run(house)
            house.audit()
        except Exception:  # noqa: BLE001 - whatever goes wrong, it was noticed
            return False
        finally:
            self.raw.execute_command("ACL", "SETUSER", "default", "reset", "on", "nopass", "~*", "&*", "+@all")
            bridge.close()
        return True

    def sales_pass(self) -> bool:
        """Whether random sales go as the model says."""
        if not self.examples:
            return True
        sale = type("Sale", (Sale,), {"server": self.server, "clock": self.clock, "replies_lost": 0})
        quick = settings(
            max_examples=self.examples,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
            print_blob=False,
        )
        try:
            run_state_machine_as_test(sale, settings=quick)
        except Exception:  # noqa: BLE001 - as above
            return False
        return True

    @contextmanager
    def shot(self, mutant: Mutant) -> Iterator[None]:
        """Let the package use the scripts with one mistake in them."""
        path = self.folder / mutant.file
        right = path.read_text("utf-8")
        path.write_text(mutant.apply(right), "utf-8")
        _script.load.cache_clear()
        try:
            yield
        finally:
            path.write_text(right, "utf-8")
            _script.load.cache_clear()

    def killer(self, mutant: Mutant) -> str | None:
        """Who notices a mutant: a scenario, the model, or nobody."""
        lines = {Place(mutant.file, mutant.line + more) for more in range(mutant.new.count("\n") + 1)}
        concerned = {each.name: each for line in lines for each in self.scenarios[line]}
        kills = self.kills[mutant.file]  # whoever noticed mistakes in this file is asked first
        with self.shot(mutant):
            bridge = ShortBridge(str(self.server.socket), [])
            for scenario in sorted(concerned.values() or scenarios(), key=lambda each: -kills[each.name]):
                if not self.passes(scenario, bridge):
                    kills[scenario.name] += 1
                    return scenario.name
            return None if self.sales_pass() else "model"


def main() -> int:
    """Shoot, and report."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("files", nargs="*", help="only these: acquire.lua, include/lock.lua")
    parser.add_argument("--examples", type=int, default=30, help="random sales for what the scenarios let pass")
    options = parser.parse_args()

    logging.disable()  # the package may well complain of scripts with mistakes
    root = _script.folder()
    wanted = [path for path in files() if not options.files or str(path.relative_to(root)) in options.files]
    everyone = [mutant for path in wanted for mutant in mutants(path, root)]
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory, "lua")
        shutil.copytree(root, copy)
        clock = Clock(Path(directory))
        with RedisServer(backend("redis-7"), env=clock.env) as server:
            survivors, by = _shoot(Range(server, clock, copy, options.examples), everyone, copy)

    unexplained = [mutant for mutant in survivors if mutant.key not in EQUIVALENT]
    seen = {mutant.key for mutant in survivors}
    shot_at = {mutant.file for mutant in everyone}
    stale = [key for key in EQUIVALENT if key not in seen and key[0] in shot_at]
    for key in stale:
        say(f"listed, but no survivor  {key}")
    equivalent = len(survivors) - len(unexplained)
    killed = len(everyone) - len(survivors)
    say(
        f"{len(everyone)} mutants in {time.monotonic() - started:.0f} s: {killed} killed, {by['model']} of them by the "
        f"model only; {equivalent} equivalent, {len(unexplained)} survived: "
        f"score {killed / max(1, len(everyone) - equivalent):.1%}"
    )
    return 1 if unexplained or stale else 0


def _shoot(shooting: Range, everyone: list[Mutant], copy: Path) -> tuple[list[Mutant], dict[str, int]]:
    by: dict[str, int] = defaultdict(int)
    survivors = []
    usual = _script.folder
    _script.folder = lambda: copy
    _script.load.cache_clear()
    try:
        shooting.look_around()
        for number, mutant in enumerate(everyone, start=1):
            killer = shooting.killer(mutant)
            by[killer or ""] += 1
            if killer is None:
                survivors.append(mutant)
                if mutant.key not in EQUIVALENT:
                    say(f"survived  {mutant}")
            if number % 50 == 0:
                say(f"{number} of {len(everyone)}: {len(survivors)} survive")
        assert shooting.sales_pass(), "the model fails without any mutant"
    finally:
        _script.folder = usual
        _script.load.cache_clear()
    return survivors, by


def say(line: str) -> None:
    """Tell whoever waits."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
