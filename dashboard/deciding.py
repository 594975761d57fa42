"""The open proposal: what it would change, the five decisions, and the form that edits its plan; or several at once.

Every decision goes through the ledger's choke point.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import streamlit as st
from markupsafe import Markup

from dashboard import card
from dashboard.company import company
from dashboard.markup import label, refusals, show
from dashboard.plan_form import step_form
from dashboard.visitor import enter, visitor
from errors import BadInput, MissionsError
from ledger.authorization import already, steps_left_out
from ledger.canonical import utc_now
from ledger.permissions import may
from ledger.queries import QueueRow
from ledger.records import Decision, DecisionKind, Observation, Person, Proposal, Run
from nodes.authorship import before_edit
from nodes.check import what_follows
from nodes.review import standings
from rendering import approver, dollars, html_table, joined, markup, plain, span, words
from systems.arguments import refusal

#: how long what was read again counts as the present
FRESH = timedelta(seconds=60)
QUICK = ("The evidence holds", "As the policy says", "Agreed with the customer", "Wrong action")
WHY = "Why? It is kept in the audit log."
_KEPT, _REASON_TOGETHER = "reasons", "why-together"


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
    _show_message(proposal.run_id)
    if any((one.kind, one.by, one.proposal_id) == ("approve", me.name, proposal.proposal_id) for one in decisions):
        show_outcome("", "Your approval is recorded; a second person must approve it too.")
    if proposal.held_by:
        show(card.note("warn", f"Run {proposal.held_by} would change the same, and is decided first."))
        st.page_link(st.session_state["pages"]["queue"], label="Open that one", query_params={"run": proposal.held_by})
    if behind := company().desk.behind(proposal.run_id):
        waiting = ", ".join(f"{plain(subject, 60)} ({run_id})" for run_id, subject in behind)
        show(card.note("info", f"After this one, as they would change the same: {waiting}."))
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
            keep_message(proposal.run_id, "" if me.name in {one.by for one in decided} else already(decided[-1]))
        st.rerun(scope="app")
    before = st.session_state.get("claimed")
    if before and before != proposal.proposal_id:
        company().desk.release(before, me.name)
    st.session_state["claimed"] = proposal.proposal_id
    held = company().desk.claim(proposal.proposal_id, me.name)
    if held.by != me.name:
        show(card.note("info", f"{plain(held.by, 60)} has this open, for {span(utc_now() - held.since)}."))


@st.fragment(parallel=True)
def _drift(run_id: str, proposal: Proposal) -> None:
    """What has changed since the proposal; read beside the rest of the page, for systems take their time."""
    kept = st.session_state.get("drift")
    if kept is None or kept[0] != proposal.proposal_id or utc_now() - kept[1] > FRESH:
        try:
            kept = (proposal.proposal_id, utc_now(), company().runtime.drift(run_id))
        except MissionsError as error:
            show(card.note("warn", f"Whether anything has changed cannot be told: {error}"))
            return
        st.session_state["drift"] = kept
    show(card.drifted(kept[2], proposal.created_at))


def _decide_form(me: Person, run: Run, proposal: Proposal) -> None:
    """The buttons decide in callbacks: what somebody pressed counts even if the page has something else to show by then."""
    reason_fields(proposal.proposal_id)
    without = _left_out(proposal)
    with st.container(horizontal=True, gap="xsmall", key="decide"):
        title = "Approve the rest" if without else "Approve"
        # nobody approves their own edit
        first = "secondary" if proposal.author == me.name and not proposal.approval.own else "primary"
        _button(title, "approve", run, proposal, type=first, icon=":material/check:", shortcut="A")
        if st.button("Edit", icon=":material/edit:", shortcut="E"):
            edit_plan(run, proposal, reason(proposal.proposal_id))
        _button("Reject", "reject", run, proposal, icon=":material/close:", shortcut="X")
        effect = "The Mission reads everything again"
        _button("Ask again", "respond", run, proposal, icon=":material/replay:", shortcut="L", help=effect)
        with st.popover("Escalate", icon=":material/arrow_upward:"):
            context = company().runtime.context
            queues = context.pack(run.event).queues_in(context.catalogue)
            key = f"queue-{proposal.proposal_id}"
            to = st.selectbox("To", queues, index=None, format_func=words, key=key, placeholder="To whom?")
            _button("Hand it over", "escalate", run, proposal, type="primary", disabled=to is None)


def _button(title: str, kind: DecisionKind, run: Run, proposal: Proposal, **options: Any) -> None:
    st.button(title, key=f"{kind}-{proposal.proposal_id}", on_click=_pressed, args=(run, proposal, kind), **options)


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
        decide(run.run_id, kind, person.name, why, proposal.digest, details)
    except MissionsError as error:
        keep_message(run.run_id, str(error))
    else:
        forget(about)
        keep_message(run.run_id)


def decide(run_id: str, kind: DecisionKind, by: str, why: str, digest: str, details: dict[str, Any]) -> None:
    """Record a decision about the proposal of this digest, and have the run go on, unless a second person has to approve."""
    _, status = company().runtime.decide(run_id, kind, by, why, digest=digest, details=details)
    if status != "pending":
        company().drive(run_id)


def _left_out(proposal: Proposal) -> list[str]:
    """Parts of the plan that are to be rejected, where it has parts."""
    parts = list(dict.fromkeys(action["part"] for action in proposal.plan if action.get("part")))
    if not parts:
        return []
    return st.multiselect(
        "Reject only these parts", parts, format_func=plain, key=f"without-{proposal.proposal_id}",
        placeholder="Reject single parts of the plan …", label_visibility="collapsed",
    )  # fmt: skip


def keep_message(run_id: str, refused: str = "", done: str = "") -> None:
    """What is shown beside a run until something else is: what is done, what is refused."""
    st.session_state["message"] = (run_id, refused, done)


def show_outcome(refused: str, done: str) -> None:
    """Show what is done as a success, what is refused as a warning."""
    if done:
        st.success(label(done, 800), icon=":material/check:")
    if refused:
        st.warning(label(refused, 800), icon=":material/info:")


def _show_message(run_id: str) -> None:
    about, refused, done = st.session_state.get("message", ("", "", ""))
    if about == run_id:
        show_outcome(refused, done)


@st.fragment(run_every="0.5s")
def progress(run_id: str) -> None:
    """What becomes of a decided proposal, as it happens."""
    enter("read")
    ledger = company().ledger
    run, proposal = ledger.run(run_id), ledger.proposal(run_id)
    decisions, effects = ledger.decisions(run_id), ledger.effects(run_id)
    if proposal is not None and proposal.status == "pending" and run.status == "waiting":
        st.rerun(scope="app")
    _show_message(run_id)
    if proposal is None:
        st.text(f"Run {run.run_id} is {run.status} and has no proposal yet.")
        return
    reasons = [incident.reason for incident in ledger.incidents() if incident.run_id == run_id]
    left_out = steps_left_out(proposal, decisions)
    pieces = [card.head(run, proposal, decisions, utc_now()), card.standing(run, reasons), card.decided(decisions)]
    show(joined([*pieces, card.steps(proposal, effects, left_out), card.ended(run)]))
    if run.status != "running" and st.session_state.get("settled") != run_id:
        st.session_state["settled"] = run_id
        st.rerun(scope="app")


def reason_fields(proposal_id: str) -> None:
    """A field for the reason, and some that are offered; what was written before another proposal was open is there again."""
    typed, quick = _keys(proposal_id)
    for key, value in st.session_state.get(_KEPT, {}).get(proposal_id, {}).items():
        st.session_state.setdefault(key, value)
    options: Mapping[str, Any] = {"label_visibility": "collapsed", "on_change": _keep, "args": (proposal_id,)}
    with st.container(key="reason"):
        st.text_input("Reason", key=typed, max_chars=500, placeholder=WHY, **options)
    st.pills("Or", QUICK, key=quick, **options)


def reason(proposal_id: str) -> str:
    """What is typed, or else what is chosen; empty where neither is."""
    typed, quick = _keys(proposal_id)
    return (st.session_state.get(typed) or "").strip() or st.session_state.get(quick) or ""


def forget(proposal_id: str) -> None:
    """The decision is recorded, and the fields are empty. For callbacks: a field that is drawn already cannot be changed."""
    st.session_state.get(_KEPT, {}).pop(proposal_id, None)
    typed, quick = _keys(proposal_id)
    st.session_state[typed], st.session_state[quick] = "", None


def _keep(proposal_id: str) -> None:
    """Streamlit forgets fields that are not drawn."""
    written = {key: st.session_state.get(key) for key in _keys(proposal_id)}
    st.session_state.setdefault(_KEPT, {})[proposal_id] = written


def _keys(proposal_id: str) -> tuple[str, str]:
    return f"why-{proposal_id}", f"quick-{proposal_id}"


@st.dialog("Edit the plan", width="large")
def edit_plan(run: Run, proposal: Proposal, reason: str) -> None:
    """A field for every argument, a tick for every step. What passes the check becomes a proposal of one's own."""
    me = enter("decide")
    st.caption("What you word waits for another person, unless policy leaves its tone to you.")
    with st.form("edit", border=False):
        catalogue = company().runtime.context.catalogue
        edited = [step_form(number, action, catalogue) for number, action in enumerate(proposal.plan)]
        why = st.text_input("Reason", value=reason, max_chars=500, placeholder=WHY)
        with st.container(horizontal=True):
            sent = st.form_submit_button("Submit the edit", type="primary", icon=":material/check:")
            asked = st.form_submit_button("What follows?", icon=":material/help:")
    if not (sent or asked):
        return
    plan = [step for step in edited if step is not None]
    with refusals():
        follows = _follows(run, proposal, plan, me.name)
        if asked:
            st.info(label(follows, 800))
            return
        decide(run.run_id, "edit", me.name, why, proposal.digest, {"plan": plan})
        forget(proposal.proposal_id)
        st.rerun(scope="app")


