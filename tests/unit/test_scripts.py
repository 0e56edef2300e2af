"""What no script may do, checked on its text and its bytecode: headers have tests of their own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

import seatlock
from seatlock import _script
from tests.support.lua_text import Token, compiled, files, names, source, tokens
from tests.support.servers import RedisServer

OPTIONS: Final[dict[str, set[str]]] = {
    "BITPOS": set(),
    "DEL": set(),
    "EXISTS": set(),
    "GET": set(),
    "GETBIT": set(),
    "GETRANGE": set(),
    "HDEL": set(),
    "HGETALL": set(),
    "HLEN": set(),
    "HMGET": set(),
    "HSCAN": {"COUNT"},
    "HSET": set(),
    "INFO": set(),
    "MGET": set(),
    "MSET": set(),
    "PTTL": set(),
    "PERSIST": set(),
    "PEXPIREAT": set(),
    "RENAME": set(),
    "SET": {"PXAT", "NX", "XX"},
    "SETBIT": set(),
    "SETRANGE": set(),
    "STRLEN": set(),
    "TIME": set(),
    "UNLINK": set(),
    "XACK": set(),
    "XADD": {"MAXLEN", "MINID"},
    "XAUTOCLAIM": {"COUNT", "JUSTID"},
    "XDEL": set(),
    "XGROUP": {"CREATE", "MKSTREAM"},
    "XLEN": set(),
    "XRANGE": {"COUNT"},
    "XREADGROUP": {"GROUP", "COUNT", "STREAMS"},  # without BLOCK, which no script may have
    "ZADD": {"NX", "XX"},
    "ZCARD": set(),
    "ZCOUNT": set(),
    "ZMSCORE": set(),
    "ZRANGEBYSCORE": {"LIMIT", "WITHSCORES"},
    "ZRANK": set(),
    "ZREM": set(),
    "ZREVRANGEBYSCORE": {"LIMIT", "WITHSCORES"},
    "ZSCAN": {"COUNT"},
    "ZSCORE": set(),
}
"""The commands that scripts may send, with the options they may take: all of them are in Redis 6.2."""

ONLY_IN: Final = {
    "HSCAN": {"remnants", "pooled", "pins"},  # a step of a walk, as the next
    "ZSCAN": {"held"},
    "INFO": {"server"},  # what the server says of itself
}
GLOBALS: Final = frozenset(
    ["ARGV", "KEYS", "error", "ipairs", "math", "pairs", "redis", "string", "table", "tonumber", "type", "unpack"]
)  # what scripts read; they write none
TEXTS: Final = frozenset(
    # names whose values are text in every script, so that `..` never writes a number as 1e+14
    [
        "booking",
        "category",
        "category_of",
        "channel",
        "digits",
        "numeral",
        "epoch",
        "field",
        "head",
        "held_by",
        "holder",
        "holder_of",
        "kind",
        "kind_of",
        "letter",
        "lock_epoch",
        "mark",
        "new_token",
        "owner",
        "payment",
        "rest",
        "suffix",
        "text",
        "token",
        "wanted",
    ]
)


def all_files() -> list[object]:
    folder = _script.folder()
    return [pytest.param(path, id=str(path.relative_to(folder))) for path in files()]


def calls(text: str) -> Iterator[list[Token]]:
    """The tokens of every redis.call and redis.pcall, from the first argument to the closing parenthesis."""
    found = tokens(text)
    for at, token in enumerate(found):
        if token.text in ("call", "pcall") and found[at - 2].text == "redis":
            depth, end = 1, at + 2
            while depth:
                depth += {"(": 1, ")": -1}.get(found[end].text, 0)
                end += 1
            yield found[at + 2 : end]


def command_faults(script: str, text: str) -> Iterator[str]:
    """Commands and options that a script sends and may not."""
    for call in calls(text):
        line, command = call[0].line, call[0].text.strip("'")
        if script == "probe" and [token.text for token in call] == ["unpack", "(", "trial", ")", ")"]:
            continue  # its commands are looked at below
        if call[0].kind != "string":
            yield f"line {line}: the command is no literal"
        elif command not in OPTIONS or script not in ONLY_IN.get(command, {script}):
            yield f"line {line}: {command} may not be sent"
        else:
            words = {token.text.strip("'") for token in call[1:] if re.fullmatch(r"'[A-Z]+'", token.text)}
            if words - OPTIONS[command]:
                yield f"line {line}: {command} may not have {sorted(words - OPTIONS[command])}"


def redis_faults(text: str) -> Iterator[str]:
    """Uses of `redis` beside call and pcall: sha1hex, replicate_commands, setresp, log and so on."""
    found = tokens(text)
    for at, token in enumerate(found):
        if token.text == "redis" and (found[at + 1].text != "." or found[at + 2].text not in ("call", "pcall")):
            yield f"line {token.line}: redis{found[at + 1].text}{found[at + 2].text} is not for our scripts"


def number_faults(text: str) -> Iterator[str]:
    """Operands of `..` that are not surely text, and other ways to write a number than %d."""
    found = tokens(text)
    for at, token in enumerate(found):
        if token.text == "..":
            for operand in (_before(found, at), found[at + 1]):
                if operand.kind != "string" and operand.text not in TEXTS:
                    yield f"line {token.line}: {operand.text} next to .. may be a number"
        elif token.text == "tostring":
            yield f"line {token.line}: tostring writes 1e14 as 1e+14"
        elif token.text == "format" and found[at + 2].text != "'%d'":
            yield f"line {token.line}: only %d writes whole numbers"


def _before(found: list[Token], at: int) -> Token:
    """The name or string that ends before a token: of a call, the function's name."""
    at -= 1
    if found[at].text == ")":
        depth = -1
        while depth:
            at -= 1
            depth += {"(": 1, ")": -1}.get(found[at].text, 0)
        at -= 1
    return found[at]


