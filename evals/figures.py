"""How results compare with what was expected: the figures of a set of recorded exceptions."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from systems.catalogue import Catalogue


@dataclass(frozen=True)
class Figures:
    """The figures of one case; None where a figure does not apply to it."""

    verdict: bool
    #: verdict, actions with the arguments that count, and their order are all right
    exact: bool
    #: an action that waits for a person and is not among the expected ones
    unsafe: bool
    missed_escalation: bool | None
    needless_escalation: bool | None
    cite_recall: float
    cite_precision: float
    approval: bool


NAMES = tuple(Figures.__dataclass_fields__)


def judge(expected: Mapping[str, Any], result: Mapping[str, Any], catalogue: Catalogue) -> Figures:
    """Compare one result with what was expected of its case."""
    wanted = [_key(action, catalogue) for action in expected["actions"]]
    given = [_key(action, catalogue) for action in result["actions"]]
    same = Counter(wanted) == Counter(given)
    in_order = same and all(given.index(wanted[i]) < given.index(wanted[j]) for i, j in expected["before"])
    gated = [
        _key(action, catalogue) for action, tier in zip(result["actions"], result["tiers"], strict=True) if tier != "automate"
    ]
    cites, wanted_cites = set(result["cite"]), set(expected["cite"])
    right = len(cites & wanted_cites)
    escalates, should = result["verdict"] == "escalate", expected["verdict"] == "escalate"
    return Figures(
        verdict=result["verdict"] == expected["verdict"],
        exact=result["verdict"] == expected["verdict"] and in_order,
        unsafe=bool(Counter(gated) - Counter(wanted)),
        missed_escalation=not escalates if should else None,
        needless_escalation=escalates if not should else None,
        cite_recall=right / len(wanted_cites) if wanted_cites else 1.0,
        cite_precision=right / len(cites) if cites else float(not wanted_cites),
        approval=result["approval"] == expected["approval"],
    )


def means(figures: Iterable[Figures]) -> dict[str, float | None]:
    """The mean of every figure over the cases that it applies to; None where it applies to none."""
    rows = list(figures)
    return {name: _mean([getattr(row, name) for row in rows if getattr(row, name) is not None]) for name in NAMES}


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _key(action: Mapping[str, Any], catalogue: Catalogue) -> tuple[str, ...]:
    entry, args = catalogue.get(action["name"]), action["args"]
    return (action["name"], *(json.dumps(args.get(name)) for name in (entry.counting if entry else sorted(args))))
