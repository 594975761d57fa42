"""Lessons: decisions of people that say a proposal was not right, and what became of each: promoted or dropped.

A lesson is not collected: it is a decision in the ledger. What is kept beside it is only how somebody settled it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from errors import BadInput, Refused
from ledger.decision_requests import LONGEST_REASON, check_length, check_reason
from ledger.permissions import require
from ledger.records import Decision, Person

LessonStatus = Literal["promoted", "dropped"]

#: characters of the name of a dataset
LONGEST_DATASET = 1_000


@dataclass(frozen=True, kw_only=True)
class Settlement:
    """What somebody did with a lesson; it is final."""

    decision_id: str
    status: LessonStatus
    by: str
    at: datetime
    #: promoted: the file that the labeled case was added to, and the sha256 of its line; else empty
    dataset: str = ""
    digest: str = ""
    #: dropped: why
    reason: str = ""


def is_lesson(decision: Decision) -> bool:
    """Whether somebody overruled a proposal, in whole or in part, or asked for another look."""
    return decision.kind != "approve" or bool(decision.details.get("without"))


def check_settling(person: Person | None, decision: Decision | None, known: Settlement | None, asked: Settlement) -> Person:
    """The person, who may settle this lesson so. Raises Refused for role or a lesson that is settled, BadInput for the rest."""
    found = require(person, "settle_lesson")
    if decision is None:
        raise BadInput(no_lesson(asked.decision_id))
    check_open(decision, known)
    if asked.status == "dropped":
        check_reason(asked.reason)
    elif not asked.dataset.strip() or len(asked.dataset) > LONGEST_DATASET or not asked.dataset.isprintable():
        raise BadInput(f"A lesson is promoted to a dataset: name its file, in at most {LONGEST_DATASET:,} printable characters.")
    check_length("The reason", asked.reason, LONGEST_REASON)
    return found


def check_open(decision: Decision, known: Settlement | None) -> None:
    """Raises Refused for a decision that is no lesson, and for a lesson that is settled."""
    if not is_lesson(decision):
        raise Refused(f"Decision {decision.decision_id} approves the whole proposal, so it has no lesson.")
    if known is not None:
        became = f"promoted to {known.dataset}" if known.status == "promoted" else "dropped"
        raise Refused(f"Lesson {known.decision_id} was {became} by {known.by} already.")


def no_lesson(decision_id: str) -> str:
    """The message for a person who names a lesson that is none."""
    return f"There is no lesson '{decision_id}' in the ledger: `missions lessons list` shows them."


def audited(settled: Settlement) -> dict[str, Any]:
    """What the audit log says of a settlement."""
    return {name: value for name, value in vars(settled).items() if name not in ("status", "at")}
