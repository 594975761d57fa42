"""Drafts of policies: the form that makes one, the list, what one would do, and what may become of it."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import streamlit as st

from dashboard.company import company
from dashboard.markup import markup, show
from dashboard.views.drafts import Field, changed_values, difference_table, draft_head, draft_rows, fields, grouped, items
from dashboard.visitor import enter
from dashboard.what_if import replayed, show_found
from errors import MissionsError
from evals.what_if.answer import WhatIf
from graphs.policy_versions import approval_of, check, first_moment, is_stale, new_draft, put_in_force
from knowledge_index.documents import Document, RawClause
from knowledge_index.drafting import Edit, differences, newest, parse_draft, redrafted
from ledger.permissions import may
from ledger.policies import PolicyDraft
from ledger.records import ROLES, Person
from rendering import safe

#: drafts that are listed, the newest first
MOST_DRAFTS = 100
#: of a reason, and of one list
MOST_CHARACTERS = 2_000
#: in the address: whether the form is open
_OPEN = "edit"
#: in the session: the tab that is opened next, what was told last, what was found last
GO_TO, _TOLD, _FOUND = "knowledge.go-to", "knowledge.told", "knowledge.what-if"


def show_draft(draft_id: str) -> None:
    """Leave for a draft."""
    st.query_params["draft"] = draft_id
    st.session_state[GO_TO] = "Drafts"
    st.rerun()


def draw(person: Person) -> None:
    """The drafts, and the one that is asked for."""
    drafts = company().desk.policy_drafts(limit=MOST_DRAFTS)
    if told := st.session_state.pop(_TOLD, None):
        show(markup('<div class="k-told-once">{}</div>', told))
    asked = st.query_params.get("draft", "")
    if asked:
        _asked(person, asked)
        return
    if not drafts:
        st.text("There is no draft. Open a policy and draft a change; another person puts it in force.")
        return
    now = datetime.now(UTC)
    event = st.dataframe(
        safe(draft_rows(drafts, now)), key="knowledge.drafts", hide_index=True, on_select="rerun", selection_mode="single-row",
        row_height=30,
        column_config={
            "Policy": st.column_config.TextColumn(width=70), "Version": st.column_config.TextColumn(width=70),
            "In force from": st.column_config.DateColumn(width=110), "Status": st.column_config.TextColumn(width=90),
            "Drafted by": st.column_config.TextColumn(width=110), "When": st.column_config.TextColumn(width=100),
            "Why": st.column_config.TextColumn(width="large"),
        },
    )  # fmt: skip
    if rows := event["selection"]["rows"]:
        st.query_params["draft"] = drafts[rows[0]].draft_id
        st.rerun()


def _asked(person: Person, draft_id: str) -> None:
    st.button("All drafts", icon=":material/arrow_back:", type="tertiary", on_click=_back)
    try:
        _draft(person, company().desk.policy_draft(draft_id))
    except MissionsError as error:
        show(markup('<div class="k-refused">{}</div>', str(error)))


def _back() -> None:
    st.query_params.pop("draft", None)
    st.session_state.pop("knowledge.drafts", None)


def _draft(person: Person, draft: PolicyDraft) -> None:
    book = company().runtime.context.policies
    document = parse_draft(draft.text)
    stale = draft.status == "draft" and is_stale(draft, book)
    show(draft_head(draft, document.title, stale, datetime.now(UTC)))
    changes, become = st.columns([5, 3], gap="medium")
    with changes:
        if base := _base(draft):
            show(difference_table(differences(base, document)))
        with st.expander("The whole document of the new version", icon=":material/description:"):
            st.code(draft.text, language=None, wrap_lines=True)
    if draft.status != "draft":
        return
    with become:
        _become(person, draft, stale)
    if stale:
        st.text(f"{draft.policy_id} has changed since this was drafted. Withdraw this draft and draft the change again.")
    else:
        _what_if(draft)


def _base(draft: PolicyDraft) -> Document | None:
    """The version that a draft was made from."""
    known = company().runtime.context.policies.documents
    return next((one for one in known if (one.id, one.version) == (draft.policy_id, draft.base_version)), None)


def _become(person: Person, draft: PolicyDraft, stale: bool) -> None:
    """Put in force by another person, or withdrawn; each with a reason."""
    mine, may_put = person.name == draft.drafted_by, may(person, "put_policy_in_force")
    if not (mine or may_put):
        st.caption("A supervisor, finance or an administrator puts it in force.")
        return
    with st.container(border=True):
        if mine:
            st.caption("You drafted this: another person puts it in force.")
        if not stale:
            show(markup("<p>{}</p>", _takes(draft)))
        reason = st.text_input("Reason", key=f"draft.reason.{draft.draft_id}", max_chars=2_000)
        with st.container(horizontal=True):
            if not mine and st.button(
                "Put in force", type="primary", icon=":material/gavel:", disabled=stale or not reason.strip()
            ):
                _put_in_force(draft, reason)
            if st.button("Withdraw", icon=":material/delete:", disabled=not reason.strip()):
                _withdraw(draft, reason)


def _takes(draft: PolicyDraft) -> str:
    """Who has to put it in force, and who has agreed."""
    needed = approval_of(company().settings, company().runtime.context.policies, draft)
    if needed.role == "none":
        return "It takes no approval away: a supervisor, finance or an administrator puts it in force."
    who = f"{'Two people who are' if needed.four_eyes else 'Someone who is'} {needed.role} or above"
    agreed = ", ".join(one["by"] for one in draft.agreed)
    return f"It lets plans run with less approval than now. {who} must put it in force.{f' {agreed} agreed.' if agreed else ''}"


def _put_in_force(draft: PolicyDraft, reason: str) -> None:
    person, here = enter("put_policy_in_force"), company()

    def do() -> str:
        with st.spinner("Putting the version in force"):
            done = put_in_force(here.runtime, here.desk, here.settings, draft.draft_id, person.name, reason)
        if done.draft.status != "in_force":
            return done.left_undone
        versions = f"{draft.policy_id} version {draft.version} is in force from {draft.in_force_from} on."
        return f"{versions} {done.left_undone}".strip()

    _do(do)


def _withdraw(draft: PolicyDraft, reason: str) -> None:
    person = enter("read")

    def do() -> str:
        company().desk.withdraw_draft(draft.draft_id, person.name, reason)
        return f"The draft of {draft.policy_id} version {draft.version} is withdrawn."

    _do(do)


def _do(what: Callable[[], str]) -> None:
    try:
        st.session_state[_TOLD] = what()
    except MissionsError as error:
        show(markup('<div class="k-refused">{}</div>', str(error)))
        return
    st.rerun()


def _what_if(draft: PolicyDraft) -> None:
    """What the draft would do to recorded exceptions, replayed once and kept while the policies are the same."""
    show(markup('<h3 class="k-title">What it would do to recorded exceptions</h3>'))
    found = _found(draft)
    if found is None:
        return
    show_found(found, f"knowledge.flips.{draft.draft_id}", "the draft")


def _found(draft: PolicyDraft) -> WhatIf | None:
    here, day = company(), first_moment(draft.in_force_from)
    key = (draft.draft_id, here.runtime.context.policies.digest(day))
    kept: tuple[tuple[str, str], WhatIf] | None = st.session_state.get(_FOUND)
    if kept and kept[0] == key:
        return kept[1]
    if here.tools.what_if is None:
        st.caption("This dashboard was opened without recorded exceptions to replay.")
        return None
    try:
        found = replayed(partial(here.tools.what_if, check(here.settings, draft.text), as_of=day))
    except MissionsError as error:
        show(markup('<div class="k-refused">{}</div>', str(error)))
        return None
    st.session_state[_FOUND] = (key, found)
    return found


def is_open(person: Person) -> bool:
    """Whether the form is asked for, by somebody who may draft."""
    return st.query_params.get(_OPEN) == "1" and may(person, "draft_policy")


def open_for(clause_id: str | None) -> None:
    """Ask for the form, with this clause to change."""
    st.query_params[_OPEN] = "1"
    if clause_id:
        st.query_params["clause"] = clause_id


def close() -> None:
    """Leave the form; what was written in it is gone."""
    st.query_params.pop(_OPEN, None)


def draw_form(person: Person, base: Document) -> None:
    """The form over the newest version of a policy."""
    base = newest(company().runtime.context.policies, base.id)
    of, today = f"{base.id}.{base.version}", datetime.now(UTC).date()
    show(markup('<div class="k-head"><h2>{} <span>draft of version {}</span></h2></div>', base.id, base.version + 1))
    ids = [clause.id for clause in base.clauses]
    asked = st.query_params.get("clause")
    chosen = st.pills(
        "Clauses to change", ids, selection_mode="multi", default=[asked] if asked in ids else ids[:1], key=f"draft.clauses.{of}"
    )
    edits: dict[str, Edit] = {}
    for clause in base.clauses:
        if clause.id in (chosen or ()):
            with st.container(border=True):
                edits[clause.id] = _clause(clause, of)
    edits = {clause_id: edit for clause_id, edit in edits.items() if edit.values or edit.prose is not None}
    day, why = st.columns([1, 3])
    in_force_from = day.date_input(
        "In force from (UTC)", today + timedelta(days=1), min_value=today, key=f"draft.from.{of}", format="YYYY-MM-DD"
    )
    reason = why.text_input("Why", key=f"draft.why.{of}", max_chars=MOST_CHARACTERS, placeholder="What should get better by it")
    if in_force_from == today:
        st.caption("From today on: runs of today that still wait were started with the present version, and become incidents.")
    ready = _preview(base, edits)
    with st.container(horizontal=True):
        if st.button(
            "Save the draft and see what it does", type="primary", icon=":material/save:", disabled=not (ready and reason.strip())
        ):
            _save(lambda: new_draft(company().settings, base, edits, in_force_from, reason))
        st.button("Leave", on_click=close)
        if ready and not reason.strip():
            st.caption("Say why, and it can be saved.")


def _clause(clause: RawClause, of: str) -> Edit:
    show(markup('<div class="k-clause-head"><b>{}</b> {}</div>', clause.id, clause.title))
    given: dict[str, Any] = {}
    for group in grouped(fields(clause.values)):
        across = 2 if any(field.kind == "list" for field in group) else 3
        for start in range(0, len(group), across):
            for column, field in zip(
                st.columns(across, vertical_alignment="bottom"), group[start : start + across], strict=False
            ):
                with column:
                    given[field.path] = _field(field, f"draft.{of}.{clause.id}.{field.path}")
    prose = st.text_area(
        "Text; numbers stand in it as {name}", clause.prose, key=f"draft.{of}.{clause.id}", height="content", max_chars=20_000
    )
    return Edit(values=changed_values(clause.values, given), prose=None if prose == clause.prose else prose)


def _field(field: Field, key: str) -> Any:
    title = field.title  # of names that policies may give, which mean nothing in Markdown
    if field.kind == "flag":
        return st.checkbox(title, field.value, key=key)
    if field.kind == "role":
        return st.selectbox(title, ROLES[1:], ROLES[1:].index(field.value), key=key)
    if field.kind == "list":
        written = st.text_input(title, ", ".join(map(str, field.value)), key=key, max_chars=MOST_CHARACTERS)
        return field.value if items(written) == list(map(str, field.value)) else items(written)
    if field.kind == "text":
        return st.text_input(title, field.value, key=key, max_chars=MOST_CHARACTERS)
    # an emptied field leaves the value
    if field.kind == "whole":
        whole = st.number_input(title, value=int(field.value), step=1, key=key)
        return field.value if whole is None else whole
    number = st.number_input(title, value=float(field.value), step=0.01, format="%g", key=key)
    return field.value if number is None or number == field.value else round(number, 10)


def _preview(base: Document, edits: Mapping[str, Edit]) -> bool:
    """Show what would be different; True if that is something, and fits."""
    if not edits:
        st.caption("Nothing is changed yet.")
        return False
    try:
        text = redrafted(base.text, base.file, edits, version=base.version + 1, in_force_from=base.in_force_from)
        show(difference_table(differences(base, parse_draft(text))))
    except MissionsError as error:
        show(markup('<div class="k-refused">{}</div>', str(error)))
        return False
    return True


def _save(make: Callable[[], Any]) -> None:
    person = enter("draft_policy")
    try:
        with st.spinner("Checking the draft"):
            draft = company().desk.draft_policy(make(), person.name)
    except MissionsError as error:
        show(markup('<div class="k-refused">{}</div>', str(error)))
        return
    close()
    show_draft(draft.draft_id)
