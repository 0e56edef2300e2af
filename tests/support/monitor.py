"""What a server really does: every command as MONITOR shows it, those that scripts call included."""

from __future__ import annotations

import ast
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from tests.support.servers import RedisServer

MOST_LINES: Final = 1_000_000
_LINE: Final = re.compile(rb"\+\d+\.\d+ \[\d+ (\S+)\] (.*)\r\n", re.DOTALL)
_WORD: Final = re.compile(rb'"(?:[^"\\]|\\.)*"')


class Seen(NamedTuple):
    """One command; ``by_script`` if a script called it."""

    by_script: bool
    words: list[bytes]

    @property
    def name(self) -> str:
        """The command's name."""
        return self.words[0].decode().upper()


@contextmanager
def monitor(server: RedisServer) -> Iterator[list[Seen]]:
    """Note the commands of a ``with`` block; the list is filled when the block ends."""
    seen: list[Seen] = []
    with socket.create_connection(("127.0.0.1", server.port), timeout=10.0) as link, link.makefile("rb") as lines:
        link.sendall(b"MONITOR\r\n")
        assert lines.readline() == b"+OK\r\n"
        yield seen
        with server.client() as client:
            client.echo(f"end of {id(seen)}")
        for _ in range(MOST_LINES):
            match = _LINE.fullmatch(lines.readline())
            assert match, "MONITOR was cut off"
            words = [ast.literal_eval("b" + word.decode("latin-1")) for word in _WORD.findall(match[2])]
            if words == [b"ECHO", b"end of %d" % id(seen)]:
                return
            seen.append(Seen(match[1] == b"lua", words))
