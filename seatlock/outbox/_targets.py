"""Where events are told: the URLs of brokers, checked before anything is sent. No message quotes one."""

from __future__ import annotations

import re
from typing import Final, NoReturn
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import msgspec

from seatlock.errors import InvalidRequest

_HOST: Final = re.compile(r"(?:\[[0-9A-Fa-f:.%]+\]|[^\s:\[\]/@]+)(?::(?P<port>\d{1,5}))?")
_TOPIC: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")
_KAFKA: Final = ("kafka", "kafkas")
LOGINS: Final = ("plain", "scram-sha-256", "scram-sha-512")
KAFKA_PORT: Final = 9092
MAX_PORT: Final = 65_535
MAX_EXCHANGE_BYTES: Final = 255  # what AMQP has room for
MAX_STREAM_BYTES: Final = 512
MAX_LENGTH: Final = 2**53


class Kafka(msgspec.Struct, frozen=True):
    """A topic of a Kafka cluster; ``user`` is empty where nobody logs in."""

    servers: tuple[str, ...]
    topic: str
    shown: str
    tls: bool = False
    user: str = ""
    password: str = ""
    login: str = "plain"
    secrets: tuple[str, ...] = ()


class Rabbit(msgspec.Struct, frozen=True):
    """An exchange of RabbitMQ's."""

    url: str
    exchange: str
    shown: str
    secrets: tuple[str, ...] = ()


class RedisStream(msgspec.Struct, frozen=True):
    """A stream of Redis's, cut to about ``maxlen`` entries where that is given."""

    url: str
    stream: str
    maxlen: int | None
    shown: str
    secrets: tuple[str, ...] = ()


Target = Kafka | Rabbit | RedisStream


def target_of(url: object) -> Target:
    """Check a URL; raises `seatlock.InvalidRequest`, which does not quote it."""
    if not isinstance(url, str):
        raise InvalidRequest(f"the URL to publish to must be a string, not {type(url).__name__}.")
    try:
        parts = urlsplit(url)
        parts.port if parts.scheme not in _KAFKA else None  # noqa: B018 - a port that is none raises
    except ValueError:
        raise InvalidRequest("the URL to publish to cannot be read: look at its host and port.") from None
    match parts.scheme:
        case "kafka" | "kafkas":
            return _kafka(parts)
        case "amqp" | "amqps":
            return _rabbit(parts)
        case "redis" | "rediss":
            return _redis(parts)
        case _:
            raise InvalidRequest(
                "events can be published to kafka://host:port/TOPIC, amqp://user:password@host/vhost?exchange=NAME and "
                "redis://host/0?stream=NAME; this URL begins like none of them."
            )


def _kafka(parts: SplitResult) -> Kafka:
    options = _options(parts, known=("login",))
    login, _, hosts = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    if "@" in parts.netloc and not (user and password):
        _refuse(parts.scheme, "no user and password before the @")
    if "login" in options and (not user or options["login"] not in LOGINS):
        _refuse(parts.scheme, f"a login other than {', '.join(LOGINS)}, or nobody who logs in")
    servers: list[str] = []
    for server in hosts.split(","):
        match = _HOST.fullmatch(server)
        if match is None or not 0 < int(match["port"] or KAFKA_PORT) <= MAX_PORT:
            _refuse(parts.scheme, "a host or port that is none: name brokers as host:port,host:port")
        servers.append(server if match["port"] else f"{server}:{KAFKA_PORT}")
    topic = parts.path.removeprefix("/")
    if not _TOPIC.fullmatch(topic) or topic in {".", ".."}:
        _refuse(parts.scheme, "no topic as its path: up to 249 of the characters A-Z a-z 0-9 . _ -")
    return Kafka(
        servers=tuple(servers),
        topic=topic,
        shown=f"{parts.scheme}://{','.join(servers)}/{topic}",
        tls=parts.scheme == "kafkas",
        user=unquote(user),
        password=unquote(password),
        login=options.get("login", "plain"),
        secrets=_spellings(password),
    )


def _rabbit(parts: SplitResult) -> Rabbit:
    exchange = _options(parts, known=("exchange",)).get("exchange", "")
    _host(parts)
    if not exchange or len(exchange.encode()) > MAX_EXCHANGE_BYTES or exchange.startswith("amq."):
        _refuse(parts.scheme, "no exchange of its own: add ?exchange=NAME, which does not begin with amq.")
    plain = parts._replace(query="", fragment="")
    return Rabbit(plain.geturl(), exchange, f"{_shown(plain)}?exchange={exchange}", _secrets(parts))


def _redis(parts: SplitResult) -> RedisStream:
    options = _options(parts, known=("stream", "maxlen"))
    _host(parts)
    database = parts.path.removeprefix("/")
    if database and not (database.isascii() and database.isdigit()):
        _refuse(parts.scheme, "a path that is no number of a database")
    stream = options.get("stream", "")
    if not stream or len(stream.encode()) > MAX_STREAM_BYTES:
        _refuse(parts.scheme, "no stream: add ?stream=NAME")
    maxlen = options.get("maxlen")
    if maxlen is not None and not (maxlen.isascii() and maxlen.isdigit() and 0 < int(maxlen) <= MAX_LENGTH):
        _refuse(parts.scheme, "a maxlen that is no whole number from 1")
    plain = parts._replace(query="", fragment="")
    length = None if maxlen is None else int(maxlen)
    return RedisStream(plain.geturl(), stream, length, f"{_shown(plain)}?stream={stream}", _secrets(parts))


def _options(parts: SplitResult, *, known: tuple[str, ...]) -> dict[str, str]:
    if parts.fragment:
        _refuse(parts.scheme, "a part behind a #; write %23 if it belongs to a password")
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    options = dict(pairs)
    if len(options) != len(pairs) or not set(options) <= set(known):
        _refuse(parts.scheme, f"options other than {' and '.join(known) or 'none'}, or one twice")
    return options


def _host(parts: SplitResult) -> None:
    if not parts.hostname or any(character.isspace() for character in parts.netloc):
        _refuse(parts.scheme, "no host")


def _shown(parts: SplitResult) -> str:
    """The URL without user and password."""
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _secrets(parts: SplitResult) -> tuple[str, ...]:
    return _spellings(parts.password or "")


def _spellings(password: str) -> tuple[str, ...]:
    """A password as it is written and as it is meant."""
    return tuple({password, unquote(password)}) if password else ()


def _refuse(scheme: str, what: str) -> NoReturn:
    raise InvalidRequest(f"the {scheme}:// URL to publish to has {what}.")
