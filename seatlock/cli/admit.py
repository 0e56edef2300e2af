"""`seatlock admit`: the pump of a waiting room; lines that move on a terminal, elsewhere a line now and then."""

from __future__ import annotations

import shlex
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from seatlock.cli.connection import Desk, Usher
from seatlock.cli.options import DEFAULT_NAMESPACE, DEFAULT_REDIS, Namespace, Redis, Show
from seatlock.cli.room import figures, reserve
from seatlock.cli.terminal import terminal
from seatlock.errors import SeatLockError
from seatlock.waiting_room.draw import Draw
from seatlock.waiting_room.model import Admission, Served
from seatlock.waiting_room.pump import OUTLASTED
from seatlock.waiting_room.record import to_json

REFRESH = 0.5  # seconds between two pictures
REPORT = 10.0  # seconds between two lines where there is no terminal
LOOK_EVERY = 2.0  # seconds for which one look at the seats is good
OUTSIDE_TIMEOUT = 30.0  # seconds that the command of --outside may take
MOST = 10**9  # passes in time that a bound can be

Seats = Annotated[
    bool, typer.Option("--seats", help="Keep no more passes in time than there are seats free or expected back.")
]
Returns = Annotated[
    float,
    typer.Option("--returns", min=0.0, max=1.0, metavar="PART", help="With --seats: the part of holds that come back."),
]
Outside = Annotated[
    str | None,
    typer.Option(
        "--outside",
        metavar="COMMAND",
        help="For the draw at the time of room-open --at: a command that is run once the early time has ended, and "
        "prints what nobody could know before, such as a public beacon's value.",
        show_default=False,
    ),
]
Record = Annotated[
    Path | None,
    typer.Option(
        "--record",
        metavar="FILE",
        help="Where to write the public record of that draw, if this pump opens the room.",
        show_default=False,
    ),
]


class Opener(Usher):
    """What `run` opens a room with, and where the record of the draw goes."""

    note = ""
    _command: str | None = None
    _record: Path | None = None

    def prepare_draw(self, show: str, outside: str | None, record: Path | None) -> None:
        """See whether the record can be written, unless the room has been opened before: then nothing is drawn."""
        self._command = outside
        if record is not None and self.served(show).room in ("early", "drawing"):
            reserve(record).close()
            record.unlink()  # a file of a pump that was ended before its draw would be in the way of the next one
            self._record = record

    @property
    def outside(self) -> Callable[[], str] | None:
        """What gives the value from outside, where there is a command for it."""
        return None if self._command is None else partial(printed, self._command)

    def keep(self, drawn: Draw | None) -> None:
        """Write the record of a draw."""
        if drawn is None:
            return
        where = f"seatlock room-record {drawn.show} FILE writes its record."
        if self._record is not None:
            try:
                with self._record.open("xb") as file:
                    file.write(to_json(drawn))
                where = f"its record is {self._record}."
            except OSError as error:
                where = f"{self._record} cannot be written ({error.strerror}): {where}"
        self.note = f"The order of {drawn.count:,} people who came early was drawn; {where}"


def printed(command: str) -> str:
    """What a command prints. Raises where it fails, takes too long or prints nothing."""
    done = subprocess.run(  # noqa: S603 - the operator's own
        shlex.split(command), capture_output=True, text=True, timeout=OUTSIDE_TIMEOUT, check=True
    )
    if not (value := done.stdout.strip()):
        raise ValueError(f"{command} printed nothing")
    return value


class Stock:
    """How many passes the seats that are left are good for: the free ones, and a part of those on hold."""

    def __init__(self, desk: Desk, show: str, returns: float) -> None:
        self._desk, self._show, self._returns = desk, show, returns
        self._until = 0.0
        self.most = 0

    def __call__(self) -> int:
        """Look at the seats, unless that was done a moment ago."""
        now = time.monotonic()
        if now >= self._until:
            found = self._desk.availability(self._show)
            free = found.counts["free"] + sum(pool.free for pool in found.pools.values())
            held = found.counts["held"] + sum(pool.held for pool in found.pools.values())
            self.most = min(free + round(held * self._returns), MOST)
            self._until = now + LOOK_EVERY
        return self.most


