"""check: judge the draft, and write it into the ledger as a proposal if it passes.

The check does not trust the reasoner, nor people. What fails goes back with the reasons: to a reasoner as often as it may be
asked, then the planner's plan is tried where a model's was, and then an escalation. A proposal says how soon somebody should
decide: the more money is at stake and the higher the tier, the sooner; never after the expiry.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from langgraph.runtime import Runtime

from ledger.limits import raised
from ledger.records import APPROVER, NOBODY, Approval, NewObservation, Proposal, Run
from nodes import reasons
from nodes.authority import evidence_digest, plan_digest
from nodes.authorship import editors_of
from nodes.case import Case
from nodes.derivation import feasible
from nodes.judge import Judgement, judge
from nodes.reasoning.prompt_context import see
from nodes.state import MissionContext, MissionState, brief, observe
from nodes.undo import half_done, to_take_back

#: what is told of what is wrong with a draft, so that the state stays small
MOST_OBJECTIONS, LONGEST_OBJECTION = 10, 240


def check(state: MissionState, runtime: Runtime[MissionContext]) -> MissionState:
    """Judge the draft: objections send it back, none makes it a proposal."""
    context, run_id = runtime.context, state["run_id"]
    assert state["draft"] is not None, "propose makes a draft"
    run = context.ledger.run(run_id)
    case = context.case(run, state["look"])
    values = context.policies.values(run.event.as_of)
    draft = context.ledger.drafted(state["draft"])
    back, left = to_take_back(context.ledger, run_id, draft["undoes"]), half_done(context.ledger, run_id, draft["author"])
    before = context.ledger.proposal(run_id)
    revision = before.revision + 1 if before else 1
    editors = editors_of(context.ledger, run_id, draft["plan"], revision)
    judgement = judge(case, draft, state["grounded"], context.catalogue, values, back, unfinished=bool(left), editors=editors)
    objections = [*_unfounded(context, state, case, draft), *judgement.objections]
    if objections:
        objections = [one[:LONGEST_OBJECTION] for one in objections[:MOST_OBJECTIONS]]
        observe(runtime, run_id, [NewObservation("check", "check", f"The plan does not pass: {'; '.join(objections)}")])
        return {"objections": objections, "tries": state["tries"] + 1}
    if left and not draft["undoes"]:
        draft = {**draft, "rationale": f"{draft['rationale']} Approved before, and not done: {'; '.join(left)}."}
    judgement = replace(judgement, approval=_within_limits(context, run_id, judgement.approval))
    proposal = _proposal(context, run, draft, judgement, state["grounded"], case, revision)
    at_stake = f"${proposal.money_at_stake_cents / 100:,.2f} at stake"
    actions = "1 action" if len(proposal.plan) == 1 else f"{len(proposal.plan)} actions"
    text = f"The plan passes: {actions}, {at_stake}; it {_route(proposal)}"
    observe(runtime, run_id, [NewObservation("check", "check", text, {"proposal": proposal.proposal_id})])
    proposal = context.ledger.propose(proposal)
    if proposal.held_by:
        waits = f"It waits until run {proposal.held_by}, which would change the same, is closed"
        observe(runtime, run_id, [NewObservation("check", "check", waits)])
    return {
        "draft": None,
        "objections": [],
        "tries": 0,  # what a person decides about this one begins anew
        "decision": None,
        "proposal_id": proposal.proposal_id,
        # also where it was decided about before this node could end: the decision is taken from the ledger
        "waits": proposal.status != "automatic",
        "verdict": proposal.verdict,
    }


def _within_limits(context: MissionContext, run_id: str, approval: Approval) -> Approval:
    """What would run by itself waits for a person where a limit over runs holds no more."""
    if approval.role != NOBODY.role or not approval.limits:
        return approval
    return raised(approval, context.ledger.standings(run_id, [one for one in approval.limits if one.per != APPROVER]))


def _unfounded(context: MissionContext, state: MissionState, case: Case, draft: Mapping[str, Any]) -> list[str]:
    """What is wrong with the reasons of a model: it may rest them on, and quote, what it was shown and nothing else."""
    if draft.get("by") != "model":
        return []
    task = brief(context, state, case)
    found = reasons.objections(draft, task.rail, state["grounded"], ())
    if found:  # as where they quote something: then what was shown is gone through
        known = see(task, feasible(case, context.catalogue)).known
        found = reasons.objections(draft, task.rail, state["grounded"], known)
    return found


def _proposal(
    context: MissionContext,
    run: Run,
    draft: Mapping[str, Any],
    judgement: Judgement,
    grounded: Mapping[str, int],
    case: Case,
    revision: int,
) -> Proposal:
    cites = dict.fromkeys([*draft["cites"], *judgement.approval.clauses])
    now = context.clock()
    expires = now + timedelta(hours=context.proposal_hours)
    policies = context.policies.digest(run.event.as_of)
    tier = case.known(case.pack.tier) if case.pack.tier else None
    tier = tier if isinstance(tier, str) else ""
    return Proposal(
        proposal_id=f"{run.run_id}.{revision}",
        run_id=run.run_id,
        revision=revision,
        author=draft["author"],
        verdict=draft["verdict"],
        plan=judgement.plan,
        rationale=draft["rationale"],
        cites=[{"clause": clause, "version": grounded[clause]} for clause in cites],
        alternatives=draft["alternatives"],
        changes=judgement.changes,
        confidence=draft["confidence"],
        money_at_stake_cents=judgement.money_at_stake_cents,
        approval=judgement.approval,
        digest=plan_digest(draft["verdict"], judgement.plan, evidence_digest(case.facts), policies),
        created_at=now,
        expires_at=expires,
        due_at=due_at(now, expires, judgement.money_at_stake_cents, tier),
        tier=tier,
        undoes=draft["undoes"],
    )


def _route(proposal: Proposal) -> str:
    return "runs without approval" if proposal.approval.role == "none" else f"waits for {_who(proposal)}"


def _who(proposal: Proposal) -> str:
    return f"{proposal.approval.role}, two different people" if proposal.approval.four_eyes else proposal.approval.role


#: what the tiers that packs tell count for; others count for nothing
TIERS = {"vip": 1.0, "tier 1": 1.0, "gold": 0.5, "tier 2": 0.5}
#: cents that count for nothing, and for all that money can
LEAST_CENTS, MOST_CENTS = 1_000, 10_000_000
#: the share of the time until the expiry that each of the two can take away
SHARE = 0.45


def due_at(created_at: datetime, expires_at: datetime, money_at_stake_cents: int, tier: str) -> datetime:
    """The moment by which to decide: the expiry, less up to 45% of the time for money and 45% for the tier.

    Money counts by its order of magnitude, from $10 to $100,000. Equal weights and equal age give equal urgency, so the
    order of two proposals does not change while they wait.
    """
    cents = min(max(money_at_stake_cents, LEAST_CENTS), MOST_CENTS)
    money = math.log(cents / LEAST_CENTS) / math.log(MOST_CENTS / LEAST_CENTS)
    left = 1.0 - SHARE * money - SHARE * TIERS.get(tier, 0.0)
    return created_at + timedelta(seconds=round((expires_at - created_at).total_seconds() * left))
