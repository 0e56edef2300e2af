"""The requests of the ``_many`` calls: each entry is checked alone, so that a bad one fails alone."""

from __future__ import annotations

from typing import Any

from seatlock import _bounds, _commands, _levels
from seatlock._operation import Ask
from seatlock.errors import InvalidRequest, SeatLockError
from seatlock.model import AcquireRequest, Booking, ConfirmRequest, Hold, Release


def _listed(name: str, values: Any) -> list[Any]:
    if isinstance(values, str | bytes):
        raise InvalidRequest(f"{name} must be a list, not {type(values).__name__}.")
    try:
        return list(values)
    except TypeError:
        raise InvalidRequest(f"{name} must be a list, not {type(values).__name__}.") from None


def acquire_asks(namespace: str, show: object, requests: object) -> list[Ask[Hold] | SeatLockError]:
    """The asks of `acquire_many`."""
    show = _bounds.show_id(show)
    asks: list[Ask[Hold] | SeatLockError] = []
    for request in _listed("requests", requests):
        try:
            if not isinstance(request, AcquireRequest):
                raise InvalidRequest(f"requests must be AcquireRequest objects, not {type(request).__name__}.")  # noqa: TRY301 - an answer among answers
            asks.append(
                _commands.acquire(
                    namespace,
                    show,
                    request.seats,
                    request.holder,
                    request.ttl,
                    request.token,
                    request.pools,
                    request.channel,
                )
            )
        except InvalidRequest as error:
            asks.append(error)
    return asks


def confirm_asks(
    namespace: str, show: object, requests: object, wait: object = None
) -> list[Ask[Booking] | SeatLockError]:
    """The asks of `confirm_many`, which all wait for the same."""
    show = _bounds.show_id(show)
    wait = _levels.checked(wait)
    asks: list[Ask[Booking] | SeatLockError] = []
    for request in _listed("requests", requests):
        try:
            if not isinstance(request, ConfirmRequest):
                raise InvalidRequest(f"requests must be ConfirmRequest objects, not {type(request).__name__}.")  # noqa: TRY301 - an answer among answers
            ask = _commands.confirm(namespace, request.hold, request.payment, request.booking, reclaim=request.reclaim)
            asks.append(_of_show(show, _levels.waiting_ask(ask, wait)))
        except InvalidRequest as error:
            asks.append(error)
    if any(isinstance(ask, Ask) and ask.verb == "reclaim" for ask in asks):
        return [_commands.beside_reclaims(ask) if isinstance(ask, Ask) else ask for ask in asks]
    return asks


def release_asks(namespace: str, show: object, holds: object) -> list[Ask[Release] | SeatLockError]:
    """The asks of `release_many`."""
    show = _bounds.show_id(show)
    asks: list[Ask[Release] | SeatLockError] = []
    for hold in _listed("holds", holds):
        try:
            asks.append(_of_show(show, _commands.release(namespace, hold)))
        except InvalidRequest as error:
            asks.append(error)
    return asks


def _of_show(show: str, ask: Ask[Any]) -> Ask[Any]:
    if ask.show != show:
        raise InvalidRequest(f"the hold is of show {ask.show!r}, the call of show {show!r}: one call, one show.")
    return ask