@pytest.mark.parametrize("path", all_files())
def test_every_file_is_small_and_plain(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.isascii()
    assert text.endswith("\n")
    assert not text.startswith("#!"), "Redis 6.2 knows no shebang"
    lines = text.splitlines()
    assert len(lines) <= 400
    assert max(map(len, lines)) <= 120
    assert not [line for line in lines if line != line.rstrip() or "\t" in line]
    assert list(redis_faults(text)) == []
    assert list(number_faults(text)) == []


@pytest.mark.parametrize("path", all_files())
def test_a_seat_keeps_its_channel_whatever_becomes_of_it(path: Path) -> None:
    """A new field is made of `kind_of`, which has the channel in it, and that of a free seat by `free_field`.

    Only the lists of holders know nothing of channels.
    """
    lists = path.name == "limits.lua"
    assert re.findall(r"'\w' \.\. category_of", path.read_text("utf-8")) == (["'h' .. category_of"] if lists else [])


def test_every_include_is_there_is_used_and_goes_in_no_circle() -> None:
    folder = _script.folder()
    includes = {path.stem: set(re.findall(r"^-- @include (\w+)$", path.read_text(), re.MULTILINE)) for path in files()}
    available = {path.stem for path in (folder / "include").glob("*.lua")}
    assert set().union(*includes.values()) == available
    assert not available & set(names())
    for name in available:
        reached: set[str] = set()
        rest = includes[name]
        while rest - reached:
            reached |= rest
            rest = set().union(*(includes[other] for other in rest))
        assert name not in reached, f"{name} includes itself in the end"
    for path in files():
        assert re.findall(r"@include.*", path.read_text()) == re.findall(
            r"(?m)(?<=^-- )@include \w+$", path.read_text()
        )


@pytest.mark.parametrize("script", names())
def test_no_script_touches_a_global_of_its_own(script: str) -> None:
    bytecode = compiled(source(script))
    assert bytecode.writes == set(), "an accidental global outlives the script"
    assert bytecode.reads <= GLOBALS, "a name that nothing defines"


@pytest.mark.parametrize("script", names())
def test_scripts_send_only_literal_commands_that_redis_6_2_knows(script: str) -> None:
    assert list(command_faults(script, source(script))) == []


def plain_commands() -> set[str]:
    """The commands that the package sends without a script."""
    texts = [path.read_text() for path in Path(seatlock.__file__).parent.rglob("*.py")]
    return {name for text in texts for name in re.findall(r'\bCommand\([^[\n]*\["([A-Z]+)"', text)}


def test_the_probe_tries_every_command_that_is_sent() -> None:
    tried = set(re.findall(r"\{'([A-Z]+)'", source("probe")))
    assert tried - OPTIONS.keys() == plain_commands() - OPTIONS.keys() == {"HGET", "ZRANGE"}
    sent = {call[0].text.strip("'") for script in names() for call in calls(source(script)) if call[0].kind == "string"}
    assert sent == OPTIONS.keys()
    assert sent - tried == {"INFO"}, "which a server may well refuse: see seatlock._procedures.check_server"


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("redis.call('DEL', a)", "redis.call('KEYS', '*')"),
        ("redis.call('DEL', a)", "redis.call('SCAN', '0')"),
        ("redis.call('DEL', a)", "redis.call('HSCAN', a, '0')"),
        ("redis.call('DEL', a)", "redis.call(command, a)"),
        ("redis.call('DEL', a)", "redis.call('DE' .. 'L', a)"),
        ("redis.call('DEL', a)", "redis.call('EXPIRE', a, '9', 'NX')"),
        ("redis.call('SET', a, b, 'NX')", "redis.call('SET', a, b, 'NX', 'GET')"),
        ("redis.call('SET', a, b, 'NX')", "redis.call('SET', a, (b), 'KEEPTTL')"),
        ("redis.call('ZADD', a, b, c)", "redis.call('ZADD', a, 'GT', b, c)"),
        ("redis.pcall('TIME')", "redis.pcall('ZMPOP', '1', a)"),
        ("redis.pcall('TIME')", "redis.pcall('BITPOS', a, '1', '0', '1', 'BIT')"),
    ],
)
def test_a_command_that_may_not_be_sent_is_noticed(good: str, bad: str) -> None:
    assert not list(command_faults("acquire", good))
    assert list(command_faults("acquire", f"{good}\n{bad}"))


