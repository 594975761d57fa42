"""Editing a plan: a form from the schema of each action, checked before it counts as an edit."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboard.company import company
from dashboard.markup import markup, show
from dashboard.reasons import forget
from dashboard.text import label, plain, words
from dashboard.visitor import enter
from errors import MissionsError
from ledger.records import Proposal, Run
from nodes.judge import what_follows
from systems.catalogue import ADDRESS_FIELDS, MAX_ID_LENGTH, MAX_TEXT_LENGTH, ArgumentType

_KEPT = ("name", "for", "part", "cites")


@st.dialog("Edit the plan", width="large")
def edit_plan(run: Run, proposal: Proposal, reason: str) -> None:
    """A field for every argument, a tick for every step. What passes the check becomes a proposal of one's own."""
    me = enter("decide")
    st.caption("What you word waits for another person, unless policy leaves its tone to you.")
    with st.form("edit", border=False):
        edited = [_step(number, action) for number, action in enumerate(proposal.plan)]
        why = st.text_input("Reason", value=reason, max_chars=500, placeholder="Why? It is kept in the audit log.")
        with st.container(horizontal=True):
            sent = st.form_submit_button("Submit the edit", type="primary", icon=":material/check:")
            asked = st.form_submit_button("What follows?", icon=":material/help:")
    if not (sent or asked):
        return
    plan = [step for step in edited if step is not None]
    try:
        problem, follows = _judged(run, proposal, plan, me.name)
        if problem:
            st.error(label(problem, 800))
            return
        if asked:
            st.info(label(follows, 800))
            return
        company().runtime.decide(run.run_id, "edit", me.name, why, digest=proposal.digest, details={"plan": plan})
    except MissionsError as error:
        st.error(label(error, 800))
        return
    forget(proposal.proposal_id)
    company().drive(run.run_id)
    st.rerun(scope="app")


def _judged(run: Run, proposal: Proposal, plan: list[dict[str, Any]], by: str) -> tuple[str, str]:
    """What is wrong with an edit, or what follows from it."""
    if not plan:
        return "An edit that leaves no step is a rejection: reject the proposal, or keep a step.", ""
    if [(step["name"], step["args"]) for step in plan] == [(step["name"], step["args"]) for step in proposal.plan]:
        return "Nothing is edited: change a value, leave out a step, or approve the plan as it is.", ""
    judgement = company().runtime.preview(run.run_id, plan, by)
    if judgement.objections:
        return f"The plan does not hold so: {'; '.join(judgement.objections)}.", ""
    return "", what_follows(judgement)


def _step(number: int, action: Mapping[str, Any]) -> dict[str, Any] | None:
    """The step as it stands in the form; None where it is left out."""
    schema = company().runtime.context.catalogue[action["name"]].args
    with st.container(border=True):
        with st.container(horizontal=True, gap="small", vertical_alignment="center"):
            keep = st.checkbox(f"Step {number + 1}", value=True, key=f"keep-{number}", width="content")
            show(markup('<div class="c-says">{}</div>', plain(action["says"], 200)))
        columns = st.columns(min(len(schema), 3) or 1)
        args = {}
        for place, (name, kind) in enumerate(schema.items()):
            wide = kind in ("text", "address")
            with st.container() if wide else columns[place % len(columns)]:
                args[name] = _field(f"{number}-{name}", name, kind, action["args"].get(name))
    return {**{key: action[key] for key in _KEPT}, "args": args} if keep else None


def _field(key: str, name: str, kind: ArgumentType, value: Any) -> Any:
    said = label(words(name.removesuffix("_cents")))
    if kind == "cents":
        told = st.number_input(f"{said} ($)", value=(value or 0) / 100, min_value=0.0, step=1.0, format="%.2f", key=key)
        return round(told * 100)
    if kind == "text":
        return st.text_area(said, value=value, max_chars=MAX_TEXT_LENGTH, height=180, key=key)
    if kind == "address":
        columns = st.columns(len(ADDRESS_FIELDS))
        given = {
            field: column.text_input(label(words(field)), value=value.get(field) or "", key=f"{key}-{field}")
            for field, column in zip(ADDRESS_FIELDS, columns, strict=True)
        }
        return {**value, **given}
    if isinstance(kind, list):
        return st.selectbox(said, kind, index=kind.index(value) if value in kind else 0, format_func=words, key=key)
    return st.text_input(said, value=value, max_chars=MAX_ID_LENGTH, key=key)
