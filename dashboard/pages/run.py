"""One run: its Explain rail as it grows, where in the graph it is, and everything that belongs to it."""

from collections.abc import Callable, Sequence

import streamlit as st

from dashboard.company import company
from dashboard.markup import label, markup, show, show_error
from dashboard.rail import draw_rail, kept_observations, watch
from dashboard.views import run as view
from dashboard.views.run import INCIDENT_KINDS, attempts, fact_head, fact_title, proposal_list
from dashboard.views.run_flow import flowchart, step_now, steps_passed, timing_table, timings
from dashboard.visitor import enter
from errors import MissionsError
from graphs.mission import Flow
from ledger.canonical import utc_now
from ledger.model_calls import summary
from ledger.permissions import may
from ledger.records import AuditEntry, Decision, Observation, Person, Run


def draw() -> None:
    """The page."""
    me = enter("read")
    asked = st.query_params.get("run", "")
    if not asked:
        st.text("Name a run in the address, or choose one among the runs.")
        st.page_link(st.session_state["pages"]["runs"], label="Runs")
        return
    try:
        run = company().ledger.run(asked)
    except MissionsError as error:
        show_error(error)
        return
    observations = kept_observations(run.run_id)
    decisions = company().ledger.decisions(run.run_id)
    _head(me, run, decisions)
    _graph(run, observations, decisions)
    left, right = st.columns([1, 1.35], gap="large")
    facts = company().ledger.facts(run.run_id)
    with left:
        show(markup('<h2 class="r-title">Explain rail <span>{}</span></h2>', len(observations)))
        draw_rail(observations, run.started_at, facts)
    with right:
        _tabs(run, observations, decisions)
    watch(run, observations[-1].seq if observations else 0)


def _head(me: Person, run: Run, decisions: Sequence[Decision]) -> None:
    ledger = company().ledger
    proposal = ledger.proposal(run.run_id)
    with st.container(horizontal=True, vertical_alignment="center", key="run_head"):
        show(view.head(run, proposal, decisions, utc_now()))
        if run.status == "waiting":
            queue = st.session_state["pages"]["queue"]
            st.page_link(queue, label="Decide", icon=":material/inbox:", query_params={"run": run.run_id})
        st.download_button(
            "Trace", lambda: _trace(me, run.run_id), f"{run.run_id}.json", "application/json",
            icon=":material/download:", on_click="ignore", help="Everything about this run as JSON",
        )  # fmt: skip
    for incident in ledger.incidents() if run.status == "incident" else ():
        if incident.run_id == run.run_id:
            show_error(incident.reason)


def _graph(run: Run, observations: Sequence[Observation], decisions: Sequence[Decision]) -> None:
    known = _flow()
    passed, current = steps_passed(known.steps, observations, decisions), step_now(run, observations, decisions)
    with st.container(key="run_graph"):
        st.mermaid_chart(
            flowchart(known.steps, known.edges, passed, current, run.status),
            alt=f"The mission graph; the run is at {current}" if current else "The mission graph; the run is closed",
        )


@st.cache_resource
def _flow() -> Flow:
    return Flow.of_missions()


def _tabs(run: Run, observations: Sequence[Observation], decisions: Sequence[Decision]) -> None:
    """The tab stands in the address; only the one that is open asks the ledger."""
    ledger, run_id = company().ledger, run.run_id
    tabs: dict[str, Callable[[], None]] = {
        "Proposals": lambda: show(proposal_list(ledger.proposals(run_id), decisions, ledger.effects(run_id))),
        "Effects": lambda: show(view.effect_table(ledger.effects(run_id))),
        "Facts": lambda: _facts(run, attempts(observations)),
        "Timing": lambda: _timing(run, observations),
        "Incidents": lambda: show(view.incident_list(_stops(run))),
        "Versions": lambda: show(view.version_table(run)),
    }
    for tab, draw_tab in zip(st.tabs(list(tabs), key="tab", on_change="rerun", bind="query-params"), tabs.values(), strict=True):
        if tab.open:
            with tab:
                draw_tab()


def _timing(run: Run, observations: Sequence[Observation]) -> None:
    show(timing_table(timings(observations, run.started_at)))
    if asked := summary(company().ledger.model_calls(run.run_id)):
        st.text(label(asked, 400))


def _facts(run: Run, last: int) -> None:
    """What an attempt read, each with its raw record behind a click."""
    attempt: int | None = last
    if last > 1:
        options, key = range(1, last + 1), f"attempt_{run.run_id}_{last}"
        attempt = st.segmented_control("Attempt", options, default=last, required=True, key=key)
    found = company().ledger.facts(run.run_id, attempt) if attempt else []
    if not found:
        st.text("Nothing was read yet.")
    with st.container(gap="xxsmall", key="run_facts"):
        for fact in found:
            with st.expander(fact_title(fact), icon=":material/database:" if fact.status == "ok" else ":material/warning:"):
                show(fact_head(fact, run.started_at))
                if fact.value is not None:
                    st.json(fact.value, expanded=2)


def _stops(run: Run) -> list[AuditEntry]:
    found = [entry for kind in INCIDENT_KINDS for entry in company().desk.audit_page(run_id=run.run_id, kind=kind)]
    return sorted(found, key=lambda entry: entry.seq)


def _trace(me: Person, run_id: str) -> bytes:
    ledger, person = company().ledger, company().desk.require(me.name, "read")
    return view.trace(
        ledger.run(run_id), ledger.observations(run_id), ledger.facts(run_id), ledger.proposals(run_id), ledger.decisions(run_id),
        ledger.effects(run_id), ledger.audit(run_id) if may(person, "search_audit") else [],
    )  # fmt: skip
