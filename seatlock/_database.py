"""Makes SQLAlchemy's engines of URLs (extra ``ledger``)."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy
from sqlalchemy import exc

from seatlock.errors import InvalidRequest

POSTGRES: Final = ("postgresql", "postgres")
"""What a URL of PostgreSQL begins with where it names no driver."""


def engine_of(url: str, **options: Any) -> sqlalchemy.Engine:
    """Make an engine for a URL; PostgreSQL without a driver means psycopg. Messages never quote the URL."""
    try:
        target = sqlalchemy.make_url(url)
        if target.drivername in POSTGRES:
            target = target.set(drivername="postgresql+psycopg")  # the driver that the extra brings
        return sqlalchemy.create_engine(target, **options)
    except (exc.NoSuchModuleError, ModuleNotFoundError) as error:
        raise InvalidRequest(f"the driver of that database is not installed: {error}") from error
    except (exc.ArgumentError, ValueError):
        # what it says may quote pieces of the URL
        raise InvalidRequest(
            "the URL of the database cannot be understood: write dialect://user:password@host:port/name, with special "
            "characters of the password percent-encoded."
        ) from None
