"""Policies, as the ledger keeps them: drafts and what may become of them, the documents that decide, the runs that cite a clause.

The documents are kept whole, as they were put in force (a row each time that one changed): what a folder holds may be edited
by anybody who has it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal
from uuid import uuid4

from sqlalchemy import Connection, func, insert, select, update

from errors import BadInput, Refused
from ledger.authorization import authority, person_key, rank
from ledger.canonical import canonical, clean, digest
from ledger.decision_requests import check_reason
from ledger.permissions import COMMAND_LINE, may
from ledger.records import Approval, Person
from ledger.sql import chain, people
from ledger.sql.rows import fields, select_record, statements
from ledger.tables import POLICY_BOOKS, POLICY_DRAFTS, Moment

DraftStatus = Literal["draft", "in_force", "withdrawn"]
#: (name of its file, its text) of every document
Documents = Sequence[Sequence[str]]


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
class PolicySnapshot:
    """All policies from a moment on, until there is a newer book."""

    book_id: str
    documents: Documents
    #: who put them in force, or "the command line" where they were found in the folder
    by: str
    at: datetime


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


_D = POLICY_DRAFTS.c
_BOOKS = select_record(POLICY_BOOKS).order_by(POLICY_BOOKS.c.at.desc(), POLICY_BOOKS.c.book_id)
_CITING = statements("queries")["citing"].columns(at=Moment)


def add(tx: Connection, at: datetime, new: NewDraft, by: str) -> PolicyDraft:
    """Keep a draft of a policy's next version. Refused to who may not draft; BadInput without a reason, or for a past day."""
    person = people.require(tx, by, "draft_policy")
    check_reason(new.reason)
    if new.in_force_from < at.date():
        raise BadInput(f"The draft would be in force from {new.in_force_from} on, which is past; name today or a later day.")
    values = {**vars(new), "text": clean(new.text), "reason": clean(new.reason).strip()}
    draft = PolicyDraft(**values, draft_id=f"d-{uuid4().hex[:8]}", drafted_by=person.name, drafted_at=at)
    tx.execute(insert(POLICY_DRAFTS).values(**vars(draft)))
    chain.append(tx, at, "policy_drafted", "", audited_draft(draft, person.name, draft.reason))
    return draft


def find(tx: Connection, draft_id: str, lock: bool = False) -> PolicyDraft:
    """One draft. BadInput when there is none. With `lock` nobody else settles it until this transaction ends."""
    wanted = select_record(POLICY_DRAFTS).where(_D.draft_id == clean(draft_id))
    row = tx.execute(wanted.with_for_update() if lock else wanted).first()
    if row is None:
        raise BadInput(f"There is no draft '{draft_id}' in the ledger; see the drafts on the Knowledge page.")
    return PolicyDraft(**fields(row))


def listed(tx: Connection, status: DraftStatus | None = None, limit: int | None = 100) -> list[PolicyDraft]:
    """Drafts of all policies, the newest first."""
    wanted = select_record(POLICY_DRAFTS).order_by(_D.number.desc()).limit(limit)
    if status is not None:
        wanted = wanted.where(_D.status == status)
    return [PolicyDraft(**fields(row)) for row in tx.execute(wanted)]


def open_by_policy(tx: Connection) -> dict[str, int]:
    """How many drafts of each policy wait to be put in force."""
    counted = select(_D.policy_id, func.count()).where(_D.status == "draft").group_by(_D.policy_id)
    return {row[0]: row[1] for row in tx.execute(counted)}


def put_in_force(tx: Connection, at: datetime, draft_id: str, by: str, reason: str, needed: Approval) -> PolicyDraft:
    """In force, or with one more who agreed where it takes two. `needed` is the approval that plans would not take any more.

    Refused for role, author, status, a second word of the same person, or a day that has passed; BadInput without a reason.
    """
    draft = find(tx, draft_id, lock=True)
    person = people.require(tx, by, "put_policy_in_force")
    _check_open(draft)
    check_reason(reason)
    if person_key(person.name) == person_key(draft.drafted_by):
        raise Refused(f"{person.name} drafted this: another person must put it in force.")
    if rank(person) < authority(needed.role):
        raise Refused(
            f"This draft lets plans run that a {needed.role} approves now, so it takes a {needed.role} or above to put it in "
            f"force, and {person.name} is {person.role}."
        )
    if draft.in_force_from < at.date():
        raise Refused(
            f"The draft was to be in force from {draft.in_force_from}, which has passed; create a new draft with a later date."
        )
    if not needed.four_eyes or _is_second(tx, draft, person, needed.role):
        return _settle(tx, at, draft, "in_force", person, reason)
    word = {"by": person.name, "at": at.isoformat(), "reason": clean(reason).strip()}
    return _change(tx, at, draft, "policy_draft_agreed", person, reason, {"agreed": [*draft.agreed, word]})


