"""`seatlock room` and its kin: a waiting room made, opened, paused, closed and looked at."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Annotated

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from seatlock.cli.connection import Usher
from seatlock.cli.options import DEFAULT_NAMESPACE, DEFAULT_REDIS, Namespace, Redis, Show
from seatlock.cli.sale import moment_of
from seatlock.cli.terminal import terminal
from seatlock.errors import ShowNotFound
from seatlock.waiting_room.draw import Draw
from seatlock.waiting_room.model import BIG_SALE, RoomSettings, Served
from seatlock.waiting_room.record import to_json


def room(
    show: Show,
    redis: Redis = DEFAULT_REDIS,
    namespace: Namespace = DEFAULT_NAMESPACE,
    big_sale: Annotated[
        bool, typer.Option("--big-sale", help="1,000 every five seconds, ten million in the line.")
    ] = False,
    rate: Annotated[
        int | None, typer.Option(metavar="N", help="Admissions in --per seconds.", show_default=False)
    ] = None,
    per: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="The seconds of --rate.", show_default=False)
    ] = None,
    burst: Annotated[
        int | None, typer.Option(metavar="N", help="Admissions at once, at most.", show_default=False)
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option(metavar="N", help="Passes in time, at most; 0 for no bound.", show_default=False)
    ] = None,
    batch: Annotated[
        int | None, typer.Option(metavar="N", help="Admissions in one call, at most.", show_default=False)
    ] = None,
    max_length: Annotated[
        int | None, typer.Option(metavar="N", help="People in the line, at most.", show_default=False)
    ] = None,
    reservation: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="How long an admission waits for its holder.", show_default=False),
    ] = None,
    pass_ttl: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="How long a pass is in time.", show_default=False)
    ] = None,
    renewals: Annotated[
        int | None, typer.Option(metavar="N", help="How often a pass can be renewed.", show_default=False)
    ] = None,
    grace: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Silent for longer is passed over.", show_default=False)
    ] = None,
    keep: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Silent for longer loses the place.", show_default=False)
    ] = None,
    poll: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="How often clients are told to ask.", show_default=False)
    ] = None,
    required: Annotated[
        bool | None,
        typer.Option(
            "--required/--not-required",
            help="Sell only to those who were let in, or to everybody.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Make the waiting room of a show, or change its settings: those that are not named stay as they are."""
    wanted = {
        "rate": rate,
        "per": per,
        "burst": burst,
        "batch": batch,
        "max_length": max_length,
        "reservation": reservation,
        "pass_ttl": pass_ttl,
        "renewals": renewals,
        "grace": grace,
        "keep": keep,
        "poll": poll,
    }
    changes = {name: value for name, value in wanted.items() if value is not None}
    with Usher.at(redis, namespace) as usher:
        try:
            before: RoomSettings | None = usher.settings(show)
        except ShowNotFound:
            before = None
        settings = msgspec.structs.replace(BIG_SALE if big_sale else before or RoomSettings(), **changes)
        if concurrency is not None:
            settings = msgspec.structs.replace(settings, concurrency=concurrency or None)
        commitment = usher.prepare(show, settings, required=required)
        asked = usher.asks_for_passes(show)
    terminal.say(f"The waiting room of {show} is {'made' if before is None else 'as you want it'}.")
    terminal.out.print(_settings(settings))
    if asked:
        terminal.say("The sale takes holds only from those who were let in.")
    else:
        terminal.say("The sale takes holds from everybody, let in or not: --required changes that.")
    terminal.say(f"Commitment to the seed of its draw, to be published before anybody comes:\n{commitment}")


def _settings(settings: RoomSettings) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_row("let in", f"{settings.rate:,} in {settings.per:g} s, {settings.burst:,} at once")
    table.add_row("a call", f"{settings.batch:,} at most")
    bound = "no bound" if settings.concurrency is None else f"{settings.concurrency:,} at most"
    table.add_row("passes in time", bound)
    table.add_row("line", f"{settings.max_length:,} people at most")
    table.add_row(
        "a pass", f"{settings.pass_ttl:g} s, renewed {settings.renewals} times; {settings.reservation:g} s to show up"
    )
    table.add_row("silent", f"{settings.grace:g} s: passed over; {settings.keep:g} s: the place is gone")
    table.add_row("clients ask", f"every {settings.poll:g} s")
    return table


def room_close_early(show: Show, redis: Redis = DEFAULT_REDIS, namespace: Namespace = DEFAULT_NAMESPACE) -> None:
    """End the early time: whoever comes from now on is behind all who are there. Gives their digest, to publish."""
    with Usher.at(redis, namespace) as usher:
        early = usher.close_early(show)
    terminal.say(
        f"{early.count:,} people came early to the waiting room of {show}; those who come now are behind them."
    )
    terminal.say(f"Digest of their list, to be published before the outside value can be known:\n{early.digest}")


