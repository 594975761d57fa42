"""What the reasons of a model must satisfy: each says what it rests on, and says nothing else than that."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ledger.records import Observation, ObservationKind
from nodes.quoting import foreign, quotable

#: what a reason can rest on: evidence, and not what somebody planned or decided
EVIDENCE: tuple[ObservationKind, ...] = ("read", "finding", "policy", "prediction", "missing")
LONGEST = 300


def objections(
    draft: Mapping[str, Any], rail: Sequence[Observation], grounded: Mapping[str, int], known: Collection[str]
) -> list[str]:
    """Why the reasons of a draft do not stand; none if they do.

    Args:
        draft: its `reasons` are [{"says", "observations": [seq], "clauses": [id]}].
        rail: the observations of this look.
        grounded: clause -> version, as retrieved.
        known: what may be quoted besides the plan, the clauses and the numbers of observations; see `nodes.quoting`.
    """
    reasons = draft.get("reasons") or ()
    evidence = {one.seq for one in rail if one.kind in EVIDENCE}
    quoted = {*known, *quotable([action["args"] for action in draft["plan"]], list(grounded)), *map(str, evidence)}
    found = [] if reasons else ["no reason is given"]
    for place, reason in enumerate(reasons, start=1):
        says = reason["says"]
        if not says.strip() or len(says) > LONGEST or not says.isprintable():
            found.append(f"reason {place} is not a sentence of at most {LONGEST} characters")
            continue
        found += [f"reason {place} rests on no {what}" for what in ("observations", "clauses") if not reason[what]]
        found += [f"reason {place} cites {seq}, which is not evidence" for seq in reason["observations"] if seq not in evidence]
        found += [f"reason {place} cites {one}, which was not retrieved" for one in reason["clauses"] if one not in grounded]
        found += [f"reason {place} quotes {one}, which nothing says" for one in foreign(says, quoted)]
    return found
