"""`seatlock verify-shuffle`: recomputes the order of a draw from its public record. Needs no server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seatlock.cli import FAILED
from seatlock.cli.terminal import terminal
from seatlock.errors import InvalidRequest
from seatlock.waiting_room.draw import Draw
from seatlock.waiting_room.record import from_json


def verify_shuffle(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The public record of the draw.", show_default=False)],
    holder: Annotated[
        str | None,
        typer.Option("--holder", metavar="ID", help="Tell the position of this holder.", show_default=False),
    ] = None,
    commitment: Annotated[
        str | None,
        typer.Option("--commitment", metavar="HEX", help="What was published at the beginning.", show_default=False),
    ] = None,
    digest: Annotated[
        str | None,
        typer.Option(
            "--digest", metavar="HEX", help="What was published when the early time ended.", show_default=False
        ),
    ] = None,
    outside: Annotated[
        str | None,
        typer.Option(
            "--outside", metavar="VALUE", help="What the beacon said, or whatever it was.", show_default=False
        ),
    ] = None,
    order: Annotated[
        bool, typer.Option("--order", help="List the order: a tag a line, SHA-256 of show and id.")
    ] = False,
) -> None:
    """Recompute the order in which those who came early were drawn, from the public record."""
    try:
        draw = from_json(file.read_bytes())
    except OSError as error:
        raise InvalidRequest(f"{file}: {error.strerror}.") from None
    except InvalidRequest as error:
        raise InvalidRequest(f"{file}: {error}") from None
    wrong = [*draw.check(), *_other_than_published(draw, commitment, digest, outside)]
    for complaint in wrong:
        terminal.complain(f"seatlock: {file}: {complaint}.")
    if wrong:
        raise typer.Exit(FAILED)
    if order:
        for tag in draw.order():
            terminal.say(tag.hex())
    terminal.say(f"The record fits together: show {draw.show}, {draw.count:,} people who came early.")
    terminal.say(f"commitment {_told(draw.commitment, commitment)}")
    terminal.say(f"digest {_told(draw.digest, digest)}")
    if draw.outside:
        terminal.say(f"outside value {_told(draw.outside, outside)}")
    else:
        terminal.say("No outside value was mixed in: who knew the seed could have aimed.")
    if holder is not None:
        position = draw.position(holder)
        if position is None:
            terminal.complain(f"seatlock: {holder!r} was not among those who came early.")
            raise typer.Exit(FAILED)
        terminal.say(f"{holder} was drawn to position {position:,} of {draw.count:,}.")


def _other_than_published(draw: Draw, commitment: str | None, digest: str | None, outside: str | None) -> list[str]:
    said = {"commitment": (draw.commitment, commitment), "digest": (draw.digest, digest)}
    said["outside value"] = (draw.outside, outside)
    return [
        f"its {name} is {here!r}, and not {published!r}, which was published"
        for name, (here, published) in said.items()
        if published is not None and here != published
    ]


def _told(here: str, published: str | None) -> str:
    return f"{here}: {'as published' if published is not None else 'compare it with what was published'}"