def room_open(
    show: Show,
    redis: Redis = DEFAULT_REDIS,
    namespace: Namespace = DEFAULT_NAMESPACE,
    outside: Annotated[
        str | None,
        typer.Option(
            "--outside",
            metavar="VALUE",
            help="What nobody could know when the early time ended, such as a public beacon's value.",
            show_default=False,
        ),
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option(
            "--record",
            metavar="FILE",
            help="Where to write the public record of the draw; room-record writes it later, too.",
            show_default=False,
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="TIME",
            help="Not now: the pumps open it then, by the server's clock; such as 2027-05-01T10:00:00+02:00. "
            "never forgets the time.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Let people in from now on. The first time, the order of those who came early is drawn."""
    if at is not None:
        if outside is not None or record is not None:
            raise typer.BadParameter("whoever opens it then draws: give these to seatlock admit", param_hint="--at")
        _open_at(show, redis, namespace, at)
        return
    with Usher.at(redis, namespace) as usher:
        drawn = usher.open(show, outside=outside) if record is None else _recorded(usher, show, outside, record)
    terminal.say(f"The waiting room of {show} is open; seatlock admit {show} lets people in.")
    if drawn is not None:
        terminal.say(f"The order of {drawn.count:,} people who came early was drawn. Seed: {drawn.seed}")
        _told_of(drawn, record)
    elif record is not None:
        terminal.say(f"Nobody was early, so {record} was not written.")


def _told_of(drawn: Draw, record: Path | None) -> None:
    if record is None:
        terminal.say(f"seatlock room-record {drawn.show} FILE writes its public record.")
    else:
        terminal.say(f"Its public record is {record}; seatlock verify-shuffle {record} recomputes it.")
    if not drawn.outside:
        terminal.say("No outside value was given, so who knew the seed could have aimed.")


def room_record(
    show: Show,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it.", show_default=False)],
    redis: Redis = DEFAULT_REDIS,
    namespace: Namespace = DEFAULT_NAMESPACE,
) -> None:
    """Write the public record of the draw of those who came early, at any time after it, until the show is retired."""
    with Usher.at(redis, namespace) as usher:
        drawn = usher.draw_record(show)
    with reserve(file, "FILE") as record:
        record.write(to_json(drawn))
    terminal.say(f"The order of {drawn.count:,} people who came early to {show} was drawn.")
    _told_of(drawn, file)


def _open_at(show: str, redis: str, namespace: str, at: str) -> None:
    moment = None if at == "never" else moment_of(at)
    with Usher.at(redis, namespace) as usher:
        usher.open_at(show, moment)
        early = usher.undrawn(show)
    if moment is None:
        terminal.say(f"The waiting room of {show} does not open by itself.")
        return
    terminal.say(f"The waiting room of {show} is opened by its pumps at {moment.isoformat()}.")
    terminal.say(f"{early:,} people are early by now; the pump that opens it draws their order.")


def reserve(record: Path, hint: str = "--record") -> IO[bytes]:
    """Make the file of a record; one that is there already is not replaced."""
    try:
        return record.open("xb")
    except OSError as error:
        raise typer.BadParameter(f"{record} cannot be written: {error.strerror}", param_hint=hint) from None


def _recorded(usher: Usher, show: str, outside: str | None, record: Path) -> Draw | None:
    """Open a room, and write down its draw in a file: where that cannot be made, the room is not opened."""
    file, drawn = reserve(record), None
    try:
        with file:
            drawn = usher.open(show, outside=outside)
            if drawn is not None:
                file.write(to_json(drawn))
    finally:
        if drawn is None:
            record.unlink()
    return drawn


def room_pause(show: Show, redis: Redis = DEFAULT_REDIS, namespace: Namespace = DEFAULT_NAMESPACE) -> None:
    """Let nobody in for the moment; places stay, and people may join."""
    with Usher.at(redis, namespace) as usher:
        usher.pause(show)
    terminal.say(f"The waiting room of {show} is paused; places stay, and people may join.")


def room_close(show: Show, redis: Redis = DEFAULT_REDIS, namespace: Namespace = DEFAULT_NAMESPACE) -> None:
    """Let nobody in and nobody join any more; passes stay in time."""
    with Usher.at(redis, namespace) as usher:
        usher.close_room(show)
    terminal.say(f"The waiting room of {show} is closed; passes stay in time.")


def room_sold_out(show: Show, redis: Redis = DEFAULT_REDIS, namespace: Namespace = DEFAULT_NAMESPACE) -> None:
    """Tell all who wait that the show is sold out; nobody is let in, and nobody can join."""
    with Usher.at(redis, namespace) as usher:
        usher.sold_out(show)
    terminal.say(f"All who wait for {show} learn that it is sold out.")


def room_status(show: Show, redis: Redis = DEFAULT_REDIS, namespace: Namespace = DEFAULT_NAMESPACE) -> None:
    """Show how a waiting room is: who waits, who was let in, how fast, and its settings."""
    with Usher.at(redis, namespace) as usher:
        served, undrawn = usher.served(show), usher.undrawn(show)
        settings, asked = usher.settings(show), usher.asks_for_passes(show)
    terminal.out.print(figures(served, undrawn))
    terminal.out.print()
    terminal.out.print(_settings(settings))
    terminal.out.print(Text(f"the sale takes holds {'only from those who were let in' if asked else 'from everybody'}"))


def figures(served: Served, undrawn: int = 0) -> Text:
    """A room in a few numbers."""
    pace = "pace unknown" if served.pace is None else f"{served.pace:,.1f} places a second"
    told = Text.assemble((served.show, "bold"), f"  {served.room.replace('_', ' ')}  ")
    if undrawn:
        told.append_text(Text.assemble("early ", (f"{undrawn:,}", "bold yellow"), "  "))
    return told.append_text(
        Text.assemble(
            *("waiting ", (f"{served.length:,}", "bold cyan"), "  passes in time "),
            *((f"{served.live:,}", "bold green"), "  let in ", (f"{served.admitted:,}", "bold"), f"  {pace}"),
        )
    )
