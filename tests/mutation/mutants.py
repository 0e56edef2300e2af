"""Small mistakes in Lua, one at a time: what somebody could write by accident, and a test should notice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from tests.support.lua_text import Token, tokens

_COMPARISONS: Final = {
    "==": ("~=",),
    "~=": ("==",),
    "<": ("<=", ">="),
    ">": (">=", "<="),
    "<=": ("<", ">"),
    ">=": (">", "<"),
}
_SWAPS: Final = {
    "and": "or",
    "or": "and",
    "+": "-",
    "-": "+",
    "min": "max",
    "max": "min",
    "true": "false",
    "false": "true",
    "'NX'": "'XX'",
    "'XX'": "'NX'",
    "'-inf'": "'+inf'",
    "'+inf'": "'-inf'",
    "'('": "''",
    "'(+inf'": "'+inf'",
    "'~'": "'='",
    "'\\n'": "' '",
    "''": "'x'",
}
_WORDS: Final = "and do else elseif end for function if in local not or repeat then until while"
_KEYWORDS: Final = frozenset(_WORDS.split())  # at the head of a line they begin no statement that could be left out
_SIGNS: Final = "= , ( [ { .. + - * / ^ == ~= < > <= >= and or not #"
_GOES_ON: Final = frozenset(_SIGNS.split())  # at the end of a line they go on in the next


class Mutant(NamedTuple):
    """One mistake: where it is, what the line was, and what was done to it."""

    file: str
    line: int
    text: str
    change: str
    start: int
    end: int
    new: str

    def apply(self, source: str) -> str:
        """The file with the mistake in it."""
        return source[: self.start] + self.new + source[self.end :]

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells this mutant from others, also when lines are added above it."""
        return self.file, self.text, self.change

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.change}   in   {self.text}"


def mutants(path: Path, root: Path) -> Iterator[Mutant]:
    """Every mutant of a file."""
    source = path.read_text("utf-8")
    file, lines, found = str(path.relative_to(root)), source.splitlines(), tokens(source)

    def mutant(first: Token, last: Token, new: str, change: str) -> Mutant:
        text = lines[first.line - 1].partition(" -- ")[0].strip()[:88]
        return Mutant(file, first.line, text, change, first.start, last.end, new)

    for at, token in enumerate(found):
        # what the probe tries its commands with is as good as anything else
        for new in () if file == "probe.lua" and token.kind == "string" else _replacements(found, at):
            yield mutant(token, token, new, f"{token.text} → {new or 'nothing'}{_which(found, at)}")
        if token.text in ("if", "elseif", "while"):
            last = next(i for i in range(at, len(found)) if found[i].text in ("then", "do"))
            condition = source[found[at + 1].start : found[last - 1].end]
            yield mutant(found[at + 1], found[last - 1], f"not ({condition})", "condition → not condition")
        if _begins_statement(found, at):
            last = _end_of_statement(found, at)
            yield mutant(token, found[last], "do end", "statement → nothing")


def _which(found: list[Token], at: int) -> str:
    """Which of its kind on its line, from the second on."""
    same = [i for i, token in enumerate(found) if token.line == found[at].line and token.text == found[at].text]
    return f" ({same.index(at) + 1})" if same.index(at) else ""


def _replacements(found: list[Token], at: int) -> Iterator[str]:
    token = found[at]
    yield from _COMPARISONS.get(token.text, ())
    if token.text in _SWAPS:
        yield _SWAPS[token.text]
    elif token.text == "not":
        yield ""
    elif token.kind == "number":
        yield str(int(token.text) + 1)
        if int(token.text):
            yield str(int(token.text) - 1)
    elif token.kind == "string":
        yield from _other_strings(token.text[1:-1])


def _other_strings(text: str) -> Iterator[str]:
    if text.startswith("SEATLOCK "):
        yield "'oops'"
    elif "%" in text:
        if text.startswith("^"):
            yield f"'{text[1:]}'"
        if text.endswith("$"):
            yield f"'{text[:-1]}'"
    elif re.fullmatch(r"[a-z_]+:?", text):
        yield f"'{text[:-1]}z'" if len(text) > 1 else "'x'"
    elif re.fullmatch(r"\d+", text):
        yield f"'{int(text) + 1}'"


def _begins_statement(found: list[Token], at: int) -> bool:
    token, before = found[at], found[at - 1] if at else None
    if token.kind != "name" or token.text in _KEYWORDS or (before and before.line == token.line):
        return False
    return before is None or before.text not in _GOES_ON


def _end_of_statement(found: list[Token], at: int) -> int:
    depth, last = 0, at
    for i in range(at, len(found)):
        if i > at and depth == 0 and found[i].line > found[i - 1].line and found[i - 1].text not in _GOES_ON:
            break
        depth += (found[i].text in ("(", "{", "[")) - (found[i].text in (")", "}", "]"))
        last = i
    return last
