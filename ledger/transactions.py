"""One transaction a method, said once: a function of `ledger/sql/` becomes a method that opens one and hands it over.

`reads`, `writes`, `timed` and `as_holder` give the method the other arguments and the docstring of the function.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

from ledger.canonical import utc_now
from ledger.records import Lease

_P = ParamSpec("_P")
_R = TypeVar("_R")


class Transacting:
    """Every method is one transaction, and raises as `ledger.base` says."""

    _clock: Callable[[], datetime]
    #: what every write needs, where this belongs to the holder of a lease
    _held: Lease | None = None

    @property
    def _now(self) -> datetime:
        return self._clock()

    def transaction(self) -> AbstractContextManager[Connection]:
        """Commits at the end; errors of the database become those of the project."""
        raise NotImplementedError

    def _writing(self) -> AbstractContextManager[Connection]:
        """A transaction that writes, which for the holder of a lease finds it held."""
        return self.transaction()


class Service(Transacting):
    """What is asked of the database of a ledger besides `ledger.base.Ledger`."""

    def __init__(self, ledger: Transacting, clock: Callable[[], datetime] = utc_now) -> None:
        self._ledger, self._clock = ledger, clock

    def transaction(self) -> AbstractContextManager[Connection]:
        return self._ledger.transaction()


_Method = Callable[Concatenate[Transacting, _P], _R]


def _delegating(do: Callable[..., _R], opens: str, *attributes: str) -> Callable[..., _R]:
    """`do` in a transaction that the method of this name opens, with what the ledger says under these attributes."""

    @wraps(do)
    def method(self: Transacting, /, *args: Any, **kwargs: Any) -> _R:
        with getattr(self, opens)() as tx:
            return do(tx, *(getattr(self, name) for name in attributes), *args, **kwargs)

    return method


def reads(do: Callable[Concatenate[Connection, _P], _R]) -> _Method[_P, _R]:
    """In a transaction that takes no lease."""
    return _delegating(do, "transaction")


def writes(do: Callable[Concatenate[Connection, _P], _R]) -> _Method[_P, _R]:
    """In a transaction that writes."""
    return _delegating(do, "_writing")


def timed(do: Callable[Concatenate[Connection, datetime, _P], _R]) -> _Method[_P, _R]:
    """In a transaction that writes, with the present moment."""
    return _delegating(do, "_writing", "_now")


def as_holder(do: Callable[Concatenate[Connection, Lease | None, _P], _R]) -> _Method[_P, _R]:
    """In a transaction that writes, with the lease under which that is."""
    return _delegating(do, "_writing", "_held")
