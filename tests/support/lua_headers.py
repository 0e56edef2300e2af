"""The headers of the scripts, read and compared with the code below them.

    -- NAME: what the script does, in one line or more.
    --
    -- KEYS  fixed... | each (why)                 remark
    -- ARGV  fixed... | each... (number...)        remark
    -- REPLY answer                                remark
    --       answer

- KEYS can go on in the next line, as the answers do.
- KEYS and ARGV name first what comes once, then, behind the bar, what comes again and again. A remark stands behind
  two spaces or more.
- In ARGV ``(number...)`` is one argument: these numbers parted by single spaces, the count of the request's seats last.
  A name outside parentheses is an argument by itself; ``owner`` is who owns a hold, as it stands in the lock: the
  token, a newline, the holder. In KEYS ``(why)`` only says how often.
- An answer is a word and its fields: ``word field field``. ``(a b)...`` or ``a...`` at its end come any number of
  times. ``, then WHAT`` at its end is what follows, in plain English; an answer can be nothing but that.
- ``, then for each request one of`` is followed by the answers to one request, two columns deeper; ``one word a seat:
  a, b or c`` lists the words there are.
- A field is one of `FIELDS`, so that its type is known. ``state`` at the head of an answer is a state and no word.
- A key ``x_0`` with its twin ``x_1`` is one name in the code: ``local x_keys = {KEYS[1], KEYS[2]}``. The first ARGV can
  be read by a table SETTINGS: ``{'name', least, most}`` for each, in order.
- A remark ``field: a, b or c`` lists the words that a field can be. A line that begins beyond column 20 goes on with
  the remark above it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Final, NamedTuple

from tests.support.lua_text import tokens

FIELDS: Final[dict[str, Any]] = {
    **dict.fromkeys(["at_ms", "closes_ms", "deadline_ms", "left_ms", "now_ms", "opens_ms"], 1500),
    **dict.fromkeys(["poll_ms", "wait_ms"], 1500),
    **dict.fromkeys(["epoch", "fence", "version", "place", "new", "consistent", "seats"], 1),
    **dict.fromkeys(["holds", "unread", "added", "changed", "kept", "swept", "due", "quantity", "held", "sold"], 2),
    "names": b"",
    **dict.fromkeys(
        [
            "slow",
            "fast",
            "people",
            "back",
            "served",
            "renewals",
            "ahead",
            "live",
            "length",
            "behind",
            "admitted",
            "early",
        ],
        3,
    ),
    **dict.fromkeys(["freed", "expired", "remaining", "more", "gap"], 1),
    **dict.fromkeys(["seed", "commitment", "participants", "outside"], b"text"),
    "pools": [],
    "let_in": [],
    "facts": [],
    **dict.fromkeys(["most", "has"], 4),
    **dict.fromkeys(
        ["token", "holder", "booking", "payment", "plan", "command", "error", "seat", "pool", "channel", "channels"],
        b"text",
    ),
    **dict.fromkeys(["category", "cursor"], b"0"),
    **dict.fromkeys(["status", "before"], b"paused"),
    **dict.fromkeys(["state"], b"held"),
    **dict.fromkeys(["reason"], b"taken"),
    **dict.fromkeys(["mark"], b"yours"),
    **dict.fromkeys(["policy"], b"noeviction"),
    **dict.fromkeys(["role"], b"master"),
    **dict.fromkeys(["kind"], b"state"),
    **dict.fromkeys(["mirror", "lock"], b"held"),
}
"""Every field that an answer can have, with a value as a script would send it."""

_NAMES: Final = r"\w+(?: \w+)*"
_KEYS: Final = re.compile(rf"((?:\w+ )*)\|(?: ({_NAMES}))?(?: \([^)]*\))?()(?: {{2,}}(.+))?")
_ARGV: Final = re.compile(rf"((?:\w+ )*)\|(?: ({_NAMES}))?(?: \(({_NAMES})\))?(?: {{2,}}(.+))?")
_ANSWER: Final = re.compile(
    r"(?:(\w+)((?: \w+(?!\w|\.))*)(?: (\w+|\(\w+(?: \w+)*\))\.\.\.)?)??(?:,? ?\bthen (.+?))?(?: {2,}(.+))?"
)
_LISTED: Final = re.compile(r"\w+(?:, \w+)* or \w+")


class Shape(NamedTuple):
    """What KEYS or ARGV hold: once, and again and again; ``terms`` are the numbers of one argument behind ``each``."""

    fixed: tuple[str, ...]
    each: tuple[str, ...]
    terms: tuple[str, ...]
    remark: str


class Answer(NamedTuple):
    """One form of an answer: its word, the fields behind it, those that are repeated, and the rest in English."""

    word: str
    fields: tuple[str, ...]
    repeated: tuple[str, ...]
    rest: str
    remark: str

    def sample(self) -> list[Any]:
        """An answer of this form, as a script would send it; repeated fields come twice."""
        return [
            self.word.encode() if self.word != "state" else b"held",
            *(FIELDS[name] for name in self.fields),
            *[FIELDS[name] for name in self.repeated] * 2,
        ]

    def complaint(self, reply: list[Any]) -> str | None:
        """What is wrong with an answer that begins with this word."""
        names = [*self.fields]
        extra = len(reply) - 1 - len(names)
        if self.repeated and extra > 0:
            names += self.repeated * -(-extra // len(self.repeated))
        if len(reply) - 1 < len(names) if self.rest else len(reply) - 1 != len(names):
            return f"{reply!r} has not the fields {' '.join((self.word, *names))}"
        for name, value in zip(names, reply[1:], strict=False):
            if type(value) is not type(FIELDS[name]) or (name.endswith("_ms") and value < -1):
                return f"{name} is {value!r} in {reply!r}"
            if name in ("consistent", "gap", "more", "new") and value not in (0, 1):
                return f"{name} is {value!r} in {reply!r}"
            if self.remark.startswith(f"{name}: ") and not self._is_listed(value):
                return f"{name} is {value!r} in {reply!r}"
        return None

    def _is_listed(self, value: Any) -> bool:
        if isinstance(value, bytes) and re.fullmatch(rb"(?:left|yours) \d+", value):
            return True  # the mark of a pool
        words = _LISTED.search(self.remark)
        return words is None or value.decode() in listed(words[0].replace("nothing", ""))


class Header(NamedTuple):
    """A header: the answers to the whole call, and those to one request of it."""

    name: str
    keys: Shape
    argv: Shape
    whole: tuple[Answer, ...]
    single: tuple[Answer, ...]
    words: tuple[str, ...]
    lines: int

    def complaint(self, reply: list[Any]) -> str | None:
        """What is wrong with a reply."""
        if not all(answer.word for answer in self.whole):
            return None
        answer = _find(self.whole, reply[0])
        if answer is None:
            return f"{reply[0]!r} is no word of {self.name}"
        if not self.single and not self.words:
            return answer.complaint(reply)
        parts = reply[1 + len(answer.fields) :] if answer.rest else []
        return next((wrong for part in parts if (wrong := self._part_complaint(part))), None)

    def all_words(self) -> set[str]:
        """Every word that it promises."""
        forms = [answer.word for answer in (*self.whole, *self.single) if answer.word not in ("", "state")]
        return {*forms, *self.words}

    def answers(self, reply: list[Any]) -> Iterator[tuple[str, str]]:
        """Every word of a reply, of the whole and of its parts, with the name of the script."""
        parts = [reply[:1], *(part if self.words else part[:1] for part in reply if isinstance(part, list))]
        words = {word.decode(errors="replace") for part in parts for word in part if isinstance(word, bytes)}
        yield from ((self.name, word) for word in words & self.all_words())

    def _part_complaint(self, part: list[Any]) -> str | None:
        if self.words:
            wrong = [word for word in part if isinstance(word, bytes) and word.decode() not in self.words]
            return f"{wrong} are no words of {self.name}" if wrong else None
        complaints = [form.complaint(part) for form in self.single if _fits(form, part[0])]
        if not complaints:
            return f"{part[0]!r} is no answer of {self.name}"
        return None if None in complaints else complaints[0]


def _fits(answer: Answer, word: Any) -> bool:
    if answer.word == "state":
        return word in (b"free", b"held", b"pinned", b"sold", b"blocked", b"channel")
    return word == answer.word.encode()


def _find(answers: tuple[Answer, ...], word: Any) -> Answer | None:
    return next((answer for answer in answers if _fits(answer, word)), None)


@cache
def header_of(source: str) -> Header:
    """The header of a script, whatever its name."""
    return parse(source[3 : source.index(":")], source)


def listed(text: str) -> tuple[str, ...]:
    """The words of ``a, b or c``."""
    return tuple(re.split(r", | or ", text))


def parse(name: str, text: str) -> Header:
    """Read the header of a script; raises ValueError where it has another form."""
    lines = re.match(r"(?:--.*\n)*", text)[0].splitlines()  # type: ignore[index]
    at = next((number for number, line in enumerate(lines) if line.startswith("-- KEYS  ")), 0)
    while at and lines[at + 1 : at + 2] and lines[at + 1].startswith("--       "):
        lines[at : at + 2] = [f"{lines[at]} {lines[at + 1][9:]}"]
    if not re.fullmatch(rf"-- {name}: \S.*", lines[0] if lines else "") or at < 2 or lines[at - 1] != "--":
        raise ValueError("it begins with no description")
    if len(lines) < at + 3 or not lines[at + 1].startswith("-- ARGV  ") or not lines[at + 2].startswith("-- REPLY "):
        raise ValueError("KEYS, ARGV and REPLY do not follow one another")
    whole, single = [_answer(lines[at + 2][9:])], []
    for line in lines[at + 3 :]:
        if re.match(r"-- {18,}\S", line):
            continue
        if line.startswith("--         ") and line[11:12] not in ("", " "):
            single.append(_answer(line[11:]))
        elif line.startswith("--       ") and line[9:10] not in ("", " "):
            whole.append(_answer(line[9:]))
        else:
            raise ValueError(f"{line!r} is no answer")
    words = next((answer.rest.partition("one word a seat: ")[2] for answer in whole if answer.word == "ok"), "")
    if bool(single) != any(answer.rest.endswith(" one of") for answer in whole):
        raise ValueError("the answers to one request are announced and not there, or the other way round")
    return Header(
        name, _shape(_KEYS, lines[at][9:]), _shape(_ARGV, lines[at + 1][9:]), tuple(whole), tuple(single),
        listed(words) if words else (), len(lines),
    )  # fmt: skip


def _shape(form: re.Pattern[str], text: str) -> Shape:
    match = form.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} does not say what comes once and what for each")
    return Shape(
        tuple(match[1].split()), tuple((match[2] or "").split()), tuple((match[3] or "").split()), match[4] or ""
    )


def _answer(text: str) -> Answer:
    match = _ANSWER.fullmatch(text)
    if match is None or not text:
        raise ValueError(f"{text!r} is no answer")
    answer = Answer(
        match[1] or "", tuple((match[2] or "").split()), tuple((match[3] or "").strip("()").split()), match[4] or "",
        match[5] or "",
    )  # fmt: skip
    unknown = {*answer.fields, *answer.repeated} - FIELDS.keys()
    if unknown:
        raise ValueError(f"nobody knows the fields {sorted(unknown)}")
    return answer


def complaints(header: Header, code: str) -> Iterator[str]:
    """Where a header says something else than the code: ``code`` is the script with its includes."""
    plain = _without_comments(code)
    yield from _keys_complaints(header, plain)
    yield from _argv_complaints(header, plain)
    yield from _reply_complaints(header, plain)


def _without_comments(code: str) -> str:
    pieces, line = [], 1
    for token in tokens(code):
        pieces.append("\n" if token.line > line and token.text == "local" else " ")
        pieces.append(token.text)
        line = token.line
    return "".join(pieces)


def _keys_complaints(header: Header, code: str) -> Iterator[str]:
    named: list[str] = []
    for left, right in re.findall(r"^local ([\w ,]+) = ((?:\{ )?KEYS [^\n]*)", code, re.MULTILINE):
        indices = [int(number) for number in re.findall(r"KEYS \[ (\d+) \]", right)]
        fresh = [found for name in left.split(" , ") for found in _key_names(name)]
        if indices != list(range(len(named) + 1, len(named) + len(fresh) + 1)):
            yield f"KEYS {indices} are named {fresh}"
        named += fresh
    if "KEYS" in code and tuple(named) != header.keys.fixed:
        yield f"KEYS are {header.keys.fixed} in the header, {tuple(named)} in the code"
    fixed = re.findall(r"local FIXED_KEYS = (\d+)", code)
    if fixed != ([str(len(header.keys.fixed))] if header.keys.each else []):
        yield f"FIXED_KEYS is {fixed}, the header has {len(header.keys.fixed)} and {header.keys.each}"


def _key_names(name: str) -> tuple[str, ...]:
    both = name.removesuffix("_keys")
    return (name.removesuffix("_key"),) if both == name else (f"{both}_0", f"{both}_1")


def _argv_complaints(header: Header, code: str) -> Iterator[str]:
    fixed, each, terms, _ = header.argv
    used = {int(number) for number in re.findall(r"ARGV \[ (\d+) \]", code)}
    settings = re.findall(r"\{ '(\w+)' ,", "".join(re.findall(r"local SETTINGS = ([^\n]*)", code)))
    if settings and re.search(r"in ipairs \( SETTINGS \) do\s+local value = integer \( ARGV \[ at \]", code):
        used |= set(range(1, len(settings) + 1))
    if settings != [name.removesuffix("_ms") for name in fixed[: len(settings)]]:
        yield f"the header has the settings {fixed}, the code {settings}"
    if used != set(range(1, len(fixed) + 1)):
        yield f"the header has {len(fixed)} ARGV that come once, the code uses {sorted(used)}"
    offsets = {int(number or 0) for number in re.findall(r"ARGV \[ argument(?: \+ (\d+))? \]", code)}
    advances = re.findall(r"argument , place = argument \+ (\d+) , place \+ terms \[ (\d+) \]", code)
    each_place = r"ARGV \[ 2 \* (?:place|request|at)(?: - (\d))? \]"
    a_place = {2 - int(minus or 0) for minus in re.findall(each_place, code)}
    together = [int(first or 1) for first in re.findall(r"unpack \( ARGV (?:, (\d+) )?\)", code)]
    if fixed == ("requests",):
        arguments = len(each) + bool(terms)
        if offsets != set(range(arguments)) or [by for by, _ in advances] != [str(arguments)]:
            yield f"a request has {arguments} ARGV in the header; the code uses {sorted(offsets)}, goes on {advances}"
        if terms[-1:] != ("seats",) or [count for _, count in advances] != [str(len(terms))]:
            yield f"seats is not where the code has the count of a request, {advances}"
        yield from _terms_complaints(header, code)
    elif (
        offsets
        or advances
        or terms
        or (len(a_place) or len(together)) != len(each)
        or (together and together != [len(fixed) + 1])
    ):
        yield f"the header has {each} {terms} for each seat, the code uses {sorted(a_place)}"


def _terms_complaints(header: Header, code: str) -> Iterator[str]:
    _, each, terms, _ = header.argv
    taken = re.findall(r"= terms_of \( ARGV \[ argument(?: \+ (\d+))? \] , BOUNDS \)", code)
    if [int(offset or 0) for offset in taken] != [len(each)]:
        yield f"the numbers come behind {each} in the header, the code takes them apart at {taken}"
    bounds = [part.count(",") + 1 for part in re.findall(r"local BOUNDS = \{([^}]*)\}", code)]
    if bounds != [2 * len(terms)]:
        yield f"the header has the numbers {terms}, the code has {bounds} bounds"
    used = {int(number) for number in re.findall(r"\bterms \[ (\d+) \]", code)}
    if used != set(range(1, len(terms) + 1)):
        yield f"the header has the numbers {terms}, the code uses {sorted(used)}"


def _constructed(code: str) -> Iterator[tuple[str, int]]:
    """Every table that begins with a word, and how many plain items follow the word."""
    for head in re.finditer(r"\{ '([a-z]+)'", code):
        items, depth = [""], 1
        for part in code[head.end() :].split():
            depth += (part in tuple("({[")) - (part in tuple(")}]"))
            if depth == 0:
                break
            if part == "," and depth == 1:
                items.append("")
            else:
                items[-1] += part
        count = sum(not item.startswith("unpack(") for item in items[1:])
        yield head[1], count + (_items_of(code, "serving") - 1 if "serving()" in items else 0)


def _items_of(code: str, function: str) -> int:
    """How many values a function returns, whose last return has no bracket with a comma in it but for `integer`."""
    own = "slow|opens|opens_in"  # its local names, which begin lines of their own
    body = re.search(rf"local function {function} \( \)(.*?)\n(?!local (?:{own}) )", code + "\n", re.DOTALL)
    assert body
    returned = re.sub(r"\([^)]*\)", "", body[1].rpartition(" return ")[2])
    return returned.count(",") + 1


def _reply_complaints(header: Header, code: str) -> Iterator[str]:
    code = code.replace("entries [ # entries + 1 ] = {", "")  # they go to the outbox
    made = re.sub(r"local [A-Z]+ = \{(?:[^{}]|\{[^{}]*\})*\}", "", code)  # tables of constants are no answers
    heads = set(re.findall(r"(?:\{|\bheld \() '([a-z]+)'", made))
    words = set(re.findall(r"words \[ index \] = '(\w+)'", code))
    if "words [ index ] = STATES" in code:
        words |= {"pinned", "sold"}  # the states that a lock can have, but for held
    answers = {answer.word for answer in (*header.whole, *header.single)} - {"", "state"}
    if answers != heads:
        yield f"answers are {sorted(answers)} in the header, {sorted(heads)} in the code"
    for word, count in _constructed(made):
        forms = [answer for answer in (*header.whole, *header.single) if answer.word == word]
        if forms and count not in {len(answer.fields) for answer in forms}:
            yield f"{word} has {count} fields in the code, not {[answer.fields for answer in forms]}"
    if set(header.words) != words:
        yield f"words a seat are {sorted(header.words)} in the header, {sorted(words)} in the code"
    marks = set(re.findall(r"\bmark = '(\w+)'", code))
    said = [
        set(listed(found[0])) - {"nothing"}
        for answer in header.single
        if (found := _LISTED.search(answer.remark)) and answer.remark.startswith("mark: ")
    ]
    if said != ([marks] if marks else []):
        yield f"marks are {said} in the header, {sorted(marks)} in the code"
    letters = re.search(r"local LETTERS = \{([^}]*)\}", code)
    allowed = set(re.findall(r"ARGV \[ 1 \] ~= '(\w+)'", code))
    states = {*re.findall(r"(\w+) = '", letters[1])} if letters else allowed
    remark = header.argv.remark.removeprefix("status: ")
    told = set(listed(remark)) if _LISTED.fullmatch(remark) else states & set(re.findall(r"\w+", remark))
    if states and told != states:
        yield f"ARGV can be {sorted(told)} in the header, {sorted(states)} in the code"