def _follows(run: Run, proposal: Proposal, plan: list[dict[str, Any]], by: str) -> str:
    """What follows from an edit. Raises BadInput that says what is wrong with it."""
    if not plan:
        raise BadInput("An edit that leaves no step is a rejection: reject the proposal, or keep a step.")
    if [(step["name"], step["args"]) for step in plan] == [(step["name"], step["args"]) for step in proposal.plan]:
        raise BadInput("Nothing is edited: change a value, leave out a step, or approve the plan as it is.")
    catalogue = company().runtime.context.catalogue
    kinds = ((kind, step["args"].get(name), name) for step in plan for name, kind in catalogue[step["name"]].args.items())
    if any(refusal(*one) for one in kinds):
        raise BadInput("Correct the fields marked in red.")
    judgement = company().runtime.preview(run.run_id, plan, by)
    if judgement.objections:
        raise BadInput(f"The plan does not pass the check: {'; '.join(judgement.objections)}.")
    return what_follows(judgement)


# Several like proposals decided together: each by itself in the ledger, with one reason and the sum shown


@dataclass(frozen=True)
class Together:
    """Several proposals that are to be decided at once; money in cents."""

    rows: Sequence[QueueRow]
    money_cents: int
    #: verdict and mission, if all are alike; the reason why not, otherwise
    verdict: str = ""
    unlike: str = ""


