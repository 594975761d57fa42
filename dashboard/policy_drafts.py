"""Drafts of policies: the list, one draft with what it would do to recorded exceptions, and what may become of it."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import streamlit as st

from dashboard.company import company
from dashboard.markup import markup, show
from dashboard.views.drafts import difference_table, draft_head, draft_rows
from dashboard.visitor import enter
from dashboard.what_if_found import replayed, show_found
from errors import MissionsError
from graphs.policy_changes import approval_of, check, first_moment, is_stale, put_in_force
from graphs.spreadsheet import safe
from graphs.what_if import WhatIf
from knowledge_index.documents import Document
from knowledge_index.drafting import differences, parse_draft
from ledger.drafts import PolicyDraft
from ledger.permissions import may
from ledger.records import Person

#: drafts that are listed, the newest first
MOST_DRAFTS = 100
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
    show(draft_head(draft, document.header.title, stale, datetime.now(UTC)))
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
        st.text(f"{draft.policy_id} has changed since this was drafted. Withdraw it, and draft the change anew.")
    else:
        _what_if(draft)


def _base(draft: PolicyDraft) -> Document | None:
    """The version that a draft was made from."""
    known = company().runtime.context.policies.documents
    return next((one for one in known if (one.header.id, one.header.version) == (draft.policy_id, draft.base_version)), None)


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
    who = f"{'Two people who are' if needed.four_eyes else 'Somebody who is'} {needed.role} or above"
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
