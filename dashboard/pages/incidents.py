"""Incidents & audit: what is stuck and why, to be retried or closed with a reason; and the audit log."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

import streamlit as st
from markupsafe import Markup

from dashboard.card import EFFECTS
from dashboard.company import company
from dashboard.markup import icon, link, redrawn, show
from dashboard.pages import audit
from dashboard.visitor import enter
from ledger.incident_resolution import Resolution, settle
from ledger.permissions import may
from ledger.queries import RunFilter
from ledger.records import Effect, Incident, Observation, Person, Proposal, Run
from rendering import chip, clock, html_table, joined, markup, plain, plain_lines, span, words

#: observations shown of a run, the last ones
LAST = 5
#: A run that is 'running' and has said nothing for so long is not being worked on.
SILENT = timedelta(minutes=1)

#: cases on a page, and silent runs that are listed
PAGE = 10
MOST_SILENT = 20
#: seconds between reads of runs that were just settled
TICK = 1.5
#: ways out of an incident, and out of one with a step whose outcome is not known
_AFTER: Mapping[Resolution | Literal["restart"], str] = {"retry": "Retry", "restart": "Restart", "close": "Close for good"}
_AFTER_UNKNOWN: Mapping[Resolution | Literal["restart"], str] = {
    "done": "It was done: go on",
    "failed": "It was not done: read everything again",
    "close": "Close for good",
}
#: runs that were settled in this session, the last one first
_SETTLED = "incidents.settled"


@dataclass(frozen=True, kw_only=True)
class StuckRun:
    """A run that cannot go on, with everything that is open about it."""

    run: Run
    #: reasons of the open incidents, oldest first, each once
    reasons: Sequence[str]
    since: datetime


def cases(pairs: Iterable[tuple[Incident, Run]], text: str = "") -> list[StuckRun]:
    """One case a run, in the order of their oldest incidents; `text` is part of a subject or begins a run's id."""
    found: dict[str, list[tuple[Incident, Run]]] = {}
    for incident, run in pairs:
        if text.lower() in run.event.subject.lower() or run.run_id.startswith(text):
            found.setdefault(run.run_id, []).append((incident, run))
    return [
        StuckRun(
            run=many[0][1],
            reasons=tuple(dict.fromkeys(incident.reason for incident, _ in many)),
            since=min(incident.at for incident, _ in many),
        )
        for many in found.values()
    ]


def begun(effects: Sequence[Effect]) -> list[Effect]:
    """The steps of the plan that was executed last, in order; none where nothing was begun."""
    return [effect for effect in effects if effect.proposal_id == effects[-1].proposal_id]


def silent(run: Run, rail: Sequence[Observation], now: datetime) -> datetime | None:
    """Since when a running run has said nothing, if that is too long; None where it may be at work."""
    last = max([run.started_at, *(one.at for one in rail[-1:])])
    return last if now - last > SILENT else None


def head(case: StuckRun, now: datetime) -> Markup:
    """The first line of a case, and its reasons."""
    reasons = joined(markup('<div class="m-case-reason m-text">{}</div>', plain_lines(reason)) for reason in case.reasons)
    return quiet(case.run, case.since, now, "stuck") + reasons


def quiet(run: Run, since: datetime, now: datetime, how: str = "silent") -> Markup:
    """A run that nobody works on, in a line."""
    template = '<div class="m-case-head">{}<span class="m-case-since" title="{}">{} for {}</span></div>'
    return markup(template, subject_line(run), clock(since), how, span(now - since))


def subject_line(run: Run) -> Markup:
    """Subject, mission and event of a run, with a link to it."""
    template = '<span class="m-case-subject">{}</span>{}<span class="m-dim m-small">{}</span>{}'
    subject, mission, event = plain(run.event.subject, 80), chip(words(run.event.mission)), plain(words(run.event.name), 80)
    return markup(template, subject, mission, event, link("run", run.run_id, run=run.run_id))


def step_table(effects: Sequence[Effect], proposals: Iterable[Proposal]) -> Markup:
    """What became of the steps of a plan; a step of a proposal that is not there has the name of its action."""
    plans = {one.proposal_id: one.plan for one in proposals}
    columns = {"Step": "m-num", "What": "", "System": "", "Status": "", "At": "m-num m-dim"}
    rows = (_step(one, plans.get(one.proposal_id, ())) for one in effects)
    return html_table("m-table m-steps", columns, rows, kinds=[f"m-step-{one.status}" for one in effects])


def _step(one: Effect, plan: Sequence[Mapping[str, object]]) -> Sequence[object]:
    says = plain(plan[one.step].get("says") if one.step < len(plan) else words(one.action))
    at = "" if one.status == "intended" else clock(one.at, with_seconds=True)
    return one.step + 1, says, one.tool.split(".")[0], chip(*EFFECTS[one.status]), at


def rail_end(rail: Sequence[Observation]) -> Markup:
    """The last observations of a run."""
    row = '<li><span class="m-num m-dim">{}</span><span class="m-num m-dim">{}</span><span class="m-dim">{}</span>{}</li>'
    text = '<span class="m-text">{}</span>'
    rows = (
        markup(row, one.seq, clock(one.at, with_seconds=True), one.step, markup(text, plain(one.text))) for one in rail[-LAST:]
    )
    return markup('<ol class="m-rail-end">{}</ol>', joined(rows))


