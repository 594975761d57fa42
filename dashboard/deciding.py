"""The open proposal: what it would change, and the five decisions. Every decision goes through the ledger's choke point."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import streamlit as st

from dashboard.company import company
from dashboard.editing import edit_plan
from dashboard.html import markup, show
from dashboard.text import label, until
from dashboard.views import card
from errors import MissionsError
from ledger.canonical import now
from ledger.permissions import may
from ledger.records import DecisionKind, Person, Proposal, Run
from nodes.execute import steps_left_out

QUICK = ("The evidence holds", "As the policy says", "Agreed with the customer", "Not what is needed")
#: how long what was read again counts as the present
FRESH = timedelta(seconds=60)


def proposal_card(me: Person, run: Run, proposal: Proposal) -> None:
    """A proposal that waits."""
    at = now()
    decisions = company().ledger.decisions(run.run_id)
    show(markup("{}{}", card.head(run, proposal, decisions, at), card.story(proposal)))
    _notices(me, proposal)
    if may(me, "decide"):
        _decide_form(me, run, proposal)
    else:
        st.text(f"You see this as {me.role}; it is decided by others.")
    _drift(run.run_id, proposal)
    show(markup("{}{}", card.steps(proposal), card.decided(decisions)))


def _notices(me: Person, proposal: Proposal) -> None:
    if told := st.session_state.pop("told", None):
        st.warning(label(told, 800), icon=":material/info:")
    if may(me, "decide"):
        _claim(me, proposal)


@st.fragment(run_every="60s")
def _claim(me: Person, proposal: Proposal) -> None:
    """Say that one has it open, and who else has."""
    before = st.session_state.get("claimed")
    if before and before != proposal.proposal_id:
        company().desk.release(before, me.name)
    st.session_state["claimed"] = proposal.proposal_id
    held = company().desk.claim(proposal.proposal_id, me.name)
    if held.by != me.name:
        show(markup('<div class="c-note m-info">{} has this open since {}.</div>', held.by, until(held.since, now())))


@st.fragment(parallel=True)
def _drift(run_id: str, proposal: Proposal) -> None:
    """What has changed since the proposal; read beside the rest of the page, for systems take their time."""
    kept = st.session_state.get("drift")
    if kept is None or kept[0] != proposal.proposal_id or now() - kept[1] > FRESH:
        try:
            kept = (proposal.proposal_id, now(), company().runtime.drift(run_id))
        except MissionsError as error:
            show(markup('<div class="c-note m-warn">Whether anything has changed cannot be told: {}</div>', str(error)))
            return
        st.session_state["drift"] = kept
    show(card.drifted(kept[2], proposal.created_at))


def _decide_form(me: Person, run: Run, proposal: Proposal) -> None:
    with st.container(key="reason"):
        reason = st.text_input(
            "Reason", key=f"why-{proposal.proposal_id}", max_chars=500, label_visibility="collapsed",
            placeholder="Why? It is kept in the audit log.",
        )  # fmt: skip
    quick = st.pills("Or", QUICK, key=f"quick-{proposal.proposal_id}", label_visibility="collapsed")
    why = reason.strip() or quick or ""
    without = _left_out(proposal)
    with st.container(horizontal=True, gap="small", key="decide"):
        if st.button("Approve without the rest" if without else "Approve", type="primary", icon=":material/check:", shortcut="A"):
            decide(me, run, proposal, "approve", why, {"without": without} if without else {})
        if st.button("Edit", icon=":material/edit:", shortcut="E"):
            edit_plan(me, run, proposal, why)
        if st.button("Reject", icon=":material/close:", shortcut="X"):
            decide(me, run, proposal, "reject", why, {})
        if st.button("Ask again", icon=":material/replay:", shortcut="L", help="The Mission looks at everything anew"):
            decide(me, run, proposal, "respond", why, {"remark": why})
        with st.popover("Escalate", icon=":material/arrow_upward:"):
            queues = list(company().runtime.context.catalogue["open_case"].args["queue"])
            queue = st.selectbox("To", queues, key=f"queue-{proposal.proposal_id}")
            if st.button("Hand it over", type="primary", key=f"escalate-{proposal.proposal_id}"):
                decide(me, run, proposal, "escalate", why, {"queue": queue})


def _left_out(proposal: Proposal) -> list[str]:
    """Parts of the plan that are to be rejected, where it has parts."""
    parts = list(dict.fromkeys(action["part"] for action in proposal.plan if action.get("part")))
    if not parts:
        return []
    return st.multiselect(
        "Reject only these parts", parts, format_func=label, key=f"without-{proposal.proposal_id}",
        placeholder="Reject single parts of the plan …", label_visibility="collapsed",
    )  # fmt: skip


def decide(me: Person, run: Run, proposal: Proposal, kind: DecisionKind, reason: str, details: Mapping[str, Any]) -> None:
    """Record the decision about the proposal as it is on the screen; what follows from it is done in the background."""
    try:
        _, status = company().runtime.decide(run.run_id, kind, me.name, reason, digest=proposal.digest, details=details)
    except MissionsError as error:
        st.session_state["told"] = str(error)
    else:
        if status == "pending":
            st.session_state["told"] = "Your approval is recorded; a second person must approve it too."
        else:
            company().drive(run.run_id)
    st.rerun(scope="app")


@st.fragment(run_every="0.5s")
def progress(me: Person, run_id: str) -> None:
    """What becomes of a decided proposal, as it happens."""
    ledger = company().ledger
    run, proposal = ledger.run(run_id), ledger.proposal(run_id)
    decisions, effects = ledger.decisions(run_id), ledger.effects(run_id)
    if proposal is not None and proposal.status == "pending" and run.status == "waiting":
        st.rerun(scope="app")
    if told := st.session_state.get("told"):
        st.warning(label(told, 800), icon=":material/info:")
    if proposal is None:
        st.text(f"Run {run.run_id} is {run.status} and has no proposal yet.")
        return
    reasons = [incident.reason for incident in ledger.incidents() if incident.run_id == run_id]
    left_out = steps_left_out(proposal, decisions)
    show(
        markup(
            "{}{}{}{}{}",
            card.head(run, proposal, decisions, now()), card.standing(run, reasons), card.decided(decisions),
            card.steps(proposal, effects, left_out), "" if run.status == "running" else card.ended(run),
        )
    )  # fmt: skip
    if run.status != "running" and st.session_state.get("settled") != run_id:
        st.session_state["settled"] = run_id
        st.rerun(scope="app")
