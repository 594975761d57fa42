"""One form of a value for storing, comparing and digesting.

`storable` is the one place that replaces what PostgreSQL cannot hold: NUL characters and lone surrogates in text
become U+FFFD (a visible mark), and numbers that JSON does not know become their names as text. What comes back from
PostgreSQL therefore has the digest that it had when it was handed in.
"""

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from errors import BadInput

_AS_THEY_ARE = frozenset({int, bool, type(None)})
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def clean(text: str) -> str:
    """`text` with U+FFFD in the place of every character that PostgreSQL refuses."""
    if text.isascii() and "\0" not in text:  # as nearly all are
        return text
    return _UNSTORABLE.sub("\ufffd", text)


def storable(value: Any) -> Any:
    """`value` as plain JSON data: dicts with text keys, lists, text, numbers, booleans, None.

    Raises BadInput for anything else, such as a client or a set.
    """
    kind = type(value)
    if kind in _AS_THEY_ARE:
        return value
    if kind is str:
        return value if value.isascii() and "\0" not in value else clean(value)  # a call saved, of thousands
    if kind is dict or isinstance(value, Mapping):  # which takes long to say
        return {_key(key): item if type(item) in _AS_THEY_ARE else storable(item) for key, item in value.items()}
    if kind is list or (isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray)):
        return [item if type(item) in _AS_THEY_ARE else storable(item) for item in value]
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            return str(value)
        # as JSONB gives it back, which has neither exponents nor a zero below zero
        return int(value) if abs(value) >= 1e16 else value + 0.0
    if isinstance(value, int):
        return value
    if isinstance(value, datetime):
        return moment(value).isoformat()
    raise BadInput(f"The ledger stores plain data only, but was given a {type(value).__name__}; pass its fields.")


@lru_cache(maxsize=4096, typed=True)
def _key(key: object) -> str:
    """Of an object; there are few, which come again and again."""
    return clean(str(key))


def canonical(value: Any) -> bytes:
    """The JSON of `value` with sorted keys and no blanks: equal values have equal bytes. BadInput as `storable`.

    As RFC 8785 (JSON Canonicalization Scheme) but for numbers, which stand as Python writes them, and for text, which is ASCII
    with escapes: the database makes the same bytes (`ledger.canonical` in `migrations/sql/log.sql`).
    """
    return json_of(storable(value)).encode()


def json_of(plain: Any) -> str:
    """The same as text, of a value that `storable` made."""
    return _CANONICAL.encode(plain)


def digest(value: Any) -> str:
    """sha256 of the canonical JSON, as 64 hexadecimal digits."""
    return digest_of(storable(value))


def digest_of(plain: Any) -> str:
    """The same, of a value that `storable` made."""
    return hashlib.sha256(json_of(plain).encode()).hexdigest()


def moment(at: datetime) -> datetime:
    """`at` in UTC. Raises BadInput when it has no time zone, for then nobody knows when it was, or is outside all years."""
    if at.tzinfo is None:
        raise BadInput(f"The moment {at.isoformat()} has no time zone: give it in UTC.")
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise BadInput(f"The moment {at.isoformat()} is in no year from 1 to 9999 of UTC: give one that is.") from None


def utc_now() -> datetime:
    """The present moment in UTC."""
    return datetime.now(UTC)
