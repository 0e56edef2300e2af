"""A client that runs scripts in this process, in lupa's Lua 5.1, while their commands go to a real Redis.

So a test can see which lines of a script ran, what exactly was sent and answered, and can stop the scripts' clock.
Scripts see what Redis shows them: its replies in its types, its errors, no global but the usual ones. What it does not
give is atomicity: nobody else may use the server meanwhile.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, Final

import redis
from lupa import lua51
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.support.lua_text import Place, origins

LONGEST_RUN: Final = 200_000  # lines: no script of ours runs so many, however large its batch

_STATUS: Final = {b"SET", b"MSET", b"RENAME", b"XGROUP"}  # "OK" comes as a status reply, in Lua a table
_NEEDS_MEMORY: Final = {b"HSET", b"MSET", b"SET", b"SETBIT", b"SETRANGE", b"XADD", b"XGROUP", b"ZADD"}
_FREES_MEMORY: Final = {"DEL", "HDEL", "RENAME", "UNLINK", "XDEL", "ZREM"}

_PRELUDE: Final = b"""
local run, KEYS, ARGV, text, send, limit = ...
local allowed = {}
for name in string.gmatch('assert error ipairs math next pairs pcall select string table tonumber tostring type ' ..
    'unpack', '%a+') do
  allowed[name] = _G[name]
end
local function asked(pcalled, ...)
  local count = select('#', ...)
  for index = 1, count do
    local kind = type((select(index, ...)))
    if kind ~= 'string' and kind ~= 'number' then
      error({err = 'ERR Lua redis lib command arguments must be strings or integers'}, 0)
    end
  end
  local answer = send(...)
  if type(answer) == 'table' and answer.err and not pcalled then
    error({err = answer.err}, 0)
  end
  return answer
end
allowed.KEYS, allowed.ARGV = KEYS, ARGV
allowed.redis = {
  call = function(...) return asked(false, ...) end,
  pcall = function(...) return asked(true, ...) end,
}
setmetatable(allowed, {
  __newindex = function(_, name) error('Script attempted to create global variable ' .. name, 2) end,
  __index = function(_, name) error('Script attempted to access nonexistent global variable ' .. name, 2) end,
})
local script, complaint = loadstring(text, '@user_script')
if not script then
  return {err = 'ERR Error compiling script: ' .. complaint}, {}
