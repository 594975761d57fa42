"""The form in which a policy's next version is drafted: numbers, lists and text of its clauses, and what they change."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import streamlit as st

from dashboard.company import company
from dashboard.markup import markup, show
from dashboard.policy_drafts import show_draft
from dashboard.views.drafts import Field, changed_values, difference_table, fields, grouped, items
from dashboard.visitor import enter
from errors import MissionsError
from graphs.policy_changes import new_draft
from knowledge_index.documents import Document, RawClause
from knowledge_index.drafting import Edit, differences, newest, parse_draft, redrafted
from ledger.permissions import may
from ledger.records import ROLES, Person

_OPEN = "edit"
#: of the reason, and of one list
MOST_CHARACTERS = 2_000


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


def draw(person: Person, base: Document) -> None:
    """The form over the newest version of a policy."""
    base = newest(company().runtime.context.policies, base.header.id)
    of, today = f"{base.header.id}.{base.header.version}", datetime.now(UTC).date()
    show(
        markup('<div class="k-head"><h2>{} <span>draft of version {}</span></h2></div>', base.header.id, base.header.version + 1)
    )
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
        text = redrafted(base.text, base.file, edits, version=base.header.version + 1, in_force_from=base.header.in_force_from)
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
