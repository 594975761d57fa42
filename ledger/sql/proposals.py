"""Proposals, decisions and their lessons in PostgreSQL. `decide` is the one choke point.

Of two proposals that would change the same record, the second waits until the run of the first is closed.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, select, update

from errors import BadInput
from ledger import audit_chain, authorization, invariants, lessons, limits
from ledger.canonical import clean, json_of, moment, storable
from ledger.invariants import NO_PROPOSAL
from ledger.lessons import Settlement
from ledger.records import Commitment, Decision, Proposal, ProposalStatus, Run, RunStatus
from ledger.sql import chain, people, totals
from ledger.sql import evidence as evidence_rows
from ledger.sql.locks import locked_run, set_status, take_turns, turn_of_record
from ledger.sql.rows import fields, from_proposal, proposal_of, run, select_record, select_runs, statements, to_proposal, to_run
from ledger.tables import DECISIONS, INBOX, LESSONS, PROPOSALS, RUNS, TOUCHES

_ONE = select_record(PROPOSALS).where(PROPOSALS.c.proposal_id == bindparam("proposal"))
_OF_RUN = select_record(PROPOSALS).where(PROPOSALS.c.run_id == bindparam("run")).order_by(PROPOSALS.c.number)
_LATEST = _OF_RUN.order_by(None).order_by(PROPOSALS.c.number.desc()).limit(1)
_SUPERSEDE = (
    update(PROPOSALS)
    .where(PROPOSALS.c.run_id == bindparam("run"), PROPOSALS.c.status == "pending")
    .values(status="superseded")
    .returning(PROPOSALS.c.proposal_id)
)
_SQL = {name: statement.text for name, statement in statements("proposals").items()}
_ADD = _SQL["add"].format(columns=", ".join(column.name for column in PROPOSALS.columns if column.name != "number"))


def propose(tx: Connection, at: datetime, proposal: Proposal) -> Proposal:
    return put_forward(tx, at, proposal, locked_run(tx, proposal.run_id).status).proposal


@dataclass(frozen=True)
class PutForward:
    """A proposal as it is kept, and the id of the pending one that it took the place of."""

    proposal: Proposal
    superseded: str | None = None
    #: whether it is not one that was there already
    is_new: bool = True


def put_forward(
    tx: Connection, at: datetime, proposal: Proposal, run_status: RunStatus, evidence: Sequence[str] | None = None
) -> PutForward:
    """`propose` for whoever has the lock of the run, or its lease; `evidence` is of `audit_chain.of_proposal`, where known."""
    mine = {"run_id": clean(proposal.run_id), "proposal_id": clean(proposal.proposal_id)}
    is_known, superseded = run(tx, _SQL["supersede"], mine).fetchone() or (None, None)
    if is_known:
        known = find(tx, proposal.proposal_id)
        assert known is not None
        invariants.check_same_proposal(known, proposal)
        return PutForward(known, is_new=False)
    status = invariants.check_proposal(proposal, run_status)
    records = sorted({clean(record) for record in proposal.touches})
    kept = invariants.held(proposal, status, _to_wait_for(tx, mine["run_id"], records))
    row = storable(from_proposal(kept))
    run(tx, _ADD, {"row": json_of(row), "records": records})
    if evidence is None:
        evidence = [audit_chain.look_digest(look) for look in evidence_rows.looks(tx, [mine["run_id"]])[mine["run_id"]]]
    chain.append(tx, at, "proposed", proposal.run_id, audit_chain.of_proposal(kept, superseded, evidence))
    moments = {name: moment(getattr(kept, name)) for name in ("created_at", "expires_at", "due_at")}
    return PutForward(proposal_of({**row, **moments}), superseded)


def find(tx: Connection, proposal_id: str) -> Proposal | None:
    """The proposal of this id, with the status that it has now."""
    row = tx.execute(_ONE, {"proposal": proposal_id}).first()
    return to_proposal(row) if row else None


def of_run(tx: Connection, run_id: str) -> list[Proposal]:
    """The oldest first."""
    return [to_proposal(row) for row in tx.execute(_OF_RUN, {"run": run_id})]


def latest(tx: Connection, run_id: str) -> Proposal | None:
    row = tx.execute(_LATEST, {"run": run_id}).first()
    return to_proposal(row) if row else None


def supersede(tx: Connection, run_id: str) -> str | None:
    """The id of the pending proposal that is superseded by this, if there was one. Needs the lock of the run."""
    found: str | None = tx.scalar(_SUPERSEDE, {"run": run_id})
    return found


def is_pending(tx: Connection, run_id: str) -> bool:
    """Whether a proposal of the run waits for people."""
    pending = (PROPOSALS.c.run_id == run_id, PROPOSALS.c.status == "pending")
    return tx.execute(select(PROPOSALS.c.proposal_id).where(*pending)).first() is not None


def queue(tx: Connection, limit: int | None = None) -> list[tuple[Run, Proposal, tuple[Decision, ...]]]:
    order = (PROPOSALS.c.due_at, PROPOSALS.c.proposal_id)
    pending = (
        select_record(PROPOSALS)
        .join(RUNS, RUNS.c.run_id == PROPOSALS.c.run_id)
        .where(PROPOSALS.c.status == "pending", RUNS.c.status == "waiting")
    )
    waiting = [to_proposal(row) for row in tx.execute(pending.order_by(*order).limit(limit))]
    run_ids = [proposal.run_id for proposal in waiting]
    runs = {row.run_id: to_run(row) for row in tx.execute(select_runs().where(RUNS.c.run_id.in_(run_ids)))}
    about = _decisions_about(tx, [proposal.proposal_id for proposal in waiting])
    return [(runs[it.run_id], it, tuple(about.get(it.proposal_id, ()))) for it in waiting]


def decide(tx: Connection, ask: authorization.DecisionRequest) -> tuple[Decision, ProposalStatus]:
    """Lock the run, judge, write the decision, swap the status. Of two at once the later one is judged on what the
    earlier one left. Raises BadInput for no proposal, and as `authorization.judge`."""
    named = find(tx, ask.proposal_id)
    if named is None:
        raise BadInput(NO_PROPOSAL.format(ask.proposal_id))
    run = locked_run(tx, named.run_id)
    proposal = find(tx, ask.proposal_id) or named
    earlier = _decisions_about(tx, [ask.proposal_id]).get(ask.proposal_id, [])
    editors: frozenset[str] = frozenset()
    if proposal.revision > 1:
        editors = authorization.edited_by(proposal.plan, proposal.revision, of_run(tx, run.run_id), decisions(tx, run.run_id))
    person, status = authorization.judge(ask, people.find(tx, ask.by), proposal, run, earlier, editors)
    decision = authorization.decision_of(ask, person, run.run_id)
    made: list[Commitment] = []
    if asked := limits.asked(proposal, proposal.approval.limits, [*earlier, decision]) if ask.kind == "approve" else []:
        counted = totals.count(tx, run.run_id, asked)
        now = limits.check_approver(proposal, person, counted.standings)
        _, status = authorization.judge(ask, person, now, run, earlier, editors)
        made = totals.commit(tx, proposal, counted)
    tx.execute(insert(DECISIONS).values(**vars(decision)))
    swap = update(PROPOSALS).where(PROPOSALS.c.proposal_id == ask.proposal_id, PROPOSALS.c.status == "pending")
    tx.execute(swap.values(status=status).returning(PROPOSALS.c.proposal_id)).one()
    if status != "pending":
        set_status(tx, run.run_id, "running")
    chain.append(tx, ask.at, "decided", run.run_id, audit_chain.of_decision(decision, status, made))
    # with the decision: whoever drives the run on counts its observations from here
    evidence_rows.observe(tx, ask.at, run.run_id, [authorization.observation_of(decision)])
    return decision, status


def decisions(tx: Connection, run_id: str) -> list[Decision]:
    """Of a run, the oldest first."""
    mine = select_record(DECISIONS).where(DECISIONS.c.run_id == run_id).order_by(DECISIONS.c.number)
    return [Decision(**fields(row)) for row in tx.execute(mine)]


def _decisions_about(tx: Connection, proposal_ids: Iterable[str]) -> dict[str, list[Decision]]:
    wanted = select_record(DECISIONS).where(DECISIONS.c.proposal_id.in_(list(proposal_ids)))
    about: dict[str, list[Decision]] = {}
    for row in tx.execute(wanted.order_by(DECISIONS.c.number)):
        about.setdefault(row.proposal_id, []).append(Decision(**fields(row)))
    return about


def _to_wait_for(tx: Connection, run_id: str, records: list[str]) -> str:
    """The run that a new proposal about these records has to wait for, or nothing. Needs the lock of its run."""
    if not records:
        return ""
    turns = sorted({turn_of_record(record) for record in records})
    found = run(tx, _SQL["to_wait_for"], {"run_id": run_id, "records": records, "turns": turns}).fetchone()
    return (found and found[0]) or ""


def release_held(tx: Connection, run_id: str) -> list[tuple[str, str]]:
    """Let the runs that waited for this one look at the world again: each with its proposal, for the audit log.

    Needs the lock of the run, which is about to be closed.
    """
    released: list[tuple[str, str]] = []
    mine = select(TOUCHES.c.record).join(PROPOSALS, PROPOSALS.c.proposal_id == TOUCHES.c.proposal_id)
    # whoever proposes something about these records at this moment comes before, and is found, or after, and finds nobody
    take_turns(tx, map(turn_of_record, tx.scalars(mine.where(PROPOSALS.c.run_id == run_id)).all()))
    waiting = (PROPOSALS.c.held_by == run_id, PROPOSALS.c.status == "pending")
    for other in sorted(tx.scalars(select(PROPOSALS.c.run_id).where(*waiting))):
        run = locked_run(tx, other)
        freed = update(PROPOSALS).where(PROPOSALS.c.run_id == other, *waiting).values(status="superseded")
        proposal_id = tx.scalar(freed.returning(PROPOSALS.c.proposal_id))
        if proposal_id is None:
            continue
        if run.status == "waiting":
            set_status(tx, other, "running")
        released.append((other, proposal_id))
    return released


def all_decisions(tx: Connection, mission: str | None = None) -> list[Decision]:
    """Of all runs of a mission, or of all; the oldest first."""
    wanted = select_record(DECISIONS).order_by(DECISIONS.c.number)
    if mission is not None:
        joined = select(RUNS.c.run_id).join(INBOX, INBOX.c.source_id == RUNS.c.source_id).where(INBOX.c.mission == clean(mission))
        wanted = wanted.where(DECISIONS.c.run_id.in_(joined))
    return [Decision(**fields(row)) for row in tx.execute(wanted)]


def settle_lesson(tx: Connection, asked: Settlement, first: Callable[[], object] = lambda: None) -> Settlement:
    asked = replace(asked, at=moment(asked.at))
    row = tx.execute(select_record(DECISIONS).where(DECISIONS.c.decision_id == clean(asked.decision_id))).first()
    decision = Decision(**fields(row)) if row else None
    if decision is not None:  # of two who settle its lesson one waits, and is refused
        locked_run(tx, decision.run_id)
    known = tx.execute(select_record(LESSONS).where(LESSONS.c.decision_id == clean(asked.decision_id))).first()
    person = lessons.check_settling(people.find(tx, asked.by), decision, Settlement(**fields(known)) if known else None, asked)
    assert decision is not None
    first()
    settled = replace(asked, by=person.name, reason=clean(asked.reason).strip())
    tx.execute(insert(LESSONS).values(**vars(settled)))
    chain.append(tx, settled.at, f"lesson_{settled.status}", decision.run_id, lessons.audited(settled))
    return settled


def settlements(tx: Connection) -> list[Settlement]:
    """The oldest first."""
    return [Settlement(**fields(row)) for row in tx.execute(select_record(LESSONS).order_by(LESSONS.c.number))]
