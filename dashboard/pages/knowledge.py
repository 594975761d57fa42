"""Knowledge: policies in their versions, search as the Missions search, and drafts until somebody else puts them in force."""

import re
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import streamlit as st
from markupsafe import Markup

from dashboard import policy_drafts, what_if
from dashboard.company import company
from dashboard.markup import choose_row, label, show, show_refused
from dashboard.policy_drafts import headed, shown, titled
from dashboard.visitor import enter
from errors import MissionsError
from graphs.policy_versions import first_moment
from knowledge_index.documents import Document, RawClause
from knowledge_index.drafting import leaves
from knowledge_index.index import Hit
from knowledge_index.policies import Clause, PolicyBook
from ledger.permissions import may
from ledger.policies import CitingRun
from ledger.records import Person
from nodes.pack import Pack
from rendering import chip, clock, day, html_table, joined, markup, plain, words

STATES = ("in force", "to come", "superseded")
_KINDS = {"in force": "good", "to come": "info", "superseded": ""}
_CODE = re.compile(r"`([^`\n]+)`")
#: characters of a clause that a search shows
LONGEST_HIT = 600
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


# The list


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
    number = st.column_config.NumberColumn
    chosen = choose_row(
        rows, key,
        {
            "Policy": 48, "Title": 130, "Version": number("v", width=28), "State": 80,
            "Cited": number(width=46, help="Proposals that cite a clause of it, over all versions"),
            "Drafts": number(width=50, help="Drafts that wait to be put in force"),
        },
        place, selection_mode="single-row-required", row_height=29, height=38 + 29 * min(len(rows), MOST_ROWS),
        column_order=[name for name in rows[0] if name != "State" or wanted not in STATES], placeholder="",
    )  # fmt: skip
    if chosen is not None and st.session_state.get(_LIST) != (key, chosen):
        fresh = _LIST in st.session_state
        st.session_state[_LIST] = (key, chosen)
        place = chosen
        if fresh and found[place].id != asked[0]:
            st.query_params.pop("clause", None)
            policy_drafts.close()
    st.query_params["policy"], st.query_params["version"] = found[place].id, str(found[place].version)
    return found[place]


def state(policy: Document, today: date) -> str:
    """One of STATES."""
    if policy.in_force_from > today:
        return "to come"
    return "superseded" if policy.in_force_until is not None and policy.in_force_until < today else "in force"


def listed(book: PolicyBook, today: date, wanted: str, text: str) -> list[Document]:
    """Versions of policies in `wanted` state (any other word: all) that hold `text` in id, title, owner or a clause, by id."""

    def texts(policy: Document) -> list[str]:
        clauses = (one for raw in policy.clauses for one in (raw.id, raw.title, raw.prose))
        return [policy.id, policy.title, policy.owner, *clauses]

    needle = text.strip().casefold()
    found = (policy for policy in book.documents if wanted not in STATES or state(policy, today) == wanted)
    found = (policy for policy in found if any(needle in one.casefold() for one in texts(policy)))
    return sorted(found, key=lambda policy: (policy.id, -policy.version))


def policy_rows(
    policies: Iterable[Document], today: date, citations: Iterable[Mapping[str, Any]], drafts: Mapping[str, int]
) -> list[dict[str, Any]]:
    """A row a version, for a table; how often a policy was cited counts proposals."""
    cited: Counter[str] = Counter()
    for row in citations:
        cited[str(row["clause"]).split("-")[0]] += row["proposals"]
    return [
        {
            "Policy": policy.id, "Title": plain(policy.title, 80), "Version": policy.version, "State": state(policy, today),
            "Cited": cited[policy.id], "Drafts": drafts.get(policy.id) or None,
        }
        for policy in policies
    ]  # fmt: skip


# A version


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
    # with their numbers, at a moment at which the version was, is or will be in force
    moment = max(policy.in_force_from, min(today, policy.in_force_until or today))
    rendered = {one: clause for one, clause in book.period(first_moment(moment)).clauses.items() if clause.policy_id == policy.id}
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


