"""Signed passes: what was signed here is taken, and nothing else, whatever comes."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from seatlock.errors import InvalidRequest, NotAdmitted
from seatlock.waiting_room import PassKeys

OLD, NEW = b"old secret " * 3, b"new secret " * 3
KEYS = PassKeys({"new": NEW}, active="new")
NOW = 1_700_000_000.0
TOKEN = KEYS.sign("gala", "ada", 7, NOW + 60)
text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)


def b64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def made(head: Any, body: Any, secret: bytes = NEW) -> str:
    """A token of any head and body, signed as it should be."""
    parts = [b64(part if isinstance(part, bytes) else json.dumps(part).encode()) for part in (head, body)]
    signed = ".".join(parts)
    return f"{signed}.{b64(hmac.digest(secret, signed.encode(), sha256))}"


HEAD = {"alg": "HS256", "typ": "JWT", "kid": "new"}
BODY = {"aud": "gala", "sub": "ada", "exp": NOW + 60, "place": 7}


def test_what_was_signed_is_taken() -> None:
    checked = KEYS.check(TOKEN, show="gala", holder="ada", now=NOW)
    assert (checked.show, checked.holder, checked.place, checked.expires_at) == ("gala", "ada", 7, NOW + 60)
    assert KEYS.check(TOKEN, show="gala", now=NOW) == checked, "whoever shows it"
    assert KEYS.check(made(HEAD, BODY), show="gala", now=NOW) == checked, "as RFC 7519 says it"


@given(show=text, holder=text, place=st.integers(1, 2**32 - 1), left=st.floats(0, 1e6))
def test_any_pass_comes_back_as_it_was(show: str, holder: str, place: int, left: float) -> None:
    token = KEYS.sign(show, holder, place, NOW + left)
    checked = KEYS.check(token, show=show, holder=holder, now=NOW)
    assert (checked.show, checked.holder, checked.place, checked.expires_at) == (show, holder, place, NOW + left)
    assert token.isascii()


def test_it_ends_with_its_time() -> None:
    assert KEYS.check(TOKEN, show="gala", now=NOW + 60).place == 7
    with pytest.raises(NotAdmitted, match="has expired"):
        KEYS.check(TOKEN, show="gala", now=NOW + 60.001)
    assert KEYS.check(TOKEN, show="gala", now=NOW + 62, leeway=2).place == 7
    with pytest.raises(NotAdmitted, match="has expired"):
        KEYS.check(TOKEN, show="gala")


@pytest.mark.parametrize(
    ("show", "holder"), [("other", "ada"), ("gala", "bo"), ("gala", ""), ("", None), ("Gala", None)]
)
def test_it_is_for_one_show_and_one_holder(show: str, holder: str | None) -> None:
    with pytest.raises(NotAdmitted, match="for another show or another holder"):
        KEYS.check(TOKEN, show=show, holder=holder, now=NOW)


def test_parts_of_two_passes_make_none() -> None:
    other = KEYS.sign("gala", "bo", 8, NOW + 6000)
    mine, theirs = TOKEN.split("."), other.split(".")
    for at in range(1, 3):
        swapped = [theirs[part] if part == at else mine[part] for part in range(3)]
        with pytest.raises(NotAdmitted, match="forged"):
            KEYS.check(".".join(swapped), show="gala", now=NOW)


def test_keys_can_be_rotated() -> None:
    before = PassKeys({"old": OLD}, active="old")
    while_rotating = PassKeys({"old": OLD, "new": NEW}, active="new")
    token = before.sign("gala", "ada", 7, NOW + 60)
    assert while_rotating.check(token, show="gala", now=NOW).place == 7
    assert KEYS.check(while_rotating.sign("gala", "ada", 8, NOW + 60), show="gala", now=NOW).place == 8
    with pytest.raises(NotAdmitted, match="a key that is not known"):
        KEYS.check(token, show="gala", now=NOW)
    renamed = PassKeys({"old": NEW}, active="old")
    with pytest.raises(NotAdmitted, match="forged"):
        renamed.check(token, show="gala", now=NOW)


@pytest.mark.parametrize(
    "head",
    [
        {**HEAD, "alg": "none"},
        {**HEAD, "alg": "None"},
        {**HEAD, "alg": "hs256"},
        {**HEAD, "alg": "HS512"},
        {**HEAD, "alg": "RS256"},
        {**HEAD, "kid": "old"},
        {**HEAD, "kid": ""},
        {**HEAD, "kid": "../new"},
    ],
    ids=str,
)
@pytest.mark.parametrize("secret", [NEW, OLD, b""])
def test_another_algorithm_or_key_is_refused(head: dict[str, str], secret: bytes) -> None:
    token = made(head, BODY, secret)
    with pytest.raises(NotAdmitted, match="a key that is not known"):
        KEYS.check(token, show="gala", now=NOW)
    with pytest.raises(NotAdmitted, match="a key that is not known"):
        KEYS.check(token.rpartition(".")[0] + ".", show="gala", now=NOW)


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ([], BODY),
        ("", BODY),
        (None, BODY),
        ({"alg": "HS256"}, BODY),
        ({**HEAD, "kid": 5}, BODY),
        (HEAD, []),
        (HEAD, {}),
        (HEAD, {**BODY, "exp": "never"}),
        (HEAD, {**BODY, "exp": None}),
        (HEAD, {**BODY, "sub": 5}),
        (HEAD, {**BODY, "aud": ["gala", "other"]}),
        (HEAD, {**BODY, "place": 1.5}),
        (HEAD, b'{"aud":"gala","sub":"ada","exp":NaN,"place":7}'),
        (HEAD, b'{"aud":"gala","sub":"ada","exp":1e999,"place":7}'),
        (HEAD, b"\xff\xfe"),
        (b"\xff\xfe", BODY),
        (b"[" * 2900, BODY),
        (HEAD, b"[" * 2800),
        (HEAD, b'{"x":' + b"[" * 2700),
        (b'{"x":' + b"[" * 2700, BODY),
    ],
)
def test_what_cannot_be_read_is_refused_signed_or_not(head: Any, body: Any) -> None:
    token = made(head, body)
    assert len(token) <= 4096
    with pytest.raises(NotAdmitted):
        KEYS.check(token, show="gala", now=NOW)
    with pytest.raises(NotAdmitted):
        KEYS.check(token[:-5], show="gala", now=NOW)


@pytest.mark.parametrize(
    "junk", [None, 5, TOKEN.encode(), "", ".", "..", "...", "a.b", TOKEN + ".", TOKEN + "é", "x" * 5000]
)
def test_junk_is_no_pass(junk: object) -> None:
    with pytest.raises(NotAdmitted):
        KEYS.check(junk, show="gala", now=NOW)


@given(st.text(max_size=300) | st.from_regex(r"[A-Za-z0-9_\-]{0,40}\.[A-Za-z0-9_\-]{0,40}\.[A-Za-z0-9_\-]{0,50}"))
def test_no_text_is_a_pass(junk: str) -> None:
    with pytest.raises(NotAdmitted):
        KEYS.check(junk, show="gala", now=NOW)


@given(st.integers(0, len(TOKEN) - 1), st.characters())
@example(len(TOKEN) - 1, "=")
@example(len(TOKEN) - 1, "\n")
def test_a_changed_character_is_noticed(at: int, character: str) -> None:
    """Also one that the decoder would overlook, or whose bits do not count."""
    changed = TOKEN[:at] + character + TOKEN[at + 1 :]
    if changed == TOKEN:
        return
    with pytest.raises(NotAdmitted):
        KEYS.check(changed, show="gala", now=NOW)


@given(st.integers(0, len(TOKEN)), st.sampled_from(["=", " ", "\n", "A", ".", "==", "\x00"]))
def test_an_added_character_is_noticed(at: int, added: str) -> None:
    with pytest.raises(NotAdmitted):
        KEYS.check(TOKEN[:at] + added + TOKEN[at:], show="gala", now=NOW)


@pytest.mark.parametrize(
    ("secrets", "active"),
    [
        ({}, "a"),
        ({"a": b"x" * 31}, "a"),
        ({"a": "x" * 32}, "a"),
        ({"": b"x" * 32}, ""),
        ({5: b"x" * 32}, 5),
        ({"a": b"x" * 32}, "b"),
        ({"a": b"x" * 32}, None),
        ({"a": b"x" * 32}, ["a"]),
        ({"a": b"x" * 32, "b": b""}, "a"),
        (None, "a"),
        ([("a", b"x" * 32)], "a"),
    ],
    ids=str,
)
def test_keys_that_are_none_are_refused(secrets: Any, active: Any) -> None:
    with pytest.raises(InvalidRequest):
        PassKeys(secrets, active=active)


def test_secrets_are_told_to_nobody() -> None:
    assert repr(PassKeys({"a": OLD, "b": NEW}, active="b")) == "PassKeys(['a', 'b'], active='b')"
    assert TOKEN.count(".") == 2
    with pytest.raises(NotAdmitted) as refused:
        KEYS.check(TOKEN[:-4] + "AAAA", show="gala", now=NOW)
    assert TOKEN[:20] not in str(refused.value)


def test_changing_the_mapping_changes_no_keys() -> None:
    mapping = {"new": NEW}
    keys = PassKeys(mapping, active="new")
    mapping["new"] = OLD
    assert keys.check(TOKEN, show="gala", now=NOW).place == 7
