"""Drafts of policies in PostgreSQL, and the runs that cite a clause."""

from datetime import datetime
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, func, insert, select, update

from errors import BadInput
from ledger import drafts
from ledger.canonical import clean
from ledger.drafts import CitingRun, DraftStatus, NewDraft, PolicyDraft
from ledger.records import Approval
from ledger.sql import chain, people
from ledger.sql.rows import fields, select_record
from ledger.tables import INBOX, POLICY_DRAFTS, PROPOSALS, RUNS

_D = POLICY_DRAFTS.c


def add(tx: Connection, new: NewDraft, by: str, at: datetime) -> PolicyDraft:
    person = drafts.check_new(people.find(tx, by), new, at.date())
    values = {**vars(new), "text": clean(new.text), "reason": clean(new.reason).strip()}
    draft = PolicyDraft(**values, draft_id=f"d-{uuid4().hex[:8]}", drafted_by=person.name, drafted_at=at)
    tx.execute(insert(POLICY_DRAFTS).values(**vars(draft)))
    chain.append(tx, at, "policy_drafted", "", drafts.audited(draft, person.name, draft.reason))
    return draft


def find(tx: Connection, draft_id: str, lock: bool = False) -> PolicyDraft:
    """BadInput when there is none. With `lock` nobody else settles it until this transaction ends."""
    wanted = select_record(POLICY_DRAFTS).where(_D.draft_id == clean(draft_id))
    row = tx.execute(wanted.with_for_update() if lock else wanted).first()
    if row is None:
        raise BadInput(f"There is no draft '{draft_id}' in the ledger: see the drafts of the page Knowledge.")
    return PolicyDraft(**fields(row))


def listed(tx: Connection, status: DraftStatus | None, limit: int) -> list[PolicyDraft]:
    """The newest first."""
    wanted = select_record(POLICY_DRAFTS).order_by(_D.number.desc()).limit(limit)
    if status is not None:
        wanted = wanted.where(_D.status == status)
    return [PolicyDraft(**fields(row)) for row in tx.execute(wanted)]


def open_by_policy(tx: Connection) -> dict[str, int]:
    """How many drafts of each policy wait."""
    counted = select(_D.policy_id, func.count()).where(_D.status == "draft").group_by(_D.policy_id)
    return {row[0]: row[1] for row in tx.execute(counted)}


def put_in_force(tx: Connection, draft_id: str, by: str, reason: str, needed: Approval, at: datetime) -> PolicyDraft:
    """In force, or with one more who agreed where it takes two."""
    draft = find(tx, draft_id, lock=True)
    agreed = [people.find(tx, one["by"]) for one in draft.agreed]
    person, done = drafts.check_putting(people.find(tx, by), draft, reason, at.date(), needed, agreed)
    if done:
        return _settle(tx, draft, "in_force", "policy_put_in_force", person.name, reason, at)
    word = {"by": person.name, "at": at.isoformat(), "reason": clean(reason).strip()}
    tx.execute(update(POLICY_DRAFTS).where(_D.draft_id == draft.draft_id).values(agreed=[*draft.agreed, word]))
    chain.append(tx, at, "policy_draft_agreed", "", drafts.audited(draft, person.name, word["reason"]))
    return find(tx, draft.draft_id)


def withdraw(tx: Connection, draft_id: str, by: str, reason: str, at: datetime) -> PolicyDraft:
    draft = find(tx, draft_id, lock=True)
    person = drafts.check_withdrawing(people.find(tx, by), draft, reason)
    return _settle(tx, draft, "withdrawn", "policy_draft_withdrawn", person.name, reason, at)


def _settle(
    tx: Connection, draft: PolicyDraft, status: DraftStatus, kind: str, by: str, reason: str, at: datetime
) -> PolicyDraft:
    reason = clean(reason).strip()
    changed = {"status": status, "settled_by": by, "settled_at": at, "settled_reason": reason}
    tx.execute(update(POLICY_DRAFTS).where(_D.draft_id == draft.draft_id, _D.status == "draft").values(**changed))
    chain.append(tx, at, kind, "", drafts.audited(draft, by, reason))
    return find(tx, draft.draft_id)


def citing(tx: Connection, clause_id: str, limit: int) -> list[CitingRun]:
    """The latest proposals that cite a clause, the newest first."""
    found = (
        select(
            PROPOSALS.c.run_id, INBOX.c.subject, INBOX.c.mission, PROPOSALS.c.verdict, PROPOSALS.c.author,
            PROPOSALS.c.cites, PROPOSALS.c.created_at,
        )
        .join_from(PROPOSALS, RUNS, RUNS.c.run_id == PROPOSALS.c.run_id)
        .join(INBOX, INBOX.c.source_id == RUNS.c.source_id)
        .where(_cites(clause_id))
        .order_by(PROPOSALS.c.number.desc())
        .limit(limit)
    )  # fmt: skip
    return [
        CitingRun(
            run_id=row.run_id, subject=row.subject, mission=row.mission, verdict=row.verdict, author=row.author,
            version=next(one["version"] for one in row.cites if one["clause"] == clause_id), at=row.created_at,
        )
        for row in tx.execute(found)
    ]  # fmt: skip


def _cites(clause_id: str) -> ColumnElement[bool]:
    return PROPOSALS.c.cites.contains([{"clause": clause_id}])
