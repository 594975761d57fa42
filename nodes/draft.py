"""The draft of a proposal: the parts of a plan as one, each action once where once is enough, and in its order."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nodes.case import Case
from systems.catalogue import Catalogue


@dataclass(frozen=True)
class Part:
    """What one finding contributed to the plan."""

    finding: str
    says: str
    actions: Sequence[Mapping[str, Any]]
    cites: Sequence[str]
    #: the part of the plan that a person can reject by itself, if it is one
    name: str | None = None


@dataclass(frozen=True)
class End:
    """How the case ends, and with what of the plan."""

    verdict: str
    queue: str = ""


def draft(
    case: Case, end: End, parts: Sequence[Part], alternatives: Sequence[Mapping[str, str]], catalogue: Catalogue
) -> dict[str, Any]:
    """The draft of a proposal from the parts of a plan."""
    bound = {"queue": end.queue}
    if end.verdict == "escalate":
        args = {name: case.value(raw, bound) for name, raw in case.pack.escalation.args.items()}
        parts = [*parts, Part("escalation", "", [{"name": str(case.pack.escalation.action), "args": args}], [])]
    because = {id(action): part for part in parts for action in part.actions}
    plan = [
        {
            "name": action["name"],
            "args": action["args"],
            "for": because[id(action)].finding,
            "part": because[id(action)].name,
            "cites": list(because[id(action)].cites),
        }
        for action in in_order(unique((action for part in parts for action in part.actions), catalogue), catalogue)
    ]
    reasons = list(dict.fromkeys(part.says for part in parts if part.says and (part.actions or part.cites or part.name)))
    answered = sum(fact.status != "failed" for fact in case.facts)
    return {
        "verdict": end.verdict,
        "plan": plan,
        "rationale": " ".join([case.sentence(case.pack.verdicts[end.verdict].says, bound), *reasons]),
        "cites": list(dict.fromkeys(clause for part in parts for clause in part.cites)),
        #: what each finding came to, for the rail
        "said": list(dict.fromkeys(part.says for part in parts if part.says)),
        "alternatives": list(alternatives),
        #: the share of the reads that answered: the planner is sure of its rules, not of what it could not read
        "confidence": round(answered / len(case.facts), 2) if case.facts else 0.0,
    }


def unique(actions: Iterable[Mapping[str, Any]], catalogue: Catalogue) -> list[Mapping[str, Any]]:
    """The actions, those left out that are the same as an earlier one and need no repetition."""
    kept: list[Mapping[str, Any]] = []
    seen: set[str] = set()
    for action in actions:
        entry = catalogue[action["name"]]
        key = repr((entry.name, [action["args"][name] for name in entry.counting]))
        if not (entry.once and key in seen):
            kept.append(action)
        seen.add(key)
    return kept


def in_order(actions: Sequence[Mapping[str, Any]], catalogue: Catalogue) -> list[Mapping[str, Any]]:
    """The actions so that each comes after what the catalogue puts before it; otherwise in the given order."""
    waiting, ordered = list(actions), []
    while waiting:
        free = next(
            (
                action
                for action in waiting
                if not any(
                    catalogue[action["name"]].comes_after(catalogue[other["name"]]) for other in waiting if other is not action
                )
            ),
            waiting[0],  # a circle in the catalogue: the check refuses the plan
        )
        waiting.remove(free)
        ordered.append(free)
    return ordered
