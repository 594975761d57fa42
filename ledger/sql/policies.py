"""Policies in PostgreSQL: drafts, the documents in force (a row each time that one changed), and the runs that cite a clause."""

from datetime import datetime
from uuid import uuid4

from sqlalchemy import Connection, func, insert, select, update

from errors import BadInput
from ledger import policies
from ledger.admissions import COMMAND_LINE
from ledger.canonical import canonical, clean
from ledger.policies import CitingRun, Documents, DraftStatus, NewDraft, PolicyDraft, PolicySnapshot
from ledger.records import Approval
from ledger.sql import chain, people
from ledger.sql.rows import fields, select_record, statements
from ledger.tables import POLICY_BOOKS, POLICY_DRAFTS, Moment

_D = POLICY_DRAFTS.c
_CITING = statements("queries")["citing"].columns(at=Moment)


def add(tx: Connection, at: datetime, new: NewDraft, by: str) -> PolicyDraft:
    """Keep a draft of a policy's next version. Refused to who may not draft; BadInput without a reason, or for a past day."""
    person = policies.check_new(people.find(tx, by), new, at.date())
    values = {**vars(new), "text": clean(new.text), "reason": clean(new.reason).strip()}
    draft = PolicyDraft(**values, draft_id=f"d-{uuid4().hex[:8]}", drafted_by=person.name, drafted_at=at)
    tx.execute(insert(POLICY_DRAFTS).values(**vars(draft)))
    chain.append(tx, at, "policy_drafted", "", policies.audited_draft(draft, person.name, draft.reason))
    return draft


def find(tx: Connection, draft_id: str, lock: bool = False) -> PolicyDraft:
    """One draft. BadInput when there is none. With `lock` nobody else settles it until this transaction ends."""
    wanted = select_record(POLICY_DRAFTS).where(_D.draft_id == clean(draft_id))
    row = tx.execute(wanted.with_for_update() if lock else wanted).first()
    if row is None:
        raise BadInput(f"There is no draft '{draft_id}' in the ledger; see the drafts on the Knowledge page.")
    return PolicyDraft(**fields(row))


def listed(tx: Connection, status: DraftStatus | None = None, limit: int = 100) -> list[PolicyDraft]:
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
    """In force, or with one more who agreed where it takes two."""
    draft = find(tx, draft_id, lock=True)
    agreed = [people.find(tx, one["by"]) for one in draft.agreed]
    person, done = policies.check_putting(people.find(tx, by), draft, reason, at.date(), needed, agreed)
    if done:
        return _settle(tx, draft, "in_force", "policy_put_in_force", person.name, reason, at)
    word = {"by": person.name, "at": at.isoformat(), "reason": clean(reason).strip()}
    tx.execute(update(POLICY_DRAFTS).where(_D.draft_id == draft.draft_id).values(agreed=[*draft.agreed, word]))
    chain.append(tx, at, "policy_draft_agreed", "", policies.audited_draft(draft, person.name, word["reason"]))
    return find(tx, draft.draft_id)


def withdraw(tx: Connection, at: datetime, draft_id: str, by: str, reason: str) -> PolicyDraft:
    """Give a draft up: its author may, and who may put policies in force. Refused for one that is settled."""
    draft = find(tx, draft_id, lock=True)
    person = policies.check_withdrawing(people.find(tx, by), draft, reason)
    return _settle(tx, draft, "withdrawn", "policy_draft_withdrawn", person.name, reason, at)


def _settle(
    tx: Connection, draft: PolicyDraft, status: DraftStatus, kind: str, by: str, reason: str, at: datetime
) -> PolicyDraft:
    reason = clean(reason).strip()
    changed = {"status": status, "settled_by": by, "settled_at": at, "settled_reason": reason}
    tx.execute(update(POLICY_DRAFTS).where(_D.draft_id == draft.draft_id, _D.status == "draft").values(**changed))
    chain.append(tx, at, kind, "", policies.audited_draft(draft, by, reason))
    return find(tx, draft.draft_id)


def citing(tx: Connection, clause_id: str, limit: int = 10) -> list[CitingRun]:
    """The latest runs whose proposals cite a clause, the newest first."""
    asked = {"clause": clean(clause_id), "cited": canonical([{"clause": clause_id}]).decode(), "limit": limit}
    return [CitingRun(**row._mapping) for row in tx.execute(_CITING, asked)]


_NEWEST_FIRST = select_record(POLICY_BOOKS).order_by(POLICY_BOOKS.c.at.desc(), POLICY_BOOKS.c.book_id)


def keep(tx: Connection, at: datetime, documents: Documents, by: str = COMMAND_LINE) -> PolicySnapshot:
    """What decides from now on: the policies of the folder, where nothing of them takes an agreement."""
    pairs = [list(one) for one in documents]
    book = PolicySnapshot(book_id=f"b-{uuid4().hex[:8]}", documents=pairs, by=by, at=at)
    tx.execute(insert(POLICY_BOOKS).values(**vars(book)))
    chain.append(tx, at, "policies_kept", "", policies.audited_policies(book))
    return book


def kept(tx: Connection, limit: int | None = 1) -> list[PolicySnapshot]:
    """The policies that decide, and those that did before, the newest first; none before the first start."""
    return [PolicySnapshot(**fields(row)) for row in tx.execute(_NEWEST_FIRST.limit(limit))]
