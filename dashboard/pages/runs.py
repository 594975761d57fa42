"""Runs: search, counts and times over time, and a page of the runs found. What is asked for stands in the address."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import streamlit as st

from dashboard.company import company
from dashboard.markup import show
from dashboard.text import label, plain, words
from dashboard.views.run_charts import decision_chart, outcome_chart
from dashboard.views.runs import (
    DATES,
    DAYS,
    PERIODS,
    STATES,
    count_strip,
    counts,
    days_shown,
    read_back,
    run_filter,
    run_table,
    valid_zone,
)
from dashboard.visitor import enter
from ledger.canonical import utc_now
from ledger.listed import RunFilter, RunPage

#: runs on a page
ROWS = 50
#: what is asked for, by the keys of the widgets and the names in the address, with what asks for nothing
_NOTHING: Mapping[str, Any] = {
    "find": "", "mission": "", "verdict": "", "state": "", "by": "", "period": "30 days", "from": None, "to": None, "page": 1,
}  # fmt: skip


def draw() -> None:
    """The page."""
    enter("read")
    zone = valid_zone(st.context.timezone)
    today = utc_now().astimezone(ZoneInfo(zone)).date()
    _recall()
    wanted = _asked(zone, today)
    _figures(wanted, zone, today)
    _rows(wanted, zone)


def _recall() -> None:
    """Take what is asked for from the address; whoever comes back from a run finds the search that led there."""
    given = {key: st.query_params[key] for key in _NOTHING if key in st.query_params}
    kept: Mapping[str, str] = st.session_state.get("runs_asked", {})
    if "find" not in st.session_state:  # they come from another page, or reload
        given = given or dict(kept)
    elif given == kept:
        return
    for key, nothing in _NOTHING.items():
        st.session_state[key] = read_back(key, given[key]) if key in given else nothing


def _remember() -> None:
    """Write what is asked for into the address."""
    asked = {
        key: str(st.session_state[key]) for key, nothing in _NOTHING.items() if st.session_state.get(key, nothing) != nothing
    }
    st.session_state["runs_asked"] = asked
    if {key: st.query_params[key] for key in st.query_params} != asked:
        st.query_params.from_dict(asked)


def _first_page() -> None:
    st.session_state["page"] = 1


@st.fragment
def _rows(wanted: RunFilter, zone: str) -> None:
    """A page of runs; the next one is asked for without the figures above."""
    enter("read")
    number, found = _found(wanted)
    if not found.runs:
        st.text("No run is like that. Take a filter away, or choose a longer time.")
        _remember()
        return
    with st.container(key="runs_rows"):
        links, rows = st.columns([1, 6.5], gap=None)
        with links, st.container(gap=None, key="runs_links"):
            st.text("Subject")
            for run in found.runs:
                st.page_link(
                    st.session_state["pages"]["run"], label=label(run.event.subject, 60), query_params={"run": run.run_id}
                )
        with rows:
            show(run_table(found.runs, zone))
    _pages(number, found.total, zone)
    _remember()


def _asked(zone: str, today: date) -> RunFilter:
    """The filters, each in the widget of its key."""
    packs = company().runtime.context.packs
    with st.container(key="runs_filters"):
        find, missions, verdicts, states, people = st.columns([1.5, 1.2, 1.2, 1, 1])
        text = find.text_input(
            "Subject or run", key="find", placeholder="O-4471 or r-1a2b…", icon=":material/search:", on_change=_first_page,
        )  # fmt: skip
        with missions:
            mission = _choice("Mission", "mission", sorted(packs))
        known = packs[mission].verdicts if mission in packs else {name for pack in packs.values() for name in pack.verdicts}
        with verdicts:
            verdict = _choice("Verdict", "verdict", sorted(known))
        with states:
            state = _choice("State", "state", list(STATES))
        with people:
            names = [person.name for person in company().ledger.people() if person.role != "customer"]
            person = _choice("Decided by", "by", names, plain)
        period, between = _period()
    return run_filter(
        text=text or "", mission=mission, verdict=verdict, state=state, person=person, period=period, between=between, zone=zone,
        today=today,
    )  # fmt: skip


def _choice(name: str, key: str, options: list[str], told: Callable[[str], str] = words) -> str:
    if st.session_state[key] not in options:
        st.session_state[key] = ""
    chosen = st.selectbox(
        name, ["", *options], key=key, format_func=lambda one: told(one) if one else "any", on_change=_first_page,
    )  # fmt: skip
    return chosen or ""


def _period() -> tuple[str, tuple[date | None, date | None]]:
    with st.container(horizontal=True, vertical_alignment="center", key="runs_period"):
        period = st.segmented_control(
            "Started", [*PERIODS, DATES], required=True, key="period", on_change=_first_page,
            label_visibility="collapsed",
        )  # fmt: skip
        if period != DATES:
            return period or "30 days", (None, None)
        first = st.date_input("From", None, *DAYS, key="from", on_change=_first_page, width=150)
        last = st.date_input("To", None, *DAYS, key="to", on_change=_first_page, width=150)
        return period, (first, last)


def _figures(wanted: RunFilter, zone: str, today: date) -> None:
    desk = company().desk
    outcomes, times = desk.outcomes(wanted, zone), desk.decision_times(wanted, zone)
    counted = counts(outcomes)
    show(count_strip(sum(counted.values()), counted, sum(row["decisions"] for row in times)))
    if not outcomes:
        return
    days = days_shown(wanted, [*outcomes, *times], zone, today)
    left, right = st.columns(2, gap="medium")
    left.altair_chart(outcome_chart(outcomes, days), alt="Runs a day by how they stand")
    if times:
        right.altair_chart(decision_chart(times, days), alt="Time to decide a day")
    else:
        right.text("Nobody decided anything in these runs.")


def _found(wanted: RunFilter) -> tuple[int, RunPage]:
    """The number of the page, and the page; a number from an older search may be past the end."""
    number: int = st.session_state.get("page", 1)
    found = company().desk.search(wanted, (number - 1) * ROWS, ROWS)
    if found.runs or number == 1:
        return number, found
    st.session_state["page"] = 1
    return 1, company().desk.search(wanted, 0, ROWS)


def _pages(number: int, total: int, zone: str) -> None:
    pages = -(-total // ROWS)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        first = (number - 1) * ROWS + 1
        st.text(f"{first:,} to {min(total, first + ROWS - 1):,} of {total:,} · times in {zone.replace('_', ' ')}")
        if pages > 1:
            st.pagination(pages, key="page")