def withdraw(tx: Connection, at: datetime, draft_id: str, by: str, reason: str) -> PolicyDraft:
    """Give a draft up: its author may, and who may put policies in force. Refused for one that is settled."""
    draft = find(tx, draft_id, lock=True)
    person = people.find(tx, by)
    if person is None or person.name != draft.drafted_by or not may(person, "draft_policy"):
        person = people.require(tx, by, "put_policy_in_force")
    _check_open(draft)
    check_reason(reason)
    return _settle(tx, at, draft, "withdrawn", person, reason)


def _check_open(draft: PolicyDraft) -> None:
    """Raises Refused for a draft that is in force or withdrawn."""
    if draft.status != "draft":
        became = "put in force" if draft.status == "in_force" else "withdrawn"
        raise Refused(f"The draft {draft.draft_id} was {became} by {draft.settled_by} already.")


def _is_second(tx: Connection, draft: PolicyDraft, person: Person, role: str) -> bool:
    """Whether somebody agreed before who has the authority now. Raises Refused for a second word of the same person."""
    agreed = [people.find(tx, one["by"]) for one in draft.agreed]
    before = [person_key(one.name) for one in agreed if one is not None and rank(one) >= authority(role)]
    if person_key(person.name) in before:
        raise Refused(f"{person.name} agreed to this already: it takes another {role} to put it in force.")
    return bool(before)


def _settle(tx: Connection, at: datetime, draft: PolicyDraft, status: DraftStatus, person: Person, reason: str) -> PolicyDraft:
    kind = "policy_put_in_force" if status == "in_force" else "policy_draft_withdrawn"
    settled = {"settled_by": person.name, "settled_at": at, "settled_reason": clean(reason).strip()}
    return _change(tx, at, draft, kind, person, reason, {"status": status, **settled})


def _change(
    tx: Connection, at: datetime, draft: PolicyDraft, kind: str, person: Person, reason: str, values: Mapping[str, Any]
) -> PolicyDraft:
    """The draft as it is kept afterwards; `kind` is that of the row in the audit log."""
    tx.execute(update(POLICY_DRAFTS).where(_D.draft_id == draft.draft_id, _D.status == "draft").values(**values))
    chain.append(tx, at, kind, "", audited_draft(draft, person.name, clean(reason).strip()))
    return find(tx, draft.draft_id)


def audited_draft(draft: PolicyDraft, by: str, reason: str) -> dict[str, Any]:
    """What the audit log says of a draft: the text stands there as a digest."""
    return {
        "draft_id": draft.draft_id,
        "base_version": draft.base_version,
        "version": draft.version,
        "policy": draft.policy_id,
        "in_force_from": draft.in_force_from.isoformat(),
        "text_digest": digest(draft.text),
        "by": by,
        "reason": reason,
    }


def keep(tx: Connection, at: datetime, documents: Documents, by: str = COMMAND_LINE) -> PolicySnapshot:
    """What decides from now on: the policies of the folder, where nothing of them takes an agreement."""
    pairs = [list(one) for one in documents]
    book = PolicySnapshot(book_id=f"b-{uuid4().hex[:8]}", documents=pairs, by=by, at=at)
    tx.execute(insert(POLICY_BOOKS).values(**vars(book)))
    chain.append(tx, at, "policies_kept", "", audited_policies(book))
    return book


def kept(tx: Connection, limit: int | None = 1) -> list[PolicySnapshot]:
    """The policies that decide, and those that did before, the newest first; none before the first start."""
    return [PolicySnapshot(**fields(row)) for row in tx.execute(_BOOKS.limit(limit))]


def audited_policies(book: PolicySnapshot) -> dict[str, Any]:
    """What the audit log says of a book: its documents stand there as a digest."""
    return {"book_id": book.book_id, "digest": digest([list(one) for one in book.documents]), "by": book.by}


def citing(tx: Connection, clause_id: str, limit: int = 10) -> list[CitingRun]:
    """The latest runs whose proposals cite a clause, the newest first."""
    asked = {"clause": clean(clause_id), "cited": canonical([{"clause": clause_id}]).decode(), "limit": limit}
    return [CitingRun(**row._mapping) for row in tx.execute(_CITING, asked)]
