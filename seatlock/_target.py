"""Reads the address of a server: pure, and strict, since what a client makes of a wrong address may be another server.

No message quotes any piece of the address: where the special characters of a password are not percent-encoded,
every piece may be one of the password.
"""

from __future__ import annotations

from typing import Any, Final, Literal
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from seatlock.errors import InvalidRequest

SCHEMES: Final = "redis, rediss, unix, redis+cluster, rediss+cluster, redis+sentinel, rediss+sentinel, embedded"
SENTINEL_PORT: Final = 26379

Kind = Literal["single", "unix", "cluster", "sentinel", "embedded"]
_KINDS: Final[dict[str, Kind]] = {
    "redis": "single",
    "rediss": "single",
    "unix": "unix",
    "embedded": "embedded",
    "redis+cluster": "cluster",
    "rediss+cluster": "cluster",
    "redis+sentinel": "sentinel",
    "rediss+sentinel": "sentinel",
}


def _fault(problem: str) -> InvalidRequest:
    return InvalidRequest(f"url {problem}; special characters of user name and password must be percent-encoded.")


class Target:
    """A checked address: which kind of deployment, and the URL that redis-py understands.

    ``service``, ``database``, ``username``, ``password`` and ``sentinels`` are there where the kind is ``sentinel``.
    """

    service: str
    database: int
    username: str | None
    password: str | None
    sentinels: list[tuple[str, int]]

    def __init__(self, url: object) -> None:
        if not isinstance(url, str):
            raise InvalidRequest(f"url must be a string, not {type(url).__name__}.")
        try:
            parts = urlsplit(url)
        except ValueError:
            raise _fault("has a host that cannot be read") from None
        kind = _KINDS.get(parts.scheme)
        if kind is None or not url[len(parts.scheme) :].startswith("://"):
            raise InvalidRequest(f"url must begin with a scheme that seatlock knows, and '://'; it knows {SCHEMES}.")
        if parts.fragment:
            raise _fault("has a '#' in it")
        self.kind: Kind = kind
        plain = parts.scheme.partition("+")[0]
        self.tls = plain == "rediss"
        self.url = plain + url[len(parts.scheme) :]
        if kind == "sentinel":
            self._read_sentinel(parts)
        elif kind == "unix":
            _check_unix(parts)
        elif kind == "embedded":
            _check_embedded(parts)
        else:
            _check_server(parts, cluster=kind == "cluster")

    def _read_sentinel(self, parts: SplitResult) -> None:
        credentials, _, hosts = parts.netloc.rpartition("@")
        user, _, password = credentials.partition(":")
        self.username, self.password = unquote(user) or None, unquote(password) or None
        service, _, database = parts.path.removeprefix("/").partition("/")
        if not service or "@" in service or not (database or "0").isdecimal() or parts.query:
            raise _fault("of a Sentinel reads redis+sentinel://host:26379,host:26379/service/0, without a query")
        self.service, self.database = unquote(service), int(database or 0)
        self.sentinels = [_sentinel(host) for host in hosts.split(",")]

    def sentinel_options(self, options: dict[str, Any]) -> dict[str, Any]:
        """What the clients of the primary behind Sentinel are made with."""
        own = {"db": self.database, "username": self.username, "password": self.password, "ssl": self.tls}
        return {**{name: value for name, value in own.items() if value}, **options}


def _sentinel(text: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or port == 0 or "@" in text:
        raise _fault("of a Sentinel names hosts as host or host:port, with commas between them")
    return host, port or SENTINEL_PORT


def _check_unix(parts: SplitResult) -> None:
    if not parts.path:
        raise _fault("of a socket reads unix:///path/to/socket?db=0")


def _check_embedded(parts: SplitResult) -> None:
    if parts.netloc or parts.path or parts.query:
        raise _fault("of an embedded server is embedded:// and nothing more")


def _check_server(parts: SplitResult, *, cluster: bool) -> None:
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise _fault("has a port that is no number from 1 to 65535")
    database = unquote(parts.path.removeprefix("/")) or "0"
    if not database.isdecimal():
        raise _fault("ends with the number of a database, as in redis://host:6379/0, or with nothing")
    databases = {database, *parse_qs(parts.query).get("db", [])}
    if cluster and (not parts.hostname or databases != {"0"}):
        raise _fault("of a cluster reads redis+cluster://host:6379, and a cluster has database 0 alone")
