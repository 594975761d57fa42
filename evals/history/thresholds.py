"""The numbers of the definitions: those of the handbook stand in its clauses and nowhere else."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from errors import BadInput
from knowledge_index.policies import PolicyBook


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """What counts as an exception. Each is named in the definitions of docs/history.md."""

    #: DUP-1
    window_minutes: int
    #: REF-1
    apart_hours: int
    #: PHA-1
    shortfall_units: int
    shortfall_percent: int
    #: ORD-2
    open_statuses: tuple[str, ...]
    #: how many times the usual price is too much, or too little; a whole number
    price_factor: int = 5
    #: lines that a SKU needs to have a usual price
    price_lines: int = 20

    def __post_init__(self) -> None:
        for name, value in self:
            least = 2 if name == "price_factor" else 0
            if name != "open_statuses" and (type(value) is not int or not least <= value <= 1_000_000):
                raise BadInput(f"{name} is {value!r}; give a whole number of {least} to 1,000,000")

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return iter((name, getattr(self, name)) for name in self.__dataclass_fields__)

    @classmethod
    def of(cls, policies: PolicyBook, as_of: datetime, **others: int) -> Self:
        """Those in force at `as_of`. Raises BadInput where a clause is not in force then."""
        values = [policies.clause(name, as_of).values for name in ("DUP-1", "REF-1", "PHA-1", "ORD-2")]
        duplicate, charged, phantom, order = values
        return cls(
            window_minutes=duplicate["window_minutes"],
            apart_hours=charged["apart_hours"],
            shortfall_units=phantom["shortfall_units"],
            shortfall_percent=phantom["shortfall_percent"],
            open_statuses=tuple(order["unreleased_statuses"]),
            **others,
        )
