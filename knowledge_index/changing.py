"""Other values in clauses without a file of their own: what would be asked for if a number were another one.

>>> with_values(book.standing(now), {"FRD-2.elevated": 0.6, "GOV-3.bands.0.up_to_cents": 20_000})
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from errors import BadInput
from knowledge_index.documents import Document, RawClause
from knowledge_index.drafting import fitting, leaves
from knowledge_index.policies import PolicyBook, part_of
from strict_yaml import parse_yaml

_LONGEST_PATH, _LONGEST_VALUE = 200, 2_000
TIERS = ("automate", "recommend")


def read_change(text: str) -> tuple[str, Any]:
    """A change as it is written in one word: "FRD-2.elevated=0.8", "GOV-1.automate=[open_case]". Raises BadInput."""
    before, _, written = text.partition("=")
    path = before.strip()
    if not path or not written.strip() or len(before) > _LONGEST_PATH or len(written) > _LONGEST_VALUE:
        raise BadInput(f"{text[:_LONGEST_PATH]!r} is not a change; write CLAUSE.VALUE=NEW")
    read = parse_yaml(f"value: {written}", Path(path), "value").data
    if read.keys() != {"value"}:
        raise BadInput(f"{path} is given more than one value; give it one")
    return path, read["value"]


def with_values(book: PolicyBook, changes: Mapping[str, Any]) -> PolicyBook:
    """The policies of one moment (`PolicyBook.standing`) with other values, by path: {"GOV-3.bands.0.role": "finance"}.

    Raises BadInput for a clause or a value that is not there, with those that are written like it, or of another kind.
    """
    clauses = {clause.id: clause for document in book.documents for clause in document.clauses}
    edited = dict(clauses)
    for path, value in changes.items():
        clause_id, _, way = path.partition(".")
        if clause_id not in clauses:
            raise BadInput(f"There is no clause {clause_id!r}{like(clause_id, clauses)}; a change is CLAUSE.VALUE=NEW.")
        clause = edited[clause_id]
        if value is None:
            raise BadInput(f"{path} is given no value; write one.")
        known = [name for name, _ in leaves(clause.values)]
        if not known:
            raise BadInput(f"{clause_id} has no values that could be another; change its text in a folder of policies.")
        try:
            wanted = _placed(clause.values, way.split("."), value)
        except LookupError as error:
            raise BadInput(f"{clause_id} has no value {way!r}{like(way, known)}; it has {', '.join(known)}.") from error
        for one in (item for _, leaf in leaves(value) for item in (leaf if isinstance(leaf, list) else [leaf])):
            if isinstance(one, float) and not math.isfinite(one):
                raise BadInput(f"{path} is {one}; make it a number.")
        edited[clause_id] = replace(clause, values=fitting(clause.values, wanted, clause_id))
    return _with_clauses(book, edited)


def with_tiers(book: PolicyBook, tiers: Mapping[str, str], clause_ids: Collection[str], actions: Collection[str]) -> PolicyBook:
    """The policies of one moment with actions in other tiers. Raises BadInput for an unknown action or tier.

    Args:
        tiers: action, or action.template -> "automate" (without a person) or "recommend" (a person decides).
        clause_ids: the clauses that say which actions run without a person (GOV-1): values `automate`, `automate_templates`.
    """
    clauses = {clause.id: clause for document in book.documents for clause in document.clauses}
    for named, tier in tiers.items():
        action, _, template = named.partition(".")
        if action not in actions:
            raise BadInput(f"There is no action {action!r}{like(action, actions)}; name one of the catalogue.")
        if tier not in TIERS:
            raise BadInput(f"The tier of {named} is {tier!r}; make it {' or '.join(TIERS)}.")
        for clause_id in clause_ids:
            values = dict(clauses[clause_id].values)
            if template:
                templates = values["automate_templates"]
                listed = _listed(templates.get(action, []), template, tier == "automate")
                values["automate_templates"] = {**templates, action: listed}
            else:
                values["automate"] = _listed(values["automate"], action, tier == "automate")
            clauses[clause_id] = replace(clauses[clause_id], values=values)
    return _with_clauses(book, clauses)


def like(name: str, known: Collection[str]) -> str:
    """Those of the known names that are written like this one, as the end of a sentence; empty where none is."""
    near = get_close_matches(name, list(known), n=3)
    return f" (did you mean {' or '.join(near)}?)" if near else ""


def _with_clauses(book: PolicyBook, clauses: Mapping[str, RawClause]) -> PolicyBook:
    def changed(document: Document) -> Document:
        return document.model_copy(update={"clauses": tuple(clauses[clause.id] for clause in document.clauses)})

    return type(book)([changed(document) for document in book.documents])


def _placed(before: Any, way: Sequence[str], value: Any) -> Any:
    """`before` with the value at the end of the way. Raises LookupError where the way leads to nothing."""
    if not way:
        return value
    inner = _placed(part_of(before, way[0]), way[1:], value)
    if isinstance(before, Mapping):
        return {**before, way[0]: inner}
    return [*before[: int(way[0])], inner, *before[int(way[0]) + 1 :]]


def _listed(names: Sequence[str], name: str, wanted: bool) -> list[str]:
    others = [one for one in names if one != name]
    return [*others, name] if wanted and name not in names else list(names) if wanted else others