def policy_head(policy: Document, today: date) -> Markup:
    """Id, title, version, state, period, owner."""
    now = state(policy, today)
    until = f" to {day(policy.in_force_until)}" if policy.in_force_until else ""
    about = f"from {day(policy.in_force_from)}{until} · owner: {plain(policy.owner, 60)} · {len(policy.clauses)} clauses"
    head = headed(policy.id, plain(policy.title, 100), chip(f"version {policy.version}"), chip(now, _KINDS[now]))
    return head + markup('<div class="m-dim m-small">{}</div>', about)


def clause_text(text: str) -> Markup:
    """The text of a clause: `code` as code, everything else as it stands."""
    # paragraphs of one line each, without what is invisible
    pieces = _CODE.split("\n\n".join(plain(paragraph, 20_000) for paragraph in re.split(r"\n\s*\n", text)))
    return joined(markup("<code>{}</code>" if number % 2 else "{}", piece) for number, piece in enumerate(pieces))


def clause_box(head: Markup, text: str, values: str = "") -> Markup:
    """A clause under its head."""
    return markup('<div class="k-clause">{}<div class="m-text k-text">{}</div>{}</div>', head, clause_text(text), values)


def clause_card(raw: RawClause, clause: Clause | None, cited: int) -> Markup:
    """A clause with its text and numbers; `clause` is the rendered one, where the version is in force or to come."""
    times = '<span class="m-dim m-small" title="proposals, over all versions">cited {:,}×</span>'
    counted = markup(times, cited) if cited else ""
    head = markup('<div class="k-clause-head"><b>{}</b> {} {}</div>', raw.id, plain(raw.title, 120), counted)
    return clause_box(head, clause.text if clause else raw.prose, value_list(raw.values))


def value_list(values: Mapping[str, Any]) -> Markup:
    """Every number and list of a clause by name; nothing where there is none."""
    pairs = joined(markup("<span>{} <b>{}</b></span>", titled(path), shown(path, value)) for path, value in leaves(values))
    return markup('<div class="k-values">{}</div>', pairs) if pairs else Markup("")


# A clause with everything that is known of it


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


@dataclass(frozen=True, kw_only=True)
class Use:
    """A Mission, or a part of it, that works with a clause."""

    mission: str
    part: str
    #: whether its conditions take numbers from the clause
    numbers: bool
    #: findings and conclusions whose ways cite it
    cited_for: Sequence[str]
    #: whether it is a rule about who approves
    approval: bool


def uses(packs: Mapping[str, Pack], clause_id: str) -> list[Use]:
    """The Missions that work with a clause, by name."""
    found = []
    for mission, pack in sorted(packs.items()):
        for name, part in (pack.parts or {"": pack}).items():
            rule = part.approval
            use = Use(
                mission=mission, part=name, numbers=clause_id in part.clauses,
                cited_for=[finding for finding, clauses in part.cited.items() if clause_id in clauses],
                approval=clause_id in {rule.automate, rule.base, rule.bands, *(one.clause for one in rule.raises)},
            )  # fmt: skip
            if use.numbers or use.cited_for or use.approval or clause_id in part.cited_anyway:
                found.append(use)
    return found


def use_table(found: Sequence[Use]) -> Markup:
    """Where a clause is used, a row a Mission; parts that use it alike share one."""
    if not found:
        return markup('<div class="m-dim m-small">No Mission works with it.</div>')
    alike: dict[tuple[str, str], list[str]] = {}
    for use in found:
        alike.setdefault((words(use.mission), _how(use)), []).append(words(use.part))
    rows = ((plain(": ".join(filter(None, (mission, ", ".join(parts)))), 200), how) for (mission, how), parts in alike.items())
    return html_table("m-table k-uses", {"Mission": "", "How": ""}, rows)


