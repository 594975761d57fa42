"""JSON from outside, read strictly: what it says is one thing, and what the ledger and CEL can hold."""

import json
import math
from collections.abc import Sequence
from typing import Any

from errors import BadInput

#: lists and objects inside each other
DEEPEST = 50
#: whole numbers are kept in 64 bits
_MOST = 2**63


def strict_json(text: bytes | str) -> Any:
    """The value of a JSON text in UTF-8.

    Raises BadInput for what is no JSON, a key that stands twice in an object, a number that is not finite or needs more
    than 64 bits, and lists and objects that lie deeper than `DEEPEST` in each other.
    """
    try:
        told = text.decode("utf-8") if isinstance(text, bytes) else text
        value = json.loads(told, object_pairs_hook=_object, parse_constant=_no_constant, parse_float=_finite, parse_int=_whole)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"not valid JSON ({error})") from error
    if _deeper_than(value, DEEPEST):
        raise BadInput(f"not valid JSON here (more than {DEEPEST} lists and objects inside each other)")
    return value


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in pairs:
        if key in made:
            raise ValueError(f"the key {key[:60]!r} stands twice in an object")
        made[key] = value
    return made


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits[:30]} is too large a number")
    return number


def _whole(digits: str) -> int:
    if len(digits) > 20 or not -_MOST <= (number := int(digits)) < _MOST:
        raise ValueError(f"{digits[:30]} is too large a number")
    return number


def _deeper_than(value: Any, most: int) -> bool:
    level = [value]
    for _ in range(most):
        level = [
            inner for one in level if isinstance(one, dict | list) for inner in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return False
    return any(isinstance(one, dict | list) for one in level)
