"""Slices of a run: the cases that cite a clause, that join so many dimensions, that put so much money at stake."""

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

from errors import BadInput
from ledger.evaluations import EvaluationCase

By = Literal["clause", "dimensions", "money", "mission", "event"]
WAYS: tuple[By, ...] = get_args(By)

#: governance says who decides, and that what is missing goes to a person: no dimension of the case
_GOVERNANCE = "GOV"
#: (up to so many cents, name)
_BANDS = ((0, "nothing"), (10_000, "up to $100"), (100_000, "up to $1,000"), (1_000_000, "up to $10,000"))
_MOST = "more than $10,000"


def slices(cases: Sequence[EvaluationCase], by: By) -> dict[str, list[EvaluationCase]]:
    """Name -> its cases. A case stands in several slices of clauses, and in one of any others."""
    names = _names(by)
    found: dict[str, list[EvaluationCase]] = {name: [] for name in names}
    for case in cases:
        for name in _slices_of(case, by):
            found.setdefault(name, []).append(case)
    kept = {name: ones for name, ones in found.items() if ones}
    return kept if names else dict(sorted(kept.items()))


def way(name: str) -> By:
    """One of WAYS. Raises BadInput for another name."""
    for one in WAYS:
        if one == name:
            return one
    raise BadInput(f"--by {name[:40]!r} is no way to slice; choose one of {', '.join(WAYS)}")


def dimensions(case: EvaluationCase) -> int:
    """How many documents the clauses that decide it come from (fraud, stock, address …), governance aside.

    A case of one dimension is decided by one document alone; one of four has four needs that a plan must join.
    """
    return len({clause.rpartition("-")[0] for clause in _deciding(case)} - {_GOVERNANCE})


def _deciding(case: EvaluationCase) -> Sequence[str]:
    """The clauses expected; where nothing was, those cited."""
    return case.expected.cite if case.expected else case.result.cite


def _slices_of(case: EvaluationCase, by: By) -> Sequence[str]:
    if by == "clause":
        return sorted({*case.result.cite, *(case.expected.cite if case.expected else ())})
    if by == "money":
        return [_band(case.result.money_at_stake_cents)]
    one: Mapping[By, str] = {"dimensions": str(dimensions(case)), "mission": case.mission, "event": case.event or "not kept"}
    return [one[by]]


def _band(cents: int | None) -> str:
    return "not kept" if cents is None else next((name for most, name in _BANDS if cents <= most), _MOST)


def _names(by: By) -> Sequence[str]:
    """The slices in their order, where they have one of their own."""
    return [*(name for _, name in _BANDS), _MOST] if by == "money" else ()
