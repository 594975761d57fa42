"""Knowledge: policies in their versions, search as the Missions search, and drafts until somebody else puts them in force."""

import time
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import streamlit as st

from dashboard import policy_drafts, what_if
from dashboard.company import company
from dashboard.markup import joined, label, markup, show, show_refused
from dashboard.views.knowledge import (
    STATES,
    citation_table,
    citing_table,
    clause_card,
    clause_text,
    hit_card,
    listed,
    policy_head,
    policy_rows,
    shown_in,
    state,
    use_table,
    uses,
)  # fmt: skip
from dashboard.visitor import enter
from errors import MissionsError
from graphs.policy_versions import first_moment
from knowledge_index.documents import Document, RawClause
from knowledge_index.policies import Clause, PolicyBook
from ledger.permissions import may
from ledger.records import Person
from rendering import safe

#: seconds for which counted citations are shown before they are counted again
CITED_FOR = 60
#: clauses that a search shows at most
MOST_HITS = 20
EVERY = "every clause"
#: of the list without scrolling
MOST_ROWS = 24
_CITED, _LIST = "knowledge.cited", "knowledge.list"


def draw() -> None:
    """The page."""
    person = enter("read")
    if asked := st.session_state.pop(policy_drafts.GO_TO, None):  # a draft was just saved
        st.session_state["tab"] = asked
    draws = {"Policies": _policies, "Search": _search, "Drafts": policy_drafts.draw, "What if": what_if.draw}
    tabs = st.tabs(list(draws), key="tab", on_change="rerun", bind="query-params")
    place = next((number for number, tab in enumerate(tabs) if tab.open), 0)
    with tabs[place]:
        list(draws.values())[place](person)


def _policies(person: Person) -> None:
    book, today = company().runtime.context.policies, datetime.now(UTC).date()
    for sentence in company().runtime.policies_in_force.messages():
        show_refused(sentence)
    left, right = st.columns([10, 17], gap="medium")
    with left:
        chosen = _choose(book, today)
    with right:
        if chosen is None:
            st.text("No policy is like that. Take the filter away.")
        elif policy_drafts.is_open(person):
            policy_drafts.draw_form(person, chosen)
        else:
            _policy(person, book, chosen, today)


