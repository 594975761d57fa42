"""Incidents & audit: what is stuck and why, to be retried or closed with a reason; and the audit log."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal

import streamlit as st

from dashboard.company import company
from dashboard.markup import show
from dashboard.pages import audit
from dashboard.text import label
from dashboard.views.incidents import SILENT, Case, Step, cases, fate, head, quiet, rail_end, silent, step_table, steps
from dashboard.visitor import enter
from errors import MissionsError
from ledger.listed import RunFilter
from ledger.permissions import may
from ledger.records import Person, Run
from ledger.settling import Way, settle

#: cases on a page, and silent runs that are listed
PAGE = 10
MOST_SILENT = 20
#: seconds between looks at runs that were just settled
TICK = 1.5
#: ways out of an incident, and out of one with a step whose outcome is not known
_AFTER: Mapping[Way | Literal["anew"], str] = {"retry": "Retry", "anew": "Start anew", "close": "Close for good"}
_AFTER_UNKNOWN: Mapping[Way | Literal["anew"], str] = {
    "done": "It was done: go on",
    "failed": "It was not done: look anew",
    "close": "Close for good",
}
#: runs that were settled in this session, the last one first
_SETTLED = "incidents.settled"


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
            st.caption(f"To retry or close an incident takes the role of a reviewer or above, and you are {person.role}.")
    else:
        st.caption("Nothing is stuck.")
    _not_worked_on(settles, now)


def _count(number: int) -> str:
    return "No run that is stuck has this subject or id." if not number else f"{number:,} run{'s' * (number > 1)} stuck"


def _case(case: Case, settles: bool, now: datetime) -> None:
    ledger, run_id = company().ledger, case.run.run_id
    effects = ledger.effects(run_id)
    begun = steps(effects, ledger.proposals(run_id) if effects else ())
    with st.container(border=True, key=f"case-{run_id}"):
        show(head(case, now))
        left, right = st.columns([11, 9], gap="medium")
        with left:
            if begun:
                show(step_table(begun))
            else:
                st.caption("Nothing of a plan was begun.")
        with right:
            show(rail_end(ledger.observations(run_id)))
        if settles:
            _settling(run_id, next((step for step in begun if step.status == "unknown"), None))


def _settling(run_id: str, unknown: Step | None) -> None:
    """The ways out of an incident. Where it is not known whether a step was done, somebody says so who has looked."""
    with st.form(f"settle-{run_id}", border=False, enter_to_submit=False):
        if unknown:
            st.caption(f"Look up in {unknown.system} whether step {unknown.number} was done, then say so.")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            reason = st.text_input(
                "Reason", key=f"reason-{run_id}", max_chars=500, placeholder="What was mended, or why it is closed"
            )
            ways = _AFTER_UNKNOWN if unknown else _AFTER
            pressed = [how for how, says in ways.items() if st.form_submit_button(says, key=f"{how}-{run_id}")]
    if pressed:
        try:
            _settle(run_id, pressed[0], reason or "")
        except MissionsError as error:
            st.error(label(error, 500), icon=":material/error:")
        else:
            _remember(run_id)
            st.rerun()


def _settle(run_id: str, how: Way | Literal["anew"], reason: str) -> None:
    """Do what somebody decided about an incident. The ledger says whether they may."""
    person = enter("settle_incident")
    if how == "anew":
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
            if settles and st.button("Drive on", key=f"drive-{run.run_id}", icon=":material/play_arrow:"):
                enter("settle_incident")
                company().drive(run.run_id)
                _remember(run.run_id)
                st.rerun()
