"""What the command writes: results on stdout, everything else on stderr, and no passwords on either."""

from __future__ import annotations

from urllib.parse import parse_qs, unquote, urlsplit

from rich.console import Console
from rich.text import Text

_SHORTEST_SECRET = 3  # characters; hiding a shorter one would garble every message


class Terminal:
    """Two consoles, and the secrets that they must not show."""

    def __init__(self) -> None:
        self.out = Console(highlight=False)
        self.err = Console(stderr=True, highlight=False)
        self._secrets: set[str] = set()

    def hide(self, url: str) -> None:
        """Never show the password of this URL."""
        self._secrets.update(secret for secret in secrets_of(url) if len(secret) >= _SHORTEST_SECRET)

    def say(self, message: str) -> None:
        """Write a line of the result."""
        self._print(self.out, message)

    def complain(self, message: str) -> None:
        """Write a line about what went wrong."""
        self._print(self.err, message)

    def _print(self, console: Console, message: str) -> None:
        # lines are wrapped for people, and left whole for programs
        console.print(Text(self._safe(message)), soft_wrap=not console.is_terminal)

    def _safe(self, message: str) -> str:
        for secret in sorted(self._secrets, key=len, reverse=True):
            message = message.replace(secret, "***")
        return message


def secrets_of(url: str) -> set[str]:
    """The passwords in a URL, as written and as meant; also in one that is malformed."""
    _, _, rest = url.partition("://")
    login, at, _ = rest.rpartition("@")
    found = {login.partition(":")[2]} if at else set[str]()
    try:
        query = parse_qs(urlsplit(url).query)
    except ValueError:
        query = {}
    found.update(value for name, values in query.items() if "password" in name.lower() for value in values)
    return {form for secret in found for form in (secret, unquote(secret)) if form}


def without_login(url: str) -> str:
    """The URL without user, password and query."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}"


terminal = Terminal()
