"""Answers to an exception, what was expected or what came out, and the one comparison of two of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ledger.canonical import canonical
from rendering import approver

#: In what two answers can differ: which actions, then their order; "tiers" is whether the same actions wait for a person.
Difference = Literal["verdict", "actions", "order", "tiers", "citations", "approval", "money"]


@dataclass(frozen=True, kw_only=True)
class PlanStep:
    """An action of a plan; `tier` is empty in what was expected."""

    name: str
    args: Mapping[str, Any]
    tier: str = ""

    @property
    def action(self) -> tuple[str, bytes]:
        """Name and arguments, the same for the same action."""
        return self.name, canonical(self.args)


@dataclass(frozen=True, kw_only=True)
class CaseAnswer:
    """What was expected of a case, or what came out."""

    verdict: str
    actions: Sequence[PlanStep]
    #: ids of clauses
    cite: Sequence[str]
    #: the least role that may approve; "none": it runs without a person
    role: str
    four_eyes: bool
    #: of what was expected: pairs of places of its actions, of which the first comes before the second
    before: Sequence[tuple[int, int]] = ()
    #: of what came out
    money_at_stake_cents: int | None = None
    #: of what came out, from 0 to 1
    confidence: float | None = None

    @property
    def approval(self) -> str:
        """Who must approve, in words: reviewer, 2 × finance, nobody."""
        return approver(self.role, self.four_eyes)


def answer_of(raw: Mapping[str, Any]) -> CaseAnswer:
    """A result, or what was expected, in the format of evals/cases/README.md."""
    tiers = raw.get("tiers") or [""] * len(raw["actions"])
    steps = [PlanStep(name=one["name"], args=one["args"], tier=tier) for one, tier in zip(raw["actions"], tiers, strict=True)]
    return CaseAnswer(
        verdict=raw["verdict"],
        actions=steps,
        cite=raw["cite"],
        role=raw["approval"]["role"],
        four_eyes=raw["approval"]["four_eyes"],
        before=[tuple(pair) for pair in raw.get("before", ())],
        money_at_stake_cents=raw.get("money_at_stake_cents"),
        confidence=raw.get("confidence"),
    )


def differences(one: CaseAnswer, other: CaseAnswer) -> tuple[Difference, ...]:
    """In what two answers differ; nothing where they are alike."""
    steps, others = ([step.action for step in answer.actions] for answer in (one, other))
    tiers, other_tiers = ([step.tier for step in answer.actions] for answer in (one, other))
    same_actions = sorted(steps) == sorted(others)
    alike: Mapping[Difference, bool] = {
        "verdict": one.verdict == other.verdict,
        "actions": same_actions,
        "order": steps == others or not same_actions,
        "tiers": tiers == other_tiers or steps != others,
        "citations": set(one.cite) == set(other.cite),
        "approval": (one.role, one.four_eyes) == (other.role, other.four_eyes),
        "money": one.money_at_stake_cents == other.money_at_stake_cents,
    }
    return tuple(name for name, equal in alike.items() if not equal)