def _how(use: Use) -> str:
    names = ", ".join(words(name) for name in use.cited_for[:6])
    ways = (
        "its conditions take numbers from it" * use.numbers,
        f"cites it for {names}{' and others' if len(use.cited_for) > 6 else ''}" if names else "",
        "decides who approves" * use.approval,
    )
    return plain("; ".join(filter(None, ways)) or "any case may cite it", 400)


def shown_in(documents: Iterable[Document], clause_id: str) -> list[str]:
    """The clauses whose texts show numbers of this one."""
    sign = f"{{{clause_id}."
    found = {raw.id for document in documents for raw in document.clauses if sign in raw.prose and raw.id != clause_id}
    return sorted(found)


def citation_table(citations: Iterable[Mapping[str, Any]], clause_id: str) -> Markup:
    """Who cited a clause how often, most first."""
    rows = [
        (plain(words(row["mission"]), 80), plain(row["author"], 80), f"{row['proposals']:,}", clock(row["last"]))
        for row in citations
        if row["clause"] == clause_id
    ]
    if not rows:
        return markup('<div class="m-dim m-small">No proposal has cited it yet.</div>')
    return html_table("m-table", {"Mission": "", "By": "", "Proposals": "m-num", "Last": "m-num"}, rows)


def citing_table(runs: Sequence[CitingRun]) -> Markup:
    """The latest runs that cite a clause, each a link."""
    anchor = '<a href="run?run={}" target="_self">{}</a>'
    rows = (
        (markup(anchor, run.run_id, plain(run.subject, 60)), plain(words(run.mission), 60), plain(words(run.verdict), 60),
         f"v{run.version}", clock(run.at))
        for run in runs
    )  # fmt: skip
    columns = {"Subject": "", "Mission": "", "Verdict": "", "Version": "m-num", "When": "m-num"}
    return html_table("m-table", columns, rows)


def _citations() -> list[dict[str, Any]]:
    """Who cited what how often; counted over all proposals, so not at every click."""
    at, rows = st.session_state.get(_CITED, (0.0, []))
    if time.monotonic() - at > CITED_FOR or not at:
        rows = company().desk.citations()
        st.session_state[_CITED] = (time.monotonic(), rows)
    return list(rows)


# Search


def _search(_: Person) -> None:
    """The question, the moment and the clauses found: the same search that grounds a proposal."""
    today = datetime.now(UTC).date()
    book = company().runtime.context.policies
    with st.container(horizontal=True, vertical_alignment="bottom"):
        query = st.text_input(
            "What should the clause be about?", key="question", bind="query-params", icon=":material/search:", max_chars=2_000,
            placeholder="When may a large refund go out?",
        )  # fmt: skip
        on = st.date_input("In force on (UTC)", today, key="on", format="MM/DD/YYYY", width=170)
        number = st.number_input("Clauses", 1, MOST_HITS, 5, key="k", width=120)
    at = first_moment(on) + timedelta(days=1, seconds=-1)
    clauses = book.period(at).clauses
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
        with st.container(horizontal=True, key=f"k-hit-{hit.clause.id}"):
            show(hit_card(hit))
            st.button("Open", key=f"knowledge.open.{hit.clause.id}", on_click=_open, args=(hit.clause.id, hit.clause.version),
                  help=label(hit.clause.id))  # fmt: skip


def hit_card(hit: Hit) -> Markup:
    """A clause that a search found, with its score as number and bar."""
    clause = hit.clause
    head = markup(
        '<div class="k-clause-head"><b>{}</b> {} {}<span class="k-score" title="cosine of question and clause">'
        '<i style="width:{}%"></i></span><span class="m-num m-small">{}</span></div>',
        clause.id, plain(clause.title, 120), chip(f"version {clause.version}"), round(hit.score * 100), f"{hit.score:.2f}",
    )  # fmt: skip
    return clause_box(head, clause.text[:LONGEST_HIT])


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
