"""Compiling a condition of a pack, and checking what it names; where it is wrong, what was probably meant.

The parser's own sentence lists the tokens that it expected, which helps nobody who is no programmer.
"""

import re
from collections.abc import Collection, Mapping

from errors import BadInput
from knowledge_index.policies import Clause
from nodes.functions import FUNCTION_NAMES
from strict_yaml import instead
from systems.conditions import Expression

_PLACE = re.compile(r"<input>:\d+:(\d+)")
_TEXT = re.compile(r"'[^']*'|\"[^\"]*\"")
#: what stands in a condition, texts left out -> what to do about it; the first that fits is used
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
        raise BadInput(f"{where}: the condition «{source}» does not compile{near}; fix it: {_remedy(source)}") from error


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


_CLAUSE_VALUE = re.compile(r"\b([A-Z]+_\d+)\.(\w+)")
_CLAUSE = re.compile(r"[A-Z]+_\d+")
_QUOTED = re.compile(r"'[^']*'")


def unknown_name(expression: Expression, known: Collection[str], clauses: Mapping[str, Clause]) -> str | None:
    """Why an expression names something that is not there where it stands, or None.

    Clause values are looked up as well: a misspelt one would make every case undecidable.
    """
    source = expression.source
    for name in sorted(expression.names - set(known)):
        own = {one for one in known if not _CLAUSE.fullmatch(one)}
        if _CLAUSE.fullmatch(name):
            return f"«{source}» uses the unknown name {name!r}, and no policy in force has the clause {name.replace('_', '-')}"
        return f"«{source}» uses the unknown name {name!r}; {instead(name, own)}; a clause is named as in FRD_2.elevated"
    for name in sorted(expression.functions - FUNCTION_NAMES):
        return f"«{source}» uses the unknown function {name!r}; {instead(name, FUNCTION_NAMES)}"
    for clause, value in _CLAUSE_VALUE.findall(_QUOTED.sub("''", source)):
        values = clauses[clause.replace("_", "-")].values
        if value not in values:
            return f"«{source}» uses {clause}.{value}, and {clause.replace('_', '-')} has no such value; {instead(value, values)}"
    return None
