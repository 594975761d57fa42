"""The open proposal: what it would change, and the five decisions. Every decision goes through the ledger's choke point."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import streamlit as st

from dashboard.company import company
from dashboard.editing import edit_plan
from dashboard.markup import joined, markup, show
from dashboard.reasons import forget, reason, reason_fields
from dashboard.text import label, plain, span, words
from dashboard.views import card
from dashboard.visitor import enter, visitor
from errors import MissionsError
from ledger.canonical import utc_now
from ledger.permissions import may
from ledger.records import Decision, DecisionKind, Observation, Person, Proposal, Run
from ledger.rules import already, steps_left_out
from nodes.edits import before_edit
from nodes.review import standings

#: how long what was read again counts as the present
FRESH = timedelta(seconds=60)


def proposal_card(me: Person, run: Run, proposal: Proposal, observations: Sequence[Observation]) -> None:
    """A proposal that waits."""
    at = utc_now()
    decisions = company().ledger.decisions(run.run_id)
    before = before_edit(proposal, company().ledger.proposals(run.run_id), decisions)
    written = [card.edited(proposal, me.name)] if before else []
    written.append(card.summary(proposal, observations))
    limits = standings(company().ledger, proposal, decisions, me.name)
    show(markup("{}{}{}", card.head(run, proposal, decisions, at, limits), joined(written), card.story(proposal)))
    _notices(me, proposal, decisions)
    if may(me, "decide"):
        _decide_form(me, run, proposal)
    else:
        st.text(f"You see this as {me.role}; it is decided by others.")
    _drift(run.run_id, proposal)
    show(markup("{}{}", card.steps(proposal, before=before), card.decided(decisions)))


def _notices(me: Person, proposal: Proposal, decisions: Sequence[Decision]) -> None:
    _told(proposal.run_id)
    if any((one.kind, one.by, one.proposal_id) == ("approve", me.name, proposal.proposal_id) for one in decisions):
        say("", "Your approval is recorded; a second person must approve it too.")
    if proposal.held_by:
        show(
            markup('<div class="c-note m-warn">{}</div>', f"Run {proposal.held_by} would change the same, and is decided first.")
        )
        st.page_link(st.session_state["pages"]["queue"], label="Open that one", query_params={"run": proposal.held_by})
    if behind := company().desk.behind(proposal.run_id):
        waiting = ", ".join(f"{plain(subject, 60)} ({run_id})" for run_id, subject in behind)
        show(markup('<div class="c-note m-info">After this one, as they would change the same: {}.</div>', waiting))
    if may(me, "decide"):
        _claim(me, proposal)


@st.fragment(run_every="5s")
def _claim(me: Person, proposal: Proposal) -> None:
    """Say that one has it open, and who else has; say who was faster."""
    enter("decide")
    present = company().ledger.proposal(proposal.run_id)
    if present is None or (present.proposal_id, present.status) != (proposal.proposal_id, "pending"):
        decided = [one for one in company().ledger.decisions(proposal.run_id) if one.proposal_id == proposal.proposal_id]
        if decided:  # the first of two who approve was not forestalled by the second
            tell(proposal.run_id, "" if me.name in {one.by for one in decided} else already(decided[-1]))
        st.rerun(scope="app")
    before = st.session_state.get("claimed")
    if before and before != proposal.proposal_id:
        company().desk.release(before, me.name)
    st.session_state["claimed"] = proposal.proposal_id
    held = company().desk.claim(proposal.proposal_id, me.name)
    if held.by != me.name:
        show(
            markup('<div class="c-note m-info">{} has this open, for {}.</div>', plain(held.by, 60), span(utc_now() - held.since))
        )


@st.fragment(parallel=True)
def _drift(run_id: str, proposal: Proposal) -> None:
    """What has changed since the proposal; read beside the rest of the page, for systems take their time."""
    kept = st.session_state.get("drift")
    if kept is None or kept[0] != proposal.proposal_id or utc_now() - kept[1] > FRESH:
        try:
            kept = (proposal.proposal_id, utc_now(), company().runtime.drift(run_id))
        except MissionsError as error:
            show(markup('<div class="c-note m-warn">Whether anything has changed cannot be told: {}</div>', str(error)))
            return
        st.session_state["drift"] = kept
    show(card.drifted(kept[2], proposal.created_at))


def _decide_form(me: Person, run: Run, proposal: Proposal) -> None:
    """The buttons decide in callbacks: what somebody pressed counts even if the page has something else to show by then."""
    reason_fields(proposal.proposal_id)
    without = _left_out(proposal)
    with st.container(horizontal=True, gap="xsmall", key="decide"):
        said = "Approve the rest" if without else "Approve"
        first = (
            "secondary" if proposal.author == me.name and not proposal.approval.own else "primary"
        )  # nobody approves their own edit
        _button(said, "approve", run, proposal, type=first, icon=":material/check:", shortcut="A")
        if st.button("Edit", icon=":material/edit:", shortcut="E"):
            edit_plan(run, proposal, reason(proposal.proposal_id))
        _button("Reject", "reject", run, proposal, icon=":material/close:", shortcut="X")
        looks = "The Mission looks at everything anew"
        _button("Ask again", "respond", run, proposal, icon=":material/replay:", shortcut="L", help=looks)
        with st.popover("Escalate", icon=":material/arrow_upward:"):
            queues = list(company().runtime.context.catalogue["open_case"].args["queue"])
            to = st.selectbox(
                "To", queues, index=None, format_func=words, key=f"queue-{proposal.proposal_id}", placeholder="To whom?"
            )
            _button("Hand it over", "escalate", run, proposal, type="primary", disabled=to is None)


def _button(said: str, kind: DecisionKind, run: Run, proposal: Proposal, **looks: Any) -> None:
    st.button(said, key=f"{kind}-{proposal.proposal_id}", on_click=_pressed, args=(run, proposal, kind), **looks)


def _pressed(run: Run, proposal: Proposal, kind: DecisionKind) -> None:
    """Record the decision about the proposal as it was on the screen; what follows from it is done in the background."""
    person = visitor()
    if person is None:  # the session has ended: the page leads to the sign-in form, and nothing is decided
        return
    about, why = proposal.proposal_id, reason(proposal.proposal_id)
    details = {
        "approve": {"without": parts} if (parts := st.session_state.get(f"without-{about}")) else {},
        "respond": {"remark": why},
        "escalate": {"queue": st.session_state.get(f"queue-{about}")},
    }.get(kind, {})
    try:
        _, status = company().runtime.decide(run.run_id, kind, person.name, why, digest=proposal.digest, details=details)
    except MissionsError as error:
        tell(run.run_id, str(error))
        return
    forget(about)
    tell(run.run_id)
    if status != "pending":
        company().drive(run.run_id)


def _left_out(proposal: Proposal) -> list[str]:
    """Parts of the plan that are to be rejected, where it has parts."""
    parts = list(dict.fromkeys(action["part"] for action in proposal.plan if action.get("part")))
    if not parts:
        return []
    return st.multiselect(
        "Reject only these parts", parts, format_func=plain, key=f"without-{proposal.proposal_id}",
        placeholder="Reject single parts of the plan …", label_visibility="collapsed",
    )  # fmt: skip


def tell(run_id: str, refused: str = "", done: str = "") -> None:
    """Say something about a run beside it, until something else is said: what is done, what is refused."""
    st.session_state["told"] = (run_id, refused, done)


def say(refused: str, done: str) -> None:
    """Show what is done as a success, what is refused as a warning."""
    if done:
        st.success(label(done, 800), icon=":material/check:")
    if refused:
        st.warning(label(refused, 800), icon=":material/info:")


def _told(run_id: str) -> None:
    about, refused, done = st.session_state.get("told", ("", "", ""))
    if about == run_id:
        say(refused, done)


@st.fragment(run_every="0.5s")
def progress(run_id: str) -> None:
    """What becomes of a decided proposal, as it happens."""
    enter("read")
    ledger = company().ledger
    run, proposal = ledger.run(run_id), ledger.proposal(run_id)
    decisions, effects = ledger.decisions(run_id), ledger.effects(run_id)
    if proposal is not None and proposal.status == "pending" and run.status == "waiting":
        st.rerun(scope="app")
    _told(run_id)
    if proposal is None:
        st.text(f"Run {run.run_id} is {run.status} and has no proposal yet.")
        return
    reasons = [incident.reason for incident in ledger.incidents() if incident.run_id == run_id]
    left_out = steps_left_out(proposal, decisions)
    show(
        markup(
            "{}{}{}{}{}",
            card.head(run, proposal, decisions, utc_now()), card.standing(run, reasons), card.decided(decisions),
            card.steps(proposal, effects, left_out), "" if run.status == "running" else card.ended(run),
        )
    )  # fmt: skip
    if run.status != "running" and st.session_state.get("settled") != run_id:
        st.session_state["settled"] = run_id
        st.rerun(scope="app")
