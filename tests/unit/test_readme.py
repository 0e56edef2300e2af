"""The README's Python snippets run as they are written, one after the other, as a new user would paste them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from seatlock.embedded import EmbeddedRedis

README = Path(__file__).parents[2] / "README.md"
URL = "redis://localhost:6379/0"


def test_the_snippets_run_one_after_the_other(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    snippets = re.findall(r"^```python\n(.*?)^```$", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert URL in snippets[0]
    user: dict[str, Any] = {}
    bookings: list[Any] = []
    server = EmbeddedRedis.start()  # one for all: the waiting room is before a sale of the first snippet
    assert server.url, "no redis-server was found"
    try:
        for number, snippet in enumerate(snippets, 1):
            written = snippet.replace(URL, server.url).replace("sqlite:///", f"sqlite:///{tmp_path}/")
            # the README's dates will pass, and a sale cannot be opened in the past
            written = re.sub(r"\bdatetime\(20\d\d,", f"datetime({datetime.now(UTC).year + 1},", written)
            exec(compile(written, f"README.md, snippet {number}", "exec"), user)  # noqa: S102 - it is the project's own
            bookings.append(user["booking"])
    finally:
        for name in ("locker", "room"):
            if name in user:
                user[name].close()
        server.close()
    assert (bookings[0].payment, bookings[0].seats) == ("pay_123", ("A-1", "A-2"))
    assert (bookings[-1].payment, bookings[-1].status) == ("pay_124", "confirmed")
    assert (user["place"].state, user["hold"].holder) == ("admitted", "user-42")
    said = capsys.readouterr().out.splitlines()
    told = re.findall(r"^ *print\(.*\)  # (\d.*|True|False)$", "".join(snippets), re.MULTILINE)
    assert told == [line for line in said if not line.startswith(("(", "confirmed"))], "what the README says comes out"
    assert any(re.fullmatch(r"\('STALLS-.*', 'STALLS-.*'\) side by side", line) for line in said)
    assert said.count("confirmed") == 2
