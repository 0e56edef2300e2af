"""What every door to Redis knows, and how it has requests carried out: pure, as all that is yielded from here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

from seatlock import _bounds, _procedures
from seatlock._operation import Ask
from seatlock._procedures import Procedure
from seatlock.errors import SeatLockError

T = TypeVar("T")

DEFAULT_PATIENCE: Final = 5.0  # seconds


class Base:
    """Namespace, patience (seconds), the servers it has checked, and how asks become script calls."""

    CHECKED_SHOWS: Final = 10_000  # shows whose server is remembered as checked

    def __init__(self, namespace: object, patience: object, sender: _procedures.Sender) -> None:
        self.namespace = _bounds.namespace(namespace)
        self.patience = _bounds.milliseconds("patience", patience) / 1000
        self._checked: set[str] = set()
        self._sender = sender

    def one(self, ask: Ask[T]) -> Procedure[T]:
        """Carry out one ask in a call of its own."""
        if ask.show not in self._checked:
            yield from self.check_server(ask.show)
        return (yield from _procedures.one(self.namespace, ask, self._sender, self.patience))

    def prepare(self, show: object) -> Procedure[None]:
        """Find out once whether the server of a show is fit for what follows."""
        yield from self._ready(show)

    def group(self, asks: Sequence[Ask[T]], patience: float) -> Procedure[list[T | SeatLockError]]:
        """Carry out asks of one verb and one show: an answer each, also where the server is found unfit."""
        if asks[0].show not in self._checked:
            try:
                yield from self.check_server(asks[0].show)
            except SeatLockError as error:
                return _procedures.copies(error, asks)
        return (yield from _procedures.many(self.namespace, asks, self._sender, patience))

    def _many(self, show: object, asks: Sequence[Ask[T] | SeatLockError]) -> Procedure[list[T | SeatLockError]]:
        yield from self._ready(show)
        return (yield from _procedures.valid(self.namespace, asks, self._sender, self.patience))

    def together(self, show: object, asks: Sequence[Ask[T]]) -> Procedure[list[T | SeatLockError]]:
        """Carry out asks of one verb and one show: an answer each, in order."""
        return (yield from self._many(show, asks))

    def _ready(self, show: object) -> Procedure[str]:
        show = _bounds.show_id(show)
        if show not in self._checked:
            yield from self.check_server(show)
        return show

    def check_server(self, show: str) -> Procedure[None]:
        """Find out whether the server of a show can keep locks."""
        yield from _procedures.check_server(self.namespace, show)
        if len(self._checked) >= self.CHECKED_SHOWS:
            self._checked.clear()
        self._checked.add(show)
