"""Proposals and decisions in PostgreSQL. `decide` is the one choke point."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from uuid import uuid4

from sqlalchemy import Connection, bindparam, insert, select, update

from errors import BadInput
from ledger import audit, legality, limits, rules
from ledger.records import Commitment, Decision, Proposal, ProposalStatus, Run
from ledger.sentences import no_proposal
from ledger.sql import chain, conflicts, evidence, people, totals
from ledger.sql.lock import locked_run, set_status
from ledger.sql.rows import fields, from_proposal, select_record, select_runs, to_proposal, to_run
from ledger.tables import DECISIONS, PROPOSALS, RUNS

_ONE = select_record(PROPOSALS).where(PROPOSALS.c.proposal_id == bindparam("proposal"))
_OF_RUN = select_record(PROPOSALS).where(PROPOSALS.c.run_id == bindparam("run")).order_by(PROPOSALS.c.number)
_LATEST = _OF_RUN.order_by(None).order_by(PROPOSALS.c.number.desc()).limit(1)
_SUPERSEDE = (
    update(PROPOSALS)
    .where(PROPOSALS.c.run_id == bindparam("run"), PROPOSALS.c.status == "pending")
    .values(status="superseded")
    .returning(PROPOSALS.c.proposal_id)
)
_NEW = insert(PROPOSALS)


def propose(tx: Connection, proposal: Proposal, at: datetime) -> Proposal:
    run = locked_run(tx, proposal.run_id)
    known = find(tx, proposal.proposal_id)
    if known is not None:
        legality.check_same_proposal(known, proposal)
        return known
    status = legality.check_proposal(proposal, run)
    superseded = supersede(tx, run.run_id)
    tx.execute(_NEW, from_proposal(replace(proposal, status=status)))
    kept = legality.held(proposal, status, conflicts.touch(tx, proposal))
    if kept.held_by:
        mine = update(PROPOSALS).where(PROPOSALS.c.proposal_id == kept.proposal_id)
        tx.execute(mine.values(status=kept.status, held_by=kept.held_by))
    set_status(tx, run.run_id, "waiting" if kept.status == "pending" else "running")
    looks = evidence.looks(tx, [run.run_id])[run.run_id]
    chain.append(tx, at, "proposed", run.run_id, audit.of_proposal(kept, superseded, looks))
    return kept


def find(tx: Connection, proposal_id: str) -> Proposal | None:
    row = tx.execute(_ONE, {"proposal": proposal_id}).first()
    return to_proposal(row) if row else None


def of_run(tx: Connection, run_id: str) -> list[Proposal]:
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


def queue(tx: Connection, limit: int | None) -> list[tuple[Run, Proposal, tuple[Decision, ...]]]:
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


def decide(tx: Connection, ask: rules.Ask) -> tuple[Decision, ProposalStatus]:
    """Lock the run, judge, write the decision, swap the status. Of two at once the later one is judged on what the
    earlier one left."""
    named = find(tx, ask.proposal_id)
    if named is None:
        raise BadInput(no_proposal(ask.proposal_id))
    run = locked_run(tx, named.run_id)
    proposal = find(tx, ask.proposal_id) or named
    earlier = _decisions_about(tx, [ask.proposal_id]).get(ask.proposal_id, [])
    editors: frozenset[str] = frozenset()
    if proposal.revision > 1:
        editors = rules.edited_by(proposal.plan, proposal.revision, of_run(tx, run.run_id), decisions(tx, run.run_id))
    person, status = rules.judge(ask, people.find(tx, ask.by), proposal, run, earlier, editors)
    decision = rules.decision_of(ask, person, run.run_id, uuid4().hex)
    made: list[Commitment] = []
    if asked := limits.asked(proposal, proposal.approval.limits, [*earlier, decision]) if ask.kind == "approve" else []:
        counted = totals.count(tx, run.run_id, asked)
        now = limits.check_approver(proposal, person, counted.standings)
        _, status = rules.judge(ask, person, now, run, earlier, editors)
        made = totals.commit(tx, proposal, counted)
    tx.execute(insert(DECISIONS).values(**vars(decision)))
    swap = update(PROPOSALS).where(PROPOSALS.c.proposal_id == ask.proposal_id, PROPOSALS.c.status == "pending")
    tx.execute(swap.values(status=status).returning(PROPOSALS.c.proposal_id)).one()
    if status != "pending":
        set_status(tx, run.run_id, "running")
    chain.append(tx, ask.at, "decided", run.run_id, audit.of_decision(decision, status, made))
    return decision, status


def decisions(tx: Connection, run_id: str) -> list[Decision]:
    mine = select_record(DECISIONS).where(DECISIONS.c.run_id == run_id).order_by(DECISIONS.c.number)
    return [Decision(**fields(row)) for row in tx.execute(mine)]


def _decisions_about(tx: Connection, proposal_ids: Iterable[str]) -> dict[str, list[Decision]]:
    wanted = select_record(DECISIONS).where(DECISIONS.c.proposal_id.in_(list(proposal_ids)))
    about: dict[str, list[Decision]] = {}
    for row in tx.execute(wanted.order_by(DECISIONS.c.number)):
        about.setdefault(row.proposal_id, []).append(Decision(**fields(row)))
    return about
