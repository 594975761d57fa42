"""Data in a prompt: labelled, delimited, and unable to write its own closing mark."""

import json
import re
from typing import Any

#: control characters and those that turn the direction of writing, have no width or are half of a pair
_HIDDEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\U000e0000-\U000e007f]"
)
_MARKS = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})
_LABEL = re.compile(r"[^A-Za-z0-9 _.,-]")


def block(source: str, value: Any) -> str:
    """A JSON value as data of a prompt: `<data from="customer message" trust="none">"…"</data>`.

    Nothing in it can end the block, since every `<`, `>` and `&` is escaped; hidden characters are gone. Raises ValueError
    for what is no JSON value.
    """
    text = json.dumps(_visible(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return f'<data from="{_LABEL.sub(" ", source)}" trust="none">{text.translate(_MARKS)}</data>'


def _visible(value: Any) -> Any:
    match value:
        case str():
            return _HIDDEN.sub("", value)
        case dict():
            return {_visible(str(key)): _visible(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_visible(inner) for inner in value]
    return value
