"""An action that moves or costs something and says that it does not: its entry of the catalogue does not load."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from systems.conditions import Scope, Unknown, Value
from systems.records import OPTIONAL, Path

#: in place of an expression: the policy says what one costs
FLAT = "flat"
_AMOUNT = "_cents"
_COST = "cost_cents"
#: what amounts and counts are tried with, and which of the words of an argument: rising and falling, so that a difference
#: shows in one of the two
_TRIED = ((range(3, 3_000, 7), 0), (range(3_000, 3, -7), -1))


def uncounted(
    args: Mapping[str, Any], looks_at: Mapping[str, Path], changed: Sequence[Path], money: Mapping[str, Value]
) -> str | None:
    """Why the money of an entry is not all that it moves or costs; None where nothing speaks against it.

    Args:
        args: its arguments with their kinds; one of `cents` is an amount.
        looks_at: the records that it looks at.
        changed: what its effect sets.
        money: what it says that it moves or costs; empty of one that says `none`.
    """
    for kind, value in money.items():
        if _is_nothing(value, args, looks_at):
            return f"the {kind} is 0 whatever is done"
    counted = {name for value in money.values() if value.expression for name in value.expression.names}
    for name, kind in args.items():
        if kind == "cents" and name not in counted:
            return f"the amount {name} is not counted"
    if money:
        return None
    for path in changed:
        if (path.field or "").endswith(_AMOUNT):
            return f"it changes {path.source}, an amount, and counts none"
        if any(field.endswith(_COST) for field in OPTIONAL.get(path.collection, ())):
            return f"a record of {path.collection} says what it costs, and it counts none"
    return None


def _is_nothing(value: Value, args: Mapping[str, Any], looks_at: Mapping[str, Path]) -> bool:
    if value.expression is None:
        return value.constant != FLAT and (type(value.constant) is not int or value.constant <= 0)
    found = [_tried(value, args, looks_at, iter(numbers), word) for numbers, word in _TRIED]
    return all(one is not None and one <= 0 for one in found)


def _tried(value: Value, args: Mapping[str, Any], looks_at: Mapping[str, Path], numbers: Iterator[int], word: int) -> int | None:
    """What the expression says of made-up records; None where those do not do for it."""
    assert value.expression is not None
    names: dict[str, Any] = {}
    for name, kind in args.items():
        names[name] = next(numbers) if kind == "cents" else kind[word] if isinstance(kind, list) else name
    for name, path in looks_at.items():
        fields = re.findall(rf"\b{name}\.(\w+)", value.expression.source)
        names[name] = next(numbers) if path.field else {field: next(numbers) for field in fields}
    try:
        cents = value.expression.evaluate(Scope(names))
    except Unknown:
        return None
    return cents if type(cents) is int else None