def fate(run: Run, driven: bool) -> Markup:
    """What became of a run that somebody has just settled, in a line."""
    status = {
        "running": ("goes on", "info") if driven else ("waits to be driven", "warn"),
        "waiting": ("waits for a person", "info"),
        "incident": ("is stuck again", "bad"),
        "closed": (f"closed: {words(run.outcome or '')}", "good"),
    }[run.status]
    return markup('<div class="m-case-head">{}{}{}</div>', icon("history"), subject_line(run), chip(*status))


def draw() -> None:
    """The page."""
    person = enter("read")
    stuck, log = st.tabs(["Incidents", "Audit log"], key="tab", on_change="rerun", bind="query-params")
    if log.open:
        with log:
            audit.draw()
    else:
        with stuck:
            _incidents(person)


def _incidents(person: Person) -> None:
    now = datetime.now(UTC)
    everything = company().desk.incidents()
    settles = may(person, "settle_incident")
    _settled_lately()
    if everything:
        with st.container(horizontal=True, vertical_alignment="center"):
            text = st.text_input(
                "Subject or run", key="run", bind="query-params", icon=":material/search:",
                label_visibility="collapsed", placeholder="Subject or run", width=280,
            )  # fmt: skip
            found = cases(everything, text or "")
            st.caption(_count(len(found)), width="content")
        pages = max(1, -(-len(found) // PAGE))
        page = min(pages, int(st.session_state.get("page", 1)))
        for case in found[(page - 1) * PAGE : page * PAGE]:
            _case(case, settles, now)
        if pages > 1:
            st.pagination(pages, key="page", bind="query-params")
        if not settles:
            st.caption(f"To retry or close an incident requires the role of a reviewer or above, and you are {person.role}.")
    else:
        st.caption("Nothing is stuck.")
    _not_worked_on(settles, now)


def _count(number: int) -> str:
    return "No run that is stuck has this subject or id." if not number else f"{number:,} run{'s' * (number > 1)} stuck"


def _case(case: StuckRun, settles: bool, now: datetime) -> None:
    ledger, run_id = company().ledger, case.run.run_id
    effects = ledger.effects(run_id)
    steps = begun(effects)
    with st.container(border=True, key=f"case-{run_id}"):
        show(head(case, now))
        left, right = st.columns([11, 9], gap="medium")
        with left:
            if steps:
                show(step_table(steps, ledger.proposals(run_id)))
            else:
                st.caption("Nothing of a plan was begun.")
        with right:
            show(rail_end(ledger.observations(run_id)))
        if settles:
            _settling(run_id, next((step for step in steps if step.status == "unknown"), None))


def _settling(run_id: str, unknown: Effect | None) -> None:
    """The ways out of an incident. Where it is not known whether a step was done, somebody says so who has looked."""
    with st.form(f"settle-{run_id}", border=False, enter_to_submit=False):
        if unknown:
            st.caption(f"Look up in {unknown.tool.split('.')[0]} whether step {unknown.step + 1} was done, then say so.")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            hint = "What you fixed, or why it is closed"
            reason = st.text_input("Reason", key=f"reason-{run_id}", max_chars=500, placeholder=hint)
            ways = _AFTER_UNKNOWN if unknown else _AFTER
            pressed = [how for how, says in ways.items() if st.form_submit_button(says, key=f"{how}-{run_id}")]
    if pressed:
        with redrawn():
            _settle(run_id, pressed[0], reason or "")
            _remember(run_id)


def _settle(run_id: str, how: Resolution | Literal["restart"], reason: str) -> None:
    """Do what somebody decided about an incident. The ledger says whether they may."""
    person = enter("settle_incident")
    if how == "restart":
        company().runtime.restart(run_id, person.name, reason)
        company().drive(run_id)
    elif settle(company().ledger, run_id, how, person.name, reason, datetime.now(UTC)).status == "running":
        company().drive(run_id)


def _remember(run_id: str) -> None:
    earlier = [one for one in st.session_state.get(_SETTLED, ()) if one != run_id]
    st.session_state[_SETTLED] = [run_id, *earlier][:5]


def _settled_lately() -> None:
    """What became of the runs that were settled in this session."""
    if st.session_state.get(_SETTLED):
        going = any(company().is_driving(run_id) for run_id in st.session_state[_SETTLED])
        st.fragment(_fates, run_every=TICK if going else None)(going)


def _fates(going: bool) -> None:
    enter("read")
    driven = {run_id: company().is_driving(run_id) for run_id in st.session_state[_SETTLED]}
    if going and not any(driven.values()):
        st.rerun()  # it may be stuck again, and is listed then
    with st.container(border=True):
        for run_id, is_driven in driven.items():
            show(fate(company().ledger.run(run_id), is_driven))


def _not_worked_on(settles: bool, now: datetime) -> None:
    """Runs that should go on and that nobody drives, as far as this process can tell."""
    found = company().desk.search(RunFilter(status="running", until=now - SILENT), limit=MOST_SILENT)
    left: list[tuple[Run, datetime]] = []
    for run in found.runs:
        if not company().is_driving(run.run_id):
            since = silent(run, company().ledger.observations(run.run_id), now)
            left += [(run, since)] if since else []
    if not left:
        return
    more = f" These are {len(left)} of {found.total:,} that are running." if found.total > MOST_SILENT else ""
    st.markdown("##### Not being worked on")
    st.caption(f"They are running, and have said nothing for more than a minute.{more}")
    for run, since in left:
        with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"quiet-{run.run_id}"):
            show(quiet(run, since, now))
            if settles and st.button("Resume", key=f"drive-{run.run_id}", icon=":material/play_arrow:"):
                enter("settle_incident")
                company().drive(run.run_id)
                _remember(run.run_id)
                st.rerun()
