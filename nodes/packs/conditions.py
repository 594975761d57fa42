"""Compiling a condition of a pack; where it does not compile, what people mostly mean instead.

The parser's own sentence lists the tokens that it expected, which helps nobody who is no programmer.
"""

import re

from errors import BadInput
from systems.conditions import Expression

_PLACE = re.compile(r"<input>:\d+:(\d+)")
_TEXT = re.compile(r"'[^']*'|\"[^\"]*\"")
#: what stands in a condition, texts left out -> what to do about it; the first that fits is told
_REMEDIES = (
    (r"[“”‘’]", "write texts in straight quotes, as 'vip'"),
    (r"['\"]", "close the quote of the text"),
    (r"=>", "write >= for «at least»"),
    (r"=<", "write <= for «at most»"),
    (r"<>", "write != for «is not»"),
    (r"(?<![=!<>])=(?!=)", "write == to compare"),
    (r"\band\b|(?<!&)&(?!&)", "write && for «and»"),
    (r"\bor\b|(?<!\|)\|(?!\|)", "write || for «or»"),
    (r"\bnot\b", "write ! for «not», as in !paid"),
    (r"\bis\b", "write == for «is»"),
    (r"\bif\b|\bthen\b|\belse\b", "write condition ? this : that"),
    (r"\bin\s*\(", "write a list in [ ], as in ['gold', 'vip']"),
    (r"\d\s*%\s*($|[<>=&|)])", "write a percentage as a number"),
    (r"(?:[-+*/<>=!.]|&&|\|\||\bin)\s*$", "something is missing at the end"),
)
_BRACKETS = {")": "(", "]": "[", "}": "{"}


def compile_condition(source: str, where: str) -> Expression:
    """Compile a condition, or what a value or a hole is computed from. Raises BadInput with `where`, place and remedy."""
    try:
        return Expression.compile(source, where)
    except BadInput as error:
        found = _PLACE.search(str(error))
        at = source[int(found[1]) - 1 :].strip()[:30] if found else ""
        near = f" at «{at}»" if at and at != source.strip() else ""
        raise BadInput(f"{where}: the condition «{source}» does not compile{near}; mend it: {_remedy(source)}") from error


def _remedy(source: str) -> str:
    bare = _TEXT.sub("''", source).replace("''", "")
    if not source.strip():
        return "write a condition, or leave it out"
    for pattern, remedy in _REMEDIES:
        if re.search(pattern, bare):
            return remedy
    return _unclosed(bare) or "check this spot: an operator may be missing between two names"


def _unclosed(bare: str) -> str:
    open_ = ""
    for mark in bare:
        if mark in _BRACKETS.values():
            open_ += mark
        elif mark in _BRACKETS:
            if not open_.endswith(_BRACKETS[mark]):
                return f"{mark} has no partner"
            open_ = open_[:-1]
    return f"close the {open_[-1]}" if open_ else ""
