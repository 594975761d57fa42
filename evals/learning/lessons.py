"""Lessons: what people overruled, with the case as it was, its structured difference and their reason.

Every edit, rejection, remark, escalation and partial approval in a ledger is a lesson, in quarantine until a person
promotes it to a dataset or drops it. None is collected: what happened is in the ledger, and is worked out when it is asked for.

>>> for lesson in lessons(ledger, catalogue):
...     print(lesson.lesson_id, lesson.decision.kind, lesson.difference.sentences())
>>> promote(ledger, lesson, Path("overrides.jsonl"), by="ana", packs=packs, catalogue=catalogue)
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from errors import BadInput
from evals.learning.judged import JudgedProposal, judged_by
from evals.recorded.cases import add_case, line_of
from evals.recorded.labels import check_expected, label_of
from evals.recorded.recording import recorded_run
from ledger.base import Ledger
from ledger.canonical import utc_now
from ledger.lessons import Settlement, is_lesson, no_lesson
from ledger.records import Decision
from nodes.pack import Pack
from systems.catalogue import Catalogue


@dataclass(frozen=True, kw_only=True)
class Lesson(JudgedProposal):
    """One decision of a person that says a proposal was not right."""

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


def labeled_case(ledger: Ledger, of: Lesson, catalogue: Catalogue) -> dict[str, Any]:
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
    """Add the labeled case to a dataset, as the authenticated person `by`, and keep that it was.

    `expected` is what is right, in the format of recorded exceptions: it is needed where the decision says only what is wrong,
    and takes the place of what it says elsewhere. Raises Refused for who may not and a lesson that is settled, BadInput
    for a case or a file that does not do; nothing is promoted then.
    """
    raw = labeled_case(ledger, of, catalogue)
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


def _lesson(ledger: Ledger, decision: Decision, catalogue: Catalogue, settled: Settlement | None) -> Lesson:
    proposals = ledger.proposals(decision.run_id)
    place = next(place for place, one in enumerate(proposals) if one.proposal_id == decision.proposal_id)
    judged = judged_by(ledger, decision, proposals[place], catalogue)
    # what stands because of the decision: the plan without its parts, or what the person proposed instead
    stands = proposals[place] if decision.kind == "approve" else None
    if decision.kind in ("edit", "escalate"):
        stands = next((one for one in proposals[place + 1 : place + 2] if one.author == decision.by), None)
    expected = label_of(stands, ledger.decisions(decision.run_id), catalogue) if stands else None
    return Lesson(**vars(judged), expected=expected, settled=settled)
