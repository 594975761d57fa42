"""JSON (RFC 8259) from outside, read strictly: it says one thing (as I-JSON, RFC 7493), and what ledger and CEL can hold."""

import json
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from errors import BadInput

#: lists and objects inside each other
DEEPEST = 50
_TOO_DEEP = f"not valid JSON here (more than {DEEPEST} lists and objects inside each other)"
#: whole numbers are kept in 64 bits
_MOST = 2**63


def strict_json(text: bytes | str) -> Any:
    """The value of a JSON text in UTF-8.

    Raises BadInput for what is no JSON, a key twice in an object, a number that is not finite or of more than 64 bits, and
    lists and objects that lie deeper than `DEEPEST` in each other.
    """
    try:
        decoded = text.decode("utf-8") if isinstance(text, bytes) else text
        value = json.loads(decoded, object_pairs_hook=_object, parse_constant=_no_constant, parse_float=_finite, parse_int=_whole)
    except RecursionError as error:
        raise BadInput(_TOO_DEEP) from error
    except ValueError as error:
        raise BadInput(f"not valid JSON ({error})") from error
    require_kept(value)
    return value


def require_kept(value: Any) -> None:
    """Raises BadInput for plain data that the ledger and CEL cannot hold: see `strict_json`."""
    level = [value]
    for depth in range(DEEPEST + 1):
        inside: list[Any] = []
        for one in level:
            match one:
                case str() | bool() | None:
                    pass
                case dict() | list() if depth == DEEPEST:
                    raise BadInput(_TOO_DEEP)
                case dict():
                    inside += one.values()
                case list():
                    inside += one
                case int() | float() if not (math.isfinite(one) if isinstance(one, float) else -_MOST <= one < _MOST):
                    raise BadInput(f"not valid JSON here ({one!s:.30} is too large a number)")
        level = inside


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"the key {twice[:60]!r} appears twice in an object")
    return made


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _finite(digits: str) -> float:
    if not math.isfinite(number := float(digits)):
        raise ValueError(f"{digits[:30]} is too large a number")
    return number


def _whole(digits: str) -> int:
    if len(digits) > 20 or not -_MOST <= (number := int(digits)) < _MOST:
        raise ValueError(f"{digits[:30]} is too large a number")
    return number
