"""Policies, as the ledger keeps them: drafts and what may become of them, and the documents that decide.

The documents are kept whole, as they were put in force: what a folder holds may be edited by anybody who has it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal

from errors import BadInput, Refused
from ledger.authorization import authority, person_key, rank
from ledger.canonical import digest
from ledger.permissions import may, require
from ledger.records import Approval, Person

DraftStatus = Literal["draft", "in_force", "withdrawn"]

#: characters of a reason
LONGEST_REASON = 2_000


@dataclass(frozen=True, kw_only=True)
class NewDraft:
    """A draft as a person hands it in; `text` is the whole document of the new version."""

    policy_id: str
    #: the version that it was made from, and the digest of what that says
    base_version: int
    base_digest: str
    version: int
    in_force_from: date
    text: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class PolicyDraft(NewDraft):
    """A draft with what became of it."""

    draft_id: str
    drafted_by: str
    drafted_at: datetime
    status: DraftStatus = "draft"
    #: who put it in force or withdrew it, and why
    settled_by: str = ""
    settled_at: datetime | None = None
    settled_reason: str = ""
    #: who agreed before, where it takes two: [{"by", "at", "reason"}]
    agreed: Sequence[Mapping[str, str]] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class CitingRun:
    """A run whose proposal cites a clause."""

    run_id: str
    subject: str
    mission: str
    verdict: str
    author: str
    version: int
    at: datetime


def check_new(person: Person | None, draft: NewDraft, today: date) -> Person:
    """The person, who may hand this in. Raises Refused for the role, BadInput for a reason or a day that does not do."""
    drafter = require(person, "draft_policy")
    check_reason(draft.reason)
    if draft.in_force_from < today:
        raise BadInput(f"The draft would be in force from {draft.in_force_from} on, which is past; name today or a later day.")
    return drafter


def check_putting(
    person: Person | None, draft: PolicyDraft, reason: str, today: date, needed: Approval, agreed: Sequence[Person | None]
) -> tuple[Person, bool]:
    """The person, who may put this draft in force or agree to it, and whether it is in force then.

    `needed` is the approval that plans would not take any more, `agreed` those who agreed before, as they are now. Raises
    Refused for role, author, status, a second word of the same person, or a day that has passed.
    """
    other = require(person, "put_policy_in_force")
    check_open(draft)
    check_reason(reason)
    if person_key(other.name) == person_key(draft.drafted_by):
        raise Refused(f"{other.name} drafted this: another person must put it in force.")
    if rank(other) < authority(needed.role):
        raise Refused(
            f"This draft lets plans run that a {needed.role} approves now, so it takes a {needed.role} or above to put it in "
            f"force, and {other.name} is {other.role}."
        )
    if draft.in_force_from < today:
        raise Refused(
            f"The draft was to be in force from {draft.in_force_from}, which has passed; create a new draft with a later date."
        )
    if not needed.four_eyes:
        return other, True
    before = [one for one in agreed if one is not None and rank(one) >= authority(needed.role)]
    if any(person_key(one.name) == person_key(other.name) for one in before):
        raise Refused(f"{other.name} agreed to this already: it takes another {needed.role} to put it in force.")
    return other, bool(before)


def check_withdrawing(person: Person | None, draft: PolicyDraft, reason: str) -> Person:
    """The person, who may withdraw this draft: its author, or who may put policies in force."""
    if person is None or person.name != draft.drafted_by or not may(person, "draft_policy"):
        person = require(person, "put_policy_in_force")
    check_open(draft)
    check_reason(reason)
    return person


def check_open(draft: PolicyDraft) -> None:
    """Raises Refused for a draft that is in force or withdrawn."""
    if draft.status != "draft":
        became = "put in force" if draft.status == "in_force" else "withdrawn"
        raise Refused(f"The draft {draft.draft_id} was {became} by {draft.settled_by} already.")


def check_reason(reason: str) -> None:
    """Raises BadInput for none, and for one that is too long."""
    if not reason.strip():
        raise BadInput("A reason is missing: say in a few words why.")
    if len(reason) > LONGEST_REASON:
        raise BadInput(f"The reason has {len(reason):,} characters, more than {LONGEST_REASON:,}: say it shorter.")


def audited_draft(draft: PolicyDraft, by: str, reason: str) -> dict[str, Any]:
    """What the audit log says of a draft: the text stands there as a digest."""
    return {
        **{name: getattr(draft, name) for name in ("draft_id", "base_version", "version")},
        "policy": draft.policy_id,
        "in_force_from": draft.in_force_from.isoformat(),
        "text_digest": digest(draft.text),
        "by": by,
        "reason": reason,
    }


#: (name of its file, its text) of every document
Documents = Sequence[Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class PolicySnapshot:
    """All policies from a moment on, until there is a newer book."""

    book_id: str
    documents: Documents
    #: who put them in force, or "the command line" where they were found in the folder
    by: str
    at: datetime


def audited_policies(book: PolicySnapshot) -> dict[str, Any]:
    """What the audit log says of a book: its documents stand there as a digest."""
    documents = [list(one) for one in book.documents]
    return {"book_id": book.book_id, "digest": digest(documents), "by": book.by}
