"""Drafts of policies: the form that makes one, the list, what one would do, and what may become of it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import streamlit as st

from dashboard.company import company
from dashboard.markup import markup, refusals, show, show_refused
from dashboard.views.drafts import Field, changed_values, difference_table, draft_head, draft_rows, fields, grouped, items
from dashboard.visitor import enter
from dashboard.what_if import replayed, show_found
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
#: in the session: the tab that is opened next, what is shown once, what was found last
GO_TO, _MESSAGE, _FOUND = "knowledge.go-to", "knowledge.message", "knowledge.what-if"


def show_draft(draft_id: str) -> None:
    """Leave for a draft."""
    st.query_params["draft"] = draft_id
    st.session_state[GO_TO] = "Drafts"
    st.rerun()


def draw(person: Person) -> None:
    """The drafts, and the one that is asked for."""
    drafts = company().desk.policy_drafts(limit=MOST_DRAFTS)
    if message := st.session_state.pop(_MESSAGE, None):
        show(markup('<div class="k-message">{}</div>', message))
    if asked := st.query_params.get("draft", ""):
        st.button("All drafts", icon=":material/arrow_back:", type="tertiary", on_click=_back)
        with refusals(show_refused):
            _draft(person, company().desk.policy_draft(asked))
        return
    if not drafts:
        st.text("There is no draft. Open a policy and draft a change; another person puts it in force.")
        return
    text = st.column_config.TextColumn
    event = st.dataframe(
        safe(draft_rows(drafts, datetime.now(UTC))), key="knowledge.drafts", hide_index=True, on_select="rerun",
        selection_mode="single-row", row_height=30,
        column_config={
            "Policy": text(width=70), "Version": text(width=70), "In force from": st.column_config.DateColumn(width=110),
            "Status": text(width=90), "Drafted by": text(width=110), "When": text(width=100), "Why": text(width="large"),
        },
    )  # fmt: skip
    if rows := event["selection"]["rows"]:
        st.query_params["draft"] = drafts[rows[0]].draft_id
        st.rerun()


def _back() -> None:
    st.query_params.pop("draft", None)
    st.session_state.pop("knowledge.drafts", None)


def _draft(person: Person, draft: PolicyDraft) -> None:
    book = company().runtime.context.policies
    document = parse_draft(draft.text)
    stale = draft.status == "draft" and is_stale(draft, book)
    show(draft_head(draft, document.title, stale, datetime.now(UTC)))
    changes, become = st.columns([5, 3], gap="medium")
    base = next((one for one in book.documents if (one.id, one.version) == (draft.policy_id, draft.base_version)), None)
    with changes:
        if base is not None:
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
            blank = not reason.strip()
            if not mine and st.button("Put in force", type="primary", icon=":material/gavel:", disabled=stale or blank):
                with _redrawn():
                    st.session_state[_MESSAGE] = _put_in_force(draft, reason)
            if st.button("Withdraw", icon=":material/delete:", disabled=blank):
                with _redrawn():
                    company().desk.withdraw_draft(draft.draft_id, enter("read").name, reason)
                    message = f"The draft of {draft.policy_id} version {draft.version} is withdrawn."
                    st.session_state[_MESSAGE] = message


def _takes(draft: PolicyDraft) -> str:
    """Who has to put it in force, and who has agreed."""
    needed = approval_of(company().settings, company().runtime.context.policies, draft)
    if needed.role == "none":
        return "It takes no approval away: a supervisor, finance or an administrator puts it in force."
    who = f"{'Two people who are' if needed.four_eyes else 'Someone who is'} {needed.role} or above"
    agreed = ", ".join(one["by"] for one in draft.agreed)
    return f"It lets plans run with less approval than now. {who} must put it in force.{f' {agreed} agreed.' if agreed else ''}"


def _put_in_force(draft: PolicyDraft, reason: str) -> str:
    """What became of it, in a sentence."""
    person, here = enter("put_policy_in_force"), company()
    with st.spinner("Putting the version in force"):
        done = put_in_force(here.runtime, here.desk, here.settings, draft.draft_id, person.name, reason)
    if done.draft.status != "in_force":
        return done.left_undone
    return f"{draft.policy_id} version {draft.version} is in force from {draft.in_force_from} on. {done.left_undone}".strip()


@contextmanager
def _redrawn() -> Iterator[None]:
    """Draw the page again after what is done inside; what is refused is shown."""
    with refusals(show_refused):
        yield
        st.rerun()


def _what_if(draft: PolicyDraft) -> None:
    """What the draft would do to recorded exceptions, replayed once and kept while the policies are the same."""
    show(markup('<h3 class="k-title">What it would do to recorded exceptions</h3>'))
    here, day = company(), first_moment(draft.in_force_from)
    if here.tools.what_if is None:
        st.caption("This dashboard was opened without recorded exceptions to replay.")
        return
    key = (draft.draft_id, here.runtime.context.policies.digest(day))
    with refusals(show_refused):
        if st.session_state.get(_FOUND, ("", None))[0] != key:
            found = replayed(partial(here.tools.what_if, check(here.settings, draft.text), as_of=day))
            st.session_state[_FOUND] = (key, found)
        show_found(st.session_state[_FOUND][1], f"knowledge.flips.{draft.draft_id}", "the draft")


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
    default, key = [asked] if asked in ids else ids[:1], f"draft.clauses.{of}"
    chosen = st.pills("Clauses to change", ids, selection_mode="multi", default=default, key=key)
    edits: dict[str, Edit] = {}
    for clause in base.clauses:
        if clause.id in (chosen or ()):
            with st.container(border=True):
                edit = _clause(clause, of)
            if edit.values or edit.prose is not None:
                edits[clause.id] = edit
    day, why = st.columns([1, 3])
    tomorrow, key = today + timedelta(days=1), f"draft.from.{of}"
    in_force_from = day.date_input("In force from (UTC)", tomorrow, min_value=today, key=key, format="YYYY-MM-DD")
    reason = why.text_input("Why", key=f"draft.why.{of}", max_chars=MOST_CHARACTERS, placeholder="What should get better by it")
    if in_force_from == today:
        st.caption("From today on: runs of today that still wait were started with the present version, and become incidents.")
    ready = _preview(base, edits)
    with st.container(horizontal=True):
        title, missing = "Save the draft and see what it does", not (ready and reason.strip())
        if st.button(title, type="primary", icon=":material/save:", disabled=missing):
            with refusals(show_refused):
                by = enter("draft_policy").name
                with st.spinner("Checking the draft"):
                    draft = company().desk.draft_policy(new_draft(company().settings, base, edits, in_force_from, reason), by)
                close()
                show_draft(draft.draft_id)
        st.button("Leave", on_click=close)
        if ready and not reason.strip():
            st.caption("Say why, and it can be saved.")


def _clause(clause: RawClause, of: str) -> Edit:
    show(markup('<div class="k-clause-head"><b>{}</b> {}</div>', clause.id, clause.title))
    given: dict[str, Any] = {}
    for group in grouped(fields(clause.values)):
        across = 2 if any(field.kind == "list" for field in group) else 3
        for start in range(0, len(group), across):
            columns = st.columns(across, vertical_alignment="bottom")
            for column, field in zip(columns, group[start : start + across], strict=False):
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
    with refusals(show_refused):
        text = redrafted(base.text, base.file, edits, version=base.version + 1, in_force_from=base.in_force_from)
        show(difference_table(differences(base, parse_draft(text))))
        return True
    return False
