"""Relays in processes of their own, paused and killed wherever they are, while a sale goes on."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from seatlock import new_token
from seatlock.outbox.events import BookingEvent, decode_event
from tests.ledger.databases import query
from tests.outbox.a_relay import told_of
from tests.outbox.works import SEATS, Works
from tests.support.waiting import until

ROOT = Path(__file__).parents[2]
PAUSES = 8


@contextmanager
def relay_of(works: Works) -> Iterator[subprocess.Popen[bytes]]:
    """A relay of a show, ended with the block."""
    command = [sys.executable, "-m", "tests.outbox.a_relay", works.server.url, works.url, works.show]
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}) as child:
        try:
            yield child
        finally:
            if child.poll() is None:
                child.send_signal(signal.SIGCONT)
                child.kill()


class Sale(threading.Thread):
    """Sells, and takes back, seat by seat, until it is told to end; knows what brokers are to hear of each seat."""

    def __init__(self, works: Works, seed: int) -> None:
        super().__init__(daemon=True)
        self.works, self.chance = works, random.Random(seed)
        self.over = threading.Event()
        self.wanted: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        self.sold: dict[str, str] = {}

    def run(self) -> None:
        while not self.over.is_set():
            seat = self.chance.choice(SEATS)
            if self.works.left() > 60:
                continue  # so that relays are never far behind
            if seat not in self.sold:
                booking = self.works.buy(seat, holder=new_token())
                self.sold[seat] = booking.id
                self.wanted[seat].append(("confirmed", booking.id))
                if self.chance.random() < 0.9:
                    self.works.locker.cancel(booking)
                    self.wanted[seat].append(("cancelled", booking.id))
                    del self.sold[seat]
            elif len(self.sold) == len(SEATS):
                return


@pytest.mark.parametrize("seed", range(2))
def test_relays_that_are_paused_and_killed(works_of: Callable[..., Works], seed: int) -> None:
    works = works_of("postgresql")
    chance = random.Random(seed)

    with ExitStack() as stack:
        relays = [stack.enter_context(relay_of(works)) for _ in range(2)]
        sale = Sale(works, seed)
        sale.start()
        until(lambda: works.raw.llen(told_of(works.show)) > 0, "somebody works", timeout=60)
        for number in range(PAUSES):
            paused = chance.choice(relays)
            before = works.raw.llen(told_of(works.show))
            paused.send_signal(signal.SIGSTOP)
            until(
                lambda before=before: works.raw.llen(told_of(works.show)) > before + 20 or not sale.is_alive(),
                "the other one works, perhaps once the lease is over",
                timeout=60,
            )
            if number % 4 == 3:
                paused.kill()
                paused.wait()
                relays.remove(paused)
                relays.append(stack.enter_context(relay_of(works)))
            else:
                paused.send_signal(signal.SIGCONT)
        sale.over.set()
        sale.join(60)
        until(lambda: works.left() == 0, "all is settled", timeout=60)
        for child in relays:
            child.terminate()
        # one that was started a moment ago may not have heard of signals yet
        assert {child.wait(60) for child in relays} <= {0, -signal.SIGTERM}

    told: dict[str, BookingEvent] = {}
    for data in works.raw.lrange(told_of(works.show), 0, -1):
        event = decode_event(data)
        told.setdefault(event.id, event)
    heard: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for event in told.values():
        heard[event.seats[0]].append((event.kind, event.booking))
    assert heard == sale.wanted, "everything once, and of each seat in order"
    assert works.sold() == sale.sold
    noted = query(works.ledger, "SELECT seat, what, booking FROM audit WHERE show = :show", show=works.show)
    assert len(noted) == len({tuple(each) for each in noted}) == sum(map(len, sale.wanted.values())), "no row twice"
    works.settled()
    works.raw.delete(told_of(works.show))