def _choose(book: PolicyBook, today: date) -> Document | None:
    """The list, and the version that is chosen: by a click, else by the address, else the first."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(
            "Find", key="find", bind="query-params", icon=":material/search:", placeholder="Word, clause or owner",
            label_visibility="collapsed",
        )  # fmt: skip
        wanted = st.selectbox("Versions", [*STATES, "all versions"], key="versions", bind="query-params", width=170,
                              label_visibility="collapsed")  # fmt: skip
    found = listed(book, today, wanted, text or "")
    if not found:
        return None
    asked = (st.query_params.get("policy", ""), st.query_params.get("version", ""))
    place = next((n for n, one in enumerate(found) if (one.id, str(one.version)) == asked), None)
    place = next((n for n, one in enumerate(found) if one.id == asked[0]), 0) if place is None else place
    rows = policy_rows(found, today, _citations(), company().desk.open_drafts())
    # the key holds what is listed: a choice of a row means nothing in another list
    key = f"{_LIST}.{hash(tuple((one.id, one.version) for one in found))}"
    text_column, number_column = st.column_config.TextColumn, st.column_config.NumberColumn
    event = st.dataframe(
        safe(rows), key=key, hide_index=True, on_select="rerun", selection_mode="single-row-required", row_height=29,
        height=38 + 29 * min(len(rows), MOST_ROWS),
        column_order=[name for name in rows[0] if name != "State" or wanted not in STATES],
        selection_default={"selection": {"rows": [place]}},
        column_config={
            "Policy": text_column(width=48), "Title": text_column(width=130), "Version": number_column("v", width=28),
            "State": text_column(width=80),
            "Cited": number_column(width=46, help="Proposals that cite a clause of it, over all versions"),
            "Drafts": number_column(width=50, help="Drafts that wait to be put in force"),
        },
        placeholder="",
    )  # fmt: skip
    chosen = [row for row in event["selection"]["rows"] if row < len(found)]
    if chosen and st.session_state.get(_LIST) != (key, chosen[0]):
        fresh = _LIST in st.session_state
        st.session_state[_LIST] = (key, chosen[0])
        place = chosen[0]
        if fresh and found[place].id != asked[0]:
            st.query_params.pop("clause", None)
            policy_drafts.close()
    st.query_params["policy"], st.query_params["version"] = found[place].id, str(found[place].version)
    return found[place]


def _policy(person: Person, book: PolicyBook, policy: Document, today: date) -> None:
    newest = max(one.version for one in book.documents if one.id == policy.id)
    with st.container(horizontal=True, vertical_alignment="center", key="k-head"):
        show(policy_head(policy, today))
        if may(person, "draft_policy") and policy.version == newest:
            clause = st.query_params.get("clause")
            st.button("Draft a change", icon=":material/edit:", on_click=policy_drafts.open_for, args=(clause,))
    ids = [raw.id for raw in policy.clauses]
    asked = st.query_params.get("clause")
    clause_id = st.pills(
        "Clause", [EVERY, *ids], default=asked if asked in ids else EVERY, required=True, label_visibility="collapsed",
        key=f"knowledge.clauses.{policy.id}.{policy.version}",
    )  # fmt: skip
    # with their numbers, at a day on which the version was, is or will be in force
    day = max(policy.in_force_from, min(today, policy.in_force_until or today))
    rendered = {one: clause for one, clause in book.in_force(first_moment(day)).items() if clause.policy_id == policy.id}
    cited: Counter[str] = Counter()
    for row in _citations():
        cited[row["clause"]] += row["proposals"]
    if clause_id in ids:
        st.query_params["clause"] = clause_id
        raw = next(raw for raw in policy.clauses if raw.id == clause_id)
        _clause(book, raw, rendered.get(clause_id), cited[clause_id])
        return
    st.query_params.pop("clause", None)
    if policy.intro:
        show(markup('<div class="m-text k-text m-dim">{}</div>', clause_text(policy.intro)))
    show(joined(clause_card(raw, rendered.get(raw.id), cited[raw.id]) for raw in policy.clauses))


def _clause(book: PolicyBook, raw: RawClause, clause: Clause | None, cited: int) -> None:
    """A clause with everything that is known of it."""
    show(clause_card(raw, clause, cited))
    parts = [markup("<h3>Where it is used</h3>"), use_table(uses(company().runtime.context.packs, raw.id))]
    if others := shown_in(book.documents, raw.id):
        parts.append(markup('<div class="m-small k-also">Its numbers are shown in {}.</div>', ", ".join(others)))
    parts += [markup("<h3>Who cited it</h3>"), citation_table(_citations(), raw.id)]
    if runs := company().desk.citing(raw.id, 8):
        parts += [markup("<h3>Latest runs that cite it</h3>"), citing_table(runs)]
    show(markup('<div class="k-about">{}</div>', joined(parts)))


def _citations() -> list[dict[str, Any]]:
    """Who cited what how often; counted over all proposals, so not at every click."""
    at, rows = st.session_state.get(_CITED, (0.0, []))
    if time.monotonic() - at > CITED_FOR or not at:
        rows = company().desk.citations()
        st.session_state[_CITED] = (time.monotonic(), rows)
    return list(rows)


def _search(_: Person) -> None:
    """The question, the moment and the clauses found: the same search that grounds a proposal."""
    today = datetime.now(UTC).date()
    book = company().runtime.context.policies
    with st.container(horizontal=True, vertical_alignment="bottom"):
        query = st.text_input(
            "What should the clause be about?", key="question", bind="query-params", icon=":material/search:", max_chars=2_000,
            placeholder="When may a large refund go out?",
        )  # fmt: skip
        day = st.date_input("In force on (UTC)", today, key="on", format="YYYY-MM-DD", width=170)
        number = st.number_input("Clauses", 1, MOST_HITS, 5, key="k", width=120)
    at = first_moment(day) + timedelta(days=1, seconds=-1)
    clauses = book.in_force(at)
    if not query.strip():
        there = f"{len(clauses)} clauses are in force then."
        st.caption(f"{there} They are compared by meaning, as when a Mission grounds a proposal.")
        return
    try:
        hits = company().runtime.context.knowledge.search(query, int(number), as_of=at)
    except MissionsError as error:
        show(markup('<div class="m-text">{}</div>', str(error)))
        return
    if not hits:
        st.text("No clause is in force on that day.")
    for hit in hits:
        with st.container(horizontal=True, key=f"k-hit-{hit.clause_id}"):
            show(hit_card(hit))
            st.button("Open", key=f"knowledge.open.{hit.clause_id}", on_click=_open, args=(hit.clause_id, hit.version),
                  help=label(hit.clause_id))  # fmt: skip


def _open(clause_id: str, version: int) -> None:
    """Go to a clause in the list of policies."""
    book, today = company().runtime.context.policies, datetime.now(UTC).date()
    policy_id = clause_id.split("-")[0]
    policy = next(one for one in book.documents if (one.id, one.version) == (policy_id, version))
    st.session_state["tab"], st.session_state["find"], st.session_state["versions"] = "Policies", "", state(policy, today)
    for key in [key for key in st.session_state if str(key).startswith(_LIST)]:
        del st.session_state[key]
    st.session_state.pop(f"knowledge.clauses.{policy_id}.{version}", None)
    st.query_params["policy"], st.query_params["version"], st.query_params["clause"] = policy_id, str(version), clause_id