class Work:
    """A pump that runs in a thread of its own, and what it has done."""

    def __init__(self, usher: Opener, show: str, stock: Stock | None) -> None:
        self.usher, self.show, self.stock = usher, show, stock
        self.begun = time.monotonic()
        self.let_in = 0
        self.over = False  # whether it was seen to have ended by itself
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=f"seatlock admit {show}", daemon=True)

    def start(self) -> None:
        """Begin to let people in."""
        self._thread.start()

    def over_within(self, seconds: float) -> bool:
        """Wait so long at most: whether it has ended by itself."""
        self._thread.join(seconds)
        self.over = not self._thread.is_alive()
        return self.over

    def end(self) -> None:
        """Let nobody in any more. Raises what ended it before."""
        self._stop.set()
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self.usher.run(
                self.show,
                stop=self._stop,
                most_live=self.stock,
                on_admission=self._note,
                outside=self.usher.outside,
                on_open=self.usher.keep,
            )
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits for it
            self._error = error

    def _note(self, admission: Admission) -> None:
        self.let_in += len(admission.admitted)

    def summary(self) -> str:
        """What it did."""
        seconds = time.monotonic() - self.begun
        return f"Let in to {self.show} from here: {self.let_in:,}, in {seconds:,.0f} s."


def admit(
    show: Show,
    redis: Redis = DEFAULT_REDIS,
    namespace: Namespace = DEFAULT_NAMESPACE,
    seats: Seats = False,
    returns: Returns = 0.7,
    outside: Outside = None,
    record: Record = None,
) -> None:
    """Let people in, until Ctrl-C or the room is closed: the pump of a waiting room. Run as many as you like."""
    with ExitStack() as opened:
        usher = opened.enter_context(Opener.at(redis, namespace))
        served = usher.served(show)  # also tells at once what is wrong
        stock = None
        if seats:
            stock = Stock(opened.enter_context(Desk.at(redis, namespace)), show, returns)
            stock()
        usher.prepare_draw(show, outside, record)
        work = Work(usher, show, stock)
        try:
            work.start()
            _watch(work, served)
        except KeyboardInterrupt:  # how one ends it
            pass
        finally:
            try:
                work.end()
            finally:
                if usher.note and terminal.out.is_terminal:
                    terminal.say(usher.note)
                terminal.say(work.summary())
        if work.over:
            terminal.say(f"The waiting room of {show} is {usher.served(show).room.replace('_', ' ')}.")


def _watch(work: Work, served: Served) -> None:
    if not terminal.out.is_terminal:
        _report(work, served)
        return
    trouble = ""
    with Live(console=terminal.out, auto_refresh=False, transient=True) as picture:
        while True:
            picture.update(_picture(work, served, trouble), refresh=True)
            if work.over_within(REFRESH):
                return
            try:
                served, trouble = work.usher.served(work.show), ""
            except OUTLASTED as error:
                trouble = str(error)
            except SeatLockError:
                continue


def _report(work: Work, served: Served) -> None:
    """A line at the beginning, and then whenever something has changed, now and then."""
    told = noted = ""
    while True:
        if work.usher.note not in ("", noted):
            terminal.say(noted := work.usher.note)
        line = figures(served).plain
        if line != told:
            terminal.say(told := line)
        if work.over_within(REPORT):
            if work.usher.note not in ("", noted):
                terminal.say(work.usher.note)
            return
        try:
            served = work.usher.served(work.show)
        except SeatLockError:
            continue


def _picture(work: Work, served: Served, trouble: str) -> RenderableType:
    here = Text.assemble(
        "from here ", (f"{work.let_in:,}", "bold green"), f" in {time.monotonic() - work.begun:,.0f} s"
    )
    if work.stock is not None:
        here.append(f"  seats are good for {work.stock.most:,} passes")
    lines = [figures(served), here]
    if work.usher.note:
        lines.append(Text(work.usher.note, style="yellow"))
    if trouble:
        lines.append(Text(f"not up to date: {trouble}", style="red", no_wrap=True, overflow="ellipsis"))
    return Group(*lines, Text("Ctrl-C ends it", style="dim"))