@pytest.mark.parametrize(
    ("faults", "good", "bad"),
    [
        (number_faults, "a = 'f' .. digits(now)", "a = 'f' .. now"),
        (number_faults, "a = category_of(mirror) .. ':'", "a = #mirror .. ':'"),
        (number_faults, "a = digits(b) .. ':'", "a = math.floor(b) .. ':'"),
        (number_faults, "a = digits(b)", "a = tostring(b)"),
        (number_faults, "a = string.format('%d', b)", "a = string.format('%s', b)"),
        (redis_faults, "redis.call('TIME')", "redis.replicate_commands()"),
        (redis_faults, "redis.call('TIME')", "redis.sha1hex(a)"),
        (redis_faults, "redis.call('TIME')", "local r = redis"),
    ],
)
def test_bad_lua_is_noticed(faults: Callable[[str], Iterator[str]], good: str, bad: str) -> None:
    assert not list(faults(f"{good}\nlocal x = 1"))
    assert list(faults(f"{bad}\nlocal x = 1"))


def test_a_global_is_noticed() -> None:
    assert compiled("local function f() counter = 1 end f()").writes == {"counter"}
    assert compiled("local function f() return seats_kye end f()").reads == {"seats_kye"}


@pytest.mark.parametrize("backend", ["redis-6.2", "redis-7", "redis-8", "valkey-8"])
def test_every_server_takes_the_scripts_and_computes_the_same_sha(
    backend: str, server_of: Callable[[str], RedisServer]
) -> None:
    with server_of(backend).client() as client:
        for name in names():
            script = _script.load(name)
            assert client.script_load(script.source).encode() == script.sha