def together(rows: Sequence[QueueRow]) -> Together:
    """What several proposals come to. Only like ones are: of one mission, with one verdict, in a pack's words."""
    money = sum(row.money_at_stake_cents for row in rows)
    kinds = {(row.mission, row.verdict): row.subject for row in rows}
    if len(kinds) > 1:
        named = ", ".join(f"{words(verdict)} ({plain(subject, 40)})" for (_, verdict), subject in list(kinds.items())[:3])
        return Together(rows, money, unlike=f"Only like proposals are decided together, and these differ: {named}.")
    if written := [plain(row.subject, 40) for row in rows if row.written_by_model]:
        alone = f"A model wrote a message in {', '.join(written[:3])}: open what a model wrote, and decide about it by itself."
        return Together(rows, money, unlike=alone)
    return Together(rows, money, verdict=rows[0].verdict if rows else "")


def decide_together(me: Person, run_ids: Sequence[str]) -> None:
    """What is ticked, its sum, and one decision about all of it."""
    chosen = together(company().desk.waiting(run_ids))
    show(_sum_of(chosen))
    done, refused = st.session_state.pop("outcome_together", ("", ()))
    show_outcome("", done)
    for sentence in refused:
        show_outcome(sentence, "")
    if st.button("Untick all", icon=":material/deselect:", type="tertiary"):
        st.session_state["ticked"] = []
        st.rerun()
    if chosen.unlike:
        st.warning(label(chosen.unlike, 800), icon=":material/rule:")
        return
    if not may(me, "decide") or not chosen.rows:
        return
    with st.container(key="reason"):
        st.text_input("Reason", key=_REASON_TOGETHER, max_chars=500, placeholder=WHY, label_visibility="collapsed")
    number, sum_ = len(chosen.rows), dollars(chosen.money_cents)
    with st.container(horizontal=True, gap="xsmall", key="decide"):
        for title, kind, icon, shortcut in (
            (f"Approve {number} · {label(sum_)}", "approve", "done_all", "A"),
            (f"Reject {number}", "reject", "close", "X"),
            (f"Ask again for {number}", "respond", "replay", "L"),
        ):
            st.button(
                title, key=f"{kind}-together", on_click=_pressed_together, args=(chosen, kind), icon=f":material/{icon}:",
                shortcut=shortcut, type="primary" if kind == "approve" else "secondary",
            )  # fmt: skip


