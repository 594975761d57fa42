"""One run of a shadow beside the live one: what both propose, what people decided, and how these compare."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import orjson

from evals.recording import looks_behind
from evals.shadow.keeping import ShadowRun
from evals.shadow.running import answer_of
from ledger.base import Ledger
from ledger.evaluations import Answer
from ledger.records import Decision, Proposal
from ledger.rules import steps_left_out
from systems.catalogue import Catalogue

#: what became of the live run's proposal: it ran without a person; a person approved it as it was, approved another plan
#: in its place, rejected it, escalated it; or nobody has decided yet
Decided = Literal["automatic", "approved", "edited", "rejected", "escalated", "undecided"]
#: how the shadow's answer compares with a plan
Compared = Literal["same", "other_approval", "other_actions", "other_verdict", "escalates", "does_not_escalate", "no_answer"]
DECIDED: tuple[Decided, ...] = ("automatic", "approved", "edited", "escalated", "rejected", "undecided")
COMPARED: tuple[Compared, ...] = (
    "same", "other_approval", "other_actions", "other_verdict", "escalates", "does_not_escalate", "no_answer",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Row:
    """A run: what the live version proposed, what people made of it, and what the shadow says."""

    run_id: str
    mission: str
    event: str
    subject: str
    evidence: Literal["now", "then"]
    #: tools that told the shadow something else than the live version
    moved: Sequence[str]
    decided: Decided
    #: whether the live version has looked again since its look that the shadow is set beside
    looked_anew: bool
    #: the shadow's answer, against the first live proposal of that look
    with_live: Compared
    #: against what was decided: the plan that was approved or rejected, the escalation; None where nobody has decided
    with_people: Compared | None
    shadow: Answer | None
    live: Answer
    #: the plan that people let happen, or rejected; where nobody has decided, what was proposed
    last: Answer
    #: of the shadow: how its run ended, and why where it got stuck or a step failed
    outcome: str
    failed: str

    @property
    def moved_cents(self) -> int:
        """How much more money the shadow's plan would put at stake than what was decided, or else proposed."""
        mine = self.shadow.money_at_stake_cents if self.shadow else 0
        return (mine or 0) - (self.last.money_at_stake_cents or 0)


def row_of(run: ShadowRun, ledger: Ledger, catalogue: Catalogue) -> Row | None:
    """The run as it stands by now; None where the live version has proposed nothing."""
    # to take steps back is no answer to the exception
    proposals = [one for one in ledger.proposals(run.run_id) if not one.undoes]
    if not proposals:
        return None
    decisions, looks = ledger.decisions(run.run_id), looks_behind(ledger, run.run_id)
    beside = [one for one in proposals if looks.get(one.proposal_id, 1) == run.look]
    live = answer_of((beside or proposals)[0], catalogue)
    decided, standing = _decided(proposals, decisions)
    last = answer_of(standing, catalogue, steps_left_out(standing, decisions)) if standing else live
    steps = [f"{step.action}: {step.error}" for step in run.steps if step.status == "failed"]
    return Row(
        run_id=run.run_id, mission=run.mission, event=run.event, subject=run.subject, evidence=run.evidence, moved=run.moved,
        looked_anew=(standing or proposals[-1]) not in beside, decided=decided, with_live=_compared(run.answer, live),
        with_people=_compared(run.answer, last) if standing else None,
        shadow=run.answer, live=live, last=last, outcome=run.outcome, failed=run.error or "; ".join(steps),
    )  # fmt: skip


def _decided(proposals: Sequence[Proposal], decisions: Sequence[Decision]) -> tuple[Decided, Proposal | None]:
    """What people made of it, and the proposal that they did that to: the last one that was settled."""
    settled = [one for one in proposals if one.status in ("approved", "automatic", "rejected")]
    if not settled or proposals[-1].status == "pending":
        return "undecided", None
    last = settled[-1]
    if last.status == "rejected":
        return "rejected", last
    if last.verdict == "escalate" and decisions and decisions[-1].kind == "escalate":
        return "escalated", last
    if last.status == "automatic":
        return "automatic", last
    edited = steps_left_out(last, decisions) or last.author in {one.by for one in decisions if one.kind == "edit"}
    return ("edited" if edited else "approved"), last


def _compared(mine: Answer | None, other: Answer) -> Compared:
    if mine is None:
        return "no_answer"
    if mine.verdict != other.verdict:
        escalates: Compared = "escalates" if mine.verdict == "escalate" else "other_verdict"
        return "does_not_escalate" if other.verdict == "escalate" else escalates
    if _actions(mine) != _actions(other):
        return "other_actions"
    return "same" if (mine.role, mine.four_eyes) == (other.role, other.four_eyes) else "other_approval"


def _actions(answer: Answer) -> Counter[tuple[str, bytes]]:
    return Counter((step.name, orjson.dumps(step.args, option=orjson.OPT_SORT_KEYS)) for step in answer.actions)


def differs(row: Row) -> list[str]:
    """What the shadow's plan has and has not, against what was decided or, where nobody has yet, proposed."""
    if row.shadow is None:
        return [row.failed]
    mine, other = _actions(row.shadow), _actions(row.last)
    more = [f"+{_said(*action)}" for action in (mine - other).elements()]
    return [*more, *(f"-{_said(*action)}" for action in (other - mine).elements())]


def _said(name: str, args: bytes) -> str:
    return f"{name}({', '.join(map(str, orjson.loads(args).values()))})"