end
setfenv(script, allowed)
local seen, ran = {}, 0
debug.sethook(function(_, line)
  if debug.getinfo(2, 'S').source == '@user_script' then
    seen[line] = true
    ran = ran + 1
    if ran > limit then
      error('the script never ends', 0)
    end
  end
end, 'l')
local done, result = pcall(script)
debug.sethook()
local lines = {}
for line in pairs(seen) do
  lines[#lines + 1] = line
end
if not done and type(result) ~= 'table' then
  result = {err = 'ERR ' .. tostring(result)}
end
return result, lines
"""


class LuaBridge:
    """A client with one method, as the lockers need it.

    ``ran`` collects the lines of ``scripts`` that have run, ``replies`` every script with its raw reply. ``now`` stops
    the clock that the scripts read, in milliseconds; None lets the server's go on. ``sent`` has the commands of the
    last script; the one with the number ``fail_at`` (from 1) fails instead of being carried out. ``full`` refuses a
    script's first write as a full server does, unless it is one that may free memory.
    """

    def __init__(self, socket: str, scripts: Iterable[str]) -> None:
        self._connection = redis.UnixDomainSocketConnection(path=socket, protocol=2, retry=Retry(NoBackoff(), 0))
        self._lua = lua51.LuaRuntime(encoding=None, unpack_returned_tuples=True)
        self._run = self._lua.eval(b"function(text) return assert(loadstring(text, '@prelude')) end")(_PRELUDE)
        self._sources: dict[bytes, bytes] = {}
        self._places: dict[bytes, list[Place]] = {}
        for name in scripts:
            lines = origins(name)
            self._places[_normal("\n".join(text for _, text in lines).encode())] = [place for place, _ in lines]
        self.ran: set[Place] = set()
        self.replies: list[tuple[str, list[Any]]] = []
        self.now: int | None = None
        self.sent: list[str] = []
        self.fail_at = 0
        self.full = False

    def close(self) -> None:
        """Close the connection."""
        self._connection.disconnect()

    def execute_command(self, *args: Any, **_: Any) -> Any:
        """Run a script, or carry out a plain command."""
        if args[0] not in ("EVALSHA", "EVAL"):
            return self._ask(*args)
        sha, count = args[1], int(args[2])
        if args[0] == "EVAL":
            sha = hashlib.sha1(args[1], usedforsecurity=False).hexdigest().encode()
            self._sources[sha] = args[1]
        if sha not in self._sources:
            raise redis.exceptions.NoScriptError("No matching script. Please use EVAL.")
        return self._script(self._sources[sha], args[3 : 3 + count], args[3 + count :])

    def _script(self, source: bytes, keys: tuple[bytes, ...], argv: tuple[bytes, ...]) -> Any:
        self.sent.clear()
        result, lines = self._run(
            None, self._table(keys), self._table(argv), source, self._sent_by_lua, LONGEST_RUN
        )  # fmt: skip
        places = self._places.get(_normal(source), [])
        self.ran.update(places[line - 1] for line in lines.values() if places)
        reply = self._reply(result)
        if isinstance(reply, redis.ResponseError):
            raise reply
        self.replies.append((source.decode(), reply))
        return reply

    def _sent_by_lua(self, *args: Any) -> Any:
        words = [b"%.17g" % word if isinstance(word, int | float) else word for word in args]
        self.sent.append(words[0].decode())
        if len(self.sent) == self.fail_at:
            return self._lua.table_from({b"err": b"ERR it was made to fail"})
        if self.full and words[0] in _NEEDS_MEMORY and not _FREES_MEMORY.intersection(self.sent):
            return self._lua.table_from({b"err": b"OOM command not allowed when used memory > 'maxmemory'."})
        if words[0] == b"TIME" and self.now is not None:
            return self._table([b"%d" % (self.now // 1000), b"%d" % (self.now % 1000 * 1000 + 500)])
        try:
            return self._to_lua(self._ask(*words), status=words[0] in _STATUS)
        except redis.ResponseError as error:
            return self._lua.table_from({b"err": _text_of(error)})

    def _ask(self, *words: Any) -> Any:
        self._connection.send_command(*words)
        return self._connection.read_response(disable_decoding=True)

    def _table(self, values: Iterable[Any]) -> Any:
        return self._lua.table_from(list(values))

    def _to_lua(self, value: Any, *, status: bool = False) -> Any:
        if value is None:
            return False
        if isinstance(value, list | tuple):
            return self._table(self._to_lua(part) for part in value)
        if status and value == b"OK":
            return self._lua.table_from({b"ok": value})
        return value

    def _reply(self, value: Any) -> Any:
        """What Redis makes of a value that a script returns."""
        if isinstance(value, bool):
            return 1 if value else None
        if isinstance(value, int | float):
            return int(value)
        if not lua51.lua_type(value):
            return value
        if value[b"err"] is not None:
            return redis.ResponseError(value[b"err"].decode())
        if value[b"ok"] is not None:
            return value[b"ok"]
        parts = []
        while (part := value[len(parts) + 1]) is not None:
            parts.append(self._reply(part))
        return parts


def _normal(source: bytes) -> bytes:
    return source.rstrip(b"\n")


def _text_of(error: redis.ResponseError) -> bytes:
    """The error as the server wrote it: the client takes a word that it has a class for off the front."""
    code = {redis.exceptions.OutOfMemoryError: "OOM ", redis.exceptions.NoPermissionError: "NOPERM "}.get(
        type(error), ""
    )
    text = str(error)
    return (text if text.startswith(code) else code + text).encode()
