"""Loads the Lua scripts, resolves their includes and computes the SHA that EVALSHA asks for.

``-- @include name`` in a script stands for ``lua/include/name.lua``, once a script. In a wheel the folder is
``seatlock/lua``; in a checkout and in an editable install it stands beside the package.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

_INCLUDE: Final = re.compile(r"^-- @include (\w+)$", re.MULTILINE)


class Script(msgspec.Struct, frozen=True):
    """One script, ready to send."""

    name: str
    source: bytes
    sha: bytes


def folder() -> Path:
    """The folder that holds the scripts."""
    package = Path(__file__).resolve().parent
    for candidate in (package / "lua", package.parent / "lua"):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"seatlock's Lua scripts are missing: {package / 'lua'} is not there; reinstall seatlock.")


def resolve(text: str, root: Path, seen: set[str]) -> str:
    """Replace every include by its file, each file once, in the order of first mention."""

    def included(match: re.Match[str]) -> str:
        name = match[1]
        if name in seen:
            return ""
        seen.add(name)
        return resolve((root / "include" / f"{name}.lua").read_text("utf-8"), root, seen).rstrip("\n")

    return _INCLUDE.sub(included, text)


@cache
def load(name: str) -> Script:
    """Read the script ``name`` with its includes; cached for the life of the process."""
    root = folder()
    source = resolve((root / f"{name}.lua").read_text("utf-8"), root, set()).encode()
    return Script(name, source, hashlib.sha1(source, usedforsecurity=False).hexdigest().encode())
