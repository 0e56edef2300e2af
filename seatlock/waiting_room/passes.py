"""Signed passes: JSON Web Tokens (RFC 7519) with HMAC-SHA256 and a key id, so that any front end can check them.

A token is good until its own expiry, also where its pass was ended before: only the live passes in Redis, which
`acquire` looks at, know that. Keys are rotated by naming a new one active and keeping the old one until its last token
has expired.
"""

from __future__ import annotations

import hmac
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final, cast

import msgspec

from seatlock.errors import InvalidRequest, NotAdmitted

MIN_SECRET_BYTES: Final = 32  # RFC 7518, section 3.2: a key of the same size as the hash output, or larger
MAX_TOKEN_BYTES: Final = 4096


class Checked(msgspec.Struct, frozen=True):
    """What a signed pass says: whose it is, for which show, the number of the place, and until when (Unix seconds)."""

    show: str
    holder: str
    place: int
    expires_at: float


class _Head(msgspec.Struct):
    alg: str
    kid: str


class _Body(msgspec.Struct):
    aud: str
    sub: str
    exp: float
    place: int


class PassKeys:
    """The keys that passes are signed with: ``secrets`` by key id, at least 32 bytes each; ``active`` signs.

    Raises `InvalidRequest` where a secret is too short or ``active`` is not among them.
    """

    def __init__(self, secrets: Mapping[str, bytes], *, active: str) -> None:
        if not isinstance(cast("object", secrets), Mapping):
            raise InvalidRequest(f"secrets must map key ids to bytes, not be a {type(secrets).__name__}.")
        for name, secret in cast("Mapping[Any, Any]", secrets).items():
            if not isinstance(name, str) or not name or not isinstance(secret, bytes):
                raise InvalidRequest("secrets must map key ids to bytes.")
            if len(secret) < MIN_SECRET_BYTES:
                raise InvalidRequest(f"the secret of key {name!r} is shorter than {MIN_SECRET_BYTES} bytes.")
        if not isinstance(cast("object", active), str) or active not in secrets:
            raise InvalidRequest(f"active names the key {active!r}, which is not among secrets.")
        self._secrets = dict(secrets)
        self._active = active

    def __repr__(self) -> str:
        return f"PassKeys({sorted(self._secrets)}, active={self._active!r})"

    def sign(self, show: str, holder: str, place: int, expires_at: float) -> str:
        """Make the signed form of a pass; ``expires_at`` is in Unix seconds."""
        head = msgspec.json.encode({"alg": "HS256", "typ": "JWT", "kid": self._active})
        body = msgspec.json.encode({"aud": show, "sub": holder, "exp": expires_at, "place": place})
        signed = _text(head) + b"." + _text(body)
        return (signed + b"." + _text(self._mac(self._active, signed))).decode()

    def check(
        self, token: object, *, show: str, holder: str | None = None, now: float | None = None, leeway: float = 0.0
    ) -> Checked:
        """Check a signed pass without asking anybody. Raises `NotAdmitted`, saying what is wrong with it.

        ``holder`` is who shows it, None to accept anyone's. ``now`` is this machine's clock by default; ``leeway`` is
        the seconds that it may be ahead of the server's.
        """
        head, body, signed, signature = _parts(token)
        if head.alg != "HS256" or head.kid not in self._secrets:
            raise NotAdmitted("the pass is signed with a key that is not known here: join the waiting room again.")
        if not hmac.compare_digest(self._mac(head.kid, signed), signature):
            raise NotAdmitted("the pass is forged, or was changed: join the waiting room.")
        if body.aud != show or (holder is not None and body.sub != holder):
            raise NotAdmitted(f"the pass is for another show or another holder than this one of show {show!r}.")
        if (time.time() if now is None else now) > body.exp + leeway:
            raise NotAdmitted(f"the pass for show {show!r} has expired: join the waiting room again.")
        return Checked(body.aud, body.sub, body.place, body.exp)

    def _mac(self, key: str, signed: bytes) -> bytes:
        return hmac.digest(self._secrets[key], signed, sha256)


def _parts(token: object) -> tuple[_Head, _Body, bytes, bytes]:
    if not isinstance(token, str) or len(token) > MAX_TOKEN_BYTES or not token.isascii() or token.count(".") != 2:  # noqa: PLR2004 - as a JWT has
        raise NotAdmitted("the pass is not one: join the waiting room.")
    signed, _, signature = token.encode().rpartition(b".")
    head, _, body = signed.partition(b".")
    try:
        return (
            msgspec.json.decode(_bytes(head), type=_Head),
            msgspec.json.decode(_bytes(body), type=_Body),
            signed,
            _bytes(signature),
        )
    except (ValueError, msgspec.DecodeError, RecursionError):  # the last for what is nested a thousand times
        raise NotAdmitted("the pass cannot be read: join the waiting room.") from None


def _text(raw: bytes) -> bytes:
    return urlsafe_b64encode(raw).rstrip(b"=")


def _bytes(text: bytes) -> bytes:
    raw = urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    if _text(raw) != text:  # one text for one signature: the decoder overlooks characters that are none
        raise ValueError
    return raw
