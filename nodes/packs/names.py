"""What a pack may name, and what to say of a name that is not there: what was probably meant, and what there is."""

import re
from collections.abc import Collection, Mapping

from knowledge_index.policies import Clause
from nodes.functions import FUNCTION_NAMES
from strict_yaml import instead
from systems.conditions import Expression

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
