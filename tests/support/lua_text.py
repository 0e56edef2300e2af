"""Lua as text and as bytecode: tokens, the lines that can run, the globals that are touched.

The bytecode is that of Lua 5.1, which is what every Redis runs; lupa brings the compiler.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from seatlock import _script

_TOKEN: Final = re.compile(
    r"""(?P<comment>--[^\n]*)|(?P<string>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")|(?P<number>\d+)|(?P<name>[A-Za-z_]\w*)
    |(?P<sign>\.\.\.|\.\.|==|~=|<=|>=|[-+*/%^\#<>=(){}\[\];:,.])|(?P<space>\s+)|(?P<junk>.)""",
    re.VERBOSE,
)
_INCLUDE: Final = re.compile(r"-- @include (\w+)")


class Token(NamedTuple):
    """A piece of Lua: what kind it is, its text, and where it begins."""

    kind: str
    text: str
    start: int
    line: int

    @property
    def end(self) -> int:
        """Where it ends."""
        return self.start + len(self.text)


def tokens(text: str) -> list[Token]:
    """Cut Lua into tokens, leaving out space and comments; refuses what our scripts have no use for."""
    found: list[Token] = []
    line = 1
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or "junk"
        assert kind != "junk", f"line {line}: {match[0]!r} is no Lua of ours"
        assert not match[0].startswith("--["), f"line {line}: long comments hide code from these tests"
        if kind not in ("space", "comment"):
            found.append(Token(kind, match[0], match.start(), line))
        line += match[0].count("\n")
    return found


def names() -> list[str]:
    """All scripts."""
    return sorted(path.stem for path in _script.folder().glob("*.lua"))


def files() -> list[Path]:
    """All Lua files, includes too."""
    return sorted(_script.folder().rglob("*.lua"))


def source(name: str) -> str:
    """A script as it is sent."""
    return _script.load(name).source.decode()


class Place(NamedTuple):
    """A line of a file under lua/."""

    file: str
    line: int


def origins(name: str) -> list[tuple[Place, str]]:
    """Where every line of a script as it is sent comes from, with its text."""
    lines = list(_lines(f"{name}.lua", set()))
    assert "\n".join(text for _, text in lines) == source(name).rstrip("\n"), f"{name}: includes are resolved otherwise"
    return lines


def _lines(file: str, seen: set[str]) -> Iterator[tuple[Place, str]]:
    for number, text in enumerate((_script.folder() / file).read_text("utf-8").rstrip("\n").split("\n"), start=1):
        include = _INCLUDE.fullmatch(text)
        if include is None:
            yield Place(file, number), text
        elif include[1] in seen:
            yield Place(file, number), ""
        else:
            seen.add(include[1])
            yield from _lines(f"include/{include[1]}.lua", seen)


class Bytecode(NamedTuple):
    """What a compiled script can do: the lines with an instruction, the globals that it reads and writes."""

    lines: frozenset[int]
    reads: frozenset[str]
    writes: frozenset[str]


_GETGLOBAL, _SETGLOBAL, _TFORLOOP = 5, 7, 33


@cache
def compiled(text: str) -> Bytecode:
    """Compile a script; raises what the compiler complains about."""
    from lupa import lua51  # noqa: PLC0415 - only the tests of the scripts need it

    runtime: Any = lua51.LuaRuntime(encoding=None)
    dump = runtime.eval(b"function(text) return string.dump(assert(loadstring(text, '@script'))) end")(text.encode())
    assert dump[:12] == b"\x1bLua\x51\x00\x01\x04\x08\x04\x08\x00", "bytecode of another Lua, or another machine"
    lines: set[int] = set()
    reads: set[str] = set()
    writes: set[str] = set()
    _Reader(dump, lines, reads, writes).function()
    return Bytecode(frozenset(lines), frozenset(reads), frozenset(writes))


class _Reader:
    def __init__(self, dump: bytes, lines: set[int], reads: set[str], writes: set[str]) -> None:
        self.dump, self.at = dump, 12
        self.lines, self.reads, self.writes = lines, reads, writes

    def take(self, form: str) -> Any:
        values = struct.unpack_from("<" + form, self.dump, self.at)
        self.at += struct.calcsize("<" + form)
        return values[0] if len(values) == 1 else values

    def text(self) -> str:
        size = self.take("Q")
        self.at += size
        return self.dump[self.at - size : self.at - 1].decode() if size else ""

    def constant(self) -> Any:
        kind = self.take("B")
        return self.text() if kind == 4 else self.take({0: "0s", 1: "B", 3: "d"}[kind])

    def function(self) -> None:
        self.text()
        self.take("ii4B")
        code = [self.take("I") for _ in range(self.take("i"))]
        constants = [self.constant() for _ in range(self.take("i"))]
        for instruction in code:
            if instruction & 63 == _GETGLOBAL:
                self.reads.add(constants[instruction >> 14])
            elif instruction & 63 == _SETGLOBAL:
                self.writes.add(constants[instruction >> 14])
        for _ in range(self.take("i")):
            self.function()
        numbers = [self.take("i") for _ in range(self.take("i"))]
        # The last is the return that the compiler adds to every function; TFORLOOP carries out the jump behind it.
        behind = {at + 1 for at, instruction in enumerate(code) if instruction & 63 == _TFORLOOP}
        self.lines.update(number for at, number in enumerate(numbers[:-1]) if at not in behind)
        for _ in range(self.take("i")):
            self.text(), self.take("ii")
        for _ in range(self.take("i")):
            self.text()
