"""The Decision Queue: what waits at the left, the proposal that is open beside it, the evidence at the right."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard import card
from dashboard.company import company
from dashboard.deciding import decide_together, progress, proposal_card
from dashboard.markup import show, show_error
from dashboard.rail import rail
from dashboard.visitor import enter
from errors import MissionsError
from ledger.canonical import utc_now
from ledger.permissions import may
from ledger.queries import QueueFilter, QueuePage, QueueRow
from ledger.records import MODELS, REASONERS, Person
from rendering import approver, dollars, markup, plain, until, words

_STATIC = Path(__file__).parents[1] / "static"
#: before which a proposal that is due stands out
SOON = timedelta(hours=2)
PAGE = 50
_SCOPES = {"mine": "Mine", "all": "All", "claimed": "Open", "expired": "Expired"}
_ORDERS = {"due": "due first", "money": "most money first", "oldest": "oldest first"}


@lru_cache(maxsize=1)
def _component() -> Callable[..., Any]:
    return st.components.v2.component(
        "missions.queue_list",
        html='<ul class="list" role="listbox" tabindex="0" aria-label="What waits"></ul>',
        css=(_STATIC / "queue-list.css").read_text(),
        js=(_STATIC / "queue-list.js").read_text(),
    )


def queue_list(rows: Sequence[Mapping[str, Any]]) -> None:
    """Draw the rows of `listed`, which of them is open and which are ticked; a click changes both."""
    key = "queue_list"

    def clicked(name: str) -> None:
        value = getattr(st.session_state.get(key), name, None)
        if value is None:
            return
        if name == "open":
            st.query_params["run"], st.session_state["ticked"] = value, []
        else:
            st.session_state["ticked"] = value
        st.session_state["opened"] = True

    data = {"rows": list(rows), "open": st.query_params.get("run", ""), "ticked": list(st.session_state.get("ticked", []))}
    _component()(key=key, data=data, on_open_change=partial(clicked, "open"), on_ticked_change=partial(clicked, "ticked"))


def listed(rows: Sequence[QueueRow], me: str, now: datetime) -> list[dict[str, Any]]:
    """[{"id", "subject", "verdict", "money", "due", "urgency", "marks": [[kind, word]]}], plain text all of it."""
    return [
        {
            "id": row.run_id,
            "subject": plain(row.subject, 60),
            "verdict": plain(words(row.verdict), 60),
            "money": dollars(row.money_at_stake_cents) if row.money_at_stake_cents else "",
            "due": f"expired {until(row.expires_at, now)}" if row.expires_at <= now else f"due {until(row.due_at, now)}",
            "urgency": "late" if row.due_at <= now else "soon" if row.due_at - now < SOON else "",
            "marks": [[kind, plain(word, 40)] for kind, word in _marks(row, me, now)],
        }
        for row in rows
    ]


def _marks(row: QueueRow, me: str, now: datetime) -> list[tuple[str, str]]:
    marks = [("mission", words(row.mission)), ("age", f"{until(row.created_at, now).removesuffix(' ago')} old")]
    if row.tier and row.tier != "standard":
        marks.insert(0, ("vip" if row.tier in ("vip", "tier 1") else "tier", row.tier.upper() if row.tier == "vip" else row.tier))
    marks.append(("role", approver(row.role, row.four_eyes, row.approved_by)))
    if row.held_by:
        marks.append(("claim", f"after {row.held_by}"))
    if row.author in MODELS:
        marks.append(("author", "with a model"))
    elif row.author not in REASONERS:
        marks.append(("author", f"edited by {row.author}"))
    if row.claim is not None and row.claim.by != me:
        marks.append(("claim", f"{row.claim.by} has it open"))
    return marks


def narrowed(wanted: QueueFilter) -> int:
    """By how many things the list is filtered: mission, verdict, tier, text."""
    return sum(map(bool, (wanted.mission, wanted.verdict, wanted.tier, wanted.text.strip())))


def headline(wanted: QueueFilter, number: int, of: int) -> str:
    """How many there are, in words: "17 wait for you", or with a filter "1 of 17 matches the filter"."""
    one = number == 1
    if narrowed(wanted):
        return f"{number:,} of {of:,} {'matches' if one else 'match'} the filter"
    what = {
        "mine": "waits for you" if one else "wait for you",
        "claimed": "is open on someone's screen" if one else "are open on someone's screen",
        "expired": "can be approved no more",
    }.get(wanted.scope, "waits" if one else "wait")
    return f"{number:,} {what}"


def counted(counts: Mapping[str, int]) -> list[tuple[str, str]]:
    """[(name, "name in words (12)")], most first."""
    return [(name, f"{words(name)} ({number})") for name, number in sorted(counts.items(), key=lambda one: -one[1])]


def draw() -> None:
    """The page."""
    me = enter("read")
    with st.container(key="queue_page"):
        left, middle, right = st.columns([0.95, 2.05, 1.35], gap="medium")
        ticked = st.session_state.get("ticked", [])
        known = "run" in st.query_params
        if not known:  # the list says what is first
            with left:
                _list(me)
        if len(ticked) > 1:
            with middle:
                decide_together(me, ticked)
        elif run_id := st.query_params.get("run", ""):
            _opened(me, run_id, middle, right)
        else:
            with middle:
                st.text("Nothing is open.")
        if known:  # after the card, which is what somebody waits for
            with left:
                _list(me)


def _opened(me: Person, run_id: str, middle: DeltaGenerator, right: DeltaGenerator) -> None:
    ledger = company().ledger
    try:
        run = ledger.run(run_id)
    except MissionsError as error:
        with middle:
            show_error(error)
        return
    proposal, observations = ledger.proposal(run.run_id), ledger.observations(run.run_id)
    with middle, st.container(key="card"):
        if proposal is not None and proposal.status == "pending" and run.status == "waiting":
            proposal_card(me, run, proposal, observations)
        else:
            progress(run.run_id)
    with right, st.container(key="evidence"):
        facts = ledger.facts(run.run_id)
        reasons, trace = st.tabs(["Why", f"Explain rail ({len(observations)})"])
        with reasons:
            if proposal is not None:
                clauses = company().runtime.context.policies.period(run.event.as_of).clauses
                show(markup('<div class="c-why">{}</div>', card.why(proposal, observations, facts, clauses)))
        with trace:
            show(rail(observations, run.started_at, facts))
        st.page_link(st.session_state["pages"]["run"], label="Everything about this run", query_params={"run": run.run_id})


@st.fragment(run_every="15s")
def _list(me: Person) -> None:
    """The list, with its filters; it follows what others do by itself."""
    enter("read")
    if st.session_state.pop("opened", False):
        st.rerun()
    wanted, at = _filter(me), utc_now()
    pages = st.session_state.get("queue_pages", 1)
    number = min(st.session_state.get("queue_number", 1), pages)
    page = company().desk.queue(me, wanted, (number - 1) * PAGE, PAGE)
    if page.total and not page.rows:  # fewer than there were, or narrowed by a filter
        st.session_state["queue_number"] = 1
        page = company().desk.queue(me, wanted, 0, PAGE)
    st.session_state["queue_pages"] = max(1, -(-page.total // PAGE))
    _headline(me, wanted, page)
    if not page.rows:
        if narrowed(wanted):
            st.text("Nothing matches the filter.")
            st.button("Clear the filter", icon=":material/filter_list_off:", on_click=_clear)
        else:
            st.text("Nothing waits here." if wanted.scope == "mine" else "Nothing is found.")
        return
    if not st.query_params.get("run"):
        first = next((row for row in page.rows if row.claim is None or row.claim.by == me.name), page.rows[0])
        st.query_params["run"] = first.run_id
    queue_list(listed(page.rows, me.name, at))
    if page.total > PAGE:
        st.pagination(st.session_state["queue_pages"], max_visible_pages=5, key="queue_number")
    keys = "J, K next and previous · W reason · A approve · E edit · X reject · L ask again"
    show(markup('<div class="q-keys m-dim">{}</div>', keys))


def _headline(me: Person, wanted: QueueFilter, page: QueuePage) -> None:
    number = narrowed(wanted)
    everything = replace(wanted, mission="", verdict="", tier="", text="")
    of = company().desk.queue(me, everything, 0, 0).total if number else page.total
    show(markup('<h2 class="q-headline">{} <span>{}</span></h2>', headline(wanted, page.total, of), dollars(page.money_cents)))
    options = list(_SCOPES) if may(me, "decide") else ["all", "claimed", "expired"]
    st.segmented_control(
        "Which", options, default=options[0], format_func=_SCOPES.__getitem__, key="scope", required=True,
        label_visibility="collapsed", width="stretch",
    )  # fmt: skip
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center", wrap=False, key="queue_filters"):
        st.text_input("Find", key="filter_text", placeholder="Order, ticket, account …", label_visibility="collapsed")
        with st.popover(f"Filter ({number})" if number else "Filter", help="Filter and order", key="filters"):
            for name, counts in (("Mission", page.by_mission), ("Verdict", page.by_verdict), ("Tier", page.by_tier)):
                _choices(name, _key(name.lower()), counts)
            st.selectbox("Order", list(_ORDERS), key="filter_order", format_func=_ORDERS.__getitem__)


def _clear() -> None:
    st.session_state["filter_text"], st.session_state["cleared"] = "", st.session_state.get("cleared", 0) + 1


def _key(name: str) -> str:
    """Of a choice in the popover; another when the filter is cleared, for what is in a closed popover keeps its value."""
    return f"filter_{name}-{st.session_state.get('cleared', 0)}"


def _choices(name: str, key: str, counts: Mapping[str, int]) -> None:
    options = dict(counted(counts))
    chosen = st.session_state.get(key, "")
    names = ["", *options] if chosen in ("", *options) else ["", chosen, *options]
    st.selectbox(name, names, key=key, format_func=lambda one: plain(options.get(one, words(one))) if one else "all")


def _filter(me: Person) -> QueueFilter:
    chosen = st.session_state
    return QueueFilter(
        scope=chosen.get("scope") or ("mine" if may(me, "decide") else "all"),
        order=chosen.get("filter_order") or "due",
        mission=chosen.get(_key("mission")) or "",
        verdict=chosen.get(_key("verdict")) or "",
        tier=chosen.get(_key("tier")) or "",
        text=chosen.get("filter_text") or "",
    )
