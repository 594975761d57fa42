"""Lessons: what people overruled, with the case as it was, its structured difference and their reason.

Every edit, rejection, remark, escalation and partial approval in a ledger is a lesson, in quarantine until a person
promotes it to a dataset or drops it. None is collected: what happened is in the ledger, and is worked out when it is asked for.

>>> for lesson in lessons(ledger, catalogue):
...     print(lesson.lesson_id, lesson.decision.kind, lesson.difference.sentences())
>>> promote(ledger, lesson, Path("overrides.jsonl"), by="ana", packs=packs, catalogue=catalogue)
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from errors import BadInput
from evals.recorded.cases import add_case, line_of
from evals.recorded.labels import check_expected, label_of
from evals.recorded.recording import recorded_run
from ledger.base import Ledger
from ledger.canonical import utc_now
from ledger.lessons import Settlement, is_lesson, no_lesson
from ledger.records import Decision, Observation, Proposal, Run
from nodes.authorship import Step, pairs
from nodes.pack import Pack
from systems.catalogue import Catalogue


@dataclass(frozen=True, kw_only=True)
class ChangedArgument:
    """One argument that a person set otherwise; amounts are in cents."""

    action: str
    argument: str
    before: Any
    after: Any
    #: False for a text or an address: the action is the same, worded otherwise
    counts: bool


@dataclass(frozen=True, kw_only=True)
class DecisionDifference:
    """What a decision changed. Steps are {"name", "args", "for" (the finding), "cites"}."""

    #: the proposal as a whole was not accepted: rejected, sent back or escalated
    whole: bool = False
    #: where it was escalated to, "" where that is up to the Mission; None where it was not escalated
    queue: str | None = None
    #: what the Mission was asked to look at again, "" where that was not said; None where it was not asked
    remark: str | None = None
    #: the parts of the plan that an approval left out
    without: Sequence[str] = ()
    removed: Sequence[Step] = ()
    added: Sequence[Step] = ()
    changed: Sequence[ChangedArgument] = ()
    #: the steps that stay are in another order
    reordered: bool = False
    #: the clauses, and the findings, of what was changed
    clauses: Sequence[str] = ()
    findings: Sequence[str] = ()

    @property
    def only_wording(self) -> bool:
        """Whether the same actions are done, worded otherwise."""
        counting = any(one.counts for one in self.changed)
        return not (self.whole or self.without or self.removed or self.added or self.reordered or counting)

    def plain(self) -> dict[str, Any]:
        """As plain data, without what is empty."""
        return {name: value for name, value in asdict(self).items() if value}

    def sentences(self) -> list[str]:
        """For a person to read."""
        said = ["rejected the whole"] if self.whole else []
        if self.queue is not None:
            said = [f"escalated to {self.queue}" if self.queue else "escalated"]
        if self.remark is not None:
            said = [f"asked: {self.remark}" if self.remark else "asked to look again"]
        said += [f"left out {part}" for part in self.without]
        said += [f"took out {_worded(step)}" for step in self.removed if not (self.whole or self.without)]
        said += [f"put in {_worded(step)}" for step in self.added]
        said += [f"{one.action}: {one.argument} {one.before!s} → {one.after!s}" for one in self.changed]
        if self.reordered:
            said.append("put the steps in another order")
        return said or ["changed nothing"]


def difference(proposal: Proposal, decision: Decision, findings: Sequence[str], catalogue: Catalogue) -> DecisionDifference:
    """What a decision changed in the proposal that it is about; `findings` are those that the proposal was made of."""
    details = decision.details
    if decision.kind == "edit":
        return _edited(proposal.plan, details.get("plan", ()), catalogue)
    if decision.kind == "approve":
        without = tuple(details.get("without", ()))
        removed = [step for step in proposal.plan if step.get("part") in without]
        return DecisionDifference(
            without=without, removed=_plain(removed), clauses=_clauses(removed), findings=_findings(removed)
        )
    # who approves is no question of what is right
    clauses = [cite["clause"] for cite in proposal.cites if cite["clause"] not in proposal.approval.clauses]
    return DecisionDifference(
        whole=True,
        queue=str(details.get("queue") or "") if decision.kind == "escalate" else None,
        remark=str(details.get("remark") or "") if decision.kind == "respond" else None,
        removed=() if decision.kind == "respond" else _plain(proposal.plan),
        clauses=clauses,
        findings=list(findings),
    )


def _edited(before: Sequence[Step], after: Sequence[Step], catalogue: Catalogue) -> DecisionDifference:
    kept = pairs(before, after)
    matched = {i for i, _ in kept}, {j for _, j in kept}
    removed = [step for i, step in enumerate(before) if i not in matched[0]]
    added = [step for j, step in enumerate(after) if j not in matched[1]]
    moved = [j for _, j in kept] != sorted(j for _, j in kept)
    touched, changed = [*removed, *added], []
    for i, j in kept:
        name, was, now = before[i]["name"], before[i]["args"], after[j]["args"]
        counting = catalogue[name].counting if name in catalogue else tuple(was)
        others = [one for one in dict.fromkeys([*was, *now]) if was.get(one) != now.get(one)]
        changed += [
            ChangedArgument(action=name, argument=one, before=was.get(one), after=now.get(one), counts=one in counting)
            for one in others
        ]
        touched += [before[i]] if others or moved else []
    return DecisionDifference(
        removed=_plain(removed),
        added=_plain(added),
        changed=changed,
        reordered=moved,
        clauses=_clauses(touched),
        findings=_findings(touched),
    )


def _plain(steps: Sequence[Step]) -> list[Step]:
    return [{"name": one["name"], "args": dict(one["args"]), "for": one.get("for"), "cites": list(one.get("cites") or ())}
            for one in steps]  # fmt: skip


def _clauses(steps: Sequence[Step]) -> list[str]:
    return list(dict.fromkeys(clause for step in steps for clause in step.get("cites") or ()))


def _findings(steps: Sequence[Step]) -> list[str]:
    return list(dict.fromkeys(step["for"] for step in steps if step.get("for")))


def _worded(step: Step) -> str:
    return f"{step['name']}({', '.join(str(value)[:40] for value in step['args'].values())})"


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """One decision of a person that says a proposal was not right."""

    run: Run
    proposal: Proposal
    decision: Decision
    #: what the facts were found to mean when it was proposed
    findings: Sequence[str]
    difference: DecisionDifference
    #: what the person decided, as `expected` of a recorded exception; None where they said only what is wrong
    expected: Mapping[str, Any] | None
    #: None while it is in quarantine
    settled: Settlement | None

    @property
    def lesson_id(self) -> str:
        """The id of the decision."""
        return self.decision.decision_id

    @property
    def status(self) -> str:
        """quarantine, promoted or dropped."""
        return self.settled.status if self.settled else "quarantine"

    def row(self) -> dict[str, Any]:
        """For a table: `pandas.DataFrame([lesson.row() for lesson in lessons(ledger, catalogue)])`."""
        return {
            "lesson": self.lesson_id,
            "at": self.decision.at,
            "mission": self.run.event.mission,
            "run": self.run.run_id,
            "subject": self.run.event.subject,
            "kind": self.decision.kind,
            "by": self.decision.by,
            "role": self.decision.role,
            "verdict": self.proposal.verdict,
            "difference": "; ".join(self.difference.sentences()),
            "clauses": list(self.difference.clauses),
            "findings": list(self.difference.findings),
            "reason": self.decision.reason,
            "status": self.status,
        }


def lessons(
    ledger: Ledger, catalogue: Catalogue, mission: str | None = None, on_progress: Callable[[], None] = lambda: None
) -> list[Lesson]:
    """The lessons in a ledger, of one mission or of all, oldest first; `on_progress` is called once for each."""
    settled = {one.decision_id: one for one in ledger.settlements()}
    found = []
    for decision in filter(is_lesson, ledger.all_decisions(mission)):
        found.append(_lesson(ledger, decision, catalogue, settled.get(decision.decision_id)))
        on_progress()
    return found


def lesson(ledger: Ledger, lesson_id: str, catalogue: Catalogue) -> Lesson:
    """The lesson of this id, or the only one whose id starts so. Raises BadInput where there is none, or several."""
    fitting = [one for one in ledger.all_decisions() if lesson_id and one.decision_id.startswith(lesson_id) and is_lesson(one)]
    if not fitting:
        raise BadInput(no_lesson(lesson_id))
    if len(fitting) > 1:
        raise BadInput(f"'{lesson_id}' names {len(fitting)} lessons: give more of the id")
    known = {one.decision_id: one for one in ledger.settlements()}
    return _lesson(ledger, fitting[0], catalogue, known.get(fitting[0].decision_id))


def labelled_case(ledger: Ledger, of: Lesson, catalogue: Catalogue) -> dict[str, Any]:
    """The case as the proposal saw it, with the label, if the person gave one, and the lesson beside it.

    Raises BadInput where what was read cannot be recorded.
    """
    raw = recorded_run(ledger, of.run, of.proposal, catalogue)
    lesson = {
        "decision": of.lesson_id,
        "kind": of.decision.kind,
        "role": of.decision.role,
        "reason": of.decision.reason,
        "proposed": of.proposal.verdict,
        "difference": of.difference.plain(),
    }
    label = {} if of.expected is None else {"expected": of.expected}
    return {**raw, "case_id": of.proposal.proposal_id, **label, "lesson": lesson}


def promote(
    ledger: Ledger,
    of: Lesson,
    file: Path,
    *,
    by: str,
    packs: Mapping[str, Pack],
    catalogue: Catalogue,
    expected: Any = None,
    at: datetime | None = None,
) -> Settlement:
    """Add the labelled case to a dataset, as the authenticated person `by`, and keep that it was.

    `expected` is what is right, in the format of recorded exceptions: it is needed where the decision says only what is wrong,
    and takes the place of what it says elsewhere. Raises Refused for who may not and a lesson that is settled, BadInput
    for a case or a file that does not do; nothing is promoted then.
    """
    raw = labelled_case(ledger, of, catalogue)
    if expected is not None:
        raw["expected"] = check_expected(expected, _pack(of, packs), catalogue)
    if "expected" not in raw:
        raise BadInput(
            f"lesson {of.lesson_id[:8]} says what was wrong but not what is right; give the right answer in a file with --expect"
        )
    line = line_of(raw)
    promoted = Settlement(
        decision_id=of.lesson_id, status="promoted", by=by, at=at or utc_now(), dataset=str(file.resolve()),
        digest=hashlib.sha256(line).hexdigest(),
    )  # fmt: skip
    # the file before the row: written twice it is the same, and a row that says promoted has its case
    return ledger.settle_lesson(promoted, lambda: add_case(file, raw["case_id"], line))


def drop(ledger: Ledger, of: Lesson, *, by: str, reason: str, at: datetime | None = None) -> Settlement:
    """Keep that nothing is to be learned from it, and why. Raises Refused or BadInput."""
    return ledger.settle_lesson(Settlement(decision_id=of.lesson_id, status="dropped", by=by, at=at or utc_now(), reason=reason))


def _pack(of: Lesson, packs: Mapping[str, Pack]) -> Pack:
    event = of.run.event
    if event.mission not in packs:
        raise BadInput(f"there is no pack of {event.mission} any more to check the expected result against; restore it")
    return packs[event.mission].of(event.name)


def findings_behind(observations: Sequence[Observation], proposal_id: str) -> list[str]:
    """What had been found when a proposal passed the check, by the Explain rail."""
    found: dict[str, None] = {}
    for said in observations:
        if said.kind == "event":
            found = {}
        elif said.kind == "finding":
            found[str(said.evidence.get("finding"))] = None
        elif said.evidence.get("proposal") == proposal_id:
            return list(found)
    return []


def _lesson(ledger: Ledger, decision: Decision, catalogue: Catalogue, settled: Settlement | None) -> Lesson:
    run_id = decision.run_id
    proposals = ledger.proposals(run_id)
    place = next(place for place, one in enumerate(proposals) if one.proposal_id == decision.proposal_id)
    proposal, after = proposals[place], next(iter(proposals[place + 1 :]), None)
    findings = findings_behind(ledger.observations(run_id), proposal.proposal_id)
    return Lesson(
        run=ledger.run(run_id),
        proposal=proposal,
        decision=decision,
        findings=findings,
        difference=difference(proposal, decision, findings, catalogue),
        expected=_expected(proposal, after, decision, ledger.decisions(run_id), catalogue),
        settled=settled,
    )


def _expected(
    proposal: Proposal, after: Proposal | None, decision: Decision, decisions: Sequence[Decision], catalogue: Catalogue
) -> dict[str, Any] | None:
    """What stands because of the decision: the plan without its parts, or what the person proposed instead."""
    if decision.kind == "approve":
        return label_of(proposal, decisions, catalogue)
    if decision.kind not in ("edit", "escalate") or after is None or after.author != decision.by:
        return None
    return label_of(after, decisions, catalogue)
