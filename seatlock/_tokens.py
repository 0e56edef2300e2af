"""Mints tokens, 128 bits each from `secrets`, and tells what may be kept of one.

They are drawn some hundred at a time, since one system call a token would cost more than the rest of a request.

A forked process must never mint what its parent mints: the stock is thrown away in every child.
"""

from __future__ import annotations

import os
import secrets
from hashlib import sha256
from typing import Final

STOCK: Final = 256  # tokens drawn at a time
_stock: list[str] = []


def new_token() -> str:
    """Make a token: 128 random bits from `secrets`, as 32 hexadecimal digits. Keep it as secret as a password."""
    try:
        return _stock.pop()  # atomic, so that threads may share the stock
    except IndexError:
        digits = secrets.token_hex(16 * STOCK)
        fresh = [digits[at : at + 32] for at in range(0, len(digits), 32)]
        token = fresh.pop()
        _stock.extend(fresh)
        return token


def hash_of(token: str) -> str:
    """Give what the outbox and the ledger keep of a token: its SHA-256 in hexadecimal. Random, so it needs no salt."""
    return sha256(token.encode()).hexdigest()


os.register_at_fork(after_in_child=_stock.clear)