def _pressed_together(chosen: Together, kind: DecisionKind) -> None:
    """One decision each about what was on the screen; those that are refused stay ticked, with the reason."""
    person = visitor()
    if person is None:
        return
    why, refused, left = st.session_state.get(_REASON_TOGETHER) or "", [], []
    for row in chosen.rows:
        try:
            decide(row.run_id, kind, person.name, why, row.digest, {"remark": why} if kind == "respond" else {})
        except MissionsError as error:
            refused.append(f"{row.subject}: {error}")
            left.append(row.run_id)
    number = len(chosen.rows) - len(left)
    done = f"{number} of {len(chosen.rows)} decided: {kind}." if number else ""
    if done:
        st.session_state[_REASON_TOGETHER] = ""
    if len(left) > 1:
        st.session_state["ticked"], st.session_state["outcome_together"] = left, (done, refused)
        return
    st.session_state["ticked"] = []
    # back to one proposal: the one that was refused, or the first of those decided
    st.query_params["run"] = left[0] if left else chosen.rows[0].run_id
    keep_message(st.query_params["run"], " ".join(refused), done)


def _sum_of(chosen: Together) -> Markup:
    rows = (
        (markup("<b>{}</b>", plain(row.subject, 60)), words(row.verdict), approver(row.role, row.four_eyes, row.approved_by),
         dollars(row.money_at_stake_cents))
        for row in chosen.rows
    )  # fmt: skip
    alike = markup(' <span class="c-verdict">{}</span>', words(chosen.verdict)) if chosen.verdict else ""
    foot = '<tfoot><tr><td colspan="3"><b>in all</b></td><td class="m-num"><b>{}</b></td></tr></tfoot>'
    columns = {"subject": "", "verdict": "", "waits for": "", "at stake": "m-num"}
    table = html_table("m-table", columns, rows, foot=markup(foot, dollars(chosen.money_cents)))
    return markup('<div class="c-head"><h2>{} together{}</h2></div>{}', len(chosen.rows), alike, table)
